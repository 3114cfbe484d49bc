//! A model file with its header in memory, and the model that the header describes.

use super::machine::Machine;
use super::parts::Parts;
use crate::platform::map::{MapError, MappedFile};
use crate::platform::stream::{StreamOptions, StreamedFile};
use crate::report::Failure;
use picolm_core::gguf::{Gguf, GgufErrorKind};
use picolm_core::model::{LayerSet, Layout, ModelError};
use picolm_core::port::Weights;
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
    /// Mapped, also in parts, or streamed if a program cannot address the whole file: with 32 bits it has 2 to
    /// 4 GB of addresses.
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
            Err(MapError::TooLarge { .. }) => Contents::Streamed(read_header(path)?),
            Err(MapError::System(error)) if error.kind() == ErrorKind::OutOfMemory => {
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
            Contents::Mapped(map) => Gguf::parse(map.bytes(), bytes),
            Contents::Parts(parts) => Gguf::parse_part(parts.header(), bytes),
            Contents::Streamed(file) => Gguf::parse(file.header(), bytes),
        };
        gguf.map_err(|error| match error.kind {
            GgufErrorKind::Split => self.failure(format_args!(
                "{error}: let their names end in -00001-of-0000N.gguf and so on, and name the first"
            )),
            _ => self.failure(error),
        })
    }

    pub(crate) fn file_bytes(&self) -> u64 {
        self.contents.weights().file_bytes()
    }

    /// A failure that names this file.
    pub(crate) fn failure(&self, error: impl core::fmt::Display) -> Failure {
        Failure::about(&self.path, error)
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
        let skipped = if cfg!(feature = "layers") { skipped } else { LayerSet::EMPTY };
        let layout = Layout::of(gguf, &machine.build, skipped);
        Ok(Self { machine, file, gguf, layout: layout.map_err(|error| file.failure(error))? })
    }

    /// Positions of the context. `asked` is 0 for the default.
    pub(crate) fn context(&self, asked: u32) -> u32 {
        Options { context: asked, ..Options::DEFAULT }.context(self.layout.config())
    }

    /// A failure that names the file and says what can be done about `error`.
    pub(super) fn failure(&self, error: ModelError) -> Failure {
        let advice = match error {
            ModelError::Context { .. } => ": ask for fewer tokens (-c, or bench's -p and -n)",
            _ => "",
        };
        self.file.failure(format_args!("{error}{advice}"))
    }
}
