//! An annotated function in its parts.

use crate::args::{Args, ModPath};
use crate::function::Function;
use crate::returns::Returns;
use crate::tokens::generated_at;
use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote_spanned};

pub(crate) struct Annotated {
    pub(crate) args: Args,
    pub(crate) function: Function,
    pub(crate) returns: Returns,
    /// The path of the runtime.
    pub(crate) krate: TokenStream,
}

impl Annotated {
    pub(crate) fn new(args: Args, function: Function, returns: Returns) -> Self {
        let krate = runtime(args.krate.as_ref(), Span::call_site());
        Annotated { args, function, returns, krate }
    }

    /// The path of the runtime with this span, unless the author has named the path.
    pub(crate) fn krate_at(&self, span: Span) -> TokenStream {
        runtime(self.args.krate.as_ref(), span)
    }
}

/// The path of the runtime. The tokens of the author's path are marked as generated, except
/// `$crate`, which would lose its meaning.
fn runtime(path: Option<&ModPath>, span: Span) -> TokenStream {
    let Some(ModPath(path)) = path else {
        return quote_spanned!(span=> ::graph_operation);
    };
    let generated = |mut token: TokenTree| {
        if token.to_string() != "$crate" {
            token.set_span(generated_at(token.span()));
        }
        token
    };
    path.to_token_stream().into_iter().map(generated).collect()
}
