//! `picolm embed`: a text as a vector, for search and comparison.
//!
//! Output: 32-bit floats, little-endian, `[n]`, or one JSON array with `--json`. The model's file
//! says how the text's rows become one; with `--normalize` the vector has length 1.

use super::{Outcome, write};
use crate::args::{Embed, EmbedSource};
use crate::ceiling;
use crate::engine::{Machine, Model, ModelFile, Needs, Plan, text};
use crate::report::Failure;
use picolm_core::gguf::Gguf;
use picolm_core::session;

pub(super) fn embed(arguments: &Embed) -> Result<Outcome, Failure> {
    let Embed { engine, source, json, normalize } = arguments;
    let machine = Machine::new(engine.threads)?;
    let file = ModelFile::open(&engine.model)?;
    let gguf = file.gguf()?;
    let model = Model::of(&machine, &file, &gguf, engine.skipped)?;
    let tokens = ids(source, &file, &gguf)?;
    let count = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
    let options = model.for_vectors(engine.options(0), count)?;
    let plan = Plan::new(&model, Needs { options, ..Needs::default() })?;
    let source = ceiling::open(&model, plan, engine.ram)?;
    let mut memory = source.plan.reserve()?;
    let mut session = source.session(&mut memory)?;
    let mut vector = session.embed(&tokens).map_err(Failure::new)?.to_vec();
    if *normalize {
        session::normalize(&mut vector);
    }
    let written = if *json { json_array(&vector) } else { little_endian(&vector) };
    write(&written).map(|_| Outcome::Done)
}

/// The ids of the text, with the tokens that the model's settings put around it; given ids as they
/// are.
fn ids(source: &EmbedSource, file: &ModelFile, gguf: &Gguf<'_>) -> Result<Vec<u32>, Failure> {
    let given = match source {
        EmbedSource::Tokens(tokens) => return Ok(tokens.clone()),
        EmbedSource::Text(text) => Some(&text[..]),
        EmbedSource::Stdin => None,
    };
    text::require(given)?;
    let bytes = text::read(given, text::MAX_TEXT_BYTES)?;
    let mut memory = None;
    let tokenizer = text::tokenizer(file, gguf, &mut memory)?;
    text::encode(&tokenizer, &bytes, true, true)
}

fn little_endian(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|element| element.to_le_bytes()).collect()
}

fn json_array(vector: &[f32]) -> Vec<u8> {
    let elements: Vec<String> = vector.iter().map(ToString::to_string).collect();
    format!("[{}]\n", elements.join(",")).into_bytes()
}
