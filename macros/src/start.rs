//! The start of the expansion: the client and the policy.

use crate::Annotated;
use crate::function::by_reference;
use crate::returns::Shape;
use crate::tokens::{generated_at, is_named, name_span};
use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens as _, quote, quote_spanned};
use syn::spanned::Spanned as _;
use syn::{Receiver, ReceiverKind, Token};

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
    let Annotated { args, function, returns, krate } = annotated;
    let (client, is_reference) = match &args.client {
        Some(client) => (client.to_token_stream(), false),
        // Without either, the function is rejected with a better message.
        None => own_client(function.sig.receiver()?),
    };
    let place = generated_at(client.span());
    let (from, client) = if is_reference {
        (quote!(client), client)
    } else {
        let import = quote! { use ::core::clone::Clone as _; };
        let clone = Ident::new("clone", Span::call_site());
        (quote!(client_from), quote_spanned!(place=> { #import (#client).#clone() }))
    };
    let start = if returns.shape == Shape::Blocking {
        // Without the runtime's `blocking` feature, the error points to the `fn` that is not async.
        let blocking = Ident::new("blocking", generated_at(function.sig.fn_token.span));
        // The required client trait depends on what the function returns.
        let result = Token![_](generated_at(name_span(&returns.result)));
        let place = Token![_](place);
        quote!(#krate::__private::#blocking::#from::<#result, _, #place>(#client))
    } else {
        quote!(#krate::__private::#from(#client))
    };
    let polling = args.polling.as_ref().map(|polling| quote!(.polling(#polling)));
    let setters = args.waits.iter().map(|wait| {
        let setter = Ident::new(&wait.key.to_string(), Span::call_site());
        let millis = Literal::u64_unsuffixed(wait.millis);
        quote!(.#setter(#millis))
    });
    Some(quote!(#start #polling #(#setters)*))
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
        _ => (quote!(#this), by_reference(receiver)),
    }
}
