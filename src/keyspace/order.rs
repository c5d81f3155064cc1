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
    /// Its place relative to a score and a member. The bytes are looked at only if the scores are equal.
    fn compare(&self, score: f64, member: &[u8]) -> Ordering {
        self.score.partial_cmp(&score).expect("no score is NaN").then_with(|| self.member.member().cmp(member))
    }
}

struct Branch {
    count: usize,
    first: Item,
    node: Node,
}

enum Node {
    Leaf(Vec<Item>),
    Inner(Vec<Branch>),
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

    fn refresh(&mut self) {
        (self.count, self.first) = (self.node.count(), self.node.first());
    }
}

impl Node {
    fn count(&self) -> usize {
        match self {
            Self::Leaf(items) => items.len(),
            Self::Inner(branches) => branches.iter().map(|branch| branch.count).sum(),
        }
    }

    fn first(&self) -> Item {
        match self {
            Self::Leaf(items) => items[0].clone(),
            Self::Inner(branches) => branches[0].first.clone(),
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Leaf(items) => items.is_empty(),
            Self::Inner(branches) => branches.is_empty(),
        }
    }

    /// Whether so little is in it that it should be joined with a neighbour.
    fn is_sparse(&self) -> bool {
        match self {
            Self::Leaf(items) => items.len() < LEAF / 3,
            Self::Inner(branches) => branches.len() < FANOUT / 3,
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
            (Self::Inner(own), Self::Inner(mut other)) => own.append(&mut other),
            _ => unreachable!("neighbours are of one level"),
        }
    }

    /// Adds an item; answers the right half, if the node had to be divided.
    fn insert(&mut self, item: Item, edge: Edge) -> Option<Self> {
        let branches = match self {
            Self::Leaf(items) => return insert_item(items, item, edge).map(Self::Leaf),
            Self::Inner(branches) => branches,
        };
        let behind = branches
            .partition_point(|branch| branch.first.compare(item.score, item.member.member()) != Ordering::Greater);
        let at = behind.saturating_sub(1);
        let below = Edge { left: edge.left && at == 0, right: edge.right && at + 1 == branches.len() };
        let branch = &mut branches[at];
        if behind == 0 {
            branch.first = item.clone();
        }
        branch.count += 1;
        let divided = branch.node.insert(item, below)?;
        branch.refresh();
        let new = Branch::new(divided);
        if branches.len() < FANOUT {
            branches.insert(at + 1, new);
            return None;
        }
        let middle = if below.right { branches.len() } else { FANOUT / 2 };
        let mut right = branches.split_off(middle);
        if at + 1 <= middle && !below.right {
            branches.insert(at + 1, new);
        } else {
            right.insert(at + 1 - middle, new);
        }
        Some(Self::Inner(right))
    }

    /// Number of items for which `is_before` holds; those are the first ones.
    fn rank_where(&self, is_before: impl Fn(f64, &[u8]) -> bool) -> usize {
        let is_before = |item: &Item| is_before(item.score, item.member.member());
        let (mut node, mut rank) = (self, 0);
        loop {
            match node {
                Self::Leaf(items) => return rank + items.partition_point(is_before),
                Self::Inner(branches) => {
                    let Some(at) = branches.partition_point(|branch| is_before(&branch.first)).checked_sub(1) else {
                        return rank;
                    };
                    rank += branches[..at].iter().map(|branch| branch.count).sum::<usize>();
                    node = &branches[at].node;
                }
            }
        }
    }

    /// Takes the items with these ranks out.
    fn cut(&mut self, start: usize, end: usize, each: &mut impl FnMut(Item)) {
        let branches = match self {
            Self::Leaf(items) => {
                items.drain(start..end).for_each(each);
                if items.capacity() - items.len() > 2 * STEP {
                    items.shrink_to(items.len().next_multiple_of(STEP));
                }
                return;
            }
            Self::Inner(branches) => branches,
        };
        let (mut at, mut before) = (0, 0);
        while before + branches[at].count <= start {
            before += branches[at].count;
            at += 1;
        }
        let first = at;
        while before < end {
            let branch = &mut branches[at];
            let count = branch.count;
            branch.node.cut(start.saturating_sub(before), (end - before).min(count), each);
            if !branch.node.is_empty() {
                branch.refresh();
            }
            before += count;
            at += 1;
        }
        branches.extract_if(first..at, |branch| branch.node.is_empty()).for_each(drop);
        join(branches, first);
        join(branches, first + 1);
    }
}

/// Joins the branch at a place with a neighbour, if there is little in it and the neighbour has room.
fn join(branches: &mut Vec<Branch>, at: usize) {
    if branches.get(at).is_none_or(|branch| !branch.node.is_sparse()) {
        return;
    }
    for left in [Some(at), at.checked_sub(1)].into_iter().flatten() {
        if left + 1 < branches.len() && branches[left].node.can_take(&branches[left + 1].node) {
            let right = branches.remove(left + 1);
            branches[left].node.append(right.node);
            branches[left].refresh();
            return;
        }
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

    /// Number of items.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Adds an item, whose member is not in it.
    pub(super) fn insert(&mut self, item: Item) {
        self.len += 1;
        if let Some(right) = self.root.insert(item, Edge { left: true, right: true }) {
            let left = std::mem::replace(&mut self.root, Node::Leaf(Vec::new()));
            self.root = Node::Inner(vec![Branch::new(left), Branch::new(right)]);
        }
    }

    /// Number of items before this place.
    pub(super) fn rank(&self, score: f64, member: &[u8]) -> usize {
        self.rank_where(|other, bytes| match other.partial_cmp(&score) {
            Some(Ordering::Equal) => bytes < member,
            order => order == Some(Ordering::Less),
        })
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
        while let Node::Inner(branches) = &mut self.root
            && branches.len() <= 1
        {
            self.root = branches.pop().map_or(Node::Leaf(Vec::new()), |branch| branch.node);
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

    /// Bytes that it takes in memory.
    pub(super) fn heap_bytes(&self) -> usize {
        fn bytes(node: &Node) -> usize {
            match node {
                Node::Leaf(items) => items.capacity() * size_of::<Item>(),
                Node::Inner(branches) => {
                    let below: usize = branches.iter().map(|branch| bytes(&branch.node)).sum();
                    branches.capacity() * size_of::<Branch>() + below
                }
            }
        }
        bytes(&self.root)
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
                Node::Inner(branches) => {
                    assert!(branches.len() <= FANOUT && branches.len() > usize::from(is_root));
                    let mut depths = Vec::new();
                    for branch in branches {
                        let (count, depth) = check(&branch.node, false);
                        let first = branch.node.first();
                        assert_eq!(count, branch.count);
                        assert_eq!(first.compare(branch.first.score, branch.first.member.member()), Ordering::Equal);
                        depths.push(depth);
                    }
                    assert!(depths.iter().all(|depth| *depth == depths[0]));
                    (branches.iter().map(|branch| branch.count).sum(), depths[0] + 1)
                }
            }
        }
        assert_eq!(check(&self.root, true).0, self.len);
    }
}

/// Items one after the other.
pub(super) struct Range<'a> {
    /// The way to the leaf: nodes with the branch that was taken.
    path: SmallVec<[(&'a [Branch], usize); 6]>,
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
                Node::Inner(branches) => {
                    let mut at = 0;
                    while rank >= branches[at].count {
                        rank -= branches[at].count;
                        at += 1;
                    }
                    self.path.push((branches, at));
                    node = &branches[at].node;
                }
            }
        }
    }

    /// Goes to the leaf beside this one.
    fn turn(&mut self) {
        while let Some((branches, at)) = self.path.pop() {
            let beside = if self.reverse { at.checked_sub(1) } else { Some(at + 1) };
            if let Some(beside) = beside
                && let Some(branch) = branches.get(beside)
            {
                self.path.push((branches, beside));
                return self.seek(&branch.node, if self.reverse { branch.count - 1 } else { 0 });
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
