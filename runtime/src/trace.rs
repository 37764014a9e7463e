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

        /// Shows what a check found, and closes the span if that was the end.
        pub(crate) fn updated(&self, handle: &Handle) {
            let Some(snapshot) = handle.snapshot() else { return };
            let (check, status) = (handle.checks(), snapshot.status());
            let mut span = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            span.record("type", snapshot.operation_type());
            span.record("status", status);
            span.record("checks", check);
            span.in_scope(|| event!(Level::DEBUG, check, status, "checked"));
            match handle.state() {
                State::Running => return,
                State::Succeeded => span.record("outcome", "succeeded"),
                State::Failed => {
                    let error = snapshot.failure().unwrap_or_default().to_string();
                    span.in_scope(|| event!(Level::ERROR, error, "operation failed"));
                    span.record("outcome", "failed").record("error", error)
                }
            };
            *span = tracing::Span::none();
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

        /// Marks why the waiting stopped before the end.
        pub(crate) fn stopped(&self, reason: &Error) {
            let error = format!("{reason:#}");
            let span = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            span.in_scope(|| event!(Level::ERROR, error, "stopped waiting"));
            span.record("outcome", display(reason.kind())).record("error", error);
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

        pub(crate) fn stopped(&self, _: &Error) {}
    }
}
