//! The order of a large sorted set, by score and then by bytes: a B+ tree whose branches count what is below them, so that a
//! rank is found, and found out, on one way down.
//!
//! The leaves hold scores and handles of the members, which the hash table of the set owns (see `ranked.rs`). What always
//! holds: leaves are equally deep and none but the root is empty; a branch knows the number of items below it and the first
//! of them; and every handle is that of a living member.
//!
//! Why no skip list, which is what Redis has: see the measurement in `ranked.rs`.

use std::cmp::Ordering;

use smallvec::SmallVec;

use super::scored::Handle;

/// Items of a full leaf: a kilobyte.
const LEAF: usize = 64;
/// Branches of a full node.
const FANOUT: usize = 32;
/// Room by which a leaf grows: from one size class of the allocator to the next, so that little is left unused.
const STEP: usize = 8;

/// A score and a member.
#[derive(Clone)]
pub(super) struct Item {
    pub(super) score: f64,
    pub(super) member: Handle,
}

impl Item {
    /// The same relative to another item.
    pub(super) fn cmp(&self, other: &Self) -> Ordering {
        self.compare(other.score, other.member.member())
    }

    /// Its place relative to a score and a member. The bytes are looked at only if the scores are equal.
    fn compare(&self, score: f64, member: &[u8]) -> Ordering {
        self.score.partial_cmp(&score).expect("no score is NaN").then_with(|| self.member.member().cmp(member))
    }
}

/// A node with what the one above it knows of it.
struct Branch {
    count: usize,
    first: Item,
    node: Node,
}

enum Node {
    Leaf(Vec<Item>),
    Inner(Inner),
}

/// Branches, taken apart: a search reads scores and counts, and these lie together in a few cache lines.
#[derive(Default)]
struct Inner {
    /// The score of the first item of each branch, and its member.
    scores: Vec<f64>,
    members: Vec<Handle>,
    /// Number of items of each branch.
    counts: Vec<usize>,
    nodes: Vec<Node>,
}

/// See the module.
pub(super) struct Order {
    root: Node,
    len: usize,
}

/// Whether a node is the first or the last of its level, where rising and falling scores end up.
#[derive(Clone, Copy)]
struct Edge {
    left: bool,
    right: bool,
}

impl Branch {
    fn new(node: Node) -> Self {
        Self { count: node.count(), first: node.first(), node }
    }
}

impl Inner {
    fn len(&self) -> usize {
        self.nodes.len()
    }

    fn insert(&mut self, at: usize, branch: Branch) {
        self.scores.insert(at, branch.first.score);
        self.members.insert(at, branch.first.member);
        self.counts.insert(at, branch.count);
        self.nodes.insert(at, branch.node);
    }

    /// Takes the branches from a place up to before another out.
    fn remove(&mut self, start: usize, end: usize) {
        self.scores.drain(start..end);
        self.members.drain(start..end);
        self.counts.drain(start..end);
        self.nodes.drain(start..end);
    }

    fn split_off(&mut self, at: usize) -> Self {
        Self {
            scores: self.scores.split_off(at),
            members: self.members.split_off(at),
            counts: self.counts.split_off(at),
            nodes: self.nodes.split_off(at),
        }
    }

    fn append(&mut self, mut other: Self) {
        self.scores.append(&mut other.scores);
        self.members.append(&mut other.members);
        self.counts.append(&mut other.counts);
        self.nodes.append(&mut other.nodes);
    }

    /// Notes what has become of a branch, which is not empty.
    fn refresh(&mut self, at: usize) {
        let first = self.nodes[at].first();
        (self.scores[at], self.members[at]) = (first.score, first.member);
        self.counts[at] = self.nodes[at].count();
    }

    /// Number of branches whose first item is at or before a place.
    fn begun(&self, score: f64, member: &[u8]) -> usize {
        // Where scores are equal, and only there, the bytes decide.
        let lower = self.scores.partition_point(|first| *first < score);
        let equal = self.scores[lower..].partition_point(|first| *first == score);
        lower + self.members[lower..lower + equal].partition_point(|first| first.member() <= member)
    }

    /// Joins the branch at a place with a neighbour, if there is little in it and the neighbour has room.
    fn join(&mut self, at: usize) {
        if self.nodes.get(at).is_none_or(|node| !node.is_sparse()) {
            return;
        }
        for left in [Some(at), at.checked_sub(1)].into_iter().flatten() {
            if left + 1 < self.len() && self.nodes[left].can_take(&self.nodes[left + 1]) {
                let right = self.nodes.remove(left + 1);
                self.nodes[left].append(right);
                self.scores.remove(left + 1);
                self.members.remove(left + 1);
                self.counts[left] += self.counts.remove(left + 1);
                return;
            }
        }
    }
}

impl Node {
    fn count(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Inner(inner) => inner.counts.iter().sum(),
        }
    }

    fn first(&self) -> Item {
        match self {
            Self::Leaf(items) => items[0].clone(),
            Self::Inner(inner) => Item { score: inner.scores[0], member: inner.members[0].clone() },
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Leaf(items) => items.is_empty(),
            Self::Inner(inner) => inner.nodes.is_empty(),
        }
    }

    /// Whether so little is in it that it should be joined with a neighbour.
    fn is_sparse(&self) -> bool {
        match self {
            Self::Leaf(items) => items.len() < LEAF / 3,
            Self::Inner(inner) => inner.len() < FANOUT / 3,
        }
    }

    fn can_take(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Leaf(own), Self::Leaf(other)) => own.len() + other.len() <= LEAF,
            (Self::Inner(own), Self::Inner(other)) => own.len() + other.len() <= FANOUT,
            _ => false,
        }
    }

    fn append(&mut self, other: Self) {
        match (self, other) {
            (Self::Leaf(own), Self::Leaf(mut other)) => {
                own.reserve_exact((own.len() + other.len()).next_multiple_of(STEP) - own.len());
                own.append(&mut other);
            }
            (Self::Inner(own), Self::Inner(other)) => own.append(other),
            _ => unreachable!("neighbours are of one level"),
        }
    }

    /// Adds an item; answers the right half, if the node had to be divided.
    fn insert(&mut self, item: Item, edge: Edge) -> Option<Self> {
        let inner = match self {
            Self::Leaf(items) => return insert_item(items, item, edge).map(Self::Leaf),
            Self::Inner(inner) => inner,
        };
        let behind = inner.begun(item.score, item.member.member());
        let at = behind.saturating_sub(1);
        let below = Edge { left: edge.left && at == 0, right: edge.right && at + 1 == inner.len() };
        if behind == 0 {
            (inner.scores[0], inner.members[0]) = (item.score, item.member.clone());
        }
        inner.counts[at] += 1;
        let divided = inner.nodes[at].insert(item, below)?;
        inner.refresh(at);
        let new = Branch::new(divided);
        if inner.len() < FANOUT {
            inner.insert(at + 1, new);
            return None;
        }
        let middle = if below.right { inner.len() } else { FANOUT / 2 };
        let mut right = inner.split_off(middle);
        if at < middle && !below.right {
            inner.insert(at + 1, new);
        } else {
            right.insert(at + 1 - middle, new);
        }
        Some(Self::Inner(right))
    }

    /// Number of items before a place.
    fn rank(&self, score: f64, member: &[u8]) -> usize {
        let (mut node, mut rank) = (self, 0);
        loop {
            match node {
                Self::Leaf(items) => {
                    return rank + items.partition_point(|item| item.compare(score, member) == Ordering::Less);
                }
                Self::Inner(inner) => {
                    let Some(at) = inner.begun(score, member).checked_sub(1) else { return rank };
                    rank += inner.counts[..at].iter().sum::<usize>();
                    node = &inner.nodes[at];
                }
            }
        }
    }

    /// Number of items for which `is_before` holds; those are the first ones.
    fn rank_where(&self, is_before: impl Fn(f64, &[u8]) -> bool) -> usize {
        let (mut node, mut rank) = (self, 0);
        loop {
            match node {
                Self::Leaf(items) => {
                    return rank + items.partition_point(|item| is_before(item.score, item.member.member()));
                }
                Self::Inner(inner) => {
                    let (mut low, mut high) = (0, inner.len());
                    while low < high {
                        let middle = (low + high) / 2;
                        if is_before(inner.scores[middle], inner.members[middle].member()) {
                            low = middle + 1;
                        } else {
                            high = middle;
                        }
                    }
                    let Some(at) = low.checked_sub(1) else { return rank };
                    rank += inner.counts[..at].iter().sum::<usize>();
                    node = &inner.nodes[at];
                }
            }
        }
    }

    /// Takes the items with these ranks out.
    fn cut(&mut self, start: usize, end: usize, each: &mut impl FnMut(Item)) {
        let inner = match self {
            Self::Leaf(items) => {
                items.drain(start..end).for_each(each);
                if items.capacity() - items.len() > 2 * STEP {
                    items.shrink_to(items.len().next_multiple_of(STEP));
                }
                return;
            }
            Self::Inner(inner) => inner,
        };
        let (mut at, mut before) = (0, 0);
        while before + inner.counts[at] <= start {
            before += inner.counts[at];
            at += 1;
        }
        // Those that lose all they have are one behind the other.
        let (first, mut emptied) = (at, None);
        while before < end {
            let count = inner.counts[at];
            inner.nodes[at].cut(start.saturating_sub(before), (end - before).min(count), each);
            if inner.nodes[at].is_empty() {
                emptied = Some((emptied.map_or(at, |(first, _)| first), at + 1));
            } else {
                inner.refresh(at);
            }
            before += count;
            at += 1;
        }
        if let Some((first, end)) = emptied {
            inner.remove(first, end);
        }
        inner.join(first);
        inner.join(first + 1);
    }
}

fn insert_item(items: &mut Vec<Item>, item: Item, edge: Edge) -> Option<Vec<Item>> {
    let at = items.partition_point(|other| other.compare(item.score, item.member.member()) == Ordering::Less);
    if items.len() < LEAF {
        if items.len() == items.capacity() {
            items.reserve_exact(STEP);
        }
        items.insert(at, item);
        return None;
    }
    let mut beside = Vec::with_capacity(STEP);
    if edge.right && at == items.len() {
        // Scores that rise leave full leaves behind,
        beside.push(item);
        return Some(beside);
    }
    if edge.left && at == 0 {
        // and so do scores that fall.
        beside.push(item);
        return Some(std::mem::replace(items, beside));
    }
    let mut right = items.split_off(LEAF / 2);
    items.shrink_to(LEAF / 2 + STEP);
    let (half, at) = if at <= LEAF / 2 { (items, at) } else { (&mut right, at - LEAF / 2) };
    if half.len() == half.capacity() {
        half.reserve_exact(STEP);
    }
    half.insert(at, item);
    Some(right)
}

impl Order {
    /// Nothing.
    pub(super) fn new() -> Self {
        Self { root: Node::Leaf(Vec::new()), len: 0 }
    }

    /// These items, which are in order: full leaves and branches, one level after the other.
    pub(super) fn of_sorted(items: Vec<Item>) -> Self {
        let len = items.len();
        let mut items = items.into_iter();
        let leaves =
            std::iter::from_fn(|| Some(items.by_ref().take(LEAF).collect::<Vec<_>>()).filter(|leaf| !leaf.is_empty()));
        let mut level: Vec<Branch> = leaves.map(|leaf| Branch::new(Node::Leaf(leaf))).collect();
        while level.len() > 1 {
            let mut above = Vec::with_capacity(level.len().div_ceil(FANOUT));
            for branch in level {
                match above.last_mut() {
                    Some(inner) if Inner::len(inner) < FANOUT => inner.insert(inner.len(), branch),
                    _ => {
                        let mut inner = Inner::default();
                        inner.insert(0, branch);
                        above.push(inner);
                    }
                }
            }
            level = above.into_iter().map(|inner| Branch::new(Node::Inner(inner))).collect();
        }
        Self { root: level.pop().map_or(Node::Leaf(Vec::new()), |branch| branch.node), len }
    }

    /// Number of items.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds an item, whose member is not in it.
    pub(super) fn insert(&mut self, item: Item) {
        self.len += 1;
        if let Some(right) = self.root.insert(item, Edge { left: true, right: true }) {
            let left = std::mem::replace(&mut self.root, Node::Leaf(Vec::new()));
            let mut inner = Inner::default();
            inner.insert(0, Branch::new(left));
            inner.insert(1, Branch::new(right));
            self.root = Node::Inner(inner);
        }
    }

    /// Number of items before this place.
    pub(super) fn rank(&self, score: f64, member: &[u8]) -> usize {
        self.root.rank(score, member)
    }

    /// Number of items for which `is_before` holds; it must hold for the first ones and not for those behind them.
    pub(super) fn rank_where(&self, is_before: impl Fn(f64, &[u8]) -> bool) -> usize {
        self.root.rank_where(is_before)
    }

    /// Takes the items with the ranks from `start` to before `end` out.
    pub(super) fn cut(&mut self, start: usize, end: usize, mut each: impl FnMut(Item)) {
        if start >= end {
            return;
        }
        self.root.cut(start, end, &mut each);
        self.len -= end - start;
        while let Node::Inner(inner) = &mut self.root
            && inner.len() <= 1
        {
            self.root = inner.nodes.pop().unwrap_or(Node::Leaf(Vec::new()));
        }
    }

    /// The items with the ranks from `start` to before `end`, in either direction.
    pub(super) fn range(&self, start: usize, end: usize, reverse: bool) -> Range<'_> {
        let mut range = Range { path: SmallVec::new(), leaf: &[], at: 0, left: end.saturating_sub(start), reverse };
        if range.left > 0 {
            range.seek(&self.root, if reverse { end - 1 } else { start });
        }
        range
    }

    /// Bytes that it takes in memory. Leaves with about so many items are looked at, all for zero, and the others taken to
    /// be like them.
    pub(super) fn heap_bytes(&self, samples: usize) -> usize {
        fn bytes(node: &Node, left: &mut usize) -> usize {
            let inner = match node {
                Node::Leaf(items) => {
                    *left = left.saturating_sub(items.len());
                    return items.capacity() * size_of::<Item>();
                }
                Node::Inner(inner) => inner,
            };
            let (mut below, mut items) = (0, 0);
            for (node, count) in inner.nodes.iter().zip(&inner.counts) {
                if *left == 0 {
                    break;
                }
                below += bytes(node, left);
                items += count;
            }
            let below = (below as u128 * node.count() as u128 / items.max(1) as u128) as usize;
            inner.nodes.capacity() * size_of::<Branch>() + below
        }
        bytes(&self.root, &mut if samples == 0 { usize::MAX } else { samples })
    }

    #[cfg(test)]
    pub(super) fn check(&self) {
        fn check(node: &Node, is_root: bool) -> (usize, usize) {
            assert!(is_root || !node.is_empty());
            match node {
                Node::Leaf(items) => {
                    assert!(items.len() <= LEAF);
                    let sorted = items
                        .windows(2)
                        .all(|two| two[0].compare(two[1].score, two[1].member.member()) == Ordering::Less);
                    assert!(sorted);
                    (items.len(), 1)
                }
                Node::Inner(inner) => {
                    assert!(inner.len() <= FANOUT && inner.len() > usize::from(is_root));
                    let mut depths = Vec::new();
                    for (at, node) in inner.nodes.iter().enumerate() {
                        let (count, depth) = check(node, false);
                        assert_eq!(count, inner.counts[at]);
                        let order = node.first().compare(inner.scores[at], inner.members[at].member());
                        assert_eq!(order, Ordering::Equal);
                        depths.push(depth);
                    }
                    assert!(depths.iter().all(|depth| *depth == depths[0]));
                    (inner.counts.iter().sum(), depths[0] + 1)
                }
            }
        }
        assert_eq!(check(&self.root, true).0, self.len);
    }
}

/// Items one after the other.
pub(super) struct Range<'a> {
    /// The way to the leaf: nodes with the branch that was taken.
    path: SmallVec<[(&'a Inner, usize); 6]>,
    leaf: &'a [Item],
    at: usize,
    left: usize,
    reverse: bool,
}

impl<'a> Range<'a> {
    fn seek(&mut self, mut node: &'a Node, mut rank: usize) {
        loop {
            match node {
                Node::Leaf(items) => {
                    (self.leaf, self.at) = (items, rank);
                    return;
                }
                Node::Inner(inner) => {
                    let mut at = 0;
                    while rank >= inner.counts[at] {
                        rank -= inner.counts[at];
                        at += 1;
                    }
                    self.path.push((inner, at));
                    node = &inner.nodes[at];
                }
            }
        }
    }

    /// Goes to the leaf beside this one.
    fn turn(&mut self) {
        while let Some((inner, at)) = self.path.pop() {
            let beside = if self.reverse { at.checked_sub(1) } else { Some(at + 1) };
            if let Some(beside) = beside.filter(|beside| *beside < inner.len()) {
                self.path.push((inner, beside));
                return self.seek(&inner.nodes[beside], if self.reverse { inner.counts[beside] - 1 } else { 0 });
            }
        }
    }
}

impl<'a> Iterator for Range<'a> {
    type Item = &'a Item;

    #[inline]
    fn next(&mut self) -> Option<&'a Item> {
        self.left = self.left.checked_sub(1)?;
        let item = &self.leaf[self.at];
        if self.left > 0 {
            if self.reverse {
                match self.at.checked_sub(1) {
                    Some(at) => self.at = at,
                    None => self.turn(),
                }
            } else {
                self.at += 1;
                if self.at == self.leaf.len() {
                    self.turn();
                }
            }
        }
        Some(item)
    }
}
