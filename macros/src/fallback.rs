//! What is emitted when something was refused: the message, and a function that makes for no other.

use crate::expand;
use crate::model::{Model, Shape};
use proc_macro2::TokenStream;
use quote::quote_spanned;

/// The function as its callers should see it. Its body is still checked, its operation never begins.
pub(crate) fn rewritten(error: TokenStream, model: Model) -> TokenStream {
    let mut tokens = error;
    tokens.extend(expand::emit(model, |model, span, request| {
        let krate = &model.krate;
        let result = expand::nameable(&model.outcome.result);
        let result = result.map(|result| quote_spanned!(span=> : #result));
        let awaited = quote_spanned! {span=>
            let _ = async move {
                let _ #result = #krate::__private::call(#request).await;
            };
        };
        match model.outcome.shape {
            Shape::Async | Shape::Blocking => quote_spanned!(span=> let _ = #request; loop {}),
            Shape::Future => quote_spanned!(span=> #awaited async { loop {} }),
            Shape::BoxedFuture => {
                quote_spanned!(span=> #awaited #krate::__private::Box::pin(async { loop {} }))
            }
        }
    }));
    tokens
}

/// The item as it was written.
pub(crate) fn untouched(error: Option<TokenStream>, item: TokenStream) -> TokenStream {
    let mut tokens = error.unwrap_or_default();
    tokens.extend(item);
    tokens
}
