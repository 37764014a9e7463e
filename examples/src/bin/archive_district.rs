//! Archives the teams of a school district with one `OperationSet`, and survives being killed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use graph_operation::{BoxError, OperationSet, Polling};
use graph_operation_examples::{Entry, Graph, Journal};
use graph_operation_tests::simulator::{Life, Options, Simulator};
use indicatif::{ProgressBar, ProgressStyle};

/// Archives many teams, and resumes an earlier run that used the same journal.
///
/// The exit status is 0 if every team was archived, and 1 otherwise.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many teams there are.
    #[arg(long, value_name = "N", default_value_t = 500)]
    teams: u32,

    /// The file that records what was started and what has ended [default: a new file].
    #[arg(long, value_name = "PATH")]
    journal: Option<PathBuf>,

    /// How many checks and starts a second there are; Graph allows 30.
    #[arg(long, value_name = "N", default_value_t = 400)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,

    /// A simulator that runs already [default: one is started].
    #[arg(long, value_name = "URL")]
    service_root: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("archive_district: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<bool, BoxError> {
    let mut simulator = None;
    let service_root = if let Some(service_root) = arguments.service_root {
        service_root
    } else {
        let options = Options::new().life(Life::checks(1, 0)).rate(arguments.rate);
        simulator.insert(Simulator::start(options).await?).service_root()
    };
    let journal = arguments.journal.unwrap_or_else(|| {
        std::env::temp_dir().join(format!("archive-district-{}.jsonl", std::process::id()))
    });
    println!("The journal is {}", journal.display());
    let graph = Graph::new(&service_root, "a-token-for-the-simulator")?;
    let teams = (1..=arguments.teams).map(|index| format!("00000000-0000-0000-0000-{index:012}"));
    archive(&graph, teams.collect(), &journal, arguments.rate).await
}

/// Archives the teams that the journal does not name as ended, and says whether all were archived.
async fn archive(
    graph: &Graph,
    teams: Vec<String>,
    journal: &Path,
    rate: u32,
) -> Result<bool, BoxError> {
    let (journal, mut entries) = Journal::open(journal)?;
    let journal = Arc::new(journal);
    // For the simulator; the default is what the real service asks for.
    let interval = Duration::from_secs(1);
    let polling = Polling::default().first_check(interval).interval(interval);

    let mut set = OperationSet::new(graph.clone()).rate(rate).polling(polling);
    for team in &teams {
        match entries.get(team) {
            Some(Entry::Succeeded | Entry::Failed(_)) => {}
            Some(Entry::Accepted(token)) => set.resume(team.clone(), token.clone())?,
            // Whether a start without a token was carried out is not known. To archive a team twice
            // does no harm, so it is started again.
            Some(Entry::Starting) | None => {
                let (graph, journal, team) = (graph.clone(), Arc::clone(&journal), team.clone());
                set.start(team.clone(), async move {
                    journal.write(&team, &Entry::Starting)?;
                    let operation = graph.archive_team(&team).await?;
                    if let Some(token) = operation.resume_token() {
                        journal.write(&team, &Entry::Accepted(token))?;
                    }
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
        let (team, result) = tokio::select! {
            ended = set.next() => match ended {
                Some(ended) => ended,
                None => break,
            },
            // The journal has every token from when its operation was accepted.
            _ = &mut interrupt => {
                return Err("interrupted; the same command with this journal goes on".into());
            }
        };
        let entry = match result {
            Ok(_) => Entry::Succeeded,
            // It still runs, and the next run waits for it again.
            Err(error) if error.resume_token().is_some() => {
                unended.push(format!("{team}: {error:#}"));
                continue;
            }
            Err(error) => Entry::Failed(format!("{error:#}")),
        };
        journal.write(&team, &entry)?;
        entries.insert(team, entry);
        bar.inc(1);
    }
    bar.finish();

    let archived = teams.iter().filter(|team| matches!(entries.get(*team), Some(Entry::Succeeded)));
    let archived = archived.count();
    println!("{archived} of {} teams were archived.", teams.len());
    for team in &teams {
        if let Some(Entry::Failed(reason)) = entries.get(team) {
            println!("{team}: {reason}");
        }
    }
    for reason in unended {
        println!("{reason}");
    }
    Ok(archived == teams.len())
}
