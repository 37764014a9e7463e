//! `printOperation`: registrations of printers with Universal Print.

use serde_json::Value;
use time::OffsetDateTime;

use crate::model::evolvable::{Status, evolvable};
use crate::model::property::{Property, Spellings, Wire};
use crate::model::resource::{Document, failure_text, resource};
use crate::model::{OperationError, State, TargetRef};
use crate::protocol::Polling;

evolvable! {
    /// The status of a [`PrintOperation`].
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/printoperationstatus>
    PrintOperationProcessingState {
        /// Accepted, not started.
        NotStarted = "notStarted" => Running,
        /// Running.
        Running = "running" => Running,
        /// Succeeded.
        Succeeded = "succeeded" => Succeeded,
        /// Failed.
        Failed = "failed" => Failed,
        /// The sentinel that stands for newer members; not terminal.
        UnknownFutureValue = "unknownFutureValue" => Running,
    }
}

resource! {
    /// The status of a [`PrintOperation`], which is an object.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/printoperationstatus>
    PrintOperationStatus {
        /// The status of the operation.
        "state" => state: PrintOperationProcessingState,
        /// Details of the status, in a sentence.
        "description" => description: Option<String>,
    }
}

impl Status for PrintOperationStatus {
    const WITHIN: Option<&'static str> = Some("state");

    fn state_of(word: &str) -> Option<State> {
        PrintOperationProcessingState::state_of(word)
    }

    fn word(&self) -> &str {
        self.state.as_str()
    }

    fn spelled<'a>(&'a self, _: &'a Spellings) -> &'a str {
        self.spellings.word("state", self.word())
    }
}

impl Property for PrintOperationStatus {
    fn read(wire: &Wire<'_>) -> Option<Self> {
        match wire {
            Wire::Null => Some(Self::default()),
            Wire::Text(_) => None,
            Wire::Other(raw) => Some(Self::take(&mut Document::read(raw, Self::PROPERTIES).ok()?)),
        }
    }

    fn is_written_as(&self, wire: &Wire<'_>) -> bool {
        *wire == Wire::Null || *self != Self::default()
    }

    fn write<M: serde::ser::SerializeMap>(
        &self,
        map: &mut M,
        name: &'static str,
    ) -> Result<(), M::Error> {
        if *self == Self::default() { Ok(()) } else { map.serialize_entry(name, self) }
    }
}

resource! {
    /// A long-running operation of Universal Print, as read by one check: registering a printer.
    ///
    /// `POST /print/printers/create` starts one and asks for 5 seconds between polls. The result is
    /// part of the operation. (The type is `printerCreateOperation`, the only one derived from
    /// `printOperation`.)
    ///
    /// Sources: <https://learn.microsoft.com/graph/api/resources/printoperation>,
    /// <https://learn.microsoft.com/graph/api/resources/printercreateoperation>
    PrintOperation = "printOperation" {
        /// The operation's id. Empty if absent.
        "id" => id: String,
        /// When the operation was created.
        "createdDateTime" => created_date_time: Option<OffsetDateTime>,
        /// The status of the operation.
        "status" => status: PrintOperationStatus,
        /// The signed certificate of the printer.
        "certificate" => certificate: Option<String>,
        /// The printer, as JSON. It has a status of its own.
        "printer" => printer: Option<Value>,
    }

    const POLLING: fn() -> Polling = Polling::frequent;

    fn failure(&self) -> Option<OperationError> {
        failure_text(self, self.status.description.as_ref())
    }

    fn target_id(&self) -> Option<&str> {
        self.printer.as_ref()?.get("id")?.as_str()
    }

    fn target(&self) -> TargetRef<'_> {
        self.printer.clone().map_or(TargetRef::None, TargetRef::Embedded)
    }
}
