//! Replies, as the library's own reader parses them.

pub use ackd::resp::{Incomplete, Value, parse_reply};
