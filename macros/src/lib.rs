//! The attribute `#[async_operation]` of [graph-operation], which re-exports and documents it.
//!
//! [graph-operation]: https://docs.rs/graph-operation

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod args;
mod duration;
mod errors;
mod expand;
mod fallback;
mod function;
mod model;
mod outcome;
mod validate;

#[cfg(test)]
mod tests;

use crate::args::Args;
use crate::errors::Errors;
use crate::function::Function;
use proc_macro2::TokenStream;

/// Turns a function that sends a request into one that returns the operation which it started.
///
/// Documented where users meet it: at `graph_operation::async_operation`.
#[proc_macro_attribute]
pub fn async_operation(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    attribute(args.into(), item.into()).into()
}

fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, &mut errors);
    let model = match Function::parse(item.clone()) {
        Ok(function) => validate::validate(args, function, &mut errors),
        Err(error) => {
            errors.push(error);
            None
        }
    };
    match (model, errors.into_compile_error()) {
        (Some(model), None) => expand::expand(model),
        (Some(model), Some(error)) => fallback::rewritten(error, model),
        (None, error) => fallback::untouched(error, item),
    }
}
