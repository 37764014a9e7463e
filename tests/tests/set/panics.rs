//! A panic in the caller's future affects one operation, not the set.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::testing::{ScriptedClient, block_on, succeeded};
use graph_operation::{Client, Error, ErrorKind, Operation, OperationSet, Result};
use http::{Request, Response, Uri};

use crate::{ends, operation};

#[test]
fn a_start_that_panics_ends_as_not_started() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::new(client.clone());
    let starting = async {
        assert!(std::env::var_os("no such variable").is_some(), "the author's own");
        Err::<Operation, Error>(Error::transport("not reached"))
    };
    set.start(0, starting).unwrap();
    set.insert(1, operation(&client, 1)).unwrap();
    client.answer(succeeded("/a"));
    assert!(catch_unwind(AssertUnwindSafe(|| block_on(set.next()))).is_err());
    let mut ends = ends(&mut set);
    ends.sort_by_key(|(key, _)| *key);
    assert_eq!(ends[0].1.as_ref().unwrap_err().kind(), ErrorKind::NotStarted);
    assert!(ends[1].1.is_ok());
    assert_eq!((set.counts().starting, set.len()), (0, 0));
}

/// Panics when it sends or sleeps for the first time.
#[derive(Clone)]
struct Panicking {
    client: ScriptedClient,
    sends: Arc<AtomicBool>,
    sleeps: Arc<AtomicBool>,
}

impl Panicking {
    fn when(client: &ScriptedClient, sends: bool, sleeps: bool) -> Self {
        let [sends, sleeps] = [sends, sleeps].map(|first| Arc::new(AtomicBool::new(first)));
        Panicking { client: client.clone(), sends, sleeps }
    }
}

impl Client for Panicking {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        Client::service_root(&self.client)
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>> {
        assert!(!self.sends.swap(false, Ordering::Relaxed), "the author's own");
        Client::send(&self.client, request).await
    }

    async fn sleep(&self, time: Duration) {
        assert!(!self.sleeps.swap(false, Ordering::Relaxed), "the author's own");
        Client::sleep(&self.client, time).await;
    }

    fn now(&self) -> Instant {
        Client::now(&self.client)
    }
}

#[test]
fn a_send_that_panics_is_a_failed_check_of_its_operations() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::new(Panicking::when(&client, true, false));
    for at in 0..3 {
        set.insert(at, operation(&client, at)).unwrap();
        client.answer(succeeded("/a"));
    }
    assert!(catch_unwind(AssertUnwindSafe(|| block_on(set.next()))).is_err());
    assert_eq!(set.len(), 3);
    let before = client.elapsed();
    assert!(ends(&mut set).iter().all(|(_, result)| result.is_ok()));
    assert!(
        client.elapsed() - before >= Duration::from_secs(30),
        "checked again according to the policy"
    );
    assert_eq!(client.requests().len(), 1);
}

/// As the default does outside of a tokio runtime.
#[test]
fn a_sleep_that_panics_is_started_again() {
    let client = ScriptedClient::new();
    let mut set = OperationSet::new(Panicking::when(&client, false, true));
    set.insert(0, operation(&client, 0)).unwrap();
    client.answer(succeeded("/a"));
    assert!(catch_unwind(AssertUnwindSafe(|| block_on(set.next()))).is_err());
    assert!(ends(&mut set).iter().all(|(_, result)| result.is_ok()));
    assert_eq!((set.counts().succeeded, client.requests().len()), (1, 1));
}
