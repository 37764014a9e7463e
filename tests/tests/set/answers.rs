//! What the response to a batch says about each item, and about the batch.

use bytes::Bytes;
use graph_operation::testing::{
    ScriptedClient, block_on, failed, graph_error, in_progress, status, succeeded, with_header,
};
use graph_operation::{DriveItemCopy, ErrorKind, Operation, OperationSet, Polling, SetEvent};
use http::{Response, Uri};
use serde_json::{Value, json};

use crate::guarded::{Guarded, refused};
use crate::{batch, ends, location, operation, running, seconds};

fn done() -> Value {
    json!({ "status": "succeeded", "targetResourceLocation": "/teams('1')" })
}

#[test]
fn a_missing_duplicated_or_unknown_id_is_a_fault_of_that_item_alone() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 4);
    client.answer_batch(batch(&json!([
        { "id": "9", "status": 200, "body": done() },
        { "id": "3", "status": 200, "body": done() },
        { "id": "2", "status": 200, "body": done() },
        { "id": "3", "status": 200, "body": done() },
        { "id": "x", "status": 200, "body": done() },
    ])));
    let mut faults = 0;
    let mut ended = 0;
    for _ in 0..3 {
        client.answer(succeeded("/a"));
    }
    block_on(async {
        while let Some(event) = set.next_event().await {
            match event {
                SetEvent::Update(_, update) => {
                    faults += usize::from(
                        update.fault().map(graph_operation::Error::kind) == Some(ErrorKind::Decode),
                    );
                }
                SetEvent::Ended(_, result) => {
                    result.unwrap();
                    ended += 1;
                }
                other => panic!("{other:?}"),
            }
        }
    });
    assert_eq!((faults, ended), (3, 4));
}

#[test]
fn order_names_and_encodings_do_not_matter() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 2);
    let text = r#"{"id":"1","status":"failed","error":{"code":"code"}}"#;
    let encoded = "eyJpZCI6IjEiLCJzdGF0dXMiOiJmYWlsZWQiLCJlcnJvciI6eyJjb2RlIjoiY29kZSJ9fQ==";
    client.answer_batch(batch(&json!([
        { "id": "2", "status": 429, "headers": { "RETRY-AFTER": "100" } },
        { "id": "1", "status": 200, "headers": { "request-ID": "r" }, "body": encoded },
    ])));
    client.answer(succeeded("/b"));
    let ends = ends(&mut set);
    let error = ends[0].1.as_ref().unwrap_err();
    assert_eq!((error.code(), error.request_id()), (Some("code"), Some("r")), "{text}");
    assert!(ends[1].1.is_ok());
    let times = client.sent_at();
    assert!(times[1] - times[0] >= seconds(100), "{times:?}");
}

/// The items of a batch seldom have a date or ids of their own.
#[test]
fn an_item_has_the_date_and_the_ids_of_its_batch() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 3);
    let response = batch(&json!([
        { "id": "1", "status": 429, "headers": { "Retry-After": "Thu, 01 Jan 2026 00:02:00 GMT" } },
        { "id": "2", "status": 403, "headers": { "request-id": "own" } },
        { "id": "3", "status": 200, "body": { "status": "failed" } },
    ]));
    let response = with_header(response, "date", "Thu, 01 Jan 2026 00:00:00 GMT");
    let response = with_header(response, "request-id", "r");
    client.answer_batch(with_header(response, "client-request-id", "c"));
    client.answer(succeeded("/a"));
    let ends = ends(&mut set);
    let ids: Vec<_> = ends[..2]
        .iter()
        .map(|(_, end)| end.as_ref().unwrap_err())
        .map(|error| (error.request_id(), error.client_request_id(), error.date().is_some()))
        .collect();
    assert_eq!(ids, [(Some("own"), Some("c"), true), (Some("r"), Some("c"), true)]);
    assert!(ends[2].1.is_ok());
    let times = client.sent_at();
    assert!(times[1] - times[0] >= seconds(120), "{times:?}");
}

#[test]
fn a_byte_order_mark_and_invalid_utf_8_lose_no_item() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 2);
    let response = batch(&json!([
        { "id": "1", "status": 200, "body": done() },
        { "id": "2", "status": 200, "body": { "status": "succeeded", "id": "#" } },
    ]));
    client.answer_batch(response.map(|body| {
        let text = body.iter().map(|&byte| if byte == b'#' { b'\xFF' } else { byte });
        b"\xEF\xBB\xBF".iter().copied().chain(text).collect()
    }));
    assert!(ends(&mut set).iter().all(|(_, end)| end.is_ok()));
    assert_eq!(client.requests().len(), 1);
}

#[test]
fn a_failed_dependency_is_retried() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 2);
    let dependency = graph_error(424, "FailedDependency", "x");
    client.answer(with_header(dependency, "retry-after", "100")).answer(succeeded("/a"));
    client.answer(succeeded("/b"));
    let mut faults = Vec::new();
    block_on(async {
        while let Some(event) = set.next_event().await {
            match event {
                SetEvent::Update(_, update) => faults.extend(update.fault().cloned()),
                SetEvent::Ended(_, end) => assert!(end.is_ok()),
                other => panic!("{other:?}"),
            }
        }
    });
    let [fault] = &faults[..] else { panic!("{faults:?}") };
    assert_eq!((fault.kind(), fault.code()), (ErrorKind::Rejected, Some("FailedDependency")));
    assert!(fault.is_retryable());
    let times = client.sent_at();
    assert!(times[1] - times[0] >= seconds(100), "{times:?}");
}

#[test]
fn the_bodies_of_one_batch_are_kept_apart() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 20);
    for at in 0..20 {
        client.answer(failed(&format!("code{at}"), "message"));
    }
    let mut codes: Vec<String> = ends(&mut set)
        .iter()
        .map(|(_, end)| end.as_ref().unwrap_err().code().unwrap().into())
        .collect();
    codes.sort();
    codes.dedup();
    assert_eq!((codes.len(), client.requests().len()), (20, 1));
}

/// An envelope that was refused was not sent: neither a check nor a fault.
#[test]
fn a_refused_envelope_costs_its_items_nothing() {
    for code in [429, 503, 400, 404, 405, 501] {
        let client = ScriptedClient::new();
        let mut set = running(&client, 3);
        client.answer_batch(graph_error(code, "x", "y"));
        for _ in 0..3 {
            client.answer(succeeded("/a"));
        }
        let mut updates = Vec::new();
        block_on(async {
            while let Some(event) = set.next_event().await {
                match event {
                    SetEvent::Update(_, update) => {
                        updates.push((update.fault().is_some(), update.checks()));
                    }
                    SetEvent::Ended(_, result) => drop(result.unwrap()),
                    other => panic!("{other:?}"),
                }
            }
        });
        assert_eq!(updates, [(false, 1); 3], "{code}");
        let times = client.sent_at();
        let waited = times[1] - times[0];
        if [429, 503].contains(&code) {
            assert!(waited >= seconds(3) && waited < seconds(10), "{code}: {waited:?}");
        } else {
            assert!(waited < seconds(2), "{code}: {waited:?}");
            assert_eq!((client.batches().len(), client.requests().len()), (1, 4), "{code}");
        }
    }
}

#[test]
fn a_refused_envelope_waits_for_its_retry_after() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 2);
    client.answer_batch(with_header(status(429), "retry-after", "40"));
    client.answer(succeeded("/a")).answer(succeeded("/b"));
    assert_eq!(ends(&mut set).len(), 2);
    let times = client.sent_at();
    assert!(times[1] - times[0] >= seconds(40) && times[1] - times[0] <= seconds(45), "{times:?}");
}

#[test]
fn an_envelope_without_a_usable_response_is_a_fault_of_each_item() {
    for code in [0, 408, 500, 502, 504] {
        let client = ScriptedClient::new();
        let mut set = running(&client, 3);
        if code == 0 {
            client.fail_batch("connection reset");
        } else {
            client.answer_batch(status(code));
        }
        for _ in 0..3 {
            client.answer(succeeded("/a"));
        }
        let mut faults = 0;
        block_on(async {
            while let Some(event) = set.next_event().await {
                if let SetEvent::Update(_, update) = event {
                    faults += usize::from(update.fault().is_some());
                }
            }
        });
        assert_eq!((faults, set.counts().succeeded), (3, 3), "{code}");
    }
}

#[test]
fn a_response_that_is_not_that_of_a_batch_is_a_fault_of_each_item() {
    for body in ["<html></html>", "", "{}", r#"{"responses":7}"#] {
        let client = ScriptedClient::new();
        let mut set = running(&client, 2);
        client.answer_batch(Response::new(Bytes::from(body)));
        client.answer(succeeded("/a")).answer(succeeded("/b"));
        assert!(ends(&mut set).iter().all(|(_, result)| result.is_ok()), "{body}");
        assert_eq!(client.requests().len(), 2);
    }
}

/// After a 404, 405 or 501 a version gets no more batches; after one 400 it does.
#[test]
fn batching_is_turned_off_for_good_or_once() {
    for (code, for_good) in [(404, true), (405, true), (501, true), (400, false)] {
        let client = ScriptedClient::new();
        let mut set = running(&client, 20);
        client.answer_batch(status(code));
        for _ in 0..20 {
            client.answer(in_progress());
        }
        for _ in 0..20 {
            client.answer(succeeded("/a"));
        }
        assert!(ends(&mut set).iter().all(|(_, result)| result.is_ok()));
        assert_eq!(client.batches().len() == 1, for_good, "{code}");
    }
    let client = ScriptedClient::new();
    let mut set = running(&client, 2);
    client.answer_batch(status(400)).answer_batch(status(400));
    for _ in 0..4 {
        client.answer(in_progress());
    }
    client.answer(succeeded("/a")).answer(succeeded("/b"));
    assert!(ends(&mut set).iter().all(|(_, result)| result.is_ok()));
    assert_eq!(client.batches().len(), 2, "the second 400 in a row turned it off");
}

/// A separate request confirms or contradicts what a batch says about an operation.
#[test]
fn an_items_error_is_confirmed_by_one_separate_request() {
    for code in [400, 404, 405] {
        let client = ScriptedClient::new();
        let mut set = running(&client, 2);
        client.answer(graph_error(code, "x", "y")).answer(in_progress()); // the batch
        client.answer(graph_error(code, "x", "y")); // the separate request
        client.answer(succeeded("/b"));
        let ends = ends(&mut set);
        let error = ends[0].1.as_ref().unwrap_err();
        assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Rejected, code));
        assert!(ends[1].1.is_ok());
        let times = client.sent_at();
        assert!(times[1] - times[0] < seconds(2), "{times:?}");
        assert_eq!(client.batches().len(), 1);
    }
}

#[test]
fn a_batch_that_was_confirmed_is_believed_from_then_on() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 3);
    let gone = || graph_error(404, "NotFound", "Gone.");
    client.answer(gone()).answer(in_progress()).answer(in_progress());
    client.answer(gone());
    client.answer(gone()).answer(succeeded("/a"));
    let failures = ends(&mut set).iter().filter(|(_, result)| result.is_err()).count();
    assert_eq!((failures, client.requests().len(), client.batches().len()), (2, 3, 2));
}

#[test]
fn after_three_contradictions_a_version_is_read_with_separate_requests() {
    for contradicted in [2, 3] {
        let client = ScriptedClient::new();
        let mut set = running(&client, 5);
        for _ in 0..contradicted {
            client.answer(graph_error(404, "NotFound", "Not in a batch."));
        }
        for _ in contradicted..5 {
            client.answer(in_progress());
        }
        for _ in 0..contradicted {
            client.answer(in_progress()); // alone
        }
        for _ in 0..5 {
            client.answer(succeeded("/a"));
        }
        assert!(ends(&mut set).iter().all(|(_, result)| result.is_ok()));
        let later: Vec<usize> = client.batches()[1..].iter().map(Vec::len).collect();
        assert_eq!(later, if contradicted == 3 { vec![] } else { vec![3] });
    }
}

#[test]
fn a_fresh_operations_404_needs_no_confirmation() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::<usize>::new(client.clone());
    for at in 0..2 {
        let accepted = graph_operation::testing::accepted(&location(at));
        let operation = block_on(Operation::from_response(client.clone(), accepted)).unwrap();
        set.insert(at, operation).unwrap();
        client.answer(graph_error(404, "NotFound", "Not yet."));
    }
    client.answer(succeeded("/a")).answer(succeeded("/b"));
    assert!(ends(&mut set).iter().all(|(_, result)| result.is_ok()));
    let times = client.sent_at();
    assert_eq!((client.requests().len(), client.batches().len()), (2, 2));
    assert!(times[1] - times[0] > seconds(29), "{times:?}");
}

fn guarded(client: &Guarded, count: usize) -> OperationSet<usize> {
    let mut set = OperationSet::new(client.clone());
    for at in 0..count {
        set.insert(at, operation(&client.client, at)).unwrap();
    }
    set
}

#[test]
fn a_new_credential_is_asked_for_once_per_envelope() {
    for whole in [false, true] {
        let client = ScriptedClient::new();
        let guard = Guarded::new(&client, true);
        let mut set = guarded(&guard, 3);
        let mut again = 3;
        if whole {
            client.answer_batch(refused());
        } else {
            client.answer(refused()).answer(refused()).answer(succeeded("/a"));
            again = 2;
        }
        for _ in 0..again {
            client.answer(succeeded("/a"));
        }
        assert!(ends(&mut set).iter().all(|(_, result)| result.is_ok()));
        let asked = guard.asked();
        assert_eq!(asked.len(), 1);
        assert_eq!((asked[0].status().as_u16(), asked[0].headers().len()), (401, 2), "{whole}");
        let times = client.sent_at();
        assert!(times.len() == 2 && times[1] - times[0] < seconds(2), "{times:?}");
    }
}

#[test]
fn a_credential_that_is_not_renewed_is_final_and_is_not_asked_for_twice() {
    for (renews, whole) in [(false, false), (false, true), (true, false), (true, true)] {
        let client = ScriptedClient::new();
        let guard = Guarded::new(&client, renews);
        let mut set = guarded(&guard, 2);
        for _ in 0..=usize::from(renews) {
            if whole {
                client.answer_batch(refused());
            } else {
                client.answer(refused()).answer(refused());
            }
        }
        for (_, end) in ends(&mut set) {
            let error = end.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Rejected);
            assert_eq!(error.status().unwrap().as_u16(), 401, "{renews} {whole}");
            assert_eq!(error.code(), Some("InvalidAuthenticationToken"));
            assert!(error.resume_token().is_some());
        }
        assert_eq!(guard.asked().len(), 1);
        assert_eq!(set.counts().failed, 2);
    }
}

/// The same for an operation that is checked alone.
#[test]
fn a_lone_check_asks_for_its_own_credential() {
    for (renews, refusals) in [(true, 1), (true, 2), (false, 1)] {
        let client = ScriptedClient::new();
        let guard = Guarded::new(&client, renews);
        let mut set = guarded(&guard, 1);
        for _ in 0..refusals {
            client.answer(refused());
        }
        let found = renews && refusals == 1;
        if found {
            client.answer(succeeded("/a"));
        }
        let (_, end) = ends(&mut set).remove(0);
        match end {
            Ok(_) => assert!(found),
            Err(error) => {
                assert!(!found, "{error}");
                assert_eq!(error.status().unwrap().as_u16(), 401);
                assert_eq!(error.code(), Some("InvalidAuthenticationToken"));
            }
        }
        assert_eq!((guard.asked().len(), client.batches().len()), (1, 0));
        let times = client.sent_at();
        assert_eq!(times.len(), if renews { 2 } else { 1 });
        assert!(times.iter().all(|at| *at - times[0] < seconds(2)), "{times:?}");
    }
}

#[test]
fn a_check_that_confirms_a_batch_asks_for_its_own_credential() {
    let client = ScriptedClient::new();
    let guard = Guarded::new(&client, true);
    let mut set = guarded(&guard, 2);
    client.answer(graph_error(404, "NotFound", "Gone.")).answer(in_progress()); // the batch
    client.answer(refused()).answer(graph_error(404, "NotFound", "Gone.")); // alone
    client.answer(succeeded("/b"));
    let ends = ends(&mut set);
    assert_eq!(ends[0].1.as_ref().unwrap_err().code(), Some("NotFound"));
    assert!(ends[1].1.is_ok());
    assert_eq!((guard.asked().len(), client.requests().len()), (1, 4));
}

#[test]
fn versions_are_checked_apart() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::<usize>::new(client.clone());
    for at in 0..6 {
        let version = if at % 2 == 0 { "v1.0" } else { "beta" };
        let url = format!("https://graph.microsoft.com/{version}{}", location(at));
        set.insert(at, Operation::from_location(client.clone(), url).unwrap()).unwrap();
        client.answer(succeeded("/a"));
    }
    assert_eq!(ends(&mut set).len(), 6);
    let requests = client.requests();
    let mut urls: Vec<_> = requests.iter().map(|request| request.uri().path().to_owned()).collect();
    urls.sort();
    assert_eq!(urls, ["/beta/$batch", "/v1.0/$batch"]);
    for request in &requests {
        let items: Value = serde_json::from_slice(request.body()).unwrap();
        for item in items["requests"].as_array().unwrap() {
            assert!(item["url"].as_str().unwrap().starts_with("/teams('"), "{item}");
            assert_eq!(item["headers"]["Prefer"], "include-unknown-enum-members");
        }
    }
}

#[test]
fn what_is_not_below_a_version_is_read_with_separate_requests() {
    for root in ["https://localhost:1/graph", "https://localhost:1", "https://localhost:1/v1.0"] {
        let client = ScriptedClient::with_service_root(Uri::from_static(root));
        let mut set = OperationSet::<usize>::new(client.clone());
        for at in 0..3 {
            let url = format!("https://localhost:1/elsewhere{}", location(at));
            set.insert(at, Operation::from_location(client.clone(), url).unwrap()).unwrap();
            client.answer(succeeded("/a"));
        }
        assert!(ends(&mut set).iter().all(|(_, result)| result.is_ok()));
        assert_eq!((client.requests().len(), client.batches().len()), (3, 0), "{root}");
    }
}

#[test]
fn a_set_without_batches_reads_one_by_one() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::<usize>::new(client.clone()).batch(1);
    for at in 0..3 {
        set.insert(at, operation(&client, at)).unwrap();
        client.answer(succeeded("/a"));
    }
    assert!(ends(&mut set).iter().all(|(_, result)| result.is_ok()));
    assert_eq!((client.requests().len(), client.batches().len()), (3, 0));
}

#[test]
fn an_anonymous_monitor_is_read_with_separate_requests_without_a_credential() {
    let client = ScriptedClient::new();
    let guard = Guarded::new(&client, false);
    let mut set = OperationSet::<usize, Value, DriveItemCopy>::new(guard.clone());
    for at in 0..3 {
        let url = format!("https://contoso.sharepoint.com/_api/v2.0/monitor/{at}");
        let operation = Operation::from_location_as::<DriveItemCopy>(guard.clone(), url).unwrap();
        set.insert(at, operation).unwrap();
        let body = json!({ "status": "completed", "resourceId": "1" });
        client.answer(graph_operation::testing::json_answer(200, &body));
    }
    block_on(async {
        while let Some((_, result)) = set.next().await {
            result.unwrap();
        }
    });
    assert_eq!((client.requests().len(), client.batches().len(), guard.anonymous()), (3, 0, 3));
    assert!(
        client
            .requests()
            .iter()
            .all(|request| request.uri().host() == Some("contoso.sharepoint.com"))
    );
}

#[test]
fn retries_are_counted_for_each_operation() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::<usize>::new(client.clone());
    for at in 0..2 {
        let polling = Polling::default().retries(2);
        set.insert(at, operation(&client, at).with_polling(polling)).unwrap();
    }
    for _ in 0..3 {
        client.fail_batch("connection reset");
    }
    for (_, end) in ends(&mut set) {
        assert_eq!(end.unwrap_err().kind(), ErrorKind::Transport);
    }
    assert_eq!(client.requests().len(), 3);
}
