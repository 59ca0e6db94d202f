//! Principals, as the policies of resources name them.

use super::pattern::Pattern;

/// One principal of a statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    /// `*`: everyone, services included.
    Everyone,
    /// `{"AWS": "*"}`: everyone. AWS calls both the same for anonymous callers and does not speak of services.
    EveryoneInAws,
    /// The id or the root ARN of an account: all its principals, if IAM of the account lets them.
    Account(String),
    /// The ARN of a role, user or session.
    Arn(String),
    /// An ARN with wildcards, which matches nobody: AWS does not look for patterns here.
    Wildcards(String),
    /// `AROA...` or `AIDA...`: what is left of a role or user that was deleted.
    UniqueId(String),
    /// A service, such as `cloudtrail.amazonaws.com`.
    Service(String),
    /// A provider of identities.
    Federated(String),
    /// An account, by the id that S3 uses.
    CanonicalUser(String),
    /// Something else.
    Unknown(String),
}

impl Principal {
    /// A name of one type: `AWS`, `Service` and the like.
    pub fn new(kind: &str, name: String) -> Self {
        match kind {
            "AWS" => Self::aws(name),
            "Service" if !has_wildcards(&name) => Self::Service(name),
            "Federated" => Self::Federated(name),
            "CanonicalUser" => Self::CanonicalUser(name),
            "*" if name == "*" => Self::Everyone,
            _ => Self::Unknown(format!("{kind} {name}")),
        }
    }

    fn aws(name: String) -> Self {
        if name == "*" {
            return Self::EveryoneInAws;
        }
        if is_account_id(&name) {
            return Self::Account(name);
        }
        match Arn::parse(&name) {
            Some(arn) if arn.resource == "root" && is_account_id(arn.account) => Self::Account(arn.account.to_owned()),
            Some(arn) if arn.resource == "root" => Self::Unknown(name),
            Some(_) if has_wildcards(&name) => Self::Wildcards(name),
            Some(_) => Self::Arn(name),
            None if is_unique_id(&name) => Self::UniqueId(name),
            None => Self::Unknown(name),
        }
    }

    /// Its name, as policies have it.
    pub fn name(&self) -> &str {
        match self {
            Self::Everyone | Self::EveryoneInAws => "*",
            Self::Account(name)
            | Self::Arn(name)
            | Self::Wildcards(name)
            | Self::UniqueId(name)
            | Self::Service(name)
            | Self::Federated(name)
            | Self::CanonicalUser(name)
            | Self::Unknown(name) => name,
        }
    }
}

/// Whether the text is the id of an account.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_unique_id(text: &str) -> bool {
    let known = ["AROA", "AIDA", "AGPA", "ANPA", "AIPA"].iter().any(|prefix| text.starts_with(prefix));
    known && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b':')
}

fn has_wildcards(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// The ARN of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arn<'a> {
    pub(super) partition: &'a str,
    pub(super) service: &'a str,
    pub(super) account: &'a str,
    pub(super) resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Takes the text apart, if it is the ARN of a principal: of IAM or STS.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next()? != "arn" {
            return None;
        }
        let (partition, service, _region) = (parts.next()?, parts.next()?, parts.next()?);
        let (account, resource) = (parts.next()?, parts.next()?);
        matches!(service, "iam" | "sts").then_some(Self { partition, service, account, resource })
    }

    /// The name of a role, without its path.
    pub(super) fn role(&self) -> Option<&'a str> {
        let path = self.resource.strip_prefix("role/").filter(|_| self.service == "iam")?;
        path.rsplit('/').next()
    }

    /// The name of a user, without its path.
    pub(super) fn user(&self) -> Option<&'a str> {
        let path = self.resource.strip_prefix("user/").filter(|_| self.service == "iam")?;
        path.rsplit('/').next()
    }

    /// The name of the role whose session it is.
    pub(super) fn role_of_session(&self) -> Option<&'a str> {
        let session = self.resource.strip_prefix("assumed-role/").filter(|_| self.service == "sts")?;
        session.split('/').next()
    }

    /// Whether it is the root user of its account.
    pub(super) fn is_root(&self) -> bool {
        self.service == "iam" && self.resource == "root"
    }

    /// Whether it is a federated user.
    pub(super) fn is_federated_user(&self) -> bool {
        self.service == "sts" && self.resource.starts_with("federated-user/")
    }

    /// Whether the other is the role whose session this is. Names of roles are unique in their account, whatever the path.
    pub(super) fn is_session_of(&self, role: &Arn<'_>) -> bool {
        self.role_of_session().is_some_and(|name| role.role() == Some(name))
            && (self.account, self.partition) == (role.account, role.partition)
    }

    /// What `aws:PrincipalArn` may be: of a session it is the ARN of its role, whose path the session does not tell.
    pub(super) fn principal_arns(&self, text: &str) -> Vec<String> {
        match self.role_of_session() {
            Some(role) => {
                let start = format!("arn:{}:iam::{}:role/", self.partition, self.account);
                vec![format!("{start}{role}"), format!("{start}*/{role}")]
            }
            None => vec![text.to_owned()],
        }
    }

    /// Whether some principal of the ARN, which may be a pattern, may be of the account.
    pub(super) fn account_may_be(&self, account: &str) -> bool {
        self.account == account
            || (has_wildcards(self.account) && Pattern::new(self.account).overlaps(&Pattern::literal(account)))
    }
}
