//! Mirrored buckets, tampered with at random, by a model that knows what CloudTrail delivered.
//!
//! Trails deliver logs and digests, hourly and late ones, are stopped and begun again. Whoever may write to the bucket, but
//! has no key of CloudTrail, deletes, plants, moves, renames, copies and changes. A verification may only pass if the logs
//! of the window are exactly those that were delivered, under what was accepted; and it must pass where nothing was done
//! that matters. `LOGSEAL_MIRROR_HISTORIES` says how many histories there are.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use logseal::digests::{
    AcceptedEdges, DEFAULT_INVENTORY_LAG, DEFAULT_MEMORY, DigestsOptions, DigestsSummary, LogContents, Window,
    verify_digests,
};
use logseal::outcome::Outcome;
use logseal::timestamp::Timestamp;
use logseal::work::{Cancel, NoProgress, Watch};
use serde_json::json;

use crate::random::Random;
use crate::trail::{Digest, Trail, Tree, after, gz, sha256, signers};

const MIDNIGHT: &str = "2024-05-06T00:00:00Z";
const HOUR: i64 = 3600;
const WORLDS: usize = 8;
const HISTORIES: usize = 400;

/// A moment, in seconds since midnight.
type Second = i64;

/// An object as it was delivered, under its bucket and key.
struct Delivered {
    path: String,
    stored: Vec<u8>,
}

struct Log {
    object: Delivered,
    /// The minute of its name.
    minute: Second,
}

struct Proof {
    object: Delivered,
    head: Vec<u8>,
    place: usize,
    period: (Second, Second),
    is_backfill: bool,
    is_starting: bool,
    /// The digest that it names.
    previous: Option<usize>,
    /// The logs that it lists.
    logs: Vec<usize>,
}

/// What happened before anybody tampered with it. A place is an account in a Region.
#[derive(Default)]
struct World {
    places: Vec<(&'static str, &'static str)>,
    logs: Vec<Log>,
    proofs: Vec<Proof>,
    buckets: usize,
    /// When the first chain ended.
    end: Second,
}

fn at(second: Second) -> String {
    after(MIDNIGHT, second)
}

impl World {
    fn new(random: &mut Random) -> Self {
        let mut world = Self { buckets: 1 + random.below(2), end: 9 * HOUR, ..Self::default() };
        let mut places =
            vec![("111122223333", "us-east-2"), ("111122223333", "eu-west-1"), ("444455556666", "us-east-2")];
        random.shuffle(&mut places);
        places.truncate(1 + random.below(3));
        world.places = places;
        for place in 0..world.places.len() {
            let (account, region) = world.places[place];
            let bucket = if random.below(world.buckets) == 0 { "trail-logs" } else { "other-logs" };
            let prefix =
                if bucket == "other-logs" || world.buckets == 1 && random.chance(30) { "team/sec/" } else { "" };
            let organisation = if random.chance(30) { "o-exampleorg1/" } else { "" };
            let trail =
                Trail { bucket: bucket.into(), prefix, organisation, account, region, logs: 0, ..Trail::default() };
            world.deliver(&trail, place, random);
        }
        world
    }

    fn deliver(&mut self, trail: &Trail, place: usize, random: &mut Random) {
        let (first, last) = (random.below(3) as i64, 6 + random.below(4) as i64);
        let (stop, again) = match random.chance(40) {
            true => (3, 3 + random.below(3) as i64),
            false => (last, last),
        };
        let mut previous: Option<(usize, Digest)> = None;
        for hour in first..last {
            if (stop..again).contains(&hour) {
                continue;
            }
            if hour == again {
                previous = None;
            }
            let logs = (0..random.below(3)).map(|_| self.log(trail, hour, random)).collect();
            let period = (hour * HOUR, (hour + 1) * HOUR);
            previous = Some(self.digest(trail, place, period, previous.as_ref(), logs));
        }
        let backfill = Trail { is_backfill: true, ..trail.clone() };
        let mut previous = None;
        for _ in 0..random.below(3) {
            let hour = [first, last - 1][random.below(2)];
            let logs = vec![self.log(trail, hour, random)];
            let period = (hour * HOUR, (hour + 1) * HOUR);
            let path = format!("{}/{}", trail.bucket, backfill.digest_key(&at(period.1)));
            if self.proofs.iter().all(|proof| proof.object.path != path) {
                previous = Some(self.digest(&backfill, place, period, previous.as_ref(), logs));
            } else {
                self.logs.pop();
            }
        }
        // The trail goes on, and what it delivered last is in no digest yet.
        if random.chance(40) {
            self.log(trail, last, random);
        }
        self.end = self.end.min(last * HOUR);
    }

    fn log(&mut self, trail: &Trail, hour: i64, random: &mut Random) -> usize {
        let Trail { bucket, prefix, organisation, account, region, .. } = trail;
        let minute = hour * HOUR + 60 * (2 + random.below(58)) as i64;
        let unique = format!("{:016x}", random.number());
        let content = format!("{{\"Records\":[{{\"eventID\":\"{unique}\"}}]}}");
        let time = at(minute).replace(['-', ':'], "");
        let folder = format!("{prefix}AWSLogs/{organisation}{account}/CloudTrail/{region}/2024/05/06");
        let name = format!("{account}_CloudTrail_{region}_{}Z_{unique}.json.gz", &time[..13]);
        let object = Delivered { path: format!("{bucket}/{folder}/{name}"), stored: gz(content.as_bytes()) };
        self.logs.push(Log { object, minute });
        self.logs.len() - 1
    }

    fn digest(
        &mut self,
        trail: &Trail,
        place: usize,
        period: (Second, Second),
        previous: Option<&(usize, Digest)>,
        logs: Vec<usize>,
    ) -> (usize, Digest) {
        let listed = |log: &usize| {
            let path = &self.logs[*log].object.path;
            let (bucket, key) = path.split_once('/').unwrap();
            let content = format!("{{\"Records\":[{{\"eventID\":\"{}\"}}]}}", &path[path.len() - 24..path.len() - 8]);
            json!({"s3Bucket": bucket, "s3Object": key, "hashValue": sha256(content.as_bytes())})
        };
        let listed: Vec<_> = logs.iter().map(listed).collect();
        let digest = trail.digest_of(&at(period.0), &at(period.1), previous.map(|(_, digest)| digest), &|content| {
            content["logFiles"] = json!(listed);
        });
        let path = format!("{}/{}", digest.bucket, digest.key);
        self.proofs.push(Proof {
            object: Delivered { path, stored: gz(digest.content.as_bytes()) },
            head: digest.head().to_string().into_bytes(),
            place,
            period,
            is_backfill: trail.is_backfill,
            is_starting: previous.is_none(),
            previous: previous.map(|(number, _)| *number),
            logs,
        });
        (self.proofs.len() - 1, digest)
    }
}

/// How the root mirrors buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Buckets,
    /// One bucket, without its folder.
    Bare,
    /// Copies of the buckets under other names, and not the buckets.
    Copies,
}

impl Layout {
    fn home(self, path: &str) -> String {
        match self {
            Self::Buckets => path.to_owned(),
            Self::Bare => path.split_once('/').unwrap().1.to_owned(),
            Self::Copies => format!("copy-of-{path}"),
        }
    }

    /// Another path of the same bucket.
    fn trash(self, home: &str) -> String {
        match self {
            Self::Bare => format!("trash/{home}"),
            _ => home.replacen('/', "/trash/", 1),
        }
    }

    /// The same key in another bucket.
    fn elsewhere(self, home: &str) -> String {
        match self {
            Self::Bare => format!("zzz/{home}"),
            _ => format!("zzz/{}", home.split_once('/').unwrap().1),
        }
    }
}

/// A mirror after somebody tampered with it.
struct History<'w> {
    world: &'w World,
    layout: Layout,
    tree: BTreeMap<String, Vec<u8>>,
    /// What the archives in the tree hold.
    archived: BTreeMap<String, BTreeMap<String, Vec<u8>>>,
    /// From when until when files are that nobody delivered, by their paths from `AWSLogs` on; nothing for any time.
    planted: BTreeMap<String, Option<(Second, Second)>>,
    is_harmless: bool,
    done: Vec<String>,
}

fn path_of(path: &str) -> Option<&str> {
    path.find("AWSLogs/").map(|from| &path[from..])
}

impl<'w> History<'w> {
    fn new(world: &'w World, random: &mut Random) -> Self {
        let layouts = [Layout::Buckets, Layout::Buckets, Layout::Copies, Layout::Bare];
        let layout = random.pick(&layouts[..if world.buckets == 1 { 4 } else { 3 }]);
        let mut tree = BTreeMap::new();
        let all_heads = random.chance(50);
        for (number, proof) in world.proofs.iter().enumerate() {
            let home = layout.home(&proof.object.path);
            let is_tail = world.proofs.iter().all(|other| other.previous != Some(number));
            if all_heads || is_tail {
                tree.insert(format!("{home}.head.json"), proof.head.clone());
            }
            tree.insert(home, proof.object.stored.clone());
        }
        tree.extend(world.logs.iter().map(|log| (layout.home(&log.object.path), log.object.stored.clone())));
        Self {
            world,
            layout,
            tree,
            archived: BTreeMap::new(),
            planted: BTreeMap::new(),
            is_harmless: true,
            done: Vec::new(),
        }
    }

    fn pick(&self, random: &mut Random, what: &str) -> Option<String> {
        let paths: Vec<&String> =
            self.tree.keys().filter(|path| path.contains(what) && path.ends_with(".json.gz")).collect();
        if paths.is_empty() { None } else { Some(random.pick(&paths).clone()) }
    }

    fn moved(&mut self, from: &str, to: String) {
        if let Some(stored) = self.tree.remove(from) {
            self.tree.insert(to, stored);
        }
    }

    fn place(&self, random: &mut Random) -> usize {
        random.below(self.world.places.len())
    }

    /// What is below the folder of a kind of a place.
    fn of_place(&self, place: usize, kind: &str) -> Vec<String> {
        let (account, region) = self.world.places[place];
        let folder = format!("{account}/{kind}/{region}/");
        self.tree.keys().filter(|path| path.contains(&folder)).cloned().collect()
    }

    /// Does something to it.
    fn tamper(&mut self, random: &mut Random) {
        let what = if random.chance(50) { "/CloudTrail/" } else { "/CloudTrail-Digest/" };
        let Some(path) = self.pick(random, what) else { return };
        let is_log = what == "/CloudTrail/";
        let step = random.below(20);
        self.done.push(format!("{step} {path}"));
        self.is_harmless &= matches!(step, 0..=2);
        match step {
            0 => {
                let stored = self.tree[&path].clone();
                let to = if random.chance(50) { self.layout.trash(&path) } else { self.layout.elsewhere(&path) };
                self.tree.insert(to, stored);
            }
            1 => {
                let (folder, name) = path.rsplit_once('/').unwrap();
                self.tree.insert(format!("{folder}/._{name}"), b"\0\x05\x16\x07\0\x02".to_vec());
            }
            2 => {
                let answer = b"{\"ETag\": \"x\", \"ContentLength\": 7}".to_vec();
                if is_log {
                    self.tree.insert(format!("{path}.head.json"), answer);
                }
            }
            3 | 4 => drop(self.tree.remove(&path)),
            5 => {
                let place = self.place(random);
                self.of_place(place, "CloudTrail-Digest").iter().for_each(|path| drop(self.tree.remove(path)));
            }
            6 | 7 => {
                // The newest or the oldest, with what they list or without.
                let place = self.place(random);
                let count = 1 + random.below(3);
                let mut proofs: Vec<&Proof> =
                    self.world.proofs.iter().filter(|proof| proof.place == place && !proof.is_backfill).collect();
                if step == 6 {
                    proofs.reverse();
                }
                let with_logs = random.chance(50);
                for proof in proofs.into_iter().take(count) {
                    let home = self.layout.home(&proof.object.path);
                    self.tree.remove(&home);
                    self.tree.remove(&format!("{home}.head.json"));
                    for log in proof.logs.iter().filter(|_| with_logs) {
                        self.tree.remove(&self.layout.home(&self.world.logs[*log].object.path));
                    }
                }
            }
            8 | 9 => self.plant(random),
            10 => self.moved(&path, self.layout.trash(&path)),
            11 => self.moved(&path, self.layout.elsewhere(&path)),
            12 => {
                let digests: Vec<String> =
                    self.tree.keys().filter(|path| path.contains("/CloudTrail-Digest/")).cloned().collect();
                let is_trash = random.chance(50);
                for path in digests {
                    let to = if is_trash { self.layout.trash(&path) } else { self.layout.elsewhere(&path) };
                    self.moved(&path, to);
                }
            }
            13 if is_log => {
                let to = match random.below(3) {
                    0 => path.replace(".json.gz", "X.json.gz"),
                    1 => path.replace(".json.gz", ".json"),
                    _ => path.replace("_CloudTrail_", "_Cloudtrail_"),
                };
                let log = self.world.logs.iter().find(|log| self.layout.home(&log.object.path) == path);
                let minute = log.map(|log| (log.minute, log.minute + 60));
                self.planted.insert(path_of(&to).unwrap().to_owned(), minute);
                self.moved(&path, to);
            }
            14 if is_log => drop(self.tree.insert(path, gz(b"{\"Records\":[]}"))),
            14 => {
                let Some(text) = gunzip(&self.tree[&path]) else { return };
                let changed = match random.below(3) {
                    0 => text.replace("\"logFiles\":[{", "\"logFiles\":[],\"x\":[{"),
                    1 => text.replace("oldestEventTime", "oldestEventtime"),
                    _ => format!("{text} "),
                };
                self.tree.insert(path, gz(changed.as_bytes()));
            }
            15 => {
                let other = self.pick(random, what).unwrap();
                self.tree.insert(path, self.tree[&other].clone());
            }
            16 => {
                let heads: Vec<String> =
                    self.tree.keys().filter(|path| path.ends_with(".head.json")).cloned().collect();
                if let [first, .., last] = &heads[..] {
                    self.tree.insert(last.clone(), self.tree[first].clone());
                }
            }
            17 => {
                let whole = Tree(self.tree.clone()).to_tar();
                let name = match self.layout {
                    Layout::Bare => "backup.tar".to_owned(),
                    _ => format!("{}/backup.tar", path.split('/').next().unwrap()),
                };
                self.archived.insert(name.clone(), self.tree.clone());
                self.tree.insert(name, whole);
                self.tree.remove(&path);
            }
            18 => {
                let more = gz(b"{\"Records\":[{}]}");
                self.tree.get_mut(&path).unwrap().extend(more);
            }
            _ => {
                // An account that leaves no trace.
                let place = self.place(random);
                for kind in ["CloudTrail", "CloudTrail-Digest"] {
                    self.of_place(place, kind).iter().for_each(|path| drop(self.tree.remove(path)));
                }
            }
        }
    }

    fn plant(&mut self, random: &mut Random) {
        let (account, region) =
            random.pick(&[self.world.places[0], ("444455556666", "ap-south-1"), ("111122223333", "us-east-2")]);
        let Some(log) = self.pick(random, "/CloudTrail/") else { return };
        let before = log[..log.find("AWSLogs/").unwrap()].to_owned();
        let minute = 60 * random.below(11 * 60) as i64;
        let time = at(minute).replace(['-', ':'], "");
        let named = format!("{account}_CloudTrail_{region}_{}Z_PLANTED000000000", &time[..13]);
        let kind = random.pick(&["CloudTrail", "CloudTrail", "CloudTrail-Insight", "CloudTrail-Future"]);
        let extension = random.pick(&[".json.gz", ".json", ".json.GZ", ".gz.tmp", "", ".json.gz.head.json"]);
        let (path, times) = match random.below(4) {
            0 => (format!("AWSLogs/{account}/{kind}/{region}/2024/05/06/x{extension}"), Some((0, 24 * HOUR))),
            1 => (format!("AWSLogs/{account}/{kind}/x{extension}"), None),
            _ => (
                format!("AWSLogs/{account}/{kind}/{region}/2024/05/06/{named}{extension}"),
                Some((minute, minute + 60)),
            ),
        };
        let stored = if random.chance(50) { self.tree[&log].clone() } else { gz(b"{\"Records\":[{}]}") };
        self.planted.insert(path.clone(), times);
        self.tree.insert(before + &path, stored);
    }

    /// Whether an object is where it belongs, as it was delivered. Copies of buckets may be anywhere where no bucket is. Where
    /// only archives are left, they are the mirror.
    fn has(&self, object: &Delivered) -> bool {
        let home = self.layout.home(&object.path);
        let is_left = !self.tree.keys().any(|path| path_of(path).is_some());
        let is_at = |path: &String| {
            let archived = self.archived.values().filter(|_| is_left);
            archived.chain([&self.tree]).any(|tree| tree.get(path) == Some(&object.stored))
        };
        is_at(&home)
            || self.layout == Layout::Copies
                && (is_at(&self.layout.trash(&home)) || is_at(&self.layout.elsewhere(&home)))
    }
}

/// What a digest says, as far as nobody made something else of it.
fn gunzip(stored: &[u8]) -> Option<String> {
    let mut content = String::new();
    std::io::Read::read_to_string(&mut flate2::bufread::GzDecoder::new(stored), &mut content).ok()?;
    Some(content)
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
struct Question {
    since: Option<Second>,
    until: Option<Second>,
    starts: bool,
    ends: bool,
    /// Files whose path has this are accepted.
    accepted: Option<&'static str>,
}

impl Question {
    fn new(world: &World, random: &mut Random) -> Self {
        let (since, until) = match random.below(4) {
            0 => (None, None),
            1 => (Some(0), Some(world.end)),
            2 => {
                let since = random.below(8) as i64;
                (Some(since * HOUR), Some((since + 1 + random.below(6) as i64) * HOUR))
            }
            _ => (random.chance(50).then(|| random.below(9) as i64 * HOUR), random.chance(50).then_some(world.end)),
        };
        let (since, until) = match (since, until) {
            (Some(since), Some(until)) if since > until => (Some(until), Some(since)),
            sides => sides,
        };
        let accepted = random.chance(40).then(|| random.pick(&["PLANTED", "/x.", "-Future/", "/444455556666/"]));
        Self { since, until, starts: random.chance(70), ends: random.chance(70), accepted }
    }

    /// One to which a mirror that nobody has tampered with has an answer.
    fn is_right(&self, world: &World) -> bool {
        let is_usual =
            matches!((self.since, self.until), (None, None)) || self.until == Some(world.end) && self.since == Some(0);
        is_usual && self.starts && self.ends
    }

    fn touches(&self, (from, until): (Second, Second)) -> bool {
        self.since.is_none_or(|since| until > since) && self.until.is_none_or(|end| from < end)
    }
}

/// Whether the logs of the window are exactly those that were delivered, and if not, why.
fn is_proven(history: &History<'_>, question: &Question) -> Result<(), String> {
    let world = history.world;
    let there: Vec<bool> = world.proofs.iter().map(|proof| history.has(&proof.object)).collect();
    let mut spans: Vec<Option<(Second, Second)>> = vec![None; world.places.len()];
    let mut is_touched = false;
    for (place, covered) in spans.iter_mut().enumerate() {
        let chain =
            world.proofs.iter().zip(&there).filter(|(proof, is)| **is && proof.place == place && !proof.is_backfill);
        let chain: Vec<&Proof> = chain.map(|(proof, _)| proof).collect();
        let (Some(first), Some(last)) = (chain.first(), chain.last()) else { continue };
        let span = (first.period.0, last.period.1);
        *covered = Some(span);
        is_touched |= question.touches(span);
        let is_late =
            question.since.is_some_and(|since| span.0 > since) || question.until.is_some_and(|until| span.0 >= until);
        if is_late && !(first.is_starting && question.starts) {
            return Err(format!("the chain of {:?} begins too late", world.places[place]));
        }
        let is_early =
            question.until.is_some_and(|until| span.1 < until) || question.since.is_some_and(|since| span.1 <= since);
        if is_early && !question.ends {
            return Err(format!("the chain of {:?} ends too early", world.places[place]));
        }
        for pair in chain.windows(2) {
            let hole = (pair[0].period.1, pair[1].period.0);
            let is_accepted = pair[1].is_starting && question.starts && question.ends;
            if hole.0 < hole.1 && question.touches(hole) && !is_accepted {
                return Err(format!("a hole in the chain of {:?}", world.places[place]));
            }
        }
    }
    if !is_touched {
        return Err("no chain is in the window".into());
    }
    let mut listed = vec![false; world.logs.len()];
    for (proof, _) in world.proofs.iter().zip(&there).filter(|(_, is)| **is) {
        for log in &proof.logs {
            listed[*log] = true;
            if question.touches(proof.period) {
                if !history.has(&world.logs[*log].object) {
                    return Err(format!("gone or changed: {}", world.logs[*log].object.path));
                }
                if spans[proof.place].is_none() {
                    return Err(format!("only late digests of {:?}", world.places[proof.place]));
                }
            }
        }
        if let Some(previous) = proof.previous
            && proof.is_backfill
            && !there[previous]
            && question.touches(world.proofs[previous].period)
        {
            return Err(format!("a late digest is gone: {}", world.proofs[previous].object.path));
        }
    }
    for (path, stored) in &history.tree {
        let Some(below) = path_of(path).filter(|below| is_in_log_folder(below)) else { continue };
        let log = world.logs.iter().zip(&listed).find(|(log, _)| path_of(&log.object.path) == Some(below));
        let is_accepted = question.accepted.is_some_and(|part| path.contains(part));
        let is_listed = log.is_some_and(|(log, is_listed)| *is_listed && log.object.stored == *stored);
        if is_listed || is_accepted || is_ours(below, stored) {
            continue;
        }
        let time = match (log, history.planted.get(below)) {
            (Some((log, _)), _) => Some((log.minute, log.minute + 60)),
            (None, Some(time)) => *time,
            (None, None) => return Err(format!("nobody knows {path}")),
        };
        if is_inside(below, time, (world, &spans), question) {
            return Err(format!("nobody delivered {path}"));
        }
    }
    Ok(())
}

fn is_in_log_folder(below: &str) -> bool {
    let folders: Vec<&str> = below.split('/').collect();
    let kind = folders.get(if folders.get(1).is_some_and(|folder| folder.starts_with("o-")) { 3 } else { 2 });
    kind.is_some_and(|kind| kind.starts_with("CloudTrail") && *kind != "CloudTrail-Digest")
}

fn is_ours(below: &str, stored: &[u8]) -> bool {
    let name = below.rsplit('/').next().unwrap();
    name.starts_with("._") && stored.starts_with(b"\0\x05\x16\x07")
        || name.ends_with(".head.json") && stored.starts_with(b"{\"")
}

fn is_inside(
    below: &str,
    time: Option<(Second, Second)>,
    (world, spans): (&World, &[Option<(Second, Second)>]),
    question: &Question,
) -> bool {
    let Some((from, until)) = time else { return true };
    if !question.touches((from, until)) {
        return false;
    }
    let place = world.places.iter().position(|(account, region)| {
        below.contains(&format!("/{account}/")) && below.contains(&format!("/{region}/"))
    });
    match place.and_then(|place| spans[place]) {
        None => true,
        Some((first, last)) => (question.since.is_some() || until > first) && (question.until.is_some() || from < last),
    }
}

fn run(history: &History<'_>, question: &Question, desk: &Path, keys: &Path, is_archive: bool) -> DigestsSummary {
    let root = desk.join(if is_archive { "root.tar" } else { "root" });
    let tree = Tree(history.tree.clone());
    if is_archive {
        fs::write(&root, tree.to_tar()).unwrap();
    } else {
        tree.write(&root);
    }
    let time = |second: Option<Second>| second.map(|second| Timestamp::parse(at(second).as_bytes()).unwrap());
    let options = DigestsOptions {
        roots: vec![root],
        public_keys: vec![keys.to_owned()],
        metadata: Vec::new(),
        log_contents: LogContents::Hashed,
        window: Window { since: time(question.since), until: time(question.until) },
        accepted_edges: AcceptedEdges { starts: question.starts, ends: question.ends },
        accepted_unreferenced: question.accepted.iter().map(|part| format!("*{part}*")).collect(),
        inventory_lag: DEFAULT_INVENTORY_LAG,
        jobs: 1,
        memory: DEFAULT_MEMORY,
        temp_dir: None,
    };
    verify_digests(
        &options,
        None,
        (&desk.join("out"), true),
        Watch { cancel: &Cancel::default(), progress: &NoProgress },
    )
    .unwrap()
}

#[expect(clippy::print_stdout, reason = "the shares are for people")]
#[test]
fn only_what_was_delivered_passes() {
    let histories = std::env::var("LOGSEAL_MIRROR_HISTORIES").ok().map_or(HISTORIES, |text| text.parse().unwrap());
    let mut random = Random::new(20_240_506);
    let desk = tempfile::tempdir().unwrap();
    let keys = desk.path().join("keys.json");
    let (from, until) = (json!("2024-05-01T00:00:00Z"), json!("2024-06-01T00:00:00Z"));
    let entries: Vec<_> = signers().iter().map(|signer| signer.entry(&from, &until)).collect();
    fs::write(&keys, json!({"PublicKeyList": entries}).to_string()).unwrap();
    let (mut passed, mut proven, mut worlds) = (0, 0, Vec::new());
    // Where the logs are as delivered, and something else is wrong or not proven.
    let mut alarms: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for number in 0..histories {
        if number % (histories.div_ceil(WORLDS)).min(500) == 0 {
            worlds = vec![World::new(&mut random)];
        }
        let mut history = History::new(&worlds[0], &mut random);
        for _ in 0..random.below(4) {
            history.tamper(&mut random);
        }
        let question = Question::new(&worlds[0], &mut random);
        let is_archive = random.chance(85);
        let folder = tempfile::tempdir().unwrap();
        let summary = run(&history, &question, folder.path(), &keys, is_archive);
        let expected = is_proven(&history, &question);
        let told = || {
            format!(
                "history {number}, {:?}, {question:?}, {:?}: {:?} {:?}, {:?}",
                history.layout, history.done, summary.outcome, summary.outcome_reasons, summary.logs
            )
        };
        let is_pass = summary.outcome == Outcome::Pass;
        if is_pass && let Err(why) = &expected {
            panic!("a pass, and {why}: {}", told());
        }
        if history.is_harmless && question.is_right(&worlds[0]) {
            assert!(is_pass, "nothing is wrong: {expected:?}: {}", told());
        }
        passed += usize::from(is_pass);
        proven += usize::from(expected.is_ok());
        if expected.is_ok() && !is_pass {
            let (count, _) = alarms.entry(format!("{:?}", summary.outcome_reasons)).or_insert_with(|| (0, told()));
            *count += 1;
        }
    }
    println!("{histories} histories: {proven} are as delivered, {passed} of them pass; of the others:");
    alarms.iter().for_each(|(reasons, (count, example))| println!("{count:6} {reasons}\n       {example}"));
    assert!(passed * 3 > proven * 2, "{passed} of {proven} pass");
}
