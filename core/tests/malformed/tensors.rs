//! Tensor infos: names, shapes, types, places.

use picolm_core::gguf::{Gguf, GgufErrorKind, GgufErrorKind::*, MAX_TENSORS};
use picolm_core::quant::TensorType;

use crate::writer::tensor_type::*;
use crate::writer::value_type::UINT32;
use crate::writer::{
    File, HEADER_BYTES, PATIENCE, Tensor, accepted, exercise, least_time, pair, string,
};

fn one(name: &str, dimensions: &[u64], tensor_type: u32) -> File {
    File::with_tensors(&[Tensor::new(name, dimensions, tensor_type, 0)], 64)
}

/// Offset of a field of the only tensor, whose name has `name_bytes`.
const fn dimensions_offset(name_bytes: u64) -> u64 {
    HEADER_BYTES + 8 + name_bytes
}

#[test]
fn name_lengths() {
    let long = "n".repeat(64);
    one(&long, &[8], F32).refused(TensorNameLength, HEADER_BYTES);
    one(&long[..63], &[8], F32).accepted();
    one("", &[8], F32).refused(TensorNameLength, HEADER_BYTES);
    for claim in [u64::MAX, 1 << 63, 1 << 32, 64] {
        let mut file = one("name", &[8], F32);
        file.tensors[0].name[..8].copy_from_slice(&u64::to_le_bytes(claim));
        file.refused(TensorNameLength, HEADER_BYTES);
    }
    // A length that is allowed, in a file that ends before.
    let mut file = one("name", &[], F32);
    file.data_bytes = 0;
    file.padded_to = 1;
    file.tensors[0].name[..8].copy_from_slice(&63u64.to_le_bytes());
    file.refused(StringLength, HEADER_BYTES);
}

#[test]
fn a_name_twice() {
    let tensor = |name, offset| Tensor::new(name, &[8], F32, offset);
    let file = File::with_tensors(&[tensor("a", 0), tensor("b", 32), tensor("a", 64)], 96);
    file.refused(DuplicateTensor, file.tensor_offset(2));
}

/// `count` tensors of no bytes with names in falling order: the slowest to compare.
fn many(count: u64) -> File {
    let name = |index: u64| format!("{:>060}", count - index);
    let tensors: Vec<_> = (0..count).map(|i| Tensor::new(&name(i), &[0], F32, 0)).collect();
    File::with_tensors(&tensors, 0)
}

#[test]
fn a_name_twice_among_many() {
    let mut file = many(MAX_TENSORS);
    let bytes = file.bytes();
    let elapsed = least_time(PATIENCE, || {
        let gguf = Gguf::parse(&bytes, bytes.len() as u64).expect("all names differ");
        assert_eq!(gguf.tensor_count(), MAX_TENSORS);
    });
    assert!(elapsed < PATIENCE, "{elapsed:?}");
    let last = file.tensors.len() - 1;
    file.tensors[last].name = file.tensors[1].name.clone();
    file.refused(DuplicateTensor, file.tensor_offset(last));
}

#[test]
fn more_tensors_than_are_taken() {
    many(MAX_TENSORS + 1).refused(TensorCount, 8);
}

#[test]
fn dimension_counts() {
    for count in [5, 1_000_000, 0x7fff_ffff, 0x8000_0000, u32::MAX] {
        let mut file = one("name", &[1, 1, 1, 1, 1], F32);
        file.tensors[0].n_dimensions = Some(count);
        file.refused(DimensionCount, dimensions_offset(4));
    }
    // A scalar is one element, as ggml has it.
    accepted(&one("name", &[], F32).bytes(), |gguf| {
        let info = gguf.tensors().next().expect("a tensor");
        assert_eq!((info.dimensions, info.n_dimensions, info.bytes), ([1; 4], 0, 4));
    });
}

#[test]
fn dimensions() {
    for dimension in [u64::MAX, 1 << 63] {
        for axis in 0..4 {
            let mut dimensions = [1; 4];
            dimensions[axis] = dimension;
            let offset = dimensions_offset(4) + 4 + 8 * axis as u64;
            one("name", &dimensions, F32).refused(Dimension, offset);
        }
    }
    for dimensions in [[0, 1, 1, 1], [4, 0, 1, 1], [0, 0, 0, 0], [i64::MAX as u64, 1, 1, 0]] {
        accepted(&one("name", &dimensions, F32).bytes(), |gguf| {
            let info = gguf.tensors().next().expect("a tensor");
            assert_eq!((info.dimensions, info.bytes, info.elements()), (dimensions, 0, 0));
        });
    }
}

#[test]
fn shapes_whose_size_wraps() {
    let shapes: [(&[u64], u32); 11] = [
        (&[1 << 32, 1 << 31], I8),
        (&[1 << 32, 1 << 32], I8),
        (&[1 << 16, 1 << 16, 1 << 16, 1 << 16], I8),
        (&[1 << 62, 4, 1, 1], I8),
        // A zero does not excuse a partial product that wraps.
        (&[1 << 62, 1 << 62, 0], I8),
        (&[0, 1 << 62, 1 << 62], I8),
        // Elements fit, bytes do not.
        (&[1 << 62], F32),
        (&[i64::MAX as u64], F32),
        // 4 * (2^30 - 1) * (2^30 + 1) elements of 4 bytes: 2^64 - 16, which padding wraps to 0.
        (&[4, (1 << 30) - 1, (1 << 30) + 1], F32),
        (&[1 << 31, 1 << 31, 2], F32),
        (&[1 << 61], F64),
    ];
    for (dimensions, tensor_type) in shapes {
        one("name", dimensions, tensor_type).refused(TensorTooLarge, HEADER_BYTES);
    }
}

#[test]
fn sizes_that_wrap_only_in_sum() {
    // CVE-2026-27940: two tensors of 0x7fff_ffff_ffff_ffc0 bytes and one that wraps their sum.
    let bytes = 0x7fff_ffff_ffff_ffc0;
    let tensors = [
        Tensor::new("a", &[bytes], I8, 0),
        Tensor::new("b", &[bytes], I8, bytes),
        Tensor::new("c", &[1024], I8, 2 * bytes),
    ];
    let file = File::with_tensors(&tensors, 1024);
    file.refused(TensorTooLarge, file.tensor_offset(2));
    // Without the third the sum is honest, but no file is that long.
    let file = File::with_tensors(&tensors[..2], 1024);
    file.refused(DataTruncated, file.tensor_offset(0));
}

#[test]
fn sizes_that_wrap_only_in_32_bits() {
    for dimensions in [[1 << 30, 1, 1, 1], [1 << 16, 1 << 14, 1, 1], [8, 1 << 29, 1, 1]] {
        let file = one("name", &dimensions, F32);
        file.refused(DataTruncated, file.tensor_offset(0));
    }
    let tensors = [
        Tensor::new("a", &[1 << 31], I8, 0),
        Tensor::new("b", &[1 << 31], I8, 1 << 31),
        Tensor::new("c", &[32], I8, 1 << 32),
    ];
    let file = File::with_tensors(&tensors, 64);
    file.refused(DataTruncated, file.tensor_offset(0));
}

#[test]
fn rows_of_broken_blocks() {
    for (row, tensor_type) in [(31, Q4_0), (33, Q4_0), (1, Q4_0), (128, Q4_K), (257, Q4_K)] {
        // Whole blocks in all, but not in each row.
        one("name", &[row, 256], tensor_type).refused(RowNotBlocks, HEADER_BYTES);
    }
    one("name", &[], Q4_0).refused(RowNotBlocks, HEADER_BYTES);
}

#[test]
fn tensor_types() {
    let type_offset = dimensions_offset(4) + 4 + 8;
    let removed = [4, 5, 31, 32, 33, 36, 37, 38];
    for id in removed.into_iter().chain([43, 255, 256, 258, 0x8000_0000, u32::MAX]) {
        one("name", &[256], id).refused(UnknownTensorType, type_offset);
    }
    // A type needs no kernel to be in a good file.
    for &tensor_type in TensorType::ALL {
        let mut file = one("name", &[256], tensor_type as u32);
        let bytes = tensor_type.bytes_for(256).expect("whole blocks");
        file.data_bytes = bytes.next_multiple_of(32) as usize;
        accepted(&file.bytes(), |gguf| {
            let info = gguf.tensors().next().expect("a tensor");
            assert_eq!((info.tensor_type, info.bytes), (tensor_type, bytes));
        });
        file.data_bytes = bytes as usize - 1;
        file.refused(DataTruncated, HEADER_BYTES);
    }
}

#[test]
fn offsets_follow_from_the_sizes_before() {
    let two = |first, second| {
        let tensors = [Tensor::new("a", &[9], F32, first), Tensor::new("b", &[8], F32, second)];
        File::with_tensors(&tensors, 256)
    };
    two(0, 64).accepted();
    // Negative, misaligned, gap.
    for offset in [u64::MAX, 1, 4, 16, 32, 1 << 32] {
        let file = two(offset, 64);
        file.refused(TensorOffset, file.tensor_offset(0));
    }
    // Negative, same place, overlap, unpadded, gap, swapped order.
    for offset in [u64::MAX, 0, 32, 36, 65, 96, 128, 64 + (1 << 32)] {
        let file = two(0, offset);
        file.refused(TensorOffset, file.tensor_offset(1));
    }
}

#[test]
fn alignment_governs_offsets() {
    let aligned = |alignment: u32, padded_to: usize, second: u64| {
        let tensors = [Tensor::new("a", &[9], F32, 0), Tensor::new("b", &[9], F32, second)];
        let mut file = File::with_tensors(&tensors, second as usize * 2);
        file.pairs = vec![pair("general.alignment", UINT32, &alignment.to_le_bytes())];
        file.padded_to = padded_to;
        file
    };
    for (alignment, second) in [(1, 36), (4, 36), (64, 64), (4096, 4096)] {
        accepted(&aligned(alignment, alignment as usize, second).bytes(), |gguf| {
            assert_eq!(gguf.tensors().nth(1).expect("two").offset, gguf.data_offset() + second);
            exercise(gguf);
        });
    }
    for (alignment, second) in [(64, 36), (32, 36), (1, 64), (4, 64), (128, 64)] {
        let file = aligned(alignment, 32, second);
        file.refused(TensorOffset, file.tensor_offset(1));
    }
}

#[test]
fn data_lies_inside_the_file() {
    // 36 bytes of data, and 28 of padding that nobody reads.
    let file = |data_bytes| File { data_bytes, ..one("name", &[9], F32) };
    for data_bytes in [0, 1, 35] {
        file(data_bytes).refused(DataTruncated, HEADER_BYTES);
    }
    for data_bytes in [36, 37, 63, 64, 65, 96, 1064] {
        file(data_bytes).accepted();
    }
    // The error names the first tensor that is not whole.
    let tensors = [Tensor::new("a", &[8], F32, 0), Tensor::new("b", &[7], F32, 32)];
    for (data_bytes, index) in [(0, 0), (31, 0), (32, 1), (59, 1)] {
        let file = File::with_tensors(&tensors, data_bytes);
        file.refused(DataTruncated, file.tensor_offset(index));
    }
    File::with_tensors(&tensors, 60).accepted();
    // Nothing is read of what has no bytes.
    let tensors = [Tensor::new("a", &[9], F32, 0), Tensor::new("b", &[0], F32, 64)];
    File::with_tensors(&tensors, 36).accepted();
    let empty = File { padded_to: 1, ..File::with_tensors(&many(1).tensors, 0) };
    assert_ne!(empty.header().len() % 32, 0);
    empty.accepted();
}

#[test]
fn names_are_bytes() {
    let mut file = one("name", &[8], F32);
    file.tensors[0].name = string(b"\xff\xfe");
    accepted(&file.bytes(), |gguf| {
        assert_eq!(gguf.tensors().next().expect("a tensor").name, b"\xff\xfe");
    });
}

#[test]
fn every_kind_has_its_own_words() {
    let kinds: [GgufErrorKind; 4] = [DimensionCount, Dimension, TensorOffset, TensorTooLarge];
    for (index, kind) in kinds.iter().enumerate() {
        assert!(kinds[index + 1..].iter().all(|other| other.message() != kind.message()));
        assert!(kind.message().len() < 80 && !kind.message().contains('\n'));
    }
}
