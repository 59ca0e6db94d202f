//! `plan.md`: the plan of a campaign for people. It reads well in a terminal 80 columns wide, and it is Markdown.
//!
//! Names that somebody else chose stand in code spans, where Markdown leaves them alone; what could end a span or a cell
//! is written as `\xNN`, which means the same in their escaped form. Only a name that is too long makes a line too long.

use std::fmt::{self, Write as _};

use crate::campaign::{Campaign, Duration, Estimate, FreeLine, GroupLine, JobLine, LaneLine, Usd, UsdBounds};
use crate::remediation::{Lane, TargetMethod, VersionState};
use crate::words::{columns, number, size, wrap};

/// How many jobs and groups are listed; `plan.json` has all.
const MAX_LISTED: usize = 100;

/// `plan.md`.
pub fn render_campaign(campaign: &Campaign) -> String {
    let mut page = Page { text: String::new() };
    // Writing to a string cannot fail.
    let _ = page.all(campaign);
    page.text
}

struct Page {
    text: String,
}

/// Where the cells of a column stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

impl Page {
    fn all(&mut self, campaign: &Campaign) -> fmt::Result {
        writeln!(self.text, "# Remediation plan\n")?;
        self.paragraph(&format!("**{}**", campaign.headline))?;
        self.terms(campaign)?;
        if campaign.total.objects > 0 {
            self.lanes(campaign)?;
            self.groups(campaign)?;
            self.steps(campaign)?;
            // Where nothing is done, nothing costs and nothing takes time.
            if campaign.cost.items().iter().any(|(_, item)| !item.terms.is_empty()) {
                self.cost(campaign)?;
                self.time(campaign)?;
            }
            self.blocked(campaign)?;
        }
        self.missing(campaign)?;
        self.notes(campaign)?;
        self.prices(campaign)
    }

    fn terms(&mut self, campaign: &Campaign) -> fmt::Result {
        let day = campaign.as_of.get(..10).unwrap_or_default();
        writeln!(self.text)?;
        self.item(&format!("As of {day}, which decides what is still locked."))?;
        match &campaign.target_key {
            Some(key) => self.item(&format!("Target key: {}", code(key))),
            None => self.item(
                "No target key. With a [remediation] in the policy, another audit says how each object can be put right \
                 and makes the jobs.",
            ),
        }
    }

    fn lanes(&mut self, campaign: &Campaign) -> fmt::Result {
        self.heading("Lanes")?;
        let cells = |name: &str, line: &LaneLine| {
            vec![name.to_owned(), number(line.objects), size(line.bytes), number(line.manifests), number(line.jobs)]
        };
        let lanes = Lane::ALL.iter().filter_map(|lane| campaign.lanes.get_key_value(lane.as_str()));
        let mut rows: Vec<_> = lanes.map(|(name, line)| cells(name, line)).collect();
        rows.push(cells("all", &campaign.total));
        self.table(&["lane", "objects", "size", "manifests", "jobs"], &rows)?;
        writeln!(self.text)?;
        for reason in &campaign.reasons {
            let (lane, objects) = (reason.lane.as_str(), objects(reason.objects));
            self.item(&format!("{lane}, {objects}: {}", reason.text))?;
        }
        Ok(())
    }

    fn groups(&mut self, campaign: &Campaign) -> fmt::Result {
        self.heading("Groups")?;
        for group in campaign.groups.iter().take(MAX_LISTED) {
            self.item(&group_text(group))?;
        }
        self.others(campaign.groups.len())
    }

    fn steps(&mut self, campaign: &Campaign) -> fmt::Result {
        if campaign.jobs.is_empty() {
            return Ok(());
        }
        self.heading("What to run, in this order")?;
        for (at, step) in campaign.steps.iter().enumerate() {
            if at > 0 {
                writeln!(self.text)?;
            }
            let jobs = count(step.jobs, "job", "jobs");
            self.paragraph(&format!("Step {}, {jobs} with {}: {}.", at + 1, objects(step.objects), step.text))?;
            writeln!(self.text)?;
            let jobs: Vec<&JobLine> = campaign.jobs.iter().filter(|job| job.step == step.step).collect();
            for job in jobs.iter().take(MAX_LISTED) {
                let first = format!("{}. ", job.order);
                self.indented(&first, &format!("{}, {} {}", job.lane.as_str(), objects(job.objects), code(&job.path)))?;
            }
            self.others(jobs.len())?;
        }
        Ok(())
    }

    fn cost(&mut self, campaign: &Campaign) -> fmt::Result {
        self.heading("Cost in US dollars")?;
        let cells = |name: &str, usd: &UsdBounds| vec![name.to_owned(), money(usd.low), money(usd.high)];
        let items = campaign.cost.items();
        let mut rows: Vec<_> = items.iter().map(|(name, item)| cells(name, &item.usd)).collect();
        rows.push(cells("all", &campaign.cost.total));
        self.table(&["for", "at least", "at most"], &rows)?;
        writeln!(self.text)?;
        items.iter().try_for_each(|(name, item)| self.formulas(name, item))
    }

    fn formulas(&mut self, name: &str, item: &Estimate) -> fmt::Result {
        item.terms
            .iter()
            .try_for_each(|term| self.item(&format!("{name}, {}: {} = {}", term.what, term.formula, bounds(&term.usd))))
    }

    fn time(&mut self, campaign: &Campaign) -> fmt::Result {
        self.heading("Time")?;
        let time = &campaign.time;
        let parts: [(&str, &Duration); 4] = [
            ("all", &time.total),
            ("request rate of one prefix", &time.request_rate),
            ("KMS quota", &time.kms),
            ("restores", &time.restore),
        ];
        parts.iter().try_for_each(|(name, part)| self.item(&format!("{name}: {} = {}", part.formula, part.text)))?;
        self.item("several prefixes are served side by side: the request rate grows with them")
    }

    fn blocked(&mut self, campaign: &Campaign) -> fmt::Result {
        let blocked = &campaign.blocked;
        if blocked.objects == 0 {
            return Ok(());
        }
        self.heading("Blocked, and when it becomes free")?;
        let mut rows: Vec<_> =
            blocked.free.iter().map(|line| vec![line.month.clone(), number(line.objects), size(line.bytes)]).collect();
        let retained =
            |line: &FreeLine| vec![format!("{}, and a hold", line.month), number(line.objects), size(line.bytes)];
        rows.extend(blocked.retained.iter().map(retained));
        let rest = &blocked.without_date;
        if rest.objects > 0 {
            rows.push(vec!["no date known".to_owned(), number(rest.objects), size(rest.bytes)]);
        }
        self.table(&["month", "objects", "size"], &rows)?;
        writeln!(self.text)?;
        self.item("audit again in these months: retention may have been made longer meanwhile")
    }

    fn missing(&mut self, campaign: &Campaign) -> fmt::Result {
        if campaign.missing.is_empty() {
            return Ok(());
        }
        self.heading("What the reports lack")?;
        campaign.missing.iter().try_for_each(|line| self.item(line.text))
    }

    fn notes(&mut self, campaign: &Campaign) -> fmt::Result {
        if campaign.notes.is_empty() {
            return Ok(());
        }
        self.heading("Before you run it")?;
        campaign.notes.iter().try_for_each(|note| self.item(&note.text))
    }

    fn prices(&mut self, campaign: &Campaign) -> fmt::Result {
        let prices = &campaign.prices;
        if prices.used.is_empty() {
            return Ok(());
        }
        self.heading("Prices and quotas")?;
        let region = if prices.region.is_empty() { String::new() } else { format!(", for {}", code(&prices.region)) };
        self.paragraph(&format!("As of {}{region}: {}", prices.date, plain(&prices.source)))?;
        writeln!(self.text)?;
        for (name, line) in &prices.used {
            let assumed = if line.assumption { ", an assumption" } else { "" };
            self.item(&format!("{} = {}{assumed}", code(name), line.value))?;
        }
        Ok(())
    }

    fn heading(&mut self, heading: &str) -> fmt::Result {
        writeln!(self.text, "\n## {heading}\n")
    }

    fn paragraph(&mut self, text: &str) -> fmt::Result {
        self.indented("", text)
    }

    fn item(&mut self, text: &str) -> fmt::Result {
        self.indented("- ", text)
    }

    fn others(&mut self, listed: usize) -> fmt::Result {
        match listed.saturating_sub(MAX_LISTED) {
            0 => Ok(()),
            others => self.item(&format!("and {} more, in plan.json", number(others as u64))),
        }
    }

    /// A text that goes on below itself. Words and code spans stay whole.
    fn indented(&mut self, first: &str, text: &str) -> fmt::Result {
        wrap(&mut self.text, first, words(text))
    }

    /// A table whose columns are as wide as they must be: names on the left, numbers on the right.
    fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> fmt::Result {
        let width = |at: usize| {
            let cells = rows.iter().filter_map(|row| row.get(at)).map(|cell| columns(cell));
            cells.chain([columns(head[at]), 3]).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let align = |at: usize| if at == 0 { Align::Left } else { Align::Right };
        let line = |cells: Vec<&str>| {
            let cells = cells.iter().zip(&widths).enumerate();
            cells.map(|(at, (cell, width))| format!("| {} ", padded(cell, *width, align(at)))).collect::<String>() + "|"
        };
        writeln!(self.text, "{}", line(head.to_vec()))?;
        let rules: Vec<String> = widths.iter().enumerate().map(|(at, width)| rule(*width, align(at))).collect();
        writeln!(self.text, "{}", line(rules.iter().map(String::as_str).collect()))?;
        rows.iter().try_for_each(|row| writeln!(self.text, "{}", line(row.iter().map(String::as_str).collect())))
    }
}

fn padded(cell: &str, width: usize, align: Align) -> String {
    match align {
        Align::Left => format!("{cell:<width$}"),
        Align::Right => format!("{cell:>width$}"),
    }
}

fn rule(width: usize, align: Align) -> String {
    match align {
        Align::Left => "-".repeat(width),
        Align::Right => format!("{}:", "-".repeat(width - 1)),
    }
}

fn group_text(group: &GroupLine) -> String {
    let mut parts = vec![format!("{}, {}", group.lane.as_str(), code(&group.bucket))];
    parts.extend(group.version.map(|version| match version {
        VersionState::Noncurrent => "noncurrent versions".to_owned(),
        VersionState::Current => "current versions".to_owned(),
    }));
    parts.extend(group.storage_class.map(|class| class.as_str().to_owned()));
    parts.extend(group.target.map(|target| match (target.method, target.bucket_key) {
        (TargetMethod::SseKms, true) => "to SSE-KMS with a Bucket Key".to_owned(),
        (TargetMethod::SseKms, false) => "to SSE-KMS".to_owned(),
        (TargetMethod::DsseKms, _) => "to DSSE-KMS".to_owned(),
        (TargetMethod::SseS3, _) => "to SSE-S3".to_owned(),
    }));
    if group.undetermined {
        parts.push("to be sure".to_owned());
    }
    let files = count(group.files.len() as u64, "file", "files");
    format!("{}: {}, {}, {files}", parts.join(", "), objects(group.objects), size(group.bytes))
}

/// A name as a code span.
fn code(name: &str) -> String {
    if name.is_empty() {
        return "(none)".to_owned();
    }
    let mut span = String::with_capacity(name.len() + 2);
    span.push('`');
    for c in name.chars() {
        match c {
            // A span ends at a backtick, a cell at a bar, and a careless reader of Markdown takes the others for HTML.
            '`' | '|' | '<' | '>' | '&' => {
                let _ = write!(span, "\\x{:02x}", u32::from(c));
            }
            c => span.push(c),
        }
    }
    span.push('`');
    span
}

/// An escaped text that somebody else wrote, so that Markdown shows it as it is.
fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        // A backtick would keep the words behind it together.
        let c = if c == '`' { '\'' } else { c };
        if matches!(c, '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '&' | '~' | '!') {
            shown.push('\\');
        }
        shown.push(c);
    }
    shown
}

/// The words of a text; a code span is one, even with spaces in it.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut is_in_span = false;
    text.split(move |c: char| {
        is_in_span ^= c == '`';
        c == ' ' && !is_in_span
    })
    .filter(|word| !word.is_empty())
}

fn count(number_of: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(number_of), if number_of == 1 { one } else { many })
}

fn objects(number_of: u64) -> String {
    count(number_of, "object", "objects")
}

fn money(usd: Option<Usd>) -> String {
    usd.map_or_else(|| "unknown".to_owned(), Usd::rounded)
}

fn bounds(usd: &UsdBounds) -> String {
    let (low, high) = (money(usd.low), money(usd.high));
    match (usd.low, usd.high) {
        (None, None) => "unknown".to_owned(),
        (Some(_), None) => format!("at least {low}, at most unknown"),
        _ if low == high => format!("{low} USD"),
        _ => format!("{low} to {high} USD"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amounts::Amount;
    use crate::campaign::tests::{everything, found, group};
    use crate::campaign::{CampaignInput, Prices};
    use crate::escape::escape;
    use crate::words::WIDTH;

    fn page(found: &CampaignInput<'_>) -> String {
        render_campaign(&Campaign::new(found, &Prices::built_in().expect("prices")))
    }

    fn in_bucket(name: &str) -> String {
        let mut found = everything();
        found.groups = found.groups.into_iter().map(|(group, amount)| (renamed(group, name), amount)).collect();
        for file in &mut found.files {
            file.group = renamed(file.group.clone(), name);
            file.path = format!("{}/{}-0001.csv", file.group.folder(), file.group.stem());
        }
        page(&found)
    }

    fn renamed(group: crate::remediation::Group, name: &str) -> crate::remediation::Group {
        crate::remediation::Group { bucket: escape(name.as_bytes()).into_owned(), ..group }
    }

    #[test]
    fn everything_is_said_in_80_columns() {
        let page = page(&everything());
        for line in page.lines() {
            // A manifest's path is one word, and stands in a line of its own.
            assert!(columns(line) <= WIDTH || line.trim_start().starts_with('`'), "{line}\n{page}");
        }
        for said in [
            "**Jobs can put right 1,590 objects; 102 objects for people.**",
            "\n| update-encryption | ",
            "\nStep 1, 2 jobs with 90 objects:",
            "\n- owner-key, 7 objects: encrypted with a key that only its owner has\n",
            "\n- blocked, 5 objects: compliance retention, which nobody can end, and a legal\n  hold\n",
            "\n3. update-encryption, 1,000 objects",
            "`update-encryption/org-audit-logs/sse-kms-0001.csv`",
            "\n| 2027-03 ",
            "\n- several prefixes are served side by side",
            "\n- no version ids: ",
            ", an assumption\n",
        ] {
            assert!(page.contains(said), "{said}\n{page}");
        }
    }

    #[test]
    fn an_empty_plan_says_so_and_no_more() {
        let page = page(&found(&[]));
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(&lines[..3], ["# Remediation plan", "", "**Nothing is to be done: no object needs remediation.**"]);
        assert!(!page.contains("\n## "), "{page}");
    }

    #[test]
    fn a_plan_without_jobs_costs_nothing_and_says_what_to_do() {
        let mut found = found(&[(group(Lane::NoTarget), Amount { objects: 7, bytes: 1 })]);
        found.key = None;
        let page = page(&found);
        assert!(page.contains("With a [remediation] in the policy"), "{page}");
        assert!(!page.contains("## Cost") && !page.contains("## Time") && page.contains("## Lanes"), "{page}");
        assert!(!page.contains("\n\n\n"), "{page}");
    }

    #[test]
    fn names_break_no_table_and_carry_no_markup() {
        for name in ["a|b", "a`b", "<script>", "a\n## b", "a\u{1b}[2J", "a&amp;", "", "``", "[x](y)", "a\\|b"] {
            let page = in_bucket(name);
            // No job can name these buckets, so the page is that of another one that none can name.
            let plain = in_bucket("ab");
            let tables =
                |page: &str| page.lines().filter(|line| line.starts_with('|')).map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(tables(&page), tables(&plain), "{name}");
            let headings = |page: &str| page.lines().filter(|line| line.starts_with('#')).count();
            assert_eq!(headings(&page), headings(&plain), "{name}");
            assert!(!page.contains("<script") && !page.contains('\u{1b}'), "{page}");
            assert!(page.lines().all(|line| line.matches('`').count().is_multiple_of(2)), "{page}");
        }
    }

    #[test]
    fn names_mean_the_same_in_their_spans() {
        for name in ["a|b", "`", "<&>", "plain", "\\"] {
            let escaped = escape(name.as_bytes());
            let span = code(&escaped);
            let inside = span.trim_matches('`');
            assert_eq!(crate::escape::unescape(inside).as_deref(), Some(name.as_bytes()), "{span}");
        }
    }

    #[test]
    fn the_source_of_prices_is_shown_as_it_is() {
        let text = Prices::BUILT_IN.replace("source = \"list", "source = \"<b>*a*</b> | `x` \\u001b[2J list");
        let prices = Prices::parse(&text).expect("prices");
        let found = found(&[(group(Lane::UpdateEncryption), Amount { objects: 1_000_000, bytes: 0 })]);
        let page = render_campaign(&Campaign::new(&found, &prices));
        assert!(page.contains("\\<b\\>\\*a\\*\\</b\\> \\| 'x' \\\\x1b\\[2J list"), "{page}");
        assert!(page.contains("\n- requests, updates: 1,000,000 requests / 1,000 x 0.005 USD = 5.00 USD\n"), "{page}");
        assert!(page.contains("\n- kms, updates: 1,000,000 objects x 1 to 2 requests / 10,000 x 0.03 USD ="), "{page}");
        assert!(page.lines().any(|line| line.split_whitespace().eq("| all | 9.25 | 12.25 |".split(' '))), "{page}");
    }

    #[test]
    fn long_lists_are_cut_and_say_so() {
        let mut found = found(&[(group(Lane::UpdateEncryption), Amount { objects: 1500, bytes: 0 })]);
        let file = found.files.remove(0);
        let name = |number: usize| format!("update-encryption/org-audit-logs/sse-kms-{number:04}.csv");
        found.files =
            (0..1500).map(|n| crate::sinks::GroupFile { path: name(n), objects: 1, ..file.clone() }).collect();
        let page = page(&found);
        assert!(page.contains("\n100. ") && !page.contains("\n101. "), "{page}");
        assert!(page.contains("\n- and 1,400 more, in plan.json\n"), "{page}");
    }
}
