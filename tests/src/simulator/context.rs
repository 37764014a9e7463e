//! One request's circumstances, and what every answer to it carries.

use std::time::{Instant, SystemTime};

use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri,
    header::{DATE, LOCATION, RETRY_AFTER},
};
use bytes::Bytes;
use time::OffsetDateTime;

use super::{
    answer::Answer,
    documents,
    fault::{Fault, RetryAfter},
    ids,
    path::Version,
    record,
};

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const CLIENT_REQUEST_ID: HeaderName = HeaderName::from_static("client-request-id");
const DIAGNOSTIC: HeaderName = HeaderName::from_static("x-ms-ags-diagnostic");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const ALL_MEMBERS: &str = "include-unknown-enum-members";
const SERVER: &str = r#"{"ServerInfo":{"DataCenter":"Loopback","Slice":"E","Ring":"0","ScaleUnit":"000","RoleInstance":"SIM0"}}"#;

/// A request, read to its end.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) at: Instant,
}

impl Call {
    /// Whether the client asks for the members of enumerations that came after
    /// `unknownFutureValue`.
    pub(super) fn wants_all_members(&self) -> bool {
        let prefer = self.headers.get_all(PREFER).iter();
        let mut wishes = prefer
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split([',', ';']));
        wishes.any(|wish| wish.trim().eq_ignore_ascii_case(ALL_MEMBERS))
    }

    pub(super) fn is_authorized(&self) -> bool {
        let authorization = record::authorization(&self.headers);
        let token = authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
        token.is_some_and(|token| !token.trim().is_empty())
    }

    pub(super) fn prefer(&self) -> Option<String> {
        record::text(&self.headers, &PREFER)
    }

    pub(super) fn client_request_id(&self) -> Option<String> {
        record::text(&self.headers, &CLIENT_REQUEST_ID)
    }
}

/// What the answers to one request are written from.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) version: Version,
    pub(super) request_id: String,
    client_request_id: String,
    now: OffsetDateTime,
}

impl Context {
    /// `clock_ahead` is by how many seconds the service's clock is wrong.
    pub(super) fn new(
        call: &Call,
        version: Option<Version>,
        request_id: String,
        clock_ahead: i64,
    ) -> Self {
        Self {
            version: version.unwrap_or(Version::V1),
            client_request_id: call.client_request_id().unwrap_or_else(|| request_id.clone()),
            request_id,
            now: OffsetDateTime::from(SystemTime::now())
                .saturating_add(time::Duration::seconds(clock_ahead)),
        }
    }

    pub(super) fn error(&self, status: StatusCode, code: &str, message: &str) -> Answer {
        let date = ids::date_time(self.now);
        let body =
            documents::error(code, message, &date, &self.request_id, &self.client_request_id);
        Answer::json(status, body)
    }

    pub(super) fn not_found(&self, what: &str) -> Answer {
        self.error(StatusCode::NOT_FOUND, "NotFound", &format!("Nothing was found under '{what}'."))
    }

    /// The answer that stands in place of the service's own, where the fault keeps the request from
    /// getting there.
    pub(super) fn outage(
        &self,
        fault: &Fault,
        call: &Call,
        foreign_origin: &str,
    ) -> Option<Answer> {
        let (status, code, message) = match fault {
            Fault::Throttle(form) => {
                let message = "Too many requests. Try again later.";
                let mut answer =
                    self.error(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
                self.retry_after(&mut answer, form);
                return Some(answer);
            }
            Fault::Redirect => {
                let mut answer = Answer::empty(StatusCode::TEMPORARY_REDIRECT);
                answer.insert(LOCATION, &format!("{foreign_origin}{}", call.uri));
                return Some(answer);
            }
            // What these say is put in place when the answer is spoiled.
            Fault::HtmlBadGateway | Fault::Close => {
                return Some(Answer::empty(StatusCode::BAD_GATEWAY));
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
                (StatusCode::BAD_GATEWAY, "BadGateway", "The request to the backend failed.")
            }
            Fault::GatewayTimeout => (
                StatusCode::GATEWAY_TIMEOUT,
                "GatewayTimeout",
                "The backend did not answer in time.",
            ),
            Fault::Unauthorized => (
                StatusCode::UNAUTHORIZED,
                "InvalidAuthenticationToken",
                "The access token has expired.",
            ),
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
        };
        answer.insert(RETRY_AFTER, text);
    }

    /// Puts on what every answer of the service carries, unless a recording has its own.
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
        if call.wants_all_members() && answer.status.is_success() {
            answer.insert(PREFERENCE_APPLIED, ALL_MEMBERS);
        }
    }
}
