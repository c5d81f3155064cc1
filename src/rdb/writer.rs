//! Writes a file, or a payload of DUMP.

use std::io::{self, Write};

use super::FOOTER;
use super::codes::{code, node, op};
use super::event::{Event, Key, Kind, Part, Shape, StreamId, StreamState};
use super::packed::{self, Packed};
use super::version::Version;
use super::ziplist;
use crate::base::crc64::crc64;
use crate::base::listpack;
use crate::base::lzf::Compressor;
use crate::base::text::Text;

/// Handed on at once.
const BUFFER: usize = 64 * 1024;

/// Strings up to this length are not compressed, as in Redis.
const UNCOMPRESSED_MAX: usize = 20;

/// Strings up to this length are stored as numbers, if they are small ones.
const NUMBER_MAX: usize = 11;

/// How a file is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The version, 9 to 12.
    pub version: Version,
    /// Whether strings of more than 20 bytes are compressed (LZF).
    pub compress: bool,
    /// Whether a checksum ends the file.
    pub checksum: bool,
}

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Writing itself failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The version cannot express it.
    #[error("RDB version {version} cannot express {what}")]
    Version {
        /// The version.
        version: Version,
        /// What it cannot express.
        what: &'static str,
    },
    /// The pieces come in an order in which no file has them, or a number of them is not what was said.
    #[error("the pieces of an RDB file are not in order: {0}")]
    Order(&'static str),
}

/// Takes the pieces of a file in their order, as [`Reader`](super::Reader) hands them out.
///
/// What a version has no form for becomes what it has: below 11 a small set is written as a large one, below 10 listpacks are
/// ziplists, and streams lose what those versions do not store (below 11 when consumers were active, below 10 also the
/// counters of deleted and read entries). Expiry times of fields need 12 and functions 10: below, there is an error.
pub struct Writer<W> {
    out: W,
    buffer: Vec<u8>,
    checksum: u64,
    options: Options,
    /// Made when something is compressed, for it is large.
    compressor: Option<Compressor>,
    is_dump: bool,
    /// The lowest version that has the forms used so far.
    needed: Version,
    /// A key whose type is known when its value comes.
    waiting: Option<Waiting>,
    name: Vec<u8>,
    /// The fields of the value under way come with times to live, relative to this time.
    from_ms: Option<i64>,
    /// The value under way is a list of nodes.
    has_nodes: bool,
    timed: Timed,
    scratch: Vec<u8>,
    compressed: Vec<u8>,
}

/// A value that is one string.
struct Waiting {
    kind: Kind,
    fields_expire_from_ms: Option<i64>,
}

/// Fields of a small hash, which come by their expiry times in the file.
#[derive(Default)]
struct Timed {
    elements: Vec<u8>,
    /// Time and end of each.
    fields: Vec<(i64, usize)>,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    pub fn new(out: W, options: Options) -> Self {
        let mut new = Self::with(out, options, false);
        new.buffer.extend_from_slice(format!("REDIS{:04}", options.version.number()).as_bytes());
        new
    }

    fn with(out: W, options: Options, is_dump: bool) -> Self {
        Self {
            out,
            buffer: Vec::new(),
            checksum: 0,
            options,
            compressor: None,
            is_dump,
            needed: Version::V9,
            waiting: None,
            name: Vec::new(),
            from_ms: None,
            has_nodes: false,
            timed: Timed::default(),
            scratch: Vec::new(),
            compressed: Vec::new(),
        }
    }

    /// What is written to. Some of the file may still be to come there.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Writes the next piece. [`Event::End`] ends the file and hands all of it on; what to do with the bytes then (`flush`,
    /// `fsync`) is the caller's.
    pub fn write(&mut self, event: &Event<'_>) -> Result<(), WriteError> {
        match event {
            Event::Aux { name, value } => {
                self.buffer.push(op::AUX);
                self.string(name);
                self.text(Text::of(value));
            }
            Event::Function(code) => {
                self.require(Version::V10, "functions")?;
                self.buffer.push(op::FUNCTION);
                self.string(code);
            }
            Event::Database(database) => {
                self.buffer.push(op::DATABASE);
                length(&mut self.buffer, *database);
            }
            Event::Sizes { keys, expiring } => {
                self.buffer.push(op::SIZES);
                length(&mut self.buffer, *keys);
                length(&mut self.buffer, *expiring);
            }
            Event::Key(key) => self.key(key)?,
            Event::Part(part) => self.part(part)?,
            Event::KeyEnd => self.key_end()?,
            Event::SkippedModule { .. } => return Err(WriteError::Order("data of modules cannot be written")),
            Event::End { .. } => return self.end(),
        }
        if self.buffer.len() >= BUFFER { self.hand_on() } else { Ok(()) }
    }

    fn require(&mut self, version: Version, what: &'static str) -> Result<(), WriteError> {
        if self.options.version < version {
            return Err(WriteError::Version { version: self.options.version, what });
        }
        self.needed = self.needed.max(version);
        Ok(())
    }

    fn has(&self, version: Version) -> bool {
        self.options.version >= version
    }

    fn hand_on(&mut self) -> Result<(), WriteError> {
        if self.options.checksum {
            self.checksum = crc64(self.checksum, &self.buffer);
        }
        self.out.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn end(&mut self) -> Result<(), WriteError> {
        self.buffer.push(op::END);
        self.hand_on()?;
        Ok(self.out.write_all(&self.checksum.to_le_bytes())?)
    }

    fn key(&mut self, key: &Key<'_>) -> Result<(), WriteError> {
        if key.fields_expire_from_ms.is_some() {
            self.require(Version::V12, "expiry times of the fields of a hash")?;
        }
        if !self.is_dump {
            self.attributes(key);
        }
        (self.from_ms, self.has_nodes) = (None, matches!(key.shape, Shape::Nodes(_)));
        self.name.clear();
        self.name.extend_from_slice(key.name);
        let (code, count) = match (key.kind, key.shape) {
            (Kind::String, Shape::String) => (code::STRING, None),
            (Kind::List, Shape::Elements(count)) => (code::LIST, Some(count)),
            (Kind::List, Shape::Nodes(count)) if self.has(Version::V10) => (code::LIST_QUICKLIST_2, Some(count)),
            (Kind::List, Shape::Nodes(count)) => (code::LIST_QUICKLIST, Some(count)),
            (Kind::Set, Shape::Elements(count)) => (code::SET, Some(count)),
            (Kind::Zset, Shape::Elements(count)) => (code::ZSET_2, Some(count)),
            (Kind::Hash, Shape::Elements(count)) => match key.fields_expire_from_ms {
                None => (code::HASH, Some(count)),
                Some(time) => {
                    self.head(code::HASH_TIMES);
                    self.from_ms = Some(time);
                    self.buffer.extend_from_slice(&time.to_le_bytes());
                    length(&mut self.buffer, count);
                    return Ok(());
                }
            },
            (Kind::Stream, Shape::Stream(nodes)) if self.has(Version::V11) => (code::STREAM_3, Some(nodes)),
            (Kind::Stream, Shape::Stream(nodes)) if self.has(Version::V10) => (code::STREAM_2, Some(nodes)),
            (Kind::Stream, Shape::Stream(nodes)) => (code::STREAM, Some(nodes)),
            (kind, Shape::Packed) if !matches!(kind, Kind::String | Kind::Stream) => {
                self.waiting = Some(Waiting { kind, fields_expire_from_ms: key.fields_expire_from_ms });
                self.timed.elements.clear();
                self.timed.fields.clear();
                return Ok(());
            }
            _ => return Err(WriteError::Order("a value of that type has no such shape")),
        };
        self.head(code);
        if let Some(count) = count {
            length(&mut self.buffer, count);
        }
        Ok(())
    }

    /// What is known of a key besides its value.
    fn attributes(&mut self, key: &Key<'_>) {
        if let Some(time) = key.expires_ms {
            self.buffer.push(op::EXPIRES_MS);
            self.buffer.extend_from_slice(&time.to_le_bytes());
        }
        if let Some(seconds) = key.idle_s {
            self.buffer.push(op::IDLE);
            length(&mut self.buffer, seconds);
        }
        if let Some(frequency) = key.frequency {
            self.buffer.extend_from_slice(&[op::FREQUENCY, frequency]);
        }
    }

    /// The type and the name.
    fn head(&mut self, code: u8) {
        let needed = match code {
            code::HASH_TIMES | code::HASH_LISTPACK_TIMES => Version::V12,
            code::SET_LISTPACK | code::STREAM_3 => Version::V11,
            code::HASH_LISTPACK | code::ZSET_LISTPACK | code::LIST_QUICKLIST_2 | code::STREAM_2 => Version::V10,
            _ => Version::V9,
        };
        self.needed = self.needed.max(needed);
        self.buffer.push(code);
        if !self.is_dump {
            let name = std::mem::take(&mut self.name);
            self.text(Text::of(&name));
            self.name = name;
        }
    }

    fn part(&mut self, part: &Part<'_>) -> Result<(), WriteError> {
        match part {
            Part::Packed(packed) => match self.waiting.take() {
                Some(waiting) => self.packed_value(&waiting, packed),
                None => self.node(packed),
            },
            Part::Field { field, value, expires_ms } if self.waiting.is_some() => {
                let Timed { elements, fields } = &mut self.timed;
                for text in [*field, *value, Text::Int(expires_ms.unwrap_or(0))] {
                    packed::push(elements, text);
                }
                fields.push((expires_ms.unwrap_or(i64::MAX), elements.len()));
            }
            Part::Field { field, value, expires_ms } => {
                match (self.from_ms, expires_ms) {
                    (None, None) => {}
                    (Some(_), None) => length(&mut self.buffer, 0),
                    (Some(from), Some(time)) if *time >= from => length(&mut self.buffer, time.abs_diff(from) + 1),
                    _ => return Err(WriteError::Order("a field expires before the time before which none does")),
                }
                self.text(*field);
                self.text(*value);
            }
            Part::Element(text) if self.has_nodes => self.large_node(*text),
            Part::String(text) | Part::Element(text) => self.text(*text),
            Part::Scored { member, score } => {
                self.text(*member);
                self.buffer.extend_from_slice(&score.to_le_bytes());
            }
            Part::Entries { first, node } => {
                self.string(&raw_id(*first));
                self.packed(node, true);
            }
            Part::StreamState(state) => self.stream_state(state),
            Part::Group { name, last_id, entries_read, pending } => {
                self.string(name);
                self.id(*last_id);
                if self.has(Version::V10) {
                    length(&mut self.buffer, entries_read.unwrap_or(-1) as u64);
                }
                length(&mut self.buffer, *pending);
            }
            Part::Pending { id, delivered_ms, deliveries } => {
                self.buffer.extend_from_slice(&raw_id(*id));
                self.buffer.extend_from_slice(&delivered_ms.to_le_bytes());
                length(&mut self.buffer, *deliveries);
            }
            Part::Consumers(count) => length(&mut self.buffer, *count),
            Part::Consumer { name, seen_ms, active_ms, pending } => {
                self.string(name);
                self.buffer.extend_from_slice(&seen_ms.to_le_bytes());
                if self.has(Version::V11) {
                    self.buffer.extend_from_slice(&active_ms.unwrap_or(-1).to_le_bytes());
                }
                length(&mut self.buffer, *pending);
            }
            Part::Owned(id) => self.buffer.extend_from_slice(&raw_id(*id)),
        }
        Ok(())
    }

    fn key_end(&mut self) -> Result<(), WriteError> {
        let Some(waiting) = self.waiting.take() else { return Ok(()) };
        let Some(time) = waiting.fields_expire_from_ms else {
            return Err(WriteError::Order("a value without its elements"));
        };
        self.head(code::HASH_LISTPACK_TIMES);
        self.buffer.extend_from_slice(&time.to_le_bytes());
        let Timed { elements, fields } = std::mem::take(&mut self.timed);
        let mut start = 0;
        let mut ranges: Vec<_> = fields
            .iter()
            .map(|(time, end)| {
                let range = start..*end;
                start = *end;
                (*time, range)
            })
            .collect();
        ranges.sort_by_key(|(time, _)| *time);
        let sorted: Vec<u8> = ranges.into_iter().flat_map(|(_, range)| &elements[range]).copied().collect();
        self.packed(&Packed::listpack(&sorted, fields.len() * 3), true);
        self.timed = Timed { elements, fields };
        Ok(())
    }

    /// A value that is one string.
    fn packed_value(&mut self, waiting: &Waiting, packed: &Packed<'_>) {
        let is_listpack = packed.integers().is_none();
        match waiting.kind {
            Kind::List => {
                self.head(if self.has(Version::V10) { code::LIST_QUICKLIST_2 } else { code::LIST_QUICKLIST });
                length(&mut self.buffer, 1);
                self.node(packed);
            }
            Kind::Set if is_listpack && !self.has(Version::V11) => {
                self.head(code::SET);
                length(&mut self.buffer, packed.len() as u64);
                packed.iter().for_each(|member| self.text(member));
            }
            Kind::Set => {
                self.head(if is_listpack { code::SET_LISTPACK } else { code::SET_INTSET });
                self.small(packed);
            }
            Kind::Zset => {
                self.head(if self.has(Version::V10) { code::ZSET_LISTPACK } else { code::ZSET_ZIPLIST });
                self.small(packed);
            }
            _ => {
                self.head(if self.has(Version::V10) { code::HASH_LISTPACK } else { code::HASH_ZIPLIST });
                self.small(packed);
            }
        }
    }

    /// A list's node with several elements.
    fn node(&mut self, packed: &Packed<'_>) {
        if self.has(Version::V10) {
            length(&mut self.buffer, node::PACKED);
        }
        self.small(packed);
    }

    /// A list's node that is one large element.
    fn large_node(&mut self, element: Text<'_>) {
        if self.has(Version::V10) {
            length(&mut self.buffer, node::PLAIN);
            self.string(element.as_bytes(&mut itoa::Buffer::new()));
        } else {
            let mut elements = Vec::new();
            packed::push(&mut elements, element);
            self.small(&Packed::listpack(&elements, 1));
        }
    }

    /// Elements as one string: an intset, or what the version has for small collections.
    fn small(&mut self, packed: &Packed<'_>) {
        self.packed(packed, self.has(Version::V10));
    }

    /// Elements as one string: an intset, a listpack or a ziplist.
    fn packed(&mut self, packed: &Packed<'_>, as_listpack: bool) {
        let mut blob = std::mem::take(&mut self.scratch);
        blob.clear();
        match (packed.integers(), packed.elements()) {
            (Some((width, integers)), _) => {
                blob.extend_from_slice(&(width as u32).to_le_bytes());
                blob.extend_from_slice(&(packed.len() as u32).to_le_bytes());
                blob.extend_from_slice(integers);
            }
            (None, elements) if as_listpack => {
                let elements = elements.unwrap_or_default();
                blob.extend_from_slice(&((elements.len() + listpack::FRAME) as u32).to_le_bytes());
                let count = u16::try_from(packed.len()).unwrap_or(u16::MAX);
                blob.extend_from_slice(&count.to_le_bytes());
                blob.extend_from_slice(elements);
                blob.push(0xff);
            }
            (None, _) => ziplist::write(packed.iter(), &mut blob),
        }
        self.string(&blob);
        self.scratch = blob;
    }

    fn id(&mut self, id: StreamId) {
        length(&mut self.buffer, id.ms);
        length(&mut self.buffer, id.seq);
    }

    fn stream_state(&mut self, state: &StreamState) {
        length(&mut self.buffer, state.length);
        self.id(state.last_id);
        if self.has(Version::V10) {
            self.id(state.first_id.unwrap_or_default());
            self.id(state.max_deleted_id);
            length(&mut self.buffer, state.added);
        }
        length(&mut self.buffer, state.groups);
    }

    /// A string that may be a number.
    fn text(&mut self, text: Text<'_>) {
        match text {
            Text::Int(value) if text.len() <= NUMBER_MAX => self.number(value),
            Text::Int(value) => self.string(itoa::Buffer::new().format(value).as_bytes()),
            Text::Bytes(bytes) if bytes.len() <= NUMBER_MAX => match Text::of(bytes) {
                Text::Int(value) => self.number(value),
                Text::Bytes(bytes) => self.string(bytes),
            },
            Text::Bytes(bytes) => self.string(bytes),
        }
    }

    fn number(&mut self, value: i64) {
        const NUMBER: u8 = 0xc0;
        if let Ok(value) = i8::try_from(value) {
            self.buffer.extend_from_slice(&[NUMBER, value as u8]);
        } else if let Ok(value) = i16::try_from(value) {
            self.buffer.push(NUMBER | 1);
            self.buffer.extend_from_slice(&value.to_le_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.buffer.push(NUMBER | 2);
            self.buffer.extend_from_slice(&value.to_le_bytes());
        } else {
            self.string(itoa::Buffer::new().format(value).as_bytes());
        }
    }

    /// Bytes, compressed if that makes them shorter.
    fn string(&mut self, bytes: &[u8]) {
        const COMPRESSED: u8 = 0xc3;
        if self.options.compress && bytes.len() > UNCOMPRESSED_MAX {
            self.compressed.clear();
            let compressor = self.compressor.get_or_insert_with(Compressor::new);
            if compressor.compress(bytes, &mut self.compressed) {
                self.buffer.push(COMPRESSED);
                length(&mut self.buffer, self.compressed.len() as u64);
                length(&mut self.buffer, bytes.len() as u64);
                self.buffer.extend_from_slice(&self.compressed);
                return;
            }
        }
        length(&mut self.buffer, bytes.len() as u64);
        self.buffer.extend_from_slice(bytes);
    }
}

impl Writer<Vec<u8>> {
    /// Begins a payload of DUMP, which is the value of one key.
    pub fn of_dump(version: Version, compress: bool) -> Self {
        Self::with(Vec::new(), Options { version, compress, checksum: false }, true)
    }

    /// The payload: the value, and the footer, which names the lowest version that has its form.
    pub fn into_dump(self) -> Vec<u8> {
        let Self { mut out, buffer, needed, .. } = self;
        out.extend_from_slice(&buffer);
        out.reserve_exact(FOOTER);
        out.extend_from_slice(&(needed.number() as u16).to_le_bytes());
        let sum = crc64(0, &out);
        out.extend_from_slice(&sum.to_le_bytes());
        out
    }
}

/// A length, a number of elements, or another unsigned number.
fn length(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0x3f => out.push(value as u8),
        0x40..=0x3fff => out.extend_from_slice(&(value as u16 | 0x4000).to_be_bytes()),
        0x4000..=0xffff_ffff => {
            out.push(0x80);
            out.extend_from_slice(&(value as u32).to_be_bytes());
        }
        _ => {
            out.push(0x81);
            out.extend_from_slice(&value.to_be_bytes());
        }
    }
}

fn raw_id(id: StreamId) -> [u8; 16] {
    (u128::from(id.ms) << 64 | u128::from(id.seq)).to_be_bytes()
}
