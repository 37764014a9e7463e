//! The spans of the operations of a set.

#![cfg_attr(
    not(feature = "tracing"),
    allow(clippy::zero_sized_map_values, reason = "without the feature, a span is zero-sized")
)]

use std::collections::HashMap;
use std::hash::Hash;

use crate::follower::{operation_id, show};
use crate::protocol::{Report, Set};
use crate::trace::Span;

/// The spans that are enabled, by the keys of their operations.
pub(crate) struct Spans<K>(HashMap<K, Span>);

impl<K: Clone + Eq + Hash> Spans<K> {
    pub(crate) fn new() -> Self {
        Spans(HashMap::new())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn keep(&mut self, key: &K, span: Span) {
        if span.is_enabled() {
            self.0.insert(key.clone(), span);
        }
    }

    pub(crate) fn take(&mut self, key: &K) -> Span {
        self.0.remove(key).unwrap_or_else(Span::none)
    }

    /// Records what happened to an operation.
    pub(crate) fn show(&mut self, report: &Report<K>, machine: &mut Set<K>) {
        match report {
            Report::RetryingStart(key, fault) | Report::Checked(key, Some(fault)) => {
                if let Some(span) = self.0.get(key) {
                    span.retrying(fault);
                }
            }
            Report::Started(key) => {
                let Some(span) = self.0.get_mut(key) else { return };
                machine.inspect(key, |poller| span.identify(operation_id(poller)));
            }
            Report::Checked(key, None) => {
                let Some(span) = self.0.get_mut(key) else { return };
                machine.inspect(key, |poller| show(span, poller));
            }
            Report::Ended(key, Ok(_)) => self.take(key).succeeded(),
            Report::Ended(key, Err(error)) => self.take(key).stopped(error),
        }
    }
}
