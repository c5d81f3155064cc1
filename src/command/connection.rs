//! PING, ECHO, QUIT, RESET, HELLO and AUTH: what a connection is and who is behind it.
//!
//! What always holds: a password is compared in constant time, and a failed HELLO changes nothing about the connection.

use super::acl::check;
use super::client::set_name;
use super::dispatch::listens_only;
use super::{Ctx, Failure};
use crate::base::number;
use crate::engine::acl::DEFAULT_USER;
use crate::engine::client::{Client, ReplyMode};

/// The version of Redis whose contract this server keeps; clients choose features by it.
pub const REDIS_VERSION: &str = "7.2.4";

const WRONG_PASS: &str = "WRONGPASS invalid username-password pair or user is disabled.";

const HELLO_WITHOUT_AUTH: &str = "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
    HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol \
    version at the same time";

const NO_PASSWORD_SET: &str = "ERR AUTH <password> called without any password configured for the default user. Are \
    you sure your configuration is correct?";

/// PING [message]
pub fn ping(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    match arguments {
        [_, rest @ ..] if rest.len() < 2 && listens_only(ctx.client) => {
            ctx.reply.array(2);
            ctx.reply.bulk(b"pong");
            ctx.reply.bulk(rest.first().copied().unwrap_or_default());
        }
        [_] => ctx.reply.simple("PONG"),
        [_, message] => ctx.reply.bulk(message),
        _ => return Err("ERR wrong number of arguments for 'ping' command".into()),
    }
    Ok(())
}

/// ECHO message
pub fn echo(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.bulk(arguments[1]);
    Ok(())
}

/// QUIT
pub fn quit(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.client.close_after_reply = true;
    ctx.reply.ok();
    Ok(())
}

/// RESET: all that a connection can change about itself is as after it opened; only the library's name stays.
pub fn reset(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.engine.watches.unwatch_all(ctx.client);
    ctx.engine.pubsub.unsubscribe_all(ctx.client);
    ctx.engine.monitors.remove(ctx.client);
    ctx.engine.tracking.disable(ctx.client);
    let (user, is_open) = (ctx.engine.acl.default_user().clone(), ctx.engine.acl.is_open());
    let client = &mut *ctx.client;
    client.transaction = None;
    client.db = 0;
    client.resp3 = false;
    client.user = Some(user);
    client.authenticated = is_open;
    client.name.clear();
    // A skip that is under way concerns the reply to RESET, too.
    client.reply_mode = ReplyMode { skip: client.reply_mode.skip, ..ReplyMode::default() };
    client.no_evict = false;
    client.no_touch = false;
    client.level = None;
    ctx.reply.set_resp3(false);
    ctx.reply.simple("RESET");
    Ok(())
}

/// AUTH [username] password
pub fn auth(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (user, password) = match arguments {
        [_, _] if ctx.engine.acl.default_user().nopass => return Err(NO_PASSWORD_SET.into()),
        [_, password] => (DEFAULT_USER, *password),
        [_, user, password] => (*user, *password),
        _ => return Err(super::failure::SYNTAX),
    };
    authenticate(ctx, arguments[0], user, password)?;
    ctx.reply.ok();
    Ok(())
}

/// HELLO [protover [AUTH username password] [SETNAME clientname]]
pub fn hello(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let wanted = match arguments.get(1) {
        Some(version) => Some(protocol(version)?),
        None => None,
    };
    let (mut credentials, mut name) = (None, None);
    let mut rest = arguments.get(2..).unwrap_or_default();
    while let [option, values @ ..] = rest {
        match values {
            [user, password, tail @ ..] if option.eq_ignore_ascii_case(b"AUTH") => {
                credentials = Some((*user, *password));
                rest = tail;
            }
            [value, tail @ ..] if option.eq_ignore_ascii_case(b"SETNAME") => {
                super::client::check_name(value)?;
                name = Some(*value);
                rest = tail;
            }
            _ => return Err(Failure::new([b"ERR Syntax error in HELLO option '", *option, b"'"].concat())),
        }
    }
    if let Some((user, password)) = credentials {
        authenticate(ctx, arguments[0], user, password)?;
    }
    if ctx.engine.needs_password(ctx.client) {
        return Err(HELLO_WITHOUT_AUTH.into());
    }
    if let Some(name) = name {
        set_name(ctx.client, name)?;
    }
    if let Some(resp3) = wanted {
        ctx.client.resp3 = resp3;
        ctx.reply.set_resp3(resp3);
    }
    greet(ctx);
    Ok(())
}

/// Whether the version asked for is RESP3.
fn protocol(version: &[u8]) -> Result<bool, Failure> {
    match number::parse_i64(version) {
        Some(2) => Ok(false),
        Some(3) => Ok(true),
        Some(_) => Err("NOPROTO unsupported protocol version".into()),
        None => Err("ERR Protocol version is not an integer or out of range".into()),
    }
}

fn greet(ctx: &mut Ctx<'_>) {
    let Client { id, resp3, .. } = *ctx.client;
    let reply = &mut ctx.reply;
    reply.map(8);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.integer(if resp3 { 3 } else { 2 });
    reply.bulk(b"id");
    reply.integer(id as i64);
    reply.bulk(b"mode");
    reply.bulk(b"standalone");
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
    reply.bulk(b"ackd_version");
    reply.bulk(env!("CARGO_PKG_VERSION").as_bytes());
}

/// Lets the connection in if the pair is right. One that is already in stays in if it is wrong.
fn authenticate(ctx: &mut Ctx<'_>, command: &[u8], user: &[u8], password: &[u8]) -> Result<(), Failure> {
    let known = ctx.engine.acl.user(user).filter(|known| known.has_password(password) && known.enabled).cloned();
    if known.is_none() {
        check::note_failed_login(ctx, command, user);
        return Err(WRONG_PASS.into());
    }
    ctx.client.user = known;
    ctx.client.authenticated = true;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::harness::Harness;

    const DENIED: &str = "-WRONGPASS invalid username-password pair or user is disabled.";

    fn with_password() -> Harness {
        let mut harness = Harness::new();
        let changes = harness.engine.config.set(&[(b"requirepass", b"pw")], false).unwrap();
        assert!(!changes.is_empty());
        harness.engine.follow_requirepass(None);
        let client = harness.client;
        harness.engine.clients.get_mut(client).unwrap().authenticated = false;
        harness
    }

    #[test]
    fn nothing_but_authentication_is_answered_before_the_password_is_given() {
        let mut harness = with_password();
        assert_eq!(harness.run("PING"), "-NOAUTH Authentication required.");
        assert!(harness.run("HELLO 3").starts_with("-NOAUTH HELLO must be called"));
        for wrong in ["AUTH x", "AUTH default x", "AUTH foo pw", "HELLO 3 AUTH default x"] {
            assert_eq!(harness.run(wrong), DENIED, "{wrong}");
        }
        assert_eq!(harness.engine.stats.auth_denied, 4);
        assert_eq!(harness.run("AUTH pw"), "+OK");
        assert_eq!(harness.run("AUTH default x"), DENIED);
        assert_eq!(harness.run("PING"), "+PONG", "a wrong password does not take back a right one");
        assert_eq!(harness.run("RESET"), "+RESET");
        assert_eq!(harness.run("PING"), "-NOAUTH Authentication required.");
    }

    #[test]
    fn without_a_password_nobody_is_asked_for_one() {
        let mut harness = with_password();
        let operator = harness.connect();
        assert_eq!(harness.run("PING"), "-NOAUTH Authentication required.");
        assert_eq!(harness.run_as(operator, "CONFIG SET requirepass ''"), "+OK");
        assert_eq!(harness.run("PING"), "+PONG");
        assert!(harness.run("HELLO").contains("proto"));
        assert_eq!(harness.run_as(operator, "CONFIG SET requirepass new"), "+OK");
        assert_eq!(harness.run("PING"), "-NOAUTH Authentication required.");
        assert_eq!(harness.run_as(operator, "PING"), "+PONG", "who is in stays in");
    }

    #[test]
    fn hello_changes_all_or_nothing() {
        let mut harness = Harness::new();
        assert_eq!(harness.run("HELLO 4"), "-NOPROTO unsupported protocol version");
        assert_eq!(harness.run("HELLO a"), "-ERR Protocol version is not an integer or out of range");
        assert_eq!(harness.run("HELLO 3 SETNAME"), "-ERR Syntax error in HELLO option 'SETNAME'");
        assert!(harness.run("HELLO 3 SETNAME ok SETNAME 'a b'").starts_with("-ERR Client names cannot contain"));
        assert_eq!(harness.run("CLIENT GETNAME"), "$-1");
        let greeting = harness.run("HELLO 3 AUTH default any SETNAME me");
        assert!(greeting.starts_with("%8 $6 server $5 redis $7 version $5 7.2.4 $5 proto :3 $2 id :1 "), "{greeting}");
        assert!(
            greeting.ends_with(concat!(" $7 modules *0 $12 ackd_version $5 ", env!("CARGO_PKG_VERSION"))),
            "{greeting}"
        );
        assert_eq!(harness.run("CLIENT GETNAME"), "$2 me");
        assert!(harness.run("HELLO").contains("proto :3"));
        assert_eq!(harness.run("RESET"), "+RESET");
        assert!(harness.run("HELLO").starts_with("*16 "));
    }

    #[test]
    fn reset_ends_a_transaction_and_turns_replies_on() {
        let mut harness = Harness::new();
        assert_eq!(harness.run("CLIENT REPLY OFF"), "");
        assert_eq!(harness.run("MULTI"), "");
        assert_eq!(harness.run("RESET"), "+RESET");
        assert_eq!(harness.run("PING a"), "$1 a");
        assert_eq!(harness.run("EXEC"), "-ERR EXEC without MULTI");
    }
}
