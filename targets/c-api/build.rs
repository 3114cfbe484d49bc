//! Says what no compiler flag tells: which kernels the assembler takes on Arm without an operating
//! system.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let of_target = |name: &str| std::env::var(name).unwrap_or_default();
    let is_bare = of_target("CARGO_CFG_TARGET_OS") == "none";
    if is_bare && of_target("CARGO_CFG_TARGET_ARCH") == "arm" {
        println!("cargo::rustc-cfg=bare_arm");
    }
    // Cortex-M4 and M7; whether a Cortex-M33 has them is its maker's choice.
    if of_target("TARGET").starts_with("thumbv7em") {
        println!("cargo::rustc-cfg=arm_dsp");
    }
}
