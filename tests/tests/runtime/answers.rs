//! What each answer means, to the starting request and to a check.

use graph_operation::testing::{
    ScriptedClient, accepted, block_on, graph_error, json_answer, operation, status, with_header,
};
use graph_operation::{ErrorKind, GraphError};
use http::{HeaderValue, Response};
use serde_json::json;

use crate::{LOCATION, OPERATION, begin, started};

fn start(answer: Response<bytes::Bytes>) -> Result<Option<String>, ErrorKind> {
    begin(&ScriptedClient::new(), answer)
        .map(|operation| operation.location().map(ToString::to_string))
        .map_err(|error| error.kind())
}

#[test]
fn only_these_statuses_start_or_finish_an_operation() {
    for code in 100..600 {
        let expected = match code {
            200 | 201 | 204 => Ok(None),
            202 => Ok(Some(OPERATION.to_owned())),
            400.. => Err(ErrorKind::Rejected),
            _ => Err(ErrorKind::NotAccepted),
        };
        assert_eq!(start(with_header(status(code), "location", LOCATION)), expected, "{code}");
    }
}

#[test]
fn the_operation_is_found_in_the_header_that_names_it() {
    const JOB: &str = "https://graph.microsoft.com/v1.0/jobs/1";
    let team = "/teams('1')";
    let other = "/teams('8')/operations('9')";
    for (headers, expected) in [
        (&[("location", LOCATION)][..], Ok(OPERATION)),
        (&[("Location", LOCATION), ("Content-Location", team)], Ok(OPERATION)),
        (&[("Content-Location", LOCATION)], Ok(OPERATION)),
        (&[("Operation-Location", LOCATION)], Ok(OPERATION)),
        (&[("Operation-Location", LOCATION), ("Location", team)], Ok(OPERATION)),
        (&[("Location", LOCATION), ("Operation-Location", other)], Ok(OPERATION)),
        (&[("Location", LOCATION), ("Content-Location", other)], Ok(OPERATION)),
        // If no header names an operation, `Content-Location` does not count.
        (&[("Operation-Location", "/jobs/1"), ("Content-Location", team)], Ok(JOB)),
        (&[("Location", "/jobs/1"), ("Operation-Location", team)], Ok(JOB)),
        (&[], Err(ErrorKind::MissingLocation)),
        (&[("Content-Location", team)], Err(ErrorKind::MissingLocation)),
        (&[("Location", "")], Err(ErrorKind::InvalidLocation)),
        (&[("Location", "//evil.example/operations/1")], Err(ErrorKind::ForeignLocation)),
    ] {
        let answer = headers
            .iter()
            .fold(status(202), |answer, (name, value)| with_header(answer, name, value));
        assert_eq!(start(answer), expected.map(|uri| Some(uri.to_owned())), "{headers:?}");
    }
    let mut answer = status(202);
    answer.headers_mut().insert("location", HeaderValue::from_bytes(b"/t\xe9am").unwrap());
    assert_eq!(start(answer), Err(ErrorKind::InvalidLocation));
}

#[test]
fn a_rejection_keeps_what_support_asks_for() {
    let body = json!({"error": {
        "code": "NotFound",
        "message": "No team found with Group Id 1",
        "innerError": { "code": "ItemNotFound", "date": "2022-05-27T10:22:03", "request-id": "r", "client-request-id": "c" }
    }});
    let error = begin(&ScriptedClient::new(), json_answer(404, &body)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert_eq!(error.status(), Some(http::StatusCode::NOT_FOUND));
    assert_eq!((error.request_id(), error.client_request_id()), (Some("r"), Some("c")));
    assert_eq!((error.date(), error.retry_after()), (Some("2022-05-27T10:22:03"), None));
    assert_eq!(error.graph_error().and_then(|error| error.code.as_deref()), Some("NotFound"));
    assert_eq!(
        (error.code(), error.message()),
        (Some("NotFound"), Some("No team found with Group Id 1"))
    );
    assert_eq!(
        error.to_string(),
        "the request was answered with 404 Not Found: NotFound: No team found with Group Id 1"
    );

    let answer = with_header(json_answer(429, &body), "request-id", "header");
    let answer = with_header(answer, "date", "Wed, 15 Dec 2021 08:57:50 GMT");
    let error =
        begin(&ScriptedClient::new(), with_header(answer, "retry-after", "2.128")).unwrap_err();
    assert_eq!(error.request_id(), Some("header"));
    assert_eq!(error.date(), Some("Wed, 15 Dec 2021 08:57:50 GMT"));
    assert_eq!(error.retry_after(), Some(std::time::Duration::from_millis(2_128)));
    assert!(error.is_retryable());
}

#[test]
fn a_page_in_place_of_an_error_does_no_harm() {
    for body in ["<html><body>502</body></html>", "", "\u{0}", "{", "[1]", "\"x\""] {
        let answer = status(502).map(|_| bytes::Bytes::from(body));
        let error = begin(&ScriptedClient::new(), answer).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the request was answered with 502 Bad Gateway; the request may have been carried out"
        );
        assert_eq!((error.kind(), error.graph_error()), (ErrorKind::Rejected, None));
    }
    let nested = format!("{}1{}", "{\"error\":".repeat(200), "}".repeat(200));
    let answer = status(500).map(|_| bytes::Bytes::from(nested));
    let error = begin(&ScriptedClient::new(), answer).unwrap_err();
    assert!(error.to_string().len() < 2_200 && error.code().is_none(), "{error}");
}

/// Every pair of an HTTP status and a status in the body: the body decides, unless HTTP says error.
#[test]
fn the_body_decides_and_not_the_http_status() {
    #[derive(Debug, PartialEq)]
    enum Means {
        Running,
        Succeeded,
        Failed,
        Error(ErrorKind, bool),
    }

    for code in [
        200, 201, 202, 203, 204, 206, 301, 302, 303, 304, 307, 400, 401, 403, 404, 408, 409, 410,
        423, 429, 500, 501, 502, 503, 504, 507, 599,
    ] {
        for (body, decided) in [
            ("notStarted", Means::Running),
            ("inProgress", Means::Running),
            ("running", Means::Running),
            ("unknownFutureValue", Means::Running),
            ("", Means::Running),
            ("succeeded", Means::Succeeded),
            ("failed", Means::Failed),
            ("invalid", Means::Failed),
        ] {
            let (client, mut handle) = started();
            let mut answer = operation(&json!({ "status": body }));
            *answer.status_mut() = http::StatusCode::from_u16(code).unwrap();
            client.answer(answer);
            let means = match block_on(handle.poll()) {
                Err(error) => Means::Error(error.kind(), error.is_retryable()),
                Ok(update) => match update.state() {
                    graph_operation::State::Running => Means::Running,
                    graph_operation::State::Succeeded => Means::Succeeded,
                    graph_operation::State::Failed => Means::Failed,
                },
            };
            let expected = match code {
                200..=299 => decided,
                408 | 429 | 500 | 502 | 503 | 504 => Means::Error(ErrorKind::Rejected, true),
                _ => Means::Error(ErrorKind::Rejected, false),
            };
            assert_eq!(means, expected, "{code} with {body:?}");
        }
    }
}

#[test]
fn a_redirected_check_is_not_followed() {
    for (location, kind) in [
        ("https://evil.example/steal", ErrorKind::ForeignLocation),
        ("//evil.example/steal", ErrorKind::ForeignLocation),
        ("/v1.0/elsewhere", ErrorKind::Rejected),
    ] {
        let (client, mut handle) = started();
        client.answer(with_header(status(307), "location", location));
        let error = block_on(handle.wait()).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (kind, false));
        assert_eq!(error.resume_token(), handle.resume_token());
        assert_eq!(client.requests().len(), 1);
    }
}

#[test]
fn an_unreadable_answer_is_retried_and_then_an_error() {
    let bodies = [
        "",
        "<html></html>",
        "{\"id\":\"1\",\"status\":\"succ",
        "[]",
        "null",
        "{}",
        "\"succeeded\"",
        "{\"status\":7}",
        "{\"displayName\":\"a group\"}",
        "\u{feff}\u{feff}{\"status\":\"succeeded\"}",
    ];
    let (client, mut handle) = started();
    client.answer(graph_operation::testing::in_progress());
    for body in bodies {
        client.answer(status(200).map(|_| bytes::Bytes::from(body)));
    }
    client.answer(operation(&json!({ "status": "succeeded" })));
    block_on(handle.wait()).unwrap();
    assert_eq!(client.requests().len(), bodies.len() + 2);

    let (client, mut handle) = started();
    for _ in 0..11 {
        client.answer(status(200).map(|_| bytes::Bytes::from_static(b"\xff\xfe")));
    }
    let error = block_on(handle.wait()).unwrap_err();
    assert_eq!((error.kind(), error.checks()), (ErrorKind::Decode, Some(11)));
    assert!(error.resume_token().is_some() && std::error::Error::source(&error).is_some());
}

#[test]
fn an_address_of_something_else_is_detected_soon() {
    let (client, mut handle) = started();
    let team = json!({ "id": "1", "displayName": "a team, and no operation" });
    client.answer(json_answer(200, &team)).answer(json_answer(200, &team));
    client.answer(json_answer(200, &team));
    let error = block_on(handle.wait()).unwrap_err();
    assert_eq!((error.kind(), error.checks()), (ErrorKind::Decode, Some(3)));
    assert!(error.to_string().contains("the Location seems to name something else"), "{error}");
    // Other faults do not suggest it, and neither does a single response.
    client.answer(status(503)).answer(status(503)).answer(status(503));
    client.answer(json_answer(200, &team)).answer(operation(&json!({ "status": "succeeded" })));
    block_on(handle.wait()).unwrap();
}

#[test]
fn faults_of_polls_do_not_count_in_the_next_wait() {
    let (client, mut handle) = started();
    for _ in 0..30 {
        client.answer(status(503));
        block_on(handle.poll()).unwrap_err();
    }
    for _ in 0..10 {
        client.answer(status(503));
    }
    client.answer(operation(&json!({ "status": "succeeded" })));
    block_on(handle.wait()).unwrap();
}

#[test]
fn an_error_converts_into_an_io_error() {
    let error = begin(&ScriptedClient::new(), graph_error(400, "BadRequest", "Invalid version."))
        .unwrap_err();
    let text = error.to_string();
    let error: std::io::Error = error.into();
    assert_eq!((error.kind(), error.to_string()), (std::io::ErrorKind::Other, text));
    let inner = error.get_ref().unwrap().downcast_ref::<graph_operation::Error>().unwrap();
    assert_eq!(inner.kind(), ErrorKind::Rejected);
    assert_eq!(
        inner.graph_error().map(GraphError::to_string).as_deref(),
        Some("BadRequest: Invalid version.")
    );
}

#[test]
fn a_client_that_knows_better_stops_the_retries() {
    use bytes::Bytes;
    use graph_operation::{Client, Operation};
    use http::{Request, Uri};

    #[derive(Debug)]
    struct WrongCredential;

    impl std::fmt::Display for WrongCredential {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("the credential is wrong")
        }
    }

    impl std::error::Error for WrongCredential {}

    #[derive(Clone)]
    struct Refusing(Uri);

    impl Client for Refusing {
        type Error = WrongCredential;

        fn service_root(&self) -> &Uri {
            &self.0
        }

        async fn send(&self, _: Request<Bytes>) -> Result<Response<Bytes>, WrongCredential> {
            Err(WrongCredential)
        }

        async fn sleep(&self, _: std::time::Duration) {}

        fn is_transient(&self, _: &WrongCredential) -> bool {
            false
        }
    }

    let client = Refusing(Uri::from_static("https://graph.microsoft.com/v1.0"));
    for pointed in [false, true] {
        let error = if pointed {
            let client = std::sync::Arc::new(Box::new(client.clone()));
            block_on(async {
                Operation::from_response(client, accepted(LOCATION)).await?.wait().await
            })
        } else {
            let client = client.clone();
            block_on(async {
                Operation::from_response(client, accepted(LOCATION)).await?.wait().await
            })
        }
        .unwrap_err();
        assert_eq!((error.kind(), error.checks()), (ErrorKind::Transport, Some(1)));
        assert!(!error.is_retryable());
        assert_eq!(
            format!("{error:#}"),
            "no response came from the service: the credential is wrong"
        );
    }
    assert_eq!(client.url("/teams/1"), "https://graph.microsoft.com/v1.0/teams/1");
}
