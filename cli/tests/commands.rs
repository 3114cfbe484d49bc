//! The commands on small random-weight models, against what llama.cpp says of them.

mod common;

use common::{
    TemporaryFile, fixtures, floats, model, picolm, reference, run, run_with_input, stdout_of,
};

fn ids(json: &serde_json::Value) -> Vec<u64> {
    json.as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
}

fn id_list(ids: &[u64]) -> String {
    ids.iter().map(u64::to_string).collect::<Vec<_>>().join(",")
}

#[test]
fn logits_are_within_the_references_bound() {
    let reference = reference("llama");
    let tokens = id_list(&ids(&reference["tokens"]));
    let n_vocab = reference["n_vocab"].as_u64().unwrap() as usize;
    let path = model("llama");
    let all = floats(&stdout_of(&["logits", &path, "--tokens", &tokens, "--all"]));
    assert_eq!(all.len(), 24 * n_vocab);
    let ours = &all[20 * n_vocab..];
    let truth = floats(&std::fs::read(fixtures().join("arch/llama.truth.f32")).unwrap());
    assert_eq!(truth.len(), ours.len());
    let square = |x: f64| x * x;
    let difference: f64 =
        ours.iter().zip(&truth).map(|(&a, &b)| square(f64::from(a) - f64::from(b))).sum();
    let size: f64 = truth.iter().map(|&b| square(f64::from(b))).sum();
    let bound = reference["nmse_llamacpp_vs_truth_last4"].as_f64().unwrap();
    assert!(difference / size <= (1.5 * bound).max(5e-6), "{}", difference / size);

    let last = floats(&stdout_of(&["logits", &path, "--tokens", &tokens]));
    assert!(last == all[23 * n_vocab..], "the last position's bits are the same alone");
    for threads in ["1", "3"] {
        let again = stdout_of(&["logits", &path, "--tokens", &tokens, "--all", "-j", threads]);
        assert!(floats(&again) == all, "the same bits on {threads} threads");
    }
}

#[test]
fn tokenize_gives_llama_cpps_ids() {
    for name in ["llama", "llama3_rope"] {
        let path = model(name);
        for case in reference(name)["tokenize"].as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            for (arguments, expected) in [
                (&["tokenize", &path, "-p", text, "--no-special"][..], &case["ids_nospecial"]),
                (&["tokenize", &path, "-p", text][..], &case["ids_addspecial"]),
            ] {
                let found = serde_json::from_slice(&stdout_of(arguments)).unwrap();
                assert_eq!(ids(&found), ids(expected), "{name}: {text:?}");
            }
        }
    }
}

#[test]
fn special_tokens_are_recognised_unless_told_not_to() {
    let path = model("llama");
    let tokens = |arguments: &[&str]| {
        ids(&serde_json::from_slice(&stdout_of(&[&["tokenize", &path], arguments].concat()))
            .unwrap())
    };
    // SentencePiece's <s> and </s> are 1 and 2 in llama's vocabulary.
    assert_eq!(tokens(&["-p", "</s>"]), [1, 2]);
    let spelled = tokens(&["-p", "</s>", "--no-special"]);
    assert!(spelled.len() > 1 && !spelled.contains(&1) && !spelled.contains(&2), "{spelled:?}");
}

#[test]
fn stdin_is_taken_byte_for_byte() {
    let path = model("llama");
    let tokens = |input: &[u8]| {
        let output = run_with_input(&["tokenize", &path, "--no-special"], input);
        assert!(output.status.success());
        ids(&serde_json::from_slice(&output.stdout).unwrap())
    };
    let word = tokens(b"word");
    for (input, extra) in [
        // Byte tokens begin at id 3 in llama's vocabulary, for byte 0.
        (&b"word\n"[..], &[13u64][..]),
        (b"word\r\n", &[16, 13]),
        (b"word\x1a\0", &[0x1a + 3, 3]),
        (b"word\xff\xfe", &[0xff + 3, 0xfe + 3]),
    ] {
        assert_eq!(tokens(input), [&word[..], extra].concat(), "{input:?}");
    }
    let given = stdout_of(&["tokenize", &path, "--no-special", "-e", "-p", r"word\n\x41"]);
    assert_eq!(ids(&serde_json::from_slice(&given).unwrap()), tokens(b"word\nA"));
}

/// llama.cpp's protocol, recomputed from the scores of every position.
#[test]
fn perplexity_follows_the_protocol() {
    let path = model("llama");
    let text = "It was the best of times, it was the worst of times, it was the age of wisdom. ";
    let text = TemporaryFile::new("text.txt", text.repeat(3).as_bytes());
    const WINDOW: usize = 33;
    let window = WINDOW.to_string();
    let output = run(&["perplexity", &path, "-f", text.path(), "-c", &window]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = String::from_utf8(output.stdout).unwrap();
    let last = output.lines().last().unwrap();
    let found: f64 = last.strip_prefix("PPL = ").unwrap().parse().unwrap();

    let given = std::fs::read_to_string(text.path()).unwrap();
    let tokens = stdout_of(&["tokenize", &path, "-p", &given]);
    let tokens = ids(&serde_json::from_slice(&tokens).unwrap());
    let (mut sum, mut count) = (0.0, 0);
    for chunk in tokens.chunks_exact(WINDOW) {
        let mut chunk = chunk.to_vec();
        chunk[0] = 1;
        let logits = floats(&stdout_of(&["logits", &path, "--tokens", &id_list(&chunk), "--all"]));
        let rows = logits.chunks_exact(logits.len() / WINDOW);
        // Positions WINDOW / 2 .. WINDOW - 1 predict the token after them.
        for (row, &next) in rows.zip(&chunk[1..]).skip(WINDOW / 2) {
            let total: f64 = row.iter().map(|&score| f64::from(score).exp()).sum();
            sum += total.ln() - f64::from(row[next as usize]);
            count += 1;
        }
    }
    assert!(tokens.len() / WINDOW >= 2 && count % (WINDOW - WINDOW / 2 - 1) == 0);
    let expected = (sum / count as f64).exp();
    assert!((found / expected - 1.0).abs() < 1e-4, "{found} {expected}");
}

#[test]
fn info_says_what_the_model_is() {
    let page = String::from_utf8(stdout_of(&["info", &model("llama"), "-c", "128"])).unwrap();
    for line in [
        "architecture:    llama",
        "name:            fixture-llama",
        "layers:          2",
        "heads:           8 of 16 (key/value: 2)",
        "vocabulary:      384",
        "context:         2048 (trained for)",
    ] {
        assert!(page.contains(&format!("{line}\n")), "{line:?} in\n{page}");
    }
    // 2 (output, embedding) * 384 * 128, and 2 layers of 128 * (128 + 32 + 32 + 128) attention,
    // 3 * 128 * 256 feed-forward and two norms, and the last norm.
    let parameters = 2 * 384 * 128 + 2 * (128 * 320 + 3 * 128 * 256 + 256) + 128;
    assert!(page.contains(&format!("parameters:      {parameters}\n")), "{page}");
    assert!(page.contains("  F32 ") && page.contains("memory for a context of 128"));
    assert!(page.contains("  kv cache ") && page.contains("  total "));
    // 2 layers, 2 key heads of 32 elements for each of 128 positions, keys and values: 1,024 blocks
    // of 64, 34 or 18 bytes.
    for (kv, bytes) in [("f16", "65.5 kB"), ("q8_0", "34.8 kB"), ("q4_0", "18.4 kB")] {
        let page = stdout_of(&["info", &model("llama3_rope"), "-c", "128", "--kv", kv]);
        let page = String::from_utf8(page).unwrap();
        let line = page.lines().find(|line| line.contains("kv cache")).unwrap();
        assert!(line.ends_with(bytes), "{kv}: {line}");
    }
}

#[test]
fn bench_reports_numbers_that_add_up() {
    let path = model("llama");
    let arguments = ["bench", &path, "-p", "20", "-n", "4", "-r", "2", "-j", "2", "--json"];
    let json: serde_json::Value = serde_json::from_slice(&stdout_of(&arguments)).unwrap();
    assert_eq!(json["model"], path.as_str());
    for (key, value) in [
        ("threads", 2),
        ("context", 20),
        ("prompt_tokens", 20),
        ("generated_tokens", 4),
        ("depth", 0),
        ("repetitions", 2),
    ] {
        assert_eq!(json[key], value, "{key}");
    }
    let number = |key: &str| json[key].as_f64().unwrap_or_else(|| panic!("{key}"));
    for key in ["prefill", "decode"] {
        let samples = json[format!("{key}_samples")].as_array().unwrap();
        assert_eq!(samples.len(), 2, "{key}");
        let sum: f64 = samples.iter().map(|sample| sample.as_f64().unwrap()).sum();
        let median = number(&format!("{key}_tokens_per_s"));
        assert!(median > 0.0 && (median - sum / 2.0).abs() < 1e-2 * median, "{key}");
    }
    assert!(number("start_to_first_token_s") > 0.0);
    let bytes_per_s = number("decode_tokens_per_s") * number("decode_bytes_per_token");
    assert!((number("decode_bytes_per_s") / bytes_per_s - 1.0).abs() < 1e-3);
    let share = number("decode_bytes_per_s") / number("readable_bytes_per_s");
    assert!((number("readable_share") - share).abs() <= 1e-3);
    let text = String::from_utf8(stdout_of(&arguments[..arguments.len() - 1])).unwrap();
    assert!(text.contains("\nprefill 20, tok/s ") && text.contains("\ndecode 4, tok/s "), "{text}");
}

/// The traffic of a token, counted by hand from the fixture's shape.
#[test]
fn bench_counts_the_bytes_that_a_token_reads() {
    let path = model("llama");
    let bytes_at = |depth: &str| {
        let arguments =
            ["bench", &path, "-p", "0", "-n", "2", "--depth", depth, "-r", "1", "--json"];
        let json: serde_json::Value = serde_json::from_slice(&stdout_of(&arguments)).unwrap();
        assert!(json["prefill_tokens_per_s"].is_null());
        json["decode_bytes_per_token"].as_f64().unwrap()
    };
    // All F32: output and one embedding row, two layers of attention and feed-forward with two
    // norms each, the last norm; 8 rotary frequencies of heads of 16.
    let values = 384 * 128 + 128 + 2 * (128 * 320 + 3 * 128 * 256 + 256) + 128 + 8;
    // A position has a key and a value of 2 heads of 16, f16, in 2 layers; tokens at positions 0
    // and 1 see 1 and 2 of them.
    let position = 2 * 2 * (16 + 16) * 2;
    assert_eq!(bytes_at("0"), f64::from(values * 4) + 1.5 * f64::from(position));
    assert_eq!(bytes_at("40"), f64::from(values * 4) + 41.5 * f64::from(position));
}

#[test]
fn bench_reads_the_file_alone() {
    let path = model("llama");
    let arguments = ["bench", &path, "--bandwidth", "-r", "3", "-j", "2", "--json"];
    let json: serde_json::Value = serde_json::from_slice(&stdout_of(&arguments)).unwrap();
    assert_eq!(json["file_bytes"], std::fs::metadata(&path).unwrap().len());
    let samples = json["readable_samples"].as_array().unwrap();
    let best = samples.iter().map(|sample| sample.as_f64().unwrap()).fold(0.0, f64::max);
    assert_eq!((samples.len(), json["readable_bytes_per_s"].as_f64()), (3, Some(best)));
}

#[test]
fn float_activations_change_little_and_something() {
    let path = fixtures().join("quant/Q4_0.gguf");
    let arguments = ["logits", path.to_str().unwrap(), "--tokens", "1,20,30,40"];
    let rounded = floats(&stdout_of(&arguments));
    let output = picolm(&arguments).env("PICOLM_ACTIVATIONS", "f32").output().unwrap();
    let exact = floats(&output.stdout);
    assert_eq!(rounded.len(), exact.len());
    let worst = rounded.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst > 0.0 && worst < 0.5, "{worst}");
}

/// Every command that runs the model leaves the same block out, and says so where asked.
#[test]
fn skipped_layers_are_left_out_by_every_command() {
    let path = model("llama");
    let text = fixtures().join("text/license.txt");
    let text = text.to_str().unwrap();
    let commands: [&[&str]; 3] = [
        &["logits", &path, "--tokens", "1,5,9"],
        &["perplexity", &path, "-f", text, "-c", "64", "--quiet"],
        &[&path, "-p", "Once", "-n", "8", "-t", "0", "--quiet"],
    ];
    for command in commands {
        let [whole, without_0, without_1] =
            [&[][..], &["--skip-layers", "0"], &["--skip-layers=1"]]
                .map(|skipping| stdout_of(&[command, skipping].concat()));
        assert!(whole != without_0 && whole != without_1 && without_0 != without_1, "{command:?}");
    }
    let info = |skipping: &[&str]| {
        String::from_utf8(stdout_of(&[&["info", &path, "-c", "64"], skipping].concat())).unwrap()
    };
    let (whole, without) = (info(&[]), info(&["--skip-layers", "1"]));
    assert!(whole.contains("\nread per token:  "), "{whole}");
    assert!(whole.contains("\nlayers:          2\n"), "{whole}");
    assert!(without.contains("\nlayers:          1 of 2 (without 1)\n"), "{without}");
    let bench = |skipping: &[&str]| {
        let arguments = ["bench", &path, "-p", "4", "-n", "4", "-r", "1", "--json"];
        let output = stdout_of(&[&arguments, skipping].concat());
        let result: serde_json::Value = serde_json::from_slice(&output).unwrap();
        (
            result["decode_bytes_per_token"].as_f64().unwrap(),
            result["memory_bytes"].as_u64().unwrap(),
        )
    };
    let (whole, without) = (bench(&[]), bench(&["--skip-layers", "0"]));
    assert!(without.0 < whole.0 && without.1 < whole.1, "{without:?} {whole:?}");
}
