#!/usr/bin/env python3
"""From an export to settings that are put right, against moto's server and with the real command line.

    python3 -m venv venv && venv/bin/pip install -r tests/walk/requirements.txt
    venv/bin/python tests/settings/round.py target/debug/logseal

Three accounts: their trail is off, is of one Region and makes no digests, its key is off, its key and bucket allow CloudTrail
nothing, and nothing keeps it from being stopped. The script that `logseal settings script` prints makes an export, `logseal
settings` says what is wrong, the commands that it proposes are run, each with the credentials of its account, and after this
was done twice every row that was violated is compliant and none is worse.
"""

import csv
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from typing import Dict, List, Tuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from moto_organization import BUCKET, HOME, OWN, REGIONS, World  # noqa: E402

POLICY = """
[keys]
archive = "{key}"

[settings]
regions = {regions}
keys = ["archive"]
max_age = "1d"

[settings.trail]
validation = true
multi_region = true
destination_accounts = ["{archive}"]

[settings.bucket]
default_encryption = ["SSE-KMS"]
tls_only = true
versioning = true
public = false
source_condition = true

[settings.guardrails]
deny = ["cloudtrail:StopLogging"]

[settings.key]
decrypt = ["arn:aws:iam::{archive}:role/security-*"]
rotation = "365d"
"""
OPEN_KEY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:Decrypt", "Resource": "*"},
        {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "kms:DescribeKey", "Resource": "*"},
    ],
}
Rows = Dict[Tuple[str, str], Dict[str, str]]


class Round:
    def __init__(self, logseal: str, desk: pathlib.Path) -> None:
        self.logseal, self.desk, self.world = pathlib.Path(logseal).resolve(), desk, World()
        world = self.world
        world.client(OWN, "cloudtrail", HOME).update_trail(
            Name="org-trail", EnableLogFileValidation=False, IsMultiRegionTrail=False
        )
        world.client(OWN, "cloudtrail", HOME).stop_logging(Name="org-trail")
        # moto makes trails that log nothing, and AWS none.
        # AWS writes all four, whatever was put.
        selectors = [{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": [],
                      "ExcludeManagementEventSources": []}]
        world.client(OWN, "cloudtrail", HOME).put_event_selectors(TrailName="org-trail", EventSelectors=selectors)
        kms = world.client(world.archive, "kms", HOME)
        kms.put_key_policy(KeyId=world.key["KeyId"], PolicyName="default", Policy=json.dumps(OPEN_KEY))
        kms.disable_key_rotation(KeyId=world.key["KeyId"])
        stranger = f"arn:aws:iam::{OWN}:role/visitor"
        kms.create_grant(KeyId=world.key["KeyId"], GranteePrincipal=stranger, Operations=["Decrypt"], Name="left-over")
        kms.disable_key(KeyId=world.key["KeyId"])
        world.client(world.archive, "s3", HOME).put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
        default = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
        world.client(world.archive, "s3", HOME).put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration=default)
        text = POLICY.format(key=world.key["Arn"], regions=json.dumps(REGIONS), archive=world.archive)
        (desk / "policy.toml").write_text(text)
        (desk / "export.sh").write_bytes(subprocess.run([self.logseal, "settings", "script"], check=True, capture_output=True).stdout)

    def environment(self, account: str) -> Dict[str, str]:
        """The credentials of an account, and a command line that knows no others."""
        path = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
        environment = {**os.environ, **self.world.environment(), "PATH": path, "HOME": str(self.desk), "AWS_PAGER": ""}
        # AWS's own places need no Region for S3 and Organizations; with a place of ours the command line asks for one.
        environment |= {"AWS_DEFAULT_REGION": HOME}
        if account != OWN:
            role = f"arn:aws:iam::{account}:role/admin"
            answer = self.world.client(OWN, "sts").assume_role(RoleArn=role, RoleSessionName="admin")["Credentials"]
            environment |= {"AWS_ACCESS_KEY_ID": answer["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": answer["SecretAccessKey"]}
            environment["AWS_SESSION_TOKEN"] = answer["SessionToken"]
        return environment

    def look(self, name: str) -> Tuple[int, Rows]:
        """Makes an export and looks at it."""
        export, out = self.desk / f"export-{name}", self.desk / f"out-{name}"
        command = ["sh", str(self.desk / "export.sh"), str(export), "--role", "reader", "--regions", " ".join(REGIONS)]
        made = subprocess.run(command, env=self.environment(OWN), capture_output=True, text=True)
        if made.returncode != 3:
            sys.exit(f"the script ended with {made.returncode}, and 3 says what moto refuses: {made.stderr}")
        # moto's answer is empty; AWS always says who pays.
        for answer in export.glob("*/*/s3api/get-bucket-request-payment/*.json"):
            answer.write_text('{"Payer": "BucketOwner"}')
        # moto does not say what a key that is disabled is for.
        for answer in export.glob("*/*/kms/describe-key/*.json"):
            key = json.loads(answer.read_text())
            answer.write_text(json.dumps({"KeyMetadata": {"KeyUsage": "ENCRYPT_DECRYPT", **key["KeyMetadata"]}}))
        # moto knows one owner in lists of buckets and another in those of access, whatever the account.
        for answer in [*export.glob("*/*/s3api/list-buckets.json"), *export.glob("*/*/s3api/get-bucket-acl/*.json")]:
            account, owned = answer.relative_to(export).parts[0], json.loads(answer.read_text())
            answer.write_text(json.dumps({**owned, "Owner": {"ID": account}}))
        look = [self.logseal, "settings", export, "--policy", self.desk / "policy.toml", "--out", out, "--no-progress"]
        ran = subprocess.run([str(word) for word in look], capture_output=True, text=True)
        print(ran.stdout if name == "first" else ran.stdout.split("\n\n")[0])
        with open(out / "settings.csv", newline="", encoding="utf-8") as file:
            return ran.returncode, {(row["resource"], row["check"]): row for row in csv.DictReader(file)}

    def run(self, account: str, lines: List[str], folder: pathlib.Path) -> None:
        command = ["sh", "-e", "-c", "\n".join(lines)]
        ran = subprocess.run(command, cwd=folder, env=self.environment(account), capture_output=True, text=True)
        if ran.returncode:
            sys.exit(f"the command line refuses: {lines}\n{ran.stderr}")
        print("\n".join(f"{account}  {line[:110]}" for line in lines))

    def put_right(self, name: str) -> List[Tuple[str, str]]:
        """Runs what is proposed, and says what for."""
        folder, account, answered = self.desk / f"out-{name}" / "fixes", "", []
        lines = (folder / "commands.sh").read_text().split("\nexit 1\nset -e\n")[1].splitlines()
        for is_said, group in itertools.groupby(lines, lambda line: not line or line.startswith("#")):
            if not is_said:
                self.run(account, list(group), folder)
                continue
            for line in group:
                if line.startswith("# With credentials of account "):
                    account = line.removeprefix("# With credentials of account ").removesuffix(":")
                elif line.startswith("# ") and " of " in line:
                    check, resource = line.removeprefix("# ").split(" of ", 1)
                    answered.append((resource.rsplit(": ", 1)[0], check))
        return answered


def main() -> None:
    with tempfile.TemporaryDirectory() as desk:
        tour = Round(sys.argv[1], pathlib.Path(desk))
        code, before = tour.look("first")
        answered = tour.put_right("first")
        # What needs a key that is off is proposed once it is on.
        tour.look("second")
        answered += tour.put_right("second")
        _, after = tour.look("third")
    violated = {of for of, row in before.items() if row["verdict"] == "violation"}
    wrongs = [f"exit {code} where things are wrong"] if code != 1 else []
    wrongs += [f"not cured: {of}: {after.get(of)}" for of in violated if of not in after or after[of]["verdict"] != "compliant"]
    order = ["compliant", "excepted", "out_of_scope", "undetermined", "violation"]
    rank = lambda rows, of: order.index(rows[of]["verdict"]) if of in rows else 0  # noqa: E731
    wrongs += [f"worse than before: {of}: {after[of]}" for of in before if rank(after, of) > max(rank(before, of), 2)]
    print("\n".join(wrongs))
    print(f"{len(violated)} violations, {len(answered)} proposals, {len(wrongs)} wrong")
    sys.exit(1 if wrongs or not answered else 0)


if __name__ == "__main__":
    main()
