//! Damaged pages: a fault, never a panic, and never other rows than arrow finds.

use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::basic::{Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterVersion;

use super::cells::{read_pages, read_with_arrow, row_groups};
use super::files::{Form, write};
use crate::batch::ColumnSet;
use crate::readers::parquet::columns::Scratch;
use crate::readers::tests::{Random, open, some_columns, some_rows};

fn some_form(random: &mut Random) -> Form {
    let compressions = [
        Compression::UNCOMPRESSED,
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ];
    Form {
        version: random.pick(&[WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0]),
        compression: random.pick(&compressions),
        dictionary_len: random.pick(&[None, Some(300), Some(1 << 20)]),
        booleans: random.pick(&[Encoding::PLAIN, Encoding::RLE]),
        page_rows: random.pick(&[20, 1_000]),
        group_rows: random.pick(&[60, 1_000]),
        ..Form::default()
    }
}

/// Changes bytes in front of the footer.
fn damage(bytes: &mut [u8], random: &mut Random) {
    let footer_len = u32::from_le_bytes(*bytes[..bytes.len() - 4].last_chunk().expect("a footer")) as usize;
    let pages_len = bytes.len() - 8 - footer_len;
    for _ in 0..=random.below(4) {
        let at = random.below(pages_len);
        bytes[at] = match random.below(4) {
            0 => random.number() as u8,
            1 => 0xff,
            _ => bytes[at] ^ 1 << random.below(8),
        };
    }
}

#[test]
fn damaged_pages_give_a_fault_or_what_arrow_gives() {
    let (mut same, mut faults, mut only_here) = (0, 0, 0);
    let mut scratch = Scratch::default();
    for seed in 0..400 {
        let mut random = Random(seed);
        let mut bytes = write(some_form(&mut random), 200, &mut random);
        damage(&mut bytes, &mut random);
        let Ok(groups) = row_groups(&open(&bytes)) else { continue };
        for group in &groups {
            // Asking late must not end in a panic either.
            let wanted = some_columns(&mut random);
            let _ = read_pages(group, wanted, &mut scratch, |len| some_rows(&mut random, len));
            let Ok(found) = read_pages(group, ColumnSet::ALL, &mut scratch, |_| Vec::new()) else {
                faults += 1;
                continue;
            };
            match catch_unwind(AssertUnwindSafe(|| read_with_arrow(group))) {
                Ok(Ok(expected)) => {
                    assert!(found.rows == expected, "{seed}");
                    same += 1;
                }
                _ => only_here += 1,
            }
        }
    }
    assert!(same > 100 && faults > 100 && only_here < 20, "{same} {faults} {only_here}");
}
