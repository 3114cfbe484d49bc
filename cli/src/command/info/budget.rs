//! How a memory ceiling is divided, and the speed to expect, measured on this machine.

use super::Page;
use crate::engine::{Machine, Source};
use crate::platform::bandwidth;
use crate::platform::clock::MonotonicClock;
use crate::platform::map::Memory;
use crate::platform::stream::StreamedFile;
use crate::report::{Bytes, Failure, Fixed};
use picolm_core::port::Clock;
use picolm_core::port::streaming::Ceiling;
use std::collections::BTreeMap;

/// Memory that is read to measure its speed: more than the caches of a small machine.
const PROBE_BYTES: u64 = 32 << 20;

/// Number of readings. The fastest counts: the first ones find cold caches and sleeping workers.
const PROBES: usize = 4;

/// Shows the parts of `ceiling` and predicts the seconds a token takes.
pub(super) fn show(
    page: &mut Page,
    machine: &Machine,
    source: &Source<'_>,
    ceiling: &Ceiling,
) -> Result<(), Failure> {
    let (model, plan) = (source.model, &source.plan);
    let (file, options) = (model.file, plan.needs.options);
    page.heading(&format!("everything below {}", Bytes(ceiling.bytes)));
    page.bytes("as above", plan.total_bytes(), "");
    page.bytes("process", ceiling.process_bytes, "");
    let traffic = model.layout.traffic(options.kv_type).map_err(|error| file.failure(error))?;
    let read_bytes = traffic.at(model.context(options.context) / 2);
    let memory_bytes_per_s = memory_speed(machine, ceiling.bytes)?;
    let memory_s = read_bytes as f64 / memory_bytes_per_s;
    let Some(stream) = source.contents().streamed() else {
        let file_bytes = file.file_bytes();
        page.bytes("model, mapped", file_bytes, "");
        let total = plan.total_bytes() + ceiling.process_bytes + file_bytes;
        page.bytes("total", total, "");
        page.line("memory speed", format_args!("{} GB/s", Fixed::<2>(memory_bytes_per_s * 1e-9)));
        page.line("prediction", format_args!("{} s a token, by memory", Fixed::<3>(memory_s)));
        return Ok(());
    };
    // The schedule decides what is pinned. The memory of the engine is not written to.
    let mut memory = plan.reserve()?;
    source.session(&mut memory)?;
    let weights = stream.plan().unwrap_or_default();
    page.bytes("header", ceiling.header_bytes, "");
    page.bytes("stream buffers", weights.buffer_bytes, "");
    page.bytes("pinned weights", weights.pinned_bytes, "");
    let others = plan.total_bytes() + ceiling.process_bytes + ceiling.header_bytes;
    page.bytes("total", others + weights.buffer_bytes + weights.pinned_bytes, "");

    show_experts(page, stream, model.layout.config().n_expert);
    let streamed_bytes = source.streamed_bytes(&weights);
    let device_bytes_per_s = stream.device_bytes_per_s().map_err(|error| file.failure(error))?;
    let device_s = streamed_bytes as f64 / device_bytes_per_s;
    page.line("streamed", format_args!("{} a token", Bytes(streamed_bytes)));
    page.line("disk speed", format_args!("{} MB/s", Fixed::<1>(device_bytes_per_s * 1e-6)));
    page.line("memory speed", format_args!("{} GB/s", Fixed::<2>(memory_bytes_per_s * 1e-9)));
    let (seconds, bound) =
        if device_s > memory_s { (device_s, "disk") } else { (memory_s, "memory") };
    page.line("prediction", format_args!("{} s a token, by {bound}", Fixed::<3>(seconds)));
    Ok(())
}

/// Shows how many of the `n_expert` experts of a layer stay in memory.
fn show_experts(page: &mut Page, stream: &StreamedFile, n_expert: u32) {
    let mut held = BTreeMap::new();
    for (group, is_pinned) in stream.groups() {
        *held.entry(group / n_expert.max(1)).or_insert(0) += u32::from(is_pinned);
    }
    let Some((least, most)) = held.values().min().zip(held.values().max()) else { return };
    let held = if least == most { least.to_string() } else { format!("{least} to {most}") };
    page.row("experts held", format_args!("{held} of {n_expert} in each layer"));
}

/// Bytes per second at which all threads read memory.
fn memory_speed(machine: &Machine, ceiling_bytes: u64) -> Result<f64, Failure> {
    let bytes = PROBE_BYTES.min(ceiling_bytes / 2);
    let mut memory =
        Memory::reserve(bytes).map_err(|error| Failure::new(format!("memory: {error}")))?;
    memory.as_mut_slice().fill(1);
    let clock = MonotonicClock::new();
    let fastest_ns = (0..PROBES).map(|_| {
        let start_ns = clock.now_ns();
        core::hint::black_box(bandwidth::read_all(&machine.pool, memory.as_slice()));
        clock.now_ns() - start_ns
    });
    let fastest_ns = fastest_ns.min().unwrap_or(1).max(1);
    Ok(bytes as f64 * 1e9 / fastest_ns as f64)
}
