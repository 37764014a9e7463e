//! Small questions about tokens, and where generated ones stand.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use std::sync::LazyLock;
use syn::Type;
use syn::spanned::Spanned as _;

/// Whether rust-analyzer expands the attribute. `cfg(rust_analyzer)` in an expansion would be an
/// unexpected one to every compiler.
pub(crate) fn is_editor() -> bool {
    static IS_EDITOR: LazyLock<bool> = LazyLock::new(|| {
        let program = std::env::current_exe().unwrap_or_default();
        program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rust-analyzer"))
    });
    *IS_EDITOR
}

/// The place of the author's token, without its being the author's: no lint takes generated code for
/// theirs, and no name in it meets one of theirs.
///
/// Only what a message can be about stands in such a place. Everything else stands at the attribute, as
/// all does in an editor, which would explain each name that has the place of the author's.
pub(crate) fn generated_at(span: Span) -> Span {
    let generated = Span::call_site();
    if is_editor() { generated } else { generated.located_at(span) }
}

/// The type without parentheses, and without the invisible groups that a `macro_rules!` macro puts
/// around it.
pub(crate) fn peel(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => peel(&group.elem),
        Type::Paren(paren) => peel(&paren.elem),
        ty => ty,
    }
}

pub(crate) fn peel_mut(ty: &mut Type) -> &mut Type {
    match ty {
        Type::Group(group) => peel_mut(&mut group.elem),
        Type::Paren(paren) => peel_mut(&mut paren.elem),
        ty => ty,
    }
}

/// The token that names a type, for messages about it: stable Rust cannot join a path's tokens.
pub(crate) fn name_span(ty: &Type) -> Span {
    match peel(ty) {
        Type::Path(ty) => {
            ty.path.segments.last().map_or_else(|| ty.span(), |last| last.ident.span())
        }
        ty => ty.span(),
    }
}

/// The type, unless there is an `impl Trait` in it, which has no name inside the function.
pub(crate) fn nameable(ty: &Type) -> Option<TokenStream> {
    let tokens = ty.to_token_stream();
    (!idents(tokens.clone()).iter().any(|ident| ident == "impl")).then_some(tokens)
}

/// Neither a lifetime that is left out nor an `impl Trait` can stand in a `where` clause.
pub(crate) fn is_global(ty: &Type) -> bool {
    nameable(ty).is_some_and(|tokens| !tokens.to_string().contains(['&', '\'']))
}

/// The identifiers and keywords, also those in brackets.
pub(crate) fn idents(tokens: TokenStream) -> Vec<Ident> {
    let idents_of = |token| match token {
        TokenTree::Ident(ident) => vec![ident],
        TokenTree::Group(group) => idents(group.stream()),
        _ => Vec::new(),
    };
    tokens.into_iter().flat_map(idents_of).collect()
}
