//! How a 202 names its operation.

use std::str::FromStr;

use axum::http::{
    HeaderName, HeaderValue,
    header::{CONTENT_LOCATION, LOCATION},
};

use super::path::{Address, Keys, Version};

/// The forms of a starting answer's monitor URL: those of the service, and those that a client has
/// to refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocationForm {
    /// `/teams('a')/operations('b')`: relative, without a version.
    QuotedKey,
    /// `/teams(%27a%27)/operations(%27b%27)`
    EncodedKey,
    /// `/teams(a)/operations(b)`
    BareKey,
    /// `/teams/a/operations/b`
    SlashKey,
    /// `/groups/a/team/operations/b`
    ByGroup,
    /// `/teams('a')/getOperationStatus(operationId='b')`
    FunctionCall,
    /// With a `sessionId` in the query.
    Query,
    /// With a comma after the URL.
    TrailingComma,
    /// Absolute, in the version that was called.
    Absolute,
    /// `http://…/v1.0/teams/getOperationStatus(operationId='b')`: absolute, a function call.
    AbsoluteFunctionCall,
    /// Absolute, in the other version.
    OtherVersion,
    /// In `Operation-Location` alone.
    OperationLocation,
    /// In `Content-Location` alone.
    ContentLocationOnly,
    /// In no header.
    Missing,
    /// On another origin, which records what reaches it.
    ForeignHost,
    /// On another origin, without a scheme: `//host/…`.
    ForeignSchemeless,
    /// On another origin, with the true one before an `@`.
    ForeignUserInfo,
    /// On the true host, under another scheme.
    ForeignScheme,
    /// Leaves the version through dot segments.
    DotSegments,
    /// Leads to a resource that is not an operation.
    NoOperation,
    /// Not a URL.
    Garbage,
    /// Bytes that are not valid text.
    NotText,
    /// Empty.
    Empty,
    /// This value, as it is.
    Verbatim(String),
}

const NAMES: &[(&str, LocationForm)] = &[
    ("quoted", LocationForm::QuotedKey),
    ("encoded", LocationForm::EncodedKey),
    ("bare", LocationForm::BareKey),
    ("slash", LocationForm::SlashKey),
    ("by-group", LocationForm::ByGroup),
    ("function-call", LocationForm::FunctionCall),
    ("query", LocationForm::Query),
    ("trailing-comma", LocationForm::TrailingComma),
    ("absolute", LocationForm::Absolute),
    ("absolute-function-call", LocationForm::AbsoluteFunctionCall),
    ("other-version", LocationForm::OtherVersion),
    ("operation-location", LocationForm::OperationLocation),
    ("content-location", LocationForm::ContentLocationOnly),
    ("missing", LocationForm::Missing),
    ("foreign-host", LocationForm::ForeignHost),
    ("foreign-schemeless", LocationForm::ForeignSchemeless),
    ("foreign-user-info", LocationForm::ForeignUserInfo),
    ("foreign-scheme", LocationForm::ForeignScheme),
    ("dot-segments", LocationForm::DotSegments),
    ("no-operation", LocationForm::NoOperation),
    ("garbage", LocationForm::Garbage),
    ("not-text", LocationForm::NotText),
    ("empty", LocationForm::Empty),
];

impl LocationForm {
    /// Every form once, except for [`LocationForm::Verbatim`].
    pub fn all() -> Vec<Self> {
        NAMES.iter().map(|(_, form)| form.clone()).collect()
    }

    /// The names that a command line accepts.
    pub fn names() -> Vec<&'static str> {
        NAMES.iter().map(|(name, _)| *name).collect()
    }

    /// Whether a client that knows the service can find the operation.
    pub fn is_usable(&self) -> bool {
        use LocationForm as F;
        matches!(
            self,
            F::QuotedKey
                | F::EncodedKey
                | F::BareKey
                | F::SlashKey
                | F::ByGroup
                | F::FunctionCall
                | F::Query
                | F::TrailingComma
                | F::Absolute
                | F::AbsoluteFunctionCall
                | F::OtherVersion
                | F::OperationLocation
                | F::ContentLocationOnly
        )
    }
}

impl FromStr for LocationForm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = NAMES.iter().find(|(name, _)| *name == text).map(|(_, form)| form.clone());
        form.ok_or_else(|| {
            format!("`{text}` is not a form; the forms are {}", Self::names().join(", "))
        })
    }
}

/// What a location is made from.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) origin: &'a str,
    pub(super) foreign_origin: &'a str,
    pub(super) version: Version,
    /// The operation.
    pub(super) operation: &'a Address,
    /// What the operation belongs to.
    pub(super) home: &'a Address,
    /// How absolute addresses write keys.
    pub(super) keys: Keys,
    /// What an absolute address has in its query.
    pub(super) query: Option<&'a str>,
}

impl Place<'_> {
    /// The header that leads to the operation, if the form has one.
    pub(super) fn header(&self, form: &LocationForm) -> Option<(HeaderName, HeaderValue)> {
        let operation = self.operation;
        let (origin, foreign) = (self.origin, self.foreign_origin);
        let quoted = operation.write(Keys::Quoted);
        let version = self.version.segment();
        let query = self.query.map(|query| format!("?{query}")).unwrap_or_default();
        let path = format!("{}{query}", operation.write(self.keys));
        let function_call = || {
            let home = self.home.write(self.keys);
            format!("{home}/getOperationStatus(operationId='{}')", operation.key())
        };
        let mut name = LOCATION;
        let value = match form {
            LocationForm::QuotedKey => quoted,
            LocationForm::EncodedKey => operation.write(Keys::Encoded),
            LocationForm::BareKey => operation.write(Keys::Bare),
            LocationForm::SlashKey => operation.write(Keys::Slash),
            LocationForm::ByGroup => operation.by_group(),
            LocationForm::FunctionCall => function_call(),
            LocationForm::AbsoluteFunctionCall => format!("{origin}/{version}{}", function_call()),
            LocationForm::Query => format!("{quoted}?sessionId=Y2x1c3Rlcj1TSU0wJnNlc3Npb249MQ=="),
            LocationForm::TrailingComma => format!("{quoted},"),
            LocationForm::Absolute => format!("{origin}/{version}{path}"),
            LocationForm::OtherVersion => {
                format!("{origin}/{}{path}", self.version.other().segment())
            }
            LocationForm::OperationLocation => {
                name = HeaderName::from_static("operation-location");
                format!("{origin}/{version}{path}")
            }
            LocationForm::ContentLocationOnly => {
                name = CONTENT_LOCATION;
                operation.write(Keys::Slash)
            }
            LocationForm::Missing => return None,
            LocationForm::ForeignHost => format!("{foreign}/{version}{quoted}"),
            LocationForm::ForeignSchemeless => {
                format!("//{}/{version}{quoted}", authority(foreign))
            }
            LocationForm::ForeignUserInfo => {
                format!("http://{}@{}/{version}{quoted}", authority(origin), authority(foreign))
            }
            LocationForm::ForeignScheme => {
                let other = if origin.starts_with("https:") { "http" } else { "https" };
                format!("{other}://{}/{version}{quoted}", authority(origin))
            }
            LocationForm::DotSegments => format!("/../_simulator/..{quoted}"),
            LocationForm::NoOperation => self.home.write(Keys::Quoted),
            LocationForm::Garbage => r"ht!tp:\\[::/ %%% <operation>".to_owned(),
            LocationForm::NotText => {
                return HeaderValue::from_bytes(b"/teams('\xFF\xFE')/operations('\x80')")
                    .ok()
                    .map(|value| (name, value));
            }
            LocationForm::Empty => String::new(),
            LocationForm::Verbatim(value) => value.clone(),
        };
        // A verbatim value that is not valid in a header is left out, as any server would have to
        // do.
        HeaderValue::from_str(&value).ok().map(|value| (name, value))
    }
}

fn authority(origin: &str) -> &str {
    origin.split_once("://").map_or(origin, |(_, authority)| authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_writes_what_it_says() {
        let home = Address::new("teams", "a");
        let operation = home.child("operations", "b");
        let place = Place {
            origin: "http://127.0.0.1:1",
            foreign_origin: "http://127.0.0.1:2",
            version: Version::V1,
            operation: &operation,
            home: &home,
            keys: Keys::Quoted,
            query: None,
        };
        let written = |form| {
            let (name, value) = place.header(&form)?;
            Some(format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
        };
        for form in LocationForm::all() {
            assert_eq!(written(form.clone()).is_none(), form == LocationForm::Missing, "{form:?}");
        }
        let expect = |form, text: &str| assert_eq!(written(form).as_deref(), Some(text));
        expect(LocationForm::QuotedKey, "location: /teams('a')/operations('b')");
        expect(LocationForm::ByGroup, "location: /groups/a/team/operations/b");
        expect(LocationForm::ContentLocationOnly, "content-location: /teams/a/operations/b");
        expect(
            LocationForm::OtherVersion,
            "location: http://127.0.0.1:1/beta/teams('a')/operations('b')",
        );
        expect(
            LocationForm::ForeignUserInfo,
            "location: http://127.0.0.1:1@127.0.0.1:2/v1.0/teams('a')/operations('b')",
        );
        expect(LocationForm::Verbatim("/x".into()), "location: /x");
    }

    #[test]
    fn every_form_has_its_name() {
        for name in LocationForm::names() {
            assert!(name.parse::<LocationForm>().is_ok());
        }
        assert!("nowhere".parse::<LocationForm>().unwrap_err().contains("by-group"));
    }
}
