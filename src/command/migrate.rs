//! MIGRATE: keys go to another server, and are deleted here when it has said that it has them.
//!
//! Unlike Redis', it stalls nobody: [`migrate`] serializes the keys and lets its client wait; the client's connection
//! sends them (`server/migrate.rs`), and [`finish`] runs the command a second time, to delete what the target has and to
//! answer. Both are units of their own. Meanwhile others may change the keys, so what is deleted is only what still is as
//! it was sent: an acknowledgement for a value never deletes another one.

use std::collections::HashSet;
use std::task::Waker;
use std::time::Duration;

use bytes::Bytes;

use super::failure::{self, Failure};
use super::key_positions::KeyPosition;
use super::spec::{ACCESS, Access, DELETE, RW};
use super::{Ctx, call, dispatch, dump, key_waits, parse, table};
use crate::engine::Engine;
use crate::engine::admission::Verdict;
use crate::engine::client::{Blocked, BlockedOn, Client};
use crate::engine::gate::Gate;
use crate::engine::migration::{Errand, Migration, Outcome, Requests, SentKey, Stage, Trouble};
use crate::keyspace::{self, Entry};

/// In a transaction no reply can wait. Said when the command is queued, so that nothing of the transaction is executed.
pub const IN_TRANSACTION: Failure =
    Failure::fixed("ERR MIGRATE waits for another server, which it cannot do inside a transaction");
const KEY_AND_KEYS: Failure =
    Failure::fixed("ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");
const OWN_DATABASE: Failure =
    Failure::fixed("ERR the target of MIGRATE is this very server and database: nothing was deleted");

/// If the timeout is not positive.
const DEFAULT_TIMEOUT_MS: u64 = 1000;
/// No step waits longer, whatever was asked for: a year.
const MAX_TIMEOUT_MS: u64 = 365 * 24 * 3600 * 1000;
/// How much of a name an error shows.
const SHOWN: usize = 128;

/// What MIGRATE is asked for.
struct Asked<'a> {
    keys: &'a [&'a [u8]],
    target_db: i64,
    timeout: Duration,
    copy: bool,
    replace: bool,
    user: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
}

impl<'a> Asked<'a> {
    fn parse(arguments: &'a [&'a [u8]]) -> Result<Self, Failure> {
        let mut asked = Self {
            keys: &arguments[3..4],
            target_db: 0,
            timeout: Duration::ZERO,
            copy: false,
            replace: false,
            user: None,
            password: None,
        };
        let mut words = &arguments[6..];
        loop {
            let is = |option: &str| words[0].eq_ignore_ascii_case(option.as_bytes());
            words = match words {
                [] => break,
                [_, rest @ ..] if is("COPY") => {
                    asked.copy = true;
                    rest
                }
                [_, rest @ ..] if is("REPLACE") => {
                    asked.replace = true;
                    rest
                }
                [_, password, rest @ ..] if is("AUTH") => {
                    asked.password = Some(password);
                    rest
                }
                [_, user, password, rest @ ..] if is("AUTH2") => {
                    (asked.user, asked.password) = (Some(*user), Some(*password));
                    rest
                }
                [_, keys @ ..] if is("KEYS") => {
                    if !arguments[3].is_empty() {
                        return Err(KEY_AND_KEYS);
                    }
                    asked.keys = keys;
                    break;
                }
                _ => return Err(failure::SYNTAX),
            };
        }
        let timeout_ms = parse::integer(arguments[5])?;
        asked.target_db = parse::integer(arguments[4])?;
        let timeout_ms = u64::try_from(timeout_ms).ok().filter(|ms| *ms > 0).unwrap_or(DEFAULT_TIMEOUT_MS);
        asked.timeout = Duration::from_millis(timeout_ms.min(MAX_TIMEOUT_MS));
        Ok(asked)
    }

    /// AUTH and SELECT.
    fn opening(&self) -> Requests {
        let mut opening = Requests::default();
        match (self.user, self.password) {
            (Some(user), Some(password)) => opening.add(&[b"AUTH", user, password], None),
            (None, Some(password)) => opening.add(&[b"AUTH", password], None),
            _ => {}
        }
        opening.add(&[b"SELECT", itoa::Buffer::new().format(self.target_db).as_bytes()], None);
        opening
    }
}

/// MIGRATE host port key|"" destination-db timeout [COPY] [REPLACE] [AUTH password | AUTH2 username password]
/// [KEYS key [key …]]
pub fn migrate(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    if let Some(migration) = ctx.client.migration.take() {
        return end(ctx, *migration);
    }
    let asked = Asked::parse(arguments)?;
    if !ctx.may_block() {
        return Err(IN_TRANSACTION);
    }
    let (compress, now_ms) = (ctx.engine.config.rdbcompression(), ctx.now_ms() as i64);
    let (mut keys, mut restores) = (Vec::new(), Requests::default());
    for key in asked.keys {
        let Some(entry) = ctx.read(key) else { continue };
        let expires_ms = entry.expiry();
        // What stays here is not compared, and the digest of a collection takes its time.
        let digest = if asked.copy { 0 } else { entry.digest() };
        let payload = Bytes::from(dump::payload(entry, compress)?);
        let mut digits = itoa::Buffer::new();
        let ttl = digits.format(expires_ms.map_or(0, |at| (at - now_ms).max(1)));
        let words: [&[u8]; 5] = [b"RESTORE", key, ttl.as_bytes(), &payload, b"REPLACE"];
        restores.add(&words[..if asked.replace { 5 } else { 4 }], Some(&payload));
        keys.push(SentKey { name: Box::from(*key), expires_ms, digest });
    }
    if keys.is_empty() {
        ctx.reply.simple("NOKEY");
        return Ok(());
    }
    let errand = Errand {
        host: arguments[1].to_vec(),
        // Nobody listens on port 0, and so on what is none.
        port: std::str::from_utf8(arguments[2]).ok().and_then(|port| port.parse().ok()).unwrap_or(0),
        timeout: asked.timeout,
        // As a client does, the target learns nothing that a crash could take back.
        ticket: Gate::ticket(ctx.reveals, ctx.level()),
        opening: asked.opening(),
        restores,
    };
    let migration = Migration {
        words: arguments.iter().map(|word| Box::from(*word)).collect(),
        keys,
        copy: asked.copy,
        target_db: asked.target_db,
        stage: Stage::Asked(errand),
    };
    ctx.client.migration = Some(Box::new(migration));
    ctx.client.blocked = Some(Blocked { on: BlockedOn::Migration, deadline_us: None });
    Ok(())
}

/// Ends the command of a client whose migration is over, as soon as it may write. Answers whether it is ended; if not,
/// `waker` is woken when to ask again.
pub fn finish(engine: &mut Engine, client: &mut Client, waker: &Waker) -> bool {
    // Whoever waits is woken when the data are there again; when the server stops, it stays with what was.
    // So is it when a script is over that was laid aside.
    if engine.stopping || engine.loading.is_some() || engine.scripts.busy.is_some() {
        return false;
    }
    if engine.pause_now().is_some() {
        engine.paused.push(waker.clone());
        return false;
    }
    let Some(Migration { keys, copy, stage: Stage::Over(outcome), .. }) = client.migration.as_deref_mut() else {
        return false;
    };
    let mut effect: Vec<&[u8]> = vec![b"UNLINK"];
    if !*copy {
        let taken = keys.iter().zip(&outcome.taken).filter(|(_, taken)| **taken);
        effect.extend(taken.map(|(key, _)| &*key.name));
    }
    match dispatch::room_for(engine, &effect) {
        Verdict::Admitted => {}
        Verdict::Wait => {
            engine.admission.wait(waker);
            return false;
        }
        Verdict::Refused(reason) => outcome.no_room = Some(reason),
    }
    client.blocked = None;
    let row = table::command(b"migrate").expect("it is a row of the table");
    let words = client.migration.as_mut().map(|migration| std::mem::take(&mut migration.words)).unwrap_or_default();
    let words: Vec<&[u8]> = words.iter().map(|word| &**word).collect();
    call::execute_anew(engine, client, row, &words);
    key_waits::serve(engine, Some(client));
    true
}

fn end(ctx: &mut Ctx<'_>, migration: Migration) -> Result<(), Failure> {
    let Migration { keys, copy, target_db, stage, .. } = migration;
    let Stage::Over(outcome) = stage else { return Err("ERR the migration was given up".into()) };
    let Outcome { taken, trouble, is_own, no_room } = outcome;
    let is_itself = is_own && usize::try_from(target_db) == Ok(ctx.client.db);
    let taken = keys.iter().zip(taken).filter(|(_, taken)| *taken).map(|(key, _)| key);
    let changed = if copy || is_itself || no_room.is_some() { Vec::new() } else { delete(ctx, taken) };
    if let Some(trouble) = trouble {
        return Err(trouble.into());
    }
    if copy {
        ctx.reply.ok();
        return Ok(());
    }
    if let Some(reason) = no_room {
        return Err(Failure::new(format!(
            "MISCONF Errors writing to the AOF file: {reason}. The keys are on the target, and still here"
        )));
    }
    if is_itself {
        return Err(OWN_DATABASE);
    }
    match changed.split_first() {
        None => ctx.reply.ok(),
        Some((first, others)) => return Err(was_changed(ctx, first, others.len())),
    }
    Ok(())
}

/// Deletes the keys that still are as they were sent; answers the others.
fn delete<'a>(ctx: &mut Ctx<'_>, keys: impl Iterator<Item = &'a SentKey>) -> Vec<&'a [u8]> {
    let lazy = ctx.engine.config.lazyfree_lazy_server_del();
    let mut effect: Vec<&[u8]> = vec![if lazy { b"UNLINK" } else { b"DEL" }];
    let (mut seen, mut changed) = (HashSet::new(), Vec::new());
    let now_ms = ctx.now_ms() as i64;
    for key in keys {
        // A key may have been named twice.
        if !seen.insert(&key.name) {
            continue;
        }
        let name = &*key.name;
        match ctx.write(name).map(Entry::digest) {
            Some(digest) if digest == key.digest => {
                if let Some(entry) = ctx.db().remove(keyspace::hash(name), name) {
                    ctx.discard(entry, lazy);
                }
                ctx.modified(name);
                ctx.event("del", name);
                effect.push(name);
            }
            // It has expired here, and will there.
            None if key.expires_ms.is_some_and(|at| at <= now_ms) => {}
            _ => changed.push(name),
        }
    }
    if effect.len() > 1 {
        ctx.effect(&effect);
    }
    changed
}

fn was_changed(ctx: &mut Ctx<'_>, name: &[u8], others: usize) -> Failure {
    let is_here = ctx.write(name).is_some();
    let (what, where_now) = if is_here { ("changed", "still here") } else { ("deleted", "no longer here") };
    let shown = name[..name.len().min(SHOWN)].escape_ascii();
    let others = if others > 0 { format!(" (and {others} more changed or deleted)") } else { String::new() };
    Failure::new(format!(
        "ERR the key '{shown}' was {what} while it was migrated: it is on the target as it was, and {where_now}{others}"
    ))
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Refused(text) => Self::new([&b"ERR Target instance replied with error: "[..], &text].concat()),
            Trouble::Connecting => "IOERR error or timeout connecting to the client".into(),
            Trouble::Writing => "IOERR error or timeout writing to target instance".into(),
            Trouble::Reading => "IOERR error or timeout reading to target instance".into(),
            Trouble::Nonsense(bytes) => Self::new(format!(
                "IOERR target instance replied with something that is no answer: {}",
                bytes[..bytes.len().min(SHOWN)].escape_ascii()
            )),
        }
    }
}

/// The keys: one, or those behind KEYS.
pub fn find_keys(argv: &[&[u8]]) -> Option<Vec<KeyPosition>> {
    let access = Access::all(&[RW, ACCESS, DELETE]);
    let mut at = 6;
    while let Some(word) = argv.get(at) {
        let is = |option: &str| word.eq_ignore_ascii_case(option.as_bytes());
        if is("KEYS") {
            // A key beside them is an error.
            let keys = if argv[3].is_empty() { at + 1..argv.len() } else { 0..0 };
            return Some(keys.map(|at| KeyPosition { at, access }).collect());
        }
        at += if is("AUTH2") {
            3
        } else if is("AUTH") {
            2
        } else {
            1
        };
    }
    Some(vec![KeyPosition { at: 3, access }])
}

#[cfg(test)]
#[path = "migrate_tests.rs"]
mod tests;
