//! The names that schemas give themselves: `$id`, `$anchor`, `$dynamicAnchor`, `$recursiveAnchor`.
//! They are listed once, for there may be as many references as schemas; on the way, what the draft
//! does not know is noted.

use super::super::error::{GrammarError, GrammarErrorKind};
use super::super::keys::hash_of;
use super::super::space::{Rows, Word, record};
use super::keyword::Keyword;
use super::notes::NoteKind;
use super::uri::{self, Uri};
use super::value::{Json, Value};
use super::{Compiler, format};

/// Schemas with URIs around one.
const MAX_BASES: usize = 65;

/// What a name of a schema is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Calls {
    /// An `$id`: a URI.
    Whole,
    /// An `$anchor`, or before there were any an `$id` that is a fragment.
    Anchor,
    /// A `$dynamicAnchor`.
    Dynamic,
    /// A `$recursiveAnchor`, whose name is empty.
    Recursive,
}

const CALLS: [Calls; 4] = [Calls::Whole, Calls::Anchor, Calls::Dynamic, Calls::Recursive];

impl Word for Calls {
    fn from_word(word: u32) -> Self {
        CALLS.get(word as usize).copied().unwrap_or(Self::Whole)
    }

    fn to_word(self) -> u32 {
        self as u32
    }
}

record! {
    /// A name of a schema.
    pub(super) struct Named {
        calls: Calls,
        schema: Value,
        /// The schema from which the name counts.
        base: Value,
        /// Where the name is.
        member: Value,
        hash: u32,
    }
}

impl<'s> Compiler<'s, '_, '_> {
    /// Lists the names that schemas in the source have.
    pub(super) fn list_names(&mut self) -> Result<(), GrammarError> {
        self.names = Rows::begin(&self.builder.space);
        self.list_names_in(self.source_root, self.source_root)
    }

    fn list_names_in(&mut self, schema: Value, base: Value) -> Result<(), GrammarError> {
        self.work.spend(4)?;
        if self.json(schema) != Json::Object {
            return Ok(());
        }
        let is_base = self.identifier(schema).is_some() && !self.is_reference(schema);
        let base = if is_base { schema } else { base };
        let mut next = self.first(schema);
        while let Some(member) = next {
            next = self.after(member);
            self.list_name(schema, base, member)?;
            let (itself, children) = self.keyword(member).has_schemas();
            if itself {
                self.list_names_in(member, base)?;
            }
            if !children || (itself && self.json(member) != Json::Array) {
                continue;
            }
            let mut child = self.first(member);
            while let Some(schema) = child {
                self.list_names_in(schema, base)?;
                child = self.after(schema);
            }
        }
        Ok(())
    }

    /// Lists what a member calls its schema, where it does.
    fn list_name(&mut self, schema: Value, base: Value, member: Value) -> Result<(), GrammarError> {
        let json = self.json(member);
        let calls = match self.keyword(member) {
            Keyword::Unknown => return self.note_unknown("keyword", member, false),
            Keyword::Format if json == Json::String => {
                let is_known = format::is_known(self.string(member));
                return if is_known { Ok(()) } else { self.note_unknown("format", member, true) };
            }
            Keyword::Id | Keyword::OldId if json == Json::String => {
                if base == schema {
                    Calls::Whole
                } else {
                    Calls::Anchor
                }
            }
            Keyword::Anchor if json == Json::String => Calls::Anchor,
            Keyword::DynamicAnchor if json == Json::String => Calls::Dynamic,
            Keyword::RecursiveAnchor if json == Json::True => Calls::Recursive,
            _ => return Ok(()),
        };
        let hash = match calls {
            Calls::Whole => {
                let uri = self.uri_of(schema)?;
                hash_of(uri.iter().map(|&byte| byte.into()))
            }
            _ => hash_of(self.anchor(calls, member)),
        };
        self.names.push(&mut self.builder.space, Named { calls, schema, base, member, hash })
    }

    /// Notes what the draft does not know, or refuses it.
    fn note_unknown(
        &mut self,
        what: &'static str,
        member: Value,
        is_value: bool,
    ) -> Result<(), GrammarError> {
        let kind = GrammarErrorKind::Unsupported(match what {
            "format" => "this format",
            _ => "this keyword",
        });
        let error =
            if is_value { self.value_error(kind, member) } else { self.error(kind, member) };
        if self.is_strict {
            return Err(error);
        }
        self.note(NoteKind::Ignored, what, error);
        Ok(())
    }

    /// Whether no schema has a name but the root.
    pub(super) fn names_only_root(&self) -> bool {
        let mut listed = self.names.iter(&self.builder.space);
        listed.all(|named| named.schema == self.source_root)
    }

    fn listed(&self, index: u32) -> Named {
        self.builder.space.read(self.names.at(index))
    }

    /// The text of a name that is no URI.
    fn anchor(&self, calls: Calls, member: Value) -> impl Iterator<Item = u32> + Clone + use<'s> {
        // An `$id` that is an anchor begins with what begins a fragment.
        let is_old = matches!(self.keyword(member), Keyword::Id | Keyword::OldId);
        let count = if calls == Calls::Recursive { 0 } else { usize::MAX };
        self.string(member).characters().skip(usize::from(is_old)).take(count)
    }

    /// The URI of a schema's base: what it and those around it call themselves.
    pub(super) fn uri_of(&mut self, schema: Value) -> Result<Uri, GrammarError> {
        let mut around = heapless::Vec::<Value, MAX_BASES>::new();
        let mut at = Some(schema);
        while let Some(schema) = at {
            let is_base = self.json(schema) == Json::Object
                && self.identifier(schema).is_some()
                && !self.is_reference(schema);
            if is_base {
                let kind = GrammarErrorKind::TooDeep;
                around.push(schema).map_err(|_| self.value_error(kind, schema))?;
            }
            at = self.parent(schema);
        }
        let mut base = Uri::new();
        while let Some(schema) = around.pop() {
            if let Some(own) = self.identifier(schema) {
                let uri = uri::of_text(own).and_then(|own| uri::resolve(&base, &own));
                base = uri.ok_or(self.unsupported("so long a URI", schema))?;
            }
        }
        Ok(base)
    }

    /// The schema with this URI.
    pub(super) fn schema_with(&mut self, uri: &Uri) -> Result<Option<Value>, GrammarError> {
        let hash = hash_of(uri.iter().map(|&byte| byte.into()));
        for index in 0..self.names.len() {
            self.work.spend(1)?;
            let named = self.listed(index);
            if (named.calls, named.hash) == (Calls::Whole, hash)
                && self.uri_of(named.schema)? == *uri
            {
                return Ok(Some(named.schema));
            }
        }
        // What has no name of its own is called by its place.
        let root = self.source_root;
        Ok((self.uri_of(root)? == *uri).then_some(root))
    }

    /// The schema that is called so, of those that count from `base`.
    pub(super) fn schema_called(
        &mut self,
        calls: Calls,
        base: Value,
        name: impl Iterator<Item = u32> + Clone,
    ) -> Result<Option<Value>, GrammarError> {
        let hash = hash_of(name.clone());
        for index in 0..self.names.len() {
            self.work.spend(1)?;
            let named = self.listed(index);
            if (named.calls, named.hash, named.base) == (calls, hash, base)
                && self.anchor(calls, named.member).eq(name.clone())
            {
                return Ok(Some(named.schema));
            }
        }
        Ok(None)
    }

    /// The schema that a reference by the way to it means, `target` being the one that it names.
    /// The outermost on the way counts: the root's, where that has one. Where it depends on the way
    /// it is refused.
    pub(super) fn outermost(
        &mut self,
        calls: Calls,
        reference: Value,
        target: Value,
        name: impl Iterator<Item = u32> + Clone,
    ) -> Result<Value, GrammarError> {
        let root = self.source_root;
        if let Some(outermost) = self.schema_called(calls, root, name.clone())? {
            return Ok(outermost);
        }
        let (hash, mut count) = (hash_of(name), 0);
        for index in 0..self.names.len() {
            self.work.spend(1)?;
            let named = self.listed(index);
            count += u32::from((named.calls, named.hash) == (calls, hash));
        }
        match count {
            0 | 1 => Ok(target),
            _ => Err(self.unsupported("one of several dynamic anchors", reference)),
        }
    }
}
