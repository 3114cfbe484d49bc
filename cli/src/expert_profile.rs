//! The file that `--expert-profile` names: how often runs have used each expert. Below a ceiling,
//! those used most stay in memory. Every run adds its own counts; of runs at the same time, the
//! counts of the last to end are kept.
//!
//! Unlike a prompt cache, the counts of many runs cannot be rebuilt by one run: a file that does
//! not fit ends the run before it begins, and is left as it is.

use crate::cache::followed;
use crate::engine::{Model, Source};
use crate::platform::save::{Replacement, SavedFile};
use crate::report::Failure;
use picolm_core::model::Config;
use picolm_core::session::{ExpertProfile, Fingerprint, ProfileError, Session};
use std::path::{Path, PathBuf};

/// The file before the model is loaded, so that a bad path is an error at once.
pub(crate) struct ProfileFile {
    path: PathBuf,
    /// The file of earlier runs.
    earlier: Option<SavedFile>,
}

/// The counts of a run in progress.
pub(crate) struct Profile {
    path: PathBuf,
    profile: ExpertProfile,
    /// Of all runs. `[n_layer, n_expert]`
    counts: Vec<u64>,
}

impl ProfileFile {
    /// Opens the file that was asked for, if one was.
    pub(crate) fn open(path: Option<&Path>) -> Result<Option<Self>, Failure> {
        let Some(path) = path.map(|path| followed(path.to_path_buf())) else { return Ok(None) };
        let earlier = SavedFile::open(&path).map_err(|error| Failure::about(&path, error))?;
        Ok(Some(Self { path, earlier }))
    }

    /// Bytes of the counts: the engine's, and the stream's that choose what stays.
    pub(crate) fn bytes(config: &Config) -> u64 {
        2 * size_of::<u64>() as u64 * u64::from(config.n_layer) * u64::from(config.n_expert)
    }

    /// Reads the counts of earlier runs; they choose what of `source` stays in memory.
    pub(crate) fn read(self, source: &mut Source<'_>) -> Result<Profile, Failure> {
        let Model { file, gguf, layout, .. } = source.model;
        let model = Fingerprint::of(gguf, source.contents().weights());
        let model = model.map_err(|error| file.failure(error))?;
        let profile = ExpertProfile::of(layout.config(), model).ok_or_else(|| {
            file.failure("--expert-profile: the model has no experts: leave it out")
        })?;
        let Self { path, earlier } = self;
        let mut counts = vec![0; profile.counts()];
        if let Some(mut earlier) = earlier {
            profile.read(&mut earlier, &mut counts).map_err(|error| {
                let advice = match error {
                    ProfileError::Source(_) => "",
                    ProfileError::NotAProfile => ": name another file",
                    _ => ": name another file, or remove this one to count anew",
                };
                Failure::about(&path, format_args!("{error}{advice}"))
            })?;
            source.keep_most_used(&counts);
        }
        Ok(Profile { path, profile, counts })
    }
}

impl Profile {
    /// Lets `session` count.
    pub(crate) fn count<'m>(&'m mut self, session: &mut Session<'m>) {
        session.count_experts(&mut self.counts);
    }

    /// Writes the counts to the file.
    pub(crate) fn save(&self) -> Result<(), Failure> {
        let write = || {
            let mut file = Replacement::new(&self.path)?;
            self.profile.write(&mut file, &self.counts)?;
            file.commit()
        };
        write().map_err(|error| Failure::about(&self.path, format_args!("not saved: {error}")))
    }
}
