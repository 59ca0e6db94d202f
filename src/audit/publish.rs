//! From what was found to a folder that is published: lists, campaign, partial and summary.

use std::thread;

use super::AuditError;
use super::AuditFacts;
use super::Run;
use super::Scope;
use super::Summary;
use super::campaign::{CampaignOptions, write_campaign};
use super::sample::{self, SAMPLE_FILE};
use super::shard::{FileSeal, ShardFile, ShardGroupFile, Shards, seal};
use crate::partial::Partial;
use crate::remediation::Group;
use crate::sinks::{
    GroupFile, List, ListFile, ListFiles, OutputError, OutputFolder, PARTIAL_FILE, REMEDIATION, SUMMARY_FILE, Sources,
    Stream, UnitLengths, push_fault,
};
use crate::work::{Cancel, Stopped};

/// The policy, as it was read.
pub(super) const POLICY_FILE: &str = "policy.toml";

/// Everything but the lists.
pub(super) struct AuditResult {
    pub(super) facts: AuditFacts,
    pub(super) partial: Partial,
    scope: Scope,
}

impl AuditResult {
    /// Nothing is added to the partial any more.
    pub(super) fn new(facts: AuditFacts, mut partial: Partial, scope: Scope) -> Self {
        partial.settle();
        Self { facts, partial, scope }
    }
}

/// Lists that lack nothing.
pub(super) struct FinishedLists {
    pub(super) files: ListFiles,
    /// Which shards they are of and how much of them is each unit's, if the output is to be merged.
    pub(super) part: Option<(Shards, UnitLengths<Group>)>,
}

/// Begins all lists; `sources` are the files that a list is put together from.
pub(super) fn begin_lists(
    output: &mut OutputFolder,
    facts: &AuditFacts,
    manifest_rows: u64,
    sources: impl Fn(Stream) -> Sources,
) -> Result<ListFiles, OutputError> {
    let mut begin =
        |list: List| output.begin_list(list.file_name(), &facts.preamble(list), sources(Stream::Named(list)));
    let named = List::ALL.into_iter().map(&mut begin).collect::<Result<_, _>>()?;
    Ok(ListFiles { named, groups: output.begin_groups(manifest_rows, sources(Stream::Groups))? })
}

/// Writes the summary and, where the output is to be merged, the partial; then publishes everything. `run` is asked when
/// the lists are written.
pub(super) fn write(
    mut output: OutputFolder,
    mut result: AuditResult,
    mut lists: FinishedLists,
    run: impl FnOnce() -> Run,
    campaign: &CampaignOptions,
    cancel: &Cancel,
) -> Result<Summary, AuditError> {
    // A shard does not know the rows of the others.
    if lists.part.is_none() {
        for noted in result.facts.note_what_rows_show(&result.partial) {
            let mut line = Vec::new();
            push_fault(&mut line, noted.code, &noted.source, None, None, &noted.why);
            lists.files.named[List::Faults as usize].append_lines(&line)?;
        }
    }
    let files = finish_lists(lists.files, cancel)?;
    if cancel.is_cancelled() {
        return Err(Stopped::Cancelled.into());
    }
    write_campaign(&output, &result.facts, &result.partial, &files, campaign)?;
    let run = run();
    if let Some(part) = lists.part {
        let shard = ShardFile::new(
            (&result.facts, &result.partial),
            &run,
            part,
            seal_lists(&output)?,
            shard_files(&output, &files)?,
        );
        output.write(PARTIAL_FILE, |out| shard.write(out))?;
    }
    let AuditResult { facts, partial, scope } = result;
    output.write(SAMPLE_FILE, |out| sample::write(out, &partial))?;
    output.write(POLICY_FILE, |out| out.write_all(facts.policy_text.as_bytes()))?;
    let summary = Summary::new(&facts, partial, scope, &files, run);
    output.write_json(SUMMARY_FILE, &summary)?;
    output.publish()?;
    Ok(summary)
}

/// Waits until all lists are on the disk, while those of groups are hashed.
fn finish_lists(ListFiles { named, groups }: ListFiles, cancel: &Cancel) -> Result<Vec<GroupFile>, AuditError> {
    thread::scope(|scope| {
        let finish_named = || named.into_iter().try_for_each(ListFile::finish);
        let finishing = thread::Builder::new().spawn_scoped(scope, finish_named).map_err(Stopped::Thread)?;
        let files = groups.finish(cancel)?;
        match finishing.join() {
            Ok(finished) => Ok(finished.map(|()| files)?),
            Err(_) => Err(Stopped::Panicked("the lists were not finished".to_owned()).into()),
        }
    })
}

fn seal_lists(output: &OutputFolder) -> Result<[FileSeal; List::ALL.len()], OutputError> {
    let [findings, faults, units] = List::ALL.map(|list| seal_file(output, list.file_name()));
    Ok([findings?, faults?, units?])
}

/// The seal of a file that has not been published.
fn seal_file(output: &OutputFolder, name: &str) -> Result<FileSeal, OutputError> {
    let path = output.staging().join(name);
    seal(&path).map_err(|error| OutputError::Write { path, error })
}

fn shard_files(output: &OutputFolder, files: &[GroupFile]) -> Result<Vec<ShardGroupFile>, OutputError> {
    let of_shard = |file: &GroupFile| {
        let seal = seal_file(output, &format!("{REMEDIATION}/{}", file.path))?;
        Ok(ShardGroupFile { group: file.group.clone(), path: file.path.clone(), rows: file.objects, seal })
    };
    files.iter().map(of_shard).collect()
}
