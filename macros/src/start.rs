//! The start of the expansion: the client and the policy.

use crate::Annotated;
use crate::function::by_reference;
use crate::returns::Shape;
use crate::tokens::{any, generated_at, is_named, name_span};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Receiver, ReceiverKind};

// Input:
//     client = self.graph, timeout = "20m"
//
// Output:
//     client_from({
//         use ::core::clone::Clone as _;
//         (self.graph).clone()
//     })
//     .timeout(1200000)
//
// or, for a receiver that is the client itself, `client(self)`.
pub(crate) fn start(annotated: &Annotated) -> Option<TokenStream> {
    let Annotated { args, function, returns } = annotated;
    let krate = args.krate();
    let (client, is_reference) = match &args.client {
        Some(client) => (client.to_token_stream(), false),
        // Without either, the function is rejected with a better message.
        None => own_client(function.sig.receiver()?),
    };
    let place = generated_at(client.span());
    let (from, client) = if is_reference {
        ("client", client)
    } else {
        let import = quote! { use ::core::clone::Clone as _; };
        let clone = Ident::new("clone", Span::call_site());
        ("client_from", quote_spanned!(place=> { #import (#client).#clone() }))
    };
    let from = Ident::new(from, Span::call_site());
    let mut start = if returns.shape == Shape::Blocking {
        // Without the runtime's `blocking` feature, the error points to the `fn` that is not async.
        let blocking = Ident::new("blocking", generated_at(function.sig.fn_token.span));
        // The required client trait depends on what the function returns.
        let (result, place) = (any(name_span(&returns.result)), any(place));
        quote!(#krate::__private::#blocking::#from::<#result, _, #place>(#client))
    } else {
        quote!(#krate::__private::#from(#client))
    };
    if let Some(polling) = &args.polling {
        // What the expression borrows is released before the code runs.
        start = quote!({ #start.polling(#polling) });
    }
    for wait in &args.waits {
        let setter = Ident::new(&wait.key.to_string(), Span::call_site());
        let millis = Literal::u64_unsuffixed(wait.millis);
        start.extend(quote!(.#setter(#millis)));
    }
    Some(start)
}

/// The receiver as a client, and whether it is a reference to one.
fn own_client(receiver: &Receiver) -> (TokenStream, bool) {
    let this = receiver.self_token;
    let span = generated_at(this.span);
    match &receiver.kind {
        ReceiverKind::Value => (quote_spanned!(span=> &#this), true),
        // These are not clients themselves, although they hold one.
        ReceiverKind::Typed(_, ty) if is_named(ty, &["Pin", "Rc"]) => {
            (quote_spanned!(span=> *#this), false)
        }
        _ => (this.to_token_stream(), by_reference(receiver)),
    }
}
