//! What CloudTrail logs say about the keys of S3 objects.
//!
//! [`scan`] reads a text with events in any of the shapes that they are kept in: logs as they are delivered
//! (`{"Records":[...]}`, the member anywhere in the object), events one behind the other or in lists, what LookupEvents
//! answers, what a subscription of CloudWatch Logs delivers, and several of these in one text. It hands over an [`Event`]
//! for each call that wrote an object, changed its encryption, or made a data key for one. Only records that name such a
//! call are parsed. Nothing in the text is trusted: whatever its shape, a scan ends, and needs no more memory than the
//! window and one record.
//!
//! Calls that failed changed nothing, and other calls say nothing of keys: both are passed over. Everything else that
//! cannot be read or has no time is counted as unreadable, and what its bucket or object cannot be told of is handed over
//! as unattributed.

mod event;
mod record;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::ops::{AddAssign, ControlFlow};

use memchr::memmem::Finder;
use serde::Deserialize;

use super::documents::{self, Item, List, Name, Of, Sink, TextWindow};
pub use super::documents::{MAX_ITEM as MAX_RECORD, TextError as ScanError};
pub use event::{AskedBy, DataKey, Event, Stated, Unattributed, Write, WriteKind};
use event::{CALLS, Said, what_it_says};
use record::{Record, Text};

/// What a scan went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Records in the text, whatever they are about.
    pub records: u64,
    /// Events handed over.
    pub events: u64,
    /// Calls that would have been events, and failed.
    pub failed: u64,
    /// Records that could not be read: longer than [`MAX_RECORD`], nested too deep, no records of CloudTrail, or (looked
    /// at only where a record seems to matter) no JSON, of other types than CloudTrail gives, or without a time.
    pub unreadable: u64,
}

/// Buffers for [`scan`], for one text after the other.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) window: TextWindow,
    pub(super) filter: Filter,
}

/// Hands over every event of a decompressed text, in its order.
///
/// # Errors
///
/// When the text ends early, holds no JSON that is known, or has something between its records. What was handed over
/// before should be thrown away.
pub fn scan(
    input: &mut dyn Read,
    scratch: &mut Scratch,
    each: &mut dyn FnMut(Event<'_>),
) -> Result<Scanned, ScanError> {
    let Scratch { window, filter } = scratch;
    let mut scan = Scan { events: Events::new(filter), each };
    documents::read(input, window, &mut scan)?;
    Ok(scan.events.scanned)
}

/// A scan takes no documents but events.
struct Scan<'s> {
    events: Events<'s>,
    each: &'s mut dyn FnMut(Event<'_>),
}

impl Sink for Scan<'_> {
    fn line(&mut self, _: &[u8]) -> Option<ControlFlow<()>> {
        None
    }

    fn list(&mut self, _: List) {}

    fn item(&mut self, item: Item<'_>) -> ControlFlow<()> {
        match is_of_events(item.of) {
            true => self.events.take(&item, self.each),
            false => self.events.note(Looked::Unreadable),
        }
        ControlFlow::Continue(())
    }
}

/// Whether an item is an event, or has one inside.
pub(super) fn is_of_events(of: Of) -> bool {
    let Of::Document(names) = of else { return true };
    let is_event = names.has(Name::Call) && names.has(Name::EventSource);
    is_event || names.has(Name::CloudTrailEvent) || names.has(Name::Message)
}

/// Reads records, one after the other.
pub(super) struct Events<'s> {
    filter: &'s Filter,
    scanned: Scanned,
}

impl<'s> Events<'s> {
    pub(super) fn new(filter: &'s Filter) -> Self {
        Self { filter, scanned: Scanned::default() }
    }

    pub(super) fn scanned(&self) -> Scanned {
        self.scanned
    }

    /// Takes an item of which [`is_of_events`] says that it is one.
    #[inline]
    pub(super) fn take(&mut self, item: &Item<'_>, each: &mut dyn FnMut(Event<'_>)) {
        let is_plain = match item.of {
            Of::List(list) => list == List::Records,
            Of::Document(names) => names.has(Name::Call),
        };
        match is_plain {
            true => self.record(item.text, item.escaped, each),
            false => self.wrapped(item.text, each),
        }
    }

    fn note(&mut self, looked: Looked) {
        self.scanned.records += 1;
        self.scanned.count(looked);
    }

    /// An event.
    #[inline]
    fn record(&mut self, text: Option<&[u8]>, escaped: bool, each: &mut dyn FnMut(Event<'_>)) {
        let looked = match text.map(|text| (text, self.filter.look(text))) {
            None => Looked::Unreadable,
            // What is delivered under the same names and is no log shows in the first record.
            Some((text, _)) if self.scanned.records == 0 && !is_of_cloudtrail(text) => Looked::Unreadable,
            Some((text, Filtered::MayMatter)) => look_at(text, each),
            Some((text, _)) if escaped => look_at(text, each),
            Some((_, Filtered::Other)) => Looked::Nothing,
            Some((_, Filtered::Nameless)) => Looked::Unreadable,
        };
        self.note(looked);
    }

    /// An event as a text inside of something else.
    fn wrapped(&mut self, text: Option<&[u8]>, each: &mut dyn FnMut(Event<'_>)) {
        /// Of an answer of LookupEvents, and of CloudWatch Logs.
        #[derive(Deserialize)]
        struct Wrapper<'a> {
            #[serde(rename = "CloudTrailEvent", borrow)]
            event: Option<Text<'a>>,
            #[serde(borrow)]
            message: Option<Text<'a>>,
        }
        // CloudWatch Logs says this to see whether somebody listens.
        const CONTROL: &str = "CWL CONTROL MESSAGE";
        let wrapper = text.and_then(|text| serde_json::from_slice::<Wrapper<'_>>(text).ok());
        let inner = match &wrapper {
            Some(Wrapper { event: Some(Text(inner)), message: None }) => inner.trim(),
            Some(Wrapper { event: None, message: Some(Text(inner)) }) => inner.trim(),
            _ => return self.note(Looked::Unreadable),
        };
        match inner {
            inner if inner.starts_with('{') => self.record(Some(inner.as_bytes()), inner.contains("\\u"), each),
            inner if inner.starts_with(CONTROL) => {}
            _ => self.note(Looked::Unreadable),
        }
    }
}

/// What became of one record.
enum Looked {
    Nothing,
    Event,
    Failed,
    Unreadable,
}

fn look_at(text: &[u8], each: &mut dyn FnMut(Event<'_>)) -> Looked {
    let Some(record) = parse(text) else {
        return Looked::Unreadable;
    };
    match what_it_says(&record) {
        Said::Nothing => Looked::Nothing,
        Said::Failed => Looked::Failed,
        Said::Unreadable => Looked::Unreadable,
        Said::Event(event) => {
            each(event);
            Looked::Event
        }
    }
}

fn parse(text: &[u8]) -> Option<Record<'_>> {
    // Checking all of the text once is cheaper than each of its strings.
    serde_json::from_str(str::from_utf8(text).ok()?).ok()
}

/// Whether a record is one of CloudTrail, whatever it is about. Notifications of S3, SNS and SQS are `Records` with an
/// `eventName` as well; their sources are called `aws:s3` and the like.
fn is_of_cloudtrail(text: &[u8]) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Shape<'a> {
        #[serde(borrow)]
        event_source: Option<Text<'a>>,
        #[serde(borrow)]
        event_type: Option<Text<'a>>,
    }
    let shape = str::from_utf8(text).ok().and_then(|text| serde_json::from_str::<Shape<'_>>(text).ok());
    shape.is_some_and(|Shape { event_source, event_type }| match event_source {
        Some(Text(source)) => !source.starts_with("aws:"),
        // Insights are about calls, and say so.
        None => event_type.is_some(),
    })
}

impl Scanned {
    fn count(&mut self, looked: Looked) {
        match looked {
            Looked::Nothing => {}
            Looked::Event => self.events += 1,
            Looked::Failed => self.failed += 1,
            Looked::Unreadable => self.unreadable += 1,
        }
    }
}

impl AddAssign for Scanned {
    fn add_assign(&mut self, other: Self) {
        self.records += other.records;
        self.events += other.events;
        self.failed += other.failed;
        self.unreadable += other.unreadable;
    }
}

/// Tells the few records that may be events from the many others, without parsing either.
///
/// A record that passes may still be about something else. One that does not pass is none of ours, unless its names are
/// spelt with escapes, which the splitter sees.
#[derive(Debug)]
pub(super) struct Filter {
    name: Finder<'static>,
}

/// What the names of calls in a record come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filtered {
    MayMatter,
    /// It names another call.
    Other,
    /// It names no call at all, as every event does.
    Nameless,
}

impl Default for Filter {
    fn default() -> Self {
        Self { name: Finder::new(r#""eventName""#) }
    }
}

impl Filter {
    /// Looks at all members of this name: other records may have one deeper inside, before their own.
    fn look(&self, record: &[u8]) -> Filtered {
        let name_len = self.name.needle().len();
        let mut filtered = Filtered::Nameless;
        for at in self.name.find_iter(record) {
            if !names_another_call(&record[at + name_len..]) {
                return Filtered::MayMatter;
            }
            filtered = Filtered::Other;
        }
        filtered
    }
}

/// Whether what stands behind the name `eventName` is the name of a call that is none of ours, and nothing else: what is
/// damaged here must not hide a record.
fn names_another_call(rest: &[u8]) -> bool {
    let value = rest.trim_ascii_start().strip_prefix(b":").map(<[u8]>::trim_ascii_start);
    let Some(value) = value.and_then(|value| value.strip_prefix(b"\"")) else {
        return false;
    };
    let is_of_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':');
    let len = value.iter().position(|byte| !is_of_name(byte)).unwrap_or(value.len());
    let (name, behind) = value.split_at(len);
    let Some(behind) = behind.strip_prefix(b"\"") else {
        return false;
    };
    matches!(behind.trim_ascii_start().first(), Some(b',' | b'}')) && !CALLS.iter().any(|call| call.as_bytes() == name)
}
