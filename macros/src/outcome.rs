//! The `Result` in a return type: found, read, and its success type replaced.

use crate::model::{Outcome, Shape};
use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{
    Error, GenericArgument, PathArguments, PathSegment, Result, ReturnType, Signature, Token, Type,
    TypeParamBound,
};

/// Types whose names say that they are no alias of `Result`. What a name does not say, the runtime's
/// `ResultType` does.
const NO_RESULT: [&str; 26] = [
    "Arc", "Box", "Option", "Pin", "Poll", "Rc", "Self", "String", "Vec", "bool", "char", "f32",
    "f64", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8", "u16", "u32", "u64", "u128",
    "usize",
];

/// Reads the return type.
pub(crate) fn find(sig: &Signature) -> Result<Outcome> {
    let ReturnType::Type(_, ty) = &sig.output else {
        return Err(no_result(sig.ident.span(), sig));
    };
    let mut output = Type::clone(ty);
    let shape = if sig.asyncness.is_some() {
        Shape::Async
    } else if result_in(Shape::Future, &mut output).is_some() {
        Shape::Future
    } else if result_in(Shape::BoxedFuture, &mut output).is_some() {
        Shape::BoxedFuture
    } else {
        Shape::Blocking
    };
    let Some(result) = result_in(shape, &mut output) else {
        return Err(no_result(ty.span(), sig));
    };
    let name = name_span(result);
    let mut outcome = Outcome {
        shape,
        declared: Type::clone(ty),
        result: result.clone(),
        success: None,
        response: name,
        error: name,
    };
    match result {
        Type::Macro(_) => {}
        Type::Path(path) => {
            let segment = path.path.segments.last_mut();
            let segment = segment.filter(|segment| !NO_RESULT.iter().any(|no| segment.ident == no));
            let segment = segment.ok_or_else(|| no_result(name, sig))?;
            let mut args = type_args(segment);
            outcome.success = args.next().cloned();
            outcome.response = outcome.success.as_ref().map_or(name, name_span);
            outcome.error = args.next().map_or(name, |ty| name_span(ty));
        }
        _ => return Err(no_result(name, sig)),
    }
    Ok(outcome)
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
pub(crate) fn replace(
    output: &mut ReturnType,
    shape: Shape,
    krate: &TokenStream,
    operation: TokenStream,
) {
    let ReturnType::Type(_, ty) = output else {
        return;
    };
    let Some(result) = result_in(shape, ty) else {
        return;
    };
    let success = match result {
        Type::Path(path) => path.path.segments.last_mut(),
        _ => None,
    }
    .and_then(|segment| type_args(segment).next());
    if let Some(success) = success {
        *success = Type::Verbatim(operation);
    } else {
        let span = crate::expand::generated_at(name_span(result));
        // The end of a return type is the author's: lints ask there where an item comes from.
        let end = Token![>](name_span(result));
        *result = Type::Verbatim(quote_spanned! {span=>
            ::core::result::Result<#operation, <#result as #krate::__private::ResultType>::Error #end
        });
    }
}

/// The place of the `Result` in a return type, if it has the shape. What a `macro_rules!` macro put
/// there comes in invisible groups.
fn result_in(shape: Shape, ty: &mut Type) -> Option<&mut Type> {
    match (shape, ty) {
        (_, Type::Group(group)) => result_in(shape, &mut group.elem),
        (_, Type::Paren(paren)) => result_in(shape, &mut paren.elem),
        (Shape::Async | Shape::Blocking, ty) => Some(ty),
        (Shape::Future, Type::ImplTrait(ty)) => output_of(&mut ty.bounds),
        (Shape::BoxedFuture, Type::Path(ty)) => {
            let segment = ty.path.segments.last_mut()?;
            if segment.ident == "BoxFuture" || segment.ident == "LocalBoxFuture" {
                type_args(segment).next().and_then(|ty| result_in(Shape::Async, ty))
            } else if segment.ident == "Pin" {
                boxed(type_args(segment).next()?)
            } else {
                None
            }
        }
        _ => None,
    }
}

/// The output of `Box<dyn Future<Output = …>>`.
fn boxed(ty: &mut Type) -> Option<&mut Type> {
    match ty {
        Type::Group(group) => boxed(&mut group.elem),
        Type::Paren(paren) => boxed(&mut paren.elem),
        Type::TraitObject(ty) => output_of(&mut ty.bounds),
        Type::Path(ty) => {
            let segment = ty.path.segments.last_mut()?;
            (segment.ident == "Box").then_some(())?;
            boxed(type_args(segment).next()?)
        }
        _ => None,
    }
}

fn output_of(bounds: &mut Punctuated<TypeParamBound, Token![+]>) -> Option<&mut Type> {
    bounds.iter_mut().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let segment = bound.path.segments.last_mut()?;
        (segment.ident == "Future").then_some(())?;
        generic_args(segment).find_map(|arg| match arg {
            GenericArgument::AssocType(output) if output.ident == "Output" => {
                result_in(Shape::Async, &mut output.ty)
            }
            _ => None,
        })
    })
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

/// The token that names a type, for messages about it: stable Rust cannot join a path's tokens.
pub(crate) fn name_span(ty: &Type) -> Span {
    match ty {
        Type::Group(group) => name_span(&group.elem),
        Type::Paren(paren) => name_span(&paren.elem),
        Type::Path(ty) => {
            ty.path.segments.last().map_or_else(|| ty.span(), |last| last.ident.span())
        }
        _ => ty.span(),
    }
}

fn no_result(span: Span, sig: &Signature) -> Error {
    let message = format_args!(
        "`{}` has to return a `Result` with what its request returned, such as \
         `Result<reqwest::Response, MyError>`",
        sig.ident,
    )
    .to_string();
    Error::new(span, message)
}
