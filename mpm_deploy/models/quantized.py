"""Have the linear layers of a model's blocks multiply 8-bit integers.

    float32 ─▶ ranges of inputs on a few images ─▶ Int8Linear in place of each block's nn.Linear

What is outside of the blocks, which is the embedding of patches and the head's own layers, stays as
it is, and so does what is no linear layer: norms, attention, and the similarities of tokens.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Self

import torch
from torch import Tensor, nn

from mpm_deploy.models.encoders.block import Block
from mpm_deploy.models.segmenter import Segmenter

_LEVELS = 255  # steps between the least and the largest of 8 bits
_LARGEST_WEIGHT = 127


class Int8Linear(nn.Module):
    """A linear layer that multiplies inputs in 8 bits without a sign by weights in 8 bits with one.

    Weights have a scale for each output. Inputs have one scale and one zero point for all, from the
    range that they were seen in, so that nothing has to be measured as it runs::

        input ≈ (byte - zero_point) · input_scale        weight ≈ int8 · weight_scale

    The operator is oneDNN's, whose sums are exact 32-bit integers.

    Args:
        linear: The layer that it computes, in float32.
        lowest: The least input that was seen, or 0, which is among the bytes.
        highest: The largest, or 0.
    """

    def __init__(self, linear: nn.Linear, lowest: float, highest: float) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.input_scale = max(highest - lowest, 1e-6) / _LEVELS
        self.zero_point = round(-lowest / self.input_scale)
        largest = linear.weight.detach().abs().amax(dim=1).clamp(min=1e-12)  # (out,)
        scale = largest / _LARGEST_WEIGHT
        rounded = (linear.weight.detach() / scale[:, None]).round().to(torch.int8)  # (out, in)
        self.weight = nn.Parameter(rounded, requires_grad=False)
        bias = None if linear.bias is None else linear.bias.detach().clone()  # (out,)
        self.bias = None if bias is None else nn.Parameter(bias, requires_grad=False)
        self.register_buffer("weight_scale", scale, persistent=False)
        zeros = torch.zeros(self.out_features, dtype=torch.int32)
        self.register_buffer("weight_zero_point", zeros, persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        """Compute the layer: ``(T, in)`` -> ``(T, out)``, in the type of ``rows``."""
        steps = (rows.float() * (1 / self.input_scale)).round() + self.zero_point
        operators: Any = torch.ops.onednn
        product: Tensor = operators.qlinear_pointwise(
            *(steps.clamp(0, _LEVELS).to(torch.uint8), self.input_scale, self.zero_point),
            operators.qlinear_prepack(self.weight, None),  # once, as a compiler folds constants
            *(self.weight_scale, self.weight_zero_point, self.bias),
            *(1.0, 0, rows.dtype),  # not quantized again
            *("none", [], ""),  # and nothing after it
        )
        return product


def quantize(model: Segmenter, images: Iterable[Tensor], rest: torch.dtype) -> Segmenter:
    """Put an `Int8Linear` in place of every linear layer of the model's blocks.

    Args:
        model: A model in float32; it is changed.
        images: What inputs are measured on, ``(B, 3, H, W)`` uint8 each.
        rest: The type that all else computes in.
    """
    layers = dict(_layers(model))
    with ExitStack() as hooks:
        ranges = {name: hooks.enter_context(_Range(layer)) for name, layer in layers.items()}
        with torch.inference_mode():
            for image in images:
                model(image)
    # Made of weights in float32, and put where nothing converts them any more.
    quantized = {name: Int8Linear(layers[name], *ranges[name].limits) for name in layers}
    model.compute_in(rest)
    for name, layer in quantized.items():
        model.set_submodule(name, layer)
    return model


def _layers(model: nn.Module) -> Iterator[tuple[str, nn.Linear]]:
    """Yield each linear layer of a block, with its name in the model."""
    for place, block in model.named_modules():
        if isinstance(block, Block):
            for name, layer in block.named_children():
                if isinstance(layer, nn.Linear):
                    yield f"{place}.{name}", layer


class _Range:
    """The range ``limits`` of what a layer has been given, while this is open."""

    def __init__(self, layer: nn.Module) -> None:
        self.limits = (0.0, 0.0)
        self._hook = layer.register_forward_pre_hook(self._measure)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()

    def _measure(self, _: nn.Module, inputs: tuple[Tensor]) -> None:
        lowest, highest = (limit.item() for limit in inputs[0].aminmax())
        self.limits = (min(self.limits[0], lowest), max(self.limits[1], highest))
