//! A simulator of Microsoft Graph's long-running operations, over real HTTP on loopback.
//!
//! It speaks the service's dialect: a 202 whose relative `Location` lacks the version, documents
//! that stay the same byte for byte while nothing changes, members of enumerations that are hidden
//! from clients that did not ask for them, targets that cannot be read yet although their operation
//! has succeeded. A [`FaultPlan`] adds the service's faults: throttling, outages, cut connections,
//! pages of HTML, redirects to another origin.
//!
//! Besides Teams' operations it simulates those of Graph's other families, with the monitors of drive
//! items on an origin of their own. It accepts batches, limits the rate, and can be controlled over
//! HTTP. `tests/README.md` is its manual.
//!
//! Its responses depend only on its [`Options`] and the requests. Each request is recorded.
//!
//! ```
//! use graph_operation_tests::simulator::{Fault, FaultPlan, Life, Occasion, Options, Simulator};
//!
//! # fn main() -> std::io::Result<()> {
//! let faults = FaultPlan::new().sequence(Occasion::Check, [Fault::ServiceUnavailable]);
//! let simulator = Simulator::spawn(Options::new().life(Life::checks(1, 2)).faults(faults))?;
//! let service_root = simulator.service_root(); // http://127.0.0.1:…/v1.0
//! # assert!(service_root.ends_with("/v1.0"));
//! # Ok(())
//! # }
//! ```

mod addresses;
mod answer;
mod batch;
mod context;
mod control;
mod document;
mod documents;
mod families;
mod fault;
mod ids;
mod kind;
mod life;
mod location;
mod monitor;
mod operation;
mod options;
mod path;
mod plan;
mod rate;
mod record;
mod replay;
mod resources;
mod routes;
mod server;
mod service;
mod start;
mod tls;
mod token;
mod wire;

use std::{
    io,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

use tokio::{sync::watch, task};

use self::server::{Server, Shared};
pub use self::{
    fault::{Fault, RetryAfter},
    life::{End, Failure, Life, Phase, Span},
    location::LocationForm,
    monitor::{Monitor, MonitorEnd, MonitorHost},
    options::{Behaviour, Options},
    plan::{FaultPlan, Occasion},
    record::{BatchItem, Counts, ForeignRequest, OperationReport, Origin, Recorded},
    replay::Exchange,
};

/// A running simulator. When it is dropped, answers in flight get a moment to finish, and then it
/// stops.
#[derive(Debug)]
pub struct Simulator {
    shared: Arc<Shared>,
    /// Dropped to stop the server.
    stop: Option<watch::Sender<()>>,
    host: Host,
}

/// What the server runs on.
#[derive(Debug)]
enum Host {
    Task(Option<task::JoinHandle<()>>),
    Thread(Option<thread::JoinHandle<()>>),
}

impl Simulator {
    /// Starts a simulator on the current tokio runtime.
    pub async fn start(options: Options) -> io::Result<Self> {
        let server = Server::bind(options).await?;
        let (stop, stopped) = watch::channel(());
        let shared = Arc::clone(&server.shared);
        let task = tokio::spawn(server.serve(stopped));
        Ok(Self { shared, stop: Some(stop), host: Host::Task(Some(task)) })
    }

    /// Starts a simulator on a thread and a runtime of its own, for code that blocks or that runs
    /// on another runtime.
    pub fn spawn(options: Options) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = watch::channel(());
        let (bound, binding) = mpsc::sync_channel(1);
        let thread = thread::Builder::new().name("graph-simulator".into()).spawn(move || {
            match runtime.block_on(Server::bind(options)) {
                Ok(server) => {
                    // The receiver waits for exactly this message.
                    let _ = bound.send(Ok(Arc::clone(&server.shared)));
                    runtime.block_on(server.serve(stopped));
                }
                Err(error) => drop(bound.send(Err(error))),
            }
            // Do not wait for endless bodies and slow answers.
            runtime.shutdown_background();
        })?;
        let shared = binding.recv().map_err(io::Error::other)??;
        Ok(Self { shared, stop: Some(stop), host: Host::Thread(Some(thread)) })
    }

    /// `http://127.0.0.1:PORT/v1.0`, with TLS `https://…`
    pub fn service_root(&self) -> String {
        format!("{}/v1.0", self.origin())
    }

    /// `http://127.0.0.1:PORT/beta`
    pub fn beta_root(&self) -> String {
        format!("{}/beta", self.origin())
    }

    /// `http://127.0.0.1:PORT`
    pub fn origin(&self) -> String {
        self.shared.origin.clone()
    }

    /// The origin of the monitors of drive items.
    pub fn monitor_origin(&self) -> String {
        self.shared.lock().monitor_origin.clone()
    }

    /// With TLS, the certificate of the authority that clients have to trust, in PEM.
    pub fn certificate(&self) -> Option<&str> {
        self.shared.certificate.as_deref()
    }

    /// The origin that no client should call, to which redirects and foreign locations lead.
    pub fn foreign_origin(&self) -> String {
        self.shared.lock().foreign_origin.clone()
    }

    /// Changes the behaviour of the operations of this key (see [`Options::behaviour_of`]). Faults
    /// apply at once. A life applies to operations that start from now on; if the key is the id of an
    /// operation, that operation starts over with it.
    pub fn set_behaviour(&self, key: impl Into<String>, behaviour: Behaviour) {
        self.shared.lock().set_behaviour(&key.into(), behaviour, Instant::now());
    }

    /// Changes the behaviour of the operations for which no key is set: faults at once, lives for
    /// operations that start from now on.
    pub fn set_default_behaviour(&self, behaviour: Behaviour) {
        let mut service = self.shared.lock();
        service.options.default = behaviour.or(&service.options.default);
    }

    /// Changes how many requests a second an app may send; `None` for any number.
    pub fn set_rate(&self, rate: Option<u32>) {
        self.shared.lock().throttle.rate = rate;
    }

    /// Changes how many requests a second an app may send for one team; `None` for any number.
    pub fn set_team_rate(&self, rate: Option<u32>) {
        self.shared.lock().throttle.team_rate = rate;
    }

    /// Advances the service's clock, by which lives, rates and records go. A hundred years at most
    /// in total.
    pub fn skip(&self, time: Duration) {
        let mut service = self.shared.lock();
        service.skipped = service.skipped.saturating_add(time).min(control::LONGEST_SKIP);
    }

    /// Forgets everything that has happened, and every setting made since the start.
    pub fn reset(&self) {
        self.shared.lock().reset();
    }

    /// How many requests of each kind have come so far.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.shared.lock().requests)
    }

    /// Every request so far, in the order of arrival: those to the service and those to the
    /// monitors; those inside a batch follow it.
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.lock().requests.clone()
    }

    /// Every request that reached the other origin.
    pub fn foreign_requests(&self) -> Vec<ForeignRequest> {
        self.shared.lock().foreign.clone()
    }

    /// Every operation, in the order of their start.
    pub fn operations(&self) -> Vec<OperationReport> {
        self.shared.lock().reports()
    }

    /// Stops, and waits until answers in flight are finished (for half a second at most).
    pub async fn stop(mut self) {
        self.stop.take();
        if let Host::Task(task) = &mut self.host
            && let Some(task) = task.take()
        {
            // A task that panicked has stopped as well.
            let _ = task.await;
        }
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.stop.take();
        if let Host::Thread(thread) = &mut self.host
            && let Some(thread) = thread.take()
        {
            let _ = thread.join();
        }
    }
}
