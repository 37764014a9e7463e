use super::{expand, refused};
use quote::quote;

const NO_RESULT: &str = "`f` has to return a `Result` with the request, or what sending it returned, \
                         such as `Result<http::Request<Bytes>, MyError>`";
const NO_OUTPUT: &str = "the future of `f` does not show its `Result`; write \
                         `impl Future<Output = Result<R, E>>` or `BoxFuture<'_, Result<R, E>>`";
const OPERATION: &str = "an annotated function returns here what its request returned, or the request; \
                         the attribute puts `Operation` in its place";
const NO_FUNCTION: &str = "`#[async_operation]` goes on a function";
const NO_FUNCTION_YET: &str = "`#[async_operation]` goes on a function; put it on each one in here \
                               that starts an operation";

macro_rules! refuses {
    ($($name:ident: { $($item:tt)* } $($message:expr),+;)*) => {
        $(
            #[test]
            fn $name() {
                assert_eq!(refused(quote!(), quote! { $($item)* }), [$($message),+]);
            }
        )*
    };
}

refuses! {
    nothing_returned: { async fn f(&self) {} } NO_RESULT;
    unit: { async fn f(&self) -> () {} } NO_RESULT;
    tuple: { fn f(&self) -> (R, E) {} } NO_RESULT;
    reference: { async fn f(&self) -> &R {} } NO_RESULT;
    never: { async fn f(&self) -> ! {} } NO_RESULT;
    string: { async fn f(&self) -> String {} } NO_RESULT;
    option: { async fn f(&self) -> Option<R> {} } NO_RESULT;
    plain_box: { fn f(&self) -> Box<dyn Future<Output = Result<R, E>>> {} } NO_OUTPUT;
    unpin_box: { fn f(&self) -> Box<dyn Future<Output = Result<R, E>> + Unpin + '_> {} } NO_OUTPUT;
    pinned_nothing: { fn f(&self) -> Pin<Box<dyn Future + Send>> {} } NO_OUTPUT;
    box_of_something: { fn f(&self) -> Box<dyn Iterator<Item = R>> {} } NO_RESULT;
    operation: { async fn f(&self) -> Result<Operation, E> {} } OPERATION;
    operation_with_target: { async fn f(&self) -> Result<graph_operation::Operation<Team>> {} } OPERATION;
    operation_of_another_kind: { fn f(&self) -> BoxFuture<'_, Result<blocking::Operation>> {} } OPERATION;
    no_future: { fn f(&self) -> impl Iterator<Item = R> {} } NO_RESULT;
    future_of_unit: { fn f(&self) -> impl Future<Output = ()> {} } NO_RESULT;
    future_of_nothing: { fn f(&self) -> impl Future {} } NO_OUTPUT;
    boxed_unit: { fn f(&self) -> Pin<Box<dyn Future<Output = ()>>> {} } NO_RESULT;
    boxed_option: { fn f(&self) -> BoxFuture<'_, Option<R>> {} } NO_RESULT;
    no_client: { async fn f(graph: &Graph) -> Result<R, E> {} }
        "`f` has no `self` to be the client; name one: `#[async_operation(client = graph)]`";
    no_client_at_all: { async fn f() -> Result<R, E> {} }
        "`f` has no `self` to be the client; name one: `#[async_operation(client = graph)]`";
    constant: { const fn f(&self) -> Result<R, E> {} }
        "a `const fn` cannot send a request; remove `const`";
    foreign: { extern "C" fn f(&self) -> Result<R, E> {} }
        "an `extern` function cannot return an operation; remove the ABI";
    variadic: { unsafe extern "C" fn f(&self, args: ...) -> Result<R, E> {} }
        "an `extern` function cannot return an operation; remove the ABI",
        "an operation's function cannot be variadic";
    everything: { const extern fn f() {} }
        "a `const fn` cannot send a request; remove `const`",
        "an `extern` function cannot return an operation; remove the ABI",
        "`f` has no `self` to be the client; name one: `#[async_operation(client = graph)]`",
        NO_RESULT;
    structure: { pub struct S; } NO_FUNCTION;
    constant_item: { const F: fn() = f; } NO_FUNCTION;
    implementation: { impl S { fn f() {} } } NO_FUNCTION_YET;
    unsafe_implementation: { unsafe impl S {} } NO_FUNCTION_YET;
    interface: { pub trait T {} } NO_FUNCTION_YET;
    unsafe_interface: { unsafe trait T {} } NO_FUNCTION_YET;
    foreign_module: { extern "C" { fn f(); } } NO_FUNCTION;
}

#[test]
fn item_is_kept() {
    let item = quote! { pub(crate) struct S { field: u8 } };
    assert!(crate::attribute(quote!(), item.clone()).to_string().starts_with(&item.to_string()));
    let no_result = quote! { async fn f(&self) -> Option<R> { self.half. } };
    assert!(
        crate::attribute(quote!(), no_result.clone())
            .to_string()
            .starts_with(&no_result.to_string())
    );
}

macro_rules! emits {
    ($($name:ident: #[async_operation($($args:tt)*)] { $($item:tt)* };)*) => {
        $(
            #[test]
            fn $name() {
                insta::assert_snapshot!(expand(quote! { $($args)* }, quote! { $($item)* }));
            }
        )*
    };
}

emits! {
    fallback: #[async_operation(intervall = "1s")] {
        async fn f(&self, a: A) -> Result<R, E> { self.post(a).await }
    };
    fallback_without_client: #[async_operation()] {
        pub extern "C" fn f(a: A) -> crate::Result<R> { post(a) }
    };
    fallback_future: #[async_operation(timeout = "0s")] {
        fn f(&self, a: A) -> impl Future<Output = Result<R, E>> { self.post(a) }
    };
    fallback_boxed: #[async_operation(timeout = "0s")] {
        fn f(&self, a: A) -> BoxFuture<'_, Result<R, E>> { Box::pin(self.post(a)) }
    };
    fallback_declaration: #[async_operation(timeout = "0s", target = Team)] {
        async fn f(&self) -> Result<R, E>;
    };
}
