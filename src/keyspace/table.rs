//! The hash table of databases, and of large hashes, sets and sorted sets: linear hashing over cache lines.
//!
//! A directory of chunks of 1024 buckets; a bucket is one cache line (see `bucket.rs`). With 2^L + p buckets, those
//! below p are already split and addressed by L + 1 bits of the hash, the others by L bits. An insert that finds the
//! load above the target splits one bucket (number p) in two; a removal that finds it far below merges the last one
//! back. So there is never a second table, no pause, and memory grows with the number of keys instead of doubling.
//!
//! A bucket holds exactly the entries whose bit-reversed hash lies in one interval, and the buckets tile the space:
//! that is why [`Table::scan`] can use a position in that space as its cursor and misses nothing while buckets split
//! and merge. The cursors are those of Redis (reverse binary).
//!
//! Measured by `benches/keyspace.rs` with a million strings of 100 bytes under keys of 16 (two cores of a shared virtual
//! machine, keys in random order): 5.5 entries a bucket; 14.0 to 14.6 bytes of buckets and 147 to 148 resident bytes a
//! key, whatever the phase of the growth; 6.0 M lookups/s one by one, 9.4 M/s prefetched 16 at a time, 19 M/s of absent
//! keys, which the tags reject without following a pointer; 3.9 M samples/s.

use smallvec::SmallVec;

use super::bucket::{Bucket, SLOTS, tag_of};

/// What can be stored in a [`Table`]: something of a pointer's size that knows its key.
pub trait Keyed {
    /// The key by which the entry is found. It must not change while the entry is in a table.
    fn key(&self) -> &[u8];

    /// Asks the processor to fetch what [`Keyed::key`] will read.
    fn prefetch(&self) {}
}

/// Buckets a chunk: 64 KiB, so that growth allocates little at a time and the directory stays small.
const CHUNK: usize = 1024;
/// While there are no more chunks than this, the last one has only the memory that it needs and a quarter more: a set of
/// some thousand members must not pay for a whole chunk, and a large table does not notice.
const SNUG_CHUNKS: usize = 4;
/// An insert splits when there are more than this many entries for two buckets.
const SPLIT_ABOVE: usize = 11;
/// A removal merges when there are fewer than this many entries for two buckets. Well below `SPLIT_ABOVE`, so that a
/// table whose size swings does not split and merge all the time.
const MERGE_BELOW: usize = 6;
/// While resizing is paused an insert splits only above this many entries for two buckets: longer chains would cost
/// more than the pages that the forked child then shares no longer.
const SPLIT_ABOVE_PAUSED: usize = 56;
/// Buckets that one insert or removal splits or merges at most: more than one, to catch up after a pause.
const STEPS: usize = 2;
/// Draws after which a sample is taken from the next occupied bucket instead. It is reached only in a table that was
/// emptied while resizing was paused.
const SAMPLE_DRAWS: usize = 4096;

/// Buckets visited at most for each entry wanted of [`Table::sample_run`].
const RUN_BUCKETS: usize = 10;

/// A hash table that grows and shrinks one bucket at a time.
pub struct Table<T: Keyed> {
    /// All but the last chunk are full.
    chunks: Vec<Vec<Bucket<T>>>,
    buckets: usize,
    /// 2^L - 1 with 2^L the largest power of two that is not above `buckets`.
    mask: usize,
    len: usize,
    /// How many chains have at least 1, 2, 3 … further buckets.
    chains: Vec<usize>,
    paused: bool,
}

/// Where an entry is.
#[derive(Clone, Copy)]
struct Place {
    bucket: usize,
    depth: usize,
    slot: usize,
}

impl<T: Keyed> Table<T> {
    /// What an entry takes of a bucket in a table that is as full as it gets before it grows.
    pub const ENTRY_BYTES: usize = (2 * size_of::<Bucket<T>>()).div_ceil(SPLIT_ABOVE);

    /// An empty table; it allocates with the first insert.
    pub fn new() -> Self {
        Self { chunks: Vec::new(), buckets: 0, mask: 0, len: 0, chains: Vec::new(), paused: false }
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of buckets, not counting those of chains.
    pub fn buckets(&self) -> usize {
        self.buckets
    }

    /// Bytes used by buckets, without what the entries point to.
    pub fn bytes(&self) -> usize {
        let held: usize = self.chunks.iter().map(Vec::capacity).sum();
        (held + self.chains.iter().sum::<usize>()) * size_of::<Bucket<T>>()
            + self.chunks.capacity() * size_of::<Vec<Bucket<T>>>()
    }

    /// Bytes used by the table and its entries, each of which takes what `entry_bytes` says; so many of them are looked at,
    /// all for zero.
    pub fn heap_bytes(&self, samples: usize, entry_bytes: impl Fn(&T) -> usize) -> usize {
        let samples = if samples == 0 { self.len } else { samples.min(self.len) };
        let sum: usize = self.iter().take(samples).map(entry_bytes).sum();
        size_of::<Self>() + self.bytes() + (sum as u128 * self.len as u128 / samples.max(1) as u128) as usize
    }

    /// Makes room for so many entries at once, while there are none or few: their inserts then split nothing. The memory is
    /// taken now, [`Table::ENTRY_BYTES`] each, so a number from outside has to be one that is justified.
    pub fn expect(&mut self, count: usize) {
        let needed = count.saturating_mul(2).div_ceil(SPLIT_ABOVE);
        while self.buckets < needed {
            if self.len == 0 { self.push_bucket() } else { self.split() }
        }
    }

    /// Stops splits and merges (while a forked child shares the memory), or lets them go on.
    pub fn pause_resizing(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// Empties the table; its entries are in the one that it answers.
    pub fn take_all(&mut self) -> Self {
        let paused = self.paused;
        std::mem::replace(self, Self { paused, ..Self::new() })
    }

    fn index(&self, hash: u64) -> usize {
        let wide = hash as usize & (self.mask << 1 | 1);
        if wide < self.buckets { wide } else { wide & self.mask }
    }

    fn bucket(&self, index: usize) -> &Bucket<T> {
        &self.chunks[index / CHUNK][index % CHUNK]
    }

    fn bucket_mut(&mut self, index: usize) -> &mut Bucket<T> {
        &mut self.chunks[index / CHUNK][index % CHUNK]
    }

    /// Asks the processor to fetch the bucket of a hash, for callers that know several keys ahead.
    pub fn prefetch(&self, hash: u64) {
        if self.buckets != 0 {
            super::prefetch(std::ptr::from_ref(self.bucket(self.index(hash))));
        }
    }

    /// Asks the processor to fetch the entries that may have this hash; their bucket should be there already.
    pub fn prefetch_entries(&self, hash: u64) {
        if self.buckets != 0 {
            let bucket = self.bucket(self.index(hash));
            bucket.candidates(tag_of(hash)).filter_map(|slot| bucket.get(slot)).for_each(Keyed::prefetch);
        }
    }

    fn locate(&self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<Place> {
        if self.len == 0 {
            return None;
        }
        let index = self.index(hash);
        let tag = tag_of(hash);
        let mut depth = 0;
        let mut bucket = self.bucket(index);
        loop {
            for slot in bucket.candidates(tag) {
                if bucket.get(slot).is_some_and(&is_it) {
                    return Some(Place { bucket: index, depth, slot });
                }
            }
            bucket = bucket.next()?;
            depth += 1;
        }
    }

    /// The entry with this key; `hash` is the key's.
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<&T> {
        if self.len == 0 {
            return None;
        }
        let tag = tag_of(hash);
        let mut bucket = self.bucket(self.index(hash));
        loop {
            for slot in bucket.candidates(tag) {
                if let Some(entry) = bucket.get(slot)
                    && entry.key() == key
                {
                    return Some(entry);
                }
            }
            bucket = bucket.next()?;
        }
    }

    /// The same for changing it. The key must stay.
    pub fn find_mut(&mut self, hash: u64, key: &[u8]) -> Option<&mut T> {
        self.find_mut_by(hash, |entry| entry.key() == key)
    }

    /// The first entry with this hash's tag, in this hash's bucket, that `is_it` accepts.
    pub(super) fn find_mut_by(&mut self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<&mut T> {
        let place = self.locate(hash, is_it)?;
        self.bucket_mut(place.bucket).at_mut(place.depth)?.get_mut(place.slot)
    }

    /// Adds an entry whose key is not in the table.
    pub fn insert(&mut self, hash: u64, entry: T) {
        debug_assert!(self.find(hash, entry.key()).is_none(), "a key is in the table once");
        self.grow();
        let index = self.index(hash);
        let length = self.bucket_mut(index).append(tag_of(hash), entry);
        self.chain_grew(length);
        self.len += 1;
    }

    /// Takes an entry out.
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<T> {
        self.remove_by(hash, |entry| entry.key() == key)
    }

    /// Takes out the first entry with this hash's tag, in this hash's bucket, that `is_it` accepts.
    pub(super) fn remove_by(&mut self, hash: u64, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let place = self.locate(hash, is_it)?;
        let (entry, length) = self.bucket_mut(place.bucket).remove(place.depth, place.slot)?;
        self.chain_shrank(length);
        self.len -= 1;
        self.shrink();
        Some(entry)
    }

    /// Calls `each` for the entries of one bucket and answers the cursor of the next; zero when all are visited.
    ///
    /// An element that is present from the first call (cursor zero) to the last is visited at least once.
    pub fn scan<'a>(&'a self, cursor: u64, mut each: impl FnMut(&'a T)) -> u64 {
        if self.buckets == 0 {
            return 0;
        }
        let low = cursor as usize & self.mask;
        let split = low + self.mask + 1 < self.buckets;
        let mask = if split { self.mask << 1 | 1 } else { self.mask };
        self.visit(cursor as usize & mask, &mut each);
        // Counts up in the bits of the mask, from the highest to the lowest.
        let next = (cursor | !(mask as u64)).reverse_bits().wrapping_add(1);
        next.reverse_bits()
    }

    fn visit<'a>(&'a self, index: usize, each: &mut impl FnMut(&'a T)) {
        let mut next = Some(self.bucket(index));
        while let Some(bucket) = next {
            (0..SLOTS).filter_map(|slot| bucket.get(slot)).for_each(&mut *each);
            next = bucket.next();
        }
    }

    /// All entries, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let heads = self.chunks.iter().flatten();
        let all = heads.flat_map(|head| std::iter::successors(Some(head), |bucket| bucket.next()));
        all.flat_map(|bucket| (0..SLOTS).filter_map(|slot| bucket.get(slot)))
    }

    /// An entry drawn at random, each with the same chance.
    pub fn sample(&self, random: &mut fastrand::Rng) -> Option<&T> {
        if self.len == 0 {
            return None;
        }
        // Every slot that any chain could have is drawn with the same chance; those that do not exist or are empty
        // are drawn again.
        let slots = SLOTS * (1 + self.chains.len());
        for _ in 0..SAMPLE_DRAWS {
            let bucket = self.bucket(random.usize(..self.buckets));
            let slot = random.usize(..slots);
            if let Some(entry) = bucket.at(slot / SLOTS).and_then(|bucket| bucket.get(slot % SLOTS)) {
                return Some(entry);
            }
        }
        let start = random.usize(..self.buckets);
        let mut occupied = (start..self.buckets).chain(0..start).map(|index| self.bucket(index));
        occupied.find_map(|bucket| (0..SLOTS).find_map(|slot| bucket.get(slot)))
    }

    /// So many entries, if there are, that stand together behind a random place: cheaper than as many draws, and as good for
    /// who looks for the best of a few. Among many empty buckets fewer are found, perhaps none.
    pub fn sample_run<'a>(&'a self, count: usize, random: &mut fastrand::Rng, mut each: impl FnMut(&'a T)) {
        let mut left = count.min(self.len);
        if left == 0 {
            return;
        }
        let start = random.usize(..self.buckets);
        // Within the first bucket too the place is random: else the last slots would hardly ever be seen.
        let mut skipped = random.usize(..SLOTS);
        // A small table is gone through once around, and ends where it began.
        for step in 0..=(count * RUN_BUCKETS).min(self.buckets) {
            let mut next = Some(self.bucket((start + step) % self.buckets));
            while let Some(bucket) = next {
                let entries = || (skipped..SLOTS).filter_map(|slot| bucket.get(slot));
                entries().take(left).for_each(Keyed::prefetch);
                for entry in entries().take(left) {
                    each(entry);
                    left -= 1;
                }
                if left == 0 {
                    return;
                }
                skipped = 0;
                next = bucket.next();
            }
        }
    }

    fn chain_grew(&mut self, length: usize) {
        if length > self.chains.len() {
            self.chains.push(0);
        }
        if let Some(count) = length.checked_sub(1).and_then(|at| self.chains.get_mut(at)) {
            *count += 1;
        }
    }

    fn chain_shrank(&mut self, length: usize) {
        if let Some(count) = length.checked_sub(1).and_then(|at| self.chains.get_mut(at)) {
            *count -= 1;
        }
        while self.chains.last() == Some(&0) {
            self.chains.pop();
        }
    }

    fn grow(&mut self) {
        if self.buckets == 0 {
            self.push_bucket();
            return;
        }
        let limit = if self.paused { SPLIT_ABOVE_PAUSED } else { SPLIT_ABOVE };
        for _ in 0..STEPS {
            if (self.len + 1) * 2 <= self.buckets * limit {
                break;
            }
            self.split();
        }
    }

    fn shrink(&mut self) {
        for _ in 0..STEPS {
            if self.paused || self.buckets <= 1 || self.len * 2 >= self.buckets * MERGE_BELOW {
                break;
            }
            self.merge();
        }
        if self.len == 0 && !self.paused {
            *self = Self::new();
        }
    }

    fn push_bucket(&mut self) {
        let last_is_full = self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK);
        if last_is_full {
            self.chunks.push(Vec::new());
        }
        let snug = self.chunks.len() <= SNUG_CHUNKS;
        let chunk = self.chunks.last_mut().expect("a chunk with room was just made sure of");
        if chunk.len() == chunk.capacity() {
            let more = if snug { (chunk.len() / 4).clamp(1, CHUNK - chunk.len()) } else { CHUNK - chunk.len() };
            chunk.reserve_exact(more);
        }
        chunk.push(Bucket::new());
        self.buckets += 1;
        self.mask = (1 << self.buckets.ilog2()) - 1;
    }

    /// Divides the bucket whose turn it is between itself and a new last one.
    fn split(&mut self) {
        let new = self.buckets;
        let bit = 1 << new.ilog2();
        let old = new - bit;
        self.prefetch_splits(old, bit);
        let mut entries = self.drain(old);
        self.push_bucket();
        for (tag, entry) in entries.drain(..) {
            let index = if super::hash(entry.key()) as usize & bit == 0 { old } else { new };
            let length = self.bucket_mut(index).append(tag, entry);
            self.chain_grew(length);
        }
    }

    /// Buckets are split one after the other, so what the next splits will look at is known.
    fn prefetch_splits(&self, old: usize, end: usize) {
        const ENTRIES_AHEAD: usize = 2;
        const BUCKETS_AHEAD: usize = 6;
        if old + BUCKETS_AHEAD < end {
            super::prefetch(std::ptr::from_ref(self.bucket(old + BUCKETS_AHEAD)));
        }
        if old + ENTRIES_AHEAD < end {
            let bucket = self.bucket(old + ENTRIES_AHEAD);
            (0..SLOTS).filter_map(|slot| bucket.get(slot)).for_each(Keyed::prefetch);
        }
    }

    /// Brings the last bucket's entries back to the one from which it was split.
    fn merge(&mut self) {
        let last = self.buckets - 1;
        let entries = self.drain(last);
        let snug = self.chunks.len() <= SNUG_CHUNKS;
        let chunk = self.chunks.last_mut().expect("a table with buckets has a chunk");
        chunk.pop();
        if chunk.is_empty() {
            self.chunks.pop();
        } else if snug && chunk.len() * 2 <= chunk.capacity() {
            chunk.shrink_to(chunk.len() + chunk.len() / 4);
        }
        self.buckets -= 1;
        self.mask = (1 << self.buckets.ilog2()) - 1;
        let target = last - (1 << last.ilog2());
        for (tag, entry) in entries {
            let length = self.bucket_mut(target).append(tag, entry);
            self.chain_grew(length);
        }
    }

    fn drain(&mut self, index: usize) -> SmallVec<[(u8, T); 2 * SLOTS]> {
        let mut entries = SmallVec::new();
        let length = self.bucket(index).chain_length();
        self.bucket_mut(index).drain(|tag, entry| entries.push((tag, entry)));
        (1..=length).rev().for_each(|length| self.chain_shrank(length));
        entries
    }
}

impl<T: Keyed + Clone> Clone for Table<T> {
    fn clone(&self) -> Self {
        let mut chunks = self.chunks.clone();
        // A clone has no room to grow but in the last chunk, which may not stay between two sizes of its own.
        if let Some(last) = chunks.last_mut().filter(|_| self.chunks.len() > SNUG_CHUNKS) {
            last.reserve_exact(CHUNK - last.len());
        }
        Self { chunks, chains: self.chains.clone(), ..*self }
    }
}

impl<T: Keyed> Default for Table<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
