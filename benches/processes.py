"""What the scripts here share: logseal and its exports, and measuring whole processes."""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, List, NamedTuple, Optional, Tuple

ROOT = Path(__file__).resolve().parents[1]

# The peak that the system tells for a process includes that of the process that started it, so a small one does.
LAUNCHER = """
import os, sys, time
start = time.perf_counter()
pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(pid, 0)
seconds = time.perf_counter() - start
code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
print([code, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss])
"""


class Run(NamedTuple):
    """One measured process."""

    seconds: float
    cpu_seconds: float
    peak_mib: float
    # How much of the machine other processes had meanwhile.
    others: Optional[float]


def measure(command: List[str], accepted: Tuple[int, ...]) -> Run:
    """Runs it. If it prints, its last line says how many of its seconds count."""
    busy_before, start = busy_seconds(), time.perf_counter()
    launch = [sys.executable, "-I", "-S", "-c", LAUNCHER, *command]
    done = subprocess.run(launch, stdout=subprocess.PIPE, text=True, check=True)
    *printed, last = done.stdout.splitlines()
    code, seconds, cpu, peak = json.loads(last)
    if code not in accepted:
        raise SystemExit(f"exit code {code} of {' '.join(command)}")
    if printed:
        seconds = json.loads(printed[-1])["seconds"]
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, cpu, peak * unit / 2**20, share_of_others(busy_before, cpu, time.perf_counter() - start))


def median_run(runs: List[Run]) -> Run:
    others = [run.others for run in runs if run.others is not None]
    return Run(
        statistics.median(run.seconds for run in runs),
        statistics.median(run.cpu_seconds for run in runs),
        statistics.median(run.peak_mib for run in runs),
        statistics.median(others) if others else None,
    )


def busy_seconds() -> Optional[float]:
    """Processor time that the machine has spent so far, where the system tells."""
    try:
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    except OSError:
        return None
    idle, waiting = fields[3], fields[4]
    return (sum(fields) - idle - waiting) / os.sysconf("SC_CLK_TCK")


def share_of_others(busy_before: Optional[float], cpu: float, wall: float) -> Optional[float]:
    busy = busy_seconds()
    if busy is None or busy_before is None:
        return None
    return max(0.0, (busy - busy_before - cpu) / wall / (os.cpu_count() or 1))


def told_others(runs: List[Run]) -> Optional[str]:
    """A sentence about other processes, where the system tells."""
    known = [run.others for run in runs if run.others is not None]
    if not known:
        return None
    return f"Other processes had {statistics.mean(known):.0%} of the machine meanwhile, at most {max(known):.0%}."


def cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def built_logseal() -> Path:
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=ROOT, check=True)
    target = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
    return target / "release" / "logseal"


def audit_command(logseal: Path, manifest: Path, out: Path, jobs: int, *more: Any) -> List[str]:
    command = [logseal, "audit", manifest, "--out", out, "--jobs", jobs, "--force", "--quiet", "--no-progress", *more]
    return [str(word) for word in command]


def made(folder: Path, make: Callable[[Path], None]) -> Path:
    """The folder, made if it is not there. Until it is complete it has another name."""
    if not folder.exists():
        say(f"generating {folder.name}")
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.parent.mkdir(parents=True, exist_ok=True)
        make(unfinished)
        unfinished.rename(folder)
    return folder


def generate(logseal: Path, folder: Path, *arguments: Any) -> None:
    # CSV files as AWS compresses them.
    command = [logseal, "generate", folder, "--gzip-level", 6, *arguments]
    subprocess.run([str(word) for word in command], check=True, stdout=sys.stderr)


def found_manifest(folder: Path, format: str) -> Path:
    """The manifest of an export that logseal generated."""
    (manifest,) = (folder / format).glob("*/*/*/manifest.json")
    return manifest


def empty(folder: Path) -> None:
    """Nobody pays for truncating what another one wrote."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)
