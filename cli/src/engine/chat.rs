//! The chat template of a model.

use super::model_file::Model;
use crate::args::Conversation;
use crate::report::Failure;
use picolm_core::chat::{self, Chat, Thinking};
use picolm_core::tokenizer::Tokenizer;

/// The template that `given` names, or the one that the model file describes.
pub(crate) fn chat<'m>(
    model: &Model<'m>,
    tokenizer: &Tokenizer<'m>,
    given: &Conversation,
) -> Result<Chat<'m>, Failure> {
    let names = || {
        let names: Vec<&str> = chat::ALL.iter().flat_map(|form| form.names()).copied().collect();
        names.join(", ")
    };
    let chat = match given.template.as_deref() {
        Some(name) => Chat::named(name).ok_or_else(|| {
            let names = names();
            Failure::usage(format!("--chat-template: '{name}' is none of {names}"))
        })?,
        None => {
            let jinja = model.gguf.string("tokenizer.chat_template");
            let jinja = jinja.map_err(|error| model.file.failure_in(error))?;
            let wrong = match jinja {
                None => "has no chat template",
                Some(_) => "has a chat template of an unknown form",
            };
            jinja.and_then(Chat::detect).ok_or_else(|| {
                let names = names();
                model.file.failure(format_args!("{wrong}: name one by --chat-template ({names})"))
            })?
        }
    };
    let text = |token: Option<u32>| token.map_or(&b""[..], |token| tokenizer.raw_text(token));
    let (bos, eos) = (text(tokenizer.bos()), text(tokenizer.eos()));
    let thinking = match given.thinks {
        None => Thinking::Unasked,
        Some(true) => Thinking::On,
        Some(false) => Thinking::Off,
    };
    chat.with_tokens(bos, eos, tokenizer.adds_bos()).with_thinking(thinking).ok_or_else(|| {
        let name = chat.name();
        Failure::usage(format!("--think: the chat template {name} has no switch for thoughts"))
    })
}
