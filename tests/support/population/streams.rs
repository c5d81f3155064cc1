//! Streams: entries with the same fields and with others, deleted ones, several nodes, groups with consumers and pending
//! entries, and counters that were set.

use super::Maker;

/// When the first pending entry was delivered: the times are set, because a server's own would differ from another's.
const DELIVERED_MS: u64 = 1_600_000_000_000;

type Id = (u64, u64);

fn text(id: Id) -> Vec<u8> {
    format!("{}-{}", id.0, id.1).into_bytes()
}

impl Maker {
    pub fn stream(&mut self, key: &[u8]) {
        let node = if self.is_small() { 8 } else { 100 };
        let count = match self.rng.u32(..5) {
            0 => self.rng.usize(..3),
            1 => node + self.rng.usize(..3) - 1,
            2 => node * 3,
            _ => self.rng.usize(1..node * 2),
        };
        let mut ids: Vec<Id> = Vec::new();
        let mut last: Id = self.pick(&[(0, 0), (5, 0), (1_528_176_919_539, 0)]);
        for _ in 0..count {
            last = match self.rng.u32(..4) {
                0 => (last.0 + self.rng.u64(1..100_000), 0),
                1 => (last.0 + 1, self.rng.u64(..)),
                _ => (last.0, last.1.saturating_add(1 + self.rng.u64(..3))),
            };
            if last.1 == u64::MAX {
                last = (last.0 + 1, 0);
            }
            ids.push(last);
            self.entry(key, last);
        }
        let groups = self.pick(&[0, 1, 3]);
        if count == 0 || groups > 0 {
            // The stream is there in any case.
            self.run(&[b"XGROUP", b"CREATE", key, b"g", b"0", b"MKSTREAM"]);
        }
        for group in 0..groups {
            self.group(key, &format!("group:{group}"), &ids);
        }
        self.delete(key, &ids);
        if self.percent(30) {
            let (ms, seq) = last;
            let added = (count as u64 + self.rng.u64(..1_000)).to_string();
            // No larger than the last id, and no smaller than what was deleted: the last itself.
            let last = text((ms + self.rng.u64(..10), seq));
            self.run(&[b"XSETID", key, &last, b"ENTRIESADDED", added.as_bytes(), b"MAXDELETEDID", &text((ms, seq))]);
        }
    }

    fn entry(&mut self, key: &[u8], id: Id) {
        let id = text(id);
        let mut words: Vec<Vec<u8>> = Vec::new();
        if self.percent(70) {
            for field in ["sensor", "temperature"] {
                words.extend([field.into(), self.element(40)]);
            }
        } else {
            for _ in 0..1 + self.rng.usize(..4) {
                words.extend([self.element(20), self.element(100)]);
            }
        }
        let head: [&[u8]; 3] = [b"XADD", key, &id];
        self.run_with(&head, &words, 2);
    }

    /// A group whose consumers have read some of the entries and acknowledged some of those.
    fn group(&mut self, key: &[u8], name: &str, ids: &[Id]) {
        let name = name.as_bytes();
        self.run(&[b"XGROUP", b"CREATE", key, name, b"0"]);
        let mut rest = ids;
        let mut delivered: Id = (0, 0);
        for consumer in ["alice", "bob", "idle"] {
            let consumer = consumer.as_bytes();
            self.run(&[b"XGROUP", b"CREATECONSUMER", key, name, consumer]);
            let count = self.rng.usize(..8).min(rest.len());
            let (read, unread) = rest.split_at(count);
            let Some(last) = read.last() else { continue };
            (rest, delivered) = (unread, *last);
            let count = count.to_string();
            self.run(&[b"XREADGROUP", b"GROUP", name, consumer, b"COUNT", count.as_bytes(), b"STREAMS", key, b">"]);
            for (at, id) in read.iter().enumerate() {
                let time = (DELIVERED_MS + self.rng.u64(..1_000_000_000)).to_string();
                let deliveries = if at % 3 == 0 { 1 } else { self.rng.u32(1..300) }.to_string();
                let claim: [&[u8]; 6] = [b"XCLAIM", key, name, consumer, b"0", &text(*id)];
                let options: [&[u8]; 5] = [b"TIME", time.as_bytes(), b"RETRYCOUNT", deliveries.as_bytes(), b"JUSTID"];
                self.run(&[&claim[..], &options].concat());
                if self.percent(40) {
                    self.run(&[b"XACK", key, name, &text(*id)]);
                }
            }
        }
        // Servers of different versions count differently what a group has read of a stream with deleted entries.
        let read = if self.percent(50) { "-1".into() } else { self.rng.usize(..=ids.len()).to_string() };
        self.run(&[b"XGROUP", b"SETID", key, name, &text(delivered), b"ENTRIESREAD", read.as_bytes()]);
    }

    /// Deletes at the beginning, at the end, in the middle, or everything.
    fn delete(&mut self, key: &[u8], ids: &[Id]) {
        if ids.is_empty() {
            return;
        }
        let from = self.rng.usize(..ids.len());
        let deleted: Vec<Vec<u8>> = match self.rng.u32(..6) {
            0 => ids.iter().step_by(3).map(|id| text(*id)).collect(),
            1 => ids[from..].iter().map(|id| text(*id)).collect(),
            2 if self.percent(50) => ids.iter().map(|id| text(*id)).collect(),
            3 => {
                let left = (ids.len() - from).to_string();
                return self.run(&[b"XTRIM", key, b"MAXLEN", left.as_bytes()]);
            }
            _ => return,
        };
        self.run_with(&[b"XDEL", key], &deleted, 1);
    }
}
