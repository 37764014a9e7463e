//! The keys of `#[async_operation(key = value, …)]`.

use crate::duration;
use crate::errors::Errors;
use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{Parse as _, ParseStream, Parser as _};
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
    pub(crate) krate: Option<Path>,
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
    /// What could be read; a key that could not be read is as if it were absent.
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
                return Err(Error::new(key.span(), format_args!("`{name}` is given twice")));
            }
            "client" => {
                self.client = Some(pair.code(Expr::parse, "an expression", "self.graph")?)
            }
            "target" => self.target = Some(pair.code(Type::parse, "a type", "Team")?),
            "model" => {
                self.model = Some(pair.code(Type::parse, "a type", "TeamsAsyncOperation")?)
            }
            "first_check" => self.waits.push(pair.wait("5s")?),
            "interval" => self.waits.push(pair.wait("45s")?),
            "timeout" => self.waits.push(pair.wait("20m")?),
            "polling" => {
                let polling = pair.code(Expr::parse, "an expression", "Polling::frequent()")?;
                self.polling = Some(polling);
            }
            "idempotent" => self.idempotent = Some(pair.flag()?),
            "map_err" => {
                let takes = "the path of a function";
                self.map_err = Some(pair.code(ExprPath::parse, takes, "MyError::from_graph")?);
            }
            "crate" => {
                let path =
                    pair.code(Path::parse_mod_style, "a path", "my_graph::graph_operation")?;
                self.krate = Some(path);
            }
            name => return Err(Error::new(key.span(), unknown_key(name))),
        }
        Ok(())
    }
}

/// A key, and what follows it.
struct Pair<'a> {
    key: &'a Ident,
    input: ParseStream<'a>,
}

impl Pair<'_> {
    /// A value that is code. Other attributes take it in quotes.
    fn code<T>(&self, parse: Parse<T>, what: &str, example: &str) -> Result<T> {
        let Pair { key, input } = self;
        if input.peek(Token![=]) && input.peek2(LitStr) {
            input.parse::<Token![=]>()?;
            return Err(input
                .error(format_args!("`{key}` takes {what}, without quotes: `{key} = {example}`")));
        }
        self.value(parse, &format!("{what}: `{key} = {example}`"))
    }

    fn wait(&self, example: &str) -> Result<Wait> {
        let Pair { key, input } = self;
        let hint = if input.peek2(Ident::peek_any) || input.peek2(Token![::]) {
            format!("; for one in a variable, write `polling = Polling::default().{key}(…)`")
        } else {
            String::new()
        };
        let takes = format!("a duration with its unit, in quotes: `{key} = \"{example}\"`{hint}");
        let literal = self.value(|input| input.parse::<LitStr>(), &takes)?;
        let millis = duration::parse(&literal.value())
            .map_err(|wrong| Error::new(literal.span(), format_args!("`{key}` {wrong}")))?;
        Ok(Wait { key: Ident::clone(key), literal, millis })
    }

    fn flag(&self) -> Result<Ident> {
        let Pair { key, input } = self;
        if input.peek(Token![=]) || input.peek(token::Paren) {
            return Err(input.error(format_args!("`{key}` is a flag; write it without a value")));
        }
        Ok(Ident::clone(key))
    }

    /// Reads `= value`, or says what the key takes.
    fn value<T>(&self, parse: Parse<T>, takes: &str) -> Result<T> {
        let Pair { key, input } = self;
        let wrong = |span| Error::new(span, format_args!("`{key}` takes {takes}"));
        let at_end = || input.is_empty() || input.peek(Token![,]);
        if input.parse::<Option<Token![=]>>()?.is_none() || at_end() {
            return Err(wrong(key.span()));
        }
        let span = input.span();
        let value = parse(input).map_err(|_| wrong(span))?;
        // Before these, a comma is missing.
        if at_end() || input.peek(Ident::peek_any) || input.peek(Token![;]) {
            return Ok(value);
        }
        Err(wrong(input.span()))
    }
}

type Parse<T> = fn(ParseStream<'_>) -> Result<T>;

/// Skips past the next comma that is followed by a key, so that one malformed value causes one error.
/// The comma in `HashMap<A, B>` does not qualify.
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
        Ok(key) => input.peek(Token![=]) || KEYS.iter().any(|known| key == known),
        Err(_) => false,
    }
}

fn unknown_key(name: &str) -> String {
    let meant = near_key(name).map(|key| format!("did you mean `{key}`? ")).unwrap_or_default();
    format!("unknown key `{name}`; {meant}{}", known_keys())
}

/// The key that has two thirds of its letters in common with `name`.
pub(crate) fn near_key(name: &str) -> Option<&'static str> {
    let near = KEYS.iter().map(|key| (common(name, key), *key));
    let near = near.filter(|(common, key)| common * 3 >= key.len().max(name.len()) * 2);
    near.max().map(|(_, key)| key)
}

/// The number of letters in common at both ends.
fn common(a: &str, b: &str) -> usize {
    let prefix = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let suffix = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    (prefix + suffix).min(a.len()).min(b.len())
}

fn known_keys() -> String {
    format!("the keys are `{}`", KEYS.join("`, `"))
}
