//! Members of a set drawn at random: what SPOP and SRANDMEMBER are made of. Every member, and every choice of several
//! different ones, has the same chance.

use fastrand::Rng;

use super::compact::{Form, FormMut};
use super::packed::Packed;
use super::selection::{Selection, distinct, is_sparse};
use super::set::Set;
use crate::base::text::Text;

impl Set {
    /// A member drawn at random.
    pub fn random(&self, random: &mut Rng) -> Option<Text<'_>> {
        match self.form() {
            _ if self.is_empty() => None,
            Form::Packed(packed) => packed.nth(random.usize(..packed.len()) as i64).map(|at| packed.get(at)),
            Form::Intset(intset) => Some(Text::Int(intset.get(random.usize(..intset.len())))),
            Form::Large(table) => table.sample(random).map(|member| Text::Bytes(member.bytes())),
        }
    }

    /// Members drawn at random without end, each from all.
    pub fn draws<'a>(&'a self, random: &'a mut Rng) -> impl Iterator<Item = Text<'a>> {
        let members: Vec<Text<'a>> =
            if let Form::Packed(packed) = self.form() { packed.iter().collect() } else { vec![] };
        std::iter::from_fn(move || random.choice(&members).copied().or_else(|| self.random(random)))
    }

    /// Calls `each` for so many different members; for all if there are no more.
    pub fn choose(&self, count: usize, random: &mut Rng, mut each: impl FnMut(Text<'_>)) {
        let len = self.len();
        if count >= len {
            return self.iter().for_each(each);
        }
        let is_sparse = is_sparse(count, len);
        match self.form() {
            Form::Intset(intset) if is_sparse => {
                distinct(count, || {
                    let index = random.usize(..len);
                    (index, index)
                })
                .for_each(|index| each(Text::Int(intset.get(index))));
            }
            Form::Large(table) if is_sparse => {
                distinct(count, || {
                    let member = table.sample(random).expect("the set is not empty");
                    (member.bytes().as_ptr(), member)
                })
                .for_each(|member| each(Text::Bytes(member.bytes())));
            }
            _ => {
                let mut selection = Selection::new(count, len);
                self.iter().filter(|_| selection.takes(random)).for_each(each);
            }
        }
    }

    /// Takes so many members out, which must be fewer than there are, and calls `each` for them.
    pub fn take_random(&mut self, count: usize, random: &mut Rng, mut each: impl FnMut(Text<'_>)) {
        let len = self.len();
        assert!(count < len, "a set that is taken as a whole is removed");
        let mut selection = Selection::new(count, len);
        match self.form_mut() {
            FormMut::Packed(packed) if count == 1 => {
                let at = packed.nth(random.usize(..len) as i64).expect("the index is below the length");
                each(packed.get(at));
                packed.remove(at, 1);
            }
            FormMut::Packed(packed) => {
                // Removed one by one, each would move all that are behind it.
                let mut kept = Packed::new();
                for member in packed.iter() {
                    if selection.takes(random) {
                        each(member);
                    } else {
                        kept.push_back([member]);
                    }
                }
                *packed = kept;
            }
            FormMut::Intset(intset) if count == 1 => {
                let value = intset.get(random.usize(..len));
                each(Text::Int(value));
                intset.remove(value);
            }
            FormMut::Intset(intset) => intset.retain(|value| {
                let taken = selection.takes(random);
                if taken {
                    each(Text::Int(value));
                }
                !taken
            }),
            FormMut::Large(table) => {
                for _ in 0..count {
                    let member = table.sample(random).expect("there are more members than are taken");
                    let (hash, address) = (super::hash(member.bytes()), member.bytes().as_ptr());
                    let member = table.remove_by(hash, |other| std::ptr::eq(other.bytes().as_ptr(), address));
                    each(Text::Bytes(member.expect("it was just found").bytes()));
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "set_random_tests.rs"]
mod tests;
