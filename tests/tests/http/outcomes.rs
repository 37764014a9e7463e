//! Every kind of operation, started and followed to its end.

use std::time::Duration;

use graph_operation::ErrorKind;
use graph_operation_tests::simulator::{
    Behaviour, End, Failure, Life, LocationForm, Options, Phase, Simulator, Span,
};
use serde_json::json;

use crate::client::{Graph, New};

const INTERVAL: Duration = Duration::from_secs(30);

const TEAM: New<'_> = New { display_name: "Mechanics", membership_type: None };

#[tokio::test]
async fn every_annotated_function_succeeds() {
    let simulator = Simulator::start(Options::new().readable_after(Span::Checks(2))).await.unwrap();
    let graph = Graph::new(&simulator);

    let done = graph.archive_team("a").await.unwrap().await.unwrap();
    assert_eq!(done.operation().unwrap().operation_type.as_str(), "archiveTeam");
    graph.unarchive_team("a").await.unwrap().await.unwrap();

    let team = graph.create_team(&TEAM).await.unwrap().target().await.unwrap();
    assert_eq!(team.display_name.as_deref(), Some("Mechanics"));
    let copy = graph.clone_team(&team.id, &TEAM).await.unwrap().target().await.unwrap();
    assert_ne!(copy.id, team.id);

    let done = graph.archive_channel(&team.id, "general").await.unwrap().await.unwrap();
    // A member that was added later is seen because the check asks for it.
    assert_eq!(done.operation().unwrap().operation_type.as_str(), "archiveChannel");

    let standard = New { display_name: "Standard", membership_type: Some("standard") };
    let mut finished = graph.create_channel(&team.id, &standard).await.unwrap();
    assert_eq!(finished.location(), None);
    assert_eq!(finished.target().await.unwrap().display_name.as_deref(), Some("Standard"));

    let shared = New { display_name: "Shared", membership_type: Some("shared") };
    let mut started = graph.create_channel(&team.id, &shared).await.unwrap();
    assert!(started.location().is_some());
    assert_eq!(started.target().await.unwrap().display_name.as_deref(), Some("Shared"));

    let community = graph.create_community(&TEAM).await.unwrap().target().await.unwrap();
    assert_eq!(community.display_name.as_deref(), Some("Mechanics"));

    graph.clock().assert_policy(&simulator.service_root().parse().unwrap(), INTERVAL);
    assert!(simulator.foreign_requests().is_empty());
}

#[tokio::test]
async fn a_method_of_another_version_is_followed_there() {
    let simulator = Simulator::start(Options::new()).await.unwrap();
    let graph = Graph::new(&simulator);
    let chat = json!({ "chatType": "group", "installedApps": [{ "teamsApp@odata.bind": "x" }] });
    let mut operation = graph.create_chat(&chat).await.unwrap();
    let location = operation.location().unwrap().to_string();
    assert!(location.starts_with(&simulator.beta_root()), "{location}");
    operation.wait().await.unwrap();
    let checks = simulator.requests();
    assert!(checks.iter().all(|request| request.path.starts_with("/beta/")));
}

#[tokio::test]
async fn every_form_of_location_is_followed_or_refused() {
    for form in LocationForm::all() {
        let simulator = Simulator::start(Options::new().location(form.clone())).await.unwrap();
        let graph = Graph::new(&simulator);
        let outcome = match graph.archive_team("a").await {
            Ok(operation) => operation.await.map(drop),
            Err(error) => Err(error),
        };
        let expected = match &form {
            form if form.is_usable() => None,
            LocationForm::Missing => Some(ErrorKind::MissingLocation),
            LocationForm::ForeignHost
            | LocationForm::ForeignSchemeless
            | LocationForm::ForeignUserInfo
            | LocationForm::ForeignScheme => Some(ErrorKind::ForeignLocation),
            // A resource that is not an operation: it responds, but without a status.
            LocationForm::NoOperation => Some(ErrorKind::Decode),
            _ => Some(ErrorKind::InvalidLocation),
        };
        assert_eq!(outcome.map_err(|error| error.kind()).err(), expected, "{form:?}");
        assert!(simulator.foreign_requests().is_empty(), "{form:?}");
    }
}

#[tokio::test]
async fn failures_say_why() {
    let failed = |failure| Options::new().life(Life::new(End::Failed(failure)));
    for (options, code, message) in [
        (
            failed(Failure::Error { code: "TeamUnavailable".into(), message: "Gone.".into() }),
            Some("TeamUnavailable"),
            Some("Gone."),
        ),
        (failed(Failure::Null), None, None),
        (
            failed(Failure::Text("An error has occurred".into())),
            None,
            Some("An error has occurred"),
        ),
        (Options::new().life(Life::new(End::Invalid)), None, None),
    ] {
        let simulator = Simulator::start(options).await.unwrap();
        let operation = Graph::new(&simulator).archive_team("a").await.unwrap();
        let error = operation.await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed);
        assert_eq!((error.code(), error.message()), (code, message));
        assert!(error.request_id().is_some() && error.date().is_some());
    }
}

#[tokio::test]
async fn operations_with_odd_lives_are_followed_to_their_end() {
    let life = Life::new(End::Succeeded)
        .then(Phase::Missing, Span::Checks(1))
        .then(Phase::NotStarted, Span::Checks(1))
        .then(Phase::EmptyStatus, Span::Checks(2))
        .then(Phase::InProgress, Span::Checks(1))
        .then(Phase::Retried, Span::Checks(1))
        .then(Phase::Other("brandNew".into()), Span::Checks(1));
    let simulator = Simulator::start(Options::new().life(life)).await.unwrap();
    let graph = Graph::new(&simulator);
    let mut operation = graph.create_team(&TEAM).await.unwrap();
    let mut retried = 0;
    let mut progress = None;
    let mut updates = operation.updates();
    while let Some(update) = updates.next().await {
        let update = update.unwrap();
        retried += u32::from(update.is_retried());
        progress = update.progress().or(progress);
    }
    assert_eq!(retried, 1);
    assert!(progress.is_some_and(|progress| progress.done() == progress.total()));
}

#[tokio::test]
async fn an_operation_that_never_ends_times_out() {
    let simulator = Simulator::start(Options::new().life(Life::new(End::Never))).await.unwrap();
    let graph = Graph::new(&simulator);
    let error = graph.archive_team("a").await.unwrap().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let (last, deadline) = (graph.clock().elapsed(), Duration::from_secs(3_600));
    assert!(last <= deadline && last >= Duration::from_secs(3_597), "{last:?}");

    // Resumed, it can still end.
    let token = error.resume_token().unwrap();
    let id = simulator.operations()[0].id.clone();
    simulator.set_behaviour(id, Behaviour::new().life(Life::new(End::Succeeded)));
    graph_operation::Operation::resume(graph, token).unwrap().await.unwrap();
}

#[tokio::test]
async fn a_status_that_reqwest_turned_into_an_error_is_a_rejection() {
    let simulator = Simulator::start(Options::new()).await.unwrap();
    let url = format!("{}/teams/a/archive", simulator.service_root());
    let response = reqwest::Client::new().post(url).send().await.unwrap();
    let error = graph_operation::Error::from(response.error_for_status().unwrap_err());
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Rejected, false));
    assert_eq!(error.status().map(|status| status.as_u16()), Some(401));
    assert!(!format!("{error:#} {error:?}").contains("/teams/a/archive"));
}

#[tokio::test]
async fn a_rejected_request_starts_nothing() {
    let simulator = Simulator::start(Options::new()).await.unwrap();
    let mut root = simulator.service_root();
    root.truncate(root.len() - "/v1.0".len());
    let graph = Graph::new(&simulator);
    let response =
        reqwest::Client::new().post(format!("{root}/teams/a/archive")).send().await.unwrap();
    let error = graph_operation::Operation::from_response(graph, response).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    assert_eq!(error.message(), Some("Invalid version."));
}
