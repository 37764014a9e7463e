//! What was sent is read back, and what the service refuses is refused.

use graph_operation_tests::simulator::{End, Life, Options, Simulator};
use serde_json::{Value, json};

use super::http::Calls as _;

/// A simulator whose operations succeed at once.
fn simulator() -> Simulator {
    Simulator::spawn(Options::new().life(Life::new(End::Succeeded))).unwrap()
}

/// A tenant like Graph's: only what was created exists.
fn strict() -> Simulator {
    Simulator::spawn(Options::new().life(Life::new(End::Succeeded)).strict(true)).unwrap()
}

/// Creates a team, waits for it, and returns its path.
fn team(simulator: &Simulator, body: &Value) -> String {
    let reply = simulator.post("/v1.0/teams", &body.to_string());
    assert_eq!(reply.status, 202, "{}", reply.text());
    let operation = format!("/v1.0{}", reply.header("location").unwrap());
    assert_eq!(simulator.status(&operation), "succeeded");
    format!("/v1.0{}", reply.header("content-location").unwrap())
}

#[test]
fn a_team_is_read_back_as_it_was_sent() {
    let simulator = strict();
    let body = json!({
        "template@odata.bind": "https://graph.microsoft.com/v1.0/teamsTemplates('standard')",
        "displayName": "Rockets",
        "description": "They fly.",
        "visibility": "public",
        "memberSettings": { "allowCreateUpdateChannels": false },
        "channels": [{ "displayName": "Engines" }],
        "members": [{
            "@odata.type": "#microsoft.graph.aadUserConversationMember",
            "roles": ["owner"],
            "user@odata.bind": "https://graph.microsoft.com/v1.0/users('ada')",
        }],
    });
    let path = team(&simulator, &body);
    let read = simulator.get(&path).json();
    for name in ["displayName", "description", "visibility", "memberSettings"] {
        assert_eq!(read[name], body[name], "{name}");
    }
    assert!(read.get("template@odata.bind").is_none() && read.get("members").is_none());
    let selected = simulator.get(&format!("{path}?$select=displayName,isArchived")).json();
    let names: Vec<_> = selected.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["@odata.context", "displayName", "isArchived"]);

    let members = simulator.get(&format!("{path}/members")).json();
    assert_eq!(
        (&members["value"][0]["userId"], &members["value"][0]["roles"]),
        (&json!("ada"), &json!(["owner"]))
    );
    let channels = simulator.get(&format!("{path}/channels?$select=displayName")).json();
    let mut names: Vec<_> = channels["value"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["displayName"].clone())
        .collect();
    names.sort_by_key(ToString::to_string);
    assert_eq!(names, ["Engines", "General"]);
    assert_eq!(simulator.get(&format!("{path}/primaryChannel")).json()["displayName"], "General");
    let operations = simulator.get(&format!("{path}/operations")).json();
    assert_eq!(operations["value"][0]["operationType"], "createTeam");
    assert!(operations["value"][0].get("@odata.context").is_none());

    // An archive changes nothing but that.
    let archive = simulator.start(&format!("{path}/archive"), "");
    assert_eq!(simulator.status(&archive), "succeeded");
    let archived = simulator.get(&path).json();
    assert_eq!(
        (&archived["displayName"], &archived["isArchived"]),
        (&json!("Rockets"), &json!(true))
    );
    let teams = simulator.get("/v1.0/teams?$top=5&$select=displayName").json();
    assert_eq!(
        (&teams["@odata.count"], &teams["value"]),
        (&json!(1), &json!([{ "displayName": "Rockets" }]))
    );
    let group = simulator.get(&path.replace("teams", "groups")).json();
    assert_eq!(
        (&group["displayName"], &group["visibility"]),
        (&json!("Rockets"), &json!("public"))
    );
    assert_eq!(simulator.get("/v1.0/groups").json()["value"][0]["id"], group["id"]);
}

#[test]
fn a_clone_and_a_channel_are_read_back() {
    let simulator = strict();
    let path = team(&simulator, &json!({ "displayName": "a" }));
    let clone = json!({ "displayName": "b", "visibility": "public", "partsToClone": "apps" });
    let operation = simulator.start(&format!("{path}/clone"), &clone.to_string());
    let target = simulator.get(&operation).json()["targetResourceLocation"].clone();
    let read = simulator.get(&format!("/v1.0{}", target.as_str().unwrap())).json();
    assert_eq!((&read["displayName"], &read["visibility"]), (&json!("b"), &json!("public")));
    assert!(read.get("partsToClone").is_none());

    let channel = json!({ "displayName": "c", "description": "d", "membershipType": "private" });
    let created = simulator.post(&format!("{path}/channels"), &channel.to_string());
    assert_eq!(created.status, 201);
    let location = created.header("location").unwrap().strip_prefix(&simulator.origin()).unwrap();
    let read = simulator.get(location).json();
    for name in ["displayName", "description", "membershipType"] {
        assert_eq!(read[name], channel[name]);
    }
    assert_eq!(simulator.send("PATCH", location, r#"{"description":"e"}"#).status, 204);
    assert_eq!(simulator.get(location).json()["description"], "e");
    assert_eq!(simulator.send("DELETE", location, "").status, 204);
    assert_eq!(simulator.get(location).status, 404);
    let general = simulator.get(&format!("{path}/primaryChannel")).json();
    let general = format!("{path}/channels/{}", general["id"].as_str().unwrap());
    assert_eq!(simulator.send("DELETE", &general, "").status, 400);
}

#[test]
fn a_group_becomes_a_team_in_both_ways() {
    let simulator = strict();
    let group = json!({ "displayName": "G", "mailNickname": "g", "visibility": "private" });
    let mut ids = [(); 2].map(|()| {
        simulator.post("/v1.0/groups", &group.to_string()).json()["id"].as_str().unwrap().to_owned()
    });
    let made =
        simulator.send("PUT", &format!("/v1.0/groups/{}/team", ids[0]), r#"{"funSettings":{}}"#);
    assert_eq!((made.status, &made.json()["displayName"]), (201, &json!("G")));
    let bound = format!("https://graph.microsoft.com/v1.0/groups('{}')", ids[1]);
    let path = team(&simulator, &json!({ "group@odata.bind": bound }));
    assert!(path.contains(&ids[1]), "the team has its group's id");
    assert_eq!(simulator.get(&path).json()["displayName"], "G");
    let again = simulator.post("/v1.0/teams", &json!({ "group@odata.bind": bound }).to_string());
    assert_eq!((again.status, again.code().as_str()), (409, "Conflict"));
    let created = team(&simulator, &json!({ "displayName": "T" }));
    for id in [ids[0].as_str(), created.split('\'').nth(1).unwrap()] {
        let path = format!("/v1.0/groups/{id}/team");
        let again = simulator.send("PUT", &path, r#"{"funSettings":{}}"#);
        assert_eq!((again.status, again.code().as_str()), (409, "Conflict"), "{id}");
    }
    let unknown = json!({ "group@odata.bind": "https://graph.microsoft.com/v1.0/groups/none" });
    assert_eq!(simulator.post("/v1.0/teams", &unknown.to_string()).status, 404);
    assert_eq!(simulator.send("PUT", "/v1.0/groups/none/team", r#"{"a":1}"#).status, 404);
    ids[1].make_ascii_uppercase();
    assert_eq!(simulator.send("DELETE", &format!("/v1.0/groups/{}", ids[1]), "").status, 204);
    assert_eq!(
        [simulator.get(&path).status, simulator.post(&format!("{path}/archive"), "").status],
        [404, 404]
    );
}

#[test]
fn a_change_shows_in_the_team_and_in_its_group() {
    let simulator = strict();
    let path = team(&simulator, &json!({ "displayName": "a", "description": "kept" }));
    let group = path.replace("teams", "groups");
    for (changed, name, visibility) in [(&path, "b", "public"), (&group, "c", "private")] {
        let body = json!({ "displayName": name, "visibility": visibility });
        assert_eq!(simulator.send("PATCH", changed, &body.to_string()).status, 204);
        for read in [&path, &group] {
            let read = simulator.get(read).json();
            assert_eq!(read["displayName"], name);
            assert_eq!(read["visibility"], visibility);
            assert_eq!(read["description"], "kept");
        }
    }
    assert_eq!(simulator.send("PATCH", "/v1.0/teams/none", r#"{"displayName":"b"}"#).status, 404);
}

#[test]
fn a_deleted_team_is_unknown_even_where_any_id_is_a_teams() {
    let simulator = simulator();
    simulator.archive("a");
    assert_eq!(simulator.send("DELETE", "/v1.0/groups/A", "").status, 204);
    assert_eq!(simulator.post("/v1.0/teams/a/archive", "").status, 404);
    assert_eq!(simulator.get("/v1.0/teams/a").status, 404);
    simulator.archive("b");
}

#[test]
fn members_come_and_go() {
    let simulator = simulator();
    let path = team(&simulator, &json!({ "displayName": "a" }));
    let member =
        json!({ "roles": [], "user@odata.bind": "https://graph.microsoft.com/v1.0/users/bo" });
    let created = simulator.post(&format!("{path}/members"), &member.to_string());
    assert_eq!((created.status, &created.json()["userId"]), (201, &json!("bo")));
    let one = format!("{path}/members/{}", created.json()["id"].as_str().unwrap());
    assert_eq!(simulator.send("PATCH", &one, r#"{"roles":["owner"]}"#).status, 204);
    assert_eq!(simulator.get(&one).json()["roles"], json!(["owner"]));
    assert_eq!(simulator.send("DELETE", &one, "").status, 204);
    assert_eq!(simulator.get(&format!("{path}/members")).json()["value"], json!([]));
    assert_eq!(simulator.post(&format!("{path}/members"), r#"{"roles":[]}"#).status, 400);
}

#[test]
fn names_and_ids_are_read_without_regard_to_case() {
    let simulator = simulator();
    let path = team(&simulator, &json!({ "displayName": "a" }));
    assert_eq!(simulator.get(&path.to_uppercase().replace("/V1.0", "/v1.0")).status, 200);
    let operation = simulator.start(&format!("{path}/archive"), "");
    let shouted = operation.replace("/v1.0", "").to_uppercase();
    assert_eq!(simulator.status(&format!("/v1.0{shouted}")), "succeeded");
    assert_eq!(simulator.operations()[1].checks, 1);
    for scheme in ["bearer", "BEARER", "Bearer"] {
        let header = format!("Authorization: {scheme} t");
        assert_eq!(simulator.call("GET", &path, &[&header], "").status, 200);
    }
}

#[test]
fn bodies_have_to_be_declared_as_json() {
    let simulator = simulator();
    let token = "Authorization: Bearer t";
    let body = r#"{"displayName":"a"}"#;
    let unnamed = simulator.call("POST", "/v1.0/teams", &[token], body);
    assert_eq!((unnamed.status, unnamed.code().as_str()), (400, "BadRequest"));
    assert!(unnamed.text().contains("must contain the Content-Type header"));
    let text = simulator.call("POST", "/v1.0/teams", &[token, "Content-Type: text/plain"], body);
    assert_eq!((text.status, text.code().as_str()), (415, "UnsupportedMediaType"));
    let named = [token, "Content-Type: Application/JSON; charset=utf-8"];
    assert_eq!(simulator.call("POST", "/v1.0/teams", &named, body).status, 202);
    assert_eq!(simulator.call("PATCH", "/v1.0/teams/a", &[token], body).status, 400);
}

#[test]
fn empty_creations_are_refused() {
    let simulator = simulator();
    for path in [
        "/v1.0/teams",
        "/v1.0/teams/a/clone",
        "/v1.0/teams/a/channels",
        "/v1.0/chats",
        "/v1.0/groups",
    ] {
        for body in ["{}", ""] {
            assert_eq!(simulator.post(path, body).status, 400, "{path} {body}");
        }
    }
    assert!(simulator.operations().is_empty());
}

#[test]
fn an_unknown_team_is_not_found() {
    let simulator = strict();
    for path in ["archive", "unarchive", "clone", "channels", "channels/c/archive"] {
        let body = r#"{"displayName":"d"}"#;
        let reply = simulator.post(&format!("/v1.0/teams/none/{path}"), body);
        assert_eq!((reply.status, reply.code().as_str()), (404, "NotFound"), "{path}");
        let error = &reply.json()["error"];
        assert_eq!(error["message"], "No team found with Group Id none");
        assert_eq!(error["innerError"]["code"], "ItemNotFound");
    }
    let named = Simulator::spawn(Options::new().strict(true).team("T1")).unwrap();
    named.archive("t1");
    assert_eq!(named.get("/v1.0/teams/t1").json()["displayName"], "T1");
}

#[test]
fn the_channels_of_an_archived_team_stay_as_they_are() {
    let simulator = simulator();
    let archive = simulator.archive("a");
    simulator.status(&archive);
    for path in ["channels/c/archive", "channels/c/unarchive", "channels"] {
        let body = if path == "channels" { r#"{"displayName":"d"}"# } else { "" };
        let reply = simulator.post(&format!("/v1.0/teams/a/{path}"), body);
        assert_eq!(reply.status, 400);
        assert!(reply.text().contains("Team has to be active"), "{}", reply.text());
    }
    let unarchive = simulator.start("/v1.0/teams/a/unarchive", "");
    simulator.status(&unarchive);
    simulator.start("/v1.0/teams/a/channels/c/archive", "");
}

#[test]
fn errors_are_nested_and_in_the_order_of_the_wire() {
    let simulator = simulator();
    let order = |text: &str, names: &[&str]| {
        let positions: Vec<_> =
            names.iter().map(|name| text.find(&format!("\"{name}\":")).expect(name)).collect();
        assert!(positions.is_sorted(), "{text}");
    };
    let missing = simulator.get("/v1.0/teams/none");
    order(
        missing.text(),
        &["error", "code", "message", "innerError", "date", "request-id", "client-request-id"],
    );
    assert_eq!(missing.json()["error"]["innerError"]["innerError"], json!({}));
    let anonymous = simulator.call("GET", "/v1.0/teams/none", &[], "");
    order(anonymous.text(), &["error", "code", "message", "innerError", "date", "request-id"]);
    let challenge = anonymous.header("www-authenticate").unwrap();
    assert!(challenge.starts_with(r#"Bearer realm="", authorization_uri=""#), "{challenge}");
}

#[test]
fn an_accepted_answer_without_a_body_is_chunked() {
    let simulator = simulator();
    let reply = simulator.post("/v1.0/teams/a/archive", "");
    assert_eq!((reply.status, reply.header("transfer-encoding")), (202, Some("chunked")));
    assert_eq!((reply.header("content-length"), reply.text()), (None, ""));
}
