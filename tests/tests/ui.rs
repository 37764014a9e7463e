//! Every refusal, with the message that an author reads.

use std::path::Path;
use std::process::Command;

/// The compiler's messages around ours change between releases, so one release is the reference.
const BLESSED_ON: &str = "1.95.0";

#[test]
fn refusals() {
    let version = rustc(&["--version"]);
    if version.split_whitespace().nth(1) != Some(BLESSED_ON) {
        return skip(&format!(
            "the messages are those of rustc {BLESSED_ON}, and this is {version}"
        ));
    }
    if Path::new(rustc(&["--print", "sysroot"]).trim()).join("lib/rustlib/src/rust").exists() {
        return skip("with the component rust-src, the compiler quotes the standard library");
    }
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}

/// Skips the suite, or fails if the refusals are `required`, as in the CI job with the right
/// compiler.
fn skip(reason: &str) {
    let required = std::env::var_os("GRAPH_OPERATION_REFUSALS").is_some_and(|is| is == "required");
    assert!(!required, "the refusals are required, but {reason}");
    println!("skipped: {reason}");
}

fn rustc(arguments: &[&str]) -> String {
    let output = Command::new("rustc").args(arguments).output().expect("a compiler");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
