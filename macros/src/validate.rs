//! The rules that can be checked from the tokens of an annotated function. The runtime's traits
//! check the others.

use crate::args::{Args, Wait};
use crate::function::{Body, Function};
use crate::returns::Returns;
use crate::tokens::is_named;
use syn::{Error, Expr, FnArg, Pat, Signature};

pub(crate) fn validate(args: &Args, function: &Function, errors: &mut Vec<Error>) {
    let sig = &function.sig;
    if let Some(constness) = sig.constness {
        let message = "a `const fn` cannot send a request; remove `const`";
        errors.push(Error::new(constness.span, message));
    }
    if let Some(abi) = &sig.abi {
        let message = "an `extern` function cannot return an operation; remove the ABI";
        errors.push(Error::new(abi.extern_token.span, message));
    }
    if let Some(variadic) = &sig.variadic {
        let message = "an operation's function cannot be variadic";
        errors.push(Error::new_spanned(variadic.dots, message));
    }
    for Wait { key, literal, millis } in &args.waits {
        if *millis == 0 && key != "first_check" {
            let message = format_args!("`{key}` has to be longer than zero");
            errors.push(Error::new(literal.span(), message));
        }
        if args.polling.is_some() {
            let message = format_args!(
                "`{key}` cannot stand beside `polling`; call `.{key}(…)` on the policy given there"
            );
            errors.push(Error::new(key.span(), message));
        }
    }
    if let Some(Expr::Closure(closure)) = &args.client {
        let message = "`client` takes the client itself, not a closure";
        errors.push(Error::new_spanned(closure, message));
    }
    let has_client = args.client.is_some() || sig.receiver().is_some();
    if !has_client && matches!(function.body, Body::Block(_)) {
        errors.push(Error::new(sig.ident.span(), no_client(sig)));
    }
}

/// Using the attribute twice also leads here.
pub(crate) fn returns(returns: &Returns, errors: &mut Vec<Error>) {
    if returns.success.as_ref().is_some_and(|success| is_named(success, &["Operation"])) {
        let message = "an annotated function returns here what its request returned, or the \
                       request; the attribute puts `Operation` in its place";
        errors.push(Error::new(returns.response, message));
    }
}

fn no_client(sig: &Signature) -> String {
    let first = sig.inputs.iter().find_map(|input| match input {
        FnArg::Typed(arg) => match &*arg.pat {
            Pat::Ident(pat) => Some(pat.ident.to_string()),
            _ => None,
        },
        FnArg::Receiver(_) => None,
    });
    format!(
        "`{}` has no `self` to be the client; name one: `#[async_operation(client = {})]`",
        sig.ident,
        first.as_deref().unwrap_or("graph"),
    )
}
