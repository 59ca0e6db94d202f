//! From stored objects to records that can be judged.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde::Serialize;

use super::content::{Content, parse_signature};
use super::keys::Sha;
use super::member::{Damage, Inflater, Stored};
use super::metadata::{self, MAX_ANSWER_LEN, Metadata};
use super::records::{CarriedRecord, DigestRecord, Found, LogRecord, State, put_metadata};
use super::slot::{DigestName, KeptPlace, ObjectKind, Place, Places, SIDECAR_SUFFIX, path_of};
use super::{DigestsError, LogContents};
use crate::engine::{Progress, lock};
use crate::escape::escape;
use crate::hashes::sha256::{Hashed, MAX_QUEUED_LEN, Sha256, Sha256Queue};
use crate::join::{BucketHasher, JoinKey, KeyHasher, Varied, VariedWriter, VersionPart};
use crate::source::BufferedFile;
use crate::timestamp::Timestamp;

/// What a digest may inflate to. One with 10,000 logs has about 4 MB.
const MAX_DIGEST_LEN: usize = 64 << 20;
/// Room that is kept for the next text.
const MAX_ROOM_LEN: usize = 64 << 10;
/// Faults that are named; all are counted.
const MAX_FAULTS: usize = 1000;

/// What all workers share.
pub(super) struct Shared<'s> {
    pub(super) hasher: KeyHasher,
    pub(super) slots: &'s Varied,
    pub(super) logs: &'s Varied,
    pub(super) log_contents: LogContents,
    pub(super) progress: &'s dyn Progress,
    next_digest: AtomicU32,
    total: Mutex<Collected>,
    has_failed: AtomicBool,
    failure: Mutex<Option<DigestsError>>,
}

/// What is counted on the way.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) relocated: u64,
    pub(super) stored_plain: u64,
    pub(super) objects: u64,
    pub(super) bytes: u64,
    pub(super) other_files: u64,
    pub(super) links: u64,
    pub(super) faults: BTreeMap<&'static str, u64>,
    pub(super) named_faults: Vec<Fault>,
}

/// Something that could not be read, and is neither a digest nor a log.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[expect(missing_docs, reason = "the README explains the fields")]
pub struct Fault {
    pub what: &'static str,
    pub path: String,
    pub why: String,
}

impl<'s> Shared<'s> {
    pub(super) fn new(
        (slots, logs): (&'s Varied, &'s Varied),
        log_contents: LogContents,
        progress: &'s dyn Progress,
    ) -> Self {
        Self {
            hasher: KeyHasher::new(),
            slots,
            logs,
            log_contents,
            progress,
            next_digest: AtomicU32::new(0),
            total: Mutex::default(),
            has_failed: AtomicBool::new(false),
            failure: Mutex::default(),
        }
    }

    pub(super) fn fail(&self, error: DigestsError) {
        lock(&self.failure).get_or_insert(error);
        self.has_failed.store(true, Ordering::Release);
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire)
    }

    pub(super) fn take_failure(&self) -> Option<DigestsError> {
        lock(&self.failure).take()
    }

    /// How many digests have a number.
    pub(super) fn digests(&self) -> u32 {
        self.next_digest.load(Ordering::Acquire)
    }

    pub(super) fn take_total(&self) -> Collected {
        std::mem::take(&mut *lock(&self.total))
    }
}

impl Collected {
    pub(super) fn add_fault(&mut self, what: &'static str, path: &str, why: &str) {
        *self.faults.entry(what).or_default() += 1;
        self.named_faults.push(Fault { what, path: path.to_owned(), why: escape(why.as_bytes()).into_owned() });
        // The lowest are kept, so that the order of workers does not show.
        if self.named_faults.len() > 2 * MAX_FAULTS {
            self.trim();
        }
    }

    fn trim(&mut self) {
        self.named_faults.sort();
        self.named_faults.truncate(MAX_FAULTS);
    }

    fn merge(&mut self, other: Self) {
        let Self { relocated, stored_plain, objects, bytes, other_files, links, faults, named_faults } = other;
        self.relocated += relocated;
        self.stored_plain += stored_plain;
        self.objects += objects;
        self.bytes += bytes;
        self.other_files += other_files;
        self.links += links;
        faults.into_iter().for_each(|(what, count)| *self.faults.entry(what).or_default() += count);
        self.named_faults.extend(named_faults);
        self.trim();
    }
}

/// What waits for the hash of a text.
enum Pending {
    /// A digest, for that of its content.
    Digest(KeptPlace, Stored),
    /// The record of a digest, for that of the text that is signed.
    Signed(JoinKey, Vec<u8>),
    /// A log, for that of its content.
    Log(KeptPlace),
}

/// What one worker collects.
pub(super) struct Collector<'s> {
    shared: &'s Shared<'s>,
    slots: VariedWriter<'s>,
    logs: VariedWriter<'s>,
    paths: BucketHasher,
    places: Places,
    inflater: Inflater,
    hashes: Sha256Queue<Pending>,
    /// Emptied texts.
    room: Vec<Vec<u8>>,
    key: Vec<u8>,
    record: Vec<u8>,
    buffer: Vec<u8>,
    collected: Collected,
}

impl<'s> Collector<'s> {
    pub(super) fn new(shared: &'s Shared<'s>) -> Self {
        Self {
            shared,
            slots: shared.slots.writer(),
            logs: shared.logs.writer(),
            paths: shared.hasher.bucket(b""),
            places: Places::default(),
            inflater: Inflater::default(),
            hashes: Sha256Queue::new(),
            room: Vec::new(),
            key: Vec::new(),
            record: Vec::new(),
            buffer: Vec::new(),
            collected: Collected::default(),
        }
    }

    /// The place of an object of a root, whose path there this is; nothing for what is no log of AWS.
    pub(super) fn place_of<'k>(&mut self, path: &'k [u8]) -> Option<Place<'k>> {
        self.places.of(path)
    }

    /// Whether objects of a kind are to be read; of others it is enough to see them.
    pub(super) fn wants(&self, kind: ObjectKind) -> bool {
        match kind {
            ObjectKind::Digest | ObjectKind::DigestMetadata => true,
            ObjectKind::Log => self.shared.log_contents == LogContents::Hashed,
            ObjectKind::Other => false,
        }
    }

    /// Notes an object that is not read.
    pub(super) fn see(&mut self, place: &Place<'_>) -> io::Result<()> {
        match place.kind {
            ObjectKind::Log => self.push_present(place, Found::Unread),
            _ => {
                self.count_other();
                Ok(())
            }
        }
    }

    /// Reads an object of a root, whose path there this is.
    pub(super) fn object(&mut self, path: &[u8], from: &mut dyn BufRead) -> io::Result<()> {
        let Some(place) = self.places.of(path) else { return Ok(()) };
        self.collected.objects += 1;
        match place.kind {
            ObjectKind::Digest => self.digest(&place, from),
            ObjectKind::DigestMetadata => self.sidecar(&place, from),
            ObjectKind::Log => self.log(&place, from),
            ObjectKind::Other => Ok(()),
        }
    }

    /// An object that cannot be read is not taken for one that is not there.
    pub(super) fn unreadable(&mut self, path: &[u8], why: &str) -> io::Result<()> {
        let Some(place) = self.places.of(path) else { return Ok(()) };
        match place.kind {
            ObjectKind::Digest => self.push_malformed(&place, why.as_bytes()),
            ObjectKind::Log => self.push_present(&place, Found::Malformed(why.as_bytes())),
            ObjectKind::DigestMetadata | ObjectKind::Other => {
                self.fault("metadata_unreadable", &escape(path), why);
                Ok(())
            }
        }
    }

    fn digest(&mut self, place: &Place<'_>, from: &mut dyn BufRead) -> io::Result<()> {
        let mut content = self.take_room();
        let inflated = self.inflater.read(from, &mut |piece| {
            content.extend_from_slice(piece);
            if content.len() <= MAX_DIGEST_LEN { Ok(()) } else { Err("it inflates to more than 64 MiB".into()) }
        });
        match inflated {
            Ok(_) if DigestName::parse(place.path).is_none() => {
                self.push_malformed(place, b"its name is not that of a digest")
            }
            Ok(stored) => self.hash(Pending::Digest(place.keep(), stored), content),
            Err(Damage(why)) => self.push_malformed(place, why.as_bytes()),
        }
    }

    /// Hashes a text, now or together with others.
    fn hash(&mut self, pending: Pending, text: Vec<u8>) -> io::Result<()> {
        self.hashes.push(pending, text);
        self.take_hashed()
    }

    fn take_hashed(&mut self) -> io::Result<()> {
        while let Some(Hashed { of, text, sha }) = self.hashes.pop() {
            match of {
                Pending::Digest(place, stored) => match Content::parse(&text) {
                    Ok(content) => self.push_digest(&place.get(), stored, &content, sha)?,
                    Err(why) => self.push_malformed(&place.get(), why.as_bytes())?,
                },
                Pending::Signed(slot, mut record) => {
                    DigestRecord::set_signed(&mut record, &sha);
                    self.slots.push(slot, &record)?;
                }
                Pending::Log(place) => self.push_present(&place.get(), Found::Hashed(sha))?,
            }
            self.give_room(text);
        }
        Ok(())
    }

    fn take_room(&mut self) -> Vec<u8> {
        self.room.pop().unwrap_or_default()
    }

    fn give_room(&mut self, mut text: Vec<u8>) {
        // As many as wait for each other, and none that is much larger than a usual one.
        if self.room.len() < 16 && text.capacity() <= MAX_ROOM_LEN {
            text.clear();
            self.room.push(text);
        }
    }

    fn push_digest(&mut self, place: &Place<'_>, stored: Stored, content: &Content<'_>, sha: Sha) -> io::Result<()> {
        let is_misplaced = path_of(content.key.as_bytes()) != place.path;
        let (state, detail) = match (is_misplaced, stored.has_tail) {
            (true, _) => {
                let named = [content.bucket.as_bytes(), b"/", content.key.as_bytes()].concat();
                (State::Misplaced, [b"its content names another place: ", &named[..]].concat())
            }
            (false, true) => (State::TrailingData, b"something follows its gzip member".to_vec()),
            (false, false) => (State::Sound, Vec::new()),
        };
        let (bucket, key) = match is_misplaced {
            true => (split_bucket(place, &mut self.key), &self.key[..]),
            false => (content.bucket.as_bytes(), content.key.as_bytes()),
        };
        let number = self.shared.next_digest.fetch_add(1, Ordering::AcqRel);
        let digest = DigestRecord {
            number,
            state,
            is_starting: content.previous.is_none(),
            period: Some((content.start, content.end)),
            sha,
            fingerprint: content.fingerprint,
            bucket,
            key,
            detail: &detail,
            signed: [0; 32],
        };
        let mut record = Vec::new();
        digest.put(&mut record);
        let slot = self.path_key(place.path);
        let mut text = self.take_room();
        content.put_signed_text(&sha, &mut text);
        self.hashes.push(Pending::Signed(slot, record), text);
        self.collected.relocated += u64::from(!is_misplaced && is_relocated(place.before, content));
        self.collected.stored_plain += u64::from(stored.is_plain);
        self.push_carried(content)?;
        for log in content.logs.iter() {
            let listed =
                LogRecord::Listed { digest: number, sha: log.sha, end: content.end, bucket: log.bucket, key: log.key };
            listed.put(&mut self.record);
            let key = self.path_key(path_of(log.key));
            self.logs.push(key, &self.record)?;
        }
        self.shared.progress.advance(0, 1);
        Ok(())
    }

    fn push_carried(&mut self, content: &Content<'_>) -> io::Result<()> {
        let Some(previous) = &content.previous else { return Ok(()) };
        let signature = parse_signature(&previous.signature);
        let (bucket, key) = (previous.bucket.as_bytes(), previous.key.as_bytes());
        CarriedRecord { sha: previous.sha, signature: &signature, bucket, key }.put(&mut self.record);
        let slot = self.path_key(path_of(key));
        self.slots.push(slot, &self.record)
    }

    fn push_malformed(&mut self, place: &Place<'_>, why: &[u8]) -> io::Result<()> {
        let bucket = split_bucket(place, &mut self.key);
        let digest = DigestRecord {
            number: self.shared.next_digest.fetch_add(1, Ordering::AcqRel),
            state: State::Malformed,
            is_starting: false,
            period: None,
            sha: [0; 32],
            fingerprint: [0; 16],
            bucket,
            key: &self.key,
            detail: why,
            signed: [0; 32],
        };
        digest.put(&mut self.record);
        let slot = self.path_key(place.path);
        self.slots.push(slot, &self.record)
    }

    fn sidecar(&mut self, place: &Place<'_>, from: &mut dyn BufRead) -> io::Result<()> {
        let path = place.path.strip_suffix(SIDECAR_SUFFIX).unwrap_or(place.path);
        let mut answer = Vec::new();
        let read = io::Read::read_to_end(&mut io::Read::take(from, MAX_ANSWER_LEN as u64 + 1), &mut answer);
        let why = match read.map(|_| metadata::parse(&answer)) {
            Ok(Ok((_, Some(metadata)))) if answer.len() <= MAX_ANSWER_LEN => {
                return self.push_metadata(path, &metadata);
            }
            // Says nothing of a signature: the digest will be said to have none.
            Ok(Ok((_, None))) => return Ok(()),
            Ok(Ok(_)) => "it is larger than 1 MiB".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        self.fault("metadata_unreadable", &escape(&[place.before, place.path].concat()), &why);
        Ok(())
    }

    /// Notes what is known of a digest from outside.
    pub(super) fn push_metadata(&mut self, path: &[u8], metadata: &Metadata) -> io::Result<()> {
        put_metadata(metadata, &mut self.record);
        let slot = self.path_key(path);
        self.slots.push(slot, &self.record)
    }

    fn log(&mut self, place: &Place<'_>, from: &mut dyn BufRead) -> io::Result<()> {
        let mut text = self.take_room();
        // Texts that are too long to wait for others are not kept.
        let mut long_text: Option<Sha256> = None;
        let inflated = self.inflater.read(from, &mut |piece| {
            match &mut long_text {
                Some(hasher) => hasher.update(piece),
                None => {
                    text.extend_from_slice(piece);
                    if text.len() > MAX_QUEUED_LEN {
                        long_text.insert(Sha256::new()).update(&text);
                    }
                }
            }
            Ok(())
        });
        match inflated {
            Ok(Stored { has_tail: true, .. }) => self.push_present(place, Found::TrailingData),
            Ok(Stored { is_plain, .. }) => {
                self.collected.stored_plain += u64::from(is_plain);
                match long_text {
                    Some(hasher) => self.push_present(place, Found::Hashed(hasher.finish())),
                    None => self.hash(Pending::Log(place.keep()), text),
                }
            }
            Err(Damage(why)) => self.push_present(place, Found::Malformed(why.as_bytes())),
        }
    }

    fn push_present(&mut self, place: &Place<'_>, found: Found<'_>) -> io::Result<()> {
        let bucket = split_bucket(place, &mut self.key);
        LogRecord::Present { found, bucket, key: &self.key }.put(&mut self.record);
        let path = self.path_key(place.path);
        self.logs.push(path, &self.record)
    }

    /// Notes a log of an inventory.
    pub(super) fn push_stored(
        &mut self,
        place: &Place<'_>,
        modified: Option<Timestamp>,
        bucket: &[u8],
        key: &[u8],
    ) -> io::Result<()> {
        LogRecord::Stored { modified, bucket, key }.put(&mut self.record);
        let path = self.path_key(place.path);
        self.logs.push(path, &self.record)
    }

    fn path_key(&mut self, path: &[u8]) -> JoinKey {
        self.paths.key(path, VersionPart::Unnamed)
    }

    pub(super) fn fault(&mut self, what: &'static str, path: &str, why: &str) {
        self.collected.add_fault(what, path, why);
    }

    pub(super) fn count_link(&mut self) {
        self.collected.links += 1;
    }

    pub(super) fn count_other(&mut self) {
        self.collected.other_files += 1;
    }

    /// More of the input is behind us.
    pub(super) fn advance(&mut self, bytes: u64) {
        self.collected.bytes += bytes;
        self.shared.progress.advance(bytes, 0);
    }

    pub(super) fn take_buffer(&mut self) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(BufferedFile::BUFFER_LEN, 0);
        buffer
    }

    pub(super) fn give_buffer(&mut self, buffer: Vec<u8>) {
        self.buffer = buffer;
    }

    /// Hands over what is left.
    pub(super) fn finish(mut self) -> io::Result<()> {
        // Hashing a digest leaves another text to hash.
        for _ in 0..2 {
            self.hashes.flush();
            self.take_hashed()?;
        }
        self.slots.flush()?;
        self.logs.flush()?;
        lock(&self.shared.total).merge(self.collected);
        Ok(())
    }
}

/// The bucket that a path in a root stands for, and the key that it stands for to `key`, as far as that can be told.
fn split_bucket<'p>(place: &Place<'p>, key: &mut Vec<u8>) -> &'p [u8] {
    let (bucket, prefix) = match memchr::memchr(b'/', place.before) {
        Some(slash) => (&place.before[..slash], &place.before[slash + 1..]),
        None => (&b""[..], &b""[..]),
    };
    key.clear();
    key.extend_from_slice(prefix);
    key.extend_from_slice(place.path);
    bucket
}

/// Whether the folders before `AWSLogs` are those of another bucket. They may begin above the bucket or below it.
fn is_relocated(before: &[u8], content: &Content<'_>) -> bool {
    let key = content.key.as_bytes();
    let prefix = &key[..key.len() - path_of(key).len()];
    let full = [content.bucket.as_bytes(), b"/", prefix].concat();
    let ends_with = |long: &[u8], short: &[u8]| {
        long.strip_suffix(short).is_some_and(|rest| short.is_empty() || rest.is_empty() || rest.ends_with(b"/"))
    };
    !(ends_with(&full, before) || ends_with(before, &full))
}
