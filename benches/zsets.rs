//! Memory and speed of one large sorted set alone: `cargo bench --bench zsets [MEMBERS] [rising]`.
//!
//! Prints resident bytes a member for members of 12 bytes, with scores in random order or rising ones, and what the
//! operations take of which the commands are made.

use std::hint::black_box;
use std::time::Instant;

use ackd::keyspace::{Zset, ZsetLimits};

#[global_allocator]
static ALLOCATOR: ackd::base::allocator::Jemalloc = ackd::base::allocator::Jemalloc;

const LIMITS: ZsetLimits = ZsetLimits { entries: 128, value: 64 };

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
    let member = |number: usize| format!("member{number:06}").into_bytes();
    let mut random = fastrand::Rng::with_seed(1);
    let rising = std::env::args().any(|word| word == "rising");
    let scores: Vec<f64> = (0..count).map(|at| if rising { at as f64 } else { random.f64() * 1e6 }).collect();
    let before = resident();
    let mut zset = Zset::for_members(1, 1, &LIMITS);
    println!("scores {}", if rising { "that rise" } else { "in random order" });
    timed("insert", count, || {
        for (number, score) in scores.iter().enumerate() {
            zset.insert(&member(number), *score, &LIMITS);
        }
    });
    println!("resident bytes a member   {:>8.1}", (resident() - before) as f64 / count as f64);
    let order: Vec<Vec<u8>> = (0..count).map(|_| member(random.usize(..count))).collect();
    timed("score", count, || order.iter().for_each(|member| _ = black_box(zset.score(member))));
    timed("rank", count, || order.iter().for_each(|member| _ = black_box(zset.rank(member))));
    timed("ten by rank", count, || {
        for _ in 0..count {
            let start = random.usize(..count - 10);
            zset.range(start, start + 10, false).for_each(|member| _ = black_box(member));
        }
    });
    timed("rank of a score", count, || {
        for score in &scores {
            black_box(zset.rank_where(|other, _| other < *score));
        }
    });
    timed("another score", count, || {
        for member in &order {
            let before = zset.score(member).unwrap_or(0.0);
            zset.update(member, before, random.f64() * 1e6);
        }
    });
    timed("pop the first", count, || {
        for _ in 0..count {
            zset.range(0, 1, false).for_each(|member| _ = black_box(member));
            zset.remove_ranks(0, 1);
        }
    });
}
