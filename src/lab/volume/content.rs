//! What a file holds, in pages that trees share until they change them: a crash state differs from the next one in a
//! few.

use std::sync::{Arc, LazyLock, OnceLock};

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

const PAGE: usize = 4096;

/// What a file holds.
#[derive(Clone, Debug, Default)]
pub struct Content {
    /// Those that were never written hold zeros, as does what is behind the end in the last one.
    pages: Vec<Option<Arc<Page>>>,
    length: usize,
}

#[derive(Debug)]
struct Page {
    bytes: [u8; PAGE],
    /// Found out when it is asked for.
    digest: OnceLock<u128>,
}

impl Clone for Page {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes, digest: OnceLock::new() }
    }
}

impl Content {
    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.length as u64
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    fn page_mut(&mut self, number: usize) -> &mut [u8; PAGE] {
        let zeros = || Arc::new(Page { bytes: [0; PAGE], digest: OnceLock::new() });
        let page = Arc::make_mut(self.pages[number].get_or_insert_with(zeros));
        page.digest = OnceLock::new();
        &mut page.bytes
    }

    /// Ends it there; what is new is zeros.
    pub fn resize(&mut self, size: u64) {
        let size = size as usize;
        self.pages.resize(size.div_ceil(PAGE), None);
        if size < self.length && !size.is_multiple_of(PAGE) && self.pages[size / PAGE].is_some() {
            self.page_mut(size / PAGE)[size % PAGE..].fill(0);
        }
        self.length = size;
    }

    /// Puts bytes at a place; it grows as needed.
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        let end = offset + data.len() as u64;
        if end > self.len() {
            self.resize(end);
        }
        let (mut at, mut rest) = (offset as usize, data);
        while !rest.is_empty() {
            let within = at % PAGE;
            let (part, behind) = rest.split_at(rest.len().min(PAGE - within));
            self.page_mut(at / PAGE)[within..within + part.len()].copy_from_slice(part);
            (at, rest) = (at + part.len(), behind);
        }
    }

    /// At most so many bytes from a place on.
    pub fn read(&self, offset: u64, most: usize) -> Vec<u8> {
        let from = self.length.min(offset as usize);
        let to = self.length.min(from.saturating_add(most));
        let mut found = Vec::with_capacity(to - from);
        while from + found.len() < to {
            let at = from + found.len();
            let within = at % PAGE..PAGE.min(at % PAGE + (to - at));
            match &self.pages[at / PAGE] {
                Some(page) => found.extend_from_slice(&page.bytes[within]),
                None => found.resize(found.len() + within.len(), 0),
            }
        }
        found
    }

    /// All of it.
    pub fn to_vec(&self) -> Vec<u8> {
        self.read(0, self.length)
    }

    /// Equal ones have an equal one.
    pub fn digest(&self) -> u128 {
        static ZEROS: LazyLock<u128> = LazyLock::new(|| xxh3_128(&[0; PAGE]));
        let mut hash = Xxh3::new();
        hash.update(&self.len().to_le_bytes());
        for page in &self.pages {
            let digest = page.as_ref().map_or(*ZEROS, |page| *page.digest.get_or_init(|| xxh3_128(&page.bytes)));
            hash.update(&digest.to_le_bytes());
        }
        hash.digest128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A content and the same as plain bytes.
    fn same(content: &Content, bytes: &[u8]) {
        assert_eq!(content.len(), bytes.len() as u64);
        assert!(content.to_vec() == bytes);
        let mut again = Content::default();
        again.write(0, bytes);
        assert_eq!(content.digest(), again.digest());
    }

    #[test]
    fn it_is_like_plain_bytes() {
        let mut rng = fastrand::Rng::with_seed(1);
        for _ in 0..200 {
            let (mut content, mut bytes) = (Content::default(), Vec::new());
            for _ in 0..20 {
                let at = rng.usize(..3 * PAGE);
                if rng.u8(..4) == 0 {
                    content.resize(at as u64);
                    bytes.resize(at, 0);
                } else {
                    let data: Vec<u8> = (0..rng.usize(1..2 * PAGE)).map(|_| rng.u8(..3)).collect();
                    content.write(at as u64, &data);
                    bytes.resize(bytes.len().max(at + data.len()), 0);
                    bytes[at..at + data.len()].copy_from_slice(&data);
                }
                same(&content, &bytes);
                let (from, most) = (rng.usize(..4 * PAGE), rng.usize(..PAGE));
                let expected = &bytes[bytes.len().min(from)..bytes.len().min(from + most)];
                assert_eq!(content.read(from as u64, most), expected);
            }
        }
    }

    #[test]
    fn a_copy_is_its_own() {
        let mut one = Content::default();
        one.write(0, b"one");
        let digest = one.digest();
        let mut other = one.clone();
        other.write(0, b"two");
        assert_eq!((one.to_vec().as_slice(), one.digest()), (&b"one"[..], digest));
        assert_ne!(other.digest(), digest);
    }
}
