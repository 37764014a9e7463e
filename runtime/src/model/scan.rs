//! The quick reading of an answer: its status and its attempts, in place.
//!
//! The whole document is checked to be JSON. The scanner only ever says yes: a document that is in
//! any way unusual is left to serde, which decides what is wrong with it, if anything.

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scanned<'a> {
    pub(super) status: &'a str,
    pub(super) attempts: Option<u32>,
}

/// Finds the `status` of an object, a text without escapes, and its `attemptsCount`, if it has one.
pub(super) fn scan(body: &[u8]) -> Option<Scanned<'_>> {
    let mut scanner = Scanner { rest: body, ascii: true };
    let mut status = None;
    let mut attempts = None;
    scanner.space();
    scanner.expect(b'{')?;
    scanner.space();
    loop {
        // Which property an escaped name means is not known here.
        let name = scanner.plain_string()?;
        scanner.colon()?;
        match name {
            b"status" if status.is_none() => status = Some(scanner.plain_string()?),
            b"attemptsCount" if attempts.is_none() => attempts = Some(scanner.count()?),
            b"status" | b"attemptsCount" => return None,
            _ => scanner.value()?,
        }
        scanner.space();
        match scanner.bump()? {
            b',' => scanner.space(),
            b'}' => break,
            _ => return None,
        }
    }
    scanner.space();
    if !scanner.rest.is_empty() || !(scanner.ascii || std::str::from_utf8(body).is_ok()) {
        return None;
    }
    let status = std::str::from_utf8(status?).ok()?;
    Some(Scanned { status, attempts: attempts.flatten() })
}

struct Scanner<'a> {
    rest: &'a [u8],
    /// Whether all strings so far were ASCII.
    ascii: bool,
}

const ONES: u64 = u64::MAX / 0xFF;
const HIGHS: u64 = ONES * 0x80;

/// Marks the bytes that are less than `than`, which is at most 128; the lowest mark is exact.
const fn less(word: u64, than: u8) -> u64 {
    word.wrapping_sub(ONES * than as u64) & !word & HIGHS
}

impl<'a> Scanner<'a> {
    fn bump(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        (self.bump()? == byte).then_some(())
    }

    fn space(&mut self) {
        while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    fn colon(&mut self) -> Option<()> {
        self.space();
        self.expect(b':')?;
        self.space();
        Some(())
    }

    /// A string without escapes.
    fn plain_string(&mut self) -> Option<&'a [u8]> {
        self.expect(b'"')?;
        let start = self.rest;
        self.plain();
        let length = start.len() - self.rest.len();
        self.expect(b'"')?;
        Some(&start[..length])
    }

    /// A string whose opening quote was taken.
    fn string(&mut self) -> Option<()> {
        loop {
            self.plain();
            match self.bump()? {
                b'"' => return Some(()),
                b'\\' => match self.bump()? {
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                    b'u' => {
                        let (digits, rest) = self.rest.split_at_checked(4)?;
                        if !digits.iter().all(u8::is_ascii_hexdigit) {
                            return None;
                        }
                        self.rest = rest;
                    }
                    _ => return None,
                },
                // A control character.
                _ => return None,
            }
        }
    }

    /// Passes over bytes up to a quote, a backslash or a control character.
    fn plain(&mut self) {
        while let Some((chunk, rest)) = self.rest.split_first_chunk::<8>() {
            let word = u64::from_le_bytes(*chunk);
            let special = less(word ^ (ONES * u64::from(b'"')), 1)
                | less(word ^ (ONES * u64::from(b'\\')), 1)
                | less(word, 0x20);
            self.ascii &= word & HIGHS == 0;
            if special != 0 {
                self.rest = &self.rest[special.trailing_zeros() as usize / 8..];
                return;
            }
            self.rest = rest;
        }
        while let [byte, rest @ ..] = self.rest {
            if matches!(byte, b'"' | b'\\' | 0..0x20) {
                return;
            }
            self.ascii &= byte.is_ascii();
            self.rest = rest;
        }
    }

    /// A whole number that is plainly one of attempts, or a null.
    fn count(&mut self) -> Option<Option<u32>> {
        if let [b'n', ..] = self.rest {
            return self.value().map(|()| None);
        }
        let start = self.rest;
        self.number()?;
        let digits = std::str::from_utf8(&start[..start.len() - self.rest.len()]).ok()?;
        let count: i32 = digits.parse().ok()?;
        u32::try_from(count).ok().filter(|_| !digits.starts_with('-')).map(Some)
    }

    fn digits(&mut self) -> Option<()> {
        let first = self.bump()?;
        while let [b'0'..=b'9', rest @ ..] = self.rest {
            self.rest = rest;
        }
        first.is_ascii_digit().then_some(())
    }

    fn number(&mut self) -> Option<()> {
        if let [b'-', rest @ ..] = self.rest {
            self.rest = rest;
        }
        match self.rest {
            [b'0', rest @ ..] => self.rest = rest,
            _ => self.digits()?,
        }
        if let [b'.', rest @ ..] = self.rest {
            self.rest = rest;
            self.digits()?;
        }
        if let [b'e' | b'E', rest @ ..] = self.rest {
            self.rest = match rest {
                [b'+' | b'-', rest @ ..] => rest,
                rest => rest,
            };
            self.digits()?;
        }
        Some(())
    }

    fn literal(&mut self, text: &[u8]) -> Option<()> {
        self.rest = self.rest.strip_prefix(text)?;
        Some(())
    }

    /// Any value. Its open objects and arrays are bits, below one that marks the start.
    fn value(&mut self) -> Option<()> {
        const OBJECT: u64 = 1;
        let mut open = 1_u64;
        loop {
            match self.rest.first()? {
                b'"' => {
                    self.bump()?;
                    self.string()?;
                }
                b'n' => self.literal(b"null")?,
                b't' => self.literal(b"true")?,
                b'f' => self.literal(b"false")?,
                bracket @ (b'{' | b'[') => {
                    if open >> 62 != 0 {
                        return None;
                    }
                    let kind = u64::from(*bracket == b'{');
                    open = open << 1 | kind;
                    self.bump()?;
                    self.space();
                    if !matches!((self.rest.first()?, kind), (b'}', OBJECT) | (b']', 0)) {
                        if kind == OBJECT {
                            self.name()?;
                        }
                        continue;
                    }
                }
                _ => self.number()?,
            }
            loop {
                if open == 1 {
                    return Some(());
                }
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
        }
    }

    fn name(&mut self) -> Option<()> {
        self.expect(b'"')?;
        self.string()?;
        self.colon()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(body: &str) -> Option<(&str, Option<u32>)> {
        scan(body.as_bytes()).map(|found| (found.status, found.attempts))
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
        ] {
            assert_eq!(found(body), Some(expected), "{body}");
        }
        let nested = format!(r#"{{"a":{}{},"status":"x"}}"#, "[".repeat(60), "]".repeat(60));
        assert_eq!(found(&nested), Some(("x", None)));
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
        assert!(scan(b"{\"status\":\"x\",\"a\":\"\xFF\"}").is_none());
        let nested = format!(r#"{{"a":{}{},"status":"x"}}"#, "[".repeat(63), "]".repeat(63));
        assert_eq!(found(&nested), None);
    }

    #[test]
    fn what_is_not_json_is_not_accepted() {
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
            r#"} {}"#,
            "}\u{a0}",
            r#" "a":1}"#,
        ] {
            let body = format!(r#"{{"status":"succeeded"{rest}"#);
            assert_eq!(found(&body), None, "{body}");
            assert!(serde_json::from_str::<serde_json::Value>(&body).is_err(), "{body}");
        }
    }
}
