//! Positions: sorted sets whose scores are geohashes of 52 bits. The maths is in `base/geohash.rs`.

pub mod add;
pub mod read;
pub mod search;

use rustc_apfloat::ieee::{Double, X87DoubleExtended};
use rustc_apfloat::{Float, FloatConvert};

use super::failure::Failure;
use super::zsets::double;
use crate::base::geohash::Position;
use crate::base::longdouble;
use crate::keyspace::Zset;
use crate::resp::Reply;

/// A position from two arguments.
fn position(longitude: &[u8], latitude: &[u8]) -> Result<Position, Failure> {
    let (longitude, latitude) = (double(longitude)?, double(latitude)?);
    Position::new(longitude, latitude)
        .ok_or_else(|| Failure::new(format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}")))
}

/// The position of a member.
fn of_member(zset: &Zset, member: &[u8]) -> Option<Position> {
    zset.score(member).map(Position::of_score)
}

/// Metres of a unit.
fn unit(name: &[u8]) -> Result<f64, Failure> {
    match name.to_ascii_uppercase().as_slice() {
        b"M" => Ok(1.0),
        b"KM" => Ok(1000.0),
        b"FT" => Ok(0.3048),
        b"MI" => Ok(1609.34),
        _ => Err("ERR unsupported unit provided. please use M, KM, FT, MI".into()),
    }
}

/// Writes a distance, always with four digits behind the point.
fn write_distance(reply: &mut Reply, distance: f64) {
    const SCALE: i64 = 10_000;
    // Rounded when it is scaled, halves to even, as Redis does: digits of the unscaled number would differ.
    let scaled = (distance * SCALE as f64).round_ties_even() as i64;
    reply.bulk(format!("{}.{:04}", scaled / SCALE, scaled % SCALE).as_bytes());
}

/// Writes longitude and latitude with all their digits.
fn write_position(reply: &mut Reply, position: Position) {
    reply.array(2);
    for degrees in [position.longitude, position.latitude] {
        let exact: X87DoubleExtended = Double::from_bits(degrees.to_bits().into()).convert(&mut false).value;
        let text = longdouble::format(exact);
        reply.double_text(std::str::from_utf8(&text).expect("digits are text"));
    }
}

#[cfg(test)]
#[path = "../geo_tests.rs"]
mod tests;
