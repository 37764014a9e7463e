//! Hints about the keys for editors.

use crate::Annotated;
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
// where items of the runtime with the names of the keys provide completion, and documentation on
// hover. It is placed in the function's body, or before a declaration: editors accept it in a
// trait, too.
pub(crate) fn keys(annotated: &Annotated) -> TokenStream {
    let krate = &annotated.krate;
    let keys = annotated.args.keys.iter().filter(|key| *key != "crate");
    quote! {
        const _: () = {
            use #krate::__private::keys::{#(#keys as _),*};
        };
    }
}
