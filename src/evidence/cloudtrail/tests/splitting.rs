//! Records in their text: cut, long, deep and damaged ones.

use super::*;
use crate::evidence::documents::MAX_DEPTH;

/// Gives so many bytes at a time.
pub(super) struct Pieces<'a> {
    pub(super) text: &'a [u8],
    pub(super) len: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = self.len.min(into.len());
        self.text.read(&mut into[..len])
    }
}

/// Records that matter and others, with strings that look like structure.
fn mixed() -> Vec<String> {
    let other =
        r#"{"eventName":"AssumeRole","requestParameters":{"policy":"{\"a\":[\"]}\\\\\"]}","list":[{},[],1.5e3,null]}}"#;
    vec![
        put(),
        other.to_owned(),
        data_key(),
        r#"{"eventName":"x"}"#.to_owned(),
        put().replace("a/b.gz", r#"\\\"{\u00e9\\"#),
    ]
}

#[test]
fn pieces_of_every_size_give_the_same() {
    let text = log(&mixed());
    let whole = read(text.as_bytes()).expect("a log");
    assert_eq!((whole.0.len(), whole.1.records), (3, 5));
    for len in 1..=text.len() {
        assert_eq!(read(Pieces { text: text.as_bytes(), len }).expect("a log"), whole, "{len}");
    }
}

#[test]
fn cut_off_logs_are_errors() {
    let text = log(&mixed());
    for len in 0..text.len() {
        for piece in [1, 7, text.len()] {
            let error = read(Pieces { text: &text.as_bytes()[..len], len: piece }).expect_err("cut off");
            assert!(matches!(error, ScanError::CutOff { at, .. } if at == len as u64), "{len}: {error}");
        }
    }
    assert!(read(format!("{text}\n \r\n\t").as_bytes()).is_ok());
}

#[test]
fn damage_around_records_is_found_where_it_is() {
    let record = r#"{"eventName":"AssumeRole","eventSource":"sts","a":[{}]}"#;
    let end = 12 + record.len();
    for (text, at, what) in [
        (format!("x{}", log(&[])), 0, "no JSON"),
        ("\u{feff}x".to_owned(), 3, "no JSON"),
        ("\u{feff}".replace('\u{feff}', "\u{f000}"), 1, "no JSON"),
        (r#"{"Records" []}"#.to_owned(), 11, "no JSON"),
        (r#"{"Records":}"#.to_owned(), 11, "no JSON"),
        (r#"{,"Records":[]}"#.to_owned(), 1, "no JSON"),
        (r#"["x"]"#.to_owned(), 1, "no JSON"),
        (format!("[{record}"), 0, "cut off"),
        (format!("[{record},]"), record.len() + 2, "damaged"),
        (format!("[{record}}}"), record.len() + 1, "damaged"),
        (format!("{record},"), record.len(), "damaged"),
        (format!(r#"{{"Records":[5,{record}]}}"#), 12, "damaged"),
        (format!(r#"{{"Records":[,{record}]}}"#), 12, "damaged"),
        (format!(r#"{{"Records":[{record},]}}"#), end + 1, "damaged"),
        (format!(r#"{{"Records":[{record},null]}}"#), end + 1, "damaged"),
        (format!(r#"{{"Records":[{record}{record}]}}"#), end, "damaged"),
        (format!(r#"{{"Records":[{record}]]"#), end + 1, "damaged"),
        (format!(r#"{{"Records":[{record}]"More":1}}"#), end + 1, "damaged"),
        (format!(r#"{{"Records":[{record}],1}}"#), end + 2, "damaged"),
        (format!(r#"{{"Records":[{record}],"a":tr}}}}"#), end + 9, "damaged"),
        (format!(r#"{{"Records":[{record}]}}{}"#, '\0'), end + 2, "damaged"),
        (format!(r#"{{"Records":[{}]}}"#, record.replace("{}]", "{]]")), end - 3, "damaged"),
        (format!(r#"{{"Records":[{}]}}"#, record.replace("{}]", "{}}")), end - 2, "damaged"),
    ] {
        for len in [1, text.len()] {
            let error = read(Pieces { text: text.as_bytes(), len }).expect_err("damaged").to_string();
            let is_there = what == "cut off" || error.contains(&format!("byte {at} "));
            assert!(error.contains(what) && is_there, "{text}: {error}");
        }
    }
}

/// What every shape holds.
fn events() -> Vec<String> {
    vec![put(), r#"{"eventName":"AssumeRole","eventSource":"sts.amazonaws.com"}"#.to_owned(), data_key()]
}

/// The same events in the shapes that people keep them in.
fn shapes() -> Vec<String> {
    let (events, text) = (events(), |event: &String| serde_json::to_string(event).expect("a text"));
    let listed = events.join(",");
    let (one, rest) = (log(&events[..1]), log(&events[1..]));
    let lookup: Vec<String> = events
        .iter()
        .map(|event| {
            format!(r#"{{"EventId":"1","EventName":"PutObject","Resources":[],"CloudTrailEvent":{}}}"#, text(event))
        })
        .collect();
    let messages: Vec<String> =
        events.iter().map(|event| format!(r#"{{"id":"3","timestamp":1,"message":{}}}"#, text(event))).collect();
    let control =
        r#"{"messageType":"CONTROL_MESSAGE","logEvents":[{"id":"","message":"CWL CONTROL MESSAGE: Checking"}]}"#;
    let data = |some: &[String]| {
        format!(
            r#"{{"messageType":"DATA_MESSAGE","owner":"1","subscriptionFilters":["x"],"logEvents":[{}]}}"#,
            some.join(",")
        )
    };
    let pretty = |text: &str| {
        let value: serde_json::Value = serde_json::from_str(text).expect("JSON");
        serde_json::to_string_pretty(&value).expect("JSON")
    };
    vec![
        log(&events),
        format!("{one}{rest}"),
        format!("{one}\n{rest}\n"),
        format!("\u{feff}{one}\r\n\u{feff}{rest}"),
        format!("[{one},{rest}]"),
        pretty(&log(&events)),
        format!("{}\n{}", pretty(&one), pretty(&rest)),
        format!(
            r#"{{"a":{{"Records":[1]}},"b":[{{"c":"]}}"}}],"d":-1.5e3,"e":null,"Records":[{listed}],"NextToken":"x"}}"#
        ),
        format!(r#"{{"Records":[{}],"Records":[{}]}}"#, events[0], events[1..].join(",")),
        format!(r#"{{"R\u0065cords":[{listed}]}}"#),
        events.join("\n"),
        format!("{}\n", events.join("\r\n")),
        events.concat(),
        format!("[{listed}]"),
        format!(" [ [{}] , [{}] ] ", events[0], events[1..].join(" , ")),
        events.iter().map(|event| pretty(event)).collect(),
        format!(r#"{{"Events":[{}],"NextToken":null}}"#, lookup.join(",")),
        pretty(&format!(r#"{{"Events":[{}]}}"#, lookup.join(","))),
        lookup.join("\n"),
        data(&messages),
        format!("{}{control}{}\n", data(&messages[..1]), data(&messages[1..])),
        format!(r#"{{"events":[{}],"searchedLogStreams":[]}}"#, messages.join(",")),
        messages.join("\n"),
        format!("{one}\n{}\n{}", events[1], data(&messages[2..])),
    ]
}

#[test]
fn events_are_the_same_in_every_shape() {
    for text in shapes() {
        for len in [1, 3, 100, text.len()] {
            let (lines, scanned) = read(Pieces { text: text.as_bytes(), len }).expect(&text);
            assert_eq!(lines, [put_line(), data_key_line()], "{text}");
            assert_eq!((scanned.records, scanned.unreadable), (3, 0), "{text}");
        }
    }
}

#[test]
fn what_is_cut_off_or_holds_something_else_is_told_in_every_shape() {
    for text in shapes() {
        let mut whole = 0;
        for len in 0..text.len() {
            match read(&text.as_bytes()[..len]) {
                // Documents one behind the other have ends of their own.
                Ok((lines, scanned)) => {
                    assert!(scanned.unreadable == 0 && (lines.len(), scanned.records) <= (2, 3), "{len}: {text}");
                    whole += 1;
                }
                Err(error) => assert!(matches!(error, ScanError::CutOff { .. }), "{len}: {error}: {text}"),
            }
        }
        assert!(whole < 10, "{text}");
    }
    for (text, unreadable) in [
        (r#"{"a":1}"#.to_owned(), 1),
        ("{}".to_owned(), 1),
        (r#"{"Bucket":"b","Key":"k"}"#.to_owned(), 1),
        (r#"{"Records":{"a":1}}"#.to_owned(), 1),
        (r#"{"Records":[{}]}"#.to_owned(), 1),
        (log(&[put(), r#"{"a":1}"#.to_owned()]), 1),
        (r#"{"Events":[{"CloudTrailEvent":5}]}"#.to_owned(), 1),
        (r#"{"Events":[{"CloudTrailEvent":"x"}]}"#.to_owned(), 1),
        (r#"{"Events":[{"CloudTrailEvent":"{\"eventName\""}]}"#.to_owned(), 1),
        (r#"{"Events":[{"EventName":"x"}]}"#.to_owned(), 1),
        (r#"{"logEvents":[{"message":"2026 INFO up"}]}"#.to_owned(), 1),
        (r#"{"Records":[{"eventSource":"aws:s3","eventName":"ObjectCreated:Put","s3":{}}]}"#.to_owned(), 1),
    ] {
        let (lines, scanned) = read(text.as_bytes()).expect(&text);
        assert_eq!(scanned.unreadable, unreadable, "{text}");
        assert!(lines.len() <= 1, "{text}");
    }
}

#[test]
fn no_damage_of_one_byte_does_harm() {
    let text = log(&[put(), data_key()]);
    let (mut scratch, mut damaged) = (Scratch::default(), 0);
    let (lines, scanned) = read(text.as_bytes()).expect("a log");
    for at in 0..text.len() {
        for byte in *b"\"\\{}[]:,u0 \0\xff" {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte;
            let found = read_with(&mut scratch, &bytes[..]).map_err(|error| error.to_string());
            let pieces = Pieces { text: &bytes, len: 13 };
            let in_pieces = read_with(&mut scratch, pieces).map_err(|error| error.to_string());
            assert_eq!(found, in_pieces, "{at} {byte}");
            match found {
                Ok(found) => assert!(found.0.len() <= lines.len() && found.1.records <= scanned.records, "{at} {byte}"),
                Err(_) => damaged += 1,
            }
        }
    }
    assert!(damaged > 1000, "{damaged}");
}

/// What is damaged around the name of the call must not make a record one that is about something else.
#[test]
fn no_damage_around_a_name_hides_a_record() {
    let (text, event) = (log(&[other(), put()]), put());
    let name = text.rfind(r#""eventName":"PutObject","#).expect("a name");
    for at in name..name + r#""eventName":"PutObject""#.len() {
        let is_structure = !text.as_bytes()[at].is_ascii_alphanumeric();
        for byte in *b"\"\\{}[]:, x" {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = byte;
            let Ok((lines, scanned)) = read(&bytes[..]) else { continue };
            let is_told = scanned.unreadable > 0 || lines == [put_line()];
            // Another letter makes another name, which may be that of another call.
            assert!(is_told || !is_structure && byte == b'x' || at > name + 12, "{at} {} {event}", byte as char);
        }
    }
}

/// A record that says nothing of keys.
fn other() -> String {
    r#"{"eventName":"AssumeRole","eventSource":"sts.amazonaws.com"}"#.to_owned()
}

#[test]
fn long_records_are_skipped_and_counted() {
    let long = |len: usize| {
        let record = put().replacen('{', r#"{"filler":"","#, 1);
        record.replacen(r#""filler":"""#, &format!(r#""filler":"{}""#, "x".repeat(len - record.len())), 1)
    };
    assert_eq!(long(5000).len(), 5000);
    let text =
        log(&[long(MAX_RECORD), long(MAX_RECORD + 1), put(), long(MAX_RECORD), long(3 * MAX_RECORD), data_key()]);
    for len in [997, 4096, 100_003, text.len()] {
        let (lines, scanned) = read(Pieces { text: text.as_bytes(), len }).expect("a log");
        assert_eq!(lines, [put_line(), put_line(), put_line(), data_key_line()], "{len}");
        assert_eq!((scanned.records, scanned.unreadable), (6, 2), "{len}");
    }
}

#[test]
fn endless_strings_and_nesting_take_no_memory() {
    let repeat = |byte: u8| io::repeat(byte).take(50 << 20);
    let (begin, end) = (br#"{"Records":[{"eventName":"PutObject","a":"#, format!("}},{}]}}", put()));
    let string = begin.chain(&b"\""[..]).chain(repeat(b'x')).chain(&b"\""[..]).chain(end.as_bytes());
    let escapes = begin.chain(&b"\""[..]).chain(repeat(b'\\')).chain(&b"\""[..]).chain(end.as_bytes());
    let brackets = begin.chain(repeat(b'[')).chain(repeat(b']')).chain(end.as_bytes());
    let inputs: [Box<dyn Read>; 3] = [Box::new(string), Box::new(escapes), Box::new(brackets)];
    for input in inputs {
        let (lines, scanned) = read(input).expect("a log");
        assert_eq!((lines, scanned.records, scanned.unreadable), (vec![put_line()], 2, 1));
    }
    assert!(matches!(read(begin.chain(repeat(b'{'))), Err(ScanError::CutOff { .. })));
    assert!(matches!(read(io::repeat(b' ').take(50 << 20)), Err(ScanError::CutOff { at: 52_428_800, .. })));
}

#[test]
fn deep_records_are_skipped_and_counted() {
    let deep = |depth: usize| {
        let value = format!("{}{}", "[".repeat(depth - 1), "]".repeat(depth - 1));
        put().replacen('{', &format!(r#"{{"deep":{value},"#), 1)
    };
    let most = MAX_DEPTH as usize;
    for (depth, read) in [(2, 1), (most - 1, 1), (most, 1), (most + 1, 0), (most + 2, 0), (200, 0), (100_000, 0)] {
        let (lines, scanned) = read_all(&[deep(depth), data_key()]);
        assert_eq!((lines.len(), scanned.unreadable), (read + 1, 1 - read as u64), "{depth}");
    }
    // Where a bracket is misplaced is told down to what is read; deeper ones belong to a record that is not.
    for (depth, told) in [(2, true), (most, true), (most + 1, false), (200, false)] {
        let value = format!("{}}}{}", "[".repeat(depth - 1), "]".repeat(depth - 2));
        let found = read(log(&[format!(r#"{{"a":{value}}}"#)]).as_bytes());
        match found {
            Err(ScanError::Damaged { at, expected: "a ]" }) => assert!(told && at == 16 + depth as u64, "{depth} {at}"),
            found => assert!(!told && found.expect("a log").1.unreadable == 1, "{depth}"),
        }
    }
}

#[test]
fn readers_may_fail_and_be_interrupted() {
    struct Failing(u32);
    impl Read for Failing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Err(io::ErrorKind::Interrupted.into()),
                2 => {
                    into[0] = b'{';
                    Ok(1)
                }
                _ => Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }
    assert!(matches!(read(Failing(0)), Err(ScanError::Read { at: 1, .. })));
}

#[test]
fn one_scratch_serves_many_files() {
    let (mut scratch, mut lines) = (Scratch::default(), Vec::new());
    let text = log(&[put()]);
    for input in [&text[..], &text[..text.len() / 2], "", &text[..], "{\"Records\":[{\"a\":\"", &text[..]] {
        let _ = scan(&mut input.as_bytes(), &mut scratch, &mut |event| lines.push(line(event)));
    }
    assert_eq!(lines, vec![put_line(); 3]);
}
