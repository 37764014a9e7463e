//! `archive_district`, killed in mid-run and run again.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use graph_operation_tests::simulator::{Life, Options, Simulator};

const TEAMS: usize = 100;

fn archive_district(simulator: &Simulator, journal: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_archive_district"));
    command.args(["--teams", &TEAMS.to_string(), "--rate", "50", "--service-root"]);
    command.arg(simulator.service_root()).arg("--journal").arg(journal);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// How many entries of each kind the journal has for each team.
fn entries(journal: &Path, kind: &str) -> HashMap<String, usize> {
    let mut teams = HashMap::new();
    for line in std::fs::read_to_string(journal).unwrap_or_default().lines() {
        let Ok((team, entry)) = serde_json::from_str::<(String, serde_json::Value)>(line) else {
            continue; // Not written whole.
        };
        if entry == kind || entry.get(kind).is_some() {
            *teams.entry(team).or_default() += 1;
        }
    }
    teams
}

#[test]
fn a_run_that_was_killed_is_taken_up() {
    let simulator = Simulator::spawn(Options::new().life(Life::checks(1, 0))).unwrap();
    let journal = Path::new(env!("CARGO_TARGET_TMPDIR")).join("archive-district.jsonl");
    let _ = std::fs::remove_file(&journal);

    let mut first = archive_district(&simulator, &journal).spawn().unwrap();
    let begun = Instant::now();
    while entries(&journal, "succeeded").len() < 3 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing was archived");
        std::thread::sleep(Duration::from_millis(5));
    }
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(entries(&journal, "succeeded").len() < TEAMS);
    let accepted = entries(&journal, "accepted");

    let second = archive_district(&simulator, &journal).output().unwrap();
    let text = String::from_utf8(second.stdout).unwrap();
    assert!(text.contains("100 of 100 teams were archived"), "{text}");
    assert!(second.status.success());
    let succeeded = entries(&journal, "succeeded");
    assert!(succeeded.len() == TEAMS && succeeded.values().all(|&count| count == 1));
    // What was accepted is waited for, and not started again.
    for (team, count) in entries(&journal, "starting") {
        assert!(count == 1 || !accepted.contains_key(&team), "{team}");
    }
    // A run that finds everything done sends nothing.
    let sent = simulator.requests().len();
    assert!(archive_district(&simulator, &journal).status().unwrap().success());
    assert_eq!(simulator.requests().len(), sent);
    std::fs::remove_file(journal).unwrap();
}
