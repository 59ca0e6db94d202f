//! The sections of the page, each with one sentence of meaning under its title.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::super::figures::{AccountFigures, Figures, day, moment, share};
use super::{charts, name};
use crate::amounts::Amount;
use crate::audit::ExceptionState;
use crate::escape::harmless;
use crate::finished::{Tally, ToolResult};
use crate::plan::Completeness;
use crate::policy::{Reason, Versions};
use crate::words::{count, number, size};

/// So many accounts are shown at once; the others can be unfolded.
const WORST: usize = 25;
/// So many small charts are drawn.
const WITH_CHARTS: usize = 25;
/// So many keys, sources and faults are listed.
const LISTED: usize = 20;
/// So many rows of the sample are shown.
const SAMPLE: usize = 25;

/// A part of the page.
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) lead: Markup,
    pub(super) content: Markup,
}

pub(super) fn all(figures: &Figures<'_>) -> Vec<Section> {
    [
        Some(examined(figures)),
        Some(months(figures)),
        Some(accounts(figures)),
        why(figures),
        right(figures),
        Some(exceptions(figures)),
        integrity(figures),
        settings(figures),
        faults(figures),
        sample(figures),
        Some(limits(figures)),
        Some(sources(figures)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A column of a table: its head, and whether it holds numbers.
type Column = (&'static str, bool);

/// A table that can be scrolled by keyboard where it is too wide.
fn table(label: &str, columns: &[Column], rows: impl IntoIterator<Item = Vec<Markup>>) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label={ "Table: " (label) } {
            table.wide[columns.len() > 3] {
                thead { tr { @for (head, is_number) in columns { th.r[*is_number] scope="col" { (head) } } } }
                tbody {
                    @for row in rows {
                        tr { @for (cell, (_, is_number)) in row.into_iter().zip(columns) { td.r[*is_number] { (cell) } } }
                    }
                }
            }
        }
    }
}

fn text(text: impl AsRef<str>) -> Markup {
    html! { (text.as_ref()) }
}

/// A name in full. A short one is not broken, and a long one has room to be.
fn code(text: &str) -> Markup {
    const SHORT: usize = 28;
    html! { code.long[text.len() > SHORT] { (name(text)) } }
}

/// Lines of which some would be too many.
fn and_more(shown: usize, all: usize, what: &str) -> Markup {
    html! { @if all > shown { p.dim { "And " (number((all - shown) as u64)) " more, in " (what) "." } } }
}

fn examined(figures: &Figures<'_>) -> Section {
    let audit = &figures.finished.audit;
    let (counts, coverage, tally) = (&audit.counts, &audit.coverage, &figures.total);
    let is_proven = coverage.completeness == Completeness::Proven;
    let files = format!(
        "{} examined, {} not",
        number(coverage.units_examined),
        number(coverage.units_planned.saturating_sub(coverage.units_examined))
    );
    let is_examined = coverage.units_examined == coverage.units_planned;
    let checksums = match (is_proven, is_examined) {
        (true, true) => "✓ sizes and MD5 equal the manifests",
        (true, false) => "✗ not all are as the manifests say",
        (false, _) => "not proven by a manifest",
    };
    let rows_found = coverage.rows_read.saturating_add(coverage.rows_rejected);
    let rejected = format!("{} read + {} not readable", number(coverage.rows_read), number(coverage.rows_rejected));
    let of_files = if is_examined { "Rows in these files" } else { "Rows in the files that were examined" };
    let in_scope = format!(
        "{} compliant + {} violating + {} undetermined + {} excepted",
        number(tally.compliant),
        number(tally.violation),
        number(tally.undetermined),
        number(tally.excepted)
    );
    let objects = format!("{} rows read − {}", number(counts.rows), number(counts.delete_markers));
    let rows = [
        ("Data files of the inventories", coverage.units_planned, files.as_str(), checksums),
        (of_files, rows_found, &rejected, "✓ adds up"),
        ("Delete markers", counts.delete_markers, "they hold no data", ""),
        ("Objects", counts.objects, &objects, "✓ adds up"),
        ("Out of scope", counts.out_of_scope, "no rule of the policy is about them", ""),
        ("In scope", tally.in_scope(), &in_scope, "✓ adds up"),
    ];
    let lead = match (is_proven, figures.is_whole()) {
        (true, true) => "The whole population, not a sample. Each line follows from the one before.",
        (_, false) => "Not the whole population: what could not be examined is in no verdict.",
        (false, true) => "Everything that was given; nothing proves that this is the whole population.",
    };
    let said = figures.population();
    Section {
        id: "examined",
        title: "What was examined",
        lead: text(lead),
        content: html! {
            (table(
                "What was examined",
                &[("Step", false), ("Count", true), ("How it is made up", false), ("Check", false)],
                rows.into_iter()
                    .map(|(step, figure, how, check)| vec![text(step), text(number(figure)), text(how), text(check)]),
            ))
            @if !said.is_empty() {
                p.below { "Beside the reports, this was given; nothing proves it:" }
                ul { @for sentence in said.iter().take(LISTED) { li { (name(sentence)) } } }
                (and_more(LISTED, said.len(), "summary.json"))
            }
        },
    }
}

/// The cells of a tally: in scope, rate, and its four verdicts.
fn tally_cells(tally: &Tally) -> [Markup; 6] {
    [
        text(number(tally.in_scope())),
        text(tally.rate()),
        text(number(tally.compliant)),
        text(number(tally.violation)),
        text(number(tally.undetermined)),
        text(number(tally.excepted)),
    ]
}

const TALLY: [Column; 6] = [
    ("In scope", true),
    ("Compliance", true),
    ("Compliant", true),
    ("Violating", true),
    ("Undetermined", true),
    ("Excepted", true),
];

fn with_tally(first: &'static str) -> Vec<Column> {
    [(first, false)].into_iter().chain(TALLY).collect()
}

fn months(figures: &Figures<'_>) -> Section {
    let is_counted = figures.finished.audit.rollup != "none";
    let shown = || figures.months.iter().filter(|month| month.tally.in_scope() > 0);
    let others = figures.other_months.in_scope();
    let rows = shown().map(|month| (month.name.as_str(), &month.tally));
    let rows = rows.chain((others > 0).then_some(("other or none", &figures.other_months)));
    let rows: Vec<Vec<Markup>> =
        rows.map(|(name, tally)| [text(name)].into_iter().chain(tally_cells(tally)).collect()).collect();
    let lead = match shown().next() {
        _ if !is_counted => "Objects were not counted by month (--rollup none), so there is no chart.",
        None => "No object in scope has a month, so there is no chart.",
        Some(_) => "By the month in which objects were last modified.",
    };
    let content = html! {
        @if is_counted && shown().next().is_some() {
            figure.scroll tabindex="0" role="region" aria-label="Chart: compliance by month" { (charts::months(figures)) }
            @if others > 0 {
                p.dim { (count(others, "object has", "objects have")) " no month, or one far from the others, and " (if others == 1 { "is" } else { "are" }) " not in the chart." }
            }
            details { summary { "Figures by month" } (table("Figures by month", &with_tally("Month"), rows)) }
        }
    };
    Section { id: "months", title: "Compliance by month", lead: text(lead), content }
}

fn accounts(figures: &Figures<'_>) -> Section {
    let named = || figures.accounts.iter().filter(|account| account.account != "-");
    let violating = named().filter(|account| account.tally.violation > 0).count();
    let of = named().count();
    let lead = match figures.not_told_apart {
        Some(why) => why.to_owned(),
        None if of == 0 => "The key of no object in scope names an account.".to_owned(),
        None => format!(
            "{} of {} {} violating objects. The account is the one in the object’s key, not the owner of the bucket.",
            number(violating as u64),
            count(of as u64, "account", "accounts"),
            if of == 1 { "has" } else { "have" }
        ),
    };
    let columns: Vec<Column> = [("Account", false), ("In scope", true), ("Compliance", true), ("Verdicts", false)]
        .into_iter()
        .chain([("Violating", true), ("Undetermined", true), ("Excepted", true), ("By month", false)])
        .collect();
    let row = |(at, account): (usize, &AccountFigures)| {
        let tally = &account.tally;
        let shown = name(&figures.label(&account.account));
        vec![
            html! { span.m { (shown) } },
            text(number(tally.in_scope())),
            text(tally.rate()),
            if at < WITH_CHARTS { charts::bar(tally) } else { text("") },
            text(number(tally.violation)),
            text(number(tally.undetermined)),
            text(number(tally.excepted)),
            if at < WITH_CHARTS { charts::small_chart(figures, account) } else { text("") },
        ]
    };
    let (worst, others) = figures.accounts.split_at(figures.accounts.len().min(WORST));
    let content = html! {
        @if !figures.accounts.is_empty() && figures.finished.audit.rollup != "none" {
            @if !figures.months.is_empty() { figure.scroll tabindex="0" role="region" aria-label="Chart: accounts by month" { (charts::heat_map(figures)) } }
            (table("Accounts, worst first", &columns, worst.iter().enumerate().map(row)))
            @if !others.is_empty() {
                details {
                    summary { "The other " (count(others.len() as u64, "account", "accounts")) }
                    (table("The other accounts", &columns, others.iter().enumerate().map(|(at, account)| row((at + WORST, account)))))
                }
            }
        }
    };
    Section { id: "accounts", title: "Accounts", lead: text(lead), content }
}

const REASONS: [Column; 5] =
    [("Reason", false), ("Verdict", false), ("Objects", true), ("Share of these", true), ("What it means", false)];

fn why(figures: &Figures<'_>) -> Option<Section> {
    let audit = &figures.finished.audit;
    if audit.counts.objects == 0 {
        return None;
    }
    let mut reasons: Vec<(&String, u64)> = audit.by_reason.iter().map(|(reason, count)| (reason, *count)).collect();
    reasons.retain(|(_, count)| *count > 0);
    reasons.sort_by_key(|(_, count)| Reverse(*count));
    let found = audit.counts.violation.saturating_add(audit.counts.undetermined);
    let reasons = reasons.into_iter().map(|(reason, count)| {
        let is_violation = Reason::ALL.into_iter().any(|known| known.as_str() == reason && known.is_violation());
        let verdict = if is_violation { "violation" } else { "undetermined" };
        let meaning = text(super::super::reason_text(reason));
        vec![code(reason), text(verdict), text(number(count)), text(share(count, found)), meaning]
    });
    let reasons: Vec<_> = reasons.collect();
    let rules = audit.policy.rules.iter().filter_map(|rule| {
        let line = audit.by_rule.get(&rule.id)?;
        let controls: Vec<String> = rule.controls.iter().map(|control| harmless(control)).collect();
        let severity = text(super::super::severity_name(line.severity));
        Some(
            [code(&rule.id), severity, text(controls.join("; "))]
                .into_iter()
                .chain(tally_cells(&Tally::from(line)))
                .collect(),
        )
    });
    let of_no_rule = figures.of_no_rule();
    let of_no_rule = (of_no_rule.in_scope() > 0).then(|| {
        [text("(no rule is about them)"), text(""), text("")].into_iter().chain(tally_cells(&of_no_rule)).collect()
    });
    let rules: Vec<Vec<Markup>> = rules.chain(of_no_rule).collect();
    let of_rules: Vec<Column> =
        [("Rule", false), ("Severity", false), ("Stands for", false)].into_iter().chain(TALLY).collect();
    let of_all = |(what, amount): (&String, &Amount)| {
        let share = share(amount.objects, audit.counts.objects);
        vec![name(what), text(number(amount.objects)), text(share), text(size(amount.bytes))]
    };
    let methods = audit.by_encryption_status.iter().filter(|(_, amount)| amount.objects > 0);
    let methods: Vec<_> = methods.map(of_all).collect();
    let classes: Vec<_> = audit.by_storage_class.iter().map(of_all).collect();
    let amounts = |first| [(first, false), ("Objects", true), ("Share of all", true), ("Size", true)];
    let mut keys: Vec<_> = audit.by_key.iter().collect();
    keys.sort_by_key(|(_, amount)| Reverse(amount.objects));
    let all_keys = keys.len();
    let keys: Vec<_> = keys
        .into_iter()
        .take(LISTED)
        .map(|(key, amount)| {
            let share = share(amount.objects, audit.counts.objects);
            vec![code(key), text(number(amount.objects)), text(share), text(size(amount.bytes))]
        })
        .collect();
    let groups = |groups: &[(String, Tally)]| -> Vec<Vec<Markup>> {
        let first = groups.iter().take(LISTED);
        first.map(|(group, tally)| [name(group)].into_iter().chain(tally_cells(tally)).collect()).collect()
    };
    let lead = if reasons.is_empty() && audit.counts.excepted > 0 {
        "No object violates the policy but those that an exception covers; this is how objects are stored."
    } else if reasons.is_empty() {
        "No object violates the policy or is undetermined; this is how they are stored."
    } else {
        "A violation’s reason is the first certain difference between object and rule; else it is what is not known."
    };
    let content = html! {
        @if !reasons.is_empty() {
            (table("Reasons", &REASONS, reasons))
        }
        h3 { "By rule" }
        (table("By rule", &of_rules, rules))
        h3 { "By encryption, all objects" }
        (table("By encryption", &amounts("Encryption"), methods))
        @if !classes.is_empty() {
            h3 { "By storage class, all objects" }
            (table("By storage class", &amounts("Storage class"), classes))
        }
        @if !keys.is_empty() {
            h3 { "By key, where evidence names it" }
            (table("By key", &amounts("Key"), keys))
            (and_more(LISTED, all_keys, "summary.json"))
        }
        @if !figures.kinds.is_empty() {
            h3 { "By kind of log" }
            (table("By kind of log", &with_tally("Kind"), groups(&figures.kinds)))
            (and_more(LISTED, figures.kinds.len(), "summary.json"))
            h3 { "By Region in the key" }
            (table("By Region", &with_tally("Region"), groups(&figures.regions)))
            (and_more(LISTED, figures.regions.len(), "summary.json"))
        }
    };
    Some(Section { id: "why", title: "Why", lead: text(lead), content })
}

fn right(figures: &Figures<'_>) -> Option<Section> {
    let (audit, plan) = (&figures.finished.audit, &figures.finished.plan);
    if plan.total.objects == 0 && figures.finished.reconciled.is_none() {
        return None;
    }
    let lanes = audit.remediation.iter().filter(|(_, lane)| lane.objects > 0).map(|(lane, line)| {
        let what = plan.reasons.iter().filter(|reason| reason.lane == **lane).map(|reason| harmless(&reason.text));
        let what: Vec<String> = what.collect();
        vec![
            code(lane),
            text(number(line.objects)),
            text(size(line.bytes)),
            text(number(line.manifests)),
            text(what.join("; ")),
        ]
    });
    let lanes: Vec<_> = lanes.collect();
    let free = plan.blocked.free.iter().chain(&plan.blocked.retained);
    let free: Vec<_> = free.map(|line| vec![name(&line.month), text(number(line.objects))]).collect();
    let columns = [("Lane", false), ("Objects", true), ("Size", true), ("Manifests", true), ("Why these", false)];
    let region = if plan.prices.region.is_empty() { String::new() } else { format!(" of {}", plan.prices.region) };
    let prices = format!("Prices{region}, {}: {}.", day(&plan.prices.date), plan.prices.source);
    let content = html! {
        @if !lanes.is_empty() {
            (table("Lanes", &columns, lanes))
            @if plan.total.jobs > 0 {
                p.below { "Cost: " (figures.cost()) ". Time: " (harmless(&plan.time.total.text)) ". " (harmless(&prices)) }
            }
            @if let Some(key) = &plan.target_key { p { "They are to be encrypted under " (code(key)) "." } }
            @for note in plan.notes.iter().take(LISTED) { p.dim { (harmless(&note.text)) } }
        }
        @if plan.blocked.objects > 0 {
            h3 { "Kept by Object Lock" }
            p {
                (count(plan.blocked.objects, "object", "objects")) " cannot be changed yet; "
                (number(plan.blocked.without_date.objects)) " of them have no date on which they can."
            }
            @if !free.is_empty() { (table("Kept by Object Lock", &[("Until", false), ("Objects", true)], free)) }
        }
        @if let Some(done) = &figures.finished.reconciled {
            h3 { "What became of it" }
            p {
                "Held against reports of jobs on " (day(&done.finished_at)) ": " (name(&done.outcome)) "."
                @if !done.audit.is_whole { " That audit was not whole." }
                @if !done.outcome_reasons.is_empty() {
                    " Because of: " (done.outcome_reasons.iter().map(|reason| harmless(reason)).collect::<Vec<_>>().join(", ")) "."
                }
            }
            (table(
                "What became of it",
                &[("State", false), ("Objects", true)],
                [
                    ("to be put right", done.counts.rows),
                    ("succeeded", done.counts.succeeded),
                    ("failed", done.counts.failed),
                    ("never attempted", done.counts.never_attempted),
                    ("restored, not copied yet", done.counts.restored),
                    ("by jobs of which nobody knows what they do", done.counts.unknown_operation),
                    ("changed again since", done.counts.changed_since),
                ]
                .map(|(state, objects)| vec![text(state), text(number(objects))])
            ))
        }
    };
    Some(Section { id: "right", title: "Putting it right", lead: name(&plan.headline), content })
}

fn exceptions(figures: &Figures<'_>) -> Section {
    let exceptions = &figures.finished.audit.exceptions;
    let rows = exceptions.iter().map(|line| {
        let facts = &line.facts;
        let state = match line.state {
            ExceptionState::Active => "active",
            ExceptionState::Expired => "expired, covers nothing",
            ExceptionState::Unused => "covers nothing",
        };
        let days = count(facts.days_left.unsigned_abs(), "day", "days");
        let days = if facts.days_left < 0 { format!("{days} ago") } else { format!("{days} left") };
        let scope = serde_json::to_string(&facts.scope).unwrap_or_default();
        let owner = if facts.owner.is_empty() { text("nobody") } else { name(&facts.owner) };
        vec![
            code(&facts.id),
            html! { span.state { (state) } },
            html! { (code(&facts.rule)) " " span.any { (name(&scope)) } },
            name(&facts.reason),
            owner,
            html! { span.date { (day(&facts.expires)) } br; span.dim { (days) } },
            text(number(line.objects)),
        ]
    });
    let rows: Vec<_> = rows.collect();
    let lead = match rows.len() {
        0 => "The policy has no exceptions.",
        _ => "Each has an owner and an end. Excepted objects do not count as compliant.",
    };
    let columns = [
        ("Id", false),
        ("State", false),
        ("What it covers", false),
        ("Reason", false),
        ("Owner", false),
        ("Ends", false),
        ("Objects", true),
    ];
    let content = html! { @if !rows.is_empty() { (table("Exceptions", &columns, rows)) } };
    Section { id: "exceptions", title: "Exceptions", lead: text(lead), content }
}

fn integrity(figures: &Figures<'_>) -> Option<Section> {
    let digests = figures.finished.digests.as_ref()?;
    let states = |counts: &std::collections::BTreeMap<String, u64>| -> Vec<Vec<Markup>> {
        counts.iter().filter(|(_, n)| **n > 0).map(|(state, n)| vec![name(state), text(number(*n))]).collect()
    };
    let places = digests.places.iter().take(LISTED).map(|place| {
        let time = |time: &Option<String>| time.as_deref().map_or_else(|| "–".to_owned(), moment);
        vec![
            html! { span.m { (name(&place.account)) } },
            name(&place.region),
            text(time(&place.first_start)),
            text(time(&place.last_end)),
            text(format!("{} of {}", number(place.digests_verified), number(place.digests))),
            text(format!("{} of {}", number(place.logs_verified), number(place.logs))),
            text(number(place.unreferenced)),
            text(number(place.gaps)),
        ]
    });
    let places: Vec<_> = places.collect();
    let columns = [
        ("Account", false),
        ("Region", false),
        ("From", false),
        ("To", false),
        ("Digests verified", true),
        ("Logs verified", true),
        ("Logs in no digest", true),
        ("Gaps", true),
    ];
    let reasons: Vec<String> = digests.outcome_reasons.iter().map(|reason| harmless(reason)).collect();
    let content = html! {
        p {
            "Outcome: " (super::super::outcome_words(digests.outcome)) "."
            @if !reasons.is_empty() { " Because of: " (reasons.join(", ")) "." }
            " " (count(digests.chains_total, "chain", "chains")) ", " (count(digests.gaps, "gap", "gaps")) "."
            @if !digests.logs_hashed { " Logs were not hashed: only their names were compared." }
            @if let (Some(first), Some(last)) = (&digests.window.first, &digests.window.last) {
                " They cover " (moment(first)) " to " (moment(last)) "."
            }
        }
        (table("Accounts and Regions with digests", &columns, places))
        (and_more(LISTED, digests.places.len(), "the summary of the digests"))
        details {
            summary { "Digests and logs by state" }
            (table("Digests by state", &[("Digests", false), ("Count", true)], states(&digests.digests)))
            (table("Logs by state", &[("Logs", false), ("Count", true)], states(&digests.logs)))
        }
    };
    let lead = format!("CloudTrail’s digests, verified offline on {}.", day(&digests.finished_at));
    Some(Section { id: "integrity", title: "Integrity of the logs", lead: text(lead), content })
}

fn settings(figures: &Figures<'_>) -> Option<Section> {
    let settings = figures.finished.settings.as_ref()?;
    const VERDICTS: [(&str, &str); 5] = [
        ("compliant", "Compliant"),
        ("violation", "Violating"),
        ("undetermined", "Undetermined"),
        ("excepted", "Excepted"),
        ("out_of_scope", "Not demanded"),
    ];
    let rows = settings.by_check.iter().map(|(check, counts)| {
        let counts = VERDICTS.iter().map(|(verdict, _)| text(number(counts.get(*verdict).copied().unwrap_or(0))));
        [code(check)].into_iter().chain(counts).collect()
    });
    let rows: Vec<Vec<Markup>> = rows.collect();
    let columns: Vec<Column> = [("Check", false)].into_iter().chain(VERDICTS.map(|(_, word)| (word, true))).collect();
    let accounts = &settings.coverage.accounts;
    let reasons: Vec<String> = settings.outcome_reasons.iter().map(|reason| harmless(reason)).collect();
    let content = html! {
        p {
            "Outcome: " (super::super::outcome_words(settings.outcome)) "."
            @if !reasons.is_empty() { " Because of: " (reasons.join(", ")) "." }
            " " (number(settings.kpi.trails_compliant)) " of " (count(settings.kpi.trails, "trail is", "trails are")) " as demanded. "
            (number(accounts.covered)) " of " (count(accounts.listed, "account is", "accounts are")) " covered by a trail that logs; "
            "something was exported of " (number(accounts.exported)) "."
        }
        (table("Checks of settings", &columns, rows))
    };
    let version = if settings.policy.version.is_empty() { "" } else { ", version " };
    let standard = format!("{}{version}{}", settings.policy.name, settings.policy.version);
    let lead = html! { "Trails, buckets and keys as they were exported, held against " (name(&standard)) ", as of " (day(&settings.as_of)) "." };
    Some(Section { id: "settings", title: "Settings", lead, content })
}

fn faults(figures: &Figures<'_>) -> Option<Section> {
    let (faults, first) = (&figures.finished.audit.faults, &figures.finished.faults);
    if faults.is_empty() {
        return None;
    }
    let counts = faults.iter().map(|(fault, n)| vec![code(fault), text(number(*n))]);
    let rows = first.iter().take(LISTED).map(|fault| {
        let place = &fault.r#where;
        let file = place.file.as_deref().unwrap_or(&place.source);
        let row = place.row.map_or(String::new(), |row| format!(", row {}", number(row)));
        vec![code(&fault.what), html! { (code(file)) (row) }, name(&fault.why)]
    });
    let all = faults.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
    let content = html! {
        (table("Faults by name", &[("Fault", false), ("Count", true)], counts))
        h3 { "The first of them" }
        (table("The first faults", &[("Fault", false), ("Where", false), ("Why", false)], rows))
        (and_more(LISTED, usize::try_from(all).unwrap_or(usize::MAX), "faults.jsonl"))
    };
    Some(Section {
        id: "faults",
        title: "Faults",
        lead: text("What could not be examined. Nothing in it counts, for good or bad."),
        content,
    })
}

fn sample(figures: &Figures<'_>) -> Option<Section> {
    let (sample, line) = (&figures.finished.sample, &figures.finished.audit.sample);
    let mut rows: Vec<_> = sample.iter().filter(|row| row.stratum.starts_with("verdict:")).collect();
    if rows.is_empty() {
        return None;
    }
    // Some of each verdict.
    rows.sort_by_key(|row| row.number);
    rows.truncate(SAMPLE);
    let (shown, all) = (rows.len() as u64, line.lines);
    let rows = rows.into_iter().map(|row| {
        vec![
            text(number(row.number)),
            html! {
                (code(&format!("{}/{}", row.bucket, row.key)))
                @if !row.version_id.is_empty() { br; span.dim { "version " (code(&row.version_id)) } }
            },
            html! { span.date { (moment(&row.last_modified)) } },
            name(&row.encryption_status),
            name(&row.verdict),
            text("☐"),
        ]
    });
    let columns = [
        ("No. of its verdict", true),
        ("Object", false),
        ("Last modified", false),
        ("Encryption", false),
        ("Verdict", false),
        ("Agrees", false),
    ];
    let seed = match &line.seed {
        Some(seed) => html! { "the seed " (code(seed)) ", which somebody chose" },
        None => html! { "the manifests’ hashes, as nobody chose a seed" },
    };
    let lead = html! {
        "Rows drawn by chance of all that were examined, to be looked up in S3 again: " (number(shown)) " of " (number(all)) " lines of sample.csv, which has the command for each."
    };
    let content = html! {
        p { "The order is decided by " (seed) ". The first 25, 40 or 60 of a verdict are samples of their own." }
        (table("Sample to re-perform", &columns, rows))
    };
    Some(Section { id: "sample", title: "Sample to re-perform", lead, content })
}

fn limits(figures: &Figures<'_>) -> Section {
    let audit = &figures.finished.audit;
    let keys = match audit.key_coverage.kms_objects {
        0 => "No object is encrypted under KMS.".to_owned(),
        objects if audit.key_coverage.known == 0 => format!(
            "S3 Inventory does not name keys: of {} under KMS, no key is known.",
            count(objects, "object", "objects")
        ),
        objects => format!(
            "S3 Inventory does not name keys: evidence names that of {} of {} under KMS.",
            number(audit.key_coverage.known),
            count(objects, "object", "objects")
        ),
    };
    let lists_current = audit.outcome_reasons.iter().any(|reason| reason == "noncurrent_versions_unlisted")
        || audit.policy.versions == Versions::Current;
    let content = html! {
        ul {
            li { "It is about the moment of each inventory, which may lag behind recent changes." }
            li {
                "It is about what inventories list. "
                @if audit.sources.iter().all(|source| source.configuration.is_some()) {
                    "How they are configured was given, and rests on that answer alone."
                } @else {
                    "A filter on a prefix is not visible in a manifest: compare the inventory configuration."
                }
            }
            @if lists_current { li { "It is about current versions; noncurrent ones are stored and were not judged." } }
            li { (keys) }
            li { "Checksums show damage, not forgery: whoever can rewrite both inventory and manifest can make them agree." }
            li { "How objects are encrypted is not who can read them." }
            @if figures.finished.digests.is_none() { li { "Whether logs are missing or changed was not looked at: that takes CloudTrail’s digests." } }
            @if figures.finished.settings.is_none() { li { "Whether trails, buckets and keys are set up well now was not looked at." } }
        }
    };
    Section {
        id: "limits",
        title: "What this does not prove",
        lead: text("A result is as good as what it rests on."),
        content,
    }
}

fn sources(figures: &Figures<'_>) -> Section {
    let finished = figures.finished;
    let audit = &finished.audit;
    let sources = audit.sources.iter().take(LISTED).map(|source| {
        let manifest = source.manifest.as_ref();
        let hash = manifest.map_or_else(|| text("no manifest"), |manifest| code(&manifest.sha256));
        let made = source.created_at.as_deref().map_or_else(|| "–".to_owned(), moment);
        vec![code(&source.path), text(made), text(number(source.files)), text(number(source.rows)), hash]
    });
    let columns =
        [("Manifest", false), ("Made", false), ("Files", true), ("Rows", true), ("SHA-256 of the manifest", false)];
    let facts = [
        ("Policy", html! { (code(&audit.policy.source)) ", SHA-256 " (code(&audit.policy.sha256)) }),
        ("Judged as of", text(moment(&audit.as_of))),
        ("Examined", text(format!("{} to {}", moment(&audit.started_at), moment(&audit.finished_at)))),
        ("Made by", made_by(&audit.tool)),
        ("Command that does it again", code(&finished.conduct().command())),
        ("summary.json", html! { "SHA-256 " (code(&finished.summary_sha256)) }),
    ];
    let content = html! {
        (table("Sources", &columns, sources))
        (and_more(LISTED, audit.sources.len(), "summary.json"))
        (table("Facts", &[("What", false), ("Value", false)], facts.map(|(what, value)| vec![text(what), value])))
        details { summary { "The policy" } pre tabindex="0" role="region" aria-label="The policy" { (pre_text(&finished.policy_text)) } }
    };
    Section {
        id: "sources",
        title: "Sources and policy",
        lead: text("What it was made from; all times are UTC."),
        content,
    }
}

fn made_by(tool: &ToolResult) -> Markup {
    html! { "logseal " (name(&tool.version)) @if let Some(commit) = &tool.commit { ", commit " (code(commit)) } }
}

/// A text with its lines.
fn pre_text(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", harmless(&line.replace('\t', "    ")))).collect()
}

/// Every reason has a sentence.
#[cfg(test)]
mod tests {
    use crate::policy::Reason;

    #[test]
    fn every_reason_is_explained() {
        for reason in Reason::ALL {
            assert!(!super::super::super::reason_text(reason.as_str()).is_empty());
        }
    }
}
