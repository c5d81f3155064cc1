//! A frame under construction: room for the header, then the payload, in memory that can be written as it is.
//!
//! The engine gathers effects in one, and [`Log::append`](super::Log::append) writes it. A large piece of the payload can be
//! shared instead of copied: then the frame is written slice by slice.

use std::borrow::Cow;

use bytes::Bytes;

use crate::base::sink::Sink;
use crate::disk::AlignedBuf;

use super::frame::{FRAME_HEADER, FrameHeader};
use super::recovery::yield_now;
use super::segment::MAX_UNIT;

/// A buffer that grew beyond this for one large frame is not kept.
const KEEP_CAPACITY: usize = 4 << 20;

/// So much of a shared piece is summed before others get their turn: about a millisecond's work.
const SUM_AT_ONCE: usize = 4 << 20;

/// See the module. Its memory is kept from frame to frame: [`Log::append`](super::Log::append) hands it back empty.
#[derive(Debug, Default)]
pub struct FrameBuf {
    buf: Option<AlignedBuf>,
    /// Pieces that lie elsewhere, in order, each with the place in the payload part of `buf` before which it stands.
    shared: Vec<(usize, Bytes)>,
    shared_len: usize,
}

impl FrameBuf {
    /// An empty frame.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends to the payload.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.memory().extend_from_slice(bytes);
    }

    /// Appends to the payload without copying.
    pub fn extend_shared(&mut self, bytes: Bytes) {
        self.shared_len += bytes.len();
        self.shared.push((self.own().len(), bytes));
    }

    /// Puts `bytes` into the payload, before what stands at `at`, which is not inside of a shared piece.
    pub fn insert(&mut self, at: usize, bytes: &[u8]) {
        let mut own_at = at;
        for (place, piece) in &mut self.shared {
            if *place < own_at {
                own_at -= piece.len();
            } else {
                *place += bytes.len();
            }
        }
        let (at, buf) = (FRAME_HEADER + own_at, self.memory());
        let end = buf.len();
        buf.extend_from_slice(bytes);
        buf.copy_within(at..end, at + bytes.len());
        buf[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// Takes back what stands behind the first `len` bytes of the payload, which is not inside of a shared piece.
    pub fn truncate(&mut self, len: usize) {
        let mut own_len = len;
        let mut kept = 0;
        for (place, piece) in &self.shared {
            if *place >= own_len {
                break;
            }
            own_len -= piece.len();
            kept += 1;
        }
        let dropped: usize = self.shared.drain(kept..).map(|(_, piece)| piece.len()).sum();
        self.shared_len -= dropped;
        if let Some(buf) = &mut self.buf {
            buf.resize(FRAME_HEADER + own_len);
        }
    }

    #[inline]
    fn memory(&mut self) -> &mut AlignedBuf {
        self.buf.get_or_insert_with(|| cleared(AlignedBuf::with_capacity(4096)))
    }

    /// The payload but for what is shared.
    fn own(&self) -> &[u8] {
        self.buf.as_ref().map_or(&[], |buf| &buf[FRAME_HEADER..])
    }

    /// The payload so far, piece by piece.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let own = self.own();
        let mut at = 0;
        let end = self.shared.last().map_or(0, |(place, _)| *place);
        let until_last = self.shared.iter().flat_map(move |(place, piece)| {
            let before = std::mem::replace(&mut at, *place);
            [&own[before..*place], piece]
        });
        until_last.chain([&own[end..]])
    }

    /// The payload so far; copied if pieces of it are shared.
    pub fn payload(&self) -> Cow<'_, [u8]> {
        if self.shared.is_empty() {
            Cow::Borrowed(self.own())
        } else {
            Cow::Owned(self.pieces().collect::<Vec<_>>().concat())
        }
    }

    /// Bytes of payload so far.
    pub fn len(&self) -> usize {
        self.own().len() + self.shared_len
    }

    /// Whether there is no payload yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether pieces of it are shared, so that it cannot be written as it is.
    pub(super) fn is_shared(&self) -> bool {
        !self.shared.is_empty()
    }

    /// The CRC of the payload.
    pub(super) async fn payload_crc(&self) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        for piece in self.pieces() {
            for part in piece.chunks(SUM_AT_ONCE) {
                hasher.update(part);
                if part.len() == SUM_AT_ONCE {
                    yield_now().await;
                }
            }
        }
        hasher.finalize()
    }

    /// Takes the frame out, with its header in place; what is left is empty. Gives the bytes and the header CRC.
    pub(super) fn finish(&mut self, header: &FrameHeader, salt: u64) -> (AlignedBuf, u32) {
        assert!(!self.is_shared(), "what is shared is written slice by slice");
        assert_eq!(header.payload_len, self.len() as u64, "the header must describe the payload");
        let (raw, crc) = header.encode(salt);
        let mut buf = self.buf.take().unwrap_or_else(|| cleared(AlignedBuf::with_capacity(4096)));
        buf[..FRAME_HEADER].copy_from_slice(&raw);
        (buf, crc)
    }

    /// Takes memory back after it was written.
    pub(super) fn give_back(&mut self, buf: AlignedBuf) {
        if self.buf.is_none() && buf.capacity() <= KEEP_CAPACITY {
            self.buf = Some(cleared(buf));
        }
    }

    /// Forgets the payload.
    pub fn clear(&mut self) {
        self.shared = Vec::new();
        self.shared_len = 0;
        if let Some(buf) = self.buf.take() {
            self.give_back(buf);
        }
    }
}

impl Sink for FrameBuf {
    #[inline]
    fn reserve(&mut self, more: usize) {
        // Padding to a write unit may follow: without room for it, a large frame would be copied once more.
        self.memory().reserve(more + more.min(MAX_UNIT as usize));
    }

    #[inline]
    fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.memory().extend_from_slice(bytes);
    }
}

/// Memory with room for a header and no payload.
fn cleared(mut buf: AlignedBuf) -> AlignedBuf {
    buf.clear();
    buf.resize(FRAME_HEADER);
    buf
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_shared_stands_where_it_was_appended(
            pieces in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 1..20)), 0..12),
            inserts in proptest::collection::vec((0usize..12, proptest::collection::vec(any::<u8>(), 1..9)), 0..3),
            kept in 0usize..16,
        ) {
            let mut frame = FrameBuf::new();
            let mut model: Vec<Vec<u8>> = Vec::new();
            for (shared, bytes) in pieces {
                model.push(bytes.clone());
                match shared {
                    true => frame.extend_shared(bytes.into()),
                    false => frame.extend_from_slice(&bytes),
                }
            }
            for (at, bytes) in inserts {
                let at = at.min(model.len());
                frame.insert(model[..at].iter().map(Vec::len).sum(), &bytes);
                model.insert(at, bytes);
            }
            frame.truncate(model.iter().take(kept).map(Vec::len).sum());
            model.truncate(kept);
            let model = model.concat();
            prop_assert_eq!((frame.len(), frame.is_empty()), (model.len(), model.is_empty()));
            let crc = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(frame.payload_crc());
            prop_assert_eq!(crc, crc32fast::hash(&model));
            prop_assert_eq!(frame.payload().into_owned(), model);
            frame.clear();
            prop_assert!(frame.is_empty() && frame.payload().is_empty());
        }
    }
}
