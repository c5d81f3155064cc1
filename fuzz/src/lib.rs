//! What the fuzz targets share: a limit on memory, an engine with a client, requests made from the command table, and
//! payloads of DUMP.
//!
//! `docs/fuzzing.md` tells what each target promises, how to run it, and how to use the parts in a harness of one's own.

pub mod bytes;
pub mod dumps;
pub mod memory;
pub mod requests;
pub mod session;
