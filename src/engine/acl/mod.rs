//! Who may do what: users, what they are allowed, and a log of what was denied.
//!
//! A connection holds its user; a change of a user replaces it in every connection, so a check looks at nothing else. The
//! commands of the table are numbers here; the language of rules, which knows their names, is `command/acl/rules.rs`. Users
//! are settings and not data: they are no part of the stream of effects, as in Redis.

mod log;
mod user;

use std::collections::BTreeMap;
use std::rc::Rc;

pub use log::{AclLog, Context, Denial, Entry, Reason};
pub use user::{CommandSet, Hash, KeyPattern, Selector, Use, User, hash_of};

/// The user that a new connection is, if that needs no password.
pub const DEFAULT_USER: &[u8] = b"default";

/// All users, by name.
pub struct Acl {
    users: BTreeMap<Vec<u8>, Rc<User>>,
    /// What was denied.
    pub log: AclLog,
}

impl Default for Acl {
    /// One user, who may do everything.
    fn default() -> Self {
        let default = Rc::new(User::unlimited(DEFAULT_USER));
        Self { users: BTreeMap::from([(DEFAULT_USER.to_vec(), default)]), log: AclLog::default() }
    }
}

impl Acl {
    /// The user `default`, who is always there.
    pub fn default_user(&self) -> &Rc<User> {
        self.users.get(DEFAULT_USER).expect("the default user is never removed")
    }

    /// The user of that name.
    pub fn user(&self, name: &[u8]) -> Option<&Rc<User>> {
        self.users.get(name)
    }

    /// All users, by name.
    pub fn users(&self) -> impl Iterator<Item = &Rc<User>> {
        self.users.values()
    }

    /// Puts a user in the place of the one of that name.
    pub fn put(&mut self, user: Rc<User>) {
        self.users.insert(user.name.clone(), user);
    }

    /// Removes a user, but for the default one.
    pub fn remove(&mut self, name: &[u8]) -> Option<Rc<User>> {
        if name == DEFAULT_USER { None } else { self.users.remove(name) }
    }

    /// Puts these users in the place of all there are. A default user that is not among them may do everything.
    pub fn replace_all(&mut self, users: impl IntoIterator<Item = User>) {
        *self = Self { log: std::mem::take(&mut self.log), ..Self::default() };
        users.into_iter().for_each(|user| self.put(Rc::new(user)));
    }

    /// Whether a new connection is let in without a password.
    pub fn is_open(&self) -> bool {
        let default = self.default_user();
        default.nopass && default.enabled
    }
}
