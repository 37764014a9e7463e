//! Plain unit tests: what the attribute reads, and what it emits for every shape.

mod durations;
mod expansions;
mod groups;
mod keys;
mod refusals;

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;

/// The expansion of one method, formatted.
fn expand(args: TokenStream, item: TokenStream) -> String {
    let declaration = item.to_string().ends_with(';');
    let expansion = crate::attribute(args, item);
    let file = syn::parse2(if declaration {
        quote!(trait Teams { #expansion })
    } else {
        quote!(impl Graph { #expansion })
    });
    let formatted = file
        .map_or_else(|error| format!("{error}: {expansion}"), |file| prettyplease::unparse(&file));
    join_placeholders(&formatted)
}

/// Puts back on one line what prettyplease gives a line each: `begin::<_, _, _, _, _>`.
fn join_placeholders(formatted: &str) -> String {
    let mut joined = String::new();
    let mut lines = formatted.lines().peekable();
    while let Some(line) = lines.next() {
        match line.trim() {
            "_," => joined.push_str("_, "),
            closing if joined.ends_with("_, ") && closing.starts_with('>') => {
                joined.truncate(joined.len() - 2);
                joined.push_str(closing);
                joined.push('\n');
            }
            other if joined.ends_with("_, ") => {
                joined.push_str(other);
                joined.push(' ');
            }
            opening
                if opening.ends_with("::<")
                    && lines.peek().is_some_and(|next| next.trim() == "_,") =>
            {
                joined.push_str(line);
            }
            _ => {
                joined.push_str(line);
                joined.push('\n');
            }
        }
    }
    joined
}

/// The messages of one refusal, in the order in which they were found.
fn refused(args: TokenStream, item: TokenStream) -> Vec<String> {
    let expansion = crate::attribute(args, item);
    let mut messages = Vec::new();
    collect_messages(expansion, &mut messages);
    messages
}

/// What the calls of `compile_error` contain.
fn collect_messages(tokens: TokenStream, messages: &mut Vec<String>) {
    let mut after_compile_error = false;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => after_compile_error = ident == "compile_error",
            TokenTree::Group(group) if after_compile_error => {
                let message = syn::parse2::<syn::LitStr>(group.stream());
                messages.extend(message.map(|message| message.value()));
                after_compile_error = false;
            }
            _ => {}
        }
    }
}
