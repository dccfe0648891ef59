"""Runs the steps of a rented GPU's minutes, each in a process of its own: ``run.sh`` calls it.

A step starts as soon as all that it needs is done, beside others, in the order of the schedule; one
that times something waits until nothing else runs, and nothing starts beside it. One that fails,
dies or takes too long ends alone: its log is kept, what needs it is left out, and the others go on.
At the end of the minutes whatever runs is killed.

    OUT/steps.json     each step: how it ended, its seconds, and when it began
    OUT/log.txt        what each one printed, as soon as it ends
    OUT/h100-*.json    the record, part by part
    OUT/weights-*      trained weights in bfloat16, where they fit
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from benchmarks.bench.cache import FOLDER
from benchmarks.gpu.schedule import Step, schedule
from benchmarks.record import RESULTS
from mpm_deploy.support.files import written_atomically

_LARGEST_FILE, _MOST_FILES = 15 << 20, 8
_LAST_SECONDS = 15.0  # to kill what runs, and to put the last files in place
_POLL = 0.1


@dataclass(frozen=True)
class Outcome:
    """The end of a step: ``"done"``, or why not; seconds from the first step to its beginning,
    that it ran, and that it was allowed.
    """

    name: str
    ended: str
    begin: float
    seconds: float
    allowed: float

    def __str__(self) -> str:
        took = f"{self.begin:7.1f}  {self.seconds:7.1f} s of {self.allowed:4.0f} allowed"
        return f"{took}  {self.name}: {self.ended}"


@dataclass
class _Running:
    """A step in work: its process, where its output goes, and when it began."""

    step: Step
    process: subprocess.Popen[bytes]
    log: Path
    begin: float


@dataclass
class Launch:
    """One run of a schedule, some steps at a time; ``out`` is taken home, and after ``end``, a
    `time.monotonic`, nothing runs.
    """

    out: Path
    end: float
    side_by_side: int
    begin: float = field(default_factory=time.monotonic)
    started: float = field(default_factory=time.time)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    running: list[_Running] = field(default_factory=list)

    def run(self, steps: Sequence[Step]) -> None:
        """Run every step that there is time for; whatever happens, nothing runs on afterwards."""
        waiting = list(steps)
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as logs:
            try:
                while waiting or self.running:
                    self._end_those_that_ended()
                    self._leave_out(waiting)
                    self._start(waiting, Path(logs))
                    time.sleep(_POLL)
            finally:
                _kill([each.process for each in self.running])

    def _start(self, waiting: list[Step], logs: Path) -> None:
        """Begin what may begin, in order; nothing overtakes what times something but its like."""
        overtakes = False
        for step in waiting.copy():
            if any(each.step.alone for each in self.running):
                return
            overtakes = overtakes or step.alone
            has_room = not overtakes and len(self.running) < self.side_by_side
            room = not self.running if step.alone else has_room
            if room and all(name in self.outcomes for name in (*step.needs, *step.after)):
                waiting.remove(step)
                self.running.append(self._launched(step, logs / step.name))

    def _launched(self, step: Step, log: Path) -> _Running:
        print(f"{self._now():6.1f} s  begins  {step.name}")
        environment = {"PYTHONFAULTHANDLER": "1"}  # a crash says where
        with log.open("wb") as output:
            process = subprocess.Popen(
                step.command,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=os.environ | environment | step.environment,
                start_new_session=True,  # so that it is killed with all that it started
            )
        return _Running(step, process, log, self._now())

    def _leave_out(self, waiting: list[Step]) -> None:
        """Drop the steps that cannot be done any more: a need failed, or too little
        time is left.
        """
        for step in waiting.copy():
            ended = [self.outcomes[name] for name in step.needs if name in self.outcomes]
            failed = [each.name for each in ended if each.ended != "done"]
            late = self._now() + step.expected > self._last()
            if failed or late:
                reason = f"needs {', '.join(failed)}" if failed else "no time left to begin it"
                waiting.remove(step)
                self._keep(Outcome(step.name, reason, self._now(), 0.0, step.seconds))

    def _end_those_that_ended(self) -> None:
        over = self._now() > self._last()
        if over:
            _kill([each.process for each in self.running])
        for each in self.running.copy():
            took = self._now() - each.begin
            code = each.process.poll()
            if over:
                self._end(each, f"killed after {took:.0f} s: the minutes are over")
            elif code is None and took > each.step.seconds:
                self._end(each, f"killed after the {each.step.seconds:.0f} s it is allowed")
            elif code is not None:
                self._end(each, _reason(code))

    def _end(self, each: _Running, reason: str) -> None:
        _kill([each.process])  # also what it left running
        self.running.remove(each)
        took = self._now() - each.begin
        with suppress(OSError):  # a full disk costs a log, and not the other steps
            self._append_log(each, reason, took)
        self._keep(Outcome(each.step.name, reason, each.begin, took, each.step.seconds))

    def _append_log(self, each: _Running, reason: str, took: float) -> None:
        with (self.out / "log.txt").open("ab") as log:
            title = f"{each.step.name}: {reason}, {took:.1f} s: {' '.join(each.step.command)}"
            log.write(f"\n======== {title}\n".encode())
            room = _LARGEST_FILE - log.tell()
            text = each.log.read_bytes()
            log.write(text if len(text) < room else text[: max(room, 0)] + b"\n[cut]\n")

    def _keep(self, outcome: Outcome) -> None:
        print(f"{self._now():6.1f} s  {outcome.seconds:6.1f} s  {outcome.name}: {outcome.ended}")
        self.outcomes[outcome.name] = outcome
        outcomes = [asdict(each) for each in self.outcomes.values()]
        with suppress(OSError):
            (self.out / "steps.json").write_text(json.dumps(outcomes, indent=1) + "\n")
            for record in RESULTS.glob("h100-*.json"):
                if record.stat().st_mtime > self.started:  # those of other GPUs stay at home
                    with written_atomically(self.out / record.name) as temporary:
                        shutil.copy(record, temporary)

    def _now(self) -> float:
        return time.monotonic() - self.begin

    def _last(self) -> float:
        return self.end - _LAST_SECONDS - self.begin


def _reason(code: int) -> str:
    if code == 0:
        return "done"
    return f"failed with {signal.Signals(-code).name}" if code < 0 else f"failed with code {code}"


def _kill(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    """Kill all at once, each with what it started, and then wait for them a little."""
    ending = list(processes)
    for process in ending:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    for process in ending:
        with suppress(subprocess.TimeoutExpired):  # one that a driver holds ends without us
            process.wait(timeout=2)


def keep_weights(out: Path, folder: Path) -> None:
    """Copy weights that fit into files of a size, smallest first, as many as are allowed."""
    room = _MOST_FILES - len(list(out.iterdir()))
    trained = sorted(folder.glob("seg_*_mask.safetensors"), key=lambda path: path.stat().st_size)
    for path in trained:
        data = path.read_bytes()
        cuts = range(0, len(data), _LARGEST_FILE)
        if len(cuts) + 1 > room:  # and what says how they came about
            return
        for number, cut in enumerate(cuts):
            part = out / f"weights-{path.stem}-{number}.safetensors"
            part.write_bytes(data[cut : cut + _LARGEST_FILE])
        shutil.copy(path.with_suffix(".toml"), out / f"weights-{path.stem}.toml")
        room -= len(cuts) + 1


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--out", type=Path, required=True)
    begin = "when the minutes began, as `date +%%s` says"
    parser.add_argument("--begin", type=float, default=time.time(), help=begin)
    stand_ins = "small models on a CPU: no measurement"
    parser.add_argument("--stand-ins", action="store_true", help=stand_ins)
    parser.add_argument(
        "--break",
        nargs=2,
        action="append",
        default=[],
        dest="broken",
        metavar=("STEP", "COMMAND"),
        help="run a shell command in a step's place, to see that the others go on",
    )
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    broken = dict(arguments.broken)
    steps = [
        replace(step, command=("bash", "-c", broken[step.name])) if step.name in broken else step
        for step in schedule(60 * arguments.minutes, stand_ins=arguments.stand_ins)
    ]
    cores = len(os.sched_getaffinity(0))
    # From the first line of run.sh on: imports take seconds too.
    left = arguments.begin + 60 * arguments.minutes - time.time()
    launch = Launch(arguments.out, time.monotonic() + left, max(2, cores * 3 // 4))
    launch.run(steps)
    keep_weights(arguments.out, FOLDER / "weights")
    ended = [*launch.outcomes.values()]
    print(*ended, sep="\n")
    # On a GPU only what ended badly by itself counts; in a rehearsal all must be done.
    bad = [e for e in ended if e.ended.startswith("failed")]
    sys.exit(1 if bad or (arguments.stand_ins and any(e.ended != "done" for e in ended)) else 0)


if __name__ == "__main__":
    main()
