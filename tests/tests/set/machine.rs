//! The set's machine under arbitrary bytes: what a fuzzer does for hours, done for a moment.

use graph_operation_tests::set::drive;
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn the_set_keeps_its_promises(bytes in vec(any::<u8>(), 0..1_500)) {
        drive(&bytes);
    }
}
