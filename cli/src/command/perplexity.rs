//! `picolm perplexity`: how well a model predicts a text, by llama.cpp's protocol.
//!
//! The text is tokenised as a whole, special tokens as text, and cut into windows of `-c` tokens; a
//! rest is left out. Each window is read alone, its first token replaced by BOS where the model's
//! settings add one. Positions of the second half, the last excepted, predict their next token;
//! perplexity is e to the mean of their negative log probabilities.

use super::{Outcome, print};
use crate::args::Perplexity;
use crate::ceiling;
use crate::engine::{Machine, Model, ModelFile, Needs, Plan, text};
use crate::platform::map::{MapError, MappedFile};
use crate::report::{Failure, Progress};
use picolm_core::ops::log_probability;
use picolm_core::session::Session;

/// Rows of logits that are held at a time.
const ROWS: u32 = 16;

pub(super) fn perplexity(arguments: &Perplexity) -> Result<Outcome, Failure> {
    let mapped = MappedFile::open(&arguments.file);
    let read;
    let text = match &mapped {
        Ok(map) => map.bytes(),
        Err(MapError::Unmappable(_)) => {
            read = std::fs::read(&arguments.file)
                .map_err(|error| Failure::about(&arguments.file, error))?;
            &read
        }
        Err(error) => return Err(Failure::about(&arguments.file, error)),
    };
    let engine = &arguments.engine;
    let machine = Machine::new(engine.threads)?;
    let file = ModelFile::open(&engine.model)?;
    let gguf = file.gguf()?;
    let model = Model::of(&machine, &file, &gguf, engine.skipped)?;
    let (options, text_plan) = (engine.options(ROWS), text::plan(&file, &gguf)?);
    let needs = Needs { options, text: text_plan, ..Needs::default() };
    let source = ceiling::open(&model, Plan::new(&model, needs)?, engine.ram)?;
    let most = source.text_bytes();
    if text.len() as u64 > most {
        let longer = format_args!("is longer than {most} bytes");
        return Err(Failure::about(&arguments.file, longer));
    }
    let (mut text_memory, mut memory) = (None, source.plan.reserve()?);
    let tokenizer = text::tokenizer(&file, &gguf, &mut text_memory)?;
    let mut session = source.session(&mut memory)?;

    // Text files may begin with a byte order mark.
    let text = text.strip_prefix(text::MARK).unwrap_or(text);
    let mut tokens = text::encode(&tokenizer, text, true, false)?;
    let window = engine.context as usize;
    if tokens.len() / 2 < window {
        return Err(Failure::new(format!(
            "the text has {} tokens, two windows of {window} are needed: give a longer text or a \
             smaller -c",
            tokens.len()
        )));
    }
    let bos = tokenizer.adds_bos().then(|| tokenizer.bos()).flatten();
    let windows = tokens.len() / window;
    let mut progress = Progress::new("perplexity", windows, arguments.quiet);
    let mut negative_log_sum = 0.0;
    let mut scored = 0;
    for (index, window) in tokens.chunks_exact_mut(window).enumerate() {
        if let Some(bos) = bos {
            window[0] = bos;
        }
        negative_log_sum += score(&mut session, window)?;
        scored += window.len() - window.len() / 2 - 1;
        progress.update(index + 1);
    }
    drop(progress);
    let perplexity = (negative_log_sum / scored as f64).exp();
    print(&format!(
        "{windows} windows of {window} tokens, {scored} scored\nPPL = {perplexity:.4}\n"
    ))
}

/// The sum of the negative log probabilities that the second half of `window` gives its tokens.
fn score(session: &mut Session<'_>, window: &[u32]) -> Result<f64, Failure> {
    let first = window.len() / 2;
    let (unscored, predicting) = window[..window.len() - 1].split_at(first);
    session.rewind(0);
    session.prefill(unscored, &mut |_| true).map_err(Failure::new)?;
    let mut sum = 0.0;
    let mut on_logits = |index: usize, logits: &[f32]| {
        sum -= log_probability(logits, window[first + index + 1]);
    };
    session.prefill_scored(predicting, &mut on_logits).map_err(Failure::new)?;
    if sum.is_nan() {
        return Err(Failure::new("non-finite logits: is the model file damaged?"));
    }
    Ok(sum)
}
