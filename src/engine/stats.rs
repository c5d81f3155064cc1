//! Counters for INFO. None of them influences what the server does.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

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
    /// Connections refused because of `maxclients` or protected mode.
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
    /// Commands, keys and channels that their user may not use.
    pub commands_denied: u64,
    /// See there.
    pub keys_denied: u64,
    /// See there.
    pub channels_denied: u64,
    /// Keys removed because memory was full.
    pub evicted_keys: u64,
    /// Connections ended because all together took too much memory.
    pub evicted_clients: u64,
    /// How long memory was above `maxmemory`, in microseconds, without the time that it is now.
    pub memory_exceeded_us: u64,
    /// Fields of hashes removed because their time was up.
    pub expired_fields: u64,
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
    /// Time spent in them, in microseconds.
    pub turn_us: u64,
    /// The longest of them, in microseconds.
    pub longest_turn_us: u64,
    /// The most commands that one of them executed.
    pub most_commands_a_turn: u64,
    /// Time that the log took from the loop, in microseconds.
    pub log_us: u64,
    /// Time spent in what happens by the clock, in microseconds.
    pub cron_us: u64,
    /// Reads from sockets that gave something.
    pub reads: u64,
    /// Writes to sockets that took something.
    pub writes: u64,
    /// Values whose memory was freed outside the command that removed them.
    pub lazyfreed_objects: u64,
    /// By row of the command table: how long calls took, in microseconds.
    pub latencies: Vec<Option<Box<Latencies>>>,
    /// Operations a second, measured now and then.
    pub ops_per_sec: u64,
    /// What else is measured now and then.
    pub rates: Rates,
    last: Rates,
}

/// How long things took, in microseconds.
#[derive(Clone, Debug)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        let histogram = Histogram::new_with_bounds(1, MAX_LATENCY_US, LATENCY_DIGITS);
        Self(histogram.expect("the bounds are constants that a histogram takes"))
    }
}

impl Latencies {
    /// Notes one.
    pub fn record(&mut self, usec: u64) {
        self.0.saturating_record(usec);
    }

    /// The time that so many percent of them did not exceed; 0 if there were none.
    pub fn at_percentile(&self, percentile: f64) -> u64 {
        if self.0.is_empty() { 0 } else { self.0.value_at_percentile(percentile) }
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// How many did not exceed each power of two, in microseconds. Powers that add none are left out.
    ///
    /// The bounds are those that Redis shows: it counts nanoseconds, by powers of two as well, up to the end of the stretch that
    /// its histogram cannot tell from such a power.
    pub fn by_powers_of_two(&self) -> Vec<(u64, u64)> {
        let mut bounds = (3..).map(|power: u32| ((129 << power) - 1) / 1000);
        let (mut bound, mut total, mut found) = (1, 0, Vec::<(u64, u64)>::new());
        for step in self.0.iter_recorded() {
            while bound < step.value_iterated_to() {
                bound = bounds.next().unwrap_or(u64::MAX);
            }
            total += step.count_at_value();
            match found.last_mut() {
                Some(last) if last.0 == bound => last.1 = total,
                _ => found.push((bound, total)),
            }
        }
        found
    }
}

/// How much of something there was in a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// Commands.
    pub commands: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Turns of the loop.
    pub turns: u64,
    /// Time spent in them, in microseconds.
    pub turn_us: u64,
}

/// The longest latency that is told from longer ones, in microseconds.
const MAX_LATENCY_US: u64 = 1_000_000;

/// Decimal digits to which latencies are kept.
const LATENCY_DIGITS: u8 = 2;

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

    /// Notes how long a call of a row of the command table took.
    pub fn latency(&mut self, row: usize, usec: u64) {
        if row >= self.latencies.len() {
            self.latencies.resize_with(row + 1, || None);
        }
        self.latencies[row].get_or_insert_with(Box::default).record(usec);
    }

    /// Notes a turn of the loop: how long it took, and how many commands it executed.
    pub fn turn(&mut self, elapsed_us: u64, commands: u64) {
        self.turns += 1;
        self.turn_us += elapsed_us;
        self.longest_turn_us = self.longest_turn_us.max(elapsed_us);
        self.most_commands_a_turn = self.most_commands_a_turn.max(commands);
    }

    /// Measures rates since the last call, which was so long ago.
    pub fn measure(&mut self, elapsed_us: u64) {
        let now = Rates {
            commands: self.total_commands,
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            turns: self.turns,
            turn_us: self.turn_us,
        };
        let a_second = |now: u64, last: u64| now.saturating_sub(last).saturating_mul(1_000_000) / elapsed_us.max(1);
        self.rates = Rates {
            commands: a_second(now.commands, self.last.commands),
            bytes_in: a_second(now.bytes_in, self.last.bytes_in),
            bytes_out: a_second(now.bytes_out, self.last.bytes_out),
            turns: a_second(now.turns, self.last.turns),
            turn_us: a_second(now.turn_us, self.last.turn_us),
        };
        self.ops_per_sec = self.rates.commands;
        self.last = now;
    }

    /// `CONFIG RESETSTAT`. What counts state, and not events, stays.
    pub fn reset(&mut self) {
        *self = Self { changes: self.changes, expired_stale_percent: self.expired_stale_percent, ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_told_by_powers_of_two_that_add_some() {
        let mut latencies = Latencies::default();
        for usec in [0, 1, 2, 3, 4, 33, 34, 130, 5_000_000] {
            latencies.record(usec);
        }
        let told = [(1, 2), (2, 3), (4, 5), (33, 6), (66, 7), (132, 8), (1_082_130, 9)];
        assert_eq!(latencies.by_powers_of_two(), told);
        assert_eq!(latencies.count(), 9);
        assert!(Latencies::default().by_powers_of_two().is_empty());
    }
}
