//! What a campaign costs and how long it takes, with the arithmetic shown.
//!
//! Every figure is a pair of bounds, since neither the requests to KMS nor the age of objects is known. A price that is
//! not there makes the upper bound unknown; the lower bound is then the sum of what is known. Nothing unknown counts as
//! nought.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Serialize, Serializer};

use super::decimal::{Decimal, Usd};
use super::job::RESTORED_DAYS;
use super::prices::Prices;
use crate::amounts::Amount;
use crate::remediation::{Group, Lane, StorageClass, TargetMethod};
use crate::words::grouped;

/// S3 bills decimal gigabytes.
const GB: u128 = 1_000_000_000;
/// Days of a month in which storage is billed by the day.
const MONTH_DAYS: u128 = 30;

/// How archived objects are made readable for a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Restore {
    /// How fast.
    pub tier: RestoreTier,
    /// For how many days; Intelligent-Tiering has no such limit.
    pub days: u32,
}

/// How fast a restore is, of those that S3 Batch Operations can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum RestoreTier {
    /// Hours.
    Standard,
    /// Half a day to two days, at the lowest price.
    Bulk,
}

impl RestoreTier {
    /// Its name in job files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "STANDARD",
            Self::Bulk => "BULK",
        }
    }
}

impl Default for Restore {
    /// The cheapest, with time enough for the slowest restore and the copy after it.
    fn default() -> Self {
        Self { tier: RestoreTier::Bulk, days: RESTORED_DAYS }
    }
}

/// An amount of money between two bounds, each of which may be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct UsdBounds {
    /// At least.
    #[serde(serialize_with = "or_unknown")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub low: Option<Usd>,
    /// At most.
    #[serde(serialize_with = "or_unknown")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub high: Option<Usd>,
}

fn or_unknown<S: Serializer>(usd: &Option<Usd>, serializer: S) -> Result<S::Ok, S::Error> {
    match usd {
        Some(usd) => usd.serialize(serializer),
        None => serializer.serialize_str("unknown"),
    }
}

/// A part of an estimate: one product.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Term {
    /// What is paid for.
    pub what: String,
    /// How much.
    pub usd: UsdBounds,
    /// The arithmetic.
    pub formula: String,
    /// The names of the prices in it.
    pub prices: Vec<String>,
}

/// The sum of some terms.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Estimate {
    /// How much.
    pub usd: UsdBounds,
    /// What it is the sum of; empty when nothing of the kind is needed.
    pub terms: Vec<Term>,
}

/// What a campaign costs.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Cost {
    /// Of all amounts.
    pub currency: &'static str,
    /// The sum of everything below.
    pub total: UsdBounds,
    /// Updates and copies.
    pub requests: Estimate,
    /// Jobs and their objects.
    pub batch_operations: Estimate,
    /// Requests to KMS.
    pub kms: Estimate,
    /// Bytes that are read from classes that charge for it.
    pub retrieval: Estimate,
    /// Requests to restore, and what is restored.
    pub restore: Estimate,
    /// The rest of the minimum time of objects that are overwritten.
    pub early_deletion: Estimate,
}

/// How long something takes.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Duration {
    /// In seconds; nothing when it is unknown.
    pub seconds: Option<u64>,
    /// For people.
    pub text: String,
    /// The arithmetic.
    pub formula: String,
    /// The names of the quotas in it.
    pub prices: Vec<String>,
}

/// How long a campaign takes.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Time {
    /// The restores, and then the larger of the two others.
    pub total: Duration,
    /// As fast as one prefix takes requests.
    pub request_rate: Duration,
    /// As fast as KMS takes requests.
    pub kms: Duration,
    /// Until the last object is restored.
    pub restore: Duration,
}

impl Cost {
    /// The sums, by name, in a fixed order.
    pub fn items(&self) -> [(&'static str, &Estimate); 6] {
        [
            ("requests", &self.requests),
            ("batch operations", &self.batch_operations),
            ("kms", &self.kms),
            ("retrieval", &self.retrieval),
            ("restore", &self.restore),
            ("early deletion", &self.early_deletion),
        ]
    }
}

/// What there is to do, as far as it costs something.
#[derive(Debug)]
pub(super) struct CampaignWork {
    updates: u64,
    copies: ByClass,
    restores: ByClass,
    in_parts: ByClass,
    kms: BTreeMap<KmsUse, u64>,
    kms_in_parts: BTreeMap<KmsUse, Amount>,
    jobs: u64,
    job_objects: u64,
    are_known: Sizes,
}

/// Which sizes are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// Those of all objects, as far as the reports have a column for them.
    pub(super) all: bool,
    /// Those of objects that are copied in parts.
    pub(super) in_parts: bool,
}

type ByClass = BTreeMap<Option<StorageClass>, Amount>;

/// What KMS is asked for; the names of the prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum KmsUse {
    Update,
    UpdateWithBucketKey,
    Copy,
    CopyWithBucketKey,
    CopyToSseS3,
}

impl KmsUse {
    fn of(group: &Group) -> Self {
        let bucket_key = group.kind.target.is_some_and(|target| target.bucket_key);
        match (group.kind.lane, group.kind.target.map(|target| target.method)) {
            (Lane::UpdateEncryption, _) if bucket_key => Self::UpdateWithBucketKey,
            (Lane::UpdateEncryption, _) => Self::Update,
            (_, Some(TargetMethod::SseS3)) => Self::CopyToSseS3,
            (_, Some(TargetMethod::SseKms)) if bucket_key => Self::CopyWithBucketKey,
            _ => Self::Copy,
        }
    }

    fn line(self) -> &'static str {
        match self {
            Self::Update => "kms.update",
            Self::UpdateWithBucketKey => "kms.update_with_bucket_key",
            Self::Copy => "kms.copy",
            Self::CopyWithBucketKey => "kms.copy_with_bucket_key",
            Self::CopyToSseS3 => "kms.copy_to_sse_s3",
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Update => "updates",
            Self::UpdateWithBucketKey => "updates with a Bucket Key",
            Self::Copy => "copies",
            Self::CopyWithBucketKey => "copies with a Bucket Key",
            Self::CopyToSseS3 => "copies to SSE-S3",
        }
    }
}

impl CampaignWork {
    pub(super) fn new(are_known: Sizes) -> Self {
        Self {
            updates: 0,
            copies: ByClass::new(),
            restores: ByClass::new(),
            in_parts: ByClass::new(),
            kms: BTreeMap::new(),
            kms_in_parts: BTreeMap::new(),
            jobs: 0,
            job_objects: 0,
            are_known,
        }
    }

    pub(super) fn add_job(&mut self, objects: u64) {
        self.jobs = self.jobs.saturating_add(1);
        self.job_objects = self.job_objects.saturating_add(objects);
    }

    pub(super) fn add(&mut self, group: &Group, amount: Amount) {
        let by_class = match group.kind.lane {
            Lane::UpdateEncryption => return self.add_updates(group, amount),
            Lane::Copy => &mut self.copies,
            Lane::RestoreThenCopy => &mut self.restores,
            Lane::MultipartCopy => &mut self.in_parts,
            Lane::OwnerKey | Lane::Blocked | Lane::NoTarget => return,
        };
        by_class.entry(group.kind.class).or_default().add(amount);
        if group.kind.lane == Lane::MultipartCopy {
            self.kms_in_parts.entry(KmsUse::of(group)).or_default().add(amount);
        } else {
            self.add_kms(group, amount);
        }
    }

    fn add_updates(&mut self, group: &Group, amount: Amount) {
        self.updates = self.updates.saturating_add(amount.objects);
        self.add_kms(group, amount);
    }

    fn add_kms(&mut self, group: &Group, amount: Amount) {
        let sum = self.kms.entry(KmsUse::of(group)).or_default();
        *sum = sum.saturating_add(amount.objects);
    }

    fn bytes(&self, amount: Amount) -> Count {
        if self.are_known.all { Count::exactly(amount.bytes.into()) } else { Count::UNKNOWN }
    }
}

/// A number of things between two bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Count {
    low: Option<u128>,
    high: Option<u128>,
}

impl Count {
    const UNKNOWN: Self = Self { low: None, high: None };

    fn exactly(number: u128) -> Self {
        Self { low: Some(number), high: Some(number) }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.low.map(grouped), self.high.map(grouped)) {
            (Some(low), Some(high)) if low == high => f.write_str(&low),
            (Some(low), Some(high)) => write!(f, "{low} to {high}"),
            (Some(low), None) => write!(f, "at least {low}"),
            (None, Some(high)) => write!(f, "at most {high}"),
            (None, None) => f.write_str("unknown"),
        }
    }
}

/// A number from the file of prices, and its name if it has one.
struct Line {
    name: Option<String>,
    number: Option<Decimal>,
}

impl Line {
    fn is_nought(&self) -> bool {
        self.number.is_some_and(|number| number.as_whole() == Some(0))
    }

    /// What so many things cost; nothing costs nothing, however many there are.
    fn price_of(&self, number: Option<u128>, per: u128) -> Option<Usd> {
        let number = if self.is_nought() { Some(0) } else { number };
        Some(self.number?.price_of(number?, per))
    }

    fn usd(&self, count: Count, per: u128) -> UsdBounds {
        UsdBounds { low: self.price_of(count.low, per), high: self.price_of(count.high, per) }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => number.fmt(f),
            None => f.write_str("unknown"),
        }
    }
}

fn names(lines: &[&Line]) -> Vec<String> {
    lines.iter().filter_map(|line| line.name.clone()).collect()
}

impl Estimate {
    fn new(terms: Vec<Term>) -> Self {
        Self { usd: sum(terms.iter().map(|term| term.usd)), terms }
    }
}

/// The sum of no terms is nought. Of some, what is known is the lower bound, if anything is.
fn sum(terms: impl Iterator<Item = UsdBounds>) -> UsdBounds {
    let nought = Some(Usd::default());
    let (mut low, mut high, mut is_empty) = (None, nought, true);
    for term in terms {
        is_empty = false;
        low = match (low, term.low) {
            (Some(sum), Some(usd)) => Some(Usd::plus(sum, usd)),
            (known, None) | (None, known) => known,
        };
        high = high.zip(term.high).map(|(sum, usd)| sum.plus(usd));
    }
    if is_empty { UsdBounds { low: nought, high: nought } } else { UsdBounds { low, high } }
}

/// Looks prices up and puts terms together.
pub(super) struct Estimator<'a> {
    pub(super) prices: &'a Prices,
    pub(super) work: &'a CampaignWork,
    pub(super) restore: Restore,
    /// The Region of the target key.
    pub(super) region: Option<&'a str>,
}

impl Estimator<'_> {
    pub(super) fn cost(&self) -> Cost {
        let requests = Estimate::new(self.request_terms());
        let batch_operations = Estimate::new(self.batch_terms());
        let kms = Estimate::new(self.kms_terms());
        let retrieval = Estimate::new(self.retrieval_terms());
        let restore = Estimate::new(self.restore_terms());
        let early_deletion = Estimate::new(self.early_deletion_terms());
        let parts = [&requests, &batch_operations, &kms, &retrieval, &restore, &early_deletion];
        // A part without terms is certain, but says nothing about those with terms.
        let total = sum(parts.into_iter().filter(|part| !part.terms.is_empty()).map(|part| part.usd));
        Cost { currency: "USD", total, requests, batch_operations, kms, retrieval, restore, early_deletion }
    }

    fn line(&self, name: &str) -> Line {
        Line { name: Some(name.to_owned()), number: self.prices.get(name) }
    }

    /// A line about a class; there is none about objects whose class is unknown.
    fn class_line(&self, class: Option<StorageClass>, field: &str) -> Line {
        match class {
            None | Some(StorageClass::Other) => Line { name: None, number: None },
            Some(class) => self.line(&format!("class.{}.{field}", class.as_str())),
        }
    }

    fn priced(&self, what: String, count: Count, things: &str, per: u128, line: &Line) -> Term {
        let divisor = if per == 1 { String::new() } else { format!(" / {}", grouped(per)) };
        let formula = format!("{count} {things}{divisor} x {line} USD");
        Term { what, usd: line.usd(count, per), formula, prices: names(&[line]) }
    }

    fn request_terms(&self) -> Vec<Term> {
        let mut terms = Vec::new();
        if self.work.updates > 0 {
            let line = self.line("update_encryption.per_1000");
            let count = Count::exactly(self.work.updates.into());
            terms.push(self.priced("updates".to_owned(), count, "requests", 1000, &line));
        }
        for (class, amount) in by_written_class(self.work.copies.iter().chain(&self.work.restores)) {
            terms.push(self.copy_term("copies", class, Count::exactly(amount.objects.into())));
        }
        for (class, amount) in by_written_class(self.work.in_parts.iter()) {
            let (Count { low, high }, objects) = (self.parts(amount), u128::from(amount.objects));
            // One request begins the copy, one ends it.
            let with_ends = |parts: Option<u128>| parts.map(|parts| parts.saturating_add(2 * objects));
            let count = Count { low: with_ends(low), high: with_ends(high) };
            terms.push(self.copy_term("copies in parts", class, count));
        }
        terms
    }

    fn copy_term(&self, what: &str, class: Option<StorageClass>, count: Count) -> Term {
        let line = self.class_line(class, "copy_per_1000");
        self.priced(format!("{what}, {}", name(class)), count, "requests", 1000, &line)
    }

    /// How many parts objects are copied in: one at least, and no more than the smallest parts make.
    fn parts(&self, amount: Amount) -> Count {
        let (objects, bytes) = (u128::from(amount.objects), u128::from(amount.bytes));
        let size = |name| self.prices.get(name).and_then(Decimal::as_whole).map(u128::from).filter(|size| *size > 0);
        let low = size("multipart.largest_part_bytes").map_or(objects, |size| bytes.div_ceil(size).max(objects));
        let high = size("multipart.smallest_part_bytes").map(|size| bytes / size + objects);
        Count { low: Some(low), high: high.filter(|_| self.work.are_known.all && self.work.are_known.in_parts) }
    }

    fn batch_terms(&self) -> Vec<Term> {
        if self.work.jobs == 0 {
            return Vec::new();
        }
        let count = |number: u64| Count::exactly(number.into());
        let (job, million) = (self.line("batch_operations.per_job"), self.line("batch_operations.per_million_objects"));
        let things = if self.work.jobs == 1 { "job" } else { "jobs" };
        vec![
            self.priced("jobs".to_owned(), count(self.work.jobs), things, 1, &job),
            self.priced("objects".to_owned(), count(self.work.job_objects), "objects", 1_000_000, &million),
        ]
    }

    fn kms_terms(&self) -> Vec<Term> {
        let price = self.line("kms.per_10000");
        let mut terms = Vec::new();
        for (kms_use, objects) in &self.work.kms {
            let objects = Count::exactly((*objects).into());
            terms.push(self.kms_term(kms_use.what().to_owned(), *kms_use, objects, "objects", &price));
        }
        for (kms_use, amount) in &self.work.kms_in_parts {
            let what = format!("{} in parts", kms_use.what());
            terms.push(self.kms_term(what, *kms_use, self.parts(*amount), "parts", &price));
        }
        terms
    }

    fn kms_term(&self, what: String, kms_use: KmsUse, count: Count, things: &str, price: &Line) -> Term {
        let (low, high) = self.kms_lines(kms_use);
        let requests = requests(count, &low, &high);
        let planned = match (low.number, high.number) {
            (Some(low), Some(high)) if low == high => low.to_string(),
            (None, None) => "unknown".to_owned(),
            _ => format!("{low} to {high}"),
        };
        let formula = format!("{count} {things} x {planned} requests / 10,000 x {price} USD");
        Term { what, usd: price.usd(requests, 10_000), formula, prices: names(&[&low, &high, price]) }
    }

    fn kms_lines(&self, kms_use: KmsUse) -> (Line, Line) {
        (self.line(&format!("{}.low", kms_use.line())), self.line(&format!("{}.high", kms_use.line())))
    }

    fn retrieval_terms(&self) -> Vec<Term> {
        let per_gb = |class, amount, line: &Line| {
            self.priced(format!("bytes, {}", name(class)), self.work.bytes(amount), "bytes", GB, line)
        };
        let read = self.work.copies.iter().chain(&self.work.in_parts);
        let read = read.map(|(class, amount)| per_gb(*class, *amount, &self.class_line(*class, "retrieval_per_gb")));
        let restored = self.work.restores.iter();
        let restored = restored.map(|(class, amount)| per_gb(*class, *amount, &self.restore_line(*class, "per_gb")));
        read.chain(restored).collect()
    }

    fn restore_line(&self, class: Option<StorageClass>, field: &str) -> Line {
        self.class_line(class, &format!("restore.{}.{field}", self.restore.tier.as_str()))
    }

    fn restore_terms(&self) -> Vec<Term> {
        let mut terms = Vec::new();
        for (class, amount) in &self.work.restores {
            let (what, count) = (format!("requests, {}", name(*class)), Count::exactly(amount.objects.into()));
            terms.push(self.priced(what, count, "requests", 1000, &self.restore_line(*class, "per_1000")));
            // Intelligent-Tiering moves the object itself; the others make a copy that is paid for while it is there.
            if *class != Some(StorageClass::IntelligentTiering) {
                terms.push(self.restored_copies(*class, *amount));
            }
        }
        terms
    }

    fn restored_copies(&self, class: Option<StorageClass>, amount: Amount) -> Term {
        let line = self.class_line(Some(StorageClass::Standard), "storage_per_gb_month");
        let (bytes, days) = (self.work.bytes(amount), self.restore.days);
        let byte_days = |bytes: Option<u128>| bytes.map(|bytes| bytes.saturating_mul(days.into()));
        let count = Count { low: byte_days(bytes.low), high: byte_days(bytes.high) };
        Term {
            what: format!("restored copies, {}", name(class)),
            usd: line.usd(count, GB * MONTH_DAYS),
            formula: format!("{bytes} bytes / {} x {days} / {MONTH_DAYS} months x {line} USD", grouped(GB)),
            prices: names(&[&line]),
        }
    }

    /// At worst every object is new and is overwritten; at best all are old enough, or stay as noncurrent versions.
    fn early_deletion_terms(&self) -> Vec<Term> {
        let mut by_class = ByClass::new();
        let overwritten = [&self.work.copies, &self.work.restores, &self.work.in_parts].into_iter().flatten();
        overwritten.for_each(|(class, amount)| by_class.entry(*class).or_default().add(*amount));
        let terms = by_class.into_iter().map(|(class, amount)| self.early_deletion_term(class, amount));
        terms.flatten().collect()
    }

    fn early_deletion_term(&self, class: Option<StorageClass>, amount: Amount) -> Option<Term> {
        let days = self.class_line(class, "minimum_days");
        if days.is_nought() {
            return None;
        }
        let (extra, price) =
            (self.class_line(class, "billed_extra_bytes"), self.class_line(class, "storage_per_gb_month"));
        let bytes = self.work.bytes(amount);
        let billed = extra.number.zip(bytes.high).map(|(extra, bytes)| bytes + extra.times(amount.objects.into()));
        let byte_days = billed.zip(days.number).map(|(billed, days)| days.times(billed));
        // Of prices that are not there nothing is known, not even that nothing is charged.
        let are_known = [&extra, &days, &price].iter().all(|line| line.number.is_some());
        let objects = grouped(amount.objects.into());
        Some(Term {
            what: format!("minimum storage, {}", name(class)),
            usd: UsdBounds { low: are_known.then(Usd::default), high: price.price_of(byte_days, GB * MONTH_DAYS) },
            formula: format!(
                "at most ({bytes} bytes and {objects} objects x {extra} bytes) / {} x {days} / {MONTH_DAYS} months x \
                 {price} USD",
                grouped(GB)
            ),
            prices: names(&[&extra, &days, &price]),
        })
    }

    pub(super) fn time(&self) -> Time {
        let (request_rate, kms, restore) = (self.request_time(), self.kms_time(), self.restore_time());
        let slower = request_rate.seconds.zip(kms.seconds).map(|(rate, kms)| rate.max(kms));
        let seconds = slower.zip(restore.seconds).map(|(slower, restore)| slower.saturating_add(restore));
        let formula = format!(
            "{} for restores, then the larger of {} by request rate and {} by KMS quota",
            restore.text, request_rate.text, kms.text
        );
        Time { total: Duration::new(seconds, formula, Vec::new()), request_rate, kms, restore }
    }

    /// Updates and copies that jobs make, at the rate of a single prefix.
    fn request_time(&self) -> Duration {
        let copies = self.work.copies.values().chain(self.work.restores.values());
        let requests = copies.fold(self.work.updates, |sum, amount| sum.saturating_add(amount.objects));
        self.rate_time(Some(requests.into()), self.line("s3.requests_per_second_per_prefix"))
    }

    /// The most requests that are planned.
    fn kms_time(&self) -> Duration {
        let mut requests = Some(0_u128);
        for (kms_use, objects) in &self.work.kms {
            let high = self.kms_lines(*kms_use).1.number.map(|high| high.times((*objects).into()));
            requests = requests.zip(high).map(|(sum, high)| sum.saturating_add(high));
        }
        self.rate_time(requests, self.kms_quota())
    }

    fn kms_quota(&self) -> Line {
        let of_region = self.region.map(|region| self.line(&format!("kms.requests_per_second.{region}")));
        of_region.filter(|line| line.number.is_some()).unwrap_or_else(|| self.line("kms.requests_per_second.default"))
    }

    fn rate_time(&self, requests: Option<u128>, rate: Line) -> Duration {
        if requests == Some(0) {
            return Duration::new(Some(0), "0 requests".to_owned(), Vec::new());
        }
        let per_second = rate.number.and_then(Decimal::as_whole).filter(|rate| *rate > 0);
        let seconds = requests.zip(per_second).map(|(requests, rate)| requests.div_ceil(rate.into()));
        let requests = Count { low: requests, high: requests };
        let formula = format!("{requests} requests / {rate} a second");
        Duration::new(seconds.map(|seconds| u64::try_from(seconds).unwrap_or(u64::MAX)), formula, names(&[&rate]))
    }

    /// The requests, and then the hours until the last object is there.
    fn restore_time(&self) -> Duration {
        let requests = self.work.restores.values().fold(0_u64, |sum, amount| sum.saturating_add(amount.objects));
        if requests == 0 {
            return Duration::new(Some(0), "0 requests".to_owned(), Vec::new());
        }
        let asked = self.rate_time(Some(requests.into()), self.line("s3.restores_per_second"));
        let hours: Vec<Line> = self.work.restores.keys().map(|class| self.restore_line(*class, "hours")).collect();
        let slowest = hours
            .iter()
            .map(|line| line.number.and_then(Decimal::as_whole))
            .reduce(|one, other| one.zip(other).map(|(one, other)| one.max(other)));
        let slowest = slowest.flatten();
        let seconds = asked.seconds.zip(slowest).map(|(seconds, hours)| seconds.saturating_add(hours * 3600));
        let wait = slowest.map_or("unknown".to_owned(), |hours| grouped(hours.into()));
        let formula = format!("{}, then {wait} hours until the last object is restored", asked.formula);
        let mut prices = asked.prices;
        prices.extend(names(&hours.iter().collect::<Vec<_>>()));
        Duration::new(seconds, formula, prices)
    }
}

/// A request costs what the class that it writes to costs.
fn by_written_class<'a>(amounts: impl Iterator<Item = (&'a Option<StorageClass>, &'a Amount)>) -> ByClass {
    let mut by_class = ByClass::new();
    for (class, amount) in amounts {
        let written = class.map(|class| class.of_copy().unwrap_or(class));
        by_class.entry(written).or_default().add(*amount);
    }
    by_class
}

/// The requests to KMS for so many objects or parts. A low count goes with a low plan.
fn requests(count: Count, low: &Line, high: &Line) -> Count {
    let times =
        |line: &Line, number: Option<u128>| line.number.zip(number).map(|(planned, number)| planned.times(number));
    Count { low: times(low, count.low), high: times(high, count.high) }
}

fn name(class: Option<StorageClass>) -> &'static str {
    match class {
        None | Some(StorageClass::Other) => "unknown class",
        Some(class) => class.as_str(),
    }
}

impl Duration {
    fn new(seconds: Option<u64>, formula: String, prices: Vec<String>) -> Self {
        Self { seconds, text: seconds.map_or_else(|| "unknown".to_owned(), duration), formula, prices }
    }
}

/// Seconds for people.
fn duration(seconds: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = (u128::from(seconds) * 10 + u128::from(unit) / 2) / u128::from(unit);
        format!("{}.{}", grouped(tenths / 10), tenths % 10)
    };
    match seconds {
        0 => "no time".to_owned(),
        1..90 => format!("{seconds} s"),
        90..5400 => format!("{} min", tenths(60)),
        5400..172_800 => format!("{} h", tenths(3600)),
        _ => format!("{} days", tenths(86_400)),
    }
}
