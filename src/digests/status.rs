//! What becomes of a digest and of a log.

/// What is known of a digest. The worse, the later, but for the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DigestStatus {
    /// A signature of its content verifies.
    Verified,
    /// A signature verifies, under a key that may not sign at its time.
    KeyOutOfValidity,
    /// Nothing has the key that it names.
    KeyUnknown,
    /// There is no signature of it.
    Unsigned,
    /// It is there, and cannot be read.
    Unreadable,
    /// Another digest names it, and it is not there.
    Missing,
    /// It lies at another path of its bucket.
    Moved,
    /// It has no content that could be read.
    Malformed,
    /// Its content names another slot.
    Misplaced,
    /// Something follows its gzip member.
    TrailingData,
    /// Two different files claim its slot.
    Conflict,
    /// The digest after it names another hash.
    InvalidHash,
    /// No signature of it verifies.
    InvalidSignature,
}

impl DigestStatus {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Verified,
        Self::KeyOutOfValidity,
        Self::KeyUnknown,
        Self::Unsigned,
        Self::Unreadable,
        Self::Missing,
        Self::Moved,
        Self::Malformed,
        Self::Misplaced,
        Self::TrailingData,
        Self::Conflict,
        Self::InvalidHash,
        Self::InvalidSignature,
    ];

    /// The name in findings and in the summary.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::KeyOutOfValidity => "key_out_of_validity",
            Self::KeyUnknown => "key_unknown",
            Self::Unsigned => "unsigned",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
            Self::Moved => "moved",
            Self::Malformed => "malformed",
            Self::Misplaced => "misplaced",
            Self::TrailingData => "trailing_data",
            Self::Conflict => "conflict",
            Self::InvalidHash => "invalid_hash",
            Self::InvalidSignature => "invalid_signature",
        }
    }

    /// Whether something is wrong, and not only unknown.
    pub fn is_violation(self) -> bool {
        self >= Self::Missing
    }

    /// What its word is worth.
    pub(super) fn trust(self) -> Trust {
        match self {
            // Wherever it lies: its signature verifies.
            Self::Verified | Self::Moved => Trust::Proven,
            Self::KeyOutOfValidity | Self::KeyUnknown | Self::Unsigned => Trust::Unproven,
            _ => Trust::Doubtful,
        }
    }

    /// Whether its period is that of its slot, as far as anybody knows.
    pub(super) fn has_credible_period(self) -> bool {
        self.trust() != Trust::Doubtful || self == Self::TrailingData
    }
}

/// What the word of a digest is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    Proven,
    /// Nothing speaks against it.
    Unproven,
    /// Something does.
    Doubtful,
}

/// What is known of a log. The worse, the later, but for the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogStatus {
    /// Its hash is the one that a verified digest lists.
    Verified,
    /// Nobody has looked at its content.
    Unchecked,
    /// A digest lists it that is outside of the window, and it is not there.
    NotAsked,
    /// No digest lists it, and its time is before or after its chains.
    OutsideChains,
    /// No digest lists it, and its time is not in the window.
    OutsideWindow,
    /// No digest lists it, which was accepted.
    AcceptedUnreferenced,
    /// It is there, and no digest lists it.
    Unreferenced,
    /// Its hash is the one that a digest lists which is not verified.
    UnverifiedDigest,
    /// It is not in the inventory, which may be too old to know it.
    TooNew,
    /// There is no inventory of its bucket.
    NotCoveredByInventory,
    /// It is there, and cannot be read.
    Unreadable,
    /// It is not in the inventory.
    NotInInventory,
    /// It is not there.
    Missing,
    /// It lies at another path of its bucket.
    Moved,
    /// It has no content that could be read.
    Malformed,
    /// Something follows its gzip member.
    TrailingData,
    /// Digests list two hashes for it, or two different files claim its place.
    Conflict,
    /// Its hash is another one.
    HashMismatch,
}

impl LogStatus {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::Verified,
        Self::Unchecked,
        Self::NotAsked,
        Self::OutsideChains,
        Self::OutsideWindow,
        Self::AcceptedUnreferenced,
        Self::Unreferenced,
        Self::UnverifiedDigest,
        Self::TooNew,
        Self::NotCoveredByInventory,
        Self::Unreadable,
        Self::NotInInventory,
        Self::Missing,
        Self::Moved,
        Self::Malformed,
        Self::TrailingData,
        Self::Conflict,
        Self::HashMismatch,
    ];

    /// The name in findings and in the summary.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unchecked => "unchecked",
            Self::NotAsked => "not_asked",
            Self::OutsideChains => "outside_chains",
            Self::OutsideWindow => "outside_window",
            Self::AcceptedUnreferenced => "accepted_unreferenced",
            Self::Unreferenced => "unreferenced",
            Self::UnverifiedDigest => "unverified_digest",
            Self::TooNew => "too_new",
            Self::NotCoveredByInventory => "not_covered_by_inventory",
            Self::Unreadable => "unreadable",
            Self::NotInInventory => "not_in_inventory",
            Self::Missing => "missing",
            Self::Moved => "moved",
            Self::Malformed => "malformed",
            Self::TrailingData => "trailing_data",
            Self::Conflict => "conflict",
            Self::HashMismatch => "hash_mismatch",
        }
    }

    /// Whether something is wrong, and not only unknown.
    pub fn is_violation(self) -> bool {
        self >= Self::NotInInventory
    }

    /// Whether a digest lists such logs.
    pub fn is_listed(self) -> bool {
        !matches!(self, Self::OutsideChains | Self::OutsideWindow | Self::AcceptedUnreferenced | Self::Unreferenced)
    }

    /// Whether each of them has a finding; those that have none are counted.
    pub(super) fn is_finding(self) -> bool {
        !matches!(
            self,
            Self::Verified
                | Self::Unchecked
                | Self::NotAsked
                | Self::OutsideChains
                | Self::OutsideWindow
                | Self::AcceptedUnreferenced
                | Self::NotCoveredByInventory
        )
    }
}

/// How many have each status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StatusTally<const N: usize>([u64; N]);

pub(super) type DigestTally = StatusTally<{ DigestStatus::ALL.len() }>;
pub(super) type LogTally = StatusTally<{ LogStatus::ALL.len() }>;

impl<const N: usize> Default for StatusTally<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<const N: usize> StatusTally<N> {
    pub(super) fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(count, more)| *count += more);
    }

    pub(super) fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl DigestTally {
    pub(super) fn count(&mut self, status: DigestStatus) {
        self.0[status as usize] += 1;
    }

    pub(super) fn get(&self, status: DigestStatus) -> u64 {
        self.0[status as usize]
    }
}

impl LogTally {
    pub(super) fn count(&mut self, status: LogStatus) {
        self.0[status as usize] += 1;
    }

    pub(super) fn get(&self, status: LogStatus) -> u64 {
        self.0[status as usize]
    }

    /// Those that digests list.
    pub(super) fn listed(&self) -> u64 {
        LogStatus::ALL.into_iter().filter(|status| status.is_listed()).map(|status| self.get(status)).sum()
    }
}
