//! Every family's form on three conversations: system and user; user alone; user, answer, user.
//!
//! Where a text is from is said by a mark: (J) the family's Jinja program, run by Jinja2 with
//! `add_generation_prompt` where llama.cpp has it in `models/templates` under the name given, read
//! where not; (L) llama.cpp's table in `src/llama-chat.cpp`, read, where the program refuses a
//! system message or is not at hand.

use picolm_core::chat::{Chat, Message, Role, Thinking};

const SYSTEM: (Role, &str) = (Role::System, "Be brief.");
const USER: (Role, &str) = (Role::User, "Hello");
const ANSWER: (Role, &str) = (Role::Assistant, "Hi there");
const USER_AGAIN: (Role, &str) = (Role::User, "Bye");

fn rendered(chat: &Chat<'_>, messages: &[(Role, &str)]) -> String {
    let messages: Vec<Message<'_>> =
        messages.iter().map(|&(role, text)| Message { role, text: text.as_bytes() }).collect();
    let mut bytes = Vec::new();
    chat.render(&messages, false, &mut |segment| bytes.extend_from_slice(segment.bytes));
    String::from_utf8(bytes).unwrap()
}

/// A form after a tokenizer that adds `<s>` by itself.
fn form(name: &str) -> Chat<'static> {
    Chat::named(name).unwrap().with_tokens(b"<s>", b"</s>", true)
}

fn check(chat: &Chat<'_>, expected: [&str; 3]) {
    let conversations: [&[(Role, &str)]; 3] =
        [&[SYSTEM, USER], &[USER], &[USER, ANSWER, USER_AGAIN]];
    for (conversation, text) in conversations.into_iter().zip(expected) {
        assert_eq!(rendered(chat, conversation), text, "{}", chat.name());
    }
}

/// ChatML's text of the three conversations, with `thought` at the end.
fn chatml(thought: &str) -> [String; 3] {
    let system = "<|im_start|>system\nBe brief.<|im_end|>\n";
    let begun = "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n";
    let on = "Hi there<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n";
    [
        format!("{system}{begun}{thought}"),
        format!("{begun}{thought}"),
        format!("{begun}{on}{thought}"),
    ]
}

/// (J) Qwen-Qwen3-0.6B, Qwen3.5-4B and openbmb-MiniCPM5-1B, with `enable_thinking` undefined, true
/// and false; (L) ChatML.
#[test]
fn chatml_and_thoughts() {
    const OPEN: &str = "<think>\n";
    const CLOSED: &str = "<think>\n\n</think>\n\n";
    check(&form("chatml"), chatml("").each_ref().map(String::as_str));
    for (name, thoughts) in [
        ("qwen3", ["", "", CLOSED]),
        ("qwen3.5", [OPEN, OPEN, CLOSED]),
        ("minicpm5", ["", OPEN, CLOSED]),
    ] {
        let modes = [Thinking::Unasked, Thinking::On, Thinking::Off];
        for (mode, thought) in modes.into_iter().zip(thoughts) {
            let chat = form(name).with_thinking(mode).unwrap();
            check(&chat, chatml(thought).each_ref().map(String::as_str));
        }
    }
}

/// (J) HuggingFaceTB-SmolLM3-3B.
#[test]
fn smollm_3_says_in_its_system_message_whether_to_think() {
    let head =
        "<|im_start|>system\n## Metadata\n\nKnowledge Cutoff Date: June 2025\nReasoning Mode: ";
    let told = "\n\n## Custom Instructions\n\n";
    let user = "\n\n<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n";
    let user_again = "<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n";
    let short = "You are a helpful AI assistant named SmolLM, trained by Hugging Face.";
    let long = String::from_utf8(form("smollm3").default_system().to_vec()).unwrap();
    assert!(long.starts_with(&format!("{short} Your role as an assistant involves thoroughly ")));
    assert!(long.ends_with(" detail necessary steps needed to reach the conclusion."));
    for (mode, flag, default, thought) in [
        (Thinking::Unasked, "/think", long.as_str(), ""),
        (Thinking::On, "/think", long.as_str(), ""),
        (Thinking::Off, "/no_think", short, "<think>\n\n</think>\n"),
    ] {
        let chat = form("smollm3").with_thinking(mode).unwrap();
        let begun = |system: &str| format!("{head}{flag}{told}{system}{user}{thought}");
        let whole = format!("{}Hi there{user_again}{thought}", begun(default));
        check(&chat, [&begun("Be brief."), &begun(default), &whole]);
    }
    let trimmed = rendered(&form("smollm3"), &[(Role::System, " Be brief. \n"), USER]);
    assert!(trimmed.contains("\n\n Be brief.\n\n<|im_end|>"), "{trimmed}");
}

/// (J) ibm-granite-granite-4.1 and 4.0, which has a default system message; 3.3's has the date.
#[test]
fn granite() {
    let system =
        |text: &str| format!("<|start_of_role|>system<|end_of_role|>{text}<|end_of_text|>\n");
    let begun = "<|start_of_role|>user<|end_of_role|>Hello<|end_of_text|>\n\
                 <|start_of_role|>assistant<|end_of_role|>";
    let on = "Hi there<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>Bye<|end_of_text|>\n\
              <|start_of_role|>assistant<|end_of_role|>";
    let given = format!("{}{begun}", system("Be brief."));
    check(&form("granite"), [&given, begun, &format!("{begun}{on}")]);
    let default = system(
        "You are a helpful assistant. Please ensure responses are professional, accurate, and \
         safe.",
    );
    let whole = format!("{default}{begun}{on}");
    check(&form("granite-4.0"), [&given, &format!("{default}{begun}"), &whole]);
}

/// (J) google-gemma-2-2b-it; it refuses system messages, so that conversation is (L).
#[test]
fn gemma() {
    let begun = "<start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\n";
    let on = "Hi there<end_of_turn>\n<start_of_turn>user\nBye<end_of_turn>\n<start_of_turn>model\n";
    let given = "<start_of_turn>user\nBe brief.\n\nHello<end_of_turn>\n<start_of_turn>model\n";
    check(&form("gemma"), [given, begun, &format!("{begun}{on}")]);
}

/// (J) google-gemma-4-31B-it, with `enable_thinking` undefined, true and false. The program of
/// smaller ones is the same without the closed thoughts.
#[test]
fn gemma_4_is_asked_for_thoughts_by_a_system_message() {
    const CLOSED: &str = "<|channel>thought\n<channel|>";
    let user = "<|turn>user\nHello<turn|>\n<|turn>model\n";
    let on = "Hi there<turn|>\n<|turn>user\nBye<turn|>\n<|turn>model\n";
    for (mode, asks, closed) in [
        (Thinking::Unasked, "", CLOSED),
        (Thinking::On, "<|think|>\n", ""),
        (Thinking::Off, "", CLOSED),
    ] {
        let system = |text: &str| format!("<|turn>system\n{asks}{text}<turn|>\n");
        let unwritten = if mode == Thinking::On { system("") } else { String::new() };
        for (name, end) in [("gemma4", ""), ("gemma4-large", closed)] {
            let given = format!("{}{user}{end}", system("Be brief."));
            let begun = format!("{unwritten}{user}");
            let chat = form(name).with_thinking(mode).unwrap();
            check(&chat, [&given, &format!("{begun}{end}"), &format!("{begun}{on}{end}")]);
        }
    }
}

/// (J) microsoft-Phi-3.5-mini-instruct, and Phi-4-mini-instruct's `tokenizer_config.json`.
#[test]
fn phi() {
    for (name, line) in [("phi3", "\n"), ("phi4-mini", "")] {
        let turn = |role: &str, text: &str| format!("<|{role}|>{line}{text}<|end|>{line}");
        let prompt = format!("<|assistant|>{line}");
        let begun = format!("{}{prompt}", turn("user", "Hello"));
        let on = format!("Hi there<|end|>{line}{}{prompt}", turn("user", "Bye"));
        let given = format!("{}{begun}", turn("system", "Be brief."));
        check(&form(name), [&given, &begun, &format!("{begun}{on}")]);
    }
}

/// (J) Mistral-Small-3.2-24B-Instruct-2506, without its default system message, which has the date.
#[test]
fn mistral_v7_tekken() {
    let begun = "[INST]Hello[/INST]";
    let given = format!("[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT]{begun}");
    let whole = format!("{begun}Hi there</s>[INST]Bye[/INST]");
    check(&form("mistral-v7-tekken"), [&given, begun, &whole]);
}

/// (J) the `tokenizer_config.json` of LGAI-EXAONE/EXAONE-3.5-2.4B-Instruct, and the
/// `chat_template.jinja` of LGAI-EXAONE/EXAONE-4.0-1.2B with `enable_thinking` undefined, true and
/// false.
#[test]
fn exaone() {
    let begun = "[|user|]Hello\n[|assistant|]";
    let given = format!("[|system|]Be brief.[|endofturn|]\n{begun}");
    let alone = format!("[|system|][|endofturn|]\n{begun}");
    let whole = format!("{alone}Hi there[|endofturn|]\n[|user|]Bye\n[|assistant|]");
    check(&form("exaone3"), [&given, &alone, &whole]);

    const CLOSED: &str = "<think>\n\n</think>\n\n";
    for (mode, thought) in
        [(Thinking::Unasked, CLOSED), (Thinking::On, "<think>\n"), (Thinking::Off, CLOSED)]
    {
        let user = "[|user|]\nHello[|endofturn|]\n[|assistant|]\n";
        let given = format!("[|system|]\nBe brief.[|endofturn|]\n{user}{thought}");
        let whole = format!(
            "{user}{CLOSED}Hi there[|endofturn|]\n[|user|]\nBye[|endofturn|]\n[|assistant|]\n\
             {thought}"
        );
        let chat = form("exaone4").with_thinking(mode).unwrap();
        check(&chat, [&given, &format!("{user}{thought}"), &whole]);
    }
}

/// (J) the default program of ERNIE 4.5's tokenizer in transformers.
#[test]
fn ernie_4_5() {
    let begun = "User: Hello\nAssistant: ";
    let given = format!("<|begin_of_sentence|>Be brief.\n{begun}");
    let alone = format!("<|begin_of_sentence|>{begun}");
    let whole = format!("{alone}Hi there<|end_of_sentence|>User: Bye\nAssistant: ");
    check(&form("ernie4_5"), [&given, &alone, &whole]);
}

/// (L), but for `<｜hy_Assistant｜>`, which stands once before each answer as in tencent's program,
/// and for thoughts, which are the program's.
#[test]
fn hunyuan_dense() {
    for (mode, thought) in
        [(Thinking::Unasked, ""), (Thinking::On, ""), (Thinking::Off, "<think>\n\n</think>\n")]
    {
        let begun = "<｜hy_User｜>Hello<｜hy_Assistant｜>";
        let given = format!("Be brief.<｜hy_place▁holder▁no▁3｜>{begun}{thought}");
        let whole = format!(
            "{begun}Hi there<｜hy_place▁holder▁no▁2｜><｜hy_User｜>Bye<｜hy_Assistant｜>{thought}"
        );
        let chat = form("hunyuan-dense").with_thinking(mode).unwrap();
        check(&chat, [&given, &format!("{begun}{thought}"), &whole]);
    }
}

/// (L).
#[test]
fn minicpm() {
    let begun = "<用户>Hello<AI>";
    let whole = format!("{begun}Hi there<用户>Bye<AI>");
    check(&form("minicpm"), [&format!("Be brief.{begun}"), begun, &whole]);
}

/// (J) allenai/OLMo-2-0425-1B-Instruct's form, as its `tokenizer_config.json` describes it: only
/// answers end with the token that ends texts.
#[test]
fn olmo_2() {
    let begun = "<|user|>\nHello\n<|assistant|>\n";
    let whole = format!("{begun}Hi there</s>\n<|user|>\nBye\n<|assistant|>\n");
    check(&form("olmo2"), [&format!("<|system|>\nBe brief.\n{begun}"), begun, &whole]);
}

/// (J) stabilityai/stablelm-2-zephyr-1_6b: every message ends with that token. llama.cpp writes
/// `<|endoftext|>`, which is StableLM's.
#[test]
fn stablelm() {
    let begun = "<|user|>\nHello</s>\n<|assistant|>\n";
    let whole = format!("{begun}Hi there</s>\n<|user|>\nBye</s>\n<|assistant|>\n");
    check(&form("stablelm"), [&format!("<|system|>\nBe brief.</s>\n{begun}"), begun, &whole]);
}

/// (J) microsoft/bitnet-b1.58-2B-4T's `tokenizer_config.json`.
#[test]
fn bitnet() {
    let begun = "User: Hello<|eot_id|>Assistant: ";
    let whole = format!("{begun}Hi there<|eot_id|>User: Bye<|eot_id|>Assistant: ");
    check(&form("bitnet"), [&format!("System: Be brief.<|eot_id|>{begun}"), begun, &whole]);
}

#[test]
fn forms_without_a_switch_say_so() {
    for name in ["chatml", "llama3", "gemma", "granite", "phi3", "deepseek-r1"] {
        assert!(form(name).with_thinking(Thinking::Off).is_none(), "{name}");
        assert!(form(name).with_thinking(Thinking::On).is_none(), "{name}");
        assert_eq!(form(name).with_thinking(Thinking::Unasked), Some(form(name)));
    }
}

/// The marks of each program, in as much of it as they need.
#[test]
fn programs_are_found_by_their_marks() {
    for (program, name) in [
        (
            "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}<|assistant|>",
            "phi4-mini",
        ),
        ("{{ '<|user|>\\n' + message['content'] + '\\n' }}{{ '<|assistant|>\\n' + x }}", "olmo2"),
        ("{{ '[|system|][|endofturn|]\\n' }}{{ '[|assistant|]' }}", "exaone3"),
        (
            "{'assistant': '[|assistant|]\\n', 'tool': '[|tool|]\\n'}{{ '[|endofturn|]\\n' }}",
            "exaone4",
        ),
        (
            "{{ bos_token }}{{ '<｜hy_User｜>' + message['content'] + '<｜hy_Assistant｜>' }}\
             {{ '<｜hy_place▁holder▁no▁3｜>' }}",
            "hunyuan-dense",
        ),
        ("{{'<用户>' + message['content'].strip() + '<AI>'}}", "minicpm"),
        (
            "{%- set cls_token = \"<|begin_of_sentence|>\" -%}{{- \"User: \" + message }}\
             {{- \"Assistant: \" -}}",
            "ernie4_5",
        ),
        (
            "{% set content = message['role'] | capitalize + ': '+ message['content'] | trim + \
             '<|eot_id|>' %}",
            "bitnet",
        ),
    ] {
        assert_eq!(Chat::detect(program.as_bytes()).map(|chat| chat.name()), Some(name));
    }
    // Answers of EXAONE Deep begin with thoughts.
    assert_eq!(Chat::detect(b"[|endofturn|][|assistant|]<thought>"), None);
}

/// The token that begins texts is there once: from the tokenizer, or from a program that writes it.
#[test]
fn bos_is_written_once_where_the_program_writes_it() {
    let llama_3 = b"{{ bos_token }}<|start_header_id|><|end_header_id|>";
    let plain = b"<|start_header_id|><|end_header_id|>";
    let begins = |program: &'static [u8], bos: &'static [u8], is_added: bool| {
        let chat = Chat::detect(program).unwrap().with_tokens(bos, b"", is_added);
        let text = rendered(&chat, &[USER]);
        text.split("Hello").next().unwrap().to_owned()
    };
    let user = "<|start_header_id|>user<|end_header_id|>\n\n";
    assert_eq!(begins(llama_3, b"<s>", false), format!("<s>{user}"));
    assert_eq!(begins(llama_3, b"<s>", true), user);
    assert_eq!(begins(plain, b"<s>", false), user);
    assert_eq!(begins(llama_3, b"", false), user);
    // SmolLM's texts begin with what begins every turn.
    let smollm = b"{{ bos_token }}<|im_start|>";
    assert_eq!(begins(smollm, b"<|im_start|>", false), "<|im_start|>user\n");
    assert_eq!(begins(smollm, b"<|im_start|>", true), "user\n");

    // In front of a system message that nothing stands before; and only where a text begins.
    let chat = Chat::named("hunyuan-dense").unwrap().with_tokens(b"<s>", b"", false);
    assert!(rendered(&chat, &[SYSTEM, USER]).starts_with("<s>Be brief."));
    let message = Message { role: Role::User, text: b"<s>" };
    let mut first = None;
    chat.render(&[message], true, &mut |segment| _ = first.get_or_insert(segment));
    assert_eq!(first.unwrap().bytes, "<｜hy_place▁holder▁no▁2｜>".as_bytes());
    // A message that names the token is text.
    let chat = Chat::named("minicpm").unwrap().with_tokens(b"<s>", b"", true);
    assert_eq!(rendered(&chat, &[(Role::System, "<s>"), USER]), "<s><用户>Hello<AI>");
}
