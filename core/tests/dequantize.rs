//! Blocks whose values follow by hand from the format's definition in ggml's `ggml-common.h`, for
//! every format. The full comparison with gguf-py is `ci/dequantize-check`.

use picolm_core::kernels::{bind, portable};
use picolm_core::port::CpuFeatures;
use picolm_core::quant::TensorType;

/// f16 bits, little-endian: sign, 5 bits of exponent, 10 of mantissa.
const HALF: [u8; 2] = [0x00, 0x38];
const ONE: [u8; 2] = [0x00, 0x3c];
const TWO: [u8; 2] = [0x00, 0x40];
const MINUS_THREE: [u8; 2] = [0x00, 0xc2];

fn dequantize(tensor_type: TensorType, block: &[u8]) -> Vec<f32> {
    let kernels = bind(portable::ALL, CpuFeatures::baseline(), tensor_type).unwrap();
    let blocks = block.len() as u64 / tensor_type.block_bytes();
    let mut values = vec![f32::NAN; (blocks * tensor_type.block_elements()) as usize];
    kernels.dequantize(block, &mut values).unwrap();
    values
}

/// Puts `fields` one after the other.
fn block(fields: &[&[u8]]) -> Vec<u8> {
    fields.concat()
}

/// All values are `rest`, except those listed.
fn assert_values(values: &[f32], rest: f32, except: &[(usize, f32)]) {
    for (index, &value) in values.iter().enumerate() {
        let expected = except.iter().find(|(at, _)| *at == index).map_or(rest, |&(_, value)| value);
        assert_eq!(value, expected, "element {index}");
    }
}

#[test]
fn float_formats() {
    let pi = 3.140_625_f32; // 0x40490000: BF16 holds it, and so does F16 as 0x4248.
    assert_eq!(dequantize(TensorType::F32, &[0x00, 0x00, 0x49, 0x40]), [pi]);
    assert_eq!(dequantize(TensorType::BF16, &[0x49, 0x40, 0x80, 0xff]), [pi, f32::NEG_INFINITY]);
    assert_eq!(dequantize(TensorType::F16, &[0x48, 0x42]), [pi]);
    // The smallest subnormal is 2^-24, the largest number 65504.
    let tiny = 1.0 / 16_777_216.0;
    assert_eq!(dequantize(TensorType::F16, &[0x01, 0x80, 0xff, 0x7b]), [-tiny, 65504.0]);
}

#[test]
fn q4_0() {
    // Byte 0 is 0x9f: element 0 is 15 - 8, element 16 is 9 - 8. The others are 0 - 8.
    let mut quants = [0; 16];
    quants[0] = 0x9f;
    let values = dequantize(TensorType::Q4_0, &block(&[&HALF, &quants]));
    assert_values(&values, -4.0, &[(0, 3.5), (16, 0.5)]);
}

#[test]
fn q4_1() {
    let mut quants = [0; 16];
    quants[15] = 0x2c;
    let values = dequantize(TensorType::Q4_1, &block(&[&HALF, &MINUS_THREE, &quants]));
    assert_values(&values, -3.0, &[(15, 12.0 * 0.5 - 3.0), (31, 2.0 * 0.5 - 3.0)]);
}

#[test]
fn q5_0() {
    // High bits of elements 1 and 31; low bits 3 of element 1 and 15 of element 17.
    let high = [0x02, 0, 0, 0x80];
    let mut quants = [0; 16];
    quants[1] = 0xf3;
    let values = dequantize(TensorType::Q5_0, &block(&[&TWO, &high, &quants]));
    assert_values(&values, -32.0, &[(1, 2.0 * 3.0), (17, -2.0), (31, 0.0)]);
}

#[test]
fn q5_1() {
    let high = [0x01, 0x01, 0, 0];
    let mut quants = [0; 16];
    quants[8] = 0x1f;
    let values = dequantize(TensorType::Q5_1, &block(&[&TWO, &MINUS_THREE, &high, &quants]));
    assert_values(&values, -3.0, &[(0, 29.0), (8, 59.0), (24, -1.0)]);
}

#[test]
fn q8_0() {
    let mut quants = [0; 32];
    (quants[0], quants[30], quants[31]) = (0x80, 0x7f, 0xff);
    let values = dequantize(TensorType::Q8_0, &block(&[&HALF, &quants]));
    assert_values(&values, 0.0, &[(0, -64.0), (30, 63.5), (31, -0.5)]);
}

#[test]
fn q2_k() {
    // Every group: scale 0, minimum 0, but group 3 (elements 48..64) scale 5, minimum 2 and group
    // 15 scale 0, minimum 1. Elements 32..64 are bits 2 and 3 of bytes 0..32.
    let mut scales = [0; 16];
    (scales[3], scales[15]) = (0x25, 0x10);
    let mut quants = [0; 64];
    quants[16] = 0b11_11_10_11; // Elements 16, 48, 80, 112: 3, 2, 3, 3.
    let values = dequantize(TensorType::Q2_K, &block(&[&scales, &quants, &HALF, &TWO]));
    let group = |at: usize| (at..at + 16).map(|element| (element, -2.0 * 2.0));
    let mut except: Vec<_> =
        core::iter::once((48, 0.5 * 5.0 * 2.0 - 4.0)).chain(group(48)).collect();
    except.extend((240..256).map(|element| (element, -2.0)));
    assert_values(&values, 0.0, &except);
}

#[test]
fn q3_k() {
    // Scales are stored plus 32: byte 8 + i % 4 holds bits 4 and 5 at 2 * (i / 4), so 0xaa in all
    // four makes every scale 32 - 32 = 0. Byte 1 is 0x50: scale 9 is 5. Byte 8 becomes 0xab: scale
    // 0 is 48 - 32 = 16.
    let mut scales = [0, 0x50, 0, 0, 0, 0, 0, 0, 0xaa, 0xaa, 0xaa, 0xaa];
    scales[8] = 0xab;
    // A high bit that is clear means minus 4: element 2 (byte 2, bit 0) and element 145 (second
    // run, byte 17, plane 0, so bit 4).
    let mut high = [0xff; 32];
    (high[2], high[17]) = (0xfe, 0xef);
    // Element 0: 3. Element 145: 1, byte 32 + 17 of the quants.
    let mut quants = [0; 64];
    (quants[0], quants[49]) = (0x03, 0x01);
    let values = dequantize(TensorType::Q3_K, &block(&[&high, &quants, &scales, &HALF]));
    assert_values(&values, 0.0, &[(0, 8.0 * 3.0), (2, 8.0 * -4.0), (145, 2.5 * -3.0)]);
}

/// Scales and minima of Q4_K and Q5_K: group 1 has scale 0x21, minimum 3; group 6 has scale 0x3a
/// (low half of byte 10, upper 2 bits of byte 2), minimum 0x15 (high half of byte 10, upper 2 bits
/// of byte 6). All others are 0.
const SCALES: [u8; 12] = [0, 0x21, 0xc0, 0, 0, 0x03, 0x40, 0, 0, 0, 0x5a, 0];

#[test]
fn q4_k() {
    // Groups 0 and 1 are the low and high halves of bytes 0..32, 6 and 7 those of 96..128.
    let mut quants = [0; 128];
    (quants[0], quants[96 + 31]) = (0xf1, 0x7e);
    let values = dequantize(TensorType::Q4_K, &block(&[&HALF, &TWO, &SCALES, &quants]));
    let mut except = vec![(32, 16.5 * 15.0 - 6.0), (192 + 31, 29.0 * 14.0 - 42.0)];
    except.extend((32..64).map(|element| (element, -6.0)));
    except.extend((192..224).map(|element| (element, -42.0)));
    assert_values(&values, 0.0, &except);
}

#[test]
fn q5_k() {
    // Bit j of high byte l is bit 4 of element 32 * j + l.
    let mut high = [0; 32];
    (high[5], high[0]) = (0b0100_0000, 0b0000_0010);
    let mut quants = [0; 128];
    (quants[0], quants[96 + 5]) = (0xf1, 0x7e);
    let fields: [&[u8]; 5] = [&HALF, &ONE, &SCALES, &high, &quants];
    let values = dequantize(TensorType::Q5_K, &block(&fields));
    let mut except = vec![(32, 16.5 * 31.0 - 3.0), (192 + 5, 29.0 * 30.0 - 21.0)];
    except.extend((32..64).map(|element| (element, -3.0)));
    except.extend((192..224).map(|element| (element, -21.0)));
    assert_values(&values, 0.0, &except);
}

#[test]
fn q6_k() {
    // Groups have scale 1, group 4 (elements 64..80) -2, group 15 (240..256) 127. Element 64 + 0 is
    // the high half of byte 0 with high bits 4 and 5 of byte 0; element 255 the high half of byte
    // 127 with high bits 6 and 7 of byte 63.
    let mut scales = [1; 16];
    (scales[4], scales[15]) = (0xfe, 0x7f);
    let mut quants = [0; 128];
    (quants[0], quants[127]) = (0x70, 0xf0);
    let mut high = [0; 64];
    (high[0], high[63]) = (0b0001_0000, 0b1100_0000);
    let values = dequantize(TensorType::Q6_K, &block(&[&quants, &high, &scales, &HALF]));
    let mut except = vec![(64, -(23.0 - 32.0)), (255, 63.5 * (63.0 - 32.0))];
    except.extend((64..80).map(|element| (element, -1.0 * -32.0)));
    except.extend((240..256).map(|element| (element, 63.5 * -32.0)));
    assert_values(&values, 0.5 * -32.0, &except);
}
