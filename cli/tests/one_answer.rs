//! The program over a mapped file, on its pool of threads, gives the bits that the engine gives
//! over a plain slice, alone.

mod common;

use common::{fixtures, picolm, stdout_of};
use picolm_core::gguf::Gguf;
use picolm_core::kernels::portable;
use picolm_core::mem::Arena;
use picolm_core::model::{Parts, family};
use picolm_core::port::{CpuFeatures, FlashWeights, Serial};
use picolm_core::session::{Options, Session};

/// Logits of every token, little-endian, from a copy of the file in memory.
fn from_a_slice(file: &[u8], tokens: &[u32]) -> Vec<u8> {
    let gguf = Gguf::parse(file, file.len() as u64).unwrap();
    let parts = Parts {
        formats: portable::ALL,
        vectors: &[portable::VECTOR],
        families: family::ALL,
        cpu: CpuFeatures::baseline(),
    };
    let options = Options { batch: 1, ..Options::default() };
    let (plan, _) = Session::plan(&gguf, &parts, &options).unwrap();
    let mut memory = vec![0; plan.total().unwrap() as usize + 63];
    let mut arena = Arena::new(&mut memory);
    let weights = FlashWeights::new(file);
    let mut session = Session::new(&gguf, &weights, &Serial, &parts, &options, &mut arena).unwrap();
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
        let expected = from_a_slice(&std::fs::read(&path).unwrap(), &tokens);
        let path = path.to_str().unwrap();
        for threads in ["1", "2", "3"] {
            let ours = stdout_of(&["logits", path, "--tokens", &list, "--all", "-j", threads]);
            assert!(ours == expected, "{model} with {threads} threads");
        }
    }
}

/// Names of levels of every architecture, as `PICOLM_CPU` takes them. Those that this CPU lacks are
/// left out: which ones those are, the program says.
const LEVELS: [&str; 13] = [
    "portable",
    "sse2",
    "ssse3",
    "avx2",
    "avx-vnni",
    "avx512",
    "avx512-vnni",
    "neon",
    "dotprod",
    "i8mm",
    "vfp",
    "dsp",
    "swar",
];

#[test]
fn every_level_of_this_cpu_gives_the_bits_of_portable() {
    let tokens: Vec<u32> = (0..67).map(|index| index * 53 % 384).collect();
    let list = tokens.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let models: Vec<_> = ["arch", "quant"]
        .iter()
        .flat_map(|folder| std::fs::read_dir(fixtures().join(folder)).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "gguf"))
        .collect();
    let (mut compared, mut levels) = (0, Vec::new());
    for model in models {
        let model = model.to_str().unwrap();
        let arguments = ["logits", model, "--tokens", &list, "--all", "-j", "2"];
        let run = |level: &str| picolm(&arguments).env("PICOLM_CPU", level).output().unwrap();
        let portable = run("portable");
        if !portable.status.success() {
            // An architecture or a format that the engine does not have.
            continue;
        }
        compared += 1;
        for level in &LEVELS[1..] {
            let output = run(level);
            if output.status.success() {
                assert!(output.stdout == portable.stdout, "{model} on {level}");
                if !levels.contains(level) {
                    levels.push(level);
                }
            } else {
                let error = String::from_utf8_lossy(&output.stderr);
                let absent = error.contains("this CPU has no") || error.contains("is none of");
                assert!(absent, "{model} on {level}: {error}");
            }
        }
    }
    assert!(compared >= 10, "only {compared} models ran");
    println!("{compared} models on portable and on {levels:?}");
}
