"""What both programs are told to do, and on what, for `outputs.py`.

Commands run in a work folder: `fixtures` and `in` hold inputs, `run` gets outputs, and `desk` is for inputs of one job.
"""

import gzip
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import inputs
from inputs import DONE, EARLY, GONE, LATE, NOT_TRIED, REFUSED, RIGHT, WRONG

ROOT = Path(__file__).resolve().parents[2]
CONFIG = "example-org-audit-logs/weekly-all-versions"
LARGE, SMALL = ({form: f"in/{size}/{form}/{CONFIG}" for form in ("csv", "parquet")} for size in ("large", "small"))
TODAY = "--as-of 2026-02-01"
PRESETS = ["cis", "aws-logs", "encrypted", "cmk"]
RULE = f"[keys]\narchive = '{RIGHT}'\n[remediation]\nkey = 'archive'\nbucket_key = true\n[[rule]]\nid = 'r'\n"
EXCEPTION = """[[exception]]
id = 'X'
rule = 'r'
where = {account = ['444455556666']}
reason = 'migration under way'
owner = 'platform'
expires = 2026-03-31
"""
OWN = {
    "lanes": f"{RULE}where = {{kind = ['CloudTrail*']}}\nencryption = ['SSE-KMS']\n{EXCEPTION}",
    "keys": f"{RULE}encryption = ['SSE-KMS', 'DSSE-KMS']\nkeys = ['archive']\n",
    "bucket-key": f"versions = 'current'\n{RULE}encryption = ['SSE-KMS']\nkeys = ['archive']\nbucket_key = 'required'\n",
    "dsse": f"{RULE}encryption = ['DSSE-KMS']\n",
}
POLICIES = [*PRESETS, "contract", *OWN]
FOR_JOBS = (
    "--account-id 111122223333 --role-arn arn:aws:iam::111122223333:role/batch --manifest-location s3://ops/manifests "
    "--report-location s3://ops/reports"
)


class Job(NamedTuple):
    """Commands, and functions of the work folder that come between them. A command is a line or a list."""

    name: str
    steps: list


def all_jobs(made, cases, samples):
    yield from usage_jobs()
    yield from fixture_jobs()
    yield from explain_jobs(made.rows)
    yield from digest_jobs(made.trail)
    yield from tree_jobs()
    yield from reconcile_jobs()
    yield from damage_jobs()
    yield from evidence_jobs()
    yield from small_jobs()
    yield from large_jobs()
    yield from case_jobs(cases) if cases else []
    yield from sample_jobs(samples) if samples else []


# Commands.

def use(work, binary):
    """Both programs have one name, which messages repeat."""
    link = work / "logseal"
    link.unlink(missing_ok=True)
    link.symlink_to(binary)


def given(work, command):
    """What the program does when it is given a command."""
    args = shlex.split(command) if isinstance(command, str) else command
    env = {"PATH": os.environ.get("PATH", ""), "TZ": "UTC", "LC_ALL": "C"}
    return subprocess.run(
        ["./logseal", *args], cwd=work, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=900, check=False
    )


def audit(source, policy="", more="", out="audit"):
    under = f"--policy in/{policy}.toml" if policy else ""
    today = "" if "--as-of" in more else TODAY
    return f"audit {source} --out run/{out} {today} {under} {more}"


# Inputs.

class Inputs:
    """Everything that commands are given, in `in` and `fixtures` below the work folder."""

    def __init__(self, work, rows):
        made = work / "in"
        shutil.copytree(ROOT / "fixtures", work / "fixtures")
        write_policies(work, made)
        for command in [
            f"generate in/large --rows {rows}",
            "generate in/small --rows 40000 --files 6 --seed 7 --violations 0.1 --accounts 5",
        ]:
            given(work, command).check_returncode()
        for number, data in enumerate(sorted((work / LARGE["csv"] / "data").iterdir())):
            write_table(made / "tables" / f"{number}.parquet", inputs.rows_in(data))
        small = work / SMALL["csv"]
        self.rows = [one for data in sorted((small / "data").iterdir()) for one in inputs.rows_in(data)]
        inputs.evidence(made / "evidence", self.rows)
        manifest = json.loads((small / "2026-01-04T01-00Z/manifest.json").read_bytes())
        shutil.copytree(small / "data", made / "late/data")
        inputs.put_manifest(made / "late/2026-03-02T01-00Z", manifest, LATE)
        write_lanes(made)
        signer = inputs.Signer("first")
        signer.write(made / "keys.json")
        inputs.Signer("second").write(made / "other-keys.json")
        self.trail = inputs.trail(made / "mirror", signer)
        inputs.delivery(made / "trail", self.trail, LATE)


def write_policies(work, made):
    for preset in PRESETS:
        keys = f"--key {RIGHT}" if preset == "cmk" else ""
        inputs.put(made / f"{preset}.toml", given(work, f"policy init --preset {preset} {keys}").stdout)
    for name, text in OWN.items():
        inputs.put(made / f"{name}.toml", text)
    shutil.copy(work / "fixtures/policy/contract.toml", made)


def write_table(path, rows):
    """A table of S3 Metadata that knows the keys of all objects, one in fifty a wrong one."""
    there = (one for one in rows if one["IsDeleteMarker"] == "false")
    said = ((at, one, RIGHT if at % 50 else WRONG) for at, one in enumerate(there))
    inputs.table(path, [inputs.table_row(one, key, EARLY, at) for at, one, key in said])


def write_lanes(made):
    lanes, later = inputs.rows_of_all_lanes(), EARLY + timedelta(days=7)
    inputs.evidence(made / "lanes-evidence", lanes)
    inputs.delivery(made / "lanes", lanes)
    inputs.delivery(made / "late-lanes", lanes, LATE)
    inputs.delivery(made / "mended", inputs.mended(lanes), later)
    inputs.delivery(made / "half-mended", inputs.mended(lanes, 2)[:-9], later)
    inputs.delivery(made / "unversioned", [one | {"VersionId": "", "IsLatest": ""} for one in lanes])


# Usage.

def usage_jobs():
    bad = {
        "empty": "", "no-toml": "[[rule", "unknown": "[[rule]]\nid = 'a'\nwhat = 1\n", "no-rule": "name = 'a'\n",
        "key": OWN["keys"].replace("archive", "a", 1), "bytes": b"\xff\xfe",
        "method": "[[rule]]\nid = 'a'\nencryption = ['SSE']\n",
    }
    yield Job("policies", [
        *(f"policy init --preset {preset}" for preset in [*PRESETS, "none"]),
        f"policy init --preset cmk --key {RIGHT} {WRONG}",
        *(f"policy check in/{name}.toml" for name in POLICIES),
        lambda work: [inputs.put(work / f"desk/{name}.toml", text) for name, text in bad.items()],
        *(f"policy check desk/{name}.toml" for name in bad),
        audit("in/lanes", more="--policy desk/no-toml.toml"),
    ])
    fine = audit("fixtures/aws/csv")
    yield Job("mistakes", [
        "", "nothing", "--version", "completions none", fine, fine, f"{fine} --force", f"{fine} --policy nowhere",
        f"{fine} --key-evidence nowhere", f"{fine} --account-id 1", f"{fine} --digests in/mirror",
        "audit", "audit in/lanes", "audit nowhere --out run/a", "audit in --out run/a", "audit s3://bucket/a --out run/a",
        *(f"audit in/lanes --out run/a {more}" for more in [
            "--shard 4/3", "--as-of soon", "--memory 1", "--jobs 0", "in/lanes", "in/mended", "--run 2020-01-01T00-00Z",
        ]),
        "audit in/lanes/data/0.csv.gz --out run/a",
        "digests in/mirror --out run/b", "digests nowhere --public-keys in/keys.json --out run/b",
        "digests in/mirror --public-keys in/aliases.json --out run/b",
        "merge --out run/c", "merge run/audit --out run/c", "reconcile in --reports in --out run/d",
        "reconcile run/audit --reports nowhere --out run/d", "reconcile run/audit --reports fixtures --out run/d",
        "explain in/lanes", "explain nowhere --key a", "generate run/audit --rows 10", "generate run/e --rows x",
    ])


# Audits.

def fixture_jobs():
    sources = ["aws/csv", "aws/csv-unversioned", "aws/orc", "aws/parquet", "example"]
    options = [
        "--format json", "--rollup none --quiet", "--no-checksums", "--jobs 1 --max-groups 3", "--allow-empty --jobs 3",
        f"--manifest-rows 7 {FOR_JOBS}", "--remediate-undetermined", "--as-of 2027-05-01",
    ]
    for source in sources:
        for policy in POLICIES:
            yield Job(f"{source} under {policy}", [audit(f"fixtures/{source}", policy)])
        for more in options:
            steps = [audit(f"fixtures/{source}", policy, more, policy) for policy in ("cis", "contract", "lanes")]
            yield Job(f"{source} {more[:30]}", steps)
    for source in ("in/lanes", "in/unversioned"):
        steps = [audit(source, policy, out=policy) for policy in POLICIES]
        yield Job(f"{source} under all policies", [*steps, audit(source, "lanes", f"--manifest-rows 9 {FOR_JOBS}", "nine")])
    yield Job("all fixtures at once", [audit(" ".join(f"fixtures/{one}" for one in sources), more="--accept-overlap")])
    schema = shlex.quote(", ".join(inputs.COLUMNS))
    for file in [*sorted((ROOT / "fixtures/orc").glob("*.*")), *sorted((ROOT / "fixtures/aws").glob("*/*inventory*"))]:
        file, more = file.relative_to(ROOT), "--accept-unproven"
        more += f" --schema {schema}" if file.name.endswith(".csv.gz") else ""
        steps = [audit(file, policy, more, policy) for policy in ("cis", "encrypted", "lanes", "keys")]
        steps += [audit(file, out="refused"), audit(file, more=f"{more} --no-checksums", out="all")]
        yield Job(f"{file} alone", steps)


def small_jobs():
    for form, source in SMALL.items():
        for policy in POLICIES:
            yield Job(f"small {form} under {policy}", [
                audit(source, policy, FOR_JOBS), audit(source, policy, "--jobs 1 --format json", "again"),
            ])
        yield shards(form, source, "cmk", 3)
        yield shards(form, source, "cis", 7)
    yield Job("both formats at once", [audit(f"{SMALL['csv']} {SMALL['parquet']}", more="--accept-overlap")])
    yield Job("generate", [
        "generate run/a --rows 30000",
        "generate run/b --rows 1000 --files 3 --format csv --gzip-level 6 --seed 5 --clustered",
        "generate run/c --rows 999 --format parquet --violations 1 --accounts 2 --regions 1 --years 1 --jobs 1",
    ])


def large_jobs():
    for form, source in LARGE.items():
        for policy in ("cis", "lanes", "encrypted"):
            yield Job(f"large {form} under {policy}", [audit(source, policy, FOR_JOBS)])
        yield Job(f"large {form} with other options", [
            audit(source, "contract", "--rollup none --jobs 3", "a"),
            audit(source, "lanes", "--manifest-rows 999 --jobs 1", "b"),
            audit(source, "aws-logs", "--max-groups 20 --no-checksums --format json", "c"),
        ])
        yield shards(form, source, "lanes", 3)
    yield Job("large parquet under cmk: all are undetermined", [audit(LARGE["parquet"], "cmk")])
    for memory in ("1GiB", "16MiB"):
        line = audit(LARGE["parquet"], "keys", f"--key-evidence in/tables --memory {memory}")
        yield Job(f"large parquet with a table of all keys in {memory}", [line])


def shards(form, source, policy, of):
    """All of them, merged at once and in two steps; what must not be merged."""
    parts = [audit(source, policy, f"--shard {number}/{of} --jobs {number}", number) for number in range(1, of + 1)]
    folders = " ".join(f"run/{number}" for number in range(1, of + 1))
    name = f"{of} shards of {source.split('/')[1]} {form} under {policy}"
    return Job(name, [
        *parts, f"merge {folders} --out run/all {FOR_JOBS}", "merge run/1 run/2 --out run/some --format json",
        f"merge run/some run/{of} --out run/rest", "merge run/1 run/1 --out run/twice",
        lambda work: flip(work / "run/2/findings.csv", 0.5), f"merge {folders} --out run/changed",
    ])


# Key evidence.

def evidence_jobs():
    kinds = {
        "list": f"{RIGHT}=in/evidence/list.csv", "wrong list": f"{WRONG}=in/evidence/list-of-wrong.csv",
        "heads": "in/evidence/heads.ndjson.gz", "undated heads": "in/evidence/undated.json", "events": "in/evidence/events",
        "table": "in/evidence/table.parquet", "journal": "in/evidence/journal.parquet",
    }
    everything = f"--key-evidence {' '.join(kinds.values())} --kms-aliases in/aliases.json"
    trusting = "--evidence-max-age 90d --evidence-logs complete --evidence-hints decide"
    statements = ["", "--evidence-max-age 7d", "--evidence-logs complete", "--evidence-hints decide", trusting]
    statements += ["--evidence-as-of 2026-01-03", "--remediate-undetermined", "--memory 1MiB --jobs 3"]
    for when, source in {"early": SMALL["parquet"], "late": "in/late"}.items():
        for kind, path in kinds.items():
            lines = [("keys", "", "a"), ("bucket-key", trusting, "b")]
            steps = [audit(source, policy, f"--key-evidence {path} {more}", out) for policy, more, out in lines]
            yield Job(f"{when} report, evidence: {kind}", steps)
        for more in statements:
            yield Job(f"{when} report, all evidence {more}", [audit(source, "keys", f"{everything} {more}")])
        parts = [audit(source, "cmk", f"{everything} --shard {number}/2", number) for number in (1, 2)]
        yield Job(f"{when} report, all evidence in shards", [*parts, "merge run/1 run/2 --out run/all"])
    of_lanes = everything.replace("in/evidence", "in/lanes-evidence")
    for source in ("in/lanes", "in/late-lanes", "in/unversioned"):
        steps = [audit(source, "keys", f"{of_lanes} {more}", number) for number, more in enumerate(statements)]
        yield Job(f"{source}, all evidence for null versions", steps)
    bad = {"cut": b'{"Bucket": "b", "Ke', "odd": b"what is this", "empty": b"", "of bad lines": b'{"Bucket": 1}\n{}\n'}
    for name, text in bad.items():
        put = lambda work, text=text: inputs.put(work / "desk/heads.ndjson", text)
        paths = {"file": "desk/heads.ndjson", "folder": "desk"}
        yield Job(f"evidence that is {name}", [
            put, *(audit("in/lanes", "keys", f"--key-evidence {path}", out) for out, path in paths.items()),
        ])


# Digests.

def digest_jobs(trail):
    logs = [one["Key"] for one in trail if "/CloudTrail/" in one["Key"]]
    digests = [one["Key"] for one in trail if "/CloudTrail-Digest/" in one["Key"]]
    mirrored = lambda work, key: work / "desk/mirror/trail-logs" / key
    tampering = {
        "whole": lambda work: None,
        "without a digest": lambda work: mirrored(work, digests[2]).unlink(),
        "without a log": lambda work: mirrored(work, logs[1]).unlink(),
        "with a changed log": lambda work: inputs.put(mirrored(work, logs[0]), "{}"),
        "with a damaged digest": lambda work: flip(mirrored(work, digests[3]), 0.9),
        "with a planted log": lambda work: shutil.copy(mirrored(work, logs[0]), mirrored(work, logs[0].replace("_0", "_9"))),
        "without metadata": lambda work: mirrored(work, f"{digests[-1]}.head.json").unlink(),
        "without its first half": lambda work: [mirrored(work, key).unlink() for key in digests[:3]],
    }
    prove, window = "--public-keys in/keys.json", "--since 2026-03-01T20:12:31Z --until 2026-03-02T02:12:31Z"
    line = f"digests desk/mirror {prove}"
    with_evidence = f"--digests desk/mirror {prove} --logs --evidence-logs complete --key-evidence desk/mirror"
    for name, tamper in tampering.items():
        yield Job(f"a mirror {name}", [
            lambda work: shutil.copytree(work / "in/mirror", work / "desk/mirror"), tamper,
            f"{line} --out run/a", f"{line} --logs --out run/b {window} --format json",
            f"{line} --logs --out run/c --inventory in/trail --accept-starts --accept-ends --memory 1MiB",
            "digests desk/mirror --public-keys in/other-keys.json --out run/d --accept-unreferenced '*_9*' --jobs 1",
            audit("in/trail", "keys", f"{with_evidence} {window}", "e"),
            audit("in/trail", "keys", f"{with_evidence} --accept-starts --accept-ends", "f"),
            audit("in/trail", more=f"--digests desk/mirror {prove} --inventory-lag 1h --format json", out="g"),
            f"explain in/trail --key {logs[0]} --policy in/keys.toml {TODAY} --key-evidence desk/mirror",
        ])


def tree_jobs():
    """The trails of `tests/digests`, or why there are none."""
    sys.path.append(str(ROOT / "tests/digests"))
    try:
        from cases import CASES
    except ImportError as missing:
        print(f"SKIPPED: the trails of tests/digests ({missing})")
        return
    for case in CASES:
        # Keys are made anew each time: both programs are given the same tree.
        tree = case.make()
        case.tamper(tree)
        keys = " ".join(f"desk/public-keys.{number}.json" for number in range(len(tree.keys) or 1))
        metadata = "--metadata desk/heads.ndjson" if case.heads == "all, in one file" else ""
        window = f"--since {inputs.shown(case.since)} --until {inputs.shown(case.until)}" if case.has_window else ""
        line = f"digests desk/tree --public-keys {keys} {metadata}"
        store = lambda work, case=case, tree=tree: store_tree(work / "desk", case, tree)
        yield Job(f"a tree: {case.name}", [store, f"{line} --logs --out run/a {window}", f"{line} --out run/b"])


def store_tree(desk, case, tree):
    root, has_folders = desk / "tree", case.layout != "bare"
    tree.write(root, has_folders)
    if isinstance(case.heads, list):
        heads = [tree.places[name] for name in case.heads]
    else:
        heads = {"all": tree.digests, "tails": tree.tails}.get(case.heads, list)()
    tree.write_heads(root, heads, has_folders)
    tree.write_head_lines(desk / "heads.ndjson", tree.digests())
    tree.write_keys(desk)
    if case.layout.startswith("tar"):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(root, arcname=".", filter=without_times)
        shutil.rmtree(root)
        root.mkdir()
        content = archive.getvalue()
        (root / f"t.{case.layout}").write_bytes(gzip.compress(content, mtime=0) if case.layout == "tar.gz" else content)


def without_times(member):
    member.mtime = 0
    return member


# What became of it.

def reconcile_jobs():
    mixes = {"done": [DONE], "mixed": [DONE, REFUSED, DONE, GONE, NOT_TRIED], "refused": [REFUSED], "untried": [NOT_TRIED]}
    later = ["", "--inventory in/mended", "--inventory in/half-mended", "--inventory in/lanes"]
    said = "--key-evidence in/lanes-evidence/table.parquet in/lanes-evidence/events --evidence-max-age 90d"
    for policy in ("lanes", "dsse", "keys"):
        line = f"reconcile run/audit --reports desk/reports --policy in/{policy}.toml"
        for name, outcomes in mixes.items():
            report = lambda work, outcomes=outcomes: inputs.reports(work / "desk/reports", work / "run/audit", outcomes)
            yield Job(f"reconcile {policy}, {name}", [
                audit("in/lanes", policy, f"--manifest-rows 20 {FOR_JOBS}"), report,
                *(f"{line} --out run/r{number} --jobs {number + 1} {more}" for number, more in enumerate(later)),
                f"{line} --out run/gone --inventory in/half-mended --accept-gone --format json",
                f"{line} --out run/evidence --inventory in/mended --manifest-rows 3 {said}",
                f"{line} --out run/r0", f"{line} --out run/r0 --force",
                lambda work: flip_first(work / "desk/reports", 0.5), f"{line} --out run/damaged",
                lambda work: flip_first(work / "run/audit/remediation/copy", 0.1), f"{line} --out run/changed",
            ])


def explain_jobs(rows):
    kinds = {(one["EncryptionStatus"], one["IsLatest"], one["VersionId"] == ""): one for one in reversed(rows)}
    names = [["--key", one["Key"], "--version-id", one["VersionId"] or "null"] for one in kinds.values()]
    names.append(["--key", "nowhere"])
    evidence = "--key-evidence in/evidence/heads.ndjson.gz in/evidence/events in/evidence/journal.parquet"
    for policy in POLICIES:
        more = {"csv": f"{TODAY} --policy in/{policy}.toml", "parquet": f"{TODAY} --policy in/{policy}.toml {evidence}"}
        steps = [["explain", SMALL[form], *name, *shlex.split(rest)] for form, rest in more.items() for name in names]
        yield Job(f"explain under {policy}", steps)
    keys = [f"AWSLogs/111122223333/CloudTrail/us-east-1/2024/05/06/0/{name}" for name in inputs.ODD_NAMES]
    keys = [key.replace("\\", "\\\\").replace("\t", "\\x09") for key in keys]
    yield Job("explain odd keys", [["explain", "in/lanes", "--key", key, *TODAY.split()] for key in keys])


# Damage.

def damage_jobs():
    places = [number / 24 for number in range(24)] + [0.995, 0.9995]
    damages = [lambda path, place=place: flip(path, place) for place in places]
    damages += [lambda path, share=share: os.truncate(path, int(path.stat().st_size * share)) for share in (0, 0.5, 0.99)]
    damages += [os.unlink, lambda path: path.write_bytes(path.read_bytes() + b"more")]
    sources = {f"fixtures/aws/{name}": "*inventory*" for name in ("csv", "orc", "parquet")}
    sources |= {source: "data/*" for source in ("fixtures/example", *SMALL.values())}
    for source, data in sources.items():
        for pattern in (data, "**/manifest.json", "**/manifest.checksum"):
            steps = []
            for number, damage in enumerate(damages):
                harm = lambda work, damage=damage, source=source, pattern=pattern: damaged(work, source, pattern, damage)
                steps += [harm, audit("desk/it", out=number)]
                # Only then does a reader meet what is damaged.
                steps += [audit("desk/it", more="--no-checksums", out=f"{number}-read")] if pattern == data else []
            yield Job(f"damaged: {pattern} of {source}", steps)
    for file in sorted((ROOT / "fixtures/orc").glob("*.orc")):
        steps = []
        for number, damage in enumerate(damages):
            harm = lambda work, damage=damage, file=file: damage(Path(shutil.copy(file, work / "desk/it.orc")))
            steps += [harm, audit("desk/it.orc", more="--accept-unproven", out=number)]
        yield Job(f"damaged: {file.name}", steps)


def damaged(work, source, pattern, damage):
    copy = work / "desk/it"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(work / source, copy)
    damage(sorted(copy.glob(pattern))[0])


def flip(path, share):
    """Changes a byte that is so far from the beginning."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 0x15
    path.write_bytes(content)


def flip_first(folder, share):
    """The same in the first list below a folder that is not empty, if there is one."""
    for path in sorted(path for path in folder.rglob("*.csv") if path.stat().st_size)[:1]:
        flip(path, share)


# What is given from outside.

def case_jobs(folder):
    """A folder of cases, each with a `case.json` that has `args`, and `steps` before them with `args` of their own."""
    for path in sorted(folder.glob("*/case.json")):
        case, steps = json.loads(path.read_bytes()), []
        places = {"{dir}": str(path.parent), "{work}": "run", "{out}": "run/out"}
        for args in [*(step["args"] for step in case.get("steps", [])), case["args"]]:
            args = args if "--out" in args or args[0] in ("explain", "policy") else [*args, "--out", "{out}"]
            args = [*args, *TODAY.split()] if args[0] in ("audit", "explain") and "--as-of" not in args else args
            steps.append([re.sub("{dir}|{work}|{out}", lambda found: places[found[0]], arg) for arg in args])
        yield Job(f"case {path.parent.name}", steps)


def sample_jobs(folder):
    for path in sorted(folder.rglob("manifest.json")):
        steps = [audit(shlex.quote(str(path)), policy, out=policy) for policy in POLICIES]
        yield Job(f"sample {path.parent.relative_to(folder)}", steps)
