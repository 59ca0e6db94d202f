"""Makes the result of an audit large: `large.py AUDIT OUT [--accounts N] [--months N] [--alike|--unlike]`.

AUDIT is the folder of a finished audit of one source with one data file or more; OUT is a copy of it whose figures are invented, and
agree with each other as a report demands. With `--unlike` no two neighbouring months of an account have the same shade.
"""

import argparse
import csv
import io
import json
import pathlib
import random
import shutil

PLACE = {"kind": "CloudTrail", "region": "eu-west-1"}
VERDICTS = ["compliant", "violation", "undetermined", "excepted", "out_of_scope"]


def month(at):
    return f"{2016 + at // 12:04}-{at % 12 + 1:02}"


def groups(accounts, months, unlike):
    chance = random.Random(7)
    for account in range(accounts):
        turn = chance.randrange(months // 3, months // 2 + 1)
        for at in range(months):
            objects = chance.randrange(1_000, 40_000)
            tally = dict.fromkeys(VERDICTS, 0)
            if unlike:
                tally["violation"] = [0, objects // 200, objects // 20, objects // 4, objects][(at + account) % 5]
            elif at < turn:
                tally["violation"] = objects
            elif chance.random() < 0.02:
                tally[chance.choice(["violation", "undetermined"])] = objects // 100
            tally["compliant"] = objects - sum(tally.values())
            yield f"{100_000_000_000 + account * 7_919:012}", month(at), tally


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("audit", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--accounts", type=int, default=1_000)
    parser.add_argument("--months", type=int, default=120)
    parser.add_argument("--unlike", action="store_true")
    args = parser.parse_args()
    shutil.copytree(args.audit, args.out, dirs_exist_ok=True)
    summary = json.loads((args.out / "summary.json").read_text())
    bucket = summary["sources"][0]["bucket"]
    total, by_month, by_account = dict.fromkeys(VERDICTS, 0), [], {}
    for account, name, tally in groups(args.accounts, args.months, args.unlike):
        objects = sum(tally.values())
        line = {"objects": objects, "bytes": objects * 1_000, **tally}
        by_month.append({"bucket": bucket, "account": account, **PLACE, "month": name, **line})
        known = by_account.setdefault(account, dict.fromkeys(line, 0))
        for key, number in line.items():
            known[key] += number
        for verdict in VERDICTS:
            total[verdict] += tally[verdict]
    objects = sum(total.values())
    summary["by_month"] = by_month
    summary["by_account"] = [{"bucket": bucket, "account": account, **PLACE, **line} for account, line in by_account.items()]
    summary["counts"] = {"rows": objects, "delete_markers": 0, "objects": objects, **total}
    summary["bytes"] = {"objects": objects * 1_000, **{verdict: total[verdict] * 1_000 for verdict in VERDICTS}}
    summary["coverage"]["rows_read"] = objects
    for at, source in enumerate(summary["sources"]):
        source["rows"] = objects if at == 0 else 0
    for status in summary["by_encryption_status"].values():
        status["objects"] = 0
    summary["by_encryption_status"]["SSE-KMS"]["objects"] = objects
    summary["by_storage_class"] = {"STANDARD": {"objects": objects, "bytes": objects * 1_000}}
    summary["by_reason"] = dict.fromkeys(summary["by_reason"], 0)
    summary["by_reason"]["not_encrypted"] = total["violation"]
    summary["by_reason"]["status_blank"] = total["undetermined"]
    reasons = {"violations": total["violation"], "undetermined": total["undetermined"]}
    summary["outcome_reasons"] = [reason for reason, count in reasons.items() if count]
    summary["outcome"] = "violations" if total["violation"] else "incomplete"
    rules = list(summary["by_rule"].values())
    for at, rule in enumerate(rules):
        rule.update({verdict: total[verdict] if at == 0 else 0 for verdict in VERDICTS[:4]})
    summary["key_coverage"].update({"kms_objects": objects, "known": 0, "stale": 0, "conflicting": 0, "unknown": objects})
    for lane, line in summary["remediation"].items():
        line["objects"] = total["violation"] if lane == "no-target" else 0
    summary["sample"].update({"per_verdict": 0, "per_account": 0, "lines": 0})
    header = (args.out / "sample.csv").read_text().splitlines(keepends=True)[0]
    (args.out / "sample.csv").write_text(header)
    plan = json.loads((args.out / "remediation/plan.json").read_text())
    plan["total"]["objects"] = total["violation"]
    (args.out / "remediation/plan.json").write_text(json.dumps(plan))
    # A list of millions is not counted for a report.
    with open(args.out / "findings.csv", "ab") as findings:
        findings.truncate(65 << 20)
    (args.out / "summary.json").write_text(json.dumps(summary))
    rows = list(csv.DictReader(io.StringIO((args.out / "units.csv").read_text())))
    for at, row in enumerate(rows):
        first = at == 0
        row.update({"rows": objects if first else 0, "delete_markers": 0, "rejected_rows": 0})
        row.update({verdict: total[verdict] if first else 0 for verdict in VERDICTS})
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    (args.out / "units.csv").write_text(text.getvalue())


main()
