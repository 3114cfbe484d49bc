//! `picolm MODEL`: continues a prompt. `picolm chat` opens and loads the same.

use super::Outcome;
use super::chat::talk;
use super::generation::{Finish, Generation, Written};
use crate::args::{Conversation, Run};
use crate::cache::CacheFile;
use crate::ceiling;
use crate::constraint::{Constrained, require_budget};
use crate::draft::Guesser;
use crate::engine::{Machine, Model, ModelFile, Needs, Plan, Source, chat, reserve, text};
use crate::expert_profile::{Profile, ProfileFile};
use crate::platform::clock::MonotonicClock;
use crate::platform::console;
use crate::report::{self, Bytes, Failure};
use picolm_core::chat::Chat;
use picolm_core::mem::Arena;
use picolm_core::model::LayerSet;
use picolm_core::sampler::Sampler;
use picolm_core::session::Session;
use picolm_core::session::speculate::{MAX_DRAFT, Speculation};
use picolm_core::tokenizer::Tokenizer;

/// Opens files, then continues the prompt. An interactive run chats instead.
pub(super) fn run(arguments: &Run, interactive: bool) -> Result<Outcome, Failure> {
    if !interactive {
        text::require(arguments.prompt.as_deref())?;
    }
    // Mistakes that need no model to be found are found first.
    let wanted = arguments.constraint.as_ref();
    let grammar = wanted.map(|wanted| Constrained::compile(wanted, arguments)).transpose()?;
    let cache = CacheFile::open(&arguments.keeping, arguments.quiet)?;
    let profile = ProfileFile::open(arguments.keeping.expert_profile.as_deref())?;
    let machine = Machine::new(arguments.engine.threads)?;

    let file = ModelFile::open(&arguments.engine.model)?;
    let gguf = file.gguf()?;
    let model = Model::of(&machine, &file, &gguf, arguments.engine.skipped)?;

    let draft_file = arguments.draft.as_deref().map(ModelFile::open).transpose()?;
    let draft_gguf = draft_file.as_ref().map(ModelFile::gguf).transpose()?;
    let draft = draft_file.as_ref().zip(draft_gguf.as_ref());
    let draft = draft.map(|(file, gguf)| Model::of(&machine, file, gguf, LayerSet::EMPTY));
    load(arguments, interactive, &model, draft.transpose()?.as_ref(), grammar, (cache, profile))
}

/// Loads tokenizer, sampler, constraint and engine, and lets them write.
fn load(
    arguments: &Run,
    interactive: bool,
    model: &Model<'_>,
    draft: Option<&Model<'_>>,
    mut grammar: Option<Constrained>,
    (cache, profile): (Option<CacheFile>, Option<ProfileFile>),
) -> Result<Outcome, Failure> {
    let Run { engine, sampling, quiet, .. } = arguments;
    let (context, n_vocab) = (model.context(engine.context), model.layout.config().n_vocab);
    let text_plan = text::plan_with_sampler(model, &sampling.options(&[], context))?;
    let mut text_memory = reserve(&text_plan)?;
    let mut arena = Arena::new(text_memory.as_mut_slice());
    let tokenizer = text::tokenizer_in(model.file, model.gguf, &mut arena)?;
    sampling.check_bias(n_vocab)?;
    let breakers = sampling.breaker_bits(&tokenizer)?;
    let sampler = Sampler::new(sampling.options(&breakers, context), n_vocab, &mut arena)
        .map_err(Failure::new)?;
    let conversation = arguments.conversation.as_ref();
    let chat = conversation.map(|given| chat(model, &tokenizer, given)).transpose()?;
    let constraint = grammar.as_mut().map(|grammar| grammar.constraint(model.file, &tokenizer));
    let constraint = constraint.transpose()?;
    let guesser = match draft {
        Some(draft) => Some(Guesser::model(draft, &tokenizer, engine.context)?),
        None => arguments.lookup.then_some(Guesser::Lookup),
    };

    let options = engine.options(if guesser.is_some() { MAX_DRAFT as u32 + 1 } else { 1 });
    let constraint_bytes = constraint.as_ref().map_or(0, |constraint| constraint.bytes());
    let guesser_bytes = guesser.as_ref().map_or(0, Guesser::bytes);
    let config = model.layout.config();
    let profile_bytes = profile.as_ref().map_or(0, |_| ProfileFile::bytes(config));
    let others = [constraint_bytes, guesser_bytes, profile_bytes];
    let other_bytes = others.into_iter().fold(0, u64::saturating_add);
    let plan = Plan::new(model, Needs { options, text: text_plan, other_bytes, sequences: 0 })?;
    let mut source = ceiling::open(model, plan, engine.ram)?;
    let mut profile = profile.map(|file| file.read(&mut source)).transpose()?;
    if arguments.lock {
        source.lock(*quiet)?;
    }
    let mut memory = source.plan.reserve()?;
    let mut session = source.session(&mut memory)?;
    arguments.keeping.prepare(&mut session)?;
    if let Some(profile) = &mut profile {
        profile.count(&mut session);
    }
    let clock = MonotonicClock::new();
    let (mut draft_memory, mut draft_text) = (None, Vec::new());
    let mut drafter = guesser
        .as_ref()
        .map(|guesser| guesser.load(context, &mut draft_memory, &mut draft_text))
        .transpose()?;
    let speculation = drafter.as_deref_mut().map(|drafter| Speculation::new(drafter, &clock));
    let interrupted = console::on_interrupt();
    let tokenizer = &tokenizer;
    let generation =
        Generation { session, sampler, constraint, tokenizer, speculation, interrupted, clock };
    let outcome = match chat {
        Some(chat) if interactive => talk(arguments, generation, chat, source.line_bytes()),
        chat => answer(arguments, generation, chat, cache, &source),
    };
    // What was counted is true whatever has ended the run.
    let saved = profile.as_ref().map_or(Ok(()), Profile::save);
    let outcome = outcome?;
    saved?;
    Ok(outcome)
}

/// Continues the prompt, prints statistics, and keeps the text for the next run.
fn answer(
    arguments: &Run,
    mut generation: Generation<'_, '_>,
    chat: Option<Chat<'_>>,
    cache: Option<CacheFile>,
    source: &Source<'_>,
) -> Result<Outcome, Failure> {
    let tokens = prompt(arguments, source, generation.tokenizer, chat)?;
    require_room(&tokens, &generation.session)?;
    if let Some(constraint) = &generation.constraint {
        require_budget(constraint, &generation.session, tokens.len(), arguments.max_tokens)?;
    }
    let restore = |cache: CacheFile| cache.restore(&mut generation.session, source, &tokens);
    let cache = cache.map(restore).transpose()?;
    let reused = cache.as_ref().map_or(0, |cache| cache.reused);
    let written = generation.write_on(&tokens, reused, arguments)?;
    report(&generation, &written, source, arguments.quiet);
    if let Some(cache) = cache {
        cache.save(&mut generation.session)?;
    }
    Ok(match written.finish {
        Finish::Interrupted | Finish::InterruptedInShift => Outcome::Interrupted,
        _ => Outcome::Done,
    })
}

/// Prints statistics, and a warning if the context was full.
fn report(generation: &Generation<'_, '_>, written: &Written, source: &Source<'_>, quiet: bool) {
    if console::stderr_is_terminal() && console::stdout_is_terminal() {
        report::line(format_args!(""));
    }
    if written.finish == Finish::ContextFull {
        let context = generation.session.context();
        report::line(format_args!("picolm: stopped: the context of {context} tokens is full"));
    }
    if quiet {
        return;
    }
    generation.report(written);
    report::line(format_args!("Memory: {}", source.memory_line()));
    if let Some(constraint) = &generation.constraint {
        report::line(format_args!("Constraint: {}", Bytes(constraint.bytes())));
    }
}

/// The ids of the prompt.
fn prompt(
    arguments: &Run,
    source: &Source<'_>,
    tokenizer: &Tokenizer<'_>,
    chat: Option<Chat<'_>>,
) -> Result<Vec<u32>, Failure> {
    let prompt = text::read(arguments.prompt.as_deref(), source.text_bytes())?;
    match (chat, &arguments.conversation) {
        (Some(chat), Some(Conversation { system, .. })) => {
            text::encode_turn(tokenizer, chat, system.as_deref(), &prompt, false)
        }
        _ => text::encode(tokenizer, &prompt, true, true),
    }
}

/// Refuses a prompt that has no tokens, or more than the context.
fn require_room(tokens: &[u32], session: &Session<'_>) -> Result<(), Failure> {
    let (count, context) = (tokens.len(), session.context());
    if count == 0 {
        return Err(Failure::new("the prompt is empty: give -p PROMPT, or a text on stdin"));
    }
    if count > context as usize {
        let config = session.config();
        let advice = if count <= config.context_trained as usize || config.has_context_extension() {
            format!(" or give a longer context, -c {count} or more")
        } else {
            format!(" (the model takes at most {})", config.context_trained)
        };
        return Err(Failure::new(format!(
            "the prompt has {count} tokens and the context only {context}: shorten the \
             prompt{advice}"
        )));
    }
    Ok(())
}
