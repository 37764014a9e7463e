//! Graph's URLs: read in every key syntax that the service accepts, written in the one that is
//! requested.

use std::fmt::Write as _;

/// The version of the service that a request names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    Beta,
}

impl Version {
    pub(super) fn segment(self) -> &'static str {
        match self {
            Self::V1 => "v1.0",
            Self::Beta => "beta",
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::V1 => Self::Beta,
            Self::Beta => Self::V1,
        }
    }

    fn parse(segment: &str) -> Option<Self> {
        [Self::V1, Self::Beta]
            .into_iter()
            .find(|version| version.segment().eq_ignore_ascii_case(segment))
    }
}

/// Splits a path into its version and its other segments, keys as well as names:
/// `/v1.0/teams('a')/operations(b)` and `/v1.0/teams/a/operations/b` are the same. A team that is
/// reached through its group is the team.
pub(super) fn parse(path: &str) -> (Option<Version>, Vec<String>) {
    let path = path.split('?').next().unwrap_or_default();
    let mut raw = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    let version = raw.peek().and_then(|first| Version::parse(first));
    if version.is_some() {
        raw.next();
    }
    let mut segments = Vec::new();
    for segment in raw {
        let segment = decode(segment);
        match segment.strip_suffix(')').and_then(|inner| inner.split_once('(')) {
            Some((name, key)) => segments.extend([name.to_owned(), unquote(key)]),
            None => segments.push(segment),
        }
    }
    if let [groups, _, team, ..] = segments.as_slice()
        && groups.eq_ignore_ascii_case("groups")
        && team.eq_ignore_ascii_case("team")
    {
        segments.remove(2);
        "teams".clone_into(&mut segments[0]);
    }
    (version, segments)
}

/// A key without its quotes and, in a function call, without its parameter's name.
fn unquote(key: &str) -> String {
    let key = key.split_once("='").map_or(key, |(_, value)| value);
    let key = key.strip_prefix('\'').unwrap_or(key);
    key.strip_suffix('\'').unwrap_or(key).replace("''", "'")
}

pub(super) fn decode(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex =
            |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        rest = match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high).unwrap_or_default() << 4 | hex(*low).unwrap_or_default());
                after
            }
            _ => {
                bytes.push(*first);
                tail
            }
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The key at the end of a URL by which a request refers to a resource.
pub(super) fn bound(url: &str) -> Option<&str> {
    url.rsplit(['/', '\'']).find(|segment| !segment.is_empty() && *segment != ")")
}

/// Percent-encodes what has to be encoded in a key inside `@odata.context`.
pub(super) fn encode(key: &str) -> String {
    key.chars().fold(String::new(), |mut text, character| {
        if character.is_ascii_alphanumeric() || "-._~".contains(character) {
            text.push(character);
        } else {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                let _ = write!(text, "%{byte:02X}");
            }
        }
        text
    })
}

/// How a key is written in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keys {
    /// `teams('a')`
    Quoted,
    /// `teams(%27a%27)`
    Encoded,
    /// `teams(a)`
    Bare,
    /// `teams/a`
    Slash,
}

/// A resource's address: its entity sets, each with a key, below a fixed prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    prefix: String,
    entities: Vec<(&'static str, String)>,
}

impl Address {
    pub(super) fn new(set: &'static str, key: &str) -> Self {
        Self { prefix: String::new(), entities: vec![(set, key.to_owned())] }
    }

    /// A fixed path, with a leading slash.
    pub(super) fn fixed(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), entities: Vec::new() }
    }

    pub(super) fn child(&self, set: &'static str, key: &str) -> Self {
        let mut child = self.clone();
        child.entities.push((set, key.to_owned()));
        child
    }

    /// The key of the last entity; the last segment of a fixed path.
    pub(super) fn key(&self) -> &str {
        let fixed = || self.prefix.rsplit('/').next().unwrap_or_default();
        self.entities.last().map_or_else(fixed, |(_, key)| key)
    }

    pub(super) fn write(&self, keys: Keys) -> String {
        self.entities.iter().fold(self.prefix.clone(), |mut text, (set, key)| {
            let _ = match keys {
                Keys::Quoted => write!(text, "/{set}('{}')", key.replace('\'', "''")),
                Keys::Encoded => {
                    write!(text, "/{set}(%27{}%27)", encode(&key.replace('\'', "''")))
                }
                Keys::Bare => write!(text, "/{set}({key})"),
                Keys::Slash => write!(text, "/{set}/{key}"),
            };
            text
        })
    }

    /// The path of the same resource through its group, if it belongs to a team.
    pub(super) fn by_group(&self) -> String {
        let written = self.write(Keys::Slash);
        match written.strip_prefix("/teams/").map(|rest| rest.split_once('/').unwrap_or((rest, "")))
        {
            Some((team, rest)) => format!("/groups/{team}/team/{rest}"),
            None => written,
        }
    }

    /// What identifies the resource among all others.
    pub(super) fn identity(&self) -> String {
        self.write(Keys::Slash).trim_start_matches('/').to_lowercase()
    }
}

/// What identifies the resource that a path leads to, whose names and keys are read without regard
/// to case.
pub(super) fn identity(segments: &[String]) -> String {
    segments.join("/").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_syntax_reads_as_the_same_segments() {
        for path in [
            "/v1.0/teams('a')/operations('b')",
            "/v1.0/teams/a/operations/b",
            "/v1.0/teams(a)/operations(b)?sessionId=eA==",
            "/v1.0/teams(%27a%27)/operations(%27b%27)",
            "/v1.0/groups/a/team/operations/b",
            "/v1.0/groups('a')/team/operations('b')",
        ] {
            assert_eq!(
                parse(path),
                (Some(Version::V1), ["teams", "a", "operations", "b"].map(Into::into).into()),
                "{path}"
            );
        }
    }

    #[test]
    fn keys_keep_their_punctuation() {
        let chat = Address::new("chats", "19:o'neil_x@thread.v2").child("operations", "a-b");
        for keys in [Keys::Quoted, Keys::Encoded, Keys::Slash] {
            let (version, segments) = parse(&format!("/beta{}", chat.write(keys)));
            assert_eq!((version, identity(&segments)), (Some(Version::Beta), chat.identity()));
        }
    }

    #[test]
    fn a_function_call_reads_as_its_argument() {
        let (_, segments) = parse("/v1.0/teams('a')/getOperationStatus(operationId='b')");
        assert_eq!(segments, ["teams", "a", "getOperationStatus", "b"]);
    }

    #[test]
    fn a_missing_version_is_noticed() {
        for path in ["/teams('a')", "/v2.0/teams/a", "/", ""] {
            assert_eq!(parse(path).0, None, "{path}");
        }
        for broken in ["/v1.0/%", "/v1.0/%2", "/v1.0/%zz", "/v1.0/)(", "/v1.0/()", "/v1.0//"] {
            assert_eq!(parse(broken).0, Some(Version::V1));
        }
    }
}
