//! Bodies of requests: what they may hold, and within which limits.
//!
//! Fields and meanings are those of OpenAI's API, with llama-server's names for what that does not
//! have. Unknown fields are ignored, as every server does; known ones with values that cannot be
//! are refused.

use super::error::ApiError;
use picolm_core::sampler::{Penalties, SamplerOptions};
use picolm_core::session::MAX_STOP_TEXT_BYTES;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Most texts that end an answer, and most tokens with a bias.
const MAX_STOP_TEXTS: usize = 16;
const MAX_BIASES: usize = 1024;

/// Most alternatives that are reported of a token.
const MAX_TOP_LOGPROBS: u32 = 20;

/// Where a request does not say: what `picolm MODEL` does. OpenAI's 1 and 1 are for larger models.
const TEMPERATURE: f32 = 0.8;
const TOP_P: f32 = 0.9;

/// Reads a body.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // An array would be taken for the fields in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::invalid("the body is no JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| {
        ApiError::invalid(format_args!("the body is not what it must be: {error}"))
    })
}

/// A request for a text: `/v1/chat/completions` and `/v1/completions`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Generate {
    pub(super) messages: Option<Vec<Value>>,
    pub(super) prompt: Option<Prompt>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    n: Option<u32>,
    pub(super) stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    stop: Option<OneOrMore>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<u32>,
    min_p: Option<f32>,
    presence_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    repeat_penalty: Option<f32>,
    seed: Option<i64>,
    logprobs: Option<Logprobs>,
    top_logprobs: Option<u32>,
    logit_bias: Option<BTreeMap<String, f32>>,
    pub(super) response_format: Option<ResponseFormat>,
    pub(super) tools: Option<Vec<Value>>,
    pub(super) tool_choice: Option<Value>,
    pub(super) parallel_tool_calls: Option<bool>,
    enable_thinking: Option<bool>,
    chat_template_kwargs: Option<TemplateArguments>,
}

/// What a text begins with.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Prompt {
    Text(String),
    Tokens(Vec<u32>),
    Texts(Vec<String>),
    TokenLists(Vec<Vec<u32>>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct TemplateArguments {
    enable_thinking: Option<bool>,
}

/// Whether scores are reported: for a conversation yes or no, for a prompt how many.
#[derive(Deserialize)]
#[serde(untagged)]
enum Logprobs {
    Wanted(bool),
    Top(u32),
}

/// A form that the text must have.
#[derive(Deserialize)]
pub(super) struct ResponseFormat {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) json_schema: Option<JsonSchema>,
}

#[derive(Deserialize)]
pub(super) struct JsonSchema {
    #[serde(default)]
    pub(super) schema: Option<Box<RawValue>>,
    /// `false`: what of the schema cannot be held is left out.
    #[serde(default)]
    pub(super) strict: Option<bool>,
}

/// How tokens are chosen.
#[derive(Clone, Debug)]
pub(super) struct Sampling {
    temperature: f32,
    top_p: f32,
    top_k: u32,
    min_p: f32,
    penalties: Penalties,
    seed: u64,
    bias: Vec<(u32, f32)>,
}

impl Sampling {
    /// For a text of at most `max_tokens` tokens, all of which penalties look back on.
    pub(super) fn options(&self, max_tokens: u32) -> SamplerOptions<'_> {
        let Self { temperature, top_p, top_k, min_p, penalties, seed, bias } = self;
        SamplerOptions {
            bias,
            penalties: Penalties { last: max_tokens, ..*penalties },
            top_k: *top_k,
            top_p: *top_p,
            min_p: *min_p,
            temperature: *temperature,
            seed: *seed,
            ..SamplerOptions::NEUTRAL
        }
    }
}

impl Generate {
    /// Most tokens that are wanted.
    pub(super) fn max_tokens(&self) -> Result<Option<u32>, ApiError> {
        if self.n.is_some_and(|n| n != 1) {
            return Err(ApiError::unsupported("n", "one answer a request"));
        }
        match self.max_completion_tokens.or(self.max_tokens) {
            Some(0) => Err(ApiError::param("max_tokens", "an answer has at least 1 token")),
            wanted => Ok(wanted),
        }
    }

    /// Texts that end the answer.
    pub(super) fn stop(&self) -> Result<Vec<Vec<u8>>, ApiError> {
        let texts = match &self.stop {
            None => &[][..],
            Some(OneOrMore::One(text)) => core::slice::from_ref(text),
            Some(OneOrMore::More(texts)) => texts,
        };
        if texts.len() > MAX_STOP_TEXTS {
            let message = format_args!("at most {MAX_STOP_TEXTS} texts");
            return Err(ApiError::param("stop", message));
        }
        if texts.iter().any(|text| !(1..=MAX_STOP_TEXT_BYTES).contains(&text.len())) {
            let message = format_args!("a text has 1 to {MAX_STOP_TEXT_BYTES} bytes");
            return Err(ApiError::param("stop", message));
        }
        Ok(texts.iter().map(|text| text.clone().into_bytes()).collect())
    }

    /// How many alternatives of each token are reported; `None` where no scores are.
    pub(super) fn top_logprobs(&self) -> Result<Option<u32>, ApiError> {
        let top = match self.logprobs {
            Some(Logprobs::Wanted(true)) => Some(self.top_logprobs.unwrap_or(0)),
            Some(Logprobs::Top(top)) => Some(top),
            _ if self.top_logprobs.is_some_and(|top| top > 0) => {
                return Err(ApiError::param("top_logprobs", "goes with logprobs: true"));
            }
            _ => None,
        };
        match top {
            Some(top) if top > MAX_TOP_LOGPROBS => {
                let message = format_args!("from 0 to {MAX_TOP_LOGPROBS}");
                Err(ApiError::param("top_logprobs", message))
            }
            top => Ok(top),
        }
    }

    /// Whether the last chunk of a stream says how many tokens there were.
    pub(super) fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage == Some(true))
    }

    /// Whether the answer has a form that it must keep to.
    pub(super) fn is_constrained(&self) -> bool {
        self.response_format.as_ref().is_some_and(|format| format.kind != "text")
    }

    /// Whether the model is to think, where the request says so.
    pub(super) fn thinks(&self) -> Option<bool> {
        let arguments = self.chat_template_kwargs.as_ref();
        self.enable_thinking.or(arguments.and_then(|arguments| arguments.enable_thinking))
    }

    /// How tokens are chosen; `seed` where the request names none.
    pub(super) fn sampling(&self, n_vocab: u32, seed: u64) -> Result<Sampling, ApiError> {
        let within = |param, value: Option<f32>, least: f32, most: f32, default| match value {
            None => Ok(default),
            Some(value) if value >= least && value <= most => Ok(value),
            Some(_) => Err(ApiError::param(param, format_args!("from {least} to {most}"))),
        };
        let top_p = within("top_p", self.top_p, 0.0, 1.0, TOP_P)?;
        let penalties = Penalties {
            last: 0,
            repeat: within("repeat_penalty", self.repeat_penalty, 0.01, 10.0, 1.0)?,
            frequency: within("frequency_penalty", self.frequency_penalty, -2.0, 2.0, 0.0)?,
            presence: within("presence_penalty", self.presence_penalty, -2.0, 2.0, 0.0)?,
        };
        Ok(Sampling {
            temperature: within("temperature", self.temperature, 0.0, 2.0, TEMPERATURE)?,
            // The likeliest token alone, which is what a share of nothing means.
            top_p: if top_p > 0.0 { top_p } else { f32::MIN_POSITIVE },
            top_k: self.top_k.unwrap_or(0),
            min_p: within("min_p", self.min_p, 0.0, 1.0, 0.0)?,
            penalties,
            seed: self.seed.map_or(seed, i64::cast_unsigned),
            bias: self.bias(n_vocab)?,
        })
    }

    fn bias(&self, n_vocab: u32) -> Result<Vec<(u32, f32)>, ApiError> {
        let biases = self.logit_bias.iter().flatten();
        if self.logit_bias.as_ref().is_some_and(|biases| biases.len() > MAX_BIASES) {
            let message = format_args!("at most {MAX_BIASES} tokens");
            return Err(ApiError::param("logit_bias", message));
        }
        biases
            .map(|(token, &amount)| match token.parse() {
                Ok(id) if id < n_vocab && (-100.0..=100.0).contains(&amount) => {
                    // At the ends of the range, OpenAI's API forbids a token or takes no other.
                    Ok((id, if amount == -100.0 { f32::NEG_INFINITY } else { amount }))
                }
                _ => {
                    let message = format_args!(
                        "'{}': {amount} is not a token id below {n_vocab} and a number from -100 \
                         to 100",
                        token.get(..16).unwrap_or(token)
                    );
                    Err(ApiError::param("logit_bias", message))
                }
            })
            .collect()
    }
}

/// `/tokenize`.
#[derive(Deserialize)]
pub(super) struct Tokenize {
    pub(super) content: String,
    #[serde(default)]
    pub(super) add_special: bool,
    #[serde(default = "yes")]
    pub(super) parse_special: bool,
}

const fn yes() -> bool {
    true
}

/// `/detokenize`.
#[derive(Deserialize)]
pub(super) struct Detokenize {
    pub(super) tokens: Vec<u32>,
}

/// `/v1/embeddings`.
#[derive(Deserialize)]
pub(super) struct Embed {
    pub(super) input: Prompt,
    #[serde(default)]
    pub(super) encoding_format: Option<EncodingFormat>,
    #[serde(default)]
    pub(super) dimensions: Option<u32>,
}

/// How a vector is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum EncodingFormat {
    #[default]
    Float,
    Base64,
}

#[cfg(test)]
mod tests {
    use super::super::template::messages;
    use super::*;

    fn generate(json: &str) -> Result<Generate, ApiError> {
        parse(json.as_bytes())
    }

    /// Every check of a body, one after the other.
    fn refused(json: &str) -> String {
        let checked = generate(json).and_then(|body| {
            body.max_tokens()?;
            body.stop()?;
            body.top_logprobs()?;
            body.sampling(100, 0)?;
            let messages = body.messages.unwrap_or_default();
            messages::normalized(&messages).map(drop).map_err(ApiError::value)
        });
        let error = checked.expect_err(json);
        assert_eq!(error.status, 400, "{json}");
        String::from_utf8(error.json()).unwrap()
    }

    #[test]
    fn values_that_cannot_be_are_refused_and_named() {
        for (json, part) in [
            (r#"{"temperature":-1}"#, "temperature"),
            (r#"{"temperature":1e400}"#, "range"),
            (r#"{"temperature":1e39}"#, "temperature"),
            (r#"{"temperature":"hot"}"#, "f32"),
            (r#"{"top_p":2}"#, "top_p"),
            (r#"{"min_p":-0.5}"#, "min_p"),
            (r#"{"top_k":-1}"#, "u32"),
            (r#"{"max_tokens":-1}"#, "u32"),
            (r#"{"max_tokens":0}"#, "max_tokens"),
            (r#"{"max_tokens":9223372036854775808}"#, "u32"),
            (r#"{"n":1000000000}"#, "n:"),
            (r#"{"stop":[""]}"#, "stop"),
            (r#"{"stop":{}}"#, "OneOrMore"),
            (r#"{"logprobs":true,"top_logprobs":21}"#, "top_logprobs"),
            (r#"{"top_logprobs":1}"#, "top_logprobs"),
            (r#"{"logit_bias":{"100":1}}"#, "logit_bias"),
            (r#"{"logit_bias":{"-1":1}}"#, "logit_bias"),
            (r#"{"logit_bias":{"1":101}}"#, "logit_bias"),
            (r#"{"messages":[{"role":"king","content":"a"}]}"#, "role"),
            (r#"{"messages":[{"content":"a"}]}"#, "role"),
            (r#"{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#, "image_url"),
            (r#"{"messages":[{"role":"user","content":"\ud800"}]}"#, "hex escape"),
            (r#"{"n":1,"n":1}"#, "duplicate"),
            ("\u{feff}{}", "no JSON object"),
            ("", "no JSON object"),
            ("[]", "no JSON object"),
            ("{", "EOF"),
        ] {
            let message = refused(json);
            assert!(message.contains(part), "{json}: {message}");
        }
        assert!(parse::<Generate>(b"{\"prompt\":\"\xff\"}").is_err());
        let deep = format!(r#"{{"tools":{}"#, "[".repeat(100_000));
        assert!(generate(&deep).is_err());
        let digits = format!(r#"{{"seed":{}}}"#, "9".repeat(10_000));
        assert!(generate(&digits).is_err());
        let many = vec!["\"x\""; 100_000].join(",");
        assert!(refused(&format!(r#"{{"stop":[{many}]}}"#)).contains("at most"));
    }

    #[test]
    fn bodies_of_clients_are_read() {
        let body = generate(
            r#"{"model":"m","messages":[{"role":"system","content":"s"},
            {"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"1"}]}],
            "max_tokens":32768,"temperature":0.7,"stream":true,"seed":-1,"stop":"x","user":"u",
            "stream_options":{"include_usage":true},"logit_bias":{"5":-100,"6":2},
            "chat_template_kwargs":{"enable_thinking":false},"logprobs":true,"top_logprobs":3}"#,
        );
        let body = body.unwrap();
        assert_eq!(body.max_tokens().unwrap(), Some(32768));
        assert_eq!(body.stop().unwrap(), [b"x"]);
        assert_eq!((body.wants_usage(), body.thinks()), (true, Some(false)));
        assert_eq!(body.top_logprobs().unwrap(), Some(3));
        let sampling = body.sampling(100, 9).unwrap();
        assert_eq!(sampling.options(5).seed, u64::MAX);
        assert_eq!(sampling.bias, [(5, f32::NEG_INFINITY), (6, 2.0)]);
        assert_eq!(body.messages.unwrap().len(), 3);
        let empty = generate("{}").unwrap();
        assert_eq!(empty.sampling(100, 9).unwrap().options(5).seed, 9);
        assert_eq!(empty.sampling(100, 9).unwrap().options(5).temperature, 0.8);
        assert_eq!(empty.max_tokens().unwrap(), None);
    }
}
