"""Build libFuzzer's targets with clang, run them, and read what they say."""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.fuzz.findings import Budget, Findings

TARGETS = ("jpeg", "png", "exif", "manifest", "archive", "trust", "arguments")

_HERE = Path(__file__).parent
_BUILD = Path("build/fuzz/targets")
_MOST_FAULTS = 20  # of one target, each of which ends its process
_LIMITS = ("-timeout=10", "-rss_limit_mb=2560", "-malloc_limit_mb=1024")
_EXECUTED = re.compile(r"stat::number_of_executed_units: (\d+)")
_INPUT = re.compile(r"Test unit written to (\S+)")
# The first of these that a log has says what went wrong.
_REASONS = (
    re.compile(r"terminate called after throwing an instance of '[^']*'"),
    re.compile(r"SUMMARY: \w+Sanitizer: (?!.*deadly).*"),
    re.compile(r"runtime error: .*"),
    re.compile(r"ERROR: libFuzzer: [\w -]*"),
)


def is_possible() -> bool:
    """Tell whether clang++ is here with its libFuzzer."""
    if shutil.which("clang++") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "target.cpp"
        source.write_text('extern "C" int LLVMFuzzerTestOneInput(const char*, long) { return 0; }')
        command = ["clang++", "-fsanitize=fuzzer", source, "-o", source.with_suffix("")]
        return subprocess.run(command, capture_output=True).returncode == 0


def build() -> None:
    """Compile every target into ``build/fuzz/targets``."""
    options = ["-DMPM_FUZZ=ON", "-DCMAKE_CXX_COMPILER=clang++", f"-DMPM_PYTHON={sys.executable}"]
    configure = ["cmake", "-S", ".", "-B", _BUILD, "-G", "Ninja", *options]
    for command in (configure, ["cmake", "--build", _BUILD, "--target", "fuzz"]):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def fuzz(target: str, work: Path, folder: Path, budget: Budget, seed: int) -> Findings:
    """Run a target until the budget is spent, again where a fault ended it.

    Args:
        target: One of `TARGETS`.
        work: Its seeds lie in ``corpus/``; what it finds worth keeping goes to ``found/``.
        folder: Where inputs that show faults are kept.
        budget: How long.
        seed: Of its mutations.
    """
    findings = Findings(f"libfuzzer:{target}", folder)
    found = work / "found" / target
    for each in (found, folder):
        each.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    for turn in range(_MOST_FAULTS):
        left = _left(budget, findings.executions, time.monotonic() - started)
        if not left:
            break
        command = [_BUILD / "tools/fuzz" / f"fuzz_{target}", *_LIMITS, *_dictionary(target), *left]
        command += [f"-seed={seed + turn + 1}", f"-artifact_prefix={folder}/"]
        command += ["-print_final_stats=1", "-close_fd_mask=1", found, work / "corpus" / target]
        ended = subprocess.run(command, stderr=subprocess.PIPE)
        log = ended.stderr.decode(errors="replace")
        executed = _EXECUTED.search(log)
        findings.executions += int(executed[1]) if executed else 0
        if ended.returncode == 0:
            break
        _add(findings, log)
    findings.seconds = time.monotonic() - started
    return findings


def _left(budget: Budget, executions: int, seconds: float) -> list[str]:
    """Return the options for what is left of a budget; none where nothing is."""
    options = []
    if budget.count is not None:
        options.append(f"-runs={max(0, budget.count - executions)}")
    if budget.seconds is not None:
        options.append(f"-max_total_time={max(0, round(budget.seconds - seconds))}")
    return [] if any(option.endswith("=0") for option in options) else options


def _dictionary(target: str) -> list[str]:
    path = _HERE / "dictionaries" / f"{target}.dict"
    return [f"-dict={path}"] if path.exists() else []


def _add(findings: Findings, log: str) -> None:
    reasons = (reason.search(log) for reason in _REASONS)
    kind = next((found[0] for found in reasons if found), "ended, and said nothing")
    written = _INPUT.search(log)
    findings.kinds[kind] += 1
    findings.kept.setdefault(kind, []).extend([Path(written[1])] if written else [])
