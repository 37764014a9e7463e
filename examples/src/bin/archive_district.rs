//! Archives the teams of a school district with one `OperationSet`, and survives being killed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use graph_operation::{BoxError, ErrorKind, OperationSet, Polling, SetEvent};
use graph_operation_examples::{Entry, Graph, Journal};
use graph_operation_tests::simulator::{Life, Options, Simulator};
use indicatif::{ProgressBar, ProgressStyle};

const AFTER_HELP: &str = "\
Without --team-ids, a simulator of Microsoft Graph is started on 127.0.0.1 and its teams are archived,
over real HTTP. Nothing leaves this machine.

With --team-ids, the teams are archived at the real service, at the pace that it documents:
  GRAPH_TOKEN=… archive_district --team-ids teams.txt --journal teams.jsonl
GRAPH_TOKEN is an access token with the permission TeamSettings.ReadWrite.All. It is sent to the service
root and nowhere else. When it has expired, run the same command with a new one.

The exit status is 0 if every team was archived, and 1 otherwise.";

/// Archives many teams, and resumes an earlier run that used the same journal.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
struct Arguments {
    /// A file with the ids of the teams to archive at the real service, one per line.
    #[arg(long, value_name = "PATH", requires = "journal", conflicts_with = "teams")]
    team_ids: Option<PathBuf>,

    /// How many teams the simulator has.
    #[arg(long, value_name = "N", default_value_t = 500)]
    teams: u32,

    /// The file that records what was started and what has ended [default: a new file].
    #[arg(long, value_name = "PATH")]
    journal: Option<PathBuf>,

    /// The limit on checks and starts per second [default: 20, or 400 with the simulator]; Graph
    /// allows 30.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,

    /// The service root, or that of a running simulator [default: the real service's, or a
    /// simulator is started].
    #[arg(long, value_name = "URL")]
    service_root: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match &arguments.team_ids {
        Some(team_ids) => at_the_service(team_ids, &arguments).await,
        None => at_the_simulator(&arguments).await,
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("archive_district: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Archives teams at the real service.
async fn at_the_service(team_ids: &Path, arguments: &Arguments) -> Result<bool, BoxError> {
    let token = std::env::var("GRAPH_TOKEN").map_err(|error| format!("GRAPH_TOKEN: {error}"))?;
    let service_root = arguments.service_root.as_deref();
    let graph = Graph::new(service_root.unwrap_or("https://graph.microsoft.com/v1.0"), &token)?;
    let text = std::fs::read_to_string(team_ids)?;
    let teams = text.lines().map(str::trim).filter(|id| !id.is_empty()).map(str::to_owned);
    let set = OperationSet::new(graph.clone()).rate(arguments.rate.unwrap_or(20));
    archive(&graph, set, teams.collect(), arguments.journal.clone(), Polling::default()).await
}

/// Archives teams at a simulator.
async fn at_the_simulator(arguments: &Arguments) -> Result<bool, BoxError> {
    let rate = arguments.rate.unwrap_or(400);
    let mut simulator = None;
    let service_root = if let Some(service_root) = &arguments.service_root {
        service_root.clone()
    } else {
        let options = Options::new().life(Life::checks(1, 0)).rate(rate);
        simulator.insert(Simulator::start(options).await?).service_root()
    };
    let graph = Graph::new(&service_root, "a-token-for-the-simulator")?;
    let teams = (1..=arguments.teams).map(|index| format!("00000000-0000-0000-0000-{index:012}"));
    let interval = Duration::from_secs(1);
    let polling = Polling::default().first_check(interval).interval(interval);
    let set = OperationSet::new(graph.clone()).rate(rate);
    archive(&graph, set, teams.collect(), arguments.journal.clone(), polling).await
}

/// Archives the teams whose end is not in the journal, and returns whether all were archived.
async fn archive(
    graph: &Graph,
    set: OperationSet<String>,
    teams: Vec<String>,
    journal: Option<PathBuf>,
    polling: Polling,
) -> Result<bool, BoxError> {
    let journal = journal.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("archive-district-{}.jsonl", std::process::id()))
    });
    println!("The journal is {}", journal.display());
    let (journal, mut entries) = Journal::open(&journal)?;
    let journal = Arc::new(journal);

    let mut set = set.polling(polling);
    for team in &teams {
        match entries.get(team) {
            Some(Entry::Succeeded | Entry::Failed(_)) => {}
            Some(Entry::Accepted(token)) => set.resume(team.clone(), token.clone())?,
            // A start without a token may have been carried out. Archiving a team twice does no
            // harm, so it is started again.
            Some(Entry::Starting) | None => {
                let (graph, journal, team) = (graph.clone(), Arc::clone(&journal), team.clone());
                set.start(team.clone(), async move {
                    journal.write(&team, &Entry::Starting)?;
                    let operation = graph.archive_team(&team).await?;
                    Ok::<_, BoxError>(operation.with_polling(polling))
                })?;
            }
        }
    }

    let style = "{wide_bar} {pos} of {len}, {per_sec}, {eta} left";
    let bar = ProgressBar::new(teams.len() as u64).with_style(ProgressStyle::with_template(style)?);
    bar.set_position((teams.len() - set.len()) as u64);
    bar.reset_eta();
    let interrupt = tokio::signal::ctrl_c();
    tokio::pin!(interrupt);
    let mut unended = Vec::new();
    loop {
        let event = tokio::select! {
            event = set.next_event() => event,
            _ = &mut interrupt => {
                write_accepted(&set, &journal, &entries)?;
                return Err("interrupted; run the same command again to continue from the journal".into());
            }
        };
        let (team, entry) = match event {
            None => break,
            Some(SetEvent::Started(team)) => match set.token(&team) {
                Some(token) => (team, Entry::Accepted(token)),
                None => continue, // The service finished at once.
            },
            Some(SetEvent::Ended(team, result)) => {
                bar.inc(1);
                match result {
                    Ok(_) => (team, Entry::Succeeded),
                    // It is still running, and the next run waits for it again.
                    Err(error) if error.resume_token().is_some() => {
                        unended.push(format!("{team}: {error:#}"));
                        continue;
                    }
                    // The journal could not be written, so nothing more is started.
                    Err(error) if error.kind() == ErrorKind::NotStarted => {
                        write_accepted(&set, &journal, &entries)?;
                        return Err(format!("{error:#}").into());
                    }
                    Err(error) => (team, Entry::Failed(format!("{error:#}"))),
                }
            }
            Some(_) => continue,
        };
        journal.write(&team, &entry)?;
        entries.insert(team, entry);
    }
    bar.finish();
    Ok(report(&teams, &entries, &unended))
}

/// Records the operations that were accepted, but whose start has not been reported yet.
fn write_accepted(
    set: &OperationSet<String>,
    journal: &Journal,
    entries: &HashMap<String, Entry>,
) -> std::io::Result<()> {
    for (team, token) in set.tokens() {
        if !matches!(entries.get(team), Some(Entry::Accepted(_))) {
            journal.write(team, &Entry::Accepted(token))?;
        }
    }
    Ok(())
}

/// Prints the results of the teams, and returns whether all were archived.
fn report(teams: &[String], entries: &HashMap<String, Entry>, unended: &[String]) -> bool {
    let archived = teams.iter().filter(|team| matches!(entries.get(*team), Some(Entry::Succeeded)));
    let archived = archived.count();
    println!("{archived} of {} teams were archived.", teams.len());
    for team in teams {
        if let Some(Entry::Failed(reason)) = entries.get(team) {
            println!("{team}: {reason}");
        }
    }
    for reason in unended {
        println!("{reason}");
    }
    archived == teams.len()
}
