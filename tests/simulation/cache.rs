//! Clients that keep in a cache of their own what they have read, and what the server must and may tell them.
//!
//! Two rules. A cached value is never left stale: once a later change of the key was acknowledged to anybody at the level of
//! the client that caches, it has been told. And nobody drops a value for a change that a crash takes back: being told of a
//! change is a promise, as a reply is.

use ackd::engine::gate::Level;

use super::command::{Meaning, Request, Touch, plain, words};
use super::model::{KEYS, Model, key};

/// What units did to each key, by its name, for that is all that those who cache are told.
#[derive(Default)]
pub struct Changes {
    /// Ends of units that mention a key, in whatever database.
    mentions: [Vec<u64>; KEYS],
    /// Ends of units that changed it in the first database, which all who cache read.
    changes: [Vec<u64>; KEYS],
}

impl Changes {
    /// A unit was executed, and the model knows it.
    pub fn unit(&mut self, end: u64, effects: &[u8], model: &Model) {
        let has = |part: &[u8]| effects.windows(part.len()).any(|window| window == part);
        let flushes = [&b"FLUSH"[..], b"flush"].into_iter().any(has);
        // As in Redis, nobody is told of it.
        let swaps = has(b"SWAPDB");
        for slot in 0..KEYS {
            let name = key(slot);
            let is_mentioned = has(&[format!("${}\r\n", name.len()).as_bytes(), &name, b"\r\n"].concat());
            if is_mentioned {
                self.mentions[slot].push(end);
            }
            if (is_mentioned || flushes) && !swaps && model.last_change([slot]) == end {
                self.changes[slot].push(end);
            }
        }
    }
}

fn first_behind(ends: &[u64], offset: u64) -> Option<u64> {
    ends.get(ends.partition_point(|end| *end <= offset)).copied()
}

/// A value that a client has.
#[derive(Clone, Copy)]
struct Held {
    /// The end of the stream when it was read.
    at: u64,
    /// Reading it changed it: it had expired.
    wrote: bool,
}

/// What one client has.
pub struct Cache {
    level: Level,
    opts_in: bool,
    held: [Option<Held>; KEYS],
}

impl Cache {
    /// An empty one, and the commands with which it begins.
    pub fn new(rng: &mut fastrand::Rng) -> (Self, Vec<Request>) {
        let level = [Level::Os, Level::Disk, Level::Disk][rng.usize(..3)];
        let modes: [&[&[u8]]; 5] =
            [&[], &[], &[b"NOLOOP"], &[b"OPTIN"], &[b"BCAST", b"PREFIX", b"k", b"PREFIX", b"other"]];
        let mode = modes[rng.usize(..modes.len())];
        let tracking = [&[&b"CLIENT"[..], b"TRACKING", b"ON"], mode].concat();
        let durability = [&b"CLIENT"[..], b"DURABILITY", level.name().as_bytes()];
        let begin = [&[&b"HELLO"[..], b"3"][..], &durability, &tracking];
        let requests = begin.iter().map(|list| plain(words(list), Touch::Nothing)).collect();
        let opts_in = mode.first() == Some(&&b"OPTIN"[..]);
        (Self { level, opts_in, held: [None; KEYS] }, requests)
    }

    /// Commands that read a key.
    pub fn read(&self, rng: &mut fastrand::Rng) -> Vec<Request> {
        let slot = rng.usize(..KEYS);
        let read = plain(words(&[b"GET", &key(slot)]), Touch::Slots(vec![slot]));
        let read = Request { meaning: Meaning::Cache(slot), ..read };
        let opts_in = self.opts_in.then(|| plain(words(&[b"CLIENT", b"CACHING", b"YES"]), Touch::Nothing));
        opts_in.into_iter().chain([read]).collect()
    }

    /// The reply to a read has come, which was executed when the stream ended there.
    pub fn keep(&mut self, slot: usize, at: u64, wrote: bool) {
        self.held[slot] = Some(Held { at, wrote });
    }

    /// The server says that all may be wrong.
    pub fn drop_everything(&mut self) {
        self.held = [None; KEYS];
    }

    /// The server says that a key has changed. Replies and what is told come in the order of execution, so that was behind
    /// the last read whose reply has come.
    pub fn drop_key(&mut self, slot: usize, changes: &Changes, model: &mut Model) -> Result<(), String> {
        let Some(held) = self.held[slot].take() else { return Ok(()) };
        match first_behind(&changes.mentions[slot], held.at) {
            Some(offset) => model.promise(self.level, offset),
            None if held.wrote => {}
            None => return Err(format!("a client is told that k{slot} has changed since {}, and it has not", held.at)),
        }
        Ok(())
    }

    /// Whether a value is stale although its client must have been told.
    pub fn check(&self, changes: &Changes, model: &Model) -> Result<(), String> {
        for (slot, held) in self.held.iter().enumerate() {
            let Some(Held { at, .. }) = held else { continue };
            let told = model.promised(self.level);
            if let Some(change) = first_behind(&changes.changes[slot], *at).filter(|change| *change <= told) {
                return Err(format!(
                    "a client caches k{slot} as of {at}, it changed at {change}, and {told} was promised at level {}",
                    self.level.name()
                ));
            }
        }
        Ok(())
    }
}
