"""Times artifacts: how many images a second, end to end and model alone, and does merging pay?

    for each batch size:   warm up A, B     then, R times:   A model, A end to end, B model, ...

Each artifact has a process of its own (`engine`), of Python's program or the C++ one, and they take
turns.
"""

import platform
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from mpm_deploy.artifact import Manifest, read_manifest
from mpm_deploy.artifact.host import parse_device
from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.speed.defaults import BATCH_SIZES, REPEATS
from mpm_deploy.measure.speed.engine import PROGRAM, Engine
from mpm_deploy.measure.speed.report import (
    SCHEMA,
    ArtifactInfo,
    Comparison,
    HostInfo,
    LeftOut,
    Measurement,
    Percentiles,
    Ratio,
    Report,
    SkippedImage,
    Spread,
    TokensKept,
    write_verdict,
)
from mpm_deploy.run.results import StageTimes
from mpm_deploy.support.contention import Contention
from mpm_deploy.support.cores import available_cores
from mpm_deploy.support.numbers import whole_number, whole_number_or_none, whole_numbers
from mpm_deploy.support.processor import cpu_name
from mpm_deploy.support.schema import read_structure

Answer = dict[str, Any]
Figures = TypeVar("Figures", StageTimes, Contention)


def bench(
    artifact: str | Path,
    images: str | Path,
    *,
    against: str | Path | None = None,
    batch_sizes: Sequence[int] = BATCH_SIZES,
    program: str | Path | None = None,
    device: str | None = None,
    threads: int | None = None,
    workers: int | None = None,
    limit: int | None = None,
    stride: int | None = None,
    max_pixels: int | None = None,
    trust: str | Path | None = None,
    repeats: int = REPEATS,
    warmup: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Time an artifact on a folder of images, alone or in turns with another one.

    Args:
        artifact: A ``.pt``, ``.pt2``, ``.onnx.zip`` or ``.tensorrt.zip``.
        images: A folder of them, each used once a pass.
        against: Another artifact, as the same model without merging.
        batch_sizes: Images a model call, or windows where these slide over images; those that
            the folder has too few for are left out.
        program: What runs the artifacts: the file of the C++ program; None is Python.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``; None is what the artifacts were built for.
        threads: Threads of one model call on a CPU; None is as `Runner` chooses.
        workers: As `Runner` takes it.
        limit: First images of the folder; None is all.
        stride: Pixels from one window to the next; None is what the artifacts say.
        max_pixels: As `Runner` takes it.
        trust: As `Runner` takes it.
        repeats: Turns of each artifact with ``against``; without, there is one.
        warmup: Batches before timing; None is 50 on CUDA, 3 and at least 20 images on a CPU.
        progress: Told passes done and passes in all.

    Returns:
        The report, whose ``to_dict()`` is what ``mpm-deploy bench --json`` writes.

    Raises:
        InputError: No usable image, or too few for every batch size; no such program; a number out
            of range.
        ArtifactError: An artifact is broken, disagrees with its own sample, or is not signed with
            a trusted key.
        HostError: An artifact does not fit this machine.
    """
    batch_sizes = whole_numbers("batch_sizes", batch_sizes)
    repeats = whole_number("repeats", repeats)
    warmup = whole_number_or_none("warmup", warmup, least=0)
    counts: dict[str, Any] = {
        "threads": threads,
        "workers": workers,
        "limit": limit,
        "stride": stride,
        "max_pixels": max_pixels,
    }
    counts = {name: whole_number_or_none(name, count) for name, count in counts.items()}
    if device is not None:
        parse_device(device)
    find_images(images)  # a folder without any is told at once
    paths = [artifact] if against is None else [artifact, against]
    manifests = [read_manifest(path) for path in paths]
    started = datetime.now(UTC)
    with ExitStack() as stack:
        command = PROGRAM if program is None else (str(program),)
        start: Callable[..., Engine] = partial(
            Engine, folder=images, program=command, device=device, trust=trust, **counts
        )
        engines = [stack.enter_context(start(path)) for path in paths]
        opened = [engine.ask("open") for engine in engines]
        fewest = min(opened, key=lambda answer: int(answer["windows"]))
        sizes, left_out = _split_by_windows(batch_sizes, fewest, images)
        turns = repeats if against is not None else 1
        steps = _Steps(len(sizes) * len(engines) * (1 + 2 * turns), progress)
        timed = [_take_turns(engines, size, turns, warmup, steps) for size in sizes]

    infos = [ArtifactInfo.of(str(p), m, device) for p, m in zip(paths, manifests, strict=True)]
    return _report(infos, manifests, _host(opened[0], started), timed, left_out)


@dataclass
class _Passes:
    """The answers of one engine at one batch size."""

    batch_size: int
    warmup: Answer
    model: list[Answer] = field(default_factory=list)
    end_to_end: list[Answer] = field(default_factory=list)


class _Steps:
    """Counts finished passes and reports them to a progress callback."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self._total = total
        self._done = 0
        self._progress = progress

    def watch(self, answer: Answer) -> Answer:
        """Count one finished pass, and return its answer unchanged."""
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)
        return answer


def _split_by_windows(
    batch_sizes: Sequence[int], opened: Answer, folder: str | Path
) -> tuple[list[int], tuple[LeftOut, ...]]:
    """Split batch sizes into those that fit what a worker has ready and those left out: no window
    comes twice in a pass.
    """
    fitting = [size for size in batch_sizes if size <= opened["windows"]]
    reason = _reason_left_out(opened)
    if not fitting:
        raise InputError(
            f"{folder}: batch {min(batch_sizes)} {reason}",
            "ask for a smaller --batch"
            if opened["is_full"]
            else "name a folder with more images, or a smaller --batch",
        )
    return fitting, tuple(LeftOut(size, reason) for size in batch_sizes if size not in fitting)


def _reason_left_out(opened: Answer) -> str:
    what = "images" if opened["windows"] == opened["usable"] else "windows"
    windows = opened["windows"]
    there_are = f"at most {windows} are kept ready" if opened["is_full"] else f"there are {windows}"
    return f"needs as many different {what}, and {there_are}"


def _take_turns(
    engines: Sequence[Engine], batch_size: int, turns: int, warmup: int | None, steps: _Steps
) -> list[_Passes]:
    request = {"batch_size": batch_size}
    passes = [
        _Passes(batch_size, steps.watch(engine.ask("warmup", batches=warmup, **request)))
        for engine in engines
    ]
    for _ in range(turns):
        for engine, own in zip(engines, passes, strict=True):
            own.model.append(steps.watch(engine.ask("model", **request)))
            own.end_to_end.append(steps.watch(engine.ask("end_to_end", **request)))
    return passes


def _report(
    infos: Sequence[ArtifactInfo],
    manifests: Sequence[Manifest],
    host: HostInfo,
    timed: Sequence[Sequence[_Passes]],
    left_out: tuple[LeftOut, ...],
) -> Report:
    measured = [
        [_measurement(passes, manifest) for passes, manifest in zip(turn, manifests, strict=True)]
        for turn in timed
    ]
    return Report(
        schema=SCHEMA,
        artifact=infos[0],
        host=host,
        results=tuple(of_size[0] for of_size in measured),
        left_out=left_out,
        skipped=_skipped(timed),
        comparison=_comparison(infos, timed, measured) if len(infos) > 1 else None,
    )


def _measurement(passes: _Passes, manifest: Manifest) -> Measurement:
    """Summarize the turns of one engine by medians and means; the latencies of all
    turns are one sample.
    """
    first = passes.end_to_end[0]
    latencies = [ms for answer in passes.end_to_end for ms in answer["latencies_ms"]]
    windows_an_image = first["windows"] / first["images"]
    every_token = [manifest.patches] * len(manifest.flops.stages)
    return Measurement(
        batch_size=passes.batch_size,
        images=first["images"],
        warmup_images=passes.warmup["images"],
        end_to_end_fps=statistics.median(_fps(passes.end_to_end)),
        model_fps=statistics.median(_fps(passes.model)),
        latency_ms=Percentiles.of(latencies),
        stages_ms=_mean(StageTimes, passes.end_to_end, "stages_ms"),
        tokens_kept=read_structure(TokensKept, first["tokens_kept"]),
        gflops=first["gflops"],
        gflops_full_token=manifest.flops.total(every_token) * windows_an_image / 1e9,
        peak_memory_mib=passes.end_to_end[-1]["peak_memory_mib"],
        contention=_mean(Contention, passes.model + passes.end_to_end, "contention"),
    )


def _fps(answers: Sequence[Answer]) -> list[float]:
    return [answer["images"] / answer["seconds"] for answer in answers]


def _mean(kind: type[Figures], answers: Sequence[Answer], key: str) -> Figures:
    """Return the mean of the figures that all answers have under ``key``."""
    names = answers[0][key]
    return kind(**{name: statistics.fmean(a[key][name] for a in answers) for name in names})


def _comparison(
    infos: Sequence[ArtifactInfo],
    timed: Sequence[Sequence[_Passes]],
    measured: Sequence[Sequence[Measurement]],
) -> Comparison:
    sizes = zip(timed, measured, strict=True)
    ratios = [_ratio(own, others, *both) for (own, others), both in sizes]
    return Comparison(infos[1], tuple(ratios), write_verdict(infos[0], infos[1], ratios))


def _ratio(
    passes: _Passes, other_passes: _Passes, measured: Measurement, other: Measurement
) -> Ratio:
    return Ratio(
        batch_size=passes.batch_size,
        repeats=len(passes.model),
        model_fps_ratio=_spread(passes.model, other_passes.model),
        end_to_end_fps_ratio=_spread(passes.end_to_end, other_passes.end_to_end),
        flop_ratio=other.gflops / measured.gflops,
        against=other,
    )


def _spread(answers: Sequence[Answer], others: Sequence[Answer]) -> Spread:
    """Return the spread of the FPS ratio, taken turn by turn: what slows the machine
    for long slows both.
    """
    turns = zip(_fps(answers), _fps(others), strict=True)
    return Spread.of([fps / other for fps, other in turns])


def _skipped(timed: Sequence[Sequence[_Passes]]) -> tuple[SkippedImage, ...]:
    answers = timed[0][0].end_to_end[0]["skipped"]
    return tuple(read_structure(SkippedImage, skipped) for skipped in answers)


def _host(opened: Answer, started: datetime) -> HostInfo:
    return HostInfo(
        program=opened["program"],
        cpu=cpu_name(),
        cores=available_cores(),
        threads=opened["threads"],
        gpu=opened["gpu"],
        os=platform.platform(),
        torch=opened["torch"],
        python=opened["python"],
        mpm_deploy=opened["mpm_deploy"],
        started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
