//! A valid file, changed at random: whatever comes of it, nothing panics, and what is accepted
//! keeps the promises of a parse.

use picolm_core::gguf::Gguf;
use proptest::prelude::*;

use crate::writer::{File, exercise};

#[derive(Clone, Debug)]
enum Change {
    Set { at: prop::sample::Index, byte: u8 },
    Number { at: prop::sample::Index, number: u64, bytes: usize },
    Remove { at: prop::sample::Index, bytes: usize },
    Repeat { at: prop::sample::Index, bytes: usize },
    Truncate { at: prop::sample::Index },
}

/// Numbers at which arithmetic turns over, and small ones, which are plausible.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0..20u64,
        (0..64u32, -2..=2i64).prop_map(|(bit, near)| (1u64 << bit).wrapping_add_signed(near)),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set { at, byte }),
        (at(), number(), prop::sample::select(vec![1, 2, 4, 8]))
            .prop_map(|(at, number, bytes)| Change::Number { at, number, bytes }),
        (at(), 1..40usize).prop_map(|(at, bytes)| Change::Remove { at, bytes }),
        (at(), 1..200usize).prop_map(|(at, bytes)| Change::Repeat { at, bytes }),
        at().prop_map(|at| Change::Truncate { at }),
    ]
}

fn apply(file: &mut Vec<u8>, change: &Change) {
    if file.is_empty() {
        return;
    }
    let len = file.len();
    match *change {
        Change::Set { at, byte } => file[at.index(len)] = byte,
        Change::Number { at, number, bytes } => {
            let at = at.index(len);
            let end = (at + bytes).min(len);
            file[at..end].copy_from_slice(&number.to_le_bytes()[..end - at]);
        }
        Change::Remove { at, bytes } => {
            let at = at.index(len);
            file.drain(at..(at + bytes).min(len));
        }
        Change::Repeat { at, bytes } => {
            let at = at.index(len);
            let copy = file[at..(at + bytes).min(len)].to_vec();
            file.splice(at..at, copy);
        }
        Change::Truncate { at } => file.truncate(at.index(len)),
    }
}

fn survive(file: &[u8]) {
    if let Ok(gguf) = Gguf::parse(file, file.len() as u64) {
        exercise(&gguf);
    }
    // As if the file went on beyond what was read of it.
    if let Ok(gguf) = Gguf::parse(file, u64::MAX) {
        exercise(&gguf);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 20_000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn changed_files_never_panic(changes in prop::collection::vec(change(), 1..6)) {
        let mut file = File::valid().bytes();
        for change in &changes {
            apply(&mut file, change);
        }
        survive(&file);
    }

    #[test]
    fn noise_behind_a_good_head_never_panics(noise in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut file = File::valid().bytes();
        file.truncate(24);
        file.extend(noise);
        survive(&file);
    }
}

#[test]
fn every_byte_with_every_telling_value() {
    let valid = File::valid().bytes();
    for at in 0..valid.len() {
        for byte in [0, 1, 2, 7, 8, 9, 12, 13, 0x7f, 0x80, 0xff] {
            let mut file = valid.clone();
            file[at] = byte;
            survive(&file);
        }
    }
}
