//! What a connection may hold of memory: `client-query-buffer-limit` and `client-output-buffer-limit`.
//!
//! Connections ask after they executed something, the timer asks for those that are quiet.

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

/// Whether replies that were not sent exceed the hard limit, or for too long the soft one.
pub fn output_exceeds(limit: BufferLimit, client: &mut Client, now_us: u64) -> bool {
    let waiting = client.output.backlog() as u64;
    if limit.soft == 0 || waiting <= limit.soft {
        client.over_soft_limit_since_us = None;
    } else {
        client.over_soft_limit_since_us.get_or_insert(now_us);
    }
    let seconds_over = client.over_soft_limit_since_us.map(|since| now_us.saturating_sub(since) / 1_000_000);
    limit.hard != 0 && waiting >= limit.hard || seconds_over.is_some_and(|seconds| seconds > limit.soft_seconds)
}
