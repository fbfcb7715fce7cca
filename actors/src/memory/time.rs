//! The time of a line: RFC 3339 or epoch seconds or milliseconds as read, RFC 3339 UTC with milliseconds as written.
//!
//! Inside it is milliseconds since the epoch: what a line can say, and 8 bytes an entry.

use jiff::Timestamp;

/// Length of a time as we write it, bytes: `2026-05-13T04:52:03.123Z`.
pub const WRITTEN_BYTES: usize = 24;
/// An integer below this is seconds (up to the year 5138), above it milliseconds (from 1973 on).
const SECONDS_BELOW: i64 = 100_000_000_000;

/// A time as text; nothing where it is none, or one outside of the years -9999 to 9999.
pub fn parse(text: &str) -> Option<i64> {
    written(text.as_bytes()).or_else(|| text.parse().ok().map(Timestamp::as_millisecond))
}

/// A time as an integer: seconds or milliseconds since the epoch, told apart by size.
pub fn of_epoch(number: i64) -> Option<i64> {
    let at = if number.unsigned_abs() < SECONDS_BELOW.unsigned_abs() {
        Timestamp::from_second(number)
    } else {
        Timestamp::from_millisecond(number)
    };
    at.ok().map(Timestamp::as_millisecond)
}

/// As it is written; `ms` came from one of the functions above, or from a clock.
pub fn render(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{at:.3}")
}

/// The form that we write ourselves, without the machinery of the others: a million lines are read at a start.
pub(super) fn written(text: &[u8]) -> Option<i64> {
    let text: &[u8; WRITTEN_BYTES] = text.try_into().ok()?;
    for (at, mark) in [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (23, b'Z')] {
        if text[at] != mark {
            return None;
        }
    }
    let number = |from: usize, to: usize| {
        text[from..to]
            .iter()
            .try_fold(0i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second, ms) = (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 23)?);
    let month_at = usize::try_from(month).ok()?.checked_sub(1)?;
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let days_in = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let fits = (1..=*days_in.get(month_at)?).contains(&day) && hour < 24 && minute < 60 && second < 60;
    fits.then(|| (((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms)
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar; years begin in March, so that the leap day
/// is the last one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = (year % 400) * 365 + (year % 400) / 4 - (year % 400) / 100 + day_of_year;
    (year / 400) * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_way_to_write_a_time_is_read() {
        let at = 1_778_647_923_123;
        for text in ["2026-05-13T04:52:03.123Z", "2026-05-13T06:52:03.123+02:00", "2026-05-13T04:52:03.123999Z"] {
            assert_eq!(parse(text), Some(at), "{text}");
        }
        assert_eq!(of_epoch(1_778_647_923), Some(at - 123));
        assert_eq!(of_epoch(at), Some(at));
        assert_eq!(render(at), "2026-05-13T04:52:03.123Z");
        assert_eq!(render(at - 123), "2026-05-13T04:52:03.000Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in
            ["", "yesterday", "2026-02-30T00:00:00.000Z", "2026-13-01T00:00:00.000Z", "2026-01-01T24:00:00.000Z"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        // The year 292277026596, and what comes before any calendar.
        assert_eq!(of_epoch(9_223_372_036_854_775_807), None);
        assert_eq!(of_epoch(i64::MIN), None);
    }

    proptest! {
        #[test]
        fn the_short_way_and_the_long_one_agree(ms in -62_135_596_800_000i64..253_402_207_200_000) {
            let text = render(ms);
            prop_assert_eq!(text.len(), WRITTEN_BYTES);
            prop_assert_eq!(written(text.as_bytes()), Some(ms));
            prop_assert_eq!(text.parse::<Timestamp>().unwrap().as_millisecond(), ms);
        }

        #[test]
        fn what_only_looks_like_a_time_is_judged_alike(text in "[0-9]{4}-[0-3][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\\.[0-9]{3}Z") {
            if let Some(ms) = written(text.as_bytes()) {
                prop_assert_eq!(text.parse::<Timestamp>().unwrap().as_millisecond(), ms);
            }
        }
    }
}
