//! The effect stream: what commands did, as deterministic RESP commands, at offsets that count its bytes.
//!
//! Effects gather in a *batch*, which becomes one frame of the log. A batch starts with `SELECT`, so that a frame can
//! be applied without knowing what came before, and ends between two *units*. A unit is what must be applied whole:
//! all effects of one command, transaction or script; one of several effects is put between `MULTI` and `EXEC`.

use std::borrow::Cow;
use std::task::Waker;

use bytes::Bytes;

use crate::base::sink::Sink;
use crate::log::FrameBuf;
use crate::resp::write_command;

/// The usual [`Stream::shared_min`]. An argument of at least so many bytes is shared between request, keyspace and log, if
/// its memory was lent: to copy a value of 500 MB takes a second, in which nobody else is served. Below, a copy costs less
/// than the sharing.
const SHARED_MIN: usize = 256 * 1024;

/// See the module.
pub struct Stream {
    base: u64,
    /// Gathered where it will be written from.
    batch: FrameBuf,
    /// Memory of a frame that was written, for the batch after this one.
    spare: FrameBuf,
    batch_db: Option<usize>,
    unit_start: usize,
    unit_db: usize,
    /// The database that was selected where the unit begins, if one was.
    unit_batch_db: Option<usize>,
    unit_body: usize,
    unit_effects: usize,
    units: u64,
    /// What was to be said of the unit under way when it paused.
    paused: Option<PausedUnit>,
    waker: Option<Waker>,
    /// Whoever waits for a batch is woken although there may be none.
    wakes_at_end: bool,
    /// Memory in which large arguments of the command under way lie.
    lent: Vec<Bytes>,
    /// From how many bytes on an argument is large.
    pub shared_min: usize,
}

/// A unit that goes on later.
#[derive(Clone, Copy)]
struct PausedUnit {
    start: usize,
    db: usize,
    body: usize,
    effects: usize,
    /// The database that the stream had selected before it.
    batch_db: Option<usize>,
}

/// Effects that are to become one frame.
pub struct Batch {
    /// The stream bytes, from `SELECT` on, as the payload of a frame.
    pub frame: FrameBuf,
    /// Offset of the first byte.
    pub start: u64,
    /// How many units (commands, transactions) it holds.
    pub units: u64,
}

impl Batch {
    /// Offset behind the last byte.
    pub fn end(&self) -> u64 {
        self.start + self.frame.len() as u64
    }
}

impl Stream {
    /// A stream that goes on at `offset`.
    pub fn new(offset: u64) -> Self {
        Self {
            base: offset,
            batch: FrameBuf::new(),
            spare: FrameBuf::new(),
            batch_db: None,
            unit_start: 0,
            unit_db: 0,
            unit_batch_db: None,
            unit_body: 0,
            unit_effects: 0,
            units: 0,
            paused: None,
            waker: None,
            wakes_at_end: false,
            lent: Vec::new(),
            shared_min: SHARED_MIN,
        }
    }

    /// Adds one effect to the unit under way.
    pub fn effect(&mut self, db: usize, command: &[&[u8]]) {
        assert!(self.paused.is_none(), "nothing changes data while a unit is laid aside");
        if self.batch_db != Some(db) {
            let mut digits = itoa::Buffer::new();
            write_command(&mut self.batch, &[b"SELECT", digits.format(db).as_bytes()]);
            self.batch_db = Some(db);
            if self.unit_effects == 0 {
                self.unit_body = self.batch.len();
            }
        }
        if self.lent.is_empty() {
            write_command(&mut self.batch, command);
        } else {
            let Self { batch, lent, shared_min, .. } = self;
            write_command(&mut Sharing { batch, lent, min: *shared_min }, command);
        }
        self.unit_effects += 1;
    }

    /// Lends memory, which nobody changes any more, in which large arguments of the next commands lie: of effects and values
    /// that are the same bytes there will be no copies. Until [`Stream::end_loan`].
    pub fn lend(&mut self, memory: &Bytes) {
        if memory.len() >= self.shared_min {
            self.lent.push(memory.clone());
        }
    }

    /// No more commands have arguments in the memory that was lent.
    pub fn end_loan(&mut self) {
        self.lent.clear();
    }

    /// These bytes as a share of the memory they lie in, to be kept, if they are large and it was lent. Not if that memory
    /// holds much else: it would stay for as long as these bytes.
    pub fn lent(&self, bytes: &[u8]) -> Option<Bytes> {
        let memory = lender(&self.lent, self.shared_min, bytes)?;
        (bytes.len() >= memory.len() / 8 * 7).then(|| memory.slice_ref(bytes))
    }

    /// How many effects the unit under way has.
    pub fn unit_effects(&self) -> usize {
        self.unit_effects
    }

    /// Ends the unit under way. Answers the offset behind it, or `None` if it had no effects.
    pub fn end_unit(&mut self) -> Option<u64> {
        if self.unit_effects == 0 {
            return None;
        }
        if self.unit_effects > 1 {
            let mut multi = Vec::with_capacity(15);
            write_command(&mut multi, &[b"MULTI"]);
            self.batch.insert(self.unit_body, &multi);
            write_command(&mut self.batch, &[b"EXEC"]);
        }
        self.units += 1;
        self.unit_effects = 0;
        Some(self.offset())
    }

    /// The bytes of the unit that ended last, for the shadow; [`Stream::begin_unit`] moves on.
    pub fn last_unit(&self) -> Cow<'_, [u8]> {
        match self.batch.payload() {
            Cow::Borrowed(payload) => Cow::Borrowed(&payload[self.unit_start..]),
            Cow::Owned(mut payload) => Cow::Owned(payload.split_off(self.unit_start)),
        }
    }

    /// The database that the stream has selected where the last unit begins.
    pub fn last_unit_db(&self) -> usize {
        self.unit_db
    }

    /// Starts a unit.
    pub fn begin_unit(&mut self) {
        debug_assert_eq!(self.unit_effects, 0, "the unit before was ended");
        self.unit_start = self.batch.len();
        self.unit_db = self.batch_db.unwrap_or(0);
        self.unit_batch_db = self.batch_db;
        self.unit_body = self.batch.len();
    }

    /// Lays the unit under way aside. Until [`Stream::resume_unit`] there are units without effects, and a batch that holds
    /// some of its effects is not taken.
    pub fn pause_unit(&mut self) {
        assert!(self.paused.is_none(), "one unit pauses at a time");
        let effects = std::mem::take(&mut self.unit_effects);
        let Self { unit_start, unit_db, unit_batch_db, unit_body, .. } = *self;
        self.paused =
            Some(PausedUnit { start: unit_start, db: unit_db, body: unit_body, effects, batch_db: unit_batch_db });
    }

    /// The unit that was laid aside goes on.
    pub fn resume_unit(&mut self) {
        let paused = self.paused.take().expect("a unit was laid aside");
        assert_eq!(self.unit_effects, 0, "nothing else had effects meanwhile");
        if paused.effects == 0 {
            self.begin_unit();
        } else {
            self.unit_start = paused.start;
            self.unit_db = paused.db;
            self.unit_batch_db = paused.batch_db;
            self.unit_body = paused.body;
            self.unit_effects = paused.effects;
        }
        // Who was to take a batch meanwhile looks again when the unit is over.
        self.wakes_at_end = true;
    }

    /// Forgets the unit that was laid aside, which never goes on, and its effects.
    pub fn drop_unit(&mut self) {
        let paused = self.paused.take().expect("a unit was laid aside");
        if paused.effects > 0 {
            self.batch.truncate(paused.start);
            self.batch_db = paused.batch_db;
        }
    }

    /// Lets the committer know that there is a batch to take.
    pub fn wake_committer(&mut self) {
        let wakes = std::mem::take(&mut self.wakes_at_end);
        if (wakes || !self.batch.is_empty())
            && let Some(waker) = self.waker.take()
        {
            waker.wake();
        }
    }

    /// Takes the batch, which now is somebody's to write; if it is empty, `waker` is woken when it no longer is.
    pub fn take(&mut self, waker: &Waker) -> Option<Batch> {
        assert_eq!(self.unit_effects, 0, "a frame never splits a unit");
        if self.batch.is_empty() || self.paused.is_some_and(|paused| paused.effects > 0) {
            self.waker = Some(waker.clone());
            return None;
        }
        let frame = std::mem::replace(&mut self.batch, std::mem::take(&mut self.spare));
        let start = self.base;
        self.base += frame.len() as u64;
        self.batch_db = None;
        self.unit_start = 0;
        self.unit_body = 0;
        Some(Batch { frame, start, units: std::mem::take(&mut self.units) })
    }

    /// Gives a written batch's memory back, if the log has emptied it: one fills while another is written.
    pub fn recycle(&mut self, frame: FrameBuf) {
        if frame.is_empty() {
            self.spare = frame;
        }
    }

    /// The offset behind the last effect.
    pub fn offset(&self) -> u64 {
        self.base + self.batch.len() as u64
    }

    /// The offset at which the batch that is not yet taken starts.
    pub fn batch_start(&self) -> u64 {
        self.base
    }

    /// How many bytes wait to be taken.
    pub fn pending(&self) -> usize {
        self.batch.len()
    }
}

/// A batch that takes large arguments without copying them.
struct Sharing<'a> {
    batch: &'a mut FrameBuf,
    lent: &'a [Bytes],
    min: usize,
}

impl Sink for Sharing<'_> {
    fn reserve(&mut self, _: usize) {}

    fn extend_from_slice(&mut self, bytes: &[u8]) {
        match lender(self.lent, self.min, bytes) {
            Some(memory) => self.batch.extend_shared(memory.slice_ref(bytes)),
            None => self.batch.extend_from_slice(bytes),
        }
    }
}

/// The memory in which these bytes lie, if they are large.
fn lender<'a>(lent: &'a [Bytes], min: usize, bytes: &[u8]) -> Option<&'a Bytes> {
    let is_in = |memory: &&Bytes| {
        let (outer, inner) = (memory.as_ptr_range(), bytes.as_ptr_range());
        outer.start <= inner.start && inner.end <= outer.end
    };
    if bytes.len() >= min { lent.iter().find(is_in) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(stream: &Stream) -> String {
        String::from_utf8_lossy(&stream.batch.payload()).replace("\r\n", " ")
    }

    #[test]
    fn several_effects_of_one_command_are_a_transaction() {
        let mut stream = Stream::new(10);
        stream.begin_unit();
        stream.effect(0, &[b"DEL", b"a"]);
        assert_eq!(stream.end_unit(), Some(10 + stream.pending() as u64));
        stream.begin_unit();
        assert_eq!(stream.end_unit(), None);
        stream.begin_unit();
        stream.effect(3, &[b"DEL", b"b"]);
        stream.effect(3, &[b"INCR", b"b"]);
        stream.end_unit();
        assert_eq!(
            text(&stream),
            "*2 $6 SELECT $1 0 *2 $3 DEL $1 a *2 $6 SELECT $1 3 *1 $5 MULTI *2 $3 DEL $1 b *2 $4 INCR $1 b *1 $4 EXEC "
        );
    }

    #[test]
    fn a_unit_that_pauses_is_whole_or_was_never() {
        for (before, dropped) in [(true, false), (true, true), (false, false), (false, true)] {
            let mut stream = Stream::new(0);
            let unit = |stream: &mut Stream, key: &[u8]| {
                stream.begin_unit();
                stream.effect(1, &[b"INCR", key]);
                stream.end_unit();
            };
            if before {
                unit(&mut stream, b"a");
            }
            let alone = text(&stream);
            stream.begin_unit();
            stream.effect(1, &[b"INCR", b"b"]);
            stream.pause_unit();
            stream.begin_unit();
            assert_eq!(stream.end_unit(), None);
            assert!(stream.take(Waker::noop()).is_none(), "a frame never splits a unit");
            if dropped {
                stream.drop_unit();
                assert_eq!(text(&stream), alone);
                unit(&mut stream, b"c");
                assert!(text(&stream).starts_with("*2 $6 SELECT $1 1 "), "{}", text(&stream));
            } else {
                stream.resume_unit();
                stream.effect(1, &[b"INCR", b"c"]);
                stream.end_unit();
                assert!(text(&stream).ends_with("MULTI *2 $4 INCR $1 b *2 $4 INCR $1 c *1 $4 EXEC "));
            }
            assert!(stream.take(Waker::noop()).is_some());
        }
        let mut stream = Stream::new(0);
        stream.begin_unit();
        stream.effect(0, &[b"INCR", b"a"]);
        stream.end_unit();
        stream.begin_unit();
        stream.pause_unit();
        assert!(stream.take(Waker::noop()).is_some(), "it has no effects yet");
        stream.resume_unit();
        stream.effect(0, &[b"INCR", b"b"]);
        stream.end_unit();
        assert_eq!(text(&stream), "*2 $6 SELECT $1 0 *2 $4 INCR $1 b ");
    }

    #[test]
    fn only_a_batch_that_was_written_gives_its_memory_back() {
        let mut stream = Stream::new(0);
        for round in 0..3 {
            stream.begin_unit();
            stream.effect(0, &[b"INCR", b"a"]);
            stream.end_unit();
            let batch = stream.take(Waker::noop()).unwrap();
            assert_eq!((batch.end(), stream.offset(), stream.pending()), (batch.start + 44, batch.end(), 0), "{round}");
            stream.recycle(batch.frame);
        }
    }

    #[test]
    fn each_batch_names_its_database_and_continues_the_offsets() {
        let mut stream = Stream::new(0);
        for _ in 0..2 {
            let start = stream.offset();
            stream.begin_unit();
            stream.effect(1, &[b"INCR", b"a"]);
            stream.end_unit();
            let batch = stream.take(Waker::noop()).unwrap();
            assert!(batch.frame.payload().starts_with(b"*2\r\n$6\r\nSELECT\r\n$1\r\n1\r\n"));
            assert_eq!((batch.start, batch.end(), batch.units), (start, stream.offset(), 1));
        }
    }
}
