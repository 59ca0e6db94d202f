//! Policies that come with the program, as the commented files that `policy init` writes.

use super::{KeyArn, Policy, PolicyError};

/// A policy that comes with the program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// CloudTrail logs under KMS keys, digests under any encryption.
    #[default]
    Cis,
    /// The same demand on every log under `AWSLogs/`.
    AwsLogs,
    /// Every object encrypted in some way.
    Encrypted,
    /// CloudTrail logs under the customer's own named keys.
    Cmk,
}

/// Why a preset cannot be written out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PresetError {
    /// The preset names keys, and none was given.
    #[error("the preset {0} needs the ARN of at least one key")]
    NeedsKeys(&'static str),
    /// The preset has no place for keys.
    #[error("the preset {0} takes no keys")]
    TakesNoKeys(&'static str),
    /// It is no ARN of a key.
    #[error("not the full ARN of a KMS key: {0}")]
    NoArn(String),
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Cis, Self::AwsLogs, Self::Encrypted, Self::Cmk];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cis => "cis",
            Self::AwsLogs => "aws-logs",
            Self::Encrypted => "encrypted",
            Self::Cmk => "cmk",
        }
    }

    /// The policy file, with the keys filled in.
    pub fn to_toml(self, keys: &[String]) -> Result<String, PresetError> {
        let text = match self {
            Self::Cis => include_str!("presets/cis.toml"),
            Self::AwsLogs => include_str!("presets/aws-logs.toml"),
            Self::Encrypted => include_str!("presets/encrypted.toml"),
            Self::Cmk => include_str!("presets/cmk.toml"),
        };
        match (self, keys) {
            (Self::Cmk, []) => Err(PresetError::NeedsKeys(self.name())),
            (Self::Cmk, keys) => fill_in(text, keys),
            (_, []) => Ok(text.to_owned()),
            _ => Err(PresetError::TakesNoKeys(self.name())),
        }
    }

    /// The policy that is used when none is given: CIS AWS Foundations.
    pub fn default_policy() -> Result<Policy, PolicyError> {
        Policy::from_toml(include_str!("presets/cis.toml"))
    }
}

fn fill_in(text: &str, keys: &[String]) -> Result<String, PresetError> {
    if let Some(bad) = keys.iter().find(|key| KeyArn::parse(key).is_none()) {
        return Err(PresetError::NoArn(bad.clone()));
    }
    let names: Vec<String> = (1..=keys.len()).map(|number| format!("key-{number}")).collect();
    let lines: String = names.iter().zip(keys).map(|(name, key)| format!("{name} = \"{key}\"\n")).collect();
    let list: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
    Ok(text.replace("@KEYS@\n", &lines).replace("@NAMES@", &list.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn every_preset_is_a_policy() {
        for preset in Preset::ALL {
            let keys = if preset == Preset::Cmk { vec![KEY.to_owned(), KEY.replace("1234", "5678")] } else { vec![] };
            let text = preset.to_toml(&keys).expect("a file");
            let policy = Policy::from_toml(&text).expect("a policy");
            assert_eq!(policy.keys.len(), keys.len(), "{}", preset.name());
            assert_eq!(policy.remediation.is_some(), preset == Preset::Cmk);
        }
    }

    #[test]
    fn keys_go_where_they_have_a_place() {
        assert_eq!(Preset::Cmk.to_toml(&[]), Err(PresetError::NeedsKeys("cmk")));
        assert_eq!(Preset::Cis.to_toml(&[KEY.to_owned()]), Err(PresetError::TakesNoKeys("cis")));
        assert_eq!(Preset::Cmk.to_toml(&["alias/x".to_owned()]), Err(PresetError::NoArn("alias/x".into())));
    }
}
