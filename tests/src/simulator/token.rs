//! Bearer tokens: which one a request has, and whose it is.

use std::collections::HashMap;

use axum::http::HeaderMap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use super::record;

/// The token of an `Authorization` header, its scheme read without regard to case.
pub(super) fn bearer(headers: &HeaderMap) -> Option<String> {
    let authorization = record::authorization(headers)?;
    let (scheme, token) = authorization.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then(|| token.to_owned())
}

/// The app and tenant that a token was issued to, if it is a JWT that says so. All other tokens
/// belong to one app.
pub(super) fn app(token: &str) -> String {
    #[derive(Deserialize)]
    struct Claims {
        #[serde(default)]
        tid: String,
        #[serde(alias = "azp")]
        appid: String,
    }
    let payload = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims = payload.and_then(|json| serde_json::from_slice::<Claims>(&json).ok());
    claims.map(|claims| format!("{}/{}", claims.tid, claims.appid)).unwrap_or_default()
}

/// Names for the tokens, so that records distinguish them without showing them.
#[derive(Debug, Default)]
pub(super) struct Labels {
    known: HashMap<String, usize>,
}

impl Labels {
    /// `token-1` for the first token that came, `token-2` for the next one.
    pub(super) fn label(&mut self, token: &str) -> String {
        let next = self.known.len() + 1;
        format!("token-{}", self.known.entry(token.to_owned()).or_insert(next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_identified_by_its_claims() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"tid":"t","appid":"a","exp":1}"#);
        assert_eq!(app(&format!("e30.{payload}.sig")), "t/a");
        let payload = URL_SAFE_NO_PAD.encode(r#"{"azp":"b"}"#);
        assert_eq!(app(&format!("e30.{payload}.sig")), "/b");
        for opaque in ["x", "a.b.c", ""] {
            assert_eq!(app(opaque), "");
        }
    }

    #[test]
    fn labels_are_given_in_order() {
        let mut labels = Labels::default();
        let given = ["x", "y", "x"].map(|token| labels.label(token));
        assert_eq!(given, ["token-1", "token-2", "token-1"]);
    }
}
