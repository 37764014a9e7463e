//! A set against the simulator over real HTTP, with the service's rate limit. The requests are
//! real, and the waits are virtual: a sleep advances the clocks of both sides.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use graph_operation::{Client, Error, OperationSet, Polling, Result};
use graph_operation_tests::simulator::{Life, Options, Simulator};
use http::header::{AUTHORIZATION, HeaderValue};
use http::{Method, Request, Response, Uri};

use crate::seconds;

const OPERATIONS: usize = 200;

/// The checks that each operation takes: two find it in progress.
const CHECKS: u32 = 3;

/// How many requests the service allows per second, and its initial burst.
const RATE: u32 = 50;

#[derive(Clone)]
struct Graph(Arc<Shared>);

struct Shared {
    http: reqwest::Client,
    service_root: Uri,
    simulator: Simulator,
    start: Instant,
    /// The total of all sleeps, in milliseconds.
    slept: AtomicU64,
    /// Requests in flight, during which the clocks stand still.
    under_way: AtomicUsize,
}

impl Graph {
    fn new() -> Self {
        let life = Life::checks(1, CHECKS - 2);
        let simulator = Simulator::spawn(Options::new().life(life).rate(RATE).frozen_clock(true));
        let simulator = simulator.unwrap();
        Graph(Arc::new(Shared {
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
            service_root: simulator.service_root().parse().unwrap(),
            simulator,
            start: Instant::now(),
            slept: AtomicU64::new(0),
            under_way: AtomicUsize::new(0),
        }))
    }

    fn slept(&self) -> Duration {
        Duration::from_millis(self.0.slept.load(Ordering::Relaxed))
    }

    fn refused(&self) -> u64 {
        self.0.simulator.counts().refused
    }

    /// A set that starts all operations itself.
    fn set(&self, rate: u32) -> OperationSet<usize> {
        let polling = Polling::default().first_check(seconds(1)).interval(seconds(1));
        let mut set = OperationSet::new(self.clone()).rate(rate).polling(polling);
        for at in 0..OPERATIONS {
            let request = self.request(Method::POST, ["teams", &at.to_string(), "archive"]);
            set.start_request(at, request.unwrap()).unwrap();
        }
        set
    }

    /// Every operation was started once, and ended.
    fn assert_nothing_was_lost(&self, set: &OperationSet<usize>) {
        assert_eq!(set.counts().succeeded, OPERATIONS as u64, "{set:?}");
        let operations = self.0.simulator.operations();
        assert_eq!(operations.len(), OPERATIONS);
        assert!(operations.iter().all(|operation| operation.ends == 1));
    }
}

impl Client for Graph {
    type Error = Error;

    fn service_root(&self) -> &Uri {
        &self.0.service_root
    }

    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>> {
        request.headers_mut().insert(AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        self.0.under_way.fetch_add(1, Ordering::Relaxed);
        let response = graph_operation::reqwest::send(&self.0.http, request).await;
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
        response
    }

    async fn sleep(&self, time: Duration) {
        while self.0.under_way.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let millis = u64::try_from(time.as_millis()).unwrap() + 1;
        self.0.slept.fetch_add(millis, Ordering::Relaxed);
        self.0.simulator.skip(Duration::from_millis(millis));
    }

    async fn time_limit(&self, _: Duration) {
        std::future::pending::<()>().await;
    }

    fn now(&self) -> Instant {
        self.0.start + self.slept()
    }

    fn random(&self) -> u64 {
        7
    }
}

/// Drives a set to its end, and calls `look` with the number of operations that have ended.
fn drive(set: &mut OperationSet<usize>, mut look: impl FnMut(usize, &OperationSet<usize>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for ended in 1.. {
            let Some((team, end)) = set.next().await else { break };
            end.unwrap_or_else(|error| panic!("{team}: {error:#}"));
            look(ended, set);
        }
    });
}

/// The least time in which this many operations can be started and followed.
fn least() -> Duration {
    let requests = OPERATIONS as u64 * u64::from(1 + CHECKS);
    Duration::from_secs(requests - u64::from(RATE)) / RATE
}

#[test]
fn at_the_rate_of_the_service_nothing_is_refused_and_no_time_is_lost() {
    let graph = Graph::new();
    let mut set = graph.set(RATE);
    drive(&mut set, |_, _| ());
    graph.assert_nothing_was_lost(&set);
    let counts = graph.0.simulator.counts();
    assert_eq!(counts.refused, 0);
    assert_eq!((counts.starts, counts.checks), (200, 600));
    assert!(counts.requests <= 48, "{counts:?}");
    let time = graph.slept();
    assert!(time <= least().mul_f64(1.15), "{time:?}, and {:?} is possible", least());
}

/// A set whose rate is four times what the service allows adapts, and loses little time.
#[test]
fn a_rate_that_is_too_high_is_lowered() {
    let graph = Graph::new();
    let mut set = graph.set(4 * RATE);
    drive(&mut set, |_, _| ());
    graph.assert_nothing_was_lost(&set);
    let (counts, time) = (graph.0.simulator.counts(), graph.slept());
    assert!((1..=40).contains(&counts.refused), "{counts:?}");
    assert!(time <= least().mul_f64(1.25), "{time:?}, and {:?} is possible", least());
}

/// The service allows less for a while: the set follows, loses nothing, and recovers.
#[test]
fn a_rate_that_is_lowered_and_raised_again_is_followed() {
    let graph = Graph::new();
    let mut set = graph.set(RATE);
    let (mut refused, mut paces) = (Vec::new(), Vec::new());
    drive(&mut set, |ended, set| {
        match ended {
            20 => graph.0.simulator.set_rate(Some(RATE / 2)),
            100 => graph.0.simulator.set_rate(Some(RATE)),
            _ => {}
        }
        refused.push(graph.refused());
        let left = u32::try_from(set.len()).unwrap();
        paces.extend(set.pace().checked_div(left));
    });
    graph.assert_nothing_was_lost(&set);
    let [.., last] = refused[..] else { panic!("nothing has ended") };
    assert_eq!(refused[19], 0);
    assert!((1..=60).contains(&refused[99]), "{refused:?}");
    assert_eq!(refused[99], last, "refused after the rate was raised again");
    let (first, last) = (paces[0], paces[paces.len() - 1]);
    let slowest = *paces.iter().max().unwrap();
    assert!(slowest >= 2 * first && last < slowest, "{paces:?}");
    let time = graph.slept();
    assert!(time <= 2 * least(), "{time:?}");
}
