//! Every shape of function, receiver, argument and result.

use super::support::{Answer, Graph, accepted, block_on};
use futures_util::future::{BoxFuture, LocalBoxFuture};
use graph_operation::{
    Client, Model, Operation, Polling, TeamsAsyncOperation, async_operation, blocking,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug, Deserialize)]
pub struct Team;

#[derive(Debug)]
pub enum MyError {
    Graph(graph_operation::Error),
    Number,
}

impl From<graph_operation::Error> for MyError {
    fn from(error: graph_operation::Error) -> Self {
        MyError::Graph(error)
    }
}

impl From<std::num::ParseIntError> for MyError {
    fn from(_: std::num::ParseIntError) -> Self {
        MyError::Number
    }
}

/// Has no conversion.
#[derive(Debug)]
struct Foreign(String);

fn foreign(error: graph_operation::Error) -> Foreign {
    Foreign(error.to_string())
}

type HttpResult = Result<Answer, MyError>;
type Fallible<T> = Result<T, MyError>;
type Lent<'a, T> = Result<T, LentError<'a>>;

#[derive(Debug)]
#[expect(dead_code, reason = "it is there to be held")]
struct LentError<'a>(&'a str, graph_operation::Error);

impl From<graph_operation::Error> for LentError<'_> {
    fn from(error: graph_operation::Error) -> Self {
        LentError("", error)
    }
}

fn refused() -> Answer {
    let mut answer = accepted();
    *answer.status_mut() = http::StatusCode::FORBIDDEN;
    answer
}

mod results {
    use super::*;

    impl Graph {
        /// Archives a team.
        #[async_operation]
        pub async fn archive_team(&self, team_id: &str) -> graph_operation::Result<Answer> {
            let _url = format!("teams/{team_id}/archive");
            self.post().await
        }

        #[async_operation(target = Team, timeout = "20m")]
        async fn create_team(&self, number: &str) -> Result<Answer, MyError> {
            let _ = number.parse::<u8>()?;
            Ok(self.post().await?)
        }

        #[async_operation]
        async fn alias(&self) -> Fallible<Answer> {
            Ok(self.post().await?)
        }

        #[async_operation]
        async fn lent<'a>(&self, id: &'a str) -> Lent<'a, Answer> {
            self.post().await.map_err(|error| LentError(id, error))
        }

        #[async_operation]
        async fn hidden(&self, number: &str) -> HttpResult {
            let _ = number.parse::<u8>()?;
            Ok(self.post().await?)
        }

        #[async_operation(target = Team)]
        async fn io(&self) -> io::Result<Answer> {
            Ok(self.post().await?)
        }

        #[async_operation]
        async fn anyhow(&self, number: &str) -> anyhow::Result<Answer> {
            anyhow::ensure!(!number.is_empty(), "no number");
            let _ = number.parse::<u8>()?;
            Ok(self.post().await?)
        }

        #[async_operation]
        async fn boxed_error(&self) -> Result<Answer, Box<dyn std::error::Error>> {
            if false {
                return Err("text".into());
            }
            Ok(self.post().await?)
        }

        #[async_operation(map_err = foreign)]
        async fn mapped(&self, answer: Answer) -> Result<Answer, Foreign> {
            Ok(answer)
        }

        #[async_operation(map_err = foreign)]
        fn mapped_blocking(&self, answer: Answer) -> Result<Answer, Foreign> {
            Ok(answer)
        }

        #[async_operation(map_err = foreign)]
        fn mapped_future(&self, answer: Answer) -> impl Future<Output = Result<Answer, Foreign>> {
            async { Ok(answer) }
        }

        #[async_operation]
        async fn unnamed(&self) -> graph_operation::Result<impl graph_operation::Response + use<>> {
            self.post().await
        }

        #[async_operation]
        fn unnamed_future(
            &self,
        ) -> impl Future<
            Output = graph_operation::Result<impl graph_operation::Response + use<'_>>,
        > + use<'_> {
            self.post()
        }

        #[async_operation]
        async fn inferred(&self, answers: Vec<Answer>) -> Fallible<Answer> {
            answers.into_iter().next().ok_or_else(|| MyError::Number)
        }
    }

    #[test]
    fn types() {
        let graph = Graph::new();
        let _: Result<Operation, graph_operation::Error> = block_on(graph.archive_team("t"));
        let _: Result<Operation<Team>, MyError> = block_on(graph.create_team("1"));
        let _: Result<Operation, MyError> = block_on(graph.alias());
        let _: Result<Operation, LentError<'_>> = block_on(graph.lent("t"));
        let _: Result<Operation, MyError> = block_on(graph.hidden("1"));
        let _: io::Result<Operation<Team>> = block_on(graph.io());
        let _: anyhow::Result<Operation> = block_on(graph.anyhow("1"));
        let _: Result<Operation, Box<dyn std::error::Error>> = block_on(graph.boxed_error());
        let _: Result<Operation, Foreign> = block_on(graph.mapped(accepted()));
        let _: Result<blocking::Operation, Foreign> = graph.mapped_blocking(accepted());
        let _: Result<Operation, Foreign> = block_on(graph.mapped_future(accepted()));
        let _: Result<Operation, graph_operation::Error> = block_on(graph.unnamed());
        let _: Result<Operation, graph_operation::Error> = block_on(graph.unnamed_future());
        let _: Fallible<Operation> = block_on(graph.inferred(vec![accepted()]));
    }

    #[test]
    fn errors() {
        let graph = Graph::new();
        assert!(matches!(block_on(graph.create_team("x")), Err(MyError::Number)));
        assert!(matches!(block_on(graph.hidden("x")), Err(MyError::Number)));
        assert!(block_on(graph.anyhow("")).is_err_and(|error| error.to_string() == "no number"));
        assert!(
            matches!(block_on(graph.inferred(vec![refused()])), Err(MyError::Graph(error)) if error.to_string().contains("403"))
        );
        let mapped = |result: Result<_, Foreign>| result.is_err_and(|error| !error.0.is_empty());
        assert!(mapped(block_on(graph.mapped(refused())).map(drop)));
        assert!(mapped(block_on(graph.mapped_future(refused())).map(drop)));
        assert!(mapped(graph.mapped_blocking(refused()).map(drop)));
    }
}

mod functions {
    use super::*;

    #[async_operation(client = graph)]
    async fn free(graph: &Graph) -> graph_operation::Result<Answer> {
        graph.post().await
    }

    #[async_operation(client = graph)]
    async fn free_generic<C: Client>(graph: C, r#type: &str) -> graph_operation::Result<Answer> {
        let _ = (graph, r#type);
        Ok(accepted())
    }

    #[async_operation(client = Graph::new(), polling = Polling::frequent().timeout(Duration::from_secs(9)))]
    fn r#async() -> Result<Answer, MyError> {
        Ok(accepted())
    }

    impl Graph {
        #[async_operation]
        fn future<'a>(
            &'a self,
            id: &'a str,
        ) -> impl Future<Output = Fallible<Answer>> + Send + use<'a> {
            if id.is_empty() {
                return Box::pin(async { Err(MyError::Number) }) as BoxFuture<'_, _>;
            }
            Box::pin(async { Ok(self.post().await?) })
        }

        #[async_operation]
        fn pinned(
            &self,
            number: &str,
        ) -> Pin<Box<dyn Future<Output = Fallible<Answer>> + Send + '_>> {
            let Ok(_) = number.parse::<u8>() else {
                return Box::pin(async { Err(MyError::Number) });
            };
            let number = number.to_owned();
            Box::pin(async move {
                let _ = number.parse::<u8>()?;
                Ok(self.post().await?)
            })
        }

        #[async_operation(target = Team)]
        fn box_future(&self) -> BoxFuture<'_, HttpResult> {
            Box::pin(async { Ok(self.post().await?) })
        }

        #[async_operation(target = Team)]
        fn local<'a>(&'a mut self) -> LocalBoxFuture<'a, io::Result<Answer>> {
            Box::pin(async { Ok(self.post().await?) })
        }

        #[async_operation]
        fn blocking(&self, number: &str) -> Fallible<Answer> {
            if number.is_empty() {
                return Ok(refused());
            }
            let _ = number.parse::<u8>()?;
            Ok(accepted())
        }

        #[async_operation]
        pub(crate) fn hidden_blocking(&self) -> HttpResult {
            Ok(accepted())
        }

        #[async_operation]
        async fn inner_attribute(&self) -> graph_operation::Result<Answer> {
            #![allow(unused_variables)]
            let unused = 1;
            self.post().await
        }
    }

    #[test]
    fn types() {
        let mut graph = Graph::new();
        let _: graph_operation::Result<Operation> = block_on(free(&graph));
        let _: graph_operation::Result<Operation> = block_on(free_generic(graph.clone(), ""));
        let _: Result<blocking::Operation, MyError> = r#async();
        let _: Fallible<Operation> = block_on(graph.future("id"));
        let _: Fallible<Operation> = block_on(graph.pinned("1"));
        let _: Fallible<Operation<Team>> = block_on(graph.box_future());
        let _: io::Result<Operation<Team>> = block_on(graph.local());
        let _: Fallible<blocking::Operation> = graph.blocking("1");
        let _: Fallible<blocking::Operation> = graph.hidden_blocking();
        let _: graph_operation::Result<Operation> = block_on(graph.inner_attribute());
    }

    #[test]
    fn early_returns() {
        let graph = Graph::new();
        assert!(matches!(block_on(graph.future("")), Err(MyError::Number)));
        assert!(matches!(block_on(graph.pinned("x")), Err(MyError::Number)));
        assert!(matches!(graph.blocking("x"), Err(MyError::Number)));
        assert!(matches!(graph.blocking(""), Err(MyError::Graph(_))));
    }
}

mod receivers {
    use super::*;

    impl Graph {
        #[async_operation]
        async fn receiver_shared_reference(self: &Self) -> graph_operation::Result<Answer> {
            self.post().await
        }

        #[async_operation]
        async fn receiver_exclusive(&mut self) -> graph_operation::Result<Answer> {
            *self = Graph::new();
            self.post().await
        }

        #[async_operation]
        async fn receiver_exclusive_typed(self: &mut Self) -> graph_operation::Result<Answer> {
            *self = Graph::new();
            self.post().await
        }

        #[async_operation]
        async fn receiver_value(self) -> graph_operation::Result<Answer> {
            self.post().await
        }

        #[async_operation]
        async fn receiver_mutable(mut self) -> graph_operation::Result<Answer> {
            self = Graph::new();
            self.post().await
        }

        #[async_operation]
        async fn receiver_arc(self: Arc<Self>) -> graph_operation::Result<Answer> {
            self.post().await
        }

        #[async_operation]
        async fn receiver_boxed(self: Box<Self>) -> graph_operation::Result<Answer> {
            self.post().await
        }

        #[async_operation]
        async fn receiver_pinned(mut self: Pin<&mut Self>) -> graph_operation::Result<Answer> {
            self.set(Graph::new());
            self.post().await
        }

        #[async_operation]
        fn receiver_pinned_blocking(self: Pin<&mut Self>) -> graph_operation::Result<Answer> {
            Ok(accepted())
        }

        #[async_operation]
        fn receiver_pinned_future(
            self: Pin<&mut Self>,
        ) -> impl Future<Output = graph_operation::Result<Answer>> {
            async move { self.post().await }
        }
    }

    #[test]
    fn all() {
        let mut graph = Graph::new();
        assert!(block_on(graph.receiver_shared_reference()).is_ok());
        assert!(block_on(graph.receiver_exclusive()).is_ok());
        assert!(block_on(graph.receiver_exclusive_typed()).is_ok());
        assert!(block_on(graph.clone().receiver_value()).is_ok());
        assert!(block_on(graph.clone().receiver_mutable()).is_ok());
        assert!(block_on(Arc::new(graph.clone()).receiver_arc()).is_ok());
        assert!(block_on(Box::new(graph.clone()).receiver_boxed()).is_ok());
        assert!(block_on(Pin::new(&mut graph).receiver_pinned()).is_ok());
        assert!(Pin::new(&mut graph).receiver_pinned_blocking().is_ok());
        assert!(block_on(Pin::new(&mut graph).receiver_pinned_future()).is_ok());
    }
}

mod arguments {
    use super::*;

    struct Page {
        size: usize,
        name: String,
    }

    struct Unit;

    impl Graph {
        #[async_operation]
        async fn generics<'a, T, const N: usize>(
            &self,
            ids: [&'a str; N],
            value: T,
            text: impl Into<String> + Send,
        ) -> graph_operation::Result<Answer>
        where
            T: ToString + 'a,
        {
            let _ = (ids.len(), value.to_string(), text.into());
            self.post().await
        }

        #[async_operation]
        async fn patterns(
            &self,
            Page { size, name: mut title }: Page,
            &(a, ref b): &(u8, String),
            [first, .., last]: [u8; 4],
            Unit: Unit,
            _: &str,
        ) -> graph_operation::Result<Answer> {
            title.push('!');
            let _ = (size, title, a, b, first, last);
            self.post().await
        }

        #[async_operation]
        async fn attributes(
            &self,
            #[cfg(test)] kept: String,
            #[cfg(not(test))] gone: Missing,
            #[allow(unused_variables)] unused: u8,
            #[expect(unused_variables)] expected: u8,
            #[cfg(not(test))] (a, b): (Missing, Missing),
        ) -> graph_operation::Result<Answer> {
            let _ = kept;
            self.post().await
        }

        #[async_operation]
        async fn keywords(&self, r#type: String, r#fn: &str) -> graph_operation::Result<Answer> {
            let _ = (r#type, r#fn);
            self.post().await
        }
    }

    /// None of these types has to outlive the future that is returned.
    impl Graph {
        #[async_operation(target = T)]
        fn shorter_target<T: DeserializeOwned>(
            &self,
        ) -> BoxFuture<'_, graph_operation::Result<Answer>> {
            Box::pin(self.post())
        }

        #[async_operation(model = M)]
        fn shorter_model<M: Model>(&self) -> BoxFuture<'_, graph_operation::Result<Answer>> {
            Box::pin(self.post())
        }

        #[async_operation]
        fn shorter_error<E: From<graph_operation::Error>>(
            &self,
        ) -> impl Future<Output = Result<Answer, E>> + 'static {
            async { Ok(accepted()) }
        }

        #[async_operation]
        fn shorter_lifetime<'a, 'b>(
            &'a self,
            _id: &'b str,
        ) -> impl Future<Output = Lent<'b, Answer>> + 'a {
            async { self.post().await.map_err(LentError::from) }
        }
    }

    #[test]
    fn all() {
        let graph = Graph::new();
        let page = Page { size: 1, name: String::new() };
        assert!(block_on(graph.generics(["a"], 1, "b")).is_ok());
        assert!(block_on(graph.patterns(page, &(1, String::new()), [1; 4], Unit, "")).is_ok());
        assert!(block_on(graph.attributes(String::new(), 1, 2)).is_ok());
        assert!(block_on(graph.keywords(String::new(), "")).is_ok());
        assert!(block_on(graph.shorter_target::<Team>()).is_ok());
        assert!(block_on(graph.shorter_model::<TeamsAsyncOperation>()).is_ok());
        assert!(block_on(graph.shorter_error::<MyError>()).is_ok());
        assert!(block_on(graph.shorter_lifetime("t")).is_ok());
    }
}

mod traits {
    use super::*;

    trait Teams {
        #[async_operation]
        async fn archive(&self, id: &str) -> graph_operation::Result<Answer>;

        #[async_operation]
        async fn hidden(&self) -> HttpResult;

        #[async_operation]
        async fn defaulted(&self, _: u8) -> graph_operation::Result<Answer>
        where
            Self: Client,
        {
            Ok(accepted())
        }

        #[async_operation(target = Team)]
        fn boxed(&self) -> BoxFuture<'_, Fallible<Answer>>;

        #[async_operation]
        fn blocking(&self) -> Fallible<Answer>;

        #[async_operation]
        fn associated(id: &str) -> Fallible<Answer>
        where
            Self: Sized;
    }

    impl Teams for Graph {
        #[async_operation]
        async fn archive(&self, id: &str) -> graph_operation::Result<Answer> {
            let _ = id;
            self.post().await
        }

        #[async_operation]
        async fn hidden(&self) -> HttpResult {
            Ok(self.post().await?)
        }

        #[async_operation(target = Team)]
        fn boxed(&self) -> BoxFuture<'_, Fallible<Answer>> {
            Box::pin(async { Ok(self.post().await?) })
        }

        #[async_operation]
        fn blocking(&self) -> Fallible<Answer> {
            Ok(accepted())
        }

        #[async_operation(client = Graph::new())]
        fn associated(_id: &str) -> Fallible<Answer> {
            Ok(accepted())
        }
    }

    /// A generic client, and a function that all such clients have.
    trait Archive: Client {
        #[async_operation]
        async fn archive_all(&self, ids: &[&str]) -> Result<Answer, Self::Error>
        where
            Self::Error: From<graph_operation::Error>,
        {
            let _ = ids;
            Ok(accepted())
        }
    }

    impl<C: Client> Archive for C {}

    #[test]
    fn all() {
        let graph = Graph::new();
        assert!(block_on(Teams::archive(&graph, "t")).is_ok());
        assert!(block_on(Teams::hidden(&graph)).is_ok());
        assert!(block_on(graph.defaulted(1)).is_ok());
        let _: Fallible<Operation<Team>> = block_on(Teams::boxed(&graph));
        assert!(Teams::blocking(&graph).is_ok());
        assert!(Graph::associated("t").is_ok());
        assert!(block_on(graph.archive_all(&["t"])).is_ok());
    }
}

mod under_async_trait {
    use super::*;

    #[async_trait::async_trait]
    trait Teams: Send + Sync {
        #[async_operation(target = Team)]
        async fn archive(&self, id: &str, number: String) -> Fallible<Answer>;

        #[async_operation]
        async fn hidden(&mut self) -> HttpResult;

        #[async_operation(client = self.graph())]
        async fn defaulted(
            &self,
            id: &str,
            (a, _): (String, String),
        ) -> graph_operation::Result<Answer> {
            let _ = (id, a);
            self.graph().post().await
        }

        fn graph(&self) -> &Graph;
    }

    #[async_trait::async_trait]
    impl Teams for Graph {
        #[async_operation(target = Team)]
        async fn archive(&self, id: &str, number: String) -> Fallible<Answer> {
            let _ = id;
            if number.is_empty() {
                return Err(MyError::Number);
            }
            let _ = number.parse::<u8>()?;
            Ok(self.post().await?)
        }

        #[async_operation]
        async fn hidden(&mut self) -> HttpResult {
            *self = Graph::new();
            Ok(self.post().await?)
        }

        fn graph(&self) -> &Graph {
            self
        }
    }

    #[async_trait::async_trait(?Send)]
    trait Local {
        #[async_operation(client = Graph::new())]
        async fn local(self: Box<Self>, rc: std::rc::Rc<u8>) -> graph_operation::Result<Answer>
        where
            Self: Sized,
        {
            let _ = (self, rc);
            Ok(accepted())
        }
    }

    impl Local for Graph {}

    #[test]
    fn all() {
        let mut graph: Box<dyn Teams> = Box::new(Graph::new());
        let _: Fallible<Operation<Team>> = block_on(graph.archive("t", "1".into()));
        assert!(matches!(block_on(graph.archive("t", "".into())), Err(MyError::Number)));
        assert!(matches!(block_on(graph.archive("t", "x".into())), Err(MyError::Number)));
        assert!(block_on(graph.hidden()).is_ok());
        assert!(block_on(graph.defaulted("t", Default::default())).is_ok());
        assert!(block_on(Box::new(Graph::new()).local(1.into())).is_ok());
    }
}

mod from_macros {
    use super::*;

    macro_rules! functions {
        ($(#[$attr:meta])* $vis:vis $name:ident($arg:ident: $ty:ty) -> $result:ty $body:block) => {
            impl Graph {
                $(#[$attr])*
                #[async_operation(timeout = "1h")]
                $vis async fn $name(&self, $arg: $ty) -> $result $body
            }
        };
    }

    functions! {
        /// Made by a macro.
        pub by_macro(id: &str) -> Fallible<Answer> {
            let _ = id.parse::<u8>()?;
            Ok(accepted())
        }
    }

    functions!(hidden_by_macro(id: String) -> HttpResult {
        let _ = id.parse::<u8>()?;
        Ok(accepted())
    });

    functions!(pair_by_macro(id: (u8, u8)) -> Result<Answer, MyError> {
        let _ = id;
        Ok(accepted())
    });

    macro_rules! whole {
        ($result:ty, $output:ty, $success:ty, $target:ty, $polling:expr, $runtime:path) => {
            impl Graph {
                #[async_operation(target = $target, polling = $polling, crate = $runtime)]
                fn boxed_by_macro(&self) -> Pin<Box<dyn Future<Output = $result> + Send + '_>> {
                    Box::pin(async { Ok(self.post().await?) })
                }

                #[async_operation(target = $target, polling = $polling)]
                fn type_by_macro(&self) -> $output {
                    Box::pin(async { Ok(self.post().await?) })
                }

                #[async_operation(target = $target)]
                fn success_by_macro(&self) -> Result<$success, MyError> {
                    Ok(accepted())
                }
            }
        };
    }

    whole!(
        Fallible<Answer>,
        BoxFuture<'_, Fallible<Answer>>,
        Answer,
        Vec<Team>,
        Polling::frequent(),
        ::graph_operation
    );

    #[test]
    fn all() {
        let graph = Graph::new();
        assert!(block_on(graph.by_macro("1")).is_ok());
        assert!(block_on(graph.hidden_by_macro("x".into())).is_err());
        assert!(block_on(graph.pair_by_macro((1, 2))).is_ok());
        let _: Fallible<Operation<Vec<Team>>> = block_on(graph.boxed_by_macro());
        let _: Fallible<Operation<Vec<Team>>> = block_on(graph.type_by_macro());
        let _: Fallible<blocking::Operation<Vec<Team>>> = graph.success_by_macro();
    }
}
