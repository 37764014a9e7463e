//! Types and patterns that are in parentheses, or in the invisible groups of a `macro_rules!` macro.

use super::expand;
use proc_macro2::{Delimiter, Group, TokenStream};
use quote::quote;

const RETURNS: &str = "Result<::graph_operation::Operation, E>";

/// What `$ty:ty` hands over.
fn invisible(tokens: TokenStream) -> Group {
    Group::new(Delimiter::None, tokens)
}

fn returning(ty: &TokenStream) -> String {
    expand(quote!(), quote!(fn f(&self) -> #ty { g() }))
}

#[test]
fn a_result_is_found_in_them() {
    let result = invisible(quote!(Result<R, E>));
    let expansion = expand(quote!(), quote!(async fn f(&self) -> #result { g() }));
    assert!(expansion.contains(RETURNS), "{expansion}");
    let expansion = expand(
        quote!(),
        quote!(
            async fn f(&self) -> (Result<R, E>) {
                g()
            }
        ),
    );
    assert!(expansion.contains(RETURNS), "{expansion}");
}

#[test]
fn a_boxed_future_is_found_in_them() {
    let future = quote!(Box<dyn Future<Output = Result<R, E>> + Send>);
    let group = invisible(future.clone());
    for boxed in [quote!(#future), quote!((#future)), quote!(#group)] {
        let expansion = returning(&quote!(Pin<#boxed>));
        assert!(expansion.contains(&format!("Future<Output = {RETURNS}>")), "{expansion}");
        assert!(expansion.contains("__private::Box::pin("), "{expansion}");
    }
}

#[test]
fn the_output_is_found_behind_other_associated_types() {
    let expansion = returning(&quote!(impl Future<Other = u8, Output = Result<R, E>>));
    assert!(expansion.contains(&format!("Future<Other = u8, Output = {RETURNS}>")), "{expansion}");
}

#[test]
fn an_unnamed_type_in_them_is_not_named() {
    let signature = quote!(
        async fn f(&self) -> Result<(impl A, u8), E> {
            g()
        }
    );
    let expansion = expand(quote!(), signature);
    assert!(!expansion.contains("never"), "{expansion}");
}

#[test]
fn a_mutable_reference_in_a_pattern_needs_a_mutable_variable() {
    let rebound = |pattern: TokenStream| {
        let expansion =
            expand(quote!(), quote!(async fn f(&self, #pattern: T) -> Result<R, E> { g() }));
        expansion.contains("let mut __arg")
    };
    assert!(rebound(quote!((ref mut a, b))));
    assert!(rebound(quote!(ref mut a)));
    assert!(!rebound(quote!((ref a, mut b))));
}
