//! What is wrong with a model file, as a line for who has to find another one.

use super::Error;
use crate::gguf::{GgufError, GgufErrorKind, name_at};
use crate::kernels;
use crate::model::{Build, ModelError};
use crate::quant::TensorType;
use crate::tokenizer::{TokenizerError, pre_tokenizer};
use core::fmt::{self, Display};

/// An error about a model file that names the key or tensor it is about, and says what is supported
/// where something is not.
#[derive(Clone, Copy)]
pub struct Explained<'e> {
    /// The error.
    pub error: Error,
    /// The file, or its header.
    pub header: &'e [u8],
    /// What the program is made of, where the error may be about that.
    pub build: Option<&'e Build<'e>>,
}

impl Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        if let Some(name) = self.error.offset().and_then(|offset| name_at(self.header, offset)) {
            write!(f, " ('{}')", name.escape_ascii())?;
        }
        match (self.error, self.build) {
            (Error::Model(ModelError::UnsupportedType { .. }), Some(build)) => types(f, build),
            (Error::Gguf(GgufError { kind: GgufErrorKind::UnknownTensorType, offset }), build) => {
                let field = usize::try_from(offset).ok().and_then(|start| self.header.get(start..));
                if let Some(number) = field.and_then(<[u8]>::first_chunk) {
                    write!(f, ": number {}", u32::from_le_bytes(*number))?;
                }
                build.map_or(Ok(()), |build| types(f, build))
            }
            (Error::Model(ModelError::UnknownArchitecture(_)), Some(build)) => {
                list(f, build.families.iter().map(|family| family.architecture))
            }
            (Error::Tokenizer(TokenizerError::UnsupportedPreTokenizer { .. }), _) => {
                list(f, pre_tokenizer::ALL.iter().map(|known| known.name()))
            }
            (Error::Gguf(GgufError { kind: GgufErrorKind::Split, .. }), _) => {
                f.write_str("; make it one file (llama-gguf-split --merge)")
            }
            _ => Ok(()),
        }
    }
}

/// Writes the types that there are kernels for.
fn types(f: &mut fmt::Formatter<'_>, build: &Build<'_>) -> fmt::Result {
    let has_kernels = |&kind: &TensorType| kernels::bind(build.formats, build.cpu, kind).is_some();
    list(f, TensorType::ALL.iter().copied().filter(has_kernels).map(TensorType::name))
}

/// Writes what is supported. Families with and without experts may share a name.
fn list(f: &mut fmt::Formatter<'_>, names: impl Iterator<Item = &'static str>) -> fmt::Result {
    let (mut before, mut last) = ("; supported are ", "");
    for name in names {
        if name != last {
            write!(f, "{before}{name}")?;
            (before, last) = (", ", name);
        }
    }
    Ok(())
}
