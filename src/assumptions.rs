//! What a result takes for granted: statements that no input proves, made by the operator or by the nature of a source.
//!
//! An [`Assumption`] has a name, the value it was made with, and a sentence for people. A result repeats all of its
//! [`Assumptions`], in `summary.json` and on stdout; shards share them as a part of their [`Terms`](crate::partial::Terms),
//! so a merge repeats them, too. They are sorted and each is said once, whatever the order in which they came up.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// What can be taken for granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AssumptionName {
    /// `--accept-manifest-time`.
    ManifestTimeAccepted,
    /// `--accept-overlap`.
    NoOverlap,
    /// `max_age` of key evidence: a duration.
    EvidenceMaxAge,
    /// `logs = "complete"` of key evidence: what digests prove of their delivery, if there are any.
    EvidenceLogsComplete,
    /// `hints = "decide"` of key evidence.
    EvidenceHintsDecide,
    /// Tables of S3 Metadata are among the evidence.
    MetadataShowsRekeyings,
    /// Some evidence has no time.
    UndatedEvidenceIsOlder,
    /// Aliases of keys were resolved: the name of the list.
    AliasesUnchanged,
    /// `--accept-unreferenced`: a pattern.
    UnreferencedAccepted,
    /// `--accept-starts`.
    ChainStartsAccepted,
    /// `--accept-ends`.
    ChainEndsAccepted,
    /// `--inventory-lag`: a time that is not the usual one.
    InventoryLag,
    /// `--allow-empty`, where no object is in scope.
    EmptyScopeAccepted,
}

impl AssumptionName {
    /// As it is written in `summary.json`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ManifestTimeAccepted => "manifest_time_accepted",
            Self::NoOverlap => "no_overlap",
            Self::EvidenceMaxAge => "evidence_max_age",
            Self::EvidenceLogsComplete => "evidence_logs_complete",
            Self::EvidenceHintsDecide => "evidence_hints_decide",
            Self::MetadataShowsRekeyings => "metadata_shows_rekeyings",
            Self::UndatedEvidenceIsOlder => "undated_evidence_is_older",
            Self::AliasesUnchanged => "aliases_unchanged",
            Self::UnreferencedAccepted => "unreferenced_accepted",
            Self::ChainStartsAccepted => "chain_starts_accepted",
            Self::ChainEndsAccepted => "chain_ends_accepted",
            Self::InventoryLag => "inventory_lag",
            Self::EmptyScopeAccepted => "empty_scope_accepted",
        }
    }

    /// A sentence for people.
    fn text(self) -> &'static str {
        match self {
            Self::ManifestTimeAccepted => "reports are judged although their creation time is missing or impossible",
            Self::NoOverlap => "no object is in two of the sources of one bucket",
            Self::EvidenceMaxAge => "no key was changed unseen within this time",
            Self::EvidenceLogsComplete => "a trail recorded every write data event of the buckets",
            Self::EvidenceHintsDecide => {
                "no two writes of one object lie within two seconds, and no write failed that asked for a data key"
            }
            Self::MetadataShowsRekeyings => {
                "tables of S3 Metadata show the key that an object had one hour before they were taken"
            }
            Self::UndatedEvidenceIsOlder => "evidence without a time was taken before the reports were made",
            Self::AliasesUnchanged => "aliases named the same keys at the time of the evidence",
            Self::UnreferencedAccepted => "no digest has to list files of this pattern",
            Self::ChainStartsAccepted => "trails whose first digest lies in the window had none before it",
            Self::ChainEndsAccepted => "trails whose last digest lies in the window delivered none after it",
            Self::InventoryLag => "an inventory has every object that was stored so long before it was made",
            Self::EmptyScopeAccepted => "that the policy finds no object to judge is as it should be",
        }
    }
}

/// Something that a result takes for granted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Assumption {
    /// What it is called.
    pub name: AssumptionName,
    /// What it was made with; empty if its name says everything.
    pub value: String,
}

/// An assumption, as reports name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AssumptionLine {
    /// The name of the assumption, as [`AssumptionName::as_str`] spells it.
    pub name: &'static str,
    /// What it was made with, such as a time or a pattern, as it was given and not escaped; empty if its name says
    /// everything.
    pub value: String,
    /// What is taken for granted, for people.
    pub text: &'static str,
}

/// Everything that a result takes for granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Assumptions(BTreeSet<Assumption>);

impl Assumptions {
    /// One more. Text from outside is escaped by whoever shows it.
    pub fn add(&mut self, name: AssumptionName, value: impl Into<String>) {
        self.0.insert(Assumption { name, value: value.into() });
    }

    /// Those of others as well.
    pub fn extend(&mut self, others: &Self) {
        self.0.extend(others.0.iter().cloned());
    }

    /// Whether this one is among them.
    pub fn has(&self, name: AssumptionName) -> bool {
        self.0.iter().any(|assumption| assumption.name == name)
    }

    /// Whether nothing is taken for granted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As reports name them, in order.
    pub fn lines(&self) -> Vec<AssumptionLine> {
        let line = |Assumption { name, value }: &Assumption| AssumptionLine {
            name: name.as_str(),
            value: value.clone(),
            text: name.text(),
        };
        self.0.iter().map(line).collect()
    }
}

impl AssumptionLine {
    /// For people: `evidence_max_age 7d: no key was changed unseen within this time`.
    pub fn sentence(&self) -> String {
        let space = if self.value.is_empty() { "" } else { " " };
        format!("{}{space}{}: {}", self.name, crate::escape::escape(self.value.as_bytes()), self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_said_once_and_in_order() {
        let mut assumptions = Assumptions::default();
        assumptions.add(AssumptionName::EvidenceMaxAge, "7d");
        assumptions.add(AssumptionName::NoOverlap, "");
        let mut others = Assumptions::default();
        others.add(AssumptionName::EvidenceMaxAge, "7d");
        others.add(AssumptionName::ManifestTimeAccepted, "");
        assumptions.extend(&others);
        let names: Vec<_> = assumptions.lines().iter().map(|line| line.name).collect();
        assert_eq!(names, ["manifest_time_accepted", "no_overlap", "evidence_max_age"]);
        assert_eq!(
            assumptions.lines()[2].sentence(),
            "evidence_max_age 7d: no key was changed unseen within this time"
        );
    }

    #[test]
    fn names_are_spelled_one_way() {
        let mut assumptions = Assumptions::default();
        for name in [
            AssumptionName::ManifestTimeAccepted,
            AssumptionName::NoOverlap,
            AssumptionName::EvidenceMaxAge,
            AssumptionName::EvidenceLogsComplete,
            AssumptionName::EvidenceHintsDecide,
            AssumptionName::MetadataShowsRekeyings,
            AssumptionName::UndatedEvidenceIsOlder,
            AssumptionName::AliasesUnchanged,
            AssumptionName::UnreferencedAccepted,
            AssumptionName::ChainStartsAccepted,
            AssumptionName::ChainEndsAccepted,
            AssumptionName::InventoryLag,
        ] {
            assert_eq!(serde_json::to_value(name).expect("written"), name.as_str());
            assumptions.add(name, "v");
        }
        let text = serde_json::to_string(&assumptions).expect("written");
        assert_eq!(serde_json::from_str::<Assumptions>(&text).expect("read"), assumptions);
    }
}
