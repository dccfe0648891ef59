"""Computes the targets from what was measured."""

from collections.abc import Iterator

from benchmarks.peers.engines.eager import Eager
from benchmarks.peers.results import (
    EngineResult,
    Figure,
    ModelResult,
    Verdict,
    fastest,
    find,
    ratio,
    scaled,
)
from benchmarks.peers.subjects import Goals
from mpm_deploy.measure.speed.report import Spread

OF_THE_FLOPS = 0.92
OF_THE_CEILING = 0.7
PRECISIONS = ("float32", "bfloat16")


def verdicts(result: ModelResult, goals: Goals) -> tuple[Verdict, ...]:
    """Judge every target that the engines at hand allow to judge."""
    found = [*_over_plain(result, goals)]
    for dtype in PRECISIONS:
        engines = [engine for engine in result.engines if engine.dtype == dtype]
        found += _over_best_peer(engines, goals)
        found += _of_the_flops(engines)
        found += _of_the_ceiling(engines, result.ceiling)
    return tuple(found)


def _over_plain(result: ModelResult, goals: Goals) -> Iterator[Verdict]:
    """Judge end-to-end FPS over plain PyTorch, each by its best way."""
    ours = _ours(result.engines, "float32", "best_fps")
    plain = find(result.engines, Eager.name)
    if ours is not None and plain is not None:
        reached = ratio(ours, plain, "best_fps")
        yield _verdict("over plain PyTorch", ours, plain, goals.over_plain, reached)


def _over_best_peer(engines: list[EngineResult], goals: Goals) -> Iterator[Verdict]:
    """Judge end-to-end FPS over the best peer, each by its best way."""
    figure: Figure = "best_fps"
    ours = fastest((e for e in engines if e.ours and e.merged), figure)
    peer = fastest((e for e in engines if not e.ours and not e.merged), figure)
    if ours is not None and peer is not None:
        reached = ratio(ours, peer, figure)
        yield _verdict("over the best peer", ours, peer, goals.over_best_peer, reached)


def _of_the_flops(engines: list[EngineResult]) -> Iterator[Verdict]:
    """Judge model FPS, merged against full-token by the same recipe and program,
    against the FLOPs.
    """
    pairs = [(merged, find(engines, merged.name, merged.dtype)) for merged in _merged_ours(engines)]
    timed = {merged.name: (merged, full) for merged, full in pairs if full is not None}
    ours = fastest((merged for merged, _ in timed.values()), "model_fps")
    if ours is None:
        return
    _, full = timed[ours.name]
    if ours.gflops and full.gflops:
        flop_ratio = full.gflops / ours.gflops
        reached = ratio(ours, full, "model_fps")
        name = f"model alone, against {OF_THE_FLOPS} of the FLOP ratio {flop_ratio:.2f}"
        yield _verdict(name, ours, full, OF_THE_FLOPS * flop_ratio, reached)


def _of_the_ceiling(engines: list[EngineResult], ceiling: dict[str, float]) -> Iterator[Verdict]:
    ours = fastest(_merged_ours(engines), "model_fps")
    if ours is None or ours.gflops is None or ours.dtype not in ceiling:
        return
    most = ceiling[ours.dtype]
    reached = scaled(ours.model_fps, ours.gflops / most)
    target = f"{ours.dtype}: share of the {most:.0f} GFLOP/s of matrix products: {ours.name}"
    yield Verdict(target, OF_THE_CEILING, reached, reached.median >= OF_THE_CEILING)


def _merged_ours(engines: list[EngineResult]) -> list[EngineResult]:
    return [engine for engine in engines if engine.ours and engine.merged]


def _ours(engines: tuple[EngineResult, ...], dtype: str, figure: Figure) -> EngineResult | None:
    return fastest((e for e in engines if e.ours and e.merged and e.dtype == dtype), figure)


def _verdict(
    name: str, ours: EngineResult, other: EngineResult, wanted: float, reached: Spread
) -> Verdict:
    target = f"{ours.dtype}: {name}: {ours.name}, over {other.name} full-token"
    return Verdict(target, wanted, reached, reached.median >= wanted)
