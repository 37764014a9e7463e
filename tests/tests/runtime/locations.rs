//! Where an operation is, depending on the URL that was called.

use bytes::Bytes;
use graph_operation::protocol::Answer;
use graph_operation::testing::{ScriptedClient, accepted, block_on};
use graph_operation::{ErrorKind, Operation, Response, Result};
use http::Uri;

/// An answer that knows where it came from.
struct From(&'static str, http::Response<Bytes>);

impl Response for From {
    async fn into_answer(self) -> Result<Answer> {
        Ok(Answer::from(self.1).with_url(Uri::from_static(self.0)))
    }
}

#[test]
fn a_relative_location_gets_the_version_that_was_called() {
    for (called, expected) in [
        (
            "https://graph.microsoft.com/beta/chats",
            "https://graph.microsoft.com/beta/teams('1')/operations('2')",
        ),
        ("https://graph.microsoft.com/v1.0/teams", crate::OPERATION),
    ] {
        let response = From(called, accepted(crate::LOCATION));
        let operation =
            block_on(Operation::from_response(ScriptedClient::new(), response)).unwrap();
        assert_eq!(operation.location().unwrap(), expected, "{called}");
    }
}

/// For example, because a redirect to a sign-in page was followed.
#[test]
fn a_response_from_another_origin_starts_nothing_whatever_its_status() {
    for url in [
        "https://login.microsoftonline.com/common/oauth2?client_id=secret",
        "https://graph.microsoft.us/v1.0/teams",
        "http://graph.microsoft.com/v1.0/teams",
        "https://graph.microsoft.com:444/v1.0/teams",
        "https://graph.microsoft.com:99999/v1.0/teams",
    ] {
        for code in [200, 201, 202, 204, 302, 404, 503] {
            let response = accepted(crate::LOCATION).map(|_| Bytes::from_static(b"{}"));
            let response = http::Response::from_parts(
                {
                    let (mut head, _) = response.into_parts();
                    head.status = http::StatusCode::from_u16(code).unwrap();
                    head
                },
                Bytes::new(),
            );
            let response = From(url, response);
            let error =
                block_on(Operation::from_response(ScriptedClient::new(), response)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ForeignLocation, "{url} {code}");
            assert_eq!(error.location(), url.split('?').next());
            let shown = format!("{error:#} {error:?}");
            assert!(!shown.contains("secret") && error.status().unwrap() == code, "{shown}");
        }
    }
}

#[test]
fn a_custom_driver_sees_what_the_handles_see() {
    use graph_operation::protocol::{Accepted, Event, Poller, Step, accept};
    use graph_operation::{Polling, TeamsAsyncOperation, TeamsAsyncOperationStatus};

    let called = Uri::from_static("https://graph.microsoft.com/beta/teams");
    let answer = Answer::from(accepted(crate::LOCATION)).with_url(called.clone());
    assert_eq!(answer.url(), Some(&called));
    assert_eq!(answer.response().status(), 202);

    let root = Uri::from_static("https://graph.microsoft.com/v1.0");
    let Accepted::Started(started) = accept(&root, answer).unwrap() else {
        panic!("it has started")
    };
    let expected = "https://graph.microsoft.com/beta/teams('1')/operations('2')";
    assert_eq!(started.location(), expected);

    let mut now = std::time::Instant::now();
    let mut poller = Poller::new::<TeamsAsyncOperation>(started, Polling::default(), now, 1);
    assert!(poller.operation::<TeamsAsyncOperation>().is_none());
    while let Step::Wait(wait, _) = poller.next(now) {
        now += wait;
    }
    let Step::Send(check) = poller.next(now) else { panic!("a check is due") };
    assert_eq!(check.request().uri(), expected);
    let event = poller.received(graph_operation::testing::in_progress(), now);
    assert!(matches!(event, Event::Received(())));
    let status = &poller.operation::<TeamsAsyncOperation>().unwrap().status;
    assert_eq!(*status, TeamsAsyncOperationStatus::InProgress);
    assert!(format!("{poller:?}").contains(expected));
}

#[test]
fn no_location_leads_from_one_cloud_to_another() {
    let roots = [
        "https://graph.microsoft.com/v1.0",
        "https://graph.microsoft.us/v1.0",
        "https://dod-graph.microsoft.us/beta",
        "https://microsoftgraph.chinacloudapi.cn/v1.0",
        "https://canary.graph.microsoft.com/beta",
    ];
    for root in roots {
        let client = ScriptedClient::with_service_root(Uri::from_static(root));
        for other in roots {
            let location = format!("{other}{}", crate::LOCATION);
            let operation = Operation::from_location(client.clone(), &location);
            assert_eq!(operation.is_ok(), root == other, "{root} {other}");
        }
    }
}
