//! Identifiers, instants and random numbers, all derived from the seed, so that two runs with the
//! same seed answer the same.

use std::fmt::Write as _;

use time::OffsetDateTime;

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
/// The instant at which the first operation is created: fixed, because documents must not depend on
/// the wall clock.
const EPOCH: i64 = 1_770_105_600;
const TICKS_PER_SECOND: u64 = 10_000_000;

/// The finalizer of splitmix64: every bit of the input reaches every bit of the output.
pub(super) fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

/// A stable hash of a text (std's hashers promise no stability across releases).
pub(super) fn hash(text: &str) -> u64 {
    let fnv = text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    mix(fnv)
}

/// A number in `0.0..1.0`, from the upper bits of a mixed value.
pub(super) fn share(value: u64) -> f64 {
    let upper = u32::try_from(value >> 32).unwrap_or(u32::MAX);
    f64::from(upper) / 4_294_967_296.0
}

/// A splitmix64 generator, used only for identifiers.
#[derive(Debug)]
pub(super) struct Ids {
    state: u64,
}

impl Ids {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: mix(seed ^ GAMMA) }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GAMMA);
        mix(self.state)
    }

    /// A GUID in the form that Graph writes, its version and variant bits set.
    pub(super) fn guid(&mut self) -> String {
        let high = (self.next() & !0xF000) | 0x4000;
        let low = (self.next() & !(0b11 << 62)) | (0b10 << 62);
        format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xFFFF,
            high & 0xFFFF,
            low >> 48,
            low & 0xFFFF_FFFF_FFFF
        )
    }
}

/// When the operation with this ordinal number was created, in Graph's notation without its offset.
pub(super) fn created(ordinal: u64, seed: u64) -> String {
    let seconds = EPOCH + i64::try_from(ordinal).unwrap_or(0);
    let ticks = mix(seed ^ ordinal.wrapping_mul(GAMMA)) % TICKS_PER_SECOND;
    timestamp(seconds, ticks)
}

/// A date and time with up to seven fraction digits, trailing zeros trimmed, as the service writes
/// them.
fn timestamp(seconds: i64, ticks: u64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let mut text = date_time(at);
    if ticks != 0 {
        let _ = write!(text, ".{ticks:07}");
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

/// A date and time without fraction or offset, as in `innerError.date`.
pub(super) fn date_time(at: OffsetDateTime) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// An HTTP date.
pub(super) fn http_date(at: OffsetDateTime) -> String {
    let (weekday, month) = (at.weekday().to_string(), at.month().to_string());
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        &weekday[..3],
        at.day(),
        &month[..3],
        at.year(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_series_of_guids() {
        let (mut first, mut again, mut other) = (Ids::new(7), Ids::new(7), Ids::new(8));
        let guid = first.guid();
        assert_eq!(guid, again.guid());
        assert_ne!(guid, other.guid());
        assert_ne!(guid, first.guid());
        assert_eq!(guid.len(), 36);
        assert_eq!(&guid[14..15], "4");
    }

    #[test]
    fn fractions_lose_their_trailing_zeros() {
        assert_eq!(timestamp(EPOCH, 7_884_587), "2026-02-03T08:00:00.7884587");
        assert_eq!(timestamp(EPOCH, 4_210_000), "2026-02-03T08:00:00.421");
        assert_eq!(timestamp(EPOCH, 86), "2026-02-03T08:00:00.0000086");
        assert_eq!(timestamp(EPOCH, 0), "2026-02-03T08:00:00");
    }

    #[test]
    fn http_dates_are_in_the_preferred_form() {
        let at = OffsetDateTime::from_unix_timestamp(784_111_777).unwrap();
        assert_eq!(http_date(at), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
