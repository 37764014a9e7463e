//! Recorded answers, if there are any: `GRAPH_OPERATION_CORPUS` names their folder.
//!
//! This project's own fixtures have the same shapes (see `documents`, `answers`). These tests check
//! that the recorded ones do not differ, and say so when the folder is absent and they are skipped.

use std::path::PathBuf;

use graph_operation::testing::{ScriptedClient, status, with_header};
use graph_operation::{
    ConnectionOperation, DriveItemCopy, EngagementAsyncOperation, ErrorKind, GraphError,
    LongRunningOperation, Model, OnenoteOperation, PrintOperation, RichLongRunningOperation, State,
    TeamsAsyncOperation, WorkbookOperation,
};
use http::Uri;
use serde::Serialize;
use serde_json::Value;

use crate::begin;
use crate::documents::without_nulls;

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("GRAPH_OPERATION_CORPUS").map(PathBuf::from);
    let folder = folder.filter(|folder| folder.is_dir());
    if folder.is_none() {
        println!("skipped: GRAPH_OPERATION_CORPUS names no folder of recorded answers");
    }
    folder
}

/// The rows of a table, by column.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines().skip(1).map(|line| line.split('\t').collect()).collect()
}

#[test]
fn every_document_reads_as_the_index_says() {
    let Some(folder) = folder() else { return };
    let index = std::fs::read_to_string(folder.join("index.tsv")).unwrap();
    let mut read = 0;
    for row in rows(&index) {
        let &[file, _, status, operation_type, note] = row.as_slice() else { panic!("{row:?}") };
        let text = std::fs::read_to_string(folder.join(file)).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        let documents = match &document["value"] {
            Value::Array(documents) if note.contains("COLLECTION") => documents.clone(),
            _ => vec![document],
        };
        for document in documents {
            read += 1;
            let text = document.to_string();
            if file.starts_with("err_") {
                let error: GraphError = serde_json::from_str(&text).unwrap();
                assert_eq!(error.code.as_deref(), document["error"]["code"].as_str(), "{file}");
                assert_eq!(
                    error.message.as_deref(),
                    document["error"]["message"].as_str(),
                    "{file}"
                );
                assert_eq!(serde_json::to_value(&error).unwrap(), document, "{file}");
            } else if file.contains("schema_skeleton") {
                serde_json::from_str::<TeamsAsyncOperation>(&text).unwrap_err();
            } else if file.contains("operationError") {
                let error: graph_operation::OperationError = serde_json::from_str(&text).unwrap();
                assert_eq!(serde_json::to_value(&error).unwrap(), document, "{file}");
            } else if file.starts_with("teams_") {
                let operation: TeamsAsyncOperation = serde_json::from_str(&text).unwrap();
                let known = |text: &str| text.trim_start_matches("unknown:").to_owned();
                assert_eq!(operation.status.as_str(), known(status), "{file}");
                assert_eq!(operation.operation_type.as_str(), known(operation_type), "{file}");
                assert_eq!(operation.error.is_some(), !document["error"].is_null(), "{file}");
                let written = serde_json::to_value(&operation).unwrap();
                assert_eq!(written, without_nulls(&document), "{file}");
                let again: TeamsAsyncOperation =
                    serde_json::from_value(serde_json::to_value(&operation).unwrap()).unwrap();
                assert_eq!(again, operation, "{file}");
            } else {
                read -= 1;
            }
        }
    }
    assert!(read > 30, "{read} documents were read");
}

#[test]
fn every_document_of_the_families_is_read_and_written_back() {
    let Some(folder) = folder() else { return };
    let table = std::fs::read_to_string(folder.join("families.tsv")).unwrap();
    let mut read = 0;
    for row in rows(&table) {
        let &[file, _, status, _, note] = row.as_slice() else { panic!("{row:?}") };
        let Some(family) = file.strip_prefix("lro_").and_then(|name| name.split('_').next()) else {
            continue;
        };
        if status == "(start)" {
            continue;
        }
        let body = std::fs::read(folder.join(file)).unwrap();
        let check = match family {
            "engagementAsyncOperation" => check::<EngagementAsyncOperation>,
            "richLongRunningOperation" => check::<RichLongRunningOperation>,
            "longRunningOperation" => check::<LongRunningOperation>,
            "connectionOperation" => check::<ConnectionOperation>,
            "workbookOperation" => check::<WorkbookOperation>,
            "printOperation" => check::<PrintOperation>,
            "onenoteOperation" => check::<OnenoteOperation>,
            "driveItemCopy" => check::<DriveItemCopy>,
            // Families without a model.
            _ => continue,
        };
        match serde_json::from_slice::<Value>(&body) {
            Ok(Value::Object(mut list)) if note.contains("COLLECTION") => {
                let Some(Value::Array(documents)) = list.remove("value") else { panic!("{file}") };
                for document in documents {
                    check(document.to_string().as_bytes(), status, file);
                }
            }
            _ => check(&body, status, file),
        }
        read += 1;
    }
    assert!(read > 30, "{read} documents were read");
}

fn check<M: Model + Serialize>(body: &[u8], status: &str, file: &str) {
    if status == "refused" {
        M::from_json(body).unwrap_err();
        M::summarize(body).unwrap_err();
        return;
    }
    let operation = M::from_json(body).unwrap_or_else(|error| panic!("{file}: {error}"));
    assert_eq!(serde_json::to_value(operation.state()).unwrap(), status, "{file}");
    let summary = M::summarize(body).unwrap();
    assert_eq!((summary.state(), summary.status()), (operation.state(), operation.status()));
    let document = without_nulls(&serde_json::from_slice(body).unwrap());
    let written = without_nulls(&serde_json::to_value(&operation).unwrap());
    assert_eq!(written, document, "{file}");
    if operation.state() == State::Failed {
        assert!(operation.failure().is_some(), "{file}");
    }
}

#[test]
fn every_starting_answer_leads_to_the_right_address_or_the_right_error() {
    let Some(folder) = folder() else { return };
    let headers = std::fs::read_to_string(folder.join("headers.tsv")).unwrap();
    let root = "https://graph.microsoft.com/v1.0";
    let mut seen = 0;
    for row in rows(&headers) {
        let &[request, location, content_location, ..] = row.as_slice() else { panic!("{row:?}") };
        let (name, location) = match location.strip_prefix("[Operation-Location] ") {
            Some(location) => ("operation-location", location),
            None => ("location", location),
        };
        let mut answer = status(202);
        if !location.is_empty() {
            answer = with_header(answer, name, location);
        }
        if !content_location.is_empty() {
            answer = with_header(answer, "content-location", content_location);
        }
        let text = if location.is_empty() { content_location } else { location };
        let text = text.trim_end_matches(',');
        let client =
            ScriptedClient::with_service_root(Uri::from_static("https://graph.microsoft.com/v1.0"));
        let started = begin(&client, answer)
            .map(|operation| operation.location().unwrap().to_string())
            .map_err(|error| error.kind());
        let expected = if text.is_empty() {
            Err(ErrorKind::MissingLocation)
        } else if text.contains(' ') {
            Err(ErrorKind::InvalidLocation)
        } else if text.starts_with("https://graph.microsoft.com/") {
            Ok(text.to_owned())
        } else if text.starts_with("https://") {
            Err(ErrorKind::ForeignLocation)
        } else {
            Ok(format!("{root}{text}"))
        };
        assert_eq!(started, expected, "{request}: {text}");
        seen += 1;
    }
    assert!(seen > 50, "{seen} answers were seen");
}
