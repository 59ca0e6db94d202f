//! The result for people, at most 80 columns wide: the outcome first, what to do next last.

use std::fmt::{self, Write as _};

use super::assumptions;
use crate::digests::{DigestStatus, DigestsReason, DigestsSummary, LogStatus, NoChain};
use crate::words::{Style, Text, count, escaped, number, shortened};

/// How many places are listed.
const PLACES: usize = 40;
/// How many faults are listed.
const FAULTS: usize = 5;
/// How many findings are, where they are not alone.
const SECTION_FINDINGS: usize = 3;

/// The result for people. `out` is where it was written.
pub fn render_digests(summary: &DigestsSummary, out: &str, style: Style) -> String {
    let mut text = Text::new(style);
    // Writing to a string cannot fail.
    let _ = all(&mut text, summary, out);
    text.into_string()
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

/// What is proven and what is not: chains, hours, logs, and what lies beside them.
fn first_lines(text: &mut Text, summary: &DigestsSummary) -> fmt::Result {
    let (word, colour) = summary.outcome.word();
    text.headline(word, colour, &headline(summary))?;
    for (at, reason) in reasons(summary).enumerate() {
        text.indented(if at == 0 { "  because " } else { "  also    " }, &reason)?;
    }
    Ok(())
}

fn headline(summary: &DigestsSummary) -> String {
    let logs = |status: LogStatus| summary.logs[status.as_str()];
    let mut parts = vec![format!(
        "{} verified in {}, {}",
        count(summary.digests[DigestStatus::Verified.as_str()], "digest", "digests"),
        count(summary.chains_total, "chain", "chains"),
        count(summary.hours, "hour", "hours"),
    )];
    if let Some((first, last)) = summary.window.first.as_ref().zip(summary.window.last.as_ref()) {
        parts[0].push_str(&format!(" from {} to {}", short(first), short(last)));
    }
    let verified = if summary.logs_hashed {
        format!("{} verified", number(logs(LogStatus::Verified)))
    } else {
        "not read (--logs)".to_owned()
    };
    parts.push(format!("{} listed, {verified}", count(summary.logs["listed"], "log", "logs")));
    let unreferenced = logs(LogStatus::Unreferenced);
    parts.push(format!("{} in log folders that no digest lists", count(unreferenced, "file", "files")));
    let beside = [
        (logs(LogStatus::AcceptedUnreferenced), "accepted (--accept-unreferenced)"),
        (logs(LogStatus::OutsideChains), "before or after the chains"),
        (logs(LogStatus::OutsideWindow), "outside of the window"),
    ];
    let beside = beside.iter().filter(|(files, _)| *files > 0);
    let beside: Vec<_> = beside.map(|(files, what)| format!("{} {what}", number(*files))).collect();
    if !beside.is_empty() {
        parts.push(format!("beside them {}", beside.join(", ")));
    }
    parts.join("; ")
}

/// A time without its milliseconds, which digests do not have.
fn short(time: &str) -> String {
    time.replace(".000Z", "Z")
}

fn trust(text: &mut Text, summary: &DigestsSummary) -> fmt::Result {
    writeln!(text)?;
    for (at, list) in summary.public_keys.iter().enumerate() {
        let label = if at == 0 { "Trusting" } else { "" };
        text.wrapped(label, &format!("{} of {}", count(list.keys, "public key", "public keys"), list.source))?;
        list.refused.iter().take(FAULTS).try_for_each(|why| text.wrapped("", &format!("left out: {why}")))?;
    }
    if summary.window.since.is_some() || summary.window.until.is_some() {
        let side = |time: &Option<String>, open: &str| time.clone().unwrap_or_else(|| open.to_owned());
        let (since, until) = (side(&summary.window.since, "the first digest"), side(&summary.window.until, "the last"));
        text.wrapped("Window", &format!("{} to {}", short(&since), short(&until)))?;
    } else {
        text.wrapped("Window", "that of the verified digests of each chain (--since, --until)")?;
    }
    assumptions(text, &summary.assumptions)?;
    let seconds = summary.timing.elapsed_ms as f64 / 1000.0;
    text.wrapped("Time", &format!("{seconds:.1} s, {} digests a second", number(summary.timing.digests_per_second)))
}

fn counts(text: &mut Text, summary: &DigestsSummary) -> fmt::Result {
    text.heading("Digests")?;
    let digests = DigestStatus::ALL.map(|status| (status.as_str(), summary.digests[status.as_str()]));
    lines(text, &digests, ("all", summary.digests["total"]))?;
    items(
        text,
        &[
            (summary.relocated, "in another bucket than they were delivered to"),
            (summary.stored_plain, "stored decompressed, logs included"),
        ],
    )?;
    text.heading("Logs")?;
    let logs = LogStatus::ALL.map(|status| (status.as_str(), summary.logs[status.as_str()]));
    lines(text, &logs, ("listed", summary.logs["listed"]))?;
    items(
        text,
        &[
            (summary.accepted.starts, "chains that begin in the window, accepted"),
            (summary.accepted.ends, "chains that end in the window, accepted"),
            (summary.accepted.gaps, "holes before a chain that was begun again, accepted"),
            (summary.copies, "more at other paths, as copies"),
            (summary.other_files, "other files"),
            (summary.passed_over, "files that macOS left (._*, .DS_Store), passed over"),
            (summary.other_archives, "archives that were not opened"),
            (summary.links_not_followed, "links that were not followed"),
        ],
    )?;
    for NoChain { account, region, logs } in summary.no_chain.iter().take(PLACES) {
        text.item(&format!("no chain: account {account}, {region}, {}", count(*logs, "log", "logs")))?;
    }
    Ok(())
}

fn items(text: &mut Text, counts: &[(u64, &str)]) -> fmt::Result {
    counts
        .iter()
        .filter(|(files, _)| *files > 0)
        .try_for_each(|(files, what)| text.item(&format!("{} {what}", number(*files))))
}

fn lines(text: &mut Text, counts: &[(&str, u64)], (all, total): (&str, u64)) -> fmt::Result {
    for (name, objects) in counts.iter().filter(|(_, objects)| *objects > 0) {
        writeln!(text, "  {name:24}{:>14}", number(*objects))?;
    }
    writeln!(text, "  {all:24}{:>14}", number(total))
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
        writeln!(text, "{account:12} {region:15} {first:>10} {last:>10} {digests:>12} {logs:>10} {gaps:>5}")?;
    }
    match summary.places.len().saturating_sub(PLACES) {
        0 => Ok(()),
        more => writeln!(text, "and {} more, in summary.json", number(more as u64)),
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
        writeln!(text, "  {what:24}{:>14}", number(*faults))?;
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
    if summary.logs[LogStatus::Unreferenced.as_str()] > 0 {
        steps.push(
            "files that no digest lists: late logs are listed by the digests of the following hours (fetch these, or say \
             --until), and --accept-unreferenced PATTERN accepts what is of a trail without validation"
                .to_owned(),
        );
    }
    if !summary.no_chain.is_empty() {
        steps.push("fetch the digests of every account and Region, or accept their logs by a pattern".to_owned());
    }
    if summary.layout_unknown > 0 {
        steps.push("keep what was fetched as ROOT/KEY or ROOT/BUCKET/KEY, with the whole key".to_owned());
    }
    if summary.links_out > 0 {
        steps.push("give what links lead to as a root of its own".to_owned());
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
            format!("{} changed, damaged or moved", logs(&|status| status.is_violation() && !is_apart(status)))
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
        DigestsReason::WindowNotCovered => match summary.windows_not_covered {
            0 => "no hourly chain has a digest in the window".to_owned(),
            chains => format!("{} not cover the whole window", count(chains, "chain does", "chains do")),
        },
        DigestsReason::UnreferencedLogs => {
            let files = summary.logs[LogStatus::Unreferenced.as_str()];
            format!("{} in log folders that no digest lists", count(files, "file", "files"))
        }
        DigestsReason::NoChain => {
            let places = summary.no_chain.iter().take(3).map(|place| format!("{} in {}", place.account, place.region));
            let places: Vec<_> = places.collect();
            let more = summary.no_chain.len().saturating_sub(places.len());
            let more = if more > 0 { format!(" and {} more", number(more as u64)) } else { String::new() };
            format!("logs without a chain: account {}{more}", places.join(", "))
        }
        DigestsReason::NotCoveredByInventory => {
            let logs = logs(&|status| status == LogStatus::NotCoveredByInventory);
            let buckets = summary.not_covered_by_inventory.iter().take(3).map(String::as_str);
            format!("{logs} of buckets without an inventory: {}", buckets.collect::<Vec<_>>().join(", "))
        }
        DigestsReason::TooNew => {
            let logs = logs(&|status| status == LogStatus::TooNew);
            format!("{logs} not in the inventory, which may have been made too early to know them")
        }
        DigestsReason::LayoutUnknown => {
            let digests = count(summary.layout_unknown, "digest lies", "digests lie");
            format!("{digests} at a path of which nobody knows the bucket")
        }
        DigestsReason::Links => format!("{} out of the roots", count(summary.links_out, "link leads", "links lead")),
        DigestsReason::Faults => {
            let faults = summary.faults.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
            format!("{} could not be read", count(faults, "file or folder", "files or folders"))
        }
        DigestsReason::NothingExamined => "there is no digest".to_owned(),
    }
}
