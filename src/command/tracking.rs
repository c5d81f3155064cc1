//! CLIENT TRACKING, CACHING, TRACKINGINFO and GETREDIR: client-side caching; see [`engine::tracking`](crate::engine::tracking).

use super::failure::{self, Failure};
use super::{Ctx, parse};
use crate::engine::client::ClientId;
use crate::engine::tracking::Mode;

/// CLIENT TRACKING ON | OFF [REDIRECT client-id] [PREFIX prefix …] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]
pub fn tracking(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (mut mode, mut prefixes) = (Mode::default(), Vec::<Vec<u8>>::new());
    let mut rest = &arguments[3..];
    while let [word, tail @ ..] = rest {
        rest = tail;
        match (word.to_ascii_lowercase().as_slice(), tail) {
            (b"redirect", [id, tail @ ..]) => {
                if mode.redirect.is_some() {
                    return Err("ERR A client can only redirect to a single other client".into());
                }
                mode.redirect = Some(existing_client(ctx, parse::integer(id)?)?);
                rest = tail;
            }
            (b"prefix", [prefix, tail @ ..]) => {
                prefixes.push(prefix.to_vec());
                rest = tail;
            }
            (b"bcast", _) => mode.broadcasts = true,
            (b"optin", _) => mode.opts_in = true,
            (b"optout", _) => mode.opts_out = true,
            (b"noloop", _) => mode.no_loop = true,
            _ => return Err(failure::SYNTAX),
        }
    }
    match arguments[2].to_ascii_lowercase().as_slice() {
        b"on" => {
            check(ctx, &mode, &prefixes)?;
            ctx.engine.tracking.enable(ctx.client, mode, prefixes);
        }
        b"off" => ctx.engine.tracking.disable(ctx.client),
        _ => return Err(failure::SYNTAX),
    }
    ctx.reply.ok();
    Ok(())
}

fn existing_client(ctx: &Ctx<'_>, id: i64) -> Result<ClientId, Failure> {
    let is_there =
        |id: &ClientId| *id == ctx.client.id || ctx.engine.clients.get(*id).is_some_and(|client| !client.killed);
    let id = ClientId::try_from(id).ok().filter(is_there);
    id.ok_or_else(|| "ERR The client ID you want redirect to does not exist".into())
}

/// Whether options fit together, and to what the connection does now.
fn check(ctx: &Ctx<'_>, mode: &Mode, prefixes: &[Vec<u8>]) -> Result<(), Failure> {
    if !mode.broadcasts && !prefixes.is_empty() {
        return Err("ERR PREFIX option requires BCAST mode to be enabled".into());
    }
    let now = ctx.client.tracking.as_ref();
    if now.is_some_and(|tracker| tracker.mode.broadcasts != mode.broadcasts) {
        return Err("ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then \
                    re-enabling it with a different mode."
            .into());
    }
    if mode.broadcasts && (mode.opts_in || mode.opts_out) {
        return Err("ERR OPTIN and OPTOUT are not compatible with BCAST".into());
    }
    if mode.opts_in && mode.opts_out {
        return Err("ERR You can't specify both OPTIN mode and OPTOUT mode".into());
    }
    let switches =
        |tracker: &crate::engine::tracking::Mode| mode.opts_in && tracker.opts_out || mode.opts_out && tracker.opts_in;
    if now.is_some_and(|tracker| switches(&tracker.mode)) {
        return Err("ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then \
                    re-enabling it with a different mode."
            .into());
    }
    for (at, prefix) in prefixes.iter().enumerate() {
        let overlaps = |other: &&Vec<u8>| other.starts_with(prefix) || prefix.starts_with(other);
        let told = |which: &str, other: &[u8]| {
            let parts: [&[u8]; 7] = [
                b"ERR Prefix '",
                prefix,
                b"' overlaps with ",
                which.as_bytes(),
                b" prefix '",
                other,
                b"'. Prefixes for a single client must not overlap.",
            ];
            Failure::new(parts.concat())
        };
        if let Some(other) = now.and_then(|tracker| tracker.prefixes.iter().find(overlaps)) {
            return Err(told("an existing", other));
        }
        if let Some(other) = prefixes[at + 1..].iter().find(overlaps) {
            return Err(told("another provided", other));
        }
    }
    Ok(())
}

/// CLIENT CACHING YES | NO
pub fn caching(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let Some(tracker) = ctx.client.tracking.as_mut() else {
        return Err(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode \
                    enabled"
                .into(),
        );
    };
    match arguments[2].to_ascii_lowercase().as_slice() {
        b"yes" if tracker.mode.opts_in => tracker.caching = true,
        b"yes" => return Err("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.".into()),
        b"no" if tracker.mode.opts_out => tracker.caching = true,
        b"no" => return Err("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.".into()),
        _ => return Err(failure::SYNTAX),
    }
    ctx.reply.ok();
    Ok(())
}

/// CLIENT GETREDIR
pub fn getredir(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.integer(redirection(ctx.client));
    Ok(())
}

/// Which connection is told in the place of this one: 0 for none, -1 if it does not track.
pub fn redirection(client: &crate::engine::client::Client) -> i64 {
    client.tracking.as_ref().map_or(-1, |tracker| tracker.mode.redirect.map_or(0, |id| id as i64))
}

/// CLIENT TRACKINGINFO
pub fn trackinginfo(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let tracker = ctx.client.tracking.as_deref();
    let is = |what: fn(&Mode) -> bool| tracker.is_some_and(|tracker| what(&tracker.mode));
    let caching = tracker.is_some_and(|tracker| tracker.caching);
    let flags = [
        (if tracker.is_some() { "on" } else { "off" }, true),
        ("bcast", is(|mode| mode.broadcasts)),
        ("optin", is(|mode| mode.opts_in)),
        ("caching-yes", caching && is(|mode| mode.opts_in)),
        ("optout", is(|mode| mode.opts_out)),
        ("caching-no", caching && is(|mode| mode.opts_out)),
        ("noloop", is(|mode| mode.no_loop)),
        ("broken_redirect", tracker.is_some_and(|tracker| tracker.is_broken)),
    ];
    let reply = &mut ctx.reply;
    reply.map(3);
    reply.bulk(b"flags");
    reply.set(flags.iter().filter(|(_, set)| *set).count());
    flags.iter().filter(|(_, set)| *set).for_each(|(name, _)| reply.bulk(name.as_bytes()));
    reply.bulk(b"redirect");
    reply.integer(redirection(ctx.client));
    reply.bulk(b"prefixes");
    let prefixes = tracker.map(|tracker| &tracker.prefixes);
    reply.array(prefixes.map_or(0, |prefixes| prefixes.len()));
    prefixes.into_iter().flatten().for_each(|prefix| reply.bulk(prefix));
    Ok(())
}

#[cfg(test)]
#[path = "tracking_tests.rs"]
mod tests;
