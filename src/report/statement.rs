//! The report as a few lines: for a terminal, and as Markdown for a ticket. Both are the same statement.

use super::figures::{Figures, day, moment, share};
use super::{Style, reason_text};
use crate::escape::harmless;
use crate::finished::Finished;
use crate::outcome::Outcome;
use crate::words::{Text, count, number};
use std::fmt::{self, Write as _};

/// So many reasons, accounts and exceptions are named.
const NAMED: usize = 4;
/// An exception that ends within so many days is named.
const ENDS_SOON_DAYS: i64 = 30;

/// How a statement is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StatementForm {
    /// At most 80 columns wide.
    Text(Style),
    /// At most 40 lines.
    Markdown,
}

/// The statement of a finished audit.
pub fn render_statement(finished: &Finished, form: StatementForm) -> String {
    let figures = Figures::new(finished);
    let parts = parts(&figures);
    match form {
        StatementForm::Markdown => markdown(&figures, &parts),
        StatementForm::Text(style) => {
            let mut text = Text::new(style);
            // Writing to a string cannot fail.
            let _ = plain(&mut text, &figures, &parts);
            text.into_string()
        }
    }
}

/// Lines under a heading.
struct Part {
    heading: &'static str,
    lines: Vec<String>,
}

fn parts(figures: &Figures<'_>) -> Vec<Part> {
    let all = [
        ("Figures", totals(figures)),
        ("Why", reasons(figures)),
        ("Accounts with the most violations", accounts(figures)),
        ("Putting it right", right(figures)),
        ("Exceptions that end soon", exceptions(figures)),
        ("Beside the objects", beside(figures)),
        ("What it was made from", sources(figures)),
    ];
    let filled = all.into_iter().filter(|(_, lines)| !lines.is_empty());
    filled.map(|(heading, lines)| Part { heading, lines }).collect()
}

fn totals(figures: &Figures<'_>) -> Vec<String> {
    let tally = &figures.total;
    let (rate, of) = figures.compliance();
    vec![
        format!("compliance: {rate}, {of}"),
        format!(
            "compliant {}, violating {} ({}), undetermined {}, excepted {}",
            number(tally.compliant),
            number(tally.violation),
            figures.violating_bytes(),
            number(tally.undetermined),
            number(tally.excepted)
        ),
    ]
}

fn reasons(figures: &Figures<'_>) -> Vec<String> {
    let mut reasons: Vec<_> = figures.finished.audit.by_reason.iter().filter(|(_, count)| **count > 0).collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let line = |(reason, count): (&String, &u64)| format!("{reason}: {}, {}", number(*count), reason_text(reason));
    some(reasons.into_iter().map(line))
}

fn accounts(figures: &Figures<'_>) -> Vec<String> {
    let violating = figures.accounts.iter().filter(|account| account.tally.violation > 0);
    some(violating.map(|account| {
        let name = if account.account == "-" { "no account in the key".to_owned() } else { harmless(&account.account) };
        let share = share(account.tally.violation, account.tally.in_scope());
        format!("{name}: {} ({share} of its objects)", number(account.tally.violation))
    }))
}

fn right(figures: &Figures<'_>) -> Vec<String> {
    let plan = &figures.finished.plan;
    match plan.total.objects {
        0 => Vec::new(),
        _ => vec![harmless(&plan.headline)],
    }
}

fn exceptions(figures: &Figures<'_>) -> Vec<String> {
    let exceptions = figures.finished.audit.exceptions.iter();
    let mut ending: Vec<_> = exceptions.filter(|line| (0..=ENDS_SOON_DAYS).contains(&line.facts.days_left)).collect();
    ending.sort_by_key(|line| line.facts.days_left);
    some(ending.into_iter().map(|line| {
        let owner = if line.facts.owner.is_empty() { "nobody" } else { &line.facts.owner };
        let objects = count(line.objects, "object", "objects");
        harmless(&format!("{} on {}: {objects}, owner {owner}", line.facts.id, day(&line.facts.expires)))
    }))
}

fn beside(figures: &Figures<'_>) -> Vec<String> {
    let finished = figures.finished;
    let words = |outcome: Outcome| match outcome {
        Outcome::Pass => "pass",
        Outcome::Violations => "violations found",
        Outcome::Incomplete | Outcome::Partial => "not proven",
    };
    let digests = finished.digests.iter().map(|digests| {
        format!("integrity of the logs: {}, {}", words(digests.outcome), count(digests.gaps, "gap", "gaps"))
    });
    let settings = finished.settings.iter().map(|settings| {
        let trails = count(settings.kpi.trails, "trail", "trails");
        format!(
            "settings: {}, {} of {trails} as demanded",
            words(settings.outcome),
            number(settings.kpi.trails_compliant)
        )
    });
    let done = finished.reconciled.iter().map(|done| {
        format!(
            "put right so far: {} of {}",
            number(done.counts.succeeded),
            count(done.counts.rows, "object", "objects")
        )
    });
    digests.chain(settings).chain(done).collect()
}

fn sources(figures: &Figures<'_>) -> Vec<String> {
    let audit = &figures.finished.audit;
    let inventory = match figures.inventory_times() {
        None => "a time that is not known".to_owned(),
        Some((first, last)) if first == last => format!("{} UTC", moment(first)),
        Some((first, last)) => format!("{} to {} UTC", moment(first), moment(last)),
    };
    let version = if audit.policy.version.is_empty() { "" } else { ", version " };
    vec![
        format!("inventory of {inventory}, judged as of {}", day(&audit.as_of)),
        harmless(&format!(
            "policy {}{version}{}, SHA-256 {}",
            audit.policy.name, audit.policy.version, audit.policy.sha256
        )),
        format!("summary.json, SHA-256 {}, logseal {}", figures.finished.summary_sha256, harmless(&audit.tool.version)),
    ]
}

/// The first lines, and how many more there are.
fn some(lines: impl Iterator<Item = String>) -> Vec<String> {
    let mut lines: Vec<String> = lines.collect();
    let more = lines.len().saturating_sub(NAMED);
    if more > 0 {
        lines.truncate(NAMED);
        lines.push(format!("and {} more", number(more as u64)));
    }
    lines
}

fn title(figures: &Figures<'_>) -> String {
    match figures.buckets().as_slice() {
        [] => "inventories without a manifest".to_owned(),
        [bucket] => bucket.clone(),
        buckets => count(buckets.len() as u64, "bucket", "buckets"),
    }
}

fn plain(text: &mut Text, figures: &Figures<'_>, parts: &[Part]) -> fmt::Result {
    let (word, colour) = figures.finished.audit.outcome.word();
    let mut sentences = figures.sentences().into_iter();
    text.headline(word, colour, &sentences.next().unwrap_or_default())?;
    sentences.try_for_each(|sentence| text.item(&sentence))?;
    writeln!(text)?;
    text.wrapped("About", &title(figures))?;
    for part in parts {
        text.heading(part.heading)?;
        part.lines.iter().try_for_each(|line| text.item(line))?;
    }
    Ok(())
}

/// So many lines a ticket takes: what was found, then what it rests on.
const MAX_LINES: usize = 40;

fn markdown(figures: &Figures<'_>, parts: &[Part]) -> String {
    let mut lines =
        vec![format!("# Encryption of stored log objects: {}", as_markdown(&title(figures))), String::new()];
    lines.push(format!("**{}.**", figures.outcome_title()));
    let sentences = figures.sentences();
    // Assumptions can be many; all of them are in the report.
    let (first, more) = sentences.split_at(sentences.len().min(8));
    lines.extend(first.iter().map(|sentence| format!("- {}", as_markdown(sentence))));
    if !more.is_empty() {
        lines.push(format!("- and {}", count(more.len() as u64, "more statement", "more statements")));
    }
    for part in parts {
        lines.extend([String::new(), format!("**{}**", part.heading)]);
        lines.extend(part.lines.iter().map(|line| format!("- {}", as_markdown(line))));
    }
    debug_assert!(lines.len() <= MAX_LINES + 8);
    lines.join("\n") + "\n"
}

/// A text that means itself, whatever it holds.
fn as_markdown(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\`*_{}[]<>#|~&@".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
