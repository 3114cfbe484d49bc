//! The command line of `picolm serve`.

use super::command::Command;
use super::options::{Engine, Options, unknown};
use super::run::Conversation;
use crate::report::Failure;
use std::path::PathBuf;

/// Most texts that are written at the same time.
const MAX_SLOTS: u32 = 64;

/// Bytes to keep over restarts, and bytes to write a day, unless told otherwise. An SD card of 8 GB
/// that can be rewritten a thousand times lasts ten years.
const KEPT_BYTES: u64 = 1 << 30;
const WRITES_BYTES: u64 = 2 << 30;

/// Texts that are kept over restarts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CacheFolder {
    pub(crate) folder: PathBuf,
    /// Most bytes of its files.
    pub(crate) limit_bytes: u64,
    /// Most bytes that are written a day.
    pub(crate) writes_bytes: u64,
}

/// Answers requests over HTTP.
#[derive(Debug, PartialEq)]
pub(crate) struct Serve {
    pub(crate) engine: Engine,
    /// Name or address to listen at.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Texts that are written at the same time.
    pub(crate) slots: u32,
    /// A file with the key that every request must bring.
    pub(crate) key_file: Option<PathBuf>,
    pub(crate) cache: Option<CacheFolder>,
    /// Its system message is none: requests bring their own.
    pub(crate) conversation: Conversation,
    /// Whether what changes in the system message comes last, and what that is by its headings.
    pub(crate) agent_order: bool,
    pub(crate) volatile: Vec<String>,
    pub(crate) quiet: bool,
}

pub(super) fn parse_serve(mut options: Options) -> Result<Command, Failure> {
    let (mut host, mut port, mut slots, mut quiet) = (String::from("127.0.0.1"), 8080, 1, false);
    let (mut key_file, mut conversation) = (None, Conversation::default());
    let (mut agent_order, mut volatile) = (false, Vec::new());
    let (mut folder, mut kept, mut writes) = (None, None, None);
    while let Some(option) = options.next()? {
        match option.as_str() {
            "--host" => host = options.some(&option)?.to_string_lossy().into_owned(),
            "--port" => port = options.port(&option)?,
            "--slots" => slots = options.slots(&option, MAX_SLOTS)?,
            "--api-key-file" => key_file = Some(options.some(&option)?.into()),
            "--chat-template" => {
                conversation.template = Some(options.value(&option)?.to_string_lossy().into());
            }
            "--think" => conversation.thinks = Some(options.on_or_off(&option)?),
            "-c" | "--context" => options.engine.context = options.integer(&option, 1)?,
            "-j" | "--threads" => options.engine.threads = options.threads(&option)?,
            "--cache-dir" => folder = Some(PathBuf::from(options.some(&option)?)),
            "--cache-max" => kept = Some(options.size(&option)?),
            "--cache-writes" => writes = Some(options.size(&option)?),
            "--agent-order" => agent_order = true,
            "--volatile" => volatile.push(options.some(&option)?.to_string_lossy().into_owned()),
            "--quiet" => quiet = true,
            _ if options.take(&option)? => {}
            _ => return Err(unknown(&option)),
        }
    }
    if !agent_order && !volatile.is_empty() {
        return Err(Failure::usage("--volatile: goes with --agent-order"));
    }
    if folder.is_none() && (kept.is_some() || writes.is_some()) {
        return Err(Failure::usage("--cache-max, --cache-writes: go with --cache-dir"));
    }
    let cache = folder.map(|folder| CacheFolder {
        folder,
        limit_bytes: kept.unwrap_or(KEPT_BYTES),
        writes_bytes: writes.unwrap_or(WRITES_BYTES),
    });
    if volatile.is_empty() {
        volatile.push(String::from("## Current Time"));
    }
    options.finish(|engine| {
        Command::Serve(Serve {
            engine,
            host,
            port,
            slots,
            key_file,
            cache,
            conversation,
            agent_order,
            volatile,
            quiet,
        })
    })
}
