//! Reads the cases of llama.cpp's grammar tests out of their C++ source: calls whose arguments are
//! string literals and lists of them.

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Argument {
    Text(Vec<u8>),
    Texts(Vec<Vec<u8>>),
    /// Something else: an identifier, an expression with calls.
    Other,
}

/// The arguments of each call of `function` with a literal among them.
pub(crate) fn calls(source: &str, function: &str) -> Vec<Vec<Argument>> {
    let needle = format!("{function}(");
    let mut calls = Vec::new();
    for (start, _) in source.match_indices(&needle) {
        let before = source[..start].chars().next_back().unwrap();
        if before.is_alphanumeric() || before == '_' {
            continue;
        }
        let mut reader = Reader { source: source.as_bytes(), at: start + needle.len() };
        let arguments = reader.arguments(b')');
        if arguments.iter().any(|argument| *argument != Argument::Other) {
            calls.push(arguments);
        }
    }
    calls
}

struct Reader<'s> {
    source: &'s [u8],
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &[u8] {
        &self.source[self.at..]
    }

    fn space(&mut self) {
        loop {
            if self.rest()[0].is_ascii_whitespace() {
                self.at += 1;
            } else if self.rest().starts_with(b"//") {
                while self.rest()[0] != b'\n' {
                    self.at += 1;
                }
            } else if self.rest().starts_with(b"/*") {
                while !self.rest().starts_with(b"*/") {
                    self.at += 1;
                }
                self.at += 2;
            } else {
                return;
            }
        }
    }

    /// Arguments up to `end`, which is passed.
    fn arguments(&mut self, end: u8) -> Vec<Argument> {
        let mut arguments = Vec::new();
        loop {
            self.space();
            match self.rest()[0] {
                b',' => self.at += 1,
                byte if byte == end => {
                    self.at += 1;
                    return arguments;
                }
                b'{' => {
                    self.at += 1;
                    let texts = self.arguments(b'}').into_iter().filter_map(|item| match item {
                        Argument::Text(text) => Some(text),
                        _ => None,
                    });
                    arguments.push(Argument::Texts(texts.collect()));
                }
                _ => arguments.push(self.expression()),
            }
        }
    }

    /// Literals one behind the other; anything else is passed over, up to the comma or bracket.
    fn expression(&mut self) -> Argument {
        let mut text = Vec::new();
        let mut literal = true;
        loop {
            self.space();
            match self.rest()[0] {
                b',' | b')' | b'}' => {
                    return if literal { Argument::Text(text) } else { Argument::Other };
                }
                b'"' => text.extend(self.quoted()),
                b'R' if self.rest()[1] == b'"' => text.extend(self.raw()),
                // A character: its quote, escape or comma means nothing else.
                b'\'' => {
                    literal = false;
                    let escaped = self.rest()[1] == b'\\';
                    let text = &self.rest()[2 + usize::from(escaped)..];
                    let length = text.iter().position(|&byte| byte == b'\'').unwrap();
                    self.at += 3 + usize::from(escaped) + length;
                }
                b'(' => {
                    literal = false;
                    self.at += 1;
                    self.arguments(b')');
                }
                _ => {
                    literal = false;
                    self.at += 1;
                }
            }
        }
    }

    /// `R"mark(text)mark"`.
    fn raw(&mut self) -> Vec<u8> {
        let open = self.rest().iter().position(|&byte| byte == b'(').unwrap();
        let mark = self.rest()[2..open].to_vec();
        let close = [b")", &mark[..], b"\""].concat();
        let start = self.at + open + 1;
        let text = &self.source[start..];
        let length = text.windows(close.len()).position(|window| window == close).unwrap();
        self.at = start + length + close.len();
        text[..length].to_vec()
    }

    fn quoted(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        self.at += 1;
        loop {
            let byte = self.rest()[0];
            self.at += 1;
            match byte {
                b'"' => return text,
                b'\\' => {
                    let escaped = self.rest()[0];
                    self.at += 1;
                    match escaped {
                        b'n' => text.push(b'\n'),
                        b't' => text.push(b'\t'),
                        b'r' => text.push(b'\r'),
                        b'x' | b'u' => {
                            let most = if escaped == b'u' { 4 } else { 2 };
                            let digits = self.rest()[..most]
                                .iter()
                                .take_while(|digit| digit.is_ascii_hexdigit())
                                .count();
                            let hex = core::str::from_utf8(&self.rest()[..digits]).unwrap();
                            let value = u32::from_str_radix(hex, 16).unwrap();
                            self.at += digits;
                            if escaped == b'x' {
                                text.push(value as u8);
                            } else {
                                let point = char::from_u32(value).unwrap();
                                text.extend(point.to_string().bytes());
                            }
                        }
                        other => text.push(other),
                    }
                }
                other => text.push(other),
            }
        }
    }
}
