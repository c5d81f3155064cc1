//! The patterns of BY and GET: each element in place of the first `*` gives the key, or behind `->` the field of a hash,
//! that is looked up for it. `#` is the element itself.

use crate::base::number;
use crate::command::Ctx;
use crate::keyspace::{Text, Value};
use crate::resp::Reply;

#[derive(Clone)]
pub(super) enum Pattern<'a> {
    /// The element.
    Element,
    /// There is no `*`, and so nothing is ever found.
    Nothing,
    /// A key, or a field in it.
    Key {
        before: &'a [u8],
        after: &'a [u8],
        field: Option<&'a [u8]>,
        /// Memory for the key.
        key: Vec<u8>,
    },
}

impl<'a> Pattern<'a> {
    /// Reads a pattern. As C searches strings, so `*` and `->` count only up to a zero byte.
    pub(super) fn of(pattern: &'a [u8]) -> Self {
        let visible = number::c_string(pattern);
        if visible == b"#" {
            return Self::Element;
        }
        let Some(star) = visible.iter().position(|byte| *byte == b'*') else { return Self::Nothing };
        let arrow = visible[star + 1..].windows(2).position(|pair| pair == b"->").map(|at| star + 1 + at);
        // An arrow at the end is a part of the key.
        let arrow = arrow.filter(|at| at + 2 < visible.len());
        Self::Key {
            before: &pattern[..star],
            after: &pattern[star + 1..arrow.unwrap_or(pattern.len())],
            field: arrow.map(|at| &pattern[at + 2..]),
            key: Vec::new(),
        }
    }

    /// Whether it leads to other keys.
    pub(super) fn names_keys(&self) -> bool {
        matches!(self, Self::Key { .. })
    }

    /// Calls `use_it` with what is found for an element, and the reply.
    pub(super) fn look_up<R>(
        &mut self,
        ctx: &mut Ctx<'_>,
        element: &[u8],
        use_it: impl FnOnce(Option<Text<'_>>, &mut Reply) -> R,
    ) -> R {
        match self {
            Self::Element => use_it(Some(Text::Bytes(element)), &mut ctx.reply),
            Self::Nothing => use_it(None, &mut ctx.reply),
            Self::Key { before, after, field, key } => {
                key.clear();
                [before, element, after].iter().for_each(|part| key.extend_from_slice(part));
                let now_ms = ctx.fields_now_ms();
                let (entry, reply) = ctx.read_reply(key);
                let value = entry.map(|entry| entry.value());
                use_it(value.and_then(|value| found(value, *field, now_ms)), reply)
            }
        }
    }
}

/// The string in a value, or in a field of it.
fn found<'v>(value: Value<'v>, field: Option<&[u8]>, now_ms: i64) -> Option<Text<'v>> {
    match (value, field) {
        (Value::String(text), None) => Some(text),
        (Value::Hash(hash), Some(field)) => hash.get(field, now_ms),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Key and field for the element `e`.
    fn parts(pattern: &[u8]) -> (String, Option<String>) {
        let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
        match Pattern::of(pattern) {
            Pattern::Element => ("#".into(), None),
            Pattern::Nothing => ("nothing".into(), None),
            Pattern::Key { before, after, field, .. } => (text(&[before, b"e", after].concat()), field.map(text)),
        }
    }

    #[test]
    fn the_element_takes_the_place_of_the_first_star() {
        for (pattern, key, field) in [
            (&b"#"[..], "#", None),
            (b"##", "nothing", None),
            (b"nosort", "nothing", None),
            (b"*", "e", None),
            (b"w_*_*", "w_e_*", None),
            (b"w_*->f", "w_e", Some("f")),
            (b"w_*x->f->g", "w_ex", Some("f->g")),
            (b"w_*->", "w_e->", None),
            (b"a->b*", "a->be", None),
            (b"a\0*", "nothing", None),
            (b"*\0->f", "e\\x00->f", None),
            (b"*->f\0g", "e", Some("f\\x00g")),
        ] {
            assert_eq!(parts(pattern), (key.to_owned(), field.map(str::to_owned)), "{}", pattern.escape_ascii());
        }
    }
}
