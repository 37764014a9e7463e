//! Any client whose responses have an [`http_body::Body`](https://docs.rs/http-body): hyper, other
//! versions of reqwest, graph-rs-sdk, tower services.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::Thread;
use std::time::{Duration, Instant};

use ::http_body as body;
use body::Body;
use bytes::{Buf, Bytes};
use http::Response;

use super::body::{Bounded, time_for_body, took_too_long, usable};
use crate::{BoxError, Error, Result, TimeLeft};

/// Collects the body of a response, at most 4 MiB of it, into a type that implements
/// [`Response`](trait@crate::Response).
///
/// It waits 5 seconds for the body of a 202, and [`TimeLeft::DEFAULT`](crate::TimeLeft::DEFAULT)
/// for any other. If the body pends, a thread keeps time, so no executor is needed.
///
/// Unlike the other adapters, it leaves the rest to the client: following no redirects (or
/// rejecting a response from another origin, see [`same_origin`](crate::protocol::same_origin)),
/// keeping to [`TimeLeft`](crate::TimeLeft), and returning an [`Answer`](crate::protocol::Answer)
/// with the URL of a starting response whose version may differ from the root's.
///
/// ```
/// # use bytes::Bytes;
/// # async fn example<B>(response: http::Response<B>) -> graph_operation::Result<()>
/// # where B: http_body::Body<Error = std::io::Error> {
/// let response: http::Response<Bytes> = graph_operation::http_body::collect(response).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Transport`](crate::ErrorKind::Transport) if the body ends early or takes too long, and
/// [`Decode`](crate::ErrorKind::Decode) if it is too large. A fault in the body of a 202 is not an
/// error, because the operation would be lost, and neither is one in the body of an error response,
/// whose status is enough: the part that was received is returned.
pub async fn collect<B>(response: Response<B>) -> Result<Response<Bytes>>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let (head, body) = response.into_parts();
    let limit = time_for_body(head.status, TimeLeft::DEFAULT.0);
    let mut collected = Bounded::default();
    let outcome = read(body, &mut collected, limit).await;
    usable(head.status, outcome)?;
    Ok(Response::from_parts(head, collected.finish()))
}

async fn read<B>(body: B, collected: &mut Bounded, limit: Duration) -> Result<()>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let mut body = pin!(body);
    let start = Instant::now();
    let mut timer = Timer { limit, running: None };
    loop {
        let frame = poll_fn(|cx| {
            let frame = body.as_mut().poll_frame(cx);
            // A body of empty frames can be ready forever.
            let is_over = match &frame {
                Poll::Ready(None) => false,
                Poll::Ready(Some(_)) => start.elapsed() >= limit,
                Poll::Pending => timer.is_over(cx),
            };
            if is_over {
                return Poll::Ready(Some(Err(took_too_long())));
            }
            frame.map(|frame| Some(frame?.map_err(Error::transport)))
        });
        let Some(frame) = frame.await else { return Ok(()) };
        let Ok(mut data) = frame?.into_data() else { continue };
        while data.has_remaining() {
            let chunk = data.chunk();
            let length = chunk.len();
            collected.push(chunk)?;
            data.advance(length);
        }
    }
}

/// A time limit that needs no executor: a thread sleeps, starting with the first call of `is_over`.
struct Timer {
    limit: Duration,
    running: Option<(Thread, Arc<Mutex<Clock>>)>,
}

struct Clock {
    waker: Waker,
    over: bool,
    /// The body was read or dropped, so the thread can end.
    stopped: bool,
}

impl Timer {
    /// Whether the limit has passed; if not, the task is woken when it has.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if let Some((_, clock)) = &self.running {
            let mut clock = clock.lock().unwrap_or_else(PoisonError::into_inner);
            clock.waker.clone_from(cx.waker());
            return clock.over;
        }
        let clock = Clock { waker: cx.waker().clone(), over: false, stopped: false };
        let clock = Arc::new(Mutex::new(clock));
        let (limit, shared) = (self.limit, Arc::clone(&clock));
        // If no thread can be spawned, the body is read without a limit.
        if let Ok(thread) = std::thread::Builder::new().spawn(move || keep_time(limit, &shared)) {
            self.running = Some((thread.thread().clone(), clock));
        }
        false
    }
}

fn keep_time(limit: Duration, clock: &Mutex<Clock>) {
    let start = Instant::now();
    loop {
        let left = limit.saturating_sub(start.elapsed());
        let mut clock = clock.lock().unwrap_or_else(PoisonError::into_inner);
        if clock.stopped {
            return;
        }
        if left.is_zero() {
            clock.over = true;
            let waker = clock.waker.clone();
            // An executor may poll the task inside `wake`, and the task locks the clock.
            drop(clock);
            waker.wake();
            return;
        }
        drop(clock);
        std::thread::park_timeout(left);
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some((thread, clock)) = &self.running {
            clock.lock().unwrap_or_else(PoisonError::into_inner).stopped = true;
            thread.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::Future as _;
    use std::pin::Pin;
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;

    /// A body that yields one frame and never ends.
    struct Dripping(bool);

    impl Body for Dripping {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<body::Frame<Bytes>, Infallible>>> {
            if std::mem::replace(&mut self.0, true) {
                return Poll::Pending;
            }
            Poll::Ready(Some(Ok(body::Frame::data(Bytes::from_static(b"x")))))
        }
    }

    /// A body that yields empty frames and never ends.
    struct Empty;

    impl Body for Empty {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<body::Frame<Bytes>, Infallible>>> {
            Poll::Ready(Some(Ok(body::Frame::data(Bytes::new()))))
        }
    }

    /// Wakes the thread that waits.
    struct Waiting(Thread);

    impl std::task::Wake for Waiting {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    /// Records whether the clock was unlocked when `wake` was called.
    #[derive(Default)]
    struct Probe {
        clock: OnceLock<Arc<Mutex<Clock>>>,
        free: AtomicBool,
    }

    impl std::task::Wake for Probe {
        fn wake(self: Arc<Self>) {
            let clock = self.clock.get().expect("the clock that wakes");
            self.free.store(clock.try_lock().is_ok(), Relaxed);
        }
    }

    /// An executor may poll the task inside `wake`.
    #[test]
    fn a_task_is_woken_without_a_lock() {
        let probe = Arc::new(Probe::default());
        let waker = Waker::from(Arc::clone(&probe));
        let clock = Arc::new(Mutex::new(Clock { waker, over: false, stopped: false }));
        assert!(probe.clock.set(Arc::clone(&clock)).is_ok());
        keep_time(Duration::ZERO, &clock);
        assert!(probe.free.load(Relaxed) && clock.lock().unwrap().over);
    }

    #[test]
    fn a_body_that_never_ends_is_abandoned() {
        let mut collected = Bounded::default();
        let waker = Waker::from(Arc::new(Waiting(std::thread::current())));
        let outcome = {
            let mut reading =
                pin!(read(Dripping(false), &mut collected, Duration::from_millis(20)));
            loop {
                match reading.as_mut().poll(&mut Context::from_waker(&waker)) {
                    Poll::Ready(outcome) => break outcome,
                    Poll::Pending => std::thread::park(),
                }
            }
        };
        assert_eq!(outcome.unwrap_err().kind(), crate::ErrorKind::Transport);
        assert_eq!(collected.finish(), "x");
    }

    #[test]
    fn empty_frames_without_an_end_are_abandoned() {
        let mut collected = Bounded::default();
        let mut reading = pin!(read(Empty, &mut collected, Duration::from_millis(20)));
        match reading.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => {
                assert_eq!(outcome.unwrap_err().kind(), crate::ErrorKind::Transport);
            }
            Poll::Pending => panic!("such a body never pends"),
        }
    }
}
