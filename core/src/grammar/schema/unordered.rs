//! Objects whose members come in any order: which of those with names have come is kept with the
//! text in progress, a bit each ([`super::super::automaton::Role`]).
//!
//! A rule has the members twice: the first one, and each after a comma. What must still come and
//! what may not come again is the matcher's to know.

use super::super::ast::{List, Node, Rule, UNLIMITED};
use super::super::error::GrammarError;
use super::super::matcher::MAX_STACKS;
use super::super::space::{At, record};
use super::Compiler;
use super::object::{NamedMember, NamedMembers};
use super::ordered::AT_ONCE;

/// Named members of an object in any order: each that may come next is a stack of its own.
const MAX_UNORDERED: u32 = 24;

/// The same of all alternatives together, which may be gone through side by side.
const MAX_UNORDERED_TOGETHER: u32 = 28;

/// Stacks of all alternatives together: more would have some left out.
const MAX_TOGETHER: u32 = MAX_STACKS as u32;

/// Stacks that objects may take whose named members come in the schema's order.
#[derive(Clone, Copy, Default)]
pub(super) struct InOrder {
    /// As the first member, but for one that all of them share.
    first: u32,
    /// As further ones.
    further: u32,
}

impl InOrder {
    /// Those of an object: named members, those of them that are required, kinds of others.
    pub(super) const fn of(named: u32, required: u32, others: u32) -> Self {
        let further = if named > AT_ONCE { 2 } else { 1 };
        Self { first: if required == 0 { others } else { 0 }, further: further + others }
    }

    pub(super) const fn add(&mut self, other: Self) {
        self.first += other.first;
        self.further += other.further;
    }

    /// Whether there is room for them beside objects in any order that take so many.
    const fn fits(self, objects: u32, unordered: u32) -> bool {
        let shared = if self.further > 0 { 1 } else { 0 };
        // Each object has had a member then.
        let further = self.further + unordered - objects;
        self.first + shared + unordered <= MAX_TOGETHER && further <= MAX_TOGETHER
    }
}

record! {
    /// An object that is put off.
    pub(super) struct PutOff {
        next: Option<At<PutOff>>,
        first: At<NamedMember>,
        count: u32,
        other: Option<Node>,
        is_unordered: bool,
    }
}

/// The first and the last of them.
pub(super) type PutOffs = Option<(At<PutOff>, At<PutOff>)>;

impl PutOff {
    const fn named(&self) -> NamedMembers {
        NamedMembers::new(self.first.word(), self.count)
    }

    fn others(&self) -> u32 {
        u32::from(self.other.is_some())
    }
}

impl Compiler<'_, '_, '_> {
    /// Puts an object off until all alternatives are known: only then it is known how many of them
    /// may have their members in any order.
    pub(super) fn put_off(
        &mut self,
        named: NamedMembers,
        other: Option<Node>,
    ) -> Result<(), GrammarError> {
        self.work.spend(128 * (1 + u64::from(named.len())))?;
        let object = PutOff {
            next: None,
            first: named.at(0),
            count: named.len(),
            other,
            is_unordered: false,
        };
        let at = self.builder.space.push_low(object)?;
        if let Some((_, last)) = self.put_off {
            self.builder.space.update(last, |last| last.next = Some(at));
        }
        self.put_off = Some((self.put_off.map_or(at, |(first, _)| first), at));
        Ok(())
    }

    fn first_put_off(&self) -> Option<At<PutOff>> {
        self.put_off.map(|(first, _)| first)
    }

    /// Appends the objects that have been put off.
    pub(super) fn make_put_off(&mut self, list: &mut List) -> Result<(), GrammarError> {
        self.choose_unordered()?;
        let mut next = self.first_put_off();
        while let Some(at) = next {
            let object = self.builder.space.read(at);
            let node = if object.is_unordered {
                self.unordered_members(object.named(), object.other)?
            } else {
                self.members_in_order(object.named(), object.other)?
            };
            list.push(self.builder, node)?;
            next = object.next;
        }
        Ok(())
    }

    /// Chooses the objects whose members come in any order: as many as there is room for, beside
    /// what the others take in the schema's order.
    fn choose_unordered(&mut self) -> Result<(), GrammarError> {
        let (mut in_order, mut most) = (self.in_order, 0);
        let mut next = self.first_put_off();
        while let Some(at) = next {
            let object = self.builder.space.read(at);
            in_order.add(self.in_order_of(object));
            most = most.max(object.count);
            next = object.next;
        }
        let (mut objects, mut together, mut stacks) = (0, 0, 0);
        for count in 1..=most.min(MAX_UNORDERED) {
            let mut next = self.first_put_off();
            while let Some(at) = next {
                let object = self.builder.space.read(at);
                self.work.spend(1)?;
                next = object.next;
                let kinds = count + object.others();
                if object.count != count || kinds == 1 || together + count > MAX_UNORDERED_TOGETHER
                {
                    continue;
                }
                let own = self.in_order_of(object);
                let others = InOrder {
                    first: in_order.first - own.first,
                    further: in_order.further - own.further,
                };
                if others.fits(objects + 1, stacks + kinds) {
                    in_order = others;
                    (objects, together, stacks) = (objects + 1, together + count, stacks + kinds);
                    self.builder.space.write(at, PutOff { is_unordered: true, ..object });
                }
            }
        }
        Ok(())
    }

    fn in_order_of(&self, object: PutOff) -> InOrder {
        InOrder::of(object.count, self.required_of(object.named()), object.others())
    }

    fn required_of(&self, named: NamedMembers) -> u32 {
        let members = named.iter(&self.builder.space);
        members.filter(|member| member.is_required).count() as u32
    }

    /// The object of these members, in the schema's order.
    fn members_in_order(
        &mut self,
        named: NamedMembers,
        other: Option<Node>,
    ) -> Result<Node, GrammarError> {
        let required = self.required_of(named);
        self.ordered_members(named, required, (0, UNLIMITED), &mut |this, count| match other {
            Some(other) => this.repeated(other, count > 0, (0, UNLIMITED)),
            None => this.builder.empty(),
        })
    }

    /// The object of these members, in any order.
    fn unordered_members(
        &mut self,
        named: NamedMembers,
        other: Option<Node>,
    ) -> Result<Node, GrammarError> {
        let mut first = self.builder.alternatives_list();
        let mut further = self.builder.alternatives_list();
        let mut required = 0;
        for index in 0..named.len() {
            let member = self.named_member(named, index);
            let bit = 1 << index;
            required |= if member.is_required { bit } else { 0 };
            let (alone, after) = self.member_rules(member.tree)?;
            let (alone, after) =
                (self.builder.member(alone, bit)?, self.builder.member(after, bit)?);
            first.push(self.builder, alone)?;
            further.push(self.builder, after)?;
        }
        if let Some(other) = other {
            let (alone, after) = self.member_rules(other)?;
            let (alone, after) = (self.builder.call(alone)?, self.builder.call(after)?);
            first.push(self.builder, alone)?;
            further.push(self.builder, after)?;
        }
        let (first, further) = (first.finish(self.builder)?, further.finish(self.builder)?);
        let further = self.builder.repeat(further, 0, UNLIMITED)?;
        let tree = self.builder.sequence(&[first, further])?;
        let rule = self.rule_of_tree(tree)?;
        let mut content = self.builder.set(rule, required)?;
        if required == 0 {
            content = self.builder.optional(content)?;
        }
        self.parts.bracketed(self.builder, (b'{', b'}'), content, false)
    }

    /// The rule of a member, and the one of it after another.
    fn member_rules(&mut self, member: Node) -> Result<(Rule, Rule), GrammarError> {
        let alone = self.rule_of_tree(member)?;
        let (comma, call) = (self.separator(true)?, self.builder.call(alone)?);
        let tree = self.builder.sequence(&[comma, call])?;
        Ok((alone, self.rule_of_tree(tree)?))
    }
}
