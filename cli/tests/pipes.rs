//! Streams, stacks and file systems as other programs leave them.
// Unsafe: makes pipes non-blocking.
#![cfg(unix)]
#![allow(unsafe_code)]

mod common;

use common::{TemporaryFile, error_line, model, picolm, run, run_with_input, stdout_of};
use core::time::Duration;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;

const LATE: Duration = Duration::from_millis(300);

/// A pipe `(read, write)`. One end does not block.
fn pipe(is_blocking: impl Fn(usize) -> bool) -> (File, File) {
    let mut ends = [0; 2];
    // SAFETY: the calls fill two descriptors, which are then owned, and set a flag.
    unsafe {
        assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0);
        for (index, end) in ends.iter().enumerate().filter(|(index, _)| !is_blocking(*index)) {
            let flags = libc::fcntl(*end, libc::F_GETFL);
            assert_eq!(libc::fcntl(*end, libc::F_SETFL, flags | libc::O_NONBLOCK), 0, "{index}");
        }
        (File::from_raw_fd(ends[0]), File::from_raw_fd(ends[1]))
    }
}

/// The output for `input` that comes late and in pieces, on a stdin that does not block.
fn run_late(arguments: &[&str], input: &[u8]) -> Output {
    let (read, mut write) = pipe(|end| end == 1);
    let child = picolm(arguments).stdin(Stdio::from(read)).spawn().unwrap();
    for piece in input.chunks(input.len().div_ceil(2)) {
        sleep(LATE);
        write.write_all(piece).unwrap();
    }
    drop(write);
    child.wait_with_output().unwrap()
}

#[test]
fn late_input_is_waited_for() {
    let path = model("llama");
    let chat = ["chat", &path, "--chat-template", "chatml", "-n", "4", "-t", "0", "--quiet"];
    for (arguments, input) in [
        (&[path.as_str(), "-n", "4", "-t", "0", "--quiet"][..], "Once upon a time"),
        (&["tokenize", &path], "Once upon a time"),
        (&chat, "Hello\nWho are you?\n"),
    ] {
        let late = run_late(arguments, input.as_bytes());
        let errors = String::from_utf8_lossy(&late.stderr);
        assert!(late.status.success(), "{arguments:?}: {errors}");
        assert_eq!(late.stdout, run_with_input(arguments, input.as_bytes()).stdout);
    }
}

#[test]
fn a_slow_reader_gets_everything() {
    let path = model("llama");
    let long = "Once upon a time there was a king. ".repeat(3000);
    let long = TemporaryFile::new("long.txt", long.as_bytes());
    let arguments = ["tokenize", &path];
    let expected = {
        let input = std::fs::read(long.path()).unwrap();
        run_with_input(&arguments, &input).stdout
    };
    assert!(expected.len() > 100_000);
    let (mut read, write) = pipe(|end| end == 0);
    // SAFETY: sets the pipe's size, a page being the least.
    unsafe { libc::fcntl(write.as_raw_fd(), 1031, 4096) };
    let stdin = File::open(long.path()).unwrap();
    let mut command = picolm(&arguments);
    let mut child = command.stdin(Stdio::from(stdin)).stdout(Stdio::from(write)).spawn().unwrap();
    // The parent's copy of the writing end.
    drop(command);
    let mut found = Vec::new();
    let mut piece = [0; 3000];
    sleep(LATE);
    loop {
        let count = read.read(&mut piece).unwrap();
        found.extend_from_slice(&piece[..count]);
        if count == 0 {
            break;
        }
        sleep(Duration::from_millis(1));
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(found, expected);
}

/// The output of a shell's command line about the program `$0`.
fn shell(line: &str, arguments: &[&str]) -> Output {
    let program = &common::program();
    let mut command = Command::new("sh");
    command.args(["-c", line, program]).args(arguments).stdin(Stdio::null());
    command.output().unwrap()
}

#[test]
fn a_closed_stdout_is_an_error() {
    let path = model("llama");
    let text = [path.as_str(), "-p", "Once", "-n", "4", "--quiet"];
    for arguments in [&text[..], &["--version"], &["info", &path]] {
        let closed = shell("exec \"$0\" \"$@\" >&-", arguments);
        let line = error_line(&closed, 1);
        assert!(line.contains("stdout"), "{line}");
        // To nobody on purpose.
        assert!(shell("exec \"$0\" \"$@\" >/dev/null", arguments).status.success());
        assert!(shell("exec \"$0\" \"$@\" 1<>/dev/null", arguments).status.success());
    }
}

#[test]
fn a_short_stack_is_enough() {
    let path = model("llama");
    let text = [path.as_str(), "-p", "Once", "-n", "8", "-t", "0", "--quiet"];
    let json = [&text[..], &["--json"]].concat();
    for arguments in [&text[..], &json, &["info", &path], &["tokenize", &path, "-p", "x"]] {
        let expected = stdout_of(arguments);
        for kib in [64, 96, 128] {
            let output = shell(&format!("ulimit -s {kib}; exec \"$0\" \"$@\""), arguments);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{kib} {arguments:?}: {errors}");
            assert_eq!(output.stdout, expected);
        }
    }
    let chat = ["chat", &path, "--chat-template", "chatml", "-n", "4", "--quiet"];
    let line = "ulimit -s 64; printf 'a\\nb\\n' | exec \"$0\" \"$@\"";
    let output = shell(line, &chat);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout.iter().filter(|&&byte| byte == b'\n').count() >= 2);
}

/// Editors of other systems begin a file with a byte order mark.
#[test]
fn byte_order_marks_are_no_text() {
    const MARK: &str = "\u{feff}";
    let path = model("llama");
    let text = [path.as_str(), "-p", "x", "-n", "40", "-t", "0", "--quiet"];
    for (option, source) in
        [("--grammar", "root ::= [a-z]{3,5}\n"), ("--schema", "{\"type\": \"integer\"}")]
    {
        let texts = ["", MARK].map(|mark| {
            let file = TemporaryFile::new("mark", format!("{mark}{source}").as_bytes());
            stdout_of(&[&text[..], &[option, file.path()]].concat())
        });
        assert!(!texts[0].is_empty());
        assert_eq!(texts[0], texts[1], "{option}");
    }
    let book = "Once upon a time there was a king. ".repeat(20);
    let scores = ["", MARK].map(|mark| {
        let file = TemporaryFile::new("book", format!("{mark}{book}").as_bytes());
        let arguments = ["perplexity", &path, "-f", file.path(), "-c", "64"];
        let output = run(&arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    });
    assert_eq!(scores[0], scores[1]);
    let chat = ["chat", &path, "--chat-template", "chatml", "-n", "8", "-t", "0", "--quiet"];
    let answers = ["", MARK]
        .map(|mark| run_with_input(&chat, format!("{mark}Hello\nHello\n").as_bytes()).stdout);
    assert_eq!(answers[0], answers[1]);
    // A prompt is a prompt, byte for byte.
    let tokens = |prompt: &str| stdout_of(&["tokenize", &path, "-p", prompt]);
    assert_ne!(tokens("x"), tokens(&format!("{MARK}x")));
    let piped = run_with_input(&["tokenize", &path], format!("{MARK}x").as_bytes());
    assert_eq!(piped.stdout, tokens(&format!("{MARK}x")));
}

/// A script whose line has no answer hears of it.
#[test]
fn piped_chats_answer_each_line_or_fail() {
    let path = model("llama");
    let chat = ["chat", &path, "--chat-template", "chatml", "-c", "96", "-n", "40", "--quiet"];
    let output = run_with_input(&chat, b"a\nb\nc\nd\ne\n");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("--shift") && errors.contains("-c"), "{errors}");
    let answers = output.stdout.iter().filter(|&&byte| byte == b'\n').count();
    assert!(answers > 0 && errors.contains("no answer"), "{errors}");
    let shifted = run_with_input(&[&chat[..], &["--shift"]].concat(), b"a\nb\nc\nd\ne\n");
    assert!(shifted.status.success(), "{}", String::from_utf8_lossy(&shifted.stderr));
}

/// Some file systems map nothing; what they hold can be read.
#[test]
fn files_that_cannot_be_mapped_are_read() {
    let path = model("llama");
    let text = [path.as_str(), "-p", "Once", "-n", "8", "-t", "0", "--quiet"];
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).status();
    if !works.is_ok_and(|status| status.success()) {
        eprintln!("strace is not there or not allowed: mmap is not made to fail");
        return;
    }
    let expected = stdout_of(&text);
    for (error, more) in [("ENODEV", &[][..]), ("EPERM", &["--ram", "1G"]), ("ENOMEM", &[])] {
        let output = Command::new("strace")
            .args(["-f", "-o", "/dev/null", "-P", &path])
            .args(["-e", &format!("inject=mmap,mmap2:error={error}")])
            .arg(common::program())
            .args(text)
            .args(more)
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{error}: {errors}");
        assert_eq!(output.stdout, expected, "{error}");
    }
}

/// Not a number of an error, but what to do.
#[test]
fn little_address_space_is_said_in_words() {
    let path = model("llama");
    let text = [path.as_str(), "-p", "Once", "-n", "4", "-c", "64", "-j", "1", "--quiet"];
    for kib in [20_000, 30_000, 60_000, 100_000] {
        let output = shell(&format!("ulimit -v {kib}; exec \"$0\" \"$@\""), &text);
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{kib}: {errors}");
            assert!(errors.contains("memory"), "{kib}: {errors}");
            assert!(!errors.contains("read error"), "{kib}: {errors}");
        }
    }
}
