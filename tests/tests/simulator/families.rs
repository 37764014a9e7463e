//! Graph's other families: each from its start to a success, to a failure, and without an end.

use graph_operation_tests::simulator::{End, Failure, Life, Options, Phase, Simulator, Span};
use serde_json::{Value, json};

use super::http::{Calls as _, Reply};

/// How a family's operation is started, and what its documents say.
struct Family {
    name: &'static str,
    method: &'static str,
    path: &'static str,
    /// The body, which is sent with `Prefer: respond-async`.
    body: Value,
    header: &'static str,
    /// What the path of the operation begins with.
    home: &'static str,
    words: [&'static str; 4],
    /// Where the status is.
    status: &'static str,
    /// Where the failure's text is.
    text: &'static str,
    /// Where a success says what it was about, and whether that is an address to read.
    target: Option<(&'static str, bool)>,
}

#[expect(clippy::too_many_lines, reason = "a table")]
fn families() -> Vec<Family> {
    let usual = ["notStarted", "running", "succeeded", "failed"];
    vec![
        Family {
            name: "engagement",
            method: "POST",
            path: "/v1.0/employeeExperience/communities",
            body: json!({ "displayName": "Bees" }),
            header: "location",
            home: "/v1.0/employeeExperience/engagementAsyncOperations('",
            words: usual,
            status: "/status",
            text: "/statusDetail",
            target: Some(("/resourceId", false)),
        },
        Family {
            name: "rich",
            method: "POST",
            path: "/v1.0/sites/s,1,2/contentTypes/addCopyFromContentTypeHub",
            body: json!({ "contentTypeId": "0x0101" }),
            header: "location",
            home: "/v1.0/sites/s,1,2/operations/contentTypeCopy,0x0101",
            words: usual,
            status: "/status",
            text: "/error/message",
            target: Some(("/resourceLocation", true)),
        },
        Family {
            name: "rich: a site",
            method: "POST",
            path: "/beta/sites",
            body: json!({ "displayName": "s" }),
            header: "location",
            home: "/beta/sites/getOperationStatus(operationId='",
            words: usual,
            status: "/status",
            text: "/error/message",
            target: Some(("/resourceLocation", true)),
        },
        Family {
            name: "long-running",
            method: "POST",
            path: "/v1.0/users/u/authentication/methods/m/resetPassword",
            body: Value::Null,
            header: "location",
            home: "/v1.0/users/u/authentication/operations/",
            words: usual,
            status: "/status",
            text: "/statusDetail",
            target: Some(("/resourceLocation", true)),
        },
        Family {
            name: "connection",
            method: "PATCH",
            path: "/v1.0/external/connections/c/schema",
            body: json!({ "baseType": "microsoft.graph.externalItem", "properties": [] }),
            header: "location",
            home: "/v1.0/external/connections/c/operations/",
            words: ["unspecified", "inprogress", "completed", "failed"],
            status: "/status",
            text: "/error/message",
            target: None,
        },
        Family {
            name: "workbook: a session",
            method: "POST",
            path: "/v1.0/me/drive/items/i/workbook/createSession",
            body: json!({ "persistChanges": true }),
            header: "location",
            home: "/v1.0/me/drive/items/i/workbook/operations/",
            words: usual,
            status: "/status",
            text: "/error/innerError/innerError/message",
            target: Some(("/resourceLocation", true)),
        },
        Family {
            name: "workbook: a row",
            method: "POST",
            path: "/v1.0/me/drive/items/i/workbook/tables/t/rows",
            body: json!({ "values": [[1, 2]] }),
            header: "location",
            home: "/v1.0/me/drive/items/i/workbook/operations/",
            words: usual,
            status: "/status",
            text: "/error/innerError/innerError/message",
            target: Some(("/resourceLocation", true)),
        },
        Family {
            name: "print",
            method: "POST",
            path: "/v1.0/print/printers/create",
            body: json!({ "displayName": "p" }),
            header: "operation-location",
            home: "/v1.0/print/operations/",
            words: usual,
            status: "/status/state",
            text: "/status/description",
            target: Some(("/printer/id", false)),
        },
        Family {
            name: "OneNote",
            method: "POST",
            path: "/v1.0/me/onenote/notebooks/n/copyNotebook",
            body: json!({ "renameAs": "n" }),
            header: "operation-location",
            home: "/v1.0/me/onenote/operations/copy-",
            words: ["NotStarted", "Running", "Completed", "Failed"],
            status: "/status",
            text: "/error/message",
            target: Some(("/resourceLocation", true)),
        },
    ]
}

impl Family {
    fn start(&self, simulator: &Simulator) -> (Reply, String) {
        let body = if self.body.is_null() { String::new() } else { self.body.to_string() };
        let headers =
            ["Authorization: Bearer t", "Content-Type: application/json", "Prefer: respond-async"];
        let reply = simulator.call(self.method, self.path, &headers, &body);
        assert_eq!(reply.status, 202, "{}: {}", self.name, reply.text());
        let location = reply.header(self.header).unwrap().to_owned();
        let path = location.strip_prefix(&simulator.origin()).unwrap().to_owned();
        assert!(path.starts_with(self.home), "{}: {path}", self.name);
        (reply, path)
    }

    fn run(&self, end: End) -> Vec<Value> {
        let life = Life::new(end)
            .then(Phase::NotStarted, Span::Checks(1))
            .then(Phase::InProgress, Span::Checks(1));
        let simulator = Simulator::spawn(Options::new().life(life)).unwrap();
        let (_, path) = self.start(&simulator);
        (0..4).map(|_| simulator.get(&path).json()).collect()
    }

    fn words(&self, documents: &[Value]) -> Vec<String> {
        let word =
            |document: &Value| document.pointer(self.status).unwrap().as_str().unwrap().to_owned();
        documents.iter().map(word).collect()
    }
}

#[test]
fn each_family_runs_to_success() {
    for family in families() {
        let simulator = Simulator::spawn(Options::new()).unwrap();
        let (_, path) = family.start(&simulator);
        let documents: Vec<_> = (0..4).map(|_| simulator.get(&path).json()).collect();
        let [not_started, running, succeeded, _] = family.words;
        assert_eq!(
            family.words(&documents),
            [not_started, running, succeeded, succeeded],
            "{}",
            family.name
        );
        let report = &simulator.operations()[0];
        assert_eq!(
            (report.checks, report.ends, report.last_status.as_deref()),
            (4, 2, Some(succeeded))
        );
        if let Some((pointer, is_address)) = family.target {
            let target = documents[2].pointer(pointer).unwrap().as_str().unwrap();
            if is_address {
                let path = target.strip_prefix(&simulator.origin()).unwrap();
                let read = simulator.get(path);
                assert_eq!(read.status, 200, "{}: {path}", family.name);
            }
        }
    }
}

#[test]
fn each_family_runs_to_a_failure_that_says_why() {
    for family in families() {
        let failure = Failure::Error { code: "WhyNot".into(), message: "It was not to be.".into() };
        let documents = family.run(End::Failed(failure));
        let [.., failed] = family.words;
        assert_eq!(family.words(&documents)[2..], [failed, failed], "{}", family.name);
        let text = documents[2].pointer(family.text);
        assert_eq!(text, Some(&json!("It was not to be.")), "{}: {}", family.name, documents[2]);
        // Without a reason it is a failure as well.
        let documents = family.run(End::Failed(Failure::Null));
        assert_eq!(family.words(&documents)[2], failed, "{}", family.name);
        let text = documents[2].pointer(family.text);
        assert_ne!(text, Some(&json!("It was not to be.")), "{}", family.name);
    }
}

#[test]
fn each_family_may_never_end() {
    for family in families() {
        let documents = family.run(End::Never);
        let [_, running, ..] = family.words;
        assert_eq!(family.words(&documents)[1..], [running; 3], "{}", family.name);
        if let Some((pointer, _)) = family.target.filter(|_| family.name != "long-running") {
            assert!(documents[3].pointer(pointer).is_none_or(Value::is_null), "{}", family.name);
        }
    }
}

#[test]
fn a_new_password_is_only_in_the_starting_answer() {
    let simulator = Simulator::spawn(Options::new()).unwrap();
    let path = "/v1.0/users/u/authentication/methods/m/resetPassword";
    let generated = simulator.post(path, "");
    assert_eq!(generated.status, 202);
    assert!(generated.header("content-type").unwrap().starts_with("application/json"));
    let password = generated.json()["newPassword"].as_str().unwrap().to_owned();
    let location = generated.header("location").unwrap();
    let operation = location.strip_prefix(&simulator.origin()).unwrap();
    for _ in 0..3 {
        assert!(!simulator.get(operation).text().contains(&password));
    }
    let succeeded = simulator.get(operation).json();
    assert_eq!(succeeded["statusDetail"], "ResetSuccess");
    let (bare, query) = operation.split_once('?').unwrap();
    assert_eq!(query, "aadgdc=LOOP1P&aadgsu=ssprprod-a");
    assert_eq!(simulator.get(bare).status, 400, "the query leads to the data centre");
    let given = simulator.post(path, r#"{"newPassword":"given"}"#);
    assert_eq!((given.status, given.text()), (202, "{}"));
}

#[test]
fn a_tables_operation_has_its_session_in_the_query() {
    let simulator = Simulator::spawn(Options::new()).unwrap();
    let families = families();
    let row = families.iter().find(|family| family.name == "workbook: a row").unwrap();
    let (reply, path) = row.start(&simulator);
    assert_eq!(reply.text(), "{}");
    let (bare, query) = path.split_once("?sessionId=").unwrap();
    assert!(query.ends_with("=="), "{query}");
    assert_eq!(simulator.get(bare).status, 400);
    assert_eq!(simulator.get(&path.replace("==", "%3D%3D")).status, 200);
    let location = [(); 3].map(|()| simulator.get(&path).json())[2]["resourceLocation"].clone();
    assert!(location.as_str().unwrap().contains("/tableRowOperationResult(key='"));
    let without = ["Authorization: Bearer t", "Content-Type: application/json"];
    let at_once = simulator.call("POST", row.path, &without, &row.body.to_string());
    assert_eq!(at_once.status, 201, "nobody asked for an operation");
}

#[test]
fn a_printer_is_embedded_in_its_operation() {
    let simulator = Simulator::spawn(Options::new()).unwrap();
    let families = families();
    let print = families.iter().find(|family| family.name == "print").unwrap();
    let (reply, path) = print.start(&simulator);
    assert_eq!((reply.header("retry-after"), reply.header("location")), (Some("5"), None));
    let documents = [(); 3].map(|()| simulator.get(&path).json());
    assert_eq!(documents[1].get("printer"), None);
    let printer = &documents[2]["printer"];
    assert_eq!(
        (&printer["displayName"], &printer["status"]["state"]),
        (&json!("p"), &json!("unknown"))
    );
    let id = printer["id"].as_str().unwrap();
    assert_eq!(simulator.get(&format!("/v1.0/print/printers/{id}")).json()["displayName"], "p");
}

#[test]
fn onenote_shows_its_progress_as_text() {
    let life = "not-started=1,in-progress=3,succeeded".parse().unwrap();
    let simulator = Simulator::spawn(Options::new().life(life)).unwrap();
    let families = families();
    let onenote = families.iter().find(|family| family.name == "OneNote").unwrap();
    let (_, path) = onenote.start(&simulator);
    let progress = [(); 5].map(|()| simulator.get(&path).json()["percentComplete"].clone());
    assert_eq!(progress, [json!("0"), json!("25"), json!("50"), json!("75"), Value::Null]);
}

#[test]
fn what_no_family_starts_is_refused() {
    let simulator = Simulator::spawn(Options::new()).unwrap();
    for (path, status) in [
        ("/v1.0/sites", 405),
        ("/v1.0/sites/s/contentTypes/addCopyFromContentTypeHub", 400),
        ("/v1.0/print/printers/create", 400),
        ("/v1.0/me/drive/items/i/workbook/tables/t/rows", 400),
        ("/v1.0/employeeExperience/communities", 400),
    ] {
        assert_eq!(simulator.post(path, r#"{"unknown":1}"#).status, status, "{path}");
    }
}
