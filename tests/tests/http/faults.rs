//! Every fault that the simulator knows, one after the other.

use std::time::Duration;

use graph_operation::{ErrorKind, Polling};
use graph_operation_tests::simulator::{
    End, Failure, Fault, FaultPlan, Life, Occasion, Options, RetryAfter, Simulator,
};

use crate::client::{Graph, New, TOKEN};

const INTERVAL: Duration = Duration::from_secs(30);

/// What a fault of a check leads to.
fn outcome(fault: &Fault) -> Option<ErrorKind> {
    match fault {
        Fault::Unauthorized => Some(ErrorKind::Rejected),
        Fault::Redirect => Some(ErrorKind::ForeignLocation),
        _ => None,
    }
}

#[tokio::test]
async fn each_fault_of_a_check_ends_as_it_should() {
    for fault in Fault::all() {
        // Once at the first check, and in between.
        let faults = FaultPlan::new().nth(Occasion::Check, 1, fault.clone()).nth(
            Occasion::Check,
            3,
            fault.clone(),
        );
        let options = Options::new().life(Life::checks(1, 2)).faults(faults);
        let simulator = Simulator::start(options).await.unwrap();
        let graph = Graph::new(&simulator);
        let mut operation = graph.archive_team("a").await.unwrap();
        // A `Retry-After` may be as long as the default deadline.
        operation.set_polling(Polling::default().no_timeout());
        let result = operation.wait().await;
        assert_eq!(
            result.as_ref().err().map(graph_operation::Error::kind),
            outcome(&fault),
            "{fault}: {result:?}"
        );
        if let Err(error) = result {
            // The fault is over, and the handle continues.
            assert_eq!(error.resume_token(), operation.resume_token());
            while operation.wait().await.is_err() {}
        }
        graph.clock().assert_policy(&simulator.service_root().parse().unwrap(), INTERVAL);
        assert!(simulator.foreign_requests().is_empty(), "{fault}");
    }
}

#[tokio::test]
async fn each_fault_of_a_start_is_an_error_or_an_operation() {
    for fault in Fault::all() {
        let faults = FaultPlan::new().sequence(Occasion::Start, [fault.clone()]);
        let simulator = Simulator::start(Options::new().faults(faults)).await.unwrap();
        let graph = Graph::new(&simulator);
        match graph.archive_team("a").await {
            // The request was accepted, whatever else was wrong with the answer.
            Ok(operation) => drop(operation.await.unwrap()),
            Err(error) => {
                let kind = error.kind();
                let expected = match fault {
                    Fault::Redirect => ErrorKind::NotAccepted,
                    Fault::Close | Fault::Cut => ErrorKind::Transport,
                    Fault::EndlessBody => ErrorKind::Decode,
                    _ => ErrorKind::Rejected,
                };
                assert_eq!(kind, expected, "{fault}: {error:#}");
            }
        }
        assert!(simulator.foreign_requests().is_empty(), "{fault}");
    }
}

#[tokio::test]
async fn each_fault_of_a_target_ends_as_it_should() {
    let team = New { display_name: "Mechanics", membership_type: None };
    for fault in Fault::all() {
        let faults = FaultPlan::new().sequence(Occasion::Target, [fault.clone()]);
        let simulator = Simulator::start(Options::new().faults(faults)).await.unwrap();
        let mut operation = Graph::new(&simulator).create_team(&team).await.unwrap();
        let result = operation.target().await;
        let kind = result.as_ref().err().map(graph_operation::Error::kind);
        let expected = match fault {
            // The latter asks for more than patience; the next call waits for it.
            Fault::Unauthorized | Fault::Throttle(RetryAfter::Huge) => Some(ErrorKind::Rejected),
            Fault::Redirect => Some(ErrorKind::ForeignLocation),
            // JSON that is not a team; whether to ask again is the caller's decision.
            Fault::WrongType | Fault::WrongMembers => Some(ErrorKind::Decode),
            _ => None,
        };
        assert_eq!(kind, expected, "{fault}: {result:?}");
        if kind.is_some() {
            operation.target().await.unwrap();
        }
        assert!(simulator.foreign_requests().is_empty(), "{fault}");
    }
}

#[tokio::test]
async fn a_client_that_follows_redirects_is_detected() {
    let faults = FaultPlan::new().sequence(Occasion::Check, [Fault::Redirect]);
    let simulator = Simulator::start(Options::new().faults(faults)).await.unwrap();
    let graph = Graph::with_redirects(&simulator, reqwest::redirect::Policy::default());
    let error = graph.archive_team("a").await.unwrap().await.unwrap_err();
    // What the foreign origin said, that the operation has succeeded, is not believed.
    assert_eq!(error.kind(), ErrorKind::ForeignLocation);
    assert!(error.to_string().contains("follow no redirects"), "{error}");
    assert!(!simulator.foreign_requests().is_empty());
    assert!(simulator.foreign_requests().iter().all(|request| request.authorization.is_none()));
}

#[tokio::test]
async fn a_retry_after_is_obeyed_in_each_form() {
    for form in RetryAfter::all() {
        let faults = FaultPlan::new().sequence(Occasion::Check, [Fault::Throttle(form.clone())]);
        let simulator = Simulator::start(Options::new().faults(faults)).await.unwrap();
        let graph = Graph::new(&simulator);
        let mut operation = graph.archive_team("a").await.unwrap();
        operation.set_polling(Polling::default().no_timeout());
        let error = operation.poll().await.unwrap_err();
        assert_eq!(
            (error.kind(), error.status().map(|s| s.as_u16())),
            (ErrorKind::Rejected, Some(429))
        );
        let next = operation.update().next_check().unwrap();
        let asked = error.retry_after().unwrap_or_default();
        assert!(next >= asked.max(INTERVAL), "{form:?}: {next:?}");
        match form {
            RetryAfter::Absent | RetryAfter::Negative | RetryAfter::Garbage => {
                assert!(asked.is_zero());
            }
            RetryAfter::Huge => assert_eq!(asked, Duration::from_secs(3_600)),
            _ => assert!(!asked.is_zero(), "{form:?}"),
        }
    }
}

#[tokio::test]
async fn a_service_that_stays_down_ends_the_wait() {
    let faults = FaultPlan::new().every(Occasion::Check, 1, [Fault::ServiceUnavailable]);
    let simulator = Simulator::start(Options::new().faults(faults)).await.unwrap();
    let graph = Graph::new(&simulator);
    let error = graph.archive_team("a").await.unwrap().await.unwrap_err();
    assert_eq!((error.kind(), error.checks()), (ErrorKind::Rejected, Some(11)));
    assert!(error.is_retryable());
}

#[tokio::test]
async fn a_response_that_never_comes_does_not_block_the_caller() {
    let slow = Fault::Slow(Duration::from_secs(600));
    let faults = FaultPlan::new().every(Occasion::Check, 1, [slow]);
    let options = Options::new().life(Life::new(End::Never)).faults(faults);
    let simulator = Simulator::start(options).await.unwrap();
    let graph = Graph::new(&simulator);
    let operation = graph.archive_team("a").await.unwrap();
    let polling = Polling::default().timeout(Duration::from_secs(1));
    let error = operation.with_polling(polling).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
}

#[tokio::test]
async fn faults_in_a_fifth_of_the_responses_change_no_outcome() {
    let faults = FaultPlan::new().random(Occasion::Check, 0.3, Fault::passing());
    let options = Options::new().life(Life::checks(1, 3)).faults(faults).fail_first(10).seed(7);
    let simulator = Simulator::start(options).await.unwrap();
    let graph = Graph::new(&simulator);
    let mut failed = 0;
    for team in 0..100 {
        let operation = graph.archive_team(&format!("team-{team}")).await.unwrap();
        match operation.await {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Failed => failed += 1,
            Err(error) => panic!("{error:#}"),
        }
    }
    assert_eq!(failed, 10);
    let operations = simulator.operations();
    assert!(operations.iter().map(|operation| operation.faults).sum::<u64>() > 50);
    assert!(operations.iter().all(|operation| operation.ends == 1));
}

#[tokio::test]
async fn no_error_shows_the_token() {
    for fault in Fault::all() {
        let faults = FaultPlan::new().every(Occasion::Check, 1, [fault.clone()]);
        let options =
            Options::new().life(Life::new(End::Failed(Failure::default()))).faults(faults);
        let simulator = Simulator::start(options).await.unwrap();
        let mut operation = Graph::new(&simulator).archive_team("a").await.unwrap();
        if let Err(error) = operation.poll().await {
            let shown =
                format!("{error} {error:#} {error:?} {operation:?} {:?}", error.resume_token());
            assert!(!shown.contains(TOKEN) && !shown.contains("of-great-value"), "{shown}");
        }
    }
}
