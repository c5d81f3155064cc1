//! What elements are sorted by.

use crate::base::number;
use crate::base::texts::Span;
use crate::keyspace::Text;

/// A number, or a text that was gathered, or nothing.
#[derive(Clone, Copy)]
pub(super) enum Weight {
    Absent,
    Number(f64),
    Text(Span),
}

impl Weight {
    /// The number that a text is for C's `strtod`, which passes over blanks before it and takes nothing for zero; not NaN,
    /// and nothing out of the range of full precision.
    pub(super) fn number(text: Text<'_>) -> Option<Self> {
        let number = match text {
            Text::Int(value) => value as f64,
            Text::Bytes(bytes) => match number::c_string(bytes) {
                b"" => 0.0,
                bytes => {
                    let blanks = bytes.iter().take_while(|byte| matches!(byte, b'\t'..=b'\r' | b' ')).count();
                    number::parse_f64(&bytes[blanks..]).filter(|number| !number.is_subnormal())?
                }
            },
        };
        // Both zeros are one.
        Some(Self::Number(number + 0.0))
    }

    /// The number; what has none counts as zero.
    pub(super) fn as_number(self) -> f64 {
        if let Self::Number(number) = self { number } else { 0.0 }
    }

    pub(super) fn as_text(self) -> Option<Span> {
        if let Self::Text(span) = self { Some(span) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_by_strtod() {
        let read = |text: &[u8]| Weight::number(text.into()).map(Weight::as_number);
        for (text, number) in [
            (&b""[..], Some(0.0)),
            (b" \t\n\x0b\x0c\r1.5", Some(1.5)),
            (b" ", None),
            (b"1 ", None),
            (b"+5", Some(5.0)),
            (b"1\0x", Some(1.0)),
            (b"\0", Some(0.0)),
            (b"0x10", Some(16.0)),
            (b"-inf", Some(f64::NEG_INFINITY)),
            (b"nan", None),
            (b"1e400", None),
            (b"1e-400", None),
            (b"5e-324", None),
            (b"1e", None),
            (b"9223372036854775807", Some(9_223_372_036_854_775_807.0)),
        ] {
            assert_eq!(read(text), number, "{}", text.escape_ascii());
        }
        assert!(read(b"-0").unwrap().is_sign_positive());
    }
}
