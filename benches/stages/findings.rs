//! Findings to `findings.csv`.

use std::fs::File;
use std::io::Write as _;

use logseal::batch::{Batch, ColumnSet};
use logseal::policy::Ruling;
use logseal::sinks::{FINDINGS_HEADER, Finding, FindingWriter, List};

use crate::batches::each_batch;
use crate::exports::scratch_folder;
use crate::judge::{self, Judge};
use crate::measure::{Input, Stopwatch, Work};

/// The lines alone, in memory.
pub fn to_text(input: &Input) -> Work {
    let watch = Stopwatch::default();
    let (rows, bytes) = write_lines(input, &watch, |_| {});
    Work { seconds: watch.seconds(), rows, bytes }
}

/// The same into a list that is safe on the disk.
pub fn to_disk(input: &Input) -> Work {
    let (watch, folder) = (Stopwatch::default(), scratch_folder());
    let mut list = File::create(folder.path().join(List::Findings.file_name())).expect("created");
    list.write_all(FINDINGS_HEADER.as_bytes()).expect("written");
    let (rows, bytes) = write_lines(input, &watch, |lines| watch.time(|| list.write_all(lines).expect("written")));
    watch.time(|| list.sync_all().expect("synced"));
    Work { seconds: watch.seconds(), rows, bytes }
}

/// Returns how many lines and bytes there were.
fn write_lines(input: &Input, watch: &Stopwatch, mut write: impl FnMut(&[u8])) -> (u64, u64) {
    let (policy, mut judge, mut lines) = (judge::cis(), Judge::new(judge::cis()), Vec::new());
    let mut writer = FindingWriter::new(&policy);
    let (mut rows, mut bytes) = (0, 0);
    each_batch(input, ColumnSet::ALL, |batch, _| {
        let found = judge.findings(batch);
        let findings: Vec<Finding<'_>> = found.iter().map(|(row, ruling)| finding(batch, *row, *ruling)).collect();
        lines.clear();
        watch.time(|| findings.iter().for_each(|finding| writer.push(&mut lines, finding)));
        write(&lines);
        rows += findings.len() as u64;
        bytes += lines.len() as u64;
    });
    (rows, bytes)
}

fn finding<'b>(batch: &Batch<'b>, row: usize, ruling: Ruling) -> Finding<'b> {
    Finding {
        bucket: batch.bucket.get(row),
        key: batch.key.get(row),
        version_id: batch.version_id.get(row),
        is_latest: batch.is_latest.get(row),
        size: batch.size.get(row).size().expect("a size"),
        last_modified: batch.last_modified.get(row).time().expect("a time"),
        storage_class: batch.storage_class.get(row),
        encryption_status: batch.encryption_status.get(row),
        bucket_key_status: batch.bucket_key_status.get(row),
        kms_key_arn: "",
        ruling,
        lane: None,
    }
}
