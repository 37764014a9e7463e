//! The address of an operation or of its target.
//!
//! Graph writes it relative and **without a version**: `/teams('1')/operations('2')`. Resolved by
//! RFC 3986 against the request's URL it would lose the version and be refused; it has to be
//! appended to the service root. Absolute ones are kept, if they stay on the service root's own
//! scheme, host and port: the caller's token goes wherever the address says.

use std::borrow::Cow;
use std::net::IpAddr;

use http::Uri;
use http::uri::{InvalidUri, Scheme};

use crate::error::{BoxError, Error, ErrorKind};
use crate::model::Monitor;
use crate::printable::{shown, shown_text};

/// No server that this library talks to accepts a longer one.
const LONGEST: usize = 16 * 1024;

/// Resolves an address as the service wrote it: against `base`, a URL below the service root, or
/// against the root itself.
///
/// A relative address, with or without its leading slash, is appended to the service root, with the
/// version that `base` has. An absolute one is returned as it is if it has the root's origin.
///
/// ```
/// use graph_operation::protocol::resolve;
///
/// let root = "https://graph.microsoft.com/v1.0".parse()?;
/// let called = "https://graph.microsoft.com/beta/chats".parse()?;
/// let reference = b"/chats('19:x_y@unq.gbl.spaces')/operations('1')";
/// assert_eq!(
///     resolve(&root, Some(&called), reference).unwrap(),
///     "https://graph.microsoft.com/beta/chats('19:x_y@unq.gbl.spaces')/operations('1')",
/// );
/// assert!(resolve(&root, None, b"https://graph.microsoft.us/v1.0/teams").is_err());
/// # Ok::<(), http::uri::InvalidUri>(())
/// ```
///
/// # Errors
///
/// [`ErrorKind::ForeignLocation`] for another origin, and [`ErrorKind::InvalidLocation`] for a text
/// that is not an address, or leaves the service root through `..`.
pub fn resolve(root: &Uri, base: Option<&Uri>, reference: &[u8]) -> Result<Uri, Error> {
    let text = printable(reference)?;
    let uri = match scheme(text) {
        Some(scheme) => absolute(text, scheme)?,
        None => relative(root, base, text)?,
    };
    check_written(root, &uri, text)?;
    Ok(uri)
}

/// An address with a scheme.
fn absolute(text: &str, scheme: &str) -> Result<Uri, Error> {
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(invalid(text, "its scheme is not http"));
    }
    if !text.get(scheme.len()..).is_some_and(|rest| rest.starts_with("://")) {
        return Err(invalid(text, "it names no host"));
    }
    text.parse().map_err(|error: InvalidUri| malformed(text, error))
}

/// An address without a scheme, below the service root.
fn relative(root: &Uri, base: Option<&Uri>, text: &str) -> Result<Uri, Error> {
    if text.starts_with("//") {
        return Err(foreign(text));
    }
    let path = text.strip_prefix('/').unwrap_or(text);
    if path.is_empty() || path.starts_with(['?', '#']) {
        return Err(invalid(text, "its path is empty"));
    }
    let Some((scheme, authority)) = root.scheme().zip(root.authority()) else {
        let message = "the client's service root is not absolute";
        return Err(invalid_location(&root.to_string(), message));
    };
    Uri::builder()
        .scheme(scheme.clone())
        .authority(authority.clone())
        .path_and_query(path_below(root, base, text))
        .build()
        .map_err(|error| malformed(text, error))
}

/// The path of an address without a scheme: below the root's path, unless it begins with that path.
fn path_below(root: &Uri, base: Option<&Uri>, text: &str) -> String {
    let path = text.strip_prefix('/').unwrap_or(text);
    let below = root.path().trim_end_matches('/');
    let (prefix, own) = split_version(below);
    let first = path.split_once('/').map_or("", |(first, _)| first);
    let names_root = text.strip_prefix(below).is_some_and(|rest| rest.starts_with('/'));
    if !below.is_empty() && names_root {
        text.to_owned()
    } else if is_version(first) && is_version(own) {
        format!("{prefix}/{path}")
    } else if is_version(first) {
        format!("{below}/{path}")
    } else {
        format!("{}/{path}", version(root, base))
    }
}

/// Resolves the address of an operation that is read at `monitor`.
pub(crate) fn resolve_at(
    monitor: Monitor,
    root: &Uri,
    base: Option<&Uri>,
    reference: &[u8],
) -> Result<Uri, Error> {
    match monitor {
        Monitor::Anonymous => resolve_anonymous(reference),
        Monitor::ServiceRoot => resolve(root, base, reference),
    }
}

/// Reads the address of a monitor on another host, which gets no credential: absolute, and https,
/// or http on this machine.
fn resolve_anonymous(reference: &[u8]) -> Result<Uri, Error> {
    let text = printable(reference)?;
    let uri: Uri = text.parse().map_err(|error: InvalidUri| malformed(text, error))?;
    let Some(host) = uri.host() else {
        return Err(invalid(text, "it names no host"));
    };
    let encrypted = uri.scheme() == Some(&Scheme::HTTPS);
    let local = uri.scheme() == Some(&Scheme::HTTP) && is_loopback(host);
    if !encrypted && !local {
        return Err(invalid(text, "its scheme is not https"));
    }
    if holds_credentials(&uri) {
        return Err(invalid(text, "it contains credentials"));
    }
    Ok(uri)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Fails unless `uri` has the origin of `root`, and is an address to which a request can be sent.
pub(super) fn check(root: &Uri, uri: &Uri) -> Result<(), Error> {
    check_written(root, uri, &uri.to_string())
}

/// The same for an address that was written as `text`, which the error shows.
fn check_written(root: &Uri, uri: &Uri, text: &str) -> Result<(), Error> {
    if holds_credentials(root) {
        let host = root.host().unwrap_or_default();
        return Err(invalid_location(host, "the client's service root contains credentials"));
    }
    if !same_origin(root, uri) {
        return Err(foreign(text));
    }
    if holds_credentials(uri) {
        return Err(invalid(text, "it contains credentials"));
    }
    if uri.path().split('/').any(is_dot_segment) {
        return Err(invalid(text, "it has dot segments"));
    }
    Ok(())
}

/// Whether both are absolute and have the same scheme, host and port.
///
/// A client that always follows redirects compares the URL that a response came from with its
/// service root, as the adapters do, and refuses a response from another origin.
pub fn same_origin(one: &Uri, other: &Uri) -> bool {
    let same_host = match (one.host(), other.host()) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        _ => false,
    };
    same_host
        && one.scheme() == other.scheme()
        && port(one).is_some_and(|port_of_one| port(other) == Some(port_of_one))
}

fn holds_credentials(uri: &Uri) -> bool {
    uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
}

/// `None` if the port is not a valid number.
fn port(uri: &Uri) -> Option<u16> {
    let authority = uri.authority()?;
    let text = authority.as_str();
    let host_and_port = text.rsplit_once('@').map_or(text, |(_, rest)| rest);
    let after_host = host_and_port.get(authority.host().len()..)?;
    match after_host.strip_prefix(':') {
        Some(port) if !port.is_empty() => authority.port_u16(),
        _ => match uri.scheme()? {
            scheme if *scheme == Scheme::HTTPS => Some(443),
            scheme if *scheme == Scheme::HTTP => Some(80),
            _ => None,
        },
    }
}

/// The text of a header's value, without what surrounds the address in it.
fn printable(reference: &[u8]) -> Result<&str, Error> {
    let Ok(text) = std::str::from_utf8(reference) else {
        let text = String::from_utf8_lossy(reference);
        return Err(invalid(&text, "it contains characters that are not allowed in a URL"));
    };
    // A trailing comma has been published more than once. All of them are removed, because a resolved
    // address is read again when its operation is resumed.
    let text = text.trim_start_matches([' ', '\t']).trim_end_matches([' ', '\t', ',']);
    if text.is_empty() {
        return Err(invalid_location(text, "the location is empty"));
    }
    if text.len() > LONGEST {
        return Err(invalid(text.get(..80).unwrap_or_default(), "it is too long"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.contains('\\') {
        return Err(invalid(text, "it contains characters that are not allowed in a URL"));
    }
    Ok(text)
}

/// The scheme that the address begins with, by RFC 3986; `chats('19:x')` has none.
fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    (bytes.next()?.is_ascii_alphabetic()
        && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.')))
    .then_some(scheme)
}

/// The root's path, with its version replaced by the one in `base`.
///
/// The version is the last path segment of the root. In a URL, it is the segment at the same position.
/// A root without a version uses the version of the URL that was called.
fn version<'a>(root: &'a Uri, base: Option<&'a Uri>) -> Cow<'a, str> {
    let path = root.path().trim_end_matches('/');
    let Some(called) = base.filter(|base| same_origin(root, base)).map(Uri::path) else {
        return Cow::Borrowed(path);
    };
    let (prefix, own) = split_version(path);
    if !is_version(own)
        && let Some(called) = segment_after(called, path).filter(|called| is_version(called))
    {
        return Cow::Owned(format!("{path}/{called}"));
    }
    match segment_after(called, prefix) {
        Some(called) if is_version(own) && is_version(called) && called != own => {
            Cow::Owned(format!("{prefix}/{called}"))
        }
        _ => Cow::Borrowed(path),
    }
}

/// The segment of `path` that follows `prefix`, if it is not the last one.
fn segment_after<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let (segment, _) = path.strip_prefix(prefix)?.strip_prefix('/')?.split_once('/')?;
    Some(segment).filter(|segment| !segment.is_empty())
}

/// Splits `/prefix/v1.0` into `/prefix` and `v1.0`.
pub(super) fn split_version(path: &str) -> (&str, &str) {
    path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", ""))
}

/// Whether a segment is an API version, such as `v1.0` or `beta`. No resource of the service is
/// called that.
pub(super) fn is_version(segment: &str) -> bool {
    segment == "beta"
        || segment
            .strip_prefix('v')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

fn is_dot_segment(segment: &str) -> bool {
    let mut rest = segment;
    let mut dots = 0;
    while !rest.is_empty() {
        let Some(next) = rest
            .strip_prefix('.')
            .or_else(|| rest.strip_prefix("%2e"))
            .or_else(|| rest.strip_prefix("%2E"))
        else {
            return false;
        };
        rest = next;
        dots += 1;
    }
    (1..=2).contains(&dots)
}

/// The error for a response that came from another origin than the one that was asked.
pub(crate) fn foreign_response(asked: &Uri, url: &str) -> Error {
    let url = shown_text(url);
    let message = format!(
        "the response came from {url}, whose origin is not that of {}; \
         configure the HTTP client to follow no redirects",
        shown(asked)
    );
    Error::new(ErrorKind::ForeignLocation, message).with_location(url.to_string())
}

fn foreign(text: &str) -> Error {
    let shown = shown_text(text);
    let message = format!(
        "the location {shown:?} does not have the service root's origin, and is not followed"
    );
    Error::new(ErrorKind::ForeignLocation, message).with_location(shown.to_string())
}

fn invalid(text: &str, why: &str) -> Error {
    let shown = shown_text(text);
    invalid_location(text, format!("the location {shown:?} is not a usable address: {why}"))
}

fn malformed(text: &str, source: impl Into<BoxError>) -> Error {
    let shown = shown_text(text);
    invalid_location(text, format!("the location {shown:?} is not a usable address"))
        .with_source(source)
}

fn invalid_location(text: &str, message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidLocation, message).with_location(shown_text(text).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "https://graph.microsoft.com/v1.0";

    fn resolved(root: &str, base: &str, reference: &str) -> Result<String, ErrorKind> {
        let base = (!base.is_empty()).then(|| base.parse().unwrap());
        resolve(&root.parse().unwrap(), base.as_ref(), reference.as_bytes())
            .map(|uri| uri.to_string())
            .map_err(|error| error.kind())
    }

    #[test]
    fn every_form_seen_is_appended_to_the_version() {
        for path in [
            "/teams('a')/operations('b')",
            "/teams/a/operations/b",
            "/teams(a)/operations(b)",
            "/chats('19:x_y@unq.gbl.spaces')/operations('1-2-3')",
            "/sites/getOperationStatus(operationId='e00f')",
            "/sites/root/lists/Documents/operations/contentTypeCopy,0x0101",
            "/me/workbook/operations/0195?sessionId=Y2x1==",
            "/teams{id}/operations({opId})",
            "/19:x_y/operations/1",
            "/teams/.../operations/1",
        ] {
            let expected = Ok(format!("{ROOT}{path}"));
            assert_eq!(resolved(ROOT, "", path), expected);
            assert_eq!(resolved(&format!("{ROOT}/"), "", path), expected);
            assert_eq!(resolved(ROOT, &format!("{ROOT}/teams"), path), expected);
            assert_eq!(resolved(ROOT, "", &format!(" {path}, ")), expected);
            // Absolute ones are kept, whatever their version.
            assert_eq!(resolved(ROOT, "", &format!("{ROOT}{path}")), expected);
            // The leading slash is not needed.
            assert_eq!(resolved(ROOT, "", path.trim_start_matches('/')), expected);
            // A version that is there already is not added again.
            assert_eq!(resolved(ROOT, "", &format!("/v1.0{path}")), expected);
        }
    }

    #[test]
    fn the_version_is_the_one_that_was_called() {
        let beta = "https://graph.microsoft.com/beta/teams('a')/operations('b')";
        let called = "https://GRAPH.microsoft.com:443/beta/teams/a/archive?x=/y";
        let reference = "/teams('a')/operations('b')";
        assert_eq!(resolved(ROOT, called, reference).unwrap(), beta);
        assert_eq!(resolved(ROOT, called, "/beta/teams('a')/operations('b')").unwrap(), beta);

        let own = format!("{ROOT}{reference}");
        for elsewhere in [
            "https://graph.microsoft.us/beta/teams",
            "http://graph.microsoft.com/beta/teams",
            "https://graph.microsoft.com/beta",
            "https://graph.microsoft.com/",
            "https://graph.microsoft.com/../teams",
        ] {
            assert_eq!(resolved(ROOT, elsewhere, reference).unwrap(), own, "{elsewhere}");
        }
        for (root, called, reference, expected) in [
            (
                "http://[::1]:8080/proxy/v1.0",
                "http://[::1]:8080/proxy/beta/x",
                "/y",
                "/proxy/beta/y",
            ),
            ("http://[::1]:8080/proxy/v1.0", "", "/proxy/v1.0/y", "/proxy/v1.0/y"),
            ("http://[::1]:8080/proxy/v1.0", "", "/beta/y", "/proxy/beta/y"),
            // The prefix of a root without a version is kept, and no resource is mistaken for a
            // version.
            ("http://[::1]:8080/graph", "", "/v1.0/y", "/graph/v1.0/y"),
            ("http://[::1]:8080/graph", "", "v1.0/y", "/graph/v1.0/y"),
            ("http://[::1]:8080/v1.0", "http://[::1]:8080/me/x", "/y", "/v1.0/y"),
            // Without a version of its own, a root takes the one that was called.
            ("http://[::1]:8080", "http://[::1]:8080/beta/teams/1", "/y", "/beta/y"),
            (
                "http://[::1]:8080/proxy",
                "http://[::1]:8080/proxy/v1.0/teams",
                "/y",
                "/proxy/v1.0/y",
            ),
            ("http://[::1]:8080", "http://[::1]:8080/teams/1", "/y", "/y"),
            ("http://[::1]:8080", "", "/v1.0/y", "/v1.0/y"),
            // A version in the address stays.
            (
                "http://[::1]:8080/graph",
                "http://[::1]:8080/graph/beta/teams/1",
                "/v1.0/y",
                "/graph/v1.0/y",
            ),
            // A segment below the root's own version is not a version.
            ("http://[::1]:8080/v1.0", "http://[::1]:8080/v1.0/beta/x", "/y", "/v1.0/y"),
        ] {
            let expected = format!("http://[::1]:8080{expected}");
            assert_eq!(resolved(root, called, reference).unwrap(), expected, "{root} {called}");
        }
    }

    #[test]
    fn origins_are_compared_by_scheme_host_and_port() {
        for same in [
            "https://graph.microsoft.com:443/v1.0/teams",
            "HTTPS://GRAPH.MICROSOFT.COM/v1.0/teams",
            "https://graph.microsoft.com/beta/teams",
            "https://graph.microsoft.com:/v1.0/teams",
        ] {
            assert!(resolved(ROOT, "", same).is_ok(), "{same}");
        }
        for foreign in [
            "https://graph.microsoft.us/v1.0/teams",
            "https://graph.microsoft.com.evil.example/v1.0/teams",
            "https://graph.microsoft.com@evil.example/v1.0/teams",
            "https://evil.example/graph.microsoft.com/teams",
            "https://graph.microsoft.com:8443/v1.0/teams",
            "https://graph.microsoft.com./v1.0/teams",
            "http://graph.microsoft.com/v1.0/teams",
            "http://graph.microsoft.com:443/v1.0/teams",
            "https://graph.microsoft.com:99999/v1.0/teams",
            "https://contoso.sharepoint.com/_api/v2.0/monitor/4A3407B5",
            "//evil.example/teams",
            "///evil.example/teams",
        ] {
            assert_eq!(resolved(ROOT, "", foreign), Err(ErrorKind::ForeignLocation), "{foreign}");
        }
    }

    #[test]
    fn an_address_without_a_known_port_has_no_origin() {
        for one in ["https://graph.microsoft.com:99999/a", "ftp://graph.microsoft.com/a", "/a"] {
            let one: Uri = one.parse().unwrap();
            assert!(!same_origin(&one, &one), "{one}");
        }
        assert_eq!(
            resolved("/v1.0", "", "https://graph.microsoft.com/v1.0/teams"),
            Err(ErrorKind::ForeignLocation)
        );
    }

    #[test]
    fn a_port_left_out_is_that_of_the_scheme() {
        let plain = "http://graph.microsoft.com/v1.0";
        for (root, port, same) in
            [(ROOT, 443, true), (ROOT, 80, false), (plain, 80, true), (plain, 443, false)]
        {
            let location = root.replace(".com", &format!(".com:{port}"));
            assert_eq!(resolved(root, "", &location).is_ok(), same, "{location}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        for text in [
            "",
            " ",
            ",",
            "/",
            "?a=b",
            "#a",
            "/users/{id | userPrincipalName}/operations/{id}",
            "/teams\\evil.example",
            "\\\\evil.example\\teams",
            "/te\tams",
            "/te\u{7f}ms",
            "/te\u{e4}ms",
            "/../../teams",
            "/teams/%2e%2E/x",
            "/teams/./x",
            "https://graph.microsoft.com/v1.0/../teams",
            "https://user:password@graph.microsoft.com/v1.0/teams",
            "https://",
            "https:///teams",
            "https:teams",
            "https:/graph.microsoft.com/teams",
            "ftp://graph.microsoft.com/teams",
            "a+b://graph.microsoft.com/teams",
            "a-b://graph.microsoft.com/teams",
            "a.b://graph.microsoft.com/teams",
            "a1://graph.microsoft.com/teams",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "data:text/plain,x",
            "/teams<script>",
            "/a, /b",
        ] {
            assert_eq!(resolved(ROOT, "", text), Err(ErrorKind::InvalidLocation), "{text:?}");
        }
        let long = |length: usize| format!("/{}", "x".repeat(length - 1));
        assert!(resolved(ROOT, "", &long(16_384)).is_ok());
        assert_eq!(resolved(ROOT, "", &long(16_385)), Err(ErrorKind::InvalidLocation));
        assert_eq!(resolved(ROOT, "", &long(70_000)), Err(ErrorKind::InvalidLocation));
        assert_eq!(
            resolve(&ROOT.parse().unwrap(), None, b"/te\xffms").unwrap_err().kind(),
            ErrorKind::InvalidLocation
        );
        for text in [format!("https://evil{}", long(16_000)), "\u{fffd}".repeat(10_000)] {
            let error = resolve(&ROOT.parse().unwrap(), None, text.as_bytes()).unwrap_err();
            assert!(error.to_string().len() < 3_000);
        }
        for root in ["https://user:password@graph.microsoft.com/v1.0", "/v1.0"] {
            assert_eq!(resolved(root, "", "/teams"), Err(ErrorKind::InvalidLocation), "{root}");
        }
    }

    #[test]
    fn an_error_says_which_address_is_wrong() {
        for (root, text, message) in [
            (ROOT, " ", "the location is empty"),
            (ROOT, "/te<ms", "the location \"/te<ms\" is not a usable address"),
            (
                ROOT,
                "ftp:a?secret",
                "the location \"ftp:a\" is not a usable address: its scheme is not http",
            ),
            (
                ROOT,
                "//u:secret@evil/",
                "the location \"//evil/\" does not have the service root's origin, \
                 and is not followed",
            ),
            (
                ROOT,
                "https://evil?secret",
                "the location \"https://evil\" does not have the service root's origin, \
                 and is not followed",
            ),
            (
                ROOT,
                "https://u:secret@graph.microsoft.com/v1.0/a?secret",
                "the location \"https://graph.microsoft.com/v1.0/a\" is not a usable address: \
                 it contains credentials",
            ),
            (
                ROOT,
                "/../a?secret",
                "the location \"/../a\" is not a usable address: it has dot segments",
            ),
            ("/v1.0", "/teams", "the client's service root is not absolute"),
            ("https://u:secret@a/v1.0", "/teams", "the client's service root contains credentials"),
        ] {
            let error = resolve(&root.parse().unwrap(), None, text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn a_monitor_elsewhere_is_https_or_on_this_machine() {
        for text in [
            "https://contoso.sharepoint.com/_api/v2.0/monitor/4A3407B5?tempauth=secret",
            "https://api.onedrive.com/monitor/1",
            "http://127.0.0.1:8080/monitor/1",
            "http://localhost/monitor/1",
            "http://[::1]:8080/monitor/1",
        ] {
            assert_eq!(resolve_anonymous(text.as_bytes()).unwrap().to_string(), text);
        }
        for text in [
            "http://contoso.sharepoint.com/monitor/1",
            "http://127.0.0.1.evil.example/monitor/1",
            "https://user:secret@contoso.sharepoint.com/monitor/1",
            "/monitor/1",
            "monitor/1",
            "ftp://127.0.0.1/monitor",
            "",
        ] {
            let error = resolve_anonymous(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidLocation, "{text}");
            assert!(!format!("{error:#} {error:?}").contains("secret"));
        }
    }
}
