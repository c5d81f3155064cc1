//! SAVE, BGSAVE, BGREWRITEAOF, LASTSAVE. All three take the same kind of snapshot; their words are Redis'.

use super::failure::SYNTAX;
use super::{Ctx, Failure, blocking};
use crate::engine::snapshots::Purpose;

const SAVE: Purpose = Purpose { save: true, rewrite: false };
const REWRITE: Purpose = Purpose { save: false, rewrite: true };

const SAVE_UNDER_WAY: Failure = Failure::fixed("ERR Background save already in progress");
const REWRITE_UNDER_WAY: Failure = Failure::fixed("ERR Background append only file rewriting already in progress");
const OTHER_UNDER_WAY: Failure = Failure::fixed(
    "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to schedule a BGSAVE \
     whenever possible.",
);

/// What is under way, or about to begin.
fn present(ctx: &Ctx<'_>) -> Option<Purpose> {
    Some(ctx.engine.snapshots.under_way()).filter(|purpose| *purpose != Purpose::default())
}

/// SAVE: answers when the snapshot is there. Other clients go on meanwhile.
pub fn save(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    if present(ctx).is_some_and(|purpose| purpose.save) {
        return Err(SAVE_UNDER_WAY);
    }
    blocking::wait_for_snapshot(ctx);
    Ok(())
}

/// BGSAVE [SCHEDULE]
pub fn bgsave(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let schedules = match arguments[1..] {
        [] => false,
        [word] if word.eq_ignore_ascii_case(b"schedule") => true,
        _ => return Err(SYNTAX),
    };
    let under_way = present(ctx);
    if under_way.is_some_and(|purpose| purpose.save) {
        return Err(SAVE_UNDER_WAY);
    }
    let waits = under_way.is_some() || ctx.in_transaction();
    if waits && !schedules && !ctx.in_transaction() {
        return Err(OTHER_UNDER_WAY);
    }
    ctx.engine.snapshots.ask(SAVE);
    ctx.reply.simple(if waits { "Background saving scheduled" } else { "Background saving started" });
    Ok(())
}

/// BGREWRITEAOF: a snapshot, behind which the log is cut short.
pub fn bgrewriteaof(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let under_way = present(ctx);
    if under_way.is_some_and(|purpose| purpose.rewrite) {
        return Err(REWRITE_UNDER_WAY);
    }
    let waits = under_way.is_some() || ctx.in_transaction();
    ctx.engine.snapshots.ask(REWRITE);
    ctx.reply.simple(if waits {
        "Background append only file rewriting scheduled"
    } else {
        "Background append only file rewriting started"
    });
    Ok(())
}

/// LASTSAVE
pub fn lastsave(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.integer(ctx.engine.last_save_s as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use crate::command::harness::Harness;
    use crate::engine::snapshots::{Ended, Present};

    #[test]
    fn each_kind_refuses_itself_and_waits_for_the_other_as_in_redis() {
        let mut harness = Harness::new();
        assert_eq!(harness.run("BGSAVE"), "+Background saving started");
        assert!(harness.engine.snapshots.is_due(Waker::noop()));
        harness.engine.snapshots.begin(Present::default());
        for command in ["BGSAVE", "BGSAVE SCHEDULE", "SAVE"] {
            assert_eq!(harness.run(command), "-ERR Background save already in progress", "{command}");
        }
        assert_eq!(harness.run("BGREWRITEAOF"), "+Background append only file rewriting scheduled");
        harness.engine.snapshot_ended(Ended::Well);
        assert_eq!(harness.run("LASTSAVE"), ":1700000000");
        harness.engine.snapshots.begin(Present::default());
        assert_eq!(harness.run("BGREWRITEAOF"), "-ERR Background append only file rewriting already in progress");
        assert!(harness.run("BGSAVE").starts_with("-ERR Another child process is active"));
        assert_eq!(harness.run("BGSAVE schedule"), "+Background saving scheduled");
        assert_eq!(harness.run("BGSAVE soon"), "-ERR syntax error");
    }

    #[test]
    fn without_the_copy_the_time_of_the_last_save_stays_and_nothing_is_left_to_save() {
        let mut harness = Harness::new();
        let before = harness.run("LASTSAVE");
        harness.run("SET k v");
        harness.run("BGSAVE");
        harness.clock.advance(std::time::Duration::from_secs(10));
        let changes = harness.engine.stats.changes;
        let began_s = harness.engine.snapshots.saved_s;
        harness.engine.snapshots.begin(Present { changes, ..Present::default() });
        harness.engine.snapshot_ended(Ended::Uncopied("it is a folder".into()));
        assert_eq!((harness.run("LASTSAVE"), harness.engine.stats.changes), (before, 0));
        assert_eq!(harness.engine.snapshots.saved_s, began_s + 10, "the next save point counts from here");
    }

    #[test]
    fn save_answers_when_its_snapshot_is_there() {
        let mut harness = Harness::new();
        for (result, reply) in
            [(Ended::Well, "+OK\r\n"), (Ended::Failed("no space".into()), "-ERR the snapshot failed: no space\r\n")]
        {
            assert_eq!(harness.run("SAVE"), "");
            harness.engine.snapshots.begin(Present::default());
            harness.engine.snapshot_ended(result);
            let mut client = harness.engine.clients.take(harness.client);
            assert_eq!(crate::command::blocking::check(&mut harness.engine, &mut client, Waker::noop()), None);
            harness.engine.clients.put(client);
            assert_eq!(harness.receive(harness.client), reply.as_bytes());
        }
    }
}
