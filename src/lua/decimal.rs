//! Numbers as C's `printf` writes them with `%.14g`, and as its `strtod` finds them at the start of a text.

use std::io::Write as _;

use crate::base::number::parse_c_double;

/// The largest precision that is asked for.
pub(super) const MOST_DIGITS: usize = 14;

/// Powers of ten up to that precision.
const POWERS: [f64; MOST_DIGITS + 1] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14];

/// Writes a number with up to `precision` digits, which is from 1 to [`MOST_DIGITS`]. What is no number has no sign.
pub(super) fn write(value: f64, precision: usize, out: &mut Vec<u8>) {
    if value.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if value.is_infinite() {
        return out.extend_from_slice(if value < 0.0 { b"-inf" } else { b"inf" });
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    let value = value.abs();
    if value < POWERS[precision] && value.trunc() == value {
        return out.extend_from_slice(itoa::Buffer::new().format(value as u64).as_bytes());
    }
    // A digit, a point, the other digits, `e` and an exponent of up to four bytes.
    let mut buffer = [0; MOST_DIGITS + 8];
    let mut rest = &mut buffer[..];
    write!(rest, "{value:.*e}", precision - 1).expect("the scientific form fits into the buffer");
    let unused = rest.len();
    let text = &buffer[..buffer.len() - unused];
    let mark = text.iter().position(|byte| *byte == b'e').expect("the scientific form has an exponent");
    let exponent = exponent(&text[mark + 1..]);
    // All digits, less the zeros at the end.
    let mut digits = [0; MOST_DIGITS];
    let mut count = 0;
    for byte in text[..mark].iter().filter(|byte| **byte != b'.') {
        digits[count] = *byte;
        count += 1;
    }
    let digits = &digits[..count];
    let digits = &digits[..digits.iter().rposition(|byte| *byte != b'0').map_or(1, |last| last + 1)];
    if (-4..precision as i32).contains(&exponent) {
        write_plain(digits, exponent, out);
    } else {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        let size = exponent.unsigned_abs();
        if size < 10 {
            out.push(b'0');
        }
        out.extend_from_slice(itoa::Buffer::new().format(size).as_bytes());
    }
}

/// The exponent of a scientific form.
fn exponent(text: &[u8]) -> i32 {
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let size = digits.iter().fold(0, |sum, byte| sum * 10 + i32::from(byte - b'0'));
    if is_negative { -size } else { size }
}

/// Digits without an exponent; `leading` is the power of ten of the first.
fn write_plain(digits: &[u8], leading: i32, out: &mut Vec<u8>) {
    if leading < 0 {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', (-leading - 1) as usize));
        out.extend_from_slice(digits);
        return;
    }
    let whole = leading as usize + 1;
    if digits.len() <= whole {
        out.extend_from_slice(digits);
        out.extend(std::iter::repeat_n(b'0', whole - digits.len()));
    } else {
        out.extend_from_slice(&digits[..whole]);
        out.push(b'.');
        out.extend_from_slice(&digits[whole..]);
    }
}

/// Reads the longest number at the start of a text, and answers it with its length: decimal or hexadecimal, infinite or no
/// number at all, but without blanks before it.
pub(super) fn read(text: &[u8]) -> Option<(f64, usize)> {
    /// Integers of so many digits are exact.
    const PLAIN_DIGITS: usize = 15;
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let is_negative = text.first() == Some(&b'-');
    let signed = |value: f64| if is_negative { -value } else { value };
    let body = &text[sign..];
    let whole = digits(body);
    if (1..=PLAIN_DIGITS).contains(&whole) && !matches!(body.get(whole), Some(b'.' | b'e' | b'E' | b'x' | b'X')) {
        let value = body[..whole].iter().fold(0, |sum, byte| sum * 10 + u64::from(byte - b'0'));
        return Some((signed(value as f64), sign + whole));
    }
    if let [b'0', b'x' | b'X', rest @ ..] = body
        && let Some(length) = hexadecimal(rest)
    {
        let end = sign + 2 + length;
        return Some((parse_c_double(&text[..end])?, end));
    }
    let mut length = whole;
    let mut has_digits = whole > 0;
    if body.get(length) == Some(&b'.') {
        let behind = digits(&body[length + 1..]);
        has_digits |= behind > 0;
        length += if has_digits { 1 + behind } else { 0 };
    }
    if !has_digits {
        return special(body).map(|(value, length)| (signed(value), sign + length));
    }
    length += power(&body[length..], b'e');
    let value: f64 = std::str::from_utf8(&body[..length]).ok()?.parse().ok()?;
    Some((signed(value), sign + length))
}

fn digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The length of a hexadecimal number behind its `0x`.
fn hexadecimal(text: &[u8]) -> Option<usize> {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let whole = digits(text);
    let mut length = whole;
    if text.get(whole) == Some(&b'.') {
        let behind = digits(&text[whole + 1..]);
        if whole + behind == 0 {
            return None;
        }
        length += 1 + behind;
    } else if whole == 0 {
        return None;
    }
    Some(length + power(&text[length..], b'p'))
}

/// The length of an exponent, if there is a whole one.
fn power(text: &[u8], letter: u8) -> usize {
    let Some((first, rest)) = text.split_first() else { return 0 };
    if first.to_ascii_lowercase() != letter {
        return 0;
    }
    let sign = usize::from(matches!(rest.first(), Some(b'-' | b'+')));
    match digits(&rest[sign..]) {
        0 => 0,
        count => 1 + sign + count,
    }
}

/// Infinity, and what is no number.
fn special(text: &[u8]) -> Option<(f64, usize)> {
    let starts = |word: &[u8]| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if starts(b"infinity") {
        return Some((f64::INFINITY, 8));
    }
    if starts(b"inf") {
        return Some((f64::INFINITY, 3));
    }
    if !starts(b"nan") {
        return None;
    }
    // A name of the value may follow, in parentheses.
    let name = text[3..].strip_prefix(b"(").and_then(|rest| {
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        (rest.get(length) == Some(&b')')).then_some(length + 2)
    });
    Some((f64::NAN, 3 + name.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_printf_does() {
        let cases: [(f64, usize, &str); 18] = [
            (0.0, 14, "0"),
            (-0.0, 14, "-0"),
            (1e14, 14, "1e+14"),
            (12345678901234.0, 14, "12345678901234"),
            (1.0 / 3.0, 14, "0.33333333333333"),
            (0.1, 14, "0.1"),
            (1e-10, 14, "1e-10"),
            (123456789012345678.0, 14, "1.2345678901235e+17"),
            (9007199254740992.0, 14, "9.007199254741e+15"),
            (0.0001, 14, "0.0001"),
            (0.00001234, 14, "1.234e-05"),
            (2.5, 1, "2"),
            (3.5, 1, "4"),
            (9.99, 2, "10"),
            (99.9, 2, "1e+02"),
            (1e300, 14, "1e+300"),
            (5e-324, 14, "4.9406564584125e-324"),
            (-1234.5678, 6, "-1234.57"),
        ];
        for (value, precision, text) in cases {
            let mut out = Vec::new();
            write(value, precision, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn numbers_are_found_as_strtod_does() {
        let cases: [(&str, f64, usize); 16] = [
            ("12,", 12.0, 2),
            ("-0", -0.0, 2),
            ("1.5e3x", 1500.0, 5),
            ("1e", 1.0, 1),
            ("1e+", 1.0, 1),
            (".5", 0.5, 2),
            ("5.", 5.0, 2),
            ("0x1F", 31.0, 4),
            ("0x", 0.0, 1),
            ("0x.8p1", 1.0, 6),
            ("0x1p", 1.0, 3),
            ("-0x10", -16.0, 5),
            ("1e999", f64::INFINITY, 5),
            ("infinit", f64::INFINITY, 3),
            ("-Infinity", f64::NEG_INFINITY, 9),
            ("123456789012345678", 123456789012345678.0, 18),
        ];
        for (text, value, length) in cases {
            assert_eq!(read(text.as_bytes()), Some((value, length)), "{text}");
        }
        for (text, length) in [("nan", 3), ("NaN(a_1)", 8), ("nan(", 3), ("nan(-)", 3)] {
            let (value, end) = read(text.as_bytes()).unwrap();
            assert!(value.is_nan() && end == length, "{text}");
        }
        for text in ["", "-", ".", "x", "- 1", "--1", "-.", "in", "na", "e5"] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }
}
