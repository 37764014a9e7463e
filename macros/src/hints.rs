//! What an editor is told about the keys.

use crate::annotated::Annotated;
use proc_macro2::TokenStream;
use quote::quote;
use std::sync::LazyLock;

/// Whether rust-analyzer expands the attribute. `cfg(rust_analyzer)` in an expansion would be an
/// unexpected one to every compiler.
pub(crate) fn is_editor() -> bool {
    static IS_EDITOR: LazyLock<bool> = LazyLock::new(|| {
        let program = std::env::current_exe().unwrap_or_default();
        program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rust-analyzer"))
    });
    *IS_EDITOR
}

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
