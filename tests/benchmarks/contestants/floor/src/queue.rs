//! Hand-written code for many operations: a heap of due times, and batches of twenty.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::marker::PhantomData;
use std::time::Duration;

use benchmark_wire::batch::{Batches, LARGEST, path};
use serde::{Deserialize, Serialize};

use crate::{Operation, Status, StatusOnly};

const INTERVAL: Duration = Duration::from_secs(30);

/// The part of an operation that is read.
pub trait Read: for<'de> Deserialize<'de> {
    fn status(&self) -> Status;
}

impl Read for StatusOnly {
    fn status(&self) -> Status {
        self.status
    }
}

impl Read for Operation {
    fn status(&self) -> Status {
        self.status
    }
}

#[derive(Serialize)]
struct Batch<'a> {
    requests: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Item<'a> {
    id: String,
    method: &'a str,
    url: &'a str,
    headers: Headers<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Headers<'a> {
    accept: &'a str,
    prefer: &'a str,
}

#[derive(Deserialize)]
struct Responses<T> {
    responses: Vec<Response<T>>,
}

#[derive(Deserialize)]
struct Response<T> {
    id: String,
    status: u16,
    body: T,
}

/// Operations that are waited for, read as `T`.
#[derive(Debug)]
pub struct Queue<T> {
    wire: Batches,
    urls: Vec<String>,
    due: BinaryHeap<Reverse<(Duration, usize)>>,
    /// The virtual clock.
    now: Duration,
    read: PhantomData<fn() -> T>,
}

impl<T: Read> Queue<T> {
    pub fn new(wire: Batches, operations: usize) -> Self {
        Queue {
            wire,
            urls: (0..operations).map(path).collect(),
            due: (0..operations).map(|number| Reverse((INTERVAL, number))).collect(),
            now: Duration::ZERO,
            read: PhantomData,
        }
    }

    /// Makes the next request; `false` if there is nothing left.
    pub fn turn(&mut self) -> bool {
        let Some(&Reverse((due, _))) = self.due.peek() else { return false };
        self.now = self.now.max(due);
        let mut numbers = Vec::with_capacity(LARGEST);
        while numbers.len() < LARGEST
            && let Some(&Reverse((due, number))) = self.due.peek()
            && due <= self.now
        {
            self.due.pop();
            numbers.push(number);
        }
        let headers =
            || Headers { accept: "application/json", prefer: "include-unknown-enum-members" };
        let items = numbers.iter().enumerate().map(|(position, &number)| Item {
            id: (position + 1).to_string(),
            method: "GET",
            url: &self.urls[number],
            headers: headers(),
        });
        let batch = serde_json::to_vec(&Batch { requests: items.collect() }).expect("JSON");
        let response = self.wire.post(&batch);
        let read: Responses<T> = serde_json::from_slice(&response).expect("a batch's response");
        for response in read.responses {
            let position: usize = response.id.parse().expect("an id of ours");
            let number = numbers[position - 1];
            let ended = matches!(response.body.status(), Status::Succeeded | Status::Failed);
            if response.status != 200 || !ended {
                self.due.push(Reverse((self.now + INTERVAL, number)));
            }
        }
        true
    }

    /// Waits for all of them.
    pub fn run(&mut self) {
        while self.turn() {}
    }
}
