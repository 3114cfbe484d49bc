//! Metadata values: thirteen types, of which one is an array of the others.
//!
//! Conversions are exact or an error: a value of another type, a negative or too large number is
//! never read as something else.

use core::marker::PhantomData;

use super::error::{GgufError, GgufErrorKind};
use super::reader::Reader;
use crate::bytes::product;

/// The type of a metadata value, numbered as GGUF does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ValueType {
    /// Unsigned, 8 bits.
    U8 = 0,
    /// Two's complement, 8 bits.
    I8 = 1,
    /// Unsigned, 16 bits.
    U16 = 2,
    /// Two's complement, 16 bits.
    I16 = 3,
    /// Unsigned, 32 bits.
    U32 = 4,
    /// Two's complement, 32 bits.
    I32 = 5,
    /// IEEE 754 binary32.
    F32 = 6,
    /// One byte, 0 or 1.
    Bool = 7,
    /// Length in eight bytes, then bytes without terminator.
    String = 8,
    /// Element type, length in eight bytes, then elements.
    Array = 9,
    /// Unsigned, 64 bits.
    U64 = 10,
    /// Two's complement, 64 bits.
    I64 = 11,
    /// IEEE 754 binary64.
    F64 = 12,
}

impl ValueType {
    /// The type with GGUF's number `id`.
    pub const fn from_id(id: u32) -> Option<Self> {
        Some(match id {
            0 => Self::U8,
            1 => Self::I8,
            2 => Self::U16,
            3 => Self::I16,
            4 => Self::U32,
            5 => Self::I32,
            6 => Self::F32,
            7 => Self::Bool,
            8 => Self::String,
            9 => Self::Array,
            10 => Self::U64,
            11 => Self::I64,
            12 => Self::F64,
            _ => return None,
        })
    }

    /// Bytes of a value; for strings and arrays the fewest it can have.
    const fn min_bytes(self) -> u64 {
        match self {
            Self::U8 | Self::I8 | Self::Bool => 1,
            Self::U16 | Self::I16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 | Self::String => 8,
            Self::Array => 12,
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, GgufError> {
        let offset = reader.offset();
        Self::from_id(reader.u32()?).ok_or(GgufErrorKind::UnknownValueType.at(offset))
    }
}

/// A metadata value.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// Unsigned, 8 bits.
    U8(u8),
    /// Signed, 8 bits.
    I8(i8),
    /// Unsigned, 16 bits.
    U16(u16),
    /// Signed, 16 bits.
    I16(i16),
    /// Unsigned, 32 bits.
    U32(u32),
    /// Signed, 32 bits.
    I32(i32),
    /// Float, 32 bits.
    F32(f32),
    /// True or false.
    Bool(bool),
    /// Bytes, meant to be UTF-8 but not checked.
    String(&'a [u8]),
    /// Elements of one type.
    Array(Array<'a>),
    /// Unsigned, 64 bits.
    U64(u64),
    /// Signed, 64 bits.
    I64(i64),
    /// Float, 64 bits.
    F64(f64),
}

impl<'a> Value<'a> {
    /// Reads a value's type and the value. Of an array of strings only the head is read: the
    /// reader is left at its first string, see [`Self::skip_rest`].
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, GgufError> {
        match ValueType::read(reader)? {
            ValueType::Array => Array::read(reader).map(Self::Array),
            value_type => Self::read_element(value_type, reader),
        }
    }

    /// Passes over what [`Self::read`] left unread, and checks it.
    pub(super) fn skip_rest(self, reader: &mut Reader<'a>) -> Result<(), GgufError> {
        match self {
            Self::Array(Array { element: ValueType::String, len, .. }) => reader.skip_strings(len),
            _ => Ok(()),
        }
    }

    fn read_element(value_type: ValueType, reader: &mut Reader<'a>) -> Result<Self, GgufError> {
        Ok(match value_type {
            ValueType::U8 => Self::U8(u8::from_le_bytes(reader.array()?)),
            ValueType::I8 => Self::I8(i8::from_le_bytes(reader.array()?)),
            ValueType::U16 => Self::U16(u16::from_le_bytes(reader.array()?)),
            ValueType::I16 => Self::I16(i16::from_le_bytes(reader.array()?)),
            ValueType::U32 => Self::U32(reader.u32()?),
            ValueType::I32 => Self::I32(i32::from_le_bytes(reader.array()?)),
            ValueType::F32 => Self::F32(f32::from_le_bytes(reader.array()?)),
            ValueType::U64 => Self::U64(reader.u64()?),
            ValueType::I64 => Self::I64(i64::from_le_bytes(reader.array()?)),
            ValueType::F64 => Self::F64(f64::from_le_bytes(reader.array()?)),
            ValueType::String => Self::String(reader.string()?),
            ValueType::Bool => {
                let offset = reader.offset();
                match reader.array()? {
                    [0] => Self::Bool(false),
                    [1] => Self::Bool(true),
                    _ => return Err(GgufErrorKind::Bool.at(offset)),
                }
            }
            ValueType::Array => return Err(GgufErrorKind::NestedArray.at(reader.offset())),
        })
    }

    /// The value's type.
    pub const fn value_type(self) -> ValueType {
        match self {
            Self::U8(_) => ValueType::U8,
            Self::I8(_) => ValueType::I8,
            Self::U16(_) => ValueType::U16,
            Self::I16(_) => ValueType::I16,
            Self::U32(_) => ValueType::U32,
            Self::I32(_) => ValueType::I32,
            Self::F32(_) => ValueType::F32,
            Self::Bool(_) => ValueType::Bool,
            Self::String(_) => ValueType::String,
            Self::Array(_) => ValueType::Array,
            Self::U64(_) => ValueType::U64,
            Self::I64(_) => ValueType::I64,
            Self::F64(_) => ValueType::F64,
        }
    }

    /// An integer of any type that `T` can hold.
    fn to_integer<T: TryFrom<u64> + TryFrom<i64>>(self) -> Result<T, GgufErrorKind> {
        let number = match self {
            Self::U8(number) => T::try_from(u64::from(number)).ok(),
            Self::U16(number) => T::try_from(u64::from(number)).ok(),
            Self::U32(number) => T::try_from(u64::from(number)).ok(),
            Self::U64(number) => T::try_from(number).ok(),
            Self::I8(number) => T::try_from(i64::from(number)).ok(),
            Self::I16(number) => T::try_from(i64::from(number)).ok(),
            Self::I32(number) => T::try_from(i64::from(number)).ok(),
            Self::I64(number) => T::try_from(number).ok(),
            _ => return Err(GgufErrorKind::WrongType),
        };
        number.ok_or(GgufErrorKind::OutOfRange)
    }

    /// A non-negative integer of any type that fits.
    pub fn to_u32(self) -> Result<u32, GgufErrorKind> {
        self.to_integer()
    }

    /// A non-negative integer of any type.
    pub fn to_u64(self) -> Result<u64, GgufErrorKind> {
        self.to_integer()
    }

    /// An integer of any type that fits.
    pub fn to_i32(self) -> Result<i32, GgufErrorKind> {
        self.to_integer()
    }

    /// A 32-bit float; no other number is one.
    pub const fn to_f32(self) -> Result<f32, GgufErrorKind> {
        match self {
            Self::F32(number) => Ok(number),
            _ => Err(GgufErrorKind::WrongType),
        }
    }

    /// A bool; no number is one.
    pub const fn to_bool(self) -> Result<bool, GgufErrorKind> {
        match self {
            Self::Bool(truth) => Ok(truth),
            _ => Err(GgufErrorKind::WrongType),
        }
    }

    /// A string's bytes.
    pub const fn to_string_bytes(self) -> Result<&'a [u8], GgufErrorKind> {
        match self {
            Self::String(bytes) => Ok(bytes),
            _ => Err(GgufErrorKind::WrongType),
        }
    }

    /// An array.
    pub const fn to_array(self) -> Result<Array<'a>, GgufErrorKind> {
        match self {
            Self::Array(array) => Ok(array),
            _ => Err(GgufErrorKind::WrongType),
        }
    }
}

/// An array value: elements of one type, which is not itself an array.
#[derive(Clone, Copy, Debug)]
pub struct Array<'a> {
    element: ValueType,
    len: u64,
    /// At the first element.
    reader: Reader<'a>,
}

impl<'a> Array<'a> {
    /// Reads and checks the head and, but for strings, the elements.
    fn read(reader: &mut Reader<'a>) -> Result<Self, GgufError> {
        let type_offset = reader.offset();
        let element = ValueType::read(reader)?;
        if element == ValueType::Array {
            return Err(GgufErrorKind::NestedArray.at(type_offset));
        }
        let len_offset = reader.offset();
        let len = reader.u64()?;
        let min_bytes = product(&[len, element.min_bytes()])
            .filter(|&bytes| bytes <= reader.file_remaining())
            .ok_or(GgufErrorKind::ArrayLength.at(len_offset))?;
        let first = *reader;
        if element != ValueType::String {
            let bytes = reader.take(min_bytes, GgufErrorKind::ArrayLength)?;
            if element == ValueType::Bool
                && let Some(bad) = bytes.iter().position(|&byte| byte > 1)
            {
                let offset = first.offset().saturating_add(bad as u64);
                return Err(GgufErrorKind::Bool.at(offset));
            }
        }
        Ok(Self { element, len, reader: first })
    }

    /// The type of the elements.
    pub const fn element_type(&self) -> ValueType {
        self.element
    }

    /// Number of elements.
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether there are no elements.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Offset of the first element, in bytes from the start of the file.
    pub const fn offset(&self) -> u64 {
        self.reader.offset()
    }

    /// The elements as strings.
    pub fn strings(&self) -> Result<StringArray<'a>, GgufError> {
        if self.element != ValueType::String {
            return Err(GgufErrorKind::WrongType.at(self.offset()));
        }
        Ok(StringArray { left: self.len, reader: self.reader })
    }

    /// The elements as u32: integers of any type, all of which fit.
    pub fn u32s(&self) -> Result<Numbers<'a, u32>, GgufError> {
        self.numbers()
    }

    /// The elements as i32: integers of any type, all of which fit.
    pub fn i32s(&self) -> Result<Numbers<'a, i32>, GgufError> {
        self.numbers()
    }

    /// The elements as f32, which they must be.
    pub fn f32s(&self) -> Result<Numbers<'a, f32>, GgufError> {
        self.numbers()
    }

    /// The elements as bools, which they must be.
    pub fn bools(&self) -> Result<Numbers<'a, bool>, GgufError> {
        self.numbers()
    }

    fn numbers<T: Number>(&self) -> Result<Numbers<'a, T>, GgufError> {
        if !T::is_from(self.element) {
            return Err(GgufErrorKind::WrongType.at(self.offset()));
        }
        let mut reader = self.reader;
        let mut words: &[[u8; 4]] = &[];
        if T::WORD == Some(self.element) {
            let bytes = self.len.saturating_mul(4);
            (words, _) = reader.take(bytes, GgufErrorKind::ArrayLength)?.as_chunks();
        } else if !T::is_always_from(self.element) {
            for _ in 0..self.len {
                let offset = reader.offset();
                T::from_value(Value::read_element(self.element, &mut reader)?)
                    .map_err(|kind| kind.at(offset))?;
            }
        }
        Ok(Numbers { array: *self, words, number: PhantomData })
    }
}

mod sealed {
    pub trait Sealed {}
}

/// What [`Numbers`] can hold.
pub trait Number: Copy + sealed::Sealed {
    /// Whether an element of this type may be such a number.
    #[doc(hidden)]
    fn is_from(element: ValueType) -> bool;

    /// Whether every element of this type is one.
    #[doc(hidden)]
    fn is_always_from(element: ValueType) -> bool;

    /// The type of four bytes that is such a number as it lies.
    #[doc(hidden)]
    const WORD: Option<ValueType>;

    /// An element of that type.
    #[doc(hidden)]
    fn from_word(word: [u8; 4]) -> Self;

    /// The number.
    #[doc(hidden)]
    fn from_value(value: Value<'_>) -> Result<Self, GgufErrorKind>;
}

macro_rules! number {
    (
        $type:ty, $convert:ident, $word:expr, $from_word:expr,
        [$($may:ident)*], [$($always:ident)*]
    ) => {
        impl sealed::Sealed for $type {}
        impl Number for $type {
            fn is_from(element: ValueType) -> bool {
                matches!(element, $(ValueType::$may)|*)
            }
            fn is_always_from(element: ValueType) -> bool {
                matches!(element, $(ValueType::$always)|*)
            }
            const WORD: Option<ValueType> = $word;
            fn from_word(word: [u8; 4]) -> Self {
                $from_word(word)
            }
            fn from_value(value: Value<'_>) -> Result<Self, GgufErrorKind> {
                value.$convert()
            }
        }
    };
}
number!(
    u32, to_u32, Some(ValueType::U32), u32::from_le_bytes,
    [U8 U16 U32 U64 I8 I16 I32 I64], [U8 U16 U32]
);
number!(
    i32, to_i32, Some(ValueType::I32), i32::from_le_bytes,
    [U8 U16 U32 U64 I8 I16 I32 I64], [U8 U16 I8 I16 I32]
);
number!(f32, to_f32, Some(ValueType::F32), f32::from_le_bytes, [F32], [F32]);
number!(bool, to_bool, None, |word| word != [0; 4], [Bool], [Bool]);

/// An array whose elements are all known to be numbers of type `T`.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a, T> {
    array: Array<'a>,
    /// The elements, where they are of [`Number::WORD`]: a vocabulary's types and scores are read
    /// some hundred thousand times before the first token.
    words: &'a [[u8; 4]],
    number: PhantomData<T>,
}

impl<'a, T: Number> Numbers<'a, T> {
    /// Number of elements.
    pub const fn len(&self) -> u64 {
        self.array.len
    }

    /// Whether there are no elements.
    pub const fn is_empty(&self) -> bool {
        self.array.len == 0
    }

    /// Element `index`; `None` beyond the last.
    pub fn get(&self, index: u64) -> Option<T> {
        if index >= self.array.len {
            return None;
        }
        if let Some(&word) = self.words.get(usize::try_from(index).ok()?) {
            return Some(T::from_word(word));
        }
        let before = product(&[index, self.array.element.min_bytes()])?;
        let mut reader = self.array.reader;
        reader.take(before, GgufErrorKind::ArrayLength).ok()?;
        T::from_value(Value::read_element(self.array.element, &mut reader).ok()?).ok()
    }

    /// All elements, in order.
    pub fn iter(self) -> impl Iterator<Item = T> + use<'a, T> {
        let (words, len) = (self.words, self.len());
        let rest = (words.len() as u64..len).map_while(move |index| self.get(index));
        words.iter().map(|&word| T::from_word(word)).chain(rest)
    }
}

/// The strings of an array, in order, each with the place where it can be found again.
///
/// An item is the offset of the string's length field from the start of the header, to be kept for
/// [`Gguf::string_at`](super::Gguf::string_at), and the string's bytes.
#[derive(Clone, Debug)]
pub struct StringArray<'a> {
    left: u64,
    reader: Reader<'a>,
}

impl<'a> Iterator for StringArray<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let position = self.reader.position().ok()?;
        Some((position, self.reader.next_string()?))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = usize::try_from(self.left);
        (left.unwrap_or(usize::MAX), left.ok())
    }
}
