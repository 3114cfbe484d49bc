//! The command line, by bytes, checked before anything is opened.
//!
//! Values stand behind their option, in the same argument or in the next: `-n5`, `-n=5`, `-n 5`,
//! `--max-tokens=5`, `--max-tokens 5`. Behind `--` all is model.

use crate::ceiling::Ram;
use crate::decimal::{fraction, size, whole};
use crate::failure::Failure;
use core::ffi::CStr;
use picolm_core::grammar::json::Root;
use picolm_core::mem::MAX_WORKERS;
use picolm_core::quant::KvType;
use picolm_core::sampler::SamplerOptions;
use picolm_linux::bare::start::Arguments;

/// What `--help` prints.
pub(crate) const HELP: &str = "\
picolm: runs GGUF language models on small machines (the smallest program)

usage: picolm MODEL.gguf [-p PROMPT] [options]    write on from a prompt
       picolm info MODEL.gguf [-c N] [--kv TYPE]  what the model is and the memory it needs

  -p, --prompt TEXT        the prompt; without it, all of stdin
  -n, --max-tokens N       write at most N tokens                        [256]
  -t, --temperature T      0 always takes the likeliest token            [0.8]
  -k, --top-p P            keep the likeliest tokens that hold share P   [0.9]
  -s, --seed S             same seed, same text                          [42]
  -c, --context N          tokens of prompt and text    [the model's, up to 2048]
      --kv TYPE            keys and values as f16, q8_0 (half the memory) or q4_0  [f16]
  -j, --threads N          at most 32                           [usable cores]
      --ram SIZE           take at most this much memory (256M, 1.5G; auto: what is free)
      --cache FILE         keep the text there: the next prompt skips what it shares
      --json [value]       write a JSON object, or any value: always whole, within -n
      --quiet              no statistics on stderr
  -h, --help               this text
  -V, --version            the version
";

/// What is asked for.
pub(crate) enum Command {
    Help,
    Version,
    Info(Info),
    Run(Run),
}

/// Describes a model.
pub(crate) struct Info {
    pub(crate) model: &'static CStr,
    /// 0 for the default.
    pub(crate) context: u32,
    pub(crate) kv_type: KvType,
}

/// Continues a prompt.
pub(crate) struct Run {
    pub(crate) model: &'static CStr,
    /// `None` for stdin.
    pub(crate) prompt: Option<&'static [u8]>,
    pub(crate) max_tokens: u32,
    pub(crate) sampling: SamplerOptions<'static>,
    /// 0 for the default.
    pub(crate) context: u32,
    pub(crate) kv_type: KvType,
    /// The text must be JSON.
    pub(crate) json: Option<Root>,
    /// 0 for all usable cores.
    pub(crate) threads: usize,
    pub(crate) ram: Ram,
    pub(crate) quiet: bool,
    /// Where the text is kept.
    pub(crate) cache: Option<&'static CStr>,
}

/// An option.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    Prompt,
    MaxTokens,
    Temperature,
    TopP,
    Seed,
    Context,
    Threads,
    Ram,
    KvType,
    Cache,
    Json,
    Quiet,
    Help,
    Version,
}

impl Name {
    /// Whether `info` has it, too.
    fn is_of_info(self) -> bool {
        matches!(self, Self::Context | Self::KvType | Self::Help | Self::Version)
    }
}

/// Letters (0 for none), long names, and what they mean, one line each.
const NAMES: &[(u8, &[u8], Name)] = &[
    (b'p', b"prompt", Name::Prompt),
    (b'n', b"max-tokens", Name::MaxTokens),
    (b't', b"temperature", Name::Temperature),
    (b'k', b"top-p", Name::TopP),
    (b's', b"seed", Name::Seed),
    (b'c', b"context", Name::Context),
    (b'j', b"threads", Name::Threads),
    (0, b"ram", Name::Ram),
    (0, b"kv", Name::KvType),
    (0, b"cache", Name::Cache),
    (0, b"json", Name::Json),
    (0, b"quiet", Name::Quiet),
    (b'h', b"help", Name::Help),
    (b'V', b"version", Name::Version),
];

/// An option of the command line, and the value that stands in its argument.
struct Given {
    /// As it is written, for messages.
    text: &'static [u8],
    name: Name,
    value: Option<&'static CStr>,
}

/// Parses the arguments.
pub(crate) fn parse(mut arguments: Arguments) -> Result<Command, Failure> {
    let sampling =
        SamplerOptions { temperature: 0.8, top_p: 0.9, seed: 42, ..SamplerOptions::NEUTRAL };
    let (mut model, mut only_values) = (None, false);
    let mut ahead = arguments;
    let is_info = ahead.next().is_some_and(|first| first == c"info");
    if is_info {
        arguments = ahead;
    }
    let mut run = Run {
        model: c"",
        prompt: None,
        max_tokens: 256,
        sampling,
        context: 0,
        kv_type: KvType::F16,
        json: None,
        cache: None,
        threads: 0,
        ram: Ram::Unasked,
        quiet: false,
    };
    while let Some(argument) = arguments.next() {
        let text = argument.to_bytes();
        if text == b"--" && !only_values {
            only_values = true;
            continue;
        }
        if only_values || !text.starts_with(b"-") || text == b"-" {
            if model.replace(argument).is_some() {
                return Err(Failure::usage(text, "one model file is enough"));
            }
            continue;
        }
        let given = option(argument)?;
        if is_info && !given.name.is_of_info() {
            return Err(unknown(text));
        }
        match given.name {
            Name::Help => return Ok(Command::Help),
            Name::Version => return Ok(Command::Version),
            Name::Quiet if given.value.is_some() => {
                return Err(Failure::usage(text, "the option takes no value"));
            }
            Name::Quiet => run.quiet = true,
            Name::Json => {
                let root = json_root(&given, &mut arguments, model.is_some())?;
                if run.json.replace(root).is_some() {
                    return Err(Failure::usage(text, "one constraint at a time"));
                }
            }
            _ => run.take(given, &mut arguments)?,
        }
    }
    run.model = model.ok_or(Failure::usage(b"", "no model: picolm MODEL.gguf -p PROMPT"))?;
    let Run { model, context, kv_type, .. } = run;
    Ok(if is_info { Command::Info(Info { model, context, kv_type }) } else { Command::Run(run) })
}

const fn unknown(text: &'static [u8]) -> Failure {
    Failure::usage(text, "unknown option (--help lists them)")
}

/// The option that an argument is.
fn option(argument: &'static CStr) -> Result<Given, Failure> {
    let text = argument.to_bytes();
    let (name, value_at) = if let Some(long) = text.strip_prefix(b"--") {
        let end = long.iter().position(|&byte| byte == b'=');
        let name = long.get(..end.unwrap_or(long.len())).unwrap_or_default();
        (NAMES.iter().find(|(_, it, _)| *it == name), end.map(|end| b"--".len() + end + 1))
    } else {
        let letter = text.get(1).copied().unwrap_or(0);
        let value_at = match text.get(2) {
            None => None,
            Some(b'=') => Some(3),
            Some(_) => Some(2),
        };
        (NAMES.iter().find(|(short, ..)| *short == letter && letter != 0), value_at)
    };
    let &(.., name) = name.ok_or(unknown(text))?;
    // The end of a string that ends in NUL is one, too.
    let rest = |at| argument.to_bytes_with_nul().get(at..);
    let value = value_at.and_then(rest).and_then(|rest| CStr::from_bytes_with_nul(rest).ok());
    Ok(Given { text, name, value })
}

/// What `--json` is to be: an object, or what the word behind it says. What is no option and cannot
/// be the model, since that is known, is meant as a word too.
fn json_root(given: &Given, rest: &mut Arguments, has_model: bool) -> Result<Root, Failure> {
    const WORD: &[u8] = b"value";
    let mut ahead = *rest;
    let next = ahead.next().map(CStr::to_bytes);
    let is_word = |text: &[u8]| has_model && !text.starts_with(b"-");
    match (given.value.map(CStr::to_bytes), next) {
        (Some(WORD), _) => Ok(Root::Value),
        (None, Some(WORD)) => {
            *rest = ahead;
            Ok(Root::Value)
        }
        (None, Some(text)) if is_word(text) => Err(unknown_word(given)),
        (None, _) => Ok(Root::Object),
        (Some(_), _) => Err(unknown_word(given)),
    }
}

const fn unknown_word(given: &Given) -> Failure {
    Failure::usage(given.text, "takes nothing or 'value'")
}

impl Run {
    /// Takes an option that has a value.
    fn take(&mut self, given: Given, arguments: &mut Arguments) -> Result<(), Failure> {
        let argument = given.value.or_else(|| arguments.next());
        let argument = argument.ok_or(Failure::usage(given.text, "a value is missing"))?;
        let value = argument.to_bytes();
        let integer = |least: u64, most: u64| {
            let number = whole(value).filter(|number| (least..=most).contains(number));
            number.ok_or(Failure::usage(given.text, "not a whole number in range"))
        };
        let number = |good: fn(f32) -> bool, wanted| {
            fraction(value).filter(|&number| good(number)).ok_or(Failure::usage(given.text, wanted))
        };
        let most = u64::from(u32::MAX);
        match given.name {
            Name::Prompt => self.prompt = Some(value),
            Name::MaxTokens => self.max_tokens = integer(0, most)? as u32,
            Name::Temperature => {
                self.sampling.temperature =
                    number(|t| t >= 0.0, "not a number from 0 on, of at most 7 digits")?;
            }
            Name::TopP => {
                let wanted = "not a number above 0 and at most 1, of at most 7 digits";
                self.sampling.top_p = number(|p| p > 0.0 && p <= 1.0, wanted)?;
            }
            Name::Cache => self.cache = Some(argument),
            Name::Seed => self.sampling.seed = integer(0, u64::MAX)?,
            Name::Context => self.context = integer(1, most)? as u32,
            Name::Threads => self.threads = integer(1, MAX_WORKERS as u64)? as usize,
            Name::Ram => {
                let wanted = "not a size: write 256M, 1.5G or auto";
                self.ram = match value {
                    b"auto" => Ram::Auto,
                    _ => Ram::Bytes(size(value).ok_or(Failure::usage(given.text, wanted))?),
                };
            }
            Name::KvType => {
                let named = |it: &KvType| it.name().as_bytes() == value;
                let unknown = Failure::usage(given.text, "none of f16, q8_0, q4_0");
                self.kv_type = KvType::ALL.into_iter().find(named).ok_or(unknown)?;
            }
            Name::Json | Name::Quiet | Name::Help | Name::Version => {}
        }
        Ok(())
    }
}
