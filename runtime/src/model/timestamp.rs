//! `Edm.DateTimeOffset` as Graph writes it: RFC 3339 with 0 to 9 fraction digits and any offset.

use std::fmt;

use serde::ser::{Serialize, Serializer};
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time, UtcOffset};

/// An instant that keeps its offset.
#[derive(Clone, Copy)]
pub(super) struct Timestamp(pub(super) OffsetDateTime);

impl Timestamp {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let &[y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T' | b't', ref clock @ ..] = bytes
        else {
            return None;
        };
        let &[h0, h1, b':', mi0, mi1, b':', s0, s1, ref rest @ ..] = clock else {
            return None;
        };
        let year = i32::from(pair(y0, y1)?) * 100 + i32::from(pair(y2, y3)?);
        let month = Month::try_from(pair(mo0, mo1)?).ok()?;
        let date = Date::from_calendar_date(year, month, pair(d0, d1)?).ok()?;

        let (nanosecond, rest) = match rest {
            [b'.', fraction @ ..] => {
                let digits = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
                if !(1..=9).contains(&digits) {
                    return None;
                }
                let (digits, rest) = fraction.split_at(digits);
                let value =
                    digits.iter().fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
                let missing = 9 - u32::try_from(digits.len()).ok()?;
                (value * 10_u32.pow(missing), rest)
            }
            rest => (0, rest),
        };
        let time =
            Time::from_hms_nano(pair(h0, h1)?, pair(mi0, mi1)?, pair(s0, s1)?, nanosecond).ok()?;

        let offset = match *rest {
            [b'Z' | b'z'] => UtcOffset::UTC,
            [sign @ (b'+' | b'-'), oh0, oh1, b':', om0, om1] => {
                let hours = i8::try_from(pair(oh0, oh1)?).ok()?;
                let minutes = i8::try_from(pair(om0, om1)?).ok()?;
                if minutes > 59 {
                    return None;
                }
                match sign {
                    b'-' => UtcOffset::from_hms(-hours, -minutes, 0).ok()?,
                    _ => UtcOffset::from_hms(hours, minutes, 0).ok()?,
                }
            }
            _ => return None,
        };
        Some(Timestamp(PrimitiveDateTime::new(date, time).assume_offset(offset)))
    }
}

impl Timestamp {
    /// Whether a text that parses is the one that [`Display`](fmt::Display) writes.
    pub(super) fn is_canonical(text: &str) -> bool {
        let (date, clock) = text.split_at_checked(11).unwrap_or_default();
        let zone = clock.find(['Z', '+', '-']);
        let zone = zone.and_then(|at| Some((clock.get(8..at)?, clock.get(at..)?)));
        date.ends_with('T')
            && zone.is_some_and(|(fraction, zone)| {
                !fraction.ends_with('0') && !zone.ends_with("00:00")
            })
    }
}

/// The number that two ASCII digits spell.
fn pair(tens: u8, ones: u8) -> Option<u8> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
}

/// Without trailing zeros in the fraction, as the service trims them.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.0.to_calendar_date();
        let (hour, minute, second, nanosecond) = self.0.to_hms_nano();
        let month = u8::from(month);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}")?;
        if nanosecond != 0 {
            let fraction = format!("{nanosecond:09}");
            write!(f, ".{}", fraction.trim_end_matches('0'))?;
        }
        if self.0.offset().is_utc() {
            return f.write_str("Z");
        }
        let (hours, minutes, _) = self.0.offset().as_hms();
        let sign = if hours < 0 || minutes < 0 { '-' } else { '+' };
        write!(f, "{sign}{:02}:{:02}", hours.unsigned_abs(), minutes.unsigned_abs())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_the_wire_reads_and_writes_back_the_same_instant_and_offset() {
        for (text, written) in [
            ("2021-12-15T08:57:48.7884587Z", "2021-12-15T08:57:48.7884587Z"),
            ("2021-12-15T08:58:44.1938Z", "2021-12-15T08:58:44.1938Z"),
            ("2018-01-01T00:00:00.0000000Z", "2018-01-01T00:00:00Z"),
            ("2017-01-01T00:00:37.2865022+03:00", "2017-01-01T00:00:37.2865022+03:00"),
            ("2017-01-01T00:00:37.286502-08:00", "2017-01-01T00:00:37.286502-08:00"),
            ("2017-01-01T00:00:37.123456789-03:30", "2017-01-01T00:00:37.123456789-03:30"),
            ("2017-01-01T00:00:37-00:30", "2017-01-01T00:00:37-00:30"),
            ("2020-06-15T22:28:16+00:00", "2020-06-15T22:28:16Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("2017-01-01t00:00:37z", "2017-01-01T00:00:37Z"),
            ("2017-01-01T00:00:37.10Z", "2017-01-01T00:00:37.1Z"),
        ] {
            let read = Timestamp::parse(text).unwrap_or_else(|| panic!("{text} is refused"));
            assert_eq!(read.to_string(), written);
            assert_eq!(Timestamp::is_canonical(text), text == written, "{text}");
            assert_eq!(Timestamp::parse(written).unwrap().0, read.0);
        }
    }

    #[test]
    fn what_is_not_an_instant_is_refused() {
        for text in [
            "",
            "String (timestamp)",
            "2021-12-15",
            "2021-12-15T08:57:48",
            "2021-12-15T08:57:48.Z",
            "2021-12-15T08:57:48.1234567890Z",
            "2021-13-15T08:57:48Z",
            "2021-02-30T08:57:48Z",
            "2021-12-15T25:57:48Z",
            "2021-12-15T08:57:48+26:00",
            "2021-12-15T08:57:48+01:60",
            "2021-12-15T08:57:48Zulu",
            "２021-12-15T08:57:48Z",
        ] {
            assert!(Timestamp::parse(text).is_none(), "{text} is accepted");
        }
    }
}
