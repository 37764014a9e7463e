//! What can go wrong with one answer.

use std::{fmt, str::FromStr, time::Duration};

/// The forms in which `Retry-After` has been seen, and those that a client has to survive.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryAfter {
    /// No such header.
    Absent,
    /// Whole seconds.
    Seconds(u64),
    /// `2.128`.
    Fraction,
    /// `0,120`: two headers that a proxy has merged.
    Merged,
    /// `0` and `120`, as two headers.
    Twice,
    /// An HTTP date, that far ahead of the answer's own `Date`.
    Date(Duration),
    /// `-1`.
    Negative,
    /// More seconds than any integer type holds.
    Huge,
    /// A word.
    Garbage,
}

impl RetryAfter {
    /// Each form once.
    pub fn all() -> Vec<Self> {
        vec![
            Self::Absent,
            Self::Seconds(10),
            Self::Fraction,
            Self::Merged,
            Self::Twice,
            Self::Date(Duration::from_secs(10)),
            Self::Negative,
            Self::Huge,
            Self::Garbage,
        ]
    }
}

/// What goes wrong with one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// 429.
    Throttle(RetryAfter),
    /// 503 without `Retry-After`.
    ServiceUnavailable,
    /// 500.
    InternalServerError,
    /// 502 with a Graph error.
    BadGateway,
    /// 504.
    GatewayTimeout,
    /// 401, as for a token that has expired.
    Unauthorized,
    /// The connection ends before any byte of an answer.
    Close,
    /// The connection ends in the middle of the announced body.
    Cut,
    /// The body is shorter than the document, and announced so.
    TruncatedJson,
    /// 502 with a proxy's HTML page.
    HtmlBadGateway,
    /// 200 with an HTML page, as from a captive portal.
    HtmlOk,
    /// 200 with no body at all.
    EmptyBody,
    /// Well-formed JSON that is an array in place of the object.
    WrongType,
    /// The object, with members of the wrong types.
    WrongMembers,
    /// A body that never ends.
    EndlessBody,
    /// 307 to another origin, which records what reaches it.
    Redirect,
    /// The true answer, late.
    Slow(Duration),
    /// The true answer under another HTTP status.
    Status(u16),
}

/// What the names on a command line stand for, apart from those that carry a value.
const NAMES: &[(&str, Fault)] = &[
    ("throttle", Fault::Throttle(RetryAfter::Absent)),
    ("throttle=2.128", Fault::Throttle(RetryAfter::Fraction)),
    ("throttle=0,120", Fault::Throttle(RetryAfter::Merged)),
    ("throttle=twice", Fault::Throttle(RetryAfter::Twice)),
    ("throttle=date", Fault::Throttle(RetryAfter::Date(Duration::from_secs(10)))),
    ("throttle=negative", Fault::Throttle(RetryAfter::Negative)),
    ("throttle=huge", Fault::Throttle(RetryAfter::Huge)),
    ("throttle=garbage", Fault::Throttle(RetryAfter::Garbage)),
    ("unavailable", Fault::ServiceUnavailable),
    ("internal", Fault::InternalServerError),
    ("bad-gateway", Fault::BadGateway),
    ("timeout", Fault::GatewayTimeout),
    ("unauthorized", Fault::Unauthorized),
    ("close", Fault::Close),
    ("cut", Fault::Cut),
    ("truncated", Fault::TruncatedJson),
    ("html-502", Fault::HtmlBadGateway),
    ("html-200", Fault::HtmlOk),
    ("empty", Fault::EmptyBody),
    ("wrong-type", Fault::WrongType),
    ("wrong-members", Fault::WrongMembers),
    ("endless", Fault::EndlessBody),
    ("redirect", Fault::Redirect),
];

impl Fault {
    /// Every fault once, throttling with each form of `Retry-After`.
    pub fn all() -> Vec<Self> {
        let named = NAMES.iter().map(|(_, fault)| fault.clone());
        let valued = [
            Self::Throttle(RetryAfter::Seconds(10)),
            Self::Slow(Duration::from_millis(500)),
            Self::Status(202),
        ];
        named.chain(valued).collect()
    }

    /// The faults that pass by themselves and ask for no long wait: what a random plan draws from
    /// unless told.
    pub fn passing() -> Vec<Self> {
        vec![
            Self::Throttle(RetryAfter::Seconds(1)),
            Self::Throttle(RetryAfter::Absent),
            Self::Throttle(RetryAfter::Negative),
            Self::Throttle(RetryAfter::Garbage),
            Self::ServiceUnavailable,
            Self::InternalServerError,
            Self::BadGateway,
            Self::GatewayTimeout,
            Self::Close,
            Self::Cut,
            Self::TruncatedJson,
            Self::HtmlBadGateway,
            Self::HtmlOk,
            Self::EmptyBody,
            Self::WrongType,
            Self::Slow(Duration::from_millis(200)),
        ]
    }

    /// The names that a command line takes.
    pub fn names() -> Vec<&'static str> {
        let valued =
            ["throttle=SECONDS", "throttle=date:SECONDS", "slow=MILLISECONDS", "status=CODE"];
        NAMES.iter().map(|(name, _)| *name).chain(valued).collect()
    }

    /// Whether the answer, for all that, tells the truth about the operation.
    pub fn is_truthful(&self) -> bool {
        matches!(self, Self::Slow(_) | Self::Status(_))
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((_, fault)) = NAMES.iter().find(|(name, _)| *name == text) {
            return Ok(fault.clone());
        }
        let wrong = || format!("`{text}` is no fault; there are {}", Self::names().join(", "));
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| wrong());
        match (name, value.strip_prefix("date:")) {
            ("throttle", Some(ahead)) => {
                let ahead = Duration::from_secs(number(ahead)?);
                Ok(Self::Throttle(RetryAfter::Date(ahead)))
            }
            ("throttle", None) => Ok(Self::Throttle(RetryAfter::Seconds(number(value)?))),
            ("slow", _) => Ok(Self::Slow(Duration::from_millis(number(value)?))),
            ("status", _) => {
                let code =
                    u16::try_from(number(value)?).ok().filter(|code| (200..600).contains(code));
                code.map(Self::Status).ok_or_else(wrong)
            }
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = NAMES.iter().find(|(_, fault)| fault == self) {
            return f.write_str(name);
        }
        match self {
            Self::Throttle(RetryAfter::Seconds(seconds)) => write!(f, "throttle={seconds}"),
            Self::Throttle(RetryAfter::Date(ahead)) => {
                write!(f, "throttle=date:{}", ahead.as_secs())
            }
            Self::Slow(delay) => write!(f, "slow={}", delay.as_millis()),
            Self::Status(code) => write!(f, "status={code}"),
            // All others stand in the table.
            other => write!(f, "{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_back_from_its_name() {
        for fault in Fault::all().into_iter().chain(Fault::passing()) {
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        for form in RetryAfter::all() {
            assert!(Fault::all().contains(&Fault::Throttle(form)));
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        for text in ["", "503", "slow", "slow=", "slow=fast", "status=42", "date=4"] {
            assert!(text.parse::<Fault>().unwrap_err().contains("wrong-type"), "{text}");
        }
    }
}
