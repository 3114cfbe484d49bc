//! Vocabularies to constrain: made up ones, and those of real models.

use picolm_core::gguf::Gguf;
use picolm_core::grammar::{
    Constrain, Constraint, Grammar, GrammarError, SortedTokens, TokenBytes, Trie,
};
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::tokenizer::{TokenKind, Tokenizer};
use std::path::Path;

/// Tokens as bytes; an empty one is no text.
#[derive(Clone)]
pub(crate) struct Tokens(pub(crate) Vec<Vec<u8>>);

impl TokenBytes for Tokens {
    fn len(&self) -> u32 {
        self.0.len() as u32
    }

    fn bytes(&self, token: u32, out: &mut dyn FnMut(&[u8])) {
        out(&self.0[token as usize]);
    }
}

/// The token that ends a text in made up vocabularies.
pub(crate) const END: u32 = 0;

impl Tokens {
    /// The end, every byte, and `more`.
    pub(crate) fn with_all_bytes(more: &[&str]) -> Self {
        let bytes = (0..=255).map(|byte| vec![byte]);
        let more = more.iter().map(|token| token.as_bytes().to_vec());
        Self(core::iter::once(Vec::new()).chain(bytes).chain(more).collect())
    }

    /// A few hundred tokens as JSON has them, some of which join what grammars keep apart.
    pub(crate) fn small() -> Self {
        Self::with_all_bytes(&[
            "{\"",
            "\":",
            "\": ",
            "\", \"",
            "\"}",
            "{}",
            "[]",
            "}}",
            "]]",
            "}]",
            "\"}}",
            "\"],",
            "},{",
            "\": [\"",
            "\": {\"",
            "true",
            "false",
            "null",
            "tr",
            "ue",
            "name",
            "age",
            "the",
            " the",
            " a",
            "ab",
            "abc",
            "12",
            "123",
            "2024",
            "-0",
            "0.",
            "e+",
            "\\u",
            "\\n",
            "\\\"",
            "d8",
            "00",
            "\u{e9}",
            "\u{4e16}\u{754c}",
            "\u{1f600}",
            "\u{e9}\"",
            "  ",
            "    ",
            "\n",
            "\n  ",
            ", ",
            "a\",\"b",
            "1,2,3",
            "[[",
            "[{\"",
            "\"\"",
            "root",
            "- ",
            " = ",
            "(",
            ")",
            "foo",
            "bar",
        ])
    }

    /// Those of a vocabulary file of llama.cpp's suite.
    pub(crate) fn of_model(name: &str) -> Self {
        let folder = std::env::var("PICOLM_LLAMA_CPP")
            .expect("PICOLM_LLAMA_CPP names llama.cpp's suite: export $(ci/fixtures)");
        let path = Path::new(&folder).join(format!("models/ggml-vocab-{name}.gguf"));
        let file = std::fs::read(path).unwrap();
        Self::of_file(&file)
    }

    pub(crate) fn of_file(file: &[u8]) -> Self {
        let gguf = Gguf::parse(file, file.len() as u64).unwrap();
        let mut plan = MemoryPlan::new();
        Tokenizer::plan(&gguf, &mut plan).unwrap();
        let mut memory = vec![0; plan.total() as usize + 64];
        let tokenizer = Tokenizer::new(&gguf, &mut Arena::new(&mut memory)).unwrap();
        let text = |token| {
            let kind = tokenizer.kind(token);
            let mut text = Vec::new();
            if !matches!(kind, TokenKind::Control | TokenKind::Unknown) {
                tokenizer.token_bytes(token, &mut |bytes| text.extend_from_slice(bytes));
            }
            text
        };
        Self((0..tokenizer.vocabulary_len()).map(text).collect())
    }

    /// Calls `test` with the vocabulary's tree.
    pub(crate) fn with_trie<R>(&self, test: impl FnOnce(Trie<'_>) -> R) -> R {
        let mut scratch = vec![0; SortedTokens::scratch_words(self.len())];
        let sorted = SortedTokens::new(self, &mut scratch).unwrap();
        let mut words = vec![0; sorted.trie_words()];
        test(sorted.build(self, &mut words).unwrap())
    }

    /// Calls `test` with a constraint of what `compile` makes and room for `masks` masks.
    pub(crate) fn with_constraint<R>(
        &self,
        compile: impl FnOnce(&mut [u32]) -> Result<Grammar<'_>, GrammarError>,
        masks: usize,
        test: impl FnOnce(Result<Constraint<'_>, GrammarError>) -> R,
    ) -> R {
        self.with_trie(|trie| {
            let mut words = vec![0; 1 << 20];
            let mut memory = vec![0; Constraint::words(self.len(), masks)];
            let constraint = compile(&mut words)
                .and_then(|grammar| Constraint::new(grammar, trie, self.len(), [END], &mut memory));
            test(constraint)
        })
    }
}

/// A generator of numbers for tests (xorshift64*).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }
}

/// A text of random tokens that `constraint` allows, of at most `budget` tokens: it must be
/// complete.
pub(crate) fn random_text(
    constraint: &mut Constraint<'_>,
    tokens: &Tokens,
    budget: u32,
    random: &mut Random,
) -> Vec<u8> {
    constraint.restart();
    let mut text = Vec::new();
    let mut left = budget;
    loop {
        assert!(constraint.tokens_to_close() <= left, "{text:?}");
        let allowed = constraint.allow(left);
        if !allowed.may_go_on {
            assert!(allowed.may_end, "{:?}", String::from_utf8_lossy(&text));
            return text;
        }
        let choices: Vec<u32> =
            (0..tokens.len()).filter(|&token| constraint.allows(token)).collect();
        let only = if let [only] = *choices
            && !allowed.may_end
        {
            Some(only)
        } else {
            None
        };
        assert_eq!(allowed.only, only);
        // One time in four the shortest, for single bytes are few in a large vocabulary.
        let mut token = choices[random.below(choices.len())];
        if random.below(4) == 0 {
            token = *choices.iter().min_by_key(|&&token| tokens.0[token as usize].len()).unwrap();
            if token == END {
                token = choices[random.below(choices.len())];
            }
        }
        if token == END {
            assert!(allowed.may_end);
            return text;
        }
        assert!(constraint.accept(&tokens.0[token as usize]));
        text.extend_from_slice(&tokens.0[token as usize]);
        left -= 1;
    }
}
