//! The result for people, at most 80 columns wide: the outcome first, what to do next last.

use std::fmt::{self, Write as _};

use super::summary::{DigestsReason, DigestsSummary};
use super::{DigestStatus, LogStatus};
use crate::report::text::{Text, count, escaped, number, shortened};
use crate::report::{Outcome, Style};

/// How many places are listed.
const PLACES: usize = 40;
/// How many faults are listed.
const FAULTS: usize = 5;
/// How many findings are, where they are not alone.
const SECTION_FINDINGS: usize = 3;

/// The result for people. `out` is where it was written.
pub fn render(summary: &DigestsSummary, out: &str, style: Style) -> String {
    let mut text = Text::new(style);
    // Writing to a string cannot fail.
    let _ = all(&mut text, summary, out);
    text.text
}

/// The part of an audit's result that is about digests.
pub(crate) fn section(text: &mut Text, summary: &DigestsSummary) -> fmt::Result {
    counts(text, summary)?;
    findings(text, summary, SECTION_FINDINGS)?;
    faults(text, summary)
}

/// Why the outcome is no pass.
pub(crate) fn reasons(summary: &DigestsSummary) -> impl Iterator<Item = String> {
    summary.outcome_reasons.iter().map(|reason| because(*reason, summary))
}

fn all(text: &mut Text, summary: &DigestsSummary, out: &str) -> fmt::Result {
    first_lines(text, summary)?;
    trust(text, summary)?;
    counts(text, summary)?;
    places(text, summary)?;
    findings(text, summary, usize::MAX)?;
    faults(text, summary)?;
    next_steps(text, summary, out)
}

fn first_lines(text: &mut Text, summary: &DigestsSummary) -> fmt::Result {
    let (colour, word) = match summary.outcome {
        Outcome::Pass => ("32", "PASS"),
        Outcome::Violations => ("31", "VIOLATIONS"),
        Outcome::Incomplete => ("33", "INCOMPLETE"),
    };
    let word = text.coloured(&format!("1;{colour}"), word);
    let mut reasons = reasons(summary);
    let sentence = match (reasons.next(), summary.logs_hashed) {
        (Some(first), _) => first,
        (None, true) => "all digests are verified, and the logs are those that they list".to_owned(),
        (None, false) => "all digests are verified; logs were not read (--logs)".to_owned(),
    };
    writeln!(text.text, "{word}  {sentence}")?;
    reasons.try_for_each(|reason| writeln!(text.text, "  also: {reason}"))
}

fn trust(text: &mut Text, summary: &DigestsSummary) -> fmt::Result {
    writeln!(text.text)?;
    for (at, list) in summary.public_keys.iter().enumerate() {
        let label = if at == 0 { "Trusting" } else { "" };
        text.wrapped(label, &format!("{} of {}", count(list.keys, "public key", "public keys"), list.source))?;
        list.refused.iter().take(FAULTS).try_for_each(|why| text.wrapped("", &format!("left out: {why}")))?;
    }
    if summary.window.since.is_some() || summary.window.until.is_some() {
        let side = |time: &Option<String>, open: &str| time.clone().unwrap_or_else(|| open.to_owned());
        let (since, until) = (side(&summary.window.since, "the first digest"), side(&summary.window.until, "the last"));
        text.wrapped("Window", &format!("{since} to {until}"))?;
    }
    let seconds = summary.timing.elapsed_ms as f64 / 1000.0;
    text.wrapped("Time", &format!("{seconds:.1} s, {} digests a second", number(summary.timing.digests_per_second)))
}

fn counts(text: &mut Text, summary: &DigestsSummary) -> fmt::Result {
    text.heading("Digests")?;
    let digests = DigestStatus::ALL.map(|status| (status.as_str(), summary.digests[status.as_str()]));
    lines(text, &digests, ("all", summary.digests["total"]))?;
    let odd = [
        (summary.relocated, "in another bucket than they were delivered to"),
        (summary.stored_plain, "stored decompressed, logs included"),
    ];
    for (number_of, what) in odd.iter().filter(|(number, _)| *number > 0) {
        text.item(&format!("{} {what}", number(*number_of)))?;
    }
    text.heading("Logs")?;
    let logs = LogStatus::ALL.map(|status| (status.as_str(), summary.logs[status.as_str()]));
    lines(text, &logs, ("listed", summary.logs["listed"]))
}

fn lines(text: &mut Text, counts: &[(&str, u64)], (all, total): (&str, u64)) -> fmt::Result {
    for (name, objects) in counts.iter().filter(|(_, objects)| *objects > 0) {
        writeln!(text.text, "  {name:24}{:>14}", number(*objects))?;
    }
    writeln!(text.text, "  {all:24}{:>14}", number(total))
}

fn places(text: &mut Text, summary: &DigestsSummary) -> fmt::Result {
    if summary.places.is_empty() {
        return Ok(());
    }
    text.heading("Account      Region           first day   last day      digests       logs  gaps")?;
    for place in summary.places.iter().take(PLACES) {
        let day = |time: &Option<String>| time.as_deref().map_or("-".to_owned(), |time| time[..10].to_owned());
        let (first, last) = (day(&place.first_start), day(&place.last_end));
        let (digests, logs, gaps) = (number(place.digests), number(place.logs), number(place.gaps));
        let (account, region) = (&place.account, shortened(&place.region, 15));
        writeln!(text.text, "{account:12} {region:15} {first:>10} {last:>10} {digests:>12} {logs:>10} {gaps:>5}")?;
    }
    match summary.places.len().saturating_sub(PLACES) {
        0 => Ok(()),
        more => writeln!(text.text, "and {} more, in summary.json", number(more as u64)),
    }
}

fn findings(text: &mut Text, summary: &DigestsSummary, most: usize) -> fmt::Result {
    if summary.worst.is_empty() {
        return Ok(());
    }
    text.heading("Findings in digests and logs")?;
    summary.worst.iter().take(most).try_for_each(|line| text.item(line))
}

fn faults(text: &mut Text, summary: &DigestsSummary) -> fmt::Result {
    if summary.faults.is_empty() {
        return Ok(());
    }
    text.heading("What could not be read")?;
    for (what, faults) in &summary.faults {
        writeln!(text.text, "  {what:24}{:>14}", number(*faults))?;
    }
    for fault in summary.named_faults.iter().take(FAULTS) {
        text.item(&format!("{}: {}", fault.path, fault.why))?;
    }
    Ok(())
}

fn next_steps(text: &mut Text, summary: &DigestsSummary, out: &str) -> fmt::Result {
    let out = escaped(out);
    let mut steps = steps(summary, &format!("{out}/findings.csv"));
    if steps.is_empty() {
        steps.push(format!("keep {out}/summary.json, and the public keys, as evidence"));
    }
    text.heading("Next")?;
    steps.iter().try_for_each(|step| text.item(step))
}

/// What to do about digests; `list` is the file of everything that is not verified.
pub(crate) fn steps(summary: &DigestsSummary, list: &str) -> Vec<String> {
    let digests = |status: DigestStatus| summary.digests[status.as_str()];
    let mut steps = Vec::new();
    if !summary.worst.is_empty() {
        steps.push(format!("every digest and log that is not verified is listed in {list}"));
    }
    if digests(DigestStatus::Unsigned) > 0 {
        steps.push(
            "the last digest of a chain needs its metadata: aws s3api head-object --bucket B --key K > K.head.json"
                .to_owned(),
        );
    }
    if digests(DigestStatus::KeyUnknown) > 0 {
        steps.push(
            "export the keys of the Region and the time: aws cloudtrail list-public-keys --region R --start-time T \
             --end-time T"
                .to_owned(),
        );
    }
    if digests(DigestStatus::Missing) > 0 {
        steps.push("fetch missing digests again; a first one may lie before the export: say --since".to_owned());
    }
    if !summary.logs_hashed && summary.logs["listed"] > 0 {
        steps.push("prove the logs, too: --logs".to_owned());
    }
    if summary.outcome_reasons.contains(&DigestsReason::NothingExamined) {
        steps.push("give folders or archives that hold AWSLogs/ACCOUNT/CloudTrail-Digest/...".to_owned());
    }
    steps
}

fn because(reason: DigestsReason, summary: &DigestsSummary) -> String {
    let digests = |holds: &dyn Fn(DigestStatus) -> bool| {
        let some = DigestStatus::ALL.into_iter().filter(|status| holds(*status));
        count(some.map(|status| summary.digests[status.as_str()]).sum(), "digest", "digests")
    };
    let logs = |holds: &dyn Fn(LogStatus) -> bool| {
        let some = LogStatus::ALL.into_iter().filter(|status| holds(*status));
        count(some.map(|status| summary.logs[status.as_str()]).sum(), "log", "logs")
    };
    let is_apart = |status| matches!(status, LogStatus::Missing | LogStatus::NotInInventory);
    match reason {
        DigestsReason::InvalidDigests => {
            let invalid = digests(&|status| status.is_violation() && status != DigestStatus::Missing);
            format!("{invalid} changed, damaged or out of place")
        }
        DigestsReason::MissingDigests => format!("{} missing", digests(&|status| status == DigestStatus::Missing)),
        DigestsReason::InvalidLogs => {
            format!("{} changed or damaged", logs(&|status| status.is_violation() && !is_apart(status)))
        }
        DigestsReason::MissingLogs => format!("{} missing", logs(&|status| status == LogStatus::Missing)),
        DigestsReason::LogsNotInInventory => {
            format!("{} not in the inventory", logs(&|status| status == LogStatus::NotInInventory))
        }
        DigestsReason::UnprovenDigests => {
            let unproven = digests(&|status| status != DigestStatus::Verified && !status.is_violation());
            format!("{unproven} could not be verified")
        }
        DigestsReason::UnprovenLogs => {
            let unproven = logs(&|status| status == LogStatus::UnverifiedDigest);
            format!("{unproven} listed by digests that are not verified")
        }
        DigestsReason::Gaps => format!("{} between digests", count(summary.gaps, "gap", "gaps")),
        DigestsReason::WindowNotCovered => {
            let chains = count(summary.windows_not_covered, "chain does", "chains do");
            format!("{chains} not cover the whole window")
        }
        DigestsReason::Faults => {
            let faults = summary.faults.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
            format!("{} could not be read", count(faults, "file or folder", "files or folders"))
        }
        DigestsReason::NothingExamined => "there is no digest".to_owned(),
    }
}
