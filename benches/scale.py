#!/usr/bin/env python3
"""How the time and the memory of whole audits grow: with cores, rows and files, and beside what cannot be saved.

    python3 benches/scale.py

builds logseal and the benches, generates exports, audits them in turns and prints a table; `--help` shows what can be
changed. Everything lies in the work folder (default `target/scale`); the raw results are `results.json` there. With the
defaults it takes about 25 GB, nearly all of it for `large`; `--only` and `--large-rows` make it less.

In each block of the table, runs are compared with the first of the block: `speed` is how many times as many rows a
second, `time` how many times as long for a row. All runs of a claim take turns in each round, so that noise meets
everyone; the first round is a warm-up, in which the counts of rows are checked. Times are those of whole processes that
verify and write everything, but for the floor, which tells the time of its work alone.
"""

import argparse
import datetime
import hashlib
import json
import os
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Tuple

from processes import (
    ROOT, Run, audit_command, built_logseal, cpu_model, empty, found_manifest, generate, made, measure, median_run, say,
    told_others)

FORMATS = ("csv", "parquet")


class Export(NamedTuple):
    """One report to audit."""

    name: str
    format: str
    rows: int
    manifest: Path


class Subject(NamedTuple):
    """Something that is run again and again."""

    name: str
    rows: int
    command: Tuple[str, ...]


# Runs that are compared with the first of them.
Block = List[Subject]


class Scale:
    """The exports and programs, and what is to be compared."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.rows, self.jobs = options.rows, options.jobs
        self.logseal = (options.logseal or built_logseal()).resolve()
        self.out = options.work / "out"

    # The claims. Each gives blocks of runs.

    def one_file(self) -> Iterator[Block]:
        """One file keeps all cores busy."""
        yield self.cores(self.export("csv", self.rows, 1))

    def balanced(self) -> Iterator[Block]:
        """So do ten files."""
        for format in FORMATS:
            yield self.cores(self.export(format, self.rows, 10))

    def large(self) -> Iterator[Block]:
        """Neither the time for a row nor memory grows with the rows."""
        files = max(1, round(10 * self.options.large_rows / self.rows))
        for format in FORMATS:
            exports = self.export(format, self.rows, 10), self.export(format, self.options.large_rows, files)
            yield [self.audit(export, self.jobs) for export in exports]

    def many_files(self) -> Iterator[Block]:
        """What very small files cost."""
        rows = 20 * self.options.small_files
        for format in FORMATS:
            exports = self.export(format, rows, 10), self.export(format, rows, self.options.small_files)
            yield [self.audit(export, self.jobs) for export in exports]

    def floor(self) -> Iterator[Block]:
        """An audit takes hardly longer than MD5 and inflating, which nobody can save."""
        export = self.export("csv", self.rows, 10)
        for jobs in sorted({1, self.jobs}):
            yield [self.floor_csv(export, jobs), self.audit(export, jobs)]

    def uneven(self) -> Iterator[Block]:
        """One file of half of the rows and a hundred of the rest, against ten alike, and with more cores."""
        for format in FORMATS:
            uneven = self.uneven_export(format)
            yield [self.audit(self.export(format, self.rows, 10), self.jobs), self.audit(uneven, self.jobs)]
            yield self.cores(uneven)

    def statuses(self) -> Iterator[Block]:
        """Reading little more than statuses: no checksums, no rollups, a policy that does not look at keys."""
        export = self.export("parquet", self.rows, 10)
        policy = made(self.options.work / "encrypted.toml", self.write_policy)
        fewer = ("--policy", policy, "--no-checksums", "--rollup", "none")
        statuses = self.audit(export, self.jobs, *fewer)
        yield [self.audit(export, self.jobs), statuses._replace(name=f"{statuses.name}, statuses only")]

    # What runs.

    def cores(self, export: Export) -> Block:
        return [self.audit(export, jobs) for jobs in sorted({1, self.jobs})]

    def audit(self, export: Export, jobs: int, *more: Any) -> Subject:
        command = audit_command(self.logseal, export.manifest, self.out, jobs, *more)
        return Subject(f"{export.name}, {counted(jobs, 'job')}", export.rows, tuple(command))

    def floor_csv(self, export: Export, jobs: int) -> Subject:
        order = {"stage": "floor_csv", "case": "MD5 and inflate", "run": str(export.manifest.parent),
                 "rows": export.rows, "jobs": jobs, "warm_up": False, "runs": 1}
        command = (str(self.stages()), "--measure", json.dumps(order))
        return Subject(f"{export.name}, {counted(jobs, 'job')}, floor", export.rows, command)

    def stages(self) -> Path:
        """The executable of the bench `stages`."""
        command = ["cargo", "bench", "--bench", "stages", "--no-run", "--quiet", "--message-format", "json"]
        told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
        messages = [json.loads(line) for line in told.splitlines()]
        (executable,) = [message["executable"] for message in messages
                         if message.get("target", {}).get("name") == "stages" and message.get("executable")]
        return Path(executable)

    # The exports.

    def export(self, format: str, rows: int, files: int) -> Export:
        arguments = ("--rows", rows, "--files", files, "--format", format)
        folder = made(self.options.work / "exports" / f"{format}-{rows}-{files}",
                      lambda unfinished: generate(self.logseal, unfinished, *arguments))
        name = f"{called(format)}, {counted(rows, 'row')}, {counted(files, 'file')}"
        return Export(name, format, rows, found_manifest(folder, format))

    def uneven_export(self, format: str) -> Export:
        def make(folder: Path) -> None:
            for name, files, seed in (("one", 1, 1), ("hundred", 100, 2)):
                generate(self.logseal, folder / name, "--rows", half, "--files", files, "--format", format,
                         "--seed", seed)
            join(found_manifest(folder / "one", format), found_manifest(folder / "hundred", format))

        half = self.rows // 2
        folder = made(self.options.work / "exports" / f"{format}-{self.rows}-uneven", make)
        name = f"{called(format)}, {counted(2 * half, 'row')}, 1 + 100 files"
        return Export(name, format, 2 * half, found_manifest(folder / "one", format))

    def write_policy(self, path: Path) -> None:
        with path.open("w") as file:
            subprocess.run([str(self.logseal), "policy", "init", "--preset", "encrypted"], stdout=file, check=True)


CLAIMS: Dict[str, Callable[[Scale], Iterator[Block]]] = {
    "one-file": Scale.one_file,
    "balanced": Scale.balanced,
    "large": Scale.large,
    "many-files": Scale.many_files,
    "floor": Scale.floor,
    "uneven": Scale.uneven,
    "statuses": Scale.statuses,
}


def join(manifest: Path, other: Path) -> None:
    """Moves the data files of another report to this one."""
    told, more = (json.loads(path.read_text(encoding="utf-8")) for path in (manifest, other))
    for file in more["files"]:
        name = Path(file["key"]).name
        (other.parents[1] / "data" / name).rename(manifest.parents[1] / "data" / name)
    told["files"] += more["files"]
    text = json.dumps(told, indent=2).encode()
    manifest.write_bytes(text)
    # S3 writes an MD5, too.
    (manifest.parent / "manifest.checksum").write_text(f"{hashlib.md5(text).hexdigest()}\n")


def called(format: str) -> str:
    return "CSV.gz" if format == "csv" else "Parquet"


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


# Measuring.

Runs = Dict[Subject, List[Run]]


def run_claim(scale: Scale, name: str) -> Tuple[List[Block], Runs]:
    blocks = list(CLAIMS[name](scale))
    # A run that is in two blocks runs once.
    subjects = list(dict.fromkeys(subject for block in blocks for subject in block))
    runs: Runs = defaultdict(list)
    say(f"{name}: warm-up")
    for subject in subjects:
        run(scale, subject)
        check(scale, subject)
    for number in range(scale.options.runs):
        say(f"{name}: round {number + 1} of {scale.options.runs}")
        for subject in subjects:
            runs[subject].append(run(scale, subject))
    empty(scale.out)
    return blocks, runs


def run(scale: Scale, subject: Subject) -> Run:
    empty(scale.out)
    # Violations are found; without checksums, the result is incomplete.
    return measure(list(subject.command), accepted=(0, 1, 3))


def check(scale: Scale, subject: Subject) -> None:
    """An audit must have seen all rows and no fault. The floor writes nothing."""
    path = scale.out / "summary.json"
    if not path.exists():
        return
    summary = json.loads(path.read_text(encoding="utf-8"))
    if summary["counts"]["rows"] != subject.rows or summary["faults"]:
        raise SystemExit(f"{subject.name}: not all rows were examined")


# Reporting.

TABLE_HEAD = """
| claim | run | seconds | rows/s | ns a row | peak MiB | CPU s | speed | time |
| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"""


def table(claim: str, block: Block, runs: Runs) -> Iterator[str]:
    first = row_seconds(block[0], runs)
    for subject in block:
        median, seconds = median_run(runs[subject]), row_seconds(subject, runs)
        yield (f"| {claim} | {subject.name} | {median.seconds:.2f} | {1 / seconds / 1e6:.2f} M | {seconds * 1e9:.0f} "
               f"| {median.peak_mib:.0f} | {median.cpu_seconds:.2f} | {first / seconds:.2f} | {seconds / first:.2f} |")


def row_seconds(subject: Subject, runs: Runs) -> float:
    return median_run(runs[subject]).seconds / subject.rows


def heading(scale: Scale) -> Dict[str, Any]:
    version = subprocess.run([str(scale.logseal), "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "version": version.strip(),
        "runs": scale.options.runs,
    }


def result(claim: str, runs: Runs) -> Dict[str, Any]:
    subjects = [{"name": subject.name, "rows": subject.rows, "runs": [one._asdict() for one in subject_runs]}
                for subject, subject_runs in runs.items()]
    return {"claim": claim, "subjects": subjects}


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=ROOT / "target" / "scale", help="where everything lies")
    parser.add_argument("--logseal", type=Path, help="an executable to use instead of building one")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--large-rows", type=int, default=100_000_000, help="for the claim `large`")
    parser.add_argument("--small-files", type=int, default=100_000, help="for the claim `many-files`, of 20 rows each")
    parser.add_argument("--jobs", type=int, default=2, help="compared with one job")
    parser.add_argument("--runs", type=int, default=3, help="rounds after the warm-up")
    parser.add_argument("--only", nargs="+", choices=CLAIMS, default=list(CLAIMS), metavar="CLAIM",
                        help=f"of {', '.join(CLAIMS)}")
    return parser.parse_args()


def main() -> None:
    options = parsed_options()
    options.work = options.work.resolve()
    scale = Scale(options)
    head, lines, results, all_runs = heading(scale), [], [], []
    for claim in options.only:
        blocks, runs = run_claim(scale, claim)
        lines += [line for block in blocks for line in table(claim, block, runs)]
        results.append(result(claim, runs))
        all_runs += [one for subject_runs in runs.values() for one in subject_runs]
        (options.work / "results.json").write_text(json.dumps({**head, "claims": results}, indent=2) + "\n")
    print(f"{head['date']}, {head['cpu']}, {head['cores']} cores; {head['version']}, medians of {head['runs']}")
    print(TABLE_HEAD)
    print("\n".join(lines))
    others = told_others(all_runs)
    if others:
        print(f"\n{others}")


if __name__ == "__main__":
    main()
