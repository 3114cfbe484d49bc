//! Pre-tokenizers: how BPE cuts text into words before it merges.
//!
//! A pre-tokenizer is a list of patterns. The first cuts the text into its matches and what lies
//! between them, the next cuts each of these pieces again, and so on; a piece of the last level is
//! a word. Names are those of `tokenizer.ggml.pre`. What each name means is llama.cpp's, also where
//! its pattern is only close to the published one. A caller that knows its model passes a list of
//! one, and links no pattern of another.

use super::joined::Joined;
use super::patterns::{self, Pattern, Window};
use super::spelling::Spelling;

#[cfg(test)]
mod tests;

/// A way to cut text into words, and what the name that a file gives it implies.
pub struct PreTokenizer {
    /// Values of `tokenizer.ggml.pre` that mean it, with spaces between them: a list of texts takes
    /// twice the bytes.
    names: &'static str,
    pub(super) patterns: &'static [Pattern],
    /// A word that is a token is that token, whatever the merges say.
    pub(super) ignore_merges: bool,
    /// Whether a text begins with BOS where the file does not say.
    pub(super) add_bos: bool,
    /// A text begins with BOS even where the file says that it does not.
    pub(super) always_bos: bool,
    /// The BOS id where the file does not say.
    pub(super) default_bos: Option<u32>,
    /// How tokens spell text. Merges begin with bytes in the byte alphabet, else with characters.
    pub(super) spelling: Spelling,
    /// A word of line ends that is a token is that token.
    pub(super) keeps_lines: bool,
}

impl PreTokenizer {
    const fn new(names: &'static str, patterns: &'static [Pattern]) -> Self {
        Self {
            names,
            patterns,
            ignore_merges: false,
            add_bos: false,
            always_bos: false,
            default_bos: Some(11),
            spelling: Spelling::ByteAlphabet,
            keeps_lines: false,
        }
    }

    const fn ignoring_merges(mut self) -> Self {
        self.ignore_merges = true;
        self
    }

    const fn adding_bos(mut self) -> Self {
        self.add_bos = true;
        self
    }

    const fn without_bos(mut self) -> Self {
        self.default_bos = None;
        self
    }

    /// The name by which it is known best.
    pub fn name(&self) -> &'static str {
        self.names.split_once(' ').map_or(self.names, |(first, _)| first)
    }

    /// All names that files have for it, that one first.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.names.split(' ')
    }

    /// Whether a file means it by `name`.
    pub(super) fn has_name(&self, name: &[u8]) -> bool {
        self.names.as_bytes().split(|&byte| byte == b' ').any(|known| known == name)
    }
}

/// Where a file names no pre-tokenizer.
pub static DEFAULT: PreTokenizer = PreTokenizer::new(
    "default",
    &[
        patterns::PUNCTUATION_DEFAULT,
        patterns::GPT_2,
        patterns::NUMBER_RUN,
        patterns::THREE_ASCII_DIGITS,
    ],
);

/// GPT-2: contractions, letters, numbers, the rest, each with a space before it.
pub static GPT_2: PreTokenizer = PreTokenizer::new(
    "gpt-2 phi-2 jina-es jina-de jina-v1-en jina-v2-es jina-v2-de jina-v2-code roberta-bpe \
     modern-bert mpt olmo jais trillion granite-docling exaone4 gigachat a.x-4.0 mellum",
    &[patterns::GPT_2],
);

/// GPT-2 with single digits: StarCoder, SmolLM, Command R, Refact, Granite.
pub static STARCODER: PreTokenizer = PreTokenizer::new(
    "starcoder smollm refact command-r codeshell exaone minerva-7b mellum2",
    &[patterns::NUMBER, patterns::GPT_2],
);

/// Llama 3: words with the mark before them, up to three digits, line ends kept together.
pub static LLAMA_3: PreTokenizer = PreTokenizer::new(
    "llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
    &[patterns::LLAMA_3],
)
.ignoring_merges()
.adding_bos();

/// Llama 3's words without its defaults.
pub static DBRX: PreTokenizer = PreTokenizer::new("dbrx smaug-bpe", &[patterns::LLAMA_3]);

/// ChatGLM: Llama 3's words, no BOS by default.
pub static CHATGLM: PreTokenizer =
    PreTokenizer::new("chatglm-bpe", &[patterns::LLAMA_3]).without_bos();

/// GLM 4: as ChatGLM, and whole words before merges.
pub static GLM_4: PreTokenizer =
    PreTokenizer::new("glm4 glm5", &[patterns::LLAMA_3]).without_bos().ignoring_merges();

/// Qwen 2 and 3: Llama 3's words, single digits.
pub static QWEN_2: PreTokenizer = PreTokenizer::new(
    "qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2",
    &[patterns::QWEN_2],
);

/// Qwen 3.5: as Qwen 2, and combining marks belong to words.
pub static QWEN_35: PreTokenizer = PreTokenizer::new("qwen35", &[patterns::QWEN_35]);

/// GPT-4o and Llama 4: words end where capitals begin.
pub static GPT_4O: PreTokenizer =
    PreTokenizer::new("gpt-4o llama4 kanana2 talkie minimax-m2", &[patterns::GPT_4O]);

/// Mistral's Tekken: as GPT-4o, single digits, no contractions.
pub static TEKKEN: PreTokenizer =
    PreTokenizer::new("tekken", &[patterns::TEKKEN]).ignoring_merges().adding_bos();

/// Falcon: punctuation first, digits by threes.
pub static FALCON: PreTokenizer = PreTokenizer::new(
    "falcon",
    &[patterns::PUNCTUATION_FALCON, patterns::GPT_2, patterns::THREE_ASCII_DIGITS],
);

/// DeepSeek LLM.
pub static DEEPSEEK_LLM: PreTokenizer = PreTokenizer::new(
    "deepseek-llm",
    &[
        patterns::LINE_END,
        patterns::DEEPSEEK_LETTERS,
        patterns::DEEPSEEK_PUNCTUATION,
        patterns::TRAILING_WHITESPACE,
        patterns::DEEPSEEK_ASIAN,
        patterns::NUMBER_RUN,
    ],
);

/// DeepSeek Coder.
pub static DEEPSEEK_CODER: PreTokenizer = PreTokenizer::new(
    "deepseek-coder",
    &[
        patterns::LINE_END,
        patterns::SPACED_LETTERS,
        patterns::SPACED_PUNCTUATION,
        patterns::DEEPSEEK_ASIAN,
        patterns::NUMBER,
    ],
);

/// DeepSeek V3 and R1.
pub static DEEPSEEK_3: PreTokenizer = PreTokenizer::new(
    "deepseek-v3 hunyuan-dense joyai-llm hy_v4",
    &[patterns::UP_TO_THREE_NUMBERS, patterns::DEEPSEEK_3_ASIAN, patterns::DEEPSEEK_3_WORDS],
);

/// Spark 2.5: as DeepSeek V3, every digit and line end by itself.
pub static SPARK_25: PreTokenizer = PreTokenizer::new(
    "spark2_5",
    &[
        patterns::UP_TO_THREE_NUMBERS,
        patterns::DEEPSEEK_3_ASIAN,
        patterns::SPARK_WORDS,
        patterns::NUMBER,
    ],
);

/// MiniCPM 5: Llama 3's words between numbers, whole words before merges.
pub static MINICPM_5: PreTokenizer =
    PreTokenizer::new("minicpm5", &[patterns::UP_TO_THREE_NUMBERS, patterns::LLAMA_3])
        .ignoring_merges();

/// Gemma 4: SentencePiece's spelling, a word is a line. What `tokenizer.ggml.model` calls it.
pub static GEMMA_4: PreTokenizer = PreTokenizer {
    always_bos: true,
    default_bos: None,
    spelling: Spelling::SpaceMark,
    keeps_lines: true,
    ..PreTokenizer::new("gemma4 granite-embed-multi-311m", &[patterns::LINES])
};

/// BLOOM, Poro.
pub static BLOOM: PreTokenizer =
    PreTokenizer::new("bloom poro-chat gpt3-finnish", &[patterns::BLOOM]);

/// Viking: as BLOOM, single digits.
pub static VIKING: PreTokenizer = PreTokenizer::new("viking", &[patterns::BLOOM, patterns::NUMBER]);

/// Every pre-tokenizer that there is.
pub static ALL: &[&PreTokenizer] = &[
    &DEFAULT,
    &GPT_2,
    &STARCODER,
    &LLAMA_3,
    &DBRX,
    &CHATGLM,
    &GLM_4,
    &QWEN_2,
    &QWEN_35,
    &GPT_4O,
    &TEKKEN,
    &FALCON,
    &DEEPSEEK_LLM,
    &DEEPSEEK_CODER,
    &DEEPSEEK_3,
    &SPARK_25,
    &MINICPM_5,
    &GEMMA_4,
    &BLOOM,
    &VIKING,
];

/// Calls `word(start, end)` for each word of `text[start..end]`, in order, until one fails.
pub(super) fn split<E>(
    text: &Joined<'_>,
    (start, end): (usize, usize),
    patterns: &[Pattern],
    word: &mut dyn FnMut(usize, usize) -> Result<(), E>,
) -> Result<(), E> {
    let Some((pattern, further)) = patterns.split_first() else {
        return if start < end { word(start, end) } else { Ok(()) };
    };
    let window = Window::new(text, start, end);
    let mut at = start;
    while at < end {
        let found = (pattern.find)(&window, at).filter(|&(_, found_end)| found_end > at);
        let (found_start, found_end) = found.unwrap_or((end, end));
        if at < found_start {
            split(text, (at, found_start), further, word)?;
        }
        if found_start < found_end {
            split(text, (found_start, found_end), further, word)?;
        }
        at = found_end;
    }
    Ok(())
}
