//! The task of one connection: reads requests, has them executed, sends what the gate lets out.
//!
//! It is one hand-written state machine over any byte stream, so that the simulation runs this very code. It is woken
//! by its socket, by the gate, by the end of a wait (log room, pause, blocking command) or because it was killed; each
//! time it does all that can be done without waiting. While a request waits, what follows it stays unexecuted and, but
//! for a small read-ahead, unread.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BufMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::task::yield_now;

use super::migrate::Carrier;
use super::query::{QueryBuffer, READ_AHEAD, READ_SIZE};
use super::{Node, limits};
use crate::base::clock::Sleep;
use crate::command::blocking;
use crate::command::dispatch::{self, Outcome};
use crate::command::scripting::long;
use crate::engine::Engine;
use crate::engine::client::{BlockedOn, Client, ClientId, Peer};
use crate::engine::gate::{Gate, Level, Ticket};
use crate::resp::{Arguments, Limits};

/// Requests executed before other connections get their turn.
const REQUESTS_A_TURN: usize = 512;

/// Reads before other connections get their turn.
const READS_A_TURN: usize = 16;

/// Bytes a read: what comes is in fresh memory if it is large, and to get a page of that takes the kernel a microsecond or
/// several.
const READ_LIMIT: usize = 64 * 1024;

/// After executing for so long, in microseconds, other connections get their turn.
const TURN_US: u64 = 1000;

/// Registers a connection, at once, so that `maxclients` counts it; the future serves it until it ends.
pub fn serve<S: AsyncRead + AsyncWrite + Unpin>(node: Rc<Node>, stream: S, peer: Peer) -> impl Future<Output = ()> {
    let id = {
        let mut engine = node.engine.borrow_mut();
        let now_us = engine.tick();
        engine.stats.total_connections += 1;
        let id = engine.clients.add(peer, now_us);
        let (user, is_open) = (engine.acl.default_user().clone(), engine.acl.is_open());
        if let Some(client) = engine.clients.get_mut(id) {
            (client.user, client.authenticated) = (Some(user), is_open);
        }
        id
    };
    Connection {
        registration: Registration { node, id },
        stream,
        query: QueryBuffer::default(),
        timer: None,
        carrier: Carrier::default(),
        at_eof: false,
        read_ahead: READ_AHEAD,
        began_us: None,
        waits_for: None,
        rests: false,
    }
}

/// Ends the largest connections if all together take too much memory.
fn limit_memory(engine: &mut Engine, client: &mut Client, limit: u64) {
    engine.clients.count(client);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    engine.stats.evicted_clients += engine.clients.evict(limit, client);
}

/// Keeps the connection in the registry for as long as its task lives.
struct Registration {
    node: Rc<Node>,
    id: ClientId,
}

impl Drop for Registration {
    fn drop(&mut self) {
        if let Ok(mut engine) = self.node.engine.try_borrow_mut()
            && let Some(mut client) = engine.clients.remove(self.id)
        {
            engine.watches.unwatch_all(&mut client);
            engine.pubsub.unsubscribe_all(&mut client);
            engine.monitors.remove(&mut client);
            engine.tracking.disable(&mut client);
            engine.blocked_keys.remove(self.id);
        }
    }
}

struct Connection<S> {
    registration: Registration,
    stream: S,
    query: QueryBuffer,
    timer: Option<(u64, Sleep)>,
    /// Carries MIGRATE out; ends with the connection.
    carrier: Carrier,
    at_eof: bool,
    /// How many bytes may lie behind a request that waits; what is more stays with the client.
    read_ahead: usize,
    /// When this poll began, on the monotonic clock.
    began_us: Option<u64>,
    /// The ticket that the gate will wake this task for.
    waits_for: Option<Ticket>,
    /// Whether the last turn left nothing to do but to read.
    rests: bool,
}

/// What a turn ended with.
enum Turn {
    /// The connection is over.
    Closed,
    /// Everything received was executed.
    Idle,
    /// A request waits for the end of a blocking command or of a pause, which wakes the task.
    Waiting,
    /// A request waits for room in the log, which wakes the task.
    NoRoom,
    /// Nothing more is executed; the connection ends when its replies are sent.
    Leaving,
    /// The client does not take its replies; nothing more is executed until it does.
    Full,
    /// The budget is spent.
    Yield,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Connection<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let node = this.registration.node.clone();
        this.query.borrow_memory(node.read_buffer.take());
        let result = this.turns(&node, cx);
        node.look_at_the_disk();
        let memory = this.query.return_memory();
        if memory.capacity() > 0 && memory.capacity() <= 4 * READ_SIZE {
            node.read_buffer.replace(memory);
        }
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    fn turns(&mut self, node: &Node, cx: &mut Context<'_>) -> Poll<()> {
        self.began_us = None;
        node.engine.borrow_mut().glance_at_clock();
        for _ in 0..READS_A_TURN {
            // A request has come, most likely; if not, the turn finds out what the task was woken for.
            let rests = std::mem::take(&mut self.rests);
            if !rests {
                let may_read = match self.turn(&mut node.engine.borrow_mut(), cx) {
                    Turn::Closed => return Poll::Ready(()),
                    Turn::Idle => true,
                    Turn::Waiting | Turn::NoRoom | Turn::Leaving => self.query.len() < self.read_ahead,
                    // A client may well send a whole pipeline before it reads: its requests wait, which are small.
                    Turn::Full => true,
                    Turn::Yield => break,
                };
                if self.at_eof || !may_read {
                    return Poll::Pending;
                }
            }
            let mut room = self.query.room().limit(READ_LIMIT);
            match pin!(self.stream.read_buf(&mut room)).poll(cx) {
                Poll::Pending if rests => {}
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(0)) => self.at_eof = true,
                Poll::Ready(Ok(count)) => self.received(&mut node.engine.borrow_mut(), count as u64),
            }
        }
        // Goes on after the others that are ready, and after sockets were looked at.
        pin!(yield_now()).poll(cx)
    }

    fn received(&self, engine: &mut Engine, count: u64) {
        let now_us = engine.tick();
        engine.stats.bytes_in += count;
        engine.stats.reads += 1;
        if let Some(client) = engine.clients.get_mut(self.registration.id) {
            client.bytes_in += count;
            client.active_us = now_us;
        }
    }

    /// Executes what was received and sends what may leave.
    fn turn(&mut self, engine: &mut Engine, cx: &mut Context<'_>) -> Turn {
        let (started_us, commands) = (engine.monotonic_us(), engine.stats.total_commands);
        let mut client = engine.clients.take(self.registration.id);
        if client.waker.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker())) {
            client.waker = Some(cx.waker().clone());
        }
        let mut turn =
            if client.killed && !long::runs(&client) { Turn::Closed } else { self.execute(engine, &mut client, cx) };
        if !client.killed && !matches!(turn, Turn::Closed) {
            let over = exceeds_limits(engine, &mut client, &self.query) || self.send(engine, &mut client, cx).is_err();
            match turn {
                _ if over => turn = Turn::Closed,
                Turn::Full if client.output.backlog() < limits::OUTPUT_AHEAD => turn = Turn::Yield,
                _ => {}
            }
        }
        // CONFIG RESETSTAT may have been one of the commands.
        let commands = engine.stats.total_commands.saturating_sub(commands);
        engine.stats.turn(engine.monotonic_us() - started_us, commands);
        let is_last = self.note_hang_up(engine, &mut client, &turn) || client.close_after_reply;
        if client.killed || is_last && client.output.backlog() == 0 {
            turn = Turn::Closed;
        }
        if long::runs(&client) && matches!(turn, Turn::Closed) {
            // A script goes on to its end, whoever waits for it.
            client.killed = true;
            turn = Turn::Yield;
        }
        // The memory of an empty buffer is on loan, and given back at the end of the turn.
        client.query_buffer = if self.query.len() == 0 { (0, 0) } else { (self.query.len(), self.query.free()) };
        self.rests = matches!(turn, Turn::Idle) && self.query.len() == 0 && client.output.backlog() == 0;
        if let Some(limit) = engine.config.maxmemory_clients() {
            limit_memory(engine, &mut client, limit);
            if client.killed && !long::runs(&client) {
                turn = Turn::Closed;
            }
        }
        engine.clients.put(client);
        turn
    }

    /// Notes whether the client has hung up while it has something to wait for. Answers whether the connection ends when
    /// its replies are sent: nobody waits for the end of a blocking command or a pause any more.
    fn note_hang_up(&mut self, engine: &mut Engine, client: &mut Client, turn: &Turn) -> bool {
        client.waiting = matches!(turn, Turn::Waiting | Turn::NoRoom);
        let ahead = if client.waiting { client.read_ahead.max(READ_AHEAD) } else { READ_AHEAD };
        (self.read_ahead, client.read_ahead) = (ahead, ahead);
        if self.at_eof && (matches!(turn, Turn::NoRoom) || client.output.blocked_by().is_some()) {
            client.hung_up_since_us.get_or_insert(engine.monotonic_us());
        } else {
            client.hung_up_since_us = None;
        }
        if self.at_eof && matches!(turn, Turn::Waiting) && engine.blocked_keys.remove(client.id).is_some() {
            // Replies may still wait to be sent, but nothing must be taken for it any more, and it gets no answer.
            client.blocked = None;
            client.close_after_reply = true;
        }
        self.at_eof && matches!(turn, Turn::Idle | Turn::Waiting)
    }

    fn execute(&mut self, engine: &mut Engine, client: &mut Client, cx: &mut Context<'_>) -> Turn {
        let began_us = *self.began_us.get_or_insert(engine.monotonic_us());
        let output_ahead = limits::output_ahead(client.output_limit(&engine.config));
        for _ in 0..REQUESTS_A_TURN {
            if !engine.stopping && !long::go_on(engine, client) {
                return Turn::Yield;
            }
            if client.blocked.is_some_and(|blocked| blocked.on == BlockedOn::Migration)
                && !self.carrier.go_on(engine, client, cx)
            {
                return self.wait_until(engine, None, cx);
            }
            if client.blocked.is_some()
                && let Some(deadline) = blocking::check(engine, client, cx.waker())
            {
                return self.wait_until(engine, deadline, cx);
            }
            if client.close_after_reply || client.killed || engine.stopping {
                return Turn::Leaving;
            }
            if client.output.backlog() >= output_ahead {
                return Turn::Full;
            }
            if self.query.found() == 0 {
                let limits = Limits {
                    max_bulk: engine.config.proto_max_bulk_len(),
                    authenticated: !engine.needs_password(client),
                };
                if let Err(error) = self.query.parse(&limits) {
                    reply_error(engine, client, &format!("ERR {error}"));
                    client.close_after_reply = true;
                    return Turn::Leaving;
                }
                if self.query.found() > 1 {
                    engine.prefetch(client.db, self.query.keys());
                }
            }
            if let Some(memory) = self.query.share_front(engine.stream.shared_min) {
                engine.stream.lend(memory);
            }
            let mut arguments = Arguments::new();
            if !self.query.front(&mut arguments) {
                self.timer = None;
                return Turn::Idle;
            }
            client.query_buffer = (self.query.len(), self.query.free());
            let outcome = dispatch::request(engine, client, &arguments);
            drop(arguments);
            engine.stream.end_loan();
            match outcome {
                Outcome::Done => self.query.pop(),
                Outcome::NoRoom => {
                    engine.admission.wait(cx.waker());
                    return Turn::NoRoom;
                }
                Outcome::Paused => {
                    engine.paused.push(cx.waker().clone());
                    let until = engine.pause_now().map(|pause| pause.until_us);
                    return self.wait_until(engine, until, cx);
                }
            }
            if engine.monotonic_us() - began_us >= TURN_US {
                break;
            }
        }
        Turn::Yield
    }

    /// Lets the task be woken at `deadline_us`, if there is one.
    fn wait_until(&mut self, engine: &Engine, deadline_us: Option<u64>, cx: &mut Context<'_>) -> Turn {
        let Some(deadline) = deadline_us else {
            self.timer = None;
            return Turn::Waiting;
        };
        if self.timer.as_ref().is_none_or(|(at, _)| *at != deadline) {
            let left = deadline.saturating_sub(engine.monotonic_us());
            self.timer = Some((deadline, engine.clock.sleep(Duration::from_micros(left))));
        }
        if let Some((_, sleep)) = &mut self.timer
            && sleep.as_mut().poll(cx).is_ready()
        {
            self.timer = None;
            cx.waker().wake_by_ref();
        }
        Turn::Waiting
    }

    /// Sends what may leave, and asks the gate to be woken for the rest.
    fn send(&mut self, engine: &mut Engine, client: &mut Client, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            let bytes = client.output.sendable(&engine.gate);
            if bytes.is_empty() {
                break;
            }
            match Pin::new(&mut self.stream).poll_write(cx, bytes) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(count)) => {
                    client.output.consume(count);
                    client.bytes_out += count as u64;
                    client.active_us = engine.monotonic_us();
                    engine.stats.bytes_out += count as u64;
                    engine.stats.writes += 1;
                }
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        self.wait_for_gate(&mut engine.gate, client.output.blocked_by(), cx.waker());
        Ok(())
    }

    fn wait_for_gate(&mut self, gate: &mut Gate, blocked_by: Option<Ticket>, waker: &Waker) {
        if let Some(ticket) = blocked_by
            && self.waits_for != blocked_by
        {
            gate.wait(ticket, waker);
        }
        self.waits_for = blocked_by;
    }
}

/// Queues an error that no command caused.
fn reply_error(engine: &mut Engine, client: &mut Client, text: &str) {
    engine.stats.error(text.as_bytes());
    if client.reply_mode.is_silent() {
        return;
    }
    let line = format!("-{text}\r\n");
    let batch = engine.stream.batch_start();
    client.output.append(line.as_bytes(), Gate::ticket(0, Level::Memory), &engine.gate, batch);
}

/// Whether the connection holds more memory than its limits allow.
fn exceeds_limits(engine: &mut Engine, client: &mut Client, query: &QueryBuffer) -> bool {
    if limits::query_exceeds(engine.config.client_query_buffer_limit(), client, query.len()) {
        engine.stats.query_buffer_disconnections += 1;
        tracing::warn!(client = client.id, "Closing client that reached max query buffer length");
        return true;
    }
    let over = client.output_exceeds(&engine.config, engine.monotonic_us());
    if over {
        engine.stats.output_buffer_disconnections += 1;
        tracing::warn!(client = client.id, "Closing client that reached its output buffer limit");
    }
    over
}
