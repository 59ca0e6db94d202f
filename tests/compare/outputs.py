#!/usr/bin/env python3
"""Shows that two builds of logseal give the same outputs, byte for byte.

    cargo build --release && python3 tests/compare/outputs.py OLD target/release/logseal

gives both the same commands on the same inputs: all fixtures, an export that OLD generates, key evidence of every kind,
trails with digests, shards, reports of jobs, damaged files and mistakes of usage (`jobs.py`). Exit codes, stdout, stderr and
every file that is written must be equal. What may differ is when and how fast it ran, the version of the program, and the
seal over these in `partial.json`: see `ALLOWED`. Both run in the same folders, one after the other, so that paths are equal.

It takes the standard library alone. With `cryptography` it also takes the trails of `tests/digests`, and says so if it
cannot. Reports in ORC are those of `fixtures/`, since nothing here writes the format. `--self-test` spoils an output of each
job, and wants to be told.
"""

import argparse
import filecmp
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import inputs
import jobs

# What may differ, by the names of files.
TIMES = rb'"(?:started_at|finished_at)": ?(?:"[^"]*"|\d+)'
SPEEDS = rb'"(?:elapsed_ms|(?:rows|digests|logs)_per_second)": ?\d+'
VERSIONS = rb'"name": "logseal",\s*"version": "[^"]*"|"tool(?:_version)?": ?"[^"]*"'
ALLOWED = {
    "summary.json": [TIMES, SPEEDS, VERSIONS],
    "reconcile.json": [TIMES, VERSIONS],
    "partial.json": [TIMES, SPEEDS, VERSIONS, rb'"sha256":"[0-9a-f]{64}"\}\s*\Z'],
    "stdout": [TIMES, SPEEDS, VERSIONS, rb"(?m)^Time +\d.*$", rb"\Alogseal [\w.+-]+\n\Z"],
}
# No file has more bytes of it.
MOST_ALLOWED = 500


def run_job(work, binary, job):
    """Does the job, and leaves in `run` what it writes and says. Returns the exit codes."""
    codes = []
    for folder in ("run", "desk"):
        shutil.rmtree(work / folder, ignore_errors=True)
        (work / folder).mkdir()
    jobs.use(work, binary)
    for step in job.steps:
        if callable(step):
            step(work)
            continue
        done = jobs.given(work, step)
        said = work / "run/said" / f"{len(codes):02}"
        for name, text in {"code": f"{done.returncode}\n", "stdout": done.stdout, "stderr": done.stderr}.items():
            inputs.put(said / name, text)
        codes.append(done.returncode)
    return codes


def files_in(folder):
    """Files, and folders that hold nothing, by their paths."""
    found = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): path for path in found if not path.is_dir() or not any(path.iterdir())}


def differences(old, new):
    """What differs between two folders: paths, and where."""
    olds, news = files_in(old), files_in(new)
    filecmp.clear_cache()
    for path in sorted({*olds, *news}):
        if path not in olds or path not in news:
            yield path, f"only {'NEW' if path in news else 'OLD'} writes it"
        elif olds[path].stat().st_mode != news[path].stat().st_mode:
            yield path, "another mode"
        elif olds[path].is_file() and not filecmp.cmp(olds[path], news[path], shallow=False):
            texts = [without_allowed(path, file.read_bytes()) for file in (olds[path], news[path])]
            if texts[0] != texts[1]:
                yield path, first_line(*(text.split(b"\n") for text in texts))


def without_allowed(path, text):
    for pattern in ALLOWED.get(Path(path).name, []):
        text = re.sub(pattern, b"(allowed)", text)
    return text


def first_line(old, new):
    at = next((at for at, lines in enumerate(zip(old, new)) if lines[0] != lines[1]), min(len(old), len(new)))
    lines = [text[at] if at < len(text) else None for text in (old, new)]
    begin = max(0, len(os.path.commonprefix([line or b"" for line in lines])) - 50)
    shown = ["no such line" if line is None else repr(line[begin : begin + 150]) for line in lines]
    return f"line {at + 1} from byte {begin}: OLD {shown[0]}, NEW {shown[1]}"


def spoil(folder, source):
    """Flips a bit of a file that may not differ, takes the file away, or adds one. Returns the file's path."""
    path, file = source.choice([item for item in files_in(folder).items() if item[1].is_file() and item[1].stat().st_size])
    how = source.choice(["flip", "flip", "flip", "remove", "add"])
    if how == "remove":
        file.unlink()
    elif how == "add":
        path += ".more"
        inputs.put(folder / path, "")
    else:
        content = bytearray(file.read_bytes())
        spans = [found.span() for pattern in ALLOWED.get(file.name, []) for found in re.finditer(pattern, content)]
        if sum(end - start for start, end in spans) > MOST_ALLOWED:
            sys.exit(f"too much of {path} may differ")
        places = (source.randrange(len(content)) for _ in range(10_000))
        content[next(at for at in places if not any(start <= at < end for start, end in spans))] ^= 1 << source.randrange(8)
        file.write_bytes(content)
    return path


def compared(work, options, job, sums):
    """Does the job with both, and says whether all is as it should be."""
    began = time.monotonic()
    codes = run_job(work, options.old, job)
    shutil.rmtree(work / "before", ignore_errors=True)
    (work / "run").rename(work / "before")
    try:
        run_job(work, options.new, job)
    except Exception as failure:  # A step that went well on the outputs of OLD, whatever it was.
        inputs.put(work / "run" / "failed", repr(failure))
    files = files_in(work / "before")
    size = sum(path.stat().st_size for path in files.values())
    sums.update(jobs=1, commands=len(codes), files=len(files), bytes=size)
    sums.update(f"exit code {code}" for code in codes)
    seen, seconds = " ".join(map(str, sorted(set(codes)))), time.monotonic() - began
    what = f"{job.name}  (exit {seen}; {len(files)} files; {seconds:.1f} s)"
    found = list(differences(work / "before", work / "run"))
    if found:
        print(f"DIFFERENT  {what}\n           {len(found)} files; {found[0][0]}: {found[0][1]}", flush=True)
        return False
    if not options.self_test:
        print(f"same       {what}", flush=True)
        return True
    spoilt = spoil(work / "run", random.Random(job.name))
    found = list(differences(work / "before", work / "run"))
    is_told = spoilt in [path for path, _ in found]
    print(f"{'told       ' if is_told else 'NOT TOLD   '}{what}", flush=True)
    print(f"           {spoilt}: {found[0][1] if found else 'same'}", flush=True)
    return is_told


def folder_or_file(path):
    found = Path(path).resolve()
    if not found.exists():
        raise argparse.ArgumentTypeError(f"{path} is not there")
    return found


def parsed_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=folder_or_file, help="the program as it was")
    parser.add_argument("new", type=folder_or_file, help="the program as it is")
    parser.add_argument("--rows", type=int, default=2_000_000, help="of the large export (default: %(default)s)")
    parser.add_argument("--cases", type=folder_or_file, help="a folder of cases, each with a case.json of args and steps")
    parser.add_argument("--samples", type=folder_or_file, help="a folder with more inventory reports")
    parser.add_argument("--only", default="", help="only jobs whose names have this in them")
    parser.add_argument("--self-test", action="store_true", help="spoil one output of each job, and want to be told")
    return parser.parse_args()


def main():
    options, began, sums, wrong = parsed_options(), time.monotonic(), Counter(), 0
    with tempfile.TemporaryDirectory(prefix="logseal-compare-") as folder:
        work = Path(folder)
        jobs.use(work, options.old)
        made = jobs.Inputs(work, options.rows)
        print(f"inputs are made ({time.monotonic() - began:.0f} s)", flush=True)
        for job in jobs.all_jobs(made, options.cases, options.samples):
            if options.only in job.name:
                wrong += not compared(work, options, job, sums)
    codes = ", ".join(f"{sums[name]} with {name}" for name in sorted(sums) if name.startswith("exit"))
    print(f"{sums['jobs']} jobs of {sums['commands']} commands ({codes}), {time.monotonic() - began:.0f} s")
    verdict = "not told" if options.self_test else "DIFFERENT"
    print(f"{sums['files']} files of {sums['bytes'] / 1e6:,.0f} MB compared: {wrong} jobs {verdict}")
    sys.exit(1 if wrong or not sums["jobs"] else 0)


if __name__ == "__main__":
    main()
