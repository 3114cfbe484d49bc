//! Who reads a text as it is written.

use core::ops::ControlFlow;

/// Who reads the text as it is written.
pub trait Output {
    /// Bytes that follow on those before. By [`Self::token_done`] they are whole UTF-8 characters,
    /// as long as the model writes such; one call may have a part of one.
    fn text(&mut self, bytes: &[u8]);

    /// The beginning of a character that the end of the text cuts. Who writes on, and joins the
    /// texts, needs it; who shows a text as a whole leaves it out, for it is not UTF-8.
    fn unfinished(&mut self, bytes: &[u8]) {
        self.text(bytes);
    }

    /// A token is complete: the place to flush, and to say whether to go on.
    fn token_done(&mut self) -> ControlFlow<()>;

    /// Called once after the last bytes have been shown. Unlike with [`Self::token_done`], there is
    /// nothing to decide.
    fn ended(&mut self) {
        let _ = self.token_done();
    }

    /// The context was full, and of the tokens that stay `done` of `total` were evaluated again:
    /// the place for a progress bar, and to say whether to go on.
    fn shifting(&mut self, done: usize, total: usize) -> ControlFlow<()> {
        let _ = (done, total);
        ControlFlow::Continue(())
    }
}
