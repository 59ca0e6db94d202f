//! Sums of objects. They stop at the largest number instead of wrapping.

use serde::{Deserialize, Serialize};

use crate::policy::Verdict;

/// Objects and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Amount {
    /// How many objects.
    pub objects: u64,
    /// The sum of their sizes.
    pub bytes: u64,
}

/// Objects by verdict, in the order of [`Verdict`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdicts([u64; 5]);

impl Amount {
    /// One object of this size.
    pub fn object(bytes: u64) -> Self {
        Self { objects: 1, bytes }
    }

    /// Adds, and stops at the largest number.
    pub fn add(&mut self, other: Self) {
        self.objects = self.objects.saturating_add(other.objects);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

impl Verdicts {
    /// The number for a verdict.
    pub fn get(&self, verdict: Verdict) -> u64 {
        self.0[verdict as usize]
    }

    pub(crate) fn count(&mut self, verdict: Verdict, number: u64) {
        let sum = &mut self.0[verdict as usize];
        *sum = sum.saturating_add(number);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, number) in self.0.iter_mut().zip(other.0) {
            *sum = sum.saturating_add(number);
        }
    }
}
