//! Sets: integers in order while they are few, a listpack while the members are few and short, a hash table otherwise.
//!
//! The thresholds and conversions are those of Redis 7.2, for OBJECT ENCODING shows them. A set never turns back by itself.
//! The commands on sets call it.

use super::collection::Collection;
use super::compact::{Compact, Form, FormMut};
use super::digest;
use super::distinct::{self, Repeated};
use super::intset::Intset;
use super::kind::Encoding;
use super::member::Member;
use super::packed::Packed;
use super::redis_digest::RedisDigest;
use super::serialized;
use super::table::Table;
use crate::base::text::Text;
use crate::base::{intset, listpack};

/// The settings that decide how a set is represented.
#[derive(Clone, Copy, Debug)]
pub struct SetLimits {
    /// `set-max-intset-entries`.
    pub intset_entries: usize,
    /// `set-max-listpack-entries`.
    pub listpack_entries: usize,
    /// `set-max-listpack-value`.
    pub listpack_value: usize,
}

/// No set of integers has more members than this as one, whatever the settings say: one member more, which is added before
/// it is found to be too many, still leaves the contents below 4 GiB, whatever their width.
const INTSET_MAX: usize = u32::MAX as usize / size_of::<i64>() - 1;

impl SetLimits {
    pub fn intset_max(&self) -> usize {
        self.intset_entries.min(INTSET_MAX)
    }
}

/// A set.
#[derive(Clone)]
pub struct Set(Compact<Table<Member>>);

impl Set {
    /// An empty set for about `count` members, of which the first is `first`.
    pub fn for_members(first: &[u8], count: usize, limits: &SetLimits) -> Self {
        let is_int = matches!(Text::of(first), Text::Int(_));
        Self(if is_int && count <= limits.intset_max() {
            Intset::new().into()
        } else if count <= limits.listpack_entries {
            Packed::new().into()
        } else {
            Compact::large(Table::new())
        })
    }

    /// An empty set that is a table, with room for so many.
    pub fn with_room(count: usize) -> Self {
        let mut table = Table::new();
        table.expect(count);
        Self(Compact::large(table))
    }

    /// A set of so many elements as [`Packed::bytes`] shows them; `None` if they are too many for one listpack.
    pub fn adopt(elements: &[u8], count: usize, limits: &SetLimits) -> Result<Option<Self>, Repeated> {
        if count > limits.listpack_entries || !Packed::may_be(elements.len()) {
            return Ok(None);
        }
        if !distinct::are_distinct(elements, count, 0) {
            return Err(Repeated);
        }
        Ok(Some(Self(Packed::of_bytes(elements, count).into())))
    }

    /// A set of integers as [`Intset::contents`] shows them, which rise; `None` if they are too many for that, or wider than
    /// they have to be.
    pub fn adopt_integers(width: intset::Width, contents: &[u8], limits: &SetLimits) -> Option<Self> {
        let count = contents.len() / width.bytes();
        let ends = [0, count.checked_sub(1)?].map(|index| intset::Width::of(intset::get(contents, width, index)));
        let is_kept = count <= limits.intset_max() && ends.contains(&width);
        is_kept.then(|| Self(Intset::of_contents(width, contents).into()))
    }

    /// An empty set that is represented in the way of the first member that it gets.
    pub(super) fn new(is_integers: bool) -> Self {
        Self(if is_integers { Intset::new().into() } else { Packed::new().into() })
    }

    /// Prepares for up to `count` members that are about to be added.
    pub fn expect(&mut self, count: usize, limits: &SetLimits) {
        let outgrown = match self.0.form() {
            Form::Packed(_) => count > limits.listpack_entries,
            Form::Intset(_) => count > limits.intset_max(),
            Form::Large(_) => false,
        };
        if outgrown {
            self.enlarge();
        }
    }

    /// Number of members.
    pub fn len(&self) -> usize {
        match self.0.form() {
            Form::Packed(packed) => packed.len(),
            Form::Intset(intset) => intset.len(),
            Form::Large(table) => table.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a member is there.
    pub fn contains(&self, member: &[u8]) -> bool {
        match self.0.form() {
            Form::Packed(packed) => packed.find(packed.first(), member, 0).is_some(),
            Form::Intset(intset) => match Text::of(member) {
                Text::Int(value) => intset.contains(value),
                Text::Bytes(_) => false,
            },
            Form::Large(table) => table.find(super::hash(member), member).is_some(),
        }
    }

    /// Adds a member; whether it was not there.
    pub fn insert(&mut self, member: &[u8], limits: &SetLimits) -> bool {
        match self.0.form_mut() {
            FormMut::Packed(packed) => {
                let text = Text::of(member);
                if packed.find(packed.first(), text, 0).is_some() {
                    return false;
                }
                if packed.len() < limits.listpack_entries
                    && member.len() <= limits.listpack_value
                    && packed.has_room(1, member.len())
                {
                    packed.push_back([text]);
                    return true;
                }
            }
            FormMut::Intset(intset) => match Text::of(member) {
                Text::Int(value) => {
                    let is_new = intset.insert(value);
                    if is_new && intset.len() > limits.intset_max() {
                        self.enlarge();
                    }
                    return is_new;
                }
                text => {
                    if let Some(mut packed) = pack(intset, member.len(), limits) {
                        packed.push_back([text]);
                        self.0 = packed.into();
                        return true;
                    }
                }
            },
            FormMut::Large(table) => {
                let hash = super::hash(member);
                let is_new = table.find(hash, member).is_none();
                if is_new {
                    table.insert(hash, Member::new(member));
                }
                return is_new;
            }
        }
        self.enlarge().insert(super::hash(member), Member::new(member));
        true
    }

    /// Takes a member out; whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self.0.form_mut() {
            FormMut::Packed(packed) => {
                let found = packed.find(packed.first(), member, 0);
                found.into_iter().for_each(|at| _ = packed.remove(at, 1));
                found.is_some()
            }
            FormMut::Intset(intset) => match Text::of(member) {
                Text::Int(value) => intset.remove(value),
                Text::Bytes(_) => false,
            },
            FormMut::Large(table) => table.remove(super::hash(member), member).is_some(),
        }
    }

    /// All members: in order if they are integers, else in none that means anything.
    pub fn iter(&self) -> impl Iterator<Item = Text<'_>> {
        match self.0.form() {
            Form::Packed(packed) => Members::Packed(packed.iter()),
            Form::Intset(intset) => Members::Intset(intset.iter().map(Text::Int)),
            Form::Large(table) => Members::Large(table.iter().map(|member| Text::Bytes(member.bytes()))),
        }
    }

    /// The representation, for commands that treat each in its own way.
    pub fn form(&self) -> Form<'_, Table<Member>> {
        self.0.form()
    }

    /// The same for changing it.
    pub(super) fn form_mut(&mut self) -> FormMut<'_, Table<Member>> {
        self.0.form_mut()
    }

    /// Makes it integers in order if there are no other members and not too many.
    pub(super) fn narrow(&mut self, limits: &SetLimits) {
        if matches!(self.0.form(), Form::Intset(_)) || self.len() > limits.intset_max() {
            return;
        }
        let values: Option<Vec<i64>> = self.iter().map(Text::to_int).collect();
        let Some(mut values) = values else { return };
        // In order, each is added to the end.
        values.sort_unstable();
        let mut intset = Intset::new();
        values.into_iter().for_each(|value| _ = intset.insert(value));
        self.0 = intset.into();
    }

    /// Makes it a hash table.
    fn enlarge(&mut self) -> &mut Table<Member> {
        if !matches!(self.0.form(), Form::Large(_)) {
            let mut table = Table::new();
            let mut buffer = itoa::Buffer::new();
            for member in self.iter() {
                let bytes = member.as_bytes(&mut buffer);
                table.insert(super::hash(bytes), Member::new(bytes));
            }
            self.0 = Compact::large(table);
        }
        match self.0.form_mut() {
            FormMut::Large(table) => table,
            _ => unreachable!("it was just made a hash table"),
        }
    }
}

/// The integers as a listpack, if one more member of this length may stand beside them.
fn pack(intset: &Intset, more: usize, limits: &SetLimits) -> Option<Packed> {
    let ends = intset.iter().next().into_iter().chain(intset.iter().next_back()).map(Text::Int);
    let (longest, largest) = ends.fold((0, 0), |(longest, largest): (usize, usize), end| {
        (longest.max(end.len()), largest.max(listpack::encode(end).size()))
    });
    let mut packed = Packed::new();
    let fits = intset.len() < limits.listpack_entries
        && more <= limits.listpack_value
        && longest <= limits.listpack_value
        && packed.has_room(1, largest.saturating_mul(intset.len()).saturating_add(more));
    if !fits {
        return None;
    }
    intset.iter().for_each(|value| packed.push_back([Text::Int(value)]));
    Some(packed)
}

/// The members of each representation.
enum Members<P, I, L> {
    Packed(P),
    Intset(I),
    Large(L),
}

impl<'a, P, I, L> Iterator for Members<P, I, L>
where
    P: Iterator<Item = Text<'a>>,
    I: Iterator<Item = Text<'a>>,
    L: Iterator<Item = Text<'a>>,
{
    type Item = Text<'a>;

    fn next(&mut self) -> Option<Text<'a>> {
        match self {
            Self::Packed(members) => members.next(),
            Self::Intset(members) => members.next(),
            Self::Large(members) => members.next(),
        }
    }

    /// Without asking for each member anew which representation it is.
    fn fold<B, F: FnMut(B, Text<'a>) -> B>(self, init: B, f: F) -> B {
        match self {
            Self::Packed(members) => members.fold(init, f),
            Self::Intset(members) => members.fold(init, f),
            Self::Large(members) => members.fold(init, f),
        }
    }
}

impl Collection for Set {
    fn encoding(&self) -> Encoding {
        match self.0.form() {
            Form::Packed(_) => Encoding::Listpack,
            Form::Intset(_) => Encoding::Intset,
            Form::Large(_) => Encoding::Hashtable,
        }
    }

    fn heap_bytes(&self, samples: usize) -> usize {
        match self.0.form() {
            Form::Packed(packed) => packed.heap_bytes(),
            Form::Intset(intset) => intset.heap_bytes(),
            Form::Large(table) => table.heap_bytes(samples, Member::heap_bytes),
        }
    }

    fn free_effort(&self) -> usize {
        match self.0.form() {
            Form::Packed(_) | Form::Intset(_) => 1,
            Form::Large(table) => table.len(),
        }
    }

    fn digest(&self) -> u128 {
        let mut buffer = itoa::Buffer::new();
        self.iter().fold(0, |sum, member| sum.wrapping_add(digest::of_parts(&[member.as_bytes(&mut buffer)])))
    }

    fn redis_digest(&self, digest: &mut RedisDigest) {
        let mut buffer = itoa::Buffer::new();
        self.iter().for_each(|member| digest.xor(member.as_bytes(&mut buffer)));
    }

    fn table_sizes(&self) -> Option<(usize, usize)> {
        match self.0.form() {
            Form::Large(table) => Some((table.buckets(), table.len())),
            _ => None,
        }
    }

    fn serialized_len(&self) -> usize {
        match self.0.form() {
            Form::Packed(packed) => serialized::blob(packed.bytes().len() + listpack::FRAME),
            Form::Intset(set) => serialized::blob(set.contents().len() + intset::HEADER),
            Form::Large(table) => serialized::length(table.len()) + self.iter().map(serialized::string).sum::<usize>(),
        }
    }
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
