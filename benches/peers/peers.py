#!/usr/bin/env python3
"""The same audit by logseal, DuckDB, Polars and ClickHouse (chdb), on the same exports with the same threads.

    python3 benches/peers/peers.py

makes a virtual environment with the three engines, builds logseal, generates exports, runs everything and prints a
table; `--help` shows what can be changed. Everything lies in the work folder (default `target/peers`, about 6 GB with
the defaults); the raw results are `results.json` there.

The job: read every data file of the manifest, set delete markers apart, take kind, account and Region from the key,
judge by the preset `cis`, write a rollup by (bucket, account, kind, Region, month, encryption status) with counts and
bytes, and write the list of all violating objects with decoded keys as CSV.

What is measured, and where that favours the peers:

- logseal: the whole process, with every MD5 verified, every row checked and everything written. The peers: only the
  queries, in a fresh process of their own, without start and imports. They verify nothing.
- The peers may rely on what the generator guarantees: keys begin with `AWSLogs/` or have no account, and accounts and
  Regions are well formed. Verdicts are counted from their rollup afterwards, outside of the measured time.
- Peers that have more than one good plan run all of them; the table shows the best one for each export.
- Peak memory and CPU seconds are those of whole processes, Python and its imports included.
- All take turns in each round, so that noise meets everyone. The first round is a warm-up, in which all results are
  compared: the rollups with the summary, and the lists of violating objects. A difference ends the script.
"""

import argparse
import csv
import datetime
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple
from urllib.parse import unquote_plus

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from processes import (  # noqa: E402
    ROOT, Run, audit_command, built_logseal, cpu_model, empty, found_manifest, generate, made, measure, median_run, say,
    told_others)

PACKAGES = ("duckdb", "polars", "chdb")

LOG_KINDS = ("CloudTrail", "CloudTrail-Insight", "CloudTrail-NetworkActivity", "CloudTrail-Aggregated")
LOG_STATUSES = ("SSE-KMS", "DSSE-KMS")
DIGEST_KIND = "CloudTrail-Digest"
DIGEST_STATUSES = ("SSE-S3", *LOG_STATUSES)

CSV_COLUMNS = (
    "bucket key version_id is_latest is_delete_marker size last_modified_date e_tag storage_class "
    "is_multipart_uploaded replication_status encryption_status object_lock_retain_until_date object_lock_mode "
    "object_lock_legal_hold_status intelligent_tiering_access_tier bucket_key_status checksum_algorithm"
).split()
# What only the list of violating objects needs.
LISTED = "key version_id is_latest size last_modified_date storage_class bucket_key_status".split()
NEEDED = ["bucket", "encryption_status", "is_delete_marker", *LISTED]
ROLLUP_HEADER = "bucket account kind region month status is_delete_marker objects bytes".split()
VIOLATIONS_HEADER = (
    "bucket key version_id is_latest size last_modified storage_class encryption_status bucket_key_status"
).split()
# Booleans and times are spelt differently by everyone.
COMPARED = "bucket key version_id size storage_class encryption_status bucket_key_status".split()


class Job(NamedTuple):
    """One audit by a peer."""

    format: str
    files: List[str]
    rollup: str
    violations: str
    threads: int

    @property
    def is_csv(self) -> bool:
        return self.format == "csv"


# The queries. Each function is called in a process of its own; `prepare` imports and is not timed, what it returns is.

# The same in the dialects of DuckDB and ClickHouse.
VIOLATES = f"""not dm and (status not in {LOG_STATUSES} and kind in {LOG_KINDS}
    or status not in {DIGEST_STATUSES} and kind = '{DIGEST_KIND}')"""


def quoted_list(texts: Iterable[str]) -> str:
    return ", ".join("'{}'".format(text.replace("'", "''")) for text in texts)


class DuckDb:
    """`string_split` and list access take half the time of `regexp_extract` or three times `split_part`."""

    def __init__(self, job: Job) -> None:
        import duckdb

        self.job = job
        self.connection = duckdb.connect()
        self.connection.execute(f"set threads = {job.threads}")
        self.connection.execute("set preserve_insertion_order = false")

    def source(self) -> str:
        files = quoted_list(self.job.files)
        if not self.job.is_csv:
            return f"read_parquet([{files}])"
        # Sniffing off, and types where they are needed: faster than text everywhere and casts.
        types = dict.fromkeys(CSV_COLUMNS, "varchar")
        types.update(size="bigint", is_delete_marker="boolean")
        columns = ", ".join(f"'{name}': '{kind}'" for name, kind in types.items())
        return f"""read_csv([{files}], columns = {{{columns}}}, header = false, auto_detect = false, delim = ',',
            quote = '"', escape = '"')"""

    def parsed(self) -> str:
        # `date_trunc` of a time with a zone goes through a slow calendar library; these are UTC anyway.
        month = "date_trunc('month', make_timestamp(epoch_us(last_modified_date)))"
        if self.job.is_csv:
            month = "substr(last_modified_date, 1, 7)"
        return f"""select bucket, if(logs, part[2 + org], '-') account, if(logs, part[3 + org], 'other') kind,
                if(logs, part[4 + org], '-') region, month, status, dm, {", ".join(LISTED)}
            from (select string_split(key, '/') part, starts_with(key, 'AWSLogs/') logs,
                if(starts_with(key, 'AWSLogs/o-'), 1, 0) org, {month} as month, encryption_status status,
                coalesce(is_delete_marker, false) dm, bucket, {", ".join(LISTED)} from {self.source()})"""

    def copy(self, query: str, path: str) -> None:
        self.connection.execute(f"copy ({query}) to {quoted_list([path])} (format csv, header)")

    def listed(self, source: str) -> str:
        key = "url_decode(replace(key, '+', ' '))" if self.job.is_csv else "key"
        return f"""select bucket, {key} as key, version_id, is_latest, size, last_modified_date, storage_class, status,
            bucket_key_status from {source}"""

    def rollup(self, source: str) -> str:
        return f"""select bucket, account, kind, region, month, status, dm, count(*), sum(size)
            from {source} group by all"""

    def lists(self) -> None:
        """One pass: each group carries its violating rows. The best when they are few."""
        row = ", ".join(f"'{name}': {name}" for name in LISTED)
        self.connection.execute(f"""create temp table found as
            select bucket, account, kind, region, month, status, dm, count(*) n, sum(size) bytes,
                list({{{row}}}) filter ({VIOLATES}) rows
            from ({self.parsed()}) group by all""")
        self.copy("select * exclude rows from found", self.job.rollup)
        unnested = "(select bucket, status, unnest(rows, recursive := true) from found where rows is not null)"
        self.copy(self.listed(unnested), self.job.violations)

    def table(self) -> None:
        """One pass into a table that holds what is listed only where it is: the best for CSV when much violates."""
        listed = ", ".join(f"if(bad, {name}, null) {name}" for name in LISTED if name != "size")
        self.connection.execute(f"""create temp table found as
            select bucket, account, kind, region, month, status, dm, size, bad, {listed}
            from (select *, coalesce({VIOLATES}, false) bad from ({self.parsed()}))""")
        self.copy(self.rollup("found"), self.job.rollup)
        self.copy(self.listed("found where bad"), self.job.violations)

    def twice(self) -> None:
        """Two passes, the second behind a filter that Parquet takes: the best for Parquet when much violates."""
        self.copy(self.rollup(f"({self.parsed()})"), self.job.rollup)
        found = f"({self.parsed()}) where status not in {LOG_STATUSES} and {VIOLATES}"
        self.copy(self.listed(found), self.job.violations)


class Polars:
    """The streaming engine runs both sinks in one pass, which beats two passes at any share of violations. `splitn`
    is a little faster than `split` and `extract_groups`."""

    def __init__(self, job: Job) -> None:
        os.environ["POLARS_MAX_THREADS"] = str(job.threads)
        import polars

        self.job = job
        self.pl = polars

    def scan(self) -> Any:
        pl = self.pl
        if not self.job.is_csv:
            return pl.scan_parquet(self.job.files)
        types = dict.fromkeys(CSV_COLUMNS, pl.String)
        types["size"] = pl.Int64
        return pl.scan_csv(self.job.files, has_header=False, schema=types)

    def parsed(self) -> Any:
        pl = self.pl
        key, time = pl.col("key"), pl.col("last_modified_date")
        logs = key.str.starts_with("AWSLogs/")
        org = key.str.starts_with("AWSLogs/o-")

        def part(number: int) -> Any:
            return pl.col("part").struct.field(f"field_{number}")

        def folder(number: int, otherwise: str) -> Any:
            below = pl.when("org").then(part(number + 1)).otherwise(part(number))
            return pl.when("logs").then(below).otherwise(pl.lit(otherwise))

        is_marker = pl.col("is_delete_marker")
        return (
            self.scan()
            .with_columns(part=key.str.splitn("/", 6), logs=logs, org=org)
            .with_columns(
                account=folder(1, "-"),
                kind=folder(2, "other"),
                region=folder(3, "-"),
                month=time.str.slice(0, 7) if self.job.is_csv else time.dt.truncate("1mo"),
                status=pl.col("encryption_status"),
                dm=is_marker == "true" if self.job.is_csv else is_marker.fill_null(False),
            )
        )

    def violates(self) -> Any:
        pl = self.pl
        kind, status = pl.col("kind"), pl.col("status")
        bad_log = kind.is_in(LOG_KINDS) & ~status.is_in(LOG_STATUSES)
        bad_digest = (kind == DIGEST_KIND) & ~status.is_in(DIGEST_STATUSES)
        return ~pl.col("dm") & (bad_log | bad_digest)

    def decoded(self, keys: Any) -> Any:
        """There is no function for it, but few keys need it: only these go through Python."""
        odd = keys.str.contains("[%+]")
        if not odd.any():
            return keys
        texts = (unquote_plus(key) if is_odd else key for key, is_odd in zip(keys, odd))
        return self.pl.Series(keys.name, texts, dtype=self.pl.String)

    def once(self) -> None:
        pl = self.pl
        rows = self.parsed()
        groups = rows.group_by("bucket", "account", "kind", "region", "month", "status", "dm")
        rollup = groups.agg(pl.len().alias("n"), pl.col("size").sum().alias("bytes"))
        found = rows.filter(self.violates())
        if self.job.is_csv:
            key = pl.col("key").map_batches(self.decoded, return_dtype=pl.String, is_elementwise=True)
            found = found.with_columns(key=key)
        found = found.select(
            "bucket", "key", "version_id", "is_latest", "size", "last_modified_date", "storage_class", "status",
            "bucket_key_status")
        sinks = [
            rollup.sink_csv(self.job.rollup, lazy=True),
            found.sink_csv(self.job.violations, lazy=True),
        ]
        pl.collect_all(sinks, engine="streaming")


class ClickHouse:
    """`splitByChar` beats `extractGroups` and `position`; a materialised view for each output is slower than all plans
    here."""

    def __init__(self, job: Job) -> None:
        import chdb.session

        self.job = job
        self.session = chdb.session.Session()
        # Parsing in parallel is for one big file; many files are parallel anyway.
        settings = (f"max_threads = {job.threads}", "input_format_parallel_parsing = 0",
                    "format_csv_null_representation = ''")
        for setting in settings:
            self.session.query(f"set {setting}")

    def source(self) -> str:
        folder = os.path.dirname(self.job.files[0])
        path = f"{folder}/{{{','.join(map(os.path.basename, self.job.files))}}}"
        if self.job.is_csv:
            # Half the time of dictionaries (`LowCardinality`).
            types = dict.fromkeys(CSV_COLUMNS, "String")
            types["size"] = "Nullable(UInt64)"
            arguments = [path, "CSV", structure(types), "gzip"]
        else:
            types = dict.fromkeys(NEEDED, "Nullable(String)")
            types.update(bucket="LowCardinality(String)", key="String", size="Nullable(UInt64)",
                         is_delete_marker="Nullable(Bool)", is_latest="Nullable(Bool)",
                         last_modified_date="Nullable(DateTime64(3, 'UTC'))")
            arguments = [path, "Parquet", structure(types)]
        return f"file({quoted_list(arguments)})"

    def parsed(self, source: str) -> str:
        month, marker = "toStartOfMonth(last_modified_date)", "ifNull(is_delete_marker, false)"
        if self.job.is_csv:
            month, marker = "substring(last_modified_date, 1, 7)", "is_delete_marker = 'true'"
        return f"""select bucket, splitByChar('/', key, 7) as part, part[1] = 'AWSLogs' as logs,
                startsWith(part[2], 'o-') as org, if(logs, part[2 + org], '-') as account,
                if(logs, part[3 + org], 'other') as kind, if(logs, part[4 + org], '-') as region,
                {month} as month, encryption_status as status, {marker} as dm, {", ".join(LISTED)}
            from {source}"""

    def write(self, query: str, path: str) -> None:
        self.session.query(f"insert into function file({quoted_list([path])}, 'CSVWithNames') {query}")

    def listed(self, source: str) -> str:
        key = "decodeURLFormComponent(key)" if self.job.is_csv else "key"
        return f"""select bucket, {key} as decoded, version_id, is_latest, size, last_modified_date, storage_class,
            status, bucket_key_status from {source}"""

    def both(self, source: str) -> None:
        parsed = self.parsed(source)
        self.write(f"""select bucket, account, kind, region, month, status, dm, count(), sum(size)
            from ({parsed}) group by all""", self.job.rollup)
        self.write(f"{self.listed(f'({parsed})')} where {VIOLATES}", self.job.violations)

    def lists(self) -> None:
        """One pass: each group carries its violating rows. The best when they are few."""
        row = f"tuple({', '.join(LISTED)})"
        self.session.query(f"""create temporary table found engine = Memory as
            select bucket, account, kind, region, month, status, dm, count() as n, sum(size) as bytes,
                groupArrayIf({row}, {VIOLATES}) as rows
            from ({self.parsed(self.source())}) group by all""")
        self.write("select * except rows from found", self.job.rollup)
        columns = ", ".join(f"row.{number} as {name}" for number, name in enumerate(LISTED, 1))
        unnested = f"(select bucket, status, {columns} from found array join rows as row)"
        self.write(self.listed(unnested), self.job.violations)

    def table(self) -> None:
        """One pass into memory: the best for CSV when much violates, because it is read once."""
        self.session.query(f"""create temporary table raw engine = Memory as
            select {", ".join(NEEDED)} from {self.source()}""")
        self.both("raw")

    def twice(self) -> None:
        """Two passes: the best for Parquet when much violates."""
        self.both(self.source())


def structure(types: Dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in types.items())


PEERS: Dict[str, Any] = {"DuckDB": DuckDb, "Polars": Polars, "ClickHouse": ClickHouse}
PLANS = {
    "csv": {"DuckDB": ("lists", "table"), "Polars": ("once",), "ClickHouse": ("lists", "table")},
    "parquet": {"DuckDB": ("lists", "twice"), "Polars": ("once",), "ClickHouse": ("lists", "twice")},
}


def run_peer(order: str) -> None:
    """What the process of a peer does."""
    peer, plan, job = json.loads(order)
    query: Callable[[], None] = getattr(PEERS[peer](Job(*job)), plan)
    start = time.perf_counter()
    query()
    print(json.dumps({"seconds": time.perf_counter() - start}))


# Comparing.

Group = Tuple[str, ...]


def rollup_groups(path: Path) -> Iterator[Tuple[Dict[str, str], int, int]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        next(reader)
        for line in reader:
            group = dict(zip(ROLLUP_HEADER, line))
            group["month"] = group["month"][:7]
            yield group, int(group["objects"]), int(group["bytes"] or 0)


def verdict(kind: str, status: str) -> str:
    if kind in LOG_KINDS:
        return "compliant" if status in LOG_STATUSES else "violation"
    if kind == DIGEST_KIND:
        return "compliant" if status in DIGEST_STATUSES else "violation"
    return "out_of_scope"


def totals_of_rollup(path: Path) -> Dict[str, Dict[Group, int]]:
    """The rollup in the form of `totals_of_summary`."""
    totals: Dict[str, Dict[Group, int]] = defaultdict(Counter)
    for group, objects, size in rollup_groups(path):
        totals["counts"][("rows",)] += objects
        if group["is_delete_marker"] in ("true", "1"):
            totals["counts"][("delete_markers",)] += objects
            continue
        judged = verdict(group["kind"], group["status"])
        totals["status"][(group["status"], "objects")] += objects
        totals["status"][(group["status"], "bytes")] += size
        account = (group["bucket"], group["account"], group["kind"], group["region"])
        month = (group["bucket"], group["account"], group["month"])
        for table, key in (("counts", ()), ("by_account", account), ("by_month", month)):
            for field, number in (("objects", objects), ("bytes", size), (judged, objects)):
                totals[table][(*key, field)] += number
        totals["bytes"][(judged,)] += size
    return totals


def totals_of_summary(path: Path) -> Dict[str, Dict[Group, int]]:
    summary = json.loads(path.read_text(encoding="utf-8"))
    totals: Dict[str, Dict[Group, int]] = defaultdict(Counter)
    totals["counts"].update({(name,): number for name, number in summary["counts"].items()})
    totals["counts"][("bytes",)] = summary["bytes"]["objects"]
    totals["bytes"].update({(name,): number for name, number in summary["bytes"].items() if name != "objects"})
    for status, numbers in summary["by_encryption_status"].items():
        totals["status"].update({(status, field): number for field, number in numbers.items()})
    for table, names in (("by_account", ("bucket", "account", "kind", "region")),
                         ("by_month", ("bucket", "account", "month"))):
        for row in summary[table]:
            key = tuple(row[name] for name in names)
            fields = ("objects", "bytes", "compliant", "violation", "undetermined", "excepted", "out_of_scope")
            totals[table].update({(*key, field): row[field] for field in fields})
    return totals


def first_difference(ours: Dict[str, Dict[Group, int]], theirs: Dict[str, Dict[Group, int]]) -> Optional[str]:
    for table in ours:
        for key in sorted(ours[table].keys() | theirs[table].keys()):
            pair = ours[table].get(key, 0), theirs[table].get(key, 0)
            if pair[0] != pair[1]:
                return f"{table} {key}: {pair[0]} by logseal, {pair[1]} by the peer"
    return None


ESCAPE = re.compile(rb"\\(\\|x[0-9a-f]{2})")


def unescaped(cell: str) -> bytes:
    """The bytes that a cell of findings.csv stands for."""
    text = cell.encode()
    if text.startswith(b"'"):
        text = text[1:]
    if b"\\" not in text:
        return text
    return ESCAPE.sub(lambda found: b"\\" if found[1] == b"\\" else bytes([int(found[1][1:], 16)]), text)


class Listing(NamedTuple):
    """A list of objects whatever its order: how many, and the sum of the hashes of its rows."""

    rows: int
    sum: int


def listing(path: Path, header: Optional[List[str]], cell: Callable[[str], bytes]) -> Listing:
    count = total = 0
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.reader(file)
        first_line = next(reader)
        columns = [(header or first_line).index(name) for name in COMPARED]
        for line in reader:
            row = b"\0".join([cell(line[column]) for column in columns])
            total += int.from_bytes(hashlib.blake2b(row, digest_size=16).digest(), "little")
            count += 1
    return Listing(count, total % 2**128)


# The exports and the programs.

class Export(NamedTuple):
    """One report to audit."""

    format: str
    violations: float
    rows: int
    manifest: Path

    @property
    def name(self) -> str:
        return f"{'CSV.gz' if self.format == 'csv' else 'Parquet'}, {self.violations * 100:g} %"

    def data_files(self) -> List[str]:
        """Where the generator puts them: below the folder of the configuration, under the end of their keys."""
        named = json.loads(self.manifest.read_text(encoding="utf-8"))["files"]
        data = self.manifest.parents[1] / "data"
        return [str(data / Path(file["key"]).name) for file in named]


def found_export(folder: Path, format: str) -> Export:
    options = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["options"]
    return Export(format, options["violations"], options["rows"], found_manifest(folder, format))


def made_export(options: argparse.Namespace, logseal: Path, format: str, violations: float) -> Export:
    folder = options.work / "exports" / f"{format}-{options.rows}-{options.files}-{violations:g}"
    arguments = ("--rows", options.rows, "--files", options.files, "--format", format, "--violations", violations)
    return found_export(made(folder, lambda unfinished: generate(logseal, unfinished, *arguments)), format)


def exports(options: argparse.Namespace, logseal: Path) -> Iterator[Export]:
    for format in options.formats:
        for folder in options.export:
            yield found_export(folder.resolve(), format)
        for violations in () if options.export else options.violations:
            yield made_export(options, logseal, format, violations)


def peers_python(work: Path) -> Path:
    """A Python that has the peers."""
    folder = work / "venv"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        say(f"installing {', '.join(PACKAGES)}")
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
        (folder / "complete").touch()
    return python


def versions(python: Path, logseal: Path) -> Dict[str, str]:
    code = f"import importlib.metadata as m; print(*map(m.version, {PACKAGES!r}))"
    printed = subprocess.run([str(python), "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    told = subprocess.run([str(logseal), "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    duckdb, polars, chdb = printed
    return {"logseal": told.split()[-1], "DuckDB": duckdb, "Polars": polars, "ClickHouse": f"(chdb) {chdb}"}


# The benchmark.

class Contest:
    """All audits of one export."""

    def __init__(self, options: argparse.Namespace, export: Export, logseal: Path, python: Path) -> None:
        self.options, self.export = options, export
        self.logseal, self.python = logseal, python
        self.out = options.work / "out"
        self.runs: Dict[Tuple[str, str], List[Run]] = defaultdict(list)

    def run(self) -> None:
        say(f"{self.export.name}: warm-up and comparison")
        self.warm_up()
        for number in range(self.options.runs):
            say(f"{self.export.name}: round {number + 1} of {self.options.runs}")
            self.runs[("logseal", "")].append(self.run_ours())
            for peer, plan in self.plans():
                self.runs[(peer, plan)].append(self.run_peer(peer, plan))
        shutil.rmtree(self.out)

    def plans(self) -> List[Tuple[str, str]]:
        return [(peer, plan) for peer, plans in PLANS[self.export.format].items() for plan in plans]

    def warm_up(self) -> None:
        self.run_ours()
        ours = totals_of_summary(self.out / "summary.json")
        our_list = listing(self.out / "findings.csv", None, unescaped)
        if our_list.rows != ours["counts"][("violation",)]:
            raise SystemExit("logseal lists other objects than it counts")
        for peer, plan in self.plans():
            self.run_peer(peer, plan)
            difference = first_difference(ours, totals_of_rollup(self.out / "rollup.csv"))
            if difference is None:
                their_list = listing(self.out / "violations.csv", VIOLATIONS_HEADER, str.encode)
                if our_list != their_list:
                    difference = f"violating objects: {our_list} by logseal, {their_list} by the peer"
            if difference is not None:
                raise SystemExit(f"{self.export.name}: {peer} ({plan}) differs: {difference}")

    def run_ours(self) -> Run:
        empty(self.out)
        command = audit_command(self.logseal, self.export.manifest, self.out, self.options.threads)
        return measure(command, accepted=(0, 1))

    def run_peer(self, peer: str, plan: str) -> Run:
        empty(self.out)
        job = Job(self.export.format, self.export.data_files(), str(self.out / "rollup.csv"),
                  str(self.out / "violations.csv"), self.options.threads)
        order = json.dumps([peer, plan, job])
        return measure([str(self.python), str(Path(__file__).resolve()), "--peer", order], accepted=(0,))

    def best_plan(self, peer: str) -> Tuple[str, Run]:
        """The plan with the lowest median time."""
        medians = {plan: median_run(runs) for (name, plan), runs in self.runs.items() if name == peer}
        return min(medians.items(), key=lambda item: item[1].seconds)

    def result(self) -> Dict[str, Any]:
        raw = [{"who": who, "plan": plan, "runs": [run._asdict() for run in runs]}
               for (who, plan), runs in self.runs.items()]
        return {"export": self.export.name, "format": self.export.format, "violations": self.export.violations,
                "rows": self.export.rows, "results": raw}


def table(contest: Contest) -> Iterator[str]:
    """The lines of one export."""
    peers = {peer: contest.best_plan(peer) for peer in PEERS}
    ours = contest.best_plan("logseal")
    fastest = min(run.seconds for _, run in peers.values())
    for who, (plan, run) in {"logseal": ours, **peers}.items():
        speed, ratio = contest.export.rows / run.seconds / 1e6, run.seconds / ours[1].seconds
        mark = "**" if run.seconds == fastest else ""
        name = f"{who} ({plan})" if plan else who
        yield (f"| {contest.export.name} | {name} | {run.seconds:.2f} | {speed:.2f} M | {run.peak_mib:.0f} "
               f"| {run.cpu_seconds:.2f} | {mark}{ratio:.1f}{mark} |")


TABLE_HEAD = """
| export | engine (plan) | seconds | rows/s | peak MiB | CPU s of the process | times logseal |
| --- | --- | ---: | ---: | ---: | ---: | ---: |"""


def heading(options: argparse.Namespace, told: Dict[str, str]) -> Dict[str, Any]:
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "threads": options.threads,
        "runs": options.runs,
        "versions": told,
    }


def print_report(head: Dict[str, Any], contests: List[Contest]) -> None:
    engines = ", ".join(f"{name} {version}" for name, version in head["versions"].items())
    print(f"{head['date']}, {head['cpu']}, {head['cores']} cores; {head['threads']} threads, medians of {head['runs']}")
    print(engines)
    print("logseal verifies every MD5, the peers none; all results compared and equal; bold: the fastest peer")
    print(TABLE_HEAD)
    for contest in contests:
        print("\n".join(table(contest)))
    others = told_others([run for contest in contests for runs in contest.runs.values() for run in runs])
    if others:
        print(f"\n{others}")


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=ROOT / "target" / "peers", help="where everything lies")
    parser.add_argument("--logseal", type=Path, help="an executable to use instead of building one")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--files", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3, help="rounds after the warm-up")
    parser.add_argument("--violations", type=float, nargs="+", default=[0.02, 0.1, 1.0], metavar="SHARE")
    parser.add_argument("--formats", nargs="+", choices=("csv", "parquet"), default=["csv", "parquet"])
    parser.add_argument("--export", type=Path, nargs="+", default=[], metavar="DIR",
                        help="folders that `logseal generate` made, instead of making them")
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parsed_options()
    if options.peer:
        return run_peer(options.peer)
    options.work = options.work.resolve()
    logseal = (options.logseal or built_logseal()).resolve()
    python = peers_python(options.work)
    head = heading(options, versions(python, logseal))
    contests = []
    for export in exports(options, logseal):
        contest = Contest(options, export, logseal, python)
        contest.run()
        contests.append(contest)
        results = {**head, "exports": [done.result() for done in contests]}
        (options.work / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    print_report(head, contests)


if __name__ == "__main__":
    main()
