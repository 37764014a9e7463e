//! An operation that has succeeded.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::block_on::block_on;
use crate::error::Result;
use crate::model::{Model, TeamsAsyncOperation};

/// An operation that has succeeded; see the asynchronous [`Completed`](crate::Completed).
pub struct Completed<T = Value, M = TeamsAsyncOperation> {
    pub(crate) inner: crate::Completed<T, M>,
}

impl<T, M: Model> Completed<T, M> {
    /// The operation as it ended; see [`Completed::operation`](crate::Completed::operation).
    pub fn operation(&self) -> Option<&M> {
        self.inner.operation()
    }

    /// The id of what the operation worked on, or of its result.
    pub fn target_id(&self) -> Option<&str> {
        self.inner.target_id()
    }

    /// Where the result is, as the service wrote it; see
    /// [`Completed::target_location`](crate::Completed::target_location).
    pub fn target_location(&self) -> Option<&str> {
        self.inner.target_location()
    }

    /// Reads the result; see [`Completed::target`](crate::Completed::target).
    ///
    /// # Errors
    ///
    /// Those of [`Completed::target`](crate::Completed::target).
    pub fn target(&self) -> Result<T>
    where
        T: DeserializeOwned,
    {
        block_on(self.inner.target())
    }

    /// Reads the result by its id; see [`Completed::target_at`](crate::Completed::target_at).
    ///
    /// # Errors
    ///
    /// Those of [`Completed::target_at`](crate::Completed::target_at).
    pub fn target_at<P: AsRef<str>>(&self, path: impl FnOnce(&str) -> P) -> Result<T>
    where
        T: DeserializeOwned,
    {
        block_on(self.inner.target_at(path))
    }
}

impl<T, M> Clone for Completed<T, M> {
    fn clone(&self) -> Self {
        Completed { inner: self.inner.clone() }
    }
}

impl<T, M> fmt::Debug for Completed<T, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
