//! Rows and faults to files, in bounded memory and in input order.
//!
//! Every worker keeps the lines of a part in memory or, when there is no room, in spool files of its own. Some lines of
//! one list are an extent; the finished list is its extents in the order of (unit, part). They go to the lists as soon as
//! nothing is missing before them, and are taken back if their unit turns out to be a fault.

mod faults;
mod findings;
mod folder;
mod groups;
mod held;
mod lengths;
mod list;
mod ordered;
mod remedies;
mod sealed;
mod sorted;
mod spool;
mod units;

pub(crate) use faults::push_fault;
pub use findings::{FINDINGS_HEADER, Finding, FindingWriter};
pub(crate) use folder::{
    DIGESTS_FILE, FIXES, OutputKind, PARTIAL_FILE, RECONCILIATION, REMEDIATION, RETRY, SOURCES, SUMMARY_FILE,
};
pub use folder::{OutputError, OutputFolder};
pub use groups::GroupFile;
pub(crate) use groups::GroupFiles;
pub(crate) use held::{LINES_LEN, Room};
pub(crate) use lengths::{Lines, UnitLengthList, UnitLengths, UnitLines, with_groups};
pub(crate) use list::{ListFile, Pieces, Sources};
pub(crate) use ordered::{Ended, ListFiles, OrderedLists};
pub(crate) use remedies::{LIST_HEADER, ListRow, header_len, push_list_row, push_manifest_row};
pub(crate) use sealed::SealedFile;
pub(crate) use sorted::{SortWriter, Sorter};
pub use spool::List;
pub(crate) use spool::{Extent, ListId, SpoolWriter, Spools, Stream};
pub(crate) use units::{UNITS_HEADER, UnitCounts, push_faulted_unit, push_unit};
