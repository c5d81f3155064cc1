//! A large list: a row of [`Node`]s.
//!
//! The nodes stand in a ring buffer, 16 bytes each, which is searched by index without touching the elements; Redis
//! follows a linked list of nodes. A list of a million short elements has about a thousand of them. Where nodes are
//! split, joined and dropped is as in Redis, for OBJECT ENCODING shows when there is only one left.
//!
//! What always holds: no node is empty, and `len` is the sum of their lengths. A node's limits are those of the time at
//! which the list became large. `List` uses it.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::list::End;
use super::list_node::{Fill, Node, at};
use super::packed::Packed;
use crate::base::text::Text;

/// See the module.
#[derive(Clone)]
pub struct Quicklist {
    nodes: VecDeque<Node>,
    len: usize,
    /// The setting, within the bounds that Redis keeps it in.
    setting: i16,
}

/// Redis keeps the setting in 16 bits.
const SETTINGS: (i32, i32) = (-5, i16::MAX as i32);

/// Room for so many nodes is always kept.
const KEPT: usize = 64;

impl Quicklist {
    /// The elements that were small enough to be one node.
    pub(super) fn new(packed: Packed, setting: i32) -> Self {
        let setting = setting.clamp(SETTINGS.0, SETTINGS.1) as i16;
        let len = packed.len();
        let nodes = if len > 0 { VecDeque::from([Node::from(packed)]) } else { VecDeque::new() };
        Self { nodes, len, setting }
    }

    pub(super) fn setting(&self) -> i16 {
        self.setting
    }

    fn fill(&self) -> Fill {
        Fill::of(self.setting.into())
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn nodes(&self) -> &VecDeque<Node> {
        &self.nodes
    }

    /// The elements, if they are in one packed node of at most half of these limits; the list is not used again.
    pub(super) fn take_if_small(&mut self, fill: Fill) -> Option<Packed> {
        if self.nodes.len() != 1 {
            return None;
        }
        match self.nodes.front_mut() {
            Some(node @ Node::Packed(..)) if !fill.is_half_exceeded(node.size(), node.len()) => {
                node.change(|packed| Some(std::mem::take(packed)))
            }
            _ => None,
        }
    }

    pub(super) fn push(&mut self, end: End, element: Text<'_>, plain_from: usize) {
        let (fill, bytes) = (self.fill(), element.len());
        let node = match end {
            End::Left => self.nodes.front_mut(),
            End::Right => self.nodes.back_mut(),
        };
        match node.filter(|node| node.has_room(bytes, fill, plain_from)) {
            Some(node) => node.change(|packed| match end {
                End::Left => packed.push_front([element]),
                End::Right => packed.push_back([element]),
            }),
            None => {
                let node = Node::of(element, fill.is_large(bytes, plain_from));
                match end {
                    End::Left => self.nodes.push_front(node),
                    End::Right => self.nodes.push_back(node),
                }
            }
        }
        self.len += 1;
    }

    /// Adds a node of elements behind all others, or joins them with the last one; `false` if they are too many for a node.
    pub(super) fn adopt(&mut self, elements: &[u8], count: usize) -> bool {
        let fill = self.fill();
        let node = Node::from(Packed::of_bytes(elements, count));
        if fill.is_exceeded(node.size(), count) {
            return false;
        }
        match (self.nodes.back_mut().filter(|last| last.may_join(&node, fill)), &node) {
            (Some(last), Node::Packed(packed, _)) => last.change(|own| own.append(packed)),
            _ => self.nodes.push_back(node),
        }
        self.len += count;
        true
    }

    /// The node of an element that is there, and its number in it; looked for from the nearer end.
    fn locate(&self, index: usize) -> (usize, usize) {
        debug_assert!(index < self.len);
        if index <= self.len / 2 {
            let mut left = index;
            for (number, node) in self.nodes.iter().enumerate() {
                if left < node.len() {
                    return (number, left);
                }
                left -= node.len();
            }
        } else {
            let mut behind = self.len;
            for (number, node) in self.nodes.iter().enumerate().rev() {
                behind -= node.len();
                if index >= behind {
                    return (number, index - behind);
                }
            }
        }
        unreachable!("the nodes have as many elements as the list")
    }

    pub(super) fn get(&self, index: usize) -> Text<'_> {
        let (node, offset) = self.locate(index);
        self.nodes[node].get(offset)
    }

    /// Shows the elements from one on until told to stop.
    pub(super) fn walk<'a>(
        &'a self,
        from: usize,
        mut show: impl FnMut(Text<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (first, mut offset) = self.locate(from);
        for node in self.nodes.range(first..) {
            match node {
                Node::Packed(packed, _) => packed.iter_from(at(packed, offset)).try_for_each(&mut show)?,
                Node::Plain(blob) => show(Node::plain(blob))?,
            }
            offset = 0;
        }
        ControlFlow::Continue(())
    }

    /// Shows the elements from one back to the first until told to stop.
    pub(super) fn walk_back<'a>(
        &'a self,
        from: usize,
        mut show: impl FnMut(Text<'a>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        let (last, offset) = self.locate(from);
        for (number, node) in self.nodes.range(..=last).enumerate().rev() {
            match node {
                Node::Packed(packed, _) if number == last => {
                    packed.iter_to(at(packed, offset)).rev().try_for_each(&mut show)?;
                }
                Node::Packed(packed, _) => packed.iter().rev().try_for_each(&mut show)?,
                Node::Plain(blob) => show(Node::plain(blob))?,
            }
        }
        ControlFlow::Continue(())
    }

    /// Takes out elements from one on: whole nodes where it can.
    pub(super) fn remove_range(&mut self, from: usize, count: usize) {
        let mut left = count.min(self.len.saturating_sub(from));
        if left == 0 {
            return;
        }
        let (mut number, mut offset) = self.locate(from);
        self.len -= left;
        let mut whole = None;
        let mut gone = 0;
        while left > 0 {
            let node = &mut self.nodes[number];
            let here = left.min(node.len() - offset);
            if here == node.len() {
                whole.get_or_insert(number);
                gone += 1;
            } else {
                node.remove(offset, here);
            }
            left -= here;
            number += 1;
            offset = 0;
        }
        if let Some(first) = whole {
            self.nodes.drain(first..first + gone);
            self.give_back();
        }
    }

    /// Gives memory back when few of many nodes are left.
    fn give_back(&mut self) {
        if self.nodes.capacity() > KEPT && self.nodes.len() < self.nodes.capacity() / 4 {
            self.nodes.shrink_to(self.nodes.len() * 2);
        }
    }

    /// Takes out up to `most` elements that equal this one, from either end on; answers how many.
    pub(super) fn remove_equal(&mut self, element: Text<'_>, most: usize, from: End) -> usize {
        let nodes = self.nodes.len();
        let mut removed = 0;
        let mut emptied = false;
        for step in 0..nodes {
            if removed == most {
                break;
            }
            let number = if from == End::Left { step } else { nodes - 1 - step };
            let here = match &mut self.nodes[number] {
                Node::Plain(blob) => usize::from(Node::plain(blob) == element),
                node => node.change(|packed| remove_equal(packed, element, most - removed, from)),
            };
            removed += here;
            let node = &mut self.nodes[number];
            let is_empty = match node {
                Node::Packed(_, len) => *len == 0,
                Node::Plain(_) => here == 1,
            };
            if is_empty {
                // Marked as empty; it goes with the others below.
                *node = Node::from(Packed::new());
                emptied = true;
            }
        }
        if emptied {
            self.nodes.retain(|node| node.len() > 0);
            self.give_back();
        }
        self.len -= removed;
        removed
    }

    /// Puts an element in place of another.
    pub(super) fn replace(&mut self, index: usize, element: Text<'_>, plain_from: usize) {
        let (number, offset) = self.locate(index);
        let is_large = self.fill().is_large(element.len(), plain_from);
        match &mut self.nodes[number] {
            node @ Node::Packed(..) if !is_large => {
                node.change(|packed| packed.replace(at(packed, offset), element));
            }
            node @ Node::Plain(_) if is_large => *node = Node::of(element, true),
            Node::Plain(_) => {
                self.insert_at(number, 0, element, true, plain_from);
                self.nodes.remove(number);
                self.len -= 1;
            }
            node => {
                let rest = (offset + 1 < node.len()).then(|| node.split_off(offset + 1));
                if let Some(rest) = rest {
                    self.nodes.insert(number + 1, rest);
                }
                self.nodes.insert(number + 1, Node::of(element, true));
                if offset == 0 {
                    self.nodes.remove(number);
                } else {
                    self.nodes[number].remove(offset, 1);
                    self.join_around(number + 1);
                }
            }
        }
    }

    /// Puts an element before or behind another.
    pub(super) fn insert(&mut self, index: usize, element: Text<'_>, behind: bool, plain_from: usize) {
        let (number, offset) = self.locate(index);
        self.insert_at(number, offset, element, behind, plain_from);
    }

    /// As in Redis: into the node if there is room; at its end, into the next node or one between; else the node is split.
    fn insert_at(&mut self, number: usize, offset: usize, element: Text<'_>, behind: bool, plain_from: usize) {
        let (fill, bytes) = (self.fill(), element.len());
        self.len += 1;
        let node = &self.nodes[number];
        let at_end = if behind { offset + 1 == node.len() } else { offset == 0 };
        // The place between the nodes, or within this one, where the element comes.
        let between = if behind { number + 1 } else { number };
        let within = if behind { offset + 1 } else { offset };
        let is_large = fill.is_large(bytes, plain_from);
        if node.has_room(bytes, fill, plain_from) {
            self.nodes[number].insert(within, element);
        } else if is_large {
            if at_end || matches!(node, Node::Plain(_)) {
                self.nodes.insert(between, Node::of(element, true));
            } else {
                let rest = self.nodes[number].split_off(within);
                self.nodes.insert(number + 1, rest);
                self.nodes.insert(number + 1, Node::of(element, true));
            }
        } else if at_end {
            let neighbour = if behind { Some(number + 1) } else { number.checked_sub(1) };
            let neighbour = neighbour.and_then(|number| self.nodes.get_mut(number));
            match neighbour.filter(|node| node.has_room(bytes, fill, plain_from)) {
                Some(node) => {
                    let index = if behind { 0 } else { node.len() };
                    node.insert(index, element);
                }
                None => self.nodes.insert(between, Node::of(element, false)),
            }
        } else {
            let rest = self.nodes[number].split_off(within);
            self.nodes.insert(number + 1, rest);
            // The half that does not hold the element next to which it comes gets it.
            if behind {
                self.nodes[number + 1].insert(0, element);
                self.join_around(number);
            } else {
                let len = self.nodes[number].len();
                self.nodes[number].insert(len, element);
                self.join_around(number + 1);
            }
        }
    }

    /// Joins neighbours around a node where both fit into one.
    fn join_around(&mut self, mut center: usize) {
        if center >= 2 && self.join(center - 2) {
            center -= 1;
        }
        self.join(center + 1);
        if center >= 1 && self.join(center - 1) {
            center -= 1;
        }
        self.join(center);
    }

    /// Joins a node and the one behind it, if there is one and they fit.
    fn join(&mut self, number: usize) -> bool {
        let (fill, next) = (self.fill(), number + 1);
        let fits = self.nodes.get(next).is_some_and(|next| self.nodes[number].may_join(next, fill));
        if fits && let Some(Node::Packed(tail, _)) = self.nodes.remove(next) {
            self.nodes[number].change(|packed| packed.append(&tail));
        }
        fits
    }
}

/// Takes out up to `most` elements that equal this one, from either end on; answers how many.
pub(super) fn remove_equal(packed: &mut Packed, element: Text<'_>, most: usize, from: End) -> usize {
    let mut removed = 0;
    match from {
        End::Left => {
            let mut place = packed.first();
            while removed < most
                && let Some(found) = packed.find(place, element, 0)
            {
                place = packed.remove(found, 1);
                removed += 1;
            }
        }
        End::Right => {
            let mut place = packed.last();
            while removed < most
                && let Some(at) = place
            {
                place = packed.previous(at);
                if packed.get(at) == element {
                    packed.remove(at, 1);
                    removed += 1;
                }
            }
        }
    }
    removed
}
