//! Magic, version, counts, and files that end early.

use picolm_core::gguf::{Gguf, GgufErrorKind::*};

use crate::writer::value_type::{ARRAY, UINT8};
use crate::writer::{File, HEADER_BYTES, accepted, array, exercise, pair, refused};

/// Offsets of the fields.
const VERSION: u64 = 4;
const TENSOR_COUNT: u64 = 8;
const PAIR_COUNT: u64 = 16;

#[test]
fn every_truncation_is_refused() {
    let file = File::valid();
    let bytes = file.bytes();
    accepted(&bytes, exercise);
    for end in 0..bytes.len() {
        let error = Gguf::parse(&bytes[..end], end as u64).expect_err("accepted a truncated file");
        assert!(error.offset <= end as u64, "{error} in {end} bytes");
    }
}

#[test]
fn a_short_prefix_of_a_good_file_asks_for_more() {
    let file = File::valid();
    let bytes = file.bytes();
    let header = file.header();
    for end in 0..header.len() {
        let error = Gguf::parse(&header[..end], bytes.len() as u64).expect_err("accepted");
        assert_eq!(error.kind, HeaderIncomplete, "{end} bytes");
    }
    // The header alone is enough, and the padding behind it is not part of it.
    let gguf = Gguf::parse(&header, bytes.len() as u64).expect("a whole header");
    assert_eq!(gguf.header_bytes(), header);
    exercise(&gguf);
}

#[test]
fn a_file_that_shrank_is_refused() {
    let bytes = File::valid().bytes();
    for end in 0..bytes.len() as u64 {
        assert!(Gguf::parse(&bytes, end).is_err(), "{end}");
    }
}

#[test]
fn a_header_has_a_greatest_length() {
    // An honest claim in a file of 1 TiB, of which only the first bytes were brought.
    let parse = |len| {
        let file = File::with_pairs(&[pair("key", ARRAY, &array(UINT8, len, &[]))]);
        Gguf::parse(&file.bytes(), 1 << 40).expect_err("accepted")
    };
    let elements = HEADER_BYTES + 8 + 3 + 4 + 12;
    let claims = [
        (1, HeaderIncomplete),
        (1 << 31, HeaderIncomplete),
        (1 << 32, HeaderTooLarge),
        (1 << 33, HeaderTooLarge),
        (1 << 40, ArrayLength),
    ];
    for (len, kind) in claims {
        let offset = if kind == ArrayLength { elements - 8 } else { elements };
        assert_eq!((parse(len).kind, parse(len).offset), (kind, offset));
    }
}

#[test]
fn other_magic() {
    for magic in [*b"FUGG", *b"ggjt", *b"gguf", *b"GGU\0", [0; 4]] {
        File { magic, ..File::valid() }.refused(Magic, 0);
    }
    refused(b"", Truncated, 0);
}

#[test]
fn other_versions() {
    for version in [0, 1, 4, 0xffff_ffff, 0x0001_0003] {
        File { version, ..File::valid() }.refused(Version, VERSION);
    }
    for version in [0x0200_0000, 0x0300_0000] {
        File { version, ..File::valid() }.refused(BigEndian, VERSION);
    }
    for version in [2, 3] {
        let file = File { version, ..File::valid() };
        accepted(&file.bytes(), |gguf| assert_eq!(gguf.version(), version));
    }
}

#[test]
fn counts_that_no_file_can_hold() {
    let valid = File::valid();
    let left = valid.bytes().len() as u64 - HEADER_BYTES;
    for claim in [u64::MAX, 1 << 60, 1 << 61, 1 << 32, 1 << 31, left, left / 14 + 1] {
        File { tensor_count: Some(claim), ..valid.clone() }.refused(TensorCount, TENSOR_COUNT);
        File { pair_count: Some(claim), ..valid.clone() }.refused(PairCount, PAIR_COUNT);
    }
}

#[test]
fn counts_one_too_large_run_into_what_follows() {
    let valid = File::valid();
    let tensors = Some(valid.tensors.len() as u64 + 1);
    let pairs = Some(valid.pairs.len() as u64 + 1);
    let file = File { tensor_count: tensors, ..valid.clone() };
    assert!(Gguf::parse(&file.bytes(), file.bytes().len() as u64).is_err());
    let file = File { pair_count: pairs, ..valid };
    assert!(Gguf::parse(&file.bytes(), file.bytes().len() as u64).is_err());
}

#[test]
fn an_empty_file_is_a_file() {
    accepted(&File::default().bytes(), |gguf| {
        assert_eq!((gguf.metadata_count(), gguf.tensor_count()), (0, 0));
        assert_eq!((gguf.alignment(), gguf.data_offset()), (32, HEADER_BYTES));
        assert_eq!(gguf.u32("general.alignment"), Ok(None));
        exercise(gguf);
    });
}
