//! What `expand` needs to know, every rule having been checked.

use crate::function::Function;
use proc_macro2::{Ident, Span, TokenStream};
use syn::{Expr, ExprPath, Type};

pub(crate) struct Model {
    pub(crate) krate: TokenStream,
    pub(crate) function: Function,
    pub(crate) outcome: Outcome,
    pub(crate) client: Client,
    pub(crate) policy: Policy,
    pub(crate) map_err: Option<ExprPath>,
    pub(crate) target: Option<Type>,
    /// The `model` key.
    pub(crate) kind: Option<Type>,
}

/// The return type that the author wrote.
pub(crate) struct Outcome {
    pub(crate) shape: Shape,
    /// All of it.
    pub(crate) declared: Type,
    /// The `Result<R, E>` in it, or an alias.
    pub(crate) result: Type,
    /// The `R` in it, unless an alias hides it.
    pub(crate) success: Option<Type>,
    /// Where messages about R and E belong: at their own tokens, or at the alias that hides them.
    pub(crate) response: Span,
    pub(crate) error: Span,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    /// `async fn`
    Async,
    /// `fn` returning `impl Future`
    Future,
    /// `fn` returning `Pin<Box<dyn Future>>`
    BoxedFuture,
    /// `fn` returning the `Result` itself
    Blocking,
}

pub(crate) enum Client {
    /// A reference to `self`.
    Borrowed(TokenStream),
    /// An expression, to be cloned as by a method call.
    Cloned(TokenStream),
    /// A method without a body has no use for one, and a function without one was refused.
    None,
}

pub(crate) enum Policy {
    /// `polling`
    Given(Expr),
    /// `first_check`, `interval`, `timeout`, in milliseconds
    Set(Vec<(Ident, u64)>),
}
