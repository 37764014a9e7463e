//! The rate of a saved set.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::protocol::elapsed::Elapsed;
use crate::protocol::rate::{Bucket, RateLimit, Reservation};
use crate::protocol::recovery::Recovery;
use crate::protocol::saved::is_default;

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedLimit {
    pub(super) rate: u32,
    tokens: u64,
    /// How long ago these were counted.
    age: Elapsed,
    #[serde(default, skip_serializing_if = "is_default")]
    recovery: Option<SavedRecovery>,
}

impl SavedLimit {
    pub(super) fn of(limit: &RateLimit, now: Instant) -> Self {
        let mut shared = limit.lock();
        let (_, now) = shared.elapsed(now);
        let bucket = &shared.bucket;
        // A full bucket stays full.
        let full = bucket.tokens == Bucket::new(bucket.rate, now).tokens;
        SavedLimit {
            rate: bucket.rate,
            tokens: bucket.tokens,
            age: if full { Elapsed::ZERO } else { now.minus(bucket.updated) },
            recovery: SavedRecovery::of(&bucket.recovery, now),
        }
    }

    pub(super) fn restored(self, now: Instant) -> RateLimit {
        let limit = RateLimit::new(self.rate);
        let mut shared = limit.lock();
        let (_, now) = shared.elapsed(now);
        let bucket = &mut shared.bucket;
        bucket.tokens = self.tokens.min(bucket.tokens);
        bucket.updated = now.minus(self.age);
        if let Some(recovery) = self.recovery {
            bucket.recovery = recovery.restored(now);
        }
        drop(shared);
        limit
    }
}

/// How long ago a setting was lowered, and to which level.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedRecovery {
    level: u64,
    refused: Elapsed,
    halved: Elapsed,
}

impl SavedRecovery {
    /// `None` if the setting was never lowered.
    pub(super) fn of(recovery: &Recovery, now: Elapsed) -> Option<Self> {
        let halved = now.minus(recovery.halved?);
        Some(SavedRecovery { level: recovery.level, refused: now.minus(recovery.refused), halved })
    }

    pub(super) fn restored(self, now: Elapsed) -> Recovery {
        let unlowered = Recovery::new();
        Recovery {
            level: self.level.min(unlowered.level),
            refused: now.minus(self.refused),
            halved: Some(now.minus(self.halved)),
        }
    }
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct SavedReservation {
    count: u32,
    left: Elapsed,
    /// How long ago its time was.
    #[serde(default, skip_serializing_if = "is_default")]
    late: Elapsed,
}

impl SavedReservation {
    pub(super) fn of(reservation: Option<&Reservation>, now: Instant) -> Option<Self> {
        let reservation = reservation?;
        let count = u32::try_from(reservation.count()).ok()?;
        let at = reservation.at();
        let (left, late) = (Elapsed::since(now, at), Elapsed::since(at, now));
        Some(SavedReservation { count, left, late })
    }

    pub(super) fn restored(self, limit: &RateLimit, now: Instant) -> Reservation {
        let at = now.checked_add(self.left.into()).unwrap_or(now);
        limit.resume(self.count, at.checked_sub(self.late.into()).unwrap_or(at))
    }
}
