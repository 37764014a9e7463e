//! A soak over real HTTP: thousands of operations, a third of the answers faulty, and a process that
//! is killed again and again and goes on from its resume tokens.
//!
//! Every operation has to end once, with the right outcome, and none may be lost.
//!
//! ```console
//! $ cargo test --release -p graph-operation-tests --test soak -- --operations 10000
//! ```
//!
//! Without a number it is a small one.

mod journal;
mod worker;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use graph_operation_tests::simulator::{
    Behaviour, End, Failure, Fault, FaultPlan, Life, Occasion, OperationReport, Options, Simulator,
};

use crate::journal::{Journal, Outcome};

/// One operation in so many fails.
const FAILING: usize = 20;

/// How long the whole may take.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// What was asked for on the command line; what a test harness would be told is passed over.
struct Arguments {
    operations: usize,
    seed: u64,
    worker: Option<(String, PathBuf)>,
}

impl Arguments {
    fn read() -> Self {
        let mut arguments = Arguments { operations: 300, seed: 1, worker: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut next = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            match word.as_str() {
                "--operations" => arguments.operations = next().parse().expect("a number"),
                "--seed" => arguments.seed = next().parse().expect("a number"),
                "--worker" => arguments.worker = Some((next(), next().into())),
                _ => {}
            }
        }
        arguments
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::read();
    if let Some((root, journal)) = &arguments.worker {
        worker::work(root, journal, arguments.operations);
        return ExitCode::SUCCESS;
    }
    let folder = std::env::temp_dir().join(format!("graph-operation-soak-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the journal");
    let passed = soak(&arguments, &folder.join("journal"));
    let _ = std::fs::remove_dir_all(&folder);
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn team(number: usize) -> String {
    format!("team-{number}")
}

fn fails(number: usize) -> bool {
    number % FAILING == 7
}

fn soak(arguments: &Arguments, journal: &Path) -> bool {
    let begun = Instant::now();
    let faults = FaultPlan::new().random(Occasion::Check, 0.35, Fault::passing()).random(
        Occasion::Start,
        0.2,
        [Fault::ServiceUnavailable, Fault::HtmlBadGateway],
    );
    let mut options = Options::new().seed(arguments.seed).life(Life::checks(1, 2)).faults(faults);
    for number in (0..arguments.operations).filter(|&number| fails(number)) {
        let life = Life::checks(1, 1).ending(End::Failed(Failure::default()));
        options = options.behaviour_of(team(number), Behaviour::new().life(life));
    }
    let simulator = Simulator::spawn(options).expect("a simulator");

    let mut kills = 0;
    let mut pause = Pauses(arguments.seed);
    loop {
        assert!(begun.elapsed() < PATIENCE, "the soak takes too long");
        let mut worker = start_worker(&simulator, journal, arguments.operations);
        if ended_within(&mut worker, pause.next()) {
            break;
        }
        // SIGKILL: the process gets no chance to tidy up.
        worker.kill().expect("the worker can be killed");
        worker.wait().expect("the worker has ended");
        kills += 1;
    }
    report(&Journal::read(journal), &simulator, arguments.operations, kills, begun.elapsed())
}

fn start_worker(simulator: &Simulator, journal: &Path, operations: usize) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .arg("--worker")
        .arg(simulator.service_root())
        .arg(journal)
        .args(["--operations", &operations.to_string()])
        .spawn()
        .expect("a worker")
}

/// Whether the worker did all there was to do before its time came.
fn ended_within(worker: &mut Child, time: Duration) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < time {
        if let Some(status) = worker.try_wait().expect("the worker can be asked") {
            assert!(status.success(), "the worker failed: {status}");
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Random times to live, longer each time, so that the whole ends.
struct Pauses(u64);

impl Pauses {
    fn next(&mut self) -> Duration {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(150 + (self.0 >> 33) % 2_000)
    }
}

fn report(
    journal: &Journal,
    simulator: &Simulator,
    operations: usize,
    kills: u32,
    time: Duration,
) -> bool {
    let wrong: Vec<_> = (0..operations)
        .filter(|number| {
            let expected = if fails(*number) { Outcome::Failed } else { Outcome::Succeeded };
            journal.outcomes(*number) != [expected]
        })
        .collect();
    let seen: HashMap<String, OperationReport> =
        simulator.operations().into_iter().map(|seen| (seen.id.clone(), seen)).collect();
    // What a process that was killed had started and not yet written down; nobody can know of it.
    let known: HashSet<_> = journal.operation_ids().collect();
    let orphans = seen.keys().filter(|id| !known.contains(id.as_str())).count();
    let checks: u64 = seen.values().map(|seen| seen.checks).sum();
    let faults: u64 = seen.values().map(|seen| seen.faults).sum();
    let foreign = simulator.foreign_requests().len();

    println!("operations          {operations}");
    println!("  ended as expected {}", operations - wrong.len());
    println!("  resumed           {}", journal.resumed());
    println!("checks              {checks}");
    println!("  faulty            {faults} ({} %)", 100 * faults / checks.max(1));
    println!("processes killed    {kills}");
    println!("started and killed before it was written down: {orphans}");
    println!("requests elsewhere  {foreign}");
    println!("time                {:.1} s", time.as_secs_f64());
    for number in wrong.iter().take(10) {
        println!("wrong: {} ended as {:?}", team(*number), journal.outcomes(*number));
    }
    let passed = wrong.is_empty() && foreign == 0 && 5 * faults >= checks;
    println!("{} passed, {} failed", u32::from(passed), u32::from(!passed));
    passed
}
