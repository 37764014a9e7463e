//! A service that answers batches, and allocates nothing.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;

use crate::{ENDED, RUNNING, Script, other};

/// How many requests a batch may have.
pub const LARGEST: usize = 20;

/// How many copies of each response there are, each in memory of its own.
const COPIES: usize = 16;

/// The address of the operation with this number, without its version.
pub fn path(number: usize) -> String {
    format!(
        "/teams('d40d729b-41f2-4b39-8a4e-{number:012}')/operations('6aba218b-27ac-40e2-9c5d-{number:012}')"
    )
}

/// The operations of one service. Clones are the same ones.
#[derive(Clone, Debug)]
pub struct Batches(Arc<Service>);

#[derive(Debug)]
struct Service {
    operations: usize,
    /// The round in which all operations are found to have ended.
    end: usize,
    script: Script,
    checks: AtomicUsize,
    requests: AtomicUsize,
    /// The responses, by content, by copy, and by size.
    responses: [Vec<Vec<Bytes>>; 3],
}

impl Batches {
    /// This many operations, all of which end after this many rounds of checks.
    pub fn new(operations: usize, script: Script, rounds: usize) -> Self {
        let bodies = [RUNNING.to_owned(), other(), ENDED.clone()];
        let responses = bodies.map(|body| {
            let copy = || (0..=LARGEST).map(|size| response(&body, size)).collect();
            (0..COPIES).map(|_| copy()).collect()
        });
        Batches(Arc::new(Service {
            operations,
            end: rounds,
            script,
            checks: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            responses,
        }))
    }

    /// Answers a batch, whose ids are its positions from 1.
    pub fn post(&self, body: &[u8]) -> Bytes {
        let service = &*self.0;
        let request = service.requests.fetch_add(1, Relaxed);
        let size = last_id(body);
        let round = service.checks.fetch_add(size, Relaxed) / service.operations + 1;
        let says = match service.script {
            _ if round >= service.end => 2,
            Script::Same => 0,
            Script::Changing | Script::Owned => round % 2,
        };
        service.responses[says][request % COPIES][size].clone()
    }

    /// How many requests were answered.
    pub fn requests(&self) -> usize {
        self.0.requests.load(Relaxed)
    }

    /// How many checks were answered.
    pub fn checks(&self) -> usize {
        self.0.checks.load(Relaxed)
    }
}

fn response(body: &str, size: usize) -> Bytes {
    let mut text = r#"{"responses":["#.to_owned();
    for id in 1..=size {
        let comma = if id > 1 { "," } else { "" };
        write!(
            text,
            r#"{comma}{{"id":"{id}","status":200,"headers":{{"Content-Type":"application/json"}},"body":{body}}}"#
        )
        .expect("a string");
    }
    text += "]}";
    text.into()
}

/// The last id in a batch, which is its size.
fn last_id(body: &[u8]) -> usize {
    const NAME: &[u8] = br#"{"id":""#;
    let at = body.windows(NAME.len()).rposition(|name| name == NAME).expect("an item");
    let digits = body[at + NAME.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| 10 * number + usize::from(digit - b'0'))
}
