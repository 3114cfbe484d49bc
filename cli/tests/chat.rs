//! Conversations and texts to stop at: `--chat`, `picolm chat`, `--stop`.

mod common;

use common::{error_line, model, run, run_with_input, stdout_of};

/// Prompts of a conversation with the small model, which has no template of its own.
const FORM: [&str; 5] = ["--chat-template", "chatml", "-t", "0", "--quiet"];

fn answer(path: &str, arguments: &[&str]) -> Vec<u8> {
    stdout_of(&[&[path][..], &FORM, &["-n", "12"], arguments].concat())
}

/// What `picolm chat` answers to the lines of `input`.
fn talk(path: &str, arguments: &[&str], input: &str) -> Vec<String> {
    let arguments = [&["chat", path][..], &FORM, &["-n", "12"], arguments].concat();
    let output = run_with_input(&arguments, input.as_bytes());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(String::from).collect()
}

#[test]
fn a_prompt_is_wrapped_as_the_template_says() {
    let path = model("llama");
    let wrapped = answer(&path, &["--system", "Be brief.", "-p", "Hello"]);
    let written = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n\
                   <|im_start|>assistant\n";
    let arguments = [&path, "-p", written, "-t", "0", "--quiet", "-n", "12"];
    assert_eq!(wrapped, stdout_of(&arguments));
    assert_ne!(wrapped, answer(&path, &["-p", "Hello"]));
}

#[test]
fn text_of_the_user_names_no_special_tokens() {
    let path = model("llama");
    let prompt_tokens = |arguments: &[&str]| -> usize {
        let output = run(&[&[&path, "-n", "0", "-p", "a</s>b"][..], arguments].concat());
        let errors = String::from_utf8(output.stderr).unwrap();
        let prefill = errors.strip_prefix("Prefill: ").unwrap();
        prefill.split(' ').next().unwrap().parse().unwrap()
    };
    let (plain, special) = (prompt_tokens(&["--chat-template", "inst"]), prompt_tokens(&[]));
    // `[INST]` and the rest are well below `</s>` spelled out and once more.
    assert!(plain > special + 3, "{plain} {special}");
}

#[test]
fn a_talk_goes_on_and_can_begin_anew() {
    let path = model("llama");
    let first = String::from_utf8_lossy(&answer(&path, &["-p", "Hello"])).into_owned();
    assert!(!first.contains('\n'), "the test's model writes one line: {first:?}");
    let lines = talk(&path, &[], "Hello\nHello\n/clear\nHello\n");
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!((&lines[0], &lines[2]), (&first, &first));
    assert_ne!(lines[1], first, "the second turn knows of the first");
    assert_eq!(talk(&path, &[], "Hello\n/quit\nHello\n"), [first]);
    assert!(talk(&path, &[], "\n  \n/help\n/nonsense\n/exit\n").is_empty());
    let told = talk(&path, &["--system", "Be brief."], "Hello\n/system\nHello\n");
    assert_eq!(talk(&path, &[], "/system Be brief.\nHello\n"), told[..1]);
    assert_eq!(talk(&path, &[], "Hello\n"), told[1..]);
}

#[test]
fn what_does_not_fit_in_the_context_is_said_and_the_talk_goes_on() {
    let path = model("llama");
    let long = "word ".repeat(200);
    let input = format!("Hello\n{long}\n/clear\nHello\n");
    let arguments = [&["chat", &path][..], &FORM, &["-n", "4", "-c", "100"]].concat();
    let output = run_with_input(&arguments, input.as_bytes());
    assert!(output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors.lines().filter(|line| line.contains("/clear forgets")).count(), 1);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn templates_that_are_not_there_are_errors() {
    let path = model("llama");
    let none = error_line(&run(&[&path, "--chat", "-p", "hi"]), 1);
    assert!(none.contains("no chat template") && none.contains("--chat-template"), "{none}");
    let unknown = error_line(&run(&[&path, "--chat-template", "nonsense", "-p", "hi"]), 2);
    assert!(unknown.contains("'nonsense'") && unknown.contains("llama3"), "{unknown}");
}

#[test]
fn stop_texts_end_the_text_and_are_not_in_it() {
    let path = model("llama");
    let text = |arguments: &[&str]| {
        stdout_of(&[&[&path, "-p", "Once", "-n", "40", "-t", "0", "--quiet"], arguments].concat())
    };
    let whole = text(&[]);
    assert!(whole.len() > 20);
    // Every part of the text, so that some begin and end inside tokens and some span several.
    for (begin, length) in [(3, 1), (5, 4), (7, 9), (11, 2), (13, 6)] {
        let stop = &whole[begin..begin + length];
        let Ok(stop_text) = core::str::from_utf8(stop) else { continue };
        let first = whole.windows(length).position(|part| part == stop).unwrap();
        let shown = text(&["--stop", "not in the text", "--stop", stop_text]);
        assert_eq!(shown, whole[..first], "{stop_text:?}");
    }
    assert_eq!(text(&["--stop", "not in the text"]), whole);
}

#[test]
fn guesses_from_earlier_text_change_no_text() {
    let path = model("llama");
    for seed in ["1", "2", "3"] {
        for temperature in ["0", "0.4"] {
            let arguments =
                [&path, "-p", "Once upon a", "-n", "80", "-t", temperature, "-s", seed, "--quiet"];
            let guessed = stdout_of(&[&arguments[..], &["--lookup"]].concat());
            assert_eq!(guessed, stdout_of(&arguments), "{seed} {temperature}");
        }
    }
    let output = run(&[&path, "-p", "Once", "-n", "60", "-t", "0", "--lookup"]);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.lines().any(|line| line.starts_with("Speculation: ")), "{errors}");
}

#[test]
fn guesses_of_another_model_change_no_text() {
    let path = model("llama");
    for seed in ["1", "2"] {
        let arguments =
            [&path, "-p", "Once upon a", "-n", "60", "-t", "0.5", "-s", seed, "--quiet"];
        let guessed = stdout_of(&[&arguments[..], &["--draft", &path]].concat());
        assert_eq!(guessed, stdout_of(&arguments), "{seed}");
    }
    let other = model("qwen2_yarn");
    let refused = error_line(&run(&[&path, "-p", "Once", "--draft", &other]), 1);
    assert!(refused.contains("vocabulary"), "{refused}");
    let missing = error_line(&run(&[&path, "-p", "Once", "--draft", "/nowhere.gguf"]), 1);
    assert!(missing.contains("/nowhere.gguf"), "{missing}");
}
