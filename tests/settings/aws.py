"""A stand-in for the AWS command line: an organisation that answers, refuses, stalls or says nonsense as a test wants.

It is put first in PATH under the name `aws`. What it is asked goes to the folder in STAND_IN, one line of JSON a call,
with the arguments as they came. Each answer says in "Asked" who asked what and where, so that a test can hold it
against the name of the file in which it ended.
"""

import json
import os
import pathlib
import sys
import time

OWN, ARCHIVE, MEMBER, SUSPENDED = "111111111111", "222222222222", "333333333333", "444444444444"
STRANGER = "999999999999"
REGIONS = ["us-east-1", "eu-west-1"]
KEY_ID = "11111111-aaaa-4bbb-8ccc-000000000001"
ALIAS_KEY_ID = "22222222-aaaa-4bbb-8ccc-000000000002"
KEY = f"arn:aws:kms:eu-west-1:{ARCHIVE}:key/{KEY_ID}"
FOREIGN_KEY = f"arn:aws:kms:us-east-1:{STRANGER}:key/{KEY_ID}"
ORGANIZATION_TRAIL = f"arn:aws:cloudtrail:us-east-1:{OWN}:trail/org-trail"
# No trail has such a name; if one had, it would be data all the same.
ODD_NAME = "it's a \"$(touch pwned)\"; `touch pwned` * & é % 'x'"
ODD_TRAIL = f"arn:aws:cloudtrail:eu-west-1:{MEMBER}:trail/{ODD_NAME.replace(chr(34), '')}"
LOST_TRAIL = f"arn:aws:cloudtrail:us-east-1:{MEMBER}:trail/lost"
# Names that the command line would take for something else.
EVIL = ["file:///etc/hostname", "--debug", "http://127.0.0.1:1/"]
BUCKETS = {
    OWN: {"unrelated": None},
    ARCHIVE: {"org-audit-logs": "EU", "other": None},
    MEMBER: {"member-logs": None, "asia-logs": "ap-south-1"},
}
SESSIONS = {account: f"ASIA{account}" for account in (ARCHIVE, MEMBER, SUSPENDED)}


def secret_of(account):
    return f"secret/of+{account}/never-to-be-seen"


def token_of(account):
    return f"token//of++{account}==never-to-be-seen"


def trail(arn, home, bucket, key=None, **more):
    row = {"Name": arn.split("/", 1)[1], "S3BucketName": bucket, "HomeRegion": home, "TrailARN": arn, **more}
    return {**row, "KmsKeyId": key} if key else row


def trails_in(account, region):
    everywhere = [trail(ORGANIZATION_TRAIL, "us-east-1", "org-audit-logs", KEY, IsMultiRegionTrail=True)]
    if account == MEMBER:
        everywhere.append(trail(ODD_TRAIL, "eu-west-1", "member-logs", IsMultiRegionTrail=True))
        if region == "us-east-1":
            everywhere.append(trail(LOST_TRAIL, "us-east-1", "elsewhere-logs", FOREIGN_KEY))
            everywhere.append(trail(LOST_TRAIL + "2", "us-east-1", "asia-logs"))
    return everywhere


def default_key(bucket):
    # A hostile owner can write anything into the default encryption of a bucket.
    return {"org-audit-logs": KEY, "member-logs": "alias/logs", "asia-logs": "file:///etc/hostname"}.get(bucket)


def parents_of(child):
    parents = {MEMBER: "ou-1", "ou-1": "ou-2", ARCHIVE: "ou-2", "ou-2": "r-root", OWN: "r-root"}
    parent = parents[child]
    return [{"Id": parent, "Type": "ROOT" if parent == "r-root" else "ORGANIZATIONAL_UNIT"}]


class Refused(Exception):
    def __init__(self, code):
        super().__init__(code)
        self.code = code


def account_of(environment):
    """Who asks, by the credentials: all three of a session have to be there, and nothing that would be taken before."""
    key = environment.get("AWS_ACCESS_KEY_ID")
    if key == "AKIAOWN":
        return OWN
    for account, session in SESSIONS.items():
        wanted = (session, secret_of(account), token_of(account))
        found = tuple(
            environment.get(f"AWS_{name}") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")
        )
        others = ("AWS_PROFILE", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION")
        if found == wanted and not any(environment.get(name) for name in others):
            return account
    raise Refused("UnrecognizedClientException")


def answer(account, region, command, options):
    """What is there; None if the answer is empty."""
    service, _, operation = command.partition(" ")
    bucket = options.get("--bucket")
    if bucket is not None:
        if options.get("--expected-bucket-owner") != account or bucket not in BUCKETS[account]:
            raise Refused("AccessDenied")
        location = {None: "us-east-1", "EU": "eu-west-1"}.get(BUCKETS[account][bucket], BUCKETS[account][bucket])
        if operation != "get-bucket-location" and region != location:
            raise Refused("PermanentRedirect")
    key = options.get("--key-id")
    if key is not None and operation != "describe-key":
        if (account, region, key) not in [(ARCHIVE, "eu-west-1", KEY_ID), (MEMBER, "us-east-1", ALIAS_KEY_ID)]:
            raise Refused("NotFoundException")
    match command:
        case "sts get-caller-identity":
            return {"UserId": "AIDA", "Account": account, "Arn": f"arn:aws:iam::{account}:user/auditor"}
        case "organizations describe-organization":
            return {"Organization": {"Id": "o-example", "MasterAccountId": OWN}}
        case "organizations list-accounts":
            names = {OWN: 'x", "Id": "555555555555', ARCHIVE: "archive", MEMBER: 'x\n            "Id": "1"'}
            within = {"Id": "666666666666", "Status": "ACTIVE"}
            rows = [{"Id": id, "Name": name, "Status": "ACTIVE", "More": within} for id, name in names.items()]
            return {"Accounts": [*rows, {"Id": SUSPENDED, "Name": "old", "Status": "SUSPENDED"}]}
        case "organizations list-policies":
            if options["--filter"] == "RESOURCE_CONTROL_POLICY":
                return {"Policies": []}
            return {
                "Policies": [{"Id": id, "Name": "x", "Type": options["--filter"]} for id in ("p-FullAWSAccess", "p-1")]
            }
        case "organizations list-parents":
            return {"Parents": parents_of(options["--child-id"])}
        case "account list-regions":
            rows = [{"RegionName": name, "RegionOptStatus": "ENABLED_BY_DEFAULT"} for name in REGIONS]
            rows[1]["RegionOptStatus"] = "ENABLED"
            return {"Regions": [*rows, {"RegionName": "af-south-1", "RegionOptStatus": "DISABLED"}]}
        case "ec2 describe-regions":
            return {"Regions": [{"RegionName": name, "Endpoint": "x"} for name in REGIONS]}
        case "cloudtrail describe-trails":
            return {"trailList": trails_in(account, region)}
        case "cloudtrail get-trail-status":
            return {"IsLogging": True}
        case "kms list-aliases":
            row = {"AliasName": "alias/logs", "TargetKeyId": ALIAS_KEY_ID}
            return {"Aliases": [row] if (account, region) == (MEMBER, "us-east-1") else []}
        case "kms describe-key":
            return {"KeyMetadata": {"KeyId": key}}
        case "s3api list-buckets":
            return {"Buckets": [{"Name": name} for name in BUCKETS[account]], "Owner": {"ID": "1"}}
        case "s3api get-bucket-location":
            return {"LocationConstraint": BUCKETS[account][bucket]}
        case "s3api get-bucket-encryption":
            default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": default_key(bucket)}
            rule = {"ApplyServerSideEncryptionByDefault": default}
            return {"ServerSideEncryptionConfiguration": {"Rules": [rule]}}
        case "s3api get-bucket-policy":
            if account == MEMBER:
                raise Refused("NoSuchBucketPolicy")
            return {"Policy": '{\n "Statement": []\n}'}
        case "s3api get-bucket-versioning":
            return None
    if service not in ("organizations", "cloudtrail", "kms", "s3api", "s3control", "iam"):
        raise Refused("NoSuchCommand")
    return {"Result": operation}


def assume(options):
    account = options["--role-arn"].split(":")[4]
    if options["--role-arn"] != f"arn:aws:iam::{account}:role/reader" or options.get("--external-id") != "ex-1":
        raise Refused("AccessDenied")
    # As --query and --output text give it.
    return "\t".join([SESSIONS[account], secret_of(account), token_of(account)])


def parse(arguments):
    """Service, command and options, each with its value."""
    words, options = [], {}
    rest = iter(arguments)
    for word in rest:
        if not word.startswith("--"):
            words.append(word)
        elif word == "--include-shadow-trails":
            options[word] = True
        else:
            options[word] = next(rest)
    return " ".join(words), options


def fault_for(folder, command, account):
    """The first fault that fits, if it has not been used up."""
    file = folder / "faults.json"
    for at, fault in enumerate(json.loads(file.read_text()) if file.exists() else []):
        if fault.get("command", command) != command or fault.get("account", account) != account:
            continue
        if "times" in fault:
            # A name that can be made only once: calls are made several at a time.
            for time_left in range(fault["times"]):
                try:
                    os.mkdir(folder / f"fault-{at}-{time_left}")
                    return fault
                except FileExistsError:
                    pass
            continue
        return fault
    return {}


def main(arguments):
    folder = pathlib.Path(os.environ["STAND_IN"])
    command, options = parse(arguments)
    record = json.dumps({"arguments": arguments, "key": os.environ.get("AWS_ACCESS_KEY_ID"), "process": os.getpid()})
    with open(folder / "calls", "a") as calls:
        calls.write(record + "\n")
    account = "-"
    try:
        account = account_of(os.environ)
        fault = fault_for(folder, command, account)
        time.sleep(fault.get("slow", 0))
        if "code" in fault:
            raise Refused(fault["code"])
        if "say" in fault:
            sys.stderr.write(fault["say"])
            return fault["status"]
        if command == "sts assume-role":
            print(assume(options))
            return 0
        found = answer(account, options["--region"], command, options)
    except Refused as refused:
        operation = command.partition(" ")[2].title().replace("-", "")
        text = f"An error occurred ({refused.code}) when calling the {operation} operation: no, {account}"
        sys.stderr.write(f"\n{text}\n")
        return 254
    if found is None:
        return 0
    found["Asked"] = [account, options["--region"], command]
    text = json.dumps(found, indent=4, ensure_ascii=False) + "\n"
    if fault.get("half") or fault.get("stall"):
        sys.stdout.write(text[: len(text) // 2])
        sys.stdout.flush()
        if fault.get("half"):
            return 0
        (folder / "stalled").touch()
        time.sleep(60)
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
