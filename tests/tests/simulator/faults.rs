//! The simulator's faults, and that they come as planned.

use std::{
    io,
    time::{Duration, Instant},
};

use graph_operation_tests::simulator::{
    Behaviour, Fault, FaultPlan, Life, Occasion, Options, RetryAfter, Simulator,
};

use super::http::{Calls as _, Reply, raw};

const TOKEN: &[&str] = &["Authorization: Bearer secret"];

/// A simulator whose operations get these faults at their first checks, and then succeed.
fn faulty(faults: impl IntoIterator<Item = Fault>) -> Simulator {
    let faults = FaultPlan::new().sequence(Occasion::Check, faults);
    Simulator::spawn(Options::new().life(Life::checks(0, 0)).faults(faults)).unwrap()
}

fn check(simulator: &Simulator) -> io::Result<Vec<u8>> {
    let operation = simulator.archive("a");
    raw(&simulator.origin(), "GET", &operation, TOKEN, "")
}

#[test]
fn outages_are_graph_errors_and_go_away() {
    let faults = [
        (Fault::ServiceUnavailable, 503, "ServiceNotAvailable"),
        (Fault::InternalServerError, 500, "InternalServerError"),
        (Fault::BadGateway, 502, "BadGateway"),
        (Fault::GatewayTimeout, 504, "GatewayTimeout"),
        (Fault::Unauthorized, 401, "InvalidAuthenticationToken"),
        (Fault::Throttle(RetryAfter::Absent), 429, "TooManyRequests"),
    ];
    let simulator = faulty(faults.iter().map(|(fault, ..)| fault.clone()));
    let operation = simulator.archive("a");
    for (fault, status, code) in faults {
        let reply = simulator.get(&operation);
        assert_eq!((reply.status, reply.code().as_str()), (status, code));
        assert_eq!(reply.header("retry-after"), None);
        assert_eq!(simulator.requests().last().unwrap().fault, Some(fault));
    }
    assert_eq!(simulator.status(&operation), "succeeded");
    let report = &simulator.operations()[0];
    assert_eq!((report.checks, report.faults, report.ends), (7, 6, 1));
}

/// Checks that a reply's `Retry-After` has this form.
fn assert_form(form: &RetryAfter, reply: &Reply) {
    let sent = reply.all("retry-after");
    match form {
        RetryAfter::Date(ahead) => {
            // Within one day, times of the day can be compared directly.
            let seconds = |date: &str| {
                let parts = date[17..25].split(':').map(|part| part.parse::<u64>().unwrap());
                parts.fold(0, |total, part| total * 60 + part)
            };
            let gap = seconds(sent[0]) + 86_400 - seconds(reply.header("date").unwrap());
            assert_eq!(gap % 86_400, ahead.as_secs());
        }
        RetryAfter::Absent => assert!(sent.is_empty()),
        RetryAfter::Seconds(_) => assert_eq!(sent, ["10"]),
        RetryAfter::Fraction => assert_eq!(sent, ["2.128"]),
        RetryAfter::Merged => assert_eq!(sent, ["0,120"]),
        RetryAfter::Twice => assert_eq!(sent, ["0", "120"]),
        RetryAfter::Negative => assert_eq!(sent, ["-1"]),
        RetryAfter::Huge => assert!(sent[0].parse::<u64>().is_err()),
        RetryAfter::Garbage => assert_eq!(sent, ["soon"]),
        other => panic!("untested: {other:?}"),
    }
}

#[test]
fn throttling_has_every_form_of_retry_after() {
    let simulator = faulty(RetryAfter::all().into_iter().map(Fault::Throttle));
    let operation = simulator.archive("a");
    for form in RetryAfter::all() {
        assert_form(&form, &simulator.get(&operation));
    }
}

#[test]
fn a_starting_answer_has_every_form_of_retry_after() {
    for form in RetryAfter::all() {
        let simulator = Simulator::spawn(Options::new().retry_after(form.clone())).unwrap();
        let started = simulator.post("/v1.0/teams/a/archive", "");
        assert_eq!(started.status, 202);
        assert_form(&form, &started);
    }
}

#[test]
fn a_closed_connection_sends_no_byte() {
    let simulator = faulty([Fault::Close]);
    // Whether the client sees an end or a reset is up to the kernel.
    assert!(check(&simulator).unwrap_or_default().is_empty());
    assert_eq!(simulator.requests().last().unwrap().status, None);
}

#[test]
fn a_cut_answer_announces_more_than_it_sends() {
    for start in [false, true] {
        let occasion = if start { Occasion::Start } else { Occasion::Check };
        let plan = FaultPlan::new().nth(occasion, 1, Fault::Cut);
        let simulator = Simulator::spawn(Options::new().faults(plan)).unwrap();
        let answer = if start {
            raw(&simulator.origin(), "POST", "/v1.0/teams/a/archive", TOKEN, "").unwrap()
        } else {
            check(&simulator).unwrap()
        };
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
        let length: usize = length.parse().unwrap();
        assert!(body.len() < length, "{text}");
        assert_eq!(body.is_empty(), start, "{text}");
        assert_eq!(simulator.operations().len(), 1, "a cut answer is lost, its operation is not");
    }
}

#[test]
fn bodies_are_spoiled_in_their_own_way() {
    let bodies = [
        Fault::TruncatedJson,
        Fault::HtmlBadGateway,
        Fault::HtmlOk,
        Fault::EmptyBody,
        Fault::WrongType,
        Fault::WrongMembers,
        Fault::Status(202),
    ];
    let simulator = faulty(bodies);
    let operation = simulator.archive("a");
    let truncated = simulator.get(&operation);
    assert_eq!(truncated.status, 200);
    assert!(
        truncated.text().starts_with("{\"@odata.context\"") && !truncated.text().ends_with('}')
    );
    assert_eq!(truncated.header("content-length"), Some(truncated.body.len().to_string().as_str()));
    for status in [502, 200] {
        let page = simulator.get(&operation);
        assert_eq!(page.status, status);
        assert!(
            page.header("content-type").unwrap().starts_with("text/html")
                && page.text().contains("<html>")
        );
    }
    assert!(simulator.get(&operation).body.is_empty());
    assert!(simulator.get(&operation).json().is_array());
    assert!(simulator.get(&operation).json()["status"].is_object());
    let accepted = simulator.get(&operation);
    assert_eq!((accepted.status, accepted.json()["status"].as_str()), (202, Some("succeeded")));
}

#[test]
fn an_endless_body_ends_when_the_reader_stops() {
    let answer = check(&faulty([Fault::EndlessBody])).unwrap();
    assert_eq!(answer.len(), 1024 * 1024);
}

#[test]
fn a_slow_answer_is_the_true_one() {
    let delay = Duration::from_millis(150);
    let simulator = faulty([Fault::Slow(delay)]);
    let operation = simulator.archive("a");
    let before = Instant::now();
    assert_eq!(simulator.status(&operation), "succeeded");
    assert!(before.elapsed() >= delay);
}

#[test]
fn a_redirect_leads_to_an_origin_that_records_requests() {
    let simulator = faulty([Fault::Redirect]);
    let operation = simulator.archive("a");
    let redirect = simulator.get(&operation);
    assert_eq!(redirect.status, 307);
    let there = redirect.header("location").unwrap();
    assert_eq!(there, format!("{}{operation}", simulator.foreign_origin()));
    assert!(simulator.foreign_requests().is_empty());
    let answer = raw(&simulator.foreign_origin(), "GET", &operation, TOKEN, "").unwrap();
    assert!(
        String::from_utf8_lossy(&answer).contains(r#""status":"succeeded""#),
        "a trap for clients that follow it"
    );
    let foreign = simulator.foreign_requests();
    assert_eq!(foreign.len(), 1);
    assert_eq!(
        (foreign[0].path.as_str(), foreign[0].authorization.as_deref()),
        (&*operation, Some("Bearer secret"))
    );
}

#[test]
fn each_occasion_has_its_own_faults() {
    let plan = FaultPlan::new()
        .sequence(Occasion::Start, [Fault::ServiceUnavailable])
        .sequence(Occasion::Target, [Fault::BadGateway]);
    let simulator = Simulator::spawn(Options::new().faults(plan)).unwrap();
    assert_eq!(simulator.post("/v1.0/teams/a/archive", "").status, 503);
    assert!(simulator.operations().is_empty());
    let operation = simulator.archive("a");
    assert_eq!(simulator.status(&operation), "notStarted");
    assert_eq!([(); 2].map(|()| simulator.get("/v1.0/teams/a").status), [502, 200]);
    let occasions: Vec<_> =
        simulator.requests().iter().map(|request| (request.occasion, request.nth)).collect();
    let (start, check, target) =
        (Some(Occasion::Start), Some(Occasion::Check), Some(Occasion::Target));
    assert_eq!(occasions, [(start, 1), (start, 2), (check, 1), (target, 1), (target, 2)]);
}

#[test]
fn faults_can_be_given_to_one_team_or_operation_at_any_time() {
    let simulator = faulty([]);
    let (first, second) = (simulator.archive("a"), simulator.archive("b"));
    let unavailable = FaultPlan::new().every(Occasion::Check, 1, [Fault::ServiceUnavailable]);
    simulator.set_behaviour("a", Behaviour::new().faults(unavailable));
    assert_eq!(
        (simulator.status(&first), simulator.status(&second)),
        ("503".into(), "succeeded".into())
    );
    let id = simulator.operations()[0].id.clone();
    simulator.set_behaviour(id, Behaviour::new().faults(FaultPlan::new()));
    assert_eq!(simulator.status(&first), "succeeded");
}

#[test]
fn random_faults_differ_between_operations_but_not_between_runs_with_one_seed() {
    let draw = |seed| {
        let faults = [Fault::ServiceUnavailable, Fault::EmptyBody];
        let plan = FaultPlan::new().random(Occasion::Check, 0.3, faults);
        let simulator = Simulator::spawn(Options::new().seed(seed).faults(plan)).unwrap();
        ["a", "b"].map(|team| {
            let operation = simulator.archive(team);
            let statuses = [(); 40].map(|()| {
                simulator.get(&operation);
                simulator.requests().last().unwrap().fault.clone()
            });
            statuses.to_vec()
        })
    };
    let [first, second] = draw(5);
    assert_ne!(first, second);
    let faulty = first.iter().chain(&second).flatten().count();
    assert!((12..=36).contains(&faulty), "{faulty}");
    assert_eq!(draw(5), [first.clone(), second]);
    assert_ne!(draw(6)[0], first);
}

#[test]
fn the_shortest_time_between_two_checks_is_recorded() {
    let simulator = faulty([]);
    let operation = simulator.archive("a");
    for _ in 0..3 {
        simulator.get(&operation);
        std::thread::sleep(Duration::from_millis(20));
    }
    let report = &simulator.operations()[0];
    assert!(report.closest_checks.unwrap() >= Duration::from_millis(20));
    let times: Vec<_> = simulator.requests().iter().map(|request| request.at).collect();
    assert!(times.is_sorted());
}
