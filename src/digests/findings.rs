//! `findings.csv`: everything that is not verified, in the order of its lines.

use std::collections::BTreeSet;
use std::io;

use super::status::{DigestStatus, LogStatus};
use crate::escape::push_cell;
use crate::sinks::{SortWriter, Sorter};

/// The first line of the file.
pub(super) const HEADER: &[u8] = b"type,bucket,key,status,detail\n";
/// So many of the worst are shown to people.
const WORST: usize = 10;

/// What a finding is about.
#[derive(Clone, Copy, Debug)]
pub(super) enum Matter {
    Digest(DigestStatus),
    Log(LogStatus),
    /// Hours without a digest between two.
    Gap,
    /// A chain does not cover the window.
    Window,
    /// An account has logs in a Region, and no chain.
    NoChain,
}

/// A finding that is among the worst: how bad it is, and its line.
pub(super) type Worst = BTreeSet<(u8, Vec<u8>)>;

/// The findings of one worker.
pub(super) struct DigestFindings<'s> {
    lines: SortWriter<'s>,
    line: Vec<u8>,
    worst: Worst,
}

impl Matter {
    /// What it is about, and the status.
    fn cells(self) -> (&'static str, &'static str) {
        match self {
            Self::Digest(status) => ("digest", status.as_str()),
            Self::Log(status) => ("log", status.as_str()),
            Self::Gap => ("gap", "open"),
            Self::Window => ("gap", "window_not_covered"),
            Self::NoChain => ("gap", "no_chain"),
        }
    }

    /// The worst is 0.
    fn rank(self) -> u8 {
        match self {
            Self::Digest(status) if status.is_violation() => DigestStatus::InvalidSignature as u8 - status as u8,
            Self::Log(status) if status.is_violation() => 20 + LogStatus::HashMismatch as u8 - status as u8,
            Self::Digest(status) => 40 + DigestStatus::InvalidSignature as u8 - status as u8,
            Self::Gap => 60,
            Self::Window => 61,
            Self::NoChain => 62,
            Self::Log(status) => 80 + LogStatus::HashMismatch as u8 - status as u8,
        }
    }
}

impl<'s> DigestFindings<'s> {
    pub(super) fn new(sorter: &'s Sorter) -> Self {
        Self { lines: sorter.writer(), line: Vec::new(), worst: Worst::new() }
    }

    pub(super) fn push(&mut self, matter: Matter, bucket: &[u8], key: &[u8], detail: &[u8]) -> io::Result<()> {
        let ((what, status), line) = (matter.cells(), &mut self.line);
        line.clear();
        for cell in [what.as_bytes(), bucket, key, status.as_bytes()] {
            push_cell(line, cell);
            line.push(b',');
        }
        push_cell(line, detail);
        line.push(b'\n');
        self.lines.push(line)?;
        let rank = matter.rank();
        let is_worse = |(worst, lowest): &(u8, Vec<u8>)| (rank, &*line) < (*worst, lowest);
        if self.worst.len() < WORST || self.worst.last().is_some_and(is_worse) {
            self.worst.insert((rank, line.clone()));
            trim(&mut self.worst);
        }
        Ok(())
    }

    /// Hands everything over: the lines to the sorter, the worst to the caller.
    pub(super) fn finish(mut self, worst: &mut Worst) -> io::Result<()> {
        worst.append(&mut self.worst);
        trim(worst);
        self.lines.flush()
    }
}

fn trim(worst: &mut Worst) {
    while worst.len() > WORST {
        worst.pop_last();
    }
}
