//! Feeds effects to an engine: the one way in which recovery, the shadow and (later) replicas change their data.

use super::table;
use super::{Ctx, Origin, call};
use crate::engine::Engine;
use crate::engine::client::{Client, Peer};
use crate::resp::{Limits, Parser, Reply, Step};

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
}

impl Default for Applier {
    fn default() -> Self {
        Self { client: Client::new(0, Peer::default(), 0) }
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
        let limits = Limits { max_bulk: u64::MAX >> 2, authenticated: true };
        let mut parser = Parser::default();
        let mut at = 0;
        let mut commands = 0;
        while at < payload.len() {
            let rest = &payload[at..];
            match parser.step(rest, &limits) {
                Err(error) => return Err(ApplyError::Malformed { at, cause: error.to_string() }),
                Ok(Step::Incomplete { .. }) => return Err(ApplyError::Truncated { at }),
                Ok(Step::Empty { len }) => at += len,
                Ok(Step::Request { len }) => {
                    self.command(engine, &parser.arguments(rest), at)?;
                    at += len;
                    commands += 1;
                }
            }
        }
        Ok(commands)
    }

    fn command(&mut self, engine: &mut Engine, arguments: &[&[u8]], at: usize) -> Result<(), ApplyError> {
        let failed = |cause: &[u8]| ApplyError::Failed {
            command: describe(arguments),
            at,
            cause: String::from_utf8_lossy(cause).into_owned(),
        };
        let row = table::admit(arguments).map_err(|text| failed(&text))?;
        if is_no_effect(row.spec.name) {
            return Ok(());
        }
        let mut ctx = Ctx::new(engine, &mut self.client, Reply::resp2(), Origin::Stream);
        call::run(&mut ctx, row, arguments);
        let reply = ctx.reply.as_bytes();
        match reply.strip_prefix(b"-") {
            Some(error) => Err(failed(error.trim_ascii_end())),
            None => Ok(()),
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
