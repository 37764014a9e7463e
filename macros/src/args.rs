//! The keys of `#[async_operation(key = value, …)]`.

use crate::duration;
use crate::errors::Errors;
use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Error, Expr, ExprPath, LitStr, Path, Result, Token, Type, token};

const KEYS: [&str; 10] = [
    "client",
    "target",
    "model",
    "first_check",
    "interval",
    "timeout",
    "polling",
    "idempotent",
    "map_err",
    "crate",
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
    pub(crate) krate: Option<ModPath>,
    /// Every key as it was written.
    pub(crate) keys: Vec<Ident>,
}

/// One of the three durations. The runtime has a setter of the same name.
pub(crate) struct Wait {
    pub(crate) key: Ident,
    pub(crate) literal: LitStr,
    pub(crate) millis: u64,
}

impl Args {
    /// The keys that could be read. A key that could not be read counts as absent.
    pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut args = Args::default();
        let parsed = (|input: ParseStream<'_>| {
            while !input.is_empty() {
                if let Err(error) = args.parse_pair(input) {
                    errors.push(error);
                    skip_to_next_pair(input)?;
                } else if input.parse::<Option<Token![,]>>()?.is_none() && !input.is_empty() {
                    errors.push(input.error("expected `,`"));
                    input.parse::<Option<Token![;]>>()?;
                    if !starts_with_key(&input.fork()) {
                        skip_to_next_pair(input)?;
                    }
                }
            }
            Ok(())
        })
        .parse2(tokens);
        if let Err(error) = parsed {
            errors.push(error);
        }
        args
    }

    fn parse_pair(&mut self, input: ParseStream<'_>) -> Result<()> {
        let Ok(key) = Ident::parse_any(input) else {
            return Err(input.error(format_args!("expected a key; {}", known_keys())));
        };
        let is_repeated = self.keys.contains(&key);
        self.keys.push(key.clone());
        let pair = Pair { key: &key, input };
        match key.to_string().as_str() {
            name if is_repeated => {
                Err(Error::new(key.span(), format_args!("`{name}` is given twice")))
            }
            "client" => pair.code(&mut self.client, "an expression", "self.graph"),
            "target" => pair.code(&mut self.target, "a type", "Team"),
            "model" => pair.code(&mut self.model, "a type", "TeamsAsyncOperation"),
            "first_check" => pair.wait(&mut self.waits, "5s"),
            "interval" => pair.wait(&mut self.waits, "45s"),
            "timeout" => pair.wait(&mut self.waits, "20m"),
            "polling" => pair.code(&mut self.polling, "an expression", "Polling::frequent()"),
            "idempotent" => pair.flag(&mut self.idempotent),
            "map_err" => {
                pair.code(&mut self.map_err, "the path of a function", "MyError::from_graph")
            }
            "crate" => pair.code(&mut self.krate, "a path", "my_graph::graph_operation"),
            name => Err(Error::new(key.span(), unknown_key(name))),
        }
    }
}

/// A path without generic arguments.
pub(crate) struct ModPath(pub(crate) Path);

impl Parse for ModPath {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        input.call(Path::parse_mod_style).map(ModPath)
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

/// Skips past the next comma that is followed by a key, so that one malformed value causes one
/// error. The comma in `HashMap<A, B>` does not qualify.
fn skip_to_next_pair(input: ParseStream<'_>) -> Result<()> {
    while !input.is_empty() {
        let comma = input.parse::<Option<Token![,]>>()?;
        if comma.is_some() && (input.is_empty() || starts_with_key(&input.fork())) {
            break;
        }
        if comma.is_none() {
            input.parse::<TokenTree>()?;
        }
    }
    Ok(())
}

fn starts_with_key(input: ParseStream<'_>) -> bool {
    match Ident::parse_any(input) {
        Ok(key) => {
            input.is_empty() || input.peek(Token![=]) || KEYS.iter().any(|known| key == known)
        }
        Err(_) => false,
    }
}

fn unknown_key(name: &str) -> String {
    let meant = near_key(name).map(|key| format!("did you mean `{key}`? ")).unwrap_or_default();
    format!("unknown key `{name}`; {meant}{}", known_keys())
}

/// The key that shares two thirds of its letters with `name`.
pub(crate) fn near_key(name: &str) -> Option<&'static str> {
    let near = KEYS.iter().map(|key| (common(name, key), *key));
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
    format!("the keys are `{}`", KEYS.join("`, `"))
}
