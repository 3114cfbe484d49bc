//! JSON by hand against the compiled grammar of the same language: byte by byte, mask by mask.

use crate::common::{effort, with_automaton};
use crate::vocabulary::{END, Random, Tokens};
use picolm_core::grammar::json::{self, Root};
use picolm_core::grammar::{
    Constrain, JsonConstraint, JsonText, MAX_JSON_DEPTH, Matcher, TokenBytes,
};
use std::collections::HashMap;

const ROOTS: [Root; 2] = [Root::Object, Root::Value];

/// A text for each state with at most `depth` containers around it, the shortest one.
fn states(root: Root, depth: u8) -> HashMap<JsonText, Vec<u8>> {
    let first = JsonText::new(root);
    let (mut found, mut todo) = (HashMap::from([(first, Vec::new())]), vec![first]);
    while let Some(text) = todo.pop() {
        let bytes = found[&text].clone();
        for byte in 0..=u8::MAX {
            let Some(next) = text.push(byte).filter(|next| next.depth() <= depth) else { continue };
            found.entry(next).or_insert_with(|| {
                todo.push(next);
                [&bytes[..], &[byte]].concat()
            });
        }
    }
    found
}

/// Both automata together: from every state each byte leads on in both or in neither.
#[test]
fn the_product_with_the_grammar_has_no_state_of_one_alone() {
    for root in ROOTS {
        let states = states(root, effort(3, 4) as u8);
        // A hundred places, with any stack of containers around them.
        assert!(states.len() > 500, "{}", states.len());
        with_automaton(
            |words| json::compact(root, words),
            |automaton| {
                let automaton = automaton.unwrap();
                for (text, bytes) in &states {
                    let mut matcher = Matcher::new(&automaton);
                    assert!(bytes.iter().all(|&byte| matcher.push(&automaton, byte)), "{bytes:?}");
                    let shown = String::from_utf8_lossy(bytes);
                    assert_eq!(text.is_complete(), matcher.is_complete(&automaton), "{shown}");
                    for byte in 0..=u8::MAX {
                        let (next, mut ahead) = (text.push(byte), matcher.clone());
                        let expected = ahead.push(&automaton, byte);
                        assert_eq!(next.is_some(), expected, "{shown} and {byte:#x}");
                    }
                }
            },
        );
    }
}

/// Random bytes that JSON is made of, most of which go on.
#[test]
fn random_texts_are_told_alike() {
    const BYTES: &[u8] = b"{}[]\"\":,, 0123456789.eE+-truefalsnul\\\\/bfnrtudD8aAcC\
        \xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xED\n\t";
    let mut random = Random(41);
    for root in ROOTS {
        with_automaton(
            |words| json::compact(root, words),
            |automaton| {
                let automaton = automaton.unwrap();
                for _ in 0..effort(5_000, 500_000) {
                    let (mut text, mut matcher) = (JsonText::new(root), Matcher::new(&automaton));
                    let (mut bytes, mut tries) = (Vec::new(), 0);
                    while bytes.len() < 60 && tries < 40 {
                        let byte = BYTES[random.below(BYTES.len())];
                        let mut ahead = matcher.clone();
                        let next = text.push(byte);
                        let shown = String::from_utf8_lossy(&bytes);
                        assert_eq!(next.is_some(), ahead.push(&automaton, byte), "{shown}, {byte}");
                        match next {
                            Some(next) => (text, matcher, tries) = (next, ahead, 0),
                            None => tries += 1,
                        }
                        if next.is_some() {
                            bytes.push(byte);
                        }
                    }
                    assert_eq!(text.is_complete(), matcher.is_complete(&automaton));
                }
            },
        );
    }
}

/// Calls `test` with both constraints of a vocabulary.
fn with_both(
    tokens: &Tokens,
    root: Root,
    mut test: impl FnMut(&mut picolm_core::grammar::Constraint<'_>, &mut JsonConstraint<'_>),
) {
    tokens.with_constraint(
        |words| json::compact(root, words),
        120,
        |constraint| {
            let mut words = vec![0; JsonConstraint::words(tokens.len())];
            let by_hand = JsonConstraint::new(tokens, root, [END], &mut words);
            test(&mut constraint.unwrap(), &mut by_hand.unwrap());
        },
    );
}

/// At every state, with tokens enough and with as few as can be.
fn masks_are_equal(tokens: &Tokens, depth: u8) {
    for root in ROOTS {
        let states = states(root, depth);
        with_both(tokens, root, |constraint, by_hand| {
            for bytes in states.values() {
                constraint.restart();
                by_hand.restart();
                let shown = String::from_utf8_lossy(bytes);
                assert!(constraint.accept(bytes) && by_hand.accept(bytes), "{shown}");
                let closing = constraint.tokens_to_close();
                assert_eq!(by_hand.tokens_to_close(), closing, "{shown}");
                for left in [closing, closing + 2, 1000] {
                    assert_eq!(by_hand.allow(left), constraint.allow(left), "{shown}, {left}");
                    assert!(by_hand.mask() == constraint.mask(), "{shown}, {left}");
                }
            }
        });
    }
}

#[test]
fn masks_of_a_small_vocabulary_are_equal_at_every_state() {
    masks_are_equal(&Tokens::small(), effort(2, 4) as u8);
}

/// Those of `ci/long` go to a depth of 4.
#[test]
fn masks_of_real_vocabularies_are_equal_at_every_state() {
    for name in ["llama-spm", "gpt-2"] {
        masks_are_equal(&Tokens::of_model(name), effort(1, 4) as u8);
    }
}

/// A byte that closings need must be a token; one that they do not need may be missing.
#[test]
fn a_vocabulary_that_cannot_spell_closings_is_refused() {
    let without = |missing: &[u8]| {
        let mut tokens = Tokens::small();
        for token in &mut tokens.0 {
            if token.len() == 1 && missing.contains(&token[0]) {
                token.clear();
            }
        }
        tokens
    };
    for missing in b"\"0}]:\\u" {
        let tokens = without(&[*missing]);
        let mut words = vec![0; JsonConstraint::words(tokens.len())];
        assert!(JsonConstraint::new(&tokens, Root::Object, [END], &mut words).is_none());
    }
    masks_are_equal(&without(b"123456789bxyz [,"), 1);
}

/// Whatever is chosen among what is allowed, the text is whole when the budget ends.
#[test]
fn texts_are_whole_within_any_budget() {
    let tokens = Tokens::small();
    let mut random = Random(5);
    with_both(&tokens, Root::Object, |_, by_hand| {
        for budget in 1..effort(400, 4_000) as u32 {
            by_hand.restart();
            let (mut left, mut bytes) = (budget.min(90), Vec::new());
            if by_hand.tokens_to_close() > left {
                continue;
            }
            loop {
                let allowed = by_hand.allow(left);
                assert!(allowed.may_go_on || allowed.may_end);
                let bit = |token: u32| by_hand.mask()[token as usize / 32] >> (token % 32) & 1 == 1;
                let choices: Vec<u32> = (0..tokens.len()).filter(|&token| bit(token)).collect();
                let token = choices[random.below(choices.len())];
                if token == END {
                    break;
                }
                assert!(by_hand.accept_token(token, &tokens));
                bytes.extend_from_slice(&tokens.0[token as usize]);
                left -= 1;
            }
            let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            assert!(value.is_object());
        }
    });
}

#[test]
fn depth_is_bounded() {
    let mut text = JsonText::new(Root::Value);
    for _ in 0..MAX_JSON_DEPTH {
        text = text.push(b'[').unwrap();
    }
    assert_eq!(text.push(b'[').and_then(|text| text.push(b'[')), None);
}

/// Whatever is begun at the greatest depth can be completed there.
#[test]
fn nothing_is_begun_that_does_not_fit() {
    let tokens = Tokens::with_all_bytes(&[]);
    with_both(&tokens, Root::Value, |_, by_hand| {
        for (open, inside) in [(&b"{\"a\":"[..], b"{}"), (b"[", b"[]")] {
            by_hand.restart();
            for _ in 0..MAX_JSON_DEPTH {
                assert!(by_hand.accept(open));
            }
            assert!(by_hand.accept(&inside[..1]));
            // The only way out is the container's end.
            let allowed = by_hand.allow(1000);
            assert_eq!(allowed.only, Some(1 + u32::from(inside[1])));
        }
    });
}
