//! The return type: finding the `Result` in it, and replacing its success type.

use crate::args::Args;
use crate::tokens::{generated_at, is_named, name_span, peel, peel_mut};
use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use std::mem;
use syn::spanned::Spanned as _;
use syn::{
    Error, GenericArgument, Path, PathArguments, Result, ReturnType, Signature, Token, Type,
    TypeParamBound,
};

/// Types whose names show that they are not aliases of `Result`. For other names, the runtime's
/// `ResultType` decides.
const NO_RESULT: [&str; 28] = [
    "Arc", "Box", "Option", "Pin", "Poll", "Rc", "Request", "Response", "Self", "String", "Vec",
    "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16",
    "u32", "u64", "u128", "usize",
];

/// The return type as the author wrote it.
pub(crate) struct Returns {
    pub(crate) shape: Shape,
    pub(crate) arrow: Token![->],
    /// The whole type.
    pub(crate) declared: Type,
    /// The `Result<R, E>` in it, or an alias.
    pub(crate) result: Type,
    /// The `R` in it, unless an alias hides it.
    pub(crate) success: Option<Type>,
    /// The alias with `Operation` in it, where `R` is only assumed to be the success type: an alias
    /// may take its arguments in another order.
    pub(crate) assumed: Option<Type>,
    /// Where messages about R and E belong: at their own tokens, or at the alias that hides them.
    pub(crate) response: Span,
    pub(crate) error: Span,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Shape {
    /// `async fn`
    Async,
    /// `fn` returning `impl Future`
    Future,
    /// `fn` returning `Pin<Box<dyn Future>>`
    BoxedFuture,
    /// `fn` returning the `Result` itself
    Blocking,
}

// Input:
//     Result<R, E>
//     crate::Result<R>
//     HttpResult
//     impl Future<Output = Result<R, E>> + Send
//
// Output:
//     Result<Operation, E>
//     crate::Result<Operation>
//     ::core::result::Result<Operation, <HttpResult as ResultType>::Error>
//     impl Future<Output = Result<Operation, E>> + Send
pub(crate) fn replace(sig: &mut Signature, args: &Args) -> Result<Returns> {
    let function = &sig.ident;
    let no_result = |span| {
        let message = format_args!(
            "`{function}` has to return a `Result` with the request, or what sending it returned, \
             such as `Result<http::Request<Bytes>, MyError>`"
        );
        Error::new(span, message)
    };
    let ReturnType::Type(arrow, ty) = &mut sig.output else {
        return Err(no_result(function.span()));
    };
    let declared = Type::clone(ty);
    let (shape, result) = if sig.asyncness.is_some() {
        (Shape::Async, ty.as_mut())
    } else if let Some(future) = future_in(ty) {
        let shape = match peel(&declared) {
            Type::ImplTrait(_) => Some(Shape::Future),
            Type::Path(_) if !is_named(&declared, &["Box"]) => Some(Shape::BoxedFuture),
            _ => None,
        };
        let Some(found) = shape.zip(argument_of(future)) else {
            let message = format_args!(
                "the future of `{function}` does not show its `Result`; write \
                 `impl Future<Output = Result<R, E>>` or `BoxFuture<'_, Result<R, E>>`"
            );
            return Err(Error::new(declared.span(), message));
        };
        found
    } else {
        (Shape::Blocking, ty.as_mut())
    };
    let result = peel_mut(result);
    let name = name_span(result);
    if !matches!(result, Type::Macro(_) | Type::Path(_)) || is_named(result, &NO_RESULT) {
        return Err(no_result(name));
    }
    let mut returns = Returns {
        shape,
        arrow: *arrow,
        declared,
        result: result.clone(),
        success: None,
        assumed: None,
        response: name,
        error: name,
    };
    let operation = operation(shape, args);
    if let [Some(success), error] = success_and_error(result) {
        returns.response = name_span(success);
        returns.success = Some(mem::replace(success, Type::Verbatim(operation)));
        if let Some(error) = error {
            returns.error = name_span(error);
            returns.assumed = (!is_named(result, &["Result"])).then(|| result.clone());
        }
    } else {
        // The end of a return type has the author's span: lints check there where an item comes
        // from.
        let end = Token![>](name);
        let krate = args.krate();
        *result = Type::Verbatim(quote_spanned! {generated_at(name)=>
            ::core::result::Result<#operation, <#result as #krate::__private::ResultType>::Error #end
        });
    }
    Ok(returns)
}

/// `Operation`, with its generic arguments unless they are the defaults.
fn operation(shape: Shape, args: &Args) -> TokenStream {
    let krate = args.krate();
    let blocking = (shape == Shape::Blocking).then(|| quote!(blocking::));
    let operation = quote!(#krate::#blocking Operation);
    match (&args.target, &args.model) {
        (None, None) => operation,
        (Some(target), None) => quote!(#operation<#target>),
        (Some(target), Some(model)) => quote!(#operation<#target, #model>),
        (None, Some(model)) => quote!(#operation<#krate::__private::Value, #model>),
    }
}

/// The path of the future in a return type, boxed and pinned or not.
fn future_in(ty: &mut Type) -> Option<&mut Path> {
    let bounds = match peel_mut(ty) {
        Type::ImplTrait(ty) => &mut ty.bounds,
        Type::TraitObject(ty) => &mut ty.bounds,
        Type::Path(ty) => {
            return match ty.path.segments.last()?.ident.to_string().as_str() {
                "BoxFuture" | "LocalBoxFuture" => Some(&mut ty.path),
                "Box" | "Pin" => future_in(argument_of(&mut ty.path)?),
                _ => None,
            };
        }
        _ => return None,
    };
    bounds.iter_mut().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) if bound.path.segments.last()?.ident == "Future" => {
            Some(&mut bound.path)
        }
        _ => None,
    })
}

/// The `T` in `Future<Output = T>`, `BoxFuture<'_, T>` or `Box<T>`.
fn argument_of(path: &mut Path) -> Option<&mut Type> {
    arguments(path).find_map(|argument| match argument {
        GenericArgument::AssocType(output) if output.ident == "Output" => Some(&mut output.ty),
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// The first two arguments of a `Result`. A type that has a lifetime first is an alias that hides
/// more than a `Result`.
fn success_and_error(result: &mut Type) -> [Option<&mut Type>; 2] {
    let Type::Path(ty) = result else { return [None, None] };
    let mut types = arguments(&mut ty.path).map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    [types.next().flatten(), types.next().flatten()]
}

/// The generic arguments at the end of a path.
fn arguments(path: &mut Path) -> impl Iterator<Item = &mut GenericArgument> {
    match path.segments.last_mut().map(|last| &mut last.arguments) {
        Some(PathArguments::AngleBracketed(arguments)) => Some(arguments.args.iter_mut()),
        _ => None,
    }
    .into_iter()
    .flatten()
}
