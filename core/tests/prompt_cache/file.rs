//! A file in memory.

use core::convert::Infallible;
use picolm_core::port::{FlashWeights, Sink, Source};
use picolm_core::session::{Fingerprint, RestoreError, Session};

/// Bytes read from the front; asking for more than there are is a failure.
pub(crate) struct Bytes<'a>(pub(crate) &'a [u8]);

/// The bytes ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended;

impl Source for Bytes<'_> {
    type Error = Ended;

    fn bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), Ended> {
        let (now, later) = self.0.split_at_checked(into.len()).ok_or(Ended)?;
        into.copy_from_slice(now);
        self.0 = later;
        Ok(())
    }
}

/// Bytes that are kept.
pub(crate) struct Kept(pub(crate) Vec<u8>);

impl Sink for Kept {
    type Error = Infallible;

    fn write(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

pub(crate) fn fingerprint(model: &[u8]) -> Fingerprint {
    let gguf = picolm_core::gguf::Gguf::parse(model, model.len() as u64).unwrap();
    Fingerprint::of(&gguf, &FlashWeights::new(model)).unwrap()
}

/// The file of all that `session` has.
pub(crate) fn saved(session: &mut Session<'_>, model: Fingerprint) -> Vec<u8> {
    let mut kept = Kept(Vec::new());
    session.save(&mut kept, model, u32::MAX).unwrap();
    assert_eq!(kept.0.len() as u64, session.saved_bytes(session.position()));
    kept.0
}

pub(crate) fn restore(
    session: &mut Session<'_>,
    file: &[u8],
    model: Fingerprint,
    prompt: &[u32],
) -> Result<u32, RestoreError<Ended>> {
    session.restore(&mut Bytes(file), model, prompt)
}

/// `text` after all of it was evaluated without a cache.
pub(crate) fn prefill(session: &mut Session<'_>, text: &[u32]) -> Vec<u32> {
    session.prefill(text, &mut |_| true).unwrap();
    bits(session)
}

/// The logits, so that they compare bit for bit.
pub(crate) fn bits(session: &Session<'_>) -> Vec<u32> {
    assert!(!session.logits().is_empty());
    session.logits().iter().map(|logit| logit.to_bits()).collect()
}

/// Writes `count` tokens on, always the likeliest; returns them and the logits after each.
pub(crate) fn write_on(session: &mut Session<'_>, count: usize) -> (Vec<u32>, Vec<u32>) {
    let (mut tokens, mut all) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let logits = session.logits();
        let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
        session.decode(best as u32).unwrap();
        tokens.push(best as u32);
        all.extend(bits(session));
    }
    (tokens, all)
}

/// CRC-32C, a bit at a time.
pub(crate) fn checksum(bytes: impl IntoIterator<Item = u8>) -> u32 {
    !bytes.into_iter().fold(u32::MAX, |rest, byte| {
        (0..8).fold(rest ^ u32::from(byte), |rest, _| (rest >> 1) ^ (0x82f6_3b78 * (rest & 1)))
    })
}

/// The same file with its checksums made right again: what someone hostile would write.
pub(crate) fn with_checksums(mut file: Vec<u8>) -> Vec<u8> {
    let mut content = Vec::new();
    for frame in file.chunks_mut(65_536) {
        let (now, end) = frame.split_at_mut(frame.len() - 4);
        content.extend_from_slice(now);
        end.copy_from_slice(&checksum(content.iter().copied()).to_le_bytes());
    }
    file
}
