//! `picolm serve`: answers over HTTP, in the form of OpenAI's API.
//!
//! Three threads, so that each goes on while another is busy:
//!
//! - `connections` and `route` speak HTTP (hyper, on a tokio runtime of one thread): `guard` says
//!   who may ask, `answer` and `body` write the answers, `log` a line of each.
//! - `prepare` understands bodies (`request`, `prompt`): JSON, tokens, grammars.
//! - `batch` computes: `placement` chooses a slot for each text, `blocks` where its keys and values
//!   lie, `write` is a text in progress. `keep` writes texts to files for the next run: `store`
//!   knows these, and `written` how many more bytes there may be today. A model that makes vectors
//!   has `vectors` instead.
//!
//! What they hand to each other is in `job`.

mod agent_order;
mod answer;
mod batch;
mod blocks;
mod body;
mod calls;
mod connections;
mod error;
mod guard;
mod job;
mod keep;
mod log;
mod metrics;
mod placement;
mod prepare;
mod prompt;
mod request;
mod route;
mod store;
mod template;
mod tools;
mod vectors;
mod write;
mod written;

use crate::args::Serve;
use crate::ceiling;
use crate::command::Outcome;
use crate::engine::{self, Machine, Model, ModelFile, Needs, Plan, Source, reserve, text};
use crate::platform::console;
use crate::report::{self, Bytes, Failure};
use batch::Batch;
use connections::accept;
use core::cell::RefCell;
use core::sync::atomic::AtomicU64;
use guard::Guard;
use job::{Job, Quit};
use keep::Keeper;
use metrics::Metrics;
use picolm_core::chat::Chat;
use picolm_core::mem::Arena;
use picolm_core::session::Fingerprint;
use picolm_core::tokenizer::Tokenizer;
use prepare::Prepare;
use prompt::Forms;
use route::{ModelCard, State};
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, OnceLock};
use store::Store;
use template::ChatTemplate;
use tokio::sync::Semaphore;
use tools::Spelling;
use write::{Desk, Seat};

/// Requests that wait for each slot.
const QUEUED_PER_SLOT: usize = 4;

/// Longest body, and bytes of it that a token may take: escapes and the names of fields are more
/// than text.
const MAX_BODY_BYTES: u64 = 1 << 20;
const BODY_BYTES_PER_TOKEN: u64 = 64;
const LEAST_BODY_BYTES: u64 = 64 << 10;

/// Memory of the server itself: threads, connections and bodies that are being read.
const SERVER_BYTES: u64 = 3 << 20;

/// Memory of a text beside the engine's: a sampler's numbers of each token, twice, and a
/// constraint's masks.
const TEXT_BYTES_PER_TOKEN: u64 = 4 + 4 + 16;

/// Serves until the program is told to end.
pub(crate) fn serve(arguments: &Serve) -> Result<Outcome, Failure> {
    let guard = Guard::new(&arguments.host, arguments.key_file.as_deref())?;
    let addresses = guard.addresses(arguments.port)?;
    let machine = Machine::new(arguments.engine.threads)?;
    let file = ModelFile::open(&arguments.engine.model)?;
    let gguf = file.gguf()?;
    let model = Model::of(&machine, &file, &gguf, arguments.engine.skipped)?;
    let listener = TcpListener::bind(&addresses[..]).map_err(|error| unbound(arguments, &error))?;
    let store = arguments.cache.as_ref().map(Store::open).transpose()?;
    load(arguments, guard, listener, &model, store)
}

/// Why the server cannot listen, and what to do about it.
fn unbound(Serve { host, port, .. }: &Serve, error: &io::Error) -> Failure {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => ": give another port, --port N (0: any that is free)",
        io::ErrorKind::PermissionDenied => ": give a port above 1023, --port N",
        io::ErrorKind::AddrNotAvailable => ": give an address of this machine, --host ADDRESS",
        _ => "",
    };
    Failure::new(format_args!("{host}:{port}: {error}{advice}"))
}

/// Loads tokenizer and engine, and begins to serve.
fn load(
    arguments: &Serve,
    guard: Guard,
    listener: TcpListener,
    model: &Model<'_>,
    store: Option<Store>,
) -> Result<Outcome, Failure> {
    let config = model.layout.config();
    let text_plan = text::plan(model.file, model.gguf)?;
    let mut text_memory = reserve(&text_plan)?;
    let mut arena = Arena::new(text_memory.as_mut_slice());
    let tokenizer = text::tokenizer_in(model.file, model.gguf, &mut arena)?;
    let embeds = config.pooling.is_some() || !config.is_causal;
    let slots = if embeds { 1 } else { arguments.slots };
    if embeds && store.is_some() {
        // No error: a service is set up before anyone knows what its model makes.
        report::line(format_args!("picolm: --cache-dir: not used: this model makes vectors"));
    }

    let options = arguments.engine.options(slots);
    let context = model.context(options.context);
    let options = if embeds { model.for_vectors(options, context)? } else { options };
    let of_texts = u64::from(slots) * u64::from(config.n_vocab) * TEXT_BYTES_PER_TOKEN;
    let other_bytes = SERVER_BYTES.saturating_add(of_texts);
    let sequences = if embeds { 0 } else { slots };
    let needs = Needs { options, sequences, text: text_plan, other_bytes };
    let source = ceiling::open(model, Plan::new(model, needs)?, arguments.engine.ram)?;
    let mut memory = source.plan.reserve()?;
    let (tree, metrics) = (OnceLock::new(), Metrics::default());
    let metrics = Arc::new(metrics);
    let chat = chat(arguments, model, &tokenizer)?;
    let card = card(arguments, &source, context, slots, chat);
    let forms = forms(arguments, model, &tokenizer, chat);
    let vector_len = if embeds { 1 } else { 0 };
    let mut prepare = Prepare {
        tokenizer: &tokenizer,
        forms,
        tree: &tree,
        known: Mutex::default(),
        said: Mutex::default(),
        context,
        vector_len,
    };
    let server = Server { arguments, guard, listener, card, metrics: metrics.clone() };
    if embeds {
        let session = source.session(&mut memory)?;
        prepare.vector_len = session.vector_len();
        return server.run(&prepare, |jobs, quit| vectors::run(session, jobs, quit, &metrics));
    }
    let (engine, sequences) = source.engine(&mut memory)?;
    let seats = sequences.into_iter().map(Seat::new).collect();
    let desk = Desk { engine: RefCell::new(engine), tokenizer: &tokenizer, tree: &tree, seats };
    let keeper = match store {
        Some(store) => {
            let model = fingerprint(&source)?;
            Some(Keeper::new(&desk, &metrics, model, store, source.ceiling.is_some()))
        }
        None => None,
    };
    server.run(&prepare, |jobs, quit| Batch::new(&desk, &metrics, keeper).run(jobs, quit))
}

/// What tells the model's texts from those of others.
fn fingerprint(source: &Source<'_>) -> Result<Fingerprint, Failure> {
    let Model { file, gguf, .. } = source.model;
    Fingerprint::of(gguf, source.contents().weights()).map_err(|error| file.failure(error))
}

/// The form of conversations. A model without one that is known completes prompts nevertheless.
fn chat<'m>(
    arguments: &Serve,
    model: &Model<'m>,
    tokenizer: &Tokenizer<'m>,
) -> Result<Option<Chat<'m>>, Failure> {
    let given = &arguments.conversation;
    match engine::chat(model, tokenizer, given) {
        Ok(chat) => Ok(Some(chat)),
        Err(failure) if given.template.is_some() || given.thinks.is_some() => Err(failure),
        Err(_) => Ok(None),
    }
}

/// What conversations look like. A template that cannot be run is said, and counts for nothing.
fn forms<'m>(
    arguments: &Serve,
    model: &Model<'m>,
    tokenizer: &Tokenizer<'m>,
    chat: Option<Chat<'m>>,
) -> Forms<'m> {
    let given = &arguments.conversation;
    let text = |token: Option<u32>| {
        let raw = token.map_or(&b""[..], |token| tokenizer.raw_text(token));
        String::from_utf8_lossy(raw).into_owned()
    };
    let source = model.gguf.string("tokenizer.chat_template").ok().flatten();
    let source = source.filter(|_| given.template.is_none());
    let template = source.and_then(|source| {
        let source = String::from_utf8_lossy(source);
        let made = ChatTemplate::new(&source, &text(tokenizer.bos()), &text(tokenizer.eos()));
        made.inspect_err(|error| {
            let line = format!("{}: {error}", model.file.path.display());
            report::line(format_args!("picolm: ignored: {}", report::printable(&line)));
        })
        .ok()
    });
    let spelling = template.as_ref().map_or_else(Spelling::told, Spelling::of);
    let volatile = arguments.agent_order.then(|| arguments.volatile.clone());
    Forms { chat, template, spelling, thinks: given.thinks, volatile }
}

fn card(
    arguments: &Serve,
    source: &Source<'_>,
    context: u32,
    slots: u32,
    chat: Option<Chat<'_>>,
) -> ModelCard {
    let stem = Path::new(&arguments.engine.model).file_stem().unwrap_or_default();
    let options = &source.plan.needs.options;
    ModelCard {
        name: report::printable(&stem.to_string_lossy()),
        file_bytes: source.model.file.file_bytes(),
        context,
        slots,
        started: route::now(),
        embeds: options.logit_rows == 0,
        chat_form: chat.map(|chat| chat.name()),
    }
}

/// A server that is about to begin.
struct Server<'s> {
    arguments: &'s Serve,
    guard: Guard,
    listener: TcpListener,
    card: ModelCard,
    metrics: Arc<Metrics>,
}

impl Server<'_> {
    /// Serves; `compute` does the jobs that come, until no more can or it is told to end.
    fn run(
        self,
        prepare: &Prepare<'_, '_>,
        compute: impl FnOnce(&Receiver<Job>, &Quit),
    ) -> Result<Outcome, Failure> {
        let Self { arguments, guard, listener, card, metrics } = self;
        let failure = |error: io::Error| Failure::new(format_args!("serve: {error}"));
        let address = listener.local_addr().map_err(failure)?;
        listener.set_nonblocking(true).map_err(failure)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(failure)?;
        let ends = console::on_interrupt();
        let quit = Quit::default();
        let (tasks, of_tasks) = mpsc::channel();
        let (jobs, of_jobs) = mpsc::channel();
        let places = card.slots as usize * (1 + QUEUED_PER_SLOT);
        let (name, slots, context) = (card.name.clone(), card.slots, card.context);
        let limit_bytes =
            (u64::from(context) * BODY_BYTES_PER_TOKEN).clamp(LEAST_BODY_BYTES, MAX_BODY_BYTES);
        let state = Arc::new(State {
            guard,
            connections: connections::Connections::default(),
            metrics,
            tasks,
            queue: Arc::new(Semaphore::new(places)),
            limit_bytes,
            model: card,
            is_quiet: arguments.quiet,
            answers: AtomicU64::new(0),
        });
        report::line(format_args!(
            "picolm: {name} at http://{address}/v1: {slots} x {context} tokens, bodies up to {}",
            Bytes(limit_bytes)
        ));
        std::thread::scope(|scope| {
            scope.spawn(|| prepare.run(of_tasks, jobs));
            scope.spawn(|| {
                let is_done = runtime.block_on(async {
                    match tokio::net::TcpListener::from_std(listener) {
                        Ok(listener) => accept(listener, state, ends, &quit).await,
                        Err(error) => {
                            report::line(format_args!("picolm: serve: {error}"));
                            true
                        }
                    }
                });
                quit.end();
                if !is_done {
                    // A pass over a large model may take longer than a service manager waits, and
                    // its time is over.
                    report::line(format_args!("picolm: ended, with requests left unanswered"));
                    std::process::exit(0);
                }
                // Connections end here, and with them the other threads' work.
                drop(runtime);
            });
            compute(&of_jobs, &quit);
        });
        Ok(Outcome::Done)
    }
}
