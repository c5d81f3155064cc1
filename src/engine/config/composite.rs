//! Settings whose value is several words: how each is read, and its normal form.
//!
//! The normal form is what CONFIG GET shows; reading it again gives the same.

use super::setting::{memory, strict_integer};

/// Which form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Composite {
    /// `seconds changes` pairs.
    Save,
    /// `class hard soft seconds`, one class or several; the others keep theirs.
    OutputBufferLimits,
    /// Addresses to listen on.
    Addresses,
    /// One address or none.
    OneAddress,
    /// Classes of keyspace notifications, as letters.
    KeyspaceEvents,
    /// Three numbers for the OOM killer.
    OomScores,
    /// Percentiles between 0 and 100.
    Percentiles,
    /// A primary: `host port`.
    Primary,
    /// A title with variables in braces.
    TitleTemplate,
    /// A file name without folders.
    FileName,
    /// A host name.
    HostName,
    /// A name for people.
    NodeName,
    /// A locale; only the ones that every system has.
    Locale,
}

/// The classes of clients that have an output buffer limit.
pub const CLIENT_CLASSES: [&str; 3] = ["normal", "slave", "pubsub"];

/// The most addresses that `bind` takes.
const MAX_ADDRESSES: usize = 16;

impl Composite {
    /// What a default is read onto.
    pub fn blank(self) -> &'static [u8] {
        match self {
            Composite::OutputBufferLimits => b"normal 0 0 0 slave 0 0 0 pubsub 0 0 0",
            _ => b"",
        }
    }

    /// The normal form of `text`, which changes `present`, or Redis' error text.
    pub fn read(self, present: &[u8], text: &[u8]) -> Result<Vec<u8>, String> {
        let words: Vec<&[u8]> = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).collect();
        match self {
            Composite::Save => save(&words),
            Composite::OutputBufferLimits => output_buffer_limits(present, &words),
            Composite::Addresses if words.len() > MAX_ADDRESSES => Err("Too many bind addresses specified.".into()),
            Composite::Addresses => Ok(words.join(&b' ')),
            Composite::OneAddress => Ok(text.to_vec()),
            Composite::KeyspaceEvents => keyspace_events(text),
            Composite::OomScores => oom_scores(&words),
            Composite::Percentiles => percentiles(&words),
            Composite::Primary => primary(&words),
            Composite::TitleTemplate => title_template(text),
            Composite::FileName => Ok(text.to_vec()),
            Composite::HostName => host_name(text),
            Composite::NodeName if text.iter().any(|byte| b"!#$%&()*+:;<>?@[]^{|}~".contains(byte)) => {
                Err("Announced human node name contained invalid character".into())
            }
            Composite::NodeName => Ok(text.to_vec()),
            Composite::Locale if matches!(text, b"" | b"C" | b"POSIX") => Ok(text.to_vec()),
            Composite::Locale => Err("Invalid locale name".into()),
        }
    }

    /// Whether a file may repeat the line, each adding to the last.
    pub fn accumulates(self) -> bool {
        matches!(self, Composite::Save)
    }
}

/// The longest host name.
const MAX_HOST_NAME: usize = 255;

fn host_name(text: &[u8]) -> Result<Vec<u8>, String> {
    if text.len() > MAX_HOST_NAME {
        return Err("Hostnames must be less than 256 characters".into());
    }
    if !text.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(byte)) {
        return Err("Hostnames may only contain alphanumeric characters, hyphens or dots".into());
    }
    Ok(text.to_vec())
}

fn save(words: &[&[u8]]) -> Result<Vec<u8>, String> {
    let bad = || "Invalid save parameters".to_string();
    if !words.len().is_multiple_of(2) {
        return Err(bad());
    }
    for pair in words.chunks(2) {
        let (seconds, changes) = (strict_integer(pair[0]), strict_integer(pair[1]));
        if seconds.is_none_or(|seconds| seconds < 1) || changes.is_none_or(|changes| changes < 0) {
            return Err(bad());
        }
    }
    Ok(words.join(&b' '))
}

/// Bytes and seconds of a client class' output buffer limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BufferLimit {
    /// Above this the connection is closed at once; 0 for no limit.
    pub hard: u64,
    /// Above this it is closed after [`BufferLimit::soft_seconds`]; 0 for no limit.
    pub soft: u64,
    /// How long it may stay above the soft limit.
    pub soft_seconds: u64,
}

/// The limits in their normal form, by [`CLIENT_CLASSES`].
pub fn buffer_limits(normal_form: &[u8]) -> [BufferLimit; 3] {
    let words: Vec<&[u8]> = normal_form.split(|byte| *byte == b' ').collect();
    let mut limits = [BufferLimit::default(); 3];
    for (limit, words) in limits.iter_mut().zip(words.chunks_exact(4)) {
        let number = |at: usize| memory(words[at]).unwrap_or(0);
        *limit = BufferLimit { hard: number(1), soft: number(2), soft_seconds: number(3) };
    }
    limits
}

fn output_buffer_limits(present: &[u8], words: &[&[u8]]) -> Result<Vec<u8>, String> {
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut limits = buffer_limits(present);
    for group in words.chunks(4) {
        let class = match group[0].to_ascii_lowercase().as_slice() {
            b"normal" => 0,
            b"slave" | b"replica" => 1,
            b"pubsub" => 2,
            _ => return Err("Invalid client class specified in buffer limit configuration.".into()),
        };
        let seconds = std::str::from_utf8(group[3]).ok().and_then(|text| text.parse::<i64>().ok());
        match (memory(group[1]), memory(group[2]), seconds) {
            (Some(hard), Some(soft), Some(seconds)) if seconds >= 0 => {
                limits[class] = BufferLimit { hard, soft, soft_seconds: seconds.unsigned_abs() };
            }
            _ => return Err("Error in hard, soft or soft_seconds setting in buffer limit configuration.".into()),
        }
    }
    let classes = CLIENT_CLASSES.iter().zip(limits);
    let shown = classes.map(|(class, limit)| format!("{class} {} {} {}", limit.hard, limit.soft, limit.soft_seconds));
    Ok(shown.collect::<Vec<_>>().join(" ").into_bytes())
}

/// Letters of the event classes that `A` stands for, in the order in which they are shown.
const ALL_EVENTS: &[u8] = b"g$lshzxetd";
/// Letters that `A` leaves out: keyspace and keyevent channels, misses, new keys.
const OTHER_EVENTS: &[u8] = b"KEmn";

/// Key events that are told, and where: see `notify-keyspace-events`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyEvents(u128);

impl KeyEvents {
    /// Of the setting's normal form.
    pub fn of(normal_form: &[u8]) -> Self {
        let bits = |letters: &[u8]| letters.iter().fold(0, |bits, letter| bits | 1 << letter);
        Self(bits(normal_form) | if normal_form.contains(&b'A') { bits(ALL_EVENTS) } else { 0 })
    }

    /// Whether this letter, of a class or a channel, is among them.
    #[inline]
    pub fn has(self, letter: u8) -> bool {
        self.0 & 1 << letter != 0
    }

    /// Whether any are told anywhere.
    #[inline]
    pub fn is_on(self) -> bool {
        self.has(b'K') || self.has(b'E')
    }
}

fn keyspace_events(text: &[u8]) -> Result<Vec<u8>, String> {
    if text.iter().any(|byte| *byte != b'A' && !ALL_EVENTS.contains(byte) && !OTHER_EVENTS.contains(byte)) {
        return Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into());
    }
    let set = |letter: &u8| text.contains(letter) || (text.contains(&b'A') && ALL_EVENTS.contains(letter));
    let mut shown = Vec::new();
    if ALL_EVENTS.iter().all(set) {
        shown.push(b'A');
    } else {
        shown.extend(ALL_EVENTS.iter().filter(|letter| set(letter)));
        // Redis shows new keys only if not all classes are on, for historical reasons.
        shown.extend(set(&b'n').then_some(b'n'));
    }
    shown.extend(b"KEm".iter().filter(|letter| set(letter)));
    Ok(shown)
}

fn oom_scores(words: &[&[u8]]) -> Result<Vec<u8>, String> {
    if words.len() != 3 {
        return Err("wrong number of arguments".into());
    }
    let in_range = |word: &&[u8]| strict_integer(word).is_some_and(|value| (-2000..=2000).contains(&value));
    if !words.iter().all(in_range) {
        return Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000.".into());
    }
    Ok(words.join(&b' '))
}

fn percentiles(words: &[&[u8]]) -> Result<Vec<u8>, String> {
    let mut shown = Vec::new();
    for word in words {
        let value = std::str::from_utf8(word).ok().and_then(|text| text.parse::<f64>().ok());
        let value = value.ok_or("Invalid latency-tracking-info-percentiles parameters")?;
        if !(0.0..=100.0).contains(&value) {
            return Err("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]".into());
        }
        shown.push(value.to_string());
    }
    Ok(shown.join(" ").into_bytes())
}

fn primary(words: &[&[u8]]) -> Result<Vec<u8>, String> {
    match words {
        [] => Ok(Vec::new()),
        [no, one] if no.eq_ignore_ascii_case(b"no") && one.eq_ignore_ascii_case(b"one") => Ok(Vec::new()),
        [_, port] if strict_integer(port).is_some_and(|port| (0..=65535).contains(&port)) => Ok(words.join(&b' ')),
        [_, _] => Err("Invalid master port".into()),
        _ => Err("wrong number of arguments".into()),
    }
}

/// The variables that a process title may show.
const TITLE_VARIABLES: [&str; 7] =
    ["title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file"];

fn title_template(text: &[u8]) -> Result<Vec<u8>, String> {
    let bad = || "template format is invalid or contains unknown variables".to_string();
    let mut rest = text;
    while let Some(open) = rest.iter().position(|byte| *byte == b'{') {
        let close = rest[open..].iter().position(|byte| *byte == b'}').ok_or_else(bad)? + open;
        if !TITLE_VARIABLES.iter().any(|known| known.as_bytes() == &rest[open + 1..close]) {
            return Err(bad());
        }
        rest = &rest[close + 1..];
    }
    // The program's own title may be empty, and what is shown may not.
    if String::from_utf8_lossy(text).replace("{title}", "").trim().is_empty() {
        return Err(bad());
    }
    Ok(text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(composite: Composite, text: &str) -> Result<String, String> {
        let present = b"normal 0 0 0 slave 1 2 3 pubsub 4 5 6";
        composite.read(present, text.as_bytes()).map(|value| String::from_utf8(value).unwrap())
    }

    #[test]
    fn output_buffer_limits_change_only_the_classes_named() {
        let limits = |text| read(Composite::OutputBufferLimits, text);
        assert_eq!(limits("normal 1mb 2k 1").unwrap(), "normal 1048576 2000 1 slave 1 2 3 pubsub 4 5 6");
        assert_eq!(limits("replica 0 0 0 pubsub 7 8 9").unwrap(), "normal 0 0 0 slave 0 0 0 pubsub 7 8 9");
        assert!(limits("foo 1 2 3").unwrap_err().starts_with("Invalid client class"));
        assert!(limits("normal 1 2").unwrap_err().starts_with("Wrong number"));
        assert!(limits("normal 1 2 -1").unwrap_err().starts_with("Error in hard"));
        assert!(limits("normal x 2 1").unwrap_err().starts_with("Error in hard"));
    }

    #[test]
    fn keyspace_events_are_shown_in_a_fixed_order() {
        let events = |text| read(Composite::KeyspaceEvents, text);
        assert_eq!(events("KEA").unwrap(), "AKE");
        assert_eq!(events("AKEmg$").unwrap(), "AKEm");
        assert_eq!(events("mnEd").unwrap(), "dnEm");
        assert_eq!(events("").unwrap(), "");
        assert!(events("q").is_err());
    }

    #[test]
    fn pairs_triples_and_percentiles_are_checked() {
        assert_eq!(read(Composite::Save, "10 1 20  2").unwrap(), "10 1 20 2");
        assert_eq!(read(Composite::Save, "").unwrap(), "");
        for bad in ["1", "0 1", "10 x", "10 -1"] {
            assert!(read(Composite::Save, bad).is_err(), "{bad}");
        }
        assert_eq!(read(Composite::OomScores, "3 2 1").unwrap(), "3 2 1");
        assert!(read(Composite::OomScores, "1 2").is_err() && read(Composite::OomScores, "1 2 3000").is_err());
        assert_eq!(read(Composite::Percentiles, "1 50.50 99.999 100").unwrap(), "1 50.5 99.999 100");
        assert!(read(Composite::Percentiles, "101").is_err());
        assert!(read(Composite::TitleTemplate, "{title} {x}").is_err() && read(Composite::TitleTemplate, "").is_err());
        assert!(
            read(Composite::TitleTemplate, "{title} ").is_err() && read(Composite::TitleTemplate, "{title}-").is_ok()
        );
        assert_eq!(read(Composite::Primary, "no one").unwrap(), "");
    }
}
