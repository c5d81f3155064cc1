//! `math.random` and `math.randomseed` as scripts have them: the same numbers on every machine.
//!
//! As in Redis they are those of the linear congruential generator of POSIX' `drand48` family, which begins with its usual
//! state and goes on from script to script.

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Function, Lua, MultiValue, Value};

use super::raise::{self, Raised};

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
        raise::function(lua, move |lua, arguments: MultiValue| {
            let fraction = f64::from(self.draw() % MAX) / f64::from(MAX);
            let bound = |at: usize| integer(lua, &arguments, at, "random");
            match arguments.len() {
                0 => Ok(fraction),
                1 => {
                    let upper = bound(0)?;
                    if upper < 1 {
                        return Err("bad argument #1 to 'random' (interval is empty)".into());
                    }
                    Ok((fraction * upper as f64).floor() + 1.0)
                }
                2 => {
                    let (lower, upper) = (bound(0)?, bound(1)?);
                    if lower > upper {
                        return Err("bad argument #2 to 'random' (interval is empty)".into());
                    }
                    // The width is reckoned in 32 bits, as in the original.
                    let width = upper.wrapping_sub(lower).wrapping_add(1);
                    Ok((fraction * f64::from(width)).floor() + lower as f64)
                }
                _ => Err("wrong number of arguments".into()),
            }
        })
    }

    /// `math.randomseed`
    pub fn seed_function(self: Rc<Self>, lua: &Lua) -> mlua::Result<Function> {
        raise::function(lua, move |lua, arguments: MultiValue| {
            self.seed(integer(lua, &arguments, 0, "randomseed")?);
            Ok(())
        })
    }
}

/// An argument as an integer, or Lua's words for what it is instead.
fn integer(lua: &Lua, arguments: &MultiValue, at: usize, function: &str) -> Result<i32, Raised> {
    let value = arguments.get(at).cloned().unwrap_or(Value::Nil);
    let kind = if at < arguments.len() { value.type_name() } else { "no value" };
    match lua.coerce_number(value.clone()) {
        Ok(Some(number)) => Ok(number as i64 as i32),
        _ => {
            let at = at + 1;
            let kind = if kind == "integer" { "number" } else { kind };
            Err(Raised::Text(format!("bad argument #{at} to '{function}' (number expected, got {kind})").into_bytes()))
        }
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
