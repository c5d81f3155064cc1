//! LCS: the longest common subsequence of two strings, by the table of all pairs of prefixes.

use super::failure::{self, Failure};
use super::{Ctx, parse};
use crate::keyspace::Entry;
use crate::resp::Reply;

#[derive(Default)]
struct Options {
    length_only: bool,
    positions: bool,
    with_lengths: bool,
    min_length: i64,
}

impl Options {
    fn read(arguments: &[&[u8]]) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.to_ascii_uppercase().as_slice() {
                b"IDX" => options.positions = true,
                b"LEN" => options.length_only = true,
                b"WITHMATCHLEN" => options.with_lengths = true,
                b"MINMATCHLEN" => {
                    let length = words.next().ok_or(failure::SYNTAX)?;
                    options.min_length = parse::integer(length)?;
                }
                _ => return Err(failure::SYNTAX),
            }
        }
        if options.positions && options.length_only {
            return Err("ERR If you want both the length and indexes, please just use IDX.".into());
        }
        Ok(options)
    }
}

/// LCS key1 key2 [LEN] [IDX] [MINMATCHLEN length] [WITHMATCHLEN]
pub fn lcs(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let a = string(ctx, arguments[1]);
    let b = string(ctx, arguments[2]);
    let (Some(a), Some(b)) = (a, b) else {
        return Err("ERR The specified keys must contain string values".into());
    };
    let options = Options::read(&arguments[3..])?;
    let table = Table::new(&a, &b, ctx.engine.config.proto_max_bulk_len())?;
    if options.positions {
        write_positions(&mut ctx.reply, &table, &options);
    } else if options.length_only {
        ctx.reply.integer(table.length().into());
    } else {
        ctx.reply.bulk(&table.subsequence());
    }
    Ok(())
}

/// A copy of the string at a key, empty if there is none; `None` for a value of another type.
fn string(ctx: &mut Ctx<'_>, key: &[u8]) -> Option<Vec<u8>> {
    match ctx.read(key) {
        None => Some(Vec::new()),
        Some(entry) => Entry::text(entry).map(|text| text.as_bytes(&mut itoa::Buffer::new()).to_vec()),
    }
}

/// Lengths of the longest common subsequences of all pairs of prefixes.
struct Table<'a> {
    a: &'a [u8],
    b: &'a [u8],
    lengths: Vec<u32>,
}

/// A run of equal bytes, by its last positions and length.
struct Match {
    a_start: usize,
    b_start: usize,
    length: usize,
}

impl<'a> Table<'a> {
    fn new(a: &'a [u8], b: &'a [u8], limit: u64) -> Result<Self, Failure> {
        let too_long = |bytes: &[u8]| bytes.len() as u64 >= u64::from(u32::MAX) - 1;
        if too_long(a) || too_long(b) {
            return Err("ERR String too long for LCS".into());
        }
        let cells = (a.len() as u64 + 1) * (b.len() as u64 + 1);
        if cells.checked_mul(4).is_some_and(|bytes| bytes > limit) {
            return Err("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len".into());
        }
        let mut lengths = Vec::new();
        if usize::try_from(cells).is_err() || lengths.try_reserve_exact(cells as usize).is_err() {
            return Err("ERR Insufficient memory, failed allocating transient memory for LCS".into());
        }
        lengths.resize(cells as usize, 0);
        let width = b.len() + 1;
        for (i, a_byte) in a.iter().enumerate() {
            let (done, row) = lengths.split_at_mut((i + 1) * width);
            let above = &done[i * width..];
            for (j, b_byte) in b.iter().enumerate() {
                row[j + 1] = if a_byte == b_byte { above[j] + 1 } else { above[j + 1].max(row[j]) };
            }
        }
        Ok(Self { a, b, lengths })
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.lengths[i * (self.b.len() + 1) + j]
    }

    fn length(&self) -> u32 {
        self.at(self.a.len(), self.b.len())
    }

    /// Walks one longest common subsequence from its end and calls `each` for every run of it.
    fn walk(&self, mut each: impl FnMut(Match)) {
        let (mut i, mut j) = (self.a.len(), self.b.len());
        while i > 0 && j > 0 {
            let (end_i, end_j) = (i, j);
            while i > 0 && j > 0 && self.a[i - 1] == self.b[j - 1] {
                (i, j) = (i - 1, j - 1);
            }
            if i < end_i {
                each(Match { a_start: i, b_start: j, length: end_i - i });
            } else if self.at(end_i - 1, end_j) > self.at(end_i, end_j - 1) {
                i -= 1;
            } else {
                j -= 1;
            }
        }
    }

    fn subsequence(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.length() as usize);
        self.walk(|found| bytes.extend(self.a[found.a_start..found.a_start + found.length].iter().rev()));
        bytes.reverse();
        bytes
    }
}

fn write_positions(reply: &mut Reply, table: &Table<'_>, options: &Options) {
    reply.map(2);
    reply.bulk(b"matches");
    let start = reply.deferred();
    let mut count = 0;
    table.walk(|found| {
        if options.min_length > 0 && (found.length as i64) < options.min_length {
            return;
        }
        reply.array(if options.with_lengths { 3 } else { 2 });
        for first in [found.a_start, found.b_start] {
            reply.array(2);
            reply.count(first);
            reply.count(first + found.length - 1);
        }
        if options.with_lengths {
            reply.count(found.length);
        }
        count += 1;
    });
    reply.finish_array(start, count);
    reply.bulk(b"len");
    reply.integer(table.length().into());
}

#[cfg(test)]
mod tests {
    use crate::command::harness::Harness;

    #[test]
    fn the_longest_common_subsequence_is_given_as_string_length_or_positions() {
        let mut server = Harness::new();
        server.run("MSET a ohmytext b mynewtext");
        assert_eq!(server.run("LCS a b"), "$6 mytext");
        assert_eq!(server.run("LCS a b LEN"), ":6");
        assert_eq!(
            server.run("LCS a b IDX WITHMATCHLEN"),
            "*4 $7 matches *2 *3 *2 :4 :7 *2 :5 :8 :4 *3 *2 :2 :3 *2 :0 :1 :2 $3 len :6"
        );
        assert_eq!(server.run("LCS a b IDX MINMATCHLEN 3"), "*4 $7 matches *1 *2 *2 :4 :7 *2 :5 :8 $3 len :6");
        assert_eq!(server.run("LCS a none"), "$0");
        assert_eq!(server.run("LCS a b IDX LEN"), "-ERR If you want both the length and indexes, please just use IDX.");
        assert_eq!(server.run("LCS a b MINMATCHLEN"), "-ERR syntax error");
    }

    #[test]
    fn a_table_that_would_take_too_much_memory_is_refused() {
        let mut server = Harness::new();
        server.run("SETRANGE a 20000 x");
        server.run("SETRANGE b 20000 x");
        assert_eq!(
            server.run("LCS a b"),
            "-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
        );
    }
}
