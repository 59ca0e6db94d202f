//! Whole audits, from manifests to a folder of evidence.

use logseal::audit::{AuditOptions, Summary, audit};
use logseal::plan::{Plan, PlanOptions};
use logseal::policy::Checker;
use logseal::timestamp::Timestamp;
use logseal::work::{Cancel, NoProgress, Watch};

use crate::exports::scratch_folder;
use crate::judge;
use crate::measure::{Input, Stopwatch, Work};

/// Under the preset `cis`, with everything verified and counted.
pub fn audit_once(input: &Input) -> Work {
    let (watch, folder) = (Stopwatch::default(), scratch_folder());
    let options = AuditOptions { jobs: input.jobs, ..AuditOptions::new(folder.path(), "preset:cis").expect("prices") };
    let summary = watch.time(|| run(input, &options));
    assert_eq!(summary.counts.rows, input.rows, "all rows are examined");
    Work { seconds: watch.seconds(), rows: input.rows, bytes: summary.timing.bytes_read }
}

fn run(input: &Input, options: &AuditOptions) -> Summary {
    let plan = Plan::new(std::slice::from_ref(&input.run), &PlanOptions::default()).expect("a plan");
    let checker = Checker::new(judge::cis(), Timestamp::now());
    audit(&plan, &checker, options, Watch { cancel: &Cancel::default(), progress: &NoProgress }).expect("an audit")
}
