//! What is written beside the lists of objects to be put right: the plan, and the jobs and scripts that carry it out.

use std::collections::BTreeSet;

use crate::audit::AuditFacts;
use crate::batch::Column;
use crate::campaign::{
    Campaign, CampaignInput, JobFacts, JobSettings, Missing, Prices, Restore, Script, commands, jobs, readme,
    render_campaign,
};
use crate::partial::Partial;
use crate::policy::KeyArn;
use crate::sinks::{GroupFile, OutputError, OutputFolder};
use crate::timestamp::Timestamp;

/// What no inventory report can tell of a campaign.
#[derive(Clone, Debug)]
pub struct CampaignOptions {
    /// The account, the role and the places of the jobs.
    pub jobs: JobSettings,
    /// What things cost, and how fast they go.
    pub prices: Prices,
}

/// Writes the plan, the request of each job, the scripts for what no job does and a text for whoever runs them.
pub(crate) fn write_campaign(
    output: &OutputFolder,
    facts: &AuditFacts,
    partial: &Partial,
    files: &[GroupFile],
    options: &CampaignOptions,
) -> Result<(), OutputError> {
    let as_of = Timestamp::from_millis(partial.terms.as_of).unwrap_or(Timestamp::MAX);
    let key = facts.policy.remediation.as_ref().and_then(|remediation| KeyArn::parse(&remediation.key));
    let found = CampaignInput {
        groups: partial.remediation.groups.clone(),
        reasons: partial.remediation.reasons.clone(),
        free: partial.remediation.free.clone(),
        retained: partial.remediation.retained.clone(),
        files: files.to_vec(),
        missing: missing(partial),
        key: key.as_ref(),
        as_of,
        restore: Restore::default(),
    };
    let campaign = Campaign::new(&found, &options.prices);
    let plan = serde_json::to_string_pretty(&campaign).map_err(|error| output.fails("plan.json", error.into()))?;
    output.write_remediation("plan.json", format!("{plan}\n").as_bytes())?;
    output.write_remediation("plan.md", render_campaign(&campaign).as_bytes())?;
    let job_facts = |report_time| key.as_ref().map(|key| JobFacts { key, report_time, settings: &options.jobs });
    for file in files {
        let Some(facts) = job_facts(report_time(facts, &file.group.bucket).unwrap_or(as_of)) else { break };
        let folder = file.group.folder();
        for (name, request) in jobs(file, &facts) {
            output.write_remediation(&format!("{folder}/{name}"), format!("{request:#}\n").as_bytes())?;
        }
        if let Some(script) = Script::new(file, &facts) {
            output.fill_remediation(&script.path, |out| script.write(|| output.read_remediation(&file.path), out))?;
        }
    }
    if files.is_empty() {
        return Ok(());
    }
    let facts = job_facts(as_of);
    if let Some(commands) = facts.as_ref().and_then(|facts| commands(files, facts)) {
        output.write_remediation("jobs.sh", commands.as_bytes())?;
    }
    output.write_remediation("README.md", readme(files, facts.as_ref()).as_bytes())
}

/// When the oldest report about a bucket was made: what was written later was not looked at.
fn report_time(facts: &AuditFacts, bucket: &str) -> Option<Timestamp> {
    let of_bucket = facts.sources.iter().filter(|source| source.bucket.as_deref().is_none_or(|name| name == bucket));
    let times = of_bucket.map(|source| Timestamp::parse(source.created_at.as_deref()?.as_bytes()));
    times.collect::<Option<Vec<_>>>()?.into_iter().min()
}

/// What some of the reports do not say.
fn missing(partial: &Partial) -> BTreeSet<Missing> {
    let lacks = |column| partial.sources.values().any(|source| source.lacking.contains(column));
    let columns = [
        (Missing::Locks, Column::ObjectLockMode),
        (Missing::Size, Column::Size),
        (Missing::StorageClass, Column::StorageClass),
        (Missing::Tier, Column::IntelligentTieringAccessTier),
        (Missing::Versions, Column::VersionId),
        (Missing::IsLatest, Column::IsLatest),
    ];
    columns.into_iter().filter(|(_, column)| lacks(*column)).map(|(missing, _)| missing).collect()
}
