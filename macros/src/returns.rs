//! The return type: finding the `Result` in it, and replacing its success type.

use crate::tokens::{generated_at, name_span, peel_mut};
use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{
    Error, GenericArgument, PathArguments, PathSegment, Result, ReturnType, Signature, Token, Type,
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
    /// Whether `R` is only assumed to be the success type: an alias may take its arguments in
    /// another order.
    pub(crate) is_assumed: bool,
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

impl Returns {
    pub(crate) fn of(sig: &Signature) -> Result<Self> {
        let ReturnType::Type(arrow, ty) = &sig.output else {
            return Err(no_result(sig.ident.span(), sig));
        };
        let mut output = Type::clone(ty);
        let shape = if sig.asyncness.is_some() {
            Shape::Async
        } else if result_in(Shape::Future, &mut output).is_some() {
            Shape::Future
        } else if result_in(Shape::BoxedFuture, &mut output).is_some() {
            Shape::BoxedFuture
        } else if is_future(&mut output) {
            return Err(no_output(ty.span(), sig));
        } else {
            Shape::Blocking
        };
        let Some(result) = result_in(shape, &mut output) else {
            return Err(no_result(ty.span(), sig));
        };
        let name = name_span(result);
        let mut returns = Returns {
            shape,
            arrow: *arrow,
            declared: Type::clone(ty),
            result: result.clone(),
            success: None,
            is_assumed: false,
            response: name,
            error: name,
        };
        match result {
            Type::Macro(_) => {}
            Type::Path(path) => {
                let segment = path.path.segments.last_mut();
                let segment = segment.ok_or_else(|| no_result(name, sig))?;
                let ident = segment.ident.to_string();
                if NO_RESULT.contains(&ident.as_str()) {
                    return Err(no_result(name, sig));
                }
                let mut args = success_and_error(segment);
                if let Some(success) = args.next() {
                    returns.response = name_span(success);
                    returns.success = Some(success.clone());
                }
                if let Some(error) = args.next() {
                    returns.error = name_span(error);
                    returns.is_assumed = ident != "Result";
                }
            }
            _ => return Err(no_result(name, sig)),
        }
        Ok(returns)
    }
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
pub(crate) fn replace(ty: &mut Type, shape: Shape, krate: &TokenStream, operation: TokenStream) {
    let Some(result) = result_in(shape, ty) else {
        return;
    };
    let segment = match result {
        Type::Path(path) => path.path.segments.last_mut(),
        _ => None,
    };
    if let Some(success) = segment.and_then(|segment| success_and_error(segment).next()) {
        *success = Type::Verbatim(operation);
    } else {
        let span = generated_at(name_span(result));
        // The end of a return type has the author's span: lints check there where an item comes
        // from.
        let end = Token![>](name_span(result));
        *result = Type::Verbatim(quote_spanned! {span=>
            ::core::result::Result<#operation, <#result as #krate::__private::ResultType>::Error #end
        });
    }
}

/// The position of the `Result` in a return type of a supported shape.
fn result_in(shape: Shape, ty: &mut Type) -> Option<&mut Type> {
    match (shape, peel_mut(ty)) {
        (Shape::Async | Shape::Blocking, ty) => Some(ty),
        (Shape::Future, Type::ImplTrait(ty)) => output_of(&mut ty.bounds),
        (Shape::BoxedFuture, Type::Path(ty)) => {
            let segment = ty.path.segments.last_mut()?;
            if segment.ident == "BoxFuture" || segment.ident == "LocalBoxFuture" {
                type_args(segment).next().map(peel_mut)
            } else if segment.ident == "Pin" {
                output_of(bounds(type_args(segment).next()?)?)
            } else {
                None
            }
        }
        _ => None,
    }
}

/// A future whose `Result` cannot be found or replaced.
fn is_future(ty: &mut Type) -> bool {
    bounds(ty).is_some_and(|bounds| future_in(bounds).is_some())
}

type Bounds = Punctuated<TypeParamBound, Token![+]>;

/// The bounds of `impl Future<Output = …>` or `Box<dyn Future<Output = …>>`, pinned or not.
fn bounds(ty: &mut Type) -> Option<&mut Bounds> {
    match peel_mut(ty) {
        Type::ImplTrait(ty) => Some(&mut ty.bounds),
        Type::TraitObject(ty) => Some(&mut ty.bounds),
        Type::Path(ty) => {
            let segment = ty.path.segments.last_mut()?;
            (segment.ident == "Box" || segment.ident == "Pin").then_some(())?;
            bounds(type_args(segment).next()?)
        }
        _ => None,
    }
}

fn future_in(bounds: &mut Bounds) -> Option<&mut PathSegment> {
    bounds.iter_mut().find_map(|bound| match bound {
        TypeParamBound::Trait(bound) => {
            bound.path.segments.last_mut().filter(|segment| segment.ident == "Future")
        }
        _ => None,
    })
}

fn output_of(bounds: &mut Bounds) -> Option<&mut Type> {
    generic_args(future_in(bounds)?).find_map(|arg| match arg {
        GenericArgument::AssocType(output) if output.ident == "Output" => {
            Some(peel_mut(&mut output.ty))
        }
        _ => None,
    })
}

/// The type arguments of a `Result`. A type with a lifetime argument is an alias that hides more
/// than a `Result`.
fn success_and_error(segment: &mut PathSegment) -> impl Iterator<Item = &mut Type> {
    let is_borrowed = generic_args(segment).any(|arg| matches!(arg, GenericArgument::Lifetime(_)));
    type_args(segment).take(if is_borrowed { 0 } else { 2 })
}

fn type_args(segment: &mut PathSegment) -> impl Iterator<Item = &mut Type> {
    generic_args(segment).filter_map(|arg| match arg {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

fn generic_args(segment: &mut PathSegment) -> impl Iterator<Item = &mut GenericArgument> {
    match &mut segment.arguments {
        PathArguments::AngleBracketed(args) => Some(args.args.iter_mut()),
        _ => None,
    }
    .into_iter()
    .flatten()
}

fn no_result(span: Span, sig: &Signature) -> Error {
    let name = &sig.ident;
    let message = format!(
        "`{name}` has to return a `Result` with the request, or what sending it returned, such as \
         `Result<http::Request<Bytes>, MyError>`"
    );
    Error::new(span, message)
}

fn no_output(span: Span, sig: &Signature) -> Error {
    let name = &sig.ident;
    let message = format!(
        "the future of `{name}` does not show its `Result`; write \
         `impl Future<Output = Result<R, E>>` or `BoxFuture<'_, Result<R, E>>`"
    );
    Error::new(span, message)
}
