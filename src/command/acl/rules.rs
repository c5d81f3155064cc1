//! The language of ACL rules: `on`, `>password`, `~key*`, `&channel`, `+@read`, `-set`, `+config|get`, `+select|0`,
//! `(+get ~x)`; see <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>.
//!
//! [`apply`] changes a user by one rule, [`describe`] says by which rules a user can be made anew.

use crate::command::spec::Categories;
use crate::command::table::{self, Row};
use crate::engine::acl::{CommandSet, Hash, KeyPattern, Selector, Use, User};

/// What is wrong with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "the text says it")]
pub enum RuleError {
    #[error("Unknown command or category name in ACL")]
    Unknown,
    #[error("Syntax error")]
    Syntax,
    #[error(
        "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try \
         'resetkeys' to start with an empty list of patterns"
    )]
    AfterAllKeys,
    #[error(
        "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try \
         'resetchannels' to start with an empty list of channels"
    )]
    AfterAllChannels,
    #[error("The password you are trying to remove from the user does not exist")]
    NoSuchPassword,
    #[error("The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters")]
    NoHash,
    #[error("Allowing first-arg of a subcommand is not supported")]
    OfSubcommand,
}

/// Changes a user by one rule; `all_channels` is what `reset` makes of channels.
pub fn apply(user: &mut User, rule: &[u8], all_channels: bool) -> Result<(), RuleError> {
    let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
    match rule {
        [] => {}
        _ if is("on") => user.enabled = true,
        _ if is("off") => user.enabled = false,
        _ if is("nopass") => (user.nopass, user.passwords) = (true, Vec::new()),
        _ if is("resetpass") => (user.nopass, user.passwords) = (false, Vec::new()),
        _ if is("skip-sanitize-payload") => user.skips_sanitizing = true,
        _ if is("sanitize-payload") => user.skips_sanitizing = false,
        _ if is("clearselectors") => user.selectors.truncate(1),
        _ if is("reset") => *user = User::new(&user.name, all_channels),
        [b'>', password @ ..] => user.add_password(crate::engine::acl::hash_of(password)),
        [b'#', hash @ ..] => user.add_password(read_hash(hash).ok_or(RuleError::NoHash)?),
        [b'<', password @ ..] => remove_password(user, crate::engine::acl::hash_of(password))?,
        [b'!', hash @ ..] => remove_password(user, read_hash(hash).ok_or(RuleError::NoHash)?)?,
        [b'(', rules @ .., b')'] => {
            let mut selector = Selector { all_channels, ..Selector::default() };
            for rule in rules.split(|byte| *byte == b' ').filter(|rule| !rule.is_empty()) {
                // Where rules are kept, that would be the end of the selector.
                if rule.ends_with(b")") {
                    return Err(RuleError::Syntax);
                }
                select(&mut selector, rule)?;
            }
            user.selectors.push(selector);
        }
        _ => select(user.root(), rule)?,
    }
    user.is_unlimited = user.selectors.iter().any(Selector::is_unlimited);
    Ok(())
}

fn remove_password(user: &mut User, hash: Hash) -> Result<(), RuleError> {
    let at = user.passwords.iter().position(|known| *known == hash).ok_or(RuleError::NoSuchPassword)?;
    user.passwords.remove(at);
    Ok(())
}

fn read_hash(text: &[u8]) -> Option<Hash> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let mut hash = Hash::default();
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != hash.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in hash.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(hash)
}

/// Changes a selector by one rule.
fn select(selector: &mut Selector, rule: &[u8]) -> Result<(), RuleError> {
    let is = |word: &str| rule.eq_ignore_ascii_case(word.as_bytes());
    match rule {
        _ if is("allkeys") || is("~*") => (selector.all_keys, selector.keys) = (true, Vec::new()),
        _ if is("resetkeys") => (selector.all_keys, selector.keys) = (false, Vec::new()),
        _ if is("allchannels") || is("&*") => (selector.all_channels, selector.channels) = (true, Vec::new()),
        _ if is("resetchannels") => (selector.all_channels, selector.channels) = (false, Vec::new()),
        _ if is("allcommands") || is("+@all") => allow_all(selector, true),
        _ if is("nocommands") || is("-@all") => allow_all(selector, false),
        [b'~' | b'%', ..] => {
            if selector.all_keys {
                return Err(RuleError::AfterAllKeys);
            }
            let (allows, pattern) = key_pattern(rule)?;
            match selector.keys.iter_mut().find(|known| known.pattern == pattern) {
                Some(known) => known.allows = known.allows.and(allows),
                None => selector.keys.push(KeyPattern { allows, pattern: pattern.to_vec() }),
            }
        }
        [b'&', pattern @ ..] => {
            if selector.all_channels {
                return Err(RuleError::AfterAllChannels);
            }
            if has_blanks(pattern) {
                return Err(RuleError::Syntax);
            }
            if !selector.channels.iter().any(|known| known == pattern) {
                selector.channels.push(pattern.to_vec());
            }
        }
        [sign @ (b'+' | b'-'), b'@', category @ ..] => {
            let category = Categories::named(category).ok_or(RuleError::Unknown)?;
            let allow = *sign == b'+';
            note_rule(selector, &rule[1..], allow);
            for row in table::commands() {
                if row.spec.categories().has(category) {
                    allow_command(selector, row, allow);
                }
                for sub in row.subcommands().iter().filter(|sub| sub.spec.categories().has(category)) {
                    allow_command(selector, sub, allow);
                }
            }
        }
        [b'+', name @ ..] => match table::by_full_name(name) {
            Some(row) => {
                allow_command(selector, row, true);
                note_rule(selector, row.spec.name.as_bytes(), true);
            }
            None => allow_first_argument(selector, name)?,
        },
        [b'-', name @ ..] => {
            let row = table::by_full_name(name).ok_or(RuleError::Unknown)?;
            allow_command(selector, row, false);
            note_rule(selector, row.spec.name.as_bytes(), false);
        }
        _ => return Err(RuleError::Syntax),
    }
    Ok(())
}

fn has_blanks(text: &[u8]) -> bool {
    text.iter().any(|byte| byte.is_ascii_whitespace() || matches!(byte, 0 | 0x0b))
}

/// `~pattern`, `%R~pattern`, `%W~pattern`, `%RW~pattern`.
fn key_pattern(rule: &[u8]) -> Result<(Use, &[u8]), RuleError> {
    let (allows, pattern) = match rule {
        [b'~', pattern @ ..] => (Use::ALL, pattern),
        [_, rest @ ..] => {
            let tilde = rest.iter().position(|byte| *byte == b'~').unwrap_or(rest.len());
            let mut allows = Use::default();
            for letter in &rest[..tilde] {
                let allowed = match letter.to_ascii_uppercase() {
                    b'R' => &mut allows.reads,
                    b'W' => &mut allows.writes,
                    _ => return Err(RuleError::Syntax),
                };
                if std::mem::replace(allowed, true) {
                    return Err(RuleError::Syntax);
                }
            }
            (allows, rest.get(tilde + 1..).unwrap_or_default())
        }
        [] => return Err(RuleError::Syntax),
    };
    if allows == Use::default() || has_blanks(pattern) { Err(RuleError::Syntax) } else { Ok((allows, pattern)) }
}

fn allow_all(selector: &mut Selector, allow: bool) {
    selector.all_commands = allow;
    selector.commands = CommandSet::filled(allow);
    selector.first_arguments.clear();
    selector.rules.clear();
}

/// A command stands for its subcommands, too.
fn allow_command(selector: &mut Selector, row: &Row, allow: bool) {
    selector.all_commands &= allow;
    selector.commands.set(row.id, allow);
    selector.first_arguments.remove(&row.id);
    row.subcommands().iter().for_each(|sub| selector.commands.set(sub.id, allow));
}

/// `+select|0`: the command with this first argument.
fn allow_first_argument(selector: &mut Selector, name: &[u8]) -> Result<(), RuleError> {
    let bar = name.iter().rposition(|byte| *byte == b'|').ok_or(RuleError::Unknown)?;
    let row = table::by_full_name(&name[..bar]).ok_or(RuleError::Unknown)?;
    let argument = &name[bar + 1..];
    if row.container.is_some() {
        return Err(RuleError::OfSubcommand);
    }
    // With a blank in it, it could not be read again from where rules are kept.
    if argument.is_empty() || has_blanks(argument) {
        return Err(RuleError::Syntax);
    }
    if !row.spec.subcommands.is_empty() {
        return Err(RuleError::Unknown);
    }
    note_rule(selector, name, true);
    let allowed = selector.first_arguments.entry(row.id).or_default();
    if !allowed.iter().any(|known| known.eq_ignore_ascii_case(argument)) {
        allowed.push(argument.to_vec());
    }
    Ok(())
}

/// Adds to the rules that are shown; what it overrides goes: the same command or category, and subcommands of the command.
fn note_rule(selector: &mut Selector, rule: &[u8], allow: bool) {
    let rule = rule.to_ascii_lowercase();
    let is_overridden = |known: &Vec<u8>| match known[1..].strip_prefix(rule.as_slice()) {
        Some(rest) => matches!(rest, [] | [b'|', ..]),
        None => false,
    };
    selector.rules.retain(|known| !is_overridden(known));
    selector.rules.push([if allow { b"+".as_slice() } else { b"-" }, &rule].concat());
}

/// The words of ACL SETUSER with those of each selector put together.
pub fn merged(words: &[&[u8]]) -> Result<Vec<Vec<u8>>, Vec<u8>> {
    let mut merged: Vec<Vec<u8>> = Vec::with_capacity(words.len());
    let mut open: Option<(&[u8], Vec<u8>)> = None;
    for word in words {
        let is_first = open.is_none() && word.first() == Some(&b'(') && word.last() != Some(&b')');
        match &mut open {
            _ if is_first => open = Some((word, word.to_vec())),
            Some((_, text)) => {
                text.push(b' ');
                text.extend_from_slice(word);
                if word.last() == Some(&b')') {
                    merged.extend(open.take().map(|(_, text)| text));
                }
            }
            None => merged.push(word.to_vec()),
        }
    }
    open.map_or(Ok(merged), |(first, _)| Err(first.to_vec()))
}

/// The rules for commands.
pub fn describe_commands(selector: &Selector) -> Vec<u8> {
    let first = if selector.commands.began_full() { b"+@all".as_slice() } else { b"-@all" };
    std::iter::once(first).chain(selector.rules.iter().map(Vec::as_slice)).collect::<Vec<_>>().join(&b' ')
}

/// The rules for keys.
pub fn describe_keys(selector: &Selector) -> Vec<u8> {
    if selector.all_keys {
        return b"~*".to_vec();
    }
    let one = |known: &KeyPattern| {
        let sign: &[u8] = match known.allows {
            Use { reads: true, writes: false } => b"%R~",
            Use { reads: false, writes: true } => b"%W~",
            _ => b"~",
        };
        [sign, &known.pattern].concat()
    };
    selector.keys.iter().map(one).collect::<Vec<_>>().join(&b' ')
}

/// The rules for channels.
pub fn describe_channels(selector: &Selector) -> Vec<u8> {
    if selector.all_channels {
        return b"&*".to_vec();
    }
    selector.channels.iter().map(|channel| [b"&", channel.as_slice()].concat()).collect::<Vec<_>>().join(&b' ')
}

fn describe_selector(selector: &Selector) -> Vec<u8> {
    let channels = describe_channels(selector);
    let channels: Vec<u8> = if selector.all_channels {
        channels
    } else if channels.is_empty() {
        b"resetchannels".to_vec()
    } else {
        [b"resetchannels ", channels.as_slice()].concat()
    };
    let parts = [describe_keys(selector), channels, describe_commands(selector)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(&b' ')
}

/// What a user's flags are called.
pub fn flags(user: &User) -> impl Iterator<Item = &'static str> {
    let sanitizing = if user.skips_sanitizing { "skip-sanitize-payload" } else { "sanitize-payload" };
    [(if user.enabled { "on" } else { "off" }, true), ("nopass", user.nopass), (sanitizing, true)]
        .into_iter()
        .filter(|(_, set)| *set)
        .map(|(name, _)| name)
}

/// A password's hash in hexadecimal.
pub fn hash_text(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The rules that make this user of a new one.
pub fn describe(user: &User) -> Vec<u8> {
    let mut words: Vec<Vec<u8>> = flags(user).map(|flag| flag.as_bytes().to_vec()).collect();
    words.extend(user.passwords.iter().map(|hash| format!("#{}", hash_text(hash)).into_bytes()));
    for (at, selector) in user.selectors.iter().enumerate() {
        let text = describe_selector(selector);
        words.push(if at == 0 { text } else { [b"(", text.as_slice(), b")"].concat() });
    }
    words.join(&b' ')
}
