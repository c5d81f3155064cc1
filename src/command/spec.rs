//! What a command is, as data: one [`Spec`] a command and subcommand.
//!
//! The rows live in `command/table/`, one file a family; dispatch, `COMMAND`, key extraction and (later) ACL rules read
//! them. A row states facts about the contract and nothing about how a command works: that is its handler's business.
//! Everything is `const`, so that the whole table is read-only data of the binary and a lookup allocates nothing.
//!
//! What always holds: names are lower case; a subcommand's name carries its container's (`config|get`); key specs come
//! in the order in which clients expect them; a container has subcommands, and every other row is a leaf.

mod arguments;
mod keys;
mod properties;

pub use arguments::{Arg, ArgKind, block, double, integer, key, one_of, pattern, string, unix_time, word};
pub use keys::*;
pub use properties::*;

use super::Handler;
use super::key_positions::KeyFinder;

/// The family under which documentation lists a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    PubSub,
    Transactions,
    Connection,
    Server,
    Scripting,
    HyperLogLog,
    Cluster,
    Geo,
    Stream,
    Bitmap,
}

impl Group {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::List => "list",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Hash => "hash",
            Group::PubSub => "pubsub",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::Scripting => "scripting",
            Group::HyperLogLog => "hyperloglog",
            Group::Cluster => "cluster",
            Group::Geo => "geo",
            Group::Stream => "stream",
            Group::Bitmap => "bitmap",
        }
    }
}

/// One row of the command table: a command, or a subcommand of a container.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// In lower case; a subcommand carries its container: `config|get`.
    pub name: &'static str,
    /// Number of arguments with the name (and the container's); negative: at least that many.
    pub arity: i32,
    /// The family.
    pub group: Group,
    /// The Redis version that brought it.
    pub since: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// The cost of a call.
    pub complexity: &'static str,
    /// Properties.
    pub flags: Flags,
    /// Categories beyond those that follow from the flags.
    pub explicit_categories: Categories,
    /// Where the keys stand.
    pub keys: &'static [KeySpec],
    /// What finds the keys where [`Spec::keys`] cannot say it all.
    pub key_finder: Option<KeyFinder>,
    /// The argument tree.
    pub args: &'static [Arg],
    /// Hints for clients and proxies.
    pub tips: &'static [&'static str],
    /// What changed, by version.
    pub history: &'static [(&'static str, &'static str)],
    /// From when, and for what, the command should be given up.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Whether it is the server's own tool and not for applications.
    pub system: bool,
    /// The rows of a container's subcommands.
    pub subcommands: &'static [Spec],
    /// What runs it; none for a container whose subcommands do the work.
    pub handler: Option<Handler>,
}

impl Spec {
    /// A row without flags, keys or handler.
    pub const fn new(name: &'static str, arity: i32, group: Group, since: &'static str) -> Spec {
        Spec {
            name,
            arity,
            group,
            since,
            summary: "",
            complexity: "",
            flags: Flags::NONE,
            explicit_categories: Categories::NONE,
            keys: &[],
            key_finder: None,
            args: &[],
            tips: &[],
            history: &[],
            deprecated: None,
            system: false,
            subcommands: &[],
            handler: None,
        }
    }

    /// What it does, and the cost of a call.
    pub const fn about(mut self, summary: &'static str, complexity: &'static str) -> Spec {
        self.summary = summary;
        self.complexity = complexity;
        self
    }

    /// Properties.
    pub const fn flags(mut self, flags: &[Flags]) -> Spec {
        let mut at = 0;
        while at < flags.len() {
            self.flags = self.flags.and(flags[at]);
            at += 1;
        }
        self
    }

    /// Categories beyond those that follow from the flags.
    pub const fn acl(mut self, categories: &[Categories]) -> Spec {
        let mut at = 0;
        while at < categories.len() {
            self.explicit_categories = self.explicit_categories.and(categories[at]);
            at += 1;
        }
        self
    }

    /// Where the keys stand.
    pub const fn keys(mut self, keys: &'static [KeySpec]) -> Spec {
        self.keys = keys;
        self
    }

    /// What finds the keys where the key specs cannot say it all.
    pub const fn finds_keys_by(mut self, finder: KeyFinder) -> Spec {
        self.key_finder = Some(finder);
        self
    }

    /// The argument tree.
    pub const fn args(mut self, args: &'static [Arg]) -> Spec {
        self.args = args;
        self
    }

    /// Hints for clients and proxies.
    pub const fn tips(mut self, tips: &'static [&'static str]) -> Spec {
        self.tips = tips;
        self
    }

    /// What changed, by version.
    pub const fn history(mut self, history: &'static [(&'static str, &'static str)]) -> Spec {
        self.history = history;
        self
    }

    /// From when, and for what, the command should be given up.
    pub const fn deprecated(mut self, since: &'static str, replaced_by: &'static str) -> Spec {
        self.deprecated = Some((since, replaced_by));
        self
    }

    /// Marks the server's own tool.
    pub const fn system(mut self) -> Spec {
        self.system = true;
        self
    }

    /// The rows of a container's subcommands.
    pub const fn subcommands(mut self, subcommands: &'static [Spec]) -> Spec {
        self.subcommands = subcommands;
        self
    }

    /// What runs it.
    pub const fn handler(mut self, handler: Handler) -> Spec {
        self.handler = Some(handler);
        self
    }

    /// The name without the container's.
    pub fn short_name(&self) -> &'static str {
        self.name.rsplit('|').next().unwrap_or(self.name)
    }

    /// Whether a call with this many arguments (the name included) is well formed.
    pub const fn accepts(&self, arguments: usize) -> bool {
        let arity = self.arity.unsigned_abs() as usize;
        if self.arity < 0 { arguments >= arity } else { arguments == arity }
    }

    /// All ACL categories: the explicit ones and those that follow from the flags.
    pub const fn categories(&self) -> Categories {
        let mut all = self.explicit_categories;
        if self.flags.has(WRITE) {
            all = all.and(acl::WRITE);
        }
        if self.flags.has(READONLY) && !all.has(acl::SCRIPTING) {
            all = all.and(acl::READ);
        }
        if self.flags.has(ADMIN) {
            all = all.and(acl::ADMIN).and(acl::DANGEROUS);
        }
        if self.flags.has(PUBSUB) {
            all = all.and(acl::PUBSUB);
        }
        if self.flags.has(BLOCKING) {
            all = all.and(acl::BLOCKING);
        }
        if self.flags.has(FAST) { all.and(acl::FAST) } else { all.and(acl::SLOW) }
    }
}
