//! One span for each operation, with the feature `tracing`; nothing without it.

#[cfg(feature = "tracing")]
pub(crate) use on::Span;

#[cfg(not(feature = "tracing"))]
pub(crate) use off::Span;

#[cfg(feature = "tracing")]
mod on {
    use std::sync::{Mutex, PoisonError};

    use tracing::field::{Empty, display};
    use tracing::{Level, event, info_span};

    use crate::handle::Handle;
    use crate::{Error, State};

    /// The span of one operation, until the operation ends.
    ///
    /// It lives beside the client, behind the handle's pointer, and so adds nothing to a future.
    pub(crate) struct Span(Mutex<tracing::Span>);

    impl Span {
        pub(crate) fn of(handle: &Handle) -> Self {
            let span = match handle.location() {
                Some(_) => info_span!(
                    "operation",
                    id = handle.operation_id(),
                    "type" = Empty,
                    status = Empty,
                    checks = Empty,
                    outcome = Empty,
                    error = Empty,
                ),
                None => tracing::Span::none(),
            };
            Span(Mutex::new(span))
        }

        /// Runs `step` inside of the span.
        pub(crate) fn enter<T>(&self, step: impl FnOnce() -> T) -> T {
            let span = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
            span.in_scope(step)
        }

        pub(crate) fn sent(&self, handle: &Handle) {
            self.enter(|| event!(Level::DEBUG, check = handle.checks(), "check sent"));
        }

        pub(crate) fn updated(&self, handle: &Handle) {
            let Some(snapshot) = handle.snapshot() else { return };
            self.enter(|| {
                let span = tracing::Span::current();
                span.record("type", snapshot.operation_type());
                span.record("status", snapshot.status());
                span.record("checks", handle.checks());
                event!(
                    Level::DEBUG,
                    check = handle.checks(),
                    status = snapshot.status(),
                    "checked"
                );
            });
        }

        pub(crate) fn retrying(&self, reason: &Error) {
            self.enter(|| {
                event!(
                    Level::WARN,
                    reason = format_args!("{reason:#}"),
                    "check failed, trying again"
                );
            });
        }

        /// Marks what became of the operation, and closes the span if it has ended.
        pub(crate) fn ended(&self, handle: &Handle, error: Option<&Error>) {
            let mut span = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            span.record("checks", handle.checks());
            match error {
                None => span.record("outcome", "succeeded"),
                Some(error) => span
                    .record("outcome", display(error.kind()))
                    .record("error", format!("{error:#}")),
            };
            if let Some(error) = error {
                span.in_scope(|| {
                    event!(
                        Level::ERROR,
                        error = format_args!("{error:#}"),
                        "operation not finished"
                    );
                });
            }
            if handle.state() != State::Running {
                *span = tracing::Span::none();
            }
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use crate::Error;
    use crate::handle::Handle;

    /// Nothing.
    pub(crate) struct Span;

    #[allow(clippy::unused_self)] // The shape is that of the span there is.
    impl Span {
        pub(crate) fn of(_: &Handle) -> Self {
            Span
        }

        pub(crate) fn enter<T>(&self, step: impl FnOnce() -> T) -> T {
            step()
        }

        pub(crate) fn sent(&self, _: &Handle) {}

        pub(crate) fn updated(&self, _: &Handle) {}

        pub(crate) fn retrying(&self, _: &Error) {}

        pub(crate) fn ended(&self, _: &Handle, _: Option<&Error>) {}
    }
}
