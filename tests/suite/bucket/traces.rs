//! What a history leaves behind: words, each with a form in which some source says it.
//!
//! A [`Word`] is what is said, for the search; a [`Form`] is how, for the audit. Both come from the same event, and every
//! choice between forms that say more or less is made here.

use std::fmt::Write as _;

use super::Listed;
use super::history::{
    ALIASES, Change, DAY, Encryption, Encryptions, HOUR, History, KEYS, MINUTE, Second, Versions, Way, Whole, World,
    Write,
};
use crate::delivery::{BUCKET, iso_time};
use crate::random::Random;

/// What is said of an object.
#[derive(Clone, Debug)]
pub struct Word {
    pub kind: Kind,
    pub of: Of,
    pub when: When,
    /// The last-modified second that it names.
    pub modified: Option<Second>,
    pub etag: Option<u64>,
    /// What it leaves open of the encryption.
    pub encryptions: Encryptions,
    /// Its place in a journal.
    pub order: Option<u64>,
    /// Whether it names no object.
    pub is_loose: bool,
    /// When it was so, by S3's clock.
    pub truly: Second,
    /// The write that it is about, and the change if it tells of one.
    pub write: usize,
    pub change: Option<usize>,
}

impl Word {
    /// When it was so by its own clock, if it says so.
    pub fn dated(&self) -> Option<Second> {
        match self.when {
            When::At(at) => Some(at),
            When::Lagging(_) | When::Sometime => None,
        }
    }

    /// The same of a table, whose rows are of an hour before it.
    pub fn nominal(&self) -> Option<Second> {
        match self.when {
            When::At(at) | When::Lagging(at) => Some(at),
            When::Sometime => None,
        }
    }

    pub fn is_write_after(&self, time: Second) -> bool {
        self.kind.is_write() && self.dated().is_some_and(|at| at >= time)
    }

    /// One line for people, with times from the moment of the report.
    pub fn text(&self, moment: Second) -> String {
        let when = match self.when {
            When::At(at) => relative(at, moment),
            When::Lagging(at) => format!("{} or up to an hour later", relative(at, moment)),
            When::Sometime => "sometime".to_owned(),
        };
        let Self { kind, of, encryptions, .. } = self;
        let mut text = format!("{kind:?} of {of:?}, {when} (truly {}): {encryptions:?}", relative(self.truly, moment));
        if let Some(modified) = self.modified {
            write!(text, ", modified {}", relative(modified, moment)).unwrap();
        }
        if let Some(etag) = self.etag {
            write!(text, ", etag {etag}").unwrap();
        }
        if let Some(order) = self.order {
            write!(text, ", record {order}").unwrap();
        }
        write!(text, ", write {}, change {:?}", self.write, self.change).unwrap();
        text
    }
}

/// A time as seen from the moment of the report: `T-2d 3s`.
pub fn relative(at: Second, moment: Second) -> String {
    let (sign, by) = if at < moment { ('-', moment - at) } else { ('+', at - moment) };
    format!("T{sign}{}d{}h{}s", by / DAY, by % DAY / HOUR, by % HOUR)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sighting,
    Write,
    /// An upload was begun or completed; the same number, the same upload.
    Begun {
        upload: u64,
    },
    Completed {
        upload: u64,
    },
    Rekeying,
    /// A record `UPDATE_METADATA` of a journal.
    Updated,
    /// A data key was made; trusted if S3 itself asked for it.
    Hint {
        is_trusted: bool,
    },
    End,
}

impl Kind {
    pub fn is_write(self) -> bool {
        matches!(self, Self::Write | Self::Completed { .. })
    }
}

/// Of which version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    Version(u64),
    /// `null`, or a cell that is blank.
    Null,
    /// No version, where versions are named if there are any.
    Absent,
    /// Whichever it was.
    Unsaid,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    At(Second),
    /// A table of an hour later.
    Lagging(Second),
    Sometime,
}

/// A word, if it is one, and its form.
#[derive(Clone, Debug)]
pub struct Trace {
    pub word: Option<Word>,
    pub form: Form,
}

#[derive(Clone, Debug)]
pub enum Form {
    /// A record of CloudTrail.
    Log(String),
    /// An answer of HeadObject.
    Head(String),
    Table(TableRow),
    Journal(TableRow),
    /// A line of the list of one key.
    List {
        key: usize,
        line: String,
    },
}

/// A row of a table of S3 Metadata.
#[derive(Clone, Debug)]
pub struct TableRow {
    pub key: String,
    pub version: Option<String>,
    pub modified: Second,
    pub etag: String,
    pub status: Option<&'static str>,
    pub has_bucket_key: bool,
    pub arn: Option<&'static str>,
    /// When the table was taken.
    pub as_of: Option<Second>,
    pub record: Option<(u64, &'static str, Second)>,
}

pub fn object_key(number: usize) -> String {
    format!("AWSLogs/111122223333/CloudTrail/us-east-1/{number:07}.json.gz")
}

pub fn version_id(version: u64) -> String {
    format!("3sL4kqtJlcpXroDTDmJ.{version:06}")
}

pub fn etag(etag: u64) -> String {
    format!("{etag:032x}")
}

/// `2024-05-06T07:08:09Z`.
pub fn utc(at: Second) -> String {
    iso_time(at * 1000).replace(".000", "")
}

/// `Mon, 06 May 2024 07:08:09 GMT`; nobody asks which day of the week it was.
fn http_date(at: Second) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let text = iso_time(at * 1000);
    let month: usize = text[5..7].parse().unwrap();
    format!("Mon, {} {} {} {} GMT", &text[8..10], MONTHS[month - 1], &text[..4], &text[11..19])
}

fn header(encryption: Encryption) -> Option<&'static str> {
    match encryption {
        Encryption::Kms(_) => Some("aws:kms"),
        Encryption::Dsse(_) => Some("aws:kms:dsse"),
        Encryption::S3 => Some("AES256"),
        Encryption::Customer | Encryption::Nothing => None,
    }
}

/// How much a source says of a key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Naming {
    Arn,
    Id,
    /// The ARN of an alias, where it is known which key that is.
    KnownAlias,
    /// An alias that nothing resolves.
    Alias,
    Nothing,
}

impl Naming {
    fn random(random: &mut Random, world: &World) -> Self {
        match random.below(25) {
            0 => Self::Id,
            1 => Self::Alias,
            2 => Self::Nothing,
            3 if world.has_aliases => Self::KnownAlias,
            _ => Self::Arn,
        }
    }

    fn name(self, key: usize) -> Option<&'static str> {
        match self {
            Self::Arn => Some(KEYS[key]),
            // Without an account it is a key of the caller's.
            Self::Id if KEYS[key].contains(ACCOUNT) => Some(&KEYS[key][KEYS[key].len() - 36..]),
            Self::Id => Some(KEYS[key]),
            Self::KnownAlias => Some(ALIASES[key]),
            Self::Alias => Some("alias/whatever"),
            Self::Nothing => None,
        }
    }

    /// What is left open of the encryption.
    fn tells(self, encryption: Encryption) -> Encryptions {
        match self {
            _ if encryption.key().is_none() => encryption.into(),
            Self::Arn | Self::Id | Self::KnownAlias => encryption.into(),
            Self::Alias | Self::Nothing => encryption.alike(),
        }
    }
}

/// All traces that are given of an object; nothing if what must be whole cannot be.
pub struct Tracing<'r, 'w> {
    random: &'r mut Random,
    world: &'w World,
    history: &'w History,
    key: String,
    /// How wrong the journal's clock is.
    journal_clock: Second,
    /// How many more re-keyings of the audit may name no object.
    loose_left: &'r mut usize,
    /// What its records are of, when: the order is told in the end.
    journal: Vec<(Second, usize, Trace)>,
    traces: Vec<Trace>,
}

impl<'r, 'w> Tracing<'r, 'w> {
    pub fn of(
        random: &'r mut Random,
        world: &'w World,
        history: &'w History,
        rows: &[Listed],
        number: usize,
        loose_left: &'r mut usize,
    ) -> Option<Vec<Trace>> {
        let journal_clock = if world.clocks_err { random.pick(&[-1, 0, 1]) } else { 0 };
        let (key, journal, traces) = (object_key(number), Vec::new(), Vec::new());
        let mut tracing = Self { random, world, history, key, journal_clock, loose_left, journal, traces };
        for at in 0..history.writes.len() {
            tracing.trace_write(at);
            for change in 0..history.writes[at].changes.len() {
                tracing.trace_change(at, change);
            }
            tracing.trace_tags(at);
            tracing.trace_end(at);
        }
        for _ in 0..tracing.random.pick(&[0, 1, 1, 1, 2, 3]) {
            tracing.trace_sighting();
        }
        let is_whole = match world.whole {
            Some(Whole::Heads | Whole::Tables) => rows.iter().all(|listed| tracing.trace_row(listed)),
            Some(Whole::Logs | Whole::DataKeys) | None => true,
        };
        tracing.trace_noise();
        tracing.put_journal_in_order();
        is_whole.then_some(tracing.traces)
    }

    fn is_given(&mut self) -> bool {
        self.random.chance(self.world.share)
    }

    /// Whether a call that wrote has its record in the logs.
    fn is_logged(&mut self) -> bool {
        self.world.logs_complete || self.is_given()
    }

    /// Where evidence is whole, a key has its name everywhere.
    fn naming(&mut self) -> Naming {
        match Naming::random(self.random, self.world) {
            Naming::Alias | Naming::Nothing if self.world.whole.is_some() => Naming::Arn,
            // What nothing resolves is another name, and taken for another key.
            Naming::Id if self.world.whole.is_some() && !self.world.has_aliases => Naming::Arn,
            naming => naming,
        }
    }

    fn is_data_key_logged(&mut self) -> bool {
        self.world.whole == Some(Whole::DataKeys) || self.is_given()
    }

    /// What a clock of evidence says.
    fn clock(&mut self, at: Second) -> Second {
        if self.world.clocks_err { at + self.random.pick(&[-1, 0, 0, 1]) } else { at }
    }

    fn write(&self, at: usize) -> &'w Write {
        &self.history.writes[at]
    }

    fn word(&self, kind: Kind, at: usize, when: When, truly: Second) -> Word {
        Word {
            kind,
            of: self.write(at).version.map_or(Of::Null, Of::Version),
            when,
            modified: None,
            etag: None,
            encryptions: Encryptions::ANY,
            order: None,
            is_loose: false,
            truly,
            write: at,
            change: None,
        }
    }

    fn log(&mut self, word: Option<Word>, record: String) {
        self.traces.push(Trace { word, form: Form::Log(record) });
    }

    fn trace_write(&mut self, at: usize) {
        let write = self.write(at);
        if write.way == Way::Upload {
            self.trace_upload(at);
        } else if self.is_logged() {
            let naming = self.naming();
            let name = if write.way == Way::Put { "PutObject" } else { "CopyObject" };
            let time = self.clock(write.modified);
            let (of, version) = self.version_header(write);
            let word = Word {
                of,
                encryptions: told_by_headers(write.first, naming),
                ..self.word(Kind::Write, at, When::At(time), write.modified)
            };
            let record = self.call(name, time, "", &version, &headers(write.first, naming));
            self.log(Some(word), record);
        }
        if !write.has_bucket_key && write.first.key().is_some() && self.is_data_key_logged() {
            self.trace_data_key(at, write.modified, write.first);
        }
        if self.has_journal() && self.is_given() {
            self.record_in_journal(at, "CREATE", write.shown, write.first, write.has_bucket_key);
        }
    }

    fn trace_upload(&mut self, at: usize) {
        let (write, upload) = (self.write(at), self.random.number() % 1_000_000_000);
        let parameter = format!(r#","uploadId":"{upload}""#);
        if self.is_logged() {
            let (time, naming) = (self.clock(write.modified), self.naming());
            let encryptions = told_by_headers(write.first, naming);
            let when = When::At(time);
            let word =
                Word { of: Of::Unsaid, encryptions, ..self.word(Kind::Begun { upload }, at, when, write.modified) };
            let response = format!(r#"{}"uploadId":"{upload}""#, separated(&headers(write.first, naming)));
            let record = self.call("CreateMultipartUpload", time, r#","uploads":"""#, "", &response);
            self.log(Some(word), record);
        }
        if self.is_logged() {
            let (time, naming) = (self.clock(write.shown), self.naming());
            let (of, version) = self.version_header(write);
            // Many of them say nothing of encryption.
            let says = self.random.chance(50);
            let headers = if says { headers(write.first, naming) } else { String::new() };
            let encryptions = if says { told_by_headers(write.first, naming) } else { Encryptions::ANY };
            let word =
                Word { of, encryptions, ..self.word(Kind::Completed { upload }, at, When::At(time), write.shown) };
            let record = self.call("CompleteMultipartUpload", time, &parameter, &version, &headers);
            self.log(Some(word), record);
        }
    }

    /// What a record of a write says of the version that it made.
    fn version_header(&mut self, write: &Write) -> (Of, String) {
        match write.version {
            Some(version) => (Of::Version(version), format!(r#""x-amz-version-id":"{}""#, version_id(version))),
            None if self.world.versions == Versions::Suspended && self.random.chance(50) => {
                (Of::Null, r#""x-amz-version-id":"null""#.to_owned())
            }
            None => (Of::Absent, String::new()),
        }
    }

    fn trace_data_key(&mut self, at: usize, truly: Second, encryption: Encryption) {
        let Some(key) = encryption.key() else { return };
        let time = self.clock(truly);
        let word = Word {
            of: Of::Unsaid,
            encryptions: under(key),
            ..self.word(Kind::Hint { is_trusted: true }, at, When::At(time), truly)
        };
        let service = self.random.pick(&["AWS Internal", "s3.amazonaws.com", "cloudtrail.amazonaws.com"]);
        let record =
            data_key(&self.key, time, key, &format!(r#"{{"type":"AWSService","invokedBy":"{service}"}}"#), service);
        self.log(Some(word), record);
    }

    fn trace_change(&mut self, at: usize, number: usize) {
        let (write, change) = (self.write(at), &self.write(at).changes[number]);
        if self.is_logged() {
            self.log_change(at, number, change);
        }
        if !change.has_bucket_key && self.is_data_key_logged() {
            self.trace_data_key(at, change.at, change.to);
        }
        if self.has_journal() && self.is_given() {
            self.record_in_journal(at, "UPDATE_METADATA", change.at, write.changes[number].to, change.has_bucket_key);
            let (.., trace) = self.journal.last_mut().unwrap();
            trace.word.as_mut().unwrap().change = Some(number);
        }
    }

    fn log_change(&mut self, at: usize, number: usize, change: &Change) {
        let (write, time) = (self.write(at), self.clock(change.at));
        let key = change.to.key().unwrap();
        // Without a version it is of the one that was current then.
        let is_current = self.history.current_at(change.at) == Some(at);
        let (mut of, version) = match write.version {
            _ if is_current && (self.world.versions == Versions::Off || self.random.chance(30)) => (Of::Unsaid, None),
            Some(version) => (Of::Version(version), Some(version_id(version))),
            None => (Of::Null, Some("null".to_owned())),
        };
        let version = version.map(|id| format!(r#","versionId":"{id}""#)).unwrap_or_default();
        let naming = self.naming();
        let told = match naming {
            Naming::Arn | Naming::Id | Naming::KnownAlias => change.to.into(),
            Naming::Alias | Naming::Nothing => Encryptions::KMS,
        };
        let name = naming.name(key).unwrap_or("HIDDEN_DUE_TO_SECURITY_REASONS");
        let body = format!(
            r#","ObjectEncryption":{{"SSE-KMS":{{"KMSKeyArn":"{name}","BucketKeyEnabled":{}}}}}"#,
            change.has_bucket_key
        );
        let (bucket, object, resources) = self.place_of_change();
        let is_loose = resources == Resources::Untold;
        if is_loose {
            of = Of::Unsaid;
        }
        let request = format!(r#"{{"bucketName":"{bucket}"{object}{version}{body}}}"#);
        let resources = resources.text(&self.key);
        let record = record(
            "s3.amazonaws.com",
            "UpdateObjectEncryption",
            time,
            CALLER,
            "192.0.2.7",
            &request,
            "null",
            &resources,
        );
        let word = Word {
            of,
            encryptions: told,
            is_loose,
            change: Some(number),
            ..self.word(Kind::Rekeying, at, When::At(time), change.at)
        };
        self.log(Some(word), record);
    }

    /// The bucket, the parameter of the key, and what the record says beside its request.
    fn place_of_change(&mut self) -> (&'static str, String, Resources) {
        const ACCESS_POINT: &str = "audit-ap-r859cnshjp9bjoyfjntbie8jcgwuquse2b-s3alias";
        let key = format!(r#","key":"{}""#, self.key);
        match self.random.below(40) {
            0 => (BUCKET, String::new(), Resources::Object),
            1 => (ACCESS_POINT, key, Resources::Object),
            2 if self.takes_loose() => (ACCESS_POINT, key, Resources::Untold),
            3 if self.takes_loose() => {
                (BUCKET, r#","key":"HIDDEN_DUE_TO_SECURITY_REASONS""#.to_owned(), Resources::Untold)
            }
            _ => (BUCKET, key, Resources::Nothing),
        }
    }

    fn takes_loose(&mut self) -> bool {
        let is_left = *self.loose_left > 0;
        *self.loose_left -= usize::from(is_left);
        is_left
    }

    /// A journal tells of other changes of an object, too.
    fn trace_tags(&mut self, at: usize) {
        let write = self.write(at);
        if self.has_journal() && self.random.chance(20) {
            let time = write.shown + self.random.pick(&[1, 2, MINUTE, HOUR, DAY, 6 * DAY, 20 * DAY]);
            if write.is_there_at(time) {
                let (encryption, has_bucket_key) = (write.encryption_at(time), write.has_bucket_key_at(time));
                self.record_in_journal(at, "UPDATE_METADATA", time, encryption, has_bucket_key);
            }
        }
    }

    fn trace_end(&mut self, at: usize) {
        let write = self.write(at);
        if let Some(gone) = write.gone.filter(|_| self.has_journal()) {
            self.record_in_journal(at, "DELETE", gone, write.encryption_at(gone), write.has_bucket_key_at(gone));
        }
    }

    fn has_journal(&self) -> bool {
        self.world.has_journal
    }

    fn record_in_journal(
        &mut self,
        at: usize,
        name: &'static str,
        truly: Second,
        encryption: Encryption,
        has_bucket_key: bool,
    ) {
        let (write, time) = (self.write(at), truly + self.journal_clock);
        // Of what was gone before it was looked at, the key is not there.
        let is_gone = self.world.whole.is_none() && self.random.chance(8);
        let naming = if is_gone { Naming::Nothing } else { Naming::Arn };
        let kind = match name {
            "CREATE" => Kind::Write,
            "UPDATE_METADATA" => Kind::Updated,
            _ => Kind::End,
        };
        let told = match kind {
            // Without a key it says that something became so.
            Kind::Updated if encryption.key().is_some() && naming == Naming::Nothing => Encryptions::ANY,
            _ => naming.tells(encryption),
        };
        let word = Word {
            of: self.of_row(at),
            modified: Some(write.modified),
            etag: Some(write.etag),
            encryptions: told,
            ..self.word(kind, at, When::At(time), truly)
        };
        let row = TableRow {
            arn: encryption.key().and_then(|key| naming.name(key)),
            record: Some((0, name, time)),
            as_of: None,
            ..self.table_row(at, encryption, has_bucket_key)
        };
        // What made it comes before what was made of it, in the same second.
        let rank = if kind == Kind::Write { 0 } else { 1 };
        self.journal.push((truly, rank, Trace { word: Some(word), form: Form::Journal(row) }));
    }

    fn put_journal_in_order(&mut self) {
        let mut journal = std::mem::take(&mut self.journal);
        journal.sort_by_key(|(truly, rank, _)| (*truly, *rank));
        for (number, (.., mut trace)) in journal.into_iter().enumerate() {
            let order = 1 + number as u64;
            if let (Some(word), Form::Journal(row)) = (&mut trace.word, &mut trace.form) {
                word.order = Some(order);
                row.record = row.record.map(|(_, name, time)| (order, name, time));
            }
            self.traces.push(trace);
        }
    }

    /// Which version a row of a table is of.
    fn of_row(&self, at: usize) -> Of {
        match self.write(at).version {
            _ if !self.world.tables_have_versions => Of::Unsaid,
            Some(version) => Of::Version(version),
            None => Of::Null,
        }
    }

    fn table_row(&self, at: usize, encryption: Encryption, has_bucket_key: bool) -> TableRow {
        let write = self.write(at);
        TableRow {
            key: self.key.clone(),
            version: write.version.map(version_id),
            modified: write.modified,
            etag: etag(write.etag),
            status: (encryption != Encryption::Nothing).then(|| encryption.status()),
            has_bucket_key,
            arn: encryption.key().map(|key| KEYS[key]),
            as_of: None,
            record: None,
        }
    }

    fn trace_sighting(&mut self) {
        let form = self.random.below(10);
        let is_dated = match form {
            0..5 => self.random.chance(75) || self.world.whole.is_some(),
            5..8 => self.world.tables_have_times,
            _ => self.world.lists_have_versions && self.world.lists_have_times,
        };
        let (at, first) = (self.random.below(self.history.writes.len()), self.world.created);
        let time = match self.world.as_of {
            Some(as_of) if !is_dated => as_of,
            _ if self.random.chance(50) => {
                first
                    + self.random.pick(&[
                        -20 * DAY,
                        -8 * DAY,
                        -6 * DAY,
                        -DAY,
                        -2 * HOUR,
                        -MINUTE,
                        -3,
                        -2,
                        -1,
                        0,
                        1,
                        2,
                        3,
                        HOUR,
                        DAY,
                        5 * DAY,
                        8 * DAY,
                    ])
            }
            _ => self.write(at).shown + self.random.pick(&[0, 1, 2, 3, MINUTE, HOUR, DAY]),
        };
        // A table shows what was so up to an hour before.
        let truly = if (5..8).contains(&form) { time - self.random.pick(&[0, 5, MINUTE, HOUR]) } else { time };
        let write = self.write(at);
        let is_undated = !is_dated && self.world.as_of.is_none();
        // By the fifth rule what is not dated is older than the moment.
        if !write.is_there_at(truly) || is_undated && truly >= self.world.created {
            return;
        }
        let (encryption, has_bucket_key) = (write.encryption_at(truly), write.has_bucket_key_at(truly));
        match form {
            0..5 => self.head(at, is_dated, time, encryption, has_bucket_key),
            5..8 => self.table(at, is_dated, time, truly),
            _ => self.list(at, is_dated, truly, encryption),
        }
    }

    /// What says the key of an object of the report within the age that is stated; tells whether anything can.
    fn trace_row(&mut self, listed: &Listed) -> bool {
        let (write, moment) = (self.write(listed.write), listed.row.moment);
        let is_table = self.world.whole == Some(Whole::Tables);
        // Clocks are a second early or late, and tables an hour.
        let lag = if is_table { HOUR } else { 0 };
        let max_age = self.world.max_age.unwrap_or(0) - 2;
        let is_good = |time: &Second| {
            let said = time - lag;
            let is_changed = write.changes.iter().any(|change| (moment + 1..=*time).contains(&change.at));
            (said - moment).abs() <= max_age
                && said >= write.modified + 3
                && write.is_there_at(said)
                && write.is_there_at(*time)
                && !is_changed
        };
        let after = if is_table { [3 * HOUR, 5 * HOUR, DAY, 5 * DAY] } else { [10, HOUR, DAY, 5 * DAY] };
        let offsets = [-20 * DAY, -5 * DAY, -DAY + HOUR + MINUTE, -2 * HOUR, -10].into_iter().chain(after);
        let times: Vec<Second> = offsets.map(|offset| moment + offset).filter(is_good).collect();
        if times.is_empty() {
            return false;
        }
        let time = self.random.pick(&times);
        let (encryption, has_bucket_key) = (write.encryption_at(time), write.has_bucket_key_at(time));
        match is_table {
            true => {
                let truly = time - self.random.pick(&[0, 5, MINUTE, HOUR]);
                self.table(listed.write, true, time, truly);
            }
            false => self.head(listed.write, true, time, encryption, has_bucket_key),
        }
        true
    }

    fn table(&mut self, at: usize, is_dated: bool, time: Second, truly: Second) {
        let write = self.write(at);
        let (encryption, has_bucket_key) = (write.encryption_at(truly), write.has_bucket_key_at(truly));
        let time = if is_dated { self.clock(time) } else { time };
        let when = match (is_dated, self.world.as_of) {
            (true, _) => When::Lagging(time - HOUR),
            (false, Some(as_of)) => When::Lagging(as_of - HOUR),
            (false, None) => When::Sometime,
        };
        let is_blank = self.world.whole.is_none() && self.random.chance(5);
        let naming = if is_blank { Naming::Nothing } else { Naming::Arn };
        let word = Word {
            of: self.of_row(at),
            modified: Some(write.modified),
            etag: Some(write.etag),
            encryptions: naming.tells(encryption),
            ..self.word(Kind::Sighting, at, when, truly)
        };
        let row = TableRow {
            arn: encryption.key().and_then(|key| naming.name(key)),
            as_of: is_dated.then_some(time),
            ..self.table_row(at, encryption, has_bucket_key)
        };
        self.traces.push(Trace { word: Some(word), form: Form::Table(row) });
    }

    fn undated(&self) -> When {
        self.world.as_of.map_or(When::Sometime, When::At)
    }

    fn head(&mut self, at: usize, is_dated: bool, truly: Second, encryption: Encryption, has_bucket_key: bool) {
        let (write, naming) = (self.write(at), self.naming());
        let time = self.clock(truly);
        let of = match write.version {
            Some(version) => Of::Version(version),
            None if self.world.versions == Versions::Off => Of::Absent,
            None => Of::Null,
        };
        let mut text = format!(r#"{{"Bucket":"{BUCKET}","Key":"{}","ContentLength":10"#, self.key);
        match of {
            Of::Version(version) => write!(text, r#","VersionId":"{}""#, version_id(version)).unwrap(),
            Of::Null => text.push_str(r#","VersionId":"null""#),
            Of::Absent | Of::Unsaid => {}
        }
        let names_second = self.random.chance(90) || self.world.whole.is_some();
        if names_second {
            let utc = utc(write.modified);
            let zone = self.random.pick(&["Z", "+00:00"]);
            write!(text, r#","LastModified":"{}{zone}""#, utc.trim_end_matches('Z')).unwrap();
        }
        let names_etag = self.random.chance(50) || self.world.whole.is_some();
        if names_etag {
            write!(text, r#","ETag":"\"{}\"""#, etag(write.etag)).unwrap();
        }
        if let Some(method) = header(encryption) {
            write!(text, r#","ServerSideEncryption":"{method}""#).unwrap();
        }
        if encryption == Encryption::Customer {
            text.push_str(r#","SSECustomerAlgorithm":"AES256""#);
        }
        if let Some(name) = encryption.key().and_then(|key| naming.name(key)) {
            write!(text, r#","SSEKMSKeyId":"{name}","BucketKeyEnabled":{has_bucket_key}"#).unwrap();
        }
        match self.random.below(3) {
            _ if !is_dated => {}
            0 => write!(text, r#","EvidenceAsOf":"{}""#, utc(time)).unwrap(),
            _ => write!(text, r#","ResponseMetadata":{{"HTTPHeaders":{{"date":"{}"}}}}"#, http_date(time)).unwrap(),
        }
        text.push('}');
        let word = Word {
            of,
            modified: names_second.then_some(write.modified),
            etag: names_etag.then_some(write.etag),
            encryptions: naming.tells(encryption),
            ..self.word(Kind::Sighting, at, if is_dated { When::At(time) } else { self.undated() }, truly)
        };
        self.traces.push(Trace { word: Some(word), form: Form::Head(text) });
    }

    fn list(&mut self, at: usize, is_dated: bool, truly: Second, encryption: Encryption) {
        let Some(key) = encryption.key() else { return };
        let (of, version) = match self.write(at).version {
            _ if !self.world.lists_have_versions => (Of::Unsaid, String::new()),
            Some(version) => (Of::Version(version), format!(",{}", version_id(version))),
            None => (Of::Null, ",null".to_owned()),
        };
        if of == Of::Unsaid && self.history.current_at(truly) != Some(at) {
            return;
        }
        let (when, as_of) = match is_dated {
            true => {
                let time = self.clock(truly);
                (When::At(time), format!(",{}", utc(time)))
            }
            false => (self.undated(), String::new()),
        };
        let line = format!("{BUCKET},{}{version}{as_of}\n", self.key);
        let word = Word { of, encryptions: under(key), ..self.word(Kind::Sighting, at, when, truly) };
        self.traces.push(Trace { word: Some(word), form: Form::List { key, line } });
    }

    /// Records that say nothing of the object, whatever they look like.
    fn trace_noise(&mut self) {
        if self.random.chance(75) {
            return;
        }
        let at = self.random.below(self.history.writes.len());
        let write = self.write(at);
        let time = write.shown + self.random.pick(&[0, 1, DAY]);
        let (key, kms) = (self.random.below(4), Encryption::Kms(self.random.below(4)));
        let version = write.version.map(version_id).unwrap_or_default();
        let place = |bucket: &str| {
            format!(
                r#"{{"bucketName":"{bucket}","key":"{}","versionId":"{version}","ObjectEncryption":{{"SSE-KMS":{{"KMSKeyArn":"{}"}}}}}}"#,
                self.key, KEYS[key]
            )
        };
        let text = match self.random.below(6) {
            0 => {
                let call = self.call("PutObject", time, "", "", "");
                call.replacen('{', r#"{"errorCode":"AccessDenied","#, 1)
            }
            1 => {
                let call = record(
                    "s3.amazonaws.com",
                    "UpdateObjectEncryption",
                    time,
                    CALLER,
                    "192.0.2.7",
                    &place(BUCKET),
                    "null",
                    "",
                );
                call.replacen('{', r#"{"errorCode":"InvalidRequest","errorMessage":"no","#, 1)
            }
            2 => record(
                "s3.amazonaws.com",
                "UpdateObjectEncryption",
                time,
                CALLER,
                "192.0.2.7",
                &place("another-bucket"),
                "null",
                "",
            ),
            3 => record("s3.amazonaws.com", "GetObject", time, CALLER, "192.0.2.7", &place(BUCKET), "null", ""),
            // Anybody may ask for a data key in the name of any object, and then no data key of it decides.
            4 if self.world.whole.is_some() => return,
            4 => data_key(&self.key, time, key, CALLER, "192.0.2.7"),
            _ => {
                let response = format!("{{{}}}", headers(kms, Naming::Arn));
                let request = format!(r#"{{"bucketName":"another-bucket","key":"{}"}}"#, self.key);
                record("s3.amazonaws.com", "PutObject", time, CALLER, "192.0.2.7", &request, &response, "")
            }
        };
        self.log(None, text);
    }

    /// A call that wrote the object.
    fn call(&self, name: &str, time: Second, parameters: &str, version: &str, headers: &str) -> String {
        let request = format!(r#"{{"bucketName":"{BUCKET}","key":"{}"{parameters}}}"#, self.key);
        let response = format!("{{{}{headers}}}", separated_if(version, !headers.is_empty()));
        record("s3.amazonaws.com", name, time, CALLER, "192.0.2.7", &request, &response, "")
    }
}

const ACCOUNT: &str = ":111122223333:";
const CALLER: &str = r#"{"type":"AssumedRole","accountId":"111122223333"}"#;

fn separated(members: &str) -> String {
    separated_if(members, true)
}

fn separated_if(members: &str, has_next: bool) -> String {
    if members.is_empty() || !has_next { members.to_owned() } else { format!("{members},") }
}

fn under(key: usize) -> Encryptions {
    [Encryption::Kms(key), Encryption::Dsse(key)]
        .into_iter()
        .filter(|one| Encryptions::ANY.iter().any(|known| known == *one))
        .collect()
}

/// The headers of a response that say how an object was encrypted.
fn headers(encryption: Encryption, naming: Naming) -> String {
    if encryption == Encryption::Customer {
        return r#""x-amz-server-side-encryption-customer-algorithm":"AES256""#.to_owned();
    }
    let method = header(encryption).map(|method| format!(r#""x-amz-server-side-encryption":"{method}""#));
    let name = encryption.key().and_then(|key| naming.name(key));
    let name = name.map(|name| format!(r#","x-amz-server-side-encryption-aws-kms-key-id":"{name}""#));
    method.unwrap_or_default() + &name.unwrap_or_default()
}

/// What they leave open.
fn told_by_headers(encryption: Encryption, naming: Naming) -> Encryptions {
    // A record without any says nothing of the method.
    if encryption == Encryption::Nothing { Encryptions::ANY } else { naming.tells(encryption) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Resources {
    /// None are named, and none are needed.
    Nothing,
    /// They name the object.
    Object,
    /// They name none, though they would be needed.
    Untold,
}

impl Resources {
    fn text(self, key: &str) -> String {
        match self {
            Self::Nothing | Self::Untold => String::new(),
            Self::Object => format!(
                r#","resources":[{{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::{BUCKET}/{key}"}},{{"accountId":"111122223333","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{BUCKET}"}}]"#
            ),
        }
    }
}

fn data_key(object: &str, time: Second, key: usize, caller: &str, address: &str) -> String {
    let arn = KEYS[key];
    let request = format!(
        r#"{{"keyId":"{arn}","keySpec":"AES_256","encryptionContext":{{"aws:s3:arn":"arn:aws:s3:::{BUCKET}/{object}"}}}}"#
    );
    let resources = format!(r#","resources":[{{"accountId":"111122223333","type":"AWS::KMS::Key","ARN":"{arn}"}}]"#);
    record("kms.amazonaws.com", "GenerateDataKey", time, caller, address, &request, "null", &resources)
}

#[expect(clippy::too_many_arguments, reason = "the members of a record")]
fn record(
    source: &str,
    name: &str,
    time: Second,
    caller: &str,
    address: &str,
    request: &str,
    response: &str,
    more: &str,
) -> String {
    let time = utc(time);
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{caller},"eventTime":"{time}","eventSource":"{source}","eventName":"{name}","awsRegion":"us-east-1","sourceIPAddress":"{address}","userAgent":"x","requestParameters":{request},"responseElements":{response},"readOnly":false{more},"eventType":"AwsApiCall","managementEvent":false,"recipientAccountId":"111122223333"}}"#
    )
}
