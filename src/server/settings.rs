//! Applies settings that CONFIG SET changes to what is outside the engine.

use std::rc::Rc;

use super::listener::Listeners;
use super::logging::Logging;
use super::{Node, process};
use crate::engine::config::Config;

/// From now on listeners and log level follow the settings. What concerns the log of effects (`appendfsync`) the
/// committer sees by itself.
pub fn follow(node: &Node, listeners: &Rc<Listeners>, logging: Logging) {
    let listeners = Rc::downgrade(listeners);
    let apply = move |config: &Config, names: &[&'static str]| {
        for &name in names {
            match name {
                "loglevel" => logging.set_level(config.loglevel()),
                "maxclients" => process::raise_descriptors(config.maxclients()).map_err(|possible| {
                    let text = "The operating system is not able to handle the specified number of clients, try with";
                    (name, format!("{text} {possible}"))
                })?,
                "port" | "bind" => {
                    if let Some(listeners) = listeners.upgrade() {
                        listeners.follow(config).map_err(|error| (name, refusal(name, &error.to_string())))?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    };
    node.engine.borrow_mut().config.on_change(Rc::new(apply));
}

/// Redis' words for the client; the cause goes to the log.
fn refusal(name: &str, cause: &str) -> String {
    tracing::warn!("{cause}");
    match name {
        "port" => "Unable to listen on this port. Check server logs.".into(),
        _ => "Failed to bind to specified addresses.".into(),
    }
}
