//! A process that is killed while it waits, and another that resumes.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use graph_operation_tests::simulator::{Behaviour, End, Life, Occasion, Options, Simulator};

fn process(service: &Simulator, token_file: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_resume"));
    command
        .args(["team-1", "--interval", "10", "--service-root", &service.service_root()])
        .arg("--token-file")
        .arg(token_file)
        .env("GRAPH_TOKEN", "of-the-environment")
        .stdout(Stdio::piped());
    command
}

/// The file in which a test keeps its token; at first it does not exist.
fn token_file(test: &str) -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}.json"));
    let _ = std::fs::remove_file(&file);
    file
}

/// Waits until the operation was checked so many times, by a process that is still running.
fn checked(service: &Simulator, times: u64, process: &mut Child) {
    while service.operations().iter().all(|operation| operation.checks < times) {
        assert_eq!(process.try_wait().unwrap(), None, "the process has ended");
        sleep(Duration::from_millis(5));
    }
}

fn starts(service: &Simulator) -> usize {
    let requests = service.requests();
    requests.iter().filter(|request| request.occasion == Some(Occasion::Start)).count()
}

#[test]
fn a_second_process_finishes_the_wait_of_a_killed_one() {
    let service = Simulator::spawn(Options::new().life(Life::new(End::Never))).unwrap();
    let token_file = token_file("killed");

    let mut first = process(&service, &token_file).spawn().unwrap();
    checked(&service, 3, &mut first);
    first.kill().unwrap();
    assert_eq!(first.wait().unwrap().code(), None, "killed, not ended");
    let token = std::fs::read_to_string(&token_file).unwrap();
    assert!(!token.contains("of-the-environment"), "{token}");

    // The operation continues without anybody who waits for it.
    let operations = service.operations();
    let [operation] = operations.as_slice() else { panic!("{operations:?}") };
    service.set_behaviour(&operation.id, Behaviour::new().life(Life::checks(0, 2)));

    let second = process(&service, &token_file).output().unwrap();
    let text = String::from_utf8(second.stdout).unwrap();
    assert!(second.status.success(), "{text}");
    assert!(text.starts_with("resumed from "), "{text}");
    assert!(text.ends_with("check 3: succeeded\narchived\n"), "{text}");
    assert_eq!(starts(&service), 1, "the team was archived once");
    assert_eq!(service.operations().len(), 1);
    assert!(!token_file.exists(), "an operation that has ended needs no token");
}

#[test]
fn a_token_for_another_service_is_refused_before_any_request() {
    let [here, elsewhere] =
        [(); 2].map(|()| Simulator::spawn(Options::new().life(Life::new(End::Never))).unwrap());
    let token_file = token_file("elsewhere");

    let mut first = process(&elsewhere, &token_file).spawn().unwrap();
    checked(&elsewhere, 1, &mut first);
    first.kill().unwrap();
    first.wait().unwrap();

    let second = process(&here, &token_file).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let text = String::from_utf8(second.stderr).unwrap();
    assert!(text.contains("another service root"), "{text}");
    assert_eq!(here.requests().len(), 0);
    assert!(token_file.exists(), "the operation still runs elsewhere");
}

#[test]
fn without_a_team_the_program_demonstrates_itself() {
    let output = Command::new(env!("CARGO_BIN_EXE_resume")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert!(text.contains("--- killed") && text.contains("\narchived\n"), "{text}");
}
