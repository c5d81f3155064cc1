//! Small collections that stand in a file as one string.
//!
//! Today's files have listpacks and intsets; ziplists and zipmaps of older ones are turned into listpacks as they are read,
//! so that whoever takes the elements knows two forms.

use super::{ziplist, zipmap};
use crate::base::intset::{self, Width};
use crate::base::listpack;
use crate::base::text::Text;

/// Elements in one string: of a listpack, in the shortest form (see `base/listpack.rs`), or of an intset. Checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Packed<'a>(Form<'a>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Form<'a> {
    Listpack { elements: &'a [u8], count: usize },
    Intset { width: Width, integers: &'a [u8] },
}

impl<'a> Packed<'a> {
    /// Elements as a listpack has them between its head and its end, all in their shortest form.
    pub fn listpack(elements: &'a [u8], count: usize) -> Self {
        Self(Form::Listpack { elements, count })
    }

    /// The integers of an intset, in order, little-endian.
    pub fn intset(width: Width, integers: &'a [u8]) -> Self {
        Self(Form::Intset { width, integers })
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self.0 {
            Form::Listpack { count, .. } => count,
            Form::Intset { width, integers } => integers.len() / width.bytes(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements in order.
    pub fn iter(&self) -> impl Iterator<Item = Text<'a>> + use<'a> {
        let (packed, mut at) = (*self, 0);
        std::iter::from_fn(move || match packed.0 {
            Form::Listpack { elements, .. } => {
                let here = at;
                (here < elements.len()).then(|| {
                    at = listpack::next(elements, here);
                    listpack::decode(elements, here)
                })
            }
            Form::Intset { width, integers } => {
                let index = at;
                at += 1;
                (index < packed.len()).then(|| Text::Int(intset::get(integers, width, index)))
            }
        })
    }

    /// The elements as a listpack has them between its head and its end, if it is one.
    pub fn elements(&self) -> Option<&'a [u8]> {
        match self.0 {
            Form::Listpack { elements, .. } => Some(elements),
            Form::Intset { .. } => None,
        }
    }

    /// Width and integers, if it is an intset.
    pub fn integers(&self) -> Option<(Width, &'a [u8])> {
        match self.0 {
            Form::Listpack { .. } => None,
            Form::Intset { width, integers } => Some((width, integers)),
        }
    }
}

/// A listpack as a file has it. `spare` is used if elements are not in their shortest form.
pub(super) fn read_listpack<'a>(blob: &'a [u8], spare: &'a mut Vec<u8>) -> Result<Packed<'a>, &'static str> {
    const BROKEN: &str = "a listpack that is none";
    let (head, rest) = blob.split_first_chunk::<6>().ok_or(BROKEN)?;
    let (end, elements) = rest.split_last().ok_or(BROKEN)?;
    let total = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let claimed = u16::from_le_bytes([head[4], head[5]]);
    let checked = listpack::check(elements).ok_or(BROKEN)?;
    if total as usize != blob.len() || *end != 0xff || (claimed != u16::MAX && usize::from(claimed) != checked.count) {
        return Err(BROKEN);
    }
    if checked.canonical {
        return Ok(Packed::listpack(elements, checked.count));
    }
    let loose = Packed::listpack(elements, checked.count);
    let shortest = loose.iter().map(|text| match text {
        Text::Bytes(bytes) => Text::of(bytes),
        int => int,
    });
    Ok(repacked(shortest, spare))
}

/// A ziplist as a file has it, as a listpack in `spare`.
pub(super) fn read_ziplist<'a>(blob: &[u8], spare: &'a mut Vec<u8>) -> Result<Packed<'a>, &'static str> {
    ziplist::read(blob).map(|elements| repacked(elements, spare)).ok_or("a ziplist that is none")
}

/// A zipmap as a file has it, as a listpack in `spare`.
pub(super) fn read_zipmap<'a>(blob: &[u8], spare: &'a mut Vec<u8>) -> Result<Packed<'a>, &'static str> {
    zipmap::read(blob).map(|elements| repacked(elements, spare)).ok_or("a zipmap that is none")
}

/// An intset as a file has it.
pub(super) fn read_intset(blob: &[u8]) -> Result<Packed<'_>, &'static str> {
    const BROKEN: &str = "an intset that is none";
    let (head, integers) = blob.split_first_chunk::<{ intset::HEADER }>().ok_or(BROKEN)?;
    let width = Width::of_bytes(u32::from_le_bytes([head[0], head[1], head[2], head[3]])).ok_or(BROKEN)?;
    let count = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    if (count as usize).checked_mul(width.bytes()) != Some(integers.len()) {
        return Err(BROKEN);
    }
    let packed = Packed::intset(width, integers);
    let is_sorted = (1..packed.len()).all(|i| intset::get(integers, width, i - 1) < intset::get(integers, width, i));
    if is_sorted { Ok(packed) } else { Err("an intset that is not in order") }
}

fn repacked<'t, 'a>(elements: impl Iterator<Item = Text<'t>>, spare: &'a mut Vec<u8>) -> Packed<'a> {
    spare.clear();
    let mut count = 0;
    for element in elements {
        push(spare, element);
        count += 1;
    }
    Packed::listpack(spare, count)
}

/// Appends an element to those of a listpack.
pub(super) fn push(elements: &mut Vec<u8>, element: Text<'_>) {
    let encoded = listpack::encode(element);
    let start = elements.len();
    elements.resize(start + encoded.size(), 0);
    encoded.write(&mut elements[start..]);
}
