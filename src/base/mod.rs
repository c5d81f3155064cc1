//! Layer 0: clock, randomness, numbers, globs, checksums, bits, sketches, and the byte encodings that keyspace and RDB
//! share. No state, and no knowledge of anything above.

pub mod allocator;
pub mod bitfield;
pub mod bitops;
pub mod calendar;
pub mod clock;
pub mod crc16;
pub mod crc64;
pub mod geohash;
pub mod glob;
pub mod hyperloglog;
pub mod intset;
pub mod listpack;
pub mod longdouble;
pub mod lzf;
pub mod murmur;
pub mod number;
pub mod quoting;
mod shortest;
pub mod sink;
pub mod text;
pub mod texts;
