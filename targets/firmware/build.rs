//! Says to the byte how much memory the firmware takes, and picks the board's linker script.
//!
//! The arena's size is the engine's own plan, made here on the host with the same settings. What
//! the engine keeps in it holds no pointer, so the plan is the same for every pointer width; the
//! firmware makes it again on the board and refuses to run where the two differ.

#[path = "src/settings.rs"]
#[allow(dead_code, unreachable_pub, reason = "the firmware uses the rest")]
mod settings;

use picolm_core::gguf::Gguf;
use std::env::var;
use std::path::PathBuf;

fn main() {
    let root = PathBuf::from(var("CARGO_MANIFEST_DIR").unwrap());
    println!("cargo::rerun-if-changed=src/settings.rs");
    println!("cargo::rerun-if-env-changed=PICOLM_FIRMWARE_MODEL");
    let model = match var("PICOLM_FIRMWARE_MODEL") {
        Ok(path) => PathBuf::from(path),
        Err(_) => root.join("model/stories.gguf"),
    };
    let arena_bytes = plan(&model).unwrap_or_else(|error| panic!("{}: {error}", model.display()));
    println!("cargo::rerun-if-changed={}", model.display());
    println!("cargo::rustc-env=PICOLM_FIRMWARE_MODEL={}", model.display());
    let constants = format!(
        "/// Bytes of the arena, as the build has planned them.\n\
         pub const ARENA_BYTES: usize = {arena_bytes};\n"
    );
    let out = PathBuf::from(var("OUT_DIR").unwrap());
    std::fs::write(out.join("plan.rs"), constants).unwrap();

    // No compiler flag tells the DSP instructions of a Cortex-M4 from a Cortex-M3 without them; the
    // target of a Cortex-M33 is one of those without.
    if var("TARGET").unwrap().starts_with("thumbv7em") {
        println!("cargo::rustc-cfg=arm_dsp");
    }
    if var("CARGO_CFG_TARGET_OS").unwrap() == "none" {
        let script = match var("CARGO_CFG_TARGET_ARCH").unwrap().as_str() {
            "arm" => "cortex_m.ld",
            "riscv32" | "riscv64" => "riscv.ld",
            "aarch64" => "aarch64.ld",
            other => panic!("no board of this architecture: {other}"),
        };
        println!("cargo::rerun-if-changed=link");
        println!("cargo::rustc-link-search={}", root.join("link").display());
        println!("cargo::rustc-link-arg-bins=-T{script}");
        println!("cargo::rerun-if-env-changed=PICOLM_FIRMWARE_STACK");
        if let Ok(bytes) = var("PICOLM_FIRMWARE_STACK") {
            println!("cargo::rustc-link-arg-bins=--defsym=_stack_bytes={bytes}");
        }
    }
}

/// Bytes of the arena for the model file at `path`.
fn plan(path: &PathBuf) -> Result<u64, String> {
    let file = std::fs::read(path).map_err(|error| error.to_string())?;
    let gguf = Gguf::parse(&file, file.len() as u64).map_err(|error| error.to_string())?;
    let layout = settings::layout(&gguf).map_err(|error| error.to_string())?;
    let plan = settings::plan(&gguf, &layout).map_err(|error| error.to_string())?;
    Ok(plan.total())
}
