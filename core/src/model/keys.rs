//! The metadata keys of an architecture, without its name.

use super::config::BlockCounts;
use super::error::ModelError;
use super::per_block::PerBlock;
use crate::gguf::{Array, Gguf, Key, Number, Numbers, Value, ValueType};

/// Reads `ARCHITECTURE.suffix`.
pub struct Keys<'g, 'a> {
    pub(super) gguf: &'g Gguf<'a>,
    pub(super) architecture: &'static str,
}

impl<'a> Keys<'_, 'a> {
    /// A whole number, or a list of equal ones; `None` where the key is absent.
    pub fn u32(&self, suffix: &'static str) -> Result<Option<u32>, ModelError> {
        match self.list(suffix) {
            Some(list) => equal(list.u32s()?, suffix).map(Some),
            None => Ok(self.gguf.u32(Key::of(self.architecture, suffix))?),
        }
    }

    /// A number, or a list of equal ones; `None` where the key is absent.
    pub fn f32(&self, suffix: &'static str) -> Result<Option<f32>, ModelError> {
        match self.list(suffix) {
            Some(list) => equal(list.f32s()?, suffix).map(Some),
            None => Ok(self.gguf.f32(Key::of(self.architecture, suffix))?),
        }
    }

    /// A list that is not empty: converters write one with a number for each block.
    fn list(&self, suffix: &'static str) -> Option<Array<'a>> {
        match self.gguf.get(Key::of(self.architecture, suffix)) {
            Some(Value::Array(list)) if !list.is_empty() => Some(list),
            _ => None,
        }
    }

    /// A text; `None` where the key is absent.
    pub fn string(&self, suffix: &'static str) -> Result<Option<&'a [u8]>, ModelError> {
        Ok(self.gguf.string(Key::of(self.architecture, suffix))?)
    }

    /// Yes or no; `None` where the key is absent.
    pub fn bool(&self, suffix: &'static str) -> Result<Option<bool>, ModelError> {
        Ok(self.gguf.bool(Key::of(self.architecture, suffix))?)
    }

    /// A list of yes and no; `None` where the key is absent or something else.
    pub fn bools(&self, suffix: &'static str) -> Result<Option<Numbers<'a, bool>>, ModelError> {
        let list = self.list(suffix).filter(|list| list.element_type() == ValueType::Bool);
        Ok(list.map(|list| list.bools()).transpose()?)
    }

    /// A list of whole numbers; `None` where the key is absent or something else.
    pub fn u32s(&self, suffix: &'static str) -> Result<Option<Numbers<'a, u32>>, ModelError> {
        Ok(self.list(suffix).map(|list| list.u32s()).transpose()?)
    }

    /// A required size in `1..=most`.
    pub fn size(&self, suffix: &'static str, most: u32) -> Result<u32, ModelError> {
        self.optional_size(suffix, most)?.ok_or(ModelError::MissingKey(suffix))
    }

    /// A size in `1..=most`; `None` where the key is absent.
    pub fn optional_size(
        &self,
        suffix: &'static str,
        most: u32,
    ) -> Result<Option<u32>, ModelError> {
        self.u32(suffix)?.map(|size| in_bounds(size, most, suffix)).transpose()
    }

    /// A size of each of `n_layer` blocks, `most` at most; `None` where the key is absent.
    pub fn per_block(
        &self,
        suffix: &'static str,
        most: u32,
        n_layer: u32,
        counts: BlockCounts,
    ) -> Result<Option<PerBlock>, ModelError> {
        let check = |size: u32| match (counts.least()..=most).contains(&size) {
            true => Ok(()),
            false => Err(ModelError::InvalidKey(suffix)),
        };
        let one = match self.u32(suffix) {
            // Not one number for all blocks.
            Err(ModelError::UnequalKey(_)) if counts != BlockCounts::Alike => None,
            size => Some(size?),
        };
        if let Some(one) = one {
            one.map_or(Ok(()), check)?;
            return Ok(one.map(PerBlock::alike));
        }
        let sizes = self.u32s(suffix)?.ok_or(ModelError::InvalidKey(suffix))?;
        for number in 0..n_layer {
            check(sizes.get(number.into()).ok_or(ModelError::InvalidKey(suffix))?)?;
        }
        let sizes = PerBlock::of_each(sizes.iter().take(n_layer as usize));
        let sizes = sizes.filter(|sizes| sizes.are(counts));
        Ok(Some(sizes.ok_or(ModelError::UnequalKey(suffix))?))
    }

    /// A number from 0 on; `None` where the key is absent.
    pub fn from_zero(&self, suffix: &'static str) -> Result<Option<f32>, ModelError> {
        match self.f32(suffix)? {
            Some(value) if !(value.is_finite() && value >= 0.0) => {
                Err(ModelError::InvalidKey(suffix))
            }
            value => Ok(value),
        }
    }

    /// A number above 0; `None` where the key is absent.
    pub fn optional_positive(&self, suffix: &'static str) -> Result<Option<f32>, ModelError> {
        match self.from_zero(suffix)? {
            Some(0.0) => Err(ModelError::InvalidKey(suffix)),
            value => Ok(value),
        }
    }

    /// A number above 0, or `default` where the key is absent.
    pub fn positive(&self, suffix: &'static str, default: f32) -> Result<f32, ModelError> {
        Ok(self.optional_positive(suffix)?.unwrap_or(default))
    }
}

/// The number that all of `numbers` are.
fn equal<T: Number + PartialEq>(
    numbers: Numbers<'_, T>,
    suffix: &'static str,
) -> Result<T, ModelError> {
    let unequal = ModelError::UnequalKey(suffix);
    let first = numbers.get(0).ok_or(unequal)?;
    if numbers.iter().all(|number| number == first) { Ok(first) } else { Err(unequal) }
}

/// `size`, the value of the key `suffix`, if it lies in `1..=most`.
pub(super) fn in_bounds(size: u32, most: u32, suffix: &'static str) -> Result<u32, ModelError> {
    if (1..=most).contains(&size) { Ok(size) } else { Err(ModelError::InvalidKey(suffix)) }
}
