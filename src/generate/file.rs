//! What every format of data files does.

use std::io;

use super::rows::Block;

/// A data file that takes blocks until it is finished.
pub(super) trait DataFile {
    fn write(&mut self, block: &Block) -> io::Result<()>;
    fn finish(self: Box<Self>) -> io::Result<()>;
}
