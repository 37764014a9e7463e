//! The fast path for reading a response accepts what full decoding accepts, and finds the same.

use std::fmt::Write;

use graph_operation_tests::documents::summarize;
use proptest::prelude::*;
use proptest::sample::select;

/// Values: well-formed and malformed ones, usual and unusual ones.
const VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "7",
    "-1",
    "2147483647",
    "2147483648",
    "1.5",
    "1e400",
    "-0.5E-3",
    "01",
    "1.",
    ".5",
    "1e",
    "--1",
    "nul",
    "truex",
    "\"\"",
    "\"succeeded\"",
    "\"Running\"",
    "\"brandNew\"",
    "\"inProgress\"",
    "\"\\ud800\"",
    "\"\\ud83d\\ude00\"",
    "\"é\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"a\nb\"",
    "\"12345678\\\"12345678\"",
    "\"open",
    "{}",
    "[]",
    "[1,[2,{\"a\":3}]]",
    "[1,]",
    "{\"a\":}",
    "{\"status\":\"failed\"}",
    "{\"state\":\"succeeded\"}",
    "{\"code\":\"x\",\"message\":\"\\udc00\"}",
    "[}",
    "",
];

const NAMES: &[&str] = &[
    "status",
    "STATUS",
    "st\\u0061tus",
    "attemptsCount",
    "id",
    "operationType",
    "createdDateTime",
    "error",
    "statusDetail",
    "@odata.context",
    "Value",
    "\\ud800",
    "percentageComplete",
    "ü",
];

const GAPS: &[&str] = &["", "", "", " ", "\n\t ", "\u{a0}", "\u{feff}"];

fn member() -> impl Strategy<Value = String> {
    (select(NAMES), select(VALUES), select(GAPS))
        .prop_map(|(name, value, gap)| format!("{gap}\"{name}\":{gap}{value}{gap}"))
}

fn document() -> impl Strategy<Value = String> {
    let usual = select(
        &[
            "\"status\":\"succeeded\"",
            "\"status\":\"running\"",
            "\"status\":{\"state\":\"Failed\",\"description\":7}",
            "\"status\":7",
        ][..],
    );
    (select(GAPS), usual, prop::collection::vec(member(), 0..5), select(GAPS)).prop_map(
        |(before, status, members, after)| {
            let mut text = format!("{before}{{{status}");
            for member in members {
                write!(text, ",{member}").unwrap();
            }
            text + "}" + after
        },
    )
}

/// A document that is cut off, or in which a byte is replaced or repeated.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    (document(), any::<prop::sample::Index>(), any::<u8>(), 0..4_u8).prop_map(
        |(document, at, byte, how)| {
            let mut bytes = document.into_bytes();
            let at = at.index(bytes.len());
            match how {
                0 => bytes.truncate(at),
                1 => bytes[at] = byte,
                2 => bytes.insert(at, bytes[at]),
                _ => bytes.extend_from_slice(&[byte]),
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn of_any_document(document in document()) {
        summarize(document.as_bytes());
    }

    #[test]
    fn of_a_damaged_document(bytes in damaged()) {
        summarize(&bytes);
    }

    #[test]
    fn of_any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        summarize(&bytes);
    }
}

#[test]
fn of_deeply_nested_documents() {
    for depth in [59, 60, 61, 62, 63, 64, 127, 128, 129, 1_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            summarize(format!(r#"{{"status":"failed","error":{value}}}"#).as_bytes());
            summarize(format!(r#"{{"status":"failed","x":{value},}}"#).as_bytes());
        }
    }
}
