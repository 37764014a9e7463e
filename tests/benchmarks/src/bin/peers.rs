//! graph-operation compared with its peers and with hand-written code, in one run.
//!
//! `cargo run --release --manifest-path tests/benchmarks/Cargo.toml [-- checks | waiting | builds]`

use std::collections::BTreeSet;
use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::process::{Command, ExitCode};
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use benchmark_azure_core as azure;
use benchmark_floor as floor;
use benchmark_google_cloud_lro as google;
use benchmark_google_cloud_lro::Poller as _;
use benchmark_graph_operation as graph;
use benchmark_wire::{Script, Wire};
use graph_operation_benchmarks::allocations::{Allocations, Counting};
use graph_operation_benchmarks::cpu;
use graph_operation_benchmarks::futures::ready;
use graph_operation_benchmarks::table::{self, number, ratio, row};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Makes this many checks.
type Checks<'a> = Box<dyn FnMut(usize) + 'a>;

/// Who makes one check, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checker {
    Floor,
    FloorOpen,
    FloorStatus,
    AzureByHand,
    AzurePipeline,
    GooglePoll,
    GoogleUntilDone,
    Core,
    CoreRequest,
    Poll,
    PollByClock,
    Wait,
    WaitByClock,
}

const CHECKERS: [Checker; 13] = [
    Checker::Floor,
    Checker::FloorOpen,
    Checker::FloorStatus,
    Checker::AzureByHand,
    Checker::AzurePipeline,
    Checker::GooglePoll,
    Checker::GoogleUntilDone,
    Checker::Core,
    Checker::CoreRequest,
    Checker::Poll,
    Checker::PollByClock,
    Checker::Wait,
    Checker::WaitByClock,
];

impl Checker {
    fn name(self) -> &'static str {
        match self {
            Checker::Floor => "floor: full model",
            Checker::FloorOpen => "floor: full model and the undeclared properties",
            Checker::FloorStatus => "floor: status alone",
            Checker::AzureByHand => "azure_core `Poller`",
            Checker::AzurePipeline => "azure_core `Poller` through its pipeline",
            Checker::GooglePoll => "google-cloud-lro `poll`",
            Checker::GoogleUntilDone => "google-cloud-lro `until_done` (with tokio's timer)",
            Checker::Core => "graph-operation: protocol core",
            Checker::CoreRequest => "graph-operation: protocol core and request",
            Checker::Poll => "graph-operation: `Operation::poll`, its clock frozen",
            Checker::PollByClock => "graph-operation: `Operation::poll`",
            Checker::Wait => "graph-operation: `Operation::wait`, its clock frozen",
            Checker::WaitByClock => "graph-operation: `Operation::wait`",
        }
    }

    /// The clock of our own client.
    fn pace(self) -> graph::Pace {
        match self {
            Checker::PollByClock | Checker::WaitByClock => graph::Pace::Provided,
            _ => graph::Pace::Frozen(std::time::Instant::now()),
        }
    }

    fn checks(self, script: Script, runtime: &Runtime) -> Checks<'_> {
        let wire = Wire::new(script);
        match self {
            Checker::Floor => {
                let client = floor::Client::new(wire);
                each(move || drop(black_box(ready(client.check()).expect("an operation"))))
            }
            Checker::FloorOpen => {
                let client = floor::Client::new(wire);
                each(move || drop(black_box(ready(client.check_open()).expect("an operation"))))
            }
            Checker::FloorStatus => {
                let client = floor::Client::new(wire);
                each(move || assert!(black_box(ready(client.check_status())).is_ok()))
            }
            Checker::AzureByHand => {
                let mut poller = azure::by_hand(wire, Duration::ZERO);
                each(move || assert!(ready(azure::check(&mut poller)).is_success()))
            }
            Checker::AzurePipeline => {
                let mut poller = azure::through_pipeline(wire, Duration::ZERO);
                each(move || assert!(ready(azure::check(&mut poller)).is_success()))
            }
            Checker::GooglePoll => {
                let mut poller = google::poller(wire, Duration::ZERO);
                each(move || drop(black_box(ready(google::check(&mut poller)))))
            }
            Checker::GoogleUntilDone => Box::new(move |checks| {
                let poller = google::poller(Wire::ending(script, checks), Duration::ZERO);
                assert!(runtime.block_on(poller.until_done()).is_ok());
            }),
            Checker::Core => {
                let mut core = graph::Core::new(wire);
                each(move || core.check())
            }
            Checker::CoreRequest => {
                let mut core = graph::Core::new(wire);
                each(move || drop(black_box(core.check_with_request())))
            }
            Checker::Poll | Checker::PollByClock => {
                let polling = graph::Polling::default();
                let mut operation = ready(graph::operation(wire, polling, self.pace()));
                each(move || assert!(!ready(graph::check(&mut operation))))
            }
            Checker::Wait | Checker::WaitByClock => Box::new(move |checks| {
                let polling = graph::Polling::default().no_timeout();
                let wire = Wire::ending(script, checks);
                let mut operation = ready(graph::operation(wire, polling, self.pace()));
                assert!(ready(operation.wait()).is_ok());
            }),
        }
    }
}

fn each<'a>(mut check: impl FnMut() + 'a) -> Checks<'a> {
    Box::new(move |checks| (0..checks).for_each(|_| check()))
}

/// What one check costs.
#[derive(Clone, Copy, Debug)]
struct Cost {
    nanoseconds: f64,
    allocations: i64,
    bytes: i64,
    instructions: Option<u64>,
}

#[expect(clippy::cast_precision_loss, reason = "no count is that large")]
fn each_of(spent: Duration, checks: usize) -> f64 {
    spent.as_nanos() as f64 / checks as f64
}

/// The checks of one round, and how many rounds there are. The quickest counts.
const CHECKS: usize = 2_000;
const ROUNDS: usize = 60;

/// The same for checks that wait for a timer which cannot be turned off.
const ROUNDS_OF_TIMERS: usize = 3;

fn measure(script: Script, runtime: &Runtime) -> Vec<Cost> {
    let mut all: Vec<_> = CHECKERS
        .iter()
        .map(|checker| {
            let mut checks = checker.checks(script, runtime);
            checks(CHECKS);
            let before = Allocations::now();
            checks(CHECKS);
            let made = Allocations::now() - before;
            let per_check = |count: i64| count / i64::try_from(CHECKS).unwrap_or(1);
            let cost = Cost {
                nanoseconds: f64::INFINITY,
                allocations: per_check(made.calls),
                bytes: per_check(made.bytes),
                instructions: count_instructions(*checker, script),
            };
            (checks, cost)
        })
        .collect();
    // Each round has all contestants, so that a disturbance affects all of them.
    for round in 0..ROUNDS {
        for (checker, (checks, cost)) in CHECKERS.iter().zip(&mut all) {
            if *checker == Checker::GoogleUntilDone && round > ROUNDS_OF_TIMERS {
                continue;
            }
            let before = cpu::of_thread();
            checks(CHECKS);
            let spent = each_of(cpu::of_thread().saturating_sub(before), CHECKS);
            cost.nanoseconds = cost.nanoseconds.min(spent);
        }
    }
    all.into_iter().map(|(_, cost)| cost).collect()
}

/// The difference between two runs of this program that do nothing else.
fn count_instructions(checker: Checker, script: Script) -> Option<u64> {
    let program = std::env::current_exe().ok()?;
    let (few, many) = (200, 2_200);
    let (checker, script) = (format!("{checker:?}"), format!("{script:?}"));
    let run = |checks: u64| {
        cpu::instructions(&program, &["--only", &checker, &script, &checks.to_string()])
    };
    Some((run(many)?.checked_sub(run(few)?)?) / (many - few))
}

/// Makes the checks of one contestant, and nothing else.
fn only(name: &str, which: &str, checks: &str, runtime: &Runtime) -> Option<()> {
    let checks = checks.parse().ok()?;
    if let Some(waiter) = WAITERS.into_iter().find(|known| format!("{known:?}") == name)
        && let Ok(operations) = which.parse()
    {
        azure::set_waits(true);
        waiter.all(operations, checks, runtime);
        return Some(());
    }
    let checker = CHECKERS.into_iter().find(|known| format!("{known:?}") == name)?;
    let script =
        [Script::Same, Script::Changing].into_iter().find(|known| format!("{known:?}") == which)?;
    checker.checks(script, runtime)(checks);
    Some(())
}

fn print_costs(title: &str, costs: &[Cost], floors: [(&str, Checker); 2]) {
    let mut header = row([&"", &"ns", &"instructions", &"allocations", &"bytes"]);
    for (name, _) in floors {
        header.push(format!("ns : {name}"));
        header.push("instructions".to_owned());
    }
    let of = |wanted| CHECKERS.iter().position(|checker| *checker == wanted).map(|at| costs[at]);
    let floors = floors.map(|(_, floor)| of(floor).expect("a measured floor"));
    let rows: Vec<_> = CHECKERS
        .iter()
        .zip(costs)
        .map(|(checker, cost)| {
            let mut cells = row([
                &checker.name(),
                &format!("{:.0}", cost.nanoseconds),
                &number(cost.instructions),
                &cost.allocations,
                &cost.bytes,
            ]);
            for floor in floors {
                cells.push(ratio(cost.nanoseconds, floor.nanoseconds));
                cells.push(match (cost.instructions, floor.instructions) {
                    #[expect(clippy::cast_precision_loss, reason = "no count is that large")]
                    (Some(cost), Some(floor)) => ratio(cost as f64, floor as f64),
                    _ => "-".to_owned(),
                });
            }
            cells
        })
        .collect();
    println!("### {title}\n");
    table::print(&header.iter().map(String::as_str).collect::<Vec<_>>(), &rows);
}

fn print_checks(runtime: &Runtime) {
    azure::set_waits(false);
    print_costs(
        "One check, the answer has changed",
        &measure(Script::Changing, runtime),
        [("full model", Checker::Floor), ("with undeclared", Checker::FloorOpen)],
    );
    print_costs(
        "One check, the answer is the same as before",
        &measure(Script::Same, runtime),
        [("status alone", Checker::FloorStatus), ("full model", Checker::Floor)],
    );
}

/// A wait with its result's type erased, without another future around it.
trait Wait: Send {
    fn poll_end(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool>;
}

impl<F, T, E> Wait for F
where
    F: Future<Output = Result<T, E>> + Send,
{
    fn poll_end(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        self.poll(context).map(|end| end.is_ok())
    }
}

/// An operation that is waited for.
struct Waiting(Pin<Box<dyn Wait>>);

impl Future for Waiting {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        self.0.as_mut().poll_end(context)
    }
}

/// A client over a real HTTP client, which sends nothing here.
#[derive(Clone)]
struct Http(reqwest::Client);

impl graph_operation::Client for Http {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &http::Uri {
        static ROOT: LazyLock<http::Uri> =
            LazyLock::new(|| http::Uri::from_static("https://graph.microsoft.com/v1.0"));
        &ROOT
    }

    async fn send(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> graph_operation::Result<http::Response<bytes::Bytes>> {
        graph_operation::reqwest::send(&self.0, request).await
    }
}

fn http_client() -> Http {
    static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(reqwest::Client::new);
    Http(CLIENT.clone())
}

/// Who waits for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waiter {
    Floor,
    AzureByHand,
    AzurePipeline,
    Google,
    GraphReqwest,
    GraphUnchecked,
    Graph,
}

const WAITERS: [Waiter; 7] = [
    Waiter::Floor,
    Waiter::AzureByHand,
    Waiter::AzurePipeline,
    Waiter::Google,
    Waiter::GraphReqwest,
    Waiter::GraphUnchecked,
    Waiter::Graph,
];

impl Waiter {
    fn name(self) -> &'static str {
        match self {
            Waiter::Floor => "floor",
            Waiter::AzureByHand => "azure_core `Poller`",
            Waiter::AzurePipeline => "azure_core `Poller` through its pipeline",
            Waiter::Google => "google-cloud-lro",
            Waiter::GraphReqwest => "graph-operation over reqwest, before its first check",
            Waiter::GraphUnchecked => "graph-operation, before its first check",
            Waiter::Graph => "graph-operation",
        }
    }

    /// The sizes of the handle and of the future, if they can be named.
    fn sizes(self) -> (usize, usize) {
        let wire = Wire::new(Script::Same);
        let wait = Duration::ZERO;
        match self {
            Waiter::Floor => {
                let client = floor::Client::new(wire);
                (size_of_val(&client), size_of_val(&client.wait(wait)))
            }
            Waiter::AzureByHand => {
                let poller = azure::by_hand(wire, wait);
                (size_of_val(&poller), size_of_val(&poller.into_future()))
            }
            Waiter::AzurePipeline => {
                let poller = azure::through_pipeline(wire, wait);
                (size_of_val(&poller), size_of_val(&poller.into_future()))
            }
            Waiter::Google => {
                let poller = google::poller(wire, wait);
                (size_of_val(&poller), size_of_val(&poller.until_done()))
            }
            Waiter::Graph | Waiter::GraphUnchecked | Waiter::GraphReqwest => {
                let operation =
                    ready(graph::operation(wire, graph::every(wait), graph::Pace::Waits));
                (size_of_val(&operation), size_of_val(&operation.into_future()))
            }
        }
    }

    /// Waits for the end, with `wait` between two checks.
    fn wait(self, wire: Wire, wait: Duration) -> Waiting {
        Waiting(match self {
            Waiter::Floor => Box::pin(floor::Client::new(wire).wait(wait)),
            Waiter::AzureByHand => Box::pin(azure::by_hand(wire, wait).into_future()),
            Waiter::AzurePipeline => Box::pin(azure::through_pipeline(wire, wait).into_future()),
            Waiter::Google => Box::pin(google::poller(wire, wait).until_done()),
            Waiter::GraphReqwest => {
                let location = benchmark_wire::URL;
                let operation = graph_operation::Operation::from_location(http_client(), location);
                let operation = operation.expect("an address").with_polling(graph::every(wait));
                Box::pin(operation.into_future())
            }
            Waiter::GraphUnchecked => {
                let operation =
                    ready(graph::operation(wire, graph::every(wait), graph::Pace::Waits));
                Box::pin(operation.into_future())
            }
            Waiter::Graph => {
                let polling = graph::every(wait).first_check(Duration::ZERO);
                Box::pin(ready(graph::operation(wire, polling, graph::Pace::Waits)).into_future())
            }
        })
    }

    /// The bytes that each of so many waiting operations keeps.
    fn live(self, operations: usize) -> i64 {
        let wire = Wire::new(Script::Owned);
        let mut waiting = Vec::with_capacity(operations);
        let before = Allocations::now();
        for _ in 0..operations {
            let mut operation = self.wait(wire.clone(), Duration::from_secs(30));
            let polled = Pin::new(&mut operation).poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
            waiting.push(operation);
        }
        (Allocations::now() - before).live / i64::try_from(operations).unwrap_or(1)
    }

    /// Whether its checks need no network.
    fn is_checked(self) -> bool {
        !matches!(self, Waiter::GraphReqwest | Waiter::GraphUnchecked)
    }

    /// Waits for the end of this many operations at once, each of which sends this many checks.
    fn all(self, operations: usize, checks: usize, runtime: &Runtime) {
        let tasks: Vec<_> = (0..operations)
            .map(|_| {
                let wire = Wire::ending(Script::Changing, checks);
                runtime.spawn(self.wait(wire, Duration::from_millis(1)))
            })
            .collect();
        for task in tasks {
            assert!(runtime.block_on(task).expect("no panic"));
        }
    }

    /// The nanoseconds of each check of this many operations at once, their starts and ends
    /// included.
    fn at_once(self, operations: usize, runtime: &Runtime) -> Option<f64> {
        const CHECKS: usize = 10;
        let run = || {
            let before = cpu::of_thread();
            self.all(operations, CHECKS, runtime);
            each_of(cpu::of_thread().saturating_sub(before), operations * CHECKS)
        };
        let rounds = if self.is_checked() { 60_000 / operations } else { return None };
        Some((0..rounds).map(|_| run()).fold(f64::INFINITY, f64::min))
    }

    /// The instructions of each check of this many operations at once, without their starts
    /// and ends.
    fn instructions_at_once(self, operations: usize) -> Option<u64> {
        let program = std::env::current_exe().ok()?;
        let waiter = format!("{self:?}");
        let run = |checks: usize| {
            let (operations, checks) = (operations.to_string(), checks.to_string());
            cpu::instructions(&program, &["--only", &waiter, &operations, &checks])
        };
        let (few, many) = if self.is_checked() { (2, 6) } else { return None };
        Some(run(many)?.checked_sub(run(few)?)? / u64::try_from(operations * (many - few)).ok()?)
    }
}

fn print_waiting(runtime: &Runtime) {
    azure::set_waits(true);
    let waiters = WAITERS.map(|waiter| {
        let live = [10_000, 100_000].map(|operations| waiter.live(operations));
        let at_once = [1_000, 10_000].map(|operations| waiter.at_once(operations, runtime));
        (waiter, waiter.sizes(), live, at_once, waiter.instructions_at_once(10_000))
    });
    let (_, _, floor_live, floor_at_once, floor_instructions) = waiters[0];
    let nanoseconds = |value: Option<f64>| value.map_or("-".to_owned(), |it| format!("{it:.0}"));
    let to_floor = |value: Option<f64>, floor: Option<f64>| {
        value.zip(floor).map_or("-".to_owned(), |(it, floor)| ratio(it, floor))
    };
    #[expect(clippy::cast_precision_loss, reason = "no count is that large")]
    let float = |count: Option<u64>| count.map(|count| count as f64);
    let rows: Vec<_> = waiters
        .iter()
        .map(|(waiter, (handle, future), live, at_once, instructions)| {
            #[expect(clippy::cast_precision_loss, reason = "no count is that large")]
            let live_ratio = ratio(live[1] as f64, floor_live[1] as f64);
            row([
                &waiter.name(),
                handle,
                future,
                &live[0],
                &live[1],
                &live_ratio,
                &nanoseconds(at_once[0]),
                &nanoseconds(at_once[1]),
                &to_floor(at_once[1], floor_at_once[1]),
                &number(*instructions),
                &to_floor(float(*instructions), float(floor_instructions)),
            ])
        })
        .collect();
    println!("### Waiting operations\n");
    let header = [
        "",
        "handle, bytes",
        "future, bytes",
        "live bytes of 10,000",
        "of 100,000",
        "ratio",
        "ns a check, 1,000 at once",
        "10,000 at once",
        "ratio",
        "instructions",
        "ratio",
    ];
    table::print(&header, &rows);
}

/// The packages of this workspace, by the name of what they measure.
const CONTESTANTS: [(&str, &str); 4] = [
    ("floor", "benchmark-floor"),
    ("azure_core", "benchmark-azure-core"),
    ("google-cloud-lro", "benchmark-google-cloud-lro"),
    ("graph-operation", "benchmark-graph-operation"),
];

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("RUSTC_WRAPPER");
    cargo
}

/// The crates that a contestant's user compiles.
fn crates(package: &str) -> Option<usize> {
    let output = cargo()
        .args(["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none"])
        .args(["--format", "{p}", "--package", package])
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let crates: BTreeSet<_> = text
        .lines()
        .map(|line| line.trim_end_matches(" (*)"))
        .filter(|line| !line.is_empty() && !line.starts_with("benchmark-"))
        .collect();
    Some(crates.len())
}

/// The CPU seconds that a contestant's clean build takes.
fn clean_build(package: &str) -> Option<f64> {
    let target = std::env::temp_dir().join(format!("{package}-{}", std::process::id()));
    let built = cpu::of_command(
        cargo()
            .args(["build", "--quiet", "--offline", "--locked", "--package", package])
            .arg("--target-dir")
            .arg(&target),
    );
    std::fs::remove_dir_all(&target).ok()?;
    let (spent, output) = built.ok()?;
    output.status.success().then_some(spent.as_secs_f64())
}

fn print_builds(clean: bool) {
    let counted = CONTESTANTS.map(|(name, package)| {
        let seconds = if clean { clean_build(package) } else { None };
        (name, crates(package), seconds)
    });
    let floor = counted[0].2;
    let rows: Vec<_> = counted
        .iter()
        .map(|(name, crates, seconds)| {
            row([
                name,
                &number(crates.and_then(|crates| u64::try_from(crates).ok())),
                &seconds.map_or("-".to_owned(), |seconds| format!("{seconds:.1}")),
                &seconds.zip(floor).map_or("-".to_owned(), |(it, floor)| ratio(it, floor)),
            ])
        })
        .collect();
    println!("### Builds, without an HTTP client of the program's own\n");
    table::print(&["", "crates", "clean build, CPU seconds", "ratio"], &rows);
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let runtime = graph_operation_benchmarks::runtime();
    let _entered = runtime.enter();
    azure::install();
    azure::set_waits(false);

    match arguments[..] {
        ["--only", name, which, checks] => {
            return if only(name, which, checks, &runtime).is_some() {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            };
        }
        [] => {
            print_checks(&runtime);
            print_waiting(&runtime);
            print_builds(false);
        }
        ["checks"] => print_checks(&runtime),
        ["waiting"] => print_waiting(&runtime),
        ["builds"] => print_builds(true),
        _ => {
            eprintln!("usage: peers [checks | waiting | builds]");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
