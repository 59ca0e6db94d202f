//! Names of keys: ARNs as they are, aliases and bare ids through what the policy and `list-aliases` say.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde::Deserialize;

use crate::escape::hex::hex;
use crate::hashes::sha256::Sha256;
use crate::policy::{Checker, Key, KeyArn, KeyName};
use crate::source;
use crate::work::lock;

/// Keys beyond this are not names of keys but somebody's attempt to fill memory: nobody has so many.
pub(super) const MAX_KEYS: usize = 100_000;
/// A name of a key has fewer bytes.
const MAX_NAME_LEN: usize = 2048;

/// Too many of them.
#[derive(Debug, thiserror::Error)]
#[error("there are more than {MAX_KEYS} names of KMS keys: no account has so many, so something else is wrong")]
pub struct TooManyKeys;

/// Why a list of aliases cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the aliases of {path}: {why}")]
pub struct AliasError {
    path: PathBuf,
    why: String,
}

/// Which keys aliases and bare ids stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aliases {
    /// By ARN. An alias without one can be anybody's, in any Region: every account has `alias/aws/s3`.
    aliases: BTreeMap<String, Option<KeyArn>>,
    ids: BTreeMap<String, Option<KeyArn>>,
    /// What was read, file by file.
    sha256: Vec<[u8; 32]>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AliasList {
    aliases: Vec<AliasEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AliasEntry {
    alias_name: String,
    alias_arn: String,
    /// Aliases that AWS has made and nobody has used have none.
    target_key_id: Option<String>,
}

impl Aliases {
    /// The keys that the policy names, and what `aws kms list-aliases` said.
    pub(crate) fn read(checker: &Checker, paths: &[PathBuf]) -> Result<Self, AliasError> {
        let mut aliases = Self::default();
        for key in checker.policy().keys.values() {
            note(&mut aliases.ids, key.arn.id(), &key.arn);
        }
        for path in paths {
            aliases.add(path).map_err(|why| AliasError { path: path.clone(), why })?;
        }
        Ok(aliases)
    }

    fn add(&mut self, path: &Path) -> Result<(), String> {
        let text = source::read(path).map_err(|error| error.to_string())?;
        self.sha256.push(Sha256::of(&text));
        let list: AliasList =
            serde_json::from_slice(&text).map_err(|error| format!("not what `aws kms list-aliases` says: {error}"))?;
        for AliasEntry { alias_name, alias_arn, target_key_id } in list.aliases {
            let Some(id) = target_key_id else { continue };
            let account =
                alias_arn.strip_suffix(&alias_name).ok_or_else(|| format!("no ARN of an alias: {alias_arn}"))?;
            let arn = KeyArn::parse(&format!("{account}key/{id}"))
                .ok_or_else(|| format!("no ARN of an alias: {alias_arn}"))?;
            note(&mut self.aliases, &alias_arn, &arn);
            note(&mut self.ids, &id, &arn);
        }
        Ok(())
    }

    /// The SHA-256 of all files that were read; nothing if there were none. The order of files decides nothing.
    pub(crate) fn fingerprint(&self) -> Option<String> {
        let mut sha256 = self.sha256.clone();
        sha256.sort_unstable();
        (!sha256.is_empty()).then(|| hex(&Sha256::of(sha256.concat())))
    }

    /// What a name stands for; nothing if that cannot be told. An id without ARN is a key of the account, if that is known.
    fn resolve(&self, name: &str, account: &str) -> Option<Resolved> {
        if let Some(arn) = KeyArn::parse(name) {
            return Some(Resolved::Arn(arn));
        }
        if let Some(arn) = self.aliases.get(name) {
            return arn.clone().map(Resolved::ByAlias);
        }
        // Every replica of a multi-Region key has the same id.
        let is_of_one_region = !name.starts_with("mrk-");
        let is_of_account = |arn: &KeyArn| account.is_empty() || arn.account() == account;
        match self.ids.get(name).filter(|_| is_of_one_region) {
            Some(Some(arn)) if is_of_account(arn) => Some(Resolved::Arn(arn.clone())),
            Some(None) => None,
            _ => is_key_id(name).then(|| Resolved::Id(name.to_owned(), account.to_owned())),
        }
    }
}

/// What a name stands for.
enum Resolved {
    Arn(KeyArn),
    /// What an alias names now.
    ByAlias(KeyArn),
    /// An id, and the account whose key it is, if that is known.
    Id(String, String),
}

fn note(names: &mut BTreeMap<String, Option<KeyArn>>, name: &str, arn: &KeyArn) {
    let known = names.entry(name.to_owned()).or_insert_with(|| Some(arn.clone()));
    if known.as_ref() != Some(arn) {
        *known = None;
    }
}

/// Ids of keys that KMS makes: a UUID, or `mrk-` and 32 digits.
fn is_key_id(name: &str) -> bool {
    let digits = match name.strip_prefix("mrk-") {
        Some(digits) => digits.to_owned(),
        None if name.len() == 36 => name.replace('-', ""),
        None => return false,
    };
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The number of a key that has been met.
pub(crate) type KeyId = u32;

/// A key and its number.
#[derive(Clone, Debug)]
pub(crate) struct KnownKey {
    pub(crate) id: KeyId,
    pub(crate) key: Arc<Key>,
}

/// All keys that have been met. Workers share it, and remember what they have asked.
pub(crate) struct KeyRing<'c> {
    checker: &'c Checker,
    aliases: Aliases,
    known: Mutex<Known>,
}

/// A name and the account whose key it is.
type NameOfKey = (Box<[u8]>, Box<[u8]>);

#[derive(Default)]
struct Known {
    /// By name and account.
    by_name: HashMap<NameOfKey, Option<KnownKey>>,
    has_used_aliases: bool,
    /// Different names can mean the same key.
    by_key: HashMap<String, KnownKey>,
    keys: Vec<Arc<Key>>,
}

impl<'c> KeyRing<'c> {
    pub(crate) fn new(checker: &'c Checker, aliases: Aliases) -> Self {
        Self { checker, aliases, known: Mutex::default() }
    }

    /// The key of a name, where it is no ARN one of that account; nothing if it cannot be told, and for a blank name.
    pub(crate) fn find(&self, name: &[u8], account: &[u8]) -> Result<Option<KnownKey>, TooManyKeys> {
        let name = name.trim_ascii();
        if name.is_empty() || name.len() > MAX_NAME_LEN {
            return Ok(None);
        }
        let Known { by_name, by_key, keys, has_used_aliases } = &mut *lock(&self.known);
        let named = (name.into(), if name.starts_with(b"arn:") { (*b"").into() } else { account.into() });
        if let Some(known) = by_name.get(&named) {
            return Ok(known.clone());
        }
        if by_name.len() >= MAX_KEYS {
            return Err(TooManyKeys);
        }
        let texts = str::from_utf8(name).ok().zip(str::from_utf8(account).ok());
        let resolved = texts.and_then(|(name, account)| self.aliases.resolve(name, account));
        *has_used_aliases |= matches!(resolved, Some(Resolved::ByAlias(_)));
        let key = resolved.map(|resolved| {
            let key = match &resolved {
                Resolved::Arn(arn) | Resolved::ByAlias(arn) => self.checker.key(KeyName::Arn(arn)),
                Resolved::Id(id, account) => self.checker.key(KeyName::Id { id, account }),
            };
            let next = || KnownKey { id: keys.len() as u32, key: Arc::new(key.clone()) };
            by_key.entry(key.name.clone()).or_insert_with(next).clone()
        });
        if let Some(key) = &key
            && key.id as usize == keys.len()
        {
            keys.push(Arc::clone(&key.key));
        }
        by_name.insert(named, key.clone());
        Ok(key)
    }

    /// Whether the name of a key was an alias that `list-aliases` resolves.
    pub(crate) fn has_used_aliases(&self) -> bool {
        lock(&self.known).has_used_aliases
    }

    /// The key of a number that was given out.
    pub(crate) fn key(&self, id: KeyId) -> Arc<Key> {
        Arc::clone(&lock(&self.known).keys[id as usize])
    }
}
