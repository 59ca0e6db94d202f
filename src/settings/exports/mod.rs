//! Exports of settings: which files there are, what each of them is, and what it says.
//!
//! ```text
//! files -> place, content -> call | item | opinion -> facts
//! walk     recognise         calls, config, opinions
//! ```
//!
//! A file is known by its place and its content, never by its ending alone. What lies in a place where an answer is expected
//! and is none counts as asked and not answered.

mod answers;
mod calls;
mod config;
mod iam;
mod names;
mod opinions;
mod walk;

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::facts::{Fact, Members, Name, Place};
use crate::escape::hex::hex;
use crate::escape::is_unseen;
use crate::escape::percent::decode_percent;
use crate::hashes::sha256::Sha256;
use crate::json;
use crate::source::{FileFault, SourceFile, TextStream};
use crate::timestamp::{Timestamp, written};

use answers::{NoAnswer, has_more};
use calls::{Call, Command};
use names::is_account;
pub(super) use names::partition_of;
use walk::Meant;
pub(super) use walk::{ExportFile, ExportTimes, Found, walk};

/// More than the largest answer of the command line, and more than a person means to give.
const MAX_FILE_LEN: usize = 256 << 20;
/// More lines that are wrong than anybody looks at.
const MAX_FAULTS: usize = 1000;
/// As much as is read at a time.
const BUFFER_LEN: usize = 64 << 10;

/// What a file turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Kind {
    /// A file in a tree of answers of the command line.
    CliTree,
    /// Answers of the command line, one a line.
    Envelope,
    /// Items of AWS Config.
    Config,
    /// What other tools found.
    Findings,
    /// The times of an export.
    Times,
    /// None of these.
    PassedOver,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::CliTree => "cli_tree",
            Self::Envelope => "envelope",
            Self::Config => "config",
            Self::Findings => "findings",
            Self::Times => "times",
            Self::PassedOver => "passed_over",
        }
    }
}

/// A file that was read.
#[derive(Debug)]
pub(super) struct ReadFile {
    pub(super) kind: Kind,
    pub(super) sha256: String,
    /// When the newest of what it says was so.
    pub(super) at: Option<Timestamp>,
    /// When the export was made that it is of, if that is told.
    pub(super) times: Option<ExportTimes>,
    /// What it says, each with its time.
    pub(super) facts: Vec<(Option<Timestamp>, Fact)>,
    /// The calls that it holds, for what was asked everywhere but in some places.
    pub(super) asked: Vec<(Place, &'static str)>,
    /// The calls that were answered.
    pub(super) answered: Vec<(Asked, Option<Timestamp>)>,
    /// The calls that were refused.
    pub(super) refused: Vec<(Asked, Option<Timestamp>)>,
    /// Places whose refusals say that their Regions are enabled.
    pub(super) reached: Vec<(Place, Option<Timestamp>)>,
    pub(super) faults: Vec<ExportFault>,
}

/// What was asked: the call, where, and for what.
pub(super) type Asked = (&'static str, Place, Option<String>);

/// Why something of a file was not understood.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ExportFault {
    /// Its name in `faults.jsonl`.
    pub(super) what: &'static str,
    /// The line of a file of lines.
    pub(super) line: Option<u64>,
    /// For people.
    pub(super) why: String,
}

impl ExportFault {
    pub(super) fn new(what: &'static str, why: impl Into<String>) -> Self {
        Self { what, line: None, why: why.into() }
    }
}

impl From<FileFault> for ExportFault {
    fn from(fault: FileFault) -> Self {
        let what = match fault {
            FileFault::Inflate(_) | FileFault::NotGzip => "export_damaged",
            FileFault::Changed => "export_changed",
            _ => "export_unreadable",
        };
        Self::new(what, fault.to_string())
    }
}

/// Reads a file of an export.
pub(super) fn read(file: &ExportFile) -> Result<ReadFile, ExportFault> {
    let text = content(&file.path)?;
    let mut reader = Reader::new(hex(&Sha256::of(&text)), file.times.map(|times| times.started));
    reader.file.times = file.times;
    match &file.place {
        walk::FilePlace::Answer(call) => reader.answer(call, &text),
        walk::FilePlace::Refusal(call) => reader.refusal(call, &text),
        walk::FilePlace::Times => reader.file.kind = Kind::Times,
        walk::FilePlace::Snapshot(time) => {
            reader.reported_at = Some(*time);
            reader.document(&text)?;
        }
        walk::FilePlace::Silence(call) => reader.silence(call),
        walk::FilePlace::Elsewhere(meant) => match reader.document(&text) {
            Err(fault) if is_no_export(*meant, &fault, &text) => reader.file.kind = Kind::PassedOver,
            read => read?,
        },
    }
    Ok(reader.finish())
}

/// Whether a refusal comes after the caller was recognised: a Region that is not enabled recognises nobody.
fn is_of_enabled_region(code: &str) -> bool {
    ["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"].contains(&code)
}

/// Whether a file that nobody named is none of ours: text that is no JSON, or among answers the answer to another call.
fn is_no_export(meant: Meant, fault: &ExportFault, text: &[u8]) -> bool {
    match meant {
        Meant::Surely => false,
        Meant::Nearly => text.trim_ascii().is_empty(),
        Meant::Perhaps => !may_be_json(text),
        Meant::Hardly => !may_be_json(text) || fault.what == "export_unknown",
    }
}

/// Whether a text looks like JSON, well-formed or not, or may hold some that cannot be read: an archive, or UTF-16.
fn may_be_json(text: &[u8]) -> bool {
    let is_wide = text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff");
    is_wide
        || is_archive(text)
        || matches!(first_seen(text), Some('{' | '['))
        || text.split(|byte| matches!(byte, b'\n' | b'\r')).any(|line| {
            let begins = line.iter().position(|byte| *byte != b'[').unwrap_or_default();
            first_seen(line) == Some('{') || first_seen(&line[begins..]) == Some('{')
        })
}

/// The first character of a text that is seen, behind no more than a few that are not.
fn first_seen(text: &[u8]) -> Option<char> {
    let begins = text.iter().position(|byte| !byte.is_ascii_whitespace() && !byte.is_ascii_control())?;
    let beginning = String::from_utf8_lossy(&text[begins..text.len().min(begins + 64)]);
    beginning.chars().find(|c| !c.is_whitespace() && !is_unseen(*c))
}

/// Whether a text, inflated already if it was gzip, is an archive or compressed.
fn is_archive(text: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 6] =
        [b"\x1f\x8b", b"BZh", b"PK\x03\x04", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf\x27\x1c"];
    BEGINNINGS.iter().any(|beginning| text.starts_with(beginning)) || text.get(257..262) == Some(b"ustar")
}

/// Members that stand in answers that are read, and in no answer to another call.
const TELLING: [&str; 7] = [
    "trailList",
    "IsLogging",
    "EventSelectors",
    "KeyMetadata",
    "KeyRotationEnabled",
    "ServerSideEncryptionConfiguration",
    "UserDetailList",
];

/// The whole text of a file, inflated if it is compressed.
fn content(path: &Path) -> Result<Vec<u8>, ExportFault> {
    let mut stream = TextStream::new(Arc::new(SourceFile::open(path, None)?), false)?;
    let (mut text, mut len) = (Vec::new(), 0);
    loop {
        if text.len() < len + BUFFER_LEN {
            text.resize(len + BUFFER_LEN, 0);
        }
        match stream.read(&mut text[len..])? {
            0 => {
                text.truncate(len);
                return Ok(text);
            }
            read => len += read,
        }
        if len > MAX_FILE_LEN {
            return Err(ExportFault::new("export_too_large", "it holds more than 256 MiB"));
        }
    }
}

/// Collects what a file says.
struct Reader {
    file: ReadFile,
    /// The time of what has none itself.
    time: Option<Timestamp>,
    /// When AWS Config reported all of it as current.
    reported_at: Option<Timestamp>,
    /// How many faults are only counted, and what the first of them is.
    unsaid: Option<(&'static str, u64)>,
}

impl Reader {
    fn new(sha256: String, time: Option<Timestamp>) -> Self {
        let file = ReadFile {
            kind: Kind::CliTree,
            sha256,
            at: None,
            times: None,
            facts: Vec::new(),
            asked: Vec::new(),
            answered: Vec::new(),
            refused: Vec::new(),
            reached: Vec::new(),
            faults: Vec::new(),
        };
        Self { file, time, reported_at: None, unsaid: None }
    }

    fn finish(mut self) -> ReadFile {
        let unsaid =
            self.unsaid.map(|(what, count)| ExportFault::new(what, format!("{count} more faults of this file")));
        self.file.faults.extend(unsaid);
        self.file
    }

    fn take(&mut self, at: Option<Timestamp>, facts: Vec<Fact>) {
        self.file.at = self.file.at.max(at);
        self.file.facts.extend(facts.into_iter().map(|fact| (at, fact)));
    }

    fn fault(&mut self, what: &'static str, line: Option<u64>, why: impl Into<String>) {
        match self.file.faults.len() {
            ..MAX_FAULTS => self.file.faults.push(ExportFault { what, line, why: why.into() }),
            _ => self.unsaid.get_or_insert((what, 0)).1 += 1,
        }
    }

    /// The answer that lies in a tree of the command line.
    fn answer(&mut self, call: &Call, text: &[u8]) {
        self.asked(call);
        let time = self.time;
        match json::parse(text) {
            Ok(value) if has_items(&value) => {
                self.file.kind = Kind::Config;
                self.items(&value, false, None);
            }
            Ok(value) => self.said(call, &value, time, None),
            Err(_) if text.iter().all(u8::is_ascii_whitespace) => self.unreadable(call, time, None, "it is empty"),
            Err(error) => self.unreadable(call, time, None, &error.to_string()),
        }
    }

    /// The command line printed nothing, which says that nothing is set.
    fn silence(&mut self, call: &Call) {
        let time = self.time;
        self.said(call, &Value::Object(serde_json::Map::new()), time, None);
    }

    fn asked(&mut self, call: &Call) {
        let everywhere = match call.command {
            Command::DescribeTrails => "cloudtrail describe-trails",
            Command::ListAliases => "kms list-aliases",
            _ => return,
        };
        self.file.asked.push((call.place.clone(), everywhere));
    }

    fn said(&mut self, call: &Call, output: &Value, at: Option<Timestamp>, line: Option<u64>) {
        match call.answered(output) {
            Ok(facts) => {
                self.file.answered.push((call.asked(), at));
                self.take(at, facts);
            }
            Err(NoAnswer::Shape(what)) => {
                self.unreadable(call, at, line, &format!("no answer to {}: {what}", call.command.text()));
            }
            Err(NoAnswer::Misplaced(found)) => self.misplaced(call, at, line, &found),
        }
    }

    fn misplaced(&mut self, call: &Call, at: Option<Timestamp>, line: Option<u64>, found: &str) {
        self.fault("misplaced", line, format!("the answer is about something else: {found}"));
        self.take(at, call.unreadable());
    }

    fn unreadable(&mut self, call: &Call, at: Option<Timestamp>, line: Option<u64>, why: &str) {
        self.fault("export_damaged", line, why);
        self.take(at, call.unreadable());
    }

    /// What the command line wrote instead of an answer.
    fn refusal(&mut self, call: &Call, text: &[u8]) {
        self.asked(call);
        let said = String::from_utf8_lossy(text);
        let code = refusal_code(&said).unwrap_or("unknown").to_owned();
        self.refused(call, &code, self.time);
    }

    fn refused(&mut self, call: &Call, code: &str, at: Option<Timestamp>) {
        match call.is_answered_by(code) {
            true => self.file.answered.push((call.asked(), at)),
            false if call.is_idle(code) => {}
            false => self.file.refused.push((call.asked(), at)),
        }
        if is_of_enabled_region(code) {
            self.file.reached.push((call.place.clone(), at));
        }
        self.take(at, call.refused(code));
    }

    /// A file whose place says nothing: one JSON text, or one a line.
    fn document(&mut self, text: &[u8]) -> Result<(), ExportFault> {
        if text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff") {
            return Err(ExportFault::new("export_damaged", "it is UTF-16: write it out as UTF-8"));
        }
        if is_archive(text) {
            return Err(ExportFault::new(
                "export_damaged",
                "it is an archive, or compressed more than once: unpack it",
            ));
        }
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let beginning = text.trim_ascii_start();
        if beginning.is_empty() {
            return Err(ExportFault::new("export_damaged", "it is empty"));
        }
        let is_json = beginning.starts_with(b"{") || beginning.starts_with(b"[");
        let table = std::str::from_utf8(text).ok().filter(|_| !is_json).and_then(opinions::prowler);
        if let Some(facts) = table {
            self.file.kind = Kind::Findings;
            self.take(self.time, facts);
            return Ok(());
        }
        match json::parse(text) {
            Ok(value) => self.value(&value, None),
            // Several values one behind the other are lines.
            Err(_) if beginning.starts_with(b"{") && text.contains(&b'\n') => self.lines(text),
            Err(error) => Err(ExportFault::new("export_damaged", error.to_string())),
        }
    }

    fn lines(&mut self, text: &[u8]) -> Result<(), ExportFault> {
        for (at, line) in
            text.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty())
        {
            let number = at as u64 + 1;
            match json::parse(line) {
                Ok(value) => {
                    if let Err(fault) = self.value(&value, Some(number)) {
                        self.fault(fault.what, Some(number), fault.why);
                    }
                }
                Err(error) => self.fault("export_damaged", Some(number), error.to_string()),
            }
        }
        Ok(())
    }

    fn value(&mut self, value: &Value, line: Option<u64>) -> Result<(), ExportFault> {
        if has_items(value) || config::is_item(value) {
            self.file.kind = Kind::Config;
            self.items(value, false, line);
            return Ok(());
        }
        // An envelope is one whatever else stands in it.
        let members = Members::of(value).filter(|members| members.text("command").is_some());
        let Some(members) = members else {
            if let Some(facts) = opinions::findings(value) {
                self.file.kind = Kind::Findings;
                self.take(self.time, facts);
                return Ok(());
            }
            let is_answer = |members: Members<'_>| TELLING.iter().any(|name| members.has(name));
            return Err(match Members::of(value).is_some_and(is_answer) {
                true => ExportFault::new("misplaced", "it is the answer to a call, and its place is that of none"),
                false => ExportFault::new("export_unknown", "it is no export that is read here"),
            });
        };
        self.file.kind = Kind::Envelope;
        self.envelope(&members, line)
    }

    fn envelope(&mut self, line: &Members<'_>, number: Option<u64>) -> Result<(), ExportFault> {
        let text =
            |name: &str| line.filled(name).ok_or_else(|| ExportFault::new("export_damaged", format!("no {name}")));
        let command = text("command")?;
        let place = Place { account: text("account")?.into(), region: text("region")?.into() };
        let (service, name) = command.split_once(' ').unwrap_or((&command, ""));
        let at = line
            .get("at")
            .map(|at| written::of_json(at).ok_or_else(|| ExportFault::new("export_damaged", "at is no time")));
        let at = at.transpose()?.or(self.time);
        let (output, error) = (line.get("output"), line.get("error"));
        let parameters = line.get("parameters");
        if let Some(output) = output.filter(|output| has_items(output)) {
            match error {
                Some(_) => self.fault("export_damaged", number, "both an output and an error"),
                None if has(parameters, &["query"]) => self.fault("export_damaged", number, CUT),
                None => self.items(output, has(parameters, &EARLIER), number),
            }
            return Ok(());
        }
        let Some(command) = Command::named(service, name) else {
            return Err(ExportFault::new("export_unknown", format!("the call is not read here: {command}")));
        };
        let is_partial = parameters.is_some_and(|parameters| !asks_for_all(parameters));
        let (parameter, expected_owner) = (parameters.and_then(parameter), parameters.and_then(expected_owner));
        let call = Call { place, command, parameter, is_partial, expected_owner };
        self.asked(&call);
        if let Some(found) = parameters.and_then(|parameters| contradiction(parameters, &call.place)) {
            self.misplaced(&call, at, number, &found);
            return Ok(());
        }
        match (output, error) {
            (Some(_), None) if has(parameters, &["query"]) => self.unreadable(&call, at, number, CUT),
            (Some(output), None) => self.said(&call, output, at, number),
            (None, Some(error)) => {
                let code = Members::of(error).and_then(|error| error.filled("code"));
                self.refused(&call, code.as_deref().unwrap_or("unknown"), at);
            }
            _ => self.unreadable(&call, at, number, "neither an output nor an error"),
        }
        Ok(())
    }

    /// Items of AWS Config, in whatever holds them. Others may have been left out on purpose: all that are newer.
    fn items(&mut self, value: &Value, is_of_past: bool, line: Option<u64>) {
        let members = Members::of(value);
        let list = |name| members.as_ref().and_then(|members| members.list(name));
        let has_more = members.as_ref().is_some_and(has_more);
        if let Some(items) = list("configurationItems") {
            // History tells the newest first, unless it was asked for the other way round.
            let is_of_past = is_of_past || (has_more && !is_newest_first(items));
            if is_of_past {
                self.fault("export_incomplete", line, "newer items were not fetched, or may not have been");
            }
            return items.iter().for_each(|item| self.item(item, is_of_past, line));
        }
        let Some(results) = list("Results") else { return self.item(value, is_of_past, line) };
        for result in results {
            match result.as_str().map(|text| json::parse(text.as_bytes())) {
                Some(Ok(item)) => self.item(&item, is_of_past, line),
                Some(Err(error)) => self.fault("export_damaged", line, error.to_string()),
                None => self.item(result, is_of_past, line),
            }
        }
        // Each is about another resource.
        if has_more || is_of_past {
            self.fault("export_incomplete", line, "more results were not fetched");
        }
    }

    /// One that is of the past says that something was there, and not how it is.
    fn item(&mut self, value: &Value, is_of_past: bool, line: Option<u64>) {
        match config::item(value) {
            Ok(item) => {
                let now = |fact| if is_of_past { config::of_past(fact) } else { fact };
                self.take(self.reported_at.or(item.at), item.facts.into_iter().map(now).collect());
            }
            Err(NoAnswer::Shape(what)) => self.fault("export_damaged", line, format!("no item of AWS Config: {what}")),
            Err(NoAnswer::Misplaced(found)) => self.fault("misplaced", line, found),
        }
    }
}

/// Parameters by which history leaves newer items out.
const EARLIER: [&str; 3] = ["latertime", "nexttoken", "startingtoken"];
const CUT: &str = "--query left parts of the answer out";

/// Whether parameters have one of some names.
fn has(parameters: Option<&Value>, names: &[&str]) -> bool {
    let given = parameters.and_then(Value::as_object).into_iter().flatten().filter(|(_, value)| !value.is_null());
    given.into_iter().any(|(name, _)| names.contains(&plain(name).as_str()))
}

/// Whether a page of history surely begins with the newest item: its times, two at least, go back.
fn is_newest_first(items: &[Value]) -> bool {
    let times: Option<Vec<Timestamp>> = items.iter().map(config::captured_at).collect();
    times.is_some_and(|times| times.first() > times.last() && times.is_sorted_by(|one, next| one >= next))
}

fn has_items(value: &Value) -> bool {
    let is_row = |list: &Vec<Value>| {
        list.iter().all(|row| row.as_str().is_some_and(|text| text.contains("resourceType")) || config::is_item(row))
    };
    Members::of(value).is_some_and(|members| {
        members.list("configurationItems").is_some()
            || members.list("Results").is_some_and(|list| !list.is_empty() && is_row(list))
    })
}

/// The code in what the command line writes: `An error occurred (CODE) when calling ...`.
fn refusal_code(text: &str) -> Option<&str> {
    let (_, behind) = text.split_once("An error occurred (")?;
    let (code, _) = behind.split_once(')')?;
    let is_plain = code.len() <= 100 && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    is_plain.then_some(code)
}

/// How the parameter of a call may be called that says what it is about.
const NAMES: [&str; 11] = [
    "name",
    "bucket",
    "keyid",
    "trailname",
    "accountid",
    "policyid",
    "targetid",
    "childid",
    "filter",
    "policytype",
    "rolearn",
];
/// Parameters that leave nothing out of an answer.
const HARMLESS: [&str; 5] = ["expectedbucketowner", "region", "output", "profile", "noclipager"];

fn plain(name: &str) -> String {
    name.trim_start_matches('-').to_ascii_lowercase().replace(['-', '_'], "")
}

/// What a call was about, however its parameter is called.
fn parameter(parameters: &Value) -> Option<String> {
    let object = parameters.as_object()?;
    let texts = || object.iter().filter_map(|(name, value)| Some((name, value.as_str()?)));
    let found = texts().find(|(name, _)| NAMES.contains(&plain(name).as_str()))?;
    Some(found.1.to_owned())
}

/// Why parameters cannot be those of a call that was made in such a place: they name another Region, two things, or an owner
/// who is no account.
fn contradiction(parameters: &Value, place: &Place) -> Option<String> {
    let given = || parameters.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let mut named = given().filter(|(name, _)| NAMES.contains(&plain(name).as_str())).map(|(_, value)| value);
    let first = named.next();
    if named.any(|other| Some(other) != first) {
        return Some("its parameters name two things".into());
    }
    let is_wrong = |name: &str, value: &Value| match plain(name).as_str() {
        "region" => value.as_str() != Some(&place.region),
        "expectedbucketowner" => !value.as_str().is_some_and(is_account),
        _ => false,
    };
    let (name, value) = given().find(|(name, value)| is_wrong(name, value))?;
    Some(format!("{name} is {value}"))
}

/// The account that a bucket must be of for S3 to answer.
fn expected_owner(parameters: &Value) -> Option<Name> {
    let owner = parameters.as_object()?.iter().find(|(name, _)| plain(name) == "expectedbucketowner")?.1;
    owner.as_str().filter(|id| is_account(id)).map(Name::from)
}

/// Whether the parameters of a call neither filter its answer nor ask for a page of it.
fn asks_for_all(parameters: &Value) -> bool {
    let Some(object) = parameters.as_object() else { return parameters.is_null() };
    object.iter().all(|(name, value)| {
        let name = plain(name);
        match name.as_str() {
            "includeshadowtrails" => value == &Value::Bool(true) || value.as_str() == Some("true"),
            "policyname" => value == "default",
            name if NAMES.contains(&name) => value.is_string(),
            name => HARMLESS.contains(&name),
        }
    })
}

/// The parameter that the name of a file stands for.
fn decoded(name: &str) -> Option<String> {
    let mut bytes = Vec::new();
    if !decode_percent(name.as_bytes(), &mut bytes) {
        return None;
    }
    String::from_utf8(bytes).ok()
}

/// When an export was made, as its `export.json` says.
fn times_of(path: &Path) -> Result<ExportTimes, ExportFault> {
    let text = content(path)?;
    let value = json::parse(&text).map_err(|error| ExportFault::new("export_damaged", error.to_string()))?;
    let members = Members::of(&value).ok_or_else(|| ExportFault::new("export_damaged", "it is no JSON object"))?;
    if members.get("started").is_some() && members.get("finished").is_none() {
        return Err(ExportFault::new("export_unfinished", "the export was not finished: run the script again"));
    }
    let time = |name: &str| {
        let text = members.text(name).ok_or_else(|| ExportFault::new("export_damaged", format!("no {name}")))?;
        written::parse(text).ok_or_else(|| ExportFault::new("export_damaged", format!("{name} is no time")))
    };
    let (started, finished) = (time("started")?, time("finished")?);
    let lasted = (finished.as_millis() - started.as_millis() + 999).div_euclid(1_000);
    let lasted =
        u32::try_from(lasted).map_err(|_| ExportFault::new("export_damaged", "it finished before it started"))?;
    Ok(ExportTimes { started, lasted })
}
