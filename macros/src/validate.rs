//! Every rule about an annotated function.

use crate::args::Args;
use crate::errors::Errors;
use crate::expand::{generated_at, is_reference, runtime};
use crate::function::{Body, Function};
use crate::model::{Client, Model, Policy};
use crate::outcome;
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{FnArg, Pat, Receiver, ReceiverKind, Signature};

/// `None` where nothing can be told about the new function: it returns no `Result`.
pub(crate) fn validate(args: Args, mut function: Function, errors: &mut Errors) -> Option<Model> {
    refuse_qualifiers(&mut function.sig, errors);
    let policy = policy(&args, errors);
    let client = match (args.client, function.sig.receiver(), &function.body) {
        (_, _, Body::None(_)) => Client::None,
        (Some(client), _, _) => Client::Cloned(client.into_token_stream()),
        (None, Some(receiver), _) => own_client(receiver),
        (None, None, _) => {
            errors.at(function.sig.ident.span(), no_client(&function.sig));
            Client::None
        }
    };
    let outcome = match outcome::find(&function.sig) {
        Ok(outcome) => outcome,
        Err(error) => {
            errors.push(error);
            return None;
        }
    };
    Some(Model {
        krate: runtime(args.krate, function.sig.ident.span()),
        function,
        outcome,
        client,
        policy,
        map_err: args.map_err,
        target: args.target,
        kind: args.model,
    })
}

/// They are taken off, so that the function that is emitted all the same breaks no rule of Rust's.
fn refuse_qualifiers(sig: &mut Signature, errors: &mut Errors) {
    if let Some(constness) = sig.constness.take() {
        errors.at(constness.span, "a `const fn` cannot send a request; remove `const`");
    }
    if let Some(abi) = sig.abi.take() {
        errors.at(
            abi.extern_token.span,
            "an `extern` function cannot return an operation; remove the ABI",
        );
    }
    if let Some(variadic) = sig.variadic.take() {
        errors.push(syn::Error::new_spanned(
            variadic.dots,
            "an operation's function cannot be variadic",
        ));
    }
}

fn policy(args: &Args, errors: &mut Errors) -> Policy {
    for wait in [&args.interval, &args.timeout].into_iter().flatten() {
        if wait.millis == 0 {
            errors
                .at(wait.literal.span(), format_args!("`{}` has to be longer than zero", wait.key));
        }
    }
    let waits = [&args.first_check, &args.interval, &args.timeout].into_iter().flatten();
    let Some(polling) = &args.polling else {
        return Policy::Set(waits.map(|wait| (wait.key.clone(), wait.millis)).collect());
    };
    for wait in waits {
        let key = &wait.key;
        errors.at(
            key.span(),
            format_args!(
                "`{key}` cannot stand beside `polling`; call `.{key}(…)` on the policy given there"
            ),
        );
    }
    Policy::Given(polling.clone())
}

fn own_client(receiver: &Receiver) -> Client {
    let this = receiver.self_token;
    match &receiver.kind {
        ReceiverKind::Value => Client::Borrowed(quote_spanned!(generated_at(this.span)=> &#this)),
        ReceiverKind::Reference(..) => Client::Borrowed(quote!(#this)),
        ReceiverKind::Typed(_, ty) if is_reference(ty) => Client::Borrowed(quote!(#this)),
        // A method call clones through a `Pin<&mut Self>`.
        _ => Client::Cloned(quote!(#this)),
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
