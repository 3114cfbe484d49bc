//! Files as converters really write them: what nobody needs is no reason to refuse one, and what
//! counts is named where it is wrong.

mod common;

use common::value_type::*;
use common::{TemporaryFile, error_line, model, model_bytes, run, stdout_of, with_key};
use picolm_core::gguf::Gguf;

const TEXT: [&str; 7] = ["-p", "Once upon", "-n", "12", "-t", "0", "--quiet"];

/// What the model at `path` writes, and the lines on stderr beside it.
fn text_and_lines(path: &str) -> (Vec<u8>, String) {
    let output = run(&[&[path], &TEXT[..]].concat());
    let lines = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{lines}");
    (output.stdout, lines)
}

/// A file that differs from the reference model in one key.
fn changed(key: &str, value_type: u32, value: &[u8]) -> TemporaryFile {
    TemporaryFile::new("changed.gguf", &with_key(&model_bytes("llama"), key, value_type, value))
}

#[test]
fn ids_beyond_the_vocabulary_are_passed_over() {
    let (expected, _) = text_and_lines(&model("llama"));
    for id in [1 << 20, u32::MAX] {
        for name in ["padding", "mask", "seperator", "fim_pre"] {
            let key = format!("tokenizer.ggml.{name}_token_id");
            let file = changed(&key, UINT32, &id.to_le_bytes());
            assert_eq!(text_and_lines(file.path()), (expected.clone(), String::new()), "{name}");
        }
        // One that counts falls to the format's default, and a line says so.
        for name in ["bos", "eos", "unknown", "eot"] {
            let key = format!("tokenizer.ggml.{name}_token_id");
            let file = changed(&key, UINT32, &id.to_le_bytes());
            let (text, lines) = text_and_lines(file.path());
            assert_eq!(text, expected, "{name}");
            assert!(lines.lines().count() == 1 && lines.contains(&key), "{lines}");
            let info = run(&["info", file.path()]);
            assert!(info.status.success());
            assert!(String::from_utf8(info.stderr).unwrap().contains(&key));
        }
    }
}

#[test]
fn what_a_file_need_not_know_changes_nothing() {
    let (expected, _) = text_and_lines(&model("llama"));
    let two = [&UINT32.to_le_bytes()[..], &2u64.to_le_bytes(), &[2, 0, 0, 0, 2, 0, 0, 0]].concat();
    let heads = gguf_u32("llama.attention.head_count_kv");
    let equal = [&UINT32.to_le_bytes()[..], &2u64.to_le_bytes(), &[heads, heads].concat()].concat();
    for (key, value_type, value) in [
        ("general.\u{4f5c}\u{8005}", STRING, &[&1u64.to_le_bytes()[..], b"x"].concat()[..]),
        ("llama.vocab_size", UINT32, &7u32.to_le_bytes()),
        ("llama.attention.sliding_window", UINT32, &2u32.to_le_bytes()),
        ("llama.attention.sliding_window", ARRAY, &two),
        ("llama.attention.head_count_kv", ARRAY, &equal),
        ("llama.attention.causal", BOOL, &[1]),
    ] {
        let file = changed(key, value_type, value);
        assert_eq!(text_and_lines(file.path()), (expected.clone(), String::new()), "{key}");
    }
    // No context that is known: any is possible.
    let file = changed("llama.context_length", UINT32, &[0; 4]);
    assert_eq!(text_and_lines(file.path()).0, expected);
    let info = String::from_utf8(stdout_of(&["info", file.path()])).unwrap();
    assert!(info.lines().any(|line| line.starts_with("context:") && line.ends_with("unknown")));
}

fn gguf_u32(key: &str) -> [u8; 4] {
    let bytes = model_bytes("llama");
    let gguf = Gguf::parse(&bytes, bytes.len() as u64).unwrap();
    gguf.u32(key).unwrap().unwrap().to_le_bytes()
}

#[test]
fn what_is_wrong_has_a_name() {
    let one = [&1u64.to_le_bytes()[..], b"2"].concat();
    let unequal = [&UINT32.to_le_bytes()[..], &2u64.to_le_bytes(), &[2, 0, 0, 0, 1, 0, 0, 0]];
    for (key, value_type, value) in [
        ("llama.attention.head_count_kv", STRING, &one[..]),
        ("llama.attention.head_count_kv", ARRAY, &unequal.concat()),
        ("llama.attention.causal", BOOL, &[0]),
        ("tokenizer.ggml.token_type", ARRAY, &unequal.concat()),
        ("tokenizer.ggml.add_bos_token", UINT32, &[1, 0, 0, 0]),
        ("tokenizer.ggml.bos_token_id", STRING, &one[..]),
        ("general.alignment", STRING, &one[..]),
    ] {
        let file = changed(key, value_type, value);
        let line = error_line(&run(&[&[file.path()], &TEXT[..]].concat()), 1);
        let suffix = key.strip_prefix("llama.").unwrap_or(key);
        assert!(line.contains(suffix), "{line}");
    }
}

/// The last tensor's padding is read by nobody, mapped or streamed.
#[test]
fn a_file_may_end_with_its_data() {
    let whole = model_bytes("llama");
    let gguf = Gguf::parse(&whole, whole.len() as u64).unwrap();
    let (expected, _) = text_and_lines(&model("llama"));
    let end = gguf.tensors().map(|tensor| tensor.offset + tensor.bytes).max().unwrap() as usize;
    for bytes in [end, end + 1, whole.len() + 100] {
        let mut file = whole.clone();
        file.resize(bytes, 0);
        let file = TemporaryFile::new("end.gguf", &file);
        for ram in [&[][..], &["--ram", "1G"]] {
            let output = run(&[&[file.path()], &TEXT[..], ram].concat());
            assert_eq!(output.stdout, expected, "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let short = TemporaryFile::new("short.gguf", &whole[..end - 1]);
    let line = error_line(&run(&["info", short.path()]), 1);
    assert!(line.contains("past the end"), "{line}");
}

/// A type without kernels: one verdict, with what there is instead.
#[test]
fn a_plan_is_made_only_for_what_runs() {
    let path = common::fixtures().join("quant/IQ2_XS.gguf");
    if !path.is_file() {
        eprintln!("no file of a type without kernels: not tested");
        return;
    }
    let path = path.to_str().unwrap();
    for arguments in [&["info", path][..], &[&[path], &TEXT[..]].concat(), &["bench", path]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        let errors = String::from_utf8(output.stderr).unwrap();
        for says in ["IQ2_XS", "supported are", "Q4_0", "F16"] {
            assert!(errors.contains(says), "{errors}");
        }
        let memory = String::from_utf8(output.stdout).unwrap();
        assert!(!memory.contains("memory for"), "{memory}");
    }
}
