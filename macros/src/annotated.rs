//! An annotated function as `expand` sees it, every rule having been checked.

use crate::args::Args;
use crate::function::{Function, by_reference};
use crate::returns::Returns;
use crate::tokens::{generated_at, peel, runtime};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::{Expr, ExprPath, Path, Receiver, ReceiverKind, Type};

pub(crate) struct Annotated {
    pub(crate) krate: TokenStream,
    /// The `crate` key.
    pub(crate) path: Option<Path>,
    pub(crate) function: Function,
    pub(crate) returns: Returns,
    /// A method without a body needs none.
    pub(crate) client: Option<Client>,
    pub(crate) policy: Policy,
    pub(crate) idempotent: Option<Ident>,
    pub(crate) map_err: Option<ExprPath>,
    pub(crate) target: Option<Type>,
    pub(crate) model: Option<Type>,
    /// The keys as they were written.
    pub(crate) keys: Vec<Ident>,
}

pub(crate) struct Client {
    pub(crate) expr: TokenStream,
    /// A reference to a client, or an expression to be cloned as by a method call.
    pub(crate) is_reference: bool,
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
            krate: runtime(args.krate.as_ref(), Span::call_site()),
            path: args.krate,
            client: match args.client {
                Some(client) => {
                    Some(Client { expr: client.into_token_stream(), is_reference: false })
                }
                None => function.sig.receiver().map(own_client),
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
    let span = generated_at(this.span);
    let is_value = matches!(receiver.kind, ReceiverKind::Value);
    let expr = match &receiver.kind {
        ReceiverKind::Value => quote_spanned!(span=> &#this),
        // Neither is a client for holding one.
        ReceiverKind::Typed(_, ty) if is_named(ty, "Pin") || is_named(ty, "Rc") => {
            quote_spanned!(span=> *#this)
        }
        _ => quote!(#this),
    };
    Client { expr, is_reference: is_value || by_reference(receiver) }
}

fn is_named(ty: &Type, name: &str) -> bool {
    match peel(ty) {
        Type::Path(ty) => ty.path.segments.last().is_some_and(|last| last.ident == name),
        _ => false,
    }
}
