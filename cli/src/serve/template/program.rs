//! From a template's source to instructions, and running them.

use super::arguments::Call;
use super::budget::{Budget, failure};
use super::functions::Scope;
use super::{mark, methods, rewrite, text};
use minijinja::machinery::{
    CodeGenerator, Instructions, Token, Vm, WhitespaceConfig, make_string_output, parse, tokenize,
};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Longest template. The longest that is known has 32 KB.
const MAX_SOURCE_BYTES: usize = 256 << 10;
/// Most tokens of one tag (58 are the most that is known), and most `elif`s. The parser limits
/// other nesting, but not that of `a + a + a` or of branches, and each level costs stack.
const MAX_TAG_TOKENS: usize = 400;
const MAX_ELIFS: usize = 100;

/// As Hugging Face sets it.
const WHITESPACE: WhitespaceConfig =
    WhitespaceConfig { keep_trailing_newline: false, lstrip_blocks: true, trim_blocks: true };

/// What a rendering may cost.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Instructions.
    pub(super) fuel: u64,
    /// Bytes that are made, looked at and written.
    pub(super) bytes: usize,
}

/// What a template knows.
pub(super) struct Given {
    pub(super) variables: HashMap<String, Value>,
    /// Seconds since 1970 by the clock on the wall.
    pub(super) now: i64,
}

/// The template's text as it is parsed: line breaks of one kind, and `generation` blocks, which
/// only training looks at, as conditions that hold.
pub(super) fn prepared(source: &str) -> Result<String, Error> {
    if source.len() > MAX_SOURCE_BYTES {
        let limit = MAX_SOURCE_BYTES >> 10;
        return Err(failure(format!("the template is longer than {limit} KiB")));
    }
    if mark::has_reserved(source) {
        return Err(failure("the template has characters that Unicode does not"));
    }
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let source = tag_replaced(&source, "generation", "if true");
    let source = tag_replaced(&source, "endgeneration", "endif");
    require_shallow(&source)?;
    Ok(source.into_owned())
}

/// The source with another word in tags that consist of `word` alone.
fn tag_replaced<'s>(source: &'s str, word: &str, other: &str) -> Cow<'s, str> {
    if !source.contains(word) {
        return Cow::Borrowed(source);
    }
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some((before, tag)) = rest.split_once("{%") {
        out.push_str(before);
        out.push_str("{%");
        rest = tag;
        let name = tag.trim_start_matches(['-', '+']).trim_start();
        let after = name.strip_prefix(word).map(str::trim_start);
        let ends = |after: &&str| ["%}", "-%}", "+%}"].iter().any(|end| after.starts_with(end));
        if let Some(after) = after.filter(ends) {
            out.push_str(tag.get(..tag.len() - name.len()).unwrap_or(""));
            out.push_str(other);
            out.push(' ');
            rest = after;
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Refuses trees that would be too deep for the stack.
fn require_shallow(source: &str) -> Result<(), Error> {
    let (mut in_tag, mut elifs) = (0, 0);
    for token in tokenize(source, false, SyntaxConfig, WHITESPACE) {
        match token?.0 {
            Token::TemplateData(_) | Token::VariableEnd | Token::BlockEnd => in_tag = 0,
            token => {
                in_tag += 1;
                elifs += usize::from(matches!(token, Token::Ident("elif")));
            }
        }
        if in_tag > MAX_TAG_TOKENS {
            return Err(failure("a tag of the template is too long"));
        }
        if elifs > MAX_ELIFS {
            return Err(failure("the template has too many branches"));
        }
    }
    Ok(())
}

/// Compiles a prepared source.
fn compile(source: &str) -> Result<Instructions<'_>, Error> {
    let tree = parse(source, "chat_template", SyntaxConfig, WHITESPACE)?;
    let tree = rewrite::template(&tree)?;
    let mut generator = CodeGenerator::new("chat_template", source);
    generator.compile_stmt(&tree);
    Ok(generator.finish().0)
}

/// Whether a prepared source is a template at all.
pub(super) fn check(source: &str) -> Result<(), Error> {
    compile(source).map(drop)
}

/// Runs a prepared source. What comes out has marks.
pub(super) fn run(source: &str, given: Given, limits: Limits) -> Result<String, Error> {
    let instructions = compile(source)?;
    let budget = Arc::new(Budget::new(limits.bytes));
    let mut environment = Environment::empty();
    environment.set_fuel(Some(limits.fuel));
    let (written, called, now) = (Arc::clone(&budget), Arc::clone(&budget), given.now);
    environment.set_formatter(move |out, _, value| {
        let text = text::str(value, &written)?;
        written.take(text.len())?;
        out.write_str(&text).map_err(|_| failure("the template's text cannot be written"))
    });
    environment.set_unknown_method_callback(move |state, value, name, arguments| {
        called.take(1)?;
        methods::call(value, name, &Call::new(&called, now, state, arguments))
    });
    let scope = Value::from_object(Scope::new(given.variables, &budget, now));
    let mut out = String::new();
    let mut output = make_string_output(&mut out);
    let blocks = BTreeMap::new();
    Vm::new(&environment).eval(&instructions, scope, &blocks, &mut output, AutoEscape::None)?;
    drop(output);
    Ok(out)
}
