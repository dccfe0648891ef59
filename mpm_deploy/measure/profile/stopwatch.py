"""Times the parts of an eager model, by wrapping the methods that compute them.

Segmenter ── embed ── block 0 ──────────── block 1 ── ... ── decode
                      merge, attention,                       decoder, and what is around it:
                      MLP                                     reconstruction
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from mpm_deploy.models.encoders.adapted_vit import AdaptedVit
from mpm_deploy.models.encoders.block import Block
from mpm_deploy.models.segmenter import Segmenter


class Part(NamedTuple):
    """A part of the model: ``"embed"``, ``"merge"``, ``"attention"``, ``"MLP"``, ``"adapter"``,
    ``"decoder"``, ``"reconstruct"``, or ``"other"``; and the block that it belongs to, if any.
    """

    name: str
    block: int | None = None


class Stopwatch:
    """Times each part of one model in milliseconds; once wrapped, the model runs a little slower.

    Args:
        model: An eager model; its methods are wrapped.
    """

    def __init__(self, model: Segmenter) -> None:
        self._model = model
        self._device = model.scale.device
        self._lap: dict[Part, float] = {}
        for owner, method, part in _parts(model):
            self._watch(owner, method, part)

    def time(self, images: Tensor) -> dict[Part, float]:
        """Run the model once and return the time of each part.

        Args:
            images: ``(B, 3, H, W)`` uint8.

        Returns:
            Milliseconds of each part, in the order they ran, and of ``"other"``: the rest.
        """
        self._lap = {}
        begin = self._now()
        with torch.inference_mode():
            self._model(images.to(self._device))
        total = (self._now() - begin) * 1e3
        lap = self._lap
        decode = lap.pop(Part("reconstruct"))  # all of it, until the decoder's own is taken off
        reconstruct = decode - lap[Part("decoder")]
        rest = total - sum(lap.values()) - reconstruct
        return {**lap, Part("reconstruct"): reconstruct, Part("other"): rest}

    def _watch(self, owner: nn.Module, method: str, part: Part) -> None:
        original: Callable[..., Any] = getattr(owner, method)

        def watched(*arguments: Any, **named: Any) -> Any:
            begin = self._now()
            outcome = original(*arguments, **named)
            self._lap[part] = self._lap.get(part, 0.0) + (self._now() - begin) * 1e3
            return outcome

        setattr(owner, method, watched)

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def _parts(model: Segmenter) -> Iterator[tuple[nn.Module, str, Part]]:
    """Yield what to wrap: the module, the method's name, and the part that it computes."""
    for method in ("embed", "_embed_halved"):
        yield model.encoder, method, Part("embed")
    for number, block in enumerate(model.encoder.blocks):
        reduction = cast(Block, block).reduction
        if reduction.place:
            yield reduction, reduction.place, Part("merge", number)
        yield block, "_attend", Part("attention", number)
        yield block, "_transform", Part("MLP", number)
    if isinstance(model.encoder, AdaptedVit):
        for method in ("_look", "_inject", "_extract", "_taps"):
            yield model.encoder, method, Part("adapter")
    yield model.decoder, "forward", Part("decoder")
    yield model, "_decode", Part("reconstruct")
