//! The file that `--cache` names: what a run takes from it, and what it leaves there.
//!
//! A file that does not fit is a reason for one line, not for failing: the run is then a fresh one.
//! What is no prompt cache at all is never written over; somebody meant another file.

use crate::args::keeping::Keeping;
use crate::engine::{ModelFile, about};
use crate::platform::save::{Replacement, SavedFile};
use crate::report::{self, Failure, printable};
use picolm_core::gguf::Gguf;
use picolm_core::session::{Fingerprint, Mismatch, RestoreError, SaveError, Session, Unsaved};
use std::path::PathBuf;

/// The file, before the model is loaded: what is wrong with its name is said at once.
pub(crate) struct CacheFile {
    path: PathBuf,
    limit_bytes: u64,
    /// Whether only what goes wrong is said.
    quiet: bool,
    /// What an earlier run has left, if there is one.
    earlier: Option<SavedFile>,
}

/// The file of a run in progress.
pub(crate) struct PromptCache {
    path: PathBuf,
    limit_bytes: u64,
    model: Fingerprint,
    /// Whether the page cache is to forget the file: the run is held to some memory.
    spares_memory: bool,
    /// Whether the run may put its own in the file's place.
    replaceable: bool,
}

impl CacheFile {
    /// Opens the file that was asked for, if one was.
    pub(crate) fn open(keeping: &Keeping, quiet: bool) -> Result<Option<Self>, Failure> {
        let Some(path) = keeping.cache.clone() else { return Ok(None) };
        let earlier = SavedFile::open(&path).map_err(|error| about(&path, error))?;
        let limit_bytes = keeping.cache_max.unwrap_or(u64::MAX);
        Ok(Some(Self { path, limit_bytes, quiet, earlier }))
    }

    /// Takes what `prompt` begins with from the file; returns what is needed to
    /// [`PromptCache::save`], and how many tokens that are.
    pub(crate) fn restore(
        self,
        session: &mut Session<'_>,
        file: &ModelFile,
        gguf: &Gguf<'_>,
        prompt: &[u32],
    ) -> Result<(PromptCache, usize), Failure> {
        let model = Fingerprint::of(gguf, file.weights()).map_err(|error| file.failure(error))?;
        let Self { path, limit_bytes, quiet, earlier } = self;
        let spares_memory = file.ceiling().is_some();
        let mut cache = PromptCache { path, limit_bytes, model, spares_memory, replaceable: true };
        let Some(mut earlier) = earlier else { return Ok((cache, 0)) };
        if spares_memory {
            earlier.spare_memory();
        }
        let reused = match session.restore(&mut earlier, model, prompt) {
            Ok(reused) => {
                if !quiet {
                    report::line(format_args!("Skipping {reused} cached prompt tokens"));
                }
                reused as usize
            }
            Err(error) => {
                cache.replaceable = !matches!(error, RestoreError::Mismatch(Mismatch::NotACache));
                let kept = if cache.replaceable { "" } else { " and left as it is" };
                cache.say(format_args!("ignored{kept}: {error}"));
                0
            }
        };
        Ok((cache, reused))
    }
}

impl PromptCache {
    /// Leaves in the file what the session has computed, where that is more than the file has.
    pub(crate) fn save(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        if !self.replaceable {
            return Ok(());
        }
        match session.unsaved(self.limit_bytes) {
            Unsaved::Nothing => {}
            Unsaved::Inexact => self.say(format_args!("not saved: the text was shifted fast")),
            Unsaved::TooLarge => {
                self.say(format_args!("not saved: not even one token fits in --cache-max"));
            }
            Unsaved::Positions(count) => {
                let written = self.write(session, count);
                written.map_err(|error| about(&self.path, format_args!("not saved: {error}")))?;
                let all = session.position();
                if count < all {
                    self.say(format_args!(
                        "the first {count} of {all} tokens are saved: more do not fit in \
                         --cache-max"
                    ));
                }
            }
        }
        Ok(())
    }

    /// What goes wrong, as text.
    fn write(&self, session: &mut Session<'_>, positions: u32) -> Result<(), String> {
        let said = |error: std::io::Error| error.to_string();
        let mut file = Replacement::new(&self.path).map_err(said)?;
        if self.spares_memory {
            file.spare_memory();
        }
        match session.save(&mut file, self.model, positions) {
            Ok(()) => file.commit().map_err(said),
            Err(SaveError::Sink(error)) => Err(said(error)),
            Err(refused) => Err(refused.to_string()),
        }
    }

    /// One line about the file.
    fn say(&self, what: core::fmt::Arguments<'_>) {
        let line = printable(&format!("{}: {what}", self.path.display()));
        report::line(format_args!("picolm: {line}"));
    }
}
