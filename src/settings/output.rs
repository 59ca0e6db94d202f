//! The files of a look at settings.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::checks::{Basis, Judged, Row, severity};
use super::fixes::Fix;
use super::frameworks::Frameworks;
use super::model::{Model, SourceFault};
use super::summary::{SettingsFault, SettingsSummary};
use crate::escape::push_cell;
use crate::sinks::{FIXES, OutputError, OutputFolder, OutputKind, SUMMARY_FILE};

/// What is written.
pub(super) struct Results<'r> {
    pub(super) model: &'r Model,
    pub(super) judged: &'r Judged,
    pub(super) frameworks: &'r Frameworks,
    pub(super) faults: &'r [SourceFault],
    pub(super) fixes: &'r [Fix],
    pub(super) summary: &'r SettingsSummary,
}

/// Writes everything.
pub(super) fn write((out, overwrite): (&Path, bool), results: &Results<'_>) -> Result<(), OutputError> {
    let Results { model, judged, frameworks, faults, fixes, summary } = results;
    let mut folder = OutputFolder::create_for(OutputKind::Settings, out, overwrite)?;
    folder.write("settings.csv", |out| {
        let header = "account,region,resource,check,verdict,reason,expected,actual,source,observed_at,severity,frameworks,exception\n";
        out.write_all(header.as_bytes())?;
        judged.rows.iter().try_for_each(|row| out.write_all(&settings_row(row, model, frameworks)))
    })?;
    folder.write("trails.csv", |out| write_trails(out, judged))?;
    folder.write("decryptors.csv", |out| write_decryptors(out, judged))?;
    folder.write("faults.jsonl", |out| write_faults(out, faults))?;
    folder.begin_folder(FIXES)?;
    for (name, text) in documents(fixes) {
        folder.write_fix(name, text.as_bytes())?;
    }
    if !fixes.is_empty() {
        folder.write_fix("commands.sh", commands(fixes).as_bytes())?;
    }
    folder.write_json(SUMMARY_FILE, summary)?;
    folder.publish()
}

fn write_faults(out: &mut dyn io::Write, faults: &[SourceFault]) -> io::Result<()> {
    for fault in faults {
        serde_json::to_writer(&mut *out, &SettingsFault::new(fault))?;
        writeln!(out)?;
    }
    Ok(())
}

/// The files that commands take, each once.
fn documents(fixes: &[Fix]) -> BTreeMap<&str, &str> {
    fixes.iter().filter_map(|fix| fix.document.as_ref()).map(|(name, text)| (name.as_str(), text.as_str())).collect()
}

/// All commands, account by account. Values were checked to be plain; nothing runs before somebody takes out a line.
fn commands(fixes: &[Fix]) -> String {
    let mut text = include_str!("fixes/commands.sh").to_owned();
    let mut ordered: Vec<&Fix> = fixes.iter().collect();
    ordered.sort_by(|one, other| (one.order(), &one.account).cmp(&(other.order(), &other.account)));
    let mut account = None;
    let mut written = BTreeSet::new();
    for fix in ordered {
        if account != Some(&fix.account) {
            account = Some(&fix.account);
            text.push_str(&format!("\n# With credentials of account {}:\n", fix.account));
        }
        text.push_str(&format!("\n# {} of {}: {}\n", fix.check, fix.resource, fix.reason));
        for line in fix.command.lines() {
            match written.insert(line) {
                true => text.push_str(&format!("{line}\n")),
                false => text.push_str("# by the same command as above\n"),
            }
        }
    }
    text
}

/// One row of a CSV file.
fn row<'c>(cells: impl IntoIterator<Item = &'c str>) -> Vec<u8> {
    let mut row = Vec::new();
    for (at, cell) in cells.into_iter().enumerate() {
        if at > 0 {
            row.push(b',');
        }
        push_cell(&mut row, cell.as_bytes());
    }
    row.push(b'\n');
    row
}

fn settings_row(found: &Row, model: &Model, frameworks: &Frameworks) -> Vec<u8> {
    let Row { account, region, resource, check, conclusion, exception } = found;
    let (sources, observed_at) = said_by(&conclusion.basis, model);
    let controls = frameworks.of(check).join("; ");
    row([
        account.as_str(),
        region,
        resource,
        check,
        conclusion.verdict.as_str(),
        conclusion.reason,
        &conclusion.expected,
        &conclusion.actual,
        &sources,
        &observed_at,
        severity(check).as_str(),
        &controls,
        exception.as_deref().unwrap_or_default(),
    ])
}

/// The files that a row rests on, and the time of the oldest of what they say.
fn said_by(basis: &Basis, model: &Model) -> (String, String) {
    let mut paths: Vec<&str> = basis
        .marks()
        .filter_map(|mark| model.sources.get(mark.source.0 as usize))
        .map(|source| source.path.as_str())
        .collect();
    paths.sort_unstable();
    paths.dedup();
    let mut text = paths.join(" | ");
    if basis.more() > 0 {
        text.push_str(&format!(" | and {} more", basis.more()));
    }
    let oldest = basis.marks().filter_map(|mark| mark.at).min();
    (text, oldest.map(|time| time.to_string()).unwrap_or_default())
}

fn write_trails(out: &mut dyn io::Write, judged: &Judged) -> io::Result<()> {
    let header = "trail,owner,home_region,organization,multi_region,bucket,prefix,bucket_owner,bucket_region,log_group,\
                  log_group_account,key,validation,logging,last_delivery,seen_in,compliant\n";
    out.write_all(header.as_bytes())?;
    for trail in &judged.trails {
        let settings = trail.settings.as_ref();
        let flag = |flag: Option<bool>| flag.map_or("unknown", |flag| if flag { "true" } else { "false" });
        let log_group = settings.and_then(|settings| settings.log_group.as_deref()).unwrap_or_default();
        let text = |get: fn(&super::facts::TrailSettings) -> &str| settings.map(get).unwrap_or_default();
        let delivered = trail.delivered_at.map(|time| time.to_string()).unwrap_or_default();
        let line = row([
            &*trail.arn,
            trail.arn.split(':').nth(4).unwrap_or_default(),
            text(|settings| &settings.home_region),
            flag(trail.organization),
            flag(settings.map(|settings| settings.multi_region)),
            text(|settings| &settings.bucket),
            text(|settings| &settings.prefix),
            trail.bucket_owner.as_deref().unwrap_or_default(),
            trail.bucket_region.as_deref().unwrap_or_default(),
            log_group,
            log_group.split(':').nth(4).unwrap_or_default(),
            settings.and_then(|settings| settings.key.as_deref()).unwrap_or_default(),
            flag(settings.map(|settings| settings.validation)),
            flag(trail.is_logging),
            &delivered,
            &trail.seen_in.to_string(),
            flag(Some(trail.is_compliant)),
        ]);
        out.write_all(&line)?;
    }
    Ok(())
}

fn write_decryptors(out: &mut dyn io::Write, judged: &Judged) -> io::Result<()> {
    out.write_all(b"key,who,class,how,certainty,by,condition,can_give_itself,allowed\n")?;
    for decryptor in &judged.decryptors {
        let flag = |flag: bool| if flag { "true" } else { "false" };
        let line = row([
            decryptor.key.as_str(),
            &decryptor.who,
            decryptor.class,
            decryptor.how,
            decryptor.certainty.as_str(),
            &decryptor.by,
            &decryptor.condition,
            flag(decryptor.can_give_itself),
            flag(decryptor.is_allowed),
        ]);
        out.write_all(&line)?;
    }
    Ok(())
}
