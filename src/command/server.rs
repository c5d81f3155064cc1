//! Commands about the server as a whole: TIME, ROLE, SHUTDOWN, LOLWUT, and what a server without replication,
//! cluster and modules answers to those who ask for them.

use super::connection::REDIS_VERSION;
use super::failure::SYNTAX;
use super::scripting::long;
use super::{Ctx, Failure, blocking, parse};
use crate::engine::config::Shutdown;

const CLUSTER_DISABLED: Failure = Failure::fixed("ERR This instance has cluster support disabled");

/// TIME
pub fn time(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let now_us = ctx.engine.wall_us();
    ctx.reply.array(2);
    ctx.reply.bulk_integer((now_us / 1_000_000) as i64);
    ctx.reply.bulk_integer((now_us % 1_000_000) as i64);
    Ok(())
}

/// ROLE
pub fn role(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.array(3);
    ctx.reply.bulk(b"master");
    ctx.reply.integer(ctx.engine.gate.watermarks().executed as i64);
    ctx.reply.array(0);
    Ok(())
}

/// SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]. Everything executed is in the log in any case. A shutdown waits for no
/// replica, so there never is one to abort.
pub fn shutdown(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (mut save, mut nosave, mut abort) = (false, false, false);
    let mut how = Shutdown::default();
    for option in &arguments[1..] {
        let flag = match option.to_ascii_lowercase().as_slice() {
            b"save" => &mut save,
            b"nosave" => &mut nosave,
            b"now" => &mut how.now,
            b"force" => &mut how.force,
            b"abort" => &mut abort,
            _ => return Err(SYNTAX),
        };
        *flag = true;
    }
    if (save && nosave) || (abort && (save || nosave || how.now || how.force)) {
        return Err(SYNTAX);
    }
    if abort {
        return Err("ERR No shutdown in progress.".into());
    }
    if !nosave && let Some(refusal) = long::refusal(ctx.engine) {
        return Err(refusal);
    }
    how.save = (save || nosave).then_some(save);
    blocking::wait_for_shutdown(ctx, how);
    Ok(())
}

/// LOLWUT [VERSION version [width …]]
pub fn lolwut(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    /// As wide as a terminal may be.
    const WIDEST: i64 = 24;
    let mut drawing = String::new();
    if let [_, option, numbers @ ..] = arguments
        && option.eq_ignore_ascii_case(b"version")
        && !numbers.is_empty()
    {
        let numbers = numbers.iter().map(|word| parse::integer(word)).collect::<Result<Vec<i64>, Failure>>()?;
        let frames = numbers.get(1).copied().unwrap_or(8).clamp(1, WIDEST);
        // A log: frames chained to one another, and the one that is being written.
        for _ in 0..frames {
            drawing.push_str("[=]-");
        }
        drawing.push_str("[ \n\nOne frame after another, none acknowledged before it lies still. ");
    }
    let text = format!("{drawing}Redis ver. {REDIS_VERSION}\n");
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// MODULE LIST: there are none.
pub fn module_list(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.array(0);
    Ok(())
}

/// CLUSTER with any subcommand, READONLY, READWRITE and ASKING.
pub fn cluster_disabled(_: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    Err(CLUSTER_DISABLED)
}

/// REPLICAOF and SLAVEOF host port | NO ONE
pub fn replicaof(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    if arguments[1].eq_ignore_ascii_case(b"no") && arguments[2].eq_ignore_ascii_case(b"one") {
        ctx.reply.ok();
        return Ok(());
    }
    match parse::integer(arguments[2]) {
        Ok(0..=65535) => Err("ERR this server cannot be a replica; only REPLICAOF NO ONE is known".into()),
        _ => Err("ERR Invalid master port".into()),
    }
}

#[cfg(test)]
mod tests {
    use crate::command::harness::Harness;
    use crate::engine::Request;
    use crate::engine::config::Shutdown;

    #[test]
    fn a_server_alone_says_so() {
        let mut harness = Harness::new();
        assert_eq!(harness.run("TIME"), "*2 $10 1700000000 $1 0");
        assert_eq!(harness.run("ROLE"), "*3 $6 master :0 *0");
        assert_eq!(harness.run("REPLICAOF no ONE"), "+OK");
        assert_eq!(harness.run("SLAVEOF a b"), "-ERR Invalid master port");
        assert_eq!(harness.run("MODULE LIST"), "*0");
        for command in ["CLUSTER INFO", "CLUSTER HELP", "READONLY", "READWRITE", "ASKING"] {
            assert_eq!(harness.run(command), "-ERR This instance has cluster support disabled", "{command}");
        }
        assert_eq!(harness.run("CLUSTER FOO"), "-ERR unknown subcommand 'FOO'. Try CLUSTER HELP.");
        assert_eq!(harness.run("LOLWUT"), "$17 Redis ver. 7.2.4");
        assert!(harness.run("LOLWUT VERSION 5 2").contains("[=]-[=]-[ "));
        assert_eq!(harness.run("LOLWUT VERSION a"), "-ERR value is not an integer or out of range");
    }

    #[test]
    fn shutdown_is_answered_by_the_end_of_the_connection() {
        let mut harness = Harness::new();
        for bad in ["SHUTDOWN FOO", "SHUTDOWN SAVE NOSAVE", "SHUTDOWN ABORT NOW"] {
            assert_eq!(harness.run(bad), "-ERR syntax error", "{bad}");
        }
        assert_eq!(harness.run("SHUTDOWN ABORT"), "-ERR No shutdown in progress.");
        assert!(harness.engine.requests.is_empty());
        assert_eq!(harness.run("SHUTDOWN NOSAVE NOW FORCE"), "");
        assert_eq!(
            harness.engine.requests,
            [Request::Shutdown(Shutdown { force: true, now: true, save: Some(false) })]
        );
        assert!(harness.engine.clients.get(harness.client).unwrap().blocked.is_some());
    }
}
