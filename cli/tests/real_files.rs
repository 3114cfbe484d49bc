//! Files as converters really write them: what nobody needs is no reason to refuse one, and what
//! counts is named where it is wrong.

mod common;

use common::value_type::*;
use common::{TemporaryFile, error_line, model, model_bytes, run, stdout_of, with_key};
use picolm_core::gguf::Gguf;
use picolm_core::quant::TensorType;

const TEXT: [&str; 7] = ["-p", "Once upon", "-n", "12", "-t", "0", "--quiet"];

/// The text that the model at `path` writes, and its lines on stderr.
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

/// What is not supported: one verdict, that names it and what there is instead.
#[test]
fn a_plan_is_made_only_for_what_runs() {
    // An F32 matrix called one of I32, which is as long.
    let mut bytes = model_bytes("llama");
    let name = b"blk.0.attn_q.weight";
    let place = bytes.windows(name.len()).position(|window| window == name).unwrap();
    // Behind the name: two dimensions, and their number before them.
    let type_at = place + name.len() + 4 + 2 * 8;
    assert_eq!(bytes[type_at..type_at + 4], [0; 4]);
    bytes[type_at] = TensorType::I32 as u8;
    assert_refused(&bytes, &["info", "", "bench"], &["I32", "supported are", "Q4_0", "F16"]);
    // A number that GGML does not have, or not yet.
    bytes[type_at] = 99;
    let says = ["('blk.0.attn_q.weight'): number 99; supported are", "Q4_0", "F16"];
    assert_refused(&bytes, &["info", "", "bench"], &says);
    // Strings behind their keys, type and length.
    for (key, says) in [
        ("general.architecture", ["'#lama'", "supported are", "llama, m"]),
        ("tokenizer.ggml.model", ["'#pt2'", "supported are", "gpt2"]),
        ("tokenizer.ggml.pre", ["'#lama-bpe'", "supported are", "llama-bpe, "]),
    ] {
        let mut bytes = model_bytes("llama3_rope");
        let place = bytes.windows(key.len()).position(|window| window == key.as_bytes()).unwrap();
        bytes[place + key.len() + 4 + 8] = b'#';
        assert_refused(&bytes, &["info", ""], &says);
    }
}

/// Every command refuses the file with this message and plans nothing; "" generates text.
fn assert_refused(bytes: &[u8], commands: &[&str], says: &[&str]) {
    let file = TemporaryFile::new("refused.gguf", bytes);
    let path = file.path();
    for command in commands {
        let output = match *command {
            "" => run(&[&[path], &TEXT[..]].concat()),
            command => run(&[command, path]),
        };
        assert_eq!(output.status.code(), Some(1), "{command:?}");
        let errors = String::from_utf8(output.stderr).unwrap();
        for says in says {
            assert!(errors.contains(says), "{errors}");
        }
        let memory = String::from_utf8(output.stdout).unwrap();
        assert!(!memory.contains("memory for"), "{memory}");
    }
}

/// The number of tokens of a prompt, as the statistics say it.
fn prompt_tokens(path: &str, arguments: &[&str]) -> usize {
    let output = run(&[&[path, "-p", "Hello", "-n", "0"], arguments].concat());
    let errors = String::from_utf8(output.stderr).unwrap();
    let prefill = errors.lines().find_map(|line| line.strip_prefix("Prefill: ")).unwrap();
    prefill.split(' ').next().unwrap().parse().unwrap()
}

/// The token that begins a text is there once, whether the tokenizer or the template writes it.
#[test]
fn a_template_that_writes_bos_writes_the_only_one() {
    for form in [
        "<|im_start|>",
        "<|start_header_id|><|end_header_id|>",
        "{{ '[INST] ' + message['content'] + ' [/INST]' }}",
    ] {
        let tokens = |writes_bos: bool, adds_bos: bool| {
            let template = format!("{}{form}", if writes_bos { "{{ bos_token }}" } else { "" });
            let value = [&(template.len() as u64).to_le_bytes()[..], template.as_bytes()].concat();
            let file = with_key(&model_bytes("llama"), "tokenizer.chat_template", STRING, &value);
            let file = with_key(&file, "tokenizer.ggml.add_bos_token", BOOL, &[u8::from(adds_bos)]);
            prompt_tokens(TemporaryFile::new("bos.gguf", &file).path(), &["--chat"])
        };
        let without = tokens(false, false);
        for (writes_bos, adds_bos) in [(true, false), (true, true), (false, true)] {
            assert_eq!(tokens(writes_bos, adds_bos), without + 1, "{form} {writes_bos} {adds_bos}");
        }
    }
}

/// The reference model with every token unused but single lower-case letters.
fn with_unused(unused: i32) -> TemporaryFile {
    let file = model_bytes("llama");
    let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
    let texts = gguf.array("tokenizer.ggml.tokens").unwrap().unwrap().strings().unwrap();
    let types: Vec<u8> = texts
        .map(|(_, text)| if matches!(text, [b'a'..=b'z']) { 1 } else { unused })
        .flat_map(i32::to_le_bytes)
        .collect();
    let head = [&5u32.to_le_bytes()[..], &(types.len() as u64 / 4).to_le_bytes()].concat();
    let value = [head, types].concat();
    let file = with_key(&file, "tokenizer.ggml.token_type", ARRAY, &value);
    TemporaryFile::new("unused.gguf", &file)
}

/// Rows that fill a vocabulary up are neither chosen nor shown: each token of the text is a letter.
#[test]
fn unused_tokens_are_never_written() {
    for unused in [0, 5] {
        let file = with_unused(unused);
        let mut letters = 0;
        for seed in ["1", "2", "3", "4"] {
            for more in [&["-t", "9"][..], &["-t", "0"], &["-t", "9", "--lookup"]] {
                let arguments = [file.path(), "-p", "abc", "-n", "60", "-s", seed];
                let output = run(&[&arguments[..], &["--top-p", "1"], more].concat());
                let errors = String::from_utf8(output.stderr).unwrap();
                assert!(output.status.success(), "{errors}");
                let written = errors.lines().find_map(|line| line.strip_prefix("Generation: "));
                let written: usize = written.unwrap().split(' ').next().unwrap().parse().unwrap();
                assert_eq!(output.stdout.len(), written, "{errors}");
                assert!(output.stdout.iter().all(u8::is_ascii_lowercase));
                letters += written;
            }
        }
        assert!(letters > 100, "{letters}");
        let json = r#"{"type":"string","pattern":"^[a-z]{5}$"}"#;
        let arguments = [file.path(), "-p", "abc", "-t", "9", "--quiet", "--schema", json];
        // Quotes have no token any more, so nothing can be written: an error, not half a string.
        error_line(&run(&arguments), 1);
    }
}

/// A text ends with a whole character, wherever it is cut.
#[test]
fn no_text_ends_inside_a_character() {
    let path = model("llama");
    let (mut ends, mut longest) = (0, 0);
    for seed in 1..=60 {
        let seed = seed.to_string();
        let text = |count: &str| {
            let arguments = ["-p", "x", "-n", count, "-t", "9", "--top-p", "1", "-s", &seed];
            stdout_of(&[&[path.as_str()], &arguments[..], &["--quiet"]].concat())
        };
        let (short, long) = (text("2"), text("3"));
        assert!(long.starts_with(&short), "seed {seed}");
        for bytes in [&short, &long] {
            let mut rest = &bytes[..];
            while let Err(error) = str::from_utf8(rest) {
                let length = error.error_len().expect("no character is cut at the end");
                rest = &rest[error.valid_up_to() + length..];
            }
        }
        longest = longest.max(long.len());
        ends += usize::from(short.is_empty());
    }
    assert!(longest > 3 && ends < 60);
}

/// What readers of a model's JSON expect is an object; any value is for those who ask.
#[test]
fn json_is_an_object_or_what_is_asked_for() {
    let path = model("llama");
    let mut kinds = [0; 2];
    for seed in 1..=12 {
        let seed = seed.to_string();
        let json = |option: &[&str]| {
            let arguments = ["-p", "x", "-n", "40", "-t", "2", "-s", &seed, "--quiet"];
            let text = stdout_of(&[&[path.as_str()], &arguments[..], option].concat());
            serde_json::from_slice::<serde_json::Value>(&text).unwrap()
        };
        for object in [&["--json"][..], &["--json", "--pretty"]] {
            assert!(json(object).is_object());
        }
        for value in [&["--json", "value"][..], &["--json=value", "--pretty"]] {
            kinds[usize::from(json(value).is_object())] += 1;
        }
    }
    assert!(kinds[0] > 0, "{kinds:?}");
}
