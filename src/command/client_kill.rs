//! CLIENT KILL: ends connections, by address or by filters that must all hold.

use super::client_list::Type;
use super::failure::SYNTAX;
use super::{Ctx, Failure};
use crate::base::number;
use crate::engine::acl::Acl;
use crate::engine::client::{Client, ClientId};

/// What a connection must be like to be ended.
struct Filter<'a> {
    address: Option<&'a [u8]>,
    local_address: Option<&'a [u8]>,
    kind: Option<Type>,
    user: Option<&'a [u8]>,
    id: Option<ClientId>,
    /// At least so many seconds old.
    max_age: u64,
    /// Not the one that asks.
    skip_me: bool,
}

impl<'a> Filter<'a> {
    const ALL: Self =
        Self { address: None, local_address: None, kind: None, user: None, id: None, max_age: 0, skip_me: true };

    /// `KILL ip:port`.
    fn by_address(address: &'a [u8]) -> Self {
        Self { address: Some(address), skip_me: false, ..Self::ALL }
    }

    /// `KILL filter value [filter value …]`.
    fn read(mut words: &[&'a [u8]], acl: &Acl) -> Result<Self, Failure> {
        let mut filter = Self::ALL;
        while let [option, value, rest @ ..] = words {
            match option.to_ascii_lowercase().as_slice() {
                b"id" => filter.id = Some(positive(value, "ERR client-id should be greater than 0", None)?),
                b"maxage" => {
                    let not_a_number = "ERR maxage is not an integer or out of range";
                    filter.max_age = positive(value, "ERR maxage should be greater than 0", Some(not_a_number))?;
                }
                b"type" => filter.kind = Some(Type::from_name(value)?),
                b"addr" => filter.address = Some(value),
                b"laddr" => filter.local_address = Some(value),
                b"user" if acl.user(value).is_some() => filter.user = Some(value),
                b"user" => return Err(Failure::new([b"ERR No such user '", *value, b"'"].concat())),
                b"skipme" if value.eq_ignore_ascii_case(b"yes") => filter.skip_me = true,
                b"skipme" if value.eq_ignore_ascii_case(b"no") => filter.skip_me = false,
                _ => return Err(SYNTAX),
            }
            words = rest;
        }
        if words.is_empty() { Ok(filter) } else { Err(SYNTAX) }
    }

    fn matches(&self, client: &Client, now_us: u64) -> bool {
        let age = now_us.saturating_sub(client.created_us) / 1_000_000;
        self.address.is_none_or(|address| address == client.peer.address.as_bytes())
            && self.local_address.is_none_or(|address| address == client.peer.local_address.as_bytes())
            && self.kind.is_none_or(|kind| kind == Type::of(client))
            && self.user.is_none_or(|user| client.is_user(user))
            && self.id.is_none_or(|id| id == client.id)
            && age >= self.max_age
    }
}

fn positive(word: &[u8], not_positive: &'static str, not_a_number: Option<&'static str>) -> Result<u64, Failure> {
    let value = number::parse_i64(word).ok_or_else(|| Failure::from(not_a_number.unwrap_or(not_positive)))?;
    u64::try_from(value).ok().filter(|value| *value > 0).ok_or_else(|| not_positive.into())
}

/// CLIENT KILL ip:port | filter value [filter value …]
pub fn kill(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    match &arguments[2..] {
        [address] => match end_all(ctx, &Filter::by_address(address)) {
            0 => Err("ERR No such client".into()),
            _ => {
                ctx.reply.ok();
                Ok(())
            }
        },
        words => {
            let ended = end_all(ctx, &Filter::read(words, &ctx.engine.acl)?);
            ctx.reply.integer(ended);
            Ok(())
        }
    }
}

/// Ends the connections that match, and answers how many. The one that asks gets its reply first.
fn end_all(ctx: &mut Ctx<'_>, filter: &Filter<'_>) -> i64 {
    let now_us = ctx.engine.monotonic_us();
    let mut ended = 0;
    for client in ctx.engine.clients.iter_mut() {
        if !client.killed && filter.matches(client, now_us) {
            client.kill();
            ended += 1;
        }
    }
    if !filter.skip_me && filter.matches(ctx.client, now_us) {
        ctx.client.close_after_reply = true;
        ended += 1;
    }
    ended
}
