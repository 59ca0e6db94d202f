//! What an audit is about, beside what it found.

use serde::{Deserialize, Serialize};

use crate::assumptions::AssumptionName;
use crate::escape::{escape, hex::hex};
use crate::evidence::EvidenceSummary;
use crate::hashes::sha256::Sha256;
use crate::partial::Partial;
use crate::plan::{Completeness, Format, Plan, Shard, Source, SourceFault, check_newest};
use crate::policy::{Checker, Conditions, Exception, Labels, Rule, Severity, Versions};
use crate::population::{Contradiction, InventoryConfiguration, Population};
use crate::sinks::{FINDINGS_HEADER, List, UNITS_HEADER, push_fault};
use crate::timestamp::Timestamp;

/// What an audit is about, beside what it found. It travels with the partial of a shard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFacts {
    /// The policy.
    pub policy: PolicyFacts,
    /// The text of the policy, as it was read.
    pub policy_text: String,
    /// The exceptions of the policy, in order.
    pub exceptions: Vec<ExceptionFacts>,
    /// The sources, as they were planned.
    pub sources: Vec<SourceFacts>,
    /// What somebody chose to decide which rows are drawn into the sample.
    pub sample_seed: Option<String>,
    /// All units of the plan.
    pub units: u64,
    /// Whether something says what must be covered.
    pub completeness: Completeness,
    /// Whether a result without any object in scope is fine.
    pub allow_empty: bool,
    /// What says which keys objects are encrypted under.
    pub evidence: Option<EvidenceSummary>,
    /// What was said of the population beside the reports.
    pub population: Population,
}

/// The policy, as reports name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PolicyFacts {
    /// What it calls itself.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is for, in its own words; empty if it does not say.
    pub statement: String,
    /// What its results are about, as it says.
    pub labels: Labels,
    /// The name of the file, or `preset:` and a name.
    pub source: String,
    /// The SHA-256 of its text.
    pub sha256: String,
    /// The SHA-256 of what it demands: the same whatever is stated about evidence.
    pub identity: String,
    /// Which versions of an object it is about.
    pub versions: Versions,
    /// Its rules, in order.
    pub rules: Vec<RuleFacts>,
    /// Exceptions that no longer hold.
    pub expired_exceptions: Vec<String>,
    /// What violating objects should become.
    pub remediation: Option<RemediationFacts>,
}

/// What violating objects should become, as reports name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RemediationFacts {
    /// The ARN of the key to encrypt them under.
    pub key: String,
    /// Whether to use a Bucket Key.
    pub bucket_key: bool,
}

/// A rule, as reports name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RuleFacts {
    /// Its id.
    pub id: String,
    /// How bad a violation is.
    pub severity: Severity,
    /// The controls of written standards that it stands for, as the policy says.
    pub controls: Vec<String>,
}

/// An exception from a rule, as reports name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ExceptionFacts {
    /// Its id.
    pub id: String,
    /// The id of the rule whose violations it covers.
    pub rule: String,
    /// The objects that it covers.
    #[serde(rename = "where")]
    pub scope: Conditions,
    /// Why it was granted, as the policy says.
    pub reason: String,
    /// Who answers for it, as the policy says.
    pub owner: String,
    /// The last day on which it holds, in UTC: `2027-03-31`.
    pub expires: String,
    /// How many days it holds after the day of `as_of`; less than nought if it no longer does.
    pub days_left: i64,
}

/// A source, as it was planned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFacts {
    /// Where its manifest was delivered, as far as that is known, else the last parts of its path.
    pub path: String,
    /// The bucket that it is about.
    pub bucket: Option<String>,
    /// Its manifest; nothing for a data file without one, or if it cannot be read.
    pub manifest: Option<ManifestFacts>,
    /// The format of its data files.
    pub format: Format,
    /// When S3 began to list the bucket.
    pub created_at: Option<String>,
    /// Its data files.
    pub files: u64,
    /// Files beside them that the manifest does not name.
    pub ignored_files: u64,
    /// Newer runs that were passed over.
    pub skipped_runs: Vec<String>,
    /// What is wrong with it as a whole: name and sentence.
    pub faults: Vec<(String, String)>,
    /// A number for what its manifest says.
    pub fingerprint: String,
    /// How it is configured, if somebody said so.
    pub configuration: Option<InventoryConfiguration>,
}

/// A manifest, as it was delivered. It is kept in `sources/N/`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ManifestFacts {
    /// The bucket that it was delivered to, as it says itself, escaped.
    pub bucket: Option<String>,
    /// Its key there, as far as that follows from its data files and from the name of its folder, escaped.
    pub key: Option<String>,
    /// The MD5 of its bytes, in hexadecimal: what `manifest.checksum` must say.
    pub md5: String,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
    /// The SHA-256 of `manifest.checksum`, in hexadecimal; nothing if none was kept.
    pub checksum_sha256: Option<String>,
}

impl AuditFacts {
    /// The facts of a plan and a policy; `source` says where the policy is from.
    pub fn new(plan: &Plan, checker: &Checker, source: &str, allow_empty: bool) -> Self {
        let policy = checker.policy();
        Self {
            policy: PolicyFacts::new(checker, source),
            sources: plan.sources().iter().map(SourceFacts::new).collect(),
            policy_text: policy.text.clone(),
            exceptions: ExceptionFacts::all(checker),
            sample_seed: None,
            units: plan.units(Shard::WHOLE).count() as u64,
            completeness: plan.completeness(),
            allow_empty,
            evidence: None,
            population: Population::default(),
        }
    }
}

/// What is wrong with a source as a whole.
pub(crate) struct Noted {
    /// The source, as results call it.
    pub(crate) source: String,
    pub(crate) code: &'static str,
    pub(crate) why: String,
}

impl SourceFacts {
    /// Keeps a fault of it that shows only after its rows were read.
    fn note(&mut self, code: &'static str, why: String) -> Noted {
        self.faults.push((code.to_owned(), why.clone()));
        Noted { source: self.path.clone(), code, why }
    }
}

impl AuditFacts {
    /// Notes what was said of the population, and of each source.
    pub(super) fn take(&mut self, (population, configurations): (Population, Vec<Option<InventoryConfiguration>>)) {
        self.population = population;
        for (source, configuration) in self.sources.iter_mut().zip(configurations) {
            source.configuration = configuration;
        }
    }

    /// Notes as faults of sources what only their rows can show; returns what has been noted. The rows of all shards must be
    /// known.
    pub(crate) fn note_what_rows_show(&mut self, partial: &Partial) -> Vec<Noted> {
        let mut noted = self.note_wrong_times(partial);
        noted.extend(self.note_contradictions(partial));
        noted
    }

    /// Notes each source that is not what its configuration asks for.
    fn note_contradictions(&mut self, partial: &Partial) -> Vec<Noted> {
        let mut noted = Vec::new();
        for (id, source) in self.sources.iter_mut().enumerate() {
            let Some(configuration) = &source.configuration else { continue };
            let read = partial.sources.get(&id).filter(|read| read.files > 0);
            for found in configuration.contradictions(source.format, read.map(|read| read.lacking)) {
                noted.push(source.note(Contradiction::CODE, found.to_string()));
            }
        }
        noted
    }

    /// Notes each source that lists what did not exist when it was made, as it says.
    fn note_wrong_times(&mut self, partial: &Partial) -> Vec<Noted> {
        if partial.terms.assumptions.has(AssumptionName::ManifestTimeAccepted) {
            return Vec::new();
        }
        let mut noted = Vec::new();
        for (id, source) in self.sources.iter_mut().enumerate() {
            let newest = partial.sources.get(&id).and_then(|read| read.newest);
            let made = source.created_at.as_ref().and_then(|made| Timestamp::parse(made.as_bytes()));
            let (Some(newest), Some(made)) = (newest, made) else { continue };
            let newest = Timestamp::from_millis(newest).unwrap_or(Timestamp::MAX);
            if let Err(fault) = check_newest(made, newest) {
                let fault = SourceFault::from(fault);
                source.created_at = None;
                noted.push(source.note(fault.code(), fault.to_string()));
            }
        }
        noted
    }

    /// What a list holds before the lines of its units: a header, or the faults of whole sources.
    pub(crate) fn preamble(&self, list: List) -> Vec<u8> {
        let mut lines = Vec::new();
        match list {
            List::Findings => lines.extend_from_slice(FINDINGS_HEADER.as_bytes()),
            List::Units => lines.extend_from_slice(UNITS_HEADER.as_bytes()),
            List::Faults => {
                let evidence = self.evidence.iter().flat_map(|evidence| &evidence.faults);
                evidence.for_each(|fault| push_fault(&mut lines, &fault.what, &fault.path, None, None, &fault.why));
                for source in &self.sources {
                    source
                        .faults
                        .iter()
                        .for_each(|(what, why)| push_fault(&mut lines, what, &source.path, None, None, why));
                }
            }
        }
        lines
    }

    /// A number for everything that is to be examined, the same on every machine.
    pub fn plan_fingerprint(&self) -> String {
        let mut hasher = Sha256::new();
        self.sources.iter().for_each(|source| hasher.update(&source.fingerprint));
        hex(&hasher.finish())
    }
}

impl PolicyFacts {
    /// What a policy says of itself; `source` says where it is from.
    pub(crate) fn new(checker: &Checker, source: &str) -> Self {
        let policy = checker.policy();
        let facts_of =
            |rule: &Rule| RuleFacts { id: rule.id.clone(), severity: rule.severity, controls: rule.controls.clone() };
        let expired = checker.expired_exceptions().map(|exception| exception.id.clone());
        Self {
            name: policy.name.clone(),
            version: policy.version.clone(),
            statement: policy.statement.clone(),
            labels: policy.labels.clone(),
            source: source.to_owned(),
            sha256: policy.sha256.clone(),
            identity: policy.identity.clone(),
            versions: policy.versions,
            rules: policy.rules.iter().map(facts_of).collect(),
            expired_exceptions: expired.collect(),
            remediation: policy.remediation.as_ref().map(|remediation| RemediationFacts {
                key: remediation.key.as_str().to_owned(),
                bucket_key: remediation.bucket_key,
            }),
        }
    }
}

impl ExceptionFacts {
    /// Those of a policy, in order.
    pub(crate) fn all(checker: &Checker) -> Vec<Self> {
        checker.policy().exceptions.iter().map(|exception| Self::new(exception, checker)).collect()
    }

    fn new(exception: &Exception, checker: &Checker) -> Self {
        let last = exception.last_moment();
        Self {
            id: exception.id.clone(),
            rule: checker.policy().rules[exception.rule.as_index()].id.clone(),
            scope: Conditions::from(&exception.scope),
            reason: exception.reason.clone(),
            owner: exception.owner.clone(),
            expires: last.to_string()[..10].to_owned(),
            days_left: last.day() - checker.as_of().day(),
        }
    }
}

impl SourceFacts {
    fn new(source: &Source) -> Self {
        let why = |fault: &SourceFault| escape(fault.to_string().as_bytes()).into_owned();
        let faults = source.faults.iter().map(|fault| (fault.code().to_owned(), why(fault)));
        Self {
            path: source.name(),
            bucket: source.bucket.as_ref().map(|bucket| escape(bucket.as_bytes()).into_owned()),
            // Noted when it is kept.
            manifest: None,
            format: source.format,
            created_at: source.created_at.map(|time| time.to_string()),
            files: source.file_count(),
            ignored_files: source.ignored_files,
            skipped_runs: source.skipped_runs.clone(),
            faults: faults.collect(),
            fingerprint: source.fingerprint(),
            configuration: None,
        }
    }
}
