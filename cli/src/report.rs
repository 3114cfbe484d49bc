//! The output on stderr: errors of one line, statistics, progress.

use crate::platform::console;
use core::fmt;
use std::io::Write;
use std::path::Path;

/// Why the program failed, in one line that says what to do.
// Boxed, because it is passed up through every call that may fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure(Box<(String, u8)>);

impl Failure {
    /// The command line is wrong.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::of(&message, 2)
    }

    /// Something is wrong with the file at `path`.
    pub(crate) fn about(path: &Path, error: impl fmt::Display) -> Self {
        Self::of(&format_args!("{}: {error}", path.display()), 1)
    }

    /// Anything else.
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self::of(&message, 1)
    }

    #[inline(never)]
    fn of(message: &dyn fmt::Display, exit_code: u8) -> Self {
        Self(Box::new((printable(&message.to_string()), exit_code)))
    }

    pub(crate) fn exit_code(&self) -> u8 {
        self.0.1
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.0)
    }
}

/// `text` without control characters: names come from files and arguments, and a line must stay
/// one line and no command to the terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Writes one line to stderr. That nobody reads it is no reason to fail.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// A span of work: how many tokens in how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) tokens: usize,
    /// Tokens that were evaluated in it: of a text written, the last one is not.
    pub(crate) evaluated: usize,
    pub(crate) duration_ns: u64,
}

impl Span {
    pub(crate) fn tokens_per_s(self) -> f64 {
        if self.duration_ns == 0 { 0.0 } else { self.evaluated as f64 / self.seconds() }
    }

    fn seconds(self) -> f64 {
        self.duration_ns as f64 * 1e-9
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tokens, evaluated, .. } = self;
        let plural = if *tokens == 1 { "" } else { "s" };
        write!(f, "{tokens} token{plural} in {} s", Fixed::<2>(self.seconds()))?;
        // A text of one token took no pass of its own.
        if *evaluated == 0 {
            return Ok(());
        }
        write!(f, " ({} tok/s)", Fixed::<2>(self.tokens_per_s()))
    }
}

/// A number from 0 on with `PLACES` decimal places, rounded: for statistics, which need none of the
/// care, nor of the kilobytes, that the standard library takes to write a float.
pub(crate) struct Fixed<const PLACES: u32>(pub(crate) f64);

impl<const PLACES: u32> fmt::Display for Fixed<PLACES> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = const { 10u64.pow(PLACES) };
        // What is below 0, or no number, becomes 0; what is beyond 2^64 stays there.
        let scaled = (self.0 * unit as f64 + 0.5) as u64;
        write!(f, "{}.{:0width$}", scaled / unit, scaled % unit, width = PLACES as usize)
    }
}

/// A count of bytes in the unit that suits it.
pub(crate) struct Bytes(pub(crate) u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..10_000 => write!(f, "{} B", self.0),
            10_000..1_000_000 => write!(f, "{} kB", Fixed::<1>(bytes / 1e3)),
            1_000_000..1_000_000_000 => write!(f, "{} MB", Fixed::<2>(bytes / 1e6)),
            _ => write!(f, "{} GB", Fixed::<2>(bytes / 1e9)),
        }
    }
}

/// A bar on stderr that is drawn over and wiped when done; nothing where no one watches.
pub(crate) struct Progress {
    label: &'static str,
    total: usize,
    shown: bool,
    /// The bar's last state, to draw only what changed.
    last_percent: Option<usize>,
}

impl Progress {
    pub(crate) fn new(label: &'static str, total: usize, quiet: bool) -> Self {
        let shown = !quiet && console::stderr_is_terminal();
        Self { label, total, shown, last_percent: None }
    }

    /// `done` of the total are done.
    pub(crate) fn update(&mut self, done: usize) {
        let percent = done.saturating_mul(100) / self.total.max(1);
        if !self.shown || self.last_percent == Some(percent) {
            return;
        }
        self.last_percent = Some(percent);
        let filled = (percent / 5).min(20);
        let (label, total) = (self.label, self.total);
        let mut stderr = std::io::stderr().lock();
        let _ = write!(stderr, "\r{label} [{:<20}] {done}/{total}", "#".repeat(filled));
        let _ = stderr.flush();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.last_percent.is_some() {
            // Erase the line: carriage return, then the control sequence EL.
            let _ = write!(std::io::stderr().lock(), "\r\x1b[K");
        }
    }
}

/// `text` as a JSON string, quotes included.
pub(crate) fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for c in text.chars() {
        match c {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            c if c.is_control() => json.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => json.push(c),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line() {
        let failure = Failure::new("a\nb\x1b[2J");
        assert_eq!(failure.to_string(), "a?b?[2J");
        assert_eq!((failure.exit_code(), Failure::usage("x").exit_code()), (1, 2));
    }

    #[test]
    fn statistics_have_picolms_form() {
        let span = Span { tokens: 12, evaluated: 12, duration_ns: 1_500_000_000 };
        assert_eq!(span.to_string(), "12 tokens in 1.50 s (8.00 tok/s)");
        let nothing = Span { tokens: 0, evaluated: 0, duration_ns: 0 };
        assert_eq!(nothing.to_string(), "0 tokens in 0.00 s");
        let one = Span { tokens: 1, evaluated: 0, duration_ns: 10_000_000 };
        assert_eq!(one.to_string(), "1 token in 0.01 s");
    }

    #[test]
    fn bytes_have_the_unit_that_suits_them() {
        for (bytes, text) in [
            (0, "0 B"),
            (9_999, "9999 B"),
            (12_345, "12.3 kB"),
            (1_048_576, "1.05 MB"),
            (4_300_000_000, "4.30 GB"),
        ] {
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }

    /// RFC 8259, section 7: quote, backslash and control characters must be escaped.
    #[test]
    fn json_strings_escape_what_must_be_escaped() {
        let all_controls: String = (0..0x20).map(char::from).collect();
        let json = json_string(&all_controls);
        assert!(!json.chars().any(char::is_control));
        assert!(json.contains("\\u0000") && json.contains("\\u001f") && json.contains("\\n"));
        assert_eq!(json_string("a\"b\\c\u{7f}é"), "\"a\\\"b\\\\c\\u007fé\"");
    }
}
