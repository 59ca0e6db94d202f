//! The result for people, at most 80 columns wide: the outcome first, what to do next last.

use std::cmp::Reverse;
use std::fmt::{self, Write as _};

use crate::escape::harmless;
use crate::reconcile::{Counts, Done, DoneReason, InventoryLine, Reconciliation};
use crate::words::{Style, Text, count, escaped, number, shortened};

/// How many reasons for failures are listed.
const FAILURES: usize = 10;
/// How many faults are listed.
const FAULTS: usize = 5;

/// The result for people. `out` is where it was written.
pub fn render_reconciliation(result: &Reconciliation, out: &str, style: Style) -> String {
    let mut text = Text::new(style);
    // Writing to a string cannot fail.
    let _ = all(&mut text, result, out);
    text.into_string()
}

fn all(text: &mut Text, result: &Reconciliation, out: &str) -> fmt::Result {
    first_line(text, result)?;
    lanes(text, result)?;
    failures(text, result)?;
    if let Some(inventory) = &result.inventory {
        later(text, inventory, &result.counts)?;
    }
    unread(text, result)?;
    next_steps(text, result, out)
}

fn first_line(text: &mut Text, result: &Reconciliation) -> fmt::Result {
    let (colour, word) = match result.outcome {
        Done::Pass => ("32", "DONE"),
        Done::Failures => ("31", "FAILURES"),
        Done::Incomplete => ("33", "INCOMPLETE"),
    };
    let word = text.coloured(&format!("1;{colour}"), word);
    let mut reasons = result.outcome_reasons.iter().map(|reason| because(*reason, result));
    let sentence = match (reasons.next(), &result.inventory) {
        (Some(first), _) => first,
        (None, None) => "jobs report success for every violating object".to_owned(),
        (None, Some(_)) => "every violating object is right in the later inventory".to_owned(),
    };
    writeln!(text, "{word}  {sentence}")?;
    reasons.try_for_each(|reason| writeln!(text, "  also: {reason}"))?;
    result.assumptions.iter().try_for_each(|assumed| {
        let space = if assumed.value.is_empty() { "" } else { " " };
        // An audit that somebody else made may say anything.
        text.item(&harmless(&format!("assumed: {}{space}{}: {}", assumed.name, assumed.value, assumed.text)))
    })?;
    writeln!(text)?;
    audit(text, result)?;
    let reports = &result.reports;
    let files = format!("{} of {} files", number(reports.files_read), number(reports.files));
    text.wrapped("Reports", &format!("{files}, {}", count(reports.rows.rows, "row", "rows")))?;
    let odd = [
        (reports.rows.unknown, "about objects that no manifest names"),
        (reports.rows.ambiguous, "that contradict themselves, or may be about another object or version"),
        (reports.rows.other_operation, "of jobs that do something else than what was asked for"),
        (reports.rows.unknown_operation, "of jobs of which nothing is known"),
        (reports.rows.outdated, "of reports or jobs that are older than the audited inventory"),
        (reports.rows.rejected, "that could not be read"),
    ];
    odd.iter()
        .filter(|(rows, _)| *rows > 0)
        .try_for_each(|(rows, what)| text.wrapped("", &format!("{} {what}", count(*rows, "row", "rows"))))?;
    match reports.ignored_files {
        0 => Ok(()),
        ignored => text.wrapped("", &format!("{} of no report, passed over", count(ignored, "file", "files"))),
    }
}

fn audit(text: &mut Text, result: &Reconciliation) -> fmt::Result {
    let audit = &result.audit;
    let mut said = audit.gaps.iter().map(|gap| &gap.text).chain(&audit.notes);
    match said.next() {
        Some(first) => text.wrapped("Audit", first)?,
        None => return Ok(()),
    }
    said.try_for_each(|more| text.wrapped("", more))
}

fn lanes(text: &mut Text, result: &Reconciliation) -> fmt::Result {
    text.heading("Lanes                    objects    succeeded       failed  not attempted")?;
    for (lane, counts) in result.lanes.iter().filter(|(_, counts)| counts.rows > 0) {
        lane_line(text, lane, counts)?;
    }
    lane_line(text, "all", &result.counts)?;
    if result.counts.retried > 0 {
        writeln!(text, "  {} that succeeded failed in another report", number(result.counts.retried))?;
    }
    let not_covered = result.not_covered.values().fold(0_u64, |sum, objects| sum.saturating_add(*objects));
    if not_covered > 0 {
        text.item(&format!(
            "{} in lanes without manifests: only a later inventory can show them right",
            count(not_covered, "object is", "objects are")
        ))?;
    }
    Ok(())
}

fn lane_line(text: &mut Text, lane: &str, counts: &Counts) -> fmt::Result {
    let [rows, succeeded, failed, never] =
        [counts.rows, counts.succeeded, counts.failed, counts.never_attempted].map(number);
    writeln!(text, "  {lane:18} {rows:>11} {succeeded:>12} {failed:>12} {never:>14}")?;
    if counts.restored > 0 && lane != "all" {
        let restored = number(counts.restored);
        writeln!(text, "  {:18} {restored:>11} restored, waiting for their copy", "")?;
    }
    if counts.unknown_operation > 0 && lane != "all" {
        let unknown = number(counts.unknown_operation);
        writeln!(text, "  {:18} {unknown:>11} worked on by jobs of which nothing is known", "")?;
    }
    if counts.changed_since > 0 && lane != "all" {
        let changed = number(counts.changed_since);
        writeln!(text, "  {:18} {changed:>11} maybe changed by another job since", "")?;
    }
    Ok(())
}

fn failures(text: &mut Text, result: &Reconciliation) -> fmt::Result {
    if result.failures.is_empty() {
        return Ok(());
    }
    text.heading("Why objects failed")?;
    let mut worst: Vec<_> = result.failures.iter().collect();
    worst.sort_by_key(|failure| Reverse(failure.objects));
    for failure in worst.iter().take(FAILURES) {
        let code = if failure.code.is_empty() { "(no code)" } else { &failure.code };
        let (code, status) = (shortened(code, 36), shortened(&failure.http_status, 6));
        writeln!(text, "  {code:36} {status:6} {:>15}", number(failure.objects))?;
        if !failure.message.is_empty() {
            text.indented("      ", &shortened(&failure.message, 148))?;
        }
    }
    match worst.len().saturating_sub(FAILURES) {
        0 => Ok(()),
        more => writeln!(text, "  and {} more", count(more as u64, "code", "codes")),
    }
}

fn later(text: &mut Text, inventory: &InventoryLine, counts: &Counts) -> fmt::Result {
    text.heading("In the later inventory")?;
    for source in inventory.sources.iter().take(FAULTS) {
        let created = source.created_at.as_deref().unwrap_or("no date");
        text.item(&format!("{} of {created}", source.path))?;
    }
    let found = &counts.inventory;
    let lines = [
        ("now compliant", found.now_compliant),
        ("still violating", found.still_violating),
        ("undetermined", found.undetermined),
        ("out of scope", found.out_of_scope),
        ("not in inventory", found.not_in_inventory),
        ("unknown", found.unknown),
    ];
    for (name, objects) in lines.iter().filter(|(_, objects)| *objects > 0) {
        writeln!(text, "  {name:16}{:>20}", number(*objects))?;
    }
    if !inventory.is_whole {
        text.item("it is not whole, or not proven to be: what is not in it may still exist")?;
    }
    if inventory.lacks_versions {
        text.item("it lists no version ids: versions that manifests name cannot be found in it")?;
    }
    if inventory.is_not_newer {
        text.item("it is not newer than the audited one, so it cannot show what jobs have done since")?;
    }
    if found.undetermined > 0 && !inventory.has_key_evidence {
        text.item("no key evidence was given for it: --key-evidence tells keys that a rule names")?;
    }
    Ok(())
}

fn unread(text: &mut Text, result: &Reconciliation) -> fmt::Result {
    if result.faults.is_empty() {
        return Ok(());
    }
    text.heading("What could not be read")?;
    for (what, faults) in &result.faults {
        writeln!(text, "  {what:36} {:>22}", number(*faults))?;
    }
    for fault in result.named_faults.iter().take(FAULTS) {
        let row = fault.row.map_or(String::new(), |row| format!(", row {row}"));
        text.item(&format!("{}{row}: {}", fault.file, fault.why))?;
    }
    Ok(())
}

fn next_steps(text: &mut Text, result: &Reconciliation, out: &str) -> fmt::Result {
    let (out, counts) = (escaped(out), &result.counts);
    let decides = result.inventory.as_ref().is_some_and(|inventory| inventory.decides);
    let mut steps = Vec::new();
    if result.retry.rows > 0 {
        let manifests = count(result.retry.manifests, "manifest", "manifests");
        steps.push(format!("remove the causes, then run jobs with the {manifests} in {out}/retry"));
    }
    if counts.restored > 0 {
        steps.push(format!("copy restored objects before they expire: {out}/retry/.../*-restored-*.csv"));
    }
    let lacks_job = counts.unknown_operation > 0 || result.reports.rows.unknown_operation > 0;
    if lacks_job && !decides {
        let how = "aws s3control describe-job ... > job.json";
        steps.push(format!("say what the jobs did, beside each report's manifest.json: {how}"));
    }
    if !result.faults.is_empty() {
        steps.push("fetch what could not be read again".to_owned());
    }
    if counts.inventory.still_violating > 0 && counts.copies_unproven > 0 {
        steps.push("copies leave the old versions as they were: expire them".to_owned());
    }
    if counts.inventory.not_in_inventory > 0 && result.outcome != Done::Pass {
        steps.push("if all of them were deleted on purpose, say so with --accept-gone".to_owned());
    }
    if !result.audit.is_whole {
        steps.push("audit again: what is not whole cannot be done".to_owned());
    }
    if !decides && counts.rows > 0 {
        steps.push("prove it: reconcile again with --inventory and a report made after the jobs".to_owned());
    }
    if steps.is_empty() && result.outcome == Done::Pass {
        steps.push(format!("keep {out}/reconcile.json as evidence"));
    }
    if steps.is_empty() {
        steps.push("the lists of the lanes above say what only people can put right".to_owned());
    }
    text.heading("Next")?;
    steps.iter().try_for_each(|step| text.item(step))
}

fn because(reason: DoneReason, result: &Reconciliation) -> String {
    let (open, inventory) = (&result.counts.open, &result.counts.inventory);
    let objects = |number, what: &str| format!("{} {what}", count(number, "object", "objects"));
    match reason {
        DoneReason::Failed => objects(open.failed, "failed"),
        DoneReason::StillViolating => objects(inventory.still_violating, "still violating the policy"),
        DoneReason::NeverAttempted => objects(open.never_attempted, "never attempted"),
        DoneReason::Restored => objects(open.restored, "restored and not copied"),
        DoneReason::UnknownOperation => objects(open.unknown_operation, "of which nothing says what jobs did"),
        DoneReason::ChangedSince => objects(open.changed_since, "maybe changed by other jobs since"),
        DoneReason::CopiesUnproven => objects(open.copies_unproven, "copied, whose old versions may still be there"),
        DoneReason::Undetermined => objects(inventory.undetermined, "could not be judged"),
        DoneReason::NotInInventory => objects(inventory.not_in_inventory, "not in the later inventory"),
        DoneReason::UnknownInInventory => objects(inventory.unknown, "of which nothing says how they are now"),
        DoneReason::InventoryNotWhole => "the later inventory is not whole".to_owned(),
        DoneReason::InventoryNotNewer => "the later inventory is not newer than the audited one".to_owned(),
        DoneReason::AuditNotWhole => "the audit is not whole".to_owned(),
        DoneReason::Faults => "not everything could be read".to_owned(),
        DoneReason::NothingListed => "the audit has nothing to put right".to_owned(),
    }
}
