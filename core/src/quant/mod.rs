//! Layer 2: weight formats, a file per family: block layout and scalar meaning.
//!
//! This is the oracle: what a block *means* is written once here, plainly, and every kernel of
//! every instruction set is tested against it. Layouts follow ggml (`ggml-common.h`); values are
//! bit for bit those of gguf-py's `dequantize`.

mod types;

pub use types::TensorType;
