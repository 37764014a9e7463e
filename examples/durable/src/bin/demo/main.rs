//! Archives many teams through a durable engine, and kills the worker and the engine in mid-run.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::{Parser, Subcommand};
use graph_operation::Polling;
use graph_operation_durable::Operation;
use graph_operation_examples::Graph;
use graph_operation_tests::simulator::{Life, Options, Simulator};
use restate_sdk::prelude::{Endpoint, HttpServer};
use serde_json::{Value, json};

const TOKEN: &str = "a-token-that-no-journal-may-hold";
const INTERVAL: Duration = Duration::from_secs(8);
const PATIENCE: Duration = Duration::from_secs(300);

/// Archives many teams through a durable engine, which is killed in mid-run, and so is the worker.
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
    /// Serves the engine; the demonstration starts it. The token is in GRAPH_TOKEN.
    Worker { port: u16, service_root: String },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.role {
        Some(Role::Worker { port, service_root }) => work(port, &service_root).await,
        None => demonstrate(arguments.operations).await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn work(port: u16, service_root: &str) -> Result<()> {
    let graph = Graph::new(service_root, &std::env::var("GRAPH_TOKEN")?);
    let graph = graph.map_err(|error| anyhow::anyhow!(error))?;
    // Shorter than anyone may ask of the real service, which wants more than 30 seconds.
    let polling = Polling::default().first_check(Duration::from_secs(2)).interval(INTERVAL);
    let endpoint = Endpoint::builder().bind(Operation { graph, polling }).build();
    HttpServer::new(endpoint).listen_and_serve(([127, 0, 0, 1], port).into()).await;
    Ok(())
}

/// A process that ends with its handle.
struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.spawn().with_context(|| command.get_program().display().to_string())?))
    }
}

impl Drop for Process {
    /// Sends SIGKILL, and waits for the end.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The engine and its worker.
struct Stage {
    server: PathBuf,
    folder: PathBuf,
    /// Of the ingress, the admin's interface, the node and the worker.
    ports: [u16; 4],
    service_root: String,
    http: reqwest::Client,
}

impl Stage {
    fn start_server(&self) -> Result<Process> {
        let [ingress, admin, node, _] = self.ports.map(|port| format!("127.0.0.1:{port}"));
        let log = File::create(self.folder.join("server.log"))?;
        Process::start(
            Command::new(&self.server)
                .arg("--base-dir")
                .arg(self.folder.join("data"))
                .env("RESTATE_INGRESS__BIND_ADDRESS", ingress)
                .env("RESTATE_ADMIN__BIND_ADDRESS", admin)
                .env("RESTATE_BIND_ADDRESS", &node)
                .env("RESTATE_ADVERTISED_ADDRESS", format!("http://{node}/"))
                .env("RESTATE_NODE_NAME", "demo")
                .env("RESTATE_DISABLE_TELEMETRY", "true")
                .stdout(log.try_clone()?)
                .stderr(log),
        )
    }

    fn start_worker(&self) -> Result<Process> {
        Process::start(
            Command::new(std::env::current_exe()?)
                .args(["worker", &self.ports[3].to_string(), &self.service_root])
                .env("GRAPH_TOKEN", TOKEN)
                .stdin(Stdio::null()),
        )
    }

    /// Sends a request to one of the server's ports until it is taken.
    async fn post(&self, port: u16, path: &str, body: &Value) -> Result<Value> {
        let url = format!("http://127.0.0.1:{port}{path}");
        let begun = Instant::now();
        loop {
            let request = self.http.post(&url).header("accept", "application/json").json(body);
            let error = match request.send().await {
                Ok(answer) if answer.status().is_success() => {
                    return Ok(answer.json().await.unwrap_or_default());
                }
                Ok(answer) => format!("{} {}", answer.status(), answer.text().await?),
                Err(error) => error.to_string(),
            };
            ensure!(begun.elapsed() < Duration::from_secs(60), "{url}: {error}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn submit(&self, team: usize) -> Result<()> {
        let path = format!("/Operation/team-{team}/submit/send");
        self.post(self.ports[0], &path, &json!(format!("team-{team}"))).await.map(drop)
    }

    /// How many operations have succeeded, and how many have ended otherwise.
    async fn ended(&self) -> Result<(usize, usize)> {
        let query = json!({ "query":
            "SELECT value_utf8 AS kept FROM state WHERE service_name = 'Operation'" });
        let rows = self.post(self.ports[1], "/query", &query).await?;
        let (mut succeeded, mut failed) = (0, 0);
        for row in rows["rows"].as_array().into_iter().flatten() {
            let kept: Value = serde_json::from_str(row["kept"].as_str().unwrap_or_default())?;
            succeeded += usize::from(kept["status"]["succeeded"].is_string());
            failed += usize::from(kept["status"].is_object());
        }
        Ok((succeeded, failed - succeeded))
    }
}

/// The server's program, installed if need be.
fn server() -> Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("server");
    let find = || {
        let packages = fs::read_dir(folder.join("node_modules/@restatedev")).ok()?;
        let mut programs =
            packages.flatten().map(|package| package.path().join("bin/restate-server"));
        programs.find(|program| program.is_file())
    };
    if let Some(program) = find() {
        return Ok(program);
    }
    println!("installing the server");
    let status = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder)
        .status()
        .context("npm")?;
    ensure!(status.success(), "npm: {status}");
    find().context("npm has installed no server for this platform")
}

fn free_ports() -> Result<[u16; 4]> {
    let listeners = [(); 4].map(|()| TcpListener::bind("127.0.0.1:0"));
    let mut ports = [0; 4];
    for (port, listener) in ports.iter_mut().zip(&listeners) {
        let Ok(listener) = listener else { bail!("no free port") };
        *port = listener.local_addr()?.port();
    }
    Ok(ports)
}

async fn demonstrate(operations: usize) -> Result<()> {
    let server = server()?;
    let life = Life::elapsed(Duration::from_secs(4), Duration::from_secs(26));
    let simulator = Simulator::spawn(Options::new().life(life))?;
    let folder = std::env::temp_dir().join(format!("graph-operation-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let stage = Stage {
        server,
        folder: folder.clone(),
        ports: free_ports()?,
        service_root: simulator.service_root(),
        http: reqwest::Client::new(),
    };
    let result = run(&stage, &simulator, operations).await;
    if result.is_ok() {
        fs::remove_dir_all(folder)?;
    } else {
        eprintln!("what the server wrote is in {}", folder.display());
    }
    result
}

async fn run(stage: &Stage, simulator: &Simulator, operations: usize) -> Result<()> {
    let begun = Instant::now();
    let mut server = stage.start_server()?;
    let mut worker = stage.start_worker()?;
    let deployment = json!({ "uri": format!("http://127.0.0.1:{}", stage.ports[3]) });
    stage.post(stage.ports[1], "/deployments", &deployment).await?;
    println!("submitting {operations} operations");
    for team in 0..operations {
        stage.submit(team).await?;
        if team == operations / 2 {
            println!("killing the worker between the starts");
            drop(worker);
            worker = stage.start_worker()?;
        }
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    println!("killing the worker between the checks");
    drop(worker);
    let _worker = stage.start_worker()?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    println!("killing the server");
    drop(server);
    server = stage.start_server()?;
    let (succeeded, failed) = loop {
        let (succeeded, failed) = stage.ended().await?;
        if succeeded + failed >= operations || begun.elapsed() > PATIENCE {
            break (succeeded, failed);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    drop(server);
    let holds_token = holds(&stage.folder, TOKEN.as_bytes())?;

    let reports = simulator.operations();
    let closest = reports.iter().filter_map(|report| report.closest_checks).min();
    println!("operations           {operations}");
    println!("succeeded            {succeeded}");
    println!("failed               {failed}");
    println!("polls                {}", simulator.counts().checks);
    println!("closest two polls    {closest:?}, {INTERVAL:?} asked for");
    println!("starts repeated      {}", reports.len().saturating_sub(operations));
    println!("kills                worker 2, server 1");
    println!("token in the journal {}", if holds_token { "yes" } else { "no" });
    println!("time                 {:.0?}", begun.elapsed());
    ensure!(succeeded == operations, "not all operations have succeeded");
    ensure!(closest.is_none_or(|closest| closest >= INTERVAL), "two polls were too close");
    ensure!(!holds_token, "the journal holds the token");
    Ok(())
}

/// Whether a file below `folder` holds `text`.
fn holds(folder: &Path, text: &[u8]) -> Result<bool> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let found = if path.is_dir() {
            holds(&path, text)?
        } else {
            path.is_file() && fs::read(&path)?.windows(text.len()).any(|part| part == text)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}
