//! The set of many operations, and its machine alone.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use benchmark_wire::batch::{Batches, path};
use bytes::Bytes;
use graph_operation::protocol::{Poller, Received, Report, Set, SetStep, Started};
use graph_operation::{Client, Operation, OperationSet, Polling, TeamsAsyncOperation};
use http::{Request, Response, Uri};

use crate::service_root;

/// A rate so high that no check waits for it.
const RATE: u32 = 1_000_000_000;

/// A client that sends batches. Its sleeps take no time, and its clock is frozen.
#[derive(Clone, Debug)]
struct Batching {
    wire: Batches,
    service_root: Uri,
    now: Instant,
}

impl Client for Batching {
    type Error = Infallible;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Infallible> {
        Ok(Response::new(self.wire.post(request.body())))
    }

    async fn sleep(&self, _: Duration) {}

    fn now(&self) -> Instant {
        self.now
    }
}

fn polling() -> Polling {
    Polling::default().no_timeout()
}

/// A set of this many operations.
pub fn operations(wire: Batches, operations: usize) -> OperationSet<usize> {
    let client = Batching { wire, service_root: service_root(), now: Instant::now() };
    let mut set = OperationSet::new(client.clone()).rate(RATE);
    for number in 0..operations {
        let operation = Operation::from_location(client.clone(), path(number));
        let operation = operation.expect("an address").with_polling(polling());
        assert!(set.insert(number, operation).is_ok(), "a new key");
    }
    set
}

/// Follows all operations to their ends.
pub async fn run(mut set: OperationSet<usize>) {
    while let Some((_, end)) = set.next().await {
        assert!(end.is_ok(), "{end:?}");
    }
}

/// The machine, with a clock that is a number.
#[derive(Debug)]
pub struct Core {
    set: Set<usize>,
    wire: Batches,
    now: Instant,
}

impl Core {
    pub fn new(wire: Batches, operations: usize) -> Self {
        let now = Instant::now();
        let mut set = Set::new::<TeamsAsyncOperation>(service_root(), now, 7);
        set.set_rate(RATE);
        set.watch(false);
        for number in 0..operations {
            let at = format!("{}{}", service_root(), path(number)).parse().expect("an address");
            let seed = number as u64;
            let poller = Poller::new::<TeamsAsyncOperation>(Started::at(at), polling(), now, seed);
            assert!(set.insert(number, poller, now).is_ok(), "a new key");
        }
        Core { set, wire, now }
    }

    /// Makes the next request; `false` if there is nothing left.
    pub fn turn(&mut self) -> bool {
        loop {
            let (request, envelope) = match self.set.next(self.now) {
                SetStep::Wait(pause, _) => {
                    self.now += pause;
                    continue;
                }
                SetStep::Event(Report::Ended(_, end)) => {
                    assert!(end.is_ok(), "{end:?}");
                    continue;
                }
                SetStep::Send(dispatch) => dispatch.request(),
                SetStep::Done => return false,
                step => panic!("{step:?}"),
            };
            let response = Response::new(self.wire.post(request.body()));
            let received = self.set.received(envelope, response, self.now);
            assert!(matches!(received, Received::Done));
            return true;
        }
    }

    /// Follows all operations to their ends.
    pub fn run(&mut self) {
        while self.turn() {}
    }
}
