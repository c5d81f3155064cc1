//! The way of MIGRATE to the other server: connects, sends, and reads what it says.
//!
//! A connection's own task carries it out, so that nothing of it is left when the client goes. It touches neither
//! engine nor keyspace: an [`Errand`] comes in and an [`Outcome`] goes out.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::select;
use tokio::task::yield_now;

use crate::base::clock::Clock;
use crate::command::migrate;
use crate::engine::Engine;
use crate::engine::client::Client;
use crate::engine::migration::{Errand, Outcome, Requests, Stage, Trouble};

/// The longest line that counts as an answer. Redis reads 1 KiB.
const LONGEST_LINE: usize = 16 * 1024;

/// Bytes of one read: answers are short.
const READ_SIZE: usize = 4 * 1024;

/// Bytes of one write.
const WRITE_SIZE: usize = 64 * 1024;

/// Writes before other connections get their turn.
const WRITES_A_TURN: usize = 16;

/// What is under way for a connection: the outcome, and the address from which the target was spoken to.
type UnderWay = Pin<Box<dyn Future<Output = (Outcome, String)>>>;

/// Carries out the MIGRATE of one connection.
#[derive(Default)]
pub struct Carrier {
    under_way: Option<UnderWay>,
}

impl Carrier {
    /// Goes on with the client's migration. Answers whether it is over and answered; if not, the task will be woken.
    pub fn go_on(&mut self, engine: &mut Engine, client: &mut Client, cx: &mut Context<'_>) -> bool {
        let Some(migration) = client.migration.as_deref_mut() else { return true };
        if let Stage::Asked(errand) = &migration.stage {
            if !engine.gate.is_open(errand.ticket) {
                engine.gate.wait(errand.ticket, cx.waker());
                return false;
            }
            if let Stage::Asked(errand) = std::mem::replace(&mut migration.stage, Stage::UnderWay) {
                self.under_way = Some(Box::pin(carry_out(errand, engine.clock.clone())));
            }
        }
        if let Some(under_way) = &mut self.under_way {
            let Poll::Ready((mut outcome, spoken_from)) = under_way.as_mut().poll(cx) else { return false };
            self.under_way = None;
            outcome.is_own =
                !spoken_from.is_empty() && engine.clients.iter().any(|client| client.peer.address == spoken_from);
            migration.stage = Stage::Over(outcome);
        }
        migrate::finish(engine, client, cx.waker())
    }
}

async fn carry_out(errand: Errand, clock: Rc<dyn Clock>) -> (Outcome, String) {
    let mut outcome = Outcome::default();
    let mut spoken_from = String::new();
    let result = async {
        let stream = connect(&errand, &*clock).await?;
        spoken_from = stream.local_addr().map(|address| address.to_string()).unwrap_or_default();
        let mut target = Target { stream, clock, timeout: errand.timeout, received: BytesMut::new() };
        // Not together with the keys: without them, those would go where nobody has meant them to.
        target.converse(errand.opening, |refusal| refusal.map_or(Ok(()), |text| Err(Trouble::Refused(text)))).await?;
        let answered = target.converse(errand.restores, |refusal| {
            outcome.taken.push(refusal.is_none());
            if let (Some(text), None) = (refusal, &outcome.trouble) {
                outcome.trouble = Some(Trouble::Refused(text));
            }
            Ok(())
        });
        answered.await
    };
    if let Err(trouble) = result.await {
        outcome.trouble.get_or_insert(trouble);
    }
    (outcome, spoken_from)
}

/// As in Redis, a connection that is refused is one that cannot be written to.
async fn connect(errand: &Errand, clock: &dyn Clock) -> Result<TcpStream, Trouble> {
    let host = std::str::from_utf8(&errand.host).ok().filter(|host| !host.is_empty()).ok_or(Trouble::Connecting)?;
    let connecting = async {
        let addresses: Vec<_> = lookup_host((host, errand.port)).await.map_err(|_| Trouble::Connecting)?.collect();
        TcpStream::connect(addresses.as_slice()).await.map_err(|_| Trouble::Writing)
    };
    let stream = select! {
        stream = connecting => stream?,
        () = clock.sleep(errand.timeout) => return Err(Trouble::Connecting),
    };
    // A failure here costs latency, not the connection.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// The other server.
struct Target {
    stream: TcpStream,
    clock: Rc<dyn Clock>,
    timeout: Duration,
    /// Not looked at yet.
    received: BytesMut,
}

impl Target {
    /// Sends commands, and takes the answer to each: none if it is OK, or the text of an error.
    ///
    /// Answers are read while there is still something to send, or a target that waits for us to read them would wait for
    /// ever. One that comes before its command was sent is none.
    async fn converse(
        &mut self,
        requests: Requests,
        mut answer: impl FnMut(Option<Vec<u8>>) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let (mut parts, ends) = requests.into_parts();
        let (mut sent, mut writes) = (0, 0);
        let mut ends = ends.into_iter().peekable();
        let mut patience = self.clock.sleep(self.timeout);
        loop {
            while let Some(end) = ends.peek()
                && let Some(line) = next_line(&mut self.received)?
            {
                if sent < *end {
                    return Err(Trouble::Nonsense(line.to_vec()));
                }
                ends.next();
                answer(refusal(&line)?)?;
                patience = self.clock.sleep(self.timeout);
            }
            if ends.peek().is_none() {
                return Ok(());
            }
            let stuck = if parts.is_empty() { Trouble::Reading } else { Trouble::Writing };
            let (mut reader, mut writer) = self.stream.split();
            self.received.reserve(READ_SIZE);
            let mut room = (&mut self.received).limit(READ_SIZE);
            let next: &[u8] = parts.front().map_or(&[], |part| &part[..part.len().min(WRITE_SIZE)]);
            select! {
                read = reader.read_buf(&mut room) => if !read.is_ok_and(|count| count > 0) {
                    return Err(stuck);
                },
                written = writer.write(next), if !next.is_empty() => {
                    let count = written.ok().filter(|count| *count > 0).ok_or(stuck)?;
                    sent += count as u64;
                    consume(&mut parts, count);
                    patience = self.clock.sleep(self.timeout);
                    writes += 1;
                    if writes % WRITES_A_TURN == 0 {
                        yield_now().await;
                    }
                }
                () = &mut patience => return Err(stuck),
            }
        }
    }
}

/// Lets go of what was sent.
fn consume(parts: &mut VecDeque<Bytes>, count: usize) {
    if let Some(part) = parts.front_mut() {
        part.advance(count);
        if part.is_empty() {
            parts.pop_front();
        }
    }
}

/// Takes the next line, without its end, if it is there.
fn next_line(received: &mut BytesMut) -> Result<Option<BytesMut>, Trouble> {
    let Some(end) = received.iter().position(|byte| *byte == b'\n') else {
        return if received.len() < LONGEST_LINE { Ok(None) } else { Err(Trouble::Nonsense(received.to_vec())) };
    };
    let mut line = received.split_to(end + 1);
    let length = line.len() - if line.ends_with(b"\r\n") { 2 } else { 1 };
    line.truncate(length);
    Ok(Some(line))
}

/// The text of an error, or none if the line says that all is well. For that it must say OK and nothing else: what follows
/// is that keys are deleted.
fn refusal(line: &[u8]) -> Result<Option<Vec<u8>>, Trouble> {
    match line {
        b"+OK" => Ok(None),
        [b'-', text @ ..] => Ok(Some(text.to_vec())),
        _ => Err(Trouble::Nonsense(line.to_vec())),
    }
}
