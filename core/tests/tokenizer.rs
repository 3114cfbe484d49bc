//! Tokenizers: llama.cpp's ids for the fixtures, special tokens, segments, streaming, round trips.

#[path = "tokenizer/common.rs"]
mod common;
#[path = "tokenizer/hostile.rs"]
mod hostile;
#[path = "tokenizer/writer.rs"]
mod writer;

use std::path::PathBuf;

use common::{decode, decode_pieces, encode, encode_segments, with_tokenizer};
use picolm_core::text::Segment;
use picolm_core::tokenizer::{Decoder, EncodeError, TokenKind, Tokenizer};
use proptest::prelude::*;
use writer::{CONTROL, NORMAL, UNUSED, USER_DEFINED, Vocabulary, Writer};

/// Where the reference fixtures lie: in `PICOLM_FIXTURES`, else in this repository.
fn fixture_dirs() -> [PathBuf; 2] {
    let ours = || concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data").into();
    let folder = std::env::var_os("PICOLM_FIXTURES").map_or_else(ours, PathBuf::from);
    ["arch", "arch-gemma4"].map(|name| folder.join(name))
}

/// Three texts, tokenized by llama.cpp with each fixture's vocabulary, with BOS and without.
#[test]
fn fixtures_have_the_ids_of_llama_cpp() {
    let mut texts = 0;
    let entries = fixture_dirs().into_iter().flat_map(|directory| {
        let entries = std::fs::read_dir(&directory);
        entries.unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
    });
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.extension().is_none_or(|extension| extension != "gguf") {
            continue;
        }
        let facts = std::fs::read_to_string(path.with_extension("json")).unwrap();
        let facts: serde_json::Value = serde_json::from_str(&facts).unwrap();
        let file = std::fs::read(&path).unwrap();
        with_tokenizer(&file, |tokenizer| {
            for case in facts["tokenize"].as_array().unwrap() {
                let text = case["text"].as_str().unwrap().as_bytes();
                let ids = |key: &str| -> Vec<u32> {
                    case[key]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|id| id.as_u64().unwrap() as u32)
                        .collect()
                };
                let name = path.display();
                assert_eq!(encode(tokenizer, text), ids("ids_nospecial"), "{name}");
                assert_eq!(encode_with_special(tokenizer, text), ids("ids_addspecial"), "{name}");
                assert_eq!(decode(tokenizer, &ids("ids_nospecial")), text, "{name}");
                texts += 1;
            }
        });
    }
    assert!(texts > 0, "no fixtures");
}

fn encode_with_special(tokenizer: &Tokenizer<'_>, text: &[u8]) -> Vec<u32> {
    let mut scratch = vec![0; Tokenizer::scratch_words(text.len())];
    let mut ids = Vec::new();
    let text = [Segment::plain(text)];
    tokenizer.encode(&text, true, &mut scratch, &mut |id| ids.push(id)).unwrap();
    ids
}

/// Tokens across words (`a▁b`) where `crossing`, so that text cannot be cut at spaces.
fn spm(crossing: bool) -> Vec<u8> {
    let mut pieces =
        vec!["ab", "▁a", "▁▁", "bc", "▁ab", "▁", "a", "b", "c", "é", "😀", "▁▁▁▁", "aa"];
    if crossing {
        pieces.extend(["a▁", "a▁b"]);
    }
    Vocabulary::spm(&pieces).spm_writer().finish()
}

const MERGES: [&str; 9] = ["a b", "Ġ a", "Ġ Ġ", "ab c", "Ġa b", "Ã ©", "ð Ł", "ĠĠ ĠĠ", "a a"];

fn bpe(pre_tokenizer: &str) -> Vec<u8> {
    Vocabulary::bpe(&MERGES).bpe_writer(pre_tokenizer, &MERGES).finish()
}

/// Names of one model for each list of patterns.
const PRE_TOKENIZERS: [&str; 15] = [
    "default",
    "gpt-2",
    "smollm",
    "llama-bpe",
    "qwen2",
    "qwen35",
    "gpt-4o",
    "tekken",
    "falcon",
    "deepseek-llm",
    "deepseek-coder",
    "deepseek-v3",
    "spark2_5",
    "minicpm5",
    "viking",
];

fn gemma_4() -> Vec<u8> {
    let merges = ["a b", "▁ a", "▁ ▁", "ab c", "▁a b", "a a"];
    let mut pieces = vec!["▁", "a", "b", "c", "é", "😀", "\n", "\n\n"];
    let merged = merges.map(|merge| merge.replacen(' ', "", 1));
    pieces.extend(merged.iter().map(String::as_str));
    Vocabulary::spm(&pieces).gemma_4_writer(&merges).finish()
}

fn vocabularies() -> Vec<Vec<u8>> {
    let bpe = PRE_TOKENIZERS.map(bpe);
    [spm(false), spm(true), gemma_4()].into_iter().chain(bpe).collect()
}

/// Bytes that meet the merges, spaces and characters of the vocabularies above.
fn likely_text() -> impl Strategy<Value = Vec<u8>> {
    let parts = [
        "a", "b", "c", "ab", " ", "  ", "\n", "\r\n", "\t", "'s", "'LL", "1", "234", "é",
        "e\u{301}", "😀", "你好", "A", "Éa", "!", "-", "/", "\u{3000}", "\u{a0}", "$", "_",
    ];
    let part = prop_oneof![
        8 => prop::sample::select(parts.to_vec()).prop_map(|part| part.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

fn check_round_trip(text: &[u8]) {
    for (number, file) in vocabularies().iter().enumerate() {
        with_tokenizer(file, |tokenizer| {
            let ids = encode(tokenizer, text);
            let pieces = decode_pieces(tokenizer, &ids);
            assert_eq!(pieces.concat(), text, "vocabulary {number}");
            if core::str::from_utf8(text).is_ok() {
                for piece in pieces {
                    assert!(core::str::from_utf8(&piece).is_ok(), "split character: {piece:x?}");
                }
            }
        });
    }
}

proptest! {
    #[test]
    fn bytes_round_trip(text in prop::collection::vec(any::<u8>(), 0..200)) {
        // SentencePiece spells a space as U+2581, and cannot tell the two apart.
        prop_assume!(!text.windows(3).any(|window| window == "▁".as_bytes()));
        check_round_trip(&text);
    }

    #[test]
    fn characters_round_trip(text in any::<String>()) {
        prop_assume!(!text.contains('▁'));
        check_round_trip(text.as_bytes());
    }

    #[test]
    fn likely_text_round_trips(text in likely_text()) {
        check_round_trip(&text);
    }

    #[test]
    fn segments_do_not_change_the_ids(
        text in likely_text(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
    ) {
        let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort();
        let segments: Vec<_> =
            cuts.windows(2).map(|cut| Segment::plain(&text[cut[0]..cut[1]])).collect();
        for file in vocabularies() {
            with_tokenizer(&file, |tokenizer| {
                assert_eq!(encode_segments(tokenizer, &segments), encode(tokenizer, &text));
            });
        }
    }

    /// Cutting at spaces is only done where it cannot be seen: a vocabulary with a token that spans
    /// words, but which the text cannot reach, is tokenized as a whole.
    #[test]
    fn cutting_at_spaces_does_not_change_the_ids(text in likely_text()) {
        let pieces = ["ab", "▁a", "▁▁", "bc", "▁ab", "▁", "a", "b", "c", "é", "▁▁▁▁", "aa"];
        let cut = Vocabulary::spm(&pieces);
        let mut whole = cut.clone();
        whole.add("\u{1}▁", -99.0, NORMAL);
        prop_assume!(!text.contains(&1));
        let ids = [cut, whole]
            .map(|v| with_tokenizer(&v.spm_writer().finish(), |t| encode(t, &text)));
        prop_assert_eq!(&ids[0], &ids[1]);
    }
}

/// SentencePiece's space before the text: added at the start and after special tokens.
#[test]
fn spaces_are_added_where_llama_cpp_adds_them() {
    let mut vocabulary = Vocabulary::spm(&["▁a", "▁", "a"]);
    let [spaced, _, plain] = [259, 260, 261];
    let user = vocabulary.add("<user>", 0.0, USER_DEFINED);
    let segments = [Segment::plain(b"a<user>a")];
    let file = vocabulary.spm_writer().finish();
    with_tokenizer(&file, |t| assert_eq!(encode_segments(t, &segments), [spaced, user, spaced]));
    let file = vocabulary.spm_writer().bool("add_space_prefix", false).finish();
    with_tokenizer(&file, |t| {
        assert_eq!(encode_segments(t, &segments), [plain, user, plain]);
        assert_eq!(decode(t, &[spaced]), b" a");
    });
}

#[test]
fn only_templates_name_control_tokens() {
    let mut vocabulary = Vocabulary::bpe(&[]);
    let end = vocabulary.add("<|im_end|>", 0.0, CONTROL);
    let user = vocabulary.add("<tool>", 0.0, USER_DEFINED);
    let file = vocabulary.bpe_writer("gpt-2", &[] as &[&str]).finish();
    with_tokenizer(&file, |tokenizer| {
        let bytes = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
        let plain = |text: &'static str| Segment::plain(text.as_bytes());
        let template = |text: &'static str| Segment::template(text.as_bytes());
        let ids = |segments: &[Segment<'_>]| encode_segments(tokenizer, segments);

        // Text of a user, and text that a user completes, stays text.
        assert_eq!(ids(&[plain("<|im_end|>")]), bytes("<|im_end|>"));
        assert_eq!(ids(&[template("<|im_"), plain("end|>")]), bytes("<|im_end|>"));
        assert_eq!(ids(&[plain("<|im_end"), template("|>")]), bytes("<|im_end|>"));
        // A template's is a token, also in parts with nothing between.
        assert_eq!(ids(&[template("<|im_end|>")]), [end]);
        assert_eq!(ids(&[template("<|im_"), plain(""), template("end|>")]), [end]);
        assert_eq!(ids(&[plain("a"), template("<|im_end|>"), plain("b")]), [97, end, 98]);
        // User-defined tokens are recognised everywhere.
        assert_eq!(ids(&[plain("<tool>")]), [user]);
        assert_eq!(ids(&[template("<to"), plain("ol>")]), [user]);

        assert!(tokenizer.is_control(end) && !tokenizer.is_control(user));
        assert_eq!(decode(tokenizer, &[97, end, user]), b"a<tool>");
        assert_eq!(tokenizer.raw_text(end), b"<|im_end|>");
        assert_eq!(tokenizer.id_of(b"<|im_end|>"), Some(end));
        assert_eq!(tokenizer.id_of(b""), None);
    });
}

/// llama.cpp takes the longest special token first, wherever it is, then the next longest.
#[test]
fn longer_special_tokens_come_first() {
    let texts = ["<a", "a<", "<ab>", "b><cd", "xyz", "yzz1"];
    let mut vocabulary = Vocabulary::bpe(&[]);
    let ids = texts.map(|text| vocabulary.add(text, 0.0, USER_DEFINED));
    // The definition, on text in pieces that are either bytes or tokens.
    let define = |text: &[u8]| {
        let mut pieces: Vec<(Vec<u8>, Option<u32>)> = vec![(text.to_vec(), None)];
        let mut order: Vec<_> = (0..texts.len()).collect();
        order.sort_by_key(|&i| core::cmp::Reverse(texts[i].len()));
        for i in order {
            let special = texts[i].as_bytes();
            let mut split = Vec::new();
            for (piece, token) in pieces {
                let mut rest = &piece[..];
                while let Some(at) = rest.windows(special.len()).position(|w| w == special) {
                    if token.is_some() {
                        break;
                    }
                    split.push((rest[..at].to_vec(), None));
                    split.push((special.to_vec(), Some(ids[i])));
                    rest = &rest[at + special.len()..];
                }
                split.push((rest.to_vec(), token));
            }
            pieces = split;
        }
        pieces
            .into_iter()
            .flat_map(|(piece, token)| match token {
                Some(token) => vec![token],
                None => piece.into_iter().map(u32::from).collect(),
            })
            .collect::<Vec<_>>()
    };
    let file = vocabulary.bpe_writer("gpt-2", &[] as &[&str]).finish();
    with_tokenizer(&file, |tokenizer| {
        assert_eq!(encode(tokenizer, b"<ab><cd"), [ids[0], ids[3]]);
        proptest!(|(choice in prop::collection::vec(0usize..14, 0..30))| {
            let alphabet = b"<<aab>>cdxyzz1";
            let text: Vec<u8> = choice.iter().map(|&i| alphabet[i]).collect();
            // Tokens of equal length that overlap have no order in llama.cpp.
            let has = |part: &[u8]| text.windows(3).any(|window| window == part);
            prop_assume!(!has(b"<a<") && !has(b"a<a"));
            prop_assert_eq!(encode(tokenizer, &text), define(&text));
        });
    });
}

#[test]
fn generation_ends_by_key_and_by_text() {
    let mut vocabulary = Vocabulary::spm(&["a"]);
    let turn = vocabulary.add("<|im_end|>", 0.0, NORMAL);
    let custom = vocabulary.add("<stop>", 0.0, CONTROL);
    let pad = vocabulary.add("<|fim_pad|>", 0.0, NORMAL);
    let prefix = vocabulary.add("<|fim_prefix|>", 0.0, NORMAL);
    let file = vocabulary.spm_writer().u32("eos_token_id", custom).finish();
    with_tokenizer(&file, |tokenizer| {
        let ends: Vec<_> = (0..tokenizer.vocabulary_len())
            .filter(|&id| tokenizer.is_end_of_generation(id))
            .collect();
        assert_eq!(ends, [2, turn, custom, pad]); // 2: </s>
        assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(custom)));
        // A text that is known to be structure is, whatever type the file gives it.
        assert!([turn, pad, prefix].iter().all(|&id| tokenizer.is_control(id)));
        assert_eq!(tokenizer.kind(0), TokenKind::Unknown);
        assert_eq!(tokenizer.kind(3), TokenKind::Byte);
        assert!(!tokenizer.is_end_of_generation(u32::MAX));
    });
}

/// GPT-OSS ends its answer with `<|return|>`; `<|end|>` ends a part of it, and is shown.
#[test]
fn a_part_of_an_answer_is_not_its_end() {
    let mut vocabulary = Vocabulary::bpe(&[]);
    let part = vocabulary.add("<|end|>", 0.0, CONTROL);
    let call = vocabulary.add("<|call|>", 0.0, CONTROL);
    let channel = vocabulary.add("<|channel|>", 0.0, CONTROL);
    let file = vocabulary.bpe_writer("gpt-4o", &[] as &[&str]).finish();
    with_tokenizer(&file, |tokenizer| {
        assert!(tokenizer.is_end_of_generation(part));
        assert_eq!(tokenizer.kind(channel), TokenKind::UserDefined);
    });
    let whole = vocabulary.add("<|return|>", 0.0, CONTROL);
    let file = vocabulary.bpe_writer("gpt-4o", &[] as &[&str]).finish();
    with_tokenizer(&file, |tokenizer| {
        assert!(!tokenizer.is_end_of_generation(part));
        assert!(tokenizer.is_end_of_generation(whole) && tokenizer.is_end_of_generation(call));
        assert_eq!(tokenizer.kind(part), TokenKind::UserDefined);
    });
}

#[test]
fn phi_3_drops_white_space_behind_special_tokens() {
    let mut vocabulary = Vocabulary::spm(&["▁a", "▁", "a", "▁▁a"]);
    let end = vocabulary.add("<|end|>", 0.0, CONTROL);
    let segments = [Segment::template(b"<|end|> \n a<s> a")];
    let file = vocabulary.spm_writer().string("general.name", "Phi-3 mini").finish();
    // But not behind <s>: the added space, the text's own, and the letter.
    with_tokenizer(&file, |t| assert_eq!(encode_segments(t, &segments), [end, 259, 1, 262]));
}

#[test]
fn bos_and_eos_are_added_as_the_file_says() {
    let vocabulary = Vocabulary::spm(&["▁a"]);
    let ids = |writer: Writer| with_tokenizer(&writer.finish(), |t| encode_with_special(t, b"a"));
    assert_eq!(ids(vocabulary.spm_writer()), [1, 259]);
    let both = vocabulary.spm_writer().bool("add_bos_token", false).bool("add_eos_token", true);
    assert_eq!(ids(both), [259, 2]);

    let vocabulary = Vocabulary::bpe(&[]);
    let none: &[&str] = &[];
    assert_eq!(ids(vocabulary.bpe_writer("gpt-2", none)), [97]);
    assert_eq!(ids(vocabulary.bpe_writer("llama-bpe", none).u32("bos_token_id", 7)), [7, 97]);
    // By default BOS and EOS of BPE are 11, but for ChatGLM.
    assert_eq!(ids(vocabulary.bpe_writer("gpt-2", none).bool("add_bos_token", true)), [11, 97]);
    assert_eq!(ids(vocabulary.bpe_writer("glm4", none).bool("add_bos_token", true)), [97]);
}

/// A word that is a token is taken whole by Llama 3's rule, and only by it.
#[test]
fn llama_3_prefers_whole_words() {
    let mut vocabulary = Vocabulary::bpe(&["a b"]);
    let word = vocabulary.add("abc", 0.0, NORMAL);
    for (pre_tokenizer, ids) in [("llama-bpe", vec![word]), ("gpt-2", vec![256, 99])] {
        let file = vocabulary.bpe_writer(pre_tokenizer, &["a b"]).finish();
        with_tokenizer(&file, |tokenizer| assert_eq!(encode(tokenizer, b"abc"), ids));
    }
}

/// BPE of characters: words are lines, what has no token is spelled in bytes, and a run of line
/// ends that is a token is taken whole. BOS comes whatever the file says.
#[test]
fn gemma_4_merges_characters() {
    let merges = ["a b", "▁ ab"];
    let vocabulary = Vocabulary::spm(&["▁", "a", "b", "ab", "▁ab", "\n", "\n\n"]);
    let [space, a, b, ab, word, line, lines] = core::array::from_fn(|i| 259 + i as u32);
    let file = vocabulary.gemma_4_writer(&merges).bool("add_bos_token", false);
    let file = file.u32("bos_token_id", 1).finish();
    with_tokenizer(&file, |t| {
        assert_eq!(encode(t, b"ab ab"), [ab, word]);
        assert_eq!(encode(t, b" b  a"), [space, b, space, space, a]);
        assert_eq!(encode(t, b"a\n\nb\n"), [a, lines, b, line]);
        assert_eq!(encode(t, "é".as_bytes()), [3 + 0xC3, 3 + 0xA9]);
        assert_eq!(encode_with_special(t, b"a"), [1, a]);
        assert_eq!(decode(t, &[ab, word, lines, 3 + 0xC3, 3 + 0xA9]), "ab ab\n\né".as_bytes());
        assert_eq!((t.bos(), t.eos(), t.adds_space()), (Some(1), None, false));
    });
}

/// Rows without a meaning: no text becomes them, merges do not reach them, and they show nothing.
#[test]
fn unused_tokens_are_never_produced() {
    for unused in [UNUSED, 0] {
        let mut spm = Vocabulary::spm(&["▁a", "b", "▁", "a"]);
        let row = spm.add("▁ab", 9.0, unused);
        let pad = spm.add("[PAD305]", 0.0, unused);
        let mut bpe = Vocabulary::bpe(&["a b"]);
        let merged = bpe.texts.iter().position(|text| text == "ab").unwrap();
        bpe.types[merged] = unused;
        let (spm_file, bpe_file) = (spm.spm_writer(), bpe.bpe_writer("llama-bpe", &["a b"]));
        with_tokenizer(&spm_file.finish(), |t| {
            assert_eq!(encode(t, b"ab"), [259, 260]);
            let text = [Segment::template(b"[PAD305]")];
            assert!(!encode_segments(t, &text).contains(&pad));
            assert_eq!((t.kind(row), t.kind(pad)), (TokenKind::Unused, TokenKind::Unused));
            assert_eq!(decode(t, &[row, pad]), b"");
            assert_eq!(t.raw_text(pad), b"[PAD305]");
        });
        with_tokenizer(&bpe_file.finish(), |t| assert_eq!(encode(t, b"ab"), b"ab".map(u32::from)));
        // A later token with the same text is found.
        let copy = bpe.add("ab", 0.0, NORMAL);
        let file = bpe.bpe_writer("llama-bpe", &["a b"]).finish();
        with_tokenizer(&file, |t| assert_eq!(encode(t, b"ab"), [copy]));
    }
}

#[test]
fn streaming_holds_back_half_characters_only() {
    with_tokenizer(&bpe("gpt-2"), |tokenizer| {
        let mut decoder = Decoder::new();
        let mut push = |byte: u8| {
            let mut text = Vec::<u8>::new();
            decoder.push(u32::from(byte), tokenizer, &mut |piece| text.extend(piece));
            text
        };
        assert_eq!(push(b'a'), b"a");
        assert_eq!([0xF0, 0x9F, 0x98].map(&mut push), [b"", b"", b""]);
        assert_eq!(push(0x80), "😀".as_bytes());
        assert_eq!(push(0xE4), b"");
        assert_eq!(push(b'b'), b"\xE4b"); // what it broke comes as it is
        assert_eq!(push(0xC3), b"");
        let mut rest = Vec::<u8>::new();
        decoder.finish(&mut |piece| rest.extend(piece));
        assert_eq!(rest, b"\xC3");
    });
}

/// Pieces longer than any buffer come in parts that add up.
#[test]
fn long_tokens_decode_in_full() {
    let long = "é".repeat(500);
    let mut vocabulary = Vocabulary::spm(&["▁"]);
    let id = vocabulary.add(&format!("▁{long}"), 0.0, NORMAL);
    with_tokenizer(&vocabulary.spm_writer().finish(), |tokenizer| {
        let pieces = decode_pieces(tokenizer, &[id]);
        assert!(pieces.len() > 1 && pieces.iter().all(|piece| core::str::from_utf8(piece).is_ok()));
        assert_eq!(pieces.concat(), long.as_bytes());
        let mut bytes = Vec::<u8>::new();
        tokenizer.token_bytes(id, &mut |part| bytes.extend(part));
        assert_eq!(bytes, format!(" {long}").as_bytes());
    });
}

/// Scratch memory for the longest word is enough, and too little says how much is needed.
#[test]
fn scratch_is_for_the_longest_word() {
    let text = [Segment::plain(b"abc ab abc abcabc")];
    for file in [bpe("gpt-2"), spm(false)] {
        with_tokenizer(&file, |tokenizer| {
            let mut scratch = [0; 4 * " abcabc".len()];
            let mut count = 0;
            assert_eq!(tokenizer.encode(&text, false, &mut scratch, &mut |_| count += 1), Ok(()));
            assert!(count > 0);
            let needed = EncodeError::ScratchTooSmall { needed_words: scratch.len() as u64 };
            let (_, small) = scratch.split_first_mut().unwrap();
            assert_eq!(tokenizer.encode(&text, false, small, &mut |_| ()), Err(needed));
        });
    }
}
