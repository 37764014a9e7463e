use crate::duration::parse;

const SECOND: u64 = 1_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

#[test]
fn accepted() {
    for (text, millis) in [
        ("45s", 45 * SECOND),
        ("20m", 20 * MINUTE),
        ("1h 30m", 90 * MINUTE),
        ("1h30m", 90 * MINUTE),
        ("1 h  30 m", 90 * MINUTE),
        (" 5s ", 5 * SECOND),
        ("250ms", 250),
        ("1h 2m 3s 4ms", HOUR + 2 * MINUTE + 3 * SECOND + 4),
        ("0s", 0),
        ("007s", 7 * SECOND),
        ("24000h", 24_000 * HOUR),
        ("2400m 0s", 40 * HOUR),
    ] {
        assert_eq!(parse(text), Ok(millis), "{text}");
    }
}

#[test]
fn refused() {
    for (text, wrong) in [
        ("", "is empty; write it like `45s`, `20m` or `1h 30m`"),
        ("  ", "is empty; write it like `45s`, `20m` or `1h 30m`"),
        ("20", "has no unit after 20: `20s`, `20m` or `20h`"),
        ("1h 30", "has no unit after 30: `30s`, `30m` or `30h`"),
        ("m", "needs a whole number before `m`, as in `20m`"),
        ("-5s", "needs a whole number before `-`, as in `20m`"),
        ("five s", "needs a whole number before `five`, as in `20m`"),
        ("20min", "has an unknown unit `min`; did you mean `20m`?"),
        ("3 Hours", "has an unknown unit `Hours`; did you mean `3h`?"),
        ("5S", "has an unknown unit `S`; did you mean `5s`?"),
        ("5 millis", "has an unknown unit `millis`; did you mean `5ms`?"),
        ("2d", "has an unknown unit `d`; the units are `h`, `m`, `s` and `ms`"),
        ("10µs", "has an unknown unit `µs`; the units are `h`, `m`, `s` and `ms`"),
        ("1.5h", "takes whole numbers; write `1h 30m` for one and a half hours"),
        ("1,5h", "takes whole numbers; write `1h 30m` for one and a half hours"),
        ("30m 1h", "has to go from the larger unit to the smaller, each once: `1h 30m`"),
        ("5ms 5ms", "has to go from the larger unit to the smaller, each once: `1h 30m`"),
        ("5ms5ms", "has to go from the larger unit to the smaller, each once: `1h 30m`"),
        ("1h 5m 5m", "has to go from the larger unit to the smaller, each once: `1h 30m`"),
        ("1s 1s", "has to go from the larger unit to the smaller, each once: `1h 30m`"),
        ("24000h 1ms", "is longer than a thousand days"),
        ("99999999999999999999h", "is longer than a thousand days"),
        ("9999999999999999999h", "is longer than a thousand days"),
    ] {
        assert_eq!(parse(text), Err(wrong.to_owned()), "{text}");
    }
}
