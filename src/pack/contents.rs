//! What goes into a pack.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::groups;
use super::statement;
use super::table;
use super::texts;
use super::{PackError, PackOptions};
use crate::escape::push_cell;
use crate::finished::Finished;
use crate::store;

/// How findings are packed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingsForm {
    /// As CSV, compressed.
    #[default]
    Csv,
    /// As a table in Parquet.
    Parquet,
    /// Both.
    Both,
    /// Not at all: their hash stands for them.
    None,
}

/// A file of a pack.
pub(super) enum Content {
    Bytes(Vec<u8>),
    File(PathBuf),
    /// A file that is compressed on the way.
    Gzipped(PathBuf),
    /// A file that was.
    Stored(PathBuf),
}

/// Files of a pack, by their names below `data/`.
pub(super) type Payload = BTreeMap<String, Content>;

/// Files of an audit that are always there, and those that may be.
const AUDIT_FILES: [&str; 6] =
    ["summary.json", "policy.toml", "units.csv", "sample.csv", "faults.jsonl", "remediation/plan.json"];
const MORE_AUDIT_FILES: [&str; 1] = ["digests.csv"];
/// Files of results that are joined.
const JOINED_FILES: [&str; 6] =
    ["summary.json", "reconcile.json", "digests.csv", "settings.csv", "trails.csv", "decryptors.csv"];

/// What is packed; files that are made for it are written to a folder.
pub(super) fn payload(
    folder: &Path,
    finished: &Finished,
    options: &PackOptions<'_>,
    made: &Path,
) -> Result<Payload, PackError> {
    let mut payload = Payload::new();
    for name in AUDIT_FILES {
        payload.insert(name.to_owned(), Content::File(folder.join(name)));
    }
    let sources = (1..=finished.audit.sources.len())
        .flat_map(|number| ["manifest.json", "manifest.checksum"].map(|name| format!("sources/{number}/{name}")));
    for name in MORE_AUDIT_FILES.map(str::to_owned).into_iter().chain(sources) {
        let path = folder.join(&name);
        if path.is_file() {
            payload.insert(name, Content::File(path));
        }
    }
    for (name, folder) in &options.joined {
        let there = JOINED_FILES.iter().map(|file| (format!("{name}/{file}"), folder.join(file)));
        payload.extend(there.filter(|(_, path)| path.is_file()).map(|(name, path)| (name, Content::File(path))));
    }
    let findings = folder.join("findings.csv");
    let read = store::read_back(&findings).map_err(|source| PackError::Read { path: findings.clone(), source })?;
    let groups = groups::of_findings(options.cancel.reader(read), finished)
        .map_err(|why| PackError::Findings { path: findings.clone(), why })?;
    payload.insert("groups.csv".to_owned(), Content::Bytes(groups));
    if matches!(options.findings, FindingsForm::Parquet | FindingsForm::Both) {
        let (table, failed) = (made.join("findings.parquet"), |why: io::Error| PackError::Findings {
            path: findings.clone(),
            why: why.to_string(),
        });
        let list = store::read_back(&findings).map_err(failed)?;
        let to = store::create(&table).map_err(|error| PackError::Write { path: table.clone(), error })?;
        table::write(options.cancel.reader(list), to).map_err(failed)?;
        payload.insert("findings.parquet".to_owned(), Content::Stored(table));
    }
    if matches!(options.findings, FindingsForm::Csv | FindingsForm::Both) {
        payload.insert("findings.csv.gz".to_owned(), Content::Gzipped(findings));
    }
    payload.insert("exceptions.csv".to_owned(), Content::Bytes(exceptions(finished)));
    payload.insert("report.html".to_owned(), Content::Bytes(options.page.as_bytes().to_vec()));
    payload.insert("verify.txt".to_owned(), Content::Bytes(texts::VERIFY.as_bytes().to_vec()));
    payload.insert("attestation.json".to_owned(), Content::Bytes(statement::statement(finished)));
    Ok(payload)
}

/// Whether a pack of a result may hold a file of this name below `data/`.
pub(super) fn is_of_a_pack(name: &str, finished: &Finished) -> bool {
    const MADE: [&str; 7] = [
        "groups.csv",
        "findings.csv.gz",
        "findings.parquet",
        "exceptions.csv",
        "report.html",
        "verify.txt",
        "attestation.json",
    ];
    let is_listed = |names: &[&str]| names.contains(&name);
    let is_manifest = || {
        let (number, file) = name.strip_prefix("sources/")?.split_once('/')?;
        let is_source = (1..=finished.audit.sources.len()).any(|source| source.to_string() == number);
        Some(is_source && matches!(file, "manifest.json" | "manifest.checksum"))
    };
    let is_joined = || {
        let (folder, file) = name.split_once('/')?;
        Some(matches!(folder, "digests" | "settings" | "reconcile") && JOINED_FILES.contains(&file))
    };
    is_listed(&AUDIT_FILES)
        || is_listed(&MORE_AUDIT_FILES)
        || is_listed(&MADE)
        || is_manifest() == Some(true)
        || is_joined() == Some(true)
}

/// The exceptions of the policy, as a table.
pub(super) fn exceptions(finished: &Finished) -> Vec<u8> {
    let mut text = b"id,state,rule,where,reason,owner,expires,days_left,objects,bytes\n".to_vec();
    for line in &finished.audit.exceptions {
        let facts = &line.facts;
        let state = serde_json::to_value(line.state).unwrap_or_default();
        let scope = serde_json::to_string(&facts.scope).unwrap_or_default();
        let texts = [
            &facts.id,
            state.as_str().unwrap_or_default(),
            &facts.rule,
            &scope,
            &facts.reason,
            &facts.owner,
            &facts.expires,
        ];
        for cell in texts {
            push_cell(&mut text, cell.as_bytes());
            text.push(b',');
        }
        text.extend_from_slice(format!("{},{},{}\n", facts.days_left, line.objects, line.bytes).as_bytes());
    }
    text
}
