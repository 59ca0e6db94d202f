"""Holds all forms of a result together: `totals.py BINARY AUDIT ...`, each AUDIT the folder of a finished audit.

DuckDB counts `findings.csv` and `units.csv`; the page (parsed by html5lib), the ticket, the text, the pack's groups and the summary must
say the same. With `--self-test` each list is spoilt in turn, and the difference must be told.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

import duckdb
import html5lib

VERDICTS = ["compliant", "violation", "undetermined", "excepted"]


def run(*command):
    return subprocess.run([str(part) for part in command], capture_output=True, text=True)


def number(text):
    return int(text.replace(",", ""))


def tables(page):
    """The tables of a page by their names, as lists of rows of texts."""
    tree = html5lib.parse(page, namespaceHTMLElements=False)
    found = {}
    for area in tree.iter("div"):
        if "scroll" in (area.get("class") or "").split() and area.find("table") is not None:
            rows = [["".join(cell.itertext()) for cell in row] for row in area.iter("tr")]
            found[area.get("aria-label").removeprefix("Table: ")] = rows
    return found


def counted(audit):
    """What DuckDB counts."""
    db = duckdb.connect()
    findings = f"read_csv('{audit / 'findings.csv'}', all_varchar=true, header=true, quote='\"', escape='\"')"
    by_verdict = dict(db.sql(f"select verdict, count(*) from {findings} group by 1").fetchall())
    by_reason = dict(db.sql(f"select reason, count(*) from {findings} where verdict != 'excepted' group by 1").fetchall())
    by_lane = dict(db.sql(f"select lane, count(*) from {findings} where lane != '' group by 1").fetchall())
    by_exception = dict(db.sql(f"select exception, count(*) from {findings} where exception != '' group by 1").fetchall())
    units = f"read_csv('{audit / 'units.csv'}', header=true)"
    sums = ", ".join(f"coalesce(sum({name}), 0)::bigint" for name in [*VERDICTS, "out_of_scope", "rows", "delete_markers"])
    of_units = dict(zip([*VERDICTS, "out_of_scope", "rows", "delete_markers"], db.sql(f"select {sums} from {units}").fetchall()[0]))
    return by_verdict, by_reason, by_lane, by_exception, of_units


def differences(binary, audit, folder):
    wrong = []

    def same(what, one, other):
        if one != other:
            wrong.append(f"{what}: {one} and {other}")

    summary = json.loads((audit / "summary.json").read_text())
    counts = summary["counts"]
    by_verdict, by_reason, by_lane, by_exception, of_units = counted(audit)
    for verdict in VERDICTS[1:]:
        same(f"{verdict}, summary and findings", counts[verdict], by_verdict.get(verdict, 0))
    for name, count in of_units.items():
        same(f"{name}, summary and units", counts[name], count)
    same("reasons", {reason: n for reason, n in summary["by_reason"].items() if n}, by_reason)
    same("exceptions", {line["id"]: line["objects"] for line in summary["exceptions"] if line["objects"]}, by_exception)
    same("lanes", {lane: line["objects"] for lane, line in summary["remediation"].items() if line["objects"]}, by_lane)
    page_file, pack = folder / "page.html", folder / "pack.zip"
    for command in (("report", audit, "--html", page_file, "--force"), ("pack", audit, "--out", pack, "--force")):
        ran = run(binary, *command)
        if ran.returncode:
            return [*wrong, f"{command[0]}: {ran.stderr}"]
    page = tables(page_file.read_text(encoding="utf-8"))
    examined = {row[0]: number(row[1]) for row in page["What was examined"][1:]}
    in_scope = sum(counts[verdict] for verdict in VERDICTS)
    same("page: objects", examined["Objects"], counts["objects"])
    same("page: in scope", examined["In scope"], in_scope)
    same("page: out of scope", examined["Out of scope"], counts["out_of_scope"])
    if "Reasons" in page:
        same("page: reasons", {row[0]: number(row[2]) for row in page["Reasons"][1:]}, by_reason)
    if "Figures by month" in page:
        same("page: months", sum(number(row[1]) for row in page["Figures by month"][1:]), in_scope)
        same("page: violations by month", sum(number(row[4]) for row in page["Figures by month"][1:]), counts["violation"])
    if "Accounts, worst first" in page:
        rows = page["Accounts, worst first"][1:] + page.get("The other accounts", [[]])[1:]
        for column, verdict in ((4, "violation"), (5, "undetermined"), (6, "excepted")):
            same(f"page: {verdict} by account", sum(number(row[column]) for row in rows), counts[verdict])
    if "Lanes" in page:
        same("page: lanes", {row[0]: number(row[1]) for row in page["Lanes"][1:]}, by_lane)
    if "Exceptions" in page:
        same("page: exceptions", {row[0]: number(row[6]) for row in page["Exceptions"][1:] if number(row[6])}, by_exception)
    line = f"compliant {counts['compliant']:,}, violating {counts['violation']:,} ("
    rest = f"), undetermined {counts['undetermined']:,}, excepted {counts['excepted']:,}"
    for form in ("text", "markdown"):
        text = " ".join(run(binary, "report", audit, "--format", form).stdout.split())
        if not re.search(re.escape(line) + "[^)]*" + re.escape(rest), text):
            wrong.append(f"{form}: no line '{line}…{rest}'")
    with zipfile.ZipFile(pack) as archive:
        (folder / "groups.csv").write_bytes(archive.read("evidence/data/groups.csv"))
    groups = f"read_csv('{folder / 'groups.csv'}', header=true, all_varchar=true)"
    same("pack: groups", dict(duckdb.sql(f"select verdict, sum(objects::bigint)::bigint from {groups} group by 1").fetchall()), by_verdict)
    return wrong


def spoilt(binary, audit, folder):
    """What is not told of lists that were spoilt."""
    missed = []
    for name in ("findings.csv", "units.csv"):
        copy = folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(audit, copy)
        lines = (copy / name).read_text().splitlines(keepends=True)
        (copy / name).write_text("".join(lines[:-1]))
        if not differences(binary, copy, folder):
            missed.append(name)
    return missed


def main():
    args = [arg for arg in sys.argv[1:] if arg != "--self-test"]
    binary, audits = pathlib.Path(args[0]).resolve(), [pathlib.Path(arg).resolve() for arg in args[1:]]
    bad = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for audit in audits:
            for what in differences(binary, audit, folder):
                bad += 1
                print(f"{audit.name}: {what}")
        if "--self-test" in sys.argv:
            missed = spoilt(binary, audits[0], folder)
            bad += len(missed)
            print(f"self-test: not told: {missed or 'nothing'}")
    print(f"{len(audits)} results, {bad} wrong")
    sys.exit(bool(bad))


main()
