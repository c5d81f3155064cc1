//! One cache line of the hash table: seven entries and their tags, or six entries and a further bucket.
//!
//! ```text
//!  byte 0   1      2      3            7      8        16           56       64
//!      +-------+------+------+------+------+--------+--------+----+--------+
//!      | flags | tag0 | tag1 | ...  | tag6 | slot 0 | slot 1 | .. | slot 6 |
//!      +-------+------+------+------+------+--------+--------+----+--------+
//! ```
//!
//! A tag is eight bits of the entry's hash that do not choose the bucket, never zero; a zero tag marks an empty slot.
//! With the flag `CHAINED` slot 6 owns the next bucket of the chain and its tag is zero.
//!
//! What always holds: in a chain all buckets but the last are full, and a further bucket has at least two entries.
//! All `unsafe` of the table is here, behind safe functions.

use std::mem::ManuallyDrop;

/// Entries in a bucket that is not chained.
pub(super) const SLOTS: usize = 7;

const CHAINED: u64 = 1;
const LOW_BITS: u64 = 0x0101_0101_0101_0101;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
/// The high bits of the seven tag bytes: everything but the flags byte.
const TAG_BYTES: u64 = 0x8080_8080_8080_8000;

/// What a slot holds is told by the bucket's `meta` word.
union Slot<T> {
    empty: (),
    entry: ManuallyDrop<T>,
    next: ManuallyDrop<Box<Bucket<T>>>,
}

#[repr(C, align(64))]
pub(super) struct Bucket<T> {
    meta: u64,
    slots: [Slot<T>; SLOTS],
}

/// The tag of a hash: its top byte, with zero folded into one.
pub(super) fn tag_of(hash: u64) -> u8 {
    ((hash >> 56) as u8).max(1)
}

impl<T> Bucket<T> {
    pub(super) fn new() -> Self {
        const { assert!(size_of::<T>() == 8 && size_of::<Self>() == 64, "a table entry is the size of a pointer") };
        Self { meta: 0, slots: [const { Slot { empty: () } }; SLOTS] }
    }

    fn tag(&self, slot: usize) -> u8 {
        (self.meta >> (8 * (slot + 1))) as u8
    }

    fn set_tag(&mut self, slot: usize, tag: u8) {
        let shift = 8 * (slot + 1);
        self.meta = self.meta & !(0xff << shift) | u64::from(tag) << shift;
    }

    fn is_chained(&self) -> bool {
        self.meta & CHAINED != 0
    }

    /// A bit in the byte of each slot whose tag may equal `tag`; it can also be set for one that does not (the borrow
    /// of the subtraction), but never for an empty slot's sake alone: the caller compares keys through [`Self::get`].
    pub(super) fn candidates(&self, tag: u8) -> Candidates {
        let differing = self.meta ^ u64::from(tag).wrapping_mul(LOW_BITS);
        Candidates(differing.wrapping_sub(LOW_BITS) & !differing & TAG_BYTES)
    }

    /// The entry in a slot, if there is one.
    pub(super) fn get(&self, slot: usize) -> Option<&T> {
        if self.tag(slot) == 0 {
            return None;
        }
        // SAFETY: a tag is non-zero only from `put` to `take`, and between them the slot holds an entry.
        Some(unsafe { &self.slots[slot].entry })
    }

    pub(super) fn get_mut(&mut self, slot: usize) -> Option<&mut T> {
        if self.tag(slot) == 0 {
            return None;
        }
        // SAFETY: as in `get`; the borrow of the bucket is exclusive.
        Some(unsafe { &mut self.slots[slot].entry })
    }

    /// The next bucket of the chain.
    pub(super) fn next(&self) -> Option<&Self> {
        if !self.is_chained() {
            return None;
        }
        // SAFETY: CHAINED is set only by `link`, which stores the box in the last slot, and cleared by `unlink`.
        Some(unsafe { &self.slots[SLOTS - 1].next })
    }

    pub(super) fn next_mut(&mut self) -> Option<&mut Self> {
        if !self.is_chained() {
            return None;
        }
        // SAFETY: as in `next`; the borrow of the bucket is exclusive.
        Some(unsafe { &mut self.slots[SLOTS - 1].next })
    }

    /// Slots that can hold entries.
    pub(super) fn usable(&self) -> usize {
        SLOTS - usize::from(self.is_chained())
    }

    /// Number of entries in this bucket alone.
    pub(super) fn count(&self) -> usize {
        (0..SLOTS).filter(|&slot| self.tag(slot) != 0).count()
    }

    fn free_slot(&self) -> Option<usize> {
        // The lowest byte that is found to be zero always is; that of the flags is not looked at.
        let tags = self.meta | 0xff;
        let empty = tags.wrapping_sub(LOW_BITS) & !tags & TAG_BYTES;
        Candidates(empty).next().filter(|slot| *slot < self.usable())
    }

    fn put(&mut self, slot: usize, tag: u8, entry: T) {
        assert!(tag != 0 && self.tag(slot) == 0 && slot < self.usable(), "a slot is filled only when it is empty");
        self.slots[slot].entry = ManuallyDrop::new(entry);
        self.set_tag(slot, tag);
    }

    fn take(&mut self, slot: usize) -> Option<(u8, T)> {
        let tag = self.tag(slot);
        if tag == 0 {
            return None;
        }
        self.set_tag(slot, 0);
        // SAFETY: the tag was non-zero, so the slot holds an entry; with the tag cleared nobody reads it again.
        Some((tag, unsafe { ManuallyDrop::take(&mut self.slots[slot].entry) }))
    }

    fn link(&mut self, next: Box<Self>) {
        assert!(!self.is_chained() && self.tag(SLOTS - 1) == 0, "only an empty last slot can hold the chain");
        self.slots[SLOTS - 1].next = ManuallyDrop::new(next);
        self.meta |= CHAINED;
    }

    pub(super) fn unlink(&mut self) -> Option<Box<Self>> {
        if !self.is_chained() {
            return None;
        }
        self.meta &= !CHAINED;
        // SAFETY: CHAINED was set, so the last slot holds the box; with the flag cleared nobody reads it again.
        Some(unsafe { ManuallyDrop::take(&mut self.slots[SLOTS - 1].next) })
    }

    /// Adds an entry to the chain that begins here. Answers the length of a chain that grew by this (in further
    /// buckets), zero if it did not grow.
    pub(super) fn append(&mut self, tag: u8, entry: T) -> usize {
        let mut depth = 1;
        let mut bucket = self;
        while bucket.is_chained() {
            bucket = bucket.next_mut().expect("a chained bucket has a next one");
            depth += 1;
        }
        if let Some(slot) = bucket.free_slot() {
            bucket.put(slot, tag, entry);
            return 0;
        }
        let (moved_tag, moved) = bucket.take(SLOTS - 1).expect("a bucket without a free slot is full");
        let mut further = Box::new(Self::new());
        further.put(0, moved_tag, moved);
        further.put(1, tag, entry);
        bucket.link(further);
        depth
    }

    /// Removes an entry from the chain that begins here and fills the hole from the chain's end. Answers the length
    /// (in further buckets) of a chain that shrank by this, zero if it did not shrink.
    pub(super) fn remove(&mut self, depth: usize, slot: usize) -> Option<(T, usize)> {
        let (_, removed) = self.at_mut(depth)?.take(slot)?;
        let length = self.chain_length();
        if length == 0 {
            return Some((removed, 0));
        }
        let last = self.at_mut(length).expect("the chain is as long as it was counted");
        let end = (0..SLOTS).rev().find_map(|slot| last.take(slot));
        let left = last.count();
        // Nothing is left to move if the hole was the chain's last entry but one: that one is taken back below.
        if let Some((tag, entry)) = end {
            let target = self.at_mut(depth).expect("the hole's bucket is still there");
            let hole = target.free_slot().expect("an entry was just taken from this bucket");
            target.put(hole, tag, entry);
        }
        let left = if depth == length { left + 1 } else { left };
        if left > 1 {
            return Some((removed, 0));
        }
        let before = self.at_mut(length - 1).expect("a further bucket has one before it");
        let mut further = before.unlink().expect("the chain is as long as it was counted");
        if let Some((tag, entry)) = (0..SLOTS).find_map(|slot| further.take(slot)) {
            before.put(SLOTS - 1, tag, entry);
        }
        Some((removed, length))
    }

    /// Number of further buckets.
    pub(super) fn chain_length(&self) -> usize {
        let mut length = 0;
        let mut bucket = self;
        while let Some(next) = bucket.next() {
            bucket = next;
            length += 1;
        }
        length
    }

    pub(super) fn at(&self, depth: usize) -> Option<&Self> {
        let mut bucket = self;
        for _ in 0..depth {
            bucket = bucket.next()?;
        }
        Some(bucket)
    }

    pub(super) fn at_mut(&mut self, depth: usize) -> Option<&mut Self> {
        let mut bucket = self;
        for _ in 0..depth {
            bucket = bucket.next_mut()?;
        }
        Some(bucket)
    }

    /// Takes all entries of the chain out of it and frees its further buckets.
    pub(super) fn drain(&mut self, mut each: impl FnMut(u8, T)) {
        let next = self.unlink();
        for slot in 0..SLOTS {
            if let Some((tag, entry)) = self.take(slot) {
                each(tag, entry);
            }
        }
        let mut rest = next;
        while let Some(mut bucket) = rest {
            rest = bucket.unlink();
            for slot in 0..SLOTS {
                if let Some((tag, entry)) = bucket.take(slot) {
                    each(tag, entry);
                }
            }
        }
    }
}

impl<T: Clone> Clone for Bucket<T> {
    fn clone(&self) -> Self {
        let mut copy = Self::new();
        for slot in 0..SLOTS {
            if let Some(entry) = self.get(slot) {
                copy.put(slot, self.tag(slot), entry.clone());
            }
        }
        if let Some(next) = self.next() {
            copy.link(Box::new(next.clone()));
        }
        copy
    }
}

impl<T> Drop for Bucket<T> {
    fn drop(&mut self) {
        if self.meta != 0 {
            self.drain(|_, entry| drop(entry));
        }
    }
}

/// Slots worth comparing, lowest first.
pub(super) struct Candidates(u64);

impl Iterator for Candidates {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let slot = (self.0.trailing_zeros() / 8) as usize - 1;
        self.0 &= self.0 - 1;
        Some(slot)
    }
}

const _: () = assert!(TAG_BYTES == HIGH_BITS & !0xff);
