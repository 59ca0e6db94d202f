#!/usr/bin/env python3
"""Walks from an audit to a re-encrypted bucket as a new user would, on a stand-in for S3.

The commands are those of the README ("Re-encryption") and of the README that an audit writes: they are cut out of the
files and given to one shell. Only names of buckets, accounts and places are replaced. The first walk needs six commands,
because all its objects are in the lane `update-encryption`. The second has objects of all lanes with jobs, and digests that
must prove its logs afterwards.

    python3 -m venv venv && venv/bin/pip install -r tests/walk/requirements.txt
    venv/bin/python tests/walk/walk.py target/release/logseal
"""

import argparse
import csv
import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid
from datetime import datetime, timezone

from botocore.exceptions import ClientError

from stand_in import ACCOUNT, REGION, Server

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Digests are made as the tests of `logseal digests` make them.
sys.path.append(str(ROOT / "tests" / "digests"))

from trees import Chain, Key, Tree  # noqa: E402

OLD_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-1111-2222-3333-444444444444"
NEW_KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OPS = "ops"
# Names that have to be encoded, quoted or left alone somewhere on the way.
NAMES = ["plain", "a b", "a+b", "50% %41", "it's \"so\"", "é 日本", "a,b;c", "back\\slash", "$HOME `id`"]
FOLDER = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/2024/01/02/"
EXCEPTED = f"AWSLogs/444455556666/CloudTrail/{REGION}/2024/01/02/"
SCHEMA = (
    "Bucket, Key, VersionId, IsLatest, IsDeleteMarker, Size, LastModifiedDate, ETag, StorageClass, EncryptionStatus, "
    "BucketKeyStatus"
)
STATUS = {None: "NOT-SSE", "AES256": "SSE-S3", "aws:kms": "SSE-KMS", "aws:kms:dsse": "DSSE-KMS"}
ARCHIVED = ("GLACIER", "DEEP_ARCHIVE")
POLICY = f"""name = "Walk"
version = "1"
versions = "all"
[keys]
archive = "{NEW_KEY}"
[[rule]]
id = "cloudtrail"
where = {{ kind = ["CloudTrail*"] }}
encryption = ["SSE-KMS"]
bucket_key = "required"
[remediation]
key = "archive"
bucket_key = true
[[exception]]
id = "EX-1"
rule = "cloudtrail"
where = {{ account = ["444455556666"] }}
reason = "acquired company, migration under way"
owner = "cloud-platform"
expires = 2099-12-31
"""


class Wrong(Exception):
    """Something is not as the READMEs say."""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logseal", type=pathlib.Path, help="the program")
    parser.add_argument("--verbose", action="store_true", help="show what every command says")
    parser.add_argument("--only", choices=["six_commands", "all_lanes"], help="one of the walks")
    options = parser.parse_args()
    server = Server()
    missing = what_moto_lacks(server)
    with tempfile.TemporaryDirectory() as folder:
        for walk, bucket in [(six_commands, "walk-logs"), (all_lanes, "walk-archive")]:
            if options.only not in (None, walk.__name__):
                continue
            print(f"# {walk.__name__}")
            desk = pathlib.Path(folder, bucket)
            desk.mkdir()
            try:
                walk(Walk(server, options, desk, bucket))
            except Wrong as wrong:
                sys.exit(f"WRONG in {walk.__name__}: {wrong}")
    for line in missing:
        print(f"not supported by moto: {line}")
    print(f"{len(missing)} things are not supported by moto; everything else went as the READMEs say")


def six_commands(walk):
    """Objects of one lane: the six commands of the README, as they stand there."""
    walk.step("objects under SSE-S3, and under another key without a Bucket Key; versions; a delete marker")
    walk.fill_one_lane()
    walk.inventory(is_first=True)
    campaign, later = readme_blocks()
    if len(commands(campaign)) != 6:
        raise Wrong(f"{len(commands(campaign))} commands instead of six")
    before = walk.contents()
    codes = [1, 0, 0, 0, 0, 0]
    for command, code in zip(commands(campaign), codes):
        walk.sh(command, code)
    walk.expect_rows(succeeded=2 * len(NAMES) + 4)
    walk.inventory()
    for command in commands(later):
        walk.sh(command, 0)
    if walk.contents() != before:
        raise Wrong("contents, dates or versions have changed")
    walk.passed("audit-later", "reconciled-later")


def all_lanes(walk):
    """Objects of all lanes with jobs: everything that the README of the audit asks for, in its order."""
    walk.step("objects without encryption, too: of three classes, archived, noncurrent")
    walk.fill_all_lanes()
    walk.inventory(is_first=True)
    before = walk.current()
    campaign, later = readme_blocks()
    audit, read = commands(campaign)[:2]
    # Nothing is said of places, as a new user would forget to.
    walk.sh(audit.split(" --account-id")[0], 1)
    walk.sh(read, 0)
    for block in blocks(walk.desk / "audit/remediation/README.md"):
        walk.generated(block)
    if walk.current() != before:
        raise Wrong("current versions have other contents")
    walk.step("a later inventory, while the versions that were copied are still there")
    walk.inventory()
    sync, audit, reconcile = commands(later)
    walk.sh(sync, 0)
    walk.sh(f"{audit} --force", 1)
    walk.sh(reconcile, 1)
    walk.step("the same after those versions have expired")
    walk.expire_copied()
    walk.inventory()
    walk.sh(sync, 0)
    walk.sh(f"{audit} --force", 0)
    # They are in no inventory any more: somebody has to say that this is because they are gone.
    walk.sh(f"{reconcile} --force", 3)
    walk.sh(f"{reconcile} --force --accept-gone", 0)
    walk.passed("audit-later", "reconciled-later")
    walk.step("digests and logs that were encrypted again, some by a copy and some in place")
    walk.prove_logs()


class Walk:
    def __init__(self, server, options, desk, bucket):
        self.desk, self.bucket, self.verbose, self.runs = desk, bucket, options.verbose, 0
        self.s3 = server.client("s3")
        self.shell = Shell(server, options.logseal.resolve(), desk)
        self.places = {
            "111122223333": ACCOUNT,
            "s3://ops": f"s3://{OPS}",
            "DESTINATION/PREFIX/BUCKET/CONFIG": f"{OPS}/inventory/{bucket}/daily",
        }
        (desk / "policy.toml").write_text(POLICY, encoding="utf-8")
        if OPS not in [found["Name"] for found in self.s3.list_buckets()["Buckets"]]:
            self.sh(f"aws s3 mb s3://{OPS}", 0)
        self.sh(f"aws s3 mb s3://{bucket}", 0)

    def step(self, text):
        print(f"\n## {self.bucket}: {text}")

    def sh(self, command, code):
        """Gives the shell a command, with the names of this walk in it, and looks at its exit code."""
        for name, value in self.places.items():
            command = command.replace(name, value)
        print("$ " + command.replace("\n", "\n  "))
        text, found = self.shell.run(command)
        if self.verbose or found != code:
            print(text)
        if found != code:
            raise Wrong(f"exit code {found} instead of {code}")
        return text

    def put(self, key, encryption=None, storage="STANDARD", **more):
        how = {"ServerSideEncryption": encryption} if encryption else {}
        if encryption == "aws:kms":
            how["SSEKMSKeyId"] = OLD_KEY
        body = f"{key} {uuid.uuid4()}".encode()
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=body, StorageClass=storage, **how, **more)

    def versioned(self):
        self.sh(f"aws s3api put-bucket-versioning --bucket {self.bucket} --versioning-configuration Status=Enabled", 0)

    def default_encryption(self):
        rule = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": NEW_KEY}
        rules = json.dumps({"Rules": [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": True}]})
        self.sh(
            f"aws s3api put-bucket-encryption --bucket {self.bucket} --server-side-encryption-configuration '{rules}'", 0
        )

    def fill_one_lane(self):
        for name in NAMES:
            self.put(FOLDER + name, "AES256")
        self.versioned()
        for name in NAMES:
            self.put(FOLDER + name, "aws:kms")
        self.put(FOLDER + "deleted", "AES256")
        self.put(FOLDER + "glacier", "AES256", "GLACIER")
        self.put(FOLDER + "right", "aws:kms", BucketKeyEnabled=True)
        self.put(FOLDER + "tagged", "AES256", Tagging="a=b", Metadata={"a": "b"})
        self.put(FOLDER + "large", "AES256", "STANDARD_IA")
        self.put(EXCEPTED + "plain")
        self.s3.delete_object(Bucket=self.bucket, Key=FOLDER + "deleted")
        self.default_encryption()

    def fill_all_lanes(self):
        for name in NAMES:
            self.put(FOLDER + name)
        self.versioned()
        for name in NAMES:
            self.put(FOLDER + name)
            self.put(FOLDER + "update/" + name, "AES256")
        self.put(FOLDER + "tagged", Tagging="a=b", Metadata={"a": "b"})
        for storage in ["STANDARD_IA", "GLACIER", "DEEP_ARCHIVE"]:
            self.put(FOLDER + storage, storage=storage)
        self.put(EXCEPTED + "plain")
        self.put_digests()
        self.default_encryption()

    def put_digests(self):
        """A chain of digests with their logs. The newest is not encrypted, and so must be copied; every other one is."""
        key = Key()
        tree = Tree(key)
        Chain(tree, account=ACCOUNT, region=REGION, bucket=self.bucket).extend(key, 2, 1, 0, 3)
        for at, (name, stored) in enumerate(tree.buckets[self.bucket].items()):
            how = {} if at % 2 else {"ServerSideEncryption": "AES256"}
            self.s3.put_object(Bucket=self.bucket, Key=name, Body=stored.body, Metadata=stored.metadata, **how)
        [self.tail] = tree.tails()
        tree.write_keys(self.desk)

    def prove_logs(self):
        """The signature of the newest digest is in its metadata, which the copy must have kept."""
        fetch = f"aws s3 sync --only-show-errors s3://{self.bucket} mirror/{self.bucket} --exclude '*' --include '*/2026/*'"
        prove = "logseal digests mirror --public-keys public-keys.0.json --logs --out proof --force"
        self.sh(fetch, 0)
        self.sh(prove, 3)
        head = f"mirror/{self.bucket}/{self.tail.key}.head.json"
        self.sh(f"aws s3api head-object --bucket {self.bucket} --key {self.tail.key} > {head}", 0)
        self.sh(prove, 0)
        summary = json.loads((self.desk / "proof/summary.json").read_text(encoding="utf-8"))
        found = summary["digests"], summary["logs"]
        print(f"the digests prove: {json.dumps(found)}")
        if [counts["verified"] for counts in found] != [4, 6]:
            raise Wrong("these are not all digests and logs")

    def listed(self):
        """All versions and delete markers, as S3 lists them."""
        found = []
        for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket):
            found += [(entry, False) for entry in page.get("Versions", [])]
            found += [(entry, True) for entry in page.get("DeleteMarkers", [])]
        return found

    def contents(self):
        """What changing the encryption in place must not touch."""
        return {
            (entry["Key"], entry["VersionId"]): (entry["LastModified"], entry["IsLatest"], entry.get("Size"))
            for entry, _ in self.listed()
        }

    def current(self):
        """What copying must not change: contents, classes, tags and metadata of current versions."""
        found = {}
        for entry, is_marker in self.listed():
            if entry["IsLatest"] and not is_marker:
                found[entry["Key"]] = (entry["StorageClass"], entry["Size"], *self.stored(entry["Key"]))
        return found

    def stored(self, key):
        place = {"Bucket": self.bucket, "Key": key}
        head = self.s3.head_object(**place)
        if head.get("StorageClass") in ARCHIVED:
            return [head["Metadata"]]
        body = self.s3.get_object(**place)["Body"].read()
        return head["Metadata"], body, self.s3.get_object_tagging(**place)["TagSet"]

    def inventory(self, is_first=False):
        """Writes a report of S3 Inventory and fetches the first; the README has a command for later ones."""
        # A copy is refused where an object is younger than the report, in whole seconds.
        time.sleep(1.1)
        base = f"inventory/{self.bucket}/daily"
        now = datetime.now(timezone.utc)
        data = self.rows()
        key = f"{base}/data/{uuid.uuid4()}.csv.gz"
        self.s3.put_object(Bucket=OPS, Key=key, Body=data)
        manifest = json.dumps({
            "sourceBucket": self.bucket,
            "destinationBucket": f"arn:aws:s3:::{OPS}",
            "version": "2016-11-30",
            "creationTimestamp": str(int(now.timestamp()) * 1000),
            "fileFormat": "CSV",
            "fileSchema": SCHEMA,
            "files": [{"key": key, "size": len(data), "MD5checksum": hashlib.md5(data).hexdigest()}],
        }).encode()
        # S3 names runs by the minute, which is too slow for a walk.
        self.runs += 1
        run = f"{base}/2026-01-01T00-{self.runs:02}Z"
        self.s3.put_object(Bucket=OPS, Key=f"{run}/manifest.json", Body=manifest)
        checksum = hashlib.md5(manifest).hexdigest().encode() + b"\n"
        self.s3.put_object(Bucket=OPS, Key=f"{run}/manifest.checksum", Body=checksum)
        if is_first:
            self.sh("aws s3 sync --only-show-errors s3://DESTINATION/PREFIX/BUCKET/CONFIG inventory", 0)

    def rows(self):
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for entry, is_marker in self.listed():
            version = "" if entry["VersionId"] == "null" else entry["VersionId"]
            key = urllib.parse.quote_plus(entry["Key"], safe="/")
            start = [self.bucket, key, version, text_of(entry["IsLatest"]), text_of(is_marker)]
            modified = entry["LastModified"].strftime("%Y-%m-%dT%H:%M:%S.000Z")
            if is_marker:
                writer.writerow([*start, "", modified, "", "", "", ""])
                continue
            place = {"Bucket": self.bucket, "Key": entry["Key"], "VersionId": entry["VersionId"]}
            head = self.s3.head_object(**place)
            status = STATUS[head.get("ServerSideEncryption")]
            bucket_key = "ENABLED" if head.get("BucketKeyEnabled") else "DISABLED"
            etag = entry["ETag"].strip('"')
            writer.writerow([*start, entry["Size"], modified, etag, entry["StorageClass"], status, bucket_key])
        return gzip.compress(text.getvalue().encode())

    def generated(self, block):
        """A block of the README that the audit wrote. After `create` its user confirms and looks."""
        if "head-object" in block:
            places = {"BUCKET": self.bucket, "KEY": f"'{FOLDER}GLACIER'"}
            block = re.sub(r"\b(BUCKET|KEY)\b", lambda found: places[found[0]], block)
        if block.startswith("aws s3 sync"):
            self.inventory()
            # Old versions are still there: see below.
            return self.sh("cd ../..\n" + block.rstrip("\n"), 1)
        if block.startswith("upload"):
            self.refuses_changed_manifests()
        if block.startswith(". ./jobs.sh\nfind"):
            self.fill_in()
        # The versions that were copied are still there, or no report says that they are not.
        self.sh(block.rstrip("\n"), 3 if "logseal reconcile" in block else 0)
        if block.startswith("create "):
            self.sh(block.rstrip("\n").replace("create ", "confirm "), 0)
            # Once more at the end: each process of the command line takes most of a second.
            if "restore-job" not in block and "copy-job" not in block:
                return
            if not re.fullmatch(r"(Complete\s+\d+\s+0\s.*\n|\s)+", self.sh("look", 0)):
                raise Wrong("a job is not complete, or a task has failed")
            if "restore-job" in block:
                self.wait_for_restores()

    def refuses_changed_manifests(self):
        path = next((self.desk / "audit/remediation").rglob("*.csv"))
        rows = path.read_bytes()
        path.write_bytes(rows + rows)
        self.sh("upload", 1)
        path.write_bytes(rows)

    def fill_in(self):
        """What a person does in an editor."""
        path = self.desk / "audit/remediation/jobs.sh"
        text = path.read_text(encoding="utf-8")
        for name, value in [
            ("ACCOUNT-ID", ACCOUNT),
            ("ROLE-ARN", f"arn:aws:iam::{ACCOUNT}:role/batch"),
            ("MANIFEST-LOCATION", f"{OPS}/manifests"),
            ("REPORT-BUCKET", OPS),
        ]:
            text = text.replace(f"REPLACE-WITH-{name}", value)
        path.write_text(text, encoding="utf-8")
        print("(jobs.sh is filled in)")

    def wait_for_restores(self):
        for entry, is_marker in self.listed():
            place = {"Bucket": self.bucket, "Key": entry["Key"], "VersionId": entry["VersionId"]}
            while not is_marker and not readable(self.s3.head_object(**place)):
                time.sleep(0.1)

    def expire_copied(self):
        """What a lifecycle rule does with noncurrent versions."""
        for entry, _ in self.listed():
            if not entry["IsLatest"]:
                self.s3.delete_object(Bucket=self.bucket, Key=entry["Key"], VersionId=entry["VersionId"])

    def expect_rows(self, **expected):
        counts = json.loads((self.desk / "reconciled/reconcile.json").read_text(encoding="utf-8"))["counts"]
        found = {name: counts[name] for name in expected}
        if found != expected:
            raise Wrong(f"{found} instead of {expected}")

    def passed(self, audit, reconciled):
        summary = json.loads((self.desk / audit / "summary.json").read_text(encoding="utf-8"))
        if summary["outcome"] != "pass":
            raise Wrong(f"the later audit: {summary['outcome_reasons']}")
        print(f"the later audit passes: {json.dumps(summary['counts'])}")
        if reconciled:
            found = json.loads((self.desk / reconciled / "reconcile.json").read_text(encoding="utf-8"))
            print(f"reconcile says: {found['outcome']} {json.dumps(found['counts'])}")


class Shell:
    """One shell for all commands of a walk, since they set variables and folders for each other."""

    MARK = "@@ done "

    def __init__(self, server, logseal, desk):
        tools = desk / ".tools"
        tools.mkdir()
        (tools / "logseal").symlink_to(logseal)
        if not shutil.which("less"):
            (tools / "less").symlink_to(shutil.which("cat"))
        path = [str(tools), str(pathlib.Path(sys.executable).parent), os.environ["PATH"]]
        settings = {
            "PATH": os.pathsep.join(path),
            "HOME": str(desk),
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": "walk",
            "AWS_SECRET_ACCESS_KEY": "walk",
            "AWS_DEFAULT_REGION": REGION,
            # The command line puts the account in front of this host's name, which only a proxy need not look up.
            "AWS_ENDPOINT_URL_S3_CONTROL": "http://jobs.invalid",
            "http_proxy": server.url,
            "no_proxy": "127.0.0.1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "LC_ALL": "C.UTF-8",
        }
        self.process = subprocess.Popen(
            ["sh"], cwd=desk, env=settings, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def run(self, command):
        self.process.stdin.write(f"{command}\nprintf '\\n{self.MARK}%s\\n' $?\n")
        self.process.stdin.flush()
        lines = []
        for line in self.process.stdout:
            if line.startswith(self.MARK):
                return "".join(lines), int(line.removeprefix(self.MARK))
            lines.append(line)
        raise Wrong(f"the shell has ended: {''.join(lines)}")


def what_moto_lacks(server):
    """Asks moto for what the walk has to do in its place."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket="probe")
    s3.put_object(Bucket="probe", Key="k", Body=b"probe", ServerSideEncryption="AES256")
    lacks = ["reports of S3 Inventory: written by the walk from what S3 lists"]
    wanted = {"SSEKMS": {"KMSKeyArn": NEW_KEY, "BucketKeyEnabled": True}}
    try:
        s3.update_object_encryption(Bucket="probe", Key="k", ObjectEncryption=wanted)
    except ClientError:
        pass
    if s3.get_object(Bucket="probe", Key="k").get("SSEKMSKeyId") != NEW_KEY:
        lacks.append("UpdateObjectEncryption: done in moto's memory")
    try:
        s3.put_object(Bucket="probe", Key="line\nbreak", Body=b"probe")
        raise Wrong("moto has learned keys with line breaks: walk with one")
    except ClientError:
        lacks.append("keys with line breaks: left out")
    lacks += [
        "CreateJob, DescribeJob and UpdateJobStatus: answered by the walk, which reads manifests and writes reports",
        "lifecycle rules that expire noncurrent versions: deleted by the walk",
        "permissions: neither the role's policy nor the key's is asked",
    ]
    return lacks


def readme_blocks():
    """The two blocks of the README's walk: the campaign, and what comes after the next inventory."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("From audit to re-encrypted bucket", 1)[1]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.S | re.M)[:2]


def blocks(path):
    return re.findall(r"^```sh\n(.*?)^```$", path.read_text(encoding="utf-8"), re.S | re.M)


def commands(block):
    """Lines, where one that ends with a backslash goes on in the next."""
    return [line.split("    #")[0].rstrip() for line in re.findall(r"(?:.*\\\n)*.*\n", block) if line.strip()]


def readable(head):
    return head.get("StorageClass") not in ARCHIVED or 'ongoing-request="false"' in head.get("Restore", "")


def text_of(value):
    return "true" if value else "false"


if __name__ == "__main__":
    main()
