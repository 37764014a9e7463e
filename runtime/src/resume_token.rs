//! A token that names an operation for another process.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Uri;
use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::model::json;
use crate::printable::shown;

/// The only version so far. Properties that were added later are optional, and older versions of
/// the library skip them.
const VERSION: u32 = 1;

/// Names an operation, so that another process can follow it.
///
/// A token is one line of JSON (through `Display` and `FromStr`, or serde) with the operation's
/// address and type and, where they are known, when it was started and the `request-id` of the
/// response that started it. It contains no credential of the client: the process that resumes the
/// operation uses a client of its own. It stays valid as long as the service keeps the operation,
/// at least 24 hours.
///
/// Some families have addresses that are credentials themselves, such as the monitor of a drive item
/// copy or a workbook's `sessionId`. **The token of such an operation is a secret.** `Debug` shows no
/// query.
///
/// ```
/// use graph_operation::ResumeToken;
///
/// let token: ResumeToken = r#"{
///     "version": 1,
///     "model": "teamsAsyncOperation",
///     "location": "https://graph.microsoft.com/v1.0/teams('1')/operations('2')"
/// }"#.parse()?;
/// assert_eq!(token.location().path(), "/v1.0/teams('1')/operations('2')");
/// assert_eq!(token.to_string().parse::<ResumeToken>()?, token);
/// # Ok::<(), graph_operation::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ResumeToken {
    model: String,
    location: Uri,
    /// Milliseconds since the Unix epoch.
    started: Option<u64>,
    request_id: Option<String>,
}

impl ResumeToken {
    pub(crate) fn new(model: &str, location: Uri) -> Self {
        ResumeToken { model: model.to_owned(), location, started: None, request_id: None }
    }

    pub(crate) fn with_start(mut self, at: Option<SystemTime>, request_id: Option<&str>) -> Self {
        self.started =
            at.and_then(|at| u64::try_from(at.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok());
        self.request_id = request_id.map(str::to_owned);
        self
    }

    /// The operation's address.
    pub fn location(&self) -> &Uri {
        &self.location
    }

    /// The type of the operation, such as `teamsAsyncOperation`; see [`Model::TYPE`](crate::Model::TYPE).
    pub fn model(&self) -> &str {
        &self.model
    }

    /// When the operation was started, by the clock of the machine that started it, to the
    /// millisecond.
    pub fn started_at(&self) -> Option<SystemTime> {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.started?))
    }

    pub(crate) fn into_request_id(self) -> Option<String> {
        self.request_id
    }

    /// The `request-id` of the response that started the operation.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}

/// Omits the query of the address.
impl fmt::Debug for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeToken")
            .field("model", &self.model)
            .field("location", &shown(&self.location))
            .field("started", &self.started_at())
            .field("request_id", &self.request_id)
            .finish()
    }
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// Whether a text is a token of another version, whose other properties are unknown.
pub(crate) fn is_of_another_version(text: &str) -> bool {
    let version = json::value(text).and_then(|token| token.get("version")?.as_u64());
    version.is_some_and(|version| version != u64::from(VERSION))
}

impl Serialize for ResumeToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields =
            3 + usize::from(self.started.is_some()) + usize::from(self.request_id.is_some());
        let mut token = serializer.serialize_struct("ResumeToken", fields)?;
        token.serialize_field("version", &VERSION)?;
        token.serialize_field("model", &self.model)?;
        token.serialize_field("location", &format_args!("{}", self.location))?;
        if let Some(started) = &self.started {
            token.serialize_field("started", started)?;
        }
        if let Some(request_id) = &self.request_id {
            token.serialize_field("requestId", request_id)?;
        }
        token.end()
    }
}

impl<'de> Deserialize<'de> for ResumeToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Token {
            version: u32,
            model: String,
            location: String,
            #[serde(default)]
            started: Option<u64>,
            #[serde(default)]
            request_id: Option<String>,
        }

        let token = Token::deserialize(deserializer)?;
        if token.version != VERSION {
            return Err(de::Error::custom(format_args!("unknown version {}", token.version)));
        }
        let location: Uri = token
            .location
            .parse()
            .map_err(|_| de::Error::custom("the operation's address is not a URL"))?;
        if location.scheme().is_none() || location.host().is_none() {
            return Err(de::Error::custom("the operation's address is not absolute"));
        }
        let Token { model, started, request_id, .. } = token;
        Ok(ResumeToken { model, location, started, request_id })
    }
}
