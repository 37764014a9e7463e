//! The simulator's documents compared with published and recorded ones.

use std::{fmt, fs, path::Path};

use graph_operation_tests::simulator::{End, Life, Options, Simulator};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};

use super::http::Calls as _;

/// The names of an object's properties, in their order.
struct Names(Vec<String>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some((name, IgnoredAny)) = map.next_entry()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

/// Starts an operation that succeeds at once, and returns the names in its document.
fn shown(method: &str, path: &str, body: &str) -> Vec<String> {
    let simulator = Simulator::spawn(Options::new().life(Life::new(End::Succeeded))).unwrap();
    let headers =
        ["Authorization: Bearer t", "Content-Type: application/json", "Prefer: respond-async"];
    let started = simulator.call(method, path, &headers, body);
    assert_eq!(started.status, 202, "{}", started.text());
    let location = started.header("location").or(started.header("operation-location")).unwrap();
    let document = if let Some(path) = location.strip_prefix(&simulator.monitor_origin()) {
        simulator.monitor_origin().call("GET", path, &[], "")
    } else {
        let path = location.strip_prefix(&simulator.origin());
        simulator.get(&path.map_or_else(|| format!("/v1.0{location}"), str::to_owned))
    };
    serde_json::from_slice::<Names>(&document.body).unwrap().0
}

/// The simulator's documents have all properties of the published ones, in the same order.
#[test]
fn properties_are_in_the_order_of_published_documents() {
    let Some(corpus) = std::env::var_os("GRAPH_OPERATION_CORPUS") else {
        eprintln!("skipped: GRAPH_OPERATION_CORPUS names no folder of recorded answers");
        return;
    };
    for (file, method, path, body) in [
        ("teams_pnpcore_archiveTeam_succeeded_1", "POST", "/v1.0/teams/a/archive", ""),
        (
            "lro_engagementAsyncOperation_docs_succeeded",
            "POST",
            "/v1.0/employeeExperience/communities",
            r#"{"displayName":"c"}"#,
        ),
        (
            "lro_richLongRunningOperation_recorded_succeeded_1",
            "POST",
            "/v1.0/sites/s/contentTypes/addCopyFromContentTypeHub",
            r#"{"contentTypeId":"0x01"}"#,
        ),
        (
            "lro_longRunningOperation_docs_succeeded_beta",
            "POST",
            "/v1.0/users/u/authentication/methods/m/resetPassword",
            "",
        ),
        (
            "lro_workbookOperation_docs_succeeded",
            "POST",
            "/v1.0/me/drive/items/i/workbook/createSession",
            r#"{"persistChanges":true}"#,
        ),
        (
            "lro_printOperation_docs_succeeded",
            "POST",
            "/v1.0/print/printers/create",
            r#"{"displayName":"p"}"#,
        ),
        (
            "lro_onenoteOperation_docs_placeholder",
            "POST",
            "/v1.0/me/onenote/notebooks/n/copyNotebook",
            "",
        ),
        (
            "lro_driveItemCopy_cli_completed",
            "POST",
            "/v1.0/drives/d/items/i/copy",
            r#"{"name":"n"}"#,
        ),
    ] {
        let published = fs::read(Path::new(&corpus).join(format!("{file}.json"))).unwrap();
        let published = serde_json::from_slice::<Names>(&published).unwrap().0;
        let mut shown = shown(method, path, body);
        shown.retain(|name| published.contains(name));
        assert_eq!(shown, published, "{file}");
    }
}
