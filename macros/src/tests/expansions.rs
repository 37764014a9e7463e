//! One golden expansion for each shape. People read them: keep them short.

use super::expand;
use quote::quote;

/// The limit on the source that is generated for `archive_team`, of which its body is a third.
#[test]
fn size() {
    let item = quote! {
        /// Archives a team.
        pub async fn archive_team(&self, team_id: &str) -> graph_operation::Result<reqwest::Response> {
            let url = self.url_of(["teams", team_id, "archive"])?;
            Ok(self.http.post(url).header(AUTHORIZATION, self.bearer().await?).send().await?)
        }
    };
    let source = unspaced(&crate::attribute(quote!(), item).to_string());
    assert!(source.len() <= 450, "{} bytes: {source}", source.len());
}

/// The tokens with spaces only where Rust needs them.
fn unspaced(tokens: &str) -> String {
    let mut source = String::new();
    let mut rest = tokens.chars().peekable();
    while let Some(c) = rest.next() {
        let joins = |c: &char| c.is_alphanumeric() || *c == '_';
        let needed = || source.chars().last().is_some_and(|c| joins(&c));
        if c != ' ' || (needed() && rest.peek().is_some_and(joins)) {
            source.push(c);
        }
    }
    source
}

macro_rules! golden {
    ($($name:ident: #[async_operation($($args:tt)*)] { $($item:tt)* };)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(expand(quote! { $($args)* }, quote! { $($item)* }));
            }
        )*
    };
}

golden! {
    archive_team: #[async_operation()] {
        /// Archives a team.
        pub async fn archive_team(&self, team_id: &str) -> graph_operation::Result<reqwest::Response> {
            let url = self.url_of(["teams", team_id, "archive"])?;
            Ok(self.http.post(url).header(AUTHORIZATION, self.bearer().await?).send().await?)
        }
    };
    create_team: #[async_operation(target = Team, timeout = "20m")] {
        pub async fn create_team(&self, team: &NewTeam) -> Result<reqwest::Response, MyError> { body }
    };
    every_key: #[async_operation(
        client = self.graph, target = HashMap<K, Team>, model = EngagementAsyncOperation,
        first_check = "0s", interval = "1m 30s", timeout = "1h", map_err = MyError::new, crate = crate::graph,
    )] {
        async fn f(&self) -> Result<R, MyError> { body }
    };
    idempotent: #[async_operation(idempotent)] {
        pub async fn archive_team(&self, team_id: &str) -> Result<Request<Bytes>, E> { body }
    };
    idempotent_future: #[async_operation(idempotent)] {
        fn f(&self) -> impl Future<Output = Result<Request<Bytes>, E>> + Send { body }
    };
    idempotent_blocking: #[async_operation(idempotent, map_err = f)] {
        fn f(&self) -> Result<Request<Bytes>, E> { body }
    };
    assumed_success: #[async_operation()] {
        async fn f(&self) -> Fallible<R, E> { body }
    };
    assumed_success_future: #[async_operation()] {
        fn f(&self) -> impl Future<Output = Fallible<R, E>> { body }
    };
    assumed_success_blocking: #[async_operation()] {
        fn f(&self) -> Fallible<R, E> { body }
    };
    polling: #[async_operation(polling = Polling::frequent().timeout(HOUR))] {
        async fn f(&self) -> Result<R, E> { body }
    };
    model_alone: #[async_operation(model = M)] {
        async fn f(&self) -> Result<R, E> { body }
    };
    hidden_result: #[async_operation()] {
        async fn f(&self) -> crate::HttpResult { body }
    };
    projected_result: #[async_operation()] {
        async fn f(&self) -> <Self as Api>::Result { body }
    };
    macro_result: #[async_operation()] {
        async fn f(&self) -> result!(R) { body }
    };
    unnamed_response: #[async_operation()] {
        async fn f(&self) -> Result<impl Response, E> { body }
    };
    future: #[async_operation()] {
        pub fn f<'a>(&'a self, id: &'a str) -> impl Future<Output = Result<R, E>> + Send + use<'a> { body }
    };
    future_hidden: #[async_operation(map_err = f)] {
        fn f(&self, a: A) -> impl Send + std::future::Future<Output = HttpResult> { body }
    };
    boxed: #[async_operation()] {
        fn f(&self, id: &str) -> Pin<Box<dyn Future<Output = Result<R, E>> + Send + '_>> { body }
    };
    box_future: #[async_operation(target = Team)] {
        fn f(&self, a: A) -> futures::future::BoxFuture<'_, io::Result<R>> { body }
    };
    blocking: #[async_operation(target = Team)] {
        fn f(&self, id: &str) -> Result<R, E> { body }
    };
    blocking_hidden: #[async_operation(client = graph, map_err = f, interval = "45s")] {
        pub(crate) unsafe fn f(graph: Graph) -> HttpResult { body }
    };
    by_value: #[async_operation()] {
        async fn f(mut self, a: A, mut b: B, _: C, (d, e): D, ref f: F, ref mut g: G, h @ _: H) -> Result<R, E> { body }
    };
    underscored: #[async_operation()] {
        async fn f(&self, _a: A, r#_b: B, mut _c: C) -> Result<R, E> { body }
    };
    by_reference: #[async_operation()] {
        async fn f(&mut self, a: &A, mut b: &mut B, _: &C, &(d, e): &D) -> Result<R, E> { body }
    };
    receiver_shared: #[async_operation()] {
        async fn f(self: Arc<Self>) -> Result<R, E> { body }
    };
    receiver_counted: #[async_operation()] {
        async fn f(self: Rc<Self>) -> Result<R, E> { body }
    };
    receiver_pinned: #[async_operation()] {
        async fn f(self: std::pin::Pin<Arc<Self>>) -> Result<R, E> { body }
    };
    receiver_typed_reference: #[async_operation()] {
        async fn f(self: &mut Self) -> Result<R, E> { body }
    };
    parameter_attributes: #[async_operation()] {
        async fn f(&self, #[cfg(x)] a: A, #[allow(unused)] _: B, #[expect(unused)] c: C, #[other] d: D) -> Result<R, E> { body }
    };
    generics: #[async_operation()] {
        async fn f<'a, T, const N: usize>(&self, a: [T; N], b: impl Into<String>) -> Result<R, E> where T: Send + 'a { body }
    };
    attributes: #[async_operation()] {
        #[must_use]
        #[instrument(skip(self))]
        async fn r#type(&self) -> Result<R, E> {
            #![allow(unused)]
            body
        }
    };
    declaration: #[async_operation(timeout = "20m", client = graph)] {
        async fn f(&self, id: &str) -> crate::Result<http::Response<Bytes>>;
    };
    declaration_with_where: #[async_operation()] {
        fn f<T>(&self) -> BoxFuture<'_, Result<R, E>> where T: Send;
    };
    declaration_hidden: #[async_operation()] {
        async fn f(&self) -> HttpResult;
    };
    declaration_borrowed: #[async_operation()] {
        async fn f(&self) -> Result<R<'_>, E>;
    };
    under_async_trait: #[async_operation()] {
        #[allow(clippy::async_yields_async)]
        fn f<'life0, 'async_trait>(
            &'life0 self,
            a: A,
        ) -> ::core::pin::Pin<Box<dyn ::core::future::Future<Output = Result<R, E>> + ::core::marker::Send + 'async_trait>>
        where
            'life0: 'async_trait,
            Self: 'async_trait,
        {
            Box::pin(async move { let __self = self; let a = a; body })
        }
    };
}

/// What rust-analyzer gets in addition to the function.
#[test]
fn hints() {
    let args = quote! { client = graph, time, crate = renamed, idempotent };
    let args = crate::args::Args::parse(args, &mut Vec::new());
    let hints = args.hints().to_string().replace(' ', "");
    let keys = "userenamed::__private::keys::{clientas_,timeas_,idempotentas_};";
    assert_eq!(hints, format!("const_:()={{{keys}}};"));
}

#[test]
fn half_typed_body() {
    let expansion =
        crate::attribute(quote!(), quote! { async fn f(&self) -> Result<R, E> { self. } });
    assert!(expansion.to_string().contains("self . }"), "{expansion}");
    assert!(!expansion.to_string().contains("compile_error"), "{expansion}");
}

/// A renamed runtime is never called by its own name.
#[test]
fn renamed() {
    for item in [
        quote! { async fn f(&self, a: A) -> Result<R, E> { body } },
        quote! { async fn f(&self, a: A) -> HttpResult { body } },
        quote! { fn f(&self, a: A) -> BoxFuture<'_, HttpResult> { body } },
        quote! { fn f(&self, a: A) -> HttpResult { body } },
    ] {
        let args = quote! { crate = renamed, client = c, model = M, timeout = "1s", map_err = f };
        let expansion = crate::attribute(args, item).to_string();
        assert!(!expansion.contains("graph_operation"), "{expansion}");
    }
}
