//! Matching of object versions across two streams, whatever their order, in bounded memory.
//!
//! Both sides are reduced to records: a keyed 128-bit hash of (bucket, key, version) and a small value ([`JoinKey`]).
//! Records are kept by the first bits of their hashes ([`Partitions`]), in memory while there is room, else in temporary
//! files. If one side stays in memory it becomes a [`Table`](table::Table), and the other side is looked up in it row by row; if not,
//! both sides are partitioned, and [`join`] matches partition by partition, several at a time. Records that have no fixed
//! length are kept by [`Varied`].

mod key;
mod matching;
mod partitions;
mod table;
#[cfg(test)]
mod tests;
mod varied;

pub(crate) use key::{BucketHasher, JoinKey, KeyHasher, VersionPart};
pub(crate) use matching::{JoinError, join};
pub(crate) use partitions::{PARTITIONS, Partitions, Value, Writer};
pub(crate) use table::Tables;
pub(crate) use varied::{Varied, VariedWriter};
