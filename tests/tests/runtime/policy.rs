//! When checks are made, and when they end.

use graph_operation::testing::{
    ScriptedClient, accepted, block_on, graph_error, in_progress, status, succeeded, with_header,
};
use graph_operation::{ErrorKind, Operation, Polling, TimeLeft};

use http::StatusCode;

use crate::{LOCATION, Sleepless, assert_last_check, begin, drain, gaps, seconds, started};

#[test]
fn the_default_keeps_more_than_thirty_seconds_between_any_two_checks() {
    let (client, operation) = started();
    let mut operation = operation.with_polling(Polling::default().no_timeout());
    for _ in 0..1_000 {
        client.answer(in_progress());
    }
    client.answer(succeeded("/teams('1')"));
    block_on(operation.wait()).unwrap();

    let first = client.sent_at()[0];
    assert!(first > seconds(5) && first <= seconds(5) * 5 / 4, "{first:?}");
    let gaps = gaps(&client);
    assert_eq!(gaps.len(), 1_000);
    assert!(gaps.iter().all(|&gap| gap > seconds(30) && gap <= seconds(33)));
}

#[test]
fn twelve_handles_started_together_do_not_check_in_step() {
    let client = ScriptedClient::new();
    let firsts: std::collections::HashSet<_> = (0..12)
        .map(|_| {
            let operation = begin(&client, accepted(LOCATION)).unwrap();
            operation.update().next_check().unwrap()
        })
        .collect();
    assert!(firsts.len() >= 11, "{firsts:?}");
}

#[test]
fn the_clone_page_is_followed_on_demand() {
    let (client, operation) = started();
    let mut operation = operation.with_polling(Polling::frequent());
    client.answer(in_progress()).answer(in_progress()).answer(succeeded("/teams('1')"));
    block_on(operation.wait()).unwrap();
    assert!(gaps(&client).iter().all(|&gap| gap > seconds(5) && gap <= seconds(6)));
}

#[test]
fn the_retry_after_of_the_202_decides_the_first_check() {
    for (value, least) in [("17", 17), ("2", 2), ("0", 1), ("-1", 5), ("garbage", 5)] {
        let client = ScriptedClient::new();
        let accepted = with_header(accepted(LOCATION), "retry-after", value);
        client.answer(succeeded("/teams('1')"));
        block_on(begin(&client, accepted).unwrap().wait()).unwrap();
        let first = client.sent_at()[0];
        assert!(first >= seconds(least) && first <= seconds(least) * 5 / 4, "{value}: {first:?}");
    }
}

#[test]
fn a_longer_retry_after_delays_the_next_check_and_a_shorter_one_does_not() {
    for (value, least, most) in
        [("120", 120, 132), ("0,120", 120, 132), ("1", 30, 33), ("99999999999", 3_600, 3_960)]
    {
        for code in [200, 429, 503] {
            let (client, operation) = started();
            let mut operation = operation.with_polling(Polling::default().no_timeout());
            let answer = if code == 200 { in_progress() } else { status(code) };
            client.answer(with_header(answer, "retry-after", value));
            client.answer(succeeded("/teams('1')"));
            block_on(operation.wait()).unwrap();
            let gap = gaps(&client)[0];
            assert!(gap >= seconds(least) && gap <= seconds(most), "{code}, {value}: {gap:?}");
        }
    }
}

#[test]
fn faults_double_the_wait_and_ten_in_a_row_are_retried() {
    let (client, operation) = started();
    let mut operation = operation.with_polling(Polling::default().no_timeout());
    for _ in 0..11 {
        client.answer(graph_error(503, "serviceUnavailable", "Down."));
    }
    let error = block_on(operation.wait()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert!(error.is_retryable());
    assert_eq!(error.checks(), Some(11));
    assert_eq!(error.resume_token(), operation.resume_token());
    let least = [30, 60, 120, 180, 180, 180, 180, 180, 180, 180].map(seconds);
    let gaps = gaps(&client);
    assert_eq!(gaps.len(), least.len());
    assert!(gaps.iter().zip(least).all(|(&gap, least)| gap > least && gap <= least * 11 / 10));

    // The handle can still be used, and faults are counted from zero.
    client.fail("connection reset").answer(succeeded("/teams('1')"));
    block_on(operation.wait()).unwrap();
}

#[test]
fn a_good_answer_ends_the_row_of_faults() {
    let (client, operation) = started();
    let mut operation = operation.with_polling(Polling::default().retries(1));
    for _ in 0..5 {
        client.fail("connection reset").answer(in_progress());
    }
    client.answer(succeeded("/teams('1')"));
    block_on(operation.wait()).unwrap();
}

#[test]
fn an_error_that_no_retry_can_fix_ends_the_wait_at_once() {
    for code in [400, 401, 403, 409, 410, 501] {
        let (client, mut operation) = started();
        client.answer(graph_error(code, "BadRequest", "Invalid version."));
        let error = block_on(operation.wait()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Rejected);
        assert!(!error.is_retryable());
        assert_eq!(error.code(), Some("BadRequest"));
        assert_eq!(client.requests().len(), 1);
    }
}

#[test]
fn an_operation_that_is_not_found_yet_gets_several_minutes_at_the_ordinary_interval() {
    let (client, operation) = started();
    // It does not count as a fault.
    let mut operation = operation.with_polling(Polling::default().retries(0));
    client.answer(status(404)).answer(status(404)).answer(succeeded("/teams('1')"));
    block_on(operation.wait()).unwrap();

    let (client, mut operation) = started();
    for _ in 0..20 {
        client.answer(status(404));
    }
    let error = block_on(operation.wait()).unwrap_err();
    assert_eq!((error.kind(), error.status()), (ErrorKind::Rejected, Some(StatusCode::NOT_FOUND)));
    assert!(error.waited().unwrap() > seconds(300), "{error:?}");
    assert!(gaps(&client).iter().all(|&gap| gap > seconds(30) && gap <= seconds(33)));

    // An operation that was seen before, or was started by another process, is not waited for.
    let (client, mut operation) = started();
    client.answer(in_progress()).answer(status(404));
    assert_eq!(block_on(operation.wait()).unwrap_err().checks(), Some(2));
}

#[test]
fn the_deadline_ends_the_wait_with_a_last_check() {
    let (client, mut operation) = started();
    operation.set_polling(Polling::default().timeout(seconds(100)));
    for _ in 0..10 {
        client.answer(in_progress());
    }
    let error = block_on(operation.wait()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_last_check(&client, seconds(100), seconds(3));
    assert_eq!(error.waited(), client.sent_at().pop());
    assert_eq!(error.checks(), Some(u32::try_from(client.requests().len()).unwrap()));
    assert_eq!(error.resume_token(), operation.resume_token());
    assert!(error.operation::<graph_operation::TeamsAsyncOperation>().is_some());
    assert!(error.to_string().contains("inProgress"), "{error}");

    // Waiting again sends nothing; a later deadline does, and so does a poll.
    let sent = client.requests().len();
    assert_eq!(block_on(operation.wait()).unwrap_err().kind(), ErrorKind::TimedOut);
    assert_eq!(client.requests().len(), sent);
    block_on(operation.poll()).unwrap();
    operation.set_polling(Polling::default().timeout(seconds(200)));
    drain(&client);
    client.answer(succeeded("/teams('1')"));
    block_on(operation.wait()).unwrap();
}

#[test]
fn the_error_of_a_deadline_counts_the_checks() {
    for (timeout, expected) in [
        (3, "the operation did not end within 3s; after 1 check its status is inProgress"),
        (30, "the operation did not end within 30s; after 2 checks its status is inProgress"),
    ] {
        let (client, mut operation) = started();
        operation.set_polling(Polling::default().timeout(seconds(timeout)));
        client.answer(in_progress()).answer(in_progress());
        let error = block_on(operation.wait()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn the_last_check_can_still_find_the_end() {
    let (client, mut operation) = started();
    operation.set_polling(Polling::default().timeout(seconds(20)));
    client.answer(in_progress()).answer(succeeded("/teams('1')"));
    block_on(operation.wait()).unwrap();
    assert_last_check(&client, seconds(20), seconds(2));
}

#[test]
fn a_deadline_that_passes_during_faults_says_what_they_were() {
    let (client, mut operation) = started();
    operation.set_polling(Polling::default().timeout(seconds(60)));
    for _ in 0..5 {
        client.fail("connection reset");
    }
    let error = block_on(operation.wait()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(format!("{error:#}").ends_with("connection reset"), "{error:#}");
}

#[test]
fn a_request_carries_the_time_that_is_left_when_that_is_little() {
    let (client, mut operation) = started();
    operation.set_polling(Polling::default().timeout(seconds(130)));
    for _ in 0..6 {
        client.answer(in_progress());
    }
    block_on(operation.wait()).unwrap_err();
    let left: Vec<_> = client.requests().iter().map(TimeLeft::of).collect();
    let sent = client.sent_at();
    assert_eq!(left[0], TimeLeft::DEFAULT.0);
    for (left, sent) in left.iter().zip(&sent).skip(1).take(3) {
        assert_eq!(*left, seconds(130) - *sent);
    }
    assert_eq!(*left.last().unwrap(), seconds(10), "the last check needs time too");

    // A tenth of the timeout, from one second up to ten.
    for (timeout, last) in [(2, 1), (30, 3), (3_600, 10)] {
        let (client, mut operation) = started();
        operation.set_polling(Polling::default().timeout(seconds(timeout)));
        for _ in 0..200 {
            client.answer(in_progress());
        }
        block_on(operation.wait()).unwrap_err();
        assert_eq!(TimeLeft::of(client.requests().last().unwrap()), seconds(last));
    }
}

#[test]
fn checks_ask_for_every_member_and_for_json_and_for_nothing_else() {
    let (client, mut operation) = started();
    client.answer(succeeded("/teams('1')"));
    block_on(operation.wait()).unwrap();
    let request = &client.requests()[0];
    assert_eq!(request.uri(), crate::OPERATION);
    assert_eq!(request.method(), http::Method::GET);
    assert_eq!(request.headers()["prefer"], "include-unknown-enum-members");
    assert_eq!(request.headers()["accept"], "application/json");
    assert_eq!(request.headers().len(), 2);
    assert!(request.body().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_provided_clock_is_tokios() {
    use bytes::Bytes;
    use graph_operation::{Client, Operation, Result};
    use http::{Request, Response, Uri};

    #[derive(Clone)]
    struct Provided(ScriptedClient);

    impl Client for Provided {
        type Error = graph_operation::Error;

        fn service_root(&self) -> &Uri {
            Client::service_root(&self.0)
        }

        async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
            Client::send(&self.0, request).await
        }
    }

    let client = ScriptedClient::new();
    client.answer(in_progress()).answer(succeeded("/teams('1')"));
    let start = tokio::time::Instant::now();
    let operation = Operation::from_response(Provided(client.clone()), accepted(LOCATION)).await;
    tokio::spawn(operation.unwrap().into_future()).await.unwrap().unwrap();
    assert!(start.elapsed() > seconds(35) && start.elapsed() < seconds(40));
    assert_eq!(client.elapsed(), seconds(0));
}

#[test]
fn a_client_whose_sleeps_return_at_once_polls_at_full_speed() {
    let client = ScriptedClient::new();
    for _ in 0..200 {
        client.answer(in_progress());
    }
    let operation = Operation::from_response(Sleepless::of(&client), accepted(LOCATION));
    let error = block_on(async { operation.await?.await }).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let checks = client.requests().len();
    assert!((109..=120).contains(&checks), "an hour of checks: {checks}");
}
