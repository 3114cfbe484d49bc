//! From an option to a constraint: compiling, the vocabulary's tree, the memory of both.

use crate::args::{Run, Wanted};
use crate::engine::{ModelFile, text};
use crate::report::{self, Bytes, Failure};
use picolm_core::grammar::{
    Constrain, Constraint, Grammar, GrammarError, GrammarErrorKind, Note, NoteKind, Notes, Reading,
    SchemaOptions, SortedTokens, TokenBytes, Trie, gbnf, json, schema_with,
};
use picolm_core::session::Session;
use picolm_core::tokenizer::Tokenizer;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Words of memory with which compiling begins, and most words: 256 KiB, 64 MiB.
const FIRST_WORDS: usize = 1 << 16;
const MAX_WORDS: usize = 1 << 24;

/// Longest source of a grammar.
const MAX_SOURCE_BYTES: u64 = 1 << 20;

/// Masks that are kept. With 32,000 tokens they take half a megabyte.
const MASKS: usize = 120;

/// A compiled grammar, and the memory of its constraint.
pub(crate) struct Constrained {
    grammar: Vec<u32>,
    is_json: bool,
    vocabulary: Vocabulary,
}

/// A vocabulary's tree, and room for masks.
#[derive(Default)]
pub(crate) struct Vocabulary {
    trie: Vec<u32>,
    masks: Vec<u32>,
}

impl Vocabulary {
    /// Sorts the texts of all tokens into a tree.
    pub(crate) fn of(vocabulary: &dyn TokenBytes) -> Result<Self, GrammarError> {
        Ok(Self { trie: tree(vocabulary)?, masks: masks(vocabulary.len()) })
    }

    /// Bytes of a constraint without its grammar.
    pub(crate) fn bytes(&self) -> u64 {
        (4 * (self.trie.len() + self.masks.len()) + size_of::<Constraint<'_>>()) as u64
    }
}

/// The texts of all tokens of a vocabulary as a tree.
pub(crate) fn tree(vocabulary: &dyn TokenBytes) -> Result<Vec<u32>, GrammarError> {
    let mut scratch = vec![0; SortedTokens::scratch_words(vocabulary.len())];
    let sorted = SortedTokens::new(vocabulary, &mut scratch)?;
    let mut trie = vec![0; sorted.trie_words()];
    sorted.build(vocabulary, &mut trie)?;
    Ok(trie)
}

/// Room for the masks of a vocabulary of `tokens`.
pub(crate) fn masks(tokens: u32) -> Vec<u32> {
    vec![0; Constraint::words(tokens, MASKS)]
}

/// The tokens that end a text.
pub(crate) fn ends(tokenizer: &Tokenizer<'_>) -> impl Iterator<Item = u32> {
    let tokens = tokenizer.vocabulary_len();
    (0..tokens).filter(|&token| tokenizer.is_end_of_generation(token))
}

impl Constrained {
    /// Compiles the grammar that is wanted. Needs no model, so mistakes are found at once. What of
    /// a schema is not known is said on stderr.
    pub(crate) fn compile(
        wanted: &Wanted,
        &Run { pretty, is_strict, quiet, .. }: &Run,
    ) -> Result<Self, Failure> {
        let grammar = match wanted {
            Wanted::Json(root) => {
                let form = if pretty { json::pretty } else { json::compact };
                compiled(|words| form(*root, words)).map_err(Failure::new)?
            }
            Wanted::Schema(given) => {
                let inline = given.to_str().map(str::trim_start);
                let is_schema = |text: &&str| text.starts_with('{') || is_boolean(text);
                let inline = inline.filter(is_schema);
                let source = match inline {
                    Some(text) => text.as_bytes().to_vec(),
                    None => read(Path::new(given))?,
                };
                let options = SchemaOptions { reading: Reading::Closed, pretty, is_strict };
                let mut notes = Notes::new();
                let grammar = compiled(|words| {
                    notes = Notes::new();
                    schema_with(&source, options, &mut notes, words)
                });
                let grammar = grammar.map_err(|error| {
                    let text = described(error, &source);
                    match inline {
                        Some(_) => Failure::new(format!("--schema: {text}")),
                        None => Failure::about(Path::new(given), text),
                    }
                })?;
                if !quiet && !notes.as_slice().is_empty() {
                    report::line(format_args!(
                        "picolm: --schema: ignored {}",
                        listed(&notes, &source)
                    ));
                }
                grammar
            }
            Wanted::Grammar(path) => {
                let source = read(path)?;
                compiled(|words| gbnf(&source, words))
                    .map_err(|error| Failure::about(path, described(error, &source)))?
            }
        };
        let is_json = matches!(wanted, Wanted::Json(_));
        Ok(Self { grammar, is_json, vocabulary: Vocabulary::default() })
    }

    /// Joins the grammar with the vocabulary of `tokenizer`, which is that of `file`. The result is
    /// boxed: it would be a fifth of a board's stack.
    pub(crate) fn constraint<'c>(
        &'c mut self,
        file: &ModelFile,
        tokenizer: &'c Tokenizer<'_>,
    ) -> Result<Box<Constraint<'c>>, Failure> {
        self.vocabulary = Vocabulary::of(tokenizer).map_err(|error| file.failure(error))?;
        let tokens = tokenizer.vocabulary_len();
        let grammar = Grammar::from_words(&mut self.grammar);
        let Vocabulary { trie, masks } = &mut self.vocabulary;
        let constraint =
            Constraint::new(grammar, Trie::from_words(trie), tokens, ends(tokenizer), masks);
        let constraint = constraint.map_err(Failure::new)?;
        // The smallest program has JSON without a grammar, and writes the same.
        Ok(Box::new(if self.is_json { constraint } else { constraint.narrowed_by(tokenizer) }))
    }
}

/// Whether a schema allows everything or nothing.
fn is_boolean(text: &str) -> bool {
    matches!(text.trim_end(), "true" | "false")
}

/// Reads a grammar's source.
fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let file = File::open(path).map_err(|error| Failure::about(path, error))?;
    let mut source = Vec::new();
    let limit = MAX_SOURCE_BYTES + 1;
    file.take(limit).read_to_end(&mut source).map_err(|error| Failure::about(path, error))?;
    if source.len() as u64 == limit {
        return Err(Failure::about(path, format_args!("more than {}", Bytes(MAX_SOURCE_BYTES))));
    }
    Ok(text::without_mark(source))
}

/// The error, with the line of the source and the text there.
pub(crate) fn described(error: GrammarError, source: &[u8]) -> String {
    if error.length == 0 {
        return error.to_string();
    }
    let before = source.get(..error.offset as usize).unwrap_or_default();
    let line = 1 + before.iter().filter(|&&byte| byte == b'\n').count();
    let part = error.part(source);
    let part = String::from_utf8_lossy(part.get(..40).unwrap_or(part));
    if part.trim().is_empty() {
        format!("line {line}: {error}")
    } else {
        format!("line {line}: {error}: '{part}'")
    }
}

/// What a note is about, by name.
pub(crate) fn named(note: &Note, source: &[u8]) -> String {
    let part = String::from_utf8_lossy(note.part(source));
    let name = report::printable(part.trim_matches('"'));
    match note.kind {
        // Of the whole, there is no part to be named.
        NoteKind::Widened if name.is_empty() => note.what.to_owned(),
        NoteKind::Widened => format!("{name} ({})", note.what),
        NoteKind::Ignored if note.what == "format" => format!("format {name}"),
        NoteKind::Ignored => name,
    }
}

/// What was not held of a schema, by name.
fn listed(notes: &Notes, source: &[u8]) -> String {
    let names = notes.as_slice().iter().map(|note| named(note, source));
    let mut text = names.collect::<Vec<_>>().join(", ");
    if notes.left_out() > 0 {
        text.push_str(", ...");
    }
    text
}

/// Refuses a constraint that needs more tokens than there may be.
pub(crate) fn require_budget(
    constraint: &Constraint<'_>,
    session: &Session<'_>,
    prompt: usize,
    max_tokens: u32,
) -> Result<(), Failure> {
    let (needed, left) = (constraint.tokens_to_close(), session.budget(prompt, max_tokens));
    if needed <= left {
        return Ok(());
    }
    let option = if left < max_tokens { "the context (-c)" } else { "-n" };
    Err(Failure::new(format!(
        "the constraint asks for room for {needed} tokens, and {option} allows {left}"
    )))
}

/// Compiles in as much memory as it takes, and keeps the result alone.
pub(crate) fn compiled(
    mut compile: impl FnMut(&mut [u32]) -> Result<Grammar<'_>, GrammarError>,
) -> Result<Vec<u32>, GrammarError> {
    let mut words = FIRST_WORDS;
    loop {
        let mut memory = vec![0; words];
        match compile(&mut memory) {
            Ok(grammar) => return Ok(grammar.automaton().words().to_vec()),
            Err(GrammarError { kind: GrammarErrorKind::Memory { needed_bytes }, .. })
                if needed_bytes <= 4 * MAX_WORDS as u64 && words < MAX_WORDS =>
            {
                // What the error names is enough for one step: take at least twice as much.
                words = (needed_bytes.div_ceil(4) as usize).max(2 * words).min(MAX_WORDS);
            }
            Err(error) => return Err(error),
        }
    }
}
