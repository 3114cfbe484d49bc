//! What can be wrong with a file, and at which byte.

use core::ffi::CStr;
use core::fmt;

/// `text`, which ends with its only NUL.
const fn c_text(text: &str) -> &CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(text) => text,
        Err(_) => panic!("a NUL within the text"),
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $message:literal;)*) => {
        /// What is wrong, without the place.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum GgufErrorKind {
            $($(#[$doc])* $kind,)*
        }

        impl GgufErrorKind {
            /// The error as half a line of English.
            pub const fn message(self) -> &'static str {
                match self {
                    $(Self::$kind => $message,)*
                }
            }

            /// The same as C reads it.
            pub const fn c_message(self) -> &'static CStr {
                match self {
                    $(Self::$kind => const { c_text(concat!($message, "\0")) },)*
                }
            }

            /// The kind that is declared as number `index`, from 0 on.
            pub fn from_index(index: u16) -> Option<Self> {
                const ALL: &[GgufErrorKind] = &[$(GgufErrorKind::$kind),*];
                ALL.get(usize::from(index)).copied()
            }
        }
    };
}

// New kinds come last: their order is their number in `crate::error`.
kinds! {
    /// The first four bytes are not `GGUF`.
    Magic = "not a GGUF file";
    /// The version reads as one only with its bytes swapped.
    BigEndian = "big-endian file";
    /// A version other than 2 and 3.
    Version = "unsupported GGUF version";
    /// More key-value pairs claimed than the file has room for.
    PairCount = "more metadata pairs than the file can hold";
    /// More tensors claimed than the file has room for, or than
    /// [`MAX_TENSORS`](super::MAX_TENSORS).
    TensorCount = "more tensors than the file can hold or the engine takes";
    /// The file ends inside the header.
    Truncated = "the file ends here";
    /// The header slice ends, the file does not: parse again with a longer prefix.
    HeaderIncomplete = "the header goes on beyond the bytes given";
    /// The header passes 4 GiB.
    HeaderTooLarge = "header larger than 4 GiB";
    /// A string's length goes beyond the end of the file.
    StringLength = "string runs past the end of the file";
    /// An array's length goes beyond the end of the file.
    ArrayLength = "array runs past the end of the file";
    /// A key is empty or longer than [`MAX_KEY_BYTES`](super::MAX_KEY_BYTES).
    KeyLength = "key is empty or too long";
    /// A key has a NUL or another control character.
    KeyBytes = "key has a control character";
    /// A key occurs twice.
    DuplicateKey = "key occurs twice";
    /// A value type that GGUF does not define.
    UnknownValueType = "unknown value type";
    /// An array of arrays.
    NestedArray = "array of arrays";
    /// A bool that is neither 0 nor 1.
    Bool = "bool is neither 0 nor 1";
    /// `general.alignment` is not a u32 that is a power of two up to 1 MiB.
    Alignment = "alignment is not a u32 power of two up to 1 MiB";
    /// One of several files that make up a model.
    Split = "model is split over several files";
    /// A key's value has a type that its meaning does not allow.
    WrongType = "value has the wrong type";
    /// A number that is negative or too large for its meaning.
    OutOfRange = "number is negative or too large";
    /// A tensor's name is empty or longer than
    /// [`MAX_TENSOR_NAME_BYTES`](super::MAX_TENSOR_NAME_BYTES).
    TensorNameLength = "tensor name is empty or too long";
    /// A tensor's name occurs twice.
    DuplicateTensor = "tensor name occurs twice";
    /// More than four dimensions.
    DimensionCount = "more than 4 dimensions";
    /// A dimension of 2^63 or more: a negative number.
    Dimension = "dimension is negative";
    /// A type number that is not, or no longer, a tensor type.
    UnknownTensorType = "unknown tensor type";
    /// A row is not a whole number of its type's blocks.
    RowNotBlocks = "row length is not a multiple of the type's block";
    /// Elements or bytes do not fit in 63 bits.
    TensorTooLarge = "tensor is larger than any file";
    /// A tensor does not begin where the one before it ends: misaligned, overlap or gap.
    TensorOffset = "tensor does not begin where the one before it ends";
    /// A tensor's data goes beyond the end of the file.
    DataTruncated = "tensor data runs past the end of the file";
}

impl GgufErrorKind {
    /// The error, at byte `offset` of the file.
    pub(super) const fn at(self, offset: u64) -> GgufError {
        GgufError { kind: self, offset }
    }
}

/// Why a file, or a value asked of it, was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GgufError {
    /// What is wrong.
    pub kind: GgufErrorKind,
    /// Where: the first byte of the record or field, from the start of the file.
    pub offset: u64,
}

impl fmt::Display for GgufError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}: {}", self.offset, self.kind.message())
    }
}

impl core::error::Error for GgufError {}
