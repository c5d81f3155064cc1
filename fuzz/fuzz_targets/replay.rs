//! An engine against itself: one that replayed the log, and one that loaded a snapshot and replayed what came behind it, are
//! equal to the one that executed the commands, and go on as it does, reply for reply.
//!
//! Input: three lots of commands, of about a third of the bytes each: before the snapshot, behind it, and those that all
//! three execute.
#![no_main]

use std::io::Write;
use std::time::Duration;

use ackd::command::apply::Applier;
use ackd::command::spec::{Group, Spec};
use ackd::durability::fork::Output;
use ackd::durability::snapshot::{self, Loader, Policy};
use ackd::rdb::Reader;
use ackd_fuzz::bytes::Bytes;
use ackd_fuzz::session::{self, COMMAND_MEMORY, Session};
use ackd_fuzz::{memory, requests};
use libfuzzer_sys::fuzz_target;

/// A snapshot in memory.
struct File(Vec<u8>);

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Output for File {
    fn done(&mut self, _keys: u64) {}
}

fn load(file: &[u8], into: &mut Session) {
    let reader = Reader::new(file).expect("it has a head");
    let mut loader = Loader::new(reader, file.len() as u64, &into.engine, Policy::default());
    while loader.advance(&mut into.engine, 3).expect("what was saved can be loaded") {}
}

fn replay(effects: &[u8], into: &mut Session) {
    Applier::default().apply(&mut into.engine, effects).expect("effects can be applied");
}

/// Whether a command changes nothing but data: not settings, not what connections may do. Those are no part of the log.
fn changes_data_alone(spec: &Spec) -> bool {
    let data = ["flushall", "flushdb", "swapdb", "select", "function"];
    let name = spec.name.split('|').next().unwrap_or(spec.name);
    !matches!(spec.group, Group::Server | Group::Connection | Group::PubSub | Group::Scripting) || data.contains(&name)
}

/// Whether two engines with the same data give the same reply: not where it is drawn, told from how a value is kept, or
/// in an order that comes from there.
fn is_determined(spec: &Spec) -> bool {
    let kept = ["object", "memory", "dump", "xinfo", "sort", "pfdebug", "info"];
    let name = spec.name.split('|').next().unwrap_or(spec.name);
    !kept.iter().any(|kept| name.starts_with(kept))
        && !spec.tips.iter().any(|tip| tip.starts_with("nondeterministic_output"))
}

fuzz_target!(|input: &[u8]| {
    let (mut rows, keyed) = requests::rows();
    rows.retain(|row| changes_data_alone(&row.spec));
    let clock = session::clock();
    let mut original = Session::at(clock.clone());
    let mut lots = input.chunks(input.len() / 3 + 1);
    let execute = |session: &mut Session, lot: &[u8]| {
        let mut bytes = Bytes(lot);
        let family = requests::family(&mut bytes);
        session.effects = Some(Vec::new());
        while !bytes.is_empty() {
            let number = usize::from(bytes.u16());
            if number % 16 == 15 {
                session.wait(Duration::from_millis(1 << (number / 16 % 20)));
            }
            let row = requests::row(&rows, family, number as u16);
            let words = requests::request(&row.spec, &requests::KEYS, &mut bytes);
            let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            memory::within(COMMAND_MEMORY, || session.run(&words));
        }
        session.effects.take().unwrap_or_default()
    };
    let before = execute(&mut original, lots.next().unwrap_or_default());
    let mut file = File(Vec::new());
    snapshot::write(&original.engine, original.engine.stream.offset(), &mut file).expect("memory takes everything");
    let mut loaded = Session::at(clock.clone());
    load(&file.0, &mut loaded);
    assert_eq!(loaded.digests(), original.digests(), "after the snapshot");
    assert_eq!(loaded.engine.libraries, original.engine.libraries);
    let behind = execute(&mut original, lots.next().unwrap_or_default());
    replay(&behind, &mut loaded);
    let mut replayed = Session::at(clock);
    replay(&[before, behind].concat(), &mut replayed);
    assert_eq!(replayed.digests(), original.digests(), "after the replay");
    assert_eq!(loaded.digests(), original.digests(), "after snapshot and replay");
    // A transaction, a database and a protocol belong to the connection, not to the data.
    for session in [&mut original, &mut loaded, &mut replayed] {
        for words in [&[&b"RESET"[..]][..], &[b"CONFIG", b"RESETSTAT"]] {
            session.run(words);
        }
    }
    let mut bytes = Bytes(lots.next().unwrap_or_default());
    while !bytes.is_empty() {
        let spec = bytes.one_of(&keyed).spec;
        let words = requests::request(&spec, &requests::KEYS, &mut bytes);
        if !is_determined(&spec) {
            continue;
        }
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let reply = original.run(&words);
        for other in [&mut loaded, &mut replayed] {
            assert_eq!(other.run(&words).escape_ascii().to_string(), reply.escape_ascii().to_string(), "{}", spec.name);
            assert_eq!(other.digests(), original.digests(), "{}", spec.name);
        }
    }
});
