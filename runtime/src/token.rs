//! What carries an operation from one process to another.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::{Error, ErrorKind};

/// The only form there is so far.
const VERSION: u32 = 1;

/// Names an operation, so that another process can wait for it.
///
/// A token is one line of JSON (through `Display` and `FromStr`, or serde) with the operation's
/// address and its type, and holds no secret: whoever resumes the operation brings a client that
/// may read it. It stays valid as long as the service keeps the operation, at least 24 hours.
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeToken {
    model: String,
    location: Uri,
}

impl ResumeToken {
    pub(crate) fn new(model: &str, location: Uri) -> Self {
        ResumeToken { model: model.to_owned(), location }
    }

    /// The operation's address.
    pub fn location(&self) -> &Uri {
        &self.location
    }

    /// The type of the operation, such as `teamsAsyncOperation`; see [`Model::TYPE`](crate::Model::TYPE).
    pub fn model(&self) -> &str {
        &self.model
    }
}

impl fmt::Display for ResumeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// Fails with [`ErrorKind::InvalidToken`].
impl FromStr for ResumeToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        serde_json::from_str(text).map_err(|error| {
            Error::new(ErrorKind::InvalidToken, "the text is no resume token").with_source(error)
        })
    }
}

impl Serialize for ResumeToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut token = serializer.serialize_struct("ResumeToken", 3)?;
        token.serialize_field("version", &VERSION)?;
        token.serialize_field("model", &self.model)?;
        token.serialize_field("location", &format_args!("{}", self.location))?;
        token.end()
    }
}

impl<'de> Deserialize<'de> for ResumeToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Token {
            version: u32,
            model: String,
            location: String,
        }

        let token = Token::deserialize(deserializer)?;
        if token.version != VERSION {
            return Err(de::Error::custom(format_args!(
                "version {} of the resume token is unknown; this library reads version {VERSION}",
                token.version
            )));
        }
        let location: Uri = token.location.parse().map_err(de::Error::custom)?;
        if location.scheme().is_none() || location.host().is_none() {
            return Err(de::Error::custom("the operation's address is not absolute"));
        }
        Ok(ResumeToken { model: token.model, location })
    }
}
