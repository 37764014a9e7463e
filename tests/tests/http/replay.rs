//! Recorded exchanges that the simulator replays end as recorded.

use std::path::PathBuf;

use graph_operation_tests::simulator::{Exchange, Options, Simulator};
use http::header::{HeaderValue, LOCATION};
use http::{Method, StatusCode};

use crate::client::Graph;

const ACCEPTED: &str = "/teams('0a1b')/operations('7c3f')";

/// An operation in the shape of a recorded one, with other content.
fn document(status: &str) -> String {
    format!(
        r#"{{"@odata.context":"https://graph.microsoft.com/v1.0/$metadata#teams('0a1b')/operations/$entity","id":"7c3f","operationType":"archiveTeam","createdDateTime":"2023-03-01T10:20:30.1234567Z","status":"{status}","lastActionDateTime":"2023-03-01T10:20:30.1234567Z","attemptsCount":1,"targetResourceId":"0a1b","targetResourceLocation":"/teams('0a1b')","Value":"{{\"Status\":0}}","error":null}}"#
    )
}

async fn replay(team: &str, location: &str, checks: Vec<String>) -> (String, u32) {
    let accepted =
        Exchange::new(Method::POST, format!("/teams/{team}/archive"), StatusCode::ACCEPTED)
            .header(LOCATION, HeaderValue::from_str(location).unwrap());
    let checks = checks
        .into_iter()
        .map(|body| Exchange::new(Method::GET, location, StatusCode::OK).body(body));
    let options = Options::new().replay(std::iter::once(accepted).chain(checks));
    let simulator = Simulator::start(options).await.unwrap();
    let mut operation = Graph::new(&simulator).archive_team(team).await.unwrap();
    let completed = operation.wait().await.unwrap();
    let status = completed.operation().unwrap().status.to_string();
    (status, operation.update().checks())
}

#[tokio::test]
async fn an_exchange_in_the_recorded_shape_ends_as_recorded() {
    let checks = ["inProgress", "inProgress", "inProgress", "succeeded"].map(document);
    let ended = replay("0a1b", ACCEPTED, checks.into()).await;
    assert_eq!(ended, ("succeeded".to_owned(), 4));
}

#[tokio::test]
async fn real_recordings_end_as_recorded() {
    let folder = std::env::var_os("GRAPH_OPERATION_CORPUS").map(PathBuf::from);
    let Some(folder) = folder.filter(|folder| folder.is_dir()) else {
        println!("skipped: GRAPH_OPERATION_CORPUS names no folder of recorded answers");
        return;
    };
    let headers = std::fs::read_to_string(folder.join("headers.tsv")).unwrap();
    let recorded: Vec<_> = headers
        .lines()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|row| row[0] == "POST /teams/{id}/archive" && row[5].starts_with("REAL"))
        .collect();
    assert_eq!(recorded.len(), 3);
    for (number, row) in (1..).zip(recorded) {
        let read = |status: &str| {
            let file = format!("teams_pnpcore_archiveTeam_{status}_{number}.json");
            std::fs::read_to_string(folder.join(file)).unwrap()
        };
        let checks = vec![read("inProgress"), read("inProgress"), read("succeeded")];
        let team = row[1].split('\'').nth(1).unwrap();
        assert_eq!(replay(team, row[1], checks).await, ("succeeded".to_owned(), 3));
    }
}
