//! Where each byte below a ceiling goes, and what speed that gives: as measured on this machine.

use super::Page;
use crate::ceiling::Ceiling;
use crate::engine::{Machine, ModelFile, Plan};
use crate::platform::bandwidth;
use crate::platform::clock::MonotonicClock;
use crate::platform::map::Memory;
use crate::report::{Bytes, Failure, Fixed};
use picolm_core::gguf::Gguf;
use picolm_core::mem::Arena;
use picolm_core::model::Traffic;
use picolm_core::port::Clock;

/// Memory that is read to measure how fast that goes: more than the caches of a small machine.
const PROBE_BYTES: u64 = 32 << 20;

/// Readings, of which the fastest counts: the first ones find cold caches and sleeping helpers.
const PROBES: usize = 4;

/// Shows the parts of `ceiling` and the seconds that a token will take.
pub(super) fn show(
    page: &mut Page,
    file: &ModelFile,
    gguf: &Gguf<'_>,
    machine: &Machine,
    plan: &Plan,
    ceiling: &Ceiling,
) -> Result<(), Failure> {
    page.heading(&format!("everything below {}", Bytes(ceiling.bytes)));
    let row = |page: &mut Page, name: &str, bytes: u64| {
        page.row(name, format_args!("{:>10}", Bytes(bytes).to_string()));
    };
    row(page, "as above", plan.total_bytes());
    row(page, "process", ceiling.process_bytes);
    let traffic =
        Traffic::of(gguf, &plan.config, plan.kv_type()).map_err(|error| file.failure(error))?;
    let read_bytes = traffic.at(plan.context() / 2);
    let memory_bytes_per_s = memory_speed(machine, ceiling.bytes)?;
    let memory_s = read_bytes as f64 / memory_bytes_per_s;
    let Some(stream) = file.stream() else {
        let file_bytes = file.weights().file_bytes();
        row(page, "model, mapped", file_bytes);
        let total = plan.total_bytes() + ceiling.process_bytes + file_bytes;
        row(page, "total", total);
        page.line("memory speed", format_args!("{} GB/s", Fixed::<2>(memory_bytes_per_s * 1e-9)));
        page.line("prediction", format_args!("{} s a token, by memory", Fixed::<3>(memory_s)));
        return Ok(());
    };
    // The schedule decides: it takes memory that nothing is written to.
    let mut memory = plan.reserve()?;
    let mut arena = Arena::new(memory.as_mut_slice());
    plan.session(file, gguf, machine, &mut arena)?;
    let weights = stream.plan().unwrap_or_default();
    row(page, "header", ceiling.header_bytes);
    row(page, "stream buffers", weights.buffer_bytes);
    row(page, "pinned weights", weights.pinned_bytes);
    let others = plan.total_bytes() + ceiling.process_bytes + ceiling.header_bytes;
    row(page, "total", others + weights.buffer_bytes + weights.pinned_bytes);

    let config = &plan.config;
    let experts = f64::from(config.n_expert_used) / f64::from(config.n_expert.max(1));
    let streamed_bytes =
        weights.streamed_bytes as f64 + weights.streamed_expert_bytes as f64 * experts;
    let device_bytes_per_s = stream.device_bytes_per_s().map_err(|error| file.failure(error))?;
    let device_s = streamed_bytes / device_bytes_per_s;
    page.line("streamed", format_args!("{} a token", Bytes(streamed_bytes as u64)));
    page.line("disk speed", format_args!("{} MB/s", Fixed::<1>(device_bytes_per_s * 1e-6)));
    page.line("memory speed", format_args!("{} GB/s", Fixed::<2>(memory_bytes_per_s * 1e-9)));
    let (seconds, bound) =
        if device_s > memory_s { (device_s, "disk") } else { (memory_s, "memory") };
    page.line("prediction", format_args!("{} s a token, by {bound}", Fixed::<3>(seconds)));
    Ok(())
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
