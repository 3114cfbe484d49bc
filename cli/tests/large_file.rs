//! Files beyond 4 GiB: offsets have 64 bits everywhere, and what cannot be addressed is streamed.
//!
//! On 64 bits the file is mapped; `ci/test-32bit` runs this where it cannot be.

mod common;

use common::{model, run, stdout_of};
use picolm_core::gguf::Gguf;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

/// Where the last tensor lies: beyond 32 bits, at a multiple of any alignment.
const FAR: u64 = 5 << 30;

/// A file of holes that is gone afterwards.
struct Sparse(PathBuf);

impl Drop for Sparse {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A copy of the model whose last tensor lies beyond [`FAR`].
fn stretched(path: &str) -> Sparse {
    let mut bytes = std::fs::read(path).unwrap();
    let (at, last, old) = {
        let gguf = Gguf::parse(&bytes, bytes.len() as u64).unwrap();
        let first = gguf.tensors().next().unwrap();
        let last = gguf.tensors().last().unwrap();
        // The info ends with the offset from the first tensor's data, which begin at 0.
        let old = last.offset - first.offset;
        let name = bytes.windows(last.name.len()).position(|window| window == last.name).unwrap();
        let end = name + last.name.len() + 4 + 8 * last.n_dimensions as usize + 4;
        let data = bytes[last.offset as usize..][..last.bytes as usize].to_vec();
        (end, (first.offset, data), old)
    };
    assert_eq!(bytes[at..at + 8], old.to_le_bytes());
    bytes[at..at + 8].copy_from_slice(&FAR.to_le_bytes());
    let (first, data) = last;
    let sparse = Sparse(std::env::current_exe().unwrap().with_file_name("large-file.gguf"));
    let mut file = std::fs::File::create(&sparse.0).unwrap();
    file.write_all(&bytes[..(first + old) as usize]).unwrap();
    file.seek(SeekFrom::Start(first + FAR)).unwrap();
    file.write_all(&data).unwrap();
    sparse
}

#[test]
fn a_tensor_beyond_32_bits_is_found_and_read() {
    let path = model("llama");
    let sparse = stretched(&path);
    let far = sparse.0.to_str().unwrap();
    let logits = |path| stdout_of(&["logits", path, "--tokens", "1,2,3,4,5"]);
    assert!(logits(&path) == logits(far));
    let text = |path| stdout_of(&[path, "-p", "Once", "-n", "8", "-t", "0", "--quiet"]);
    assert!(text(&path) == text(far));
    let tokens = |path| stdout_of(&["tokenize", path, "-p", "Once upon"]);
    assert!(tokens(&path) == tokens(far));
    // Within a ceiling all of it streams, whatever the size of addresses.
    let bound = run(&["logits", far, "--tokens", "1,2,3,4,5", "--ram", "64M"]);
    assert!(bound.status.success(), "{}", String::from_utf8_lossy(&bound.stderr));
    assert!(bound.stdout == logits(&path));
}
