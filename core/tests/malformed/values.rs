//! What the getters make of values: exactly that, or an error that names the key's place.

use picolm_core::gguf::{Gguf, GgufErrorKind::*, Key, Value, ValueType};

use crate::writer::value_type::*;
use crate::writer::{File, accepted, array, pair, string};

#[test]
fn known_keys_with_wrong_values_are_never_read_as_0() {
    let pairs = [
        pair("llama.a", INT32, &(-1i32).to_le_bytes()),
        pair("llama.b", INT64, &(-1i64).to_le_bytes()),
        pair("llama.c", UINT64, &((1u64 << 32) + 32).to_le_bytes()),
        pair("llama.d", INT64, &(1i64 << 32).to_le_bytes()),
        pair("llama.e", FLOAT32, &32f32.to_le_bytes()),
        pair("llama.f", BOOL, &[1]),
        pair("llama.g", STRING, &string(b"32")),
        pair("llama.h", ARRAY, &array(UINT32, 1, &[32, 0, 0, 0])),
        pair("llama.i", FLOAT64, &32f64.to_le_bytes()),
    ];
    let kinds = [OutOfRange, OutOfRange, OutOfRange, OutOfRange, WrongType, WrongType, WrongType];
    let kinds = kinds.into_iter().chain([WrongType; 2]);
    let file = File::with_pairs(&pairs);
    accepted(&file.bytes(), |gguf| {
        for (index, kind) in kinds.clone().enumerate() {
            let suffix = ["a", "b", "c", "d", "e", "f", "g", "h", "i"][index];
            let error = gguf.u32(Key::of("llama", suffix)).expect_err(suffix);
            assert_eq!((error.kind, error.offset), (kind, file.pair_offset(index)));
        }
        assert_eq!(gguf.u64("llama.c"), Ok(Some((1 << 32) + 32)));
        assert_eq!(gguf.u64("llama.a").expect_err("negative").kind, OutOfRange);
        assert_eq!(gguf.f32("llama.i").expect_err("binary64").kind, WrongType);
        assert_eq!(gguf.f32("llama.a").expect_err("integer").kind, WrongType);
        assert_eq!(gguf.bool("llama.a").expect_err("integer").kind, WrongType);
        assert_eq!(gguf.string("llama.a").expect_err("integer").kind, WrongType);
        assert_eq!(gguf.array("llama.a").expect_err("integer").kind, WrongType);
    });
}

#[test]
fn integers_of_every_type_that_fit_are_u32() {
    let pairs = [
        pair("0", UINT8, &[200]),
        pair("1", INT8, &[100]),
        pair("2", UINT16, &60_000u16.to_le_bytes()),
        pair("3", INT16, &30_000u16.to_le_bytes()),
        pair("4", UINT32, &u32::MAX.to_le_bytes()),
        pair("5", INT32, &i32::MAX.to_le_bytes()),
        pair("6", UINT64, &u64::from(u32::MAX).to_le_bytes()),
        pair("7", INT64, &0u64.to_le_bytes()),
    ];
    let expected = [200, 100, 60_000, 30_000, u32::MAX, 0x7fff_ffff, u32::MAX, 0];
    accepted(&File::with_pairs(&pairs).bytes(), |gguf| {
        for (key, number) in ["0", "1", "2", "3", "4", "5", "6", "7"].into_iter().zip(expected) {
            assert_eq!(gguf.u32(key), Ok(Some(number)), "{key}");
        }
    });
}

#[test]
fn a_valid_file_reads_as_written() {
    let bytes = File::valid().bytes();
    let gguf = Gguf::parse(&bytes, bytes.len() as u64).expect("a valid file");
    assert_eq!(gguf.string("general.architecture"), Ok(Some(&b"llama"[..])));
    assert_eq!(gguf.u32(Key::of("llama", "block_count")), Ok(Some(2)));
    assert_eq!(gguf.f32("llama.rope.freq_base"), Ok(Some(10000.0)));
    assert_eq!(gguf.bool("tokenizer.ggml.add_bos_token"), Ok(Some(true)));
    assert_eq!(gguf.u32("tokenizer.ggml.bos_token_id"), Ok(None));
    assert!(matches!(gguf.get("i8"), Some(Value::I8(-3))));
    assert!(matches!(gguf.get("i16"), Some(Value::I16(-300))));
    assert!(matches!(gguf.get("i64"), Some(Value::I64(i64::MIN))));
    assert!(matches!(gguf.get("f64"), Some(Value::F64(number)) if number == 0.1));
    assert_eq!(gguf.u64("u64"), Ok(Some(u64::MAX)));

    let info = gguf.tensor(b"output_norm.weight").expect("the second tensor");
    assert_eq!((info.offset, info.bytes), (gguf.data_offset() + 64, 32));
    assert_eq!(gguf.tensor(b"output.weight"), None);

    let tokens = gguf.array("tokenizer.ggml.tokens").unwrap().unwrap();
    assert_eq!((tokens.element_type(), tokens.len()), (ValueType::String, 3));
    let texts: Vec<&[u8]> = tokens.strings().unwrap().map(|(_, text)| text).collect();
    assert_eq!(texts, [&b"<s>"[..], b"", "\u{e9}".as_bytes()]);
    for (offset, text) in tokens.strings().unwrap() {
        assert_eq!(gguf.string_at(offset), Some(text));
    }
    let scores = gguf.array("tokenizer.ggml.scores").unwrap().unwrap().f32s().unwrap();
    assert_eq!(scores.iter().collect::<Vec<_>>(), [0.5, -1.0, 2.0]);
    assert_eq!((scores.get(1), scores.get(3)), (Some(-1.0), None));
    let flags = gguf.array("flags").unwrap().unwrap().bools().unwrap();
    assert_eq!(flags.iter().collect::<Vec<_>>(), [false, true]);
}

#[test]
fn arrays_convert_whole_or_not_at_all() {
    let integers: Vec<u8> = [5i32, -1, 7].iter().flat_map(|n| n.to_le_bytes()).collect();
    let large: Vec<u8> = [5u64, 1 << 31].iter().flat_map(|n| n.to_le_bytes()).collect();
    let pairs = [
        pair("i32s", ARRAY, &array(INT32, 3, &integers)),
        pair("u64s", ARRAY, &array(UINT64, 2, &large)),
        pair("i8s", ARRAY, &array(INT8, 2, &[1, 0xff])),
    ];
    accepted(&File::with_pairs(&pairs).bytes(), |gguf| {
        let read = |key| gguf.array(key).unwrap().unwrap();
        let array = read("i32s");
        assert_eq!(array.i32s().unwrap().iter().collect::<Vec<_>>(), [5, -1, 7]);
        let error = array.u32s().map(|_| ()).expect_err("-1");
        assert_eq!((error.kind, error.offset), (OutOfRange, array.offset() + 4));
        assert_eq!(array.f32s().map(|_| ()).expect_err("integers").kind, WrongType);
        assert_eq!(array.bools().map(|_| ()).expect_err("integers").kind, WrongType);
        assert_eq!(array.strings().map(|_| ()).expect_err("integers").kind, WrongType);
        assert_eq!(read("u64s").u32s().unwrap().iter().collect::<Vec<_>>(), [5, 1 << 31]);
        assert_eq!(read("u64s").i32s().map(|_| ()).expect_err("2^31").kind, OutOfRange);
        assert_eq!(read("i8s").i32s().unwrap().iter().collect::<Vec<_>>(), [1, -1]);
    });
}

#[test]
fn strings_are_only_read_inside_the_header() {
    let file = File::valid();
    let header_bytes = file.header().len() as u32;
    accepted(&file.bytes(), |gguf| {
        assert_eq!(gguf.string_at(24), Some(&b"general.architecture"[..]));
        for offset in [header_bytes - 7, header_bytes, header_bytes + 1, u32::MAX] {
            assert_eq!(gguf.string_at(offset), None, "{offset}");
        }
        for offset in 0..header_bytes {
            if let Some(string) = gguf.string_at(offset) {
                assert!(offset as usize + 8 + string.len() <= header_bytes as usize);
            }
        }
    });
}
