//! Options as every command reads them: names, values, and what is wrong with either.

use crate::layers;
use crate::platform::console;
use crate::report::Failure;
use lexopt::{Arg, Parser, ValueExt};
use picolm_core::grammar::json::Root;
use picolm_core::mem::MAX_WORKERS;
use picolm_core::model::LayerSet;
use picolm_core::quant::KvType;
use picolm_core::session::{self, MAX_STOP_TEXT_BYTES};
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// A model, and options of its engine.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Engine {
    pub(crate) model: PathBuf,
    /// Blocks that are left out.
    pub(crate) skipped: LayerSet,
    /// Positions; 0 for the default.
    pub(crate) context: u32,
    pub(crate) kv_type: KvType,
    pub(crate) ram: Ram,
    /// Workers; 0 for all usable cores.
    pub(crate) threads: usize,
}

impl Engine {
    /// The engine's size, with logits for `logit_rows` rows of a pass.
    pub(crate) fn options(&self, logit_rows: u32) -> session::Options {
        let Self { context, kv_type, .. } = *self;
        session::Options { context, kv_type, logit_rows, ..session::Options::default() }
    }
}

/// The most memory that the program may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Ram {
    /// No limit if the model fits in the available memory; that memory otherwise.
    #[default]
    Unasked,
    /// The available memory.
    Auto,
    /// This many bytes.
    Bytes(u64),
}

/// Options that are a command of their own.
pub(super) enum Stop {
    Help,
    HelpSampling,
    Version,
}

/// The options of one command, one after the other. The model and the options that every command
/// has are taken on the way.
pub(super) struct Options {
    pub(super) parser: Parser,
    pub(super) model: Option<PathBuf>,
    /// Its model is set by [`Self::finish`].
    pub(super) engine: Engine,
    /// `--help` or `--version`: the rest does not count.
    pub(super) stop: Option<Stop>,
}

impl Options {
    pub(super) fn new(arguments: impl IntoIterator<Item = OsString>) -> Self {
        let parser = Parser::from_args(arguments);
        Self { parser, model: None, engine: Engine::default(), stop: None }
    }

    /// The next option of the command's own, dashes included.
    pub(super) fn next(&mut self) -> Result<Option<String>, Failure> {
        if self.stop.is_some() {
            return Ok(None);
        }
        while let Some(argument) = self.parser.next().map_err(|error| usage(&error))? {
            let option = match argument {
                Arg::Value(value) => {
                    if let Some(model) = &self.model {
                        let (value, model) = (value.to_string_lossy(), model.display());
                        return Err(Failure::usage(format!(
                            "'{value}': one model file is enough, and there is '{model}'"
                        )));
                    }
                    self.model = Some(PathBuf::from(value));
                    continue;
                }
                Arg::Short(letter) => format!("-{letter}"),
                Arg::Long(name) => format!("--{name}"),
            };
            match option.as_str() {
                "-h" | "--help" => self.stop = Some(Stop::Help),
                "--help-sampling" => self.stop = Some(Stop::HelpSampling),
                "-V" | "--version" => self.stop = Some(Stop::Version),
                _ => return Ok(Some(option)),
            }
            return Ok(None);
        }
        Ok(None)
    }

    /// Takes the value of `option` if every command with an engine has it. Returns whether it does.
    pub(super) fn take(&mut self, option: &str) -> Result<bool, Failure> {
        match option {
            "--kv" => self.engine.kv_type = self.kv_type(option)?,
            "--ram" => self.engine.ram = self.ram(option)?,
            "--skip-layers" => self.engine.skipped = self.layers(option)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    pub(super) fn value(&mut self, option: &str) -> Result<OsString, Failure> {
        self.parser.value().map_err(|_| Failure::usage(format!("{option}: a value is missing")))
    }

    /// A value that is not empty.
    pub(super) fn some(&mut self, option: &str) -> Result<OsString, Failure> {
        let value = self.value(option)?;
        match value.is_empty() {
            true => Err(Failure::usage(format!("{option}: the value is empty"))),
            false => Ok(value),
        }
    }

    pub(super) fn bytes(&mut self, option: &str) -> Result<Vec<u8>, Failure> {
        console::argument_bytes(self.value(option)?)
            .ok_or_else(|| Failure::usage(format!("{option}: the value is not Unicode text")))
    }

    /// A text to stop at.
    pub(super) fn stop_text(&mut self, option: &str) -> Result<Vec<u8>, Failure> {
        let text = self.bytes(option)?;
        if (1..=MAX_STOP_TEXT_BYTES).contains(&text.len()) {
            return Ok(text);
        }
        Err(Failure::usage(format!("{option}: a text has 1 to {MAX_STOP_TEXT_BYTES} bytes")))
    }

    /// Parses a value. A refusal reads: the value is `what`.
    pub(super) fn parsed<T>(
        &mut self,
        option: &str,
        what: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Failure> {
        let value = self.value(option)?;
        value.to_str().and_then(parse).ok_or_else(|| {
            let value = value.to_string_lossy();
            Failure::usage(format_args!("{option}: '{value}' is {what}"))
        })
    }

    /// A whole number from `least` to the largest that there is.
    pub(super) fn integer<T: Integer>(&mut self, option: &str, least: T) -> Result<T, Failure> {
        self.integer_in(option, least, T::MAX)
    }

    fn integer_in<T: Integer>(&mut self, option: &str, least: T, most: T) -> Result<T, Failure> {
        let what = format!("not a whole number from {least} to {most}");
        let range = least..=most;
        self.parsed(option, &what, |text| text.parse().ok().filter(|it| range.contains(it)))
    }

    /// `on` or `off`.
    pub(super) fn on_or_off(&mut self, option: &str) -> Result<bool, Failure> {
        self.parsed(option, "neither on nor off", |text| match text {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        })
    }

    /// A port, 0 for one that is free.
    #[cfg(feature = "serve")]
    pub(super) fn port(&mut self, option: &str) -> Result<u16, Failure> {
        self.integer(option, 0)
    }

    /// Texts at the same time.
    #[cfg(feature = "serve")]
    pub(super) fn slots(&mut self, option: &str, most: u32) -> Result<u32, Failure> {
        self.integer_in(option, 1, most)
    }

    /// Workers.
    pub(super) fn threads(&mut self, option: &str) -> Result<usize, Failure> {
        self.integer_in(option, 1, MAX_WORKERS)
    }

    /// What `--json` is to be: an object, or what the word after it says.
    pub(super) fn json_root(&mut self, option: &str) -> Result<Root, Failure> {
        Ok(if self.word("value", option)? { Root::Value } else { Root::Object })
    }

    /// Takes the next argument where it is `word`, or what follows a `=`, which must be. What is
    /// no option and cannot be the model, since that is known, is meant as a word too.
    pub(super) fn word(&mut self, word: &str, option: &str) -> Result<bool, Failure> {
        let refusal = |value: &OsStr| {
            let value = value.to_string_lossy();
            Failure::usage(format!(
                "{option}: '{value}' is not known: it takes nothing or '{word}'"
            ))
        };
        if let Some(value) = self.parser.optional_value() {
            return if value == word { Ok(true) } else { Err(refusal(&value)) };
        }
        let Some(mut rest) = self.parser.try_raw_args() else { return Ok(false) };
        match rest.peek() {
            Some(next) if next == word => {
                rest.next();
                Ok(true)
            }
            Some(next) if self.model.is_some() && !next.to_string_lossy().starts_with('-') => {
                Err(refusal(next))
            }
            _ => Ok(false),
        }
    }

    /// A list of blocks: `3,7-9`.
    fn layers(&mut self, option: &str) -> Result<LayerSet, Failure> {
        let list = self.value(option)?;
        layers::parse(&list.to_string_lossy())
            .map_err(|problem| Failure::usage(format!("{option}: {problem}")))
    }

    /// A finite number that is `good`.
    pub(super) fn number(
        &mut self,
        option: &str,
        wanted: &str,
        good: impl Fn(f32) -> bool,
    ) -> Result<f32, Failure> {
        let good = |number: &f32| number.is_finite() && good(*number);
        self.parsed(option, &format!("not {wanted}"), |text| text.parse().ok().filter(good))
    }

    /// Bytes with a suffix, or `auto`.
    fn ram(&mut self, option: &str) -> Result<Ram, Failure> {
        self.parsed(option, "not a size: write 256M, 1.5G or auto", |text| match text {
            "auto" => Some(Ram::Auto),
            _ => size(text).map(Ram::Bytes),
        })
    }

    /// How keys and values are stored.
    fn kv_type(&mut self, option: &str) -> Result<KvType, Failure> {
        let names = KvType::ALL.map(KvType::name).join(", ");
        self.parsed(option, &format!("none of {names}"), KvType::from_name)
    }

    /// Token ids with commas between them.
    pub(super) fn ids(&mut self, option: &str) -> Result<Vec<u32>, Failure> {
        let value = self.value(option)?.string().unwrap_or_default();
        value
            .split(',')
            .map(|id| {
                id.trim().parse().map_err(|_| {
                    Failure::usage(format!("{option}: '{id}' is not a token id: write 1,2,3"))
                })
            })
            .collect()
    }

    /// The command, once the options have all been read.
    pub(super) fn finish<C: From<Stop>>(
        self,
        make: impl FnOnce(Engine) -> C,
    ) -> Result<C, Failure> {
        match (self.stop, self.model) {
            (Some(stop), _) => Ok(stop.into()),
            (None, Some(model)) => Ok(make(Engine { model, ..self.engine })),
            (None, None) => {
                Err(Failure::usage("no model: picolm MODEL.gguf -p PROMPT (--help says more)"))
            }
        }
    }
}

/// A type of whole numbers.
pub(super) trait Integer: core::str::FromStr + PartialOrd + core::fmt::Display {
    const MAX: Self;
}

macro_rules! integers {
    ($($type:ty)*) => {
        $(impl Integer for $type {
            const MAX: Self = Self::MAX;
        })*
    };
}
integers!(u32 u64 usize i64);
#[cfg(feature = "serve")]
integers!(u16);

/// Bytes: a number above 0, and K, M or G for as many times 1024, 1024^2 or 1024^3; KiB and KB are
/// spelled-out K.
pub(super) fn size(text: &str) -> Option<u64> {
    let text = text.to_ascii_uppercase();
    let unit = text.strip_suffix("IB").or(text.strip_suffix('B')).unwrap_or(&text);
    let (digits, shift) = match unit.as_bytes().last()? {
        b'K' => (&unit[..unit.len() - 1], 10),
        b'M' => (&unit[..unit.len() - 1], 20),
        b'G' => (&unit[..unit.len() - 1], 30),
        // "B" alone means bytes, and nothing else does.
        _ if text.ends_with("IB") || unit.contains('.') => return None,
        _ => (unit, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let places = u32::try_from(fraction.len()).ok().filter(|places| (1..=9).contains(places))?;
    let (whole, fraction) = (number(whole)?, number(fraction)?);
    let part = (fraction << shift) / 10u64.pow(places);
    whole.checked_mul(1 << shift)?.checked_add(part).filter(|&bytes| bytes > 0)
}

/// Digits alone: no sign.
fn number(digits: &str) -> Option<u64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

pub(super) fn unknown(option: &str) -> Failure {
    Failure::usage(format!("unknown option {option} (--help lists them)"))
}

fn usage(error: &lexopt::Error) -> Failure {
    Failure::usage(error.to_string())
}
