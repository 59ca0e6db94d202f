//! What could not be read of reports and of the later inventory: all of it counted, the first of it named.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use crate::escape::escape;
use crate::evidence::EvidenceFault;
use crate::source::GivenPaths;

/// How many faults are named.
const MAX_NAMED: usize = 100;
/// How many characters of an explanation are kept.
const MAX_WHY_LEN: usize = 400;

/// Something that could not be read.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Fault {
    /// The name of the fault.
    pub what: &'static str,
    /// The file, escaped.
    pub file: String,
    /// The row in it, unless it is about the file as a whole.
    pub row: Option<u64>,
    /// A sentence for people, escaped.
    pub why: String,
}

impl Fault {
    /// One of a file, by what results call it, which is escaped.
    pub(super) fn of(what: &'static str, file: String, why: &str) -> Self {
        let why: String = why.chars().take(MAX_WHY_LEN).collect();
        Self { what, file, row: None, why: escape(why.as_bytes()).into_owned() }
    }

    /// One of key evidence, whose texts are escaped already.
    pub(super) fn of_evidence(fault: &EvidenceFault) -> Self {
        let why: String = fault.why.chars().take(MAX_WHY_LEN).collect();
        Self { what: "evidence", file: fault.path.clone(), row: None, why }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) counts: BTreeMap<&'static str, u64>,
    pub(super) named: Vec<Fault>,
    given: GivenPaths,
}

impl Faults {
    /// None yet, of files of these paths.
    pub(super) fn new(given: GivenPaths) -> Self {
        Self { given, ..Self::default() }
    }

    /// Notes one of a file as a whole.
    pub(super) fn add_file(&mut self, what: &'static str, path: &Path, why: &str) {
        self.add(Fault::of(what, self.given.name(path), why));
    }

    pub(super) fn add(&mut self, fault: Fault) {
        *self.counts.entry(fault.what).or_default() += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push(fault);
        }
    }

    /// The same for a fault that is only put into words if it will be named.
    pub(super) fn add_row(&mut self, what: &'static str, path: &Path, row: u64, why: &str) {
        if self.named.len() < MAX_NAMED {
            let fault = Fault::of(what, self.given.name(path), why);
            return self.add(Fault { row: Some(row), ..fault });
        }
        *self.counts.entry(what).or_default() += 1;
    }

    pub(super) fn total(&self) -> u64 {
        self.counts.values().fold(0, |sum, count| sum.saturating_add(*count))
    }
}
