//! The grammars of calls, compiled by the engine.

use super::super::template::ChatTemplate;
use super::*;
use picolm_core::grammar::{Grammar, GrammarError, Matcher, gbnf, schema};
use serde_json::{Value, json};

fn compiled(
    compile: impl Fn(&mut [u32]) -> Result<Grammar<'_>, GrammarError>,
    check: impl Fn(&dyn Fn(&str) -> Option<bool>),
) {
    let mut words = vec![0; 1 << 20];
    let grammar = compile(&mut words).unwrap();
    let automaton = grammar.automaton();
    // Whether a text begins one of the grammar, and whether it is one.
    check(&|text| {
        let mut matcher = Matcher::new(&automaton);
        let begins = text.bytes().all(|byte| matcher.push(&automaton, byte));
        begins.then(|| matcher.tokens_to_close(&automaton) == 0)
    });
}

/// 27 tools, as PicoClaw has; names that begin alike, and one that needs escapes.
fn many() -> Tools {
    let template = "{{ tools }}<tool_call>\"arguments\"{{ messages|tojson }}";
    let spelling = Spelling::of(&ChatTemplate::new(template, "", "").unwrap());
    let parameters = json!({
        "type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}, "required": ["a"],
        "$defs": {"n": {"type": "integer"}}
    });
    let tool = |name: String| {
        let function = json!({"name": name, "parameters": parameters});
        json!({"type": "function", "function": function})
    };
    let mut tools: Vec<Value> = (0..26).map(|index| tool(format!("tool_{index}"))).collect();
    tools.push(tool("say \"hä\"\\\n".to_owned()));
    Tools::new(&tools, None, None, spelling).unwrap()
}

#[test]
fn a_head_is_the_beginning_of_a_call() {
    let tools = many();
    let head = tools.head();
    compiled(
        |words| gbnf(head.as_bytes(), words),
        |matches| {
            for index in 0..tools.len() {
                let name = Value::from(tools.name(index).unwrap()).to_string();
                let text = format!("{{\"name\": {name}, \"arguments\": {{");
                assert_eq!(matches(&text), Some(true), "{text}");
            }
            assert_eq!(matches("{\"name\": \"tool_2\", \"arg"), Some(false));
            assert_eq!(matches("{\"name\": \"tool_27\""), None);
            assert_eq!(matches("{\"name\": \"x"), None);
        },
    );
}

#[test]
fn arguments_go_on_from_their_brace() {
    let tools = many();
    let document = tools.arguments(3);
    compiled(
        |words| schema(&document, false, words),
        |matches| {
            assert_eq!(matches("{"), Some(false));
            assert_eq!(matches("{\"a\": 12}"), Some(true));
            assert_eq!(matches("{\"a\": \""), None);
        },
    );
    compiled(
        |words| schema(br#"{"type":"object"}"#, false, words),
        |matches| {
            assert_eq!(matches("{\"any\": [1, {}]}"), Some(true));
        },
    );
}
