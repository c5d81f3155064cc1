//! Streams from outside: refused, or sound, whatever is done to them next. Their entries, groups and pending entries are
//! written again and read to the same, and all commands for streams leave the shadow equal.
//!
//! Input: either the type (15, 19 or 21) and the value, as files and payloads have them; or anything else, from which a
//! stream is built whose lengths are right, so that what is inside of its nodes is looked at.
#![no_main]

use ackd::base::listpack;
use ackd::base::text::Text;
use ackd_fuzz::bytes::Bytes;
use ackd_fuzz::session::{COMMAND_MEMORY, Session};
use ackd_fuzz::{dumps, memory, requests};
use libfuzzer_sys::fuzz_target;

const STREAMS: [u8; 3] = [15, 19, 21];

/// A number that is often what is due.
fn number(due: i64, bytes: &mut Bytes) -> i64 {
    match bytes.byte() {
        0..=240 => due,
        241..=246 => due - 1,
        247..=249 => due + 1,
        250..=252 => i64::from(bytes.byte() as i8),
        _ => bytes.u64() as i64,
    }
}

/// The elements of a node: a master entry, and entries behind it.
fn node(bytes: &mut Bytes, lengths: &mut [i64; 2]) -> Vec<u8> {
    let mut elements = Vec::new();
    let mut count = 0;
    let mut push = |text: Text<'_>| {
        let encoded = listpack::encode(text);
        let start = elements.len();
        elements.resize(start + encoded.size(), 0);
        encoded.write(&mut elements[start..]);
        count += 1_u16;
    };
    let entries = bytes.below(5) as i64;
    let deleted = bytes.below(3) as i64;
    let fields = bytes.below(3) as i64;
    lengths[0] += entries;
    push(Text::Int(number(entries, bytes)));
    push(Text::Int(number(deleted, bytes)));
    push(Text::Int(number(fields, bytes)));
    for _ in 0..fields {
        push(Text::of(bytes.take(2)));
    }
    push(Text::Int(number(0, bytes)));
    for at in 0..entries + deleted {
        // Bit 0: deleted; bit 1: the fields of the master entry.
        let flags = i64::from(at >= entries) | i64::from(bytes.byte() & 2);
        push(Text::Int(number(flags, bytes)));
        push(Text::Int(number(at, bytes)));
        push(Text::Int(number(at, bytes)));
        lengths[1] = lengths[1].max(at);
        let mut words = 3;
        let own = if flags & 2 == 0 { bytes.below(3) as i64 } else { fields };
        if flags & 2 == 0 {
            push(Text::Int(number(own, bytes)));
            words += 1 + own;
            for _ in 0..own {
                push(Text::of(bytes.take(2)));
            }
        }
        for _ in 0..own {
            push(Text::of(bytes.take(3)));
        }
        push(Text::Int(number(words + own, bytes)));
    }
    let mut blob = ((elements.len() + 7) as u32).to_le_bytes().to_vec();
    blob.extend(count.to_le_bytes());
    blob.extend(elements);
    blob.push(255);
    blob
}

fn length(number: u64, out: &mut Vec<u8>) {
    out.push(0x81);
    out.extend(number.to_be_bytes());
}

fn id(ms: u64, seq: u64) -> [u8; 16] {
    (u128::from(ms) << 64 | u128::from(seq)).to_be_bytes()
}

/// A stream of some nodes, with groups.
fn built(bytes: &mut Bytes) -> Vec<u8> {
    let code = *bytes.one_of(&STREAMS);
    let nodes = bytes.below(4) as u64;
    let mut out = vec![code];
    length(nodes, &mut out);
    let mut lengths = [0, 0];
    for at in 0..nodes {
        dumps::string(&id(number(10 * at as i64 + 1, bytes) as u64, number(0, bytes) as u64), &mut out);
        dumps::string(&node(bytes, &mut lengths), &mut out);
    }
    length(number(lengths[0], bytes) as u64, &mut out);
    for due in [10 * nodes as i64 + 9, 9] {
        length(number(due, bytes) as u64, &mut out);
    }
    if code != 15 {
        for due in [1, 0, 0, 0, lengths[0]] {
            length(number(due, bytes) as u64, &mut out);
        }
    }
    let groups = bytes.below(3) as u64;
    length(groups, &mut out);
    for group in 0..groups {
        dumps::string(&[b'g', number(group as i64, bytes) as u8], &mut out);
        for due in [11, 1] {
            length(number(due, bytes) as u64, &mut out);
        }
        if code != 15 {
            length(number(1, bytes) as u64, &mut out);
        }
        let pending = bytes.below(4) as u64;
        length(pending, &mut out);
        for at in 0..pending {
            out.extend(id(number(1, bytes) as u64, number(at as i64, bytes) as u64));
            out.extend(number(1_767_225_600_000, bytes).to_le_bytes());
            length(number(1, bytes) as u64, &mut out);
        }
        let consumers = 1 + bytes.below(2) as u64;
        length(consumers, &mut out);
        for consumer in 0..consumers {
            dumps::string(&[b'c', consumer as u8], &mut out);
            out.extend(number(1_767_225_600_000, bytes).to_le_bytes());
            if code == 21 {
                out.extend(number(-1, bytes).to_le_bytes());
            }
            let owned = if consumer == 0 { pending } else { bytes.below(2) as u64 };
            length(owned, &mut out);
            for at in 0..owned {
                out.extend(id(number(1, bytes) as u64, number(at as i64, bytes) as u64));
            }
        }
    }
    out
}

fuzz_target!(|input: &[u8]| {
    let mut bytes = Bytes(input);
    let value = if input.first().is_some_and(|code| STREAMS.contains(code)) {
        bytes.take(usize::MAX).to_vec()
    } else {
        built(&mut bytes)
    };
    let payload = dumps::payload(&value, 12);
    let Some(entry) = memory::for_input(&payload, || dumps::value(&payload)) else { return };
    dumps::survives(&entry);
    let commands: Vec<_> = requests::rows().1.into_iter().filter(|row| row.spec.name.starts_with('x')).collect();
    // Behind a value as it is there are no bytes left to decide: its own do.
    let mut bytes = if bytes.is_empty() { Bytes(input) } else { bytes };
    memory::within(COMMAND_MEMORY, || {
        let mut session = Session::with_shadow();
        assert_eq!(session.run(&[b"RESTORE", b"a", b"0", &payload]), b"+OK\r\n");
        session.run(&[b"XINFO", b"STREAM", b"a", b"FULL", b"COUNT", b"0"]);
        session.run(&[b"XRANGE", b"a", b"-", b"+"]);
        session.run(&[b"XREVRANGE", b"a", b"+", b"-"]);
        while !bytes.is_empty() {
            let row = bytes.one_of(&commands);
            let words = requests::request(&row.spec, &[b"a"], &mut bytes);
            session.run(&words.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
        session.run(&[b"XRANGE", b"a", b"-", b"+"]);
    });
});
