//! What holds for a command as a whole: flags and ACL categories.

/// A set of [`super::Spec`] properties that dispatch and clients act on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(u32);

impl Flags {
    /// No property at all.
    pub const NONE: Flags = Flags(0);

    /// Whether every bit of `other` is set.
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    pub const fn and(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// The names of the set bits that `COMMAND` lists, in its order.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let listed = FLAG_NAMES.iter().filter(move |(flag, _)| self.has(*flag) && *flag != MAY_REPLICATE);
        listed.map(|(_, name)| *name)
    }
}

macro_rules! flags {
    ($($name:ident = $bit:literal, $wire:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub const $name: Flags = Flags(1 << $bit);)*
        const FLAG_NAMES: &[(Flags, &str)] = &[$(($name, $wire)),*];
    };
}

flags! {
    WRITE = 0, "write", "May change the data.";
    READONLY = 1, "readonly", "Reads data and never changes them.";
    DENYOOM = 2, "denyoom", "Refused when memory is above `maxmemory`, for it may need more.";
    ADMIN = 4, "admin", "For operators.";
    PUBSUB = 5, "pubsub", "Publish/subscribe.";
    NOSCRIPT = 6, "noscript", "Not to be called from a script.";
    BLOCKING = 7, "blocking", "May wait for an event.";
    LOADING = 8, "loading", "Allowed while data are being loaded.";
    STALE = 9, "stale", "Allowed on a replica that lost its primary and does not serve stale data.";
    SKIP_MONITOR = 10, "skip_monitor", "Not shown to MONITOR.";
    SKIP_SLOWLOG = 11, "skip_slowlog", "Not recorded by the slow log.";
    ASKING = 12, "asking", "Acts as if the connection had sent ASKING (cluster).";
    FAST = 13, "fast", "Constant or logarithmic time.";
    NO_AUTH = 14, "no_auth", "Allowed before authentication.";
    MAY_REPLICATE = 15, "may_replicate", "No write, yet it may add to the effect stream. `COMMAND` does not list it.";
    NO_MANDATORY_KEYS = 16, "no_mandatory_keys", "Key positions exist, but a call without keys is valid.";
    NO_ASYNC_LOADING = 17, "no_async_loading", "Refused while a replica loads beside its old data.";
    NO_MULTI = 18, "no_multi", "Refused inside MULTI.";
    ALLOW_BUSY = 19, "allow_busy", "Allowed while a script blocks the server.";
    MOVABLEKEYS = 20, "movablekeys", "Key positions depend on the arguments.";
}

/// ACL categories. A row names only the ones that do not follow from its flags; see [`super::Spec::categories`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Categories(u32);

impl Categories {
    /// No category.
    pub const NONE: Categories = Categories(0);

    /// Whether every category of `other` is set.
    pub const fn has(self, other: Categories) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    pub const fn and(self, other: Categories) -> Categories {
        Categories(self.0 | other.0)
    }

    /// All of them.
    pub const fn all() -> Categories {
        let (mut all, mut at) = (Categories::NONE, 0);
        while at < CATEGORY_NAMES.len() {
            all = all.and(CATEGORY_NAMES[at].0);
            at += 1;
        }
        all
    }

    /// The category with this name (without `@`), compared without case.
    pub fn named(name: &[u8]) -> Option<Categories> {
        CATEGORY_NAMES.iter().find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(name)).map(|(bit, _)| *bit)
    }

    /// The names without `@`, in the order in which `COMMAND` and `ACL CAT` list them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        CATEGORY_NAMES.iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, name)| *name)
    }
}

macro_rules! categories {
    ($($name:ident = $bit:literal, $wire:literal;)*) => {
        /// One constant a category.
        #[allow(missing_docs)]
        pub mod acl {
            use super::Categories;
            $(pub const $name: Categories = Categories(1 << $bit);)*
        }
        const CATEGORY_NAMES: &[(Categories, &str)] = &[$((acl::$name, $wire)),*];
    };
}

categories! {
    KEYSPACE = 0, "keyspace";
    READ = 1, "read";
    WRITE = 2, "write";
    SET = 3, "set";
    SORTEDSET = 4, "sortedset";
    LIST = 5, "list";
    HASH = 6, "hash";
    STRING = 7, "string";
    BITMAP = 8, "bitmap";
    HYPERLOGLOG = 9, "hyperloglog";
    GEO = 10, "geo";
    STREAM = 11, "stream";
    PUBSUB = 12, "pubsub";
    ADMIN = 13, "admin";
    FAST = 14, "fast";
    SLOW = 15, "slow";
    BLOCKING = 16, "blocking";
    DANGEROUS = 17, "dangerous";
    CONNECTION = 18, "connection";
    TRANSACTION = 19, "transaction";
    SCRIPTING = 20, "scripting";
}
