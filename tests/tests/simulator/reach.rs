//! How clients reach the simulator: over TLS, without a token, through another origin, compressed.

use std::{
    io::{self, Read as _, Write as _},
    sync::Arc,
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use graph_operation_tests::simulator::{Behaviour, Fault, FaultPlan, Occasion, Options, Simulator};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject as _},
    },
};

use super::http::Calls as _;

/// Sends a request over TLS, trusting only this authority.
async fn over_tls(authority: &str, url: &str, head: &str, body: &str) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_slice(authority.as_bytes()).unwrap();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let rest = url.strip_prefix("https://").unwrap();
    let (host, path) = rest.split_once('/').unwrap();
    let stream = TcpStream::connect(host).await?;
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let (method, headers) = head.split_once(' ').unwrap_or((head, ""));
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn location(answer: &str) -> &str {
    answer.lines().find_map(|line| line.strip_prefix("location: ")).expect("a location")
}

#[tokio::test]
async fn tls_is_served_under_an_authority_of_the_simulators_own() {
    let simulator = Simulator::start(Options::new().tls(true)).await.unwrap();
    let root = simulator.service_root();
    assert!(root.starts_with("https://127.0.0.1:"), "{root}");
    let authority = simulator.certificate().unwrap();
    let token = "Authorization: Bearer t\r\n";
    let (post, get) = (format!("POST {token}"), format!("GET {token}"));
    let started = over_tls(authority, &format!("{root}/teams/a/archive"), &post, "").await.unwrap();
    assert!(started.starts_with("HTTP/1.1 202"), "{started}");
    let url = format!("{root}{}", location(&started));
    let operation = over_tls(authority, &url, &get, "").await.unwrap();
    assert!(operation.contains(r#""status":"notStarted""#), "{operation}");

    let url = format!("{root}/drives/d/items/i/copy");
    let copied = over_tls(authority, &url, &post, r#"{"name":"n"}"#).await.unwrap();
    let monitor = over_tls(authority, location(&copied), "GET", "").await.unwrap();
    assert!(monitor.starts_with("HTTP/1.1 200"), "{monitor}");

    // A connection can be cut in the same way.
    let faults = FaultPlan::new().sequence(Occasion::Target, [Fault::Close, Fault::Cut]);
    simulator.set_default_behaviour(Behaviour::new().faults(faults));
    let url = format!("{root}/teams/a");
    for _ in 0..2 {
        let error = over_tls(authority, &url, &get, "").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
    }
    assert!(over_tls(authority, &url, &get, "").await.unwrap().contains("isArchived"));

    // Each simulator has an authority of its own.
    let other = Simulator::start(Options::new().tls(true)).await.unwrap();
    let error = over_tls(other.certificate().unwrap(), &root, &get, "").await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(Simulator::start(Options::new()).await.unwrap().certificate().is_none());
}

#[test]
fn a_client_without_a_token_is_accepted_on_demand() {
    let simulator = Simulator::spawn(Options::new().anonymous(true)).unwrap();
    let started = simulator.call("POST", "/v1.0/teams/a/archive", &[], "");
    assert_eq!(started.status, 202);
    assert_eq!(simulator.requests()[0].token, None);
    let strict = Simulator::spawn(Options::new()).unwrap();
    assert_eq!(strict.call("POST", "/v1.0/teams/a/archive", &[], "").status, 401);
}

#[test]
fn absolute_addresses_name_the_public_origin() {
    let options = Options::new()
        .public_origin("https://graph.example:8443/")
        .public_monitor_origin("https://files.example");
    let simulator = Simulator::spawn(options).unwrap();
    let community =
        simulator.post("/v1.0/employeeExperience/communities", r#"{"displayName":"c"}"#);
    let location = community.header("location").unwrap();
    assert!(location.starts_with("https://graph.example:8443/v1.0/"), "{location}");
    let operation = simulator.archive("a");
    let context = simulator.get(&operation).json()["@odata.context"].clone();
    assert!(context.as_str().unwrap().starts_with("https://graph.example:8443/v1.0/$metadata#"));
    let copy = simulator.post("/v1.0/drives/d/items/i/copy", r#"{"name":"n"}"#);
    assert!(copy.header("location").unwrap().starts_with("https://files.example/"));
    assert!(simulator.origin().starts_with("http://127.0.0.1:"));
}

#[tokio::test]
async fn bodies_are_compressed_both_ways() {
    let simulator = Simulator::start(Options::new()).await.unwrap();
    let client = reqwest::Client::new();
    let url = format!("{}/teams", simulator.service_root());
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(br#"{"displayName":"Zipped"}"#).unwrap();
    let request = client
        .post(&url)
        .bearer_auth("t")
        .header("content-type", "application/json")
        .header("content-encoding", "gzip")
        .body(encoder.finish().unwrap());
    let started = request.send().await.unwrap();
    assert_eq!(started.status(), 202);
    assert_eq!(&simulator.requests()[0].body[..], br#"{"displayName":"Zipped"}"#);

    let location = started.headers()["location"].to_str().unwrap().to_owned();
    let url = format!("{}{location}", simulator.service_root());
    let plain = client.get(&url).bearer_auth("t").send().await.unwrap();
    assert!(plain.headers().get("content-encoding").is_none());
    let request = client.get(&url).bearer_auth("t").header("accept-encoding", "gzip");
    let zipped = request.send().await.unwrap();
    assert_eq!(zipped.headers()["content-encoding"], "gzip");
    let mut json = String::new();
    let body = zipped.bytes().await.unwrap();
    GzDecoder::new(&body[..]).read_to_string(&mut json).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["operationType"], "createTeam");

    let garbage = client
        .post(format!("{}/teams", simulator.service_root()))
        .bearer_auth("t")
        .header("content-encoding", "gzip")
        .body("no gzip");
    assert_eq!(garbage.send().await.unwrap().status(), 400);
    let long = client.post(&url).bearer_auth("t").body(vec![b' '; 2 * 1024 * 1024]);
    // The connection may be gone before the whole body is written.
    assert!(long.send().await.map_or(true, |answer| answer.status() == 413));
}
