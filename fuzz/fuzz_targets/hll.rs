//! HyperLogLogs whose bytes clients wrote: what is done to one, sparse or dense, is what is done to an array of registers;
//! and the PF commands on it leave its shadow equal.
//!
//! Input: a sketch, as GET gives it. Elements that are added are made from it. It is tried as it is, and with a header that
//! is right.
#![no_main]

use ackd::base::hyperloglog::{REGISTERS, Registers, Sketch, SketchMut, estimate};
use ackd_fuzz::memory;
use ackd_fuzz::session::{COMMAND_MEMORY, Session};
use libfuzzer_sys::fuzz_target;

const HEADER: usize = 16;
const DENSE: usize = HEADER + REGISTERS * 6 / 8;

/// The registers, by the description of the format.
fn plain(sketch: &[u8]) -> Option<Vec<u8>> {
    let bytes = &sketch[HEADER..];
    if sketch[4] == 0 {
        let bit = |at: usize| bytes[at / 8] >> (at % 8) & 1;
        return Some((0..REGISTERS).map(|at| (0..6).map(|low| bit(at * 6 + low) << low).sum()).collect());
    }
    let (mut registers, mut at) = (Vec::new(), 0);
    while let Some(first) = bytes.get(at) {
        let (rank, len) = match first >> 6 {
            0 => (0, usize::from(first & 63) + 1),
            1 => {
                at += 1;
                (0, usize::from(first & 63) * 256 + usize::from(bytes.get(at).copied().unwrap_or(0)) + 1)
            }
            _ => ((first >> 2 & 31) + 1, usize::from(first & 3) + 1),
        };
        registers.extend(std::iter::repeat_n(rank, len));
        if registers.len() > REGISTERS {
            return None;
        }
        at += 1;
    }
    (registers.len() == REGISTERS).then_some(registers)
}

fn unpacked(sketch: &[u8]) -> Option<Box<Registers>> {
    let mut registers = Box::new([0; REGISTERS]);
    Sketch::of(sketch)?.merge_into(&mut registers).ok()?;
    Some(registers)
}

fn look_at(bytes: &[u8]) {
    let Some(sketch) = Sketch::of(bytes) else { return };
    let expected = plain(bytes);
    let count = memory::for_input(bytes, || sketch.count());
    assert_eq!(count.ok(), expected.as_ref().map(|registers| estimate(registers[..].try_into().expect("all of them"))));
    assert_eq!(unpacked(bytes).map(|registers| registers.to_vec()), expected);
    let runs: usize = sketch.runs().map_or(REGISTERS, |runs| runs.map(|run| run.len).sum());
    assert!(runs == REGISTERS || expected.is_none());
    let mut dense = bytes.to_vec();
    let is_sound = SketchMut::of(&mut dense).expect("it is one").make_dense().is_ok();
    assert_eq!(is_sound, expected.is_some());
    let mut changed = bytes.to_vec();
    for element in bytes.chunks(5).rev().take(12) {
        let most = usize::from(element[0]) * 16;
        let of_sparse = SketchMut::of(&mut changed).expect("it still is one").add(element, most);
        if !is_sound {
            continue;
        }
        let of_dense = SketchMut::of(&mut dense).expect("it still is one").add(element, 0);
        assert_eq!(of_sparse, of_dense);
        assert_eq!(unpacked(&changed), unpacked(&dense));
    }
    if is_sound {
        assert_eq!(plain(&changed), plain(&dense));
        assert_eq!(unpacked(&changed).map(|registers| registers.to_vec()), plain(&dense));
    }
    // They take much longer than all else.
    if bytes[HEADER - 1] % 4 == 0 {
        commands(bytes);
    }
}

/// Cuts sparse registers off where they are too many, and adds zeros where they are too few.
fn complete(sketch: &mut Vec<u8>) {
    let (mut registers, mut at) = (0, HEADER);
    while let Some(first) = sketch.get(at) {
        let (len, bytes) = match first >> 6 {
            0 => (usize::from(first & 63) + 1, 1),
            1 => (usize::from(first & 63) * 256 + usize::from(sketch.get(at + 1).copied().unwrap_or(0)) + 1, 2),
            _ => (usize::from(first & 3) + 1, 1),
        };
        if registers + len > REGISTERS || at + bytes > sketch.len() {
            break;
        }
        (registers, at) = (registers + len, at + bytes);
    }
    sketch.truncate(at);
    if let Some(zeros) = (REGISTERS - registers).checked_sub(1) {
        sketch.extend([0x40 | (zeros >> 8) as u8, zeros as u8]);
    }
}

/// The same by commands, beside another sketch.
fn commands(sketch: &[u8]) {
    memory::within(COMMAND_MEMORY, || {
        let mut session = Session::with_shadow();
        session.run(&[b"SET", b"a", sketch]);
        session.run(&[b"PFADD", b"b", b"x", b"y", b"z"]);
        for command in [
            &[&b"PFCOUNT"[..], b"a"][..],
            &[b"PFCOUNT", b"a", b"b", b"c"],
            &[b"PFMERGE", b"c", b"a", b"b"],
            &[b"PFMERGE", b"b", b"c", b"a"],
            &[b"PFADD", b"a", sketch, b"x"],
            &[b"PFDEBUG", b"GETREG", b"a"],
            &[b"PFDEBUG", b"DECODE", b"a"],
            &[b"PFDEBUG", b"TODENSE", b"a"],
            &[b"PFADD", b"a", b"1", b"2"],
            &[b"PFCOUNT", b"a"],
            &[b"APPEND", b"a", b"x"],
            &[b"PFCOUNT", b"a"],
        ] {
            session.run(command);
        }
    });
}

fuzz_target!(|bytes: &[u8]| {
    if bytes.len() < HEADER {
        return;
    }
    look_at(bytes);
    let mut mended = [b"HYLL", &bytes[4..]].concat();
    mended[4] %= 2;
    if mended[4] == 0 {
        mended.resize(DENSE, bytes[HEADER - 1]);
    } else {
        complete(&mut mended);
    }
    look_at(&mended);
});
