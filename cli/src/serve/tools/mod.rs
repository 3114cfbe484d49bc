//! Tools: how a model is told of them, how it writes calls, and how these are read back.
//!
//! [`Spelling`] is found in the model's template by trying: a JSON object in
//! `<tool_call>...</tool_call>`, or Llama 3's bare one. A model whose template has neither is told
//! of its tools by [`told`], in the first of the two.
//!
//! # How a call is written
//!
//! A [`Turn`] reads the answer as it comes and says by [`Turn::wants`] how the next token is found:
//!
//! ```text
//! let mut turn = Turn::new(&tools, reasoning, id);
//! loop {
//!     match turn.wants() {
//!         Wants::Free => sample a token;
//!         Wants::Text(text) => take the tokens of `text`, which is a template's;
//!         Wants::Part(part) => {
//!             // At its beginning, and whenever the part is another than before:
//!             //   Part::Head         compile gbnf(tools.head()), once a request;
//!             //   Part::Arguments(i) compile schema(tools.arguments(i)), once a tool;
//!             // then, for the text of the part that is there already:
//!             if !constraint.accept(turn.begun()) { constraint.restart(); turn.begin_again(); }
//!             sample a token that the constraint allows, and that leaves room for what follows;
//!         }
//!         Wants::End => break,
//!     }
//!     turn.push(the text of the tokens);
//!     send turn.events();
//! }
//! turn.finish();
//! ```
//!
//! The text of a token is what it spells, also where it is a control token: `<tool_call>` is one in
//! some vocabularies, and a marker in all. A schema that does not take `{` is not one of
//! arguments: the closure of [`widened`] refuses it.
//!
//! So an answer is free until it begins a call; from there on it is constrained, and can always be
//! closed. A call is two constraints with a seam, and no union of all tools: 27 tools that begin
//! alike are more than a matcher's 24 stacks, references stay within their own schema, and only the
//! schema of the tool that is called is compiled.
//!
//! Under another reading, without a constraint, any text is read: what is no call is content.

mod call;
mod choice;
mod spelling;
mod told;
mod turn;

#[cfg(test)]
mod grammar_tests;
#[cfg(test)]
mod tests;

pub(crate) use choice::{Tools, widened};
pub(crate) use spelling::Spelling;
pub(crate) use told::{Prepared, prepared, spaced};
pub(crate) use turn::{Event, Part, Reasoning, Turn, Wants, is_open};
