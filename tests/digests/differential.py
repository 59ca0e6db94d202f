#!/usr/bin/env python3
"""The same trees of CloudTrail digests by `aws cloudtrail validate-logs` and by `logseal digests`.

Each case of `cases.py` makes a tree with keys of its own and tampers with it. The AWS command line walks it against a
stand-in for AWS on the loopback address, once for each trail, account and Region; logseal reads it from a folder or an
archive. Every digest, log and gap must get the verdict that the case expects of each tool, and where they are not the same
the case has the reason. The differences are printed; one that does not occur is as wrong as one that is not expected.

    python3 -m venv venv && venv/bin/pip install -r tests/walk/requirements.txt
    venv/bin/python tests/digests/differential.py target/release/logseal
    venv/bin/python tests/digests/differential.py                    # AWS's side alone
    venv/bin/python tests/digests/differential.py --mistakes target/release/logseal

With `--mistakes` what logseal has written is spoilt in every way that could hide something, and each must be found.
"""

import argparse
import contextlib
import csv
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from typing import NamedTuple

import awscli
from awscli.clidriver import create_clidriver

from cases import CASES, SAME, nothing
from stand_in import Server
from trees import REGION, Place, shown

EXIT = Place("exit code", "", "")
OUTCOMES = {0: "pass", 1: "violations", 3: "incomplete"}
HEADER = ["type", "bucket", "key", "status", "detail"]
VERDICT = re.compile(r"(?:\(backfill\) )?(Digest|Log) file\ts3://([^/]+)/(.+)\t(valid|INVALID: .+)")
NOTICE = re.compile(r"(?:\(backfill\) )?No log files were delivered by CloudTrail between (\S+) and (\S+)")
# aws-cli's sentences that have more in them than a verdict.
SHORT = {
    "has been moved": "moved",
    "public key not found": "public key not found",
    "Unable to load": "unable to load key",
    "unexpected data": "unexpected data",
}
STATUSES = {
    "verified", "unsigned", "invalid_signature", "invalid_hash", "key_unknown", "key_out_of_validity", "misplaced",
    "malformed", "trailing_data", "missing", "hash_mismatch", "conflict", "unverified_digest", "unchecked", "unreferenced",
    "not_in_inventory",
}
NO_CHAIN = "no_chain"
UNCOVERED = "window_not_covered"
PLAIN = {"not found", "invalid format", "signature verification failed", "hash value doesn't match"}


class Wrong(Exception):
    """A tool does what no case expects."""


class Written(NamedTuple):
    """What logseal leaves behind."""

    code: int
    findings: list
    summary: dict


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logseal", nargs="?", type=pathlib.Path, help="the program; without it, only AWS's is looked at")
    parser.add_argument("--mistakes", action="store_true", help="also spoil results, each of which must be found")
    parser.add_argument("--only", metavar="TEXT", default="", help="the cases with this in their name")
    parser.add_argument("--keep", type=pathlib.Path, metavar="DIR", help="leave trees and results in this new folder")
    options = parser.parse_args()
    if options.mistakes and not options.logseal:
        parser.error("--mistakes needs the program")
    cases = [case for case in CASES if options.only in case.name]
    with tempfile.TemporaryDirectory() as folder:
        wrongs, mistakes = run(cases, options, pathlib.Path(options.keep or folder))
    print_differences(cases)
    print("".join(f"WRONG: {wrong}\n" for wrong in wrongs), end="")
    tools = f"awscli {awscli.__version__}" + (" and logseal" if options.logseal else " alone")
    told = f", {mistakes} mistakes" if options.mistakes else ""
    print(f"{tools}: {len(cases)} cases{told}, {len(wrongs)} wrong")
    sys.exit(1 if wrongs or not cases else 0)


def run(cases, options, folder):
    command_line, wrongs, mistakes = CommandLine(), [], 0
    for number, case in enumerate(cases):
        tree = case.make()
        case.tamper(tree)
        expected = expectations(case, tree)
        wrongs += compare(case, "aws-cli", command_line.verdicts(case, tree), column(expected, "aws"))
        if not options.logseal:
            continue
        place = folder / f"{number:02} {re.sub('[^a-z0-9]+', '-', case.name.lower())}"
        try:
            written = logseal_on(case, tree, options.logseal.resolve(), place)
        except Wrong as wrong:
            wrongs.append(f"{case.name}: {wrong}")
            continue
        found = judged(case, tree, written, expected)
        wrongs += found
        if options.mistakes and not found:
            spoilt = list(mistakes_in(written, tree))
            mistakes += len(spoilt)
            wrongs += [
                f"{case.name}: a mistake that is not found: {name}"
                for name, changed in spoilt if not judged(case, tree, changed, expected)
            ]
    return wrongs, mistakes


# What is expected.

def expectations(case, tree):
    """Place to what is expected there. An object of which a case says nothing is right for both."""
    expected = {place: ("valid", "verified") for place in tree.places.values()}
    expected[EXIT] = ("0", "0")
    for name, aws, ours, why in case.expected:
        if bool(why) == (SAME.get(aws) == ours and aws != "-"):
            raise Wrong(f"{case.name}: {name}: {aws!r} and {ours!r} are {'' if why else 'not '}the same")
        expected[place_of(tree, name)] = (aws, ours)
    return expected


def place_of(tree, name):
    if name == "exit code":
        return EXIT
    if name == "no chain":
        chain = tree.chains[0]
        return Place(name, "", f"AWSLogs/{chain.account}/CloudTrail-Digest/{chain.region}/")
    if name == "window":
        return Place("window", tree.chains[0].bucket, "")
    if "gap " in name:
        return tree.places[name.replace("gap ", "digest ")]._replace(type="gap")
    return tree.places[name]


def column(expected, who):
    return {place: pair[who == "ours"] for place, pair in expected.items()}


def compare(case, who, found, expected):
    """What differs. A tool that says nothing of something says `-`."""
    for place in sorted({*found, *expected}):
        is_, should = found.get(place, "-"), expected.get(place, "-")
        if is_ not in should.split(" or "):
            yield f"{case.name}: {who} says {is_!r} instead of {should!r}: {' '.join(filter(None, place))}"


# AWS's side.

class CommandLine:
    """The AWS command line, in this process, because a process of its own for each trail takes too long."""

    def __init__(self):
        self.server = Server()
        # No settings of whoever runs this, and no host but the stand-in.
        os.environ |= {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        os.environ |= {"AWS_ACCESS_KEY_ID": "none", "AWS_SECRET_ACCESS_KEY": "none", "AWS_DEFAULT_REGION": REGION}
        os.environ |= {"AWS_ENDPOINT_URL": self.server.url, "AWS_EC2_METADATA_DISABLED": "true", "AWS_MAX_ATTEMPTS": "1"}
        self.loader = create_clidriver().session.get_component("data_loader")

    def verdicts(self, case, tree):
        """Place to verdict, of all trails together. The highest exit code counts."""
        self.server.tree = tree
        found, codes = {}, []
        for arn, account, region in sorted({(chain.arn(), chain.account, chain.region) for chain in tree.chains}):
            code, text = self.validate_logs(case, tree, arn, account, region)
            codes.append(code)
            for place, verdict in told(tree, account, region, text):
                found.setdefault(place, set()).add(verdict)
        joined = {place: " and ".join(sorted(verdicts)) for place, verdicts in found.items()}
        return joined | {EXIT: str(max(codes))}

    def validate_logs(self, case, tree, arn, account, region):
        command = ["cloudtrail", "validate-logs", "--verbose", "--region", region, "--endpoint-url", self.server.url]
        command += ["--trail-arn", arn, "--account-id", account]
        command += ["--start-time", shown(case.aws_since or case.since), "--end-time", shown(case.until)]
        if case.aws_bucket:
            command += ["--s3-bucket", case.aws_bucket]
        if case.aws_prefix:
            command += ["--s3-prefix", case.aws_prefix]
        # Made anew each time, because it would count on. What takes long is to read the models of all services.
        driver = create_clidriver()
        driver.session.register_component("data_loader", self.loader)
        out, error = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            code = driver.main(command)
        if code not in (0, 1) and "No public keys found" not in error.getvalue():
            raise Wrong(f"{case.name}: aws-cli ends with {code}: {error.getvalue()}")
        return code, out.getvalue() + error.getvalue()


def told(tree, account, region, text):
    """Place and verdict of each line that has one."""
    for line in text.splitlines():
        if match := VERDICT.fullmatch(line):
            kind, bucket, key, verdict = match.groups()
            yield Place(kind.lower(), bucket, key), short(verdict)
        elif match := NOTICE.fullmatch(line):
            yield digest_that_starts(tree, account, region, match[2])._replace(type="gap"), "notice"
        elif "\t" in line:
            raise Wrong(f"aws-cli says what this script does not know: {line}")


def short(verdict):
    if verdict == "valid":
        return verdict
    reason = verdict.removeprefix("INVALID: ")
    if reason in PLAIN:
        return reason
    return next((name for start, name in SHORT.items() if reason.startswith(start)), "other error")


def digest_that_starts(tree, account, region, time):
    """aws-cli tells the hours of a gap, and not the digest after it."""
    found = [
        place for name, place in tree.places.items()
        if place.type == "digest" and f"/{account}/CloudTrail-Digest/{region}/" in place.key
        and not place.key.endswith("_backfill.json.gz") and tree.document(name)["digestStartTime"] == time
    ]
    place, = found
    return place


# Our side.

def logseal_on(case, tree, logseal, folder):
    folder.mkdir(parents=True)
    root, keys, out = folder / "tree", folder / "keys", folder / "out"
    root.mkdir()
    keys.mkdir()
    roots = [stored(case, tree, root, folder)]
    if case.second:
        other = case.make()
        case.second(other)
        other.write(folder / "second")
        roots.append(folder / "second")
    command = [logseal, "digests", *roots, "--logs", "--out", out]
    command += ["--public-keys", *tree.write_keys(keys)]
    if case.heads == "all, in one file":
        tree.write_head_lines(folder / "heads.ndjson", tree.digests())
        command += ["--metadata", folder / "heads.ndjson"]
    if case.has_window:
        command += ["--since", shown(case.since), "--until", shown(case.until)]
    try:
        done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=60)
    except subprocess.TimeoutExpired as hang:
        raise Wrong("logseal does not end") from hang
    if done.returncode not in OUTCOMES:
        raise Wrong(f"logseal ends with {done.returncode}: {done.stderr}")
    with open(out / "findings.csv", encoding="utf-8", newline="") as file:
        findings = list(csv.reader(file))
    return Written(done.returncode, findings, json.loads((out / "summary.json").read_text(encoding="utf-8")))


def stored(case, tree, root, folder):
    """Writes the tree and the metadata beside it. Returns what logseal is given."""
    has_bucket_folders = case.layout != "bare"
    tree.write(root, has_bucket_folders)
    beside = {"all": tree.digests, "tails": tree.tails, "none": list, "all, in one file": list}
    if isinstance(case.heads, list):
        heads = [tree.places[name] for name in case.heads]
    else:
        heads = beside[case.heads]()
    tree.write_heads(root, heads, has_bucket_folders)
    if not case.layout.startswith("tar"):
        return root
    archive = folder / f"tree.{case.layout}"
    with tarfile.open(archive, "w:gz" if case.layout == "tar.gz" else "w") as tar:
        tar.add(root, arcname=".")
    return archive


def judged(case, tree, written, expected):
    """Everything that is wrong with what logseal has written."""
    wrongs = list(compare(case, "logseal", statuses(tree, written), column(expected, "ours")))
    try:
        return wrongs + [f"{case.name}: {why}" for why in inconsistencies(case, tree, written)]
    except KeyError as missing:
        return [*wrongs, f"{case.name}: the summary has no {missing}"]


def statuses(tree, written):
    """Place to status. An object that is there and that no finding names is verified."""
    found = {place: "verified" for place in tree.places.values() if tree.has(place)}
    for type_, bucket, key, status, _ in written.findings[1:]:
        if is_hole(type_, status):
            status = "gap"
        elif type_ == "gap":
            type_ = "window" if status == UNCOVERED else "no chain"
        found[Place(type_, bucket, key)] = status
    return found | {EXIT: str(written.code)}


def is_hole(type_, status):
    """A chain that does not cover the window has a line of this type, too, and so has an account without one."""
    return type_ == "gap" and status not in (UNCOVERED, NO_CHAIN)


def inconsistencies(case, tree, written):
    """What findings and summary must agree upon."""
    header, *rows = written.findings
    summary = written.summary
    if header != HEADER:
        yield f"the header of findings.csv: {header}"
    if len({tuple(row[:3]) for row in rows}) != len(rows):
        yield "an object has two findings"
    if summary["outcome"] != OUTCOMES[written.code]:
        yield f"outcome {summary['outcome']} with exit code {written.code}"
    if (summary["outcome"] == "pass") == bool(summary["outcome_reasons"]):
        yield f"outcome {summary['outcome']} for {summary['outcome_reasons']}"
    found = Counter((place.type, status) for place, status in statuses(tree, written).items())
    yield from wrong_counts("digest", summary["digests"], "total", found)
    yield from wrong_counts("log", summary["logs"], "listed", found)
    if summary["gaps"] != sum(is_hole(row[0], row[3]) for row in rows):
        yield f"the summary counts {summary['gaps']} gaps"
    if summary["relocated"] != case.relocated:
        yield f"the summary counts {summary['relocated']} relocated digests instead of {case.relocated}"
    if case.tamper is nothing:
        yield from wrong_chains(tree, summary["chains"])


def wrong_counts(type_, told_counts, name_of_all, found):
    """The summary has members that are no statuses."""
    told_statuses = {status: count for status, count in told_counts.items() if status in STATUSES and count}
    wanted = {status: count for (kind, status), count in found.items() if kind == type_}
    if told_statuses != wanted:
        yield f"the summary counts {told_statuses} {type_}s instead of {wanted}"
    if told_counts[name_of_all] != sum(wanted.values()) - wanted.get("unreferenced", 0):
        yield f"the summary counts {told_counts[name_of_all]} {type_}s in all instead of {wanted}"


def wrong_chains(tree, told_chains):
    """Every chain is told with the number of its digests. One that moved to another bucket may be told twice."""
    wanted, found = Counter(), Counter()
    for chain in tree.chains:
        kind = "backfill" if chain.is_backfill else "standard"
        wanted[(chain.account, chain.region, chain.trail, chain.home, kind)] += chain.length
    for chain in told_chains:
        found[tuple(chain[name] for name in ("account", "region", "trail", "home_region", "kind"))] += chain["digests"]
    if found != wanted:
        yield f"the summary tells of the chains {dict(found)} instead of {dict(wanted)}"


# Spoilt results.

def mistakes_in(written, tree):
    """What must not go unnoticed, each with its name."""
    header, *rows = written.findings
    for number, row in enumerate(rows):
        others = rows[:number] + rows[number + 1:]
        # Where a case leaves a gap open the summary's count is what tells.
        yield f"left out: {row}", written._replace(findings=[header, *others])
        for status in sorted(STATUSES - {row[3]}) if row[0] != "gap" else ():
            changed = [*row[:3], status, row[4]]
            yield f"{row} is {status}", written._replace(findings=[header, *others, changed])
        for column_ in (0, 1, 2):
            changed = [cell + "x" if at == column_ else cell for at, cell in enumerate(row)]
            yield f"changed: {changed}", written._replace(findings=[header, *others, changed])
    named = {tuple(row[:3]) for row in rows}
    for place in tree.places.values():
        if tree.has(place) and place not in named:
            yield f"wrong: {place}", written._replace(findings=[*written.findings, [*place, "malformed", ""]])
    for code in sorted({*OUTCOMES} - {written.code}):
        summary = written.summary | {"outcome": OUTCOMES[code], "outcome_reasons": ["a reason"] if code else []}
        yield f"exit code {code}", written._replace(code=code, summary=summary)
    for name in ("digests", "logs"):
        counts = written.summary[name]
        fewer = counts | {"verified": counts.get("verified", 0) + 1}
        yield f"one more of {name}", written._replace(summary=written.summary | {name: fewer})


# What is printed.

def print_differences(cases):
    """Everything that the tools say differently, and why."""
    for case in cases:
        groups = {}
        for name, aws, ours, why in case.expected:
            if why:
                groups.setdefault((aws, ours, why), []).append(name)
        if not groups:
            continue
        print(case.name)
        for (aws, ours, why), names in groups.items():
            print(f"  {', '.join(names)}\n    aws-cli: {aws}; logseal: {ours}; {why}")


if __name__ == "__main__":
    main()
