//! Numbers as Redis reads and writes them: strict integers, C's floating point syntax, shortest doubles.
//!
//! Commands, configuration and the keyspace call it. What always holds: [`parse_i64`] accepts exactly the strings that
//! formatting an `i64` gives, so a string that it accepts can be stored as the number.

use super::shortest;
use rustc_apfloat::Float;
use rustc_apfloat::ieee::{Double, X87DoubleExtended};

/// The longest decimal form of an `i64`.
const I64_DIGITS: usize = 20;

/// Reads a canonical integer: no spaces, no plus, no leading zeros, no `-0`.
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    if text.len() > I64_DIGITS {
        return None;
    }
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] => {}
        _ => return None,
    }
    // Summed below zero, where there is room for i64::MIN.
    let sum = digits.iter().try_fold(0i64, |sum, &byte| {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit < 10)?;
        sum.checked_mul(10)?.checked_sub(i64::from(digit))
    })?;
    if negative { Some(sum) } else { sum.checked_neg() }
}

/// Reads an unsigned integer as Redis 7.2 reads the cursors of SCAN: by C's `strtoul`, which takes a sign (a negative
/// number wraps around), ends at a zero byte and makes 0 of nothing; but without blanks before it.
pub fn parse_cursor(text: &[u8]) -> Option<u64> {
    let text = c_string(text);
    let (negative, digits) = match text {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let sum = digits.iter().try_fold(0u64, |sum, &byte| {
        let digit = byte.checked_sub(b'0').filter(|&digit| digit < 10)?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    Some(if negative { sum.wrapping_neg() } else { sum })
}

/// Length of the decimal form.
pub fn decimal_len(value: i64) -> usize {
    let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    digits + usize::from(value < 0)
}

/// Reads a double as C's `strtod` does, hexadecimal and infinity included, but neither NaN, nor spaces, nor a number
/// that is too large, or so small that it would become zero.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    if let Some(value) = parse_plain(text) {
        return Some(value);
    }
    match Numeral::read(text)? {
        Numeral::Infinite { negative } => Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY }),
        Numeral::Zero { negative } => Some(if negative { -0.0 } else { 0.0 }),
        Numeral::Hexadecimal(text) => {
            let value = f64::from_bits(in_range(text.parse::<Double>().ok()?)?.to_bits() as u64);
            Some(value)
        }
        Numeral::Decimal(text) => {
            let value: f64 = text.parse().ok()?;
            (value.is_finite() && value != 0.0).then_some(value)
        }
    }
}

/// Whether a text is what nearly all scores are: some digits, not all of them zeros, among which there may be a point. Then
/// [`parse_f64`] reads it, and so does Rust.
pub fn is_plain(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let (mut points, mut others, mut sum) = (0, 0, 0);
    for &byte in digits.iter().take(I64_DIGITS) {
        let digit = byte.wrapping_sub(b'0');
        points += u8::from(byte == b'.');
        others += u8::from(digit > 9 && byte != b'.');
        sum |= if digit > 9 { 0 } else { digit };
    }
    digits.len() <= I64_DIGITS && points < 2 && others == 0 && sum != 0
}

/// Reads a plain text, if it is one.
fn parse_plain(text: &[u8]) -> Option<f64> {
    /// Integers up to here, and these powers, are exact as doubles, and so the quotient is rounded once, as it should be.
    const EXACT: u64 = 1 << 53;
    const POWERS: [f64; I64_DIGITS + 1] = {
        let mut powers = [1.0; I64_DIGITS + 1];
        let mut at = 1;
        while at < powers.len() {
            powers[at] = powers[at - 1] * 10.0;
            at += 1;
        }
        powers
    };
    if !is_plain(text) {
        return None;
    }
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let (mut whole, mut behind, mut has_point) = (0u64, 0, false);
    for &byte in digits {
        if byte == b'.' {
            has_point = true;
        } else {
            whole = whole.saturating_mul(10).saturating_add(u64::from(byte - b'0'));
            behind += usize::from(has_point);
        }
    }
    if whole > EXACT {
        return std::str::from_utf8(text).ok()?.parse().ok();
    }
    let value = whole as f64 / POWERS[behind];
    Some(if digits.len() < text.len() { -value } else { value })
}

/// Reads a double as C's `strtod` does, if nothing is left of the text up to a zero byte: with blanks before it, with
/// numbers that are too large or too small for a double, and an empty text for zero, but no NaN.
pub fn parse_c_double(text: &[u8]) -> Option<f64> {
    let text = c_string(text);
    if text.is_empty() {
        return Some(0.0);
    }
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    Some(match Numeral::read(&text[blanks..])? {
        Numeral::Infinite { negative } => {
            if negative {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            }
        }
        Numeral::Zero { negative } => {
            if negative {
                -0.0
            } else {
                0.0
            }
        }
        Numeral::Hexadecimal(text) => f64::from_bits(text.parse::<Double>().ok()?.to_bits() as u64),
        Numeral::Decimal(text) => text.parse().ok()?,
    })
}

/// The same for the 80-bit numbers of the x87, which C calls `long double`.
pub fn parse_long_double(text: &[u8]) -> Option<X87DoubleExtended> {
    /// Redis copies the text into a buffer of this size, with a zero behind it.
    const BUFFER: usize = 5 * 1024;
    if text.len() >= BUFFER {
        return None;
    }
    match Numeral::read(text)? {
        Numeral::Infinite { negative } => Some(signed(X87DoubleExtended::INFINITY, negative)),
        Numeral::Zero { negative } => Some(signed(X87DoubleExtended::ZERO, negative)),
        Numeral::Hexadecimal(text) | Numeral::Decimal(text) => in_range(text.parse().ok()?),
    }
}

fn signed(value: X87DoubleExtended, negative: bool) -> X87DoubleExtended {
    if negative { -value } else { value }
}

/// Neither infinite nor zero.
fn in_range<F: Float>(value: F) -> Option<F> {
    (value.is_finite() && !value.is_zero()).then_some(value)
}

/// A floating point number's text, checked and in a form that both parsers take.
enum Numeral {
    Infinite { negative: bool },
    Zero { negative: bool },
    Decimal(String),
    Hexadecimal(String),
}

/// Exponents beyond these are out of the range of any type here, however many digits there are.
const EXPONENT_LIMIT: i64 = 100_000;

impl Numeral {
    fn read(text: &[u8]) -> Option<Self> {
        let (negative, rest) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] | rest => (false, rest),
        };
        if rest.eq_ignore_ascii_case(b"inf") || rest.eq_ignore_ascii_case(b"infinity") {
            return Some(Self::Infinite { negative });
        }
        let (hexadecimal, rest) = match rest {
            [b'0', b'x' | b'X', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let is_digit = |byte: &u8| if hexadecimal { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
        let (whole, rest) = rest.split_at(rest.iter().take_while(|&byte| is_digit(byte)).count());
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => rest.split_at(rest.iter().take_while(|&byte| is_digit(byte)).count()),
            rest => (&rest[..0], rest),
        };
        let exponent = match rest {
            [] => 0,
            [b'e' | b'E', exponent @ ..] if !hexadecimal => read_exponent(exponent)?,
            [b'p' | b'P', exponent @ ..] if hexadecimal => read_exponent(exponent)?,
            _ => return None,
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let digits = whole.iter().chain(fraction).skip_while(|&&byte| byte == b'0');
        let mut clean: String = if negative { "-".into() } else { String::new() };
        clean.push_str(if hexadecimal { "0x" } else { "" });
        let prefix = clean.len();
        clean.extend(digits.map(|&byte| char::from(byte)));
        if clean.len() == prefix {
            return Some(Self::Zero { negative });
        }
        // The point moves behind the last digit, and the exponent with it.
        let digit_width = if hexadecimal { 4 } else { 1 };
        let exponent = exponent.saturating_sub(fraction.len() as i64 * digit_width);
        let exponent = exponent.clamp(-EXPONENT_LIMIT, EXPONENT_LIMIT);
        clean.push(if hexadecimal { 'p' } else { 'e' });
        clean.push_str(itoa::Buffer::new().format(exponent));
        Some(if hexadecimal { Self::Hexadecimal(clean) } else { Self::Decimal(clean) })
    }
}

/// Reads the digits behind `e` or `p`; numbers of any length, because leading and trailing zeros of the digits could
/// outweigh them only within the length limits of an argument.
fn read_exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value = digits.iter().fold(0i64, |sum, byte| sum.saturating_mul(10).saturating_add(i64::from(byte - b'0')));
    Some(if negative { -value } else { value })
}

/// Writes a double as Redis answers scores: integers without a point, else digits that read back equal.
pub fn format_f64(value: f64, out: &mut Vec<u8>) {
    /// Integers up to here are written as such.
    const PLAIN: f64 = (i64::MAX / 2) as f64;
    if value != 0.0 && (-PLAIN..=PLAIN).contains(&value) && value.trunc() == value {
        out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
    } else {
        format_digits(value, out);
    }
}

/// The same without regard to integers, as DEBUG DIGEST wants scores: a large one has an exponent.
pub fn format_digits(value: f64, out: &mut Vec<u8>) {
    if value.is_nan() {
        out.extend_from_slice(b"nan");
    } else if value.is_infinite() {
        out.extend_from_slice(if value < 0.0 { b"-inf" } else { b"inf" });
    } else if value == 0.0 {
        out.extend_from_slice(if value.is_sign_negative() { b"-0" } else { b"0" });
    } else {
        format_shortest(value, out);
    }
}

/// Writes a double with up to 17 digits, as C's `%.17g` does.
pub fn format_17_digits(value: f64) -> Vec<u8> {
    const DIGITS: i32 = 17;
    if value == 0.0 || !value.is_finite() {
        let mut text = Vec::new();
        format_digits(value, &mut text);
        return text;
    }
    let scientific = format!("{value:.16e}");
    let (mantissa, exponent) = scientific.split_once('e').expect("the scientific form has an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is an integer");
    let trimmed = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').as_bytes().to_vec(),
        false => text.as_bytes().to_vec(),
    };
    if (-4..DIGITS).contains(&exponent) {
        return trimmed(&format!("{value:.*}", (DIGITS - 1 - exponent) as usize));
    }
    let mut text = trimmed(mantissa);
    let sign = if exponent < 0 { '-' } else { '+' };
    text.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
    text
}

fn format_shortest(value: f64, out: &mut Vec<u8>) {
    let (digits, power) = shortest::digits(value.abs());
    if value < 0.0 {
        out.push(b'-');
    }
    let count = digits.len() as i32;
    // The exponent of the first digit.
    let leading = power + count - 1;
    if power >= 0 && leading.abs() < count + 7 {
        out.extend_from_slice(&digits);
        out.extend(std::iter::repeat_n(b'0', power as usize));
    } else if power < 0 && (power > -7 || leading.abs() < 4) {
        let point = count + power;
        if point <= 0 {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', -point as usize));
            out.extend_from_slice(&digits);
        } else {
            let (whole, fraction) = digits.split_at(point as usize);
            out.extend_from_slice(whole);
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
    } else {
        out.push(digits[0]);
        if count > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if leading < 0 { b"e-" } else { b"e+" });
        out.extend_from_slice(itoa::Buffer::new().format(leading.unsigned_abs()).as_bytes());
    }
}

/// The bytes that C sees of a string: those before the first zero byte.
pub fn c_string(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn formatted(value: f64) -> String {
        let mut out = Vec::new();
        format_f64(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn only_canonical_integers_are_integers() {
        for (text, value) in
            [("0", 0), ("-1", -1), ("9223372036854775807", i64::MAX), ("-9223372036854775808", i64::MIN)]
        {
            assert_eq!(parse_i64(text.as_bytes()), Some(value));
        }
        for text in ["", "-", "-0", "+1", "01", " 1", "1 ", "9223372036854775808", "-9223372036854775809", "1.0", "0x1"]
        {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn cursors_are_read_as_redis_reads_them() {
        let read = [("0", 0), ("+1", 1), ("00", 0), ("", 0), ("1\0x", 1), ("\0x", 0), ("-05", 5u64.wrapping_neg())];
        for (text, value) in read.into_iter().chain([("-1", u64::MAX), ("18446744073709551615", u64::MAX)]) {
            assert_eq!(parse_cursor(text.as_bytes()), Some(value), "{text:?}");
        }
        for text in [" ", " 1", "-", "+-1", "1 ", "x", "18446744073709551616"] {
            assert_eq!(parse_cursor(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn doubles_are_read_as_c_reads_them() {
        for (text, value) in [
            ("0x10", 16.0),
            ("0x1.8p3", 12.0),
            ("0x.8", 0.5),
            (".5", 0.5),
            ("5.", 5.0),
            ("+5", 5.0),
            ("-iNf", f64::NEG_INFINITY),
            ("+Infinity", f64::INFINITY),
            ("0e-999", 0.0),
            ("1e-310", 1e-310),
            ("100000000000000000000000e-20", 1000.0),
        ] {
            assert_eq!(parse_f64(text.as_bytes()), Some(value), "{text}");
        }
        for text in
            ["nan", "-nan", "nan(1)", " 1", "1 ", "1e400", "1e-400", "1e", "0x", "", "-", "0x1p-1080", "1_0", "."]
        {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn bounds_are_read_as_c_reads_them() {
        for (text, value) in [
            ("", 0.0),
            (" 1", 1.0),
            ("1\0x", 1.0),
            ("1e400", f64::INFINITY),
            ("-1e400", f64::NEG_INFINITY),
            ("1e-400", 0.0),
        ] {
            assert_eq!(parse_c_double(text.as_bytes()), Some(value), "{text:?}");
        }
        for text in ["nan", " ", "1 ", "x", "1x"] {
            assert_eq!(parse_c_double(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn long_doubles_have_the_range_of_the_x87() {
        assert!(parse_long_double(b"1e4932").is_some());
        assert!(parse_long_double(b"1e4933").is_none());
        assert!(parse_long_double(b"3.7e-4951").is_some());
        assert!(parse_long_double(b"1e-4952").is_none());
        assert!(parse_long_double(b"1e99999999999999999999").is_none());
        assert!(parse_long_double(&[b'1'; 5120]).is_none());
    }

    #[test]
    fn doubles_are_written_as_scores_are() {
        for (value, text) in [
            (3.0, "3"),
            (-0.0, "-0"),
            (0.1, "0.1"),
            (-1.5, "-1.5"),
            (1e17, "100000000000000000"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (1e-7, "1e-7"),
            (0.000001, "0.000001"),
            (1.5e-10, "1.5e-10"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            // Not the shortest digits, or not the nearest: these are what clients of Redis see.
            (1_733_664_876_727_133.8, "1733664876727133.7"),
            (-793.9179575, "-793.9179575000001"),
            (-1800032.69908572, "-1.8000326990857201e+6"),
            (-5.131116597422591e-36, "-5.1311165974225907e-36"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(formatted(value), text);
        }
    }

    #[test]
    fn doubles_are_written_with_17_digits_as_c_does() {
        for (value, text) in [
            (0.1, "0.10000000000000001"),
            (1e17, "1e+17"),
            (1e16, "10000000000000000"),
            (123456.789, "123456.789"),
            (5e-324, "4.9406564584124654e-324"),
            (-1.5e-5, "-1.5e-05"),
            (0.00012, "0.00012"),
            (-0.0, "-0"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(String::from_utf8(format_17_digits(value)).unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn every_integer_reads_back_and_has_the_length_it_says(value: i64) {
            let text = value.to_string();
            prop_assert_eq!(parse_i64(text.as_bytes()), Some(value));
            prop_assert_eq!(decimal_len(value), text.len());
        }

        #[test]
        fn every_double_reads_back(value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            prop_assert_eq!(parse_f64(formatted(value).as_bytes()), Some(value));
        }

        #[test]
        fn plain_numbers_are_read_as_rust_reads_them(text in "-?[0-9]{0,12}[.]?[0-9]{0,12}") {
            if let Some(value) = parse_plain(text.as_bytes()) {
                prop_assert_eq!(Some(value), text.parse().ok());
            }
            let parsed = text.parse::<f64>().ok();
            prop_assert_eq!(parse_f64(text.as_bytes()).map(f64::to_bits), parsed.map(f64::to_bits));
        }

        #[test]
        fn whatever_the_text_is_reading_it_does_not_panic(text in "[-+]?(0x)?[0-9a-f.]{0,12}([ep][-+]?[0-9]{0,25})?") {
            let _ = (parse_f64(text.as_bytes()), parse_long_double(text.as_bytes()), parse_cursor(text.as_bytes()));
        }
    }
}
