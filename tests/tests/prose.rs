//! What documents and examples show is what people copy.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The sources and the documents of a folder, build folders aside.
fn texts(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                texts(&path, found);
            }
        } else if path.extension().is_some_and(|end| end == "rs" || end == "md") {
            found.push(path);
        }
    }
}

fn texts_of(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    texts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(folder), &mut found);
    let text = |path: PathBuf| fs::read_to_string(&path).ok().map(|text| (path, text));
    found.into_iter().filter_map(text).collect()
}

/// A line without its comment marker, if it has one.
fn uncommented(line: &str) -> &str {
    let line = line.trim_start();
    ["///", "//!", "//"].iter().find_map(|marker| line.strip_prefix(marker)).unwrap_or(line)
}

/// What follows the string literal that `text` begins with.
fn after_literal(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = inside.find(|c| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    })?;
    Some(&inside[end + 1..])
}

/// The calls of `Client::url`, as a method or by its path, with an argument other than a string
/// literal.
fn computed_urls(text: &str) -> Vec<String> {
    let code: Vec<_> = text.lines().map(uncommented).collect();
    let code = code.join("\n");
    let calls = code.match_indices("url").filter_map(|(at, name)| {
        let rest = code[at + name.len()..].trim_start().strip_prefix('(')?.trim_start();
        let before = code[..at].trim_end();
        let argument = if before.ends_with("::") {
            rest.split_once(',').map_or("", |(_, argument)| argument.trim_start())
        } else if before.ends_with('.') {
            rest
        } else {
            return None;
        };
        let end = after_literal(argument).unwrap_or(argument).trim_start();
        let end = end.strip_prefix(',').unwrap_or(end).trim_start();
        let literal = end.starts_with(')') || argument.is_empty();
        (!literal).then(|| argument.chars().take(40).collect())
    });
    calls.collect()
}

/// `Client::url` encodes nothing: an argument in it could lead to any path of the service.
#[test]
fn nothing_shows_an_argument_in_a_url() {
    let texts = texts_of(".");
    assert!(texts.len() > 100, "{} files were found", texts.len());
    let shown: Vec<_> = texts
        .iter()
        .map(|(path, text)| (path, computed_urls(text)))
        .filter(|(_, calls)| !calls.is_empty())
        .collect();
    assert!(shown.is_empty(), "use `Client::url_of` or `Client::request` in {shown:#?}");
}

#[test]
fn every_spelling_of_a_computed_url_is_noticed() {
    // `%` stands for the name, so that this file passes its own test.
    for call in [
        "graph.%(format!(\"teams/{id}\"))",
        "graph.%(format_args!(\"teams/{id}\"))",
        "graph.%(&format!(\"teams/{id}\"))",
        "graph.%( \n    format_args!(\"teams/{id}\"),\n)",
        "/// graph\n///     .%(\n///         std::format!(\"teams/{id}\")\n///     )",
        "graph. % (path)",
        "self.0.%(\"teams/\".to_owned() + id)",
        "Client::%(&graph, format!(\"teams/{id}\"))",
        "graph.%([\"teams\", id].concat())",
    ] {
        assert_eq!(computed_urls(&call.replace('%', "url")).len(), 1, "{call}");
    }
    for call in [
        "graph.%(\"teams\")",
        "graph.%(\n    \"me/joinedTeams?$filter=displayName eq '\\\"'\",\n)",
        "Client::%(&graph, \"teams\")",
        "answer.%()",
        "graph.%_of([\"teams\", id])",
        "curl (format)",
    ] {
        assert!(computed_urls(&call.replace('%', "url")).is_empty(), "{call}");
    }
}

/// The widest code that rustdoc's page shows without a scroll bar.
const COLUMNS: usize = 96;

/// The lines of code in a document that its readers see, with their numbers.
fn code_lines<'a>(path: &Path, text: &'a str) -> Vec<(usize, &'a str)> {
    let rust = path.extension().is_some_and(|end| end == "rs");
    let mut fenced = false;
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let comment = line.trim_start();
        let doc = comment.strip_prefix("///").or_else(|| comment.strip_prefix("//!"));
        let line = if let Some(doc) = doc.filter(|_| rust) {
            doc.strip_prefix(' ').unwrap_or(doc)
        } else if rust {
            // A fence that depends on a feature is an attribute.
            fenced = comment.contains("doc = \"```");
            continue;
        } else {
            line
        };
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced && line != "#" && !line.starts_with("# ") {
            lines.push((number, line));
        }
    }
    lines
}

#[test]
fn code_in_the_documentation_fits_its_page() {
    let texts = texts_of("runtime/src");
    let lines: Vec<_> = texts
        .iter()
        .flat_map(|(path, text)| code_lines(path, text).into_iter().map(move |line| (path, line)))
        .collect();
    assert!(lines.len() > 500, "{} lines of code were found", lines.len());
    let wide: Vec<_> =
        lines.iter().filter(|(_, (_, line))| line.chars().count() > COLUMNS).collect();
    assert!(wide.is_empty(), "more than {COLUMNS} columns: {wide:#?}");
}
