//! When a set checks: the policy, the rate, the owners, the deadlines.

use std::collections::HashMap;
use std::time::Duration;

use graph_operation::testing::{
    ScriptedClient, block_on, in_progress, interrupt, status, succeeded, with_header,
};
use graph_operation::{Client, ErrorKind, Operation, OperationSet, Polling, RateLimit, TimeLeft};
use http::{Method, Request};

use crate::{ends, location, operation, seconds};

/// When each operation was checked, in order.
fn checks(client: &ScriptedClient) -> Vec<(String, Duration)> {
    let mut batches = client.batches().into_iter();
    let mut checks = Vec::new();
    for (request, at) in client.requests().into_iter().zip(client.sent_at()) {
        if request.uri().path().ends_with("/$batch") {
            let items = batches.next().unwrap();
            checks.extend(items.iter().map(|item| (item.uri().path().to_owned(), at)));
        } else {
            checks.push((request.uri().path().to_owned(), at));
        }
    }
    checks
}

/// In no window of time were there more than `rate × t + burst`.
fn assert_rate(times: &[Duration], rate: f64, burst: u32) {
    for (first, begin) in times.iter().enumerate() {
        for (count, end) in (1_u32..).zip(&times[first..]) {
            let most = rate * (*end - *begin).as_secs_f64() + f64::from(burst) + 1e-6;
            assert!(f64::from(count) <= most, "{count} from {begin:?} to {end:?}");
        }
    }
}

#[test]
fn no_operation_is_checked_early_and_the_rate_is_kept_in_every_window() {
    for rate in [3, 20] {
        let client = ScriptedClient::new();
        let mut set = OperationSet::new(client.clone()).rate(rate);
        for at in 0..100 {
            set.insert(at, operation(&client, at)).unwrap();
        }
        for _ in 0..300 {
            client.answer(in_progress());
        }
        for _ in 0..100 {
            client.answer(succeeded("/a"));
        }
        assert_eq!(ends(&mut set).len(), 100);
        let checks = checks(&client);
        let mut before: HashMap<&str, Duration> = HashMap::new();
        for (path, at) in &checks {
            if let Some(before) = before.insert(path, *at) {
                assert!(*at - before >= seconds(30), "{path} after {:?}", *at - before);
            }
        }
        let times: Vec<_> = checks.iter().map(|(_, at)| *at).collect();
        assert_rate(&times, f64::from(rate), 20);
        assert!(client.requests().len() <= 30, "{}", client.requests().len());
    }
}

#[test]
fn an_owner_is_checked_four_times_a_second() {
    for batch in [1, 20] {
        let client = ScriptedClient::new();
        let mut set = OperationSet::new(client.clone()).rate(1_000).batch(batch);
        for at in 0..40 {
            let url = format!("/teams('1')/channels('{at}')/operations('{at}')");
            set.insert(at, Operation::from_location(client.clone(), url).unwrap()).unwrap();
            client.answer(succeeded("/a"));
        }
        assert_eq!(ends(&mut set).len(), 40);
        let times: Vec<_> = checks(&client).into_iter().map(|(_, at)| at).collect();
        for window in times.windows(5) {
            assert!(window[4] - window[0] > seconds(1), "{window:?}");
        }
        let time = times[39] - times[0];
        assert!(time < seconds(15), "{time:?}");
    }
}

#[test]
fn operations_that_share_a_deadline_end_as_fast_as_the_rate_allows() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::new(client.clone()).rate(10);
    let polling = Polling::default().timeout(seconds(600));
    for at in 0..200 {
        set.insert(at, operation(&client, at).with_polling(polling)).unwrap();
    }
    // Others that are due at the same time and can wait.
    for at in 200..400 {
        set.insert(at, operation(&client, at).with_polling(Polling::default().no_timeout()))
            .unwrap();
    }
    for _ in 0..20_000 {
        client.answer(in_progress());
    }
    for _ in 0..200 {
        let (key, end) = block_on(set.next()).unwrap();
        assert!(key < 200);
        assert_eq!(end.unwrap_err().kind(), ErrorKind::TimedOut);
    }
    // 200 at 10 a second, and the time that a batch takes to fill.
    assert!(client.elapsed() >= seconds(590), "{:?}", client.elapsed());
    assert!(client.elapsed() <= seconds(600 + 20 + 3), "{:?}", client.elapsed());
    assert_eq!(set.counts().running, 200);
}

/// Operations that wait for the rate past their deadline do not also wait for the end of a pause,
/// whether or not the service has said how long it is.
#[test]
fn a_pause_ends_operations_past_their_deadline_at_once() {
    for refused in [with_header(status(429), "retry-after", "3000"), status(503)] {
        let client = ScriptedClient::new();
        let mut set = OperationSet::new(client.clone()).rate(1);
        for at in 0..100 {
            let polling = Polling::default().first_check(seconds(600)).timeout(seconds(10));
            set.insert(at, operation(&client, at).with_polling(polling)).unwrap();
        }
        for _ in 0..40 {
            client.answer(in_progress());
        }
        for _ in 0..40 {
            let (_, end) = block_on(set.next()).unwrap();
            assert_eq!(end.unwrap_err().kind(), ErrorKind::TimedOut);
        }
        let (before, requests) = (client.elapsed(), client.requests().len());
        assert!(before > seconds(10), "{before:?}");
        client.answer_batch(refused);
        for _ in 40..100 {
            let (_, end) = block_on(set.next()).unwrap();
            let error = end.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            let reason = std::error::Error::source(&error).unwrap().to_string();
            assert!(reason.starts_with("the batch was answered with "), "{reason}");
        }
        assert_eq!(client.requests().len(), requests + 1);
        assert!(client.elapsed() - before < seconds(30), "{:?}", client.elapsed() - before);
    }
}

/// An operation whose last check falls into a pause ends at its deadline.
#[test]
fn a_deadline_does_not_wait_for_the_end_of_a_pause() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::new(client.clone());
    for at in 0..2 {
        let polling = Polling::default().first_check(seconds(5)).no_timeout();
        set.insert(at, operation(&client, at).with_polling(polling)).unwrap();
        client.answer(succeeded("/a"));
    }
    let polling = Polling::default().first_check(seconds(600)).timeout(seconds(8));
    set.insert(2, operation(&client, 2).with_polling(polling)).unwrap();
    client.answer_batch(status(429)); // no later than after 8 s, and for 3 s at least
    let (key, end) = block_on(set.next()).unwrap();
    assert_eq!((key, end.unwrap_err().kind()), (2, ErrorKind::TimedOut));
    assert_eq!((client.elapsed(), client.requests().len()), (seconds(8), 1));
    assert!(ends(&mut set).iter().all(|(_, end)| end.is_ok()));
}

#[test]
fn throttling_halves_the_rate_once_a_burst_and_it_recovers() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::new(client.clone()).rate(20);
    for at in 0..200 {
        set.insert(at, operation(&client, at)).unwrap();
    }
    assert_eq!(set.pace(), seconds(10));
    for _ in 0..5 {
        client.answer(with_header(status(429), "retry-after", "60"));
    }
    for _ in 0..15 {
        client.answer(in_progress());
    }
    let mut polls = 0;
    while client.requests().len() < 2 {
        polls += 1;
        client.answer(in_progress());
        assert!(interrupt(set.next_event(), 1).is_some() && polls < 1_000);
    }
    assert_eq!(set.pace(), seconds(20), "five refusals of one burst halve it once");
    client.advance(seconds(16));
    assert_eq!(set.pace(), seconds(10));
}

#[test]
fn the_rate_is_lowered_to_a_64th_and_no_further() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::new(client.clone()).rate(64).batch(1);
    for at in 0..64 {
        set.insert(at, operation(&client, at)).unwrap();
    }
    let mut slowest = Duration::ZERO;
    for refusals in 1..=64 {
        client.answer(status(429));
        while client.requests().len() < refusals {
            assert!(block_on(set.next_event()).is_some());
        }
        slowest = slowest.max(set.pace());
    }
    assert_eq!(slowest, seconds(64));
}

/// A request may take as long as the operation in it that has the most time left.
#[test]
fn the_time_left_of_a_batch_is_the_longest_of_its_items() {
    for (timeouts, left) in [([40, 70], Some(70)), ([70, 40], Some(70)), ([40, 0], None)] {
        let client = ScriptedClient::new();
        let mut set = OperationSet::new(client.clone());
        for (at, timeout) in timeouts.into_iter().enumerate() {
            let polling = Polling::default();
            let polling = match timeout {
                0 => polling.no_timeout(),
                timeout => polling.timeout(seconds(timeout)),
            };
            set.insert(at, operation(&client, at).with_polling(polling)).unwrap();
            client.answer(succeeded("/a"));
        }
        assert_eq!(ends(&mut set).len(), 2);
        let request = client.requests().remove(0);
        let told = request.extensions().get::<TimeLeft>().map(|left| left.0);
        let left = left.map(|left| seconds(left) - client.sent_at()[0]);
        assert_eq!((client.batches().len(), told), (1, left));
    }
}

#[test]
fn a_throttled_envelope_halves_the_next_batches() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::new(client.clone());
    for at in 0..20 {
        set.insert(at, operation(&client, at)).unwrap();
        client.answer(succeeded("/a"));
    }
    client.answer_batch(with_header(status(429), "retry-after", "1"));
    assert_eq!(ends(&mut set).len(), 20);
    let sizes: Vec<_> = client.batches().iter().map(Vec::len).collect();
    assert_eq!(sizes, [20, 10, 10]);
}

#[test]
fn sets_and_a_send_of_the_authors_share_a_limit() {
    let limit = RateLimit::new(5);
    let client = ScriptedClient::new();
    let mut sets: Vec<OperationSet<usize>> = (0..2)
        .map(|_| OperationSet::new(client.clone()).rate_limit(limit.clone()).batch(5))
        .collect();
    for (number, set) in sets.iter_mut().enumerate() {
        for at in 0..40 {
            set.insert(at, operation(&client, 100 * number + at)).unwrap();
            client.answer(succeeded("/a"));
        }
    }
    let mut times = Vec::new();
    block_on(async {
        let [one, other] = &mut sets[..] else { panic!("two sets") };
        for _ in 0..40 {
            one.next().await.unwrap().1.unwrap();
            limit.admit(&client, &Request::new(())).await;
            times.push(client.elapsed());
            other.next().await.unwrap().1.unwrap();
        }
    });
    times.extend(checks(&client).into_iter().map(|(_, at)| at));
    times.sort();
    assert_eq!(times.len(), 120);
    assert_rate(&times, 5.0, 20);
    assert!(client.elapsed() < seconds(5 + 20 + 15), "{:?}", client.elapsed());
}

#[test]
fn starts_take_tokens_from_the_same_rate() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::new(client.clone()).rate(2);
    for at in 0..40 {
        let team = at.to_string();
        let request = Client::request(&client, Method::POST, ["teams", &team, "archive"]);
        set.start_request(at, request.unwrap()).unwrap();
        client.answer(status(204));
    }
    assert_eq!(ends(&mut set).len(), 40);
    let times: Vec<_> = checks(&client).into_iter().map(|(_, at)| at).collect();
    assert_rate(&times, 2.0, 20);
}

/// What is due waits for a batch to fill, but at most a twentieth of the interval and two seconds.
#[test]
fn what_is_due_waits_a_moment_for_a_batch_to_fill() {
    for (interval, slack) in [(10, 500), (30, 1_500), (600, 2_000)] {
        let client = ScriptedClient::new();
        let mut set = OperationSet::new(client.clone());
        let wait = |millis| {
            Polling::default()
                .first_check(Duration::from_millis(millis))
                .interval(seconds(interval))
        };
        // Jitter lengthens a wait by a quarter at most; the second is due before the first is sent.
        set.insert(0, operation(&client, 0).with_polling(wait(1_000))).unwrap();
        client.answer(succeeded("/a"));
        assert_eq!(ends(&mut set).len(), 1);
        let at = client.sent_at()[0];
        let due = [seconds(1), Duration::from_millis(1_250)];
        let slack = Duration::from_millis(slack);
        assert!(at >= due[0] + slack && at <= due[1] + slack, "{at:?}");
    }
}

#[test]
fn ten_thousand_checks_that_fall_due_together_take_five_hundred_requests() {
    const COUNT: usize = 10_000;
    let client = ScriptedClient::new();
    let mut set = OperationSet::new(client.clone()).rate(1_000_000);
    let polling = Polling::default().first_check(Duration::ZERO);
    for at in 0..COUNT {
        set.insert(at, operation(&client, at).with_polling(polling)).unwrap();
        client.answer(succeeded("/a"));
    }
    assert_eq!(ends(&mut set).len(), COUNT);
    assert_eq!(client.requests().len(), COUNT / 20);
    assert!(location(1).starts_with('/'));
}
