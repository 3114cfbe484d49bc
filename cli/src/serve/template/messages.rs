//! A request's messages as templates expect them.
//!
//! Clients write one conversation in several ways: `content` is a text, nothing or a list of parts;
//! `arguments` are an object or the text of one; `type` of a tool call may be missing; instructions
//! come from a `developer`. Templates know one way each. Here the messages get the form that
//! Hugging Face documents, and [`Form`] says in what a template departs from it.

use serde_json::{Map, Value, json};

/// What a template expects otherwise than Hugging Face documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Whether `content` is a list of parts.
    pub(crate) content_in_parts: bool,
    /// Whether `arguments` are the text of an object.
    pub(crate) arguments_as_text: bool,
    /// Whether there is a system message; otherwise it begins the first message of the user.
    pub(crate) has_system: bool,
}

/// As Hugging Face documents it.
pub(crate) const DOCUMENTED: Form =
    Form { content_in_parts: false, arguments_as_text: false, has_system: true };

/// Fields of a message that are texts, and kept.
const TEXTS: [&str; 4] = ["name", "tool_call_id", "reasoning_content", "thinking"];

/// A request's messages in the form that Hugging Face documents, or what is wrong with them.
pub(crate) fn normalized(messages: &[Value]) -> Result<Vec<Value>, String> {
    if messages.is_empty() {
        return Err("messages: there are none".to_owned());
    }
    let one = |(index, message): (usize, &Value)| {
        message_of(message).map_err(|error| format!("messages[{index}]{error}"))
    };
    messages.iter().enumerate().map(one).collect()
}

fn message_of(message: &Value) -> Result<Value, String> {
    let fields = message.as_object().ok_or(" is no object")?;
    let role = match fields.get("role").and_then(Value::as_str) {
        Some("developer") => "system",
        Some(role @ ("system" | "user" | "assistant" | "tool")) => role,
        // Before there were tools there were functions.
        Some("function") => "tool",
        _ => return Err(".role is none of system, developer, user, assistant, tool".to_owned()),
    };
    let mut out = Map::new();
    out.insert("role".to_owned(), role.into());
    out.insert("content".to_owned(), content_of(fields.get("content"))?.into());
    for name in TEXTS {
        match fields.get(name) {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => drop(out.insert(name.to_owned(), text.as_str().into())),
            Some(_) => return Err(format!(".{name} is no text")),
        }
    }
    match fields.get("tool_calls") {
        None | Some(Value::Null) => {}
        Some(_) if role != "assistant" => {
            return Err(format!(".tool_calls: only an assistant calls tools, not {role}"));
        }
        Some(Value::Array(calls)) if calls.is_empty() => {}
        Some(Value::Array(calls)) => {
            let one = |(index, call): (usize, &Value)| {
                call_of(call, index).map_err(|error| format!(".tool_calls[{index}]{error}"))
            };
            let calls = calls.iter().enumerate().map(one).collect::<Result<Vec<_>, _>>()?;
            out.insert("tool_calls".to_owned(), calls.into());
        }
        Some(_) => return Err(".tool_calls is no list".to_owned()),
    }
    Ok(Value::Object(out))
}

/// The text of a message: parts are joined by line breaks.
fn content_of(content: Option<&Value>) -> Result<String, String> {
    let parts = match content {
        None | Some(Value::Null) => return Ok(String::new()),
        Some(Value::String(text)) => return Ok(text.clone()),
        Some(Value::Array(parts)) => parts,
        Some(_) => return Err(".content is neither a text nor a list of parts".to_owned()),
    };
    let part = |(index, part)| text_of(part).map_err(|error| format!(".content[{index}]{error}"));
    let texts = parts.iter().enumerate().map(part).collect::<Result<Vec<&str>, _>>()?;
    Ok(texts.join("\n"))
}

/// The text of a part.
fn text_of(part: &Value) -> Result<&str, String> {
    let kind = part.get("type").and_then(Value::as_str).unwrap_or("text");
    let text = match kind {
        "text" | "input_text" | "output_text" => part.get("text"),
        "refusal" => part.get("refusal"),
        _ => {
            return Err(format!(
                " is of type {kind:?}: this model reads text only, send no others"
            ));
        }
    };
    text.and_then(Value::as_str).ok_or_else(|| " has no text".to_owned())
}

fn call_of(call: &Value, index: usize) -> Result<Value, String> {
    let function = call.get("function").unwrap_or(call);
    let name = function.get("name").and_then(Value::as_str).ok_or(".function.name is no text")?;
    let arguments = match function.get("arguments") {
        None | Some(Value::Null) => json!({}),
        Some(Value::String(text)) if text.trim().is_empty() => json!({}),
        // What a model wrote in vain comes back as it was: a text.
        Some(Value::String(text)) => serde_json::from_str::<Map<_, _>>(text)
            .map_or_else(|_| text.as_str().into(), Value::Object),
        Some(object @ Value::Object(_)) => object.clone(),
        Some(_) => return Err(".function.arguments is neither an object nor a text".to_owned()),
    };
    let id = match call.get("id") {
        Some(Value::String(id)) => id.clone(),
        _ => format!("call_{index}"),
    };
    Ok(json!({
        "id": id, "type": "function", "function": { "name": name, "arguments": arguments }
    }))
}

/// A request's tools, each `{"type": "function", "function": {...}}`.
pub(crate) fn normalized_tools(tools: &[Value]) -> Result<Vec<Value>, String> {
    let one = |(index, tool): (usize, &Value)| {
        let function = tool.get("function").unwrap_or(tool);
        let fields = function.as_object().ok_or(format!("tools[{index}].function is no object"))?;
        let name = fields.get("name").and_then(Value::as_str);
        let name = name.filter(|name| !name.is_empty());
        name.ok_or(format!("tools[{index}].function.name is no text"))?;
        let mut fields = fields.clone();
        if !fields.contains_key("description") {
            fields.insert("description".to_owned(), "".into());
        }
        if !matches!(fields.get("parameters"), Some(Value::Object(_))) {
            fields.insert("parameters".to_owned(), json!({"type": "object", "properties": {}}));
        }
        Ok(json!({"type": "function", "function": fields}))
    };
    tools.iter().enumerate().map(one).collect()
}

/// Normalised messages in a template's own form.
pub(crate) fn formed(mut messages: Vec<Value>, form: Form) -> Vec<Value> {
    if !form.has_system {
        fold_system(&mut messages);
    }
    for message in &mut messages {
        let Some(fields) = message.as_object_mut() else { continue };
        if let (true, Some(content)) = (form.content_in_parts, fields.get_mut("content")) {
            *content = json!([{"type": "text", "text": content.take()}]);
        }
        let calls = fields.get_mut("tool_calls").and_then(Value::as_array_mut);
        for call in calls.into_iter().flatten().filter(|_| form.arguments_as_text) {
            if let Some(arguments) = call.pointer_mut("/function/arguments")
                && !arguments.is_string()
            {
                *arguments = super::super::tools::spaced(arguments).into();
            }
        }
    }
    messages
}

/// Puts what a system message says before the first message of the user.
fn fold_system(messages: &mut Vec<Value>) {
    let is =
        |message: &Value, role: &str| message.get("role").and_then(Value::as_str) == Some(role);
    let mut system: Vec<String> = Vec::new();
    messages.retain(|message| {
        let is_system = is(message, "system");
        if is_system {
            system.extend(message.get("content").and_then(Value::as_str).map(str::to_owned));
        }
        !is_system
    });
    if system.is_empty() {
        return;
    }
    let text = system.join("\n\n");
    match messages.iter_mut().find(|message| is(message, "user")) {
        Some(message) => {
            let own = message.get("content").and_then(Value::as_str).unwrap_or("");
            let content = format!("{text}\n\n{own}");
            if let Some(fields) = message.as_object_mut() {
                fields.insert("content".to_owned(), content.into());
            }
        }
        None => messages.insert(0, json!({"role": "user", "content": text})),
    }
}
