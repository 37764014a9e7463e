//! The engine and its worker, and the requests to them.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use graph_operation_durable::{Submission, Task};
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// A secret that only the worker has.
pub const TOKEN: &str = "a-token-that-no-journal-may-hold";

/// How many operations are submitted at once.
const AT_ONCE: usize = 16;

/// A process that is killed when its handle is dropped.
pub struct Process(Child);

impl Process {
    fn start(command: &mut Command) -> Result<Self> {
        Ok(Self(command.spawn().with_context(|| command.get_program().display().to_string())?))
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    /// Sends SIGKILL, and waits for the exit.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How the worker checks operations.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Pace {
    /// Seconds between two checks of an operation. The real service requires more than 30.
    #[arg(long, default_value_t = 8)]
    pub interval: u64,

    /// The limit on checks and starts per second of a tenant's set.
    #[arg(long, default_value_t = 30)]
    pub rate: u32,
}

/// A folder that is removed when its handle is dropped.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            eprintln!("what the server wrote is in {}", self.path.display());
        } else {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

/// The engine and its worker.
pub struct Stage {
    server: PathBuf,
    folder: Folder,
    /// The ports of the ingress, the admin interface, the node and the worker.
    ports: [u16; 4],
    service_root: String,
    pace: Pace,
    http: reqwest::Client,
}

impl Stage {
    /// Installs the server if it is missing.
    pub async fn new(service_root: String, pace: Pace) -> Result<Self> {
        let server = server().await?;
        let path = std::env::temp_dir().join(format!("graph-operation-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        let folder = Folder { path, keep: false };
        let (ports, http) = (free_ports()?, reqwest::Client::new());
        Ok(Self { server, folder, ports, service_root, pace, http })
    }

    /// Keeps the files that the server has written.
    pub fn keep_folder(&mut self) {
        self.folder.keep = true;
    }

    /// Starts the server.
    pub fn start_server(&self) -> Result<Process> {
        let [ingress, admin, node, _] = self.ports.map(|port| format!("127.0.0.1:{port}"));
        let log = File::create(self.folder.path.join("server.log"))?;
        Process::start(
            Command::new(&self.server)
                .arg("--base-dir")
                .arg(self.data())
                .env("RESTATE_INGRESS__BIND_ADDRESS", ingress)
                .env("RESTATE_ADMIN__BIND_ADDRESS", admin)
                .env("RESTATE_BIND_ADDRESS", &node)
                .env("RESTATE_ADVERTISED_ADDRESS", format!("http://{node}/"))
                .env("RESTATE_NODE_NAME", "demo")
                .env("RESTATE_DISABLE_TELEMETRY", "true")
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log),
        )
    }

    /// Starts the worker: this program in its other role.
    pub fn start_worker(&self) -> Result<Process> {
        Process::start(
            Command::new(std::env::current_exe()?)
                .args(["worker", &self.ports[3].to_string(), &self.service_root])
                .args(["--interval", &self.pace.interval.to_string()])
                .args(["--rate", &self.pace.rate.to_string()])
                .env("GRAPH_TOKEN", TOKEN)
                .stdin(Stdio::null()),
        )
    }

    /// Registers the worker with the server.
    pub async fn register(&self) -> Result<()> {
        let deployment = json!({ "uri": format!("http://127.0.0.1:{}", self.ports[3]) });
        self.post(self.ports[1], "/deployments", deployment).await.map(drop)
    }

    /// Sends a request to one of the server's ports until it is accepted.
    fn post(
        &self,
        port: u16,
        path: &str,
        body: Value,
    ) -> impl Future<Output = Result<Value>> + Send + use<> {
        Self::send(self.http.clone(), format!("http://127.0.0.1:{port}{path}"), body)
    }

    async fn send(http: reqwest::Client, url: String, body: Value) -> Result<Value> {
        let start = Instant::now();
        loop {
            let request = http.post(&url).header("accept", "application/json").json(&body);
            let error = match request.send().await {
                Ok(response) if response.status().is_success() => {
                    return Ok(response.json().await.unwrap_or_default());
                }
                Ok(response) => format!("{} {}", response.status(), response.text().await?),
                Err(error) => error.to_string(),
            };
            ensure!(start.elapsed() < Duration::from_secs(60), "{url}: {error}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Submits teams to be archived, each by an object of its own.
    pub async fn submit(&self, teams: &[String]) -> Result<()> {
        for teams in teams.chunks(AT_ONCE) {
            let mut submitted = JoinSet::new();
            for team in teams {
                let path = format!("/Operation/{team}/submit/send");
                let task = json!(Task::Archive { team: team.clone() });
                submitted.spawn(self.post(self.ports[0], &path, task));
            }
            while let Some(result) = submitted.join_next().await {
                result??;
            }
        }
        Ok(())
    }

    /// Submits teams to be archived by the set of a tenant.
    pub async fn submit_to(&self, tenant: &str, teams: &[String]) -> Result<()> {
        let submissions = teams.iter().map(|team| Submission {
            key: team.clone(),
            task: Task::Archive { team: team.clone() },
        });
        let submissions = json!(submissions.collect::<Vec<_>>());
        self.post(self.ports[0], &format!("/Tenant/{tenant}/submit/send"), submissions)
            .await
            .map(drop)
    }

    /// The rows that the server's database returns.
    pub async fn query(&self, query: &str) -> Result<Vec<Value>> {
        let answer = self.post(self.ports[1], "/query", json!({ "query": query })).await?;
        Ok(answer["rows"].as_array().cloned().unwrap_or_default())
    }

    /// The folder of the server's data.
    pub fn data(&self) -> PathBuf {
        self.folder.path.join("data")
    }
}

/// The files below a folder.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

/// The server's program, installed if it is missing.
async fn server() -> Result<PathBuf> {
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
    let status = tokio::process::Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder)
        .kill_on_drop(true)
        .status()
        .await
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
