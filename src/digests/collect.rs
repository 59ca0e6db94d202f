//! From stored objects to records that can be judged.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Serialize;

use super::LogContents;
use super::Window;
use super::content::{Content, parse_signature};
use super::keys::Sha;
use super::member::{Damage, Inflater, Stored};
use super::metadata::{self, MAX_ANSWER_LEN, Metadata};
use super::mirrors::{Lies, Name, RootId, RootPath, Seen};
use super::records::{CarriedRecord, DigestRecord, Found, LogRecord, State, put_metadata};
use super::slot::{DigestName, KeptPlace, ObjectKind, PathPlace, Places, SIDECAR_SUFFIX, path_of};
use crate::escape::escape;
use crate::hashes::sha256::{Hashed, MAX_QUEUED_LEN, Sha256, Sha256Queue};
use crate::join::{BucketHasher, JoinKey, KeyHasher, Varied, VariedWriter, VersionPart};
use crate::source::{BufferedFile, GivenPaths};
use crate::timestamp::Timestamp;
use crate::work::{Progress, lock};

/// What a digest may inflate to. One with 10,000 logs has about 4 MB.
const MAX_DIGEST_LEN: usize = 64 << 20;
/// Room that is kept for the next text.
const MAX_ROOM_LEN: usize = 64 << 10;
/// Faults that are named; all are counted.
const MAX_FAULTS: usize = 1000;

/// What all workers share.
pub(super) struct SharedDigests<'s> {
    pub(super) hasher: KeyHasher,
    pub(super) slots: &'s Varied,
    pub(super) logs: &'s Varied,
    pub(super) log_contents: LogContents,
    window: Window,
    /// The folders above each root.
    pub(super) outers: Vec<Vec<u8>>,
    given: GivenPaths,
    pub(super) progress: &'s dyn Progress,
    next_digest: AtomicU32,
    total: Mutex<Collected>,
}

/// What is counted on the way.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) relocated: u64,
    pub(super) stored_plain: u64,
    pub(super) objects: u64,
    pub(super) bytes: u64,
    pub(super) other_files: u64,
    /// What macOS leaves beside files.
    pub(super) leavings: u64,
    pub(super) links: u64,
    /// Links that lead out of the roots, or nowhere.
    pub(super) links_out: u64,
    /// Archives of sorts that are not read, where there are no logs.
    pub(super) other_archives: u64,
    pub(super) faults: BTreeMap<&'static str, u64>,
    pub(super) named_faults: Vec<Fault>,
    pub(super) seen: Seen,
}

/// Something that could not be read. Texts are escaped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Fault {
    /// The name of the fault.
    pub what: &'static str,
    /// The file or source; empty if it is about none.
    pub path: String,
    /// A sentence for people.
    pub why: String,
}

impl<'s> SharedDigests<'s> {
    pub(super) fn new(
        (slots, logs): (&'s Varied, &'s Varied),
        (log_contents, window): (LogContents, Window),
        (outers, given): (Vec<Vec<u8>>, GivenPaths),
        progress: &'s dyn Progress,
    ) -> Self {
        Self {
            hasher: KeyHasher::new(),
            slots,
            logs,
            log_contents,
            window,
            outers,
            given,
            progress,
            next_digest: AtomicU32::new(0),
            total: Mutex::default(),
        }
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
        self.relocated += other.relocated;
        self.stored_plain += other.stored_plain;
        self.objects += other.objects;
        self.bytes += other.bytes;
        self.other_files += other.other_files;
        self.leavings += other.leavings;
        self.links += other.links;
        self.links_out += other.links_out;
        self.other_archives += other.other_archives;
        other.faults.into_iter().for_each(|(what, count)| *self.faults.entry(what).or_default() += count);
        self.named_faults.extend(other.named_faults);
        self.seen.merge(other.seen);
        self.trim();
    }
}

/// How many hours a period has at most; [`u8::MAX`] is any more.
fn hours_between(start: Timestamp, end: Timestamp) -> u8 {
    const HOUR_MS: u64 = 3_600_000;
    let millis = u64::try_from(end.as_millis() - start.as_millis()).unwrap_or(u64::MAX);
    u8::try_from(millis.div_ceil(HOUR_MS)).unwrap_or(u8::MAX)
}

/// What waits for the hash of a text.
enum Pending {
    /// A digest, for that of its content.
    Digest(RootId, KeptPlace, Stored),
    /// The record of a digest, for that of the text that is signed.
    Signed(JoinKey, Vec<u8>),
    /// A log, for that of its content.
    Log(RootId, KeptPlace),
}

/// What one worker collects.
pub(super) struct Collector<'s> {
    shared: &'s SharedDigests<'s>,
    /// The root whose objects are read.
    root: RootId,
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
    pub(super) fn new(shared: &'s SharedDigests<'s>) -> Self {
        Self {
            shared,
            root: 0,
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

    /// Goes on with objects of a root.
    pub(super) fn enter(&mut self, root: RootId) {
        self.root = root;
    }

    /// The place of an object of a root, whose path there this is; nothing for what is no log of AWS.
    pub(super) fn place_of<'k>(&mut self, path: &'k [u8]) -> Option<PathPlace<'k>> {
        self.places.of(path)
    }

    /// Whether objects of a kind are to be read; of others it is enough to see them.
    pub(super) fn wants(&self, kind: ObjectKind) -> bool {
        match kind {
            ObjectKind::Digest | ObjectKind::DigestMetadata | ObjectKind::LogMetadata | ObjectKind::Leaving => true,
            ObjectKind::Log | ObjectKind::Unknown => self.shared.log_contents == LogContents::Hashed,
            ObjectKind::Other => false,
        }
    }

    /// Notes an object that is not read.
    pub(super) fn see(&mut self, place: &PathPlace<'_>) -> io::Result<()> {
        match place.kind {
            ObjectKind::Log | ObjectKind::Unknown => self.push_present((self.root, place), Found::Unread),
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
            ObjectKind::LogMetadata => self.log_metadata(&place, from),
            ObjectKind::Log | ObjectKind::Unknown => self.log(&place, from),
            ObjectKind::Leaving => self.leaving(&place, from),
            ObjectKind::Other => Ok(()),
        }
    }

    /// An object that cannot be read is not taken for one that is not there.
    pub(super) fn unreadable(&mut self, path: &[u8], what: &'static str, why: &str) -> io::Result<()> {
        let Some(place) = self.places.of(path) else { return Ok(()) };
        match place.kind {
            ObjectKind::Digest => self.push_without_content(&place, State::Unreadable, why.as_bytes())?,
            ObjectKind::Log | ObjectKind::Unknown => {
                self.push_present((self.root, &place), Found::Unreadable(why.as_bytes()))?;
            }
            ObjectKind::DigestMetadata | ObjectKind::LogMetadata => {}
            ObjectKind::Leaving | ObjectKind::Other => return Ok(()),
        }
        self.fault(what, &escape(path), why);
        Ok(())
    }

    /// What macOS leaves beside files. By its name alone it would be a way to hide a log.
    fn leaving(&mut self, place: &PathPlace<'_>, from: &mut dyn BufRead) -> io::Result<()> {
        let is_text = matches!(from.fill_buf(), Ok([0x1f, 0x8b, ..] | [b'{' | b'[', ..]));
        if is_text && place.is_in_log_folder() {
            return self.log(place, from);
        }
        self.collected.leavings += 1;
        Ok(())
    }

    /// What HeadObject says of a log; key evidence reads it. By its name alone it would be a way to hide a log.
    fn log_metadata(&mut self, place: &PathPlace<'_>, from: &mut dyn BufRead) -> io::Result<()> {
        let mut answer = Vec::new();
        let read = io::Read::read_to_end(&mut io::Read::take(&mut *from, MAX_ANSWER_LEN as u64 + 1), &mut answer);
        match read {
            Err(error) => self.fault("file_unreadable", &escape(&place.to_vec()), &error.to_string()),
            Ok(_) if answer.len() <= MAX_ANSWER_LEN && metadata::is_answer(&answer) => self.count_other(),
            Ok(_) => return self.log(place, &mut io::Read::chain(&answer[..], from)),
        }
        Ok(())
    }

    fn digest(&mut self, place: &PathPlace<'_>, from: &mut dyn BufRead) -> io::Result<()> {
        let mut content = self.take_room();
        let inflated = self.inflater.read(from, &mut |piece| {
            content.extend_from_slice(piece);
            if content.len() <= MAX_DIGEST_LEN { Ok(()) } else { Err("it inflates to more than 64 MiB".into()) }
        });
        match inflated {
            Ok(_) if DigestName::parse(place.path).is_none() => {
                self.push_without_content(place, State::Malformed, b"its name is not that of a digest")
            }
            Ok(stored) => self.hash(Pending::Digest(self.root, place.keep(), stored), content),
            Err(Damage::Content(why)) => self.push_without_content(place, State::Malformed, why.as_bytes()),
            Err(Damage::Unreadable(why)) => self.unreadable(&place.to_vec(), "file_unreadable", &why),
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
                Pending::Digest(root, place, stored) => match Content::parse(&text) {
                    Ok(content) => self.push_digest((root, &place.get()), stored, &content, sha)?,
                    Err(why) => self.push_without_content(&place.get(), State::Malformed, why.as_bytes())?,
                },
                Pending::Signed(slot, mut record) => {
                    DigestRecord::set_signed(&mut record, &sha);
                    self.slots.push(slot, &record)?;
                }
                Pending::Log(root, place) => self.push_present((root, &place.get()), Found::Hashed(sha))?,
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

    fn push_digest(
        &mut self,
        (root, place): (RootId, &PathPlace<'_>),
        stored: Stored,
        content: &Content<'_>,
        sha: Sha,
    ) -> io::Result<()> {
        let name = Name::new(content.bucket.as_bytes(), content.key.as_bytes());
        let is_misplaced = path_of(name.key) != place.path;
        let (state, detail) = match (is_misplaced, stored.has_tail) {
            (true, _) => {
                let named = [name.bucket, b"/", name.key].concat();
                (State::Misplaced, [b"its content names another place: ", &named[..]].concat())
            }
            (false, true) => (State::TrailingData, b"something follows its gzip member".to_vec()),
            (false, false) => (State::Sound, Vec::new()),
        };
        let (top, rest) = place.split(&mut self.key);
        let outer = self.shared.outers.get(root as usize).map_or(&b""[..], |outer| outer);
        let (lies, bucket, key) = match is_misplaced {
            true => (Lies::Named, top, rest),
            false => (RootPath { root, top, rest }.lies(outer, name), name.bucket, name.key),
        };
        let seen = &mut self.collected.seen;
        seen.at(root, place.before);
        if !is_misplaced {
            seen.named(name, name.prefix());
            seen.digest((root, place.before), lies, name);
        }
        let is_apart = matches!(lies, Lies::OtherBucket | Lies::Unplaced);
        let number = self.shared.next_digest.fetch_add(1, Ordering::AcqRel);
        let digest = DigestRecord {
            number,
            state,
            lies,
            before: if is_apart { place.before } else { b"" },
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
        self.collected.relocated += u64::from(is_apart);
        self.collected.stored_plain += u64::from(stored.is_plain);
        self.push_carried(content)?;
        let Window { since, until } = self.shared.window;
        let is_asked = since.is_none_or(|since| content.end > since) && until.is_none_or(|until| content.start < until);
        let hours = hours_between(content.start, content.end);
        for log in content.logs.iter() {
            let (name, path) = (Name::new(log.bucket, log.key), path_of(log.key));
            self.collected.seen.named(name, &log.key[..log.key.len() - path.len()]);
            let listed = LogRecord::Listed { digest: number, sha: log.sha, end: content.end, hours, is_asked, name };
            listed.put(&mut self.record);
            let key = self.path_key(path);
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

    fn push_without_content(&mut self, place: &PathPlace<'_>, state: State, why: &[u8]) -> io::Result<()> {
        self.collected.seen.at(self.root, place.before);
        let (bucket, key) = place.split(&mut self.key);
        let digest = DigestRecord {
            number: self.shared.next_digest.fetch_add(1, Ordering::AcqRel),
            state,
            lies: Lies::Named,
            before: b"",
            is_starting: false,
            period: None,
            sha: [0; 32],
            fingerprint: [0; 16],
            bucket,
            key,
            detail: why,
            signed: [0; 32],
        };
        digest.put(&mut self.record);
        let slot = self.path_key(place.path);
        self.slots.push(slot, &self.record)
    }

    fn sidecar(&mut self, place: &PathPlace<'_>, from: &mut dyn BufRead) -> io::Result<()> {
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

    fn log(&mut self, place: &PathPlace<'_>, from: &mut dyn BufRead) -> io::Result<()> {
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
        let here = (self.root, place);
        match inflated {
            Ok(Stored { has_tail: true, .. }) => self.push_present(here, Found::TrailingData),
            Ok(Stored { is_plain, .. }) => {
                self.collected.stored_plain += u64::from(is_plain);
                match long_text {
                    Some(hasher) => self.push_present(here, Found::Hashed(hasher.finish())),
                    None => self.hash(Pending::Log(self.root, place.keep()), text),
                }
            }
            Err(Damage::Content(why)) => self.push_present(here, Found::Malformed(why.as_bytes())),
            Err(Damage::Unreadable(why)) => self.unreadable(&place.to_vec(), "file_unreadable", &why),
        }
    }

    fn push_present(&mut self, (root, place): (RootId, &PathPlace<'_>), found: Found<'_>) -> io::Result<()> {
        self.collected.seen.at(root, place.before);
        let (top, rest) = place.split(&mut self.key);
        LogRecord::Present { found, at: RootPath { root, top, rest } }.put(&mut self.record);
        let path = self.path_key(place.path);
        self.logs.push(path, &self.record)
    }

    /// Notes a log of an inventory.
    pub(super) fn push_stored(&mut self, place: &PathPlace<'_>, name: Name<'_>) -> io::Result<()> {
        LogRecord::Stored(name).put(&mut self.record);
        let path = self.path_key(place.path);
        self.logs.push(path, &self.record)
    }

    fn path_key(&mut self, path: &[u8]) -> JoinKey {
        self.paths.key(path, VersionPart::Unnamed)
    }

    /// What results call a file.
    pub(super) fn name(&self, path: &Path) -> String {
        self.shared.given.name(path)
    }

    pub(super) fn fault_of(&mut self, what: &'static str, path: &Path, why: &str) {
        let name = self.name(path);
        self.fault(what, &name, why);
    }

    pub(super) fn fault(&mut self, what: &'static str, path: &str, why: &str) {
        self.collected.add_fault(what, path, why);
    }

    /// A link, which is not followed, and whether what it leads to is looked at all the same.
    pub(super) fn count_link(&mut self, leads_out: bool) {
        self.collected.links += 1;
        self.collected.links_out += u64::from(leads_out);
    }

    /// A folder at the top of a root.
    pub(super) fn count_top(&mut self, folder: &[u8]) {
        self.collected.seen.top(folder);
    }

    pub(super) fn count_other_archive(&mut self) {
        self.collected.other_archives += 1;
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
