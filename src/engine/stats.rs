//! Counters for INFO. None of them influences what the server does.

use std::collections::BTreeMap;

/// Calls of one command.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandStats {
    /// Executions.
    pub calls: u64,
    /// Time spent, in microseconds.
    pub usec: u64,
    /// Refusals before execution.
    pub rejected: u64,
    /// Executions that ended in an error.
    pub failed: u64,
}

/// See the module. Commands are counted by the number of their row in the command table.
#[derive(Default)]
pub struct Stats {
    /// By row of the command table.
    pub commands: Vec<CommandStats>,
    /// By the first word of the error.
    pub errors: BTreeMap<String, u64>,
    /// Commands executed.
    pub total_commands: u64,
    /// Connections accepted.
    pub total_connections: u64,
    /// Connections refused because of `maxclients`.
    pub rejected_connections: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Reads that found their key.
    pub keyspace_hits: u64,
    /// Reads that did not.
    pub keyspace_misses: u64,
    /// Keys removed because their time was up.
    pub expired_keys: u64,
    /// Expiry cycles that ended because of their time limit.
    pub expire_time_cap_reached: u64,
    /// Estimated share of keys that have expired and are still there, in percent.
    pub expired_stale_percent: f64,
    /// Error replies.
    pub error_replies: u64,
    /// Failed authentications.
    pub auth_denied: u64,
    /// Connections closed because of the query buffer's limit.
    pub query_buffer_disconnections: u64,
    /// Connections closed because of the output buffer's limit.
    pub output_buffer_disconnections: u64,
    /// Changes since the last snapshot (Redis' `dirty`).
    pub changes: u64,
    /// Turns of the loop in which commands ran.
    pub turns: u64,
    /// Operations a second, measured now and then.
    pub ops_per_sec: u64,
}

/// Different errors counted; more are counted together, for clients choose the words.
const MAX_ERROR_KINDS: usize = 128;

impl Stats {
    /// Counts an error reply by its code.
    pub fn error(&mut self, message: &[u8]) {
        self.error_replies += 1;
        let code = String::from_utf8_lossy(message.split(|byte| *byte == b' ').next().unwrap_or_default());
        if let Some(count) = self.errors.get_mut(&*code) {
            *count += 1;
        } else if self.errors.len() < MAX_ERROR_KINDS {
            self.errors.insert(code.into_owned(), 1);
        }
    }

    /// The counters of a row of the command table.
    pub fn command(&mut self, row: usize) -> &mut CommandStats {
        if row >= self.commands.len() {
            self.commands.resize(row + 1, CommandStats::default());
        }
        &mut self.commands[row]
    }

    /// `CONFIG RESETSTAT`. What counts state, and not events, stays.
    pub fn reset(&mut self) {
        *self = Self { changes: self.changes, expired_stale_percent: self.expired_stale_percent, ..Self::default() };
    }
}
