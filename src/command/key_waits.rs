//! Commands that wait for keys: BLPOP and its like.
//!
//! A handler looks at its keys first. If they have nothing for it and [`Ctx::may_block`], it calls [`wait_for_keys`]; else
//! it answers that there is nothing. [`serve`] runs it anew when one of the keys may have what it wants: it then answers,
//! fails, or waits again, as it would if the client had sent it at that moment.
//!
//! [`serve`] is called after each unit, before any other command. So connections are served in the order in which they
//! began to wait, keys in that in which they became ready, and nobody can come in between, unless a pause or a full disk
//! lets the keys stay ready for later. What a served command does is a unit of its own, whose effects and reply are those
//! of its handler.

use bytes::Bytes;

use super::{Ctx, dispatch};
use crate::engine::Engine;
use crate::engine::blocked_keys::{self, KeyWait};
use crate::engine::client::{Blocked, BlockedOn, Client, ClientId, OwnedCommand, Peer};
use crate::keyspace::{self, Kind};

/// What a command waits for, and how long.
pub struct Wait<'a> {
    /// The keys, any of which will do.
    pub keys: &'a [&'a [u8]],
    /// The type of their values.
    pub kind: Kind,
    /// Whether to run the command anew as well when a key is deleted or changes its type.
    pub ends_when_gone: bool,
    /// In milliseconds; 0 for ever.
    pub timeout_ms: u64,
}

impl Ctx<'_> {
    /// Whether the command may wait: a transaction, and the effect stream, go on at once.
    pub fn may_block(&self) -> bool {
        !self.in_transaction() && !self.is_applying()
    }
}

/// Lets the client wait for a key of this type, if it may; else it is answered that there is none.
pub fn wait_or_nothing(ctx: &mut Ctx<'_>, kind: Kind, keys: &[&[u8]], timeout_ms: u64, command: &[&[u8]]) {
    if ctx.may_block() {
        wait_for_keys(ctx, &Wait { keys, kind, ends_when_gone: false, timeout_ms }, command);
    } else {
        ctx.reply.null_array();
    }
}

/// Lets the client wait. `command` is what runs when a key is ready, mostly the client's own words.
pub fn wait_for_keys(ctx: &mut Ctx<'_>, wait: &Wait<'_>, command: &[&[u8]]) {
    debug_assert!(ctx.may_block(), "who must not wait was answered");
    let wait_for = KeyWait {
        db: ctx.client.db,
        keys: wait.keys.iter().map(|key| Box::from(*key)).collect(),
        kind: wait.kind,
        ends_when_gone: wait.ends_when_gone,
        command: command.iter().map(|word| Bytes::copy_from_slice(word)).collect(),
    };
    ctx.engine.blocked_keys.block(ctx.client.id, wait_for);
    let now_us = ctx.engine.monotonic_us();
    let deadline_us = (wait.timeout_ms > 0).then(|| now_us.saturating_add(wait.timeout_ms.saturating_mul(1000)));
    ctx.client.blocked = Some(Blocked { on: BlockedOn::Keys, deadline_us });
}

/// Serves who waits for keys that have become ready. `current` is the connection that is out, if one is: meanwhile it is
/// one of the others, who may watch what is changed.
#[inline]
pub fn serve(engine: &mut Engine, current: Option<&mut Client>) {
    // A script that is laid aside may have begun what is not over.
    if !engine.blocked_keys.has_ready() || engine.scripts.busy.is_some() {
        return;
    }
    let Some(current) = current else { return serve_ready(engine) };
    let id = current.id;
    let stand_in = Client::new(id, Peer::default(), 0);
    engine.clients.put(Box::new(std::mem::replace(current, stand_in)));
    serve_ready(engine);
    *current = *engine.clients.take(id);
}

fn serve_ready(engine: &mut Engine) {
    // A pause holds these commands like those that are sent now; the keys stay ready until it ends.
    if engine.pause_now().is_some() {
        return;
    }
    while let Some(place) = engine.blocked_keys.next_ready() {
        // Whoever waits again, because there was nothing in it after all, is not asked a second time.
        let end = engine.blocked_keys.next_turn();
        let mut from = 0;
        while let Some((turn, client)) = engine.blocked_keys.waiter(&place, from).filter(|(turn, _)| *turn < end) {
            from = turn + 1;
            let kind = blocked_keys::kind_at(&engine.dbs, engine.now_ms(), place.0, &place.1);
            if kind.is_none() && !engine.blocked_keys.is_awaited_gone(&place) {
                break;
            }
            let wait = engine.blocked_keys.get(client);
            let Some(wait) = wait.filter(|wait| wait.ends_when_gone || Some(wait.kind) == kind) else { continue };
            let command = wait.command.clone();
            let words: Vec<&[u8]> = command.iter().map(Bytes::as_ref).collect();
            if !dispatch::has_room(engine, &words) {
                // The key stays ready until the log has room: what one push lets others do may be any amount.
                return engine.blocked_keys.ready_again(place);
            }
            run_anew(engine, client, &words);
        }
    }
}

fn run_anew(engine: &mut Engine, id: ClientId, words: &[&[u8]]) {
    // One that was killed is gone, although its task has not noticed yet: nothing is taken for it.
    if engine.clients.get(id).is_none_or(|client| client.killed) {
        return;
    }
    let mut client = engine.clients.take(id);
    engine.blocked_keys.remove(id);
    let deadline_us = client.blocked.take().and_then(|blocked| blocked.deadline_us);
    dispatch::again(engine, &mut client, words);
    if let Some(blocked) = &mut client.blocked {
        blocked.deadline_us = deadline_us;
    }
    client.wake();
    engine.clients.put(client);
}

/// The connection waits no more: it ends, or is answered otherwise. Answers the command that waited, and the offset that an
/// answer which says that there was nothing reveals.
pub fn forget(engine: &mut Engine, client: &Client) -> Option<(OwnedCommand, u64)> {
    let wait = engine.blocked_keys.remove(client.id)?;
    let last_changes = wait.keys.iter().map(|key| engine.gate.last_change(wait.db, keyspace::hash(key)));
    let reveals = last_changes.max().unwrap_or(0);
    Some((wait.command, reveals))
}

#[cfg(test)]
#[path = "key_waits_tests.rs"]
mod tests;
