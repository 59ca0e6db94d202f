//! What an object's key says: kind, organisation, account, Region and date.
//!
//! AWS services write logs as `[prefix/]AWSLogs/[ORG/]ACCOUNT/KIND/[REGION/[YYYY/MM/DD/]]FILE`, flow logs also as
//! `[prefix/]AWSLogs/aws-account-id=ACCOUNT/aws-service=KIND/aws-region=REGION/year=YYYY/month=MM/day=DD/FILE`. Whoever
//! configures a service chooses the prefix, which may look like all of this; what the service writes itself comes last, so
//! the last `AWSLogs/` that such folders follow decides. Only whole folders count: a segment without a slash behind it is
//! the file name. Keys are taken as raw, decoded bytes. Whoever writes to a bucket chooses its keys, so nothing here is
//! trusted: an account is 12 digits, a Region has the form of one, and a kind that AWS is not known to write has a name of
//! its own only inside [`ObjectKey`], never in a rollup.

use std::fmt;
use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of a kind that is not under `AWSLogs/ACCOUNT/`.
pub const OTHER: &str = "other";
/// The rollup name of a kind that lies under `AWSLogs/ACCOUNT/` but that we do not know.
pub const OTHER_SERVICE: &str = "other-service";

/// What a rollup may call a kind: those that AWS is known to write, as their folder is called, and the rest. In order.
const ROLLUP_KINDS: [&str; 19] = [
    "CloudFront",
    "CloudTrail",
    "CloudTrail-Aggregated",
    "CloudTrail-Digest",
    "CloudTrail-Insight",
    "CloudTrail-Lake",
    "CloudTrail-NetworkActivity",
    "Config",
    "GuardDuty",
    "KafkaBrokerLogs",
    "WAFLogs",
    "elasticloadbalancing",
    "globalaccelerator",
    "network-firewall",
    OTHER,
    OTHER_SERVICE,
    "redshift",
    "vpcdnsquerylogs",
    "vpcflowlogs",
];

/// A key taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObjectKey<'k> {
    /// The real name of the kind: a folder's name, or `other`.
    pub kind: &'k [u8],
    /// The organisation id, such as `o-exampleorg1`.
    pub organisation: Option<&'k [u8]>,
    /// The account that the log is about.
    pub account: Option<Account>,
    /// The Region that the log is about.
    pub region: Option<Region>,
    /// Year, month and day of the folder, as far as they are there and are numbers.
    pub date: Option<(u16, u8, u8)>,
    /// How much of the key decides kind, account and Region.
    scope_len: usize,
}

impl<'k> ObjectKey<'k> {
    /// Takes a raw key apart. Every key has an answer; one that is no log of AWS has the kind `other` and nothing else.
    pub fn parse(key: &'k [u8]) -> Self {
        if let Some((_, parsed)) = last_log_part(key) {
            return parsed;
        }
        Self { kind: OTHER.as_bytes(), organisation: None, account: None, region: None, date: None, scope_len: 0 }
    }

    /// The start of the key that decides everything but the date: keys that share it share kind, account and Region.
    pub fn scope_prefix(key: &'k [u8], parsed: &Self) -> &'k [u8] {
        &key[..parsed.scope_len]
    }

    /// The kind under which this key is counted: a known name, `other-service` or `other`.
    pub fn rollup_kind(&self) -> RollupKind {
        if self.account.is_none() {
            return RollupKind::OTHER;
        }
        RollupKind::named(self.kind).unwrap_or(RollupKind::OTHER_SERVICE)
    }

    fn parse_below(key: &'k [u8], anchor: usize) -> Option<Self> {
        let mut folders = Folders { key, at: anchor };
        let mut folder = folders.next()?;
        let organisation = is_organisation(folder).then_some(folder);
        if organisation.is_some() {
            folder = folders.next()?;
        }
        let account = Account::parse(value_of(folder, b"aws-account-id="))?;
        let mut parsed = Self {
            kind: OTHER.as_bytes(),
            organisation,
            account: Some(account),
            region: None,
            date: None,
            scope_len: folders.at,
        };
        let Some(kind) = folders.next() else { return Some(parsed) };
        (parsed.kind, parsed.scope_len) = (value_of(kind, b"aws-service="), folders.at);
        let region = folders.next().map(|folder| value_of(folder, b"aws-region="));
        let Some(region) = region.and_then(Region::parse) else { return Some(parsed) };
        (parsed.region, parsed.scope_len) = (Some(region), folders.at);
        parsed.date = parse_date(&mut folders);
        Some(parsed)
    }
}

/// A key in two: what stands before the folder `AWSLogs` of a log, and all from there on; and what it says.
pub(crate) fn split_at_anchor(key: &[u8]) -> Option<(&[u8], &[u8], ObjectKey<'_>)> {
    let (anchor, parsed) = last_log_part(key)?;
    let (before, path) = key.split_at(anchor - ANCHOR.len());
    Some((before, path, parsed))
}

/// The folder that the logs of all accounts are in.
const ANCHOR: &[u8] = b"AWSLogs/";

/// What the last part of a key says that has the form of a log, and the position behind its anchor.
fn last_log_part(key: &[u8]) -> Option<(usize, ObjectKey<'_>)> {
    anchors(key).filter_map(|anchor| Some((anchor, ObjectKey::parse_below(key, anchor)?))).last()
}

/// The positions behind all folders called `AWSLogs`.
fn anchors(key: &[u8]) -> impl Iterator<Item = usize> {
    static FINDER: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(ANCHOR));
    FINDER.find_iter(key).filter(|&at| at == 0 || key[at - 1] == b'/').map(|at| at + ANCHOR.len())
}

/// Whether there can be a folder called `AWSLogs` in a part of a key: one letter that few keys have, followed by another.
pub(crate) fn may_have_anchor(part: &[u8]) -> bool {
    let Some((_, seconds)) = part.split_first() else { return false };
    let firsts = &part[..seconds.len()];
    let is_pair = |(one, other): (&[u8; 8], &[u8; 8])| spots(one, b'S') & spots(other, b'L');
    let Some(last) = firsts.last_chunk().zip(seconds.last_chunk()) else {
        return part.windows(2).any(|pair| pair == b"SL");
    };
    let pairs = firsts.as_chunks().0.iter().zip(seconds.as_chunks().0);
    pairs.fold(is_pair(last), |found, pair| found | is_pair(pair)) != 0
}

/// Whether a part of a key is more than the name of a file. Every row is asked: eight bytes at once, and no choice to make.
#[inline]
pub(crate) fn has_folder(part: &[u8]) -> bool {
    let Some(last) = part.last_chunk() else { return part.contains(&b'/') };
    part.as_chunks().0.iter().fold(spots(last, b'/'), |found, word| found | spots(word, b'/')) != 0
}

/// Nought if a byte is none of these eight, and else the high bit of the first that it is, perhaps among others.
#[inline]
fn spots(word: &[u8; 8], byte: u8) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // Those that are it become nought, and taking one from nought sets the high bit.
    let differing = u64::from_le_bytes(*word) ^ (ONES * u64::from(byte));
    differing.wrapping_sub(ONES) & !differing & (ONES << 7)
}

/// What a folder of a Hive-compatible key says, such as `vpcflowlogs` of `aws-service=vpcflowlogs`; other folders say what
/// they are called.
fn value_of<'k>(folder: &'k [u8], name: &[u8]) -> &'k [u8] {
    folder.strip_prefix(name).filter(|value| !value.is_empty()).unwrap_or(folder)
}

/// The folders of a key from a position on; the file name behind the last slash is none.
struct Folders<'k> {
    key: &'k [u8],
    at: usize,
}

impl<'k> Iterator for Folders<'k> {
    type Item = &'k [u8];

    #[inline]
    fn next(&mut self) -> Option<&'k [u8]> {
        let rest = &self.key[self.at..];
        let len = memchr::memchr(b'/', rest)?;
        self.at += len + 1;
        (len > 0).then(|| &rest[..len])
    }
}

fn is_organisation(folder: &[u8]) -> bool {
    let Some(id) = folder.strip_prefix(b"o-") else { return false };
    (10..=32).contains(&id.len()) && id.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn parse_date(folders: &mut Folders<'_>) -> Option<(u16, u8, u8)> {
    let mut number = |name: &[u8], digits: std::ops::RangeInclusive<usize>| {
        let folder = value_of(folders.next()?, name);
        let shaped = digits.contains(&folder.len()) && folder.iter().all(u8::is_ascii_digit);
        shaped.then(|| folder.iter().fold(0, |number: u16, byte| number * 10 + u16::from(byte - b'0')))
    };
    let (year, month, day) = (number(b"year=", 4..=4)?, number(b"month=", 1..=2)?, number(b"day=", 1..=2)?);
    ((1..=12).contains(&month) && (1..=31).contains(&day)).then_some((year, month as u8, day as u8))
}

/// A kind that is safe to count by: a known one, `other-service` or `other`. Ordered by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RollupKind(u8);

impl RollupKind {
    /// How many there are.
    pub(crate) const COUNT: usize = ROLLUP_KINDS.len();
    const OTHER: Self = Self(14);
    const OTHER_SERVICE: Self = Self(15);

    /// The kind of that name, or nothing when it is none.
    pub fn named(name: &[u8]) -> Option<Self> {
        ROLLUP_KINDS.binary_search_by(|kind| kind.as_bytes().cmp(name)).ok().map(|at| Self(at as u8))
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        ROLLUP_KINDS[usize::from(self.0)]
    }

    /// Its position among all kinds.
    pub(crate) fn as_index(self) -> u8 {
        self.0
    }

    /// The kind that [`Self::as_index`] belongs to.
    pub(crate) fn from_index(index: u8) -> Self {
        Self(index)
    }
}

/// An AWS account: 12 digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(u64);

impl Account {
    /// Refuses everything but 12 digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let shaped = text.len() == 12 && text.iter().all(u8::is_ascii_digit);
        shaped.then(|| Self(text.iter().fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))))
    }

    /// The 12 digits.
    pub fn to_digits(self) -> [u8; 12] {
        let (mut digits, mut rest) = ([b'0'; 12], self.0);
        for digit in digits.iter_mut().rev() {
            *digit += (rest % 10) as u8;
            rest /= 10;
        }
        digits
    }

    /// The digits as one number.
    pub(crate) fn as_number(self) -> u64 {
        self.0
    }

    /// The account that [`Self::as_number`] belongs to.
    pub(crate) fn from_number(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for RollupKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_ascii(f, &self.to_digits())
    }
}

/// An AWS Region, such as `us-gov-west-1`: a text that has the form of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region {
    // Padded with zeroes, so that the derived order is that of the text.
    text: [u8; Self::MAX_LEN],
}

impl Region {
    /// The longest Region today has 14 bytes.
    pub(crate) const MAX_LEN: usize = 24;

    /// Refuses what does not read like a Region: 2 to 4 letters, words of letters, a number of 1 or 2 digits, joined by `-`.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > Self::MAX_LEN {
            return None;
        }
        let mut words = text.split(|&byte| byte == b'-');
        let partition = words.next()?;
        let number = words.next_back()?;
        let mut inner = words.peekable();
        inner.peek()?;
        let is_word = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_lowercase);
        let shaped = (2..=4).contains(&partition.len())
            && is_word(partition)
            && inner.all(is_word)
            && (1..=2).contains(&number.len())
            && number.iter().all(u8::is_ascii_digit);
        shaped.then(|| {
            let mut padded = [0; Self::MAX_LEN];
            padded[..text.len()].copy_from_slice(text);
            Self { text: padded }
        })
    }

    /// The Region's name.
    pub fn as_bytes(&self) -> &[u8] {
        let len = self.text.iter().position(|&byte| byte == 0).unwrap_or(Self::MAX_LEN);
        &self.text[..len]
    }

    /// The Region's name and zeroes behind it.
    pub(crate) fn as_padded(&self) -> &[u8; Self::MAX_LEN] {
        &self.text
    }

    /// The Region that [`Self::as_padded`] belongs to.
    pub(crate) fn from_padded(text: [u8; Self::MAX_LEN]) -> Self {
        Self { text }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_ascii(f, self.as_bytes())
    }
}

fn write_ascii(f: &mut fmt::Formatter<'_>, text: &[u8]) -> fmt::Result {
    f.write_str(std::str::from_utf8(text).map_err(|_| fmt::Error)?)
}

/// Serde as the text that `$parse` reads.
macro_rules! serde_as_text {
    ($type:ty, $parse:expr, $what:literal) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $parse(text.as_bytes()).ok_or_else(|| serde::de::Error::custom(concat!("not ", $what)))
            }
        }
    };
}

serde_as_text!(Account, Account::parse, "an account of 12 digits");
serde_as_text!(Region, Region::parse, "a Region");
serde_as_text!(RollupKind, RollupKind::named, "a kind");

#[cfg(test)]
mod tests {
    use super::*;

    /// Kind, account and Region.
    fn parsed(key: &str) -> (String, Option<String>, Option<String>) {
        let parsed = ObjectKey::parse(key.as_bytes());
        let kind = String::from_utf8_lossy(parsed.kind).into_owned();
        (kind, parsed.account.map(|account| account.to_string()), parsed.region.map(|region| region.to_string()))
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_log_of_an_organisation_trail() {
        let key = "audit/x/AWSLogs/o-exampleorg1/111122223333/CloudTrail/us-gov-west-1/2024/05/06/f.json.gz";
        assert_eq!(parsed(key), ("CloudTrail".into(), some("111122223333"), some("us-gov-west-1")));
        let parsed = ObjectKey::parse(key.as_bytes());
        assert_eq!((parsed.organisation, parsed.date), (Some(&b"o-exampleorg1"[..]), Some((2024, 5, 6))));
    }

    #[test]
    fn parts_that_are_missing_are_missing() {
        let account = || some("111122223333");
        let cases = [
            ("AWSLogs/111122223333/Config/eu-west-1/2024/5/6/ConfigHistory/f", "Config", account(), Some((2024, 5, 6))),
            ("AWSLogs/111122223333/WAFLogs/cloudfront/acl/f", "WAFLogs", account(), None),
            (
                "AWSLogs/111122223333/CloudTrail-Lake/Query/2024/05/06/q/result_1.csv.gz",
                "CloudTrail-Lake",
                account(),
                None,
            ),
            ("AWSLogs/111122223333/CloudTrail/", "CloudTrail", account(), None),
            ("AWSLogs/111122223333/ELBAccessLogTestFile", "other", account(), None),
            ("AWSLogs/111122223333/CloudTrail/us-east-1/2024/13/06/f", "CloudTrail", account(), None),
            ("AWSLogs/11112222333/CloudTrail/us-east-1/f", "other", None, None),
            ("AWSLogs/111122223333", "other", None, None),
            ("AWSLogs//111122223333/CloudTrail/f", "other", None, None),
            ("xAWSLogs/111122223333/CloudTrail/f", "other", None, None),
            ("", "other", None, None),
        ];
        for (key, kind, account, date) in cases {
            let (found_kind, found_account, _) = parsed(key);
            let found_date = ObjectKey::parse(key.as_bytes()).date;
            assert_eq!((found_kind.as_str(), found_account, found_date), (kind, account, date), "{key}");
        }
    }

    #[test]
    fn a_prefix_may_look_like_the_anchor() {
        let (kind, account, region) = parsed("AWSLogs/AWSLogs/111122223333/CloudTrail/us-east-1/f");
        assert_eq!((kind.as_str(), account, region), ("CloudTrail", some("111122223333"), some("us-east-1")));
    }

    /// Both layouts, below prefixes that look like either.
    #[test]
    fn the_part_that_the_service_writes_decides() {
        let own = [
            ("AWSLogs/111122223333/vpcflowlogs/us-east-1/2024/05/06/", "vpcflowlogs", some("us-east-1"), true),
            (
                "AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/year=2024/month=05/day=06/",
                "vpcflowlogs",
                some("us-east-1"),
                true,
            ),
            (
                "AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/year=2024/month=05/day=06/\
                 hour=07/",
                "vpcflowlogs",
                some("us-east-1"),
                true,
            ),
            ("AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/", "CloudTrail", some("us-east-1"), true),
            ("AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/", "vpcflowlogs", None, false),
            ("AWSLogs/aws-account-id=111122223333/", "other", None, false),
        ];
        let prefixes = [
            "",
            "p/",
            "AWSLogs/",
            "AWSLogs/444455556666/",
            "AWSLogs/444455556666/Config/",
            "AWSLogs/o-exampleorg1/444455556666/Config/eu-west-1/2020/01/02/",
            "AWSLogs/aws-account-id=444455556666/aws-service=Config/aws-region=eu-west-1/year=2020/",
            "x/AWSLogs/444455556666/CloudTrail-Digest/",
        ];
        for prefix in prefixes {
            for (part, kind, region, is_dated) in &own {
                let key = format!("{prefix}{part}f.gz");
                assert_eq!(parsed(&key), ((*kind).to_owned(), some("111122223333"), region.clone()), "{key}");
                assert_eq!(ObjectKey::parse(key.as_bytes()).date, is_dated.then_some((2024, 5, 6)), "{key}");
                let split = split_at_anchor(key.as_bytes()).map(|(before, path, _)| (before, path));
                assert_eq!(split, Some(key.as_bytes().split_at(prefix.len())), "{key}");
            }
        }
        // What only looks like a part of a log decides nothing.
        for tail in
            ["AWSLogs/f", "AWSLogs/x/CloudTrail/f", "xAWSLogs/444455556666/Config/f", "AWSLogs/aws-account-id=/f"]
        {
            let key = format!("AWSLogs/111122223333/CloudTrail/us-east-1/{tail}");
            assert_eq!(parsed(&key).0, "CloudTrail", "{key}");
        }
        assert_eq!(parsed("AWSLogs/aws-account-id=11112222333/aws-service=vpcflowlogs/f").0, OTHER);
        assert_eq!(parsed("AWSLogs/111122223333/aws-service=/f").0, "aws-service=");
    }

    #[test]
    fn an_anchor_and_a_folder_are_seen_wherever_they_stand() {
        for len in 0..100 {
            let plain = vec![b'S'; len];
            assert!(!may_have_anchor(&plain) && !has_folder(&plain), "{len}");
            for at in 0..len {
                // Those beside the slash differ from it by one bit each.
                let mut part = [b'.', b'0', 0xaf, 0x0f].repeat(25)[..len].to_vec();
                assert!(!has_folder(&part), "{len}");
                part[at] = b'/';
                assert!(has_folder(&part), "{len} {at}");
            }
            for at in 0..(len + 1).saturating_sub(ANCHOR.len()) {
                let mut part = plain.clone();
                part[at..at + ANCHOR.len()].copy_from_slice(ANCHOR);
                assert!(may_have_anchor(&part), "{len} {at}");
            }
        }
    }

    #[test]
    fn keys_with_one_scope_prefix_share_their_answer() {
        for key in ["p/AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/f", "AWSLogs/111122223333/x/y/z", "plain"] {
            let whole = ObjectKey::parse(key.as_bytes());
            let prefix = [ObjectKey::scope_prefix(key.as_bytes(), &whole), b"9/f"].concat();
            let other = ObjectKey::parse(&prefix);
            assert_eq!((whole.kind, whole.account, whole.region), (other.kind, other.account, other.region), "{key}");
        }
    }

    #[test]
    fn invented_names_do_not_reach_a_rollup() {
        let kind = |key: &str| ObjectKey::parse(key.as_bytes()).rollup_kind().as_str();
        assert_eq!(kind("AWSLogs/111122223333/vpcflowlogs/us-east-1/f"), "vpcflowlogs");
        assert_eq!(kind("AWSLogs/111122223333/invented/us-east-1/f"), OTHER_SERVICE);
        assert_eq!(kind("CloudTrail/us-east-1/f"), OTHER);
        assert_eq!(Region::parse(b"us-east-1").map(|r| r.to_string()), some("us-east-1"));
        for text in [
            "useast1",
            "us-1",
            "u-east-1",
            "us-east-",
            "us--1",
            "us-East-1",
            "us-east-100",
            "xx-aaaaaaaaaaaaaaaaaaaaaaaaa-1",
        ] {
            assert_eq!(Region::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn kinds_are_in_order_and_found_by_name() {
        assert!(ROLLUP_KINDS.is_sorted());
        assert_eq!((RollupKind::OTHER.as_str(), RollupKind::OTHER_SERVICE.as_str()), (OTHER, OTHER_SERVICE));
        for (index, name) in ROLLUP_KINDS.iter().enumerate() {
            let kind = RollupKind::named(name.as_bytes()).expect("a kind");
            assert_eq!((kind.as_str(), usize::from(kind.as_index())), (*name, index));
        }
        assert_eq!(RollupKind::named(b"invented"), None);
    }

    #[test]
    fn accounts_keep_their_zeroes() {
        for text in ["000000000000", "000000000012", "100000000000", "999999999999"] {
            assert_eq!(Account::parse(text.as_bytes()).map(|account| account.to_string()), some(text));
        }
        for text in ["", "11112222333", "1111222233334", "11112222333x", "+11112222333"] {
            assert_eq!(Account::parse(text.as_bytes()), None, "{text}");
        }
    }
}
