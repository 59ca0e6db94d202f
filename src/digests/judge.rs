//! Slot by slot: the digests that are there, the signatures of them, and what others say of them.
//!
//! A signature is worth something whoever carries it, since only AWS can have made it. So each digest is verified by its
//! own metadata or by what any other digest carries for it, whatever that other digest is worth itself.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use super::chains::{Event, EventWriter, Link};
use super::findings::{DigestFindings, Matter};
use super::keys::{PublicKey, PublicKeys, Sha};
use super::mirrors::{Lies, Mirrors, Name, RootPath};
use super::records::{CarriedRecord, DigestRecord, SlotRecord, State};
use super::slot::{ChainKind, DigestName};
use super::status::{DigestStatus, DigestTally};
use crate::escape::hex::hex;
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
    pub(super) mirrors: &'j Mirrors,
    pub(super) findings: DigestFindings<'j>,
    pub(super) events: EventWriter<'j>,
    pub(super) totals: DigestTotals,
}

/// What digests come to.
#[derive(Debug, Default)]
pub(super) struct DigestTotals {
    pub(super) tally: DigestTally,
    /// Files at another path of their bucket, where the digest itself is there.
    pub(super) copies: u64,
    /// Digests at a path of a bucket that nothing names.
    pub(super) unplaced: u64,
}

impl DigestTotals {
    pub(super) fn merge(&mut self, other: &Self) {
        self.tally.merge(&other.tally);
        self.copies += other.copies;
        self.unplaced += other.unplaced;
    }
}

/// All that is known of a slot.
#[derive(Default)]
struct Slot<'r> {
    /// Files with the same content are one.
    digests: BTreeMap<(&'r [u8], Sha), Vec<DigestRecord<'r>>>,
    /// Without content.
    malformed: Vec<DigestRecord<'r>>,
    carried: Vec<CarriedRecord<'r>>,
    metadata: Vec<(&'r [u8], Option<Timestamp>)>,
}

impl<'r> Slot<'r> {
    fn new(records: impl Iterator<Item = &'r [u8]>) -> Self {
        let mut slot = Self::default();
        for record in records.filter_map(SlotRecord::take) {
            match record {
                SlotRecord::Digest(digest) if matches!(digest.state, State::Malformed | State::Unreadable) => {
                    slot.malformed.push(digest);
                }
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

/// The files of a digest, as a slot has them.
type Files<'r> = Vec<DigestRecord<'r>>;

impl Judge<'_> {
    /// Judges the slot of these records.
    pub(super) fn slot<'r>(&mut self, records: impl Iterator<Item = &'r [u8]>) -> io::Result<()> {
        let slot = Slot::new(records);
        for same in slot.malformed.chunk_by(|one, other| (one.bucket, one.key) == (other.bucket, other.key)) {
            let worst = same.iter().map(|digest| digest.state).min().unwrap_or(State::Malformed);
            let status = without_content(worst);
            same.iter().for_each(|digest| self.statuses.set(digest.number, status));
            let said = same.iter().find(|digest| digest.state == worst).unwrap_or(&same[0]);
            self.note(said, status, said.detail, &slot)?;
        }
        let contents: Vec<_> = slot.digests.iter().collect();
        let mut stands = Vec::new();
        for same in contents.chunk_by(|((bucket, _), _), ((other, _), _)| bucket == other) {
            let ((bucket, _), files) = same[0];
            let contents = same.iter().map(|(_, files)| *files);
            if !contents.clone().flatten().any(|file| self.stands(file)) {
                self.only_elsewhere(contents, &slot)?;
            } else if same.len() == 1 {
                self.content(files, &slot)?;
            } else {
                self.conflict(contents, &slot)?;
            }
            stands.push(*bucket);
        }
        self.missing(&slot, &stands)
    }

    /// Whether a file is the digest, or may stand in for it. In another bucket it may if no root mirrors its own.
    fn stands(&self, file: &DigestRecord<'_>) -> bool {
        match file.lies {
            Lies::Named | Lies::Elsewhere => true,
            Lies::OtherBucket | Lies::Unplaced => !self.mirrors.has(file.bucket),
        }
    }

    /// A digest of which there are only copies in other buckets, although its own is mirrored.
    fn only_elsewhere<'r>(
        &mut self,
        contents: impl Iterator<Item = &'r Files<'r>> + Clone,
        slot: &Slot<'_>,
    ) -> io::Result<()> {
        let mut worst: Option<(DigestStatus, String, &DigestRecord<'_>)> = None;
        for files in contents {
            files.iter().for_each(|file| self.statuses.set(file.number, DigestStatus::Missing));
            let Some(file) = files.first() else { continue };
            // Whatever is signed or named was delivered.
            let is_named = slot.carried.iter().any(|carried| carried.bucket == file.bucket);
            let (status, detail) = self.verify(file, slot);
            if is_named || status == DigestStatus::Verified {
                return self.note_missing(Name::new(file.bucket, file.key));
            }
            worst = Some((status, detail, file));
        }
        let Some((status, detail, file)) = worst else { return Ok(()) };
        self.note(file, status, detail.as_bytes(), slot)
    }

    fn note_missing(&mut self, name: Name<'_>) -> io::Result<()> {
        if let Some(parsed) = DigestName::parse(name.key) {
            return self.events.push(name.key, &parsed, &Event::missing(&parsed, name.bucket, name.key));
        }
        self.totals.tally.count(DigestStatus::Missing);
        let detail = b"another digest names it, by a name that no digest has";
        self.findings.push(Matter::Digest(DigestStatus::Missing), name.bucket, name.key, detail)
    }

    /// Files with one content.
    fn content(&mut self, files: &[DigestRecord<'_>], slot: &Slot<'_>) -> io::Result<()> {
        let best = files.iter().filter(|file| self.stands(file)).map(|file| file.lies).min();
        let standing = || files.iter().filter(|file| Some(file.lies) == best);
        // The worst of them, and among its like the first by name.
        let Some(digest) = standing().min_by_key(|file| (std::cmp::Reverse(file.state), file.bucket, file.key)) else {
            return Ok(());
        };
        let (status, detail) = match digest.state {
            State::Malformed | State::Unreadable => (without_content(digest.state), Cow::Borrowed(digest.detail)),
            State::Misplaced => (DigestStatus::Misplaced, Cow::Borrowed(digest.detail)),
            State::TrailingData => (DigestStatus::TrailingData, Cow::Borrowed(digest.detail)),
            State::Sound => {
                let (status, detail) = self.verify(digest, slot);
                (status, Cow::Owned(detail.into_bytes()))
            }
        };
        let is_moved = match digest.lies {
            Lies::Named => false,
            Lies::Elsewhere => true,
            Lies::OtherBucket | Lies::Unplaced => {
                let name = Name::new(digest.bucket, digest.key);
                !standing().any(|file| self.mirrors.is_stand_in(file.before, name))
            }
        };
        let (status, detail) = match status {
            DigestStatus::Verified if is_moved => {
                (DigestStatus::Moved, Cow::Borrowed(&b"it lies at another path of the bucket"[..]))
            }
            _ => (status, detail),
        };
        files.iter().for_each(|file| self.statuses.set(file.number, status));
        self.totals.unplaced += u64::from(digest.lies == Lies::Unplaced);
        let copies = files.iter().filter(|file| best == Some(Lies::Named) && file.lies == Lies::Elsewhere).count();
        self.totals.copies += copies as u64;
        self.note(digest, status, &detail, slot)
    }

    fn conflict<'r>(
        &mut self,
        contents: impl Iterator<Item = &'r Files<'r>> + Clone,
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
        self.note(first, DigestStatus::Conflict, detail.as_bytes(), slot)
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
    fn missing(&mut self, slot: &Slot<'_>, judged: &[&[u8]]) -> io::Result<()> {
        for named in slot.carried.chunk_by(|one, other| one.bucket == other.bucket) {
            let name = Name::new(named[0].bucket, named[0].key);
            // A file without content does not say of which bucket it is.
            let is_there = |file: &DigestRecord<'_>| {
                let at = RootPath { root: 0, top: file.bucket, rest: file.key };
                file.bucket.is_empty() || at.lies(b"", name) == Lies::Named || !self.mirrors.has(name.bucket)
            };
            if !judged.contains(&name.bucket) && !slot.malformed.iter().any(is_there) {
                self.note_missing(name)?;
            }
        }
        Ok(())
    }

    fn note(
        &mut self,
        digest: &DigestRecord<'_>,
        status: DigestStatus,
        detail: &[u8],
        slot: &Slot<'_>,
    ) -> io::Result<()> {
        self.totals.tally.count(status);
        if status != DigestStatus::Verified {
            self.findings.push(Matter::Digest(status), digest.bucket, digest.key, detail)?;
        }
        match DigestName::parse(digest.key) {
            Some(name) => {
                let period = digest.period.filter(|_| status.has_credible_period());
                let link = Link { is_starting: digest.is_starting, is_followed: !slot.carried.is_empty() };
                let event = Event::present(&name, period, link, status, (digest.bucket, digest.key));
                self.events.push(digest.key, &name, &event)
            }
            None => Ok(()),
        }
    }
}

fn without_content(state: State) -> DigestStatus {
    if state == State::Unreadable { DigestStatus::Unreadable } else { DigestStatus::Malformed }
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
