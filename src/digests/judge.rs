//! Slot by slot: the digests that are there, the signatures of them, and what others say of them.
//!
//! A signature is worth something whoever carries it, since only AWS can have made it. So each digest is verified by its
//! own metadata or by what any other digest carries for it, whatever that other digest is worth itself.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use super::chains::{Event, EventWriter};
use super::findings::{Findings, Matter};
use super::keys::{PublicKey, PublicKeys, Sha};
use super::records::{CarriedRecord, DigestRecord, SlotRecord, State};
use super::slot::{ChainKind, DigestName};
use super::status::{DigestStatus, DigestTally};
use crate::source::hex;
use crate::timestamp::Timestamp;

/// What became of each digest, by number.
pub(super) struct Statuses(Vec<AtomicU8>);

impl Statuses {
    pub(super) fn new(digests: u32) -> Self {
        // Whatever nobody sets is doubtful.
        let unset = DigestStatus::Conflict as u8;
        Self((0..digests).map(|_| AtomicU8::new(unset)).collect())
    }

    pub(super) fn get(&self, number: u32) -> DigestStatus {
        let status = self.0.get(number as usize).map(|status| status.load(Ordering::Relaxed));
        let known = status.and_then(|status| DigestStatus::ALL.get(usize::from(status)));
        known.copied().unwrap_or(DigestStatus::Conflict)
    }

    fn set(&self, number: u32, is: DigestStatus) {
        if let Some(status) = self.0.get(number as usize) {
            status.store(is as u8, Ordering::Relaxed);
        }
    }
}

/// Judges slots, and keeps what it finds.
pub(super) struct Judge<'j> {
    pub(super) keys: &'j PublicKeys,
    pub(super) statuses: &'j Statuses,
    pub(super) findings: Findings<'j>,
    pub(super) events: EventWriter<'j>,
    pub(super) tally: DigestTally,
}

/// All that is known of a slot.
#[derive(Default)]
struct Slot<'r> {
    /// Files with the same content are one.
    digests: BTreeMap<(&'r [u8], Sha), Vec<DigestRecord<'r>>>,
    malformed: Vec<DigestRecord<'r>>,
    carried: Vec<CarriedRecord<'r>>,
    metadata: Vec<(&'r [u8], Option<Timestamp>)>,
}

impl<'r> Slot<'r> {
    fn new(records: impl Iterator<Item = &'r [u8]>) -> Self {
        let mut slot = Self::default();
        for record in records.filter_map(SlotRecord::take) {
            match record {
                SlotRecord::Digest(digest) if digest.state == State::Malformed => slot.malformed.push(digest),
                SlotRecord::Digest(digest) => {
                    slot.digests.entry((digest.bucket, digest.sha)).or_default().push(digest);
                }
                SlotRecord::Carried(carried) => slot.carried.push(carried),
                SlotRecord::Metadata { signature, generated } => slot.metadata.push((signature, generated)),
            }
        }
        // Nobody's order shows.
        slot.malformed.sort_by_key(|digest| (digest.bucket, digest.key, digest.detail));
        slot.carried.sort_by_key(|carried| (carried.bucket, carried.sha, carried.signature));
        slot.metadata.sort_unstable();
        slot
    }
}

impl Judge<'_> {
    /// Judges the slot of these records.
    pub(super) fn slot<'r>(&mut self, records: impl Iterator<Item = &'r [u8]>) -> io::Result<()> {
        let slot = Slot::new(records);
        for same in slot.malformed.chunk_by(|one, other| (one.bucket, one.key) == (other.bucket, other.key)) {
            same.iter().for_each(|digest| self.statuses.set(digest.number, DigestStatus::Malformed));
            self.note(&same[0], DigestStatus::Malformed, same[0].detail)?;
        }
        let contents: Vec<_> = slot.digests.iter().collect();
        for same in contents.chunk_by(|((bucket, _), _), ((other, _), _)| bucket == other) {
            match same {
                [(_, files)] => self.content(files, &slot)?,
                _ => self.conflict(same.iter().map(|(_, files)| &files[..]), &slot)?,
            }
        }
        self.missing(&slot)
    }

    /// Files with one content.
    fn content(&mut self, files: &[DigestRecord<'_>], slot: &Slot<'_>) -> io::Result<()> {
        // The worst of them, and among its like the first by name.
        let Some(digest) = files.iter().min_by_key(|file| (std::cmp::Reverse(file.state), file.bucket, file.key))
        else {
            return Ok(());
        };
        let (status, detail) = match digest.state {
            State::Malformed => (DigestStatus::Malformed, Cow::Borrowed(digest.detail)),
            State::Misplaced => (DigestStatus::Misplaced, Cow::Borrowed(digest.detail)),
            State::TrailingData => (DigestStatus::TrailingData, Cow::Borrowed(digest.detail)),
            State::Sound => {
                let (status, detail) = self.verify(digest, slot);
                (status, Cow::Owned(detail.into_bytes()))
            }
        };
        files.iter().for_each(|file| self.statuses.set(file.number, status));
        self.note(digest, status, &detail)
    }

    fn conflict<'r>(
        &mut self,
        contents: impl Iterator<Item = &'r [DigestRecord<'r>]> + Clone,
        slot: &Slot<'_>,
    ) -> io::Result<()> {
        contents.clone().flatten().for_each(|file| self.statuses.set(file.number, DigestStatus::Conflict));
        let Some(first) = contents.clone().flatten().min_by_key(|file| (file.bucket, file.key, file.sha)) else {
            return Ok(());
        };
        let verified = contents.clone().filter_map(|files| files.first());
        let verified = verified.filter(|file| self.verify(file, slot).0 == DigestStatus::Verified).count();
        let detail =
            format!("{} different files claim its place; a signature verifies for {verified}", contents.count());
        self.note(first, DigestStatus::Conflict, detail.as_bytes())
    }

    /// Whether a signature of a digest verifies, and if not, why.
    fn verify(&self, digest: &DigestRecord<'_>, slot: &Slot<'_>) -> (DigestStatus, String) {
        let carried = slot.carried.iter().filter(|carried| carried.bucket == digest.bucket);
        let Some(key) = self.keys.get(&digest.fingerprint) else {
            let fingerprint = hex(&digest.fingerprint);
            return match carried.clone().find(|carried| carried.sha != digest.sha) {
                Some(carried) => (
                    DigestStatus::InvalidHash,
                    format!("its SHA-256 is {}, and the digest after it says {}", hex(&digest.sha), hex(&carried.sha)),
                ),
                None => (DigestStatus::KeyUnknown, format!("no public key has the fingerprint {fingerprint}")),
            };
        };
        let own = slot.metadata.iter().find(|(signature, _)| key.verifies(&digest.signed, signature));
        if let Some((_, generated)) = own {
            return judge_key(key, digest, *generated);
        }
        // The digest after it nearly always carries the only one.
        let mut tried: Option<&[u8]> = None;
        for signature in carried.map(|carried| carried.signature) {
            if tried != Some(signature) && key.verifies(&digest.signed, signature) {
                let generated = slot.metadata.iter().find_map(|(_, generated)| *generated);
                return judge_key(key, digest, generated);
            }
            tried = Some(signature);
        }
        match (tried, slot.metadata.is_empty()) {
            (None, true) => {
                (DigestStatus::Unsigned, "no digest after it and no metadata hold its signature".to_owned())
            }
            (Some(_), true) => {
                (DigestStatus::InvalidSignature, "the signature in the digest after it does not verify".to_owned())
            }
            (None, false) => {
                (DigestStatus::InvalidSignature, "the signature in its metadata does not verify".to_owned())
            }
            (Some(_), false) => (
                DigestStatus::InvalidSignature,
                "neither the signature in its metadata nor that in the digest after it verifies".to_owned(),
            ),
        }
    }

    /// What others name and nobody has.
    fn missing(&mut self, slot: &Slot<'_>) -> io::Result<()> {
        for named in slot.carried.chunk_by(|one, other| one.bucket == other.bucket) {
            let carried = &named[0];
            let is_there = slot.digests.keys().any(|(bucket, _)| *bucket == carried.bucket);
            if is_there || !slot.malformed.is_empty() {
                continue;
            }
            match DigestName::parse(carried.key) {
                Some(name) => {
                    self.events.push(carried.key, &name, &Event::missing(&name, carried.bucket, carried.key))?
                }
                None => {
                    self.tally.count(DigestStatus::Missing);
                    let detail = b"the digest after it names it, by a name that no digest has";
                    let matter = Matter::Digest(DigestStatus::Missing);
                    self.findings.push(matter, carried.bucket, carried.key, detail)?;
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, digest: &DigestRecord<'_>, status: DigestStatus, detail: &[u8]) -> io::Result<()> {
        self.tally.count(status);
        if status != DigestStatus::Verified {
            self.findings.push(Matter::Digest(status), digest.bucket, digest.key, detail)?;
        }
        match DigestName::parse(digest.key) {
            Some(name) => {
                let period = digest.period.filter(|_| status.has_credible_period());
                let event = Event::present(&name, period, digest.is_starting, status, (digest.bucket, digest.key));
                self.events.push(digest.key, &name, &event)
            }
            None => Ok(()),
        }
    }
}

/// A signature has verified; whether its key may have made it.
fn judge_key(key: &PublicKey, digest: &DigestRecord<'_>, generated: Option<Timestamp>) -> (DigestStatus, String) {
    let Some((_, end)) = digest.period else { return (DigestStatus::Malformed, String::new()) };
    let is_backfill = DigestName::parse(digest.key).is_some_and(|name| name.kind == ChainKind::Backfill);
    let (from, until) = match (is_backfill, generated) {
        (false, _) => (end, end),
        (true, Some(generated)) => (generated, generated),
        // It was signed at some time after its end.
        (true, None) => (end, Timestamp::MAX),
    };
    if key.is_valid_within(from, until) {
        return (DigestStatus::Verified, String::new());
    }
    let detail = format!("its signature verifies, under a key that was not to sign at {from}");
    (DigestStatus::KeyOutOfValidity, detail)
}
