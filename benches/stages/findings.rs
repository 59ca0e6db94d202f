//! Findings to `findings.csv`.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use logseal::batch::{Batch, ColumnSet};
use logseal::policy::Ruling;
use logseal::sinks::{FINDINGS_HEADER, Finding, List, ListId, Spools, push_finding};
use logseal::timestamp::TimeWriter;

use crate::exports::scratch_folder;
use crate::judge::{self, Judge};
use crate::measure::{Input, Stopwatch, Work};
use crate::rows::each_batch;

/// The lines alone, in memory.
pub fn to_text(input: &Input) -> Work {
    let watch = Stopwatch::default();
    let (rows, bytes) = write_lines(input, &watch, |_| {});
    Work { seconds: watch.seconds(), rows, bytes }
}

/// The same through the spool file of a worker into a list that is safe on the disk.
pub fn to_disk(input: &Input) -> Work {
    let (watch, folder) = (Stopwatch::default(), scratch_folder());
    let mut spool = Spools::new(folder.path()).writer(0);
    let (rows, bytes) = write_lines(input, &watch, |lines| {
        watch.time(|| spool.write(ListId::Named(List::Findings), lines, 0).expect("written"));
    });
    drop(spool);
    watch.time(|| copy_spool(folder.path()).expect("copied"));
    Work { seconds: watch.seconds(), rows, bytes }
}

/// Returns how many lines and bytes there were.
fn write_lines(input: &Input, watch: &Stopwatch, mut write: impl FnMut(&[u8])) -> (u64, u64) {
    let (mut judge, mut lines, mut times) = (Judge::new(judge::cis()), Vec::new(), TimeWriter::default());
    let (mut rows, mut bytes) = (0, 0);
    each_batch(input, ColumnSet::ALL, |batch, _| {
        let found = judge.findings(batch);
        let findings: Vec<Finding<'_>> = found.iter().map(|(row, ruling)| finding(batch, *row, *ruling)).collect();
        lines.clear();
        let policy = judge.checker.policy();
        watch.time(|| findings.iter().for_each(|finding| push_finding(&mut lines, finding, policy, &mut times)));
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
        ruling,
        lane: None,
    }
}

/// Makes a list of the only file in the folder. What an audit does is not public, but it leaves the copying to the
/// operating system as this does.
fn copy_spool(folder: &Path) -> io::Result<()> {
    let spool = fs::read_dir(folder)?.next().expect("a spool file")?.path();
    let mut list = File::create(folder.join(List::Findings.file_name()))?;
    list.write_all(FINDINGS_HEADER.as_bytes())?;
    io::copy(&mut File::open(spool)?, &mut list)?;
    list.sync_all()
}
