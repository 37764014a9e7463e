//! Base64, as in RFC 4648.

/// The alphabet that is written. The one for URLs is read too.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The text for these bytes, with padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group =
            (0..3).fold(0, |group, at| group << 8 | u32::from(*chunk.get(at).unwrap_or(&0)));
        for at in 0..4 {
            let digit = ALPHABET.get((group >> (18 - 6 * at) & 63) as usize).copied();
            text.push(if at > chunk.len() { '=' } else { digit.unwrap_or(b'=').into() });
        }
    }
    text
}

/// The bytes of a text of either alphabet, with or without padding; `None` if it is invalid.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    if digits.len() % 4 == 1 || text.len() - digits.len() > 2 {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() / 4 * 3 + 2);
    for chunk in digits.as_bytes().chunks(4) {
        let mut group = 0;
        for at in 0..4 {
            group = group << 6
                | match chunk.get(at) {
                    None => 0,
                    Some(byte @ b'A'..=b'Z') => u32::from(byte - b'A'),
                    Some(byte @ b'a'..=b'z') => u32::from(byte - b'a') + 26,
                    Some(byte @ b'0'..=b'9') => u32::from(byte - b'0') + 52,
                    Some(b'+' | b'-') => 62,
                    Some(b'/' | b'_') => 63,
                    Some(_) => return None,
                };
        }
        let [_, group @ ..] = group.to_be_bytes();
        bytes.extend(group.into_iter().take(chunk.len() - 1));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_they_were_written() {
        for length in 0..40 {
            let bytes: Vec<u8> =
                (0..length).map(|at: u8| at.wrapping_mul(37).wrapping_add(200)).collect();
            let text = encode(&bytes);
            assert_eq!(text.len() % 4, 0);
            assert_eq!(decode(&text).as_deref(), Some(&bytes[..]));
            assert_eq!(decode(text.trim_end_matches('=')).as_deref(), Some(&bytes[..]));
        }
        assert_eq!(encode(b"Many hands"), "TWFueSBoYW5kcw==");
        // The digits of both alphabets.
        let bytes = [0xFB, 0xEF, 0xBE, 0xFF, 0xFF, 0xFF];
        assert_eq!(encode(&bytes), "++++////");
        for text in ["++++////", "----____"] {
            assert_eq!(decode(text).as_deref(), Some(&bytes[..]));
        }
        for text in ["a", "ab c", "ab===", "a=bc", "\u{e9}\u{e9}"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
