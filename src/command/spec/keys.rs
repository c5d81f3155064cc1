//! Where the keys stand among a command's arguments, and how they are used.

/// How a command uses the keys of one key spec.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Access(u16);

impl Access {
    /// Whether every bit of `other` is set.
    pub const fn has(self, other: Access) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    pub const fn and(self, other: Access) -> Access {
        Access(self.0 | other.0)
    }

    /// All of these together.
    pub const fn all(sets: &[Access]) -> Access {
        let (mut all, mut at) = (Access(0), 0);
        while at < sets.len() {
            all = all.and(sets[at]);
            at += 1;
        }
        all
    }

    /// The set without the bits of `other`.
    pub const fn without(self, other: Access) -> Access {
        Access(self.0 & !other.0)
    }

    /// The names of the set bits, in the order in which `COMMAND` lists them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        ACCESS_NAMES.iter().filter(move |(bit, _)| self.has(*bit)).map(|(_, name)| *name)
    }
}

macro_rules! accesses {
    ($($name:ident = $bit:literal, $wire:literal, $doc:literal;)*) => {
        $(#[doc = $doc] pub const $name: Access = Access(1 << $bit);)*
        const ACCESS_NAMES: &[(Access, &str)] = &[$(($name, $wire)),*];
    };
}

accesses! {
    RO = 0, "RO", "Reads the value, or facts about it.";
    RW = 1, "RW", "Reads and writes the value.";
    OW = 2, "OW", "Overwrites the value without looking at it.";
    RM = 3, "RM", "Removes the key.";
    ACCESS = 4, "access", "User data are returned, copied or compared.";
    UPDATE = 5, "update", "User data are changed.";
    INSERT = 6, "insert", "User data are added, and nothing that was there changes.";
    DELETE = 7, "delete", "User data are deleted.";
    NOT_KEY = 8, "not_key", "It looks like a key and has to be routed like one, but is none.";
    INCOMPLETE = 9, "incomplete", "The spec may miss keys.";
    VARIABLE_FLAGS = 10, "variable_flags", "The access depends on the arguments.";
}

/// Where the search for keys begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begin {
    /// At this argument.
    Index(i32),
    /// Behind this keyword, looked for from an argument (backwards from the end if negative).
    Keyword(&'static str, i32),
    /// Cannot be said.
    Unknown,
}

/// How keys are found from where the search begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Find {
    /// Up to `last` (relative to the beginning; negative: from the end), every `step`th argument; with `last` -1, `limit`
    /// above 1 takes only that part of what is left.
    Range {
        /// The last key.
        last: i32,
        /// The distance between keys.
        step: i32,
        /// The divisor.
        limit: i32,
    },
    /// A number stands at `count` (relative to the beginning); the keys begin at `first`.
    KeyNum {
        /// Where the number of keys stands.
        count: i32,
        /// Where the first key stands.
        first: i32,
        /// The distance between keys.
        step: i32,
    },
    /// Cannot be said.
    Unknown,
}

/// One group of keys among a command's arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeySpec {
    /// How the keys are used.
    pub access: Access,
    /// Where they begin.
    pub begin: Begin,
    /// How they follow each other.
    pub find: Find,
    /// A remark that `COMMAND INFO` shows.
    pub notes: Option<&'static str>,
}

impl KeySpec {
    /// One key, at this argument.
    pub const fn one(at: i32, access: &[Access]) -> KeySpec {
        KeySpec::range(at, 0, 1, access)
    }

    /// Keys from argument `first` to `last` (relative to `first`; negative: from the end), every `step`th argument.
    pub const fn range(first: i32, last: i32, step: i32, access: &[Access]) -> KeySpec {
        KeySpec {
            access: Access::all(access),
            begin: Begin::Index(first),
            find: Find::Range { last, step, limit: 0 },
            notes: None,
        }
    }

    /// Keys behind a number that stands at argument `at`.
    pub const fn counted(at: i32, access: &[Access]) -> KeySpec {
        KeySpec {
            access: Access::all(access),
            begin: Begin::Index(at),
            find: Find::KeyNum { count: 0, first: 1, step: 1 },
            notes: None,
        }
    }

    /// Keys whose places cannot be said.
    pub const fn unknown(access: &[Access]) -> KeySpec {
        KeySpec { access: Access::all(access), begin: Begin::Unknown, find: Find::Unknown, notes: None }
    }

    /// The same, with a remark.
    pub const fn notes(mut self, notes: &'static str) -> KeySpec {
        self.notes = Some(notes);
        self
    }
}
