#!/usr/bin/env python3
"""What key evidence costs, beside an audit without it and beside DuckDB's hash join of the same two tables.

    python3 benches/peers/evidence.py

makes a virtual environment with DuckDB, builds logseal, generates a Parquet export, makes an inventory table of S3 Metadata
of its versions in another order, and prints a table; `--help` shows what can be changed. Everything lies in the work folder
(default `target/peers`).

The three jobs: logseal's audit under a rule that names a key, with `--key-evidence`; the same under a rule that allows any
key, without; and DuckDB's hash join of both tables by bucket, key and version id, counted by key. logseal is measured as a
whole process that verifies every MD5 and writes every finding; DuckDB is measured without start and imports, and only
counts. All take turns in each round; the first is a warm-up, in which the counts by key are compared.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, List

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from peers import made_export, peers_python  # noqa: E402
from processes import (  # noqa: E402
    ROOT, audit_command, built_logseal, empty, made, measure, median_run, say)

RIGHT = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
WRONG = "arn:aws:kms:us-east-1:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321"
POLICY = f"""
[keys]
archive = "{RIGHT}"

[[rule]]
id = "cloudtrail-logs"
where = {{ kind = ["CloudTrail*"] }}
encryption = ["SSE-KMS", "DSSE-KMS"]
keys = ["archive"]
"""

KMS = "encryption_status IN ('SSE-KMS', 'DSSE-KMS')"
# One key in fifty is wrong. The order of the rows has nothing to do with that of the inventory.
MAKE_TABLE = f"""
SELECT bucket, key, lpad(row_number() OVER ()::VARCHAR, 20, '0') AS sequence_number,
  nullif(version_id, '') AS version_id, is_delete_marker, size, last_modified_date::TIMESTAMP AS last_modified_date,
  nullif(nullif(encryption_status, 'NOT-SSE'), '') AS encryption_status,
  bucket_key_status = 'ENABLED' AS is_bucket_key_enabled,
  CASE WHEN {KMS} THEN CASE WHEN hash(key, version_id) % 50 = 0 THEN '{WRONG}' ELSE '{RIGHT}' END END AS kms_key_arn
FROM inventory WHERE hash(filename) % {{parts}} = {{part}} ORDER BY hash(version_id, key)
"""
# More than this DuckDB would sort through files. Each part has the rows of other files of the inventory.
PART_ROWS = 5_000_000
JOIN = f"""
SELECT m.kms_key_arn, count(*), sum(i.size) FROM inventory i LEFT JOIN metadata m ON i.bucket = m.bucket AND i.key = m.key
  AND coalesce(i.version_id, '') = coalesce(m.version_id, '')
WHERE i.is_delete_marker IS NOT TRUE AND i.{KMS} GROUP BY ALL
"""
SCRIPT = """
import duckdb, json, sys, time
inventory, metadata, threads, order = sys.argv[1:5]
db = duckdb.connect()
db.execute(f"SET threads = {threads}; SET enable_progress_bar = false")
db.execute(f"CREATE VIEW inventory AS SELECT * FROM read_parquet('{inventory}', filename = true)")
if order == "make":
    db.execute(f"COPY ({sys.argv[5]}) TO '{metadata}' (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 122880)")
else:
    db.execute(f"CREATE VIEW metadata AS SELECT * FROM read_parquet('{metadata}')")
    start = time.perf_counter()
    rows = db.execute(sys.argv[5]).fetchall()
    print(json.dumps({"seconds": time.perf_counter() - start, "rows": rows}, default=str))
"""


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=ROOT / "target" / "peers", help="where everything lies")
    parser.add_argument("--logseal", type=Path, help="an executable to use instead of building one")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--files", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3, help="rounds after the warm-up")
    parser.add_argument("--memory", default="1GiB", help="what the join of logseal may take")
    parser.add_argument("--no-peer", action="store_true", help="leave DuckDB out")
    return parser.parse_args()


def make_table(duckdb: List[str], folder: Path, options: argparse.Namespace) -> None:
    say("making the table of S3 Metadata")
    folder.mkdir()
    parts = max(1, round(options.rows / PART_ROWS))
    for part in range(parts):
        rows = MAKE_TABLE.format(parts=parts, part=part)
        path = str(folder / f"{part:04}.parquet")
        subprocess.run([*duckdb, path, str(options.threads), "make", rows], check=True)


def main() -> None:
    options = parsed_options()
    work = options.work.resolve()
    logseal = options.logseal.resolve() if options.logseal else built_logseal()
    python = peers_python(work)
    options.work = work
    export = made_export(options, logseal, "parquet", 0.02)
    manifest, folder = export.manifest, work / "evidence"
    folder.mkdir(exist_ok=True)
    inventory = manifest.parents[1] / "data" / "*.parquet"
    metadata = folder / f"metadata-{options.rows}-{options.files}"
    policy, any_key = folder / "policy.toml", folder / "any-key.toml"
    policy.write_text(POLICY)
    # Without evidence every object under KMS would be undetermined, and listed.
    any_key.write_text(POLICY.replace('keys = ["archive"]', ""))
    duckdb = [str(python), "-c", SCRIPT, str(inventory)]
    made(metadata, lambda unfinished: make_table(duckdb, unfinished, options))
    out = folder / "out"
    audit = audit_command(logseal, manifest, out, options.threads)
    evidence = ["--policy", policy, "--key-evidence", metadata, "--memory", options.memory]
    jobs: Dict[str, List[str]] = {
        "logseal without evidence": [*audit, "--policy", str(any_key)],
        "logseal with evidence": [*audit, *map(str, evidence)],
    }
    if not options.no_peer:
        jobs["DuckDB's hash join"] = [*duckdb, str(metadata / "*.parquet"), str(options.threads), "join", JOIN]
    runs: Dict[str, list] = {name: [] for name in jobs}
    for turn in range(options.runs + 1):
        counts = {}
        for name, command in jobs.items():
            empty(out)
            if turn == 0 and name.startswith("DuckDB"):
                told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
                counts[name] = {key: [objects, int(size)] for key, objects, size in json.loads(told.splitlines()[-1])["rows"]}
                continue
            run = measure(command, (0, 1, 3))
            if turn == 0 and name.endswith("with evidence"):
                by_key = json.loads((out / "summary.json").read_text())["by_key"]
                counts[name] = {key: [amount["objects"], amount["bytes"]] for key, amount in by_key.items()}
            if turn > 0:
                runs[name].append(run)
        if turn == 0 and len(counts) == 2 and len(set(map(lambda one: json.dumps(one, sort_keys=True), counts.values()))) > 1:
            raise SystemExit(f"the counts by key differ: {counts}")
    medians = {name: median_run(some) for name, some in runs.items()}
    base = medians["logseal with evidence"].seconds
    print(f"{options.rows:,} rows and as many records, {options.threads} threads, medians of {options.runs}")
    for name, run in medians.items():
        print(f"{name:26} {run.seconds:7.2f} s  {run.seconds / base:5.2f} x  {run.peak_mib:7,.0f} MiB")


if __name__ == "__main__":
    main()
