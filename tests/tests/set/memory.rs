//! How much memory a waiting operation takes.

use allocation_counter::measure;
use graph_operation::testing::ScriptedClient;
use graph_operation::{Operation, OperationSet};

use crate::{location, operation};

#[test]
fn a_waiting_operation_takes_few_bytes_besides_its_key_and_its_address() {
    const COUNT: usize = 10_000;
    let client = ScriptedClient::new();
    let mut set = OperationSet::<usize>::new(client.clone());
    let kept = measure(|| {
        for at in 0..COUNT {
            let operation: Operation = operation(&client, at);
            set.insert(at, operation).unwrap();
        }
    });
    let addresses: usize = (0..COUNT).map(|at| "/v1.0".len() + location(at).len()).sum();
    let kept = usize::try_from(kept.bytes_current).unwrap() - addresses;
    let each = kept / COUNT - size_of::<usize>();
    assert!(each <= 256, "{each}");
}
