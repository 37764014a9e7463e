//! The machine under arbitrary bytes: what a fuzzer does for hours, done for a moment.

use std::path::Path;

use graph_operation_tests::machine::{decode, drive, locate, throttle};
use proptest::collection::vec;
use proptest::prelude::*;

/// Something like an address.
fn address() -> impl Strategy<Value = String> {
    let scheme = prop_oneof![Just(""), Just("https:"), Just("http:"), Just("HTTPS:"), Just("x:")];
    let slashes =
        prop_oneof![Just(""), Just("/"), Just("//"), Just("///"), Just("/\\"), Just("\\\\")];
    let host = prop_oneof![
        Just("graph.microsoft.com"),
        Just("GRAPH.microsoft.com:443"),
        Just("graph.microsoft.com:80"),
        Just("graph.microsoft.com@evil.example"),
        Just("u:p@graph.microsoft.com"),
        Just("evil.example"),
        Just("graph.microsoft.com."),
        Just("[::1]"),
        Just(""),
    ];
    (scheme, slashes, host, "[/a-z0-9.%'():@?#&=,\\\\ ]{0,20}")
        .prop_map(|(scheme, slashes, host, path)| format!("{scheme}{slashes}{host}{path}"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn the_machine_keeps_its_promises(bytes in vec(any::<u8>(), 0..400)) {
        drive(&bytes);
    }

    #[test]
    fn no_address_leaves_the_origin(bytes in vec(any::<u8>(), 0..60), address in address()) {
        locate(&bytes);
        locate(address.as_bytes());
    }

    #[test]
    fn no_header_asks_for_too_much(bytes in vec(any::<u8>(), 0..60), text in "[0-9., :A-Za-z-]{0,40}") {
        throttle(&bytes);
        throttle(text.as_bytes());
    }

    #[test]
    fn no_document_is_read_differently_after_writing(bytes in vec(any::<u8>(), 0..60)) {
        decode(&bytes);
    }
}

/// What a fuzzer has found, or found interesting, kept as a file for each.
#[test]
fn the_kept_cases_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/kept");
    let mut kept = 0;
    for (target, run) in [
        ("machine", drive as fn(&[u8])),
        ("location", locate),
        ("retry_after", throttle),
        ("documents", decode),
    ] {
        for file in std::fs::read_dir(folder.join(target)).unwrap() {
            run(&std::fs::read(file.unwrap().path()).unwrap());
            kept += 1;
        }
    }
    assert!(kept >= 4, "{kept} cases were kept");
}
