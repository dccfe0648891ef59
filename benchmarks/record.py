"""Keeps results, with the commit and the machine they were measured on; names the places.

``python -m benchmarks.record REPORT NAME`` keeps a report of `mpm-deploy` for the README: it writes
``benchmarks/results/NAME.json``, the report as it is with the commit it was measured at.
"""

import argparse
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from mpm_deploy.measure.speed.engine import PROGRAM
from mpm_deploy.support.files import written_atomically
from mpm_deploy.support.processor import cpu_name

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "benchmarks" / "results"
IMAGES = ROOT / "examples" / "scenes" / "images"
CPP_RUNNER = Path(os.environ.get("MPM_CPP_RUNNER", ROOT / "build" / "cpp_runner"))
PROGRAMS = {"C++": (str(CPP_RUNNER),), "Python": PROGRAM}
RECIPES = ("cpu_portable_fp32", "cpu_fp32")  # what members measure unless told otherwise


def write_result(name: str, data: dict[str, Any]) -> Path:
    """Write ``benchmarks/results/NAME.json`` with machine, versions, date and commit."""
    record = {
        **data,
        "machine": {"cpu": cpu_name(), "cores": torch.get_num_threads(), "os": platform.platform()},
        "versions": {"python": platform.python_version(), "torch": torch.__version__},
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": current_commit(),
    }
    target = RESULTS / f"{name}.json"
    with written_atomically(target) as temporary:
        temporary.write_text(json.dumps(record, indent=2) + "\n")
    print(target)
    return target


def current_commit() -> str:
    """Return the commit of this checkout, marked where files differ from it; records
    themselves may.

    Where the files came without their history, MPM_COMMIT names it.
    """
    if "MPM_COMMIT" in os.environ:
        return os.environ["MPM_COMMIT"]
    commit = _git("rev-parse", "--short=12", "HEAD")
    others = f":!{RESULTS.relative_to(ROOT)}"
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", others)
    return f"{commit}-dirty" if changed else commit


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("name")
    arguments = parser.parse_args()
    write_result(arguments.name, {"report": json.loads(arguments.report.read_text())})


if __name__ == "__main__":
    main()
