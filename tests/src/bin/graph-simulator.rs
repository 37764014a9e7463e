//! The simulator as a process of its own: for the examples, for soak tests, and for experiments by
//! hand.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::Parser;
use graph_operation_tests::simulator::{
    Exchange, Fault, FaultPlan, Life, LocationForm, Monitor, Occasion, Options, RetryAfter,
    Simulator, Span,
};
use tempfile::NamedTempFile;

const AFTER_HELP: &str = "\
The first line of standard output is the service root; with --tls the second one is the path of the certificate \
(PEM) that clients have to trust. The process ends with Ctrl-C or a termination signal.

Control, in JSON and without a token:
  GET  /_simulator/health                  the service root, the monitors' origin, counts
  GET  /_simulator/requests                every request: when, what, which token and fault (?operation=ID for one operation's)
  GET  /_simulator/operations              every operation: checks, faults, last status shown, closest checks
  GET  /_simulator/foreign                 what reached the other origin, to which redirects and foreign locations lead
  POST /_simulator/reset                   forgets everything that happened, and every setting
  POST /_simulator/faults                  {\"for\": \"ID\", \"rules\": [{\"on\": \"check\", \"faults\": [\"unavailable\"], \"every\": 3}]}
  POST /_simulator/teams/ID/life           {\"life\": \"in-progress=2,failed\"}: for operations that start from now on
  POST /_simulator/operations/ID/life      the same for one operation, from now on
  POST /_simulator/clock                   {\"skip\": \"30s\"}
  POST /_simulator/rate                    {\"rate\": 50, \"teamRate\": 4}; null removes a limit

The manual is tests/README.md. Try it:
  curl -i -X POST -H 'Authorization: Bearer x' http://127.0.0.1:PORT/v1.0/teams/t1/archive";

const FAULT_HELP: &str = "\
throttle (429 without Retry-After), throttle=SECONDS, throttle=2.128, throttle=0,120, throttle=twice,
throttle=date, throttle=date:SECONDS, throttle=negative, throttle=huge, throttle=garbage, throttle=TEXT,
unavailable (503), internal (500), bad-gateway (502), timeout (504), error=CODE (any other error),
unauthorized (401), claims (401 with a claims challenge), close (no byte of a response),
cut (in the middle of the body), truncated, html-502, html-200, empty, wrong-type, wrong-members, endless,
redirect (307 to another origin), slow=MILLISECONDS, status=CODE (the true response with another status),
and inside batches missing-item, doubled-item, unknown-item;
`all` stands for all but error, claims and those of batches, `passing` for those that go away by themselves
without a long wait";

const RETRY_AFTER_HELP: &str = "\
Adds Retry-After to the responses to starts: a number of seconds, date (10 seconds ahead), date:SECONDS, twice (two
headers), negative, huge, garbage, none, or any other text, which is sent as it is: 2.5, \"0,120\"";

/// Simulates Microsoft Graph's long-running operations on 127.0.0.1, faults included.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
#[expect(clippy::struct_excessive_bools, reason = "a command line's flags")]
struct Arguments {
    /// The port to listen on; 0 picks a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// The port of the monitors of drive items; 0 picks a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    monitor_port: u16,

    /// Serves TLS, and prints the path of the certificate to trust as the second line.
    #[arg(long)]
    tls: bool,

    /// Accepts requests without a token.
    #[arg(long)]
    anonymous: bool,

    /// Stops the service's clock: only POST /_simulator/clock moves it.
    #[arg(long)]
    frozen_clock: bool,

    /// The origin in absolute addresses, for clients that reach the simulator through a proxy.
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    public_origin: Option<String>,

    /// The same for the monitors of drive items.
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    public_monitor_origin: Option<String>,

    /// Allows N requests per second per app and tenant, counting each request of a batch, and
    /// answers the others with 429. Also limits each team to 4 per second, unless --team-rate is
    /// given.
    #[arg(long, value_name = "N")]
    rate: Option<u32>,

    /// Allows N requests per second per team.
    #[arg(long, value_name = "N")]
    team_rate: Option<u32>,

    /// Answers 404 for teams that were neither created nor named by --team, as the service does.
    /// Without it, any id is that of a team.
    #[arg(long)]
    strict: bool,

    /// A team that exists from the start (repeatable).
    #[arg(long = "team", value_name = "ID")]
    teams: Vec<String>,

    /// How each operation proceeds: phases with their length (a number of checks, or a time such as
    /// 5s or 250ms), then an end. Phases: missing, not-started, in-progress, retried, empty,
    /// status:WORD (any other member). Ends: succeeded, failed, failed-null, failed-text, invalid,
    /// never.
    #[arg(long, value_name = "LIFE", default_value = "not-started=1,in-progress=1,succeeded")]
    life: Life,

    /// Shorthand for a life that is in progress until the Nth check, which finds it succeeded.
    #[arg(long, value_name = "N", conflicts_with = "life", value_parser = clap::value_parser!(u32).range(1..))]
    checks: Option<u32>,

    /// Makes the first N operations fail.
    #[arg(long, value_name = "N", default_value_t = 0)]
    fail: u64,

    /// How long a created team, channel, chat or community returns 404 after its operation has
    /// succeeded: a number of reads, or a time.
    #[arg(long, value_name = "SPAN", default_value = "0")]
    readable_after: Span,

    /// How the response to a start names the operation [default: as the service does, for each
    /// operation].
    #[arg(long, value_name = "FORM", long_help = location_help())]
    location: Option<LocationForm>,

    /// How the monitors of drive items answer: sharepoint or personal, running=STATUS, and end=
    /// with 200, 202, 303, 303-bare, 500, vanished or not-found, separated by commas.
    #[arg(long, value_name = "FORM", default_value = "sharepoint")]
    monitor: Monitor,

    /// Adds Retry-After to the responses to starts, in any form.
    #[arg(long, value_name = "FORM", allow_hyphen_values = true, long_help = RETRY_AFTER_HELP)]
    retry_after: Option<RetryAfter>,

    /// A fault (repeatable). By default, the first responses get the faults in this order;
    /// --fault-every and --fault-rate choose from them.
    #[arg(long = "fault", value_name = "NAME", long_help = fault_help())]
    faults: Vec<String>,

    /// Gives every Kth response a fault, in turn.
    #[arg(long, value_name = "K", requires = "faults", conflicts_with = "fault_rate",
        value_parser = clap::value_parser!(u64).range(1..))]
    fault_every: Option<u64>,

    /// Gives a random share of the responses (0.0 to 1.0) a fault; without --fault, a `passing`
    /// one.
    #[arg(long, value_name = "RATE", value_parser = rate)]
    fault_rate: Option<f64>,

    /// Which responses get faults (repeatable): start, check, target, batch (envelopes), item
    /// (requests inside batches) [default: check].
    #[arg(long, value_name = "OCCASION")]
    fault_on: Vec<Occasion>,

    /// The seed of identifiers and of random faults.
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Sets the service's clock ahead by this many seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 0, allow_negative_numbers = true)]
    clock_ahead: i64,

    /// Answers from a recording where it matches: a JSON array of {"method", "path", "status",
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
        "How the response to a start names the operation [default: as the service does].\n\nForms: {names}"
    )
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate| (0.0..=1.0).contains(rate));
    rate.ok_or_else(|| format!("`{text}` is not between 0.0 and 1.0"))
}

fn origin(text: &str) -> Result<String, String> {
    let origin = text.trim_end_matches('/');
    let authority = ["http://", "https://"].iter().find_map(|scheme| origin.strip_prefix(scheme));
    let is_origin =
        authority.is_some_and(|rest| !rest.is_empty() && !rest.contains(['/', '?', '#', '@', ' ']));
    is_origin
        .then(|| origin.to_owned())
        .ok_or_else(|| format!("`{text}` is not an origin such as https://graph.example:8443"))
}

impl Arguments {
    fn options(&self) -> Result<Options, String> {
        let life =
            self.checks.map_or_else(|| self.life.clone(), |checks| Life::checks(0, checks - 1));
        let mut options = Options::new()
            .port(self.port)
            .monitor_port(self.monitor_port)
            .tls(self.tls)
            .anonymous(self.anonymous)
            .strict(self.strict)
            .frozen_clock(self.frozen_clock)
            .monitor(self.monitor)
            .seed(self.seed)
            .life(life)
            .fail_first(self.fail)
            .clock_ahead(self.clock_ahead)
            .readable_after(self.readable_after)
            .faults(self.plan()?);
        if let Some(form) = &self.location {
            options = options.location(form.clone());
        }
        if let Some(form) = &self.retry_after {
            options = options.retry_after(form.clone());
        }
        if let Some(origin) = &self.public_origin {
            options = options.public_origin(origin);
        }
        if let Some(origin) = &self.public_monitor_origin {
            options = options.public_monitor_origin(origin);
        }
        if let Some(rate) = self.rate {
            options = options.rate(rate);
        }
        if let Some(rate) = self.team_rate {
            options = options.team_rate(rate);
        }
        for team in &self.teams {
            options = options.team(team);
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
        if faults.is_empty() && self.fault_rate.is_none() && !self.fault_on.is_empty() {
            return Err("--fault-on needs --fault or --fault-rate".to_owned());
        }
        let occasions =
            if self.fault_on.is_empty() { &[Occasion::Check][..] } else { &self.fault_on };
        let plan = occasions.iter().fold(FaultPlan::new(), |plan, occasion| {
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
    let certificate = simulator.certificate().map(written).transpose();
    let certificate = certificate.map_err(|error| format!("the certificate: {error}"))?;
    let path = certificate.as_ref().map(|file| format!("{}\n", file.path().display()));
    let lines = format!("{}\n{}", simulator.service_root(), path.unwrap_or_default());
    let mut output = io::stdout();
    // The parent process may not read the lines; the simulator serves all the same.
    let _ = output.write_all(lines.as_bytes()).and_then(|()| output.flush());
    interrupted().await.map_err(|error| error.to_string())?;
    simulator.stop().await;
    Ok(())
}

/// Writes a certificate to a file, which is deleted when the value is dropped.
fn written(certificate: &str) -> io::Result<NamedTempFile> {
    let mut file = tempfile::Builder::new().prefix("graph-simulator-").suffix(".pem").tempfile()?;
    file.write_all(certificate.as_bytes())?;
    file.flush()?;
    Ok(file)
}

#[cfg(unix)]
async fn interrupted() -> io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = tokio::signal::ctrl_c() => result,
        _ = terminate.recv() => Ok(()),
    }
}

#[cfg(not(unix))]
async fn interrupted() -> io::Result<()> {
    tokio::signal::ctrl_c().await
}
