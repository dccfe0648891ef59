"""Have the linear layers of a model's blocks multiply 8-bit integers.

    float32 ─▶ ranges on a few images ─▶ Int8Linear in place of each block's nn.Linear,
                                         ByteFunction in place of the GELU between two of them

What is outside of the blocks, which is the embedding of patches and the head's own layers, stays as
it is, and so does what is no linear layer: norms, attention, and the similarities of tokens.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from mpm_deploy.models.encoders.block import Block
from mpm_deploy.models.segmenter import Segmenter
from mpm_deploy.ops.byte_table import look_up

_LEVELS = 255  # steps between the least and the largest of 8 bits
_LARGEST_WEIGHT = 127
_GELU_IS_ZERO = -4.0  # from there down, to 1.3e-4


@dataclass(frozen=True)
class Bytes:
    """What bytes without a sign stand for: ``value ≈ (byte - zero_point) · scale``."""

    scale: float
    zero_point: int

    @classmethod
    def between(cls, lowest: float, highest: float) -> Self:
        """Spread the bytes over a range, and over 0 where it is outside."""
        lowest, highest = min(lowest, 0.0), max(highest, 0.0)
        scale = max(highest - lowest, 1e-6) / _LEVELS
        return cls(scale, round(-lowest / scale))

    def of(self, values: Tensor) -> Tensor:
        """Return the nearest bytes, uint8, of values in any floating-point type."""
        steps = (values.float() * (1 / self.scale)).round() + self.zero_point
        return steps.clamp(0, _LEVELS).to(torch.uint8)

    def all_values(self) -> Tensor:
        """Return what each byte stands for, ``(256,)`` float32."""
        return (torch.arange(_LEVELS + 1) - self.zero_point) * self.scale


class Int8Linear(nn.Module):
    """A linear layer that multiplies inputs in 8 bits without a sign by weights in 8 bits with one.

    Weights have a scale for each output. Inputs have one scale and one zero point for all, from the
    range that they were seen in, so that nothing has to be measured as it runs::

        input ≈ (byte - zero_point) · input_scale        weight ≈ int8 · weight_scale

    The operator is oneDNN's, whose sums are exact 32-bit integers.

    Args:
        linear: The layer that it computes, in float32.
        inputs: What the bytes of inputs stand for.
        outputs: The type of outputs, or what their bytes stand for.
    """

    def __init__(self, linear: nn.Linear, inputs: Bytes, outputs: Bytes | torch.dtype) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.inputs, self.outputs = inputs, outputs
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
        """Compute the layer: ``(T, in)``, or already its bytes, -> ``(T, out)``."""
        given = rows if rows.dtype == torch.uint8 else self.inputs.of(rows)
        outputs = self.outputs
        if isinstance(outputs, Bytes):
            written = (outputs.scale, outputs.zero_point, torch.uint8)
        else:
            written = (1.0, 0, outputs)
        operators: Any = torch.ops.onednn
        product: Tensor = operators.qlinear_pointwise(
            *(given, self.inputs.scale, self.inputs.zero_point),
            operators.qlinear_prepack(self.weight, None),  # once, as a compiler folds constants
            *(self.weight_scale, self.weight_zero_point, self.bias),
            *written,
            *("none", [], ""),  # and nothing after it
        )
        return product


class ByteFunction(nn.Module):
    """A function of one number, from bytes to bytes: a table of what it gives for each.

    Args:
        function: The function, element by element.
        inputs: What the bytes of inputs stand for.
        outputs: What those of outputs do.
    """

    def __init__(self, function: Callable[[Tensor], Tensor], inputs: Bytes, outputs: Bytes) -> None:
        super().__init__()
        table = outputs.of(function(inputs.all_values()))
        self.register_buffer("table", table, persistent=False)  # (256,) uint8

    def forward(self, values: Tensor) -> Tensor:
        """Apply the function: bytes ``(T, M)`` -> bytes ``(T, M)``."""
        table: Tensor = self.table  # type: ignore[assignment]
        return look_up(values, table)


def quantize(model: Segmenter, images: Iterable[Tensor], rest: torch.dtype) -> Segmenter:
    """Put an `Int8Linear` in place of every linear layer of the model's blocks.

    Args:
        model: A model in float32; it is changed.
        images: What inputs are measured on, ``(B, 3, H, W)`` uint8 each.
        rest: The type that all else computes in.
    """
    measured = dict(_measured(model))
    with ExitStack() as hooks:
        ranges = {name: hooks.enter_context(_Range(part)) for name, part in measured.items()}
        with torch.inference_mode():
            for image in images:
                model(image)
    given = {name: Bytes.between(*each.limits) for name, each in ranges.items()}
    # Made of weights in float32, and put where nothing converts them any more.
    quantized = dict(_quantized(measured, given, rest))
    model.compute_in(rest)
    for name, part in quantized.items():
        model.set_submodule(name, part)
    return model


def _measured(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield each linear layer of a block, and its GELU, with its name in the model."""
    for place, block in model.named_modules():
        if isinstance(block, Block):
            for name, part in block.named_children():
                if isinstance(part, nn.Linear | nn.GELU):
                    yield f"{place}.{name}", part


def _quantized(
    parts: dict[str, nn.Module], given: dict[str, Bytes], rest: torch.dtype
) -> Iterator[tuple[str, nn.Module]]:
    """Yield what takes the place of each part; the layer before a GELU writes bytes for it."""
    for name, part in parts.items():
        block = name.rpartition(".")[0]
        activation = f"{block}.activation"
        if isinstance(part, nn.Linear):
            writes_bytes = name == f"{block}.fc1" and activation in parts
            yield name, Int8Linear(part, given[name], given[activation] if writes_bytes else rest)
        else:
            yield name, ByteFunction(part, given[name], given[f"{block}.fc2"])


class _Range:
    """The range ``limits`` of what a part has been given, while this is open."""

    def __init__(self, layer: nn.Module) -> None:
        self.limits = (0.0, 0.0)
        self._hook = layer.register_forward_pre_hook(self._measure)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()

    def _measure(self, module: nn.Module, inputs: tuple[Tensor]) -> None:
        lowest, highest = (limit.item() for limit in inputs[0].aminmax())
        if isinstance(module, nn.GELU):  # whose bytes are for what it tells apart
            lowest = max(lowest, _GELU_IS_ZERO)
        self.limits = (min(self.limits[0], lowest), max(self.limits[1], highest))
