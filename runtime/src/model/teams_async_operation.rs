//! `teamsAsyncOperation`: what Microsoft Teams tells of a long request.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value;
use time::OffsetDateTime;

use super::evolvable::evolvable;
use super::lenient::{Lenient, Scalar};
use super::timestamp::Timestamp;
use super::{AdditionalData, Model, OperationError, Progress, State};

evolvable! {
    /// What a [`TeamsAsyncOperation`] does.
    ///
    /// Members are known by name alone, because their numbers differ between v1.0 and beta. The
    /// checks ask for all members (`Prefer: include-unknown-enum-members`).
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/teamsasyncoperation>
    TeamsAsyncOperationType {
        /// An invalid operation.
        Invalid = "invalid",
        /// Clones a team.
        CloneTeam = "cloneTeam",
        /// Archives a team.
        ArchiveTeam = "archiveTeam",
        /// Restores an archived team.
        UnarchiveTeam = "unarchiveTeam",
        /// Creates a team.
        CreateTeam = "createTeam",
        /// What the service says in place of a younger member to those who did not ask for them.
        UnknownFutureValue = "unknownFutureValue",
        /// Makes a group a team.
        TeamifyGroup = "teamifyGroup",
        /// Creates a channel.
        CreateChannel = "createChannel",
        /// Creates a chat (beta).
        CreateChat = "createChat",
        /// Archives a channel.
        ArchiveChannel = "archiveChannel",
        /// Restores an archived channel.
        UnarchiveChannel = "unarchiveChannel",
    }
}

evolvable! {
    /// Where a [`TeamsAsyncOperation`] stands.
    ///
    /// Source: <https://learn.microsoft.com/graph/api/resources/teamsasyncoperation>
    TeamsAsyncOperationStatus {
        /// An invalid status; the operation counts as failed.
        Invalid = "invalid",
        /// Accepted, not begun.
        NotStarted = "notStarted",
        /// Running.
        InProgress = "inProgress",
        /// Ended well.
        Succeeded = "succeeded",
        /// Ended badly.
        Failed = "failed",
        /// A younger member; not the end.
        UnknownFutureValue = "unknownFutureValue",
    }
}

/// An asynchronous operation of Microsoft Teams, as one check found it.
///
/// The type is open: what Graph sends beyond the declared properties is kept in
/// [`additional_data`](Self::additional_data) and written back. Reading is lenient where the wire
/// is: declared properties may be absent or null, instants have 0 to 9 fraction digits and any
/// offset, `error` may be a string. Where the status is one that is known, any other property may
/// even be of another type, and is kept with the undeclared ones: the status alone decides. A document
/// with neither `status` nor `operationType`, or with properties of other types and no known status,
/// is no operation and is refused.
///
/// ```
/// use graph_operation::{TeamsAsyncOperation, TeamsAsyncOperationStatus};
///
/// let operation: TeamsAsyncOperation = serde_json::from_str(r#"{
///     "id": "6aba218b-0000-0000-0000-1a3dbc8a7cd0",
///     "operationType": "archiveTeam",
///     "createdDateTime": "2021-12-15T08:57:48.7884587Z",
///     "status": "inProgress",
///     "lastActionDateTime": "2021-12-15T08:57:48.7884587Z",
///     "attemptsCount": 1,
///     "targetResourceId": "d40d729b-0000-0000-0000-102595090e0a",
///     "targetResourceLocation": "/teams('d40d729b-0000-0000-0000-102595090e0a')",
///     "Value": "{\"Status\":0}",
///     "error": null
/// }"#)?;
/// assert_eq!(operation.status, TeamsAsyncOperationStatus::InProgress);
/// assert_eq!(operation.additional_data["Value"], r#"{"Status":0}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// Source: <https://learn.microsoft.com/graph/api/resources/teamsasyncoperation>
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TeamsAsyncOperation {
    /// The operation's id: a GUID for teams, three of them for chats. Empty if absent.
    pub id: String,
    /// What the operation does.
    pub operation_type: TeamsAsyncOperationType,
    /// When the operation was created.
    pub created_date_time: Option<OffsetDateTime>,
    /// Where the operation stands.
    pub status: TeamsAsyncOperationStatus,
    /// When the operation was last worked on, as documented; in practice it stays at
    /// [`created_date_time`](Self::created_date_time).
    pub last_action_date_time: Option<OffsetDateTime>,
    /// How often the service has tried.
    pub attempts_count: Option<i32>,
    /// The id of what the operation works on; not always a GUID.
    pub target_resource_id: Option<String>,
    /// Where that is found: opaque, not to be taken apart.
    pub target_resource_location: Option<String>,
    /// Why the operation failed; may be absent from one that did.
    pub error: Option<OperationError>,
    /// The properties that the metadata does not declare, such as `@odata.context` and `Value`.
    pub additional_data: AdditionalData,
}

impl Model for TeamsAsyncOperation {
    const TYPE: &'static str = "teamsAsyncOperation";

    fn from_json(body: &[u8]) -> serde_json::Result<Self> {
        // Checked once here, the text is not checked again for each of its strings.
        let Ok(text) = std::str::from_utf8(body) else {
            return serde_json::from_slice(body);
        };
        let mut json = serde_json::Deserializer::from_str(text);
        let operation = Document { late: true }.deserialize(&mut json)?;
        json.end()?;
        Ok(operation)
    }

    fn state(&self) -> State {
        match self.status {
            TeamsAsyncOperationStatus::Succeeded => State::Succeeded,
            TeamsAsyncOperationStatus::Failed | TeamsAsyncOperationStatus::Invalid => State::Failed,
            _ => State::Running,
        }
    }

    fn status(&self) -> &str {
        self.status.as_str()
    }

    fn id(&self) -> Option<&str> {
        Some(self.id.as_str()).filter(|id| !id.is_empty())
    }

    fn operation_type(&self) -> Option<&str> {
        Some(self.operation_type.as_str()).filter(|text| !text.is_empty())
    }

    fn attempts(&self) -> Option<u32> {
        u32::try_from(self.attempts_count?).ok()
    }

    fn failure(&self) -> Option<OperationError> {
        self.error.clone()
    }

    fn target_id(&self) -> Option<&str> {
        self.target_resource_id.as_deref()
    }

    fn target_location(&self) -> Option<Cow<'_, str>> {
        self.target_resource_location.as_deref().map(Cow::Borrowed)
    }

    /// The parts that creating a team consists of, from the undocumented `Value`.
    fn progress(&self) -> Option<Progress> {
        Progress::from_value(self.additional_data.get("Value")?.as_str()?)
    }
}

/// The declared properties, or the name of another.
enum Property<'de> {
    Id,
    OperationType,
    CreatedDateTime,
    Status,
    LastActionDateTime,
    AttemptsCount,
    TargetResourceId,
    TargetResourceLocation,
    Error,
    Additional(Cow<'de, str>),
}

impl<'de> Deserialize<'de> for Property<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PropertyVisitor;

        impl<'de> Visitor<'de> for PropertyVisitor {
            type Value = Property<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a property's name")
            }

            fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Property::of(Cow::Borrowed(name)))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Property::of(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_identifier(PropertyVisitor)
    }
}

impl<'de> Property<'de> {
    fn of(name: Cow<'de, str>) -> Self {
        match &*name {
            "id" => Property::Id,
            "operationType" => Property::OperationType,
            "createdDateTime" => Property::CreatedDateTime,
            "status" => Property::Status,
            "lastActionDateTime" => Property::LastActionDateTime,
            "attemptsCount" => Property::AttemptsCount,
            "targetResourceId" => Property::TargetResourceId,
            "targetResourceLocation" => Property::TargetResourceLocation,
            "error" => Property::Error,
            _ => Property::Additional(name),
        }
    }
}

impl<'de> Deserialize<'de> for TeamsAsyncOperation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Document { late: false }.deserialize(deserializer)
    }
}

/// How a document is read: any document, or, late, one of JSON that lies in memory, whose undeclared
/// properties are left as they stand.
struct Document {
    late: bool,
}

impl<'de> DeserializeSeed<'de> for Document {
    type Value = TeamsAsyncOperation;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document {
    type Value = TeamsAsyncOperation;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a teamsAsyncOperation")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut operation = TeamsAsyncOperation::default();
        let mut recognized = false;
        let mut odd = None;
        while let Some(property) = map.next_key()? {
            let (name, value) = match property {
                Property::Status => {
                    recognized = true;
                    let status = map.next_value::<Option<_>>()?;
                    operation.status = status.unwrap_or_default();
                    continue;
                }
                Property::Additional(name) => {
                    let undeclared = &mut operation.additional_data;
                    let kept = if self.late {
                        undeclared.push_raw(&name, map.next_value()?)
                    } else {
                        undeclared.push_value(&name, &map.next_value()?)
                    };
                    kept.map_err(de::Error::custom)?;
                    continue;
                }
                Property::OperationType => {
                    recognized = true;
                    let mut name = None;
                    let value = read(&mut map, &mut name)?;
                    operation.operation_type = name.unwrap_or_default();
                    ("operationType", value)
                }
                Property::Id => {
                    let mut id = None;
                    let value = read(&mut map, &mut id)?;
                    operation.id = id.unwrap_or_default();
                    ("id", value)
                }
                Property::CreatedDateTime => {
                    ("createdDateTime", read(&mut map, &mut operation.created_date_time)?)
                }
                Property::LastActionDateTime => {
                    let instant = &mut operation.last_action_date_time;
                    ("lastActionDateTime", read(&mut map, instant)?)
                }
                Property::AttemptsCount => {
                    ("attemptsCount", read(&mut map, &mut operation.attempts_count)?)
                }
                Property::TargetResourceId => {
                    ("targetResourceId", read(&mut map, &mut operation.target_resource_id)?)
                }
                Property::TargetResourceLocation => {
                    let location = &mut operation.target_resource_location;
                    ("targetResourceLocation", read(&mut map, location)?)
                }
                Property::Error => {
                    let value = map.next_value::<Value>()?;
                    let error = OperationError::from_value(value);
                    ("error", error.map(|error| operation.error = error).err())
                }
            };
            if let Some(value) = value {
                let kept = operation.additional_data.push_value(name, &value);
                kept.map_err(de::Error::custom)?;
                odd = odd.or(Some(name));
            }
        }
        match (recognized, odd) {
            (false, _) => Err(de::Error::missing_field("status")),
            (true, Some(name))
                if matches!(operation.status, TeamsAsyncOperationStatus::Unknown(_)) =>
            {
                Err(de::Error::custom(format_args!("`{name}` is of another type")))
            }
            (true, _) => Ok(operation),
        }
    }
}

/// Reads a property, or gives back the value of another type that stands in its place.
fn read<'de, T, A>(map: &mut A, property: &mut Option<T>) -> Result<Option<Value>, A::Error>
where
    T: Scalar,
    A: MapAccess<'de>,
{
    Ok(match map.next_value()? {
        Lenient::Read(value) => {
            *property = value;
            None
        }
        Lenient::Odd(value) => Some(value),
    })
}

impl Scalar for TeamsAsyncOperationType {
    fn from_text(text: &str) -> Option<Self> {
        Some(text.into())
    }
}

/// Absent optional properties are left out, undeclared ones written as they came.
impl Serialize for TeamsAsyncOperation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("operationType", &self.operation_type)?;
        if let Some(instant) = self.created_date_time {
            map.serialize_entry("createdDateTime", &Timestamp(instant))?;
        }
        map.serialize_entry("status", &self.status)?;
        if let Some(instant) = self.last_action_date_time {
            map.serialize_entry("lastActionDateTime", &Timestamp(instant))?;
        }
        if let Some(count) = self.attempts_count {
            map.serialize_entry("attemptsCount", &count)?;
        }
        if let Some(id) = &self.target_resource_id {
            map.serialize_entry("targetResourceId", id)?;
        }
        if let Some(location) = &self.target_resource_location {
            map.serialize_entry("targetResourceLocation", location)?;
        }
        if let Some(error) = &self.error {
            map.serialize_entry("error", error)?;
        }
        for (name, value) in &self.additional_data {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}
