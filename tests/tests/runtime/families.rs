//! The families other than Teams: documents in their shapes, what each says, written back.

use std::time::Duration;

use graph_operation::testing::{ScriptedClient, accepted, block_on, json_answer};
use graph_operation::{
    Client, ConnectionOperation, ConnectionOperationStatus, DriveItemCopy, DriveItemCopyStatus,
    EngagementAsyncOperation, LongRunningOperation, Model, Monitor, OnenoteOperation,
    OnenoteOperationStatus, Operation, Polling, PrintOperation, PrintOperationProcessingState,
    RichLongRunningOperation, State, TargetRef, TeamsAsyncOperation, WorkbookOperation,
    WorkbookOperationStatus, blocking,
};
use http::Method;
use serde::Serialize;
use serde_json::{Value, json};

use crate::documents::without_nulls;

/// Reads a document in every way, and expects that it is written back unchanged.
#[track_caller]
fn read<M: Model + Serialize + PartialEq>(document: &Value) -> M {
    let text = document.to_string();
    let operation: M = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
    assert!(serde_json::from_value::<M>(document.clone()).unwrap() == operation, "{text}");
    let summary = M::summarize(text.as_bytes()).unwrap();
    assert_eq!((summary.state(), summary.status()), (operation.state(), operation.status()));
    assert_eq!(serde_json::to_value(&operation).unwrap(), without_nulls(document));
    operation
}

fn failure<M: Model>(operation: &M) -> String {
    operation.failure().map_or_else(|| "none".to_owned(), |failure| failure.to_string())
}

fn percent<M: Model>(operation: &M) -> Option<f64> {
    operation.progress()?.percent()
}

fn at(location: &str) -> TargetRef<'_> {
    TargetRef::Location(location.into())
}

type StateOf = fn(&str) -> State;
type Words = &'static [&'static str];

fn state<M: Model>(word: &str) -> State {
    let status = if M::TYPE == "printOperation" { json!({ "state": word }) } else { word.into() };
    let body = json!({ "status": status }).to_string();
    let operation = M::from_json(body.as_bytes()).unwrap();
    assert_eq!(operation.status(), word, "as it was spelled");
    operation.state()
}

#[test]
fn status_words_belong_to_one_family() {
    let families: [(StateOf, Words, Words, Words); 9] = [
        (
            state::<TeamsAsyncOperation>,
            &["notStarted", "inProgress", "unknownFutureValue", "completed", "running"],
            &["succeeded"],
            &["failed", "invalid"],
        ),
        (
            state::<EngagementAsyncOperation>,
            &["notStarted", "running", "unknownFutureValue", "completed"],
            &["succeeded", "Succeeded"],
            &["failed", "skipped"],
        ),
        (
            state::<RichLongRunningOperation>,
            &["notStarted", "running", "unknownFutureValue", "invalid"],
            &["succeeded"],
            &["failed", "skipped"],
        ),
        (
            state::<LongRunningOperation>,
            &["notStarted", "running", "unknownFutureValue"],
            &["succeeded", "SUCCEEDED"],
            &["failed", "skipped"],
        ),
        (
            state::<ConnectionOperation>,
            &["unspecified", "inprogress", "inProgress", "unknownFutureValue", "succeeded"],
            &["completed"],
            &["failed"],
        ),
        (
            state::<WorkbookOperation>,
            &["notStarted", "NotStarted", "running", "unknownFutureValue", "Completed"],
            &["succeeded"],
            &["failed", "Failed"],
        ),
        (
            state::<PrintOperation>,
            &["notStarted", "running", "unknownFutureValue", "completed"],
            &["succeeded", "Succeeded"],
            &["failed"],
        ),
        (
            state::<OnenoteOperation>,
            &["NotStarted", "notstarted", "Running", "status-value", "succeeded"],
            &["Completed", "completed"],
            &["Failed", "failed"],
        ),
        (
            state::<DriveItemCopy>,
            &[
                "notStarted",
                "inProgress",
                "updating",
                "waiting",
                "deletePending",
                "cancelPending",
                "notStarted | inProgress",
                "succeeded",
            ],
            &["completed"],
            &["failed", "deleteFailed", "cancelled"],
        ),
    ];
    for (state, running, succeeded, failed) in families {
        assert!(running.iter().all(|word| state(word) == State::Running), "{running:?}");
        assert!(succeeded.iter().all(|word| state(word) == State::Succeeded), "{succeeded:?}");
        assert!(failed.iter().all(|word| state(word) == State::Failed), "{failed:?}");
    }
}

/// The words of the documentation are those of the models.
#[test]
fn the_table_of_the_documentation_is_right() {
    let models: [(&str, StateOf); 9] = [
        ("TeamsAsyncOperation", state::<TeamsAsyncOperation>),
        ("EngagementAsyncOperation", state::<EngagementAsyncOperation>),
        ("RichLongRunningOperation", state::<RichLongRunningOperation>),
        ("LongRunningOperation", state::<LongRunningOperation>),
        ("ConnectionOperation", state::<ConnectionOperation>),
        ("WorkbookOperation", state::<WorkbookOperation>),
        ("PrintOperation", state::<PrintOperation>),
        ("OnenoteOperation", state::<OnenoteOperation>),
        ("DriveItemCopy", state::<DriveItemCopy>),
    ];
    let page = include_str!("../../../runtime/src/docs/families.md");
    let mut rows = page.lines().filter(|line| line.starts_with("| `"));
    for (name, state) in models {
        let cells: Vec<_> = rows.next().unwrap().split('|').map(str::trim).collect();
        assert_eq!(cells[1], format!("`{name}`"));
        for (cell, expected) in [(3, State::Running), (4, State::Succeeded), (5, State::Failed)] {
            for word in cells[cell].split(", ").map(|word| word.trim_matches('`')) {
                assert_eq!(state(word), expected, "{name}: {word}");
            }
        }
    }
}

/// All families are read equally leniently.
#[test]
fn no_odd_property_hides_a_known_status_in_any_family() {
    fn odd<M: Model + Serialize>(status: &Value, state: State) {
        let document = json!({
            "id": null, "status": status, "operationType": 7, "createdDateTime": "T12-01-03.45Z",
            "lastActionDateTime": 1, "error": 5, "percentageComplete": "x", "percentComplete": 1,
            "resourceId": [], "resourceLocation": {}, "statusDetail": 1.5, "printer": null,
            "attemptsCount": "1", "statusDescription": false, "certificate": [null],
        });
        let operation = M::from_json(document.to_string().as_bytes()).unwrap();
        assert_eq!(operation.state(), state, "{}", M::TYPE);
        let mut written = serde_json::to_value(&operation).unwrap();
        // Nulls in undeclared properties are kept; in declared ones they are the same as absence.
        written.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        assert_eq!(written, without_nulls(&document), "{}", M::TYPE);
        assert!(M::from_json(br#"{"id":"1"}"#).is_err());
        assert!(M::from_json(br#"{"status":["succeeded"]}"#).is_err());
    }
    odd::<TeamsAsyncOperation>(&json!("failed"), State::Failed);
    odd::<EngagementAsyncOperation>(&json!("succeeded"), State::Succeeded);
    odd::<RichLongRunningOperation>(&json!("succeeded"), State::Succeeded);
    odd::<LongRunningOperation>(&json!("running"), State::Running);
    odd::<ConnectionOperation>(&json!("completed"), State::Succeeded);
    odd::<WorkbookOperation>(&json!("failed"), State::Failed);
    odd::<PrintOperation>(&json!({ "state": "failed", "description": 7 }), State::Failed);
    odd::<OnenoteOperation>(&json!("Completed"), State::Succeeded);
    odd::<DriveItemCopy>(&json!("deleteFailed"), State::Failed);
}

#[test]
fn a_content_type_is_copied() {
    let location = "https://graph.microsoft.com/v1.0/sites/1/contentTypes/0x01";
    let succeeded: RichLongRunningOperation = read(&json!({
        "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#sites('a%2Cb')/operations/$entity",
        "id": "contentTypeCopy,0x01", "createdDateTime": "2023-06-21T20:08:15Z",
        "resourceId": "0x01", "resourceLocation": location, "status": "succeeded",
        "type": "contentTypeCopy",
    }));
    assert_eq!(succeeded.id(), Some("contentTypeCopy,0x01"));
    assert_eq!(Model::operation_type(&succeeded), Some("contentTypeCopy"));
    assert_eq!((succeeded.target(), succeeded.target_id()), (at(location), Some("0x01")));
    let failed: RichLongRunningOperation = read(&json!({
        "status": "failed", "percentageComplete": 45, "statusDetail": "half done",
        "error": {
            "code": "generalException", "message": "No.", "target": "hub",
            "details": [{ "code": "a", "message": "b" }], "innerError": { "code": "c" }
        },
    }));
    assert_eq!((failure(&failed), percent(&failed)), ("generalException: No.".into(), Some(45.0)));
    let failure_of_it = failed.failure().unwrap();
    assert_eq!(failure_of_it.additional_data["details"][0]["code"], "a");
    let failed: RichLongRunningOperation =
        read(&json!({ "status": "failed", "statusDetail": "no hub", "resourceId": "7" }));
    assert_eq!(failure(&failed), "no hub");
    assert_eq!(failed.target(), TargetRef::Id("7".into()));
}

#[test]
fn a_password_is_reset() {
    let location = "https://graph.microsoft.com/v1.0/users/1/authentication/methods/2";
    let mut document = json!({
        "@microsoft.graph.tips": "Use $select", "id": "74bf", "createdDateTime": "2024-01-18T16:37:10Z",
        "lastActionDateTime": "2024-01-18T16:37:10Z", "status": "succeeded",
        "statusDetail": "ResetSuccess", "resourceLocation": location,
    });
    let succeeded: LongRunningOperation = read(&document);
    assert_eq!((succeeded.target(), failure(&succeeded)), (at(location), "none".into()));
    document["status"] = "failed".into();
    document["createdDateTime"] = "2020-03-19T12-01-03.45Z".into();
    let failed: LongRunningOperation = read(&document);
    assert_eq!(failure(&failed), "ResetSuccess");
    assert_eq!(failed.additional_data["createdDateTime"], "2020-03-19T12-01-03.45Z");
}

#[test]
fn a_schema_is_registered() {
    let failed: ConnectionOperation =
        read(&json!({ "id": "1.weu", "status": "failed", "error": { "message": "Went wrong" } }));
    assert_eq!(
        (failed.status.clone(), failure(&failed)),
        (ConnectionOperationStatus::Failed, "Went wrong".into())
    );
    assert_eq!(failed.target(), TargetRef::None);
    let bare: ConnectionOperation = read(&json!({ "status": "failed", "error": "Went wrong" }));
    assert_eq!(failure(&bare), "Went wrong");
    let running: ConnectionOperation = read(&json!({ "status": "inProgress" }));
    assert_eq!((running.status(), running.status.as_str()), ("inProgress", "inprogress"));
}

#[test]
fn a_workbook_session_is_created() {
    let location = "https://graph.microsoft.com/beta/me/drive/items/1/workbook/sessionInfoResource(key='2')?sessionId=x%3D";
    let succeeded: WorkbookOperation =
        read(&json!({ "id": "1", "status": "succeeded", "resourceLocation": location }));
    assert_eq!(succeeded.target(), at(location));
    let failed: WorkbookOperation = read(&json!({ "status": "failed", "error": {
        "code": "internalServerError", "message": "An internal server error occurred.",
        "innerError": { "code": "internalServerErrorUncategorized", "message": "Unspecified.",
            "innerError": { "code": "GenericFileOpenError", "message": "Cannot be opened.",
                "innerError": { "request-id": "7" } } },
    } }));
    assert_eq!(failed.status, WorkbookOperationStatus::Failed);
    assert_eq!(failure(&failed), "GenericFileOpenError: Cannot be opened.");
    let failed: WorkbookOperation = read(&json!({ "status": "failed", "error": {} }));
    assert_eq!(failure(&failed), "no reason given");
    let longest = Duration::from_secs(240);
    assert_eq!(WorkbookOperation::POLLING(), Polling::default().longest_interval(longest));
}

/// Both texts of an error can be null, or empty.
#[test]
fn an_error_that_says_nothing_hides_no_other_text() {
    fn said<M: Model>(mut document: Value, error: &Value) -> String {
        document["error"] = error.clone();
        failure(&M::from_json(document.to_string().as_bytes()).unwrap())
    }
    for error in [
        json!(null),
        json!({}),
        json!({ "code": null, "message": null }),
        json!({ "code": "", "message": "" }),
        json!({ "innerError": { "date": "2022-05-27T10:22:03" } }),
    ] {
        let site = json!({ "status": "failed", "statusDetail": "No quota." });
        assert_eq!(said::<RichLongRunningOperation>(site, &error), "No quota.", "{error}");
        let diagnostics = json!([{ "message": "" }, { "message": "Too long." }]);
        let page = json!({ "status": "Failed", "@api.diagnostics": diagnostics });
        assert_eq!(said::<OnenoteOperation>(page, &error), "Too long.", "{error}");
        let copy = json!({ "status": "failed", "message": "", "statusDescription": "Gone." });
        assert_eq!(said::<DriveItemCopy>(copy, &error), "Gone.", "{error}");
        let copy = json!({ "status": "failed", "errorCode": "AccessDenied", "message": "No." });
        assert_eq!(said::<DriveItemCopy>(copy, &error), "AccessDenied: No.", "{error}");
        let said = said::<WorkbookOperation>(
            json!({ "status": "failed" }),
            &json!({ "code": "x", "message": "Locked.", "innerError": error }),
        );
        assert_eq!(said, "x: Locked.", "{error}");
    }
}

#[test]
fn no_debug_shows_the_query_of_an_address() {
    let location = "https://user:secret@contoso.sharepoint.com/items/1?sessionId=secret#secret";
    let body = json!({
        "status": "succeeded", "resourceLocation": location, "targetResourceLocation": "/t?x=secret",
        "next@odata.navigationLink": location, "nested": { "links": [location, "why? no secret"] },
    });
    let shown = [
        format!("{:?}", read::<WorkbookOperation>(&body)),
        format!("{:#?}", read::<TeamsAsyncOperation>(&body)),
        format!("{:?}", read::<WorkbookOperation>(&body).additional_data),
    ];
    for shown in shown {
        assert_eq!(
            shown.matches("secret").count(),
            shown.matches("why? no secret").count(),
            "{shown}"
        );
        assert!(shown.contains("https://contoso.sharepoint.com/items/1\""), "{shown}");
    }
    assert!(
        location.contains(read::<WorkbookOperation>(&body).resource_location.unwrap().as_str())
    );
}

#[test]
fn a_printer_is_registered() {
    let mut document = json!({
        "@odata.type": "#microsoft.graph.printerCreateOperation", "id": "81f4",
        "createdDateTime": "2020-06-15T22:27:03.031849Z", "certificate": "{certificate}",
        "status": { "state": "succeeded", "description": "Completed.", "@odata.type": "x" },
        "printer": {
            "id": "e56f", "isShared": false, "status": { "state": "failed", "details": [] },
            "location": { "latitude": 1.5 }
        },
    });
    let succeeded: PrintOperation = read(&document);
    assert_eq!(succeeded.status.state, PrintOperationProcessingState::Succeeded);
    assert_eq!((succeeded.status(), succeeded.target_id()), ("succeeded", Some("e56f")));
    assert_eq!(succeeded.target(), TargetRef::Embedded(document["printer"].clone()));
    assert_eq!(failure(&succeeded), "none");
    document["status"]["state"] = "Failed".into();
    document.as_object_mut().unwrap().remove("printer");
    let failed: PrintOperation = read(&document);
    assert_eq!((failure(&failed), failed.status()), ("Completed.".into(), "Failed"));
    assert_eq!(failed.target(), TargetRef::None);
    assert_eq!(PrintOperation::POLLING(), Polling::frequent());
}

#[test]
fn a_notebook_is_copied() {
    let succeeded: OnenoteOperation = read(&json!({
        "id": "copy-1", "status": "completed", "createdDateTime": "2016-10-19T10:37:00Z",
        "percentComplete": "100", "resourceId": "1-2", "resourceLocation": "/me/onenote/notebooks/1-2",
    }));
    assert_eq!(succeeded.status, OnenoteOperationStatus::Completed);
    assert_eq!((succeeded.status(), percent(&succeeded)), ("completed", Some(100.0)));
    assert_eq!(succeeded.target(), at("/me/onenote/notebooks/1-2"));
    for (text, expected) in [("45", Some(45.0)), ("27.8", Some(27.8)), ("", None), ("NaN", None)] {
        let running: OnenoteOperation =
            read(&json!({ "status": "Running", "percentComplete": text }));
        assert_eq!(percent(&running), expected);
    }
    let failed: OnenoteOperation =
        read(&json!({ "status": "Failed", "error": { "code": "20280", "message": "No." } }));
    assert_eq!(failure(&failed), "20280: No.");
    let failed: OnenoteOperation = read(
        &json!({ "status": "Failed", "@api.diagnostics": [{ "message": "Sorry", "url": "http://x" }] }),
    );
    assert_eq!(failure(&failed), "Sorry");
}

#[test]
fn a_file_is_copied() {
    assert_eq!(DriveItemCopy::MONITOR, Monitor::Anonymous);
    assert_eq!(TeamsAsyncOperation::MONITOR, Monitor::ServiceRoot);
    let running: DriveItemCopy = read(
        &json!({ "operation": "ItemCopy", "percentageComplete": 27.8, "status": "inProgress" }),
    );
    assert_eq!((percent(&running), running.target()), (Some(27.8), TargetRef::None));
    assert_eq!(Model::operation_type(&running), Some("ItemCopy"));
    let location = "https://contoso.sharepoint.com/_api/v2.0/drives/b!1/items/01Q";
    let succeeded: DriveItemCopy = read(&json!({
        "id": "dd4f", "createdDateTime": "0001-01-01T00:00:00Z", "percentageComplete": 100,
        "percentComplete": 100, "resourceId": "01Q", "resourceLocation": location, "status": "completed",
    }));
    assert_eq!(succeeded.status, DriveItemCopyStatus::Completed);
    // It is for another audience: shown, not followed.
    assert_eq!(succeeded.target_location().as_deref(), Some(location));
    assert_eq!(
        (succeeded.target(), percent(&succeeded)),
        (TargetRef::Id("01Q".into()), Some(100.0))
    );
    let without_id: DriveItemCopy =
        read(&json!({ "status": "completed", "resourceLocation": location }));
    assert_eq!(without_id.target(), TargetRef::None);
    for (properties, expected) in [
        (
            json!({ "error": { "code": "nameAlreadyExists", "message": "Exists" } }),
            "nameAlreadyExists: Exists",
        ),
        (
            json!({ "error": { "message": "Errors.", "details": [{ "message": "a" }, { "code": "b" }] } }),
            "b: Errors.",
        ),
        (json!({ "statusDescription": "Completed 0/0 files" }), "Completed 0/0 files"),
        (json!({ "errorCode": "AccessDenied_X", "statusDescription": "No" }), "AccessDenied_X: No"),
        (json!({ "message": "message" }), "message"),
        (json!({}), "none"),
    ] {
        let mut document = properties;
        document["status"] = "failed".into();
        assert_eq!(failure(&read::<DriveItemCopy>(&document)), expected);
    }
}

#[test]
fn a_percentage_is_shown_within_its_bounds() {
    for (value, expected) in
        [(-1.0, 0.0), (98.640_406_414_102_81, 98.640_406_414_102_81), (1e300, 100.0)]
    {
        let operation: DriveItemCopy =
            read(&json!({ "status": "inProgress", "percentageComplete": value }));
        let progress = operation.progress().unwrap();
        assert_eq!((progress.percent(), progress.total()), (Some(expected), 0));
        assert_eq!(serde_json::to_value(progress).unwrap(), json!({ "percent": expected }));
    }
    let parts = graph_operation::Progress::new(1, 4);
    assert_eq!(
        serde_json::to_value(parts).unwrap(),
        json!({ "done": 1, "failed": 0, "total": 4, "percent": 25.0 })
    );
    assert_eq!(serde_json::to_value(State::Failed).unwrap(), "failed");
}

#[test]
fn a_scripted_client_answers_for_a_monitor_on_another_host() {
    let client = ScriptedClient::new();
    let monitor = "https://contoso.sharepoint.com/_api/v2.0/monitors/1?tempauth=secret";
    for blocks in [false, true] {
        client
            .answer(accepted(monitor))
            .answer(json_answer(
                202,
                &json!({ "status": "inProgress", "percentageComplete": 27.8 }),
            ))
            .answer(json_answer(200, &json!({ "status": "completed", "resourceId": "01Q" })));
        let request = Client::request(&client, Method::POST, ["me", "drive", "items", "1", "copy"]);
        let request = request.unwrap();
        let id = if blocks {
            let operation = blocking::Operation::start_as::<DriveItemCopy>(client.clone(), request);
            operation.unwrap().wait().unwrap().target_id().map(str::to_owned)
        } else {
            let operation = Operation::start_as::<DriveItemCopy>(client.clone(), request);
            block_on(async { operation.await.unwrap().await })
                .unwrap()
                .target_id()
                .map(str::to_owned)
        };
        assert_eq!(id.as_deref(), Some("01Q"));
    }
    let requests = client.requests();
    assert_eq!((requests.len(), requests[1].uri().to_string()), (6, monitor.to_owned()));
}
