//! Bytes as they come: buffered, counted and checksummed; lengths, strings and numbers as RDB encodes them.
//!
//! A length that a file claims is only believed as far as bytes follow: memory grows with what was read.

use std::io::Read;

use super::error::{Error, Fault};
use crate::base::crc64::crc64;
use crate::base::lzf;
use crate::base::text::Text;

/// Read at once.
const BUFFER: usize = 64 * 1024;

/// So much memory is taken for a string before its bytes have come.
const TRUSTED: usize = 1 << 20;

/// A string, or what stands for it.
enum Coded {
    Plain(u64),
    Int(i64),
    Compressed,
}

/// See the module.
pub(super) struct Input<R> {
    source: R,
    buffer: Box<[u8]>,
    /// What of the buffer is not yet used.
    start: usize,
    end: usize,
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
        Self { source, buffer, start: 0, end: 0, summed: 0, checksum: 0, base: 0, compressed: Vec::new() }
    }

    /// Offset of the next byte.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// The checksum of all bytes before the next one.
    pub(super) fn checksum(&mut self) -> u64 {
        self.checksum = crc64(self.checksum, &self.buffer[self.summed..self.start]);
        self.summed = self.start;
        self.checksum
    }

    /// An error at the next byte.
    pub(super) fn fault(&self, fault: Fault) -> Error {
        Error { offset: self.offset(), fault }
    }

    /// An error at the next byte: something that cannot be.
    pub(super) fn malformed(&self, what: &'static str) -> Error {
        self.fault(Fault::Malformed(what))
    }

    /// Reads more; at the end of the source, `false`. All that was buffered has been used.
    fn refill(&mut self) -> Result<bool, Error> {
        self.checksum();
        self.base += self.end as u64;
        (self.start, self.end, self.summed) = (0, 0, 0);
        loop {
            match self.source.read(&mut self.buffer) {
                Ok(count) => {
                    self.end = count;
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

    /// A string, into `out`, or the number as which it is stored.
    fn text_or_number(&mut self, out: &mut Vec<u8>) -> Result<Option<i64>, Error> {
        out.clear();
        match self.coded()? {
            Coded::Int(value) => return Ok(Some(value)),
            Coded::Plain(len) => self.bytes(len, out)?,
            Coded::Compressed => {
                let (len, expected) = (self.length()?, self.length()?);
                let mut compressed = std::mem::take(&mut self.compressed);
                compressed.clear();
                self.bytes(len, &mut compressed)?;
                let expected = usize::try_from(expected).unwrap_or(usize::MAX);
                let is_right = lzf::decompress_into(&compressed, expected, out);
                self.compressed = compressed;
                if !is_right {
                    return Err(self.malformed("a compressed string that does not decompress to the length it claims"));
                }
            }
        }
        Ok(None)
    }

    /// A string, into `out` unless it is stored as a number.
    pub(super) fn text<'a>(&mut self, out: &'a mut Vec<u8>) -> Result<Text<'a>, Error> {
        Ok(self.text_or_number(out)?.map_or_else(|| Text::of(out), Text::Int))
    }

    /// A string as bytes, into `out`.
    pub(super) fn string(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        if let Some(number) = self.text_or_number(out)? {
            out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
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
