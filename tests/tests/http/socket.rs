//! A server that sends what no HTTP library would.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;
use std::time::Duration;

/// Sends `response` to one request, and waits until the client closes the connection.
///
/// Returns the origin, and a thread that returns whether the client opened another connection.
pub(crate) fn serve(response: impl Into<String>) -> (String, JoinHandle<bool>) {
    serve_slowly(response, 0)
}

/// The same, with so many further bytes after the response, one every 50 ms.
pub(crate) fn serve_slowly(
    response: impl Into<String>,
    further: usize,
) -> (String, JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let response = response.into();
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let _ = connection.read(&mut [0; 4096]).unwrap();
        connection.write_all(response.as_bytes()).unwrap();
        for _ in 0..further {
            std::thread::sleep(Duration::from_millis(50));
            if connection.write_all(b"x").is_err() {
                break;
            }
        }
        while connection.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
        listener.set_nonblocking(true).unwrap();
        listener.accept().is_ok()
    });
    (origin, server)
}

/// Answers one request, and gives the origin, and in the end the head of the request.
pub(crate) fn listen() -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            connection.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}").unwrap();
        String::from_utf8(head).unwrap().to_ascii_lowercase()
    });
    (origin, server)
}

/// The service root of a server that refuses connections: its port was free a moment ago.
pub(crate) fn refusing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}/v1.0", listener.local_addr().unwrap())
}
