//! A fast path for reading a response: its status and its attempts, in place.
//!
//! The whole document is checked to be JSON. The scanner never rejects one: a document that is in
//! any way unusual is left to serde, which decides whether anything is wrong with it.

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned<'a> {
    pub(super) status: &'a str,
    pub(super) attempts: Option<u32>,
}

/// Finds the `status` of an object, a text without escapes, and its `attemptsCount`, if it has one.
///
/// If the status is an object, its text is that object's property `within`.
pub(super) fn scan<'a>(body: &'a [u8], within: Option<&str>) -> Option<Scanned<'a>> {
    let mut scanner = Scanner { body, at: 0, ascii: true };
    let mut status = None;
    let (mut counted, mut attempts) = (false, None);
    scanner.space();
    scanner.object(|scanner, name| {
        match name {
            b"status" if status.is_none() => {
                status = Some(match within {
                    None => scanner.plain_string()?,
                    Some(within) => scanner.text_within(within.as_bytes())?,
                });
            }
            b"attemptsCount" if !counted => {
                counted = true;
                attempts = scanner.count()?;
            }
            b"status" | b"attemptsCount" => return None,
            _ => scanner.value()?,
        }
        Some(())
    })?;
    scanner.space();
    let valid = scanner.ascii || std::str::from_utf8(body).is_ok();
    if scanner.at != body.len() || !valid {
        return None;
    }
    let status = std::str::from_utf8(status?).ok()?;
    Some(Scanned { status, attempts })
}

struct Scanner<'a> {
    body: &'a [u8],
    at: usize,
    /// Whether all strings so far were ASCII.
    ascii: bool,
}

const ONES: u64 = u64::MAX / 0xFF;
const HIGHS: u64 = ONES * 0x80;
const BEYOND_QUOTES: u64 = ONES * (b'"' as u64 + 1);
const BACKSLASHES: u64 = ONES * b'\\' as u64;

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.body.get(self.at).copied()
    }

    fn bump(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.bump()? == byte).then_some(())
    }

    fn eat(&mut self, byte: u8) -> bool {
        let eaten = self.peek() == Some(byte);
        self.at += usize::from(eaten);
        eaten
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.at += 1;
        }
    }

    fn colon(&mut self) -> Option<()> {
        self.space();
        self.expect(b':')?;
        self.space();
        Some(())
    }

    /// An object whose names have no escapes: an escaped name could be that of any property.
    fn object(&mut self, mut property: impl FnMut(&mut Self, &[u8]) -> Option<()>) -> Option<()> {
        self.expect(b'{')?;
        self.space();
        loop {
            let name = self.plain_string()?;
            self.colon()?;
            property(self, name)?;
            self.space();
            match self.bump()? {
                b',' => self.space(),
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// The text of one property of an object.
    fn text_within(&mut self, wanted: &[u8]) -> Option<&'a [u8]> {
        let mut text = None;
        self.object(|scanner, name| {
            if name != wanted {
                return scanner.value();
            }
            let again = text.replace(scanner.plain_string()?).is_some();
            (!again).then_some(())
        })?;
        text
    }

    /// A string without escapes.
    fn plain_string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.at;
        let special = self.plain()?;
        let text = &self.body[start..self.at];
        self.at += 1;
        (special == b'"').then_some(text)
    }

    fn string(&mut self) -> Option<()> {
        self.expect(b'"')?;
        while self.plain()? != b'"' {
            self.at += 1;
            match self.bump()? {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                b'u' => {
                    let digits = self.body.get(self.at..self.at + 4)?;
                    if !digits.iter().all(u8::is_ascii_hexdigit) {
                        return None;
                    }
                    self.at += 4;
                }
                _ => return None,
            }
        }
        self.at += 1;
        Some(())
    }

    /// Skips the part of a string up to a quote or a backslash, and returns that byte.
    fn plain(&mut self) -> Option<u8> {
        let mut rest = self.body.get(self.at..)?;
        loop {
            while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
                let word = u64::from_le_bytes(*chunk);
                // Sets the high bit of each byte that needs a look: a backslash, one up to a quote,
                // one that is not ASCII. A borrow only spoils bits above such a byte, so the lowest
                // bit is right.
                let marks = (word.wrapping_sub(BEYOND_QUOTES)
                    | (word ^ BACKSLASHES).wrapping_sub(ONES))
                    & HIGHS;
                if marks != 0 {
                    rest = &rest[marks.trailing_zeros() as usize / 8..];
                    break;
                }
                rest = after;
            }
            let (&byte, after) = rest.split_first()?;
            match byte {
                b'"' | b'\\' => {
                    self.at = self.body.len() - rest.len();
                    return Some(byte);
                }
                0..0x20 => return None,
                _ => self.ascii &= byte.is_ascii(),
            }
            rest = after;
        }
    }

    /// A plain count of attempts; `None` for a null.
    #[allow(clippy::option_option, reason = "the outer one says whether the scanner goes on")]
    fn count(&mut self) -> Option<Option<u32>> {
        if self.peek() == Some(b'n') {
            return self.literal(b"null").map(|()| None);
        }
        let start = self.at;
        self.number()?;
        let digits = &self.body[start..self.at];
        let (true, 1..=9) = (digits.iter().all(u8::is_ascii_digit), digits.len()) else {
            return None;
        };
        Some(Some(digits.iter().fold(0, |count, digit| count * 10 + u32::from(digit - b'0'))))
    }

    fn digits(&mut self) -> Option<()> {
        let first = self.bump()?;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        first.is_ascii_digit().then_some(())
    }

    fn number(&mut self) -> Option<()> {
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _ = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        Some(())
    }

    fn literal(&mut self, text: &[u8]) -> Option<()> {
        let matches = self.body.get(self.at..)?.starts_with(text);
        self.at += text.len();
        matches.then_some(())
    }

    /// Any value. The bits of `open` are the open objects and arrays, below a 1 that marks the
    /// start.
    fn value(&mut self) -> Option<()> {
        const OBJECT: u64 = 1;
        let mut open = 1_u64;
        loop {
            match self.peek()? {
                b'"' => self.string()?,
                b'n' => self.literal(b"null")?,
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                bracket @ (b'{' | b'[') => {
                    if open >> 62 != 0 {
                        return None;
                    }
                    let kind = u64::from(bracket == b'{');
                    open = open << 1 | kind;
                    self.at += 1;
                    self.space();
                    if !matches!((self.peek()?, kind), (b'}', OBJECT) | (b']', 0)) {
                        if kind == OBJECT {
                            self.name()?;
                        }
                        continue;
                    }
                }
                _ => self.number()?,
            }
            while open != 1 {
                self.space();
                match (self.bump()?, open & 1) {
                    (b'}', OBJECT) | (b']', 0) => open >>= 1,
                    (b',', kind) => {
                        self.space();
                        if kind == OBJECT {
                            self.name()?;
                        }
                        break;
                    }
                    _ => return None,
                }
            }
            if open == 1 {
                return Some(());
            }
        }
    }

    fn name(&mut self) -> Option<()> {
        self.string()?;
        self.colon()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> Option<(&str, Option<u32>)> {
        scan(body.as_bytes(), None).map(|found| (found.status, found.attempts))
    }

    #[test]
    fn a_usual_document_is_read_in_place() {
        for (body, expected) in [
            (r#"{"status":"succeeded"}"#, ("succeeded", None)),
            (" {\r\n\t\"status\" : \"Failed\" , \"attemptsCount\" : 2 } ", ("Failed", Some(2))),
            (r#"{"attemptsCount":null,"status":"failed","error":null}"#, ("failed", None)),
            (
                r#"{"Value":"{\"Status\":0,\"\\\":\"\u00e9\ud800\"}","a":[{},[],{"status":"x"},
                    -0.5e+10,0,1E2,true,false,null,"ü"],"status":"inProgress","attemptsCount":0}"#,
                ("inProgress", Some(0)),
            ),
            (
                r#"{"a":[ { "b" : [ ] , "c" : 1e-7 , "d" : 2 } , { } , "\u00e9" ],"status":"x",
                    "attemptsCount":987654321}"#,
                ("x", Some(987_654_321)),
            ),
        ] {
            assert_eq!(found(body), Some(expected), "{body}");
        }
        let nested = format!(r#"{{"a":{}{},"status":"x"}}"#, "[".repeat(60), "]".repeat(60));
        assert_eq!(found(&nested), Some(("x", None)));
    }

    #[test]
    fn a_status_can_be_within_an_object() {
        let within =
            |body: &'static str| scan(body.as_bytes(), Some("state")).map(|found| found.status);
        let usual = r#"{"status":{"a":{"state":"x"},"state":"failed","b":1},"state":"y"}"#;
        assert_eq!(within(usual), Some("failed"));
        for body in [
            r#"{"status":"failed"}"#,
            r#"{"status":{}}"#,
            r#"{"status":{"a":1}}"#,
            r#"{"status":{"state":null}}"#,
            r#"{"status":{"state":"failed","state":"failed"}}"#,
            r#"{"status":{"state":"failed"},"status":{"state":"failed"}}"#,
            r#"{"status":{"state":"failed",}}"#,
        ] {
            assert_eq!(within(body), None, "{body}");
        }
    }

    #[test]
    fn whatever_is_unusual_is_left_to_serde() {
        for body in [
            "",
            "{}",
            "{",
            "[]",
            r#"{"id":"1"}"#,
            r#"{"status":7}"#,
            r#"{"status":null}"#,
            r#"{"status":"succ\u0065eded"}"#,
            r#"{"st\u0061tus":"x","status":"succeeded"}"#,
            r#"{"status":"running","status":"succeeded"}"#,
            r#"{"status":"x","attemptsCount":1,"attemptsCount":1}"#,
            r#"{"status":"x","attemptsCount":1.0}"#,
            r#"{"status":"x","attemptsCount":-0}"#,
            r#"{"status":"x","attemptsCount":-1}"#,
            r#"{"status":"x","attemptsCount":2147483648}"#,
            r#"{"status":"x","attemptsCount":"1"}"#,
            "\u{feff}{\"status\":\"x\"}",
        ] {
            assert_eq!(found(body), None, "{body}");
        }
        // Invalid UTF-8, whatever surrounds it.
        for around in ["", "x", "1234567", "12345678"] {
            let text = [around.as_bytes(), b"\xFF", around.as_bytes()].concat();
            let body = [br#"{"status":"x","a":""#, &text[..], br#""}"#].concat();
            assert_eq!(scan(&body, None), None, "{around}");
        }
        let nested = format!(r#"{{"a":{}{},"status":"x"}}"#, "[".repeat(63), "]".repeat(63));
        assert_eq!(found(&nested), None);
    }

    #[test]
    fn malformed_json_is_not_accepted() {
        for rest in [
            "",
            ",}",
            r#","a"}"#,
            r#","a":}"#,
            r#","a":1,}"#,
            r#","a":01}"#,
            r#","a":-}"#,
            r#","a":1.}"#,
            r#","a":.5}"#,
            r#","a":1e}"#,
            r#","a":+1}"#,
            r#","a":nul}"#,
            r#","a":truee}"#,
            r#","a":[1,]}"#,
            r#","a":[1}"#,
            r#","a":[}]}"#,
            r#","a":{1:2}}"#,
            r#","a":{"b":1,}}"#,
            r#","a":{"b"}}"#,
            r#","a":{"b":1]}"#,
            r#","a":"\x"}"#,
            r#","a":"\u12g4"}"#,
            r#","a":"\u12"#,
            "\u{0},\"a\":1}",
            ",\"a\":\"\u{1}\"}",
            ",\"a\":\"1234567890\n\"}",
            "} {}",
            "}\u{a0}",
            r#" "a":1}"#,
        ] {
            let body = format!(r#"{{"status":"succeeded"{rest}"#);
            assert_eq!(found(&body), None, "{body}");
            assert!(serde_json::from_str::<serde_json::Value>(&body).is_err(), "{body}");
        }
        // A control character, wherever it stands among eight.
        for (control, length) in (0..0x20_u8).flat_map(|c| (0..9).map(move |n| (c, n))) {
            let text = "é".repeat(length / 2) + &"x".repeat(length % 2) + "\u{7f}";
            let body = format!(r#"{{"status":"x","a":"{text}{}1234567"}}"#, char::from(control));
            assert_eq!(found(&body), None, "{body:?}");
            assert_eq!(found(&body.replace(char::from(control), "~")), Some(("x", None)));
        }
    }
}
