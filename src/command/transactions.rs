//! MULTI, EXEC, DISCARD, WATCH and UNWATCH.
//!
//! EXEC runs the queued commands in one unit, so they are one frame: whole on disk as in memory.

use bytes::Bytes;

use super::acl;
use super::call;
use super::table;
use super::{Ctx, Failure};
use crate::keyspace;

/// MULTI
pub fn multi(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    if ctx.client.transaction.is_some() {
        return Err("ERR MULTI calls can not be nested".into());
    }
    ctx.client.transaction = Some(Default::default());
    ctx.reply.ok();
    Ok(())
}

/// DISCARD
pub fn discard(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    if ctx.client.transaction.take().is_none() {
        return Err("ERR DISCARD without MULTI".into());
    }
    ctx.engine.watches.unwatch_all(ctx.client);
    ctx.reply.ok();
    Ok(())
}

/// EXEC
pub fn exec(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let Some(transaction) = ctx.client.transaction.take() else {
        return Err("ERR EXEC without MULTI".into());
    };
    let broken = watch_is_broken(ctx);
    ctx.engine.watches.unwatch_all(ctx.client);
    if transaction.aborted {
        return Err("EXECABORT Transaction discarded because of previous errors.".into());
    }
    if broken {
        ctx.reply.null_array();
        return Ok(());
    }
    let start = ctx.reply.len();
    ctx.reply.array(transaction.queue.len());
    call::leave_out(ctx, start);
    ctx.client.executing = Some((transaction.queue.len(), transaction.memory()));
    ctx.transaction(|ctx| {
        for command in &transaction.queue {
            let arguments: Vec<&[u8]> = command.iter().map(Bytes::as_ref).collect();
            command.iter().for_each(|argument| ctx.engine.stream.lend(argument));
            let start = ctx.reply.len();
            match table::admit(&arguments) {
                Ok(row) => match acl::check::admit_in_exec(ctx, row, &arguments) {
                    Ok(()) => call::run(ctx, row, &arguments),
                    Err(failure) => call::refuse(ctx, row, &failure),
                },
                Err(text) => call::fail(ctx, &Failure::new(text)),
            }
            call::leave_out(ctx, start);
            ctx.engine.stream.end_loan();
        }
    });
    ctx.client.executing = None;
    Ok(())
}

/// Whether a watched key was changed, or has expired since; the reply reveals the last change of each.
fn watch_is_broken(ctx: &mut Ctx<'_>) -> bool {
    let now = ctx.now_ms() as i64;
    let mut broken = ctx.client.watch_broken;
    let watched = std::mem::take(&mut ctx.client.watched);
    for ((db, key), was_expired) in &watched {
        let hash = keyspace::hash(key);
        ctx.reveal(ctx.engine.gate.last_change(*db, hash));
        let entry = ctx.engine.dbs[*db].find(hash, key);
        broken |= !was_expired && entry.is_some_and(|entry| entry.has_expired(now));
    }
    ctx.client.watched = watched;
    broken
}

/// WATCH key [key …]
pub fn watch(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    if ctx.client.transaction.is_some() {
        return Err("ERR WATCH inside MULTI is not allowed".into());
    }
    let db = ctx.client.db;
    let now = ctx.now_ms() as i64;
    for key in &arguments[1..] {
        let entry = ctx.engine.dbs[db].find(keyspace::hash(key), key);
        let was_expired = entry.is_some_and(|entry| entry.has_expired(now));
        ctx.engine.watches.watch(ctx.client, db, key, was_expired);
    }
    ctx.reply.ok();
    Ok(())
}

/// UNWATCH
pub fn unwatch(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.engine.watches.unwatch_all(ctx.client);
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::harness::Harness;

    #[test]
    fn a_transaction_with_a_bad_command_is_aborted() {
        let mut server = Harness::new();
        assert_eq!(server.run("MULTI"), "+OK");
        assert!(server.run("NOSUCH").starts_with("-ERR unknown command 'NOSUCH'"));
        assert_eq!(server.run("UNWATCH"), "+QUEUED");
        assert_eq!(server.run("EXEC"), "-EXECABORT Transaction discarded because of previous errors.");
        assert_eq!(server.run("EXEC"), "-ERR EXEC without MULTI");
        assert_eq!(server.run("DISCARD"), "-ERR DISCARD without MULTI");
    }

    #[test]
    fn brackets_do_not_nest() {
        let mut server = Harness::new();
        server.run("MULTI");
        assert_eq!(server.run("MULTI"), "-ERR MULTI calls can not be nested");
        assert_eq!(server.run("WATCH k"), "-ERR WATCH inside MULTI is not allowed");
        assert_eq!(server.run("EXEC"), "*0");
    }
}
