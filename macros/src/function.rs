//! A function whose signature is parsed and whose body stays tokens: a body that is being typed
//! still expands, and there is nothing in it to get wrong.

use crate::tokens::peel;
use proc_macro2::TokenStream;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream};
use syn::{
    Attribute, Error, Ident, LitStr, Receiver, ReceiverKind, Result, Signature, Token, Type,
    Visibility, braced, token,
};

pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: Body,
}

pub(crate) enum Body {
    Block(Block),
    /// A trait's method without one.
    None(Token![;]),
}

pub(crate) struct Block {
    pub(crate) brace: token::Brace,
    /// `#![…]`, valid at the start of a function alone.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) stmts: TokenStream,
}

impl Parse for Function {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let attrs = input.call(Attribute::parse_outer)?;
        let vis = input.parse()?;
        require_function(input)?;
        Ok(Function { attrs, vis, sig: input.parse()?, body: input.parse()? })
    }
}

impl Parse for Body {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if let Some(semi) = input.parse()? {
            return Ok(Body::None(semi));
        }
        let content;
        Ok(Body::Block(Block {
            brace: braced!(content in input),
            attrs: content.call(Attribute::parse_inner)?,
            stmts: content.parse()?,
        }))
    }
}

/// Whether the receiver is a plain reference, which is the client as it stands and needs no care in
/// what drops when.
pub(crate) fn by_reference(receiver: &Receiver) -> bool {
    match &receiver.kind {
        ReceiverKind::Reference(..) => true,
        ReceiverKind::Typed(_, ty) => matches!(peel(ty), Type::Reference(_)),
        _ => false,
    }
}

fn require_function(input: ParseStream<'_>) -> Result<()> {
    let ahead = input.fork();
    while ahead.parse::<Option<Token![const]>>()?.is_some()
        || ahead.parse::<Option<Token![async]>>()?.is_some()
        || ahead.parse::<Option<Token![unsafe]>>()?.is_some()
        || ahead.parse::<Option<Token![extern]>>()?.is_some()
        || ahead.parse::<Option<LitStr>>()?.is_some()
    {}
    if ahead.peek(Token![fn]) {
        return Ok(());
    }
    let span = input.span();
    let message = match input.call(Ident::parse_any) {
        Ok(item) if item == "impl" || item == "trait" || ahead.peek(Token![impl]) => {
            "`#[async_operation]` goes on a function; put it on each one in here that starts an operation"
        }
        _ => "`#[async_operation]` goes on a function",
    };
    Err(Error::new(span, message))
}
