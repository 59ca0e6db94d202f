//! What must be done to the bytes of files whatever is in them: MD5 and inflating.

use std::fs::File;
use std::io::BufReader;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use flate2::bufread::MultiGzDecoder;
use logseal::plan::Unit;
use logseal::readers::{FileChecksum, UnitFile};

use crate::measure::{Input, Stopwatch, Work, inflate_file, read_text};

/// As much as is read from a file at a time.
const READ_LEN: usize = 128 << 10;

/// All files, so many side by side, with one thread.
pub fn md5(input: &Input, side_by_side: usize) -> Work {
    let (watch, units) = (Stopwatch::default(), input.units().collect::<Vec<_>>());
    watch.time(|| units.chunks(side_by_side).for_each(hash));
    Work { seconds: watch.seconds(), rows: input.rows, bytes: input.files_len() }
}

/// The same through the crate that reads gzip elsewhere.
pub fn inflate_with_flate2(input: &Input) -> Work {
    let watch = Stopwatch::default();
    let bytes = watch.time(|| {
        let files = input.units().map(|unit| File::open(unit.path().expect("a path")).expect("a file"));
        files.map(|file| read_text(MultiGzDecoder::new(BufReader::with_capacity(READ_LEN, file)))).sum()
    });
    Work { seconds: watch.seconds(), rows: input.rows, bytes }
}

/// Both with as many threads as an audit has: no audit of CSV can be faster than this.
pub fn floor_csv(input: &Input) -> Work {
    let (watch, mut units) = (Stopwatch::default(), input.units().collect::<Vec<_>>());
    watch.time(|| {
        // The largest first: small ones even out who finishes when.
        units.sort_by_key(|unit| std::cmp::Reverse(unit.size_hint()));
        let hashes = units.chunks(FileChecksum::MAX_TOGETHER).map(Task::Hash);
        let tasks: Vec<Task<'_>> = hashes.chain(units.iter().map(Task::Inflate)).collect();
        do_all(&tasks, input.jobs);
    });
    Work { seconds: watch.seconds(), rows: input.rows, bytes: input.files_len() }
}

enum Task<'p> {
    Hash(&'p [Unit<'p>]),
    Inflate(&'p Unit<'p>),
}

fn do_all(tasks: &[Task<'_>], jobs: usize) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(task) = tasks.get(next.fetch_add(1, Ordering::Relaxed)) {
            match task {
                Task::Hash(units) => hash(units),
                Task::Inflate(unit) => drop(inflate_file(unit)),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(work);
        }
    });
}

fn hash(units: &[Unit<'_>]) {
    let checksum = |unit| UnitFile::open(unit).expect("a file").take_checksum().expect("a checksum");
    let checksums: Vec<FileChecksum> = units.iter().map(checksum).collect();
    FileChecksum::check_all(&checksums, &|| false, &mut |_, checked| checked.expect("the right checksum"));
}
