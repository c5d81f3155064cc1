//! SORT and SORT_RO: the elements of a list, a set or a sorted set in another order, or something else in their place.
//!
//! The elements come from `source`, one place a type; weights (BY) and what is answered (GET) may come from other keys, by
//! `pattern`. Everything is gathered before the order is made, for looking up may remove expired keys.

mod pattern;
mod source;
mod weight;

use std::ops::Range;

use super::acl::check::permits_every_key;
use super::failure::{self, Failure};
use super::key_positions::KeyPosition;
use super::spec::{ACCESS, Access, OW, RO, UPDATE};
use super::strings::write_text;
use super::{Ctx, lists, parse, table};
use crate::base::number;
use crate::base::texts::{Span, Texts};
use crate::keyspace::{self, End, Entry, Family, Kind, List, Place, Zset};
use pattern::Pattern;
use source::Source;
use weight::Weight;

#[derive(Default)]
struct Options<'a> {
    by: Option<Pattern<'a>>,
    /// BY names no other keys: the elements stay in the order in which they are.
    is_unsorted: bool,
    gets: Vec<Pattern<'a>>,
    limit: Option<(i64, i64)>,
    is_descending: bool,
    is_alpha: bool,
    store: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    /// `sees_all` tells whether the user may read every key, which patterns are made to.
    fn read(arguments: &[&'a [u8]], may_store: bool, sees_all: bool) -> Result<Self, Failure> {
        let mut options = Self::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match (word.to_ascii_uppercase().as_slice(), words.as_slice()) {
                (b"ASC", _) => options.is_descending = false,
                (b"DESC", _) => options.is_descending = true,
                (b"ALPHA", _) => options.is_alpha = true,
                (b"LIMIT", [start, count, rest @ ..]) => {
                    options.limit = Some((parse::integer(start)?, parse::integer(count)?));
                    words = rest.iter();
                }
                (b"STORE", [key, rest @ ..]) if may_store => {
                    options.store = Some(key);
                    words = rest.iter();
                }
                (b"BY", [pattern, rest @ ..]) => {
                    let pattern = Pattern::of(pattern);
                    if pattern.names_keys() && !sees_all {
                        return Err("ERR BY option of SORT denied due to insufficient ACL permissions.".into());
                    }
                    options.is_unsorted |= !pattern.names_keys();
                    options.by = Some(pattern);
                    words = rest.iter();
                }
                (b"GET", _) if !sees_all => {
                    return Err("ERR GET option of SORT denied due to insufficient ACL permissions.".into());
                }
                (b"GET", [pattern, rest @ ..]) => {
                    options.gets.push(Pattern::of(pattern));
                    words = rest.iter();
                }
                _ => return Err(failure::SYNTAX),
            }
        }
        Ok(options)
    }

    /// The part of so many elements that is asked for.
    fn range(&self, len: usize) -> Range<usize> {
        let (start, count) = self.limit.unwrap_or((0, -1));
        let within = |number: i64| usize::try_from(number).map_or(len, |number| number.min(len));
        let start = if start < 0 { 0 } else { within(start) };
        let count = if count < 0 { len } else { within(count) };
        start..len.min(start + count)
    }
}

/// An element, with what it is sorted by.
struct Item {
    element: Span,
    weight: Weight,
    /// Its place before, by which elements are told apart that are equal otherwise.
    place: usize,
}

/// SORT key [BY pattern] [LIMIT offset count] [GET pattern …] [ASC | DESC] [ALPHA] [STORE destination]
pub fn sort(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments[1], Options::read(&arguments[2..], true, sees_all(ctx, arguments))?)
}

/// SORT_RO: the same without STORE.
pub fn sort_ro(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    run(ctx, arguments[1], Options::read(&arguments[2..], false, sees_all(ctx, arguments))?)
}

fn sees_all(ctx: &Ctx<'_>, arguments: &[&[u8]]) -> bool {
    let row = table::command(arguments[0]).expect("SORT is in the table");
    ctx.is_applying() || ctx.client.user.as_ref().is_none_or(|user| permits_every_key(user, row, arguments))
}

fn run(ctx: &mut Ctx<'_>, key: &[u8], mut options: Options<'_>) -> Result<(), Failure> {
    let hash = keyspace::hash(key);
    let kind = ctx.read(key).map(Entry::kind);
    if kind == Some(Kind::Zset)
        && let Some(zset) = ctx.db().find_mut(hash, key).and_then(Place::into_value).and_then(Zset::of_mut)
    {
        // Redis makes it a table before it sorts, and OBJECT ENCODING shows that.
        zset.enlarge();
    }
    let value = kind.and_then(|_| ctx.engine.dbs[ctx.client.db].find(hash, key)).map(Entry::value);
    let source = value.map(|value| Source::of(value).ok_or(failure::WRONG_TYPE)).transpose()?;
    let is_repeatable = options.store.is_some() || ctx.in_script;
    if options.is_unsorted && is_repeatable && source.as_ref().is_some_and(|source| !source.has_order()) {
        // What is stored must not depend on a hash table, nor what a script gets.
        (options.is_unsorted, options.is_alpha, options.by) = (false, true, None);
    }
    let len = source.as_ref().map_or(0, Source::len);
    let mut range = options.range(len);
    let mut elements = Texts::default();
    if let Some(source) = source {
        if options.is_unsorted && source.has_order() {
            source.gather_part(range.clone(), options.is_descending, &mut elements);
            range = 0..range.len();
        } else {
            source.gather(&mut elements);
        }
    }
    let order: Vec<Span> = if options.is_unsorted {
        elements.spans().skip(range.start).take(range.len()).collect()
    } else {
        let mut weights = Texts::default();
        let items = weigh(ctx, &elements, &options, &mut weights)?;
        sorted(items, range, &elements, &weights, &options).into_iter().map(|item| item.element).collect()
    };
    match options.store {
        Some(destination) => {
            let output = output(ctx, &elements, order, &mut options.gets);
            store(ctx, destination, &output);
        }
        None => answer(ctx, &elements, order, &mut options.gets),
    }
    Ok(())
}

/// Finds what each element is sorted by.
fn weigh(
    ctx: &mut Ctx<'_>,
    elements: &Texts,
    options: &Options<'_>,
    weights: &mut Texts,
) -> Result<Vec<Item>, Failure> {
    let mut items = Vec::with_capacity(elements.len());
    let mut is_wrong = false;
    let mut by = options.by.clone();
    for (place, element) in elements.spans().enumerate() {
        let weight = match &mut by {
            Some(pattern) => pattern.look_up(ctx, elements.get(element), |found, _| match found {
                None => Some(Weight::Absent),
                Some(text) if options.is_alpha => {
                    Some(Weight::Text(weights.push(text.as_bytes(&mut itoa::Buffer::new()))))
                }
                Some(text) => Weight::number(text),
            }),
            None if options.is_alpha => Some(Weight::Absent),
            None => Weight::number(elements.get(element).into()),
        };
        is_wrong |= weight.is_none();
        items.push(Item { element, weight: weight.unwrap_or(Weight::Absent), place });
    }
    // All keys are looked up nevertheless, as in Redis: that counts hits, and removes what has expired.
    if is_wrong { Err("ERR One or more scores can't be converted into double".into()) } else { Ok(items) }
}

/// The items of a range of the sorted order. Only as much is sorted as is needed.
fn sorted(
    mut items: Vec<Item>,
    range: Range<usize>,
    elements: &Texts,
    weights: &Texts,
    options: &Options<'_>,
) -> Vec<Item> {
    // A reply is sorted as C compares strings, up to a zero byte; what is stored, by all bytes.
    let text = |bytes| if options.store.is_some() { bytes } else { number::c_string(bytes) };
    let compare = |left: &Item, right: &Item| {
        let bytes = |item: &Item| elements.get(item.element);
        let order = match (options.is_alpha, &options.by) {
            (false, _) => {
                left.weight.as_number().total_cmp(&right.weight.as_number()).then_with(|| bytes(left).cmp(bytes(right)))
            }
            (true, None) => text(bytes(left)).cmp(text(bytes(right))),
            (true, Some(_)) => {
                let weight = |item: &Item| item.weight.as_text().map(|span| text(weights.get(span)));
                weight(left).cmp(&weight(right))
            }
        };
        let order = if options.is_descending { order.reverse() } else { order };
        order.then_with(|| left.place.cmp(&right.place))
    };
    if range.is_empty() {
        return Vec::new();
    }
    if range.end < items.len() {
        items.select_nth_unstable_by(range.end - 1, compare);
        items.truncate(range.end);
    }
    if range.start > 0 {
        items.select_nth_unstable_by(range.start, compare);
        items.drain(..range.start);
    }
    items.sort_unstable_by(compare);
    items
}

/// Writes the elements, or what GET asks for in their place.
fn answer(ctx: &mut Ctx<'_>, elements: &Texts, order: Vec<Span>, gets: &mut [Pattern<'_>]) {
    ctx.reply.array(order.len() * gets.len().max(1));
    for element in order {
        let element = elements.get(element);
        if gets.is_empty() {
            ctx.reply.bulk(element);
        }
        for pattern in &mut *gets {
            pattern.look_up(ctx, element, |found, reply| write_text(reply, found));
        }
    }
}

/// The same to be stored; what is absent is an empty string there.
fn output(ctx: &mut Ctx<'_>, elements: &Texts, order: Vec<Span>, gets: &mut [Pattern<'_>]) -> Texts {
    let mut output = Texts::with_capacity(order.len() * gets.len().max(1));
    for element in order {
        let element = elements.get(element);
        if gets.is_empty() {
            output.push(element);
        }
        for pattern in &mut *gets {
            pattern.look_up(ctx, element, |found, _| {
                let mut buffer = itoa::Buffer::new();
                output.push(found.map(|text| text.as_bytes(&mut buffer)).unwrap_or_default());
            });
        }
    }
    output
}

/// Stores a list of these elements in place of whatever is there; nothing, if there are none. What is logged is the result:
/// the order of what is equal may depend on a hash table.
fn store(ctx: &mut Ctx<'_>, destination: &[u8], elements: &Texts) {
    let is_replaced = ctx.write(destination).is_some();
    if elements.is_empty() {
        ctx.remove_replaced(destination);
    } else {
        let limits = lists::limits(ctx.engine);
        let mut list = List::new();
        for element in elements.iter() {
            list.expect(element.len(), 1, &limits);
            list.push(End::Right, element, &limits);
        }
        ctx.put(destination, list);
        ctx.modified(destination);
        ctx.event("sortstore", destination);
        ctx.counts_as(elements.len() as u64);
    }
    if is_replaced {
        ctx.effect(&[b"DEL", destination]);
    }
    if !elements.is_empty() {
        let command: Vec<&[u8]> = [&b"RPUSH"[..], destination].into_iter().chain(elements.iter()).collect();
        ctx.effect(&command);
    }
    ctx.reply.count(elements.len());
}

/// The keys that SORT names itself: the one that is sorted, and the last one behind STORE.
pub fn find_keys(argv: &[&[u8]]) -> Option<Vec<KeyPosition>> {
    let mut found = vec![KeyPosition { at: 1, access: Access::all(&[RO, ACCESS]) }];
    let mut at = 2;
    while at < argv.len() {
        match argv[at].to_ascii_uppercase().as_slice() {
            b"LIMIT" => at += 2,
            b"GET" | b"BY" => at += 1,
            b"STORE" if at + 1 < argv.len() => {
                found.truncate(1);
                found.push(KeyPosition { at: at + 1, access: Access::all(&[OW, UPDATE]) });
            }
            _ => {}
        }
        at += 1;
    }
    Some(found)
}

/// The key that SORT_RO names itself.
pub fn find_key(_: &[&[u8]]) -> Option<Vec<KeyPosition>> {
    Some(vec![KeyPosition { at: 1, access: Access::all(&[RO, ACCESS]) }])
}

#[cfg(test)]
#[path = "sort/tests.rs"]
mod tests;
