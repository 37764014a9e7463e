//! The documents that the service answers with, their properties in the order of the wire.

use serde::Serialize;
use serde_json::{Value, json};

use super::{
    ids,
    life::{End, Failure, Phase, Stage, View},
    operation::{Kind, Operation},
    path::{Address, Keys, encode},
};

const HIDDEN: &str = "unknownFutureValue";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TeamsAsyncOperation<'a> {
    #[serde(rename = "@odata.context")]
    context: String,
    id: &'a str,
    operation_type: &'a str,
    created_date_time: &'a str,
    status: &'a str,
    last_action_date_time: &'a str,
    attempts_count: u32,
    target_resource_id: &'a str,
    target_resource_location: String,
    #[serde(rename = "Value", skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<String>,
    error: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EngagementAsyncOperation<'a> {
    #[serde(rename = "@odata.context")]
    context: String,
    id: &'a str,
    created_date_time: &'a str,
    last_action_date_time: &'a str,
    status: &'a str,
    status_detail: Option<&'a str>,
    resource_location: Option<&'a str>,
    operation_type: &'a str,
    resource_id: Option<&'a str>,
}

/// An operation as one check shows it. `all_members` tells whether the client asked for the members
/// of enumerations that came after `unknownFutureValue`.
pub(super) fn operation(
    operation: &Operation,
    view: &View,
    root: &str,
    all_members: bool,
) -> String {
    if operation.kind == Kind::CreateCommunity {
        return engagement(operation, view, root, all_members);
    }
    let word = view.stage.to_string();
    let created = format!("{}Z", operation.created);
    write(&TeamsAsyncOperation {
        context: context(root, &operation.home, "/operations/$entity"),
        id: operation.id(),
        operation_type: if operation.kind.is_late() && !all_members {
            HIDDEN
        } else {
            operation.kind.name()
        },
        created_date_time: &created,
        status: status(&view.stage, &word, all_members),
        // The service leaves it at the creation, whatever happens.
        last_action_date_time: &created,
        attempts_count: view.attempts,
        target_resource_id: operation.target.key(),
        target_resource_location: operation.target.write(Keys::Quoted),
        value: value(operation, view),
        values: (operation.kind == Kind::CreateChat)
            .then(|| json!({ "appIds": operation.parts.apps }).to_string()),
        error: match &view.stage {
            Stage::Ended(End::Failed(Failure::Error { code, message })) => {
                json!({ "code": code, "message": message })
            }
            Stage::Ended(End::Failed(Failure::Text(text))) => Value::from(text.as_str()),
            _ => Value::Null,
        },
    })
}

fn engagement(operation: &Operation, view: &View, root: &str, all_members: bool) -> String {
    let word = view.stage.to_string();
    let created = format!("{}Z", operation.created);
    let created_id =
        matches!(view.stage, Stage::Ended(End::Succeeded)).then(|| operation.target.key());
    write(&EngagementAsyncOperation {
        context: format!("{root}/$metadata#employeeExperience/engagementAsyncOperations/$entity"),
        id: operation.id(),
        created_date_time: &created,
        last_action_date_time: &created,
        status: match word.as_str() {
            "inProgress" => "running",
            "invalid" => "failed",
            _ => status(&view.stage, &word, all_members),
        },
        status_detail: match &view.stage {
            Stage::Ended(End::Failed(
                Failure::Error { message: text, .. } | Failure::Text(text),
            )) => Some(text),
            _ => None,
        },
        resource_location: None,
        operation_type: operation.kind.name(),
        resource_id: created_id,
    })
}

fn status<'a>(stage: &Stage, word: &'a str, all_members: bool) -> &'a str {
    if matches!(stage, Stage::Going(Phase::Other(_))) && !all_members { HIDDEN } else { word }
}

fn context(root: &str, home: &Address, rest: &str) -> String {
    let set = home.identity();
    let set = set.split('/').next().unwrap_or_default();
    format!("{root}/$metadata#{set}('{}'){rest}", encode(home.key()))
}

/// The undocumented `Value`: what an archive is at, or how far each part of a new team is.
fn value(operation: &Operation, view: &View) -> Option<String> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Archive<'a> {
        status: u8,
        pre_archival_members_permission: u8,
        work_flow_id: &'a str,
    }
    #[derive(Serialize)]
    struct Creation<'a> {
        apps: Vec<Part<'a>>,
        channels: Vec<Part<'a>>,
        #[serde(rename = "WorkflowId")]
        workflow_id: &'a str,
    }
    match operation.kind {
        Kind::ArchiveTeam | Kind::UnarchiveTeam => Some(write(&Archive {
            status: u8::from(matches!(view.stage, Stage::Ended(End::Succeeded))),
            pre_archival_members_permission: 0,
            work_flow_id: &operation.workflow,
        })),
        Kind::CreateTeam => {
            let mut parts = parts(operation, view);
            let channels = parts.split_off(operation.parts.apps.len().min(parts.len()));
            Some(write(&Creation { apps: parts, channels, workflow_id: &operation.workflow }))
        }
        _ => None,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Part<'a> {
    #[serde(rename = "tabs", skip_serializing_if = "Option::is_none")]
    tabs: Option<[(); 0]>,
    index: usize,
    status: &'static str,
    update_timestamp: String,
    reference: &'a str,
}

/// The parts of a new team, apps first; the service knows of none before it has started.
fn parts<'a>(operation: &'a Operation, view: &View) -> Vec<Part<'a>> {
    if matches!(view.stage, Stage::Going(Phase::NotStarted)) {
        return Vec::new();
    }
    let (apps, channels) = (&operation.parts.apps, &operation.parts.channels);
    let total = apps.len() + channels.len();
    let (done, whole) = view.done;
    // The last part is done only by the success itself.
    let done = (total as u64).saturating_mul(done) / whole.max(1);
    let failed = matches!(view.stage, Stage::Ended(End::Failed(_) | End::Invalid));
    let part = |position: usize, index: usize, reference: &'a String, tabs| Part {
        tabs,
        index: index + 1,
        status: match (position as u64).cmp(&done) {
            std::cmp::Ordering::Less => "Succeeded",
            std::cmp::Ordering::Equal if failed => "Failed",
            std::cmp::Ordering::Equal => "InProgress",
            std::cmp::Ordering::Greater => "NotStarted",
        },
        update_timestamp: format!("{}+00:00", operation.created),
        reference,
    };
    let apps = apps.iter().enumerate().map(|(index, app)| part(index, index, app, None));
    let behind = apps.len();
    let channels = channels
        .iter()
        .enumerate()
        .map(|(index, name)| part(behind + index, index, name, Some([])));
    apps.chain(channels).collect()
}

/// What an operation was about, read by itself.
pub(super) fn resource(address: &Address, name: &str, archived: bool, root: &str) -> String {
    let identity = address.identity();
    let set = identity.strip_suffix(address.key()).unwrap_or_default().trim_end_matches('/');
    let created = format!("{}Z", ids::created(0, ids::hash(&identity)));
    let id = address.key();
    let (set, mut document) = match set.rsplit('/').next() {
        Some("channels") => {
            let team = identity.split('/').nth(1).unwrap_or_default();
            let document = json!({ "displayName": name, "membershipType": "standard", "isArchived": archived });
            (format!("teams('{}')/channels", encode(team)), document)
        }
        Some("chats") => ("chats".to_owned(), json!({ "topic": name, "chatType": "group" })),
        Some("communities") => {
            let document = json!({ "displayName": name, "privacy": "public", "groupId": id });
            ("employeeExperience/communities".to_owned(), document)
        }
        _ => {
            let document =
                json!({ "displayName": name, "visibility": "private", "isArchived": archived });
            ("teams".to_owned(), document)
        }
    };
    document["@odata.context"] = format!("{root}/$metadata#{set}/$entity").into();
    document["id"] = id.into();
    document["createdDateTime"] = created.into();
    write(&document)
}

/// A Graph error, with what support asks for.
pub(super) fn error(
    code: &str,
    message: &str,
    date: &str,
    request_id: &str,
    client_request_id: &str,
) -> String {
    write(&json!({
        "error": {
            "code": code,
            "message": message,
            "innerError": { "date": date, "request-id": request_id, "client-request-id": client_request_id },
        },
    }))
}

fn write(document: &impl Serialize) -> String {
    // Strings, numbers and lists of them always serialize.
    serde_json::to_string(document).unwrap_or_default()
}
