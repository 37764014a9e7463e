//! Helpers for tokens and their spans.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::ToTokens as _;
use std::sync::LazyLock;
use syn::spanned::Spanned as _;
use syn::{Token, Type, TypeInfer};

/// Whether rust-analyzer expands the attribute. Every compiler would report `cfg(rust_analyzer)` in
/// an expansion as unexpected.
pub(crate) fn is_editor() -> bool {
    static IS_EDITOR: LazyLock<bool> = LazyLock::new(|| {
        let program = std::env::current_exe().unwrap_or_default();
        program.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rust-analyzer"))
    });
    *IS_EDITOR
}

/// The location of the author's token with the hygiene of generated code: lints do not mistake
/// the code for the author's, and its names do not collide with theirs.
///
/// Only tokens that an error can point to get this span. All others get the attribute's span, as do
/// all tokens in an editor, which would otherwise describe generated names at the author's tokens.
pub(crate) fn generated_at(span: Span) -> Span {
    let generated = Span::call_site();
    if is_editor() { generated } else { generated.located_at(span) }
}

/// A `_` for the type at this place, where an unsatisfied bound is to be reported.
pub(crate) fn any(span: Span) -> Type {
    let underscore_token = Token![_](generated_at(span));
    Type::Infer(TypeInfer { attrs: Vec::new(), underscore_token })
}

/// The type without parentheses, and without the invisible groups that a `macro_rules!` macro adds.
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

/// The token that names a type, for errors about it: stable Rust cannot join the spans of a path.
pub(crate) fn name_span(ty: &Type) -> Span {
    name_of(ty).map_or_else(|| peel(ty).span(), Ident::span)
}

/// Whether the type is a path that ends in one of these names.
pub(crate) fn is_named(ty: &Type, names: &[&str]) -> bool {
    name_of(ty).is_some_and(|name| names.contains(&name.to_string().as_str()))
}

fn name_of(ty: &Type) -> Option<&Ident> {
    match peel(ty) {
        Type::Path(ty) => ty.path.segments.last().map(|last| &last.ident),
        _ => None,
    }
}

/// The type, unless it contains an `impl Trait`, which cannot be named inside the function.
pub(crate) fn nameable(ty: &Type) -> Option<&Type> {
    (!idents(ty.to_token_stream()).iter().any(|ident| ident == "impl")).then_some(ty)
}

/// The identifiers and keywords, including those in groups.
pub(crate) fn idents(tokens: TokenStream) -> Vec<Ident> {
    let idents_of = |token| match token {
        TokenTree::Ident(ident) => vec![ident],
        TokenTree::Group(group) => idents(group.stream()),
        _ => Vec::new(),
    };
    tokens.into_iter().flat_map(idents_of).collect()
}
