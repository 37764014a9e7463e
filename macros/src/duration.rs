//! The grammar of `"45s"`, `"20m"` and `"1h 30m"`.

/// A thousand days: far longer than any operation, and far below the limit of a clock.
const LONGEST: u64 = 1_000 * 24 * 3_600_000;

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// The duration in milliseconds. The error is the end of a sentence about it.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err("is empty; write it like `45s`, `20m` or `1h 30m`".to_owned());
    }
    let mut total = 0_u64;
    let mut smallest = u64::MAX;
    while !rest.is_empty() {
        let (digits, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, after) =
            split(after.trim_start(), |c| !c.is_ascii_digit() && !c.is_whitespace());
        rest = after.trim_start();
        if digits.is_empty() {
            return Err(format!("needs a whole number before `{unit}`, as in `20m`"));
        }
        if unit.is_empty() {
            return Err(format!(
                "has no unit after {digits}: `{digits}s`, `{digits}m` or `{digits}h`"
            ));
        }
        let Some(&(_, millis)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(unknown_unit(digits, unit));
        };
        if millis >= smallest {
            return Err(
                "has to go from the larger unit to the smaller, each once: `1h 30m`".to_owned()
            );
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

fn unknown_unit(digits: &str, unit: &str) -> String {
    let meant = match unit.to_ascii_lowercase().as_str() {
        "hr" | "hrs" | "hour" | "hours" | "h" => Some("h"),
        "min" | "mins" | "minute" | "minutes" | "m" => Some("m"),
        "sec" | "secs" | "second" | "seconds" | "s" => Some("s"),
        "msec" | "milli" | "millis" | "millisecond" | "milliseconds" | "ms" => Some("ms"),
        _ => None,
    };
    if unit.starts_with(['.', ',']) {
        "takes whole numbers; write `1h 30m` for one and a half hours".to_owned()
    } else if let Some(meant) = meant {
        format!("has an unknown unit `{unit}`; did you mean `{digits}{meant}`?")
    } else {
        format!("has an unknown unit `{unit}`; the units are `h`, `m`, `s` and `ms`")
    }
}
