//! What objects are counted by, and how a group is written down behind another.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bytes::{Encoded, push_number};
use crate::amounts::Verdicts;
use crate::object_key::{Account, ObjectKey, Region, RollupKind};
use crate::policy::Verdict;
use crate::timestamp::Month;

/// A dimension of a rollup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Dimension<T> {
    /// The objects do not have it.
    Missing,
    /// What they have.
    Is(T),
    /// Too many groups: it is no longer told apart.
    Many,
}

/// Objects of one bucket, account, kind and Region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// The bucket's name.
    pub bucket: Dimension<Arc<str>>,
    /// The account in their keys.
    pub account: Dimension<Account>,
    /// A known kind, `other-service` or `other`.
    pub kind: RollupKind,
    /// The Region in their keys.
    pub region: Dimension<Region>,
}

/// Objects of one bucket, account, kind and Region that were last modified in the same month.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Period {
    /// The bucket's name.
    pub bucket: Dimension<Arc<str>>,
    /// The account in their keys.
    pub account: Dimension<Account>,
    /// A known kind, `other-service` or `other`.
    pub kind: Dimension<RollupKind>,
    /// The Region in their keys.
    pub region: Dimension<Region>,
    /// The month, counted from January 1970.
    pub month: Option<u32>,
}

/// How much detail the rollups have given up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Collapsed {
    /// None.
    #[default]
    Nothing,
    /// Months do not tell kinds and Regions apart.
    Months,
    /// Accounts are not told apart.
    Accounts,
    /// Neither are Regions.
    Regions,
    /// Neither are buckets.
    Buckets,
}

/// The objects of a group. How many there are is the sum over the verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupCounts {
    /// Objects by verdict.
    pub verdicts: Verdicts,
    /// The sum of their sizes.
    pub bytes: u64,
}

/// The key of a rollup, which can give up detail and be written down.
pub trait Group: Clone + Ord + std::fmt::Debug {
    /// The same group with what `collapsed` says no longer told apart.
    #[must_use]
    fn collapse(self, collapsed: Collapsed) -> Self;

    /// Appends what it differs in from the group before.
    #[doc(hidden)]
    fn encode(&self, before: Option<&Self>, out: &mut Vec<u8>);

    /// The inverse of `encode`, given the same group before.
    #[doc(hidden)]
    fn decode(before: Option<&Self>, encoded: &mut Encoded<'_>) -> Self;
}

impl Collapsed {
    /// The next step, if there is one.
    pub(crate) fn further(self) -> Option<Self> {
        match self {
            Self::Nothing => Some(Self::Months),
            Self::Months => Some(Self::Accounts),
            Self::Accounts => Some(Self::Regions),
            Self::Regions => Some(Self::Buckets),
            Self::Buckets => None,
        }
    }
}

impl GroupCounts {
    /// How many objects there are.
    pub fn objects(&self) -> u64 {
        Verdict::ALL.into_iter().fold(0, |sum, verdict| sum.saturating_add(self.verdicts.get(verdict)))
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.verdicts.add(&other.verdicts);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }

    /// Which verdicts there are, their numbers, and the bytes.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let found = Verdict::ALL.map(|verdict| self.verdicts.get(verdict));
        out.push(found.iter().rev().fold(0, |bits, number| bits << 1 | u8::from(*number > 0)));
        found.into_iter().filter(|number| *number > 0).for_each(|number| push_number(out, number));
        push_number(out, self.bytes);
    }

    pub(super) fn decode(encoded: &mut Encoded<'_>) -> Self {
        let mut counts = Self::default();
        let bits = encoded.take_byte();
        for (at, verdict) in Verdict::ALL.into_iter().enumerate() {
            if bits >> at & 1 == 1 {
                counts.verdicts.count(verdict, encoded.take_number());
            }
        }
        counts.bytes = encoded.take_number();
        counts
    }
}

impl Place {
    /// The place of a key.
    pub(crate) fn new(bucket: Arc<str>, key: &ObjectKey<'_>) -> Self {
        Self {
            bucket: Dimension::Is(bucket),
            account: key.account.map_or(Dimension::Missing, Dimension::Is),
            kind: key.rollup_kind(),
            region: key.region.map_or(Dimension::Missing, Dimension::Is),
        }
    }

    pub(crate) fn period(&self, month: Option<Month>) -> Period {
        Period {
            bucket: self.bucket.clone(),
            account: self.account,
            kind: Dimension::Is(self.kind),
            region: self.region,
            month: month.map(Month::as_index),
        }
    }
}

/// Which dimensions are those of the group before, a bit each.
const SAME_BUCKET: u8 = 1;
const SAME_ACCOUNT: u8 = 2;
const SAME_REGION: u8 = 4;
/// The bits above them hold the kind.
const KIND_SHIFT: u32 = 3;
const _: () = assert!(RollupKind::COUNT <= 1 << (u8::BITS - KIND_SHIFT));
/// In a period, where the bits above hold the month.
const SAME_KIND: u8 = 8;
const MONTH_SHIFT: u32 = 4;

fn bit(flag: u8, holds: bool) -> u8 {
    if holds { flag } else { 0 }
}

impl Group for Place {
    fn collapse(mut self, collapsed: Collapsed) -> Self {
        collapse_owner(&mut self.bucket, &mut self.account, collapsed);
        if collapsed >= Collapsed::Regions {
            self.region = Dimension::Many;
        }
        self
    }

    fn encode(&self, before: Option<&Self>, out: &mut Vec<u8>) {
        let owner_before = before.map(Self::owner);
        let flags = same_owner(self.owner(), owner_before)
            | bit(SAME_REGION, before.is_some_and(|before| before.region == self.region));
        out.push(self.kind.as_index() << KIND_SHIFT | flags);
        encode_owner(flags, self.owner(), owner_before, out);
        if flags & SAME_REGION == 0 {
            encode_region(&self.region, before.map(|before| &before.region), out);
        }
    }

    fn decode(before: Option<&Self>, encoded: &mut Encoded<'_>) -> Self {
        let head = encoded.take_byte();
        let (bucket, account) = decode_owner(head, before.map(Self::owner), encoded);
        let region = match before {
            Some(same) if head & SAME_REGION != 0 => same.region,
            before => decode_region(before.map(|before| &before.region), encoded),
        };
        Self { bucket, account, kind: RollupKind::from_index(head >> KIND_SHIFT), region }
    }
}

impl Place {
    fn owner(&self) -> Owner<'_> {
        (&self.bucket, self.account)
    }
}

impl Group for Period {
    fn collapse(mut self, collapsed: Collapsed) -> Self {
        collapse_owner(&mut self.bucket, &mut self.account, collapsed);
        if collapsed >= Collapsed::Months {
            (self.kind, self.region) = (Dimension::Many, Dimension::Many);
        }
        self
    }

    fn encode(&self, before: Option<&Self>, out: &mut Vec<u8>) {
        let owner_before = before.map(Self::owner);
        let flags = same_owner(self.owner(), owner_before)
            | bit(SAME_REGION, before.is_some_and(|before| before.region == self.region))
            | bit(SAME_KIND, before.is_some_and(|before| before.kind == self.kind));
        let month = self.month.map_or(0, |month| u64::from(month) + 1);
        push_number(out, month << MONTH_SHIFT | u64::from(flags));
        encode_owner(flags, self.owner(), owner_before, out);
        if flags & SAME_KIND == 0 {
            out.push(kind_code(self.kind));
        }
        if flags & SAME_REGION == 0 {
            encode_region(&self.region, before.map(|before| &before.region), out);
        }
    }

    fn decode(before: Option<&Self>, encoded: &mut Encoded<'_>) -> Self {
        let head = encoded.take_number();
        let flags = head as u8 & (SAME_BUCKET | SAME_ACCOUNT | SAME_REGION | SAME_KIND);
        let (bucket, account) = decode_owner(flags, before.map(Self::owner), encoded);
        let kind = match before {
            Some(same) if flags & SAME_KIND != 0 => same.kind,
            _ => kind_of_code(encoded.take_byte()),
        };
        let region = match before {
            Some(same) if flags & SAME_REGION != 0 => same.region,
            before => decode_region(before.map(|before| &before.region), encoded),
        };
        let month = (head >> MONTH_SHIFT).checked_sub(1).map(|month| month as u32);
        Self { bucket, account, kind, region, month }
    }
}

/// The form of a kind, or the kind behind the forms.
fn kind_code(kind: Dimension<RollupKind>) -> u8 {
    match kind {
        Dimension::Missing => MISSING as u8,
        Dimension::Many => MANY as u8,
        Dimension::Is(kind) => IS as u8 + kind.as_index(),
    }
}

fn kind_of_code(code: u8) -> Dimension<RollupKind> {
    match u64::from(code) {
        MISSING => Dimension::Missing,
        MANY => Dimension::Many,
        _ => Dimension::Is(RollupKind::from_index(code - IS as u8)),
    }
}

impl Period {
    fn owner(&self) -> Owner<'_> {
        (&self.bucket, self.account)
    }
}

/// What places and periods have in common.
type Owner<'g> = (&'g Dimension<Arc<str>>, Dimension<Account>);

fn collapse_owner(bucket: &mut Dimension<Arc<str>>, account: &mut Dimension<Account>, collapsed: Collapsed) {
    if collapsed >= Collapsed::Accounts {
        *account = Dimension::Many;
    }
    if collapsed >= Collapsed::Buckets {
        *bucket = Dimension::Many;
    }
}

fn same_owner((bucket, account): Owner<'_>, before: Option<Owner<'_>>) -> u8 {
    bit(SAME_BUCKET, before.is_some_and(|before| before.0 == bucket))
        | bit(SAME_ACCOUNT, before.is_some_and(|before| before.1 == account))
}

fn encode_owner(flags: u8, (bucket, account): Owner<'_>, before: Option<Owner<'_>>, out: &mut Vec<u8>) {
    if flags & SAME_BUCKET == 0 {
        encode_bucket(bucket, out);
    }
    if flags & SAME_ACCOUNT == 0 {
        encode_account(account, before.map(|before| before.1), out);
    }
}

fn decode_owner(
    flags: u8,
    before: Option<Owner<'_>>,
    encoded: &mut Encoded<'_>,
) -> (Dimension<Arc<str>>, Dimension<Account>) {
    let bucket = match before {
        Some((same, _)) if flags & SAME_BUCKET != 0 => same.clone(),
        _ => decode_bucket(encoded),
    };
    let account = match before {
        Some((_, same)) if flags & SAME_ACCOUNT != 0 => same,
        before => decode_account(before.map(|before| before.1), encoded),
    };
    (bucket, account)
}

/// The forms of a dimension: what it is begins at the last of them.
const MISSING: u64 = 0;
const MANY: u64 = 1;
const IS: u64 = 2;

/// The form or the length of the name, and the name.
fn encode_bucket(bucket: &Dimension<Arc<str>>, out: &mut Vec<u8>) {
    match bucket {
        Dimension::Missing => push_number(out, MISSING),
        Dimension::Many => push_number(out, MANY),
        Dimension::Is(name) => {
            push_number(out, IS + name.len() as u64);
            out.extend_from_slice(name.as_bytes());
        }
    }
}

fn decode_bucket(encoded: &mut Encoded<'_>) -> Dimension<Arc<str>> {
    match encoded.take_number() {
        MISSING => Dimension::Missing,
        MANY => Dimension::Many,
        form => {
            let name = encoded.take((form - IS) as usize);
            Dimension::Is(String::from_utf8_lossy(name).into())
        }
    }
}

/// The distance to the account before, which is small: a million accounts are in order. Where the bucket is a new one
/// the distance goes backwards and wraps around.
fn encode_account(account: Dimension<Account>, before: Option<Dimension<Account>>, out: &mut Vec<u8>) {
    push_number(out, account_code(account).wrapping_sub(before.map_or(0, account_code)));
}

fn decode_account(before: Option<Dimension<Account>>, encoded: &mut Encoded<'_>) -> Dimension<Account> {
    match before.map_or(0, account_code).wrapping_add(encoded.take_number()) {
        MISSING => Dimension::Missing,
        MANY => Dimension::Many,
        form => Dimension::Is(Account::from_number(form - IS)),
    }
}

fn account_code(account: Dimension<Account>) -> u64 {
    match account {
        Dimension::Missing => MISSING,
        Dimension::Many => MANY,
        Dimension::Is(account) => IS + account.as_number(),
    }
}

/// The form or how long a beginning is shared with the Region before; then the length of the rest, and the rest.
fn encode_region(region: &Dimension<Region>, before: Option<&Dimension<Region>>, out: &mut Vec<u8>) {
    let region = match region {
        Dimension::Missing => return push_number(out, MISSING),
        Dimension::Many => return push_number(out, MANY),
        Dimension::Is(region) => region,
    };
    let shared = region.as_padded().iter().zip(padded(before)).take_while(|(one, other)| *one == other).count();
    let rest = &region.as_bytes()[shared..];
    push_number(out, IS + shared as u64);
    push_number(out, rest.len() as u64);
    out.extend_from_slice(rest);
}

fn decode_region(before: Option<&Dimension<Region>>, encoded: &mut Encoded<'_>) -> Dimension<Region> {
    let shared = match encoded.take_number() {
        MISSING => return Dimension::Missing,
        MANY => return Dimension::Many,
        form => (form - IS) as usize,
    };
    let len = encoded.take_number() as usize;
    let mut text = [0; Region::MAX_LEN];
    text[..shared].copy_from_slice(&padded(before)[..shared]);
    text[shared..shared + len].copy_from_slice(encoded.take(len));
    Dimension::Is(Region::from_padded(text))
}

fn padded(region: Option<&Dimension<Region>>) -> [u8; Region::MAX_LEN] {
    match region {
        Some(Dimension::Is(region)) => *region.as_padded(),
        _ => [0; Region::MAX_LEN],
    }
}
