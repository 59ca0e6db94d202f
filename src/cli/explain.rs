//! `explain`: one object, in words.

use std::fmt::Write as _;
use std::path::Path;

use logseal::batch::Flag;
use logseal::escape::{escape, unescape};
use logseal::explain::{Answers, Explanation, Question, explain};
use logseal::plan::Plan;
use logseal::policy::{Answer, Checker, RuleTrace, Ruling, Verdict};
use logseal::report::render_explained_settings;
use logseal::settings::explain_settings;
use logseal::timestamp::Timestamp;

use super::args::ExplainArgs;
use super::{Failure, policy, print, say};

/// More versions of one object than anyone reads.
const MAX_ROWS: usize = 100;

pub(super) fn run(args: ExplainArgs) -> Result<u8, Failure> {
    if let Some(words) = &args.settings {
        return settings(words);
    }
    let (mut policy, policy_source) = policy::load(args.policy.as_deref())?;
    args.evidence.assume(&mut policy.evidence);
    let as_of = args.as_of.unwrap_or_else(Timestamp::now);
    let checker = Checker::new(policy, as_of);
    // One row is shown as it is: that needs no proof that others are not missing.
    let plan = Plan::new(&args.sources.sources, &args.sources.plan_options(true, as_of))?;
    let key = unescape(args.key.as_deref().unwrap_or_default()).ok_or_else(|| {
        Failure::with_hint("the key has a backslash that begins no escape", Some("write \\\\ for a backslash"))
    })?;
    let question = Question {
        bucket: args.bucket.map(String::into_bytes),
        key,
        version_id: args.version_id.map(String::into_bytes),
    };
    let evidence = args.evidence.into_options();
    let answers = explain(&plan, &checker, &question, evidence.as_ref(), MAX_ROWS);
    let answers = answers.map_err(|error| Failure::new(error.to_string()))?;
    let mut text = String::new();
    for explanation in &answers.explanations {
        // Writing to a string cannot fail.
        let _ = describe(&mut text, explanation, &checker, &policy_source);
    }
    for assumption in plan.assumptions().lines() {
        let _ = writeln!(text, "assumes       {}", assumption.sentence());
    }
    print(text.as_bytes())?;
    complain(&plan, &answers);
    let is_whole = answers.faults.is_empty()
        && answers.evidence_faults.is_empty()
        && answers.wrong_times.is_empty()
        && plan.sources().iter().all(|source| source.faults.is_empty());
    Ok(exit_code(&answers, is_whole))
}

/// A resource of a look at settings.
fn settings(words: &[String]) -> Result<u8, Failure> {
    let (folder, resource, check) = match words {
        [folder, resource] => (folder, resource, None),
        [folder, resource, check, ..] => (folder, resource, Some(check.as_str())),
        _ => return Err(Failure::new("--settings takes DIR RESOURCE [CHECK]")),
    };
    let rows = explain_settings(Path::new(folder), resource, check)
        .map_err(|error| Failure::with_hint(&error, Some("give the folder that settings wrote to with --out")))?;
    if rows.is_empty() {
        return Err(Failure::with_hint(
            format!("settings.csv has no row of {}", escape(resource.as_bytes())),
            Some("a resource is spelt as there: an ARN, s3://BUCKET, account:ID"),
        ));
    }
    print(render_explained_settings(&rows).as_bytes())?;
    let has = |verdict: &str| rows.iter().any(|row| row.verdict == verdict);
    Ok(match () {
        () if has("violation") => 1,
        () if has("undetermined") => 3,
        () => 0,
    })
}

fn complain(plan: &Plan, answers: &Answers) {
    for source in plan.sources() {
        for fault in &source.faults {
            say("warning", &format!("{}: {fault}", source.display_path()));
        }
    }
    for (source, fault) in &answers.wrong_times {
        say("warning", &format!("{source}: the manifest's creationTimestamp {fault}"));
    }
    for (file, fault) in &answers.faults {
        say("warning", &format!("{file}: {fault}"));
    }
    for fault in &answers.evidence_faults {
        say("warning", &format!("{}: {}", fault.path, fault.why));
    }
    if answers.rows_rejected > 0 {
        say("warning", &format!("{} rows could not be examined", answers.rows_rejected));
    }
    if answers.explanations.is_empty() {
        say("warning", "no row is about that object: keys are compared as a whole, letter by letter");
    }
    let shown = answers.explanations.len() as u64;
    if answers.matched > shown {
        let what = format!("only the first {shown} of {} rows are shown, and all are judged", answers.matched);
        say("warning", &format!("{what}: name a version with --version-id"));
    }
}

fn exit_code(answers: &Answers, is_whole: bool) -> u8 {
    let has = |verdict| answers.verdicts.contains(&verdict);
    let is_answered = is_whole && answers.rows_rejected == 0 && answers.matched > 0;
    match () {
        () if has(Verdict::Violation) => 1,
        () if has(Verdict::Undetermined) || !is_answered => 3,
        () => 0,
    }
}

fn describe(text: &mut String, found: &Explanation, checker: &Checker, policy_source: &str) -> std::fmt::Result {
    let key = found.object_key();
    let time = |time: Option<Timestamp>| time.map_or_else(|| "(blank)".to_owned(), |time| time.to_string());
    let cell = |cell: &[u8]| if cell.is_empty() { "(blank)".to_owned() } else { escape(cell).into_owned() };
    let optional = |found: &Option<Vec<u8>>| found.as_deref().map_or("(no such column)".to_owned(), cell);
    let is_latest = match found.is_latest {
        Flag::True => "true",
        Flag::False => "false",
        Flag::Blank | Flag::Bad => "(blank)",
    };
    let version = if found.version_id.is_empty() { "null".into() } else { escape(&found.version_id) };
    let date = key.date.map_or_else(|| "-".into(), |(year, month, day)| format!("{year:04}-{month:02}-{day:02}"));
    let lines = [
        ("source", found.source.clone()),
        ("file", escape(found.file.as_bytes()).into_owned()),
        ("row", found.row.to_string()),
        ("bucket", escape(&found.bucket).into_owned()),
        ("key", escape(&found.key).into_owned()),
        ("version", version.into_owned()),
        ("is latest", is_latest.to_owned()),
        ("delete marker", found.is_delete_marker.to_string()),
        ("size", found.size.map_or_else(|| "(blank)".to_owned(), |size| size.to_string())),
        ("last modified", time(found.last_modified)),
        ("storage class", cell(&found.storage_class)),
        ("encryption", optional(&found.encryption_status)),
        ("bucket key", optional(&found.bucket_key_status)),
        ("KMS key", found.kms_key.clone()),
        ("", String::new()),
        ("kind", escape(key.kind).into_owned()),
        ("organisation", key.organisation.map_or("-".into(), |id| escape(id).into_owned())),
        ("account", key.account.map_or_else(|| "-".to_owned(), |account| account.to_string())),
        ("region", key.region.map_or_else(|| "-".to_owned(), |region| region.to_string())),
        ("date", date),
        ("", String::new()),
    ];
    for (name, value) in lines {
        writeln!(text, "{}", format!("{name:14}{value}").trim_end())?;
    }
    writeln!(text, "policy        {policy_source}")?;
    match found.ruling {
        None => writeln!(text, "verdict       none: a delete marker holds no data\n"),
        Some(ruling) => judge(text, found, checker, ruling),
    }
}

fn judge(text: &mut String, found: &Explanation, checker: &Checker, ruling: Ruling) -> std::fmt::Result {
    let object = found.object();
    if checker.leaves_out(object.is_latest) {
        return writeln!(text, "verdict       out_of_scope: the policy is about current versions only\n");
    }
    for trace in checker.trace(&object) {
        writeln!(text, "rule          {}: {}", trace.rule.id, tried(&trace))?;
    }
    write!(text, "verdict       {}", ruling.verdict.as_str())?;
    match (ruling.reason, ruling.verdict) {
        (Some(reason), _) => writeln!(text, ": {}: {}", reason.as_str(), reason.why())?,
        (None, Verdict::OutOfScope) => writeln!(text, ": no rule applies")?,
        (None, _) => writeln!(text, ": the rule allows what the report says")?,
    }
    if let (Verdict::Excepted, Some(rule)) = (ruling.verdict, ruling.rule)
        && let Some(exception) = checker.exception_for(rule, &object)
    {
        let (reason, owner) = (escape(exception.reason.as_bytes()), escape(exception.owner.as_bytes()));
        writeln!(text, "exception     {}: {reason} ({owner}), before {}", exception.id, exception.expires)?;
    }
    writeln!(text)
}

fn tried(trace: &RuleTrace<'_>) -> String {
    let named = |wanted: Answer| {
        let names: Vec<_> = trace.open.iter().filter(|(_, answer)| *answer == wanted).map(|(name, _)| *name).collect();
        names.join(", ")
    };
    match trace.answer {
        Answer::Yes => "applies".to_owned(),
        Answer::No => format!("does not apply: {}", named(Answer::No)),
        Answer::Unknown => format!("cannot be decided: the report does not say {}", named(Answer::Unknown)),
    }
}
