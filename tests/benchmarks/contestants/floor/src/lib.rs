//! Hand-written code without a library: no deadline, no retries, no token.

pub mod queue;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use benchmark_wire::Wire;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use time::OffsetDateTime;
use time::serde::rfc3339;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    NotStarted,
    InProgress,
    Succeeded,
    Failed,
    #[default]
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, Deserialize)]
pub struct OperationError {
    pub code: Option<String>,
    pub message: Option<String>,
}

/// The declared properties. Others are skipped.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    pub id: String,
    pub operation_type: String,
    #[serde(with = "rfc3339")]
    pub created_date_time: OffsetDateTime,
    pub status: Status,
    #[serde(with = "rfc3339")]
    pub last_action_date_time: OffsetDateTime,
    pub attempts_count: i32,
    pub target_resource_id: Option<String>,
    pub target_resource_location: Option<String>,
    pub error: Option<OperationError>,
}

/// The same, with the undeclared properties.
#[derive(Clone, Debug, Default)]
pub struct OpenOperation {
    pub id: String,
    pub operation_type: String,
    pub created_date_time: Option<OffsetDateTime>,
    pub status: Status,
    pub last_action_date_time: Option<OffsetDateTime>,
    pub attempts_count: i32,
    pub target_resource_id: Option<String>,
    pub target_resource_location: Option<String>,
    pub error: Option<OperationError>,
    pub additional_data: BTreeMap<String, Value>,
}

/// Without `#[serde(flatten)]`, which would copy every property an extra time.
impl<'de> Deserialize<'de> for OpenOperation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(field_identifier, rename_all = "camelCase")]
        enum Name {
            Id,
            OperationType,
            CreatedDateTime,
            Status,
            LastActionDateTime,
            AttemptsCount,
            TargetResourceId,
            TargetResourceLocation,
            Error,
            #[serde(untagged)]
            Other(String),
        }

        #[derive(Deserialize)]
        struct Timestamp(#[serde(with = "rfc3339")] OffsetDateTime);

        struct OperationVisitor;

        impl<'de> Visitor<'de> for OperationVisitor {
            type Value = OpenOperation;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an operation")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<OpenOperation, A::Error> {
                let mut read = OpenOperation::default();
                while let Some(name) = map.next_key()? {
                    match name {
                        Name::Id => read.id = map.next_value()?,
                        Name::OperationType => read.operation_type = map.next_value()?,
                        Name::CreatedDateTime => {
                            read.created_date_time = Some(map.next_value::<Timestamp>()?.0);
                        }
                        Name::Status => read.status = map.next_value()?,
                        Name::LastActionDateTime => {
                            read.last_action_date_time = Some(map.next_value::<Timestamp>()?.0);
                        }
                        Name::AttemptsCount => read.attempts_count = map.next_value()?,
                        Name::TargetResourceId => read.target_resource_id = map.next_value()?,
                        Name::TargetResourceLocation => {
                            read.target_resource_location = map.next_value()?;
                        }
                        Name::Error => read.error = map.next_value()?,
                        Name::Other(name) => {
                            read.additional_data.insert(name, map.next_value()?);
                        }
                    }
                }
                Ok(read)
            }
        }

        deserializer.deserialize_map(OperationVisitor)
    }
}

/// The status alone.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct StatusOnly {
    pub status: Status,
}

/// A program's own client.
#[derive(Clone, Debug)]
pub struct Client {
    pub wire: Wire,
    pub url: String,
}

impl Client {
    pub fn new(wire: Wire) -> Self {
        Client { wire, url: benchmark_wire::URL.to_owned() }
    }

    #[expect(clippy::unused_async, reason = "a network would be waited for")]
    async fn get(&self) -> Bytes {
        self.wire.get(&self.url)
    }

    pub async fn check(&self) -> serde_json::Result<Operation> {
        serde_json::from_slice(&self.get().await)
    }

    pub async fn check_open(&self) -> serde_json::Result<OpenOperation> {
        serde_json::from_slice(&self.get().await)
    }

    pub async fn check_status(&self) -> serde_json::Result<StatusOnly> {
        serde_json::from_slice(&self.get().await)
    }

    /// Waits for the end.
    pub async fn wait(self, interval: Duration) -> serde_json::Result<Operation> {
        loop {
            let operation = self.check().await?;
            match operation.status {
                Status::Succeeded | Status::Failed => return Ok(operation),
                _ => tokio::time::sleep(interval).await,
            }
        }
    }
}
