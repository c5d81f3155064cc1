//! Positions as numbers of 52 bits, and which of these numbers lie in a circle or a box: what the commands on positions
//! compute.
//!
//! Longitude and latitude are cut into 2^26 steps each and their bits interleaved, so that positions with equal first bits
//! lie in one cell and the numbers of a cell are a range. A search takes the cell of its centre, so large that the shape is
//! inside of it and its eight neighbours, and asks for the ranges of these nine.
//!
//! Constants, rounding and the order of the ranges are those of Redis: replies show distances, positions and, where no order
//! is asked for, the order in which places were found.

use std::f64::consts::PI;

/// Steps of a position.
pub const STEPS: u32 = 26;
const BITS: u32 = 2 * STEPS;

/// The farthest positions: beyond that latitude the map is not square.
pub const LONGITUDE_MAX: f64 = 180.0;
/// See [`LONGITUDE_MAX`].
pub const LATITUDE_MAX: f64 = 85.05112878;
/// The latitudes of standard geohash strings.
const POLE: f64 = 90.0;

/// In metres.
const EARTH_RADIUS: f64 = 6_372_797.560856;
/// Half of the circumference of the map, in metres.
const MAP_MAX: f64 = 20_037_726.37;

/// A place on earth, in degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Position {
    /// East of Greenwich.
    pub longitude: f64,
    /// North of the equator.
    pub latitude: f64,
}

/// A square of the map: so many steps, counted from its south-western corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    longitude: u32,
    latitude: u32,
    steps: u32,
}

fn radians(degrees: f64) -> f64 {
    degrees * (PI / 180.0)
}

fn degrees(radians: f64) -> f64 {
    radians / (PI / 180.0)
}

/// The bits of `value` with zeros between them.
fn spread(value: u32) -> u64 {
    let mut bits = u64::from(value);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Every other bit of `value`.
fn gather(value: u64) -> u32 {
    let mut bits = value & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    bits as u32
}

impl Cell {
    fn of(position: Position, latitude_max: f64, steps: u32) -> Self {
        let scale = (1u64 << steps) as f64;
        let step = |degrees: f64, max: f64| ((degrees + max) / (2.0 * max) * scale) as u32;
        Self {
            longitude: step(position.longitude, LONGITUDE_MAX),
            latitude: step(position.latitude, latitude_max),
            steps,
        }
    }

    fn bits(self) -> u64 {
        spread(self.latitude) | spread(self.longitude) << 1
    }

    /// The cell so many steps to the east and to the north, around the map.
    fn beside(self, east: i32, north: i32) -> Self {
        let mask = u32::MAX >> (u32::BITS - self.steps);
        let moved = |at: u32, by: i32| if by == 0 { at } else { at.wrapping_add_signed(by) & mask };
        Self { longitude: moved(self.longitude, east), latitude: moved(self.latitude, north), ..self }
    }

    /// Western and eastern, southern and northern border.
    fn borders(self) -> [(f64, f64); 2] {
        let scale = (1u64 << self.steps) as f64;
        let border = |at: u32, max: f64| -max + f64::from(at) / scale * (max + max);
        let borders = |at: u32, max: f64| (border(at, max), border(at.wrapping_add(1), max));
        [borders(self.longitude, LONGITUDE_MAX), borders(self.latitude, LATITUDE_MAX)]
    }

    /// The first number in the cell, and the first one behind it.
    fn range(self) -> (f64, f64) {
        let shift = BITS - 2 * self.steps;
        ((self.bits() << shift) as f64, ((self.bits() + 1) << shift) as f64)
    }
}

/// What a processor of today makes of a double that C casts to an unsigned integer, whatever it is.
fn to_bits(score: f64) -> u64 {
    const HALF: f64 = (1u64 << 63) as f64;
    if score < HALF { to_integer(score) as u64 } else { to_integer(score - HALF) as u64 ^ 1 << 63 }
}

/// The same for a signed one.
pub fn to_integer(score: f64) -> i64 {
    const HALF: f64 = (1u64 << 63) as f64;
    if (-HALF..HALF).contains(&score) { score as i64 } else { i64::MIN }
}

impl Position {
    /// A position, if the map has it.
    pub fn new(longitude: f64, latitude: f64) -> Option<Self> {
        let is_on_map =
            (-LONGITUDE_MAX..=LONGITUDE_MAX).contains(&longitude) && (-LATITUDE_MAX..=LATITUDE_MAX).contains(&latitude);
        is_on_map.then_some(Self { longitude, latitude })
    }

    /// The number of the position.
    pub fn bits(self) -> u64 {
        Cell::of(self, LATITUDE_MAX, STEPS).bits()
    }

    /// The middle of the cell with this number.
    pub fn of_score(score: f64) -> Self {
        let bits = to_bits(score);
        let cell = Cell { longitude: gather(bits >> 1), latitude: gather(bits), steps: STEPS };
        let [longitudes, latitudes] = cell.borders();
        let middle = |(low, high): (f64, f64), max: f64| ((low + high) / 2.0).clamp(-max, max);
        Self { longitude: middle(longitudes, LONGITUDE_MAX), latitude: middle(latitudes, LATITUDE_MAX) }
    }

    /// The standard geohash of eleven characters, the last of which is always zero: there are but 52 bits.
    pub fn to_text(self) -> [u8; 11] {
        const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
        let bits = Cell::of(self, POLE, STEPS).bits();
        std::array::from_fn(|at| match BITS.checked_sub(5 * (at as u32 + 1)) {
            Some(shift) => ALPHABET[(bits >> shift) as usize & 31],
            None => ALPHABET[0],
        })
    }

    /// The distance in metres, on a sphere.
    pub fn distance(self, other: Self) -> f64 {
        let (from, to) = (radians(self.longitude), radians(other.longitude));
        let across = ((to - from) / 2.0).sin();
        if across == 0.0 {
            return self.distance_north(other);
        }
        let (from, to) = (radians(self.latitude), radians(other.latitude));
        let up = ((to - from) / 2.0).sin();
        let haversine = up * up + from.cos() * to.cos() * across * across;
        2.0 * EARTH_RADIUS * haversine.sqrt().asin()
    }

    fn distance_north(self, other: Self) -> f64 {
        EARTH_RADIUS * (radians(other.latitude) - radians(self.latitude)).abs()
    }
}

/// What is searched; lengths in the unit of `metres`.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// The middle.
    pub centre: Position,
    /// The form.
    pub shape: Shape,
    /// Metres of a unit.
    pub metres: f64,
}

/// The form of a search.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub enum Shape {
    Circle { radius: f64 },
    Box { width: f64, height: f64 },
}

impl Search {
    /// The distance from the centre in metres, of a position that is inside.
    pub fn distance_inside(&self, position: Position) -> Option<f64> {
        match self.shape {
            Shape::Circle { radius } => {
                let distance = self.centre.distance(position);
                (distance <= radius * self.metres).then_some(distance)
            }
            Shape::Box { width, height } => {
                if position.distance_north(self.centre) > height * self.metres / 2.0 {
                    return None;
                }
                let level = Position { latitude: position.latitude, ..self.centre };
                if position.distance(level) > width * self.metres / 2.0 {
                    return None;
                }
                Some(self.centre.distance(position))
            }
        }
    }

    /// West and east, south and north of everything inside.
    fn borders(&self) -> [(f64, f64); 2] {
        let Position { longitude, latitude } = self.centre;
        let (width, height) = match self.shape {
            Shape::Circle { radius } => (radius, radius),
            Shape::Box { width, height } => (width / 2.0, height / 2.0),
        };
        let (width, height) = (self.metres * width, self.metres * height);
        let up = degrees(height / EARTH_RADIUS);
        // The degrees of a length grow towards the pole: those at the border next to it count.
        let outer = if latitude < 0.0 { latitude - up } else { latitude + up };
        let across = degrees(width / EARTH_RADIUS / radians(outer).cos());
        [(longitude - across, longitude + across), (latitude - up, latitude + up)]
    }

    /// How fine the cells may be.
    fn steps(&self) -> u32 {
        let radius = match self.shape {
            Shape::Circle { radius } => radius,
            Shape::Box { width, height } => ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt(),
        };
        let mut radius = radius * self.metres;
        if radius == 0.0 {
            return STEPS;
        }
        let mut steps: i32 = 1;
        while radius < MAP_MAX {
            radius *= 2.0;
            steps += 1;
        }
        steps -= 2;
        // Towards the poles cells are narrower.
        let latitude = self.centre.latitude.abs();
        steps -= i32::from(latitude > 66.0) + i32::from(latitude > 80.0);
        steps.clamp(1, STEPS as i32) as u32
    }

    /// The ranges of numbers to look at, in Redis' order: from a number to before another.
    pub fn ranges(&self) -> Vec<(f64, f64)> {
        let [(west, east), (south, north)] = self.borders();
        let mut steps = self.steps();
        let mut cell = Cell::of(self.centre, LATITUDE_MAX, steps);
        let is_too_small = cell.beside(0, 1).borders()[1].1 < north
            || cell.beside(0, -1).borders()[1].0 > south
            || cell.beside(1, 0).borders()[0].1 < east
            || cell.beside(-1, 0).borders()[0].0 > west;
        if steps > 1 && is_too_small {
            steps -= 1;
            cell = Cell::of(self.centre, LATITUDE_MAX, steps);
        }
        let [(cell_west, cell_east), (cell_south, cell_north)] = cell.borders();
        let is_useless = |across: i32, up: i32| {
            steps >= 2
                && ((up < 0 && cell_south < south)
                    || (up > 0 && cell_north > north)
                    || (across < 0 && cell_west < west)
                    || (across > 0 && cell_east > east))
        };
        const AROUND: [(i32, i32); 8] = [(0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)];
        let mut cells = vec![cell];
        for (across, up) in AROUND.into_iter().filter(|(across, up)| !is_useless(*across, *up)) {
            let beside = cell.beside(across, up);
            // On a map of few cells, two neighbours may be one.
            if cells.len() == 1 || cells.last() != Some(&beside) {
                cells.push(beside);
            }
        }
        cells.into_iter().map(Cell::range).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PALERMO: Position = Position { longitude: 13.361389, latitude: 38.115556 };
    const CATANIA: Position = Position { longitude: 15.087269, latitude: 37.502669 };

    #[test]
    fn numbers_texts_and_distances_are_those_that_redis_shows() {
        assert_eq!(PALERMO.bits(), 3_479_099_956_230_698);
        assert_eq!(CATANIA.bits(), 3_479_447_370_796_909);
        let stored = [PALERMO, CATANIA].map(|position| Position::of_score(position.bits() as f64));
        assert_eq!(&stored[0].to_text(), b"sqc8b49rny0");
        assert_eq!(&stored[1].to_text(), b"sqdtr74hyu0");
        assert_eq!(format!("{:.4}", stored[0].distance(stored[1])), "166274.1516");
    }

    #[test]
    fn positions_beyond_the_map_are_none() {
        assert!(Position::new(180.0, LATITUDE_MAX).is_some());
        for (longitude, latitude) in [(180.1, 0.0), (-180.1, 0.0), (0.0, 85.06), (0.0, -86.0), (f64::NAN, 0.0)] {
            assert!(Position::new(longitude, latitude).is_none());
        }
    }

    proptest! {
        #[test]
        fn a_position_is_kept_to_a_metre(longitude in -180.0..180.0, latitude in -LATITUDE_MAX..LATITUDE_MAX) {
            let position = Position { longitude, latitude };
            prop_assert!(position.distance(Position::of_score(position.bits() as f64)) < 1.0);
        }

        #[test]
        fn the_ranges_of_a_search_contain_everything_inside(
            longitude in -170.0..170.0,
            latitude in -70.0..70.0,
            radius in 1.0..300_000.0,
            angle in 0.0..6.28,
            part in 0.0..1.0,
        ) {
            let centre = Position { longitude, latitude };
            let search = Search { centre, shape: Shape::Circle { radius }, metres: 1.0 };
            let up = degrees(radius * part * f64::sin(angle) / EARTH_RADIUS);
            let across = degrees(radius * part * f64::cos(angle) / EARTH_RADIUS / radians(latitude + up).cos());
            let place = Position { longitude: longitude + across, latitude: latitude + up };
            prop_assume!(search.distance_inside(place).is_some());
            let bits = place.bits() as f64;
            prop_assert!(search.ranges().iter().any(|(low, high)| (*low..*high).contains(&bits)));
        }
    }
}
