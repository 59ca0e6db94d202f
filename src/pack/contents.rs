//! What goes into a pack.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::groups;
use super::statement;
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
const MORE_AUDIT_FILES: [&str; 2] = ["remediation/plan.md", "digests.csv"];
/// Files of results that are joined.
const JOINED_FILES: [&str; 6] =
    ["summary.json", "digests.csv", "settings.csv", "trails.csv", "decryptors.csv", "faults.jsonl"];

pub(super) fn payload(folder: &Path, finished: &Finished, options: &PackOptions<'_>) -> Result<Payload, PackError> {
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
    let groups =
        groups::of_findings(read, finished).map_err(|why| PackError::Findings { path: findings.clone(), why })?;
    payload.insert("groups.csv".to_owned(), Content::Bytes(groups));
    if options.findings == FindingsForm::Csv {
        payload.insert("findings.csv.gz".to_owned(), Content::Gzipped(findings));
    }
    payload.insert("exceptions.csv".to_owned(), Content::Bytes(exceptions(finished)));
    payload.insert("report.html".to_owned(), Content::Bytes(options.page.as_bytes().to_vec()));
    payload.insert("verify.txt".to_owned(), Content::Bytes(texts::VERIFY.as_bytes().to_vec()));
    payload.insert("attestation.json".to_owned(), Content::Bytes(statement::statement(finished)));
    Ok(payload)
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
