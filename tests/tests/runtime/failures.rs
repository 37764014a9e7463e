//! Errors of a client: which are retried, and which the caller gets.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::testing::{ScriptedClient, accepted, block_on, failed, json_answer, status};
use graph_operation::{
    BoxError, Client, DriveItemCopy, Error, ErrorKind, Model, Operation, Result,
    TeamsAsyncOperation,
};
use graph_operation_tests::wrapped::Wrapped;
use http::{HeaderValue, Method, Request, Response, Uri};
use serde_json::json;

use crate::{LOCATION, Sleepless, started};

/// A client whose first request fails, by default with an error of the library's own type.
struct Failing<E = Error> {
    client: ScriptedClient,
    error: Arc<Mutex<Option<E>>>,
}

impl<E: From<Error> + Into<BoxError> + Send + 'static> Failing<E> {
    fn with(error: Error) -> Self {
        Failing { client: ScriptedClient::new(), error: Arc::new(Mutex::new(Some(error.into()))) }
    }

    fn start(&self, idempotent: bool) -> Result<Operation> {
        let request = self.request(Method::POST, ["teams", "1", "archive"])?;
        block_on(async {
            if idempotent {
                Operation::start_idempotent(self.clone(), request).await
            } else {
                Operation::start(self.clone(), request).await
            }
        })
    }
}

impl<E> Clone for Failing<E> {
    fn clone(&self) -> Self {
        Failing { client: self.client.clone(), error: Arc::clone(&self.error) }
    }
}

impl<E: From<Error> + Into<BoxError> + Send + 'static> Client for Failing<E> {
    type Error = E;

    fn service_root(&self) -> &Uri {
        Client::service_root(&self.client)
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, E> {
        let error = self.error.lock().unwrap().take();
        match error {
            Some(error) => Err(error),
            None => Ok(Client::send(&self.client, request).await?),
        }
    }

    async fn send_anonymous(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        Client::send(self, request).await.map_err(Error::transport)
    }

    async fn sleep(&self, duration: Duration) {
        Client::sleep(&self.client, duration).await;
    }

    fn now(&self) -> Instant {
        Client::now(&self.client)
    }
}

#[test]
fn a_request_that_was_not_sent_is_retried() {
    for error in [
        Error::not_sent("connection refused"),
        ureq::Error::HostNotFound.into(),
        ureq::Error::ConnectionFailed.into(),
        ureq::Error::ConnectProxyFailed("403 Forbidden".to_owned()).into(),
        ureq::Error::Timeout(ureq::Timeout::Resolve).into(),
        ureq::Error::Timeout(ureq::Timeout::Connect).into(),
    ] {
        let client = <Failing>::with(error);
        client.client.answer(accepted(LOCATION));
        drop(client.start(false).unwrap());
        assert_eq!(client.client.requests().len(), 1);
    }
}

/// A client can make an error of a status, which says the same as the response would.
#[test]
fn the_error_of_a_status_says_whether_the_request_was_carried_out() {
    for (status, refused, unknown) in [
        (400, false, false),
        (403, false, false),
        (408, false, true),
        (429, true, false),
        (500, false, true),
        (503, true, false),
        (504, false, true),
    ] {
        for idempotent in [false, true] {
            let client = <Failing>::with(ureq::Error::StatusCode(status).into());
            client.client.answer(accepted(LOCATION));
            let outcome = client.start(idempotent).map(drop);
            assert_eq!(outcome.is_ok(), refused || unknown && idempotent, "{status}: {outcome:?}");
            if let Err(error) = outcome {
                assert_eq!(error.to_string().contains("carried out"), unknown, "{error}");
                assert!(!error.is_retryable(), "{error}");
            }
        }
    }
}

/// Errors of requests that could not be built.
fn unbuilt() -> [Error; 3] {
    [
        Request::builder().method("\n").body(()).unwrap_err().into(),
        HeaderValue::from_str("\n").unwrap_err().into(),
        "https://[".parse::<Uri>().unwrap_err().into(),
    ]
}

#[test]
fn a_request_that_could_not_be_made_was_not_carried_out() {
    let others = [
        Error::credential("the secret has expired"),
        reqwest::Client::new().get("no URL").build().unwrap_err().into(),
        ureq::get("http:no host").call().unwrap_err().into(),
        ureq::Error::BadUri("no scheme".into()).into(),
    ];
    for error in unbuilt().into_iter().chain(others) {
        let client = <Failing>::with(error);
        let error = client.start(false).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Transport, false));
        assert!(!error.to_string().contains("carried out"), "{error}");
        assert!(client.client.requests().is_empty());
    }
}

#[test]
fn the_error_of_a_request_that_could_not_be_built_says_so() {
    let shown = unbuilt().map(|error| error.to_string());
    let request = "the request could not be built";
    assert_eq!(shown, [request, request, "the address is not a URL"]);
}

#[test]
fn an_error_that_is_not_retryable_is_final_whatever_its_kind() {
    let invalid = ScriptedClient::new().url_of([".."]).unwrap_err();
    assert_eq!(invalid.kind(), ErrorKind::InvalidLocation);
    let client = <Failing>::with(invalid);
    let error = client.start(true).unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Transport, false));
    assert!(client.client.requests().is_empty());
}

#[test]
fn a_client_without_anonymous_requests_says_what_is_missing() {
    let scripted = ScriptedClient::new();
    let client = Sleepless::of(&scripted);
    let location = "https://contoso.sharepoint.com/monitors/1";
    let operation = Operation::from_location_as::<DriveItemCopy>(client, location);
    let error = block_on(operation.unwrap().wait()).unwrap_err();
    assert!(format!("{error:#}").contains("implement `Client::send_anonymous`"), "{error:#}");
    assert_eq!((error.is_retryable(), error.checks()), (false, Some(1)));
    assert!(scripted.requests().is_empty());
}

/// The last update shows a running operation, which a caller would otherwise poll forever.
#[test]
fn every_poll_of_an_operation_whose_monitor_disappeared_says_so() {
    let client = <Failing>::with(Error::transport("connection reset"));
    let location = "https://contoso.sharepoint.com/monitors/1";
    let operation = Operation::from_location_as::<DriveItemCopy>(client.clone(), location);
    let mut operation = operation.unwrap();
    client.client.answer(json_answer(200, &json!({ "status": "inProgress" })));
    client.client.answer(status(404));
    block_on(operation.poll()).unwrap_err();
    assert!(!block_on(operation.poll()).unwrap().is_terminal());
    for _ in 0..3 {
        let error = block_on(operation.poll()).unwrap_err();
        assert_eq!((error.kind(), error.checks()), (ErrorKind::Vanished, Some(3)));
    }
    assert_eq!(client.client.requests().len(), 2);
}

/// A client may follow an operation of its own before it sends.
#[test]
fn the_failure_of_another_operation_is_not_this_ones() {
    fn poll<M: Model>(location: &str, error: Error) -> Error {
        let operation = Operation::from_location_as::<M>(<Failing>::with(error), location);
        block_on(operation.unwrap().poll()).unwrap_err()
    }
    let (client, mut other) = started();
    client.answer(failed("TeamUnavailable", "Gone."));
    let failure = block_on(other.wait()).unwrap_err();
    for error in [
        poll::<TeamsAsyncOperation>(LOCATION, failure.clone()),
        poll::<DriveItemCopy>("https://contoso.sharepoint.com/monitors/1", failure),
    ] {
        assert_eq!((error.kind(), error.failure()), (ErrorKind::Transport, None));
        assert!(error.resume_token().is_some());
    }
}

/// Whatever the type of a client's error, the library's error inside says whether the request was
/// sent, and whether a retry may help.
#[test]
fn an_error_of_the_library_is_found_within_an_authors() {
    fn assert_found<E: From<Error> + Into<BoxError> + Send + 'static>(within: &str) {
        let client = Failing::<E>::with(Error::not_sent("connection refused"));
        client.client.answer(accepted(LOCATION));
        drop(client.start(false).unwrap());

        let client = Failing::<E>::with(Error::credential("the secret has expired"));
        let error = client.start(true).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Transport, false));
        assert!(!error.to_string().contains("carried out"), "{error}");
        let credential = "no credential is available for the request";
        let shown = format!("{credential}: {within}the secret has expired");
        assert_eq!(format!("{error:#}"), shown);
        assert!(client.client.requests().is_empty());

        let elsewhere = Operation::from_location(ScriptedClient::new(), "https://evil.example/1");
        let client = Failing::<E>::with(elsewhere.unwrap_err());
        let error = client.start(true).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::ForeignLocation, false));
        assert_eq!(error.location(), Some("https://evil.example/1"));
    }
    assert_found::<Error>("");
    assert_found::<BoxError>("");
    assert_found::<std::io::Error>("");
    assert_found::<Wrapped>("wrapped: no credential is available for the request: ");
}
