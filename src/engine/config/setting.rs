//! What a setting is: one row of the table, and how its values are read and written.

use super::composite::Composite;

/// When a setting may change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// At any time.
    Anytime,
    /// Only before the start.
    AtStart,
    /// As `enable-protected-configs` says: where a write there could reach files of others.
    Protected,
}

/// What a setting does here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// What its documentation says.
    Effective,
    /// It is kept and can be read back. It tunes internals of Redis that ackd does not have, or parts that are not in
    /// use; a value other than Redis' default is named in a warning.
    Remembered,
    /// It would protect, limit or give a role, and that is missing: any value but Redis' default is an error, so that
    /// nobody relies on what is not there.
    NotBuilt,
}

/// The form of a setting's values.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `yes` or `no`.
    Toggle,
    /// A whole number within bounds.
    Number(i64, i64),
    /// A number of bytes within bounds, with units.
    Memory(i64, i64),
    /// A number of bytes, or a percentage of `maxmemory` (kept as a negative number).
    MemoryOrPercent,
    /// File permissions.
    Octal(i64),
    /// One of these words, the first with a given number being shown.
    Choice(&'static [(&'static str, u8)]),
    /// Some of these words.
    Flags(&'static [(&'static str, u8)]),
    /// Any bytes.
    Text,
    /// A path or a name, in UTF-8.
    Path,
    /// Several words with a meaning of their own.
    Composite(Composite),
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Redis' name, or ackd's own.
    pub name: &'static str,
    /// The other name under which it is known.
    pub alias: Option<&'static str>,
    /// The form of its values.
    pub kind: Kind,
    /// The value that it has unless told otherwise.
    pub default: &'static str,
    /// Redis' default where ours is another: what a setting that is not built may be set to.
    pub redis_default: Option<&'static str>,
    /// When it may change.
    pub change: Change,
    /// What it does here.
    pub class: Class,
    /// Bounds to which a number is moved instead of being refused.
    pub clamp: Option<(i64, i64)>,
    /// Of [`Kind::Flags`], two that may not be set together, and the error that says so.
    pub excluding: Option<(u8, &'static str)>,
    /// Not shown by patterns, only by name.
    pub hidden: bool,
    /// Its value is not to be written into logs.
    pub secret: bool,
    /// What it means.
    pub about: &'static str,
}

impl Setting {
    const fn new(name: &'static str, kind: Kind, default: &'static str, about: &'static str) -> Setting {
        Setting {
            name,
            alias: None,
            kind,
            default,
            redis_default: None,
            change: Change::Anytime,
            class: Class::Effective,
            clamp: None,
            excluding: None,
            hidden: false,
            secret: false,
            about,
        }
    }

    /// The other name under which it is known.
    pub const fn alias(mut self, alias: &'static str) -> Setting {
        self.alias = Some(alias);
        self
    }

    /// Can be set only before the start.
    pub const fn at_start(mut self) -> Setting {
        self.change = Change::AtStart;
        self
    }

    /// Can be changed as `enable-protected-configs` says.
    pub const fn protected(mut self) -> Setting {
        self.change = Change::Protected;
        self
    }

    /// Kept, without effect.
    pub const fn remembered(mut self) -> Setting {
        self.class = Class::Remembered;
        self
    }

    /// An error unless set to Redis' default.
    pub const fn not_built(mut self) -> Setting {
        self.class = Class::NotBuilt;
        self
    }

    /// A number beyond these bounds is moved to them.
    pub const fn clamped(mut self, min: i64, max: i64) -> Setting {
        self.clamp = Some((min, max));
        self
    }

    /// Flags that may not be set together.
    pub const fn excluding(mut self, flags: u8, reason: &'static str) -> Setting {
        self.excluding = Some((flags, reason));
        self
    }

    /// Not shown by patterns.
    pub const fn hidden(mut self) -> Setting {
        self.hidden = true;
        self
    }

    /// Not to be written into logs.
    pub const fn secret(mut self) -> Setting {
        self.secret = true;
        self
    }

    /// Redis' default where ours is another.
    pub const fn redis_default(mut self, value: &'static str) -> Setting {
        self.redis_default = Some(value);
        self
    }

    /// Both names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.alias)
    }

    /// Whether a file may give the value as several words.
    pub fn takes_words(&self) -> bool {
        matches!(self.kind, Kind::Composite(_) | Kind::Flags(_))
    }

    /// The default as a value.
    pub fn default_value(&self) -> Value {
        self.read_known(self.default)
    }

    /// Redis' default as a value.
    pub fn redis_default_value(&self) -> Value {
        self.read_known(self.redis_default.unwrap_or(self.default))
    }

    fn read_known(&self, text: &'static str) -> Value {
        let blank = match self.kind {
            Kind::Composite(composite) => Value::Text(composite.blank().to_vec()),
            _ => Value::Text(Vec::new()),
        };
        self.read(&blank, text.as_bytes()).expect("the defaults of the table are valid")
    }

    /// Reads a value; `present` is the one in force, which some settings change in part. The error is Redis' text.
    pub fn read(&self, present: &Value, text: &[u8]) -> Result<Value, String> {
        match self.kind {
            Kind::Toggle => match text {
                _ if text.eq_ignore_ascii_case(b"yes") => Ok(Value::Toggle(true)),
                _ if text.eq_ignore_ascii_case(b"no") => Ok(Value::Toggle(false)),
                _ => Err("argument must be 'yes' or 'no'".into()),
            },
            Kind::Number(min, max) => {
                let value = strict_integer(text).ok_or("argument couldn't be parsed into an integer")?;
                let value = within(value, min, max)?;
                Ok(Value::Number(self.clamp.map_or(value, |(low, high)| value.clamp(low, high))))
            }
            Kind::Memory(min, max) => {
                let value = memory(text).ok_or("argument must be a memory value")?;
                let value = match i64::try_from(value) {
                    Ok(value) => within(value, min, max)?,
                    // Moved to the bounds that it has anyway: to Redis it is an unsigned number.
                    Err(_) if self.clamp == Some((min, max)) => max,
                    Err(_) => return Err(beyond(min, max)),
                };
                Ok(Value::Number(self.clamp.map_or(value, |(low, high)| value.clamp(low, high))))
            }
            Kind::MemoryOrPercent => memory_or_percent(text),
            Kind::Octal(max) => {
                let digits = std::str::from_utf8(text).ok();
                let value = digits.and_then(|digits| i64::from_str_radix(digits, 8).ok());
                within(value.ok_or("argument couldn't be parsed as an octal number")?, 0, max).map(Value::Number)
            }
            Kind::Choice(choices) => one_of(choices, text).map(Value::Choice),
            Kind::Flags(choices) => {
                let words = text.split(|byte| *byte == b' ').map(|word| one_of(choices, word));
                let flags = words.collect::<Result<Vec<u8>, _>>()?.iter().fold(0, |all, flag| all | flag);
                match self.excluding {
                    Some((both, reason)) if flags & both == both => Err(reason.into()),
                    _ => Ok(Value::Choice(flags)),
                }
            }
            Kind::Text => Ok(Value::Text(text.to_vec())),
            Kind::Path | Kind::Composite(Composite::FileName | Composite::Addresses) if text.contains(&0) => {
                Err("argument must not contain zero bytes".into())
            }
            Kind::Path | Kind::Composite(Composite::FileName | Composite::Addresses)
                if std::str::from_utf8(text).is_err() =>
            {
                Err("argument must be valid UTF-8".into())
            }
            Kind::Path => Ok(Value::Text(text.to_vec())),
            Kind::Composite(Composite::FileName) if text.contains(&b'/') => {
                Err(format!("{} can't be a path, just a filename", self.name))
            }
            Kind::Composite(composite) => composite.read(present.text(), text).map(Value::Text),
        }
    }

    /// A value as CONFIG GET shows it.
    pub fn show(&self, value: &Value) -> Vec<u8> {
        match (self.kind, value) {
            (_, Value::Toggle(value)) => if *value { "yes" } else { "no" }.into(),
            (Kind::MemoryOrPercent, Value::Number(value)) if *value < 0 => format!("{}%", -value).into_bytes(),
            (Kind::Octal(_), Value::Number(value)) => format!("{value:o}").into_bytes(),
            (_, Value::Number(value)) => value.to_string().into_bytes(),
            (Kind::Choice(choices), Value::Choice(number)) => {
                let found = choices.iter().find(|(_, known)| known == number);
                found.map(|(word, _)| word.as_bytes().to_vec()).unwrap_or_default()
            }
            (Kind::Flags(choices), Value::Choice(flags)) => {
                let set = choices.iter().filter(|(_, flag)| if *flags == 0 { *flag == 0 } else { flags & flag != 0 });
                set.map(|(word, _)| *word).collect::<Vec<_>>().join(" ").into_bytes()
            }
            (_, Value::Choice(_)) => Vec::new(),
            (_, Value::Text(text)) => text.clone(),
        }
    }
}

/// A value in the form of its kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    /// Of [`Kind::Toggle`].
    Toggle(bool),
    /// Of the numeric kinds.
    Number(i64),
    /// Of [`Kind::Choice`] and [`Kind::Flags`].
    Choice(u8),
    /// Of [`Kind::Text`], and [`Kind::Composite`] in its normal form.
    Text(Vec<u8>),
}

impl Value {
    /// The truth value; `false` for other kinds.
    pub fn toggle(&self) -> bool {
        matches!(self, Value::Toggle(true))
    }

    /// The number; 0 for other kinds.
    pub fn number(&self) -> i64 {
        if let Value::Number(value) = self { *value } else { 0 }
    }

    /// The number of the choice; 0 for other kinds.
    pub fn choice(&self) -> u8 {
        if let Value::Choice(value) = self { *value } else { 0 }
    }

    /// The bytes; none for other kinds.
    pub fn text(&self) -> &[u8] {
        if let Value::Text(text) = self { text } else { &[] }
    }
}

fn one_of(choices: &[(&str, u8)], text: &[u8]) -> Result<u8, String> {
    let found = choices.iter().find(|(word, _)| word.as_bytes().eq_ignore_ascii_case(text));
    found.map(|(_, number)| *number).ok_or_else(|| {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        format!("argument(s) must be one of the following: {}", words.join(", "))
    })
}

fn within(value: i64, min: i64, max: i64) -> Result<i64, String> {
    if (min..=max).contains(&value) { Ok(value) } else { Err(beyond(min, max)) }
}

fn beyond(min: i64, max: i64) -> String {
    format!("argument must be between {min} and {max} inclusive")
}

/// An integer without sign `+`, blanks or leading zeros.
pub(super) fn strict_integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => text.len() == 1,
        [first, ..] => first.is_ascii_digit() && *first != b'0',
        [] => false,
    };
    if canonical { std::str::from_utf8(text).ok()?.parse().ok() } else { None }
}

/// A number of bytes: digits and one of the units b, k, kb, m, mb, g, gb (k is 1000, kb 1024). Nothing is 0, and what is
/// too large is the largest, as Redis has it.
pub(super) fn memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let unit: i128 = match text[digits..].to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let digits = std::str::from_utf8(&text[..digits]).ok()?;
    let number: i128 = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    Some(u64::try_from(number.checked_mul(unit)?).unwrap_or(u64::MAX))
}

fn memory_or_percent(text: &[u8]) -> Result<Value, String> {
    const FORM: &str = "argument must be a memory or percent value";
    if let Some(percent) = text.strip_suffix(b"%") {
        let percent = strict_integer(percent).filter(|percent| *percent >= 0).ok_or(FORM)?;
        return match percent {
            0..=100 => Ok(Value::Number(-percent)),
            _ => Err("percentage argument must be less or equal to 100".into()),
        };
    }
    let bytes = memory(text).ok_or(FORM)?;
    Ok(Value::Number(i64::try_from(bytes).unwrap_or(i64::MAX)))
}

/// `yes` or `no`.
pub(super) const fn toggle(name: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting::new(name, Kind::Toggle, default, about)
}

/// A whole number.
pub(super) const fn number(
    name: &'static str,
    default: &'static str,
    (min, max): (i64, i64),
    about: &'static str,
) -> Setting {
    Setting::new(name, Kind::Number(min, max), default, about)
}

/// A number of bytes.
pub(super) const fn bytes(name: &'static str, default: &'static str, min: i64, about: &'static str) -> Setting {
    Setting::new(name, Kind::Memory(min, i64::MAX), default, about)
}

/// One of some words.
pub(super) const fn choice(
    name: &'static str,
    default: &'static str,
    choices: &'static [(&'static str, u8)],
    about: &'static str,
) -> Setting {
    Setting::new(name, Kind::Choice(choices), default, about)
}

/// Any bytes.
pub(super) const fn text(name: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting::new(name, Kind::Text, default, about)
}

/// A path or a name.
pub(super) const fn path(name: &'static str, default: &'static str, about: &'static str) -> Setting {
    Setting::new(name, Kind::Path, default, about)
}

/// A form of its own.
pub(super) const fn special(name: &'static str, default: &'static str, kind: Kind, about: &'static str) -> Setting {
    Setting::new(name, kind, default, about)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_values_take_units_of_both_kinds() {
        let cases: [(&[u8], Option<u64>); 12] = [
            (b"0", Some(0)),
            (b"", Some(0)),
            (b"100", Some(100)),
            (b"1b", Some(1)),
            (b"2k", Some(2000)),
            (b"2KB", Some(2048)),
            (b"3Mb", Some(3 << 20)),
            (b"1G", Some(1_000_000_000)),
            (b"9999999999999999999gb", Some(u64::MAX)),
            (b"1tb", None),
            (b"-1", None),
            (b"1.5mb", None),
        ];
        for (text, value) in cases {
            assert_eq!(memory(text), value, "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn integers_are_read_strictly() {
        for text in [&b"01"[..], b"+1", b" 1", b"1 ", b"", b"-", b"-0", b"1.0", b"0x10", b"9223372036854775808"] {
            assert_eq!(strict_integer(text), None, "{}", String::from_utf8_lossy(text));
        }
        assert_eq!(strict_integer(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(strict_integer(b"0"), Some(0));
    }
}
