//! The rank of a row: what decides whether it is drawn.
//!
//! A rank is a hash of where the row stands, under a key: never of its name, which others choose who could then dodge it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::escape::hex::hex;
use crate::hashes::sha256::Sha256;

/// What ranks are made from: the SHA-256 of a text that somebody chose, or of what the manifests are.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SampleKey(String);

impl SampleKey {
    /// The key of a text.
    pub fn of(text: &str) -> Self {
        Self(hex(&Sha256::of(text)))
    }

    /// The key, in hexadecimal.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ranks of the rows of a file; sources and files count from nought.
    pub(crate) fn of_file(&self, source: usize, file: u32) -> FileRanks {
        let hash = Sha256::of(format!("{} {source} {file}", self.0));
        let word = |from: usize| hash[from..from + 8].iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        FileRanks([word(0), word(8)])
    }
}

impl fmt::Debug for SampleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ranks of the rows of a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileRanks([u64; 2]);

impl FileRanks {
    /// The rank of a row: each is as likely as any other, and tells nothing of its neighbours'.
    #[inline]
    pub(crate) fn rank(self, row: u64) -> u64 {
        // After one product alone neighbours would differ by a constant.
        fold(fold(row ^ self.0[0], self.0[1] | 1) ^ self.0[1], 0x9e37_79b9_7f4a_7c15)
    }
}

/// Both halves of the product.
#[inline]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Under 10,000 keys, each of 200 rows is among the ten lowest about as often as any other, and so is each pair of
    /// neighbours.
    #[test]
    fn every_row_and_every_pair_of_neighbours_has_its_share() {
        const ROWS: usize = 200;
        const DRAWN: usize = 10;
        const KEYS: usize = 10_000;
        let (mut rows, mut pairs) = ([0_u32; ROWS], 0_u32);
        for key in 0..KEYS {
            let ranks = SampleKey::of(&key.to_string()).of_file(key % 3, key as u32 % 7);
            let mut order: Vec<usize> = (0..ROWS).collect();
            order.sort_by_key(|row| ranks.rank(*row as u64 + 1_000_000));
            let mut drawn = order[..DRAWN].to_vec();
            drawn.iter().for_each(|row| rows[*row] += 1);
            drawn.sort_unstable();
            pairs += drawn.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count() as u32;
        }
        // Rows are drawn without replacement, which makes their counts vary a little less.
        let share = (KEYS * DRAWN) as f64 / ROWS as f64;
        let spread = share * (1.0 - DRAWN as f64 / ROWS as f64);
        let chi_square: f64 = rows.iter().map(|count| (f64::from(*count) - share).powi(2) / spread).sum();
        // 199 degrees of freedom: one in 10,000 is beyond 280, and one in 10,000 below 133.
        assert!((133.0..280.0).contains(&chi_square), "{chi_square}");
        let expected = KEYS as f64 * DRAWN as f64 * (DRAWN as f64 - 1.0) / ROWS as f64;
        assert!((f64::from(pairs) - expected).abs() < 5.0 * expected.sqrt(), "{pairs} of {expected}");
    }

    #[test]
    fn ranks_stay_what_they_are() {
        let ranks = SampleKey::of("seed").of_file(1, 2);
        let expected = [1_u64, 2, u64::MAX].map(|row| ranks.rank(row));
        assert_eq!(expected, [8_732_005_925_325_595_303, 10_530_233_833_949_839_145, 15_526_688_826_076_192_424]);
    }
}
