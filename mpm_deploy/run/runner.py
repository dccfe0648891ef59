"""The Runner takes an artifact and images, and gives label maps."""

import os
import time
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from functools import partial
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mpm_deploy.artifact import Manifest, read_sample
from mpm_deploy.backends import OpenArtifact, open_artifact
from mpm_deploy.errors import ArtifactError, InputError
from mpm_deploy.images.decode import (
    ImageLike,
    Taken,
    decode,
    take,
)
from mpm_deploy.images.formats import MAX_PIXELS
from mpm_deploy.images.formats.raster import Admit
from mpm_deploy.images.pixels import ChannelOrder
from mpm_deploy.run.decode_memory import DecodeMemory
from mpm_deploy.run.image_fit import image_fit_of
from mpm_deploy.run.outputs import (
    LABELS,
    Output,
    Outputs,
    check_finite,
    make_outputs,
    taken_outputs,
)
from mpm_deploy.run.pipeline import completed, in_batches, prefetch
from mpm_deploy.run.results import PreparedImage, Result, Skipped, name_of
from mpm_deploy.run.sources import Frame, Source, open_source
from mpm_deploy.run.window_batches import CompleteImage, ScoredBatch, Window, gather, windows_of
from mpm_deploy.support.cores import available_cores
from mpm_deploy.support.home_process import HomeProcess
from mpm_deploy.support.neighbors import Neighbors
from mpm_deploy.support.numbers import whole_number, whole_number_or_none
from mpm_deploy.support.threads import set_intra_op_threads

SAMPLE_AGREEMENT = 0.999
_CPU = torch.device("cpu")
_BATCHES_IN_FLIGHT = 2  # one in the model, one ready to follow it
_MOST_WORKERS = 8
_MOST_THREADS = 1024  # more are no speed, and may end the process


class Runner:
    """Runs an artifact over images.

        with Runner("segmenter.pt2") as runner:
            for result in runner.run("photos/", batch_size=4):
                print(result.labels.shape, result.tokens_kept)

    Threads may share a Runner: each may call it, or iterate a `run` of its own. Images are decoded
    side by side; the model belongs to one thread of the Runner, so that calls to it queue there.
    The threads start at the first use, in the process that it is in: a Runner that is open and
    unused may be used after a fork, on a CPU. Pickled or copied it is another one on the same file,
    opened with the same arguments where it is unpickled.

    Args:
        artifact: A ``.pt``, ``.pt2``, ``.onnx.zip`` or ``.tensorrt.zip``; or a model that is open
            already, as `open_eager` gives it, which is lent: it stays open when this is closed.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``; None is the one it was built for.
        threads: Threads of the model on a CPU; None is torch's own choice, or fewer where a quota
            leaves fewer cores. One image runs on all of them, the images of a batch side by side
            on a share each.
        workers: Threads that decode ahead in `run`; None is one a core, at most 8.
        label_size: ``"image"`` gives label maps of each image's own size, ``"input"`` of the
            size that the image is resized to for the model.
        stride: Pixels from one window to the next, where the artifact slides windows over images;
            None is the artifact's.
        channels: The order of the channels of arrays and tensors, ``"rgb"`` or as OpenCV gives
            them ``"bgr"``.
        max_pixels: Pixels of the largest image that is decoded; None is 128,000,000. All workers
            together take at most the memory that one such image takes, 20 bytes a pixel.
        trust: A public key in PEM, or a folder of them, one of which must have signed the file;
            None asks for what ``MPM_TRUST`` names, or the machine's owner
            (`docs/guides/trust.md`). To open a file is to run its code.

    Raises:
        ArtifactError: Missing, damaged, foreign or newer; not signed with a trusted key.
        HostError: The artifact does not fit this machine.
        InputError: An argument out of range, or no keys to trust.
        MissingPackageError: Trust is asked, and what checks signatures is not installed.
    """

    def __init__(
        self,
        artifact: str | Path | OpenArtifact,
        *,
        device: str | None = None,
        threads: int | None = None,
        workers: int | None = None,
        label_size: Literal["image", "input"] = "image",
        stride: int | None = None,
        channels: ChannelOrder = "rgb",
        max_pixels: int | None = None,
        trust: str | Path | None = None,
    ) -> None:
        threads = whole_number_or_none("threads", threads, most=_MOST_THREADS)
        workers = whole_number_or_none("workers", workers, most=_MOST_THREADS)
        stride = whole_number_or_none("stride", stride)
        _check_words(label_size, channels)
        self.artifact, opened = _opened(artifact, device, trust)
        self._again: partial[Runner] | None = None
        if not isinstance(artifact, OpenArtifact):
            self._again = partial(
                type(self),
                self.artifact.absolute(),
                device=device,
                threads=threads,
                workers=workers,
                label_size=label_size,
                stride=stride,
                channels=channels,
                max_pixels=max_pixels,
                trust=None if trust is None else Path(trust).absolute(),
            )
        self.label_size = label_size
        self.channels: ChannelOrder = channels
        self._memory = DecodeMemory(whole_number_or_none("max_pixels", max_pixels) or MAX_PIXELS)
        self.manifest: Manifest
        self.manifest, self._program = opened
        self._fit = image_fit_of(self.manifest.input, stride)
        self.device: torch.device = self._program.device
        cores = available_cores()
        self.workers = workers or min(cores, _MOST_WORKERS)
        self.threads: int = threads or min(torch.get_num_threads(), cores)
        self._neighbors = Neighbors(self.threads if self.device.type == "cpu" else 1)
        self._closed = False
        self._home = HomeProcess()
        if self.device.type == "cuda":  # what a GPU holds does not survive a fork either
            self._check_home()
        self._decoders = _executor(self.workers, "mpm-decode", 1, _CPU)
        self._model = _executor(1, "mpm-model", self.threads, self.device)
        self._labellers = _executor(1, "mpm-labels", 1, self.device)

    def __call__(self, image: ImageLike, outputs: Collection[Output] = LABELS) -> Result:
        """Segment one image.

        Args:
            image: A path; a file's bytes, or an open file; a PIL image; a uint8 array
                ``(height, width, 3)`` or tensor ``(3, height, width)``; gray and alpha are taken
                too.
            outputs: What to make of it: ``"labels"``, ``"scores"``, ``"probabilities"``, as
                `Result` describes them. Only what is asked for is made.

        Raises:
            ImageError: The file cannot be decoded.
            InputError: An array of another shape or type, or an output that there is not; or the
                Runner is closed.
        """
        outputs = taken_outputs(outputs)
        self._check_open()
        return self.infer([self._decoders.submit(self.load, image).result()], outputs)[0]

    def run(
        self,
        images: str | os.PathLike[str] | Iterable[ImageLike | Frame],
        batch_size: int = 1,
        on_error: Literal["skip", "raise"] = "skip",
        outputs: Collection[Output] = LABELS,
    ) -> Generator[Result | Skipped, None, None]:
        """Segment many images: workers decode ahead while the model runs.

        Args:
            images: A folder, a video, an address, a camera, or what else `open_source` takes and
                gives; or images in any form that a call takes. They are read lazily, some batches
                ahead, and of a live source none ahead. Each is taken hold of before the next one is
                asked for: a generator may give one array again and again, with other pixels in it.
            batch_size: Images a model call, or windows where these slide over images: those of
                several images fill a batch together. The last one takes what is left.
            on_error: What an image does that cannot be decoded, or that the model or the memory
                fails on: ``"skip"`` gives `Skipped` in its place, whose ``ok`` is false, and the
                others go on; ``"raise"`` ends it there.
            outputs: What to make of each image, as in a call. Where windows slide, scores and
                probabilities take 4 bytes for each class and pixel of the resized image.

        Returns:
            An iterator in the images' order. Close it, or drop it, to stop early. One thread at a
            time may read it.

        Raises:
            InputError: ``batch_size`` below 1, another ``on_error``, an output that there is not,
                nothing to read at that place or one image instead of them; or the Runner is closed,
                or this is another process than the one it was first used in, after a fork.
            MissingPackageError: It is a video, and PyAV is not installed.
            Whatever ``images`` raises, and with ``on_error="raise"`` what the first image does that
            cannot be used; what came before is given first.
        """
        batch_size = whole_number("batch_size", batch_size)
        if on_error not in ("skip", "raise"):
            raise InputError(f"on_error: expected 'skip' or 'raise', got {on_error!r}")
        outputs = taken_outputs(outputs)
        self._check_open()
        items = open_source(images) if isinstance(images, str | os.PathLike) else images
        _check_are_many(items)
        results = _begun(self._run(items, batch_size, outputs))
        return results if on_error == "skip" else _begun(_raising(results))

    @property
    def usual_batch_size(self) -> int:
        """Images a call that fill what it runs on: on a GPU as many as the artifact takes, on a CPU
        one a thread, where they run side by side.
        """
        return self.manifest.batch.max if self.device.type == "cuda" else self.threads

    def load(self, image: ImageLike) -> PreparedImage:
        """Decode an image and fit it to the model's input; `infer` takes the outcome.

        Raises:
            ImageError: The file cannot be decoded, or is too narrow to slide windows over.
            InputError: An array of another shape or type.
        """
        return self._prepare(image, self._take(image))

    def _take(self, image: ImageLike | Frame) -> Taken | Frame:
        return (
            image
            if isinstance(image, Frame)
            else take(image, self.channels, self._memory.max_pixels)
        )

    def _prepare(self, source: ImageLike | Frame, taken: Taken | Frame) -> PreparedImage:
        with self._memory.room() as admit:
            begin = time.perf_counter()
            pixels = _pixels(taken, admit)
            decoded = time.perf_counter()
            fitted = self._fit(pixels)
            end = time.perf_counter()
        own_size = (pixels.shape[1], pixels.shape[2])
        return PreparedImage(
            source=source,
            windows=fitted.windows,
            grid=fitted.grid,
            size=own_size if self.label_size == "image" else fitted.size,
            decode_ms=(decoded - begin) * 1e3,
            fit_ms=(end - decoded) * 1e3,
        )

    def infer(
        self, batch: list[PreparedImage], outputs: Collection[Output] = LABELS
    ) -> list[Result]:
        """Run the model on loaded images, all their windows as one batch.

        Raises:
            InputError: The Runner is closed.
            ModelError: The model gives scores that are not finite.
            Whatever the model or the making of an output raises.
        """
        self._check_open()
        scored = self._model.submit(self._score, list(windows_of(batch))).result()
        wholes = [self._submit_label(whole, outputs).result() for whole in gather([scored])]
        return [_result(outcome) for outcome in chain.from_iterable(wholes)]

    def check_sample(self) -> float:
        """Try the artifact on the sample it carries; a wrong answer means wrong label maps.

        Returns:
            The share of labels equal to those given at build.

        Raises:
            ArtifactError: Fewer than 99.9 % are.
            InputError: It was opened on a model without a file.
        """
        self._check_has_file("has no sample to try")
        image, expected = read_sample(self.artifact, self.manifest)
        size = (image.shape[1], image.shape[2])  # of a window: it is given to the model as it is
        labels = self.infer([PreparedImage(image, (image,), None, size, 0.0, 0.0)])[0].labels
        share = float((labels == expected.numpy()).mean())
        if share < SAMPLE_AGREEMENT:
            raise ArtifactError(
                f"{self.artifact}: on its own sample {share:.2%} of the labels are those it gave "
                f"when it was built, expected at least {SAMPLE_AGREEMENT:.1%}",
                "rebuild it on this machine, and please report it",
            )
        return share

    def close(self) -> None:
        """End the Runner's threads; work already begun is finished. More calls do nothing."""
        self._closed = True
        for threads in (self._decoders, self._model, self._labellers):
            threads.shutdown()
        self._neighbors.close()
        if self._again is not None:  # what was open before is its owner's to close
            self._program.close()

    def __enter__(self) -> "Runner":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(
        self, images: Iterable[ImageLike | Frame], batch_size: int, outputs: Collection[Output]
    ) -> Generator[Result | Skipped | None, None, None]:
        """Yield None once it holds its images, and then what is made of each."""
        label = partial(self._submit_label, outputs=outputs)
        is_live = isinstance(images, Source) and images.live  # what waits grows old
        batches_ahead = 1 if is_live else _BATCHES_IN_FLIGHT
        ahead = 1 if is_live else self.workers + _BATCHES_IN_FLIGHT * batch_size
        with (
            images if isinstance(images, Source) else nullcontext(),
            closing(prefetch(self._submit_load, images, ahead)) as loaded,
        ):
            yield None
            items = windows_of(loaded)
            batches = in_batches(items, batch_size, lambda item: isinstance(item, Window))
            with (
                closing(prefetch(self._submit_score, batches, batches_ahead)) as scored,
                closing(
                    prefetch(label, gather(chain.from_iterable(scored)), batches_ahead)
                ) as outcomes,
            ):
                for ready in outcomes:
                    for outcome in ready:
                        yield outcome
                        self._check_home()

    def _submit_load(self, image: ImageLike | Frame) -> Future[PreparedImage | Skipped]:
        """Take an image, which the caller may change once this returns, and load it."""
        self._check_open()
        try:
            taken = self._take(image)
        except Exception as error:  # noqa: BLE001 - of this image alone: the others go on
            return completed(Skipped.of(image, error))
        return self._decoders.submit(self._prepare_or_skip, image, taken)

    def _prepare_or_skip(
        self, source: ImageLike | Frame, taken: Taken | Frame
    ) -> PreparedImage | Skipped:
        try:
            return self._prepare(source, taken)
        except Exception as error:  # noqa: BLE001 - of this image alone: the others go on
            return Skipped.of(source, error)

    def _submit_score(self, items: list[Window | Skipped]) -> Future[list[ScoredBatch]]:
        self._check_open()
        return self._model.submit(self._score_or_part, items)

    def _submit_label(
        self, items: list[CompleteImage | Skipped], outputs: Collection[Output]
    ) -> Future[list[Result | Skipped]]:
        self._check_open()
        return self._labellers.submit(self._label, items, outputs)

    def _score_or_part(self, items: list[Window | Skipped]) -> list[ScoredBatch]:
        """Score a batch, or where the model fails on it each window alone.

        What fails then as well is of that window.
        """
        try:
            return [self._score(items)]
        except Exception as error:  # noqa: BLE001 - of whatever kind the model's errors are
            if len(items) == 1:
                return [ScoredBatch(items, error=error)]
        return [batch for item in items for batch in self._score_or_part([item])]

    def _score(self, items: list[Window | Skipped]) -> ScoredBatch:
        """Score the windows of a batch, on the model's thread."""
        windows = [item.pixels for item in items if isinstance(item, Window)]
        if not windows:
            return ScoredBatch(items)
        self._neighbors.look()
        clock = Clock(self.device)
        batch = self._copy(windows)
        copy_ms = clock.lap()
        scores, merge_maps = self._program.scores(batch)
        check_finite(scores)
        return ScoredBatch(items, scores, merge_maps, copy_ms, scores_ms=clock.lap())

    def _label(
        self, items: list[CompleteImage | Skipped], outputs: Collection[Output]
    ) -> list[Result | Skipped]:
        """Make outputs on the thread for labels; the model goes on with the next batch."""
        clock = Clock(self.device)
        # one image a call: label maps differ in size, and a batch of them would be large
        made = [self._outputs_or_skip(item, outputs) for item in items]
        labels_ms = clock.lap()
        images = sum(not isinstance(one, Skipped) for one in made)
        return [
            one if isinstance(one, Skipped) else one[0].result(one[1], labels_ms, images)
            for one in made
        ]

    def _outputs_or_skip(
        self, item: CompleteImage | Skipped, outputs: Collection[Output]
    ) -> tuple[CompleteImage, Outputs] | Skipped:
        if isinstance(item, Skipped):
            return item
        loaded = item.loaded
        try:
            kind = self.manifest.score_kind
            made = make_outputs(self._program, item.scores, loaded.grid, loaded.size, kind, outputs)
            return item, made
        except Exception as error:  # noqa: BLE001 - of this image alone: the others go on
            return Skipped.of(loaded.source, error)

    def _copy(self, images: Sequence[Tensor]) -> Tensor:
        """Copy images ``(3, H, W)`` of the host into ``(B, 3, H, W)`` on the device."""
        # A GPU copies from pinned memory by itself.
        pinned = self.device.type == "cuda"
        shape = (len(images), *images[0].shape)
        batch = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
        return torch.stack(list(images), out=batch).to(self.device, non_blocking=pinned)

    def __reduce__(self) -> "tuple[Callable[..., Runner], tuple[partial[Runner], str]]":
        self._check_not_closed()
        again = self._check_has_file("cannot be pickled or copied")
        return _reopen, (again, self.manifest.payload_sha256)

    def _check_open(self) -> None:
        self._check_not_closed()
        self._check_home()

    def _check_not_closed(self) -> None:
        if self._closed:
            raise InputError(f"{self.artifact}: this Runner is closed", "open a new one")

    def _check_has_file(self, what: str) -> "partial[Runner]":
        """Return what opens the file again."""
        if self._again is None:
            raise InputError(
                f"{self.artifact}: a Runner of a model without a file {what}",
                "build an artifact, and open that",
            )
        return self._again

    def _check_home(self) -> None:
        self._home.check(f"{self.artifact}: this Runner was opened")


def _check_words(label_size: str, channels: str) -> None:
    if label_size not in ("image", "input"):
        raise InputError(f"label_size: expected 'image' or 'input', got {label_size!r}")
    if channels not in get_args(ChannelOrder):
        raise InputError(f"channels: expected 'rgb' or 'bgr', got {channels!r}")


def _opened(
    artifact: str | Path | OpenArtifact, device: str | None, trust: str | Path | None
) -> tuple[Path, OpenArtifact]:
    """Return the path of an artifact, or a word for what has none, and what is open of it."""
    if isinstance(artifact, str | os.PathLike):
        return Path(artifact), open_artifact(artifact, device, trust)
    if not isinstance(artifact, OpenArtifact):
        raise InputError(f"artifact: expected a path, got {type(artifact).__name__}")
    for name, value in (("device", device), ("trust", trust)):
        if value is not None:
            raise InputError(
                f"{name}: expected none with a model that is open already, got {str(value)!r}",
                "say it where the model is opened",
            )
    return Path("eager"), artifact


def _reopen(again: partial[Runner], payload_sha256: str) -> Runner:
    """Open the file of a pickled Runner, if it is still what that one had open."""
    runner = again()
    if runner.manifest.payload_sha256 != payload_sha256:
        runner.close()
        raise ArtifactError(
            f"{runner.artifact}: expected the file that the pickled Runner had open, got another",
            "put that file back, or pickle a Runner that is opened on this one",
        )
    return runner


class Clock:
    """A stopwatch that waits until the device has done what this thread asked of it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._last = self._now()

    def lap(self) -> float:
        """Return the milliseconds since the last lap, and begin another."""
        now = self._now()
        passed = (now - self._last) * 1e3
        self._last = now
        return passed

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.current_stream(self._device).synchronize()
        return time.perf_counter()


def _executor(workers: int, name: str, threads: int, device: torch.device) -> ThreadPoolExecutor:
    """Make workers whose calls use ``threads`` of torch's threads, and on a GPU a stream each.

    Each thread that calls a large operator gets a pool of its own from OpenMP. Where all pools
    together have more threads than there are cores, they go to sleep after every operator: the
    model then takes twice as long. Hence one thread, and no pool, for all but the model.
    """
    return ThreadPoolExecutor(workers, name, _prepare_thread, (threads, device))


def _prepare_thread(threads: int, device: torch.device) -> None:
    set_intra_op_threads(threads)
    if device.type == "cuda":
        torch.cuda.set_stream(torch.cuda.Stream(device))


def _pixels(taken: Taken | Frame, admit: Admit) -> Tensor:
    """Return ``(3, height, width)`` uint8 RGB."""
    if isinstance(taken, Tensor):
        return taken
    return taken.decode(admit) if isinstance(taken, Frame) else decode(taken, admit)


def _check_are_many(images: Any) -> None:
    """Refuse one image, which as an iterable is rows or bytes."""
    one = isinstance(images, bytes | bytearray | memoryview | Image.Image) or (
        isinstance(images, np.ndarray | Tensor) and images.ndim != 4
    )
    if one or not isinstance(images, Iterable) or hasattr(images, "read"):
        raise InputError(
            f"images: expected a folder or many images, got {name_of(images)}",
            "call the Runner for one image, or put it into a list",
        )


def _raising(
    outcomes: Generator[Result | Skipped, None, None],
) -> Generator[Result | None, None, None]:
    """Pass results on up to the first image that was skipped, and raise what it was skipped for.

    The first thing that it yields is None, once it holds the outcomes.
    """
    with closing(outcomes):
        yield None
        for outcome in outcomes:
            yield _result(outcome)


def _begun(
    outcomes: Generator[Result | Skipped | None, None, None],
) -> Generator[Result | Skipped, None, None]:
    """Have a generator yield its first None: dropped from there on, it lets go of what it holds."""
    next(outcomes)
    return cast("Generator[Result | Skipped, None, None]", outcomes)


def _result(outcome: Result | Skipped) -> Result:
    if isinstance(outcome, Skipped):
        raise outcome.error
    return outcome
