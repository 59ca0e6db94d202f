//! `units.csv`: every data file, what it is and what came of it. Sums over its lines are those of the summary.

use crate::amounts::Verdicts;
use crate::escape::push_cell;
use crate::plan::Unit;
use crate::policy::Verdict;

/// The first line of `units.csv`.
pub(crate) const UNITS_HEADER: &str = "source,key,bytes,md5,rows,delete_markers,compliant,violation,undetermined,\
    excepted,out_of_scope,rejected_rows,state,fault\n";

/// What was found in a unit.
pub(crate) struct UnitCounts<'v> {
    /// Its rows, without rejected ones.
    pub(crate) rows: u64,
    pub(crate) delete_markers: u64,
    pub(crate) verdicts: &'v Verdicts,
    pub(crate) rows_rejected: u64,
}

/// Appends the line of a unit that was examined.
pub(crate) fn push_unit(lines: &mut Vec<u8>, unit: &Unit<'_>, found: &UnitCounts<'_>) {
    push_file(lines, unit);
    let verdicts = Verdict::ALL.map(|verdict| found.verdicts.get(verdict));
    let numbers = [found.rows, found.delete_markers].into_iter().chain(verdicts).chain([found.rows_rejected]);
    for number in numbers {
        lines.push(b',');
        lines.extend_from_slice(number.to_string().as_bytes());
    }
    lines.extend_from_slice(b",examined,\n");
}

/// Appends the line of a unit that could not be examined, with the name of its fault.
pub(crate) fn push_faulted_unit(lines: &mut Vec<u8>, unit: &Unit<'_>, fault: &str) {
    push_file(lines, unit);
    lines.extend_from_slice(format!(",,,,,,,,,faulted,{fault}\n").as_bytes());
}

/// The file, as its manifest describes it. Sources count from 1.
fn push_file(lines: &mut Vec<u8>, unit: &Unit<'_>) {
    lines.extend_from_slice(format!("{},", unit.source_id + 1).as_bytes());
    push_cell(lines, unit.key().as_bytes());
    let size = unit.manifest_size().map_or_else(String::new, |size| size.to_string());
    let md5 = unit.manifest_md5().map_or_else(String::new, |md5| md5.to_string());
    lines.extend_from_slice(format!(",{size},{md5}").as_bytes());
}
