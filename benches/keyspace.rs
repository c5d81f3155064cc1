//! Memory and speed of the keyspace alone: `cargo bench --bench keyspace [KEYS]`.
//!
//! Prints resident bytes per key for strings of 100 bytes under keys of 16, buckets and chains per key, and the time
//! that a lookup, an insert and an overwrite take with keys in random order.

use std::hint::black_box;
use std::time::Instant;

use ackd::keyspace::{Db, hash};

#[global_allocator]
static ALLOCATOR: ackd::base::allocator::Jemalloc = ackd::base::allocator::Jemalloc;

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}

fn timed(name: &str, count: usize, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    let each = start.elapsed().as_nanos() as f64 / count as f64;
    println!("{name:<28}{each:>8.1} ns{:>10.2} M/s", 1000.0 / each);
}

fn main() {
    let count = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(1_000_000);
    let key = |number: usize| format!("key:{number:012}").into_bytes();
    let before = resident();
    let mut db = Db::new();
    let value = [b'v'; 100];
    timed("insert", count, || {
        for number in 0..count {
            let key = key(number);
            db.set(hash(&key), &key, &value, None);
        }
    });
    println!("resident bytes per key      {:>8.1}", (resident() - before) as f64 / count as f64);
    println!("bytes of buckets per key    {:>8.1}", db.overhead_bytes() as f64 / count as f64);
    println!("keys per bucket             {:>8.2}", count as f64 / db.table_sizes()[0].0 as f64);

    let mut random = fastrand::Rng::with_seed(1);
    let order: Vec<Vec<u8>> = (0..count).map(|_| key(random.usize(..count))).collect();
    timed("lookup", count, || {
        for key in &order {
            black_box(db.find(hash(key), key).map(|entry| entry.text()));
        }
    });
    timed("lookup, 16 prefetched", count, || {
        for batch in order.chunks(16) {
            let hashes: Vec<u64> = batch.iter().map(|key| hash(key)).collect();
            hashes.iter().for_each(|&hash| db.prefetch(hash));
            for (key, &hash) in batch.iter().zip(&hashes) {
                black_box(db.find(hash, key).map(|entry| entry.text()));
            }
        }
    });
    let absent: Vec<Vec<u8>> = (0..count).map(|number| key(number + count)).collect();
    timed("lookup of an absent key", count, || {
        for key in &absent {
            black_box(db.find(hash(key), key).is_some());
        }
    });
    timed("overwrite, same length", count, || {
        for key in &order {
            db.set(hash(key), key, &value, None);
        }
    });
    timed("sample", count, || {
        for _ in 0..count {
            black_box(db.sample(&mut random).map(|entry| entry.key().len()));
        }
    });
    timed("remove", count, || {
        for number in 0..count {
            let key = key(number);
            black_box(db.remove(hash(&key), &key));
        }
    });
}
