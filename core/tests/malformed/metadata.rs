//! Keys, value types, lengths.

use picolm_core::gguf::{DIRECTORY_KEYS, Gguf, GgufErrorKind::*, name_at};

use crate::writer::value_type::*;
use crate::writer::{File, HEADER_BYTES, PATIENCE, accepted, array, least_time, pair, string};

/// The only pair of a file begins behind the header; its fields, for a key of `key_bytes`.
const fn type_offset(key_bytes: u64) -> u64 {
    HEADER_BYTES + 8 + key_bytes
}
const fn value_offset(key_bytes: u64) -> u64 {
    type_offset(key_bytes) + 4
}

fn one(pair: Vec<u8>) -> File {
    File::with_pairs(&[pair])
}

#[test]
fn key_lengths() {
    let long = "k".repeat(65_536);
    one(pair(&long, UINT8, &[0])).refused(KeyLength, HEADER_BYTES);
    one(pair(&long[..65_535], UINT8, &[0])).accepted();
    one(pair("", UINT32, &[0; 4])).refused(KeyLength, HEADER_BYTES);
    for claim in [u64::MAX, 1 << 63, 1 << 32, 65_536] {
        one([&claim.to_le_bytes()[..], &[b'k'; 20]].concat()).refused(KeyLength, HEADER_BYTES);
    }
    // 20 bytes are left.
    one([&21u64.to_le_bytes()[..], &[b'k'; 20]].concat()).refused(StringLength, HEADER_BYTES);
}

#[test]
fn key_bytes() {
    for key in ["a\0b", "a\nb", "\u{1b}[31m", "\u{7f}"] {
        one(pair(key, UINT8, &[0])).refused(KeyBytes, HEADER_BYTES);
    }
    // Keys that nobody reads may be in any language.
    for key in ["caf\u{e9}", "\u{4f5c}\u{8005}.\u{540d}", "\u{1f600}", "with space"] {
        one(pair(key, UINT8, &[0])).accepted();
        let file = one(pair(key, UINT8, &[7]));
        accepted(&file.bytes(), |gguf| assert_eq!(gguf.u32(key), Ok(Some(7))));
    }
    let not_utf8 = [&string(b"k\xff")[..], &UINT8.to_le_bytes(), &[0]].concat();
    accepted(&one(not_utf8).bytes(), |gguf| {
        assert_eq!(gguf.metadata().next().expect("a pair").0, b"k\xff");
    });
}

/// Whoever shows an error can say whose byte that is.
#[test]
fn bytes_belong_to_keys_and_tensors() {
    let file = File::valid();
    let bytes = file.bytes();
    let name = |offset| name_at(&bytes, offset).map(String::from_utf8_lossy);
    assert_eq!(name(0), None);
    assert_eq!(name(HEADER_BYTES - 1), None);
    accepted(&bytes, |gguf| {
        for (index, (key, _)) in gguf.metadata().enumerate() {
            let (first, next) = (file.pair_offset(index), file.pair_offset(index + 1));
            for offset in [first, first + 9, next - 1] {
                assert_eq!(name_at(&bytes, offset), Some(key));
            }
        }
        for (index, tensor) in gguf.tensors().enumerate() {
            assert_eq!(name_at(&bytes, file.tensor_offset(index)), Some(tensor.name));
            assert_eq!(name_at(&bytes, file.tensor_offset(index + 1) - 1), Some(tensor.name));
        }
    });
    // What is wrong ends the walk, and is itself found.
    let wrong = File::with_pairs(&[pair("a", UINT8, &[0]), pair("b", 13, &[0])]);
    let error = Gguf::parse(&wrong.bytes(), 1 << 20).expect_err("an unknown type");
    assert_eq!(name_at(&wrong.bytes(), error.offset), Some(&b"b"[..]));
    assert_eq!(name_at(b"GGUF", 4), None);
}

#[test]
fn a_key_twice() {
    for key in ["general.alignment", "made.up"] {
        let twice = pair(key, UINT32, &32u32.to_le_bytes());
        let file = File::with_pairs(&[twice.clone(), pair("other", BOOL, &[0]), twice]);
        file.refused(DuplicateKey, file.pair_offset(2));
    }
}

fn numbered(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|i| pair(&format!("unknown.{i:07}"), UINT8, &[i as u8])).collect()
}

#[test]
fn a_key_of_the_directory_twice_however_far_apart() {
    let mut file = File::with_pairs(&numbered(3 * DIRECTORY_KEYS));
    file.pairs.push(pair("unknown.0000255", BOOL, &[1]));
    file.refused(DuplicateKey, file.pair_offset(3 * DIRECTORY_KEYS));
}

#[test]
fn a_key_beyond_the_directory_twice_is_never_read() {
    let mut file = File::with_pairs(&numbered(DIRECTORY_KEYS));
    let twice = pair("llama.block_count", UINT32, &[1, 0, 0, 0]);
    file.pairs.extend([twice.clone(), pair("once", UINT32, &[7, 0, 0, 0]), twice]);
    let second = file.pair_offset(DIRECTORY_KEYS + 2);
    accepted(&file.bytes(), |gguf| {
        let error = gguf.u32("llama.block_count").expect_err("ambiguous");
        assert_eq!((error.kind, error.offset), (DuplicateKey, second));
        assert!(gguf.get("llama.block_count").is_none());
        assert_eq!(gguf.u32("once"), Ok(Some(7)));
        assert_eq!(gguf.u32("absent"), Ok(None));
    });
    // The parse itself reads these two.
    for (key, value_type) in [("general.alignment", UINT32), ("split.count", UINT32)] {
        let twice = pair(key, value_type, &[1, 0, 0, 0]);
        let mut file = File::with_pairs(&numbered(DIRECTORY_KEYS));
        file.pairs.extend([twice.clone(), twice]);
        file.refused(DuplicateKey, file.pair_offset(DIRECTORY_KEYS + 1));
    }
}

#[test]
fn a_million_unknown_keys() {
    let mut file = File::with_pairs(&numbered(1_000_000));
    file.pairs.push(pair("llama.block_count", UINT32, &[9, 0, 0, 0]));
    let bytes = file.bytes();
    let parse = || Gguf::parse(&bytes, bytes.len() as u64).expect("unknown keys are allowed");
    let gguf = parse();
    assert_eq!(gguf.metadata_count(), 1_000_001);
    assert_eq!(gguf.u32("llama.block_count"), Ok(Some(9)));
    assert_eq!(gguf.u32("unknown.0000003"), Ok(Some(3)));
    assert_eq!(gguf.u32("unknown.0999999"), Ok(Some(999_999 & 0xff)));
    assert_eq!(gguf.u32("unknown.1000000"), Ok(None));
    // Whatever the file holds, the parse is this many bytes and owns nothing else.
    assert!(size_of::<Gguf<'_>>() <= 4 * DIRECTORY_KEYS + 128);
    let elapsed = least_time(10 * PATIENCE, || assert_eq!(parse().metadata_count(), 1_000_001));
    assert!(elapsed < 10 * PATIENCE, "{elapsed:?}");
}

#[test]
fn unknown_value_types() {
    for id in [13, 14, 0xff, 0x100, 0x8000_0000, 0xffff_ffff] {
        one(pair("key", id, &[0; 64])).refused(UnknownValueType, type_offset(3));
        one(pair("key", ARRAY, &array(id, 1, &[0; 64]))).refused(UnknownValueType, value_offset(3));
    }
}

#[test]
fn string_lengths() {
    for claim in [1u64 << 63, u64::MAX, 1 << 32, 1 << 30, 101] {
        let value = [&claim.to_le_bytes()[..], &[b'x'; 100]].concat();
        one(pair("key", STRING, &value)).refused(StringLength, value_offset(3));
    }
    one(pair("key", STRING, &string(&[b'x'; 100]))).accepted();
    one(pair("key", STRING, &string(b""))).accepted();
    one(pair("key", STRING, &string(b"\xff\0\xfe"))).accepted();
}

#[test]
fn array_lengths() {
    let len_offset = value_offset(3) + 4;
    let sizes = [(UINT8, 1), (INT16, 2), (FLOAT32, 4), (UINT64, 8), (FLOAT64, 8), (BOOL, 1)];
    for (element, bytes) in sizes {
        // Twice as many bytes as there are; products that wrap to 0 and to 8 in 64 and 32 bits.
        let claims =
            [1 << 62, 1 << 61, 1 << 63, u64::MAX, (1 << 61) + 1, 1 << 32, (1 << 29) + 1, 1 << 30];
        for len in claims {
            one(pair("key", ARRAY, &array(element, len, &[0; 64])))
                .refused(ArrayLength, len_offset);
        }
        let fits = 64 / bytes;
        one(pair("key", ARRAY, &array(element, fits, &[0; 64]))).accepted();
        one(pair("key", ARRAY, &array(element, fits + 1, &[0; 64])))
            .refused(ArrayLength, len_offset);
        one(pair("key", ARRAY, &array(element, 0, &[]))).accepted();
    }
    for len in [1 << 62, 1 << 61, u64::MAX, 9] {
        one(pair("key", ARRAY, &array(STRING, len, &[0; 64]))).refused(ArrayLength, len_offset);
    }
    one(pair("key", ARRAY, &array(STRING, 8, &[0; 64]))).accepted();
}

#[test]
fn a_string_of_an_array_past_the_end() {
    let first = string(b"token");
    for claim in [u64::MAX, 1 << 63, 1 << 32, 6] {
        let elements = [&first[..], &u64::to_le_bytes(claim), b"short"].concat();
        let second = value_offset(3) + 12 + first.len() as u64;
        one(pair("key", ARRAY, &array(STRING, 2, &elements))).refused(StringLength, second);
    }
}

#[test]
fn nested_arrays_however_deep() {
    for depth in [1, 2, 65_536] {
        let heads = array(ARRAY, 1, &[]).repeat(depth);
        let value = [heads, array(UINT8, 1, &[0])].concat();
        one(pair("key", ARRAY, &value)).refused(NestedArray, value_offset(3));
    }
}

#[test]
fn bools_are_0_or_1() {
    for byte in [2, 0x80, 0xff] {
        one(pair("key", BOOL, &[byte])).refused(Bool, value_offset(3));
        one(pair("key", ARRAY, &array(BOOL, 4, &[0, 1, byte, 1])))
            .refused(Bool, value_offset(3) + 12 + 2);
    }
}

#[test]
fn alignments() {
    for alignment in [0u32, 3, 13, 48, 0x7fff_ffff, 1 << 21, 1 << 31, u32::MAX] {
        one(pair("general.alignment", UINT32, &alignment.to_le_bytes()))
            .refused(Alignment, HEADER_BYTES);
    }
    for alignment in [1u32, 2, 32, 4096, 1 << 20] {
        let file = one(pair("general.alignment", UINT32, &alignment.to_le_bytes()));
        accepted(&file.bytes(), |gguf| assert_eq!(gguf.alignment(), u64::from(alignment)));
    }
    let other_types: [(u32, &[u8]); 6] = [
        (INT32, &[32, 0, 0, 0]),
        (UINT8, &[32]),
        (UINT64, &[32, 0, 0, 0, 0, 0, 0, 0]),
        (FLOAT32, &32f32.to_le_bytes()),
        (STRING, &string(b"32")),
        (ARRAY, &array(UINT32, 1, &[32, 0, 0, 0])),
    ];
    for (value_type, value) in other_types {
        one(pair("general.alignment", value_type, value)).refused(Alignment, HEADER_BYTES);
    }
}

#[test]
fn split_models() {
    let count = |value_type, value: &[u8]| one(pair("split.count", value_type, value));
    count(UINT16, &[2, 0]).refused(Split, HEADER_BYTES);
    count(UINT32, &u32::MAX.to_le_bytes()).refused(Split, HEADER_BYTES);
    count(UINT64, &(1u64 << 32).to_le_bytes()).refused(OutOfRange, HEADER_BYTES);
    count(INT16, &(-1i16).to_le_bytes()).refused(OutOfRange, HEADER_BYTES);
    count(STRING, &string(b"2")).refused(WrongType, HEADER_BYTES);
    count(UINT16, &[1, 0]).accepted();
    count(UINT16, &[0, 0]).accepted();
}

#[test]
fn an_error_is_one_short_line() {
    let bytes = one(pair("", UINT32, &[0; 4])).bytes();
    let error = Gguf::parse(&bytes, bytes.len() as u64).expect_err("an empty key");
    assert_eq!(error.to_string(), "byte 24: key is empty or too long");
}
