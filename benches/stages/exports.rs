//! The exports that are read.

use std::collections::HashMap;
use std::path::PathBuf;

use logseal::generate::{Format, Options, Spread, generate};
use tempfile::TempDir;

/// As many as are hashed side by side.
pub const FILES: u32 = 16;

/// A share of violating objects, and how they lie among the others.
#[derive(Clone, Copy)]
pub struct Shape {
    pub name: &'static str,
    violations: f64,
    spread: Spread,
}

pub const SCATTERED: Shape = Shape { name: "1 % scattered", violations: 0.01, spread: Spread::Scattered };
pub const ALL_BAD: Shape = Shape { name: "all bad", violations: 1.0, spread: Spread::Scattered };
pub const SHAPES: [Shape; 4] = [
    Shape { name: "all good", violations: 0.0, spread: Spread::Scattered },
    SCATTERED,
    Shape { name: "1 % clustered", violations: 0.01, spread: Spread::Clustered },
    ALL_BAD,
];

/// Exports of so many rows, made when they are first asked for.
pub struct Exports {
    folder: TempDir,
    rows: u64,
    made: HashMap<String, PathBuf>,
}

impl Exports {
    pub fn new(rows: u64) -> Self {
        Self { folder: scratch_folder(), rows, made: HashMap::new() }
    }

    /// The run to audit.
    pub fn run(&mut self, format: Format, shape: &Shape) -> PathBuf {
        let name = format!("{format:?} {}", shape.name);
        let out = self.folder.path().join(&name);
        let options = Options {
            rows: self.rows,
            files: FILES,
            format,
            // As AWS compresses them.
            gzip_level: 6,
            violations: shape.violations,
            spread: shape.spread,
            ..Options::default()
        };
        let make = || generate(&out, &options).expect("an export").runs.remove(0);
        self.made.entry(name).or_insert_with(make).clone()
    }
}

/// A folder beside the build, because folders of the system may be no files on a disk.
pub fn scratch_folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder")
}
