//! Expansions name nothing that an author's crate could have taken away or taken for itself: no
//! prelude, the runtime under another name, and `std`, `core` and all that is in them shadowed.

#![allow(
    clippy::all,
    clippy::pedantic,
    unreachable_pub,
    reason = "functions as authors write them, not as this project does"
)]
#![no_implicit_prelude]

mod renamed {
    //! A library that re-exports the runtime.
    pub mod inner {
        pub use ::graph_operation as operations;
    }
}

mod core {}
mod std {}
mod alloc {}
mod graph_operation {}

#[allow(dead_code)]
struct Result;
#[allow(dead_code)]
struct Option;
#[allow(dead_code)]
struct Box;
#[allow(dead_code)]
struct Pin;
#[allow(dead_code)]
struct Operation;
#[allow(dead_code)]
struct Future;
#[allow(dead_code)]
trait Clone {}
#[allow(dead_code)]
trait From {}

use self::renamed::inner::operations::{Client, async_operation, blocking};

type Answer = ::http::Response<::bytes::Bytes>;
type Outcome<T> = ::core::result::Result<T, ::graph_operation::Error>;
type Hidden = ::core::result::Result<Answer, ::graph_operation::Error>;

#[derive(::core::clone::Clone)]
struct Graph {
    root: ::http::Uri,
}

impl Client for Graph {
    type Error = ::graph_operation::Error;

    fn service_root(&self) -> &::http::Uri {
        &self.root
    }

    async fn send(&self, request: ::http::Request<::bytes::Bytes>) -> Outcome<Answer> {
        ::core::result::Result::Ok(::http::Response::new(request.into_body()))
    }
}

impl blocking::Client for Graph {
    type Error = ::graph_operation::Error;

    fn service_root(&self) -> &::http::Uri {
        &self.root
    }

    fn send(&self, request: ::http::Request<::bytes::Bytes>) -> Outcome<Answer> {
        ::core::result::Result::Ok(::http::Response::new(request.into_body()))
    }
}

fn same(error: ::graph_operation::Error) -> ::graph_operation::Error {
    error
}

impl Graph {
    fn answer(&self) -> Hidden {
        ::core::result::Result::Ok(::http::Response::new(::bytes::Bytes::new()))
    }

    #[async_operation(crate = crate::renamed::inner::operations)]
    async fn plain(&self, id: &str) -> Outcome<Answer> {
        let _ = id;
        self.answer()
    }

    #[async_operation(crate = crate::renamed::inner::operations, client = self, timeout = "1h")]
    async fn hidden(&self, id: u8, (a, _): (u8, u8)) -> Hidden {
        let _ = (id, a);
        ::core::result::Result::Ok(self.answer()?)
    }

    #[async_operation(
        crate = crate::renamed::inner::operations,
        model = ::graph_operation::TeamsAsyncOperation,
        polling = ::graph_operation::Polling::frequent(),
        map_err = same,
    )]
    async fn mapped(self) -> Hidden {
        self.answer()
    }

    #[async_operation(crate = crate::renamed::inner::operations)]
    fn future(&self) -> impl ::core::future::Future<Output = Hidden> {
        async { self.answer() }
    }

    #[async_operation(crate = crate::renamed::inner::operations)]
    fn boxed(
        &self,
    ) -> ::core::pin::Pin<::std::boxed::Box<dyn ::core::future::Future<Output = Hidden> + '_>> {
        ::std::boxed::Box::pin(async { self.answer() })
    }

    #[async_operation(crate = crate::renamed::inner::operations)]
    fn blocking(&self) -> Outcome<Answer> {
        self.answer()
    }
}

/// Through `$crate`, as the macro of another library would.
macro_rules! function {
    ($name:ident) => {
        #[async_operation(crate = $crate::renamed::inner::operations, client = graph)]
        fn $name(graph: &Graph) -> Hidden {
            graph.answer()
        }
    };
}

function!(by_macro);

#[::core::prelude::v1::test]
fn compiles() {
    let graph = Graph { root: ::http::Uri::from_static("https://graph.microsoft.com/v1.0") };
    let _ = graph.plain("id");
    let _ = graph.hidden(1, (2, 3));
    let _ = ::core::clone::Clone::clone(&graph).mapped();
    let _ = graph.future();
    let _ = graph.boxed();
    let _ = graph.blocking();
    let _ = by_macro(&graph);
}
