//! Files that 32 bits cannot address: offsets have 64 bits everywhere, and what cannot be mapped is
//! streamed. On 64 bits they are mapped; `ci/test-32bit` and `ci/cross-test` run this where they
//! cannot be.
//!
//! A layer of zeros adds nothing to what passes through it. So a model with hundreds of them
//! between its first and its last layer has the scores of the model without them, bit for bit; and
//! zeros are holes, which take no room on the disk.
// Windows wants to be asked for holes.
#![cfg(unix)]

mod common;

use common::{model, stdout_of};
use picolm_core::gguf::{Gguf, TensorInfo};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

/// The largest alignment that a file may ask for: its tensors lie so far apart.
const ALIGNMENT: u64 = 1 << 20;

/// Tensors of a layer of the model that is stretched.
const LAYER_TENSORS: u64 = 9;

/// A file with holes that is gone afterwards.
struct Sparse(PathBuf);

impl Drop for Sparse {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// The model at `path`, which has two layers, with others of zeros between them in front of
/// everything else in the file: more than `hole_bytes`.
fn stretched(path: &str, hole_bytes: u64) -> Sparse {
    let bytes = std::fs::read(path).unwrap();
    let gguf = Gguf::parse(&bytes, bytes.len() as u64).unwrap();
    let last = 1 + hole_bytes.div_ceil(LAYER_TENSORS * ALIGNMENT);
    let mut tensors: Vec<(String, Option<TensorInfo<'_>>, TensorInfo<'_>)> = Vec::new();
    for tensor in gguf.tensors() {
        let name = core::str::from_utf8(tensor.name).unwrap();
        match name.strip_prefix("blk.1.") {
            Some(part) => {
                let holes = (1..last).map(|layer| (format!("blk.{layer}.{part}"), None, tensor));
                tensors.splice(0..0, holes);
                tensors.push((format!("blk.{last}.{part}"), Some(tensor), tensor));
            }
            None => tensors.push((name.to_owned(), Some(tensor), tensor)),
        }
    }
    let header = header(&bytes, &gguf, last, &tensors);
    let data = (header.len() as u64).next_multiple_of(ALIGNMENT);

    let sparse = std::env::current_exe().unwrap().with_file_name(format!("large-{hole_bytes}"));
    let file = std::fs::File::create(&sparse).unwrap();
    let sparse = Sparse(sparse);
    file.write_all_at(&header, 0).unwrap();
    for (index, (_, source, _)) in tensors.iter().enumerate() {
        if let Some(source) = source {
            let from = &bytes[source.offset as usize..][..source.bytes as usize];
            file.write_all_at(from, data + index as u64 * ALIGNMENT).unwrap();
        }
    }
    file.set_len(data + tensors.len() as u64 * ALIGNMENT).unwrap();
    sparse
}

/// The header of the stretched file, whose last layer is `last`: names, whether there is more than
/// a hole, and a tensor of that shape.
fn header(
    small: &[u8],
    gguf: &Gguf<'_>,
    last: u64,
    tensors: &[(String, Option<TensorInfo<'_>>, TensorInfo<'_>)],
) -> Vec<u8> {
    // Magic and version, counts, one entry of type u32, and the small model's.
    let metadata = &small[24..gguf.tensors().next().unwrap().info_offset as usize];
    let mut header = small[..8].to_vec();
    header.extend((tensors.len() as u64).to_le_bytes());
    header.extend((u64::from_le_bytes(small[16..24].try_into().unwrap()) + 1).to_le_bytes());
    let text = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    header.extend(text("general.alignment"));
    header.extend(4u32.to_le_bytes());
    header.extend((ALIGNMENT as u32).to_le_bytes());
    let key = text("llama.block_count");
    let at = metadata.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4;
    header.extend(&metadata[..at]);
    header.extend((last as u32 + 1).to_le_bytes());
    header.extend(&metadata[at + 4..]);
    for (index, (name, _, like)) in tensors.iter().enumerate() {
        assert!(like.bytes <= ALIGNMENT);
        // Behind the name: dimensions, type, and where the data are.
        let shape = like.info_offset as usize + 8 + like.name.len();
        let shape = &small[shape..][..4 + 8 * like.n_dimensions as usize + 4];
        header.extend(text(name));
        header.extend(shape);
        header.extend((index as u64 * ALIGNMENT).to_le_bytes());
    }
    header
}

fn answers_as_the_small_model(hole_bytes: u64) {
    let path = model("llama3_rope");
    let sparse = stretched(&path, hole_bytes);
    let large = sparse.0.to_str().unwrap();
    assert!(std::fs::metadata(large).unwrap().len() > hole_bytes);
    let logits = |path| stdout_of(&["logits", path, "--tokens", "1,2,3", "-c", "64"]);
    assert!(logits(&path) == logits(large));
    // Within a ceiling it streams, whatever the size of addresses.
    let less = ["-c", "64", "--ram", "48M"];
    let text = |path| stdout_of(&[&[path, "-p", "Once", "-n", "2", "-t", "0"][..], &less].concat());
    assert!(text(&path) == text(large));
}

/// What 32 bits count, and no slice has there.
#[cfg(target_pointer_width = "32")]
#[test]
fn a_file_beyond_2_gib_answers() {
    answers_as_the_small_model(2 << 30);
}

#[test]
fn a_file_beyond_4_gib_answers() {
    answers_as_the_small_model(4 << 30);
}
