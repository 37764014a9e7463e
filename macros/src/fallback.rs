//! What is emitted when something was refused: the messages, and a function that makes for no others.

use crate::annotated::Annotated;
use crate::expand;
use crate::returns::Shape;
use crate::tokens::nameable;
use proc_macro2::TokenStream;
use quote::quote;

/// The function as its callers should see it. Its body is still checked, its operation never begins.
pub(crate) fn rewritten(errors: TokenStream, mut annotated: Annotated) -> TokenStream {
    // What was refused in the signature would break rules of Rust's too.
    let sig = &mut annotated.function.sig;
    (sig.constness, sig.abi, sig.variadic) = (None, None, None);
    let Annotated { returns, krate, .. } = &annotated;
    let function = expand::emit(&annotated, |request| {
        let result = nameable(&returns.result).map(|result| quote!(: #result));
        let awaited = quote! {
            let _ = async move {
                let _ #result = #krate::__private::call(#request).await;
            };
        };
        match returns.shape {
            Shape::Async | Shape::Blocking => quote!(let _ = #request; loop {}),
            Shape::Future => quote!(#awaited async { loop {} }),
            Shape::BoxedFuture => quote!(#awaited #krate::__private::Box::pin(async { loop {} })),
        }
    });
    quote!(#errors #function)
}

/// The item as it was written.
pub(crate) fn untouched(errors: Option<TokenStream>, item: TokenStream) -> TokenStream {
    let mut tokens = errors.unwrap_or_default();
    tokens.extend(item);
    tokens
}
