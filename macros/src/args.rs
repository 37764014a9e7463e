//! The keys of `#[async_operation(key = value, …)]`.

use crate::duration;
use crate::tokens::generated_at;
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Error, Expr, ExprPath, LitStr, Path, PathSegment, Result, Token, Type, token};

type Read = fn(&mut Args, &Pair<'_>) -> Result<()>;

/// The keys, and how each is read.
const KEYS: [(&str, Read); 10] = [
    ("client", |args, pair| pair.code(&mut args.client, "an expression", "self.graph")),
    ("target", |args, pair| pair.code(&mut args.target, "a type", "Team")),
    ("model", |args, pair| pair.code(&mut args.model, "a type", "TeamsAsyncOperation")),
    ("first_check", |args, pair| pair.wait(&mut args.waits, "5s")),
    ("interval", |args, pair| pair.wait(&mut args.waits, "45s")),
    ("timeout", |args, pair| pair.wait(&mut args.waits, "20m")),
    ("polling", |args, pair| pair.code(&mut args.polling, "an expression", "Polling::frequent()")),
    ("idempotent", |args, pair| pair.flag(&mut args.idempotent)),
    ("map_err", |args, pair| {
        pair.code(&mut args.map_err, "the path of a function", "MyError::from_graph")
    }),
    ("crate", |args, pair| pair.code(&mut args.krate, "a path", "my_graph::graph_operation")),
];

#[derive(Default)]
pub(crate) struct Args {
    pub(crate) client: Option<Expr>,
    pub(crate) target: Option<Type>,
    pub(crate) model: Option<Type>,
    pub(crate) waits: Vec<Wait>,
    pub(crate) polling: Option<Expr>,
    pub(crate) idempotent: Option<Ident>,
    pub(crate) map_err: Option<ExprPath>,
    krate: Option<ModPath>,
    /// Every key, as the author wrote it.
    keys: Vec<Ident>,
}

/// One of the three durations. The runtime has a setter of the same name.
pub(crate) struct Wait {
    pub(crate) key: Ident,
    pub(crate) literal: LitStr,
    pub(crate) millis: u64,
}

impl Args {
    /// The keys that could be read. A key that could not be read counts as absent.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Vec<Error>) -> Self {
        let mut args = Args::default();
        let parse = |input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = args.parse_pair(input) {
                    errors.push(error);
                    skip_to_next_pair(input, false)?;
                } else if !input.is_empty()
                    && let Err(error) = input.parse::<Token![,]>()
                {
                    errors.push(error);
                    skip_to_next_pair(input, true)?;
                }
            }
            Ok(())
        };
        let parsed = parse.parse2(tokens);
        errors.extend(parsed.err());
        args
    }

    fn parse_pair(&mut self, input: ParseStream<'_>) -> Result<()> {
        let Ok(key) = Ident::parse_any(input) else {
            return Err(input.error(format_args!("expected a key; {}", known_keys())));
        };
        let is_repeated = self.keys.contains(&key);
        self.keys.push(key.clone());
        match KEYS.iter().find(|(known, _)| key == known) {
            _ if is_repeated => Err(Error::new(key.span(), format_args!("`{key}` is given twice"))),
            Some((_, read)) => read(self, &Pair { key: &key, input }),
            None => {
                let near = near_key(&key.to_string());
                let meant = near.map(|key| format!("did you mean `{key}`? ")).unwrap_or_default();
                let message = format_args!("unknown key `{key}`; {meant}{}", known_keys());
                Err(Error::new(key.span(), message))
            }
        }
    }

    // Input:
    //     target = Team, timeout = "20m"
    //
    // Output:
    //     const _: () = {
    //         use keys::{target as _, timeout as _};
    //     };
    //
    // where items of the runtime with the names of the keys provide completion, and documentation
    // on hover. Editors accept it in the function's body and, before a declaration, in a trait.
    pub(crate) fn hints(&self) -> TokenStream {
        let krate = self.krate();
        let keys = self.keys.iter().filter(|key| *key != "crate");
        quote! {
            const _: () = {
                use #krate::__private::keys::{#(#keys as _),*};
            };
        }
    }

    /// The path of the runtime.
    pub(crate) fn krate(&self) -> Path {
        self.krate_at(Span::call_site())
    }

    /// The path of the runtime, with this span unless the author has named the path.
    pub(crate) fn krate_at(&self, span: Span) -> Path {
        let named = self.krate.as_ref().map(|ModPath(path)| path.clone());
        named.unwrap_or_else(|| {
            let name = Ident::new("graph_operation", span);
            Path { leading_colon: Some(Token![::](span)), ..Path::from(name) }
        })
    }
}

/// A path without generic arguments. Its names are marked as generated, except `$crate`, which would
/// lose its meaning.
struct ModPath(Path);

impl Parse for ModPath {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut path = input.call(Path::parse_mod_style)?;
        for PathSegment { ident, .. } in &mut path.segments {
            if ident != "$crate" {
                ident.set_span(generated_at(ident.span()));
            }
        }
        Ok(ModPath(path))
    }
}

/// A key and its value.
struct Pair<'a> {
    key: &'a Ident,
    input: ParseStream<'a>,
}

impl Pair<'_> {
    /// A value that is code. Other attributes take it in quotes.
    fn code<T: Parse>(&self, value: &mut Option<T>, what: &str, example: &str) -> Result<()> {
        let Pair { key, input } = self;
        if input.peek(Token![=]) && input.peek2(LitStr) {
            input.parse::<Token![=]>()?;
            return Err(input
                .error(format_args!("`{key}` takes {what}, without quotes: `{key} = {example}`")));
        }
        *value = Some(self.value(&format!("{what}: `{key} = {example}`"))?);
        Ok(())
    }

    fn wait(&self, waits: &mut Vec<Wait>, example: &str) -> Result<()> {
        let Pair { key, input } = self;
        let hint = if input.peek2(Ident::peek_any) || input.peek2(Token![::]) {
            format!("; for one in a variable, write `polling = Polling::default().{key}(…)`")
        } else {
            String::new()
        };
        let takes = format!("a duration with its unit, in quotes: `{key} = \"{example}\"`{hint}");
        let literal = self.value::<LitStr>(&takes)?;
        let millis = duration::parse(&literal.value())
            .map_err(|wrong| Error::new(literal.span(), format_args!("`{key}` {wrong}")))?;
        waits.push(Wait { key: Ident::clone(key), literal, millis });
        Ok(())
    }

    fn flag(&self, given: &mut Option<Ident>) -> Result<()> {
        let Pair { key, input } = self;
        if input.peek(Token![=]) || input.peek(token::Paren) {
            return Err(input.error(format_args!("`{key}` is a flag; write it without a value")));
        }
        *given = Some(Ident::clone(key));
        Ok(())
    }

    /// Reads `= value`; the error says what the key takes.
    fn value<T: Parse>(&self, takes: &str) -> Result<T> {
        let Pair { key, input } = self;
        let wrong = |span| Error::new(span, format_args!("`{key}` takes {takes}"));
        let at_end = || input.is_empty() || input.peek(Token![,]);
        if input.parse::<Option<Token![=]>>()?.is_none() || at_end() {
            return Err(wrong(key.span()));
        }
        let span = input.span();
        let value = input.parse().map_err(|_| wrong(span))?;
        // A comma is missing before these.
        if at_end() || input.peek(Ident::peek_any) || input.peek(Token![;]) {
            return Ok(value);
        }
        Err(wrong(input.span()))
    }
}

/// Skips to the next key that is separated from what precedes it, so that one malformed value causes
/// one error. The comma in `HashMap<A, B>` does not qualify.
fn skip_to_next_pair(input: ParseStream<'_>, mut is_separated: bool) -> Result<()> {
    while !input.is_empty() {
        if is_separated && starts_with_key(&input.fork()) {
            break;
        }
        is_separated = input.peek(Token![,]) || input.peek(Token![;]);
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

fn starts_with_key(input: ParseStream<'_>) -> bool {
    input.call(Ident::parse_any).is_ok_and(|key| {
        input.is_empty() || input.peek(Token![=]) || KEYS.iter().any(|(known, _)| key == known)
    })
}

/// The key that shares two thirds of its letters with `name`.
pub(crate) fn near_key(name: &str) -> Option<&'static str> {
    let near = KEYS.iter().map(|(key, _)| (common(name, key), *key));
    let near = near.filter(|(common, key)| common * 3 >= key.len().max(name.len()) * 2);
    near.max().map(|(_, key)| key)
}

/// The number of letters that both have in common at their ends.
fn common(a: &str, b: &str) -> usize {
    let prefix = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let suffix = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    (prefix + suffix).min(a.len()).min(b.len())
}

fn known_keys() -> String {
    format!("the keys are `{}`", KEYS.map(|(key, _)| key).join("`, `"))
}
