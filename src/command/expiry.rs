//! stub until the keyspace branch lands
use crate::engine::Engine;
/// x
pub fn active_cycle(_e: &mut Engine) {}
