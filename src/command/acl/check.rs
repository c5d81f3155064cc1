//! Whether a user may run a command on its keys and channels. Dispatch asks before each command, scripts before each that
//! they call, EXEC once more for each in its queue.

use crate::command::key_positions::{self, KeyPosition};
use crate::command::spec::{ACCESS, DELETE, Flags, INSERT, NO_AUTH, UPDATE};
use crate::command::table::Row;
use crate::command::{Ctx, Failure, client_list};
use crate::engine::Engine;
use crate::engine::acl::{Context, Denial, Reason, Selector, Use, User};
use crate::engine::client::Client;

/// What is not allowed: the place among the words of the command, key or channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What is missing.
    pub reason: Reason,
    /// The place.
    pub at: usize,
}

/// Channels that a command publishes to or subscribes to.
fn channels(row: &Row, words: usize) -> Option<(std::ops::Range<usize>, bool)> {
    match row.spec.name {
        "publish" | "spublish" => Some((1..2, false)),
        "subscribe" | "ssubscribe" => Some((1..words, false)),
        "psubscribe" => Some((1..words, true)),
        _ => None,
    }
}

fn used(position: &KeyPosition) -> Use {
    let writes = [INSERT, DELETE, UPDATE].into_iter().any(|access| position.access.has(access));
    Use { reads: position.access.has(ACCESS), writes }
}

/// What of a request this selector does not allow.
fn refuses(selector: &Selector, row: &Row, words: &[&[u8]]) -> Option<Denied> {
    let flags: Flags = row.spec.flags;
    if !selector.all_commands && !flags.has(NO_AUTH) && !selector.commands.has(row.id) {
        let first = words.get(if row.container.is_some() { 2 } else { 1 });
        let allowed = selector.first_arguments.get(&row.id).zip(first);
        if !allowed.is_some_and(|(known, first)| known.iter().any(|known| known.eq_ignore_ascii_case(first))) {
            return Some(Denied { reason: Reason::Command, at: 0 });
        }
    }
    if !selector.all_keys && key_positions::has_keys(row.spec) {
        let keys = key_positions::keys_of(row.spec, words).unwrap_or_default();
        let denied =
            keys.iter().find(|key| words.get(key.at).is_some_and(|word| !selector.allows_key(word, used(key))));
        if let Some(key) = denied {
            return Some(Denied { reason: Reason::Key, at: key.at });
        }
    }
    if !selector.all_channels
        && let Some((mut places, is_pattern)) = channels(row, words.len())
    {
        let denied = places.find(|at| words.get(*at).is_some_and(|word| !selector.allows_channel(word, is_pattern)));
        return denied.map(|at| Denied { reason: Reason::Channel, at });
    }
    None
}

/// How far a selector got before it refused: that of the one that got furthest is told.
fn depth(denied: &Denied) -> (u8, usize) {
    let depth = match denied.reason {
        Reason::Command => 1,
        Reason::Key => 2,
        Reason::Auth => 3,
        Reason::Channel => 4,
    };
    (depth, denied.at)
}

/// Whether a user may run this request, whose arity was checked.
pub fn permits(user: &User, row: &Row, words: &[&[u8]]) -> Result<(), Denied> {
    if user.is_unlimited {
        return Ok(());
    }
    let mut furthest: Option<Denied> = None;
    for selector in &user.selectors {
        let Some(denied) = refuses(selector, row, words) else { return Ok(()) };
        if furthest.as_ref().is_none_or(|known| depth(&denied) > depth(known)) {
            furthest = Some(denied);
        }
    }
    Err(furthest.expect("a user has a selector"))
}

/// Whether a user may run a command on keys that its words do not name: those that SORT makes of patterns.
pub fn permits_every_key(user: &User, row: &Row, words: &[&[u8]]) -> bool {
    let reads = Use { reads: true, writes: false };
    let allows = |selector: &Selector| selector.allows_every_key(reads) && refuses(selector, row, words).is_none();
    user.is_unlimited || user.selectors.iter().any(allows)
}

/// Why, for who tries by ACL DRYRUN: with the key or channel.
pub fn explanation(user: &User, row: &Row, words: &[&[u8]], denied: Denied) -> Vec<u8> {
    let object = words.get(denied.at).copied().unwrap_or_default();
    let (verb, kind) = match denied.reason {
        Reason::Command => {
            let name = row.spec.name.as_bytes();
            return [b"User ", user.name.as_slice(), b" has no permissions to run the '", name, b"' command"].concat();
        }
        Reason::Channel => ("access", "channel"),
        Reason::Key | Reason::Auth => ("access", "key"),
    };
    let verb = format!(" has no permissions to {verb} the '");
    [b"User ", user.name.as_slice(), verb.as_bytes(), object, b"' ", kind.as_bytes()].concat()
}

/// Why, for the client itself.
fn text(user: &User, row: &Row, denied: Denied) -> Vec<u8> {
    match denied.reason {
        Reason::Channel => b"No permissions to access a channel".to_vec(),
        Reason::Key | Reason::Auth => b"No permissions to access a key".to_vec(),
        Reason::Command => explanation(user, row, &[], denied),
    }
}

/// The user whose rights count, if not everything is allowed.
fn limited(client: &Client) -> Option<&User> {
    client.user.as_deref().filter(|user| !user.is_unlimited)
}

/// Whether a connection may run this request; what is denied is noted.
pub fn admit(engine: &mut Engine, client: &Client, row: &Row, words: &[&[u8]]) -> Result<(), Failure> {
    let Some(user) = limited(client) else { return Ok(()) };
    permits(user, row, words).map_err(|denied| {
        let context = if client.transaction.is_some() { Context::Multi } else { Context::TopLevel };
        note(engine, client, context, denied, object(row, words, denied));
        Failure::new([b"NOPERM ", text(user, row, denied).as_slice()].concat())
    })
}

/// The same for a command that a script calls.
pub fn admit_in_script(ctx: &mut Ctx<'_>, row: &Row, words: &[&[u8]]) -> Result<(), Failure> {
    let Some(user) = limited(ctx.client) else { return Ok(()) };
    permits(user, row, words).map_err(|denied| {
        note(ctx.engine, ctx.client, Context::Lua, denied, object(row, words, denied));
        Failure::new([b"ERR ACL failure in script: ", text(user, row, denied).as_slice()].concat())
    })
}

/// The same for a queued command, whose user may have lost a right meanwhile.
pub fn admit_in_exec(ctx: &mut Ctx<'_>, row: &Row, words: &[&[u8]]) -> Result<(), Failure> {
    let Some(user) = limited(ctx.client) else { return Ok(()) };
    permits(user, row, words).map_err(|denied| {
        note(ctx.engine, ctx.client, Context::Multi, denied, object(row, words, denied));
        let reason = match denied.reason {
            Reason::Command => "no permission to execute the command or subcommand",
            Reason::Key | Reason::Auth => "no permission to touch the specified keys",
            Reason::Channel => "no permission to access one of the channels used as arguments to the command",
        };
        Failure::new(format!(
            "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. This command is \
             no longer allowed for the following reason: {reason}"
        ))
    })
}

/// A login with a wrong name or password.
pub fn note_failed_login(ctx: &mut Ctx<'_>, command: &[u8], username: &[u8]) {
    let context = if ctx.in_transaction() { Context::Multi } else { Context::TopLevel };
    let denial = Denial { reason: Reason::Auth, context, object: command.to_vec(), username: username.to_vec() };
    ctx.engine.stats.auth_denied += 1;
    log(ctx.engine, ctx.client, denial);
}

fn object(row: &Row, words: &[&[u8]], denied: Denied) -> Vec<u8> {
    match denied.reason {
        Reason::Command => row.spec.name.as_bytes().to_vec(),
        _ => words.get(denied.at).copied().unwrap_or_default().to_vec(),
    }
}

fn note(engine: &mut Engine, client: &Client, context: Context, denied: Denied, object: Vec<u8>) {
    let count = match denied.reason {
        Reason::Auth => &mut engine.stats.auth_denied,
        Reason::Command => &mut engine.stats.commands_denied,
        Reason::Key => &mut engine.stats.keys_denied,
        Reason::Channel => &mut engine.stats.channels_denied,
    };
    *count += 1;
    let username = client.user.as_ref().map(|user| user.name.clone()).unwrap_or_default();
    log(engine, client, Denial { reason: denied.reason, context, object, username });
}

fn log(engine: &mut Engine, client: &Client, denial: Denial) {
    let line = client_list::line(engine, client);
    let (now_ms, max) = (engine.wall_us() / 1000, engine.config.acllog_max_len());
    engine.acl.log.note(denial, line, now_ms, max);
}
