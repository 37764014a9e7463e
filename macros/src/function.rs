//! A function whose signature is parsed and whose body stays tokens: an incomplete body still
//! expands while it is being typed, and parsing it would take time.

use crate::tokens::peel;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use syn::parse::{ParseStream, Parser as _};
use syn::{Attribute, LitStr, Receiver, ReceiverKind, Result, Signature, Token, Type, Visibility};

pub(crate) struct Function {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    /// `None` for a trait method without a body, which ends in a semicolon.
    pub(crate) block: Option<Block>,
    pub(crate) semi: Option<Token![;]>,
}

pub(crate) struct Block {
    pub(crate) braces: Group,
    /// `#![…]`, valid only at the start of a function.
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) stmts: TokenStream,
}

impl Function {
    pub(crate) fn parse(item: TokenStream) -> Result<Self> {
        let mut tokens: Vec<_> = item.into_iter().collect();
        let braces = tokens.last().and_then(braces);
        tokens.truncate(tokens.len() - usize::from(braces.is_some()));
        let parse = |input: ParseStream<'_>| {
            let attrs = input.call(Attribute::parse_outer)?;
            let vis = input.parse()?;
            let ahead = input.fork();
            let sig = input.parse().or_else(|error| require_function(&ahead).and(Err(error)))?;
            let block = braces.map(Block::parse).transpose()?;
            Ok(Function { attrs, vis, sig, block, semi: input.parse()? })
        };
        parse.parse2(tokens.into_iter().collect())
    }
}

impl Block {
    fn parse(braces: Group) -> Result<Self> {
        let stmts = braces.stream();
        let is_attr = |token| matches!(token, TokenTree::Punct(punct) if punct.as_char() == '#');
        if !stmts.clone().into_iter().next().is_some_and(is_attr) {
            return Ok(Block { braces, attrs: Vec::new(), stmts });
        }
        let parse = |input: ParseStream<'_>| {
            Ok(Block { braces, attrs: input.call(Attribute::parse_inner)?, stmts: input.parse()? })
        };
        parse.parse2(stmts)
    }
}

/// The braces, also inside the invisible group around a `$body:block`.
fn braces(token: &TokenTree) -> Option<Group> {
    let TokenTree::Group(group) = token else { return None };
    match group.delimiter() {
        Delimiter::Brace => Some(group.clone()),
        Delimiter::None => group.stream().into_iter().next().as_ref().and_then(braces),
        _ => None,
    }
}

/// Whether the receiver is a plain reference, which is the client as it is and does not affect the
/// drop order.
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
    let message = if ahead.peek(Token![impl]) || ahead.peek(Token![trait]) {
        "`#[async_operation]` goes on a function; put it on each one in here that starts an operation"
    } else {
        "`#[async_operation]` goes on a function"
    };
    Err(input.error(message))
}
