//! Tools: spellings, what is said under a constraint, and reading back whatever comes.

use super::super::template::{ChatTemplate, Knows, messages};
use super::choice::Choice;
use super::*;
use serde_json::{Value, json};

const QWEN: &str = "{% for t in tools or [] %}{{ t|tojson }}{% endfor %}\
    {% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}\
    {% for c in m.tool_calls or [] %}<tool_call>\n{\"name\": \"{{ c.function.name }}\", \
    \"arguments\": {{ c.function.arguments|tojson }}}\n</tool_call>{% endfor %}{% endfor %}";
const LLAMA: &str = "{% for t in tools or [] %}{{ t|tojson }}{% endfor %}\
    {% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n\
    {% if m.tool_calls %}{{ '{\"name\": \"' + m.tool_calls[0].function.name + '\", ' }}\
    {{ '\"parameters\": ' }}{{ m.tool_calls[0].function.arguments|tojson }}}<|eot_id|>\
    {% else %}{{ m.content }}{% endif %}{% endfor %}";
const PLAIN: &str = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}";

fn spelling(source: &str) -> Spelling {
    Spelling::of(&ChatTemplate::new(source, "", "").unwrap())
}

fn two_tools() -> Vec<Value> {
    let tool = |name: &str| {
        let parameters = json!({"type": "object", "properties": {"x": {"type": "string"}}});
        json!({"type": "function", "function": {"name": name, "parameters": parameters}})
    };
    vec![tool("get"), tool("put \"it\"")]
}

fn tools(source: &str, choice: Option<Value>) -> Tools {
    Tools::new(&two_tools(), choice.as_ref(), None, spelling(source)).unwrap()
}

/// Events with neighbours of one kind joined, as they are whatever the pieces.
fn joined(events: Vec<Event>) -> Vec<Event> {
    let mut out: Vec<Event> = Vec::new();
    for event in events {
        match (out.last_mut(), &event) {
            (Some(Event::Content(own)), Event::Content(text))
            | (Some(Event::Reasoning(own)), Event::Reasoning(text))
            | (Some(Event::CallArguments { text: own, .. }), Event::CallArguments { text, .. }) => {
                own.push_str(text)
            }
            _ => out.push(event),
        }
    }
    out
}

/// What is read of a text that comes in pieces, and whether it ends inside of a call.
fn read<'p>(
    tools: &Tools,
    reasoning: Reasoning,
    pieces: impl IntoIterator<Item = &'p str>,
) -> (Vec<Event>, bool) {
    let mut turn = Turn::new(tools, reasoning, "id");
    let mut events = Vec::new();
    for piece in pieces {
        turn.push(piece);
        let _ = (turn.wants(), turn.begun());
        events.extend(turn.events());
    }
    let is_cut = turn.finish();
    events.extend(turn.events());
    (joined(events), is_cut)
}

fn content(text: &str) -> Event {
    Event::Content(text.to_owned())
}

fn thought(text: &str) -> Event {
    Event::Reasoning(text.to_owned())
}

fn call(index: usize, name: &str, arguments: &str) -> [Event; 3] {
    [
        Event::CallBegin { index, id: format!("id_{index}"), name: name.to_owned() },
        Event::CallArguments { index, text: arguments.to_owned() },
        Event::CallEnd { index },
    ]
}

#[test]
fn spellings_are_found_in_templates() {
    let tagged = |is_told| Spelling {
        open: "<tool_call>\n".to_owned(),
        close: "\n</tool_call>".to_owned(),
        arguments: "arguments",
        is_told,
    };
    assert_eq!(spelling(QWEN), tagged(false));
    assert_eq!(spelling(PLAIN), tagged(true));
    let bare = spelling(LLAMA);
    assert!(bare.is_bare() && bare.arguments == "parameters" && !bare.is_told);
    // Told of in words alone, and calls in XML.
    let words = "{{ tools }} <tool_call>{\"name\": ..., \"arguments\": ...} {{ messages|tojson }}";
    assert_eq!(spelling(words), tagged(false));
    let xml = format!("{words} <function=x>");
    assert_eq!(spelling(&xml), tagged(true));
}

/// Templates of llama.cpp's tree; `PICOLM_LLAMA_CPP` names it, and without it this test fails.
#[test]
fn spellings_of_known_models_are_found() {
    let suite = std::env::var_os("PICOLM_LLAMA_CPP")
        .expect("set PICOLM_LLAMA_CPP to a checkout of llama.cpp: its models/templates are read");
    let cases = [
        ("Qwen-Qwen3-0.6B", Some(false)),
        ("Qwen-Qwen2.5-7B-Instruct", Some(false)),
        ("Qwen-QwQ-32B", Some(false)),
        ("NousResearch-Hermes-3-Llama-3.1-8B-tool_use", Some(false)),
        ("NousResearch-Hermes-2-Pro-Llama-3-8B-tool_use", Some(false)),
        ("ibm-granite-granite-4.0", Some(false)),
        ("HuggingFaceTB-SmolLM3-3B", None),
        ("meta-llama-Llama-3.2-3B-Instruct", Some(true)),
        ("meta-llama-Llama-3.1-8B-Instruct", Some(true)),
        ("Qwen3-Coder", None),
        ("google-gemma-2-2b-it", None),
        ("microsoft-Phi-3.5-mini-instruct", None),
        ("mistralai-Mistral-Nemo-Instruct-2407", None),
        ("GLM-4.6", None),
    ];
    for (name, expected) in cases {
        let path = std::path::Path::new(&suite).join(format!("models/templates/{name}.jinja"));
        let found = spelling(&std::fs::read_to_string(path).unwrap());
        let is_bare = (!found.is_told).then(|| found.is_bare());
        assert_eq!(is_bare, expected, "{name}: {found:?}");
    }
}

#[test]
fn choices_are_read() {
    let asked = |choice: Value| Tools::new(&two_tools(), Some(&choice), None, spelling(QWEN));
    let choice = |value: Value| asked(value).map(|tools| tools.choice);
    assert_eq!(choice(json!("auto")), Ok(Choice::Auto));
    assert_eq!(choice(json!(null)), Ok(Choice::Auto));
    assert_eq!(choice(json!("none")), Ok(Choice::None));
    assert_eq!(choice(json!("required")), Ok(Choice::Required));
    let named = json!({"type": "function", "function": {"name": "put \"it\""}});
    assert_eq!(choice(named), Ok(Choice::Named(1)));
    for wrong in [json!("x"), json!(1), json!({"function": {"name": "other"}}), json!({})] {
        assert!(choice(wrong.clone()).is_err(), "{wrong}");
    }
    let none = |choice| Tools::new(&[], choice, None, spelling(QWEN)).map(|tools| tools.choice);
    assert_eq!(none(None), Ok(Choice::None));
    assert!(none(Some(&json!("required"))).is_err());
    let twice = [two_tools(), two_tools()].concat();
    assert!(Tools::new(&twice, None, None, spelling(QWEN)).is_err());
}

#[test]
fn answers_are_read_whole() {
    let auto = tools(QWEN, None);
    let one = "<tool_call>\n{\"name\": \"get\", \"arguments\": {\"x\": \"}\\\"{\"}}\n</tool_call>";
    let cases: Vec<(String, Vec<Event>)> = vec![
        ("Hello.\n".to_owned(), vec![content("Hello.\n")]),
        ("  a <tool_ca x".to_owned(), vec![content("  a <tool_ca x")]),
        (one.to_owned(), call(0, "get", "{\"x\": \"}\\\"{\"}").to_vec()),
        (
            format!("I look.\n\n{one}\n"),
            [vec![content("I look.")], call(0, "get", "{\"x\": \"}\\\"{\"}").to_vec()].concat(),
        ),
        (
            format!("{one}\n{one}"),
            [call(0, "get", "{\"x\": \"}\\\"{\"}"), call(1, "get", "{\"x\": \"}\\\"{\"}")].concat(),
        ),
        (format!("{one} and more {one}"), call(0, "get", "{\"x\": \"}\\\"{\"}").to_vec()),
        (
            "<think>\n\nHm <b> </thin \n</think>\n\nYes".to_owned(),
            vec![thought("Hm <b> </thin"), content("Yes")],
        ),
        (
            format!("<think>{one}</think>{one}"),
            [vec![thought(one)], call(0, "get", "{\"x\": \"}\\\"{\"}").to_vec()].concat(),
        ),
        ("x<think>y</think>".to_owned(), vec![content("x<think>y</think>")]),
        // What is no call of these tools is content.
        (
            "<tool_call>{\"name\": \"other\", \"arguments\": {}}</tool_call>".to_owned(),
            vec![content("<tool_call>{\"name\": \"other\", \"arguments\": {}}</tool_call>")],
        ),
        ("<tool_call>no</tool_call>".to_owned(), vec![content("<tool_call>no</tool_call>")]),
        ("<tool_call>{\"a\": 1}".to_owned(), vec![content("<tool_call>{\"a\": 1}")]),
        // Other orders and members, and no arguments.
        (
            "<tool_call>{\"id\":-1.5e3,\"arguments\":{\"x\":[]},\"name\":\"get\"}</tool_call>"
                .to_owned(),
            call(0, "get", "{\"x\":[]}").to_vec(),
        ),
        (
            "<tool_call>{\"name\": \"put \\u0022it\\\"\"}</tool_call>".to_owned(),
            call(0, "put \"it\"", "{}").to_vec(),
        ),
    ];
    for (text, expected) in cases {
        let (events, is_cut) = read(&auto, Reasoning::Closed, [text.as_str()]);
        assert_eq!(events, expected, "{text}");
        assert!(!is_cut);
    }
    let cut = "<tool_call>{\"name\": \"get\", \"arguments\": {\"x\": \"";
    assert!(read(&auto, Reasoning::Text, [cut]).1);
    let (events, _) = read(&auto, Reasoning::Open, ["so</think>", "x"]);
    assert_eq!(events, [thought("so"), content("x")]);
    // Without tools a call is content.
    let (events, _) = read(&tools(QWEN, Some(json!("none"))), Reasoning::Text, [one]);
    assert_eq!(events, [content(one)]);
    // A bare call is the whole answer, or none.
    let bare = tools(LLAMA, None);
    let text = "{\"name\": \"get\", \"parameters\": {\"x\": \"\"}}";
    assert_eq!(read(&bare, Reasoning::Text, [text, "{"]).0, call(0, "get", "{\"x\": \"\"}"));
    let text = format!("So: {text}");
    assert_eq!(read(&bare, Reasoning::Text, [text.as_str()]).0, [content(&text)]);
}

/// Whatever comes, in whatever pieces: the same events, and no text is lost that is no call's.
#[test]
fn pieces_do_not_matter() {
    let parts = [
        "<tool_call>",
        "</tool_call>",
        "<think>",
        "</think>",
        "\n",
        " ",
        "{",
        "}",
        "\"",
        "\\",
        ":",
        ",",
        "{\"name\": \"get\", \"arguments\": {",
        "\"x\": ",
        "[1, \"]\"]",
        "}}",
        "get",
        "name",
        "arguments",
        "<tool_",
        "</",
        "ä",
        "🎉",
        "text ",
        "{\"name\"",
        "\u{2028}",
        "<tool_call>\n{\"name\": \"get\", \"arguments\": {\"x\": \"y\"}}\n</tool_call>",
    ];
    let mut state = 1u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as usize % below
    };
    let all = [
        tools(QWEN, None),
        tools(QWEN, Some(json!("required"))),
        tools(QWEN, Some(json!("none"))),
        tools(LLAMA, None),
        tools(LLAMA, Some(json!("required"))),
    ];
    let mut calls = 0;
    for round in 0..6000 {
        let text: String = (0..random(14)).map(|_| parts[random(parts.len())]).collect();
        let tools = &all[round % all.len()];
        let reasoning = [Reasoning::Text, Reasoning::Closed, Reasoning::Open][random(3)];
        let whole = read(tools, reasoning, [text.as_str()]);
        let characters: Vec<char> = text.chars().collect();
        let mut pieces = Vec::new();
        let mut rest = characters.as_slice();
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(1 + random(rest.len().min(5)));
            pieces.push(piece.iter().collect::<String>());
            rest = after;
        }
        assert_eq!(read(tools, reasoning, pieces.iter().map(String::as_str)), whole, "{text:?}");
        for event in &whole.0 {
            calls += usize::from(matches!(event, Event::CallEnd { .. }));
        }
        if tools.choice == Choice::None && reasoning == Reasoning::Text {
            let expected = if text.is_empty() { vec![] } else { vec![content(&text)] };
            assert_eq!(whole.0, expected);
        }
    }
    assert!(calls > 100, "{calls}");
}

/// Nothing grows without bounds that is held back.
#[test]
fn what_is_held_is_bounded() {
    let auto = tools(QWEN, None);
    for unit in [" ", "<", "<tool_call>", "<tool_call>{\"name\": \"", "<think> ", "\\", "{\"a\":"] {
        let mut turn = Turn::new(&auto, Reasoning::Closed, "id");
        let mut most = 0;
        let mut behind: usize = 0;
        for _ in 0..20_000 {
            turn.push(unit);
            behind += unit.len();
            for event in turn.events() {
                if let Event::Content(text) | Event::Reasoning(text) = event {
                    behind = behind.saturating_sub(text.len());
                }
            }
            if turn.wants() == Wants::End {
                break;
            }
            most = most.max(behind);
        }
        // A call that is none is given back at 16 KiB.
        assert!(most < 40_000, "{unit:?}: {most}");
    }
}

/// The loop of the module's documentation, with a model that begins calls by itself, or must.
#[test]
fn parts_of_a_call_follow_each_other() {
    let written = |tools: &Tools, start: &str, arguments: &str| {
        let mut turn = Turn::new(tools, Reasoning::Text, "id");
        let (mut text, mut parts) = (String::new(), Vec::new());
        if !start.is_empty() {
            assert_eq!(turn.wants(), Wants::Free);
            turn.push(start);
            text += start;
        }
        for _ in 0..20 {
            let next = match turn.wants() {
                Wants::Text(text) => text,
                Wants::Part(Part::Head) => {
                    let name = &tools.spelling.arguments;
                    let head = format!("{{\"name\": \"get\", \"{name}\": {{");
                    parts.push(Part::Head);
                    head.strip_prefix(turn.begun()).unwrap().to_owned()
                }
                Wants::Part(part) => {
                    parts.push(part);
                    assert_eq!(turn.begun(), "{");
                    arguments.to_owned()
                }
                Wants::Free | Wants::End => break,
            };
            turn.push(&next);
            text += &next;
        }
        assert!(!turn.finish());
        (text, parts, joined(turn.events()))
    };
    let parts = [Part::Head, Part::Arguments(0)];
    let called = call(0, "get", "{\"x\": \"y\"}");
    let tagged = "<tool_call>\n{\"name\": \"get\", \"arguments\": {\"x\": \"y\"}}\n</tool_call>";
    let bare = "{\"name\": \"get\", \"parameters\": {\"x\": \"y\"}}";
    for choice in [json!("required"), json!({"function": {"name": "get"}})] {
        let (text, found, events) =
            written(&tools(QWEN, Some(choice.clone())), "", "\"x\": \"y\"}");
        assert_eq!(
            (text.as_str(), found.as_slice(), events.as_slice()),
            (tagged, &parts[..], &called[..])
        );
        let (text, found, events) = written(&tools(LLAMA, Some(choice)), "", "\"x\": \"y\"}");
        assert_eq!(
            (text.as_str(), found.as_slice(), events.as_slice()),
            (bare, &parts[..], &called[..])
        );
    }
    for start in ["<tool_call>\n", "<tool_call>", "<tool_call>\n{\"na"] {
        let (_, found, events) = written(&tools(QWEN, None), start, "\"x\": \"y\"}");
        assert_eq!((found.as_slice(), events.as_slice()), (&parts[..], &called[..]), "{start:?}");
    }
    let (text, _, events) = written(&tools(LLAMA, None), "{\"name\"", "\"x\": \"y\"}");
    assert_eq!((text.as_str(), events.as_slice()), (bare, &called[..]));
    // A marker's token that went on as no call does.
    let auto = tools(QWEN, None);
    let mut turn = Turn::new(&auto, Reasoning::Text, "id");
    turn.push("<tool_call>\n{\"fo");
    assert_eq!((turn.wants(), turn.begun()), (Wants::Part(Part::Head), "{\"fo"));
    turn.begin_again();
    assert_eq!((turn.wants(), turn.begun()), (Wants::Part(Part::Head), ""));
}

#[test]
fn templates_without_tools_are_told_of_them() {
    let given = messages::normalized(&[
        json!({"role": "system", "content": "S"}),
        json!({"role": "user", "content": "U"}),
        json!({"role": "assistant", "content": "", "tool_calls": [
            {"id": "1", "function": {"name": "get", "arguments": "{\"x\":\"y\"}"}}]}),
        json!({"role": "tool", "tool_call_id": "1", "content": "A"}),
        json!({"role": "tool", "tool_call_id": "2", "content": "B"}),
    ]);
    let given = given.unwrap();
    let none = Knows { tools: false, calls: false, answers: false };
    let told = prepared(given.clone(), &two_tools(), &tools(PLAIN, None), none);
    assert!(told.tools.is_empty());
    let text = |index: usize| told.messages[index]["content"].as_str().unwrap().to_owned();
    assert!(text(0).starts_with("S\n\n# Tools") && text(0).contains("\"name\": \"get\""));
    let spelled = "<tool_call>\n{\"name\": \"get\", \"arguments\": {\"x\": \"y\"}}\n</tool_call>";
    assert_eq!(text(2), spelled);
    assert!(told.messages[2].get("tool_calls").is_none());
    let answers = "<tool_response>\nA\n</tool_response>\n<tool_response>\nB\n</tool_response>";
    assert_eq!((told.messages.len(), text(3)), (4, answers.to_owned()));

    let all = Knows { tools: true, calls: true, answers: true };
    let own = prepared(given.clone(), &two_tools(), &tools(QWEN, None), all);
    assert_eq!(own, Prepared { messages: given.clone(), tools: two_tools() });
    let unused = prepared(given, &two_tools(), &tools(QWEN, Some(json!("none"))), all);
    assert!(unused.tools.is_empty());
}

#[test]
fn schemas_that_are_refused_are_widened_by_name() {
    let asked = tools(QWEN, None);
    let compile = |source: &[u8]| match source == br#"{"type":"object"}"# {
        true => Ok((1, Vec::new())),
        false => Err("keyword x"),
    };
    let (grammar, line) = widened(&asked, 1, compile).unwrap();
    assert_eq!(grammar, 1);
    assert_eq!(
        line.unwrap(),
        "tool \"put \\\"it\\\"\": its arguments may be any object (keyword x)"
    );
    let some = |_: &[u8]| Ok::<_, String>((2, vec!["pattern".to_owned()]));
    let (_, line) = widened(&asked, 0, some).unwrap();
    assert_eq!(line.unwrap(), "tool \"get\": not held to pattern");
}
