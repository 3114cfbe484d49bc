//! `picolm embed`: the vector of a text.

mod common;

use common::{error_line, floats, model, reference, run, run_with_input, stdout_of};

const MODEL: &str = "gemma_embedding_dense";

/// llama.cpp's ids of the first text that the fixture has, and that text.
fn text_and_ids() -> (String, String) {
    let first = &reference(MODEL)["tokenize"][0];
    (first["text"].as_str().unwrap().into(), join(&first["ids_addspecial"]))
}

fn join(ids: &serde_json::Value) -> String {
    let ids: Vec<String> = ids.as_array().unwrap().iter().map(ToString::to_string).collect();
    ids.join(",")
}

#[test]
fn the_vector_is_llama_cpps() {
    let path = model(MODEL);
    let ours =
        floats(&stdout_of(&["embed", &path, "--tokens", &join(&reference(MODEL)["tokens"])]));
    let truth = std::fs::read(path.replace(".gguf", ".truth.f32")).unwrap();
    let truth = floats(&truth);
    assert_eq!(ours.len(), truth.len());
    let squares = |values: &mut dyn Iterator<Item = f32>| values.map(|x| x * x).sum::<f32>();
    let error = squares(&mut ours.iter().zip(&truth).map(|(a, b)| a - b));
    assert!(error <= 5e-6 * squares(&mut truth.iter().copied()), "{error}");
}

#[test]
fn a_text_is_its_ids_however_it_comes() {
    let path = model(MODEL);
    let (text, ids) = text_and_ids();
    let expected = stdout_of(&["embed", &path, "--tokens", &ids]);
    assert_eq!(stdout_of(&["embed", &path, "-p", &text]), expected);
    assert_eq!(stdout_of(&["embed", &path, "-p", &text, "-j", "3"]), expected);
    assert_eq!(run_with_input(&["embed", &path], text.as_bytes()).stdout, expected);
    for level in ["portable", "sse2"] {
        let mut command = common::picolm(&["embed", &path, "-p", &text]);
        assert_eq!(command.env("PICOLM_CPU", level).output().unwrap().stdout, expected, "{level}");
    }
}

#[test]
fn json_is_the_same_numbers_and_a_length_can_be_1() {
    let path = model(MODEL);
    let raw = floats(&stdout_of(&["embed", &path, "-p", "to be"]));
    let json = stdout_of(&["embed", &path, "-p", "to be", "--json"]);
    assert_eq!(json.last(), Some(&b'\n'));
    assert_eq!(serde_json::from_slice::<Vec<f32>>(&json).unwrap(), raw);
    let one = floats(&stdout_of(&["embed", &path, "-p", "to be", "--normalize"]));
    let length = |vector: &[f32]| picolm_core::num::sqrt(vector.iter().map(|x| x * x).sum());
    assert!((length(&one) - 1.0).abs() < 1e-6);
    let scale = length(&raw);
    assert!(one.iter().zip(&raw).all(|(one, raw)| (one * scale - raw).abs() < 1e-5));
}

#[test]
fn what_cannot_be_done_is_said() {
    let path = model(MODEL);
    let writes = error_line(&run(&[&path, "-p", "a", "-n", "1"]), 1);
    assert!(writes.contains("turns texts into vectors"), "{writes}");
    let llama = error_line(&run(&["embed", &model("llama"), "-p", "a"]), 1);
    assert!(llama.contains("pooling_type"), "{llama}");
    let nothing = error_line(&run_with_input(&["embed", &model("qwen3"), "-p", ""], b""), 1);
    assert!(nothing.contains("pooling_type"), "{nothing}");
    let long = ["5"; 1025].join(",");
    let long = error_line(&run(&["embed", &path, "--tokens", &long]), 1);
    assert!(long.contains("1025 tokens") && long.contains("1024"), "{long}");
    let info = String::from_utf8(stdout_of(&["info", &path])).unwrap();
    assert!(info.contains("memory for"), "{info}");
    let unknown = error_line(&run(&["embed", &path, "--tokens", "99999"]), 1);
    assert!(unknown.contains("99999"), "{unknown}");
}
