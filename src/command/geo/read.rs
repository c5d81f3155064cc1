//! GEODIST, GEOHASH and GEOPOS.

use super::super::Ctx;
use super::super::failure::{self, Failure};
use super::{of_member, unit, write_distance, write_position};
use crate::keyspace::Zset;

/// GEODIST key member1 member2 [M | KM | FT | MI]
pub fn geodist(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let metres = match &arguments[4..] {
        [] => 1.0,
        [name] => unit(name)?,
        _ => return Err(failure::SYNTAX),
    };
    let (zset, reply) = ctx.read_as::<Zset>(arguments[1])?;
    let ends = zset.and_then(|zset| of_member(zset, arguments[2]).zip(of_member(zset, arguments[3])));
    match ends {
        Some((from, to)) => write_distance(reply, from.distance(to) / metres),
        None => reply.null(),
    }
    Ok(())
}

/// GEOHASH key [member …]
pub fn geohash(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (zset, reply) = ctx.read_as::<Zset>(arguments[1])?;
    reply.array(arguments.len() - 2);
    for member in &arguments[2..] {
        match zset.and_then(|zset| of_member(zset, member)) {
            Some(position) => reply.bulk(&position.to_text()),
            None => reply.null(),
        }
    }
    Ok(())
}

/// GEOPOS key [member …]
pub fn geopos(ctx: &mut Ctx<'_>, arguments: &[&[u8]]) -> Result<(), Failure> {
    let (zset, reply) = ctx.read_as::<Zset>(arguments[1])?;
    reply.array(arguments.len() - 2);
    for member in &arguments[2..] {
        match zset.and_then(|zset| of_member(zset, member)) {
            Some(position) => write_position(reply, position),
            None => reply.null_array(),
        }
    }
    Ok(())
}
