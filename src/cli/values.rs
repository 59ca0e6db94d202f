//! What a typed value says, and what is wrong with it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::{PathBufValueParser, TypedValueParser};
use logseal::evidence::EvidencePath;
use logseal::object_key::Account;
use logseal::plan::Shard;
use logseal::policy::Preset;
use logseal::population::ConfigurationFile;
use logseal::timestamp::{Timestamp, parse_span};

/// A path of this machine.
pub(super) fn local_path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| check_local(&path).map(|()| path))
}

/// A folder of this machine that is written to.
pub(super) fn local_folder() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match is_remote(&path) {
        true => Err("nothing is uploaded: give a folder of this machine"),
        false => Ok(path),
    })
}

pub(super) fn parse_evidence(text: &str) -> Result<String, String> {
    let (EvidencePath::Any(path) | EvidencePath::OneKey { path, .. }) = EvidencePath::parse(text);
    check_local(&path).map(|()| text.to_owned()).map_err(str::to_owned)
}

/// Reads `FILE`, or `BUCKET=FILE`.
pub(super) fn parse_configuration(text: &str) -> Result<ConfigurationFile, String> {
    let named = text.split_once('=').filter(|(bucket, _)| is_bucket(bucket));
    let (bucket, path) = named.map_or((None, text), |(bucket, path)| (Some(bucket.to_owned()), path));
    if path.is_empty() {
        return Err("there is no file".to_owned());
    }
    check_local(Path::new(path))?;
    Ok(ConfigurationFile { bucket, path: path.into() })
}

/// Refuses what would have to be fetched.
fn check_local(path: &Path) -> Result<(), &'static str> {
    match is_remote(path) {
        true => Err(
            "nothing is fetched: copy it to this machine first, as with `aws s3 sync s3://BUCKET/PREFIX FOLDER`, and \
                     give the local copy",
        ),
        false => Ok(()),
    }
}

/// Whether it is a place on the network, and nothing on this machine is called so.
fn is_remote(path: &Path) -> bool {
    let text = path.to_string_lossy();
    let is_url = ["s3://", "s3a://", "https://", "http://", "arn:aws"].iter().any(|start| text.starts_with(start));
    is_url && std::fs::symlink_metadata(path).is_err()
}

/// Reads `BUCKET=N`.
pub(super) fn parse_expected(text: &str) -> Result<(String, u64), String> {
    let wrong = || "it is BUCKET=N, with the number of objects".to_owned();
    let (bucket, count) = text.split_once('=').filter(|(bucket, _)| is_bucket(bucket)).ok_or_else(wrong)?;
    Ok((bucket.to_owned(), count.parse().map_err(|_| wrong())?))
}

/// Whether it is written like the name of a bucket, also an old one.
fn is_bucket(text: &str) -> bool {
    let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    text.len() >= 3 && text.bytes().all(is_of_names)
}

pub(super) fn parse_account(text: &str) -> Result<Account, String> {
    Account::parse(text.as_bytes()).ok_or_else(|| "not the 12 digits of an account".into())
}

pub(super) fn parse_time(text: &str) -> Result<Timestamp, String> {
    let time = Timestamp::parse(text.as_bytes()).or_else(|| Timestamp::parse(format!("{text}T00:00:00Z").as_bytes()));
    time.ok_or_else(|| "not a date (2026-01-31) or a time in UTC (2026-01-31T00:00:00Z)".into())
}

pub(super) fn parse_age(text: &str) -> Result<i64, String> {
    parse_span(text).ok_or_else(|| "not a number of days or hours (7d, 36h)".into())
}

/// Reads `48h` or `2d`.
pub(super) fn parse_hours(text: &str) -> Result<Duration, String> {
    let (number, hours) = match text.strip_suffix('d') {
        Some(days) => (days, 24),
        None => (text.strip_suffix('h').unwrap_or(text), 1),
    };
    let hours =
        number.parse::<u64>().ok().and_then(|number| number.checked_mul(hours)).filter(|hours| *hours <= 1 << 20);
    hours
        .map(|hours| Duration::from_secs(hours * 3600))
        .ok_or_else(|| "a time is a number with h or d: 48h, 2d".to_owned())
}

/// Reads `1GiB`, `512MiB`, `64KiB` or a number of bytes.
pub(super) fn parse_size(text: &str) -> Result<u64, String> {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let (number, shift) =
        units.iter().find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, *shift))).unwrap_or((text, 0));
    let size = number.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    size.filter(|size| *size >= 1 << 20)
        .ok_or_else(|| "a size is a number with KiB, MiB or GiB, and 1MiB at least".to_owned())
}

pub(super) fn parse_jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs @ 1..=1024) => Ok(jobs),
        _ => Err("not a number from 1 to 1024".into()),
    }
}

pub(super) fn parse_manifest_rows(text: &str) -> Result<u64, String> {
    /// What S3 Batch Operations takes at most.
    const MAX: u64 = 4_000_000_000;
    match text.parse() {
        Ok(rows @ 1..=MAX) => Ok(rows),
        _ => Err(format!("not a number from 1 to {MAX}")),
    }
}

pub(super) fn parse_shard(text: &str) -> Result<Shard, String> {
    Shard::parse(text).ok_or_else(|| "not N/M with N from 1 to M".into())
}

pub(super) fn parse_preset(text: &str) -> Result<Preset, String> {
    let names = Preset::ALL.map(Preset::name).join(", ");
    Preset::ALL.into_iter().find(|preset| preset.name() == text).ok_or_else(|| format!("not one of {names}"))
}
