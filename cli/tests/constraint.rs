//! Constraints as users meet them: interrupted, with little memory, in a talk.

mod common;

use common::{TemporaryFile, error_line, model, picolm, run, run_with_input};
#[cfg(unix)]
use std::io::Read;

/// Writes under `grammar` until Ctrl-C, with `more` options: the exit code and the whole text.
#[cfg(unix)]
fn interrupted(grammar: &str, more: &[&str]) -> (Option<i32>, Vec<u8>) {
    let path = model("llama_linear");
    let grammar = TemporaryFile::new("interrupted.gbnf", grammar.as_bytes());
    let arguments = ["-p", "a", "-n", "8000", "-c", "8192", "-j", "1", "--grammar", grammar.path()];
    let mut child = picolm(&[&[path.as_str()], &arguments[..], more].concat()).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let mut text = vec![0];
    stdout.read_exact(&mut text).unwrap();
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    stdout.read_to_end(&mut text).unwrap();
    (child.wait().unwrap().code(), text)
}

/// Ctrl-C asks for an end: a text that can be completed soon is, though no sampler wants it.
#[cfg(unix)]
#[test]
fn an_interrupt_completes_the_text() {
    // Byte 1 is token 4, and no other token has it: left to itself the text goes on to the limit.
    let (code, text) = interrupted(r#"root ::= "<" [a-z]* "\x01""#, &["--logit-bias", "4-inf"]);
    assert_eq!(code, Some(0));
    let (last, before) = text.split_last().unwrap();
    assert_eq!((*last, before[0]), (1, b'<'));
    assert!(before[1..].iter().all(u8::is_ascii_lowercase));
    assert!(before.len() < 4000, "never interrupted: {}", before.len());
}

/// A text that cannot be completed soon is left as it is, and the exit code says so.
#[cfg(unix)]
#[test]
fn an_interrupt_leaves_a_long_text() {
    let (code, text) = interrupted(r#"root ::= "<" ([\x01-\x02]{9}){700,720} ">""#, &[]);
    assert_eq!(code, Some(130));
    assert!(!text.contains(&b'>'));
}

/// What a constraint takes is part of what is said of memory.
#[test]
fn its_memory_is_planned() {
    let path = model("llama");
    let planned = |more: &[&str]| {
        let output = run(&[&[path.as_str(), "-p", "a", "-n", "9"], more].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{errors}");
        let (_, rest) = errors.split_once("planned ").unwrap();
        let number = rest.split(' ').next().unwrap().parse::<f64>().unwrap();
        (number, errors.contains("Constraint: "))
    };
    let (without, none) = planned(&[]);
    let (with, some) = planned(&["--json"]);
    assert!((none, some) == (false, true) && with > without, "{with} {without}");
    let info = run(&["info", &path]).stdout;
    assert!(String::from_utf8(info).unwrap().contains("a constraint"));
}

/// A line of a talk is part of what memory is for.
#[test]
fn a_line_of_a_talk_has_a_limit() {
    let path = model("llama");
    let arguments = ["chat", &path, "--chat-template", "chatml", "--ram", "64M", "--quiet"];
    let line = vec![b'a'; 8 << 20];
    let output = run_with_input_that_may_break(&arguments, &line);
    assert!(error_line(&output, 1).contains("a line is longer than"));
    let output = run_with_input(&arguments, b"/quit\n");
    assert!(output.status.success());
}

/// The program may end before it has read all of its input.
fn run_with_input_that_may_break(arguments: &[&str], input: &[u8]) -> std::process::Output {
    let file = TemporaryFile::new("line.txt", input);
    let stdin = std::fs::File::open(file.path()).unwrap();
    picolm(arguments).stdin(stdin).output().unwrap()
}
