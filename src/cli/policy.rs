//! `policy init` and `policy check`, and how every job gets its policy.

use std::fs;
use std::path::Path;

use logseal::escape::escape;
use logseal::policy::{Policy, Preset, PresetError};

use super::args::{PolicyArgs, PolicyCommand};
use super::{Failure, print};

pub(super) fn run(args: PolicyArgs) -> Result<u8, Failure> {
    match args.command {
        PolicyCommand::Init { preset, keys } => {
            let hint = |error: &PresetError| match error {
                PresetError::NeedsKeys(_) => Some("--key arn:aws:kms:REGION:ACCOUNT:key/ID"),
                _ => None,
            };
            let text = preset.to_toml(&keys).map_err(|error| Failure::with_hint(&error, hint(&error)))?;
            print(text.as_bytes())
        }
        PolicyCommand::Check { file } => check(&file),
    }
}

fn check(file: &Path) -> Result<u8, Failure> {
    let (standard, source) = super::settings::standard(Some(file))?;
    let demands = standard.settings.exceptions.len();
    if !standard.has_rules {
        let name = escape(standard.name.as_bytes()).into_owned();
        let text = format!("{source}: no mistakes: {name:?}, settings only, {demands} exceptions\n");
        return print(text.as_bytes());
    }
    let (policy, source) = load(Some(file))?;
    let name = escape(policy.name.as_bytes()).into_owned();
    let (rules, exceptions) = (policy.rules.len(), policy.exceptions.len());
    print(format!("{source}: no mistakes: {name:?}, {rules} rules, {exceptions} exceptions\n").as_bytes())
}

/// The policy of a file, or the preset; and what reports call it.
pub(super) fn load(file: Option<&Path>) -> Result<(Policy, String), Failure> {
    let Some(file) = file else {
        let policy = Preset::default_policy().map_err(|error| Failure::new(error.to_string()))?;
        return Ok((policy, "preset:cis".to_owned()));
    };
    let name = escape(file.as_os_str().as_encoded_bytes()).into_owned();
    let text =
        fs::read_to_string(file).map_err(|error| Failure::new(format!("cannot read the policy: {name}: {error}")))?;
    let policy = Policy::from_toml(&text).map_err(|error| {
        Failure::with_hint(format!("{name}: {error}"), Some("logseal policy init shows every field"))
    })?;
    Ok((policy, name))
}
