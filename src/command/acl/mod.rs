//! ACL: users and their rights. What is allowed is asked in [`check`], what rules mean stands in [`rules`], and [`file`](mod@file)
//! keeps users in a file.

pub mod check;
pub mod file;
pub mod rules;

use std::rc::Rc;

use super::failure::Failure;
use super::help::bad_subcommand;
use super::{Ctx, parse, renaming, table};
use crate::command::spec::Categories;
use crate::engine::Engine;
use crate::engine::acl::{Selector, User};
use crate::engine::client::Client;
use crate::engine::pubsub::Kind;

/// The most bits of a password that GENPASS makes.
const MAX_PASSWORD_BITS: i64 = 4096;
/// What it makes unless it is told otherwise.
const PASSWORD_BITS: i64 = 256;
/// Entries that LOG shows unless it is told otherwise.
const LOG_ENTRIES: i64 = 10;

/// ACL SETUSER username [rule [rule …]]
pub fn setuser(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let name = arguments[2];
    if !is_name(name) {
        return Err("ERR Usernames can't contain spaces or null characters".into());
    }
    let all_channels = ctx.engine.config.new_users_have_all_channels();
    let known = ctx.engine.acl.user(name).map(|user| User::clone(user));
    let mut user = known.unwrap_or_else(|| User::new(name, all_channels));
    let rules = rules::merged(&arguments[3..]).map_err(|first| {
        Failure::new([b"ERR Unmatched parenthesis in acl selector starting at '", first.as_slice(), b"'."].concat())
    })?;
    for rule in rules {
        rules::apply(&mut user, &rule, all_channels).map_err(|error| {
            let error = error.to_string();
            let parts: [&[u8]; 4] = [b"ERR Error in ACL SETUSER modifier '", &rule, b"': ", error.as_bytes()];
            Failure::new(parts.concat())
        })?;
    }
    let user = Rc::new(user);
    let before = ctx.engine.acl.user(name).cloned();
    ctx.engine.replace_user(&user, Some(ctx.client));
    if before.is_some_and(|before| loses_channels(&before, &user)) {
        end_listeners(ctx, &user);
    }
    ctx.reply.ok();
    Ok(())
}

/// Whether a user may have this name.
pub(super) fn is_name(name: &[u8]) -> bool {
    !name.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0b))
}

/// Whether it listens to something that it may not listen to.
fn listens_without_leave(client: &Client, user: &User) -> bool {
    let allowed =
        |name: &[u8], is_pattern: bool| user.selectors.iter().any(|selector| selector.allows_channel(name, is_pattern));
    [(Kind::Channel, false), (Kind::Pattern, true), (Kind::Shard, false)]
        .into_iter()
        .any(|(kind, is_pattern)| client.subscriptions.names(kind).any(|name| !allowed(name, is_pattern)))
}

/// Whether a change takes channels from a user. One that does not ends no connection: it may listen to something since it was
/// another user.
fn loses_channels(before: &User, after: &User) -> bool {
    let keeps = |channel: &Vec<u8>| after.selectors.iter().any(|selector| selector.channels.contains(channel));
    !after.selectors.iter().any(|selector| selector.all_channels)
        && before.selectors.iter().any(|selector| selector.all_channels || !selector.channels.iter().all(keeps))
}

/// Ends connections of a user that listen to what it may not listen to any more.
fn end_listeners(ctx: &mut Ctx<'_>, user: &Rc<User>) {
    for client in ctx.engine.clients.iter_mut() {
        if client.is_user(&user.name) && listens_without_leave(client, user) {
            client.kill();
        }
    }
    if ctx.client.is_user(&user.name) && listens_without_leave(ctx.client, user) {
        ctx.client.close_after_reply = true;
    }
}

/// ACL DELUSER username [username …]
pub fn deluser(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    if arguments[2..].contains(&crate::engine::acl::DEFAULT_USER) {
        return Err("ERR The 'default' user cannot be removed".into());
    }
    let mut removed = 0;
    for name in &arguments[2..] {
        if ctx.engine.acl.remove(name).is_some() {
            removed += 1;
            end_connections(ctx, name);
        }
    }
    ctx.reply.integer(removed);
    Ok(())
}

/// Ends all connections of a user that is no more; the one that asks gets its reply first.
fn end_connections(ctx: &mut Ctx<'_>, name: &[u8]) {
    let default = ctx.engine.acl.default_user().clone();
    for client in ctx.engine.clients.iter_mut().filter(|client| client.is_user(name)) {
        client.kill();
    }
    if ctx.client.is_user(name) {
        ctx.client.user = Some(default);
        ctx.client.authenticated = false;
        ctx.client.close_after_reply = true;
    }
}

/// ACL GETUSER username
pub fn getuser(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let Some(user) = ctx.engine.acl.user(arguments[2]).cloned() else {
        ctx.reply.null();
        return Ok(());
    };
    let reply = &mut ctx.reply;
    reply.map(6);
    reply.bulk(b"flags");
    reply.set(rules::flags(&user).count());
    rules::flags(&user).for_each(|flag| reply.bulk(flag.as_bytes()));
    reply.bulk(b"passwords");
    reply.array(user.passwords.len());
    user.passwords.iter().for_each(|hash| reply.bulk(rules::hash_text(hash).as_bytes()));
    let selector = |ctx: &mut Ctx<'_>, selector: &Selector| {
        let parts = [
            ("commands", rules::describe_commands(selector)),
            ("keys", rules::describe_keys(selector)),
            ("channels", rules::describe_channels(selector)),
        ];
        for (name, text) in parts {
            ctx.reply.bulk(name.as_bytes());
            ctx.reply.bulk(&text);
        }
    };
    let (first, others) = user.selectors.split_first().expect("a user has a selector");
    selector(ctx, first);
    ctx.reply.bulk(b"selectors");
    ctx.reply.array(others.len());
    for other in others {
        ctx.reply.map(3);
        selector(ctx, other);
    }
    Ok(())
}

/// The line of a user, as ACL LIST, files and CONFIG REWRITE have it.
pub fn line(user: &User) -> Vec<u8> {
    [b"user ", user.name.as_slice(), b" ", &rules::describe(user)].concat()
}

/// ACL LIST
pub fn list(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let lines: Vec<Vec<u8>> = ctx.engine.acl.users().map(|user| line(user)).collect();
    ctx.reply.array(lines.len());
    lines.iter().for_each(|line| ctx.reply.bulk(line));
    Ok(())
}

/// ACL USERS
pub fn users(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.array(ctx.engine.acl.users().count());
    ctx.engine.acl.users().for_each(|user| ctx.reply.bulk(&user.name));
    Ok(())
}

/// ACL WHOAMI
pub fn whoami(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    match &ctx.client.user {
        Some(user) => ctx.reply.bulk(&user.name),
        None => ctx.reply.null(),
    }
    Ok(())
}

/// ACL CAT [category]
pub fn cat(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    /// The longest part of the client's word that the error repeats.
    const ECHO_LIMIT: usize = 128;
    let names: Vec<&str> = match &arguments[2..] {
        [] => Categories::all().names().collect(),
        [name] => {
            let Some(category) = Categories::named(name) else {
                let echo = &name[..name.len().min(ECHO_LIMIT)];
                return Err(Failure::new([b"ERR Unknown category '", echo, b"'"].concat()));
            };
            let is_in = |row: &&table::Row| row.spec.categories().has(category);
            table::rows().iter().filter(is_in).map(|row| row.spec.name).collect()
        }
        _ => return Err(bad_subcommand(arguments)),
    };
    ctx.reply.array(names.len());
    names.iter().for_each(|name| ctx.reply.bulk(name.as_bytes()));
    Ok(())
}

/// ACL GENPASS [bits]
pub fn genpass(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let bits = match &arguments[2..] {
        [] => PASSWORD_BITS,
        [bits] => parse::integer(bits)?,
        _ => return Err(bad_subcommand(arguments)),
    };
    if !(1..=MAX_PASSWORD_BITS).contains(&bits) {
        return Err(Failure::new(format!(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to \
             {MAX_PASSWORD_BITS}"
        )));
    }
    let digits = bits.unsigned_abs().div_ceil(4) as usize;
    let mut secret = vec![0; digits.div_ceil(2)];
    // The engine's own source of randomness is for what may be guessed.
    let mut filled = 0;
    while filled < secret.len() {
        filled += rustix::rand::getrandom(&mut secret[filled..], rustix::rand::GetRandomFlags::empty())
            .map_err(|error| Failure::new(format!("ERR no randomness from the system: {error}")))?;
    }
    let text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    ctx.reply.bulk(&text.as_bytes()[..digits]);
    Ok(())
}

/// ACL DRYRUN username command [argument …]
pub fn dryrun(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (name, words) = (arguments[2], &arguments[3..]);
    let quoted = |before: &str, word: &[u8], after: &str| {
        Failure::new([b"ERR ", before.as_bytes(), b" '", word, b"' ", after.as_bytes()].concat())
    };
    let Some(user) = ctx.engine.acl.user(name).cloned() else { return Err(quoted("User", name, "not found")) };
    let not_found = || quoted("Command", words[0], "not found");
    let renamed = renaming::resolve(ctx.engine, words).map_err(|_| not_found())?;
    let words = renamed.as_deref().unwrap_or(words);
    let row = table::resolve(words).ok_or_else(not_found)?;
    if !row.spec.accepts(words.len()) {
        return Err(Failure::new(table::wrong_arity(row.spec)));
    }
    match check::permits(&user, row, words) {
        Ok(()) => ctx.reply.ok(),
        Err(denied) => ctx.reply.bulk(&check::explanation(&user, row, words, denied)),
    }
    Ok(())
}

/// ACL LOG [count | RESET]
pub fn log(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let count = match &arguments[2..] {
        [word] if word.eq_ignore_ascii_case(b"reset") => {
            ctx.engine.acl.log.reset();
            ctx.reply.ok();
            return Ok(());
        }
        [word] => parse::integer(word)?,
        [] => LOG_ENTRIES,
        _ => return Err(bad_subcommand(arguments)),
    };
    let now_ms = ctx.engine.wall_us() / 1000;
    let Engine { acl, .. } = &*ctx.engine;
    let count = usize::try_from(count).unwrap_or(0).min(acl.log.entries().len());
    let reply = &mut ctx.reply;
    reply.array(count);
    for entry in acl.log.entries().take(count) {
        reply.map(10);
        reply.bulk(b"count");
        reply.integer(entry.count as i64);
        let texts: [(&str, &[u8]); 4] = [
            ("reason", entry.denial.reason.name().as_bytes()),
            ("context", entry.denial.context.name().as_bytes()),
            ("object", &entry.denial.object),
            ("username", &entry.denial.username),
        ];
        for (name, text) in texts {
            reply.bulk(name.as_bytes());
            reply.bulk(text);
        }
        reply.bulk(b"age-seconds");
        reply.double(now_ms.saturating_sub(entry.updated_ms) as f64 / 1000.0);
        reply.bulk(b"client-info");
        reply.bulk(entry.client.as_bytes());
        for (name, number) in [
            ("entry-id", entry.id),
            ("timestamp-created", entry.created_ms),
            ("timestamp-last-updated", entry.updated_ms),
        ] {
            reply.bulk(name.as_bytes());
            reply.integer(number as i64);
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
