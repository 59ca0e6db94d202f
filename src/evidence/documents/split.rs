//! A text of JSON to its items: where each begins and ends.
//!
//! A text is any number of documents, one behind the other or in lists. A document with a member that holds items
//! ([`List`]) is a container of them; any other one is an item itself. The text comes in pieces cut anywhere. Between the
//! items every byte is checked; inside of them only strings and brackets are told apart, and whether brackets match.
//! Nothing is kept but a few numbers and one name, and nothing recurses.

use memchr::memchr2;

/// How deep an item may nest to be read. Those of CloudTrail stay below 20.
pub(in crate::evidence) const MAX_DEPTH: u64 = 64;

/// How deep documents may lie in lists.
const MAX_LISTS: u8 = 8;

/// Reads pieces of text, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Splitter {
    place: Place,
    /// The lists of documents around here.
    lists: u8,
    /// Whether the text has turned out to hold documents.
    has_begun: bool,
    /// What the items of the innermost list are, as long as it is read.
    list: List,
    /// Whether the document is a container.
    is_container: bool,
    names: Names,
    name: NameText,
    brackets: Brackets,
    /// The depth at which what is being read ends: that of an item, or of a member of a document.
    floor: u64,
    /// Whether the item has `\u` escapes.
    escaped: bool,
}

/// What a piece of text holds next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// An item, or a container, begins with this byte. The splitter goes on behind it.
    Opened(usize),
    /// What was opened is a container. The splitter goes on before the byte `behind`, with its items.
    Listed { behind: usize, list: List },
    /// An item ends before the byte `behind`. `deep`: it nests deeper than [`MAX_DEPTH`]. `escaped`: one of its strings
    /// may spell plain letters as `\u` escapes.
    Closed { behind: usize, of: Of, deep: bool, escaped: bool },
    /// All of it was read.
    Starved,
}

/// What an item is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::evidence) enum Of {
    List(List),
    /// A document, and which names it has.
    Document(Names),
}

/// The members that hold items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::evidence) enum List {
    /// `Records` of a log: events.
    #[default]
    Records,
    /// `Events` of LookupEvents, `logEvents` of a subscription of CloudWatch Logs, `events` of FilterLogEvents: events as
    /// texts inside of others.
    Wrapped,
}

impl List {
    fn named(name: Name) -> Option<Self> {
        match name {
            Name::Records => Some(Self::Records),
            Name::Events | Name::LogEvents => Some(Self::Wrapped),
            _ => None,
        }
    }
}

/// The names of members that tell documents apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(in crate::evidence) enum Name {
    Records,
    Events,
    LogEvents,
    Call,
    EventSource,
    CloudTrailEvent,
    Message,
    Bucket,
    Key,
    DigestObject,
    LogFiles,
    ConfigItems,
    ConfigSnapshot,
    Metadata,
    KmsKey,
}

const NAMES: [(&[u8], Name); 16] = [
    (b"Records", Name::Records),
    (b"Events", Name::Events),
    (b"events", Name::Events),
    (b"logEvents", Name::LogEvents),
    (b"eventName", Name::Call),
    (b"eventSource", Name::EventSource),
    (b"CloudTrailEvent", Name::CloudTrailEvent),
    (b"message", Name::Message),
    (b"Bucket", Name::Bucket),
    (b"Key", Name::Key),
    (b"digestS3Object", Name::DigestObject),
    (b"logFiles", Name::LogFiles),
    (b"configurationItems", Name::ConfigItems),
    (b"configSnapshotId", Name::ConfigSnapshot),
    (b"Metadata", Name::Metadata),
    (b"SSEKMSKeyId", Name::KmsKey),
];

/// Which of them a document has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::evidence) struct Names(u16);

impl Names {
    pub(in crate::evidence) fn has(self, name: Name) -> bool {
        self.0 >> name as u8 & 1 == 1
    }

    fn add(&mut self, name: Name) {
        self.0 |= 1 << name as u8;
    }

    /// Whether they are those of an event or an answer.
    fn tell_an_item(self) -> bool {
        const NAMES: [Name; 5] = [Name::Call, Name::CloudTrailEvent, Name::Message, Name::Bucket, Name::Key];
        NAMES.iter().any(|name| self.has(*name))
    }
}

impl FromIterator<Name> for Names {
    fn from_iter<I: IntoIterator<Item = Name>>(names: I) -> Self {
        let mut all = Self::default();
        names.into_iter().for_each(|name| all.add(name));
        all
    }
}

/// The name of a member as it is spelt, cut off where it is longer than any of ours.
#[derive(Clone, Debug)]
struct NameText {
    bytes: [u8; Self::MAX_LEN],
    len: usize,
    has_escapes: bool,
}

impl Default for NameText {
    fn default() -> Self {
        Self { bytes: [0; Self::MAX_LEN], len: 0, has_escapes: false }
    }
}

impl NameText {
    /// The longest of ours, with every letter as an escape of six bytes, fits.
    const MAX_LEN: usize = 128;

    fn clear(&mut self) {
        (self.len, self.has_escapes) = (0, false);
    }

    fn push(&mut self, more: &[u8]) {
        let room = &mut self.bytes[self.len..];
        let taken = more.len().min(room.len());
        room[..taken].copy_from_slice(&more[..taken]);
        self.len += taken;
    }

    fn find(&self) -> Option<Name> {
        let spelt = &self.bytes[..self.len];
        if !self.has_escapes {
            return find_name(spelt);
        }
        let name: String = serde_json::from_slice(&[b"\"", spelt, b"\""].concat()).ok()?;
        find_name(name.as_bytes())
    }
}

fn find_name(name: &[u8]) -> Option<Name> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, name)| *name)
}

/// A byte that does not belong where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misplaced {
    pub(super) at: usize,
    pub(super) expected: &'static str,
    /// Whether there were documents before.
    pub(super) has_begun: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// A document, or the end of the text.
    #[default]
    Document,
    /// More of a mark of the order of bytes; so many of its bytes were read.
    Mark(u8),
    /// A document in a list, or the end of the list.
    FirstElement,
    /// A document in a list.
    NextElement,
    /// A comma, or the end of a list of documents.
    BehindElement,
    /// The name of a member of a document, or its end.
    FirstName,
    /// The name of a member.
    NextName,
    /// More of a name.
    Name,
    /// The byte behind a backslash in a name.
    NameEscape,
    Colon,
    /// The value of a member.
    Value,
    /// More of a number or a word.
    Word,
    /// A comma, or the end of the document.
    BehindMember,
    /// An item, or the end of the list.
    First,
    /// An item.
    Next,
    /// A comma, or the end of the list.
    Separator,
    /// More of what is being read, outside of its strings.
    Inside,
    /// More of a string.
    Text,
    /// The byte behind a backslash.
    Escaped,
}

/// The mark of the order of bytes in UTF-8: tools write it before each text, so before each of those in one file.
const MARK: [u8; 3] = *b"\xef\xbb\xbf";

impl Splitter {
    /// Reads until something begins or ends.
    pub(super) fn advance(&mut self, text: &[u8]) -> Result<Step, Misplaced> {
        let mut at = 0;
        while at < text.len() {
            match self.place {
                Place::Inside => {
                    at = self.read_inside(text, at)?;
                    if let Some(step) = self.end_at_floor(at) {
                        return Ok(step);
                    }
                }
                Place::Text => {
                    at = self.read_text(text, at);
                    if let Some(step) = self.end_at_floor(at) {
                        return Ok(step);
                    }
                }
                Place::Escaped => {
                    self.escaped |= text[at] == b'u';
                    self.place = Place::Text;
                    at += 1;
                }
                Place::Name => at = self.read_name(text, at),
                _ => {
                    let step = self.read_frame(text[at], at).map_err(|expected| self.misplaced(at, expected))?;
                    at += 1;
                    if let Some(step) = step {
                        return Ok(step);
                    }
                }
            }
        }
        Ok(Step::Starved)
    }

    /// At the end of the text: says what is missing.
    pub(super) fn finish(&self) -> Result<(), &'static str> {
        match self.place {
            Place::Document if self.has_begun => Ok(()),
            place => Err(place.expected()),
        }
    }

    /// Whether the next byte may begin a document by itself.
    pub(super) fn is_between_documents(&self) -> bool {
        self.place == Place::Document
    }

    /// A document was read in another way.
    pub(super) fn skip_document(&mut self) {
        self.has_begun = true;
    }

    fn misplaced(&self, at: usize, expected: &'static str) -> Misplaced {
        Misplaced { at, expected, has_begun: self.has_begun }
    }

    /// What ends with the byte before `behind`, if that is where it ends.
    fn end_at_floor(&mut self, behind: usize) -> Option<Step> {
        if self.place != Place::Inside || self.brackets.depth > self.floor {
            return None;
        }
        if self.floor > 0 {
            self.place = Place::BehindMember;
            return None;
        }
        self.place = Place::Separator;
        Some(self.closed(behind, Of::List(self.list)))
    }

    fn closed(&self, behind: usize, of: Of) -> Step {
        Step::Closed { behind, of, deep: self.brackets.deepest > MAX_DEPTH, escaped: self.escaped }
    }

    /// A byte outside of items.
    fn read_frame(&mut self, byte: u8, at: usize) -> Result<Option<Step>, &'static str> {
        self.place = match (self.place, byte) {
            (Place::Mark(read), byte) if MARK.get(usize::from(read)) == Some(&byte) => match read {
                2 => Place::Document,
                read => Place::Mark(read + 1),
            },
            (Place::Mark(_), _) => return Err(self.place.expected()),
            (Place::Word, byte) if is_of_word(byte) => Place::Word,
            (Place::Word, b' ' | b'\t' | b'\n' | b'\r') => Place::BehindMember,
            (Place::NameEscape, byte) => {
                self.name.push(&[byte]);
                Place::Name
            }
            (_, b' ' | b'\t' | b'\n' | b'\r') => self.place,
            (Place::Document, b'\xef') => Place::Mark(1),
            (Place::Document | Place::FirstElement | Place::NextElement, b'{') => {
                (self.is_container, self.names) = (false, Names::default());
                (self.brackets, self.floor, self.escaped) = (Brackets::of_object(), 1, false);
                self.place = Place::FirstName;
                return Ok(Some(Step::Opened(at)));
            }
            (Place::Document | Place::FirstElement | Place::NextElement, b'[') if self.lists < MAX_LISTS => {
                self.lists += 1;
                Place::FirstElement
            }
            (Place::BehindElement, b',') => Place::NextElement,
            (Place::FirstElement | Place::BehindElement, b']') => {
                self.lists -= 1;
                self.has_begun = true;
                self.behind_document()
            }
            (Place::FirstName | Place::NextName, b'"') => {
                self.name.clear();
                Place::Name
            }
            (Place::Colon, b':') => Place::Value,
            (Place::Value, byte) => return self.read_value(byte, at),
            (Place::BehindMember | Place::Word, b',') => Place::NextName,
            (Place::FirstName | Place::BehindMember | Place::Word, b'}') => {
                self.has_begun = true;
                self.place = self.behind_document();
                // A container that is something else as well is told, although its text is gone.
                let is_item = !self.is_container || self.names.tell_an_item();
                return Ok(is_item.then(|| self.closed(at + 1, Of::Document(self.names))));
            }
            (Place::First | Place::Next, b'{') => {
                (self.brackets, self.floor, self.escaped) = (Brackets::of_object(), 0, false);
                self.place = Place::Inside;
                return Ok(Some(Step::Opened(at)));
            }
            (Place::Separator, b',') => Place::Next,
            (Place::First | Place::Separator, b']') => {
                (self.brackets, self.floor) = (Brackets::of_object(), 1);
                Place::BehindMember
            }
            _ => return Err(self.place.expected()),
        };
        Ok(None)
    }

    /// The first byte of the value of a member.
    fn read_value(&mut self, byte: u8, at: usize) -> Result<Option<Step>, &'static str> {
        let name = self.name.find();
        name.into_iter().for_each(|name| self.names.add(name));
        self.place = match byte {
            b'[' => match name.and_then(List::named) {
                Some(list) => {
                    (self.list, self.is_container, self.has_begun) = (list, true, true);
                    self.place = Place::First;
                    return Ok(Some(Step::Listed { behind: at + 1, list }));
                }
                None => {
                    self.brackets.open(byte);
                    Place::Inside
                }
            },
            b'{' => {
                self.brackets.open(byte);
                Place::Inside
            }
            b'"' => Place::Text,
            byte if is_of_word(byte) => Place::Word,
            _ => return Err(Place::Value.expected()),
        };
        Ok(None)
    }

    fn behind_document(&self) -> Place {
        if self.lists > 0 { Place::BehindElement } else { Place::Document }
    }

    /// Returns where the name ends, or the end of the text.
    fn read_name(&mut self, text: &[u8], at: usize) -> usize {
        let rest = &text[at..];
        let Some(found) = memchr2(b'"', b'\\', rest) else {
            self.name.push(rest);
            return text.len();
        };
        self.name.push(&rest[..found]);
        self.place = match rest[found] {
            b'"' => Place::Colon,
            _ => {
                self.name.push(b"\\");
                (self.name.has_escapes, self.escaped) = (true, true);
                Place::NameEscape
            }
        };
        at + found + 1
    }

    /// Returns where what is being read ends, or the end of the text.
    fn read_inside(&mut self, text: &[u8], mut at: usize) -> Result<usize, Misplaced> {
        while let Some(&byte) = text.get(at) {
            at += 1;
            match byte {
                b'"' => {
                    at = self.read_text(text, at);
                    if self.place != Place::Inside {
                        return Ok(at);
                    }
                }
                b'{' | b'[' => self.brackets.open(byte),
                b'}' | b']' => {
                    self.brackets.close(byte).map_err(|expected| self.misplaced(at - 1, expected))?;
                    if self.brackets.depth == self.floor {
                        return Ok(at);
                    }
                }
                _ => {}
            }
        }
        Ok(at)
    }

    /// Returns where the string ends, or the end of the text.
    #[inline]
    fn read_text(&mut self, text: &[u8], mut at: usize) -> usize {
        while let Some(found) = text.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
            at += found + 1;
            if text[at - 1] == b'"' {
                self.place = Place::Inside;
                return at;
            }
            // Whatever is escaped ends nothing.
            self.escaped |= text.get(at) == Some(&b'u');
            at += 1;
        }
        self.place = if at > text.len() { Place::Escaped } else { Place::Text };
        text.len()
    }
}

/// A byte of a number, or of `true`, `false` and `null`.
fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
}

impl Place {
    fn expected(self) -> &'static str {
        match self {
            Self::Document => "the { or [ of a document",
            Self::Mark(_) => "the mark of UTF-8",
            Self::FirstElement => "a document or ]",
            Self::NextElement => "a document",
            Self::BehindElement => "a , or ] behind a document",
            Self::FirstName => "the name of a member or }",
            Self::NextName => "the name of a member",
            Self::Name | Self::NameEscape => "the end of a name",
            Self::Colon => "the : behind a name",
            Self::Value => "the value of a member",
            Self::Word | Self::BehindMember => "a , or } behind a member",
            Self::First => "a record or ]",
            Self::Next => "a record",
            Self::Separator => "a , or ] behind a record",
            Self::Inside => "the end of a record",
            Self::Text | Self::Escaped => "the end of a string",
        }
    }
}

/// The brackets that are open in an item.
#[derive(Clone, Copy, Debug, Default)]
struct Brackets {
    depth: u64,
    deepest: u64,
    /// Which of the outermost are braces, the first in the lowest bit.
    braces: u64,
}

impl Brackets {
    fn of_object() -> Self {
        Self { depth: 1, deepest: 1, braces: 1 }
    }

    fn open(&mut self, bracket: u8) {
        if self.depth < MAX_DEPTH {
            let bit = 1 << self.depth;
            self.braces = if bracket == b'{' { self.braces | bit } else { self.braces & !bit };
        }
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
    }

    /// Says which bracket should close instead. Those too deep to be read are not told apart.
    fn close(&mut self, bracket: u8) -> Result<(), &'static str> {
        self.depth -= 1;
        if self.depth >= MAX_DEPTH {
            return Ok(());
        }
        match (self.braces >> self.depth & 1 == 1, bracket) {
            (true, b'}') | (false, b']') => Ok(()),
            (true, _) => Err("a }"),
            (false, _) => Err("a ]"),
        }
    }
}
