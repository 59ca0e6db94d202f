//! `sources/N/`: the manifests of an audit, byte for byte as they were delivered.
//!
//! A result can be tied to its source only as long as the manifest is there, and what was delivered goes after a while.

use std::io;
use std::path::{Path, PathBuf};

use super::AuditError;
use super::facts::{AuditFacts, ManifestFacts};
use super::merge::MergeJobError;
use super::shard::open_own;
use crate::escape::hex::hex;
use crate::hashes::sha256::{Hashing, Sha256};
use crate::plan::{MANIFEST, MANIFEST_CHECKSUM, MAX_CHECKSUM_LEN, Plan, Source};
use crate::sinks::{OutputError, OutputFolder, SOURCES};
use crate::source::{self, HashingReader, look_at};

/// Copies the manifests of a plan, which must be what they were when it was made, and notes what they are.
pub(super) fn keep(output: &mut OutputFolder, plan: &Plan, facts: &mut AuditFacts) -> Result<(), AuditError> {
    output.begin_folder(SOURCES)?;
    for (number, (source, facts)) in (1..).zip(plan.sources().iter().zip(&mut facts.sources)) {
        let Some(md5) = source.manifest_md5 else { continue };
        let changed = |_| AuditError::SourceChanged(source.path.clone());
        let mut reader = HashingReader::open(&source.path).map_err(changed)?;
        let sha256 = copy(output, number, MANIFEST, &mut reader)?;
        if reader.into_md5().map_err(changed)? != md5 {
            return Err(AuditError::SourceChanged(source.path.clone()));
        }
        facts.manifest = Some(ManifestFacts {
            bucket: source.delivered_to(),
            key: source.manifest_key(),
            md5: md5.to_string(),
            sha256,
            checksum_sha256: keep_checksum(output, number, source)?,
        });
    }
    Ok(())
}

/// Copies what stands beside a manifest, as far as it can be a checksum.
fn keep_checksum(output: &OutputFolder, number: usize, source: &Source) -> Result<Option<String>, OutputError> {
    let path = source.path.with_file_name(MANIFEST_CHECKSUM);
    let is_short = look_at(&path)
        .is_ok_and(|found| found.is_some_and(|metadata| metadata.is_file() && metadata.len() <= MAX_CHECKSUM_LEN));
    let Some(text) = is_short.then(|| source::read(&path).ok()).flatten() else { return Ok(None) };
    output.fill_source(&place(number, MANIFEST_CHECKSUM), |out| out.write_all(&text))?;
    Ok(Some(hex(&Sha256::of(&text))))
}

/// Copies the manifests that a shard has kept.
pub(super) fn keep_of_shard(output: &mut OutputFolder, folder: &Path, facts: &AuditFacts) -> Result<(), MergeJobError> {
    output.begin_folder(SOURCES)?;
    for (number, source) in (1..).zip(&facts.sources) {
        let Some(manifest) = &source.manifest else { continue };
        let names = [(MANIFEST, Some(&manifest.sha256)), (MANIFEST_CHECKSUM, manifest.checksum_sha256.as_ref())];
        for (name, sha256) in names.into_iter().filter_map(|(name, sha256)| Some((name, sha256?))) {
            let own = Path::new(SOURCES).join(place(number, name));
            let read = |fault| MergeJobError::Read { path: folder.join(&own), fault };
            let mut reader = HashingReader::of(open_own(folder, &own).map_err(read)?);
            let copied = copy(output, number, name, &mut reader)?;
            reader.into_md5().map_err(read)?;
            if copied != *sha256 {
                return Err(MergeJobError::Changed(folder.join(&own)));
            }
        }
    }
    Ok(())
}

/// Where a file of a source is kept.
fn place(number: usize, name: &str) -> PathBuf {
    Path::new(&number.to_string()).join(name)
}

/// Copies a file to its end; returns its SHA-256.
fn copy(output: &OutputFolder, number: usize, name: &str, reader: &mut HashingReader) -> Result<String, OutputError> {
    let mut hasher = Sha256::new();
    output.fill_source(&place(number, name), |out| {
        let mut out = Hashing::new(out);
        io::copy(reader, &mut out)?;
        hasher = out.into_hasher();
        Ok(())
    })?;
    Ok(hex(&hasher.finish()))
}
