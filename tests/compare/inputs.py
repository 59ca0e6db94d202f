"""Inputs for `outputs.py`: deliveries, key evidence, trails and reports, made by hand with the standard library.

Everything follows from its arguments, so both programs are given the same bytes.
"""

import csv
import gzip
import hashlib
import io
import json
import random
import struct
import urllib.parse
from base64 import b64encode
from datetime import datetime, timedelta, timezone

RIGHT = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
WRONG = "arn:aws:kms:us-east-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321"
ALIAS = "arn:aws:kms:us-east-1:111122223333:alias/logs"
ACCOUNT, REGION = "111122223333", "us-east-1"
COLUMNS = (
    "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, IsMultipartUploaded, "
    "ReplicationStatus, EncryptionStatus, ObjectLockRetainUntilDate, ObjectLockMode, ObjectLockLegalHoldStatus, "
    "IntelligentTieringAccessTier, BucketKeyStatus, ChecksumAlgorithm"
).split(", ")
# The reports are of before the day from which keys can be changed in place, and of after it.
EARLY, LATE = datetime(2026, 1, 4, 1, tzinfo=timezone.utc), datetime(2026, 3, 2, 1, tzinfo=timezone.utc)
KMS = ("SSE-KMS", "DSSE-KMS")
ODD_NAMES = ["a b", "a+b", "50% %41", "it's \"so\"", "é 日本", "a,b;c", "back\\slash", "=1+1", "tab\there", "\u202egpj"]


def put(path, content):
    """Writes text or bytes, compressed if the name says so. Returns the bytes that are in the file."""
    content = content.encode() if isinstance(content, str) else content
    content = gzip.compress(content, 6, mtime=0) if path.suffix == ".gz" else content
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return content


def put_json(path, document, indent=None):
    return put(path, json.dumps(document, indent=indent) + "\n")


def md5(content):
    return hashlib.md5(content).hexdigest()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def shown(time):
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"


# Deliveries.

def row(key, status="SSE-KMS", **more):
    """A row of a report; the names of other columns are given as `StorageClass="GLACIER"`."""
    cells = dict.fromkeys(COLUMNS, "")
    cells |= {"Bucket": "org-audit-logs", "Key": key, "IsLatest": "true", "IsDeleteMarker": "false", "Size": "5"}
    cells |= {"LastModifiedDate": "2024-05-06T07:08:09.000Z", "ETag": md5(key.encode()), "StorageClass": "STANDARD"}
    return cells | {"EncryptionStatus": status, "BucketKeyStatus": "DISABLED"} | more


def rows_of_all_lanes():
    """Each status with each class, with and without version ids, locked, large, of odd names and of odd cells."""
    folder, rows = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2024/05/06/", []
    statuses = ["NOT-SSE", "SSE-S3", "SSE-C", "SSE-KMS", "DSSE-KMS", "", "SSE-NEW"]
    classes = ["STANDARD", "GLACIER", "DEEP_ARCHIVE", "INTELLIGENT_TIERING", "REDUCED_REDUNDANCY", "ODD_CLASS"]
    for number, name in enumerate(ODD_NAMES * 40):
        more = {"VersionId": f"v.{number}_" if number % 3 else "", "StorageClass": classes[number // 7 % len(classes)]}
        more |= {"IsLatest": "false"} if number % 5 == 4 else {}
        more |= {"Size": str(6 << 30)} if number % 11 == 10 else {"Size": ""} if number % 41 == 40 else {}
        more |= {"BucketKeyStatus": "ENABLED"} if number % 4 == 3 else {}
        if number % 13 == 12:
            more |= {"ObjectLockMode": "COMPLIANCE", "ObjectLockRetainUntilDate": f"20{25 + number % 4}-05-06T00:00:00.000Z"}
        if number % 29 == 28:
            more |= {"ObjectLockLegalHoldStatus": "ON"}
        rows.append(row(f"{folder}{number // len(ODD_NAMES)}/{name}", statuses[number % len(statuses)], **more))
    for kind in ["444455556666/CloudTrail", f"{ACCOUNT}/CloudTrail-Digest", f"{ACCOUNT}/vpcflowlogs"]:
        names = [f"AWSLogs/{kind}/eu-west-1/2025/1{number % 3}/01/{number}.json.gz" for number in range(30)]
        rows += [row(name, statuses[number % 5], VersionId=f"w{number}") for number, name in enumerate(names)]
    marker = {"IsDeleteMarker": "true", "Size": "", "ETag": "", "StorageClass": "", "VersionId": "marker"}
    return [*rows, row(f"{folder}gone", "", **marker)]


def mended(rows, share=1):
    """The same objects as a later report shows them: every `share`th as it should be."""
    right = {"EncryptionStatus": "SSE-KMS", "BucketKeyStatus": "ENABLED"}
    is_mended = lambda number, one: number % share == 0 and one["IsDeleteMarker"] == "false"
    return [one | (right if is_mended(number, one) else {}) for number, one in enumerate(rows)]


def delivery(folder, rows, made=EARLY, files=3):
    """A report in CSV as S3 Inventory lays it out."""
    named, columns = [], [name for name in COLUMNS if any(one[name] for one in rows)]
    for number in range(files):
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for one in rows[number::files]:
            key = urllib.parse.quote_plus(one["Key"], safe="/")
            writer.writerow([key if name == "Key" else one[name] for name in columns])
        data = put(folder / "data" / f"{number}.csv.gz", text.getvalue())
        named.append({"key": f"inventory/data/{number}.csv.gz", "size": len(data), "MD5checksum": md5(data)})
    manifest = {"sourceBucket": rows[0]["Bucket"], "destinationBucket": "arn:aws:s3:::reports", "version": "2016-11-30"}
    manifest |= {"fileFormat": "CSV", "fileSchema": ", ".join(columns), "files": named}
    put_manifest(folder / f"{made:%Y-%m-%dT%H-%MZ}", manifest, made)


def put_manifest(folder, manifest, made):
    text = put_json(folder / "manifest.json", manifest | {"creationTimestamp": f"{made.timestamp() * 1000:.0f}"})
    put(folder / "manifest.checksum", md5(text) + "\n")


def rows_in(data):
    """The rows of a data file in CSV that has all columns."""
    with gzip.open(data, "rt", encoding="utf-8", newline="") as file:
        for cells in csv.reader(file):
            found = dict(zip(COLUMNS, cells))
            yield found | {"Key": urllib.parse.unquote_plus(found["Key"])}


# Key evidence.

def evidence(folder, rows):
    """Evidence of each kind in a file of its own, each about some of the objects, and all of them about a few, of which
    they say different things."""
    kinds = {name: [] for name in ("list", "list-of-wrong", "heads", "undated", "events", "table", "journal")}
    encrypted = [one for one in rows if one["EncryptionStatus"] in KMS]
    for number, one in enumerate(encrypted):
        for at, kind in enumerate(kinds):
            if number % (len(kinds) + 1) == at or number % 53 == 0:
                key = WRONG if (number + at) % 25 == 0 or kind == "list-of-wrong" else ALIAS if number % 17 == 3 else RIGHT
                kinds[kind].append((number, one, key))
    for kind in ("list", "list-of-wrong"):
        names = [(one, urllib.parse.quote(one["Key"])) for _, one, _ in kinds[kind]]
        lines = [f"{one['Bucket']},{name},{one['VersionId'] or 'null'},2026-01-03T00:00:00Z\n" for one, name in names]
        put(folder / f"{kind}.csv", "".join(lines))
    dates = [f"2026-0{month}-03T00:00:00Z" for month in (1, 2, 3)]
    heads = [head(one, key) | {"EvidenceAsOf": dates[number % 3]} for number, one, key in kinds["heads"]]
    put(folder / "heads.ndjson.gz", "".join(json.dumps(one) + "\n" for one in heads))
    put_json(folder / "undated.json", [head(one, key) for _, one, key in kinds["undated"]], indent=2)
    records = [record for number, one, key in kinds["events"] for record in events(number // 8 % 4, one, key)]
    put_json(folder / "events" / "AWSLogs" / ACCOUNT / "CloudTrail" / "log.json.gz", {"Records": records})
    put(folder / "events" / "AWSLogs" / ACCOUNT / "vpcflowlogs" / "flow.log.gz", "version account-id\n2 111122223333\n")
    put(folder / "events" / "README", "not evidence\n")
    asked, types = EARLY - timedelta(hours=2), ("CREATE", "UPDATE_METADATA", "DELETE")
    told = [table_row(one, key, asked, number) for number, one, key in kinds["table"]]
    table(folder / "table.parquet", told)
    told = [table_row(one, key, asked, number, types[number % 3]) for number, one, key in kinds["journal"]]
    table(folder / "journal.parquet", told)
    aliases = [{"AliasArn": ALIAS, "AliasName": "alias/logs", "TargetKeyId": RIGHT.rpartition("/")[2]}]
    put_json(folder.parent / "aliases.json", {"Aliases": aliases})


def head(one, key):
    answer = {"Bucket": one["Bucket"], "Key": one["Key"], "ETag": f"\"{one['ETag']}\"", "SSEKMSKeyId": key}
    answer |= {"LastModified": one["LastModifiedDate"][:19] + "+00:00", "ServerSideEncryption": "aws:kms"}
    return answer | ({"VersionId": one["VersionId"]} if one["VersionId"] else {})


def events(variant, one, key):
    """The write of an object, an upload in parts with its data key, a change of its key, or all of them."""
    time = one["LastModifiedDate"][:19] + "Z"
    request, upload = {"bucketName": one["Bucket"], "key": one["Key"]}, {"uploadId": f"{one['VersionId']} {one['Key']}"}
    version = {"x-amz-version-id": one["VersionId"]} if one["VersionId"] else {}
    asked_version = {"versionId": one["VersionId"]} if one["VersionId"] else {}
    said = {"x-amz-server-side-encryption": "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id": key}
    if variant in (0, 3):
        yield event("PutObject", time, request, version | said)
    if variant in (1, 3):
        context = {"aws:s3:arn": f"arn:aws:s3:::{one['Bucket']}/{one['Key']}"}
        asked = {"keyId": key, "encryptionContext": context, "keySpec": "AES_256"}
        yield event("GenerateDataKey", time, asked, None, "kms") | {"resources": [{"ARN": key, "type": "AWS::KMS::Key"}]}
        yield event("CreateMultipartUpload", time, request, upload | said)
        yield event("CompleteMultipartUpload", time, request | upload, version | said)
    if variant in (2, 3):
        form = {"objectEncryption": {"sSEKMS": {"kMSKeyArn": key}}}
        yield event("UpdateObjectEncryption", "2026-02-03T04:05:06Z", request | form | asked_version, version)


def event(name, time, request, response, source="s3"):
    return {
        "eventVersion": "1.11", "userIdentity": {"type": "AWSService", "invokedBy": "s3.amazonaws.com"},
        "eventTime": time, "eventSource": f"{source}.amazonaws.com", "eventName": name, "awsRegion": REGION,
        "requestParameters": request, "responseElements": response, "readOnly": False, "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT, "eventCategory": "Data",
    }


TABLE = {
    "bucket": str, "key": str, "sequence_number": str, "version_id": str, "is_delete_marker": bool,
    "last_modified_date": datetime, "e_tag": str, "encryption_status": str, "kms_key_arn": str,
}
JOURNAL = {"record_type": str, "record_timestamp": datetime}


def table_row(one, key, time, number, kind=None):
    """A row of an inventory table of S3 Metadata, or with a kind one of a journal table."""
    modified = datetime.fromisoformat(one["LastModifiedDate"].replace("Z", "+00:00"))
    cells = [one["Bucket"], one["Key"], f"{number:016}", one["VersionId"] or None, False, modified]
    cells += [one["ETag"], one["EncryptionStatus"], key if one["EncryptionStatus"] in KMS else None]
    return cells + ([kind, time] if kind else [time])


def table(path, rows):
    """A table of S3 Metadata: Parquet of one row group, without compression."""
    names = TABLE | (JOURNAL if len(rows[0]) > len(TABLE) + 1 else {"evidence_as_of": datetime})
    put(path, parquet(names, rows))


# Parquet: plain pages, one for each column. Structures of Thrift are dictionaries of their fields' numbers.

class Long(int):
    """An integer of 64 bits."""


def parquet(columns, rows):
    # A column's type of Parquet and its converted type: BYTE_ARRAY and UTF8, INT64 and TIMESTAMP_MILLIS, BOOLEAN.
    types = {str: (6, 0), datetime: (2, 9), bool: (0, None)}
    file, chunks, schema = b"PAR1", [], [{4: "schema", 5: len(columns)}]
    for (name, kind), cells in zip(columns.items(), zip(*rows)):
        page = levels([cell is not None for cell in cells]) + plain(kind, [cell for cell in cells if cell is not None])
        header = thrift({1: 0, 2: len(page), 3: len(page), 5: {1: len(rows), 2: 0, 3: 3, 4: 3}})[1]
        (number, converted), length = types[kind], Long(len(header) + len(page))
        known = {1: number, 2: [0, 3], 3: [name], 4: 0, 5: Long(len(rows)), 6: length, 7: length, 9: Long(len(file))}
        chunks.append({2: Long(len(file)), 3: known})
        schema.append({1: number, 3: 1, 4: name} | ({} if converted is None else {6: converted}))
        file += header + page
    group = {1: chunks, 2: Long(len(file)), 3: Long(len(rows))}
    footer = thrift({1: 1, 2: schema, 3: Long(len(rows)), 4: [group]})[1]
    return file + footer + struct.pack("<I", len(footer)) + b"PAR1"


def plain(kind, cells):
    if kind is str:
        texts = [cell.encode() for cell in cells]
        return b"".join(part for text in texts for part in (struct.pack("<I", len(text)), text))
    if kind is bool:
        return packed(cells)
    return struct.pack(f"<{len(cells)}q", *(round(cell.timestamp() * 1000) for cell in cells))


def packed(bits):
    text = "".join("1" if bit else "0" for bit in reversed(bits))
    return int(text or "0", 2).to_bytes((len(bits) + 7) // 8, "little")


def levels(are_there):
    """Definition levels, as one run of packed bits."""
    run = varint((len(are_there) + 7) // 8 << 1 | 1) + packed(are_there)
    return struct.pack("<I", len(run)) + run


def varint(number):
    text = bytearray()
    while number > 127:
        text.append(number & 127 | 128)
        number >>= 7
    return bytes(text) + bytes([number])


def thrift(value):
    """A value's type and text in the compact protocol."""
    if isinstance(value, int):
        return (6 if isinstance(value, Long) else 5), varint(value << 1)
    if isinstance(value, str):
        return 8, varint(len(value.encode())) + value.encode()
    if isinstance(value, list):
        parts = [thrift(one) for one in value]
        kind, count = parts[0][0], len(parts)
        size = bytes([count << 4 | kind]) if count < 15 else bytes([0xF0 | kind]) + varint(count)
        return 9, size + b"".join(text for _, text in parts)
    text, last = b"", 0
    for number, one in value.items():
        kind, part = thrift(one)
        text, last = text + bytes([number - last << 4 | kind]) + part, number
    return 12, text + b"\0"


# Trails.

class Signer:
    """An RSA key that follows from its name. It protects nothing."""

    def __init__(self, name):
        source, self.e = random.Random(name), 65537
        p, q = prime(source), prime(source)
        self.n, self.d = p * q, pow(self.e, -1, (p - 1) * (q - 1))
        self.der = der(0x30, der(2, b"\0" + self.n.to_bytes(256, "big")) + der(2, self.e.to_bytes(3, "big")))
        self.fingerprint = md5(self.der)

    def sign(self, text):
        info = bytes.fromhex("3031300d060960864801650304020105000420") + hashlib.sha256(text.encode()).digest()
        padded = b"\0\1" + b"\xff" * (253 - len(info)) + b"\0" + info
        return pow(int.from_bytes(padded, "big"), self.d, self.n).to_bytes(256, "big").hex()

    def write(self, path):
        entry = {"Fingerprint": self.fingerprint, "Value": b64encode(self.der).decode()}
        entry |= {"ValidityStartTime": "2026-01-01T00:00:00Z", "ValidityEndTime": "2026-12-31T00:00:00Z"}
        put_json(path, {"PublicKeyList": [entry]}, indent=4)


def prime(source):
    while True:
        number = source.getrandbits(1024) | 3 << 1022 | 1
        if all(number % small for small in (3, 5, 7, 11, 13)) and pow(2, number - 1, number) == 1 and number % 65537 != 1:
            return number


def der(tag, content):
    length = len(content)
    size = bytes([length]) if length < 128 else bytes([0x82]) + length.to_bytes(2, "big")
    return bytes([tag]) + size + content


def trail(root, signer, bucket="trail-logs", begin=datetime(2026, 3, 1, 20, 12, 31, tzinfo=timezone.utc)):
    """A mirror of a bucket with a chain of digests and their logs, whose events are the writes of the logs before. Returns
    its objects as rows of a report, oldest first."""
    rows, previous = [], {}
    for hour in range(6):
        start, end = begin + timedelta(hours=hour), begin + timedelta(hours=hour + 1)
        listed, before = [], rows[-3:]
        for number in range(hour % 3):
            time = start + timedelta(minutes=5 * number)
            key = named("CloudTrail", time, f"{time:%Y%m%dT%H%MZ}_{hour:08}{number:08}")
            text = json.dumps({"Records": [record for one in before for record in events(0, one, RIGHT)]})
            put(root / bucket / key, text)
            listed.append(listed_log(bucket, key, text, time))
            rows.append(delivered(bucket, key, time))
        key = named("CloudTrail-Digest", end, f"all_{REGION}_{end:%Y%m%dT%H%M%SZ}")
        digest = {"digestS3Bucket": bucket, "digestS3Object": key, "logFiles": listed}
        digest |= {"digestStartTime": shown(start), "digestEndTime": shown(end)}
        text = json.dumps(digest | digest_fields(signer, previous))
        signed = [shown(end), f"{bucket}/{key}", sha256(text.encode()), previous.get("Signature") or "null"]
        previous = {"S3Bucket": bucket, "S3Object": key, "HashValue": sha256(text.encode()), "HashAlgorithm": "SHA-256"}
        previous["Signature"] = signer.sign("\n".join(signed))
        put(root / bucket / key, text)
        rows.append(delivered(bucket, key, end))
    metadata = {"signature": previous["Signature"], "signature-algorithm": "SHA256withRSA"}
    put_json(root / bucket / f"{key}.head.json", {"AcceptRanges": "bytes", "Metadata": metadata}, indent=4)
    return rows


def named(kind, time, name):
    folder = f"AWSLogs/{ACCOUNT}/{kind}/{REGION}/{time:%Y/%m/%d}"
    return f"{folder}/{ACCOUNT}_{kind}_{REGION}_{name}.json.gz"


def delivered(bucket, key, time):
    return row(key, Bucket=bucket, VersionId=md5(key.encode()), LastModifiedDate=f"{time:%Y-%m-%dT%H:%M:%S}.000Z")


def digest_fields(signer, previous):
    fields = {"awsAccountId": ACCOUNT, "digestPublicKeyFingerprint": signer.fingerprint}
    fields |= {"digestSignatureAlgorithm": "SHA256withRSA", "newestEventTime": None, "oldestEventTime": None}
    words = ("S3Bucket", "S3Object", "HashValue", "HashAlgorithm", "Signature")
    return fields | {f"previousDigest{word}": previous.get(word) for word in words}


def listed_log(bucket, key, text, time):
    entry = {"s3Bucket": bucket, "s3Object": key, "hashValue": sha256(text.encode()), "hashAlgorithm": "SHA-256"}
    return entry | {"newestEventTime": shown(time), "oldestEventTime": shown(time)}


# Reports of jobs.

SCHEMA = "Bucket, Key, VersionId, TaskStatus, ErrorCode, HTTPStatusCode, ResultMessage"
DONE, NOT_TRIED = "succeeded,,200,Successful", None
REFUSED = "failed,AccessDenied,403,Access Denied"
GONE = "failed,NoSuchKey,404,The key \"does\" not exist"


def reports(folder, audit, outcomes):
    """A report of each job of an audit as S3 writes it. The outcomes are those of the rows in turn."""
    remediation = audit / "remediation"
    for number, job in enumerate(sorted(remediation.rglob("*.job.json"))):
        manifest = next(path for path in job.parent.glob("*.csv") if job.name.startswith(f"{path.stem}."))
        told = {"succeeded": b"", "failed": b""}
        for at, line in enumerate(manifest.read_bytes().splitlines()):
            if outcome := outcomes[(at + number) % len(outcomes)]:
                told[outcome.split(",")[0]] += line + b"," + outcome.encode() + b"\n"
        results = []
        for status, text in told.items():
            key = f"job-{number}/results/{md5(text)}.csv"
            put(folder / key, text)
            named = {"TaskExecutionStatus": status, "Bucket": "ops", "Key": f"reports/{key}"}
            results.append(named | {"MD5Checksum": md5(text)})
        report = {"Format": "Report_CSV_20180820", "ReportCreationDate": "2026-01-05T17:48:39.725Z", "ReportSchema": SCHEMA}
        put_json(folder / f"job-{number}" / "manifest.json", report | {"Results": results})
        put(folder / f"job-{number}" / "job.json", job.read_bytes())
