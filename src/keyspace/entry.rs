//! One key with its value: a pointer to a single allocation, laid out in `layout.rs`.
//!
//! [`Db`](super::Db) owns entries and is the only one that changes them, because a change may move the allocation and
//! the index of expiring keys points at it too. What always holds: an integer is stored as [`Encoding::Int`] only in
//! its canonical form, so an entry's bytes never depend on how they came to be.

use bytes::Bytes;

use super::block;
use super::collection::{Family, Owned, Value, ValueMut};
use super::hash::Hash;
use super::kind::{Encoding, Kind};
use super::layout::{Address, INLINE_MAX, Shape, Stored};
use super::table::Keyed;
use crate::base::number;
use crate::base::text::Text;

/// The longest string with the encoding `embstr`.
pub const EMBEDDED_MAX: usize = 44;

/// What a string that grows gets beyond its length, in bytes, as in Redis: to double a long one takes long.
const AHEAD_MAX: usize = 1 << 20;

/// Gives a string that is changed in place room for `len` bytes, and for some more if it has to move.
pub fn make_room(buffer: &mut Vec<u8>, len: usize) {
    if len > buffer.capacity() {
        buffer.reserve_exact(len - buffer.len() + len.min(AHEAD_MAX));
    }
}

/// A key with its value, expiry time and the 24 bits about its last use.
#[repr(transparent)]
pub struct Entry(Address);

// SAFETY: an entry owns its allocation and everything in it is Send; it is only not Sync (`touch`).
unsafe impl Send for Entry {}

/// What goes into a new entry.
enum Payload<'a> {
    Int(i64),
    Embedded(&'a [u8]),
    Raw(&'a [u8]),
    Boxed(Vec<u8>),
    Shared(Bytes),
    Collection(Owned),
}

impl<'a> Payload<'a> {
    /// The representation that SET chooses.
    fn of(value: &'a [u8]) -> Self {
        match number::parse_i64(value) {
            Some(int) => Self::Int(int),
            None if value.len() <= EMBEDDED_MAX => Self::Embedded(value),
            None if value.len() <= INLINE_MAX => Self::Raw(value),
            None => Self::Boxed(value.to_vec()),
        }
    }
}

impl Entry {
    /// A string, encoded as SET does.
    pub fn string(key: &[u8], value: &[u8], expiry: Option<i64>) -> Self {
        Self::build(key, Payload::of(value), expiry, 0)
    }

    /// A string that is never encoded as an integer, as Redis stores computed values.
    pub fn plain_string(key: &[u8], value: &[u8], expiry: Option<i64>) -> Self {
        let payload = if value.len() <= EMBEDDED_MAX { Payload::Embedded(value) } else { Payload::of(value) };
        Self::build(key, payload, expiry, 0)
    }

    /// A large string, in memory that others may hold too.
    pub fn shared(key: &[u8], value: Bytes, expiry: Option<i64>) -> Self {
        debug_assert!(value.len() > INLINE_MAX, "a short string is stored with its key");
        Self::build(key, Payload::Shared(value), expiry, 0)
    }

    /// A string that will be changed in place.
    pub fn buffer(key: &[u8], value: Vec<u8>, expiry: Option<i64>) -> Self {
        Self::build(key, Payload::Boxed(value), expiry, 0)
    }

    /// An integer.
    pub fn int(key: &[u8], value: i64, expiry: Option<i64>) -> Self {
        Self::build(key, Payload::Int(value), expiry, 0)
    }

    /// A value of another type.
    pub fn of(key: &[u8], value: impl Into<Owned>, expiry: Option<i64>) -> Self {
        Self::build(key, Payload::Collection(value.into()), expiry, 0)
    }

    fn build(key: &[u8], payload: Payload<'_>, expiry: Option<i64>, used: u32) -> Self {
        let (stored, inline) = match &payload {
            Payload::Int(_) => (Stored::Int, 0),
            Payload::Embedded(bytes) => (Stored::Embedded, bytes.len()),
            Payload::Raw(bytes) => (Stored::Raw, bytes.len()),
            Payload::Boxed(_) => (Stored::Boxed, 0),
            Payload::Shared(_) => (Stored::Shared, 0),
            Payload::Collection(value) => (value.stored(), 0),
        };
        let shape = Shape { stored, expires: expiry.is_some(), key_len: key.len(), inline };
        let address = Address::allocate(shape, used);
        if let Some(at_ms) = expiry {
            address.set_expiry(at_ms);
        }
        address.write_key(key);
        match payload {
            Payload::Int(value) => address.set_int(value),
            Payload::Embedded(bytes) | Payload::Raw(bytes) => address.write_inline(bytes),
            // SAFETY: the new allocation has room for the vector there, and nothing is overwritten that needs a drop.
            Payload::Boxed(bytes) => unsafe { address.boxed().write(bytes) },
            // SAFETY: likewise for the box.
            Payload::Shared(bytes) => unsafe { address.shared().write(Box::new(bytes)) },
            // SAFETY: the new allocation was made for this value, and there is none in it yet.
            Payload::Collection(value) => unsafe { value.write(address.collection()) },
        }
        Self(address)
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        // SAFETY: the allocation lives as long as `self`, and a key is never written after `build`.
        unsafe { self.0.key() }
    }

    /// The type of the value.
    pub fn kind(&self) -> Kind {
        self.0.shape().stored.kind()
    }

    /// How the value is represented.
    pub fn encoding(&self) -> Encoding {
        match self.0.shape().stored {
            Stored::Int => Encoding::Int,
            Stored::Embedded => Encoding::Embstr,
            _ => self.value().collection().map_or(Encoding::Raw, |collection| collection.encoding()),
        }
    }

    /// The value.
    pub fn value(&self) -> Value<'_> {
        if let Some(text) = self.text() {
            return Value::String(text);
        }
        // SAFETY: the allocation lives as long as `self`; the value is changed only through `&mut self`.
        let value = unsafe { Value::at(self.0.shape().stored, self.0.collection()) };
        value.expect("a value is a string or of a type in `collection.rs`")
    }

    /// The value, if it is no string, for changing it in place; the entry stays where it is.
    pub(super) fn value_mut(&mut self) -> Option<ValueMut<'_>> {
        let stored = self.0.shape().stored;
        // SAFETY: as in `value`; the borrow of the entry is exclusive.
        if stored.is_collection() { unsafe { ValueMut::at(stored, self.0.collection()) } } else { None }
    }

    /// How much work freeing the value is, as Redis counts it.
    pub fn free_effort(&self) -> usize {
        self.value().collection().map_or(1, |collection| collection.free_effort())
    }

    /// The value, if it is a string.
    pub fn text(&self) -> Option<Text<'_>> {
        Some(match self.0.shape().stored {
            Stored::Int => Text::Int(self.0.int()),
            // SAFETY: the allocation lives as long as `self`; the value is written only through `&mut self`.
            Stored::Embedded | Stored::Raw => Text::Bytes(unsafe { self.0.inline() }),
            // SAFETY: `build` wrote the vector, only `drop` and `take_payload` end it, and they consume the entry.
            Stored::Boxed => Text::Bytes(unsafe { self.0.boxed().as_ref() }),
            // SAFETY: likewise for the box.
            Stored::Shared => Text::Bytes(unsafe { self.0.shared().as_ref() }),
            _ => return None,
        })
    }

    /// Whether the key's time is up, or that of all fields if it is a hash: then it counts as absent.
    pub fn has_expired(&self, now_ms: i64) -> bool {
        let is_dead = |hash: &Hash| hash.has_expired(now_ms) && !hash.has_live(now_ms);
        self.expiry().is_some_and(|at_ms| at_ms <= now_ms)
            || matches!(self.0.shape().stored, Stored::Hash) && Hash::of(self.value()).is_some_and(is_dead)
    }

    /// When the key expires, in milliseconds since the epoch.
    pub fn expiry(&self) -> Option<i64> {
        self.0.expiry()
    }

    /// The 24 bits about the last use that eviction keeps; their meaning is the caller's.
    pub fn used(&self) -> u32 {
        self.0.used()
    }

    /// Sets the 24 bits about the last use. A shared reference is enough, so that reading a key can mark it.
    pub fn set_used(&self, used: u32) {
        self.0.set_used(used);
    }

    /// Bytes that this entry holds in memory; of a large collection so many elements are looked at (all for zero).
    pub fn heap_bytes(&self, samples: usize) -> usize {
        let shape = self.0.shape();
        let outside = match shape.stored {
            // SAFETY: as in `text`.
            Stored::Boxed => block::taken(unsafe { self.0.boxed().as_ref() }.capacity()),
            Stored::Shared => self.text().map_or(0, Text::len) + size_of::<Bytes>(),
            _ => self.value().collection().map_or(0, |collection| collection.heap_bytes(samples)),
        };
        block::taken(shape.size()) + outside
    }

    /// Puts a string in place of the value, encoded as SET does, and sets the expiry time. Answers the entry that was
    /// there if its value was no string: freeing it may take long.
    pub(super) fn assign(&mut self, value: &[u8], expiry: Option<i64>) -> Option<Self> {
        let shape = self.0.shape();
        if shape.stored.is_collection() {
            let new = Self::build(self.key(), Payload::of(value), expiry, self.used());
            return Some(std::mem::replace(self, new));
        }
        match Payload::of(value) {
            Payload::Int(int) if shape.stored == Stored::Int && shape.expires == expiry.is_some() => {
                self.0.set_int(int);
            }
            Payload::Embedded(bytes) | Payload::Raw(bytes)
                if matches!(shape.stored, Stored::Embedded | Stored::Raw) && shape.expires == expiry.is_some() =>
            {
                let stored = if bytes.len() <= EMBEDDED_MAX { Stored::Embedded } else { Stored::Raw };
                // SAFETY: alive and inline; the only other copy of the address is in the index of expiring keys,
                // which `Db` renews before it is used again.
                self.0 = unsafe { self.0.resize_inline(stored, bytes.len()) };
                self.0.write_inline(bytes);
            }
            payload => *self = Self::build(self.key(), payload, expiry, self.used()),
        }
        if let Some(at_ms) = expiry {
            self.0.set_expiry(at_ms);
        }
        None
    }

    /// Puts an integer in place of the value; the expiry time stays.
    pub(super) fn assign_int(&mut self, value: i64) {
        if self.0.shape().stored == Stored::Int {
            self.0.set_int(value);
        } else {
            *self = Self::build(self.key(), Payload::Int(value), self.expiry(), self.used());
        }
    }

    /// Sets or removes the expiry time.
    pub(super) fn set_expiry(&mut self, expiry: Option<i64>) {
        match expiry {
            Some(at_ms) if self.0.shape().expires => self.0.set_expiry(at_ms),
            None if !self.0.shape().expires => {}
            _ => self.rebuild(None, expiry),
        }
    }

    /// The bytes of a string, for changing them in place: it is `raw` from then on.
    pub(super) fn buffer_mut(&mut self) -> Option<&mut Vec<u8>> {
        let stored = self.0.shape().stored;
        if stored != Stored::Boxed {
            let value = match stored {
                // Copied only if others hold it too.
                // SAFETY: as in `text`; bytes that own nothing stay behind.
                Stored::Shared => Vec::from(std::mem::take(&mut **unsafe { self.0.shared().as_mut() })),
                _ => self.text()?.as_bytes(&mut itoa::Buffer::new()).to_vec(),
            };
            *self = Self::build(self.key(), Payload::Boxed(value), self.expiry(), self.used());
        }
        // SAFETY: as in `text`; the borrow of the entry is exclusive.
        Some(unsafe { self.0.boxed().as_mut() })
    }

    /// The same value and expiry time under another key.
    pub(super) fn rekey(&mut self, key: &[u8]) {
        self.rebuild(Some(key), self.expiry());
    }

    /// A copy of the value under another key. It is encoded anew, as after SET, unless it was changed in place.
    pub fn duplicate(&self, key: &[u8], expiry: Option<i64>) -> Self {
        let payload = match self.0.shape().stored {
            Stored::Int => Payload::Int(self.0.int()),
            // SAFETY: as in `text`.
            Stored::Embedded => Payload::Embedded(unsafe { self.0.inline() }),
            // SAFETY: as in `text`.
            Stored::Raw => Payload::Raw(unsafe { self.0.inline() }),
            // SAFETY: as in `text`.
            Stored::Boxed => Payload::Boxed(unsafe { self.0.boxed().as_ref() }.clone()),
            // SAFETY: as in `text`. Nobody changes shared memory, so a copy shares it too.
            Stored::Shared => Payload::Shared(Bytes::clone(unsafe { self.0.shared().as_ref() })),
            _ => Payload::Collection(self.value().to_owned().expect("what is no string is a collection")),
        };
        Self::build(key, payload, expiry, 0)
    }

    /// Moves the value into a new allocation with this key (or its own) and expiry time.
    fn rebuild(&mut self, key: Option<&[u8]>, expiry: Option<i64>) {
        let used = self.used();
        let shape = self.0.shape();
        let new = {
            let key = key.unwrap_or_else(|| self.key());
            let payload = match shape.stored {
                Stored::Int => Payload::Int(self.0.int()),
                // SAFETY: as in `text`.
                Stored::Embedded => Payload::Embedded(unsafe { self.0.inline() }),
                // SAFETY: as in `text`.
                Stored::Raw => Payload::Raw(unsafe { self.0.inline() }),
                // SAFETY: as in `text`; an empty vector, which owns nothing, stays behind.
                Stored::Boxed => Payload::Boxed(std::mem::take(unsafe { self.0.boxed().as_mut() })),
                // SAFETY: as in `text`; bytes that own nothing stay behind.
                Stored::Shared => Payload::Shared(std::mem::take(&mut **unsafe { self.0.shared().as_mut() })),
                // SAFETY: the value moves out, and what stays behind is a number, which owns nothing.
                stored => unsafe {
                    let value = Owned::read(stored, self.0.collection());
                    self.0.disown_collection();
                    Payload::Collection(value.expect("a value is a string or of a type in `collection.rs`"))
                },
            };
            Self::build(key, payload, expiry, used)
        };
        *self = new;
    }

    /// The address, which tells entries apart and changes when the allocation moves.
    pub(super) fn address(&self) -> Address {
        self.0
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let stored = self.0.shape().stored;
        // SAFETY: `self` owns the allocation and what its payload owns; nothing uses either afterwards.
        unsafe {
            if stored == Stored::Boxed {
                self.0.boxed().drop_in_place();
            } else if stored == Stored::Shared {
                self.0.shared().drop_in_place();
            } else if stored.is_collection() {
                drop(Owned::read(stored, self.0.collection()));
            }
            self.0.free();
        }
    }
}

impl Keyed for Entry {
    fn key(&self) -> &[u8] {
        Self::key(self)
    }

    fn prefetch(&self) {
        self.0.prefetch();
    }
}

/// A second reference to an entry, for the index of expiring keys. It owns nothing.
#[repr(transparent)]
pub(super) struct Shared(Address);

impl Shared {
    /// # Safety
    /// The reference is dropped, or never looked at again, before the entry is freed or its allocation moves.
    pub(super) unsafe fn to(entry: &Entry) -> Self {
        Self(entry.0)
    }

    pub(super) fn address(&self) -> Address {
        self.0
    }

    pub(super) fn entry(&self) -> &Entry {
        // SAFETY: both are transparent wrappers of an address, and the entry lives, by the contract of `to`.
        unsafe { &*std::ptr::from_ref(self).cast() }
    }
}

// SAFETY: it owns nothing; it goes to another thread only together with the entries it points to.
unsafe impl Send for Shared {}

impl Keyed for Shared {
    fn key(&self) -> &[u8] {
        self.entry().key()
    }

    fn prefetch(&self) {
        self.entry().prefetch();
    }
}
