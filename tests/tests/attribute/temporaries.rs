//! What the last expression of a function borrows from an argument is released before the argument
//! drops, and what a key borrows is released before the function's code runs.

use super::support::{Answer, Graph, accepted, block_on};
use graph_operation::{Polling, async_operation};
use std::fmt::Debug;
use std::future::Future;
use std::sync::Mutex;

type Result<T> = graph_operation::Result<T>;

impl Graph {
    #[async_operation]
    async fn borrows(&self, answer: Mutex<Answer>) -> Result<Answer> {
        Ok(answer.lock().expect("no panic").clone())
    }

    #[async_operation]
    fn borrows_blocking(&self, answer: Mutex<Answer>) -> Result<Answer> {
        Ok(answer.lock().expect("no panic").clone())
    }

    #[async_operation]
    fn borrows_future(&self, answer: Mutex<Answer>) -> impl Future<Output = Result<Answer>> {
        std::future::ready(Ok(answer.lock().expect("no panic").clone()))
    }

    #[async_operation]
    async fn borrows_self(self) -> Result<Answer> {
        match Mutex::new(&self).lock() {
            Ok(graph) => graph.post().await,
            Err(_) => Ok(accepted()),
        }
    }
}

#[test]
fn all() {
    let graph = Graph::new();
    let answer = || Mutex::new(accepted());
    assert!(block_on(graph.borrows(answer())).is_ok());
    assert!(graph.borrows_blocking(answer()).is_ok());
    assert!(block_on(graph.borrows_future(answer())).is_ok());
    assert!(block_on(graph.borrows_self()).is_ok());
}

impl Graph {
    #[async_operation(polling = *polling.lock().expect("no panic"))]
    async fn locked(&self, polling: &Mutex<Polling>) -> Result<Answer> {
        drop(polling.try_lock().expect("nobody has the lock"));
        self.post().await
    }

    #[async_operation(polling = *polling.lock().expect("no panic"))]
    fn locked_future(&self, polling: &Mutex<Polling>) -> impl Future<Output = Result<Answer>> {
        drop(polling.try_lock().expect("nobody has the lock"));
        self.post()
    }

    #[async_operation(polling = *polling.lock().expect("no panic"))]
    fn locked_blocking(&self, polling: &Mutex<Polling>) -> Result<Answer> {
        drop(polling.try_lock().expect("nobody has the lock"));
        Ok(accepted())
    }
}

#[test]
fn keys() {
    let graph = Graph::new();
    let polling = Mutex::new(Polling::frequent());
    assert!(block_on(graph.locked(&polling)).is_ok());
    assert!(block_on(graph.locked_future(&polling)).is_ok());
    assert!(graph.locked_blocking(&polling).is_ok());
}

/// Inside a function, the type of its result is known from the start, as without the attribute.
impl Graph {
    #[async_operation]
    async fn coerces(
        &self,
        early: bool,
    ) -> std::result::Result<Answer, Box<dyn std::error::Error>> {
        if early {
            return Err(Box::new(std::fmt::Error));
        }
        let shown: Box<dyn Debug> = Box::new(1);
        let _ = shown;
        Err("no".parse::<u8>().map_err(Box::new)?.to_string().into())
    }
}

#[test]
fn coerced() {
    assert!(block_on(Graph::new().coerces(true)).is_err());
    assert!(block_on(Graph::new().coerces(false)).is_err());
}
