//! What jobs need and no inventory report can tell: accounts, roles and places in S3, checked when they are read.
//!
//! They end up in requests, policies and shell commands, so only what is harmless in all of these is accepted.

use std::fmt;
use std::str::FromStr;

use crate::object_key::Account;

/// What the person who runs the jobs says about them. What is missing becomes a placeholder.
#[derive(Clone, Debug, Default)]
pub struct JobSettings {
    /// The account that runs the jobs.
    pub account_id: Option<Account>,
    /// The role that the jobs assume.
    pub role_arn: Option<RoleArn>,
    /// Where the manifests are uploaded: the folder of all remediation, as it is here.
    pub manifest_location: Option<S3Location>,
    /// Where S3 writes what became of each object.
    pub report_location: Option<S3Location>,
}

/// The ARN of an IAM role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleArn(String);

/// A bucket, and the prefix of some of its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Location {
    bucket: String,
    prefix: String,
}

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// It is no ARN of a role.
    #[error("not the ARN of an IAM role (arn:aws:iam::111122223333:role/NAME): {0}")]
    NoRole(String),
    /// It does not begin with `s3://` and a bucket.
    #[error("not of the form s3://BUCKET/PREFIX: {0}")]
    NoS3Uri(String),
    /// No bucket can be called so.
    #[error("no bucket has this name (3 to 63 lower-case letters, digits, dots and hyphens): {0}")]
    BucketName(String),
    /// S3 Batch Operations takes no manifests from there and writes no reports there.
    #[error("a directory bucket can hold neither manifests nor reports: {0}")]
    DirectoryBucket(String),
    /// The prefix has an empty part, `.` or `..`.
    #[error("the prefix has an empty part, `.` or `..` between its slashes: {0}")]
    PrefixPart(String),
    /// The prefix would have to be encoded somewhere.
    #[error("the prefix may have letters, digits and `-_.=/` only: {0}")]
    PrefixCharacter(String),
    /// The prefix is too long for reports.
    #[error("the prefix is longer than {MAX_PREFIX} characters: {0}")]
    PrefixLength(String),
}

/// That of the reports of S3 Batch Operations (`ReportPrefixString` of the service model).
const MAX_PREFIX: usize = 512;

impl FromStr for RoleArn {
    type Err = SettingError;

    fn from_str(text: &str) -> Result<Self, SettingError> {
        if is_role_arn(text) { Ok(Self(text.to_owned())) } else { Err(SettingError::NoRole(text.to_owned())) }
    }
}

fn is_role_arn(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else { return false };
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-/".contains(&byte);
    let is_name = |name: &str| !name.is_empty() && !name.ends_with('/') && name.bytes().all(is_name_byte);
    partition.starts_with("aws")
        && partition.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
        && Account::parse(account.as_bytes()).is_some()
        && resource.strip_prefix("role/").is_some_and(is_name)
        && text.len() <= 2048
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for S3Location {
    type Err = SettingError;

    /// Reads `s3://BUCKET/PREFIX`; the prefix may be missing, and slashes at its end do not count.
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let wrong = || text.to_owned();
        let path = text.strip_prefix("s3://").ok_or_else(|| SettingError::NoS3Uri(wrong()))?;
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        let prefix = prefix.trim_end_matches('/');
        if bucket.is_empty() {
            Err(SettingError::NoS3Uri(wrong()))
        } else if !is_bucket(bucket) {
            Err(SettingError::BucketName(wrong()))
        } else if bucket.ends_with("--x-s3") {
            Err(SettingError::DirectoryBucket(wrong()))
        } else if !prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.=/".contains(&byte)) {
            Err(SettingError::PrefixCharacter(wrong()))
        } else if !prefix.is_empty() && prefix.split('/').any(|part| matches!(part, "" | "." | "..")) {
            Err(SettingError::PrefixPart(wrong()))
        } else if prefix.len() > MAX_PREFIX {
            Err(SettingError::PrefixLength(wrong()))
        } else {
            Ok(Self { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
        }
    }
}

fn is_bucket(name: &str) -> bool {
    let is_end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-".contains(&byte))
        && is_end(name.chars().next())
        && is_end(name.chars().next_back())
        && !name.contains("..")
}

impl S3Location {
    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The prefix, without a slash at its end; empty if there is none.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Bucket and prefix, as an ARN has them.
    pub fn path(&self) -> String {
        if self.prefix.is_empty() { self.bucket.clone() } else { format!("{}/{}", self.bucket, self.prefix) }
    }
}

impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_a_bucket_and_perhaps_a_prefix() {
        for (text, path) in [
            ("s3://org-batch", "org-batch"),
            ("s3://org-batch/", "org-batch"),
            ("s3://org.batch/a/b=1/", "org.batch/a/b=1"),
        ] {
            let location: S3Location = text.parse().unwrap();
            assert_eq!(location.path(), path);
            assert_eq!(location.to_string().parse(), Ok(location));
        }
    }

    #[test]
    fn what_is_no_location_is_refused_and_said() {
        for (text, why) in [
            ("org-batch/a", "s3://BUCKET/PREFIX"),
            ("s3:///a", "s3://BUCKET/PREFIX"),
            ("https://org-batch/a", "s3://BUCKET/PREFIX"),
            ("s3://Org-Batch/a", "no bucket"),
            ("s3://ab", "no bucket"),
            ("s3://a..b", "no bucket"),
            ("s3://-ab", "no bucket"),
            ("s3://org-batch;id/a", "no bucket"),
            ("s3://batch--use1-az1--x-s3/a", "directory bucket"),
            ("s3://org-batch//a", "empty part"),
            ("s3://org-batch/a//b", "empty part"),
            ("s3://org-batch/../b", "empty part"),
            ("s3://org-batch/a b", "letters, digits"),
            ("s3://org-batch/*", "letters, digits"),
            ("s3://org-batch/$(id)", "letters, digits"),
            (&format!("s3://org-batch/{}", "a".repeat(513)), "longer than 512"),
        ] {
            let error = text.parse::<S3Location>().unwrap_err().to_string();
            assert!(error.contains(why) && error.ends_with(text), "{error}");
        }
    }

    #[test]
    fn only_arns_of_roles_are_roles() {
        for good in ["arn:aws:iam::111122223333:role/batch", "arn:aws-us-gov:iam::111122223333:role/a/b_c+=,.@-"] {
            assert_eq!(good.parse::<RoleArn>().map(|role| role.to_string()).as_deref(), Ok(good));
        }
        for bad in [
            "batch",
            "arn:aws:iam::11112222333:role/batch",
            "arn:aws:iam::111122223333:user/batch",
            "arn:aws:iam::111122223333:role/",
            "arn:aws:iam:us-east-1:111122223333:role/batch",
            "arn:aws:iam::111122223333:role/a'b",
            "arn:aws:iam::111122223333:role/*",
        ] {
            assert_eq!(bad.parse::<RoleArn>(), Err(SettingError::NoRole(bad.to_owned())));
        }
    }
}
