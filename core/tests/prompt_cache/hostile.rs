//! Files that are damaged, belong to something else, or lie: refused for the right reason, and the
//! session is as if there were none.

use crate::engine::{Fixture, Setting, architectures, build, weight_types, with_session};
use crate::file::{Bytes, bits, checksum, fingerprint, prefill, restore, saved, with_checksums};
use crate::tiny::Tiny;
use picolm_core::gguf::Gguf;
use picolm_core::kernels::portable;
use picolm_core::mem::Arena;
use picolm_core::model::{LayerSet, Layout};
use picolm_core::port::{FlashWeights, Serial};
use picolm_core::session::{Mismatch, NUMERICS_VERSION, Options, RestoreError, Session};

const PROMPT: [u32; 7] = [1, 4, 5, 6, 7, 3, 9];

/// The tiny model's file of `PROMPT`'s first five tokens, and what a fresh run says of all seven.
fn tiny<R>(work: impl FnOnce(&mut Session<'_>, &[u8], &[u8], &[u32]) -> R) -> R {
    let model = Tiny::new().bytes();
    crate::tiny::with_session(&model, |session| {
        prefill(session, &PROMPT[..5]);
        let file = saved(session, fingerprint(&model));
        session.rewind(0);
        let expected = prefill(session, &PROMPT);
        session.rewind(0);
        work(session, &model, &file, &expected)
    })
    .unwrap()
}

/// The file is refused, and the session runs as if there were none.
fn refused(
    session: &mut Session<'_>,
    model: &[u8],
    file: &[u8],
    expected: &[u32],
) -> RestoreError<crate::file::Ended> {
    let error = restore(session, file, fingerprint(model), &PROMPT).expect_err("accepted");
    assert_eq!((session.position(), session.logits().len()), (0, 0));
    assert_eq!(prefill(session, &PROMPT), expected);
    session.rewind(0);
    error
}

#[test]
fn a_file_cut_off_anywhere_is_refused() {
    tiny(|session, model, file, expected| {
        assert!(file.len() < 2000);
        for length in 0..file.len() {
            let error = refused(session, model, &file[..length], expected);
            assert_eq!(error, RestoreError::from(Mismatch::Length), "{length} bytes");
        }
        let longer = [file, &[0]].concat();
        assert_eq!(refused(session, model, &longer, expected), Mismatch::Length.into());
        assert_eq!(restore(session, file, fingerprint(model), &PROMPT), Ok(5));
        assert_eq!(prefill(session, &PROMPT[5..]), expected);
    });
}

#[test]
fn every_flipped_bit_is_found() {
    tiny(|session, model, file, expected| {
        let fingerprint = fingerprint(model);
        let mut file = file.to_vec();
        for bit in 0..8 * file.len() {
            file[bit / 8] ^= 1 << (bit % 8);
            let result = restore(session, &file, fingerprint, &PROMPT);
            assert!(matches!(result, Err(RestoreError::Mismatch(_))), "bit {bit}: {result:?}");
            assert_eq!(session.position(), 0);
            file[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(prefill(session, &PROMPT), expected);
    });
}

/// Beyond one frame of 64 KiB: a flipped bit in each of them, frames that have changed places, and
/// every length around a frame's end.
#[test]
fn every_frame_counts() {
    let models = architectures();
    let fixture = &models[0];
    let model = fingerprint(&fixture.file);
    let options = Options { context: 1024, ..Options::default() };
    let setting = Setting { options, ..Setting::PLAIN };
    let prompt: Vec<u32> = (0..900).map(|index| index * 3 % 300).collect();
    with_session(fixture, &FlashWeights::new(&fixture.file), &setting, |session| {
        prefill(session, &prompt);
        let file = saved(session, model);
        session.rewind(0);
        assert!(file.len() > 3 * 65_536, "{} bytes", file.len());
        for at in (0..file.len()).step_by(1013).chain([65_531, 65_532, 65_535, 65_536]) {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << (at % 8);
            let result = restore(session, &damaged, model, &prompt);
            assert!(matches!(result, Err(RestoreError::Mismatch(_))), "byte {at}: {result:?}");
        }
        let mut swapped = file.clone();
        let (first, second) = swapped[65_536..].split_at_mut(65_536);
        first.swap_with_slice(&mut second[..65_536]);
        let result = restore(session, &swapped, model, &prompt);
        assert_eq!(result, Err(Mismatch::Checksum.into()));
        for length in [65_531, 65_532, 65_535, 65_536, 65_537, 131_072, file.len() - 1] {
            let result = restore(session, &file[..length], model, &prompt);
            assert_eq!(result, Err(Mismatch::Length.into()), "{length}");
        }
        assert_eq!(restore(session, &file, model, &prompt), Ok(899));
    });
}

/// A file with recurrent state that is damaged anywhere, or cut off, leaves no trace of what was
/// read.
#[test]
fn damaged_state_leaves_no_trace() {
    let models = architectures();
    let fixture = models.iter().find(|fixture| fixture.name == "qwen35_mtp").unwrap();
    let model = fingerprint(&fixture.file);
    let prompt: Vec<u32> = (0..40).map(|index| index * 3 % 300).collect();
    let setting =
        Setting { options: Options { context: 64, ..Options::default() }, ..Setting::PLAIN };
    with_session(fixture, &FlashWeights::new(&fixture.file), &setting, |session| {
        let expected = prefill(session, &prompt);
        let file = saved(session, model);
        session.rewind(0);
        for at in (0..file.len()).step_by(211) {
            let mut damaged = file.clone();
            damaged[at] ^= 1 << (at % 8);
            let result = restore(session, &damaged, model, &prompt);
            assert!(matches!(result, Err(RestoreError::Mismatch(_))), "byte {at}: {result:?}");
            assert!(restore(session, &file[..at], model, &prompt).is_err());
            assert_eq!(session.position(), 0);
        }
        assert_eq!(prefill(session, &prompt), expected);
    });
}

/// A source that fails after some bytes, as a card that is pulled out does.
struct Failing<'a>(Bytes<'a>, usize);

impl picolm_core::port::Source for Failing<'_> {
    type Error = &'static str;

    fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), Self::Error> {
        self.1 = self.1.checked_sub(into.len()).ok_or("pulled out")?;
        self.0.read(into).map_err(|_| "ended")
    }
}

#[test]
fn a_source_that_fails_anywhere_changes_nothing() {
    tiny(|session, model, file, expected| {
        for good in 0..file.len() {
            let mut source = Failing(Bytes(file), good);
            let result = session.restore(&mut source, fingerprint(model), &PROMPT);
            assert_eq!(result, Err(RestoreError::Source("pulled out")), "{good}");
            assert_eq!(session.position(), 0);
        }
        assert_eq!(prefill(session, &PROMPT), expected);
    });
}

/// Headers that lie, their checksums right: offset, bytes, reason.
#[test]
fn every_claim_is_checked() {
    use Mismatch::*;
    tiny(|session, model, file, expected| {
        let word = |number: u32| number.to_le_bytes();
        for (at, bytes, reason) in [
            (0, *b"GGUF", NotACache),
            (8, [1, 2, 3, 4], ByteOrder),
            (12, word(0), Version(0)),
            (12, word(1), Version(1)),
            (12, word(3), Version(3)),
            (16, word(0), Numerics),
            (20, word(1), Version(2)),
            (24, word(0), Model),
            (36, word(0), Rope),
            (40, word(0), Numerics),
            (48, word(8), KvType),
            (52, word(1), Dimensions),
            (56, word(4), Dimensions),
            (60, word(6), Dimensions),
            (64, word(u32::MAX), Dimensions),
            (68, word(0), NoPositions),
            (68, word(4), Length),
            (68, word(6), Length),
            (68, word(65), Context { positions: 65, context: 64 }),
            (68, word(u32::MAX), Context { positions: u32::MAX, context: 64 }),
            (72, word(1), Dimensions),
            (76, word(1), Dimensions),
            (80, word(1), Marks),
            (84, word(0), Length),
            (88, word(1), Length),
            (92, word(12), Token(12)),
            (108, word(u32::MAX), Token(u32::MAX)),
        ] {
            let mut lying = file.to_vec();
            lying[at..at + 4].copy_from_slice(&bytes);
            let error = refused(session, model, &with_checksums(lying), expected);
            assert_eq!(error, reason.into(), "at {at}");
            let line = error.to_string();
            assert!(line.len() < 80 && !line.contains('\n'), "{line}");
        }
        let same = with_checksums(file.to_vec());
        assert!(same == file, "the test's checksums are the engine's");
    });
}

impl core::fmt::Display for crate::file::Ended {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("ended")
    }
}

#[test]
fn what_is_no_cache_is_told_from_one_that_is_cut_off() {
    tiny(|session, model, file, expected| {
        for bytes in [&b"G"[..], b"PICOLMK!", b"notes that someone wants to keep"] {
            assert_eq!(refused(session, model, bytes, expected), Mismatch::NotACache.into());
        }
        for length in [0, 1, 7, 8] {
            let error = refused(session, model, &file[..length], expected);
            assert_eq!(error, RestoreError::from(Mismatch::Length));
        }
    });
}

/// A model that differs by a weight in the middle of a tensor, or by a key that changes no shape.
#[test]
fn another_model_is_another_model() {
    let plain = Tiny::new();
    let others = [
        plain.clone().poke("blk.1.attn_k.weight", 300, 0.25),
        plain.clone().poke("output.weight", 100, 0.25),
        plain.clone().f32("llama.rope.freq_base", 20_000.0),
        plain.clone().f32("llama.attention.layer_norm_rms_epsilon", 1e-6),
        plain.clone().string("general.name", "a sister"),
    ];
    let prints: Vec<_> = others.iter().map(|other| fingerprint(&other.bytes())).collect();
    tiny(|session, model, file, _| {
        for other in prints {
            assert_ne!(other, fingerprint(model));
            assert_eq!(restore(session, file, other, &PROMPT), Err(Mismatch::Model.into()));
        }
    });
}

/// Keys and values computed with f32 activations are other ones.
#[test]
fn other_rounding_is_refused() {
    let models = weight_types();
    let quantized = |fixture: &&Fixture| {
        fixture.gguf().tensors().any(|tensor| tensor.tensor_type.block_elements() > 1)
    };
    let fixture = models.iter().find(quantized).unwrap();
    let model = fingerprint(&fixture.file);
    let setting = |formats| Setting { formats, ..Setting::PLAIN };
    let flash = FlashWeights::new(&fixture.file);
    let file = with_session(fixture, &flash, &setting(portable::ALL), |session| {
        prefill(session, &PROMPT);
        saved(session, model)
    });
    let float = setting(portable::float_activations::FLOAT_ACTIVATIONS);
    with_session(fixture, &flash, &float, |session| {
        let result = restore(session, &file, model, &PROMPT);
        assert_eq!(result, Err(Mismatch::Numerics.into()));
    });
}

/// A model without some of its blocks computes other keys and values; with the same ones left out,
/// the same.
#[test]
fn other_layers_are_another_model() {
    let models = architectures();
    let fixture = models.iter().find(|fixture| fixture.name == "llama").unwrap();
    let model = fingerprint(&fixture.file);
    let flash = FlashWeights::new(&fixture.file);
    let without = |layer: u32, work: &mut dyn FnMut(&mut Session<'_>)| {
        let mut setting = Setting::PLAIN;
        setting.skipped.insert(layer).unwrap();
        with_session(fixture, &flash, &setting, |session| work(session));
    };
    let mut file = Vec::new();
    without(0, &mut |session| {
        prefill(session, &PROMPT);
        file = saved(session, model);
    });
    without(1, &mut |session| {
        assert_eq!(restore(session, &file, model, &PROMPT), Err(Mismatch::Model.into()));
    });
    without(0, &mut |session| assert_eq!(restore(session, &file, model, &PROMPT), Ok(6)));
}

#[test]
fn a_session_with_a_text_is_left_alone() {
    tiny(|session, model, file, _| {
        let before = prefill(session, &PROMPT);
        let result = restore(session, file, fingerprint(model), &PROMPT);
        assert_eq!(result, Err(Mismatch::InUse.into()));
        assert_eq!((session.position(), bits(session)), (7, before));
    });
}

/// The keys and values of a fixed text, on every machine. Where this fails because the engine
/// computes other bits now, raise `NUMERICS_VERSION` and put the new checksum here: files of the
/// old engine would change what the new one writes.
#[test]
fn other_bits_are_another_version_of_the_numerics() {
    let model = Tiny::new().bytes();
    let gguf = Gguf::parse(&model, model.len() as u64).unwrap();
    let layout = Layout::of(&gguf, &build(portable::ALL), LayerSet::EMPTY).unwrap();
    let options = Options { context: 64, ..Options::default() };
    let mut memory = vec![0; 1 << 20];
    let weights = FlashWeights::new(&model);
    let mut arena = Arena::new(&mut memory);
    let mut session = Session::new(&layout, &weights, &Serial, &options, &mut arena).unwrap();
    prefill(&mut session, &PROMPT);
    let file = saved(&mut session, fingerprint(&model));
    // Behind the header and seven tokens, before the checksum.
    let stored = &file[92 + 4 * PROMPT.len()..file.len() - 4];
    let found = (NUMERICS_VERSION, checksum(stored.iter().copied()));
    assert_eq!(found, (1, 855_536_903));
}
