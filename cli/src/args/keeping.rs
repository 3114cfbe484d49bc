//! The options about what is kept: of a text, in a file for the next run and in a context that is
//! full; of the model, in memory.

use super::options::{Options, size};
use crate::report::Failure;
use picolm_core::session::{DEFAULT_KEEP, How, Session, Shift, ShiftError};
use std::path::PathBuf;

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Keeping {
    /// The prompt cache.
    pub(crate) cache: Option<PathBuf>,
    /// Most bytes of that file; `None` for as many as a context needs.
    pub(crate) cache_max: Option<u64>,
    /// How often runs have used each expert.
    pub(crate) expert_profile: Option<PathBuf>,
    /// How a context that is full goes on; `None` where it ends the text.
    how: Option<How>,
    /// First tokens that stay.
    keep: Option<u32>,
}

impl Keeping {
    /// Takes the value of `option` where it is one of these; says whether it was.
    pub(super) fn take(&mut self, option: &str, given: &mut Options) -> Result<bool, Failure> {
        match option {
            "--cache" => self.cache = Some(PathBuf::from(given.value(option)?)),
            "--cache-max" => self.cache_max = Some(given.size(option)?),
            "--expert-profile" => self.expert_profile = Some(given.some(option)?.into()),
            "--shift" => {
                let how = if given.word("fast", option)? { How::Turned } else { How::Again };
                self.how = Some(how);
            }
            "--keep" => self.keep = Some(given.integer(option, 0)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Refuses options that mean nothing without another one, and a file for a talk, of which no
    /// later run would know what was said.
    pub(super) fn check(&self, has_prompt: bool, is_constrained: bool) -> Result<(), Failure> {
        if self.how.is_some() && has_prompt && is_constrained {
            let why = "--shift: a constraint ends the text before the context is full";
            return Err(Failure::usage(why));
        }
        if self.cache.is_some() && !has_prompt {
            return Err(Failure::usage("--cache: goes with a prompt, not with a talk"));
        }
        if self.cache.is_some() && self.cache == self.expert_profile {
            return Err(Failure::usage("--expert-profile: names the file of --cache"));
        }
        if self.cache_max.is_some() && self.cache.is_none() {
            return Err(Failure::usage("--cache-max: goes with --cache FILE only"));
        }
        if self.keep.is_some() && self.how.is_none() {
            return Err(Failure::usage("--keep: goes with --shift only"));
        }
        Ok(())
    }

    /// What happens when the context is full, if it does not end the text.
    fn shift(&self) -> Option<Shift> {
        self.how.map(|how| Shift { keep: self.keep.unwrap_or(DEFAULT_KEEP), how })
    }

    /// Lets `session` do what was asked for when its context is full.
    pub(crate) fn prepare(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        if let Some(shift) = self.shift() {
            session.shift_when_full(shift).map_err(|error| {
                Failure::usage(match error {
                    ShiftError::Keep { .. } => format!("--shift: {error}"),
                    ShiftError::KvType | ShiftError::State => {
                        format!("--shift fast: {error}; say --shift alone")
                    }
                })
            })?;
        }
        Ok(())
    }
}

impl Options {
    /// A number of bytes, or of KiB, MiB or GiB where K, M or G follows.
    pub(super) fn size(&mut self, option: &str) -> Result<u64, Failure> {
        self.parsed(option, "not a size: write 64M, 500K or bytes", size)
    }
}

#[cfg(test)]
mod tests {
    use crate::args::{Command, Run, parse};
    use crate::report::Failure;
    use picolm_core::session::{How, Shift};
    use std::ffi::OsString;
    use std::path::Path;

    fn run(line: &str) -> Result<Run, Failure> {
        match parse(line.split_whitespace().map(OsString::from)) {
            Ok(Command::Run(run)) => Ok(*run),
            Ok(other) => panic!("{other:?}"),
            Err(failure) => Err(failure),
        }
    }

    #[test]
    fn a_cache_has_a_name_and_a_size() {
        assert_eq!(run("m").unwrap().keeping, super::Keeping::default());
        let keeping = run("m --cache f --cache-max 3M").unwrap().keeping;
        assert_eq!(keeping.cache.as_deref(), Some(Path::new("f")));
        assert_eq!(keeping.cache_max, Some(3 << 20));
        for (size, bytes) in [
            ("17", 17),
            ("17B", 17),
            ("2k", 2048),
            ("2K", 2048),
            ("1G", 1 << 30),
            ("1.5G", 3 << 29),
            ("0.25m", 1 << 18),
            ("100MB", 100 << 20),
            ("100MiB", 100 << 20),
            ("3kb", 3 << 10),
        ] {
            let keeping = run(&format!("m --cache f --cache-max={size}")).unwrap().keeping;
            assert_eq!(keeping.cache_max, Some(bytes), "{size}");
        }
        for size in ["", "0", "-1", "+1M", "1.5", "1.", ".5G", "M", "B", "iB", "1iB", "1e3", "1T"] {
            assert!(run(&format!("m --cache f --cache-max={size}")).is_err(), "{size}");
        }
        for size in ["20000000000G", "0.0000000001G", "1.2.3M", "1 M"] {
            assert_eq!(super::super::options::size(size), None, "{size}");
        }
    }

    #[test]
    fn shift_takes_fast_and_nothing_else() {
        let shift = |line: &str| run(line).unwrap().keeping.shift();
        assert_eq!(shift("m"), None);
        assert_eq!(shift("m --shift"), Some(Shift { keep: 4, how: How::Again }));
        assert_eq!(shift("--shift m"), Some(Shift { keep: 4, how: How::Again }));
        assert_eq!(shift("m --shift --keep 0"), Some(Shift { keep: 0, how: How::Again }));
        let fast = Some(Shift { keep: 9, how: How::Turned });
        assert_eq!(shift("m --shift fast --keep 9"), fast);
        assert_eq!(shift("--keep 9 --shift=fast m"), fast);
        assert_eq!(run("--shift fast m").unwrap().engine.model, Path::new("m"));
        assert_eq!(run("--shift ./fast").unwrap().engine.model, Path::new("./fast"));
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (line, says) in [
            ("m --cache", "--cache: a value is missing"),
            ("m --cache-max 5M", "--cache-max: goes with --cache"),
            ("m --expert-profile", "--expert-profile: a value is missing"),
            ("m --expert-profile=", "--expert-profile: the value is empty"),
            ("m --keep 5", "--keep: goes with --shift"),
            ("chat m --cache f", "--cache: goes with a prompt"),
            ("m --shift --json", "--shift: a constraint"),
            ("m --shift --keep -1", "--keep: '-1'"),
            ("m --shift=slow", "--shift: 'slow' is not known"),
            ("m --shift slow", "--shift: 'slow' is not known"),
            ("m --cache f --cache-max", "--cache-max: a value is missing"),
            ("m --cache f --cache-max=", "--cache-max: ''"),
            ("m --cache f --cache-max M", "--cache-max: 'M'"),
            ("m --cache f --cache-max -1", "--cache-max: '-1'"),
            ("m --cache f --cache-max 0", "--cache-max: '0'"),
            ("m --cache f --cache-max 99999999999G", "--cache-max: '99999999999G'"),
            ("m --cache f --cache-max 5é", "--cache-max: '5é'"),
        ] {
            let failure = run(line).unwrap_err();
            assert_eq!(failure.exit_code(), 2, "{line}");
            assert!(failure.to_string().contains(says), "{line}: {failure}");
        }
    }
}
