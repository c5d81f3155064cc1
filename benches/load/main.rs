//! How fast RDB files come into the keyspace: `cargo bench --bench load [CASE]... [--rounds N] [--redis PROGRAM]`.
//!
//! Makes a file of each kind of values (`cases.rs`), and prints nanoseconds a key and megabytes a second for reading it alone
//! and for loading it. With `--redis` a redis-server of 7.0 or later loads the same files in turn with this, so that a busy
//! machine is busy for both. Every run is a process of its own: memory that an earlier one gave back would help.

mod cases;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use ackd::engine::serial::{Limits, Loading};
use ackd::keyspace::{Db, HashLimits, Intake, ListLimits, SetLimits, ZsetLimits, hash};
use ackd::rdb::{Event, Reader, Version, keys_at_most};

#[global_allocator]
static ALLOCATOR: ackd::base::allocator::Jemalloc = ackd::base::allocator::Jemalloc;

/// The defaults.
pub const LIMITS: Limits = Limits {
    list: ListLimits { listpack_size: -2, plain_from: 0 },
    set: SetLimits { intset_entries: 512, listpack_entries: 128, listpack_value: 64 },
    zset: ZsetLimits { entries: 128, value: 64 },
    hash: HashLimits { listpack_entries: 512, listpack_value: 64 },
};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut names, mut rounds, mut redis) = (Vec::new(), 3, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--read" => return println!("{}", read(&arguments.next().expect("a file"))),
            "--load" => return println!("{}", load(&arguments.next().expect("a file"))),
            // For a profiler: `--write CASE FILE`, and then `--load FILE`.
            "--write" => {
                let (name, file) = (arguments.next().expect("a case"), arguments.next().expect("a file"));
                let case = cases::CASES.iter().find(|case| case.name == name).expect("a case of that name");
                return case.write(File::create(file).expect("the file is created"));
            }
            "--rounds" => rounds = arguments.next().and_then(|text| text.parse().ok()).expect("a number"),
            "--redis" => redis = Some(PathBuf::from(arguments.next().expect("a program"))),
            "--bench" => {}
            _ => names.push(argument),
        }
    }
    println!("{:<16}{:>10}{:>7}{:>26}{:>26}", "", "keys", "MB", "read", "load");
    for case in cases::CASES {
        if names.is_empty() || names.iter().any(|name| name == case.name) {
            measure(case, rounds, redis.as_deref());
        }
    }
}

/// Medians of several rounds.
fn measure(case: &cases::Case, rounds: usize, redis: Option<&Path>) {
    let directory = tempfile::tempdir().expect("a directory for the file");
    let path = directory.path().join("dump.rdb");
    case.write(File::create(&path).expect("the file is created"));
    // One of 7.0 does not read all of them.
    let redis = redis.filter(|_| case.version <= Version::V10);
    let bytes = path.metadata().map_or(0, |metadata| metadata.len());
    let mut runs = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..rounds {
        runs[0].push(own("--read", &path));
        runs[1].push(own("--load", &path));
        runs[2].extend(redis.map(|program| redis_load(program, directory.path())));
    }
    let [read, load, redis] = runs.map(median);
    let shown = |seconds: f64| {
        let (each, rate) = (seconds * 1e9 / case.keys as f64, bytes as f64 / 1e6 / seconds);
        format!("{each:>9.0} ns {rate:>8.0} MB/s")
    };
    print!("{:<16}{:>10}{:>7}{:>26}{:>26}", case.name, case.keys, bytes / 1_000_000, shown(read), shown(load));
    if redis.is_finite() {
        print!("   redis {}, {:.1} times as long", shown(redis), redis / load);
    }
    println!();
}

fn median(mut runs: Vec<f64>) -> f64 {
    runs.sort_by(f64::total_cmp);
    runs.get(runs.len() / 2).copied().unwrap_or(f64::NAN)
}

fn own(mode: &str, path: &Path) -> f64 {
    let program = std::env::current_exe().expect("this program has a path");
    let output = Command::new(program).arg(mode).arg(path).output().expect("this program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("it prints seconds")
}

/// What a server of Redis says that it took.
fn redis_load(program: &Path, directory: &Path) -> f64 {
    let mut server = Command::new(program)
        .args(["--port", "0", "--save", "", "--dbfilename", "dump.rdb", "--dir"])
        .arg(directory)
        // It ends at once if there is no way to it.
        .arg("--unixsocket")
        .arg(directory.join("socket"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("the server starts");
    let lines = BufReader::new(server.stdout.take().expect("its output is piped")).lines();
    let mut lines = lines.map_while(Result::ok);
    let loaded = lines.find_map(|line| {
        let (_, seconds) = line.split_once("DB loaded from disk: ")?;
        seconds.split(' ').next()?.parse().ok()
    });
    server.kill().and_then(|()| server.wait()).expect("the server ends");
    loaded.expect("the server loads the file")
}

/// Seconds for the pieces alone.
fn read(path: &str) -> f64 {
    let start = Instant::now();
    let mut reader = Reader::new(File::open(path).expect("the file is there")).expect("it is an RDB file");
    while !matches!(reader.next().expect("the file is sound"), Event::End { .. }) {}
    start.elapsed().as_secs_f64()
}

/// Seconds until all keys are in a database.
fn load(path: &str) -> f64 {
    let start = Instant::now();
    let file = File::open(path).expect("the file is there");
    let most = keys_at_most(file.metadata().map_or(0, |metadata| metadata.len()));
    let mut reader = Reader::new(file).expect("it is an RDB file");
    let (mut db, mut intake) = (Db::new(), Intake::new());
    let mut name = Vec::new();
    loop {
        let expires_ms;
        // By reference: to copy an event that was just written takes as long as to read it.
        let mut loading = match &reader.next().expect("the file is sound") {
            Event::Key(key) => {
                name.clear();
                name.extend_from_slice(key.name);
                expires_ms = key.expires_ms;
                Loading::new(key, LIMITS)
            }
            Event::Sizes { keys, expiring } => {
                db.expect(most.min(*keys) as usize, most.min(*expiring) as usize);
                continue;
            }
            Event::End { .. } => break,
            _ => continue,
        };
        while let Event::Part(part) = &reader.next().expect("the file is sound") {
            loading.part(part).expect("the value is sound");
        }
        let entry = loading.finish(&name, expires_ms).expect("the value is sound");
        let before = intake.push(&mut db, hash(&name), entry);
        assert!(before.is_none(), "a key is there twice");
    }
    assert!(intake.finish(&mut db).is_none(), "a key is there twice");
    let seconds = start.elapsed().as_secs_f64();
    // To free it takes time of nobody's interest.
    std::mem::forget(db);
    seconds
}
