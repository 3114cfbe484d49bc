//! What `picolm bench` has measured, as a table for people and as JSON for programs.

use crate::report::{Bytes, json_string, printable};
use core::fmt::{self, Display, Write};

/// The same thing measured several times; a rate, per second. Maybe never.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples(Vec<f64>);

impl Samples {
    pub(super) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The middle value, or the mean of the two in the middle.
    fn median(&self) -> Option<f64> {
        let mut values = self.0.clone();
        values.sort_by(f64::total_cmp);
        let half = values.len() / 2;
        let upper = *values.get(half)?;
        Some(if values.len() % 2 == 1 { upper } else { (values[half - 1] + upper) / 2.0 })
    }

    fn least(&self) -> Option<f64> {
        self.0.iter().copied().min_by(f64::total_cmp)
    }

    fn most(&self) -> Option<f64> {
        self.0.iter().copied().max_by(f64::total_cmp)
    }
}

/// The samples as a JSON array.
impl Display for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<_> = self.0.iter().map(|value| format!("{value:.3}")).collect();
        write!(f, "[{}]", values.join(", "))
    }
}

/// A number in JSON that may be missing.
struct Maybe(Option<f64>);

impl Display for Maybe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(value) => write!(f, "{value:.3}"),
            None => f.write_str("null"),
        }
    }
}

/// What was measured, with which settings.
pub(super) struct Measured {
    pub(super) model: String,
    pub(super) threads: usize,
    pub(super) context: u32,
    pub(super) prompt_tokens: u32,
    pub(super) generated_tokens: u32,
    pub(super) depth: u32,
    pub(super) repetitions: u32,
    pub(super) memory_bytes: u64,
    pub(super) start_tokens: u32,
    /// From the command's start to the logits after the prompt of `start_tokens`.
    pub(super) start_to_first_token_ns: u64,
    /// Weights, keys and values that decoding a token reads, the mean over the tokens.
    pub(super) bytes_per_token: f64,
    /// Tokens.
    pub(super) prefill: Samples,
    /// Tokens.
    pub(super) decode: Samples,
    /// Bytes of the file.
    pub(super) read: Samples,
}

impl Measured {
    /// Bytes per second that decoding reads.
    fn decode_bytes_per_s(&self) -> Option<f64> {
        self.decode.median().map(|tokens_per_s| tokens_per_s * self.bytes_per_token)
    }

    /// That as a part of what can be read.
    fn share(&self) -> Option<f64> {
        Some(self.decode_bytes_per_s()? / self.read.most()?)
    }

    pub(super) fn json(&self) -> String {
        let bytes_per_token = self.decode.median().map(|_| self.bytes_per_token);
        let mut json = format!(
            "{{\"model\": {}, \"threads\": {}, \"context\": {}, \"prompt_tokens\": {}, \
             \"generated_tokens\": {}, \"depth\": {}, \"repetitions\": {}, \"memory_bytes\": {}, ",
            json_string(&self.model),
            self.threads,
            self.context,
            self.prompt_tokens,
            self.generated_tokens,
            self.depth,
            self.repetitions,
            self.memory_bytes,
        );
        let _ = writeln!(
            json,
            "\"start_tokens\": {}, \"start_to_first_token_s\": {:.6}, \
             \"prefill_tokens_per_s\": {}, \"prefill_samples\": {}, \
             \"decode_tokens_per_s\": {}, \"decode_samples\": {}, \
             \"decode_bytes_per_token\": {}, \"decode_bytes_per_s\": {}, \
             \"readable_bytes_per_s\": {}, \"readable_samples\": {}, \"readable_share\": {}}}",
            self.start_tokens,
            self.start_to_first_token_ns as f64 * 1e-9,
            Maybe(self.prefill.median()),
            self.prefill,
            Maybe(self.decode.median()),
            self.decode,
            Maybe(bytes_per_token),
            Maybe(self.decode_bytes_per_s()),
            Maybe(self.read.most()),
            self.read,
            Maybe(self.share()),
        );
        json
    }

    pub(super) fn text(&self) -> String {
        let Self { threads, repetitions, start_tokens, .. } = self;
        let mut text = printable(&self.model);
        let _ = writeln!(text, ", {threads} threads, {repetitions} repetitions");
        let _ = writeln!(text, "{:<24}{:>10}{:>10}{:>10}", "", "median", "least", "most");
        let mut row = |name: String, unit: f64, samples: &Samples| {
            let numbers = [samples.median(), samples.least(), samples.most()];
            let [Some(median), Some(least), Some(most)] = numbers.map(|n| n.map(|n| n / unit))
            else {
                return;
            };
            let _ = writeln!(text, "{name:<24}{median:>10.2}{least:>10.2}{most:>10.2}");
        };
        row(format!("prefill {}, tok/s", self.prompt_tokens), 1.0, &self.prefill);
        let at = if self.depth > 0 { format!(" at {}", self.depth) } else { String::new() };
        row(format!("decode {}{at}, tok/s", self.generated_tokens), 1.0, &self.decode);
        row("memory, GB/s".to_owned(), 1e9, &self.read);
        if let (Some(decode), Some(share)) = (self.decode_bytes_per_s(), self.share()) {
            let bytes = Bytes(self.bytes_per_token as u64);
            let _ = writeln!(
                text,
                "decode reads {bytes} a token: {:.2} GB/s, {:.0} % of the most that memory gave",
                decode / 1e9,
                share * 100.0,
            );
        }
        let milliseconds = self.start_to_first_token_ns as f64 * 1e-6;
        let _ = writeln!(text, "start to first token of {start_tokens}: {milliseconds:.1} ms");
        text
    }
}

/// Reading alone.
pub(super) struct Bandwidth {
    pub(super) model: String,
    pub(super) threads: usize,
    pub(super) repetitions: u32,
    pub(super) file_bytes: u64,
    /// Bytes of the file.
    pub(super) read: Samples,
}

impl Bandwidth {
    pub(super) fn json(&self) -> String {
        format!(
            "{{\"model\": {}, \"threads\": {}, \"repetitions\": {}, \"file_bytes\": {}, \
             \"readable_bytes_per_s\": {}, \"readable_samples\": {}}}\n",
            json_string(&self.model),
            self.threads,
            self.repetitions,
            self.file_bytes,
            Maybe(self.read.most()),
            self.read,
        )
    }

    pub(super) fn text(&self) -> String {
        let Self { threads, repetitions, .. } = self;
        let most = self.read.most().unwrap_or(0.0) / 1e9;
        let bytes = Bytes(self.file_bytes);
        format!("{threads} threads: {most:.2} GB/s (best of {repetitions}, {bytes})\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64]) -> Samples {
        Samples(values.to_vec())
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(samples(&[3.0, 1.0, 2.0]).median(), Some(2.0));
        assert_eq!(samples(&[4.0, 1.0, 3.0, 2.0]).median(), Some(2.5));
        assert_eq!(samples(&[7.0]).median(), Some(7.0));
        assert_eq!(samples(&[]).median(), None);
    }

    #[test]
    fn the_share_is_of_the_best_reading() {
        let mut measured = Measured {
            model: "a\nb".to_owned(),
            threads: 2,
            context: 64,
            prompt_tokens: 0,
            generated_tokens: 64,
            depth: 0,
            repetitions: 3,
            memory_bytes: 1,
            start_tokens: 5,
            start_to_first_token_ns: 12_345_678,
            bytes_per_token: 5e8,
            prefill: samples(&[]),
            decode: samples(&[9.0, 10.0, 12.0]),
            read: samples(&[8e9, 10e9, 9e9]),
        };
        assert_eq!((measured.decode_bytes_per_s(), measured.share()), (Some(5e9), Some(0.5)));
        let text = measured.text();
        assert!(text.contains("500.00 MB a token: 5.00 GB/s, 50 %"), "{text}");
        assert!(text.contains("of 5: 12.3 ms") && !text.contains("prefill"), "{text}");
        assert!(text.starts_with("a?b, 2 threads"), "{text}");
        let json = measured.json();
        assert!(json.contains("\"prefill_tokens_per_s\": null, \"prefill_samples\": []"), "{json}");
        assert!(json.contains("\"readable_share\": 0.500}"), "{json}");
        measured.decode = samples(&[]);
        assert!(measured.json().contains("\"readable_share\": null}"));
        assert!(!measured.text().contains("decode"));
    }
}
