//! What `Debug` shows of each part of the protocol.

use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::protocol::{
    Accepted, Answer, Poller, Set, SetStep, Start, Started, Step, Target,
};
use graph_operation::{Polling, TeamsAsyncOperation};
use http::{Request, Response, Uri};

use crate::OPERATION;

fn address() -> Uri {
    Uri::from_static(OPERATION)
}

fn poller(accepted: impl Into<Accepted>, now: Instant) -> Poller {
    let polling = Polling::default().first_check(Duration::ZERO);
    Poller::new::<TeamsAsyncOperation>(accepted, polling, now, 7)
}

/// It begins with the type, and has each of these texts.
fn assert_shown(value: &dyn std::fmt::Debug, name: &str, parts: &[&str]) {
    let shown = format!("{value:?}");
    assert!(shown.starts_with(name), "{shown}");
    for part in parts {
        assert!(shown.contains(part), "{part} in {shown}");
    }
}

#[test]
fn each_part_of_an_operation_shows_what_it_is() {
    let now = Instant::now();
    let created = Response::builder().status(201).body(Bytes::from_static(b"private")).unwrap();
    let answer = Answer::from(created.clone()).with_url(address());
    assert_shown(&answer, "Answer { status: 201", &[OPERATION, ".."]);
    let started = Started::at(address());
    assert_shown(&started, "Started { location: ", &[OPERATION, "request_id: None", ".."]);
    assert_shown(&Accepted::from(started.clone()), "Started(Started { ", &[OPERATION]);
    let finished = Accepted::Finished(created);
    assert_shown(&finished, "Finished { status: 201", &[".."]);

    let mut running = poller(started, now);
    let parts =
        [OPERATION, "polling: Polling {", "checks: 0", "faults: 0", "operation: None", ".."];
    assert_shown(&running, "Poller { location: ", &parts);
    let saved = ["policy: Polling {", "now: 0ns", "checks: 0", "faults: 0", ".."];
    assert_shown(&running.save(), "Saved { model: \"teamsAsyncOperation\"", &saved);
    let Step::Send(check) = running.next(now) else { panic!("it is due at once") };
    assert_shown(&check, "Check { time_left: Some(3600s), .. }", &[]);
    assert_shown(&poller(finished, now), "Poller { finished: 201, .. }", &[]);

    let root = Uri::from_static("https://graph.microsoft.com/v1.0");
    let request = Request::post("https://graph.microsoft.com/v1.0/teams/1/archive");
    let request = request.header("authorization", "secret").body(Bytes::from_static(b"private"));
    let request = request.unwrap();
    let start = Start::new::<TeamsAsyncOperation>(&root, request, true, Polling::default(), now, 7)
        .unwrap();
    let parts = ["/v1.0/teams/1/archive", "idempotent: true", "sent: 0", ".."];
    assert_shown(&start, "Start { method: POST, url: ", &parts);
    assert!(!format!("{start:?}").contains("secret") && !format!("{start:?}").contains("private"));
    let target = Target::new(address(), Polling::default(), now, 7);
    assert_shown(&target, "Target { location: ", &[OPERATION, "sent: 0", ".."]);
}

#[test]
fn each_part_of_a_set_shows_how_much_it_has() {
    let now = Instant::now();
    let root = Uri::from_static("https://graph.microsoft.com/v1.0");
    let mut set = Set::new::<TeamsAsyncOperation>(root, now, 7);
    set.insert("private", poller(Started::at(address()), now), now).unwrap();
    assert!(set.queue("start").is_some());
    let parts =
        ["starting: 0", "requests: 0", "succeeded: 0", "failed: 0", "limit: RateLimit", ".."];
    assert_shown(&set, "Set { queued: 1", &parts);
    let saved = set.save();
    let parts = ["members: 1", "rate: 20", "succeeded: 0", "failed: 0", ".."];
    assert_shown(&saved, "SavedSet { model: \"teamsAsyncOperation\"", &parts);
    assert!(!format!("{set:?} {saved:?}").contains("private"));

    let SetStep::Start(ticket) = set.next(now) else { panic!("the start is to begin") };
    assert_shown(&ticket, "Ticket(", &[]);
    let mut later = now;
    let envelope = loop {
        match set.next(later) {
            SetStep::Wait(wait, _) => later += wait,
            SetStep::Send(dispatch) => {
                assert_shown(&dispatch, "Dispatch { items: 1, .. }", &[]);
                break dispatch.request().1;
            }
            other => panic!("{other:?}"),
        }
    };
    assert_shown(&envelope, "Envelope { items: 1, single: true, starts: false, .. }", &[]);
    assert!(!envelope.is_empty());
}
