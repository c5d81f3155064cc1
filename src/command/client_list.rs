//! CLIENT LIST and CLIENT INFO: one line a connection, with Redis' fields in Redis' order.

use std::fmt::Write;

use super::failure::SYNTAX;
use super::tracking::redirection;
use super::{Ctx, Failure};
use crate::base::number;
use crate::engine::Engine;
use crate::engine::client::{Client, ClientId};
use crate::engine::pubsub::Kind;

/// Redis keeps up to this many bytes of replies in a buffer of the connection, and what is more in a list of such blocks.
/// The figures are shown as if it were so here, for tools watch them.
const REPLY_BLOCK: usize = 16 * 1024;

/// The kind of a connection, by which CLIENT LIST and KILL choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// It sends commands.
    Normal,
    /// This server's primary.
    Primary,
    /// A replica of this server.
    Replica,
    /// It has subscribed to something.
    Pubsub,
}

impl Type {
    /// The kind of that name, or the error for it.
    pub fn from_name(name: &[u8]) -> Result<Self, Failure> {
        match name.to_ascii_lowercase().as_slice() {
            b"normal" => Ok(Self::Normal),
            b"master" => Ok(Self::Primary),
            b"slave" | b"replica" => Ok(Self::Replica),
            b"pubsub" => Ok(Self::Pubsub),
            _ => Err(Failure::new([b"ERR Unknown client type '", name, b"'"].concat())),
        }
    }

    /// The kind of this connection: there are no replicas.
    pub fn of(client: &Client) -> Self {
        if client.subscriptions.is_empty() { Self::Normal } else { Self::Pubsub }
    }
}

/// CLIENT INFO
pub fn info(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let line = own_line(ctx, arguments);
    ctx.reply.verbatim("txt", line.as_bytes());
    Ok(())
}

/// CLIENT LIST [TYPE type | ID client-id …]
pub fn list(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let wanted = match &arguments[2..] {
        [] => Wanted::All,
        [option, name] if option.eq_ignore_ascii_case(b"type") => Wanted::Type(Type::from_name(name)?),
        [option, ids @ ..] if option.eq_ignore_ascii_case(b"id") && !ids.is_empty() => Wanted::Ids(read_ids(ids)?),
        _ => return Err(SYNTAX),
    };
    let own = own_line(ctx, arguments);
    let mut text = String::new();
    let engine = &*ctx.engine;
    let now_us = engine.monotonic_us();
    let own_id = ctx.client.id;
    match wanted {
        Wanted::All | Wanted::Type(_) => {
            let is_wanted = |client: &Client| match wanted {
                Wanted::Type(kind) => Type::of(client) == kind,
                _ => true,
            };
            let mut own = Some(own).filter(|_| is_wanted(ctx.client));
            for client in engine.clients.iter().filter(|client| !client.killed && is_wanted(client)) {
                if client.id > own_id {
                    text.extend(own.take());
                }
                write_line(&mut text, client, now_us, &Hand::empty(client));
            }
            text.extend(own);
        }
        Wanted::Ids(ids) => {
            for id in ids {
                if id == own_id {
                    text.push_str(&own);
                } else if let Some(client) = engine.clients.get(id).filter(|client| !client.killed) {
                    write_line(&mut text, client, now_us, &Hand::empty(client));
                }
            }
        }
    }
    ctx.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

enum Wanted {
    All,
    Type(Type),
    Ids(Vec<ClientId>),
}

fn read_ids(words: &[&[u8]]) -> Result<Vec<ClientId>, Failure> {
    let read = |word: &&[u8]| number::parse_i64(word).ok_or_else(|| Failure::from("ERR Invalid client ID"));
    let ids = words.iter().map(read).collect::<Result<Vec<i64>, Failure>>()?;
    Ok(ids.into_iter().filter_map(|id| ClientId::try_from(id).ok()).collect())
}

/// What a connection has in hand.
struct Hand {
    /// Bytes of the request that runs.
    arguments: usize,
    /// Replies that were not sent yet.
    backlog: usize,
    /// Memory for replies.
    replies: usize,
    /// Whether it waits until it can send.
    sends: bool,
}

impl Hand {
    /// That of a connection whose request does not run.
    fn empty(client: &Client) -> Self {
        let backlog = client.output.backlog();
        Self { arguments: 0, backlog, replies: client.output.memory(), sends: backlog > 0 }
    }
}

/// The line of the connection that asks: its request is in hand, and its replies are with the command. It looks whether
/// it can send only after that.
fn own_line(ctx: &Ctx<'_>, arguments: &[&[u8]]) -> String {
    let mut line = String::new();
    let request = if ctx.in_transaction() { &[b"EXEC" as &[u8]] } else { arguments };
    let hand = Hand {
        arguments: request.iter().map(|argument| argument.len()).sum(),
        backlog: ctx.client.output.backlog_of(ctx.reply.len()),
        replies: ctx.client.output.memory() + ctx.reply.capacity(),
        sends: false,
    };
    write_line(&mut line, ctx.client, ctx.engine.monotonic_us(), &hand);
    line
}

/// The line of a connection that is out, or not.
pub fn line(engine: &Engine, client: &Client) -> String {
    let mut line = String::new();
    write_line(&mut line, client, engine.monotonic_us(), &Hand::empty(client));
    line.trim_end().to_owned()
}

fn write_line(to: &mut String, client: &Client, now_us: u64, hand: &Hand) {
    let seconds_since = |at_us: u64| now_us.saturating_sub(at_us) / 1_000_000;
    let waiting = client.transaction.as_ref().map(|transaction| (transaction.queue.len(), transaction.memory()));
    let (queued, queued_bytes) = match waiting.or(client.executing) {
        Some((queued, bytes)) => (queued as i64, bytes),
        None => (-1, 0),
    };
    let (query, query_free) = client.query_buffer;
    let in_buffer = hand.backlog.min(REPLY_BLOCK);
    let in_list = hand.backlog - in_buffer;
    // The buffer is as large as the most that it has held since it last shrank.
    let buffer = hand.replies.min(REPLY_BLOCK);
    let memory = client.memory_besides() + hand.replies + hand.arguments;
    let written = writeln!(
        to,
        "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} ssub={} multi={queued} \
         qbuf={query} qbuf-free={query_free} argv-mem={} multi-mem={queued_bytes} rbs={buffer} rbp={buffer} \
         obl={in_buffer} oll={} omem={in_list} tot-mem={memory} events={} cmd={} user={} redir={} \
         resp={} lib-name={} lib-ver={}",
        client.id,
        client.peer.address,
        client.peer.local_address,
        client.peer.descriptor,
        String::from_utf8_lossy(&client.name),
        seconds_since(client.created_us),
        seconds_since(client.active_us),
        flags(client),
        client.db,
        client.subscriptions.count(Kind::Channel),
        client.subscriptions.count(Kind::Pattern),
        client.subscriptions.count(Kind::Shard),
        hand.arguments,
        in_list.div_ceil(REPLY_BLOCK),
        if hand.sends { "rw" } else { "r" },
        client.last_command,
        client.user.as_ref().map_or("(superuser)".into(), |user| String::from_utf8_lossy(&user.name)),
        redirection(client),
        if client.resp3 { 3 } else { 2 },
        String::from_utf8_lossy(&client.lib_name),
        String::from_utf8_lossy(&client.lib_version),
    );
    written.expect("writing to a String cannot fail");
}

/// The letters of `flags=`, in Redis' order.
fn flags(client: &Client) -> String {
    let letters = [
        ('O', client.monitors),
        ('P', !client.subscriptions.is_empty()),
        ('x', client.transaction.is_some() || client.executing.is_some()),
        ('b', client.blocked.is_some()),
        ('t', client.tracking.is_some()),
        ('R', client.tracking.as_ref().is_some_and(|tracker| tracker.is_broken)),
        ('B', client.tracking.as_ref().is_some_and(|tracker| tracker.mode.broadcasts)),
        ('d', client.watch_broken),
        ('c', client.close_after_reply),
        ('U', client.peer.is_unix),
        ('e', client.no_evict),
        ('T', client.no_touch),
    ];
    let set: String = letters.iter().filter(|(_, set)| *set).map(|(letter, _)| *letter).collect();
    if set.is_empty() { "N".into() } else { set }
}
