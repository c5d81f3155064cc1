//! Random Lua values, as expressions.

use fastrand::Rng;

/// An expression, and whether its encoding is the same wherever hash tables are walked in another order.
pub struct Expression {
    pub code: String,
    pub is_ordered: bool,
}

fn ordered(code: impl Into<String>) -> Expression {
    Expression { code: code.into(), is_ordered: true }
}

/// A string literal of any bytes.
pub fn quoted(text: &[u8]) -> String {
    let mut code = String::from("\"");
    for byte in text {
        match byte {
            b'"' | b'\\' => code.extend(['\\', char::from(*byte)]),
            b' '..=b'~' => code.push(char::from(*byte)),
            _ => code.push_str(&format!("\\{byte:03}")),
        }
    }
    code.push('"');
    code
}

pub fn pick<'a>(rng: &mut Rng, from: &[&'a str]) -> &'a str {
    from[rng.usize(..from.len())]
}

pub fn bytes(rng: &mut Rng) -> Vec<u8> {
    let length = match rng.u8(..20) {
        0 => rng.usize(30..34),
        1 => rng.usize(250..260),
        _ => rng.usize(..12),
    };
    let any = rng.bool();
    std::iter::repeat_with(|| if any { rng.u8(..) } else { rng.u8(b' '..=b'~') }).take(length).collect()
}

/// A number, finite unless `any`.
pub fn number(rng: &mut Rng, any: bool) -> String {
    match rng.u8(..16) {
        0 if any => pick(rng, &["1/0", "-1/0", "0/0", "-(0/0)"]).to_owned(),
        0..4 => rng.i8(..).to_string(),
        4 | 5 => rng.i32(-70_000..70_000).to_string(),
        6 => {
            let near = (1u64 << rng.u32(..64)) as f64 + f64::from(rng.i8(-2..=2));
            format!("{:.17e}", if rng.bool() { near } else { -near })
        }
        7 => format!("{:.17e}", rng.i64(..) as f64),
        8 => format!("{:.17e}", f64::from(f32::from_bits(rng.u32(..) & 0xbf7f_ffff))),
        9 => format!("{:.17e}", f64::from_bits(rng.u64(..) & 0xbfef_ffff_ffff_ffff)),
        10 => format!("{}", f64::from(rng.i32(-10_000..10_000)) / 8.0),
        11 => format!("{}.{}", rng.i32(..), rng.u16(..)),
        12 => format!("{}e{}", rng.u8(..), rng.i16(-300..300)),
        13 => "-0".to_owned(),
        _ => format!("{:.17e}", rng.f64() * 10f64.powi(rng.i32(-20..20))),
    }
}

/// A value; one that cannot be encoded, or not as it is, only if `any`.
pub fn value(rng: &mut Rng, depth: usize, any: bool) -> Expression {
    match rng.u8(..if depth == 0 { 12 } else { 24 }) {
        0 => ordered("nil"),
        1 => ordered(pick(rng, &["true", "false", "cjson.null"])),
        2 if any => ordered(pick(rng, &["function() end", "coroutine.create(function() end)", "cjson.encode"])),
        2..7 => {
            let any = any && rng.u8(..4) == 0;
            ordered(number(rng, any))
        }
        7..12 => ordered(quoted(&bytes(rng))),
        12..17 => array(rng, depth, any),
        17..19 => sparse(rng, depth, any),
        19..22 => single(rng, depth, any),
        _ => object(rng, depth),
    }
}

fn array(rng: &mut Rng, depth: usize, any: bool) -> Expression {
    let count = if rng.u8(..10) == 0 { rng.usize(14..19) } else { rng.usize(..5) };
    let parts: Vec<Expression> = (0..count).map(|_| value(rng, depth - 1, any)).collect();
    let code: Vec<&str> = parts.iter().map(|part| part.code.as_str()).collect();
    // An array with a hole is a map for some.
    let has_hole = code.contains(&"nil");
    let is_ordered = !has_hole && parts.iter().all(|part| part.is_ordered);
    Expression { code: format!("{{{}}}", code.join(",")), is_ordered }
}

/// An array of which some elements are missing.
fn sparse(rng: &mut Rng, depth: usize, any: bool) -> Expression {
    let count = rng.usize(1..4);
    let parts: Vec<String> = (0..count)
        .map(|_| {
            let largest = if any { 40 } else { 10 };
            format!("[{}]={}", rng.u8(1..largest), value(rng, depth - 1, false).code)
        })
        .collect();
    Expression { code: format!("{{{}}}", parts.join(",")), is_ordered: false }
}

/// A table of one pair.
fn single(rng: &mut Rng, depth: usize, any: bool) -> Expression {
    let inner = value(rng, depth - 1, any);
    let key = match rng.u8(..8) {
        0 if any => pick(rng, &["true", "{}", "cjson.null", "cjson.encode", "1/0", "-1/0"]).to_owned(),
        0..3 if any => number(rng, false),
        // No index, which could make an array that is too sparse.
        0..3 => format!("{}.5", rng.i16(..)),
        _ => quoted(&bytes(rng)),
    };
    Expression { code: format!("{{[{key}]={}}}", inner.code), is_ordered: inner.is_ordered }
}

/// A table of some pairs, of which none is an error.
fn object(rng: &mut Rng, depth: usize) -> Expression {
    let count = rng.usize(2..6);
    let pairs: Vec<String> = (0..count)
        .map(|at| {
            let key = if rng.u8(..5) == 0 { at.to_string() } else { quoted(format!("k{at}").as_bytes()) };
            format!("[{key}]={}", value(rng, depth - 1, false).code)
        })
        .collect();
    Expression { code: format!("{{{}}}", pairs.join(",")), is_ordered: false }
}
