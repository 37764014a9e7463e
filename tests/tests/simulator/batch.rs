//! `$batch`, as documented and as observed by its users.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use graph_operation_tests::simulator::{
    End, Fault, FaultPlan, Life, Occasion, Options, RetryAfter, Simulator,
};
use serde_json::{Value, json};

use super::http::{Calls as _, Reply, raw};

const URL: &str = "/v1.0/$batch";

fn simulator() -> Simulator {
    Simulator::spawn(Options::new()).unwrap()
}

fn get(id: &str, url: &str) -> Value {
    json!({ "id": id, "method": "GET", "url": url })
}

fn archive(id: &str, team: &str) -> Value {
    json!({
        "id": id,
        "method": "POST",
        "url": format!("/teams/{team}/archive"),
        "headers": { "content-type": "application/json" },
        "body": {},
    })
}

fn send(simulator: &Simulator, requests: &[Value]) -> Reply {
    simulator.post(URL, &json!({ "requests": requests }).to_string())
}

/// The responses by id, each once.
fn responses(reply: &Reply) -> HashMap<String, Value> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let list = reply.json()["responses"].as_array().unwrap().clone();
    let by_id: HashMap<_, _> = list
        .iter()
        .map(|response| (response["id"].as_str().unwrap().to_owned(), response.clone()))
        .collect();
    assert_eq!(by_id.len(), list.len(), "{list:?}");
    by_id
}

/// A header of a response, whose names come in both cases.
fn header(response: &Value, name: &str) -> Option<String> {
    let headers = response["headers"].as_object()?;
    let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.and_then(|(_, value)| value.as_str().map(str::to_owned))
}

/// Starts an operation of each team in one batch, and returns the relative URLs to check.
fn started(simulator: &Simulator, teams: &[&str]) -> Vec<String> {
    let requests: Vec<_> = teams.iter().map(|team| archive(team, team)).collect();
    let responses = responses(&send(simulator, &requests));
    let urls = teams.iter().map(|team| {
        let response = &responses[*team];
        assert_eq!(response["status"], 202, "{response}");
        assert!(response.get("body").is_none_or(Value::is_null));
        header(response, "location").unwrap()
    });
    urls.collect()
}

#[test]
fn twenty_operations_start_and_are_checked_in_one_request_each() {
    let simulator = simulator();
    let teams: Vec<String> = (0..20).map(|number| format!("t{number}")).collect();
    let teams: Vec<&str> = teams.iter().map(String::as_str).collect();
    let urls = started(&simulator, &teams);
    let checks: Vec<_> = urls.iter().zip(&teams).map(|(url, team)| get(team, url)).collect();
    for expected in ["notStarted", "inProgress", "succeeded"] {
        let answers = responses(&send(&simulator, &checks));
        assert_eq!(answers.len(), 20);
        for (team, response) in answers {
            assert_eq!(
                (&response["status"], &response["body"]["status"]),
                (&json!(200), &json!(expected))
            );
            assert_eq!(response["body"]["targetResourceId"], team);
            assert!(header(&response, "content-type").unwrap().starts_with("application/json"));
        }
    }
    let counts = simulator.counts();
    assert_eq!(
        (counts.requests, counts.batches, counts.items, counts.checks, counts.starts),
        (4, 4, 80, 60, 20)
    );
    let records = simulator.requests();
    let item = records[1].batch.as_ref().unwrap();
    assert_eq!((item.envelope, item.id.as_str()), (0, "t0"));
    assert!(records[0].batch.is_none() && records[0].occasion == Some(Occasion::Batch));
    assert!(simulator.operations().iter().all(|operation| operation.checks == 3));
}

#[test]
fn responses_come_in_an_order_that_the_seed_decides() {
    let order = |seed| {
        let simulator = Simulator::spawn(Options::new().seed(seed)).unwrap();
        let requests: Vec<_> = (0..20).map(|id| get(&id.to_string(), "/teams/none")).collect();
        let reply = send(&simulator, &requests).json();
        let list = reply["responses"].as_array().unwrap().clone();
        let ids = list.iter().map(|response| response["id"].as_str().unwrap().to_owned());
        let names: Vec<String> = list
            .iter()
            .flat_map(|one| one["headers"].as_object().unwrap().keys().cloned())
            .collect();
        assert!(names.iter().any(|name| name == "Request-Id"));
        assert!(names.iter().any(|name| name == "request-id"));
        assert!(!names.iter().any(|name| name == "content-type"));
        ids.collect::<Vec<_>>()
    };
    assert_eq!(order(1), order(1));
    assert_ne!(order(1), order(2));
    assert!(order(1) != (0..20).map(|id| id.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_malformed_envelope_is_refused_as_a_whole() {
    let simulator = simulator();
    let write = json!({ "id": "1", "method": "POST", "url": "/teams/a/unarchive" });
    let with = |name: &str, value: Value| {
        let mut request = archive("1", "a");
        request[name] = value;
        vec![request]
    };
    let twenty_one: Vec<_> = (0..21).map(|id| get(&id.to_string(), "/teams/a")).collect();
    for (requests, message) in [
        (vec![], "Invalid batch payload format."),
        (twenty_one, "maximum value of 20"),
        (vec![get("a", "/teams/a"), get("A", "/teams/a")], "has to be unique"),
        (vec![get("", "/teams/a")], "cannot be empty"),
        (vec![json!({ "method": "GET", "url": "/teams/a" })], "cannot be empty"),
        (vec![get("1", "https://graph.microsoft.com/v1.0/teams/a")], "not relative"),
        (vec![get("1", "//127.0.0.1/v1.0/teams/a")], "not relative"),
        (vec![get("1", "/$batch")], "cannot be nested"),
        (with("atomicityGroup", json!("g")), "atomicityGroup"),
        (with("method", json!("NO METHOD")), "no valid method"),
        (with("headers", json!({})), "does not contain Content-Type header or body."),
        (vec![write], "Write request id : 1 does not contain Content-Type header or body."),
        (with("dependsOn", json!(["2"])), "depends on"),
        (with("dependsOn", json!(["1"])), "depends on"),
    ] {
        let reply = send(&simulator, &requests);
        assert_eq!((reply.status, reply.code().as_str()), (400, "BadRequest"), "{message}");
        let text = reply.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(text.contains(message), "{text}");
    }
    for body in ["", "[]", "{", r#"{"requests":{}}"#] {
        assert_eq!(simulator.post(URL, body).status, 400);
    }
    let token = "Authorization: Bearer t";
    assert_eq!(simulator.call("POST", URL, &[token, "Content-Type: text/plain"], "{}").status, 415);
    assert_eq!(simulator.call("POST", URL, &["Content-Type: application/json"], "{}").status, 401);
    assert_eq!(simulator.get(URL).status, 405);
    assert!(simulator.operations().is_empty());
}

#[test]
fn urls_get_the_version_of_the_batch_and_its_token() {
    let simulator = simulator();
    let requests = [get("1", "teams/a"), get("2", "/v1.0/teams/a"), get("3", "/nowhere")];
    let body = json!({ "requests": requests }).to_string();
    let reply = simulator.post("/beta/$batch", &body);
    let responses = responses(&reply);
    assert_eq!(responses["1"]["status"], 404);
    assert_eq!(responses["2"]["status"], 400, "the version is there twice");
    assert_eq!(responses["3"]["status"], 400);
    let inner = &responses["1"]["body"]["error"]["innerError"]["request-id"];
    assert_eq!(inner, reply.header("request-id").unwrap(), "the id of the whole batch");
    let items = simulator.requests();
    assert_eq!(items[1].path, "/beta/teams/a");
    assert_eq!(items[1].token, items[0].token);
}

#[test]
fn an_items_headers_are_its_own() {
    let options = Options::new().life("status:paused=9,succeeded".parse().unwrap());
    let simulator = Simulator::spawn(options).unwrap();
    let urls = started(&simulator, &["a"]);
    let mut asking = get("2", &urls[0]);
    asking["headers"] = json!({ "PREFER": "include-unknown-enum-members" });
    let body = json!({ "requests": [get("1", &urls[0]), asking] }).to_string();
    let headers = [
        "Authorization: Bearer t",
        "Content-Type: application/json",
        "Prefer: include-unknown-enum-members",
    ];
    let responses = responses(&simulator.call("POST", URL, &headers, &body));
    assert_eq!(responses["1"]["body"]["status"], "unknownFutureValue");
    assert_eq!(responses["2"]["body"]["status"], "paused");
    assert!(header(&responses["2"], "preference-applied").is_some());

    // `respond-async` is ignored inside a batch: the session is created at once.
    let session = json!({
        "id": "1",
        "method": "POST",
        "url": "/me/drive/items/i/workbook/createSession",
        "headers": { "Content-Type": "application/json", "Prefer": "respond-async" },
        "body": { "persistChanges": true },
    });
    let responses = self::responses(&send(&simulator, &[session]));
    assert_eq!(responses["1"]["status"], 201);
}

#[test]
fn what_depends_on_a_failure_is_not_carried_out() {
    let simulator = simulator();
    let after = |mut request: Value, ids: &[&str]| {
        request["dependsOn"] = json!(ids);
        request
    };
    let requests = [
        after(archive("4", "c"), &["3"]),
        after(archive("2", "b"), &["1"]),
        archive("3", "ok"),
        get("1", "/teams/missing"),
        after(archive("5", "d"), &["2", "3"]),
    ];
    let responses = responses(&send(&simulator, &requests));
    let statuses = ["1", "2", "3", "4", "5"].map(|id| responses[id]["status"].as_u64().unwrap());
    assert_eq!(statuses, [404, 424, 202, 202, 424]);
    assert_eq!(responses["2"]["body"]["error"]["code"], "FailedDependency");
    assert_eq!(simulator.operations().len(), 2);
    let counts = simulator.counts();
    assert_eq!((counts.items, counts.starts), (5, 2), "what is not carried out counts as an item");
}

#[test]
fn an_envelope_has_faults_of_its_own() {
    let faults = [
        (Fault::Throttle(RetryAfter::Seconds(7)), 429),
        (Fault::ServiceUnavailable, 503),
        (Fault::Error(400), 400),
        (Fault::Error(404), 404),
        (Fault::Error(405), 405),
        (Fault::Error(501), 501),
        (Fault::InternalServerError, 500),
        (Fault::GatewayTimeout, 504),
        (Fault::HtmlBadGateway, 502),
        (Fault::HtmlOk, 200),
    ];
    let plan = FaultPlan::new()
        .sequence(Occasion::Batch, faults.iter().map(|(fault, _)| fault.clone()))
        .nth(Occasion::Batch, 11, Fault::Close);
    let simulator = Simulator::spawn(Options::new().faults(plan)).unwrap();
    let requests = [archive("1", "a")];
    for (fault, status) in faults {
        let reply = send(&simulator, &requests);
        assert_eq!(reply.status, status, "{fault}");
        if fault == Fault::Throttle(RetryAfter::Seconds(7)) {
            assert_eq!(reply.header("retry-after"), Some("7"));
        }
        if matches!(fault, Fault::Error(_)) {
            assert!(!reply.code().is_empty());
        }
    }
    // The page of HTML replaced a response that had been sent.
    assert_eq!(simulator.counts().items, 1);
    let headers = ["Authorization: Bearer t", "Content-Type: application/json"];
    let body = json!({ "requests": requests }).to_string();
    assert!(raw(&simulator.origin(), "POST", URL, &headers, &body).unwrap_or_default().is_empty());
    assert_eq!(responses(&send(&simulator, &requests)).len(), 1);
}

#[test]
fn items_have_faults_of_their_own() {
    let plan = FaultPlan::new().sequence(
        Occasion::Item,
        [
            Fault::MissingItem,
            Fault::DoubledItem,
            Fault::UnknownItem,
            Fault::Throttle(RetryAfter::Seconds(3)),
            Fault::Unauthorized,
            Fault::BadGateway,
            Fault::HtmlBadGateway,
            Fault::EmptyBody,
            Fault::Close,
        ],
    );
    let options = Options::new().life(Life::new(End::Succeeded)).faults(plan);
    let simulator = Simulator::spawn(options).unwrap();
    let operation = simulator.archive("a");
    let url = operation.strip_prefix("/v1.0").unwrap();
    let answers = [(); 10].map(|()| {
        let reply = send(&simulator, &[get("x", url)]).json();
        reply["responses"].as_array().unwrap().clone()
    });
    assert!(answers[0].is_empty() && answers[8].is_empty());
    assert_eq!(answers[1].len(), 2);
    assert_eq!(answers[1][0], answers[1][1]);
    assert_eq!(answers[2][0]["id"], "x-unknown");
    assert_eq!(answers[3][0]["status"], 429);
    assert_eq!(header(&answers[3][0], "retry-after").as_deref(), Some("3"));
    assert_eq!(answers[4][0]["status"], 401);
    assert!(header(&answers[4][0], "www-authenticate").unwrap().starts_with("Bearer realm"));
    assert_eq!(answers[5][0]["body"]["error"]["code"], "BadGateway");
    let page = answers[6][0]["body"].as_str().unwrap();
    assert!(String::from_utf8(STANDARD.decode(page).unwrap()).unwrap().contains("<html>"));
    assert!(answers[7][0].get("body").is_none_or(Value::is_null));
    assert_eq!(answers[9][0]["body"]["status"], "succeeded");
    let report = &simulator.operations()[0];
    assert_eq!((report.checks, report.faults, report.ends), (10, 9, 1));
}

#[test]
fn faults_of_checks_and_starts_apply_inside_batches_too() {
    let plan = FaultPlan::new()
        .sequence(Occasion::Start, [Fault::ServiceUnavailable])
        .sequence(Occasion::Check, [Fault::Throttle(RetryAfter::Seconds(2))]);
    let simulator = Simulator::spawn(Options::new().faults(plan)).unwrap();
    let responses = responses(&send(&simulator, &[archive("1", "a")]));
    assert_eq!(responses["1"]["status"], 503);
    let urls = started(&simulator, &["a"]);
    let statuses = [(); 2].map(|()| {
        self::responses(&send(&simulator, &[get("1", &urls[0])]))["1"]["status"].as_u64().unwrap()
    });
    assert_eq!(statuses, [429, 200]);
}

#[test]
fn a_body_that_is_not_json_is_sent_as_base64() {
    let simulator = simulator();
    let mut request = archive("1", "a");
    request["headers"] = json!({ "Content-Type": "text/plain" });
    request["body"] = STANDARD.encode("plain").into();
    let responses = responses(&send(&simulator, &[request]));
    assert_eq!(responses["1"]["status"], 415);
    assert_eq!(&simulator.requests()[1].body[..], b"plain");
}
