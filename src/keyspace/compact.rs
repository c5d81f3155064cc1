//! How a collection is represented, in eight bytes: [`Packed`], [`Intset`], or a larger structure of the family's own.
//!
//! A family's type is one of these: `pub struct Hash(Compact<Table<Field>>)`. The two lowest bits of the address say which
//! it is. They are zero for a [`Packed`] and one for an [`Intset`], whose own eight bytes these are; a `Box<L>` is kept
//! with two added.

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::intset::Intset;
use super::packed::Packed;

const TAG_BITS: usize = 3;
const LARGE: usize = 2;

const _: () = assert!(Packed::TAG == 0 && Intset::TAG == 1, "the tags are told apart");

/// See the module.
#[repr(transparent)]
pub struct Compact<L>(NonNull<u8>, PhantomData<(Packed, Intset, Box<L>)>);

/// What is there.
pub enum Form<'a, L> {
    /// A listpack.
    Packed(&'a Packed),
    /// An intset.
    Intset(&'a Intset),
    /// The larger structure.
    Large(&'a L),
}

/// What is there, for changing it.
pub enum FormMut<'a, L> {
    /// A listpack.
    Packed(&'a mut Packed),
    /// An intset.
    Intset(&'a mut Intset),
    /// The larger structure.
    Large(&'a mut L),
}

// SAFETY: it owns one of the three, all of which may go to another thread if `L` may.
unsafe impl<L: Send> Send for Compact<L> {}

impl<L> From<Packed> for Compact<L> {
    fn from(packed: Packed) -> Self {
        // SAFETY: both are transparent wrappers of an address; the tag of a packed one is in it already.
        unsafe { std::mem::transmute::<Packed, Self>(packed) }
    }
}

impl<L> From<Intset> for Compact<L> {
    fn from(intset: Intset) -> Self {
        // SAFETY: as above.
        unsafe { std::mem::transmute::<Intset, Self>(intset) }
    }
}

impl<L> Compact<L> {
    /// The larger structure.
    pub fn large(large: L) -> Self {
        const { assert!(align_of::<L>() > TAG_BITS && size_of::<L>() > TAG_BITS, "the lowest bits are free for the tag") };
        let address = NonNull::from(Box::leak(Box::new(large))).cast::<u8>();
        // SAFETY: the structure is larger than the tag.
        Self(unsafe { address.add(LARGE) }, PhantomData)
    }

    fn tag(&self) -> usize {
        self.0.addr().get() & TAG_BITS
    }

    fn large_address(&self) -> NonNull<L> {
        // SAFETY: callers have seen the tag, which `large` added.
        unsafe { self.0.sub(LARGE) }.cast()
    }

    /// What is there.
    #[inline]
    pub fn form(&self) -> Form<'_, L> {
        match self.tag() {
            // SAFETY: the tag says that these eight bytes are a `Packed`, and both are transparent wrappers of an address.
            Packed::TAG => Form::Packed(unsafe { &*std::ptr::from_ref(self).cast() }),
            // SAFETY: likewise an `Intset`.
            Intset::TAG => Form::Intset(unsafe { &*std::ptr::from_ref(self).cast() }),
            // SAFETY: the box lives as long as `self`.
            _ => Form::Large(unsafe { self.large_address().as_ref() }),
        }
    }

    /// What is there, for changing it.
    #[inline]
    pub fn form_mut(&mut self) -> FormMut<'_, L> {
        match self.tag() {
            // SAFETY: as in `form`; the borrow is exclusive, and whatever is put there has the tag of its type.
            Packed::TAG => FormMut::Packed(unsafe { &mut *std::ptr::from_mut(self).cast() }),
            // SAFETY: likewise.
            Intset::TAG => FormMut::Intset(unsafe { &mut *std::ptr::from_mut(self).cast() }),
            // SAFETY: as in `form`; the borrow is exclusive.
            _ => FormMut::Large(unsafe { self.large_address().as_mut() }),
        }
    }
}

impl<L: Clone> Clone for Compact<L> {
    fn clone(&self) -> Self {
        match self.form() {
            Form::Packed(packed) => packed.clone().into(),
            Form::Intset(intset) => intset.clone().into(),
            Form::Large(large) => Self::large(large.clone()),
        }
    }
}

impl<L> Drop for Compact<L> {
    fn drop(&mut self) {
        match self.form_mut() {
            // SAFETY: `self` owns it, and nothing uses it afterwards.
            FormMut::Packed(packed) => unsafe { std::ptr::drop_in_place(packed) },
            // SAFETY: likewise.
            FormMut::Intset(intset) => unsafe { std::ptr::drop_in_place(intset) },
            // SAFETY: `large` leaked the box from which this address is, and nothing uses it afterwards.
            FormMut::Large(_) => drop(unsafe { Box::from_raw(self.large_address().as_ptr()) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::Text;

    fn shown(compact: &Compact<Vec<u64>>) -> String {
        match compact.form() {
            Form::Packed(packed) => format!("packed {}", packed.len()),
            Form::Intset(intset) => format!("intset {}", intset.len()),
            Form::Large(large) => format!("large {}", large.len()),
        }
    }

    #[test]
    fn it_is_what_it_was_made_of_and_can_become_another() {
        let mut compact: Compact<Vec<u64>> = Packed::new().into();
        assert_eq!((size_of_val(&compact), shown(&compact)), (8, "packed 0".into()));
        for number in 0..1000 {
            if let FormMut::Packed(packed) = compact.form_mut() {
                packed.push_back([Text::Int(number)]);
            }
        }
        assert_eq!(shown(&compact.clone()), "packed 1000");
        compact = Intset::new().into();
        for number in 0..1000 {
            if let FormMut::Intset(intset) = compact.form_mut() {
                intset.insert(number);
            }
        }
        assert_eq!(shown(&compact.clone()), "intset 1000");
        compact = Compact::large(vec![1, 2]);
        if let FormMut::Large(large) = compact.form_mut() {
            large.push(3);
        }
        assert_eq!(shown(&compact.clone()), "large 3");
        std::thread::spawn(move || drop(compact)).join().unwrap();
    }
}
