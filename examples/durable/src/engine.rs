//! The engine's journal.

use std::future::Future;
use std::time::Duration;

use restate_sdk::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::steps::Journal;

/// The journal of one invocation.
pub(crate) struct Engine<'a, 'ctx>(pub(crate) &'a ObjectContext<'ctx>);

impl Journal for Engine<'_, '_> {
    type Error = TerminalError;

    fn step<T, F>(
        &self,
        name: &'static str,
        work: F,
    ) -> impl Future<Output = Result<T, TerminalError>> + Send
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let step = self.0.run(move || async move { Ok(Json(work.await)) }).name(name);
        async move { step.await.map(Json::into_inner) }
    }

    fn sleep(&self, pause: Duration) -> impl Future<Output = Result<(), TerminalError>> + Send {
        self.0.sleep(pause)
    }
}
