//! A file as two views: what the cache shows, and what the medium holds.

use std::collections::BTreeMap;

use super::block::{Block, PAGE, WHOLE};
use super::survival::{Fate, Survival};
use crate::disk::AlignedBuf;

/// A file's content. Cloning it copies references; an image clones only the files that it changes.
#[derive(Clone, Default)]
pub(super) struct Inode {
    medium: Vec<Block>,
    medium_len: u64,
    /// The pages in which the cache differs from the medium.
    cache: BTreeMap<u64, Cached>,
    len: u64,
    /// Lengths that are not yet on the medium, with the numbers of the writes that made them.
    lens: Vec<(u64, u64)>,
}

#[derive(Clone)]
struct Cached {
    now: Block,
    /// Versions that writeback may have carried to the medium by now; the last one is `now`. Empty when the kernel
    /// holds the page for clean although the medium has something else.
    unsynced: Vec<(u64, Block)>,
}

impl Inode {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Bytes of storage.
    pub(super) fn allocated(&self) -> u64 {
        let cached_holes = self.cache.keys().filter(|page| self.medium_page(**page).is_hole()).count();
        let on_medium = self.medium.iter().filter(|block| !block.is_hole()).count();
        ((on_medium + cached_holes) * PAGE) as u64
    }

    /// How many pages a write would have to allocate.
    pub(super) fn holes_in(&self, offset: u64, len: usize) -> u64 {
        pages(offset, len).filter(|(page, ..)| self.page(*page).is_hole()).count() as u64
    }

    /// Pages, and lengths, that a power cut may take back.
    pub(super) fn at_risk(&self) -> usize {
        self.cache.values().filter(|cached| !cached.unsynced.is_empty()).count() + self.lens.len()
    }

    /// Whether the cache shows anything that the medium may not have.
    pub(super) fn has_cached_pages(&self) -> bool {
        !self.cache.is_empty()
    }

    /// The numbers of the unsynced changes.
    pub(super) fn unsynced(&self) -> impl Iterator<Item = u64> {
        let pages = self.cache.values().flat_map(|cached| cached.unsynced.iter().map(|(number, _)| *number));
        pages.chain(self.lens.iter().map(|(number, _)| *number))
    }

    fn page(&self, page: u64) -> &Block {
        self.cache.get(&page).map_or_else(|| self.medium_page(page), |cached| &cached.now)
    }

    fn medium_page(&self, page: u64) -> &Block {
        usize::try_from(page).ok().and_then(|page| self.medium.get(page)).unwrap_or(&Block::Hole)
    }

    fn set_medium_page(&mut self, page: u64, block: Block) {
        let page = page as usize;
        if self.medium.len() <= page {
            self.medium.resize(page + 1, Block::Hole);
        }
        self.medium[page] = block;
    }

    /// Reads. Past the cache, a clean page comes from the medium; a dirty one is written back first, and so seen.
    pub(super) fn read(&self, offset: u64, len: usize, past_cache: bool) -> AlignedBuf {
        let end = self.len.min(offset.saturating_add(len as u64));
        let len = end.saturating_sub(offset) as usize;
        let mut buf = AlignedBuf::with_capacity(len);
        for (page, at, from, to) in pages(offset, len) {
            let block = match self.cache.get(&page) {
                Some(cached) if !past_cache || !cached.unsynced.is_empty() => &cached.now,
                _ => self.medium_page(page),
            };
            buf.extend_from_slice(&block.bytes()[at..at + (to - from)]);
        }
        buf
    }

    /// What a power cut without survivors would leave.
    pub(super) fn read_medium(&self) -> Vec<u8> {
        let mut all: Vec<u8> = self.medium.iter().flat_map(|block| block.bytes().iter().copied()).collect();
        all.resize(self.medium_len as usize, 0);
        all
    }

    /// Writes through the cache.
    pub(super) fn write_cached(&mut self, number: u64, offset: u64, data: &[u8]) {
        for (page, at, from, to) in pages(offset, data.len()) {
            let block = self.page(page).patched(at, &data[from..to]);
            let cached = self.cache.entry(page).or_insert_with(|| Cached { now: Block::Hole, unsynced: Vec::new() });
            cached.now = block.clone();
            cached.unsynced.push((number, block));
        }
        self.grow(number, offset + data.len() as u64);
    }

    /// Writes what the cache then holds for clean, and the medium never sees.
    pub(super) fn write_cache_only(&mut self, offset: u64, data: &[u8]) {
        for (page, at, from, to) in pages(offset, data.len()) {
            let now = self.page(page).patched(at, &data[from..to]);
            self.cache.insert(page, Cached { now, unsynced: Vec::new() });
        }
    }

    /// Makes the file at least `len` long.
    pub(super) fn grow(&mut self, number: u64, len: u64) {
        if len > self.len {
            self.len = len;
            self.lens.push((number, len));
        }
    }

    /// Writes past the cache to the medium: of each page the sectors that `sectors` gives for it, counted from the
    /// first page of the write.
    pub(super) fn write_direct(&mut self, offset: u64, data: &[u8], mut sectors: impl FnMut(usize) -> u8) {
        let mut end = None;
        for (index, (page, at, from, to)) in pages(offset, data.len()).enumerate() {
            let set = sectors(index);
            if set == 0 {
                continue;
            }
            // The kernel writes a dirty page back before a direct write goes past it, and forgets it.
            let before = self.cache.remove(&page).map_or_else(|| self.medium_page(page).clone(), |cached| cached.now);
            let block = before.torn(&before.patched(at, &data[from..to]), set);
            self.set_medium_page(page, block);
            end = Some(offset + to as u64);
        }
        if let Some(end) = end {
            self.len = self.len.max(end);
            self.medium_len = self.medium_len.max(end);
            self.lens.retain(|(_, len)| *len > end);
        }
    }

    /// Makes durable what was written up to `upto`.
    pub(super) fn sync(&mut self, upto: u64) {
        let mut written = Vec::new();
        for (page, cached) in &mut self.cache {
            let covered = cached.unsynced.iter().take_while(|(number, _)| *number <= upto).count();
            let newest = cached.unsynced.drain(..covered).next_back();
            if let Some((_, block)) = newest {
                written.push((*page, block, cached.unsynced.is_empty()));
            }
        }
        for (page, block, clean) in written {
            self.set_medium_page(page, block);
            if clean {
                self.cache.remove(&page);
            }
        }
        self.sync_len(upto);
    }

    fn sync_len(&mut self, upto: u64) {
        for (_, len) in self.lens.extract_if(.., |(number, _)| *number <= upto) {
            self.medium_len = self.medium_len.max(len);
        }
    }

    /// A sync that fails: some pages reach the medium, the others stay in the cache, for clean.
    pub(super) fn fail_sync(&mut self, upto: u64, rng: &mut fastrand::Rng) {
        let dirty: Vec<u64> =
            self.cache.iter().filter(|(_, c)| !c.unsynced.is_empty()).map(|(page, _)| *page).collect();
        for page in dirty {
            let Some(cached) = self.cache.get_mut(&page) else { continue };
            let covered = cached.unsynced.iter().take_while(|(number, _)| *number <= upto).count();
            let Some((_, block)) = cached.unsynced.drain(..covered).next_back() else { continue };
            let clean = cached.unsynced.is_empty();
            if rng.bool() {
                self.set_medium_page(page, block);
                if clean {
                    self.cache.remove(&page);
                }
            }
        }
        if rng.bool() {
            self.sync_len(upto);
        }
    }

    /// Forgets the clean pages of the cache, as memory pressure does. Answers how many differed from the medium.
    pub(super) fn drop_clean_pages(&mut self) -> usize {
        let before = self.cache.len();
        self.cache.retain(|_, cached| !cached.unsynced.is_empty());
        before - self.cache.len()
    }

    /// Inverts one bit on the medium, and in the cache if the page is there.
    pub(super) fn flip(&mut self, offset: u64, bit: u8) {
        for (page, at, ..) in pages(offset, 1) {
            let flipped = [self.medium_page(page).bytes()[at] ^ (1 << (bit % 8))];
            let block = self.medium_page(page).patched(at, &flipped);
            self.set_medium_page(page, block);
        }
    }

    /// The power fails: decides for each unsynced page, and for the length, what the medium has. `seen` gets each
    /// page that was at stake, as it is now.
    pub(super) fn cut_power(&mut self, survival: &mut Survival, mut seen: impl FnMut(u64, &[u8])) {
        for (page, cached) in std::mem::take(&mut self.cache) {
            if cached.unsynced.is_empty() {
                continue;
            }
            let before = self.medium_page(page).clone();
            let block = match survival.version(cached.unsynced.iter().map(|(number, _)| *number)) {
                None => before,
                Some(version) => match survival.fate() {
                    Fate::Destroyed => Block::destroyed(survival.rng()),
                    Fate::Sectors(set) => before.torn(&cached.unsynced[version].1, set),
                },
            };
            seen(page, block.bytes());
            self.set_medium_page(page, block);
        }
        let lens = std::mem::take(&mut self.lens);
        if let Some(version) = survival.version(lens.iter().map(|(number, _)| *number)) {
            self.medium_len = self.medium_len.max(lens[version].1);
        }
        self.len = self.medium_len;
        self.cut_behind_the_end();
        seen(u64::MAX, &self.len.to_le_bytes());
    }

    /// Destroys the page at `offset`.
    pub(super) fn destroy(&mut self, offset: u64, rng: &mut fastrand::Rng) {
        let page = offset / PAGE as u64;
        self.cache.remove(&page);
        self.set_medium_page(page, Block::destroyed(rng));
    }

    /// Content behind the end of the file is not there, also when the file grows again.
    fn cut_behind_the_end(&mut self) {
        let (whole, rest) = ((self.len / PAGE as u64) as usize, (self.len % PAGE as u64) as usize);
        self.medium.truncate(whole + usize::from(rest > 0));
        if rest > 0
            && let Some(last) = self.medium.get_mut(whole)
            && !last.is_hole()
        {
            *last = last.patched(rest, &[0; PAGE][rest..]);
        }
    }

    /// How many pages a write touches.
    pub(super) fn page_count(offset: u64, len: usize) -> usize {
        pages(offset, len).count()
    }
}

/// The pages of a range: page number, start in the page, and the part of the range, from and to.
fn pages(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let position = offset + done as u64;
        let at = (position % PAGE as u64) as usize;
        let from = done;
        done = len.min(done + PAGE - at);
        Some((position / PAGE as u64, at, from, done))
    })
}

/// Every sector of every page.
pub(super) fn whole(_page: usize) -> u8 {
    WHOLE
}
