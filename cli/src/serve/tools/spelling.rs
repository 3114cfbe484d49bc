//! A model's spelling of tool calls, as its template has it.

use super::super::template::ChatTemplate;

/// How a model spells a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spelling {
    /// What stands before the object; empty where the object is the whole answer (Llama 3).
    pub(crate) open: String,
    /// What stands after it.
    pub(crate) close: String,
    /// The name of the member with the arguments.
    pub(crate) arguments: &'static str,
    /// Whether the template does not spell calls so, and the model must be told.
    pub(crate) is_told: bool,
}

const OPEN: &str = "<tool_call>";
const CLOSE: &str = "</tool_call>";
/// What marks other spellings inside of `<tool_call>`: XML, as Qwen3-Coder and GLM have it.
const OTHERS: [&str; 3] = ["<function=", "<arg_key>", "<parameter"];

impl Spelling {
    /// JSON in `<tool_call>`: Hermes's, which Qwen, SmolLM and Granite use.
    fn tagged(is_told: bool) -> Self {
        Self {
            open: format!("{OPEN}\n"),
            close: format!("\n{CLOSE}"),
            arguments: "arguments",
            is_told,
        }
    }

    /// The spelling of a model without a template.
    pub(crate) fn told() -> Self {
        Self::tagged(true)
    }

    /// The spelling of a template.
    pub(crate) fn of(template: &ChatTemplate) -> Self {
        let example = template.example_of_call();
        if let Some(spelling) = example.as_deref().and_then(Self::in_example) {
            return spelling;
        }
        // A template may tell of the spelling and not write the calls of a history.
        let source = template.source();
        let has = |mark: &str| source.contains(mark);
        let tells = template.knows().tools && has(OPEN) && has("arguments");
        Self::tagged(!tells || OTHERS.into_iter().any(has))
    }

    /// The spelling of the call of `needle` in a text that a template wrote.
    fn in_example(text: &str) -> Option<Self> {
        let at = text.rfind("{\"name\": \"needle\"")?;
        let (before, call) = text.split_at(at);
        let arguments = ["arguments", "parameters"]
            .into_iter()
            .find(|name| call.contains(&format!("\"needle\", \"{name}\": {{\"thimble\"")))?;
        let after = call.split_once("}}").map_or("", |(_, after)| after);
        if before.trim_end().ends_with(OPEN) {
            let close = after.get(..after.find(CLOSE)? + CLOSE.len())?;
            let open = before.get(before.rfind(OPEN)?..)?;
            let is_blank = close.trim_start() == CLOSE;
            return is_blank.then(|| Self {
                open: open.to_owned(),
                close: close.to_owned(),
                arguments,
                is_told: false,
            });
        }
        // Llama 3: right after the header of the assistant's message.
        let is_bare = arguments == "parameters" && before.ends_with("\n\n");
        is_bare.then(|| Self {
            open: String::new(),
            close: String::new(),
            arguments,
            is_told: false,
        })
    }

    /// What an answer begins a call with, in which the call's object begins where it has no tags.
    pub(super) fn marker(&self) -> &str {
        match self.open.trim_end() {
            "" => "{\"name\"",
            marker => marker,
        }
    }

    /// Whether the object is the whole answer.
    pub(super) fn is_bare(&self) -> bool {
        self.open.is_empty()
    }
}
