//! The generated function.

use crate::Annotated;
use crate::args::Args;
use crate::function::{Block, Function, by_reference};
use crate::returns::{Returns, Shape};
use crate::start::start;
use crate::tokens::{any, generated_at, idents, is_editor, name_span, nameable, peel};
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use std::mem;
use syn::ext::IdentExt as _;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{
    Attribute, FnArg, Pat, PatIdent, PredicateType, Receiver, Signature, Token, Type,
    WherePredicate,
};

// Input:
//     async fn f(&self, id: &str) -> Result<R, E> {
//         stmts
//     }
//
// Output:
//     async fn f(&self, id: &str) -> Result<Operation, E> {
//         client(self).begin::<_, _, _, _, _, _>(request).await
//     }
//
// and for a `fn` that returns an `impl Future`, a boxed one and no future at all:
//
//     let __start = client(self);
//     let __code = call(request);
//     future(async move { __start.begin::<Result<R, E>, _, _, _, _, _>(__code).await })
//
//     Box::pin(async move { … })
//
//     blocking::client::<_, _, _>(self).begin::<_, _, _, _>(call(request))
//
// Each `_` has the span of what it stands for, so that an unsatisfied bound is reported there.
pub(crate) fn expand(annotated: Annotated) -> TokenStream {
    emit(annotated, |annotated, request| {
        let (krate, start) = (annotated.args.krate(), start(annotated));
        let future = match annotated.returns.shape {
            Shape::Async => return begin(annotated, &start, request),
            Shape::Blocking => {
                return begin(annotated, &start, quote!(#krate::__private::call(#request)));
            }
            Shape::Future => quote!(future),
            Shape::BoxedFuture => quote!(Box::pin),
        };
        let [started, code] = ["__start", "__code"]
            .map(|name| Ident::new(name, Span::mixed_site()).to_token_stream());
        let operation = begin(annotated, &started, code.clone());
        // The block captures neither E nor T, which may not outlive the future.
        quote! {
            let #started = #start;
            let #code = #krate::__private::call(#request);
            #krate::__private::#future(async move { #operation })
        }
    })
}

/// Begins the operation that the author's code requests, from its future or from what it returned.
fn begin(annotated: &Annotated, start: &impl ToTokens, mut code: TokenStream) -> TokenStream {
    let Annotated { args, returns, .. } = annotated;
    let mut call = Span::call_site();
    if returns.success.is_none() {
        // If the type is not a `Result`, the signature already causes an error here.
        call = generated_at(name_span(&returns.result));
        code = quote_spanned!(call=> { #code });
    }
    let (idempotent, future, awaited) = match returns.shape {
        Shape::Blocking => ("idempotent_result", None, None),
        _ => ("idempotent", Some(quote!(, _)), Some(quote!(.await))),
    };
    let declared = any(name_span(&returns.result));
    let mut result = match returns.shape {
        Shape::Async | Shape::Blocking => &declared,
        // The compiler does not infer the output of a closure's future by itself.
        Shape::Future | Shape::BoxedFuture => nameable(&returns.result).unwrap_or(&declared),
    };
    if let Some(key) = &args.idempotent {
        let (krate, request) = (args.krate_at(call), any(key.span()));
        let idempotent = Ident::new(idempotent, call);
        code = quote_spanned! {call=>
            #krate::__private::#idempotent::<#result, #request #future>(#code)
        };
        result = &declared;
    }
    let method = if args.map_err.is_some() { "begin_or" } else { "begin" };
    let (method, map_err) = (Ident::new(method, call), args.map_err.iter());
    let result = future.as_ref().map(|_| quote!(#result,));
    let (response, error) = (any(returns.response), any(returns.error));
    let of = |ty: &Option<Type>| any(ty.as_ref().map_or_else(Span::call_site, name_span));
    let (target, model) = (of(&args.target), of(&args.model));
    let types = quote!(#result #response, #error, #target, #model #future);
    let operation = quote!(#start.#method::<#types>(#(#map_err,)* #code) #awaited);
    let Some(assumed) = &returns.assumed else { return operation };
    // An alias with another order of arguments is reported at the return type.
    let krate = args.krate();
    quote!(#krate::__private::in_alias::<#declared, #assumed>(#operation))
}

/// The function with its new return type, around a body made of the request.
pub(crate) fn emit(
    mut annotated: Annotated,
    body: impl FnOnce(&Annotated, TokenStream) -> TokenStream,
) -> TokenStream {
    let Annotated { args, function, returns } = &mut annotated;
    let hints = is_editor().then(|| args.hints());
    let Some(block) = function.block.take() else {
        let declared = declaration(function, returns);
        return quote!(#hints #declared);
    };
    let bindings = rebind(&mut function.sig, args);
    let body = body(&annotated, request(&annotated, &bindings, &block));
    let (Function { attrs, vis, sig, .. }, inner) = (&annotated.function, &block.attrs);
    let body = braces(&block, quote!(#(#inner)* #hints #body));
    quote!(#(#attrs)* #vis #sig #body)
}

// Input:
//     async fn f(&self) -> Result<R, E>;
//
// Output:
//     #[cfg(doc)]
//     async fn f(&self) -> Result<Operation, E>;
//     #[cfg(not(doc))]
//     async fn f(&self) -> Result<Operation, E>
//     where
//         R:;
//
// so that the import of a type which the author named does not count as unused, and the
// documentation shows no clause that the author did not write.
fn declaration(function: &Function, returns: &Returns) -> TokenStream {
    let Function { attrs, vis, sig, semi, .. } = function;
    let declared = quote!(#(#attrs)* #vis #sig #semi);
    // A `where` clause can contain neither an elided lifetime nor an `impl Trait`.
    let is_global = |ty: &&Type| {
        nameable(ty).is_some_and(|ty| !ty.to_token_stream().to_string().contains(['&', '\'']))
    };
    let Some(response) = returns.success.as_ref().filter(is_global) else {
        return declared;
    };
    let mut sig = sig.clone();
    sig.generics.make_where_clause().predicates.push(WherePredicate::Type(PredicateType {
        attrs: Vec::new(),
        lifetimes: None,
        bounded_ty: response.clone(),
        colon_token: Token![:](generated_at(returns.response)),
        bounds: Punctuated::new(),
    }));
    quote!(#[cfg(doc)] #declared #[cfg(not(doc))] #(#attrs)* #vis #sig #semi)
}

// Input:
//     { stmts }
//
// Output:
//     async move {
//         let a = a;
//         if false {
//             return never::<Result<R, E>>();
//         }
//         { ; stmts }
//     }
//
// where the dead branch makes `return`, `?` and the last expression keep their types. Where the
// function is not async, a closure says its type itself:
//
//     move || -> Result<R, E> {
//         let a = a;
//         { ; stmts }
//     }
//
// The outer braces are of this crate's edition, 2024: in any edition of the author's crate,
// temporaries of the last expression are dropped before `a`.
fn request(annotated: &Annotated, bindings: &TokenStream, block: &Block) -> TokenStream {
    let Returns { shape, arrow, declared, result, .. } = &annotated.returns;
    let stmts = &block.stmts;
    // The compiler would call braces around a single expression unnecessary.
    let inner = || braces(block, quote!(; #stmts));
    if let Shape::Async = shape {
        let pin = nameable(result).map(|result| {
            // The compiler points here to report which type it expects.
            let place = generated_at(arrow.spans[0]);
            let krate = annotated.args.krate_at(place);
            quote_spanned!(place=> if false { return #krate::__private::never::<#result>(); })
        });
        let inner = inner();
        return quote!(async move { #bindings #pin #inner });
    }
    let returns = nameable(declared).map(|ty| quote!(-> #ty));
    if bindings.is_empty() && returns.is_some() {
        let stmts = braces(block, stmts.clone());
        return quote!(move || #returns #stmts);
    }
    let inner = inner();
    quote!(move || #returns { #bindings #inner })
}

/// The author's own braces.
fn braces(block: &Block, stmts: TokenStream) -> Group {
    let mut braces = Group::new(Delimiter::Brace, stmts);
    braces.set_span(block.braces.span());
    braces
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
// so that by-value arguments move into the request, used there or not, and drop at its end in the
// order in which Rust drops the arguments of an `async fn`. References do not need this. An
// argument that only a key uses is used here too, so that rustc does not report it as unused.
fn rebind(sig: &mut Signature, args: &Args) -> TokenStream {
    let mut used = idents(args.client.to_token_stream());
    used.extend(idents(args.polling.to_token_stream()));
    let mut bindings = TokenStream::new();
    for (i, input) in sig.inputs.iter_mut().enumerate() {
        let arg = match input {
            FnArg::Receiver(receiver) if by_reference(receiver) => continue,
            FnArg::Receiver(Receiver { self_token, .. }) => {
                bindings.extend(quote!(let _ = &#self_token;));
                continue;
            }
            FnArg::Typed(arg) if matches!(peel(&arg.ty), Type::Reference(_)) => continue,
            FnArg::Typed(arg) => arg,
        };
        let attrs = take_inner_attrs(&mut arg.attrs);
        bindings.extend(match &mut *arg.pat {
            Pat::Ident(PatIdent { by_ref: None, mutability, ident, subpat: None, .. }) => {
                let mutability = mutability.take();
                let variable = ident.clone();
                if ident.unraw().to_string().starts_with('_') {
                    // Lints reject a use of such a variable, and a value without effects. They
                    // ignore a generated use, and the inside of a tuple.
                    ident.set_span(generated_at(ident.span()));
                    quote!(#(#attrs)* let (#mutability #variable,) = (#ident,);)
                } else {
                    let used = used.contains(ident).then(|| quote!(let _ = &#ident;));
                    quote!(#(#attrs)* let #mutability #variable = #ident; #used)
                }
            }
            pat => {
                let name = format_ident!("__arg{i}", span = Span::mixed_site());
                let pat = mem::replace(pat, Pat::Verbatim(name.to_token_stream()));
                let is_mutable =
                    idents(pat.to_token_stream()).windows(2).any(|pair| pair == ["ref", "mut"]);
                let mutability = is_mutable.then(<Token![mut]>::default);
                let is_bound = !matches!(pat, Pat::Wild(_));
                let destructured = is_bound.then(|| quote!(#(#attrs)* let #pat = #name;));
                quote!(#(#attrs)* let #mutability #name = #name; #destructured)
            }
        });
    }
    bindings
}

/// The attributes of a parameter that the variable that replaces it needs too. An expected lint
/// is fulfilled only at that variable.
fn take_inner_attrs(attrs: &mut Vec<Attribute>) -> Vec<Attribute> {
    const SHARED: [&str; 6] = ["cfg", "cfg_attr", "allow", "warn", "deny", "forbid"];
    let is_expect = |attr: &Attribute| attr.path().is_ident("expect");
    let mut inner = attrs.clone();
    inner.retain(|attr| is_expect(attr) || SHARED.iter().any(|name| attr.path().is_ident(name)));
    attrs.retain(|attr| !is_expect(attr));
    inner
}
