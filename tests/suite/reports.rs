//! A finished audit as a page and as a statement, and results that are refused.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::audits::{Desk, Ran, command};

/// An audit of the example, which holds violations.
fn audited(desk: &Desk, name: &str, args: &[&str]) -> PathBuf {
    let out = desk.path(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/example");
    let ran: Ran = command()
        .arg("audit")
        .arg(source)
        .arg("--out")
        .arg(&out)
        .args(["--no-progress", "--as-of", "2026-01-05"])
        .args(args)
        .output()
        .unwrap()
        .into();
    assert_eq!(ran.code, Some(1), "{ran:?}");
    out
}

fn report(audit: &Path, args: &[&str]) -> Ran {
    command().arg("report").arg(audit).args(args).output().unwrap().into()
}

fn page_of(desk: &Desk, audit: &Path, name: &str) -> String {
    let file = desk.path(name);
    let ran = report(audit, &["--html", file.to_str().unwrap()]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{ran:?}");
    fs::read_to_string(file).unwrap()
}

/// Changes a JSON file of a result.
fn change(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut value: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    change(&mut value);
    fs::write(file, serde_json::to_vec_pretty(&value).unwrap()).unwrap();
}

#[test]
fn all_forms_say_the_same() {
    let desk = Desk::new();
    let audit = audited(&desk, "audit", &[]);
    let page = page_of(&desk, &audit, "page.html");
    let (text, ticket) = (report(&audit, &[]).stdout, report(&audit, &["--format", "markdown"]).stdout);
    let summary: Value = serde_json::from_slice(&fs::read(audit.join("summary.json")).unwrap()).unwrap();
    let violating = summary["counts"]["violation"].as_u64().unwrap();
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = format!("{violating} of 1,091 objects in scope (4.9 %) are not stored as the policy demands.");
    for form in [&page, &text, &ticket] {
        assert!(flat(form).contains(&sentence), "{form}");
        assert!(form.contains(summary["policy"]["sha256"].as_str().unwrap()));
    }
    assert!(page.contains("1,037 compliant + 54 violating + 0 undetermined + 0 excepted"), "the reconciliation");
    assert!(ticket.lines().count() <= 40, "{ticket}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    // Made again, it is the same; a file that is there stays.
    assert_eq!(page_of(&desk, &audit, "again.html"), page);
    let kept = report(&audit, &["--html", desk.path("page.html").to_str().unwrap()]);
    assert_eq!(kept.code, Some(2), "{kept:?}");
    assert!(kept.stderr.contains("--force replaces it"), "{}", kept.stderr);
}

/// The command that the page tells does the audit again.
#[cfg(unix)]
#[test]
fn the_command_on_the_page_does_the_audit_again() {
    let desk = Desk::new();
    let args = ["--sample", "25", "--sample-seed", "it's $(chosen)", "--rollup", "none", "--accept-unproven"];
    let audit = audited(&desk, "audit", &args);
    let page = page_of(&desk, &audit, "page.html");
    let from = page.find("logseal audit SOURCE").expect("a command");
    let command = page[from..].split('<').next().unwrap();
    let command = command.replace("&amp;", "&").replace("&quot;", "\"").replace("&#39;", "'");
    let words = [
        ("logseal", env!("CARGO_BIN_EXE_logseal").to_owned()),
        ("SOURCE...", format!("{}/fixtures/example", env!("CARGO_MANIFEST_DIR"))),
        ("policy.toml", audit.join("policy.toml").display().to_string()),
        ("DIR", desk.path("again").display().to_string()),
    ];
    let command = words.iter().fold(command, |command, (word, value)| command.replacen(word, value, 1));
    let ran: Ran = std::process::Command::new("sh").args(["-c", &command]).output().unwrap().into();
    assert_eq!(ran.code, Some(1), "{command}: {ran:?}");
    let of = |folder: &Path, file: &str| fs::read_to_string(folder.join(file)).unwrap();
    for file in ["sample.csv", "findings.csv", "units.csv"] {
        assert_eq!(of(&desk.path("again"), file), of(&audit, file), "{file}");
    }
    let counts = |folder: &Path| serde_json::from_str::<Value>(&of(folder, "summary.json")).unwrap()["counts"].clone();
    assert_eq!(counts(&desk.path("again")), counts(&audit));
}

/// What is joined and not good is said beside the outcome, which is that of the audit alone; what is about another audit is refused.
#[test]
fn what_is_joined_is_about_this_audit() {
    let desk = Desk::new();
    let (audit, other) = (audited(&desk, "audit", &[]), audited(&desk, "other", &["--sample-seed", "x"]));
    let (done, reports) = (desk.path("done"), desk.path("reports"));
    fs::create_dir_all(&reports).unwrap();
    let mut reconcile = command();
    reconcile.arg("reconcile").arg(&audit).arg("--reports").arg(&reports).arg("--out").arg(&done);
    let ran: Ran = reconcile.output().unwrap().into();
    assert!(done.join("reconcile.json").exists(), "{ran:?}");
    let joined = ["--reconcile", done.to_str().unwrap()];
    let said = report(&audit, &joined);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.stdout.contains("Joined to it, what became of objects"), "{}", said.stdout);
    let refused = report(&other, &joined);
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("the reconciliation is of another audit"), "{}", refused.stderr);
}

#[test]
fn a_page_needs_nothing_from_elsewhere() {
    let desk = Desk::new();
    let page = page_of(&desk, &audited(&desk, "audit", &[]), "page.html");
    for foreign in ["<script", "src=", "@import", "url(", "http://", "https://", "javascript:", " on"] {
        let found = page.match_indices(foreign).find(|(at, _)| foreign != " on" || page[*at..].starts_with(" onerror"));
        assert_eq!(found, None, "{foreign}");
    }
}

/// What is spoilt, what is said of it, and how.
type Spoilt = (&'static str, &'static str, fn(&Path));

/// What was changed by hand, and what is not whole, becomes no report.
#[test]
fn results_that_do_not_agree_are_refused() {
    let desk = Desk::new();
    let cases: &[Spoilt] = &[
        ("one violation less", "counts", |audit| {
            change(&audit.join("summary.json"), |it| it["counts"]["violation"] = json!(53));
        }),
        ("violations that became compliant", "by_reason", |audit| {
            change(&audit.join("summary.json"), |it| {
                it["counts"]["violation"] = json!(0);
                it["counts"]["compliant"] = json!(1091);
            });
        }),
        ("a pass", "outcome_reasons", |audit| {
            change(&audit.join("summary.json"), |it| {
                (it["outcome"], it["outcome_reasons"]) = (json!("pass"), json!([]));
            });
        }),
        ("a month", "by_month", |audit| {
            change(&audit.join("summary.json"), |it| it["by_month"][0]["compliant"] = json!(9_999));
        }),
        ("the policy", "policy.toml", |audit| fs::write(audit.join("policy.toml"), "name = \"x\"\n").unwrap()),
        ("a manifest", "sources/1/manifest.json", |audit| {
            fs::write(audit.join("sources/1/manifest.json"), "{}").unwrap();
        }),
        ("a data file", "units.csv", |audit| {
            let text = fs::read_to_string(audit.join("units.csv")).unwrap();
            let kept: Vec<&str> = text.lines().take(3).collect();
            fs::write(audit.join("units.csv"), kept.join("\n") + "\n").unwrap();
        }),
        ("a row of the sample", "sample.csv", |audit| {
            let text = fs::read_to_string(audit.join("sample.csv")).unwrap();
            let kept: Vec<&str> = text.lines().take(5).collect();
            fs::write(audit.join("sample.csv"), kept.join("\n") + "\n").unwrap();
        }),
        ("a fault", "faults.jsonl", |audit| {
            let line = json!({"what": "x", "where": {"source": "s", "file": null, "row": null}, "why": "y"});
            fs::write(audit.join("faults.jsonl"), format!("{line}\n")).unwrap();
        }),
        ("an incomplete audit that names fewer files", "sources[0].files", |audit| {
            let text = fs::read_to_string(audit.join("units.csv")).unwrap();
            let gone = text.lines().next_back().unwrap().to_owned();
            fs::write(audit.join("units.csv"), text.replace(&format!("{gone}\n"), "")).unwrap();
            change(&audit.join("summary.json"), |it| it["coverage"]["units_planned"] = json!(2));
        }),
        ("a data file with another MD5", "has not the data files that sources/1/manifest.json lists", |audit| {
            let text = fs::read_to_string(audit.join("units.csv")).unwrap();
            let md5 = text.lines().nth(1).unwrap().split(',').nth(3).unwrap().to_owned();
            fs::write(audit.join("units.csv"), text.replace(&md5, &"0".repeat(32))).unwrap();
        }),
        ("all violations made compliant, in every total", "by_rule", |audit| {
            change(&audit.join("summary.json"), |it| {
                for part in ["counts", "bytes"] {
                    let moved = it[part]["violation"].as_u64().unwrap() + it[part]["compliant"].as_u64().unwrap();
                    (it[part]["violation"], it[part]["compliant"]) = (json!(0), json!(moved));
                }
                for part in ["by_account", "by_month"] {
                    for line in it[part].as_array_mut().unwrap() {
                        let moved = line["violation"].as_u64().unwrap() + line["compliant"].as_u64().unwrap();
                        (line["violation"], line["compliant"]) = (json!(0), json!(moved));
                    }
                }
                it["by_reason"].as_object_mut().unwrap().values_mut().for_each(|count| *count = json!(0));
                (it["outcome"], it["outcome_reasons"]) = (json!("pass"), json!([]));
            });
        }),
        ("another version of the policy", "policy is not what policy.toml says", |audit| {
            change(&audit.join("summary.json"), |it| it["policy"]["version"] = json!("2"));
        }),
        ("no list of findings", "findings.csv", |audit| fs::remove_file(audit.join("findings.csv")).unwrap()),
        ("the plan", "plan.json", |audit| {
            change(&audit.join("remediation/plan.json"), |it| it["total"]["objects"] = json!(1));
        }),
    ];
    for (at, (name, said, spoil)) in cases.iter().enumerate() {
        let audit = audited(&desk, &format!("audit-{at}"), &[]);
        spoil(&audit);
        let file = desk.path("refused.html");
        let ran = report(&audit, &["--html", file.to_str().unwrap()]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{name}: {ran:?}");
        assert!(ran.stderr.contains(said) && ran.stderr.contains("hint: "), "{name}: {}", ran.stderr);
        assert!(!file.exists(), "{name}");
    }
}

#[test]
fn what_is_no_finished_audit_is_said() {
    let desk = Desk::new();
    let refused = |audit: &Path, said: &str| {
        let ran = report(audit, &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran:?}");
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    };
    refused(&desk.path("nothing"), "is no finished audit: it has no summary.json");
    let audit = audited(&desk, "audit", &[]);
    for file in
        ["policy.toml", "units.csv", "sample.csv", "faults.jsonl", "sources/1/manifest.json", "remediation/plan.json"]
    {
        let audit = audited(&desk, &format!("without-{}", file.replace('/', "-")), &[]);
        fs::remove_file(audit.join(file)).unwrap();
        refused(&audit, &format!("it has no {file}"));
    }
    let summary = audit.join("summary.json");
    let whole = fs::read(&summary).unwrap();
    fs::write(&summary, &whole[..whole.len() / 2]).unwrap();
    refused(&audit, "is not what logseal wrote");
    fs::write(&summary, &whole).unwrap();
    change(&summary, |it| it["schema"] = json!("logseal.digests/1"));
    refused(&audit, "it is no audit");
    fs::write(&summary, &whole).unwrap();
    change(&summary, |it| {
        it["tool"]["version"] = json!("0.1.0");
        it.as_object_mut().unwrap().remove("sample");
    });
    refused(&audit, "was made by logseal 0.1.0");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/example");
    let shard = desk.path("shard");
    let ran =
        command().arg("audit").arg(source).arg("--out").arg(&shard).args(["--shard", "1/2", "--no-progress"]).output();
    assert!(ran.is_ok());
    refused(&shard, "is shard 1 of 2");
}

/// Names that others chose, in every place where they can.
#[test]
fn names_of_strangers_are_text_and_nothing_else() {
    let desk = Desk::new();
    let evil = "<img src=x onerror=window.owned=1>\u{202e}\"'&]]>\u{1b}[31m=1+1";
    let policy = format!(
        "name = {evil}\nversion = {evil}\nstatement = {evil}\n[labels]\nenvironment = {evil}\n[[rule]]\nid = \"r1\"\nencryption = [\"SSE-KMS\"]\ncontrols = [{evil}]\n[[exception]]\nid = \"e1\"\nrule = \"r1\"\nwhere = {{ account = [\"947940578789\"] }}\nreason = {evil}\nowner = {evil}\nexpires = 2026-02-01\n",
        evil = serde_json::to_string(evil).unwrap()
    );
    let file = desk.file("policy.toml", &policy);
    let audit = audited(&desk, "audit", &["--policy", file.to_str().unwrap(), "--sample-seed", evil]);
    let page = page_of(&desk, &audit, "page.html");
    assert!(page.contains("&lt;img src=x onerror=window.owned=1&gt;"), "it is shown");
    let (text, ticket) = (report(&audit, &[]).stdout, report(&audit, &["--format", "markdown"]).stdout);
    for form in [&page, &text, &ticket] {
        assert!(!form.contains(['\u{202e}', '\u{1b}']), "{form}");
    }
    assert!(!page.contains("<img") && !ticket.contains(" <img"), "{ticket}");
}

#[test]
fn nothing_counted_is_no_chart() {
    let desk = Desk::new();
    let none = audited(&desk, "none", &["--rollup", "none"]);
    let page = page_of(&desk, &none, "none.html");
    assert!(page.contains("--rollup none") && !page.contains("Heat map"), "{page}");
    let few = audited(&desk, "few", &["--max-groups", "1"]);
    let page = page_of(&desk, &few, "few.html");
    assert!(page.contains("not all accounts are told apart"), "{page}");
}
