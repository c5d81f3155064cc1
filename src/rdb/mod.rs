//! RDB: the file in which Redis and Valkey keep a data set, and the payload of DUMP, which holds one value in the same form.
//!
//! [`Reader`] hands out what a file consists of, piece by piece, and [`Writer`] takes the same pieces ([`Event`]): so one can
//! look into a file, change it, or turn it into another version, without a server and without holding it in memory. Read
//! are the versions 1 to 13 of Redis and 80 of Valkey, with every type and form of values; written are 9 to 12. Whatever is in
//! a file, reading it ends in an [`Error`] that says where and what, and never in a panic or in memory that the file's size
//! does not justify.
//!
//! ```text
//!  "REDIS" version (4 digits)
//!  aux (name, value)*   function*
//!  (database   sizes   (expiry? use? type key value)*)*
//!  end   CRC-64 of all before (8 bytes, from version 5 on; 0 if there is none)
//! ```
//!
//! Sources: the format has no specification; what is here comes from the public description of the formats, and from files
//! of the servers themselves, with which it is tested in both directions.

#![expect(clippy::big_endian_bytes, reason = "the format has lengths and ids with their high bytes first")]

mod codes;
mod error;
mod event;
mod input;
mod packed;
mod reader;
mod version;
mod writer;
mod ziplist;
mod zipmap;

#[cfg(test)]
mod tests;

pub use error::{Error, Fault};
pub use event::{Event, Key, Kind, Part, Shape, StreamId, StreamState};
pub use packed::Packed;
pub use reader::Reader;
pub use version::Version;
pub use writer::{Options, WriteError, Writer};

use crate::base::number;
use crate::base::text::Text;

/// What a payload of DUMP ends with: a version of two bytes and a checksum of eight, little-endian.
const FOOTER: usize = 10;

/// How many keys a file of so many bytes may have: [`Event::Sizes`] is only believed up to this, for it may claim anything.
pub fn keys_at_most(bytes: u64) -> u64 {
    /// The type, the name's length and the value's, and a byte of one of them; only 257 keys are shorter.
    const LEAST: u64 = 4;
    bytes / LEAST
}

/// Whether an element of a listpack spells a score.
fn is_score(text: Text<'_>) -> bool {
    match text {
        Text::Int(_) => true,
        Text::Bytes(bytes) => number::is_plain(bytes) || number::parse_f64(bytes).is_some(),
    }
}

/// The score that an element of a listpack spells, if it does.
pub fn score(text: Text<'_>) -> Option<f64> {
    match text {
        Text::Int(value) => Some(value as f64),
        Text::Bytes(bytes) => number::parse_f64(bytes),
    }
}
