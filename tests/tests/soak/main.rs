//! A soak over real HTTP: thousands of operations, a third of the answers faulty, and a process that
//! is killed again and again and continues from its resume tokens. It has a handle for each operation,
//! or follows all of them in sets.
//!
//! Every operation has to end once, with the right outcome, and none may be lost.
//!
//! ```console
//! $ cargo test --release -p graph-operation-tests --test soak -- --operations 10000
//! ```
//!
//! Without a number both parts are small. `--by handles` and `--by sets` run one of them alone.

mod client;
mod handles;
mod journal;
mod sets;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::time::{Duration, Instant};

use graph_operation_tests::simulator::{
    Behaviour, End, Failure, Fault, FaultPlan, Life, Occasion, OperationReport, Options, Recorded,
    Simulator,
};

use crate::journal::{Journal, Outcome};

/// One operation in so many fails.
const FAILING: usize = 20;

/// How long the soak may take.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// The command line. Arguments of a test harness are ignored.
struct Arguments {
    operations: usize,
    seed: u64,
    by: Vec<By>,
    worker: Option<(String, PathBuf)>,
}

/// How a worker follows its operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Handles,
    Sets,
}

impl By {
    fn name(self) -> &'static str {
        match self {
            By::Handles => "handles",
            By::Sets => "sets",
        }
    }

    fn named(name: &str) -> Self {
        let all = [By::Handles, By::Sets];
        let by = all.into_iter().find(|by| by.name() == name);
        by.unwrap_or_else(|| panic!("`{name}` is neither `handles` nor `sets`"))
    }
}

impl Arguments {
    fn read() -> Self {
        let by = vec![By::Handles, By::Sets];
        let mut arguments = Arguments { operations: 300, seed: 1, by, worker: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut next = || words.next().unwrap_or_else(|| panic!("{word} needs a value"));
            match word.as_str() {
                "--operations" => arguments.operations = next().parse().expect("a number"),
                "--seed" => arguments.seed = next().parse().expect("a number"),
                "--by" => arguments.by = vec![By::named(&next())],
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
        match arguments.by[..] {
            [By::Sets] => sets::work(root, journal, arguments.operations),
            _ => handles::work(root, journal, arguments.operations),
        }
        return ExitCode::SUCCESS;
    }
    let folder = std::env::temp_dir().join(format!("graph-operation-soak-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder for the journal");
    let soak = |by: &By| soak(&arguments, *by, &folder.join(by.name()));
    let passed = arguments.by.iter().map(soak).filter(|passed| *passed).count();
    let _ = std::fs::remove_dir_all(&folder);
    let failed = arguments.by.len() - passed;
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn team(number: usize) -> String {
    format!("team-{number}")
}

fn fails(number: usize) -> bool {
    number % FAILING == 7
}

/// Which answers are faulty, and how often. A check in a batch is a check and an item.
fn faults() -> FaultPlan {
    // A 200 to a start would mean that the service has finished already.
    let passing = Fault::passing().into_iter();
    let passing = passing.filter(|fault| !matches!(fault, Fault::HtmlOk | Fault::EmptyBody));
    let items = passing.chain(Fault::of_items());
    FaultPlan::new()
        .random(Occasion::Check, 0.35, Fault::passing())
        .random(Occasion::Start, 0.2, [Fault::ServiceUnavailable, Fault::HtmlBadGateway])
        .random(Occasion::Item, 0.1, items)
        .random(Occasion::Batch, 0.1, Fault::passing())
}

fn soak(arguments: &Arguments, by: By, journal: &Path) -> bool {
    let start = Instant::now();
    let mut options = Options::new().seed(arguments.seed).life(Life::checks(1, 2)).faults(faults());
    for number in (0..arguments.operations).filter(|&number| fails(number)) {
        let life = Life::checks(1, 1).ending(End::Failed(Failure::default()));
        options = options.behaviour_of(team(number), Behaviour::new().life(life));
    }
    let simulator = Simulator::spawn(options).expect("a simulator");

    let mut kills = 0;
    let mut pause = Pauses(arguments.seed);
    loop {
        assert!(start.elapsed() < PATIENCE, "the soak takes too long");
        let mut worker = start_worker(&simulator, by, journal, arguments.operations);
        if ended_within(&mut worker, pause.next()) {
            break;
        }
        // SIGKILL: the process gets no chance to tidy up.
        worker.kill().expect("the worker can be killed");
        worker.wait().expect("the worker has ended");
        kills += 1;
    }
    let journal = Journal::read(journal);
    let passed = report(&journal, &simulator, arguments.operations, by, kills);
    println!("time                {:.1} s\n", start.elapsed().as_secs_f64());
    passed
}

fn start_worker(simulator: &Simulator, by: By, journal: &Path, operations: usize) -> Child {
    Command::new(std::env::current_exe().expect("this program"))
        .arg("--worker")
        .arg(simulator.service_root())
        .arg(journal)
        .args(["--operations", &operations.to_string(), "--by", by.name()])
        .spawn()
        .expect("a worker")
}

/// Whether the worker finished everything in this time.
fn ended_within(worker: &mut Child, time: Duration) -> bool {
    let start = Instant::now();
    while start.elapsed() < time {
        if let Some(status) = worker.try_wait().expect("the worker can be asked") {
            assert!(status.success(), "the worker failed: {status}");
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// Random lifetimes of workers. Each is longer than the one before, so that the soak ends.
struct Pauses(u64);

impl Pauses {
    fn next(&mut self) -> Duration {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis(150 + (self.0 >> 33) % 2_000)
    }
}

/// The number of requests of one kind, and how many of them were answered with a fault.
struct Faulty {
    all: usize,
    faulty: usize,
}

impl Faulty {
    fn of(requests: &[Recorded], is: impl Fn(&Recorded) -> bool) -> Self {
        let all: Vec<_> = requests.iter().filter(|request| is(request)).collect();
        // A batch is late if one of its items is.
        let is_faulty = |fault: &Fault| !matches!(fault, Fault::Slow(_));
        let faulty = all.iter().filter(|request| request.fault.as_ref().is_some_and(is_faulty));
        let faulty = faulty.count();
        Faulty { all: all.len(), faulty }
    }

    fn print(&self, name: &str) {
        println!("{name:<20}{}", self.all);
        println!("  faulty            {} ({} %)", self.faulty, 100 * self.faulty / self.all.max(1));
    }
}

fn report(journal: &Journal, simulator: &Simulator, operations: usize, by: By, kills: u32) -> bool {
    let wrong: Vec<_> = (0..operations)
        .filter(|number| {
            let expected = if fails(*number) { Outcome::Failed } else { Outcome::Succeeded };
            journal.outcomes(*number) != [expected]
        })
        .collect();
    let seen: HashMap<String, OperationReport> =
        simulator.operations().into_iter().map(|seen| (seen.id.clone(), seen)).collect();
    // What a killed process had started, but not yet written to the journal. Nobody can know of it.
    let known: HashSet<_> = journal.operation_ids().collect();
    let orphans = seen.keys().filter(|id| !known.contains(id.as_str())).count();
    let foreign = simulator.foreign_requests().len();
    let requests = simulator.requests();
    let alone = Faulty::of(&requests, |request| {
        request.occasion == Some(Occasion::Check) && request.batch.is_none()
    });

    println!("operations          {operations}, by {}", by.name());
    println!("  ended as expected {}", operations - wrong.len());
    println!("  resumed           {}", journal.resumed());
    alone.print("checks alone");
    let enough = match by {
        By::Handles => 4 * alone.faulty >= alone.all,
        By::Sets => {
            let items = Faulty::of(&requests, |request| request.batch.is_some());
            items.print("items of batches");
            let batches =
                Faulty::of(&requests, |request| request.occasion == Some(Occasion::Batch));
            batches.print("batches");
            4 * items.faulty >= items.all
                && 20 * batches.faulty >= batches.all
                && items.all > operations
        }
    };
    println!("processes killed    {kills}");
    println!("started and killed before it was written down: {orphans}");
    println!("requests elsewhere  {foreign}");
    for number in wrong.iter().take(10) {
        println!("wrong: {} ended as {:?}", team(*number), journal.outcomes(*number));
    }
    wrong.is_empty() && foreign == 0 && enough
}
