//! google-cloud-lro's poller in the form for services with an operation type of their own.

use std::sync::Arc;
use std::time::Duration;

use benchmark_floor::{Operation, Status};
use benchmark_wire::{URL, Wire};
use google_cloud_gax::error::Error;
use google_cloud_gax::polling_backoff_policy::PollingBackoffPolicy;
use google_cloud_gax::polling_error_policy::AlwaysContinue;
use google_cloud_gax::polling_state::PollingState;
use google_cloud_lro::internal::{DiscoveryOperation, new_discovery_poller};
pub use google_cloud_lro::{Poller, PollingResult};

/// The floor's model: what is decoded is the same.
#[derive(Debug)]
pub struct Discovered {
    pub operation: Operation,
    name: String,
}

impl DiscoveryOperation for Discovered {
    fn done(&self) -> bool {
        matches!(self.operation.status, Status::Succeeded | Status::Failed)
    }

    fn name(&self) -> Option<&String> {
        Some(&self.name)
    }
}

#[derive(Debug)]
struct Fixed(Duration);

impl PollingBackoffPolicy for Fixed {
    fn wait_period(&self, _: &PollingState) -> Duration {
        self.0
    }
}

/// A poller whose first poll, usually the start, is a check here.
pub fn poller(wire: Wire, wait: Duration) -> impl Poller<Discovered, Discovered> {
    let start = wire.clone();
    new_discovery_poller(
        Arc::new(AlwaysContinue),
        Arc::new(Fixed(wait)),
        move || query(start, URL.to_owned()),
        move |name| query(wire.clone(), name),
    )
}

#[expect(clippy::unused_async, reason = "a network would be waited for")]
async fn query(wire: Wire, name: String) -> Result<Discovered, Error> {
    let operation = serde_json::from_slice(&wire.get(&name)).map_err(Error::deser)?;
    Ok(Discovered { operation, name })
}

/// One check.
pub async fn check(poller: &mut impl Poller<Discovered, Discovered>) -> Operation {
    match poller.poll().await {
        Some(PollingResult::InProgress(Some(found))) => found.operation,
        other => panic!("an operation that runs, not {}", other.is_some()),
    }
}
