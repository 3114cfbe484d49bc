//! Layer 3: the GGUF file format, version 2 and 3, little-endian.
