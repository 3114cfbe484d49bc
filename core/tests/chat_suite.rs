//! Conversations against llama.cpp's own cases: `tests/test-chat-template.cpp` has models' Jinja
//! programs, and the text that its table-driven templates make of one conversation for each.
//!
//! `PICOLM_LLAMA_CPP` names a checkout of llama.cpp; without it these tests fail.

use picolm_core::chat::{Chat, Message, Role, Thinking};
use std::path::PathBuf;

/// A case's fields by name, C's escapes replaced.
struct Case<'a> {
    name: String,
    text: &'a str,
}

fn suite(path: &str) -> PathBuf {
    let root = std::env::var_os("PICOLM_LLAMA_CPP")
        .expect("set PICOLM_LLAMA_CPP to a checkout of llama.cpp: its tests/ hold the cases");
    PathBuf::from(root).join(path)
}

fn read(path: &str) -> String {
    let path = suite(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The C string literal that `text` begins with, behind white space and `U8C(`.
fn literal(text: &str) -> String {
    let text = text.trim_start_matches("U8C(");
    let mut characters = text.strip_prefix('"').expect("a literal").chars();
    let mut value = String::new();
    loop {
        match characters.next().expect("the literal ends") {
            '"' => return value,
            '\\' => value.push(match characters.next().unwrap() {
                'n' => '\n',
                't' => '\t',
                other => other,
            }),
            other => value.push(other),
        }
    }
}

impl Case<'_> {
    fn field(&self, name: &str) -> String {
        let Some(at) = [format!("/* .{name}= */"), format!("/* .{name} */")]
            .iter()
            .find_map(|mark| self.text.find(mark).map(|at| at + mark.len()))
        else {
            return String::new();
        };
        let mut lines = self.text[at..].lines().map(str::trim_start);
        let line = lines.find(|line| !line.is_empty() && !line.starts_with("//"));
        literal(line.unwrap())
    }
}

fn cases(source: &str) -> Vec<Case<'_>> {
    let table = &source[source.find("std::vector<TestCase> test_cases").expect("a table")..];
    let table = &table[..table.find("\n    };").expect("the table ends")];
    let parts = table.split("/* .name= */ ").skip(1);
    parts.map(|text| Case { name: literal(text), text }).collect()
}

/// The conversation of llama.cpp's test.
const CONVERSATION: [(Role, &str); 6] = [
    (Role::System, "You are a helpful assistant"),
    (Role::User, "Hello"),
    (Role::Assistant, "Hi there"),
    (Role::User, "Who are you"),
    (Role::Assistant, "   I am an assistant   "),
    (Role::User, "Another question"),
];

fn rendered(chat: &Chat<'_>) -> String {
    let messages = CONVERSATION.map(|(role, text)| Message { role, text: text.as_bytes() });
    let mut bytes = Vec::new();
    chat.render(&messages, false, &mut |segment| bytes.extend_from_slice(segment.bytes));
    String::from_utf8(bytes).unwrap()
}

#[test]
fn conversations_are_what_llama_cpp_makes_of_them() {
    let source = read("tests/test-chat-template.cpp");
    let cases = cases(&source);
    assert!(cases.len() >= 36, "{} cases", cases.len());
    let mut found = Vec::new();
    for case in &cases {
        // Roles beyond those of a conversation are not ours.
        if case.name.contains("tool call") {
            continue;
        }
        let jinja = case.field("template_str");
        let Some(chat) = Chat::detect(jinja.as_bytes()) else { continue };
        let (bos, eos) = (case.field("bos_token"), case.field("eos_token"));
        let chat = chat.with_tokens(bos.as_bytes(), eos.as_bytes(), true);
        assert_eq!(rendered(&chat), case.field("expected_output"), "{} {}", case.name, chat.name());
        found.push(chat.name());
    }
    found.dedup();
    for name in [
        "chatml",
        "inst",
        "llama2-sys-bos",
        "llama2-sys-strip",
        "gemma",
        "deepseek",
        "llama3",
        "phi3",
        "deepseek2",
        "granite",
        "minicpm",
        "mistral-v1",
        "mistral-v3",
        "mistral-v3-tekken",
        "mistral-v7",
        "phi4",
    ] {
        assert!(found.contains(&name), "no case for {name}: {found:?}");
    }
}

#[test]
fn the_programs_of_models_are_recognised() {
    let qwen = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";
    let granite = "You are a helpful assistant. Please ensure responses are professional, \
                   accurate, \
                   and safe.";
    for (file, name, default_system) in [
        ("Qwen-Qwen2.5-7B-Instruct", "chatml", qwen),
        ("Qwen-Qwen3-0.6B", "qwen3", ""),
        ("Qwen3.5-4B", "qwen3.5", ""),
        ("openbmb-MiniCPM5-1B", "minicpm5", ""),
        ("LFM2.5-Instruct", "chatml", ""),
        ("NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", "chatml", ""),
        ("meta-llama-Llama-3.1-8B-Instruct", "llama3", ""),
        ("meta-llama-Llama-3.2-3B-Instruct", "llama3", ""),
        ("microsoft-Phi-3.5-mini-instruct", "phi3", ""),
        ("mistralai-Mistral-Nemo-Instruct-2407", "mistral-v3-tekken", ""),
        ("Mistral-Small-3.2-24B-Instruct-2506", "mistral-v7-tekken", ""),
        ("google-gemma-2-2b-it", "gemma", ""),
        ("google-gemma-4-31B-it", "gemma4-large", ""),
        ("google-gemma-4-31B-it-interleaved", "gemma4-large", ""),
        ("ibm-granite-granite-3.3-2B-Instruct", "granite", ""),
        ("ibm-granite-granite-4.0", "granite-4.0", granite),
        ("ibm-granite-granite-4.1", "granite", ""),
        ("deepseek-ai-DeepSeek-R1-Distill-Llama-8B", "deepseek-r1", ""),
        ("deepseek-ai-DeepSeek-R1-Distill-Qwen-32B", "deepseek-r1", ""),
    ] {
        let jinja = read(&format!("models/templates/{file}.jinja"));
        let chat = Chat::detect(jinja.as_bytes()).unwrap_or_else(|| panic!("{file}"));
        assert_eq!(chat.name(), name, "{file}");
        assert_eq!(chat.default_system(), default_system.as_bytes(), "{file}");
    }
    // The default of SmolLM 3 is the program's, word for word.
    let jinja = read("models/templates/HuggingFaceTB-SmolLM3-3B.jinja");
    let chat = Chat::detect(jinja.as_bytes()).unwrap();
    for thinking in [Thinking::On, Thinking::Off] {
        let chat = chat.with_thinking(thinking).unwrap();
        assert_eq!(chat.name(), "smollm3");
        let text = core::str::from_utf8(chat.default_system()).unwrap();
        assert!(jinja.contains(&format!("{{{{- \"{text}\\n\\n\" -}}}}")), "{text}");
    }
    // None of ours, whatever they share with them.
    for file in [
        "openai-gpt-oss-120b",
        "moonshotai-Kimi-K2",
        "GLM-4.6",
        "MiniMax-M2",
        "Apertus-8B-Instruct",
    ] {
        let jinja = read(&format!("models/templates/{file}.jinja"));
        assert_eq!(Chat::detect(jinja.as_bytes()), None, "{file}");
    }
}

/// The programs of TinyLlama-Chat and Zephyr end every message with the model's end token, which
/// llama.cpp's table does not know.
#[test]
fn zephyrs_messages_end_with_the_models_own_token() {
    let jinja = "{% for message in messages %}\n{% if message['role'] == 'user' %}\n\
                 {{ '<|user|>\\n' + message['content'] + eos_token }}\n\
                 {% elif message['role'] == 'assistant' %}\n\
                 {{ '<|assistant|>\\n'  + message['content'] + eos_token }}\n{% endif %}\n\
                 {% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n\
                 {% endfor %}";
    let chat = Chat::detect(jinja.as_bytes()).unwrap().with_tokens(b"<s>", b"</s>", true);
    assert_eq!(
        rendered(&chat),
        "<|system|>\nYou are a helpful assistant</s>\n<|user|>\nHello</s>\n<|assistant|>\n\
         Hi there</s>\n<|user|>\nWho are you</s>\n<|assistant|>\n   I am an assistant   </s>\n\
         <|user|>\nAnother question</s>\n<|assistant|>\n"
    );
}
