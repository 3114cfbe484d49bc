//! The command line: what was asked for, checked before anything is opened.
//!
//! A drop-in for PicoLM's options (`MODEL -p -n -t -k -s -c -j`), with long names, and the commands
//! beside it. Every bad value is a usage error that names the option.

mod decimal;
mod escape;
mod help;
pub(crate) mod keeping;
mod options;
pub(crate) mod sampling;

use crate::report::Failure;
use escape::{escaped_text, unescape};
pub(crate) use help::HELP;
use keeping::Keeping;
use options::{Options, size, unknown};
use picolm_core::model::LayerSet;
use picolm_core::quant::KvType;
use sampling::Sampling;
use std::ffi::OsString;
use std::path::PathBuf;

/// What was asked for.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    #[cfg(feature = "samplers")]
    HelpSampling,
    Version,
    /// In a box: it has many more settings than the others.
    Run(Box<Run>),
    /// The same without a prompt.
    #[cfg(feature = "chat")]
    Chat(Box<Run>),
    Info(Info),
    #[cfg(feature = "logits")]
    Tokenize(Tokenize),
    #[cfg(feature = "logits")]
    Logits(Logits),
    #[cfg(feature = "perplexity")]
    Perplexity(Perplexity),
    #[cfg(feature = "bench")]
    Bench(Bench),
}

/// How much memory the program may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ram {
    /// As much as it likes; where the model does not fit in what is available, that.
    #[default]
    Unasked,
    /// What is available.
    Auto,
    /// At most so many bytes.
    Bytes(u64),
}

/// Write on from a prompt.
#[derive(Debug, PartialEq)]
pub(crate) struct Run {
    pub(crate) model: PathBuf,
    /// Blocks that are left out.
    pub(crate) skipped: LayerSet,
    /// `None` for stdin.
    pub(crate) prompt: Option<Vec<u8>>,
    /// `None` for a prompt that is taken as it is.
    pub(crate) conversation: Option<Conversation>,
    /// Whether to draft from earlier text.
    pub(crate) lookup: bool,
    /// A model to draft by.
    pub(crate) draft: Option<PathBuf>,
    /// Texts that end the answer.
    pub(crate) stop: Vec<Vec<u8>>,
    pub(crate) max_tokens: u32,
    pub(crate) sampling: Sampling,
    /// What the text must be.
    pub(crate) constraint: Option<Wanted>,
    /// Lines of JSON may break.
    pub(crate) pretty: bool,
    pub(crate) keeping: Keeping,
    /// 0 for the default.
    pub(crate) context: u32,
    pub(crate) kv_type: KvType,
    pub(crate) ram: Ram,
    /// Whether the model is to stay in memory.
    pub(crate) lock: bool,
    /// 0 for all usable cores.
    pub(crate) threads: usize,
    pub(crate) quiet: bool,
}

/// What a text must be.
#[derive(Debug, PartialEq)]
pub(crate) enum Wanted {
    /// A JSON object or array.
    Json,
    /// What a JSON Schema says: the schema itself, or the path of its file.
    #[cfg(feature = "grammar")]
    Schema(OsString),
    /// What a GBNF file says.
    #[cfg(feature = "grammar")]
    Grammar(PathBuf),
}

impl Wanted {
    fn is_json(&self) -> bool {
        match self {
            Self::Json => true,
            #[cfg(feature = "grammar")]
            Self::Schema(_) => true,
            #[cfg(feature = "grammar")]
            Self::Grammar(_) => false,
        }
    }
}

/// How to talk with the model.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Conversation {
    /// `None` for the model's own.
    pub(crate) template: Option<String>,
    /// `None` for what the template says.
    pub(crate) system: Option<Vec<u8>>,
}

/// What the model is.
#[derive(Debug, PartialEq)]
pub(crate) struct Info {
    pub(crate) model: PathBuf,
    /// Blocks that are left out.
    pub(crate) skipped: LayerSet,
    pub(crate) context: u32,
    pub(crate) kv_type: KvType,
    pub(crate) ram: Ram,
}

/// Text to ids.
#[derive(Debug, PartialEq)]
pub(crate) struct Tokenize {
    pub(crate) model: PathBuf,
    /// `None` for stdin.
    pub(crate) text: Option<Vec<u8>>,
    /// Whether special tokens are added and recognised.
    pub(crate) special: bool,
}

/// Scores of given ids.
#[derive(Debug, PartialEq)]
pub(crate) struct Logits {
    pub(crate) model: PathBuf,
    /// Blocks that are left out.
    pub(crate) skipped: LayerSet,
    pub(crate) tokens: Vec<u32>,
    pub(crate) all: bool,
    pub(crate) context: u32,
    pub(crate) kv_type: KvType,
    pub(crate) ram: Ram,
    pub(crate) threads: usize,
}

/// Perplexity of a text.
#[derive(Debug, PartialEq)]
pub(crate) struct Perplexity {
    pub(crate) model: PathBuf,
    /// Blocks that are left out.
    pub(crate) skipped: LayerSet,
    pub(crate) file: PathBuf,
    /// Tokens of a window.
    pub(crate) window: u32,
    pub(crate) kv_type: KvType,
    pub(crate) ram: Ram,
    pub(crate) threads: usize,
    pub(crate) quiet: bool,
}

/// Tokens per second.
#[derive(Debug, PartialEq)]
pub(crate) struct Bench {
    pub(crate) model: PathBuf,
    /// Blocks that are left out.
    pub(crate) skipped: LayerSet,
    pub(crate) prompt_tokens: u32,
    pub(crate) generated_tokens: u32,
    /// Positions that are filled before generated tokens are timed.
    pub(crate) depth: u32,
    pub(crate) repetitions: u32,
    pub(crate) kv_type: KvType,
    pub(crate) ram: Ram,
    pub(crate) threads: usize,
    /// Only the reading of the file.
    pub(crate) bandwidth_only: bool,
    pub(crate) json: bool,
}

/// Smallest window of [`Perplexity`]: of 4 tokens, the second half predicts one.
const SMALLEST_WINDOW: u32 = 4;

/// What `arguments` (without the program's name) ask for.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    let mut arguments = arguments.into_iter().peekable();
    let command = arguments.peek().and_then(|first| first.to_str()).and_then(|name| match name {
        "info" => Some(parse_info as fn(Options) -> Result<Command, Failure>),
        #[cfg(feature = "chat")]
        "chat" => Some(parse_chat),
        #[cfg(feature = "logits")]
        "tokenize" => Some(parse_tokenize),
        #[cfg(feature = "logits")]
        "logits" => Some(parse_logits),
        #[cfg(feature = "perplexity")]
        "perplexity" => Some(parse_perplexity),
        #[cfg(feature = "bench")]
        "bench" => Some(parse_bench),
        _ => None,
    });
    if command.is_some() {
        arguments.next();
    }
    command.unwrap_or(parse_run)(Options::new(arguments))
}

fn parse_run(options: Options) -> Result<Command, Failure> {
    parse_text(options, None, 256, Command::Run)
}

#[cfg(feature = "chat")]
fn parse_chat(options: Options) -> Result<Command, Failure> {
    parse_text(options, Some(Conversation::default()), 1024, Command::Chat)
}

/// The options of the commands that write text; those of a prompt only where there is no
/// conversation to begin with.
fn parse_text(
    mut options: Options,
    conversation: Option<Conversation>,
    max_tokens: u32,
    command: impl FnOnce(Box<Run>) -> Command,
) -> Result<Command, Failure> {
    let has_prompt = conversation.is_none();
    let mut run = Run {
        model: PathBuf::new(),
        skipped: LayerSet::EMPTY,
        prompt: None,
        conversation,
        lookup: false,
        draft: None,
        stop: Vec::new(),
        max_tokens,
        sampling: Sampling::default(),
        constraint: None,
        pretty: false,
        keeping: Keeping::default(),
        context: 0,
        kv_type: KvType::F16,
        ram: Ram::Unasked,
        lock: false,
        threads: 0,
        quiet: false,
    };
    let mut escapes = false;
    while let Some(option) = options.next()? {
        match option.as_str() {
            "-p" | "--prompt" if has_prompt => run.prompt = Some(options.bytes(&option)?),
            #[cfg(feature = "escapes")]
            "-e" | "--escape" if has_prompt => escapes = true,
            #[cfg(feature = "chat")]
            "--chat" => {
                run.conversation.get_or_insert_default();
            }
            #[cfg(feature = "chat")]
            "--system" => {
                run.conversation.get_or_insert_default().system = Some(options.bytes(&option)?);
            }
            #[cfg(feature = "chat")]
            "--chat-template" => {
                let name = options.value(&option)?.to_string_lossy().into_owned();
                run.conversation.get_or_insert_default().template = Some(name);
            }
            #[cfg(feature = "speculation")]
            "--lookup" => run.lookup = true,
            #[cfg(feature = "speculation")]
            "--draft" => run.draft = Some(PathBuf::from(options.value(&option)?)),
            #[cfg(feature = "stop")]
            "--stop" => run.stop.push(options.stop_text(&option)?),
            "-n" | "--max-tokens" => run.max_tokens = options.integer(&option, 0)?,
            "-c" | "--context" => run.context = options.integer(&option, 1)?,
            "--kv" => run.kv_type = options.kv_type(&option)?,
            "--ram" => run.ram = options.ram(&option)?,
            #[cfg(feature = "lock")]
            "--lock" => run.lock = true,
            "-j" | "--threads" => run.threads = options.integer(&option, 1)?,
            "--quiet" => run.quiet = true,
            "--json" => run.constrain(Wanted::Json)?,
            #[cfg(feature = "grammar")]
            "--schema" => run.constrain(Wanted::Schema(options.some(&option)?))?,
            #[cfg(feature = "grammar")]
            "--grammar" => run.constrain(Wanted::Grammar(options.some(&option)?.into()))?,
            #[cfg(feature = "pretty")]
            "--pretty" => run.pretty = true,
            #[cfg(feature = "layers")]
            "--skip-layers" => run.skipped = options.layers(&option)?,
            _ if run.sampling.take(&option, &mut options)? => {}
            _ if run.keeping.take(&option, &mut options)? => {}
            _ => return Err(unknown(&option)),
        }
    }
    if run.constraint.is_some() && !run.stop.is_empty() {
        return Err(Failure::usage("--stop: the constraint says where the text ends"));
    }
    if run.pretty && !run.constraint.as_ref().is_some_and(Wanted::is_json) {
        return Err(Failure::usage("--pretty: goes with --json or --schema"));
    }
    if run.lookup && run.draft.is_some() {
        return Err(Failure::usage("--draft: goes without --lookup"));
    }
    if options.stop.is_none() {
        run.keeping.check(has_prompt, run.constraint.is_some())?;
    }
    if escapes {
        run.prompt = Some(unescape(escaped_text(run.prompt.as_deref())?));
    }
    options.finish(|model| command(Box::new(Run { model, ..run })))
}

impl Run {
    fn constrain(&mut self, wanted: Wanted) -> Result<(), Failure> {
        match self.constraint.replace(wanted) {
            None => Ok(()),
            Some(_) => Err(Failure::usage("one constraint at a time")),
        }
    }
}

fn parse_info(mut options: Options) -> Result<Command, Failure> {
    let (mut context, mut ram) = (0, Ram::Unasked);
    let (mut kv_type, mut skipped) = (KvType::F16, LayerSet::EMPTY);
    while let Some(option) = options.next()? {
        match option.as_str() {
            "-c" | "--context" => context = options.integer(&option, 1)?,
            "--kv" => kv_type = options.kv_type(&option)?,
            "--ram" => ram = options.ram(&option)?,
            #[cfg(feature = "layers")]
            "--skip-layers" => skipped = options.layers(&option)?,
            _ => return Err(unknown(&option)),
        }
    }
    options.finish(|model| Command::Info(Info { model, skipped, context, kv_type, ram }))
}

#[cfg(feature = "logits")]
fn parse_tokenize(mut options: Options) -> Result<Command, Failure> {
    let (mut text, mut special, mut escapes) = (None, true, false);
    while let Some(option) = options.next()? {
        match option.as_str() {
            "-p" | "--prompt" => text = Some(options.bytes(&option)?),
            "-e" | "--escape" => escapes = true,
            "--no-special" => special = false,
            _ => return Err(unknown(&option)),
        }
    }
    if escapes {
        text = Some(unescape(escaped_text(text.as_deref())?));
    }
    options.finish(|model| Command::Tokenize(Tokenize { model, text, special }))
}

#[cfg(feature = "logits")]
fn parse_logits(mut options: Options) -> Result<Command, Failure> {
    let (mut tokens, mut all, mut context, mut threads) = (Vec::new(), false, 0, 0);
    let (mut kv_type, mut skipped) = (KvType::F16, LayerSet::EMPTY);
    let mut ram = Ram::Unasked;
    while let Some(option) = options.next()? {
        match option.as_str() {
            "--tokens" => tokens = options.ids(&option)?,
            "--all" => all = true,
            "-c" | "--context" => context = options.integer(&option, 1)?,
            "--kv" => kv_type = options.kv_type(&option)?,
            "--ram" => ram = options.ram(&option)?,
            "-j" | "--threads" => threads = options.integer(&option, 1)?,
            "--skip-layers" => skipped = options.layers(&option)?,
            _ => return Err(unknown(&option)),
        }
    }
    if tokens.is_empty() && options.stop.is_none() {
        return Err(Failure::usage("logits: give ids: --tokens 1,2,3"));
    }
    options.finish(|model| {
        let logits = Logits { model, skipped, tokens, all, context, kv_type, ram, threads };
        Command::Logits(logits)
    })
}

#[cfg(feature = "perplexity")]
fn parse_perplexity(mut options: Options) -> Result<Command, Failure> {
    let (mut file, mut window, mut threads, mut quiet) = (None, 512, 0, false);
    let (mut kv_type, mut skipped) = (KvType::F16, LayerSet::EMPTY);
    let mut ram = Ram::Unasked;
    while let Some(option) = options.next()? {
        match option.as_str() {
            "-f" | "--file" => file = Some(PathBuf::from(options.value(&option)?)),
            "-c" | "--context" => window = options.integer(&option, SMALLEST_WINDOW)?,
            "--kv" => kv_type = options.kv_type(&option)?,
            "--ram" => ram = options.ram(&option)?,
            "-j" | "--threads" => threads = options.integer(&option, 1)?,
            "--quiet" => quiet = true,
            "--skip-layers" => skipped = options.layers(&option)?,
            _ => return Err(unknown(&option)),
        }
    }
    if file.is_none() && options.stop.is_none() {
        return Err(Failure::usage("perplexity: give a text: -f FILE"));
    }
    let file = file.unwrap_or_default();
    options.finish(|model| {
        let perplexity = Perplexity { model, skipped, file, window, kv_type, ram, threads, quiet };
        Command::Perplexity(perplexity)
    })
}

#[cfg(feature = "bench")]
fn parse_bench(mut options: Options) -> Result<Command, Failure> {
    let mut bench = Bench {
        model: PathBuf::new(),
        skipped: LayerSet::EMPTY,
        prompt_tokens: 128,
        generated_tokens: 32,
        depth: 0,
        repetitions: 5,
        kv_type: KvType::F16,
        ram: Ram::Unasked,
        threads: 0,
        bandwidth_only: false,
        json: false,
    };
    while let Some(option) = options.next()? {
        match option.as_str() {
            "-p" | "--prompt-tokens" => bench.prompt_tokens = options.integer(&option, 0)?,
            "-n" | "--max-tokens" => bench.generated_tokens = options.integer(&option, 0)?,
            "--depth" => bench.depth = options.integer(&option, 0)?,
            "-r" | "--repetitions" => bench.repetitions = options.integer(&option, 1)?,
            "--kv" => bench.kv_type = options.kv_type(&option)?,
            "--ram" => bench.ram = options.ram(&option)?,
            "-j" | "--threads" => bench.threads = options.integer(&option, 1)?,
            "--bandwidth" => bench.bandwidth_only = true,
            "--json" => bench.json = true,
            "--skip-layers" => bench.skipped = options.layers(&option)?,
            _ => return Err(unknown(&option)),
        }
    }
    if bench.depth.checked_add(bench.generated_tokens).is_none() {
        return Err(Failure::usage("--depth: more positions than there can be"));
    }
    options.finish(|model| Command::Bench(Bench { model, ..bench }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, Failure> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn refused(line: &str) -> String {
        let failure = parsed(line).unwrap_err();
        assert_eq!(failure.exit_code(), 2, "{line}");
        failure.to_string()
    }

    #[test]
    fn run_has_picolms_options_and_defaults() {
        let Command::Run(run) = parsed("m.gguf").unwrap() else { panic!() };
        assert_eq!((run.max_tokens, run.context), (256, 0));
        let choice = run.sampling.options(&[], 9);
        assert_eq!((choice.temperature, choice.top_p, choice.seed), (0.8, 0.9, 42));
        assert_eq!(run.prompt, None);
        let line = "m.gguf -p hi -n 5 -t 0 -k 1 -s 7 -c 100 -j 4 --quiet";
        let Command::Run(run) = parsed(line).unwrap() else { panic!() };
        assert_eq!((run.max_tokens, run.context), (5, 100));
        let choice = run.sampling.options(&[], 9);
        assert_eq!((choice.temperature, choice.top_p, choice.seed), (0.0, 1.0, 7));
        assert_eq!((run.prompt.as_deref(), run.threads, run.quiet), (Some(&b"hi"[..]), 4, true));
        let long = "--prompt=hi --max-tokens=5 --temperature=0 --top-p=1 --seed=7 --context=100 \
                    --threads=4 --quiet -- m.gguf";
        assert_eq!(parsed(long), parsed(line));
    }

    #[test]
    fn bad_numbers_are_usage_errors_that_name_the_option() {
        for (line, option) in [
            ("m -n abc", "-n: 'abc'"),
            ("m -n -5", "-n: '-5'"),
            ("m -n 99999999999", "-n: '99999999999'"),
            ("m -t nan", "-t: 'nan'"),
            ("m -t -1", "-t: '-1'"),
            ("m -t inf", "-t: 'inf'"),
            ("m -k 2", "-k: '2'"),
            ("m -k 0", "-k: '0'"),
            ("m -s x", "-s: 'x'"),
            ("m -c 0", "-c: '0'"),
            ("m -j 0", "-j: '0'"),
            ("m --kv f32", "--kv: 'f32' is none of f16, q8_0, q4_0"),
            ("m --seed= ", "--seed: ''"),
            ("m -n", "-n: a value is missing"),
            ("logits m --tokens 1,x", "--tokens: 'x'"),
            ("logits m --tokens 1,-2", "--tokens: '-2'"),
            ("perplexity m -f t -c 3", "-c: '3'"),
            ("bench m -r 0", "-r: '0'"),
            ("m --ram 0", "--ram: '0'"),
            ("m --ram M", "--ram: 'M'"),
            ("m --ram 1.5G", "--ram: '1.5G'"),
            ("m --ram 99999999999G", "--ram: '99999999999G'"),
            ("info m --ram", "--ram: a value is missing"),
            ("bench m --depth x", "--depth: 'x'"),
            ("bench m --depth 4294967295", "--depth: more positions"),
            ("m --skip-layers 1,", "--skip-layers: ''"),
            ("perplexity m -f t --skip-layers 9-7", "--skip-layers: '9-7'"),
        ] {
            let message = refused(line);
            assert!(message.starts_with(option), "{line}: {message}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        for (text, ram) in [
            ("1", Ram::Bytes(1)),
            ("128K", Ram::Bytes(128 << 10)),
            ("256M", Ram::Bytes(256 << 20)),
            ("2g", Ram::Bytes(2 << 30)),
            ("auto", Ram::Auto),
        ] {
            let Ok(Command::Info(info)) = parsed(&format!("info m --ram {text}")) else { panic!() };
            assert_eq!(info.ram, ram);
        }
        let Ok(Command::Run(run)) = parsed("m --lock") else { panic!() };
        assert_eq!((run.ram, run.lock), (Ram::Unasked, true));
    }

    #[test]
    fn what_is_missing_or_too_much_is_said() {
        assert!(refused("").contains("no model"));
        assert!(refused("-p hi").contains("no model"));
        assert!(refused("m other").contains("'other'"));
        assert!(refused("m -z").contains("-z"));
        assert!(refused("m --prompts x").contains("--prompts"));
        assert!(refused("m --pretty").contains("--pretty: goes with --json"));
        assert!(refused("m --json --stop x").contains("--stop: the constraint"));
        assert!(refused("m --grammar g --pretty").contains("--pretty: goes with --json"));
        assert!(refused("m --json --grammar g").contains("one constraint"));
        assert!(refused("logits m").contains("--tokens"));
        assert!(refused("perplexity m").contains("-f FILE"));
        assert!(refused("m --quiet=yes").contains("quiet"));
    }

    #[test]
    fn a_first_argument_may_be_a_command() {
        assert!(matches!(parsed("info m"), Ok(Command::Info(_))));
        assert!(matches!(parsed("./info"), Ok(Command::Run(_))));
        assert!(matches!(parsed("-n 1 info"), Ok(Command::Run(_))));
        assert!(refused("info").contains("no model"));
        let line = "logits m --tokens 3,2 --all --kv q4_0";
        let Command::Logits(logits) = parsed(line).unwrap() else { panic!() };
        assert_eq!((logits.tokens, logits.all), (vec![3, 2], true));
        assert_eq!(logits.kv_type, KvType::Q4_0);
        let Command::Tokenize(tokenize) = parsed("tokenize m --no-special").unwrap() else {
            panic!()
        };
        assert!(!tokenize.special && tokenize.text.is_none());
        let line = "bench m -p 0 -n 7 --depth 100 -r 1 -j 2 --bandwidth --json";
        let Command::Bench(bench) = parsed(line).unwrap() else { panic!() };
        let numbers = (bench.prompt_tokens, bench.generated_tokens, bench.depth);
        assert_eq!(numbers, (0, 7, 100));
        assert_eq!((bench.repetitions, bench.threads), (1, 2));
        assert!(bench.bandwidth_only && bench.json);
        for command in ["", "info", "logits --tokens 1", "perplexity -f t", "bench"] {
            let skipping = |list| parsed(&format!("{command} m --skip-layers {list}")).unwrap();
            assert_eq!(skipping("3,7-9"), skipping("9,8,7,3"), "{command}");
            assert_ne!(skipping("3,7-9"), skipping("3,7"), "{command}");
        }
    }

    #[test]
    fn a_conversation_is_asked_for_by_any_of_its_options() {
        for line in ["m -p hi --chat", "m -p hi --system s", "m -p hi --chat-template chatml"] {
            let Command::Run(run) = parsed(line).unwrap() else { panic!() };
            assert!(run.conversation.is_some(), "{line}");
        }
        let Command::Chat(run) = parsed("chat m --system s --stop x --stop y -n 3").unwrap() else {
            panic!()
        };
        let system = run.conversation.unwrap().system;
        assert_eq!((system, run.max_tokens), (Some(b"s".to_vec()), 3));
        assert_eq!(run.stop, [b"x", b"y"]);
        assert!(refused("chat m -p hi").contains("-p"));
        assert!(refused("chat").contains("no model"));
        assert!(refused("m -p hi --lookup --draft n").contains("--draft"));
        assert!(refused("m --stop=").contains("--stop"));
        let Command::Run(run) = parsed("m -p hi").unwrap() else { panic!() };
        assert_eq!(run.conversation, None);
    }

    #[test]
    fn help_and_version_need_nothing_else() {
        for line in ["--help", "-h", "info --help", "logits -h", "m -n 5 --help", "perplexity -h"] {
            assert_eq!(parsed(line), Ok(Command::Help), "{line}");
        }
        assert_eq!(parsed("--version"), Ok(Command::Version));
        assert_eq!(parsed("-V -z"), Ok(Command::Version));
    }

    #[test]
    fn escapes_are_cs() {
        assert_eq!(unescape(br"a\nb\tc\\n\x41\xe9\r\q\x4"), b"a\nb\tc\\nA\xe9\r\\q\\x4");
        assert_eq!(unescape(b"\\"), b"\\");
        let Command::Run(run) = parsed(r"m -e -p a\nb").unwrap() else { panic!() };
        assert_eq!(run.prompt.as_deref(), Some(&b"a\nb"[..]));
        let Command::Run(run) = parsed(r"m -p a\nb").unwrap() else { panic!() };
        assert_eq!(run.prompt.as_deref(), Some(&br"a\nb"[..]));
    }
}
