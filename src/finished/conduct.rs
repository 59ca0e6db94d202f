//! How an audit was done, as its result says it: what it takes to do it again.

use super::audit::AuditResult;

/// How an audit was done. Where its inputs lie is not part of it, nor what only decides about its speed.
#[derive(Clone, Debug)]
pub(crate) struct Conduct<'a> {
    /// What "today" was.
    pub(crate) as_of: &'a str,
    /// The time within which no key was changed unseen.
    pub(crate) evidence_max_age: Option<&'a str>,
    pub(crate) evidence_logs_are_complete: bool,
    pub(crate) evidence_hints_decide: bool,
    /// Whether key evidence took part.
    pub(crate) has_evidence: bool,
    /// Whether digests took part.
    pub(crate) has_digests: bool,
    /// Whether data files without a manifest, or without checksums, were taken.
    pub(crate) accepts_unproven: bool,
    pub(crate) accepts_overlap: bool,
    pub(crate) accepts_manifest_time: bool,
    pub(crate) allows_empty: bool,
    /// Whether nothing was counted by group.
    pub(crate) counts_no_groups: bool,
    /// Whether objects whose key is not known are to be put right, too.
    pub(crate) remedies_undetermined: bool,
    /// How many rows of each verdict were drawn.
    pub(crate) sample: u32,
    pub(crate) sample_seed: Option<&'a str>,
}

impl<'a> Conduct<'a> {
    pub(super) fn of(result: &'a AuditResult) -> Self {
        let assumed = |name: &str| result.assumptions.iter().find(|assumption| assumption.name == name);
        let is_reason = |name: &str| result.outcome_reasons.iter().any(|reason| reason == name);
        let to_put_right = result.remediation.values().fold(0_u64, |sum, lane| sum.saturating_add(lane.objects));
        let keys = &result.key_coverage;
        Self {
            as_of: &result.as_of,
            evidence_max_age: assumed("evidence_max_age").map(|assumption| assumption.value.as_str()),
            evidence_logs_are_complete: assumed("evidence_logs_complete").is_some(),
            evidence_hints_decide: assumed("evidence_hints_decide").is_some(),
            has_evidence: keys.known + keys.stale + keys.conflicting > 0,
            has_digests: result.digests.is_some(),
            accepts_unproven: is_reason("unproven_completeness"),
            accepts_overlap: assumed("no_overlap").is_some(),
            accepts_manifest_time: assumed("manifest_time_accepted").is_some(),
            allows_empty: assumed("empty_scope_accepted").is_some(),
            counts_no_groups: result.rollup == "none",
            remedies_undetermined: to_put_right > result.counts.violation,
            sample: result.sample.per_verdict,
            sample_seed: result.sample.seed.as_deref(),
        }
    }

    /// The command that does it again, for a shell. What stands in capitals is to be replaced.
    pub(crate) fn command(&self) -> String {
        let flags = [
            (self.has_evidence, "--key-evidence EVIDENCE..."),
            (self.evidence_logs_are_complete, "--evidence-logs complete"),
            (self.evidence_hints_decide, "--evidence-hints decide"),
            (self.has_digests, "--digests ROOT..."),
            (self.accepts_unproven, "--accept-unproven"),
            (self.accepts_overlap, "--accept-overlap"),
            (self.accepts_manifest_time, "--accept-manifest-time"),
            (self.allows_empty, "--allow-empty"),
            (self.counts_no_groups, "--rollup none"),
            (self.remedies_undetermined, "--remediate-undetermined"),
        ];
        let values = [
            ("--evidence-max-age", self.evidence_max_age.map(shell_word)),
            ("--sample", Some(self.sample.to_string())),
            ("--sample-seed", self.sample_seed.map(shell_word)),
        ];
        let mut command = format!("logseal audit SOURCE... --policy policy.toml --as-of {}", shell_word(self.as_of));
        flags.iter().filter(|(holds, _)| *holds).for_each(|(_, flag)| command.extend([" ", flag]));
        for (option, value) in values {
            command.extend(value.iter().flat_map(|value| [" ", option, " ", value]));
        }
        command + " --out DIR"
    }
}

/// A text as one word of a shell.
fn shell_word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte);
    match !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_shell_are_quoted_where_they_must_be() {
        for (text, word) in [("7d", "7d"), ("", "''"), ("it's", r"'it'\''s'"), ("-x", "'-x'"), ("$(a) b", "'$(a) b'")] {
            assert_eq!(shell_word(text), word);
        }
    }
}
