//! JSON Schema (drafts 4, 6, 7, 2019-09 and 2020-12) as rules: what is written always validates.
//!
//! # Drafts
//!
//! `$schema` names the draft, 2020-12 where there is none, and the draft says what its keywords
//! mean: `id` and limits that are left out (`exclusiveMinimum: true`) in draft 4, which has no
//! `const`, `contains`, `propertyNames` or `if`; nothing beside `$ref` up to draft 7; lists in
//! `items`, with `additionalItems`, wherever they are. What a draft does not know is an annotation,
//! and so is a `format` not listed here: [`Notes`] has them, [`SchemaOptions::is_strict`] refuses
//! them by name.
//!
//! # Keywords
//!
//! Exact: `type`, `enum`, `const`, `$ref` within the schema, `$defs`, `definitions`, `$id`,
//! `$anchor`, `true`, `false`, `allOf`, `anyOf`, `oneOf`, `not`, `if`, `then`, `else`,
//! `patternProperties`, `additionalProperties`, `maxProperties`, `dependentRequired`,
//! `dependentSchemas`, `dependencies`, `items`, `prefixItems`, `additionalItems`, `minItems`,
//! `maxItems`, `contains`, `minContains`, `maxContains`, `unevaluatedProperties`,
//! `unevaluatedItems`, `minLength`, `maxLength`, `pattern`; of numbers as they are written
//! `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum` and `multipleOf`, in decimals.
//!
//! Exact with a bound:
//!
//! - Members come in any order, where an object has at most 24 with names (28 in all alternatives
//!   of a value, small objects first, and fewer beside many others) and limits of their number say
//!   nothing more than `required`; else those of `properties` and `required` come in the schema's
//!   order, and before others.
//! - About 30 alternatives of objects are gone through side by side. Those that have the members so
//!   far in common, more than four optional ones before any that is required, count among them;
//!   what is beyond is left out.
//! - Where `additionalProperties` is missing, there are no others beside `properties` and
//!   `patternProperties`; where `type` is missing, a value has one of the types that the keywords
//!   are about ([`Reading::Closed`]; [`Reading::Open`] is without these two).
//! - `minProperties` that asks for two to four members more than those with names: the first of
//!   them begin with letters of different groups (by [`Reading::Open`] it is refused).
//! - Beside `anyOf`, `unevaluatedProperties` and `unevaluatedItems` count what one of its schemas
//!   evaluates, also where several hold (by [`Reading::Open`] each of up to four is told apart).
//! - Numbers that nothing limits have at most 30 digits before and after the point, or 16 before it
//!   and an exponent up to 289. Within limits, 16 digits, or 15 in all where there is a point; an
//!   exponent up to 99 where the first digit and all others may then be any; with divisors none.
//!   Whole numbers have no point.
//! - Values of `enum` and `const`, names, and texts with `pattern` or `format` have one spelling:
//!   what needs no escape has none. Numbers may also be spelled as in the schema.
//! - `uniqueItems`, but for items of up to 10 values (`enum`, `true`, `null`): up to 64 items, or
//!   as many as leave another one whatever they are; each written in one way, as texts with
//!   `pattern` are, numbers without exponent and without zeros at the end, objects and arrays
//!   without white space, members in the schema's order. Of items that are long, so much is
//!   remembered as 4,096 bytes hold, 32 at least of each (64, 128 or 256, and of 16 items at least,
//!   where they begin alike for so long): others differ in that part. After them the array can only
//!   end.
//! - Such items that are objects have the members with names alone, or one member where there are
//!   no names; what may be anything has no parts; an array in one with `uniqueItems` of its own
//!   has one item at most, but for items of up to 10 values. With `contains` the first item is
//!   one of its kind. Where `uniqueItems` must not hold, no array is there for having equal items.
//!   (By [`Reading::Open`] all of this is refused.)
//! - A text with `pattern` or `format` and `maxLength` has at most 1024 characters, or as many as
//!   some thousand states can count, 64 at least; `minLength`, `maxLength` and the like count up to
//!   1048576.
//! - `format`: `date`, `time`, `date-time`, `duration`, `email`, `hostname`, `ipv4`, `ipv6`,
//!   `uuid`, `uri`, `json-pointer`, `relative-json-pointer`, as `schema/format.rs` bounds them, and
//!   `int32`. Where one must not hold, the text is none that anyone might take for it.
//! - Where `additionalProperties`, `patternProperties` or `propertyNames` must not hold for members
//!   without names, one that is wrong by its name comes last, and all are that are wrong by their
//!   value (by [`Reading::Open`] the second is refused).
//!
//! Refused where it is not simple, by name:
//!
//! - `minProperties` that asks for five members or more beyond those with names; `uniqueItems` for
//!   items with places of their own, but for up to 10 values in all or one item, for objects that
//!   must have two members without names, and for values of `enum` and `const` with more digits
//!   than are counted; more than 16 patterns of names for one object.
//! - More than four of `contains` and of its like for one array, or beside `uniqueItems` more than
//!   that one item is there; unevaluated ones beside `enum` or `const` with objects or arrays.
//! - `$dynamicRef` and `$recursiveRef` to one of several anchors, of which none is the root's.
//! - `pattern` that looks behind, or ahead but at its start (`^(?!a)...`), references to groups,
//!   word boundaries, Unicode properties, flags of groups but for `i` around ASCII letters.
//! - `multipleOf` with more than 15 digits after the point, or above 250 units of its last digit
//!   without near limits (trailing zeros aside).
//! - What would negate (`not`, `if` with `else`, a `oneOf` whose schemas might hold together)
//!   an unevaluated one, or an array or object of `enum` and `const`; or `uniqueItems`, where
//!   nothing else is left.
//! - References to elsewhere, or to a schema's own value without end; other drafts.
//!
//! By [`Reading::Relaxed`] nothing of this is refused: the keyword is left out, and noted.
//!
//! Without effect: `title`, `description`, `default`, `examples`, `example`, `deprecated`,
//! `readOnly`, `writeOnly`, `$comment`, `$vocabulary`, `contentEncoding`, `contentMediaType`,
//! `contentSchema`, names that begin with `x-`; of formats `int64`, `float`, `double`, `password`.
//!
//! # How
//!
//! [`document`] reads the source; [`keyword`] knows the keywords. What is asked of a value is a set
//! of [`literal`]s, which [`expand`] turns into alternatives without choices, [`limits`] sums up
//! and the modules of the types write down. Each set is one rule, so that references may go round.

mod ahead;
mod array;
mod contains;
mod decimal;
mod document;
mod empty;
mod evaluate;
mod expand;
mod exponent;
mod format;
mod keyword;
mod limits;
mod literal;
mod member;
mod names;
mod notes;
mod number;
mod object;
mod ordered;
mod reference;
mod regex;
mod shared;
mod text;
mod unevaluated;
mod unordered;
mod uri;
mod value;

use super::ast::{Builder, List, Node, Rule};
use super::compile::{Grammar, compile_with};
use super::error::{GrammarError, GrammarErrorKind};
use super::json::{Parts, Space, document_parts};
use super::keys::{self, Key, Keys};
use super::space::{At, End, Rows, Word};
use super::work::Work;
use evaluate::Writer;
use expand::Facts;
use keyword::{ARRAY, BOOLEAN, Draft, FRACTION, INTEGER, Keyword, NULL, OBJECT, STRING};
use literal::{Literal, Says, Set};
use member::Renamed;
use names::Named;
pub use notes::{Note, NoteKind, Notes};
use text::Texts;
use unordered::{InOrder, PutOffs};
use value::{Json, Value, ValueRecord};

/// Sets of literals in all.
const MAX_SETS: u32 = 4096;

const BUCKETS: usize = 64;

/// Values that are written where they are asked for: more are a rule of their own.
const MAX_INLINE: u32 = 16;

/// How a schema is read where it leaves something open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// As people mean it: beside `properties` there are no others where `additionalProperties` does
    /// not say so, and without `type` a value has one of the types that the keywords are about.
    Closed,
    /// As the drafts have it: what is not forbidden is allowed.
    Open,
    /// As [`Self::Closed`], where that can be held exactly, and more than that elsewhere: a keyword
    /// that cannot be held is left out, and noted. An error is left to what is no schema, allows
    /// nothing, or refers to itself without end.
    Relaxed,
}

/// How a schema is compiled.
#[derive(Clone, Copy, Debug)]
pub struct SchemaOptions {
    /// How it is read.
    pub reading: Reading,
    /// Texts may break lines ([`super::json::pretty`]).
    pub pretty: bool,
    /// Keywords and formats that are not known are errors instead of annotations; not by
    /// [`Reading::Relaxed`].
    pub is_strict: bool,
}

/// Compiles a schema for texts without line breaks, or for `pretty` ones, by [`Reading::Closed`].
pub fn schema<'w>(
    source: &[u8],
    pretty: bool,
    words: &'w mut [u32],
) -> Result<Grammar<'w>, GrammarError> {
    schema_as(source, Reading::Closed, pretty, words)
}

/// Compiles a schema for texts without line breaks, or for `pretty` ones.
pub fn schema_as<'w>(
    source: &[u8],
    reading: Reading,
    pretty: bool,
    words: &'w mut [u32],
) -> Result<Grammar<'w>, GrammarError> {
    let options = SchemaOptions { reading, pretty, is_strict: false };
    schema_with(source, options, &mut Notes::new(), words)
}

/// Compiles a schema, and notes what of it the grammar does not hold.
pub fn schema_with<'w>(
    source: &[u8],
    options: SchemaOptions,
    notes: &mut Notes,
    words: &'w mut [u32],
) -> Result<Grammar<'w>, GrammarError> {
    let mut work = Work::new();
    let mut open = options.reading == Reading::Open;
    loop {
        notes.restart();
        let made = attempt(source, (options, open), notes, &mut work, words);
        let error = match made.map(|grammar| grammar.len()) {
            Ok(length) => {
                let words = words.get_mut(..length).unwrap_or_default();
                return Ok(Grammar::from_words(words));
            }
            Err(error) => error,
        };
        if options.reading != Reading::Relaxed {
            return Err(error);
        }
        match error.kind {
            GrammarErrorKind::Unsupported(what) if notes.widen(what, error) => {}
            GrammarErrorKind::UnknownRule if notes.widen("a reference to nothing", error) => {}
            GrammarErrorKind::MatchesNothing if !open => open = true,
            GrammarErrorKind::Unsupported(_)
            | GrammarErrorKind::UnknownRule
            | GrammarErrorKind::TooComplex
            | GrammarErrorKind::TooDeep
                if notes.widen(WHOLE, GrammarError::whole(error.kind)) =>
            {
                work = Work::new();
            }
            _ => return Err(error),
        }
    }
}

/// What is widened where nothing less helps.
const WHOLE: &str = "the whole";

/// Compiles a schema without what has been widened.
fn attempt<'w>(
    source: &[u8],
    (options, open): (SchemaOptions, bool),
    notes: &mut Notes,
    work: &mut Work,
    words: &'w mut [u32],
) -> Result<Grammar<'w>, GrammarError> {
    let mut left_out = None;
    let made = compile_with(words, work, |builder, work| {
        let values = document::read(source, builder)?;
        let root = values.at(0);
        let space = if options.pretty { Space::Pretty } else { Space::Compact };
        let (parts, any) = document_parts(builder, space)?;
        let dense = parts.dense();
        let styles = [(parts, Marks::new(parts, builder)?), (dense, Marks::new(dense, builder)?)];
        let [(parts, marks), _] = styles;
        let sets = Keys::begin(&mut builder.space, End::Low, BUCKETS)?;
        let is_relaxed = notes.has_any_widened();
        let is_whole = notes.has_widened_whole();
        let mut compiler = Compiler {
            source,
            source_root: root,
            values,
            builder,
            notes,
            parts,
            marks,
            styles,
            any,
            draft: Draft::Draft202012,
            open,
            is_strict: options.is_strict && options.reading != Reading::Relaxed,
            is_relaxed,
            has_unevaluated: false,
            names: Rows::new(0, 0),
            shared: Default::default(),
            renamed: None,
            formats: Default::default(),
            work,
            sets,
            set_count: 0,
            in_order: InOrder::default(),
            put_off: PutOffs::default(),
            once: None,
            left_out: None,
        };
        if is_whole {
            return compiler.any_of_type(root);
        }
        compiler.find_draft(root)?;
        compiler.list_names()?;
        compiler.begin_sharing()?;
        compiler.has_unevaluated = compiler.has_unevaluated();
        let rule = compiler.root(root);
        left_out = compiler.left_out;
        rule
    });
    // Where nothing is left, it is for that.
    made.map_err(|error| match error.kind {
        GrammarErrorKind::MatchesNothing => left_out.unwrap_or(error),
        _ => error,
    })
}

const fn syntax(what: &'static str, at: usize) -> GrammarError {
    GrammarError::new(GrammarErrorKind::Syntax(what), at, 1)
}

const fn too_complex() -> GrammarError {
    GrammarError::whole(GrammarErrorKind::TooComplex)
}

/// What is between the parts of arrays and objects.
#[derive(Clone, Copy)]
struct Marks {
    /// White space inside brackets.
    white: Node,
    /// With the white space behind it.
    comma: Node,
    /// The same.
    colon: Node,
}

impl Marks {
    fn new(parts: Parts, builder: &mut Builder<'_>) -> Result<Self, GrammarError> {
        Ok(Self {
            white: parts.white(builder)?,
            comma: parts.separator(builder, b',')?,
            colon: parts.separator(builder, b':')?,
        })
    }
}

struct Compiler<'s, 'b, 'w> {
    source: &'s [u8],
    source_root: Value,
    /// The source's values.
    values: Rows<ValueRecord>,
    builder: &'b mut Builder<'w>,
    notes: &'b mut Notes,
    parts: Parts,
    marks: Marks,
    /// The same of values that are written in several ways, and of those that are in one.
    styles: [(Parts, Marks); 2],
    /// Any value.
    any: Rule,
    draft: Draft,
    open: bool,
    is_strict: bool,
    /// Some keywords are left out.
    is_relaxed: bool,
    /// What schemas evaluate matters.
    has_unevaluated: bool,
    /// What schemas are called.
    names: Rows<Named>,
    shared: shared::Shared,
    /// The schema that was last taken for a member's.
    renamed: Option<At<Renamed>>,
    formats: format::Rules,
    work: &'b mut Work,
    /// Sets of literals, in the order in which they were met, each with its rule.
    sets: Keys,
    set_count: u32,
    /// Stacks of the objects in order of the set that is being expanded, but for those put off.
    in_order: InOrder,
    /// The first and the last of its objects whose members may come in any order, where there is
    /// room.
    put_off: PutOffs,
    /// Why its values are written in one way only.
    once: Option<Value>,
    /// What is not allowed only because it cannot be told, if there is something.
    left_out: Option<GrammarError>,
}

impl Compiler<'_, '_, '_> {
    /// Which draft the schema names; 2020-12 where it names none.
    fn find_draft(&mut self, root: Value) -> Result<(), GrammarError> {
        let Some(named) = self.value_of(root, Keyword::Schema) else { return Ok(()) };
        let found = Draft::named(self.string(named)).filter(|_| self.json(named) == Json::String);
        let unknown = GrammarErrorKind::Unsupported("this draft");
        self.draft = found.ok_or(self.value_error(unknown, named))?;
        Ok(())
    }

    /// Any object where the schema is of nothing else, or any value.
    fn any_of_type(&mut self, root: Value) -> Result<Rule, GrammarError> {
        let of = self.value_of(root, Keyword::Type).map(|member| self.types_of_keyword(member));
        if of.transpose()? != Some(OBJECT) {
            return Ok(self.any);
        }
        let tree = self.parts.any_object(self.builder, self.any)?;
        self.rule_of_tree(tree)
    }

    fn note(&mut self, kind: NoteKind, what: &'static str, place: GrammarError) {
        let GrammarError { offset, length, .. } = place;
        self.notes.add(Note { kind, what, offset, length }, self.source);
    }

    /// The rule of the whole; sets are expanded one after the other, as they are met.
    fn root(&mut self, root: Value) -> Result<Rule, GrammarError> {
        let mut set = Set::new();
        set.hold(root)?;
        let rule = self.rule_of(set)?;
        let mut next = self.sets.first;
        while let Some(at) = next {
            let mut set = Set::new();
            for &word in keys::words(&self.builder.space, at) {
                set.push(Literal::from_word(word))?;
            }
            let mut list = self.builder.alternatives_list();
            (self.in_order, self.put_off) = (InOrder::default(), PutOffs::default());
            self.once = set.as_slice().iter().find_map(|literal| literal.once());
            let [usual, dense] = self.styles;
            (self.parts, self.marks) = if self.once.is_some() { dense } else { usual };
            self.expand(&mut Facts::new(set), 0, &mut list)?;
            self.make_put_off(&mut list)?;
            let tree = list.finish(self.builder)?;
            let Key { value, next: after, .. } = self.builder.space.read(at);
            self.builder.define(Rule(value), tree);
            next = after;
        }
        Ok(rule)
    }

    /// The rule of a set, to be expanded later.
    fn rule_of(&mut self, set: Set) -> Result<Rule, GrammarError> {
        let mut set = self.with_first_alike(set)?;
        if let Some(keyword) = self.once {
            set.push(Literal::written_once(keyword))?;
        }
        set.sort();
        let holds_for_all = |literal: &Literal| {
            literal.says() == Says::Holds && self.json(literal.value()) == Json::True
        };
        if set.as_slice().iter().all(holds_for_all) {
            return Ok(self.any);
        }
        let words = set.as_slice().iter().map(|literal| literal.to_word());
        let search = self.sets.find(&self.builder.space, words.clone());
        self.work.spend(search.steps)?;
        if let Some(known) = search.found {
            return Ok(Rule(self.builder.space.read(known).value));
        }
        if self.set_count == MAX_SETS {
            return Err(too_complex());
        }
        self.set_count += 1;
        let first = set.get(0).map_or(0, |literal| self.offset(literal.value()));
        let rule = self.builder.rule(first, 1)?;
        let at = self.sets.add(&mut self.builder.space, search, (set.len(), rule.0))?;
        self.builder.space.set_all(at.behind(), words);
        Ok(rule)
    }

    /// The values that a set allows: a few as they are, so that what they have in common is written
    /// before it is known which it will be; others as a rule.
    fn node_of(&mut self, set: Set) -> Result<Node, GrammarError> {
        if let Some(values) = self.finite(&set)
            && (self.keyword(values) == Keyword::Const || self.count(values) <= MAX_INLINE)
        {
            let mut list = self.builder.alternatives_list();
            self.push_values(values, &set, &mut list)?;
            return list.finish(self.builder);
        }
        let rule = self.rule_of(set)?;
        self.builder.call(rule)
    }

    /// A value of the source.
    fn node_of_value(&mut self, value: Value) -> Result<Node, GrammarError> {
        let mut writer = Writer::new(self.builder);
        self.write(value, &mut writer)?;
        writer.finish(self.builder)
    }

    /// Appends what a set without choices allows.
    #[inline(never)]
    fn leaf(&mut self, set: &Set, list: &mut List) -> Result<(), GrammarError> {
        let limits = self.limits(set)?;
        let mut types = limits.types;
        if limits.is_free {
            let Some(keyword) = self.once else {
                let any = self.builder.call(self.any)?;
                return list.push(self.builder, any);
            };
            self.may_narrow("this keyword with items that may be anything", keyword)?;
            types &= !(OBJECT | ARRAY);
        }
        if !self.open && !limits.is_typed && limits.about != 0 {
            types &= limits.about;
        }
        self.require_negatable(set, types)?;
        if types & OBJECT != 0 {
            self.object(set, &limits, list)?;
        }
        if types & ARRAY != 0 {
            let node = self.array(set, &limits)?;
            list.push(self.builder, node)?;
        }
        if types & STRING != 0 {
            let is_any_length = limits.length == (0, u32::MAX);
            let is_shared = is_any_length && self.once.is_none();
            let formatted = if is_shared { self.formatted(set)? } else { None };
            let node = match formatted {
                Some(node) => node,
                None => {
                    let mut texts = Texts::begin(self.builder);
                    self.text_parts(&mut texts, set)?;
                    self.string_of(texts, limits.length)?
                }
            };
            list.push(self.builder, node)?;
        }
        if types & (INTEGER | FRACTION) != 0 {
            self.numbers(types & (INTEGER | FRACTION), set, &limits, list)?;
        }
        let words: [(u32, Json, &[u8]); 3] = [
            (BOOLEAN, Json::True, b"true"),
            (BOOLEAN, Json::False, b"false"),
            (NULL, Json::Null, b"null"),
        ];
        for (of, json, word) in words {
            if types & of != 0 && !self.is_excluded(set, json) {
                let node = self.builder.literal(word)?;
                list.push(self.builder, node)?;
            }
        }
        Ok(())
    }

    /// Whether less may be allowed than a schema says, where a keyword would be refused otherwise.
    fn may_narrow(&self, what: &'static str, keyword: Value) -> Result<(), GrammarError> {
        if self.open { Err(self.unsupported(what, keyword)) } else { Ok(()) }
    }

    /// A string of the gathered expressions, of a range of lengths.
    fn string_of(
        &mut self,
        mut texts: Texts,
        (min, max): limits::Range,
    ) -> Result<Node, GrammarError> {
        let is_free = texts.is_free();
        let mut characters = self.builder.alternatives(&[])?;
        if !is_free && min <= max {
            characters = texts.tree(self.builder, self.work, (min, max))?;
        }
        // Only now may rules be made, whose records are where the expressions were.
        texts.release(self.builder);
        if is_free && min <= max {
            let character = match self.once {
                Some(_) => text::character(self.builder)?,
                None => self.parts.character(),
            };
            characters = self.builder.repeat(character, min, max)?;
        }
        self.parts.quoted(self.builder, characters)
    }

    /// Shows the values that must not be.
    fn excluded(&self, set: &Set, visit: &mut dyn FnMut(Value, Value)) {
        for literal in set.as_slice().iter().filter(|literal| literal.says() == Says::Not) {
            let keyword = literal.value();
            if !matches!(self.keyword(keyword), Keyword::Enum | Keyword::Const) {
                continue;
            }
            let mut next = self.first_value(keyword);
            while let Some(value) = next {
                visit(keyword, value);
                next = self.value_after(value, keyword);
            }
        }
    }

    fn is_excluded(&self, set: &Set, json: Json) -> bool {
        let mut is_excluded = false;
        self.excluded(set, &mut |_, value| is_excluded |= self.json(value) == json);
        is_excluded
    }

    /// Refuses arrays and objects that must not be, where arrays or objects may.
    fn require_negatable(&self, set: &Set, types: u32) -> Result<(), GrammarError> {
        let mut found = None;
        self.excluded(set, &mut |keyword, value| {
            if self.type_of(value) & types & (ARRAY | OBJECT) != 0 {
                found = Some(keyword);
            }
        });
        match found {
            Some(keyword) => Err(self.unsupported("the negation of an array or object", keyword)),
            None => Ok(()),
        }
    }
}
