//! HyperLogLogs: PFADD, PFCOUNT, PFMERGE, and PFDEBUG and PFSELFTEST, which examine them.
//!
//! What is logged gives the same bytes on a copy, whatever `hll-sparse-max-bytes` says there: a copy keeps registers
//! sparse until it is told, by an effect of its own, that they have become dense. PFCOUNT is logged when it keeps the
//! cardinality in the key.

use std::fmt::Write as _;

use super::Ctx;
use super::failure::{self, Failure};
use super::strings::text;
use crate::base::hyperloglog::{self, Corrupted, REGISTERS, Registers, Sketch, SketchMut};
use crate::base::number;
use crate::keyspace::{self, Entry, Text};

const NO_SKETCH: Failure = Failure::fixed("WRONGTYPE Key is not a valid HyperLogLog string value.");
const CORRUPTED: Failure = Failure::fixed("INVALIDOBJ Corrupted HLL object detected");

impl From<Corrupted> for Failure {
    fn from(_: Corrupted) -> Self {
        CORRUPTED
    }
}

/// The sketch in an entry, or the error that it holds something else.
fn sketch(entry: Option<&Entry>) -> Result<Option<Sketch<'_>>, Failure> {
    match text(entry)? {
        None => Ok(None),
        Some(Text::Bytes(bytes)) => Sketch::of(bytes).map(Some).ok_or(NO_SKETCH),
        Some(Text::Int(_)) => Err(NO_SKETCH),
    }
}

/// The sketch at a key that was just found, to be changed.
fn sketch_mut<'a>(ctx: &'a mut Ctx<'_>, key: &[u8]) -> Result<SketchMut<'a>, Failure> {
    let bytes = ctx.db().buffer_mut(keyspace::hash(key), key).ok_or(failure::WRONG_TYPE)?;
    SketchMut::of(bytes).ok_or(NO_SKETCH)
}

/// The sketch at a key, to be changed: a new one if there is none; and whether it is new.
fn sketch_to_change<'a>(ctx: &'a mut Ctx<'_>, key: &[u8]) -> Result<(SketchMut<'a>, bool), Failure> {
    let is_new = sketch(ctx.write(key))?.is_none();
    if is_new {
        ctx.db().insert(keyspace::hash(key), Entry::buffer(key, hyperloglog::empty(), None));
    }
    Ok((sketch_mut(ctx, key)?, is_new))
}

/// Up to how many bytes registers stay sparse.
fn most_sparse(ctx: &Ctx<'_>) -> usize {
    if ctx.is_applying() { usize::MAX } else { ctx.engine.config.hll_sparse_max_bytes() }
}

/// Logs that registers became dense, before the command by which they did. They have the same ranks in the end, for a
/// command that raises registers can be given twice.
fn log_dense(ctx: &mut Ctx<'_>, key: &[u8], is_new: bool) {
    if is_new {
        ctx.effect(&[b"PFADD", key]);
    }
    ctx.effect(&[b"PFDEBUG", b"TODENSE", key]);
}

/// PFADD key [element …]
pub fn pfadd(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (key, elements) = (arguments[1], &arguments[2..]);
    let most_sparse = most_sparse(ctx);
    let (mut sketch, is_new) = sketch_to_change(ctx, key)?;
    let was_dense = sketch.get().is_dense();
    let mut changes = u64::from(is_new);
    let mut done = Ok(());
    let mut tried = 0;
    for element in elements {
        match sketch.add(element, most_sparse) {
            Ok(raised) => changes += u64::from(raised),
            Err(error) => {
                done = Err(error.into());
                break;
            }
        }
        tried += 1;
    }
    if changes > 0 {
        sketch.forget_cardinality();
        if sketch.get().is_dense() && !was_dense {
            log_dense(ctx, key, is_new);
            ctx.effect(arguments);
        } else if done.is_err() {
            // As in Redis, the elements before the one that met damage stay.
            ctx.effect(&arguments[..2 + tried]);
        }
        ctx.modified(key);
        ctx.counts_as(changes);
        ctx.event("pfadd", key);
    }
    ctx.reply.integer((changes > 0).into());
    done
}

/// PFCOUNT key [key …]
pub fn pfcount(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let cardinality = match arguments[1..] {
        [key] => count_one(ctx, key)?,
        ref keys => {
            let mut registers = [0; REGISTERS];
            for key in keys {
                if let Some(sketch) = sketch(ctx.read(key))? {
                    sketch.merge_into(&mut registers)?;
                }
            }
            hyperloglog::estimate(&registers)
        }
    };
    // Beyond 63 bits there is only what damaged registers tell.
    ctx.reply.integer(cardinality as i64);
    Ok(())
}

/// The cardinality of one sketch, which keeps it if the log has room for that.
fn count_one(ctx: &mut Ctx<'_>, key: &[u8]) -> Result<u64, Failure> {
    if sketch(ctx.read(key))?.is_none() {
        return Ok(0);
    }
    let may_keep = ctx.is_applying() || ctx.engine.admission.has_reserve(ctx.engine.stream.pending() as u64);
    let mut sketch = sketch_mut(ctx, key)?;
    if let Some(cardinality) = sketch.get().kept_cardinality() {
        return Ok(cardinality);
    }
    let cardinality = sketch.get().count()?;
    if may_keep {
        sketch.keep_cardinality(cardinality);
        ctx.modified(key);
    }
    Ok(cardinality)
}

/// PFMERGE destkey [sourcekey …]
pub fn pfmerge(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let target = arguments[1];
    let mut registers: Registers = [0; REGISTERS];
    let mut any_dense = false;
    for key in &arguments[1..] {
        if let Some(sketch) = sketch(ctx.read_source(key))? {
            any_dense |= sketch.is_dense();
            sketch.merge_into(&mut registers)?;
        }
    }
    let most_sparse = most_sparse(ctx);
    let (mut sketch, is_new) = sketch_to_change(ctx, target)?;
    if any_dense {
        sketch.set_dense(&registers);
    } else {
        sketch.merge(&registers, most_sparse)?;
    }
    sketch.forget_cardinality();
    if sketch.get().is_dense() && !any_dense {
        log_dense(ctx, target, is_new);
        ctx.effect(arguments);
    }
    ctx.modified(target);
    ctx.event("pfadd", target);
    ctx.reply.ok();
    Ok(())
}

/// PFDEBUG GETREG | DECODE | ENCODING | TODENSE key, and PFDEBUG SIMD ON | OFF
pub fn pfdebug(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (subcommand, key) = (arguments[1], arguments[2]);
    let is = |name: &str| subcommand.eq_ignore_ascii_case(name.as_bytes());
    if is("SIMD") {
        return simd(ctx, key);
    }
    if sketch(ctx.write(key))?.is_none() {
        return Err("ERR The specified key does not exist".into());
    }
    let mut sketch = sketch_mut(ctx, key)?;
    if is("GETREG") {
        let was_sparse = sketch.make_dense()?;
        let mut registers = [0; REGISTERS];
        sketch.get().merge_into(&mut registers)?;
        if was_sparse {
            ctx.modified(key);
        }
        ctx.reply.array(REGISTERS);
        registers.iter().for_each(|rank| ctx.reply.integer((*rank).into()));
    } else if is("DECODE") {
        let text = decode(sketch.get()).ok_or("ERR HLL encoding is not sparse")?;
        ctx.reply.bulk(text.as_bytes());
    } else if is("ENCODING") {
        let name = if sketch.get().is_dense() { "dense" } else { "sparse" };
        ctx.reply.simple(name);
    } else if is("TODENSE") {
        let was_sparse = sketch.make_dense()?;
        if was_sparse {
            ctx.modified(key);
        }
        ctx.reply.integer(was_sparse.into());
    } else {
        let name = number::c_string(subcommand);
        return Err(Failure::new([b"ERR Unknown PFDEBUG subcommand '", name, b"'"].concat()));
    }
    Ok(())
}

/// The runs of sparse registers, as PFDEBUG DECODE shows them.
fn decode(sketch: Sketch<'_>) -> Option<String> {
    let mut text = String::new();
    for run in sketch.runs()? {
        let (name, rank) = match (run.rank, run.bytes) {
            (0, 1) => ("z", String::new()),
            (0, _) => ("Z", String::new()),
            (rank, _) => ("v", format!("{rank},")),
        };
        let blank = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{blank}{name}:{rank}{}", run.len);
    }
    Some(text)
}

/// In Redis 8 and Valkey 8 this chooses between two implementations. Here there is one.
fn simd(ctx: &mut Ctx<'_>, word: &[u8]) -> Result<(), Failure> {
    let state = match word {
        _ if word.eq_ignore_ascii_case(b"ON") => "enabled",
        _ if word.eq_ignore_ascii_case(b"OFF") => "disabled",
        _ => return Err("ERR Argument must be ON or OFF".into()),
    };
    ctx.reply.simple(state);
    Ok(())
}

/// PFSELFTEST
pub fn pfselftest(ctx: &mut Ctx<'_>, _: &[&[u8]]) -> Result<(), Failure> {
    hyperloglog::self_test(&mut ctx.engine.rng).map_err(|wrong| Failure::new(format!("TESTFAILED {wrong}")))?;
    ctx.reply.ok();
    Ok(())
}

#[cfg(test)]
#[path = "hyperloglog_tests.rs"]
mod tests;
