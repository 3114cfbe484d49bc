//! The options of the sampler, under the names that llama.cpp's programs have for them.

use super::options::Options;
use crate::report::{self, Failure};
use picolm_core::sampler::{Dry, Mirostat, Penalties, SamplerOptions, mask_words};
use picolm_core::tokenizer::Tokenizer;

/// What `--help` says of them.
pub(crate) const HELP: &str = "\
sampling, in this order (each is off unless it is given):
      --logit-bias ID+N    add N to the score of token ID; ID-N takes off, ID-inf forbids
      --repeat-penalty R   divide the scores of recent tokens               [1]
      --frequency-penalty N, --presence-penalty N
                           take N off them, for each time or once           [0]
      --repeat-last-n N    tokens that count as recent; -1: all             [64]
      --dry-multiplier N   penalty on going on as a passage that came before
      --dry-base N [1.75], --dry-allowed-length N [2], --dry-penalty-last-n N [64]
      --dry-sequence-breaker TEXT
                           nothing across it is a repetition; several; none for none
                           [newline : \" *]
      --top-k N            keep the N likeliest tokens
      --typical P          keep the tokens nearest to the expected surprise
      --min-p P            keep tokens at least P times as likely as the likeliest
      --xtc-probability P, --xtc-threshold P [0.1]
                           now and then leave out the likeliest tokens
      --dynatemp-range N, --dynatemp-exp N [1]
                           temperature from T-N to T+N, by how sure the model is
      --mirostat 2, --mirostat-ent N [5], --mirostat-lr N [0.1]
                           steer the surprise, in place of --top-k to --xtc
";

/// Texts across which DRY counts nothing as repeated, where none are given: llama.cpp's.
const BREAKERS: [&[u8]; 4] = [b"\n", b":", b"\"", b"*"];

/// How to choose tokens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sampling {
    options: SamplerOptions<'static>,
    mirostat: Mirostat,
    bias: Vec<(u32, f32)>,
    /// `None` for [`BREAKERS`].
    breakers: Option<Vec<Vec<u8>>>,
}

impl Default for Sampling {
    fn default() -> Self {
        let options =
            SamplerOptions { temperature: 0.8, top_p: 0.9, seed: 42, ..SamplerOptions::NEUTRAL };
        Self { options, mirostat: Mirostat::default(), bias: Vec::new(), breakers: None }
    }
}

impl Sampling {
    /// Takes the value of `option` where it is one of the sampler's; says whether it was.
    pub(super) fn take(&mut self, option: &str, given: &mut Options) -> Result<bool, Failure> {
        const FROM_0: &str = "a number from 0 on";
        const SHARE: &str = "a number from 0 to 1";
        let from_0 = |x: f32| x >= 0.0;
        let share = |x: f32| (0.0..=1.0).contains(&x);
        let Self { options, mirostat, .. } = self;
        let (penalties, dry) = (&mut options.penalties, &mut options.dry);
        let (xtc, dynamic) = (&mut options.xtc, &mut options.dynamic);
        let (place, wanted, good): (&mut f32, &str, fn(f32) -> bool) = match option {
            "-t" | "--temperature" => (&mut options.temperature, FROM_0, from_0),
            "-k" | "--top-p" => {
                (&mut options.top_p, "a number above 0 and at most 1", |p| p > 0.0 && p <= 1.0)
            }
            "--typical" => (&mut options.typical_p, SHARE, share),
            "--min-p" => (&mut options.min_p, SHARE, share),
            "--repeat-penalty" => (&mut penalties.repeat, "a number above 0", |r| r > 0.0),
            "--frequency-penalty" => (&mut penalties.frequency, "a number", |_| true),
            "--presence-penalty" => (&mut penalties.presence, "a number", |_| true),
            "--dry-multiplier" => (&mut dry.multiplier, FROM_0, from_0),
            "--dry-base" => (&mut dry.base, "a number from 1 on", |base| base >= 1.0),
            "--xtc-probability" => (&mut xtc.probability, SHARE, share),
            "--xtc-threshold" => (&mut xtc.threshold, SHARE, share),
            "--dynatemp-range" => (&mut dynamic.range, FROM_0, from_0),
            "--dynatemp-exp" => (&mut dynamic.exponent, FROM_0, from_0),
            "--mirostat-ent" => (&mut mirostat.tau, FROM_0, from_0),
            "--mirostat-lr" => (&mut mirostat.eta, FROM_0, from_0),
            _ => return self.take_other(option, given),
        };
        *place = given.number(option, wanted, good)?;
        Ok(true)
    }

    /// [`Self::take`] of what is no fraction.
    fn take_other(&mut self, option: &str, given: &mut Options) -> Result<bool, Failure> {
        let options = &mut self.options;
        match option {
            "-s" | "--seed" => options.seed = given.integer(option, 0)?,
            "--top-k" => options.top_k = given.integer(option, 0)?,
            "--repeat-last-n" => options.penalties.last = last_tokens(option, given)?,
            "--dry-penalty-last-n" => options.dry.last = last_tokens(option, given)?,
            "--dry-allowed-length" => options.dry.allowed_length = given.integer(option, 0)?,
            "--dry-sequence-breaker" => {
                let text = given.bytes(option)?;
                let breakers = self.breakers.get_or_insert_default();
                match &text[..] {
                    b"none" => breakers.clear(),
                    b"" => return Err(Failure::usage(format!("{option}: the text is empty"))),
                    _ => breakers.push(text),
                }
            }
            "--mirostat" => match given.integer(option, 0u32)? {
                0 => options.mirostat = None,
                2 => options.mirostat = Some(self.mirostat),
                other => {
                    let message = format!("{option}: '{other}' is not 2 (or 0 for off)");
                    return Err(Failure::usage(message));
                }
            },
            "-l" | "--logit-bias" => self.bias.push(bias(option, given)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The sampler's options for a text of at most `context` tokens, of which it need not look back
    /// on more; `breakers` are what [`Self::breaker_bits`] says.
    pub(crate) fn options<'a>(&'a self, breakers: &'a [u32], context: u32) -> SamplerOptions<'a> {
        let Penalties { last, .. } = self.options.penalties;
        SamplerOptions {
            bias: &self.bias,
            penalties: Penalties { last: last.min(context), ..self.options.penalties },
            dry: Dry { breakers, last: self.options.dry.last.min(context), ..self.options.dry },
            mirostat: self.options.mirostat.map(|_| self.mirostat),
            ..self.options
        }
    }

    /// The tokens that hold a breaker's text, as bits; empty where DRY is off. A text that was
    /// given and that no token holds is an error: it would break nothing.
    pub(crate) fn breaker_bits(&self, tokenizer: &Tokenizer<'_>) -> Result<Vec<u32>, Failure> {
        if self.options.dry.multiplier == 0.0 {
            return Ok(Vec::new());
        }
        let breakers: Vec<&[u8]> = match &self.breakers {
            None => BREAKERS.to_vec(),
            Some(given) => given.iter().map(Vec::as_slice).collect(),
        };
        let mut bits = vec![0; mask_words(tokenizer.vocabulary_len() as usize)];
        let mut held = vec![false; breakers.len()];
        let mut text = Vec::new();
        for token in 0..tokenizer.vocabulary_len() {
            text.clear();
            text.extend(tokenizer.piece(token));
            for (breaker, held) in breakers.iter().zip(&mut held) {
                if text.windows(breaker.len()).any(|part| part == *breaker) {
                    *held = true;
                    bits[token as usize / 32] |= 1 << (token % 32);
                }
            }
        }
        let unheld = breakers.iter().zip(held).find(|(_, held)| !held && self.breakers.is_some());
        match unheld {
            Some((text, _)) => Err(Failure::usage(format!(
                "--dry-sequence-breaker: no token holds '{}'",
                report::printable(&String::from_utf8_lossy(text))
            ))),
            None => Ok(bits),
        }
    }

    /// Refuses a bias on what is no token.
    pub(crate) fn check_bias(&self, n_vocab: u32) -> Result<(), Failure> {
        match self.bias.iter().find(|(token, _)| *token >= n_vocab) {
            Some((token, _)) => Err(Failure::usage(format!(
                "--logit-bias: there is no token {token}: the model has {n_vocab}"
            ))),
            None => Ok(()),
        }
    }
}

/// How many tokens to look back on: -1 for all.
fn last_tokens(option: &str, given: &mut Options) -> Result<u32, Failure> {
    match given.integer(option, -1i64)? {
        -1 => Ok(u32::MAX),
        tokens => Ok(u32::try_from(tokens).unwrap_or(u32::MAX)),
    }
}

/// A token's id and what is added to its score: `15043+1.5`, `2-inf`.
fn bias(option: &str, given: &mut Options) -> Result<(u32, f32), Failure> {
    given.parsed(option, "not like 29889+1 or 2-inf", |text| {
        let (token, amount) = text.split_at(text.find(['+', '-'])?);
        let amount = amount.parse().ok().filter(|amount| *amount < f32::INFINITY)?;
        Some((token.parse().ok()?, amount))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Command, parse};
    use super::*;
    use std::ffi::OsString;

    fn sampling(line: &str) -> Result<Sampling, Failure> {
        parse(line.split_whitespace().map(OsString::from)).map(|command| match command {
            Command::Run(run) => run.sampling,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn options_reach_the_sampler() {
        let given = sampling("m").unwrap();
        let options = given.options(&[], 2048);
        assert_eq!((options.temperature, options.top_p, options.seed), (0.8, 0.9, 42));
        let neutral =
            SamplerOptions { temperature: 0.8, top_p: 0.9, seed: 42, ..Default::default() };
        assert_eq!(options, neutral);
        let given = sampling(
            "m --top-k 40 --min-p 0.05 --typical 0.9 --repeat-penalty 1.1 --repeat-last-n 32 \
             --presence-penalty -0.5 --frequency-penalty 0.25 --dry-multiplier 0.8 --dry-base 2 \
             --dry-allowed-length 3 --dry-penalty-last-n 100 --xtc-probability 0.5 \
             --xtc-threshold 0.2 --dynatemp-range 0.3 --dynatemp-exp 2 --logit-bias 5+1.5 -l 7-inf",
        )
        .unwrap();
        let options = given.options(&[9], 2048);
        let penalties = Penalties { last: 32, repeat: 1.1, frequency: 0.25, presence: -0.5 };
        assert_eq!((options.top_k, options.penalties), (40, penalties));
        assert_eq!((options.min_p, options.typical_p), (0.05, 0.9));
        let dry = Dry { multiplier: 0.8, base: 2.0, allowed_length: 3, last: 100, breakers: &[9] };
        assert_eq!(options.dry, dry);
        assert_eq!((options.xtc.probability, options.xtc.threshold), (0.5, 0.2));
        assert_eq!((options.dynamic.range, options.dynamic.exponent), (0.3, 2.0));
        assert_eq!(options.bias, [(5, 1.5), (7, f32::NEG_INFINITY)]);
        assert_eq!(options.mirostat, None);
        let given = sampling("m --mirostat 2 --mirostat-ent 4 --mirostat-lr 0.2").unwrap();
        assert_eq!(given.options(&[], 2048).mirostat, Some(Mirostat { tau: 4.0, eta: 0.2 }));
    }

    #[test]
    fn bad_values_are_usage_errors_that_name_the_option() {
        for (line, start) in [
            ("m --top-k x", "--top-k: 'x'"),
            ("m --min-p 1.5", "--min-p: '1.5'"),
            ("m --typical -1", "--typical: '-1'"),
            ("m --repeat-penalty 0", "--repeat-penalty: '0'"),
            ("m --presence-penalty nan", "--presence-penalty: 'nan'"),
            ("m --dry-base 0.5", "--dry-base: '0.5'"),
            ("m --mirostat 1", "--mirostat: '1'"),
            ("m --logit-bias 5", "--logit-bias: '5'"),
            ("m --logit-bias 5+inf", "--logit-bias: '5+inf'"),
            ("m --logit-bias x+1", "--logit-bias: 'x+1'"),
            ("m --logit-bias 5+nan", "--logit-bias: '5+nan'"),
            ("m --xtc-threshold 2", "--xtc-threshold: '2'"),
        ] {
            let failure = sampling(line).unwrap_err();
            assert_eq!(failure.exit_code(), 2, "{line}");
            assert!(failure.to_string().starts_with(start), "{line}: {failure}");
        }
    }
}
