"""A model that is served: an artifact under a name, as the data plane of the protocol knows it."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Executor
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from kserve import InferRequest, InferResponse, Model

from mpm_deploy.errors import ImageError
from mpm_deploy.images.decode import ImageLike
from mpm_deploy.run.outputs import Output
from mpm_deploy.run.results import PreparedImage, Result
from mpm_deploy.run.runner import Runner
from mpm_deploy.serve.batcher import Batcher
from mpm_deploy.serve.metrics import WAITING, observe
from mpm_deploy.serve.places import Places
from mpm_deploy.serve.requests import INPUTS, images_of, outputs_of
from mpm_deploy.serve.responses import OUTPUTS, describe_outputs, respond

Outcome = TypeVar("Outcome")
Asked = tuple[PreparedImage, tuple[Output, ...]]  # an image, and what to make of it

_FEW = 1 << 12  # numbers that are soon an array
_GPU_PATIENCE = 0.002  # seconds; a call of a GPU takes that long for one image as for several


class ServedModel(Model):  # type: ignore[misc]  # kserve has no types
    """An artifact under the name that clients know; it serves between ``async with`` and its end.

    Args:
        name: The name.
        runner: The artifact, open. Whoever opened it closes it.
        places: Where images are counted.
        threads: What decodes images and writes label maps, on one thread of torch's each.
        batch: Images a call of the model; None is the Runner's usual batch.
    """

    def __init__(
        self,
        name: str,
        runner: Runner,
        places: Places,
        threads: Executor,
        batch: int | None = None,
    ) -> None:
        super().__init__(name)
        self._runner = runner
        self._places = places
        self._threads = threads
        on_gpu = runner.device.type == "cuda"
        self._batcher: Batcher[Asked, Result] = Batcher(
            self._infer, batch or runner.usual_batch_size, _GPU_PATIENCE if on_gpu else 0.0
        )

    def metadata(self) -> dict[str, Any]:
        """Return what the protocol tells of a model, and in its parameters what the labels mean."""
        manifest = self._runner.manifest
        return {
            "name": self.name,
            "platform": manifest.format,
            "inputs": INPUTS,
            "outputs": describe_outputs(manifest),
            "parameters": {
                "model": manifest.model.name,
                "weights": manifest.weights.origin,
                "input_size": [manifest.input.height, manifest.input.width],
                "classes": [*manifest.model.classes],
                "palette": [[*color] for color in manifest.model.palette],
            },
        }

    async def predict(
        self, payload: InferRequest, headers: dict[str, str] | None = None
    ) -> InferResponse:
        """Answer a request, which holds one place already.

        Raises:
            InputError: A request that makes no sense: says why.
            ImageError: An image that cannot be decoded.
            RefusedError: More images than there is room for.
            Whatever the model raises.
        """
        names = outputs_of(payload)
        numbers = sum(len(tensor.data or ()) for tensor in payload.inputs)  # and no bytes
        read = partial(images_of, payload)
        images = read() if numbers <= _FEW else await self.aside(read)
        outputs = tuple({output: None for name in names for output in OUTPUTS[name]})
        with self._places.bring(len(images) - 1):
            works = [self._segment(*numbered, outputs) for numbered in enumerate(images, start=1)]
            results = await _all_of(works)
            palette = self._runner.manifest.model.palette
            return await self.aside(partial(respond, payload, names, results, palette))

    async def aside(self, work: Callable[[], Outcome]) -> Outcome:
        """Do work that takes a while on another thread than the one that listens."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    async def __aenter__(self) -> "ServedModel":
        await self._batcher.__aenter__()
        WAITING.labels(self.name).set_function(lambda: self._batcher.waiting)
        self.ready = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ready = False
        WAITING.remove(self.name)
        await self._batcher.__aexit__(kind, error, trace)

    async def _segment(self, number: int, image: ImageLike, outputs: tuple[Output, ...]) -> Result:
        loaded = await self.aside(partial(self._load, number, image))
        begin = time.perf_counter()
        result = await self._batcher.submit((loaded, outputs))
        observe(self.name, result, time.perf_counter() - begin)
        return result

    def _load(self, number: int, image: ImageLike) -> PreparedImage:
        try:
            return self._runner.load(image)
        except ImageError as error:
            cure = error.hint or "send whole JPEG or PNG files"
            raise ImageError(f"image {number}: {error.problem}", cure) from error

    def _infer(self, asked: list[Asked]) -> Sequence[Result]:
        """Make of each image of a batch what is asked of any of them."""
        wanted = {output: None for _, outputs in asked for output in outputs}
        return self._runner.infer([image for image, _ in asked], tuple(wanted))


async def _all_of(works: Sequence[Coroutine[Any, Any, Outcome]]) -> list[Outcome]:
    """Do all at once; where one fails or the caller is cancelled, the others are dropped."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
