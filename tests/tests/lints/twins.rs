//! An annotated function gets the warnings that it would get without the attribute, and no others.
//!
//! `functions.rs` is checked twice, once without its attributes, in a crate that asks for every group
//! of clippy's lints and for rustc's optional ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const FUNCTIONS: &str = include_str!("functions.rs");

/// The lints that an annotated function loses. The attribute moves its body into a block or a
/// closure, so that the function awaits, uses every argument and returns another type. Nor can it
/// be `const`.
const LOST: [&str; 9] = [
    "clippy::manual_async_fn",
    "clippy::missing_const_for_fn",
    "clippy::missing_errors_doc",
    "clippy::needless_pass_by_value",
    "clippy::needless_return",
    "clippy::toplevel_ref_arg",
    "clippy::unnecessary_wraps",
    "clippy::unused_async",
    "clippy::unused_self",
];

/// A lint, and the line and column of `functions.rs` that it is about.
type Warning = (String, u64, u64);

#[test]
fn twins() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    if !Command::new(&cargo)
        .args(["clippy", "--version"])
        .output()
        .is_ok_and(|o| o.status.success())
    {
        println!("skipped: clippy is not installed");
        return;
    }
    let package = generate().expect("a crate in the folder for temporary files");
    let output = Command::new(cargo)
        .args(["clippy", "--offline", "--quiet", "--message-format=json"])
        .current_dir(&package)
        .env("CARGO_TARGET_DIR", package.join("target"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo");
    let messages = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\n{}", rendered(&messages));

    let plain = warnings(&messages, "plain.rs");
    let annotated = warnings(&messages, "annotated.rs");
    assert!(plain.len() >= 150, "too few to compare: {plain:?}\n{errors}");
    // An assignment to a `self` that was passed by value: in a block, it is a captured variable, of
    // which the compiler knows that nothing reads it any more.
    let is_own = |line: u64| {
        let line = usize::try_from(line).ok().and_then(|line| FUNCTIONS.lines().nth(line - 1));
        line.is_some_and(|line| line.trim_start().starts_with("self"))
    };
    let added: Vec<_> = annotated
        .difference(&plain)
        .filter(|(lint, line, _)| !(lint == "unused_assignments" && is_own(*line)))
        .collect();
    assert!(added.is_empty(), "added: {added:#?}\n{}", rendered(&messages));
    let lost: Vec<_> =
        plain.difference(&annotated).filter(|(lint, ..)| !LOST.contains(&lint.as_str())).collect();
    assert!(lost.is_empty(), "lost: {lost:#?}\n{}", rendered(&messages));
}

/// A crate with both kinds.
fn generate() -> std::io::Result<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("twins");
    fs::create_dir_all(package.join("src"))?;
    fs::copy(workspace.join("Cargo.lock"), package.join("Cargo.lock"))?;
    fs::write(
        package.join("Cargo.toml"),
        format!(
            "[package]\nname = \"twins\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dependencies]\nbytes = \"1\"\nhttp = \"1\"\n\
             graph-operation = {{ path = {:?}, features = [\"blocking\"] }}\n",
            workspace.join("runtime").display().to_string()
        ),
    )?;
    fs::write(package.join("src/lib.rs"), LIB)?;
    fs::write(package.join("src/annotated.rs"), FUNCTIONS)?;
    fs::write(package.join("src/plain.rs"), without_attributes(FUNCTIONS))?;
    Ok(package)
}

const LIB: &str = "//! Generated.
#![warn(clippy::all, clippy::pedantic, clippy::nursery, clippy::cargo)]
#![warn(
    absolute_paths_not_starting_with_crate,
    ambiguous_negative_literals,
    closure_returning_async_block,
    deprecated_safe_2024,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    if_let_rescope,
    impl_trait_overcaptures,
    impl_trait_redundant_captures,
    keyword_idents_2024,
    let_underscore_drop,
    meta_variable_misuse,
    missing_copy_implementations,
    missing_debug_implementations,
    missing_docs,
    non_ascii_idents,
    redundant_imports,
    redundant_lifetimes,
    rust_2021_incompatible_closure_captures,
    rust_2024_incompatible_pat,
    rust_2024_prelude_collisions,
    single_use_lifetimes,
    tail_expr_drop_order,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unnameable_types,
    unreachable_pub,
    unsafe_code,
    unsafe_op_in_unsafe_fn,
    unused_extern_crates,
    unused_import_braces,
    unused_lifetimes,
    unused_macro_rules,
    unused_qualifications,
    unused_results,
    variant_size_differences
)]

pub mod annotated;
pub mod plain;
";

/// The source without the attribute. Every line stays where it was.
fn without_attributes(source: &str) -> String {
    let plain = |line: &str| {
        if line.trim_start().starts_with("#[async_operation") {
            // Another attribute in its place, which affects no lint.
            "#[rustfmt::skip]\n".to_owned()
        } else {
            line.replace("use graph_operation::async_operation;", "") + "\n"
        }
    };
    source.lines().map(plain).collect()
}

fn warnings(messages: &str, file: &str) -> BTreeSet<Warning> {
    let mut warnings = BTreeSet::new();
    for message in messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let message = &message["message"];
        let Some(lint) = message["code"]["code"].as_str() else { continue };
        let spans = message["spans"].as_array().cloned().unwrap_or_default();
        for span in spans.iter().filter(|span| span["is_primary"] == true) {
            if span["file_name"].as_str().is_some_and(|name| name.ends_with(file)) {
                let place = |key: &str| span[key].as_u64().unwrap_or_default();
                let warning = (lint.to_owned(), place("line_start"), place("column_start"));
                warnings.insert(warning);
            }
        }
    }
    warnings
}

fn rendered(messages: &str) -> String {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|message| Some(message["message"]["rendered"].as_str()?.to_owned()))
        .collect()
}
