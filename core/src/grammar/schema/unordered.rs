//! Objects whose members come in any order: which of those with names have come is kept with the
//! text in progress, a bit each ([`super::super::automaton::Role`]).
//!
//! A rule has the members twice: the first one, and each after a comma. What must still come and
//! what may not come again is the matcher's to know.

use super::super::ast::{Node, Rule, UNLIMITED};
use super::super::error::GrammarError;
use super::Compiler;
use super::object::Named;

/// Named members of an object in any order: each that may come next is a stack of its own.
const MAX_UNORDERED: u32 = 24;

/// The same of all alternatives together, which may be gone through side by side.
const MAX_UNORDERED_TOGETHER: u32 = 28;

impl Compiler<'_, '_, '_> {
    /// The object of these members, in any order; `None` where they are too many, or too few for an
    /// order.
    pub(super) fn unordered_members(
        &mut self,
        named: Named,
        other: Option<Node>,
    ) -> Result<Option<Node>, GrammarError> {
        let kinds = named.count + u32::from(other.is_some());
        let together = self.unordered + named.count;
        if named.count == 0
            || kinds == 1
            || named.count > MAX_UNORDERED
            || together > MAX_UNORDERED_TOGETHER
        {
            return Ok(None);
        }
        self.unordered = together;
        let mut first = self.builder.alternatives_list();
        let mut further = self.builder.alternatives_list();
        let mut required = 0;
        for index in 0..named.count {
            let (member, is_required) = self.named_member(named, index);
            let bit = 1 << index;
            required |= if is_required { bit } else { 0 };
            let (alone, after) = self.member_rules(member)?;
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
        self.parts.bracketed(self.builder, (b'{', b'}'), content, false).map(Some)
    }

    /// The rule of a member, and the one of it after another.
    fn member_rules(&mut self, member: Node) -> Result<(Rule, Rule), GrammarError> {
        let alone = self.rule_of_tree(member)?;
        let (comma, call) = (self.separator(true)?, self.builder.call(alone)?);
        let tree = self.builder.sequence(&[comma, call])?;
        Ok((alone, self.rule_of_tree(tree)?))
    }
}
