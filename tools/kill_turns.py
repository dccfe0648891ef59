"""Kill a command again and again, at moments that are drawn, and count what it leaves.

python tools/kill_turns.py 50 FOLDER mpm-deploy run segmenter.pt2 photos -o FOLDER/out

FOLDER is new: the command writes its results below it, and has its temporary files there. Its first
run is a whole one, and shows what an honest run leaves: results, and caches that are to be kept.
Every turn begins without those, and kills the command with all that it started; a result that is
there then must be whole. The last run is a whole one again, on what the last turn left. What lies
below FOLDER then and did not after the first run is a fault, as is a process that lives on.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

_PATIENCE = 10  # seconds for a process to see that the one that started it is gone


@dataclass(frozen=True)
class Turns:
    """What many kills and a whole run left.

    Attributes:
        killed: How many turns ended by the kill, not before it.
        at_once: The most paths that lay there at once and that no honest run leaves.
        half_written: Results that a killed run left and that are not whole.
        left: Paths after the last run that no honest run leaves.
        alive: Processes that lived on.
    """

    killed: int
    at_once: int
    half_written: tuple[str, ...]
    left: tuple[str, ...]
    alive: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Whether nothing was left that should not be."""
        return not (self.half_written or self.left or self.alive)


def kill_turns(turns: int, folder: Path, command: Sequence[str]) -> Turns:
    """Run a command whole, kill it so often, and run it whole again.

    Args:
        turns: How often to kill it.
        folder: Where its results and its temporary files are to lie; empty, or not there.
        command: The command's words.

    Raises:
        RuntimeError: A whole run failed; says what it said.
    """
    temporary = folder / "temporary"
    temporary.mkdir(parents=True)
    environment = {**os.environ, "TMPDIR": str(temporary)}
    environment.pop("TORCHINDUCTOR_CACHE_DIR", None)
    seconds = _run_whole(command, environment)
    honest = _below(folder)
    killed, at_once, half_written = 0, 0, set()
    while killed < turns:
        _clear(folder, honest)
        begin = time.monotonic()
        if _run_killed(command, environment, random.uniform(0, seconds)):
            killed += 1
        else:
            seconds = time.monotonic() - begin  # the first run fills caches
        there = _below(folder)
        at_once = max(at_once, len(there - honest))
        results = {path for path in there & honest if temporary not in path.parents}
        half_written |= {str(path) for path in results if not _is_whole(path)}
    alive = _alive(temporary)
    _run_whole(command, environment)
    left = sorted(map(str, _below(folder) - honest))
    return Turns(killed, at_once, tuple(sorted(half_written)), tuple(left), tuple(alive))


def _run_whole(command: Sequence[str], environment: dict[str, str]) -> float:
    begin = time.monotonic()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"expected exit code 0, got {done.returncode}: {done.stderr}")
    return time.monotonic() - begin


def _run_killed(command: Sequence[str], environment: dict[str, str], seconds: float) -> bool:
    """Start a command, kill it and its group after so long, and tell whether it ran until then."""
    silent = subprocess.DEVNULL
    process = subprocess.Popen(
        command, env=environment, stdout=silent, stderr=silent, start_new_session=True
    )
    try:
        process.wait(seconds)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True


def _below(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def _clear(folder: Path, honest: set[Path]) -> None:
    """Remove what a whole run left; what it did not leave stays where it is."""
    for path in sorted(honest - {folder / "temporary"}, reverse=True):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path) if _below(path) <= honest else None
        else:
            path.unlink(missing_ok=True)


def _is_whole(path: Path) -> bool:
    """Tell whether a file can be read to its end, as what its name says it is."""
    if path.is_dir():
        return True
    try:
        if path.suffix in (".pt", ".pt2"):
            return zipfile.ZipFile(path).testzip() is None
        if path.suffix == ".json":
            json.loads(path.read_bytes())
        if path.suffix in (".png", ".jpg"):
            Image.open(path).load()
    except (OSError, ValueError, zipfile.BadZipFile):
        return False
    return True


def _alive(temporary: Path) -> list[str]:
    """Return the command lines of processes with this folder for temporary files, once they had
    time to end.
    """
    deadline = time.monotonic() + _PATIENCE
    while (alive := _commands_with(temporary)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return alive


def _commands_with(temporary: Path) -> list[str]:
    commands = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if b"TMPDIR=" + os.fsencode(temporary) in (process / "environ").read_bytes():
                commands.append(os.fsdecode((process / "cmdline").read_bytes()).replace("\0", " "))
        except OSError:  # it ended, or is another user's
            continue
    return commands


def main(arguments: Sequence[str]) -> int:
    """Print what was left; return 1 if anything was."""
    turns = kill_turns(int(arguments[0]), Path(arguments[1]).absolute(), arguments[2:])
    print(
        f"{turns.killed} killed of {arguments[0]}: at most {turns.at_once} paths at once; "
        f"{len(turns.left)} left after the next run, {len(turns.half_written)} half-written, "
        f"{len(turns.alive)} processes"
    )
    for fault in (*turns.left, *turns.half_written, *turns.alive):
        print(f"  {fault}")
    return int(not turns.is_clean)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
