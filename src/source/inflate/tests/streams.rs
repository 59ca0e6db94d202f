//! Files that are sound.

use super::encoder::random_stream;
use super::*;

fn texts() -> Vec<(String, Vec<u8>)> {
    let (mut random, scale) = (Random::new(1), if cfg!(miri) { 200 } else { 1 });
    let mut texts = vec![
        ("nothing".to_owned(), Vec::new()),
        ("one byte".to_owned(), vec![7]),
        ("rows".to_owned(), rows(400_000 / scale, &mut random)),
        ("noise".to_owned(), noise(300_000 / scale, &mut random)),
        ("zeros".to_owned(), vec![0; 300_000 / scale]),
    ];
    let periods = [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 300, 32_767, 32_768, 32_769];
    for period in periods.into_iter().step_by(if cfg!(miri) { 4 } else { 1 }) {
        texts.push((format!("period {period}"), periodic(100_000 / scale, period, &mut random)));
    }
    texts
}

#[test]
fn every_level_gives_the_text() {
    for (name, text) in texts() {
        for level in (0..=9).step_by(if cfg!(miri) { 3 } else { 1 }) {
            let file = gzip(&text, level);
            assert!(check(&file, &format!("{name} at level {level}")));
            assert_eq!(read_by(&file, usize::MAX, 1 << 20).ok().as_ref(), Some(&text));
        }
    }
}

#[test]
fn members_follow_each_other() {
    let mut random = Random::new(2);
    let texts: Vec<Vec<u8>> = (0..if cfg!(miri) { 5 } else { 20 }).map(|at| rows(at * at * 7, &mut random)).collect();
    let file: Vec<u8> = texts.iter().zip((0..10).cycle()).flat_map(|(text, level)| gzip(text, level)).collect();
    assert!(check(&file, "members"));
    assert_eq!(read_by(&file, 1 << 16, 1 << 16).ok(), Some(texts.concat()));
}

#[test]
fn a_member_cannot_copy_from_the_one_before_it() {
    // Fixed codes: a match of three bytes at distance one, and the end.
    let copy = [0x03, 0x02, 0x00, 0x00];
    let file = [gzip(b"a", 6), member(&copy, b"aaa")].concat();
    assert!(!check(&file, "a copy at the beginning"));
}

/// Whatever the file before was, and wherever its reader stopped.
#[test]
fn readers_take_nothing_over_but_room() {
    let mut random = Random::new(6);
    let text = rows(if cfg!(miri) { 300 } else { 70_000 }, &mut random);
    let (file, copy) = (gzip(&text, 6), member(&[0x03, 0x02, 0x00, 0x00], b"aaa"));
    let mut room = Room::default();
    for tail in [&b""[..], b"x", &file] {
        for cut in (0..file.len()).step_by(file.len() / 40) {
            let mut cut_off = GzipReader::first_member(&file[..cut], room);
            let mut found = Vec::new();
            assert!(cut_off.read_to_end(&mut found).is_err(), "{cut}");
            let mut too_far_back = GzipReader::first_member(&*copy, cut_off.into_room());
            assert!(too_far_back.read_to_end(&mut found).is_err(), "{cut}");
            let with_tail = [&file, tail].concat();
            let mut whole = GzipReader::first_member(&*with_tail, too_far_back.into_room());
            found.clear();
            whole.read_to_end(&mut found).expect("a sound member");
            assert!(found == text, "{cut}");
            assert_eq!(whole.has_tail().ok(), Some(!tail.is_empty()), "{cut}");
            room = whole.into_room();
        }
    }
}

/// Any code, any length, any distance.
#[test]
fn streams_that_no_compressor_writes_give_their_text() {
    let mut long = 0;
    for seed in 0..rounds(2_000) as u64 {
        let blocks = random_stream(&mut Random::new(seed));
        let mut text = Vec::new();
        flate2::bufread::DeflateDecoder::new(&*blocks).read_to_end(&mut text).expect("a sound stream");
        let file = member(&blocks, &text);
        assert!(check(&file, &format!("stream {seed}")));
        long += usize::from(text.len() > 1_000);
    }
    assert!(cfg!(miri) || long > 500, "{long}");
}

/// Reads that end at every byte, and copies that go on in the next.
#[test]
fn text_can_be_cut_anywhere() {
    let mut random = Random::new(3);
    let text = [rows(1_500, &mut random), periodic(1_500, 5, &mut random), rows(800, &mut random)].concat();
    for level in [1, 6] {
        let file = gzip(&text, level);
        for cut in (0..=text.len()).step_by(if cfg!(miri) { 501 } else { 1 }) {
            let mut reader = GzipReader::new(&*file);
            let mut found = vec![0; text.len() + 1];
            for part in [0..cut, cut..text.len()] {
                assert_eq!(reader.read(&mut found[part.clone()]).ok(), Some(part.len()), "{cut}");
            }
            assert_eq!(reader.read(&mut found[text.len()..]).ok(), Some(0), "{cut}");
            assert!(found[..text.len()] == text, "{cut}");
        }
    }
}

/// Readers that give files by pieces of any length.
#[test]
fn files_can_be_cut_anywhere() {
    let mut random = Random::new(4);
    let text = rows(3_000, &mut random);
    let file = [gzip(&text, 1), gzip(&text, 6), gzip(&text, 0)].concat();
    let whole = [&*text, &text, &text].concat();
    for len in (1..file.len()).step_by(if cfg!(miri) { 2_000 } else { 1 }) {
        assert_eq!(read_by(&file, len, 1 << 20).ok().as_ref(), Some(&whole), "{len}");
    }
}

#[test]
fn bytes_behind_the_text_stay_as_they_are() {
    let text = rows(5_000, &mut Random::new(5));
    let file = gzip(&text, 6);
    for len in (0..text.len()).step_by(if cfg!(miri) { 1_000 } else { 3 }) {
        let mut buffer = vec![0xa5; len + 100];
        assert_eq!(GzipReader::new(&*file).read(&mut buffer[..len]).ok(), Some(len));
        assert!(buffer[..len] == text[..len] && buffer[len..] == [0xa5; 100]);
    }
}

#[test]
fn headers_have_all_fields_that_they_may() {
    let plain = gzip(b"text", 6);
    for flags in 0_u8..32 {
        let mut header = plain[..10].to_vec();
        header[3] = flags;
        if flags & 4 != 0 {
            header.extend_from_slice(b"\x05\x00extra");
        }
        if flags & 8 != 0 {
            header.extend_from_slice(b"name\0");
        }
        if flags & 16 != 0 {
            header.extend_from_slice(b"comment\0");
        }
        if flags & 2 != 0 {
            let mut crc = Crc::new();
            crc.update(&header);
            header.extend_from_slice(&(crc.sum() as u16).to_le_bytes());
        }
        let file = [&header, &plain[10..]].concat();
        assert!(check(&file, &format!("flags {flags}")));
        for bit in (0..8 * header.len()).step_by(if cfg!(miri) { 61 } else { 1 }) {
            let mut file = file.clone();
            file[bit / 8] ^= 1 << (bit % 8);
            check(&file, &format!("flags {flags}, bit {bit}"));
        }
    }
    for len in [65_535, 65_536] {
        let name = [vec![b'n'; len], vec![0]].concat();
        let file = [&plain[..3], &[8], &plain[4..10], &name, &plain[10..]].concat();
        assert_eq!(check(&file, "a long name"), len == 65_535);
    }
}
