//! The URLs of requests, made of literal paths or of arbitrary segments.

use std::fmt::Display;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Uri};
use serde::Serialize;

use crate::error::{Error, ErrorKind, Result};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// A path below the service root, joined with one slash, as it is.
pub(crate) fn join(root: &Uri, path: impl Display) -> String {
    let path = path.to_string();
    format!("{}/{}", base(root), path.trim_start_matches('/'))
}

/// The URL of a path below the service root, each segment of which is encoded.
pub(crate) fn of<I>(root: &Uri, segments: I) -> Result<String>
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let mut url = base(root);
    for (at, segment) in segments.into_iter().enumerate() {
        let segment = segment.as_ref();
        let wrong = match segment {
            "" => "is empty",
            // URL parsers go up a level for their encoded forms too.
            "." | ".." => "is a dot segment",
            _ => {
                url.push('/');
                encode(segment, &mut url);
                continue;
            }
        };
        let message = format!("segment {} of the path {wrong}", at + 1);
        return Err(Error::new(ErrorKind::InvalidLocation, message));
    }
    Ok(url)
}

pub(crate) fn request<I>(root: &Uri, method: Method, segments: I) -> Result<Request<Bytes>>
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let request = Request::builder().method(method).uri(of(root, segments)?).header(ACCEPT, JSON);
    Ok(request.body(Bytes::new())?)
}

pub(crate) fn request_json<I>(
    root: &Uri,
    method: Method,
    segments: I,
    body: &(impl Serialize + ?Sized),
) -> Result<Request<Bytes>>
where
    I: IntoIterator,
    I::Item: AsRef<str>,
{
    let body = serde_json::to_vec(body).map_err(|error| {
        Error::new(ErrorKind::Transport, "the body of the request cannot be serialized")
            .with_retryable(false)
            .with_source(error)
    })?;
    let mut request = request(root, method, segments)?.map(|_| Bytes::from(body));
    request.headers_mut().insert(CONTENT_TYPE, JSON);
    Ok(request)
}

fn base(root: &Uri) -> String {
    let origin = match (root.scheme(), root.authority()) {
        (Some(scheme), Some(authority)) => format!("{scheme}://{authority}"),
        _ => String::new(),
    };
    format!("{origin}{}", root.path().trim_end_matches('/'))
}

/// Percent-encodes what is not a character of a path segment by RFC 3986, `%` included. What has a
/// meaning in OData (`$ref`, `('1')`) stays: it does not leave its segment.
fn encode(segment: &str, url: &mut String) {
    const HEX: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    let hex = |nibble: u8| HEX.get(usize::from(nibble)).copied().unwrap_or('0');
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.extend(['%', hex(byte >> 4), hex(byte & 0xF)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(segments: &[&str]) -> Result<String> {
        of(&Uri::from_static("https://graph.microsoft.com/v1.0/"), segments)
    }

    #[test]
    fn no_segment_becomes_another_path() {
        for (segment, encoded) in [
            ("teams", "teams"),
            ("../../v1.0/chats?x=/", "..%2F..%2Fv1.0%2Fchats%3Fx=%2F"),
            ("..%2F..", "..%252F.."),
            ("%2e%2e", "%252e%252e"),
            ("19:a_b@thread.tacv2", "19:a_b@thread.tacv2"),
            ("a#b?c%d e\\f\"", "a%23b%3Fc%25d%20e%5Cf%22"),
            ("teams('1')", "teams('1')"),
            ("$ref", "$ref"),
            ("ä\u{202e}\r\n", "%C3%A4%E2%80%AE%0D%0A"),
            ("...", "..."),
        ] {
            let url = url(&["teams", segment, "archive"]).unwrap();
            assert_eq!(url, format!("https://graph.microsoft.com/v1.0/teams/{encoded}/archive"));
            let parsed: Uri = url.parse().unwrap();
            assert_eq!(parsed.path().split('/').count(), 5, "{segment}");
            assert_eq!(parsed.query(), None);
        }
    }

    #[test]
    fn empty_and_dot_segments_are_refused() {
        for segment in ["", ".", ".."] {
            let error = url(&["teams", segment]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidLocation, "{segment:?}");
            assert!(!error.is_retryable() && error.to_string().contains("segment 2"));
        }
    }

    #[test]
    fn a_request_has_its_headers_and_body() {
        let root = Uri::from_static("https://graph.microsoft.com/v1.0");
        let request = request_json(&root, Method::PATCH, ["a"], &[1, 2]).unwrap();
        assert_eq!(request.headers()["accept"], "application/json");
        assert_eq!(request.headers()["content-type"], "application/json");
        assert_eq!(&request.body()[..], b"[1,2]");
        assert!(super::request(&root, Method::POST, ["a"]).unwrap().headers().len() == 1);
    }
}
