//! The library `bit`: operations on 32 bits, as LuaBitOp has them.

use mlua::{Lua, Table};

use super::call::{Arguments, Fault, function};

type Unary = fn(u32) -> u32;
type Binary = fn(u32, u32) -> u32;

/// Makes the library.
pub fn open(lua: &Lua) -> mlua::Result<Table> {
    let library = lua.create_table()?;
    let unary: [(&str, Unary); 3] = [("tobit", |bits| bits), ("bnot", |bits| !bits), ("bswap", u32::swap_bytes)];
    for (name, operation) in unary {
        let body = move |_: &Lua, arguments: Arguments<'_>| Ok(signed(operation(bits(&arguments, 1)?)));
        library.raw_set(name, function(lua, body)?)?;
    }
    let folds: [(&str, Binary); 3] = [("band", |a, b| a & b), ("bor", |a, b| a | b), ("bxor", |a, b| a ^ b)];
    for (name, operation) in folds {
        let body = move |_: &Lua, arguments: Arguments<'_>| {
            let first = bits(&arguments, 1)?;
            // From the last one down, which shows in errors.
            let mut others = (2..=arguments.len()).rev();
            let all = others.try_fold(first, |sum, at| Ok(operation(sum, bits(&arguments, at)?)));
            all.map(signed)
        };
        library.raw_set(name, function(lua, body)?)?;
    }
    let shifts: [(&str, Binary); 5] = [
        ("lshift", u32::wrapping_shl),
        ("rshift", u32::wrapping_shr),
        ("arshift", |bits, by| (bits as i32).wrapping_shr(by) as u32),
        ("rol", u32::rotate_left),
        ("ror", u32::rotate_right),
    ];
    for (name, operation) in shifts {
        let body = move |_: &Lua, arguments: Arguments<'_>| {
            let value = bits(&arguments, 1)?;
            // The lower five bits count.
            let by = bits(&arguments, 2)? & 31;
            Ok(signed(operation(value, by)))
        };
        library.raw_set(name, function(lua, body)?)?;
    }
    library.raw_set("tohex", function(lua, to_hex)?)?;
    Ok(library)
}

/// The lower 32 bits of an argument, which is rounded to an integer.
fn bits(arguments: &Arguments<'_>, number: usize) -> Result<u32, Fault> {
    /// 2^52 + 2^51: in a sum with it, the lower bits of a double's mantissa are those of the integer.
    const SHIFTING: f64 = 6_755_399_441_055_744.0;
    Ok((arguments.number(number)? + SHIFTING).to_bits() as u32)
}

fn signed(bits: u32) -> f64 {
    f64::from(bits as i32)
}

fn to_hex(lua: &Lua, arguments: Arguments<'_>) -> Result<mlua::LuaString, Fault> {
    const MOST: usize = 8;
    let value = bits(&arguments, 1)?;
    let count = if arguments.len() < 2 { MOST as i32 } else { bits(&arguments, 2)? as i32 };
    // As many of the last digits as wanted, in capital letters for a negative count.
    let digits = if count < 0 { format!("{value:08X}") } else { format!("{value:08x}") };
    let count = (count.unsigned_abs() as usize).min(MOST);
    Ok(lua.create_string(&digits[MOST - count..])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn eval(code: &str) -> String {
        let lua = Lua::new();
        lua.globals().set("bit", open(&lua).unwrap()).unwrap();
        lua.load(format!("return tostring({code})")).eval().unwrap()
    }

    fn fail(code: &str) -> String {
        let lua = Lua::new();
        lua.globals().set("bit", open(&lua).unwrap()).unwrap();
        lua.load(format!("return select(2, pcall(function() local x = {code} end))")).set_name("=t").eval().unwrap()
    }

    #[test]
    fn operations_answer_as_in_redis() {
        let cases = [
            ("bit.tobit(2^31)", "-2147483648"),
            ("bit.tobit(2^32 + 5)", "5"),
            ("bit.tobit(1.5)", "2"),
            ("bit.tobit(2.5)", "2"),
            ("bit.tobit(2^60 + 2^20)", "4096"),
            ("bit.tobit(0/0)", "0"),
            ("bit.tobit('0x10')", "16"),
            ("bit.tohex(-1)", "ffffffff"),
            ("bit.tohex(255, 4)", "00ff"),
            ("bit.tohex(255, -100)", "000000FF"),
            ("bit.tohex(255, -2147483648)", "000000FF"),
            ("bit.tohex(255, 0)", ""),
            ("bit.band(7, 3, 6)", "2"),
            ("bit.bor(1, 2, 4)", "7"),
            ("bit.bxor(1, 3)", "2"),
            ("bit.bnot(5)", "-6"),
            ("bit.lshift(1, 33)", "2"),
            ("bit.lshift(1, -1)", "-2147483648"),
            ("bit.rshift(-1, 1)", "2147483647"),
            ("bit.arshift(-8, 1)", "-4"),
            ("bit.rol(3, -1)", "-2147483647"),
            ("bit.ror(1, 1)", "-2147483648"),
            ("bit.bswap(0x12345678)", "2018915346"),
        ];
        for (code, answer) in cases {
            assert_eq!(eval(code), answer, "{code}");
        }
    }

    #[test]
    fn errors_are_strings_with_the_place_and_the_name_of_the_call() {
        assert_eq!(fail("bit.band()"), "t:1: bad argument #1 to 'band' (number expected, got no value)");
        assert_eq!(fail("bit.band(7, 'x')"), "t:1: bad argument #2 to 'band' (number expected, got string)");
        assert_eq!(fail("bit.bxor(7, 'x', {})"), "t:1: bad argument #3 to 'bxor' (number expected, got table)");
        assert_eq!(fail("bit.tohex(1, nil)"), "t:1: bad argument #2 to 'tohex' (number expected, got nil)");
        assert_eq!(fail("bit:lshift(1)"), "t:1: calling 'lshift' on bad self (number expected, got table)");
        let by_pcall = eval("select(2, pcall(bit.lshift, {}))");
        assert_eq!(by_pcall, "bad argument #1 to '?' (number expected, got table)");
    }
}
