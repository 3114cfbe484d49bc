//! `picolm MODEL`: what it takes to write on from a prompt, and `picolm chat` as well.

use super::generation::{Finish, Generation};
use super::{Outcome, chat};
use crate::args::{Conversation, Run};
use crate::cache::CacheFile;
use crate::ceiling;
use crate::constraint::{Constrained, require_budget};
use crate::draft::Draft;
use crate::engine::{self, Machine, ModelFile, Plan};
use crate::platform::clock::MonotonicClock;
use crate::platform::console;
use crate::report::{self, Bytes, Failure};
use picolm_core::chat::{Chat, Message, Role};
use picolm_core::gguf::Gguf;
use picolm_core::mem::Arena;
use picolm_core::model::LayerSet;
use picolm_core::sampler::Sampler;
use picolm_core::session::speculate::{Drafter, MAX_DRAFT, PromptLookup, Speculation};
use picolm_core::session::{Options, Session};
use picolm_core::tokenizer::Tokenizer;

/// Writes on from the prompt, or talks where there is to be none.
pub(super) fn run(arguments: &Run, interactive: bool) -> Result<Outcome, Failure> {
    if !interactive {
        engine::require_text(arguments.prompt.as_deref())?;
    }
    let mut constrained = match &arguments.constraint {
        Some(wanted) => Some(Constrained::compile(wanted, arguments.pretty)?),
        None => None,
    };
    let constraint_bytes = match &mut constrained {
        Some(constrained) => constrained.read_vocabulary(&arguments.model)?,
        None => 0,
    };
    let cache_file = CacheFile::open(&arguments.keeping, arguments.quiet)?;
    let machine = Machine::new(arguments.threads)?;
    let Run { context, kv_type, skipped, .. } = *arguments;
    let skipped = if cfg!(feature = "layers") { skipped } else { LayerSet::EMPTY };
    let (lookup, draft) = match cfg!(feature = "speculation") {
        true => (arguments.lookup, arguments.draft.as_deref()),
        false => (false, None),
    };
    let conversation = arguments.conversation.as_ref().filter(|_| cfg!(feature = "chat"));
    let draft_file = draft.map(ModelFile::open).transpose()?;
    let draft = draft_file.as_ref().map(|file| Draft::new(file, &machine, context)).transpose()?;
    let speculates = lookup || draft.is_some();
    let logit_rows = if speculates { MAX_DRAFT as u32 + 1 } else { 1 };
    let options = Options { context, kv_type, skipped, logit_rows, ..Options::default() };
    let draft_bytes = draft.as_ref().map_or(0, Draft::bytes);
    let beside_bytes = constraint_bytes.saturating_add(draft_bytes);
    let complete = |plan: Plan, file: &ModelFile, gguf: &Gguf<'_>| {
        let plan = plan.with_tokenizer(file, gguf)?.with_room_beside(beside_bytes);
        let context = plan.context();
        plan.with_sampler(file, &arguments.sampling.options(&[], context))
    };
    let file = ceiling::open(&arguments.model, arguments.ram, &machine, options, &complete)?;
    let gguf = file.gguf()?;
    ceiling::lock(&file, arguments)?;
    let plan = complete(Plan::new(&file, &gguf, &machine, options)?, &file, &gguf)?;
    let mut memory = plan.reserve()?;
    let mut arena = Arena::new(memory.as_mut_slice());
    let tokenizer = Tokenizer::new(&gguf, &mut arena).map_err(|error| file.failure(error))?;
    let mut session = plan.session(&file, &gguf, &machine, &mut arena)?;
    arguments.keeping.prepare(&mut session)?;
    arguments.sampling.check_bias(plan.config.n_vocab)?;
    let breakers = arguments.sampling.breaker_bits(&tokenizer)?;
    let choice = arguments.sampling.options(&breakers, session.context());
    let sampler = Sampler::new(choice, plan.config.n_vocab, &mut arena)
        .map_err(|error| Failure::new(error.to_string()))?;
    let chat = match conversation {
        Some(Conversation { template, .. }) => {
            Some(engine::chat(&file, &gguf, &tokenizer, template.as_deref())?)
        }
        None => None,
    };
    let constraint = match &mut constrained {
        Some(constrained) => Some(constrained.constraint(&tokenizer)?),
        None => None,
    };
    let interrupted = console::on_interrupt();
    let clock = MonotonicClock::new();
    let mut room = vec![0; if speculates { session.context() as usize } else { 0 }];
    let mut draft_memory = draft.as_ref().map(Draft::reserve).transpose()?;
    let mut drafter: Option<Box<dyn Drafter + '_>> = match (&draft, &mut draft_memory) {
        (Some(draft), Some(memory)) => {
            Some(Box::new(draft.load(&machine, &tokenizer, memory, &mut room)?))
        }
        _ if lookup => Some(Box::new(PromptLookup::new(&mut room))),
        _ => None,
    };
    let speculation = drafter.as_deref_mut().map(|drafter| Speculation::new(drafter, &clock));
    let mut generation = Generation {
        session,
        sampler,
        constraint,
        tokenizer: &tokenizer,
        speculation,
        interrupted,
    };
    if cfg!(feature = "chat")
        && interactive
        && let Some(chat) = chat
    {
        return chat::talk(arguments, generation, chat, file.line_bytes());
    }

    let tokens = prompt(arguments, &file, &tokenizer, chat)?;
    require_room(&tokens, &generation.session)?;
    if let Some(constraint) = &generation.constraint {
        require_budget(constraint, &generation.session, tokens.len(), arguments.max_tokens)?;
    }
    let (cache, reused) = match cache_file {
        Some(cache) => generation.restore(cache, &file, &gguf, &tokens)?,
        None => (None, 0),
    };
    let (finish, prefill, generated) = generation.write_on(&tokens, reused, arguments, &clock)?;

    if console::stderr_is_terminal() && console::stdout_is_terminal() {
        report::line(format_args!(""));
    }
    if finish == Finish::ContextFull {
        let context = generation.session.context();
        report::line(format_args!("picolm: stopped: the context of {context} tokens is full"));
    }
    if !arguments.quiet {
        generation.report(prefill, generated);
        report::line(format_args!("Memory: {}", ceiling::memory_line(&file, &plan)));
        if let Some(constraint) = &generation.constraint {
            report::line(format_args!("Constraint: {}", Bytes(constraint.bytes())));
        }
    }
    if let Some(cache) = cache {
        cache.save(&mut generation.session)?;
    }
    Ok(match finish {
        Finish::Interrupted | Finish::InterruptedInShift => Outcome::Interrupted,
        _ => Outcome::Done,
    })
}

/// The ids of what there is to write on from.
fn prompt(
    arguments: &Run,
    file: &ModelFile,
    tokenizer: &Tokenizer<'_>,
    chat: Option<Chat<'_>>,
) -> Result<Vec<u32>, Failure> {
    let prompt = engine::text(arguments.prompt.as_deref(), file.text_bytes())?;
    match (chat, &arguments.conversation) {
        (Some(chat), Some(conversation)) => opening(tokenizer, chat, conversation, &prompt),
        _ => engine::encode(tokenizer, &prompt, true, true),
    }
}

/// The ids of a conversation that begins with the user's `prompt`.
fn opening(
    tokenizer: &Tokenizer<'_>,
    chat: Chat<'_>,
    conversation: &Conversation,
    prompt: &[u8],
) -> Result<Vec<u32>, Failure> {
    let system = conversation.system.as_deref().map(|text| Message { role: Role::System, text });
    let user = Message { role: Role::User, text: prompt };
    let messages: Vec<_> = system.into_iter().chain([user]).collect();
    let mut segments = Vec::new();
    chat.render(&messages, false, &mut |segment| segments.push(segment));
    engine::encode_segments(tokenizer, &segments, true)
}

/// A prompt without tokens has no next one, and one that is longer than the context no place.
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
