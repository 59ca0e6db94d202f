//! The report as one HTML file: no script, no network, nothing from elsewhere. It is readable where styles are stripped, and in
//! print. All text from outside is escaped twice: whatever could steer a reader's eye becomes `\xNN` (as in all of our outputs),
//! and then HTML.

mod charts;
mod file;
mod sections;

pub use file::{WritePageError, write_page};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::figures::{Figures, day};
use crate::escape::harmless;
use crate::finished::Finished;
use crate::hashes::sha256::Sha256;
use crate::outcome::Outcome;
use crate::words::{count, number};

const STYLE: &str = include_str!("style.css");

/// The report of a finished audit as one HTML page.
pub fn render_page(finished: &Finished) -> String {
    let figures = Figures::new(finished);
    let sections = sections::all(&figures);
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        STANDARD.encode(Sha256::of(STYLE))
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "logseal " (env!("CARGO_PKG_VERSION")) };
                title { "Encryption of stored log objects: " (figures.title()) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { div.wide { (head_band(&figures)) } }
                main.wide {
                    (outcome(&figures))
                    (tiles(&figures))
                    nav aria-label="Contents" { @for section in &sections { a href={ "#" (section.id) } { (section.title) } } }
                    @for section in &sections {
                        section aria-labelledby=(section.id) {
                            h2 id=(section.id) { (section.title) }
                            p.lead { (section.lead) }
                            (section.content)
                        }
                    }
                    div.sign aria-hidden="true" { div { "Prepared by" } div { "Reviewed by" } div { "Date" } }
                }
                footer.wide { "Made by logseal " (env!("CARGO_PKG_VERSION")) ". This file needs no network and runs no script." }
            }
        }
    };
    page.into_string()
}

/// A name or a text that somebody else chose.
fn name(text: &str) -> Markup {
    html! { bdi dir="ltr" { (harmless(text)) } }
}

fn head_band(figures: &Figures<'_>) -> Markup {
    let audit = &figures.finished.audit;
    let labels = &audit.policy.labels;
    html! {
        div.dim { "Encryption of stored log objects" }
        h1 { (name(&figures.title())) }
        dl {
            div { dt { "Inventory of" } dd { (figures.inventory()) } }
            div { dt { "Policy" } dd { (name(&figures.policy())) } }
            div { dt { "Judged as of" } dd { (day(&audit.as_of)) } }
            @for (what, value) in [("Environment", &labels.environment), ("System", &labels.system), ("Owner", &labels.owner)] {
                @if !value.is_empty() { div { dt { (what) } dd { (name(value)) } } }
            }
        }
        @if !audit.policy.statement.is_empty() { p.dim { (name(&audit.policy.statement)) } }
    }
}

/// The sign has another shape for each outcome, so that it does not depend on its colour.
fn outcome(figures: &Figures<'_>) -> Markup {
    let (class, colour, shape) = match figures.finished.audit.outcome {
        Outcome::Pass => (
            "pass",
            "#2f7d68",
            "M16 1a15 15 0 1 0 0 30a15 15 0 1 0 0-30zM7.500 16.500l2.600-2.600l4 4l8.300-8.300l2.600 2.600l-10.900 10.900z",
        ),
        Outcome::Violations => {
            ("violations", "#bf3d26", "M16 2L31 29H1zM14.400 11h3.200v9h-3.200zM14.400 22.500h3.200v3.200h-3.200z")
        }
        Outcome::Incomplete | Outcome::Partial => {
            ("open", "#9a6a12", "M16 1L31 16L16 31L1 16zM14.400 8h3.200v10h-3.200zM14.400 20.500h3.200v3.200h-3.200z")
        }
    };
    let colour_class = match class {
        "pass" => "c",
        "violations" => "v",
        _ => "u",
    };
    html! {
        div class={ "outcome " (class) } {
            svg width="32" height="32" viewBox="0 0 32 32" aria-hidden="true" {
                path class=(colour_class) fill=(colour) fill-rule="evenodd" d=(shape) {}
            }
            div {
                h2 { (figures.outcome_title()) }
                @for sentence in figures.sentences() { p { (sentence) } }
            }
        }
    }
}

fn tile(what: &str, figure: &str, more: &str) -> Markup {
    html! { div.tile { div.dim { (what) } div.figure { (figure) } div.dim { (more) } } }
}

fn tiles(figures: &Figures<'_>) -> Markup {
    let tally = &figures.total;
    let (rate, rate_of) = figures.compliance();
    let (by_jobs, of) = figures.reach_of_jobs();
    let plan = &figures.finished.plan;
    let jobs = match plan.total.jobs {
        0 if of == 0 => "nothing is to be put right".to_owned(),
        0 => "no job can: see below".to_owned(),
        jobs => format!("{}, {}, {}", count(jobs, "job", "jobs"), figures.cost(), plan.time.total.text),
    };
    let (when, which) = match figures.next_exception() {
        Some((0, id, _)) => ("today".to_owned(), harmless(id)),
        Some((days, id, expires)) => {
            (count(days.unsigned_abs(), "day", "days"), format!("{} on {}", harmless(id), day(expires)))
        }
        None => ("none".to_owned(), "no exception holds".to_owned()),
    };
    html! {
        div.tiles {
            (tile("Compliance rate", &rate, &rate_of))
            (tile("Violating objects", &number(tally.violation), &figures.violating_bytes()))
            (tile("Can be put right by jobs", &super::figures::share(by_jobs, of), &jobs))
            (tile("Next exception to end", &when, &which))
        }
    }
}
