//! Whether a pack is whole, unchanged, signed by whom it should be, and agrees with itself.

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;

use super::PackError;
use super::again::{self, Again};
use super::bag;
use super::contents;
use super::groups;
use super::read::{Opened, PackFault, open, payload_oxum};
use super::signature::{self, AllowedSigner};
use super::statement;
use super::table::AsList;
use super::texts;
use crate::escape::escape;
use crate::escape::hex::hex;
use crate::finished::{Finished, Joined};
use crate::hashes::sha256::Sha256;
use crate::store;
use crate::work::Cancel;

/// Archives up to this length are compared as a whole.
const MAX_COMPARED_LEN: u64 = 256 << 20;
/// Descriptions of a pack, which a manifest lists.
const TAGS: [&str; 3] = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt"];
/// Files beside the payload that need not be in a manifest: signatures come later.
const SIGNATURES: [&str; 3] = [".sig", ".tsr", ".dsse.json"];

/// What a pack is checked with.
pub struct VerifyOptions<'v> {
    /// Makes the page of a result; what the pack holds must be the same.
    pub page: &'v dyn Fn(&Finished) -> String,
    /// By whom it must be signed.
    pub signer: Option<AllowedSigner>,
    /// The public key in PEM that the statement for pipelines must be signed with.
    pub attestation_key: Option<String>,
    /// The sources, from which the audit is run again.
    pub again: Option<Again<'v>>,
    /// Ends it early.
    pub cancel: Cancel,
}

impl VerifyOptions<'_> {
    /// Nothing but the pack itself.
    pub fn new() -> Self {
        Self { page: &|_| String::new(), signer: None, attestation_key: None, again: None, cancel: Cancel::default() }
    }
}

impl Default for VerifyOptions<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// A pack that holds.
#[derive(Debug)]
#[non_exhaustive]
pub struct Verified {
    /// Files of the payload.
    pub files: u64,
    /// Their lengths, in bytes.
    pub bytes: u64,
    /// The result in it.
    pub finished: Finished,
    /// Whether findings are in it.
    pub has_findings: bool,
    /// Signatures that lie beside the payload.
    pub signatures: Vec<String>,
    /// What came of the signatures that were asked for.
    pub signed: Signed,
    /// Whether the archive was put together by another tool, as it is when a signature is added: its files are as they were.
    /// Nothing where that was not compared.
    pub is_repacked: Option<bool>,
}

/// Whether a pack is signed as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signed {
    /// Nobody asked.
    NotAsked,
    /// By whom it should be.
    Yes,
    /// A signature that was asked for is not there.
    No,
}

/// Checks a pack: an archive, or the folder of an unpacked one.
pub fn verify_pack(path: &Path, options: &VerifyOptions<'_>) -> Result<Verified, PackFault> {
    verify(path, options).map_err(|fault| fault.unless_ended(&options.cancel))
}

fn verify(path: &Path, options: &VerifyOptions<'_>) -> Result<Verified, PackFault> {
    let opened = open(path, &options.cancel)?;
    if opened.read("bagit.txt")? != texts::BAGIT.as_bytes() {
        return Err(PackFault::Bag("bagit.txt is of another form".to_owned()));
    }
    let (payload, tags) = (manifest(&opened, "manifest-sha256.txt")?, manifest(&opened, "tagmanifest-sha256.txt")?);
    for name in TAGS {
        if !tags.contains_key(name) {
            return Err(PackFault::Bag(format!("tagmanifest-sha256.txt does not list {name}")));
        }
    }
    if let Some(name) = tags.keys().find(|name| !TAGS.contains(&name.as_str())) {
        return Err(PackFault::Bag(format!("tagmanifest-sha256.txt lists {}", escape(name.as_bytes()))));
    }
    let mut bytes = 0_u64;
    for (name, hash) in payload.iter().chain(&tags) {
        let len = unchanged(&opened, name, hash)?;
        bytes += if name.starts_with("data/") { len } else { 0 };
    }
    let mut signatures = Vec::new();
    for name in &opened.names {
        let is_signature = SIGNATURES.iter().any(|ending| name.ends_with(ending)) && !name.contains('/');
        match () {
            () if payload.contains_key(name) || tags.contains_key(name) || name == "tagmanifest-sha256.txt" => {}
            () if is_signature => signatures.push(name.clone()),
            () => return Err(PackFault::Unlisted(escape(name.as_bytes()).into_owned())),
        }
    }
    let files = payload.len() as u64;
    if payload_oxum(&opened.read("bag-info.txt")?)? != (bytes, files) {
        return Err(PackFault::Bag("Payload-Oxum is not what the payload has".to_owned()));
    }
    let finished = agrees(&opened, options, (bytes, files))?;
    let has_findings = payload.contains_key(LIST) || payload.contains_key(TABLE);
    if let Some(sources) = &options.again {
        again::check(&opened, &finished, sources)?;
    }
    let signed = signed(&opened, options)?;
    let is_repacked = repacked(path, &opened)?;
    Ok(Verified { files, bytes, finished, has_findings, signatures, signed, is_repacked })
}

/// Whether an archive is other than what is written for its files. What is beside them in an archive is in no manifest.
fn repacked(path: &Path, opened: &Opened) -> Result<Option<bool>, PackFault> {
    let is_comparable = path.metadata().is_ok_and(|facts| facts.is_file() && facts.len() <= MAX_COMPARED_LEN);
    if !is_comparable {
        return Ok(None);
    }
    match bag::is_as_written(path, opened) {
        Ok(is_as_written) => Ok(Some(!is_as_written)),
        Err(PackError::Read { path, source } | PackError::Write { path, error: source }) => {
            Err(PackFault::Unreadable { path, error: source })
        }
        Err(error) => Err(PackFault::Archive(error.to_string())),
    }
}

/// Checks the signatures that were asked for.
fn signed(opened: &Opened, options: &VerifyOptions<'_>) -> Result<Signed, PackFault> {
    let mut signed = Signed::NotAsked;
    if let Some(allowed) = &options.signer {
        const NAME: &str = "tagmanifest-sha256.txt.sig";
        if !opened.names.contains(NAME) {
            return Ok(Signed::No);
        }
        let pem = String::from_utf8_lossy(&opened.read(NAME)?).into_owned();
        signature::check_ssh(&pem, &opened.read("tagmanifest-sha256.txt")?, allowed).map_err(PackFault::Signature)?;
        signed = Signed::Yes;
    }
    if let Some(key) = &options.attestation_key {
        const NAME: &str = "attestation.dsse.json";
        if !opened.names.contains(NAME) {
            return Ok(Signed::No);
        }
        let (envelope, statement) = (opened.read(NAME)?, opened.read("data/attestation.json")?);
        signature::check_dsse(&envelope, &statement, key).map_err(PackFault::Signature)?;
        signed = Signed::Yes;
    }
    Ok(signed)
}

/// The lines of a manifest: names and hashes.
fn manifest(opened: &Opened, file: &str) -> Result<BTreeMap<String, String>, PackFault> {
    let text = opened.read(file)?;
    let text = String::from_utf8(text).map_err(|_| PackFault::Bag(format!("{file} is not UTF-8")))?;
    let wrong = || PackFault::Bag(format!("{file} has a line that is none of a manifest"));
    let mut hashes = BTreeMap::new();
    for line in text.lines() {
        let (hash, name) = line.split_once("  ").ok_or_else(wrong)?;
        let is_hash = hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let is_payload = name.starts_with("data/");
        if !is_hash || is_payload != (file == "manifest-sha256.txt") {
            return Err(wrong());
        }
        if hashes.insert(name.to_owned(), hash.to_owned()).is_some() {
            return Err(PackFault::Bag(format!("{file} lists a file twice")));
        }
    }
    Ok(hashes)
}

/// The length of a file that is as its manifest says.
fn unchanged(opened: &Opened, name: &str, hash: &str) -> Result<u64, PackFault> {
    let shown = || escape(name.as_bytes()).into_owned();
    // Only what was found in the pack is opened, whatever a manifest names.
    if !opened.names.contains(name) {
        return Err(PackFault::Missing(shown()));
    }
    let path = opened.root.join(name);
    let unreadable = |error| PackFault::Unreadable { path: path.clone(), error };
    let mut file = opened.cancel.reader(store::read_back(&path).map_err(unreadable)?);
    let (mut hasher, mut buffer, mut len) = (Sha256::new(), vec![0; 256 << 10], 0);
    loop {
        let read = file.read(&mut buffer).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        len += read as u64;
    }
    if hex(&hasher.finish()) == hash { Ok(len) } else { Err(PackFault::Changed(shown())) }
}

/// Whether everything in it says the same: what can be made of the result is made again.
fn agrees(opened: &Opened, options: &VerifyOptions<'_>, oxum: (u64, u64)) -> Result<Finished, PackFault> {
    let data = opened.root.join("data");
    let joined = |name: &str, file: &str| -> Option<PathBuf> {
        opened.names.contains(&format!("data/{name}/{file}")).then(|| data.join(name))
    };
    let joined = Joined {
        digests: joined("digests", "summary.json"),
        settings: joined("settings", "summary.json"),
        reconciled: joined("reconcile", "reconcile.json"),
    };
    let finished = Finished::read(&data, &joined).map_err(|error| {
        // Where it was unpacked to says nothing.
        PackFault::Disagrees(error.to_string().replace(&*data.to_string_lossy(), "data"))
    })?;
    for name in opened.names.iter().filter_map(|name| name.strip_prefix("data/")) {
        if !contents::is_of_a_pack(name, &finished) {
            return Err(PackFault::Unlisted(format!("data/{}, which no pack holds,", escape(name.as_bytes()))));
        }
    }
    let (bytes, files) = oxum;
    let made = [
        ("data/report.html", (options.page)(&finished).into_bytes()),
        ("data/exceptions.csv", contents::exceptions(&finished)),
        ("data/attestation.json", statement::statement(&finished)),
        ("data/verify.txt", texts::VERIFY.as_bytes().to_vec()),
        ("bag-info.txt", texts::bag_info(&finished, bytes, files).into_bytes()),
    ];
    for (name, text) in made {
        let is_whole = store::read_back(&opened.root.join(name)).and_then(|mut file| {
            let mut found = Vec::new();
            file.read_to_end(&mut found).map(|_| found == text)
        });
        if !matches!(is_whole, Ok(true)) {
            return Err(PackFault::Disagrees(format!("{name} is not what follows from data/summary.json")));
        }
    }
    findings(opened, &finished)?;
    Ok(finished)
}

/// Whether groups are those of the findings, and these those that the summary counts, in whatever forms they are there.
fn findings(opened: &Opened, finished: &Finished) -> Result<(), PackFault> {
    let groups = opened.root.join("data/groups.csv");
    let mut text = Vec::new();
    let mut file = store::read_back(&groups).map_err(|_| PackFault::Missing("data/groups.csv".to_owned()))?;
    file.read_to_end(&mut text).map_err(|error| PackFault::Unreadable { path: groups, error })?;
    let (list, table) = (listed(opened)?, tabled(opened)?);
    let (made, mut list) = match (list, table) {
        (None, None) => return groups::agree(&text, finished).map_err(PackFault::Disagrees),
        (None, Some(table)) => (groups::of_findings(table, finished), None),
        (Some(mut list), table) => {
            let made = match table {
                Some(table) => groups::of_findings(Both { list: &mut list, table }, finished),
                None => groups::of_findings(&mut list, finished),
            };
            (made, Some(list))
        }
    };
    if made.map_err(PackFault::Disagrees)? != text {
        return Err(PackFault::Disagrees("data/groups.csv is not that of the findings".to_owned()));
    }
    let behind = list.as_mut().map_or(Ok(0), |list| list.get_mut().fill_buf().map(|bytes| bytes.len()));
    match behind {
        Ok(0) => Ok(()),
        Ok(_) => Err(PackFault::Disagrees("data/findings.csv.gz has bytes behind its end".to_owned())),
        Err(error) => Err(PackFault::Unreadable { path: opened.root.join(LIST), error }),
    }
}

const LIST: &str = "data/findings.csv.gz";
const TABLE: &str = "data/findings.parquet";

/// The list of findings, if it is there.
pub(super) fn listed(opened: &Opened) -> Result<Option<GzDecoder<BufReader<impl Read + use<'_>>>>, PackFault> {
    let open = || {
        let path = opened.root.join(LIST);
        store::read_back(&path).map_err(|error| PackFault::Unreadable { path, error })
    };
    let file = opened.names.contains(LIST).then(open).transpose()?;
    Ok(file.map(|file| GzDecoder::new(BufReader::new(opened.cancel.reader(file)))))
}

/// The table of findings as a list, if it is there.
pub(super) fn tabled(opened: &Opened) -> Result<Option<impl Read + use<'_>>, PackFault> {
    let path = opened.root.join(TABLE);
    let open = || {
        let file = store::read_back(&path).map_err(|error| PackFault::Unreadable { path: path.clone(), error })?;
        AsList::of(file).map_err(|error| PackFault::Disagrees(format!("{TABLE} is no table of findings: {error}")))
    };
    let list = opened.names.contains(TABLE).then(open).transpose()?;
    Ok(list.map(|list| opened.cancel.reader(list)))
}

/// A list beside another that must be the same.
struct Both<'l, L, T> {
    list: &'l mut L,
    table: T,
}

impl<L: Read, T: Read> Read for Both<'_, L, T> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.list.read(buffer)?;
        let mut other = vec![0; read.max(1)];
        let is_same = match read {
            0 => self.table.read(&mut other)? == 0 || buffer.is_empty(),
            read => match self.table.read_exact(&mut other) {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
                result => result.map(|()| other == buffer[..read])?,
            },
        };
        if is_same { Ok(read) } else { Err(io::Error::other("findings.parquet has other rows")) }
    }
}
