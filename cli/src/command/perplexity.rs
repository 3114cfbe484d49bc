//! `picolm perplexity`: how well a model predicts a text, by llama.cpp's protocol.
//!
//! The text is tokenised as a whole, special tokens as text, and cut into windows of `-c` tokens; a
//! rest is left out. Each window is read alone, its first token replaced by BOS where the model's
//! settings add one. Positions of the second half, the last excepted, predict their next token;
//! perplexity is e to the mean of their negative log probabilities.

use super::{Outcome, print};
use crate::args::Perplexity;
use crate::ceiling;
use crate::engine::{self, Machine, ModelFile, Plan, about};
use crate::platform::map::MappedFile;
use crate::report::{Failure, Progress};
use picolm_core::gguf::Gguf;
use picolm_core::mem::Arena;
use picolm_core::ops::log_probability;
use picolm_core::session::{Options, Session};
use picolm_core::tokenizer::Tokenizer;

/// Rows of logits that are held at a time.
const ROWS: u32 = 16;

pub(super) fn perplexity(arguments: &Perplexity) -> Result<Outcome, Failure> {
    let text = MappedFile::open(&arguments.file).map_err(|error| about(&arguments.file, error))?;
    let machine = Machine::new(arguments.threads)?;
    let Perplexity { window, kv_type, skipped, .. } = *arguments;
    let context = window;
    let options = Options { context, kv_type, logit_rows: ROWS, skipped, ..Options::default() };
    let complete = |plan: Plan, file: &ModelFile, gguf: &Gguf<'_>| plan.with_tokenizer(file, gguf);
    let file = ceiling::open(&arguments.model, arguments.ram, &machine, options, &complete)?;
    let most = file.text_bytes();
    if text.bytes().len() as u64 > most {
        return Err(about(&arguments.file, format_args!("is longer than {most} bytes")));
    }
    let gguf = file.gguf()?;
    let plan = complete(Plan::new(&file, &gguf, &machine, options)?, &file, &gguf)?;
    let mut memory = plan.reserve()?;
    let mut arena = Arena::new(memory.as_mut_slice());
    let tokenizer = Tokenizer::new(&gguf, &mut arena).map_err(|error| file.failure(error))?;
    let mut session = plan.session(&file, &gguf, &machine, &mut arena)?;

    let mut tokens = engine::encode(&tokenizer, text.bytes(), true, false)?;
    let window = window as usize;
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
    let failure = |error| Failure::new(format!("{error}"));
    let first = window.len() / 2;
    let (unscored, predicting) = window[..window.len() - 1].split_at(first);
    session.rewind(0);
    session.prefill(unscored, &mut |_| true).map_err(failure)?;
    let mut sum = 0.0;
    let mut on_logits = |index: usize, logits: &[f32]| {
        sum -= log_probability(logits, window[first + index + 1]);
    };
    session.prefill_scored(predicting, &mut on_logits).map_err(failure)?;
    if sum.is_nan() {
        return Err(Failure::new("non-finite logits: is the model file damaged?"));
    }
    Ok(sum)
}
