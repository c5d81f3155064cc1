//! Who monitors: connections that are told of every command.
//!
//! What they are told leaves like a message of PUBLISH: behind the gate, at the level of the connection that receives it,
//! when the unit that it tells of is over.

use super::Engine;
use super::client::{Client, ClientId};

/// See the module.
#[derive(Debug, Default)]
pub struct Monitors(Vec<ClientId>);

impl Monitors {
    /// Whether nobody does.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Lets a connection monitor, from now on.
    pub fn add(&mut self, client: &mut Client) {
        if !std::mem::replace(&mut client.monitors, true) {
            self.0.push(client.id);
        }
    }

    /// Lets it monitor no more.
    pub fn remove(&mut self, client: &mut Client) {
        if std::mem::take(&mut client.monitors) {
            self.0.retain(|id| *id != client.id);
        }
    }
}

impl Engine {
    /// Sends lines, which tell of what happened up to `offset`, to all who monitor. `current` is the connection that is out, if
    /// its replies are not: nothing can be put behind them.
    pub fn tell_monitors(&mut self, lines: &str, offset: u64, mut current: Option<&mut Client>) {
        for at in 0..self.monitors.0.len() {
            self.send_unasked(self.monitors.0[at], offset, current.as_deref_mut(), |client, buffer| {
                // As in Redis, which takes them for replies.
                if !client.reply_mode.off {
                    buffer.extend_from_slice(lines.as_bytes());
                }
            });
        }
    }
}
