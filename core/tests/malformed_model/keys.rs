//! Keys that are missing, of the wrong type, or of a value that no model has.

use picolm_core::gguf::{Gguf, GgufErrorKind};
use picolm_core::model::{Config, LayerSet, Layout, ModelError, Name, TensorSlot};

use crate::tiny::{LAYERS, TOKENS, Tiny, with_session};
use crate::writer::value_type::*;

const REQUIRED_SIZES: [&str; 5] = [
    "llama.embedding_length",
    "llama.block_count",
    "llama.attention.head_count",
    "llama.feed_forward_length",
    "llama.context_length",
];

fn suffix(key: &'static str) -> &'static str {
    key.strip_prefix("llama.").unwrap_or(key)
}

#[test]
fn the_model_itself_runs() {
    Tiny::new().runs();
    // What may be absent.
    Tiny::new().without_tensor("output.weight").runs();
    Tiny::new().without("llama.rope.freq_base").runs();
    Tiny::new().without("llama.rope.dimension_count").runs();
}

#[test]
fn each_required_key_is_missed_by_name() {
    let others = ["general.architecture", "llama.attention.layer_norm_rms_epsilon"];
    for key in REQUIRED_SIZES.into_iter().chain(others) {
        Tiny::new().without(key).refused(ModelError::MissingKey(suffix(key)));
    }
}

#[test]
fn architectures_are_known_or_named() {
    for name in ["", "LLAMA", "llama2", "mamba", "a name of more than thirty-one bytes"] {
        let error = ModelError::UnknownArchitecture(Name::new(name.as_bytes()));
        Tiny::new().string("general.architecture", name).refused(error);
    }
    // Keys of another architecture do not count.
    let error = ModelError::MissingKey("embedding_length");
    Tiny::new().string("general.architecture", "qwen2").refused(error);
}

#[test]
fn wrong_types_and_wide_numbers_are_errors_not_zeros() {
    let kind = |tiny: Tiny| match tiny.refusal() {
        ModelError::Gguf(error) => error.kind,
        other => panic!("{other:?}"),
    };
    let optional = [
        "llama.attention.head_count_kv",
        "llama.attention.key_length",
        "llama.attention.value_length",
        "llama.rope.dimension_count",
        "llama.expert_count",
    ];
    for key in REQUIRED_SIZES.into_iter().chain(optional) {
        assert_eq!(kind(Tiny::new().string(key, "32")), GgufErrorKind::WrongType, "{key}");
        assert_eq!(kind(Tiny::new().f32(key, 32.0)), GgufErrorKind::WrongType, "{key}");
        assert_eq!(kind(Tiny::new().f32s(key, &[32.0])), GgufErrorKind::WrongType, "{key}");
        assert_eq!(kind(Tiny::new().i32s(key, &[])), GgufErrorKind::WrongType, "{key}");
        assert_eq!(kind(Tiny::new().i32s(key, &[32, -1])), GgufErrorKind::OutOfRange, "{key}");
        let negative = Tiny::new().set(key, INT32, &(-1i32).to_le_bytes());
        assert_eq!(kind(negative), GgufErrorKind::OutOfRange, "{key}");
        let wraps = Tiny::new().set(key, UINT64, &((1u64 << 32) + 32).to_le_bytes());
        assert_eq!(kind(wraps), GgufErrorKind::OutOfRange, "{key}");
    }
    for key in ["llama.attention.layer_norm_rms_epsilon", "llama.rope.freq_base"] {
        assert_eq!(kind(Tiny::new().u32(key, 1)), GgufErrorKind::WrongType, "{key}");
    }
    assert_eq!(kind(Tiny::new().u32("general.architecture", 1)), GgufErrorKind::WrongType);
}

#[test]
fn impossible_sizes_are_refused() {
    let most = u32::MAX;
    let cases: [(&str, &[u32]); 10] = [
        ("llama.embedding_length", &[0, (1 << 17) + 1, 1 << 31, most]),
        ("llama.block_count", &[0, 100, 513, 1 << 31, most]),
        ("llama.attention.head_count", &[0, 1025, most]),
        ("llama.attention.head_count_kv", &[0, 3, 5, most]),
        ("llama.attention.key_length", &[0, 8193, most]),
        ("llama.attention.value_length", &[0, 8193, most]),
        ("llama.feed_forward_length", &[0, (1 << 20) + 1, most]),
        ("llama.context_length", &[1 << 31, most]),
        ("llama.rope.dimension_count", &[0, 1, 7, 12, most]),
        ("llama.expert_count", &[1025, most]),
    ];
    for (key, values) in cases {
        for &value in values {
            Tiny::new().u32(key, value).refused(ModelError::InvalidKey(suffix(key)));
        }
    }
    // 4 experts of which none, or 5, are used.
    for used in [0, 5] {
        let tiny = Tiny::new().u32("llama.expert_count", 4).u32("llama.expert_used_count", used);
        tiny.refused(ModelError::InvalidKey("expert_used_count"));
    }
}

/// Without a length of its own, a head is an equal part of the residual stream.
#[test]
fn heads_must_divide_what_they_share() {
    let equal = Tiny::new().without("llama.attention.key_length");
    let equal = equal.without("llama.attention.value_length");
    for heads in [6, 10, 64] {
        let tiny = equal.clone().u32("llama.attention.head_count", heads);
        tiny.refused(ModelError::InvalidKey("attention.head_count"));
    }
    let tiny = Tiny::new().u32("llama.attention.head_count", 3);
    tiny.refused(ModelError::InvalidKey("attention.head_count_kv"));
}

/// Sizes that are possible, but not those of the tensors.
#[test]
fn sizes_must_be_those_of_the_tensors() {
    let block = |layer, name| TensorSlot { layer: Some(layer), name, suffix: ".weight" };
    let embedding = TensorSlot { layer: None, name: "token_embd", suffix: ".weight" };
    let cases = [
        ("llama.embedding_length", 64, embedding),
        ("llama.attention.head_count", 2, block(0, "attn_q")),
        ("llama.attention.head_count_kv", 1, block(0, "attn_k")),
        ("llama.attention.key_length", 8, block(0, "attn_q")),
        ("llama.attention.value_length", 10, block(0, "attn_v")),
        ("llama.feed_forward_length", 1 << 20, block(0, "ffn_gate")),
    ];
    for (key, value, slot) in cases {
        Tiny::new().u32(key, value).refused(ModelError::WrongShape(slot));
    }
    let missing = ModelError::MissingTensor(block(LAYERS, "attn_norm"));
    Tiny::new().u32("llama.block_count", LAYERS + 1).refused(missing);
    let unknown = ModelError::UnknownTensor(Name::new(b"blk.1.attn_norm.weight"));
    Tiny::new().u32("llama.block_count", LAYERS - 1).refused(unknown);
}

#[test]
fn constants_must_be_numbers_that_mean_something() {
    let cases: [(&str, &[f32]); 3] = [
        ("llama.attention.layer_norm_rms_epsilon", &[-1e-5]),
        ("llama.rope.freq_base", &[0.0, -1.0, -10_000.0, 0.5, 1.0]),
        ("llama.rope.scaling.factor", &[-1.0]),
    ];
    for (key, values) in cases {
        for &value in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY].iter().chain(values) {
            Tiny::new().f32(key, value).refused(ModelError::InvalidKey(suffix(key)));
        }
    }
    let unknown = ModelError::InvalidKey("rope.scaling.type");
    Tiny::new().string("llama.rope.scaling.type", "no such").refused(unknown);
    let yarn = || Tiny::new().string("llama.rope.scaling.type", "yarn");
    yarn().f32("llama.rope.scaling.factor", 4.0).runs();
    for key in [
        "llama.rope.scaling.yarn_beta_fast",
        "llama.rope.scaling.yarn_beta_slow",
        "llama.rope.scaling.attn_factor",
        "llama.rope.scaling.yarn_ext_factor",
    ] {
        for value in [f32::NAN, f32::INFINITY] {
            yarn().f32(key, value).refused(ModelError::InvalidKey(suffix(key)));
        }
    }
    const ORIGINAL: &str = "rope.scaling.original_context_length";
    yarn()
        .u32("llama.rope.scaling.original_context_length", 1 << 31)
        .refused(ModelError::InvalidKey(ORIGINAL));
    // "Not set", as llama.cpp reads it.
    yarn().u32("llama.rope.scaling.original_context_length", 0).runs();
}

/// Converters write one number for each block where a model has but one for all.
#[test]
fn lists_of_equal_numbers_are_numbers() {
    let logits = Tiny::new().logits();
    for (key, value) in [
        ("llama.attention.head_count", 4),
        ("llama.attention.head_count_kv", 2),
        ("llama.feed_forward_length", 48),
        ("llama.attention.key_length", 10),
        ("llama.context_length", 64),
    ] {
        for equal in [&[value; 1][..], &[value; 2], &[value; 5]] {
            assert_eq!(Tiny::new().i32s(key, equal).logits(), logits, "{key}");
        }
        let unequal = ModelError::UnequalKey(suffix(key));
        Tiny::new().i32s(key, &[value, value + 1]).refused(unequal);
        Tiny::new().i32s(key, &[0, value]).refused(unequal);
        assert!(unequal.to_string().contains(suffix(key)));
    }
    let bases = Tiny::new().f32s("llama.rope.freq_base", &[10_000.0; 2]);
    assert_eq!(bases.logits(), logits);
    let unequal = ModelError::UnequalKey("rope.freq_base");
    bases.f32s("llama.rope.freq_base", &[10_000.0, 1e6]).refused(unequal);
}

#[test]
fn tokens_and_rows_must_agree_and_what_a_key_says_beside_them_is_nothing() {
    let rows = TOKENS.len() as u64;
    for size in [0, 11, 12, 13, u32::MAX] {
        Tiny::new().u32("llama.vocab_size", size).runs();
    }
    Tiny::new().string("llama.vocab_size", "twelve").runs();
    for tokens in [&TOKENS[..0], &TOKENS[..1], &TOKENS[..11], &[TOKENS, TOKENS].concat()] {
        let tiny = Tiny::new().strings("tokenizer.ggml.tokens", tokens);
        let error = ModelError::VocabularyLength { tokens: tokens.len() as u64, rows };
        tiny.refused(error);
        let text = error.to_string();
        assert!(text.contains("12") && text.contains(&tokens.len().to_string()), "{text}");
    }
}

/// What a file need not know. As llama.cpp.
#[test]
fn unknown_contexts_and_epsilons_of_nothing_are_fine() {
    let unknown = Tiny::new().u32("llama.context_length", 0);
    assert_eq!(unknown.logits(), Tiny::new().logits());
    assert_eq!(unknown.config(|config| config.context_trained), Config::CONTEXT_UNKNOWN);
    // A context that is extended from an unknown one is no model.
    let yarn = unknown.string("llama.rope.scaling.type", "yarn");
    yarn.refused(ModelError::InvalidKey("rope.scaling.original_context_length"));
    for zero in [0.0, -0.0] {
        Tiny::new().f32("llama.attention.layer_norm_rms_epsilon", zero).runs();
    }
    Tiny::new().string("general.\u{4f5c}\u{8005}", "\u{e9}").runs();
}

#[test]
fn a_model_that_looks_ahead_is_refused() {
    let causal = |truth: u8| Tiny::new().set("llama.attention.causal", BOOL, &[truth]);
    causal(1).runs();
    causal(0).refused(ModelError::NotCausal);
}

/// Whatever extends the context, or if nothing does.
#[test]
fn magnitudes_of_rotated_values_count() {
    let magnitude = |tiny: &Tiny| tiny.config(|config| config.rope.magnitude);
    assert_eq!(magnitude(&Tiny::new()), 1.0);
    let factor = |tiny: Tiny, value| tiny.f32("llama.rope.scaling.attn_factor", value);
    let scaled = factor(Tiny::new(), 1.5);
    assert_eq!(magnitude(&scaled), 1.5);
    assert_ne!(scaled.logits(), Tiny::new().logits());
    let linear = Tiny::new().f32("llama.rope.scaling.factor", 4.0);
    assert_eq!((magnitude(&linear), magnitude(&factor(linear.clone(), 1.5))), (1.0, 1.5));
    let yarn = linear.string("llama.rope.scaling.type", "yarn");
    let grown = 1.0 + 0.1 * 4f32.ln();
    assert!((magnitude(&yarn) - grown).abs() < 1e-6);
    assert!((magnitude(&factor(yarn.clone(), 1.5)) - 1.5 * grown).abs() < 1e-6);
    // The model's own number stands in the place of what follows from the factor.
    let own = |value| yarn.clone().f32("llama.rope.scaling.yarn_attn_factor", value);
    assert_eq!(magnitude(&own(1.25)), 1.25);
    assert_eq!(magnitude(&factor(own(1.25), 2.0)), 2.5);
    for value in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        own(value).refused(ModelError::InvalidKey("rope.scaling.yarn_attn_factor"));
    }
}

/// Sizes at the limits pass without wrapping: what they ask for is refused by the arena.
#[test]
fn the_longest_context_is_planned_and_not_taken() {
    let file = Tiny::new().u32("llama.context_length", (1 << 31) - 1).bytes();
    with_session(&file, |_| ()).expect("a shorter context is chosen");
    let gguf = Gguf::parse(&file, file.len() as u64).unwrap();
    let layout = Layout::of(&gguf, &crate::tiny::build(), LayerSet::EMPTY).unwrap();
    let options = picolm_core::session::Options {
        context: layout.config().context_trained,
        ..picolm_core::session::Options::default()
    };
    let mut plan = picolm_core::mem::MemoryPlan::new();
    picolm_core::session::Session::plan(&layout, &options, &mut plan).unwrap();
    // Layers, key heads, a key's and a value's elements, two bytes each.
    assert!(plan.total() >= ((1 << 31) - 1) * 2 * 2 * (10 + 6) * 2);
    let mut memory = [0; 1 << 16];
    let mut arena = picolm_core::mem::Arena::new(&mut memory);
    let weights = picolm_core::port::FlashWeights::new(&file);
    let session = picolm_core::session::Session::new(
        &layout,
        &weights,
        &crate::tiny::SERIAL,
        &options,
        &mut arena,
    );
    assert!(matches!(session.err(), Some(ModelError::Arena(_))));
}

/// As in llama.cpp: a window is what some families have in some blocks.
#[test]
fn windows_that_an_architecture_does_not_use_are_nothing() {
    let logits = Tiny::new().logits();
    for window in [0, 1, 2, u32::MAX] {
        let tiny = Tiny::new().u32("llama.attention.sliding_window", window);
        assert_eq!(tiny.logits(), logits, "{window}");
    }
    let pattern = Tiny::new()
        .u32("llama.attention.sliding_window", 1)
        .u32("llama.attention.sliding_window_pattern", 2);
    assert_eq!(pattern.logits(), logits);
}

#[test]
fn split_models_are_refused() {
    let kind = |count| {
        let file = Tiny::new().set("split.count", UINT16, &u16::to_le_bytes(count)).bytes();
        Gguf::parse(&file, file.len() as u64).err().map(|error| error.kind)
    };
    assert_eq!(kind(2), Some(GgufErrorKind::Split));
    assert_eq!(kind(u16::MAX), Some(GgufErrorKind::Split));
    assert_eq!(kind(1), None);
}
