//! A file of text: answers of HeadObject and events of CloudTrail, in any of the shapes that they are kept in.

use std::ops::ControlFlow;
use std::sync::Arc;

use super::cloudtrail::{Event, Events, Scratch, is_of_events};
use super::collect::Collector;
use super::documents::{self, Item, List, Name, Of, Sink, TextError};
use super::files::{EvidenceFile, Stop};
use super::heads::Head;
use super::recognise::{self, Content};
use super::text::Text;
use super::{EvidenceKind, trail};
use crate::delivery::Reading;
use crate::source::SourceFile;

/// Reads a file to its end, and notes it among the listed logs. `begin` is told of what kind it is, once that is known;
/// `is_over` is asked now and then whether anybody still wants to know.
pub(super) fn read(
    file: &EvidenceFile,
    opened: Arc<SourceFile>,
    listed: Option<&Reading>,
    to: &mut Collector<'_, '_>,
    begin: &mut dyn FnMut(EvidenceKind, &mut Collector<'_, '_>),
    is_over: &dyn Fn() -> bool,
) -> Result<(), Stop> {
    let mut text = Text::new(opened, listed.is_some())?;
    let beginning = text.beginning();
    if beginning.is_empty() && file.is_called_evidence() {
        return Err(damaged("it is empty"));
    }
    let (content, seems) = (Content::of_text(beginning), recognise::seems(beginning));
    let unknown = |content: Content| Stop::Unknown { content, why: seems.to_owned() };
    if content == Content::Empty {
        return Err(unknown(content));
    }
    let Scratch { mut window, filter } = std::mem::take(&mut to.logs);
    let mut sink = Statements {
        to,
        begin,
        is_over,
        kind: None,
        events: Events::new(&filter),
        items: 0,
        last_was_head: true,
        stopped: None,
    };
    let read = documents::read(&mut text, &mut window, &mut sink);
    let Statements { to, kind, events, stopped, .. } = sink;
    let scanned = events.scanned();
    to.logs = Scratch { window, filter };
    match (stopped, read) {
        (Some(Stopped::Foreign(content)), _) => Err(unknown(content)),
        (Some(Stopped::By(stop)), _) => Err(stop),
        (None, Err(TextError::Unknown { .. })) if kind.is_none() => Err(unknown(content)),
        (None, Err(error)) => Err(damaged(&error.to_string())),
        (None, Ok(())) if scanned.unreadable > 0 => {
            let why = format!("{} of its {} records cannot be read", scanned.unreadable, scanned.records);
            Err(Stop::Fault { what: "evidence_bad_record", why })
        }
        // Lists of nothing.
        (None, Ok(())) if kind.is_none() => Err(unknown(Content::Json(documents::Names::default()))),
        (None, Ok(())) => {
            if let Some((listed, content)) = listed.zip(text.into_hash()) {
                listed.note(&content);
            }
            Ok(())
        }
    }
}

fn damaged(why: &str) -> Stop {
    Stop::Fault { what: "evidence_damaged", why: why.to_owned() }
}

/// Takes what a text holds, and collects what that says.
struct Statements<'s, 'f, 'w, 'e> {
    to: &'s mut Collector<'w, 'e>,
    begin: &'s mut dyn FnMut(EvidenceKind, &mut Collector<'_, '_>),
    is_over: &'s dyn Fn() -> bool,
    /// What the file is, once that is known: the kind of its first item.
    kind: Option<EvidenceKind>,
    events: Events<'f>,
    items: u64,
    /// Whether the next line may well be an answer of HeadObject.
    last_was_head: bool,
    stopped: Option<Stopped>,
}

/// Why the rest of a text is not read.
enum Stopped {
    /// It begins with a document that is none of ours.
    Foreign(Content),
    By(Stop),
}

impl Statements<'_, '_, '_, '_> {
    fn stop(&mut self, stopped: Stopped) -> ControlFlow<()> {
        self.stopped = Some(stopped);
        ControlFlow::Break(())
    }

    /// Makes sure that the kind of the file is known.
    fn know(&mut self, kind: EvidenceKind) {
        if self.kind.is_none() {
            self.kind = Some(kind);
            (self.begin)(kind, self.to);
        }
    }

    /// Goes on, unless nobody wants to know.
    fn go_on(&mut self) -> ControlFlow<()> {
        self.items += 1;
        let is_over = self.items.is_multiple_of(256) && (self.is_over)();
        if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn head(&mut self, head: &Head<'_>) -> ControlFlow<()> {
        self.last_was_head = true;
        self.know(EvidenceKind::HeadObject);
        match head.say(self.to) {
            Ok(()) => self.go_on(),
            Err(error) => self.stop(Stopped::By(error.into())),
        }
    }

    fn event(&mut self, item: &Item<'_>) -> ControlFlow<()> {
        self.last_was_head = false;
        self.know(EvidenceKind::CloudTrail);
        let (to, mut failed) = (&mut *self.to, None);
        self.events.take(item, &mut |event: Event<'_>| {
            if failed.is_none() {
                failed = trail::say(&event, to).err();
            }
        });
        match failed {
            None => self.go_on(),
            Some(error) => self.stop(Stopped::By(error.into())),
        }
    }

    fn bad_document(&mut self, end: u64, why: &str) -> ControlFlow<()> {
        let why = format!("the document that ends at byte {end} {why}");
        self.stop(Stopped::By(Stop::Fault { what: "evidence_bad_record", why }))
    }
}

impl Sink for Statements<'_, '_, '_, '_> {
    fn line(&mut self, line: &[u8]) -> Option<ControlFlow<()>> {
        // The line of a whole log need not be parsed to know that it is none.
        if !self.last_was_head || line.trim_ascii_start().starts_with(br#"{"Records""#) {
            return None;
        }
        let head = Head::parse(line).ok()?;
        Some(self.head(&head))
    }

    fn list(&mut self, list: List) {
        // Lists of other things are called events as well: the first item tells.
        if list == List::Records {
            self.know(EvidenceKind::CloudTrail);
        }
    }

    fn item(&mut self, item: Item<'_>) -> ControlFlow<()> {
        if is_of_events(item.of) {
            return self.event(&item);
        }
        let Of::Document(names) = item.of else { return ControlFlow::Continue(()) };
        let head = match item.text {
            Some(text) if names.has(Name::Bucket) && names.has(Name::Key) => Head::parse(text),
            _ if self.kind.is_none() => return self.stop(Stopped::Foreign(Content::Json(names))),
            None => Err("is longer than 1 MiB, nests too deep, or is a log and something else at once"),
            Some(_) => Err("is neither an answer of HeadObject with a Bucket and a Key nor an event of CloudTrail"),
        };
        match head {
            Ok(head) => self.head(&head),
            Err(why) => self.bad_document(item.end, why),
        }
    }
}
