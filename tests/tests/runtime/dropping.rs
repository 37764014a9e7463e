//! Futures dropped at every await lose nothing.

use graph_operation::testing::{
    ScriptedClient, accepted, block_on, in_progress, interrupt, succeeded,
};
use graph_operation::{Operation, Polling, Update};

use crate::{LOCATION, attempt, begin, seconds};

/// An operation whose client pends in the middle of every sleep and every request.
fn yielding() -> (ScriptedClient, Operation) {
    let client = ScriptedClient::new().yielding();
    let operation = begin(&client, accepted(LOCATION)).unwrap();
    client
        .answer(attempt(1))
        .answer(attempt(2))
        .fail("connection reset")
        .answer(attempt(3))
        .answer(succeeded("/teams('1')"));
    (client, operation)
}

/// No check of a wait comes too early, counted from when the one before it was sent.
fn assert_policy(client: &ScriptedClient) {
    let sent = client.sent_at();
    assert!(sent[0] > seconds(5));
    for pair in sent.windows(2) {
        assert!(pair[1] - pair[0] > seconds(30), "{sent:?}");
    }
}

#[test]
fn wait_can_be_dropped_at_every_await() {
    for polls in 0.. {
        let (client, mut operation) = yielding();
        let ended = interrupt(operation.wait(), polls).is_some();
        let completed = block_on(operation.wait()).unwrap();
        assert_eq!(completed.target_location(), Some("/teams('1')"));
        assert_policy(&client);
        if ended {
            assert!(polls > 10, "every await was reached");
            return;
        }
    }
}

#[test]
fn updates_can_be_dropped_at_every_await() {
    for polls in 0.. {
        let (client, mut operation) = yielding();
        let mut seen = 0;
        let ended = interrupt(
            async {
                let mut updates = operation.updates();
                while let Some(update) = updates.next().await {
                    seen = update.unwrap().checks();
                }
            },
            polls,
        )
        .is_some();
        assert_eq!(ended, seen == 5);
        let mut updates = operation.updates();
        let mut last: Option<Update> = None;
        while let Some(update) = block_on(updates.next()) {
            let update = update.unwrap();
            assert!(update.checks() > seen);
            last = Some(update);
        }
        assert!(ended || last.unwrap().is_terminal());
        block_on(operation.wait()).unwrap();
        assert_policy(&client);
        if ended {
            return;
        }
    }
}

#[test]
fn a_dropped_next_keeps_its_place_in_the_updates() {
    let (client, mut operation) = yielding();
    let mut updates = operation.updates();
    let mut seen = Vec::new();
    loop {
        // Each `next` gets one poll, as the losing branch of a select does.
        match interrupt(updates.next(), 1) {
            None => {}
            Some(None) => break,
            Some(Some(update)) => seen.push(update.unwrap().checks()),
        }
    }
    assert_eq!(seen, [1, 2, 3, 4, 5]);
    assert_policy(&client);
}

#[test]
fn poll_can_be_dropped_at_every_await() {
    for polls in 0..3 {
        let (client, mut operation) = yielding();
        let polled = interrupt(operation.poll(), polls);
        assert_eq!(polled.is_some(), polls == 2);
        assert_eq!(operation.update().checks(), u32::from(polls > 0));
        block_on(operation.wait()).unwrap();
        assert!(client.sent_at().windows(2).all(|pair| pair[1] - pair[0] > seconds(30)));
    }
}

#[test]
fn target_can_be_dropped_at_every_await() {
    for polls in 0.. {
        let (client, operation) = yielding();
        let mut operation = operation.with_target::<serde_json::Value>();
        client
            .answer(graph_operation::testing::status(404))
            .answer(graph_operation::testing::json_answer(200, &serde_json::json!({"id": "1"})));
        let ended = interrupt(operation.target(), polls).is_some();
        if ended {
            return;
        }
        // The response to the dropped read is lost; the target is not.
        client.answer(graph_operation::testing::json_answer(200, &serde_json::json!({"id": "1"})));
        assert_eq!(block_on(operation.target()).unwrap()["id"], "1");
    }
}

#[test]
fn a_wait_that_is_dropped_again_and_again_still_gets_its_checks() {
    // Three polls get a check from the middle of its sleep to its answer.
    let (client, mut operation) = yielding();
    let ended = (0..100).find_map(|_| interrupt(operation.wait(), 3));
    assert!(ended.is_some_and(|ended| ended.is_ok()), "{:?}", client.elapsed());
    assert_policy(&client);

    // One poll gets halfway through the rest of a sleep, or sends: the time counts all the same.
    let (client, mut operation) = yielding();
    let ended = (0..300).find_map(|_| interrupt(operation.wait(), 1));
    assert!(ended.is_some_and(|ended| ended.is_ok()), "{:?}", client.elapsed());
    assert_eq!(client.requests().len(), 5);
    assert_policy(&client);
}

#[test]
fn a_check_counts_from_when_it_was_sent_even_if_its_answer_is_dropped() {
    let client = ScriptedClient::new().yielding();
    let mut operation = begin(&client, accepted(LOCATION)).unwrap();
    operation.set_polling(Polling::default().first_check(seconds(0)));
    client.answer(in_progress()).answer(succeeded("/teams('1')"));
    assert!(interrupt(operation.wait(), 1).is_none());
    assert_eq!((client.requests().len(), operation.update().checks()), (1, 1));
    block_on(operation.wait()).unwrap();
    assert!(client.sent_at()[1] > seconds(30));
}
