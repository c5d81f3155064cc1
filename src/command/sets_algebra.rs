//! SINTER, SUNION, SDIFF, and their forms that store or count.

use std::ops::ControlFlow;

use super::Ctx;
use super::failure::{self, Failure};
use super::sets::limits;
use super::strings::write_text;
use crate::base::number;
use crate::keyspace::{Algebra, Set};

/// SINTER key [key …]
pub fn sinter(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    answer(ctx, Algebra::Intersection, &arguments[1..])
}

/// SUNION key [key …]
pub fn sunion(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    answer(ctx, Algebra::Union, &arguments[1..])
}

/// SDIFF key [key …]
pub fn sdiff(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    answer(ctx, Algebra::Difference, &arguments[1..])
}

fn answer(ctx: &mut Ctx<'_>, algebra: Algebra, keys: &[&[u8]]) -> Result<(), Failure> {
    let (sets, reply) = ctx.read_all::<Set>(keys)?;
    let start = reply.deferred();
    let mut count = 0;
    algebra.members(&sets, |member| {
        write_text(reply, Some(member));
        count += 1;
        ControlFlow::Continue(())
    });
    reply.finish_set(start, count);
    Ok(())
}

/// SINTERSTORE destination key [key …]
pub fn sinterstore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    store(ctx, Algebra::Intersection, "sinterstore", arguments)
}

/// SUNIONSTORE destination key [key …]
pub fn sunionstore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    store(ctx, Algebra::Union, "sunionstore", arguments)
}

/// SDIFFSTORE destination key [key …]
pub fn sdiffstore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    store(ctx, Algebra::Difference, "sdiffstore", arguments)
}

fn store(ctx: &mut Ctx<'_>, algebra: Algebra, event: &'static str, arguments: &[&[u8]]) -> Result<(), Failure> {
    let limits = limits(&ctx.engine.config);
    let destination = arguments[1];
    arguments[2..].iter().for_each(|source| ctx.expire_source(source));
    let result = algebra.result(&ctx.read_all::<Set>(&arguments[2..])?.0, &limits);
    let count = result.len();
    if count > 0 {
        ctx.put(destination, result);
        ctx.modified(destination);
        ctx.event(event, destination);
    } else {
        ctx.remove_replaced(destination);
    }
    ctx.reply.count(count);
    Ok(())
}

/// SINTERCARD numkeys key [key …] [LIMIT limit]
pub fn sintercard(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let count = number::parse_i64(arguments[1]).filter(|count| *count > 0);
    let count = count.ok_or(Failure::from("ERR numkeys should be greater than 0"))?;
    let Some((keys, options)) = usize::try_from(count).ok().and_then(|count| arguments[2..].split_at_checked(count))
    else {
        return Err("ERR Number of keys can't be greater than number of args".into());
    };
    let mut limit = 0;
    let (pairs, rest) = options.as_chunks::<2>();
    for [name, value] in pairs {
        if !name.eq_ignore_ascii_case(b"LIMIT") {
            return Err(failure::SYNTAX);
        }
        let value = number::parse_i64(value).and_then(|value| u64::try_from(value).ok());
        limit = value.ok_or(Failure::from("ERR LIMIT can't be negative"))?;
    }
    if !rest.is_empty() {
        return Err(failure::SYNTAX);
    }
    let (sets, reply) = ctx.read_all::<Set>(keys)?;
    let mut members = 0;
    Algebra::Intersection.members(&sets, |_| {
        members += 1;
        if members == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    reply.count(members as usize);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::harness::Harness;

    #[test]
    fn sets_are_intersected_united_and_subtracted() {
        let mut server = Harness::new();
        server.run("SADD a 1 2 3 4");
        server.run("SADD b 2 3 4 5 x");
        server.run("SADD c 3 4 x");
        server.run("SET k v");
        let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        for (line, reply) in [
            ("SINTER a", "*4 $1 1 $1 2 $1 3 $1 4"),
            ("SINTER a b c", "*2 $1 3 $1 4"),
            ("SINTER a none b", "*0"),
            ("SINTER none k", wrong_type),
            ("SINTERCARD 3 a b c", ":2"),
            ("SINTERCARD 2 a b LIMIT 2", ":2"),
            ("SINTERCARD 2 a b limit 0", ":3"),
            ("SINTERCARD 2 a b LIMIT 9 LIMIT 1", ":1"),
            ("SINTERCARD 1 none", ":0"),
            ("SINTERCARD 0 a", "-ERR numkeys should be greater than 0"),
            ("SINTERCARD x a", "-ERR numkeys should be greater than 0"),
            ("SINTERCARD 2 a", "-ERR Number of keys can't be greater than number of args"),
            ("SINTERCARD 1 a LIMIT", "-ERR syntax error"),
            ("SINTERCARD 1 a b", "-ERR syntax error"),
            ("SINTERCARD 1 a LIMIT -1", "-ERR LIMIT can't be negative"),
            ("SINTERCARD 1 a LIMIT x", "-ERR LIMIT can't be negative"),
            ("SINTERCARD 1 k", wrong_type),
            ("SUNION none", "*0"),
            ("SUNION c none c", "*3 $1 3 $1 4 $1 x"),
            ("SUNION a k", wrong_type),
            ("SDIFF a b", "*1 $1 1"),
            ("SDIFF a none c", "*2 $1 1 $1 2"),
            ("SDIFF none a", "*0"),
            ("SDIFF a b a", "*0"),
            ("SDIFF none k", wrong_type),
            ("HELLO 3", ""),
            ("SINTER none", "~0"),
            ("SDIFF a b", "~1 $1 1"),
        ] {
            let found = server.run(line);
            assert!(reply.is_empty() || found == reply, "{line}: {found}");
        }
        assert_eq!(server.effects(), "SELECT 0 | SADD a 1 2 3 4 | SADD b 2 3 4 5 x | SADD c 3 4 x | SET k v");
    }

    #[test]
    fn results_are_stored_in_place_of_whatever_was_there() {
        let mut server = Harness::new();
        server.run("SADD a 1 2 3 x");
        server.run("SADD b 2 3");
        server.run("SET d v EX 100");
        server.effects();
        for (line, reply) in [
            ("SINTERSTORE d a b", ":2"),
            ("OBJECT ENCODING d", "$6 intset"),
            ("TTL d", ":-1"),
            ("SUNIONSTORE a a b", ":4"),
            ("SDIFFSTORE b a b", ":2"),
            ("SMEMBERS b", "*2 $1 1 $1 x"),
            ("SDIFFSTORE d d none", ":2"),
            ("SDIFFSTORE d d d", ":0"),
            ("EXISTS d", ":0"),
            ("SINTERSTORE d a none", ":0"),
            ("SUNIONSTORE d none", ":0"),
        ] {
            assert_eq!(server.run(line), reply, "{line}");
        }
        let effects = "SELECT 0 | SINTERSTORE d a b | SUNIONSTORE a a b | SDIFFSTORE b a b | SDIFFSTORE d d none \
                       | SDIFFSTORE d d d";
        assert_eq!(server.effects(), effects);
        server.run("SET k v");
        server.run("SADD d 1");
        assert!(server.run("SUNIONSTORE d a k").starts_with("-WRONGTYPE"));
        assert_eq!(server.run("SCARD d"), ":1", "an error leaves what was there");
    }

    #[test]
    fn a_source_that_has_expired_is_gone_for_copies_of_what_is_stored_too() {
        for (command, is_sorted) in [
            ("SUNIONSTORE d a b", false),
            ("SINTERSTORE d a a", false),
            ("SDIFFSTORE d b a", false),
            ("ZUNIONSTORE d 2 a b", true),
            ("ZINTERSTORE d 2 a a", true),
            ("ZDIFFSTORE d 2 b a", true),
            ("ZRANGESTORE d a 0 -1", true),
            ("COPY a d", false),
        ] {
            let mut server = Harness::new();
            for line in if is_sorted { ["ZADD a 1 x 2 y", "ZADD b 1 x"] } else { ["SADD a x y", "SADD b x"] } {
                server.run(line);
            }
            server.run("PEXPIRE a 10");
            server.effects();
            server.clock.advance(std::time::Duration::from_millis(11));
            // While writes are paused nothing expires by itself; the shadow still has the source.
            for line in ["MULTI", "CLIENT PAUSE 1000 WRITE", command, "EXEC"] {
                server.run(line);
            }
            assert!(server.effects().contains("DEL a"), "{command}");
        }
    }
}
