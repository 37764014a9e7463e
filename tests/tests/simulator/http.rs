//! A client that shows what came over the connection, including how it ended.

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use graph_operation_tests::simulator::Simulator;
use serde_json::Value;

/// Enough to distinguish an endless body from any other.
const LIMIT: u64 = 1024 * 1024;

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    fn parse(raw: &[u8]) -> Option<Self> {
        let end = raw.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&raw[..end]);
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut reply = Self { status, headers, body: raw[end + 4..].to_vec() };
        if reply.header("transfer-encoding") == Some("chunked") {
            reply.body = dechunked(&reply.body)?;
        }
        Some(reply)
    }

    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("an answer in UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The body as JSON, or null if there is none.
    pub(crate) fn json_or_null(&self) -> Value {
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// The code of the Graph error that the answer holds.
    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"].as_str().expect("a Graph error").to_owned()
    }
}

/// The whole body, from its chunks.
fn dechunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let length = std::str::from_utf8(&rest[..end]).ok()?;
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + length)?);
        rest = rest.get(end + 2 + length + 2..)?;
    }
}

/// Sends a request to an origin, and reads until the other side closes.
pub(crate) fn raw(
    origin: &str,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> io::Result<Vec<u8>> {
    let authority = origin.trim_start_matches("http://");
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n");
    for header in headers {
        request += header;
        request += "\r\n";
    }
    write!(stream, "{request}Content-Length: {}\r\n\r\n{body}", body.len())?;
    let mut answer = Vec::new();
    stream.take(LIMIT).read_to_end(&mut answer)?;
    Ok(answer)
}

pub(crate) trait Calls {
    fn call(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Reply;

    fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &["Authorization: Bearer t"], "")
    }

    fn post(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, body)
    }

    /// Sends JSON, or nothing.
    fn send(&self, method: &str, path: &str, body: &str) -> Reply {
        let headers = ["Authorization: Bearer t", "Content-Type: application/json"];
        self.call(method, path, &headers[..=usize::from(!body.is_empty())], body)
    }

    /// Sends a control request to the simulator, and reads its answer.
    fn control(&self, path: &str, body: &str) -> Reply {
        self.call("POST", &format!("/_simulator/{path}"), &[], body)
    }

    /// Starts an operation, and returns the path at which it is read.
    fn start(&self, path: &str, body: &str) -> String {
        let reply = self.post(path, body);
        assert_eq!(reply.status, 202, "{}", reply.text());
        let version = path.split('/').nth(1).unwrap_or_default();
        format!("/{version}{}", reply.header("location").expect("a location"))
    }

    fn archive(&self, team: &str) -> String {
        self.start(&format!("/v1.0/teams/{team}/archive"), "")
    }

    /// The status that one check shows, or else the HTTP status of its answer.
    fn status(&self, operation: &str) -> String {
        let reply = self.get(operation);
        if reply.status == 200 {
            reply.json()["status"].as_str().unwrap().to_owned()
        } else {
            reply.status.to_string()
        }
    }
}

impl Calls for Simulator {
    fn call(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Reply {
        self.origin().call(method, path, headers, body)
    }
}

impl Calls for String {
    fn call(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Reply {
        let answer = raw(self, method, path, headers, body).expect("an answer");
        Reply::parse(&answer).expect("a whole head")
    }
}
