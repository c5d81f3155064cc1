//! Bytes as they come: buffered, counted and checksummed; lengths, strings and numbers as RDB encodes them.
//!
//! A length that a file claims is only believed as far as bytes follow: memory grows with what was read.

use std::io::Read;

use super::error::{Error, Fault};
use crate::base::crc64::crc64;
use crate::base::lzf;
use crate::base::text::Text;

/// Read at once.
const BUFFER: usize = 128 * 1024;

/// Strings up to this length are not copied out of the buffer. A part has two of them at most, so there is always room to
/// read on while they are held.
const HELD_MAX: usize = BUFFER / 4;

/// So much memory is taken for a string before its bytes have come.
const TRUSTED: usize = 1 << 20;

/// A string, or what stands for it.
enum Coded {
    Plain(u64),
    Int(i64),
    Compressed,
}

/// Where a string is that was read.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// Still in the buffer, at this offset of the source; until [`Input::release`].
    Here(u64, usize),
    /// In the vector that was given for it.
    Out,
    /// Nowhere: it is stored as this number.
    Int(i64),
}

/// See the module.
pub(super) struct Input<R> {
    source: R,
    buffer: Box<[u8]>,
    /// What of the buffer is not yet used.
    start: usize,
    end: usize,
    /// From here on the buffer is kept, for what was read is still looked at; `usize::MAX` if nothing is.
    held: usize,
    /// Whether there is a checksum at all.
    sums: bool,
    /// Up to where in the buffer the checksum has come.
    summed: usize,
    checksum: u64,
    /// Offset of the buffer's first byte.
    base: u64,
    /// A compressed string before it is decompressed.
    compressed: Vec<u8>,
}

impl<R: Read> Input<R> {
    /// Of a source of about so many bytes.
    pub(super) fn new(source: R, len: usize) -> Self {
        let buffer = vec![0; BUFFER.min(len)].into_boxed_slice();
        let (held, compressed) = (usize::MAX, Vec::new());
        Self { source, buffer, start: 0, end: 0, held, sums: true, summed: 0, checksum: 0, base: 0, compressed }
    }

    /// Leaves the checksum out from here on.
    pub(super) fn skip_checksum(&mut self) {
        self.sums = false;
    }

    /// Offset of the next byte.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// The checksum of all bytes before the next one, if there is one.
    pub(super) fn checksum(&mut self) -> Option<u64> {
        if self.sums {
            self.checksum = crc64(self.checksum, &self.buffer[self.summed..self.start]);
        }
        self.summed = self.start;
        self.sums.then_some(self.checksum)
    }

    /// An error at the next byte.
    #[cold]
    pub(super) fn fault(&self, fault: Fault) -> Error {
        Error { offset: self.offset(), fault }
    }

    /// An error at the next byte: something that cannot be.
    #[cold]
    pub(super) fn malformed(&self, what: &'static str) -> Error {
        self.fault(Fault::Malformed(what))
    }

    /// Reads more; at the end of the source, `false`. What is held, or not yet used, stays in the buffer, but moves.
    #[cold]
    fn refill(&mut self) -> Result<bool, Error> {
        self.checksum();
        let kept = self.held.min(self.start);
        self.buffer.copy_within(kept..self.end, 0);
        self.base += kept as u64;
        (self.start, self.end, self.summed) = (self.start - kept, self.end - kept, self.summed - kept);
        if self.held != usize::MAX {
            self.held = 0;
        }
        loop {
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.fault(Fault::Io(error))),
            }
        }
    }

    /// Whether there are no more bytes.
    pub(super) fn is_at_end(&mut self) -> Result<bool, Error> {
        Ok(self.start == self.end && !self.refill()?)
    }

    /// Nothing that was read before is looked at any more.
    pub(super) fn release(&mut self) {
        self.held = usize::MAX;
    }

    /// The next bytes, which stay where they are until [`Input::release`]; `None`, and nothing is used, if they are too many.
    fn hold(&mut self, len: u64) -> Result<Option<Place>, Error> {
        if len > HELD_MAX.min(self.buffer.len()) as u64 {
            return Ok(None);
        }
        let len = len as usize;
        while self.end - self.start < len {
            if !self.refill()? {
                self.start = self.end;
                return Err(self.fault(Fault::Truncated));
            }
        }
        let place = Place::Here(self.offset(), len);
        self.held = self.held.min(self.start);
        self.start += len;
        Ok(Some(place))
    }

    /// The last string is not held any more; `before` says what was held before it.
    fn let_go(&mut self, before: usize) {
        if before == usize::MAX {
            self.release();
        }
    }

    /// The bytes at a place in the buffer.
    fn held(&self, at: u64, len: usize) -> &[u8] {
        &self.buffer[(at - self.base) as usize..][..len]
    }

    /// The bytes at a place; those of a number are none. `out` is the vector that was given for it.
    pub(super) fn bytes_at<'a>(&'a self, place: Place, out: &'a [u8]) -> &'a [u8] {
        match place {
            Place::Here(at, len) => self.held(at, len),
            Place::Out => out,
            Place::Int(_) => &[],
        }
    }

    /// The string at a place; `out` is the vector that was given for it.
    pub(super) fn text_at<'a>(&'a self, place: Place, out: &'a [u8]) -> Text<'a> {
        match place {
            Place::Here(at, len) => Text::of(self.held(at, len)),
            Place::Out => Text::of(out),
            Place::Int(value) => Text::Int(value),
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, Error> {
        if self.is_at_end()? {
            return Err(self.fault(Fault::Truncated));
        }
        let byte = self.buffer[self.start];
        self.start += 1;
        Ok(byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        if let Some(found) = self.buffer[self.start..self.end].first_chunk() {
            self.start += N;
            return Ok(*found);
        }
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Ok(bytes)
    }

    /// Appends the next `len` bytes.
    pub(super) fn bytes(&mut self, len: u64, out: &mut Vec<u8>) -> Result<(), Error> {
        let mut left = usize::try_from(len).map_err(|_| self.malformed("a length beyond all memory"))?;
        out.reserve(left.min(TRUSTED));
        while left > 0 {
            if self.is_at_end()? {
                return Err(self.fault(Fault::Truncated));
            }
            let count = left.min(self.end - self.start);
            out.extend_from_slice(&self.buffer[self.start..self.start + count]);
            self.start += count;
            left -= count;
        }
        Ok(())
    }

    pub(super) fn skip(&mut self, len: u64) -> Result<(), Error> {
        let mut left = len;
        while left > 0 {
            if self.is_at_end()? {
                return Err(self.fault(Fault::Truncated));
            }
            let count = left.min((self.end - self.start) as u64);
            self.start += count as usize;
            left -= count;
        }
        Ok(())
    }

    /// A length, a number of elements, or another unsigned number.
    pub(super) fn length(&mut self) -> Result<u64, Error> {
        let first = self.byte()?;
        match first >> 6 {
            0 => Ok(u64::from(first)),
            1 => Ok(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            2 => match first {
                0x80 => Ok(u64::from(u32::from_be_bytes(self.array()?))),
                0x81 => Ok(u64::from_be_bytes(self.array()?)),
                _ => Err(self.malformed("a length of unknown form")),
            },
            _ => Err(self.malformed("a number where a length is due")),
        }
    }

    fn coded(&mut self) -> Result<Coded, Error> {
        if self.is_at_end()? {
            return Err(self.fault(Fault::Truncated));
        }
        let first = self.buffer[self.start];
        if first >> 6 != 3 {
            return self.length().map(Coded::Plain);
        }
        self.start += 1;
        match first & 0x3f {
            0 => Ok(Coded::Int(i64::from(self.byte()? as i8))),
            1 => Ok(Coded::Int(i64::from(i16::from_le_bytes(self.array()?)))),
            2 => Ok(Coded::Int(i64::from(i32::from_le_bytes(self.array()?)))),
            3 => Ok(Coded::Compressed),
            _ => Err(self.malformed("a string of unknown form")),
        }
    }

    /// A string: where it is, which is `out` only if it has to be.
    pub(super) fn place(&mut self, out: &mut Vec<u8>) -> Result<Place, Error> {
        match self.coded()? {
            Coded::Int(value) => Ok(Place::Int(value)),
            Coded::Plain(len) => {
                if let Some(place) = self.hold(len)? {
                    return Ok(place);
                }
                out.clear();
                self.bytes(len, out)?;
                Ok(Place::Out)
            }
            Coded::Compressed => {
                let (len, expected) = (self.length()?, self.length()?);
                let expected = usize::try_from(expected).unwrap_or(usize::MAX);
                out.clear();
                let before = self.held;
                let is_right = if let Some(Place::Here(at, len)) = self.hold(len)? {
                    let is_right = lzf::decompress_into(self.held(at, len), expected, out);
                    self.let_go(before);
                    is_right
                } else {
                    let mut compressed = std::mem::take(&mut self.compressed);
                    compressed.clear();
                    self.bytes(len, &mut compressed)?;
                    self.compressed = compressed;
                    lzf::decompress_into(&self.compressed, expected, out)
                };
                if !is_right {
                    return Err(self.malformed("a compressed string that does not decompress to the length it claims"));
                }
                Ok(Place::Out)
            }
        }
    }

    /// A string, which is in `out` only if it has to be.
    pub(super) fn text<'a>(&'a mut self, out: &'a mut Vec<u8>) -> Result<Text<'a>, Error> {
        let place = self.place(out)?;
        Ok(self.text_at(place, out))
    }

    /// A string as bytes, into `out`.
    pub(super) fn string(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        let before = self.held;
        match self.place(out)? {
            Place::Here(at, len) => {
                out.clear();
                out.extend_from_slice(self.held(at, len));
                self.let_go(before);
            }
            Place::Out => {}
            Place::Int(number) => {
                out.clear();
                out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            }
        }
        Ok(())
    }

    /// Milliseconds, or another signed number of eight bytes.
    pub(super) fn i64(&mut self) -> Result<i64, Error> {
        self.array().map(i64::from_le_bytes)
    }

    /// A score as text, in the first of the two forms.
    pub(super) fn score_text(&mut self) -> Result<f64, Error> {
        let mut bytes = [0; 252];
        let len = match self.byte()? {
            255 => return Ok(f64::NEG_INFINITY),
            254 => return Ok(f64::INFINITY),
            253 => return Err(self.malformed("a score that is not a number")),
            len => usize::from(len),
        };
        for byte in &mut bytes[..len] {
            *byte = self.byte()?;
        }
        let parsed = std::str::from_utf8(&bytes[..len]).ok().and_then(|text| text.trim().parse::<f64>().ok());
        parsed.filter(|score| !score.is_nan()).ok_or_else(|| self.malformed("a score that is no number"))
    }

    /// A score of eight bytes.
    pub(super) fn score(&mut self) -> Result<f64, Error> {
        let score = f64::from_le_bytes(self.array()?);
        if score.is_nan() { Err(self.malformed("a score that is not a number")) } else { Ok(score) }
    }
}
