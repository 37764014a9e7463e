//! The attribute `#[async_operation]` of [graph-operation], which re-exports and documents it.
//!
//! [graph-operation]: https://docs.rs/graph-operation

#![deny(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod args;
mod duration;
mod expand;
mod fallback;
mod function;
mod returns;
mod start;
mod tokens;
mod validate;

#[cfg(test)]
mod tests;

use crate::args::Args;
use crate::function::Function;
use crate::returns::Returns;
use proc_macro2::TokenStream;
use syn::Error;

/// An annotated function in its parts.
struct Annotated {
    args: Args,
    function: Function,
    returns: Returns,
}

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

fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    // The keys and the function are checked independently of each other.
    let mut errors = Vec::new();
    let args = Args::parse(args, &mut errors);
    let annotated = Function::parse(item.clone()).and_then(|mut function| {
        let returns = returns::replace(&mut function.sig, &args);
        validate::validate(&args, &function, returns.as_ref().ok(), &mut errors);
        Ok(Annotated { args, function, returns: returns? })
    });
    let mut output = match annotated {
        Ok(annotated) if errors.is_empty() => expand::expand(annotated),
        Ok(annotated) => fallback::fallback(annotated),
        Err(error) => {
            errors.push(error);
            item
        }
    };
    output.extend(errors.iter().map(Error::to_compile_error));
    output
}
