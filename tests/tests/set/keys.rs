//! Keys: how operations are added to a set, are seen in it, and leave it.

use graph_operation::testing::{
    ScriptedClient, accepted, block_on, failed, in_progress, interrupt, status, succeeded,
};
use graph_operation::{
    Client, Error, ErrorKind, Operation, OperationSet, Polling, ResumeToken, SetEvent,
};
use http::{Method, Uri};

use crate::{ends, location, operation, running};

fn start(set: &mut OperationSet<usize>, client: &ScriptedClient, at: usize) {
    let graph = client.clone();
    let starting = async move {
        let request = graph.request(Method::POST, ["teams", "1", "archive"])?;
        let operation = Operation::start(graph, request).await?;
        // While a sleep pends halfway, the virtual clock advances past any deadline.
        Ok::<_, Error>(operation.with_polling(Polling::default().no_timeout()))
    };
    set.start(at, starting).unwrap();
}

#[test]
fn a_key_that_is_in_the_set_is_never_replaced_and_is_free_after_its_end() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 1);
    let other = operation(&client, 7);
    let back = set.insert(0, other).unwrap_err();
    assert!(back.location().unwrap().path().ends_with("/teams('7')/operations('7')"));
    let token = back.resume_token().unwrap();
    let duplicate = set.resume(0, token.clone()).unwrap_err();
    assert_eq!(duplicate.kind(), ErrorKind::DuplicateKey);
    let request = Client::request(&client, Method::POST, ["teams", "1", "archive"]).unwrap();
    let duplicate = set.start_request(0, request).unwrap_err();
    assert_eq!(duplicate.kind(), ErrorKind::DuplicateKey);
    assert_eq!(set.len(), 1);

    client.answer(succeeded("/teams('0')")).answer(failed("code", "message"));
    assert!(ends(&mut set)[0].1.is_ok());
    set.resume(0, token).unwrap();
    assert_eq!(ends(&mut set)[0].1.as_ref().unwrap_err().code(), Some("code"));
    assert_eq!((set.counts().succeeded, set.counts().failed), (1, 1));
}

#[test]
fn an_operation_with_another_origin_is_not_accepted() {
    let client = ScriptedClient::new();
    let other =
        ScriptedClient::with_service_root(Uri::from_static("https://graph.microsoft.us/v1.0"));
    let mut set = running(&client, 1);
    let foreign = operation(&other, 5);
    let token = foreign.resume_token().unwrap();
    let back = set.insert(5, foreign).unwrap_err();
    assert_eq!(back.location().unwrap().host(), Some("graph.microsoft.us"));
    assert_eq!(set.resume(5, token).unwrap_err().kind(), ErrorKind::InvalidToken);
    other.answer(accepted(&location(6)));
    start(&mut set, &other, 6);
    client.answer(succeeded("/teams('0')"));
    let ends = ends(&mut set);
    assert_eq!(ends.len(), 2);
    let (_, refused) = ends.iter().find(|(key, _)| *key == 6).unwrap();
    assert_eq!(refused.as_ref().unwrap_err().kind(), ErrorKind::ForeignLocation);
    assert!(
        client.requests().iter().all(|request| request.uri().host() == Some("graph.microsoft.com"))
    );
}

#[test]
fn checks_and_targets_go_through_the_sets_client() {
    let (own, client) = (ScriptedClient::new(), ScriptedClient::new());
    let mut set = OperationSet::new(client.clone());
    set.insert(0, operation(&own, 0)).unwrap();
    client.answer(succeeded("/teams('0')"));
    let (_, completed) = ends(&mut set).remove(0);
    client.answer(graph_operation::testing::json_answer(200, &serde_json::json!({ "id": "0" })));
    let target = block_on(completed.unwrap().target()).unwrap();
    assert_eq!((target["id"].as_str(), own.requests().len()), (Some("0"), 0));
    assert_eq!(client.requests().len(), 2);
}

#[test]
fn removing_what_is_queued_starting_and_running() {
    let client = ScriptedClient::new().yielding();
    let mut set = OperationSet::new(client.clone()).starts_at_once(1);
    set.insert(0, operation(&client, 0)).unwrap();
    start(&mut set, &client, 1);
    start(&mut set, &client, 2);
    assert_eq!((set.counts().queued, set.counts().starting, set.counts().running), (2, 0, 1));
    assert!(interrupt(set.next(), 1).is_none());
    assert_eq!((set.counts().queued, set.counts().starting, set.counts().running), (1, 1, 1));

    assert!(set.remove(&1).is_none(), "a start in flight stays");
    assert!(set.remove(&2).is_none());
    assert!(set.remove(&9).is_none());
    assert_eq!(set.len(), 2);
    let removed = set.remove(&0).unwrap();
    assert!(removed.location().unwrap().path().ends_with("/teams('0')/operations('0')"));
    assert_eq!(set.keys().collect::<Vec<_>>(), [&1]);

    client.answer(accepted(&location(1))).answer(succeeded("/teams('1')"));
    let ends = ends(&mut set);
    assert_eq!(
        ends.iter().map(|(key, result)| (*key, result.is_ok())).collect::<Vec<_>>(),
        [(1, true)]
    );
    assert_eq!(client.requests().len(), 2, "the removed start was not made");

    client.answer(succeeded("/teams('0')"));
    block_on(async { removed.await }).unwrap();
}

#[test]
fn a_start_that_is_removed_while_it_waits_is_dropped() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::<usize>::new(client);
    let used = std::sync::Arc::new(());
    for at in 0..2 {
        let used = std::sync::Arc::clone(&used);
        let start = async move {
            drop(used);
            Err::<Operation, _>(std::io::Error::other("not begun"))
        };
        set.start(at, start).unwrap();
    }
    assert!(set.remove(&0).is_none());
    assert_eq!((std::sync::Arc::strong_count(&used), set.len()), (2, 1));
}

#[test]
fn an_operation_that_is_removed_during_its_check_can_be_waited_for() {
    let client = ScriptedClient::new().yielding();
    let mut set = OperationSet::new(client.clone());
    for at in 0..2 {
        let polling = Polling::default().no_timeout();
        set.insert(at, operation(&client, at).with_polling(polling)).unwrap();
    }
    let mut polls = 0;
    while client.requests().is_empty() {
        polls += 1;
        assert!(interrupt(set.next(), 1).is_none() && polls < 100);
    }
    let removed = set.remove(&0).unwrap();
    client.answer(succeeded("/a")).answer(succeeded("/b"));
    let ends = ends(&mut set);
    assert_eq!(ends.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [1]);
    assert!(set.is_empty());
    client.answer(succeeded("/teams('0')"));
    block_on(async { removed.await }).unwrap();
}

#[test]
fn tokens_name_what_is_running_or_has_ended_unreported() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 3);
    start(&mut set, &client, 8);
    let names = |set: &OperationSet<usize>| {
        let mut keys: Vec<usize> = set.tokens().map(|(key, _)| *key).collect();
        keys.sort_unstable();
        keys
    };
    assert_eq!(names(&set), [0, 1, 2]);
    assert_eq!(set.token(&8), None, "it is not started");
    client.answer(accepted(&location(8)));
    for at in 0..4 {
        client.answer(succeeded(&format!("/teams('{at}')")));
    }
    let (first, _) = block_on(set.next()).unwrap();
    let left = names(&set);
    assert!(left.len() >= 2 && !left.contains(&first), "{left:?}");
    assert_eq!(set.len(), 3);
    let tokens: Vec<(usize, ResumeToken)> =
        set.tokens().map(|(key, token)| (*key, token)).collect();
    for (key, token) in &tokens {
        assert_eq!(set.token(key).as_ref(), Some(token));
        assert!(token.location().path().ends_with(&location(*key)));
    }
    assert_eq!(set.token(&first), None);
    drop(set);

    let mut set = OperationSet::<usize>::new(client.clone());
    for (key, token) in tokens {
        let token = token.to_string().parse().unwrap();
        set.resume(key, token).unwrap();
        client.answer(succeeded("/teams('x')"));
    }
    assert_eq!(ends(&mut set).len(), left.len());
}

#[test]
fn ends_come_in_the_order_in_which_they_are_found() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 3);
    let ids = |client: &ScriptedClient, at: usize| {
        let batch = &client.batches()[at];
        batch.iter().map(|item| item.uri().path().to_owned()).collect::<Vec<_>>()
    };
    client.answer(in_progress()).answer(succeeded("/a")).answer(in_progress());
    client.answer(succeeded("/b")).answer(succeeded("/c"));
    let ends = ends(&mut set);
    let order: Vec<String> =
        ends.iter().map(|(key, _)| format!("/v1.0{}", location(*key))).collect();
    assert_eq!(order[0], ids(&client, 0)[1]);
    assert_eq!(order[1..], ids(&client, 1)[..]);
}

#[test]
fn what_one_method_returned_the_other_does_not_return_again() {
    let client = ScriptedClient::new();
    let mut set = running(&client, 2);
    client.answer(in_progress()).answer(succeeded("/a")).answer(succeeded("/b"));
    let (first, _) = block_on(set.next()).unwrap();
    let mut events = Vec::new();
    block_on(async {
        while let Some(event) = set.next_event().await {
            match event {
                SetEvent::Update(key, update) => events.push((key, update.is_terminal())),
                SetEvent::Ended(key, _) => events.push((key, true)),
                other => panic!("{other:?}"),
            }
        }
    });
    let last = 1 - first;
    assert_eq!(events, [(last, true), (last, true)], "the last update, and its end");
}

#[test]
fn an_empty_set_can_be_filled_again() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::new(client.clone());
    for round in 1..=3 {
        assert!(block_on(set.next()).is_none() && set.is_empty());
        assert!(block_on(set.next_event()).is_none());
        set.insert(0, operation(&client, 0)).unwrap();
        client.answer(succeeded("/teams('0')"));
        assert!(block_on(set.next()).unwrap().1.is_ok());
        assert_eq!(set.counts().succeeded, round);
    }
}

#[test]
fn a_service_that_finishes_at_once_ends_the_start() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::new(client.clone());
    start(&mut set, &client, 1);
    client.answer(status(204));
    let (key, completed) = block_on(set.next()).unwrap();
    assert!(key == 1 && completed.unwrap().operation().is_none());
}
