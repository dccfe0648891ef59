"""Runs all engines with one model, in turns.

    for each group:   start and warm up all of its precisions
    then, R times:    A model, A end to end, A side by side, B model ...
    at the end:       label maps of all, how far they agree, and how accurate they are

Side by side is end to end with an image on each core: our batch of some images for each, and a
peer's calls from as many threads, which take one image after the other.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.bench import agreement
from benchmarks.bench.ceilings import measure_cpu
from benchmarks.bench.turns import Pass, Say, Taker, take_turns
from benchmarks.peers.contestants import Contestant, OwnContestant
from benchmarks.peers.engines import Variant
from benchmarks.peers.engines.pytorch import Eager
from benchmarks.peers.models import Model, copied, judged_images
from benchmarks.peers.results import EngineResult, ModelResult
from benchmarks.peers.targets import verdicts
from benchmarks.record import IMAGES, current_commit
from mpm_deploy.build.builder import make_model
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.accuracy.datasets import open_dataset

# What takes turns together: an engine in 8 bits beside those in 16 bits, the fastest there were.
GROUPS = (("float32",), ("bfloat16", "int8"))
MODEL, END_TO_END = Pass("model"), Pass("end_to_end")


@dataclass
class Entry:
    """A contestant, what became of it, and where its label maps lie."""

    contestant: Contestant
    maps: Path
    note: str = ""

    def __post_init__(self) -> None:
        at_once = self.contestant.batch_side_by_side
        self.side_by_side = Pass("end_to_end", at_once, optional=True)
        passes = (MODEL, END_TO_END, self.side_by_side)
        self.taker = Taker(self.contestant.title, passes)

    def prepare(self, images: Path) -> None:
        """Convert or build; a failure is kept as an outcome."""
        self.taker.attempt(lambda: setattr(self, "note", self.contestant.prepare(images)))


def compare(
    model: Model,
    everyone: Sequence[Contestant],
    images: Path,
    *,
    rounds: int,
    warmup: int,
    work: Path,
    say: Say,
    judged: Sequence[Path] | None = None,
) -> ModelResult:
    """Time every contestant with one model.

    Args:
        model: The model.
        everyone: The contestants with it.
        images: A folder; each image is used once a pass.
        rounds: Turns of each engine.
        warmup: Images before timing.
        work: An empty folder.
        say: Told each step as it begins.
        judged: Images of which label maps are compared; None is all scenes that calibrate nothing
            where weights are trained, and those that are timed where they are random.
    """
    entries = [Entry(c, work / "maps" / str(i)) for i, c in enumerate(everyone)]
    for entry in entries:
        say(f"{model.name}: preparing {entry.taker.name}")
        entry.prepare(images)
    if judged is None:
        judged = judged_images() if model.trained else find_images(images)
    to_label = copied(judged, work / "judged")
    say(f"{model.name}: matrix products")
    ceiling = measure_cpu()
    for group in GROUPS:
        alike = [entry for entry in entries if entry.contestant.variant.dtype in group]
        _take_turns(alike, images, to_label, rounds, warmup, lambda s, g=group: say(f"{g[0]}: {s}"))
    recipe = model.recipe()
    _, weights = make_model(recipe)
    result = ModelResult(
        subject=model.name,
        model=weights.model,
        weights=recipe.model.weights,
        classes=len(weights.classes),
        images=len(find_images(images)),
        rounds=rounds,
        commit=current_commit(),
        ceiling=ceiling,
        engines=_engine_results(entries, model.trained),
    )
    return replace(result, verdicts=verdicts(result, model.goals))


def _take_turns(
    entries: list[Entry], images: Path, to_label: Path, rounds: int, warmup: int, say: Say
) -> None:
    with ExitStack() as stack:
        started = [
            (entry, stack.enter_context(entry.contestant.start(images)))
            for entry in entries
            if entry.taker.cannot is None
        ]
        take_turns([(entry.taker, engine) for entry, engine in started], rounds, warmup, say)
        for entry, engine in started:
            say(f"label maps of {entry.taker.name}")
            entry.maps.mkdir(parents=True)
            write = entry.contestant.write_label_maps
            entry.taker.attempt(
                lambda write=write, entry=entry, engine=engine: write(engine, to_label, entry.maps)
            )


def _engine_results(entries: list[Entry], trained: bool) -> tuple[EngineResult, ...]:
    full_token = _reference(entries, Variant())
    merged = _reference(entries, Variant(merged=True))
    return tuple(_engine_result(entry, full_token, merged, trained) for entry in entries)


def _engine_result(
    entry: Entry, full_token: Path | None, merged: Path | None, trained: bool
) -> EngineResult:
    variant, taker = entry.contestant.variant, entry.taker
    truth = open_dataset(str(IMAGES.parent)) if trained else None
    outcome = EngineResult(
        name=entry.contestant.name,
        ours=isinstance(entry.contestant, OwnContestant),
        dtype=variant.dtype,
        merged=variant.merged,
        note=entry.note,
        cannot=taker.cannot,
    )
    if taker.cannot is not None:
        return outcome
    last = taker.answers[END_TO_END][-1]
    tokens = last.get("tokens_kept", {}).get("mean")
    return replace(
        outcome,
        model_fps=taker.fps(MODEL),
        end_to_end_fps=taker.fps(END_TO_END),
        side_by_side_fps=taker.fps(entry.side_by_side),
        not_side_by_side=taker.failures.get(entry.side_by_side),
        equal_to_full_token=_equal(entry, full_token),
        equal_to_merged=_equal(entry, merged) if variant.merged else None,
        gflops=last.get("gflops"),
        tokens_kept=None if tokens is None else tuple(tokens),
        labels_ms=last.get("stages_ms", {}).get("labels"),
        mean_iou=truth and agreement.mean_iou(entry.maps, truth),
    )


def _equal(entry: Entry, reference: Path | None) -> float | None:
    return reference and agreement.compare(entry.maps, reference).equal_pixels


def _reference(entries: list[Entry], variant: Variant) -> Path | None:
    """Return the folder of PyTorch eager's label maps in this variant."""
    for entry in entries:
        one = entry.contestant
        if (one.name, one.variant, entry.taker.cannot) == (Eager.name, variant, None):
            return entry.maps
    return None
