//! Documents in the shapes that the service sends, read and written back.

use graph_operation::{
    EngagementAsyncOperation, GraphError, LongRunningOperationStatus, Model, OperationError, State,
    TargetRef, TeamsAsyncOperation, TeamsAsyncOperationStatus, TeamsAsyncOperationType,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// An operation in the shape of a recorded one, with other content.
fn recorded() -> Value {
    json!({
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#teams('0a1b')/operations/$entity",
        "id": "7c3f7f7e-4b54-4a33-9d5e-000000000001",
        "operationType": "unarchiveTeam",
        "createdDateTime": "2023-03-01T10:20:30.1234567Z",
        "status": "inProgress",
        "lastActionDateTime": "2023-03-01T10:20:30.1234567Z",
        "attemptsCount": 1,
        "targetResourceId": "0a1b",
        "targetResourceLocation": "/teams('0a1b')",
        "Value": "{\"Status\":0,\"WorkFlowId\":\"region.1\"}",
        "error": null
    })
}

fn with(changes: Value) -> Value {
    let mut document = recorded();
    let Value::Object(changes) = changes else { unreachable!() };
    document.as_object_mut().unwrap().extend(changes);
    document
}

fn read(document: &Value) -> serde_json::Result<TeamsAsyncOperation> {
    serde_json::from_str(&document.to_string())
}

#[test]
fn every_property_is_read_and_written_back() {
    let document = recorded();
    let operation = read(&document).unwrap();
    assert_eq!(operation.id, "7c3f7f7e-4b54-4a33-9d5e-000000000001");
    assert_eq!(operation.operation_type, TeamsAsyncOperationType::UnarchiveTeam);
    assert_eq!(operation.status, TeamsAsyncOperationStatus::InProgress);
    assert_eq!(operation.created_date_time, operation.last_action_date_time);
    assert_eq!(operation.created_date_time.unwrap().nanosecond(), 123_456_700);
    assert_eq!(operation.attempts_count, Some(1));
    assert_eq!(operation.target_resource_id.as_deref(), Some("0a1b"));
    assert_eq!(operation.target_resource_location.as_deref(), Some("/teams('0a1b')"));
    assert_eq!(operation.error, None);
    assert_eq!(operation.additional_data.len(), 2);
    assert_eq!(written(&operation), without_nulls(&document));
    // Through a value, without borrowed text, too.
    assert_eq!(serde_json::from_value::<TeamsAsyncOperation>(document).unwrap(), operation);
}

fn written(operation: &TeamsAsyncOperation) -> Value {
    serde_json::to_value(operation).unwrap()
}

/// Absent and null are the same here.
pub(crate) fn without_nulls(document: &Value) -> Value {
    match document {
        Value::Object(object) => object
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect::<Map<_, _>>()
            .into(),
        other => other.clone(),
    }
}

#[test]
fn the_wire_is_read_leniently() {
    for changes in [
        json!({ "createdDateTime": "2023-03-01T10:20:30Z", "lastActionDateTime": "0001-01-01T00:00:00Z" }),
        json!({ "createdDateTime": "2023-03-01T10:20:30.123456789-08:00" }),
        json!({ "operationType": "brandNewType", "status": "brandNewStatus" }),
        json!({ "status": "" }),
        json!({ "error": { "code": "TeamUnavailable", "message": "Not found." } }),
        json!({ "error": { "@odata.type": "microsoft.graph.operationError", "code": "x" } }),
        json!({ "error": "An error has occurred" }),
        json!({ "id": "1-2-3", "targetResourceId": "19:x@thread.v2", "values": "{\"appIds\":[]}" }),
        json!({ "@odata.type": "#microsoft.graph.teamsAsyncOperation", "attemptsCount": 13 }),
        json!({ "Value": { "not": ["a", "string"] }, "nested": [1, 2.5, {"x": true}] }),
    ] {
        let document = with(changes.clone());
        let operation = read(&document).unwrap_or_else(|error| panic!("{changes}: {error}"));
        assert_eq!(written(&operation), without_nulls(&document));
        assert_eq!(read(&written(&operation)).unwrap(), operation);
    }
}

#[test]
fn absent_and_null_properties_are_no_reason_to_refuse() {
    let operation = read(&json!({ "status": "succeeded" })).unwrap();
    assert_eq!(Model::state(&operation), State::Succeeded);
    assert_eq!((Model::id(&operation), Model::operation_type(&operation)), (None, None));
    let mut nulls = recorded();
    for (_, value) in nulls.as_object_mut().unwrap() {
        *value = Value::Null;
    }
    let operation = read(&nulls).unwrap();
    assert_eq!(operation.status, TeamsAsyncOperationStatus::default());
    assert_eq!(Model::state(&operation), State::Running);
}

#[test]
fn an_empty_or_missing_status_is_not_known_and_not_terminal() {
    let mut missing = recorded();
    missing.as_object_mut().unwrap().remove("status");
    for document in [with(json!({ "status": "" })), with(json!({ "status": null })), missing] {
        let operation = read(&document).unwrap();
        assert_eq!(operation.status, TeamsAsyncOperationStatus::Unknown(String::new()));
        assert_eq!(Model::state(&operation), State::Running);
    }
}

#[test]
fn what_is_not_an_operation_is_refused() {
    for document in [
        // The documentation's schema: types instead of values.
        json!({ "attemptsCount": "Int32", "createdDateTime": "String (timestamp)", "status": "String" }),
        with(json!({ "status": 3 })),
        with(json!({ "status": "brandNew", "attemptsCount": "1" })),
        with(json!({ "status": "brandNew", "createdDateTime": "yesterday" })),
        json!({ "id": "a group", "displayName": "and no operation" }),
        json!({ "@odata.count": 1, "value": [recorded()] }),
        json!({}),
        json!([recorded()]),
        json!("succeeded"),
        json!(null),
    ] {
        assert!(read(&document).is_err(), "{document}");
    }
}

/// The status alone decides: nothing else that is odd may hide it.
#[test]
fn a_known_status_is_read_whatever_else_is_odd() {
    for changes in [
        json!({ "createdDateTime": "" }),
        json!({ "createdDateTime": "2023-03-01T10:20:30" }),
        json!({ "lastActionDateTime": 7 }),
        json!({ "attemptsCount": "1" }),
        json!({ "attemptsCount": 1.5 }),
        json!({ "attemptsCount": 3_000_000_000_u64 }),
        json!({ "attemptsCount": u64::MAX }),
        json!({ "id": 7, "operationType": 3, "targetResourceId": [1], "targetResourceLocation": {} }),
        json!({ "error": 5 }),
        json!({ "error": [] }),
        json!({ "error": false }),
        json!({ "error": { "code": 5, "message": ["x"] } }),
    ] {
        let mut document = with(changes.clone());
        document["status"] = "succeeded".into();
        let operation = read(&document).unwrap_or_else(|error| panic!("{changes}: {error}"));
        assert_eq!(Model::state(&operation), State::Succeeded);
        assert_eq!(written(&operation), without_nulls(&document));
    }
}

#[test]
fn members_print_parse_and_serialize_as_on_the_wire() {
    for (member, text) in [
        (TeamsAsyncOperationType::Invalid, "invalid"),
        (TeamsAsyncOperationType::CloneTeam, "cloneTeam"),
        (TeamsAsyncOperationType::ArchiveTeam, "archiveTeam"),
        (TeamsAsyncOperationType::UnarchiveTeam, "unarchiveTeam"),
        (TeamsAsyncOperationType::CreateTeam, "createTeam"),
        (TeamsAsyncOperationType::UnknownFutureValue, "unknownFutureValue"),
        (TeamsAsyncOperationType::TeamifyGroup, "teamifyGroup"),
        (TeamsAsyncOperationType::CreateChannel, "createChannel"),
        (TeamsAsyncOperationType::CreateChat, "createChat"),
        (TeamsAsyncOperationType::ArchiveChannel, "archiveChannel"),
        (TeamsAsyncOperationType::UnarchiveChannel, "unarchiveChannel"),
        (TeamsAsyncOperationType::Unknown("moveTeam".into()), "moveTeam"),
    ] {
        assert_eq!(member.to_string(), text);
        assert_eq!(text.parse::<TeamsAsyncOperationType>().unwrap(), member);
        assert_eq!(serde_json::to_value(&member).unwrap(), text);
        assert_eq!(serde_json::from_value::<TeamsAsyncOperationType>(text.into()).unwrap(), member);
    }
    for (text, state) in [
        ("invalid", State::Failed),
        ("notStarted", State::Running),
        ("inProgress", State::Running),
        ("succeeded", State::Succeeded),
        ("failed", State::Failed),
        ("unknownFutureValue", State::Running),
        ("running", State::Running),
        ("Succeeded", State::Succeeded),
        ("FAILED", State::Failed),
        ("succeeded ", State::Running),
    ] {
        let document = json!({ "status": text });
        let operation = read(&document).unwrap();
        assert_eq!((Model::status(&operation), Model::state(&operation)), (text, state));
        assert_eq!(written(&operation), document);
    }
}

/// The enum is the known member, and the service's spelling is kept beside it.
#[test]
fn members_match_without_regard_to_case() {
    let document = with(json!({ "status": "SUCCEEDED", "operationType": "ArchiveTeam" }));
    let mut operation = read(&document).unwrap();
    assert_eq!(operation.status, TeamsAsyncOperationStatus::Succeeded);
    assert_eq!(operation.status.as_str(), "succeeded");
    assert_eq!(operation.operation_type, TeamsAsyncOperationType::ArchiveTeam);
    assert_eq!(Model::operation_type(&operation), Some("ArchiveTeam"));
    assert_eq!(written(&operation), without_nulls(&document));
    // Unless the member is changed.
    operation.status = TeamsAsyncOperationStatus::Failed;
    assert_eq!(
        (Model::status(&operation), written(&operation)["status"].as_str()),
        ("failed", Some("failed"))
    );
}

/// A property that is well-formed, but cannot be read, does not affect the others.
#[test]
fn an_unreadable_property_hides_no_other() {
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let nested = format!(r#"{{"code":"x","deep":{deep}}}"#);
    for (property, shown) in [
        (r#""targetResourceId":"a\ud800b""#, json!("a\u{FFFD}b")),
        (r#""error":{"code":"x","message":"\udfff"}"#, json!({"code":"x","message":"\u{FFFD}"})),
        (r#""Value":"\ud800\ud83d\ude00""#, json!("\u{FFFD}\u{1F600}")),
        (r#""attemptsCount":1e400"#, json!("1e400")),
        (r#""x":-1e400"#, json!("-1e400")),
        (r#""x":[1,1e400]"#, json!("[1,1e400]")),
        (&format!(r#""x":{deep}"#), json!(deep)),
        (&format!(r#""error":{deep}"#), json!(deep)),
        (&format!(r#""error":{nested}"#), json!({"code":"x","deep":deep})),
    ] {
        let text = format!(r#"{{"status":"succeeded",{property},"id":"1","z":{{"a":[1]}}}}"#);
        let operation: TeamsAsyncOperation = serde_json::from_str(&text).unwrap();
        assert_eq!(operation, Model::from_json(text.as_bytes()).unwrap());
        assert_eq!((Model::state(&operation), operation.id.as_str()), (State::Succeeded, "1"));
        assert_eq!(operation.additional_data["z"], json!({"a":[1]}));
        let name = property.split('"').nth(1).unwrap();
        assert_eq!(written(&operation)[name], shown, "{property}");
    }
    // A negative zero is not a whole number.
    assert!(
        serde_json::from_str::<TeamsAsyncOperation>(r#"{"status":"x","attemptsCount":-0}"#)
            .is_err()
    );
    // What no `Value` can hold is written as it came.
    let text = format!(r#"{{"status":"failed","attemptsCount":1e400,"x":{deep}}}"#);
    let operation: TeamsAsyncOperation = serde_json::from_str(&text).unwrap();
    assert_eq!(operation.additional_data["attemptsCount"], "1e400");
    assert_eq!(serde_json::to_string(&operation).unwrap(), text);
}

/// serde reads them from a buffer of its own, not from the JSON.
#[test]
fn an_operation_is_read_within_other_types() {
    #[derive(serde::Deserialize)]
    struct Row {
        key: String,
        #[serde(flatten)]
        operation: TeamsAsyncOperation,
    }
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Outcome {
        Operation(Box<TeamsAsyncOperation>),
        Error(OperationError),
    }

    let mut document = recorded();
    let operation = read(&document).unwrap();
    let outcome: Outcome = serde_json::from_str(&document.to_string()).unwrap();
    assert!(matches!(outcome, Outcome::Operation(read) if *read == operation));
    let error = json!({ "code": "x", "message": null, "target": 1 }).to_string();
    let outcome: Outcome = serde_json::from_str(&error).unwrap();
    assert!(matches!(outcome, Outcome::Error(error) if error.code.as_deref() == Some("x")));
    document["key"] = "row".into();
    let row: Row = serde_json::from_str(&document.to_string()).unwrap();
    assert_eq!((row.key.as_str(), row.operation), ("row", operation));
    for other in ["[]", "null", "5", r#"{"key":"row"}"#] {
        assert!(serde_json::from_str::<Row>(other).is_err(), "{other}");
    }
}

#[test]
fn text_that_is_not_utf_8_is_read_lossily_and_a_byte_order_mark_is_skipped() {
    let body = b"\xEF\xBB\xBF{\"status\":\"failed\",\"error\":\"caf\xE9\",\"\xFF\":\"\xC3\"}";
    let operation = TeamsAsyncOperation::from_json(body).unwrap();
    assert_eq!(Model::state(&operation), State::Failed);
    assert_eq!(operation.error.unwrap().message.as_deref(), Some("caf\u{FFFD}"));
    assert_eq!(operation.additional_data["\u{FFFD}"], "\u{FFFD}");
    assert!(TeamsAsyncOperation::from_json(b"\xEF\xBB\xBF").is_err());
    assert!(TeamsAsyncOperation::from_json(b"\xFF{\"status\":\"failed\"}").is_err());
}

#[test]
fn the_last_of_properties_with_one_name_counts() {
    let text = r#"{"status":"failed","attemptsCount":"x","attemptsCount":2,"a":1e400,"a":3,
        "status":"succeeded","id":"1","id":null}"#;
    let operation: TeamsAsyncOperation = serde_json::from_str(text).unwrap();
    assert_eq!(Model::state(&operation), State::Succeeded);
    assert_eq!((operation.attempts_count, operation.id.as_str()), (Some(2), ""));
    let expected = json!({ "status": "succeeded", "attemptsCount": 2, "a": 3 });
    assert_eq!(written(&operation), expected);
}

#[test]
fn digits_are_written_as_they_came() {
    let document = with(json!({
        "createdDateTime": "2018-01-01T00:00:00.0000000Z",
        "lastActionDateTime": "2018-01-01T00:00:00.50+00:00",
    }));
    let mut operation = read(&document).unwrap();
    assert_eq!(written(&operation), without_nulls(&document));
    operation.last_action_date_time = operation.created_date_time;
    assert_eq!(written(&operation)["lastActionDateTime"], "2018-01-01T00:00:00Z");
}

#[test]
fn an_engagement_operation_is_read_and_written_back() {
    let document = json!({
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#x",
        "id": "eyJfdHlwZSI6",
        "operationType": "createCommunity",
        "createdDateTime": "2024-01-02T03:04:05.678Z",
        "lastActionDateTime": "2024-01-02T03:04:05Z",
        "status": "succeeded",
        "statusDetail": null,
        "resourceId": "eyJf"
    });
    let operation: EngagementAsyncOperation = serde_json::from_value(document.clone()).unwrap();
    assert_eq!(operation.status, LongRunningOperationStatus::Succeeded);
    assert_eq!(Model::target_location(&operation).unwrap(), "/employeeExperience/communities/eyJf");
    assert_eq!(serde_json::to_value(&operation).unwrap(), without_nulls(&document));
    assert!(serde_json::from_value::<EngagementAsyncOperation>(json!({ "id": "1" })).is_err());
    let target = |changes: Value| {
        let mut document = document.clone();
        document.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        let operation: EngagementAsyncOperation = serde_json::from_value(document).unwrap();
        match Model::target(&operation) {
            TargetRef::Location(location) => format!("at {location}"),
            TargetRef::Id(id) => format!("id {id}"),
            other => format!("{other:?}"),
        }
    };
    let location = "https://graph.microsoft.com/v1.0/employeeExperience/communities('1')";
    assert_eq!(target(json!({ "resourceLocation": location })), format!("at {location}"));
    assert_eq!(target(json!({ "resourceId": "../me?x" })), "id ../me?x");
    assert_eq!(target(json!({ "resourceId": null })), "None");
    let odd = json!({ "id": null, "status": "failed", "statusDetail": 7, "resourceId": [] });
    let operation: EngagementAsyncOperation = serde_json::from_value(odd).unwrap();
    assert_eq!(Model::state(&operation), State::Failed);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-zA-Z]{0,12}", any::<String>()]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn instant() -> impl Strategy<Value = String> {
    let offset = prop_oneof![
        Just("Z".to_owned()),
        (-12..=12i32, 0..60u32).prop_map(|(h, m)| {
            let sign = if h < 0 { '-' } else { '+' };
            format!("{sign}{:02}:{m:02}", h.abs())
        }),
    ];
    (1..=9999u32, 1..=12u32, 1..=28u32, 0..24u32, 0..60u32, "(\\.[0-9]{1,9})?", offset).prop_map(
        |(year, month, day, hour, second, fraction, offset)| {
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:30:{second:02}{fraction}{offset}")
        },
    )
}

proptest! {
    #[test]
    fn any_document_that_is_read_is_written_with_the_same_values(
        id in text(), status in text(), kind in text(), attempts in any::<i32>(),
        created in instant(), code in prop::option::of(text()), message in prop::option::of(text()),
        additional in prop::collection::btree_map("[A-Z@][a-zA-Z.]{0,8}", any_value(), 0..4),
    ) {
        let mut document = json!({
            "id": id, "status": status, "operationType": kind, "attemptsCount": attempts,
            "createdDateTime": created, "error": { "code": code, "message": message },
        });
        document.as_object_mut().unwrap().extend(additional);
        let operation = read(&document).unwrap();
        let again = read(&written(&operation)).unwrap();
        prop_assert_eq!(&again, &operation);
        let document = without_nulls(&document);
        let written = written(&operation);
        prop_assert_eq!(written, document);
    }

    #[test]
    fn no_text_makes_a_reader_panic(body in any::<String>(), value in any_value()) {
        let _ = serde_json::from_str::<TeamsAsyncOperation>(&body);
        let _ = serde_json::from_str::<GraphError>(&body);
        let _ = serde_json::from_value::<TeamsAsyncOperation>(value.clone());
        if let Ok(error) = serde_json::from_value::<GraphError>(value) {
            let _ = error.to_string();
        }
    }
}
