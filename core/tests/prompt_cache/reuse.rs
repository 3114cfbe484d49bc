//! What a file spares, and that nobody can tell from the answer.

use crate::engine::{Fixture, Setting, architectures, is_recurrent, with_session};
use crate::file::{bits, fingerprint, prefill, restore, saved, write_on};
use picolm_core::port::FlashWeights;
use picolm_core::quant::KvType;
use picolm_core::session::{Mismatch, Options, Session, Unsaved};
use proptest::prelude::*;
use std::sync::OnceLock;

fn with<R>(fixture: &Fixture, context: u32, work: impl FnOnce(&mut Session<'_>) -> R) -> R {
    with_type(fixture, context, KvType::F16, work)
}

fn with_type<R>(
    fixture: &Fixture,
    context: u32,
    kv_type: KvType,
    work: impl FnOnce(&mut Session<'_>) -> R,
) -> R {
    let options = Options { context, kv_type, ..Options::default() };
    let setting = Setting { options, ..Setting::PLAIN };
    with_session(fixture, &FlashWeights::new(&fixture.file), &setting, work)
}

/// As many pairs as the environment asks for, within reason: each is several runs of a model.
fn pairs(default: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(asked.map_or(default, |cases: u32| cases.min(1000)))
}

/// Two prompts that begin alike: what they share, and how each goes on.
fn prompts() -> impl Strategy<Value = (Vec<u32>, Vec<u32>, Vec<u32>)> {
    let tokens = |length| prop::collection::vec(0..384u32, length);
    (tokens(0..150), tokens(0..40), tokens(1..40))
}

/// Read once for all pairs.
static MODELS: OnceLock<Vec<Fixture>> = OnceLock::new();

proptest! {
    #![proptest_config(pairs(12))]

    /// The second prompt's logits, and those of what is written on, are those of a fresh run; and
    /// so are those of a third run that goes on with all that the second has written.
    #[test]
    fn random_pairs_have_the_bits_of_fresh_runs(
        (shared, first, second) in prompts(),
        pick in any::<prop::sample::Index>(),
        kv_type in prop::sample::select(KvType::ALL.as_slice()),
    ) {
        let models = MODELS.get_or_init(architectures);
        let fixture = &models[pick.index(models.len())];
        let config = with(fixture, 64, |session| *session.config());
        let n_vocab = config.n_vocab;
        let whole_blocks = |elements: u32| kv_type.head_bytes(elements as usize).is_some();
        prop_assume!(whole_blocks(config.key_dim) && whole_blocks(config.value_dim));
        let join = |parts: [&[u32]; 2]| -> Vec<u32> {
            parts.concat().iter().map(|token| token % n_vocab).collect()
        };
        let (first, second) = (join([&shared, &first]), join([&shared, &second]));
        prop_assume!(!first.is_empty());
        let model = fingerprint(&fixture.file);
        let file = with_type(fixture, 256, kv_type, |session| {
            prefill(session, &first);
            saved(session, model)
        });
        let fresh = with_type(fixture, 256, kv_type, |session| {
            (prefill(session, &second), write_on(session, 20))
        });
        let common = first.iter().zip(&second).take_while(|(a, b)| a == b).count();
        let (ours, longer) = with_type(fixture, 256, kv_type, |session| {
            let reused = restore(session, &file, model, &second).unwrap() as usize;
            let common = common.min(second.len() - 1);
            // Recurrent state is there at marks alone.
            assert!(reused == common || reused < common && is_recurrent(fixture));
            assert_eq!(session.tokens(), &second[..reused]);
            session.prefill(&second[reused..], &mut |_| true).unwrap();
            let ours = (bits(session), write_on(session, 20));
            assert_eq!(session.tokens(), [&second[..], &ours.1.0].concat());
            (ours, saved(session, model))
        });
        prop_assert!(ours == fresh);

        // A conversation: the old prompt, its answer, and more.
        let third = [&second[..], &ours.1.0, &[5, 6]].concat();
        let fresh = with_type(fixture, 256, kv_type, |session| prefill(session, &third));
        let ours = with_type(fixture, 256, kv_type, |session| {
            let reused = restore(session, &longer, model, &third).unwrap() as usize;
            assert_eq!(reused, third.len() - 2, "all but what is new");
            prefill(session, &third[reused..])
        });
        prop_assert!(ours == fresh);
    }
}

/// Recurrent state is saved with the text: wherever that was cut, a longer one evaluates only what
/// is new, and one that differs earlier resumes at a mark.
#[test]
fn recurrent_texts_go_on_at_every_position() {
    let models: Vec<_> = architectures().into_iter().filter(is_recurrent).collect();
    let prompt: Vec<u32> = (0..48).map(|index| index * 7 % 300).collect();
    for (number, fixture) in models.iter().enumerate() {
        let model = fingerprint(&fixture.file);
        let expected = with(fixture, 64, |session| prefill(session, &prompt));
        // Models share the code of states: they take turns with the places.
        for cut in (1..prompt.len()).skip(number % 4).step_by(4) {
            let file = with(fixture, 64, |session| {
                prefill(session, &prompt[..cut]);
                let file = saved(session, model);
                assert_eq!(file.len() as u64, session.saved_bytes(cut as u32));
                file
            });
            with(fixture, 64, |session| {
                assert_eq!(restore(session, &file, model, &prompt), Ok(cut as u32));
                assert_eq!(prefill(session, &prompt[cut..]), expected, "{} {cut}", fixture.name);
                // What was restored is a mark.
                assert_eq!(session.rewind(cut as u32), cut as u32);
                assert_eq!(prefill(session, &prompt[cut..]), expected, "{} {cut}", fixture.name);
            });
            let other = [&prompt[..cut - 1], &[299, 5]].concat();
            let fresh = with(fixture, 64, |session| prefill(session, &other));
            with(fixture, 64, |session| {
                let reused = restore(session, &file, model, &other).unwrap() as usize;
                assert!(reused < cut);
                assert_eq!(prefill(session, &other[reused..]), fresh, "{} {cut}", fixture.name);
            });
        }
    }
    assert!(models.len() >= 2);
}

/// Nothing is written where nothing was computed that the file has not.
#[test]
fn what_the_file_has_is_not_written_again() {
    let models = architectures();
    let fixture = &models[0];
    let model = fingerprint(&fixture.file);
    let prompt: Vec<u32> = (0..100).map(|index| index * 7 % 300).collect();
    let (file, answer) = with(fixture, 256, |session| {
        assert_eq!(session.unsaved(u64::MAX), Unsaved::Nothing, "nothing at all");
        prefill(session, &prompt);
        let (answer, _) = write_on(session, 30);
        assert_eq!(session.unsaved(u64::MAX), Unsaved::Positions(130));
        let file = saved(session, model);
        assert_eq!(session.unsaved(u64::MAX), Unsaved::Nothing, "saved just now");
        session.decode(answer[0]).unwrap();
        assert_eq!(session.unsaved(u64::MAX), Unsaved::Positions(131));
        (file, answer)
    });
    let restored = |prompt: &[u32], work: &dyn Fn(&mut Session<'_>)| {
        with(fixture, 256, |session| {
            let reused = restore(session, &file, model, prompt).unwrap() as usize;
            prefill(session, &prompt[reused..]);
            work(session);
            session.unsaved(u64::MAX)
        })
    };
    assert_eq!(restored(&prompt, &|_| ()), Unsaved::Nothing, "the same prompt");
    assert_eq!(restored(&prompt[..50], &|_| ()), Unsaved::Nothing, "a shorter one");
    let again = |session: &mut Session<'_>| assert_eq!(write_on(session, 30).0, answer);
    assert_eq!(restored(&prompt, &again), Unsaved::Nothing, "the same answer");
    let more = |session: &mut Session<'_>| drop(write_on(session, 31));
    assert_eq!(restored(&prompt, &more), Unsaved::Positions(131), "a longer answer");
    let other = |session: &mut Session<'_>| session.decode((answer[0] + 1) % 300).unwrap();
    assert_eq!(restored(&prompt, &other), Unsaved::Positions(101), "another answer");
    let short = [&prompt[..10], &[299]].concat();
    assert_eq!(restored(&short, &|_| ()), Unsaved::Positions(11), "another prompt");
}

/// A limit keeps the longest prefix that it has room for.
#[test]
fn a_file_stays_within_its_limit() {
    let models = architectures();
    let fixture = &models[0];
    let model = fingerprint(&fixture.file);
    let prompt: Vec<u32> = (0..150).map(|index| index * 11 % 300).collect();
    with(fixture, 256, |session| {
        prefill(session, &prompt);
        for positions in [1, 2, 63, 64, 65, 149, 150] {
            let bytes = session.saved_bytes(positions);
            assert_eq!(session.unsaved(bytes), Unsaved::Positions(positions));
            let below =
                if positions == 1 { Unsaved::TooLarge } else { Unsaved::Positions(positions - 1) };
            assert_eq!(session.unsaved(bytes - 1), below);
        }
        assert_eq!(session.unsaved(0), Unsaved::TooLarge);
    });
    let (limit, file) = with(fixture, 256, |session| {
        prefill(session, &prompt);
        let limit = session.saved_bytes(100) + 5;
        let Unsaved::Positions(count) = session.unsaved(limit) else { panic!() };
        let mut kept = crate::file::Kept(Vec::new());
        session.save(&mut kept, model, count).unwrap();
        assert!(kept.0.len() as u64 <= limit);
        (limit, kept.0)
    });
    let fresh = with(fixture, 256, |session| prefill(session, &prompt));
    with(fixture, 256, |session| {
        assert_eq!(restore(session, &file, model, &prompt), Ok(100));
        assert_eq!(prefill(session, &prompt[100..]), fresh);
        assert_eq!(session.unsaved(limit), Unsaved::Nothing, "no more of it fits");
        assert_eq!(session.unsaved(limit - 10), Unsaved::Positions(99), "the limit was lowered");
        assert_eq!(session.unsaved(limit * 2), Unsaved::Positions(150), "the limit was raised");
    });
}

/// A context of another length is no hindrance where the positions fit.
#[test]
fn a_file_serves_any_context_that_holds_it() {
    let models = architectures();
    let fixture = &models[0];
    let model = fingerprint(&fixture.file);
    let prompt: Vec<u32> = (0..70).map(|index| index * 5 % 300).collect();
    let (expected, file) = with(fixture, 128, |session| {
        let expected = prefill(session, &prompt);
        (expected, saved(session, model))
    });
    for context in [70, 71, 200, 2048] {
        let ours = with(fixture, context, |session| {
            assert_eq!(restore(session, &file, model, &prompt), Ok(69));
            prefill(session, &prompt[69..])
        });
        assert_eq!(ours, expected);
    }
}

/// A file of one type is not one of another.
#[test]
fn a_file_names_the_type_of_its_keys_and_values() {
    let models = architectures();
    let fixture = models.iter().find(|fixture| fixture.name == "llama_linear").unwrap();
    let model = fingerprint(&fixture.file);
    let prompt: Vec<u32> = (0..70).map(|index| index * 5 % 300).collect();
    for kv_type in KvType::ALL {
        let file = with_type(fixture, 128, kv_type, |session| {
            prefill(session, &prompt);
            saved(session, model)
        });
        for other in KvType::ALL {
            let result =
                with_type(fixture, 128, other, |session| restore(session, &file, model, &prompt));
            let expected = if other == kv_type { Ok(69) } else { Err(Mismatch::KvType.into()) };
            assert_eq!(result, expected);
        }
    }
}
