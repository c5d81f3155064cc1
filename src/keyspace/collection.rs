//! The types of values besides strings, and how an [`Entry`](super::Entry) holds them: as eight bytes in the key's
//! allocation, told by [`Stored`].
//!
//! How a family plugs in:
//! 1. `keyspace/NAME.rs` defines the type, mostly `pub struct Hash(Compact<Table<Field>>)`, with what its commands need, and
//!    implements [`Collection`]: what the keyspace asks every type. The settings that decide about its representation come
//!    in as a parameter (see `SetLimits`), for this layer knows no settings.
//! 2. One word in [`collections!`] below, and `mod` and `pub use` in `keyspace/mod.rs`. That makes [`Value`], [`ValueMut`] and
//!    [`Owned`], and with them `Entry`, `Db`, TYPE, SCAN, COPY, RENAME, MOVE, OBJECT, DEBUG, the digests and the lazy freeing.
//! 3. `command/NAME.rs` with the handlers, which read and change values by the methods of `command/values.rs`;
//!    `command/table/NAME.rs` with the rows, and a line for each in `command/mod.rs` and `command/table/mod.rs`.
//! 4. The settings: `remembered()` goes in `engine/config/table/limits.rs`, a line comes in `engine/config/live.rs`;
//!    `ACKD_WRITE_DOCS=1 cargo test --lib configuration` writes the page about them.
//! 5. `tests/differential/generate/NAME.rs`, with a line in `generate/mod.rs`.
//!
//! What always holds: changing a collection in place never moves the entry, so the index of expiring keys stays right
//! without [`Db`](super::Db) having to know of the change. A collection without elements is no value: whoever takes the last
//! one out removes the key.

use std::ptr::NonNull;

use super::hash::Hash;
use super::kind::{Encoding, Kind};
use super::layout::Stored;
use super::list::List;
use super::redis_digest::RedisDigest;
use super::set::Set;
use super::stream::Stream;
use super::zset::Zset;
use crate::base::text::Text;

/// What the keyspace asks a value of any type but string.
pub trait Collection {
    /// How it is represented.
    fn encoding(&self) -> Encoding;

    /// Bytes that it takes in memory besides its eight in the entry. Of a large one so many elements are looked at, and
    /// the others taken to be like them; all if `samples` is zero.
    fn heap_bytes(&self, samples: usize) -> usize;

    /// How much work freeing it is, as Redis counts: allocations, roughly.
    fn free_effort(&self) -> usize;

    /// The digest of everything that a replay must preserve, whatever the representation; see `digest.rs`.
    fn digest(&self) -> u128;

    /// Mixes the elements into the digest of DEBUG DIGEST.
    fn redis_digest(&self, digest: &mut RedisDigest);

    /// Bytes that it takes in an RDB file without compression.
    fn serialized_len(&self) -> usize;

    /// Number of buckets and of entries, if it is a hash table.
    fn table_sizes(&self) -> Option<(usize, usize)> {
        None
    }
}

/// A type of value that an entry can hold.
pub trait Family: Collection + Into<Owned> {
    /// The value, if it is of this type.
    fn of(value: Value<'_>) -> Option<&Self>;

    /// The same for changing it.
    fn of_mut(value: ValueMut<'_>) -> Option<&mut Self>;
}

macro_rules! collections {
    ($($kind:ident),+ $(,)?) => {
        /// A value, by its type.
        #[derive(Clone, Copy)]
        #[allow(missing_docs)]
        pub enum Value<'a> {
            String(Text<'a>),
            $($kind(&'a $kind),)+
        }

        /// A value that is changed in place, by its type.
        #[allow(missing_docs)]
        pub enum ValueMut<'a> {
            $($kind(&'a mut $kind),)+
        }

        /// A value of its own, by its type.
        #[derive(Clone)]
        #[allow(missing_docs)]
        pub enum Owned {
            $($kind($kind),)+
        }

        impl<'a> Value<'a> {
            /// The value, if it is no string.
            pub fn collection(self) -> Option<&'a dyn Collection> {
                match self {
                    Self::String(_) => None,
                    $(Self::$kind(value) => Some(value),)+
                }
            }

            /// A copy of its own, if it is no string.
            pub(super) fn to_owned(self) -> Option<Owned> {
                match self {
                    Self::String(_) => None,
                    $(Self::$kind(value) => Some(Owned::$kind(value.clone())),)+
                }
            }

            /// The collection in a payload.
            ///
            /// # Safety
            /// `payload` is that of a living entry stored so, and is not changed during `'a`.
            pub(super) unsafe fn at(stored: Stored, payload: NonNull<u64>) -> Option<Self> {
                match stored {
                    // SAFETY: `Owned::write` put a value of this type there; the caller answers for the lifetime.
                    $(Stored::$kind => Some(Self::$kind(unsafe { payload.cast().as_ref() })),)+
                    _ => None,
                }
            }
        }

        impl<'a> ValueMut<'a> {
            /// The collection in a payload.
            ///
            /// # Safety
            /// `payload` is that of a living entry stored so, and is not used otherwise during `'a`.
            pub(super) unsafe fn at(stored: Stored, payload: NonNull<u64>) -> Option<Self> {
                match stored {
                    // SAFETY: `Owned::write` put a value of this type there; the caller answers for the lifetime.
                    $(Stored::$kind => Some(Self::$kind(unsafe { payload.cast().as_mut() })),)+
                    _ => None,
                }
            }
        }

        impl Owned {
            /// How an entry with this value is stored.
            pub(super) fn stored(&self) -> Stored {
                match self {
                    $(Self::$kind(_) => Stored::$kind,)+
                }
            }

            /// Puts it into the payload of an entry.
            ///
            /// # Safety
            /// `payload` is that of an entry stored so, and there is no value in it yet.
            pub(super) unsafe fn write(self, payload: NonNull<u64>) {
                match self {
                    // SAFETY: a payload is eight aligned bytes, and so is every collection.
                    $(Self::$kind(value) => unsafe { payload.cast().write(value) },)+
                }
            }

            /// Takes it out of the payload of an entry.
            ///
            /// # Safety
            /// `payload` is that of an entry stored so, and is not read again.
            pub(super) unsafe fn read(stored: Stored, payload: NonNull<u64>) -> Option<Self> {
                match stored {
                    // SAFETY: `write` put a value of this type there, and nobody else will use it.
                    $(Stored::$kind => Some(Self::$kind(unsafe { payload.cast().read() })),)+
                    _ => None,
                }
            }
        }

        $(
            const _: () = assert!(size_of::<$kind>() == size_of::<u64>() && align_of::<$kind>() <= align_of::<u64>());

            impl From<$kind> for Owned {
                fn from(value: $kind) -> Self {
                    Self::$kind(value)
                }
            }

            impl Family for $kind {
                fn of(value: Value<'_>) -> Option<&Self> {
                    match value {
                        Value::$kind(value) => Some(value),
                        _ => None,
                    }
                }

                fn of_mut(value: ValueMut<'_>) -> Option<&mut Self> {
                    match value {
                        ValueMut::$kind(value) => Some(value),
                        _ => None,
                    }
                }
            }
        )+
    };
}

collections!(Hash, List, Set, Stream, Zset);

// `Entry` is declared to be Send: entries go to the thread that frees them.
const _: fn() = || {
    fn is_send<T: Send>() {}
    is_send::<Owned>();
};

impl Stored {
    /// The type of a value that is stored so.
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Int | Self::Embedded | Self::Raw | Self::Boxed | Self::Shared => Kind::String,
            Self::List => Kind::List,
            Self::Set => Kind::Set,
            Self::Zset => Kind::Zset,
            Self::Hash => Kind::Hash,
            Self::Stream => Kind::Stream,
        }
    }
}
