//! Archives a team, and survives being killed: the next process resumes the wait.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use graph_operation::{BoxError, Operation, Polling, ResumeToken};
use graph_operation_examples::Graph;
use graph_operation_tests::simulator::{Life, Options, Simulator};

const AFTER_HELP: &str = "\
With a team id, the team is archived at the service root, with the token in GRAPH_TOKEN. As soon as
the service has accepted, a token that names the operation is kept in a file. If the process is
killed, the same command finds the file and continues to wait, without archiving the team again.

Without a team id, this is demonstrated: a simulator is started, this program as a second process,
which is killed in the middle of its wait, and again as a third, which waits for the end.";

/// Archives a team and survives being killed.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
struct Arguments {
    /// The team to archive.
    team_id: Option<String>,

    /// Where the service is.
    #[arg(long, value_name = "URL", default_value = "https://graph.microsoft.com/v1.0")]
    service_root: String,

    /// Where the token that names the operation is kept [default: archive-TEAM_ID.json].
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,

    /// The time between two checks, for a simulator; the real service asks for more than 30 s, which
    /// is the default.
    #[arg(long, value_name = "MILLISECONDS")]
    interval: Option<u64>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.team_id {
        Some(team_id) => archive(team_id, &arguments).await,
        None => tokio::task::block_in_place(demonstrate),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("resume: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn archive(team_id: &str, arguments: &Arguments) -> Result<(), BoxError> {
    let file = arguments.token_file.clone();
    let file = &file.unwrap_or_else(|| PathBuf::from(format!("archive-{team_id}.json")));
    let token = std::env::var("GRAPH_TOKEN").map_err(|error| format!("GRAPH_TOKEN: {error}"))?;
    let graph = Graph::new(&arguments.service_root, &token)?;

    let mut operation = if let Some(token) = kept(file)? {
        println!("resumed from {}", file.display());
        Operation::resume(graph, token)?
    } else {
        let operation = graph.archive_team(team_id).await?;
        if let Some(token) = operation.resume_token() {
            keep(file, &token)?;
            println!("accepted, and kept in {}", file.display());
        }
        operation
    };
    if let Some(interval) = arguments.interval.map(Duration::from_millis) {
        operation.set_polling(Polling::default().first_check(interval).interval(interval));
    }

    let outcome = follow(&mut operation).await;
    // If the operation may still be running, the error names it, and the file is kept.
    let alive = outcome.as_ref().is_err_and(|error| error.resume_token().is_some());
    if !alive {
        fs::remove_file(file).or_else(unless_missing)?;
    }
    outcome?;
    println!("archived");
    Ok(())
}

async fn follow(operation: &mut Operation) -> graph_operation::Result<()> {
    let mut updates = operation.updates();
    while let Some(update) = updates.next().await {
        let update = update?;
        if let Some(operation) = update.operation() {
            println!("check {}: {}", update.checks(), operation.status);
        }
    }
    operation.wait().await?;
    Ok(())
}

/// The token that an earlier process has left.
fn kept(file: &Path) -> Result<Option<ResumeToken>, BoxError> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(Some(text.parse()?)),
        Err(error) => Ok(unless_missing(error).map(|()| None)?),
    }
}

/// Writes the token whole or not at all, whenever the process is killed.
fn keep(file: &Path, token: &ResumeToken) -> std::io::Result<()> {
    let unfinished = file.with_extension("unfinished");
    fs::write(&unfinished, token.to_string())?;
    fs::rename(unfinished, file)
}

fn unless_missing(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

fn demonstrate() -> Result<(), BoxError> {
    let simulator = Simulator::spawn(Options::new().life(Life::checks(1, 8)))?;
    let file = std::env::temp_dir().join(format!("resume-token-{}.json", std::process::id()));
    let mut archive = Command::new(std::env::current_exe()?);
    archive
        .args(["00000000-0000-0000-0000-000000000001", "--interval", "200"])
        .arg("--service-root")
        .arg(simulator.service_root())
        .arg("--token-file")
        .arg(file)
        .env("GRAPH_TOKEN", "a-token-for-the-simulator");

    let mut first = archive.spawn()?;
    while simulator.operations().iter().all(|operation| operation.checks < 3) {
        if let Some(status) = first.try_wait()? {
            return Err(format!("the first process ended too early: {status}").into());
        }
        sleep(Duration::from_millis(20));
    }
    first.kill()?;
    println!("--- killed: {}", first.wait()?);

    let status = archive.status()?;
    println!("--- the second process: {status}");
    if status.success() { Ok(()) } else { Err("the operation was not resumed".into()) }
}
