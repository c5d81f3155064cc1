//! Users in files: `aclfile`, which ACL LOAD reads and ACL SAVE writes, and the `user` lines of the configuration file.

use std::fs;
use std::path::Path;
use std::rc::Rc;

use super::rules::{self, RuleError};
use super::{end_listeners, is_name, line, loses_channels};
use crate::command::{Ctx, Failure, config};
use crate::engine::Engine;
use crate::engine::acl::User;

const NO_FILE: &str = "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL \
    SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store \
    users in the Redis configuration.";

const BOTH: &str = "Configuring Redis with users defined in redis.conf and at the same setting an ACL file path is invalid. This \
    setup is very likely to lead to configuration errors and security holes, please define either an ACL file or declare \
    users directly in your redis.conf, but not both.";

/// Makes the users that the settings name, for a server that starts; the error says why it must not.
pub fn load_at_start(engine: &mut Engine) -> Result<(), String> {
    let path = engine.config.aclfile().to_owned();
    let lines = engine.config.users().to_vec();
    let all_channels = engine.config.new_users_have_all_channels();
    if path.is_empty() {
        for (at, words) in lines.iter().enumerate() {
            let (name, rules) = words.split_first().ok_or("a user without a name")?;
            let failed =
                |error: String| format!("Error in user declaration '{}': {error}", String::from_utf8_lossy(name));
            if lines[..at].iter().any(|other| other.first() == Some(name)) {
                return Err(failed("Duplicate user found. A user can only be defined once in config files".into()));
            }
            // What a line says of a user is all there is to it, whatever the default user could do before.
            let rules: Vec<&[u8]> = rules.iter().map(Vec::as_slice).collect();
            let user = declared(name, &rules, all_channels).map_err(|error| match error {
                Undeclared::Rule(_, error) => failed(error.to_string()),
                Undeclared::Other(error) => failed(error),
            })?;
            engine.acl.put(Rc::new(user));
        }
        return Ok(());
    }
    if !lines.is_empty() {
        return Err(BOTH.into());
    }
    let users = read(Path::new(&path), all_channels)
        .map_err(|error| format!("Aborting Redis startup because of ACL errors: {error}"))?;
    engine.acl.replace_all(users);
    Ok(())
}

/// Why a line makes no user.
enum Undeclared {
    Rule(Vec<u8>, RuleError),
    Other(String),
}

/// A new user of that name with these rules.
fn declared(name: &[u8], words: &[&[u8]], all_channels: bool) -> Result<User, Undeclared> {
    if !is_name(name) {
        return Err(Undeclared::Other("Usernames can't contain spaces or null characters".into()));
    }
    if words.iter().any(|word| word.is_empty()) {
        return Err(Undeclared::Rule(Vec::new(), RuleError::Syntax));
    }
    let merged = rules::merged(words).map_err(|first| {
        let first = String::from_utf8_lossy(&first).into_owned();
        Undeclared::Other(format!("Unmatched parenthesis in selector definition starting at '{first}'"))
    })?;
    let mut user = User::new(name, all_channels);
    for rule in merged {
        rules::apply(&mut user, &rule, all_channels).map_err(|error| Undeclared::Rule(rule, error))?;
    }
    Ok(user)
}

/// Reads all users of a file, or says everything that is wrong with it.
fn read(path: &Path, all_channels: bool) -> Result<Vec<User>, String> {
    let name = path.display();
    let text = fs::read(path).map_err(|error| format!("Error loading ACLs, opening file '{name}': {error}"))?;
    let (mut users, mut errors) = (Vec::<User>::new(), Vec::new());
    for (at, text) in text.split(|byte| *byte == b'\n').enumerate() {
        let text = text.trim_ascii();
        if text.is_empty() {
            continue;
        }
        let (line, words) = (at + 1, text.split(|byte| *byte == b' ').collect::<Vec<&[u8]>>());
        let [b"user", user, rules @ ..] = words.as_slice() else {
            errors.push(format!("{name}:{line} should start with user keyword followed by the username."));
            continue;
        };
        if users.iter().any(|known| known.name == *user) {
            let user = String::from_utf8_lossy(user);
            errors.push(format!("WARNING: Duplicate user '{user}' found on line {line}."));
            continue;
        }
        match declared(user, rules, all_channels) {
            Ok(user) => users.push(user),
            Err(Undeclared::Rule(rule, error @ RuleError::Unknown)) => {
                let rule = String::from_utf8_lossy(&rule);
                errors.push(format!("{name}:{line}: Error in applying operation '{rule}': {error}."));
            }
            // Any other rule may hold a password, and what is said here goes into the log.
            Err(Undeclared::Rule(_, error)) => errors.push(format!("{name}:{line}: {error}.")),
            Err(Undeclared::Other(error)) => errors.push(format!("{name}:{line}: {error}.")),
        }
    }
    if errors.is_empty() {
        return Ok(users);
    }
    errors.push("WARNING: ACL errors detected, no change to the previously active ACL rules was performed".into());
    Err(errors.join(" "))
}

/// ACL LOAD
pub fn load(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let path = ctx.engine.config.aclfile();
    if path.is_empty() {
        return Err(NO_FILE.into());
    }
    let users = read(Path::new(path), ctx.engine.config.new_users_have_all_channels()).map_err(|error| {
        tracing::warn!("{error}");
        Failure::new(format!("ERR {error}"))
    })?;
    let before: Vec<Rc<User>> = ctx.engine.acl.users().cloned().collect();
    ctx.engine.acl.replace_all(users);
    for before in before {
        match ctx.engine.acl.user(&before.name).cloned() {
            Some(user) => {
                ctx.engine.replace_user(&user, Some(ctx.client));
                if loses_channels(&before, &user) {
                    end_listeners(ctx, &user);
                }
            }
            None => super::end_connections(ctx, &before.name),
        }
    }
    ctx.reply.ok();
    Ok(())
}

/// ACL SAVE
pub fn save(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    let path = ctx.engine.config.aclfile();
    if path.is_empty() {
        return Err(NO_FILE.into());
    }
    let mut text = Vec::new();
    for user in ctx.engine.acl.users() {
        text.extend_from_slice(&line(user));
        text.push(b'\n');
    }
    config::replace(Path::new(path), &text).map_err(|error| {
        tracing::warn!("ACL SAVE to {path} failed: {error}");
        Failure::from(
            "ERR There was an error trying to save the ACLs. Please check the server logs for more information",
        )
    })?;
    tracing::info!("ACL SAVE executed with success");
    ctx.reply.ok();
    Ok(())
}
