//! Error replies: the texts are Redis', because clients match on them.

use std::borrow::Cow;

/// An error reply, with its code (`ERR …`, `WRONGTYPE …`). Bytes, for it may repeat what a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure(Cow<'static, [u8]>);

impl Failure {
    /// An error with this text.
    pub fn new(text: impl Into<Vec<u8>>) -> Self {
        Self(Cow::Owned(text.into()))
    }

    /// An error with a text that is known at compile time.
    pub const fn fixed(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }

    /// The text.
    pub fn text(&self) -> &[u8] {
        &self.0
    }
}

impl From<&'static str> for Failure {
    fn from(text: &'static str) -> Self {
        Self::fixed(text)
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Vec<u8>> for Failure {
    fn from(text: Vec<u8>) -> Self {
        Self::new(text)
    }
}

/// A snapshot failed, and the settings refuse writes then.
pub const SNAPSHOT_FAILED: Failure = Failure::fixed(
    "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk. Commands that may \
     modify the data set are disabled, because this instance is configured to report errors during writes if RDB \
     snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.",
);

/// The key holds a value of another type.
pub const WRONG_TYPE: Failure = Failure::fixed("WRONGTYPE Operation against a key holding the wrong kind of value");
/// Options that do not fit.
pub const SYNTAX: Failure = Failure::fixed("ERR syntax error");
/// Not a 64-bit integer.
pub const NOT_AN_INTEGER: Failure = Failure::fixed("ERR value is not an integer or out of range");
/// Not a floating-point number.
pub const NOT_A_FLOAT: Failure = Failure::fixed("ERR value is not a valid float");
/// The key does not exist.
pub const NO_SUCH_KEY: Failure = Failure::fixed("ERR no such key");
/// An index behind the end.
pub const INDEX_OUT_OF_RANGE: Failure = Failure::fixed("ERR index out of range");
/// The result of an increment does not fit.
pub const OVERFLOW: Failure = Failure::fixed("ERR increment or decrement would overflow");
/// The password is missing.
pub const NO_AUTH: Failure = Failure::fixed("NOAUTH Authentication required.");
/// Recovery is under way.
pub const LOADING: Failure = Failure::fixed("LOADING Redis is loading the dataset in memory");
