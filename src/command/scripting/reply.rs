//! From what a script returns to the reply for its client.

use crate::engine::stats::Stats;
use crate::lua::stack::{Kind, Stack};
use crate::resp::Reply;

/// How deep tables may be nested: deeper than any client reads them.
const DEPTH: usize = 1000;

/// Writes the value at the top of a script's stack.
pub struct Writer<'a> {
    /// The client's reply.
    pub reply: &'a mut Reply,
    /// The script called `redis.setresp(3)`.
    pub script_resp3: bool,
    /// Errors that are written are counted there, but for those that were counted when a command failed.
    pub stats: &'a mut Stats,
}

impl Writer<'_> {
    /// Writes it.
    pub fn write(&mut self, stack: &mut Stack) {
        self.nested(stack, 0);
    }

    fn nested(&mut self, stack: &mut Stack, depth: usize) {
        match stack.kind(1) {
            Kind::String => self.reply.bulk(stack.string(1)),
            Kind::Number => self.reply.integer(stack.integer(1)),
            Kind::Boolean if self.script_resp3 => self.reply.boolean(stack.is_true(1)),
            Kind::Boolean if stack.is_true(1) => self.reply.integer(1),
            Kind::Table if depth >= DEPTH || !stack.make_room(5) => {
                self.reply.error(b"ERR reached lua stack limit");
            }
            Kind::Table => self.table(stack, depth),
            _ => self.reply.null(),
        }
    }

    fn table(&mut self, stack: &mut Stack, depth: usize) {
        if let Some(text) = text(stack, "err") {
            self.reply.error(&text);
            if !is_counted(stack) {
                self.stats.error(&text);
            }
        } else if let Some(text) = text(stack, "ok") {
            self.reply.raw(b"+");
            self.reply.raw(&one_line(text));
            self.reply.raw(b"\r\n");
        } else if let Some(number) = with(stack, "double", Kind::Number, |stack| stack.number(1)) {
            self.reply.double(number);
        } else if with(stack, "map", Kind::Table, |stack| self.pairs(stack, depth, true)).is_some()
            || with(stack, "set", Kind::Table, |stack| self.pairs(stack, depth, false)).is_some()
        {
        } else if let Some(digits) = text(stack, "big_number") {
            self.reply.big_number(&one_line(digits));
        } else if let Some(Some((format, text))) = with(stack, "verbatim_string", Kind::Table, verbatim) {
            self.reply.verbatim(&format, &text);
        } else {
            self.elements(stack, depth);
        }
    }

    /// The pairs of the table at the top, or its keys alone.
    fn pairs(&mut self, stack: &mut Stack, depth: usize, values: bool) {
        let start = self.reply.deferred();
        let mut count = 0;
        stack.push_nil();
        while stack.next() {
            stack.push_copy(stack.height() - 1);
            self.nested(stack, depth + 1);
            stack.pop(1);
            if values {
                self.nested(stack, depth + 1);
            }
            stack.pop(1);
            count += 1;
        }
        if values { self.reply.finish_map(start, count) } else { self.reply.finish_set(start, count) }
    }

    /// The elements up to the first that is nil.
    fn elements(&mut self, stack: &mut Stack, depth: usize) {
        let start = self.reply.deferred();
        for at in 1.. {
            stack.push_element(at);
            if stack.kind(1) == Kind::Nil {
                stack.pop(1);
                return self.reply.finish_array(start, at as usize - 1);
            }
            self.nested(stack, depth + 1);
            stack.pop(1);
        }
    }
}

/// What stands in a field of the table at the top, if it is of this kind.
fn with<R>(stack: &mut Stack, name: &str, kind: Kind, read: impl FnOnce(&mut Stack) -> R) -> Option<R> {
    if !stack.make_room(5) {
        return None;
    }
    stack.push_field(name);
    let result = if stack.kind(1) == kind { Some(read(stack)) } else { None };
    stack.pop(1);
    result
}

/// The text in a field of the table at the top, if there is a table.
pub fn text(stack: &mut Stack, name: &str) -> Option<Vec<u8>> {
    if stack.kind(1) != Kind::Table {
        return None;
    }
    with(stack, name, Kind::String, |stack| stack.string(1).to_vec())
}

/// The number in a field of the table at the top.
pub fn number(stack: &mut Stack, name: &str) -> Option<f64> {
    with(stack, name, Kind::Number, |stack| stack.number(1))
}

/// Whether the error at the top was counted when a command failed.
pub fn is_counted(stack: &mut Stack) -> bool {
    with(stack, "ignore_error_stats_update", Kind::Boolean, |stack| stack.is_true(1)) == Some(true)
}

fn one_line(mut text: Vec<u8>) -> Vec<u8> {
    text.iter_mut().filter(|byte| matches!(byte, b'\r' | b'\n')).for_each(|byte| *byte = b' ');
    text
}

fn verbatim(stack: &mut Stack) -> Option<(String, Vec<u8>)> {
    let format: String = text(stack, "format")?.iter().take(3).map(|byte| char::from(*byte)).collect();
    Some((format!("{format:<3}"), text(stack, "string")?))
}
