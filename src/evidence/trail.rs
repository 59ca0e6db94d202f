//! Events of CloudTrail: what they say of the keys of single objects, and which keys they show in use on buckets.

use super::answers::Claim;
use super::cloudtrail::{AskedBy, DataKey, Event, Stated, Write, WriteKind};
use super::collect::Collector;
use super::files::Stop;
use super::said::{Name, Of, Said, When};
use crate::policy::{Method, Status};

/// Collects what an event says.
pub(super) fn say(event: &Event<'_>, to: &mut Collector<'_, '_>) -> Result<(), Stop> {
    let said = match event {
        Event::Write(write) => of_write(write),
        Event::Unattributed(unattributed) if unattributed.what == WriteKind::UpdateObjectEncryption => {
            let why = "the encryption of an object was changed, and the event does not tell which".to_owned();
            return Err(Stop::Fault { what: "evidence_bad_record", why });
        }
        Event::Unattributed(_) | Event::DataKey(DataKey { key_arn: None, .. }) => None,
        Event::DataKey(DataKey { asked_by: AskedBy::Other, .. }) => None,
        Event::DataKey(DataKey { bucket, key: None, key_arn: Some(name), .. }) => {
            return Ok(to.see_in_use(bucket, name)?);
        }
        Event::DataKey(DataKey { time, bucket, key: Some(key), key_arn: Some(name), .. }) => {
            let (name, when) = (Name::Is(name.as_bytes()), When::At(*time));
            Some(Said::new((bucket, key), Of::WrittenThen, Claim::DataKey, name, when))
        }
    };
    Ok(said.map_or(Ok(()), |said| to.say(&said))?)
}

/// What a write says. Which version an upload makes is told when it ends, and what an update changes is the current
/// version where it names none.
fn of_write<'a>(write: &Write<'a>) -> Option<Said<'a>> {
    let is_update = write.what == WriteKind::UpdateObjectEncryption;
    let method = if let Stated::Is(method) = write.method { Some(method) } else { None };
    let is_kms = matches!(method, Some(Method::SseKms | Method::DsseKms));
    let of = match (write.what, write.version_id) {
        (WriteKind::CreateMultipartUpload, _) => Of::WrittenThen,
        (WriteKind::UpdateObjectEncryption, None) => Of::Current,
        (_, version) => Of::Version(version),
    };
    let claim = match method {
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
    let says_nothing = name == Name::None && (is_kms || method.is_none() || claim == Claim::DataKey);
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
