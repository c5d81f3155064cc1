//! BITFIELD and BITFIELD_RO: integers of any width within a string.

use smallvec::SmallVec;

use super::bitmaps::{offset_of_field, reaching};
use super::failure::{self, Failure};
use super::strings::text;
use super::{Ctx, parse};
use crate::base::bitfield::{Field, Overflow};
use crate::base::number;

const BAD_TYPE: Failure =
    Failure::fixed("ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.");
const BAD_OVERFLOW: Failure = Failure::fixed("ERR Invalid OVERFLOW type specified");
const ONLY_GET: Failure = Failure::fixed("ERR BITFIELD_RO only supports the GET subcommand");

/// What is done with one integer.
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

struct Step {
    action: Action,
    field: Field,
    bit: usize,
    overflow: Overflow,
}

impl Step {
    fn writes(&self) -> bool {
        !matches!(self.action, Action::Get)
    }

    /// The last bit of its integer.
    fn last_bit(&self) -> usize {
        self.bit + self.field.width() as usize - 1
    }
}

type Steps = SmallVec<[Step; 4]>;

fn read_steps(ctx: &Ctx<'_>, mut words: &[&[u8]]) -> Result<Steps, Failure> {
    let mut steps = Steps::new();
    let mut overflow = Overflow::Wrap;
    while let [name, rest @ ..] = words {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        words = match rest {
            [field, bit, rest @ ..] if is("GET") => {
                steps.push(read_step(ctx, field, bit, overflow)?);
                rest
            }
            [field, bit, value, rest @ ..] if is("SET") || is("INCRBY") => {
                let mut step = read_step(ctx, field, bit, overflow)?;
                let value = parse::integer(value)?;
                step.action = if is("SET") { Action::Set(value) } else { Action::Add(value) };
                steps.push(step);
                rest
            }
            [what, rest @ ..] if is("OVERFLOW") => {
                overflow = read_overflow(what)?;
                rest
            }
            _ => return Err(failure::SYNTAX),
        };
    }
    Ok(steps)
}

fn read_step(ctx: &Ctx<'_>, field: &[u8], bit: &[u8], overflow: Overflow) -> Result<Step, Failure> {
    let field = read_field(field).ok_or(BAD_TYPE)?;
    Ok(Step { action: Action::Get, field, bit: offset_of_field(ctx, bit, field.width())?, overflow })
}

/// A type like `u8`. A zero byte ends it, as C's strings end.
fn read_field(text: &[u8]) -> Option<Field> {
    let text = number::c_string(text);
    match text {
        [b'i', width @ ..] => Field::new(true, number::parse_i64(width)?),
        [b'u', width @ ..] => Field::new(false, number::parse_i64(width)?),
        _ => None,
    }
}

fn read_overflow(word: &[u8]) -> Result<Overflow, Failure> {
    let known = [("WRAP", Overflow::Wrap), ("SAT", Overflow::Saturate), ("FAIL", Overflow::Fail)];
    let found = known.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|(_, overflow)| overflow).ok_or(BAD_OVERFLOW)
}

/// BITFIELD key [GET type offset | [OVERFLOW WRAP | SAT | FAIL] SET type offset value | INCRBY type offset increment …]
pub fn bitfield(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let steps = read_steps(ctx, &arguments[2..])?;
    match steps.iter().filter(|step| step.writes()).map(Step::last_bit).max() {
        Some(last_bit) => change(ctx, arguments[1], &steps, last_bit),
        None => read(ctx, arguments[1], &steps),
    }
}

/// BITFIELD_RO key [GET type offset …]
pub fn bitfield_ro(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let steps = read_steps(ctx, &arguments[2..])?;
    if steps.iter().any(Step::writes) {
        return Err(ONLY_GET);
    }
    read(ctx, arguments[1], &steps)
}

fn read(ctx: &mut Ctx<'_>, key: &[u8], steps: &[Step]) -> Result<(), Failure> {
    let (entry, reply) = ctx.read_reply(key);
    let mut buffer = itoa::Buffer::new();
    let bytes = text(entry)?.map(|text| text.as_bytes(&mut buffer)).unwrap_or_default();
    reply.array(steps.len());
    steps.iter().for_each(|step| reply.integer(step.field.read(bytes, step.bit)));
    Ok(())
}

/// Every integer that is stored counts as a change if it is another one, or if the string has grown.
fn change(ctx: &mut Ctx<'_>, key: &[u8], steps: &[Step], last_bit: usize) -> Result<(), Failure> {
    let (bytes, grew) = reaching(ctx, key, last_bit)?;
    let mut changes = 0;
    let mut replies: SmallVec<[Option<i64>; 4]> = SmallVec::new();
    for Step { action, field, bit, overflow } in steps {
        let before = field.read(bytes, *bit);
        let wanted = match action {
            Action::Get => {
                replies.push(Some(before));
                continue;
            }
            Action::Set(value) => field.widen(*value),
            Action::Add(value) => i128::from(before) + i128::from(*value),
        };
        let after = field.fit(wanted, *overflow);
        if let Some(after) = after {
            field.write(bytes, *bit, after);
            changes += u64::from(grew || before != after);
        }
        replies.push(after.map(|after| if matches!(action, Action::Set(_)) { before } else { after }));
    }
    // A string that has only grown, because nothing fitted, is another one, too. Redis forgets that.
    if changes > 0 || grew {
        ctx.modified(key);
        ctx.counts_as(changes.max(1));
    }
    if changes > 0 {
        ctx.event("setbit", key);
    }
    ctx.reply.array(replies.len());
    for reply in replies {
        match reply {
            Some(value) => ctx.reply.integer(value),
            None => ctx.reply.null(),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::harness::Harness;

    #[test]
    fn integers_are_read_and_changed_one_after_the_other() {
        let mut server = Harness::new();
        for (line, reply) in [
            ("BITFIELD k", "*0"),
            ("BITFIELD k GET u8 0", "*1 :0"),
            ("EXISTS k", ":0"),
            ("BITFIELD k SET i8 0 -1 INCRBY u4 #1 1 GET u8 0 GET i8 4", "*4 :0 :0 :240 :0"),
            (
                "BITFIELD k INCRBY i64 #1 -9223372036854775808 GET i64 64",
                "*2 :-9223372036854775808 :-9223372036854775808",
            ),
            ("STRLEN k", ":16"),
            ("BITFIELD_RO k GET u4 0 GET u4 4", "*2 :15 :0"),
            ("BITFIELD k GET u4 #4611686018427387905", "*1 :0"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
        assert_eq!(
            server.effects(),
            "SELECT 0 | BITFIELD k SET i8 0 -1 INCRBY u4 #1 1 GET u8 0 GET i8 4 | \
             BITFIELD k INCRBY i64 #1 -9223372036854775808 GET i64 64"
        );
    }

    #[test]
    fn what_does_not_fit_wraps_saturates_or_fails_and_only_changes_are_logged() {
        let mut server = Harness::new();
        let changes = server.engine.stats.changes;
        for (line, reply) in [
            ("SET k abc", "+OK"),
            ("BITFIELD k OVERFLOW FAIL INCRBY u8 0 300 SET u8 0 300 INCRBY u8 0 0", "*3 $-1 $-1 :97"),
            ("BITFIELD k SET u8 0 97", "*1 :97"),
            ("BITFIELD k SET u8 0 300 OVERFLOW SAT INCRBY u8 0 300 INCRBY i8 0 -200", "*3 :97 :255 :-128"),
            ("BITFIELD k OVERFLOW SAT SET u63 0 -1 GET u63 0", "*2 :4625532718111784960 :9223372036854775807"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
        assert_eq!(
            server.effects(),
            "SELECT 0 | SET k abc | BITFIELD k SET u8 0 300 OVERFLOW SAT INCRBY u8 0 300 INCRBY i8 0 -200 | \
             BITFIELD k OVERFLOW SAT SET u63 0 -1 GET u63 0"
        );
        assert_eq!(server.engine.stats.changes - changes, 5);
    }

    #[test]
    fn a_string_that_has_only_grown_is_logged() {
        let mut server = Harness::new();
        assert_eq!(server.run("BITFIELD k OVERFLOW FAIL INCRBY u8 100 300"), "*1 $-1");
        assert_eq!(server.run("STRLEN k"), ":14");
        assert_eq!(server.effects(), "SELECT 0 | BITFIELD k OVERFLOW FAIL INCRBY u8 100 300");
    }

    #[test]
    fn arguments_are_judged_in_order_and_before_the_key() {
        let mut server = Harness::new();
        let bad_type =
            "-ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
        let bad_offset = "-ERR bit offset is not an integer or out of range";
        for (line, reply) in [
            ("BITFIELD k GET", "-ERR syntax error"),
            ("BITFIELD k GET u8", "-ERR syntax error"),
            ("BITFIELD k SET u8 0", "-ERR syntax error"),
            ("BITFIELD k OVERFLOW", "-ERR syntax error"),
            ("BITFIELD k OVERFLOW NONE", "-ERR Invalid OVERFLOW type specified"),
            ("BITFIELD k GET u64 x", bad_type),
            ("BITFIELD k GET U8 0", bad_type),
            ("BITFIELD k GET u8 x OVERFLOW NONE", bad_offset),
            ("BITFIELD k GET u8 #-1", bad_offset),
            ("BITFIELD k GET u8 4294967296", bad_offset),
            ("BITFIELD k GET u2 #9223372036854775807", bad_offset),
            ("BITFIELD k SET u8 0 x", "-ERR value is not an integer or out of range"),
            ("BITFIELD_RO k SET u8 0 x", "-ERR value is not an integer or out of range"),
            ("BITFIELD_RO k SET u8 0 1", "-ERR BITFIELD_RO only supports the GET subcommand"),
            ("BITFIELD_RO k OVERFLOW SAT GET u8 0", "*1 :0"),
            ("EXISTS k", ":0"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
    }
}
