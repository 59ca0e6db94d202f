#!/usr/bin/env python3
"""`logseal settings` on sample exports with expected rows.

    python3 tests/settings/samples.py target/release/logseal SAMPLES

A sample is a folder with `exports/`, `standard.json` (the standard in neutral words, of which a policy is made here) and
`expected.json`: rows with the verdicts that they may have, words that no verdict may be, the number of trails, exit codes.
As a check of itself, each sample is looked at once more with expectations turned round, which must all be missed.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, Tuple

Rows = Dict[Tuple[str, str], Dict[str, str]]


def policy(standard: Dict[str, Any]) -> str:
    trail, bucket, key = (dict(standard[part]) for part in ("trail", "bucket", "key"))
    names = {f"key-{at}": arn for at, arn in enumerate(trail.pop("keys"))}
    bucket.pop("keys")
    trail["delivered_within"] = f"{trail.pop('delivery_max_age_hours')}h"
    key["rotation"] = f"{key.pop('max_rotation_days')}d" if key["rotation"] else "off"

    def table(name: str, values: Dict[str, Any]) -> str:
        return f"[settings.{name}]\n" + "".join(f"{field} = {json.dumps(value)}\n" for field, value in values.items())

    text = "name = \"Sample\"\n[keys]\n" + "".join(f"{name} = {json.dumps(arn)}\n" for name, arn in names.items())
    text += (f"[settings]\nmax_age = \"2d\"\naccounts = {json.dumps(standard['accounts'])}\n"
             f"regions = {json.dumps(standard['regions'])}\nkeys = {json.dumps(list(names))}\n")
    text += table("trail", trail) + table("bucket", bucket) + table("key", key)
    for exception in standard["exceptions"]:
        text += (f"[[exception]]\nid = {json.dumps(exception['id'])}\ncheck = [{json.dumps(exception['check'])}]\n"
                 f"resource = [{json.dumps(exception['resource'])}]\nexpires = {exception['expires']}\n")
    return text


def missed(expected: Dict[str, Any], rows: Rows, trails: int, code: int) -> List[str]:
    """What is not as expected."""
    found = []
    for want in expected["expect"]:
        row = rows.get((want["resource"], want["check"]))
        what = f"{want['resource']} {want['check']}"
        if row is None:
            found.append(f"{what}: no row")
        elif row["verdict"] not in want["verdict"]:
            found.append(f"{what}: {row['verdict']} {row['reason']}, not {' or '.join(want['verdict'])}")
        elif want["reason"] and row["reason"] != want["reason"]:
            found.append(f"{what}: {row['reason']}, not {want['reason']}")
    verdicts = {row["verdict"] for row in rows.values()}
    found += [f"{verdict} among the verdicts" for verdict in expected["never"] if verdict in verdicts]
    if expected["trails"] is not None and trails != expected["trails"]:
        found.append(f"{trails} trails, not {expected['trails']}")
    if code not in expected["exit"]:
        found.append(f"exit {code}, not {expected['exit']}")
    return found


def turned(expected: Dict[str, Any]) -> Dict[str, Any]:
    """The same with nothing in it that can be met."""
    rows = [dict(want, verdict=["none"]) for want in expected["expect"]]
    return dict(expected, expect=rows, never=["compliant"], trails=-1, exit=[-1])


def main() -> int:
    binary, samples = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    wrong, looked_at = 0, 0
    for sample in sorted(path.parent for path in samples.glob("*/standard.json")):
        standard, expected = (json.loads((sample / name).read_text()) for name in ("standard.json", "expected.json"))
        with tempfile.TemporaryDirectory() as folder:
            desk = Path(folder)
            (desk / "policy.toml").write_text(policy(standard))
            command = [binary, "settings", sample / "exports", "--policy", desk / "policy.toml", "--out", desk / "out",
                       "--as-of", standard["as_of"], "--quiet"]
            ran = subprocess.run(command, capture_output=True, text=True)
            if ran.returncode == 2:
                print(f"{sample.name}: {ran.stderr}")
                return 2
            listed = list(csv.DictReader((desk / "out/settings.csv").open(newline="")))
            trails = len(list(csv.DictReader((desk / "out/trails.csv").open(newline=""))))
        rows = {(row["resource"], row["check"]): row for row in listed}
        for miss in missed(expected, rows, trails, ran.returncode):
            wrong += 1
            print(f"{sample.name}: {miss}")
        least = len(expected["expect"]) + 3
        if len(missed(turned(expected), rows, trails, ran.returncode)) < least:
            wrong += 1
            print(f"{sample.name}: what cannot be met was not missed")
        looked_at += 1
    print(f"{looked_at} samples, {wrong} wrong")
    return 1 if wrong or not looked_at else 0


if __name__ == "__main__":
    sys.exit(main())
