//! Names and places as exports spell them.

use crate::settings::facts::{Name, Place};

/// The partition of a Region.
pub(in crate::settings) fn partition_of(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("us-iso-") => "aws-iso",
        _ if region.starts_with("us-isob-") => "aws-iso-b",
        _ if region.starts_with("eu-isoe-") => "aws-iso-e",
        _ if region.starts_with("us-isof-") => "aws-iso-f",
        _ if region.starts_with("eusc-") => "aws-eusc",
        _ => "aws",
    }
}

/// The ARN of a trail that was asked for by its ARN or its name.
pub(super) fn trail_arn(asked: &str, place: &Place) -> Name {
    match asked.starts_with("arn:") {
        true => asked.into(),
        false => {
            let Place { account, region } = place;
            format!("arn:{}:cloudtrail:{region}:{account}:trail/{asked}", partition_of(region)).into()
        }
    }
}

/// The ARN of a key that was asked for by its ARN or its id; nothing for an alias.
pub(super) fn key_arn(asked: &str, place: &Place) -> Option<Name> {
    let Place { account, region } = place;
    let is_alias = asked.starts_with("alias/") || asked.contains(":alias/");
    match asked.starts_with("arn:") {
        _ if is_alias => None,
        true => Some(asked.into()),
        false => Some(format!("arn:{}:kms:{region}:{account}:key/{asked}", partition_of(region)).into()),
    }
}

/// The alias that a key was asked for by, and where it is.
pub(super) fn alias_named(asked: &str, place: &Place) -> Option<(Place, String)> {
    if asked.starts_with("alias/") {
        return Some((place.clone(), asked.to_owned()));
    }
    let (arn, alias) = asked.split_once(":alias/")?;
    let mut parts = arn.split(':').skip(3);
    let (region, account) = (parts.next()?.into(), parts.next()?.into());
    Some((Place { account, region }, format!("alias/{alias}")))
}

/// Whether a text is the id of an account.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text looks like a Region: `eu-west-1`, `us-gov-west-1`.
pub(super) fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let begins = parts.next().is_some_and(|part| part.len() >= 2 && part.bytes().all(|byte| byte.is_ascii_lowercase()));
    let ends =
        text.rsplit('-').next().is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()));
    let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    begins && ends && plain && parts.count() >= 2 && text.len() <= 32
}
