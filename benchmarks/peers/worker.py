"""Runs a peer's process: ``python -m benchmarks.peers.worker worker TASK FOLDER --answers=N``.

It answers passes as ``mpm-deploy worker`` does, one JSON object a line, and two more, ``convert``
and ``label_maps``. TASK is where the peer keeps what it converts, ``.../MODEL/PEER/VARIANT``, and
FOLDER holds the images; answers go to the descriptor N: converters talk on stdout. It is not meant
to be typed.

A `batch_size` above 1 means images side by side, one per core, as a batch of ours runs:

    decoded images ──▶ threads that each take the next one ──▶ label maps in order
                       one session for all, one core a call
"""

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.peers.engines import PEERS, Peer, Session, Task
from benchmarks.peers.engines.routes import innermost
from benchmarks.peers.models import MODELS, cores
from mpm_deploy.errors import InputError
from mpm_deploy.images.decode import decode, find_images, fit
from mpm_deploy.run.label_maps import label_map_names, write_label_map
from mpm_deploy.run.pipeline import prefetch
from mpm_deploy.support.threads import set_intra_op_threads

AHEAD = 2  # images decoded or being decoded, for each one that is in the model

Message = dict[str, Any]
LabelMaps = Iterator[NDArray[np.uint8]]


def open_task(folder: Path) -> tuple[Peer, Task]:
    """Return the peer of a folder ``.../MODEL/PEER/VARIANT``, and the task it is to run."""
    models, (model, name, wanted) = folder.parents[1], folder.parts[-3:]
    peer = PEERS[name]
    variants = MODELS[model].variants(peer.variants)
    variant = next(variant for variant in variants if variant.name == wanted)
    task = Task(
        recipe=MODELS[model].recipe(),
        variant=variant,
        folder=folder,
        shared=models / "onnx" / variant.graph,
        threads=cores(),
    )
    for each in (task.folder, task.shared):
        each.mkdir(parents=True, exist_ok=True)
    return peer, task


def serve(peer: Peer, task: Task, folder: Path, requests: Iterable[str], answers: TextIO) -> None:
    """Answer every line of ``requests`` with a line, until there are no more."""
    worker = Worker(peer, task, folder)
    for line in requests:
        try:
            answer = worker.answer(json.loads(line))
        except Exception as error:  # noqa: BLE001 - whatever an engine raises is what we report
            answer = {"error": innermost(error), "hint": None}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def side_by_side(peer: Peer, task: Task, at_once: int) -> Callable[[Iterable[Tensor]], LabelMaps]:
    """Open a peer that has converted the task for ``at_once`` calls at a time, one core each.

    Returns:
        A function from ``(1, 3, H, W)`` uint8 images to their label maps ``(H, W)``, in order.

    Raises:
        Exception: Whatever the engine raises where it cannot be opened so.
    """
    session = peer.open(replace(task, threads=1, at_once=at_once))
    threads = ThreadPoolExecutor(at_once, "side-by-side", set_intra_op_threads, (1,))

    def submit(image: Tensor) -> Future[NDArray[np.uint8]]:
        return threads.submit(session.label_map, image)

    # One waits behind each in work, so that no thread rests while the oldest is not done.
    return lambda images: prefetch(submit, images, 2 * at_once)


@dataclass(eq=False)
class Worker:
    """Holds a peer with its images; it converts and opens only when it is asked to."""

    peer: Peer
    task: Task
    folder: Path

    def answer(self, request: Message) -> Message:
        """Run the pass that a request names, and return its answer.

        Raises:
            InputError: A pass of another name.
            Exception: Whatever the engine raises.
        """
        passes: dict[str, Callable[[Message], Message]] = {
            "convert": self._convert,
            "open": self._open,
            "warmup": self._warmup,
            "model": self._model,
            "end_to_end": self._end_to_end,
            "label_maps": self._label_maps,
        }
        name = request.get("pass")
        if name not in passes:
            raise InputError(f"pass: expected one of {', '.join(passes)}, got {name!r}")
        return passes[name](request)

    @cached_property
    def files(self) -> list[Path]:
        """The image files."""
        return find_images(self.folder)

    @cached_property
    def session(self) -> Session:
        """The open session of the peer."""
        return self.peer.open(self.task)

    @cache  # noqa: B019 - there is one worker a process
    def _label_maps_of(self, at_once: int) -> Callable[[Iterable[Tensor]], LabelMaps]:
        """Open the peer for so many images side by side."""
        if at_once == 1:
            return partial(map, self.session.label_map)
        return side_by_side(self.peer, self.task, at_once)

    def _convert(self, _: Message) -> Message:
        """Convert the model once; the peer's note is kept beside the files."""
        done = self.task.folder / "converted.txt"
        if not done.exists():
            begin = time.perf_counter()
            done.write_text(self.peer.convert(self.task))
            print(f"converted in {time.perf_counter() - begin:.0f} s", flush=True)
        return {"note": done.read_text()}

    def _open(self, _: Message) -> Message:
        self.session.scores(self._load(self.files[0]))
        return {"images": len(self.files), "threads": self.task.threads}

    def _warmup(self, request: Message) -> Message:
        """Run both timed passes to warm up, on images that may be used again."""
        batches, at_once = request["batches"], _at_once(request)
        begin = time.perf_counter()
        for file in self._again(batches):
            self.session.scores(self._load(file))
        for _ in self._segment(self._again(batches * at_once), at_once):
            pass
        return {"seconds": time.perf_counter() - begin, "images": batches * at_once}

    def _model(self, _: Message) -> Message:
        """Time the scores alone; nothing is decoded meanwhile."""
        images = [self._load(file) for file in self.files]
        begin = time.perf_counter()
        for image in images:
            self.session.scores(image)
        return {"seconds": time.perf_counter() - begin, "images": len(images)}

    def _end_to_end(self, request: Message) -> Message:
        """Time every file once, from the disk to a label map in host memory."""
        begin = time.perf_counter()
        for _ in self._segment(self.files, _at_once(request)):
            pass
        return {"seconds": time.perf_counter() - begin, "images": len(self.files)}

    def _label_maps(self, request: Message) -> Message:
        """Write the label maps of a folder as `mpm-deploy run` writes them."""
        output, files = Path(request["output"]), find_images(request["images"])
        palette = [(index, index, index) for index in range(256)]
        names = label_map_names(files)
        for name, labels in zip(names, self._segment(files, _at_once(request)), strict=True):
            write_label_map(output / name, labels, palette)
        return {"images": len(names)}

    def _again(self, count: int) -> Iterator[Path]:
        """Return ``count`` images, starting again from the first where there are fewer."""
        return itertools.islice(itertools.cycle(self.files), count)

    def _segment(self, files: Iterable[Path], at_once: int) -> LabelMaps:
        """Yield the label maps ``(H, W)`` in the files' order, with ``at_once`` images side by
        side, decoded on as many threads.
        """
        label_maps = self._label_maps_of(at_once)
        with ThreadPoolExecutor(at_once, "decode") as decoders:
            ahead = AHEAD * at_once
            yield from label_maps(prefetch(partial(decoders.submit, self._load), files, ahead))

    def _load(self, file: Path) -> Tensor:
        """Decode a file to ``(1, 3, H, W)`` uint8."""
        size = self.task.size
        pixels = decode(file)
        if tuple(pixels.shape[1:]) != size:
            raise InputError(
                f"{file}: expected {size[0]} × {size[1]} pixels, as the graphs of other "
                f"engines make label maps of that size only, got {tuple(pixels.shape[1:])}",
                "name a folder of images of the model's input size",
            )
        return fit(pixels, size)[None]


def _at_once(request: Message) -> int:
    at_once: int = request.get("batch_size", 1)
    return at_once


def main(_: str, task: str, folder: str, answers: str) -> None:
    with os.fdopen(int(answers.removeprefix("--answers=")), "w") as stream:
        serve(*open_task(Path(task)), Path(folder), sys.stdin, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])
