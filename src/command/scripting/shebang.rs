//! The first line of a script or library: `#!lua flags=no-writes`, `#!lua name=mylib`.

use crate::base::quoting;
use crate::command::Failure;
use crate::engine::scripts::Facts;

type Flag = (&'static str, fn(&mut Facts));

/// The names of the flags, and what they set.
const FLAGS: [Flag; 5] = [
    ("no-writes", |facts| facts.no_writes = true),
    ("allow-oom", |facts| facts.allow_oom = true),
    ("allow-stale", |facts| facts.allow_stale = true),
    ("no-cluster", |facts| facts.no_cluster = true),
    ("allow-cross-slot-keys", |facts| facts.allow_cross_slot_keys = true),
];

impl Facts {
    /// Sets the flag with this name, if there is one.
    pub fn set(&mut self, name: &[u8]) -> bool {
        let flag = FLAGS.iter().find(|(known, _)| known.as_bytes() == name);
        flag.inspect(|(_, set)| set(self)).is_some()
    }

    /// The names of the flags that are set.
    pub fn names(&self) -> Vec<&'static str> {
        let is_set = |(_, set): &&(&str, fn(&mut Facts))| {
            let mut with = *self;
            set(&mut with);
            with == *self
        };
        FLAGS.iter().filter(is_set).map(|(name, _)| *name).collect()
    }
}

/// Takes the first line of a script apart; answers what it says, and the code with that line left empty, so that lines keep
/// their numbers.
pub fn of_script(body: &[u8]) -> Result<(Facts, &[u8]), Failure> {
    let mut facts = Facts::default();
    if !body.starts_with(b"#!") {
        return Ok((facts, body));
    }
    let end = body.iter().position(|byte| *byte == b'\n').ok_or("ERR Invalid script shebang")?;
    facts.declared = true;
    let words = quoting::split(&body[..end]).ok_or("ERR Invalid script shebang")?;
    let (engine, words) = words.split_first().ok_or("ERR Invalid script shebang")?;
    if engine != b"#!lua" {
        return Err(failure("ERR Unexpected engine in script shebang: ", engine));
    }
    for word in words {
        let Some(flags) = word.strip_prefix(b"flags=") else {
            return Err(failure("ERR Unknown lua shebang option: ", word));
        };
        for flag in flags.split(|byte| *byte == b',').filter(|_| !flags.is_empty()) {
            if !facts.set(flag) {
                return Err(failure("ERR Unexpected flag in script shebang: ", flag));
            }
        }
    }
    Ok((facts, &body[end..]))
}

/// Takes the first line of a library apart; answers its name, and the code with that line left empty.
pub fn of_library(code: &[u8]) -> Result<(Vec<u8>, &[u8]), Failure> {
    if !code.starts_with(b"#!") {
        return Err("ERR Missing library metadata".into());
    }
    let end = code.iter().position(|byte| *byte == b'\n').ok_or("ERR Invalid library metadata")?;
    let words = quoting::split(&code[..end]).ok_or("ERR Invalid library metadata")?;
    let (engine, words) = words.split_first().ok_or("ERR Invalid library metadata")?;
    let engine = engine.strip_prefix(b"#!").unwrap_or_default();
    let mut name = None;
    for word in words {
        let Some(value) = word.strip_prefix(b"name=") else {
            return Err(failure("ERR Invalid metadata value given: ", word));
        };
        if name.replace(value.to_vec()).is_some() {
            return Err("ERR Invalid metadata value, name argument was given multiple times".into());
        }
    }
    let name = name.ok_or("ERR Library name was not given")?;
    if !is_name(&name) {
        return Err(NAME_RULE.into());
    }
    if !engine.eq_ignore_ascii_case(b"lua") {
        let engine = String::from_utf8_lossy(engine);
        return Err(Failure::new(format!("ERR Engine '{engine}' not found")));
    }
    Ok((name, &code[end..]))
}

/// What is said of a name that is none.
pub const NAME_RULE: &str =
    "ERR Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// Whether a library or a function may be called so.
pub fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn failure(text: &str, word: &[u8]) -> Failure {
    Failure::new([text.as_bytes(), word].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_first_line_says() {
        assert_eq!(of_script(b"return 1").unwrap(), (Facts::default(), &b"return 1"[..]));
        let (facts, code) = of_script(b"#!lua flags=no-writes,allow-oom\nreturn 1").unwrap();
        assert_eq!((facts.names(), code), (vec!["no-writes", "allow-oom"], &b"\nreturn 1"[..]));
        assert!(facts.declared);
        let text = |body: &[u8]| String::from_utf8(of_script(body).unwrap_err().text().to_vec()).unwrap();
        assert_eq!(text(b"#!lua"), "ERR Invalid script shebang");
        assert_eq!(text(b"#!py\n"), "ERR Unexpected engine in script shebang: #!py");
        assert_eq!(text(b"#!lua a=b\n"), "ERR Unknown lua shebang option: a=b");
        assert_eq!(text(b"#!lua flags=x,\n"), "ERR Unexpected flag in script shebang: x");
        assert_eq!(of_library(b"#!LUA name=\"a_1\"\n2").unwrap(), (b"a_1".to_vec(), &b"\n2"[..]));
    }
}
