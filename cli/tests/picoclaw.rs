//! The program as PicoClaw's `picolm` provider starts it (its pull request 499): arguments, prompt
//! on stdin, answer on stdout, one line on stderr where it fails.

mod common;

use common::{error_line, model, picolm, run_with_input, stdout_of};
use serde_json::Value;
use std::io::Write;
use std::process::{Output, Stdio};

/// A conversation in the provider's fixed template, with what it says of tools.
const PROMPT: &str = "<|system|>\nYou are picoclaw, a helpful assistant.\n\n\
    ## Available Tools\n\nYou can call a tool by answering with JSON alone: \
    {\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"read_file\",\
    \"arguments\":\"{\\\"path\\\":\\\"a\\\"}\"}}]}\n</s>\n\
    <|user|>\nWhat is in a?</s>\n<|assistant|>\n{\"tool_calls\":[]}</s>\n\
    <|user|>\n[Tool Result for call_1]: to be or not to be</s>\n<|assistant|>\n";

/// What the provider starts: the model first, then `-n`, `-j` and `-t`, and `--json` with tools.
fn ask(model: &str, more: &[&str], prompt: &str) -> Output {
    let arguments = [&[model, "-n", "256", "-j", "4", "-t", "0.7"], more].concat();
    run_with_input(&arguments, prompt.as_bytes())
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The model's weights are random: it writes bytes that are no text.
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_answer_and_nothing_else_is_on_stdout() {
    let path = model("llama");
    // A context that holds the prompt comes with the model, since the provider never says -c.
    let answer = text(&ask(&path, &[], "<|user|>\nHi</s>\n<|assistant|>\n"));
    assert!(!answer.contains("<|assistant|>") && !answer.contains("</s>"), "{answer}");
    let again = text(&ask(&path, &[], "<|user|>\nHi</s>\n<|assistant|>\n"));
    assert_eq!(answer, again);
}

#[test]
fn special_tokens_of_the_template_are_tokens() {
    let path = model("llama");
    let ids = |text: &str| -> Vec<u32> {
        serde_json::from_slice(&stdout_of(&["tokenize", &path, "-p", text])).unwrap()
    };
    let ends = ids(PROMPT).iter().filter(|&&token| token == 2).count();
    assert_eq!(ends, PROMPT.matches("</s>").count());
    // By stdin it is the same text.
    let by_argument = stdout_of(&[&path, "-n", "20", "-t", "0", "-p", PROMPT, "-c", "1024"]);
    let by_stdin = run_with_input(&[&path, "-n", "20", "-t", "0", "-c", "1024"], PROMPT.as_bytes());
    assert!(by_stdin.status.success());
    assert_eq!(by_stdin.stdout, by_argument);
}

/// The provider looks for `{"tool_calls"` without a space: objects must be written so.
#[test]
fn json_is_one_compact_object() {
    let path = model("llama");
    for seed in 0..8 {
        let seed = seed.to_string();
        let answer =
            text(&ask(&path, &["--json", "-s", &seed], "<|user|>\nHi</s>\n<|assistant|>\n"));
        let value: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"));
        assert!(value.is_object(), "{answer}");
        assert!(answer.starts_with("{\"") || answer.starts_with("{}"), "{answer}");
    }
    // A tool's call in that form, whatever the model.
    let schema = r#"{"type":"object","required":["tool_calls"],"additionalProperties":false,
        "properties":{"tool_calls":{"type":"array","minItems":1,"maxItems":2,"items":{
            "type":"object","required":["id","type","function"],"additionalProperties":false,
            "properties":{"id":{"type":"string","maxLength":9},"type":{"const":"function"},
            "function":{"type":"object","required":["name","arguments"],
                "additionalProperties":false,"properties":{
                    "name":{"enum":["read_file","exec"]},
                    "arguments":{"type":"string","maxLength":40}}}}}}}}"#;
    let answer = text(&ask(&path, &["--schema", schema], "<|user|>\nHi</s>\n<|assistant|>\n"));
    assert!(answer.starts_with("{\"tool_calls\""), "{answer}");
    let value: Value = serde_json::from_str(&answer).unwrap();
    assert!(value["tool_calls"][0]["function"]["arguments"].is_string());
}

/// The whole of stderr is what the user of PicoClaw sees.
#[test]
fn a_failure_is_one_short_line() {
    let missing = error_line(&ask("/nowhere/model.gguf", &[], PROMPT), 1);
    assert!(missing.contains("/nowhere/model.gguf") && missing.len() < 200, "{missing}");
    let long = "<|user|>\n".to_owned() + &"to be or not to be. ".repeat(2000) + "</s>\n";
    let full = error_line(&ask(&model("llama"), &[], &long), 1);
    assert!(full.contains("context") && full.len() < 200, "{full}");
}

/// A context that PicoClaw cancels kills the program: the next one starts as if nothing had been.
#[test]
fn one_that_was_killed_leaves_nothing() {
    let path = model("llama");
    let arguments = [&path, "-n", "100000", "-j", "4", "-t", "0.7"];
    let mut child = picolm(&arguments).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"<|user|>\nHi</s>\n<|assistant|>\n").unwrap();
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success());
    text(&ask(&path, &["--json"], "<|user|>\nHi</s>\n<|assistant|>\n"));
}
