//! What a connection may hold of memory: `client-query-buffer-limit`, and how far it may be ahead of its reader.

use crate::engine::client::{Client, Transaction};
use crate::engine::config::BufferLimit;

/// Replies that may wait to be sent before nothing more is executed for a connection. More than the system's own buffers
/// take at once, so it stops nobody who reads; who sends a whole pipeline first has its requests received meanwhile.
pub const OUTPUT_AHEAD: usize = 1 << 20;

/// Notes at how many bytes of waiting replies a connection stops to execute. A lower hard limit ends it there.
pub fn output_ahead(limit: BufferLimit) -> usize {
    match usize::try_from(limit.hard) {
        Ok(hard @ 1..) => hard.min(OUTPUT_AHEAD),
        _ => OUTPUT_AHEAD,
    }
}

/// Whether requests that were received and not executed take more than `limit`. What MULTI has queued is among them.
pub fn query_exceeds(limit: u64, client: &Client, received: usize) -> bool {
    let queued = client.transaction.as_ref().map_or(0, Transaction::held_bytes);
    received.saturating_add(queued) as u64 > limit
}
