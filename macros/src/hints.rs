//! What an editor is told about the keys.

use crate::annotated::Annotated;
use proc_macro2::TokenStream;
use quote::quote;

// Input:
//     target = Team, timeout = "20m"
//
// Output:
//     const _: () = {
//         use keys::{target as _, timeout as _};
//     };
//
// where the items of the runtime that are named like keys complete them, and document them on hover. It
// stands in the function's body, or before a declaration: the editor takes it in a trait, too.
pub(crate) fn keys(annotated: &Annotated) -> TokenStream {
    let krate = &annotated.krate;
    let keys = annotated.args.keys.iter().filter(|key| *key != "crate");
    quote! {
        const _: () = {
            use #krate::__private::keys::{#(#keys as _),*};
        };
    }
}
