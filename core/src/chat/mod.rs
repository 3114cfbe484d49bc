//! Layer 6: conversations as the text that a model was trained to read.
//!
//! A model file brings its template as a Jinja program. Running such programs takes an interpreter
//! and memory without bounds; here a template is a table (what stands before and after a message of
//! each role), and the file's program only tells which table, by the marks in it, as llama.cpp's
//! `llama_chat_apply_template` does. The texts are llama.cpp's, and checked against its tests.
//! Where llama.cpp's own tables and a model's program part ways, the program is followed. Programs
//! that write more than a table can are followed but for that: today's date (Llama 3.1 and later
//! ones, Granite 3, Mistral), and switches that they look for in the text of messages.
//!
//! What comes out are [`Segment`]s: names of special tokens count in the template's text, never in
//! that of a message.

mod detect;
mod template;

pub use template::{ALL, Template};

use crate::text::Segment;
use template::{Piece, Trim};

/// Who says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions for the whole conversation.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// By whom.
    pub role: Role,
    /// The text, never read for special tokens.
    pub text: &'a [u8],
}

/// Whether the model is to think before it answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Thinking {
    /// As the template has it where nobody says.
    #[default]
    Unasked,
    /// It is to think.
    On,
    /// It is to answer at once.
    Off,
}

/// A model's way to write conversations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chat<'a> {
    template: &'static Template,
    bos: &'a [u8],
    eos: &'a [u8],
    /// What a model's file says where a conversation brings no system message.
    file_system: &'a [u8],
    thinking: Thinking,
    /// Whether the conversation begins with `bos`.
    writes_bos: bool,
    /// Whether the tokenizer puts `bos` in front of it.
    bos_is_added: bool,
}

impl<'a> Chat<'a> {
    /// The form that a model file's `tokenizer.chat_template` describes; `None` where it is none
    /// of those known here.
    pub fn detect(jinja: &'a [u8]) -> Option<Self> {
        let template = detect::template_of(jinja)?;
        let file_system = match template.reads_default_system {
            true => detect::default_system(jinja),
            false => b"",
        };
        let writes_bos = template.writes_bos || detect::writes_bos(jinja);
        Some(Self { file_system, writes_bos, ..Self::of(template) })
    }

    /// The form of this name, in [`ALL`].
    pub fn named(name: &str) -> Option<Self> {
        let is_named = |template: &&Template| template.names.contains(&name);
        ALL.iter().copied().find(is_named).map(Self::of)
    }

    fn of(template: &'static Template) -> Self {
        Self {
            template,
            bos: b"",
            eos: b"",
            file_system: b"",
            thinking: Thinking::Unasked,
            writes_bos: template.writes_bos,
            bos_is_added: false,
        }
    }

    /// With the texts of the tokens that begin and end the model's texts, and whether the tokenizer
    /// adds the first by itself ([`Tokenizer::adds_bos`](crate::tokenizer::Tokenizer::adds_bos)).
    pub fn with_tokens(self, bos: &'a [u8], eos: &'a [u8], bos_is_added: bool) -> Self {
        Self { bos, eos, bos_is_added, ..self }
    }

    /// With thoughts as they are asked for; `None` where the form has no switch for them.
    pub fn with_thinking(self, thinking: Thinking) -> Option<Self> {
        let can = thinking == Thinking::Unasked || self.template.has_thinking_switch();
        can.then_some(Self { thinking, ..self })
    }

    /// The form's name.
    pub const fn name(&self) -> &'static str {
        self.template.names[0]
    }

    /// What the model is told where a conversation begins without a system message; often nothing.
    pub fn default_system(&self) -> &'a [u8] {
        self.unwritten_system().unwrap_or_default()
    }

    /// The system message of a conversation that begins without one, if it has one nevertheless.
    fn unwritten_system(&self) -> Option<&'a [u8]> {
        match self.template.default_system.get(self.thinking) {
            _ if !self.file_system.is_empty() => Some(self.file_system),
            text => text.map(str::as_bytes),
        }
    }

    /// The text of `messages` up to where the model's answer begins.
    ///
    /// With `goes_on`, they follow on an answer that the model has just written, without the end
    /// of it: that comes first. Without, the conversation begins with them. The token that begins
    /// a text is part of it where the model's program writes it and the tokenizer does not add it:
    /// it is there once, whoever writes it.
    pub fn render(
        &self,
        messages: &[Message<'a>],
        goes_on: bool,
        emit: &mut dyn FnMut(Segment<'a>),
    ) {
        let mut unbegun = !goes_on && !self.bos.is_empty();
        let emit: &mut dyn FnMut(Segment<'a>) = &mut |segment| {
            let begins = core::mem::take(&mut unbegun);
            let segment = if begins { self.begin(segment, emit) } else { segment };
            emit(segment);
        };
        let mut first = !goes_on;
        self.pieces(
            if goes_on { self.template.answer.after } else { self.template.beginning },
            first,
            emit,
        );
        if first
            && messages.first().is_none_or(|message| message.role != Role::System)
            && let Some(text) = self.unwritten_system()
        {
            // Text of the model's own file.
            self.message(Segment::template(text), Role::System, (true, false), emit);
            first = false;
        }
        let mut joined = !goes_on && !first;
        for message in messages {
            let text = Segment::plain(message.text);
            self.message(text, message.role, (first, joined), emit);
            first = false;
            joined = message.role == Role::System;
        }
        self.pieces(self.template.prompt_end, first, emit);
    }

    /// What is left of a conversation's first segment once its first token is there.
    fn begin(&self, segment: Segment<'a>, emit: &mut dyn FnMut(Segment<'a>)) -> Segment<'a> {
        let named = segment.bytes.strip_prefix(self.bos).filter(|_| segment.special);
        match named {
            Some(rest) if self.bos_is_added => return Segment::template(rest),
            None if self.writes_bos && !self.bos_is_added => emit(Segment::template(self.bos)),
            _ => {}
        }
        segment
    }

    /// One message with what stands around it: whether it is the first, and whether it follows on a
    /// system message.
    fn message(
        &self,
        text: Segment<'a>,
        role: Role,
        (first, joined): (bool, bool),
        emit: &mut dyn FnMut(Segment<'a>),
    ) {
        let template = self.template;
        let around = match role {
            Role::System => template.system,
            Role::User => template.user,
            Role::Assistant => template.answer,
        };
        if !(joined && template.joins_system && role == Role::User) {
            self.pieces(around.before, first, emit);
        }
        let bytes = match template.trim {
            Trim::Everything => text.bytes.trim_ascii(),
            Trim::Answers if role == Role::Assistant => text.bytes.trim_ascii(),
            Trim::SystemEnd if role == Role::System => text.bytes.trim_ascii_end(),
            Trim::Nothing | Trim::Answers | Trim::SystemEnd => text.bytes,
        };
        emit(Segment { bytes, ..text });
        self.pieces(around.after, first, emit);
    }

    fn pieces(&self, pieces: &[Piece], first: bool, emit: &mut dyn FnMut(Segment<'a>)) {
        for piece in pieces {
            emit(Segment::template(match piece {
                Piece::Text(text) => text.as_bytes(),
                Piece::Eos => self.eos,
                Piece::Thought(text) => text.get(self.thinking).as_bytes(),
                Piece::BosAgain if first => continue,
                Piece::BosAgain => self.bos,
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::vec::Vec;

    fn text(chat: &Chat<'_>, messages: &[(Role, &str)], goes_on: bool) -> std::string::String {
        let messages: Vec<Message<'_>> =
            messages.iter().map(|&(role, text)| Message { role, text: text.as_bytes() }).collect();
        let mut bytes = Vec::new();
        chat.render(&messages, goes_on, &mut |segment| bytes.extend_from_slice(segment.bytes));
        std::string::String::from_utf8(bytes).unwrap()
    }

    fn written(pieces: &[Piece]) -> std::string::String {
        let mut text = std::string::String::new();
        let chat = Chat::of(ALL[0]).with_tokens(b"<s>", b"</s>", true);
        chat.pieces(pieces, true, &mut |segment| {
            text.push_str(core::str::from_utf8(segment.bytes).unwrap());
        });
        text
    }

    /// A conversation in two parts, with an answer between them that the model writes, is the whole
    /// conversation. Where an answer begins with more than the prompt ends with (a space), the
    /// model writes that.
    #[test]
    fn going_on_after_an_answer_is_the_same_text() {
        let (user, answer) = (Role::User, Role::Assistant);
        for template in ALL {
            let chat = Chat::of(template).with_tokens(b"<s>", b"</s>", true);
            let begun = text(&chat, &[(user, "one")], false);
            let on = text(&chat, &[(user, "three")], true);
            let whole = text(&chat, &[(user, "one"), (answer, "two"), (user, "three")], false);
            let (before, end) = (written(template.answer.before), written(template.prompt_end));
            match before.strip_prefix(&end) {
                Some(rest) => assert_eq!(whole, begun + rest + "two" + &on, "{template:?}"),
                // Thoughts, which are no part of the conversation afterwards.
                None => assert!(["deepseek-r1", "gemma4-large", "qwen3.5"].contains(&chat.name())),
            }
        }
    }

    #[test]
    fn text_of_messages_is_plain_and_text_of_the_template_is_not() {
        let chat = Chat::named("chatml").unwrap();
        let message = Message { role: Role::User, text: b"<|im_end|>" };
        let mut segments = Vec::new();
        chat.render(&[message], false, &mut |segment| segments.push(segment));
        let plain: Vec<_> = segments.iter().filter(|segment| !segment.special).collect();
        assert_eq!(plain, [&Segment::plain(b"<|im_end|>")]);
        assert_eq!(segments.len(), 4);
    }

    #[test]
    fn a_default_system_message_stands_where_there_is_no_other() {
        let chat = Chat::named("smollm").unwrap();
        let default = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by \
                       Hugging Face<|im_end|>\n";
        let asked = "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n";
        let (system, user) = ((Role::System, "Be brief."), (Role::User, "hi"));
        assert_eq!(text(&chat, &[user], false), std::format!("{default}{asked}"));
        let own = "<|im_start|>system\nBe brief.<|im_end|>\n";
        assert_eq!(text(&chat, &[system, user], false), std::format!("{own}{asked}"));
        assert_eq!(text(&chat, &[user], true), std::format!("<|im_end|>\n{asked}"));
    }

    #[test]
    fn every_name_finds_its_own_form() {
        let mut names: Vec<&str> =
            ALL.iter().flat_map(|template| template.names).copied().collect();
        for name in &names {
            let chat = Chat::named(name).unwrap();
            assert!(chat.template.names.contains(name));
        }
        names.sort();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
        assert_eq!(Chat::named("none"), None);
        assert_eq!(Chat::detect(b""), None);
        assert_eq!(Chat::detect(b"{{ messages }}"), None);
    }
}
