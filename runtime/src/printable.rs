//! The service's text in messages and logs.

use std::fmt::{self, Write as _};

use http::Uri;

/// How much of a text a message shows, in bytes.
const LONGEST: usize = 2_000;

/// The service's text on one line, whatever it contains.
///
/// Control characters, line breaks and marks that change the direction of text are shown as spaces;
/// what follows after about 2 kB is cut off.
pub(crate) struct Printable<'a>(pub(crate) &'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(f, self.0, LONGEST)
    }
}

/// A code, a message, or both, on one line.
pub(crate) struct Reason<'a> {
    pub(crate) code: Option<&'a str>,
    pub(crate) message: Option<&'a str>,
}

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code.unwrap_or_default(), self.message.unwrap_or_default()) {
            ("", "") => f.write_str("no reason given"),
            (text, "") | ("", text) => write(f, text, LONGEST),
            (code, message) => {
                let code_length = code.len().min(LONGEST / 4);
                write(f, code, code_length)?;
                f.write_str(": ")?;
                write(f, message, LONGEST - code_length)
            }
        }
    }
}

/// An address without its query and its userinfo, either of which may be a secret.
pub(crate) fn without_secrets(address: &str) -> String {
    let end = address.find(['?', '#']).unwrap_or(address.len());
    let (address, _) = address.split_at(end);
    let Some(slashes) = before_authority(address) else { return address.to_owned() };
    let rest = address.get(slashes..).unwrap_or_default().trim_start_matches(SLASHES);
    let (before, _) = address.split_at(address.len() - rest.len());
    let (authority, path) = rest.split_at(rest.find(SLASHES).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{before}{host}{path}")
}

/// URL parsers take a backslash for a slash.
const SLASHES: [char; 2] = ['/', '\\'];

/// Where the slashes before the authority of an address begin. After `https:`, URL parsers skip any
/// number of them.
fn before_authority(address: &str) -> Option<usize> {
    match address.split_once(':') {
        Some((scheme, _)) if is_http(scheme) => Some(scheme.len() + 1),
        _ => address
            .as_bytes()
            .windows(2)
            .position(|pair| pair.iter().all(|byte| matches!(byte, b'/' | b'\\'))),
    }
}

fn is_http(scheme: &str) -> bool {
    let scheme = scheme.trim();
    scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")
}

/// An address without its query and its userinfo, either of which may be a secret.
pub(crate) fn shown(uri: &Uri) -> impl fmt::Display + fmt::Debug + use<> {
    shown_text(&uri.to_string())
}

/// The same for an address as it was written.
pub(crate) fn shown_text(text: &str) -> impl fmt::Display + fmt::Debug + use<> {
    Shown(without_secrets(text))
}

struct Shown(String);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable(&self.0).fmt(f)
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Printable(&format!("{:?}", self.0)))
    }
}

fn write(f: &mut fmt::Formatter<'_>, text: &str, longest: usize) -> fmt::Result {
    for (at, c) in text.char_indices() {
        if at + c.len_utf8() > longest {
            return f.write_char('…');
        }
        f.write_char(if is_printable(c) { c } else { ' ' })?;
    }
    Ok(())
}

fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(
            c,
            // Line and paragraph separators, and what changes the direction of text.
            '\u{2028}' | '\u{2029}' | '\u{61C}' | '\u{200E}' | '\u{200F}'
            | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_printable_line() {
        let text = "a\r\nb\tc\u{1b}[31md\u{2028}e\u{2029}f\u{202e}g\u{2066}h\u{85}é";
        assert_eq!(Printable(text).to_string(), "a  b c [31md e f g h é");
    }

    #[test]
    fn a_long_text_is_cut_at_a_character() {
        let shown = Printable(&"é".repeat(3_000)).to_string();
        assert_eq!(shown, format!("{}…", "é".repeat(1_000)));
        let exact = "x".repeat(LONGEST);
        assert_eq!(Printable(&exact).to_string(), exact);
        let long = "x".repeat(5_000);
        for (code, message) in [(Some("code"), Some(&*long)), (Some(&*long), Some(&*long))] {
            let shown = Reason { code, message }.to_string();
            assert!(shown.len() < LONGEST + 10 && shown.ends_with('…'), "{}", shown.len());
        }
    }

    #[test]
    fn neither_a_query_nor_userinfo_is_shown() {
        for (text, shown) in [
            ("https://u:p@h/a/b?tempauth=x#y", "https://h/a/b"),
            ("https:/\\u:p@h/a", "https:/\\h/a"),
            ("https:u:p@h/a", "https:h/a"),
            ("https:///u:p@h\\a@b", "https:///h\\a@b"),
            (" https://u:p@h", " https://h"),
            ("//u@h/a?x", "//h/a"),
            ("\\/u@h/a", "\\/h/a"),
            ("/a@b?x", "/a@b"),
            ("/a/19:b@c/d", "/a/19:b@c/d"),
            ("x:a@b/c?d", "x:a@b/c"),
            ("see https:\\/u:p@h", "see https:\\/h"),
            ("/root:/a@b", "/root:/a@b"),
        ] {
            assert_eq!(shown_text(text).to_string(), shown);
        }
    }
}
