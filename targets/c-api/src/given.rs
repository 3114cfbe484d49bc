//! The structs that a caller fills, read: model and options.
// Unsafe: they come as pointers.
#![allow(unsafe_code)]

use crate::abi::*;
use crate::cpu;
use crate::engine::Settings;
use crate::pointer::{Checked, non_null, read_struct, slice};
use crate::source::{Model, Reader};
use picolm_core::quant::KvType;
use picolm_core::sampler::{Penalties, SamplerOptions};
use picolm_core::session::Options;

/// The model that C describes.
///
/// # Safety
///
/// `model` is NULL or a model whose bytes stay as they are while the session is open.
pub(crate) unsafe fn read_model(model: *const picolm_model) -> Checked<Model<'static>> {
    let mut given = picolm_model {
        struct_size: 0,
        bytes: core::ptr::null(),
        length: 0,
        file_bytes: 0,
        read: None,
        user: core::ptr::null_mut(),
    };
    let least = core::mem::offset_of!(picolm_model, file_bytes);
    // SAFETY: the caller's promises.
    let bytes = unsafe {
        read_struct(model, &mut given, least)?;
        non_null(given.bytes.cast_mut())?;
        slice(given.bytes, given.length)?
    };
    let picolm_model { user, file_bytes, .. } = given;
    let reader = given.read.map(|read| Reader { read, user, file_bytes });
    Ok(Model { bytes, reader })
}

/// What C asks for, in the engine's terms.
///
/// # Safety
///
/// `options` is NULL or as large as it says; what it claims of the CPU is true.
pub(crate) unsafe fn read_options(options: *const picolm_options) -> Checked<Settings> {
    let mut given = default_options();
    if !options.is_null() {
        // SAFETY: the caller's promise.
        unsafe { read_struct(options, &mut given, size_of::<usize>())? };
    }
    let kv_type = match given.kv_type {
        PICOLM_KV_F16 => KvType::F16,
        PICOLM_KV_Q8_0 => KvType::Q8_0,
        PICOLM_KV_Q4_0 => KvType::Q4_0,
        _ => return Err(PICOLM_VALUE.into()),
    };
    let logit_rows = match given.vectors {
        PICOLM_VECTORS_NONE => Options::DEFAULT.logit_rows,
        PICOLM_VECTORS_RAW | PICOLM_VECTORS_NORMALIZED => 0,
        _ => return Err(PICOLM_VALUE.into()),
    };
    let normalizes = given.vectors == PICOLM_VECTORS_NORMALIZED;
    // SAFETY: the caller's claim.
    let cpu = unsafe { cpu::claimed(given.cpu) }.ok_or(PICOLM_VALUE)?;
    let picolm_options { context, batch, text_bytes, read_bytes, .. } = given;
    let sampler = SamplerOptions {
        penalties: Penalties {
            last: given.penalty_last,
            repeat: given.repeat_penalty,
            frequency: given.frequency_penalty,
            presence: given.presence_penalty,
        },
        top_k: given.top_k,
        typical_p: given.typical_p,
        top_p: given.top_p,
        min_p: given.min_p,
        temperature: given.temperature,
        seed: given.seed,
        ..SamplerOptions::NEUTRAL
    };
    let session = Options { context, kv_type, batch, logit_rows, ..Options::DEFAULT };
    Ok(Settings { session, sampler, cpu, text_bytes, read_bytes, normalizes })
}

/// What the command line program has without options, where it has the same.
pub(crate) fn default_options() -> picolm_options {
    picolm_options {
        struct_size: size_of::<picolm_options>(),
        context: 0,
        kv_type: PICOLM_KV_F16,
        batch: 0,
        text_bytes: 4096,
        read_bytes: 1 << 18,
        cpu: cpu::detected(),
        seed: 42,
        temperature: 0.8,
        top_p: 0.9,
        min_p: 0.0,
        typical_p: 1.0,
        repeat_penalty: 1.0,
        frequency_penalty: 0.0,
        presence_penalty: 0.0,
        penalty_last: 64,
        top_k: 0,
        vectors: PICOLM_VECTORS_NONE,
    }
}
