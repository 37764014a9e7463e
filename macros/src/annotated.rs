//! An annotated function as `expand` sees it, every rule having been checked.

use crate::args::Args;
use crate::function::{Function, by_reference};
use crate::returns::Returns;
use crate::tokens::{generated_at, peel, runtime};
use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{Expr, ExprPath, Receiver, ReceiverKind, Type};

pub(crate) struct Annotated {
    pub(crate) krate: TokenStream,
    pub(crate) function: Function,
    pub(crate) returns: Returns,
    pub(crate) client: Client,
    pub(crate) policy: Policy,
    pub(crate) idempotent: Option<Ident>,
    pub(crate) map_err: Option<ExprPath>,
    pub(crate) target: Option<Type>,
    pub(crate) model: Option<Type>,
    /// The keys as they were written.
    pub(crate) keys: Vec<Ident>,
}

pub(crate) enum Client {
    /// A reference to `self`.
    Borrowed(TokenStream),
    /// An expression, to be cloned as by a method call.
    Cloned(TokenStream),
    /// A method without a body needs none, and a function without one was refused.
    None,
}

pub(crate) enum Policy {
    /// `polling`
    Given(Expr),
    /// `first_check`, `interval`, `timeout`, in milliseconds
    Set(Vec<(Ident, u64)>),
}

impl Annotated {
    pub(crate) fn new(args: Args, function: Function, returns: Returns) -> Self {
        let waits = [args.first_check, args.interval, args.timeout].into_iter().flatten();
        Annotated {
            krate: runtime(args.krate),
            client: match (args.client, function.sig.receiver()) {
                (Some(client), _) => Client::Cloned(client.into_token_stream()),
                (None, Some(receiver)) => own_client(receiver),
                (None, None) => Client::None,
            },
            policy: match args.polling {
                Some(polling) => Policy::Given(polling),
                None => Policy::Set(waits.map(|wait| (wait.key, wait.millis)).collect()),
            },
            function,
            returns,
            idempotent: args.idempotent,
            map_err: args.map_err,
            target: args.target,
            model: args.model,
            keys: args.keys,
        }
    }
}

fn own_client(receiver: &Receiver) -> Client {
    let this = receiver.self_token;
    match &receiver.kind {
        _ if by_reference(receiver) => Client::Borrowed(quote!(#this)),
        ReceiverKind::Value => Client::Borrowed(quote_spanned!(generated_at(this.span)=> &#this)),
        // Neither is a client for holding one.
        ReceiverKind::Typed(_, ty) if is_named(ty, "Pin") || is_named(ty, "Rc") => {
            Client::Cloned(quote_spanned!(generated_at(this.span)=> *#this))
        }
        _ => Client::Cloned(quote!(#this)),
    }
}

fn is_named(ty: &Type, name: &str) -> bool {
    match peel(ty) {
        Type::Path(ty) => ty.path.segments.last().is_some_and(|last| last.ident == name),
        _ => false,
    }
}
