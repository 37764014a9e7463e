//! A module that forbids every lint accepts every shape. An expansion has no `#[allow]`, which would
//! be an error here.

#![forbid(warnings, clippy::all, clippy::pedantic, clippy::nursery)]
#![forbid(
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    let_underscore_drop,
    missing_debug_implementations,
    missing_docs,
    redundant_imports,
    redundant_lifetimes,
    single_use_lifetimes,
    trivial_casts,
    unreachable_pub,
    unsafe_code,
    unused_import_braces,
    unused_lifetimes,
    unused_qualifications,
    unused_results
)]

pub mod teams {
    //! A library that is annotated in every way.

    use bytes::Bytes;
    use futures_util::future::BoxFuture;
    use graph_operation::{Client, Polling, async_operation, blocking};
    use http::{Request, Response, Uri};
    use std::error::Error;
    use std::fmt;
    use std::pin::Pin;
    use std::sync::Arc;

    /// A team.
    #[derive(Clone, Debug)]
    pub struct Team(pub String);

    /// An error.
    #[derive(Debug)]
    pub struct MyError(Box<dyn Error + Send + Sync>);

    impl fmt::Display for MyError {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }

    impl Error for MyError {}

    impl From<graph_operation::Error> for MyError {
        fn from(error: graph_operation::Error) -> Self {
            Self(error.into())
        }
    }

    fn my_error(error: graph_operation::Error) -> fmt::Error {
        drop(error);
        fmt::Error
    }

    type HttpResult = Result<Response<Bytes>, MyError>;

    /// A client.
    #[derive(Clone, Debug)]
    pub struct Graph {
        root: Uri,
    }

    impl Client for Graph {
        type Error = graph_operation::Error;

        fn service_root(&self) -> &Uri {
            &self.root
        }

        async fn send(&self, request: Request<Bytes>) -> graph_operation::Result<Response<Bytes>> {
            Ok(Response::new(request.into_body()))
        }
    }

    impl blocking::Client for Graph {
        type Error = graph_operation::Error;

        fn service_root(&self) -> &Uri {
            &self.root
        }

        fn send(&self, request: Request<Bytes>) -> graph_operation::Result<Response<Bytes>> {
            Ok(Response::new(request.into_body()))
        }
    }

    impl Graph {
        /// A client of this service.
        #[must_use]
        pub const fn new(root: Uri) -> Self {
            Self { root }
        }

        async fn post(&self, url: String) -> HttpResult {
            Ok(Client::send(self, Request::new(url.into())).await?)
        }

        /// Archives a team.
        ///
        /// # Errors
        ///
        /// As always.
        #[async_operation]
        pub async fn archive_team(
            &self,
            team_id: &str,
        ) -> graph_operation::Result<Response<Bytes>> {
            let url = format!("teams/{team_id}/archive");
            Client::send(self, Request::new(url.into())).await
        }

        /// Unarchives a team.
        ///
        /// # Errors
        ///
        /// As always.
        #[rustfmt::skip]
        #[async_operation]
        pub async fn unarchive_team(&self) -> HttpResult { self.post(String::new()).await }

        /// Archives a channel.
        ///
        /// # Errors
        ///
        /// As always.
        #[rustfmt::skip]
        #[async_operation(client = self)]
        pub async fn archive_channel(self, _: String) -> HttpResult { self.post(String::new()).await }

        /// Archives a team at the pace of the caller's choice.
        ///
        /// # Errors
        ///
        /// As always.
        #[async_operation(polling = polling)]
        pub async fn archive_polled(&self, polling: Polling) -> HttpResult {
            self.post(String::new()).await
        }

        /// Creates a team.
        ///
        /// # Errors
        ///
        /// As always.
        #[async_operation(target = Vec<String>, first_check = "0s", interval = "1h 30m", timeout = "100h")]
        pub async fn create_team(
            &mut self,
            mut name: String,
            _: Team,
        ) -> Result<Response<Bytes>, MyError> {
            name.push('!');
            self.post(name).await
        }

        /// Creates a team.
        ///
        /// # Errors
        ///
        /// As always.
        #[async_operation(polling = Polling::frequent(), client = self.clone())]
        pub async fn hidden(self, (name, _): (String, u8), [a, ref b]: [Team; 2]) -> HttpResult {
            drop((a, b.clone()));
            if name.is_empty() {
                return self.post(name).await;
            }
            self.post(name + "!").await
        }

        /// Converts the error.
        ///
        /// # Errors
        ///
        /// As always.
        #[async_operation(map_err = my_error, client = self)]
        pub async fn mapped<T>(&self, name: T, n: u64) -> Result<Response<Bytes>, fmt::Error>
        where
            T: Into<String> + Send,
        {
            let name = name.into();
            if n > 1 {
                return Err(fmt::Error);
            }
            self.post(name).await.map_err(|_| fmt::Error)
        }

        /// Only the answer.
        ///
        /// # Errors
        ///
        /// As always.
        #[async_operation]
        pub async fn single(self: Arc<Self>) -> HttpResult {
            self.post(String::new()).await
        }

        /// A future.
        #[async_operation]
        pub fn future(&self, name: String, team: Team) -> impl Future<Output = HttpResult> + Send {
            drop(team);
            self.post(name)
        }

        /// A future.
        #[async_operation]
        pub fn single_future(&self) -> impl Future<Output = HttpResult> + Send {
            self.post(String::new())
        }

        /// A boxed future.
        #[async_operation]
        pub fn boxed(&self, name: String) -> Pin<Box<dyn Future<Output = HttpResult> + Send + '_>> {
            Box::pin(self.post(name))
        }

        /// A boxed future.
        #[async_operation]
        pub fn box_future(&self) -> BoxFuture<'_, HttpResult> {
            Box::pin(async { self.post(String::new()).await })
        }

        /// Blocks.
        ///
        /// # Errors
        ///
        /// As always.
        #[async_operation]
        pub fn block(&self, name: String) -> graph_operation::Result<Response<Bytes>> {
            if name.is_empty() {
                return Ok(Response::new(Bytes::new()));
            }
            blocking::Client::send(self, Request::new(name.into()))
        }

        /// Blocks.
        ///
        /// # Errors
        ///
        /// As always.
        #[async_operation(map_err = my_error)]
        pub fn block_mapped(&self) -> Result<Response<Bytes>, fmt::Error> {
            blocking::Client::send(self, Request::new(Bytes::new())).map_err(my_error)
        }
    }

    /// A function of its own.
    ///
    /// # Errors
    ///
    /// As always.
    #[async_operation(client = graph, crate = ::graph_operation)]
    pub async fn free(graph: &Graph, id: &str) -> Result<Response<Bytes>, MyError> {
        graph.post(id.to_owned()).await
    }
}

pub mod declared {
    //! A trait without an implementation. Nothing else names the types that its methods return.

    use graph_operation::async_operation;
    use http::Response;

    /// A trait.
    pub trait Native {
        /// Archives a team.
        #[async_operation]
        fn archive(
            &self,
            id: &str,
        ) -> impl Future<Output = graph_operation::Result<Response<String>>> + Send;

        /// Archives a team.
        ///
        /// # Errors
        ///
        /// As always.
        #[async_operation]
        fn block(&self, id: &str) -> graph_operation::Result<Response<String>>;
    }
}

#[test]
fn accepted() {
    let graph = teams::Graph::new(http::Uri::from_static("https://graph.microsoft.com/v1.0"));
    assert!(graph.block(String::new()).is_ok());
}
