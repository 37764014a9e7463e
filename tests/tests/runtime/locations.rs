//! Where an operation is, by the address that was called.

use bytes::Bytes;
use graph_operation::protocol::Answer;
use graph_operation::testing::{ScriptedClient, accepted, block_on};
use graph_operation::{Operation, Response, Result};
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
        ("https://graph.microsoft.us/beta/teams", crate::OPERATION),
        ("http://graph.microsoft.com/beta/teams", crate::OPERATION),
    ] {
        let response = From(called, accepted(crate::LOCATION));
        let operation =
            block_on(Operation::from_response(ScriptedClient::new(), response)).unwrap();
        assert_eq!(operation.location().unwrap(), expected, "{called}");
    }
}

#[test]
fn every_cloud_keeps_to_itself() {
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
