//! Rows and faults to files, in bounded memory and in input order.
//!
//! Every worker appends to spool files of its own, one for each list. What belongs to one part of one unit is an
//! [`Extent`]; the finished list is its extents in the order of (unit, part). A unit that turns out to be a fault leaves
//! nothing but bytes that no extent names. Extents are copied to the lists while later units are still examined.

mod faults;
mod findings;
mod folder;
mod groups;
mod lengths;
mod list;
mod ordered;
mod spool;

pub use faults::{FaultLine, FaultPlace, push_fault};
pub use findings::{FINDINGS_HEADER, Finding, push_finding};
pub use folder::{OutputError, OutputFolder};
pub(crate) use folder::{OutputKind, RECONCILIATION, REMEDIATION, RETRY};
pub(crate) use groups::GroupFiles;
pub(crate) use lengths::{Lines, UnitLengthList, UnitLengths, UnitLines, with_groups};
pub(crate) use list::{ListFile, Pieces, Sources};
pub(crate) use ordered::{ListFiles, OrderedLists};
pub(crate) use spool::Stream;
pub use spool::{Extent, List, ListId, SpoolWriter, Spools};
