//! The keywords: their names, what types they are about, what their values must be.

use super::super::error::{GrammarError, GrammarErrorKind};
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

/// What a keyword's value must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Any,
    String,
    Number,
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
    ($($name:ident $text:literal $form:ident $about:expr,)*) => {
        /// A name of a schema's member.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Keyword {
            Unknown,
            /// Without effect.
            Annotation,
            $($name,)*
        }

        const KEYWORDS: &[(Keyword, &str, Form, u32)] =
            &[$((Keyword::$name, $text, Form::$form, $about),)*];
    };
}

keywords! {
    Schema "$schema" String 0,
    Ref "$ref" String 0,
    DynamicRef "$dynamicRef" String 0,
    Type "type" Types 0,
    Enum "enum" Array 0,
    Const "const" Any 0,
    AllOf "allOf" Schemas 0,
    AnyOf "anyOf" Schemas 0,
    OneOf "oneOf" Schemas 0,
    Not "not" Schema 0,
    If "if" Schema 0,
    Then "then" Schema 0,
    Else "else" Schema 0,
    Minimum "minimum" Number NUMBER,
    Maximum "maximum" Number NUMBER,
    ExclusiveMinimum "exclusiveMinimum" Number NUMBER,
    ExclusiveMaximum "exclusiveMaximum" Number NUMBER,
    MultipleOf "multipleOf" Number NUMBER,
    MinLength "minLength" Count STRING,
    MaxLength "maxLength" Count STRING,
    Pattern "pattern" String STRING,
    Format "format" String 0,
    PrefixItems "prefixItems" Schemas ARRAY,
    Items "items" SchemaOrSchemas ARRAY,
    AdditionalItems "additionalItems" Schema ARRAY,
    MinItems "minItems" Count ARRAY,
    MaxItems "maxItems" Count ARRAY,
    Contains "contains" Schema ARRAY,
    MinContains "minContains" Count ARRAY,
    MaxContains "maxContains" Count ARRAY,
    UnevaluatedItems "unevaluatedItems" Schema ARRAY,
    UniqueItems "uniqueItems" Boolean ARRAY,
    Properties "properties" Members OBJECT,
    PatternProperties "patternProperties" Members OBJECT,
    AdditionalProperties "additionalProperties" Schema OBJECT,
    UnevaluatedProperties "unevaluatedProperties" Schema OBJECT,
    PropertyNames "propertyNames" Schema OBJECT,
    Required "required" Strings OBJECT,
    MinProperties "minProperties" Count OBJECT,
    MaxProperties "maxProperties" Count OBJECT,
    DependentRequired "dependentRequired" Members OBJECT,
    DependentSchemas "dependentSchemas" Members OBJECT,
    Dependencies "dependencies" Members OBJECT,
}

const ANNOTATIONS: [&str; 18] = [
    "title",
    "description",
    "default",
    "examples",
    "example",
    "deprecated",
    "readOnly",
    "writeOnly",
    "$id",
    "$comment",
    "$defs",
    "definitions",
    "$anchor",
    "$dynamicAnchor",
    "contentEncoding",
    "contentMediaType",
    "contentSchema",
    "$vocabulary",
];

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
        KEYWORDS.iter().find(|entry| name.is(entry.1)).map_or(Self::Unknown, |entry| entry.0)
    }

    pub(super) fn from_number(number: usize) -> Self {
        match number.checked_sub(Self::FIRST) {
            Some(index) => KEYWORDS.get(index).map_or(Self::Unknown, |entry| entry.0),
            None if number == 1 => Self::Annotation,
            None => Self::Unknown,
        }
    }

    fn entry(self) -> Option<&'static (Self, &'static str, Form, u32)> {
        KEYWORDS.get((self as usize).checked_sub(Self::FIRST)?)
    }

    /// Whether draft 7 does not know it.
    const fn is_new(self) -> bool {
        matches!(
            self,
            Self::DynamicRef
                | Self::MinContains
                | Self::MaxContains
                | Self::UnevaluatedItems
                | Self::UnevaluatedProperties
        )
    }

    /// Where its value has schemas: whether it is one, and whether its children are.
    pub(super) fn has_schemas(self) -> (bool, bool) {
        match self.entry().map(|entry| entry.2) {
            Some(Form::Schema) => (true, false),
            Some(Form::Schemas | Form::Members) => (false, true),
            Some(Form::SchemaOrSchemas) => (true, true),
            _ => (false, false),
        }
    }

    /// The types that it is about; 0 where it is about all.
    pub(super) fn about(self) -> u32 {
        self.entry().map_or(0, |entry| entry.3)
    }
}

/// A schema's keywords: where the value of each is.
#[derive(Clone, Copy)]
pub(super) struct Keywords([u32; Keyword::FIRST + KEYWORDS.len()]);

impl Keywords {
    pub(super) fn get(&self, keyword: Keyword) -> Option<Value> {
        let word = self.0.get(keyword as usize).copied().unwrap_or(0);
        (word != 0).then_some(Value::from_word(word))
    }
}

impl<'s> Compiler<'s, '_, '_> {
    /// The keywords of a schema that is an object; refuses those that are not known.
    pub(super) fn keywords(&mut self, schema: Value) -> Result<Keywords, GrammarError> {
        let mut keywords = Keywords([0; Keyword::FIRST + KEYWORDS.len()]);
        let mut next = self.first(schema);
        while let Some(member) = next {
            self.work.spend(4)?;
            let keyword = self.keyword(member);
            let Some(place) = keywords.0.get_mut(keyword as usize) else { break };
            if *place != 0 && keyword != Keyword::Annotation && keyword != Keyword::Unknown {
                return Err(self.error(GrammarErrorKind::Syntax("a name is there twice"), member));
            }
            *place = member.to_word();
            next = self.after(member);
        }
        // In draft 7 nothing counts beside a reference.
        if let Some(reference) = keywords.get(Keyword::Ref)
            && self.draft_7
        {
            keywords = Keywords([0; Keyword::FIRST + KEYWORDS.len()]);
            if let Some(place) = keywords.0.get_mut(Keyword::Ref as usize) {
                *place = reference.to_word();
            }
            self.require_form(reference)?;
            return Ok(keywords);
        }
        let mut next = self.first(schema);
        while let Some(member) = next {
            self.require_form(member)?;
            next = self.after(member);
        }
        Ok(keywords)
    }

    /// The value of one keyword, the schema's keywords having been read before.
    pub(super) fn value_of(&mut self, schema: Value, keyword: Keyword) -> Option<Value> {
        if self.json(schema) != Json::Object {
            return None;
        }
        if self.draft_7 && keyword != Keyword::Ref && self.value_of(schema, Keyword::Ref).is_some()
        {
            return None;
        }
        let members = core::iter::successors(self.first(schema), |&member| self.after(member));
        { members }.find(|&member| self.keyword(member) == keyword)
    }

    /// Refuses a keyword that is not known, and one whose value is not what it must be.
    fn require_form(&mut self, member: Value) -> Result<(), GrammarError> {
        let keyword = self.keyword(member);
        if self.draft_7 && keyword.is_new() {
            return Err(self.unsupported("this keyword", member));
        }
        let Some(&(_, _, form, _)) = keyword.entry() else {
            if keyword == Keyword::Annotation {
                return Ok(());
            }
            return Err(self.unsupported("this keyword", member));
        };
        let json = self.json(member);
        let fits = match form {
            Form::Any => true,
            Form::String => json == Json::String,
            Form::Number => json == Json::Number,
            Form::Count => return self.count_of(member).map(drop),
            Form::Boolean => matches!(json, Json::True | Json::False),
            Form::Schema => matches!(json, Json::Object | Json::True | Json::False),
            Form::SchemaOrSchemas => json != Json::Null && json as u32 != Json::Number as u32,
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
