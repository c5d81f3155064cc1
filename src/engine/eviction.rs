//! Which key goes next when memory is full, as `maxmemory-policy` says.
//!
//! The policies that look for the best key do as Redis does: of every database a few keys are looked at, and the best ones
//! seen are kept in a small pool from one round to the next, so that with little work nearly the best key of all is found.
//! One thing is done better: a key that was used since it came into the pool is not taken.

use std::task::Waker;

use super::Engine;
use super::access::Access;
use super::config::MaxmemoryPolicy;
use crate::keyspace::{self, Db, Entry};

/// Keys in the pool, as in Redis.
const POOL: usize = 16;

/// A key that may go.
struct Candidate {
    /// The higher, the sooner.
    score: u64,
    db: usize,
    key: Box<[u8]>,
}

/// The state of eviction.
#[derive(Default)]
pub struct Eviction {
    /// The best comes last.
    pool: Vec<Candidate>,
    /// By what the scores in it were made.
    policy: Option<MaxmemoryPolicy>,
    /// The database whose turn it is, for policies that do not compare keys.
    next_db: usize,
    /// There is more to be done than one command may be held up for.
    pub is_due: bool,
    /// Goes on with it.
    pub waker: Option<Waker>,
    /// Since when memory is above the limit, if it is, on the monotonic clock in microseconds.
    pub exceeded_since_us: Option<u64>,
}

impl Eviction {
    /// Lets eviction go on without a command.
    pub fn ask(&mut self) {
        self.is_due = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Lets a key into the pool, if there is room or it is better than another.
    fn consider(&mut self, score: u64, db: usize, key: &[u8]) {
        let mut place = self.pool.partition_point(|candidate| candidate.score < score);
        if self.pool.len() == POOL {
            if place == 0 {
                return;
            }
            self.pool.remove(0);
            place -= 1;
        }
        self.pool.insert(place, Candidate { score, db, key: key.into() });
    }
}

/// How soon a key should go.
fn score(policy: MaxmemoryPolicy, access: &Access, entry: &Entry) -> u64 {
    match policy {
        MaxmemoryPolicy::VolatileTtl => u64::MAX - entry.expiry().map_or(u64::MAX, |at_ms| at_ms.max(0) as u64),
        _ if policy.is_lfu() => u64::from(u8::MAX) - u64::from(access.frequency(entry.used())),
        _ => u64::from(access.idle_seconds(entry.used())),
    }
}

impl Engine {
    /// Memory in use that counts against `maxmemory`: all but what the log is about to write.
    #[inline]
    pub fn counted_memory(&self) -> u64 {
        match self.trial.bytes_per_key {
            None => self.memory.used().saturating_sub(self.stream.pending() as u64),
            Some(bytes) => self.dbs.iter().map(|db| db.len() as u64).sum::<u64>() * bytes,
        }
    }

    /// Whether more memory is in use than `maxmemory` allows.
    #[inline]
    pub fn memory_is_full(&self) -> bool {
        let limit = self.config.maxmemory();
        limit != 0 && self.counted_memory() > limit
    }

    /// The key that is evicted next, and its database; none if there is none that may go.
    pub fn next_victim(&mut self) -> Option<(usize, Box<[u8]>)> {
        let policy = self.config.maxmemory_policy();
        match policy {
            MaxmemoryPolicy::NoEviction => None,
            MaxmemoryPolicy::AllkeysRandom | MaxmemoryPolicy::VolatileRandom => self.random_victim(policy),
            _ => self.best_victim(policy),
        }
    }

    /// Databases take turns.
    fn random_victim(&mut self, policy: MaxmemoryPolicy) -> Option<(usize, Box<[u8]>)> {
        let databases = self.dbs.len();
        (0..databases).find_map(|_| {
            let db = self.eviction.next_db % databases;
            self.eviction.next_db = db + 1;
            let entry = drawn(&self.dbs[db], policy, &mut self.rng)?;
            Some((db, entry.key().into()))
        })
    }

    fn best_victim(&mut self, policy: MaxmemoryPolicy) -> Option<(usize, Box<[u8]>)> {
        let Self { eviction, dbs, access, rng, .. } = self;
        if eviction.policy.replace(policy) != Some(policy) {
            eviction.pool.clear();
        }
        let samples = self.config.maxmemory_samples();
        for (number, db) in dbs.iter().enumerate() {
            let each = |entry: &Entry| eviction.consider(score(policy, access, entry), number, entry.key());
            if policy.is_volatile() {
                db.sample_volatile_run(samples, rng, each);
            } else {
                db.sample_run(samples, rng, each);
            }
        }
        while let Some(Candidate { score: before, db, key }) = eviction.pool.pop() {
            let entry = dbs[db].find(keyspace::hash(&key), &key);
            let may_go = |entry: &&Entry| !policy.is_volatile() || entry.expiry().is_some();
            if entry.filter(may_go).is_some_and(|entry| score(policy, access, entry) >= before) {
                return Some((db, key));
            }
        }
        // Where keys are sparse, looking at a few places may have found none.
        dbs.iter().enumerate().find_map(|(db, keys)| Some((db, drawn(keys, policy, rng)?.key().into())))
    }
}

/// Any key that may go.
fn drawn<'a>(db: &'a Db, policy: MaxmemoryPolicy, random: &mut fastrand::Rng) -> Option<&'a Entry> {
    if policy.is_volatile() { db.sample_volatile(random) } else { db.sample(random) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pool_keeps_the_best_in_order() {
        let mut random = fastrand::Rng::with_seed(1);
        let mut eviction = Eviction::default();
        let scores: Vec<u64> = (0..200).map(|_| random.u64(..50)).collect();
        scores.iter().for_each(|score| eviction.consider(*score, 0, &score.to_le_bytes()));
        let mut best = scores.clone();
        best.sort_unstable();
        let kept: Vec<u64> = eviction.pool.iter().map(|candidate| candidate.score).collect();
        assert_eq!(kept, best[best.len() - POOL..]);
    }
}
