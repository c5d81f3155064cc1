//! ACL LOG: what was denied, newest first. What is denied again within a minute counts up, as in Redis.

use std::collections::VecDeque;

/// How many of the newest entries are looked at for the same denial.
const SCANNED: usize = 10;
/// How long ago the same denial may have been, in milliseconds.
const SAME_WITHIN_MS: u64 = 60_000;

/// What was missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The right password.
    Auth,
    /// Leave to run the command.
    Command,
    /// Leave to use the key so.
    Key,
    /// Leave to use the channel.
    Channel,
}

impl Reason {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Command => "command",
            Self::Key => "key",
            Self::Channel => "channel",
        }
    }
}

/// Where it was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// To a command by itself.
    TopLevel,
    /// To one inside MULTI.
    Multi,
    /// To one that a script called.
    Lua,
}

impl Context {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::TopLevel => "toplevel",
            Self::Multi => "multi",
            Self::Lua => "lua",
        }
    }
}

/// A denial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// What was missing.
    pub reason: Reason,
    /// Where.
    pub context: Context,
    /// The command, key or channel; of a failed login, the command.
    pub object: Vec<u8>,
    /// The user.
    pub username: Vec<u8>,
}

/// One entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// How often.
    pub count: u64,
    /// What.
    pub denial: Denial,
    /// The line of CLIENT LIST of the last connection that it was denied to.
    pub client: String,
    /// Its number.
    pub id: u64,
    /// When first, in milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// When last.
    pub updated_ms: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub struct AclLog {
    entries: VecDeque<Entry>,
    next_id: u64,
}

impl AclLog {
    /// Notes a denial; at most `max` entries are kept.
    pub fn note(&mut self, denial: Denial, client: String, now_ms: u64, max: usize) {
        if max == 0 {
            return self.entries.clear();
        }
        let is_same = |entry: &Entry| entry.denial == denial && now_ms.abs_diff(entry.updated_ms) <= SAME_WITHIN_MS;
        let known = self.entries.iter().take(SCANNED).position(is_same);
        let entry = match known.and_then(|at| self.entries.remove(at)) {
            Some(entry) => Entry { count: entry.count + 1, client, updated_ms: now_ms, ..entry },
            None => {
                let id = self.next_id;
                self.next_id += 1;
                Entry { count: 1, denial, client, id, created_ms: now_ms, updated_ms: now_ms }
            }
        };
        self.entries.push_front(entry);
        self.entries.truncate(max);
    }

    /// Newest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.entries.iter()
    }

    /// Forgets all.
    pub fn reset(&mut self) {
        self.entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_denial_within_a_minute_counts_up_and_comes_first_again() {
        let mut log = AclLog::default();
        let denial = |object: &[u8]| Denial {
            reason: Reason::Key,
            context: Context::TopLevel,
            object: object.to_vec(),
            username: b"u".to_vec(),
        };
        log.note(denial(b"a"), "one".into(), 0, 10);
        log.note(denial(b"b"), "one".into(), 1, 10);
        log.note(denial(b"a"), "two".into(), 60_000, 10);
        let seen = |log: &AclLog| {
            let entries = log.entries().map(|entry| (entry.denial.object.clone(), entry.count, entry.id));
            entries.collect::<Vec<_>>()
        };
        assert_eq!(seen(&log), [(b"a".to_vec(), 2, 0), (b"b".to_vec(), 1, 1)]);
        log.note(denial(b"a"), "two".into(), 120_001, 2);
        assert_eq!(seen(&log), [(b"a".to_vec(), 1, 2), (b"a".to_vec(), 2, 0)]);
        log.note(denial(b"a"), "two".into(), 120_002, 0);
        assert_eq!(log.entries().len(), 0);
        log.note(denial(b"a"), "two".into(), 120_003, 1);
        assert_eq!(log.entries().next().unwrap().id, 3, "what is not kept has no number");
        log.reset();
        assert_eq!(log.entries().len(), 0);
    }
}
