//! Requests and starts in flight.

use super::*;

#[test]
fn four_requests_are_in_flight_unless_another_number_is_set() {
    for limit in [None, Some(1), Some(2), Some(0)] {
        let now = Instant::now();
        let mut set = empty(now);
        set.set_rate(1_000);
        set.set_batch(1);
        if let Some(limit) = limit {
            set.set_requests_at_once(limit);
        }
        due(&mut set, 0..9, now);
        let mut in_flight = Vec::new();
        while let Taken::Sent(_, envelope) = take(&mut set, now) {
            in_flight.push(envelope);
        }
        assert_eq!(in_flight.len(), limit.map_or(4, |limit| limit.max(1)));
        // Every kind of result makes room for one more request.
        for result in 0..4 {
            let envelope = in_flight.pop().unwrap();
            match result {
                0 => receive(&mut set, envelope, in_progress(), now),
                1 => set.failed(envelope, &Error::transport("connection reset"), now),
                2 => set.unsent(envelope, now),
                _ => {
                    let (envelope, refused) = unauthorized(&mut set, envelope, status(401), now);
                    reports(&mut set, now);
                    // It is still in flight until it is concluded.
                    assert!(!matches!(take(&mut set, now), Taken::Sent(..)));
                    set.authorized(envelope, &refused, false, now);
                }
            }
            reports(&mut set, now);
            let Taken::Sent(_, envelope) = take(&mut set, now) else { panic!("there is room") };
            in_flight.push(envelope);
            assert!(!matches!(take(&mut set, now), Taken::Sent(..)), "{limit:?} {result}");
        }
        // So does a request that is dropped.
        drop(in_flight.pop());
        let Taken::Sent(_, envelope) = take(&mut set, now) else { panic!("there is room") };
        in_flight.push(envelope);
        assert!(!matches!(take(&mut set, now), Taken::Sent(..)), "{limit:?}");
    }
}

#[test]
fn four_starts_are_in_flight_unless_another_number_is_set() {
    for limit in [None, Some(1), Some(0)] {
        let now = Instant::now();
        let mut set = empty(now);
        if let Some(limit) = limit {
            set.set_starts_at_once(limit);
        }
        for key in 0..9 {
            assert!(set.queue(key).is_some());
        }
        assert!(set.queue(0).is_none());
        let mut tickets = Vec::new();
        while let SetStep::Start(ticket) = set.next(now) {
            tickets.push(ticket);
        }
        let most = limit.map_or(4, |limit: usize| limit.max(1));
        assert_eq!(
            (tickets.len(), set.counts().starting, set.counts().queued),
            (most, most, 9 - most)
        );
        let ticket = tickets[0];
        set.started(ticket, Err(Error::transport("connection reset")), now);
        // A result that comes twice counts once.
        set.started(ticket, Err(Error::transport("connection reset")), now);
        assert_eq!(set.counts().starting, most - 1);
        assert_eq!(reports(&mut set, now), ["0 ended Transport"]);
        assert_eq!((set.counts().starting, set.counts().failed), (most, 1));
        assert!(matches!(set.next(now), SetStep::Pending));
    }
}

#[test]
fn a_request_that_was_not_sent_is_neither_a_check_nor_a_fault() {
    let mut now = Instant::now();
    let mut set = empty(now);
    due(&mut set, 0..2, now);
    let (_, envelope) = sending(&mut set, &mut now);
    receive(&mut set, envelope, answers(&[(200, "inProgress"); 2]), now);
    let (first, envelope) = sending(&mut set, &mut now);
    assert_eq!(checks(&mut set, 0), 2);
    now += seconds(1);
    set.unsent(envelope, now);
    assert_eq!(set.latest(), now);
    assert_eq!((checks(&mut set, 0), checks(&mut set, 1)), (1, 1));
    // It is due as before.
    let before = now;
    let (second, envelope) = sending(&mut set, &mut now);
    assert_eq!((now, second.body()), (before, first.body()));
    receive(&mut set, envelope, answers(&[(200, "inProgress"); 2]), now);
    assert_eq!(checks(&mut set, 0), 2);
}

#[test]
fn a_dispatch_that_is_dropped_changes_nothing() {
    let mut now = Instant::now();
    let mut set = empty(now);
    due(&mut set, 0..2, now);
    start(&mut set, 10, false, now);
    start(&mut set, 11, false, now);
    let mut in_flight = Vec::new();
    for (is_start, items) in
        [(true, ["/teams/10/archive", "/teams/11/archive"]), (false, ["teams('0')", "teams('1')"])]
    {
        let mut begun = None;
        for _ in 0..3 {
            let dispatch = loop {
                match set.next(now) {
                    SetStep::Wait(wait, _) => now += wait,
                    SetStep::Send(dispatch) => break dispatch,
                    step => panic!("{step:?}"),
                }
            };
            assert_eq!((dispatch.is_start(), dispatch.is_anonymous()), (is_start, false));
            drop(dispatch);
            assert_eq!(*begun.get_or_insert(now), now);
        }
        let (request, envelope) = sending(&mut set, &mut now);
        let text = String::from_utf8_lossy(request.body()).into_owned();
        let at = items.map(|item| text.find(item).unwrap_or_else(|| panic!("{item} in {text}")));
        assert!(at[0] < at[1], "{text}");
        assert_eq!(envelope.len(), 2);
        in_flight.push(envelope);
    }
}

/// The slot of an operation that has left the set is reused.
#[test]
fn nothing_that_was_said_about_one_operation_is_applied_to_another() {
    let now = Instant::now();
    let mut set = empty(now);
    set.set_batch(1);
    // A start that was removed, and another in its slot.
    let first = set.queue(1);
    assert!(set.remove(&1, now).is_none());
    assert_eq!(set.counts().queued, 0);
    assert_ne!(set.queue(2), first);
    assert!(matches!(set.next(now), SetStep::Start(_)));
    assert!(matches!(set.next(now), SetStep::Pending));
    set.started(first.unwrap(), Err(Error::transport("connection reset")), now);
    assert_eq!((set.counts().starting, set.len()), (1, 1));

    // A change that has not been reported yet.
    let mut set = empty(now);
    set.set_batch(1);
    let mut later = now;
    due(&mut set, [1], now);
    let (_, envelope) = sending(&mut set, &mut later);
    receive(&mut set, envelope, in_progress(), later);
    assert_eq!(set.remove(&1, later).unwrap().checks(), 1);
    due(&mut set, [2], later);
    assert!(reports(&mut set, later).is_empty());
    let (_, envelope) = sending(&mut set, &mut later);

    // A credential that is being renewed.
    let (envelope, refused) = unauthorized(&mut set, envelope, status(401), later);
    assert!(set.remove(&2, later).is_some());
    due(&mut set, [3], later);
    set.authorized(envelope, &refused, false, later);
    assert_eq!((set.len(), checks(&mut set, 3)), (1, 0));

    // A request in flight, whatever its result.
    for result in 0..4 {
        let (_, envelope) = sending(&mut set, &mut later);
        let key = 3 + result;
        assert!(set.remove(&key, later).is_some());
        due(&mut set, [key + 1], later);
        match result {
            0 => drop(envelope),
            1 => set.failed(envelope, &Error::transport("connection reset"), later),
            2 => receive(&mut set, envelope, status(401), later),
            _ => receive(&mut set, envelope, json_answer(403, &json!({})), later),
        }
        assert_eq!((set.len(), checks(&mut set, key + 1)), (1, 0), "{result}");
        assert_eq!(set.inspect(&(key + 1), Poller::is_ended), Some(false));
    }
    assert_eq!(set.counts().failed, 0);
}

/// The items of a batch whose operations have left the set, and whose slots are reused.
#[test]
fn nothing_that_a_batch_says_about_one_operation_is_applied_to_another() {
    for result in 0..6 {
        let mut now = Instant::now();
        let mut set = empty(now);
        due(&mut set, 0..2, now);
        let (_, envelope) = sending(&mut set, &mut now);
        assert!(set.remove(&0, now).is_some());
        insert(&mut set, 9, Polling::default(), now);
        let begin = now;
        match result {
            0 => receive(&mut set, envelope, answers(&[(200, "succeeded"); 2]), now),
            1 => receive(&mut set, envelope, answers(&[(404, ""); 2]), now),
            2 => receive(&mut set, envelope, status(429), now),
            3 => receive(&mut set, envelope, answers(&[(424, ""); 2]), now),
            4 => {
                let (envelope, refused) = unauthorized(&mut set, envelope, status(401), now);
                assert_eq!(envelope.len(), 1);
                set.authorized(envelope, &refused, true, now);
            }
            _ => set.unsent(envelope, now),
        }
        let told = reports(&mut set, now);
        assert!(told.iter().all(|report| report.starts_with('1')), "{result}: {told:?}");
        let next = set.inspect(&9, |poller| (poller.checks(), poller.until_next())).unwrap();
        assert!(next.0 == 0 && next.1.unwrap() > seconds(4), "{result}: {next:?}");
        // It is checked when it is due, and not before.
        loop {
            let (request, envelope) = sending(&mut set, &mut now);
            drop(envelope);
            if format!("{} {:?}", request.uri(), request.body()).contains("teams('9')") {
                break;
            }
        }
        assert!(now - begin > seconds(5), "{result}: {:?}", now - begin);
    }
    // An entry of the queue, and a dropped request, of an operation that has left the set.
    let mut now = Instant::now();
    let mut set = empty(now);
    set.set_batch(1);
    insert(&mut set, 1, Polling::default(), now);
    assert!(set.remove(&1, now).is_some());
    due(&mut set, [2], now);
    let (_, gone) = sending(&mut set, &mut now);
    assert!(set.remove(&2, now).is_some());
    due(&mut set, [3], now);
    let (_, envelope) = sending(&mut set, &mut now);
    drop(gone);
    now += seconds(20);
    assert!(!matches!(set.next(now), SetStep::Send(_)));
    receive(&mut set, envelope, in_progress(), now);
    assert_eq!(reports(&mut set, now), ["3 checked"]);
}

#[test]
fn nothing_that_waits_in_a_line_is_confused_with_another() {
    // At the head or at the tail of a batch that is not full, and in the line of an owner.
    for (count, gone) in [(2, 0), (2, 1), (5, 4)] {
        let mut now = Instant::now();
        let mut set = empty(now);
        for key in 0..count {
            set.insert(key, of_a_team(key, at_once(), now), now).unwrap();
        }
        if count > 4 {
            assert_eq!(sending(&mut set, &mut now).1.len(), 4);
        } else {
            assert!(matches!(set.next(now), SetStep::Wait(_, Reason::Batch)));
        }
        assert!(set.remove(&gone, now).is_some());
        insert(&mut set, 9, Polling::default(), now);
        let inserted = now;
        let mut checked = String::new();
        while !checked.contains("operations('9')") {
            let (request, envelope) = sending(&mut set, &mut now);
            drop(envelope);
            checked.push_str(request.uri().path());
            checked.push_str(&String::from_utf8_lossy(request.body()));
        }
        assert!(now - inserted > seconds(5) && now - inserted < seconds(10), "{gone}");
        if count == 2 {
            let other = format!("x('{}')", 1 - gone);
            assert!(checked.contains(&other) && !checked.contains(&format!("x('{gone}')")));
        }
    }
    // The deadline of an operation that has left the set.
    let mut now = Instant::now();
    let mut set = empty(now);
    set.set_batch(1);
    insert(&mut set, 1, at_once().timeout(seconds(10)), now);
    let (_, _gone) = sending(&mut set, &mut now);
    assert!(set.remove(&1, now).is_some());
    insert(&mut set, 2, at_once().no_timeout(), now);
    let (_, envelope) = sending(&mut set, &mut now);
    now += seconds(20);
    assert!(reports(&mut set, now).is_empty());
    receive(&mut set, envelope, in_progress(), now);
    assert_eq!(reports(&mut set, now), ["2 checked"]);
}

#[test]
fn the_place_in_a_line_of_an_operation_that_left_is_skipped() {
    let begin = Instant::now();
    let near = at_once().timeout(seconds(10));
    for (polling, gone, most) in
        [(at_once(), 2, 20), (at_once(), 1, 20), (at_once(), 1, 1), (near, 2, 20), (near, 1, 1)]
    {
        let mut now = begin;
        let (mut set, envelope) = busy(&mut now);
        for key in [1, 2, 3] {
            insert(&mut set, key, polling, now);
        }
        assert!(matches!(set.next(now), SetStep::Wait(..)));
        now = begin + Duration::from_millis(9_900);
        assert!(matches!(set.next(now), SetStep::Wait(..)));
        assert!(set.remove(&gone, now).is_some());
        insert(&mut set, 4, at_once(), now);
        receive(&mut set, envelope, in_progress(), now);
        set.set_batch(most);
        reports(&mut set, now);
        let (request, _envelope) = sending(&mut set, &mut now);
        let text = format!("{} {:?}", request.uri(), request.body());
        let keys = [1, 2, 3, 4].into_iter().filter(|key| *key != gone).take(most);
        let at: Vec<_> = keys.map(|key| text.find(&location(key.into())).unwrap()).collect();
        assert!(at.is_sorted(), "{text}");
    }
}
