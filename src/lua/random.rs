//! `math.random` and `math.randomseed` as scripts have them: the same numbers on every machine.
//!
//! As in Redis they are those of the linear congruential generator of POSIX' `drand48` family, which begins with its usual
//! state and goes on from script to script.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Function, Lua};

use super::call::{self, Fault};

/// The largest number drawn, and the divisor that makes it a fraction.
const MAX: u32 = i32::MAX as u32;

/// The generator, which draws 31 bits at a time.
#[derive(Debug)]
pub struct Random(Cell<u64>);

impl Default for Random {
    fn default() -> Self {
        Self(Cell::new(0x1234_abcd_330e))
    }
}

impl Random {
    /// Starts anew.
    pub fn seed(&self, seed: i32) {
        self.0.set((u64::from(seed as u32) << 16) | 0x330e);
    }

    fn draw(&self) -> u32 {
        let next = self.0.get().wrapping_mul(0x5_deec_e66d).wrapping_add(0xb) & ((1 << 48) - 1);
        self.0.set(next);
        (next >> 17) as u32
    }

    /// `math.random`
    pub fn function(self: Rc<Self>, lua: &Lua) -> mlua::Result<Function> {
        call::function(lua, move |_, arguments| {
            let fraction = f64::from(self.draw() % MAX) / f64::from(MAX);
            let bound = |number| arguments.integer(number).map(|bound| bound as i32);
            match arguments.len() {
                0 => Ok(fraction),
                1 => {
                    let upper = bound(1)?;
                    if upper < 1 {
                        return Err(Fault::argument(1, "interval is empty"));
                    }
                    Ok((fraction * f64::from(upper)).floor() + 1.0)
                }
                2 => {
                    let (lower, upper) = (bound(1)?, bound(2)?);
                    if lower > upper {
                        return Err(Fault::argument(2, "interval is empty"));
                    }
                    // The width is reckoned in 32 bits, as in the original.
                    let width = upper.wrapping_sub(lower).wrapping_add(1);
                    Ok((fraction * f64::from(width)).floor() + f64::from(lower))
                }
                _ => Err(Fault::text("wrong number of arguments")),
            }
        })
    }

    /// `math.randomseed`
    pub fn seed_function(self: Rc<Self>, lua: &Lua) -> mlua::Result<Function> {
        call::function(lua, move |_, arguments| {
            self.seed(arguments.integer(1)? as i32);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_drand48() {
        let random = Random::default();
        assert_eq!(random.draw(), 851401618);
        random.seed(0);
        // The first numbers of srand48(0), lrand48().
        assert_eq!([random.draw(), random.draw(), random.draw()], [366850414, 1610402240, 206956554]);
    }
}
