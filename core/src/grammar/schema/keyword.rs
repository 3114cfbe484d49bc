//! The keywords: their names, what types they are about, what their values must be.

use super::super::error::{GrammarError, GrammarErrorKind};
use super::super::space::Word;
use super::decimal::{Decimal, ONE};
use super::value::{Json, Text, Value};
use super::{Compiler, syntax};

/// Types, a bit each; a number that is no integer is one of its own.
pub(super) const NULL: u32 = 1;
pub(super) const BOOLEAN: u32 = 2;
pub(super) const STRING: u32 = 4;
pub(super) const INTEGER: u32 = 8;
pub(super) const FRACTION: u32 = 16;
pub(super) const ARRAY: u32 = 32;
pub(super) const OBJECT: u32 = 64;
pub(super) const ALL_TYPES: u32 = 127;
const NUMBER: u32 = INTEGER | FRACTION;

/// Largest count of items, members or characters.
const MAX_COUNT: u32 = 1 << 20;

/// The drafts, oldest first. Each knows the keywords that it lists and no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Draft4,
    Draft6,
    Draft7,
    Draft201909,
    Draft202012,
}

use Draft::{Draft4, Draft6, Draft7, Draft201909, Draft202012};

/// How `$schema` names each draft, without scheme and fragment.
const DRAFTS: [(Draft, &str); 6] = [
    (Draft4, "json-schema.org/draft-04/schema"),
    (Draft6, "json-schema.org/draft-06/schema"),
    (Draft7, "json-schema.org/draft-07/schema"),
    (Draft201909, "json-schema.org/draft/2019-09/schema"),
    (Draft202012, "json-schema.org/draft/2020-12/schema"),
    (Draft202012, "json-schema.org/schema"),
];

impl Draft {
    /// The draft that a `$schema` names.
    pub(super) fn named(name: Text<'_>) -> Option<Self> {
        let is = |scheme: &str, rest: &str| {
            let whole = scheme.chars().chain(rest.chars()).map(u32::from);
            name.before('#').eq(whole)
        };
        let found = DRAFTS.iter().find(|(_, rest)| is("http://", rest) || is("https://", rest));
        found.map(|&(draft, _)| draft)
    }

    /// Whether nothing counts beside a reference.
    pub(super) fn refers_alone(self) -> bool {
        self <= Draft7
    }
}

/// What a keyword's value must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Any,
    /// Anything, and it says nothing about a value.
    Note,
    /// Schemas that others refer to.
    Definitions,
    String,
    Number,
    /// A number, or as draft 4 has it whether the limit itself is left out.
    Limit,
    Count,
    Boolean,
    Schema,
    Schemas,
    SchemaOrSchemas,
    Members,
    Array,
    Strings,
    Types,
}

macro_rules! keywords {
    ($($name:ident $text:literal $form:ident $about:ident $since:ident,)*) => {
        /// A name of a schema's member.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Keyword {
            /// The draft does not know it: without effect, and told.
            Unknown,
            /// Without effect.
            Annotation,
            $($name,)*
        }

        const KEYWORDS: &[Entry] = &[$(Entry {
            keyword: Keyword::$name,
            text: $text,
            form: Form::$form,
            about: $about,
            since: $since,
        },)*];
    };
}

/// What there is to know of a keyword.
struct Entry {
    keyword: Keyword,
    text: &'static str,
    form: Form,
    /// The types that it is about; 0 where it is about all.
    about: u32,
    /// The first draft that knows it.
    since: Draft,
}

const ANY: u32 = 0;

keywords! {
    Schema "$schema" Note ANY Draft4,
    OldId "id" Note ANY Draft4,
    Id "$id" Note ANY Draft6,
    Anchor "$anchor" Note ANY Draft201909,
    DynamicAnchor "$dynamicAnchor" Note ANY Draft202012,
    RecursiveAnchor "$recursiveAnchor" Note ANY Draft201909,
    Defs "$defs" Definitions ANY Draft4,
    Definitions "definitions" Definitions ANY Draft4,
    Ref "$ref" String ANY Draft4,
    DynamicRef "$dynamicRef" String ANY Draft202012,
    RecursiveRef "$recursiveRef" String ANY Draft201909,
    Type "type" Types ANY Draft4,
    Enum "enum" Array ANY Draft4,
    Const "const" Any ANY Draft6,
    AllOf "allOf" Schemas ANY Draft4,
    AnyOf "anyOf" Schemas ANY Draft4,
    OneOf "oneOf" Schemas ANY Draft4,
    Not "not" Schema ANY Draft4,
    If "if" Schema ANY Draft7,
    Then "then" Schema ANY Draft7,
    Else "else" Schema ANY Draft7,
    Minimum "minimum" Number NUMBER Draft4,
    Maximum "maximum" Number NUMBER Draft4,
    ExclusiveMinimum "exclusiveMinimum" Limit NUMBER Draft4,
    ExclusiveMaximum "exclusiveMaximum" Limit NUMBER Draft4,
    MultipleOf "multipleOf" Number NUMBER Draft4,
    MinLength "minLength" Count STRING Draft4,
    MaxLength "maxLength" Count STRING Draft4,
    Pattern "pattern" String STRING Draft4,
    Format "format" String ANY Draft4,
    PrefixItems "prefixItems" Schemas ARRAY Draft202012,
    Items "items" SchemaOrSchemas ARRAY Draft4,
    AdditionalItems "additionalItems" Schema ARRAY Draft4,
    MinItems "minItems" Count ARRAY Draft4,
    MaxItems "maxItems" Count ARRAY Draft4,
    Contains "contains" Schema ARRAY Draft6,
    MinContains "minContains" Count ARRAY Draft201909,
    MaxContains "maxContains" Count ARRAY Draft201909,
    UnevaluatedItems "unevaluatedItems" Schema ARRAY Draft201909,
    UniqueItems "uniqueItems" Boolean ARRAY Draft4,
    Properties "properties" Members OBJECT Draft4,
    PatternProperties "patternProperties" Members OBJECT Draft4,
    AdditionalProperties "additionalProperties" Schema OBJECT Draft4,
    UnevaluatedProperties "unevaluatedProperties" Schema OBJECT Draft201909,
    PropertyNames "propertyNames" Schema OBJECT Draft6,
    Required "required" Strings OBJECT Draft4,
    MinProperties "minProperties" Count OBJECT Draft4,
    MaxProperties "maxProperties" Count OBJECT Draft4,
    DependentRequired "dependentRequired" Members OBJECT Draft201909,
    DependentSchemas "dependentSchemas" Members OBJECT Draft201909,
    Dependencies "dependencies" Members OBJECT Draft4,
}

const ANNOTATIONS: [&str; 13] = [
    "title",
    "description",
    "default",
    "examples",
    "example",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$comment",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "$vocabulary",
];

impl Word for Keyword {
    fn from_word(word: u32) -> Self {
        match (word as usize).checked_sub(Self::FIRST) {
            Some(index) => KEYWORDS.get(index).map_or(Self::Unknown, |entry| entry.keyword),
            None if word == 1 => Self::Annotation,
            None => Self::Unknown,
        }
    }

    fn to_word(self) -> u32 {
        self as u32
    }
}

impl Keyword {
    /// The first two have no entry.
    const FIRST: usize = 2;

    pub(super) fn named(name: Text<'_>) -> Self {
        if ANNOTATIONS.iter().any(|&text| name.is(text)) {
            return Self::Annotation;
        }
        // Names that begin so are kept free for whoever needs one.
        if name.characters().take(2).eq([u32::from(b'x'), u32::from(b'-')]) {
            return Self::Annotation;
        }
        KEYWORDS.iter().find(|entry| name.is(entry.text)).map_or(Self::Unknown, |e| e.keyword)
    }

    fn entry(self) -> Option<&'static Entry> {
        KEYWORDS.get((self as usize).checked_sub(Self::FIRST)?)
    }

    /// What it is in a draft.
    pub(super) fn of(self, draft: Draft) -> Self {
        let is_known = match self {
            Self::OldId => draft == Draft4,
            Self::RecursiveRef | Self::RecursiveAnchor => draft == Draft201909,
            _ => self.entry().is_none_or(|entry| entry.since <= draft),
        };
        if is_known { self } else { Self::Unknown }
    }

    /// Whether it says nothing about a value.
    pub(super) fn is_silent(self) -> bool {
        self.entry().is_none_or(|entry| matches!(entry.form, Form::Note | Form::Definitions))
    }

    /// Where its value has schemas: whether it is one, and whether its children are.
    pub(super) fn has_schemas(self) -> (bool, bool) {
        match self.entry().map(|entry| entry.form) {
            Some(Form::Schema) => (true, false),
            Some(Form::Schemas | Form::Members | Form::Definitions) => (false, true),
            Some(Form::SchemaOrSchemas) => (true, true),
            _ => (false, false),
        }
    }

    /// The types that it is about; 0 where it is about all.
    pub(super) fn about(self) -> u32 {
        self.entry().map_or(ANY, |entry| entry.about)
    }
}

/// A schema's keywords: where the value of each is.
#[derive(Clone, Copy)]
pub(super) struct Keywords([Option<Value>; Keyword::FIRST + KEYWORDS.len()]);

impl Keywords {
    pub(super) fn get(&self, keyword: Keyword) -> Option<Value> {
        self.0.get(keyword as usize).copied().flatten()
    }
}

impl<'s> Compiler<'s, '_, '_> {
    /// The keywords of a schema that is an object.
    pub(super) fn keywords(&mut self, schema: Value) -> Result<Keywords, GrammarError> {
        let none = Keywords([None; Keyword::FIRST + KEYWORDS.len()]);
        let mut keywords = none;
        let mut next = self.first(schema);
        while let Some(member) = next {
            self.work.spend(4)?;
            let keyword = self.keyword(member);
            let is_widened = self.is_widened(member);
            let Some(place) = keywords.0.get_mut(keyword as usize) else { break };
            if place.is_some() && keyword.entry().is_some() {
                return Err(self.error(GrammarErrorKind::Syntax("a name is there twice"), member));
            }
            *place = (!is_widened).then_some(member);
            next = self.after(member);
        }
        if self.is_reference(schema) {
            let reference = keywords.get(Keyword::Ref);
            keywords = none;
            if let (Some(reference), Some(place)) =
                (reference, keywords.0.get_mut(Keyword::Ref as usize))
            {
                *place = Some(reference);
                self.require_form(reference)?;
            }
            return Ok(keywords);
        }
        let mut next = self.first(schema);
        while let Some(member) = next {
            self.require_form(member)?;
            next = self.after(member);
        }
        Ok(keywords)
    }

    /// Refuses a schema with a keyword whose value is not what it must be.
    #[inline(never)]
    pub(super) fn require_forms(&mut self, schema: Value) -> Result<(), GrammarError> {
        self.keywords(schema).map(drop)
    }

    /// The value of one keyword, the schema's keywords having been read before.
    pub(super) fn value_of(&mut self, schema: Value, keyword: Keyword) -> Option<Value> {
        if self.json(schema) != Json::Object || keyword != Keyword::Ref && self.is_reference(schema)
        {
            return None;
        }
        self.member_of(schema, keyword).filter(|&member| !self.is_widened(member))
    }

    /// Whether a schema is a reference beside which nothing counts.
    pub(super) fn is_reference(&self, schema: Value) -> bool {
        self.draft.refers_alone() && self.member_of(schema, Keyword::Ref).is_some()
    }

    fn member_of(&self, schema: Value, keyword: Keyword) -> Option<Value> {
        let mut members = core::iter::successors(self.first(schema), |&member| self.after(member));
        let is_known = keyword.of(self.draft) == keyword;
        members.find(|&member| is_known && self.value(member).keyword == keyword)
    }

    /// Whether a keyword or schema is left out because it cannot be held, or because something that
    /// it is about is.
    pub(super) fn is_widened(&self, member: Value) -> bool {
        if !self.is_relaxed {
            return false;
        }
        let mut children = core::iter::successors(self.first(member), |&item| self.after(item));
        self.notes.has_widened(self.places(member))
            || match self.keyword(member) {
                // What has no pattern any more would be additional.
                Keyword::PatternProperties => {
                    children.any(|child| self.notes.has_widened(self.places(child)))
                }
                Keyword::AdditionalProperties => {
                    let schema = self.parent(member).unwrap_or(member);
                    let patterns = self.member_of(schema, Keyword::PatternProperties);
                    patterns.is_some_and(|patterns| self.is_widened(patterns))
                }
                Keyword::UnevaluatedItems | Keyword::UnevaluatedProperties => true,
                _ => false,
            }
    }

    /// Whether a schema says something that is left out.
    #[inline(never)]
    pub(super) fn has_widened(&self, schema: Value) -> bool {
        let mut members = core::iter::successors(self.first(schema), |&member| self.after(member));
        self.is_relaxed && members.any(|member| self.is_widened(member))
    }

    /// Refuses a keyword whose value is not what it must be.
    fn require_form(&mut self, member: Value) -> Result<(), GrammarError> {
        let Some(&Entry { form, .. }) = self.keyword(member).entry() else { return Ok(()) };
        let json = self.json(member);
        let fits = match form {
            Form::Any | Form::Note | Form::Definitions => true,
            Form::String => json == Json::String,
            Form::Number => json == Json::Number,
            Form::Limit => matches!(json, Json::Number | Json::True | Json::False),
            Form::Count => return self.count_of(member).map(drop),
            Form::Boolean => matches!(json, Json::True | Json::False),
            Form::Schema => matches!(json, Json::Object | Json::True | Json::False),
            Form::SchemaOrSchemas => {
                matches!(json, Json::Object | Json::Array | Json::True | Json::False)
            }
            Form::Members => json == Json::Object,
            Form::Schemas | Form::Array => json == Json::Array,
            Form::Strings => {
                let items = core::iter::successors(self.first(member), |&item| self.after(item));
                json == Json::Array && { items }.all(|item| self.json(item) == Json::String)
            }
            Form::Types => return self.types_of_keyword(member).map(drop),
        };
        if !fits {
            let kind = GrammarErrorKind::Syntax("not the type of its keyword");
            return Err(self.value_error(kind, member));
        }
        if form == Form::Members {
            self.require_distinct(member)?;
        }
        Ok(())
    }

    /// Refuses an object with a name that is there twice.
    fn require_distinct(&mut self, object: Value) -> Result<(), GrammarError> {
        let mut next = self.first(object);
        while let Some(member) = next {
            next = self.after(member);
            let mut other = next;
            while let Some(later) = other {
                self.work.spend(1)?;
                if self.same_name(member, later) {
                    let kind = GrammarErrorKind::Syntax("a name is there twice");
                    return Err(self.error(kind, later));
                }
                other = self.after(later);
            }
        }
        Ok(())
    }

    pub(super) fn number(&self, value: Value) -> Decimal<'s> {
        Decimal::new(self.source_of(value))
    }

    /// A count; most may be more than what can be counted, fewest may not.
    pub(super) fn count_of(&self, member: Value) -> Result<u32, GrammarError> {
        let wrong = syntax("not a whole number up to 1048576", self.offset(member));
        if self.json(member) != Json::Number {
            return Err(wrong);
        }
        let number = self.number(member);
        if !number.is_integer() || number.floor < 0 {
            return Err(wrong);
        }
        let is_most = matches!(
            self.keyword(member),
            Keyword::MaxItems | Keyword::MaxLength | Keyword::MaxProperties | Keyword::MaxContains
        );
        match u32::try_from(number.floor / ONE) {
            Ok(count) if count <= MAX_COUNT => Ok(count),
            _ if is_most => Ok(MAX_COUNT),
            _ => Err(wrong),
        }
    }

    /// The types that `type` names.
    pub(super) fn types_of_keyword(&self, member: Value) -> Result<u32, GrammarError> {
        let one = |value: Value| {
            let name = self.string(value);
            let named = [
                ("null", NULL),
                ("boolean", BOOLEAN),
                ("string", STRING),
                ("integer", INTEGER),
                ("number", NUMBER),
                ("array", ARRAY),
                ("object", OBJECT),
            ];
            let found = { named }.into_iter().find(|(text, _)| name.is(text));
            match found {
                Some((_, types)) if self.json(value) == Json::String => Ok(types),
                _ => {
                    let kind = GrammarErrorKind::Syntax("there is no such type");
                    Err(self.value_error(kind, value))
                }
            }
        };
        if self.json(member) != Json::Array {
            return one(member);
        }
        let mut types = 0;
        let mut next = self.first(member);
        while let Some(item) = next {
            types |= one(item)?;
            next = self.after(item);
        }
        Ok(types)
    }

    /// The type of a value of the source.
    pub(super) fn type_of(&self, value: Value) -> u32 {
        match self.json(value) {
            Json::Null => NULL,
            Json::False | Json::True => BOOLEAN,
            Json::String => STRING,
            Json::Number if self.number(value).is_integer() => INTEGER,
            Json::Number => FRACTION,
            Json::Array => ARRAY,
            Json::Object => OBJECT,
        }
    }
}
