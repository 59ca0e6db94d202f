//! Files to rows: text to batches, pages to batches, and keys to what they say.

use std::hint::black_box;

use logseal::batch::{Batch, Column, ColumnSet};
use logseal::object_key::ObjectKey;
use logseal::policy::Checker;
use logseal::readers::Details;
use logseal::timestamp::Timestamp;

use crate::batches::{each_batch, each_part};
use crate::judge::{self, Judge};
use crate::measure::{Input, Stopwatch, Work};

/// Inflated text to batches. Inflating is not timed.
pub fn csv_split(input: &Input) -> Work {
    let (watch, mut rows) = (Stopwatch::default(), 0);
    each_part(input, |part, scratch| {
        let count = &mut |batch: &Batch<'_>, _: &mut dyn Details| {
            rows += batch.len as u64;
            Ok(())
        };
        watch.time(|| part.read(ColumnSet::ALL, scratch, &|| false, count)).expect("rows");
    });
    Work { seconds: watch.seconds(), rows, bytes: input.text_len() }
}

/// Keys alone, where a reader left them.
pub fn key_parse(input: &Input) -> Work {
    let (watch, mut bytes) = (Stopwatch::default(), 0);
    each_batch(input, ColumnSet::ALL, |batch, _| {
        bytes += (0..batch.len).map(|row| batch.key.get(row).len() as u64).sum::<u64>();
        watch.time(|| {
            for row in 0..batch.len {
                black_box(ObjectKey::parse(black_box(batch.key.get(row))));
            }
        });
    });
    Work { seconds: watch.seconds(), rows: input.rows, bytes }
}

/// The columns that a whole audit reads, and the rest for findings. Judging, which says what is one, is not timed.
pub fn parquet_read(input: &Input) -> Work {
    let (watch, mut judge) = (Stopwatch::default(), Judge::new(judge::cis()));
    let wanted = judge.checker.wanted_columns().with(Column::Key).with(Column::LastModifiedDate);
    watch.time(|| {
        each_batch(input, wanted, |batch, details| {
            let findings: Vec<u32> =
                watch.pause(|| judge.findings(batch).into_iter().map(|(row, _)| row as u32).collect());
            if !findings.is_empty() {
                black_box(details.read(&findings, ColumnSet::ALL).expect("the rest of findings"));
            }
        });
    });
    Work { seconds: watch.seconds(), rows: input.rows, bytes: input.files_len() }
}

/// The columns of an audit without rollups under a policy that does not look at keys, if nothing is a finding.
pub fn parquet_read_statuses(input: &Input) -> Work {
    let watch = Stopwatch::default();
    let wanted = Checker::new(judge::encrypted(), Timestamp::now()).wanted_columns();
    watch.time(|| each_batch(input, wanted, |_, _| {}));
    Work { seconds: watch.seconds(), rows: input.rows, bytes: input.files_len() }
}
