"""Defines the results of the comparison, kept in
``benchmarks/results/cpu_peers-<machine>.json``.
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.bench import turns
from benchmarks.bench.targets import Verdict
from benchmarks.peers.variants import FULL_TOKEN, Blocks, Variant
from mpm_deploy.measure.speed.report import Spread

POINTS_LOST = 1.0  # of mIoU, at most, to plain PyTorch full-token: by those of ours that are judged

Figure = Literal["model_fps", "end_to_end_fps", "side_by_side_fps", "best_fps"]


@dataclass(frozen=True)
class EngineResult:
    """The figures of one engine with one model, in one precision.

    Attributes:
        name: The engine; for ours the recipe and the program.
        ours: Whether it is this project's.
        dtype: The precision that it computes in.
        merged: Whether the model merges tokens.
        note: What a reader should know, as the route into the engine.
        cannot: The reason why there are no figures; None where there are.
        model_fps: Images a second of each round, uint8 input to class scores.
        end_to_end_fps: The same from image file to label map in host memory, one image at a time.
        side_by_side_fps: The same with an image on each core; empty where the engine cannot.
        not_side_by_side: The reason why there are none of these; None where there are.
        equal_to_full_token: Share of labels equal to PyTorch eager full-token in float32.
        equal_to_merged: The same with PyTorch eager merged; None for full-token engines.
        gflops: GFLOPs of one image, mean at its tokens kept; None where the engine does not say.
        tokens_kept: Mean tokens after each merge; None where the engine does not say.
        labels_ms: Milliseconds of an image, scores to labels; None where the engine does not say.
        mean_iou: Against true label maps; None in older records, and where weights are random.
        blocks: The schedule that it merges by, where that is not the recipes' own.
    """

    name: str
    ours: bool
    dtype: str
    merged: bool
    note: str = ""
    cannot: str | None = None
    model_fps: tuple[float, ...] = ()
    end_to_end_fps: tuple[float, ...] = ()
    side_by_side_fps: tuple[float, ...] = ()
    not_side_by_side: str | None = None
    equal_to_full_token: float | None = None
    equal_to_merged: float | None = None
    gflops: float | None = None
    tokens_kept: tuple[float, ...] | None = None
    labels_ms: float | None = None
    mean_iou: float | None = None
    blocks: Blocks = ()

    @property
    def variant(self) -> Variant:
        """What it computes in, and on which tokens."""
        return Variant(self.dtype, self.merged, self.blocks)

    @property
    def title(self) -> str:
        """The engine with its precision and its tokens."""
        return f"{self.name} {self.dtype} {self.variant.tokens}"

    @property
    def best_fps(self) -> tuple[float, ...]:
        """The end-to-end FPS of the way with the higher median: one image at a time, or
        side by side.
        """
        ways = [fps for fps in (self.end_to_end_fps, self.side_by_side_fps) if fps]
        return max(ways, key=statistics.median, default=())

    def median(self, figure: Figure) -> float:
        """Return the median of a figure over the rounds."""
        return statistics.median(getattr(self, figure))


@dataclass(frozen=True)
class ModelResult:
    """The results of all engines with one model.

    Attributes:
        subject: The model's name on the command line.
        model: The model's name in the zoo.
        weights: ``"demo"`` or ``"random"``.
        classes: The number of classes.
        images: Different images of a pass.
        rounds: Turns of each engine.
        commit: The commit of the checkout it was measured in.
        ceiling: GFLOP/s of the best matrix product of this machine, by precision.
        engines: Those of one group of precisions took turns with each other.
        verdicts: The targets, and whether they were met.
    """

    subject: str
    model: str
    weights: str
    classes: int
    images: int
    rounds: int
    commit: str
    ceiling: dict[str, float]
    engines: tuple[EngineResult, ...]
    verdicts: tuple[Verdict, ...] = ()


def find(
    engines: Iterable[EngineResult], name: str, variant: Variant = FULL_TOKEN
) -> EngineResult | None:
    """Return the engine of that name if it has figures, else None."""
    wanted = (name, variant)
    found = (e for e in engines if (e.name, e.variant) == wanted and e.cannot is None)
    return next(found, None)


def plain_pytorch(engines: Iterable[EngineResult]) -> EngineResult | None:
    """Return PyTorch eager full-token in float32 if it has figures, else None."""
    return find(engines, "PyTorch eager")


def points_lost(engine: EngineResult, engines: Iterable[EngineResult]) -> float | None:
    """Return the points of mIoU that one of the engines loses to plain PyTorch; None where either
    was not judged.
    """
    plain = plain_pytorch(engines)
    if plain is None or plain.mean_iou is None or engine.mean_iou is None:
        return None
    return 100 * (plain.mean_iou - engine.mean_iou)


def accurate(engines: Sequence[EngineResult]) -> list[EngineResult]:
    """Return all of others, and those of ours that do not lose more than `POINTS_LOST`."""
    lost = {engine: points_lost(engine, engines) for engine in engines}
    return [e for e in engines if not (e.ours and (lost[e] or 0.0) > POINTS_LOST)]


def fastest(engines: Iterable[EngineResult], figure: Figure) -> EngineResult | None:
    """Return the engine with the highest median, of those that have figures."""
    running = [engine for engine in engines if engine.cannot is None]
    return max(running, key=lambda engine: engine.median(figure), default=None)


def headline(result: ModelResult) -> ModelResult:
    """Return the result with few engines: in each precision ours, merged, and the fastest of
    others, full-token.
    """
    kept = [plain_pytorch(result.engines)]
    for dtype in dict.fromkeys(engine.dtype for engine in result.engines):
        alike = [engine for engine in accurate(result.engines) if engine.dtype == dtype]
        kept += [
            fastest((e for e in alike if e.ours is e.merged is ours), "best_fps")
            for ours in (True, False)
        ]
    return replace(result, engines=tuple(e for e in result.engines if e in kept), verdicts=())


def ratio(engine: EngineResult, other: EngineResult, figure: Figure) -> Spread:
    """Return how many times as fast ``engine`` is as ``other``, round by round."""
    return turns.ratio(getattr(engine, figure), getattr(other, figure))
