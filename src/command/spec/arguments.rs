//! The argument tree, from which clients build hints.

/// What an argument is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum ArgKind {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
}

impl ArgKind {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            ArgKind::String => "string",
            ArgKind::Integer => "integer",
            ArgKind::Double => "double",
            ArgKind::Key => "key",
            ArgKind::Pattern => "pattern",
            ArgKind::UnixTime => "unix-time",
            ArgKind::PureToken => "pure-token",
            ArgKind::OneOf => "oneof",
            ArgKind::Block => "block",
        }
    }
}

/// A node of a command's argument tree, from which clients build hints.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// The name in the tree.
    pub name: &'static str,
    /// What it is.
    pub kind: ArgKind,
    /// The word that introduces it, or that it is.
    pub token: Option<&'static str>,
    /// The key spec that finds it.
    pub key_spec: Option<i64>,
    /// May be left out.
    pub optional: bool,
    /// May be repeated.
    pub multiple: bool,
    /// The token is repeated too.
    pub multiple_token: bool,
    /// The version that brought it.
    pub since: Option<&'static str>,
    /// The version from which it should not be used.
    pub deprecated_since: Option<&'static str>,
    /// What to show instead of the name.
    pub display: Option<&'static str>,
    /// What it does, in a sentence.
    pub summary: Option<&'static str>,
    /// The parts of a block, or the choices.
    pub args: &'static [Arg],
}

impl Arg {
    const fn new(name: &'static str, kind: ArgKind) -> Arg {
        Arg {
            name,
            kind,
            token: None,
            key_spec: None,
            optional: false,
            multiple: false,
            multiple_token: false,
            since: None,
            deprecated_since: None,
            display: None,
            summary: None,
            args: &[],
        }
    }

    /// May be left out.
    pub const fn optional(mut self) -> Arg {
        self.optional = true;
        self
    }

    /// The same where it may not be left out.
    pub const fn required(mut self) -> Arg {
        self.optional = false;
        self
    }

    /// May be repeated.
    pub const fn multiple(mut self) -> Arg {
        self.multiple = true;
        self
    }

    /// May be repeated, and its token with it.
    pub const fn multiple_token(mut self) -> Arg {
        self.multiple = true;
        self.multiple_token = true;
        self
    }

    /// Follows this word.
    pub const fn token(mut self, token: &'static str) -> Arg {
        self.token = Some(token);
        self
    }

    /// The version that brought it.
    pub const fn since(mut self, version: &'static str) -> Arg {
        self.since = Some(version);
        self
    }

    /// The version from which it should not be used.
    pub const fn deprecated_since(mut self, version: &'static str) -> Arg {
        self.deprecated_since = Some(version);
        self
    }

    /// Leads to keys of the key spec with this index.
    pub const fn of_key(mut self, key_spec: i64) -> Arg {
        self.key_spec = Some(key_spec);
        self
    }

    /// What to show instead of the name.
    pub const fn display(mut self, text: &'static str) -> Arg {
        self.display = Some(text);
        self
    }

    /// What it does, in a sentence.
    pub const fn summary(mut self, text: &'static str) -> Arg {
        self.summary = Some(text);
        self
    }
}

/// A key, found by the key spec with this index.
pub const fn key(name: &'static str, key_spec: i64) -> Arg {
    let mut arg = Arg::new(name, ArgKind::Key);
    arg.key_spec = Some(key_spec);
    arg
}

/// Any bytes.
pub const fn string(name: &'static str) -> Arg {
    Arg::new(name, ArgKind::String)
}

/// A 64-bit number.
pub const fn integer(name: &'static str) -> Arg {
    Arg::new(name, ArgKind::Integer)
}

/// A floating-point number.
pub const fn double(name: &'static str) -> Arg {
    Arg::new(name, ArgKind::Double)
}

/// A glob.
pub const fn pattern(name: &'static str) -> Arg {
    Arg::new(name, ArgKind::Pattern)
}

/// A moment, as seconds or milliseconds since 1970.
pub const fn unix_time(name: &'static str) -> Arg {
    Arg::new(name, ArgKind::UnixTime)
}

/// A word that stands for itself.
pub const fn word(name: &'static str, token: &'static str) -> Arg {
    Arg::new(name, ArgKind::PureToken).token(token)
}

/// One of these.
pub const fn one_of(name: &'static str, args: &'static [Arg]) -> Arg {
    let mut arg = Arg::new(name, ArgKind::OneOf);
    arg.args = args;
    arg
}

/// All of these, in order.
pub const fn block(name: &'static str, args: &'static [Arg]) -> Arg {
    let mut arg = Arg::new(name, ArgKind::Block);
    arg.args = args;
    arg
}
