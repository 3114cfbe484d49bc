//! Texts that end an answer and are not shown, wherever tokens begin and end.
//!
//! Text that a stop text could begin with is held back until it is known. What is held back is the
//! beginning of a stop text, so that no memory is needed to hold it.

use super::Output;
use core::ops::ControlFlow;

/// Most bytes of a stop text: a byte costs time in proportion to its square at worst.
pub const MAX_STOP_TEXT_BYTES: usize = 256;

/// Passes text on to `output` up to the first stop text.
pub struct StopTexts<'t, 'o> {
    texts: &'t [&'t [u8]],
    output: &'o mut dyn Output,
    /// Held back: the first bytes of this text, as many as these.
    held: (&'t [u8], usize),
    found: bool,
    /// Tokens so far, and those of them that were shown whole when last nothing was held back.
    tokens: u32,
    shown: u32,
}

impl<'t, 'o> StopTexts<'t, 'o> {
    /// Stops at any of `texts`, of which those that are empty or longer than
    /// [`MAX_STOP_TEXT_BYTES`] are none.
    pub fn new(texts: &'t [&'t [u8]], output: &'o mut dyn Output) -> Self {
        Self { texts, output, held: (&[], 0), found: false, tokens: 0, shown: 0 }
    }

    /// The text has ended: shows what was held back. Where a stop text was the reason, says how
    /// many tokens were shown whole before it began.
    pub fn finish(mut self) -> Option<u32> {
        if !self.found && self.held.1 > 0 {
            self.release();
            // The text has ended: whether to go on is no question any more.
            let _ = self.output.token_done();
        }
        self.found.then_some(self.shown)
    }

    /// Shows what was held back.
    fn release(&mut self) {
        let (text, bytes) = core::mem::take(&mut self.held);
        self.output.text(&text[..bytes]);
    }

    fn texts(&self) -> impl Iterator<Item = &'t [u8]> + use<'t> {
        self.texts.iter().copied().filter(|text| (1..=MAX_STOP_TEXT_BYTES).contains(&text.len()))
    }

    /// Takes one byte; shows what is no beginning of a stop text any more.
    fn push(&mut self, byte: u8) {
        let (text, bytes) = self.held;
        let seen = &text[..bytes];
        // Whether the bytes seen from `from` on, and this one, are the beginning of `text`.
        let begins = |text: &[u8], from: usize| {
            text.strip_prefix(&seen[from..]).is_some_and(|rest| rest.first() == Some(&byte))
        };
        for from in 0..=bytes {
            let Some(text) = self.texts().find(|text| begins(text, from)) else { continue };
            self.output.text(&seen[..from]);
            self.held = (text, bytes - from + 1);
            // A whole text may end here that is a later part of what is held.
            let whole = |from| {
                self.texts().any(|text| text.len() == bytes - from + 1 && begins(text, from))
            };
            if let Some(end) = (from..=bytes).find(|&from| whole(from)) {
                self.output.text(&seen[from..end]);
                self.found = true;
            }
            return;
        }
        self.output.text(seen);
        self.output.text(&[byte]);
        self.held = (&[], 0);
    }
}

impl Output for StopTexts<'_, '_> {
    fn text(&mut self, bytes: &[u8]) {
        if self.texts.is_empty() {
            return self.output.text(bytes);
        }
        for &byte in bytes {
            if !self.found {
                self.push(byte);
            }
        }
    }

    fn unfinished(&mut self, bytes: &[u8]) {
        if !self.found {
            self.release();
            self.output.unfinished(bytes);
        }
    }

    fn token_done(&mut self) -> ControlFlow<()> {
        self.tokens += 1;
        if !self.found && self.held.1 == 0 {
            self.shown = self.tokens;
        }
        let flow = self.output.token_done();
        if self.found { ControlFlow::Break(()) } else { flow }
    }

    fn ended(&mut self) {
        self.output.ended();
    }

    fn shifting(&mut self, done: usize, total: usize) -> ControlFlow<()> {
        self.output.shifting(done, total)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    #[derive(Default)]
    struct Shown(Vec<u8>);

    impl Output for Shown {
        fn text(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }

        fn token_done(&mut self) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }
    }

    /// What is shown of `tokens`, and whether a stop text has ended them.
    fn shown(stops: &[&[u8]], tokens: &[&[u8]]) -> (Vec<u8>, bool) {
        let mut output = Shown::default();
        let mut stop_texts = StopTexts::new(stops, &mut output);
        for token in tokens {
            stop_texts.text(token);
            if stop_texts.token_done().is_break() {
                break;
            }
        }
        let before = stop_texts.finish();
        if let Some(before) = before {
            assert!(output.0.starts_with(&tokens[..before as usize].concat()));
        }
        (output.0, before.is_some())
    }

    #[test]
    fn stop_texts_are_found_across_tokens_and_not_shown() {
        let end = [&b"END"[..]];
        assert_eq!(shown(&end, &[b"the E", b"N", b"D of"]), (b"the ".to_vec(), true));
        assert_eq!(shown(&end, &[b"the E", b"NE", b"ND of"]), (b"the EN".to_vec(), true));
        assert_eq!(shown(&end, &[b"the E", b"N"]), (b"the EN".to_vec(), false));
        assert_eq!(shown(&end, &[b"EEEND"]), (b"EE".to_vec(), true));
        let two = [&b"abcd"[..], b"bc"];
        assert_eq!(shown(&two, &[b"xabcd"]), (b"xa".to_vec(), true));
        assert_eq!(shown(&two, &[b"xab", b"d"]), (b"xabd".to_vec(), false));
        let mut output = Shown::default();
        let mut stop_texts = StopTexts::new(&end, &mut output);
        for token in [&b"a"[..], b"E", b"x", b"bE", b"N", b"D"] {
            stop_texts.text(token);
            let _ = stop_texts.token_done();
        }
        assert_eq!(stop_texts.finish(), Some(3));
        assert_eq!(shown(&[b""], &[b"abc"]), (b"abc".to_vec(), false));
        assert_eq!(shown(&[], &[b"abc"]), (b"abc".to_vec(), false));
        assert_eq!(shown(&[&[b'a'; 257]], &[&[b'a'; 300]]), (std::vec![b'a'; 300], false));
    }

    proptest! {
        /// The definition: the text up to where the stop text that ends first begins; of those
        /// that end at the same place, the longest.
        #[test]
        fn what_is_shown_is_what_searching_finds(
            stops in proptest::collection::vec(proptest::collection::vec(0u8..2, 1..6), 0..4),
            tokens in proptest::collection::vec(proptest::collection::vec(0u8..2, 0..5), 0..12),
        ) {
            let stops: Vec<&[u8]> = stops.iter().map(Vec::as_slice).collect();
            let text = tokens.concat();
            let end = (1..=text.len()).find_map(|end| {
                let ending = stops.iter().filter(|stop| text[..end].ends_with(stop));
                ending.map(|stop| end - stop.len()).min()
            });
            let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
            let expected = text[..end.unwrap_or(text.len())].to_vec();
            prop_assert_eq!(shown(&stops, &tokens), (expected, end.is_some()));
        }
    }
}
