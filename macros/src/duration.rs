//! The grammar of `"45s"`, `"20m"` and `"1h 30m"`.

/// A thousand days: far longer than any operation, and far below the limit of a clock.
const LONGEST: u64 = 1_000 * 24 * 3_600_000;

/// The units with their milliseconds, and other names for them, which an error corrects.
const UNITS: [(&str, u64, &[&str]); 4] = [
    ("h", 3_600_000, &["hr", "hrs", "hour", "hours"]),
    ("m", 60_000, &["min", "mins", "minute", "minutes"]),
    ("s", 1_000, &["sec", "secs", "second", "seconds"]),
    ("ms", 1, &["msec", "milli", "millis", "millisecond", "milliseconds"]),
];

/// The duration in milliseconds. The error is the end of a sentence about it.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("is empty; write it like `45s`, `20m` or `1h 30m`".into());
    }
    let mut total = 0_u64;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let (digits, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) =
            split(after.trim_start(), |c| !c.is_ascii_digit() && !c.is_whitespace());
        rest = after.trim_start();
        let millis = millis(digits, unit)?;
        if millis >= smallest {
            return Err("has to go from the larger unit to the smaller, each once: `1h 30m`".into());
        }
        smallest = millis;
        total = digits
            .parse::<u64>()
            .ok()
            .and_then(|count| count.checked_mul(millis)?.checked_add(total))
            .filter(|total| *total <= LONGEST)
            .ok_or("is longer than a thousand days")?;
    }
    Ok(total)
}

fn split(text: &str, mut belongs: impl FnMut(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// The milliseconds of the unit that follows the digits.
fn millis(digits: &str, unit: &str) -> Result<u64, String> {
    let lower = unit.to_ascii_lowercase();
    let is_meant = |name: &str, others: &[&str]| lower == name || others.contains(&lower.as_str());
    Err(match UNITS.iter().find(|(name, _, others)| is_meant(name, others)) {
        _ if digits.is_empty() => format!("needs a whole number before `{unit}`, as in `20m`"),
        Some((name, millis, _)) if *name == unit => return Ok(*millis),
        Some((name, ..)) => {
            format!("has an unknown unit `{unit}`; did you mean `{digits}{name}`?")
        }
        None if unit.is_empty() => {
            format!("has no unit after {digits}: `{digits}s`, `{digits}m` or `{digits}h`")
        }
        None if unit.starts_with(['.', ',']) => {
            "takes whole numbers; write `1h 30m` for one and a half hours".into()
        }
        None => format!("has an unknown unit `{unit}`; the units are `h`, `m`, `s` and `ms`"),
    })
}
