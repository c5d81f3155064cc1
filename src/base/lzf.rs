//! LZF, the compression of strings in RDB files and DUMP (the format of LibLZF).
//!
//! ```text
//!  000nnnnn, n + 1 bytes                   these bytes (1 to 32)
//!  lllooooo oooooooo                       l + 2 bytes (3 to 8) that begin o + 1 bytes (1 to 8192) before the end so far
//!  111ooooo nnnnnnnn oooooooo              n + 9 bytes (9 to 264) likewise
//! ```
//!
//! High bits of `o` come first. A back reference may reach into what it makes: then its first bytes are repeated. Neither
//! of the two lengths is in there; RDB files have them in front: `0xc3 | compressed length | length | data`.

/// The least length that [`Compressor::compress`] tries, which is Redis' choice.
pub const TRIED_FROM: usize = 21;

/// Compressed strings are at least so many bytes shorter, else they are left as they are. Redis' choice too.
const LEAST_GAIN: usize = 4;

const LITERALS_MAX: usize = 32;
const DISTANCE_MAX: usize = 1 << 13;
const MATCH_MIN: usize = 3;
const MATCH_MAX: usize = 264;

/// A compressed byte yields at most so many: a back reference of three bytes makes 264.
const EXPANSION_MAX: usize = MATCH_MAX / 3;

const HASH_BITS: u32 = 14;

/// After so many misses (as a power of two) in a row, one position more is skipped at each step.
const PATIENCE_BITS: u32 = 6;

/// Up to 16 positions a step, so that what is compressible behind what is not is still found.
const STRIDE_MAX: usize = 16 << PATIENCE_BITS;

/// Room that is made behind what a step writes, so that short copies can be of constant size.
const SLACK: usize = 64;

/// Compresses strings one after the other. What it answers depends on the string alone, not on those before.
///
/// The table has the last position of each hash of three bytes, modulo 2^16. Positions go on from string to string, so
/// those of earlier strings lie too far back to be taken for one of this; before they could wrap, the table is cleared.
/// Within a long string they do wrap, but a candidate's bytes are compared in any case.
pub struct Compressor {
    table: Box<[u16; 1 << HASH_BITS]>,
    /// Position of the next string's first byte.
    base: usize,
}

impl Default for Compressor {
    fn default() -> Self {
        Self::new()
    }
}

impl Compressor {
    /// One with 32 KiB of memory, to be kept and used again.
    pub fn new() -> Self {
        Self { table: Box::new([0; 1 << HASH_BITS]), base: 0 }
    }

    /// Appends the compressed form, if that is worth it; else leaves `out` as it was and answers false.
    pub fn compress(&mut self, input: &[u8], out: &mut Vec<u8>) -> bool {
        if input.len() < TRIED_FROM {
            return false;
        }
        if self.base + input.len() > usize::from(u16::MAX) {
            self.table.fill(0);
            self.base = 0;
        }
        let base = self.base as u16;
        self.base += input.len();
        let start = out.len();
        let mut writer = Writer { at: start, limit: start + input.len() - LEAST_GAIN, out };
        let end = if search(&mut self.table, base, input, &mut writer) { writer.at } else { start };
        out.truncate(end);
        end > start
    }
}

/// The hash of three bytes, the lowest of a word.
#[inline]
fn hash(key: u32) -> usize {
    (key.wrapping_mul(0x9e37_79b1) >> (32 - HASH_BITS)) as usize
}

/// Three bytes as a number, if there is a fourth.
#[inline]
fn key(input: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*input.get(at..)?.first_chunk()?) & 0xff_ffff)
}

/// Whether the whole input went into the writer.
fn search(table: &mut [u16; 1 << HASH_BITS], base: u16, input: &[u8], out: &mut Writer<'_>) -> bool {
    let (mut at, mut literals) = (0, 0);
    let mut misses = 1 << PATIENCE_BITS;
    while let Some(wanted) = key(input, at) {
        let position = base.wrapping_add(at as u16);
        let before = std::mem::replace(&mut table[hash(wanted)], position);
        // A distance is written less one, so that none is too far.
        let offset = usize::from(position.wrapping_sub(before)).wrapping_sub(1);
        if offset >= DISTANCE_MAX.min(at) || key(input, at - offset - 1) != Some(wanted) {
            at += misses >> PATIENCE_BITS;
            misses = STRIDE_MAX.min(misses + 1);
            continue;
        }
        let len = match_len(input, at - offset - 1, at);
        if !out.literals(&input[literals..], at - literals) || !out.reference(offset, len) {
            return false;
        }
        at += len;
        literals = at;
        misses = 1 << PATIENCE_BITS;
        // What follows often goes on with what followed the last bytes of this.
        for at in [at - 2, at - 1] {
            if let Some(key) = key(input, at) {
                table[hash(key)] = base.wrapping_add(at as u16);
            }
        }
    }
    out.literals(&input[literals..], input.len() - literals)
}

/// Number of equal bytes from two positions on, up to what a back reference can say. The first three are known to be equal.
#[inline]
fn match_len(input: &[u8], before: usize, at: usize) -> usize {
    let most = MATCH_MAX.min(input.len() - at);
    let (old, new) = (&input[before..before + most], &input[at..at + most]);
    let mut len = MATCH_MIN;
    while let (Some(old), Some(new)) = (old[len..].first_chunk(), new[len..].first_chunk()) {
        let unequal = u64::from_le_bytes(*old) ^ u64::from_le_bytes(*new);
        if unequal != 0 {
            return len + unequal.trailing_zeros() as usize / 8;
        }
        len += 8;
    }
    while len < most && old[len] == new[len] {
        len += 1;
    }
    len
}

/// The end of the compressed form, of which everything from `at` on is room.
struct Writer<'a> {
    out: &'a mut Vec<u8>,
    at: usize,
    limit: usize,
}

impl Writer<'_> {
    /// Whether the limit allows so many bytes more. Then there is room for them and the slack.
    #[inline]
    fn make_room(&mut self, len: usize) -> bool {
        let end = self.at + len;
        if end + SLACK > self.out.len() {
            if end > self.limit {
                return false;
            }
            let more = self.out.len().clamp(SLACK, 1 << 16);
            self.out.resize(end + SLACK + more.min(self.limit - end), 0);
        }
        end <= self.limit
    }

    /// Writes the first bytes of the input as they are.
    #[inline]
    fn literals(&mut self, mut input: &[u8], mut len: usize) -> bool {
        if !self.make_room(len + len.div_ceil(LITERALS_MAX)) {
            return false;
        }
        while len > 0 {
            let run = len.min(LITERALS_MAX);
            let out = &mut self.out[self.at..];
            out[0] = (run - 1) as u8;
            copy_literals(input, &mut out[1..], run);
            self.at += 1 + run;
            input = &input[run..];
            len -= run;
        }
        true
    }

    /// Writes a back reference.
    #[inline]
    fn reference(&mut self, offset: usize, len: usize) -> bool {
        // Both forms without a branch, since one is as likely as the other.
        let short = len - 2;
        let size = if short < 7 { 2 } else { 3 };
        if !self.make_room(size) {
            return false;
        }
        let first = short.min(7) << 5 | offset >> 8;
        let low = offset & 0xff;
        let rest = if short < 7 { low } else { low << 8 | (short - 7) };
        self.out[self.at..][..4].copy_from_slice(&((first | rest << 8) as u32).to_le_bytes());
        self.at += size;
        true
    }
}

/// Copies up to 32 bytes; where both sides have the room, whatever follows them too, because that is faster.
#[inline]
fn copy_literals(input: &[u8], out: &mut [u8], len: usize) {
    match (input.first_chunk::<LITERALS_MAX>(), out.first_chunk_mut::<LITERALS_MAX>()) {
        (Some(input), Some(out)) => *out = *input,
        _ => out[..len].copy_from_slice(&input[..len]),
    }
}

/// What was compressed, if it is valid and exactly so long.
pub fn decompress(input: &[u8], expected: usize) -> Option<Vec<u8>> {
    if !possible(input, expected) {
        return None;
    }
    let mut out = vec![0; expected];
    fill(input, &mut out).then_some(out)
}

/// Appends what was compressed, if it is valid and exactly so long; else leaves `out` as it was and answers false.
pub fn decompress_into(input: &[u8], expected: usize, out: &mut Vec<u8>) -> bool {
    if !possible(input, expected) {
        return false;
    }
    let start = out.len();
    out.resize(start + expected, 0);
    let valid = fill(input, &mut out[start..]);
    if !valid {
        out.truncate(start);
    }
    valid
}

/// Whether so many bytes can come out of so few, which is asked before there is memory for them.
fn possible(input: &[u8], expected: usize) -> bool {
    expected <= input.len().saturating_mul(EXPANSION_MAX)
}

/// Whether the input makes exactly as much as there is room.
fn fill(mut input: &[u8], out: &mut [u8]) -> bool {
    let mut at = 0;
    while let Some((&control, rest)) = input.split_first() {
        if usize::from(control) < LITERALS_MAX {
            let len = usize::from(control) + 1;
            if len > rest.len() || len > out.len() - at {
                return false;
            }
            copy_literals(rest, &mut out[at..], len);
            input = &rest[len..];
            at += len;
            continue;
        }
        let (len, low) = match *rest {
            [more, low, ref rest @ ..] if control >= 7 << 5 => {
                input = rest;
                (usize::from(more) + 9, low)
            }
            [low, ref rest @ ..] if control < 7 << 5 => {
                input = rest;
                (usize::from(control >> 5) + 2, low)
            }
            _ => return false,
        };
        let distance = (usize::from(control & 0x1f) << 8 | usize::from(low)) + 1;
        if distance > at || len > out.len() - at {
            return false;
        }
        repeat(out, at, distance, len);
        at += len;
    }
    at == out.len()
}

/// Bytes of one step of a copy; like literals, they may go beyond the end where there is room.
const STEP: usize = 16;

/// Writes `len` bytes at `at` that are equal to those `distance` before them.
#[inline]
fn repeat(out: &mut [u8], at: usize, distance: usize, len: usize) {
    let end = at + len;
    if end + STEP > out.len() {
        for at in at..end {
            out[at] = out[at - distance];
        }
        return;
    }
    // What is repeated is repeated at every multiple of the distance too, of which one is wide enough for the steps.
    let (mut at, mut far) = (at, distance);
    if distance < STEP {
        far = distance * STEP.div_ceil(distance);
        let enough = end.min(at + far - distance);
        while at < enough {
            out[at] = out[at - distance];
            at += 1;
        }
    }
    while at < end {
        let (before, after) = out.split_at_mut(at);
        if let (Some(from), Some(to)) = (before[at - far..].first_chunk::<STEP>(), after.first_chunk_mut::<STEP>()) {
            *to = *from;
        }
        at += STEP;
    }
}

#[cfg(test)]
#[path = "lzf_tests.rs"]
mod tests;
