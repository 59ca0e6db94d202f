//! A file in the form that the parquet crate reads from. Every read says where it begins, so that any number of readers
//! share one open file.

use std::io::{self, BufReader, Read};
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::source::SourceFile;

/// One open file that many readers share: every read says where it begins.
#[derive(Clone)]
pub(super) struct SharedFile(pub Arc<SourceFile>);

/// Reads on from a position of a shared file.
pub(super) struct ReadFrom {
    file: SharedFile,
    offset: u64,
}

impl Read for ReadFrom {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.0.read_at(buffer, self.offset)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl Length for SharedFile {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl ChunkReader for SharedFile {
    type T = BufReader<ReadFrom>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        /// Page headers are read this way; most have less than 100 bytes.
        const HEADER_LEN: usize = 512;
        Ok(BufReader::with_capacity(HEADER_LEN, ReadFrom { file: self.clone(), offset: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        // Lengths come from the file: nothing is allocated for bytes that it does not have.
        if start.checked_add(length as u64).is_none_or(|end| end > self.0.len()) {
            return Err(ParquetError::EOF("a part of the file lies behind its end".into()));
        }
        let mut buffer = vec![0; length];
        self.0.read_exact_at(&mut buffer, start)?;
        Ok(buffer.into())
    }
}
