//! The rules that can be checked from the tokens of an annotated function. The runtime's traits
//! check the others.

use crate::args::{Args, Wait};
use crate::errors::Errors;
use crate::function::{Body, Function};
use crate::returns::Returns;
use syn::{Error, Expr, FnArg, Pat, Signature, Type};

pub(crate) fn validate(args: &Args, function: &Function, errors: &mut Errors) {
    qualifiers(&function.sig, errors);
    policy(args, errors);
    if let Some(Expr::Closure(closure)) = &args.client {
        let message = "`client` takes the client itself, not a closure";
        errors.push(Error::new_spanned(closure, message));
    }
    let has_client = args.client.is_some() || function.sig.receiver().is_some();
    if !has_client && matches!(function.body, Body::Block(_)) {
        errors.at(function.sig.ident.span(), no_client(&function.sig));
    }
}

/// Using the attribute twice also leads here.
pub(crate) fn returns(returns: &Returns, errors: &mut Errors) {
    let Some(Type::Path(success)) = &returns.success else {
        return;
    };
    if success.path.segments.last().is_some_and(|last| last.ident == "Operation") {
        errors.at(
            returns.response,
            "an annotated function returns here what its request returned, or the request; the \
             attribute puts `Operation` in its place",
        );
    }
}

fn qualifiers(sig: &Signature, errors: &mut Errors) {
    if let Some(constness) = sig.constness {
        errors.at(constness.span, "a `const fn` cannot send a request; remove `const`");
    }
    if let Some(abi) = &sig.abi {
        errors.at(
            abi.extern_token.span,
            "an `extern` function cannot return an operation; remove the ABI",
        );
    }
    if let Some(variadic) = &sig.variadic {
        errors
            .push(Error::new_spanned(variadic.dots, "an operation's function cannot be variadic"));
    }
}

fn policy(args: &Args, errors: &mut Errors) {
    for Wait { key, literal, millis } in &args.waits {
        if *millis == 0 && key != "first_check" {
            errors.at(literal.span(), format_args!("`{key}` has to be longer than zero"));
        }
        if args.polling.is_some() {
            errors.at(
                key.span(),
                format_args!(
                    "`{key}` cannot stand beside `polling`; call `.{key}(…)` on the policy given \
                     there"
                ),
            );
        }
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
