//! The table `[settings]` of a policy file.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use toml::value::Datetime;

use super::checked::{Checked, GlobsEntry, check_globs, check_last_day, check_span, named_key, wrong};
use super::settings::{
    AllowedReader, BucketDemand, GuardrailDemand, KeyDemand, ManagementEvents, ObjectLock, RequiredAccounts,
    RequiredRegions, SettingsPolicy, TrailDemand, TrailScope,
};
use super::{Globs, Method, NamedKey};
use crate::object_key::Account;

/// The table as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsEntry {
    #[serde(default)]
    statement: String,
    accounts: Option<Spanned<AccountsEntry>>,
    regions: Option<GlobsEntry>,
    keys: Option<Spanned<Vec<Spanned<String>>>>,
    max_age: Option<Spanned<String>>,
    trail: Option<TrailEntries>,
    #[serde(default)]
    bucket: BucketEntry,
    #[serde(default)]
    key: KeyEntry,
    guardrails: Option<GuardrailEntry>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "\"organization\" or a list of account ids")]
enum AccountsEntry {
    Word(String),
    Ids(Vec<String>),
}

struct TrailEntries(Vec<TrailEntry>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TrailEntry {
    #[serde(default)]
    r#where: ScopeEntry,
    #[serde(default)]
    kms: KmsEntry,
    #[serde(default)]
    validation: bool,
    #[serde(default)]
    multi_region: bool,
    management_events: Option<EventsEntry>,
    #[serde(default)]
    cloudwatch_logs: bool,
    destinations: Option<GlobsEntry>,
    destination_accounts: Option<Spanned<Vec<String>>>,
    delivered_within: Option<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeEntry {
    name: Option<GlobsEntry>,
    account: Option<GlobsEntry>,
    region: Option<GlobsEntry>,
    bucket: Option<GlobsEntry>,
    organization: Option<bool>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KmsEntry {
    #[default]
    Required,
    Optional,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EventsEntry {
    All,
    Writes,
    Any,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BucketEntry {
    default_encryption: Option<Spanned<Vec<Method>>>,
    #[serde(default)]
    tls_only: bool,
    #[serde(default)]
    versioning: bool,
    public: Option<bool>,
    #[serde(default)]
    source_condition: bool,
    object_lock: Option<LockEntry>,
    #[serde(default)]
    access_logging: bool,
    #[serde(default)]
    mfa_delete: bool,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LockEntry {
    Any,
    Governance,
    Compliance,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    decrypt: Option<Vec<Spanned<ReaderEntry>>>,
    rotation: Option<Spanned<String>>,
    #[serde(default)]
    tags: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "the ARN of a principal, or { principal = \"...\", until = DATE }")]
enum ReaderEntry {
    Arn(String),
    Table(ReaderTable),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReaderTable {
    principal: String,
    until: Option<Datetime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuardrailEntry {
    deny: Spanned<Vec<String>>,
    #[serde(default)]
    except: Vec<String>,
}

/// One table or several, with the place of everything in them.
impl<'de> Deserialize<'de> for TrailEntries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Tables;
        impl<'de> Visitor<'de> for Tables {
            type Value = TrailEntries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one table [settings.trail], or several [[settings.trail]]")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Ok(TrailEntries(vec![TrailEntry::deserialize(MapAccessDeserializer::new(map))?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(TrailEntries)
            }
        }
        deserializer.deserialize_any(Tables)
    }
}

/// The table, with the place of it.
pub(super) fn check(entry: SettingsEntry, keys: &BTreeMap<String, NamedKey>) -> Checked<SettingsPolicy> {
    let trails = match entry.trail {
        Some(TrailEntries(entries)) => entries.into_iter().map(check_trail).collect::<Checked<Vec<_>>>()?,
        None => vec![TrailDemand::default()],
    };
    Ok(SettingsPolicy {
        statement: entry.statement,
        accounts: check_accounts(entry.accounts)?,
        regions: check_globs_or_names(entry.regions)?,
        keys: check_keys(entry.keys, keys)?,
        max_age: entry.max_age.as_ref().map(check_span).transpose()?,
        trails,
        bucket: check_bucket(entry.bucket)?,
        key: check_key(entry.key)?,
        guardrails: entry.guardrails.map(check_guardrails).transpose()?,
        only: None,
        exceptions: Vec::new(),
    })
}

fn check_accounts(entry: Option<Spanned<AccountsEntry>>) -> Checked<RequiredAccounts> {
    let Some(entry) = entry else { return Ok(RequiredAccounts::Organization) };
    let span = entry.span();
    match entry.into_inner() {
        AccountsEntry::Word(word) if word == "organization" => Ok(RequiredAccounts::Organization),
        AccountsEntry::Ids(ids) => Ok(RequiredAccounts::Listed(check_ids(&Spanned::new(span, ids))?)),
        AccountsEntry::Word(_) => wrong(span, "neither \"organization\" nor a list of account ids"),
    }
}

fn check_ids(ids: &Spanned<Vec<String>>) -> Checked<Vec<String>> {
    if ids.as_ref().is_empty() {
        return wrong(ids.span(), "the list is empty");
    }
    match ids.as_ref().iter().find(|id| Account::parse(id.as_bytes()).is_none()) {
        Some(bad) => wrong(ids.span(), format!("not the id of an account (12 digits): {bad}")),
        None => Ok(ids.as_ref().clone()),
    }
}

fn check_globs_or_names(entry: Option<GlobsEntry>) -> Checked<Option<RequiredRegions>> {
    let Some(entry) = entry else { return Ok(None) };
    let texts: Vec<String> = entry.as_ref().iter().map(|text| text.as_ref().clone()).collect();
    check_globs(Some(entry))?;
    let (patterns, named): (Vec<String>, Vec<String>) = texts.into_iter().partition(|text| text.contains(['*', '?']));
    let patterns = (!patterns.is_empty()).then(|| Globs::new(patterns.iter().map(String::as_str)));
    Ok(Some(RequiredRegions { named, patterns }))
}

fn check_keys(
    names: Option<Spanned<Vec<Spanned<String>>>>,
    keys: &BTreeMap<String, NamedKey>,
) -> Checked<Option<Vec<NamedKey>>> {
    match names {
        None => Ok(None),
        Some(names) if names.as_ref().is_empty() => {
            wrong(names.span(), "the list is empty: leave `keys` out to allow any customer managed key")
        }
        Some(names) => names.as_ref().iter().map(|name| named_key(name, keys)).collect::<Checked<Vec<_>>>().map(Some),
    }
}

fn check_trail(entry: TrailEntry) -> Checked<TrailDemand> {
    let scope = TrailScope {
        name: check_globs(entry.r#where.name)?,
        account: check_globs(entry.r#where.account)?,
        region: check_globs(entry.r#where.region)?,
        bucket: check_globs(entry.r#where.bucket)?,
        organization: entry.r#where.organization,
    };
    Ok(TrailDemand {
        scope,
        kms: matches!(entry.kms, KmsEntry::Required),
        validation: entry.validation,
        multi_region: entry.multi_region,
        management_events: entry.management_events.map(|events| match events {
            EventsEntry::All => ManagementEvents::All,
            EventsEntry::Writes => ManagementEvents::Writes,
            EventsEntry::Any => ManagementEvents::Any,
        }),
        cloudwatch_logs: entry.cloudwatch_logs,
        destinations: check_globs(entry.destinations)?,
        destination_accounts: entry.destination_accounts.as_ref().map(check_ids).transpose()?,
        delivered_within: entry.delivered_within.as_ref().map(check_span).transpose()?,
    })
}

fn check_bucket(entry: BucketEntry) -> Checked<BucketDemand> {
    if let Some(methods) = entry.default_encryption.as_ref().filter(|methods| methods.as_ref().is_empty()) {
        return wrong(methods.span(), "the list is empty: no bucket could comply");
    }
    Ok(BucketDemand {
        default_encryption: entry.default_encryption.map(Spanned::into_inner),
        tls_only: entry.tls_only,
        versioning: entry.versioning,
        not_public: entry.public == Some(false),
        source_condition: entry.source_condition,
        object_lock: entry.object_lock.and_then(|lock| match lock {
            LockEntry::Any => None,
            LockEntry::Governance => Some(ObjectLock::Governance),
            LockEntry::Compliance => Some(ObjectLock::Compliance),
        }),
        access_logging: entry.access_logging,
        mfa_delete: entry.mfa_delete,
    })
}

fn check_key(entry: KeyEntry) -> Checked<KeyDemand> {
    let rotation_days = match &entry.rotation {
        Some(text) if text.as_ref() == "off" => None,
        Some(text) => Some(u32::try_from(check_span(text)?.div_euclid(DAY_MS)).unwrap_or(u32::MAX)),
        None => None,
    };
    let decrypt = match entry.decrypt {
        Some(readers) => Some(readers.into_iter().map(check_reader).collect::<Checked<Vec<_>>>()?),
        None => None,
    };
    Ok(KeyDemand { decrypt, rotation_days, tags: entry.tags })
}

const DAY_MS: i64 = 86_400_000;

fn check_reader(entry: Spanned<ReaderEntry>) -> Checked<AllowedReader> {
    let span = entry.span();
    let (principal, until) = match entry.into_inner() {
        ReaderEntry::Arn(principal) => (principal, None),
        ReaderEntry::Table(table) => (table.principal, table.until),
    };
    if !principal.starts_with("arn:") && !principal.ends_with(".amazonaws.com") {
        return wrong(span, "neither a pattern for ARNs of principals nor the name of a service");
    }
    let until = until.map(|day| check_last_day(&Spanned::new(span, day), "a permission")).transpose()?;
    Ok(AllowedReader { principal, until })
}

fn check_guardrails(entry: GuardrailEntry) -> Checked<GuardrailDemand> {
    match entry.deny.as_ref().iter().find(|action| !action.contains(':') || action.contains('*')) {
        _ if entry.deny.as_ref().is_empty() => {
            wrong(entry.deny.span(), "the list is empty: leave [settings.guardrails] out")
        }
        Some(bad) => wrong(entry.deny.span(), format!("not one action of a service (service:Action): {bad}")),
        None => Ok(GuardrailDemand { deny: entry.deny.into_inner(), except: entry.except }),
    }
}
