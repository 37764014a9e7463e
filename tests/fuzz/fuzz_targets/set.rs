#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| graph_operation_tests::set::drive(bytes));
