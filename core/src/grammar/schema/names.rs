//! The names that schemas give themselves: `$id`, `$anchor`, `$dynamicAnchor`. They are listed
//! once, for there may be as many references as schemas.

use super::super::error::GrammarError;
use super::Compiler;
use super::value::{Characters, Json, Value, hash_of};

/// What a name of a schema is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Calls {
    /// An `$id`, up to its fragment.
    Whole,
    /// An `$anchor`, or in draft 7 an `$id` that is a fragment.
    Anchor,
    /// A `$dynamicAnchor`.
    Dynamic,
}

/// The names of schemas, in words of the space.
#[derive(Clone, Copy, Default)]
pub(super) struct Names {
    at: usize,
    count: u32,
}

/// What it is, the schema, the one from which it counts, where its text is, the text's hash.
const NAME_WORDS: usize = 5;

impl<'s> Compiler<'s, '_, '_> {
    /// Lists the names that schemas in the source have.
    pub(super) fn list_names(&mut self) -> Result<(), GrammarError> {
        self.names = Names { at: self.builder.space.low(), count: 0 };
        self.list_names_in(self.source_root, self.source_root)
    }

    fn list_names_in(&mut self, schema: Value, base: Value) -> Result<(), GrammarError> {
        self.work.spend(4)?;
        if self.json(schema) != Json::Object {
            return Ok(());
        }
        let own = self.identifier(schema).filter(|_| !self.is_ignored(schema));
        let base = if own.is_some() { schema } else { base };
        let mut next = self.first(schema);
        while let Some(member) = next {
            next = self.after(member);
            let name = self.name(member);
            let calls = if name.is("$id") && own.is_some() {
                Some(Calls::Whole)
            } else if name.is(if self.draft_7 { "$id" } else { "$anchor" }) {
                Some(Calls::Anchor)
            } else {
                name.is("$dynamicAnchor").then_some(Calls::Dynamic)
            };
            if let (Some(calls), Json::String) = (calls, self.json(member)) {
                let hash = hash_of(self.text_called(calls, member));
                let words =
                    [calls as u32, schema.to_word(), base.to_word(), member.to_word(), hash];
                let at = self.builder.space.take_low(NAME_WORDS)?;
                (at..).zip(words).for_each(|(at, word)| self.builder.space.set(at, word));
                self.names.count += 1;
            }
            let (itself, children) = self.keyword(member).has_schemas();
            if itself {
                self.list_names_in(member, base)?;
            }
            let is_list = name.is("$defs") || name.is("definitions");
            if !is_list && (!children || (itself && self.json(member) != Json::Array)) {
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

    /// The text of a name that counts.
    fn text_called(&self, calls: Calls, member: Value) -> impl Iterator<Item = u32> + use<'s> {
        // An `$id` that is an anchor begins with what begins a fragment.
        let skipped = usize::from(calls == Calls::Anchor && self.draft_7);
        let end = (calls == Calls::Whole).then_some(u32::from(b'#'));
        self.string(member).characters().skip(skipped).take_while(move |&point| Some(point) != end)
    }

    /// The schema that is called so, of those that count from `base`.
    pub(super) fn schema_called(
        &mut self,
        calls: Calls,
        base: Option<Value>,
        name: impl Iterator<Item = u32> + Clone,
    ) -> Result<Option<Value>, GrammarError> {
        let hash = hash_of(name.clone());
        for index in 0..self.names.count as usize {
            self.work.spend(1)?;
            let at = self.names.at + index * NAME_WORDS;
            let [of, schema, from, member, own] =
                [0, 1, 2, 3, 4].map(|word| self.builder.space.get(at + word));
            if (of, own) == (calls as u32, hash)
                && base.is_none_or(|base| base.to_word() == from)
                && self.text_called(calls, Value::from_word(member)).eq(name.clone())
            {
                return Ok(Some(Value::from_word(schema)));
            }
        }
        Ok(None)
    }

    /// Refuses a dynamic reference to one of several anchors of the same name: which one it means
    /// depends on the way to it.
    pub(super) fn require_only(
        &mut self,
        reference: Value,
        name: Characters<'s>,
    ) -> Result<(), GrammarError> {
        let hash = hash_of(name);
        let mut count = 0;
        for index in 0..self.names.count as usize {
            self.work.spend(1)?;
            let at = self.names.at + index * NAME_WORDS;
            let [of, own] = [0, 4].map(|word| self.builder.space.get(at + word));
            count += u32::from((of, own) == (Calls::Dynamic as u32, hash));
        }
        match count {
            0 | 1 => Ok(()),
            _ => Err(self.unsupported("one of several dynamic anchors", reference)),
        }
    }
}
