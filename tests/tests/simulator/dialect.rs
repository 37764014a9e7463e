//! What the simulator answers without faults.

use graph_operation_tests::simulator::{LocationForm, Options, RetryAfter, Simulator, Span};
use serde_json::{Value, json};

use super::http::Calls as _;

const TEAM: &str = "6c0a1d5e-93f2-4c55-8d35-1f0e8f6f6a01";
const ALL_MEMBERS: &[&str] = &["Authorization: Bearer t", "Prefer: include-unknown-enum-members"];

fn simulator() -> Simulator {
    Simulator::spawn(Options::new()).unwrap()
}

#[test]
fn an_archive_is_accepted_as_on_the_wire() {
    let simulator = simulator();
    let path = format!("/v1.0/teams/{TEAM}/archive");
    let reply =
        simulator.call("POST", &path, &["Authorization: Bearer t", "client-request-id: mine"], "");
    assert_eq!((reply.status, reply.text()), (202, ""));
    let location = reply.header("location").unwrap();
    assert!(location.starts_with(&format!("/teams('{TEAM}')/operations('")), "{location}");
    assert_eq!(reply.header("client-request-id"), Some("mine"));
    assert_eq!(reply.header("request-id").unwrap().len(), 36);
    assert_eq!(reply.all("date").len(), 1);
    assert!(reply.header("x-ms-ags-diagnostic").unwrap().starts_with(r#"{"ServerInfo""#));
    for absent in ["content-type", "content-location", "retry-after"] {
        assert_eq!(reply.header(absent), None);
    }
}

#[test]
fn an_operation_is_documented_as_on_the_wire() {
    let simulator = simulator();
    let operation = simulator.archive(TEAM);
    let document = simulator.get(&operation);
    assert!(document.header("content-type").unwrap().starts_with("application/json;"));
    let id = operation.rsplit('\'').nth(1).unwrap();
    let json = document.json();
    let created = json["createdDateTime"].clone();
    let context =
        format!("{}/$metadata#teams('{TEAM}')/operations/$entity", simulator.service_root());
    let mut value: Value = serde_json::from_str(json["Value"].as_str().unwrap()).unwrap();
    assert!(value["WorkFlowId"].take().is_string());
    assert_eq!(value, json!({"Status": 0, "PreArchivalMembersPermission": 0, "WorkFlowId": null}));
    let mut rest = json.clone();
    rest.as_object_mut().unwrap().remove("Value");
    assert_eq!(
        rest,
        json!({
            "@odata.context": context,
            "id": id,
            "operationType": "archiveTeam",
            "createdDateTime": created,
            "status": "notStarted",
            "lastActionDateTime": created,
            "attemptsCount": 1,
            "targetResourceId": TEAM,
            "targetResourceLocation": format!("/teams('{TEAM}')"),
            "error": null,
        })
    );
    let positions =
        ["@odata.context", "\"id\"", "operationType", "attemptsCount", "\"Value\"", "\"error\""]
            .map(|property| document.text().find(property).unwrap());
    assert!(positions.is_sorted(), "{}", document.text());
}

#[test]
fn nothing_changes_without_a_change() {
    let simulator =
        Simulator::spawn(Options::new().life("in-progress=3,succeeded".parse().unwrap())).unwrap();
    let operation = simulator.archive(TEAM);
    let bodies = [(); 5].map(|()| simulator.get(&operation).body);
    assert!(bodies[0] == bodies[1] && bodies[1] == bodies[2]);
    assert!(bodies[2] != bodies[3] && bodies[3] == bodies[4]);
    assert!(String::from_utf8_lossy(&bodies[4]).contains(r#"\"Status\":1"#));
}

#[test]
fn the_version_and_the_token_are_required() {
    let simulator = simulator();
    let reply = simulator.post("/teams/a/archive", "");
    assert_eq!((reply.status, reply.code().as_str()), (400, "BadRequest"));
    assert_eq!(reply.json()["error"]["message"], "Invalid version.");
    assert_eq!(
        reply.json()["error"]["innerError"]["request-id"],
        reply.header("request-id").unwrap()
    );
    for headers in [&[][..], &["Authorization: Basic eA=="], &["Authorization: Bearer "]] {
        let reply = simulator.call("GET", "/v1.0/teams/a", headers, "");
        assert_eq!((reply.status, reply.code().as_str()), (401, "InvalidAuthenticationToken"));
    }
    assert_eq!(simulator.get("/v1.0/me/drive").status, 400);
    assert_eq!(simulator.get("/v1.0/teams/a/archive").status, 405);
    assert_eq!(simulator.post("/v1.0/teams", "").status, 400);
    assert_eq!(simulator.post("/v1.0/teams/a/archive", "{").status, 400);
    assert!(simulator.operations().is_empty());
}

#[test]
fn an_operation_is_read_by_every_key_syntax_and_both_versions() {
    let simulator = simulator();
    let operation = simulator.archive("a");
    let id = operation.rsplit('\'').nth(1).unwrap();
    for path in [
        format!("/v1.0/teams('a')/operations('{id}')"),
        format!("/v1.0/teams/a/operations/{id}"),
        format!("/v1.0/teams(a)/operations({id})"),
        format!("/v1.0/teams(%27a%27)/operations(%27{id}%27)"),
        format!("/v1.0/groups/a/team/operations/{id}?x=y"),
        format!("/beta/teams('a')/operations('{id}')"),
    ] {
        assert_eq!(simulator.get(&path).json()["id"], id, "{path}");
    }
    assert_eq!(simulator.get(&format!("/v1.0/teams/b/operations/{id}")).code(), "NotFound");
    assert_eq!(simulator.get(&format!("/v1.0/chats/a/operations/{id}")).code(), "NotFound");
}

#[test]
fn every_usable_form_of_location_leads_to_the_operation() {
    for form in LocationForm::all() {
        let simulator = Simulator::spawn(Options::new().location(form.clone())).unwrap();
        let reply = simulator.post("/v1.0/teams/a/archive", "");
        let headers = ["location", "operation-location", "content-location"];
        let Some(location) = headers.iter().find_map(|name| reply.header(name)) else {
            assert!(!form.is_usable(), "{form:?}");
            continue;
        };
        let relative = location.trim_end_matches(',');
        let absolute =
            relative.strip_prefix(&simulator.origin()).filter(|rest| rest.starts_with('/'));
        let path = absolute.map_or_else(|| format!("/v1.0{relative}"), str::to_owned);
        let found = path.bytes().all(|byte| byte.is_ascii_graphic())
            && simulator.get(&path).json()["operationType"] == "archiveTeam";
        assert_eq!(found, form.is_usable(), "{form:?} {location}");
    }
}

#[test]
fn a_team_is_created_part_by_part_and_readable_later() {
    let options = Options::new()
        .life("not-started=1,in-progress=3,succeeded".parse().unwrap())
        .readable_after(Span::Checks(2));
    let simulator = Simulator::spawn(options).unwrap();
    let body = json!({
        "displayName": "Rockets",
        "channels": [{"displayName": "Engines"}, {"displayName": "Fins"}],
        "installedApps": [{"teamsApp@odata.bind": "https://graph.microsoft.com/v1.0/appCatalogs/teamsApps('polls')"}],
    });
    let started = simulator.post("/v1.0/teams", &body.to_string());
    let team = started.header("content-location").unwrap().to_owned();
    let operation = format!("/v1.0{}", started.header("location").unwrap());
    assert!(operation.contains(&format!("{team}/operations(")), "{operation} {team}");
    let team = format!("/v1.0{team}");
    let progress = [(); 5].map(|()| {
        let document = simulator.get(&operation).json();
        let value: Value = serde_json::from_str(document["Value"].as_str().unwrap()).unwrap();
        let parts =
            ["apps", "channels"].map(|list| value[list].as_array().unwrap().clone()).concat();
        assert!(simulator.operations()[0].ends > 0 || simulator.get(&team).status == 404);
        parts
            .iter()
            .map(|part| part["Status"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    });
    assert_eq!(
        progress,
        [
            "",
            "InProgress NotStarted NotStarted",
            "Succeeded InProgress NotStarted",
            "Succeeded Succeeded InProgress",
            "Succeeded Succeeded Succeeded",
        ]
    );
    for _ in 0..2 {
        let reply = simulator.get(&team);
        assert_eq!((reply.status, reply.code().as_str()), (404, "NotFound"));
    }
    let document = simulator.get(&team).json();
    assert_eq!(
        (&document["displayName"], &document["isArchived"]),
        (&json!("Rockets"), &json!(false))
    );
}

#[test]
fn an_archive_shows_in_its_team() {
    let simulator =
        Simulator::spawn(Options::new().life("in-progress=1,succeeded".parse().unwrap())).unwrap();
    assert_eq!(simulator.get("/v1.0/teams/a").status, 404);
    let archive = simulator.archive("a");
    let archived = || simulator.get("/v1.0/teams('a')").json()["isArchived"] == true;
    assert!(!archived());
    assert_eq!([(); 2].map(|()| simulator.status(&archive)), ["inProgress", "succeeded"]);
    assert!(archived());
    let unarchive = simulator.start("/v1.0/teams/a/unarchive", "");
    assert_eq!([(); 2].map(|()| simulator.status(&unarchive)), ["inProgress", "succeeded"]);
    assert!(!archived());
}

#[test]
fn a_clone_is_read_below_the_new_team() {
    let simulator = simulator();
    let operation = simulator.start("/v1.0/teams/a/clone", r#"{"displayName":"b"}"#);
    assert!(!operation.contains("'a'"), "{operation}");
    assert_eq!(simulator.get(&operation).json()["operationType"], "cloneTeam");
}

#[test]
fn channels_finish_at_once_unless_they_are_shared() {
    let simulator = simulator();
    let created = simulator.post("/v1.0/teams/a/channels", r#"{"displayName":"c"}"#);
    assert_eq!(created.status, 201);
    let id = created.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(simulator.get(&format!("/v1.0/teams/a/channels/{id}")).json()["displayName"], "c");
    let shared = simulator
        .start("/v1.0/teams/a/channels", r#"{"displayName":"d","membershipType":"shared"}"#);
    let document = simulator.call("GET", &shared, ALL_MEMBERS, "").json();
    assert_eq!(document["operationType"], "createChannel");
    let channel = document["targetResourceLocation"].as_str().unwrap();
    assert_eq!(simulator.get(&format!("/v1.0{channel}")).status, 404);

    let archive = simulator.start(&format!("/v1.0/teams/a/channels/{id}/archive"), "");
    assert!(archive.starts_with("/v1.0/teams/a/operations/"), "{archive}");
}

#[test]
fn late_members_are_shown_to_clients_that_ask() {
    let options = Options::new().life("status:paused=9,succeeded".parse().unwrap());
    let simulator = Simulator::spawn(options).unwrap();
    let operation = simulator.start("/v1.0/teams/a/channels/b/unarchive", "");
    let hidden = simulator.get(&operation);
    assert_eq!(hidden.header("preference-applied"), None);
    assert_eq!(hidden.json()["operationType"], "unknownFutureValue");
    assert_eq!(hidden.json()["status"], "unknownFutureValue");
    let shown = simulator.call("GET", &operation, ALL_MEMBERS, "");
    assert_eq!(shown.header("preference-applied"), Some("include-unknown-enum-members"));
    assert_eq!(shown.json()["operationType"], "unarchiveChannel");
    assert_eq!(shown.json()["status"], "paused");
}

#[test]
fn a_chat_with_apps_takes_time() {
    let simulator = simulator();
    assert_eq!(simulator.post("/beta/chats", r#"{"topic":"t"}"#).status, 201);
    let body =
        r#"{"topic":"t","installedApps":[{"teamsApp@odata.bind":"https://x/teamsApps('polls')"}]}"#;
    let operation = simulator.start("/beta/chats", body);
    assert!(
        operation.starts_with("/beta/chats('19:")
            && operation.contains("@thread.v2')/operations('"),
        "{operation}"
    );
    let document = simulator.call("GET", &operation, ALL_MEMBERS, "").json();
    assert_eq!(document["id"].as_str().unwrap().len(), 3 * 36 + 2);
    assert_eq!(document["values"], r#"{"appIds":["polls"]}"#);
    assert!(document["@odata.context"].as_str().unwrap().contains("chats('19%3A"));
    assert_eq!([(); 2].map(|()| simulator.status(&operation)), ["inProgress", "succeeded"]);
    let chat = document["targetResourceLocation"].as_str().unwrap();
    assert_eq!(simulator.get(&format!("/beta{chat}")).json()["topic"], "t");
}

#[test]
fn a_community_is_created_by_the_other_family() {
    let simulator = simulator();
    let started =
        simulator.post("/v1.0/employeeExperience/communities", r#"{"displayName":"Bees"}"#);
    let location = started.header("location").unwrap();
    let path = location.strip_prefix(&simulator.origin()).unwrap();
    assert!(path.starts_with("/v1.0/employeeExperience/engagementAsyncOperations('"), "{location}");
    let documents = [(); 3].map(|()| simulator.get(path).json());
    assert_eq!(
        documents.each_ref().map(|document| &document["status"]),
        ["notStarted", "running", "succeeded"]
    );
    assert_eq!(documents[1]["resourceId"], Value::Null);
    assert_eq!(documents[2]["operationType"], "createCommunity");
    let community = documents[2]["resourceId"].as_str().unwrap();
    let document =
        simulator.get(&format!("/v1.0/employeeExperience/communities/{community}")).json();
    assert_eq!(document["displayName"], "Bees");
}

#[test]
fn the_clock_behind_dates_can_be_wrong() {
    let options = Options::new().clock_ahead(-10 * 86_400).retry_after(RetryAfter::Seconds(3));
    let simulator = Simulator::spawn(options).unwrap();
    let usual = self::simulator().post("/v1.0/teams/a/archive", "");
    let behind = simulator.post("/v1.0/teams/a/archive", "");
    assert_eq!(behind.header("retry-after"), Some("3"));
    assert_ne!(behind.header("date").unwrap()[..16], usual.header("date").unwrap()[..16]);
}
