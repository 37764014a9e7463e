//! Every refusal, in the words that its author reads.

use std::path::Path;
use std::process::Command;

/// The messages of the compiler around ours change between releases: one of them is the reference.
const BLESSED_ON: &str = "1.95.0";

#[test]
fn refusals() {
    let version = rustc(&["--version"]);
    if version.split_whitespace().nth(1) != Some(BLESSED_ON) {
        println!("skipped: the messages are those of rustc {BLESSED_ON}, and this is {version}");
        return;
    }
    if Path::new(rustc(&["--print", "sysroot"]).trim()).join("lib/rustlib/src/rust").exists() {
        println!("skipped: with the component rust-src, the compiler quotes the standard library");
        return;
    }
    trybuild::TestCases::new().compile_fail("ui/*.rs");
}

fn rustc(arguments: &[&str]) -> String {
    let output = Command::new("rustc").args(arguments).output().expect("a compiler");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
