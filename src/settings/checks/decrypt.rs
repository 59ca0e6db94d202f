//! Who can decrypt logs: by the policy of the key, by its grants, and by IAM where the policy lets IAM decide.

use std::collections::BTreeSet;

use super::request::CLOUDTRAIL;
use super::{Basis, Conclusion, Judge, Judged, places_of, worst};
use crate::iam_policy::{
    Attachment, Caller, Certainty, Document, Fact, Facts, Grant, Pattern, Principal, Question, Request, Target, Truth,
    Who, Why, evaluate, reach,
};
use crate::json;
use crate::policy::AllowedReader;
use crate::settings::exports::partition_of;
use crate::settings::facts::{Identities, Identity, KeyGrant};
use crate::settings::observations::{Now, Said};

/// Somebody who can decrypt, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::settings) struct Decryptor {
    pub(in crate::settings) key: String,
    pub(in crate::settings) who: String,
    pub(in crate::settings) class: &'static str,
    /// `policy`, `grant` or `iam`.
    pub(in crate::settings) how: &'static str,
    pub(in crate::settings) certainty: Certainty,
    /// The statement, the grant or the principal.
    pub(in crate::settings) by: String,
    pub(in crate::settings) condition: String,
    pub(in crate::settings) can_give_itself: bool,
    pub(in crate::settings) is_allowed: bool,
}

const DECRYPTS: [&str; 2] = ["kms:Decrypt", "kms:ReEncryptFrom"];
/// What lets one give oneself the permission.
const GIVES: [&str; 2] = ["kms:CreateGrant", "kms:PutKeyPolicy"];

impl Judge<'_> {
    /// Whether only those can decrypt who may.
    pub(super) fn decrypt_scope(&self, arn: &str, judged: &mut Judged) -> Conclusion {
        let (policy, basis) = match self.key_policy(arn) {
            Ok(policy) => policy,
            Err(conclusion) => return conclusion,
        };
        let reader = Readers { judge: self, arn, policy: &policy };
        let mut conclusions = Vec::new();
        let givers: BTreeSet<Who> =
            reach(&policy, &reader.question(&GIVES)).into_iter().map(|grant| grant.who).collect();
        for grant in reach(&policy, &reader.question(&DECRYPTS)) {
            let is_giver = givers.contains(&grant.who);
            reader.by_policy(&grant, is_giver, judged, &mut conclusions);
        }
        for who in &givers {
            reader.giver(who, judged);
        }
        if !policy.not_understood.is_empty() {
            conclusions.push(Conclusion::undetermined("key_policy_unreadable").actual(policy.not_understood.join(" ")));
        }
        conclusions.push(reader.by_grants(judged));
        let conclusion = worst(conclusions).unwrap_or_else(Conclusion::compliant);
        conclusion.on(&basis)
    }
}

/// The readers of one key.
struct Readers<'r> {
    judge: &'r Judge<'r>,
    arn: &'r str,
    policy: &'r Document,
}

impl Readers<'_> {
    fn allowed(&self) -> impl Iterator<Item = &AllowedReader> {
        let as_of = self.judge.clock.as_of;
        self.judge.policy.key.decrypt.iter().flatten().filter(move |reader| reader.holds_at(as_of))
    }

    /// What is asked of log objects: S3 asks for whoever reads, in the context that CloudTrail and S3 gave.
    fn facts(&self) -> Facts {
        let (_, region) = places_of(self.arn);
        Facts::new()
            .with("kms:ViaService", self.via_s3(region))
            .with("aws:SecureTransport", Fact::known("true"))
            .with_prefix("kms:EncryptionContext:", Fact::absent())
            .with("kms:EncryptionContext:aws:cloudtrail:arn", Fact::like(["arn:*:cloudtrail:*:*:trail/*"]).or_absent())
            .with("kms:EncryptionContext:aws:s3:arn", Fact::like(["arn:*:s3:::*"]))
            .with("kms:EncryptionContextKeys", Fact::unknown())
            .with("kms:GrantIsForAWSResource", Fact::absent())
    }

    /// How S3 is called as the service in between. In China both spellings are seen.
    fn via_s3(&self, region: &str) -> Fact {
        let name = format!("s3.{region}.amazonaws.com");
        match partition_of(region) {
            "aws-cn" => Fact::like([format!("{name}.cn"), name]),
            _ => Fact::known(name),
        }
    }

    fn question<'q>(&self, actions: &'q [&'q str]) -> Question<'q> {
        Question { actions, resource: Target::exact(self.arn), facts: self.facts(), anonymous: false }
    }

    fn request(&self, caller: Caller, action: &str, attachment: Attachment) -> Request {
        let resource = Target::exact(self.arn);
        Request { caller, action: action.to_owned(), resource, facts: self.facts(), attachment }
    }

    fn by_policy(&self, grant: &Grant, is_giver: bool, judged: &mut Judged, conclusions: &mut Vec<Conclusion>) {
        let (own_account, _) = places_of(self.arn);
        let statement = grant.by.sid.clone().unwrap_or_else(|| format!("statement {}", grant.by.index + 1));
        let is_allowed = self.is_allowed(&grant.who);
        let decryptor = Decryptor {
            key: self.arn.to_owned(),
            who: grant.who.name().to_owned(),
            class: grant.who.class().as_str(),
            how: "policy",
            certainty: grant.certainty,
            by: statement,
            condition: grant.condition.clone(),
            can_give_itself: is_giver,
            is_allowed,
        };
        let shown = format!("{} {}", grant.who.class().as_str(), grant.who.name());
        let iam_decides = grant.why.contains(&Why::IamDecides);
        // The statement may be narrowed to some principals of the account.
        // Whatever IAM says, nobody else can by this statement.
        let is_one_who_may = matches!(grant.who, Who::Principal(_) | Who::Roles(_)) && self.names(grant.who.name());
        if iam_decides && !is_one_who_may && grant.left_to.as_deref() == Some(own_account) {
            // The row of the account is only shown where nothing more is known of its principals.
            if !self.by_iam(judged, conclusions) {
                judged.decryptors.push(decryptor);
            }
            return;
        }
        judged.decryptors.push(decryptor);
        if is_allowed {
            return;
        }
        let is_dead = grant.why.contains(&Why::DeadPrincipal);
        if is_dead && self.is_no_longer(grant.who.name()) {
            return;
        }
        let conclusion = match grant.certainty {
            // The whole of another account is allowed: its IAM decides who of it.
            Certainty::Unknown if iam_decides => Conclusion::violation("decrypt_account_not_allowed"),
            Certainty::Unknown => Conclusion::undetermined(unknown_reason(&grant.why)),
            Certainty::Exact | Certainty::Conditional => Conclusion::violation(self.violated(grant)),
        };
        conclusions.push(conclusion.actual(shown).expected(self.expected()));
    }

    fn expected(&self) -> String {
        self.allowed().map(|reader| reader.principal.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn violated(&self, grant: &Grant) -> &'static str {
        let (own_account, _) = places_of(self.arn);
        match &grant.who {
            _ if grant.why.contains(&Why::NotPrincipal) => "decrypt_not_principal",
            Who::Everyone => "decrypt_public",
            Who::Organisation(_) => "decrypt_whole_organization",
            Who::Account(account) if account == own_account => "decrypt_whole_account",
            Who::Account(_) => "decrypt_account_not_allowed",
            Who::Roles(_) | Who::Principal(_) => "decrypt_principal_not_allowed",
            Who::Service(_) => "decrypt_service_not_allowed",
        }
    }

    /// Whether all of a class may.
    fn is_allowed(&self, who: &Who) -> bool {
        match who {
            // CloudTrail itself needs it where buckets have Bucket Keys.
            Who::Service(name) if name == CLOUDTRAIL => true,
            Who::Everyone | Who::Organisation(_) => false,
            Who::Account(account) => {
                let partition = self.arn.split(':').nth(1).unwrap_or("aws");
                self.allowed().any(|reader| is_root_of(&reader.principal, partition, account))
            }
            Who::Roles(name) | Who::Principal(name) | Who::Service(name) => self.covers(name),
        }
    }

    /// Whether somebody may: by name, or as one of a whole account.
    fn covers(&self, name: &str) -> bool {
        let who = Who::Roles(name.to_owned());
        let (partition, account) = (name.split(':').nth(1).unwrap_or_default(), who.account());
        let is_of_whole = |account| self.allowed().any(|reader| is_root_of(&reader.principal, partition, account));
        account.is_some_and(is_of_whole) || self.names(name)
    }

    fn names(&self, name: &str) -> bool {
        // A session is its role.
        let role = role_of_session(name);
        self.allowed().any(|reader| {
            let pattern = Pattern::new(&reader.principal);
            let covers = |name: &str| pattern.covers(&Pattern::new(name));
            covers(name) || role.as_deref().is_some_and(covers)
        })
    }

    /// Whether IAM of the account shows that nobody has that id.
    fn is_no_longer(&self, id: &str) -> bool {
        let (own_account, _) = places_of(self.arn);
        let account = self.judge.model.accounts.get(own_account);
        let now = account.map(|account| account.identities.now(&self.judge.clock));
        // The id of a session begins with that of its role.
        let id = id.split(':').next().unwrap_or(id);
        now.as_ref().and_then(Now::known).is_some_and(|identities| !identities.ids.contains(id))
    }

    /// The principals of the key's account that IAM lets decrypt; says whether IAM was exported.
    fn by_iam(&self, judged: &mut Judged, conclusions: &mut Vec<Conclusion>) -> bool {
        let (own_account, _) = places_of(self.arn);
        let account = self.judge.model.accounts.get(own_account);
        let Some(now) = account.map(|account| account.identities.now(&self.judge.clock)) else {
            conclusions.push(Conclusion::undetermined("iam_decides").actual(format!("account {own_account}")));
            return false;
        };
        let basis = Basis::of(&now);
        let (identities, is_whole) = match now.said {
            Said::Known(identities) => (identities, true),
            Said::Incomplete(identities) => (identities, false),
            _ => {
                let conclusion =
                    Conclusion::undetermined(now.why("iam_decides")).actual(format!("account {own_account}"));
                conclusions.push(conclusion.on(&basis));
                return false;
            }
        };
        self.principals(identities, &basis, judged, conclusions);
        self.root_user(judged);
        if !is_whole {
            conclusions.push(Conclusion::undetermined("iam_incomplete").on(&basis));
        }
        is_whole
    }

    /// Where IAM decides, the root user always can: listed, not judged.
    fn root_user(&self, judged: &mut Judged) {
        let (own_account, _) = places_of(self.arn);
        let partition = self.arn.split(':').nth(1).unwrap_or("aws");
        let who = format!("arn:{partition}:iam::{own_account}:root");
        judged.decryptors.push(Decryptor {
            key: self.arn.to_owned(),
            is_allowed: self.covers(&who),
            who,
            class: "root user",
            how: "iam",
            certainty: Certainty::Exact,
            by: "root user".to_owned(),
            condition: String::new(),
            can_give_itself: true,
        });
    }

    fn principals(
        &self,
        identities: &Identities,
        basis: &Basis,
        judged: &mut Judged,
        conclusions: &mut Vec<Conclusion>,
    ) {
        for (arn, principal) in &identities.principals {
            let can = self.principal_can(arn, principal);
            if can == Truth::False {
                continue;
            }
            // Where they are known one by one, they must be named so.
            let is_allowed = self.names(arn);
            judged.decryptors.push(Decryptor {
                key: self.arn.to_owned(),
                who: arn.clone(),
                class: "principal",
                how: "iam",
                certainty: if can == Truth::True { Certainty::Exact } else { Certainty::Unknown },
                by: "identity policies".to_owned(),
                condition: String::new(),
                can_give_itself: false,
                is_allowed,
            });
            if !is_allowed {
                let conclusion = match can {
                    Truth::True => Conclusion::violation("decrypt_principal_not_allowed"),
                    _ => Conclusion::undetermined("condition_unknown"),
                };
                conclusions.push(conclusion.actual(arn.as_str()).expected(self.expected()).on(basis));
            }
        }
    }

    /// Whether identity policies let a principal decrypt, and the key's policy leaves it to them and does not deny it.
    fn principal_can(&self, arn: &str, principal: &Identity) -> Truth {
        let answers = DECRYPTS.map(|action| {
            let request = |attachment| self.request(Caller::Principal(arn.to_owned()), action, attachment);
            // The key's policy may leave some of them to IAM only.
            let by_key = evaluate(self.policy, &request(Attachment::Resource));
            let (mut allow, mut deny) = (Truth::False, by_key.deny);
            for text in &principal.policies {
                match Document::parse(text) {
                    Ok(document) => {
                        let evaluation = evaluate(&document, &request(Attachment::Identity));
                        (allow, deny) = (allow.or(evaluation.allow), deny.or(evaluation.deny));
                    }
                    Err(_) => allow = allow.or(Truth::Unknown),
                }
            }
            // What a boundary takes away is not looked at.
            let allow = if principal.has_boundary { allow.at_most_unknown() } else { allow };
            Truth::all([!deny, allow, by_key.delegated])
        });
        Truth::any(answers)
    }

    fn by_grants(&self, judged: &mut Judged) -> Conclusion {
        let now = self.judge.model.keys.get(self.arn).map(|key| key.grants.now(&self.judge.clock));
        let Some(now) = now else { return Conclusion::undetermined("grants_absent") };
        let basis = Basis::of(&now);
        let (grants, is_whole) = match now.said {
            Said::Known(grants) => (grants, true),
            Said::Incomplete(grants) => (grants, false),
            _ => return Conclusion::undetermined(now.why("grants_absent")).on(&basis),
        };
        let mut conclusions = vec![match is_whole {
            true => Conclusion::compliant(),
            false => Conclusion::undetermined("grants_absent"),
        }];
        for grant in grants.iter().filter(|grant| can_be_for_logs(&grant.constraints)) {
            let decrypts = decrypts(grant);
            let can = |grantee: &&String| decrypts != Truth::False && !self.is_denied(grant, grantee);
            for grantee in grant.grantees.iter().filter(can) {
                let is_allowed = self.covers(grantee) || grantee == CLOUDTRAIL || self.is_dead(grantee);
                judged.decryptors.push(self.grantee(grant, grantee, is_allowed));
                if !is_allowed {
                    let conclusion = match decrypts {
                        Truth::True => Conclusion::violation("decrypt_grant_not_allowed"),
                        _ => Conclusion::undetermined("grant_operation_unknown"),
                    };
                    conclusions.push(conclusion.actual(grantee.as_str()).expected(self.expected()));
                }
            }
        }
        worst(conclusions).unwrap_or_else(Conclusion::compliant).on(&basis)
    }

    /// Whether the policy of the key surely denies a grantee what its grant is for.
    fn is_denied(&self, grant: &KeyGrant, grantee: &str) -> bool {
        let caller = match grantee.ends_with(".amazonaws.com") {
            true => Caller::Service(grantee.to_owned()),
            false => Caller::Principal(grantee.to_owned()),
        };
        let denies = |action: &&str| {
            evaluate(self.policy, &self.request(caller.clone(), action, Attachment::Resource)).deny == Truth::True
        };
        let is_known = |action: &&str| grant.operations.contains(action.trim_start_matches("kms:"));
        // Whose account is meant is not its root user only.
        let is_whole = matches!(Principal::new("AWS", grantee.to_owned()), Principal::Account(_));
        !is_whole && decrypts(grant) == Truth::True && DECRYPTS.iter().filter(|action| is_known(action)).all(denies)
    }

    /// Whether it is the id of somebody who was deleted.
    fn is_dead(&self, id: &str) -> bool {
        matches!(Principal::new("AWS", id.to_owned()), Principal::UniqueId(_)) && self.is_no_longer(id)
    }

    fn grantee(&self, grant: &KeyGrant, who: &str, is_allowed: bool) -> Decryptor {
        let is_service = who.ends_with(".amazonaws.com");
        let is_conditional = !grant.constraints.is_empty();
        Decryptor {
            key: self.arn.to_owned(),
            who: who.to_owned(),
            class: if is_service { "service" } else { "principal" },
            how: "grant",
            certainty: match decrypts(grant) {
                Truth::True if is_conditional => Certainty::Conditional,
                Truth::True => Certainty::Exact,
                _ => Certainty::Unknown,
            },
            by: grant.id.clone(),
            condition: grant.constraints.clone(),
            can_give_itself: grant.operations.contains("CreateGrant"),
            is_allowed,
        }
    }

    /// Somebody who could give itself the permission: listed, not judged.
    fn giver(&self, who: &Who, judged: &mut Judged) {
        let is_known = |known: &Decryptor| known.key == self.arn && known.who == who.name();
        if judged.decryptors.iter().any(is_known) {
            return;
        }
        judged.decryptors.push(Decryptor {
            key: self.arn.to_owned(),
            who: who.name().to_owned(),
            class: who.class().as_str(),
            how: "policy",
            certainty: Certainty::Unknown,
            by: "can give itself the permission".to_owned(),
            condition: String::new(),
            can_give_itself: true,
            is_allowed: self.is_allowed(who),
        });
    }
}

fn unknown_reason(why: &BTreeSet<Why>) -> &'static str {
    let has = |one| why.contains(&one);
    match () {
        () if has(Why::NotUnderstood) || has(Why::TooMuchWork) => "key_policy_unreadable",
        () if has(Why::DeadPrincipal) || has(Why::UnresolvedPrincipal) => "principal_unresolved",
        () => "condition_unknown",
    }
}

/// Whether a reader of the standard is a whole account: its root, and no pattern that happens to take it.
fn is_root_of(reader: &str, partition: &str, account: &str) -> bool {
    reader.ends_with(":root")
        && Pattern::new(reader).covers(&Pattern::literal(&format!("arn:{partition}:iam::{account}:root")))
}

/// Whether a grant is for decrypting; not known where one of its operations is none that KMS documents.
fn decrypts(grant: &KeyGrant) -> Truth {
    const OTHERS: [&str; 15] = [
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "ReEncryptTo",
        "Sign",
        "Verify",
        "GetPublicKey",
        "CreateGrant",
        "RetireGrant",
        "DescribeKey",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
        "GenerateMac",
        "VerifyMac",
        "DeriveSharedSecret",
    ];
    Truth::any(grant.operations.iter().map(|operation| match operation.as_str() {
        "Decrypt" | "ReEncryptFrom" => Truth::True,
        other if OTHERS.contains(&other) => Truth::False,
        _ => Truth::Unknown,
    }))
}

/// Whether a grant can be used for log objects: whoever is bound to a context of another service cannot.
fn can_be_for_logs(constraints: &str) -> bool {
    const OF_LOGS: [&str; 2] = ["aws:cloudtrail:arn", "aws:s3:arn"];
    let constraints = json::parse(constraints.as_bytes()).unwrap_or_default();
    let contexts = ["EncryptionContextEquals", "EncryptionContextSubset"].map(|name| constraints[name].as_object());
    contexts.into_iter().flatten().flat_map(|context| context.keys()).all(|key| OF_LOGS.contains(&key.as_str()))
}

/// The role of `arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION`.
fn role_of_session(arn: &str) -> Option<String> {
    let (before, behind) = arn.split_once(":assumed-role/")?;
    let (name, _) = behind.split_once('/')?;
    Some(format!("{}:role/{name}", before.replacen(":sts:", ":iam:", 1)))
}
