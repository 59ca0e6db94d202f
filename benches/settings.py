#!/usr/bin/env python3
"""How long `logseal settings` takes for a large organisation.

    cargo build --release
    python3 benches/settings.py target/release/logseal

makes an export of 1,000 accounts with 17 Regions and three trails each (about 60,000 files as the script of
`logseal settings script` makes them, 500 MB on disk), looks at it several times from the page cache, and prints the median
time, the processor time and the memory. `--accounts`, `--runs` and `--folder` change what is made.

No other tool answers these questions from files: Steampipe, Prowler and ScoutSuite ask AWS; cfn-guard reads one document
at a time and has no notion of a time, a refusal or another account. The floor that is printed beside is what opening,
reading and parsing the same files takes in one process of Python with its C parser of JSON.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Optional
from urllib.parse import quote

REGIONS = ("us-east-1 us-east-2 us-west-1 us-west-2 ap-south-1 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-southeast-1 "
           "ap-southeast-2 ca-central-1 eu-central-1 eu-west-1 eu-west-2 eu-west-3 eu-north-1 sa-east-1").split()
MANAGEMENT, HOME, AT = "100000000000", "us-east-1", "2026-11-01T12:00:00Z"
ORGANIZATION = "o-example11111"
POLICY = """name = "Bench"
[settings]
accounts = "organization"
max_age = "2d"
[settings.trail]
validation = true
multi_region = true
management_events = "all"
delivered_within = "24h"
[settings.bucket]
default_encryption = ["SSE-KMS"]
tls_only = true
versioning = true
public = false
source_condition = true
[settings.key]
decrypt = ["arn:aws:iam::*:role/security-*"]
rotation = "365d"
"""


class Export:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = 0

    def call(self, account: str, region: str, command: str, parameter: Optional[str], output: Any) -> None:
        service, name = command.split(" ")
        folder = self.root / account / region / service
        path = folder / f"{name}.json" if parameter is None else folder / name / f"{quote(parameter, safe='')}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(output, indent=4) + "\n")
        self.files += 1


def trail(account: str, name: str, organization: bool) -> Dict[str, Any]:
    return {
        "Name": name, "S3BucketName": f"logs-{account}", "IncludeGlobalServiceEvents": True, "IsMultiRegionTrail": True,
        "HomeRegion": HOME, "TrailARN": arn(account, name), "LogFileValidationEnabled": True,
        "HasCustomEventSelectors": True, "HasInsightSelectors": False, "IsOrganizationTrail": organization,
        "KmsKeyId": key_arn(account),
    }


def arn(account: str, name: str) -> str:
    return f"arn:aws:cloudtrail:{HOME}:{account}:trail/{name}"


def key_id(account: str) -> str:
    return f"11111111-aaaa-4bbb-8ccc-{account}"


def key_arn(account: str) -> str:
    return f"arn:aws:kms:{HOME}:{account}:key/{key_id(account)}"


def service(sid: str, account: str, action: str, resource: str, more: Dict[str, Any]) -> Dict[str, Any]:
    condition = {"ArnLike": {"aws:SourceArn": f"arn:aws:cloudtrail:{HOME}:{account}:trail/*"}, **more}
    principal = {"Service": "cloudtrail.amazonaws.com"}
    return {"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": action, "Resource": resource, "Condition": condition}


def bucket_policy(account: str) -> str:
    bucket = f"arn:aws:s3:::logs-{account}"
    acl = {"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}}
    folders = [account, ORGANIZATION]
    writes = [service(f"Write{at}", account, "s3:PutObject", f"{bucket}/AWSLogs/{to}/*", acl) for at, to in enumerate(folders)]
    tls = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [bucket, f"{bucket}/*"],
           "Condition": {"Bool": {"aws:SecureTransport": "false"}}}
    return json.dumps({"Version": "2012-10-17", "Statement": [service("Acl", account, "s3:GetBucketAcl", bucket, {}), *writes, tls]})


def key_policy(account: str) -> str:
    context = {"StringLike": {"kms:EncryptionContext:aws:cloudtrail:arn": f"arn:aws:cloudtrail:*:{account}:trail/*"}}
    admin = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:root"}, "Action": ["kms:Describe*", "kms:Get*"], "Resource": "*"}
    read = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{account}:role/security-audit"}, "Action": "kms:Decrypt", "Resource": "*"}
    own = [service("Encrypt", account, "kms:GenerateDataKey*", "*", context), service("Describe", account, "kms:DescribeKey", "*", {})]
    return json.dumps({"Version": "2012-10-17", "Statement": [admin, *own, read]})


def make_account(export: Export, account: str) -> None:
    trails = [trail(MANAGEMENT, "organization", True), trail(account, "own-1", False), trail(account, "own-2", False)]
    for region in REGIONS:
        export.call(account, region, "cloudtrail describe-trails", None, {"trailList": trails})
        export.call(account, region, "kms list-aliases", None, {"Aliases": []})
    owned = ["organization"] if account == MANAGEMENT else []
    for name in ["own-1", "own-2", *owned]:
        here = arn(account, name)
        status = {
            "IsLogging": True,
            "LatestDeliveryTime": "2026-11-01T11:54:00+00:00",
            "LatestDigestDeliveryTime": "2026-11-01T11:20:00+00:00",
            "StartLoggingTime": "2024-05-03T09:00:00+00:00",
        }
        export.call(account, HOME, "cloudtrail get-trail-status", here, status)
        selectors = [{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [], "ExcludeManagementEventSources": []}]
        export.call(account, HOME, "cloudtrail get-event-selectors", here, {"TrailARN": here, "EventSelectors": selectors})
    bucket, key = f"logs-{account}", key_id(account)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn(account)}}
    block = {name: True for name in ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")}
    calls: List[Any] = [
        ("s3api list-buckets", None, {"Buckets": [{"Name": bucket}, {"Name": f"other-{account}"}]}),
        ("s3api get-bucket-location", bucket, {"LocationConstraint": None}),
        ("s3api get-bucket-encryption", bucket, {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}),
        ("s3api get-bucket-policy", bucket, {"Policy": bucket_policy(account)}),
        ("s3api get-bucket-policy-status", bucket, {"PolicyStatus": {"IsPublic": False}}),
        ("s3api get-bucket-versioning", bucket, {"Status": "Enabled"}),
        ("s3api get-public-access-block", bucket, {"PublicAccessBlockConfiguration": block}),
        ("s3api get-bucket-acl", bucket, {"Owner": {"ID": "c"}, "Grants": [{"Grantee": {"ID": "c"}, "Permission": "FULL_CONTROL"}]}),
        ("s3api get-bucket-ownership-controls", bucket, {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}),
        ("s3api get-bucket-logging", bucket, {}),
        ("s3api get-bucket-request-payment", bucket, {"Payer": "BucketOwner"}),
        ("s3control get-public-access-block", account, {"PublicAccessBlockConfiguration": block}),
        ("account list-regions", None, {"Regions": [{"RegionName": name, "RegionOptStatus": "ENABLED"} for name in REGIONS]}),
        ("kms describe-key", key, {"KeyMetadata": {
            "AWSAccountId": account, "KeyId": key, "Arn": key_arn(account), "Enabled": True, "KeyUsage": "ENCRYPT_DECRYPT",
            "KeyState": "Enabled", "Origin": "AWS_KMS", "KeyManager": "CUSTOMER", "KeySpec": "SYMMETRIC_DEFAULT"}}),
        ("kms get-key-policy", key, {"Policy": key_policy(account)}),
        ("kms get-key-rotation-status", key, {"KeyId": key_arn(account), "KeyRotationEnabled": True, "RotationPeriodInDays": 365}),
        ("kms list-grants", key, {"Grants": [], "Truncated": False}),
        ("kms list-resource-tags", key, {"Tags": [], "Truncated": False}),
        ("iam get-account-authorization-details", None, {
            "UserDetailList": [], "GroupDetailList": [], "RoleDetailList": [], "Policies": [], "IsTruncated": False}),
    ]
    for command, parameter, output in calls:
        export.call(account, HOME, command, parameter, output)


def make(root: Path, accounts: int) -> int:
    shutil.rmtree(root, ignore_errors=True)
    export = Export(root)
    ids = [str(int(MANAGEMENT) + number) for number in range(accounts)]
    for account in ids:
        make_account(export, account)
    export.call(MANAGEMENT, HOME, "organizations list-accounts", None, {"Accounts": [{"Id": id_, "Status": "ACTIVE"} for id_ in ids]})
    export.call(MANAGEMENT, HOME, "organizations describe-organization", None, {
        "Organization": {"Id": ORGANIZATION, "MasterAccountId": MANAGEMENT}})
    (root / "export.json").write_text(json.dumps({"started": AT, "finished": AT}))
    return export.files


def look(logseal: str, root: Path, out: Path) -> List[float]:
    policy = root.parent / "policy.toml"
    policy.write_text(POLICY)
    command = [logseal, "settings", str(root), "--policy", str(policy), "--out", str(out), "--force", "--quiet", "--as-of", AT]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        sys.exit(f"logseal ended with {code}, and nothing is wrong with this export")
    return [seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024]


def floor(root: Path) -> float:
    start = time.perf_counter()
    for folder, _, names in os.walk(root):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                json.loads(file.read())
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logseal", help="the command, built with --release")
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, default=Path("target/settings-bench"))
    options = parser.parse_args()
    root = options.folder / "export"
    files = make(root, options.accounts)
    look(options.logseal, root, options.folder / "out")
    runs = [look(options.logseal, root, options.folder / "out") for _ in range(options.runs)]
    seconds, processor, memory = (statistics.median(run[at] for run in runs) for at in range(3))
    print(f"{options.accounts:,} accounts, {files:,} files, median of {options.runs}")
    print(f"logseal settings                    {seconds:6.2f} s  {processor:6.2f} s of processor  {memory:5.0f} MiB")
    print(f"reading and parsing alone, Python   {floor(root):6.2f} s")


if __name__ == "__main__":
    main()
