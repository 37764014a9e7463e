//! Arguments drop in the order in which they would have dropped without the attribute.
//!
//! Each function is here twice, once annotated, and both log what is dropped when.

use super::support::{Answer, Graph, accepted, block_on, poll_once};
use graph_operation::{Error, async_operation};
use std::cell::RefCell;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;

thread_local! {
    static LOG: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

fn log(event: &'static str) {
    LOG.with_borrow_mut(|log| log.push(event));
}

fn logged(run: impl FnOnce()) -> Vec<&'static str> {
    LOG.take();
    run();
    LOG.take()
}

struct D(&'static str);

impl Drop for D {
    fn drop(&mut self) {
        log(self.0);
    }
}

struct Two {
    x: D,
    y: D,
}

fn two() -> Two {
    Two { x: D("x"), y: D("y") }
}

type Result<T, E = Error> = std::result::Result<T, E>;

/// The client of the functions that are not annotated.
struct Native(Graph);

impl Deref for Native {
    type Target = Graph;

    fn deref(&self) -> &Graph {
        &self.0
    }
}

macro_rules! functions {
    ($client:ident $(, #[$attr:meta])?) => {
        impl $client {
            $(#[$attr])?
            async fn drops_used(&self, a: D, b: D, _: D, c: D) -> Result<Answer> {
                let _ = (&b, &c, &a);
                log("body");
                self.post().await
            }

            $(#[$attr])?
            async fn drops_unused(&self, _a: D, _b: D) -> Result<Answer> {
                log("body");
                self.post().await
            }

            $(#[$attr])?
            async fn drops_wildcards(&self, _: D, _a: D, _: D) -> Result<Answer> {
                log("body");
                self.post().await
            }

            $(#[$attr])?
            async fn drops_moved(&self, a: D, b: D, c: D) -> Result<Answer> {
                self.post().await?;
                drop(b);
                log("dropped b");
                let _d = D("local");
                let _c = c;
                let _ = a;
                Ok(accepted())
            }

            $(#[$attr])?
            async fn drops_sometimes_moved(&self, a: D, b: D, yes: bool) -> Result<Answer> {
                if yes {
                    drop(a);
                }
                let _ = &b;
                self.post().await
            }

            $(#[$attr])?
            async fn drops_mutable(&self, mut a: D, mut b: D) -> Result<Answer> {
                a.0 = "A";
                b.0 = "B";
                log("body");
                self.post().await
            }

            $(#[$attr])?
            async fn drops_patterns(
                &self,
                (a, _): (D, D),
                Two { x, .. }: Two,
                [b, _, c]: [D; 3],
                last: D,
            ) -> Result<Answer> {
                let _ = (&last, &a, &b, &c, &x);
                self.post().await
            }

            $(#[$attr])?
            async fn drops_by_reference(&self, ref a: D, ref mut b: D, Two { ref x, y }: Two) -> Result<Answer> {
                b.0 = "B";
                let _ = (a, x, &y);
                self.post().await
            }

            $(#[$attr])?
            async fn drops_early(&self, a: D, _: D, b: D) -> Result<Answer> {
                let _local = D("local");
                if a.0 == "a" {
                    return Ok(accepted());
                }
                drop(b);
                self.post().await
            }

            $(#[$attr])?
            async fn drops_failing(&self, a: D, _: D, b: D) -> Result<Answer, std::io::Error> {
                let _local = D("local");
                self.post().await.map_err(std::io::Error::from)?;
                Err(std::io::ErrorKind::NotFound)?;
                drop((a, b));
                Ok(accepted())
            }

            $(#[$attr])?
            async fn drops_closure(&self, a: D, b: impl FnOnce() -> D, _: D) -> Result<Answer> {
                let b = b();
                log("called");
                let _ = (&a, &b);
                self.post().await
            }

            $(#[$attr])?
            fn drops_future(&self, a: D, b: D, _: D, c: D) -> impl Future<Output = Result<Answer>> {
                let _ = &a;
                log("called");
                async move {
                    let _ = (&b, &c);
                    self.post().await
                }
            }

            $(#[$attr])?
            fn drops_boxed(&self, a: D, yes: bool) -> Pin<Box<dyn Future<Output = Result<Answer>> + '_>> {
                if yes {
                    log("early");
                    return Box::pin(async { Ok(accepted()) });
                }
                Box::pin(async move {
                    let _ = &a;
                    self.post().await
                })
            }

            $(#[$attr])?
            fn drops_blocking(&self, a: D, (b, _): (D, D), _: D, mut c: D) -> Result<Answer> {
                c.0 = "C";
                if a.0 == "a" {
                    return Ok(accepted());
                }
                let _ = b;
                Ok(accepted())
            }
        }
    };
}

functions!(Native);
functions!(Graph, #[async_operation]);

macro_rules! twins {
    ($($test:ident: $function:ident($($arg:expr),*);)*) => {
        $(
            #[test]
            fn $test() {
                let (native, graph) = (Native(Graph::new()), Graph::new());
                assert_eq!(
                    logged(|| drop(block_on(graph.$function($($arg),*)))),
                    logged(|| drop(block_on(native.$function($($arg),*)))),
                    "run to the end",
                );
                assert_eq!(
                    logged(|| poll_once(graph.$function($($arg),*))),
                    logged(|| poll_once(native.$function($($arg),*))),
                    "dropped halfway",
                );
                assert_eq!(
                    logged(|| drop(graph.$function($($arg),*))),
                    logged(|| drop(native.$function($($arg),*))),
                    "never polled",
                );
            }
        )*
    };
}

twins! {
    used: drops_used(D("a"), D("b"), D("_"), D("c"));
    unused: drops_unused(D("a"), D("b"));
    wildcards: drops_wildcards(D("_0"), D("a"), D("_1"));
    moved: drops_moved(D("a"), D("b"), D("c"));
    moved_for_once: drops_sometimes_moved(D("a"), D("b"), true);
    not_moved_for_once: drops_sometimes_moved(D("a"), D("b"), false);
    mutable: drops_mutable(D("a"), D("b"));
    patterns: drops_patterns((D("a"), D("_0")), two(), [D("b"), D("_1"), D("c")], D("last"));
    by_reference: drops_by_reference(D("a"), D("b"), two());
    early: drops_early(D("a"), D("_"), D("b"));
    not_early: drops_early(D("A"), D("_"), D("b"));
    failing: drops_failing(D("a"), D("_"), D("b"));
    closure: drops_closure(D("a"), || D("b"), D("_"));
    future: drops_future(D("a"), D("b"), D("_"), D("c"));
    boxed: drops_boxed(D("a"), false);
    boxed_early: drops_boxed(D("a"), true);
}

#[test]
fn blocking() {
    for a in ["a", "A"] {
        let args = || (D(a), (D("b"), D("_0")), D("_1"), D("c"));
        let (a, b, c, d) = args();
        let annotated = logged(|| drop(Graph::new().drops_blocking(a, b, c, d)));
        let (a, b, c, d) = args();
        let native = logged(|| drop(Native(Graph::new()).drops_blocking(a, b, c, d)));
        assert_eq!(annotated, native);
    }
}

/// A receiver by value, of which the functions use a part.
struct Owner {
    left: D,
    right: D,
    graph: Graph,
}

fn owner() -> Owner {
    Owner { left: D("self.left"), right: D("self.right"), graph: Graph::new() }
}

impl Owner {
    async fn native(self, a: D, _: D) -> Result<Answer> {
        let _ = &a;
        log(self.right.0);
        self.graph.post().await
    }

    #[async_operation(client = self.graph)]
    async fn annotated(self, a: D, _: D) -> Result<Answer> {
        let _ = &a;
        log(self.right.0);
        self.graph.post().await
    }

    async fn native_mutable(mut self, a: D) -> Result<Answer> {
        self.left = D("new");
        drop(self.right);
        let _ = &a;
        self.graph.post().await
    }

    #[async_operation(client = self.graph)]
    async fn annotated_mutable(mut self, a: D) -> Result<Answer> {
        self.left = D("new");
        drop(self.right);
        let _ = &a;
        self.graph.post().await
    }

    async fn native_shared(self: Arc<Self>, a: D) -> Result<Answer> {
        let _ = &a;
        self.graph.post().await
    }

    #[async_operation(client = self.graph)]
    async fn annotated_shared(self: Arc<Self>, a: D) -> Result<Answer> {
        let _ = &a;
        self.graph.post().await
    }

    fn native_blocking(self, a: D, _: D) -> Result<Answer> {
        let _ = &a;
        log(self.right.0);
        Ok(accepted())
    }

    #[async_operation(client = self.graph)]
    fn annotated_blocking(self, a: D, _: D) -> Result<Answer> {
        let _ = &a;
        log(self.right.0);
        Ok(accepted())
    }
}

macro_rules! receivers {
    ($($test:ident: $annotated:ident, $native:ident, $owner:expr, ($($arg:expr),*);)*) => {
        $(
            #[test]
            fn $test() {
                assert_eq!(
                    logged(|| drop(block_on($owner.$annotated($($arg),*)))),
                    logged(|| drop(block_on($owner.$native($($arg),*)))),
                    "run to the end",
                );
                assert_eq!(
                    logged(|| poll_once($owner.$annotated($($arg),*))),
                    logged(|| poll_once($owner.$native($($arg),*))),
                    "dropped halfway",
                );
            }
        )*
    };
}

receivers! {
    by_value: annotated, native, owner(), (D("a"), D("_"));
    by_value_mutable: annotated_mutable, native_mutable, owner(), (D("a"));
    shared: annotated_shared, native_shared, Arc::new(owner()), (D("a"));
}

#[test]
fn by_value_blocking() {
    assert_eq!(
        logged(|| drop(owner().annotated_blocking(D("a"), D("_")))),
        logged(|| drop(owner().native_blocking(D("a"), D("_")))),
    );
}

/// The client is cloned before the request runs, which may consume it.
#[test]
fn client_is_cloned_first() {
    #[derive(Debug)]
    struct Loud(Graph);

    impl Clone for Loud {
        fn clone(&self) -> Self {
            log("clone");
            Loud(self.0.clone())
        }
    }

    impl graph_operation::Client for Loud {
        type Error = Error;

        fn service_root(&self) -> &http::Uri {
            self.0.service_root()
        }

        async fn send(
            &self,
            request: http::Request<bytes::Bytes>,
        ) -> graph_operation::Result<Answer> {
            self.0.send(request).await
        }
    }

    #[async_operation(client = loud)]
    async fn consuming(loud: Loud) -> Result<Answer> {
        log("body");
        drop(loud);
        Ok(accepted())
    }

    let log = logged(|| drop(block_on(consuming(Loud(Graph::new())))));
    assert_eq!(log, ["clone", "body"]);
}
