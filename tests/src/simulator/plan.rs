//! Which answer gets which fault.

use std::{collections::HashMap, str::FromStr, sync::Arc};

use super::{fault::Fault, ids};

/// The purpose of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Occasion {
    /// It starts an operation.
    Start,
    /// It reads an operation.
    Check,
    /// It reads the target of an operation.
    Target,
    /// It is an envelope of requests: a batch.
    Batch,
    /// It is a request inside a batch, whatever its purpose.
    Item,
}

impl FromStr for Occasion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "start" => Ok(Self::Start),
            "check" => Ok(Self::Check),
            "target" => Ok(Self::Target),
            "batch" => Ok(Self::Batch),
            "item" => Ok(Self::Item),
            _ => Err(format!(
                "unknown occasion `{text}`; known are start, check, target, batch, item"
            )),
        }
    }
}

impl Occasion {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Check => "check",
            Self::Target => "target",
            Self::Batch => "batch",
            Self::Item => "item",
        }
    }
}

#[derive(Clone, Debug)]
enum Rule {
    Nth(u64, Fault),
    Every(u64, Vec<Fault>),
    Random(f64, Vec<Fault>),
}

/// Which answer gets which fault; the first rule that applies decides.
///
/// Answers are counted from one, separately for each operation (its checks), each target (its
/// reads), each subject (its starting requests), each request that is sent in batches and each
/// version (its envelopes), so a plan does not depend on the order in which concurrent requests
/// arrive. Inside a batch a plan for items takes precedence; those for starts, checks and targets
/// apply there too.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    rules: Vec<(Occasion, Rule)>,
    /// What had been counted when the plan was made.
    before: Arc<Counted>,
}

/// How many requests of an occasion there were about a subject.
pub(super) type Counted = HashMap<(Occasion, String), u64>;

impl FaultPlan {
    /// No faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the first answers these faults, in this order.
    #[must_use]
    pub fn sequence(mut self, occasion: Occasion, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.rules.extend((1..).zip(faults).map(|(nth, fault)| (occasion, Rule::Nth(nth, fault))));
        self
    }

    /// Gives the nth answer this fault.
    #[must_use]
    pub fn nth(mut self, occasion: Occasion, nth: u64, fault: Fault) -> Self {
        self.rules.push((occasion, Rule::Nth(nth, fault)));
        self
    }

    /// Gives every kth answer one of these faults, in turn; with a `k` of 1, every answer.
    #[must_use]
    pub fn every(
        mut self,
        occasion: Occasion,
        k: u64,
        faults: impl IntoIterator<Item = Fault>,
    ) -> Self {
        self.rules.push((occasion, Rule::Every(k.max(1), faults.into_iter().collect())));
        self
    }

    /// Gives a random share of the answers (0.0 to 1.0) one of these faults, by the simulator's
    /// seed.
    #[must_use]
    pub fn random(
        mut self,
        occasion: Occasion,
        rate: f64,
        faults: impl IntoIterator<Item = Fault>,
    ) -> Self {
        self.rules.push((occasion, Rule::Random(rate, faults.into_iter().collect())));
        self
    }

    /// Counts from now on.
    pub(super) fn counting_from(mut self, counted: &Counted) -> Self {
        self.before = Arc::new(counted.clone());
        self
    }

    /// The fault of the nth answer about a subject; `salt` makes the random faults of different
    /// operations differ.
    pub(super) fn fault_about(
        &self,
        occasion: Occasion,
        subject: &str,
        nth: u64,
        salt: u64,
    ) -> Option<Fault> {
        let before = if self.before.is_empty() {
            0
        } else {
            self.before.get(&(occasion, subject.to_owned())).copied().unwrap_or(0)
        };
        self.fault(occasion, nth - before.min(nth), salt)
    }

    /// The fault of the nth answer; `salt` makes the random faults of different operations differ.
    fn fault(&self, occasion: Occasion, nth: u64, salt: u64) -> Option<Fault> {
        let rules = self.rules.iter().filter(|(on, _)| *on == occasion);
        rules.enumerate().find_map(|(index, (_, rule))| match rule {
            Rule::Nth(at, fault) => (*at == nth).then(|| fault.clone()),
            Rule::Every(k, faults) => {
                nth.is_multiple_of(*k).then(|| pick(faults, nth / k - 1)).flatten()
            }
            Rule::Random(rate, faults) => {
                let chance =
                    ids::mix(salt ^ ids::mix(nth ^ (index as u64) << 32 ^ (occasion as u64) << 56));
                (ids::share(chance) < *rate).then(|| pick(faults, ids::mix(chance))).flatten()
            }
        })
    }
}

fn pick(faults: &[Fault], number: u64) -> Option<Fault> {
    let index = number.checked_rem(faults.len() as u64)?;
    faults.get(usize::try_from(index).ok()?).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Occasion; 5] =
        [Occasion::Start, Occasion::Check, Occasion::Target, Occasion::Batch, Occasion::Item];

    #[test]
    fn a_sequence_ends_and_a_rotation_does_not() {
        let plan = FaultPlan::new().sequence(Occasion::Check, [Fault::Close, Fault::Cut]).every(
            Occasion::Check,
            4,
            [Fault::BadGateway, Fault::EmptyBody],
        );
        let faults: Vec<_> = (1..=8).map(|nth| plan.fault(Occasion::Check, nth, 0)).collect();
        let none = || None;
        assert_eq!(
            faults,
            [
                Some(Fault::Close),
                Some(Fault::Cut),
                none(),
                Some(Fault::BadGateway),
                none(),
                none(),
                none(),
                Some(Fault::EmptyBody)
            ]
        );
        assert_eq!(plan.fault(Occasion::Start, 1, 0), None);
    }

    #[test]
    fn random_faults_keep_their_rate_and_their_seed() {
        for occasion in ALL {
            let plan = FaultPlan::new().random(occasion, 0.2, Fault::passing());
            let draw =
                |salt| (1..=10_000).map(|nth| plan.fault(occasion, nth, salt)).collect::<Vec<_>>();
            let faulty = draw(7).iter().flatten().count();
            assert!((1_800..2_200).contains(&faulty), "{faulty}");
            assert_eq!(draw(7), draw(7));
            assert_ne!(draw(7), draw(8));
            for fault in Fault::passing() {
                assert!(draw(7).contains(&Some(fault)));
            }
        }
    }

    #[test]
    fn a_plan_without_faults_gives_none() {
        let plan = FaultPlan::new().every(Occasion::Check, 0, []).random(Occasion::Check, 1.0, []);
        assert_eq!(plan.fault(Occasion::Check, 1, 0), None);
    }
}
