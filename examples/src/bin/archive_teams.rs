//! Archives teams, all of them at once, and shows how far each one has come.

use std::error::Error;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use graph_operation::{BoxError, Operation, Polling};
use graph_operation_examples::{Graph, Line, Progress, Table};
use graph_operation_tests::simulator::{
    Behaviour, End, Failure, Fault, FaultPlan, Life, Occasion, Options, Simulator,
};

const AFTER_HELP: &str = "\
Without team ids, a simulator of Microsoft Graph is started on 127.0.0.1 and its teams are archived,
over real HTTP. Nothing leaves this machine.

With team ids, the teams are archived at the real service, at the pace that it documents:
  GRAPH_TOKEN=… archive_teams 02bd9fd6-8f93-4758-87c3-1fb73740a315 …
GRAPH_TOKEN is an access token with the permission TeamSettings.ReadWrite.All or
TeamSettings.ReadWrite.Group. It is sent to the service root and nowhere else.

The exit status is 0 if every team was archived, and 1 otherwise.";

/// Archives teams, all of them at once, and shows how far each one has come.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
struct Arguments {
    /// Teams to archive at the real service, with the token in GRAPH_TOKEN.
    #[arg(value_name = "TEAM_ID")]
    team_ids: Vec<String>,

    /// The service root at which the teams with these ids are archived.
    #[arg(long, value_name = "URL", default_value = "https://graph.microsoft.com/v1.0")]
    #[arg(requires = "team_ids")]
    service_root: String,

    /// How many teams the simulator has.
    #[arg(long, value_name = "N", default_value_t = 6, conflicts_with = "team_ids")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=200))]
    teams: u32,

    /// How many of the simulator's teams fail to be archived.
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "team_ids")]
    fail: u32,

    /// Makes every second response to a check faulty: throttling, outages, cut connections, HTML
    /// pages.
    #[arg(long, conflicts_with = "team_ids")]
    faults: bool,

    /// The least time between two checks of one of the simulator's operations.
    #[arg(long, value_name = "SECONDS", default_value = "0.2", conflicts_with = "team_ids")]
    #[arg(value_parser = seconds)]
    interval: Duration,
}

fn seconds(text: &str) -> Result<Duration, Box<dyn Error + Send + Sync>> {
    Ok(Duration::try_from_secs_f64(text.parse()?)?)
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = if arguments.team_ids.is_empty() {
        at_the_simulator(&arguments).await
    } else {
        at_the_service(arguments).await
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("archive_teams: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Archives teams at the real service.
async fn at_the_service(arguments: Arguments) -> Result<bool, BoxError> {
    let token = std::env::var("GRAPH_TOKEN").map_err(|error| format!("GRAPH_TOKEN: {error}"))?;
    let graph = Graph::new(&arguments.service_root, &token)?;
    println!("Microsoft Graph at {}", arguments.service_root);
    println!(
        "More than 30 s between two checks of one operation, as the service documents, and one \
         hour at most."
    );
    let teams = arguments.team_ids.into_iter().map(|id| Team { name: id.clone(), id });
    archive(graph, teams.collect(), Polling::default()).await
}

/// Archives the teams of a simulator.
async fn at_the_simulator(arguments: &Arguments) -> Result<bool, BoxError> {
    let teams: Vec<Team> = (0..arguments.teams).map(Team::simulated).collect();
    let simulator = Simulator::start(options(arguments, &teams)).await?;
    let graph = Graph::new(&simulator.service_root(), "a-token-for-the-simulator")?;
    println!("Simulated Microsoft Graph at {}", simulator.service_root());
    println!(
        "At least {:?} between two checks of one operation. The real service asks for more than 30 s;\n\
         this one is on your own machine, has no other users, and its operations end after a few\n\
         checks.",
        arguments.interval
    );
    let polling = Polling::default().first_check(arguments.interval).interval(arguments.interval);
    let all_archived = archive(graph, teams, polling).await?;
    if arguments.faults {
        let operations = simulator.operations();
        let faults: u64 = operations.iter().map(|operation| operation.faults).sum();
        let checks: u64 = operations.iter().map(|operation| operation.checks).sum();
        println!("{faults} of the simulator's {checks} responses to checks were faulty.");
    }
    simulator.stop().await;
    Ok(all_archived)
}

/// How the simulator's operations proceed: some take longer, and the first ones fail on demand.
fn options(arguments: &Arguments, teams: &[Team]) -> Options {
    let reasons = [
        Failure::default(),
        Failure::Error { code: "Forbidden".into(), message: "The team is locked.".into() },
        Failure::Null,
    ];
    let mut options = Options::new();
    for ((index, team), reason) in (0..).zip(teams).zip(reasons.into_iter().cycle()) {
        let mut life = Life::checks(1, 1 + index % 4);
        if index < arguments.fail {
            life = life.ending(End::Failed(reason));
        }
        let mut behaviour = Behaviour::new().life(life);
        if arguments.faults {
            let faults = Fault::passing().into_iter().cycle().skip(index as usize).take(16);
            behaviour = behaviour.faults(FaultPlan::new().every(Occasion::Check, 2, faults));
        }
        options = options.behaviour_of(&team.id, behaviour);
    }
    options
}

struct Team {
    id: String,
    name: String,
}

impl Team {
    fn simulated(index: u32) -> Self {
        let names = ["Sales", "Marketing", "Design", "Engineering", "Support", "Finance"];
        let name = names.get(index as usize).map(ToString::to_string);
        Self {
            id: format!("00000000-0000-0000-0000-{:012}", index + 1),
            name: name.unwrap_or_else(|| format!("Team {}", index + 1)),
        }
    }
}

/// Archives the teams, shows how each one ended, and returns whether all were archived.
async fn archive(graph: Graph, teams: Vec<Team>, polling: Polling) -> Result<bool, BoxError> {
    let began = Instant::now();
    let progress = Progress::new();
    let tasks = teams.into_iter().map(|team| {
        let line = progress.line(&team.name);
        tokio::spawn(archive_one(graph.clone(), team, polling, line))
    });
    let tasks: Vec<_> = tasks.collect();
    let mut reports = Vec::new();
    for task in tasks {
        reports.push(task.await?);
    }
    print(&reports, began.elapsed());
    Ok(reports.iter().all(|report| report.outcome.is_ok()))
}

/// How archiving one team ended.
struct Report {
    team: Team,
    outcome: graph_operation::Result<()>,
    checks: u32,
    time: Duration,
}

async fn archive_one(graph: Graph, team: Team, polling: Polling, line: Line) -> Report {
    let began = Instant::now();
    let (outcome, checks) = match graph.archive_team(&team.id).await {
        Ok(operation) => {
            let mut operation = operation.with_polling(polling);
            (follow(&mut operation, &line).await, operation.update().checks())
        }
        Err(error) => (Err(error), 0),
    };
    match &outcome {
        Ok(()) => line.end("archived"),
        Err(error) => line.end(error.kind()),
    }
    Report { team, outcome, checks, time: began.elapsed() }
}

/// Shows each check, and returns how the operation ended.
async fn follow(operation: &mut Operation, line: &Line) -> graph_operation::Result<()> {
    line.say("accepted");
    let mut updates = operation.updates();
    while let Some(update) = updates.next().await {
        line.show(&update?);
    }
    operation.wait().await?;
    Ok(())
}

fn print(reports: &[Report], time: Duration) {
    let mut table = Table::new(["TEAM", "OUTCOME", "CHECKS", "TIME"]);
    for Report { team, outcome, checks, time } in reports {
        let outcome = match outcome {
            Ok(()) => "archived".to_owned(),
            Err(error) => error.kind().to_string(),
        };
        let time = format!("{:.1} s", time.as_secs_f64());
        table.push([team.name.clone(), outcome, checks.to_string(), time]);
    }
    println!("\n{table}");

    let archived = reports.iter().filter(|report| report.outcome.is_ok()).count();
    let time = time.as_secs_f64();
    println!("{archived} of {} teams were archived, in {time:.1} s.", reports.len());
    for Report { team, outcome, .. } in reports {
        let Err(error) = outcome else { continue };
        println!("{}: {error:#}", team.name);
        if let Some(request_id) = error.request_id() {
            println!("  request-id, for Microsoft's support: {request_id}");
        }
        if let Some(token) = error.resume_token() {
            println!("  it may still be running; to wait for it again: {token}");
        }
    }
}
