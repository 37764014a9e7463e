//! The program, run as a user runs it.

use std::process::Command;

#[test]
fn a_team_is_archived_through_the_sdk() {
    let output = Command::new(env!("CARGO_BIN_EXE_graph_rs")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("check 5: succeeded\narchived: /teams("), "{text}");
}
