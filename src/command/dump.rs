//! DUMP and RESTORE: a value as bytes, in the form in which RDB files hold it.

use super::failure::{self, Failure};
use super::{Ctx, hashes, lists, parse, sets, zsets};
use crate::engine::Engine;
use crate::engine::serial::{self, Limits, Loading};
use crate::keyspace::{self, Entry};
use crate::rdb::{self, Event, Reader, Writer};

const BUSY_KEY: Failure = Failure::fixed("BUSYKEY Target key name already exists.");
/// No payload: its version or its checksum is wrong.
pub const WRONG_FOOTER: Failure = Failure::fixed("ERR DUMP payload version or checksum are wrong");
const BAD_DATA: Failure = Failure::fixed("ERR Bad data format");

/// How values that come as pieces of an RDB file are represented at the moment.
pub fn limits(engine: &Engine) -> Limits {
    Limits {
        list: lists::limits(engine),
        set: sets::limits(&engine.config),
        zset: zsets::limits(&engine.config),
        hash: hashes::limits(&engine.config),
    }
}

/// DUMP key
pub fn dump(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let compress = ctx.engine.config.rdbcompression();
    let (entry, reply) = ctx.read_reply(arguments[1]);
    match entry {
        Some(entry) => reply.bulk(&payload(entry, compress)?),
        None => reply.null(),
    }
    Ok(())
}

/// The value in the form of an RDB file, of the lowest version that has it.
pub fn payload(entry: &Entry, compress: bool) -> Result<Vec<u8>, Failure> {
    let mut writer = Writer::of_dump(serial::needed_version(entry.value()), compress);
    serial::events(entry, |event| writer.write(event)).map_err(|error| Failure::new(format!("ERR {error}")))?;
    Ok(writer.into_dump())
}

/// What RESTORE is asked for besides the value.
#[derive(Default)]
struct Asked {
    replace: bool,
    absolute: bool,
    idle_s: Option<i64>,
    frequency: Option<u8>,
}

impl Asked {
    fn parse(words: &[&[u8]]) -> Result<Self, Failure> {
        let mut asked = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words.as_slice().first();
            if word.eq_ignore_ascii_case(b"REPLACE") {
                asked.replace = true;
            } else if word.eq_ignore_ascii_case(b"ABSTTL") {
                asked.absolute = true;
            } else if let Some(value) =
                value.filter(|_| word.eq_ignore_ascii_case(b"IDLETIME") && asked.frequency.is_none())
            {
                let idle = parse::integer(value)?;
                if idle < 0 {
                    return Err("ERR Invalid IDLETIME value, must be >= 0".into());
                }
                asked.idle_s = Some(idle);
                words.next();
            } else if let Some(value) = value.filter(|_| word.eq_ignore_ascii_case(b"FREQ") && asked.idle_s.is_none()) {
                let frequency = u8::try_from(parse::integer(value)?);
                asked.frequency = Some(frequency.map_err(|_| "ERR Invalid FREQ value, must be >= 0 and <= 255")?);
                words.next();
            } else {
                return Err(failure::SYNTAX);
            }
        }
        Ok(asked)
    }
}

/// RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
pub fn restore(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, payload) = (arguments[1], arguments[3]);
    let asked = Asked::parse(&arguments[4..])?;
    ctx.expire_source(key);
    let hash = keyspace::hash(key);
    if !asked.replace && ctx.db().find(hash, key).is_some() {
        return Err(BUSY_KEY);
    }
    let ttl = parse::integer(arguments[2])?;
    if ttl < 0 {
        return Err("ERR Invalid TTL value, must be >= 0".into());
    }
    let now_ms = ctx.now_ms() as i64;
    // Beyond the end of time is long ago, in Redis.
    let expires_ms = (ttl > 0).then(|| if asked.absolute { ttl } else { ttl.wrapping_add(now_ms) });
    let entry = restored(key, expires_ms, payload, limits(ctx.engine))?;
    if expires_ms.is_some_and(|at| at <= now_ms) && !ctx.expiry_is_off() {
        remove_instead(ctx, key);
    } else {
        let used = match (asked.idle_s, asked.frequency) {
            (Some(seconds), _) => ctx.engine.access.used_before(seconds),
            (_, Some(frequency)) => ctx.engine.access.used_as_often(frequency),
            _ => None,
        };
        if let Some(displaced) = ctx.db().insert(hash, entry) {
            ctx.discard_displaced(displaced);
        }
        if let (Some(used), Some(entry)) = (used, ctx.db().find(hash, key)) {
            entry.set_used(used);
        }
        ctx.modified(key);
        ctx.event("restore", key);
        log(ctx, key, expires_ms, payload, &asked);
    }
    ctx.reply.ok();
    Ok(())
}

/// Why a payload holds no value.
#[derive(Debug)]
pub enum NoValue {
    /// Its version or its checksum is wrong.
    Footer,
    /// Something in the value is wrong.
    Data(String),
}

impl From<NoValue> for Failure {
    fn from(why: NoValue) -> Self {
        match why {
            NoValue::Footer => WRONG_FOOTER,
            NoValue::Data(why) => {
                tracing::debug!(why, "a payload of RESTORE is refused");
                BAD_DATA
            }
        }
    }
}

/// The value in a payload, for this key.
pub fn restored(key: &[u8], expires_ms: Option<i64>, payload: &[u8], limits: Limits) -> Result<Entry, NoValue> {
    let mut reader = Reader::of_dump(payload).ok_or(NoValue::Footer)?;
    let refused = |error: rdb::Error| NoValue::Data(error.to_string());
    let wrong = |what: &str| NoValue::Data(what.to_owned());
    let mut loading = match reader.next().map_err(refused)? {
        Event::Key(key) => Loading::new(&key, limits),
        _ => return Err(wrong("no value")),
    };
    loop {
        match reader.next().map_err(refused)? {
            Event::Part(part) => loading.part(&part).map_err(wrong)?,
            Event::KeyEnd => break,
            _ => return Err(wrong("something else than a value")),
        }
    }
    if !reader.is_at_end().map_err(refused)? {
        return Err(wrong("bytes behind the value"));
    }
    loading.finish(key, expires_ms).map_err(wrong)
}

/// The time of what is restored is over: all that is left to do is to remove what it would have replaced.
fn remove_instead(ctx: &mut Ctx<'_>, key: &[u8]) {
    if let Some(displaced) = ctx.db().remove(keyspace::hash(key), key) {
        ctx.discard_displaced(displaced);
        ctx.modified(key);
        ctx.event("del", key);
        ctx.effect(&[if ctx.engine.config.lazyfree_lazy_server_del() { b"UNLINK" } else { b"DEL" }, key]);
    }
}

/// Logs the command with the moment at which the key expires.
fn log(ctx: &mut Ctx<'_>, key: &[u8], expires_ms: Option<i64>, payload: &[u8], asked: &Asked) {
    let mut digits = [itoa::Buffer::new(), itoa::Buffer::new()];
    let [ttl, used] = &mut digits;
    let mut words: Vec<&[u8]> = vec![b"RESTORE", key, ttl.format(expires_ms.unwrap_or(0)).as_bytes(), payload];
    words.extend([&b"REPLACE"[..], b"ABSTTL"]);
    if let Some(seconds) = asked.idle_s {
        words.extend([b"IDLETIME", used.format(seconds).as_bytes()]);
    } else if let Some(frequency) = asked.frequency {
        words.extend([b"FREQ", used.format(frequency).as_bytes()]);
    }
    ctx.effect(&words);
}
