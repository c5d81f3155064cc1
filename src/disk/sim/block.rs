//! One 4 KiB unit of a file's content, shared between all images that have it alike.

use std::rc::Rc;

/// Size of a page, and of the unit that a torn write may destroy.
pub(super) const PAGE: usize = 4096;

/// What a disk writes as a whole.
pub(super) const SECTOR: usize = 512;

/// All sectors of a page.
pub(super) const WHOLE: u8 = 0xff;

static ZEROS: [u8; PAGE] = [0; PAGE];

/// A page of a file.
#[derive(Clone, Debug)]
pub(super) enum Block {
    /// Never written: reads as zeros, takes no storage.
    Hole,
    /// Written with zeros.
    Zero,
    /// Written.
    Data(Rc<[u8; PAGE]>),
}

impl Block {
    pub(super) fn bytes(&self) -> &[u8; PAGE] {
        match self {
            Self::Hole | Self::Zero => &ZEROS,
            Self::Data(bytes) => bytes,
        }
    }

    pub(super) fn is_hole(&self) -> bool {
        matches!(self, Self::Hole)
    }

    pub(super) fn new(bytes: &[u8; PAGE]) -> Self {
        if *bytes == ZEROS { Self::Zero } else { Self::Data(Rc::new(*bytes)) }
    }

    /// This page with `bytes` written at `at`.
    pub(super) fn patched(&self, at: usize, bytes: &[u8]) -> Self {
        let mut page = *self.bytes();
        page[at..at + bytes.len()].copy_from_slice(bytes);
        Self::new(&page)
    }

    /// The page as it is when only the sectors in `sectors` of `newer` reached the medium.
    pub(super) fn torn(&self, newer: &Self, sectors: u8) -> Self {
        match sectors {
            0 => self.clone(),
            WHOLE => newer.clone(),
            _ => {
                let mut page = *self.bytes();
                for sector in (0..PAGE / SECTOR).filter(|sector| sectors & (1 << sector) != 0) {
                    let range = sector * SECTOR..(sector + 1) * SECTOR;
                    page[range.clone()].copy_from_slice(&newer.bytes()[range]);
                }
                Self::new(&page)
            }
        }
    }

    /// The page as a write leaves it that was cut while the disk rewrote the whole unit.
    pub(super) fn destroyed(rng: &mut fastrand::Rng) -> Self {
        if rng.bool() {
            return Self::Zero;
        }
        let mut page = [0; PAGE];
        rng.fill(&mut page);
        Self::new(&page)
    }
}
