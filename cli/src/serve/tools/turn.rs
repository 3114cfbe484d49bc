//! An answer in progress: reads it as it comes, and says how it goes on.
//!
//! The answer is read character by character, so that where one piece of text ends and the next
//! begins has no influence on what is found. What might be the beginning of a marker is held back
//! until it is one or is not.

use super::call::{Reader, Step};
use super::choice::Tools;

const THINK: &str = "<think>";
const THOUGHT: &str = "</think>";
/// White space that is held back, since it is left out where a call or an end of thought follows.
const MAX_SPACE: usize = 64;
/// Most calls of an answer.
const MAX_CALLS: usize = 64;

/// How an answer begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reasoning {
    /// `<think>` is text like other text.
    Text,
    /// The answer may begin with `<think>`.
    Closed,
    /// The prompt ends with `<think>`: the answer begins inside of it.
    Open,
}

/// Whether a prompt ends inside of a thought.
pub(crate) fn is_open(prompt: &str) -> bool {
    prompt.trim_end().ends_with(THINK)
}

/// What an answer is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Text for the user.
    Content(String),
    /// What the model thinks before it answers.
    Reasoning(String),
    /// A call begins.
    CallBegin {
        /// 0, 1, 2 ...
        index: usize,
        /// An id that no other call of the answer has.
        id: String,
        /// The tool's name.
        name: String,
    },
    /// More of a call's arguments, which are JSON in all.
    CallArguments {
        /// The call's number.
        index: usize,
        /// The text.
        text: String,
    },
    /// A call is complete.
    CallEnd {
        /// Its number.
        index: usize,
    },
}

impl Event {
    /// Bytes of its texts.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Content(text) | Self::Reasoning(text) | Self::CallArguments { text, .. } => {
                size_of::<Self>() + text.len()
            }
            Self::CallBegin { id, name, .. } => size_of::<Self>() + id.len() + name.len(),
            Self::CallEnd { .. } => size_of::<Self>(),
        }
    }
}

/// A part of a call, written under a constraint of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// From the object's brace to that of the arguments: `Tools::head`.
    Head,
    /// The arguments of the tool of this number: `Tools::arguments`.
    Arguments(usize),
}

/// How an answer goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// With any token; one that ends the text ends the answer.
    Free,
    /// With this text of a template's.
    Text(String),
    /// With what the constraint of a part allows.
    Part(Part),
    /// Not at all.
    End,
}

#[derive(Clone, Debug)]
enum State {
    /// Before the answer or after the thought: only white space so far.
    Start,
    Reasoning,
    Content,
    Call(Box<Reader>),
    /// After a call's object, before what closes it.
    Tail,
    /// After a call.
    After,
    Ended,
}

/// An answer in progress.
#[derive(Clone, Debug)]
pub(crate) struct Turn<'t> {
    tools: &'t Tools,
    id: String,
    state: State,
    /// Whether a thought may begin.
    may_think: bool,
    /// Whether the thought has begun with more than white space.
    has_thought: bool,
    /// Whether a thought has ended: white space between it and the answer is neither's.
    is_past_thought: bool,
    /// What may be the beginning of a marker, after white space.
    held: String,
    calls: usize,
    events: Vec<Event>,
}

impl<'t> Turn<'t> {
    /// The beginning of an answer. Calls are named by `id` and their numbers.
    pub(crate) fn new(tools: &'t Tools, reasoning: Reasoning, id: &str) -> Self {
        let mut turn = Self {
            tools,
            id: id.to_owned(),
            state: State::Start,
            may_think: reasoning == Reasoning::Closed,
            has_thought: false,
            is_past_thought: false,
            held: String::new(),
            calls: 0,
            events: Vec::new(),
        };
        match reasoning {
            Reasoning::Open => turn.state = State::Reasoning,
            _ => turn.start(),
        }
        turn
    }

    /// How the answer goes on.
    pub(crate) fn wants(&self) -> Wants {
        let spelling = &self.tools.spelling;
        match &self.state {
            State::Start if self.tools.must_call() => Wants::Text(spelling.open.clone()),
            State::Start | State::Reasoning | State::Content | State::After => Wants::Free,
            State::Call(reader) if reader.is_past_arguments() => {
                Wants::Text(format!("}}{}", spelling.close))
            }
            State::Call(reader) => match reader.name().filter(|_| reader.is_known()) {
                Some(name) => match self.tools.position(name) {
                    Some(tool) => Wants::Part(Part::Arguments(tool)),
                    None => Wants::End,
                },
                None => Wants::Part(Part::Head),
            },
            State::Tail => {
                let close = spelling.close.trim_start();
                Wants::Text(close.strip_prefix(self.held.trim_start()).unwrap_or(close).to_owned())
            }
            State::Ended => Wants::End,
        }
    }

    /// The text of the part that `wants` names, as far as it was written before: for the constraint
    /// to take when the part begins.
    pub(crate) fn begun(&self) -> &str {
        match &self.state {
            State::Call(reader) if reader.is_known() => "{",
            State::Call(reader) => reader.raw().trim_start(),
            _ => "",
        }
    }

    /// Begins the head of a call again: a token that ended the marker went on as no call does.
    pub(crate) fn begin_again(&mut self) {
        if let State::Call(reader) = &mut self.state
            && !reader.is_known()
        {
            **reader = Reader::new();
        }
    }

    /// How many calls have begun.
    pub(crate) fn calls(&self) -> usize {
        self.calls
    }

    /// Reads more of the answer: a piece of text of any length.
    pub(crate) fn push(&mut self, text: &str) {
        text.chars().for_each(|c| self.character(c));
    }

    /// What was found since it was asked last.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        core::mem::take(&mut self.events)
    }

    /// Reads the end of the answer. Returns whether it ends inside of a call.
    pub(crate) fn finish(&mut self) -> bool {
        let held = core::mem::take(&mut self.held);
        match core::mem::replace(&mut self.state, State::Ended) {
            State::Start | State::Content => self.content(&held),
            State::Reasoning => self.reasoning(held.trim_end()),
            State::Call(reader) if reader.is_begun => return true,
            State::Call(reader) => self.no_call(&reader),
            State::Tail | State::After | State::Ended => {}
        }
        false
    }

    fn character(&mut self, c: char) {
        let may_call = self.may_call();
        match &mut self.state {
            State::Call(reader) => {
                let step = reader.push(c);
                self.stepped(step);
            }
            State::Ended => {}
            State::Start if self.is_past_thought && self.held.is_empty() && c.is_whitespace() => {}
            // Without tools nothing that is content is held back.
            State::Content if !may_call => self.content(c.encode_utf8(&mut [0; 4])),
            _ => {
                self.held.push(c);
                self.look();
            }
        }
    }

    /// Whether a call may begin in the state that is now.
    fn may_call(&self) -> bool {
        let spelling = &self.tools.spelling;
        let here = match self.state {
            State::Content => !spelling.is_bare(),
            State::Start | State::After => true,
            _ => false,
        };
        here && self.tools.may_call() && self.calls < MAX_CALLS
    }

    /// Looks whether what is held is a marker, may become one, or is none.
    fn look(&mut self) {
        let text = self.held.trim_start();
        let (call, close) = (self.tools.spelling.marker(), self.tools.spelling.close.trim_start());
        let markers = [
            (call, self.may_call()),
            (THINK, matches!(self.state, State::Start) && self.may_think),
            (THOUGHT, matches!(self.state, State::Reasoning)),
            (close, matches!(self.state, State::Tail)),
        ];
        let markers = markers.into_iter().filter(|&(_, counts)| counts).map(|(marker, _)| marker);
        let mut may_be = text.is_empty() && self.held.len() <= MAX_SPACE;
        for marker in markers {
            if marker == text {
                self.held.clear();
                return self.found(marker);
            }
            may_be |= !text.is_empty() && marker.starts_with(text);
        }
        if !may_be {
            self.not_found();
        }
    }

    /// A marker is complete.
    fn found(&mut self, marker: &str) {
        match self.state {
            State::Reasoning => self.start(),
            State::Tail => self.after(),
            State::Start if marker == THINK => {
                (self.state, self.may_think) = (State::Reasoning, false);
            }
            _ => {
                let mut reader = Reader::new();
                // A marker that is part of the object is read again.
                if self.tools.spelling.is_bare() {
                    let _ = marker.chars().map(|c| reader.push(c)).last();
                }
                self.state = State::Call(Box::new(reader));
            }
        }
    }

    /// What is held is no marker: its white space and first character are text of the state, and
    /// the others are looked at again.
    fn not_found(&mut self) {
        let held = core::mem::take(&mut self.held);
        let space = held.len() - held.trim_start().len();
        let first = held.get(space..).and_then(|text| text.chars().next());
        // Too much space goes on being held but for its first character.
        let (text, rest) = match first {
            Some(first) => held.split_at(space + first.len_utf8()),
            None => held.split_at(held.chars().next().map_or(0, char::len_utf8)),
        };
        match self.state {
            State::Start => {
                self.state = State::Content;
                self.content(text);
            }
            State::Content => self.content(text),
            State::Reasoning => self.reasoning(text),
            State::Tail => {
                // What is missing is missed by nobody.
                self.after();
                return self.push(&held);
            }
            State::After if first.is_some() => self.state = State::Ended,
            _ => {}
        }
        self.push(rest);
    }

    /// Goes to where an answer begins.
    fn start(&mut self) {
        self.is_past_thought = matches!(self.state, State::Reasoning);
        self.may_think &= !self.is_past_thought;
        self.state = match self.tools.must_call() && self.tools.spelling.is_bare() {
            true => State::Call(Box::new(Reader::new())),
            false => State::Start,
        };
    }

    /// Goes to where a call has ended.
    fn after(&mut self) {
        let goes_on = self.tools.parallel && self.calls < MAX_CALLS;
        self.state = if goes_on { State::After } else { State::Ended };
    }

    /// What a character has made of a call.
    fn stepped(&mut self, step: Step) {
        let State::Call(reader) = &mut self.state else { return };
        let (tools, index) = (self.tools, self.calls);
        let is_ours = reader.name().is_none_or(|name| tools.position(name).is_some());
        if reader.is_known() && is_ours {
            if !reader.is_begun {
                reader.is_begun = true;
                let name = reader.name().unwrap_or("").to_owned();
                let id = format!("{}_{index}", self.id);
                self.events.push(Event::CallBegin { index, id, name });
            }
            let text = reader.take_arguments();
            match self.events.last_mut() {
                _ if text.is_empty() => {}
                Some(Event::CallArguments { text: last, .. }) => last.push_str(&text),
                _ => self.events.push(Event::CallArguments { index, text }),
            }
        }
        match step {
            Step::More if is_ours => {}
            Step::Complete if is_ours => {
                self.events.push(Event::CallEnd { index });
                self.calls += 1;
                match self.tools.spelling.is_bare() {
                    true => self.state = State::Ended,
                    false => self.state = State::Tail,
                }
            }
            // Nothing is known of what should follow.
            _ if reader.is_begun => {
                self.calls += 1;
                self.state = State::Ended;
            }
            _ => {
                if let State::Call(reader) = core::mem::replace(&mut self.state, State::Content) {
                    self.no_call(&reader);
                }
            }
        }
    }

    /// What seemed to be a call is content, its marker too.
    fn no_call(&mut self, reader: &Reader) {
        let marker = match self.tools.spelling.is_bare() {
            true => "",
            false => self.tools.spelling.marker(),
        };
        let text = format!("{marker}{}", reader.raw());
        self.content(&text);
    }

    fn content(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        match self.events.last_mut() {
            Some(Event::Content(last)) => last.push_str(text),
            _ => self.events.push(Event::Content(text.to_owned())),
        }
    }

    fn reasoning(&mut self, text: &str) {
        let text = if self.has_thought { text } else { text.trim_start() };
        if text.is_empty() {
            return;
        }
        self.has_thought = true;
        match self.events.last_mut() {
            Some(Event::Reasoning(last)) => last.push_str(text),
            _ => self.events.push(Event::Reasoning(text.to_owned())),
        }
    }
}
