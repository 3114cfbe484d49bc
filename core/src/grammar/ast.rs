//! Rules under construction: trees of nodes in the caller's memory, what every front end builds.
//!
//! Heights are kept and limited, so that what walks a tree may call itself.

use super::automaton::{ITEM, LIST, MEMBER, SET, TOO_COSTLY, item_word, list_word};
use super::error::{GrammarError, GrammarErrorKind};
use super::graph::Written;
use super::space::{At, Space, Table, Word, record};
use super::utf8;

/// No upper limit of a repetition.
pub(super) const UNLIMITED: u32 = u32::MAX;

/// Highest tree. Walks of 128 calls need about 20 KiB of stack.
const MAX_HEIGHT: u32 = 128;

/// Repetitions of up to so many are written out, so that they become part of the automaton around
/// them; what is repeated more often is called and counted.
const MAX_WRITTEN_OUT: u32 = 6;

record! {
    /// A node of a tree; what `a`, `b` and `c` are depends on the kind. In nodes without counts `c`
    /// is an `Option<u32>`, see [`Builder::leads`].
    pub(super) struct NodeRecord {
        /// The kind's number, whether the node has a parent, and its height.
        head: u32,
        a: u32,
        b: u32,
        c: u32,
        /// The next child of the same parent.
        next: Option<Node>,
    }
}

record! {
    struct RuleRecord {
        tree: Option<Node>,
        /// Where its name is in the source.
        name: u32,
        name_bytes: u32,
        /// Whether it matches the empty text.
        is_nullable: bool,
    }
}

/// A tree.
pub(super) type Node = At<NodeRecord>;

/// A rule by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rule(pub(super) u32);

impl Word for Rule {
    fn from_word(word: u32) -> Self {
        Self(word)
    }

    fn to_word(self) -> u32 {
        self.0
    }
}

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
    /// What a graph says.
    Graph(Written),
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
    rules: Table<RuleRecord>,
    /// Where the source asks for items that are all different: the first time.
    pub(super) lists: Option<(u32, u32)>,
    /// There are trees of graphs.
    pub(super) has_graphs: bool,
}

impl<'w> Builder<'w> {
    pub(super) fn new(words: &'w mut [u32]) -> Result<Self, GrammarError> {
        let mut space = Space::new(words);
        // No record is at the very front.
        space.take_low(1)?;
        let rules = Table::begin(&space);
        Ok(Self { space, rules, lists: None, has_graphs: false })
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
        let head = kind | height << HEIGHT_SHIFT;
        self.space.push_low(NodeRecord { head, a, b, c, next: None })
    }

    fn height(&self, node: Node) -> u32 {
        self.space.read(node).head >> HEIGHT_SHIFT
    }

    /// The node, or a wrapper of it where it has a parent already.
    fn link(&mut self, node: Node) -> Result<Node, GrammarError> {
        if self.space.read(node).head & LINKED == 0 {
            self.space.update(node, |record| record.head |= LINKED);
            return Ok(node);
        }
        // Once, as a repetition: that has one child, whatever list the child is in.
        let height = self.height(node) + 1;
        self.add(REPEAT | LINKED, Some(node).to_word(), 1, 1, height)
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
            let (bytes, length) = (u32::from_le_bytes(word), chunk.len() as u32);
            let node = self.add(LITERAL, bytes, length, Some(1).to_word(), 1)?;
            list.push(self, node)?;
        }
        list.finish(self)
    }

    pub(super) fn bytes(&mut self, low: u8, high: u8) -> Result<Node, GrammarError> {
        self.add(BYTES, low.into(), high.into(), Some(1).to_word(), 1)
    }

    pub(super) fn characters(&mut self, low: u32, high: u32) -> Result<Node, GrammarError> {
        let mut leads = 0;
        utf8::sequences(low, high, &mut |_| {
            leads += 1;
            Ok(())
        })?;
        self.add(CHARACTERS, low, high, Some(leads).to_word(), 1)
    }

    pub(super) const fn sequence_list(&self) -> List {
        List::new(SEQUENCE, None)
    }

    pub(super) const fn alternatives_list(&self) -> List {
        List::new(ALTERNATIVES, Some(0))
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
            return self.add(REPEAT, Some(child).to_word(), min, max, height);
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

    /// The tree of a graph.
    pub(super) fn graph(&mut self, graph: Written) -> Result<Node, GrammarError> {
        self.has_graphs = true;
        self.add(GRAPH, Some(graph.first).to_word(), graph.states, 0, 1)
    }

    /// A new rule without a tree; its name is in the source.
    pub(super) fn rule(&mut self, offset: usize, length: usize) -> Result<Rule, GrammarError> {
        let (name, name_bytes) = (offset as u32, length as u32);
        let record = RuleRecord { tree: None, name, name_bytes, is_nullable: false };
        self.rules.push(&mut self.space, record).map(Rule)
    }

    fn update_rule(&mut self, rule: Rule, change: impl FnOnce(&mut RuleRecord)) {
        let mut record = self.rules.get(&self.space, rule.0);
        change(&mut record);
        self.rules.set(&mut self.space, rule.0, record);
    }

    pub(super) fn define(&mut self, rule: Rule, node: Node) {
        self.update_rule(rule, |record| record.tree = Some(node));
    }

    /// Where in the source the rule's name is, and its length.
    pub(super) fn name(&self, rule: Rule) -> (usize, usize) {
        let record = self.rules.get(&self.space, rule.0);
        (record.name as usize, record.name_bytes as usize)
    }

    /// The rule's tree, where it is defined.
    pub(super) fn tree(&self, rule: Rule) -> Option<Node> {
        self.rules.get(&self.space, rule.0).tree
    }

    pub(super) fn is_nullable_rule(&self, rule: Rule) -> bool {
        self.rules.get(&self.space, rule.0).is_nullable
    }

    pub(super) fn set_nullable(&mut self, rule: Rule) {
        self.update_rule(rule, |record| record.is_nullable = true);
    }

    pub(super) const fn rules(&self) -> u32 {
        self.rules.len()
    }

    pub(super) fn kind(&self, node: Node) -> Kind {
        let NodeRecord { head, a, b, c, .. } = self.space.read(node);
        match head & 0xFF {
            LITERAL => Kind::Literal { bytes: a.to_le_bytes(), count: b as usize },
            BYTES => Kind::Bytes { low: a as u8, high: b as u8 },
            CHARACTERS => Kind::Characters { low: a, high: b },
            SEQUENCE => Kind::Sequence,
            ALTERNATIVES => Kind::Alternatives,
            REPEAT => Kind::Repeat { min: b, max: c },
            CALL => Kind::Call { rule: Rule(a), min: b, max: c },
            GRAPH => match Word::from_word(a) {
                Some(first) => Kind::Graph(Written { first, states: b }),
                None => Kind::Empty,
            },
            _ => Kind::Empty,
        }
    }

    /// The ranges of bytes that a tree begins with; `None` where it may begin with something else.
    pub(super) fn leads(&self, node: Node) -> Option<u32> {
        match self.kind(node) {
            Kind::Repeat { min: 1, max: 1 } => self.leads(self.first_child(node)?),
            Kind::Repeat { .. } | Kind::Call { .. } => None,
            _ => Word::from_word(self.space.read(node).c),
        }
    }

    /// The first child of a sequence, of alternatives or of a repetition.
    pub(super) fn first_child(&self, node: Node) -> Option<Node> {
        Word::from_word(self.space.read(node).a)
    }

    /// The child after `node`.
    pub(super) fn next(&self, node: Node) -> Option<Node> {
        self.space.read(node).next
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
            Kind::Graph(graph) => graph.is_nullable(&self.space),
        }
    }
}

/// Children being gathered.
#[derive(Clone, Copy)]
pub(super) struct List {
    kind: u32,
    first: Option<Node>,
    last: Option<Node>,
    height: u32,
    leads: Option<u32>,
    /// There is more than the empty text.
    has_begun: bool,
}

impl List {
    const fn new(kind: u32, leads: Option<u32>) -> Self {
        Self { kind, first: None, last: None, height: 0, leads, has_begun: false }
    }

    pub(super) fn push(
        &mut self,
        builder: &mut Builder<'_>,
        node: Node,
    ) -> Result<(), GrammarError> {
        let node = builder.link(node)?;
        let leads = builder.leads(node);
        if self.kind == ALTERNATIVES {
            self.leads = self.leads.zip(leads).and_then(|(all, more)| all.checked_add(more));
        } else if !self.has_begun {
            self.leads = leads;
            self.has_begun = builder.kind(node) != Kind::Empty;
        }
        match self.last {
            Some(last) => builder.space.update(last, |record| record.next = Some(node)),
            None => self.first = Some(node),
        }
        self.last = Some(node);
        self.height = self.height.max(builder.height(node));
        Ok(())
    }

    /// The sequence or alternatives of what was pushed; a sequence of nothing is empty.
    pub(super) fn finish(self, builder: &mut Builder<'_>) -> Result<Node, GrammarError> {
        let (first, leads) = (self.first.to_word(), self.leads.to_word());
        builder.add(self.kind, first, 0, leads, self.height + 1)
    }
}
