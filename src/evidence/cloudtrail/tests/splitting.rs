//! Records in their text: cut, long, deep and damaged ones.

use super::*;

/// Gives so many bytes at a time.
struct Pieces<'a> {
    text: &'a [u8],
    len: usize,
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
    vec![put(), other.to_owned(), data_key(), "{}".to_owned(), put().replace("a/b.gz", r#"\\\"{\u00e9\\"#)]
}

#[test]
fn logs_are_recognised() {
    for head in [r#"{"Records":[{"eventVersion""#, r#"{"Records":[]}"#, "\n { \"Records\" :\t[ ", r#"{"Records":[5"#] {
        assert_eq!(is_log(head.as_bytes()), !head.ends_with('5'), "{head}");
    }
    for head in [
        "",
        "{",
        r#"{"Records":"#,
        r#"{"Records":{"#,
        r#"{"records":["#,
        r#"{"Record":["#,
        r#"["#,
        r#"{"awsAccountId":"1","Records":["#,
    ] {
        assert!(!is_log(head.as_bytes()), "{head}");
    }
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
    let record = r#"{"eventName":"AssumeRole","a":[{}]}"#;
    for (text, at, what) in [
        (format!("x{}", log(&[])), 0, "no CloudTrail log"),
        ("\u{feff}{}".to_owned(), 0, "no CloudTrail log"),
        (r#"{"Recordx":[]}"#.to_owned(), 8, "no CloudTrail log"),
        (r#"{"Records" []}"#.to_owned(), 11, "no CloudTrail log"),
        (r#"{"Records":{}}"#.to_owned(), 11, "no CloudTrail log"),
        (format!(r#"{{"Records":[5,{record}]}}"#), 12, "damaged"),
        (format!(r#"{{"Records":[,{record}]}}"#), 12, "damaged"),
        (format!(r#"{{"Records":[{record},]}}"#), 48, "damaged"),
        (format!(r#"{{"Records":[{record},null]}}"#), 48, "damaged"),
        (format!(r#"{{"Records":[{record}{record}]}}"#), 47, "damaged"),
        (format!(r#"{{"Records":[{record}]]"#), 48, "damaged"),
        (format!(r#"{{"Records":[{record}],"More":1}}"#), 48, "damaged"),
        (format!(r#"{{"Records":[{record}]}}{{"Records":[]}}"#), 49, "damaged"),
        (format!(r#"{{"Records":[{record}]}}{}"#, '\0'), 49, "damaged"),
        (format!(r#"{{"Records":[{}]}}"#, record.replace("{}]", "{]]")), 44, "damaged"),
        (format!(r#"{{"Records":[{}]}}"#, record.replace("{}]", "{}}")), 45, "damaged"),
    ] {
        for len in [1, text.len()] {
            let error = read(Pieces { text: text.as_bytes(), len }).expect_err("damaged").to_string();
            assert!(error.contains(what) && error.contains(&format!("byte {at} ")), "{text}: {error}");
        }
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
    let most = split::MAX_DEPTH as usize;
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
