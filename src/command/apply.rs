//! Feeds effects to an engine: the one way in which recovery, the shadow and (later) replicas change their data.

use smallvec::SmallVec;

use super::table;
use super::{Ctx, Origin, call};
use crate::engine::Engine;
use crate::engine::client::{Client, Peer};
use crate::resp::{Arguments, Limits, Parser, Reply, Step};

/// Commands parsed ahead, so that the memory which they will need is fetched together.
const AHEAD: usize = 16;

/// What was logged was within the limits of its time.
const LIMITS: Limits = Limits { max_bulk: u64::MAX >> 2, authenticated: true };

/// Why effects could not be applied: they are no effects, or not of this version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// The bytes are not RESP.
    #[error("byte {at} of the effects is not a command: {cause}")]
    Malformed {
        /// Position in the payload.
        at: usize,
        /// What the parser says.
        cause: String,
    },
    /// The last command is cut off.
    #[error("the effects end inside the command at byte {at}")]
    Truncated {
        /// Position in the payload.
        at: usize,
    },
    /// It selects a database that the settings do not allow.
    #[error("the effects select database {number}, and the setting `databases` is {databases}")]
    Database {
        /// Its number.
        number: u64,
        /// The setting.
        databases: usize,
    },
    /// A command that does not exist, or that failed.
    #[error("the effect {command} at byte {at} failed: {cause}")]
    Failed {
        /// The command, shortened.
        command: String,
        /// Position in the payload.
        at: usize,
        /// The error.
        cause: String,
    },
}

/// Applies the effects of one or more frames; keeps what the stream's commands refer to (the selected database).
pub struct Applier {
    client: Client,
    /// Memory for replies that nobody reads.
    reply: Vec<u8>,
}

impl Default for Applier {
    fn default() -> Self {
        Self { client: Client::new(0, Peer::default(), 0), reply: Vec::new() }
    }
}

impl Applier {
    /// One that goes on in the middle of a stream, where this database is selected.
    pub fn in_database(db: usize) -> Self {
        let mut applier = Self::default();
        applier.client.db = db;
        applier
    }

    /// Applies all commands of `payload` in order. After an error the engine holds only a part of them.
    pub fn apply(&mut self, engine: &mut Engine, payload: &[u8]) -> Result<u64, ApplyError> {
        let mut ahead: SmallVec<[(usize, Arguments<'_>); AHEAD]> = SmallVec::new();
        let mut parser = Parser::default();
        let mut at = 0;
        let mut commands = 0;
        while at < payload.len() {
            while at < payload.len() && ahead.len() < AHEAD {
                let (arguments, len) = next_command(&mut parser, payload, at)?;
                ahead.push((at, arguments));
                at += len;
            }
            engine.prefetch(self.client.db, ahead.iter().filter_map(|(_, arguments)| arguments.get(1).copied()));
            commands += ahead.len() as u64;
            for (at, arguments) in ahead.drain(..) {
                self.command(engine, &arguments).map_err(|cause| failed(engine, &arguments, at, cause))?;
            }
        }
        Ok(commands)
    }

    /// Applies one command. The error is the cause.
    fn command(&mut self, engine: &mut Engine, arguments: &[&[u8]]) -> Result<(), String> {
        let failed = |cause: &[u8]| String::from_utf8_lossy(cause).into_owned();
        let row = table::admit(arguments).map_err(|text| failed(&text))?;
        if is_no_effect(row.spec.name) {
            return Ok(());
        }
        let memory = std::mem::take(&mut self.reply);
        let mut ctx = Ctx::new(engine, &mut self.client, Reply::continuing(memory, false), Origin::Stream);
        call::run(&mut ctx, row, arguments);
        let mut reply = std::mem::take(&mut ctx.reply).into_bytes();
        let result = match reply.strip_prefix(b"-") {
            Some(error) => Err(failed(error.trim_ascii_end())),
            None => Ok(()),
        };
        reply.clear();
        self.reply = reply;
        result
    }
}

fn failed(engine: &Engine, arguments: &[&[u8]], at: usize, cause: String) -> ApplyError {
    let databases = engine.dbs.len();
    let selected = match arguments {
        [name, number] if name.eq_ignore_ascii_case(b"SELECT") => std::str::from_utf8(number).ok(),
        _ => None,
    };
    match selected.and_then(|number| number.parse::<u64>().ok()) {
        Some(number) if number >= databases as u64 => ApplyError::Database { number, databases },
        _ => ApplyError::Failed { command: describe(arguments), at, cause },
    }
}

/// The command at `at`, and its length.
fn next_command<'a>(parser: &mut Parser, payload: &'a [u8], at: usize) -> Result<(Arguments<'a>, usize), ApplyError> {
    let rest = &payload[at..];
    let malformed = |cause: &dyn ToString| ApplyError::Malformed { at, cause: cause.to_string() };
    match parser.step(rest, &LIMITS) {
        Err(error) => Err(malformed(&error)),
        Ok(Step::Incomplete { .. }) => Err(ApplyError::Truncated { at }),
        Ok(Step::Empty { .. }) => Err(malformed(&"it is empty")),
        Ok(Step::Request { len }) => {
            let spans = parser.spans().ok_or_else(|| malformed(&"it is no array of bulk strings"))?;
            Ok((spans.iter().map(|span| &rest[span.start..span.start + span.len]).collect(), len))
        }
    }
}

/// Stream bytes that change nothing: transaction brackets (a frame is all or nothing anyway) and what a primary tells
/// its replicas.
fn is_no_effect(name: &str) -> bool {
    matches!(name, "multi" | "exec" | "ping" | "replconf" | "publish" | "spublish")
}

fn describe(arguments: &[&[u8]]) -> String {
    const SHOWN: usize = 32;
    let words = arguments.iter().take(4).map(|word| word[..word.len().min(SHOWN)].escape_ascii().to_string());
    let mut text = words.collect::<Vec<_>>().join(" ");
    if arguments.len() > 4 {
        text.push_str(" …");
    }
    text
}
