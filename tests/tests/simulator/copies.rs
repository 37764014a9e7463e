//! Drive items: copies, moves and uploads, shown by a monitor on another origin.

use axum::http::StatusCode;
use graph_operation_tests::simulator::{
    Behaviour, End, Failure, Fault, FaultPlan, Life, Monitor, MonitorEnd, MonitorHost, Occasion,
    Options, Origin, Simulator,
};
use serde_json::{Value, json};

use super::http::{Calls as _, Reply};

const COPY: &str = "/v1.0/drives/d/items/i/copy";

/// A simulator whose copies run for one check, and then have this end.
fn simulator(end: End, monitor: Monitor) -> Simulator {
    let life = Life::checks(0, 1).ending(end);
    Simulator::spawn(Options::new().life(life).monitor(monitor)).unwrap()
}

/// Starts a copy, and returns the path of its monitor.
fn copied(simulator: &Simulator) -> String {
    let reply =
        simulator.post(COPY, r#"{"name":"copy.txt","parentReference":{"driveId":"e","id":"f"}}"#);
    assert_eq!((reply.status, reply.text()), (202, ""));
    let location = reply.header("location").unwrap();
    location.strip_prefix(&simulator.monitor_origin()).unwrap().to_owned()
}

/// Asks the monitor as documented: without a token.
fn observe(simulator: &Simulator, path: &str) -> Reply {
    simulator.monitor_origin().call("GET", path, &[], "")
}

#[test]
fn a_copy_has_a_monitor_that_accepts_no_token() {
    let simulator = simulator(End::Succeeded, Monitor::new());
    assert_ne!(simulator.monitor_origin(), simulator.origin());
    let path = copied(&simulator);
    let refused = simulator.monitor_origin().get(&path);
    assert_eq!((refused.status, refused.code().as_str()), (401, "unauthenticated"));
    let running = observe(&simulator, &path);
    assert_eq!((running.status, &running.json()["status"]), (200, &json!("inProgress")));
    assert_eq!(running.json()["percentageComplete"], json!(50.0));
    assert_eq!(running.json()["createdDateTime"], "0001-01-01T00:00:00Z");
    assert_eq!(running.header("request-id"), None, "it is another service");
    let completed = observe(&simulator, &path).json();
    assert_eq!(completed["status"], "completed");
    let item = completed["resourceId"].as_str().unwrap();
    let read = simulator.get(&format!("/v1.0/drives/e/items/{item}")).json();
    assert_eq!((&read["id"], &read["name"]), (&json!(item), &json!("copy.txt")));
    let location = completed["resourceLocation"].as_str().unwrap();
    assert!(location.starts_with(&simulator.monitor_origin()), "an address of another audience");
    let records = simulator.requests();
    let monitors: Vec<_> = records.iter().filter(|one| one.origin == Origin::Monitor).collect();
    assert_eq!(monitors.len(), 3);
    assert_eq!(monitors.iter().filter(|one| one.authorization.is_some()).count(), 1);
    assert_eq!(simulator.counts().monitors, 3);
    assert_eq!(
        simulator.operations()[0].checks,
        2,
        "a request with a token does not count as a check"
    );
}

#[test]
fn the_address_of_a_monitor_is_its_credential() {
    let simulator = simulator(End::Succeeded, Monitor::new());
    let path = copied(&simulator);
    assert_eq!(observe(&simulator, path.split_once('?').unwrap().0).status, 404);
    assert_eq!(observe(&simulator, &path.replace("tempauth=", "tempauth=0")).status, 404);
    assert_eq!(observe(&simulator, "/").status, 404);
    assert_eq!(simulator.get(&format!("/v1.0{path}")).status, 404, "it is not an address of Graph");
    assert_eq!(observe(&simulator, &path).status, 200);
}

#[test]
fn a_success_can_be_shown_in_every_way() {
    for (end, status, location) in [
        (MonitorEnd::Ok, 200, false),
        (MonitorEnd::Accepted, 202, false),
        (MonitorEnd::SeeOther, 303, true),
        (MonitorEnd::SeeOtherBare, 303, false),
        (MonitorEnd::ServerError, 500, false),
    ] {
        let simulator = simulator(End::Succeeded, Monitor::new().ending(end));
        let path = copied(&simulator);
        assert_eq!(observe(&simulator, &path).status, 200);
        let ended = observe(&simulator, &path);
        assert_eq!(
            (ended.status, &ended.json()["status"]),
            (status, &json!("completed")),
            "{end:?}"
        );
        assert_eq!(ended.header("location").is_some(), location, "{end:?}");
    }
}

#[test]
fn a_monitor_may_vanish_before_it_shows_the_end() {
    for (end, status, code) in [
        (MonitorEnd::Vanished, 404, "itemNotFound"),
        (MonitorEnd::OperationNotFound, 500, "operationNotFound"),
    ] {
        for outcome in [End::Succeeded, End::Failed(Failure::Null)] {
            let simulator = simulator(outcome, Monitor::new().ending(end));
            let path = copied(&simulator);
            assert_eq!(observe(&simulator, &path).json()["status"], "inProgress");
            let gone = observe(&simulator, &path);
            assert_eq!((gone.status, gone.code().as_str()), (status, code));
        }
    }
}

#[test]
fn a_failure_is_not_a_redirect() {
    let failed = End::Failed(Failure::Error {
        code: "nameAlreadyExists".into(),
        message: "Name already exists".into(),
    });
    for (end, status) in
        [(MonitorEnd::SeeOther, 200), (MonitorEnd::ServerError, 500), (MonitorEnd::Accepted, 202)]
    {
        let simulator = simulator(failed.clone(), Monitor::new().ending(end));
        let path = copied(&simulator);
        observe(&simulator, &path);
        let ended = observe(&simulator, &path);
        assert_eq!((ended.status, &ended.json()["status"]), (status, &json!("failed")));
        assert_eq!(ended.json()["error"]["code"], "nameAlreadyExists");
        assert!(ended.json().get("resourceId").is_none());
    }
}

#[test]
fn the_monitor_for_consumers_has_its_own_form() {
    let failed = End::Failed(Failure::Text("Completed 0/0 files; 0/9314 bytes".into()));
    let simulator = simulator(failed, "personal".parse().unwrap());
    let path = copied(&simulator);
    assert!(path.starts_with("/v1.0/monitor/") && path.len() > 190, "{path}");
    let running = observe(&simulator, &path);
    assert_eq!(running.status, 202);
    assert_eq!(running.json()["operation"], "ItemCopy");
    let ended = observe(&simulator, &path).json();
    assert_eq!(ended["statusDescription"], "Completed 0/0 files; 0/9314 bytes");
    assert!(ended.get("error").is_none() && ended.get("id").is_none());
}

#[test]
fn a_copy_may_never_end_and_have_faults() {
    let plan = FaultPlan::new().sequence(Occasion::Check, [Fault::ServiceUnavailable]);
    let monitor = Monitor::new().host(MonitorHost::SharePoint).running(StatusCode::ACCEPTED);
    let options = Options::new().life(Life::new(End::Never)).monitor(monitor).faults(plan);
    let simulator = Simulator::spawn(options).unwrap();
    let path = copied(&simulator);
    let statuses = [(); 3].map(|()| observe(&simulator, &path).status);
    assert_eq!(statuses, [503, 202, 202]);
    let id = simulator.operations()[0].id.clone();
    simulator.set_behaviour(id, Behaviour::new().life(Life::new(End::Succeeded)));
    assert_eq!(observe(&simulator, &path).json()["status"], "completed");
}

#[test]
fn a_move_to_another_drive_needs_respond_async() {
    let simulator = simulator(End::Succeeded, Monitor::new());
    let away = r#"{"parentReference":{"driveId":"e","id":"f"}}"#;
    let refused = simulator.send("PATCH", "/v1.0/drives/d/items/i", away);
    assert_eq!((refused.status, refused.code().as_str()), (400, "invalidRequest"));
    let headers =
        ["Authorization: Bearer t", "Content-Type: application/json", "Prefer: respond-async"];
    let accepted = simulator.call("PATCH", "/v1.0/drives/d/items/i", &headers, away);
    assert_eq!(accepted.status, 202);
    let path = accepted.header("location").unwrap().strip_prefix(&simulator.monitor_origin());
    observe(&simulator, path.unwrap());
    assert_eq!(observe(&simulator, path.unwrap()).json()["resourceId"], "i");
    let within = simulator.send("PATCH", "/v1.0/drives/d/items/i", r#"{"name":"n"}"#);
    assert_eq!((within.status, &within.json()["name"]), (200, &json!("n")));
    let upload = json!({ "name": "n", "@microsoft.graph.sourceUrl": "https://x/y" }).to_string();
    let accepted = simulator.call("POST", "/v1.0/me/drive/items/f/children", &headers, &upload);
    assert_eq!((accepted.status, accepted.json_or_null()), (202, Value::Null));
}

#[test]
fn a_monitor_is_read_from_its_words() {
    let monitor = "personal, running=200, end=303-bare".parse::<Monitor>().unwrap();
    let expected = Monitor::new()
        .host(MonitorHost::Personal)
        .running(StatusCode::OK)
        .ending(MonitorEnd::SeeOtherBare);
    assert_eq!(monitor, expected);
    for text in ["", "dropbox", "running=soon", "end=418"] {
        assert!(text.parse::<Monitor>().unwrap_err().contains("does not describe"), "{text}");
    }
}
