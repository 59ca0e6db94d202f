//! The files of exports, in an order that depends on their names only, and what their places say.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

use super::calls::{Call, Command};
use super::names::{is_account, is_region};
use super::{ExportFault, decoded, times_of};
use crate::settings::facts::Place;
use crate::timestamp::{Timestamp, written};

/// A file to read.
#[derive(Debug)]
pub(in crate::settings) struct ExportFile {
    pub(in crate::settings) path: PathBuf,
    pub(super) place: FilePlace,
    /// When the export was made that it belongs to.
    pub(in crate::settings) times: Option<ExportTimes>,
}

/// When an export was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::settings) struct ExportTimes {
    pub(in crate::settings) started: Timestamp,
    /// In seconds.
    pub(in crate::settings) lasted: u32,
}

/// What the place of a file says.
#[derive(Debug)]
pub(super) enum FilePlace {
    Answer(Call),
    /// An empty file, beside one that would say why if the call had been refused: the command line printed nothing.
    Silence(Call),
    Refusal(Call),
    /// `export.json`.
    Times,
    /// A snapshot of AWS Config, of this time.
    Snapshot(Timestamp),
    /// Its content must tell.
    Elsewhere(Meant),
}

/// Whether somebody means a file to be an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meant {
    /// It was given by itself.
    Surely,
    /// It is called nearly like the answer to a call, where such answers lie.
    Nearly,
    /// It lies in a folder that was given.
    Perhaps,
    /// It lies among the answers of calls, and other calls are not read here.
    Hardly,
}

/// What lies in exports.
#[derive(Debug, Default)]
pub(in crate::settings) struct Found {
    pub(in crate::settings) files: Vec<ExportFile>,
    pub(in crate::settings) skipped: Vec<Skipped>,
    /// Hidden folders, and what macOS left.
    pub(in crate::settings) hidden: u64,
}

/// A file that is not read.
#[derive(Debug)]
pub(in crate::settings) struct Skipped {
    pub(in crate::settings) path: PathBuf,
    pub(in crate::settings) fault: ExportFault,
}

/// The files of a path that was given. Places are those of the whole path, wherever somebody stands.
pub(in crate::settings) fn walk(given: &Path, found: &mut Found) -> io::Result<()> {
    let real = given.canonicalize()?;
    if fs::metadata(given)?.is_dir() {
        let times = times_above(&real, found);
        return walk_folder((given, &real), times, found, 0);
    }
    let place = match place_of(&real) {
        FilePlace::Elsewhere(_) => FilePlace::Elsewhere(Meant::Surely),
        place => place,
    };
    let times = times_above(&real, found);
    found.files.push(ExportFile { path: given.to_owned(), place, times });
    Ok(())
}

/// The times of the export that a part of it was given of: `export.json` is a few folders above.
fn times_above(given: &Path, found: &mut Found) -> Option<ExportTimes> {
    const ABOVE: usize = 5;
    let mut files =
        given.ancestors().skip(1).take(ABOVE).map(|folder| folder.join("export.json")).filter(|file| file.is_file());
    let path = files.next()?;
    match times_of(&path) {
        Ok(times) => Some(times),
        Err(fault) => {
            found.skipped.push(Skipped { path, fault });
            None
        }
    }
}

/// Deeper than any export.
const MAX_DEPTH: usize = 64;

fn walk_folder(
    (folder, real): (&Path, &Path),
    times: Option<ExportTimes>,
    found: &mut Found,
    depth: usize,
) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let has = |name: &str| entries.iter().any(|entry| entry.file_name() == name);
    let holds_results = has("summary.json") && has("settings.csv") && has("decryptors.csv");
    let mut times = times;
    if let Some(file) = entries.iter().find(|entry| entry.file_name() == "export.json") {
        match times_of(&file.path()) {
            Ok(told) => times = Some(told),
            Err(fault) => {
                times = None;
                found.skipped.push(Skipped { path: file.path(), fault });
            }
        }
    }
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type()?);
        let skip = |what, why: &str| Skipped { path: path.clone(), fault: ExportFault::new(what, why) };
        match () {
            () if is_of_others(&entry.file_name(), kind.is_dir()) => found.hidden += 1,
            // What this job wrote says nothing of AWS.
            () if holds_results && RESULTS.iter().any(|name| entry.file_name() == *name) => {}
            () if kind.is_symlink() => {
                found
                    .skipped
                    .push(skip("export_link", "links in folders are not followed: give what it leads to by itself"));
            }
            () if kind.is_dir() && depth == MAX_DEPTH => {
                found.skipped.push(skip("export_unreadable", "it lies too deep"))
            }
            () if kind.is_dir() => walk_folder((&path, &real.join(entry.file_name())), times, found, depth + 1)?,
            () if kind.is_file() => {
                let place = place_of(&real.join(entry.file_name()));
                found.files.extend(beside(&path, place).map(|place| ExportFile { path, place, times }));
            }
            () => found.skipped.push(skip("export_unreadable", "it is a pipe, a socket or a device")),
        }
    }
    Ok(())
}

/// What this job writes.
const RESULTS: [&str; 6] = ["summary.json", "settings.csv", "trails.csv", "decryptors.csv", "faults.jsonl", "fixes"];

/// Whether a name is one of systems and tools: folders that are hidden, and what macOS and editors leave behind.
fn is_of_others(name: &OsStr, is_folder: bool) -> bool {
    let name = name.as_encoded_bytes();
    let is_of_editor = name.starts_with(b".") && name.ends_with(b".swp");
    (is_folder && name.starts_with(b".")) || is_of_editor || name.starts_with(b"._") || name == b".DS_Store"
}

/// The place of a file beside the other one that `aws ... > X.json 2> X.error.txt` makes; nothing for the empty one of two.
fn beside(path: &Path, place: FilePlace) -> Option<FilePlace> {
    let len = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len());
    let other = |from: &str, to: &str| len(Path::new(&format!("{}{to}", path.to_str()?.strip_suffix(from)?)));
    if len(path) != Some(0) {
        return Some(place);
    }
    match place {
        FilePlace::Answer(call) => match other(".json", ".error.txt") {
            Some(0) if call.command.may_be_silent() => Some(FilePlace::Silence(call)),
            Some(1..) => None,
            _ => Some(FilePlace::Answer(call)),
        },
        FilePlace::Refusal(call) => match other(".error.txt", ".json") {
            Some(_) => None,
            None => Some(FilePlace::Refusal(call)),
        },
        place => Some(place),
    }
}

fn place_of(path: &Path) -> FilePlace {
    let names: Vec<Cow<'_, str>> = path.components().filter_map(name_of).collect();
    let names: Vec<&str> = names.iter().map(|name| &**name).collect();
    let Some(name) = names.last() else { return FilePlace::Elsewhere(Meant::Perhaps) };
    if *name == "export.json" {
        return FilePlace::Times;
    }
    let bare = name.strip_suffix(".gz").unwrap_or(name);
    if let Some(call) = bare.strip_suffix(".error.txt").and_then(|stem| call_of(&names, stem)) {
        return FilePlace::Refusal(call);
    }
    if let Some(call) = bare.strip_suffix(".json").and_then(|stem| call_of(&names, stem)) {
        return FilePlace::Answer(call);
    }
    let meant = meant_in_tree(&names);
    snapshot_time(name).map_or(FilePlace::Elsewhere(meant), FilePlace::Snapshot)
}

fn name_of(component: Component<'_>) -> Option<Cow<'_, str>> {
    match component {
        Component::Normal(name) => Some(name.to_string_lossy()),
        _ => None,
    }
}

/// `.../ACCOUNT/REGION/SERVICE/COMMAND[/PARAMETER].json`, whose last name is `stem`.
fn call_of(names: &[&str], stem: &str) -> Option<Call> {
    let above = &names[..names.len() - 1];
    let call = |place: &[&str], service: &str, command: &str, parameter: Option<String>| {
        let [.., account, region] = place else { return None };
        let place = Place { account: (*account).into(), region: (*region).into() };
        let fits = is_account(&place.account) && is_region(&place.region);
        fits.then_some(Call {
            place,
            command: Command::named(service, command)?,
            parameter,
            is_partial: false,
            expected_owner: None,
        })
    };
    let whole = match above {
        [place @ .., service] => call(place, service, stem, None),
        [] => None,
    };
    whole.or_else(|| match above {
        [place @ .., service, command] => call(place, service, command, Some(decoded(stem)?)),
        _ => None,
    })
}

/// What a file may be by its place below the folders of an account, a Region and a service: there lie the answers of other
/// calls, too, which are called after their commands.
fn meant_in_tree(names: &[&str]) -> Meant {
    let of_config = names.iter().any(|name| *name == "configservice" || *name == "AWSLogs");
    let is_place = |place: &[&str]| matches!(place, [account, region] if is_account(account) && is_region(region));
    let at = names.windows(2).rposition(is_place).filter(|_| !of_config);
    let Some([service, command, below @ ..]) = at.map(|at| &names[at + 2..]) else { return Meant::Perhaps };
    let plain = command.to_ascii_lowercase().replace('_', "-");
    let plain = plain.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
    let stem = plain.split('.').next().unwrap_or_default();
    match () {
        () if Command::is_nearly(&service.to_ascii_lowercase(), plain) => match below {
            [] => Meant::Nearly,
            _ => Meant::Perhaps,
        },
        () if is_command(stem) => Meant::Hardly,
        () => Meant::Perhaps,
    }
}

/// Whether a name may be that of a command: words with hyphens between them.
fn is_command(name: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase()) && word.bytes().all(|c| c.is_ascii_alphanumeric())
    };
    name.contains('-') && name.split('-').all(is_word)
}

/// `ACCOUNT_Config_REGION_ConfigSnapshot_YYYYMMDDThhmmssZ_UUID.json.gz`.
fn snapshot_time(name: &str) -> Option<Timestamp> {
    let (_, behind) = name.split_once("_ConfigSnapshot_")?;
    let (time, _) = behind.split_once('_')?;
    let (date, clock) = time.split_once('T')?;
    let digits = |text: &str, len: usize| text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit());
    let clock = clock.strip_suffix('Z').filter(|clock| digits(clock, 6)).filter(|_| digits(date, 8))?;
    written::parse(&format!(
        "{}-{}-{}T{}:{}:{}Z",
        &date[..4],
        &date[4..6],
        &date[6..],
        &clock[..2],
        &clock[2..4],
        &clock[4..]
    ))
}
