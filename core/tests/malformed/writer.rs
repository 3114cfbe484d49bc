//! Writes GGUF files that are wrong in one chosen place.

use core::time::Duration;

use cpu_time::ThreadTime;
use picolm_core::gguf::{Gguf, GgufError, GgufErrorKind, Numbers, Value, ValueType};

/// A refusal may take this long, whatever the file claims. Targets other than the usual host run
/// these tests under emulation, 20 times slower.
pub(crate) const PATIENCE: Duration =
    Duration::from_millis(if cfg!(target_arch = "x86_64") { 100 } else { 2000 });

/// The least time that `parse` takes; tried again where something else may have had the CPU.
pub(crate) fn least_time(patience: Duration, mut parse: impl FnMut()) -> Duration {
    let mut least = Duration::MAX;
    for _ in 0..5 {
        let start = ThreadTime::now();
        parse();
        least = least.min(start.elapsed());
        if least < patience {
            break;
        }
    }
    least
}

/// Value types by GGUF's number, named as the specification does.
pub(crate) mod value_type {
    pub(crate) const UINT8: u32 = 0;
    pub(crate) const INT8: u32 = 1;
    pub(crate) const UINT16: u32 = 2;
    pub(crate) const INT16: u32 = 3;
    pub(crate) const UINT32: u32 = 4;
    pub(crate) const INT32: u32 = 5;
    pub(crate) const FLOAT32: u32 = 6;
    pub(crate) const BOOL: u32 = 7;
    pub(crate) const STRING: u32 = 8;
    pub(crate) const ARRAY: u32 = 9;
    pub(crate) const UINT64: u32 = 10;
    pub(crate) const INT64: u32 = 11;
    pub(crate) const FLOAT64: u32 = 12;
}

/// Tensor types by ggml's number.
pub(crate) mod tensor_type {
    pub(crate) const F32: u32 = 0;
    pub(crate) const Q4_0: u32 = 2;
    pub(crate) const Q4_K: u32 = 12;
    pub(crate) const I8: u32 = 24;
    pub(crate) const F64: u32 = 28;
}

/// Magic, version and two counts.
pub(crate) const HEADER_BYTES: u64 = 24;

pub(crate) fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat()
}

pub(crate) fn pair(key: &str, value_type: u32, value: &[u8]) -> Vec<u8> {
    [&string(key.as_bytes())[..], &value_type.to_le_bytes(), value].concat()
}

pub(crate) fn array(element: u32, len: u64, elements: &[u8]) -> Vec<u8> {
    [&element.to_le_bytes()[..], &len.to_le_bytes(), elements].concat()
}

#[derive(Clone)]
pub(crate) struct Tensor {
    pub(crate) name: Vec<u8>,
    pub(crate) n_dimensions: Option<u32>,
    pub(crate) dimensions: Vec<u64>,
    pub(crate) tensor_type: u32,
    pub(crate) offset: u64,
}

impl Tensor {
    pub(crate) fn new(name: &str, dimensions: &[u64], tensor_type: u32, offset: u64) -> Self {
        let name = string(name.as_bytes());
        Self { name, n_dimensions: None, dimensions: dimensions.to_vec(), tensor_type, offset }
    }

    fn bytes(&self) -> Vec<u8> {
        let count = self.n_dimensions.unwrap_or(self.dimensions.len() as u32);
        let mut bytes = [&self.name[..], &count.to_le_bytes()].concat();
        self.dimensions.iter().for_each(|dimension| bytes.extend(dimension.to_le_bytes()));
        bytes.extend(self.tensor_type.to_le_bytes());
        bytes.extend(self.offset.to_le_bytes());
        bytes
    }
}

/// What a file is made of. The counts are true unless they are given.
#[derive(Clone)]
pub(crate) struct File {
    pub(crate) magic: [u8; 4],
    pub(crate) version: u32,
    pub(crate) tensor_count: Option<u64>,
    pub(crate) pair_count: Option<u64>,
    pub(crate) pairs: Vec<Vec<u8>>,
    pub(crate) tensors: Vec<Tensor>,
    pub(crate) padded_to: usize,
    pub(crate) data_bytes: usize,
}

impl Default for File {
    fn default() -> Self {
        Self {
            magic: *b"GGUF",
            version: 3,
            tensor_count: None,
            pair_count: None,
            pairs: vec![],
            tensors: vec![],
            padded_to: 32,
            data_bytes: 0,
        }
    }
}

impl File {
    pub(crate) fn with_pairs(pairs: &[Vec<u8>]) -> Self {
        Self { pairs: pairs.to_vec(), ..Self::default() }
    }

    pub(crate) fn with_tensors(tensors: &[Tensor], data_bytes: usize) -> Self {
        Self { tensors: tensors.to_vec(), data_bytes, ..Self::default() }
    }

    /// A file with every value type, two tensors of 64 and 32 bytes, and nothing wrong.
    pub(crate) fn valid() -> Self {
        use value_type::*;
        let tokens = [string(b"<s>"), string(b""), string("\u{e9}".as_bytes())].concat();
        let scores: Vec<u8> = [0.5f32, -1.0, 2.0].iter().flat_map(|s| s.to_le_bytes()).collect();
        let pairs = [
            pair("general.architecture", STRING, &string(b"llama")),
            pair("general.alignment", UINT32, &32u32.to_le_bytes()),
            pair("llama.block_count", UINT32, &2u32.to_le_bytes()),
            pair("llama.rope.freq_base", FLOAT32, &10000f32.to_le_bytes()),
            pair("tokenizer.ggml.tokens", ARRAY, &array(STRING, 3, &tokens)),
            pair("tokenizer.ggml.scores", ARRAY, &array(FLOAT32, 3, &scores)),
            pair("tokenizer.ggml.token_type", ARRAY, &array(INT32, 1, &(-1i32).to_le_bytes())),
            pair("tokenizer.ggml.add_bos_token", BOOL, &[1]),
            pair("flags", ARRAY, &array(BOOL, 2, &[0, 1])),
            pair("u8", UINT8, &[200]),
            pair("i8", INT8, &(-3i8).to_le_bytes()),
            pair("u16", UINT16, &60_000u16.to_le_bytes()),
            pair("i16", INT16, &(-300i16).to_le_bytes()),
            pair("i32", INT32, &7i32.to_le_bytes()),
            pair("u64", UINT64, &u64::MAX.to_le_bytes()),
            pair("i64", INT64, &i64::MIN.to_le_bytes()),
            pair("f64", FLOAT64, &0.1f64.to_le_bytes()),
        ];
        let tensors = [
            Tensor::new("token_embd.weight", &[32, 3], tensor_type::Q4_0, 0),
            Tensor::new("output_norm.weight", &[8], tensor_type::F32, 64),
        ];
        Self { pairs: pairs.to_vec(), ..Self::with_tensors(&tensors, 64 + 32) }
    }

    /// Everything before the padding that leads to the data.
    pub(crate) fn header(&self) -> Vec<u8> {
        let tensor_count = self.tensor_count.unwrap_or(self.tensors.len() as u64);
        let pair_count = self.pair_count.unwrap_or(self.pairs.len() as u64);
        let mut bytes = [&self.magic[..], &self.version.to_le_bytes()].concat();
        bytes.extend(tensor_count.to_le_bytes());
        bytes.extend(pair_count.to_le_bytes());
        self.pairs.iter().for_each(|pair| bytes.extend(pair));
        self.tensors.iter().for_each(|tensor| bytes.extend(tensor.bytes()));
        bytes
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.header();
        if !self.tensors.is_empty() {
            bytes.resize(bytes.len().next_multiple_of(self.padded_to), 0);
        }
        bytes.resize(bytes.len() + self.data_bytes, 0xa5);
        bytes
    }

    /// Offset of the record of pair `index`.
    pub(crate) fn pair_offset(&self, index: usize) -> u64 {
        HEADER_BYTES + self.pairs[..index].iter().map(|pair| pair.len() as u64).sum::<u64>()
    }

    /// Offset of the record of tensor `index`.
    pub(crate) fn tensor_offset(&self, index: usize) -> u64 {
        let before = self.tensors[..index].iter().map(|tensor| tensor.bytes().len() as u64);
        self.pair_offset(self.pairs.len()) + before.sum::<u64>()
    }

    pub(crate) fn refused(&self, kind: GgufErrorKind, offset: u64) {
        refused(&self.bytes(), kind, offset);
    }

    pub(crate) fn accepted(&self) {
        accepted(&self.bytes(), exercise);
    }
}

pub(crate) fn refused(file: &[u8], kind: GgufErrorKind, offset: u64) {
    let elapsed = least_time(PATIENCE, || {
        let error = Gguf::parse(file, file.len() as u64).err();
        assert_eq!(error, Some(GgufError { kind, offset }));
    });
    assert!(elapsed < PATIENCE, "{kind:?} took {elapsed:?}");
}

pub(crate) fn accepted(file: &[u8], check: impl Fn(&Gguf<'_>)) {
    match Gguf::parse(file, file.len() as u64) {
        Ok(gguf) => check(&gguf),
        Err(error) => panic!("{error}"),
    }
}

/// Calls every iterator and getter, and checks what a parse promises about any file.
pub(crate) fn exercise(gguf: &Gguf<'_>) {
    assert_eq!(gguf.metadata().count() as u64, gguf.metadata_count());
    assert_eq!(gguf.tensors().count() as u64, gguf.tensor_count());
    assert!(gguf.alignment().is_power_of_two());
    for (key, value) in gguf.metadata() {
        let Ok(key) = core::str::from_utf8(key) else { continue };
        // A key beyond the directory may occur twice; reading it is then an error.
        if let Some(found) = gguf.get(key) {
            assert_eq!(found.value_type(), value.value_type());
        }
        let typed = [
            gguf.u32(key).is_ok(),
            gguf.f32(key).is_ok(),
            gguf.bool(key).is_ok(),
            gguf.string(key).is_ok(),
            gguf.array(key).is_ok(),
        ];
        assert!(typed.iter().filter(|&&ok| ok).count() <= 1, "{key} reads as two types");
        if gguf.u32(key).is_ok() {
            assert!(gguf.u64(key).is_ok());
        }
        exercise_array(gguf, value);
    }
    let mut end = gguf.data_offset();
    for tensor in gguf.tensors() {
        assert_eq!(tensor.offset, end);
        assert_eq!(tensor.tensor_type.bytes_for(tensor.elements()), Some(tensor.bytes));
        end = (end + tensor.bytes).next_multiple_of(gguf.alignment());
    }
    assert!(gguf.header_bytes().len() as u64 <= gguf.data_offset());
}

fn exercise_array(gguf: &Gguf<'_>, value: Value<'_>) {
    let Value::Array(array) = value else { return };
    match array.strings() {
        Ok(strings) => {
            assert_eq!(strings.clone().count() as u64, array.len());
            for (offset, string) in strings {
                assert_eq!(gguf.string_at(offset), Some(string));
            }
        }
        Err(_) => assert_ne!(array.element_type(), ValueType::String),
    }
    fn counted<T: picolm_core::gguf::Number>(numbers: Result<Numbers<'_, T>, GgufError>) {
        let Ok(numbers) = numbers else { return };
        assert_eq!(numbers.iter().count() as u64, numbers.len());
        assert!(numbers.get(numbers.len()).is_none());
        assert!(numbers.get(u64::MAX).is_none());
    }
    counted(array.u32s());
    counted(array.i32s());
    counted(array.f32s());
    counted(array.bools());
}
