#!/usr/bin/env python3
"""Runs the script that `logseal settings script` prints, against a stand-in for the AWS command line and against moto.

The stand-in (aws.py) writes down what it is asked, and refuses, stalls or says nonsense as a test wants. With moto it
is the real command line, version 1, and an organisation of three accounts. Two parts run at a time.

    python3 -m venv target/aws && target/aws/bin/pip install -r tests/walk/requirements.txt
    target/aws/bin/python tests/settings/script.py
    target/aws/bin/python tests/settings/script.py --mistakes

`--mistakes` puts mistakes into the script, one after another, and sees that each of them is found.
"""

import argparse
import collections
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import aws
from aws import (
    ALIAS_KEY_ID,
    ARCHIVE,
    FOREIGN_KEY,
    KEY_ID,
    MEMBER,
    ODD_TRAIL,
    ORGANIZATION_TRAIL,
    OWN,
    REGIONS,
)

HERE = pathlib.Path(__file__).resolve().parent
SCRIPTS = [HERE / "script.sh", HERE.parents[1] / "src/settings/script.sh"]
ROLE = ["--role", "reader", "--external-id", "ex-1"]
# Nothing is refused to these two, and nothing about them is odd.
SMALL = [*ROLE, "--accounts", f"{OWN} {ARCHIVE}"]
SECRETS = [f(account) for account in aws.SESSIONS for f in (aws.secret_of, aws.token_of)] + list(aws.SESSIONS.values())
BUCKET_CALLS = (
    "get-bucket-encryption get-bucket-policy get-bucket-policy-status get-bucket-versioning get-public-access-block "
    "get-bucket-acl get-bucket-ownership-controls get-bucket-logging get-bucket-request-payment get-object-lock-configuration "
    "get-bucket-tagging"
).split()
KEY_CALLS = "describe-key get-key-policy get-key-rotation-status list-grants list-resource-tags".split()


class Wrong(Exception):
    """The script did not do what it should."""


def expect(found, wanted, what):
    if found != wanted:
        raise Wrong(f"{what}: {found!r} instead of {wanted!r}")


def expect_same(found, wanted, what):
    """The same for names: only what differs is told."""
    found, wanted = set(found), set(wanted)
    if found != wanted:
        missing, more = sorted(wanted - found), sorted(found - wanted)
        raise Wrong(f"{what}: missing {missing[:5]}, not wanted {more[:5]}")


def name_of(account, region, command, parameter=None):
    parts = [account, region, *command.split()]
    return "/".join(parts if parameter is None else [*parts, urllib.parse.quote(parameter, safe="")])


def expected_calls(accounts=(OWN, ARCHIVE, MEMBER), regions=REGIONS):
    """What is to be asked of the organisation in aws.py: the name of the file, without its ending, and the options."""
    main, calls = REGIONS[0], {}

    def add(account, region, command, parameter=None, **options):
        words = {f"--{name.replace('_', '-')}": value for name, value in options.items()}
        calls[name_of(account, region, command, parameter)] = words

    for command in ("describe-organization", "list-accounts", "list-delegated-administrators", "list-roots"):
        add(OWN, main, f"organizations {command}")
    for kind in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"):
        add(OWN, main, "organizations list-policies", kind, filter=kind)
    for policy in ("p-FullAWSAccess", "p-1"):
        for command in ("describe-policy", "list-targets-for-policy"):
            add(OWN, main, f"organizations {command}", policy, policy_id=policy)
    for child in [*accounts, "ou-2", *(["ou-1"] if MEMBER in accounts else [])]:
        add(OWN, main, "organizations list-parents", child, child_id=child)
    for account in accounts:
        add(account, main, "account list-regions")
        add(account, main, "s3api list-buckets")
        for region in regions:
            add(account, region, "cloudtrail describe-trails", include_shadow_trails=True)
            add(account, region, "kms list-aliases")

    def add_trail(account, home, arn):
        add(account, home, "cloudtrail get-trail-status", arn, name=arn)
        add(account, home, "cloudtrail get-event-selectors", arn, trail_name=arn)

    def add_bucket(account, region, bucket):
        owned = {"bucket": bucket, "expected_bucket_owner": account}
        add(account, main, "s3api get-bucket-location", bucket, **owned)
        for command in BUCKET_CALLS:
            add(account, region, f"s3api {command}", bucket, **owned)
        add(account, main, "s3control get-public-access-block", account, account_id=account)

    def add_key(account, region, key):
        for command in KEY_CALLS:
            more = {"policy_name": "default"} if command == "get-key-policy" else {}
            add(account, region, f"kms {command}", key, key_id=key, **more)
        add(account, main, "iam get-account-authorization-details")

    add_trail(OWN, "us-east-1", ORGANIZATION_TRAIL)
    add_bucket(ARCHIVE, "eu-west-1", "org-audit-logs")
    add_key(ARCHIVE, "eu-west-1", KEY_ID)
    if MEMBER in accounts:
        add_trail(MEMBER, "eu-west-1", ODD_TRAIL)
        add_trail(MEMBER, "us-east-1", aws.LOST_TRAIL)
        add_trail(MEMBER, "us-east-1", aws.LOST_TRAIL + "2")
        add_bucket(MEMBER, "us-east-1", "member-logs")
        add_bucket(MEMBER, "ap-south-1", "asia-logs")
        add_key(MEMBER, "us-east-1", ALIAS_KEY_ID)
        lost = {"bucket": "elsewhere-logs", "expected_bucket_owner": MEMBER}
        add(MEMBER, main, "s3api get-bucket-location", "elsewhere-logs", **lost)
        add(MEMBER, "us-east-1", "kms describe-key", FOREIGN_KEY, key_id=FOREIGN_KEY)
    return calls


def expected_codes(calls):
    """What each of them is answered: None, or the code."""
    codes = dict.fromkeys(calls)
    for name in calls:
        if name.startswith(MEMBER) and "/get-bucket-policy/" in name:
            codes[name] = "NoSuchBucketPolicy"
        if name.endswith("/get-bucket-location/elsewhere-logs"):
            codes[name] = "AccessDenied"
    codes[name_of(OWN, REGIONS[0], "sts get-caller-identity")] = None
    return codes


class Ran:
    def __init__(self, code, out, err, calls):
        self.code, self.out, self.err, self.calls = code, out, err, calls

    def names(self):
        """The files that these calls are for, and how often each was asked for."""
        return collections.Counter(call["name"] for call in self.calls)


class Bench:
    """A folder of its own, with the script, the stand-in and a home."""

    def __init__(self, script, shell, desk):
        self.shell, self.desk, self.out = shell, desk, desk / "out"
        for name in ("bin", "home", "here", "state"):
            (desk / name).mkdir(parents=True)
        self.script = desk / "script.sh"
        self.script.write_text(script)
        stand_in = desk / "bin/aws"
        stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -E "{HERE / "aws.py"}" "$@"\n')
        stand_in.chmod(0o755)

    def environment(self, more):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        path = f"{self.desk / 'bin'}:{os.environ['PATH']}"
        own = {"HOME": str(self.desk / "home"), "STAND_IN": str(self.desk / "state"), "AWS_ACCESS_KEY_ID": "AKIAOWN"}
        return {**kept, "PATH": path, **own, **more}

    def start(self, arguments, faults=(), flags=(), **more):
        state = self.desk / "state"
        shutil.rmtree(state)
        state.mkdir()
        (state / "faults.json").write_text(json.dumps(list(faults)))
        self.said = (open(self.desk / "stdout", "w+"), open(self.desk / "stderr", "w+"))
        return subprocess.Popen(
            [shutil.which(self.shell[0]), *self.shell[1:], *flags, str(self.script), *arguments],
            cwd=self.desk / "here",
            env=self.environment(more),
            stdin=subprocess.DEVNULL,
            stdout=self.said[0],
            stderr=self.said[1],
            start_new_session=True,
        )

    def wait(self, process, seconds=120):
        code = process.wait(seconds)
        out, err = [(file.seek(0), file.read())[1] for file in self.said]
        ran = Ran(code, out, err, self.calls())
        self.check(ran)
        return ran

    def run(self, arguments=ROLE, faults=(), flags=(), **more):
        return self.wait(self.start([str(self.out), *arguments], faults, flags, **more))

    def calls(self):
        file = self.desk / "state/calls"
        calls = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
        accounts = {session: account for account, session in aws.SESSIONS.items()}
        for call in calls:
            command, options = aws.parse(call["arguments"])
            call["command"], call["options"] = command, options
            parameters = [
                options[name]
                for name in ("--bucket", "--name", "--trail-name", "--key-id", "--policy-id", "--child-id", "--filter")
                + ("--role-arn", "--account-id")
                if name in options
            ]
            account = accounts.get(call["key"], OWN)
            call["name"] = name_of(account, options.get("--region", "-"), command, *parameters[:1])
        return calls

    def tree(self):
        """Every file of the export, without its ending: None for an answer, or the code of the refusal."""
        tree = {}
        for file in sorted(self.out.rglob("*")):
            relative = str(file.relative_to(self.out))
            if not file.is_file() or relative == "export.json":
                continue
            name, _, ending = (
                relative.rpartition(".json") if relative.endswith(".json") else relative.rpartition(".error.")
            )
            if ending not in ("", "txt") or not name:
                raise Wrong(f"a file that is none of the export: {relative}")
            if name in tree:
                raise Wrong(f"both an answer and a refusal: {name}")
            tree[name] = code_of(file.read_text()) if ending else self.check_answer(file, name)
        return tree

    def check_answer(self, file, name):
        answer = json.loads(file.read_text())
        account, region, service, command = name.split("/")[:4]
        if answer == {} and command == "get-bucket-versioning":
            return
        expect(answer.get("Asked"), [account, region, f"{service} {command}"], f"who is answered in {name}")

    def export(self):
        return json.loads((self.out / "export.json").read_text())

    def check(self, ran):
        """What holds whatever happens."""
        if list((self.desk / "here").iterdir()) or list((self.desk / "home").iterdir()):
            raise Wrong("something was written beside the export")
        files = [file.read_text() for file in self.out.rglob("*") if file.is_file()]
        places = {"the export": "".join(files), "stdout": ran.out, "stderr": ran.err}
        places["arguments"] = json.dumps([call["arguments"] for call in ran.calls])
        for place, text in places.items():
            if any(secret in text for secret in SECRETS):
                raise Wrong(f"a secret is in {place}")
        for call in ran.calls:
            arguments = call["arguments"]
            if any("://" in word for word in arguments) or "--max-items" in arguments or "--debug" in arguments:
                raise Wrong(f"the command line would read something else: {arguments}")
            wanted = "text" if call["command"] == "sts assume-role" else "json"
            expect(call["options"].get("--output"), wanted, f"--output of {arguments}")
        if ran.code in (0, 3):
            expect((self.out / ".part").exists(), False, "whether scratch is left")
        expect(ran.out.startswith("usage:") or ran.out == "", True, f"that stdout is empty: {ran.out}")


def code_of(text):
    _, begun, rest = text.partition("An error occurred (")
    return rest.partition(")")[0] if begun else "-"


COUNTED = "answers, 2 times nothing is set, 1 refused, 1 not asked"


def full_run(make, shells):
    """All of it, under each shell."""
    for shell in shells:
        bench = make(shell)
        others = {"AWS_PROFILE": "x", "AWS_SECURITY_TOKEN": "x", "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}
        ran = bench.run(**others)
        check_full(bench, ran)
        export = bench.export()
        expect(set(export), {"started", "finished", "script"}, "members of export.json")
        for wanted in [
            "3 accounts x 2 Regions",
            "about",
            "[3/3]",
            "file:///etc/hostname",
            "refused: 1 x s3api",
            COUNTED,
        ]:
            expect(wanted in ran.err, True, f"that stderr says {wanted}: {ran.err}")
        expect(f"logseal settings {bench.out} --out RESULT" in ran.err, True, "that it says how to go on")
        again = bench.run()
        expect(again.code, 3, f"exit of an export that is complete ({again.err})")
        expect([call["command"] for call in again.calls], ["sts get-caller-identity"], "what is asked again")
        expect(bench.export()["started"], export["started"], "when it was begun")


def check_full(bench, ran):
    calls = expected_calls()
    expect(ran.code, 3, f"exit ({ran.err})")
    expect_same(bench.tree(), expected_codes(calls), "files")
    expect(bench.tree(), expected_codes(calls), "files")
    asked = {call["name"]: call["options"] for call in ran.calls if not call["command"].startswith("sts ")}
    expect_same(asked, calls, "calls")
    for name, options in calls.items():
        found = {key: value for key, value in asked[name].items() if key not in ("--region", "--output")}
        expect(found, options, f"options of {name}")
    expect(twice_in(ran), [], "asked twice")


def twice_in(ran):
    """A role may be assumed once for each step."""
    return [name for name, count in ran.names().items() if count > 1 and "/sts/" not in name]


def usage(make, shells):
    """Wrong arguments end with 2, and nothing is asked or written."""
    bench = make(shells[0])
    out = str(bench.out)
    for arguments in [
        [],
        [out, "more"],
        [""],
        [out, "--no-such"],
        [out, "--role"],
        [out, "--role", ""],
        [out, "--role", "a b"],
        [out, "--role", "--x"],
        [out, "--external-id", "a b"],
        [out, "--regions", "US-EAST-1"],
        [out, "--regions", "us-east-1 ../x"],
        [out, "--accounts", "12345"],
        [out, "--accounts", f"{OWN} *"],
        [out, "--policies", "scp"],
        [out, "--policies", "none SERVICE_CONTROL_POLICY"],
        [out, "--jobs", "0"],
        [out, "--jobs", "many"],
    ]:
        ran = bench.wait(bench.start(arguments))
        expect((ran.code, ran.calls, bench.out.exists()), (2, [], False), f"{arguments} ({ran.err})")
        expect(ran.err != "", True, f"that {arguments} is told why")
    ran = bench.wait(bench.start(["--help"]))
    expect((ran.code, ran.calls, bench.out.exists()), (0, [], False), "--help")
    for option in ["--role", "--external-id", "--accounts", "--regions", "--policies", "--jobs", "--retry-refused"]:
        expect(option in ran.out, True, f"that --help tells of {option}")
    ran = bench.run(["--accounts", f"{OWN} {ARCHIVE}"])
    expect(ran.code, 2, f"exit with other accounts, without --role ({ran.err})")


def folders(make, shells):
    """What is no export, or an old one, is left alone; so is one that another run writes to."""
    bench = make(shells[0])
    bench.out.mkdir()
    (bench.out / "mine.txt").write_text("x")
    expect(bench.run().code, 2, "exit for a folder that is no export")
    (bench.out / "mine.txt").unlink()
    for started, code in [("yesterday", 2), ("2020-02-29T00:00:00Z", 2), (ago(hours=25), 2), (ago(hours=23), 0)]:
        (bench.out / "export.json").write_text(json.dumps({"started": started}))
        expect(bench.run(SMALL).code, code, f"exit for an export of {started}")
    (bench.out / "export.json").write_text(json.dumps({"started": ago(days=400)}))
    expect(bench.run([*SMALL, "--however-old"]).code, 0, "exit with --however-old")
    (bench.out / "export.json").write_text(json.dumps({"started": ago(hours=1)}))
    (bench.out / ".part").mkdir()
    (bench.out / ".part/process").write_text(str(os.getpid()))
    ran = bench.run(SMALL)
    expect((ran.code, ran.calls), (1, []), "a folder that another process writes to")
    expect((bench.out / ".part/process").exists(), True, "whether the other process keeps its files")
    (bench.out / ".part/process").write_text("")
    expect(bench.run(SMALL).code, 0, "exit where another run left its scratch")


def ago(**delta):
    return (datetime.now(timezone.utc) - timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def choices(make, shells):
    """--regions, --accounts, --policies; no --role."""
    bench = make(shells[0])
    ran = bench.run([*SMALL, "--regions", "us-east-1", "--policies", "none"])
    tree = bench.tree()
    expect(ran.code, 0, f"exit ({ran.err})")
    calls = expected_calls((OWN, ARCHIVE), ["us-east-1"])
    left_out = ("list-regions", "list-roots", "list-policies", "describe-policy", "list-targets", "list-parents")
    wanted = {name for name in calls if not any(word in name for word in left_out)}
    # The key is in a Region that was not gone through.
    wanted |= {name_of(ARCHIVE, "eu-west-1", "kms list-aliases"), name_of(OWN, "us-east-1", "sts get-caller-identity")}
    expect_same(tree, wanted, "files")
    bench = make(shells[0])
    ran = bench.run([])
    expect((ran.code, {name[:12] for name in bench.tree()}), (3, {OWN}), f"who is asked without --role ({ran.err})")
    expect("without --role" in ran.err, True, "that it says so")


def stopped(make, shells):
    """Killed, interrupted and run again: the same export, and hardly a call is made twice."""
    early, late = ("s3api list-buckets", MEMBER), ("s3api get-bucket-policy", ARCHIVE)
    rounds = [(shell, late, signal.SIGKILL) for shell in shells]
    rounds += [(shells[0], early, signal.SIGKILL)] + [(shell, early, signal.SIGTERM) for shell in shells]
    for shell, (command, account), how in rounds:
        fault = {"command": command, "account": account, "stall": True, "times": 1}
        stop_and_go_on(make(shell), fault, how, slow=0.3 if account == MEMBER else 0)


def stop_and_go_on(bench, fault, how, slow):
    process = bench.start([str(bench.out), *ROLE], [fault, {"slow": slow}])
    wait_for((bench.desk / "state/stalled").exists, "the call that stalls")
    os.kill(process.pid, how)
    before = bench.calls()
    for call in before:
        try:
            if call["command"] == fault["command"]:
                os.kill(call["process"], signal.SIGTERM)
        except ProcessLookupError:
            pass
    first = bench.wait(process, 20)
    if how == signal.SIGTERM:
        expect(first.code, 1, f"exit of an interrupted run ({first.err})")
        expect("interrupted" in first.err, True, f"that it says so: {first.err}")
    wait_for(lambda: not has_group(process.pid), "the end of all that a killed run began")
    first = Ran(first.code, first.out, first.err, bench.calls())
    # Others may have been about to ask: one call each.
    expect(len(first.calls) - len(before) <= 2, True, f"whether it ends soon ({len(first.calls) - len(before)} calls)")
    expect("finished" in bench.export(), False, "whether a run that was stopped is finished")
    for file in bench.out.rglob("*.json"):
        if ".part" not in file.parts:
            json.loads(file.read_text())
    second = bench.run()
    expect(second.code, 3, f"exit when it goes on ({second.err})")
    expect(bench.tree(), expected_codes(expected_calls()), "files when it goes on")
    expect("finished" in bench.export(), True, "whether it is finished")
    twice = [name for name in second.names() if name in first.names() and "/sts/" not in name]
    if len(twice) > 4:
        raise Wrong(f"asked again: {twice}")


def has_group(group):
    try:
        os.killpg(group, 0)
        return True
    except ProcessLookupError:
        return False


def wait_for(done, what, seconds=30):
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            raise Wrong(f"in vain: {what}")
        time.sleep(0.02)


def refusals(make, shells):
    """Each command refused: exit 3, what was said is kept, and all else goes on."""
    calls = expected_calls((OWN, ARCHIVE))
    deep = ["organizations describe-organization", "organizations list-accounts", "organizations list-policies"]
    deep += ["organizations list-parents", "account list-regions", "s3api list-buckets", "s3api get-bucket-location"]
    deep += ["s3api get-bucket-encryption", "cloudtrail describe-trails", "kms list-aliases"]
    commands = {" ".join(name.split("/")[2:4]) for name in calls}
    flat = sorted(commands - set(deep))
    bench = make(shells[0])
    ran = bench.run(SMALL, [{"command": command, "code": "AccessDeniedException"} for command in flat])
    expect(ran.code, 3, f"exit with refusals ({ran.err})")
    refused = {name for name in calls if " ".join(name.split("/")[2:4]) in flat}
    tree = bench.tree()
    expect_same({name for name, code in tree.items() if code == "AccessDeniedException"}, refused, "refusals")
    expect_same(tree, set(calls) | {name_of(OWN, REGIONS[0], "sts get-caller-identity")}, "files")
    for command in flat:
        expect(f"{command}: AccessDeniedException" in ran.err, True, f"that it tells of {command}")
    for command in deep:
        bench = make(shells[0])
        ran = bench.run(SMALL, [{"command": command, "code": "AccessDenied"}])
        tree = bench.tree()
        expect(ran.code, 3, f"exit if {command} is refused ({ran.err})")
        found = {code for name, code in tree.items() if " ".join(name.split("/")[2:4]) == command}
        expect(found, {"AccessDenied"}, f"files of {command}")
        for other in {"s3api list-buckets": "kms get-key-policy", "kms list-aliases": "kms get-key-policy"}.get(
            command, "kms list-aliases"
        ).split("|"):
            expect(
                any("/".join(other.split()) in name for name in tree), True, f"that {other} is asked without {command}"
            )
        if command == "account list-regions":
            trails = {name for name in tree if "describe-trails" in name}
            expect_same(
                trails, {name for name in calls if "describe-trails" in name}, "Regions of ec2 describe-regions"
            )
        if command == "s3api list-buckets":
            expect(name_of(ARCHIVE, "eu-west-1", "s3api get-bucket-acl", "org-audit-logs") in tree, True, "the owner")
    nobody = make(shells[0])
    ran = nobody.run(ROLE, [{"command": "sts assume-role", "code": "AccessDenied"}])
    expect(ran.code, 3, "exit if no role can be assumed")
    kept = {name: code for name, code in nobody.tree().items() if "assume-role" in name}
    roles = [name_of(OWN, "us-east-1", "sts assume-role", f"arn:aws:iam::{id}:role/reader") for id in (ARCHIVE, MEMBER)]
    expect(kept, dict.fromkeys(roles, "AccessDenied"), "refusals of roles")
    again = nobody.run(ROLE)
    expect([call["command"] for call in again.calls], ["sts get-caller-identity"], "what is asked again")
    again = nobody.run([*ROLE, "--retry-refused"])
    # The trail of the organisation is asked about once only, whoever asked for it before.
    check_tree_after_retry(nobody, again)


def check_tree_after_retry(bench, ran):
    missing = set(expected_calls()) - set(bench.tree())
    expect((ran.code, missing), (3, set()), "what is missing after --retry-refused")


def asked_again(make, shells):
    """What may be answered the next time is asked again, and what is refused for good is not."""
    faults = [
        {"command": "kms list-grants", "code": "ThrottlingException"},
        {"command": "kms list-aliases", "account": ARCHIVE, "code": "ExpiredTokenException"},
        {"command": "s3api get-bucket-acl", "say": 'Could not connect to the endpoint URL: "x"\n', "status": 255},
        {"command": "s3api get-bucket-tagging", "half": True},
        {"command": "s3control get-public-access-block", "say": "", "status": 1},
        {"command": "kms get-key-policy", "code": "AccessDeniedException"},
        {"command": "kms list-resource-tags", "code": "NotFoundException"},
        {"command": "organizations list-parents", "code": "TooManyRequestsException"},
        {"command": "iam get-account-authorization-details", "code": "SomethingNew"},
    ]
    bench = make(shells[0])
    first = bench.run(SMALL, faults)
    expect(first.code, 3, f"exit ({first.err})")
    expect(twice_in(first), [], "asked twice in one run")
    told = bench.tree()
    expect(sorted(code for code in told.values() if code == "-"), ["-"] * 3, "refusals without a code")
    second = bench.run(SMALL)
    expect(second.code, 3, "exit while something is refused for good")
    wanted = {
        name for name, code in told.items() if code and code not in ("AccessDeniedException", "NotFoundException")
    }
    asked = {name for name in second.names() if "/sts/" not in name}
    expect_same({name for name in asked if name in told}, wanted, "asked again")
    third = bench.run([*SMALL, "--retry-refused"])
    expect(third.code, 0, f"exit when all is answered ({third.err})")
    asked = {name for name in third.names() if "/sts/" not in name}
    expect_same(asked, {name for name, code in bench.tree().items() if told.get(name, "") in GOOD}, "--retry-refused")
    expect_same(bench.tree().values(), {None}, "refusals")
    # Twice below one folder: asked once a run.
    bench = make(shells[0])
    ran = bench.run(ROLE, [{"command": "organizations list-parents", "code": "ThrottlingException"}])
    expect(twice_in(ran), [], "asked twice")


GOOD = ("AccessDeniedException", "NotFoundException")


def expired(make, shells):
    """Credentials of the caller that expire end the run; the next one goes on."""
    bench = make(shells[0])
    for command in ("organizations list-roots", "sts assume-role", "sts get-caller-identity"):
        ran = bench.run(ROLE, [{"command": command, "code": "ExpiredToken"}])
        expect(ran.code, 1, f"exit if they expire at {command}")
        expect("xpired" in ran.err, True, f"that it says so: {ran.err}")
        expect("finished" in bench.export(), False, "whether it is finished")
        if len(ran.calls) > 40:
            raise Wrong(f"{len(ran.calls)} calls with expired credentials")
    ran = bench.run(ROLE)
    expect((ran.code, bench.tree()), (3, expected_codes(expected_calls())), "files when it goes on")
    bench = make(shells[0])
    ran = bench.run(ROLE, PATH="/nonexistent")
    expect((ran.code, bench.out.exists()), (1, False), "without aws")


def secrets(make, shells):
    """A shell that shows what it does shows no secret either (each other part looks for them, too)."""
    for shell in shells:
        ran = make(shell).run(ROLE, flags=["-xv"])
        expect(ran.code, 3, "exit with -xv")


def alone(make, shells):
    """An account without an organisation."""
    bench = make(shells[0])
    fault = {"command": "organizations describe-organization", "code": "AWSOrganizationsNotInUseException"}
    ran = bench.run([], [fault])
    asked = {call["command"] for call in ran.calls if call["command"].startswith("organizations")}
    expect(asked, {"organizations describe-organization"}, f"what is asked of no organisation ({ran.err})")
    expect("belongs to no organisation" in ran.err, True, "that it says so")


PARTS = [usage, full_run, choices, folders, stopped, refusals, asked_again, expired, secrets, alone]


# --- moto


def with_moto(make, shells):
    """The real command line and moto's server: three accounts, an organisation's trail, its bucket and its key."""
    from moto_organization import LACKS, World

    world, bench = World(), make(shells[0])
    recorder = bench.desk / "bin/aws"
    program = pathlib.Path(sys.executable).with_name("aws")
    recorder.write_text(
        f"""#!/bin/sh\nprintf '%s\\037' "$@" >> "$STAND_IN/moto"\necho >> "$STAND_IN/moto"\nexec "{program}" "$@"\n"""
    )
    # Where this is switched on, the command line keeps what it asks and what it is answered.
    (bench.desk / "home/.aws").mkdir()
    (bench.desk / "home/.aws/config").write_text("[default]\ncli_history = enabled\n")
    arguments = ["--role", "reader", "--regions", " ".join(REGIONS)]
    process = bench.start([str(bench.out), *arguments], **world.environment())
    code = process.wait(600)
    said = "".join((file.seek(0), file.read())[1] for file in bench.said)
    expect(code, 3, f"exit ({said})")
    files = {str(file.relative_to(bench.out)): file for file in bench.out.rglob("*") if file.is_file()}
    refused = {
        name.removesuffix(".error.txt"): code_of(files[name].read_text()) for name in files if name.endswith("txt")
    }
    answers = {
        name.removesuffix(".json"): json.loads(files[name].read_text()) for name in files if name.endswith("json")
    }
    expect(set(answers) & set(refused), set(), "both an answer and a refusal")
    expect_same([*answers, *refused], {"export", *world.names(name_of)}, "files")
    world.check(answers, name_of, expect)
    expect({"/".join(name.split("/")[2:4]): code for name, code in refused.items()}, LACKS, "what is refused")
    home = sorted(str(file.relative_to(bench.desk)) for file in (bench.desk / "home").rglob("*") if file.is_file())
    expect(home, ["home/.aws/config"], "files of the command line")
    asked = (bench.desk / "state/moto").read_text()
    places = {
        "the export": "".join(file.read_text() for file in files.values()),
        "what is said": said,
        "arguments": asked,
    }
    for place, text in places.items():
        if any(secret in text for secret in world.secrets()):
            raise Wrong(f"a secret is in {place}")
    for name, code in sorted(refused.items()):
        print(f"moto refuses {name.split('/')[2]} {name.split('/')[3]}: {code}")


# --- the tests themselves

# What is changed in the script, into what, and the part that has to notice.
MISTAKES = [
    ("an answer is there before it comes", '  count_call "$refusal"\n  run', '  : > "$answer"\n  run', stopped),
    ("a killed run goes on", ' && kill -0 "$$" 2> /dev/null', "", stopped),
    ("an answer that is there is asked for again", '[ ! -e "$answer" ] || return 0', ":", full_run),
    (
        "it is finished from the beginning",
        '"started\\": \\"$started\\", \\"script',
        '"finished\\": \\"\\", \\"started\\": \\"$started\\", \\"script',
        stopped,
    ),
    ("when it was begun is forgotten", '[ -n "$started" ] || started=$(now)', "started=2020-01-01T00:00:00Z", full_run),
    ("an old export is gone on with", '[ "$age" -lt 86400 ]', '[ "$age" -lt 86400000 ]', folders),
    ("a folder is taken whatever is in it", '[ -n "$(find "$out" -type f | sed 1q)" ]', "false", folders),
    ("two runs write to one folder", '[ -n "$runs" ] && kill', "false && kill", folders),
    ("the folder of another run is removed", "  trap 'rm -rf \"$part\"' EXIT\n", "", full_run),
    ("half an answer counts", "*) return 1 ;; esac\n}\n\n# ask", "esac\n}\n\n# ask", asked_again),
    ("a refusal stays beside the answer", '      rm -f "$refusal"\n      mv', "      mv", asked_again),
    ("no refusal is asked for again", '[ "$retry" = 0 ] || return 0', "return 1", asked_again),
    (
        "every refusal is asked for again",
        '  code_of "$1"\n  case $code in\n    *Acc',
        "  return 0\n  case $code in\n    *Acc",
        asked_again,
    ),
    ("it is asked again in the same run", 'if grep -qxF -e "$1" "$part/asked"; then return 1; fi', "", asked_again),
    ("a refusal is lost", 'mv "$scratch.error" "$refusal"', 'rm "$scratch.error"', refusals),
    ("refusals do not count", "|| exit 3", "|| exit 0", full_run),
    ("what is not set counts as refused", "    NoSuchBucketPolicy |", "    Nothing |", full_run),
    ("expired credentials do not end it", 'if is_expired "$code"', "if false", expired),
    ("the profile is taken before the role", "unset AWS_PROFILE ", "unset ", full_run),
    ("an older token is taken before the role's", " AWS_SECURITY_TOKEN", "", full_run),
    (
        "the session has no token",
        "export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN",
        "export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY",
        full_run,
    ),
    ("secrets are shown with -x", "  set +xv\n", "", secrets),
    ("secrets are told", "  secrets=''\n", '  say "$secrets"\n', full_run),
    ("secrets are kept", "  secrets=''\n", '  echo "$secrets" > "$out/secrets"\n', full_run),
    (
        "secrets are arguments",
        "  secrets=''\n",
        '  run "$main" configure set --aws-session-token "$secrets"\n',
        full_run,
    ),
    ("secrets are in the history", 'export AWS_CLI_HISTORY_FILE="$part/history"', ":", with_moto),
    ("file:// is read", "*://* | ", "", full_run),
    ("names are split", '"$arn" --name "$arn"', '"$arn" --name $arn', full_run),
    (
        "names are evaluated",
        'ask "$home" cloudtrail get-trail-status "$arn" --name "$arn"',
        'eval ask "$home" cloudtrail get-trail-status "$arn" --name "$arn"',
        full_run,
    ),
    ("the encoding has small letters", "toupper($i)", "$i", full_run),
    ("the owner of a bucket is not proven", ' --expected-bucket-owner "$account"', "", full_run),
    ("EU is taken for a Region", "EU) where=eu-west-1 ;;", "", full_run),
    ("a bucket is asked about in one Region", "then where=$location;", "then :;", full_run),
    ("suspended accounts are asked", '$3 != "SUSPENDED"', "1", full_run),
    ("disabled Regions are asked", '$3 == "ENABLED" || $3 == "ENABLED_BY_DEFAULT"', "1", full_run),
    ("Regions that were switched on are not asked", '$3 == "ENABLED" ||', "", full_run),
    ("no other call tells Regions", 'ask "$main" ec2 describe-regions', "false", refusals),
    ("members within text are read", '/^            "/ {', '/"/ {', full_run),
    ("aliases are not resolved", "id=$target; else kind=other", "kind=other; else kind=other", full_run),
    ("keys of strangers are not asked for", "owner=$asker kind=other id=$name", "continue", full_run),
    ("grants are not asked for", "get-key-rotation-status list-grants", "get-key-rotation-status", full_run),
    ("IAM is not asked", 'ask "$main" iam', ": iam", full_run),
    (
        "a page is enough",
        '"$service" "$command" "$@" --output',
        '"$service" "$command" "$@" --max-items 1 --output',
        full_run,
    ),
    ("buckets that nobody lists are left out", "\nfind_lost_buckets\n", "\n", refusals),
    ("OUs are left out", '[ -n "$child" ] || return\n', "return\n", full_run),
    ("policies are asked for whatever is said", '[ "$policies" != none ] || return 0', "", choices),
    ("a wrong option is passed over", '-*) wrong "no such option: $1" ;;', "-*) ;;", usage),
    ("wrong arguments end with 1", "  exit 2\n", "  exit 1\n", usage),
    ("an interrupted run says that all is well", "to go on'\n  exit 1", "to go on'\n  exit 0", stopped),
]


def mistakes(script, only):
    """Each of them has to be noticed, by the part that is for it."""
    chosen = [mistake for mistake in MISTAKES if only in (None, mistake[3].__name__)]
    for what, right, _, _ in chosen:
        if script.count(right) != 1:
            sys.exit(f"{what}: {right!r} is {script.count(right)} times in the script")
    with ThreadPoolExecutor(2) as pool:
        missed = list(pool.map(lambda mistake: notice(script, *mistake), chosen)).count(False)
    if missed:
        sys.exit(f"{missed} mistakes were not noticed")
    print(f"{len(chosen)} mistakes were noticed")


def notice(script, what, right, wrong, part):
    try:
        run_part(part, script.replace(right, wrong), [["sh"]])
    except (Wrong, ValueError, subprocess.TimeoutExpired) as noticed:
        print(f"noticed by {part.__name__}: {what} ({str(noticed)[:100]!r})", flush=True)
        return True
    print(f"NOT NOTICED by {part.__name__}: {what}", flush=True)
    return False


def shells_here():
    found = [["sh"], ["bash"], ["dash"], ["busybox", "sh"]]
    found = [shell for shell in found if shutil.which(shell[0])]
    if os.path.realpath(shutil.which("sh")) == os.path.realpath(shutil.which("dash") or "/"):
        found.remove(["dash"])
    return found


def run_part(part, script, shells):
    with tempfile.TemporaryDirectory() as folder:
        number = iter(range(1000))
        # A place that has to be quoted, and that is a pattern.
        part(lambda shell: Bench(script, shell, pathlib.Path(folder, f"a b[{next(number)}]='x'*")), shells)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--script", type=pathlib.Path, help="the script, if not the one in the sources")
    parser.add_argument("--only", help="one of the parts")
    parser.add_argument("--mistakes", action="store_true", help="see that mistakes are found")
    options = parser.parse_args()
    script = (options.script or next(path for path in SCRIPTS if path.exists())).read_text()
    shells = shells_here()
    if options.mistakes:
        return mistakes(script, options.only)
    parts = [part for part in [*PARTS, with_moto] if options.only in (None, part.__name__)]
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda part: told(part, script, shells), parts))
    if not all(results):
        sys.exit(1)


def told(part, script, shells):
    """Says whether it went as it should."""
    begun = time.monotonic()
    try:
        run_part(part, script, shells)
    except (Wrong, ValueError, subprocess.TimeoutExpired) as wrong:
        print(f"WRONG in {part.__name__}: {wrong}", flush=True)
        return False
    print(f"{part.__name__}: as it should be ({time.monotonic() - begun:.0f} s)", flush=True)
    return True


if __name__ == "__main__":
    main()
