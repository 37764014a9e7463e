//! The machine of one operation, called as a custom driver calls it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::protocol::{Accepted, Answer, Event, Poller, Start, Started, Step, accept};
use graph_operation::testing::{
    accepted, graph_error, in_progress, json_answer, status, succeeded, with_header,
};
use graph_operation::{DriveItemCopy, Error, ErrorKind, Polling, State, TeamsAsyncOperation};
use http::{Request, Response, Uri};
use serde_json::json;

use crate::{LOCATION, OPERATION, attempt, seconds};

const MONITOR: &str = "https://contoso.sharepoint.com/_api/v2.0/monitor/4A3407B5";

fn root() -> Uri {
    Uri::from_static("https://graph.microsoft.com/v1.0")
}

/// An operation that was just accepted.
fn begun(now: Instant) -> Poller {
    let accepted = accept(&root(), Answer::from(accepted(LOCATION))).expect("a 202");
    Poller::new::<TeamsAsyncOperation>(accepted, Polling::default(), now, 7)
}

/// Sends a check, and returns whether it is one without a credential.
fn check(poller: &mut Poller, now: Instant) -> bool {
    let check = poller.check_now(now).expect("the operation has not ended");
    let anonymous = check.is_anonymous();
    drop(check.request());
    anonymous
}

/// A check that is answered like this.
fn answered(poller: &mut Poller, response: Response<Bytes>, now: Instant) -> Event<()> {
    check(poller, now);
    poller.received(response, now)
}

/// A copy whose checks got these responses, and the event of the last one.
fn copy(answers: impl IntoIterator<Item = Response<Bytes>>) -> (Poller, Option<Event<()>>) {
    let mut now = Instant::now();
    let started = Started::at(Uri::from_static(MONITOR));
    let mut poller = Poller::new::<DriveItemCopy>(started, Polling::default(), now, 7);
    let mut last = None;
    for answer in answers {
        now += seconds(1);
        assert!(check(&mut poller, now));
        last = Some(poller.received(answer, now));
    }
    (poller, last)
}

fn monitored(code: u16, word: &str) -> Response<Bytes> {
    json_answer(code, &json!({ "status": word }))
}

#[test]
fn a_check_can_be_sent_at_any_time_until_the_end() {
    let begin = Instant::now();
    let mut poller = begun(begin);
    assert_eq!((poller.requests(), poller.is_retried()), (0, false));
    let now = begin + seconds(2);
    assert!(!check(&mut poller, now));
    assert_eq!((poller.requests(), poller.waited_for()), (1, seconds(2)));
    assert!(matches!(poller.received(in_progress(), now), Event::Received(())));
    let next = poller.until_next().unwrap();
    assert!(next > seconds(30) && next <= seconds(33), "{next:?}");

    let event = answered(&mut poller, succeeded("/teams('1')"), now + seconds(1));
    assert!(matches!(event, Event::Received(())));
    assert!(poller.check_now(now + seconds(2)).is_none());
    assert_eq!((poller.requests(), poller.until_next()), (2, None));
    assert_eq!(poller.latest(), now + seconds(2));
}

#[test]
fn the_time_at_which_a_check_was_sent_can_be_moved_to_a_later_one() {
    let now = Instant::now();
    let mut poller = begun(now);
    check(&mut poller, now);
    poller.sent_at(now + seconds(20));
    let _ = poller.received(in_progress(), now + seconds(20));
    assert!(poller.until_next().unwrap() > seconds(30));
}

#[test]
fn an_empty_answer_to_the_first_check_is_a_fault() {
    let now = Instant::now();
    let mut poller = begun(now);
    let event = answered(&mut poller, status(200), now);
    let Event::Retrying(error) = event else { panic!("{event:?}") };
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Decode, 200));
}

#[test]
fn a_fault_is_kept_until_the_next_good_answer() {
    let now = Instant::now();
    let mut poller = begun(now);
    check(&mut poller, now);
    let event = poller.failed(Error::transport("connection reset"), now);
    assert!(matches!(event, Event::Retrying(_)));
    assert_eq!(poller.retried_fault().map(Error::kind), Some(ErrorKind::Transport));
    let _ = answered(&mut poller, in_progress(), now);
    assert!(poller.retried_fault().is_none());
}

#[test]
fn a_retry_by_the_service_is_reported_by_the_check_that_shows_it() {
    let now = Instant::now();
    let mut poller = begun(now);
    let mut told = Vec::new();
    for count in [1, 2, 2, 1, 2] {
        let _ = answered(&mut poller, attempt(count), now);
        told.push(poller.is_retried());
    }
    assert_eq!(told, [false, true, false, false, true]);
    check(&mut poller, now);
    let _ = poller.failed(Error::transport("connection reset"), now);
    assert!(!poller.is_retried());
}

#[test]
fn a_401_after_another_response_asks_for_a_credential_again() {
    for between in [in_progress(), status(503)] {
        let now = Instant::now();
        let mut poller = begun(now);
        for _ in 0..2 {
            let event = answered(&mut poller, status(401), now);
            let Event::Unauthorized(refused) = event else { panic!("{event:?}") };
            assert!(matches!(poller.authorized(&refused, true, now), Event::Authorized));
            let Step::Send(check) = poller.next(now) else { panic!("it is due at once") };
            drop(check.request());
            let _ = poller.received(between.clone(), now);
        }
    }
}

#[test]
fn a_start_that_is_known_is_in_the_token() {
    let start = std::time::UNIX_EPOCH + seconds(1_767_225_600);
    let started = Started::at(Uri::from_static(OPERATION)).started_at(start);
    let now = Instant::now();
    let poller = Poller::new::<TeamsAsyncOperation>(started, Polling::default(), now, 7);
    assert_eq!(poller.started_at(), Some(start));
    assert_eq!(poller.resume_token().unwrap().started_at(), Some(start));
}

#[test]
fn an_error_of_the_start_has_the_facts_of_its_response() {
    for response in [status(202), status(301)] {
        let response = with_header(response, "request-id", "r");
        let code = response.status();
        let error = accept(&root(), Answer::from(response)).unwrap_err();
        assert_eq!((error.status(), error.request_id()), (Some(code), Some("r")));
    }
    let perhaps = |error: &Error| error.to_string().ends_with("may have been carried out");
    for (code, unknown) in [(500, true), (504, true), (429, false), (503, false), (400, false)] {
        let error = accept(&root(), Answer::from(status(code))).unwrap_err();
        assert_eq!(perhaps(&error), unknown, "{error}");
    }
    // Carrying out an idempotent request twice does no harm.
    let now = Instant::now();
    let request = Request::put("https://graph.microsoft.com/v1.0/teams/1").body(Bytes::new());
    let polling = Polling::default().retries(0);
    let mut start =
        Start::new::<TeamsAsyncOperation>(&root(), request.unwrap(), true, polling, now, 7)
            .unwrap();
    let Step::Send(check) = start.next(now) else { panic!("it is due at once") };
    drop(check.request());
    let event = start.received(status(500), now);
    let Event::Failed(error) = event else { panic!("{event:?}") };
    assert!(error.is_retryable() && !perhaps(&error), "{error}");
}

#[test]
fn a_check_that_is_redirected_to_another_origin_keeps_its_response() {
    let now = Instant::now();
    let mut poller = begun(now);
    let foreign = with_header(status(302), "location", "https://evil.example/teams");
    let event = answered(&mut poller, with_header(foreign, "request-id", "r"), now);
    let Event::Failed(error) = event else { panic!("{event:?}") };
    assert_eq!((error.kind(), error.request_id()), (ErrorKind::ForeignLocation, Some("r")));
    // Any other redirect is a response like others.
    for location in ["/teams", "not an address"] {
        let mut poller = begun(now);
        let event = answered(&mut poller, with_header(status(302), "location", location), now);
        let Event::Failed(error) = event else { panic!("{event:?}") };
        assert_eq!(error.kind(), ErrorKind::Rejected, "{location}");
    }
}

#[test]
fn a_copy_is_followed_at_the_monitor_that_its_start_names() {
    let now = Instant::now();
    let request = Request::post("https://graph.microsoft.com/v1.0/me/drive/items/1/copy");
    let request = request.body(Bytes::new()).unwrap();
    let mut start =
        Start::new::<DriveItemCopy>(&root(), request, false, Polling::default(), now, 7).unwrap();
    let Step::Send(check) = start.next(now) else { panic!("it is due at once") };
    assert!(!check.is_anonymous());
    drop(check.request());
    let event = start.received(accepted(MONITOR), now);
    let Event::Received(Accepted::Started(started)) = event else { panic!("{event:?}") };
    assert_eq!(started.location(), MONITOR);
}

/// A monitor redirects to what was created, or answers with the status of what failed.
#[test]
fn a_monitor_can_say_in_several_ways_how_an_operation_ended() {
    for (response, state, is_fault) in [
        (monitored(200, "completed"), State::Succeeded, false),
        (monitored(303, "completed"), State::Succeeded, false),
        (monitored(303, "inProgress"), State::Succeeded, false),
        (status(303), State::Succeeded, false),
        (monitored(303, "failed"), State::Failed, false),
        (monitored(500, "failed"), State::Failed, false),
        (monitored(500, "inProgress"), State::Running, true),
        (status(500), State::Running, true),
        (monitored(200, "inProgress"), State::Running, false),
    ] {
        let shown = format!("{response:?}");
        let (poller, event) = copy([monitored(202, "waiting"), response]);
        assert_eq!(poller.state(), state, "{shown}");
        assert_eq!(matches!(event, Some(Event::Retrying(_))), is_fault, "{shown}");
        assert_eq!(poller.unchanged_for().is_zero(), !is_fault, "{shown}");
    }
    // The status in such a response is kept.
    let (poller, _) = copy([monitored(303, "inProgress")]);
    let copied: DriveItemCopy = poller.operation().unwrap();
    assert_eq!(copied.status.as_str(), "inProgress");
    // A 400 is a 400, whatever its body.
    let (poller, event) = copy([monitored(400, "completed")]);
    assert!(matches!(event, Some(Event::Failed(_))) && !poller.is_ended());
}

#[test]
fn a_monitor_that_disappears_ends_the_operation_with_an_unknown_result() {
    let (mut poller, event) =
        copy([monitored(202, "inProgress"), with_header(status(404), "request-id", "r")]);
    let Some(Event::Failed(error)) = event else { panic!("{event:?}") };
    assert_eq!((error.kind(), error.request_id()), (ErrorKind::Vanished, Some("r")));
    assert_eq!((error.checks(), error.resume_token()), (Some(2), None));
    assert!(poller.is_ended() && poller.check_now(Instant::now()).is_none());
    let step = poller.next(Instant::now());
    let Step::Done(Err(error)) = step else { panic!("{step:?}") };
    assert_eq!(error.kind(), ErrorKind::Vanished);

    // This needs a monitor that was seen before, and a 404.
    for (answers, code) in
        [(vec![status(404)], 404), (vec![monitored(202, "inProgress"), status(410)], 410)]
    {
        let (poller, event) = copy(answers);
        let Some(Event::Failed(error)) = event else { panic!("{event:?}") };
        assert_eq!(error.kind(), ErrorKind::Rejected);
        assert_eq!(error.status().unwrap().as_u16(), code);
        assert!(!poller.is_ended());
    }
    // It does not apply to an operation below the service root.
    let now = Instant::now();
    let mut poller = begun(now);
    let _ = answered(&mut poller, in_progress(), now);
    let event = answered(&mut poller, graph_error(404, "NotFound", "Gone."), now);
    let Event::Failed(error) = event else { panic!("{event:?}") };
    assert_eq!(error.kind(), ErrorKind::Rejected);
}

#[test]
fn a_body_of_something_else_is_distinguished_from_a_broken_one() {
    for (body, message) in [
        (&b"{\"value\":[]}"[..], "the response is not a teamsAsyncOperation: the Location"),
        (b"<html>", "the response is not a teamsAsyncOperation"),
        (b"503 Service Unavailable", "the response is not a teamsAsyncOperation"),
        (b"[{\"status\":\"succeeded\"}", "the response is not a teamsAsyncOperation"),
    ] {
        let now = Instant::now();
        let mut poller = begun(now);
        let response = with_header(Response::new(Bytes::from_static(body)), "request-id", "r");
        let event = answered(&mut poller, response, now);
        let Event::Retrying(error) = event else { panic!("{event:?}") };
        let shown = error.to_string();
        assert!(shown.starts_with(message), "{shown}");
        assert_eq!(shown.contains("Location"), message.contains("Location"), "{shown}");
        assert_eq!(error.request_id(), Some("r"));
    }
}

#[test]
fn the_retry_after_of_the_202_counts_from_when_the_machine_began() {
    let now = Instant::now();
    let accepted = with_header(accepted(LOCATION), "retry-after", "100");
    let Ok(Accepted::Started(started)) = accept(&root(), Answer::from(accepted)) else {
        panic!("a 202 with a Location")
    };
    let started = started.aged(seconds(1_000));
    let mut poller = Poller::new::<TeamsAsyncOperation>(started, Polling::default(), now, 7);
    let Step::Wait(wait, _) = poller.next(now) else { panic!("the service asked to wait") };
    assert!(wait >= seconds(100) && wait <= seconds(125), "{wait:?}");
    assert_eq!(poller.waited_for(), Duration::from_secs(1_000));
}

#[test]
fn json_of_something_else_is_read_again_twice_in_a_row() {
    let mut now = Instant::now();
    let mut poller = begun(now);
    for _ in 0..2 {
        for is_retried in [true, true, false] {
            now += seconds(1);
            let event = answered(&mut poller, json_answer(200, &json!({ "value": [] })), now);
            assert_eq!(matches!(event, Event::Retrying(_)), is_retried, "{event:?}");
        }
    }
}
