//! The script beside a list of objects that no job can copy: it copies them with public commands of `aws s3api`.
//!
//! Its text is that of `script.sh`; what is made here are the values of its settings, and a line for each object. Names
//! travel as JSON strings, of which all but bytes that are not UTF-8 is plain ASCII, so the text means the same in every
//! locale; and as words in quotes, so the shell sees nothing in them.

use std::io::{self, BufRead, Write};

use super::job::{JobFacts, bucket_name};
use super::template::{Parts, fill};
use crate::batch::Flag;
use crate::readers::Split;
use crate::remediation::{Group, Lane, Target, TargetMethod};
use crate::sinks::{GroupFile, ListRow};

/// The script for one list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Script {
    /// Where it is in the folder of all remediation.
    pub(crate) path: String,
    settings: String,
}

impl Script {
    /// The script for a list. There is none for lists that need none, and none for what cannot be the name of a bucket.
    pub(crate) fn new(file: &GroupFile, facts: &JobFacts<'_>) -> Option<Self> {
        let group =
            Some(&file.group).filter(|group| group.kind.lane == Lane::MultipartCopy && bucket_name(group).is_some())?;
        let path = format!("{}.sh", file.path.strip_suffix(".csv")?);
        Some(Self { path, settings: settings(group, group.kind.target?, facts) })
    }

    /// Writes it. The list is opened twice, since noncurrent versions come first.
    ///
    /// # Errors
    ///
    /// A row that we have not written is [`io::ErrorKind::InvalidData`].
    pub(crate) fn write<R: BufRead>(
        &self,
        open_list: impl Fn() -> io::Result<R>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        out.write_all(self.settings.as_bytes())?;
        out.write_all(FUNCTIONS.as_bytes())?;
        for are_noncurrent in [true, false] {
            write_objects(open_list()?, are_noncurrent, out)?;
        }
        out.write_all(END.as_bytes())
    }
}

const SCRIPT: Parts = Parts::of_shell(include_str!("script.sh"));
const FUNCTIONS: &str = SCRIPT.get("functions", &[]);
const END: &str = SCRIPT.get("end", &[]);

/// What the functions take from variables.
fn settings(group: &Group, target: Target, facts: &JobFacts<'_>) -> String {
    let mut bucket = Vec::new();
    push_json_string(&mut bucket, group.bucket.as_bytes());
    let account = facts.settings.account_id.map_or_else(String::new, |account| account.to_string());
    let (method, key_arn) = match target.method {
        TargetMethod::SseKms => ("aws:kms", facts.key.as_str()),
        TargetMethod::DsseKms => ("aws:kms:dsse", facts.key.as_str()),
        TargetMethod::SseS3 => ("AES256", ""),
    };
    fill!(
        SCRIPT,
        "settings",
        bucket = word(&bucket),
        account = word(account.as_bytes()),
        method = word(method.as_bytes()),
        key_arn = word(key_arn.as_bytes()),
        bucket_key = word(target.bucket_key.to_string().as_bytes()),
    )
}

/// Bytes as one word of bash: printable ASCII.
fn word(bytes: &[u8]) -> String {
    let mut word = Vec::new();
    push_word(&mut word, bytes);
    word.into_iter().map(char::from).collect()
}

/// Writes the lines of the objects that are noncurrent versions, or of all others.
fn write_objects(mut list: impl BufRead, are_noncurrent: bool, out: &mut dyn Write) -> io::Result<()> {
    let (mut line, mut text, mut split) = (Vec::new(), Vec::new(), Split::default());
    // The header.
    list.read_until(b'\n', &mut line)?;
    loop {
        line.clear();
        if list.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let row = line.strip_suffix(b"\n").and_then(|row| ListRow::parse(row, &mut split));
        let row = row.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a row of the list cannot be read"))?;
        if (row.is_latest == Flag::False) == are_noncurrent {
            text.clear();
            push_object(&mut text, &row);
            out.write_all(&text)?;
        }
    }
}

fn push_object(text: &mut Vec<u8>, row: &ListRow) {
    let is_noncurrent = row.is_latest == Flag::False;
    text.extend_from_slice(if is_noncurrent { b"noncurrent " } else { b"current " });
    push_json_word(text, &row.key);
    text.push(b' ');
    match (&row.version_id[..], row.is_latest) {
        // The report tells no versions apart: it is about whatever is current.
        (b"", Flag::Blank | Flag::Bad) => push_word(text, b""),
        (b"", _) => push_json_word(text, b"null"),
        (version, _) => push_json_word(text, version),
    }
    text.push(b'\n');
}

fn push_json_word(text: &mut Vec<u8>, bytes: &[u8]) {
    let mut json = Vec::with_capacity(bytes.len() + 2);
    push_json_string(&mut json, bytes);
    push_word(text, &json);
}

/// Appends a JSON string of printable ASCII without `'`. Bytes that are not UTF-8 have no place in JSON and stay as they
/// are: S3 has no such names, and the command line refuses them.
fn push_json_string(json: &mut Vec<u8>, bytes: &[u8]) {
    json.push(b'"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '"' | '\\' => json.extend_from_slice(&[b'\\', c as u8]),
                ' '..='~' if c != '\'' => json.push(c as u8),
                c => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        json.extend_from_slice(format!("\\u{unit:04x}").as_bytes());
                    }
                }
            }
        }
        json.extend_from_slice(chunk.invalid());
    }
    json.push(b'"');
}

/// Appends bytes as one word of bash, whatever they are; only NUL has no place in words.
fn push_word(text: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\'') {
        text.push(b'\'');
        text.extend_from_slice(bytes);
        text.push(b'\'');
        return;
    }
    text.extend_from_slice(b"$'");
    for &byte in bytes {
        match byte {
            b'\'' | b'\\' => text.extend_from_slice(&[b'\\', byte]),
            b' '..=b'~' => text.push(byte),
            byte => text.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
        }
    }
    text.push(b'\'');
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::campaign::{JobSettings, samples};
    use crate::policy::{Ruling, Verdict};
    use crate::remediation::{Holds, Retention, Why};
    use crate::sinks::Finding;
    use crate::sinks::{LIST_HEADER, push_list_row};
    use crate::timestamp::Timestamp;

    /// What bash takes these words for.
    fn words_in_bash(words: &[u8]) -> Vec<u8> {
        let script = [&b"printf '%s\\0' "[..], words].concat();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), script).unwrap();
        let output = Command::new("bash").arg(file.path()).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success());
        output.stdout
    }

    #[test]
    fn every_word_comes_back_from_bash() {
        let (mut words, mut expected) = (Vec::new(), Vec::new());
        let pairs = (0..=u16::MAX).map(|pair| pair.to_be_bytes().to_vec()).filter(|pair| !pair.contains(&0));
        let odd: [&[u8]; 9] =
            [b"", b"-rf", b"~", b"!!", b"$(touch pwned)", b"'; id; '", b"`id`", b"\\", b"\xe2\x80\xae\n#"];
        for bytes in pairs.chain(odd.map(<[u8]>::to_vec)) {
            push_word(&mut words, &bytes);
            words.push(b' ');
            expected.extend_from_slice(&bytes);
            expected.push(0);
        }
        assert!(words.iter().all(|byte| matches!(byte, b' '..=b'~')), "the text is the same in every locale");
        assert!(words_in_bash(&words) == expected);
    }

    #[test]
    fn names_are_json_strings_for_bash_and_for_json() {
        let chars = (0..=0x10_ffff).step_by(7).chain(0..0x300).filter_map(char::from_u32);
        let text: String = chars.collect();
        let mut json = Vec::new();
        push_json_string(&mut json, text.as_bytes());
        assert!(json.iter().all(|byte| matches!(byte, b' '..=b'~') && *byte != b'\''));
        assert_eq!(serde_json::from_slice::<String>(&json).unwrap(), text);

        let mut word = Vec::new();
        push_json_word(&mut word, b"a'\"\xff\xc3\xa9");
        assert_eq!(word, br#"$'"a\\u0027\\"\xff\\u00e9"'"#);
        assert_eq!(words_in_bash(&word), b"\"a\\u0027\\\"\xff\\u00e9\"\0");
    }

    fn finding<'a>(key: &'a [u8], version_id: &'a [u8], is_latest: Flag) -> Finding<'a> {
        Finding {
            bucket: b"org-audit",
            key,
            version_id,
            is_latest,
            size: Some(6 << 30),
            last_modified: None,
            storage_class: b"STANDARD",
            encryption_status: b"NOT-SSE",
            bucket_key_status: b"",
            kms_key_arn: "",
            ruling: Ruling { verdict: Verdict::Violation, reason: None, rule: None, exception: None },
            lane: Some(Lane::MultipartCopy),
        }
    }

    #[test]
    fn rows_are_read_back_as_they_were() {
        let mut split = Split::default();
        let names = (0..=u16::MAX).map(|pair| pair.to_be_bytes().to_vec());
        let odd = [&b""[..], b"'", b"''", b"=1,\"2\"", b"-rf", b"@\xff", b"\\x41", b"a,b\r\n"];
        for name in names.chain(odd.map(<[u8]>::to_vec)) {
            for is_latest in [Flag::True, Flag::False, Flag::Blank] {
                let mut row = Vec::new();
                let why = Why::Locked(Holds { retention: Some(Retention::Unknown), ..Holds::default() });
                push_list_row(&mut row, &finding(&name, &name, is_latest), why, Some(Timestamp::MAX));
                let row = row.strip_suffix(b"\n").unwrap();
                let expected = ListRow { key: name.clone(), version_id: name.clone(), is_latest };
                assert_eq!(ListRow::parse(row, &mut split), Some(expected));
            }
        }
        for bad in
            [&b""[..], b"b,k,v,true,1,,,,", b"b,k,v,maybe,1,,,,,", b"b,\\k,v,true,1,,,,,", b"b,\"k,v,true,1,,,,,"]
        {
            assert_eq!(ListRow::parse(bad, &mut split), None);
        }
    }

    #[test]
    fn noncurrent_versions_come_first_and_unknown_ones_count_as_current() {
        let mut list = LIST_HEADER.as_bytes().to_vec();
        let rows: [(&[u8], &[u8], Flag); 6] = [
            (b"a", b"v1", Flag::True),
            (b"a", b"v0", Flag::False),
            (b"b", b"", Flag::True),
            (b"b", b"", Flag::False),
            (b"c", b"", Flag::Blank),
            (b"it's", b"v2", Flag::Blank),
        ];
        for (key, version, is_latest) in rows {
            push_list_row(&mut list, &finding(key, version, is_latest), Why::Large, None);
        }
        let group = samples::group(Lane::MultipartCopy, None, TargetMethod::SseKms);
        let (key, settings) = (samples::key(), samples::settings());
        let facts = JobFacts { key: &key, report_time: Timestamp::MAX, settings: &settings };
        let script = Script::new(&samples::file(&group), &facts).unwrap();
        assert_eq!(script.path, "multipart-copy/org-audit/sse-kms-bucket-key-0001.sh");
        let mut text = Vec::new();
        script.write(|| Ok(&list[..]), &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let begin = "#!/usr/bin/env bash\n# Written by logseal for the list beside it.\n\nbucket='\"org-audit\"'\n\
            account='111122223333'\nmethod='aws:kms'\nkey_arn='arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/\
            1234abcd-12ab-34cd-56ef-1234567890ab'\nbucket_key='true'\n\n";
        assert!(text.starts_with(begin), "{text}");
        let end = r#"
cover_all

noncurrent '"a"' '"v0"'
noncurrent '"b"' '"null"'
current '"a"' '"v1"'
current '"b"' '"null"'
current '"c"' ''
current '"it\u0027s"' '"v2"'

finish
"#;
        assert!(text.ends_with(end), "{text}");
        let torn = script.write(|| Ok(&list[..list.len() - 1]), &mut io::sink());
        assert_eq!(torn.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn only_what_is_copied_in_parts_has_a_script() {
        let (key, settings) = (samples::key(), JobSettings::default());
        let facts = JobFacts { key: &key, report_time: Timestamp::MAX, settings: &settings };
        for lane in Lane::ALL {
            let group = samples::group(lane, None, TargetMethod::SseKms);
            assert_eq!(Script::new(&samples::file(&group), &facts).is_some(), lane == Lane::MultipartCopy);
            let odd = Group { bucket: "$(id)".to_owned(), ..group.clone() };
            assert_eq!(Script::new(&samples::file(&odd), &facts), None);
            let aimless = crate::remediation::GroupKind { target: None, ..group.kind }.of_bucket(&group.bucket);
            assert_eq!(Script::new(&samples::file(&aimless), &facts), None);
        }
    }
}
