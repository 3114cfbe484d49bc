//! What is wrong is said in one line, with the right exit code, at once.

mod common;

use common::{TemporaryFile, error_line, model, picolm, run};

#[test]
fn help_and_version_are_answers() {
    let help = String::from_utf8(common::stdout_of(&["--help"])).unwrap();
    for word in
        ["-p", "-n", "-t", "-k", "-s", "-c", "-j", "--kv", "--quiet", "info", "tokenize", "bench"]
    {
        assert!(help.contains(word), "{word}");
    }
    assert!(help.contains("./info") && help.contains("PICOLM_CPU"));
    assert!(help.lines().all(|line| line.len() <= 100));
    let version = String::from_utf8(common::stdout_of(&["--version"])).unwrap();
    assert_eq!(version, concat!("picolm ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn wrong_usage_is_two() {
    for (arguments, says) in [
        (&[][..], "no model"),
        (&["m.gguf", "-n", "abc"], "-n: 'abc'"),
        (&["m.gguf", "-n", "-5"], "-n: '-5'"),
        (&["m.gguf", "-t", "nan"], "-t: 'nan'"),
        (&["m.gguf", "-k", "2"], "-k: '2'"),
        (&["m.gguf", "--kv", "q5_0"], "--kv: 'q5_0'"),
        (&["m.gguf", "--json", "--stop", "x"], "--stop: the constraint"),
        (&["m.gguf", "--cache", "f", "--cache-max", "big"], "--cache-max: 'big'"),
        (&["m.gguf", "--shift=slow"], "--shift: 'slow'"),
        (&["m.gguf", "--keep", "4"], "--shift"),
        (&["m.gguf", "--frobnicate"], "--frobnicate"),
        (&["logits", "m.gguf"], "--tokens"),
        (&["perplexity", "m.gguf"], "-f FILE"),
        (&["m.gguf", "--skip-layers", "2-1"], "--skip-layers: '2-1' goes backwards"),
        (&["tokenize", "m.gguf", "--skip-layers", "1"], "unknown option --skip-layers"),
    ] {
        let line = error_line(&run(arguments), 2);
        assert!(line.contains(says), "{line}");
    }
}

#[test]
fn what_is_no_model_is_one() {
    let garbage = TemporaryFile::new("garbage.gguf", &[b'x'; 1000]);
    let short = TemporaryFile::new("short.gguf", b"GGUF\x03\0\0\0");
    let empty = TemporaryFile::new("empty.gguf", b"");
    let folder = std::env::temp_dir();
    for (path, says) in [
        ("no/such/file.gguf", "no/such/file.gguf"),
        (folder.to_str().unwrap(), "is a directory"),
        (garbage.path(), "not a GGUF file"),
        (short.path(), "byte 8"),
        (empty.path(), "is empty"),
    ] {
        for arguments in [
            &[path, "-p", "x"][..],
            &["info", path],
            &["tokenize", path, "-p", "x"],
            &["logits", path, "--tokens", "1"],
            &["bench", path],
        ] {
            let line = error_line(&run(arguments), 1);
            assert!(line.contains(says), "{arguments:?}: {line}");
        }
    }
}

/// Before the model is looked for.
#[test]
fn what_a_schema_has_of_no_draft_is_said_once() {
    let schema = "{\"type\":\"string\",\"hint\":1,\"allOf\":[{\"hint\":2}],\"format\":\"slug\"}";
    let arguments = ["no/such/file.gguf", "-p", "x", "--schema", schema];
    let errors = String::from_utf8(run(&arguments).stderr).unwrap();
    let line = errors.lines().next().unwrap();
    assert_eq!(line, "picolm: --schema: ignored hint, format slug");
    let strict = [&arguments[..], &["--strict-schema"]].concat();
    let line = error_line(&run(&strict), 1);
    assert!(line.contains("this keyword is not supported") && line.contains("hint"), "{line}");
    let quiet = [&arguments[..], &["--quiet"]].concat();
    assert!(error_line(&run(&quiet), 1).contains("no/such/file.gguf"));
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_do_not_hang() {
    let path = std::env::temp_dir().join(format!("picolm-{}-model-fifo", std::process::id()));
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let start = std::time::Instant::now();
    let pipe = run(&[path.to_str().unwrap(), "-p", "x"]);
    let device = run(&["/dev/zero", "-p", "x"]);
    let elapsed = start.elapsed();
    std::fs::remove_file(&path).unwrap();
    assert!(error_line(&pipe, 1).contains("is a pipe"));
    assert!(error_line(&device, 1).contains("is a device"));
    assert!(elapsed < core::time::Duration::from_secs(20));
}

#[test]
fn a_models_limits_are_said() {
    let llama = model("llama");
    let line = error_line(&run(&[&llama, "-p", "x", "-c", "4096"]), 1);
    assert!(line.contains("4096") && line.contains("2048"), "{line}");
    let long = "word ".repeat(400);
    let line = error_line(&run(&[&llama, "-p", &long, "-c", "64"]), 1);
    assert!(line.contains("the context only 64") && line.contains("-c"), "{line}");
    let line = error_line(&run(&[&llama, "-p", "x", "--kv", "q8_0"]), 1);
    assert!(line.contains("multiple of 32 elements") && line.contains("have 16"), "{line}");
    let line = error_line(&run(&["logits", &llama, "--tokens", "1,384"]), 1);
    assert!(line.contains("384"), "{line}");
    let text = TemporaryFile::new("short.txt", b"too short");
    let line = error_line(&run(&["perplexity", &llama, "-f", text.path(), "-c", "32"]), 1);
    assert!(line.contains("two windows of 32"), "{line}");
}

#[test]
fn the_environment_is_checked_too() {
    let llama = model("llama");
    let arguments = ["logits", &llama, "--tokens", "1"];
    for (name, value) in [("PICOLM_CPU", "quantum"), ("PICOLM_ACTIVATIONS", "f8")] {
        let output = picolm(&arguments).env(name, value).output().unwrap();
        let line = error_line(&output, 2);
        assert!(line.contains(name) && line.contains(value), "{line}");
    }
    let plain = run(&arguments);
    let portable = picolm(&arguments).env("PICOLM_CPU", "portable").output().unwrap();
    assert!(plain.status.success());
    assert!(plain.stdout == portable.stdout, "the same bits on every instruction set");
}

/// A name from a file must not drive the terminal or break the line.
#[test]
fn control_characters_in_names_are_not_passed_on() {
    let line = error_line(&run(&["m.gguf", "--no\n\x1b[2Jsuch"]), 2);
    assert!(!line.contains('\x1b'), "{line}");
    let line = error_line(&run(&["no\n\x1b[2Jsuch", "-p", "x"]), 1);
    assert!(!line.contains('\x1b'), "{line}");
}

#[test]
fn layers_that_cannot_be_skipped_are_named() {
    let path = model("llama");
    for (list, says) in [("7", "layer 7 cannot be skipped"), ("0-1", "all layers are skipped")] {
        for arguments in [
            &[&path, "-p", "x"][..],
            &["logits", &path, "--tokens", "1"],
            &["bench", &path],
            &["perplexity", &path, "-f", &path],
        ] {
            let arguments = [arguments, &["--skip-layers", list]].concat();
            let line = error_line(&run(&arguments), 1);
            assert!(line.contains(says), "{arguments:?}: {line}");
        }
        let info = run(&["info", &path, "--skip-layers", list]);
        assert_eq!(info.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&info.stderr).contains(says));
    }
}
