//! How operations proceed and end.

use std::{thread::sleep, time::Duration};

use graph_operation_tests::simulator::{
    Behaviour, End, Failure, Life, Options, Phase, Simulator, Span,
};
use serde_json::{Value, json};

use super::http::Calls as _;

fn ended(end: End) -> Simulator {
    Simulator::spawn(Options::new().life(Life::new(end))).unwrap()
}

#[test]
fn failures_explain_themselves_in_every_way() {
    let error = Failure::Error { code: "C".into(), message: "m".into() };
    for (failure, expected) in [
        (error, json!({"code": "C", "message": "m"})),
        (Failure::Null, Value::Null),
        (Failure::Text("t".into()), json!("t")),
    ] {
        let simulator = ended(End::Failed(failure));
        let document = simulator.get(&simulator.archive("a")).json();
        assert_eq!((&document["status"], &document["error"]), (&json!("failed"), &expected));
    }
    let simulator = ended(End::Failed(Failure::Text("t".into())));
    let started = simulator.post("/v1.0/employeeExperience/communities", r#"{"displayName":"c"}"#);
    let path = started.header("location").unwrap().strip_prefix(&simulator.origin()).unwrap();
    let document = simulator.get(path).json();
    assert_eq!((&document["status"], &document["statusDetail"]), (&json!("failed"), &json!("t")));
}

#[test]
fn an_operation_may_go_through_anything() {
    let life = Life::new(End::Invalid)
        .then(Phase::Missing, Span::Checks(2))
        .then(Phase::EmptyStatus, Span::Checks(1))
        .then(Phase::Retried, Span::Checks(1));
    let simulator = Simulator::spawn(Options::new().life(life)).unwrap();
    let operation = simulator.archive("a");
    let missing = simulator.get(&operation);
    assert_eq!((missing.status, missing.code().as_str()), (404, "NotFound"));
    assert!(missing.text().contains("No workflow found with supplied ID"));
    let statuses = [(); 4].map(|()| simulator.status(&operation));
    assert_eq!(statuses, ["404", "", "inProgress", "invalid"]);
    assert_eq!(simulator.get(&operation).json()["attemptsCount"], 2);
    let report = &simulator.operations()[0];
    assert_eq!(
        (report.checks, report.ends, report.last_status.as_deref()),
        (6, 2, Some("invalid"))
    );
}

#[test]
fn an_operation_may_never_end_until_its_life_is_changed() {
    let simulator = ended(End::Never);
    let operation = simulator.archive("a");
    assert_eq!([(); 3].map(|()| simulator.status(&operation)), ["inProgress"; 3]);
    let id = simulator.operations()[0].id.clone();
    simulator.set_behaviour(id, Behaviour::new().life(Life::new(End::Succeeded)));
    assert_eq!(simulator.status(&operation), "succeeded");
}

#[test]
fn a_life_can_pass_by_the_clock() {
    let options = Options::new().life(Life::elapsed(Duration::ZERO, Duration::from_millis(60)));
    let simulator =
        Simulator::spawn(options.readable_after(Span::Time(Duration::from_millis(60)))).unwrap();
    let started = simulator.post("/v1.0/teams", r#"{"displayName":"t"}"#);
    let operation = format!("/v1.0{}", started.header("location").unwrap());
    let team = format!("/v1.0{}", started.header("content-location").unwrap());
    sleep(Duration::from_millis(70));
    assert_eq!(simulator.status(&operation), "succeeded");
    sleep(Duration::from_millis(60));
    assert_eq!(simulator.get(&team).status, 200);
}

#[test]
fn a_key_takes_precedence_over_the_default() {
    let failing = Behaviour::new().life(Life::new(End::Failed(Failure::Null)));
    let options =
        Options::new().life(Life::new(End::Succeeded)).behaviour_of("bad", failing.clone());
    let simulator = Simulator::spawn(options).unwrap();
    assert_eq!(simulator.status(&simulator.archive("good")), "succeeded");
    assert_eq!(simulator.status(&simulator.archive("bad")), "failed");
    assert_eq!(
        simulator.status(&simulator.start("/v1.0/teams", r#"{"displayName":"bad"}"#)),
        "failed"
    );
    assert_eq!(
        simulator.status(&simulator.start("/v1.0/teams/fine/channels/bad/archive", "")),
        "failed"
    );
    simulator.set_default_behaviour(failing);
    assert_eq!(simulator.status(&simulator.archive("good")), "failed");
}

#[test]
fn an_archived_team_is_unreadable_for_as_long_as_its_key_says() {
    let lagging = Behaviour::new().readable_after(Span::Checks(1));
    let options = Options::new().life(Life::new(End::Succeeded)).behaviour_of("a", lagging);
    let simulator = Simulator::spawn(options).unwrap();
    simulator.status(&simulator.archive("a"));
    assert_eq!([(); 2].map(|()| simulator.get("/v1.0/teams/a").status), [404, 200]);
}

#[test]
fn the_first_operations_fail_on_demand() {
    let simulator =
        Simulator::spawn(Options::new().life(Life::new(End::Succeeded)).fail_first(2)).unwrap();
    let statuses = ["a", "b", "c"].map(|team| simulator.status(&simulator.archive(team)));
    assert_eq!(statuses, ["failed", "failed", "succeeded"]);
}

#[test]
fn runs_with_one_seed_are_the_same() {
    let story = |seed| {
        let simulator = Simulator::spawn(Options::new().seed(seed)).unwrap();
        let operation = simulator.start("/v1.0/teams", r#"{"displayName":"n"}"#);
        let document = simulator.get(&operation).text().replace(&simulator.origin(), "");
        (operation, document)
    };
    assert_eq!(story(1), story(1));
    assert_ne!(story(1), story(2));
}
