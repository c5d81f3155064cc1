//! Import of any append-only file: refused without a trace, or imported; and what is salvaged from a damaged one is what a
//! file that ends before the damage gives.
//!
//! Input: an append-only file, which may begin with an RDB file, as it is; or, if it does not look like one, decisions from
//! which one is made that holds commands with right lengths, transactions, annotations, and perhaps damage.
#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use ackd::durability::import::{ImportError, Options, Source, Summary, import};
use ackd::engine::serial::Loading;
use ackd::rdb::{Event, Reader};
use ackd::resp::{commands, write_command};
use ackd_fuzz::bytes::Bytes;
use ackd_fuzz::session::{self, Session};
use ackd_fuzz::{dumps, requests};
use libfuzzer_sys::fuzz_target;

/// What an import left: libraries, and digests by database and key.
#[derive(Debug, Default, PartialEq)]
struct Data {
    libraries: Vec<Vec<u8>>,
    values: BTreeMap<(u64, Vec<u8>), u128>,
}

fn snapshot(file: &[u8]) -> Data {
    let mut reader = Reader::new(file).expect("a snapshot is an RDB file");
    let (mut data, mut database) = (Data::default(), 0);
    let mut loading = None;
    loop {
        match reader.next().expect("a snapshot can be read") {
            Event::Database(number) => database = number,
            Event::Function(code) => data.libraries.push(code.to_vec()),
            Event::Key(key) => loading = Some((Loading::new(&key, dumps::limits()), key.name.to_vec(), key.expires_ms)),
            Event::Part(part) => loading.as_mut().expect("a key came").0.part(&part).expect("its parts are sound"),
            Event::KeyEnd => {
                let (loading, name, expires_ms) = loading.take().expect("a key came");
                let entry = loading.finish(&name, expires_ms).expect("a value");
                assert_eq!(data.values.insert((database, name), entry.digest()), None, "a key once");
            }
            Event::End { .. } => return data,
            _ => {}
        }
    }
}

/// A folder of this process, in memory where there is such a place.
fn folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    parent.join(format!("ackd-fuzz-aof-{}", std::process::id()))
}

fn imported(file: &[u8], salvage: bool) -> Result<(Summary, Data), ImportError> {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    let folder = folder();
    let (path, target) = (folder.join("appendonly.aof"), folder.join("data"));
    fs::create_dir_all(&folder).expect("there is room");
    fs::write(&path, file).expect("there is room");
    let result = Source::open(&path).and_then(|source| {
        let options = Options { salvage, ..Options::default() };
        let work = async { import(&source, &target, options, &mut |_| {}).await };
        RUNTIME.with(|runtime| tokio::task::LocalSet::new().block_on(runtime, work))
    });
    let result = result.map(|summary| {
        let mut snapshots = fs::read_dir(target.join("snapshots")).expect("a snapshot").flatten();
        let file = fs::read(snapshots.next().expect("a snapshot").path()).expect("a snapshot");
        (summary, snapshot(&file))
    });
    if result.is_err() {
        let mut left: Vec<_> =
            fs::read_dir(&folder).expect("it is there").flatten().map(|entry| entry.file_name()).collect();
        left.retain(|name| name != "appendonly.aof");
        assert!(left.is_empty(), "a refused import leaves {left:?}");
    }
    let _ = fs::remove_dir_all(&folder);
    result
}

/// Whether two imports of a file at two moments give the same. What a server writes does; a stranger may tell commands to
/// draw, or to count from now.
fn is_determined(file: &[u8]) -> bool {
    const DRAWN: [&[u8]; 4] = [b"spop", b"xgroup", b"xclaim", b"xautoclaim"];
    const COUNTED: [&[u8]; 12] = [
        b"expire",
        b"pexpire",
        b"setex",
        b"psetex",
        b"set",
        b"getex",
        b"hexpire",
        b"hpexpire",
        b"hsetex",
        b"hgetex",
        b"restore",
        b"xreadgroup",
    ];
    let start = file.iter().position(|byte| *byte == b'*').unwrap_or(file.len());
    commands(&file[start..]).map_while(Result::ok).all(|command| {
        let name = command.arguments[0].to_ascii_lowercase();
        let words = &command.arguments[1..];
        let is_plain = name == b"set" && words.len() == 2;
        let is_drawn = DRAWN.contains(&&name[..]) || name == b"xadd" && words.iter().any(|word| word.contains(&b'*'));
        !is_drawn && (is_plain || !COUNTED.contains(&&name[..]))
    })
}

/// A file made of decisions. Its commands are the effects that a server has of them.
fn built(bytes: &mut Bytes) -> Vec<u8> {
    let (rows, _) = requests::rows();
    let mut session = Session::at(session::clock());
    let mut file = Vec::new();
    while !bytes.is_empty() {
        match bytes.byte() {
            0..=9 => write_command(&mut file, &[b"SELECT", &[b'0' + bytes.byte() % 3]]),
            10..=19 => write_command(&mut file, &[b"MULTI"]),
            20..=29 => write_command(&mut file, &[b"EXEC"]),
            30..=34 => file.extend(b"#TS:1767225600\r\n"),
            35..=37 => write_command(&mut file, &[b"FUNCTION", b"LOAD", b"#!lua name=", bytes.take(3)]),
            38..=43 => {
                let at = usize::from(bytes.u16()) % (file.len() + 1);
                file.truncate(at);
            }
            44..=49 => {
                let at = usize::from(bytes.u16()) % (file.len() + 1);
                file.get_mut(at).into_iter().for_each(|byte| *byte ^= bytes.byte());
            }
            _ => {
                let spec = rows[usize::from(bytes.u16()) % rows.len()].spec;
                if spec.flags.has(ackd::command::spec::WRITE) {
                    let words = requests::request(&spec, &requests::KEYS, bytes);
                    session.effects = Some(Vec::new());
                    session.run(&words.iter().map(Vec::as_slice).collect::<Vec<_>>());
                    file.extend(session.effects.take().unwrap_or_default());
                }
            }
        }
    }
    file
}

fuzz_target!(|input: &[u8]| {
    ackd::keyspace::fix_hash_seed(1);
    let is_file = [&b"*"[..], b"#", b"REDIS", b"VALKEY"].iter().any(|start| input.starts_with(start));
    let file = if is_file { input.to_vec() } else { built(&mut Bytes(input)) };
    match imported(&file, false) {
        Ok((summary, data)) => {
            let keys: u64 = data.values.len() as u64;
            assert_eq!(summary.keys.total() + summary.expired, keys);
            assert!(summary.dropped.is_none());
            let (salvaged, same) = imported(&file, true).expect("there is nothing to be salvaged from");
            assert!(salvaged.dropped.is_none());
            assert!(same == data || !is_determined(&file));
        }
        Err(ImportError::Damaged { damage, .. }) => {
            let before = &file[..usize::try_from(damage.offset).expect("it lies in the file").min(file.len())];
            let salvaged = imported(&file, true);
            // Behind a preamble alone nothing has been left out that had expired, so it is no measure.
            if input.starts_with(b"*") || input.starts_with(b"#") || !is_file {
                match (salvaged, imported(before, false)) {
                    (Ok((summary, data)), Ok((_, expected))) => {
                        assert!(summary.dropped.is_some());
                        assert!(
                            data == expected || !is_determined(before),
                            "salvaged {data:?}, and before {damage} stands {expected:?}"
                        );
                    }
                    (Err(_), Err(_)) => {}
                    // Nothing stands before it.
                    (Err(_), Ok((_, expected))) => assert_eq!(expected, Data::default()),
                    (Ok((_, data)), Err(error)) => panic!("{data:?} was salvaged, and before {damage} stands: {error}"),
                }
            }
        }
        Err(_) => {}
    }
});
