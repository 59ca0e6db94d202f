//! Rows and faults to files, in bounded memory and in input order.
//!
//! Every worker appends to spool files of its own, one for each list. What belongs to one part of one unit is an
//! [`Extent`]; the finished list is its extents in the order of (unit, part). A unit that turns out to be a fault leaves
//! nothing but bytes that no extent names. Extents are copied to the lists while later units are still examined.

mod faults;
mod findings;
mod folder;
mod list;
mod ordered;
mod spool;

pub use faults::{FaultLine, FaultPlace, push_fault};
pub use findings::{FINDINGS_HEADER, Finding, push_finding};
pub use folder::{OutputError, OutputFolder};
pub(crate) use list::{ListFile, Pieces};
pub(crate) use ordered::OrderedLists;
pub(crate) use spool::UnitLengthList;
pub use spool::{Extent, List, SpoolWriter, Spools, UnitLengths};
