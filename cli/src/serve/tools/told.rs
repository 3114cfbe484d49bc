//! Conversations with tools for templates that know none, or not all of it.

use super::super::template::Knows;
use super::choice::{Choice, Tools};
use super::spelling::Spelling;
use serde_json::{Map, Value, json};

/// What a template is given.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Prepared {
    /// By `messages::normalized`, with what the template does not write as texts.
    pub(crate) messages: Vec<Value>,
    /// The tools that the template tells of.
    pub(crate) tools: Vec<Value>,
}

/// Prepares a conversation: tools, calls and answers that the template does not write become texts
/// of messages.
pub(crate) fn prepared(
    messages: Vec<Value>,
    tools: &[Value],
    asked: &Tools,
    knows: Knows,
) -> Prepared {
    let is_told = asked.spelling.is_told;
    let offers = asked.choice != Choice::None && !tools.is_empty();
    let mut messages = messages;
    if is_told || !knows.calls {
        messages.iter_mut().for_each(|message| spell_calls(message, &asked.spelling));
    }
    if is_told || !knows.answers {
        messages = with_answers_as_users(messages);
    }
    if !offers {
        return Prepared { messages, tools: Vec::new() };
    }
    if !is_told && knows.tools {
        return Prepared { messages, tools: tools.to_vec() };
    }
    tell(&mut messages, &instructions(tools, asked));
    Prepared { messages, tools: Vec::new() }
}

/// What a model is told of its tools: the words of Hermes's and Qwen's templates, which many models
/// have read in training.
fn instructions(tools: &[Value], asked: &Tools) -> String {
    let mut text =
        "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n\
        You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
            .to_owned();
    for tool in tools {
        text += "\n";
        text += &spaced(tool);
    }
    let (open, close) = (asked.spelling.open.as_str(), asked.spelling.close.as_str());
    text += "\n</tools>\n\nFor each function call, return a json object with function name and \
        arguments within <tool_call></tool_call> XML tags:\n";
    text +=
        &format!("{open}{{\"name\": <function-name>, \"arguments\": <args-json-object>}}{close}");
    text
}

/// Puts a text behind the system message, or in its place.
fn tell(messages: &mut Vec<Value>, text: &str) {
    let first = messages.first_mut().filter(|message| is(message, "system"));
    match first.and_then(Value::as_object_mut) {
        Some(fields) => {
            let own = fields.get("content").and_then(Value::as_str).unwrap_or("");
            let content = if own.is_empty() { text.to_owned() } else { format!("{own}\n\n{text}") };
            fields.insert("content".to_owned(), content.into());
        }
        None => messages.insert(0, json!({"role": "system", "content": text})),
    }
}

fn is(message: &Value, role: &str) -> bool {
    message.get("role").and_then(Value::as_str) == Some(role)
}

/// Writes the calls of a message behind its text.
fn spell_calls(message: &mut Value, spelling: &Spelling) {
    let Some(fields) = message.as_object_mut() else { return };
    let Some(Value::Array(calls)) = fields.shift_remove("tool_calls") else { return };
    let mut text = fields.get("content").and_then(Value::as_str).unwrap_or("").to_owned();
    for call in &calls {
        let function = call.get("function").unwrap_or(call);
        let member = |name: &str| function.get(name).cloned().unwrap_or(Value::Null);
        let mut object = Map::new();
        object.insert("name".to_owned(), member("name"));
        object.insert(spelling.arguments.to_owned(), member("arguments"));
        text += if text.is_empty() { "" } else { "\n" };
        text += &spelling.open;
        text += &spaced(&Value::Object(object));
        text += &spelling.close;
    }
    fields.insert("content".to_owned(), text.into());
}

/// Answers of tools as messages of the user, several in a row as one.
fn with_answers_as_users(messages: Vec<Value>) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    let mut follows = false;
    for message in messages {
        if !is(&message, "tool") {
            follows = false;
            out.push(message);
            continue;
        }
        let content = message.get("content").and_then(Value::as_str).unwrap_or("");
        let answer = format!("<tool_response>\n{content}\n</tool_response>");
        match out.last_mut().and_then(|last| last.get_mut("content")) {
            Some(last) if follows => {
                *last = format!("{}\n{answer}", last.as_str().unwrap_or("")).into();
            }
            _ => out.push(json!({"role": "user", "content": answer})),
        }
        follows = true;
    }
    out
}

/// JSON with a space after each comma and colon, as models have read it in training.
pub(crate) fn spaced(value: &Value) -> String {
    let mut out = String::new();
    write_spaced(value, &mut out);
    out
}

fn write_spaced(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                write_spaced(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (index, (key, member)) in members.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push_str(": ");
                write_spaced(member, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}
