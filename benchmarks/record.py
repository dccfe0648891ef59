"""Keep a report for the README: ``python benchmarks/record.py REPORT NAME``.

Writes ``benchmarks/results/NAME.json``: the report as the bench wrote it, and the commit it was
measured at.
"""

import argparse
import json
import subprocess
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


def current_commit() -> str:
    """The commit of this checkout, marked where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    answer = subprocess.run(command, cwd=RESULTS, capture_output=True, text=True, check=True)
    return answer.stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path)
    parser.add_argument("name")
    arguments = parser.parse_args()
    record = {"commit": current_commit(), "report": json.loads(arguments.report.read_text())}
    target = RESULTS / f"{arguments.name}.json"
    target.write_text(json.dumps(record, indent=2) + "\n")
    print(target)


if __name__ == "__main__":
    main()
