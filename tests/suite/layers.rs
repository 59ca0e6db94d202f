//! The layers of the source: arrows point down, and what stands in one row does not meet.

use std::fs;
use std::path::{Path, PathBuf};

/// From top to bottom. `ARCHITECTURE.md` shows the same table and says what each part is for.
const ROWS: &[&[&str]] = &[
    &["main"],
    &["cli"],
    &["report", "pack"],
    &["finished"],
    &["audit", "reconcile", "digests", "explain", "generate", "settings"],
    &["engine"],
    &["examine", "campaign"],
    &["partial"],
    &["evidence", "sinks"],
    &["population", "remediation", "rollup", "readers", "sample"],
    &["amounts", "join", "plan"],
    &["policy", "fault", "iam_policy"],
    &["assumptions", "batch", "delivery", "source", "store", "words", "json"],
    &["work", "outcome", "object_key", "timestamp", "escape", "hashes", "spans"],
];

/// The only neighbours that meet: an audit verifies digests, too.
const NEIGHBOURS: [(&str, &str); 1] = [("audit", "digests")];

/// What must not be even where the rows would allow it.
const NEVER: [(&str, &str); 3] = [("readers", "policy"), ("plan", "policy"), ("audit", "iam_policy")];

fn row_of(part: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&part))
}

/// What is wrong with one part using another.
fn wrong(from: &str, to: &str) -> Option<String> {
    let Some((above, below)) = row_of(from).zip(row_of(to)) else {
        return Some(format!("{from} -> {to}: give both a row in this table and in ARCHITECTURE.md"));
    };
    let is_down = above < below || NEIGHBOURS.contains(&(from, to));
    (!is_down || NEVER.contains(&(from, to))).then(|| format!("{from} -> {to}"))
}

/// The source files of the library and the command, without tests, by the part that they belong to.
fn files() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let inside = path.strip_prefix(&root).unwrap();
            let part = inside.iter().next().and_then(|part| Path::new(part).file_stem()?.to_str()).unwrap();
            let is_test = inside.iter().any(|name| matches!(name.to_str(), Some("tests" | "tests.rs" | "samples.rs")));
            match path.extension().and_then(|ending| ending.to_str()) {
                _ if is_test || part == "lib" => {}
                Some("rs") => files.push((part.to_owned(), path.clone())),
                _ if path.is_dir() => folders.push(path),
                _ => {}
            }
        }
    }
    files
}

/// The code of a file: no comments, and nothing that is only compiled for tests.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
}

/// The parts that some code names, as `crate::part` or, in the command, `logseal::part`.
fn used(code: &str) -> impl Iterator<Item = &str> {
    ["crate::", "logseal::"].into_iter().flat_map(|root| {
        code.split(root).skip(1).map(|rest| {
            assert!(!rest.starts_with('{'), "one statement for each part, so that this test can read it");
            rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
        })
    })
}

#[test]
fn arrows_point_down() {
    let mut found = Vec::new();
    for (part, path) in files() {
        let code = code(&path);
        let others = used(&code).filter(|other| *other != part);
        found.extend(others.filter_map(|other| Some(format!("{}: {}", path.display(), wrong(&part, other)?))));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Names that only some files may use: one seam for files of ours, one for those of others.
const SEAMS: [(&[&str], &[&str]); 3] = [
    (
        &["File::create", "fs::write", "fs::rename", "fs::remove_", "fs::create_dir", "tempfile::tempdir", "sync_all"],
        &["store.rs"],
    ),
    (&["File::open", "File::options", "OpenOptions", "fs::read("], &["store.rs", "source/"]),
    (&["unsafe {", "unsafe fn"], &["hashes/", "readers/csv/marks/", "source/inflate/fast.rs"]),
];

/// Names in a file that may not stand there.
fn beside_the_seams(file: &str, code: &str) -> Vec<&'static str> {
    let of_others = SEAMS.iter().filter(|(_, files)| !files.iter().any(|allowed| file.starts_with(allowed)));
    let stands = |name: &&str| code.match_indices(*name).any(|(at, _)| !code[..at].ends_with(char::is_alphanumeric));
    of_others.flat_map(|(names, _)| names.iter().copied()).filter(stands).collect()
}

#[test]
fn files_are_made_and_opened_in_one_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    // The command itself reads policies.
    for (_, path) in files().into_iter().filter(|(part, _)| part != "cli") {
        let file = path.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        let names = beside_the_seams(&file, &code(&path));
        found.extend((!names.is_empty()).then(|| format!("{file}: {}", names.join(", "))));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert_eq!(beside_the_seams("sinks/list.rs", "let file = File::create(path)?;"), ["File::create"]);
    assert_eq!(beside_the_seams("plan/mod.rs", "unsafe { SourceFile::open(path) }"), ["unsafe {"]);
}

#[test]
fn an_arrow_that_is_turned_round_is_found() {
    let allowed = |from: &str, to: &str| wrong(from, to).is_none();
    for row in ROWS.windows(2) {
        let (above, below) = (row[0][0], row[1][0]);
        assert!(allowed(above, below) && !allowed(below, above), "{above} {below}");
    }
    assert!(!allowed("evidence", "sinks") && allowed("audit", "digests") && !allowed("digests", "audit"));
    assert!(!allowed("readers", "policy") && !allowed("audit", "no_such_part"));
    assert_eq!(used("use crate::plan::Plan;\nfn f(x: crate::batch::Row) {}").collect::<Vec<_>>(), ["plan", "batch"]);
}
