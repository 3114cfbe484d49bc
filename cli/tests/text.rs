//! Text into and out of the program and names of files, byte for byte, on every system.

mod common;

use common::{TemporaryFile, model, run_with_input, stdout_of};

/// Line ends and the character that once ended a text on DOS are part of the prompt.
#[test]
fn a_prompt_is_taken_as_it_is_from_stdin_and_as_an_argument() {
    let path = model("llama");
    let tokens = |text: &str| {
        let typed = run_with_input(&["tokenize", &path], text.as_bytes());
        assert!(typed.status.success(), "{}", String::from_utf8_lossy(&typed.stderr));
        assert_eq!(typed.stdout, stdout_of(&["tokenize", &path, "-p", text]), "{text:?}");
        serde_json::from_slice::<Vec<u32>>(&typed.stdout).unwrap()
    };
    let all = tokens("Grüße, 世界 🦀\r\nline\u{1a}and more \"quoted\" \\ \\\" end");
    assert!(all.len() > tokens("Grüße, 世界 🦀\r\nline").len() + 3);
    assert_ne!(tokens("a\r\nb"), tokens("a\nb"));
    // What is no UTF-8 is a byte's token: 3 more than the byte, in this vocabulary.
    let bytes = run_with_input(&["tokenize", &path], b"a\xff\x1a\0b");
    let ids: Vec<u32> = serde_json::from_slice(&bytes.stdout).unwrap();
    for byte in [0xff, 0x1a, 0] {
        assert!(ids.contains(&(3 + byte)), "{byte}: {ids:?}");
    }
}

#[test]
fn a_model_may_have_any_name() {
    let plain = model("llama");
    let copy = TemporaryFile::new("modèle 模型 🦀.gguf", &std::fs::read(&plain).unwrap());
    let text = |path| stdout_of(&[path, "-p", "Once", "-n", "8", "-t", "0", "--quiet"]);
    assert_eq!(text(copy.path()), text(&plain));
    let missing = common::run(&["нет такого.gguf", "-p", "Once"]);
    assert!(common::error_line(&missing, 1).contains("нет такого.gguf"));
}
