"""CloudTrail buckets as AWS delivers them, signed with keys of our own, and named ways to tamper with them.

A `Tree` holds objects in memory: digests and logs of `Chain`s, and a list of public keys. Everything but the keys follows
from a seed. Each object has a name, such as `digest 3`, `log 3.0` or `backfill 1`, by which a test speaks of it wherever it
lies and whether it is still there.
"""

import copy
import gzip
import hashlib
import json
import random
from base64 import b64encode
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ACCOUNT = "111122223333"
MANAGEMENT = "999988887777"
REGION = "us-east-1"
BUCKET = "org-logs"
# An underscore, a dot and what looks like a Region: trail names may have them all.
TRAIL = "all_eu-west-1.logs"
BEGIN = datetime(2026, 3, 1, 20, 12, 31, tzinfo=timezone.utc)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ALGORITHM = "SHA256withRSA"


class Key:
    """A pair of keys of CloudTrail in one Region."""

    def __init__(self, region=REGION, starts=BEGIN - 10 * DAY, ends=BEGIN + 20 * DAY, bits=2048, is_spki=False):
        self.region, self.starts, self.ends = region, starts, ends
        self.private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
        form = PublicFormat.SubjectPublicKeyInfo if is_spki else PublicFormat.PKCS1
        self.der = self.private.public_key().public_bytes(Encoding.DER, form)
        self.fingerprint = hashlib.md5(self.der).hexdigest()

    def under(self, fingerprint):
        """The same pair, told by the fingerprint of another one."""
        other = copy.copy(self)
        other.fingerprint = fingerprint
        return other

    def sign(self, text):
        return self.private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()).hex()


class Object(NamedTuple):
    """What S3 stores under a key: the body, and the user metadata without its `x-amz-meta-`."""

    body: bytes
    metadata: dict


class Place(NamedTuple):
    type: str
    bucket: str
    key: str


class Tree:
    def __init__(self, *keys):
        self.keys, self.chains = list(keys), []
        # Bucket to key to object, and name to place.
        self.buckets, self.places = {}, {}

    def put(self, name, place, body, metadata=None):
        self.places[name] = place
        self.buckets.setdefault(place.bucket, {})[place.key] = Object(body, metadata or {})

    def object(self, name):
        place = self.places[name]
        return self.buckets[place.bucket][place.key]

    def replace(self, name, body=None, metadata=None):
        old = self.object(name)
        new = Object(old.body if body is None else body, old.metadata if metadata is None else metadata)
        self.put(name, self.places[name], *new)

    def delete(self, *names):
        for name in names:
            place = self.places[name]
            del self.buckets[place.bucket][place.key]

    def has(self, place):
        return place.key in self.buckets.get(place.bucket, {})

    def document(self, name):
        return json.loads(gzip.decompress(self.object(name).body))

    def set_document(self, name, document):
        self.replace(name, zipped(compact(document)))

    def digests(self):
        """The places of all objects that are digests by their keys."""
        return [
            Place("digest", bucket, key)
            for bucket, objects in self.buckets.items() for key in objects if "/CloudTrail-Digest/" in key
        ]

    def tails(self):
        """The digests that no digest names as its predecessor: nothing but their own metadata has their signature."""
        named = set()
        for place in self.digests():
            try:
                document = json.loads(gzip.decompress(self.buckets[place.bucket][place.key].body))
                named.add(document["previousDigestS3Object"])
            except (OSError, EOFError, ValueError, TypeError, KeyError):
                continue
        return [place for place in self.digests() if place.key not in named]

    # What a stand-in for AWS asks for.

    organisation = "o-a1b2c3d4e5"

    def has_bucket(self, bucket):
        return bucket in self.buckets

    def sorted_keys(self, bucket):
        return sorted(self.buckets[bucket])

    def get(self, bucket, key):
        return self.buckets[bucket].get(key)

    def public_keys(self, region):
        keys = [key for key in self.keys if key.region == region]
        return spelt_by_v1(keys)["PublicKeyList"]

    def trails(self):
        return [
            {
                "TrailARN": chain.arn(),
                "HomeRegion": chain.home,
                "S3BucketName": chain.bucket,
                "S3KeyPrefix": chain.prefix or None,
                "IsOrganizationTrail": bool(chain.organisation),
            }
            for chain in self.chains
        ]

    def write(self, root, has_bucket_folders=True):
        """The tree as `aws s3 sync` leaves it."""
        for bucket, objects in self.buckets.items():
            folder = root / bucket if has_bucket_folders else root
            for key, stored in objects.items():
                path = folder / key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(stored.body)

    def write_heads(self, root, places, has_bucket_folders=True):
        """What `aws s3api head-object` prints, beside each of these objects."""
        for place in places:
            folder = root / place.bucket if has_bucket_folders else root
            path = folder / f"{place.key}.head.json"
            path.write_text(json.dumps(self.head(place), indent=4) + "\n", encoding="utf-8")

    def write_head_lines(self, path, places):
        """The same for many objects in one file, a line each with bucket and key."""
        lines = [json.dumps({"Bucket": place.bucket, "Key": place.key} | self.head(place)) for place in places]
        path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")

    def head(self, place):
        stored = self.buckets[place.bucket][place.key]
        return {
            "AcceptRanges": "bytes",
            "LastModified": "2026-03-02T06:00:00+00:00",
            "ContentLength": len(stored.body),
            "ETag": f'"{hashlib.md5(stored.body).hexdigest()}"',
            "ContentType": "application/json",
            "ServerSideEncryption": "AES256",
            "Metadata": stored.metadata,
        }

    def write_keys(self, folder):
        """What `aws cloudtrail list-public-keys` prints, a file for each key, in the spellings of v1, v2 and the guide."""
        lists = [[key] for key in self.keys] or [[]]
        paths = [folder / f"public-keys.{number}.json" for number in range(len(lists))]
        for number, (path, keys) in enumerate(zip(paths, lists)):
            spelling = (spelt_by_v1, spelt_by_v2, spelt_by_guide)[number % 3]
            path.write_text(json.dumps(spelling(keys), indent=4) + "\n", encoding="utf-8")
        return paths


def spelt_by_v1(keys):
    return {"PublicKeyList": [entry(key, key.starts.timestamp(), key.ends.timestamp()) for key in keys]}


def spelt_by_v2(keys):
    """With the offset of the local time zone of whoever asked."""
    zone = timezone(timedelta(hours=5, minutes=30))
    times = [(key, *(time.astimezone(zone).isoformat() for time in (key.starts, key.ends))) for key in keys]
    return {"PublicKeyList": [entry(*one) for one in times]}


def spelt_by_guide(keys):
    times = [(key, *(f"{time.timestamp()}" for time in (key.starts, key.ends))) for key in keys]
    return {"publicKeyList": [entry(*one) for one in times]}


def entry(key, starts, ends):
    value = b64encode(key.der).decode()
    return {"Fingerprint": key.fingerprint, "ValidityEndTime": ends, "ValidityStartTime": starts, "Value": value}


class Previous(NamedTuple):
    bucket: str
    key: str
    hash: str
    signature: str


class Chain:
    """The digests of one trail for one account and Region, oldest first, either standard or backfill."""

    def __init__(
        self, tree, name="", *, account=ACCOUNT, region=REGION, trail=TRAIL, home=None, bucket=BUCKET, prefix="",
        organisation="", is_backfill=False,
    ):
        self.tree, self.name, self.account, self.region, self.trail = tree, name, account, region, trail
        self.home, self.bucket, self.prefix, self.organisation = home or region, bucket, prefix, organisation
        self.is_backfill, self.most_events = is_backfill, 4
        self.clock, self.previous, self.length = BEGIN, None, 0
        self.random = random.Random(f"{name} {account} {region} {trail} {is_backfill}")
        tree.chains.append(self)

    def extend(self, key, *counts):
        """Adds a digest for each count of logs, an hour each."""
        for count in counts:
            start, end = self.clock, self.clock + HOUR
            logs = [self.put_log(number, start) for number in range(count)]
            self.put_digest(key, start, end, logs)
            self.clock = end
        return self

    def skip(self, hours):
        """Hours without digests. The next digest knows no predecessor."""
        self.clock, self.previous = self.clock + hours * HOUR, None
        return self

    def arn(self):
        """A trail of an organisation belongs to its management account."""
        owner = MANAGEMENT if self.organisation else self.account
        return f"arn:aws:cloudtrail:{self.home}:{owner}:trail/{self.trail}"

    def label(self, what):
        return f"{self.name} {what}".strip()

    def folder(self, kind, time):
        parts = [self.prefix, "AWSLogs", self.organisation, self.account, kind, self.region, f"{time:%Y/%m/%d}"]
        return "/".join(filter(None, parts))

    def put_log(self, number, start):
        """A log that is delivered somewhere in the hour. Returns its entry in the digest."""
        delivered = start + timedelta(minutes=5 * self.random.randrange(12))
        unique = "".join(self.random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", k=16))
        name = f"{self.account}_CloudTrail_{self.region}_{delivered:%Y%m%dT%H%MZ}_{unique}.json.gz"
        place = Place("log", self.bucket, f"{self.folder('CloudTrail', delivered)}/{name}")
        text = compact({"Records": [self.event(delivered) for _ in range(self.random.randint(1, self.most_events))]})
        self.tree.put(self.label(f"log {self.length}.{number}"), place, zipped(text))
        return listed_log(place, text, delivered)

    def event(self, time):
        return {
            "eventVersion": "1.08",
            "userIdentity": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
            "eventTime": shown(time),
            "eventSource": "sts.amazonaws.com",
            "eventName": "AssumeRole",
            "awsRegion": self.region,
            "sourceIPAddress": f"198.51.100.{self.random.randrange(256)}",
            "eventID": f"{self.random.getrandbits(128):032x}",
            "recipientAccountId": self.account,
        }

    def put_digest(self, key, start, end, logs):
        suffix = "_backfill" if self.is_backfill else ""
        name = (
            f"{self.account}_CloudTrail-Digest_{self.region}_{self.trail}_{self.home}_{end:%Y%m%dT%H%M%SZ}{suffix}.json.gz"
        )
        place = Place("digest", self.bucket, f"{self.folder('CloudTrail-Digest', end)}/{name}")
        text = compact(self.digest(place, start, end, key.fingerprint, logs))
        signature = key.sign(string_to_sign(text))
        metadata = {"signature": signature, "signature-algorithm": ALGORITHM}
        if self.is_backfill:
            metadata["backfill-generation-timestamp"] = shown(end + DAY)
        self.tree.put(self.label(f"digest {self.length}"), place, zipped(text), metadata)
        self.previous = Previous(place.bucket, place.key, sha256(text), signature)
        self.length += 1

    def digest(self, place, start, end, fingerprint, logs):
        previous = self.previous or Previous(None, None, None, None)
        return {
            "awsAccountId": self.account,
            "digestStartTime": shown(start),
            "digestEndTime": shown(end),
            "digestS3Bucket": place.bucket,
            "digestS3Object": place.key,
            "digestPublicKeyFingerprint": fingerprint,
            "digestSignatureAlgorithm": ALGORITHM,
            "newestEventTime": max((log["newestEventTime"] for log in logs), default=None),
            "oldestEventTime": min((log["oldestEventTime"] for log in logs), default=None),
            "previousDigestS3Bucket": previous.bucket,
            "previousDigestS3Object": previous.key,
            "previousDigestHashValue": previous.hash,
            "previousDigestHashAlgorithm": previous.hash and "SHA-256",
            "previousDigestSignature": previous.signature,
            "logFiles": logs,
        }


def listed_log(place, text, time):
    return {
        "s3Bucket": place.bucket,
        "s3Object": place.key,
        "hashValue": sha256(text),
        "hashAlgorithm": "SHA-256",
        "newestEventTime": shown(time),
        "oldestEventTime": shown(time),
    }


def string_to_sign(text):
    digest = json.loads(text)
    place = f"{digest['digestS3Bucket']}/{digest['digestS3Object']}"
    return "\n".join([digest["digestEndTime"], place, sha256(text), digest["previousDigestSignature"] or "null"])


def shown(time):
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


def compact(document):
    return json.dumps(document, separators=(",", ":")).encode()


def sha256(text):
    return hashlib.sha256(text).hexdigest()


def zipped(text, level=6):
    return gzip.compress(text, level, mtime=0)


# Tampering: what somebody can do who may write to the bucket but has no key of CloudTrail.

def change_log(tree, name):
    document = tree.document(name)
    document["Records"][0]["eventName"] = "ListBuckets"
    tree.set_document(name, document)


def change_digest(tree, name):
    """Other event times: the digest names the same logs as before."""
    document = tree.document(name)
    document["newestEventTime"] = document["oldestEventTime"] = "2026-03-01T00:00:00Z"
    tree.set_document(name, document)


def relist_log(tree, digest, log):
    """Changes a log, and its hash in its digest."""
    change_log(tree, log)
    document = tree.document(digest)
    place, text = tree.places[log], gzip.decompress(tree.object(log).body)
    for listed in document["logFiles"]:
        if listed["s3Object"] == place.key:
            listed["hashValue"] = sha256(text)
    tree.set_document(digest, document)


def follow_change(tree, digest, successor):
    """Lets a successor name the hash of a digest that was changed."""
    document = tree.document(successor)
    document["previousDigestHashValue"] = sha256(gzip.decompress(tree.object(digest).body))
    tree.set_document(successor, document)


def sign_with(tree, name, key):
    """A changed digest, signed with a key of the forger's own and under its fingerprint."""
    document = tree.document(name) | {"digestPublicKeyFingerprint": key.fingerprint}
    tree.set_document(name, document)
    signature = key.sign(string_to_sign(compact(document)))
    tree.replace(name, metadata=tree.object(name).metadata | {"signature": signature})


def append_member(tree, name):
    """A second gzip member: zcat shows it, and whoever stops at the end of the first does not see it."""
    tree.replace(name, tree.object(name).body + zipped(b'{"Records":[]}'))


def append_bytes(tree, name):
    tree.replace(name, tree.object(name).body + b"more")


def zip_again(tree, name):
    tree.replace(name, zipped(gzip.decompress(tree.object(name).body), level=1))


def store_plain(tree, name):
    tree.replace(name, gzip.decompress(tree.object(name).body))


def cut(tree, name, count):
    tree.replace(name, tree.object(name).body[:-count])


def damage_checksum(tree, name):
    """The CRC-32 is the first half of the last eight bytes."""
    body = bytearray(tree.object(name).body)
    body[-8] ^= 1
    tree.replace(name, bytes(body))


def overwrite(tree, source, target):
    """Puts one object with its metadata in the place of another one."""
    tree.replace(target, *tree.object(source))


def plant_log(tree, name, source):
    """A copy of a log under another name, as AWS would form it."""
    place = tree.places[source]
    key = f"{place.key[:-len('0123456789abcdef.json.gz')]}{'A' * 16}.json.gz"
    tree.put(name, place._replace(key=key), *tree.object(source))


def plant_digest(tree, name, source):
    """A copy of a digest half an hour later, a time at which no digest ends."""
    place = tree.places[source]
    later = place.key.replace("1231Z", "4231Z")
    tree.put(name, place._replace(key=later), *tree.object(source))


def set_metadata(tree, name, **changes):
    """`signature_algorithm` is `signature-algorithm`; None takes an entry away."""
    named = {word.replace("_", "-"): value for word, value in changes.items()}
    metadata = tree.object(name).metadata | named
    tree.replace(name, metadata={word: value for word, value in metadata.items() if value is not None})


def plant_backfill(tree, name, source):
    """A copy of a standard digest by the name of a backfill digest of its hour."""
    place = tree.places[source]
    tree.put(name, place._replace(key=place.key.replace(".json.gz", "_backfill.json.gz")), *tree.object(source))


def move_bucket(tree, old, new, prefix=""):
    """The whole bucket under another name, metadata included, and all keys below a prefix."""
    tree.buckets[new] = {prefix + key: stored for key, stored in tree.buckets.pop(old).items()}
    for name, place in tree.places.items():
        if place.bucket == old:
            tree.places[name] = place._replace(bucket=new, key=prefix + place.key)
