//! Times as people write them: `2026-11-24T05:09:33.250Z`, always UTC.

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

/// `2026-11-24T05:09:33.250Z`, from milliseconds since the Unix epoch.
pub fn utc(ms: u64) -> String {
    let (year, month, day) = date_of(ms / DAY_MS);
    let rest = ms % DAY_MS;
    let (hour, minute, second, milli) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Milliseconds since the Unix epoch of a UTC time: a date, then perhaps `T` or a blank and `hh:mm`, `:ss`, `.mmm`, `Z`.
pub fn parse_utc(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let mut parts = date.splitn(3, '-');
    let year = digits(parts.next()?, 4)?;
    let (month, day) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let (time, fraction) =
        time.strip_suffix('Z').unwrap_or(time).split_once('.').unwrap_or((time.trim_end_matches('Z'), "0"));
    let mut parts = time.splitn(3, ':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second = parts.next().map_or(Some(0), |second| digits(second, 2))?;
    let milli =
        digits(fraction, fraction.len()).filter(|_| fraction.len() <= 3)? * 10_u64.pow(3 - fraction.len() as u32);
    if year < 1970 || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days before a date by the rule of the calendar; the way back refuses a day that the month does not have.
    let days = days_before(year, month, day)?;
    (date_of(days) == (year, month, day)).then(|| days * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000 + milli)
}

fn digits(text: &str, len: usize) -> Option<u64> {
    (!text.is_empty() && text.len() == len && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

/// Days from 1970-01-01 to a date. Years are counted from March, so that the leap day is the last of its year.
fn days_before(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1..=12).contains(&month) {
        return None;
    }
    let shifted = if month > 2 { year } else { year - 1 };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.checked_sub(1)?;
    (shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year).checked_sub(719_468)
}

/// Year, month and day of a day counted from 1970-01-01.
fn date_of(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times_are_written_and_read() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_700_000_000_123, "2023-11-14T22:13:20.123Z"),
            (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
        ] {
            assert_eq!(utc(ms), text);
            assert_eq!(parse_utc(text), Some(ms));
        }
        assert_eq!(parse_utc("2023-11-14 22:13"), Some(1_699_999_980_000));
        assert_eq!(parse_utc("2023-11-14T22:13:20Z"), Some(1_700_000_000_000));
        assert_eq!(parse_utc("2023-11-14T22:13:20.5"), Some(1_700_000_000_500));
        assert_eq!(parse_utc("2023-11-14"), Some(1_699_920_000_000));
    }

    #[test]
    fn every_day_of_four_centuries_reads_back() {
        for day in (0..146_097).step_by(13) {
            assert_eq!(parse_utc(&utc(day * DAY_MS + 77)), Some(day * DAY_MS + 77));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "x",
            "2023",
            "2023-02-29",
            "2023-13-01",
            "2023-00-10",
            "1969-12-31",
            "2023-01-01T24:00",
            "2023-01-01T1:00",
            "2023-01-01T01:00:00.1234",
        ] {
            assert_eq!(parse_utc(text), None, "{text}");
        }
    }
}
