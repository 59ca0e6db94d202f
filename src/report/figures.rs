//! What a report says, computed once: every form of it is made from these figures and these sentences.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::escape::harmless;
use crate::finished::{Finished, Tally};
use crate::outcome::Outcome;
use crate::plan::Completeness;
use crate::population::{ExpectedObjects, OrganizationAccounts};
use crate::rollup::Collapsed;
use crate::timestamp::Month;
use crate::words::{count, number, percent, size};

/// So many months are shown at most: fifty years.
const MAX_MONTHS: usize = 600;
/// So many buckets are named; of more, it is said how many they are.
const NAMED_BUCKETS: usize = 3;

impl Tally {
    /// The share of what is in scope that is as the policy demands.
    pub(super) fn rate(&self) -> String {
        share(self.compliant, self.in_scope())
    }

    /// The share if all that is undetermined turned out right; nothing if that makes no difference.
    pub(super) fn rate_at_most(&self) -> Option<String> {
        (self.undetermined > 0).then(|| share(self.compliant.saturating_add(self.undetermined), self.in_scope()))
    }
}

/// A share; of nothing there is none.
pub(super) fn share(part: u64, whole: u64) -> String {
    if whole == 0 { "–".to_owned() } else { percent(part, whole) }
}

/// A month in which objects were last modified.
#[derive(Debug)]
pub(super) struct MonthFigures {
    /// `2024-05`.
    pub(super) name: String,
    pub(super) tally: Tally,
}

/// An account, as the keys of objects name it.
#[derive(Debug)]
pub(super) struct AccountFigures {
    pub(super) account: String,
    pub(super) tally: Tally,
    /// By the place of the month in [`Figures::months`].
    pub(super) months: BTreeMap<usize, Tally>,
}

/// Everything that a report says.
#[derive(Debug)]
pub(super) struct Figures<'f> {
    pub(super) finished: &'f Finished,
    pub(super) total: Tally,
    /// In order, those without objects included.
    pub(super) months: Vec<MonthFigures>,
    /// Objects without a month, and those of months that are not shown.
    pub(super) other_months: Tally,
    /// Those with most violations first. Accounts of which nothing is in scope are left out.
    pub(super) accounts: Vec<AccountFigures>,
    pub(super) kinds: Vec<(String, Tally)>,
    pub(super) regions: Vec<(String, Tally)>,
    /// Why accounts or months cannot be shown one by one.
    pub(super) not_told_apart: Option<&'static str>,
}

impl<'f> Figures<'f> {
    pub(super) fn new(finished: &'f Finished) -> Self {
        let audit = &finished.audit;
        let mut figures = Self {
            finished,
            total: Tally::from(&audit.counts),
            months: Vec::new(),
            other_months: Tally::default(),
            accounts: Vec::new(),
            kinds: Vec::new(),
            regions: Vec::new(),
            not_told_apart: match (audit.rollup.as_str(), audit.collapsed) {
                ("none", _) => Some("Objects were not counted by account and month (--rollup none)."),
                (_, Collapsed::Nothing | Collapsed::Months) => None,
                _ => Some("There were more groups than --max-groups allows: not all accounts are told apart."),
            },
        };
        figures.take_months();
        figures.take_accounts();
        figures
    }

    fn take_months(&mut self) {
        let rows = &self.finished.audit.by_month;
        let indexes: BTreeSet<u32> = rows.iter().filter_map(|row| Some(Month::parse(&row.month)?.as_index())).collect();
        let shown: Vec<u32> = match (indexes.first(), indexes.last()) {
            (Some(first), Some(last)) if ((last - first) as usize) < MAX_MONTHS => (*first..=*last).collect(),
            // Times that cannot be true lie far from the others.
            _ => indexes.iter().rev().take(MAX_MONTHS).rev().copied().collect(),
        };
        let place_of: BTreeMap<u32, usize> = shown.iter().enumerate().map(|(at, index)| (*index, at)).collect();
        let month = |index: &u32| MonthFigures { name: Month::from_index(*index).to_string(), tally: Tally::default() };
        self.months = shown.iter().map(month).collect();
        let mut accounts: BTreeMap<&str, BTreeMap<usize, Tally>> = BTreeMap::new();
        for row in rows {
            let tally = &row.tally;
            let Some(at) = Month::parse(&row.month).and_then(|month| place_of.get(&month.as_index())).copied() else {
                self.other_months.add(tally);
                continue;
            };
            self.months[at].tally.add(tally);
            if tally.in_scope() > 0 {
                accounts.entry(&row.account).or_default().entry(at).or_default().add(tally);
            }
        }
        self.accounts = accounts
            .into_iter()
            .map(|(account, months)| AccountFigures { account: account.to_owned(), tally: Tally::default(), months })
            .collect();
    }

    fn take_accounts(&mut self) {
        let (mut accounts, mut kinds, mut regions) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for row in &self.finished.audit.by_account {
            let tally = &row.tally;
            if tally.in_scope() == 0 {
                continue;
            }
            for (groups, name) in [(&mut accounts, &row.account), (&mut kinds, &row.kind), (&mut regions, &row.region)]
            {
                groups.entry(&**name).or_insert_with(Tally::default).add(tally);
            }
        }
        let mut of_months: BTreeMap<String, BTreeMap<usize, Tally>> =
            self.accounts.drain(..).map(|account| (account.account, account.months)).collect();
        self.accounts = accounts
            .into_iter()
            .map(|(account, tally)| AccountFigures {
                months: of_months.remove(account).unwrap_or_default(),
                account: account.to_owned(),
                tally,
            })
            .collect();
        self.accounts.sort_by_key(|account| (Reverse(account.tally.violation), Reverse(account.tally.undetermined)));
        let worst_first = |groups: BTreeMap<&str, Tally>| {
            let mut groups: Vec<(String, Tally)> =
                groups.into_iter().map(|(name, tally)| (name.to_owned(), tally)).collect();
            groups.sort_by_key(|(_, tally)| (Reverse(tally.violation), Reverse(tally.in_scope())));
            groups
        };
        (self.kinds, self.regions) = (worst_first(kinds), worst_first(regions));
    }

    /// What it is about.
    pub(super) fn title(&self) -> String {
        let buckets: BTreeSet<&String> =
            self.finished.audit.sources.iter().filter_map(|source| source.bucket.as_ref()).collect();
        match buckets.len() {
            0 => "inventories without a manifest".to_owned(),
            len if len <= NAMED_BUCKETS => {
                buckets.into_iter().map(|name| harmless(name)).collect::<Vec<_>>().join(", ")
            }
            len => count(len as u64, "bucket", "buckets"),
        }
    }

    /// When the inventories were made.
    pub(super) fn inventory(&self) -> String {
        let times = || self.finished.audit.sources.iter().filter_map(|source| source.created_at.as_deref());
        match times().min().zip(times().max()) {
            None => "a time that is not known".to_owned(),
            Some((first, last)) if first == last => format!("{} UTC", moment(first)),
            Some((first, last)) => format!("{} to {} UTC", moment(first), moment(last)),
        }
    }

    /// The policy, and its version if it has one.
    pub(super) fn policy(&self) -> String {
        let policy = &self.finished.audit.policy;
        let version = if policy.version.is_empty() { "" } else { ", version " };
        format!("{}{version}{}", policy.name, policy.version)
    }

    pub(super) fn outcome_title(&self) -> &'static str {
        match self.finished.audit.outcome {
            Outcome::Pass => "Pass",
            Outcome::Violations => "Violations found",
            Outcome::Incomplete | Outcome::Partial => "Not proven",
        }
    }

    /// What it comes to: the answer first, then everything that stands between it and a pass, and what it takes for granted.
    pub(super) fn sentences(&self) -> Vec<String> {
        let audit = &self.finished.audit;
        let (tally, in_scope) = (&self.total, self.total.in_scope());
        let mut sentences = Vec::new();
        if tally.violation > 0 {
            sentences.push(format!(
                "{} of {} in scope ({}) {} not stored as the policy demands.{}",
                number(tally.violation),
                count(in_scope, "object", "objects"),
                share(tally.violation, in_scope),
                if tally.violation == 1 { "is" } else { "are" },
                self.when_and_who()
            ));
        } else if in_scope == 0 {
            let accepted = if audit.outcome == Outcome::Pass { ", and the audit was told to accept that" } else { "" };
            sentences.push(format!("No object is in scope of the policy{accepted}."));
        } else if audit.outcome == Outcome::Pass && tally.excepted == 0 {
            sentences.push(format!(
                "{} in scope {} stored as the policy demands.",
                match in_scope {
                    1 => "The one object".to_owned(),
                    objects => format!("All {} objects", number(objects)),
                },
                if in_scope == 1 { "is" } else { "are" }
            ));
        } else {
            sentences.push(format!(
                "Of {} in scope{}, {} stored as the policy demands.",
                count(in_scope, "object", "objects"),
                if self.is_whole() { "" } else { " that were examined" },
                match tally.compliant {
                    1 => "1 is".to_owned(),
                    compliant => format!("{} are", number(compliant)),
                }
            ));
        }
        if tally.undetermined > 0 {
            sentences.push(format!("{} could not be judged.", count(tally.undetermined, "object", "objects")));
        }
        if tally.excepted > 0 {
            sentences.push(format!(
                "{} covered by an exception.",
                match tally.excepted {
                    1 => "1 object violates the policy and is".to_owned(),
                    excepted => format!("{} objects violate the policy and are", number(excepted)),
                }
            ));
        }
        sentences.extend(audit.outcome_reasons.iter().filter_map(|reason| self.reason_sentence(reason)));
        if audit.coverage.completeness == Completeness::Proven
            && !self.has_reason("faults")
            && !self.has_reason("units_missing")
        {
            sentences.push("Every data file of the inventories was examined: completeness is proven.".to_owned());
        }
        sentences.extend(self.joined());
        for assumption in &audit.assumptions {
            let value = if assumption.value.is_empty() { String::new() } else { format!(" {}", assumption.value) };
            sentences.push(harmless(&format!("Taken for granted: {} ({}{value}).", assumption.text, assumption.name)));
        }
        sentences
    }

    fn has_reason(&self, reason: &str) -> bool {
        self.finished.audit.outcome_reasons.iter().any(|given| given == reason)
    }

    /// Whether everything that the inventories name was examined.
    pub(super) fn is_whole(&self) -> bool {
        let coverage = &self.finished.audit.coverage;
        coverage.units_examined == coverage.units_planned && coverage.rows_rejected == 0
    }

    /// What was said of the population beside the reports.
    pub(super) fn population(&self) -> Vec<String> {
        let audit = &self.finished.audit;
        let configured = audit.sources.iter().filter_map(|source| Some((source, source.configuration.as_ref()?)));
        let mut said: Vec<String> = configured
            .map(|(source, configuration)| {
                let bucket = source.bucket.as_deref().unwrap_or_default();
                format!("the inventory of {bucket} is configured to list {}", configuration.scope())
            })
            .collect();
        said.dedup();
        said.extend(audit.organization_accounts.iter().flat_map(OrganizationAccounts::sentences));
        said.extend(audit.expected_objects.iter().map(ExpectedObjects::sentence));
        said
    }

    /// The name of an account, if it is listed with one.
    pub(super) fn name_of(&self, account: &str) -> Option<&str> {
        self.finished.audit.organization_accounts.as_ref()?.name_of(account)
    }

    /// An account as people read it.
    pub(super) fn label(&self, account: &str) -> String {
        match (account, self.name_of(account)) {
            ("-", _) => "(none in the key)".to_owned(),
            ("(many)", _) => "(not told apart)".to_owned(),
            (account, None) => harmless(account),
            (account, Some(name)) => harmless(&format!("{account} {name}")),
        }
    }

    /// The compliance rate, and what it is of. Where something was not examined, it is no rate of the whole, and never all of it.
    pub(super) fn compliance(&self) -> (String, String) {
        let (tally, objects) = (&self.total, count(self.total.in_scope(), "object", "objects"));
        let of = match self.is_whole() {
            true => format!("of {objects} in scope"),
            false => format!("of {objects} in scope that were examined; not all were"),
        };
        let more = match tally.rate_at_most() {
            Some(most) if self.is_whole() => format!("; {most} if everything undetermined is right"),
            _ => String::new(),
        };
        match tally.compliant == tally.in_scope() && !self.is_whole() && tally.compliant > 0 {
            true => ("not known".to_owned(), format!("all {of}")),
            false => (tally.rate(), format!("{of}{more}")),
        }
    }

    /// From when violating objects are, and whose.
    fn when_and_who(&self) -> String {
        let violating = || self.months.iter().filter(|month| month.tally.violation > 0);
        let they_were = if self.total.violation == 1 { "It was" } else { "They were" };
        let all_shown = self.other_months.violation == 0;
        let when =
            violating().next().zip(violating().next_back()).filter(|_| all_shown).map(|(first, last)| {
                match first.name == last.name {
                    true => format!(" {they_were} written in {}", first.name),
                    false => format!(" {they_were} written from {} to {}", first.name, last.name),
                }
            });
        let accounts = || self.accounts.iter().filter(|account| account.account != "-");
        let of = accounts().count();
        let whose = (self.not_told_apart.is_none() && of > 0).then(|| {
            let violating = accounts().filter(|account| account.tally.violation > 0).count();
            format!("by {} of {}", number(violating as u64), count(of as u64, "account", "accounts"))
        });
        match (when, whose) {
            (Some(when), Some(whose)) => format!("{when}, {whose}."),
            (Some(when), None) => format!("{when}."),
            (None, Some(whose)) => format!(" They were written {whose}."),
            (None, None) => String::new(),
        }
    }

    /// What stands between the result and a pass, if no other sentence says so.
    fn reason_sentence(&self, reason: &str) -> Option<String> {
        let sentence = match reason {
            "violations" | "undetermined" => return None,
            "faults" => self.faults_sentence(),
            "units_missing" => "Data files were not looked at.".to_owned(),
            "unproven_completeness" => "Nothing proves that the inventories are complete and unchanged.".to_owned(),
            "noncurrent_versions_unlisted" => {
                "An inventory lists current versions only, and the policy is about all versions.".to_owned()
            }
            "nothing_in_scope" => "The policy found nothing to judge.".to_owned(),
            "digest_violations" => "Digests or logs are changed, damaged or missing.".to_owned(),
            "digests_incomplete" => "Not all digests and logs could be verified.".to_owned(),
            other => format!("It is no pass because of {}.", harmless(other)),
        };
        Some(sentence)
    }

    fn faults_sentence(&self) -> String {
        let coverage = &self.finished.audit.coverage;
        let files = count(coverage.units_faulted, "data file", "data files");
        let rows = count(coverage.rows_rejected, "row", "rows");
        let what = match (coverage.units_faulted, coverage.rows_rejected) {
            (0, 0) => return "Not everything could be examined: the faults say what.".to_owned(),
            (0, _) => rows,
            (_, 0) => format!("{files} with an unknown number of rows"),
            _ => format!("{files} with an unknown number of rows, and {rows} of others"),
        };
        format!("Not everything could be examined: {what}.")
    }

    /// What is joined to the audit and is not good: the outcome is that of the audit alone.
    fn joined(&self) -> Vec<String> {
        let finished = &self.finished;
        let outcome = |what: &str, outcome: Outcome| {
            (outcome != Outcome::Pass).then(|| format!("Joined to it, {what}: {}.", super::outcome_words(outcome)))
        };
        let own = finished.audit.digests.is_some();
        let digests = finished.digests.as_ref().filter(|_| !own);
        [
            digests.and_then(|digests| outcome("the integrity of the logs", digests.outcome)),
            finished.settings.as_ref().and_then(|settings| outcome("settings", settings.outcome)),
            finished.reconciled.as_ref().filter(|done| done.outcome != "pass").map(|done| {
                harmless(&format!("Joined to it, what became of objects that were to be put right: {}.", done.outcome))
            }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Objects in scope that no rule is about, where the policy says that they violate it.
    pub(super) fn of_no_rule(&self) -> Tally {
        let of_rules = self.finished.audit.by_rule.values().map(Tally::from);
        of_rules.fold(self.total, |rest, rule| Tally {
            compliant: rest.compliant.saturating_sub(rule.compliant),
            violation: rest.violation.saturating_sub(rule.violation),
            undetermined: rest.undetermined.saturating_sub(rule.undetermined),
            excepted: rest.excepted.saturating_sub(rule.excepted),
        })
    }

    /// The share of violating objects that jobs can put right.
    pub(super) fn reach_of_jobs(&self) -> (u64, u64) {
        let lanes = || self.finished.audit.remediation.values();
        let by_jobs =
            lanes().filter(|lane| lane.manifests > 0).fold(0_u64, |sum, lane| sum.saturating_add(lane.objects));
        (by_jobs, lanes().fold(0_u64, |sum, lane| sum.saturating_add(lane.objects)))
    }

    /// What putting right costs, as far as prices are known.
    pub(super) fn cost(&self) -> String {
        let cost = &self.finished.plan.cost;
        let rounded = |decimal: &Option<String>| decimal.as_deref().map(money);
        match (rounded(&cost.total.low), rounded(&cost.total.high)) {
            (Some(low), Some(high)) if low == high => format!("{} {low}", cost.currency),
            (Some(low), Some(high)) => format!("{} {low} to {high}", cost.currency),
            (Some(low), None) => format!("{} {low} or more", cost.currency),
            (None, _) => "not known".to_owned(),
        }
    }

    /// The exception that ends next: days, id and day.
    pub(super) fn next_exception(&self) -> Option<(i64, &str, &str)> {
        let holding = self.finished.audit.exceptions.iter().filter(|line| line.facts.days_left >= 0);
        let next = holding.min_by_key(|line| line.facts.days_left)?;
        Some((next.facts.days_left, &next.facts.id, &next.facts.expires))
    }

    /// The sizes of violating objects.
    pub(super) fn violating_bytes(&self) -> String {
        size(self.finished.audit.bytes.violation)
    }
}

/// `2939.861200` as `2,940`, and small amounts with their cents.
fn money(decimal: &str) -> String {
    match decimal.parse::<f64>() {
        Ok(amount) if amount >= 100.0 => number(amount.round() as u64),
        Ok(amount) => format!("{amount:.2}"),
        Err(_) => harmless(decimal),
    }
}

/// `4 January 2026`.
pub(super) fn day(time: &str) -> String {
    const MONTHS: [&str; 12] = [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ];
    let mut parts = time.get(..10).unwrap_or_default().split('-');
    let [year, month, day] = [(); 3].map(|()| parts.next().and_then(|part| part.parse::<usize>().ok()).unwrap_or(0));
    match month.checked_sub(1).and_then(|month| MONTHS.get(month)) {
        Some(month) => format!("{day} {month} {year}"),
        None => harmless(time),
    }
}

/// `4 January 2026, 01:00`.
pub(super) fn moment(time: &str) -> String {
    match time.get(11..16) {
        Some(clock) => format!("{}, {}", day(time), harmless(clock)),
        None => day(time),
    }
}
