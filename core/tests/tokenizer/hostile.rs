//! Vocabularies that are wrong: each is an error that says where, or means something defined.

use core::time::Duration;

use cpu_time::ThreadTime;
use picolm_core::gguf::{Gguf, GgufErrorKind};
use picolm_core::mem::{Arena, MemoryPlan};
use picolm_core::text::Segment;
use picolm_core::tokenizer::{Tokenizer, TokenizerError};
use proptest::prelude::*;

use crate::common::{decode, encode, try_tokenizer, with_tokenizer};
use crate::writer::{BYTE, CONTROL, NORMAL, Vocabulary, Writer};

fn error_of(writer: Writer) -> TokenizerError {
    let file = writer.finish();
    let start = ThreadTime::now();
    let error = try_tokenizer(&file, |tokenizer| tokenizer.err().expect("accepted"));
    assert!(start.elapsed() < Duration::from_secs(2), "{error} took long");
    error
}

#[test]
fn what_is_missing_is_named() {
    let missing = |key| TokenizerError::MissingKey { key };
    assert_eq!(
        error_of(Writer::default().strings("tokens", &["a"])),
        missing("tokenizer.ggml.model")
    );
    assert_eq!(error_of(Writer::default().model("llama")), missing("tokenizer.ggml.tokens"));
    let no_merges = Writer::default().model("gpt2").strings("tokens", &["a"]);
    assert_eq!(error_of(no_merges), missing("tokenizer.ggml.merges"));
}

#[test]
fn unknown_models_and_pre_tokenizers_are_refused() {
    let file = Writer::default().model("t5").strings("tokens", &["a"]);
    assert!(matches!(error_of(file), TokenizerError::UnsupportedModel { offset: 24, .. }));
    for (model, kind) in
        [("t5", "'t5' (Unigram)"), ("bert", "'bert' (WordPiece)"), ("x", "is 'x';")]
    {
        let file = Writer::default().model(model).strings("tokens", &["a"]);
        let message = error_of(file).to_string();
        assert!(message.contains(kind), "{message}");
        assert!(message.contains("supported are llama (SentencePiece), gpt2 and"), "{message}");
    }
    let file = Vocabulary::bpe(&[]).bpe_writer("no-such", &[] as &[&str]);
    let error = error_of(file);
    assert!(matches!(error, TokenizerError::UnsupportedPreTokenizer { offset: 24.., .. }));
    assert!(error.to_string().contains("pre-tokenizer 'no-such' is not"), "{error}");
}

#[test]
fn wrong_types_are_refused() {
    let wrong = |writer| match error_of(writer) {
        TokenizerError::Gguf(error) => error.kind,
        other => panic!("{other:?}"),
    };
    let llama = || Writer::default().model("llama");
    assert_eq!(wrong(llama().i32s("tokens", &[1, 2])), GgufErrorKind::WrongType);
    assert_eq!(wrong(llama().u32("tokens", 1)), GgufErrorKind::WrongType);
    let one = || llama().strings("tokens", &["a"]);
    assert_eq!(wrong(one().strings("scores", &["a"])), GgufErrorKind::WrongType);
    assert_eq!(wrong(one().strings("token_type", &["a"])), GgufErrorKind::WrongType);
    assert_eq!(wrong(one().u32("add_bos_token", 1)), GgufErrorKind::WrongType);
    assert_eq!(wrong(one().bool("bos_token_id", true)), GgufErrorKind::WrongType);
    assert_eq!(
        wrong(Writer::default().strings("tokens", &["a"]).u32("model", 1)),
        GgufErrorKind::WrongType
    );
}

#[test]
fn sizes_must_agree_and_fit() {
    let llama = || Writer::default().model("llama");
    let none: &[&str] = &[];
    assert!(matches!(error_of(llama().strings("tokens", none)), TokenizerError::NoTokens { .. }));
    let two = || llama().strings("tokens", &["a", "b"]);
    for len in [0, 1, 3] {
        let scores = two().f32s("scores", &vec![0.0; len]);
        assert!(matches!(error_of(scores), TokenizerError::LengthMismatch { offset: 24.. }));
        let types = two().i32s("token_type", &vec![1; len]);
        assert!(matches!(error_of(types), TokenizerError::LengthMismatch { offset: 24.. }));
    }
    let many = llama().strings("tokens", &vec!["x"; 1 << 21]);
    assert!(matches!(error_of(many), TokenizerError::TooManyTokens { .. }));
    let merges = vec!["a b"; 10_000_000];
    let many = Vocabulary::bpe(&[]).bpe_writer("gpt-2", &merges);
    assert!(matches!(error_of(many), TokenizerError::TooManyMerges { .. }));
}

/// Two million merges are the most that are read: in seconds, also where all are the same or none
/// names a token.
#[test]
fn many_merges_are_read_in_bounded_time() {
    for merge in ["a b", "no such", "nospace", "", " ", "  "] {
        let merges = vec![merge; (1 << 21) - 1];
        let file = Vocabulary::bpe(&["a b"]).bpe_writer("gpt-2", &merges).finish();
        let start = ThreadTime::now();
        let ids = with_tokenizer(&file, |tokenizer| encode(tokenizer, b"ab"));
        assert_eq!(ids, if merge == "a b" { vec![256] } else { vec![97, 98] });
        assert!(start.elapsed() < Duration::from_secs(5), "{merge:?}: {:?}", start.elapsed());
    }
}

#[test]
fn scores_must_be_numbers() {
    let llama = |score| {
        Writer::default()
            .model("llama")
            .strings("tokens", &["a", "b"])
            .f32s("scores", &[0.0, score])
    };
    assert_eq!(error_of(llama(f32::NAN)), TokenizerError::Score { token: 1 });
    assert_eq!(error_of(llama(-f32::NAN)), TokenizerError::Score { token: 1 });
    with_tokenizer(&llama(f32::NEG_INFINITY).finish(), |t| {
        assert_eq!(encode(t, b"b"), [0, 0, 0, 1])
    });
}

/// An id that is not in the vocabulary is nothing, whether a key names it or it is a default.
#[test]
fn special_ids_may_be_missing() {
    let tiny = || Writer::default().model("llama").strings("tokens", &["▁"]);
    with_tokenizer(&tiny().finish(), |tokenizer| {
        assert_eq!((tokenizer.bos(), tokenizer.eos()), (None, None));
        assert!(!tokenizer.adds_bos());
        let mut ids = Vec::new();
        let text = [Segment::plain(b" ")];
        tokenizer.encode(&text, true, &mut [0; 8], &mut |id| ids.push(id)).unwrap();
        assert_eq!(ids, [0, 0]);
    });
    for key in [
        "bos_token_id",
        "eos_token_id",
        "eot_token_id",
        "eom_token_id",
        "unknown_token_id",
        "seperator_token_id",
        "padding_token_id",
        "mask_token_id",
        "fim_pre_token_id",
        "fim_pad_token_id",
    ] {
        for id in [1, u32::MAX] {
            with_tokenizer(&tiny().u32(key, id).finish(), |t| assert_eq!(t.bos(), None, "{key}"));
        }
        with_tokenizer(&tiny().u32(key, 0).finish(), |t| assert_eq!(t.vocabulary_len(), 1));
    }
}

#[test]
fn equal_and_empty_tokens_are_defined() {
    let file =
        Writer::default().model("llama").strings("tokens", &["", "b", "▁", "b", "", "▁b", "▁b"]);
    with_tokenizer(&file.finish(), |tokenizer| {
        assert_eq!(tokenizer.id_of(b""), None);
        assert_eq!(encode(tokenizer, b"b"), [5]);
        assert_eq!(tokenizer.id_of(b"b"), Some(1));
        assert_eq!(decode(tokenizer, &[0, 3, 4, 6, 9, u32::MAX]), b"b b");
    });
    let many = Writer::default().model("llama").strings("tokens", &["x"; 65]);
    assert!(matches!(error_of(many), TokenizerError::EqualTokens { offset: 24.. }));
    let empty = Writer::default().model("llama").strings("tokens", &[""; 5000]).finish();
    // Unknown, for each byte of "▁a".
    with_tokenizer(&empty, |t| assert_eq!(encode(t, b"a"), [0; 4]));
}

#[test]
fn byte_tokens_that_are_none_are_text() {
    let mut vocabulary = Vocabulary::default();
    for text in ["<0x-1>", "<0xZZ>", "<0x4>", "<0x041>", "<0x+1>", "<0x41", "x"] {
        vocabulary.add(text, 0.0, BYTE);
    }
    let good = vocabulary.add("<0x41>", 0.0, BYTE);
    let lower = vocabulary.add("<0xff>", 0.0, BYTE);
    let plain = vocabulary.add("<0x42>", 0.0, NORMAL);
    with_tokenizer(
        &vocabulary.spm_writer().bool("add_space_prefix", false).finish(),
        |tokenizer| {
            for (id, text) in vocabulary.texts.iter().enumerate().take(7) {
                assert_eq!(decode(tokenizer, &[id as u32]), text.as_bytes());
            }
            assert_eq!(decode(tokenizer, &[good]), b"A");
            assert_eq!(decode(tokenizer, &[lower]), b"\xFF");
            assert_eq!(decode(tokenizer, &[plain]), b"<0x42>");
            // What has no token is the byte's token, else the unknown token, which is 0 by default.
            assert_eq!(encode(tokenizer, b"AC"), [good, 0]);
        },
    );
}

/// Byte-level BPE without a byte's token leaves the byte out, as llama.cpp does.
#[test]
fn bytes_without_tokens_vanish() {
    let file =
        Writer::default().model("gpt2").strings("tokens", &["a", "ab"]).strings("merges", &["a b"]);
    with_tokenizer(&file.finish(), |tokenizer| assert_eq!(encode(tokenizer, b"abca"), [0, 0]));
}

/// A merge counts where both texts and what they make are tokens; of equal ones the first.
#[test]
fn merges_of_what_is_no_token_are_left_out() {
    let merges = ["x y", "a q", "b c", "a b", "b c", "ab c"];
    let mut vocabulary = Vocabulary::bpe(&["a b", "b c"]);
    vocabulary.add("xz", 0.0, NORMAL);
    let file = vocabulary.bpe_writer("gpt-2", &merges).finish();
    with_tokenizer(&file, |tokenizer| {
        assert_eq!(encode(tokenizer, b"abc"), [97, 257]);
        assert_eq!(encode(tokenizer, b"xyaqab"), [120, 121, 97, 113, 256]);
    });
}

#[test]
fn every_refused_take_is_an_error_and_a_second_try_succeeds() {
    let merges = ["a b"];
    let files = [
        Vocabulary::spm(&["a"]).spm_writer().finish(),
        Vocabulary::bpe(&merges).bpe_writer("gpt-2", &merges).finish(),
    ];
    for (file, takes) in files.iter().zip([5, 6]) {
        let gguf = Gguf::parse(file, file.len() as u64).unwrap();
        let mut plan = MemoryPlan::new();
        Tokenizer::plan(&gguf, &mut plan).unwrap();
        let mut memory = vec![0; plan.total() as usize + 64];
        for allowed in 0..takes {
            let mut arena = Arena::new(&mut memory).refusing_after(allowed);
            let error = Tokenizer::new(&gguf, &mut arena).err();
            assert!(matches!(error, Some(TokenizerError::Memory(_))), "{allowed} takes");
        }
        assert!(Tokenizer::new(&gguf, &mut Arena::new(&mut memory).refusing_after(takes)).is_ok());
        let less = plan.total() as usize - 64;
        let mut arena = Arena::new(&mut memory[..less]);
        assert!(matches!(Tokenizer::new(&gguf, &mut arena), Err(TokenizerError::Memory(_))));
    }
}

/// Special tokens that overlap in every way, in text made of them, in reasonable time.
#[test]
fn overlapping_special_tokens_take_bounded_time() {
    let mut vocabulary = Vocabulary::bpe(&[]);
    for length in 1..=128 {
        vocabulary.add(&"<".repeat(length), 0.0, CONTROL);
    }
    vocabulary.add(&"<".repeat(100_000), 0.0, CONTROL); // too long to be found
    let file = vocabulary.bpe_writer("gpt-2", &[] as &[&str]).finish();
    with_tokenizer(&file, |tokenizer| {
        let text = vec![b'<'; 100_000];
        let start = ThreadTime::now();
        let ids = crate::encode_segments(tokenizer, &[Segment::template(&text)]);
        assert_eq!(ids.len(), 100_000usize.div_ceil(128));
        assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    });
}

proptest! {
    /// A valid file with bytes changed is refused, or is a tokenizer that works on any text.
    #[test]
    fn mutated_files_never_panic(
        spm in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        text in prop::collection::vec(any::<u8>(), 0..64),
    ) {
        let merges = ["a b", "Ġ a"];
        let mut file = if spm {
            Vocabulary::spm(&["▁a", "▁", "ab"]).spm_writer().u32("bos_token_id", 1).finish()
        } else {
            Vocabulary::bpe(&merges).bpe_writer("llama-bpe", &merges).finish()
        };
        for (place, byte) in changes {
            let place = place.index(file.len());
            file[place] = byte;
        }
        if Gguf::parse(&file, file.len() as u64).is_err() {
            return Ok(());
        }
        try_tokenizer(&file, |tokenizer| {
            let Ok(tokenizer) = tokenizer else { return };
            let mut scratch = vec![0; Tokenizer::scratch_words(text.len())];
            let mut ids = Vec::new();
            let segments = [Segment::template(&text), Segment::plain(&text[..text.len() / 2])];
            tokenizer.encode(&segments[..1], true, &mut scratch, &mut |id| ids.push(id)).unwrap();
            let _ = tokenizer.encode(&segments, true, &mut scratch, &mut |id| ids.push(id));
            decode(&tokenizer, &ids);
            assert!(ids.iter().all(|&id| id < tokenizer.vocabulary_len()));
        });
    }
}
