"""Judges what was measured against the targets of the comparison."""

from collections.abc import Iterable, Iterator

from benchmarks.bench.targets import Verdict, judge
from benchmarks.peers.engines.pytorch import Eager
from benchmarks.peers.engines.transformers_peers import TransformersEager
from benchmarks.peers.models import Goals
from benchmarks.peers.results import EngineResult, Figure, ModelResult, fastest, find, ratio

OF_THE_FLOPS = 0.92
OF_THE_CEILING = 0.7
PRECISIONS = ("float32", "bfloat16", "int8")


def verdicts(result: ModelResult, goals: Goals) -> tuple[Verdict, ...]:
    """Judge every target that the engines at hand allow to judge."""
    alike = {d: [e for e in result.engines if e.dtype == d] for d in PRECISIONS}
    plain = find(result.engines, Eager.name)
    found = [*_over("plain PyTorch", alike["float32"], plain, goals.over_plain)]
    found += _full_over_transformers(alike["float32"], goals.full_token_over_transformers)
    for dtype, engines in alike.items():
        peer = fastest((e for e in engines if not e.ours and not e.merged), "best_fps")
        found += _over("the best peer", engines, peer, goals.over_best_peer)
        found += _of_the_flops(engines)
        found += _label_maps(engines, goals.labels_share)
        found += _of_the_ceiling(engines, result.ceiling.get(dtype))
    return tuple(found)


def _over(
    name: str, engines: list[EngineResult], other: EngineResult | None, wanted: float
) -> Iterator[Verdict]:
    """Judge end-to-end FPS over another engine's, each by its best way."""
    ours = _ours(engines, "best_fps")
    if ours is not None and other is not None:
        reached = ratio(ours, other, "best_fps")
        yield judge(_title(f"over {name}", ours, other), wanted, reached)


def _full_over_transformers(engines: list[EngineResult], wanted: float | None) -> Iterator[Verdict]:
    """Judge our full-token model against that of transformers, each by its best way."""
    full = [each for each in engines if not each.merged]
    ours = fastest((each for each in full if each.ours), "best_fps")
    named = (each for each in full if each.name.startswith(TransformersEager.name))
    other = fastest(named, "best_fps")
    if wanted is not None and ours is not None and other is not None:
        reached = ratio(ours, other, "best_fps")
        yield judge(_title("full-token over transformers", ours, other), wanted, reached)


def _of_the_flops(engines: list[EngineResult]) -> Iterator[Verdict]:
    """Judge model FPS, merged against full-token by the same recipe and program,
    against the FLOPs.
    """
    whole = {e.name: e for e in engines if e.ours and not e.merged and e.cannot is None}
    ours = _ours([e for e in engines if e.name in whole], "model_fps")
    full = whole[ours.name] if ours else None
    if ours and full and ours.gflops and full.gflops:
        flop_ratio = full.gflops / ours.gflops
        name = f"model alone, against {OF_THE_FLOPS} of the FLOP ratio {flop_ratio:.2f}"
        reached = ratio(ours, full, "model_fps")
        yield judge(_title(name, ours, full), OF_THE_FLOPS * flop_ratio, reached)


def _label_maps(engines: list[EngineResult], most: float | None) -> Iterator[Verdict]:
    """Judge the milliseconds of a label map, as a share of the model's."""
    ours = _ours(engines, "model_fps")
    if most is not None and ours is not None and ours.labels_ms is not None:
        shares = [ours.labels_ms * fps / 1000 for fps in ours.model_fps]
        target = f"{ours.dtype}: label maps, as a share of the model's time: {ours.name}"
        yield judge(target, most, shares, at_most=True)


def _of_the_ceiling(engines: list[EngineResult], most: float | None) -> Iterator[Verdict]:
    """Judge the GFLOP/s of the model alone, as a share of matrix products'."""
    ours = _ours(engines, "model_fps")
    if ours and ours.gflops and most:
        shares = [fps * ours.gflops / most for fps in ours.model_fps]
        target = f"{ours.dtype}: share of the {most:.0f} GFLOP/s of matrix products: {ours.name}"
        yield judge(target, OF_THE_CEILING, shares)


def _ours(engines: Iterable[EngineResult], figure: Figure) -> EngineResult | None:
    return fastest((e for e in engines if e.ours and e.merged), figure)


def _title(name: str, ours: EngineResult, other: EngineResult) -> str:
    return f"{ours.dtype}: {name}: {ours.name}, over {other.name} full-token"
