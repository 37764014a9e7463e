//! The simulator in a task, on a thread, and as a process.

use std::{
    io::{BufRead as _, BufReader},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

use graph_operation_tests::simulator::{Exchange, Options, Simulator};
use serde_json::json;

use super::http::Calls as _;

/// The binary, killed when the test is over.
struct Process {
    child: Child,
    origin: String,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_graph-simulator"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let origin =
            line.trim_end().strip_suffix("/v1.0").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { child, origin }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_process_does_what_its_flags_say_and_prints_its_address() {
    let process = Process::start(&[
        "--checks",
        "1",
        "--fail",
        "1",
        "--fault",
        "throttle=0,120",
        "--fault",
        "cut",
        "--seed",
        "3",
    ]);
    let origin = &process.origin;
    let operation = origin.archive("a");
    let throttled = origin.get(&operation);
    assert_eq!((throttled.status, throttled.header("retry-after")), (429, Some("0,120")));
    assert_eq!(origin.get(&operation).status, 200, "cut after its head");
    assert_eq!(origin.status(&operation), "failed");
    let report = origin.get("/_simulator/operations").json();
    assert_eq!(
        (&report[0]["checks"], &report[0]["faults"], &report[0]["ends"]),
        (&json!(3), &json!(2), &json!(1))
    );
    assert_eq!(report[0]["lastStatus"], "failed");
    let id = report[0]["id"].as_str().unwrap();
    let requests = origin.get(&format!("/_simulator/requests?operation={id}"));
    assert!(!requests.text().contains("Bearer"));
    let faults: Vec<_> = requests
        .json()
        .as_array()
        .unwrap()
        .iter()
        .map(|request| request["fault"].clone())
        .collect();
    assert_eq!(faults, [json!(null), json!("throttle=0,120"), json!("cut"), json!(null)]);
    assert_eq!(origin.get("/_simulator/foreign").json(), json!([]));
}

#[test]
fn the_process_serves_tls_with_a_certificate_that_it_writes_to_a_file() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_graph-simulator"))
        .args(["--tls", "--anonymous", "--strict", "--team", "t1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let [root, path] = [(); 2].map(|()| lines.next().unwrap().unwrap());
    let _killed = Process { child, origin: root.clone() };
    assert!(root.starts_with("https://127.0.0.1:") && root.ends_with("/v1.0"), "{root}");
    let pem = std::fs::read_to_string(path).unwrap();
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
}

#[test]
fn the_process_is_strict_on_demand() {
    let process = Process::start(&[
        "--anonymous",
        "--strict",
        "--team",
        "t1",
        "--rate",
        "1000",
        "--team-rate",
        "2",
        "--frozen-clock",
        "--retry-after",
        "1.5",
        "--public-origin",
        "https://graph.example",
        "--monitor",
        "personal",
        "--fault",
        "unavailable",
        "--fault-on",
        "batch",
    ]);
    let call = |method, path, body: &str| {
        process.origin.call(method, path, &["Content-Type: application/json"], body)
    };
    let started = call("POST", "/v1.0/teams/t1/archive", "");
    assert_eq!((started.status, started.header("retry-after")), (202, Some("1.5")));
    assert_eq!(call("POST", "/v1.0/teams/t2/archive", "").status, 404);
    let reads = [(); 2].map(|()| call("GET", "/v1.0/teams/t1", ""));
    assert_eq!(reads.each_ref().map(|reply| reply.status), [200, 429]);
    assert!(reads[0].text().contains("https://graph.example/v1.0/$metadata"));
    let copy = call("POST", "/v1.0/drives/d/items/i/copy", r#"{"name":"n"}"#);
    assert!(copy.header("location").unwrap().contains("/v1.0/monitor/"));
    let batch = r#"{"requests":[{"id":"1","method":"GET","url":"/teams"}]}"#;
    assert_eq!([(); 2].map(|()| call("POST", "/v1.0/$batch", batch).status), [503, 200]);
}

#[test]
fn the_process_refuses_what_it_does_not_know() {
    for arguments in [
        &["--fault-on", "start"][..],
        &["--public-origin", "graph.example"],
        &["--public-origin", "https://graph.example/path"],
        &["--monitor", "dropbox"],
        &["--retry-after", ""],
        &["--rate", "-1"],
        &["--fault", "gremlins"],
        &["--life", "in-progress=soon"],
        &["--fault-rate", "2"],
        &["--location", "nowhere"],
        &["--fault-every", "2"],
        &["--replay", "/nonexistent"],
    ] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_graph-simulator")).args(arguments).output().unwrap();
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty());
    }
}

#[test]
fn the_help_names_every_flag_and_fault() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_graph-simulator")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for word in graph_operation_tests::simulator::Fault::names() {
        assert!(help.contains(word), "{word}");
    }
    for word in [
        "--life",
        "--checks",
        "--fail ",
        "--readable-after",
        "--location",
        "--replay",
        "--tls",
        "--anonymous",
        "--public-origin",
        "--rate ",
        "--team-rate",
        "--strict",
        "--monitor ",
        "--retry-after",
        "--frozen-clock",
        "/_simulator/requests",
        "/_simulator/reset",
        "/_simulator/faults",
        "/_simulator/clock",
        "/_simulator/rate",
        "/_simulator/health",
    ] {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn a_recording_is_answered_before_anything_else() {
    let recording = json!([
        {"method": "POST", "path": "https://graph.microsoft.com/v1.0/teams/t/archive", "status": 202,
         "headers": {"Location": "/teams('t')/operations('o')", "request-id": "r1"}},
        {"path": "/teams('t')/operations('o')", "status": 200, "body": "{\"status\": \"inProgress\"}"},
        {"path": "/teams('t')/operations('o')", "status": 200, "body": "{\"status\": \"succeeded\"}"},
    ]);
    let exchanges = Exchange::read(&recording.to_string()).unwrap();
    let simulator = Simulator::spawn(Options::new().replay(exchanges)).unwrap();
    let started = simulator.post("/v1.0/teams/t/archive", "");
    assert_eq!((started.status, started.header("request-id")), (202, Some("r1")));
    let bodies =
        [(); 3].map(|()| simulator.get("/v1.0/teams('t')/operations('o')").text().to_owned());
    assert_eq!(
        bodies,
        ["inProgress", "succeeded", "succeeded"].map(|word| format!("{{\"status\": \"{word}\"}}"))
    );
    assert_eq!(simulator.requests()[2].operation.as_deref(), Some("o"));
    assert_eq!(simulator.status(&simulator.archive("other")), "notStarted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulator_in_a_task_can_be_stopped() {
    let simulator = Simulator::start(Options::new()).await.unwrap();
    let origin = simulator.origin();
    let asked = origin.clone();
    let status =
        tokio::task::spawn_blocking(move || asked.status(&asked.archive("a"))).await.unwrap();
    assert_eq!(status, "notStarted");
    simulator.stop().await;
    assert!(TcpStream::connect(origin.trim_start_matches("http://")).is_err());
}

#[test]
fn a_simulator_on_a_thread_stops_when_dropped() {
    let simulator = Simulator::spawn(Options::new()).unwrap();
    let address = simulator.origin().trim_start_matches("http://").to_owned();
    // An open connection does not keep it running.
    let _open = TcpStream::connect(&address).unwrap();
    drop(simulator);
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn a_taken_port_is_an_error() {
    let simulator = Simulator::spawn(Options::new()).unwrap();
    let port = simulator.origin().rsplit(':').next().unwrap().parse().unwrap();
    assert!(Simulator::spawn(Options::new().port(port)).is_err());
}
