//! A small hash in a [`Packed`]: field, value, field, value … With an expiry time for any field there is one element
//! more, before all others: the times of all fields in their order, eight bytes each.
//!
//! So a hash without expiring fields pays nothing for those with, the number of elements says which it is, and the times
//! lie together: the earliest one is found in a glance. `hash.rs` calls this.

use smallvec::SmallVec;

use super::packed::{At, Packed};
use crate::base::text::Text;

/// The time of a field that does not expire.
const NEVER: i64 = i64::MAX;
const TIME_BYTES: usize = size_of::<i64>();

type Times = SmallVec<[i64; 32]>;

/// Number of fields.
pub(super) fn len(packed: &Packed) -> usize {
    packed.len() / 2
}

/// Whether it has room for expiry times, which it keeps once it has had one.
pub(super) fn has_times(packed: &Packed) -> bool {
    !packed.len().is_multiple_of(2)
}

fn times(packed: &Packed) -> impl Iterator<Item = i64> + '_ {
    let bytes = match packed.first().map(|at| packed.get(at)) {
        Some(Text::Bytes(bytes)) if has_times(packed) => bytes,
        _ => &[],
    };
    bytes.as_chunks().0.iter().map(|time: &[u8; TIME_BYTES]| i64::from_le_bytes(*time))
}

fn expiry(time: i64) -> Option<i64> {
    (time != NEVER).then_some(time)
}

/// The earliest expiry time.
pub(super) fn next_expiry(packed: &Packed) -> Option<i64> {
    times(packed).min().and_then(expiry)
}

/// Number of fields that have expired.
pub(super) fn expired(packed: &Packed, now_ms: i64) -> usize {
    times(packed).filter(|time| *time <= now_ms).count()
}

fn first(packed: &Packed) -> Option<At> {
    let first = packed.first()?;
    if has_times(packed) { packed.next(first) } else { Some(first) }
}

/// The place of a field; that of its value is the next one.
pub(super) fn find(packed: &Packed, field: &[u8]) -> Option<At> {
    packed.find(first(packed), field, 1)
}

/// The value of the field at a place.
pub(super) fn value(packed: &Packed, at: At) -> Text<'_> {
    packed.get(value_at(packed, at))
}

fn value_at(packed: &Packed, at: At) -> At {
    packed.next(at).expect("behind a field stands its value")
}

/// How many fields stand before the one at a place.
fn index(packed: &Packed, at: At) -> usize {
    let next = |at: &At| packed.next(value_at(packed, *at));
    std::iter::successors(first(packed), next).take_while(|before| *before < at).count()
}

/// When the field at a place expires.
pub(super) fn expiry_at(packed: &Packed, at: At) -> Option<i64> {
    if has_times(packed) { times(packed).nth(index(packed, at)).and_then(expiry) } else { None }
}

/// Fields, values and expiry times.
pub(super) fn iter(packed: &Packed) -> impl Iterator<Item = (Text<'_>, Text<'_>, Option<i64>)> {
    let mut elements = first(packed).map(|at| packed.iter_from(at));
    let mut times = times(packed);
    std::iter::from_fn(move || {
        let elements = elements.as_mut()?;
        Some((elements.next()?, elements.next()?, times.next().and_then(expiry)))
    })
}

/// Field and value with this number.
pub(super) fn nth(packed: &Packed, index: usize) -> Option<(Text<'_>, Text<'_>)> {
    let at = packed.nth((2 * index + usize::from(has_times(packed))) as i64)?;
    Some((packed.get(at), value(packed, at)))
}

/// Adds a field, which is not there.
pub(super) fn push(packed: &mut Packed, field: &[u8], value: &[u8], expiry: Option<i64>) {
    packed.push_back([Text::of(field), Text::of(value)]);
    if has_times(packed) {
        change_times(packed, |times| times.push(expiry.unwrap_or(NEVER)));
    } else if expiry.is_some() {
        set_expiry(packed, None, expiry);
    }
}

/// Puts another value in place of that of the field at a place.
pub(super) fn set_value(packed: &mut Packed, at: At, value: &[u8]) {
    packed.replace(value_at(packed, at), Text::of(value));
}

/// Sets or removes the expiry time of the field at a place, or of the last one.
pub(super) fn set_expiry(packed: &mut Packed, at: Option<At>, expiry: Option<i64>) {
    let index = at.map_or(len(packed) - 1, |at| index(packed, at));
    if !has_times(packed) {
        if expiry.is_none() {
            return;
        }
        put_times(packed, &smallvec::smallvec![NEVER; len(packed)]);
    }
    change_times(packed, |times| times[index] = expiry.unwrap_or(NEVER));
}

/// Takes out the field at a place.
pub(super) fn remove(packed: &mut Packed, at: At) {
    if has_times(packed) {
        let index = index(packed, at);
        packed.remove(at, 2);
        change_times(packed, |times| _ = times.remove(index));
    } else {
        packed.remove(at, 2);
    }
}

/// Takes out fields that have expired, up to `most`; answers them.
pub(super) fn remove_expired(packed: &mut Packed, now_ms: i64, most: usize) -> Vec<Vec<u8>> {
    let (mut kept, mut kept_times, mut removed) = (Packed::new(), Times::new(), Vec::new());
    let mut buffers = [itoa::Buffer::new(), itoa::Buffer::new()];
    for (field, value, expiry) in iter(packed) {
        if removed.len() < most && expiry.is_some_and(|at_ms| at_ms <= now_ms) {
            removed.push(field.to_vec());
        } else {
            let [first, second] = &mut buffers;
            push(&mut kept, field.as_bytes(first), value.as_bytes(second), None);
            kept_times.push(expiry.unwrap_or(NEVER));
        }
    }
    if !removed.is_empty() {
        put_times(&mut kept, &kept_times);
        *packed = kept;
    }
    removed
}

/// Adds the times to fields that have none.
fn put_times(packed: &mut Packed, times: &Times) {
    packed.push_front([Text::Bytes(&to_bytes(times))]);
}

fn change_times(packed: &mut Packed, change: impl FnOnce(&mut Times)) {
    let mut all: Times = times(packed).collect();
    change(&mut all);
    let at = packed.first().expect("the times are the first element");
    packed.replace(at, Text::Bytes(&to_bytes(&all)));
}

fn to_bytes(times: &Times) -> SmallVec<[u8; 256]> {
    times.iter().flat_map(|time| time.to_le_bytes()).collect()
}
