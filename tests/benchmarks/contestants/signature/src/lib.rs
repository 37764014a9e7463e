//! An attribute that parses the signature of a function and prints it again. No attribute that parses
//! signatures with syn costs less.

use proc_macro::TokenStream;
use proc_macro2::TokenTree;
use quote::quote;
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, Signature, Visibility};

/// Changes nothing.
#[proc_macro_attribute]
pub fn signature(_: TokenStream, item: TokenStream) -> TokenStream {
    let mut tokens: Vec<TokenTree> = proc_macro2::TokenStream::from(item).into_iter().collect();
    // The body is not parsed: that would take longer for a longer body.
    let body = tokens.pop();
    let parse = |input: ParseStream<'_>| {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis: Visibility = input.parse()?;
        let sig: Signature = input.parse()?;
        Ok(quote!(#(#attrs)* #vis #sig #body))
    };
    parse.parse2(tokens.into_iter().collect()).unwrap_or_else(syn::Error::into_compile_error).into()
}
