"""Lets engines take turns, each in a process of its own.

    start and warm up all;  then, R times:   A model, A end to end, B model, B end to end ...

An engine that waits for its turn sleeps: before each pass there is a pause in which the threads of
the one before stop spinning. So no runtime's own way of waiting has to be changed.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mpm_deploy.errors import MpmError
from mpm_deploy.measure.speed.engine import Engine
from mpm_deploy.measure.speed.report import Spread

PAUSE_SECONDS = 0.25  # OpenMP of Intel's kind spins for 0.2 s, the others for less

Answer = dict[str, Any]
Say = Callable[[str], object]


@dataclass(frozen=True)
class Pass:
    """One kind of timed pass.

    Attributes:
        name: Its name in the worker's protocol (`docs/formats/report.md`).
        batch_size: Images a call.
        optional: Whether an engine may fail in it and go on with the others.
    """

    name: str
    batch_size: int = 1
    optional: bool = False


def passes_of(batch_sizes: Sequence[int]) -> tuple[Pass, ...]:
    """Return the passes through the model and end to end, at each batch size."""
    return tuple(Pass(name, size) for size in batch_sizes for name in ("model", "end_to_end"))


@dataclass
class Taker:
    """An engine that takes turns, and what became of it.

    Attributes:
        name: The name that those who watch read.
        passes: Its passes in each round.
        answers: What it answered, by pass.
        failures: Why it failed in passes that are optional.
        cannot: Why it failed altogether; it takes no turns then.
    """

    name: str
    passes: tuple[Pass, ...]
    answers: dict[Pass, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[Pass, str] = field(default_factory=dict)
    cannot: str | None = None

    def attempt(self, action: Callable[[], object], wanted: Pass | None = None) -> None:
        """Do something, unless it failed before; a failure is kept as an outcome."""
        optional = wanted is not None and wanted.optional
        if self.cannot is not None or wanted in self.failures:
            return
        try:
            action()
        except MpmError as error:
            if wanted is not None and optional:
                self.failures[wanted] = error.problem
            else:
                self.cannot = error.problem

    def warm_up(self, engine: Engine, batches: int | None) -> None:
        """Open the engine and run some batches of each size; None leaves how many to the engine."""
        self.attempt(lambda: engine.ask("open"))
        warm = set()
        for each in self.passes:
            if each.batch_size not in warm:
                warm.add(each.batch_size)
                size = each.batch_size
                self.attempt(lambda n=size: _ask(engine, "warmup", n, batches=batches), each)

    def turn(self, engine: Engine) -> None:
        """Run every pass once."""
        for each in self.passes:
            self.attempt(lambda one=each: self._run(engine, one), each)

    def fps(self, wanted: Pass) -> tuple[float, ...]:
        """Return the images a second of each round; nothing where the pass failed.

        Raises:
            MpmError: The engine failed altogether.
        """
        if self.cannot is not None:
            raise MpmError(f"{self.name}: {self.cannot}")
        # One that failed in a later round has no turn to hold against every one of another's.
        answers = [] if wanted in self.failures else self.answers[wanted]
        return tuple(answer["images"] / answer["seconds"] for answer in answers)

    def _run(self, engine: Engine, wanted: Pass) -> None:
        self.answers[wanted].append(_ask(engine, wanted.name, wanted.batch_size))


def take_turns(
    engines: Sequence[tuple[Taker, Engine]],
    rounds: int,
    warmup: int | None = None,
    say: Say = lambda step: None,
) -> None:
    """Warm up all engines, and let them take turns.

    Args:
        engines: Each taker with its process.
        rounds: Turns of each.
        warmup: Batches before timing; None leaves it to the engine.
        say: Told each step as it begins.
    """
    for taker, engine in engines:
        say(f"warming up {taker.name}")
        taker.warm_up(engine, warmup)
    for index in range(rounds):
        say(f"round {index + 1} of {rounds}")
        for taker, engine in engines:
            taker.turn(engine)


def ratio(fps: Sequence[float], others: Sequence[float]) -> Spread:
    """Return how many times as fast one is as another, round by round."""
    return Spread.of([one / other for one, other in zip(fps, others, strict=True)])


def _ask(engine: Engine, name: str, batch_size: int, **details: Any) -> Answer:
    time.sleep(PAUSE_SECONDS)
    return engine.ask(name, batch_size=batch_size, **details)
