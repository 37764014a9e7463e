//! The attribute together with other attributes, above and below it.

use super::support::{Answer, Graph, accepted, block_on};
use graph_operation::{Operation, async_operation};
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber, instrument};

type Result<T> = graph_operation::Result<T>;

impl Graph {
    #[instrument(skip_all, err)]
    #[async_operation]
    async fn traced_above(&self, id: &str, number: String) -> Result<Answer> {
        tracing::info!("request");
        let _ = (id, number);
        self.post().await
    }

    #[async_operation]
    #[instrument(skip_all, err)]
    async fn traced_below(&self, id: &str, number: String) -> Result<Answer> {
        tracing::info!("request");
        let _ = (id, number);
        self.post().await
    }

    #[async_operation]
    #[instrument(skip_all)]
    fn traced_blocking(&self) -> Result<Answer> {
        tracing::info!("request");
        Ok(accepted())
    }

    #[instrument(skip_all)]
    #[async_operation]
    fn traced_blocking_above(&self) -> Result<Answer> {
        tracing::info!("request");
        Ok(accepted())
    }

    #[async_operation]
    #[instrument(skip_all)]
    fn traced_boxed(&self) -> std::pin::Pin<Box<dyn Future<Output = Result<Answer>> + Send + '_>> {
        Box::pin(async move {
            tracing::info!("request");
            self.post().await
        })
    }

    #[deprecated = "for a test"]
    #[inline(always)]
    #[async_operation]
    #[must_use = "for a test"]
    #[doc(hidden)]
    async fn decorated(&self) -> Result<Answer> {
        self.post().await
    }

    #[allow(dead_code)]
    #[cfg(not(test))]
    #[async_operation]
    async fn configured(&self) -> Missing {}

    #[cfg_attr(test, async_operation)]
    async fn conditional(&self) -> Result<Answer> {
        self.post().await
    }
}

/// Counts the spans, and records how many are entered at each event of the functions below.
#[derive(Clone, Default)]
struct Recorder {
    spans: Arc<AtomicUsize>,
    entered: Arc<AtomicUsize>,
    events: Arc<Mutex<Vec<usize>>>,
}

impl Subscriber for Recorder {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1 + self.spans.fetch_add(1, Ordering::Relaxed) as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target().contains("beside_others") {
            let entered = self.entered.load(Ordering::Relaxed);
            self.events.lock().expect("no panic").push(entered);
        }
    }

    fn enter(&self, _: &Id) {
        self.entered.fetch_add(1, Ordering::Relaxed);
    }

    fn exit(&self, _: &Id) {
        self.entered.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many spans were open when the request ran.
fn spans_around_request(run: impl FnOnce(&Graph)) -> Vec<usize> {
    let recorder = Recorder::default();
    tracing::subscriber::with_default(recorder.clone(), || run(&Graph::new()));
    let events = recorder.events.lock().expect("no panic");
    events.clone()
}

#[test]
fn instrument() {
    let above = |graph: &Graph| assert!(block_on(graph.traced_above("t", String::new())).is_ok());
    assert_eq!(spans_around_request(above), [1]);
    let below = |graph: &Graph| assert!(block_on(graph.traced_below("t", String::new())).is_ok());
    assert_eq!(spans_around_request(below), [1]);
    let blocking = |graph: &Graph| assert!(graph.traced_blocking().is_ok());
    assert_eq!(spans_around_request(blocking), [1]);
    let blocking = |graph: &Graph| assert!(graph.traced_blocking_above().is_ok());
    assert_eq!(spans_around_request(blocking), [1]);
    let boxed = |graph: &Graph| assert!(block_on(graph.traced_boxed()).is_ok());
    assert_eq!(spans_around_request(boxed), [1]);
}

#[test]
fn others() {
    let graph = Graph::new();
    #[expect(deprecated)]
    let operation: Result<Operation> = block_on(graph.decorated());
    assert!(operation.is_ok());
    let _: Result<Operation> = block_on(graph.conditional());
}
