//! The head of a prompt cache: 92 bytes, little-endian, before the tokens.
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 8 | `PICOLMKV` |
//! | 8 | 4 | 0x01020304, to tell byte orders apart |
//! | 12 | 4 | version of this format |
//! | 16 | 4 | version of the engine's numerics |
//! | 20 | 4 | flags: none yet, 0 |
//! | 24 | 8 | hash of the model's fingerprint and of the blocks that are left out |
//! | 32 | 8 | hash of what rotates keys |
//! | 40 | 8 | hash of how activations are encoded |
//! | 48 | 4 | type of keys and values, by GGUF's number |
//! | 52 | 16 | layers that have keys; key heads, elements of a key and of a value of the first |
//! | 68 | 4 | positions |
//! | 72 | 8 | f32 of a text's recurrent state; 0 in a model without |
//! | 80 | 4 | positions at which that state is kept |
//! | 84 | 8 | length of the whole file in bytes |

use crate::bytes::Cursor;

/// Bytes of a header.
pub(super) const HEADER_BYTES: usize = 92;

pub(super) const MAGIC: &[u8; 8] = b"PICOLMKV";
const BYTE_ORDER: u32 = 0x0102_0304;
const VERSION: u32 = 2;

/// Raised with every change that alters a bit of what a pass computes: keys and values of an older
/// engine are then no more what this one would have computed.
pub const NUMERICS_VERSION: u32 = 1;

/// Why a file of keys and values is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mismatch {
    /// It does not begin as a prompt cache does.
    NotACache,
    /// It was written with the bytes of numbers in another order.
    ByteOrder,
    /// It has another version of the format.
    Version(u32),
    /// It is shorter or longer than it says.
    Length,
    /// Its checksum does not match its bytes.
    Checksum,
    /// It belongs to another model, or to this one with other blocks left out.
    Model,
    /// It was computed by an engine that rounds differently.
    Numerics,
    /// It was computed with other rotary embeddings.
    Rope,
    /// Its keys and values are of another type.
    KvType,
    /// Its keys and values have other dimensions.
    Dimensions,
    /// It has no positions.
    NoPositions,
    /// It keeps recurrent state at positions that do not ascend, or that it does not have.
    Marks,
    /// It has more positions than the context.
    Context {
        /// Positions in the file.
        positions: u32,
        /// Positions of the context.
        context: u32,
    },
    /// It has a token that the vocabulary has not.
    Token(u32),
    /// The session has a text already.
    InUse,
}

impl Mismatch {
    /// What it is, without the numbers that some have: for programs that format nothing.
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotACache => "it is no prompt cache",
            Self::ByteOrder => "it was written in another byte order",
            Self::Version(_) => "it has another version",
            Self::Length => "it is cut off, or longer than it says",
            Self::Checksum => "it is damaged: a checksum is wrong",
            Self::Model => "it belongs to another model, or to other layers of it",
            Self::Numerics => "it was computed with other rounding",
            Self::Rope => "it was computed with other rotary embeddings",
            Self::KvType => "its keys and values are of another type",
            Self::Dimensions => "its keys and values have other dimensions",
            Self::NoPositions => "it has no positions",
            Self::Marks => "it keeps state at positions that it does not have",
            Self::Context { .. } => "it has more positions than the context",
            Self::Token(_) => "it has tokens that are not in the vocabulary",
            Self::InUse => "the session has a text already",
        }
    }
}

impl core::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Version(version) => write!(f, "it has version {version}, known is {VERSION}"),
            Self::Context { positions, context } => {
                write!(f, "it has {positions} positions and the context only {context}")
            }
            Self::Token(token) => write!(f, "its token {token} is not in the vocabulary"),
            _ => f.write_str(self.text()),
        }
    }
}

/// What a file says about itself, or must say to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) numerics: u32,
    pub(super) model: u64,
    pub(super) rope: u64,
    pub(super) encodings: u64,
    pub(super) kv_type: u32,
    /// Layers that have keys; key heads, elements of a key and of a value of the first.
    pub(super) dimensions: [u32; 4],
    pub(super) positions: u32,
    pub(super) state_len: u64,
    pub(super) marks: u32,
    pub(super) file_bytes: u64,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        let mut rest = &mut bytes[..];
        let mut put = |field: &[u8]| {
            let (now, later) = core::mem::take(&mut rest).split_at_mut(field.len());
            now.copy_from_slice(field);
            rest = later;
        };
        put(MAGIC);
        for number in [BYTE_ORDER, VERSION, self.numerics, 0] {
            put(&number.to_le_bytes());
        }
        for number in [self.model, self.rope, self.encodings] {
            put(&number.to_le_bytes());
        }
        put(&self.kv_type.to_le_bytes());
        for number in self.dimensions {
            put(&number.to_le_bytes());
        }
        put(&self.positions.to_le_bytes());
        put(&self.state_len.to_le_bytes());
        put(&self.marks.to_le_bytes());
        put(&self.file_bytes.to_le_bytes());
        bytes
    }

    /// What `bytes` say; only what comes before any meaning is checked.
    pub(super) fn decode(bytes: &[u8; HEADER_BYTES]) -> Result<Self, Mismatch> {
        let mut cursor = Cursor::new(bytes);
        if cursor.take(8).ok() != Some(MAGIC) {
            return Err(Mismatch::NotACache);
        }
        // All bytes are there: reading cannot fail.
        let mut u32 = || cursor.u32().unwrap_or_default();
        let (byte_order, version, numerics, flags) = (u32(), u32(), u32(), u32());
        if byte_order != BYTE_ORDER {
            return Err(Mismatch::ByteOrder);
        }
        if version != VERSION || flags != 0 {
            return Err(Mismatch::Version(version));
        }
        let mut u64 = || cursor.u64().unwrap_or_default();
        let (model, rope, encodings) = (u64(), u64(), u64());
        let mut u32 = || cursor.u32().unwrap_or_default();
        let (kv_type, dimensions, positions) = (u32(), [u32(), u32(), u32(), u32()], u32());
        let state_len = cursor.u64().unwrap_or_default();
        let marks = cursor.u32().unwrap_or_default();
        let file_bytes = cursor.u64().unwrap_or_default();
        Ok(Self {
            numerics,
            model,
            rope,
            encodings,
            kv_type,
            dimensions,
            positions,
            state_len,
            marks,
            file_bytes,
        })
    }

    /// The first thing that this file says otherwise than `own`.
    pub(super) fn differs_from(&self, own: &Self) -> Option<Mismatch> {
        let differences = [
            (self.model != own.model, Mismatch::Model),
            (self.numerics != own.numerics, Mismatch::Numerics),
            (self.encodings != own.encodings, Mismatch::Numerics),
            (self.rope != own.rope, Mismatch::Rope),
            (self.kv_type != own.kv_type, Mismatch::KvType),
            (self.dimensions != own.dimensions, Mismatch::Dimensions),
            (self.state_len != own.state_len, Mismatch::Dimensions),
        ];
        differences.into_iter().find_map(|(differs, mismatch)| differs.then_some(mismatch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        numerics: 5,
        model: 0x1122_3344_5566_7788,
        rope: 2,
        encodings: 3,
        kv_type: 1,
        dimensions: [4, 6, 7, 8],
        positions: 9,
        state_len: 10,
        marks: 11,
        file_bytes: 1 << 40,
    };

    #[test]
    fn what_was_encoded_is_decoded() {
        let bytes = HEADER.encode();
        assert_eq!(Header::decode(&bytes), Ok(HEADER));
        assert_eq!(bytes[24..32], [0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]);
        assert_eq!(bytes[68], 9);
        assert_eq!((bytes[72], bytes[80]), (10, 11));
        assert_eq!(bytes[84..], [0, 0, 0, 0, 0, 1, 0, 0]);
    }

    /// No bit of a header is without meaning.
    #[test]
    fn every_bit_counts() {
        for bit in 0..8 * HEADER_BYTES {
            let mut bytes = HEADER.encode();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(Header::decode(&bytes), Ok(HEADER), "bit {bit}");
        }
    }
}
