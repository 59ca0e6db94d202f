//! Charts as SVG. Sizes and colours stand in attributes, so that they hold where styles are stripped; the style sheet has
//! others for dark pages. Shapes are drawn in units of a month and of an account, under a transform: a few bytes each.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use super::super::figures::{AccountFigures, Figures, MonthFigures, share};
use crate::finished::Tally;
use crate::words::{number, shortened};

/// The width of charts, in units of their view.
const WIDTH: f64 = 1072.0;
/// So many accounts are drawn at most.
const MAX_DRAWN: usize = 1_000;
/// Beyond so many, names have no room beside their lines.
const MAX_NAMED: usize = 60;

/// A verdict in a chart: class, colour, word.
const VERDICTS: [(&str, &str, &str); 4] = [
    ("c", "#2f7d68", "compliant"),
    ("x", "#6360a8", "excepted"),
    ("u", "#9a6a12", "undetermined"),
    ("v", "#bf3d26", "violation"),
];

/// A shade of the heat map: class, colour, words.
const SHADES: [(&str, &str, &str); 7] = [
    ("h0", "#cfe3dc", "all compliant"),
    ("h1", "#f3beb2", "under 1 % violate"),
    ("h2", "#e58d7a", "1 to 10 %"),
    ("h3", "#cf5744", "10 to 50 %"),
    ("h4", "#9e2b1d", "50 % and more"),
    ("h5", "#b27a1d", "undetermined only"),
    ("h6", "#6b69ad", "excepted"),
];

fn parts(tally: &Tally) -> [u64; 4] {
    [tally.compliant, tally.excepted, tally.undetermined, tally.violation]
}

/// The heights of a column of 100, with at least one for whatever is there.
fn heights(tally: &Tally) -> [f64; 4] {
    let whole = tally.in_scope().max(1) as f64;
    let mut heights = parts(tally).map(|part| if part == 0 { 0.0 } else { (part as f64 * 100.0 / whole).max(1.0) });
    let sum: f64 = heights.iter().sum();
    // What is small stays seen: the largest gives way.
    if let Some(largest) = heights.iter_mut().max_by(|one, other| one.total_cmp(other))
        && sum > 100.0
    {
        *largest -= sum - 100.0;
    }
    heights
}

/// A number without needless digits.
fn short(number: f64) -> String {
    let text = format!("{number:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn legend<'l>(items: impl Iterator<Item = &'l (&'static str, &'static str, &'static str)>, more: &str) -> Markup {
    html! {
        ul.keys {
            @for (class, colour, words) in items {
                li { svg width="12" height="12" aria-hidden="true" { rect class=(class) fill=(colour) width="12" height="12" {} } (words) }
            }
            @if !more.is_empty() { li { (more) } }
        }
    }
}

/// The first month of each year that has room for its name.
fn years(months: &[MonthFigures]) -> Vec<(usize, &str)> {
    let firsts = months.iter().enumerate().filter(|(at, month)| *at == 0 || month.name.ends_with("-01"));
    let step = (months.len() / 12 / 12).max(1);
    let years: Vec<_> = firsts.map(|(at, month)| (at, &month.name[..4])).collect();
    years.into_iter().step_by(step).collect()
}

/// The months as columns of 100 %, over the number of objects.
pub(super) fn months(figures: &Figures<'_>) -> Markup {
    const LEFT: f64 = 44.0;
    const HIGH: f64 = 200.0;
    const LOW: f64 = 60.0;
    let months = &figures.months;
    let unit = (WIDTH - LEFT) / months.len().max(1) as f64;
    let mut columns = [const { String::new() }; 4];
    let most = months.iter().map(|month| month.tally.in_scope()).max().unwrap_or(0).max(1) as f64;
    let mut objects = String::new();
    for (at, month) in months.iter().enumerate() {
        let mut from = 0.0;
        for (path, height) in columns.iter_mut().zip(heights(&month.tally)) {
            if height > 0.0 {
                let _ = write!(path, "M{at} {}h.9v{}H{at}z", short(from), short(height));
                from += height;
            }
        }
        if month.tally.in_scope() > 0 {
            let height = (month.tally.in_scope() as f64 * 100.0 / most).max(2.0);
            let _ = write!(objects, "M{at} {}h.9V100H{at}z", short(100.0 - height));
        }
    }
    let text = format!(
        "{} months, from {} to {}. The figures are in the table below.",
        months.len(),
        months.first().map_or("", |month| &month.name),
        months.last().map_or("", |month| &month.name)
    );
    let flat = |height: f64, top: f64| format!("translate({LEFT} {top}) scale({} {})", short(unit), height / 100.0);
    html! {
        (legend(VERDICTS.iter(), ""))
        svg.chart role="img" aria-label="Columns of verdicts and objects by month" width="1072" height="310" viewBox="0 0 1072 310" {
            desc { (text) }
            text x="0" y="12" fill="#515d70" font-size="12" { "100 %" }
            text x="0" y=(short(HIGH)) fill="#515d70" font-size="12" { "0 %" }
            g transform=(flat(HIGH, 0.0)) {
                @for ((class, colour, _), path) in VERDICTS.iter().zip(&columns) {
                    @if !path.is_empty() { path class=(class) fill=(colour) d=(path) {} }
                }
            }
            g transform=(flat(LOW, HIGH + 12.0)) { path class="n" fill="#8793a8" d=(objects) {} }
            text x="0" y=(short(HIGH + 24.0)) fill="#515d70" font-size="12" { (rounded(most as u64)) }
            @for (at, year) in years(months) {
                text x=(short(LEFT + at as f64 * unit)) y=(short(HIGH + LOW + 28.0)) fill="#515d70" font-size="12" { (year) }
            }
            text x=(short(LEFT)) y=(short(HIGH + LOW + 46.0)) fill="#515d70" font-size="12" { "objects in scope by month, below" }
        }
    }
}

/// `8.8 M` for axes.
fn rounded(objects: u64) -> String {
    match objects {
        0..10_000 => number(objects),
        10_000..1_000_000 => format!("{:.0} k", objects as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} M", objects as f64 / 1e6),
        _ => format!("{:.1} bn", objects as f64 / 1e9),
    }
}

/// The shade of the objects of an account and month.
fn shade(tally: &Tally) -> usize {
    let violating = tally.violation as f64 * 100.0 / tally.in_scope().max(1) as f64;
    match tally.violation {
        0 if tally.undetermined > 0 => 5,
        0 if tally.excepted > 0 => 6,
        0 => 0,
        _ if violating < 1.0 => 1,
        _ if violating < 10.0 => 2,
        _ if violating < 50.0 => 3,
        _ => 4,
    }
}

/// So many columns of text are beside a line of the map.
const MAX_LABEL: usize = 32;

/// Accounts by months: a path for each shade, in which neighbours that are alike are one shape.
pub(super) fn heat_map(figures: &Figures<'_>) -> Markup {
    let drawn = &figures.accounts[..figures.accounts.len().min(MAX_DRAWN)];
    let is_named = drawn.len() <= MAX_NAMED;
    let has_names = drawn.iter().any(|account| figures.name_of(&account.account).is_some());
    let (left, row) = match is_named {
        true if has_names => (250.0, 14.0),
        true => (150.0, 14.0),
        false => (8.0, 5.0),
    };
    let unit = (WIDTH - left) / figures.months.len().max(1) as f64;
    let mut shades = [const { String::new() }; 7];
    for (at, account) in drawn.iter().enumerate() {
        for (from, to, shade) in runs(account) {
            let _ = write!(shades[shade], "M{from} {at}h{}v.9H{from}z", to - from);
        }
    }
    let top = 18.0;
    let height = top + row * drawn.len() as f64 + 4.0;
    let more = figures.accounts.len() - drawn.len();
    html! {
        (legend(SHADES.iter(), "blank: no objects"))
        svg.chart role="img" aria-label="Heat map of accounts by month" width="1072" height=(short(height)) viewBox={ "0 0 1072 " (short(height)) } {
            desc { "A line for each account, worst first; a cell for each month. The figures are in the table below." }
            @for (at, year) in years(&figures.months) {
                text x=(short(left + at as f64 * unit)) y="12" fill="#515d70" font-size="12" { (year) }
            }
            @if is_named {
                @for (at, account) in drawn.iter().enumerate() {
                    text x="0" y=(short(top + row * at as f64 + 11.0)) fill="#515d70" font-size="12" { (shortened(&figures.label(&account.account), MAX_LABEL)) }
                }
            }
            g transform={ "translate(" (left) " " (top) ") scale(" (short(unit)) " " (row) ")" } {
                @for ((class, colour, _), path) in SHADES.iter().zip(&shades) {
                    @if !path.is_empty() { path class=(class) fill=(colour) d=(path) {} }
                }
            }
        }
        @if more > 0 { p.dim { "The map shows the worst " (number(MAX_DRAWN as u64)) " accounts. " (number(more as u64)) " more are in the table." } }
    }
}

/// Months of one account that follow each other and have one shade: from, behind the last, shade.
fn runs(account: &AccountFigures) -> Vec<(usize, usize, usize)> {
    let mut runs: Vec<(usize, usize, usize)> = Vec::new();
    for (at, tally) in &account.months {
        let shade = shade(tally);
        match runs.last_mut() {
            Some(run) if run.1 == *at && run.2 == shade => run.1 += 1,
            _ => runs.push((*at, at + 1, shade)),
        }
    }
    runs
}

/// The verdicts of a group as a bar; its figures stand beside it.
pub(super) fn bar(tally: &Tally) -> Markup {
    let mut from = 0.0;
    let mut paths = String::new();
    for ((class, colour, _), width) in VERDICTS.iter().zip(heights(tally)) {
        if width > 0.0 {
            let (from_text, width_text) = (short(from), short(width));
            let _ = write!(
                paths,
                r#"<path class="{class}" fill="{colour}" d="M{from_text} 0h{width_text}v8H{from_text}z"/>"#
            );
            from += width;
        }
    }
    html! { svg width="100" height="8" viewBox="0 0 100 8" aria-hidden="true" { (PreEscaped(paths)) } }
}

/// The share of violating objects of an account in each month.
pub(super) fn small_chart(figures: &Figures<'_>, account: &AccountFigures) -> Markup {
    let mut path = String::new();
    for (at, tally) in account.months.iter().filter(|(_, tally)| tally.violation > 0) {
        let height = (tally.violation as f64 * 16.0 / tally.in_scope().max(1) as f64).max(1.0);
        let _ = write!(path, "M{at} {}h1V16H{at}z", short(16.0 - height));
    }
    let months = figures.months.len().max(1);
    let text = format!("{} of objects violate", share(account.tally.violation, account.tally.in_scope()));
    html! {
        svg width="96" height="16" viewBox={ "0 0 " (months) " 16" } preserveAspectRatio="none" role="img" aria-label=(text) {
            path class="v" fill="#bf3d26" d=(path) {}
        }
    }
}
