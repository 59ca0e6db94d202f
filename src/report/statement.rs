//! The report as a few lines: for a terminal, and as Markdown for a ticket. Both are the same statement.

use super::figures::{Figures, day, share};
use super::{Style, outcome_words, reason_text};
use crate::escape::harmless;
use crate::finished::Finished;
use crate::words::{Text, count, number};
use std::fmt::{self, Write as _};

/// So many reasons, accounts and exceptions are named.
const NAMED: usize = 3;
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
        ("What was given beside the inventories", some(figures.population().into_iter())),
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
        let name = figures.label(&account.account);
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
    let digests = finished.digests.iter().map(|digests| {
        format!("integrity of the logs: {}, {}", outcome_words(digests.outcome), count(digests.gaps, "gap", "gaps"))
    });
    let settings = finished.settings.iter().map(|settings| {
        let trails = count(settings.kpi.trails, "trail", "trails");
        format!(
            "settings: {}, {} of {trails} as demanded",
            outcome_words(settings.outcome),
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
    vec![
        format!("inventory of {}, judged as of {}", figures.inventory(), day(&audit.as_of)),
        harmless(&format!("policy {}, SHA-256 {}", figures.policy(), audit.policy.sha256)),
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

fn plain(text: &mut Text, figures: &Figures<'_>, parts: &[Part]) -> fmt::Result {
    let (word, colour) = figures.finished.audit.outcome.word();
    let mut sentences = figures.sentences().into_iter();
    text.headline(word, colour, &sentences.next().unwrap_or_default())?;
    sentences.try_for_each(|sentence| text.item(&sentence))?;
    writeln!(text)?;
    text.wrapped("About", &figures.title())?;
    for part in parts {
        text.heading(part.heading)?;
        part.lines.iter().try_for_each(|line| text.item(line))?;
    }
    Ok(())
}

/// So many lines a ticket takes: what was found, then what it rests on.
const MAX_LINES: usize = 40;

fn markdown(figures: &Figures<'_>, parts: &[Part]) -> String {
    let title = format!("# Encryption of stored log objects: {}", as_markdown(&figures.title()));
    ticket([title, String::new(), format!("**{}.**", figures.outcome_title())], &figures.sentences(), parts).join("\n")
        + "\n"
}

/// The lines of a ticket. Assumptions can be many: as many sentences as there is room for, all of them are in the report.
fn ticket(head: [String; 3], sentences: &[String], parts: &[Part]) -> Vec<String> {
    let below: usize = parts.iter().map(|part| 1 + part.lines.len()).sum();
    let room = MAX_LINES.saturating_sub(head.len() + below);
    let shown = if sentences.len() <= room { sentences.len() } else { room.saturating_sub(1) };
    let (first, more) = sentences.split_at(shown);
    let mut lines = Vec::from(head);
    lines.extend(first.iter().map(|sentence| format!("- {}", as_markdown(sentence))));
    if !more.is_empty() {
        lines.push(format!("- and {}", count(more.len() as u64, "more statement", "more statements")));
    }
    for part in parts {
        // A heading ends a list without an empty line before it.
        lines.push(format!("## {}", part.heading));
        lines.extend(part.lines.iter().map(|line| format!("- {}", as_markdown(line))));
    }
    lines
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_keeps_to_its_lines_and_says_what_it_leaves_out() {
        let texts = |len: usize| -> Vec<String> { (0..len).map(|at| format!("text {at}")).collect() };
        let head = || ["title", "", "outcome"].map(str::to_owned);
        // The most that each part can have.
        let fullest = || {
            [2, NAMED + 1, NAMED + 1, NAMED + 1, 1, NAMED + 1, 3, 3].map(|len| Part { heading: "x", lines: texts(len) })
        };
        let lines = ticket(head(), &texts(30), &fullest());
        assert_eq!(lines.len(), MAX_LINES);
        assert!(
            lines.contains(&"- text 2".to_owned()) && lines.contains(&"- and 27 more statements".to_owned()),
            "{lines:?}"
        );
        let lines = ticket(head(), &texts(4), &fullest());
        assert!(lines.len() == MAX_LINES && !lines.iter().any(|line| line.contains("more")), "{lines:?}");
    }
}
