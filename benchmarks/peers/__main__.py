"""Runs a peer's process: ``python -m benchmarks.peers worker TASK FOLDER``.

It answers passes as ``mpm-deploy worker`` does, one JSON object a line, and two more, ``convert``
and ``label_maps``. TASK is where the peer keeps what it converts, ``.../MODEL/PEER/VARIANT``, and
FOLDER holds the images. It is not meant to be typed.
"""

import argparse
import os
import sys
from pathlib import Path

from benchmarks.peers.worker import open_task, serve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["worker"])
    parser.add_argument("task", type=Path)
    parser.add_argument("folder", type=Path)
    arguments = parser.parse_args()
    # Converters talk on stdout, which belongs to the answers: send their talk to stderr.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    serve(*open_task(arguments.task), arguments.folder, sys.stdin, answers)


if __name__ == "__main__":
    main()
