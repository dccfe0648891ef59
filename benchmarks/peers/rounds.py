"""Runs all engines with one model, in turns.

    for each precision:   start and warm up all
    then, R times:        A model, A end to end, A side by side, B model ...
    at the end:           label maps of all, and how far they agree

Side by side is end to end with an image on each core: our batch of some images for each, and a
peer's calls from as many threads, which take one image after the other.

An engine that waits for its turn sleeps: before each pass there is a pause in which the threads of
the one before stop spinning. So no runtime's own way of waiting has to be changed.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.agreement import share_equal
from benchmarks.peers.ceiling import measure_ceiling
from benchmarks.peers.contestants import Contestant, OwnContestant
from benchmarks.peers.engines import Variant
from benchmarks.peers.engines.eager import Eager
from benchmarks.peers.results import EngineResult, ModelResult
from benchmarks.peers.subjects import Subject
from benchmarks.peers.targets import verdicts
from benchmarks.record import current_commit
from mpm_deploy.builder.build import make_model
from mpm_deploy.errors import MpmError
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.speed.engine import Engine

PAUSE_SECONDS = 0.25  # OpenMP of Intel's kind spins for 0.2 s, the others for less

Answer = dict[str, Any]
Say = Callable[[str], None]


@dataclass
class Entry:
    """A contestant, and what became of it."""

    contestant: Contestant
    maps: Path
    note: str = ""
    cannot: str | None = None
    model: list[Answer] = field(default_factory=list)
    end_to_end: list[Answer] = field(default_factory=list)
    side_by_side: list[Answer] = field(default_factory=list)
    not_side_by_side: str | None = None

    def attempt(self, action: Callable[[], object]) -> None:
        """Do something with the contestant, unless it failed before; a failure is kept
        as an outcome.
        """
        if self.cannot is None:
            self.cannot = _failure(action)

    def attempt_side_by_side(self, action: Callable[[], object]) -> None:
        """Do the same side by side; a failure leaves the figures of one image at a time."""
        if self.cannot is None and self.not_side_by_side is None:
            self.not_side_by_side = _failure(action)


def compare(
    subject: Subject,
    everyone: Sequence[Contestant],
    images: Path,
    *,
    rounds: int,
    warmup: int,
    work: Path,
    say: Say,
) -> ModelResult:
    """Time every contestant with one model.

    Args:
        subject: The model.
        everyone: The contestants with it.
        images: A folder; each image is used once a pass.
        rounds: Turns of each engine.
        warmup: Images before timing.
        work: An empty folder for label maps.
        say: Told each step as it begins.
    """
    entries = [Entry(c, work / str(i)) for i, c in enumerate(everyone)]
    for entry in entries:
        say(f"{subject.name}: preparing {_title(entry)}")
        entry.attempt(lambda entry=entry: _prepare(entry, images))
    say(f"{subject.name}: matrix products")
    ceiling = measure_ceiling()
    for dtype in dict.fromkeys(entry.contestant.variant.dtype for entry in entries):
        group = [entry for entry in entries if entry.contestant.variant.dtype == dtype]
        _take_turns(group, images, rounds, warmup, lambda step, d=dtype: say(f"{d}: {step}"))
    result = _result(subject, entries, images, rounds, ceiling)
    return replace(result, verdicts=verdicts(result, subject.goals))


def some_images(folder: Path, count: int, target: Path) -> Path:
    """Copy ``count`` images, spread over the folder's, into ``target``, and return it."""
    files = find_images(folder)
    target.mkdir(parents=True)
    for index in np.linspace(0, len(files) - 1, min(count, len(files))).round().astype(int):
        shutil.copy(files[index], target)
    return target


def _prepare(entry: Entry, images: Path) -> None:
    entry.note = entry.contestant.prepare(images)


def _take_turns(entries: list[Entry], images: Path, rounds: int, warmup: int, say: Say) -> None:
    with ExitStack() as stack:
        started = [(e, stack.enter_context(e.contestant.start(images))) for e in _running(entries)]
        for entry, engine in started:
            say(f"warming up {_title(entry)}")
            _warm_up(entry, engine, warmup)
        for index in range(rounds):
            say(f"round {index + 1} of {rounds}")
            for entry, engine in started:
                _turn(entry, engine)
        say("label maps")
        for entry, engine in started:
            entry.attempt(lambda entry=entry, engine=engine: _write(entry, engine, images))


def _warm_up(entry: Entry, engine: Engine, batches: int) -> None:
    entry.attempt(lambda: engine.ask("open"))
    entry.attempt(lambda: _pass(engine, "warmup", batches=batches))
    at_once = entry.contestant.batch_side_by_side
    entry.attempt_side_by_side(lambda: _pass(engine, "warmup", at_once, batches=batches))


def _turn(entry: Entry, engine: Engine) -> None:
    entry.attempt(lambda: entry.model.append(_pass(engine, "model")))
    entry.attempt(lambda: entry.end_to_end.append(_pass(engine, "end_to_end")))
    at_once = entry.contestant.batch_side_by_side
    entry.attempt_side_by_side(
        lambda: entry.side_by_side.append(_pass(engine, "end_to_end", at_once))
    )


def _pass(engine: Engine, name: str, batch_size: int = 1, **details: Any) -> Answer:
    time.sleep(PAUSE_SECONDS)
    return engine.ask(name, batch_size=batch_size, **details)


def _write(entry: Entry, engine: Engine, images: Path) -> None:
    entry.maps.mkdir(parents=True)
    entry.contestant.write_label_maps(engine, images, entry.maps)


def _running(entries: Iterable[Entry]) -> Iterator[Entry]:
    return (entry for entry in entries if entry.cannot is None)


def _result(
    subject: Subject, entries: list[Entry], images: Path, rounds: int, ceiling: dict[str, float]
) -> ModelResult:
    recipe = subject.recipe()
    _, weights = make_model(recipe)
    full_token = _reference(entries, Variant())
    merged = _reference(entries, Variant(merged=True))
    return ModelResult(
        subject=subject.name,
        model=weights.model,
        weights=recipe.model.weights,
        classes=len(weights.classes),
        images=len(find_images(images)),
        rounds=rounds,
        commit=current_commit(),
        ceiling=ceiling,
        engines=tuple(_engine_result(entry, full_token, merged) for entry in entries),
    )


def _engine_result(entry: Entry, full_token: Path | None, merged: Path | None) -> EngineResult:
    variant = entry.contestant.variant
    outcome = EngineResult(
        name=entry.contestant.name,
        ours=isinstance(entry.contestant, OwnContestant),
        dtype=variant.dtype,
        merged=variant.merged,
        note=entry.note,
        cannot=entry.cannot,
        not_side_by_side=entry.not_side_by_side if entry.cannot is None else None,
    )
    if entry.cannot is not None:
        return outcome
    last = entry.end_to_end[-1]
    tokens = last.get("tokens_kept", {}).get("mean")
    return replace(
        outcome,
        model_fps=_fps(entry.model),
        end_to_end_fps=_fps(entry.end_to_end),
        # One that failed in a later round has no turn to hold against every one of another's.
        side_by_side_fps=_fps(entry.side_by_side) if entry.not_side_by_side is None else (),
        equal_to_full_token=full_token and share_equal(entry.maps, full_token),
        equal_to_merged=merged and share_equal(entry.maps, merged) if variant.merged else None,
        gflops=last.get("gflops"),
        tokens_kept=None if tokens is None else tuple(tokens),
        labels_ms=last.get("stages_ms", {}).get("labels"),
    )


def _reference(entries: list[Entry], variant: Variant) -> Path | None:
    """Return the folder of PyTorch eager's label maps in this variant."""
    eager = (e for e in _running(entries) if e.contestant.name == Eager.name)
    return next((e.maps for e in eager if e.contestant.variant == variant), None)


def _fps(answers: list[Answer]) -> tuple[float, ...]:
    return tuple(answer["images"] / answer["seconds"] for answer in answers)


def _failure(action: Callable[[], object]) -> str | None:
    """Run an action, and return why it failed; None where it did not."""
    try:
        action()
    except MpmError as error:
        return error.problem
    return None


def _title(entry: Entry) -> str:
    return f"{entry.contestant.name} {entry.contestant.variant.name}"
