//! The accounts of an organisation, held against those that objects name.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{PopulationError, read_answer};
use crate::escape::escape;
use crate::object_key::Account;
use crate::timestamp::{Month, written};
use crate::words::{count, number};

const CALL: &str = "organizations list-accounts";

/// An account without an object in this month and so many before it has nothing new.
const NEW_FOR_MONTHS: u32 = 2;
/// So many accounts are named in a sentence.
const NAMED: usize = 3;

/// The accounts of an organisation, by their twelve digits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AccountList(BTreeMap<String, ListedAccount>);

/// An account, as its organisation lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ListedAccount {
    /// Its name, escaped; empty if it has none.
    pub name: String,
    /// What it is, as Organizations says: `ACTIVE`, `SUSPENDED`, ...; escaped.
    pub status: String,
    /// When it joined, in UTC.
    pub joined: Option<String>,
}

/// An account that is listed or that objects name, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct OrganizationAccount {
    /// Its twelve digits.
    pub account: String,
    /// What the list says of it; nothing if it is not listed. In JSON these are fields of the line itself.
    #[serde(flatten)]
    pub listed: Option<ListedAccount>,
    /// What became of it.
    pub state: AccountState,
    /// Objects whose keys name it.
    pub objects: u64,
    /// The last month in which one of them was modified, `2024-05`.
    pub last_month: Option<String>,
}

/// How an account that is expected and what was examined fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AccountState {
    /// It is listed as active, and no object names it.
    NotSeen,
    /// It is listed as active, and no object that names it is of the last two months.
    NothingNew,
    /// It is not listed, and objects name it.
    NotListed,
    /// It is listed, and not as active: no objects are expected.
    NotActive,
    /// It is listed as active, and has new objects.
    Seen,
    /// Accounts are not told apart.
    Unknown,
}

/// The accounts of an organisation beside those that objects name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct OrganizationAccounts {
    /// How many are listed.
    pub listed: u64,
    /// How many are in each state; states of which there are none are left out.
    pub states: BTreeMap<AccountState, u64>,
    /// The month that new objects are looked for from: that of the newest report.
    pub as_of: String,
    /// Each account, in order.
    pub accounts: Vec<OrganizationAccount>,
}

/// An account that objects name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SeenAccount {
    /// How many objects.
    pub(crate) objects: u64,
    /// The newest month of last-modified.
    pub(crate) last: Option<Month>,
}

impl SeenAccount {
    /// Adds objects of a month.
    pub(crate) fn add(&mut self, objects: u64, month: Option<Month>) {
        self.objects = self.objects.saturating_add(objects);
        self.last = self.last.max(month);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    accounts: Vec<Entered>,
    next_token: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entered {
    id: String,
    #[serde(default)]
    name: String,
    /// Newer answers say more in `State`.
    status: Option<String>,
    state: Option<String>,
    joined_timestamp: Option<Value>,
}

impl AccountList {
    /// Reads what was listed; nothing if there are no files.
    pub(super) fn read(files: &[PathBuf]) -> Result<Option<Self>, PopulationError> {
        let mut accounts: BTreeMap<String, ListedAccount> = BTreeMap::new();
        for path in files {
            let fault = |why: String| PopulationError::File { path: path.clone(), why };
            let answer: Answer = read_answer(path, CALL)?;
            if answer.next_token.is_some_and(|token| !token.is_null()) {
                return Err(fault("it is one page of several (NextToken): give what all pages list".to_owned()));
            }
            for entered in answer.accounts {
                let listed = entered.listed().map_err(fault)?;
                match accounts.entry(entered.id) {
                    Entry::Vacant(place) => {
                        place.insert(listed);
                    }
                    Entry::Occupied(place) if *place.get() == listed => {}
                    Entry::Occupied(place) => return Err(fault(format!("it says two things of {}", place.key()))),
                }
            }
        }
        Ok((!files.is_empty()).then_some(Self(accounts)))
    }

    /// What is said of an account.
    pub fn get(&self, account: &str) -> Option<&ListedAccount> {
        self.0.get(account)
    }

    /// Holds what is listed against what was seen; nothing was if accounts are not told apart.
    pub(crate) fn hold_against(
        &self,
        seen: Option<&BTreeMap<String, SeenAccount>>,
        now: Month,
    ) -> OrganizationAccounts {
        let line = |account: &String, listed: Option<&ListedAccount>| {
            let found = seen.and_then(|seen| seen.get(account)).copied().unwrap_or_default();
            OrganizationAccount {
                account: account.clone(),
                listed: listed.cloned(),
                state: if seen.is_none() { AccountState::Unknown } else { state(listed, found, now) },
                objects: found.objects,
                last_month: found.last.map(|month| month.to_string()),
            }
        };
        let mut accounts: Vec<_> = self.0.iter().map(|(account, listed)| line(account, Some(listed))).collect();
        let others = seen.into_iter().flat_map(BTreeMap::keys).filter(|account| !self.0.contains_key(*account));
        accounts.extend(others.map(|account| line(account, None)));
        accounts.sort_by(|one, other| one.account.cmp(&other.account));
        let mut states = BTreeMap::new();
        accounts.iter().for_each(|account| *states.entry(account.state).or_default() += 1);
        OrganizationAccounts { listed: self.0.len() as u64, states, as_of: now.to_string(), accounts }
    }
}

impl OrganizationAccounts {
    /// The month that new objects are looked for from.
    pub(crate) fn month(&self) -> Option<Month> {
        Month::parse(&self.as_of)
    }

    /// What was listed.
    pub(crate) fn list(&self) -> AccountList {
        let listed = self.accounts.iter().filter_map(|line| Some((line.account.clone(), line.listed.clone()?)));
        AccountList(listed.collect())
    }

    /// How the list and what was examined fit together, for people; of accounts that somebody should look at, the first few by name.
    pub fn sentences(&self) -> Vec<String> {
        let (are, have) = (|n: u64| if n == 1 { "is" } else { "are" }, |n: u64| if n == 1 { "has" } else { "have" });
        let seen = self.count(AccountState::Seen);
        let listed = count(self.listed, "account is listed", "accounts are listed");
        let mut sentences = vec![match self.count(AccountState::Unknown) {
            0 => format!("{listed}; {} of them {} active and {} new objects", number(seen), are(seen), have(seen)),
            _ => format!("{listed}; accounts are not told apart, so nobody knows which have objects"),
        }];
        for (state, meaning) in AccountState::ODD {
            let names: Vec<String> = self.in_state(state).take(NAMED).map(OrganizationAccount::label).collect();
            let more = match self.count(state).saturating_sub(NAMED as u64) {
                0 => String::new(),
                more => format!(" and {} more", number(more)),
            };
            if !names.is_empty() {
                sentences.push(format!("{} {meaning}: {}{more}", number(self.count(state)), names.join(", ")));
            }
        }
        sentences
    }

    /// The name of an account, escaped; nothing if it is not listed, or has none.
    pub fn name_of(&self, account: &str) -> Option<&str> {
        let at = self.accounts.binary_search_by(|line| line.account.as_str().cmp(account)).ok()?;
        self.accounts[at].listed.as_ref().map(|listed| &*listed.name).filter(|name| !name.is_empty())
    }

    /// How many accounts are in a state.
    pub fn count(&self, state: AccountState) -> u64 {
        self.states.get(&state).copied().unwrap_or(0)
    }

    /// Those in a state, in order.
    pub fn in_state(&self, state: AccountState) -> impl Iterator<Item = &OrganizationAccount> {
        self.accounts.iter().filter(move |line| line.state == state)
    }
}

impl OrganizationAccount {
    /// Its digits and its name.
    fn label(&self) -> String {
        match &self.listed {
            Some(listed) if !listed.name.is_empty() => format!("{} ({})", self.account, listed.name),
            _ => self.account.clone(),
        }
    }
}

impl AccountState {
    /// Those that somebody should look at, and what they are.
    const ODD: [(Self, &str); 3] = [
        (Self::NotSeen, "active, and named by no object"),
        (Self::NothingNew, "active, without an object of the last two months"),
        (Self::NotListed, "named by objects, and not listed"),
    ];
}

fn state(listed: Option<&ListedAccount>, seen: SeenAccount, now: Month) -> AccountState {
    let is_old = |month: Month| month.as_index().saturating_add(NEW_FOR_MONTHS) < now.as_index();
    match listed {
        None => AccountState::NotListed,
        Some(listed) if listed.status != "ACTIVE" => AccountState::NotActive,
        Some(_) if seen.objects == 0 => AccountState::NotSeen,
        Some(_) if seen.last.is_none_or(is_old) => AccountState::NothingNew,
        Some(_) => AccountState::Seen,
    }
}

impl Entered {
    fn listed(&self) -> Result<ListedAccount, String> {
        if Account::parse(self.id.as_bytes()).is_none() {
            return Err(format!("no number of an account: {}", escape(self.id.as_bytes())));
        }
        let status = self.state.as_ref().or(self.status.as_ref());
        let status = status.ok_or_else(|| format!("it has neither Status nor State of {}", self.id))?;
        let joined = self.joined_timestamp.as_ref().and_then(written::of_json);
        let shown = |text: &str| escape(text.as_bytes()).into_owned();
        Ok(ListedAccount {
            name: shown(&self.name),
            status: shown(status),
            joined: joined.map(|time| time.to_string()),
        })
    }
}
