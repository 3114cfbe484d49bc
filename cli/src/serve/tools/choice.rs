//! A request's tools and `tool_choice`, and the grammars of their calls.

use super::spelling::Spelling;
use core::fmt::Write;
use serde_json::{Value, json};
use std::collections::HashSet;

/// Longest name of a tool.
pub(super) const MAX_NAME_BYTES: usize = 256;

/// `tool_choice`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The model calls tools or answers.
    Auto,
    /// It answers.
    None,
    /// It calls some tool.
    Required,
    /// It calls the tool of this number.
    Named(usize),
}

/// A tool of a request.
#[derive(Clone, Debug)]
struct Tool {
    name: String,
    parameters: Value,
    /// Whether a schema that cannot be held exactly is refused.
    is_strict: bool,
}

/// A request's tools.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    tools: Vec<Tool>,
    pub(crate) choice: Choice,
    pub(crate) spelling: Spelling,
    /// Whether one answer may call several.
    pub(crate) parallel: bool,
}

impl Tools {
    /// The tools of a request (by `messages::normalized_tools`), its `tool_choice` and
    /// `parallel_tool_calls`.
    pub(crate) fn new(
        tools: &[Value],
        choice: Option<&Value>,
        parallel: Option<bool>,
        spelling: Spelling,
    ) -> Result<Self, String> {
        let mut names = HashSet::new();
        let tools = tools.iter().enumerate().map(|(index, tool)| {
            let name = tool.pointer("/function/name").and_then(Value::as_str).unwrap_or("");
            if name.is_empty() || name.len() > MAX_NAME_BYTES {
                return Err(format!(
                    "tools[{index}].function.name must have 1 to {MAX_NAME_BYTES} bytes"
                ));
            }
            if !names.insert(name) {
                return Err(format!(
                    "tools[{index}].function.name: another tool is named {name:?}"
                ));
            }
            let parameters = tool.pointer("/function/parameters").cloned();
            let parameters = parameters.unwrap_or_else(|| json!({"type": "object"}));
            let is_strict = tool.pointer("/function/strict") == Some(&Value::Bool(true));
            Ok(Tool { name: name.to_owned(), parameters, is_strict })
        });
        let tools = tools.collect::<Result<Vec<_>, _>>()?;
        let choice = Self::choice_of(&tools, choice)?;
        // A bare object is the whole answer.
        let parallel = parallel.unwrap_or(true) && !spelling.is_bare();
        Ok(Self { tools, choice, spelling, parallel })
    }

    fn choice_of(tools: &[Tool], choice: Option<&Value>) -> Result<Choice, String> {
        let unknown =
            || "tool_choice is none of \"auto\", \"none\", \"required\" and a function".to_owned();
        let choice = match choice {
            None | Some(Value::Null) => Choice::Auto,
            Some(Value::String(word)) => match word.as_str() {
                "auto" => Choice::Auto,
                "none" => Choice::None,
                "required" | "any" => Choice::Required,
                _ => return Err(unknown()),
            },
            Some(named) => {
                let name = named.pointer("/function/name").or_else(|| named.get("name"));
                let name = name.and_then(Value::as_str).ok_or_else(unknown)?;
                let found = tools.iter().position(|tool| tool.name == name);
                let missing = || format!("tool_choice: no tool is named {name:?}");
                Choice::Named(found.ok_or_else(missing)?)
            }
        };
        match choice {
            Choice::Required if tools.is_empty() => {
                Err("tool_choice is \"required\", and there are no tools".to_owned())
            }
            Choice::Auto if tools.is_empty() => Ok(Choice::None),
            choice => Ok(choice),
        }
    }

    /// How many tools there are.
    pub(crate) fn len(&self) -> usize {
        self.tools.len()
    }

    /// The name of a tool.
    pub(crate) fn name(&self, tool: usize) -> Option<&str> {
        self.tools.get(tool).map(|tool| tool.name.as_str())
    }

    /// Whether a tool's arguments must be exactly what its schema says.
    pub(crate) fn is_strict(&self, tool: usize) -> bool {
        self.tools.get(tool).is_some_and(|tool| tool.is_strict)
    }

    /// The number of a tool that may be called.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.tools.iter().position(|tool| tool.name == name)
    }

    /// Whether the answer must begin with a call.
    pub(crate) fn must_call(&self) -> bool {
        matches!(self.choice, Choice::Required | Choice::Named(_))
    }

    /// Whether the answer may hold a call.
    pub(crate) fn may_call(&self) -> bool {
        self.choice != Choice::None
    }

    /// The grammar (GBNF) of a call's text from its object's brace to that of the arguments, both
    /// included. One name follows where `tool_choice` names it.
    pub(crate) fn head(&self) -> String {
        let mut grammar = "root ::= \"{\\\"name\\\": \" name \", \\\"".to_owned();
        let _ = writeln!(grammar, "{}\\\": {{\"", self.spelling.arguments);
        grammar += "name ::= ";
        let callable = |index: usize| match self.choice {
            Choice::Named(only) => index == only,
            _ => true,
        };
        let names = self.tools.iter().enumerate().filter(|&(index, _)| callable(index));
        for (count, (_, tool)) in names.enumerate() {
            grammar += if count > 0 { " | " } else { "" };
            grammar += &literal(&Value::from(tool.name.as_str()).to_string());
        }
        grammar += "\n";
        grammar
    }

    /// The schema of a tool's arguments, as a document: what a call of [`head`](Self::head) goes on
    /// with. Its text begins with the brace that the head ends with.
    pub(crate) fn arguments(&self, tool: usize) -> Vec<u8> {
        let mut schema = match self.tools.get(tool) {
            Some(tool) => tool.parameters.clone(),
            None => json!({}),
        };
        if let Some(fields) = schema.as_object_mut() {
            // Arguments are an object also where the schema does not say so.
            fields.entry("type").or_insert_with(|| "object".into());
        }
        schema.to_string().into_bytes()
    }
}

/// A literal of GBNF.
fn literal(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out += "\\n",
            '\r' => out += "\\r",
            '\t' => out += "\\t",
            c if c < ' ' => drop(write!(out, "\\x{:02X}", u32::from(c))),
            _ => out.push(c),
        }
    }
    out + "\""
}

/// Compiles the schema of a tool's arguments, or, where that is refused, the one of any object.
///
/// `compile` gives the compiled grammar and the names of what it has widened. The second of what
/// comes back is a line for the log, where anything was widened: once a tool is enough.
pub(crate) fn widened<G, E: core::fmt::Display>(
    tools: &Tools,
    tool: usize,
    mut compile: impl FnMut(&[u8]) -> Result<(G, Vec<String>), E>,
) -> Result<(G, Option<String>), String> {
    let name = tools.name(tool).unwrap_or("");
    match compile(&tools.arguments(tool)) {
        Ok((grammar, widened)) if widened.is_empty() => Ok((grammar, None)),
        Ok((grammar, widened)) => {
            Ok((grammar, Some(format!("tool {name:?}: not held to {}", widened.join(", ")))))
        }
        Err(refused) => {
            let any = compile(br#"{"type":"object"}"#);
            let (grammar, _) = any.map_err(|error| format!("tool {name:?}: {error}"))?;
            let line = format!("tool {name:?}: its arguments may be any object ({refused})");
            Ok((grammar, Some(line)))
        }
    }
}
