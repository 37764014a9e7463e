//! The programs that take no arguments, run as a user runs them.

use std::process::Command;

fn output_of(program: &str) -> String {
    let output = Command::new(program).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_blocking_client_sees_each_check() {
    let text = output_of(env!("CARGO_BIN_EXE_blocking_ureq"));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "accepted",
            "check 1: notStarted",
            "check 2: inProgress",
            "check 3: inProgress",
            "check 4: inProgress",
            "check 5: succeeded",
            "unarchived: /teams('00000000-0000-0000-0000-000000000001')",
        ]
    );
}

#[test]
fn a_community_and_a_connection_are_followed_by_their_own_models() {
    let text = output_of(env!("CARGO_BIN_EXE_engagement"));
    assert!(text.contains("check 2: running\ncheck 3: succeeded\nGardeners was created"), "{text}");
    assert!(text.ends_with("the schema of the connection was registered: completed\n"), "{text}");
}

#[test]
fn a_file_is_copied_without_showing_the_token() {
    let text = output_of(env!("CARGO_BIN_EXE_copy_file"));
    let percents = "check 1: 0 %\ncheck 2: 25 %\ncheck 3: 50 %\ncheck 4: 75 %\ncheck 5: 100 %\n";
    assert!(text.starts_with(percents), "{text}");
    assert!(text.contains("report-2025.docx was created with the id "), "{text}");
    assert!(text.ends_with("checks without the token: 5, with it: 0\n"), "{text}");
}

#[test]
fn a_team_is_created_and_read() {
    let text = output_of(env!("CARGO_BIN_EXE_create_team"));
    assert!(text.starts_with("accepted: /teams('"), "{text}");
    assert!(text.contains("Algebra was created with the id "), "{text}");
}
