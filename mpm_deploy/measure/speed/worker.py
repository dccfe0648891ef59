"""Runs the bench's worker: one artifact in one process, timed pass by pass on request.

One JSON object a line. `docs/formats/report.md` writes the protocol down.
"""

import dataclasses
import itertools
import json
import platform
import resource
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from torch import Tensor

import mpm_deploy
from mpm_deploy.artifact import Manifest
from mpm_deploy.errors import ImageError, InputError, MpmError
from mpm_deploy.images.decode import find_images
from mpm_deploy.measure.unusable import none_usable
from mpm_deploy.run.results import PreparedImage, Result, Skipped, StageTimes
from mpm_deploy.run.runner import Clock, Runner
from mpm_deploy.support.contention import ContentionWatch
from mpm_deploy.support.refusal import line_of
from mpm_deploy.support.schema import to_mapping
from mpm_deploy.support.strict_json import read_own_json

MOST_INPUTS = 256  # windows that the model pass keeps prepared
_WARMUP_BATCHES = {"cpu": 3, "cuda": 50}
_WARMUP_IMAGES = 20

Message = dict[str, Any]


def serve(
    artifact: str | Path,
    folder: str | Path,
    requests: Iterable[str],
    answers: TextIO,
    *,
    limit: int | None = None,
    **options: Any,
) -> None:
    """Answer every line of ``requests`` with a line to ``answers``, until there are no more.

    Args:
        artifact: A ``.pt``, ``.pt2``, ``.onnx.zip`` or ``.tensorrt.zip``.
        folder: Images to time it on.
        requests: JSON objects: ``{"pass": NAME, ...}``.
        answers: JSON objects: what a pass gave, or ``{"error": ..., "hint": ..., "kind": ...}``, of
            which the last is the name of the error's class.
        limit: First images of the folder; None is all.
        options: As `Runner` takes them.
    """
    worker: Worker | None = None
    for line in requests:
        try:
            worker = worker or Worker(artifact, folder, limit, **options)
            answer = worker.answer(read_own_json(line))
        except MpmError as error:
            answer = _error(error)
        except (RuntimeError, ValueError) as error:  # torch's own, as out of memory; no JSON
            answer = _error(MpmError(f"{artifact}: {line_of(error)}"))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    if worker is not None:
        worker.runner.close()


class Worker:
    """Holds an open artifact and its images, and runs the passes that are timed.

    Attributes:
        files: The images.
        inputs: The first of them that can be used, made ready for the model.
        windows: Theirs, each ``(3, H, W)`` uint8.

    Raises:
        MpmError: The artifact cannot be run here or disagrees with its sample; no usable image.
    """

    def __init__(
        self, artifact: str | Path, folder: str | Path, limit: int | None, **options: Any
    ) -> None:
        self._folder = folder
        self.files = find_images(folder)[:limit]
        self.runner = TimedRunner(artifact, **options)
        self.runner.check_sample()
        self.inputs = self._prepare()
        self.windows = [window for item in self.inputs for window in item.windows]
        self._passes: dict[str, Callable[[Message], Message]] = {
            "open": self._open,
            "warmup": self._warmup,
            "model": self._model,
            "end_to_end": self._end_to_end,
        }

    def answer(self, request: Message) -> Message:
        """Run the pass that a request names, and return its answer.

        Raises:
            InputError: A pass of another name.
        """
        name = request.get("pass")
        if name not in self._passes:
            raise InputError(f"pass: expected one of {', '.join(self._passes)}, got {name!r}")
        return self._passes[name](request)

    def _prepare(self) -> list[PreparedImage]:
        """Prepare the first usable images for the model."""
        inputs: list[PreparedImage] = []
        skipped: list[Skipped] = []
        windows = 0
        for file in self.files:
            if windows >= MOST_INPUTS:
                break
            try:
                inputs.append(self.runner.prepare(file))
            except ImageError as error:  # the end-to-end pass names it
                skipped.append(Skipped.of(file, error))
                continue
            windows += len(inputs[-1].windows)
        if not inputs:
            raise none_usable(self._folder, skipped)
        return inputs

    def _open(self, _: Message) -> Message:
        on_gpu = self.runner.device.type == "cuda"
        return {
            "images": len(self.files),
            "usable": len(self.inputs),
            "windows": len(self.windows),
            "is_full": len(self.windows) >= MOST_INPUTS,
            "device": str(self.runner.device),
            "threads": self.runner.threads,
            "gpu": torch.cuda.get_device_name(self.runner.device) if on_gpu else None,
            "program": "python",
            "torch": torch.__version__,
            "python": platform.python_version(),
            "mpm_deploy": mpm_deploy.__version__,
        }

    def _warmup(self, request: Message) -> Message:
        """Run the end-to-end pass to warm up, on images that may be used again."""
        size = request["batch_size"]
        batches = request.get("batches")
        if batches is None:
            batches = max(_WARMUP_BATCHES[self.runner.device.type], -(-_WARMUP_IMAGES // size))
        usable = itertools.cycle(item.source for item in self.inputs)
        begin = time.perf_counter()
        for _ in self.runner.run(itertools.islice(usable, batches * size), size):
            pass
        return {"seconds": time.perf_counter() - begin, "images": batches * size}

    def _model(self, request: Message) -> Message:
        """Time the scores alone, in full batches of prepared windows, none used twice."""
        size = request["batch_size"]
        windows, seconds, done = self.windows, 0.0, 0
        watch = ContentionWatch()
        for first in range(0, len(windows) - size + 1, size):
            seconds += self.runner.time_scores(windows[first : first + size])
            done += size
        return {
            "seconds": seconds,
            "images": done * len(self.inputs) / len(windows),
            "contention": to_mapping(watch.read()),
        }

    def _end_to_end(self, request: Message) -> Message:
        """Time every file once, from the disk to a label map in host memory.

        Raises:
            InputError: The model fails on every one.
        """
        tally = Tally(self.runner.manifest)
        watch = ContentionWatch()
        begin = time.perf_counter()
        for outcome in self.runner.run(self.files, request["batch_size"]):
            tally.add(outcome)
        seconds = time.perf_counter() - begin
        if not tally.images:
            raise none_usable(self._folder, tally.skipped)
        return {
            "seconds": seconds,
            "contention": to_mapping(watch.read()),
            "peak_memory_mib": _peak_memory_mib(),
            **tally.to_message(),
        }


def _error(error: MpmError) -> Message:
    return {"error": error.problem, "hint": error.hint, "kind": type(error).__name__}


class TimedRunner(Runner):
    """Times the model alone, each step on the thread that `run` gives it."""

    def prepare(self, image: Path) -> PreparedImage:
        """Load an image where `run` does, on a thread that decodes.

        On the caller's, OpenMP would make one pool too many, and the model's would sleep after
        every operator, as in no `run`.

        Raises:
            ImageError: The file cannot be decoded.
        """
        return self._decoders.submit(self.load, image).result()

    def time_scores(self, images: Sequence[Tensor]) -> float:
        """Run only the model's scores, and time them.

        Args:
            images: One batch, each ``(3, H, W)`` uint8, as `load` gives them.

        Returns:
            Seconds, from images on the device to scores on it.
        """
        return self._model.submit(self._time_scores, images).result()

    def _time_scores(self, images: Sequence[Tensor]) -> float:
        batch = self._copy(images)
        self._neighbors.look()
        clock = Clock(self.device)
        self._program.scores(batch)
        return clock.lap() / 1e3


def _peak_memory_mib() -> float:
    """Return the most memory that this process ever had resident, in MiB; Linux counts
    it in KiB.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Tally:
    """Collects the figures of each result of the end-to-end pass, without its label map."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._latencies_ms: list[float] = []
        self._stages_ms: list[tuple[float, ...]] = []
        self._tokens_kept: list[tuple[int, ...]] = []  # of each window
        self.skipped: list[Skipped] = []

    @property
    def images(self) -> int:
        """The number of images that were counted, without those that were skipped."""
        return len(self._latencies_ms)

    def add(self, outcome: Result | Skipped) -> None:
        """Count one image."""
        if isinstance(outcome, Skipped):
            self.skipped.append(outcome)
            return
        self._stages_ms.append(dataclasses.astuple(outcome.share_ms))
        self._latencies_ms.append(outcome.stages_ms.total)
        self._tokens_kept += [window.tokens_kept for window in outcome.windows]

    def to_message(self) -> Message:
        """Return the figures as part of the worker's answer; an image must have been counted."""
        stages = StageTimes(*np.mean(self._stages_ms, axis=0).tolist())
        tokens = np.array(self._tokens_kept)  # (windows, merges)
        return {
            "images": self.images,
            "windows": len(self._tokens_kept),
            "latencies_ms": self._latencies_ms,
            "stages_ms": to_mapping(stages),
            "tokens_kept": {
                "mean": tokens.mean(axis=0).tolist(),
                "min": tokens.min(axis=0).tolist(),
                "max": tokens.max(axis=0).tolist(),
            },
            "gflops": sum(self._gflops(kept) for kept in self._tokens_kept) / self.images,
            "skipped": [{"path": one.path, "reason": one.reason} for one in self.skipped],
        }

    def _gflops(self, tokens_kept: tuple[int, ...]) -> float:
        return self._manifest.flops.total((self._manifest.patches, *tokens_kept)) / 1e9
