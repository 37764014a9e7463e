//! A set of many operations compared with a hand-made queue, and with as many futures.
//!
//! `cargo run --release --manifest-path tests/benchmarks/Cargo.toml --bin sets`

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::time::Duration;

use benchmark_azure_core as azure;
use benchmark_floor as floor;
use benchmark_floor::queue::Queue;
use benchmark_google_cloud_lro as google;
use benchmark_google_cloud_lro::Poller as _;
use benchmark_graph_operation as graph;
use benchmark_wire::batch::Batches;
use benchmark_wire::{Script, Wire};
use graph_operation_benchmarks::allocations::{Allocations, Counting};
use graph_operation_benchmarks::cpu;
use graph_operation_benchmarks::futures::ready;
use graph_operation_benchmarks::table::{self, number, ratio, row};
use tokio::runtime::Runtime;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Who follows many operations, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follower {
    QueueStatus,
    QueueFull,
    Core,
    Set,
    FloorFutures,
    AzureFutures,
    GoogleFutures,
    GraphFutures,
}

const FOLLOWERS: [Follower; 8] = [
    Follower::QueueStatus,
    Follower::QueueFull,
    Follower::Core,
    Follower::Set,
    Follower::FloorFutures,
    Follower::AzureFutures,
    Follower::GoogleFutures,
    Follower::GraphFutures,
];

/// Two numbers of rounds, whose difference is what a check costs.
const FEW: usize = 2;
const MANY: usize = 8;

/// How many times the time is measured. The quickest counts.
const TIMES: usize = 12;

type Waiting = Pin<Box<dyn Future<Output = bool> + Send>>;

/// What the checks cost, by check, and how many requests a round took.
#[derive(Clone, Copy, Debug)]
struct Cost {
    nanoseconds: f64,
    instructions: Option<u64>,
    allocations: f64,
    requests: usize,
}

impl Follower {
    fn name(self) -> &'static str {
        match self {
            Follower::QueueStatus => "hand-made queue: status alone",
            Follower::QueueFull => "hand-made queue: full model",
            Follower::Core => "graph-operation: `protocol::Set`",
            Follower::Set => "graph-operation: `OperationSet`",
            Follower::FloorFutures => "futures: by hand, full model",
            Follower::AzureFutures => "futures: azure_core `Poller`",
            Follower::GoogleFutures => "futures: google-cloud-lro",
            Follower::GraphFutures => "futures: graph-operation",
        }
    }

    /// Follows this many operations for this many rounds, and returns the number of requests.
    fn run(self, operations: usize, rounds: usize, script: Script, runtime: &Runtime) -> usize {
        let batches = || Batches::new(operations, script, rounds);
        match self {
            Follower::QueueStatus => {
                let wire = batches();
                Queue::<floor::StatusOnly>::new(wire.clone(), operations).run();
                wire.requests()
            }
            Follower::QueueFull => {
                let wire = batches();
                Queue::<floor::Operation>::new(wire.clone(), operations).run();
                wire.requests()
            }
            Follower::Core => {
                let wire = batches();
                graph::set::Core::new(wire.clone(), operations).run();
                wire.requests()
            }
            Follower::Set => {
                let wire = batches();
                ready(graph::set::run(graph::set::operations(wire.clone(), operations)));
                wire.requests()
            }
            _ => {
                let tasks: Vec<_> = (0..operations)
                    .map(|_| runtime.spawn(self.wait(Wire::ending(script, rounds))))
                    .collect();
                for task in tasks {
                    assert!(runtime.block_on(task).expect("no panic"));
                }
                operations * rounds
            }
        }
    }

    /// Waits for one operation, a millisecond between two checks.
    fn wait(self, wire: Wire) -> Waiting {
        let wait = Duration::from_millis(1);
        match self {
            Follower::FloorFutures => {
                Box::pin(async move { floor::Client::new(wire).wait(wait).await.is_ok() })
            }
            Follower::AzureFutures => {
                Box::pin(async move { azure::by_hand(wire, wait).await.is_ok() })
            }
            Follower::GoogleFutures => {
                Box::pin(async move { google::poller(wire, wait).until_done().await.is_ok() })
            }
            _ => {
                let polling = graph::every(wait).first_check(Duration::ZERO);
                let operation = ready(graph::operation(wire, polling, graph::Pace::Waits));
                Box::pin(async move { operation.await.is_ok() })
            }
        }
    }

    fn cost(self, operations: usize, script: Script, runtime: &Runtime) -> Cost {
        let run = |rounds| {
            let (time, before) = (cpu::of_thread(), Allocations::now());
            let requests = self.run(operations, rounds, script, runtime);
            (cpu::of_thread().saturating_sub(time), Allocations::now() - before, requests)
        };
        let mut times = [Duration::MAX; 2];
        let mut made = [(0, 0); 2];
        for _ in 0..TIMES {
            for (at, rounds) in [FEW, MANY].into_iter().enumerate() {
                let (time, allocations, requests) = run(rounds);
                times[at] = times[at].min(time);
                made[at] = (allocations.calls, requests);
            }
        }
        let checks = operations * (MANY - FEW);
        let [few, many] = made;
        #[expect(clippy::cast_precision_loss, reason = "no count is that large")]
        let each = |count: i64| count as f64 / checks as f64;
        Cost {
            nanoseconds: each(
                i64::try_from(times[1].saturating_sub(times[0]).as_nanos()).unwrap_or(i64::MAX),
            ),
            instructions: self.instructions(operations, script),
            allocations: each(many.0 - few.0),
            requests: (many.1 - few.1) / (MANY - FEW),
        }
    }

    /// The difference between two runs of this program that do nothing else.
    fn instructions(self, operations: usize, script: Script) -> Option<u64> {
        let program = std::env::current_exe().ok()?;
        let (follower, script) = (format!("{self:?}"), format!("{script:?}"));
        let run = |rounds: usize| {
            let counts = [operations.to_string(), rounds.to_string()];
            cpu::instructions(&program, &["--only", &follower, &script, &counts[0], &counts[1]])
        };
        let checks = u64::try_from(operations * (MANY - FEW)).ok()?;
        Some(run(MANY)?.checked_sub(run(FEW)?)? / checks)
    }

    /// The bytes that each of this many operations keeps between two checks; `None` for futures, which
    /// the other program measures.
    fn live(self, operations: usize) -> Option<i64> {
        let wire = Batches::new(operations, Script::Owned, usize::MAX);
        let before = Allocations::now();
        let kept: Box<dyn std::any::Any> = match self {
            Follower::QueueStatus => {
                let mut queue = Queue::<floor::StatusOnly>::new(wire.clone(), operations);
                while wire.checks() < operations {
                    assert!(queue.turn());
                }
                Box::new(queue)
            }
            Follower::QueueFull => {
                let mut queue = Queue::<floor::Operation>::new(wire.clone(), operations);
                while wire.checks() < operations {
                    assert!(queue.turn());
                }
                Box::new(queue)
            }
            Follower::Core => {
                let mut core = graph::set::Core::new(wire.clone(), operations);
                while wire.checks() < operations {
                    assert!(core.turn());
                }
                Box::new(core)
            }
            Follower::Set => {
                let mut set = graph::set::operations(wire.clone(), operations);
                for _ in 0..operations {
                    assert!(ready(set.next_event()).is_some());
                }
                Box::new(set)
            }
            _ => return None,
        };
        let live = (Allocations::now() - before).live;
        drop(kept);
        Some(live / i64::try_from(operations).unwrap_or(1))
    }
}

fn only(arguments: &[&str], runtime: &Runtime) -> Option<()> {
    let [follower, script, operations, rounds] = arguments else { return None };
    let follower = FOLLOWERS.into_iter().find(|known| format!("{known:?}") == *follower)?;
    let script = [Script::Same, Script::Changing]
        .into_iter()
        .find(|known| format!("{known:?}") == *script)?;
    follower.run(operations.parse().ok()?, rounds.parse().ok()?, script, runtime);
    Some(())
}

fn print_costs(script: Script, operations: usize, runtime: &Runtime) {
    let costs: Vec<_> = FOLLOWERS
        .into_iter()
        .map(|follower| (follower, follower.cost(operations, script, runtime)))
        .collect();
    let (_, floor) = costs[0];
    let rows: Vec<_> = costs
        .iter()
        .map(|(follower, cost)| {
            #[expect(clippy::cast_precision_loss, reason = "no count is that large")]
            let instructions = match (cost.instructions, floor.instructions) {
                (Some(cost), Some(floor)) => ratio(cost as f64, floor as f64),
                _ => "-".to_owned(),
            };
            row([
                &follower.name(),
                &format!("{:.0}", cost.nanoseconds),
                &ratio(cost.nanoseconds, floor.nanoseconds),
                &number(cost.instructions),
                &instructions,
                &format!("{:.1}", cost.allocations),
                &number(u64::try_from(cost.requests).ok()),
                &number(follower.live(operations).and_then(|live| u64::try_from(live).ok())),
            ])
        })
        .collect();
    let answer = match script {
        Script::Same => "the answer is the same as before",
        _ => "the answer has changed",
    };
    println!("### A check of one of {} operations, {answer}\n", number(Some(operations as u64)));
    let header = [
        "",
        "ns",
        "ratio",
        "instructions",
        "ratio",
        "allocations",
        "requests a round",
        "live bytes",
    ];
    table::print(&header, &rows);
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let runtime = graph_operation_benchmarks::runtime();
    let _entered = runtime.enter();
    azure::install();
    azure::set_waits(true);
    match arguments[..] {
        ["--only", ref only_one @ ..] if only(only_one, &runtime).is_some() => {}
        [] => {
            for operations in [1_000, 10_000] {
                for script in [Script::Changing, Script::Same] {
                    print_costs(script, operations, &runtime);
                }
            }
        }
        _ => {
            eprintln!("usage: sets");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
