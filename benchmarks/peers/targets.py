"""Judges what was measured against the targets of the comparison."""

from collections.abc import Iterable, Iterator

from benchmarks.bench.targets import CPP_OVER_PYTHON, OF_THE_FLOPS, Verdict, judge
from benchmarks.peers.engines.pytorch import Eager
from benchmarks.peers.engines.transformers_peers import TransformersEager
from benchmarks.peers.models import Goals
from benchmarks.peers.results import (
    POINTS_LOST,
    EngineResult,
    Figure,
    ModelResult,
    accurate,
    fastest,
    find,
    plain_pytorch,
    points_lost,
    ratio,
)

PRECISIONS = ("float32", "bfloat16", "int8")
OVER_MERGED = {"float32": 1.25, "bfloat16": 1.5, "int8": 1.5}  # peers that run our merged graph


def verdicts(result: ModelResult, goals: Goals) -> tuple[Verdict, ...]:
    """Judge every target that the engines at hand allow to judge, of ours those that are accurate
    enough.
    """
    engines = accurate(result.engines)
    plain = plain_pytorch(engines)
    in_float32 = [e for e in engines if e.dtype == "float32"]
    found = [*_over("plain PyTorch", in_float32, plain, goals.over_plain)]
    found += _full_over_transformers(in_float32, goals.full_token_over_transformers)
    for dtype in PRECISIONS:
        alike = [e for e in engines if e.dtype == dtype]
        peer = fastest((e for e in alike if not e.ours and not e.merged), "best_fps")
        found += _over("the best peer", alike, peer, goals.over_best_peer)
        found += _over_merged_peers(alike, OVER_MERGED[dtype])
        found += _accuracy(alike, plain)
        found += _cpp_over_python(alike)
        found += _of_the_flops(alike)
        found += _label_maps(alike, goals.labels_share)
        found += _of_the_ceiling(alike, result.ceiling.get(dtype), goals.of_the_ceiling)
    return tuple(found)


def _over(
    name: str, engines: list[EngineResult], other: EngineResult | None, wanted: float
) -> Iterator[Verdict]:
    """Judge end-to-end FPS over another engine's, each by its best way."""
    ours = _ours(engines, "best_fps")
    if ours is not None and other is not None:
        reached = ratio(ours, other, "best_fps")
        yield judge(_title(f"over {name}", ours, other), wanted, reached)


def _over_merged_peers(engines: list[EngineResult], wanted: float) -> Iterator[Verdict]:
    """Judge end-to-end FPS over every engine that merges by the same schedule, each by its best
    way; PyTorch eager is none.
    """
    for peer in engines:
        if peer.merged and not peer.ours and peer.name != Eager.name and peer.cannot is None:
            ours = _ours((e for e in engines if e.blocks == peer.blocks), "best_fps")
            if ours is not None:
                reached = ratio(ours, peer, "best_fps")
                yield judge(_title("over our merged graph", ours, peer), wanted, reached)


def _accuracy(engines: list[EngineResult], plain: EngineResult | None) -> Iterator[Verdict]:
    """Say how many points of mIoU the engine loses that is taken for the fastest."""
    ours = _ours(engines, "best_fps")
    lost = points_lost(ours, [plain]) if ours and plain else None
    if ours is not None and plain is not None and lost is not None:
        target = f"{ours.dtype}: points of mIoU lost: {ours.name} {ours.variant.tokens}"
        yield judge(target, POINTS_LOST, [lost], at_most=True)


def _cpp_over_python(engines: list[EngineResult]) -> Iterator[Verdict]:
    """Judge end-to-end FPS of our two programs with the file that is the fastest in either."""
    ours = _ours(engines, "best_fps")
    if ours is not None:
        recipe = ours.name.partition(", ")[0]
        cpp, python = (
            find(engines, f"{recipe}, {program}", ours.variant) for program in ("C++", "Python")
        )
        if cpp is not None and python is not None:
            reached = ratio(cpp, python, "best_fps")
            yield judge(_title("C++ over Python", cpp, python), CPP_OVER_PYTHON, reached)


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


def _of_the_ceiling(
    engines: list[EngineResult], most: float | None, wanted: float
) -> Iterator[Verdict]:
    """Judge the GFLOP/s of the model alone, as a share of matrix products'; and those from files to
    label maps, which are more where each core has an image of its own.
    """
    ways: dict[str, Figure] = {"the model alone": "model_fps", "end to end": "best_fps"}
    for way, figure in ways.items():
        ours = _ours(engines, figure)
        if ours and ours.gflops and most:
            shares = [fps * ours.gflops / most for fps in getattr(ours, figure)]
            target = f"{ours.dtype}: share of the {most:.0f} GFLOP/s of matrix products, {way}: "
            yield judge(f"{target}{ours.name} {ours.variant.tokens}", wanted, shares)


def _ours(engines: Iterable[EngineResult], figure: Figure) -> EngineResult | None:
    return fastest((e for e in engines if e.ours and e.merged), figure)


def _title(name: str, ours: EngineResult, other: EngineResult) -> str:
    one, another = (f"{engine.name} {engine.variant.tokens}" for engine in (ours, other))
    return f"{ours.dtype}: {name}: {one}, over {another}"
