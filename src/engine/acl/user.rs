//! One user: passwords, and selectors, each of which allows some commands on some keys and channels.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::base::glob;

/// A password is known by its SHA-256 only.
pub type Hash = [u8; 32];

/// How keys are used that a pattern allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// User data are read.
    pub reads: bool,
    /// User data are changed.
    pub writes: bool,
}

impl Use {
    /// Both.
    pub const ALL: Use = Use { reads: true, writes: true };

    fn covers(self, other: Use) -> bool {
        (self.reads || !other.reads) && (self.writes || !other.writes)
    }

    /// Either.
    pub fn and(self, other: Use) -> Use {
        Use { reads: self.reads || other.reads, writes: self.writes || other.writes }
    }
}

/// Keys that may be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPattern {
    /// How.
    pub allows: Use,
    /// Which, as a glob.
    pub pattern: Vec<u8>,
}

/// A set of rows of the command table.
#[derive(Clone, Debug, Default)]
pub struct CommandSet {
    words: Vec<u64>,
    /// What counts for rows beyond those that were named: what `+@all` and `-@all` say.
    rest: bool,
}

impl PartialEq for CommandSet {
    fn eq(&self, other: &Self) -> bool {
        let ids = self.words.len().max(other.words.len()) * 64;
        self.rest == other.rest && (0..ids).all(|id| self.has(id) == other.has(id))
    }
}

impl Eq for CommandSet {}

impl CommandSet {
    /// All rows, or none.
    pub fn filled(full: bool) -> Self {
        Self { words: Vec::new(), rest: full }
    }

    /// Whether a row is in it.
    pub fn has(&self, id: usize) -> bool {
        self.words.get(id / 64).map_or(self.rest, |word| word >> (id % 64) & 1 == 1)
    }

    /// Adds a row or takes it out.
    pub fn set(&mut self, id: usize, is_in: bool) {
        if self.words.len() <= id / 64 {
            self.words.resize(id / 64 + 1, if self.rest { u64::MAX } else { 0 });
        }
        let bit = 1 << (id % 64);
        let word = &mut self.words[id / 64];
        *word = if is_in { *word | bit } else { *word & !bit };
    }

    /// Whether it began with all rows.
    pub fn began_full(&self) -> bool {
        self.rest
    }
}

/// What is allowed together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector {
    /// Every command.
    pub all_commands: bool,
    /// Every key.
    pub all_keys: bool,
    /// Every channel.
    pub all_channels: bool,
    /// Commands by number.
    pub commands: CommandSet,
    /// Of commands that are not allowed: what their first argument may be (`+select|0`).
    pub first_arguments: BTreeMap<usize, Vec<Vec<u8>>>,
    /// The rules that made `commands`, as they are shown.
    pub rules: Vec<Vec<u8>>,
    /// Keys.
    pub keys: Vec<KeyPattern>,
    /// Channels, as globs.
    pub channels: Vec<Vec<u8>>,
}

impl Selector {
    /// Whether everything is allowed.
    pub fn is_unlimited(&self) -> bool {
        self.all_commands && self.all_keys && self.all_channels
    }

    /// Whether a key may be used so.
    pub fn allows_key(&self, key: &[u8], used: Use) -> bool {
        let fits = |known: &KeyPattern| known.allows.covers(used) && glob::matches(&known.pattern, key);
        self.all_keys || self.keys.iter().any(fits)
    }

    /// Whether every key may be used so.
    pub fn allows_every_key(&self, used: Use) -> bool {
        self.all_keys || self.keys.iter().any(|known| known.allows.covers(used) && known.pattern == b"*")
    }

    /// Whether a channel may be used, or a pattern of channels, which must be listed as it is.
    pub fn allows_channel(&self, channel: &[u8], is_pattern: bool) -> bool {
        let fits = |known: &Vec<u8>| if is_pattern { known == channel } else { glob::matches(known, channel) };
        self.all_channels || self.channels.iter().any(fits)
    }
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name.
    pub name: Vec<u8>,
    /// Whether it can log in.
    pub enabled: bool,
    /// Whether any password will do.
    pub nopass: bool,
    /// `skip-sanitize-payload`: kept and shown. What RESTORE takes is verified all the same.
    pub skips_sanitizing: bool,
    /// In the order in which they were added.
    pub passwords: Vec<Hash>,
    /// The first is the one that rules outside of parentheses change; it is always there.
    pub selectors: Vec<Selector>,
    /// Whether there is a selector that allows everything, so that nothing need be checked.
    pub is_unlimited: bool,
}

impl User {
    /// A new user as ACL SETUSER makes it: it cannot log in, and may do nothing.
    pub fn new(name: &[u8], all_channels: bool) -> Self {
        Self {
            name: name.to_vec(),
            enabled: false,
            nopass: false,
            skips_sanitizing: false,
            passwords: Vec::new(),
            selectors: vec![Selector { all_channels, ..Selector::default() }],
            is_unlimited: false,
        }
    }

    /// A user who may do everything without a password.
    pub fn unlimited(name: &[u8]) -> Self {
        let everything = Selector {
            all_commands: true,
            all_keys: true,
            all_channels: true,
            commands: CommandSet::filled(true),
            ..Selector::default()
        };
        Self { enabled: true, nopass: true, selectors: vec![everything], is_unlimited: true, ..Self::new(name, false) }
    }

    /// What rules outside of parentheses change.
    pub fn root(&mut self) -> &mut Selector {
        self.selectors.first_mut().expect("a user has its first selector")
    }

    /// Whether this is one of its passwords. All are compared, each in the same time, so that the time tells nothing.
    pub fn has_password(&self, given: &[u8]) -> bool {
        let given = hash_of(given);
        let fits = self.passwords.iter().fold(subtle::Choice::from(0), |fits, known| fits | known.ct_eq(&given));
        bool::from(fits) || self.nopass
    }

    /// Lets it have this password, too.
    pub fn add_password(&mut self, hash: Hash) {
        if !self.passwords.contains(&hash) {
            self.passwords.push(hash);
        }
        self.nopass = false;
    }
}

/// By what a password is known.
pub fn hash_of(password: &[u8]) -> Hash {
    Sha256::digest(password).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_commands_remembers_what_it_began_with() {
        for full in [false, true] {
            let mut set = CommandSet::filled(full);
            assert!(set.has(3) == full && set.has(700) == full);
            set.set(3, !full);
            assert!(set.has(3) != full && set.has(2) == full && set.has(64) == full && set.began_full() == full);
            set.set(3, full);
            assert_eq!(set.has(3), full);
        }
    }

    #[test]
    fn a_pattern_allows_what_it_says_and_a_pattern_of_channels_is_taken_literally() {
        let keys = vec![KeyPattern { allows: Use { reads: true, writes: false }, pattern: b"a*".to_vec() }];
        let selector = Selector { keys, channels: vec![b"c*".to_vec()], ..Selector::default() };
        let (reads, writes) = (Use { reads: true, writes: false }, Use { reads: false, writes: true });
        assert!(selector.allows_key(b"ab", reads) && !selector.allows_key(b"b", reads));
        assert!(!selector.allows_key(b"ab", writes) && !selector.allows_key(b"ab", Use::ALL));
        assert!(selector.allows_key(b"ab", Use::default()), "who only asks whether it is there");
        assert!(selector.allows_channel(b"cd", false) && !selector.allows_channel(b"cd*", true));
        assert!(selector.allows_channel(b"c*", true));
    }

    #[test]
    fn passwords_are_known_by_their_hash() {
        let mut user = User::new(b"u", false);
        assert!(!user.has_password(b""));
        user.add_password(hash_of(b"secret"));
        assert!(user.has_password(b"secret") && !user.has_password(b"secret "));
        user.nopass = true;
        assert!(user.has_password(b"anything"));
    }
}
