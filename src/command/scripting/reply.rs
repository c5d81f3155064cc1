//! From what a script returns to the reply for its client.

use mlua::{Table, Value};

use crate::resp::Reply;

/// How deep tables may be nested: deeper than any client reads them.
const DEPTH: usize = 1000;

/// How the script asked for replies, and what goes wrong on the way.
pub struct Writer<'a> {
    /// The client's reply.
    pub reply: &'a mut Reply,
    /// The script called `redis.setresp(3)`.
    pub script_resp3: bool,
    /// Errors written, to be counted, without those that were counted when a command failed.
    pub errors: Vec<Vec<u8>>,
}

impl Writer<'_> {
    /// Writes a value.
    pub fn write(&mut self, value: &Value) {
        self.nested(value, 0);
    }

    fn nested(&mut self, value: &Value, depth: usize) {
        match value {
            Value::String(text) => self.reply.bulk(&text.as_bytes()),
            Value::Boolean(truth) if self.script_resp3 => self.reply.boolean(*truth),
            Value::Boolean(true) => self.reply.integer(1),
            Value::Integer(number) => self.reply.integer(*number),
            Value::Number(number) => self.reply.integer(truncated(*number)),
            Value::Table(_) if depth >= DEPTH => self.reply.error(b"ERR reached lua stack limit"),
            Value::Table(table) => self.table(table, depth),
            _ => self.reply.null(),
        }
    }

    fn table(&mut self, table: &Table, depth: usize) {
        let get = |name: &str| table.raw_get::<Value>(name).unwrap_or(Value::Nil);
        if let Value::String(text) = get("err") {
            let text = text.as_bytes().to_vec();
            self.reply.error(&text);
            if !matches!(get("ignore_error_stats_update"), Value::Boolean(true)) {
                self.errors.push(text);
            }
        } else if let Value::String(text) = get("ok") {
            let text: Vec<u8> = one_line(&text.as_bytes());
            self.reply.raw(b"+");
            self.reply.raw(&text);
            self.reply.raw(b"\r\n");
        } else if let Some(number) = get("double").as_number_of_any_kind() {
            self.reply.double(number);
        } else if let Value::Table(pairs) = get("map") {
            let start = self.reply.deferred();
            let mut count = 0;
            for pair in pairs.pairs::<Value, Value>().flatten() {
                self.nested(&pair.0, depth + 1);
                self.nested(&pair.1, depth + 1);
                count += 1;
            }
            self.reply.finish_map(start, count);
        } else if let Value::Table(members) = get("set") {
            let start = self.reply.deferred();
            let mut count = 0;
            for (member, _) in members.pairs::<Value, Value>().flatten() {
                self.nested(&member, depth + 1);
                count += 1;
            }
            self.reply.finish_set(start, count);
        } else if let Value::String(digits) = get("big_number") {
            self.reply.big_number(&one_line(&digits.as_bytes()));
        } else if let Some((format, text)) = verbatim(&get("verbatim_string")) {
            self.reply.verbatim(&format, &text);
        } else {
            self.array(table, depth);
        }
    }

    /// The elements up to the first that is nil.
    fn array(&mut self, table: &Table, depth: usize) {
        let start = self.reply.deferred();
        let mut count = 0;
        loop {
            match table.raw_get::<Value>(count + 1) {
                Ok(Value::Nil) | Err(_) => break,
                Ok(value) => self.nested(&value, depth + 1),
            }
            count += 1;
        }
        self.reply.finish_array(start, count);
    }
}

trait AnyNumber {
    fn as_number_of_any_kind(&self) -> Option<f64>;
}

impl AnyNumber for Value {
    fn as_number_of_any_kind(&self) -> Option<f64> {
        match self {
            Value::Integer(number) => Some(*number as f64),
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }
}

/// As C does it on the machines that Redis runs on: what does not fit is the smallest integer.
fn truncated(number: f64) -> i64 {
    if number >= -(2f64.powi(63)) && number < 2f64.powi(63) { number as i64 } else { i64::MIN }
}

fn one_line(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect()
}

fn verbatim(value: &Value) -> Option<(String, Vec<u8>)> {
    let table = value.as_table()?;
    let text = |name: &str| match table.raw_get::<Value>(name) {
        Ok(Value::String(text)) => Some(text.as_bytes().to_vec()),
        _ => None,
    };
    let format: String = text("format")?.iter().take(3).map(|byte| char::from(*byte)).collect();
    Some((format!("{format:<3}"), text("string")?))
}
