//! The splits of pre-tokenizers for which llama.cpp has no vocabulary with texts and ids. What is
//! expected is read off the regular expression that is cited: the one that the model's publisher
//! wrote, as llama.cpp adapts it.

extern crate std;

use super::*;
use crate::text::Segment;
use proptest::prelude::*;
use std::string::String;
use std::vec::Vec;

/// Where the words of `text` begin and end.
fn ranges(pre: &PreTokenizer, text: &[u8]) -> Vec<(usize, usize)> {
    let segments = [Segment::plain(text)];
    let joined = Joined::new(&segments).unwrap();
    let mut words = Vec::new();
    let split = split(&joined, (0, text.len()), pre.patterns, &mut |start, end| {
        words.push((start, end));
        Ok::<(), core::convert::Infallible>(())
    });
    assert_eq!(split, Ok(()));
    words
}

/// The pre-tokenizer that a file names so.
fn named(name: &str) -> &'static PreTokenizer {
    ALL.iter().find(|pre| pre.has_name(name.as_bytes())).unwrap_or_else(|| panic!("{name}"))
}

/// Checks words that are divided by `¦`: what they are without it, each of `names` splits so.
fn check(names: &[&str], cases: &[&str]) {
    for name in names {
        for case in cases {
            let text: String = case.split('¦').collect();
            let words = ranges(named(name), text.as_bytes());
            let words: Vec<&str> = words.iter().map(|&(start, end)| &text[start..end]).collect();
            assert_eq!(words.join("¦"), *case, "{name}");
        }
    }
}

/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`: GPT-2 (Radford et
/// al. 2019, `encoder.py`).
#[test]
fn gpt_2s_pattern() {
    check(
        &["olmo", "exaone4", "phi-2", "jina-v2-code", "roberta-bpe", "modern-bert", "trillion"],
        &[
            "Hello¦ world",
            "we¦'ll¦ see¦ it¦'s¦ 12345¦ EUR",
            "WE¦'¦LL", // the contractions are small letters
            "a¦  ¦ b¦\n\n¦\n¦c",
            "x¦++;¦ //¦ y¦ \t",
            "naïve¦ Ärger¦…¦ 你好¦，¦世界",
            "e¦\u{301}¦ x", // a combining mark is neither letter nor number nor white space
        ],
    );
}

/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|`
/// `\s*[\r\n]+|\s+(?!\S)|\s+`: cl100k_base (tiktoken), which DBRX, OLMo 2 and Granite 4 use.
#[test]
fn cl100ks_pattern() {
    check(
        &["dbrx", "smaug-bpe", "chatglm-bpe", "glm4", "llama-bpe", "lfm2", "jina-v5-nano"],
        &[
            "Hello¦ world",
            "we¦'ll¦ see¦ it¦'S¦ ¦123¦45¦ EUR",
            "don¦'(¦t",
            "(a¦.b¦_c¦  ¦ d",
            "x¦ +=¦ ¦1¦;\n\n¦y",
            "a¦ \n \n¦ ¦ b",
            "1¦-¦2¦\r\n¦3",
            "naïve¦…¦ 你好¦，世界",
        ],
    );
}

/// With `U` for `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]` and `l` for `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`:
/// `[^\r\n\p{L}\p{N}]?U*l+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?U+l*(?i:'s|..)?|`
/// `\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`: o200k_base (tiktoken).
/// llama.cpp takes letters beyond ASCII for both `U` and `l`, and marks for neither.
#[test]
fn o200ks_pattern() {
    check(
        &["gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"],
        &[
            "Hello¦ World",
            "get¦Http¦Response¦ XMLHttp¦Request¦ ABC",
            "we'll¦ see¦ It's¦ ¦123¦45",
            "HE'LL¦ GO",
            "a¦/b¦ //¦ c¦ ://\n/¦d",
            "x¦ \n \n¦ ¦ y",
            "你好¦，世界",
            "ÄrgerÜber",  // llama.cpp's; the published pattern cuts before the Ü
            "e¦\u{301}x", // llama.cpp's; the published pattern has all of it in one
        ],
    );
}

/// o200k_base's pattern with `\p{N}` and without the contractions: Mistral's `tekken.json`.
#[test]
fn tekkens_pattern() {
    check(
        &["tekken"],
        &[
            "Hello¦ World",
            "get¦Http¦Response¦ XMLHttp¦Request¦ ABC",
            "we¦'ll¦ see¦ ¦1¦2¦3¦4",
            "a¦/b¦ //¦ c¦\n\n¦d¦  ",
            "你好¦，世界",
        ],
    );
}

/// `\p{N}{1,3}`, `[一-龥぀-ゟ゠-ヿ]+`, then
/// `[!-/:-@\[-\x60{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|`
/// ` ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`: DeepSeek V3, and Hunyuan's dense models.
#[test]
fn deepseek_3s_pattern() {
    check(
        &["deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"],
        &[
            "Hello¦ world¦ ¦123¦45",
            "it¦'s¦ a¦.b¦ (¦c¦)\n\n¦d",
            "abc¦漢字かなカナ¦한국¦ x",
            "e\u{301}x¦ \u{301}y",
            "x¦ +=¦ ¦1¦;¦ \n \n¦ ¦ y",
            "a¦。¦b¦ …\n¦\t\t¦\tc",
        ],
    );
}

/// DeepSeek V3's first two patterns, then
/// `[!-/:-@\[-\x60{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+|`
/// ` ?[\p{P}\p{S}]+|[\r\n]|\s+(?!\S)|\s+` and `\p{N}`: Spark 2.5, as llama.cpp has it.
#[test]
fn sparks_pattern() {
    check(
        &["spark2_5"],
        &[
            "Hello¦ world¦ ¦1¦2¦3¦4¦5",
            "it¦'s¦ a¦.b¦ (¦c¦)¦\n¦\n¦d",
            "abc¦漢字かな¦ x",
            "x¦ +=¦ ¦1¦;¦ \n \n ¦ y", // white space ends at no line end
            "a¦\r¦\n¦  ¦\tb¦ \n ",
        ],
    );
}

/// `\p{N}{1,3}`, then
/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|`
/// `\s*[\r\n]+|\s+(?!\S)|\s+`: the `tokenizer.json` of openbmb/MiniCPM5-1B.
#[test]
fn minicpm_5s_pattern() {
    check(
        &["minicpm5"],
        &[
            "Hello¦ world",
            "we¦'ll¦ see¦ it¦'S¦ ¦123¦45¦ EUR",
            "x¦ +=¦ ¦1¦;\n\n¦y",
            // White space before a number ends its piece, and so stays whole.
            "a¦   ¦1¦ \n¦  ¦2",
            "naïve¦ 你好¦，世界",
        ],
    );
}

/// `\p{N}`, then GPT-2's: StarCoder and those that follow it.
#[test]
fn starcoders_pattern() {
    check(
        &["smollm", "codeshell", "exaone", "minerva-7b", "mellum2"],
        &["Hello¦ world¦ ¦1¦2¦3", "it¦'s¦ 你好¦  ¦ x¦++"],
    );
}

/// ` ?[^(\s|.,!?…。，、।۔،)]+` (BLOOM), and that with `\p{N}` after it (Viking): from the
/// `tokenizer.json` of each.
#[test]
fn blooms_pattern() {
    check(&["bloom", "poro-chat", "gpt3-finnish"], &["Hello¦,¦ world12¦!  ¦ x", "a¦…¦b¦।"]);
    check(&["viking"], &["Hello¦,¦ world¦1¦2¦!"]);
}

/// `[^\n]+|[\n]+`: Gemma 4, a line is a word.
#[test]
fn gemma_4s_pattern() {
    check(&["gemma4", "granite-embed-multi-311m"], &["Hello world  \r¦\n\n¦ 12 x¦\n"]);
}

/// No two pre-tokenizers answer to a name, and what llama.cpp implies by a name is implied here.
#[test]
fn names_imply_llama_cpps_defaults() {
    let mut names: Vec<&str> = ALL.iter().flat_map(|pre| pre.names.split(' ')).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "a name is there twice");
    for name in names {
        let pre = named(name);
        let llama_3 = LLAMA_3.has_name(name.as_bytes());
        let merges = llama_3 || ["tekken", "minicpm5", "glm4", "glm5"].contains(&name);
        assert_eq!(pre.ignore_merges, merges, "{name}");
        assert_eq!(pre.add_bos, llama_3 || name == "tekken", "{name}");
        let no_bos = ["chatglm-bpe", "glm4", "glm5", "gemma4", "granite-embed-multi-311m"];
        assert_eq!(pre.default_bos.is_none(), no_bos.contains(&name), "{name}");
    }
}

/// Bytes that meet the patterns' edges: every class, white space of all kinds, half characters.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let parts = [
        "a", "Z", "ab", "'s", "'LL", "'", " ", "  ", "\n", "\r\n", "\t", "1", "234", "é", "É", "ǅ",
        "e\u{301}", "\u{301}", "😀", "你好", "かな", "한", "!", "-", "/", "\u{3000}", "\u{a0}",
        "$", "_", "`", "…", "。", "²", "\u{200b}", "\u{85}", "\u{1}",
    ];
    let part = prop_oneof![
        12 => prop::sample::select(parts.to_vec()).prop_map(|part| part.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| std::vec![byte]),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    /// Words are not empty, follow on each other, and are all of the text.
    #[test]
    fn words_concatenate_to_the_text(text in text()) {
        for pre in ALL {
            let mut at = 0;
            for (start, end) in ranges(pre, &text) {
                prop_assert!(start == at && end > start, "{}: {start}..{end}", pre.name());
                at = end;
            }
            prop_assert_eq!(at, text.len(), "{}", pre.name());
        }
    }

    /// A word lies whole in whatever text, so that no word ends inside a character.
    #[test]
    fn characters_are_never_cut(text in any::<String>()) {
        for pre in ALL {
            for (start, end) in ranges(pre, text.as_bytes()) {
                prop_assert!(text.is_char_boundary(start) && text.is_char_boundary(end));
            }
        }
    }
}
