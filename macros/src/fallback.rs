//! What is emitted when something was refused: a function that makes for no messages but ours, which
//! follow it. To complete a key, rust-analyzer compares the expansions with and without the text that
//! is being typed, by what stands before it.

use crate::annotated::Annotated;
use crate::expand;
use crate::returns::Shape;
use crate::tokens::nameable;
use proc_macro2::TokenStream;
use quote::quote;

/// The function as its callers should see it. Its body is still checked, its operation never begins.
pub(crate) fn fallback(errors: &TokenStream, mut annotated: Annotated) -> TokenStream {
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
    quote!(#function #errors)
}
