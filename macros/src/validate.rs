//! The rules that can be checked from the tokens of an annotated function. The runtime's traits
//! check the others.

use crate::args::{Args, Wait};
use crate::function::Function;
use crate::returns::Returns;
use crate::tokens::is_named;
use syn::{Error, Expr, FnArg, Pat, Signature};

pub(crate) fn validate(
    args: &Args,
    function: &Function,
    returns: Option<&Returns>,
    errors: &mut Vec<Error>,
) {
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
                "`{key}` cannot be combined with `polling`; call `.{key}(…)` on the policy given there"
            );
            errors.push(Error::new(key.span(), message));
        }
    }
    if let Some(Expr::Closure(closure)) = &args.client {
        let message = "`client` takes the client itself, not a closure";
        errors.push(Error::new_spanned(closure, message));
    }
    if args.client.is_none() && sig.receiver().is_none() && function.block.is_some() {
        errors.push(Error::new(sig.ident.span(), no_client(sig)));
    }
    // Using the attribute twice also leads here.
    if let Some(Returns { success: Some(success), response, .. }) = returns
        && is_named(success, &["Operation"])
    {
        let message = "an annotated function returns here what its request returned, or the \
                       request; the attribute puts `Operation` in its place";
        errors.push(Error::new(*response, message));
    }
}

fn no_client(sig: &Signature) -> String {
    let first = sig.inputs.iter().find_map(|input| {
        let FnArg::Typed(arg) = input else { return None };
        let Pat::Ident(pat) = &*arg.pat else { return None };
        Some(pat.ident.to_string())
    });
    format!(
        "`{}` has no `self` to be the client; name one: `#[async_operation(client = {})]`",
        sig.ident,
        first.as_deref().unwrap_or("graph"),
    )
}
