//! All rows of an export, as an audit with one job reads them.

use logseal::batch::{Batch, ColumnSet};
use logseal::readers::{Details, Part, Rows, Scratch, UnitFile, UnitReader};

use crate::measure::Input;

/// Reads all rows, as an audit does with one job.
pub fn each_batch(input: &Input, wanted: ColumnSet, mut each: impl FnMut(&Batch<'_>, &mut dyn Details)) {
    let mut rows = 0;
    each_part(input, |part, scratch| {
        let hand_over = &mut |batch: &Batch<'_>, details: &mut dyn Details| {
            rows += batch.len as u64;
            each(batch, details);
            Ok(())
        };
        part.read(wanted, scratch, &|| false, hand_over).expect("rows");
    });
    assert_eq!(rows, input.rows, "all rows are read");
}

/// Takes all files apart, without looking at their checksums.
pub fn each_part(input: &Input, mut each: impl FnMut(Rows, &mut Scratch)) {
    let mut scratch = Scratch::default();
    for unit in input.units() {
        let mut file = UnitFile::open(&unit).expect("a file");
        file.take_checksum();
        let mut reader = UnitReader::new(&unit, file).expect("a report");
        while let Some(part) = reader.next_part(&mut scratch).expect("a part") {
            match part {
                Part::Rows(rows) => each(rows, &mut scratch),
                Part::Checksum(_) => {}
            }
        }
    }
}
