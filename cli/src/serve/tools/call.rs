//! Reads the object of one call, character by character: `{"name": ..., "arguments": {...}}`.

use super::choice::MAX_NAME_BYTES;

/// Longest text before a call is known to be one. What is longer is content.
const MAX_RAW_BYTES: usize = 16 << 10;
/// Longest key, and longest literal of a name: an escape takes six bytes.
const MAX_LITERAL_BYTES: usize = 6 * MAX_NAME_BYTES + 2;

/// Where in the object the next character is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the object.
    Start,
    /// Before a key or the end.
    Key,
    /// In a key, after its first quote.
    InKey,
    Colon,
    /// Before a value.
    Value,
    /// In a text, an object or an array.
    InValue,
    /// In a number or a word.
    InScalar,
    /// Before a comma or the end.
    Comma,
}

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Member {
    Name,
    Arguments,
    Other,
}

/// What a character has made of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// More is to come.
    More,
    /// The object is complete.
    Complete,
    /// It is no call.
    Broken,
}

/// A call that is being read.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    place: Place,
    member: Member,
    /// The literal of a key, a name, or of arguments that are no object.
    literal: String,
    in_string: bool,
    is_escaped: bool,
    depth: usize,
    name: Option<String>,
    /// Text of arguments that nobody has taken yet.
    arguments: String,
    has_arguments: bool,
    /// The whole text, until the call is announced.
    raw: String,
    is_known: bool,
    /// Whether the call was announced.
    pub(super) is_begun: bool,
}

impl Reader {
    pub(super) fn new() -> Self {
        Self {
            place: Place::Start,
            member: Member::Other,
            literal: String::new(),
            in_string: false,
            is_escaped: false,
            depth: 0,
            name: None,
            arguments: String::new(),
            has_arguments: false,
            raw: String::new(),
            is_known: false,
            is_begun: false,
        }
    }

    /// The tool's name, when it is known.
    pub(super) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Whether the name and the beginning of the arguments are known.
    pub(super) fn is_known(&self) -> bool {
        self.is_known
    }

    /// Whether the arguments are complete, and the object is not.
    pub(super) fn is_past_arguments(&self) -> bool {
        self.is_known && self.place == Place::Comma && self.member == Member::Arguments
    }

    /// The text so far, until the call is known to be one.
    pub(super) fn raw(&self) -> &str {
        &self.raw
    }

    /// Takes what there is of the arguments, once the call is known to be one.
    pub(super) fn take_arguments(&mut self) -> String {
        core::mem::take(&mut self.arguments)
    }

    /// Reads a character.
    pub(super) fn push(&mut self, c: char) -> Step {
        if !self.is_begun {
            self.raw.push(c);
            if self.raw.len() > MAX_RAW_BYTES {
                return Step::Broken;
            }
        }
        let step = self.step(c);
        if step == Step::Complete && !self.has_arguments {
            self.arguments.push_str("{}");
            self.has_arguments = true;
        }
        self.is_known |= self.has_arguments && self.name.is_some();
        match step {
            Step::Complete if !self.is_known => Step::Broken,
            step => step,
        }
    }

    fn step(&mut self, c: char) -> Step {
        let is_space = matches!(c, ' ' | '\t' | '\n' | '\r');
        let goes_on = |place: &mut Place, next: Place| {
            *place = next;
            Step::More
        };
        match self.place {
            Place::InKey => return self.in_key(c),
            Place::InValue => return self.in_value(c),
            Place::InScalar if !is_space && c != ',' && c != '}' => return self.in_scalar(c),
            Place::InScalar => self.end_value(),
            _ => {}
        }
        match (self.place, c) {
            _ if is_space => Step::More,
            (Place::Start, '{') => goes_on(&mut self.place, Place::Key),
            (Place::Key | Place::Comma, '}') => Step::Complete,
            (Place::Key, '"') => {
                self.literal = String::from('"');
                goes_on(&mut self.place, Place::InKey)
            }
            (Place::Colon, ':') => goes_on(&mut self.place, Place::Value),
            (Place::Comma, ',') => goes_on(&mut self.place, Place::Key),
            (Place::Value, _) => self.begin_value(c),
            _ => Step::Broken,
        }
    }

    fn in_key(&mut self, c: char) -> Step {
        self.literal.push(c);
        if self.literal.len() > MAX_LITERAL_BYTES {
            return Step::Broken;
        }
        if self.is_escaped || c == '\\' {
            self.is_escaped = !self.is_escaped;
        } else if c == '"' {
            let key = serde_json::from_str::<String>(&self.literal);
            self.member = match key.as_deref() {
                Ok("name") if self.name.is_none() => Member::Name,
                Ok("arguments" | "parameters") if !self.has_arguments => Member::Arguments,
                Ok(_) => Member::Other,
                Err(_) => return Step::Broken,
            };
            self.place = Place::Colon;
        }
        Step::More
    }

    fn begin_value(&mut self, c: char) -> Step {
        self.literal = String::new();
        let is_container = matches!(c, '{' | '[');
        self.has_arguments |= self.member == Member::Arguments;
        if self.member == Member::Name && c != '"' || self.member == Member::Arguments && c != '{' {
            return Step::Broken;
        }
        (self.depth, self.in_string) = (usize::from(is_container), c == '"');
        self.place = if is_container || c == '"' { Place::InValue } else { Place::InScalar };
        if self.place == Place::InScalar && !(c.is_ascii_alphanumeric() || c == '-') {
            return Step::Broken;
        }
        self.keep(c)
    }

    fn in_value(&mut self, c: char) -> Step {
        if self.keep(c) == Step::Broken {
            return Step::Broken;
        }
        if self.is_escaped || self.in_string && c == '\\' {
            self.is_escaped = !self.is_escaped;
        } else if c == '"' {
            self.in_string = !self.in_string;
        } else if !self.in_string {
            match c {
                '{' | '[' => self.depth += 1,
                '}' | ']' => self.depth -= 1,
                _ => {}
            }
        }
        if self.depth > 0 || self.in_string || self.is_escaped {
            return Step::More;
        }
        if self.member == Member::Name {
            match serde_json::from_str(&self.literal) {
                Ok(name) => self.name = Some(name),
                Err(_) => return Step::Broken,
            }
        }
        self.end_value();
        Step::More
    }

    fn in_scalar(&mut self, c: char) -> Step {
        match c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.') {
            true => Step::More,
            false => Step::Broken,
        }
    }

    fn end_value(&mut self) {
        self.place = Place::Comma;
    }

    /// Keeps a character of a value that matters.
    fn keep(&mut self, c: char) -> Step {
        let (kept, limit) = match self.member {
            Member::Name => (&mut self.literal, MAX_LITERAL_BYTES),
            // Taken after each character, once the name is known; until then `raw` is as long.
            Member::Arguments => (&mut self.arguments, usize::MAX),
            Member::Other => return Step::More,
        };
        kept.push(c);
        if kept.len() > limit { Step::Broken } else { Step::More }
    }
}
