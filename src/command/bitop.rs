//! BITOP: combines strings bit by bit.

use smallvec::SmallVec;

use super::Ctx;
use super::failure::{self, Failure};
use super::strings::text;
use crate::base::bitops::{self, Operation};
use crate::keyspace::{self, Db, Entry};

const ONE_SOURCE: Failure = Failure::fixed("ERR BITOP NOT must be called with a single source key.");

const OPERATIONS: [(&str, Operation); 8] = [
    ("AND", Operation::And),
    ("OR", Operation::Or),
    ("XOR", Operation::Xor),
    ("NOT", Operation::Not),
    ("DIFF", Operation::Diff),
    ("DIFF1", Operation::Diff1),
    ("ANDOR", Operation::AndOr),
    ("ONE", Operation::One),
];

/// BITOP AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE destkey key [key …]
pub fn bitop(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (target, sources) = (arguments[2], &arguments[3..]);
    let named = |(name, _): &&(&str, _)| name.as_bytes().eq_ignore_ascii_case(arguments[1]);
    let &(name, operation) = OPERATIONS.iter().find(named).ok_or(failure::SYNTAX)?;
    match operation {
        Operation::Not if sources.len() > 1 => return Err(ONE_SOURCE),
        Operation::Diff | Operation::Diff1 | Operation::AndOr if sources.len() < 2 => {
            return Err(Failure::new(format!("ERR BITOP {name} must be called with at least two source keys.")));
        }
        _ => {}
    }
    for source in sources {
        text(ctx.read_source(source))?;
    }
    let hash = keyspace::hash(target);
    // An expired target is removed first, as SET does.
    ctx.write(target);
    let memory = if sources.contains(&target) { None } else { ctx.db().buffer_mut(hash, target).map(std::mem::take) };
    let result = combine(ctx.db(), operation, sources, memory.unwrap_or_default());
    let len = result.len();
    if len > 0 {
        log(ctx, operation, target, sources, &result);
        if let Some(displaced) = ctx.db().insert(hash, Entry::buffer(target, result, None)) {
            ctx.discard_displaced(displaced);
        }
        ctx.modified(target);
        ctx.event("set", target);
    } else if let Some(displaced) = ctx.db().remove(hash, target) {
        ctx.discard_displaced(displaced);
        ctx.modified(target);
        ctx.event("del", target);
        ctx.effect(&[b"DEL", target]);
    }
    ctx.reply.count(len);
    Ok(())
}

/// The combination of the strings at some keys, in this memory if it suits. Missing ones are empty.
fn combine(db: &Db, operation: Operation, sources: &[&[u8]], memory: Vec<u8>) -> Vec<u8> {
    let mut digits: SmallVec<[itoa::Buffer; 4]> = sources.iter().map(|_| itoa::Buffer::new()).collect();
    let string = |(source, digits)| {
        let found = db.find(keyspace::hash(source), source).and_then(Entry::text);
        found.map(|text| text.as_bytes(digits)).unwrap_or_default()
    };
    let strings: SmallVec<[&[u8]; 4]> = sources.iter().copied().zip(&mut digits).map(string).collect();
    bitops::combine(operation, &strings, memory)
}

/// Says what is to be logged where the client's words will not do: Redis 7 knows only the first four operations. The
/// others are made of them, without copying the result into the log, unless the target is a source or would have to
/// hold two values at once.
fn log(ctx: &mut Ctx<'_>, operation: Operation, target: &[u8], sources: &[&[u8]], result: &[u8]) {
    let (first, others) = (sources[0], &sources[1..]);
    let mut step = |name: &[u8], sources: &[&[u8]]| ctx.effect(&[&[b"BITOP", name, target], sources].concat());
    match operation {
        Operation::And | Operation::Or | Operation::Xor | Operation::Not => {}
        _ if sources.contains(&target) => ctx.effect(&[b"SET", target, result]),
        Operation::Diff => {
            step(b"OR", others);
            step(b"AND", &[target, first]);
            step(b"XOR", &[target, first]);
        }
        Operation::Diff1 => {
            step(b"OR", sources);
            step(b"XOR", &[target, first]);
        }
        Operation::AndOr => {
            step(b"OR", others);
            step(b"AND", &[target, first]);
        }
        Operation::One => ctx.effect(&[b"SET", target, result]),
    }
}

#[cfg(test)]
mod tests {
    use crate::command::harness::Harness;

    #[test]
    fn strings_are_combined_to_the_length_of_the_longest() {
        let mut server = Harness::new();
        server.run("MSET a abc b abcdef n 12");
        server.effects();
        for (line, reply) in [
            ("BITOP AND d a b", ":6"),
            ("GET d", "$6 abc\0\0\0"),
            ("BITOP or d a n none", ":3"),
            ("GET d", "$3 qrc"),
            ("BITOP XOR d d d", ":3"),
            ("GET d", "$3 \0\0\0"),
            ("BITOP NOT d none", ":0"),
            ("EXISTS d", ":0"),
            ("BITOP NOT d none", ":0"),
            ("SET d 1 EX 100", "+OK"),
            ("BITOP OR d n", ":2"),
            ("TTL d", ":-1"),
            ("OBJECT ENCODING d", "$3 raw"),
            ("BITOP NAND d a", "-ERR syntax error"),
            ("BITOP NOT d a b", "-ERR BITOP NOT must be called with a single source key."),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
        assert_eq!(
            server.effects(),
            "SELECT 0 | BITOP AND d a b | BITOP or d a n none | BITOP XOR d d d | DEL d | SET d 1 PXAT 1700000100000 | \
             BITOP OR d n"
        );
    }

    #[test]
    fn the_operations_of_redis_8_2_are_logged_as_redis_7_knows_them() {
        let mut server = Harness::new();
        server.run("MSET a abc b abcdef n 12");
        server.effects();
        for (line, reply) in [
            ("BITOP DIFF d b n", ":6"),
            ("GET d", "$6 @@cdef"),
            ("BITOP DIFF1 d a b none", ":6"),
            ("GET d", "$6 \0\0\0def"),
            ("BITOP ANDOR d n a b", ":6"),
            ("GET d", "$6 !\"\0\0\0\0"),
            ("BITOP ONE d a b n", ":6"),
            ("GET d", "$6 \u{10}\u{10}\0def"),
            ("BITOP DIFF d d n", ":6"),
            ("BITOP ONE d none", ":0"),
            ("BITOP DIFF d a", "-ERR BITOP DIFF must be called with at least two source keys."),
            ("BITOP ANDOR d a", "-ERR BITOP ANDOR must be called with at least two source keys."),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
        assert_eq!(
            server.effects(),
            "SELECT 0 | MULTI | BITOP OR d n | BITOP AND d d b | BITOP XOR d d b | EXEC | \
             MULTI | BITOP OR d a b none | BITOP XOR d d a | EXEC | \
             MULTI | BITOP OR d a b | BITOP AND d d n | EXEC | \
             SET d \u{10}\u{10}\0def | SET d \0\0\0def | DEL d"
        );
    }

    #[test]
    fn a_source_that_has_expired_is_gone_for_copies_too() {
        let mut server = Harness::new();
        server.run("SET a abc PX 10");
        server.run("SET d x");
        server.effects();
        server.clock.advance(std::time::Duration::from_millis(11));
        // While writes are paused nothing expires by itself, but a transaction that was let in goes on.
        server.run("MULTI");
        server.run("CLIENT PAUSE 1000 WRITE");
        server.run("BITOP OR d a");
        assert_eq!(server.run("EXEC"), "*2 +OK :0");
        assert_eq!(server.effects(), "SELECT 0 | MULTI | DEL a | DEL d | EXEC");
    }
}
