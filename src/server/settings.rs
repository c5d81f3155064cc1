//! Applies settings that CONFIG SET has changed to what is outside the engine.

use super::Node;
use super::logging::Logging;

/// Applies the named settings. What concerns the log (`appendfsync`) the committer sees by itself.
pub fn apply(node: &Node, logging: &Logging, names: &[&'static str]) {
    for name in names {
        if *name == "loglevel" {
            logging.set_level(node.engine.borrow().config.loglevel());
        }
    }
}
