//! The file that `--cache` names: a run takes keys and values from it, and leaves its own there.
//!
//! If the file does not fit, the run warns in one line and starts afresh. A file that is no prompt
//! cache at all is never overwritten: the user meant another one.

use crate::ceiling::Source;
use crate::failure::{Failure, Reason, system};
use crate::line::Line;
use crate::model::Model;
use core::ffi::CStr;
use picolm_core::model::ModelError;
use picolm_core::session::{Fingerprint, Mismatch, RestoreError, SaveError, Session, Unsaved};
use picolm_linux::bare::path::Path;
use picolm_linux::bare::save::{self, Replacement, SavedFile};

/// The file before the model is loaded, so that a bad path is an error at once.
pub(crate) struct CacheFile {
    /// As it was given, for messages.
    name: &'static [u8],
    path: Path,
    /// The file of an earlier run.
    earlier: Option<SavedFile>,
}

/// The file of a run in progress.
pub(crate) struct PromptCache {
    name: &'static [u8],
    path: Path,
    model: Fingerprint,
    /// Keep the file out of the page cache, because the run has a memory ceiling.
    spares_memory: bool,
    /// Whether the run may replace the file.
    replaceable: bool,
    /// Tokens of the prompt that were in the file.
    pub(crate) reused: usize,
}

impl CacheFile {
    /// Opens the file at `path`.
    pub(crate) fn open(path: &'static CStr) -> Result<Self, Failure> {
        let name = path.to_bytes();
        let path = Path::followed(path).ok_or(Failure::about(name, "the path is too long"))?;
        let earlier = SavedFile::open(&path).map_err(|error| match error {
            save::SaveError::System(code) => Failure::because(name, Reason::System(code)),
            save::SaveError::NotAFile => Failure::about(name, "is not a file"),
            save::SaveError::ReadOnly => Failure::about(name, "is read-only"),
            save::SaveError::NoFolder => Failure::about(name, "there is no such folder"),
        })?;
        Ok(Self { name, path, earlier })
    }

    /// Takes the keys and values of the tokens that the file and `prompt` both begin with.
    pub(crate) fn restore(
        self,
        session: &mut Session<'_>,
        model: &Model<'_>,
        source: &Source,
        prompt: &[u32],
        quiet: bool,
    ) -> Result<PromptCache, Failure> {
        let Self { name, path, earlier } = self;
        let model = Fingerprint::of(model.gguf, source.weights(model));
        let model = model.map_err(|error| Failure::engine(ModelError::from(error)))?;
        let mut cache = PromptCache {
            name,
            path,
            model,
            spares_memory: source.ceiling.is_some(),
            replaceable: true,
            reused: 0,
        };
        let Some(mut earlier) = earlier else { return Ok(cache) };
        if cache.spares_memory {
            earlier.spare_memory();
        }
        let mut line = Line::new();
        match session.restore(&mut earlier, model, prompt) {
            Ok(reused) => {
                if !quiet {
                    line.text(b"Skipping ").number(reused.into());
                    let _ = line.text(b" cached prompt tokens").end();
                }
                cache.reused = reused as usize;
            }
            Err(error) => {
                cache.replaceable = error != RestoreError::Mismatch(Mismatch::NotACache);
                let kept: &[u8] = if cache.replaceable { b"" } else { b" and left as it is" };
                cache.begin(&mut line).text(b"ignored").text(kept).text(b": ");
                match error {
                    RestoreError::Mismatch(mismatch) => line.text(mismatch.text().as_bytes()),
                    RestoreError::Source(error) => system(error.raw_os_error(), &mut line),
                };
                let _ = line.end();
            }
        }
        Ok(cache)
    }
}

impl PromptCache {
    /// Writes the session's keys and values to the file, if these are more than the file has.
    pub(crate) fn save(&self, session: &mut Session<'_>) -> Result<(), Failure> {
        // Without a limit, what can be saved is all of it.
        match session.unsaved(u64::MAX) {
            Unsaved::Positions(count) if self.replaceable => {
                self.write(session, count).map_err(|reason| Failure::because(self.name, reason))
            }
            _ => Ok(()),
        }
    }

    /// Writes the first `positions` positions.
    fn write(&self, session: &mut Session<'_>, positions: u32) -> Result<(), Reason> {
        let said = |error: picolm_linux::bare::Errno| Reason::NotSaved(error.raw_os_error());
        let mut file = Replacement::new(&self.path).map_err(said)?;
        if self.spares_memory {
            file.spare_memory();
        }
        match session.save(&mut file, self.model, positions) {
            Ok(()) => file.commit().map_err(said),
            Err(SaveError::Sink(error)) => Err(said(error)),
            Err(SaveError::NoPositions | SaveError::Inexact) => Ok(()),
        }
    }

    /// Begins a line about the file.
    fn begin<'l>(&self, line: &'l mut Line) -> &'l mut Line {
        line.text(b"picolm: ").text(self.name).text(b": ")
    }
}
