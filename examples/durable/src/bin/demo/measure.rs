//! What waiting operations cost the engine and its worker.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use graph_operation_tests::simulator::{Life, Options, Simulator};
use tokio::time::sleep;

use crate::TOGETHER;
use crate::stage::{Pace, Stage, files};

/// Measures what waiting operations cost, and the number of checks per second.
#[derive(Debug, Args)]
pub struct Measure {
    /// Which object follows them.
    kind: Kind,

    /// How many operations.
    #[arg(long, default_value_t = 10_000)]
    operations: usize,

    /// For how many seconds checks are counted.
    #[arg(long, default_value_t = 60)]
    seconds: u64,

    #[command(flatten)]
    pace: Pace,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// One object for each operation.
    Operation,
    /// A set for each hundred.
    Tenant,
}

/// Bytes in use.
struct Use {
    disk: u64,
    server: u64,
    worker: u64,
}

impl Use {
    fn of(stage: &Stage, server: u32, worker: u32) -> Result<Self> {
        let mut disk = 0;
        for file in files(&stage.data())? {
            // The server removes files while they are counted.
            disk += file.metadata().map_or(0, |metadata| metadata.len());
        }
        Ok(Self { disk, server: memory(server), worker: memory(worker) })
    }
}

/// The resident memory of a process; 0 if `/proc` does not have it.
fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() * 1024
}

pub async fn run(measure: &Measure) -> Result<()> {
    let life = Life::elapsed(Duration::from_secs(1), Duration::from_secs(24 * 60 * 60));
    let simulator = Simulator::spawn(Options::new().life(life))?;
    let stage = Stage::new(simulator.service_root(), measure.pace).await?;
    let (server, worker) = (stage.start_server()?, stage.start_worker()?);
    stage.register().await?;
    sleep(Duration::from_secs(5)).await;
    let before = Use::of(&stage, server.id(), worker.id())?;

    let teams: Vec<String> = (0..measure.operations).map(|team| format!("team-{team}")).collect();
    let start = Instant::now();
    match measure.kind {
        Kind::Operation => stage.submit(&teams).await?,
        Kind::Tenant => {
            for (number, teams) in teams.chunks(TOGETHER).enumerate() {
                stage.submit_to(&format!("tenant-{number}"), teams).await?;
            }
        }
    }
    while simulator.operations().iter().filter(|report| report.checks > 0).count() < teams.len() {
        ensure!(start.elapsed() < Duration::from_secs(900), "not all were started and checked");
        sleep(Duration::from_secs(1)).await;
    }
    println!("all were started and checked once after {:.0?}", start.elapsed());

    let (checks, counted) = (simulator.counts().checks, Instant::now());
    sleep(Duration::from_secs(measure.seconds)).await;
    let (checks, counted) = (simulator.counts().checks - checks, counted.elapsed());
    let after = Use::of(&stage, server.id(), worker.id())?;
    let kept = stage.query("SELECT SUM(LENGTH(value_utf8)) AS bytes FROM state").await?;
    let kept = kept.first().and_then(|row| row["bytes"].as_u64()).unwrap_or_default();

    let count = u64::try_from(teams.len())?;
    let row = |name: &str, bytes: u64| {
        println!("{name:22}{:>8} MB{:>10} B an operation", bytes / 1_000_000, bytes / count);
    };
    println!("checks a second       {:>8}", checks / counted.as_secs().max(1));
    row("state", kept);
    row("server's disk", after.disk.saturating_sub(before.disk));
    row("server's memory", after.server.saturating_sub(before.server));
    row("worker's memory", after.worker.saturating_sub(before.worker));
    Ok(())
}
