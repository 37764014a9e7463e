//! What `#[async_operation]` costs in a user's `cargo check`, compared with other attributes.
//!
//! `cargo run --release --manifest-path tests/benchmarks/Cargo.toml --bin compile-time [-- --instructions]`

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

use graph_operation_benchmarks::cpu;
use graph_operation_benchmarks::table::{self, row};

const FUNCTIONS: u32 = 1_000;
const ROUNDS: usize = 5;

/// The library that each style is written in.
const CLIENT: &str = r#"//! Generated.
use bytes::Bytes;
use graph_operation::Client;
use http::{Request, Response, Uri};

#[derive(Clone, Debug)]
pub struct Graph {
    service_root: Uri,
}

impl Client for Graph {
    type Error = graph_operation::Error;

    fn service_root(&self) -> &Uri {
        &self.service_root
    }

    async fn send(&self, _: Request<Bytes>) -> graph_operation::Result<Response<Bytes>> {
        Ok(Response::default())
    }
}

impl Graph {
    async fn post(&self, url: String) -> graph_operation::Result<Response<Bytes>> {
        let request = Request::post(url).body(Bytes::new()).expect("a URL");
        self.send(request).await
    }
}
"#;

/// What the attribute writes before a function's body.
const GENERATED: &str = "\
    ::graph_operation::__private::client(self).begin::<_, _, _, _, _, _>(async move {
        if false {
            return ::graph_operation::__private::never::<
                graph_operation::Result<Response<Bytes>>,
            >();
        }
        {";

/// How the functions are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    Hand,
    Attribute,
    /// What the attribute generates, without the attribute.
    Generated,
    /// Hand-written, with an attribute that only parses and prints the signature.
    Signature,
    /// One trait with all functions.
    AsyncTrait,
    /// A trait for each function.
    AsyncTraits,
    Instrument,
    Bon,
}

const STYLES: [Style; 9] = [
    Style::Plain,
    Style::Hand,
    Style::Attribute,
    Style::Generated,
    Style::Signature,
    Style::AsyncTrait,
    Style::AsyncTraits,
    Style::Instrument,
    Style::Bon,
];

impl Style {
    fn name(self) -> &'static str {
        match self {
            Style::Plain => "plain `async fn`",
            Style::Hand => "the same calling `Operation::from_response`",
            Style::Attribute => "`#[async_operation]`",
            Style::Generated => "the code that `#[async_operation]` generates",
            Style::Signature => "hand-written, its signature parsed by an attribute",
            Style::AsyncTrait => "`#[async_trait]`, one trait with all",
            Style::AsyncTraits => "`#[async_trait]`, a trait for each",
            Style::Instrument => "`#[tracing::instrument]`",
            Style::Bon => "`#[bon::builder]`",
        }
    }

    /// What the style adds something to.
    fn base(self) -> Self {
        match self {
            Style::Attribute | Style::Generated | Style::Signature => Style::Hand,
            _ => Style::Plain,
        }
    }

    fn package(self) -> String {
        format!("style-{self:?}").to_lowercase()
    }

    /// A library with a client and its request functions.
    fn source(self) -> String {
        let plain = "graph_operation::Result<Response<Bytes>>";
        let operation = "graph_operation::Result<graph_operation::Operation>";
        let (before, attribute, result) = match self {
            Style::Plain => ("impl Graph {", "", plain),
            Style::Hand | Style::Generated => ("impl Graph {", "", operation),
            Style::Signature => ("impl Graph {", "#[benchmark_signature::signature]", operation),
            Style::Attribute => ("impl Graph {", "#[graph_operation::async_operation]", plain),
            Style::AsyncTrait => {
                ("#[async_trait::async_trait]\nimpl Requests for Graph {", "", plain)
            }
            Style::AsyncTraits => ("", "", plain),
            Style::Instrument => ("impl Graph {", "#[tracing::instrument(skip(self))]", plain),
            Style::Bon => ("#[bon::bon]\nimpl Graph {", "#[builder]", plain),
        };
        let visibility = match self {
            Style::AsyncTrait | Style::AsyncTraits => "",
            _ => "pub ",
        };
        let last = match self {
            Style::Hand | Style::Signature => {
                "graph_operation::Operation::from_response(self.clone(), response).await"
            }
            _ => "Ok(response)",
        };
        let (open, close) = match self {
            Style::Generated => (GENERATED, "} }).await"),
            _ => ("", ""),
        };
        let declared = |function| {
            format!("    async fn archive_{function}(&self, team_id: &str) -> {result};\n")
        };
        let mut source = CLIENT.to_owned();
        if self == Style::AsyncTrait {
            let declared: String = (0..FUNCTIONS).map(declared).collect();
            let _ = write!(
                source,
                "\n#[async_trait::async_trait]\npub trait Requests {{\n{declared}}}\n"
            );
        }
        let _ = writeln!(source, "\n{before}");
        for function in 0..FUNCTIONS {
            if self == Style::AsyncTraits {
                let _ = writeln!(
                    source,
                    "#[async_trait::async_trait]\npub trait Request{function} {{\n{}}}\n\n\
                     #[async_trait::async_trait]\nimpl Request{function} for Graph {{",
                    declared(function)
                );
            }
            let _ = writeln!(
                source,
                r#"    {attribute}
    {visibility}async fn archive_{function}(&self, team_id: &str) -> {result} {{
        {open}
        let url = self.url_of(["teams", team_id, "archive{function}"])?;
        let response = self.post(url).await?;
        {last}
        {close}
    }}
"#
            );
            if self == Style::AsyncTraits {
                source += "}\n";
            }
        }
        if self != Style::AsyncTraits {
            source += "}\n";
        }
        source
    }
}

/// A workspace with a package for each style.
struct Workspace {
    root: PathBuf,
    /// The compiler itself, not rustup's proxy.
    rustc: PathBuf,
}

impl Workspace {
    fn create() -> io::Result<Self> {
        let root = std::env::temp_dir()
            .join(format!("graph-operation-compile-time-{}", std::process::id()));
        let benchmarks = Path::new(env!("CARGO_MANIFEST_DIR"));
        let runtime = benchmarks.join("../../runtime").canonicalize()?;
        let signature = benchmarks.join("contestants/signature");
        let manifest = fs::read_to_string(benchmarks.join("Cargo.toml"))?;
        let dependencies: String = ["async-trait", "bon", "bytes", "http", "tracing"]
            .iter()
            .filter_map(|name| manifest.lines().find(|line| line.starts_with(&format!("{name} ="))))
            .fold(String::new(), |lines, line| lines + line + "\n");
        for style in STYLES {
            let package = root.join(style.package());
            fs::create_dir_all(package.join("src"))?;
            fs::write(package.join("src/lib.rs"), style.source())?;
            fs::write(
                package.join("Cargo.toml"),
                format!(
                    "[package]\nname = \"{}\"\nedition = \"2024\"\n\n[dependencies]\n\
                     graph-operation = {{ path = \"{}\" }}\n\
                     benchmark-signature = {{ path = \"{}\" }}\n{dependencies}",
                    style.package(),
                    runtime.display(),
                    signature.display()
                ),
            )?;
        }
        fs::write(
            root.join("Cargo.toml"),
            "[workspace]\nresolver = \"3\"\nmembers = [\"style-*\"]\n",
        )?;
        fs::copy(benchmarks.join("Cargo.lock"), root.join("Cargo.lock"))?;
        let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output()?;
        let sysroot = String::from_utf8_lossy(&sysroot.stdout).trim().to_owned();
        let rustc = Path::new(&sysroot).join("bin/rustc");
        Ok(Workspace { root, rustc })
    }

    /// Checks one package, and returns what its compiler spent.
    fn check(&self, style: Style, instructions: bool) -> io::Result<f64> {
        let report = self.root.join("report");
        fs::write(&report, "")?;
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["check", "--offline", "--quiet", "--package", &style.package()])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .env("CARGO_INCREMENTAL", "1")
            .env("RUSTC_WRAPPER", std::env::current_exe()?)
            .env(RUSTC, &self.rustc)
            .env(REPORT, &report)
            .env(MEASURED, style.package().replace('-', "_"))
            .env(INSTRUCTIONS, if instructions { "1" } else { "0" })
            .output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        fs::read_to_string(&report)?.trim().parse().map_err(io::Error::other)
    }

    fn clean(&self, style: Style) -> io::Result<f64> {
        let removed = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["clean", "--offline", "--quiet", "--package", &style.package()])
            .current_dir(&self.root)
            .env("CARGO_TARGET_DIR", self.root.join("target"))
            .status()?;
        assert!(removed.success(), "cargo clean failed");
        self.check(style, false)
    }

    fn touched(&self, style: Style, instructions: bool) -> io::Result<f64> {
        let source = self.root.join(style.package()).join("src/lib.rs");
        fs::File::options().write(true).open(source)?.set_modified(SystemTime::now())?;
        self.check(style, instructions)
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.root);
    }
}

const RUSTC: &str = "COMPILE_TIME_RUSTC";
const REPORT: &str = "COMPILE_TIME_REPORT";
const MEASURED: &str = "COMPILE_TIME_MEASURED";
const INSTRUCTIONS: &str = "COMPILE_TIME_INSTRUCTIONS";

/// Runs in the compiler's place, and reports what the compiler spends on the measured crate.
fn wrap(report: &Path) -> io::Result<ExitCode> {
    let rustc = PathBuf::from(std::env::var_os(RUSTC).unwrap_or_else(|| "rustc".into()));
    let arguments: Vec<_> = std::env::args().skip(2).collect();
    let measured = std::env::var(MEASURED).unwrap_or_default();
    let is_measured =
        arguments.windows(2).any(|pair| pair[0] == "--crate-name" && pair[1] == measured);
    let status = if is_measured && std::env::var(INSTRUCTIONS).is_ok_and(|value| value == "1") {
        let log = report.with_extension("valgrind");
        let status = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(format!("--log-file={}", log.display()))
            .arg(&rustc)
            .args(&arguments)
            .status()?;
        let collected = cpu::collected(&fs::read_to_string(log)?);
        fs::write(report, collected.unwrap_or_default().to_string())?;
        status
    } else {
        let status = Command::new(&rustc).args(&arguments).status()?;
        if is_measured {
            fs::write(report, cpu::of_children().as_secs_f64().to_string())?;
        }
        status
    };
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn decimal(value: f64) -> String {
    if value.is_nan() { "-".to_owned() } else { format!("{value:.2}") }
}

fn compare(instructions: bool) -> io::Result<()> {
    let workspace = Workspace::create()?;
    // The dependencies, which are not measured.
    for style in STYLES {
        workspace.check(style, false)?;
    }
    // Valgrind makes a build fifty times as slow, so only one build after a touch is counted.
    let rounds = if instructions { 1 } else { ROUNDS };
    let mut measured = STYLES.map(|style| (style, f64::NAN, f64::NAN));
    // In turn: if the machine becomes slower, it does so for all styles.
    for _ in 0..rounds {
        for (style, clean, touched) in &mut measured {
            if !instructions {
                *clean = clean.min(workspace.clean(*style)?);
            }
            *touched = touched.min(workspace.touched(*style, instructions)?);
        }
    }

    // Milliseconds, or millions of instructions.
    let unit = if instructions { 1e6 } else { 1e-3 } * f64::from(FUNCTIONS);
    let of = |wanted| measured.iter().find(|(style, ..)| *style == wanted).copied();
    let (Some(plain), Some(hand), Some(other)) =
        (of(Style::Plain), of(Style::Hand), of(Style::AsyncTrait))
    else {
        unreachable!("all styles were measured")
    };
    let rows: Vec<_> = measured
        .iter()
        .map(|&(style, clean, touched)| {
            let base = if style.base() == Style::Hand { hand } else { plain };
            let above = |value: f64, base: f64| match style {
                Style::Plain => "-".to_owned(),
                _ => decimal((value - base) / unit),
            };
            row([
                &style.name(),
                &decimal(clean / unit),
                &above(clean, base.1),
                &decimal(touched / unit),
                &above(touched, base.2),
                &if style == Style::Plain { "-" } else { base.0.name() },
            ])
        })
        .collect();
    let what = if instructions { "Mega-instructions" } else { "CPU milliseconds" };
    println!("### {what} of `cargo check` for each function, of {FUNCTIONS}\n");
    table::print(&["", "clean", "above", "after a touch", "above", "the base"], &rows);
    if let (Some(ours), Some(generated), Some(signature), Some(others)) =
        (of(Style::Attribute), of(Style::Generated), of(Style::Signature), of(Style::AsyncTraits))
    {
        let above = ours.2 - hand.2;
        println!(
            "After a touch, `#[async_operation]` takes {:.2} more than its hand-written twin. That is \
             {:.3} of the overhead of `#[async_trait]` with one trait, and {:.3} of that with a \
             trait for each. The generated code takes {:.2} of it without the attribute, and \
             parsing a signature with syn takes {:.2}.\n",
            above / unit,
            above / (other.2 - plain.2),
            above / (others.2 - plain.2),
            (generated.2 - hand.2) / unit,
            (signature.2 - hand.2) / unit
        );
    }
    Ok(())
}

fn main() -> ExitCode {
    if let Some(report) = std::env::var_os(REPORT) {
        return wrap(Path::new(&report)).unwrap_or(ExitCode::FAILURE);
    }
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let instructions = match arguments.as_slice() {
        [] => false,
        [flag] if flag == "--instructions" => true,
        _ => {
            eprintln!("usage: compile-time [--instructions]");
            return ExitCode::FAILURE;
        }
    };
    match compare(instructions) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
