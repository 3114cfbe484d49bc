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
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("a line has no answer"), "{errors}");
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

/// Thoughts are a template's matter: one that knows none says so.
#[test]
fn thoughts_are_asked_for_where_the_template_has_a_switch() {
    let path = model("llama");
    let refused = error_line(&run(&[&path, "--think", "off", "-p", "hi"]), 1);
    assert!(refused.contains("no chat template"), "{refused}");
    let refused = run(&[&path, "--chat-template", "chatml", "--think", "off", "-p", "hi"]);
    let refused = error_line(&refused, 2);
    assert!(refused.contains("--think: the chat template chatml has no switch"), "{refused}");
    let ask = |thinks: &str, text: &str| {
        let form = ["-t", "0", "--quiet", "-n", "12", "-p", text];
        let template = ["--chat-template", "qwen3", "--think", thinks];
        match thinks {
            "" => stdout_of(&[&[&path[..]], &form[..]].concat()),
            _ => stdout_of(&[&[&path[..]], &template[..], &form].concat()),
        }
    };
    let written = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(ask("on", "Hello"), ask("", written));
    assert_eq!(ask("off", "Hello"), ask("", &format!("{written}<think>\n\n</think>\n\n")));
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

/// Tokens drafted and accepted, as the statistics say.
fn accepted(arguments: &[&str]) -> u32 {
    let output = run(arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    let line = errors.lines().find_map(|line| line.strip_prefix("Speculation: ")).unwrap();
    line.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn guesses_come_with_a_cached_prompt_as_without() {
    let path = model("llama");
    let folder = std::env::temp_dir().join(format!("picolm-{}-guesses", std::process::id()));
    let cache = folder.to_str().unwrap();
    let prompt = "one two three four five six. ".repeat(4);
    let arguments = [&path, "-p", &prompt, "-n", "24", "-t", "0", "--draft", &path];
    let plain = accepted(&arguments);
    assert!(plain > 2, "{plain}");
    let cached = [&arguments[..], &["--cache", cache]].concat();
    let (written, read) = (accepted(&cached), accepted(&cached));
    std::fs::remove_file(&folder).unwrap();
    // How many are tried goes by time; that a model knows itself does not.
    assert!(written > 2 && read > 2, "{plain} {written} {read}");
}

#[test]
fn a_talk_that_is_to_shift_goes_on_when_it_is_full() {
    let path = model("llama");
    let input = "Tell me of it.\n".repeat(6);
    let arguments = [&["chat", &path][..], &FORM, &["-n", "12", "-c", "96"]].concat();
    let full = run_with_input(&arguments, input.as_bytes());
    assert!(String::from_utf8_lossy(&full.stderr).contains("/clear forgets"));
    for how in [&["--shift"][..], &["--shift=fast"]] {
        let output = run_with_input(&[&arguments[..], how].concat(), input.as_bytes());
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && errors.is_empty(), "{how:?}: {errors}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 6, "{how:?}");
    }
}

#[test]
fn a_constraint_that_has_no_room_left_does_not_end_the_talk() {
    let path = model("llama");
    for context in 55..90 {
        let context = context.to_string();
        let options = ["--json", "-n", "20", "-c", &context];
        let arguments = [&["chat", &path][..], &FORM, &options].concat();
        let output = run_with_input(&arguments, b"hi\nhello\nhello\n/clear\nhi\n");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let answers = text.lines().count();
        assert!(answers >= 2, "{context}: {output:?}");
        // Four lines ask for an answer.
        let code = i32::from(answers < 4);
        assert_eq!(output.status.code(), Some(code), "{context}: {output:?}");
        for line in text.lines() {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
    let arguments = [&["chat", &path][..], &FORM, &["--json", "-n", "1"]].concat();
    let refused = error_line(&run_with_input(&arguments, b"hi\n"), 1);
    assert!(refused.contains("-n allows 1"), "{refused}");
}

/// The token that an answer was cut short after is heard of once, not when it is read again.
#[test]
fn penalties_count_each_token_of_a_talk_once() {
    // Its tokens are words, tokenized as they were written but for the space before the first.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../targets/firmware/model/stories.gguf");
    for penalty in ["0.4", "0.8", "1.2"] {
        let options = ["-n", "5", "--frequency-penalty", penalty, "--repeat-last-n", "-1"];
        let arguments = [&["chat", path][..], &FORM, &options].concat();
        let said = run_with_input(&arguments, b"the\nthe\n").stdout;
        let said = String::from_utf8(said).unwrap();
        let (first, second) = said.trim_end().split_once('\n').unwrap();
        let turn = "<|im_start|>user\nthe<|im_end|>\n<|im_start|>assistant\n";
        let prompt = format!("{turn} {first}<|im_end|>\n{turn}");
        let arguments = [&[path, "-p", &prompt, "-t", "0", "--quiet"][..], &options].concat();
        assert_eq!(String::from_utf8(stdout_of(&arguments)).unwrap(), second, "{penalty}");
    }
}

/// What a stop text cut off is no part of the talk: it goes on as after the text that was shown.
#[test]
fn a_stop_text_leaves_no_trace_in_a_talk() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../targets/firmware/model/stories.gguf");
    let lines = |options: &[&str]| -> Vec<String> {
        let arguments = [&["chat", path][..], &FORM, options].concat();
        let output = run_with_input(&arguments, b"the\nthe\n");
        String::from_utf8(output.stdout).unwrap().lines().map(String::from).collect()
    };
    // Four words of the five, and as many tokens.
    let cut = lines(&["-n", "4"]);
    assert_eq!(lines(&["-n", "5"])[0].strip_prefix(&cut[0]).map(str::trim), Some("Rosa"));
    assert_eq!(lines(&["-n", "5", "--stop", " Rosa"]), cut);
}
