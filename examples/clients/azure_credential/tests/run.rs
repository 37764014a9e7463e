//! The program, run as a user runs it.

use std::process::Command;

#[test]
fn a_wait_lasts_longer_than_its_tokens() {
    let output = Command::new(env!("CARGO_BIN_EXE_azure_credential")).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let last = text.lines().last().unwrap_or_default();
    // One request to start with, eleven checks of at least a tenth of a second each.
    let tokens =
        last.strip_prefix("12 requests came with ").and_then(|rest| rest.split(' ').next());
    assert!(tokens.and_then(|tokens| tokens.parse().ok()).is_some_and(|n: u32| n >= 4), "{text}");
}
