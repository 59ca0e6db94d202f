//! Places in the bucket: which directory a run of rows lies in, and the names in it.
//!
//! The key space is a line: account by account, Region by Region, day by day. Row number `n` of `rows` lies at the same
//! fraction of that line, so neighbouring rows share directories and every date range is met at any size of the export.

use super::Options;
use super::random::{Stream, mix};
use crate::timestamp::Timestamp;

pub(super) const BUCKET: &str = "example-org-audit-logs";
pub(super) const REGIONS: [&str; 24] = [
    "us-east-1",
    "us-west-2",
    "eu-west-1",
    "eu-central-1",
    "us-east-2",
    "ap-southeast-2",
    "ap-northeast-1",
    "ca-central-1",
    "us-west-1",
    "eu-west-2",
    "eu-north-1",
    "ap-southeast-1",
    "sa-east-1",
    "ap-south-1",
    "eu-west-3",
    "ap-northeast-2",
    "eu-south-1",
    "me-south-1",
    "af-south-1",
    "ap-east-1",
    "ap-northeast-3",
    "eu-central-2",
    "ap-south-2",
    "il-central-1",
];
/// The inventory's scan starts at 01:00 on 4 January 2026; the newest keys are of the 2nd.
pub(super) const SCAN_START: u32 = 1_767_488_400;
pub(super) const NEWEST_DAY: u32 = SCAN_START / DAY - 2;
pub(super) const DAY: u32 = 86_400;

const ORGANISATION: &str = "o-a1b2c3d4e5/";
const TRAILS: [&str; 3] = ["org-trail", "management-events", "audit_all_us-east-1_events"];
const PLAIN_FOLDERS: [&str; 4] = ["athena-results/", "reports/daily/", "terraform/state/", "app/logs/"];
/// Names that break careless readers: form encoding, CSV quoting, terminals, spreadsheets.
const ODD_NAMES: [(&str, &str); 14] = [
    ("exports/Q3 report + notes (final) ", ".csv"),
    ("exports/100%/", "%2F%zz.csv"),
    ("exports/a,b;\"c\",", ".csv"),
    ("exports/line\nbreak\r\n", "\t.txt"),
    ("=HYPERLINK(\"https://example.com/", "\",\"open\")"),
    ("+1-", ""),
    ("-dash/", ""),
    ("@SUM(1+1)*", ""),
    ("'quoted'/", "'"),
    ("~drafts/", "~"),
    ("données/été-", ".json"),
    ("ログ/監査-", ".json.gz"),
    ("exports/\u{1b}[31mred", "\u{1b}[0m.txt"),
    ("exports/back\\slash \u{202e}gnp.", "\\"),
];

/// What the rows of a run are, as far as keys and rules see it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// CloudTrail logs of any kind: in scope of the rule `cloudtrail-logs`.
    Log,
    /// In scope of the rule `cloudtrail-digests`.
    Digest,
    FlowLog,
    LoadBalancer,
    Config,
    /// Not under `AWSLogs`.
    Outside,
}

/// A run of rows in one directory.
pub(super) struct GeneratedPlace {
    pub(super) family: Family,
    pub(super) account: u64,
    pub(super) day: u32,
    pub(super) len: u32,
    /// Everything in the run's keys up to the time of day.
    lead: String,
    /// When in the hour digests are written.
    in_hour: u32,
}

/// The key space and its line of slots; one slot is a day of a Region of an account.
pub(super) struct KeySpace {
    rows: u64,
    seed: u64,
    regions: u64,
    days: u64,
    slots: u64,
}

/// The moment that is so many seconds after the epoch.
pub(super) fn timestamp(seconds: u32) -> Timestamp {
    Timestamp::from_millis(i64::from(seconds) * 1000).unwrap_or(Timestamp::MAX)
}

pub(super) fn push_two_digits(text: &mut String, number: u32) {
    let digit = |number: u32| char::from(b'0' + (number % 10) as u8);
    text.extend([digit(number / 10), digit(number)]);
}

impl KeySpace {
    pub(super) fn new(options: &Options) -> Self {
        let (regions, days) = (u64::from(options.regions), u64::from(options.years) * 365);
        let slots = u64::from(options.accounts) * regions * days;
        Self { rows: options.rows, seed: options.seed, regions, days, slots }
    }

    /// The run that starts at a row.
    pub(super) fn place(&self, row: u64, stream: &mut Stream) -> GeneratedPlace {
        let (service, family) = draw_service(stream);
        let slot = (u128::from(row) * u128::from(self.slots) / u128::from(self.rows)) as u64;
        let account = self.account(slot / self.days / self.regions);
        let region = REGIONS[(slot / self.days % self.regions) as usize];
        let day = NEWEST_DAY + 1 - (self.days - slot % self.days) as u32;
        let lead = lead(family, service, account, region, day, stream);
        let len = if family == Family::Digest { 24 } else { 20 + stream.below(181) };
        GeneratedPlace { family, account, day, len, lead, in_hour: stream.below(3600) }
    }

    /// Twelve digits, another for each account: the factor shares no divisor with the range.
    fn account(&self, index: u64) -> u64 {
        let (first, range, factor) = (100_000_000_000, 900_000_000_000, 618_033_988_751);
        first + (mix(self.seed) % range + index * factor % range) % range
    }
}

/// Runs of digests are short, so they are drawn more often than their share of rows.
fn draw_service(stream: &mut Stream) -> (&'static str, Family) {
    match stream.below(1000) {
        0..160 => ("CloudTrail-Digest", Family::Digest),
        160..169 => ("vpcflowlogs", Family::FlowLog),
        169..178 => ("elasticloadbalancing", Family::LoadBalancer),
        178..186 => ("Config", Family::Config),
        186..195 => ("", Family::Outside),
        195..199 => ("CloudTrail-Insight", Family::Log),
        199..202 => ("CloudTrail-NetworkActivity", Family::Log),
        202..204 => ("CloudTrail-Aggregated", Family::Log),
        _ => ("CloudTrail", Family::Log),
    }
}

fn lead(family: Family, service: &str, account: u64, region: &str, day: u32, stream: &mut Stream) -> String {
    let date = timestamp(day * DAY).to_string();
    let (year, month, day) = (&date[..4], &date[5..7], &date[8..10]);
    let organisation = if account.is_multiple_of(4) { "" } else { ORGANISATION };
    let folder = if family == Family::Config { "ConfigHistory/" } else { "" };
    let resource = match family {
        Family::Log | Family::Outside => String::new(),
        Family::Digest => format!("{}_us-east-1_", stream.pick(TRAILS)),
        Family::FlowLog => format!("fl-{}_", stream.hex::<17>().as_str()),
        Family::LoadBalancer => format!("app.front-door.{}_", stream.hex::<16>().as_str()),
        Family::Config => "ConfigHistory_AWS::EC2::Instance_".to_owned(),
    };
    format!(
        "AWSLogs/{organisation}{account}/{service}/{region}/{year}/{month}/{day}/{folder}\
         {account}_{service}_{region}_{resource}{year}{month}{day}T"
    )
}

impl GeneratedPlace {
    /// Seconds since midnight at which the run's object number `index` was written.
    pub(super) fn time_of_day(&self, index: u32) -> u32 {
        match self.family {
            Family::Digest => index % 24 * 3600 + self.in_hour,
            _ => index * 288 / self.len * 300,
        }
    }

    /// Appends the key of the object written at a time of the run's day.
    pub(super) fn push_key(&self, time: u32, stream: &mut Stream, text: &mut String) {
        if self.family == Family::Outside {
            return push_outside(stream, text);
        }
        text.push_str(&self.lead);
        push_two_digits(text, time / 3600);
        push_two_digits(text, time / 60 % 60);
        if matches!(self.family, Family::Digest | Family::Config) {
            push_two_digits(text, time % 60);
        }
        match self.family {
            Family::Digest => text.push_str("Z.json.gz"),
            Family::Config => text.push_str("Z_1.json.gz"),
            Family::FlowLog => text.extend(["Z_", stream.hex::<8>().as_str(), ".log.gz"]),
            Family::LoadBalancer => text.extend(["Z_10.0.1.7_", stream.alphanumeric::<8>().as_str(), ".log.gz"]),
            Family::Log | Family::Outside => text.extend(["Z_", stream.alphanumeric::<16>().as_str(), ".json.gz"]),
        }
    }
}

fn push_outside(stream: &mut Stream, text: &mut String) {
    let is_odd = stream.per_mille(100);
    let (before, after) = if is_odd { stream.pick(ODD_NAMES) } else { (stream.pick(PLAIN_FOLDERS), ".csv") };
    text.extend([before, stream.hex::<16>().as_str(), after]);
}
