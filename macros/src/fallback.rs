//! The output after a mistake: a function that causes no errors of its own. Our errors follow it.
//! To complete a key, rust-analyzer compares the expansions with and without the text being typed,
//! by the code that precedes it.

use crate::returns::Shape;
use crate::tokens::nameable;
use crate::{Annotated, expand};
use proc_macro2::TokenStream;
use quote::quote;

/// The function as its callers should see it. Its body is still checked; its operation never
/// begins.
pub(crate) fn fallback(mut annotated: Annotated) -> TokenStream {
    // A rejected signature would also break Rust's own rules.
    let sig = &mut annotated.function.sig;
    (sig.constness, sig.abi, sig.variadic) = (None, None, None);
    expand::emit(annotated, |Annotated { args, returns, .. }, request| {
        let krate = args.krate();
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
    })
}
