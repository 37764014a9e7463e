//! The context of a request, and what every answer to it contains.

use std::time::{Duration, Instant, SystemTime};

use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
    header::{CONTENT_TYPE, DATE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use time::OffsetDateTime;

use super::{
    answer::Answer,
    document::Document,
    fault::{Fault, RetryAfter},
    ids,
    path::{self, Version},
    record,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const DIAGNOSTIC: HeaderName = HeaderName::from_static("x-ms-ags-diagnostic");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const ALL_MEMBERS: &str = "include-unknown-enum-members";
const RESPOND_ASYNC: &str = "respond-async";
const SERVER: &str = r#"{"ServerInfo":{"DataCenter":"Loopback","Slice":"E","Ring":"0","ScaleUnit":"000","RoleInstance":"SIM0"}}"#;
const CHALLENGE: &str = r#"Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize", client_id="00000003-0000-0000-c000-000000000000""#;
/// What a claims challenge asks the client to get into its next token.
const CLAIMS: &str = r#"{"access_token":{"nbf":{"essential":true,"value":"1770105600"}}}"#;

/// A request that was read completely.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) at: Instant,
    /// The bearer token; for a request inside a batch, that of the envelope.
    pub(super) token: Option<String>,
    pub(super) is_batched: bool,
}

impl Call {
    /// Whether the client asks for the members of enumerations that came after
    /// `unknownFutureValue`.
    pub(super) fn wants_all_members(&self) -> bool {
        self.prefers(ALL_MEMBERS)
    }

    /// Whether the client asks not to be kept waiting; inside a batch the service ignores that.
    pub(super) fn wants_no_waiting(&self) -> bool {
        !self.is_batched && self.prefers(RESPOND_ASYNC)
    }

    fn prefers(&self, preference: &str) -> bool {
        let prefer = self.headers.get_all(PREFER).iter();
        let mut wishes = prefer
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split([',', ';']));
        wishes.any(|wish| wish.trim().eq_ignore_ascii_case(preference))
    }

    pub(super) fn prefer(&self) -> Option<String> {
        record::text(&self.headers, &PREFER)
    }

    pub(super) fn client_request_id(&self) -> Option<String> {
        record::text(&self.headers, &CLIENT_REQUEST_ID)
    }

    /// The first value of a parameter of the query, percent-decoded.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let query = self.uri.query()?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = path::decode(key);
            key.eq_ignore_ascii_case(name).then(|| path::decode(value))
        })
    }

    /// The properties that `$select` names.
    pub(super) fn selected(&self) -> Option<Vec<String>> {
        let names = self.parameter("$select")?;
        Some(names.split(',').map(|name| name.trim().to_owned()).collect())
    }
}

/// Whether the headers declare JSON.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || kind.starts_with("application/") && kind.ends_with("+json")
}

/// What the answers to one request are made from.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) version: Version,
    pub(super) request_id: String,
    client_request_id: String,
    now: OffsetDateTime,
}

impl Context {
    /// `ahead` is by how much the service's clock is ahead of this machine's.
    pub(super) fn new(
        call: &Call,
        version: Option<Version>,
        request_id: String,
        ahead: time::Duration,
    ) -> Self {
        Self {
            version: version.unwrap_or(Version::V1),
            client_request_id: call.client_request_id().unwrap_or_else(|| request_id.clone()),
            request_id,
            now: OffsetDateTime::from(SystemTime::now()).saturating_add(ahead),
        }
    }

    /// An error of the gateway.
    pub(super) fn error(&self, status: StatusCode, code: &str, message: &str) -> Answer {
        let error = Document::new()
            .with("code", code)
            .with("message", message)
            .with("innerError", self.marked(Document::new()));
        Answer::json(status, Document::new().with("error", error).write())
    }

    /// An error of the service behind the gateway, with nested errors.
    pub(super) fn inner_error(
        &self,
        status: StatusCode,
        code: &str,
        inner: &str,
        message: &str,
    ) -> Answer {
        let inner = Document::new()
            .with("message", message)
            .with("code", inner)
            .with("innerError", Document::new());
        let error = Document::new()
            .with("code", code)
            .with("message", message)
            .with("innerError", self.marked(inner));
        Answer::json(status, Document::new().with("error", error).write())
    }

    /// Adds what support asks for.
    fn marked(&self, inner: Document) -> Document {
        inner
            .with("date", ids::date_time(self.now))
            .with("request-id", &self.request_id)
            .with("client-request-id", &self.client_request_id)
    }

    pub(super) fn not_found(&self, what: &str) -> Answer {
        let message = format!("Nothing was found under '{what}'.");
        self.inner_error(StatusCode::NOT_FOUND, "NotFound", "ItemNotFound", &message)
    }

    /// What the service says about an operation that it does not know, or does not know yet.
    pub(super) fn no_workflow(&self) -> Answer {
        let message = "No workflow found with supplied ID";
        self.inner_error(StatusCode::NOT_FOUND, "NotFound", "ItemNotFound", message)
    }

    pub(super) fn unknown_team(&self, team: &str) -> Answer {
        let message = format!("No team found with Group Id {team}");
        self.inner_error(StatusCode::NOT_FOUND, "NotFound", "ItemNotFound", &message)
    }

    pub(super) fn has_team(&self) -> Answer {
        let message = "The group already has a team.";
        self.inner_error(StatusCode::CONFLICT, "Conflict", "Conflict", message)
    }

    pub(super) fn bad_request(&self, message: &str) -> Answer {
        self.error(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub(super) fn method_not_allowed(&self) -> Answer {
        let message = "Specified HTTP method is not allowed for the request target.";
        self.error(StatusCode::METHOD_NOT_ALLOWED, "Request_BadRequest", message)
    }

    pub(super) fn unauthorized(&self, message: &str) -> Answer {
        let mut answer =
            self.error(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message);
        answer.insert(WWW_AUTHENTICATE, CHALLENGE);
        answer
    }

    /// Refuses a body that is not declared as JSON.
    pub(super) fn unreadable(&self, call: &Call) -> Option<Answer> {
        if call.body.is_empty() || is_json(&call.headers) {
            return None;
        }
        Some(if call.headers.contains_key(CONTENT_TYPE) {
            let message =
                "The Content-Type of the request is not supported; send application/json.";
            self.error(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
        } else {
            self.bad_request(
                "Write requests (excluding DELETE) must contain the Content-Type header declaration.",
            )
        })
    }

    /// The answer to a request beyond the rate.
    pub(super) fn throttled(&self, retry_after: &RetryAfter) -> Answer {
        let inner = Document::new()
            .with("code", "429")
            .with("date", ids::date_time(self.now))
            .with("message", "Please retry after")
            .with("request-id", &self.request_id)
            .with("status", "429");
        let error = Document::new()
            .with("code", "TooManyRequests")
            .with("innerError", inner)
            .with("message", "Please retry again later.");
        let body = Document::new().with("error", error).write();
        let mut answer = Answer::json(StatusCode::TOO_MANY_REQUESTS, body);
        self.retry_after(&mut answer, retry_after);
        answer
    }

    /// The response that replaces the service's own, if the fault keeps the request from reaching the
    /// service.
    pub(super) fn outage(
        &self,
        fault: &Fault,
        call: &Call,
        foreign_origin: &str,
    ) -> Option<Answer> {
        let (status, code, message) = match fault {
            Fault::Throttle(form) => return Some(self.throttled(form)),
            Fault::Redirect => {
                let mut answer = Answer::empty(StatusCode::TEMPORARY_REDIRECT);
                answer.insert(LOCATION, &format!("{foreign_origin}{}", call.uri));
                return Some(answer);
            }
            // `Answer::spoil` fills in what these faults say.
            Fault::HtmlBadGateway | Fault::Close => {
                return Some(Answer::empty(StatusCode::BAD_GATEWAY));
            }
            Fault::Unauthorized => return Some(self.unauthorized("The access token has expired.")),
            Fault::ClaimsChallenge => {
                let mut answer =
                    self.unauthorized("Continuous access evaluation resulted in claims challenge.");
                let claims = STANDARD.encode(CLAIMS);
                let challenge =
                    format!(r#"{CHALLENGE}, error="insufficient_claims", claims="{claims}""#);
                answer.insert(WWW_AUTHENTICATE, &challenge);
                return Some(answer);
            }
            Fault::ServiceUnavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ServiceNotAvailable",
                "The service is not available.",
            ),
            Fault::InternalServerError => {
                (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", "Something went wrong.")
            }
            Fault::BadGateway => {
                (StatusCode::BAD_GATEWAY, "BadGateway", "Failed to execute backend request.")
            }
            Fault::GatewayTimeout => (
                StatusCode::GATEWAY_TIMEOUT,
                "GatewayTimeout",
                "The backend did not answer in time.",
            ),
            Fault::Error(code) => {
                let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::BAD_REQUEST);
                let code = status.canonical_reason().unwrap_or("UnknownError").replace(' ', "");
                return Some(self.error(status, &code, "The request was refused."));
            }
            _ => return None,
        };
        Some(self.error(status, code, message))
    }

    pub(super) fn retry_after(&self, answer: &mut Answer, form: &RetryAfter) {
        let text = match form {
            RetryAfter::Absent => return,
            RetryAfter::Seconds(seconds) => &seconds.to_string(),
            RetryAfter::Fraction => "2.128",
            RetryAfter::Merged => "0,120",
            RetryAfter::Twice => {
                answer.headers.append(RETRY_AFTER, HeaderValue::from_static("0"));
                answer.headers.append(RETRY_AFTER, HeaderValue::from_static("120"));
                return;
            }
            RetryAfter::Date(ahead) => {
                let ahead = time::Duration::try_from(*ahead).unwrap_or(time::Duration::MAX);
                &ids::http_date(self.now.saturating_add(ahead))
            }
            RetryAfter::Negative => "-1",
            RetryAfter::Huge => "99999999999999999999999",
            RetryAfter::Garbage => "soon",
            RetryAfter::Verbatim(text) => text,
        };
        answer.insert(RETRY_AFTER, text);
    }

    /// Adds the headers that every answer of the service has, unless a recording has its own.
    pub(super) fn label(&self, answer: &mut Answer, call: &Call) {
        let labels = [
            (REQUEST_ID, self.request_id.as_str()),
            (CLIENT_REQUEST_ID, self.client_request_id.as_str()),
            (DATE, &ids::http_date(self.now)),
            (DIAGNOSTIC, SERVER),
        ];
        for (name, value) in labels {
            if !answer.headers.contains_key(&name) {
                answer.insert(name, value);
            }
        }
        self.label_item(answer, call);
    }

    /// Adds the headers of an answer inside a batch: no `Date`, and the id of the whole batch.
    pub(super) fn label_item(&self, answer: &mut Answer, call: &Call) {
        if !answer.headers.contains_key(REQUEST_ID) {
            answer.insert(REQUEST_ID, &self.request_id);
        }
        if call.wants_all_members() && answer.status.is_success() {
            answer.insert(PREFERENCE_APPLIED, ALL_MEMBERS);
        }
    }
}

/// Whole seconds, rounded up and at least one: how the service writes how long to wait.
pub(super) fn whole_seconds(wait: Duration) -> RetryAfter {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    RetryAfter::Seconds(seconds.max(1))
}
