//! The function that is emitted.

use crate::function::{Block, Body, Function};
use crate::model::{Client, Model, Outcome, Policy, Shape};
use crate::outcome;
use proc_macro2::{Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use std::mem;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, FnArg, Pat, PatIdent, Path, PredicateType, ReceiverKind, Signature, Token, Type,
    WherePredicate,
};

// Input:
//     async fn f(&self, id: &str) -> Result<R, E> {
//         stmts
//     }
//
// Output:
//     async fn f(&self, id: &str) -> Result<Operation, E> {
//         client(self).begin::<_, _, _, _, _>(request.await).await
//     }
//
// and for a `fn` that returns an `impl Future`, a boxed one and no future at all:
//
//     let start = client(self);
//     let request = call(request);
//     future(async move { start.begin::<Result<R, E>, _, _, _, _>(request.await).await })
//
//     Box::pin(async move { … })
//
//     blocking::client(self).call::<_, _, _, _, _>(request)
//
// Each `_` has the place of what it stands for, so that a bound which is not met is reported there.
pub(crate) fn expand(model: Model) -> TokenStream {
    emit(model, |model, span, request| {
        let start = start(model, span);
        let krate = &model.krate;
        let outcome = &model.outcome;
        let place = |span| Token![_](generated_at(span));
        let any = Token![_](span);
        let response = place(outcome.response);
        let error = place(outcome.error);
        let target = place(model.target.as_ref().map_or(span, outcome::name_span));
        let kind = place(model.kind.as_ref().map_or(span, outcome::name_span));
        let types = quote_spanned!(span=> #response, #error, #target, #kind);
        let map_err = model.map_err.as_ref().map(|path| quote_spanned!(span=> #path,));
        let or = map_err.as_ref().map_or("", |_| "_or");
        let begin = format_ident!("begin{or}", span = span);
        let call = format_ident!("call{or}", span = span);
        match outcome.shape {
            Shape::Async => quote_spanned! {span=>
                #start.#begin::<#any, #types>(#map_err #request.await).await
            },
            Shape::Blocking => quote_spanned! {span=>
                #start.#call::<#any, #types>(#map_err #request)
            },
            Shape::Future | Shape::BoxedFuture => {
                let local = |name| Ident::new(name, span.resolved_at(Span::mixed_site()));
                let [started, requested] = ["start", "request"].map(local);
                let result = nameable(&outcome.result).unwrap_or_else(|| any.to_token_stream());
                let future = quote_spanned! {span=>
                    async move {
                        #started.#begin::<#result, #types>(#map_err #requested.await).await
                    }
                };
                let future = if outcome.shape == Shape::BoxedFuture {
                    quote_spanned!(span=> #krate::__private::Box::pin(#future))
                } else {
                    quote_spanned!(span=> #krate::__private::future(#future))
                };
                quote_spanned! {span=>
                    let #started = #start;
                    let #requested = #krate::__private::call(#request);
                    #future
                }
            }
        }
    })
}

/// The function with its new return type, around a body made of the request.
pub(crate) fn emit(
    mut model: Model,
    body: impl FnOnce(&Model, Span, TokenStream) -> TokenStream,
) -> TokenStream {
    let span = generated_at(model.function.sig.ident.span());
    let operation = operation(&model);
    let shape = model.outcome.shape;
    let attrs = mem::take(&mut model.function.attrs);
    let body = match mem::replace(&mut model.function.body, Body::None(Token![;](span))) {
        Body::None(semi) => {
            mention(&model.outcome, &mut model.function.sig);
            semi.into_token_stream()
        }
        Body::Block(block) => {
            let bindings = rebind(&mut model.function.sig);
            let request = request(&model, span, &bindings, &block);
            let body = body(&model, span, request);
            let attrs = &block.attrs;
            braces(&block, quote!(#(#attrs)* #body))
        }
    };
    let Function { vis, mut sig, .. } = model.function;
    outcome::replace(&mut sig.output, shape, &model.krate, operation);
    quote!(#(#attrs)* #vis #sig #body)
}

// Input:
//     async fn f(&self) -> Result<R, E>;
//
// Output:
//     async fn f(&self) -> Result<Operation, E>
//     where
//         R:;
//
// so that the import of a type which the author named does not count as unused.
fn mention(outcome: &Outcome, sig: &mut Signature) {
    let Some(response) = outcome.success.as_ref().filter(|ty| is_global(&ty.to_token_stream()))
    else {
        return;
    };
    let predicate = PredicateType {
        attrs: Vec::new(),
        lifetimes: None,
        bounded_ty: response.clone(),
        colon_token: Token![:](generated_at(outcome.response)),
        bounds: Punctuated::new(),
    };
    let clause = sig.generics.make_where_clause();
    clause.predicates.push(WherePredicate::Type(predicate));
}

// Input:
//     { stmts }
//
// Output:
//     async move {
//         let a = a;
//         {
//             if false {
//                 return never::<Result<R, E>>();
//             }
//             stmts
//         }
//     }
//
// where the dead branch gives `return`, `?` and the last expression the type that they had. Where the
// function is not async, a closure says its type itself:
//
//     move || -> Result<R, E> {
//         let a = a;
//         { const _: () = (); stmts }
//     }
//
// The outer braces are of this crate's edition, 2024: in any edition of the author's, what their last
// expression borrows is let go before `a` drops.
fn request(model: &Model, span: Span, bindings: &TokenStream, block: &Block) -> TokenStream {
    let Outcome { shape, declared, result, .. } = &model.outcome;
    if let Shape::Async = shape {
        let krate = &model.krate;
        // The compiler says here which type it expects.
        let place = generated_at(outcome::name_span(result));
        let pin = nameable(result).map(|result| {
            quote_spanned! {place=>
                if false {
                    return #krate::__private::never::<#result>();
                }
            }
        });
        let stmts = inner_braces(block, pin);
        return quote_spanned!(span=> async move { #bindings #stmts });
    }
    let returns = nameable(declared).map(|ty| quote_spanned!(span=> -> #ty));
    if bindings.is_empty() && returns.is_some() {
        let stmts = braces(block, block.stmts.clone());
        quote_spanned!(span=> move || #returns #stmts)
    } else {
        let stmts = inner_braces(block, None);
        quote_spanned!(span=> move || #returns { #bindings #stmts })
    }
}

/// The author's braces inside of others. Around a single expression they would be called
/// unnecessary, so something stands before it.
fn inner_braces(block: &Block, first: Option<TokenStream>) -> TokenStream {
    let stmts = &block.stmts;
    let span = generated_at(block.brace.span.open());
    let first = first.unwrap_or_else(|| quote_spanned!(span=> const _: () = ();));
    braces(block, quote!(#first #stmts))
}

// Input:
//     self, a: A, mut b: B, _: C, (d, e): D, f: &F
//
// Output:
//     self, a: A, b: B, __arg3: C, __arg4: D, f: &F
//
// and
//
//     let _ = &self;
//     let a = a;
//     let mut b = b;
//     let __arg3 = __arg3;
//     let __arg4 = __arg4;
//     let (d, e) = __arg4;
//
// so that what is passed by value moves into the request, used there or not, and drops at its end
// in the order in which Rust drops the arguments of an `async fn`. References have no need of it.
fn rebind(sig: &mut Signature) -> TokenStream {
    let mut bindings = TokenStream::new();
    for (i, input) in sig.inputs.iter_mut().enumerate() {
        let arg = match input {
            FnArg::Receiver(receiver) => {
                let by_reference = match &receiver.kind {
                    ReceiverKind::Reference(..) => true,
                    ReceiverKind::Typed(_, ty) => is_reference(ty),
                    _ => false,
                };
                if !by_reference {
                    let this = receiver.self_token;
                    bindings.extend(quote_spanned!(generated_at(this.span)=> let _ = &#this;));
                }
                continue;
            }
            FnArg::Typed(arg) if is_reference(&arg.ty) => continue,
            FnArg::Typed(arg) => arg,
        };
        let span = generated_at(arg.pat.span());
        let attrs = take_inner_attrs(&mut arg.attrs);
        bindings.extend(match &mut *arg.pat {
            Pat::Ident(PatIdent { by_ref: None, mutability, ident, subpat: None, .. }) => {
                let mutability = mutability.take();
                quote_spanned!(span=> #(#attrs)* let #mutability #ident = #ident;)
            }
            pat => {
                let name = format_ident!("__arg{i}", span = span.resolved_at(Span::mixed_site()));
                let pat = mem::replace(pat, Pat::Verbatim(name.to_token_stream()));
                let mutability = binds_ref_mut(pat.to_token_stream()).then(|| Token![mut](span));
                let destructured = match pat {
                    Pat::Wild(_) => None,
                    pat => Some(quote_spanned!(span=> #(#attrs)* let #pat = #name;)),
                };
                quote_spanned!(span=> #(#attrs)* let #mutability #name = #name; #destructured)
            }
        });
    }
    bindings
}

/// The attributes of a parameter that the variable in its place has to have too. A lint that is
/// expected comes true at that variable alone.
fn take_inner_attrs(attrs: &mut Vec<Attribute>) -> Vec<Attribute> {
    const SHARED: [&str; 6] = ["cfg", "cfg_attr", "allow", "warn", "deny", "forbid"];
    let is_expect = |attr: &Attribute| attr.path().is_ident("expect");
    let mut inner = attrs.clone();
    inner.retain(|attr| is_expect(attr) || SHARED.iter().any(|name| attr.path().is_ident(name)));
    attrs.retain(|attr| !is_expect(attr));
    inner
}

fn binds_ref_mut(pat: TokenStream) -> bool {
    let mut after_ref = false;
    pat.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => mem::replace(&mut after_ref, ident == "ref") && ident == "mut",
        TokenTree::Group(group) => binds_ref_mut(group.stream()),
        _ => false,
    })
}

// Input:
//     client = self.graph, timeout = "20m"
//
// Output:
//     client_from({
//         use ::core::clone::Clone as _;
//         (self.graph).clone()
//     })
//     .timeout(1200000)
fn start(model: &Model, span: Span) -> TokenStream {
    let krate = &model.krate;
    let blocking = blocking(model);
    let client = match &model.client {
        Client::Borrowed(this) => quote_spanned!(span=> #krate::__private::#blocking client(#this)),
        Client::Cloned(expr) => {
            let first = expr.clone().into_iter().next();
            let clone = quote_spanned! {generated_at(first.map_or(span, |token| token.span()))=>
                {
                    use ::core::clone::Clone as _;
                    (#expr).clone()
                }
            };
            quote_spanned!(span=> #krate::__private::#blocking client_from(#clone))
        }
        Client::None => return TokenStream::new(),
    };
    match &model.policy {
        Policy::Given(polling) => quote_spanned!(span=> #client.polling(#polling)),
        Policy::Set(waits) => {
            let setters = waits.iter().map(|(key, millis)| {
                let span = generated_at(key.span());
                let setter = Ident::new(&key.to_string(), span);
                let mut millis = Literal::u64_unsuffixed(*millis);
                millis.set_span(span);
                quote_spanned!(span=> .#setter(#millis))
            });
            quote!(#client #(#setters)*)
        }
    }
}

/// Without the runtime's feature of that name, the compiler says so at the `fn` that is not async.
fn blocking(model: &Model) -> Option<TokenStream> {
    let span = generated_at(model.function.sig.fn_token.span);
    (model.outcome.shape == Shape::Blocking).then(|| quote_spanned!(span=> blocking::))
}

/// `Operation`, with its generic arguments where they are not the defaults.
fn operation(model: &Model) -> TokenStream {
    let span = generated_at(model.outcome.response);
    let krate = &model.krate;
    let blocking =
        (model.outcome.shape == Shape::Blocking).then(|| quote_spanned!(span=> blocking::));
    let operation = quote_spanned!(span=> #krate::#blocking Operation);
    match (&model.target, &model.kind) {
        (None, None) => operation,
        (Some(target), None) => quote_spanned!(span=> #operation<#target>),
        (Some(target), Some(kind)) => quote_spanned!(span=> #operation<#target, #kind>),
        (None, Some(kind)) => quote_spanned!(span=> #operation<#krate::__private::Value, #kind>),
    }
}

/// The path of the runtime. Its tokens count as generated, `$crate` excepted, which would lose its
/// meaning.
pub(crate) fn runtime(path: Option<Path>, span: Span) -> TokenStream {
    let Some(path) = path else {
        return quote_spanned!(generated_at(span)=> ::graph_operation);
    };
    let respan = |mut token: TokenTree| {
        if token.to_string() != "$crate" {
            token.set_span(generated_at(span));
        }
        token
    };
    path.into_token_stream().into_iter().map(respan).collect()
}

/// The place of the author's token, without its being the author's: no lint takes generated code for
/// theirs, and no name in it meets one of theirs.
pub(crate) fn generated_at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

pub(crate) fn is_reference(ty: &Type) -> bool {
    match ty {
        Type::Group(group) => is_reference(&group.elem),
        Type::Paren(paren) => is_reference(&paren.elem),
        ty => matches!(ty, Type::Reference(_)),
    }
}

/// The type, unless there is an `impl Trait` in it, which has no name inside the function.
pub(crate) fn nameable(ty: &Type) -> Option<TokenStream> {
    let tokens = ty.to_token_stream();
    (!has_impl(tokens.clone())).then_some(tokens)
}

fn has_impl(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "impl",
        TokenTree::Group(group) => has_impl(group.stream()),
        _ => false,
    })
}

/// Neither a lifetime that is left out nor an `impl Trait` can stand in a `where` clause.
fn is_global(tokens: &TokenStream) -> bool {
    !has_impl(tokens.clone()) && !tokens.to_string().contains(['&', '\''])
}

/// The author's own braces.
fn braces(block: &Block, stmts: TokenStream) -> TokenStream {
    let mut tokens = TokenStream::new();
    block.brace.surround(&mut tokens, |inner| inner.extend(stmts));
    tokens
}
