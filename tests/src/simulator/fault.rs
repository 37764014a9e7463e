//! What can go wrong with one answer.

use std::{fmt, str::FromStr, time::Duration};

/// The forms in which `Retry-After` has been seen, and those that a client has to survive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetryAfter {
    /// No such header.
    #[default]
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
    /// This text, as it is.
    Verbatim(String),
}

impl RetryAfter {
    /// Each form once, except for [`RetryAfter::Verbatim`].
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

impl FromStr for RetryAfter {
    type Err = String;

    /// Reads `none`, a number of seconds, `2.128`, `0,120`, `twice`, `date`, `date:SECONDS`,
    /// `negative`, `huge` or `garbage`; any other text that a header can hold stands for itself.
    fn from_str(text: &str) -> Result<Self, String> {
        let seconds = |digits: &str| digits.parse::<u64>().ok();
        let named = match text {
            "none" => Some(Self::Absent),
            "2.128" => Some(Self::Fraction),
            "0,120" => Some(Self::Merged),
            "twice" => Some(Self::Twice),
            "date" => Some(Self::Date(Duration::from_secs(10))),
            "-1" | "negative" => Some(Self::Negative),
            "huge" => Some(Self::Huge),
            "garbage" => Some(Self::Garbage),
            _ => match text.strip_prefix("date:") {
                Some(ahead) => seconds(ahead).map(Duration::from_secs).map(Self::Date),
                None => seconds(text).map(Self::Seconds),
            },
        };
        let is_header = !text.is_empty() && text.bytes().all(|byte| (b' '..0x7F).contains(&byte));
        named
            .or_else(|| is_header.then(|| Self::Verbatim(text.to_owned())))
            .ok_or_else(|| format!("`{text}` cannot be the value of Retry-After"))
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "none",
            Self::Seconds(seconds) => return write!(f, "{seconds}"),
            Self::Fraction => "2.128",
            Self::Merged => "0,120",
            Self::Twice => "twice",
            Self::Date(ahead) => return write!(f, "date:{}", ahead.as_secs()),
            Self::Negative => "negative",
            Self::Huge => "huge",
            Self::Garbage => "garbage",
            Self::Verbatim(text) => text,
        })
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
    /// 401 with a claims challenge in `WWW-Authenticate`.
    ClaimsChallenge,
    /// A Graph error with this status: the request was not carried out.
    Error(u16),
    /// The connection ends before any byte of an answer.
    Close,
    /// The connection ends in the middle of the announced body.
    Cut,
    /// The document is cut off, but the body has the announced length.
    TruncatedJson,
    /// 502 with a proxy's HTML page.
    HtmlBadGateway,
    /// 200 with an HTML page, as from a captive portal.
    HtmlOk,
    /// 200 with no body at all.
    EmptyBody,
    /// Well-formed JSON, but an array instead of the object.
    WrongType,
    /// The object, with members of the wrong types.
    WrongMembers,
    /// A body that never ends.
    EndlessBody,
    /// 307 to another origin, which records what reaches it.
    Redirect,
    /// The true answer, late.
    Slow(Duration),
    /// The true answer with another HTTP status.
    Status(u16),
    /// Inside a batch, no response to the request; alone, the true answer.
    MissingItem,
    /// Inside a batch, the response twice; alone, the true answer.
    DoubledItem,
    /// Inside a batch, the response under an id that no request has; alone, the true answer.
    UnknownItem,
}

/// What the names on a command line stand for, except for those that have a value.
const NAMES: &[(&str, Fault)] = &[
    ("throttle", Fault::Throttle(RetryAfter::Absent)),
    ("unavailable", Fault::ServiceUnavailable),
    ("internal", Fault::InternalServerError),
    ("bad-gateway", Fault::BadGateway),
    ("timeout", Fault::GatewayTimeout),
    ("unauthorized", Fault::Unauthorized),
    ("claims", Fault::ClaimsChallenge),
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
    ("missing-item", Fault::MissingItem),
    ("doubled-item", Fault::DoubledItem),
    ("unknown-item", Fault::UnknownItem),
];

impl Fault {
    /// Every fault once, and throttling with each form of `Retry-After`. Faults of items in a batch
    /// are left out, and so are those that are decisions of the service.
    pub fn all() -> Vec<Self> {
        let named = NAMES.iter().map(|(_, fault)| fault.clone());
        let named = named.filter(|fault| *fault != Self::ClaimsChallenge && !fault.is_of_items());
        let throttles = RetryAfter::all().into_iter().skip(1).map(Self::Throttle);
        let valued = [Self::Slow(Duration::from_millis(500)), Self::Status(202)];
        named.chain(throttles).chain(valued).collect()
    }

    /// The faults that go away by themselves and do not ask for a long wait. A random plan uses
    /// these by default.
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

    /// The faults that only a response inside a batch can have.
    pub fn of_items() -> [Self; 3] {
        [Self::MissingItem, Self::DoubledItem, Self::UnknownItem]
    }

    pub(super) fn is_of_items(&self) -> bool {
        Self::of_items().contains(self)
    }

    /// The names that a command line accepts.
    pub fn names() -> Vec<&'static str> {
        let valued = [
            "throttle=SECONDS",
            "throttle=2.128",
            "throttle=0,120",
            "throttle=twice",
            "throttle=date",
            "throttle=date:SECONDS",
            "throttle=negative",
            "throttle=huge",
            "throttle=garbage",
            "throttle=TEXT",
            "slow=MILLISECONDS",
            "status=CODE",
            "error=CODE",
        ];
        NAMES.iter().map(|(name, _)| *name).chain(valued).collect()
    }

    /// Whether the answer still tells the truth about the operation.
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
        let wrong = || format!("unknown fault `{text}`; known are {}", Self::names().join(", "));
        let (name, value) = text.split_once('=').ok_or_else(wrong)?;
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| wrong());
        match name {
            "throttle" => value.parse().map(Self::Throttle).map_err(|_| wrong()),
            "error" => {
                let code =
                    u16::try_from(number(value)?).ok().filter(|code| (400..600).contains(code));
                code.map(Self::Error).ok_or_else(wrong)
            }
            "slow" => Ok(Self::Slow(Duration::from_millis(number(value)?))),
            "status" => {
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
            Self::Throttle(form) => write!(f, "throttle={form}"),
            Self::Slow(delay) => write!(f, "slow={}", delay.as_millis()),
            Self::Status(code) => write!(f, "status={code}"),
            Self::Error(code) => write!(f, "error={code}"),
            // All others are in the table.
            other => write!(f, "{other:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_read_back_from_its_name() {
        let rare = [Fault::ClaimsChallenge, Fault::Error(501)].into_iter().chain(Fault::of_items());
        for fault in Fault::all().into_iter().chain(Fault::passing()).chain(rare) {
            assert_eq!(fault.to_string().parse(), Ok(fault));
        }
        for form in RetryAfter::all() {
            assert!(Fault::all().contains(&Fault::Throttle(form)));
        }
    }

    #[test]
    fn any_text_can_be_a_retry_after() {
        for (text, form) in [
            ("7", RetryAfter::Seconds(7)),
            ("date:5", RetryAfter::Date(Duration::from_secs(5))),
            ("1.5", RetryAfter::Verbatim("1.5".into())),
            ("3, 4", RetryAfter::Verbatim("3, 4".into())),
        ] {
            assert_eq!(text.parse(), Ok(form));
        }
        for text in ["", "a\nb"] {
            assert!(text.parse::<RetryAfter>().is_err());
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        for text in ["", "503", "slow", "slow=", "slow=fast", "status=42", "date=4"] {
            assert!(text.parse::<Fault>().unwrap_err().contains("wrong-type"), "{text}");
        }
    }
}
