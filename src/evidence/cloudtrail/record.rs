//! The members of a record that are looked at.
//!
//! Names are those of real records. Where CloudTrail's own habits differ between years, both are read: a header of a
//! request is a string, or (records of 2017 to 2019) a list of one string.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// One record.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    pub(super) event_source: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) event_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) event_time: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) aws_region: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) recipient_account_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) user_identity: Option<Object<UserIdentity<'a>>>,
    pub(super) error_code: Option<IgnoredAny>,
    pub(super) error_message: Option<IgnoredAny>,
    #[serde(borrow)]
    pub(super) request_parameters: Option<Object<Request<'a>>>,
    #[serde(borrow)]
    pub(super) response_elements: Option<Object<Headers<'a>>>,
    #[serde(borrow)]
    pub(super) additional_event_data: Option<Object<Additional<'a>>>,
    #[serde(borrow)]
    pub(super) resources: Option<Resources<'a>>,
}

/// Who called.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserIdentity<'a> {
    #[serde(borrow)]
    pub(super) account_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) invoked_by: Option<Text<'a>>,
}

/// `requestParameters`: of S3 calls the place and the headers, of KMS calls the parameters.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    pub(super) bucket_name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) key: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) version_id: Option<Text<'a>>,
    #[serde(rename = "x-amz-server-side-encryption", borrow, default)]
    pub(super) algorithm: Header<'a>,
    #[serde(rename = "x-amz-server-side-encryption-customer-algorithm", borrow, default)]
    pub(super) customer_algorithm: Header<'a>,
    #[serde(rename = "x-amz-server-side-encryption-aws-kms-key-id", borrow)]
    pub(super) kms_key_id: Option<Text<'a>>,
    #[serde(rename = "x-amz-server-side-encryption-bucket-key-enabled")]
    pub(super) bucket_key: Option<Flag>,
    // Bodies in XML appear under the names of their elements (seen with PutBucketVersioning); how CloudTrail spells this
    // newer one has not been seen.
    #[serde(rename = "ObjectEncryption", alias = "objectEncryption", borrow)]
    pub(super) object_encryption: Option<Object<ObjectEncryption<'a>>>,
    #[serde(alias = "UploadId", borrow)]
    pub(super) upload_id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) encryption_context: Option<Object<EncryptionContext<'a>>>,
    #[serde(borrow)]
    pub(super) key_id: Option<Text<'a>>,
}

/// `responseElements` of S3 calls.
#[derive(Deserialize)]
pub(super) struct Headers<'a> {
    #[serde(rename = "x-amz-version-id", borrow)]
    pub(super) version_id: Option<Text<'a>>,
    #[serde(rename = "x-amz-server-side-encryption", borrow, default)]
    pub(super) algorithm: Header<'a>,
    #[serde(rename = "x-amz-server-side-encryption-customer-algorithm", borrow, default)]
    pub(super) customer_algorithm: Header<'a>,
    #[serde(rename = "x-amz-server-side-encryption-aws-kms-key-id", borrow)]
    pub(super) kms_key_id: Option<Text<'a>>,
    #[serde(rename = "x-amz-server-side-encryption-bucket-key-enabled")]
    pub(super) bucket_key: Option<Flag>,
    #[serde(rename = "uploadId", alias = "UploadId", borrow)]
    pub(super) upload_id: Option<Text<'a>>,
}

/// The body of UpdateObjectEncryption. Its element is `SSE-KMS`, its member in the models of the SDKs `SSEKMS`.
#[derive(Deserialize)]
pub(super) struct ObjectEncryption<'a> {
    #[serde(rename = "SSE-KMS", alias = "SSEKMS", alias = "sSEKMS", alias = "sseKms", borrow)]
    pub(super) sse_kms: Option<Object<SseKms<'a>>>,
}

/// Its only kind.
#[derive(Deserialize)]
pub(super) struct SseKms<'a> {
    #[serde(rename = "KMSKeyArn", alias = "kMSKeyArn", alias = "kmsKeyArn", borrow)]
    pub(super) key_arn: Option<Text<'a>>,
    #[serde(rename = "BucketKeyEnabled", alias = "bucketKeyEnabled")]
    pub(super) bucket_key: Option<Flag>,
}

/// What a data key is for.
#[derive(Deserialize)]
pub(super) struct EncryptionContext<'a> {
    #[serde(rename = "aws:s3:arn", borrow)]
    pub(super) s3_arn: Option<Text<'a>>,
}

/// `additionalEventData`.
#[derive(Deserialize)]
pub(super) struct Additional<'a> {
    #[serde(rename = "SSEApplied", borrow, default)]
    pub(super) sse_applied: Header<'a>,
}

/// An object of JSON. What serde derives for a struct would take a list, too.
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}

/// A string, or a list of one; borrowed unless it has escapes.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor { in_list: false })
    }
}

/// `in_list`: lists in lists are refused, so nothing recurses.
struct TextVisitor {
    in_list: bool,
}

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Text<'de>, A::Error> {
        if self.in_list {
            return Err(A::Error::custom("a list in a list"));
        }
        let only = list.next_element_seed(TextVisitor { in_list: true })?;
        match (only, list.next_element::<IgnoredAny>()?) {
            (Some(text), None) => Ok(text),
            _ => Err(A::Error::custom("not one string")),
        }
    }
}

impl<'de> serde::de::DeserializeSeed<'de> for TextVisitor {
    type Value = Text<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// What a header says. One that is there without a value is another thing than none.
#[derive(Default)]
pub(super) enum Header<'a> {
    #[default]
    Absent,
    Null,
    Text(Text<'a>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Header<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::<Text<'a>>::deserialize(deserializer)?.map_or(Self::Null, Self::Text))
    }
}

/// A truth value, or its name in a header.
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagVisitor)
    }
}

struct FlagVisitor;

impl<'de> Visitor<'de> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false")
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Flag, E> {
        Ok(Flag(flag))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Flag, E> {
        text.to_ascii_lowercase().parse().map(Flag).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Flag, A::Error> {
        let Text(text) = TextVisitor { in_list: false }.visit_seq(list)?;
        self.visit_str(&text)
    }
}

/// What a call was about.
pub(super) struct Resources<'a> {
    /// The first ARN of a KMS key. Types are not looked at: records before 2016 have none.
    pub(super) kms_key: Option<Text<'a>>,
    /// The ARNs of S3, no more than [`Self::MAX_PLACES`] and one.
    pub(super) places: Vec<Text<'a>>,
}

impl Resources<'_> {
    /// More places than this tell no object from another.
    pub(super) const MAX_PLACES: usize = 32;
}

impl<'de: 'a, 'a> Deserialize<'de> for Resources<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ResourcesVisitor)
    }
}

#[derive(Deserialize)]
struct Resource<'a> {
    #[serde(rename = "ARN", alias = "arn", borrow)]
    arn: Option<Text<'a>>,
}

struct ResourcesVisitor;

impl<'de> Visitor<'de> for ResourcesVisitor {
    type Value = Resources<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of resources")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut resources = Resources { kms_key: None, places: Vec::new() };
        while let Some(Object(Resource { arn })) = list.next_element::<Object<Resource<'de>>>()? {
            let Some(arn) = arn else { continue };
            if is_kms_key(&arn.0) {
                resources.kms_key.get_or_insert(arn);
            } else if is_of_s3(&arn.0) && resources.places.len() <= Resources::MAX_PLACES {
                resources.places.push(arn);
            }
        }
        Ok(resources)
    }
}

/// `arn:PARTITION:kms:REGION:ACCOUNT:key/ID`
fn is_kms_key(arn: &str) -> bool {
    let mut fields = arn.splitn(6, ':');
    let service = (fields.next(), fields.nth(1));
    service == (Some("arn"), Some("kms")) && fields.nth(2).is_some_and(|resource| resource.starts_with("key/"))
}

/// `arn:PARTITION:s3:::...`: a bucket or an object, and no access point.
fn is_of_s3(arn: &str) -> bool {
    arn.strip_prefix("arn:").and_then(|rest| rest.split_once(':')).is_some_and(|(_, rest)| rest.starts_with("s3:::"))
}
