//! `archive_district`, killed or interrupted while it runs, or out of space for its journal, and run again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use graph_operation_tests::simulator::{Life, Options, Simulator};

const TEAMS: usize = 100;

fn archive_district(simulator: &Simulator, journal: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_archive_district"));
    command.args(["--teams", &TEAMS.to_string(), "--rate", "50", "--service-root"]);
    command.arg(simulator.service_root()).arg("--journal").arg(journal);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// How many entries of each kind the journal has for each team.
fn entries(journal: &Path, kind: &str) -> HashMap<String, usize> {
    let mut teams = HashMap::new();
    for line in std::fs::read_to_string(journal).unwrap_or_default().split_inclusive('\n') {
        // As in the program, a line without a line break is incomplete.
        let Some(line) = line.strip_suffix('\n') else { continue };
        let (team, entry): (String, serde_json::Value) = serde_json::from_str(line).unwrap();
        if entry == kind || entry.get(kind).is_some() {
            *teams.entry(team).or_default() += 1;
        }
    }
    teams
}

struct Run {
    simulator: Simulator,
    journal: PathBuf,
}

impl Run {
    fn new(name: &str) -> Self {
        let simulator = Simulator::spawn(Options::new().life(Life::checks(1, 0))).unwrap();
        let name = format!("archive-district-{name}.jsonl");
        let journal = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_file(&journal);
        Run { simulator, journal }
    }

    fn command(&self) -> Command {
        archive_district(&self.simulator, &self.journal)
    }

    /// Runs until a few teams are archived.
    fn begun(&self) -> Child {
        let child = self.command().spawn().unwrap();
        let begun = Instant::now();
        while entries(&self.journal, "succeeded").len() < 3 {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing was archived");
            std::thread::sleep(Duration::from_millis(5));
        }
        child
    }

    /// Runs the program again after a run that did not finish. This one finishes.
    fn finish(self) {
        assert!(entries(&self.journal, "succeeded").len() < TEAMS);
        let accepted = entries(&self.journal, "accepted");
        let output = self.command().output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("100 of 100 teams were archived"), "{text}");
        assert!(output.status.success());
        let succeeded = entries(&self.journal, "succeeded");
        assert!(succeeded.len() == TEAMS && succeeded.values().all(|&count| count == 1));
        // Accepted operations are waited for, not started again.
        for (team, count) in entries(&self.journal, "starting") {
            assert!(count == 1 || !accepted.contains_key(&team), "{team}");
        }
        std::fs::remove_file(self.journal).unwrap();
    }
}

#[test]
fn a_run_that_was_killed_is_continued() {
    let run = Run::new("killed");
    let mut child = run.begun();
    child.kill().unwrap();
    child.wait().unwrap();
    run.finish();
}

#[cfg(unix)]
#[test]
fn ctrl_c_records_what_was_accepted() {
    let run = Run::new("interrupted");
    let child = run.begun();
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(
        text.contains("interrupted; run the same command again to continue from the journal"),
        "{text}"
    );
    assert_eq!(output.status.code(), Some(1));
    // If the response had arrived, the journal names the operation.
    let started = run.simulator.operations().len();
    assert!(entries(&run.journal, "accepted").len() + 4 >= started);
    run.finish();
}

/// A journal that cannot be written ends the run, and no team that was started is reported as not
/// started.
#[cfg(unix)]
#[test]
fn a_full_disk_ends_the_run() {
    for kilobytes in [4, 5, 6] {
        let run = Run::new("full");
        let limited = run.command();
        let mut shell = Command::new("bash");
        let limit = format!("trap '' XFSZ; ulimit -f {kilobytes}; exec \"$@\"");
        shell.args(["-c", &limit, "bash"]).arg(limited.get_program()).args(limited.get_args());
        let output = shell.output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("File too large"), "{text}");
        assert_eq!(output.status.code(), Some(1));
        assert!(entries(&run.journal, "failed").is_empty());
        let named = entries(&run.journal, "accepted").len();
        assert!(named > 0 && named <= run.simulator.operations().len());
        run.finish();
    }
}

#[test]
fn a_run_that_finds_everything_done_sends_nothing() {
    let run = Run::new("done");
    assert!(run.command().status().unwrap().success());
    let requests = run.simulator.requests().len();
    assert!(run.command().status().unwrap().success());
    assert_eq!(run.simulator.requests().len(), requests);
    std::fs::remove_file(run.journal).unwrap();
}

#[test]
fn at_the_real_service_a_token_is_needed() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_archive_district"));
    command.args(["--team-ids", "teams.txt", "--journal", "teams.jsonl"]);
    let output = command.env_remove("GRAPH_TOKEN").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("GRAPH_TOKEN"), "{text}");
    assert_eq!(output.status.code(), Some(1));
}
