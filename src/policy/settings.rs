//! What a written standard demands of trails, their destinations and their keys: the table `[settings]` of a policy file.
//!
//! A field that is absent demands nothing, unless said otherwise.

use super::{Answer, Globs, Method, NamedKey};
use crate::timestamp::Timestamp;

/// The demands on settings.
#[derive(Clone, Debug, Default)]
pub struct SettingsPolicy {
    /// The written standard in its own words; every output repeats it.
    pub statement: String,
    /// The accounts that must be covered.
    pub accounts: RequiredAccounts,
    /// The Regions that must be covered; all that are enabled if nothing is said.
    pub regions: Option<RequiredRegions>,
    /// The keys that trails and buckets may name; any customer managed key if nothing is said.
    pub keys: Option<Vec<NamedKey>>,
    /// How old an export may be, in milliseconds.
    pub max_age: Option<i64>,
    /// The first that matches a trail is what is demanded of it.
    pub trails: Vec<TrailDemand>,
    /// What is demanded of destinations.
    pub bucket: BucketDemand,
    /// What is demanded of keys.
    pub key: KeyDemand,
    /// Which service control policies must bind the accounts.
    pub guardrails: Option<GuardrailDemand>,
    /// The only checks that are judged, all others being out of scope; all if nothing is said.
    pub only: Option<Globs>,
    /// Violations that somebody has accepted for a time.
    pub exceptions: Vec<SettingsException>,
}

/// A policy file, as far as it is about settings.
#[derive(Clone, Debug)]
pub struct Standard {
    /// What it calls itself.
    pub name: String,
    /// Its version, free text.
    pub version: String,
    /// The SHA-256 of its text, in hexadecimal.
    pub sha256: String,
    /// Whether it has rules on objects, too.
    pub has_rules: bool,
    /// What it demands of settings.
    pub settings: SettingsPolicy,
}

/// The accounts that must be covered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum RequiredAccounts {
    /// Those that `organizations list-accounts` shows.
    #[default]
    Organization,
    /// These.
    Listed(Vec<String>),
}

/// The Regions that must be covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredRegions {
    /// Regions by their full names: they must be covered wherever they are enabled.
    pub named: Vec<String>,
    /// Patterns for Regions that must be covered where they are enabled.
    pub patterns: Option<Globs>,
}

/// Which trails a demand is about. A condition that is absent always holds.
#[derive(Clone, Debug, Default)]
pub struct TrailScope {
    /// Patterns for the name.
    pub name: Option<Globs>,
    /// Patterns for the account that owns it.
    pub account: Option<Globs>,
    /// Patterns for its home Region.
    pub region: Option<Globs>,
    /// Patterns for its bucket.
    pub bucket: Option<Globs>,
    /// Whether it is an organisation's.
    pub organization: Option<bool>,
}

/// What is demanded of a trail.
#[derive(Clone, Debug)]
pub struct TrailDemand {
    /// The trails that it is about.
    pub scope: TrailScope,
    /// Whether it must name a key.
    pub kms: bool,
    /// Whether it must make digests.
    pub validation: bool,
    /// Whether it must cover all Regions.
    pub multi_region: bool,
    /// The management events that it must log.
    pub management_events: Option<ManagementEvents>,
    /// Whether it must deliver to CloudWatch Logs.
    pub cloudwatch_logs: bool,
    /// Patterns for the buckets that it may deliver to.
    pub destinations: Option<Globs>,
    /// The accounts that may own its bucket.
    pub destination_accounts: Option<Vec<String>>,
    /// How old its last delivery may be, in milliseconds.
    pub delivered_within: Option<i64>,
}

impl Default for TrailDemand {
    fn default() -> Self {
        Self {
            scope: TrailScope::default(),
            kms: true,
            validation: false,
            multi_region: false,
            management_events: None,
            cloudwatch_logs: false,
            destinations: None,
            destination_accounts: None,
            delivered_within: None,
        }
    }
}

/// The management events that a trail must log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagementEvents {
    /// Reads and writes, with nothing left out.
    All,
    /// Writes, with nothing left out.
    Writes,
    /// Some.
    Any,
}

/// What is demanded of a destination.
#[derive(Clone, Debug, Default)]
pub struct BucketDemand {
    /// The methods that its default encryption may have.
    pub default_encryption: Option<Vec<Method>>,
    /// Whether it must refuse requests without TLS.
    pub tls_only: bool,
    /// Whether it must keep versions.
    pub versioning: bool,
    /// Whether it must not be public.
    pub not_public: bool,
    /// Whether what it allows CloudTrail must name the trail or the account.
    pub source_condition: bool,
    /// The Object Lock that it must have.
    pub object_lock: Option<ObjectLock>,
    /// Whether its accesses must be logged.
    pub access_logging: bool,
    /// Whether deleting versions must need a second factor.
    pub mfa_delete: bool,
}

/// A mode of S3 Object Lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectLock {
    /// Some may still delete.
    Governance,
    /// Nobody may.
    Compliance,
}

/// What is demanded of a key.
#[derive(Clone, Debug, Default)]
pub struct KeyDemand {
    /// Who may decrypt; nothing if it is not asked.
    pub decrypt: Option<Vec<AllowedReader>>,
    /// How many days may lie between two rotations at most; nothing if it is not asked.
    pub rotation_days: Option<u32>,
    /// The tags that it must have.
    pub tags: Vec<String>,
}

/// Somebody who may decrypt.
#[derive(Clone, Debug)]
pub struct AllowedReader {
    /// A pattern for the ARN of the principal.
    pub principal: String,
    /// The first moment at which it no longer may.
    pub until: Option<Timestamp>,
}

/// Which service control policies must bind every account but the management account.
#[derive(Clone, Debug)]
pub struct GuardrailDemand {
    /// The actions that must be denied.
    pub deny: Vec<String>,
    /// Patterns for the principals that they need not be denied.
    pub except: Vec<String>,
}

/// Violations of checks that somebody has accepted for a time.
#[derive(Clone, Debug)]
pub struct SettingsException {
    /// Its name in reports.
    pub id: String,
    /// Patterns for the checks that it covers.
    pub checks: Globs,
    /// Patterns for the resources that it covers.
    pub resources: Globs,
    /// Why it was granted.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The first moment at which it no longer holds.
    pub expires: Timestamp,
}

impl SettingsPolicy {
    /// What CIS AWS Foundations asks: any KMS key, validation, all Regions, rotation, no public bucket.
    pub fn cis() -> Self {
        const CHECKS: [&str; 9] = [
            "trail.kms",
            "trail.validation",
            "trail.multi_region",
            "trail.logging",
            "key.rotation",
            "bucket.public",
            "account.*",
            "crosscheck.*",
            "join.*",
        ];
        Self {
            statement: "CIS AWS Foundations Benchmark: trails and their keys".to_owned(),
            trails: vec![TrailDemand { validation: true, multi_region: true, ..TrailDemand::default() }],
            bucket: BucketDemand { not_public: true, ..BucketDemand::default() },
            key: KeyDemand { rotation_days: Some(u32::MAX), ..KeyDemand::default() },
            only: Some(Globs::new(CHECKS)),
            ..Self::default()
        }
    }

    /// What is demanded of a trail: by the first table that is about it.
    pub fn trail_demand(&self, matches: impl Fn(&TrailScope) -> Answer) -> Demanded<'_> {
        for demand in &self.trails {
            match matches(&demand.scope) {
                Answer::Yes => return Demanded::By(demand),
                Answer::Unknown => return Demanded::Unknown,
                Answer::No => {}
            }
        }
        Demanded::Nothing
    }
}

/// What is demanded of a trail.
#[derive(Clone, Copy, Debug)]
pub enum Demanded<'p> {
    /// This.
    By(&'p TrailDemand),
    /// It cannot be told which table is about it.
    Unknown,
    /// No table is about it.
    Nothing,
}

impl AllowedReader {
    /// Whether the permission still holds.
    pub fn holds_at(&self, time: Timestamp) -> bool {
        self.until.is_none_or(|until| time < until)
    }
}
