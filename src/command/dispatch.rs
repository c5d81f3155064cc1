//! The way of a request from its connection to its handler: who may, when, and whether the log has room.

use bytes::Bytes;

use super::acl;
use super::call;
use super::debug;
use super::eviction::{self, Room};
use super::failure::{self, Failure};
use super::key_waits;
use super::migrate;
use super::renaming;
use super::scripting::{self, long, only_reads};
use super::spec::{self, Flags};
use super::table::{self, Row};
use crate::engine::Engine;
use crate::engine::admission::Verdict;
use crate::engine::client::{Client, OwnedCommand, Transaction};

/// Log bytes that each argument may need besides its own.
const BYTES_PER_ARGUMENT: u64 = 32;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered (or is blocked, see [`Client::blocked`]); go on with the next.
    Done,
    /// It was not looked at: the log has no room for it yet. Ask again when woken.
    NoRoom,
    /// It was not looked at: CLIENT PAUSE. Ask again when woken.
    Paused,
}

/// Takes one request.
pub fn request(engine: &mut Engine, client: &mut Client, arguments: &[&[u8]]) -> Outcome {
    // Keys that became ready during a pause have waited for its end.
    key_waits::serve(engine, Some(client));
    match renaming::resolve(engine, arguments) {
        Ok(None) => {}
        Ok(Some(words)) => return request_by_own_name(engine, client, &words),
        Err(failure) => {
            client.last_command = "NULL";
            answer_failure(engine, client, None, &failure);
            return Outcome::Done;
        }
    }
    request_by_own_name(engine, client, arguments)
}

fn request_by_own_name(engine: &mut Engine, client: &mut Client, arguments: &[&[u8]]) -> Outcome {
    let row = match table::admit(arguments) {
        Ok(row) => row,
        Err(text) => {
            let row = table::resolve(arguments);
            client.last_command = row.map_or("NULL", |row| row.spec.name);
            if row.is_none() && is_http(arguments[0]) {
                tracing::warn!(
                    client = client.id,
                    "Possible SECURITY ATTACK detected: POST or Host: instead of a command. The connection was closed."
                );
                client.killed = true;
                return Outcome::Done;
            }
            answer_failure(engine, client, row, &Failure::new(text));
            return Outcome::Done;
        }
    };
    client.last_command = row.spec.name;
    if let Err(failure) = allowed(engine, client, row, arguments) {
        answer_failure(engine, client, Some(row), &failure);
        return Outcome::Done;
    }
    if let Err(failure) = has_memory(engine, client, row, arguments) {
        answer_failure(engine, client, Some(row), &failure);
        return Outcome::Done;
    }
    if engine.tracking.is_on() {
        let pushes = engine.limit_tracking();
        engine.deliver(&pushes, 0, client);
    }
    let queueing = client.transaction.is_some() && !runs_inside_multi(row);
    let writes = writes(client, row, arguments);
    if is_paused(engine, row, writes) && (is_paused(engine, row, false) || !only_reads(engine, row, arguments)) {
        return Outcome::Paused;
    }
    if writes && !queueing {
        match engine.admission.ask(log_cost(client, row, arguments), engine.stream.pending() as u64) {
            Verdict::Admitted => {}
            Verdict::Wait if only_reads(engine, row, arguments) => {}
            Verdict::Wait => return Outcome::NoRoom,
            // What only keeps something for later goes on without.
            Verdict::Refused(_) if !needs_room(client, row, arguments) => {}
            Verdict::Refused(reason) => {
                answer_failure(engine, client, Some(row), &no_room(&reason));
                return Outcome::Done;
            }
        }
    }
    client.commands += 1;
    if queueing {
        queue(engine, client, row, arguments);
    } else {
        call::execute(engine, client, row, arguments);
        key_waits::serve(engine, Some(client));
    }
    Outcome::Done
}

/// Whether the log has room for what a command that waited may add to it.
pub fn has_room(engine: &mut Engine, arguments: &[&[u8]]) -> bool {
    let is_write = table::resolve(arguments).is_some_and(|row| row.spec.flags.has(spec::WRITE));
    !is_write || room_for(engine, arguments) == Verdict::Admitted
}

/// Whether the log has room for this effect.
pub fn room_for(engine: &mut Engine, arguments: &[&[u8]]) -> Verdict {
    engine.admission.ask(cost_of(arguments), engine.stream.pending() as u64)
}

/// Runs a command anew that waited for keys, if it still may.
pub fn again(engine: &mut Engine, client: &mut Client, arguments: &[&[u8]]) {
    let row = table::admit(arguments).expect("what waits was admitted once");
    let admitted = allowed(engine, client, row, arguments).and_then(|()| has_memory(engine, client, row, arguments));
    match admitted {
        Ok(()) => call::execute_anew(engine, client, row, arguments),
        Err(failure) => answer_failure(engine, client, Some(row), &failure),
    }
}

/// How an HTTP request begins: a web page that makes a browser talk to a server on this machine. Such a connection must
/// not get as far as its body.
fn is_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

/// Commands that run at once although a transaction is open.
fn runs_inside_multi(row: &Row) -> bool {
    matches!(row.spec.name, "exec" | "discard" | "multi" | "watch" | "quit" | "reset")
}

/// Whether a connection listens to something and speaks RESP2, where a reply cannot be told from a message.
pub fn listens_only(client: &Client) -> bool {
    !client.resp3 && !client.subscriptions.is_empty()
}

fn is_allowed_while_listening(row: &Row) -> bool {
    row.spec.name.ends_with("subscribe") || matches!(row.spec.name, "ping" | "quit" | "reset")
}

fn allowed(engine: &mut Engine, client: &Client, row: &Row, arguments: &[&[u8]]) -> Result<(), Failure> {
    let has = |flag: Flags| row.spec.flags.has(flag);
    if row.spec.name == "debug" {
        debug::allowed(engine, client)?;
    }
    if engine.needs_password(client) && !has(spec::NO_AUTH) {
        return Err(failure::NO_AUTH);
    }
    if has(spec::NO_MULTI) && client.transaction.is_some() {
        return Err("ERR Command not allowed inside a transaction".into());
    }
    acl::check::admit(engine, client, row, arguments)?;
    if listens_only(client) && !is_allowed_while_listening(row) {
        let text = "only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
        return Err(Failure::new(format!("ERR Can't execute '{}': {text}", row.spec.name)));
    }
    if !has(spec::ALLOW_BUSY)
        && let Some(refusal) = long::refusal(engine)
    {
        return Err(refusal);
    }
    let queue_needs_data =
        row.spec.name == "exec" && client.transaction.as_ref().is_some_and(|transaction| transaction.needs_data);
    let needs_data = !has(spec::LOADING) || is_debug_write(row, arguments) || queue_needs_data;
    if engine.loading.is_some() && needs_data {
        return Err(failure::LOADING);
    }
    if client.transaction.is_some() && row.spec.name == "migrate" {
        return Err(migrate::IN_TRANSACTION);
    }
    if client.monitors && (has(spec::WRITE) || has(spec::READONLY) || has(spec::MAY_REPLICATE)) {
        return Err("ERR Replica can't interact with the keyspace".into());
    }
    if engine.refuses_for_snapshots() {
        let queued = client.transaction.as_ref().filter(|_| row.spec.name == "exec");
        if has(spec::WRITE) || row.spec.name == "ping" || queued.is_some_and(|transaction| transaction.writes) {
            return Err(failure::SNAPSHOT_FAILED);
        }
    }
    if has(spec::WRITE) { has_replicas(engine) } else { Ok(()) }
}

/// Evicts what has to go before a command runs; an error if that is not enough and the command may need more memory.
fn has_memory(engine: &mut Engine, client: &Client, row: &Row, arguments: &[&[u8]]) -> Result<(), Failure> {
    if engine.config.maxmemory() == 0 || engine.scripts.busy.is_some() {
        return Ok(());
    }
    let full = eviction::make_room(engine) == Room::None;
    engine.scripts.out_of_memory = full;
    let queued = client.transaction.as_ref().filter(|_| row.spec.name == "exec");
    let is_refused = full
        && match queued {
            Some(transaction) => transaction.needs_memory,
            None => needs_memory(engine, row, arguments),
        };
    if is_refused { Err(eviction::OUT_OF_MEMORY) } else { Ok(()) }
}

/// Whether a command may need more memory than it gives back.
fn needs_memory(engine: &Engine, row: &Row, arguments: &[&[u8]]) -> bool {
    row.spec.flags.has(spec::DENYOOM) || scripting::needs_memory(engine, row, arguments)
}

/// Whether the settings let a write through now.
pub fn may_write(engine: &Engine) -> Result<(), Failure> {
    if engine.refuses_for_snapshots() {
        return Err(failure::SNAPSHOT_FAILED);
    }
    has_replicas(engine)
}

fn has_replicas(engine: &Engine) -> Result<(), Failure> {
    if engine.config.min_replicas_to_write() > 0 && engine.config.min_replicas_max_lag() > 0 {
        return Err("NOREPLICAS Not enough good replicas to write.".into());
    }
    Ok(())
}

/// What a write is told that the log has no room for.
pub fn no_room(reason: &str) -> Failure {
    Failure::new(format!("MISCONF Errors writing to the AOF file: {reason}"))
}

fn is_debug_write(row: &Row, arguments: &[&[u8]]) -> bool {
    row.spec.name == "debug" && debug::log_cost(arguments).is_some()
}

/// Whether the command, or for EXEC any queued one, may add to the log.
fn writes(client: &Client, row: &Row, arguments: &[&[u8]]) -> bool {
    let flags = row.spec.flags;
    flags.has(spec::WRITE)
        || flags.has(spec::MAY_REPLICATE)
        || is_debug_write(row, arguments)
        || (row.spec.name == "exec" && client.transaction.as_ref().is_some_and(|transaction| transaction.writes))
}

/// Whether a command that may add to the log has to.
fn needs_room(client: &Client, row: &Row, arguments: &[&[u8]]) -> bool {
    let is_write = |row: &Row, arguments: &[&[u8]]| row.spec.flags.has(spec::WRITE) || is_debug_write(row, arguments);
    let queued = client.transaction.as_ref().filter(|_| row.spec.name == "exec");
    let mut queued = queued.iter().flat_map(|transaction| &transaction.queue);
    is_write(row, arguments)
        || queued.any(|command| {
            let words: Vec<&[u8]> = command.iter().map(Bytes::as_ref).collect();
            table::resolve(&words).is_some_and(|row| is_write(row, &words))
        })
}

fn is_paused(engine: &Engine, row: &Row, writes: bool) -> bool {
    match engine.pause_now() {
        None => false,
        Some(pause) => (writes || !pause.writes_only) && row.spec.name != "client|unpause",
    }
}

fn log_cost(client: &Client, row: &Row, arguments: &[&[u8]]) -> u64 {
    match &client.transaction {
        Some(transaction) if row.spec.name == "exec" => transaction.log_cost(),
        _ => cost_of(arguments),
    }
}

fn cost_of(arguments: &[&[u8]]) -> u64 {
    let own: u64 = arguments.iter().map(|argument| argument.len() as u64 + BYTES_PER_ARGUMENT).sum();
    let made = if arguments[0].eq_ignore_ascii_case(b"debug") { debug::log_cost(arguments).unwrap_or(0) } else { 0 };
    own.saturating_add(4 * BYTES_PER_ARGUMENT).saturating_add(made)
}

impl Transaction {
    /// The most that the queued commands may add to the log.
    fn log_cost(&self) -> u64 {
        let cost = |command: &OwnedCommand| cost_of(&command.iter().map(Bytes::as_ref).collect::<Vec<&[u8]>>());
        self.queue.iter().map(cost).fold(0, u64::saturating_add)
    }
}

fn queue(engine: &mut Engine, client: &mut Client, row: &Row, arguments: &[&[u8]]) {
    let (writes, needs_memory) = (writes(client, row, arguments), needs_memory(engine, row, arguments));
    let transaction = client.transaction.as_mut().expect("only an open transaction queues");
    // What EXEC will not run needs no memory.
    if !transaction.aborted && !client.watch_broken {
        let keep = |argument: &&[u8]| engine.stream.lent(argument).unwrap_or_else(|| Bytes::copy_from_slice(argument));
        transaction.queue.push(arguments.iter().map(keep).collect());
        transaction.writes |= writes;
        transaction.needs_data |= !row.spec.flags.has(spec::LOADING) || is_debug_write(row, arguments);
        transaction.needs_memory |= needs_memory;
        transaction.runs_scripts |= long::is_script(row);
        transaction.arguments += arguments.len();
        transaction.bytes += arguments.iter().map(|argument| argument.len()).sum::<usize>();
    }
    call::answer(engine, client, |ctx| ctx.reply.simple("QUEUED"));
}

/// Answers with an error that came before execution; inside MULTI, it makes EXEC abort.
fn answer_failure(engine: &mut Engine, client: &mut Client, row: Option<&Row>, failure: &Failure) {
    if let Some(transaction) = &mut client.transaction {
        transaction.aborted = true;
    }
    let is_exec = row.is_some_and(|row| row.spec.name == "exec");
    if is_exec {
        client.transaction = None;
        engine.watches.unwatch_all(client);
    }
    call::answer(engine, client, |ctx| match row {
        Some(row) if is_exec => {
            let text = [b"EXECABORT Transaction discarded because of: ", without_code(failure.text())].concat();
            call::refuse(ctx, row, &Failure::new(text));
        }
        Some(row) => call::refuse(ctx, row, failure),
        None => call::fail(ctx, failure),
    });
}

/// An error text without `ERR `, as it is quoted inside another.
fn without_code(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"ERR ").unwrap_or(text)
}
