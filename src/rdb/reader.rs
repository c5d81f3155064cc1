//! Reads a file, or a payload of DUMP, from its beginning to its end.

use std::io::Read;

use super::codes::{code, module, node, op};
use super::error::{Error, Fault};
use super::event::{Event, Key, Kind, Part, Shape, StreamId, StreamState};
use super::input::{Input, Place};
use super::packed::{self, Packed};
use super::{FOOTER, Version};
use crate::base::crc64::crc64;
use crate::base::listpack;
use crate::base::text::Text;

/// Hands out what a file consists of, piece by piece.
///
/// Memory: two strings (the longest of the file, and before it is decompressed), and 128 KiB. Strings of up to a quarter of
/// that, which are not compressed, are not copied.
///
/// ```
/// use ackd::rdb::{Event, Part, Reader};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let file: &[u8] = b"REDIS0003\xfe\x00\x00\x05hello\x05world\xff";
/// let mut reader = Reader::new(file)?;
/// loop {
///     match reader.next()? {
///         Event::Key(key) => println!("{:?} is a {:?}", String::from_utf8_lossy(key.name), key.kind),
///         Event::Part(Part::String(text)) => println!("{:?}", text.to_vec()),
///         Event::End { .. } => break,
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Reader<R> {
    input: Input<R>,
    version: Version,
    state: State,
    skips_modules: bool,
    has_tail: bool,
    name: Vec<u8>,
    first: Vec<u8>,
    second: Vec<u8>,
    spare: Vec<u8>,
}

/// What comes next.
#[derive(Clone, Copy)]
enum State {
    Between,
    String,
    Packed(u8),
    /// Elements in this form, so many of them, with times relative to this one.
    Elements(u8, u64, i64),
    /// Fields of the listpack in `first`, from this offset on.
    PackedFields(usize),
    Nodes(u8, u64),
    Entries(u8, u64),
    Groups(Groups),
    Pending(Groups, u64),
    Consumers(Groups),
    Owned(Groups, u64),
    KeyEnd,
    End(bool),
    /// The value of a payload of DUMP.
    Dump,
}

/// Where in a stream's groups.
#[derive(Clone, Copy)]
struct Groups {
    code: u8,
    groups: u64,
    consumers: u64,
}

impl<R: Read> Reader<R> {
    /// Reads the head of a file. An error if it is none, or of a version that is not known.
    pub fn new(source: R) -> Result<Self, Error> {
        let mut input = Input::new(source, usize::MAX);
        let start = |input: &Input<R>, fault| Error { offset: 0, ..input.fault(fault) };
        let mut head = [0; 9];
        for byte in &mut head {
            *byte = match input.byte() {
                Err(Error { fault: Fault::Truncated, .. }) => return Err(start(&input, Fault::NotRdb)),
                other => other?,
            };
        }
        let digits = if head.starts_with(b"REDIS") {
            &head[5..]
        } else if head.starts_with(b"VALKEY") {
            &head[6..]
        } else {
            return Err(start(&input, Fault::NotRdb));
        };
        let number = digits.iter().try_fold(0, |number, digit| match digit {
            b'0'..=b'9' => Some(number * 10 + u32::from(digit - b'0')),
            _ => None,
        });
        let number = number.ok_or_else(|| start(&input, Fault::NotRdb))?;
        let version = Version::known(number).ok_or_else(|| start(&input, Fault::Version(number)))?;
        Ok(Self::with(input, version, State::Between))
    }

    fn with(input: Input<R>, version: Version, state: State) -> Self {
        let [name, first, second, spare] = [const { Vec::new() }; 4];
        Self { input, version, state, skips_modules: false, has_tail: false, name, first, second, spare }
    }

    /// Leaves data of modules out, instead of refusing the file.
    pub fn skip_modules(mut self) -> Self {
        self.skips_modules = true;
        self
    }

    /// Lets something follow behind the end, as in append-only files that begin with an RDB file. It may have been read from
    /// the source already; [`Reader::offset`] is where it begins.
    pub fn allow_tail(mut self) -> Self {
        self.has_tail = true;
        self
    }

    /// Leaves the checksum out of it, for a file that was verified otherwise: [`Event::End`] then says that it was not checked.
    pub fn skip_checksum(mut self) -> Self {
        self.input.skip_checksum();
        self
    }

    /// The version of the file.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How many bytes have been read.
    pub fn offset(&self) -> u64 {
        self.input.offset()
    }

    /// The next piece. After [`Event::End`] there is nothing more: that is answered again.
    // Not an iterator: what is answered is borrowed from the reader.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Event<'_>, Error> {
        self.input.release();
        // What most keys need is told by the state's tag alone. Below the whole of it is copied, which has to wait for what was
        // written to it just before: a tenth of the time of loading short strings.
        match &self.state {
            State::Between => return self.between(),
            State::String => return self.string(),
            State::KeyEnd => return self.key_end(),
            _ => {}
        }
        match self.state {
            State::Between => self.between(),
            State::String => self.string(),
            State::Packed(code) => self.packed(code),
            State::PackedFields(at) => self.packed_field(at),
            State::Elements(_, 0, _) | State::Nodes(_, 0) => self.key_end(),
            State::Elements(code, left, from_ms) => {
                self.state = State::Elements(code, left - 1, from_ms);
                self.element(code, from_ms).map(Event::Part)
            }
            State::Nodes(code, left) => {
                self.state = State::Nodes(code, left - 1);
                self.node(code).map(Event::Part)
            }
            State::KeyEnd => self.key_end(),
            State::End(checked) => Ok(Event::End { checked }),
            State::Dump => self.dump(),
            _ => self.stream(),
        }
    }

    fn string(&mut self) -> Result<Event<'_>, Error> {
        self.state = State::KeyEnd;
        let place = self.input.place(&mut self.first)?;
        Ok(Event::Part(Part::String(self.input.text_at(place, &self.first))))
    }

    fn key_end(&mut self) -> Result<Event<'_>, Error> {
        self.state = State::Between;
        Ok(Event::KeyEnd)
    }

    /// The head of a value without a key.
    fn dump(&mut self) -> Result<Event<'_>, Error> {
        let code = self.input.byte()?;
        if matches!(code, code::MODULE | code::MODULE_2) {
            let module = self.module_name()?;
            return Err(self.input.fault(Fault::Module(String::from_utf8_lossy(&module).into_owned())));
        }
        let (kind, shape, fields_expire_from_ms) = self.value_head(code)?;
        Ok(Event::Key(Key { fields_expire_from_ms, ..Key::new(&[], kind, shape) }))
    }

    /// Operations between keys, and the head of a key.
    fn between(&mut self) -> Result<Event<'_>, Error> {
        let (mut expires_ms, mut idle_s, mut frequency) = (None, None, None);
        loop {
            match self.input.byte()? {
                op::EXPIRES_S => {
                    let seconds = i32::from_le_bytes(self.input.array()?);
                    expires_ms = Some(i64::from(seconds) * 1000);
                }
                op::EXPIRES_MS => expires_ms = Some(self.input.i64()?),
                op::IDLE => idle_s = Some(self.input.length()?),
                op::FREQUENCY => frequency = Some(self.input.byte()?),
                op::SLOT => {
                    for _ in 0..3 {
                        self.input.length()?;
                    }
                }
                op::END => {
                    let checked = self.check_end()?;
                    self.state = State::End(checked);
                    return Ok(Event::End { checked });
                }
                op::DATABASE => return Ok(Event::Database(self.input.length()?)),
                op::SIZES => {
                    return Ok(Event::Sizes { keys: self.input.length()?, expiring: self.input.length()? });
                }
                op::AUX => {
                    self.input.string(&mut self.first)?;
                    self.input.string(&mut self.second)?;
                    return Ok(Event::Aux { name: &self.first, value: &self.second });
                }
                op::FUNCTION => {
                    self.input.string(&mut self.first)?;
                    return Ok(Event::Function(&self.first));
                }
                op::FUNCTION_BEFORE_RELEASE => {
                    return Err(self.input.malformed("functions in the form of a release candidate of Redis 7.0"));
                }
                op::MODULE => {
                    let module = self.module_name()?;
                    // When it was saved: before or after the keys.
                    self.input.length()?;
                    self.input.length()?;
                    self.skip_module()?;
                    return Ok(Event::SkippedModule { key: None, module });
                }
                op::SLOT_IMPORT if self.version.is_valkey() => {
                    self.input.string(&mut self.first)?;
                    for _ in 0..self.input.length()?.saturating_mul(2) {
                        self.input.length()?;
                    }
                }
                code => {
                    if !matches!(code, code::MODULE | code::MODULE_2) {
                        self.kind(code)?;
                    }
                    self.input.string(&mut self.name)?;
                    if matches!(code, code::MODULE | code::MODULE_2) {
                        let module = self.module_name()?;
                        if code == code::MODULE {
                            return Err(self.input.malformed("data of a module in the form of a release candidate"));
                        }
                        self.skip_module()?;
                        return Ok(Event::SkippedModule { key: Some(&self.name), module });
                    }
                    let (kind, shape, from_ms) = self.value_head(code)?;
                    return Ok(Event::Key(Key {
                        name: &self.name,
                        kind,
                        shape,
                        expires_ms,
                        idle_s,
                        frequency,
                        fields_expire_from_ms: from_ms,
                    }));
                }
            }
        }
    }

    /// What values of that type are.
    fn kind(&self, code: u8) -> Result<Kind, Error> {
        Ok(match code {
            code::STRING => Kind::String,
            code::LIST | code::LIST_ZIPLIST | code::LIST_QUICKLIST | code::LIST_QUICKLIST_2 => Kind::List,
            code::SET | code::SET_INTSET | code::SET_LISTPACK => Kind::Set,
            code::ZSET | code::ZSET_2 | code::ZSET_ZIPLIST | code::ZSET_LISTPACK => Kind::Zset,
            code::HASH | code::HASH_ZIPMAP | code::HASH_ZIPLIST | code::HASH_LISTPACK => Kind::Hash,
            code::HASH_FIELDS | code::HASH_LISTPACK_TIMES_OLD | code::HASH_TIMES | code::HASH_LISTPACK_TIMES => {
                Kind::Hash
            }
            code::STREAM | code::STREAM_2 | code::STREAM_3 => Kind::Stream,
            unknown => return Err(self.input.fault(Fault::Type(unknown))),
        })
    }

    /// What comes before the parts of a value of that type.
    fn value_head(&mut self, code: u8) -> Result<(Kind, Shape, Option<i64>), Error> {
        let kind = self.kind(code)?;
        let from_ms = match code {
            code::HASH_TIMES | code::HASH_LISTPACK_TIMES => Some(self.input.i64()?),
            code::HASH_FIELDS | code::HASH_LISTPACK_TIMES_OLD => Some(0),
            _ => None,
        };
        let shape = match code {
            code::STRING => {
                self.state = State::String;
                Shape::String
            }
            code::LIST | code::SET | code::ZSET | code::ZSET_2 | code::HASH | code::HASH_FIELDS | code::HASH_TIMES => {
                let count = self.input.length()?;
                self.state = State::Elements(code, count, from_ms.unwrap_or(0));
                Shape::Elements(count)
            }
            code::LIST_QUICKLIST | code::LIST_QUICKLIST_2 => {
                let nodes = self.input.length()?;
                self.state = State::Nodes(code, nodes);
                Shape::Nodes(nodes)
            }
            code::STREAM | code::STREAM_2 | code::STREAM_3 => {
                let nodes = self.input.length()?;
                self.state = State::Entries(code, nodes);
                Shape::Stream(nodes)
            }
            code::HASH_LISTPACK_TIMES | code::HASH_LISTPACK_TIMES_OLD => {
                self.read_timed_fields()?;
                Shape::Packed
            }
            _ => {
                self.state = State::Packed(code);
                Shape::Packed
            }
        };
        Ok((kind, shape, from_ms))
    }

    /// The one part of a value that is a single string.
    fn packed(&mut self, code: u8) -> Result<Event<'_>, Error> {
        self.state = State::KeyEnd;
        self.unpack(code).map(|packed| Event::Part(Part::Packed(packed)))
    }

    /// The string that is next, checked.
    fn unpack(&mut self, code: u8) -> Result<Packed<'_>, Error> {
        let Self { input, first, spare, .. } = self;
        let place = input.place(first)?;
        let input = &*input;
        let blob = input.bytes_at(place, first);
        let packed = match code {
            code::HASH_ZIPMAP => packed::read_zipmap(blob, spare),
            code::LIST_ZIPLIST | code::ZSET_ZIPLIST | code::HASH_ZIPLIST | code::LIST_QUICKLIST => {
                packed::read_ziplist(blob, spare)
            }
            code::SET_INTSET => packed::read_intset(blob),
            _ => packed::read_listpack(blob, spare),
        };
        let packed = packed.map_err(|what| input.malformed(what))?;
        let is_zset = matches!(code, code::ZSET_ZIPLIST | code::ZSET_LISTPACK);
        let is_hash = matches!(code, code::HASH_ZIPMAP | code::HASH_ZIPLIST | code::HASH_LISTPACK);
        if (is_zset || is_hash) && !packed.len().is_multiple_of(2) {
            return Err(input.malformed("an odd number of elements in pairs"));
        }
        if is_zset && !packed.iter().skip(1).step_by(2).all(super::is_score) {
            return Err(input.malformed("a score that is no number"));
        }
        Ok(packed)
    }

    fn element(&mut self, code: u8, from_ms: i64) -> Result<Part<'_>, Error> {
        match code {
            code::LIST | code::SET => self.input.text(&mut self.first).map(Part::Element),
            code::ZSET | code::ZSET_2 => {
                let member = self.input.place(&mut self.first)?;
                let score = if code == code::ZSET { self.input.score_text()? } else { self.input.score()? };
                Ok(Part::Scored { member: self.input.text_at(member, &self.first), score })
            }
            code::HASH => self.field(None),
            code::HASH_FIELDS if self.version.is_valkey() => {
                let places = self.field_places()?;
                let expires_ms = Some(self.input.i64()?).filter(|time| *time != -1);
                Ok(self.field_at(places, expires_ms))
            }
            _ => {
                let ttl = self.input.length()?;
                let offset = if code == code::HASH_FIELDS { 0 } else { from_ms.saturating_sub(1) };
                match (ttl, i64::try_from(ttl).ok().and_then(|ttl| ttl.checked_add(offset))) {
                    (0, _) => self.field(None),
                    (_, Some(time)) => self.field(Some(time)),
                    (_, None) => Err(self.input.malformed("a field's expiry time that is beyond all times")),
                }
            }
        }
    }

    /// The field and the value that are next.
    fn field(&mut self, expires_ms: Option<i64>) -> Result<Part<'_>, Error> {
        let places = self.field_places()?;
        Ok(self.field_at(places, expires_ms))
    }

    fn field_places(&mut self) -> Result<[Place; 2], Error> {
        Ok([self.input.place(&mut self.first)?, self.input.place(&mut self.second)?])
    }

    fn field_at(&self, [field, value]: [Place; 2], expires_ms: Option<i64>) -> Part<'_> {
        let (field, value) = (self.input.text_at(field, &self.first), self.input.text_at(value, &self.second));
        Part::Field { field, value, expires_ms }
    }

    fn node(&mut self, code: u8) -> Result<Part<'_>, Error> {
        if code == code::LIST_QUICKLIST_2 {
            match self.input.length()? {
                node::PLAIN => return self.input.text(&mut self.first).map(Part::Element),
                node::PACKED => {}
                _ => return Err(self.input.malformed("a list's node of unknown form")),
            }
        }
        self.unpack(code).map(Part::Packed)
    }

    /// Reads a listpack of field, value and expiry time, and leaves its elements in `first`.
    fn read_timed_fields(&mut self) -> Result<(), Error> {
        self.input.string(&mut self.second)?;
        let elements =
            packed::read_listpack(&self.second, &mut self.spare).map_err(|what| self.input.malformed(what))?;
        let is_time = |text| matches!(text, Text::Int(time) if time >= 0);
        if !elements.len().is_multiple_of(3) || !elements.iter().skip(2).step_by(3).all(is_time) {
            return Err(self.input.malformed("fields that are not followed by value and expiry time"));
        }
        self.first.clear();
        self.first.extend_from_slice(elements.elements().unwrap_or_default());
        self.state = State::PackedFields(0);
        Ok(())
    }

    fn packed_field(&mut self, at: usize) -> Result<Event<'_>, Error> {
        if at == self.first.len() {
            return self.key_end();
        }
        let value_at = listpack::next(&self.first, at);
        let time_at = listpack::next(&self.first, value_at);
        self.state = State::PackedFields(listpack::next(&self.first, time_at));
        let [field, value, time] = [at, value_at, time_at].map(|at| listpack::decode(&self.first, at));
        Ok(Event::Part(Part::Field { field, value, expires_ms: time.to_int().filter(|time| *time != 0) }))
    }

    /// A stream's parts.
    fn stream(&mut self) -> Result<Event<'_>, Error> {
        loop {
            match self.state {
                State::Entries(code, 0) => {
                    let state = self.stream_state(code)?;
                    self.state = State::Groups(Groups { code, groups: state.groups, consumers: 0 });
                    return Ok(Event::Part(Part::StreamState(state)));
                }
                State::Entries(code, left) => {
                    self.state = State::Entries(code, left - 1);
                    return self.entries(code).map(Event::Part);
                }
                State::Groups(Groups { groups: 0, .. }) => return self.key_end(),
                State::Groups(at) => return self.group(at).map(Event::Part),
                State::Pending(at, 0) => {
                    let consumers = self.input.length()?;
                    self.state = State::Consumers(Groups { consumers, ..at });
                    return Ok(Event::Part(Part::Consumers(consumers)));
                }
                State::Pending(at, left) => {
                    self.state = State::Pending(at, left - 1);
                    let (id, delivered_ms) = (raw_id(self.input.array()?), self.input.i64()?);
                    return Ok(Event::Part(Part::Pending { id, delivered_ms, deliveries: self.input.length()? }));
                }
                State::Consumers(at) if at.consumers == 0 => self.state = State::Groups(at),
                State::Consumers(at) => return self.consumer(at).map(Event::Part),
                State::Owned(at, 0) => self.state = State::Consumers(at),
                State::Owned(at, left) => {
                    self.state = State::Owned(at, left - 1);
                    return Ok(Event::Part(Part::Owned(raw_id(self.input.array()?))));
                }
                _ => return Err(self.input.malformed("a stream whose parts are not in order")),
            }
        }
    }

    fn entries(&mut self, code: u8) -> Result<Part<'_>, Error> {
        self.input.string(&mut self.second)?;
        let first = <[u8; 16]>::try_from(&self.second[..]).map(raw_id);
        let first = first.map_err(|_| self.input.malformed("a stream's node whose id has not 16 bytes"))?;
        let node = self.unpack(code)?;
        Ok(Part::Entries { first, node })
    }

    fn id(&mut self) -> Result<StreamId, Error> {
        Ok(StreamId { ms: self.input.length()?, seq: self.input.length()? })
    }

    fn stream_state(&mut self, code: u8) -> Result<StreamState, Error> {
        let (length, last_id) = (self.input.length()?, self.id()?);
        let (mut first_id, mut max_deleted_id, mut added) = (None, StreamId::default(), length);
        if code != code::STREAM {
            (first_id, max_deleted_id, added) = (Some(self.id()?), self.id()?, self.input.length()?);
        }
        Ok(StreamState { length, last_id, first_id, max_deleted_id, added, groups: self.input.length()? })
    }

    fn group(&mut self, at: Groups) -> Result<Part<'_>, Error> {
        self.input.string(&mut self.first)?;
        let last_id = self.id()?;
        let entries_read = match at.code {
            code::STREAM => None,
            // What is not known is stored as -1.
            _ => Some(self.input.length()? as i64).filter(|count| *count >= 0),
        };
        let pending = self.input.length()?;
        self.state = State::Pending(Groups { groups: at.groups - 1, ..at }, pending);
        Ok(Part::Group { name: &self.first, last_id, entries_read, pending })
    }

    fn consumer(&mut self, at: Groups) -> Result<Part<'_>, Error> {
        self.input.string(&mut self.first)?;
        let seen_ms = self.input.i64()?;
        let active_ms = match at.code {
            code::STREAM_3 => Some(self.input.i64()?).filter(|time| *time != -1),
            _ => Some(seen_ms),
        };
        let pending = self.input.length()?;
        self.state = State::Owned(Groups { consumers: at.consumers - 1, ..at }, pending);
        Ok(Part::Consumer { name: &self.first, seen_ms, active_ms, pending })
    }

    /// The name in a module's number: nine characters of six bits, and ten bits for a version.
    fn module_name(&mut self) -> Result<[u8; 9], Error> {
        const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let number = self.input.length()?;
        let name = std::array::from_fn(|index| CHARACTERS[(number >> (58 - 6 * index) & 63) as usize]);
        if !self.skips_modules {
            return Err(self.input.fault(Fault::Module(String::from_utf8_lossy(&name).into_owned())));
        }
        Ok(name)
    }

    /// Goes on behind a module's data.
    fn skip_module(&mut self) -> Result<(), Error> {
        loop {
            match self.input.length()? {
                module::END => return Ok(()),
                module::SIGNED | module::UNSIGNED => drop(self.input.length()?),
                module::FLOAT => self.input.skip(4)?,
                module::DOUBLE => self.input.skip(8)?,
                module::STRING => self.input.string(&mut self.first)?,
                _ => return Err(self.input.malformed("data of a module that consist of something unknown")),
            }
        }
    }

    /// Compares the checksum behind the end, and sees that nothing follows. Answers whether there was one.
    fn check_end(&mut self) -> Result<bool, Error> {
        let computed = self.input.checksum();
        let mut stored = 0;
        if self.version.has_checksum() {
            stored = u64::from_le_bytes(self.input.array()?);
            if let Some(computed) = computed.filter(|computed| stored != 0 && stored != *computed) {
                return Err(self.input.fault(Fault::Checksum { stored, computed }));
            }
        }
        let end = self.input.offset();
        if !self.has_tail && !self.is_at_end_or_mark()? {
            return Err(Error { offset: end, fault: Fault::Malformed("bytes behind the end") });
        }
        Ok(stored != 0 && computed.is_some())
    }
}

impl<R: Read> Reader<R> {
    /// Whether nothing follows, or only the 40 random hex digits with which a primary without a disk ends what it sends:
    /// `redis-cli --rdb` of old left them in its file.
    fn is_at_end_or_mark(&mut self) -> Result<bool, Error> {
        let mut digits = 0;
        while !self.input.is_at_end()? {
            if digits == 40 || !self.input.byte()?.is_ascii_hexdigit() {
                return Ok(false);
            }
            digits += 1;
        }
        Ok(digits == 0 || digits == 40)
    }
}

impl<'p> Reader<&'p [u8]> {
    /// Reads a payload of DUMP: a value without a key, which may be of any type that is known, and of the version that
    /// stands at its end. `None` if its version or its checksum is wrong.
    pub fn of_dump(payload: &'p [u8]) -> Option<Self> {
        Self::of_payload(payload, State::Dump)
    }

    /// Reads a payload of FUNCTION DUMP: an [`Event::Function`] for each library, until [`Reader::is_at_end`]. `None` as above.
    pub fn of_functions(payload: &'p [u8]) -> Option<Self> {
        Self::of_payload(payload, State::Between)
    }

    fn of_payload(payload: &'p [u8], state: State) -> Option<Self> {
        let (value, footer) = payload.split_last_chunk::<FOOTER>()?;
        let [low, high, sum @ ..] = *footer;
        let version = Version::known(u32::from(u16::from_le_bytes([low, high])))?;
        // Unlike a file, a payload is never without.
        if u64::from_le_bytes(sum) != crc64(0, &payload[..payload.len() - size_of::<u64>()]) {
            return None;
        }
        Some(Self::with(Input::new(value, value.len()), version, state))
    }

    /// Whether all of it has been read, as it should be behind [`Event::KeyEnd`].
    pub fn is_at_end(&mut self) -> Result<bool, Error> {
        self.input.is_at_end()
    }
}

fn raw_id(bytes: [u8; 16]) -> StreamId {
    let id = u128::from_be_bytes(bytes);
    StreamId { ms: (id >> 64) as u64, seq: id as u64 }
}
