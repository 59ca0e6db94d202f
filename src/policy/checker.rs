//! Policy against objects.
//!
//! The first rule whose conditions hold decides; a rule that cannot be decided ends the search, because falling through
//! would let a missing column pick the milder rule. What a rule then says depends only on the encryption status and the
//! Bucket Key status, so it is worked out once for each pair. Rules are narrowed down once for each place (bucket, kind,
//! account, Region): see [`Scope`].

use super::ruling::{BucketKey, ExceptionId, Method, Reason, RuleId, Ruling, Status, Verdict};
use super::{Answer, BucketKeyDemand, KeyArn, Policy, Rule, Unmatched, Versions, Where};
use crate::batch::{Column, ColumnSet, Flag};
use crate::object_key::{Account, ObjectKey};
use crate::timestamp::Timestamp;

/// An object as its row describes it.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// The bucket's name.
    pub bucket: &'a [u8],
    /// The raw key.
    pub key: &'a [u8],
    /// Whether it is the current version.
    pub is_latest: Flag,
    /// When it was last modified, if the report says.
    pub last_modified: Option<Timestamp>,
    /// Blank when the report does not say.
    pub storage_class: &'a [u8],
    /// What the report says of its encryption.
    pub status: Status,
    /// What the report says of its Bucket Key.
    pub bucket_key: BucketKey,
    /// What is known of its key.
    pub encrypted_under: KeyState<'a>,
}

/// What is known of the key that an object is encrypted under. S3 Inventory never says it.
#[derive(Clone, Copy, Debug, Default)]
pub enum KeyState<'a> {
    /// Nothing.
    #[default]
    Unknown,
    /// What is known of it is too old, or too young: the key may have changed unseen.
    Stale,
    /// It is this one.
    Known(&'a Key),
    /// It is one of these.
    Among(&'a [Alternative<'a>], Doubt),
}

/// Why there are several answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Sources disagree.
    Conflict,
    /// Something is known to have happened that may have changed the key.
    Unknown,
}

/// One of several answers.
#[derive(Clone, Copy, Debug)]
pub struct Alternative<'a> {
    /// How the object is encrypted.
    pub status: Status,
    /// Under which key, if the answer says so.
    pub key: Option<&'a Key>,
}

/// A key that objects are encrypted under. Made by [`Checker::key`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its ARN, or as much as is known: `ACCOUNT:key/ID`, or the id.
    pub name: String,
    /// Whether each rule allows it.
    answers: Box<[KeyAnswer]>,
}

/// How a key is named.
#[derive(Clone, Copy, Debug)]
pub enum KeyName<'a> {
    /// In full.
    Arn(&'a KeyArn),
    /// By its id, which the replicas of a multi-Region key share.
    Id {
        /// The id.
        id: &'a str,
        /// The account that it belongs to; empty if that is not known.
        account: &'a str,
    },
}

/// A policy, ready to be held against objects.
#[derive(Clone, Debug)]
pub struct Checker {
    policy: Policy,
    as_of: Timestamp,
    tables: Vec<Table>,
}

/// What a rule says for each encryption status, Bucket Key status and answer about the key.
type Table = [[[(Verdict, Option<Reason>); KeyAnswer::ALL.len()]; BucketKey::ALL.len()]; Status::ALL.len()];

/// What a rule makes of what is known of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyAnswer {
    Unknown,
    Stale,
    Allowed,
    Forbidden,
}

impl KeyAnswer {
    const ALL: [Self; 4] = [Self::Unknown, Self::Stale, Self::Allowed, Self::Forbidden];
}

/// The rules that can apply in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Rules that hold for some rows of the place, in order.
    conditional: Vec<RuleId>,
    /// The rule that holds for all rows that are left.
    otherwise: Option<RuleId>,
    /// The exceptions that can cover violations here.
    exceptions: Vec<usize>,
    /// The answers, where nothing but the two statuses of an object decides.
    rulings: Option<[[Ruling; BucketKey::ALL.len()]; Status::ALL.len()]>,
}

impl Scope {
    /// Whether nothing but the two statuses of an object decides, and what is known of its key.
    #[inline]
    pub fn is_settled(&self) -> bool {
        self.rulings.is_some()
    }

    /// What these two decide of an object of whose key nothing is known, where nothing else does.
    #[inline]
    pub fn settled(&self, status: Status, bucket_key: BucketKey) -> Option<Ruling> {
        Some(self.rulings.as_ref()?[status as usize][bucket_key as usize])
    }
}

/// How one rule was tried on an object.
#[derive(Clone, Debug)]
pub struct RuleTrace<'p> {
    /// The rule.
    pub rule: &'p Rule,
    /// Whether it applies.
    pub answer: Answer,
    /// The conditions that do not hold or cannot be decided, by their name in the policy file.
    pub open: Vec<(&'static str, Answer)>,
}

impl Checker {
    /// `as_of` is "today" for exceptions.
    pub fn new(policy: Policy, as_of: Timestamp) -> Self {
        let tables = policy.rules.iter().map(table).collect();
        Self { policy, as_of, tables }
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What "today" is for exceptions.
    pub fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// The columns that verdicts depend on.
    pub fn wanted_columns(&self) -> ColumnSet {
        let scopes = || {
            let exceptions = self.policy.exceptions.iter().map(|exception| &exception.scope);
            self.policy.rules.iter().map(|rule| &rule.scope).chain(exceptions)
        };
        let wants_bucket_key = |rule: &Rule| rule.bucket_key == BucketKeyDemand::Required;
        let always = [Column::Bucket, Column::IsDeleteMarker, Column::Size, Column::EncryptionStatus];
        let sometimes = [
            (Column::Key, scopes().any(Where::depends_on_key)),
            (Column::LastModifiedDate, scopes().any(Where::depends_on_time)),
            (Column::StorageClass, scopes().any(|scope| scope.storage_class.is_some())),
            (Column::BucketKeyStatus, self.policy.rules.iter().any(wants_bucket_key)),
            (Column::IsLatest, self.policy.versions == Versions::Current),
        ];
        always.into_iter().chain(sometimes.into_iter().filter_map(|(column, is)| is.then_some(column))).collect()
    }

    /// The rules that can apply to the objects of one place.
    pub fn scope(&self, bucket: &[u8], key: &ObjectKey<'_>) -> Scope {
        let mut scope = Scope { conditional: Vec::new(), otherwise: None, exceptions: Vec::new(), rulings: None };
        for (id, rule) in self.rules() {
            if rule.scope.answer_place(bucket, key) == Answer::No {
                continue;
            }
            if !rule.scope.depends_on_row() {
                scope.otherwise = Some(id);
                break;
            }
            scope.conditional.push(id);
        }
        let holds = |at: &usize| self.exception_holds(*at, |scope| scope.answer_place(bucket, key));
        scope.exceptions = (0..self.policy.exceptions.len()).filter(holds).collect();
        let is_simple =
            scope.conditional.is_empty() && scope.exceptions.is_empty() && self.policy.versions == Versions::All;
        scope.rulings = is_simple.then(|| {
            let unknown = KeyState::Unknown;
            Status::ALL.map(|status| BucketKey::ALL.map(|key| self.rule_simply(scope.otherwise, status, key, unknown)))
        });
        scope
    }

    fn rule_simply(
        &self,
        rule: Option<RuleId>,
        status: Status,
        bucket_key: BucketKey,
        encrypted_under: KeyState<'_>,
    ) -> Ruling {
        let Some(rule) = rule else { return self.unmatched() };
        let answer = |key: &Key| key.answers[rule.as_index()];
        let look_up =
            |status, answer| self.tables[rule.as_index()][status as usize][bucket_key as usize][answer as usize];
        let (verdict, reason) = match encrypted_under {
            KeyState::Unknown => look_up(status, KeyAnswer::Unknown),
            KeyState::Stale => look_up(status, KeyAnswer::Stale),
            KeyState::Known(key) => look_up(status, answer(key)),
            KeyState::Among(answers, doubt) => {
                let ruling = |one: &Alternative<'_>| look_up(one.status, one.key.map_or(KeyAnswer::Unknown, answer));
                settle(answers.iter().map(ruling), doubt)
            }
        };
        Ruling { verdict, reason, rule: Some(rule), exception: None }
    }

    /// A key as the rules see it.
    pub fn key(&self, key: KeyName<'_>) -> Key {
        let name = match key {
            KeyName::Arn(arn) => arn.as_str().to_owned(),
            KeyName::Id { id, account: "" } => id.to_owned(),
            KeyName::Id { id, account } => format!("{account}:key/{id}"),
        };
        Key { name, answers: self.policy.rules.iter().map(|rule| answer_key(rule, key)).collect() }
    }

    /// Whether the policy is not about such versions at all. A version that may be current is taken for current.
    #[inline]
    pub fn leaves_out(&self, is_latest: Flag) -> bool {
        self.policy.versions == Versions::Current && is_latest == Flag::False
    }

    /// Judges an object whose place is known.
    #[inline]
    pub fn judge_in(&self, scope: &Scope, object: &Object<'_>) -> Ruling {
        if let Some(ruling) = scope.settled(object.status, object.bucket_key) {
            return match object.encrypted_under {
                KeyState::Unknown => ruling,
                key => self.rule_simply(scope.otherwise, object.status, object.bucket_key, key),
            };
        }
        if self.leaves_out(object.is_latest) {
            return OUT_OF_SCOPE;
        }
        for &rule in &scope.conditional {
            match answer_row(&self.policy.rules[rule.as_index()].scope, object) {
                Answer::No => {}
                Answer::Unknown => return undecided(rule),
                Answer::Yes => return self.rule_on(rule, object, &scope.exceptions),
            }
        }
        match scope.otherwise {
            Some(rule) => self.rule_on(rule, object, &scope.exceptions),
            None => self.unmatched(),
        }
    }

    /// Judges one object the plain way: every condition of every rule, in order.
    pub fn judge_object(&self, object: &Object<'_>) -> Ruling {
        if self.leaves_out(object.is_latest) {
            return OUT_OF_SCOPE;
        }
        let key = ObjectKey::parse(object.key);
        for (id, rule) in self.rules() {
            let answer = rule.scope.answer_place(object.bucket, &key).and(answer_row(&rule.scope, object));
            match answer {
                Answer::No => {}
                Answer::Unknown => return undecided(id),
                Answer::Yes => {
                    let exceptions: Vec<usize> = (0..self.policy.exceptions.len())
                        .filter(|at| self.exception_holds(*at, |scope| scope.answer_place(object.bucket, &key)))
                        .collect();
                    return self.rule_on(id, object, &exceptions);
                }
            }
        }
        self.unmatched()
    }

    /// How each rule up to the deciding one was tried on an object.
    pub fn trace(&self, object: &Object<'_>) -> Vec<RuleTrace<'_>> {
        let key = ObjectKey::parse(object.key);
        let mut traces = Vec::new();
        for rule in &self.policy.rules {
            let open = open_conditions(&rule.scope, object, &key);
            let answer = open.iter().map(|(_, answer)| *answer).min().unwrap_or(Answer::Yes);
            traces.push(RuleTrace { rule, answer, open });
            if answer != Answer::No {
                break;
            }
        }
        traces
    }

    /// The exception that covers a violation of the rule by the object.
    pub fn exception_for(&self, rule: RuleId, object: &Object<'_>) -> Option<&super::Exception> {
        let key = ObjectKey::parse(object.key);
        self.policy.exceptions.iter().enumerate().find_map(|(at, exception)| {
            let holds = self
                .exception_holds(at, |scope| scope.answer_place(object.bucket, &key).and(answer_row(scope, object)));
            (exception.rule == rule && holds).then_some(exception)
        })
    }

    /// The exceptions that have expired.
    pub fn expired_exceptions(&self) -> impl Iterator<Item = &super::Exception> {
        self.policy.exceptions.iter().filter(|exception| self.as_of >= exception.expires)
    }

    fn rules(&self) -> impl Iterator<Item = (RuleId, &Rule)> {
        // The policy file has at most u16::MAX rules.
        self.policy.rules.iter().enumerate().map(|(at, rule)| (RuleId(at as u16), rule))
    }

    fn exception_holds(&self, at: usize, answer: impl Fn(&Where) -> Answer) -> bool {
        let exception = &self.policy.exceptions[at];
        // An exception that cannot be decided covers nothing: the violation stands.
        self.as_of < exception.expires && answer(&exception.scope) == Answer::Yes
    }

    #[inline]
    fn rule_on(&self, rule: RuleId, object: &Object<'_>, exceptions: &[usize]) -> Ruling {
        let mut ruling = self.rule_simply(Some(rule), object.status, object.bucket_key, object.encrypted_under);
        if ruling.verdict == Verdict::Violation {
            ruling.exception = self.covering(rule, object, exceptions);
            if ruling.exception.is_some() {
                ruling.verdict = Verdict::Excepted;
            }
        }
        ruling
    }

    fn covering(&self, rule: RuleId, object: &Object<'_>, exceptions: &[usize]) -> Option<ExceptionId> {
        let covers = |at: &&usize| {
            let exception = &self.policy.exceptions[**at];
            exception.rule == rule && answer_row(&exception.scope, object) == Answer::Yes
        };
        // The policy file has at most u32::MAX exceptions.
        exceptions.iter().find(covers).map(|at| ExceptionId(*at as u32))
    }

    fn unmatched(&self) -> Ruling {
        match self.policy.unmatched {
            Unmatched::OutOfScope => OUT_OF_SCOPE,
            Unmatched::Violation => {
                Ruling { verdict: Verdict::Violation, reason: Some(Reason::Unmatched), ..OUT_OF_SCOPE }
            }
        }
    }
}

const OUT_OF_SCOPE: Ruling = Ruling { verdict: Verdict::OutOfScope, reason: None, rule: None, exception: None };

fn undecided(rule: RuleId) -> Ruling {
    Ruling { verdict: Verdict::Undetermined, reason: Some(Reason::ScopeUnknown), rule: Some(rule), exception: None }
}

fn answer_row(scope: &Where, object: &Object<'_>) -> Answer {
    scope.answer_row(object.key, object.storage_class, object.last_modified)
}

fn open_conditions(scope: &Where, object: &Object<'_>, key: &ObjectKey<'_>) -> Vec<(&'static str, Answer)> {
    let account = key.account.map(Account::to_digits);
    let region = key.region.as_ref().map(|region| region.as_bytes());
    let glob = |globs: &Option<super::Globs>, field| Answer::from_bool(super::matches(globs.as_ref(), field));
    let answers = [
        ("bucket", glob(&scope.bucket, Some(object.bucket))),
        ("kind", glob(&scope.kind, Some(key.kind))),
        ("account", glob(&scope.account, account.as_ref().map(<[u8; 12]>::as_slice))),
        ("region", glob(&scope.region, region)),
        ("key", glob(&scope.key, Some(object.key))),
        ("storage_class", scope.answer_class(object.storage_class)),
        ("written_from / written_before", scope.answer_written(object.last_modified)),
    ];
    answers.into_iter().filter(|(_, answer)| *answer != Answer::Yes).collect()
}

/// Whether a rule allows a key. A bare id may be that of any replica.
fn answer_key(rule: &Rule, key: KeyName<'_>) -> KeyAnswer {
    let (id, account) = match key {
        KeyName::Arn(arn) if rule.allows_key(arn) => return KeyAnswer::Allowed,
        KeyName::Arn(_) => return KeyAnswer::Forbidden,
        KeyName::Id { id, account } => (id, account),
    };
    let Some(keys) = &rule.keys else { return KeyAnswer::Allowed };
    let is_same =
        |named: &&super::NamedKey| named.arn.id() == id && (account.is_empty() || named.arn.account() == account);
    let is_certain = |named: &super::NamedKey| named.replicas || !named.arn.is_multi_region();
    match keys.iter().filter(is_same).map(is_certain).max() {
        Some(true) => KeyAnswer::Allowed,
        Some(false) => KeyAnswer::Unknown,
        None => KeyAnswer::Forbidden,
    }
}

fn table(rule: &Rule) -> Table {
    Status::ALL
        .map(|status| BucketKey::ALL.map(|bucket_key| KeyAnswer::ALL.map(|key| judge(rule, status, bucket_key, key))))
}

/// What several answers come to. Only where all lead to the same verdict it does not matter which of them is right.
fn settle(rulings: impl Iterator<Item = (Verdict, Option<Reason>)>, doubt: Doubt) -> (Verdict, Option<Reason>) {
    let reason = match doubt {
        Doubt::Conflict => Reason::KeyEvidenceConflict,
        Doubt::Unknown => Reason::KeyUnknown,
    };
    let open = (Verdict::Undetermined, Some(reason));
    let agreed = rulings.reduce(|one, other| if one.0 == other.0 { (one.0, one.1.min(other.1)) } else { open });
    agreed.filter(|(verdict, _)| *verdict != Verdict::Undetermined).unwrap_or(open)
}

/// What a rule says. Certain violations come before everything that is unknown.
fn judge(rule: &Rule, status: Status, bucket_key: BucketKey, key: KeyAnswer) -> (Verdict, Option<Reason>) {
    let violation = |reason| (Verdict::Violation, Some(reason));
    let undetermined = |reason| (Verdict::Undetermined, Some(reason));
    let method = match status {
        Status::SseS3 => Method::SseS3,
        Status::SseKms => Method::SseKms,
        Status::DsseKms => Method::DsseKms,
        Status::SseC => Method::SseC,
        Status::NotSse => return violation(Reason::NotEncrypted),
        Status::Absent => return undetermined(Reason::StatusAbsent),
        Status::Blank => return undetermined(Reason::StatusBlank),
        Status::Unrecognised => return undetermined(Reason::StatusUnrecognised),
    };
    if !rule.encryption.contains(&method) {
        return violation(Reason::MethodNotAllowed);
    }
    let binds_key = rule.keys.is_some() && matches!(method, Method::SseKms | Method::DsseKms);
    if binds_key && key == KeyAnswer::Forbidden {
        return violation(Reason::KeyNotAllowed);
    }
    let needs_bucket_key = rule.bucket_key == BucketKeyDemand::Required && method == Method::SseKms;
    if needs_bucket_key && bucket_key == BucketKey::Disabled {
        return violation(Reason::BucketKeyDisabled);
    }
    match key {
        KeyAnswer::Unknown if binds_key => return undetermined(Reason::KeyUnknown),
        KeyAnswer::Stale if binds_key => return undetermined(Reason::KeyEvidenceStale),
        _ => {}
    }
    if needs_bucket_key && bucket_key == BucketKey::Unknown {
        return undetermined(Reason::BucketKeyUnknown);
    }
    (Verdict::Compliant, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn checker(text: &str) -> Checker {
        let policy = Policy::from_toml(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        Checker::new(policy, Timestamp::from_date(2026, 11, 21).expect("a date"))
    }

    fn object(status: Status, bucket_key: BucketKey) -> Object<'static> {
        Object {
            bucket: b"b",
            key: b"AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/f",
            is_latest: Flag::True,
            last_modified: Timestamp::from_date(2024, 5, 6),
            storage_class: b"STANDARD",
            status,
            bucket_key,
            encrypted_under: KeyState::Unknown,
        }
    }

    /// Both ways of judging, which must agree.
    fn judge(checker: &Checker, object: &Object<'_>) -> (Verdict, Option<Reason>) {
        let plain = checker.judge_object(object);
        let scope = checker.scope(object.bucket, &ObjectKey::parse(object.key));
        assert_eq!(checker.judge_in(&scope, object), plain);
        (plain.verdict, plain.reason)
    }

    #[test]
    fn certain_violations_come_before_everything_unknown() {
        use BucketKey::{Disabled, Enabled, Unknown};
        let rule = "encryption = [\"SSE-KMS\", \"DSSE-KMS\", \"SSE-C\"]\nkeys = [\"k\"]\nbucket_key = \"required\"";
        let checker = checker(&format!("[keys]\nk = \"{KEY}\"\n[[rule]]\nid = \"r\"\n{rule}"));
        let violation = |reason| (Verdict::Violation, Some(reason));
        let undetermined = |reason| (Verdict::Undetermined, Some(reason));
        let cases = [
            (Status::NotSse, Unknown, violation(Reason::NotEncrypted)),
            (Status::SseS3, Disabled, violation(Reason::MethodNotAllowed)),
            (Status::SseKms, Disabled, violation(Reason::BucketKeyDisabled)),
            (Status::SseKms, Enabled, undetermined(Reason::KeyUnknown)),
            (Status::SseKms, Unknown, undetermined(Reason::KeyUnknown)),
            (Status::DsseKms, Disabled, undetermined(Reason::KeyUnknown)),
            (Status::SseC, Disabled, (Verdict::Compliant, None)),
            (Status::Absent, Disabled, undetermined(Reason::StatusAbsent)),
            (Status::Blank, Disabled, undetermined(Reason::StatusBlank)),
            (Status::Unrecognised, Disabled, undetermined(Reason::StatusUnrecognised)),
        ];
        for (status, bucket_key, expected) in cases {
            assert_eq!(judge(&checker, &object(status, bucket_key)), expected, "{status:?} {bucket_key:?}");
        }
    }

    #[test]
    fn an_undecided_rule_does_not_fall_through() {
        let strict =
            "[[rule]]\nid = \"strict\"\nencryption = [\"SSE-KMS\"]\nwhere = { storage_class = [\"GLACIER\"] }\n";
        let mild = "[[rule]]\nid = \"mild\"\nencryption = [\"SSE-S3\"]\n";
        let checker = checker(&format!("{strict}{mild}"));
        let sse_s3 = object(Status::SseS3, BucketKey::Unknown);
        assert_eq!(judge(&checker, &sse_s3), (Verdict::Compliant, None));
        let in_glacier = Object { storage_class: b"GLACIER", ..sse_s3 };
        assert_eq!(judge(&checker, &in_glacier), (Verdict::Violation, Some(Reason::MethodNotAllowed)));
        let somewhere = Object { storage_class: b"", ..sse_s3 };
        assert_eq!(judge(&checker, &somewhere), (Verdict::Undetermined, Some(Reason::ScopeUnknown)));
    }

    #[test]
    fn exceptions_hold_through_their_last_day_and_only_when_certain() {
        let with = |condition: &str, expires: &str| {
            let rule = "[[rule]]\nid = \"r\"\nencryption = [\"SSE-KMS\"]\n";
            checker(&format!(
                "{rule}[[exception]]\nid = \"e\"\nrule = \"r\"\nwhere = {{ {condition} }}\nexpires = {expires}"
            ))
        };
        let bad = object(Status::SseS3, BucketKey::Unknown);
        let verdict = |checker: &Checker, object: &Object<'_>| judge(checker, object).0;
        let account = "account = [\"1111*\"]";
        assert_eq!(verdict(&with(account, "2026-11-21"), &bad), Verdict::Excepted);
        assert_eq!(verdict(&with(account, "2026-11-20"), &bad), Verdict::Violation);
        assert_eq!(verdict(&with("account = [\"2*\"]", "2027-01-01"), &bad), Verdict::Violation);
        let undated = Object { last_modified: None, ..bad };
        let dated = with("written_before = 2025-01-01", "2027-01-01");
        assert_eq!((verdict(&dated, &bad), verdict(&dated, &undated)), (Verdict::Excepted, Verdict::Violation));
        let unknown = object(Status::Blank, BucketKey::Unknown);
        assert_eq!(verdict(&with(account, "2027-01-01"), &unknown), Verdict::Undetermined);
    }

    #[test]
    fn what_no_rule_matches_follows_the_policy() {
        let rule = "[[rule]]\nid = \"r\"\nencryption = [\"SSE-KMS\"]\nwhere = { kind = [\"Config\"] }\n";
        let good = object(Status::SseKms, BucketKey::Enabled);
        assert_eq!(judge(&checker(rule), &good), (Verdict::OutOfScope, None));
        let strict = checker(&format!("unmatched = \"violation\"\nversions = \"current\"\n{rule}"));
        assert_eq!(judge(&strict, &good), (Verdict::Violation, Some(Reason::Unmatched)));
        let noncurrent = Object { is_latest: Flag::False, ..good };
        assert_eq!(judge(&strict, &noncurrent), (Verdict::OutOfScope, None));
        let maybe_current = Object { is_latest: Flag::Blank, ..good };
        assert_eq!(judge(&strict, &maybe_current), (Verdict::Violation, Some(Reason::Unmatched)));
    }

    #[test]
    fn a_field_that_an_object_lacks_matches_nothing() {
        let rule = "[[rule]]\nid = \"r\"\nencryption = [\"SSE-KMS\"]\nwhere = { account = [\"*\"] }\n";
        let elsewhere = Object { key: b"notes/today", ..object(Status::SseS3, BucketKey::Unknown) };
        assert_eq!(judge(&checker(rule), &elsewhere), (Verdict::OutOfScope, None));
    }
}
