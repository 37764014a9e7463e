//! The program that archives teams, run as a user runs it.

use std::process::{Command, Output};

use graph_operation_tests::simulator::{End, Life, Options, RetryAfter, Simulator};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_archive_teams"));
    command.args(arguments).env_remove("GRAPH_TOKEN");
    command
}

fn run(arguments: &[&str]) -> (Output, String) {
    let output = command(arguments).output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    (output, text)
}

/// How many rows of the table have this word as their outcome.
fn rows(text: &str, outcome: &str) -> usize {
    text.lines().filter(|line| line.split_whitespace().nth(1) == Some(outcome)).count()
}

#[test]
fn all_teams_are_archived_by_default() {
    let (output, text) = run(&[]);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(rows(&text, "archived"), 6, "{text}");
    assert!(text.contains("6 of 6 teams were archived"), "{text}");
    assert!(text.contains("200ms between two checks"), "the interval that is used: {text}");
    assert!(text.contains("more than 30 s"), "the interval of the real service: {text}");
}

#[test]
fn without_a_terminal_progress_is_shown_in_plain_lines() {
    let (output, _) = run(&["--teams", "1", "--interval", "0.001"]);
    let progress = String::from_utf8(output.stderr).unwrap();
    assert!(progress.contains("Sales: accepted\nSales: notStarted, check 1"), "{progress}");
    assert!(progress.ends_with("Sales: archived\n"), "{progress}");
    assert!(!progress.contains('\u{1b}'), "{progress}");
}

#[test]
fn teams_that_fail_are_shown_with_their_reasons() {
    let (output, text) = run(&["--fail", "2", "--interval", "0.001"]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert_eq!((rows(&text, "archived"), rows(&text, "failed")), (4, 2), "{text}");
    for reason in [
        "Sales: archiveTeam ended as failed: SiteLockFailed: The site behind the team",
        "Marketing: archiveTeam ended as failed: Forbidden: The team is locked.",
    ] {
        assert!(text.contains(reason), "{text}");
    }
}

#[test]
fn faults_delay_the_end_and_do_not_change_it() {
    let (output, text) = run(&["--faults", "--teams", "4", "--interval", "0.001"]);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(rows(&text, "archived"), 4, "{text}");
    let faulty = text.lines().last().unwrap_or_default();
    assert!(faulty.ends_with("responses to checks were faulty."), "{text}");
    assert!(!faulty.starts_with("0 "), "{text}");
}

#[test]
fn teams_that_are_named_are_archived_at_the_service_root_with_the_token_of_the_environment() {
    let options =
        Options::new().life(Life::new(End::Succeeded)).retry_after(RetryAfter::Seconds(0));
    let service = Simulator::spawn(options).unwrap();
    let root = service.service_root();
    let output = command(&["team-1", "team-2", "--service-root", &root])
        .env("GRAPH_TOKEN", "of-the-environment")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert_eq!(rows(&text, "archived"), 2, "{text}");
    assert!(!text.contains("of-the-environment"), "{text}");
    assert!(text.contains(&root) && text.contains("More than 30 s"), "{text}");

    let requests = service.requests();
    assert_eq!(requests.len(), 4, "two starts, two checks: {requests:?}");
    let token = Some("Bearer of-the-environment");
    assert!(requests.iter().all(|request| request.authorization.as_deref() == token));
}

#[test]
fn teams_that_are_named_need_a_token() {
    let (output, text) = run(&["team-1"]);
    assert_eq!((output.status.code(), text.as_str()), (Some(1), ""));
    assert!(String::from_utf8(output.stderr).unwrap().contains("GRAPH_TOKEN"));
}

#[test]
fn a_team_that_is_named_excludes_the_options_of_the_simulator() {
    for flag in [&["--fail", "1"][..], &["--teams", "1"], &["--faults"], &["--interval", "1"]] {
        let (output, _) = run(&[flag, &["team-1"]].concat());
        assert_eq!(output.status.code(), Some(2), "{flag:?}");
    }
}

#[test]
fn the_help_says_how_to_reach_the_real_service() {
    let (output, text) = run(&["--help"]);
    assert!(output.status.success());
    for word in ["GRAPH_TOKEN", "--teams", "--fail", "--faults", "--interval", "simulator"] {
        assert!(text.contains(word), "{word}: {text}");
    }
}
