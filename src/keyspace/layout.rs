//! Where things are in the one allocation of an entry, and its raw reading and writing. Only `entry.rs` uses this.
//!
//! ```text
//!        0        1       2      5         6        8
//!        +--------+-------+------+---------+--------+---------+---------+------------+-----------+--------+
//!        | stored | flags | used | key_len | inline | long_key| expiry  | payload    | key       | value  |
//!        | u8     | u8    | u24  | u8      | u16    | [u64]   | [i64]   | [8 or 24 B]| key_len B | inline |
//!        +--------+-------+------+---------+--------+---------+---------+------------+-----------+--------+
//! ```
//!
//! Fields in brackets are there only when they are needed: `long_key` (the key's length) with the flag `LONG_KEY`,
//! `expiry` with `EXPIRES`, the payload by `stored`: an `i64` for an integer, a `Vec<u8>` for a long or growing string, the
//! address of a boxed `Bytes` for a shared one, eight bytes of a type in `collection.rs` for any other value. `inline` is the number of value bytes behind the key. So
//! a key of 16 and a value of 100 bytes take 124 bytes, and the allocator's class of 128.
//!
//! All of it is derived from the first 8 bytes (and `long_key`), so an allocation is freed with the layout with which
//! it was made.

use std::ptr::NonNull;

use bytes::Bytes;

use super::block;

/// How a value is stored; says which payload is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stored {
    /// A string that is the canonical form of an integer; payload `i64`.
    Int = 0,
    /// A short string behind the key, never changed in place by a command.
    Embedded = 1,
    /// A string behind the key that Redis would keep in an allocation of its own.
    Raw = 2,
    /// A string in an allocation of its own; payload `Vec<u8>`.
    Boxed = 3,
    /// A large string in memory that others may hold too; payload `Box<Bytes>`.
    Shared = 4,
    // The others are told in `collection.rs`; payload the type of this name, eight bytes.
    List = 5,
    Set = 6,
    Zset = 7,
    Hash = 8,
    Stream = 9,
}

impl Stored {
    /// All of them, each at the place of its number.
    const ALL: [Self; 10] = [
        Self::Int,
        Self::Embedded,
        Self::Raw,
        Self::Boxed,
        Self::Shared,
        Self::List,
        Self::Set,
        Self::Zset,
        Self::Hash,
        Self::Stream,
    ];

    /// Whether the value is no string.
    pub(super) fn is_collection(self) -> bool {
        self as u8 > Self::Shared as u8
    }
}

/// What the first word of an entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) stored: Stored,
    pub(super) expires: bool,
    pub(super) key_len: usize,
    pub(super) inline: usize,
}

const LONG_KEY: u8 = 1;
const EXPIRES: u8 = 2;
const HEADER: usize = 8;

/// The most value bytes that are stored behind the key. Longer values have an allocation of their own, so that
/// renaming a key, or giving it an expiry, moves little memory.
pub const INLINE_MAX: usize = 1024;

impl Shape {
    fn has_long_key(self) -> bool {
        self.key_len > usize::from(u8::MAX)
    }

    fn expiry_at(self) -> usize {
        HEADER + if self.has_long_key() { 8 } else { 0 }
    }

    fn payload_at(self) -> usize {
        self.expiry_at() + if self.expires { 8 } else { 0 }
    }

    fn key_at(self) -> usize {
        let payload = match self.stored {
            Stored::Embedded | Stored::Raw => 0,
            Stored::Boxed => size_of::<Vec<u8>>(),
            _ => size_of::<u64>(),
        };
        self.payload_at() + payload
    }

    fn value_at(self) -> usize {
        self.key_at() + self.key_len
    }

    /// Bytes that are used of the allocation.
    pub(super) fn size(self) -> usize {
        self.value_at() + self.inline
    }

    fn first_word(self, used: u32) -> [u8; HEADER] {
        let flags = if self.has_long_key() { LONG_KEY } else { 0 } | if self.expires { EXPIRES } else { 0 };
        let used = used.to_le_bytes();
        let key_len = if self.has_long_key() { 0 } else { self.key_len as u8 };
        let inline = u16::try_from(self.inline).expect("only short values are inline").to_le_bytes();
        [self.stored as u8, flags, used[0], used[1], used[2], key_len, inline[0], inline[1]]
    }
}

/// The address of an entry's allocation. Copies of it share the allocation; the owner is `Entry`.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Address(NonNull<u8>);

impl Address {
    /// A new allocation of this shape; payload, key and value are not yet written.
    pub(super) fn allocate(shape: Shape, used: u32) -> Self {
        let address = Self(block::allocate(shape.size()));
        address.write_first_words(shape, used);
        address
    }

    /// Asks the processor to fetch the first two cache lines: header, key and a short value.
    pub(super) fn prefetch(self) {
        super::prefetch(self.0.as_ptr());
        super::prefetch(self.0.as_ptr().wrapping_add(64));
    }

    fn write_first_words(self, shape: Shape, used: u32) {
        let word = shape.first_word(used);
        // SAFETY: the allocation has this shape, so it begins with a header, and `long_key` follows if needed.
        unsafe {
            self.0.cast::<[u8; HEADER]>().write(word);
            if shape.has_long_key() {
                self.0.add(HEADER).cast::<u64>().write(shape.key_len as u64);
            }
        }
    }

    /// Frees the allocation, but not what its payload owns.
    ///
    /// # Safety
    /// The allocation is alive, and neither this nor a copy of this address is used afterwards.
    pub(super) unsafe fn free(self) {
        // SAFETY: allocated with the size of its shape; alive by contract.
        unsafe { block::free(self.0, self.shape().size()) }
    }

    /// Changes the number of inline bytes; they keep their content up to the smaller of both lengths.
    ///
    /// # Safety
    /// The allocation is alive, its value is inline, and no copy of this address is used afterwards.
    pub(super) unsafe fn resize_inline(self, stored: Stored, inline: usize) -> Self {
        let before = self.shape();
        let after = Shape { stored, inline, ..before };
        let used = self.used();
        // SAFETY: alive by contract, and allocated with the size of its shape.
        let address = Self(unsafe { block::resize(self.0, before.size(), after.size()) });
        address.write_first_words(after, used);
        address
    }

    /// What the first words say. Like all readers here it needs a living allocation, which `Entry` stands for.
    pub(super) fn shape(self) -> Shape {
        // SAFETY: every living entry begins with a header; the byte that says how it is stored came from a `Stored`.
        let word = unsafe { self.0.cast::<[u8; HEADER]>().read() };
        let stored = Stored::ALL[usize::from(word[0])];
        let key_len = if word[1] & LONG_KEY == 0 {
            usize::from(word[5])
        } else {
            // SAFETY: the flag says that the length follows the header.
            unsafe { self.0.add(HEADER).cast::<u64>().read() as usize }
        };
        let inline = usize::from(u16::from_le_bytes([word[6], word[7]]));
        Shape { stored, expires: word[1] & EXPIRES != 0, key_len, inline }
    }

    /// The 24 bits about the last use.
    pub(super) fn used(self) -> u32 {
        // SAFETY: within the header of a living entry.
        let bytes = unsafe { self.0.add(2).cast::<[u8; 3]>().read() };
        u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0])
    }

    pub(super) fn set_used(self, used: u32) {
        let [a, b, c, _] = used.to_le_bytes();
        // SAFETY: within the header of a living entry; nobody holds a reference to these bytes.
        unsafe { self.0.add(2).cast::<[u8; 3]>().write([a, b, c]) }
    }

    fn word_at(self, shape: Shape, at: usize) -> NonNull<u8> {
        assert!(at + 8 <= shape.key_at(), "words lie before the key");
        // SAFETY: the assertion keeps the address inside of the allocation.
        unsafe { self.0.add(at) }
    }

    pub(super) fn expiry(self) -> Option<i64> {
        let shape = self.shape();
        // SAFETY: the field is there, aligned to 8 and initialised by whoever allocated with `expires`.
        shape.expires.then(|| unsafe { self.word_at(shape, shape.expiry_at()).cast::<i64>().read() })
    }

    pub(super) fn set_expiry(self, at_ms: i64) {
        let shape = self.shape();
        assert!(shape.expires, "the entry has room for an expiry time");
        // SAFETY: the field is there and aligned to 8; nobody holds a reference to it.
        unsafe { self.word_at(shape, shape.expiry_at()).cast::<i64>().write(at_ms) }
    }

    pub(super) fn int(self) -> i64 {
        let shape = self.shape();
        assert!(shape.stored == Stored::Int, "the payload is an integer");
        // SAFETY: the payload of an integer is an aligned i64, initialised by whoever allocated the shape.
        unsafe { self.word_at(shape, shape.payload_at()).cast().read() }
    }

    pub(super) fn set_int(self, value: i64) {
        let shape = self.shape();
        assert!(shape.stored == Stored::Int, "the payload is an integer");
        // SAFETY: as in `int`; nobody holds a reference to it.
        unsafe { self.word_at(shape, shape.payload_at()).cast().write(value) }
    }

    /// The payload of a boxed string. Whether it may be read, written or dropped is the caller's argument.
    pub(super) fn boxed(self) -> NonNull<Vec<u8>> {
        let shape = self.shape();
        assert!(shape.stored == Stored::Boxed, "the payload is a vector");
        self.word_at(shape, shape.payload_at()).cast()
    }

    /// The payload of a shared string. Whether it may be read, written or dropped is the caller's argument.
    pub(super) fn shared(self) -> NonNull<Box<Bytes>> {
        let shape = self.shape();
        assert!(shape.stored == Stored::Shared, "the payload is shared memory");
        self.word_at(shape, shape.payload_at()).cast()
    }

    /// The payload of a collection. Whether it may be read, written or dropped is the caller's argument.
    pub(super) fn collection(self) -> NonNull<u64> {
        let shape = self.shape();
        assert!(shape.stored.is_collection(), "the payload is a collection");
        self.word_at(shape, shape.payload_at()).cast()
    }

    /// Makes the payload of a collection a number, after its value was moved elsewhere.
    ///
    /// # Safety
    /// The allocation is alive, and its payload is not used any more as what it was.
    pub(super) unsafe fn disown_collection(self) {
        let shape = self.shape();
        assert!(shape.stored.is_collection(), "the payload is a collection");
        self.write_first_words(Shape { stored: Stored::Int, ..shape }, self.used());
        self.set_int(0);
    }

    fn bytes_at(self, at: usize) -> NonNull<u8> {
        // SAFETY: called with the places of key and value, which lie inside of the allocation.
        unsafe { self.0.add(at) }
    }

    /// Copies the key in; its length is the shape's.
    pub(super) fn write_key(self, key: &[u8]) {
        let shape = self.shape();
        assert!(key.len() == shape.key_len, "the shape was made for this key");
        // SAFETY: the allocation has `key_len` bytes there, and `key` cannot overlap what is only being filled.
        unsafe { self.bytes_at(shape.key_at()).as_ptr().copy_from_nonoverlapping(key.as_ptr(), key.len()) }
    }

    /// Copies the inline value in; its length is the shape's.
    pub(super) fn write_inline(self, value: &[u8]) {
        let shape = self.shape();
        assert!(value.len() == shape.inline, "the shape was made for this value");
        // SAFETY: the allocation has `inline` bytes there; callers hold the entry exclusively, so `value`, which they
        // can read, is not part of it.
        unsafe { self.bytes_at(shape.value_at()).as_ptr().copy_from_nonoverlapping(value.as_ptr(), value.len()) }
    }

    /// # Safety
    /// The allocation lives, and its key is not written, during `'a`.
    pub(super) unsafe fn key<'a>(self) -> &'a [u8] {
        let shape = self.shape();
        // SAFETY: `key_len` initialised bytes are there; the caller answers for the lifetime.
        unsafe { std::slice::from_raw_parts(self.bytes_at(shape.key_at()).as_ptr(), shape.key_len) }
    }

    /// # Safety
    /// The allocation lives, and its value is not written, during `'a`.
    pub(super) unsafe fn inline<'a>(self) -> &'a [u8] {
        let shape = self.shape();
        // SAFETY: `inline` initialised bytes are there; the caller answers for the lifetime.
        unsafe { std::slice::from_raw_parts(self.bytes_at(shape.value_at()).as_ptr(), shape.inline) }
    }
}
