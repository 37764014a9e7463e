//! Operations that another process continues to follow.

use std::time::{Duration, UNIX_EPOCH};

use graph_operation::protocol::{Poller, Saved, Started, Step};
use graph_operation::testing::{
    ScriptedClient, block_on, in_progress, json_answer, status, succeeded, with_header,
};
use graph_operation::{
    DriveItemCopy, EngagementAsyncOperation, ErrorKind, Operation, Polling, ResumeToken,
};
use http::Uri;
use serde_json::{Value, json};

use crate::{OPERATION, seconds, started};

#[test]
fn a_token_goes_through_text_and_json() {
    let (client, operation) = started();
    let token = operation.resume_token().unwrap();
    let text = token.to_string();
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({
            "version": 1,
            "model": "teamsAsyncOperation",
            "location": OPERATION,
            "started": 1_767_225_600_000_u64
        })
    );
    assert_eq!(text.parse::<ResumeToken>().unwrap(), token);
    assert_eq!(
        serde_json::from_value::<ResumeToken>(serde_json::to_value(&token).unwrap()).unwrap(),
        token
    );

    client.answer(in_progress()).answer(succeeded("/teams('1')"));
    let resumed = Operation::resume(client.clone(), token).unwrap();
    assert_eq!(resumed.location().unwrap(), OPERATION);
    block_on(resumed.into_future()).unwrap();
    assert_eq!(client.requests()[0].uri(), OPERATION);
    assert!(client.sent_at()[0] > seconds(5));
}

/// Tokens as the library has written them since its first version, and as a later one may.
#[test]
fn tokens_of_every_version_are_read() {
    let started = 1_767_225_540_000; // a minute before the client's clock starts
    for (rest, at, request_id) in [
        ("", None, None),
        (r#","started":1767225540000"#, Some(started), None),
        (r#","started":1767225540000,"requestId":"r1""#, Some(started), Some("r1")),
        (r#","requestId":null,"started":1767225540000,"later":{"a":[1]}"#, Some(started), None),
    ] {
        let text = format!(
            r#"{{"version":1,"model":"teamsAsyncOperation","location":"https://graph.microsoft.com/v1.0/teams('1')/operations('2')"{rest}}}"#
        );
        let token: ResumeToken = text.parse().unwrap();
        assert_eq!(token.location(), OPERATION);
        assert_eq!(token.started_at(), at.map(|at| UNIX_EPOCH + Duration::from_millis(at)));
        assert_eq!(token.request_id(), request_id);

        let client = ScriptedClient::new();
        client.answer(in_progress()).answer(succeeded("/teams('1')"));
        let mut resumed = Operation::resume(client.clone(), token).unwrap();
        assert_eq!(resumed.request_id(), request_id);
        let again = resumed.resume_token().unwrap();
        assert_eq!(again.started_at(), at.map(|at| UNIX_EPOCH + Duration::from_millis(at)));
        block_on(resumed.wait()).unwrap();
        let before = if at.is_some() { seconds(60) } else { Duration::ZERO };
        assert_eq!(resumed.update().waited(), client.elapsed() + before);
    }
}

#[test]
fn what_is_not_a_token_is_refused() {
    for text in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"version":2,"model":"teamsAsyncOperation","location":"https://graph.microsoft.com/v1.0/x"}"#,
        r#"{"version":1,"model":"teamsAsyncOperation","location":"/v1.0/x"}"#,
        r#"{"version":1,"model":"teamsAsyncOperation","location":"not an address"}"#,
        r#"{"version":1,"model":7,"location":"https://graph.microsoft.com/v1.0/x"}"#,
    ] {
        assert_eq!(
            text.parse::<ResumeToken>().unwrap_err().kind(),
            ErrorKind::InvalidToken,
            "{text}"
        );
    }
}

/// Whatever else the token contains.
#[test]
fn the_token_of_a_later_version_is_recognized() {
    let message = "the resume token has a version that this library does not know";
    for text in [
        r#"{"version":2,"model":"x","location":"https://graph.microsoft.com/v1.0/x"}"#,
        r#"{"operation":{"location":"/x"},"version":2}"#,
    ] {
        assert_eq!(text.parse::<ResumeToken>().unwrap_err().to_string(), message);
    }
    let error = r#"{"version":1}"#.parse::<ResumeToken>().unwrap_err();
    assert_eq!(error.to_string(), "the text is not a resume token");
}

#[test]
fn a_token_from_elsewhere_is_refused_before_any_request() {
    for location in [
        "https://graph.microsoft.us/v1.0/teams('1')/operations('2')",
        "http://graph.microsoft.com/v1.0/teams('1')/operations('2')",
        "https://graph.microsoft.com:444/v1.0/teams('1')/operations('2')",
        "https://graph.microsoft.com@evil.example/v1.0/teams('1')/operations('2')",
        "https://token@graph.microsoft.com/v1.0/teams('1')/operations('2')",
        "https://graph.microsoft.com/v1.0/../x",
    ] {
        let text = json!({"version": 1, "model": "teamsAsyncOperation", "location": location});
        let token: ResumeToken = text.to_string().parse().unwrap();
        let error = Operation::resume(ScriptedClient::new(), token).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidToken, "{location}");
    }
    let (_, operation) = started();
    let token = operation.resume_token().unwrap();
    let error =
        Operation::resume_as::<EngagementAsyncOperation>(ScriptedClient::new(), token).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidToken);
    assert!(error.to_string().contains("for a teamsAsyncOperation"), "{error}");
}

#[test]
fn a_token_is_compared_by_origin_alone() {
    let (_, operation) = started();
    let token = operation.resume_token().unwrap();
    let beta =
        ScriptedClient::with_service_root(Uri::from_static("https://graph.microsoft.com:443/beta"));
    assert_eq!(Operation::resume(beta, token).unwrap().location().unwrap(), OPERATION);
}

#[test]
fn a_404_of_a_resumed_operation_is_final() {
    let client = ScriptedClient::new();
    let (_, operation) = started();
    client.answer(status(404));
    let mut resumed = Operation::resume(client, operation.resume_token().unwrap()).unwrap();
    let error = block_on(resumed.wait()).unwrap_err();
    assert_eq!((error.kind(), error.checks()), (ErrorKind::Rejected, Some(1)));
}

#[test]
fn an_address_alone_is_enough() {
    let client = ScriptedClient::new();
    let operation =
        Operation::from_location(client.clone(), "/teams('1')/operations('2')").unwrap();
    assert_eq!(operation.location().unwrap(), OPERATION);
    let operation = Operation::from_location(client.clone(), OPERATION).unwrap();
    assert_eq!(operation.location().unwrap(), OPERATION);
    // When it was started is not known.
    assert_eq!(operation.resume_token().unwrap().started_at(), None);
    for (location, kind) in [
        ("https://evil.example/v1.0/teams", ErrorKind::ForeignLocation),
        ("not an address", ErrorKind::InvalidLocation),
    ] {
        assert_eq!(Operation::from_location(client.clone(), location).unwrap_err().kind(), kind);
    }
}

#[test]
fn every_error_that_leaves_the_operation_alive_names_it() {
    let (client, mut operation) = started();
    let token = operation.resume_token();
    client.answer(status(401)).answer(status(307));
    for _ in 0..2 {
        assert_eq!(block_on(operation.wait()).unwrap_err().resume_token(), token);
    }
    // The script has ended, which is a fault that is not retried.
    assert_eq!(block_on(operation.wait()).unwrap_err().resume_token(), token);
}

#[test]
fn the_model_of_a_token_is_shown_on_one_line() {
    let text = r#"{"version":1,"model":"a\nb","location":"https://graph.microsoft.com/v1.0/x"}"#;
    let error = Operation::resume(ScriptedClient::new(), text.parse().unwrap()).unwrap_err();
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[test]
fn a_monitor_that_vanished_keeps_its_facts_when_it_is_saved() {
    let root = "https://graph.microsoft.com/v1.0".parse().unwrap();
    let monitor = "https://contoso.sharepoint.com/_api/v2.0/monitor/1".parse().unwrap();
    let now = std::time::Instant::now();
    let mut poller = Poller::new::<DriveItemCopy>(Started::at(monitor), Polling::default(), now, 7);
    for answer in [
        json_answer(202, &json!({ "status": "inProgress", "percentageComplete": 5.0 })),
        with_header(status(404), "request-id", "r"),
    ] {
        drop(poller.check_now(now).unwrap().request());
        let _ = poller.received(answer, now);
    }
    let saved = serde_json::to_string(&poller.save()).unwrap();
    let saved: Saved = serde_json::from_str(&saved).unwrap();
    let mut restored = Poller::restore::<DriveItemCopy>(saved, &root, now).unwrap();
    let [Step::Done(Err(kept)), Step::Done(Err(error))] = [poller.next(now), restored.next(now)]
    else {
        panic!("both have ended")
    };
    assert_eq!(format!("{error:#}"), format!("{kept:#}"));
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Vanished, false));
    assert_eq!((error.status(), error.request_id()), (kept.status(), Some("r")));
    assert_eq!((error.checks(), error.waited()), (Some(2), kept.waited()));
    assert!(error.operation::<DriveItemCopy>().is_some() && error.resume_token().is_none());
}
