//! The simulator's own routes.

use graph_operation_tests::simulator::{Options, Simulator};
use serde_json::{Value, json};

use super::http::Calls as _;

fn simulator() -> Simulator {
    Simulator::spawn(Options::new()).unwrap()
}

fn ask(simulator: &Simulator, path: &str) -> Value {
    simulator.call("GET", &format!("/_simulator/{path}"), &[], "").json()
}

fn set(simulator: &Simulator, path: &str, body: &Value) {
    let reply = simulator.control(path, &body.to_string());
    assert!((200..300).contains(&reply.status), "{}", reply.text());
}

#[test]
fn health_shows_addresses_and_counts() {
    let simulator = simulator();
    simulator.archive("a");
    let health = ask(&simulator, "health");
    assert_eq!(health["status"], "ok");
    assert_eq!(health["serviceRoot"], simulator.service_root());
    assert_eq!(health["monitorOrigin"], simulator.monitor_origin());
    assert_eq!((&health["operations"], &health["counts"]["starts"]), (&json!(1), &json!(1)));
}

#[test]
fn a_reset_forgets_everything_that_was_set() {
    let simulator = Simulator::spawn(Options::new().team("given")).unwrap();
    let first = simulator.archive("a");
    set(&simulator, "faults", &json!({ "rules": [{ "faults": ["unavailable"], "every": 1 }] }));
    set(&simulator, "rate", &json!({ "rate": 0 }));
    set(&simulator, "clock", &json!({ "skip": "90s" }));
    assert_eq!(simulator.status(&first), "429");
    assert_eq!(simulator.control("reset", "").status, 204);
    assert!(simulator.requests().is_empty() && simulator.operations().is_empty());
    assert_eq!(simulator.get(&first).status, 404);
    assert_eq!(ask(&simulator, "clock"), json!({ "skippedMs": 0 }));
    assert_eq!(simulator.get("/v1.0/teams/given").status, 200);
    let again = simulator.archive("a");
    assert_eq!((again == first, simulator.status(&again).as_str()), (true, "notStarted"));
}

#[test]
fn faults_are_planned_for_all_and_for_one() {
    let simulator = simulator();
    let (a, b) = (simulator.archive("a"), simulator.archive("b"));
    set(
        &simulator,
        "faults",
        &json!({ "for": "A", "rules": [
            { "on": "check", "faults": ["throttle=2", "error=501"], "nth": 2 },
        ]}),
    );
    assert_eq!([(); 4].map(|()| simulator.status(&a)), ["notStarted", "429", "501", "inProgress"]);
    assert_eq!(simulator.status(&b), "notStarted");
    set(&simulator, "faults", &json!({ "for": "a", "rules": [{ "faults": ["internal"] }] }));
    let next = [(); 2].map(|()| simulator.status(&a));
    assert_eq!(next, ["500", "succeeded"], "a plan counts from when it was made");
    set(&simulator, "faults", &json!({ "rules": [{ "on": "target", "faults": ["claims"] }] }));
    let refused = simulator.get("/v1.0/teams/b");
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(challenge.contains(r#"error="insufficient_claims", claims="ey"#), "{challenge}");
    assert_eq!(simulator.get("/v1.0/teams/b").status, 200);
    set(&simulator, "faults", &json!({ "rules": [{ "faults": ["timeout"], "rate": 1.0 }] }));
    assert_eq!(simulator.status(&b), "504");
    set(&simulator, "faults", &json!({}));
    assert_eq!(simulator.status(&b), "inProgress");
}

#[test]
fn lives_can_be_set_for_teams_and_operations() {
    let simulator = simulator();
    let running = simulator.archive("a");
    set(&simulator, "teams/a/life", &json!({ "life": "failed", "location": "slash" }));
    assert_eq!(simulator.status(&running), "notStarted", "it started before");
    let failing = simulator.archive("a");
    assert!(failing.contains("/teams/a/operations/"), "{failing}");
    assert_eq!(simulator.status(&failing), "failed");
    let id = running.rsplit('\'').nth(1).unwrap();
    set(
        &simulator,
        &format!("operations/{id}/life"),
        &json!({ "life": "in-progress=1,failed-null" }),
    );
    assert_eq!([(); 2].map(|()| simulator.status(&running)), ["inProgress", "failed"]);
}

#[test]
fn the_clock_can_be_advanced() {
    let options = Options::new().life("in-progress=3600s,succeeded".parse().unwrap());
    let simulator = Simulator::spawn(options).unwrap();
    let operation = simulator.archive("a");
    let day = |reply: &super::http::Reply| reply.header("date").unwrap()[..16].to_owned();
    let before = simulator.get(&operation);
    assert_eq!(before.json()["status"], "inProgress");
    set(&simulator, "clock", &json!({ "skip": 3600 }));
    assert_eq!(simulator.status(&operation), "succeeded");
    set(&simulator, "clock", &json!({ "skip": "172800s" }));
    assert_ne!(day(&simulator.get(&operation)), day(&before));
    let closest = simulator.operations()[0].closest_checks.unwrap();
    assert!(closest.as_secs() >= 3600, "{closest:?}");
}

#[test]
fn the_rate_can_be_changed_while_it_runs() {
    let simulator = simulator();
    set(&simulator, "rate", &json!({ "rate": 0, "teamRate": 4 }));
    assert_eq!(simulator.get("/v1.0/teams/a").status, 429);
    assert_eq!(ask(&simulator, "rate"), json!({ "rate": 0, "teamRate": 4, "refused": 1 }));
    set(&simulator, "rate", &json!({ "rate": null }));
    assert_eq!(ask(&simulator, "rate"), json!({ "rate": null, "teamRate": 4, "refused": 1 }));
    assert_eq!(simulator.get("/v1.0/teams/a").status, 404);
}

#[test]
fn records_show_bodies_clients_and_tokens_by_name() {
    let simulator = simulator();
    let call = |token: &str, body: &str| {
        let token = format!("Authorization: bEARER {token}");
        let headers = [&*token, "Content-Type: application/json", "User-Agent: sdk/1"];
        simulator.call("POST", "/v1.0/teams/a/archive", &headers, body)
    };
    call("first-secret", r#"{"shouldSetSpoSiteReadOnlyForMembers":true}"#);
    call("second-secret", "");
    call("first-secret", "");
    simulator.call("GET", "/v1.0/teams/a", &[], "");
    let records = ask(&simulator, "requests");
    assert!(!records.to_string().contains("secret"));
    let tokens: Vec<_> = records.as_array().unwrap().iter().map(|one| &one["token"]).collect();
    assert_eq!(tokens, [&json!("token-1"), &json!("token-2"), &json!("token-1"), &Value::Null]);
    assert_eq!(records[0]["body"], json!({ "shouldSetSpoSiteReadOnlyForMembers": true }));
    assert_eq!((&records[0]["userAgent"], &records[1]["body"]), (&json!("sdk/1"), &Value::Null));
}

#[test]
fn what_cannot_be_read_is_refused_with_its_reason() {
    let simulator = simulator();
    for (path, body, reason) in [
        ("faults", "{", "EOF"),
        ("faults", r#"{"rules":[{"faults":["gremlins"]}]}"#, "unknown fault `gremlins`"),
        ("faults", r#"{"rules":[{"on":"never","faults":[]}]}"#, "unknown occasion"),
        ("faults", r#"{"rules":[{"faults":["cut"],"every":1,"rate":1}]}"#, "one of"),
        ("faults", r#"{"rule":[]}"#, "unknown field"),
        ("teams/a/life", r#"{"life":"soon"}"#, "unknown end"),
        ("clock", r#"{"skip":"3"}"#, "a time"),
        ("clock", r#"{"skip":-1}"#, "a time"),
        ("rate", r#"{"rate":-1}"#, "invalid value"),
    ] {
        let reply = simulator.control(path, body);
        assert_eq!(reply.status, 400, "{body}");
        assert!(reply.json()["error"].as_str().unwrap().contains(reason), "{}", reply.text());
    }
}
