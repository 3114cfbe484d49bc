//! Vocabularies that do not fit the model, or that break what tokenizers take for granted: an error
//! that says where, or a defined meaning.

use picolm_core::gguf::{Gguf, GgufErrorKind};
use picolm_core::mem::Arena;
use picolm_core::sampler::{Sampler, SamplerOptions};
use picolm_core::text::Segment;
use picolm_core::tokenizer::{Tokenizer, TokenizerError};

use crate::tiny::{TOKENS, Tiny, with_session, with_tokenizer};
use crate::writer::value_type::*;

const SAMPLES: [&str; 5] = ["", "ab cd", "\u{e9}\u{1f600}<0x41>", "<s></s><unk>", " \0\x7f<0x-1>"];

fn encode(tokenizer: &Tokenizer<'_>, text: &str) -> Vec<u32> {
    let mut scratch = vec![0; Tokenizer::scratch_words(text.len())];
    let mut ids = Vec::new();
    let segments = [Segment::template(text.as_bytes())];
    tokenizer.encode(&segments, true, &mut scratch, &mut |id| ids.push(id)).expect("encodes");
    ids
}

/// Model and tokenizer load, and every id that texts become is a token that the model evaluates.
fn runs(tiny: &Tiny) {
    tiny.runs();
    let file = tiny.bytes();
    let texts = with_tokenizer(&file, |tokenizer| {
        let tokenizer = tokenizer.expect("loads");
        for id in 0..tokenizer.vocabulary_len() + 2 {
            assert!(tokenizer.piece(id).count() <= tokenizer.raw_text(id).len());
            assert!(!(tokenizer.is_control(id) && tokenizer.piece(id).next().is_some()));
        }
        SAMPLES.map(|text| encode(&tokenizer, text))
    });
    for ids in texts.iter().filter(|ids| !ids.is_empty()) {
        with_session(&file, |session| session.prefill(ids, &mut |_| true)).unwrap().unwrap();
    }
}

#[test]
fn the_model_itself_tokenizes() {
    runs(&Tiny::new());
    with_tokenizer(&Tiny::new().bytes(), |tokenizer| {
        // `<s>`, then "▁ab" in two: "ab" has a better score than "▁a".
        assert_eq!(encode(&tokenizer.unwrap(), "ab"), [1, 3, 6]);
    });
}

#[test]
fn required_keys_are_missed_by_name() {
    for key in ["tokenizer.ggml.model", "tokenizer.ggml.tokens"] {
        let error = Tiny::new().without(key).tokenizer_refusal();
        assert_eq!(error, TokenizerError::MissingKey { key });
        assert!(error.to_string().contains(key));
    }
    // Not required: all scores are equal, all tokens text.
    runs(&Tiny::new().without("tokenizer.ggml.scores").without("tokenizer.ggml.token_type"));
}

#[test]
fn lengths_must_be_the_vocabularys() {
    for length in [0, 1, 11, 13] {
        let scores = Tiny::new().f32s("tokenizer.ggml.scores", &vec![0.0; length]);
        let types = Tiny::new().i32s("tokenizer.ggml.token_type", &vec![1; length]);
        for tiny in [scores, types] {
            let error = tiny.tokenizer_refusal();
            assert!(matches!(error, TokenizerError::LengthMismatch { offset: 25.. }), "{error}");
        }
    }
}

#[test]
fn tokens_must_be_strings() {
    let tiny = Tiny::new().i32s("tokenizer.ggml.tokens", &[0; 12]);
    let error = tiny.tokenizer_refusal();
    assert!(
        matches!(error, TokenizerError::Gguf(error) if error.kind == GgufErrorKind::WrongType),
        "{error}"
    );
}

#[test]
fn special_ids_beyond_the_vocabulary_are_none() {
    for name in [
        "bos",
        "eos",
        "unknown",
        "eot",
        "eom",
        "padding",
        "mask",
        "seperator",
        "fim_pre",
        "fim_suf",
        "fim_mid",
        "fim_pad",
        "fim_rep",
        "fim_sep",
    ] {
        let key = format!("tokenizer.ggml.{name}_token_id");
        runs(&Tiny::new().u32(&key, 11));
        let negative = Tiny::new().set(&key, INT32, &(-1i32).to_le_bytes());
        let beyond = [12, 1 << 31, u32::MAX].map(|id| Tiny::new().u32(&key, id));
        for tiny in beyond.into_iter().chain([negative]) {
            runs(&tiny);
            let file = tiny.bytes();
            let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
            with_tokenizer(&file, |tokenizer| {
                let tokenizer = tokenizer.unwrap();
                // The defaults of SentencePiece.
                assert_eq!((tokenizer.bos(), tokenizer.eos()), (Some(1), Some(2)), "{key}");
                let named: Vec<&str> = tokenizer.bad_special_keys(&gguf).collect();
                let decides = ["bos", "eos", "unknown", "eot", "eom"].contains(&name);
                assert_eq!(!named.is_empty(), decides, "{key}");
                assert!(named.iter().all(|suffix| key.ends_with(suffix)), "{key}");
            });
        }
    }
}

/// Rows that fill the vocabulary up: never shown, never chosen, whatever their scores.
#[test]
fn unused_tokens_are_not_possible() {
    let with_types = |types: &[i32; 12]| Tiny::new().i32s("tokenizer.ggml.token_type", types);
    let possible = |tiny: &Tiny| {
        with_tokenizer(&tiny.bytes(), |tokenizer| {
            tokenizer.unwrap().possible().map(<[u32]>::to_vec)
        })
    };
    assert_eq!(possible(&Tiny::new()), None);
    assert_eq!(possible(&Tiny::new().without("tokenizer.ggml.token_type")), None);
    // Those that end a text end it whatever their type: "</s>" is token 2.
    for (types, bits) in [
        ([2, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 5], 0b0111_1111_1111),
        ([2, 3, 3, 1, 0, 1, 1, 1, 1, 1, 1, 5], 0b0111_1110_1111),
        ([2, 3, 5, 1, 1, 1, 1, 1, 5, 5, 1, 1], 0b1100_1111_1111),
    ] {
        let found = possible(&with_types(&types)).expect("a mask");
        // Bits beyond the vocabulary mean nothing.
        assert_eq!((found.len(), found[0] & 0xfff), (1, bits));
    }
    // The file may name others, even one that ends a text; ids that do not exist are no error.
    for (ids, bits) in [
        (&[3, 11][..], Some(0b0111_1111_0111)),
        (&[2, -1, 12, i32::MAX], Some(0b1111_1111_1011)),
        (&[-1, 12], None),
        (&[], None),
    ] {
        let tiny = Tiny::new().i32s("tokenizer.ggml.suppress_tokens", ids);
        assert_eq!(possible(&tiny).map(|mask| mask[0] & 0xfff), bits);
        runs(&tiny);
    }
    let tiny = Tiny::new().u32("tokenizer.ggml.suppress_tokens", 3);
    let error = tiny.tokenizer_refusal();
    assert!(matches!(error, TokenizerError::Gguf(error) if error.kind == GgufErrorKind::WrongType));
    // The likeliest one stands for nothing: the next is taken.
    let choose = |tiny: &Tiny| {
        with_session(&tiny.bytes(), |session| {
            session.prefill(&[1, 4], &mut |_| true).unwrap();
            session.logits().to_vec()
        })
        .unwrap()
    };
    let logits = choose(&Tiny::new());
    let mut best: Vec<usize> = (0..12).collect();
    best.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    let mut types = [1; 12];
    types[best[0]] = 5;
    let mask = possible(&with_types(&types)).unwrap();
    let mut memory = vec![0; 1 << 16];
    for temperature in [0.0, 5.0] {
        let options = SamplerOptions { temperature, ..SamplerOptions::default() };
        let mut arena = Arena::new(&mut memory);
        let mut sampler = Sampler::new(options, 12, &mut arena).unwrap();
        let drawn: Vec<u32> =
            (0..300).map(|_| sampler.sample(&logits, Some(&mask)).unwrap()).collect();
        assert!(!drawn.contains(&(best[0] as u32)));
        assert!(drawn.contains(&(best[1] as u32)));
    }
}

/// The defaults of SentencePiece are 0, 1 and 2, those of byte-level BPE 11.
#[test]
fn defaults_beyond_a_tiny_vocabulary_are_nothing() {
    for length in 1..4 {
        let tiny = Tiny::new().vocabulary(&["x", "y", "z", "w"][..length]);
        runs(&tiny);
        with_tokenizer(&tiny.bytes(), |tokenizer| {
            let tokenizer = tokenizer.unwrap();
            assert_eq!(tokenizer.bos(), (length > 1).then_some(1));
            assert_eq!(tokenizer.eos(), (length > 2).then_some(2));
        });
        let bpe = tiny.string("tokenizer.ggml.model", "gpt2");
        let bpe = bpe.string("tokenizer.ggml.pre", "gpt-2").strings("tokenizer.ggml.merges", &[]);
        runs(&bpe);
        with_tokenizer(&bpe.bytes(), |tokenizer| {
            let tokenizer = tokenizer.unwrap();
            assert_eq!((tokenizer.bos(), tokenizer.eos()), (None, None));
        });
    }
}

#[test]
fn strange_texts_are_defined() {
    let replaced = |places: &[usize], text| {
        let mut tokens = TOKENS;
        places.iter().for_each(|&place| tokens[place] = text);
        Tiny::new().strings("tokenizer.ggml.tokens", &tokens)
    };
    let long = "ab".repeat(1 << 15);
    for text in ["", "a", "<0x-1>", "<0xZZ>", "<0x>", "<0x100>", "<0x+F>", "</s>", "\0", &long] {
        // As text, as a byte (6) and as an unknown token (2); once, twice and everywhere.
        for places in [&[5][..], &[5, 6], &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]] {
            let tiny = replaced(places, text);
            runs(&tiny);
            for kind in [6, 2, 0, -1, i32::MIN, i32::MAX] {
                runs(&tiny.clone().i32s("tokenizer.ggml.token_type", &[kind; 12]));
            }
        }
    }
    // A byte is a byte only as `<0xXX>`; all else typed as one is text.
    let piece = |text| {
        let tiny = replaced(&[5], text).i32s("tokenizer.ggml.token_type", &[6; 12]);
        with_tokenizer(&tiny.bytes(), |tokenizer| tokenizer.unwrap().piece(5).collect::<Vec<_>>())
    };
    assert_eq!(piece("<0xfF>"), [0xff]);
    assert_eq!(piece("<0xZZ>"), b"<0xZZ>");
    assert_eq!(piece("<0x-1>"), b"<0x-1>");
    assert_eq!(piece("<0x+1>"), b"<0x+1>");
}

/// Of tokens with equal text the first is found; without a token for a byte there is `<unk>`.
#[test]
fn equal_tokens_and_missing_bytes_have_a_meaning() {
    let mut tokens = TOKENS;
    tokens[9] = "c";
    let tiny = Tiny::new().strings("tokenizer.ggml.tokens", &tokens);
    with_tokenizer(&tiny.bytes(), |tokenizer| {
        let tokenizer = tokenizer.unwrap();
        assert_eq!(tokenizer.id_of(b"c"), Some(8));
        assert_eq!(encode(&tokenizer, "c"), [1, 3, 8]);
        assert_eq!(encode(&tokenizer, "d"), [1, 3, 0]);
    });
}

#[test]
fn scores_must_be_numbers() {
    for nan in [f32::NAN, -f32::NAN] {
        let mut scores = [0.0; 12];
        scores[7] = nan;
        let error = Tiny::new().f32s("tokenizer.ggml.scores", &scores).tokenizer_refusal();
        assert_eq!(error, TokenizerError::Score { token: 7 });
    }
    for score in [f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN_POSITIVE] {
        runs(&Tiny::new().f32s("tokenizer.ggml.scores", &[score; 12]));
    }
}

#[test]
fn merges_of_unknown_tokens_are_left_out() {
    let merges = ["a b", "a nothing", "nothing b", "x y", "a", "", " ", "a b c", "a  b"];
    let tiny = Tiny::new()
        .string("tokenizer.ggml.model", "gpt2")
        .string("tokenizer.ggml.pre", "gpt-2")
        .strings("tokenizer.ggml.merges", &merges);
    runs(&tiny);
    with_tokenizer(&tiny.bytes(), |tokenizer| {
        assert_eq!(encode(&tokenizer.unwrap(), "abc"), [6, 8]);
    });
    let missing = tiny.without("tokenizer.ggml.merges").tokenizer_refusal();
    assert_eq!(missing, TokenizerError::MissingKey { key: "tokenizer.ggml.merges" });
}
