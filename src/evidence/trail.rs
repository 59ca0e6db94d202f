//! Events of CloudTrail: what they say of the keys of single objects, and which keys they show in use on buckets.

use super::TooManyKeys;
use super::cloudtrail::{AskedBy, DataKey, Event, Stated, Unattributed, Write, WriteKind};
use super::collect::Collector;
use super::said::{Mark, Name, Named, Said};
use super::unattributed::Deed;
use super::words::{Claim, Hint, What};
use crate::policy::{Method, Status};

/// Collects what an event says.
pub(super) fn say(event: &Event<'_>, to: &mut Collector<'_, '_>) -> Result<(), TooManyKeys> {
    match event {
        Event::Write(write) => to.say(&of_write(write)),
        Event::Unattributed(Unattributed { what, time, bucket, key_arn, account, .. }) => {
            to.say_unattributed(*bucket, deed(*what), *time, named(*key_arn, *account))
        }
        Event::DataKey(DataKey { bucket, key: None, key_arn: Some(name), asked_by: AskedBy::Service, .. }) => {
            to.see_in_use(bucket, name)
        }
        // It is for any object of the bucket.
        Event::DataKey(DataKey { key: None, .. }) => Ok(()),
        Event::DataKey(DataKey { time, bucket, key: Some(key), key_arn, asked_by, account, .. }) => to.say(&Said {
            bucket,
            key,
            version: Named::WrittenThen,
            what: What::Hint(match asked_by {
                AskedBy::Service => Hint::DataKey,
                AskedBy::Other => Hint::ForeignDataKey,
            }),
            claim: Claim::SomeKms,
            name: named(*key_arn, *account),
            when: Some(*time),
            modified: None,
            mark: Mark::None,
        }),
    }
}

/// What a write says. Which version an upload makes is told when it ends, and what an update changes may be any version
/// where it names none.
fn of_write<'a>(write: &Write<'a>) -> Said<'a> {
    let (what, version) = match (write.what, write.version_id) {
        (WriteKind::CreateMultipartUpload, _) => (What::Hint(Hint::Upload), Named::WrittenThen),
        (WriteKind::UpdateObjectEncryption, None) => (What::ReKeying, Named::Any),
        (WriteKind::UpdateObjectEncryption, Some(id)) => (What::ReKeying, Named::As(id)),
        (WriteKind::CompleteMultipartUpload, id) => (What::Upload, Named::As(id.unwrap_or_default())),
        (WriteKind::PutObject | WriteKind::CopyObject, id) => (What::Write, Named::As(id.unwrap_or_default())),
    };
    Said {
        bucket: write.bucket,
        key: write.key,
        version,
        what,
        claim: match write.method {
            Stated::Is(method) => Claim::Is(status(method)),
            Stated::Nothing if write.key_arn.is_some() => Claim::SomeKms,
            Stated::Nothing | Stated::Unknown => Claim::Untold,
        },
        name: named(write.key_arn, write.account),
        when: Some(write.time),
        modified: None,
        mark: write.upload_id.map_or(Mark::None, |id| Mark::Upload(id.as_bytes())),
    }
}

fn named<'a>(key: Option<&'a str>, account: Option<&'a str>) -> Name<'a> {
    match (key, account) {
        (None, _) => Name::Untold,
        (Some(key), None) => Name::Is(key.as_bytes()),
        (Some(key), Some(account)) => Name::Of(key.as_bytes(), account.as_bytes()),
    }
}

fn deed(what: WriteKind) -> Deed {
    match what {
        WriteKind::UpdateObjectEncryption => Deed::ReKeying,
        WriteKind::PutObject | WriteKind::CopyObject | WriteKind::CreateMultipartUpload => Deed::Write,
        WriteKind::CompleteMultipartUpload => Deed::Completion,
    }
}

fn status(method: Method) -> Status {
    match method {
        Method::SseS3 => Status::SseS3,
        Method::SseKms => Status::SseKms,
        Method::DsseKms => Status::DsseKms,
        Method::SseC => Status::SseC,
    }
}
