use std::future::IntoFuture;

use graph_operation_tests::simulator::{Options, Simulator};

use crate::client::Graph;

#[tokio::test]
async fn every_check_goes_through_the_client_and_has_its_token() {
    let simulator = Simulator::start(Options::new()).await.unwrap();
    let graph = Graph::new(&simulator);
    graph.archive_team("a").await.unwrap().await.unwrap();
    let requests = simulator.requests();
    assert!(requests.len() > 2);
    assert!(requests.iter().all(|request| request.authorization.is_some()));
    let checks = requests.iter().filter(|request| request.method == http::Method::GET);
    assert!(
        checks
            .into_iter()
            .all(|check| check.prefer.as_deref() == Some("include-unknown-enum-members"))
    );
}

#[tokio::test]
async fn one_handle_type_serves_every_client_and_every_task() {
    let simulator = Simulator::start(Options::new()).await.unwrap();
    let graph = Graph::new(&simulator);
    let mut operations = Vec::new();
    for team in ["a", "b", "c"] {
        operations.push(graph.archive_team(team).await.unwrap());
    }
    let tasks: Vec<_> =
        operations.into_iter().map(|operation| tokio::spawn(operation.into_future())).collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}
