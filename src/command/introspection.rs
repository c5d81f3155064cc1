//! COMMAND and its subcommands: what clients can learn about commands, all of it from the table.

use super::key_positions::{has_keys, keys_of};
use super::spec::{Arg, ArgKind, Begin, Categories, Find, KeySpec, NO_MANDATORY_KEYS, Spec};
use super::table::{self, Row};
use super::{Ctx, Failure, failure, renaming};
use crate::base::glob;
use crate::resp::Reply;

/// COMMAND
pub fn command(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    all_infos(&mut ctx.reply);
    Ok(())
}

/// COMMAND COUNT
pub fn count(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    ctx.reply.count(table::COMMANDS);
    Ok(())
}

/// COMMAND INFO \[name …\]
pub fn info(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let reply = &mut ctx.reply;
    if arguments.len() == 2 {
        all_infos(reply);
        return Ok(());
    }
    reply.array(arguments.len() - 2);
    for name in &arguments[2..] {
        match renaming::row(ctx.engine, name) {
            Some(row) => write_info(reply, row.spec),
            None => reply.null(),
        }
    }
    Ok(())
}

/// COMMAND DOCS \[name …\]
pub fn docs(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let found: Vec<&Row> = match &arguments[2..] {
        [] => table::commands().iter().collect(),
        names => names.iter().filter_map(|name| renaming::row(ctx.engine, name)).collect(),
    };
    ctx.reply.map(found.len());
    for row in found {
        ctx.reply.bulk(row.spec.name.as_bytes());
        write_docs(&mut ctx.reply, row.spec);
    }
    Ok(())
}

/// COMMAND LIST \[FILTERBY MODULE name | ACLCAT category | PATTERN glob\]
pub fn list(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let names: Vec<&'static str> = match &arguments[2..] {
        [] => names(|_| true),
        [filter, by, value] if filter.eq_ignore_ascii_case(b"filterby") => match by.to_ascii_lowercase().as_slice() {
            b"module" => Vec::new(),
            b"aclcat" => match Categories::named(value) {
                Some(category) => names(|spec| spec.categories().has(category)),
                None => Vec::new(),
            },
            b"pattern" => names(|spec| glob::matches_ignoring_case(value, spec.name.as_bytes())),
            _ => return Err(failure::SYNTAX),
        },
        _ => return Err(failure::SYNTAX),
    };
    ctx.reply.array(names.len());
    for name in names {
        ctx.reply.bulk(name.as_bytes());
    }
    Ok(())
}

fn names(wanted: impl Fn(&Spec) -> bool) -> Vec<&'static str> {
    table::rows().iter().map(|row| row.spec).filter(|spec| wanted(spec)).map(|spec| spec.name).collect()
}

/// COMMAND GETKEYS command \[argument …\]
pub fn getkeys(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    write_keys(ctx, arguments, false)
}

/// COMMAND GETKEYSANDFLAGS command \[argument …\]
pub fn getkeysandflags(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    write_keys(ctx, arguments, true)
}

fn write_keys(ctx: &mut Ctx<'_>, arguments: &[&[u8]], with_flags: bool) -> Result<(), Failure> {
    let asked = &arguments[2..];
    let invalid = || Failure::from("ERR Invalid command specified");
    let renamed = renaming::resolve(ctx.engine, asked).map_err(|_| invalid())?;
    let asked = renamed.as_deref().unwrap_or(asked);
    let row = table::resolve(asked).ok_or_else(invalid)?;
    if !has_keys(row.spec) {
        return Err("ERR The command has no key arguments".into());
    }
    if !row.spec.accepts(asked.len()) {
        return Err("ERR Invalid number of arguments specified for command".into());
    }
    let keys = match keys_of(row.spec, asked) {
        Some(keys) => keys,
        None if row.spec.flags.has(NO_MANDATORY_KEYS) => Vec::new(),
        None => return Err("ERR Invalid arguments specified for command".into()),
    };
    ctx.reply.array(keys.len());
    for key in keys {
        if with_flags {
            ctx.reply.array(2);
        }
        ctx.reply.bulk(asked[key.at]);
        if with_flags {
            write_words(&mut ctx.reply, key.access.names());
        }
    }
    Ok(())
}

fn all_infos(reply: &mut Reply) {
    reply.array(table::COMMANDS);
    for row in table::commands() {
        write_info(reply, row.spec);
    }
}

fn write_info(reply: &mut Reply, spec: &Spec) {
    reply.array(10);
    reply.bulk(spec.name.as_bytes());
    reply.integer(spec.arity.into());
    write_words(reply, spec.flags.names());
    let (first, last, step) = legacy_range(spec.keys);
    reply.integer(first);
    reply.integer(last);
    reply.integer(step);
    let categories: Vec<String> = spec.categories().names().map(|name| format!("@{name}")).collect();
    write_words(reply, categories.iter().map(String::as_str));
    reply.set(spec.tips.len());
    for tip in spec.tips {
        reply.bulk(tip.as_bytes());
    }
    reply.set(spec.keys.len());
    for keys in spec.keys {
        write_key_spec(reply, keys);
    }
    reply.set(spec.subcommands.len());
    for subcommand in spec.subcommands {
        write_info(reply, subcommand);
    }
}

/// First key, last key and step as clients of Redis before 7.0 know them; zeros if that form cannot say it.
fn legacy_range(keys: &[KeySpec]) -> (i64, i64, i64) {
    let ranges = keys.iter().filter_map(|keys| match (keys.begin, keys.find) {
        (Begin::Index(first), Find::Range { last, step, .. }) => Some((i64::from(first), i64::from(last), step.into())),
        _ => None,
    });
    let absolute = |first: i64, last: i64| if last >= 0 { first + last } else { last };
    if keys.len() == 1 {
        return ranges.map(|(first, last, step)| (first, absolute(first, last), step)).next().unwrap_or_default();
    }
    let mut whole: Option<(i64, i64)> = None;
    for (first, last, _) in ranges.filter(|(_, _, step)| *step == 1) {
        let last = absolute(first, last);
        whole = match whole {
            None => Some((first, last)),
            Some((start, end)) if end == first - 1 => Some((start, if last < 0 { last } else { last.max(end) })),
            unconnected => unconnected,
        };
    }
    whole.map_or((0, 0, 0), |(first, last)| (first, last, 1))
}

fn write_key_spec(reply: &mut Reply, keys: &KeySpec) {
    reply.map(3 + usize::from(keys.notes.is_some()));
    if let Some(notes) = keys.notes {
        reply.bulk(b"notes");
        reply.bulk(notes.as_bytes());
    }
    reply.bulk(b"flags");
    write_words(reply, keys.access.names());
    reply.bulk(b"begin_search");
    match keys.begin {
        Begin::Index(at) => write_part(reply, "index", &[("index", at)], None),
        Begin::Keyword(word, from) => write_part(reply, "keyword", &[("startfrom", from)], Some(("keyword", word))),
        Begin::Unknown => write_part(reply, "unknown", &[], None),
    }
    reply.bulk(b"find_keys");
    match keys.find {
        Find::Range { last, step, limit } => {
            write_part(reply, "range", &[("lastkey", last), ("keystep", step), ("limit", limit)], None);
        }
        Find::KeyNum { count, first, step } => {
            write_part(reply, "keynum", &[("keynumidx", count), ("firstkey", first), ("keystep", step)], None);
        }
        Find::Unknown => write_part(reply, "unknown", &[], None),
    }
}

fn write_part(reply: &mut Reply, kind: &str, numbers: &[(&str, i32)], word: Option<(&str, &str)>) {
    reply.map(2);
    reply.bulk(b"type");
    reply.bulk(kind.as_bytes());
    reply.bulk(b"spec");
    reply.map(numbers.len() + usize::from(word.is_some()));
    if let Some((name, value)) = word {
        reply.bulk(name.as_bytes());
        reply.bulk(value.as_bytes());
    }
    for (name, value) in numbers {
        reply.bulk(name.as_bytes());
        reply.integer((*value).into());
    }
}

fn write_docs(reply: &mut Reply, spec: &Spec) {
    let doc_flags: Vec<&str> =
        [spec.deprecated.map(|_| "deprecated"), spec.system.then_some("syscmd")].into_iter().flatten().collect();
    let mut map = Map::begin(reply);
    map.text("summary", spec.summary);
    map.text("since", spec.since);
    map.text("group", spec.group.name());
    map.text_unless_empty("complexity", spec.complexity);
    if !doc_flags.is_empty() {
        write_words(map.value("doc_flags"), doc_flags.into_iter());
    }
    if let Some((since, replaced_by)) = spec.deprecated {
        map.text("deprecated_since", since);
        map.text("replaced_by", replaced_by);
    }
    if !spec.history.is_empty() {
        let reply = map.value("history");
        reply.set(spec.history.len());
        for (version, change) in spec.history {
            reply.array(2);
            reply.bulk(version.as_bytes());
            reply.bulk(change.as_bytes());
        }
    }
    if !spec.args.is_empty() {
        write_args(map.value("arguments"), spec.args);
    }
    if !spec.subcommands.is_empty() {
        let reply = map.value("subcommands");
        reply.map(spec.subcommands.len());
        for subcommand in spec.subcommands {
            reply.bulk(subcommand.name.as_bytes());
            write_docs(reply, subcommand);
        }
    }
    map.end();
}

fn write_args(reply: &mut Reply, args: &[Arg]) {
    reply.array(args.len());
    for arg in args {
        let flags = [(arg.optional, "optional"), (arg.multiple, "multiple"), (arg.multiple_token, "multiple_token")];
        let flags: Vec<&str> = flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
        let mut map = Map::begin(reply);
        map.text("name", arg.name);
        map.text("type", arg.kind.name());
        if !matches!(arg.kind, ArgKind::OneOf | ArgKind::Block) {
            map.text("display_text", arg.display.unwrap_or(arg.name));
        }
        if let Some(index) = arg.key_spec {
            map.value("key_spec_index").integer(index);
        }
        // The empty string can be one: of MIGRATE, in the place of a key.
        if let Some(token) = arg.token {
            map.text("token", token);
        }
        map.text_unless_empty("summary", arg.summary.unwrap_or_default());
        map.text_unless_empty("since", arg.since.unwrap_or_default());
        map.text_unless_empty("deprecated_since", arg.deprecated_since.unwrap_or_default());
        if !flags.is_empty() {
            write_words(map.value("flags"), flags.into_iter());
        }
        if !arg.args.is_empty() {
            write_args(map.value("arguments"), arg.args);
        }
        map.end();
    }
}

/// A set of simple strings, as flags are sent.
fn write_words<'a>(reply: &mut Reply, words: impl Iterator<Item = &'a str>) {
    let words: Vec<&str> = words.collect();
    reply.set(words.len());
    for word in words {
        reply.simple(word);
    }
}

/// A map of which nobody counted the pairs before.
struct Map<'a> {
    reply: &'a mut Reply,
    start: crate::resp::Deferred,
    pairs: usize,
}

impl<'a> Map<'a> {
    fn begin(reply: &'a mut Reply) -> Map<'a> {
        let start = reply.deferred();
        Map { reply, start, pairs: 0 }
    }

    fn value(&mut self, name: &str) -> &mut Reply {
        self.pairs += 1;
        self.reply.bulk(name.as_bytes());
        self.reply
    }

    fn text(&mut self, name: &str, text: &str) {
        self.value(name).bulk(text.as_bytes());
    }

    fn text_unless_empty(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.text(name, text);
        }
    }

    fn end(self) {
        self.reply.finish_map(self.start, self.pairs);
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;

    const GET: &str = "*10 $3 get :2 *2 +readonly +fast :1 :1 :1 *3 +@read +@string +@fast *0 *1 *6 $5 flags *2 +RO +access \
        $12 begin_search *4 $4 type $5 index $4 spec *2 $5 index :1 $9 find_keys *4 $4 type $5 range $4 spec *6 \
        $7 lastkey :0 $7 keystep :1 $5 limit :0 *0";

    #[test]
    fn info_has_ten_fields_and_nil_for_what_is_unknown() {
        let mut server = Harness::new();
        assert_eq!(server.run("command info GET nope config|nope"), format!("*3 {GET} $-1 $-1"));
        assert!(server.run("command info config|get").starts_with("*1 *10 $10 config|get :-3 *4 +admin"));
        assert!(server.run("command").starts_with(server.run("command info").split(' ').next().unwrap()));
        server.run("hello 3");
        let reply = server.run("command info get");
        assert!(reply.contains("~2 +readonly +fast") && reply.contains("%3 $5 flags ~2 +RO +access"), "{reply}");
    }

    #[test]
    fn docs_leave_out_what_is_unknown_and_nest_subcommands() {
        let mut server = Harness::new();
        let reply = server.run("command docs nope setnx");
        assert!(reply.starts_with("*2 $5 setnx *16 $7 summary "), "{reply}");
        assert!(reply.contains("$9 doc_flags *1 +deprecated $16 deprecated_since $6 2.6.12"), "{reply}");
        let reply = server.run("command docs config");
        assert!(reply.contains("$11 subcommands *10 $10 config|get *12 $7 summary"), "{reply}");
    }

    #[test]
    fn list_filters_by_category_and_pattern() {
        let mut server = Harness::new();
        assert_eq!(
            server.run("command list filterby aclcat transaction"),
            "*5 $7 discard $4 exec $5 multi $7 unwatch $5 watch"
        );
        assert_eq!(server.run("command list filterby pattern CONFIG|G*"), "*1 $10 config|get");
        assert_eq!(server.run("command list filterby module x"), "*0");
        assert_eq!(server.run("command list filterby x y"), "-ERR syntax error");
    }

    #[test]
    fn keys_are_told_apart_from_other_arguments() {
        let mut server = Harness::new();
        assert_eq!(server.run("command getkeys mset a 1 b 2"), "*2 $1 a $1 b");
        assert_eq!(server.run("command getkeysandflags set k v GET"), "*1 *2 $1 k *3 +RW +access +update");
        assert_eq!(server.run("command getkeys nope"), "-ERR Invalid command specified");
        assert_eq!(server.run("command getkeys ping"), "-ERR The command has no key arguments");
        assert_eq!(server.run("command getkeys get"), "-ERR Invalid number of arguments specified for command");
    }
}
