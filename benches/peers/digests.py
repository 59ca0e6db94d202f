#!/usr/bin/env python3
"""The digests of a large tree by logseal, and of parts of it by `aws cloudtrail validate-logs`.

    python3 benches/peers/digests.py

makes a virtual environment with the AWS command line, builds logseal, makes a tree of digests and logs signed with a key of
its own, packs it as a tar, runs everything and prints a table; `--help` shows what can be changed. Everything lies in the
work folder (default `target/peers`, about 5 GB with the defaults); the raw results are `digests.json` there.

What is measured, and where that favours the peers:

- logseal: the whole process, on all cores, from files in the page cache. A digest has ten logs. Metadata is there of the
  newest digest of each chain only. The first round is a warm-up, in which it must have verified every digest and log.
- aws-cli: the whole process without its start, which is a run over hours without digests. It asks a stand-in on the
  loopback address, in a process of its own, whose processor time is told as well. Digests alone are a
  chain whose digests list no logs; with ten logs each it walks a part of the same tree. It uses one core.
- inflating: the same logs by Python's zlib in a process for each core, from memory, or with opening and reading the files.
"""

import argparse
import datetime
import json
import multiprocessing
import os
import re
import subprocess
import sys
import time
import venv
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from processes import (  # noqa: E402
    ROOT, Run, built_logseal, cpu_model, empty, made, measure, median_run, say, told_others)

# What makes trees and stands in for AWS is that of the tests.
sys.path.insert(0, str(ROOT / "tests" / "digests"))

REQUIREMENTS = ROOT / "tests" / "walk" / "requirements.txt"
ACCOUNTS = [f"{number:012}" for number in range(111100000000, 111100000010)]
DIGESTS_TAR = "digests.tar"
# The account whose digests list no logs. It lies in a tree of its own.
IDLE_ACCOUNT = "222200000000"


# Making the trees, with the Python of the virtual environment. Nothing else here needs `cryptography`.

class Share(NamedTuple):
    """One chain, as one process makes it."""

    folder: Path
    account: str
    key: Any
    digests: int
    logs: int
    events: int


def make_trees(folder: Path, digests: int, logs: int, events: int, idle: int) -> None:
    from trees import BEGIN, DAY, Key, Tree

    key = Key(ends=BEGIN + 36500 * DAY)
    each = digests // len(ACCOUNTS)
    SHARES.extend(Share(folder, account, key, each, logs, events) for account in ACCOUNTS)
    SHARES.append(Share(folder, IDLE_ACCOUNT, key, idle, 0, events))
    (folder / "heads").mkdir(parents=True)
    with multiprocessing.get_context("fork").Pool() as pool:
        for account in pool.imap_unordered(make_chain, range(len(SHARES))):
            say(f"  {account}")
    (path,) = Tree(key).write_keys(folder)
    path.rename(folder / "public-keys.json")


# A process inherits them, because keys cannot be sent to it.
SHARES: List[Share] = []


def make_chain(number: int) -> str:
    from trees import Chain, Tree

    share = SHARES[number]
    tree = Tree(share.key)
    chain = Chain(tree, account=share.account)
    chain.most_events = share.events
    chain.extend(share.key, *[share.logs] * share.digests)
    root = share.folder / ("idle" if share.account == IDLE_ACCOUNT else "tree")
    tree.write(root)
    # Outside of the tree: only the stand-in has the metadata of all digests.
    tree.write_head_lines(share.folder / "heads" / f"{share.account}.ndjson", tree.digests())
    tree.write_heads(root, tree.tails())
    return share.account


# The stand-in for AWS, in a process of its own.

class Folder:
    """What the stand-in answers from: one account of a tree on disk."""

    organisation = ""

    def __init__(self, folder: Path, account: str) -> None:
        self.root = folder / ("idle" if account == IDLE_ACCOUNT else "tree")
        lines = (folder / "heads" / f"{account}.ndjson").read_text(encoding="utf-8").splitlines()
        heads = [json.loads(line) for line in lines]
        self.metadata = {(head["Bucket"], head["Key"]): head["Metadata"] for head in heads}
        self.keys = sorted(head["Key"] for head in heads)
        self.key_list = json.loads((folder / "public-keys.json").read_text(encoding="utf-8"))["PublicKeyList"]

    def has_bucket(self, bucket: str) -> bool:
        return (self.root / bucket).is_dir()

    def sorted_keys(self, bucket: str) -> List[str]:
        return self.keys

    def get(self, bucket: str, key: str) -> Optional[Any]:
        try:
            body = (self.root / bucket / key).read_bytes()
        except FileNotFoundError:
            return None
        return SimpleNamespace(body=body, metadata=self.metadata.get((bucket, key), {}))

    def public_keys(self, region: str) -> List[Dict[str, Any]]:
        return self.key_list

    def trails(self) -> List[Dict[str, Any]]:
        # The bucket is told to the command line.
        return []


def serve(folder: Path, account: str) -> None:
    from stand_in import Server

    server = Server(Folder(folder, account))
    start = time.process_time()
    print(server.url, flush=True)
    # Until whoever started it closes its input.
    sys.stdin.read()
    print(json.dumps({"seconds": time.process_time() - start}))


class StandIn:
    def __init__(self, python: Path, folder: Path, account: str) -> None:
        command = [str(python), __file__, "--serve", account, "--trees", str(folder)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout
        self.url = self.process.stdout.readline().strip()

    def close(self) -> float:
        """Its processor time."""
        out, _ = self.process.communicate()
        return json.loads(out)["seconds"]


# Inflating alone.

INFLATE, READ_AND_INFLATE = "inflating", "opening, reading and inflating"
START = "aws-cli, start"


def inflate(folder: Path, how: str) -> None:
    """Prints the seconds of the slowest process."""
    shares = [folder / "tree" / "org-logs" / "AWSLogs" / account / "CloudTrail" for account in ACCOUNTS]
    cores = os.cpu_count() or 1
    context = multiprocessing.get_context("fork")
    barrier, seconds = context.Barrier(cores), context.Queue()
    work = [(shares[core::cores], how, barrier, seconds) for core in range(cores)]
    processes = [context.Process(target=inflate_share, args=arguments) for arguments in work]
    for process in processes:
        process.start()
    slowest = max(seconds.get() for _ in processes)
    for process in processes:
        process.join()
    print(json.dumps({"seconds": slowest}))


def inflate_share(folders: List[Path], how: str, barrier: Any, seconds: Any) -> None:
    paths = [os.path.join(place, name) for folder in folders for place, _, names in os.walk(folder) for name in names]
    bodies = read_all(paths)
    barrier.wait()
    start = time.perf_counter()
    for body in bodies if how == INFLATE else read_all(paths):
        zlib.decompress(body, 31)
    seconds.put(time.perf_counter() - start)


def read_all(paths: List[str]) -> List[bytes]:
    bodies = []
    for path in paths:
        with open(path, "rb") as file:
            bodies.append(file.read())
    return bodies


# The contest.

class Job(NamedTuple):
    """What is run, and how much it examines."""

    name: str
    command: List[str]
    digests: int
    logs: int


class Row(NamedTuple):
    """A line of the table."""

    name: str
    seconds: float
    digests: int
    logs: int
    peak_mib: float

    def line(self) -> str:
        speeds = [f"{count / self.seconds:,.0f}" if count else "" for count in (self.digests, self.logs)]
        return f"| {self.name} | {self.seconds:.2f} | {' | '.join(speeds)} | {self.peak_mib:,.0f} |"

    def speed(self) -> float:
        return self.digests / self.seconds


class Contest:
    """All jobs on one tree."""

    def __init__(self, options: argparse.Namespace, logseal: Path, python: Path, folder: Path) -> None:
        self.options, self.logseal, self.python, self.folder = options, logseal, python, folder
        self.out = options.work / "digests-out"
        self.stand_ins: Dict[str, StandIn] = {}
        self.jobs = [*self.our_jobs(), *self.inflating_jobs()]
        if not options.no_peer:
            self.jobs += self.their_jobs()
        self.runs: Dict[str, List[Run]] = {job.name: [] for job in self.jobs}

    def our_jobs(self) -> Iterator[Job]:
        digests, logs = self.options.digests, self.options.digests * self.options.logs
        # Of a bucket, the digests alone can be fetched; or the logs lie beside them.
        yield Job("logseal, folders of digests", self.ours(digest_folders(self.folder)), digests, 0)
        yield Job(f"logseal, {DIGESTS_TAR}", self.ours([self.folder / DIGESTS_TAR]), digests, 0)
        for name in ("tree", "tree.tar"):
            root = [self.folder / name]
            yield Job(f"logseal, {name}", self.ours(root), digests, 0)
            yield Job(f"logseal, {name}, with logs", self.ours(root, "--logs"), digests, logs)

    def ours(self, roots: List[Path], *more: str) -> List[str]:
        keys = self.folder / "public-keys.json"
        command = [self.logseal, "digests", *roots, "--public-keys", keys, "--out", self.out / "ours", *more]
        return silent(command, self.out / "said")

    def inflating_jobs(self) -> Iterator[Job]:
        for how in (INFLATE, READ_AND_INFLATE):
            command = [str(self.python), __file__, "--inflate", how, "--trees", str(self.folder)]
            yield Job(how, command, 0, self.options.digests * self.options.logs)

    def their_jobs(self) -> Iterator[Job]:
        idle, part = self.options.idle, self.options.part
        yield Job(START, self.theirs(IDLE_ACCOUNT, 0), 0, 0)
        yield Job("aws-cli, digests alone", self.theirs(IDLE_ACCOUNT, idle), idle, 0)
        yield Job("aws-cli, with logs", self.theirs(ACCOUNTS[0], part), part, part * self.options.logs)

    def theirs(self, account: str, hours: int) -> List[str]:
        if account not in self.stand_ins:
            self.stand_ins[account] = StandIn(self.python, self.folder, account)
        url = self.stand_ins[account].url
        start, end = period(hours)
        settings = ["AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null", "AWS_ACCESS_KEY_ID=none",
                    "AWS_SECRET_ACCESS_KEY=none", "AWS_EC2_METADATA_DISABLED=true", f"AWS_ENDPOINT_URL={url}"]
        arn = f"arn:aws:cloudtrail:us-east-1:{account}:trail/all_eu-west-1.logs"
        command = ["/usr/bin/env", *settings, self.python.with_name("aws"), "cloudtrail", "validate-logs", "--region",
                   "us-east-1", "--endpoint-url", url, "--trail-arn", arn, "--s3-bucket", "org-logs", "--start-time",
                   start, "--end-time", end]
        return silent(command, self.out / "said")

    def run(self) -> None:
        for number in range(self.options.runs + 1):
            say(f"round {number} of {self.options.runs}" if number else "warm-up and comparison")
            for job in self.jobs:
                empty(self.out)
                run = measure(job.command, accepted=(0, 3))
                self.check(job)
                if number > 0:
                    self.runs[job.name].append(run)

    def check(self, job: Job) -> None:
        """What was not examined must not be measured."""
        wanted = job.digests, job.logs
        if job.name.startswith("logseal"):
            summary = json.loads((self.out / "ours" / "summary.json").read_text(encoding="utf-8"))
            found = summary["digests"]["verified"], summary["logs"].get("verified", 0)
        elif job.name.startswith("aws-cli"):
            said = (self.out / "said").read_text(encoding="utf-8")
            found = tuple(int(number) for kind in ("digest", "log")
                          for number in re.findall(rf"^(\d+)/\1 {kind} files valid$", said, re.M) or [0])
        else:
            return
        if found != wanted:
            raise SystemExit(f"{job.name}: {found} digests and logs are valid instead of {wanted}")

    def close(self) -> Dict[str, float]:
        """Account to the processor time of its stand-in in a round."""
        return {account: stand_in.close() / (self.options.runs + 1) for account, stand_in in self.stand_ins.items()}

    def rows(self) -> Dict[str, Row]:
        """What aws-cli needs to start is not counted."""
        start = median_run(self.runs[START]).seconds if START in self.runs else 0.0
        found = {}
        for job in self.jobs:
            run = median_run(self.runs[job.name])
            seconds = run.seconds - start if job.name.startswith("aws-cli") and job.name != START else run.seconds
            found[job.name] = Row(job.name, seconds, job.digests, job.logs, run.peak_mib)
        return found


def silent(command: List[Any], said: Any = "/dev/null") -> List[str]:
    """What it prints would be taken for its time."""
    return ["/bin/sh", "-c", f'exec "$@" > "{said}" 2>&1', "sh", *map(str, command)]


def period(hours: int) -> Tuple[str, str]:
    """Start and end for so many of the first digests of a chain: aws-cli takes one more hour than it is told."""
    begin = datetime.datetime(2026, 3, 1, 20, 12, 31)
    if hours == 0:
        times = begin - datetime.timedelta(hours=9), begin - datetime.timedelta(hours=3)
    else:
        times = begin, begin + datetime.timedelta(hours=hours - 1)
    return times[0].isoformat() + "Z", times[1].isoformat() + "Z"



# The trees and the programs.

def aws_python(work: Path) -> Path:
    """A Python that has the AWS command line and can sign."""
    folder = work / "aws"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        say("installing the AWS command line")
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "-r", str(REQUIREMENTS)], check=True)
        (folder / "complete").touch()
    return python


def made_trees(options: argparse.Namespace, python: Path) -> Path:
    folder = options.work / f"digests-{options.digests}-{options.logs}-{options.events}-{options.idle}"
    sizes = [options.digests, options.logs, options.events, options.idle]

    def make(unfinished: Path) -> None:
        command = [python, __file__, "--make", *sizes, "--trees", unfinished]
        subprocess.run([str(word) for word in command], check=True, stdout=sys.stderr)
        pack(unfinished, "tree.tar", ["."])

    folder = made(folder, make)
    if not (folder / DIGESTS_TAR).exists():
        pack(folder, DIGESTS_TAR, [str(path.relative_to(folder / "tree")) for path in digest_folders(folder)])
    return folder


def digest_folders(folder: Path) -> List[Path]:
    return sorted((folder / "tree").glob("*/AWSLogs/*/CloudTrail-Digest"))


def pack(folder: Path, name: str, what: List[str]) -> None:
    subprocess.run(["tar", "-cf", str(folder / name), "-C", str(folder / "tree"), *what], check=True)


def versions(python: Path, logseal: Path) -> str:
    commands = [[logseal, "--version"], [python.with_name("aws"), "--version"]]
    told = [subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout for command in commands]
    return ", ".join(line.strip().split()[0] if "/" in line else line.strip() for line in told)


TABLE_HEAD = """
| what | seconds | digests/s | logs/s | peak MiB |
| --- | ---: | ---: | ---: | ---: |"""


def print_report(head: Dict[str, Any], contest: Contest, stand_ins: Dict[str, float]) -> None:
    rows = contest.rows()
    print(f"{head['date']}, {head['cpu']}, {head['cores']} cores; medians of {head['runs']}; {head['versions']}")
    print(TABLE_HEAD)
    for row in rows.values():
        print(row.line())
    print()
    # A tree is held against what opens its files as well; the members of an archive are all but in memory.
    for tree, how in [("tree", READ_AND_INFLATE), ("tree.tar", INFLATE)]:
        hashing, alone = rows[f"logseal, {tree}, with logs"], rows[f"logseal, {tree}"]
        print(f"{tree} with logs, less without: {(hashing.seconds - alone.seconds) / rows[how].seconds:.2f} times {how}")
    for ours, theirs in [("tree", "digests alone"), ("tree, with logs", "with logs"), ("tree.tar, with logs", "with logs")]:
        ours, theirs = f"logseal, {ours}", f"aws-cli, {theirs}"
        if theirs in rows:
            print(f"{ours}: {rows[ours].speed() / rows[theirs].speed():,.0f} times the digests of {theirs}")
    for account, name in [(IDLE_ACCOUNT, "digests alone"), (ACCOUNTS[0], "with logs")]:
        if account in stand_ins:
            print(f"of aws-cli, {name}, the stand-in computes {stand_ins[account]:.2f} s")
    others = told_others([run for runs in contest.runs.values() for run in runs])
    if others:
        print(f"\n{others}")


def parsed_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=ROOT / "target" / "peers", help="where everything lies")
    parser.add_argument("--logseal", type=Path, help="an executable to use instead of building one")
    parser.add_argument("--digests", type=int, default=50_000, help=f"in the chains of {len(ACCOUNTS)} accounts")
    parser.add_argument("--logs", type=int, default=10, help="of each digest")
    parser.add_argument("--events", type=int, default=4, help="of a log, at most")
    parser.add_argument("--idle", type=int, default=1_000, help="digests without logs, for aws-cli")
    parser.add_argument("--part", type=int, default=200, help="digests with logs, for aws-cli")
    parser.add_argument("--runs", type=int, default=3, help="rounds after the warm-up")
    parser.add_argument("--no-peer", action="store_true", help="leave aws-cli out")
    parser.add_argument("--make", type=int, nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--serve", metavar="ACCOUNT", help=argparse.SUPPRESS)
    parser.add_argument("--inflate", choices=(INFLATE, READ_AND_INFLATE), help=argparse.SUPPRESS)
    parser.add_argument("--trees", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.digests % len(ACCOUNTS) or options.part > options.digests // len(ACCOUNTS):
        parser.error(f"--digests must be {len(ACCOUNTS)} times a number, which --part must not exceed")
    return options


def main() -> None:
    options = parsed_options()
    if options.make:
        return make_trees(options.trees, *options.make)
    if options.serve:
        return serve(options.trees, options.serve)
    if options.inflate:
        return inflate(options.trees, options.inflate)
    options.work = options.work.resolve()
    logseal = (options.logseal or built_logseal()).resolve()
    python = aws_python(options.work)
    contest = Contest(options, logseal, python, made_trees(options, python))
    try:
        contest.run()
    finally:
        stand_ins = contest.close()
    head = {
        "date": datetime.date.today().isoformat(),
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "runs": options.runs,
        "versions": versions(python, logseal),
    }
    raw = {name: [run._asdict() for run in runs] for name, runs in contest.runs.items()}
    (options.work / "digests.json").write_text(json.dumps({**head, "results": raw}, indent=2) + "\n")
    print_report(head, contest, stand_ins)


if __name__ == "__main__":
    main()
