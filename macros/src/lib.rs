//! The attribute `#[async_operation]` of [graph-operation], which re-exports and documents it.
//!
//! [graph-operation]: https://docs.rs/graph-operation

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod annotated;
mod args;
mod duration;
mod errors;
mod expand;
mod fallback;
mod function;
mod hints;
mod returns;
mod start;
mod tokens;
mod validate;

#[cfg(test)]
mod tests;

use crate::annotated::Annotated;
use crate::args::Args;
use crate::errors::Errors;
use crate::function::Function;
use crate::returns::Returns;
use proc_macro2::TokenStream;

/// # In short
///
/// `#[async_operation]` turns a function that returns a request, or its response, into one that
/// returns the operation that the request started.
///
/// | key | value | default |
/// |---|---|---|
/// | `client` | an expression: what sends the requests | `self` |
/// | `target` | a type: what the operation's target deserializes to | `serde_json::Value` |
/// | `model` | a type: the family of operations | `TeamsAsyncOperation` |
/// | `first_check`, `interval`, `timeout` | durations: `"45s"`, `"20m"`, `"1h 30m"` | the model's |
/// | `polling` | an expression: the whole policy | the model's |
/// | `idempotent` | no value: a request that may have been carried out is retried | off |
/// | `map_err` | the path of a function from `graph_operation::Error` | `From` |
/// | `crate` | the path of the library | `::graph_operation` |
#[proc_macro_attribute]
pub fn async_operation(
    args: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    attribute(args.into(), item.into()).into()
}

fn attribute(args: TokenStream, mut item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args = Args::parse(args, &mut errors);
    let annotated = Function::parse(item.clone()).and_then(|function| {
        validate::validate(&args, &function, &mut errors);
        let returns = Returns::of(&function.sig)?;
        validate::returns(&returns, &mut errors);
        Ok(Annotated::new(args, function, returns))
    });
    match annotated {
        Ok(annotated) => match errors.into_compile_error() {
            None => expand::expand(&annotated),
            Some(errors) => fallback::fallback(&errors, annotated),
        },
        Err(error) => {
            errors.push(error);
            // The item as written.
            item.extend(errors.into_compile_error());
            item
        }
    }
}
