//! A look at settings for people, at most 80 columns wide: the outcome first, what to do next last.

use std::fmt::{self, Write as _};

use crate::settings::{ExplainedRow, SettingsReason, SettingsSummary};
use crate::words::{Style, Text, count, escaped, number, shortened};

/// How many rows are listed.
const ROWS: usize = 10;
/// How many calls are.
const CALLS: usize = 5;
/// The columns of a resource.
const RESOURCE_WIDTH: usize = 60;

/// The result for people. `out` is where it was written.
pub fn render_settings(summary: &SettingsSummary, out: &str, style: Style) -> String {
    let mut text = Text::new(style);
    // Writing to a string cannot fail.
    let _ = all(&mut text, summary, out);
    text.into_string()
}

/// Rows of one resource, in words.
pub fn render_explained_settings(rows: &[ExplainedRow]) -> String {
    let mut text = Text::new(Style::Plain);
    for row in rows {
        // Writing to a string cannot fail.
        let _ = explained(&mut text, row);
    }
    text.into_string()
}

fn explained(text: &mut Text, row: &ExplainedRow) -> fmt::Result {
    text.indented("", &escaped(&format!("{}  {}", row.resource, row.check)))?;
    text.indented("  asks      ", row.question)?;
    let reason = if row.reason.is_empty() { String::new() } else { format!(", {}", row.reason) };
    text.indented("  says      ", &escaped(&format!("{}{reason}: {}", row.verdict, row.meaning)))?;
    let source = row.source.replace(" | ", ", ");
    let lines = [
        ("  wanted    ", &row.expected),
        ("  found     ", &row.actual),
        ("  said by   ", &source),
        ("  at        ", &row.observed_at),
        ("  exception ", &row.exception),
    ];
    let filled = lines.iter().filter(|(_, value)| !value.is_empty());
    filled.clone().try_for_each(|(label, value)| text.indented(label, &escaped(value)))?;
    writeln!(text)
}

fn all(text: &mut Text, summary: &SettingsSummary, out: &str) -> fmt::Result {
    first_lines(text, summary)?;
    standard(text, summary)?;
    coverage(text, summary)?;
    worst(text, summary)?;
    not_understood(text, summary)?;
    decrypt(text, summary)?;
    missing(text, summary)?;
    next_steps(text, summary, out)
}

fn rows(summary: &SettingsSummary, verdict: &str) -> u64 {
    summary.counts.get(verdict).copied().unwrap_or_default()
}

fn first_lines(text: &mut Text, summary: &SettingsSummary) -> fmt::Result {
    let (word, colour) = summary.outcome.word();
    let headline = match rows(summary, "violation") {
        0 => format!("{}, none is violated", count(rows(summary, "compliant"), "check holds", "checks hold")),
        violated => format!("{} violated", count(violated, "check is", "checks are")),
    };
    text.headline(word, colour, &headline)?;
    let others = summary.outcome_reasons.iter().filter(|reason| **reason != SettingsReason::Violations);
    for (at, reason) in others.enumerate() {
        text.indented(if at == 0 { "  because " } else { "  also    " }, &because(*reason, summary))?;
    }
    Ok(())
}

fn because(reason: SettingsReason, summary: &SettingsSummary) -> String {
    match reason {
        SettingsReason::Violations => String::new(),
        SettingsReason::Undetermined => {
            format!(
                "{} cannot be decided from what was exported",
                count(rows(summary, "undetermined"), "check", "checks")
            )
        }
        SettingsReason::Faults => {
            let faults: Vec<String> =
                summary.faults.iter().map(|(what, count)| format!("{what} {}", number(*count))).collect();
            format!("exports are not whole: {}", faults.join(", "))
        }
        SettingsReason::Refused => {
            let calls: Vec<String> =
                summary.coverage.refused.iter().map(|(call, count)| format!("{call} {}", number(*count))).collect();
            format!("AWS refused to answer: {}", calls.join(", "))
        }
        SettingsReason::NoTrails => "no trail that the standard is about was exported".to_owned(),
    }
}

fn standard(text: &mut Text, summary: &SettingsSummary) -> fmt::Result {
    writeln!(text)?;
    let policy = &summary.policy;
    let version = if policy.version.is_empty() { String::new() } else { format!(", version {}", policy.version) };
    text.wrapped("Policy", &format!("{}{version} ({})", policy.name, policy.source))?;
    if !policy.statement.is_empty() {
        text.wrapped("", &policy.statement)?;
    }
    text.wrapped("As of", &summary.as_of.replace(".000Z", "Z"))
}

fn coverage(text: &mut Text, summary: &SettingsSummary) -> fmt::Result {
    let (accounts, figures) = (&summary.coverage.accounts, &summary.kpi);
    text.wrapped(
        "Accounts",
        &format!(
            "{} covered by a trail that logs, {} exported, of {}",
            number(accounts.covered),
            number(accounts.exported),
            number(accounts.listed)
        ),
    )?;
    let trails = format!(
        "{}, {} with a key, {} without anything wrong or unknown",
        count(figures.trails, "trail", "trails"),
        number(figures.trails_with_key),
        number(figures.trails_compliant)
    );
    text.wrapped("Trails", &trails)?;
    let others = format!("{}, {}", count(figures.buckets, "bucket", "buckets"), count(figures.keys, "key", "keys"));
    text.wrapped("They use", &others)?;
    let refused: u64 = summary.coverage.refused.values().sum();
    let sources = count(summary.sources.len() as u64, "file", "files");
    text.wrapped("Exports", &format!("{sources}, {} refused", count(refused, "call was", "calls were")))
}

fn worst(text: &mut Text, summary: &SettingsSummary) -> fmt::Result {
    if summary.worst.is_empty() {
        return Ok(());
    }
    text.heading("Worst first")?;
    for row in summary.worst.iter().take(ROWS) {
        let reason = format!("{}: {}", row.check, row.reason);
        text.indented(&format!("  {:13} ", row.verdict), &reason)?;
        text.indented("                ", &shortened(&row.resource, RESOURCE_WIDTH))?;
        if !row.actual.is_empty() {
            text.indented("                is ", &shortened(&row.actual, RESOURCE_WIDTH - 3))?;
        }
    }
    let bad = rows(summary, "violation") + rows(summary, "undetermined");
    let more = bad.saturating_sub(ROWS as u64);
    if more > 0 { text.item(&format!("{} more: settings.csv has all of them", number(more))) } else { Ok(()) }
}

fn decrypt(text: &mut Text, summary: &SettingsSummary) -> fmt::Result {
    if summary.decrypt.is_empty() {
        return Ok(());
    }
    text.heading("Who can decrypt (decryptors.csv)")?;
    for (key, counts) in summary.decrypt.iter().take(ROWS) {
        let all = counts.exact + counts.conditional + counts.unknown;
        text.indented("  ", &escaped(key))?;
        let line = format!(
            "{} can decrypt: {} exact, {} conditional, {} unknown",
            number(all),
            number(counts.exact),
            number(counts.conditional),
            number(counts.unknown)
        );
        text.indented("    ", &line)?;
    }
    Ok(())
}

fn not_understood(text: &mut Text, summary: &SettingsSummary) -> fmt::Result {
    if summary.first_faults.is_empty() {
        return Ok(());
    }
    text.heading("Not whole (faults.jsonl)")?;
    for fault in summary.first_faults.iter().take(CALLS) {
        let line = fault.place.line.map(|line| format!(", line {line}")).unwrap_or_default();
        let place = format!("{}{line}", fault.place.file);
        let words = [fault.what, &place, &fault.why].into_iter().filter(|word| !word.is_empty());
        text.item(&words.collect::<Vec<_>>().join(": "))?;
    }
    let more = summary.faults.values().sum::<u64>().saturating_sub(CALLS as u64);
    if more > 0 { text.item(&format!("{} more: faults.jsonl has all of them", number(more))) } else { Ok(()) }
}

fn missing(text: &mut Text, summary: &SettingsSummary) -> fmt::Result {
    if summary.missing.is_empty() {
        return Ok(());
    }
    text.heading("Not exported; this would tell")?;
    summary.missing.iter().take(CALLS).try_for_each(|call| text.item(call))?;
    let more = summary.missing.len().saturating_sub(CALLS);
    if more > 0 { text.item(&format!("{more} more: see missing in summary.json")) } else { Ok(()) }
}

fn next_steps(text: &mut Text, summary: &SettingsSummary, out: &str) -> fmt::Result {
    writeln!(text)?;
    let files = format!("{out}: settings.csv, trails.csv, decryptors.csv, faults.jsonl, summary.json");
    text.wrapped("Written", &escaped(&files))?;
    if summary.fixes > 0 {
        let rows = count(summary.fixes, "violation", "violations");
        text.wrapped("Fixes", &format!("{out}/fixes/commands.sh would cure {rows}; review it, nothing was run"))?;
    }
    if !summary.missing.is_empty() {
        text.wrapped("Next", "logseal settings script > export.sh, and sh export.sh OUT where AWS can be reached")?;
    }
    Ok(())
}
