//! Schemas that say the same: of several, all but the first are taken for that one, and what is
//! made of it is made once.
//!
//! Compared is what says something about a value, in the order in which it is written. References
//! mean the same everywhere as long as no schema but the root has a name.

use super::super::error::GrammarError;
use super::super::keys::{NO_HASH, mix};
use super::super::space::{At, record};
use super::Compiler;
use super::literal::{Says, Set};
use super::value::{Json, Value};

const BUCKETS: usize = 256;

record! {
    /// A schema that is the first of its kind.
    struct First {
        hash: u32,
        in_bucket: Option<At<First>>,
        schema: Value,
    }
}

/// Where the first schemas of their kind are.
#[derive(Clone, Copy, Default)]
pub(super) struct Shared {
    /// 0 where none is to be taken for another one.
    buckets: usize,
}

impl Compiler<'_, '_, '_> {
    /// Lets schemas be shared, where that can be.
    pub(super) fn begin_sharing(&mut self) -> Result<(), GrammarError> {
        if !self.is_relaxed && self.names_only_root() {
            self.shared.buckets = self.builder.space.take_low(BUCKETS)?;
        }
        Ok(())
    }

    /// The first schema that says the same.
    fn first_alike(&mut self, schema: Value) -> Result<Value, GrammarError> {
        if self.shared.buckets == 0 || self.json(schema) != Json::Object {
            return Ok(schema);
        }
        let hash = self.hash_schema(schema, NO_HASH)?;
        let bucket = self.shared.buckets + (hash >> 16) as usize % BUCKETS;
        let in_bucket = self.builder.space.field(bucket);
        let mut next = in_bucket;
        while let Some(at) = next {
            let First { hash: other, in_bucket, schema: known } = self.builder.space.read(at);
            if other == hash && (known == schema || self.is_alike(known, schema, true)?) {
                return Ok(known);
            }
            next = in_bucket;
        }
        let at = self.builder.space.push_low(First { hash, in_bucket, schema })?;
        self.builder.space.set_field(bucket, Some(at));
        Ok(schema)
    }

    /// The same set, where all of it are schemas that hold.
    pub(super) fn with_first_alike(&mut self, set: Set) -> Result<Set, GrammarError> {
        if set.as_slice().iter().any(|literal| literal.says() != Says::Holds) {
            return Ok(set);
        }
        let mut shared = Set::new();
        for literal in set.as_slice() {
            let schema = self.first_alike(literal.value())?;
            shared.hold(schema)?;
        }
        Ok(shared)
    }

    /// The members that say something, one after the other.
    fn next_said(&self, mut next: Option<Value>) -> Option<Value> {
        while let Some(member) = next.filter(|&member| self.keyword(member).is_silent()) {
            next = self.after(member);
        }
        next
    }

    /// FNV-1a over what is compared.
    fn hash_schema(&mut self, schema: Value, hash: u32) -> Result<u32, GrammarError> {
        if self.json(schema) != Json::Object {
            return self.hash_source(schema, hash);
        }
        self.work.spend(4)?;
        let (mut hash, mut next) = (hash, self.next_said(self.first(schema)));
        while let Some(member) = next {
            hash = mix(hash, self.name_hash(member));
            let (itself, children) = self.keyword(member).has_schemas();
            let json = self.json(member);
            if itself && json == Json::Object {
                hash = self.hash_schema(member, hash)?;
            } else if children && matches!(json, Json::Array | Json::Object) {
                let mut child = self.first(member);
                while let Some(schema) = child {
                    let name = if json == Json::Object { self.name_hash(schema) } else { 1 };
                    hash = self.hash_schema(schema, mix(hash, name))?;
                    child = self.after(schema);
                }
            } else {
                hash = self.hash_source(member, hash)?;
            }
            next = self.next_said(self.after(member));
        }
        Ok(mix(hash, 2))
    }

    /// [`Self::hash_schema`] of a value as it is written.
    fn hash_source(&mut self, value: Value, hash: u32) -> Result<u32, GrammarError> {
        let text = self.source_of(value);
        self.work.spend(4 + text.len() as u64 / 16)?;
        Ok(text.iter().fold(hash, |hash, &byte| mix(hash, byte.into())))
    }

    /// Whether two values say the same, as schemas or as they are written.
    fn is_alike(&mut self, a: Value, b: Value, as_schema: bool) -> Result<bool, GrammarError> {
        self.work.spend(4)?;
        if !as_schema || self.json(a) != Json::Object || self.json(b) != Json::Object {
            return Ok(self.source_of(a) == self.source_of(b));
        }
        let (mut x, mut y) = (self.next_said(self.first(a)), self.next_said(self.first(b)));
        while let (Some(one), Some(other)) = (x, y) {
            let (itself, children) = self.keyword(one).has_schemas();
            let is_same = self.same_name(one, other)
                && match self.json(one) {
                    json if json != self.json(other) => false,
                    Json::Array | Json::Object if children && !(itself && self.is_object(one)) => {
                        self.are_alike(one, other)?
                    }
                    _ => self.is_alike(one, other, itself)?,
                };
            if !is_same {
                return Ok(false);
            }
            (x, y) = (self.next_said(self.after(one)), self.next_said(self.after(other)));
        }
        Ok(x.is_none() && y.is_none())
    }

    fn is_object(&self, value: Value) -> bool {
        self.json(value) == Json::Object
    }

    /// Whether two lists or objects of schemas say the same.
    fn are_alike(&mut self, a: Value, b: Value) -> Result<bool, GrammarError> {
        let is_named = self.is_object(a);
        let (mut x, mut y) = (self.first(a), self.first(b));
        while let (Some(one), Some(other)) = (x, y) {
            if (is_named && !self.same_name(one, other)) || !self.is_alike(one, other, true)? {
                return Ok(false);
            }
            (x, y) = (self.after(one), self.after(other));
        }
        Ok(x.is_none() && y.is_none())
    }
}
