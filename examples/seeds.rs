//! Makes `fuzz/seeds/`, the corpus to begin with, out of files that real servers wrote (`tests/fixtures`) and of a
//! directory of ackd's own: `cargo run --release --example seeds`.
//!
//! Values are cut out of RDB files as they stand there, and what is packed or compressed in them is taken out: so a fuzzer
//! of another parser of the same format can begin with them as well. `docs/fuzzing.md` says what each target reads.

#![expect(clippy::big_endian_bytes, reason = "RDB files have lengths with their high bytes first")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use ackd::base::clock::Clock;
use ackd::base::crc64::crc64;
use ackd::base::lzf;
use ackd::disk::Disk;
use ackd::disk::sim::{Crash, World};
use ackd::engine::config::Config;
use ackd::log::{
    Directory, FRAME_HEADER, FrameBuf, FrameHeader, Log, LogError, Manifest, Place, Segment, Settings, Sink, SinkError,
    SnapshotEntry, parse_header,
};
use ackd::rdb::{Event, Reader};

/// A fuzzer changes short inputs faster, and they say as much.
const LONGEST: usize = 2048;

/// Files of one kind.
const MOST: usize = 6;

/// The seeds by target, and within one by kind.
#[derive(Default)]
struct Seeds(BTreeMap<(&'static str, String), Vec<Vec<u8>>>);

impl Seeds {
    fn add(&mut self, target: &'static str, kind: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        let files = self.0.entry((target, kind.into())).or_default();
        if !files.contains(&bytes) {
            files.push(bytes);
        }
    }

    /// Writes some of each kind, of all lengths that fit.
    fn write(mut self, folder: &Path) -> std::io::Result<()> {
        for ((target, kind), files) in &mut self.0 {
            fs::create_dir_all(folder.join(target))?;
            files.retain(|file| file.len() <= LONGEST || kind == "dense");
            files.sort_by_key(Vec::len);
            let step = files.len().div_ceil(MOST).max(1);
            for (number, file) in files.iter().step_by(step).enumerate() {
                fs::write(folder.join(target).join(format!("{kind}-{number}")), file)?;
            }
        }
        Ok(())
    }
}

/// What `lua` reads: what it is, and the text.
const LUA: [(&str, &[u8]); 8] = [
    ("json", b"\0{\"a\": [1, 2.5e3, null, true], \"b\": {\"c\": \"\\u00e9\\n\"}}"),
    ("json-array", b"\0[1,[2,[3,\"x\"]],-0.5]"),
    ("message-pack", b"\x01\x93\x01\xa1x\x82\xa1a\xcb\x3f\xf0\0\0\0\0\0\0\xa1b\xc0"),
    ("struct", b"\x02>I2s i4\0\x01\x02abc\0\0\0\0\x01"),
    ("script", b"\x03local t = {} for i = 1, 10 do t[i] = redis.call('get', KEYS[i] or i) end return {t, ARGV}"),
    (
        "script-errors",
        b"\x03local ok, e = pcall(function() error({err = 'x'}) end) setmetatable({}, {__index = redis}) return e .. 1",
    ),
    (
        "script-coroutine",
        b"\x03local f = coroutine.wrap(function(a) local b = coroutine.yield(a) return loadstring('return ...')(b) end) \
          return {f(1), f(2)}",
    ),
    (
        "script-libraries",
        b"\x04return cjson.encode(cmsgpack.unpack(cmsgpack.pack({bit.bxor(1, 3), struct.pack('>I2', 7)})))",
    ),
];

/// A length, and what follows it.
fn length(bytes: &[u8]) -> (u64, &[u8]) {
    match *bytes {
        [0x80, a, b, c, d, ref rest @ ..] => (u32::from_be_bytes([a, b, c, d]).into(), rest),
        [0x81, ref rest @ ..] => {
            let (length, rest) = rest.split_first_chunk().expect("a length of eight bytes");
            (u64::from_be_bytes(*length), rest)
        }
        [first @ 0x40..=0x7f, low, ref rest @ ..] => (u64::from(first & 0x3f) << 8 | u64::from(low), rest),
        [first, ref rest @ ..] => (first.into(), rest),
        [] => panic!("a length is due"),
    }
}

/// A string, and what follows it; what of it is compressed goes to the seeds too.
fn string<'a>(bytes: &'a [u8], seeds: &mut Seeds) -> (Vec<u8>, &'a [u8]) {
    match bytes[0] {
        0xc0 => (bytes[1..2].to_vec(), &bytes[2..]),
        0xc1 => (bytes[1..3].to_vec(), &bytes[3..]),
        0xc2 => (bytes[1..5].to_vec(), &bytes[5..]),
        0xc3 => {
            let (compressed, rest) = length(&bytes[1..]);
            let (len, rest) = length(rest);
            let (data, rest) = rest.split_at(compressed as usize);
            seeds.add("lzf", "string", [&(len as u32).to_le_bytes(), data].concat());
            (lzf::decompress(data, len as usize).expect("a server wrote it"), rest)
        }
        _ => {
            let (len, rest) = length(bytes);
            let (string, rest) = rest.split_at(len as usize);
            (string.to_vec(), rest)
        }
    }
}

/// What stands before a key's type: when it expires, and how it was used.
fn without_preface(mut bytes: &[u8]) -> &[u8] {
    loop {
        bytes = match bytes[0] {
            0xfd => &bytes[5..],
            0xfc => &bytes[9..],
            0xf8 => length(&bytes[1..]).1,
            0xf9 => &bytes[2..],
            _ => return bytes,
        };
    }
}

/// A value of a file, and what is packed in it.
fn value(bytes: &[u8], version: u16, seeds: &mut Seeds) {
    let (code, rest) = (bytes[0], &bytes[1..]);
    let rest = string(rest, seeds).1;
    let mut payload = [&[code], rest].concat();
    if [15, 19, 21].contains(&code) {
        seeds.add("stream", format!("type-{code}"), payload.clone());
    }
    payload.extend(version.to_le_bytes());
    payload.extend(crc64(0, &payload).to_le_bytes());
    seeds.add("restore", format!("type-{code}"), payload.clone());
    seeds.add("rdb", format!("type-{code}"), payload);
    match code {
        0 => {
            let (text, _) = string(rest, seeds);
            if text.starts_with(b"HYLL") {
                seeds.add("hll", if text[4] == 0 { "dense" } else { "sparse" }, text);
            }
        }
        9 => {
            seeds.add_packed("zipmap", "hash", rest);
        }
        10 => {
            seeds.add_packed("ziplist", "list", rest);
        }
        12 => {
            seeds.add_packed("ziplist", "zset", rest);
        }
        13 => {
            seeds.add_packed("ziplist", "hash", rest);
        }
        11 => {
            seeds.add_packed("intset", "set", rest);
        }
        16 => {
            seeds.add_packed("listpack", "hash", rest);
        }
        17 => {
            seeds.add_packed("listpack", "zset", rest);
        }
        20 => {
            seeds.add_packed("listpack", "set", rest);
        }
        25 => {
            seeds.add_packed("listpack", "hash-with-times", &rest[8..]);
        }
        14 => {
            let (nodes, mut rest) = length(rest);
            for _ in 0..nodes {
                rest = seeds.add_packed("ziplist", "list", rest);
            }
        }
        18 => {
            let (nodes, mut rest) = length(rest);
            for _ in 0..nodes {
                rest = match length(rest) {
                    (2, rest) => seeds.add_packed("listpack", "list", rest),
                    (_, rest) => string(rest, seeds).1,
                };
            }
        }
        _ => {}
    }
}

impl Seeds {
    fn add_packed<'a>(&mut self, target: &'static str, kind: &str, bytes: &'a [u8]) -> &'a [u8] {
        let (blob, rest) = string(bytes, self);
        self.add(target, kind, blob);
        rest
    }
}

/// The values of an RDB file.
fn rdb(file: &[u8], seeds: &mut Seeds) {
    let Ok(reader) = Reader::new(file) else { return };
    let mut reader = reader.skip_modules();
    let mut begin = 9;
    let version = std::str::from_utf8(&file[5..9]).ok().and_then(|digits| digits.parse().ok()).unwrap_or(80);
    let mut is_key = false;
    loop {
        let Ok(event) = reader.next() else { return };
        match event {
            Event::End { .. } => return,
            Event::Key(_) => {
                is_key = true;
                continue;
            }
            Event::Part(_) => continue,
            _ => {}
        }
        let end = reader.offset() as usize;
        if std::mem::take(&mut is_key) {
            value(without_preface(&file[begin..end]), version, seeds);
        }
        begin = end;
    }
}

/// The files in a folder, and in the folders in it.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<_> = fs::read_dir(folder).expect("the fixtures").flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rdb" || ending == "aof") {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.push((name, fs::read(&path).expect("a fixture")));
        }
    }
    found
}

struct Forget;

impl Sink for Forget {
    fn frame(&mut self, _: &FrameHeader, _: &[u8]) -> Result<(), SinkError> {
        Ok(())
    }
}

/// The files of a directory that two runs have left.
fn own_files() -> World {
    async fn run(world: &World) -> Result<(), LogError> {
        let disk: Rc<dyn Disk> = Rc::new(world.boot());
        let directory = Directory::open(disk, Path::new("/d/data")).await?;
        let recovered = directory.recover(&mut Forget).await?;
        let settings =
            Settings { segment_size: 64 << 10, first_segment_size: 32 << 10, slice: 32 << 10, ..Settings::default() };
        let clock: Rc<dyn Clock> = Rc::new(world.clock());
        let log = Log::start(directory, &recovered, settings, clock, fastrand::Rng::with_seed(5)).await?;
        for number in 0..6_u8 {
            let payload = format!("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n{number}\r\n");
            log.prepare(payload.len() as u64).await.expect("there is space");
            let mut frame = FrameBuf::new();
            frame.extend_from_slice(payload.as_bytes());
            log.append(&mut frame, u64::from(number)).await?;
        }
        Ok(())
    }
    let world = World::new(3);
    world.make_dir(Path::new("/d"));
    for _ in 0..2 {
        world.run(run(&world)).expect("nothing stands still").expect("nothing is wrong");
    }
    world.image(Crash::Power, 1)
}

fn own(seeds: &mut Seeds) {
    let world = own_files();
    for path in world.files() {
        let content = world.read(&path).expect("it is there");
        if let Ok((segment, _)) = Segment::decode(&content) {
            let salted = |bytes: &[u8]| [&segment.salt.to_le_bytes(), bytes].concat();
            seeds.add("frames", "segment", salted(&content[..128]));
            for at in (segment.unit as usize..content.len()).step_by(64) {
                if let Ok(sealed) = parse_header(&content[at..], segment.salt) {
                    let end = at + FRAME_HEADER + sealed.header.payload_len as usize;
                    seeds.add("frames", "frame", salted(&content[at..end]));
                }
            }
        } else if let Ok(mut manifest) = Manifest::parse(&content) {
            seeds.add("manifest", "log", manifest.render());
            let sequence = manifest.segments[0].sequence;
            let place = Place { offset: 1, index: 1, term: 1, wall_ms: 1, sequence, position: 4352, crc: 7 };
            manifest.durable = manifest.durable.max(1);
            manifest.snapshots.push(SnapshotEntry { file: "1-00000007.rdb".into(), size: 100, crc: 7, place });
            manifest.dropped.push(77);
            seeds.add("manifest", "snapshot", manifest.render());
        }
    }
    let whole = String::from_utf8(Config::new().rewritten_in_full(b"")).expect("settings are text");
    let lines: Vec<&str> = whole.lines().collect();
    for lines in lines.chunks(lines.len().div_ceil(MOST)) {
        seeds.add("config", "all", lines.join("\n"));
    }
    seeds.add(
        "config",
        "words",
        "save 60 1\nsave \"\"\nmaxmemory 1gb # no comment\nbind * -::*\nrename-command a \"b\\x00\"\n",
    );
}

fn main() -> std::io::Result<()> {
    let mut seeds = Seeds::default();
    for (name, content) in files(Path::new("tests/fixtures")) {
        if content.starts_with(b"REDIS") || content.starts_with(b"VALKEY") {
            rdb(&content, &mut seeds);
            if content.len() <= LONGEST {
                seeds.add("rdb", name.trim_end_matches(".rdb"), content.clone());
                let commands = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n";
                seeds.add("aof", "preamble", [&content[..], commands].concat());
            }
        } else {
            // A whole number of commands, so far as they fit.
            let end = content.len().min(LONGEST);
            let end = content[..end].windows(3).rposition(|window| window == b"\n*3").map_or(end, |at| at + 1);
            seeds.add("aof", "commands", &content[..end]);
            seeds.add("requests", "commands", &content[..end]);
        }
    }
    let long = "*8\r\n$4\r\nHSET\r\n$1\r\na\r\n$0\r\n\r\n$1\r\n1\r\n$2\r\nbc\r\n$1\r\n2\r\n$1\r\nd\r\n$1\r\n3\r\n*0\r\n*1\r\n$4\r\nPING\r\n";
    seeds.add("requests", "long", long);
    seeds.add("requests", "inline", "PING\r\nSET a \"b\\x00\\n\"\r\n\r\nGET 'a\\'b' \"\"\n");
    for (number, (pattern, text)) in
        [("h?llo*[^a-c]\\*", "hello world*"), ("*a*b", "aaab"), ("[[-]]x", "[]x"), ("[\\]", "x")]
            .into_iter()
            .enumerate()
    {
        let seed = [&(pattern.len() as u16).to_le_bytes(), pattern.as_bytes(), text.as_bytes()].concat();
        seeds.add("glob", format!("pattern-{number}"), seed);
    }
    LUA.iter().for_each(|(kind, bytes)| seeds.add("lua", *kind, *bytes));
    own(&mut seeds);
    seeds.write(Path::new("fuzz/seeds"))
}
