//! `Retry-After`, in the forms that Graph sends.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};
use time::{Date, Month, PrimitiveDateTime, Time};

/// The shortest wait, so that a "0" does not cause an immediate retry.
const FLOOR: Duration = Duration::from_secs(1);

/// The longest wait that a service may ask for, as a limit for absurd values.
const CAP: Duration = Duration::from_secs(60 * 60);

/// How long the service asks the client to wait: at least a second, at most an hour.
///
/// Reads whole and fractional seconds (`10`, `2.128`), several values merged into one header
/// (`0,120`: the longest counts) and a date, measured against the response's own `Date` so that the
/// clocks need not agree. Anything else, a negative number included, counts as absent.
pub(crate) fn parse(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get_all(RETRY_AFTER)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter_map(|text| match http_date(text) {
            Some(date) => Some(after(date, http_date(headers.get(DATE)?.to_str().ok()?)?)),
            None => text.split(',').filter_map(seconds).max(),
        })
        .max()
        .map(|delay| delay.clamp(FLOOR, CAP))
}

fn after(date: PrimitiveDateTime, now: PrimitiveDateTime) -> Duration {
    (date - now).try_into().unwrap_or(Duration::ZERO)
}

/// `10` or `2.128`, however many digits.
fn seconds(text: &str) -> Option<Duration> {
    let text = text.trim_matches([' ', '\t']);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    // A number with more digits than fit exceeds the cap.
    let whole = whole.parse().unwrap_or(u64::MAX);
    let milliseconds = fraction
        .bytes()
        .chain(*b"000")
        .take(3)
        .fold(0, |value, digit| value * 10 + u64::from(digit - b'0'));
    Some(Duration::from_secs(whole).saturating_add(Duration::from_millis(milliseconds)))
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`, the only form that RFC 9110 allows a service to send.
fn http_date(text: &str) -> Option<PrimitiveDateTime> {
    let text = text.trim_matches([' ', '\t']);
    let (_, date) = text.strip_suffix(" GMT")?.split_once(", ")?;
    let mut parts = date.split(' ');
    let (day, month, year, clock) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let month =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
            .iter()
            .position(|name| *name == month)?;
    let month = Month::try_from(u8::try_from(month).ok()? + 1).ok()?;
    let date = Date::from_calendar_date(year.parse().ok()?, month, day.parse().ok()?).ok()?;
    let mut clock = clock.split(':').map(str::parse);
    let mut next = || clock.next()?.ok();
    let time = Time::from_hms(next()?, next()?, next()?).ok()?;
    parts.next().is_none().then(|| PrimitiveDateTime::new(date, time))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn parsed(values: &[&str]) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, HeaderValue::from_static("Wed, 15 Dec 2021 08:57:50 GMT"));
        for value in values {
            headers.append(RETRY_AFTER, value.parse().unwrap());
        }
        parse(&headers)
    }

    #[test]
    fn every_form_that_graph_sends() {
        for (values, expected) in [
            (&["10"][..], 10_000),
            (&["2.128"], 2_128),
            (&["2.1"], 2_100),
            (&["2.1289999999"], 2_128),
            (&["0,120"], 120_000),
            (&["120, 0"], 120_000),
            (&["0", "120"], 120_000),
            (&["Wed, 15 Dec 2021 08:58:20 GMT"], 30_000),
            (&[" 7 "], 7_000),
            (&["garbage, 9"], 9_000),
        ] {
            assert_eq!(parsed(values), Some(Duration::from_millis(expected)), "{values:?}");
        }
    }

    #[test]
    fn a_date_is_measured_against_the_responses_own() {
        for (now, date, expected) in [
            ("Tue, 30 Nov 2021 23:59:50 GMT", "Wed, 01 Dec 2021 00:00:10 GMT", 20),
            ("Fri, 31 Dec 2021 23:59:00 GMT", "Sat, 01 Jan 2022 00:30:00 GMT", 1_860),
            ("Mon, 28 Feb 2022 23:59:59 GMT", "Tue, 01 Mar 2022 00:00:09 GMT", 10),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(DATE, now.parse().unwrap());
            headers.insert(RETRY_AFTER, date.parse().unwrap());
            assert_eq!(parse(&headers), Some(Duration::from_secs(expected)), "{now}, {date}");
        }
    }

    #[test]
    fn too_little_and_too_much_are_bounded() {
        for value in
            ["0", "0.001", "Wed, 15 Dec 2021 08:57:50 GMT", "Mon, 13 Dec 2021 08:57:50 GMT"]
        {
            assert_eq!(parsed(&[value]), Some(FLOOR), "{value}");
        }
        for value in [
            "3601",
            "18446744073709551615",
            "99999999999999999999999999999999",
            "Wed, 15 Dec 9999 08:57:50 GMT",
        ] {
            assert_eq!(parsed(&[value]), Some(CAP), "{value}");
        }
    }

    #[test]
    fn anything_else_counts_as_absent() {
        for value in [
            "",
            "-1",
            "+5",
            "abc",
            "1e3",
            "NaN",
            "inf",
            ".",
            "5.",
            ".5",
            "1.2.3",
            "10 s",
            "0x10",
            "Wed, 15 Dec 2021 08:57:50",
            "Wed, 15 Foo 2021 08:57:50 GMT",
            "Wed, 15 Dec 2021 8 GMT",
            "Wed, 32 Dec 2021 08:57:50 GMT",
            "Wed, 15 Dec 2021 08:57:50 x GMT",
        ] {
            assert_eq!(parsed(&[value]), None, "{value}");
        }
        let mut headers = HeaderMap::new();
        assert_eq!(parse(&headers), None);
        headers.insert(RETRY_AFTER, HeaderValue::from_bytes(b"\xff10").unwrap());
        assert_eq!(parse(&headers), None);
        // A date, and nothing to measure it against.
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Wed, 15 Dec 2021 08:57:50 GMT"));
        assert_eq!(parse(&headers), None);
    }
}
