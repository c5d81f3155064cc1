//! Why bytes are no RDB file, or none that can be read.

use std::fmt;
use std::io;

/// What is wrong, and where.
#[derive(Debug, thiserror::Error)]
#[error("at byte {offset}: {fault}")]
pub struct Error {
    /// Offset in the file, or in the payload of DUMP: of the first byte that does not fit, or where reading ended.
    pub offset: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What can be wrong.
#[derive(Debug)]
pub enum Fault {
    /// Reading itself failed.
    Io(io::Error),
    /// The bytes end before the file does.
    Truncated,
    /// It does not begin with `REDIS` or `VALKEY` and four digits.
    NotRdb,
    /// A version that is not known.
    Version(u32),
    /// The bytes are not what the checksum at their end says.
    Checksum {
        /// What stands there.
        stored: u64,
        /// What the bytes give.
        computed: u64,
    },
    /// A type of values that is not known.
    Type(u8),
    /// Data of a module, which only that module understands.
    Module(String),
    /// Something that cannot be.
    Malformed(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot read: {error}"),
            Self::Truncated => f.write_str("the file ends too early"),
            Self::NotRdb => f.write_str("this is no RDB file: it does not begin with REDIS or VALKEY and a version"),
            Self::Version(version) => write!(f, "RDB version {version} is not known"),
            Self::Checksum { stored, computed } => {
                write!(f, "the checksum is {stored:016x}, but the bytes give {computed:016x}")
            }
            Self::Type(code) => write!(f, "values of type {code} are not known"),
            Self::Module(name) => write!(f, "data of the module {name:?}, which cannot be read without it"),
            Self::Malformed(what) => f.write_str(what),
        }
    }
}
