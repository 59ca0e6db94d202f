//! Names of buckets in evidence.

/// Whether a name is that of a bucket, and not of an access point that leads to one: those are ARNs or have endings that
/// buckets cannot have.
pub(super) fn is_bucket(name: &str) -> bool {
    const ALIASES: [&str; 4] = ["-s3alias", "--ol-s3", ".mrap", "--xa-s3"];
    // Buckets of before 2018 may have 255 bytes, capitals and underscores.
    let is_of_bucket = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_alias = ALIASES.iter().any(|ending| name.ends_with(ending));
    (1..=255).contains(&name.len()) && name.bytes().all(is_of_bucket) && !is_alias
}
