//! Models as trait objects, so that the polling code is compiled once and not for each model.

use std::any::Any;
use std::borrow::Cow;
use std::fmt;
use std::sync::OnceLock;

use bytes::Bytes;

use super::{Model, Monitor, OperationError, Progress, Summary, TargetRef};
use crate::protocol::Polling;

/// A [`Model`] as a trait object.
pub(crate) trait Snapshot: Any + Send + Sync {
    fn status(&self) -> &str;
    fn operation_type(&self) -> Option<&str>;
    fn attempts(&self) -> Option<u32>;
    fn failure(&self) -> Option<OperationError>;
    fn target_id(&self) -> Option<&str>;
    fn target_location(&self) -> Option<Cow<'_, str>>;
    fn target(&self) -> TargetRef<'_>;
    fn progress(&self) -> Option<Progress>;
    fn debug(&self) -> &dyn fmt::Debug;
}

impl<M: Model> Snapshot for M {
    fn status(&self) -> &str {
        Model::status(self)
    }
    fn operation_type(&self) -> Option<&str> {
        Model::operation_type(self)
    }
    fn attempts(&self) -> Option<u32> {
        Model::attempts(self)
    }
    fn failure(&self) -> Option<OperationError> {
        Model::failure(self)
    }
    fn target_id(&self) -> Option<&str> {
        Model::target_id(self)
    }
    /// A model that overrides only `target` shows the location that it names there.
    fn target_location(&self) -> Option<Cow<'_, str>> {
        Model::target_location(self).or_else(|| match Model::target(self) {
            TargetRef::Location(location) => Some(location),
            _ => None,
        })
    }
    fn target(&self) -> TargetRef<'_> {
        Model::target(self)
    }
    fn progress(&self) -> Option<Progress> {
        Model::progress(self)
    }
    fn debug(&self) -> &dyn fmt::Debug {
        self
    }
}

impl dyn Snapshot {
    pub(crate) fn downcast_ref<M: Model>(&self) -> Option<&M> {
        (self as &dyn Any).downcast_ref()
    }
}

impl fmt::Debug for dyn Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.debug().fmt(f)
    }
}

/// A model as the untyped protocol sees it: its constants, and how to read a response.
pub(crate) struct Reader {
    pub(crate) model: &'static str,
    pub(crate) monitor: Monitor,
    pub(crate) polling: fn() -> Polling,
    summarize: fn(&[u8]) -> serde_json::Result<Summary<'_>>,
    decode: fn(&[u8]) -> serde_json::Result<Box<dyn Snapshot>>,
}

struct ReaderOf<M>(M);

impl<M: Model> ReaderOf<M> {
    const READER: &'static Reader = &Reader {
        model: M::TYPE,
        monitor: M::MONITOR,
        polling: M::POLLING,
        summarize: M::summarize,
        decode: |body| Ok(Box::new(M::from_json(body)?)),
    };
}

impl Reader {
    pub(crate) fn of<M: Model>() -> &'static Reader {
        ReaderOf::<M>::READER
    }

    /// Reads what decides how to continue.
    pub(crate) fn summarize<'a>(&self, body: &'a [u8]) -> serde_json::Result<Summary<'a>> {
        (self.summarize)(body)
    }

    /// Reads everything.
    pub(crate) fn decode(&self, body: &[u8]) -> serde_json::Result<Box<dyn Snapshot>> {
        (self.decode)(body)
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.model)
    }
}

/// The last response, decoded once, on first access.
pub(crate) struct Kept {
    reader: &'static Reader,
    body: Bytes,
    decoded: OnceLock<Option<Box<dyn Snapshot>>>,
}

impl Kept {
    /// Keeps a response that was summarized before.
    pub(crate) fn new(reader: &'static Reader, body: Bytes) -> Self {
        Kept { reader, body, decoded: OnceLock::new() }
    }

    /// The operation; `None` if the body is not one, which the summary of a built-in model has
    /// ruled out.
    pub(crate) fn snapshot(&self) -> Option<&dyn Snapshot> {
        self.decoded.get_or_init(|| self.reader.decode(&self.body).ok()).as_deref()
    }

    pub(crate) fn downcast_ref<M: Model>(&self) -> Option<&M> {
        self.snapshot()?.downcast_ref()
    }

    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }
}

/// The clone decodes the response again on first access.
impl Clone for Kept {
    fn clone(&self) -> Self {
        Kept::new(self.reader, self.body.clone())
    }
}

/// Shows the operation, never the body.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.snapshot() {
            Some(snapshot) => snapshot.fmt(f),
            None => self.reader.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::{EngagementAsyncOperation, State, TeamsAsyncOperation};

    fn kept<M: Model>(body: &'static str) -> Kept {
        Kept::new(Reader::of::<M>(), Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn a_response_is_decoded_once_and_again_by_its_clone() {
        let kept = kept::<TeamsAsyncOperation>(r#"{"id":"1","status":"Succeeded"}"#);
        let first: *const _ = kept.downcast_ref::<TeamsAsyncOperation>().unwrap();
        assert!(std::ptr::eq(first, kept.downcast_ref::<TeamsAsyncOperation>().unwrap()));
        assert!(kept.downcast_ref::<EngagementAsyncOperation>().is_none());
        let clone = kept.clone();
        assert_eq!(clone.snapshot().unwrap().status(), "Succeeded");
        assert!(!std::ptr::eq(first, clone.downcast_ref::<TeamsAsyncOperation>().unwrap()));
        assert_eq!(clone.body(), kept.body());
    }

    #[test]
    fn a_body_that_is_not_an_operation_is_never_shown() {
        let kept = kept::<TeamsAsyncOperation>(r#"{"secret":"hunter2"}"#);
        assert!(kept.snapshot().is_none());
        assert_eq!(format!("{kept:?}"), "teamsAsyncOperation");
    }

    #[test]
    fn a_reader_has_the_constants_and_the_functions_of_its_model() {
        #[derive(Debug, Deserialize)]
        struct Export {
            status: String,
            tries: u32,
        }

        impl Model for Export {
            const TYPE: &'static str = "export";
            const MONITOR: Monitor = Monitor::Anonymous;
            const POLLING: fn() -> Polling = Polling::frequent;

            fn state(&self) -> State {
                if self.status == "done" { State::Succeeded } else { State::Running }
            }
            fn status(&self) -> &str {
                &self.status
            }
            fn attempts(&self) -> Option<u32> {
                Some(self.tries)
            }
            fn target(&self) -> TargetRef<'_> {
                Some("/files/1").into()
            }
        }

        let reader = Reader::of::<Export>();
        assert_eq!((reader.model, reader.monitor), ("export", Monitor::Anonymous));
        assert_eq!((reader.polling)(), Polling::frequent());
        let body = br#"{"status":"done","tries":2}"#;
        let summary = reader.summarize(body).unwrap();
        assert_eq!(summary, Summary::new(State::Succeeded, "done", Some(2)));
        let snapshot = reader.decode(body).unwrap();
        assert_eq!(snapshot.target(), TargetRef::Location("/files/1".into()));
        // What only `target` names is shown too.
        assert_eq!(snapshot.target_location().as_deref(), Some("/files/1"));
        assert!(reader.summarize(b"{}").is_err() && reader.decode(b"{}").is_err());
    }
}
