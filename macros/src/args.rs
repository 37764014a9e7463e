//! The keys of `#[async_operation(key = value, …)]`.

use crate::duration;
use crate::errors::Errors;
use proc_macro2::{Ident, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Error, Expr, ExprPath, LitStr, Path, Result, Token, Type};

const KEYS: [&str; 9] = [
    "client",
    "target",
    "model",
    "first_check",
    "interval",
    "timeout",
    "polling",
    "map_err",
    "crate",
];

#[derive(Default)]
pub(crate) struct Args {
    pub(crate) client: Option<Expr>,
    pub(crate) target: Option<Type>,
    pub(crate) model: Option<Type>,
    pub(crate) first_check: Option<Wait>,
    pub(crate) interval: Option<Wait>,
    pub(crate) timeout: Option<Wait>,
    pub(crate) polling: Option<Expr>,
    pub(crate) map_err: Option<ExprPath>,
    pub(crate) krate: Option<Path>,
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
                }
                skip_to_next_pair(input)?;
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
        match key.to_string().as_str() {
            "client" => {
                parse_value(&mut self.client, &key, input, "an expression: `client = self.graph`")
            }
            "target" => parse_value(&mut self.target, &key, input, "a type: `target = Team`"),
            "model" => {
                parse_value(&mut self.model, &key, input, "a type: `model = TeamsAsyncOperation`")
            }
            "first_check" => parse_wait(&mut self.first_check, &key, input, "5s"),
            "interval" => parse_wait(&mut self.interval, &key, input, "45s"),
            "timeout" => parse_wait(&mut self.timeout, &key, input, "20m"),
            "polling" => parse_value(
                &mut self.polling,
                &key,
                input,
                "an expression: `polling = Polling::frequent()`",
            ),
            "map_err" => parse_value(
                &mut self.map_err,
                &key,
                input,
                "the path of a function: `map_err = MyError::from_graph`",
            ),
            "crate" => {
                let mut path = None::<ModPath>;
                let parsed = parse_value(
                    &mut path,
                    &key,
                    input,
                    "a path without quotes: `crate = my_graph::graph_operation`",
                );
                once(&mut self.krate, path.map(|path| path.0), &key).and(parsed)
            }
            name => Err(Error::new(key.span(), unknown_key(name))),
        }
    }
}

/// `Path` alone would take generic arguments too.
struct ModPath(Path);

impl Parse for ModPath {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        input.call(Path::parse_mod_style).map(ModPath)
    }
}

fn parse_value<T: Parse>(
    slot: &mut Option<T>,
    key: &Ident,
    input: ParseStream<'_>,
    takes: &str,
) -> Result<()> {
    let wrong = |span| Error::new(span, format_args!("`{key}` takes {takes}"));
    let at_end = |input: ParseStream<'_>| input.is_empty() || input.peek(Token![,]);
    if input.parse::<Option<Token![=]>>()?.is_none() || at_end(input) {
        return Err(wrong(key.span()));
    }
    let span = input.span();
    let value = input.parse::<T>().map_err(|_| wrong(span))?;
    if !at_end(input) {
        return Err(wrong(input.span()));
    }
    once(slot, Some(value), key)
}

fn parse_wait(
    slot: &mut Option<Wait>,
    key: &Ident,
    input: ParseStream<'_>,
    example: &str,
) -> Result<()> {
    let takes = format!("a duration with its unit, in quotes: `{key} = \"{example}\"`");
    let mut literal = None::<LitStr>;
    parse_value(&mut literal, key, input, &takes)?;
    let Some(literal) = literal else {
        return Ok(());
    };
    let wait = match duration::parse(&literal.value()) {
        Ok(millis) => Wait { key: key.clone(), literal, millis },
        Err(wrong) => return Err(Error::new(literal.span(), format_args!("`{key}` {wrong}"))),
    };
    once(slot, Some(wait), key)
}

fn once<T>(slot: &mut Option<T>, value: Option<T>, key: &Ident) -> Result<()> {
    if slot.is_some() && value.is_some() {
        return Err(Error::new(key.span(), format_args!("`{key}` is given twice")));
    }
    if value.is_some() {
        *slot = value;
    }
    Ok(())
}

/// Past the next comma that a key follows, so that one malformed value costs one error. The comma of
/// `HashMap<A, B>` is no such comma.
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
    let near = KEYS
        .iter()
        .map(|key| (distance(name, key), key))
        .filter(|(distance, key)| *distance <= key.len() / 3)
        .min();
    match near {
        Some((_, key)) => format!("unknown key `{name}`; did you mean `{key}`? {}", known_keys()),
        None => format!("unknown key `{name}`; {}", known_keys()),
    }
}

fn known_keys() -> String {
    format!("the keys are `{}`", KEYS.join("`, `"))
}

/// The number of letters to insert, delete or replace (Levenshtein).
pub(crate) fn distance(a: &str, b: &str) -> usize {
    let mut row = (0..=b.chars().count()).collect::<Vec<_>>();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        let mut cells = row.iter_mut();
        if let Some(first) = cells.next() {
            *first = left;
        }
        for (cell, to) in cells.zip(b.chars()) {
            let replaced = diagonal + usize::from(from != to);
            diagonal = *cell;
            left = replaced.min(diagonal + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or_default()
}
