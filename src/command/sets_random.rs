//! SPOP and SRANDMEMBER. Which members it is that chance takes is in the log: as SREM, or, if the set is taken as a whole,
//! as the key's deletion.

use super::failure::{self, Failure};
use super::sets::reply_members;
use super::strings::write_text;
use super::{Ctx, draws, parse};
use crate::base::texts::Texts;
use crate::keyspace::{self, Set};

/// Members that one SREM in the log names at most.
const MEMBERS_PER_EFFECT: usize = 1024;

/// SPOP key [count]
pub fn spop(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let count = match arguments {
        [_, _] => None,
        [_, _, count] => Some(parse::count(count)?),
        _ => return Err(failure::SYNTAX),
    };
    let key = arguments[1];
    let mut random = ctx.engine.rng.fork();
    let Some(set) = ctx.edit::<Set>(key)? else {
        match count {
            Some(_) => ctx.reply.set(0),
            None => ctx.reply.null(),
        }
        return Ok(());
    };
    let wanted = count.unwrap_or(1);
    if wanted == 0 {
        ctx.reply.set(0);
    } else if wanted >= set.len() as u64 {
        take_all(ctx, key, count.is_some());
    } else {
        let mut taken = Texts::with_capacity(wanted as usize);
        let mut buffer = itoa::Buffer::new();
        set.take_random(wanted as usize, &mut random, |member| _ = taken.push(member.as_bytes(&mut buffer)));
        if count.is_some() {
            ctx.reply.set(taken.len());
        }
        taken.iter().for_each(|member| ctx.reply.bulk(member));
        log_removal(ctx, key, &taken);
        ctx.event("spop", key);
        ctx.modified(key);
        ctx.counts_as(wanted);
    }
    Ok(())
}

fn log_removal(ctx: &mut Ctx<'_>, key: &[u8], members: &Texts) {
    let members: Vec<&[u8]> = members.iter().collect();
    for some in members.chunks(MEMBERS_PER_EFFECT) {
        ctx.effect(&[&[b"SREM", key], some].concat());
    }
}

/// Takes the key with all members of its set, and answers them: as a set, or as the only one.
fn take_all(ctx: &mut Ctx<'_>, key: &[u8], is_set: bool) {
    let hash = keyspace::hash(key);
    let Some(entry) = ctx.db().remove(hash, key) else { return };
    let lazy = ctx.engine.config.lazyfree_lazy_server_del();
    let mut members = 0;
    if let keyspace::Value::Set(set) = entry.value() {
        members = set.len() as u64;
        if is_set {
            reply_members(&mut ctx.reply, Some(set));
        } else {
            write_text(&mut ctx.reply, set.iter().next());
        }
    }
    ctx.discard(entry, lazy);
    ctx.effect(&[if lazy { b"UNLINK" } else { b"DEL" }, key]);
    ctx.event("spop", key);
    ctx.event("del", key);
    ctx.modified(key);
    ctx.counts_as(members);
}

/// SRANDMEMBER key [count]
pub fn srandmember(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let count = match arguments {
        [_, _] => None,
        [_, _, count] => Some(parse::integer_in(count, -i64::MAX, i64::MAX)?),
        _ => return Err(failure::SYNTAX),
    };
    let mut random = ctx.engine.rng.fork();
    let (set, reply) = ctx.read_as::<Set>(arguments[1])?;
    match (set, count) {
        (_, None) => write_text(reply, set.and_then(|set| set.random(&mut random))),
        (None, _) | (_, Some(0)) => reply.array(0),
        (Some(set), Some(count @ ..0)) => {
            let count = draws::number(count)?;
            reply.array(count);
            let members = set.draws(&mut random).take(count);
            draws::write(reply, members, |reply, member| write_text(reply, Some(member)))?;
        }
        (Some(set), Some(count)) => {
            let count = usize::try_from(count).map_or(set.len(), |count| count.min(set.len()));
            reply.array(count);
            set.choose(count, &mut random, |member| write_text(reply, Some(member)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::command::harness::Harness;

    const TYPES: [&str; 3] = ["1 2 3 4 5 6 7 8", "a b c d e f g h", "a b c d e f g h"];

    /// A set of eight members: integers, a listpack, or a hash table.
    fn server(at: usize) -> Harness {
        let mut server = Harness::new();
        if at == 2 {
            server.run("CONFIG SET set-max-listpack-entries 4");
        }
        server.run(&format!("SADD s {}", TYPES[at]));
        let encoding = ["$6 intset", "$8 listpack", "$9 hashtable"];
        assert_eq!(server.run("OBJECT ENCODING s"), encoding[at]);
        server.effects();
        server
    }

    /// The strings of a reply.
    fn strings(reply: &str) -> Vec<String> {
        reply.split(' ').filter(|word| !word.starts_with(['$', '*', '~'])).map(str::to_owned).collect()
    }

    #[test]
    fn what_is_popped_is_gone_and_logged_as_removed() {
        for (at, members) in TYPES.into_iter().enumerate() {
            let mut server = server(at);
            let reply = server.run("SPOP s");
            let one = strings(&reply);
            assert_eq!(one.len(), 1, "{reply}");
            assert_eq!(server.effects(), format!("SELECT 0 | SREM s {}", one[0]));
            let several = strings(&server.run("SPOP s 3"));
            assert_eq!(several.iter().collect::<BTreeSet<_>>().len(), 3);
            assert_eq!(server.effects(), format!("SELECT 0 | SREM s {}", several.join(" ")));
            assert_eq!(server.run("SPOP s 0"), "*0");
            assert_eq!(server.effects(), "");
            let rest = strings(&server.run("SMEMBERS s"));
            let mut all = [one, several, rest].concat();
            all.sort();
            assert_eq!(all.join(" "), members);
            assert_eq!(server.engine.stats.changes, 8 + 1 + 3);
        }
    }

    #[test]
    fn a_set_that_is_popped_as_a_whole_is_logged_as_deleted() {
        for (at, all) in TYPES.into_iter().enumerate() {
            for (lazy, effect) in [("no", "DEL s"), ("yes", "UNLINK s")] {
                for count in [8, 9, i64::MAX] {
                    let mut server = server(at);
                    server.run(&format!("CONFIG SET lazyfree-lazy-server-del {lazy}"));
                    let mut members = strings(&server.run(&format!("SPOP s {count}")));
                    members.sort();
                    assert_eq!(members.join(" "), all);
                    assert_eq!(server.effects(), format!("SELECT 0 | {effect}"));
                    assert_eq!(server.run("EXISTS s"), ":0");
                    assert_eq!(server.engine.stats.changes, 16);
                }
            }
        }
        let mut server = Harness::new();
        server.run("SADD s a");
        assert_eq!(server.run("SPOP s"), "$1 a");
        assert_eq!(server.run("TYPE s"), "+none");
        assert_eq!(server.effects(), "SELECT 0 | SADD s a | DEL s");
    }

    #[test]
    fn a_pop_of_many_is_logged_in_parts() {
        let mut server = Harness::new();
        let words: Vec<String> = (0..3000).map(|number| format!("m{number}")).collect();
        server.run(&format!("SADD s {}", words.join(" ")));
        server.effects();
        assert!(server.run("SPOP s 2500").starts_with("*2500 "));
        let effects = server.effects();
        let parts: Vec<usize> = effects.split(" | ").map(|part| part.split(' ').count()).collect();
        assert!(effects.starts_with("SELECT 0 | MULTI | SREM s "));
        assert_eq!(parts, [2, 1, 1026, 1026, 454, 1]);
        assert_eq!(server.run("SCARD s"), ":500");
    }

    #[test]
    fn random_members_are_members_and_nothing_is_logged() {
        for (at, all) in TYPES.into_iter().enumerate() {
            let mut server = server(at);
            for (line, count, different) in [
                ("SRANDMEMBER s", 1, true),
                ("SRANDMEMBER s 1", 1, true),
                ("SRANDMEMBER s 2", 2, true),
                ("SRANDMEMBER s 7", 7, true),
                ("SRANDMEMBER s 9223372036854775807", 8, true),
                ("SRANDMEMBER s -100", 100, false),
            ] {
                let members = strings(&server.run(line));
                assert_eq!(members.len(), count, "{line}");
                assert!(members.iter().all(|member| all.contains(member.as_str())));
                let distinct = members.iter().collect::<BTreeSet<_>>().len();
                assert_eq!(distinct == count, different, "{line}");
            }
            assert_eq!(server.effects(), "");
            assert_eq!(server.run("SCARD s"), ":8");
        }
    }

    #[test]
    fn absent_sets_and_bad_counts_are_answered_as_redis_answers_them() {
        let mut server = Harness::new();
        server.run("SADD s a");
        server.run("SET k v");
        let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value";
        for (line, reply) in [
            ("SPOP none", "$-1"),
            ("SPOP none 2", "*0"),
            ("SPOP s -1", "-ERR value is out of range, must be positive"),
            ("SPOP s x", "-ERR value is out of range, must be positive"),
            ("SPOP s 1 2", "-ERR syntax error"),
            ("SPOP k", wrong_type),
            ("SPOP k 0", wrong_type),
            ("SRANDMEMBER none", "$-1"),
            ("SRANDMEMBER none -2", "*0"),
            ("SRANDMEMBER s 0", "*0"),
            ("SRANDMEMBER s x", "-ERR value is not an integer or out of range"),
            (
                "SRANDMEMBER s -9223372036854775808",
                "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807",
            ),
            ("SRANDMEMBER s 1 2", "-ERR syntax error"),
            ("SRANDMEMBER k 1", wrong_type),
            ("HELLO 3", ""),
            ("SPOP none", "_"),
            ("SPOP none 1", "~0"),
            ("SRANDMEMBER s 1", "*1 $1 a"),
            ("SPOP s 1", "~1 $1 a"),
        ] {
            let found = server.run(line);
            assert!(reply.is_empty() || found == reply, "{line}: {found}");
        }
    }
}
