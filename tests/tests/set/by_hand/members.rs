//! The members of a set.

use super::*;

#[test]
fn a_batch_has_one_to_twenty_items() {
    for (most, size) in [(0, 1), (1, 1), (7, 7), (100, 20)] {
        let mut now = Instant::now();
        let mut set = empty(now);
        set.set_batch(most);
        due(&mut set, 0..40, now);
        assert_eq!(sending(&mut set, &mut now).1.len(), size);
        let saved = serde_json::to_value(set.save()).unwrap();
        assert_eq!(saved["queues"].as_array().map(Vec::len), Some(2));
    }
}

#[test]
fn a_policy_stays_as_long_as_it_is_in_use() {
    let now = Instant::now();
    let mut set = empty(now);
    insert(&mut set, 1, Polling::default().retries(1), now);
    let ticket = begin_start(&mut set, 2, now);
    set.started(ticket, Err(Error::transport("connection reset")), now);
    assert_eq!(reports(&mut set, now), ["2 ended Transport"]);
    insert(&mut set, 3, Polling::default().retries(3), now);
    for key in [1, 3] {
        let polling = set.inspect(&key, |poller| *poller.polling()).unwrap();
        assert_eq!(polling, Polling::default().retries(key.into()));
    }
}

#[test]
fn each_owner_is_identified_by_the_path_below_the_root() {
    let begin = Instant::now();
    // Six teams below a root without a version, and six monitors, which have no owner.
    let gateway = Uri::from_static("https://gateway.example/proxy");
    let mut teams = Set::<u8>::new::<TeamsAsyncOperation>(gateway, begin, 7);
    let mut monitors = Set::<u8>::new::<DriveItemCopy>(root(), begin, 7);
    for key in 0..6 {
        let at = format!("https://gateway.example/proxy/teams/{key}/operations/1");
        let started = Started::at(at.parse().unwrap());
        let poller = Poller::new::<TeamsAsyncOperation>(started, at_once(), begin, 7);
        teams.insert(key, poller, begin).unwrap();
        let at = format!("https://contoso.sharepoint.com/_api/v2.0/monitor/{key}");
        let started = Started::at(at.parse().unwrap());
        let poller = Poller::new::<DriveItemCopy>(started, at_once(), begin, 7);
        monitors.insert(key, poller, begin).unwrap();
    }
    for set in [&mut teams, &mut monitors] {
        set.set_requests_at_once(6);
        let mut in_flight = Vec::new();
        while let Taken::Sent(_, envelope) = take(set, begin) {
            in_flight.push(envelope);
        }
        assert_eq!(in_flight.len(), 6);
    }
    // A dispatch that is dropped does not count for its owner.
    let mut set = empty(begin);
    set.set_batch(1);
    due(&mut set, [1], begin);
    for _ in 0..8 {
        let step = set.next(begin);
        assert!(matches!(step, SetStep::Send(_)), "{step:?}");
    }
}

#[test]
fn what_is_not_followed_has_no_poller_and_no_token() {
    let mut now = Instant::now();
    let mut set = empty(now);
    assert!(set.queue(1).is_some());
    assert!(set.inspect(&1, |_| ()).is_none() && set.token(&1).is_none());
    let done = Response::builder().status(201).body(Bytes::new()).unwrap();
    let accepted = graph_operation::protocol::Accepted::Finished(done);
    let poller = Poller::new::<TeamsAsyncOperation>(accepted, Polling::default(), now, 7);
    now += seconds(1);
    assert!(set.insert(2, poller, now).is_ok());
    assert_eq!(set.latest(), now);
    assert_eq!(
        (set.tokens().count(), set.inspect(&2, |poller| poller.finished().is_some())),
        (0, Some(true))
    );
    now += seconds(1);
    assert!(set.remove(&2, now).is_some_and(|poller| poller.finished().is_some()));
    assert_eq!(set.latest(), now);

    // A key that is in the set, or an operation with another origin, is not accepted.
    insert(&mut set, 3, Polling::default(), now);
    for (key, root, is_in) in
        [(3, ROOT, false), (4, "https://graph.microsoft.us/v1.0", false), (5, ROOT, true)]
    {
        let at = format!("{root}{}", location(9)).parse().unwrap();
        let poller =
            Poller::new::<TeamsAsyncOperation>(Started::at(at), Polling::default(), now, 7);
        assert_eq!(set.insert(key, poller, now).is_ok(), is_in, "{key}");
    }
}

#[test]
fn monitors_are_read_where_they_are_whatever_their_path() {
    let mut now = Instant::now();
    let mut set = Set::<u8>::new::<DriveItemCopy>(root(), now, 7);
    for key in 0..2 {
        let at = format!("https://contoso.sharepoint.com/v1.0/monitor/{key}").parse().unwrap();
        let poller = Poller::new::<DriveItemCopy>(Started::at(at), at_once(), now, 7);
        set.insert(key, poller, now).unwrap();
    }
    for key in 0..2 {
        let dispatch = loop {
            match set.next(now) {
                SetStep::Wait(wait, _) => now += wait,
                SetStep::Send(dispatch) => break dispatch,
                step => panic!("{step:?}"),
            }
        };
        assert!(dispatch.is_anonymous() && !dispatch.is_start());
        let (request, envelope) = dispatch.request();
        let at = format!("https://contoso.sharepoint.com/v1.0/monitor/{key}");
        assert_eq!((request.uri().to_string(), envelope.len()), (at, 1));
        drop(envelope);
    }
}

#[test]
fn versions_beyond_what_a_set_can_number_are_read_one_by_one() {
    let mut now = Instant::now();
    let mut set = Set::<u16>::new::<TeamsAsyncOperation>(root(), now, 7);
    set.set_rate(1_000);
    set.set_requests_at_once(1_000);
    for key in 0..300_u16 {
        let at = format!("https://graph.microsoft.com/v{key}{}", location(key.into()));
        let started = Started::at(at.parse().unwrap());
        let poller = Poller::new::<TeamsAsyncOperation>(started, at_once(), now, 7);
        set.insert(key, poller, now).unwrap();
    }
    let mut addresses = std::collections::HashSet::new();
    while addresses.len() < 300 {
        match set.next(now) {
            SetStep::Wait(wait, _) => now += wait,
            SetStep::Send(dispatch) => {
                let (request, envelope) = dispatch.request();
                assert_eq!(envelope.len(), 1);
                assert!(addresses.insert(request.uri().to_string()));
                drop(envelope);
            }
            step => panic!("{step:?}"),
        }
    }
    assert!(addresses.contains("https://graph.microsoft.com/v299/teams('299')/operations('299')"));

    let saved = serde_json::to_value(set.save()).unwrap();
    for more in [0, 1] {
        let mut changed = saved.clone();
        let queues = changed["queues"].as_array_mut().unwrap();
        assert_eq!(queues.len(), 256);
        queues.extend((0..more).map(|_| json!({ "base": "/v300", "batching": true })));
        let changed = serde_json::from_value(changed).unwrap();
        let restored = Set::<u16>::restore::<TeamsAsyncOperation>(changed, root(), now);
        assert_eq!(restored.is_ok(), more == 0);
    }
}
