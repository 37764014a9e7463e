//! The simulator as a process of its own: for the examples, for soak tests, and for a look at the
//! dialect by hand.

use std::{io::Write as _, path::PathBuf, process::ExitCode};

use clap::Parser;
use graph_operation_tests::simulator::{
    Exchange, Fault, FaultPlan, Life, LocationForm, Occasion, Options, RetryAfter, Simulator, Span,
};

const AFTER_HELP: &str = "\
The first line of standard output is the service root. The process ends with Ctrl-C or a termination signal.

What has happened is told in JSON, outside of Graph's dialect and without a token:
  GET /_simulator/requests     every request: when, what, which fault (?operation=ID for one operation's)
  GET /_simulator/operations   every operation: checks, faults, last status told, closest checks
  GET /_simulator/foreign      what reached the other origin, to which redirects and foreign locations lead

Try it:
  curl -i -X POST -H 'Authorization: Bearer x' http://127.0.0.1:PORT/v1.0/teams/t1/archive";

const FAULT_HELP: &str = "\
throttle (429 without Retry-After), throttle=SECONDS, throttle=2.128, throttle=0,120, throttle=twice,
throttle=date, throttle=date:SECONDS, throttle=negative, throttle=huge, throttle=garbage,
unavailable (503), internal (500), bad-gateway (502), timeout (504), unauthorized (401),
close (no byte of an answer), cut (in the middle of the body), truncated, html-502, html-200, empty,
wrong-type, wrong-members, endless, redirect (307 to another origin), slow=MILLISECONDS, status=CODE;
`all` stands for all of them, `passing` for those that pass by themselves without a long wait";

/// Simulates Microsoft Graph's long-running operations on 127.0.0.1, faults included.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
struct Arguments {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// What becomes of each operation: phases with their span (a number of checks, or a time such
    /// as 5s or 250ms), then its end. Phases: missing, not-started, in-progress, retried, empty,
    /// status:WORD (any other member). Ends: succeeded, failed, failed-null, failed-text, invalid,
    /// never.
    #[arg(long, value_name = "LIFE", default_value = "not-started=1,in-progress=1,succeeded")]
    life: Life,

    /// Shorthand for a life that is in progress until the Nth check, which finds it succeeded.
    #[arg(long, value_name = "N", conflicts_with = "life", value_parser = clap::value_parser!(u32).range(1..))]
    checks: Option<u32>,

    /// Lets the first N operations fail.
    #[arg(long, value_name = "N", default_value_t = 0)]
    fail: u64,

    /// How long a created team, channel, chat or community answers 404 after its operation has
    /// succeeded: a number of reads, or a time.
    #[arg(long, value_name = "SPAN", default_value = "0")]
    readable_after: Span,

    /// How the starting answer tells where the operation is [default: as the service does, for each
    /// operation].
    #[arg(long, value_name = "FORM", long_help = location_help())]
    location: Option<LocationForm>,

    /// Puts Retry-After on the starting answers.
    #[arg(long, value_name = "SECONDS")]
    retry_after: Option<u64>,

    /// A fault (repeatable). Alone, the first answers get the named faults in this order; with
    /// --fault-every or --fault-rate they are what is chosen from.
    #[arg(long = "fault", value_name = "NAME", long_help = fault_help())]
    faults: Vec<String>,

    /// Gives each Kth answer a fault, in turn.
    #[arg(long, value_name = "K", requires = "faults", conflicts_with = "fault_rate",
        value_parser = clap::value_parser!(u64).range(1..))]
    fault_every: Option<u64>,

    /// Gives this share of the answers (0.0 to 1.0) a fault by chance; without --fault, from those
    /// that pass.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    fault_rate: Option<f64>,

    /// Which answers get faults (repeatable): start, check, target.
    #[arg(long, value_name = "OCCASION", default_values = ["check"])]
    fault_on: Vec<Occasion>,

    /// The seed of identifiers and of chance.
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Sets the service's clock ahead by so many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, allow_negative_numbers = true)]
    clock_ahead: i64,

    /// Answers by a recording where it matches: a JSON array of {"method", "path", "status",
    /// "headers", "body"}.
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,
}

fn fault_help() -> String {
    format!(
        "A fault (repeatable). Alone, the first answers get the named faults in this order; with --fault-every or \
         --fault-rate they are what is chosen from.\n\n{FAULT_HELP}"
    )
}

fn location_help() -> String {
    let names = LocationForm::names().join(", ");
    format!(
        "How the starting answer tells where the operation is [default: as the service does].\n\nForms: {names}"
    )
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
    rate.ok_or_else(|| format!("`{text}` is no share between 0.0 and 1.0"))
}

impl Arguments {
    fn options(&self) -> Result<Options, String> {
        let life =
            self.checks.map_or_else(|| self.life.clone(), |checks| Life::checks(0, checks - 1));
        let mut options = Options::new()
            .port(self.port)
            .seed(self.seed)
            .life(life)
            .fail_first(self.fail)
            .clock_ahead(self.clock_ahead)
            .readable_after(self.readable_after)
            .faults(self.plan()?);
        if let Some(form) = &self.location {
            options = options.location(form.clone());
        }
        if let Some(seconds) = self.retry_after {
            options = options.retry_after(RetryAfter::Seconds(seconds));
        }
        if let Some(file) = &self.replay {
            let shown = file.display();
            let json =
                std::fs::read_to_string(file).map_err(|error| format!("{shown}: {error}"))?;
            options =
                options.replay(Exchange::read(&json).map_err(|error| format!("{shown}: {error}"))?);
        }
        Ok(options)
    }

    fn plan(&self) -> Result<FaultPlan, String> {
        let mut faults: Vec<Fault> = Vec::new();
        for name in &self.faults {
            match name.as_str() {
                "all" => faults.extend(Fault::all()),
                "passing" => faults.extend(Fault::passing()),
                name => faults.push(name.parse()?),
            }
        }
        let plan = self.fault_on.iter().fold(FaultPlan::new(), |plan, occasion| {
            let faults = faults.clone();
            match (self.fault_rate, self.fault_every) {
                (Some(rate), _) if faults.is_empty() => {
                    plan.random(*occasion, rate, Fault::passing())
                }
                (Some(rate), _) => plan.random(*occasion, rate, faults),
                (None, Some(k)) => plan.every(*occasion, k, faults),
                (None, None) => plan.sequence(*occasion, faults),
            }
        });
        Ok(plan)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("graph-simulator: {message}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), String> {
    let simulator = Simulator::start(arguments.options()?).await;
    let simulator = simulator.map_err(|error| format!("port {}: {error}", arguments.port))?;
    let mut output = std::io::stdout();
    // Whoever started this may not wait for the line, and serving goes on without it.
    let _ = writeln!(output, "{}", simulator.service_root()).and_then(|()| output.flush());
    interrupted().await.map_err(|error| error.to_string())?;
    simulator.stop().await;
    Ok(())
}

#[cfg(unix)]
async fn interrupted() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn interrupted() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
