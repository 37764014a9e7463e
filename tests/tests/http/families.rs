//! Every family of operations, started and followed by the library: to success, to failure, and
//! without an end.

use std::pin::Pin;

use bytes::Bytes;
use graph_operation::{
    ConnectionOperation, DriveItemCopy, EngagementAsyncOperation, Error, ErrorKind,
    LongRunningOperation, Model, OnenoteOperation, Operation, PrintOperation, Result,
    RichLongRunningOperation, TeamsAsyncOperation, WorkbookOperation, async_operation,
};
use graph_operation_tests::simulator::{
    Behaviour, End, Failure, Fault, FaultPlan, Life, Monitor, MonitorEnd, MonitorHost, Occasion,
    Options, Origin, Simulator,
};
use http::Request;
use serde_json::{Value, json};

use crate::client::{Graph, TOKEN};

/// Where the result of an operation is.
#[derive(Clone, Copy)]
enum Target {
    /// At a location in the operation, or in the operation itself.
    InOperation,
    /// Below this path, under the id in the operation.
    Below(&'static str),
    /// Nowhere.
    None,
}

/// How a family's operation is started.
struct Family {
    method: &'static str,
    path: &'static str,
    body: Value,
    target: Target,
    run: fn(&Family, End) -> Ran<'_>,
}

/// The result's target, or why there is none.
type Ran<'a> = Pin<Box<dyn Future<Output = Result<Value>> + 'a>>;

fn families() -> Vec<Family> {
    fn family<M: Model>(path: &'static str, body: Value, target: Target) -> Family {
        let method = if path.ends_with("schema") { "PATCH" } else { "POST" };
        Family { method, path, body, target, run: |family, end| Box::pin(run::<M>(family, end)) }
    }
    let named = || json!({ "displayName": "Mechanics" });
    let copy = json!({ "name": "copy.txt", "parentReference": { "driveId": "e", "id": "f" } });
    let schema = json!({ "baseType": "microsoft.graph.externalItem", "properties": [] });
    vec![
        family::<TeamsAsyncOperation>("/v1.0/teams", named(), Target::InOperation),
        family::<EngagementAsyncOperation>(
            "/v1.0/employeeExperience/communities",
            named(),
            Target::InOperation,
        ),
        family::<RichLongRunningOperation>(
            "/v1.0/sites/s,1,2/contentTypes/addCopyFromContentTypeHub",
            json!({ "contentTypeId": "0x0101" }),
            Target::InOperation,
        ),
        family::<RichLongRunningOperation>("/beta/sites", named(), Target::InOperation),
        family::<LongRunningOperation>(
            "/v1.0/users/u/authentication/methods/m/resetPassword",
            json!({}),
            Target::InOperation,
        ),
        family::<ConnectionOperation>("/v1.0/external/connections/c/schema", schema, Target::None),
        family::<WorkbookOperation>(
            "/v1.0/me/drive/items/i/workbook/createSession",
            json!({ "persistChanges": true }),
            Target::InOperation,
        ),
        family::<WorkbookOperation>(
            "/v1.0/me/drive/items/i/workbook/tables/t/rows",
            json!({ "values": [[1, 2]] }),
            Target::InOperation,
        ),
        family::<PrintOperation>("/v1.0/print/printers/create", named(), Target::InOperation),
        family::<OnenoteOperation>(
            "/v1.0/me/onenote/notebooks/n/copyNotebook",
            json!({ "renameAs": "n" }),
            Target::InOperation,
        ),
        family::<DriveItemCopy>(
            "/v1.0/drives/d/items/i/copy",
            copy,
            Target::Below("/drives/e/items"),
        ),
    ]
}

#[async_operation(client = graph, model = M)]
async fn start<M: Model>(graph: &Graph, origin: &str, family: &Family) -> Result<Request<Bytes>> {
    Ok(Request::builder()
        .method(family.method)
        .uri(format!("{origin}{}", family.path))
        .header("content-type", "application/json")
        .header("prefer", "respond-async")
        .body(family.body.to_string().into())
        .unwrap())
}

/// Runs an operation to its end and reads its target. One without an end times out, and is resumed
/// after it has got one.
async fn run<M: Model>(family: &Family, end: End) -> Result<Value> {
    let life = Life::checks(1, 1).ending(end);
    let simulator = Simulator::start(Options::new().life(life)).await.unwrap();
    let graph = Graph::new(&simulator);
    let operation = start::<M>(&graph, &simulator.origin(), family).await?;
    let result = match operation.await {
        Ok(completed) => match family.target {
            Target::InOperation | Target::None => completed.target().await,
            Target::Below(path) => completed.target_at(|id| format!("{path}/{id}")).await,
        },
        Err(error) if error.kind() == ErrorKind::TimedOut => {
            let id = simulator.operations()[0].id.clone();
            simulator.set_behaviour(id, Behaviour::new().life(Life::default()));
            let resumed = Operation::resume_as::<M>(graph, error.resume_token().unwrap()).unwrap();
            resumed.await.unwrap();
            Err(error)
        }
        Err(error) => Err(error),
    };
    assert_token_only_at_the_service(&simulator);
    result
}

/// Fails if a monitor was sent the token, or the service a request without it.
fn assert_token_only_at_the_service(simulator: &Simulator) {
    for request in simulator.requests() {
        let expected = (request.origin == Origin::Service).then_some(TOKEN);
        assert_eq!(request.authorization.as_deref(), expected, "{}", request.path);
        assert!(!request.path.contains("of-great-value"), "{}", request.path);
    }
    assert!(simulator.foreign_requests().is_empty());
}

#[tokio::test]
async fn each_family_succeeds_and_its_target_can_be_read() {
    for family in families() {
        let result = (family.run)(&family, End::Succeeded).await;
        match (family.target, result) {
            (Target::None, Err(error)) => assert_eq!(error.kind(), ErrorKind::MissingLocation),
            (Target::InOperation | Target::Below(_), Ok(target)) => {
                assert!(target.is_object(), "{}: {target}", family.path);
            }
            (_, result) => panic!("{}: {result:?}", family.path),
        }
    }
}

#[tokio::test]
async fn each_family_fails_and_says_why() {
    for family in families() {
        let failure = Failure::Error { code: "WhyNot".into(), message: "It was not to be.".into() };
        let error = (family.run)(&family, End::Failed(failure)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed, "{}", family.path);
        assert_eq!(error.message(), Some("It was not to be."), "{}", family.path);
        let error = (family.run)(&family, End::Failed(Failure::Null)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Failed, "{}", family.path);
    }
}

#[tokio::test]
async fn each_family_times_out_and_can_be_resumed() {
    for family in families() {
        let error = (family.run)(&family, End::Never).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{}", family.path);
    }
}

/// Copies a file. The operation is also followed from a token that is taken in the middle.
async fn copy(monitor: Monitor, end: End, faults: FaultPlan) -> (Simulator, Result<(), Error>) {
    let life = Life::checks(1, 2).ending(end);
    let options = Options::new().life(life).monitor(monitor).faults(faults);
    let simulator = Simulator::start(options).await.unwrap();
    let graph = Graph::new(&simulator);
    let families = families();
    let family = families.iter().find(|family| family.path.ends_with("copy")).unwrap();
    let origin = simulator.origin();
    let mut operation = start::<DriveItemCopy>(&graph, &origin, family).await.unwrap();
    operation.poll().await.unwrap();
    operation.poll().await.unwrap();
    let token = operation.resume_token().unwrap();
    let resumed = Operation::resume_as::<DriveItemCopy>(graph, token).unwrap();
    // It sees the operation running once more, so that it can recognize a monitor that vanishes.
    let resumed = resumed.await.map(drop);
    let left = operation.await.map(drop);
    assert_eq!(
        left.as_ref().err().map(Error::kind),
        resumed.as_ref().err().map(Error::kind),
        "{left:?}, {resumed:?}"
    );
    (simulator, left)
}

#[tokio::test]
async fn a_copy_shows_its_token_to_no_monitor_however_it_ends() {
    let failed = End::Failed(Failure::default());
    for host in [MonitorHost::SharePoint, MonitorHost::Personal] {
        for (ending, end, expected) in [
            (MonitorEnd::Ok, End::Succeeded, None),
            (MonitorEnd::Accepted, End::Succeeded, None),
            (MonitorEnd::SeeOther, End::Succeeded, None),
            (MonitorEnd::SeeOtherBare, End::Succeeded, None),
            (MonitorEnd::ServerError, End::Succeeded, None),
            (MonitorEnd::Ok, failed.clone(), Some(ErrorKind::Failed)),
            (MonitorEnd::Accepted, failed.clone(), Some(ErrorKind::Failed)),
            (MonitorEnd::ServerError, failed.clone(), Some(ErrorKind::Failed)),
            (MonitorEnd::Vanished, End::Succeeded, Some(ErrorKind::Vanished)),
        ] {
            let monitor = Monitor::new().host(host).ending(ending);
            let (simulator, result) = copy(monitor, end, FaultPlan::new()).await;
            let kind = result.as_ref().err().map(Error::kind);
            assert_eq!(kind, expected, "{host:?}, {ending:?}: {result:?}");
            assert!(simulator.counts().monitors >= 3);
            assert_token_only_at_the_service(&simulator);
        }
    }
}

#[tokio::test]
async fn a_copy_shows_its_token_to_no_monitor_whatever_goes_wrong() {
    for fault in Fault::passing() {
        let faults = FaultPlan::new().nth(Occasion::Check, 3, fault.clone());
        let (simulator, result) = copy(Monitor::new(), End::Succeeded, faults).await;
        assert!(result.is_ok(), "{fault}: {result:?}");
        assert_token_only_at_the_service(&simulator);
    }
}
