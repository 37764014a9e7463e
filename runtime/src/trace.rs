//! One span for each operation, with the feature `tracing`; nothing without it.

#[cfg(feature = "tracing")]
pub(crate) use on::Span;

#[cfg(not(feature = "tracing"))]
pub(crate) use off::Span;

/// What a check found.
#[cfg_attr(not(feature = "tracing"), allow(dead_code))]
pub(crate) struct Found<'a> {
    pub(crate) check: u32,
    pub(crate) state: crate::model::State,
    pub(crate) status: &'a str,
}

#[cfg(feature = "tracing")]
mod on {
    use tracing::field::{Empty, display};
    use tracing::{Level, event, info_span};

    use super::Found;
    use crate::error::Error;
    use crate::model::{Kept, Snapshot, State};

    /// The target of the span and of its events, for filters.
    const TARGET: &str = "graph_operation";

    /// The span of one operation, until the operation ends; boxed, because most programs have none.
    pub(crate) struct Span {
        open: Option<Box<tracing::Span>>,
        /// Whether the id is recorded.
        identified: bool,
        /// Whether the type is recorded.
        typed: bool,
    }

    impl Span {
        pub(crate) fn none() -> Self {
            Span { open: None, identified: false, typed: false }
        }

        /// A span for an operation whose id is recorded when it is known.
        pub(crate) fn open() -> Self {
            let span = info_span!(
                target: TARGET,
                "operation",
                id = Empty,
                "type" = Empty,
                status = Empty,
                checks = Empty,
                outcome = Empty,
                error = Empty,
            );
            let open = (!span.is_disabled()).then(|| Box::new(span));
            Span { open, identified: false, typed: false }
        }

        pub(crate) fn is_enabled(&self) -> bool {
            self.open.is_some()
        }

        pub(crate) fn identify(&mut self, id: Option<&str>) {
            if let (Some(span), Some(id), false) = (&self.open, id, self.identified) {
                span.record("id", id);
                self.identified = true;
            }
        }

        /// Runs `step` inside of the span.
        pub(crate) fn enter<T>(&self, step: impl FnOnce() -> T) -> T {
            match &self.open {
                Some(span) => span.in_scope(step),
                None => step(),
            }
        }

        pub(crate) fn sent(&self, request: u32) {
            self.enter(|| event!(target: TARGET, Level::DEBUG, request, "request sent"));
        }

        /// Records what a check found, and closes the span if the operation has ended.
        pub(crate) fn updated(&mut self, found: &Found<'_>, kept: impl FnOnce() -> Option<Kept>) {
            let Some(span) = &self.open else { return };
            let Found { check, state, status } = *found;
            span.record("status", status);
            span.record("checks", check);
            span.in_scope(|| event!(target: TARGET, Level::DEBUG, check, status, "checked"));
            let kept = if self.typed && state == State::Running { None } else { kept() };
            let snapshot = kept.as_ref().and_then(Kept::snapshot);
            if let Some(operation_type) = snapshot.and_then(|snapshot| snapshot.operation_type()) {
                span.record("type", operation_type);
                self.typed = true;
            }
            match state {
                State::Running => return,
                State::Succeeded => span.record("outcome", "succeeded"),
                State::Failed => {
                    let failure = snapshot.and_then(Snapshot::failure);
                    let error = failure.unwrap_or_default().to_string();
                    span.in_scope(
                        || event!(target: TARGET, Level::ERROR, error, "operation failed"),
                    );
                    span.record("outcome", "failed").record("error", error)
                }
            };
            self.open = None;
        }

        /// Closes the span of an operation that has succeeded, unless a check has closed it.
        pub(crate) fn succeeded(self) {
            if let Some(span) = &self.open {
                span.record("outcome", "succeeded");
            }
        }

        pub(crate) fn retrying(&self, reason: &Error) {
            self.enter(|| {
                event!(
                    target: TARGET,
                    Level::WARN,
                    reason = format_args!("{reason:#}"),
                    "request failed, retrying"
                );
            });
        }

        /// Records why the waiting stopped before the end.
        pub(crate) fn stopped(&self, reason: &Error) {
            let Some(span) = &self.open else { return };
            let error = format!("{reason:#}");
            span.in_scope(|| event!(target: TARGET, Level::ERROR, error, "stopped waiting"));
            span.record("outcome", display(reason.kind())).record("error", error);
        }
    }
}

#[cfg(not(feature = "tracing"))]
mod off {
    use super::Found;
    use crate::error::Error;
    use crate::model::Kept;

    /// A span that shows nothing.
    pub(crate) struct Span;

    #[allow(clippy::unused_self, reason = "the methods are those of the other span")]
    impl Span {
        pub(crate) fn none() -> Self {
            Span
        }

        pub(crate) fn open() -> Self {
            Span
        }

        pub(crate) fn is_enabled(&self) -> bool {
            false
        }

        pub(crate) fn identify(&mut self, _: Option<&str>) {}

        pub(crate) fn enter<T>(&self, step: impl FnOnce() -> T) -> T {
            step()
        }

        pub(crate) fn sent(&self, _: u32) {}

        pub(crate) fn updated(&mut self, _: &Found<'_>, _: impl FnOnce() -> Option<Kept>) {}

        pub(crate) fn succeeded(self) {}

        pub(crate) fn retrying(&self, _: &Error) {}

        pub(crate) fn stopped(&self, _: &Error) {}
    }
}
