//! What really happened to one object key: its writes, what became of each of them, and how they were encrypted.
//!
//! Times are whole seconds of S3's own clock; within a second, things happened in the order of the lists. A [`World`] is
//! what all histories of one audit share: how the bucket keeps versions, when the report was made, what the operator
//! states. Histories know nothing of evidence: [`traces`](super::traces) makes that of them.

use crate::random::Random;

/// Seconds since 1970.
pub type Second = i64;

pub const MINUTE: Second = 60;
pub const HOUR: Second = 60 * MINUTE;
pub const DAY: Second = 24 * HOUR;

/// The beginning of 2026-01-28, since when S3 re-keys in place.
pub const IN_PLACE_SINCE: Second = 1_769_558_400;

/// The keys of the model, the first two of which the policy allows.
pub const KEYS: [&str; 4] = [
    "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "arn:aws:kms:us-east-1:111122223333:key/2345bcde-12ab-34cd-56ef-1234567890ab",
    "arn:aws:kms:us-east-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321",
    "arn:aws:kms:us-east-1:444455556666:key/99999999-09fe-87dc-65ba-ab0987654321",
];

/// An alias of each.
pub const ALIASES: [&str; 4] = [
    "arn:aws:kms:us-east-1:111122223333:alias/archive",
    "arn:aws:kms:us-east-1:111122223333:alias/previous",
    "arn:aws:kms:us-east-1:111122223333:alias/other",
    "arn:aws:kms:us-east-1:444455556666:alias/archive",
];

/// How something is encrypted: the method, and the key where KMS has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// SSE-KMS under one of [`KEYS`].
    Kms(usize),
    /// DSSE-KMS under the first or the third of them.
    Dsse(usize),
    S3,
    Customer,
    Nothing,
}

/// A set of ways to be encrypted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Encryptions(u16);

const ALL: [Encryption; 9] = [
    Encryption::Kms(0),
    Encryption::Kms(1),
    Encryption::Kms(2),
    Encryption::Kms(3),
    Encryption::Dsse(0),
    Encryption::Dsse(2),
    Encryption::S3,
    Encryption::Customer,
    Encryption::Nothing,
];

impl Encryption {
    fn bit(self) -> u16 {
        1 << ALL.iter().position(|one| *one == self).unwrap()
    }

    pub fn key(self) -> Option<usize> {
        match self {
            Self::Kms(key) | Self::Dsse(key) => Some(key),
            Self::S3 | Self::Customer | Self::Nothing => None,
        }
    }

    /// The name of the method in an inventory.
    pub fn status(self) -> &'static str {
        match self {
            Self::Kms(_) => "SSE-KMS",
            Self::Dsse(_) => "DSSE-KMS",
            Self::S3 => "SSE-S3",
            Self::Customer => "SSE-C",
            Self::Nothing => "NOT-SSE",
        }
    }

    /// Whether the policy of the model allows it.
    pub fn is_allowed(self) -> bool {
        self.key().is_some_and(|key| key < 2)
    }

    /// Whether UpdateObjectEncryption takes an object that is so.
    pub fn can_change(self) -> bool {
        matches!(self, Self::Kms(_) | Self::S3)
    }

    /// Everything that has the same method.
    pub fn alike(self) -> Encryptions {
        ALL.into_iter().filter(|one| one.status() == self.status()).collect()
    }
}

impl Encryptions {
    pub const NONE: Self = Self(0);
    pub const ANY: Self = Self((1 << ALL.len()) - 1);
    /// What UpdateObjectEncryption can lead to.
    pub const KMS: Self = Self(0b1111);
    /// What it can begin with.
    pub const CHANGEABLE: Self = Self(0b100_1111);

    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Encryption> {
        ALL.into_iter().filter(move |one| self.0 & one.bit() != 0)
    }

    /// Whether it says which key, if any.
    pub fn have_one_key(self) -> bool {
        let mut keys = self.iter().map(Encryption::key);
        keys.next().is_some_and(|first| keys.all(|key| key == first))
    }
}

impl From<Encryption> for Encryptions {
    fn from(one: Encryption) -> Self {
        Self(one.bit())
    }
}

impl FromIterator<Encryption> for Encryptions {
    fn from_iter<I: IntoIterator<Item = Encryption>>(list: I) -> Self {
        list.into_iter().fold(Self::NONE, |set, one| set.or(one.into()))
    }
}

impl std::fmt::Debug for Encryptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if *self == Self::ANY { f.write_str("{any}") } else { f.debug_set().entries(self.iter()).finish() }
    }
}

/// How a bucket keeps versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// It never did.
    Off,
    On,
    /// What is written is the null version; older versions are still there.
    Suspended,
}

/// What all histories of an audit share.
#[derive(Clone, Debug)]
pub struct World {
    pub versions: Versions,
    /// The moment of the report.
    pub created: Second,
    /// The columns of the report that matter.
    pub has_version_column: bool,
    pub has_etag_column: bool,
    pub has_upload_column: bool,
    /// What the operator states, and what then is so.
    pub max_age: Option<Second>,
    pub logs_complete: bool,
    pub hints_decide: bool,
    /// `--evidence-as-of`: when what does not say so was seen.
    pub as_of: Option<Second>,
    /// Whether clocks of evidence are a second early or late at times.
    pub clocks_err: bool,
    /// Whether files of evidence are damaged at times.
    pub is_damaged: bool,
    /// How many re-keyings name no object.
    pub loose_words: usize,
    pub has_journal: bool,
    pub lists_have_versions: bool,
    /// How many of all possible traces are given, in a hundred.
    pub share: u64,
    /// Whether tables of S3 Metadata have these columns.
    pub tables_have_versions: bool,
    pub tables_have_times: bool,
    /// Whether it is known which keys aliases name.
    pub has_aliases: bool,
    /// Whether lists of one key have times.
    pub lists_have_times: bool,
    /// What of the evidence is whole, if something is.
    pub whole: Option<Whole>,
}

/// Evidence that, with what is stated beside it, says the key of every object: nothing of it is lost or undated, and
/// nothing beside it cannot be attributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Whole {
    /// Every write and every re-keying is in the logs.
    Logs,
    /// Every object was asked for, so close to the moment that nothing changed unseen.
    Heads,
    /// Every object is in a table of S3 Metadata that was taken so close.
    Tables,
    /// Every data key is in the logs, and the report is older than re-keyings.
    DataKeys,
}

impl World {
    pub fn random(random: &mut Random) -> Self {
        let after = random.pick(&[2 * HOUR, DAY, 3 * DAY, 9 * DAY, 30 * DAY, 200 * DAY]);
        let created = if random.chance(25) { IN_PLACE_SINCE - after } else { IN_PLACE_SINCE + after };
        let versions = random.pick(&[Versions::Off, Versions::On, Versions::On, Versions::Suspended]);
        let is_damaged = random.chance(20);
        let states = |random: &mut Random, percent| random.chance(percent);
        let world = Self {
            versions,
            created,
            has_version_column: match versions {
                Versions::Off => random.chance(40),
                Versions::On | Versions::Suspended => random.chance(75),
            },
            has_etag_column: random.chance(40),
            has_upload_column: random.chance(50),
            // A word that is lost with its file makes untrue that none is.
            max_age: (!is_damaged && states(random, 45)).then(|| random.pick(&[DAY, 7 * DAY, 30 * DAY])),
            logs_complete: states(random, 40),
            hints_decide: !is_damaged && states(random, 30),
            as_of: random
                .chance(25)
                .then(|| created + random.pick(&[-8 * DAY, -DAY, -HOUR, -5, 5, HOUR, DAY, 6 * DAY])),
            clocks_err: random.chance(50),
            is_damaged,
            loose_words: if random.chance(15) { random.below(3) } else { 0 },
            has_journal: random.chance(50),
            lists_have_versions: random.chance(70),
            share: random.pick(&[20, 40, 60, 80, 100]),
            tables_have_versions: random.chance(80),
            tables_have_times: random.chance(50),
            has_aliases: random.chance(50),
            lists_have_times: random.chance(50),
            whole: None,
        };
        let whole = random.pick(&[Whole::Logs, Whole::Heads, Whole::Tables, Whole::DataKeys]);
        if random.chance(20) { world.made_whole(whole) } else { world }
    }

    fn made_whole(self, whole: Whole) -> Self {
        let before = IN_PLACE_SINCE - (self.created - IN_PLACE_SINCE).abs();
        Self {
            whole: Some(whole),
            created: if whole == Whole::DataKeys { before } else { self.created },
            max_age: match whole {
                Whole::Heads | Whole::Tables => self.max_age.or(Some(7 * DAY)),
                Whole::Logs | Whole::DataKeys => self.max_age,
            },
            logs_complete: self.logs_complete || whole == Whole::Logs,
            hints_decide: self.hints_decide || whole == Whole::DataKeys,
            is_damaged: false,
            loose_words: 0,
            lists_have_versions: true,
            lists_have_times: true,
            tables_have_versions: true,
            tables_have_times: true,
            ..self
        }
    }
}

/// How a write was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Put,
    Copy,
    Upload,
}

/// An encryption that was changed in place.
#[derive(Clone, Debug)]
pub struct Change {
    pub at: Second,
    pub to: Encryption,
    pub has_bucket_key: bool,
}

/// A write, and what became of it.
#[derive(Clone, Debug)]
pub struct Write {
    /// The number of its version; nothing for the null version.
    pub version: Option<u64>,
    pub way: Way,
    /// Last modified: for an upload, when it began.
    pub modified: Second,
    /// When it could be seen: for an upload, when it was completed.
    pub shown: Second,
    pub first: Encryption,
    pub has_bucket_key: bool,
    pub etag: u64,
    pub changes: Vec<Change>,
    /// When it was deleted or overwritten.
    pub gone: Option<Second>,
}

impl Write {
    /// How it was encrypted at the end of that second.
    pub fn encryption_at(&self, at: Second) -> Encryption {
        self.changes.iter().take_while(|change| change.at <= at).last().map_or(self.first, |change| change.to)
    }

    pub fn has_bucket_key_at(&self, at: Second) -> bool {
        let last = self.changes.iter().take_while(|change| change.at <= at).last();
        last.map_or(self.has_bucket_key, |change| change.has_bucket_key)
    }

    /// Whether it was there at the end of that second.
    pub fn is_there_at(&self, at: Second) -> bool {
        self.shown <= at && self.gone.is_none_or(|gone| gone > at)
    }
}

/// All writes of one object key, in the order in which they could be seen.
#[derive(Clone, Debug)]
pub struct History {
    pub writes: Vec<Write>,
}

impl History {
    pub fn random(random: &mut Random, world: &World) -> Self {
        let mut writes: Vec<Write> = Vec::new();
        let count = random.pick(&[1, 1, 1, 1, 2, 2, 3]);
        // The bucket may have had no versions before, which leaves a null version below the others.
        let begins_null = world.versions == Versions::On && random.chance(20);
        let suspended_from = random.below(count + 1);
        let is_null_at = |at: usize| match world.versions {
            Versions::Off => true,
            Versions::On => begins_null && at == 0,
            Versions::Suspended => at >= suspended_from,
        };
        let mut next = first_moment(random, world);
        for at in 0..count {
            let is_null = is_null_at(at);
            // No two of a key have one.
            let version = (!is_null).then(|| random.number() % 100_000 * 10 + at as u64);
            let mut write = random_write(random, world, next, version);
            if writes.iter().any(|other: &Write| other.modified == write.modified) {
                (write.way, write.shown) = (Way::Put, write.modified);
            }
            // Something else may be written while an upload goes on, and not in the second in which it begins. Versions are
            // not switched on or off in a moment.
            let (is_upload, is_switch) = (write.way == Way::Upload, is_null != is_null_at(at + 1));
            next = match () {
                () if is_switch => write.shown + HOUR + random.pick(&[0, DAY]),
                () if is_upload && !world.hints_decide && random.chance(40) => {
                    write.modified + 1 + gap_between_writes(random, world)
                }
                () => write.shown + gap_between_writes(random, world) + Second::from(is_upload),
            };
            writes.push(write);
        }
        let mut history = Self { writes };
        history.writes.sort_by_key(|write| write.shown);
        history.delete_some(random);
        for at in 0..history.writes.len() {
            history.change_some(random, world, at);
        }
        history
    }

    /// What is listed for the key at that moment by a report of all versions.
    pub fn listed_at(&self, at: Second) -> impl Iterator<Item = (usize, &Write)> {
        self.writes.iter().enumerate().filter(move |(_, write)| write.is_there_at(at))
    }

    /// The version that is current at the end of that second.
    pub fn current_at(&self, at: Second) -> Option<usize> {
        self.listed_at(at).last().map(|(at, _)| at)
    }

    fn delete_some(&mut self, random: &mut Random) {
        for at in 0..self.writes.len() {
            let write = &self.writes[at];
            let over = self.writes[at + 1..].iter().find(|later| later.version.is_none() && write.version.is_none());
            let overwritten = over.map(|later| later.shown);
            let deleted = random
                .chance(12)
                .then(|| write.shown + random.pick(&[1, 3, MINUTE, HOUR, DAY, 5 * DAY, 12 * DAY, 40 * DAY]));
            self.writes[at].gone = [overwritten, deleted].into_iter().flatten().min();
        }
    }

    fn change_some(&mut self, random: &mut Random, world: &World, of: usize) {
        let count = random.pick(&[0, 0, 0, 0, 1, 1, 1, 2, 2, 3]);
        let (mut last, gone) = (self.writes[of].shown, self.writes[of].gone);
        for _ in 0..count {
            let at = match random.chance(35) {
                true => world.created + random.pick(&[-DAY, -HOUR, -4, -3, -2, -1, 0, 1, 2, 3, 4, HOUR, DAY]),
                false => last + random.pick(&[0, 1, 2, 3, 4, MINUTE, HOUR, DAY, 3 * DAY, 6 * DAY, 8 * DAY, 20 * DAY]),
            };
            let write = &self.writes[of];
            let is_near_a_write = |at: Second| {
                self.writes.iter().any(|other| (at - other.modified).abs() < 5 || (at - other.shown).abs() < 5)
            };
            let is_possible = at >= last && gone.is_none_or(|gone| at < gone) && write.encryption_at(last).can_change();
            if !is_possible || world.hints_decide && is_near_a_write(at) {
                continue;
            }
            let change = Change { at, to: Encryption::Kms(random.below(4)), has_bucket_key: random.chance(40) };
            self.writes[of].changes.push(change);
            last = at;
        }
    }
}

fn first_moment(random: &mut Random, world: &World) -> Second {
    let before = [1, 2, 3, 10, HOUR, DAY, DAY, 5 * DAY, 8 * DAY, 20 * DAY, 60 * DAY, 300 * DAY];
    world.created - random.pick(&before) - random.below(3) as Second
}

/// Two writes in one second are common here, unless the operator states that there are none.
fn gap_between_writes(random: &mut Random, world: &World) -> Second {
    match world.hints_decide {
        true => random.pick(&[3, 3, 4, 5, MINUTE, HOUR, DAY, 5 * DAY]),
        false => random.pick(&[0, 0, 1, 1, 2, 3, 4, MINUTE, HOUR, DAY, 5 * DAY, 10 * DAY]),
    }
}

fn random_write(random: &mut Random, world: &World, modified: Second, version: Option<u64>) -> Write {
    let way = random.pick(&[Way::Put, Way::Put, Way::Put, Way::Copy, Way::Upload]);
    let first = match random.below(20) {
        0..13 => Encryption::Kms(random.pick(&[0, 0, 1, 2, 2, 3])),
        13 | 14 => Encryption::Dsse(random.pick(&[0, 2])),
        15..18 => Encryption::S3,
        18 => Encryption::Customer,
        _ => Encryption::Nothing,
    };
    let gap = match world.hints_decide {
        true => random.pick(&[5, MINUTE, HOUR, DAY]),
        false => random.pick(&[1, 3, MINUTE, HOUR, DAY]),
    };
    Write {
        version,
        way,
        modified,
        shown: if way == Way::Upload { modified + gap } else { modified },
        first,
        has_bucket_key: matches!(first, Encryption::Kms(_)) && random.chance(40),
        etag: random.number(),
        changes: Vec::new(),
        gone: None,
    }
}
