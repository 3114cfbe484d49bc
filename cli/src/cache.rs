//! The file that `--cache` names: a run takes keys and values from it, and leaves its own there.
//!
//! If the file does not fit, the run warns in one line and starts afresh. A file that is no prompt
//! cache at all is never overwritten: the user meant another one.

use crate::args::keeping::Keeping;
use crate::engine::{Model, Source};
use crate::platform::save::{Replacement, SavedFile};
use crate::report::{self, Failure, printable};
use picolm_core::session::{Fingerprint, Mismatch, RestoreError, SaveError, Session, Unsaved};
use std::path::PathBuf;

/// The file before the model is loaded, so that a bad path is an error at once.
pub(crate) struct CacheFile {
    path: PathBuf,
    limit_bytes: u64,
    /// Report errors only.
    quiet: bool,
    /// The file of an earlier run.
    earlier: Option<SavedFile>,
}

/// The file of a run in progress.
pub(crate) struct PromptCache {
    path: PathBuf,
    limit_bytes: u64,
    model: Fingerprint,
    /// Keep the file out of the page cache, because the run has a memory ceiling.
    spares_memory: bool,
    /// Whether the run may replace the file.
    replaceable: bool,
    /// Tokens of the prompt that were in the file.
    pub(crate) reused: usize,
}

impl CacheFile {
    /// Opens the file that was asked for, if one was.
    pub(crate) fn open(keeping: &Keeping, quiet: bool) -> Result<Option<Self>, Failure> {
        let Some(path) = keeping.cache.clone().map(followed) else { return Ok(None) };
        let earlier = SavedFile::open(&path).map_err(|error| Failure::about(&path, error))?;
        let limit_bytes = keeping.cache_max.unwrap_or(u64::MAX);
        Ok(Some(Self { path, limit_bytes, quiet, earlier }))
    }

    /// Takes the keys and values of the tokens that the file and `prompt` both begin with.
    pub(crate) fn restore(
        self,
        session: &mut Session<'_>,
        source: &Source<'_>,
        prompt: &[u32],
    ) -> Result<PromptCache, Failure> {
        let Model { file, gguf, .. } = source.model;
        let model = Fingerprint::of(gguf, source.contents().weights());
        let model = model.map_err(|error| file.failure(error))?;
        let Self { path, limit_bytes, quiet, earlier } = self;
        let spares_memory = source.ceiling.is_some();
        let (replaceable, reused) = (true, 0);
        let mut cache =
            PromptCache { path, limit_bytes, model, spares_memory, replaceable, reused };
        let Some(mut earlier) = earlier else { return Ok(cache) };
        if spares_memory {
            earlier.spare_memory();
        }
        match session.restore(&mut earlier, model, prompt) {
            Ok(reused) => {
                if !quiet {
                    report::line(format_args!("Skipping {reused} cached prompt tokens"));
                }
                cache.reused = reused as usize;
            }
            Err(error) => {
                cache.replaceable = !matches!(error, RestoreError::Mismatch(Mismatch::NotACache));
                let kept = if cache.replaceable { "" } else { " and left as it is" };
                cache.say(format_args!("ignored{kept}: {error}"));
            }
        }
        Ok(cache)
    }
}

/// Most links that lead to a file, as Linux has it.
const MAX_LINKS: u32 = 40;

/// The file that `path` links to. A new version replaces that file, not the link. A loop of links
/// stays a link, which is refused later.
pub(crate) fn followed(mut path: PathBuf) -> PathBuf {
    for _ in 0..MAX_LINKS {
        let Ok(target) = std::fs::read_link(&path) else { break };
        path = path.parent().map_or(target.clone(), |folder| folder.join(target));
    }
    path
}

impl PromptCache {
    /// Writes the session's keys and values to the file, if these are more than the file has.
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
                let failure = |error| Failure::about(&self.path, format!("not saved: {error}"));
                self.write(session, count).map_err(failure)?;
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

    /// Writes the first `positions` positions. Errors are text.
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

    /// Prints a line about the file.
    fn say(&self, what: core::fmt::Arguments<'_>) {
        let line = printable(&format!("{}: {what}", self.path.display()));
        report::line(format_args!("picolm: {line}"));
    }
}
