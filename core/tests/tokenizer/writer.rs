//! Writes GGUF headers with small vocabularies of the test's own.

/// A header that holds metadata only.
#[derive(Clone, Default)]
pub(crate) struct Writer {
    pairs: u64,
    body: Vec<u8>,
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat()
}

impl Writer {
    fn pair(mut self, key: &str, value_type: u32, value: &[u8]) -> Self {
        self.pairs += 1;
        self.body.extend(string(key.as_bytes()));
        self.body.extend(value_type.to_le_bytes());
        self.body.extend(value);
        self
    }

    fn array(self, key: &str, element: u32, len: usize, elements: &[u8]) -> Self {
        let head = [&element.to_le_bytes()[..], &(len as u64).to_le_bytes()].concat();
        self.pair(&format!("tokenizer.ggml.{key}"), 9, &[&head, elements].concat())
    }

    pub(crate) fn u32(self, key: &str, value: u32) -> Self {
        self.pair(&format!("tokenizer.ggml.{key}"), 4, &value.to_le_bytes())
    }

    pub(crate) fn bool(self, key: &str, value: bool) -> Self {
        self.pair(&format!("tokenizer.ggml.{key}"), 7, &[value.into()])
    }

    pub(crate) fn string(self, key: &str, value: &str) -> Self {
        self.pair(key, 8, &string(value.as_bytes()))
    }

    pub(crate) fn model(self, name: &str) -> Self {
        self.string("tokenizer.ggml.model", name)
    }

    pub(crate) fn strings(self, key: &str, values: &[impl AsRef<[u8]>]) -> Self {
        let elements: Vec<_> = values.iter().flat_map(|value| string(value.as_ref())).collect();
        self.array(key, 8, values.len(), &elements)
    }

    pub(crate) fn f32s(self, key: &str, values: &[f32]) -> Self {
        let elements: Vec<_> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.array(key, 6, values.len(), &elements)
    }

    pub(crate) fn i32s(self, key: &str, values: &[i32]) -> Self {
        let elements: Vec<_> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.array(key, 5, values.len(), &elements)
    }

    /// The header, padded as a file without tensors is.
    pub(crate) fn finish(self) -> Vec<u8> {
        let mut file =
            [b"GGUF\x03\0\0\0", &0u64.to_le_bytes()[..], &self.pairs.to_le_bytes()].concat();
        file.extend(self.body);
        file.resize(file.len().next_multiple_of(32), 0);
        file
    }
}

/// Token types as GGUF numbers them.
pub(crate) const NORMAL: i32 = 1;
pub(crate) const UNKNOWN: i32 = 2;
pub(crate) const CONTROL: i32 = 3;
pub(crate) const USER_DEFINED: i32 = 4;
pub(crate) const UNUSED: i32 = 5;
pub(crate) const BYTE: i32 = 6;

/// A vocabulary that is being put together: texts, scores and types.
#[derive(Clone, Default)]
pub(crate) struct Vocabulary {
    pub(crate) texts: Vec<String>,
    pub(crate) scores: Vec<f32>,
    pub(crate) types: Vec<i32>,
}

impl Vocabulary {
    pub(crate) fn add(&mut self, text: &str, score: f32, token_type: i32) -> u32 {
        self.texts.push(text.into());
        self.scores.push(score);
        self.types.push(token_type);
        self.texts.len() as u32 - 1
    }

    /// SentencePiece: `<unk> <s> </s>`, bytes, then `pieces`, the first with the best score.
    pub(crate) fn spm(pieces: &[&str]) -> Self {
        let mut vocabulary = Self::default();
        vocabulary.add("<unk>", 0.0, UNKNOWN);
        vocabulary.add("<s>", 0.0, CONTROL);
        vocabulary.add("</s>", 0.0, CONTROL);
        for byte in 0..256 {
            vocabulary.add(&format!("<0x{byte:02X}>"), 0.0, BYTE);
        }
        for (rank, piece) in pieces.iter().enumerate() {
            vocabulary.add(piece, -(rank as f32), NORMAL);
        }
        vocabulary
    }

    /// Byte-level BPE: the byte alphabet, then what `merges` make.
    pub(crate) fn bpe(merges: &[&str]) -> Self {
        let mut vocabulary = Self::default();
        let mut next = 0x100;
        for byte in 0..=255u8 {
            let printable = matches!(char::from(byte), '!'..='~' | '¡'..='¬' | '®'..='ÿ');
            let code = if printable { u32::from(byte) } else { next };
            next += u32::from(!printable);
            vocabulary.add(&char::from_u32(code).unwrap().to_string(), 0.0, NORMAL);
        }
        for merge in merges {
            vocabulary.add(&merge.replacen(' ', "", 1), 0.0, NORMAL);
        }
        vocabulary
    }

    pub(crate) fn spm_writer(&self) -> Writer {
        Writer::default()
            .model("llama")
            .strings("tokens", &self.texts)
            .f32s("scores", &self.scores)
            .i32s("token_type", &self.types)
    }

    /// BPE of characters, as Gemma 4 has it.
    pub(crate) fn gemma_4_writer(&self, merges: &[&str]) -> Writer {
        Writer::default()
            .model("gemma4")
            .strings("tokens", &self.texts)
            .i32s("token_type", &self.types)
            .strings("merges", merges)
    }

    pub(crate) fn bpe_writer(&self, pre_tokenizer: &str, merges: &[&str]) -> Writer {
        Writer::default()
            .model("gpt2")
            .string("tokenizer.ggml.pre", pre_tokenizer)
            .strings("tokens", &self.texts)
            .i32s("token_type", &self.types)
            .strings("merges", merges)
    }
}
