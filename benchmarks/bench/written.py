"""Times a program by when it wrote its label maps: whoever starts slowly is not slow for that."""

import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

UNTIMED = 0.25  # of the label maps, while a program warms up


@dataclass(frozen=True)
class Written:
    """What a program took that writes label maps.

    Attributes:
        fps: Images a second, by when their label maps were written; the first quarter not counted.
        start_seconds: Until the first label map.
        end_seconds: From the last label map to the end of the program.
    """

    fps: float
    start_seconds: float
    end_seconds: float


def write(command: Sequence[str], output: Path) -> Written:
    """Run a program, and look when it wrote the label maps of a folder."""
    begin = time.time()
    subprocess.run(command, check=True, capture_output=True)
    end = time.time()
    written = sorted(path.stat().st_mtime for path in output.rglob("*.png"))
    untimed = int(len(written) * UNTIMED)
    timed = written[-1] - written[untimed]
    return Written((len(written) - untimed - 1) / timed, written[0] - begin, end - written[-1])
