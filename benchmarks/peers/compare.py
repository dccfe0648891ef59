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
from benchmarks.bench.turns import Say, take_turns
from benchmarks.peers.contestants import END_TO_END, MODEL, Contestant, OwnContestant
from benchmarks.peers.engines.pytorch import Eager
from benchmarks.peers.models import Model, copied, judged_images
from benchmarks.peers.results import EngineResult, ModelResult
from benchmarks.peers.targets import verdicts
from benchmarks.peers.variants import FULL_TOKEN, Variant
from benchmarks.record import IMAGES, current_commit
from mpm_deploy.builder.model import make_model
from mpm_deploy.datasets import open_dataset
from mpm_deploy.images.decode import find_images

# What takes turns together: an engine in 8 bits beside those in 16 bits, the fastest there were.
GROUPS = (("float32",), ("bfloat16", "int8"))


@dataclass(frozen=True)
class Conditions:
    """How engines are compared.

    Attributes:
        images: A folder; each image is used once a pass.
        rounds: Turns of each engine.
        warmup: Images before timing.
        work: An empty folder.
        say: Told each step as it begins.
        judged: Images of which label maps are compared; None is all scenes that calibrate nothing
            where weights are trained, and those that are timed where they are random.
    """

    images: Path
    rounds: int
    warmup: int
    work: Path
    say: Say
    judged: Sequence[Path] | None = None

    def maps(self, one: Contestant) -> Path:
        """The folder of a contestant's label maps."""
        return self.work / "maps" / one.taker.name


def compare(model: Model, everyone: Sequence[Contestant], how: Conditions) -> ModelResult:
    """Time every contestant with one model."""
    for one in everyone:
        how.say(f"{model.name}: preparing {one.taker.name}")
        one.taker.attempt(lambda one=one: one.prepare(how.images))
    timed = find_images(how.images)
    judged = how.judged or (judged_images() if model.trained else timed)
    to_label = copied(judged, how.work / "judged")
    how.say(f"{model.name}: matrix products")
    ceiling = measure_cpu()
    for group in GROUPS:
        alike = [one for one in everyone if one.variant.dtype in group]
        how.say(f"{model.name}: {' and '.join(group)}")
        _take_turns(alike, to_label, how)
    recipe = model.recipe()
    _, weights = make_model(recipe)
    result = ModelResult(
        subject=model.name,
        model=weights.model,
        weights="demo" if model.trained else "random",
        classes=len(weights.classes),
        images=len(timed),
        rounds=how.rounds,
        commit=current_commit(),
        ceiling=ceiling,
        engines=tuple(_judged(one, everyone, how) for one in everyone),
    )
    return replace(result, verdicts=verdicts(result, model.goals))


def _take_turns(everyone: Sequence[Contestant], to_label: Path, how: Conditions) -> None:
    running = [one for one in everyone if one.taker.cannot is None]
    with ExitStack() as stack:
        started = [(one, stack.enter_context(one.start(how.images))) for one in running]
        takers = [(one.taker, engine) for one, engine in started]
        take_turns(takers, how.rounds, how.warmup, how.say)
        for one, engine in started:
            how.say(f"label maps of {one.taker.name}")
            output = how.maps(one)
            output.mkdir(parents=True)
            write = one.write_label_maps
            one.taker.attempt(lambda w=write, e=engine, o=output: w(e, to_label, o))


def _judged(one: Contestant, everyone: Sequence[Contestant], how: Conditions) -> EngineResult:
    """Return a contestant's figures, its label maps held against others and against true ones."""
    taker, variant, maps = one.taker, one.variant, how.maps(one)
    outcome = EngineResult(
        name=one.name,
        ours=isinstance(one, OwnContestant),
        dtype=variant.dtype,
        merged=variant.merged,
        blocks=variant.blocks,
        note=one.note,
        cannot=taker.cannot,
    )
    if taker.cannot is not None:
        return outcome

    def equal(reference: Variant) -> float | None:
        """The share of labels equal to PyTorch eager's."""
        for other in everyone:
            if (other.name, other.variant, other.taker.cannot) == (Eager.name, reference, None):
                return agreement.compare(maps, how.maps(other)).equal_pixels
        return None

    last = taker.answers[END_TO_END][-1]
    tokens = last.get("tokens_kept", {}).get("mean")
    scenes = open_dataset(str(IMAGES.parent)) if one.model.trained else None
    return replace(
        outcome,
        model_fps=taker.fps(MODEL),
        end_to_end_fps=taker.fps(END_TO_END),
        side_by_side_fps=taker.fps(one.side_by_side),
        not_side_by_side=taker.failures.get(one.side_by_side),
        equal_to_full_token=equal(FULL_TOKEN),
        equal_to_merged=equal(replace(variant, dtype="float32")) if variant.merged else None,
        gflops=last.get("gflops"),
        tokens_kept=None if tokens is None else tuple(tokens),
        labels_ms=last.get("stages_ms", {}).get("labels"),
        mean_iou=agreement.mean_iou(maps, scenes) if scenes else None,
    )
