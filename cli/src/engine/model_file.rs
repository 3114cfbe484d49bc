//! A model file with its header in memory, and the model that the header describes.

use super::machine;
use super::machine::Machine;
use super::parts::Parts;
use crate::platform::map::{MapError, MappedFile};
use crate::platform::stream::{StreamOptions, StreamedFile};
use crate::report::Failure;
use core::fmt::Display;
use picolm_core::error::{Error, Explained};
use picolm_core::gguf::{Gguf, GgufErrorKind};
use picolm_core::mem::MAX_CHUNKS;
use picolm_core::model::{Build, LayerSet, Layout, ModelError};
use picolm_core::port::{ReadError, Weights};
use picolm_core::session::Options;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Bytes of a header that are read at first, and at most, of a file that cannot be mapped. Models
/// with 256,000 tokens have headers of 10 MB.
const FIRST_HEADER_BYTES: u64 = 1 << 20;
const MAX_HEADER_BYTES: u64 = 64 << 20;

/// A model file.
pub(crate) struct ModelFile {
    pub(crate) path: PathBuf,
    /// Mapped, also in parts, or streamed if the file cannot be: a program of 32 bits has 2 to 4 GB
    /// of addresses, and some network file systems map nothing.
    pub(crate) contents: Contents,
}

/// A file, open for reading.
pub(crate) enum Contents {
    Mapped(MappedFile),
    Parts(Parts),
    Streamed(StreamedFile),
}

impl Contents {
    pub(crate) fn weights(&self) -> &dyn Weights {
        match self {
            Self::Mapped(map) => map,
            Self::Parts(parts) => parts,
            Self::Streamed(stream) => stream,
        }
    }

    pub(crate) fn mapped(&self) -> Option<&MappedFile> {
        let Self::Mapped(map) = self else { return None };
        Some(map)
    }

    /// The mapped files, all of the model.
    pub(crate) fn maps(&self) -> impl Iterator<Item = &MappedFile> {
        let parts = match self {
            Self::Parts(parts) => Some(parts.maps()),
            _ => None,
        };
        self.mapped().into_iter().chain(parts.into_iter().flatten())
    }

    /// Whether weights stay where they are in memory.
    pub(crate) fn is_mapped(&self) -> bool {
        self.streamed().is_none()
    }

    pub(crate) fn streamed(&self) -> Option<&StreamedFile> {
        let Self::Streamed(stream) = self else { return None };
        Some(stream)
    }
}

impl ModelFile {
    /// Opens the file at `path`. Only the header is read.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if let Some(parts) = Parts::open(path)? {
            return Ok(Self { path: path.to_path_buf(), contents: Contents::Parts(parts) });
        }
        let contents = match MappedFile::open(path) {
            Ok(map) => Contents::Mapped(map),
            // Too large for a program's addresses, or on a file system that maps no files.
            Err(MapError::TooLarge { .. } | MapError::Unmappable(_)) => {
                Contents::Streamed(read_header(path)?)
            }
            Err(error) => return Err(Failure::about(path, error)),
        };
        Ok(Self { path: path.to_path_buf(), contents })
    }

    /// The header, parsed.
    pub(crate) fn gguf(&self) -> Result<Gguf<'_>, Failure> {
        let bytes = self.file_bytes();
        let gguf = match &self.contents {
            Contents::Parts(parts) => Gguf::parse_part(parts.header(), bytes),
            _ => Gguf::parse(self.header(), bytes),
        };
        gguf.map_err(|error| match error.kind {
            GgufErrorKind::Split => self.failure(format_args!(
                "{error}: let their names end in -00001-of-0000N.gguf and so on, and name the first"
            )),
            GgufErrorKind::UnknownTensorType => match machine::build() {
                Ok(build) => self.explained(error, Some(&build)),
                Err(failure) => failure,
            },
            _ => self.failure_in(error),
        })
    }

    fn header(&self) -> &[u8] {
        match &self.contents {
            Contents::Mapped(map) => map.bytes(),
            Contents::Parts(parts) => parts.header(),
            Contents::Streamed(file) => file.header(),
        }
    }

    pub(crate) fn file_bytes(&self) -> u64 {
        self.contents.weights().file_bytes()
    }

    /// A failure that names this file.
    pub(crate) fn failure(&self, error: impl Display) -> Failure {
        Failure::about(&self.path, error)
    }

    /// A failure that names this file, and the key or tensor that `error` is about.
    pub(crate) fn failure_in(&self, error: impl Into<Error>) -> Failure {
        self.explained(error, None)
    }

    /// [`Self::failure_in`] that says what `build` supports instead of what it does not.
    pub(super) fn explained(&self, error: impl Into<Error>, build: Option<&Build<'_>>) -> Failure {
        self.failure(Explained { error: error.into(), header: self.header(), build })
    }
}

/// What is wrong with reading a file, in the system's words.
pub(crate) fn read_words(error: ReadError) -> String {
    let ReadError::Io { offset, code } = error else { return error.to_string() };
    let system = std::io::Error::from_raw_os_error(code);
    match system.kind() {
        ErrorKind::OutOfMemory => {
            format!("there is no memory for the weights ({system}): allow less of it, --ram")
        }
        _ => format!("byte {offset}: {system}"),
    }
}

/// Opens a file to stream it, with its header in memory.
fn read_header(path: &Path) -> Result<StreamedFile, Failure> {
    let open = |bytes| {
        let file = StreamedFile::open(path, bytes, StreamOptions::default());
        file.map_err(|error| Failure::about(path, error))
    };
    let mut bytes = FIRST_HEADER_BYTES;
    loop {
        let file = open(bytes)?;
        match Gguf::parse(file.header(), file.file_bytes()) {
            // Exactly the header: more would take memory for nothing.
            Ok(gguf) => return open(gguf.header_bytes().len() as u64),
            Err(error) if error.kind != GgufErrorKind::HeaderIncomplete => return Ok(file),
            Err(_) if bytes >= MAX_HEADER_BYTES => return Ok(file),
            Err(_) => bytes *= 4,
        }
    }
}

/// A model that the engine can run, and the machine to run it on.
pub(crate) struct Model<'f> {
    pub(super) machine: &'f Machine,
    pub(crate) file: &'f ModelFile,
    pub(crate) gguf: &'f Gguf<'f>,
    pub(crate) layout: Layout<'f, 'f>,
}

impl<'f> Model<'f> {
    /// The model of `file`, whose header is `gguf`, without the blocks of `skipped`.
    pub(crate) fn of(
        machine: &'f Machine,
        file: &'f ModelFile,
        gguf: &'f Gguf<'f>,
        skipped: LayerSet,
    ) -> Result<Self, Failure> {
        let layout = Layout::of(gguf, &machine.build, skipped);
        let layout = layout.map_err(|error| machine.model_failure(file, error))?;
        Ok(Self { machine, file, gguf, layout })
    }

    /// Positions of the context. `asked` is 0 for the default.
    pub(crate) fn context(&self, asked: u32) -> u32 {
        Options { context: asked, ..Options::DEFAULT }.context(self.layout.config())
    }

    /// `options` for the vectors of texts of up to `tokens` tokens. A model that is not causal
    /// reads each in one pass.
    pub(crate) fn for_vectors(&self, options: Options, tokens: u32) -> Result<Options, Failure> {
        let (context, causal) = (tokens.max(1), self.layout.config().is_causal);
        if !causal && context as usize > MAX_CHUNKS {
            return Err(self.file.failure(format_args!(
                "{tokens} tokens are too many: the model reads a text in one pass, which has room \
                 for {MAX_CHUNKS}"
            )));
        }
        Ok(Options { context, logit_rows: 0, ..options })
    }

    /// A failure that names the file and says what can be done about `error`.
    pub(super) fn failure(&self, error: ModelError) -> Failure {
        self.machine.model_failure(self.file, error)
    }
}
