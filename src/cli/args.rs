//! What can be typed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use logseal::audit::{DEFAULT_MANIFEST_ROWS, DEFAULT_MAX_GROUPS, DEFAULT_SAMPLE};
use logseal::campaign::{RoleArn, S3Location};
use logseal::evidence::{DEFAULT_JOIN_MEMORY, EvidenceOptions, EvidencePath};
use logseal::finished::Joined;
use logseal::generate;
use logseal::object_key::Account;
use logseal::pack::Again;
use logseal::plan::{Checksums, PlanOptions, Shard};
use logseal::policy::{EvidenceAssumptions, Preset};
use logseal::population::{ConfigurationFile, PopulationOptions};
use logseal::timestamp::Timestamp;
use logseal::work::{Watch, default_jobs};

use super::values::{
    local_folder, local_path, parse_account, parse_age, parse_configuration, parse_evidence, parse_expected,
    parse_hours, parse_jobs, parse_manifest_rows, parse_preset, parse_shard, parse_size, parse_time,
};

/// Check every stored log object's encryption against a policy, offline
///
/// Reads S3 Inventory reports and writes evidence for every object. Exit codes: 0 pass, 1 violations, 2 could not run,
/// 3 incomplete.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Judge every object of inventory reports
    Audit(Box<AuditArgs>),
    /// Prove with digests that CloudTrail logs are complete and untouched
    Digests(DigestsArgs),
    /// Join the outputs of shards
    Merge(MergeArgs),
    /// Say what became of the objects of an audit's manifests, from the reports of jobs
    Reconcile(ReconcileArgs),
    /// Hold a standard against exported settings of trails, buckets and keys
    Settings(Box<SettingsArgs>),
    /// Make a report of a finished audit, to be handed over
    Report(ReportArgs),
    /// Pack a finished audit and its report into one archive that others can check
    Pack(PackArgs),
    /// Check an archive that `pack` made
    VerifyPack(VerifyPackArgs),
    /// Show why one object got its verdict
    Explain(ExplainArgs),
    /// Write or check a policy file
    Policy(PolicyArgs),
    /// Make a synthetic inventory export for benchmarks
    Generate(GenerateArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// What to read
#[derive(Args)]
pub(super) struct SourceArgs {
    /// manifest.json, a folder holding one, a folder of dated runs, or data files (.csv, .csv.gz, .parquet)
    #[arg(required = true, value_name = "SOURCE", value_parser = local_path())]
    pub sources: Vec<PathBuf>,
    /// The run to take from a folder of dated runs, instead of the newest complete one
    #[arg(long, value_name = "2026-01-04T01-00Z")]
    pub run: Option<String>,
    /// The columns of CSV files without a manifest, as its fileSchema would name them
    #[arg(long, value_name = "\"Bucket, Key, ...\"")]
    pub schema: Option<String>,
    /// Do not verify checksums; the result is then never a pass
    #[arg(long)]
    pub no_checksums: bool,
    /// Take two reports of one bucket: no object is in both
    #[arg(long)]
    pub accept_overlap: bool,
    /// Take reports whose creation time is missing or cannot be true: what they say is not about a moment
    #[arg(long)]
    pub accept_manifest_time: bool,
}

impl SourceArgs {
    pub fn plan_options(&self, accept_unproven: bool, today: Timestamp) -> PlanOptions {
        PlanOptions {
            run: self.run.clone(),
            accept_unproven,
            schema: self.schema.clone(),
            checksums: if self.no_checksums { Checksums::Skipped } else { Checksums::Verified },
            accept_overlap: self.accept_overlap,
            accept_manifest_time: self.accept_manifest_time,
            today: Some(today),
        }
    }
}

/// How to read the inventory of a command that judges something else
#[derive(Args)]
pub(super) struct InventoryArgs {
    /// The run of the inventory, instead of the newest complete one
    #[arg(long, value_name = "2026-01-04T01-00Z", requires = "inventory")]
    pub run: Option<String>,
    /// The columns of CSV files without a manifest, as its fileSchema would name them
    #[arg(long, value_name = "\"Bucket, Key, ...\"", requires = "inventory")]
    pub schema: Option<String>,
    /// Accept data files without a manifest; nothing is then said of objects that are not in them
    #[arg(long, requires = "inventory")]
    pub accept_unproven: bool,
    /// Take two reports of one bucket: no object is in both
    #[arg(long, requires = "inventory")]
    pub accept_overlap: bool,
    /// Take reports whose creation time is missing or cannot be true
    #[arg(long, requires = "inventory")]
    pub accept_manifest_time: bool,
}

impl InventoryArgs {
    pub fn into_plan_options(self) -> PlanOptions {
        let Self { run, schema, accept_unproven, accept_overlap, accept_manifest_time } = self;
        let checksums = Checksums::Verified;
        PlanOptions { run, accept_unproven, schema, checksums, accept_overlap, accept_manifest_time, today: None }
    }
}

/// What people see
#[derive(Args)]
pub(super) struct StdoutArgs {
    /// What stdout shows
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Show nothing but errors
    #[arg(long)]
    pub quiet: bool,
}

/// What says which KMS key encrypts each object; S3 Inventory does not
#[derive(Args)]
#[command(next_help_heading = "Key evidence")]
pub(super) struct EvidenceArgs {
    /// Tables of S3 Metadata (Parquet), answers of HeadObject (NDJSON), CloudTrail logs, folders of these; or ARN=PATH for
    /// lists of objects under one key
    #[arg(long, num_args = 1.., value_name = "PATH", value_parser = parse_evidence)]
    pub key_evidence: Vec<String>,
    /// What `aws kms list-aliases` said, for evidence that names aliases
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "key_evidence", value_parser = local_path())]
    pub kms_aliases: Vec<PathBuf>,
    /// When evidence was taken that does not say so itself
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "key_evidence")]
    pub evidence_as_of: Option<Timestamp>,
    /// How much memory the join with the evidence may take
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = parse_size, requires = "key_evidence")]
    pub memory: u64,
    /// Where evidence goes that does not fit into it [default: the output folder]
    #[arg(long, value_name = "DIR", requires = "key_evidence", value_parser = local_folder())]
    pub temp_dir: Option<PathBuf>,
    /// Assume that no object gets another key unseen within this time of a piece of evidence (7d, 36h)
    #[arg(long, value_name = "SPAN", value_parser = parse_age)]
    pub evidence_max_age: Option<i64>,
    /// Assume that the CloudTrail logs given hold every write data event of the buckets; with digests, as far as these prove
    /// that all logs were delivered and read
    #[arg(long, value_enum)]
    pub evidence_logs: Option<Logs>,
    /// Assume that a data key that S3 asked for in an object's name encrypts it
    #[arg(long, value_enum)]
    pub evidence_hints: Option<Hints>,
}

/// What may be assumed of CloudTrail logs
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Logs {
    /// They hold every write data event of the buckets
    Complete,
}

/// What may be assumed of data keys
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Hints {
    /// They encrypt the objects that they were asked for
    Decide,
}

impl EvidenceArgs {
    /// Adds what the options assume to what the policy does.
    pub fn assume(&self, assumptions: &mut EvidenceAssumptions) {
        assumptions.max_age = self.evidence_max_age.or(assumptions.max_age);
        assumptions.logs_are_complete |= self.evidence_logs.is_some();
        assumptions.hints_decide |= self.evidence_hints.is_some();
    }

    pub fn into_options(self) -> Option<EvidenceOptions> {
        let Self { key_evidence, kms_aliases, evidence_as_of, memory, temp_dir, .. } = self;
        let sources: Vec<_> = key_evidence.iter().map(|text| EvidencePath::parse(text)).collect();
        let options = EvidenceOptions { sources, aliases: kms_aliases, as_of: evidence_as_of, memory, temp_dir };
        (!options.sources.is_empty()).then_some(options)
    }
}

/// What no report says of what it covers. None of it can make a pass
#[derive(Args)]
#[command(next_help_heading = "Coverage")]
pub(super) struct PopulationArgs {
    /// What `aws s3api get-bucket-inventory-configuration` printed: prefix filter, versions, fields, schedule. BUCKET=FILE says
    /// of which bucket, where several have a configuration of this name
    #[arg(long, num_args = 1.., value_name = "FILE", value_parser = parse_configuration)]
    pub inventory_config: Vec<ConfigurationFile>,
    /// What `aws organizations list-accounts` printed: names of accounts, and those that are expected
    #[arg(long, num_args = 1.., value_name = "FILE", value_parser = local_path())]
    pub accounts: Vec<PathBuf>,
    /// How many objects a bucket holds as CloudWatch counts them (NumberOfObjects); the difference is a figure
    #[arg(long, num_args = 1.., value_name = "BUCKET=N", value_parser = parse_expected)]
    pub expect_objects: Vec<(String, u64)>,
}

impl PopulationArgs {
    /// Fails where two numbers are given for one bucket.
    pub fn into_options(self) -> Result<PopulationOptions, String> {
        let mut expected_objects = BTreeMap::new();
        for (bucket, count) in self.expect_objects {
            if expected_objects.insert(bucket.clone(), count).is_some_and(|other| other != count) {
                return Err(format!("--expect-objects says two things of {bucket}"));
            }
        }
        Ok(PopulationOptions { configurations: self.inventory_config, accounts: self.accounts, expected_objects })
    }
}

/// CloudTrail digests that are verified as well, as `digests` does it; the inventory shows which logs are still stored
#[derive(Args)]
#[command(next_help_heading = "Digests")]
pub(super) struct DigestsOfAuditArgs {
    /// Folders that mirror buckets, or archives of them: their digests are verified, and count in the outcome
    #[arg(long, num_args = 1.., value_name = "ROOT", requires = "public_keys", value_parser = local_path())]
    pub digests: Vec<PathBuf>,
    /// What `aws cloudtrail list-public-keys` printed, for every Region and the whole time
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "digests", value_parser = local_path())]
    pub public_keys: Vec<PathBuf>,
    /// What `aws s3api head-object` printed, an object a line, with Key added
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "digests", value_parser = local_path())]
    pub metadata: Vec<PathBuf>,
    /// Hash the logs, too
    #[arg(long, requires = "digests")]
    pub logs: bool,
    /// From when on every trail must have digests: 2026-01-31 or 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "digests")]
    pub since: Option<Timestamp>,
    /// Until when every trail must have digests
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "digests")]
    pub until: Option<Timestamp>,
    #[command(flatten)]
    pub accepted: AcceptedArgs,
}

/// What digests need not prove; all of it is repeated in the result
#[derive(Args)]
#[command(next_help_heading = "Digests")]
pub(super) struct AcceptedArgs {
    /// Files in log folders that no digest has to list, by their keys: `*` is any run of characters, `?` is one
    #[arg(long, num_args = 1.., value_name = "PATTERN")]
    pub accept_unreferenced: Vec<String>,
    /// A chain may begin in the window, with a verified digest that names no other
    #[arg(long)]
    pub accept_starts: bool,
    /// A chain may end in the window
    #[arg(long)]
    pub accept_ends: bool,
    /// How long before an inventory was made a log must have been delivered to be in it
    #[arg(long, value_name = "HOURS", default_value = "48h", value_parser = parse_hours)]
    pub inventory_lag: Duration,
}

/// What the jobs that put objects right need and no report tells; what is not given becomes a placeholder
#[derive(Args)]
#[command(next_help_heading = "Remediation")]
pub(super) struct CampaignArgs {
    /// The account that runs the jobs
    #[arg(long, value_name = "111122223333", value_parser = parse_account)]
    pub account_id: Option<Account>,
    /// The role that the jobs assume
    #[arg(long, value_name = "ARN")]
    pub role_arn: Option<RoleArn>,
    /// Where the manifests will be uploaded
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    pub manifest_location: Option<S3Location>,
    /// Where S3 is to write what became of each object
    #[arg(long, value_name = "s3://BUCKET/PREFIX")]
    pub report_location: Option<S3Location>,
    /// Prices and quotas for the plan [default: those of this version]
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    pub prices: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct AuditArgs {
    #[command(flatten)]
    pub sources: SourceArgs,
    /// The policy file [default: the preset cis]
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    pub policy: Option<PathBuf>,
    /// Where to write summary.json, findings.csv and faults.jsonl
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub out: PathBuf,
    /// Replace a finished audit in that folder
    #[arg(long)]
    pub force: bool,
    /// How many workers there are [default: one for each core]
    #[arg(long, value_name = "N", value_parser = parse_jobs)]
    pub jobs: Option<usize>,
    /// Examine only every Mth data file, from the Nth on; `merge` joins the outputs
    #[arg(long, value_name = "N/M", value_parser = parse_shard)]
    pub shard: Option<Shard>,
    /// Accept data files without a manifest; the result is then never a pass
    #[arg(long)]
    pub accept_unproven: bool,
    /// What "today" is for exceptions: 2026-01-31 or 2026-01-31T00:00:00Z [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub as_of: Option<Timestamp>,
    /// A result without any object in scope is fine
    #[arg(long)]
    pub allow_empty: bool,
    /// What is counted by group; without it, only the columns that the policy asks for are read
    #[arg(long, value_enum, default_value_t)]
    pub rollup: Rollup,
    /// How many groups by_account and by_month may have before accounts are no longer told apart
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_GROUPS)]
    pub max_groups: usize,
    #[command(flatten)]
    pub stdout: StdoutArgs,
    /// Show no progress bar
    #[arg(long)]
    pub no_progress: bool,
    #[command(flatten)]
    pub evidence: EvidenceArgs,
    #[command(flatten)]
    pub digests: DigestsOfAuditArgs,
    /// How many rows of each verdict are drawn into sample.csv, and five of each account; 0 draws none
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SAMPLE, value_parser = clap::value_parser!(u32).range(..=1000))]
    pub sample: u32,
    /// What decides which rows are drawn, as an auditor chooses it [default: what the manifests are]
    #[arg(long, value_name = "TEXT")]
    pub sample_seed: Option<String>,
    #[command(flatten)]
    pub population: PopulationArgs,
    #[command(flatten)]
    pub campaign: CampaignArgs,
    /// How many objects a manifest for S3 Batch Operations names at most
    #[arg(
        long,
        value_name = "N",
        default_value_t = DEFAULT_MANIFEST_ROWS,
        value_parser = parse_manifest_rows,
        help_heading = "Remediation"
    )]
    pub manifest_rows: u64,
    /// Re-encrypt SSE-KMS objects whose key is not known, too; doing so twice does no harm
    #[arg(long, help_heading = "Remediation")]
    pub remediate_undetermined: bool,
}

#[derive(Args)]
pub(super) struct DigestsArgs {
    /// Folders that mirror buckets (AWSLogs/..., BUCKET/AWSLogs/...), or archives of them (.tar, .tar.gz, .tar.zst)
    #[arg(required = true, value_name = "ROOT", value_parser = local_path())]
    pub roots: Vec<PathBuf>,
    /// What `aws cloudtrail list-public-keys` printed, for every Region and the whole time
    #[arg(long, required = true, num_args = 1.., value_name = "FILE", value_parser = local_path())]
    pub public_keys: Vec<PathBuf>,
    /// Where to write summary.json and findings.csv
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub out: PathBuf,
    /// What `aws s3api head-object` printed, an object a line, with Key added; FILE.head.json beside a file is found by
    /// itself
    #[arg(long, num_args = 1.., value_name = "FILE", value_parser = local_path())]
    pub metadata: Vec<PathBuf>,
    /// Hash the logs, too
    #[arg(long)]
    pub logs: bool,
    /// From when on every trail must have digests: 2026-01-31 or 2026-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub since: Option<Timestamp>,
    /// Until when every trail must have digests
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub until: Option<Timestamp>,
    /// An inventory of the buckets: logs that digests list and it does not are gone
    #[arg(long, num_args = 1.., value_name = "SOURCE", value_parser = local_path())]
    pub inventory: Vec<PathBuf>,
    #[command(flatten)]
    pub reading: InventoryArgs,
    #[command(flatten)]
    pub accepted: AcceptedArgs,
    /// Replace a finished result in that folder
    #[arg(long)]
    pub force: bool,
    /// How many workers there are [default: one for each core]
    #[arg(long, value_name = "N", value_parser = parse_jobs)]
    pub jobs: Option<usize>,
    /// How much memory records may take
    #[arg(long, value_name = "SIZE", default_value = "128MiB", value_parser = parse_size)]
    pub memory: u64,
    /// Where records go that do not fit into it [default: the output folder]
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub temp_dir: Option<PathBuf>,
    #[command(flatten)]
    pub stdout: StdoutArgs,
    /// Show no progress bar
    #[arg(long)]
    pub no_progress: bool,
}

#[derive(Args)]
pub(super) struct ReportArgs {
    /// The folder of a finished audit
    #[arg(value_name = "DIR", value_parser = local_folder())]
    pub audit: PathBuf,
    /// Write one HTML file that needs no network and no script
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    pub html: Option<PathBuf>,
    /// Replace that file
    #[arg(long)]
    pub force: bool,
    /// How the statement on stdout is written [default: text, or nothing with --html]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<ReportFormat>,
    #[command(flatten)]
    pub joined: JoinedArgs,
}

/// Results that belong to an audit
#[derive(Args)]
pub(super) struct JoinedArgs {
    /// Join the result of `digests`
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub digests: Option<PathBuf>,
    /// Join the result of `settings`
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub settings: Option<PathBuf>,
    /// Join the result of `reconcile`
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub reconcile: Option<PathBuf>,
}

impl JoinedArgs {
    pub fn into_joined(self) -> Joined {
        Joined { digests: self.digests, settings: self.settings, reconciled: self.reconcile }
    }
}

#[derive(Args)]
pub(super) struct PackArgs {
    /// The folder of a finished audit
    #[arg(value_name = "DIR", value_parser = local_folder())]
    pub audit: PathBuf,
    /// The archive to write
    #[arg(long, value_name = "FILE.zip", value_parser = local_path())]
    pub out: PathBuf,
    /// Replace that file
    #[arg(long)]
    pub force: bool,
    /// How findings are packed: they can be far larger than all else
    #[arg(long, value_name = "FORM", default_value = "csv")]
    pub findings: PackedFindings,
    /// Sign the statement for pipelines with this private key: PKCS#8 as PEM, Ed25519 or ECDSA P-256
    #[arg(long, value_name = "KEY.pem", value_parser = local_path())]
    pub attest: Option<PathBuf>,
    #[command(flatten)]
    pub joined: JoinedArgs,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum PackedFindings {
    /// As CSV, compressed
    Csv,
    /// As a table, for engines
    Parquet,
    /// Both
    Both,
    /// Not at all
    None,
}

#[derive(Args)]
pub(super) struct VerifyPackArgs {
    /// The archive, or the folder that it was unpacked to
    #[arg(value_name = "PACK", value_parser = local_path())]
    pub pack: PathBuf,
    /// Who may sign: a file of allowed signers of OpenSSH
    #[arg(long, value_name = "FILE", requires = "identity", value_parser = local_path())]
    pub allowed_signers: Option<PathBuf>,
    /// Whom the signature must be of
    #[arg(long, value_name = "NAME", requires = "allowed_signers")]
    pub identity: Option<String>,
    /// The public key in PEM that the statement for pipelines must be signed with
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    pub attestation_key: Option<PathBuf>,
    #[command(flatten)]
    pub again: AgainArgs,
}

/// What the audit was made from, in the same order: it is run again, as the pack says that it was done, and must give the same
#[derive(Args)]
#[command(next_help_heading = "Run again")]
pub(super) struct AgainArgs {
    /// The sources of the audit
    #[arg(long, num_args = 1.., value_name = "SOURCE", value_parser = local_path())]
    pub sources: Vec<PathBuf>,
    /// The run that was taken from a folder of dated runs
    #[arg(long, value_name = "2026-01-04T01-00Z", requires = "sources")]
    pub run: Option<String>,
    /// The columns of CSV files without a manifest
    #[arg(long, value_name = "\"Bucket, Key, ...\"", requires = "sources")]
    pub schema: Option<String>,
    /// The audit did not verify checksums
    #[arg(long, requires = "sources")]
    pub no_checksums: bool,
    /// How many groups the audit could tell apart
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MAX_GROUPS, requires = "sources")]
    pub max_groups: usize,
    /// The key evidence that the audit had
    #[arg(long, num_args = 1.., value_name = "PATH", value_parser = parse_evidence, requires = "sources")]
    pub key_evidence: Vec<String>,
    /// What `aws kms list-aliases` said
    #[arg(long, num_args = 1.., value_name = "FILE", requires = "key_evidence", value_parser = local_path())]
    pub kms_aliases: Vec<PathBuf>,
    /// When evidence was taken that does not say so itself
    #[arg(long, value_name = "TIME", value_parser = parse_time, requires = "key_evidence")]
    pub evidence_as_of: Option<Timestamp>,
    /// How many workers there are [default: one for each core]
    #[arg(long, value_name = "N", value_parser = parse_jobs, requires = "sources")]
    pub jobs: Option<usize>,
}

impl AgainArgs {
    /// Nothing if no sources are given.
    pub fn into_again(self, watch: Watch<'_>) -> Option<Again<'_>> {
        let evidence = EvidenceOptions {
            sources: self.key_evidence.iter().map(|text| EvidencePath::parse(text)).collect(),
            aliases: self.kms_aliases,
            as_of: self.evidence_as_of,
            memory: DEFAULT_JOIN_MEMORY,
            temp_dir: None,
        };
        (!self.sources.is_empty()).then(|| Again {
            sources: self.sources,
            run: self.run,
            schema: self.schema,
            checksums: if self.no_checksums { Checksums::Skipped } else { Checksums::Verified },
            max_groups: self.max_groups,
            evidence: (!evidence.sources.is_empty()).then_some(evidence),
            jobs: self.jobs.unwrap_or_else(default_jobs),
            watch,
        })
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum ReportFormat {
    /// At most 80 columns wide
    Text,
    /// At most 40 lines, for a ticket
    Markdown,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct SettingsArgs {
    #[command(subcommand)]
    pub command: Option<SettingsCommand>,
    #[command(flatten)]
    pub run: SettingsRunArgs,
}

#[derive(Subcommand)]
pub(super) enum SettingsCommand {
    /// Print a POSIX shell script that makes an export with the AWS command line
    Script,
}

#[derive(Args)]
pub(super) struct SettingsRunArgs {
    /// Exports: folders or files of answers of the AWS command line, AWS Config, or findings of other tools
    #[arg(required = true, value_name = "EXPORT", value_parser = local_path())]
    pub exports: Vec<PathBuf>,
    /// A policy file with [settings] [default: what CIS AWS Foundations asks]
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    pub policy: Option<PathBuf>,
    /// Where to write summary.json, settings.csv, trails.csv and decryptors.csv
    #[arg(long, required = true, value_name = "DIR", value_parser = local_folder())]
    pub out: Option<PathBuf>,
    /// What "now" means for ages and exceptions [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub as_of: Option<Timestamp>,
    /// The folder of a finished audit of the objects: which buckets, keys and accounts it saw
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub audit: Option<PathBuf>,
    /// When exports were made that do not say so
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub as_of_export: Option<Timestamp>,
    /// Another list of the controls that checks answer
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    pub frameworks: Option<PathBuf>,
    /// Replace a finished result in that folder
    #[arg(long)]
    pub force: bool,
    /// How many workers there are [default: one for each core]
    #[arg(long, value_name = "N", value_parser = parse_jobs)]
    pub jobs: Option<usize>,
    #[command(flatten)]
    pub stdout: StdoutArgs,
    /// Show no progress bar
    #[arg(long)]
    pub no_progress: bool,
}

#[derive(Args)]
pub(super) struct MergeArgs {
    /// Folders written by `audit --shard`
    #[arg(required = true, value_name = "DIR", value_parser = local_path())]
    pub folders: Vec<PathBuf>,
    /// Where to write the whole
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub out: PathBuf,
    /// Replace a finished audit in that folder
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub stdout: StdoutArgs,
    #[command(flatten)]
    pub campaign: CampaignArgs,
}

#[derive(Args)]
pub(super) struct ReconcileArgs {
    /// The folder that `audit` or `merge` wrote
    #[arg(value_name = "AUDIT_DIR", value_parser = local_path())]
    pub audit: PathBuf,
    /// Completion reports of S3 Batch Operations, or folders with them
    #[arg(long, required = true, num_args = 1.., value_name = "PATH", value_parser = local_path())]
    pub reports: Vec<PathBuf>,
    /// Where to write reconcile.json and the manifests for a retry
    #[arg(long, value_name = "DIR", value_parser = local_folder())]
    pub out: PathBuf,
    /// A later inventory, which shows how the objects are stored now
    #[arg(long, num_args = 1.., value_name = "SOURCE", value_parser = local_path())]
    pub inventory: Vec<PathBuf>,
    /// The policy file of the audit [default: the preset cis]
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    pub policy: Option<PathBuf>,
    /// Objects that a whole later inventory does not list are gone: it lists all that the audit was about
    #[arg(long, requires = "inventory")]
    pub accept_gone: bool,
    #[command(flatten)]
    pub reading: InventoryArgs,
    #[command(flatten)]
    pub evidence: EvidenceArgs,
    /// Replace a finished reconciliation in that folder
    #[arg(long)]
    pub force: bool,
    /// How many workers read the later inventory [default: one for each core]
    #[arg(long, value_name = "N", value_parser = parse_jobs)]
    pub jobs: Option<usize>,
    /// How many objects a manifest for S3 Batch Operations names at most
    #[arg(long, value_name = "N", default_value_t = DEFAULT_MANIFEST_ROWS, value_parser = parse_manifest_rows)]
    pub manifest_rows: u64,
    #[command(flatten)]
    pub stdout: StdoutArgs,
}

#[derive(Args)]
pub(super) struct ExplainArgs {
    /// Instead of an object: the folder that `settings` wrote to, a resource of settings.csv, and perhaps one check
    #[arg(long, num_args = 2..=3, value_names = ["DIR", "RESOURCE", "CHECK"], exclusive = true)]
    pub settings: Option<Vec<String>>,
    #[command(flatten)]
    pub sources: SourceArgs,
    /// The object's key, with \xNN for a byte and \\ for a backslash, as findings.csv writes it behind a guarding '
    #[arg(long, required = true, allow_hyphen_values = true)]
    pub key: Option<String>,
    /// The object's bucket [default: any]
    #[arg(long, allow_hyphen_values = true)]
    pub bucket: Option<String>,
    /// The object's version, `null` for the null version [default: all]
    #[arg(long, allow_hyphen_values = true)]
    pub version_id: Option<String>,
    /// The policy file [default: the preset cis]
    #[arg(long, value_name = "FILE", value_parser = local_path())]
    pub policy: Option<PathBuf>,
    /// What "today" is for exceptions [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    pub as_of: Option<Timestamp>,
    #[command(flatten)]
    pub evidence: EvidenceArgs,
}

#[derive(Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    pub command: PolicyCommand,
}

#[derive(Subcommand)]
pub(super) enum PolicyCommand {
    /// Print a commented policy to begin with
    Init {
        /// The policy to begin with
        #[arg(long, value_name = "NAME", default_value = "cis", value_parser = parse_preset)]
        preset: Preset,
        /// The ARNs of the keys that `cmk` allows
        #[arg(long = "key", value_name = "ARN", num_args = 1..)]
        keys: Vec<String>,
    },
    /// Say what is wrong with a policy file, and where
    Check {
        /// The policy file
        file: PathBuf,
    },
}

#[derive(Args)]
pub(super) struct GenerateArgs {
    /// Where to write; must not hold an export yet
    pub out: PathBuf,
    /// How many rows to make
    #[arg(long, value_name = "N")]
    pub rows: u64,
    /// How many data files to make
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub files: u32,
    /// The format of the data files
    #[arg(long, value_enum, default_value_t)]
    pub format: ExportFormat,
    /// How hard CSV files are compressed, 1 to 9: 1 is fastest, 6 is what AWS's files look like
    #[arg(long, value_name = "LEVEL", default_value_t = generate::Options::default().gzip_level)]
    pub gzip_level: u32,
    /// What everything follows from
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// The share of CloudTrail logs that violate the preset cis
    #[arg(long, value_name = "SHARE", default_value_t = 0.02)]
    pub violations: f64,
    /// Put violating objects together instead of everywhere
    #[arg(long)]
    pub clustered: bool,
    /// How many accounts there are
    #[arg(long, value_name = "N", default_value_t = generate::Options::default().accounts)]
    pub accounts: u32,
    /// How many Regions there are
    #[arg(long, value_name = "N", default_value_t = generate::Options::default().regions)]
    pub regions: u32,
    /// How many years the logs span
    #[arg(long, value_name = "N", default_value_t = generate::Options::default().years)]
    pub years: u32,
    /// How many files to make at once [default: one for each core]
    #[arg(long, value_name = "N", value_parser = parse_jobs)]
    pub jobs: Option<usize>,
}

impl GenerateArgs {
    pub fn options(&self) -> generate::Options {
        generate::Options {
            rows: self.rows,
            files: self.files,
            format: match self.format {
                ExportFormat::Csv => generate::Format::Csv,
                ExportFormat::Parquet => generate::Format::Parquet,
                ExportFormat::Both => generate::Format::Both,
            },
            gzip_level: self.gzip_level,
            seed: self.seed,
            violations: self.violations,
            spread: if self.clustered { generate::Spread::Clustered } else { generate::Spread::Scattered },
            accounts: self.accounts,
            regions: self.regions,
            years: self.years,
            jobs: self.jobs.unwrap_or_else(logseal::work::default_jobs),
        }
    }
}

/// What stdout shows.
#[derive(Clone, Copy, Default, ValueEnum)]
pub(super) enum Format {
    /// A summary for people
    #[default]
    Text,
    /// summary.json, or reconcile.json
    Json,
}

/// What is counted by group.
#[derive(Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Rollup {
    /// Objects by account and by month
    #[default]
    Full,
    /// Nothing
    None,
}

/// The format of an export.
#[derive(Clone, Copy, Default, ValueEnum)]
pub(super) enum ExportFormat {
    Csv,
    Parquet,
    #[default]
    Both,
}
