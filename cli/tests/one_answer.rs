//! The program over a mapped file, on its pool of threads, gives the bits that the engine gives
//! over a plain slice, alone.

mod common;

use common::{fixtures, picolm, stdout_of};
use core::sync::atomic::{AtomicUsize, Ordering};
use picolm_core::gguf::Gguf;
use picolm_core::kernels::portable;
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::model::{Build, LayerSet, Layout, family};
use picolm_core::port::{CpuFeatures, FlashWeights, Serial};
use picolm_core::quant::KvType;
use picolm_core::session::{Options, Session};

/// Logits of every token, little-endian, from a copy of the file in memory.
fn from_a_slice(file: &[u8], tokens: &[u32], kv_type: KvType) -> Vec<u8> {
    let gguf = Gguf::parse(file, file.len() as u64).unwrap();
    let build = Build {
        formats: portable::ALL,
        vectors: &[portable::VECTOR],
        families: family::ALL,
        cpu: CpuFeatures::baseline(),
    };
    let options = Options { batch: 1, kv_type, ..Options::default() };
    let layout = Layout::of(&gguf, &build, LayerSet::EMPTY).unwrap();
    let mut plan = MemoryPlan::new();
    Session::plan(&layout, &options, &mut plan).unwrap();
    let mut memory = vec![0; plan.total() as usize + 63];
    let mut arena = Arena::new(&mut memory);
    let weights = FlashWeights::new(file);
    let mut session = Session::new(&layout, &weights, &Serial, &options, &mut arena).unwrap();
    let mut bytes = Vec::new();
    session
        .prefill_scored(tokens, &mut |_, logits| {
            bytes.extend(logits.iter().flat_map(|logit| logit.to_le_bytes()));
        })
        .unwrap();
    bytes
}

#[test]
fn mapped_and_threaded_is_as_from_a_slice() {
    let tokens: Vec<u32> = (0..100).map(|index| index * 37 % 384).collect();
    let list = tokens.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    for model in ["arch/llama3_rope.gguf", "arch/llama_moe.gguf", "quant/Q4_1.gguf"] {
        let path = fixtures().join(model);
        let file = std::fs::read(&path).unwrap();
        let logits = ["logits", path.to_str().unwrap(), "--tokens", &list, "--all"];
        for kv_type in KvType::ALL {
            let expected = from_a_slice(&file, &tokens, kv_type);
            let kv = kv_type.name();
            for threads in ["1", "2", "3"] {
                let ours = stdout_of(&[&logits[..], &["--kv", kv, "-j", threads]].concat());
                assert!(ours == expected, "{model}, {kv}, with {threads} threads");
            }
        }
    }
}

/// The levels of this architecture, from the program's own list, and whether this CPU has each.
fn levels(model: &str) -> Vec<(String, bool)> {
    let arguments = ["logits", model, "--tokens", "1"];
    let output = |level: &str| picolm(&arguments).env("PICOLM_CPU", level).output().unwrap();
    let error = String::from_utf8(output("none such").stderr).unwrap();
    let (_, names) = error.trim_end().split_once("is none of ").unwrap();
    let levels = names.split(", ").map(|name| {
        let output = output(name);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() || error.contains("this CPU has no"), "{name}: {error}");
        (name.to_owned(), output.status.success())
    });
    levels.collect()
}

/// Levels that the CPU of the tests has beyond the architecture's baseline, as std says.
fn detected() -> Vec<&'static str> {
    #[allow(unused_mut)]
    let mut levels = vec!["portable"];
    #[cfg(target_arch = "x86_64")]
    {
        levels.push("sse2");
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("f16c") {
            levels.push("avx2");
        }
        if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni") {
            levels.push("avx512-vnni");
        }
    }
    #[cfg(target_arch = "aarch64")]
    levels.push("neon");
    #[cfg(target_arch = "riscv64")]
    levels.push("swar");
    levels
}

#[test]
fn every_level_of_this_cpu_gives_the_bits_of_portable() {
    let models: Vec<_> = ["arch", "arch-gemma4", "quant"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(fixtures().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "gguf"))
        .collect();
    let levels = levels(&common::model("llama"));
    for level in detected() {
        assert!(levels.contains(&(level.to_owned(), true)), "{level} is not in {levels:?}");
    }
    // One batch of 150 rows, whose last row has seen all others; and rows by eight, each one's.
    let lists = [150, 37].map(|count| {
        let tokens = (0..count).map(|index: u32| (index * 53 % 384).to_string());
        tokens.collect::<Vec<_>>().join(",")
    });
    let compared = AtomicUsize::new(0);
    // Models take turns with the types of quantised keys and values.
    let compare = |turn: usize, model: &str| {
        let long = ["logits", model, "--tokens", &lists[0], "-j", "1"];
        let all = ["logits", model, "--tokens", &lists[1], "--all", "-j", "1"];
        let kv = ["q8_0", "q4_0"][turn % 2];
        let quantised = [&long[..], &["--kv", kv]].concat();
        for arguments in [&long[..], &all[..], &quantised[..]] {
            let run = |level: &str| picolm(arguments).env("PICOLM_CPU", level).output().unwrap();
            let portable = run("portable");
            if !portable.status.success() {
                // An architecture, a format or heads that the engine does not have.
                continue;
            }
            compared.fetch_add(1, Ordering::Relaxed);
            // The empty name is the default: the best that the CPU has.
            let there = levels.iter().filter(|(name, there)| *there && name != "portable");
            let there = there.map(|(name, _)| name.as_str());
            for level in there.chain([""]) {
                let output = run(level);
                assert!(output.status.success(), "{model} on {level}");
                assert!(output.stdout == portable.stdout, "{model} on '{level}'");
            }
        }
    };
    // A program at a time on each core, on one thread: most of the models are too small to share.
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, core::num::NonZero::get) {
            scope.spawn(|| {
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    let Some(model) = models.get(turn) else { break };
                    compare(turn, model.to_str().unwrap());
                }
            });
        }
    });
    let compared = compared.into_inner();
    assert!(compared >= 20, "only {compared} runs were compared");
    println!("{compared} runs on {levels:?}");
}
