//! A row group column by column, through cursors that read pages.

use super::cursor::{Buffers, Chunk, Cursor};
use crate::batch::{Column, ColumnSet};
use crate::readers::columns::{Columns, GatheredColumns};
use crate::source::SourceFile;

/// Buffers for each column.
#[derive(Default)]
pub(super) struct Scratch {
    buffers: [Buffers; Column::ALL.len()],
    gathered: GatheredColumns,
}

/// The columns of a row group, before its first row.
pub(super) fn columns<'s>(
    file: &'s SourceFile,
    chunks: &[Chunk],
    wanted: ColumnSet,
    scratch: &'s mut Scratch,
) -> Columns<'s, Cursor<'s>> {
    let cursors = Column::ALL.into_iter().zip(&mut scratch.buffers).map(|(column, buffers)| {
        let chunk = chunks.iter().find(|chunk| chunk.column == column)?;
        buffers.shrink();
        Some(Cursor::new(file, chunk, buffers))
    });
    Columns::new(cursors, wanted, &mut scratch.gathered)
}
