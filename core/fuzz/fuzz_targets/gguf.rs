//! Any bytes as a GGUF file: as they come where they begin like one (so that any small GGUF is a
//! seed), else as the body of a file with a good head.
//!
//! The head carries the input past the magic and version, with small counts from its first byte,
//! so that pairs and tensor infos are reached at once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use picolm_core::gguf::{Gguf, Number, Numbers, Value};

fuzz_target!(|input: &[u8]| {
    if input.starts_with(b"GGUF") {
        check(input);
        return;
    }
    let Some((&counts, body)) = input.split_first() else { return };
    let mut file = b"GGUF\x03\0\0\0".to_vec();
    file.extend(u64::from(counts & 7).to_le_bytes());
    file.extend(u64::from(counts >> 3).to_le_bytes());
    file.extend(body);
    check(&file);
});

fn check(file: &[u8]) {
    let whole = Gguf::parse(file, file.len() as u64);
    if let Ok(gguf) = whole {
        exercise(&gguf);
        // A file is judged the same from its header alone.
        let header = Gguf::parse(gguf.header_bytes(), file.len() as u64).expect("same header");
        assert_eq!(header.data_offset(), gguf.data_offset());
    }
    // As the prefix of a longer file, what was good stays good.
    match Gguf::parse(file, u64::MAX) {
        Ok(gguf) => exercise(&gguf),
        Err(error) => assert!(whole.is_err(), "{error} only as a prefix"),
    }
    if let Err(error) = whole {
        assert!(error.offset <= file.len() as u64, "{error} beyond the file");
    }
}

fn exercise(gguf: &Gguf<'_>) {
    assert!(gguf.alignment().is_power_of_two());
    assert_eq!(gguf.metadata().count() as u64, gguf.metadata_count());
    for (key, value) in gguf.metadata() {
        let key = std::str::from_utf8(key).expect("keys are ASCII");
        if let Some(found) = gguf.get(key) {
            assert_eq!(found.value_type(), value.value_type());
        }
        let _ = (gguf.u32(key), gguf.u64(key), gguf.f32(key), gguf.bool(key));
        let _ = (gguf.string(key), gguf.array(key), gguf.offset_of(key));
        let Value::Array(array) = value else { continue };
        if let Ok(strings) = array.strings() {
            assert_eq!(strings.clone().count() as u64, array.len());
            strings.for_each(|(offset, string)| assert_eq!(gguf.string_at(offset), Some(string)));
        }
        numbers(array.u32s().ok());
        numbers(array.i32s().ok());
        numbers(array.f32s().ok());
        numbers(array.bools().ok());
    }
    assert_eq!(gguf.tensors().count() as u64, gguf.tensor_count());
    let mut end = gguf.data_offset();
    for tensor in gguf.tensors() {
        assert_eq!(tensor.offset, end);
        assert_eq!(tensor.tensor_type.bytes_for(tensor.elements()), Some(tensor.bytes));
        end = (end + tensor.bytes).next_multiple_of(gguf.alignment());
    }
}

fn numbers<T: Number>(numbers: Option<Numbers<'_, T>>) {
    let Some(numbers) = numbers else { return };
    assert_eq!(numbers.iter().count() as u64, numbers.len());
    assert!(numbers.get(numbers.len()).is_none());
}
