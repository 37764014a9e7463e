//! Running futures that need no executor.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// Polls `future` until it is ready, without parking the thread: its client blocks the thread
/// itself, or sleeps in virtual time.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}
