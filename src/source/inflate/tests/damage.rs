//! Files that are not: what `flate2` takes for damaged is damaged, and nothing else.

use super::encoder::{BitWriter, put_codes, random_stream};
use super::*;

/// Small files with all kinds of blocks.
fn files() -> Vec<Vec<u8>> {
    let mut random = Random::new(6);
    let text = [rows(700, &mut random), periodic(300, 3, &mut random)].concat();
    let members = [gzip(&text[..200], 6), gzip(b"", 6), gzip(&text[..50], 0)].concat();
    vec![gzip(&text, 6), gzip(&text, 1), gzip(&text, 0), members]
}

#[test]
fn every_cut_and_every_tail_is_damage() {
    for (at, file) in files().into_iter().enumerate() {
        for len in (0..file.len()).step_by(if cfg!(miri) { 37 } else { 1 }) {
            check(&file[..len], &format!("file {at} cut at {len}"));
        }
        for tail in [&b"\0"[..], b"x", b"\x1f\x8b", &[0; 5_000]] {
            assert!(!check(&[&file, tail].concat(), &format!("file {at} with a tail")));
        }
    }
}

#[test]
fn every_flipped_bit_is_what_it_is_for_flate2() {
    for (at, file) in files().into_iter().enumerate() {
        for bit in (0..8 * file.len()).step_by(if cfg!(miri) {
            301
        } else if is_thorough() {
            1
        } else {
            5
        }) {
            let mut file = file.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            check(&file, &format!("file {at}, bit {bit}"));
        }
    }
}

/// The checksum would hide what the blocks were taken for, so the trailer is made to fit whatever `flate2` says.
#[test]
fn damaged_streams_give_the_same_text_or_none() {
    let (mut sound, mut damaged) = (0, 0);
    for seed in 0..rounds(5_000) as u64 {
        let mut random = Random::new(seed);
        let mut blocks = match random.below(3) {
            0 => random_stream(&mut random),
            1 => gzip(&rows(2_000, &mut random), 6).split_off(10),
            _ => gzip(&rows(2_000, &mut random), 1).split_off(10),
        };
        for _ in 0..=random.below(3) {
            // Every other one at the beginning, where codes are.
            let len = if random.below(2) == 0 { blocks.len().min(100) } else { blocks.len() };
            let bit = random.below(8 * len);
            blocks[bit / 8] ^= 1 << (bit % 8);
        }
        let mut text = Vec::new();
        let mut decoder = flate2::bufread::DeflateDecoder::new(&*blocks);
        let file = match decoder.read_to_end(&mut text) {
            Ok(_) => {
                let len = decoder.total_in() as usize;
                member(&blocks[..len], &text)
            }
            Err(_) => member(&blocks, &text),
        };
        if check(&file, &format!("stream {seed}")) {
            sound += 1;
        } else {
            damaged += 1;
        }
    }
    assert!(cfg!(miri) || (sound > 300 && damaged > 1_500), "{sound} {damaged}");
}

/// Codes that are complete, that have too many words, and that have too few.
#[test]
fn codes_are_taken_or_not_as_zlib_does() {
    let (mut sound, mut damaged) = (0, 0);
    for seed in 0..rounds(5_000) as u64 {
        let mut random = Random::new(seed);
        let mut literals = vec![0; 257 + random.below(30)];
        let mut distances = vec![0; 1 + random.below(32)];
        // A few words, of which the end has the last length: often enough complete, or nearly.
        let words = 1 + random.below(5);
        for len in 1..words {
            literals[random.below(256)] = len as u8;
        }
        literals[256] = words as u8;
        let last = random.pick(&[words, words - 1, 1]);
        literals[random.below(256)] = last as u8;
        for _ in 0..random.below(4) {
            let at = random.below(distances.len());
            distances[at] = random.pick(&[1, 1, 2, 2, 15]);
        }
        let mut to = BitWriter::default();
        to.put(0b101, 3);
        put_codes(&literals, &distances, &mut random, &mut to);
        // Mostly the longest code is all ones: the end of the block, or a literal and then whatever comes.
        to.put(usize::MAX, 40);
        to.put(0, 20);
        let blocks = to.into_bytes();
        let mut text = Vec::new();
        let mut decoder = flate2::bufread::DeflateDecoder::new(&*blocks);
        let read = decoder.read_to_end(&mut text);
        let len = if read.is_ok() { decoder.total_in() as usize } else { blocks.len() };
        if check(&member(&blocks[..len], &text), &format!("codes {seed}")) {
            sound += 1;
        } else {
            damaged += 1;
        }
    }
    assert!(cfg!(miri) || (sound > 300 && damaged > 1_000), "{sound} {damaged}");
}

#[test]
fn nothing_comes_after_an_error() {
    let mut reader = GzipReader::new(&b"\x1f\x8b\x08"[..]);
    let mut buffer = [0; 10];
    assert_eq!(reader.read(&mut buffer).map_err(|error| error.kind()), Err(io::ErrorKind::UnexpectedEof));
    for _ in 0..3 {
        assert!(reader.read(&mut buffer).is_err());
    }
}

#[test]
fn errors_of_the_reader_are_handed_on() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::ErrorKind::PermissionDenied.into())
        }
    }
    let file = gzip(&rows(5_000, &mut Random::new(7)), 6);
    let mut reader = GzipReader::new((&file[..600]).chain(Fails));
    let error = reader.read_to_end(&mut Vec::new()).map_err(|error| error.kind());
    assert_eq!(error, Err(io::ErrorKind::PermissionDenied));
}
