//! The service's rate limit, on its own clock.

use std::time::Duration;

use graph_operation_tests::simulator::{Options, Simulator};
use serde_json::json;

use super::http::Calls as _;

const SECOND: Duration = Duration::from_secs(1);

/// A simulator whose clock advances only on request.
fn simulator(options: Options) -> Simulator {
    Simulator::spawn(options.frozen_clock(true)).unwrap()
}

/// How many of `requests` requests, each for another team, are not refused.
fn admitted(simulator: &Simulator, requests: usize) -> usize {
    let reads = (0..requests).map(|team| simulator.get(&format!("/v1.0/teams/t{team}")));
    reads.filter(|reply| reply.status != 429).count()
}

#[test]
fn requests_beyond_the_rate_are_refused_until_the_clock_advances() {
    let simulator = simulator(Options::new().rate(10));
    assert_eq!(admitted(&simulator, 40), 10);
    assert_eq!(simulator.counts().refused, 30);
    let reply = simulator.get("/v1.0/teams/t");
    assert_eq!(
        (reply.code().as_str(), reply.header("retry-after")),
        ("TooManyRequests", Some("1"))
    );
    let inner = &reply.json()["error"]["innerError"];
    assert_eq!((&inner["code"], &inner["status"]), (&json!("429"), &json!("429")));
    simulator.skip(SECOND / 2);
    assert_eq!(admitted(&simulator, 10), 5);
    simulator.skip(SECOND);
    assert_eq!(admitted(&simulator, 20), 10);
    simulator.skip(60 * SECOND);
    assert_eq!(admitted(&simulator, 20), 10, "what is not used is not saved up");
    simulator.set_rate(None);
    assert_eq!(admitted(&simulator, 40), 40);
}

#[test]
fn each_request_of_a_batch_counts() {
    let simulator = simulator(Options::new().rate(1));
    let requests: Vec<_> = (0..20)
        .map(|id| json!({ "id": id.to_string(), "method": "GET", "url": format!("/teams/t{id}") }))
        .collect();
    let reply = simulator.post("/v1.0/$batch", &json!({ "requests": requests }).to_string());
    assert_eq!(reply.status, 200, "the envelope does not count as a request");
    let responses = reply.json()["responses"].as_array().unwrap().clone();
    let refused = responses.iter().filter(|response| response["status"] == 429);
    let refused: Vec<_> = refused.collect();
    assert_eq!(refused.len(), 19);
    for response in refused {
        let headers = response["headers"].as_object().unwrap();
        let wait = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("retry-after"));
        assert_eq!(wait.unwrap().1, "1");
    }
    assert_eq!(simulator.counts().refused, 19);
    assert_eq!(simulator.requests().iter().filter(|request| request.refused).count(), 19);
}

#[test]
fn a_team_accepts_four_requests_a_second() {
    let simulator = simulator(Options::new().rate(1_000));
    let statuses = |team: &str| {
        let read = || simulator.get(&format!("/v1.0/groups/{team}/team/operations")).status;
        [(); 5].map(|()| read()).to_vec()
    };
    assert_eq!(statuses("a"), [404, 404, 404, 404, 429]);
    assert_eq!(statuses("A"), [429; 5], "the same team");
    assert_eq!(statuses("b")[..4], [404; 4]);
    simulator.skip(SECOND);
    assert_eq!(statuses("a")[..4], [404; 4]);
    simulator.set_team_rate(None);
    assert_eq!(statuses("a"), [404; 5]);
}

#[test]
fn apps_are_identified_by_the_claims_of_their_tokens() {
    let simulator = simulator(Options::new().rate(1));
    let token = |app: &str| {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let claims = URL_SAFE_NO_PAD.encode(json!({ "tid": "t", "appid": app }).to_string());
        format!("Authorization: Bearer e30.{claims}.x")
    };
    let read = |token: &str, team: &str| {
        simulator.call("GET", &format!("/v1.0/teams/{team}"), &[token], "").status
    };
    assert_eq!(read(&token("a"), "1"), 404);
    assert_eq!(read(&token("a"), "2"), 429);
    assert_eq!(read(&token("b"), "3"), 404);
    assert_eq!(read("Authorization: Bearer opaque", "4"), 404);
    assert_eq!(read("Authorization: Bearer other", "5"), 429, "opaque tokens belong to one app");
}

#[test]
fn a_rate_for_teams_alone_can_be_set() {
    let simulator = simulator(Options::new().team_rate(1));
    let read = |path: &str| simulator.get(path).status;
    assert_eq!([read("/v1.0/teams/a"), read("/v1.0/teams/a")], [404, 429]);
    assert_eq!(admitted(&simulator, 30), 30);
}
