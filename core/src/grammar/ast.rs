//! Rules under construction: trees of nodes in the caller's memory, what every front end builds.
//!
//! A node is [`NODE_WORDS`] words: kind, three arguments, the next of the same parent. Heights are
//! kept and limited, so that what walks a tree may call itself.

use super::automaton::{ITEM, LIST, MEMBER, SET, TOO_COSTLY, item_word, list_word};
use super::error::{GrammarError, GrammarErrorKind};
use super::space::Space;

/// No upper limit of a repetition.
pub(super) const UNLIMITED: u32 = u32::MAX;

/// Highest tree. Walks of 128 calls need about 20 KiB of stack.
const MAX_HEIGHT: u32 = 128;

/// Repetitions of up to so many are written out, so that they become part of the automaton around
/// them; what is repeated more often is called and counted.
const MAX_WRITTEN_OUT: u32 = 6;

pub(super) const NODE_WORDS: usize = 5;

/// Words of a rule's record: its tree, where its name is in the source, bytes of the name, flags.
pub(super) const RULE_WORDS: usize = 4;

/// The rule's tree is there.
const DEFINED: u32 = 1;
/// The rule matches the empty text.
pub(super) const NULLABLE: u32 = 2;

/// A tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Node(u32);

impl Node {
    pub(super) const fn to_word(self) -> u32 {
        self.0
    }

    pub(super) const fn from_word(word: u32) -> Self {
        Self(word)
    }
}

/// A rule by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule(pub(super) u32);

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The empty text.
    Empty,
    /// 1 to 4 bytes, lowest first.
    Literal { bytes: [u8; 4], count: usize },
    /// One byte of a range.
    Bytes { low: u8, high: u8 },
    /// One character of a range of code points.
    Characters { low: u32, high: u32 },
    /// All children, in order.
    Sequence,
    /// One of the children.
    Alternatives,
    /// The child, `min` to `max` times, written out.
    Repeat { min: u32, max: u32 },
    /// A rule, `min` to `max` times, called and counted; or as [`super::automaton::Role`] says.
    Call { rule: Rule, min: u32, max: u32 },
    /// What a [`super::graph`] at `table` says.
    Graph { table: usize, states: u32 },
}

const EMPTY: u32 = 0;
const LITERAL: u32 = 1;
const BYTES: u32 = 2;
const CHARACTERS: u32 = 3;
const SEQUENCE: u32 = 4;
const ALTERNATIVES: u32 = 5;
const REPEAT: u32 = 6;
const CALL: u32 = 7;
const GRAPH: u32 = 8;

/// The node has a parent: another one gets a wrapper.
const LINKED: u32 = 1 << 8;
const HEIGHT_SHIFT: u32 = 16;

/// Trees and rules.
pub(super) struct Builder<'w> {
    pub(super) space: Space<'w>,
    rules_top: usize,
    rules: u32,
    /// Where the source asks for items that are all different: the first time.
    pub(super) lists: Option<(u32, u32)>,
    /// There are trees of graphs.
    pub(super) has_graphs: bool,
}

impl<'w> Builder<'w> {
    pub(super) fn new(words: &'w mut [u32]) -> Result<Self, GrammarError> {
        let mut space = Space::new(words);
        // Node 0 is no node, so that 0 ends a list.
        space.take_low(NODE_WORDS)?;
        let rules_top = space.high();
        Ok(Self { space, rules_top, rules: 0, lists: None, has_graphs: false })
    }

    fn add(
        &mut self,
        kind: u32,
        a: u32,
        b: u32,
        c: u32,
        height: u32,
    ) -> Result<Node, GrammarError> {
        if height > MAX_HEIGHT {
            return Err(GrammarError::whole(GrammarErrorKind::TooDeep));
        }
        let at = self.space.take_low(NODE_WORDS)?;
        for (index, word) in [kind | height << HEIGHT_SHIFT, a, b, c].into_iter().enumerate() {
            self.space.set(at + index, word);
        }
        Ok(Node(at as u32))
    }

    fn height(&self, node: Node) -> u32 {
        self.space.get(node.0 as usize) >> HEIGHT_SHIFT
    }

    /// The node, or a wrapper of it where it has a parent already.
    fn link(&mut self, node: Node) -> Result<Node, GrammarError> {
        let head = self.space.get(node.0 as usize);
        if head & LINKED == 0 {
            self.space.set(node.0 as usize, head | LINKED);
            return Ok(node);
        }
        // Once, as a repetition: that has one child, whatever list the child is in.
        let height = self.height(node) + 1;
        self.add(REPEAT | LINKED, node.0, 1, 1, height)
    }

    pub(super) fn empty(&mut self) -> Result<Node, GrammarError> {
        self.add(EMPTY, 0, 0, 0, 1)
    }

    pub(super) fn literal(&mut self, bytes: &[u8]) -> Result<Node, GrammarError> {
        let mut list = self.sequence_list();
        for chunk in bytes.chunks(4) {
            let mut word = [0; 4];
            for (place, byte) in word.iter_mut().zip(chunk) {
                *place = *byte;
            }
            let node = self.add(LITERAL, u32::from_le_bytes(word), chunk.len() as u32, 0, 1)?;
            list.push(self, node)?;
        }
        list.finish(self)
    }

    pub(super) fn bytes(&mut self, low: u8, high: u8) -> Result<Node, GrammarError> {
        self.add(BYTES, low.into(), high.into(), 0, 1)
    }

    pub(super) fn characters(&mut self, low: u32, high: u32) -> Result<Node, GrammarError> {
        self.add(CHARACTERS, low, high, 0, 1)
    }

    pub(super) const fn sequence_list(&self) -> List {
        List { kind: SEQUENCE, first: 0, last: 0, height: 0 }
    }

    pub(super) const fn alternatives_list(&self) -> List {
        List { kind: ALTERNATIVES, first: 0, last: 0, height: 0 }
    }

    pub(super) fn sequence(&mut self, nodes: &[Node]) -> Result<Node, GrammarError> {
        let mut list = self.sequence_list();
        nodes.iter().try_for_each(|&node| list.push(self, node))?;
        list.finish(self)
    }

    pub(super) fn alternatives(&mut self, nodes: &[Node]) -> Result<Node, GrammarError> {
        let mut list = self.alternatives_list();
        nodes.iter().try_for_each(|&node| list.push(self, node))?;
        list.finish(self)
    }

    /// `node`, `min` to `max` times.
    pub(super) fn repeat(&mut self, node: Node, min: u32, max: u32) -> Result<Node, GrammarError> {
        if max == 0 {
            return self.empty();
        }
        let most = if max == UNLIMITED { min } else { max };
        if most <= MAX_WRITTEN_OUT {
            let height = self.height(node) + 1;
            let child = self.link(node)?;
            return self.add(REPEAT, child.0, min, max, height);
        }
        let rule = match self.kind(node) {
            Kind::Call { rule, min: 1, max: 1 } => rule,
            _ => {
                let rule = self.rule(0, 0)?;
                self.define(rule, node);
                rule
            }
        };
        self.add(CALL, rule.0, min, max, 1)
    }

    pub(super) fn optional(&mut self, node: Node) -> Result<Node, GrammarError> {
        self.repeat(node, 0, 1)
    }

    pub(super) fn call(&mut self, rule: Rule) -> Result<Node, GrammarError> {
        self.add(CALL, rule.0, 1, 1, 1)
    }

    /// A call of a rule whose members come in any order, these among them.
    pub(super) fn set(&mut self, rule: Rule, required: u32) -> Result<Node, GrammarError> {
        self.add(CALL, rule.0, required, SET, 1)
    }

    /// A call of a rule that is the member with this bit.
    pub(super) fn member(&mut self, rule: Rule, bit: u32) -> Result<Node, GrammarError> {
        self.add(CALL, rule.0, bit, MEMBER, 1)
    }

    /// A call of a list: `min` to `max` items, all different.
    pub(super) fn list(&mut self, rule: Rule, min: u32, max: u32) -> Result<Node, GrammarError> {
        self.add(CALL, rule.0, list_word(min, max, 0), LIST, 1)
    }

    /// A call of an item of such a list: after fewer than `most` items there is a new one. 0 leaves
    /// that to be found later, as the cost always is.
    pub(super) fn item(&mut self, rule: Rule, most: u32) -> Result<Node, GrammarError> {
        self.add(CALL, rule.0, item_word(most, 0, TOO_COSTLY), ITEM, 1)
    }

    /// The tree of a graph that is written at `table`.
    pub(super) fn graph(&mut self, table: usize, states: u32) -> Result<Node, GrammarError> {
        self.has_graphs = true;
        self.add(GRAPH, table as u32, states, 0, 1)
    }

    /// A new rule without a tree; its name is in the source.
    pub(super) fn rule(&mut self, offset: usize, length: usize) -> Result<Rule, GrammarError> {
        let at = self.space.take_high(RULE_WORDS)?;
        self.space.set(at + 1, offset as u32);
        self.space.set(at + 2, length as u32);
        self.rules += 1;
        Ok(Rule(self.rules - 1))
    }

    pub(super) fn define(&mut self, rule: Rule, node: Node) {
        let at = self.record(rule);
        self.space.set(at, node.0);
        self.space.set(at + 3, DEFINED);
    }

    pub(super) fn is_defined(&self, rule: Rule) -> bool {
        self.space.get(self.record(rule) + 3) & DEFINED != 0
    }

    /// Where in the source the rule's name is, and its length.
    pub(super) fn name(&self, rule: Rule) -> (usize, usize) {
        let at = self.record(rule);
        (self.space.get(at + 1) as usize, self.space.get(at + 2) as usize)
    }

    pub(super) fn tree(&self, rule: Rule) -> Node {
        Node(self.space.get(self.record(rule)))
    }

    pub(super) fn is_nullable_rule(&self, rule: Rule) -> bool {
        self.space.get(self.record(rule) + 3) & NULLABLE != 0
    }

    pub(super) fn set_nullable(&mut self, rule: Rule) {
        let at = self.record(rule) + 3;
        let flags = self.space.get(at);
        self.space.set(at, flags | NULLABLE);
    }

    fn record(&self, rule: Rule) -> usize {
        self.rules_top.saturating_sub((rule.0 as usize + 1) * RULE_WORDS)
    }

    pub(super) const fn rules(&self) -> u32 {
        self.rules
    }

    pub(super) fn kind(&self, node: Node) -> Kind {
        let at = node.0 as usize;
        let [a, b, c] = [1, 2, 3].map(|index| self.space.get(at + index));
        match self.space.get(at) & 0xFF {
            LITERAL => Kind::Literal { bytes: a.to_le_bytes(), count: b as usize },
            BYTES => Kind::Bytes { low: a as u8, high: b as u8 },
            CHARACTERS => Kind::Characters { low: a, high: b },
            SEQUENCE => Kind::Sequence,
            ALTERNATIVES => Kind::Alternatives,
            REPEAT => Kind::Repeat { min: b, max: c },
            CALL => Kind::Call { rule: Rule(a), min: b, max: c },
            GRAPH => Kind::Graph { table: a as usize, states: b },
            _ => Kind::Empty,
        }
    }

    /// The first child of a sequence, of alternatives or of a repetition.
    pub(super) fn first_child(&self, node: Node) -> Option<Node> {
        let first = self.space.get(node.0 as usize + 1);
        (first != 0).then_some(Node(first))
    }

    /// The child after `node`.
    pub(super) fn next(&self, node: Node) -> Option<Node> {
        let next = self.space.get(node.0 as usize + 4);
        (next != 0).then_some(Node(next))
    }

    /// Whether a tree matches the empty text, as far as rules are known to.
    pub(super) fn is_nullable(&self, node: Node) -> bool {
        let kind = self.kind(node);
        // Only these have children: elsewhere the word means something else.
        let first = match kind {
            Kind::Sequence | Kind::Alternatives | Kind::Repeat { .. } => self.first_child(node),
            _ => None,
        };
        let mut children = core::iter::successors(first, |&child| self.next(child));
        match kind {
            Kind::Empty => true,
            Kind::Literal { .. } | Kind::Bytes { .. } | Kind::Characters { .. } => false,
            Kind::Sequence => children.all(|child| self.is_nullable(child)),
            Kind::Alternatives => children.any(|child| self.is_nullable(child)),
            Kind::Repeat { min, .. } => {
                min == 0 || children.next().is_none_or(|child| self.is_nullable(child))
            }
            Kind::Call { rule, min, max } => {
                (min == 0 && max != SET) || self.is_nullable_rule(rule)
            }
            Kind::Graph { table, .. } => self.space.get(table) & 1 == 1,
        }
    }
}

/// Children being gathered.
#[derive(Clone, Copy)]
pub(super) struct List {
    kind: u32,
    first: u32,
    last: u32,
    height: u32,
}

impl List {
    pub(super) fn push(
        &mut self,
        builder: &mut Builder<'_>,
        node: Node,
    ) -> Result<(), GrammarError> {
        let node = builder.link(node)?;
        if self.last == 0 {
            self.first = node.0;
        } else {
            builder.space.set(self.last as usize + 4, node.0);
        }
        self.last = node.0;
        self.height = self.height.max(builder.height(node));
        Ok(())
    }

    /// The sequence or alternatives of what was pushed; a sequence of nothing is empty.
    pub(super) fn finish(self, builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
        builder.add(self.kind, self.first, 0, 0, self.height + 1)
    }
}
