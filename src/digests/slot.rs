//! Where digests and logs belong: what their names and folders say.
//!
//! Names are `ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOMEREGION_YYYYMMDDTHHMMSSZ[_backfill].json.gz`. Trails may have
//! underscores in their names, so names are read from both ends.

use std::fmt;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Serialize;

use crate::object_key::{Account, OTHER, Region, RollupKind, split_at_anchor};
use crate::timestamp::Timestamp;

/// The folder of digests.
pub(super) const DIGEST_FOLDER: &[u8] = b"CloudTrail-Digest";
/// What stands behind the name of an object whose answer of HeadObject a file holds.
pub(super) const SIDECAR_SUFFIX: &[u8] = b".head.json";

/// The two kinds of chains, which know nothing of each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ChainKind {
    /// A digest every hour.
    Standard,
    /// Digests of logs that were delivered too late for the others.
    Backfill,
}

/// What the name of a digest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DigestName<'n> {
    pub(super) account: Account,
    pub(super) region: Region,
    pub(super) trail: &'n [u8],
    pub(super) home_region: Region,
    pub(super) end: Timestamp,
    pub(super) kind: ChainKind,
}

/// What an object is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ObjectKind {
    Digest,
    /// What HeadObject says of a digest.
    DigestMetadata,
    Log,
    /// What HeadObject says of a log, by its name.
    LogMetadata,
    /// A file of a kind that we do not know: a log only if a digest lists it.
    Unknown,
    /// What macOS leaves beside files, by its name.
    Leaving,
    Other,
}

/// An object's path from the folder `AWSLogs` on, and what stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PathPlace<'k> {
    pub(super) before: &'k [u8],
    pub(super) path: &'k [u8],
    pub(super) kind: ObjectKind,
}

/// A place whose path is kept.
pub(super) struct KeptPlace {
    key: Vec<u8>,
    before_len: usize,
    kind: ObjectKind,
}

impl<'k> PathPlace<'k> {
    /// The first folder before `AWSLogs`, if there is one, and the path below it, which goes to `rest`.
    pub(super) fn split<'r>(&self, rest: &'r mut Vec<u8>) -> (&'k [u8], &'r [u8]) {
        let (top, prefix) = match memchr::memchr(b'/', self.before) {
            Some(slash) => (&self.before[..slash], &self.before[slash + 1..]),
            None => (&b""[..], &b""[..]),
        };
        rest.clear();
        rest.extend_from_slice(prefix);
        rest.extend_from_slice(self.path);
        (top, rest)
    }

    /// Its path in the root.
    pub(super) fn to_vec(self) -> Vec<u8> {
        [self.before, self.path].concat()
    }

    pub(super) fn is_in_log_folder(&self) -> bool {
        split_at_anchor(self.path).is_some_and(|(_, _, parsed)| is_log_kind(parsed.kind))
    }

    pub(super) fn keep(&self) -> KeptPlace {
        KeptPlace { key: [self.before, self.path].concat(), before_len: self.before.len(), kind: self.kind }
    }
}

impl KeptPlace {
    pub(super) fn get(&self) -> PathPlace<'_> {
        let (before, path) = self.key.split_at(self.before_len);
        PathPlace { before, path, kind: self.kind }
    }
}

/// What a folder of AWS holds.
#[derive(Clone, Copy, Debug)]
enum Folder {
    Digests,
    Logs,
    Unknown,
    Others,
}

/// Finds the places of objects, which all objects of a folder have in common but for their names.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// The last folder, with the slash behind it.
    folder: Vec<u8>,
    /// How much stands before `AWSLogs` there.
    found: Option<(usize, Folder)>,
}

impl Places {
    /// Nothing for what is no log of AWS.
    pub(super) fn of<'k>(&mut self, key: &'k [u8]) -> Option<PathPlace<'k>> {
        let folder = &key[..memchr::memrchr(b'/', key).map_or(0, |slash| slash + 1)];
        if folder != self.folder {
            self.folder.clear();
            self.folder.extend_from_slice(folder);
            self.found = split_at_anchor(folder).map(|(before, _, parsed)| (before.len(), Folder::of(parsed.kind)));
        }
        let (before_len, folder) = self.found?;
        let (before, path) = key.split_at(before_len);
        Some(PathPlace { before, path, kind: ObjectKind::of(path, folder) })
    }
}

impl Folder {
    fn of(kind: &[u8]) -> Self {
        match kind {
            DIGEST_FOLDER => Self::Digests,
            kind if is_log_kind(kind) => Self::Logs,
            kind if RollupKind::named(kind).is_some() => Self::Others,
            _ => Self::Unknown,
        }
    }
}

/// Whether digests cover a kind: whatever CloudTrail delivers but for digests and the results of queries, the kinds that it
/// will have one day included.
pub(super) fn is_log_kind(kind: &[u8]) -> bool {
    match kind.strip_prefix(b"CloudTrail") {
        Some(b"") => true,
        Some(rest) => rest.starts_with(b"-") && !matches!(rest, b"-Digest" | b"-Lake"),
        None => false,
    }
}

/// Whether a log may hold data events, by its kind: those kinds have none that are of other events or of sums.
pub(super) fn may_hold_data_events(kind: &[u8]) -> bool {
    !matches!(kind, b"CloudTrail-Insight" | b"CloudTrail-NetworkActivity" | b"CloudTrail-Aggregated")
}

/// Whether a file at such a path may be, or hold, what digests are about: it is not among the logs of another service.
pub(super) fn may_hold_logs(path: &[u8]) -> bool {
    split_at_anchor(path).is_none_or(|(_, _, parsed)| {
        let kind = parsed.kind;
        kind == OTHER.as_bytes() || kind.starts_with(b"CloudTrail") || RollupKind::named(kind).is_none()
    })
}

impl ObjectKind {
    /// Whether such a file is one of CloudTrail's, or may be.
    pub(super) fn is_ours(self) -> bool {
        match self {
            Self::Digest | Self::DigestMetadata | Self::Log | Self::LogMetadata | Self::Unknown => true,
            Self::Leaving | Self::Other => false,
        }
    }

    fn of(path: &[u8], folder: Folder) -> Self {
        let name = &path[memchr::memrchr(b'/', path).map_or(0, |slash| slash + 1)..];
        let is_leaving = name.starts_with(b"._") || name == b".DS_Store";
        match folder {
            Folder::Others => Self::Other,
            _ if is_leaving => Self::Leaving,
            // A folder that S3 has an object for.
            _ if name.is_empty() => Self::Other,
            Folder::Digests if name.ends_with(SIDECAR_SUFFIX) => Self::DigestMetadata,
            Folder::Digests if name.ends_with(b".json.gz") => Self::Digest,
            Folder::Digests => Self::Other,
            Folder::Logs if name.ends_with(SIDECAR_SUFFIX) => Self::LogMetadata,
            Folder::Logs => Self::Log,
            Folder::Unknown => Self::Unknown,
        }
    }
}

/// The part of a key that tells objects apart wherever they were copied to: from `AWSLogs` on.
pub(super) fn path_of(key: &[u8]) -> &[u8] {
    const ANCHOR: &[u8] = b"AWSLogs/";
    static FINDER: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(ANCHOR));
    // The usual key begins with the only such folder, and so it is all the same whether that is the one of a log.
    let is_usual = key.starts_with(ANCHOR) && FINDER.find(&key[ANCHOR.len()..]).is_none();
    if is_usual { key } else { split_at_anchor(key).map_or(key, |(_, path, _)| path) }
}

impl<'n> DigestName<'n> {
    /// Takes the name of a digest apart, whatever folders stand before it.
    pub(super) fn parse(key: &'n [u8]) -> Option<Self> {
        let name = key.rsplit(|byte| *byte == b'/').next()?.strip_suffix(b".json.gz")?;
        let (name, kind) = match name.strip_suffix(b"_backfill") {
            Some(name) => (name, ChainKind::Backfill),
            None => (name, ChainKind::Standard),
        };
        let (account, rest) = name.split_first_chunk::<12>()?;
        let rest = rest.strip_prefix(b"_CloudTrail-Digest_")?;
        let region = rest.split(|byte| *byte == b'_').next()?;
        let rest = rest[region.len()..].strip_prefix(b"_")?;
        let (rest, end) = rest.split_last_chunk::<16>()?;
        let rest = rest.strip_suffix(b"_")?;
        let home_region = rest.rsplit(|byte| *byte == b'_').next()?;
        let trail = rest[..rest.len() - home_region.len()].strip_suffix(b"_")?;
        Some(Self {
            account: Account::parse(account)?,
            region: Region::parse(region)?,
            trail: Some(trail).filter(|trail| is_trail(trail))?,
            home_region: Region::parse(home_region)?,
            end: parse_basic(end)?,
            kind,
        })
    }
}

/// Trails have names of 3 to 128 letters, digits, dots, hyphens and underscores.
fn is_trail(name: &[u8]) -> bool {
    (3..=128).contains(&name.len())
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// `20150817T150131Z`.
fn parse_basic(text: &[u8; 16]) -> Option<Timestamp> {
    let [y, yy, yyy, yyyy, m, mm, d, dd, t, h, hh, i, ii, s, ss, z] = *text;
    Timestamp::parse(&[y, yy, yyy, yyyy, b'-', m, mm, b'-', d, dd, t, h, hh, b':', i, ii, b':', s, ss, z])
}

impl fmt::Display for ChainKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Standard => "standard",
            Self::Backfill => "backfill",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Region, trail, home Region and end.
    fn parsed(name: &str) -> Option<(String, String, String, String, ChainKind)> {
        let DigestName { region, trail, home_region, end, kind, .. } = DigestName::parse(name.as_bytes())?;
        let trail = String::from_utf8(trail.to_vec()).expect("ASCII");
        Some((region.to_string(), trail, home_region.to_string(), end.to_string(), kind))
    }

    #[test]
    fn names_are_read_from_both_ends() {
        let cases = [
            ("us-east-2_your-trail-name_us-east-2_20150817T150131Z", "us-east-2", "your-trail-name", "us-east-2"),
            (
                "us-gov-west-1_a_us-east-1_b_ap-southeast-4_20150817T150131Z_backfill",
                "us-gov-west-1",
                "a_us-east-1_b",
                "ap-southeast-4",
            ),
        ];
        for (name, region, trail, home) in cases {
            let kind = if name.ends_with("_backfill") { ChainKind::Backfill } else { ChainKind::Standard };
            let expected = (region.into(), trail.into(), home.into(), "2015-08-17T15:01:31.000Z".into(), kind);
            assert_eq!(parsed(&format!("p/111122223333_CloudTrail-Digest_{name}.json.gz")), Some(expected));
        }
    }

    #[test]
    fn names_of_something_else_are_refused() {
        let right = "111122223333_CloudTrail-Digest_us-east-2_trail_us-east-2_20150817T150131Z.json.gz";
        assert!(parsed(right).is_some());
        for (from, to) in [
            ("111122223333", "11112222333x"),
            ("CloudTrail-Digest", "CloudTrail"),
            ("_trail_", "_"),
            ("_trail_", "_ab_"),
            ("_trail_", "_a\u{e9}bc_"),
            ("us-east-2_trail", "nowhere_trail"),
            ("trail_us-east-2", "trail_nowhere"),
            ("20150817T150131Z", "20150231T150131Z"),
            ("20150817T150131Z", "2015-08-17T15:01"),
            (".json.gz", ".json"),
            (".json.gz", "_backfill_backfill.json.gz"),
        ] {
            assert_eq!(parsed(&right.replace(from, to)), None, "{to}");
        }
    }

    #[test]
    fn places_begin_with_the_right_folder() {
        let mut places = Places::default();
        let mut place = |key: &'static str| places.of(key.as_bytes()).map(|place| (place.before, place.kind));
        assert_eq!(
            place("b/p/AWSLogs/o-exampleorg1/111122223333/CloudTrail-Digest/us-east-2/2015/08/17/x.json.gz"),
            Some((&b"b/p/"[..], ObjectKind::Digest))
        );
        assert_eq!(place("AWSLogs/111122223333/CloudTrail/us-east-2/f.json.gz"), Some((&b""[..], ObjectKind::Log)));
        assert_eq!(
            place("AWSLogs/AWSLogs/111122223333/CloudTrail-Digest/x.json.gz.head.json"),
            Some((&b"AWSLogs/"[..], ObjectKind::DigestMetadata))
        );
        assert_eq!(place("AWSLogs/111122223333/CloudTrail-Digest/.DS_Store"), Some((&b""[..], ObjectKind::Leaving)));
        for (path, kind) in [
            ("AWSLogs/111122223333/CloudTrail/us-east-2/f.JSON", ObjectKind::Log),
            ("AWSLogs/111122223333/CloudTrail-Future/us-east-2/f.tar", ObjectKind::Log),
            ("AWSLogs/111122223333/CloudTrail/us-east-2/f.json.gz.head.json", ObjectKind::LogMetadata),
            ("AWSLogs/111122223333/CloudTrail/us-east-2/._f.json.gz", ObjectKind::Leaving),
            ("AWSLogs/111122223333/CloudTrail/", ObjectKind::Other),
            ("AWSLogs/111122223333/CloudTrail-Lake/Query/f.csv.gz", ObjectKind::Other),
            ("AWSLogs/111122223333/Config/us-east-2/f.json.gz", ObjectKind::Other),
            ("AWSLogs/111122223333/Something/us-east-2/f.json.gz", ObjectKind::Unknown),
        ] {
            assert_eq!(place(path), Some((&b""[..], kind)), "{path}");
        }
        assert_eq!(place("elsewhere/x.json.gz"), None);
    }
}
