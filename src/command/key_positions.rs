//! Which arguments of a command are keys, and how they are used.
//!
//! COMMAND GETKEYS asks; ACL rules and cluster routing will. Key specs answer where they can; where they are incomplete,
//! or the access depends on the arguments, the row names a function of its own.

use super::spec::{
    ACCESS, Access, Begin, Find, INCOMPLETE, KeySpec, NOT_KEY, OW, RO, RW, Spec, UPDATE, VARIABLE_FLAGS,
};

/// A key among the arguments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct KeyPosition {
    /// Its place, the command's name being 0.
    pub at: usize,
    /// How it is used.
    pub access: Access,
}

/// Finds the keys of a command whose key specs do not suffice; `None` if the arguments make no sense.
pub type KeyFinder = fn(&[&[u8]]) -> Option<Vec<KeyPosition>>;

/// The keys of a well-formed request; `None` if there are none or the arguments make no sense.
pub fn keys_of(spec: &Spec, argv: &[&[u8]]) -> Option<Vec<KeyPosition>> {
    let is_variable = spec.keys.iter().any(|keys| keys.access.has(VARIABLE_FLAGS));
    if !is_variable && let Some(found) = by_specs(spec, argv) {
        return Some(found);
    }
    spec.key_finder.and_then(|finder| finder(argv)).filter(|found| !found.is_empty())
}

/// Whether any argument can be a key.
pub fn has_keys(spec: &Spec) -> bool {
    spec.key_finder.is_some() || spec.keys.iter().any(|keys| !keys.access.has(NOT_KEY))
}

fn by_specs(spec: &Spec, argv: &[&[u8]]) -> Option<Vec<KeyPosition>> {
    let mut found = Vec::new();
    for keys in spec.keys.iter().filter(|keys| !keys.access.has(NOT_KEY)) {
        let Some(first) = begin(keys, argv)? else { continue };
        if keys.access.has(INCOMPLETE) {
            return None;
        }
        let (first, last, step) = extent(keys, argv, first)?;
        let count = i64::try_from(argv.len()).ok()?;
        if first < 1 || first >= count || last >= count || last < first || step < 1 {
            return None;
        }
        for at in (first..=last).step_by(usize::try_from(step).ok()?) {
            found.push(KeyPosition { at: usize::try_from(at).ok()?, access: keys.access });
        }
    }
    (!found.is_empty()).then_some(found)
}

/// Where the search begins; `Some(None)` if a keyword that introduces keys is not there.
fn begin(keys: &KeySpec, argv: &[&[u8]]) -> Option<Option<i64>> {
    match keys.begin {
        Begin::Index(at) => Some(Some(at.into())),
        Begin::Keyword(keyword, from) => {
            let is_keyword = |at: &usize| argv[*at].eq_ignore_ascii_case(keyword.as_bytes());
            let found = match usize::try_from(from) {
                Ok(from) => (from..argv.len()).find(is_keyword),
                Err(_) => (1..=argv.len().checked_sub(from.unsigned_abs() as usize)?).rev().find(is_keyword),
            };
            Some(found.and_then(|at| i64::try_from(at + 1).ok()))
        }
        Begin::Unknown => None,
    }
}

/// First and last key and their distance.
fn extent(keys: &KeySpec, argv: &[&[u8]], first: i64) -> Option<(i64, i64, i64)> {
    let count = i64::try_from(argv.len()).ok()?;
    match keys.find {
        Find::Range { last, step, limit } => {
            let last = match last {
                0.. => first + i64::from(last),
                _ if limit <= 1 => count + i64::from(last),
                _ => first + (count - first) / i64::from(limit) + i64::from(last),
            };
            Some((first, last, step.into()))
        }
        Find::KeyNum { count: at, first: offset, step } => {
            let number = argv.get(usize::try_from(first + i64::from(at)).ok()?)?;
            let number: i64 = std::str::from_utf8(number).ok()?.parse().ok().filter(|number| *number >= 0)?;
            let first = first + i64::from(offset);
            let last = number.checked_sub(1)?.checked_mul(step.into())?.checked_add(first)?;
            Some((first, last, step.into()))
        }
        Find::Unknown => None,
    }
}

/// SET reads the old value only with GET.
pub fn set(argv: &[&[u8]]) -> Option<Vec<KeyPosition>> {
    let gets = argv.iter().skip(3).any(|word| word.eq_ignore_ascii_case(b"get"));
    let access: &[Access] = if gets { &[RW, ACCESS, UPDATE] } else { &[OW, UPDATE] };
    Some(vec![KeyPosition { at: 1, access: Access::all(access) }])
}

/// BITFIELD writes unless it does nothing but GET.
pub fn bitfield(argv: &[&[u8]]) -> Option<Vec<KeyPosition>> {
    let mut words = argv.get(2..)?;
    let only_reads = loop {
        let is = |known: &str| words[0].eq_ignore_ascii_case(known.as_bytes());
        words = match words {
            [] => break true,
            [_, _, _, rest @ ..] if is("GET") => rest,
            [_, _, rest @ ..] if is("OVERFLOW") => rest,
            _ => break false,
        };
    };
    let access: &[Access] = if only_reads { &[RO, ACCESS] } else { &[RW, ACCESS, UPDATE] };
    Some(vec![KeyPosition { at: 1, access: Access::all(access) }])
}

#[cfg(test)]
mod tests {
    use super::super::spec::Group;
    use super::super::table;
    use super::*;

    fn places(spec: &Spec, line: &str) -> Option<Vec<usize>> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        keys_of(spec, &words).map(|keys| keys.iter().map(|key| key.at).collect())
    }

    fn of(line: &str) -> Option<Vec<usize>> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        places(table::admit(&words).unwrap().spec, line)
    }

    #[test]
    fn ranges_find_single_many_and_alternating_keys() {
        assert_eq!(of("get a"), Some(vec![1]));
        assert_eq!(of("object encoding a"), Some(vec![2]));
        assert_eq!(of("del a b c"), Some(vec![1, 2, 3]));
        assert_eq!(of("mset a 1 b 2"), Some(vec![1, 3]));
        assert_eq!(of("mset a 1 b"), Some(vec![1, 3]));
        assert_eq!(of("rename a b"), Some(vec![1, 2]));
        assert_eq!(of("ping"), None);
    }

    fn access(line: &str) -> Vec<&'static str> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let keys = keys_of(table::command(words[0]).unwrap().spec, &words).unwrap();
        keys[0].access.names().collect()
    }

    #[test]
    fn bitfield_writes_unless_it_only_gets() {
        for line in ["bitfield k", "bitfield k GET u8 0 overflow sat get u8 1", "bitfield_ro k set u8 0 1"] {
            assert_eq!(access(line), ["RO", "access"], "{line}");
        }
        for line in ["bitfield k get u8 0 set u8 0 1", "bitfield k incrby u8 0 1", "bitfield k get u8", "bitfield k x"]
        {
            assert_eq!(access(line), ["RW", "access", "update"], "{line}");
        }
    }

    #[test]
    fn set_reads_only_with_get() {
        assert_eq!(access("set k v"), ["OW", "update"]);
        assert_eq!(access("set get get"), ["OW", "update"]);
        assert_eq!(access("set k v nx GET"), ["RW", "access", "update"]);
    }

    #[test]
    fn counted_keys_and_keywords_are_found_or_refused() {
        const COUNTED: &[KeySpec] = &[KeySpec::counted(2, &[RO])];
        let counted = Spec::new("eval", -3, Group::Scripting, "1").keys(COUNTED);
        assert_eq!(places(&counted, "eval x 2 a b c"), Some(vec![3, 4]));
        for line in ["eval x 0 a", "eval x 3 a", "eval x -1 a", "eval x y a", "eval x", "eval x 9223372036854775807 a"]
        {
            assert_eq!(places(&counted, line), None, "{line}");
        }
        const STREAMS: &[KeySpec] = &[KeySpec {
            access: Access::all(&[RO]),
            begin: Begin::Keyword("STREAMS", 1),
            find: Find::Range { last: -1, step: 1, limit: 2 },
            notes: None,
        }];
        let streams = Spec::new("xread", -4, Group::Stream, "1").keys(STREAMS);
        assert_eq!(places(&streams, "xread count 2 streams a b 0 0"), Some(vec![4, 5]));
        assert_eq!(places(&streams, "xread count 2"), None);
        const BACKWARDS: &[KeySpec] = &[KeySpec {
            access: Access::all(&[RO]),
            begin: Begin::Keyword("KEYS", -2),
            find: Find::Range { last: -1, step: 1, limit: 0 },
            notes: None,
        }];
        let migrate = Spec::new("migrate", -6, Group::Generic, "1").keys(BACKWARDS);
        assert_eq!(places(&migrate, "migrate h 1 x 0 9 keys a b"), Some(vec![7, 8]));
        assert_eq!(places(&migrate, "migrate"), None);
    }
}
