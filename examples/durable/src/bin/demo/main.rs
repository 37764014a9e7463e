//! Archives many teams through a durable engine, and kills the worker and the engine during the
//! run.

mod measure;
mod stage;

use std::collections::HashMap;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use clap::{Parser, Subcommand};
use graph_operation::Polling;
use graph_operation_durable::{Operation, Tenant};
use graph_operation_examples::Graph;
use graph_operation_tests::simulator::{Life, OperationReport, Options, Simulator};
use restate_sdk::prelude::{Endpoint, HttpServer};
use serde_json::Value;
use tokio::time::sleep;

use self::measure::Measure;
use self::stage::{Pace, Stage, TOKEN, files};

const PATIENCE: Duration = Duration::from_secs(300);

/// The number of operations in one tenant's set.
const TOGETHER: usize = 100;

/// Archives many teams through a durable engine. The engine and the worker are killed during the
/// run.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many teams.
    #[arg(long, default_value_t = 1_000)]
    operations: usize,

    #[command(subcommand)]
    role: Option<Role>,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// Measures what waiting operations cost.
    Measure(Measure),
    /// Runs the worker; the demonstration starts it. The token is in GRAPH_TOKEN.
    Worker {
        port: u16,
        service_root: String,
        #[command(flatten)]
        pace: Pace,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let work = async {
        match arguments.role {
            Some(Role::Worker { port, service_root, pace }) => {
                work(port, &service_root, pace).await
            }
            Some(Role::Measure(measure)) => measure::run(&measure).await,
            None => demonstrate(arguments.operations).await,
        }
    };
    // Dropping the future kills the processes that it has started.
    let result = tokio::select! {
        result = work => result,
        () = interrupted() => Err(anyhow!("interrupted")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Completes at Ctrl-C or SIGTERM.
async fn interrupted() {
    #[cfg(unix)]
    let terminated = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signals) => drop(signals.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

async fn work(port: u16, service_root: &str, pace: Pace) -> Result<()> {
    let graph = Graph::new(service_root, &std::env::var("GRAPH_TOKEN")?);
    let graph = graph.map_err(|error| anyhow!(error))?;
    let polling = Polling::default().interval(Duration::from_secs(pace.interval));
    let polling = polling.first_check(Duration::from_secs(2));
    let tenant = Tenant { graph: graph.clone(), polling, rate: pace.rate };
    let endpoint = Endpoint::builder().bind(Operation { graph, polling }).bind(tenant).build();
    HttpServer::new(endpoint).listen_and_serve(([127, 0, 0, 1], port).into()).await;
    Ok(())
}

async fn demonstrate(operations: usize) -> Result<()> {
    let life = Life::elapsed(Duration::from_secs(4), Duration::from_secs(26));
    let simulator = Simulator::spawn(Options::new().life(life))?;
    let pace = Pace { interval: 8, rate: 30 };
    let mut stage = Stage::new(simulator.service_root(), pace).await?;
    let result = run(&stage, &simulator, pace, operations).await;
    if result.is_err() {
        stage.keep_folder();
    }
    result
}

/// The operations that have ended once, with their own team as the target.
async fn ended(stage: &Stage, teams: &[String]) -> Result<(usize, usize)> {
    let rows = stage.query(
        "SELECT service_key, value_utf8 AS kept FROM state WHERE service_name = 'Operation'",
    );
    let mut kept = HashMap::new();
    for row in rows.await? {
        let text = row["kept"].as_str().unwrap_or_default();
        let key = row["service_key"].as_str().unwrap_or_default().to_owned();
        kept.insert(key, serde_json::from_str::<Value>(text)?);
    }
    let (mut right, mut in_all) = (0, 0);
    for team in teams {
        let Some(kept) = kept.get(team) else { continue };
        in_all += usize::from(kept["ends"] != 0);
        right += usize::from(kept["ends"] == 1 && kept["status"]["succeeded"] == **team);
    }
    Ok((right, in_all))
}

async fn run(stage: &Stage, simulator: &Simulator, pace: Pace, operations: usize) -> Result<()> {
    let start = Instant::now();
    let mut server = stage.start_server()?;
    let mut worker = stage.start_worker()?;
    stage.register().await?;
    let teams: Vec<String> = (0..operations).map(|team| format!("team-{team}")).collect();
    let (alone, together) = teams.split_at(operations / 2);
    println!("submitting {operations} operations, half of them to the sets of tenants");
    let tenants: Vec<_> = together.chunks(TOGETHER).collect();
    for at in 0..2 {
        for (number, teams) in tenants.iter().enumerate() {
            let (first, second) = teams.split_at(teams.len() / 2);
            let teams = if at == 0 { first } else { second };
            stage.submit_to(&format!("tenant-{number}"), teams).await?;
        }
        let (first, second) = alone.split_at(alone.len() / 2);
        stage.submit(if at == 0 { first } else { second }).await?;
        if at == 0 {
            println!("killing the worker during the starts");
            drop(worker);
            worker = stage.start_worker()?;
        }
    }
    sleep(Duration::from_secs(5)).await;
    println!("killing the worker during the checks");
    drop(worker);
    let _worker = stage.start_worker()?;
    sleep(Duration::from_secs(5)).await;
    println!("killing the server");
    drop(server);
    server = stage.start_server()?;
    while ended(stage, &teams).await?.1 < operations && start.elapsed() < PATIENCE {
        sleep(Duration::from_secs(2)).await;
    }
    // Gives an operation that ends twice time to do so.
    sleep(Duration::from_secs(2)).await;
    let (right_alone, right_together) =
        (ended(stage, alone).await?.0, ended(stage, together).await?.0);
    drop(server);
    let mut holds_token = false;
    for file in files(&stage.data())? {
        let text = fs::read(file)?;
        holds_token |= text.windows(TOKEN.len()).any(|part| part == TOKEN.as_bytes());
    }

    let (one, other) = (Seen::of(simulator, alone), Seen::of(simulator, together));
    let counts = simulator.counts();
    let row = |name: &str, one: &str, other: &str| println!("{name:22}{one:>12}{other:>12}");
    let numbers = |name: &str, one: usize, other: usize| {
        row(name, &one.to_string(), &other.to_string());
    };
    let closest = |seen: &Seen| seen.closest.map_or("none".to_owned(), |gap| format!("{gap:.3?}"));
    row("", "alone", "in sets");
    numbers("operations", alone.len(), together.len());
    numbers("ended as expected", right_alone, right_together);
    numbers("checks", one.checks, other.checks);
    row("closest two checks", &closest(&one), &closest(&other));
    numbers("starts retried", one.retried, other.retried);
    println!("requests              {}, {} of them batches", counts.requests, counts.batches);
    println!("interval              {} s", pace.interval);
    println!("kills                 worker 2, server 1");
    println!("token in the journal  {}", if holds_token { "yes" } else { "no" });
    println!("time                  {:.0?}", start.elapsed());
    ensure!(right_alone + right_together == operations, "not all have ended once and as expected");
    let interval = Duration::from_secs(pace.interval);
    let closest = one.closest.into_iter().chain(other.closest).min();
    ensure!(closest.is_none_or(|closest| closest >= interval), "two checks were too close");
    ensure!(!holds_token, "the journal contains the token");
    Ok(())
}

/// What the service has observed of some operations.
struct Seen {
    checks: usize,
    closest: Option<Duration>,
    retried: usize,
}

impl Seen {
    fn of(simulator: &Simulator, teams: &[String]) -> Self {
        let reports = simulator.operations();
        let reports: Vec<&OperationReport> =
            reports.iter().filter(|report| teams.contains(&report.target_id)).collect();
        let checks: u64 = reports.iter().map(|report| report.checks).sum();
        Self {
            checks: usize::try_from(checks).unwrap_or_default(),
            closest: reports.iter().filter_map(|report| report.closest_checks).min(),
            retried: reports.len().saturating_sub(teams.len()),
        }
    }
}
