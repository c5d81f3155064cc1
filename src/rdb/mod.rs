//! The encodings that only RDB files have.

pub mod ziplist;
pub mod zipmap;
