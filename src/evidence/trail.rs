//! CloudTrail logs: what they say of the keys of single objects, and which keys they show in use on buckets.

use super::TooManyKeys;
use super::answers::Claim;
use super::cloudtrail::{DataKey, Event, Write, WriteKind, scan};
use super::collect::Collector;
use super::files::{Lines, Stop};
use super::said::{Name, Of, Said, When};
use crate::policy::{Method, Status};

/// Collects what a log says. A log with records that cannot be read may lack what would change everything.
pub(super) fn collect(log: &mut Lines, to: &mut Collector<'_, '_>) -> Result<(), Stop> {
    let (mut scratch, mut failed) = (std::mem::take(&mut to.logs), None);
    let scanned = scan(log, &mut scratch, &mut |event| {
        if failed.is_none() {
            failed = say(&event, to).err();
        }
    });
    to.logs = scratch;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let scanned = scanned.map_err(|error| Stop::Fault { what: "evidence_damaged", why: error.to_string() })?;
    if scanned.unreadable > 0 {
        let why = format!("{} of its {} records cannot be read", scanned.unreadable, scanned.records);
        return Err(Stop::Fault { what: "evidence_bad_record", why });
    }
    Ok(())
}

fn say(event: &Event<'_>, to: &mut Collector<'_, '_>) -> Result<(), TooManyKeys> {
    let said = match event {
        Event::Write(write) => of_write(write),
        Event::DataKey(DataKey { bucket, key: None, key_arn, .. }) => {
            return to.see_in_use(bucket, key_arn);
        }
        Event::DataKey(DataKey { time, bucket, key: Some(key), key_arn }) => {
            let (name, when) = (Name::Is(key_arn.as_bytes()), When::At(*time));
            Some(Said::new((bucket, key), Of::WrittenThen, Claim::DataKey, name, when))
        }
    };
    said.map_or(Ok(()), |said| to.say(&said))
}

/// What a write says. Which version an upload makes is told when it ends, and what an update changes is the current
/// version where it names none.
fn of_write<'a>(write: &Write<'a>) -> Option<Said<'a>> {
    let is_update = write.what == WriteKind::UpdateObjectEncryption;
    let is_kms = matches!(write.method, Some(Method::SseKms | Method::DsseKms));
    let of = match (write.what, write.version_id) {
        (WriteKind::CreateMultipartUpload, _) => Of::WrittenThen,
        (WriteKind::UpdateObjectEncryption, None) => Of::Current,
        (_, version) => Of::Version(version),
    };
    let claim = match write.method {
        // An upload that has begun may never have ended.
        _ if write.what == WriteKind::CreateMultipartUpload => Claim::DataKey,
        Some(method) => Claim::Is(status(method)),
        None => Claim::SomeKms,
    };
    let name = match write.key_arn {
        Some(name) => Name::Is(name.as_bytes()),
        None if is_update => Name::Untold,
        None => Name::None,
    };
    let says_nothing = name == Name::None && (is_kms || write.method.is_none() || claim == Claim::DataKey);
    // A write names no other time than its own.
    let (when, modified) = (When::At(write.time), (!is_update).then_some(write.time));
    let said = Said::new((write.bucket, write.key), of, claim, name, when);
    (!says_nothing).then_some(Said { modified, is_write: !is_update, ..said })
}

fn status(method: Method) -> Status {
    match method {
        Method::SseS3 => Status::SseS3,
        Method::SseKms => Status::SseKms,
        Method::DsseKms => Status::DsseKms,
        Method::SseC => Status::SseC,
    }
}
