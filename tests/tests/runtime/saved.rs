//! Machines that are saved and restored.

use std::time::{Instant, UNIX_EPOCH};

use bytes::Bytes;
use graph_operation::protocol::{
    Accepted, Answer, Event, Poller, Reason, Saved, Started, Step, accept,
};
use graph_operation::testing::{accepted, failed, in_progress, json_answer, with_header};
use graph_operation::{DriveItemCopy, Error, ErrorKind, Model, Polling, TeamsAsyncOperation};
use http::{Response, Uri};
use serde_json::{Value, json};

use crate::{LOCATION, attempt, seconds};

fn root() -> Uri {
    Uri::from_static("https://graph.microsoft.com/v1.0")
}

fn started(response: Response<Bytes>) -> Started {
    match accept(&root(), Answer::from(response)) {
        Ok(Accepted::Started(started)) => started,
        other => panic!("{other:?}"),
    }
}

fn poller(accepted: impl Into<Accepted>, now: Instant) -> Poller {
    Poller::new::<TeamsAsyncOperation>(accepted, Polling::default(), now, 7)
}

/// Sends a check, which is answered like this.
fn answered(poller: &mut Poller, response: Response<Bytes>, now: Instant) -> Event<()> {
    drop(poller.check_now(now).expect("the operation has not ended").request());
    poller.received(response, now)
}

/// The error that an operation has ended with.
fn failure(poller: &mut Poller, now: Instant) -> Error {
    match poller.next(now) {
        Step::Done(Err(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Writes the machine as text, and restores it from that. The restored machine is saved as the same
/// text.
fn reread<M: Model>(poller: &Poller, now: Instant) -> Poller {
    let written = serde_json::to_string(&poller.save()).unwrap();
    let read: Saved = serde_json::from_str(&written).unwrap();
    assert!(read == poller.save(), "{written}");
    let restored = Poller::restore::<M>(read, &root(), now).unwrap();
    assert!(restored.save() == poller.save(), "{written}");
    restored
}

#[test]
fn what_the_202_said_is_saved() {
    let now = Instant::now();
    let response = [
        ("retry-after", "100"),
        ("request-id", "r"),
        ("client-request-id", "c"),
        ("content-location", "/teams('1')"),
    ]
    .iter()
    .fold(accepted(LOCATION), |response, (name, value)| with_header(response, name, value));
    let start = UNIX_EPOCH + seconds(1_767_225_600);
    let begun = poller(started(response).started_at(start), now);
    let mut restored = reread::<TeamsAsyncOperation>(&begun, now);
    let Step::Wait(wait, Reason::FirstCheck) = restored.next(now) else { panic!("{restored:?}") };
    assert!(wait >= seconds(100), "{wait:?}");
    assert_eq!(restored.started_at(), Some(start));
    assert_eq!(restored.resume_token().unwrap().request_id(), Some("r"));
    let saved = serde_json::to_value(begun.save()).unwrap();
    let origin = &saved["subject"]["operation"];
    assert_eq!(
        (&origin["clientRequestId"], &origin["contentLocation"]),
        (&json!("c"), &json!("/teams('1')"))
    );
}

#[test]
fn a_header_that_names_the_operation_again_is_not_a_hint_at_its_target() {
    let response = with_header(accepted(LOCATION), "content-location", LOCATION);
    let saved = serde_json::to_value(poller(started(response), Instant::now()).save()).unwrap();
    assert_eq!(saved["subject"]["operation"].get("contentLocation"), None);
}

#[test]
fn a_fault_that_is_retried_is_saved() {
    let now = Instant::now();
    let mut begun = poller(started(accepted(LOCATION)), now);
    drop(begun.check_now(now).unwrap().request());
    let _ = begun.failed(Error::transport("connection reset"), now);
    let restored = reread::<TeamsAsyncOperation>(&begun, now);
    let fault = restored.retried_fault().unwrap();
    assert_eq!(fault.kind(), ErrorKind::Transport);
    assert_eq!(restored.checks(), 1);
    assert_eq!(restored.until_next(), begun.until_next());
}

#[test]
fn why_an_operation_failed_is_saved() {
    let now = Instant::now();
    let mut begun = poller(started(accepted(LOCATION)), now);
    let response = with_header(failed("Code", "Message."), "request-id", "r");
    let response = with_header(response, "client-request-id", "c");
    let date = "Wed, 15 Dec 2021 08:57:50 GMT";
    let _ = answered(&mut begun, with_header(response, "date", date), now);
    let error = failure(&mut reread::<TeamsAsyncOperation>(&begun, now), now);
    assert_eq!((error.kind(), error.code()), (ErrorKind::Failed, Some("Code")));
    assert_eq!((error.request_id(), error.client_request_id()), (Some("r"), Some("c")));
    assert_eq!((error.status().unwrap().as_u16(), error.date()), (200, Some(date)));
}

#[test]
fn an_operation_whose_monitor_disappeared_has_ended() {
    let now = Instant::now();
    let at = Uri::from_static("https://contoso.sharepoint.com/_api/v2.0/monitor/1");
    let mut copy = Poller::new::<DriveItemCopy>(Started::at(at), Polling::default(), now, 7);
    let _ = answered(&mut copy, json_answer(200, &json!({ "status": "inProgress" })), now);
    let _ = answered(&mut copy, json_answer(404, &json!({})), now);
    let mut restored = reread::<DriveItemCopy>(&copy, now);
    assert!(restored.is_ended() && restored.check_now(now).is_none());
    assert_eq!(failure(&mut restored, now).kind(), ErrorKind::Vanished);
}

#[test]
fn a_service_that_finished_at_once_has_finished() {
    let now = Instant::now();
    let response = Response::builder().status(201).body(Bytes::from_static(b"\xFF")).unwrap();
    let finished = poller(Accepted::Finished(response), now);
    let mut restored = reread::<TeamsAsyncOperation>(&finished, now);
    let response = restored.finished().unwrap();
    assert_eq!((response.status().as_u16(), response.body().as_ref()), (201, &b"\xFF"[..]));
    assert!(matches!(restored.next(now), Step::Done(Ok(()))));
}

/// Ten thousand saved machines make a large file, which is written often.
#[test]
fn values_that_have_not_changed_since_the_beginning_are_not_written() {
    let now = Instant::now();
    let names = |poller: &Poller| {
        let saved = serde_json::to_value(poller.save()).unwrap();
        let Value::Object(tracker) = &saved["tracker"] else { panic!("{saved}") };
        tracker.keys().cloned().collect::<Vec<_>>()
    };
    let mut begun = poller(started(accepted(LOCATION)), now);
    assert_eq!(names(&begun), ["early", "fresh", "jitter", "lengthening", "now"]);
    let _ = answered(&mut begun, in_progress(), now);
    let _ = answered(&mut begun, attempt(2), now + seconds(1));
    let written = names(&begun);
    for name in ["attempts", "body", "changed", "checks", "sent"] {
        assert!(written.iter().any(|other| other == name), "{name} in {written:?}");
    }
}

#[test]
fn an_address_of_another_root_is_distinguished_from_an_invalid_one() {
    let now = Instant::now();
    let saved = serde_json::to_value(poller(started(accepted(LOCATION)), now).save()).unwrap();
    for (location, message) in [
        ("https://graph.microsoft.us/v1.0/x", "the operation belongs to another service root"),
        ("https://graph.microsoft.com/v1.0/../x", "the operation's address is not usable"),
    ] {
        let mut changed = saved.clone();
        changed["subject"]["operation"]["location"] = json!(location);
        let changed: Saved = serde_json::from_value(changed).unwrap();
        let error = Poller::restore::<TeamsAsyncOperation>(changed, &root(), now).unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::InvalidToken, message));
    }
}
