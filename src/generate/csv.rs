//! Blocks to a CSV data file as S3 Inventory writes it: gzip, no header, every field quoted, LF, keys form-encoded, times
//! with milliseconds and a `Z`.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::file::DataFile;
use super::place::{BUCKET, DAY, timestamp};
use super::rows::{Block, Object, Row};

pub(super) const SCHEMA: &str = "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, \
     LastModifiedDate, ETag, StorageClass, IsMultipartUploaded, ReplicationStatus, \
     EncryptionStatus, ObjectLockRetainUntilDate, ObjectLockMode, ObjectLockLegalHoldStatus, \
     IntelligentTieringAccessTier, BucketKeyStatus, ChecksumAlgorithm";

pub(super) struct CsvFile {
    gzip: GzEncoder<File>,
    lines: Lines,
}

impl CsvFile {
    pub(super) fn new(file: File, gzip_level: u32) -> Self {
        Self { gzip: GzEncoder::new(file, Compression::new(gzip_level)), lines: Lines::default() }
    }
}

impl DataFile for CsvFile {
    fn write(&mut self, block: &Block) -> io::Result<()> {
        self.lines.text.clear();
        block.rows.iter().for_each(|row| self.lines.push_line(block, row));
        self.gzip.write_all(self.lines.text.as_bytes())
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.gzip.finish().map(drop)
    }
}

#[derive(Default)]
struct Lines {
    text: String,
    /// The last day that was written, and its date up to the `T`: neighbouring rows share it.
    day: Option<u32>,
    date: String,
}

impl Lines {
    fn push_line(&mut self, block: &Block, row: &Row) {
        self.text.extend(["\"", BUCKET, "\",\""]);
        push_form_encoded(&mut self.text, block.text(&row.key));
        self.text.push('"');
        self.push_text(block.text(&row.version_id));
        self.push_boolean(row.is_latest);
        self.push_boolean(row.object.is_none());
        match &row.object {
            Some(object) => self.push_object(block, row, object),
            None => {
                self.push_text("");
                self.push_time(row.last_modified);
                self.text.push_str(&",\"\"".repeat(9));
            }
        }
        self.push_text(row.bucket_key);
        self.push_text(row.object.as_ref().map_or("", |object| object.checksum));
        self.text.push('\n');
    }

    /// The fields from size to access tier.
    fn push_object(&mut self, block: &Block, row: &Row, object: &Object) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, ",\"{}\"", object.size);
        self.push_time(row.last_modified);
        self.push_text(block.text(&object.e_tag));
        self.push_text(object.storage.class);
        self.push_boolean(object.is_multipart);
        self.push_text(object.replication);
        self.push_text(object.status.as_str());
        match &object.lock {
            Some(lock) => {
                self.push_time(lock.until);
                self.push_text(lock.mode);
                self.push_text(lock.legal_hold);
            }
            None => self.text.push_str(",\"\",\"\",\"\""),
        }
        self.push_text(object.storage.tier);
    }

    fn push_text(&mut self, text: &str) {
        self.text.extend([",\"", text, "\""]);
    }

    fn push_boolean(&mut self, value: bool) {
        self.push_text(if value { "true" } else { "false" });
    }

    /// What a [`Timestamp`](crate::timestamp::Timestamp) shows, without a formatter for every row.
    fn push_time(&mut self, seconds: u32) {
        let day = seconds / DAY;
        if self.day != Some(day) {
            self.day = Some(day);
            self.date = timestamp(day * DAY).to_string();
            self.date.truncate(11);
        }
        self.text.extend([",\"", &self.date]);
        let digit = |number: u32| char::from(b'0' + (number % 10) as u8);
        for (number, after) in [(seconds / 3600 % 24, ":"), (seconds / 60 % 60, ":"), (seconds % 60, ".000Z\"")] {
            self.text.push(digit(number / 10));
            self.text.push(digit(number));
            self.text.push_str(after);
        }
    }
}

fn push_form_encoded(line: &mut String, key: &str) {
    // No early end: so the comparisons are made on many bytes at once.
    if key.bytes().fold(true, |all_bare, byte| all_bare & is_bare(byte)) {
        return line.push_str(key);
    }
    for byte in key.bytes() {
        match byte {
            b' ' => line.push('+'),
            bare if is_bare(bare) => line.push(char::from(bare)),
            // Writing to a string cannot fail.
            other => _ = write!(line, "%{other:02X}"),
        }
    }
}

fn is_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::escape::percent::decode_form;

    #[test]
    fn keys_are_form_encoded_as_s3_does() {
        let mut field = String::new();
        push_form_encoded(&mut field, "a/b-c_d.e ~+%,\"\n=é");
        assert_eq!(field, "a/b-c_d.e+%7E%2B%25%2C%22%0A%3D%C3%A9");
    }

    #[test]
    fn every_ascii_character_survives_the_encoding() {
        let key: String = (0..=127_u8).map(char::from).collect();
        let (mut field, mut decoded) = (String::new(), Vec::new());
        push_form_encoded(&mut field, &key);
        assert!(field.bytes().all(|byte| is_bare(byte) || matches!(byte, b'+' | b'%')));
        assert!(decode_form(field.as_bytes(), &mut decoded));
        assert_eq!(decoded, key.as_bytes());
    }

    #[test]
    fn times_are_those_of_a_timestamp() {
        let mut lines = Lines::default();
        for seconds in [0, 1_715_035_462, 1_715_035_463, DAY - 1, DAY] {
            lines.text.clear();
            lines.push_time(seconds);
            assert_eq!(lines.text, format!(",\"{}\"", timestamp(seconds)));
        }
    }
}
