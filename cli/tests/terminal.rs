//! `picolm chat` at a terminal: keys, what is drawn, signals, and what is left behind.
#![cfg(unix)]

mod common;
#[path = "common/pseudo_terminal.rs"]
mod pseudo_terminal;

use common::{model, picolm, stdout_of};
use core::time::Duration;
use pseudo_terminal::{BEGIN, END, Ending, Terminal, drawn, end, ignore, send};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

/// For an answer of a known length.
const SHORT: [&str; 2] = ["-n", "12"];

/// For one that does not end: no token ends it, and the context makes room for more.
const ENDLESS: [&str; 7] = ["-n", "1000000", "-c", "512", "--shift", "--logit-bias", "2-inf"];

/// What the model answers to `text`, as a terminal shows it.
fn answer(path: &str, text: &str) -> Vec<u8> {
    let form = ["--chat-template", "chatml", "-t", "0", "--quiet", "-p", text];
    shown(&stdout_of(&[&[path][..], &form, &SHORT].concat()))
}

/// `bytes` with the carriage returns that a terminal adds.
fn shown(bytes: &[u8]) -> Vec<u8> {
    let lines: Vec<_> = bytes.split(|&byte| byte == b'\n').collect();
    lines.join(&b"\r\n"[..])
}

/// Waits for the end of the line, and for nothing but `answer` up to the next.
fn expect_answer(terminal: &mut Terminal, answer: &[u8]) {
    terminal.wait_for(END);
    let expected = [answer, b"\r\n", BEGIN.as_bytes()].concat();
    let came = terminal.wait_for(BEGIN);
    assert_eq!(String::from_utf8_lossy(&came), String::from_utf8_lossy(&expected));
}

/// Ends the talk by Ctrl-D; the terminal is as it was before.
fn leave(mut terminal: Terminal) {
    terminal.press("\x04");
    terminal.wait_for(END);
    assert_eq!(terminal.end(), Ending::Code(0));
}

#[test]
fn lines_typed_ahead_are_answered_one_by_one() {
    let path = model("llama");
    let input = "Hello\nHello\n/clear\nHello\n";
    let arguments = ["chat", &path, "--chat-template", "chatml", "-t", "0", "--quiet"];
    let piped = common::run_with_input(&[&arguments[..], &SHORT].concat(), input.as_bytes());
    let answers: Vec<_> = piped.stdout.split(|&byte| byte == b'\n').collect();
    let [first, second, third, b""] = answers[..] else { panic!("{answers:?}") };
    assert_ne!(first, second);

    let mut terminal = Terminal::chat(&path, &SHORT);
    terminal.press("Hello\rHello\r/clear\rHello\r");
    for (line, answer) in [("Hello", first), ("Hello", second)] {
        terminal.wait_for(drawn(line, line.len()));
        expect_answer(&mut terminal, answer);
    }
    terminal.wait_for(drawn("/clear", 6));
    terminal.wait_for(drawn("Hello", 5));
    expect_answer(&mut terminal, third);
    terminal.wait_for(drawn("", 0));
    leave(terminal);
}

#[test]
fn lines_typed_during_an_answer_come_after_it() {
    let arguments = ["-n", "1000", "-c", "8192", "--logit-bias", "2-inf"];
    let mut terminal = Terminal::chat(&model("llama_linear"), &arguments);
    terminal.press("Hello\r");
    terminal.wait_for(END);
    terminal.press("/one\n/two\nunfin");
    terminal.wait_for(drawn("/one", 4));
    terminal.wait_for("no command /one");
    terminal.wait_for(drawn("/two", 4));
    terminal.wait_for("no command /two");
    terminal.wait_for(drawn("unfin", 5));
    terminal.expect_line("ished", "unfinished", 10);
    terminal.expect_line("\x03", "", 0);
    leave(terminal);
}

#[test]
fn pasted_text_is_text_whatever_is_in_it() {
    let path = model("llama");
    let mut terminal = Terminal::chat(&path, &SHORT);
    terminal.press("\x1b[200~one\r\n\ttwo\x03\x04\rthree\x1a\nfour");
    terminal.wait_for(drawn("one↵ two??↵three?↵four", 22));
    // The end of it comes in pieces.
    terminal.press("\x1b[20");
    terminal.press("1~");
    terminal.expect_line("!", "one↵ two??↵three?↵four!", 23);
    terminal.press("\r");
    expect_answer(&mut terminal, &answer(&path, "one\n\ttwo\x03\x04\nthree\x1a\nfour!"));
    leave(terminal);
}

#[test]
fn characters_take_the_columns_that_they_have() {
    let path = model("llama");
    let mut terminal = Terminal::chat(&path, &SHORT);
    terminal.expect_line("日本", "日本", 4);
    terminal.expect_line("\x7f", "日", 2);
    terminal.expect_line("e\u{301}é", "日e\u{301}é", 4);
    // ISO 8859-1, whose é begins a character of three bytes in UTF-8: Enter is none of them.
    terminal.press_bytes(b"!\xe9\r");
    terminal.wait_for(drawn("日e\u{301}é!", 5));
    expect_answer(&mut terminal, &answer(&path, "日e\u{301}é!"));
    leave(terminal);
}

#[test]
fn keys_edit_the_line_and_bring_back_earlier_ones() {
    let mut terminal = Terminal::chat(&model("llama"), &SHORT);
    for name in ["/one", "/two"] {
        terminal.press(&format!("{name}\r"));
        terminal.wait_for(format!("no command {name}: /help lists them"));
        terminal.wait_for(drawn("", 0));
    }
    terminal.expect_line("new", "new", 3);
    terminal.expect_line("\x1b[A", "/two", 4);
    terminal.expect_line("\x10", "/one", 4);
    terminal.expect_line("\x1b[A", "/one", 4);
    terminal.expect_line("\x1bOB", "/two", 4);
    // A sequence may come byte by byte, as over a serial line.
    for byte in "\x1b[B".chars() {
        terminal.press(&byte.to_string());
    }
    terminal.wait_for(drawn("new", 3));
    // Ctrl-D takes the character at the cursor: the line is not empty.
    terminal.press("\x01\x04\x05s\r");
    terminal.wait_for(drawn("ews", 3));
    terminal.wait_for(drawn("", 0));
    terminal.press("/help\r");
    let help = String::from_utf8(terminal.wait_for(drawn("", 0))).unwrap();
    assert!(help.contains("\n/clear ") && help.contains("Ctrl-C stops an answer"), "{help}");
    terminal.press("/quit\r");
    terminal.wait_for(END);
    assert_eq!(terminal.end(), Ending::Code(0));
}

#[test]
fn a_line_fits_whatever_width_the_terminal_gets() {
    let mut terminal = Terminal::chat(&model("llama"), &SHORT);
    terminal.expect_line("abcdefghijklmnopqrst", "abcdefghijklmnopqrst", 20);
    // Without a key.
    terminal.resize(10);
    terminal.wait_for(drawn("nopqrst", 7));
    terminal.resize(40);
    terminal.wait_for(drawn("abcdefghijklmnopqrst", 20));
    terminal.expect_line("\x15", "", 0);
    leave(terminal);
}

#[test]
fn ctrl_c_stops_an_answer_and_throws_a_line_away() {
    let mut terminal = Terminal::chat(&model("llama"), &ENDLESS);
    let settings = terminal.settings();
    for _ in 0..3 {
        terminal.press("Hello\r");
        terminal.wait_for(END);
        terminal.wait_for(" ");
        terminal.press("\x03");
        terminal.wait_for(drawn("", 0));
        terminal.expect_line("abc", "abc", 3);
        terminal.press("\x03");
        terminal.wait_for(END);
        terminal.wait_for(drawn("", 0));
    }
    // From elsewhere it is the same.
    terminal.expect_line("abc", "abc", 3);
    terminal.signal(libc::SIGINT);
    terminal.wait_for([END, BEGIN, &drawn("", 0)].concat());
    assert_eq!(terminal.settings(), settings);
    leave(terminal);
}

#[test]
fn ctrl_c_stops_the_reading_of_a_prompt() {
    let path = model("llama_linear");
    // Some seconds of reading, with a bar from the first batch on.
    let system = "word ".repeat(20_000);
    let mut command = picolm(&["chat", &path, "--chat-template", "chatml", "-t", "0"]);
    command.args(SHORT).args(["-c", "32768", "--system", &system]);
    let mut terminal = Terminal::run(command);
    terminal.wait_for(drawn("", 0));
    terminal.press("Hello\r");
    terminal.wait_for("prefill [");
    terminal.press("\x03");
    let rest = terminal.wait_for(drawn("", 0));
    assert!(!String::from_utf8_lossy(&rest).contains("stopped at"));
    // Nothing of that turn is left: what follows is the first.
    terminal.press("/system\rHello\r");
    terminal.wait_for([&b"\x1b[K"[..], &answer(&path, "Hello"), b"\r\n(stopped"].concat());
    terminal.wait_for(drawn("", 0));
    leave(terminal);
}

#[test]
fn signals_leave_the_terminal_as_it_was() {
    let path = model("llama");
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        // The settings from before: those that a program finds which does not change them.
        let mut plain = Terminal::run(picolm(&["--version"]));
        plain.end();
        let mut terminal = Terminal::chat(&path, &SHORT);
        assert_ne!(terminal.settings(), plain.settings());
        terminal.expect_line("abc", "abc", 3);
        // Stopped by what nobody sees come, and begun again.
        terminal.signal(libc::SIGSTOP);
        terminal.signal(libc::SIGCONT);
        terminal.wait_for([BEGIN, &drawn("abc", 3)].concat());
        terminal.signal(signal);
        terminal.wait_for(END);
        assert_eq!(terminal.end(), Ending::Signal(signal));
        assert_eq!(terminal.settings(), plain.settings());
    }
}

/// A shell, which has job control, runs the program, looks at the terminal when it is suspended,
/// and goes on with it.
#[test]
fn ctrl_z_suspends_and_the_line_is_there_afterwards() {
    let script = r#"
        before=$(stty -g)
        "$@"
        echo "code $?"
        [ "$(stty -g)" = "$before" ] && echo as before
        fg >/dev/null
        echo "ended $?"
    "#;
    let path = model("llama");
    let mut command = Command::new("sh");
    command.args(["-m", "-c", script, "sh", &common::program(), "chat", &path]);
    command.args(["--chat-template", "chatml", "--quiet"]);
    let mut terminal = Terminal::run(command);
    terminal.wait_for(drawn("", 0));
    terminal.expect_line("abc", "abc", 3);
    terminal.press("\x1a");
    terminal.wait_for(END);
    terminal.wait_for(format!("code {}\r\n", 128 + libc::SIGTSTP));
    terminal.wait_for("as before\r\n");
    terminal.wait_for([BEGIN, &drawn("abc", 3)].concat());
    terminal.expect_line("d", "abcd", 4);
    terminal.press("\x03\x04");
    terminal.wait_for("ended 0\r\n");
    assert_eq!(terminal.end(), Ending::Code(0));
}

#[test]
fn ctrl_c_ends_a_program_that_waits_for_input() {
    let path = model("llama");
    let mut child = picolm(&[&path, "-n", "5"]).stdin(Stdio::piped()).spawn().unwrap();
    // Half a text. When it is read cannot be seen; before that the signal does the same.
    child.stdin.as_mut().unwrap().write_all(b"Once").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    send(&child, libc::SIGINT);
    assert_eq!(end(&mut child), Ending::Signal(libc::SIGINT));

    let arguments = ["chat", &path, "--chat-template", "chatml", "-t", "0", "--quiet"];
    let mut command = picolm(&[&arguments[..], &SHORT].concat());
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(b"Hello\nHel").unwrap();
    // The model writes one line. Behind it the program waits for the rest of the second.
    let mut line = Vec::new();
    BufReader::new(child.stdout.take().unwrap()).read_until(b'\n', &mut line).unwrap();
    assert_eq!(shown(&line), [&answer(&path, "Hello")[..], b"\r\n"].concat());
    send(&child, libc::SIGINT);
    assert_eq!(end(&mut child), Ending::Signal(libc::SIGINT));
}

/// As a shell without job control starts what runs in the background.
#[test]
fn an_interrupt_that_the_parent_ignores_stays_ignored() {
    let arguments = ["-p", "Once", "-n", "1000", "-c", "2048", "-t", "0", "--logit-bias", "2-inf"];
    let mut command = picolm(&[&[model("llama").as_str()][..], &arguments].concat());
    ignore(&mut command, libc::SIGINT);
    let mut child = command.spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut [0]).unwrap();
    send(&child, libc::SIGINT);
    let mut rest = Vec::new();
    stdout.read_to_end(&mut rest).unwrap();
    assert_eq!(end(&mut child), Ending::Code(0));
}
