//! `picolm MODEL`: the text, the streams and the ways in which it ends.

mod common;

use common::{error_line, model, picolm, run, run_with_input, stdout_of};
use std::io::Write;
use std::process::Stdio;

const PROMPT: &str = "Once upon a time";

#[test]
fn only_generated_text_goes_to_stdout_and_statistics_to_stderr() {
    let path = model("llama");
    let output = run(&[&path, "-p", PROMPT, "-n", "20", "-t", "0"]);
    assert!(output.status.success());
    assert!(!output.stdout.is_empty());
    assert!(!output.stdout.starts_with(PROMPT.as_bytes()));
    let errors = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<_> = errors.lines().collect();
    assert_eq!(lines.len(), 3, "{errors}");
    for (line, name) in lines.iter().zip(["Prefill: ", "Generation: ", "Memory: "]) {
        assert!(line.starts_with(name), "{line}");
    }
    for line in &lines[..2] {
        assert!(line.contains(" tokens in ") && line.ends_with(" tok/s)"), "{line}");
    }
    let quiet = run(&[&path, "-p", PROMPT, "-n", "20", "-t", "0", "--quiet"]);
    assert_eq!((quiet.stdout, quiet.stderr.len()), (output.stdout, 0));
}

#[test]
fn the_prompt_comes_from_stdin_as_from_the_argument() {
    let path = model("llama");
    let given = stdout_of(&[&path, "-p", "Once upon\n", "-n", "20", "--quiet"]);
    let typed = run_with_input(&[&path, "-n", "20", "--quiet"], b"Once upon\n");
    assert_eq!(given, typed.stdout);
    let escaped = stdout_of(&[&path, "-e", "-p", r"Once upon\n", "-n", "20", "--quiet"]);
    assert_eq!(given, escaped);
    let other = stdout_of(&[&path, "-p", "Once upon", "-n", "20", "--quiet", "-t", "0"]);
    let newline = stdout_of(&[&path, "-p", "Once upon\n", "-n", "20", "--quiet", "-t", "0"]);
    assert_ne!(other, newline, "the final newline counts");
}

#[test]
fn a_seed_fixes_the_text() {
    let path = model("llama");
    let text = |arguments: &[&str]| {
        stdout_of(&[&[&path, "-p", PROMPT, "-n", "40", "-t", "2"], arguments].concat())
    };
    let default = text(&[]);
    assert_eq!(default, text(&["-s", "42"]), "the default seed is PicoLM's");
    assert_eq!(default, text(&["-j", "1"]));
    assert_eq!(default, text(&["-j", "3"]));
    assert_ne!(default, text(&["-s", "43"]));
    assert_eq!(text(&["-t", "0", "-s", "1"]), text(&["-t", "0", "-s", "2", "-k", "0.1"]));
}

fn generated_tokens(errors: &[u8]) -> usize {
    let errors = String::from_utf8_lossy(errors);
    let line = errors.lines().find_map(|line| line.strip_prefix("Generation: ")).unwrap();
    line.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn n_is_the_most_tokens() {
    let path = model("llama");
    let mut longest = Vec::new();
    for count in [0, 1, 5, 12] {
        let count_text = count.to_string();
        let output = run(&[&path, "-p", PROMPT, "-t", "0", "-n", &count_text]);
        assert!(output.status.success());
        assert!(output.stdout.starts_with(&longest), "a longer text begins as the shorter one");
        let expected = generated_tokens(&output.stderr);
        assert!(expected == count || count == 12 && expected < count);
        longest = output.stdout;
    }
    let nothing = run(&[&path, "-p", PROMPT, "-n", "0"]);
    assert!(nothing.stdout.is_empty());
}

#[test]
fn a_full_context_ends_the_text_and_is_said() {
    let path = model("llama");
    let output = run(&[&path, "-p", PROMPT, "-t", "0", "-c", "24", "-n", "100", "--quiet"]);
    assert!(output.status.success());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(errors.lines().count(), 1);
    assert!(errors.contains("context of 24 tokens is full"), "{errors}");
}

/// Linear RoPE scaling is what allows a context beyond the trained one.
#[test]
fn a_scaled_model_takes_a_longer_context() {
    let path = model("llama_linear");
    assert!(run(&[&path, "-p", PROMPT, "-n", "3", "-c", "5000"]).status.success());
}

#[test]
fn an_empty_prompt_is_said_where_there_is_nothing_to_begin_with() {
    // llama's vocabulary has a BOS, which is enough to begin with.
    assert!(run(&[&model("llama"), "-p", "", "-n", "3"]).status.success());
    let output = run_with_input(&[&model("qwen2_yarn")], b"");
    assert!(error_line(&output, 1).contains("the prompt is empty"));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let path = model("llama");
    let arguments = [path.as_str(), "-n", "200", "-t", "0", "--quiet"];
    let whole = run_with_input(&arguments, PROMPT.as_bytes());
    assert!(whole.stdout.len() > 10);
    let mut child = picolm(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    child.stdin.take().unwrap().write_all(PROMPT.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[cfg(unix)]
#[test]
fn a_full_disk_is_an_error() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        // Only Linux has a device that is always full.
        assert!(!std::path::Path::new("/dev/full").exists());
        return;
    };
    let path = model("llama");
    let output =
        picolm(&[&path, "-p", PROMPT, "-n", "5", "-t", "0"]).stdout(full).output().unwrap();
    assert!(error_line(&output, 1).contains("stdout"));
}

/// Ctrl-C ends the text, not the program: what was written is whole, the exit code the shell's.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_the_text() {
    let path = model("llama_linear");
    for _ in 0..10 {
        let arguments = [&path, "-p", PROMPT, "-n", "8000", "-c", "8192", "-t", "0", "-j", "1"];
        let mut child = picolm(&arguments).spawn().unwrap();
        let mut first = [0];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        // A fast machine may have finished before the signal came: then try again.
        match common::exit_code(child) {
            Some(130) => return,
            code => assert_eq!(code, Some(0)),
        }
    }
    panic!("never interrupted");
}

/// The model file shrinks while it is mapped: one line and exit code 1, not a signal.
#[cfg(unix)]
#[test]
fn a_file_that_shrinks_ends_the_program_cleanly() {
    let copy =
        common::TemporaryFile::new("shrinking.gguf", &std::fs::read(model("llama")).unwrap());
    let mut child = picolm(&[copy.path(), "-n", "5"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // More than a pipe holds (64 KiB): when it is written, the program is reading, and so has
    // mapped the file.
    stdin.write_all(&b"word ".repeat(40_000)).unwrap();
    std::fs::OpenOptions::new().write(true).open(copy.path()).unwrap().set_len(0).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(error_line(&output, 1).contains("it shrank"));
}

/// Whatever the budget and the seed: a random model's text is one whole JSON object or array.
#[test]
fn json_is_whole_with_any_budget() {
    for name in ["llama", "qwen2_yarn"] {
        let path = model(name);
        for seed in 0..24 {
            let seed_text = seed.to_string();
            let budget = if seed % 2 == 0 { 2 + seed % 9 } else { 120 }.to_string();
            let arguments = ["-p", PROMPT, "--json", "-n", &budget, "-s", &seed_text, "-t", "1.5"];
            let text = stdout_of(&[&[path.as_str(), "--quiet"], &arguments[..]].concat());
            let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
            assert!(value.is_object() || value.is_array());
            assert!(!text.starts_with(b" ") && !text.ends_with(b"\n"));
        }
    }
}

#[test]
fn a_budget_that_is_too_small_is_an_error_before_the_first_token() {
    let path = model("llama");
    let output = run(&[&path, "-p", PROMPT, "--json", "-n", "1"]);
    let error = error_line(&output, 1);
    assert!(error.contains("room for 2 tokens, and -n allows 1"), "{error}");
    // Where the prompt leaves one position, two tokens may follow; where it leaves none, one.
    let mut errors = (1..40).filter_map(|context| {
        let output = run(&[&path, "-p", PROMPT, "--json", "-c", &context.to_string(), "-n", "50"]);
        (!output.status.success()).then(|| error_line(&output, 1))
    });
    assert!(errors.next_back().unwrap().contains("and the context (-c) allows 1"));
}

/// A context that is full ends the text, but not before it is whole.
#[test]
fn json_is_whole_when_the_context_is_full() {
    let path = model("llama");
    let least = (16..40).find(|context| {
        run(&[&path, "-p", PROMPT, "--json", "-c", &context.to_string()]).status.success()
    });
    for context in least.unwrap()..least.unwrap() + 12 {
        let context = context.to_string();
        let text = stdout_of(&[&path, "-p", PROMPT, "--json", "-c", &context, "-n", "99"]);
        serde_json::from_slice::<serde_json::Value>(&text).unwrap();
    }
}

/// A grammar constrains; a wrong one is an error before the model is read, never no constraint.
#[test]
fn a_grammar_is_kept_or_refused() {
    let path = model("llama");
    let good = common::TemporaryFile::new("good.gbnf", b"root ::= (\"yes\" | \"no\") \"!\"{1,3}\n");
    let bad = common::TemporaryFile::new("bad.gbnf", b"root ::= a\na ::= \"x\" b\n");
    for seed in ["1", "2", "3", "4"] {
        let arguments = [&path, "-p", PROMPT, "--grammar", good.path(), "-s", seed, "--quiet"];
        let text = String::from_utf8(stdout_of(&arguments)).unwrap();
        let word = text.trim_end_matches('!');
        assert!(["yes", "no"].contains(&word) && (1..4).contains(&(text.len() - word.len())));
    }
    let error = error_line(&run(&["missing.gguf", "--grammar", bad.path()]), 1);
    assert!(error.contains("line 2: no such rule (at byte 21): 'b'"), "{error}");
}
