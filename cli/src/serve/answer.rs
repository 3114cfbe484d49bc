//! Answers in OpenAI's form: one JSON object, or a stream of them.

use super::error::ApiError;
use super::job::{Alternative, Event, Finish, Form, Scored};
use super::tools;
use serde::Serialize;
use std::collections::BTreeMap;

/// What all answers of a request say of themselves.
pub(super) struct About {
    pub(super) id: String,
    /// Seconds since 1970.
    pub(super) created: u64,
    pub(super) model: String,
    pub(super) form: Form,
}

/// Numbers of tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) prompt: u32,
    pub(super) cached: u32,
    pub(super) written: u32,
}

/// An answer in progress.
pub(super) struct Answer {
    about: About,
    pub(super) counts: Counts,
    text: String,
    reasoning: String,
    calls: Vec<Call>,
    scored: Vec<Scored>,
    /// Bytes of text that are sent.
    offset: usize,
    has_begun: bool,
}

/// What an event means for an answer.
pub(super) enum Step {
    /// Nothing to send yet.
    Nothing,
    /// A part of a stream.
    Part(Vec<u8>),
    /// The end: the whole answer, or the last part of the stream.
    End(Result<Vec<u8>, ApiError>),
}

#[derive(Serialize)]
struct Outer<'a, C> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [C],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
    prompt_tokens_details: PromptDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u32,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    logprobs: Option<Logprobs>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Message<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<&'a [Call]>,
}

/// A call of a tool, or more of one.
#[derive(Default, Serialize)]
struct Call {
    /// In streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "type")]
    kind: Option<&'static str>,
    function: Function,
}

#[derive(Default, Serialize)]
struct Function {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    arguments: String,
}

impl Call {
    fn begun(index: Option<usize>, id: String, name: String) -> Self {
        let function = Function { name: Some(name), arguments: String::new() };
        Self { index, id: Some(id), kind: Some("function"), function }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Logprobs {
    Chat {
        content: Vec<Token>,
    },
    Completion {
        tokens: Vec<String>,
        token_logprobs: Vec<f32>,
        top_logprobs: Vec<BTreeMap<String, f32>>,
        text_offset: Vec<usize>,
    },
}

#[derive(Serialize)]
struct Token {
    token: String,
    logprob: f32,
    bytes: Vec<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<Vec<Token>>,
}

impl Token {
    fn new(alternative: Alternative, top: Option<Vec<Alternative>>) -> Self {
        let Alternative { bytes, logprob } = alternative;
        let top = top.map(|top| top.into_iter().map(|other| Self::new(other, None)).collect());
        Self { token: lossy(&bytes), logprob, bytes, top_logprobs: top }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Answer {
    pub(super) fn new(about: About) -> Self {
        Self {
            about,
            counts: Counts::default(),
            text: String::new(),
            reasoning: String::new(),
            calls: Vec::new(),
            scored: Vec::new(),
            offset: 0,
            has_begun: false,
        }
    }

    /// Whether the answer is a stream.
    pub(super) fn streams(&self) -> bool {
        matches!(self.about.form, Form::Text { streams: true, .. })
    }

    fn is_chat(&self) -> bool {
        matches!(self.about.form, Form::Text { is_chat: true, .. })
    }

    /// What follows from `event`.
    pub(super) fn take(&mut self, event: Event) -> Step {
        match event {
            Event::Understood(_) => Step::Nothing,
            Event::Answer(json) => Step::End(Ok(json)),
            Event::Failed(error) => self.failed(error),
            Event::Read { prompt_tokens, cached_tokens } => {
                self.counts = Counts { prompt: prompt_tokens, cached: cached_tokens, written: 0 };
                match self.streams() {
                    true => self.parts(vec![tools::Event::Content(String::new())], Vec::new()),
                    false => Step::Nothing,
                }
            }
            Event::Text { mut said, tokens, scored } => {
                self.counts.written += tokens;
                if self.streams() {
                    // Scores of text that is held back go in a part of their own.
                    if said.is_empty() && !scored.is_empty() {
                        said.push(tools::Event::Content(String::new()));
                    }
                    return self.parts(said, scored);
                }
                said.into_iter().for_each(|said| self.keep(said));
                self.scored.extend(scored);
                Step::Nothing
            }
            Event::Ended(finish) if self.streams() => Step::End(self.last_part(finish)),
            Event::Ended(finish) => Step::End(self.whole(finish)),
            Event::Vectors { vectors, tokens } => {
                self.counts.prompt = tokens;
                Step::End(self.vectors(&vectors))
            }
        }
    }

    /// The end of an answer that came to nothing; a stream says so in a part of its own.
    fn failed(&self, error: ApiError) -> Step {
        match self.streams() {
            true => Step::End(Ok([b"data: ", &error.json()[..], b"\n\n"].concat())),
            false => Step::End(Err(error)),
        }
    }

    /// Keeps what was said until the answer is whole.
    fn keep(&mut self, said: tools::Event) {
        match said {
            tools::Event::Content(text) => self.text.push_str(&text),
            tools::Event::Reasoning(text) => self.reasoning.push_str(&text),
            tools::Event::CallBegin { id, name, .. } => {
                self.calls.push(Call::begun(None, id, name));
            }
            tools::Event::CallArguments { text, .. } => {
                if let Some(call) = self.calls.last_mut() {
                    call.function.arguments.push_str(&text);
                }
            }
            tools::Event::CallEnd { .. } => {}
        }
    }

    /// Parts of a stream. Scores are those of the first.
    fn parts(&mut self, said: Vec<tools::Event>, scored: Vec<Scored>) -> Step {
        let (mut lines, mut scored) = (Vec::new(), Some(scored));
        for said in said {
            match self.part(said, scored.take().unwrap_or_default()) {
                Ok(line) => lines.extend(line),
                Err(error) => return self.failed(error),
            }
        }
        if lines.is_empty() { Step::Nothing } else { Step::Part(lines) }
    }

    /// A part with what was said.
    fn part(&mut self, said: tools::Event, scored: Vec<Scored>) -> Result<Vec<u8>, ApiError> {
        let logprobs = self.logprobs(scored);
        let calls;
        let mut delta = Message::default();
        match &said {
            tools::Event::Content(text) => {
                self.offset += text.len();
                delta.content = Some(text);
            }
            tools::Event::Reasoning(text) => delta.reasoning_content = Some(text),
            tools::Event::CallBegin { index, id, name } => {
                calls = [Call::begun(Some(*index), id.clone(), name.clone())];
                delta.tool_calls = Some(&calls);
            }
            tools::Event::CallArguments { index, text } => {
                let function = Function { name: None, arguments: text.clone() };
                calls = [Call { index: Some(*index), function, ..Call::default() }];
                delta.tool_calls = Some(&calls);
            }
            tools::Event::CallEnd { .. } => return Ok(Vec::new()),
        }
        let is_first = !core::mem::replace(&mut self.has_begun, true);
        delta.role = is_first.then_some("assistant");
        let choice = self.choice(delta, logprobs, None);
        self.line(&[choice], None)
    }

    /// The last parts of a stream.
    fn last_part(&mut self, finish: Finish) -> Result<Vec<u8>, ApiError> {
        let content = if self.is_chat() { None } else { Some("") };
        let choice = self.choice(Message { content, ..Message::default() }, None, Some(finish));
        let mut end = self.line(&[choice], None)?;
        if matches!(self.about.form, Form::Text { wants_usage: true, .. }) {
            end.extend(self.line::<Choice<'_>>(&[], Some(self.usage()))?);
        }
        end.extend(b"data: [DONE]\n\n");
        Ok(end)
    }

    /// The answer as one object.
    fn whole(&mut self, finish: Finish) -> Result<Vec<u8>, ApiError> {
        let scored = core::mem::take(&mut self.scored);
        let logprobs = self.logprobs(scored);
        let (text, message) = match self.is_chat() {
            true => (None, Some(self.message())),
            false => (Some(&self.text[..]), None),
        };
        let finish_reason = Some(finish.name());
        let choice = Choice { index: 0, message, delta: None, text, logprobs, finish_reason };
        let object = if self.is_chat() { "chat.completion" } else { "text_completion" };
        self.object(object, &[choice], Some(self.usage()))
    }

    /// The message of a whole answer. Of calls alone, there is no content.
    fn message(&self) -> Message<'_> {
        let has_calls = !self.calls.is_empty();
        Message {
            role: Some("assistant"),
            content: (!has_calls || !self.text.is_empty()).then_some(&self.text),
            reasoning_content: (!self.reasoning.is_empty()).then_some(&self.reasoning),
            tool_calls: has_calls.then_some(&self.calls),
        }
    }

    /// A choice of a stream's part.
    fn choice<'a>(
        &self,
        delta: Message<'a>,
        logprobs: Option<Logprobs>,
        finish: Option<Finish>,
    ) -> Choice<'a> {
        let (text, delta) = match self.is_chat() {
            true => (None, Some(delta)),
            false => (delta.content, None),
        };
        let finish_reason = finish.map(Finish::name);
        Choice { index: 0, message: None, delta, text, logprobs, finish_reason }
    }

    /// A line of a stream.
    fn line<C: Serialize>(&self, choices: &[C], usage: Option<Usage>) -> Result<Vec<u8>, ApiError> {
        let object = if self.is_chat() { "chat.completion.chunk" } else { "text_completion" };
        let json = self.object(object, choices, usage)?;
        Ok([b"data: ", &json[..], b"\n\n"].concat())
    }

    fn object<C: Serialize>(
        &self,
        object: &'static str,
        choices: &[C],
        usage: Option<Usage>,
    ) -> Result<Vec<u8>, ApiError> {
        let About { id, created, model, .. } = &self.about;
        json(&Outer { id, object, created: *created, model, choices, usage })
    }

    fn usage(&self) -> Usage {
        let Counts { prompt, cached, written } = self.counts;
        Usage {
            prompt_tokens: prompt,
            completion_tokens: written,
            total_tokens: prompt + written,
            prompt_tokens_details: PromptDetails { cached_tokens: cached },
        }
    }

    /// Scores as the endpoint reports them, of tokens that begin where the text has come to.
    fn logprobs(&self, scored: Vec<Scored>) -> Option<Logprobs> {
        if !matches!(self.about.form, Form::Text { is_scored: true, .. }) {
            return None;
        }
        if self.is_chat() {
            let tokens =
                scored.into_iter().map(|Scored { token, top }| Token::new(token, Some(top)));
            return Some(Logprobs::Chat { content: tokens.collect() });
        }
        let mut offset = self.offset;
        let text_offset = scored.iter().map(|scored| {
            let begin = offset;
            offset += scored.token.bytes.len();
            begin
        });
        let text_offset = text_offset.collect();
        let map = |top: &[Alternative]| {
            top.iter().map(|other| (lossy(&other.bytes), other.logprob)).collect()
        };
        Some(Logprobs::Completion {
            tokens: scored.iter().map(|scored| lossy(&scored.token.bytes)).collect(),
            token_logprobs: scored.iter().map(|scored| scored.token.logprob).collect(),
            top_logprobs: scored.iter().map(|scored| map(&scored.top)).collect(),
            text_offset,
        })
    }

    fn vectors(&self, vectors: &[Vec<f32>]) -> Result<Vec<u8>, ApiError> {
        #[derive(Serialize)]
        struct List<'a> {
            object: &'static str,
            data: Vec<Item<'a>>,
            model: &'a str,
            usage: VectorUsage,
        }
        #[derive(Serialize)]
        struct Item<'a> {
            object: &'static str,
            index: usize,
            embedding: Vector<'a>,
        }
        #[derive(Serialize)]
        #[serde(untagged)]
        enum Vector<'a> {
            Floats(&'a [f32]),
            Base64(String),
        }
        #[derive(Serialize)]
        struct VectorUsage {
            prompt_tokens: u32,
            total_tokens: u32,
        }
        let is_base64 = matches!(self.about.form, Form::Vectors { is_base64: true });
        let mut data = Vec::with_capacity(vectors.len());
        for (index, vector) in vectors.iter().enumerate() {
            let embedding = match is_base64 {
                false => Vector::Floats(vector),
                true => {
                    let bytes: Vec<u8> = vector.iter().flat_map(|it| it.to_le_bytes()).collect();
                    Vector::Base64(base64(&bytes))
                }
            };
            data.push(Item { object: "embedding", index, embedding });
        }
        let tokens = self.counts.prompt;
        json(&List {
            object: "list",
            data,
            model: &self.about.model,
            usage: VectorUsage { prompt_tokens: tokens, total_tokens: tokens },
        })
    }
}

/// `value` as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(value).map_err(ApiError::internal)
}

/// Base64 (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let is_there = digit <= group.len();
            let value = (bits >> (18 - 6 * digit) & 63) as usize;
            text.push(if is_there { char::from(DIGITS[value]) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of RFC 4648, section 10.
    #[test]
    fn base64_is_the_rfcs() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
        assert_eq!(base64(&[0xfb, 0xff]), "+/8=");
    }
}
