//! Hashes: a listpack while the fields are few and short, a hash table otherwise; and fields that expire.
//!
//! The thresholds and conversions are those of Redis, for OBJECT ENCODING shows them. A hash never turns back by itself.
//! The commands on hashes call it, and tell the time at which they read: a field whose time has come is not seen any more
//! although it still takes its place, until somebody removes it by [`Hash::remove_expired`] and says so in the log. Methods
//! that take no time look at what is there, expired or not.

use super::collection::Collection;
use super::compact::{Compact, Form, FormMut};
use super::digest;
use super::distinct::{self, Repeated};
use super::field_table::FieldTable;
use super::kind::Encoding;
use super::member::Field;
use super::packed::Packed;
use super::redis_digest::RedisDigest;
use super::{serialized, small_hash};
use crate::base::listpack;
use crate::base::text::Text;

/// The settings that decide how a hash is represented.
#[derive(Clone, Copy, Debug)]
pub struct HashLimits {
    /// `hash-max-listpack-entries`.
    pub listpack_entries: usize,
    /// `hash-max-listpack-value`.
    pub listpack_value: usize,
}

/// What becomes of the expiry time of a field that is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewExpiry {
    /// It stays.
    Keep,
    /// It is this, or none.
    Is(Option<i64>),
}

impl NewExpiry {
    pub(super) fn over(self, before: Option<i64>) -> Option<i64> {
        match self {
            Self::Keep => before,
            Self::Is(expiry) => expiry,
        }
    }
}

/// A hash.
#[derive(Clone)]
pub struct Hash(Compact<FieldTable>);

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

impl Hash {
    /// No fields.
    pub fn new() -> Self {
        Self(Packed::new().into())
    }

    /// A hash of so many elements as [`Packed::bytes`] shows them, fields and values in turn; `None` if it cannot be small.
    pub fn adopt(elements: &[u8], count: usize, limits: &HashLimits) -> Result<Option<Self>, Repeated> {
        let is_small = count / 2 <= limits.listpack_entries
            && Packed::may_be(elements.len())
            && distinct::texts(elements).all(|text| text.len() <= limits.listpack_value);
        if !is_small {
            return Ok(None);
        }
        if !distinct::are_distinct(elements, count / 2, 1) {
            return Err(Repeated);
        }
        Ok(Some(Self(Packed::of_bytes(elements, count).into())))
    }

    /// An empty hash for `count` fields; room is made for so many at once.
    pub fn for_fields(count: usize, limits: &HashLimits) -> Self {
        let mut hash = Self::new();
        if count > limits.listpack_entries {
            hash.enlarge().fields.expect(count);
        }
        hash
    }

    /// Prepares for up to `count` fields that are about to be set, and for one or a value of this length.
    pub fn expect(&mut self, count: usize, longest: usize, limits: &HashLimits) {
        if count > limits.listpack_entries || longest > limits.listpack_value {
            self.enlarge();
        }
    }

    fn packed(&self) -> Result<&Packed, &FieldTable> {
        match self.0.form() {
            Form::Packed(packed) => Ok(packed),
            Form::Large(table) => Err(table),
            Form::Intset(_) => unreachable!("a hash is never made an intset"),
        }
    }

    fn packed_mut(&mut self) -> Result<&mut Packed, &mut FieldTable> {
        match self.0.form_mut() {
            FormMut::Packed(packed) => Ok(packed),
            FormMut::Large(table) => Err(table),
            FormMut::Intset(_) => unreachable!("a hash is never made an intset"),
        }
    }

    /// Number of fields.
    pub fn len(&self) -> usize {
        match self.packed() {
            Ok(packed) => small_hash::len(packed),
            Err(table) => table.fields.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of fields that have not expired.
    pub fn live_len(&self, now_ms: i64) -> usize {
        match self.packed() {
            Ok(packed) => small_hash::len(packed) - small_hash::expired(packed, now_ms),
            Err(table) => table.fields.len() - table.deadlines.due(now_ms),
        }
    }

    /// Whether there are fields that have not expired.
    pub fn has_live(&self, now_ms: i64) -> bool {
        match self.packed() {
            Ok(_) => self.live_len(now_ms) > 0,
            Err(FieldTable { fields, deadlines }) => {
                fields.len() > deadlines.len() || deadlines.last().is_some_and(|at_ms| at_ms > now_ms)
            }
        }
    }

    /// When the next field expires, or should have been removed already.
    #[inline]
    pub fn next_expiry(&self) -> Option<i64> {
        match self.packed() {
            Ok(packed) => small_hash::next_expiry(packed),
            Err(table) => table.deadlines.first().map(|(at_ms, _)| at_ms),
        }
    }

    /// Whether some field has expired.
    pub fn has_expired(&self, now_ms: i64) -> bool {
        self.next_expiry().is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// The value of a field and its expiry time.
    fn find(&self, field: &[u8]) -> Option<(Text<'_>, Option<i64>)> {
        match self.packed() {
            Ok(packed) => {
                let at = small_hash::find(packed, field)?;
                Some((small_hash::value(packed, at), small_hash::expiry_at(packed, at)))
            }
            Err(table) => table.find(field).map(|field| (Text::Bytes(field.value()), field.expiry())),
        }
    }

    /// The value of a field.
    pub fn get(&self, field: &[u8], now_ms: i64) -> Option<Text<'_>> {
        self.find(field).filter(|(_, expiry)| is_live(*expiry, now_ms)).map(|(value, _)| value)
    }

    /// Whether a field is there, expired or not.
    pub fn contains(&self, field: &[u8]) -> bool {
        self.find(field).is_some()
    }

    /// When a field expires, if it is there.
    pub fn expiry(&self, field: &[u8], now_ms: i64) -> Option<Option<i64>> {
        self.find(field).map(|(_, expiry)| expiry).filter(|expiry| is_live(*expiry, now_ms))
    }

    /// Sets a field; whether it was not there.
    pub fn set(&mut self, field: &[u8], value: &[u8], expiry: NewExpiry, limits: &HashLimits) -> bool {
        let packed = match self.packed_mut() {
            Ok(packed) => packed,
            Err(table) => return table.set(field, value, expiry),
        };
        let found = small_hash::find(packed, field);
        let count = small_hash::len(packed) + usize::from(found.is_none());
        let stays = count <= limits.listpack_entries
            && field.len() <= limits.listpack_value
            && value.len() <= limits.listpack_value
            && packed.has_room(2, field.len().saturating_add(value.len()));
        match found {
            _ if !stays => return self.enlarge().set(field, value, expiry),
            None => small_hash::push(packed, field, value, expiry.over(None)),
            Some(at) => {
                small_hash::set_value(packed, at, value);
                if let NewExpiry::Is(expiry) = expiry
                    && small_hash::has_times(packed) | expiry.is_some()
                {
                    // The times stand before everything else, so they are changed last.
                    small_hash::set_expiry(packed, Some(at), expiry);
                }
            }
        }
        found.is_none()
    }

    /// Sets or removes the expiry time of a field; whether the field is there.
    pub fn set_expiry(&mut self, field: &[u8], expiry: Option<i64>) -> bool {
        match self.packed_mut() {
            Ok(packed) => {
                let found = small_hash::find(packed, field);
                found.into_iter().for_each(|at| small_hash::set_expiry(packed, Some(at), expiry));
                found.is_some()
            }
            Err(table) => table.set_expiry(field, expiry),
        }
    }

    /// Takes a field out; whether it was there.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self.packed_mut() {
            Ok(packed) => {
                let found = small_hash::find(packed, field);
                found.into_iter().for_each(|at| small_hash::remove(packed, at));
                found.is_some()
            }
            Err(table) => table.remove(field),
        }
    }

    /// Takes out fields that have expired, up to `most`; answers them.
    pub fn remove_expired(&mut self, now_ms: i64, most: usize) -> Vec<Vec<u8>> {
        match self.packed_mut() {
            Ok(packed) => small_hash::remove_expired(packed, now_ms, most),
            Err(table) => table.remove_expired(now_ms, most),
        }
    }

    /// Fields and values in turn, if the hash is small and no field has or had an expiry time.
    pub fn as_packed(&self) -> Option<&Packed> {
        self.packed().ok().filter(|packed| !small_hash::has_times(packed))
    }

    /// Whether it is small.
    pub fn is_small(&self) -> bool {
        self.packed().is_ok()
    }

    /// All fields with value and expiry time.
    pub fn each(&self, mut each: impl FnMut(Text<'_>, Text<'_>, Option<i64>)) {
        match self.packed() {
            Ok(packed) => small_hash::iter(packed).for_each(|(field, value, expiry)| each(field, value, expiry)),
            Err(table) => table.fields.iter().for_each(|entry| {
                let (field, value) = entry.parts();
                each(Text::Bytes(field), Text::Bytes(value), entry.expiry());
            }),
        }
    }

    /// Calls `each` for all fields, in no order that means anything.
    pub fn for_each<'a>(&'a self, now_ms: i64, mut each: impl FnMut(Text<'a>, Text<'a>)) {
        match self.packed() {
            Ok(packed) => small_hash::iter(packed)
                .filter(|(_, _, expiry)| is_live(*expiry, now_ms))
                .for_each(|(field, value, _)| each(field, value)),
            Err(table) => table.fields.iter().for_each(|entry| live(entry, now_ms, &mut each)),
        }
    }

    /// Calls `each` for some fields from a cursor on and answers the next one; see [`Table::scan`](super::Table::scan). Of a
    /// small hash it is all fields.
    pub fn scan<'a>(&'a self, cursor: u64, now_ms: i64, mut each: impl FnMut(Text<'a>, Text<'a>)) -> u64 {
        match self.packed() {
            Ok(_) => {
                self.for_each(now_ms, each);
                0
            }
            Err(table) => table.fields.scan(cursor, |entry| live(entry, now_ms, &mut each)),
        }
    }

    /// A field drawn at random from those that are there, expired or not.
    pub(super) fn draw(&self, random: &mut fastrand::Rng) -> Option<(Text<'_>, Text<'_>)> {
        match self.packed() {
            Ok(packed) if packed.is_empty() => None,
            Ok(packed) => small_hash::nth(packed, random.usize(..small_hash::len(packed))),
            Err(table) => {
                let (field, value) = table.fields.sample(random)?.parts();
                Some((Text::Bytes(field), Text::Bytes(value)))
            }
        }
    }

    /// The hash table, if it is one: of it a field is drawn without a search.
    pub(super) fn large(&self) -> Option<&FieldTable> {
        self.packed().err()
    }

    /// Makes it a hash table.
    pub(super) fn enlarge(&mut self) -> &mut FieldTable {
        if self.packed().is_ok() {
            let mut table = FieldTable::new();
            let mut buffers = [itoa::Buffer::new(), itoa::Buffer::new()];
            self.each(|field, value, expiry| {
                let [first, second] = &mut buffers;
                table.set(field.as_bytes(first), value.as_bytes(second), NewExpiry::Is(expiry));
            });
            self.0 = Compact::large(table);
        }
        match self.packed_mut() {
            Err(table) => table,
            Ok(_) => unreachable!("it was just made a hash table"),
        }
    }
}

fn is_live(expiry: Option<i64>, now_ms: i64) -> bool {
    expiry.is_none_or(|at_ms| at_ms > now_ms)
}

fn live<'a>(entry: &'a Field, now_ms: i64, each: &mut impl FnMut(Text<'a>, Text<'a>)) {
    if is_live(entry.expiry(), now_ms) {
        let (field, value) = entry.parts();
        each(Text::Bytes(field), Text::Bytes(value));
    }
}

impl Collection for Hash {
    fn encoding(&self) -> Encoding {
        match self.packed() {
            Ok(packed) if small_hash::has_times(packed) => Encoding::Listpackex,
            Ok(_) => Encoding::Listpack,
            Err(_) => Encoding::Hashtable,
        }
    }

    fn heap_bytes(&self, samples: usize) -> usize {
        match self.packed() {
            Ok(packed) => packed.heap_bytes(),
            Err(FieldTable { fields, deadlines }) => {
                fields.heap_bytes(samples, Field::heap_bytes) + size_of_val(deadlines) + deadlines.heap_bytes()
            }
        }
    }

    fn free_effort(&self) -> usize {
        self.packed().map_or_else(|table| table.fields.len(), |_| 1)
    }

    fn digest(&self) -> u128 {
        let mut buffers = [itoa::Buffer::new(), itoa::Buffer::new()];
        let mut sum: u128 = 0;
        self.each(|field, value, expiry| {
            let [first, second] = &mut buffers;
            let expiry = expiry.map(i64::to_le_bytes);
            let parts =
                [field.as_bytes(first), value.as_bytes(second), expiry.as_ref().map_or(&[], |bytes| &bytes[..])];
            sum = sum.wrapping_add(digest::of_parts(&parts));
        });
        sum
    }

    fn redis_digest(&self, digest: &mut RedisDigest) {
        let mut buffer = itoa::Buffer::new();
        self.each(|field, value, expiry| {
            let mut one = RedisDigest::default();
            one.mix(field.as_bytes(&mut buffer));
            one.mix(value.as_bytes(&mut buffer));
            if expiry.is_some() {
                one.xor(b"!!hexpire!!");
            }
            digest.xor_element(one);
        });
    }

    fn table_sizes(&self) -> Option<(usize, usize)> {
        self.packed().err().map(|table| (table.fields.buckets(), table.fields.len()))
    }

    fn serialized_len(&self) -> usize {
        match self.packed() {
            Ok(packed) => serialized::blob(packed.bytes().len() + listpack::FRAME),
            Err(_) => {
                let mut sum = serialized::length(self.len());
                self.each(|field, value, expiry| {
                    let time = if expiry.is_some() { size_of::<i64>() } else { 0 };
                    sum += serialized::string(field) + serialized::string(value) + time;
                });
                sum
            }
        }
    }
}

#[cfg(test)]
#[path = "hash_tests.rs"]
mod tests;
