//! Which operation puts an object right: a total function of what the report says and of what the object should become.
//!
//! What the operations refuse is told in the README. Where the report does not say what decides, the careful choice is
//! taken, and [`Why`] says so.

use serde::{Deserialize, Serialize};

use crate::policy::{BucketKeyDemand, Method, Remediation, Rule, Status};
use crate::timestamp::Timestamp;

/// How a violating object can be put right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// `UpdateObjectEncryption`: the data stays where it is.
    UpdateEncryption,
    /// A copy over itself.
    Copy,
    /// The same, when it has been restored from an archive.
    RestoreThenCopy,
    /// A copy in parts, which Batch Operations does not do.
    MultipartCopy,
    /// Only who owns the key of SSE-C can act.
    OwnerKey,
    /// Object Lock is in the way.
    Blocked,
    /// Nothing says what it should become.
    NoTarget,
}

impl Lane {
    /// All of them, in the order in which a campaign looks at them.
    pub const ALL: [Self; 7] = [
        Self::UpdateEncryption,
        Self::Copy,
        Self::RestoreThenCopy,
        Self::MultipartCopy,
        Self::OwnerKey,
        Self::Blocked,
        Self::NoTarget,
    ];

    /// Its name in reports, and that of its folder.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UpdateEncryption => "update-encryption",
            Self::Copy => "copy",
            Self::RestoreThenCopy => "restore-then-copy",
            Self::MultipartCopy => "multipart-copy",
            Self::OwnerKey => "owner-key",
            Self::Blocked => "blocked",
            Self::NoTarget => "no-target",
        }
    }

    /// Whether its files are manifests for S3 Batch Operations, and not lists for people.
    pub fn has_manifests(self) -> bool {
        matches!(self, Self::UpdateEncryption | Self::Copy | Self::RestoreThenCopy)
    }
}

/// The method that objects should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[expect(missing_docs, reason = "the names of S3")]
pub enum TargetMethod {
    #[serde(rename = "SSE-KMS")]
    SseKms,
    #[serde(rename = "DSSE-KMS")]
    DsseKms,
    #[serde(rename = "SSE-S3")]
    SseS3,
}

/// What objects should become. The key is that of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Target {
    /// The method.
    pub method: TargetMethod,
    /// Whether with a Bucket Key; only SSE-KMS has them.
    pub bucket_key: bool,
}

/// Why nothing says what an object should become.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoTarget {
    /// The policy has no `[remediation]`.
    NoRemediation,
    /// No rule matched, so none says what is right.
    NoRule,
    /// The rule does not allow the key of `[remediation]`.
    KeyNotAllowed,
    /// The rule allows SSE-C only.
    OnlySseC,
}

impl NoTarget {
    /// A few words, none of which needs quotes.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoRemediation => "the policy has no [remediation] with a key",
            Self::NoRule => "no rule says what the object should become",
            Self::KeyNotAllowed => "the rule does not allow the key of [remediation]",
            Self::OnlySseC => "the rule allows nothing but SSE-C",
        }
    }
}

impl Target {
    /// What the objects of a rule should become: the strongest method that the rule allows and that one call can set, under
    /// the key of `[remediation]`.
    pub fn of(rule: Option<&Rule>, remediation: Option<&Remediation>) -> Result<Self, NoTarget> {
        let remediation = remediation.ok_or(NoTarget::NoRemediation)?;
        let rule = rule.ok_or(NoTarget::NoRule)?;
        let allows = |method| rule.encryption.contains(&method);
        let bucket_key = remediation.bucket_key || rule.bucket_key == BucketKeyDemand::Required;
        if (allows(Method::SseKms) || allows(Method::DsseKms)) && !rule.allows_key(&remediation.key) {
            return Err(NoTarget::KeyNotAllowed);
        }
        if allows(Method::SseKms) {
            Ok(Self { method: TargetMethod::SseKms, bucket_key })
        } else if allows(Method::DsseKms) {
            Ok(Self { method: TargetMethod::DsseKms, bucket_key: false })
        } else if allows(Method::SseS3) {
            Ok(Self { method: TargetMethod::SseS3, bucket_key: false })
        } else {
            Err(NoTarget::OnlySseC)
        }
    }
}

/// What the report says of an object, as far as it decides how it can be put right. Absent columns are blank.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stored<'a> {
    /// How it is encrypted.
    pub(crate) status: Status,
    /// The bucket's name.
    pub(crate) bucket: &'a [u8],
    /// The size in bytes.
    pub(crate) size: Option<u64>,
    /// The storage class.
    pub(crate) storage_class: &'a [u8],
    /// The tier of Intelligent-Tiering.
    pub(crate) tier: &'a [u8],
    /// Object Lock.
    pub(crate) lock: Lock<'a>,
}

/// What the report says of Object Lock.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lock<'a> {
    /// `COMPLIANCE` or `GOVERNANCE`.
    pub(crate) mode: &'a [u8],
    /// When the retention ends; nothing if that is blank, and the last moment of all if it cannot be read.
    pub(crate) retain_until: Option<Timestamp>,
    /// `ON` or `OFF`.
    pub(crate) legal_hold: &'a [u8],
    /// `ON` or `OFF`.
    pub(crate) event_hold: &'a [u8],
}

/// A storage class that decides what can be done, or nothing of the kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the names of S3")]
pub enum StorageClass {
    Standard,
    ReducedRedundancy,
    StandardIa,
    OnezoneIa,
    IntelligentTiering,
    GlacierIr,
    Glacier,
    DeepArchive,
    Outposts,
    ExpressOnezone,
    /// Blank, or one that Batch Operations cannot write.
    Other,
}

/// What a report says of the storage class of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassCell(u8);

impl ClassCell {
    /// How many there are.
    pub const COUNT: usize = StorageClass::ALL.len() + 2;
    /// The report has no such column.
    pub const ABSENT: Self = Self(Self::COUNT as u8 - 1);
    const BLANK: Self = Self(Self::COUNT as u8 - 2);

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT as u8).map(Self)
    }

    /// Reads a cell.
    pub fn parse(text: &[u8]) -> Self {
        if text.is_empty() { Self::BLANK } else { Self(StorageClass::parse(text) as u8) }
    }

    /// Its place among all of them.
    pub fn as_index(self) -> usize {
        self.0.into()
    }

    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match StorageClass::ALL.get(self.as_index()) {
            _ if self == Self::BLANK => "(blank)",
            None => "(absent)",
            Some(StorageClass::Other) => "(unrecognised)",
            Some(class) => class.as_str(),
        }
    }
}

impl StorageClass {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Standard,
        Self::ReducedRedundancy,
        Self::StandardIa,
        Self::OnezoneIa,
        Self::IntelligentTiering,
        Self::GlacierIr,
        Self::Glacier,
        Self::DeepArchive,
        Self::Outposts,
        Self::ExpressOnezone,
        Self::Other,
    ];

    /// Reads a cell.
    pub fn parse(text: &[u8]) -> Self {
        Self::ALL.into_iter().find(|class| class.as_str().as_bytes() == text).unwrap_or(Self::Other)
    }

    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::ReducedRedundancy => "REDUCED_REDUNDANCY",
            Self::StandardIa => "STANDARD_IA",
            Self::OnezoneIa => "ONEZONE_IA",
            Self::IntelligentTiering => "INTELLIGENT_TIERING",
            Self::GlacierIr => "GLACIER_IR",
            Self::Glacier => "GLACIER",
            Self::DeepArchive => "DEEP_ARCHIVE",
            Self::Outposts => "OUTPOSTS",
            Self::ExpressOnezone => "EXPRESS_ONEZONE",
            Self::Other => "OTHER",
        }
    }

    /// The class that a copy gets: its own, as far as Batch Operations can write it.
    pub fn of_copy(self) -> Option<Self> {
        match self {
            Self::ReducedRedundancy => Some(Self::Standard),
            Self::Outposts | Self::ExpressOnezone | Self::Other => None,
            class => Some(class),
        }
    }
}

/// Why an object is in its lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Nothing is in the way.
    Plain,
    /// It is archived, and must be restored before it can be copied.
    Archived,
    /// It is in Intelligent-Tiering, and the report does not say whether in an archive tier.
    TierUnknown,
    /// It is larger than a single copy can be.
    Large,
    /// The report does not give its size.
    SizeUnknown,
    /// Batch Operations cannot write its storage class, or it is none that is known.
    ClassNotWritable,
    /// It is encrypted with a key that only its owner has.
    CustomerKey,
    /// Nothing says what it should become.
    NoTarget(NoTarget),
    /// What of Object Lock holds.
    Locked(Holds),
}

/// What of Object Lock is in the way of an object; at least one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Holds {
    /// Retention, and the end of it if that is known.
    pub retention: Option<Retention>,
    /// A legal hold, or a value that we do not know.
    pub legal_hold: bool,
    /// An event hold, or a value that we do not know.
    pub event_hold: bool,
}

/// A retention that holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retention {
    /// Nobody can end it.
    Compliance,
    /// Some may end it.
    Governance,
    /// The report does not say of which kind it is.
    Unknown,
}

impl Why {
    /// Appends a few words for the cell of a list, none of which needs quotes.
    pub fn push_text(self, cell: &mut Vec<u8>) {
        let words = match self {
            Self::Plain => "",
            Self::Archived => "archived",
            Self::TierUnknown => "the tier is not known",
            Self::Large => "larger than 5 GiB",
            Self::SizeUnknown => "the size is not known",
            Self::ClassNotWritable => "Batch Operations cannot write the storage class",
            Self::CustomerKey => "only the owner of the customer key can act",
            Self::NoTarget(why) => why.words(),
            Self::Locked(holds) => return holds.push_text(cell),
        };
        cell.extend_from_slice(words.as_bytes());
    }
}

impl Holds {
    /// Whether the object is free when its retention ends.
    pub fn is_only_retention(self) -> bool {
        self.retention.is_some() && !self.legal_hold && !self.event_hold
    }

    fn push_text(self, cell: &mut Vec<u8>) {
        let retention = self.retention.map(|retention| match retention {
            Retention::Compliance => "compliance retention",
            Retention::Governance => "governance retention",
            Retention::Unknown => "retention of an unknown mode",
        });
        let legal_hold = self.legal_hold.then_some("legal hold");
        let event_hold = self.event_hold.then_some("event hold");
        for (at, words) in [retention, legal_hold, event_hold].into_iter().flatten().enumerate() {
            cell.extend_from_slice(if at > 0 { b"; " } else { b"" });
            cell.extend_from_slice(words.as_bytes());
        }
    }
}

impl Lock<'_> {
    /// What holds at a moment. A date without a mode and a mode without a date hold, and so does a hold whose value is
    /// none that we know.
    fn holds(&self, as_of: Timestamp) -> Option<Holds> {
        let is_over = self.retain_until.is_some_and(|until| until <= as_of);
        let has_retention = !is_over && (self.retain_until.is_some() || !self.mode.is_empty());
        let retention = has_retention.then(|| {
            if self.mode.eq_ignore_ascii_case(b"COMPLIANCE") {
                Retention::Compliance
            } else if self.mode.eq_ignore_ascii_case(b"GOVERNANCE") {
                Retention::Governance
            } else {
                Retention::Unknown
            }
        });
        let is_on = |hold: &[u8]| !(hold.is_empty() || hold.eq_ignore_ascii_case(b"OFF"));
        let holds = Holds { retention, legal_hold: is_on(self.legal_hold), event_hold: is_on(self.event_hold) };
        (holds != Holds::default()).then_some(holds)
    }
}

/// Copies of more than this are made in parts.
const MAX_COPY_SIZE: u64 = 5 << 30;

/// The lane of an object that violates the policy, and why it is that one.
pub(super) fn choose(target: Result<Target, NoTarget>, stored: &Stored<'_>, as_of: Timestamp) -> (Lane, Why) {
    let target = match target {
        Ok(target) => target,
        Err(why) => return (Lane::NoTarget, Why::NoTarget(why)),
    };
    if let Some(holds) = stored.lock.holds(as_of) {
        return (Lane::Blocked, Why::Locked(holds));
    }
    let class = StorageClass::parse(stored.storage_class);
    match stored.status {
        Status::SseC => (Lane::OwnerKey, Why::CustomerKey),
        Status::SseS3 | Status::SseKms if target.method == TargetMethod::SseKms && can_update(stored.bucket, class) => {
            (Lane::UpdateEncryption, Why::Plain)
        }
        _ => choose_copy(stored, class),
    }
}

/// Directory buckets and Outposts do not know the operation.
fn can_update(bucket: &[u8], class: StorageClass) -> bool {
    !bucket.ends_with(b"--x-s3") && !matches!(class, StorageClass::Outposts | StorageClass::ExpressOnezone)
}

fn choose_copy(stored: &Stored<'_>, class: StorageClass) -> (Lane, Why) {
    match (class, stored.tier) {
        (StorageClass::Glacier | StorageClass::DeepArchive, _) => return (Lane::RestoreThenCopy, Why::Archived),
        (StorageClass::IntelligentTiering, b"ARCHIVE" | b"DEEP_ARCHIVE") => {
            return (Lane::RestoreThenCopy, Why::Archived);
        }
        (StorageClass::IntelligentTiering, b"FREQUENT" | b"INFREQUENT" | b"ARCHIVE_INSTANT_ACCESS") => {}
        // A restore that is not needed fails and does no harm.
        (StorageClass::IntelligentTiering, _) => return (Lane::RestoreThenCopy, Why::TierUnknown),
        _ => {}
    }
    match stored.size {
        None => (Lane::MultipartCopy, Why::SizeUnknown),
        Some(size) if size > MAX_COPY_SIZE => (Lane::MultipartCopy, Why::Large),
        Some(_) if class.of_copy().is_none() => (Lane::MultipartCopy, Why::ClassNotWritable),
        Some(_) => (Lane::Copy, Why::Plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1 << 30;
    const FREE: Lock<'_> = Lock { mode: b"", retain_until: None, legal_hold: b"", event_hold: b"" };
    const TO_KMS: Target = Target { method: TargetMethod::SseKms, bucket_key: true };
    const TO_DSSE: Target = Target { method: TargetMethod::DsseKms, bucket_key: false };
    const TO_S3: Target = Target { method: TargetMethod::SseS3, bucket_key: false };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis).expect("in range")
    }

    fn stored(status: Status) -> Stored<'static> {
        Stored { status, bucket: b"logs", size: Some(1), storage_class: b"STANDARD", tier: b"", lock: FREE }
    }

    /// The table of the contract, row by row: the first that fits is the lane.
    fn lane_of_contract(target: Result<Target, NoTarget>, object: &Stored<'_>, as_of: Timestamp) -> Lane {
        let lock = &object.lock;
        let is_locked = match (lock.mode, lock.retain_until) {
            (_, Some(until)) => until > as_of,
            (mode, None) => !mode.is_empty(),
        } || ![&b""[..], b"OFF", b"Off"].contains(&lock.legal_hold)
            || ![&b""[..], b"OFF", b"Off"].contains(&lock.event_hold);
        let is_directory = object.bucket.ends_with(b"--x-s3");
        let is_elsewhere = [&b"OUTPOSTS"[..], b"EXPRESS_ONEZONE"].contains(&object.storage_class);
        let to_kms = target.is_ok_and(|target| target.method == TargetMethod::SseKms);
        let is_archived = [&b"GLACIER"[..], b"DEEP_ARCHIVE"].contains(&object.storage_class)
            || object.storage_class == b"INTELLIGENT_TIERING"
                && ![&b"FREQUENT"[..], b"INFREQUENT", b"ARCHIVE_INSTANT_ACCESS"].contains(&object.tier);
        let batch_writes: [&[u8]; 6] =
            [b"STANDARD", b"REDUCED_REDUNDANCY", b"STANDARD_IA", b"ONEZONE_IA", b"INTELLIGENT_TIERING", b"GLACIER_IR"];
        let table = [
            (target.is_err(), Lane::NoTarget),
            (is_locked, Lane::Blocked),
            (object.status == Status::SseC, Lane::OwnerKey),
            (
                to_kms && [Status::SseS3, Status::SseKms].contains(&object.status) && !is_directory && !is_elsewhere,
                Lane::UpdateEncryption,
            ),
            (is_archived, Lane::RestoreThenCopy),
            (object.size.is_none_or(|size| size > 5 * GIB), Lane::MultipartCopy),
            (!batch_writes.contains(&object.storage_class), Lane::MultipartCopy),
            (true, Lane::Copy),
        ];
        table.into_iter().find(|(fits, _)| *fits).map_or(Lane::Copy, |(_, lane)| lane)
    }

    #[test]
    fn every_combination_has_the_lane_of_the_contract() {
        let as_of = at(1_000_000);
        let targets = [
            Ok(TO_KMS),
            Ok(TO_DSSE),
            Ok(TO_S3),
            Err(NoTarget::NoRemediation),
            Err(NoTarget::NoRule),
            Err(NoTarget::KeyNotAllowed),
            Err(NoTarget::OnlySseC),
        ];
        let modes: [&[u8]; 5] = [b"", b"COMPLIANCE", b"GOVERNANCE", b"Governance", b"NEW"];
        let dates = [None, Some(as_of), Some(at(1_000_001)), Some(Timestamp::MAX)];
        let holds: [&[u8]; 4] = [b"", b"ON", b"Off", b"?"];
        let classes = StorageClass::ALL.map(StorageClass::as_str);
        let classes = classes.iter().map(|class| class.as_bytes()).chain([&b""[..], b"SNOW", b"standard"]);
        let tiers: [&[u8]; 6] = [b"", b"FREQUENT", b"INFREQUENT", b"ARCHIVE_INSTANT_ACCESS", b"ARCHIVE", b"NEW"];
        let sizes = [None, Some(0), Some(5 * GIB), Some(5 * GIB + 1)];
        let mut met = std::collections::BTreeMap::new();
        for storage_class in classes {
            for (target, status) in targets.iter().flat_map(|target| Status::ALL.map(|status| (*target, status))) {
                for (tier, size) in tiers.iter().flat_map(|tier| sizes.map(|size| (*tier, size))) {
                    for (mode, retain_until) in modes.iter().flat_map(|mode| dates.map(|date| (*mode, date))) {
                        for (legal_hold, event_hold) in holds.iter().flat_map(|hold| holds.map(|other| (*hold, other)))
                        {
                            for bucket in [&b"logs"[..], b"logs--use1-az4--x-s3"] {
                                let lock = Lock { mode, retain_until, legal_hold, event_hold };
                                let object = Stored { status, bucket, size, storage_class, tier, lock };
                                let (lane, why) = choose(target, &object, as_of);
                                assert_eq!(lane, lane_of_contract(target, &object, as_of), "{target:?} {object:?}");
                                assert_eq!(matches!(why, Why::Locked(_)), lane == Lane::Blocked);
                                *met.entry(lane).or_insert(0) += 1;
                            }
                        }
                    }
                }
            }
        }
        assert!(Lane::ALL.iter().all(|lane| met[lane] > 1000), "{met:?}");
    }

    #[test]
    fn examples_have_the_lanes_that_people_expect() {
        let as_of = at(1_000_000);
        let lane = |target, object| choose(Ok(target), &object, as_of);
        let archived = Stored { storage_class: b"GLACIER", size: Some(9 * GIB), ..stored(Status::NotSse) };
        let held = Lock { legal_hold: b"ON", ..FREE };
        let retained = Lock { mode: b"COMPLIANCE", retain_until: Some(at(2_000_000)), ..FREE };
        let lapsed = Lock { mode: b"COMPLIANCE", retain_until: Some(as_of), ..FREE };
        let cases = [
            (TO_KMS, stored(Status::SseS3), Lane::UpdateEncryption),
            (
                TO_KMS,
                Stored { size: None, storage_class: b"DEEP_ARCHIVE", ..stored(Status::SseKms) },
                Lane::UpdateEncryption,
            ),
            (TO_KMS, stored(Status::NotSse), Lane::Copy),
            (TO_KMS, stored(Status::DsseKms), Lane::Copy),
            (TO_DSSE, stored(Status::SseKms), Lane::Copy),
            (TO_S3, stored(Status::SseKms), Lane::Copy),
            (TO_KMS, archived, Lane::RestoreThenCopy),
            (TO_KMS, Stored { size: Some(5 * GIB + 1), ..stored(Status::NotSse) }, Lane::MultipartCopy),
            (TO_KMS, Stored { size: None, ..stored(Status::NotSse) }, Lane::MultipartCopy),
            (TO_KMS, stored(Status::SseC), Lane::OwnerKey),
            (TO_KMS, Stored { lock: held, ..stored(Status::SseC) }, Lane::Blocked),
            (TO_KMS, Stored { lock: retained, ..archived }, Lane::Blocked),
            (TO_KMS, Stored { lock: lapsed, ..stored(Status::SseS3) }, Lane::UpdateEncryption),
        ];
        for (target, object, expected) in cases {
            assert_eq!(lane(target, object).0, expected, "{object:?}");
        }
        let holds = Holds { retention: Some(Retention::Compliance), legal_hold: false, event_hold: false };
        assert_eq!(lane(TO_KMS, Stored { lock: retained, ..archived }).1, Why::Locked(holds));
    }
}
