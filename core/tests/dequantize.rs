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

#[test]
fn iq4_nl() {
    let mut quants = [0x88; 16];
    quants[3] = 0xf0;
    let values = dequantize(TensorType::IQ4_NL, &block(&[&TWO, &quants]));
    assert_values(&values, 2.0, &[(3, -254.0), (19, 226.0)]);
}

#[test]
fn iq4_xs() {
    // Scales are stored plus 32: all 32, but that of group 1 (elements 32..64) is 32 - 29 with its
    // low bits in the high half of byte 0, and that of group 7 is 63.
    let (high, mut low) = ([0xa2, 0xea], [0; 4]);
    (low[0], low[3]) = (0x30, 0xf0);
    let mut quants = [0x88; 128];
    (quants[16 + 2], quants[7 * 16]) = (0x0f, 0x80);
    let values = dequantize(TensorType::IQ4_XS, &block(&[&HALF, &high, &low, &quants]));
    let mut except =
        vec![(34, 0.5 * -29.0 * 113.0), (50, 0.5 * -29.0 * -127.0), (224, 0.5 * 31.0 * -127.0)];
    except.extend((32..64).map(|element| (element, 0.5 * -29.0)));
    except.extend((224..256).map(|element| (element, 0.5 * 31.0)));
    assert_values(&values, 0.0, &except);
}

#[test]
fn mxfp4() {
    // Exponent 128 is 2, half of it 1; 0 and 1 are subnormal.
    let mut quants = [0; 16];
    quants[0] = 0xf7;
    let scaled = |exponent: u8| dequantize(TensorType::MXFP4, &block(&[&[exponent], &quants]));
    assert_values(&scaled(128), 0.0, &[(0, 12.0), (16, -12.0)]);
    let least = f32::from_bits(1 << 21);
    assert_values(&scaled(0), 0.0, &[(0, 12.0 * least), (16, -12.0 * least)]);
    assert_values(&scaled(1), 0.0, &[(0, 24.0 * least), (16, -24.0 * least)]);
}

#[test]
fn nvfp4() {
    // Scales for 16 weights: 1, the least, none, and what the standard takes for NaN; halves.
    let mut quants = [0x11; 32];
    quants[8 + 1] = 0xf7;
    let scales = [0x38, 0x01, 0x00, 0x7f];
    let values = dequantize(TensorType::NVFP4, &block(&[&scales, &quants]));
    let least = 1.0 / 1024.0;
    let mut except = vec![(17, 12.0 * least), (25, -12.0 * least)];
    except.extend((0..16).map(|element| (element, 0.5)));
    except.extend((16..32).map(|element| (element, least)));
    assert_values(&values, 0.0, &except);
}

#[test]
fn q1_0() {
    let mut bits = [0; 16];
    (bits[0], bits[15]) = (0b10, 0b1000_0000);
    let values = dequantize(TensorType::Q1_0, &block(&[&TWO, &bits]));
    assert_values(&values, -2.0, &[(1, 2.0), (127, 2.0)]);
}

#[test]
fn q2_0() {
    let mut quants = [0x55; 16];
    (quants[0], quants[15]) = (0b01_11_10_00, 0b11_01_01_01);
    let values = dequantize(TensorType::Q2_0, &block(&[&TWO, &quants]));
    assert_values(&values, 0.0, &[(0, -2.0), (1, 2.0), (2, 4.0), (63, 4.0)]);
}

#[test]
fn tq1_0() {
    // A byte is the fraction of base 3, rounded up: 0.10202 is 101 / 243, byte 107. Of the last
    // four bytes four digits count.
    let mut quants = [128; 52];
    (quants[2], quants[32], quants[48]) = (107, 107, 107);
    let values = dequantize(TensorType::TQ1_0, &block(&[&quants, &HALF]));
    let places = [(2, 32), (160, 16), (240, 4)];
    let except = places.map(|(first, step)| {
        [(first + step, -0.5), (first + 2 * step, 0.5), (first + 3 * step, -0.5)]
    });
    let mut except = except.concat();
    except.extend([(2 + 4 * 32, 0.5), (160 + 4 * 16, 0.5)]);
    assert_values(&values, 0.0, &except);
}

#[test]
fn tq2_0() {
    let mut quants = [0x55; 64];
    (quants[1], quants[32]) = (0b00_01_10_01, 0b11_01_01_01);
    let values = dequantize(TensorType::TQ2_0, &block(&[&quants, &HALF]));
    assert_values(&values, 0.0, &[(33, 0.5), (97, -0.5), (224, 1.0)]);
}

#[test]
fn iq2() {
    // The grids' first point is all eights, and the scales of 0 are (0.5 + 0) / 4 of the f16.
    let all = [0; 80];
    let mut words = [0; 64];
    // Elements 8..16: seven signs, of which the first is set; the eighth makes them even. A scale
    // of 15 for elements 0..32.
    words[4..8].copy_from_slice(&(1u32 << 7 | 15 << 28).to_le_bytes());
    let values = dequantize(TensorType::IQ2_XXS, &block(&[&TWO, &words]));
    let mut except = vec![(8, -62.0), (15, -62.0)];
    except.extend((0..32).map(|element| (element, 62.0)));
    assert_values(&values, 2.0, &except);

    // The last of 512 points ends with 43; signs above the index.
    words = [0; 64];
    words[..2].copy_from_slice(&(0x1ff_u16 | 3 << 9).to_le_bytes());
    let values = dequantize(TensorType::IQ2_XS, &block(&[&TWO, &words, &[0xf0], &all[..7]]));
    assert_eq!((values[1].signum(), values[7], values[8], values[16]), (-1.0, 10.75, 2.0, 62.0));

    // Elements 248..256: the last of 1024 points, all signs set.
    let (mut low, mut high) = ([0; 64], [0; 8]);
    (low[31], low[63], high[7]) = (0xff, 0xff, 0xc0);
    let values = dequantize(TensorType::IQ2_S, &block(&[&TWO, &low, &high, &all[..8]]));
    assert_eq!((values[255], values[247]), (-10.75, 2.0));
}

#[test]
fn iq3() {
    // Points of four: the first is all fours, or all ones.
    let (mut low, mut words) = ([0; 64], [0; 32]);
    words[..4].copy_from_slice(&(1u32 << 28 | 1).to_le_bytes());
    let values = dequantize(TensorType::IQ3_XXS, &block(&[&TWO, &low, &words]));
    let mut except = vec![(0, -6.0), (7, -6.0)];
    except.extend((0..32).map(|element| (element, 6.0)));
    assert_values(&values, 2.0, &except);

    // Element 252: the last of 512 points, which ends with 15.
    let mut high = [0; 8];
    (low[63], high[7]) = (0xff, 0x80);
    let signs = [0; 32];
    let fields: [&[u8]; 5] = [&TWO, &low, &high, &signs, &[0, 0, 0, 0xf0]];
    let values = dequantize(TensorType::IQ3_S, &block(&fields));
    assert_eq!((values[0], values[224], values[255]), (2.0, 62.0, 2.0 * 31.0 * 15.0));
}

#[test]
fn iq1() {
    // The first point is all -1; an eighth is added, or where the highest bit is set subtracted.
    let low = [0; 32];
    let mut high = [0; 16];
    high[2..4].copy_from_slice(&(0x8000_u16 | 7 << 12).to_le_bytes());
    let values = dequantize(TensorType::IQ1_S, &block(&[&TWO, &low, &high]));
    let except: Vec<_> = (32..64).map(|element| (element, 2.0 * 15.0 * -1.125)).collect();
    assert_values(&values, -1.75, &except);

    // The f16 2 is 0x4000: the 4 is the highest nibble of the last word. Elements 8..16 have their
    // own shift, elements 16..32 a scale of 1 in bits 3 to 5.
    let (mut high, mut scales) = ([0; 16], [0; 8]);
    (high[0], scales[0], scales[7]) = (0x80, 1 << 3, 0x40);
    let values = dequantize(TensorType::IQ1_M, &block(&[&low, &high, &scales]));
    let mut except: Vec<_> = (8..16).map(|element| (element, -2.25)).collect();
    except.extend((16..32).map(|element| (element, 3.0 * -1.75)));
    assert_values(&values, -1.75, &except);
}
