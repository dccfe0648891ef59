"""Make what is asked for of an image: its label map, its class scores, their probabilities.

scores of the windows ─┬─▶ label map
                       └─▶ class scores, a mean where windows overlap ─▶ probabilities

Nothing is made that is not asked for.
"""

from collections.abc import Collection
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mpm_deploy.artifact import ScoreKind
from mpm_deploy.backends import Program
from mpm_deploy.errors import InputError, ModelError
from mpm_deploy.images.windows import Size, WindowGrid
from mpm_deploy.ops.label_map.windows import window_means
from mpm_deploy.support.tensors import all_finite

Output = Literal["labels", "scores", "probabilities"]
Outputs = dict[Output, NDArray[Any]]

OUTPUTS: tuple[Output, ...] = get_args(Output)
LABELS: tuple[Output, ...] = ("labels",)


def taken_outputs(outputs: Any) -> tuple[Output, ...]:
    """Return the names of what an image is asked for, which the caller may then change.

    Raises:
        InputError: A name that is none of `OUTPUTS`, or a string for a tuple.
    """
    is_collection = isinstance(outputs, Collection) and not isinstance(outputs, str)
    names = tuple(outputs) if is_collection else ()
    if not is_collection or not all(isinstance(n, str) and n in OUTPUTS for n in names):
        raise InputError(
            f"outputs: expected some of {', '.join(OUTPUTS)} in a tuple, got {outputs!r}",
            'as in outputs=("labels", "scores")',
        )
    return names


def check_finite(scores: Tensor) -> None:
    """Refuse scores of which no label can be made.

    Args:
        scores: Of any shape.

    Raises:
        ModelError: One is infinite or NaN.
    """
    if not all_finite(scores):
        raise ModelError(
            "the model gives scores that are not finite",
            "numbers in it grow too large for its type: --set backend.dtype=float32",
        )


def make_outputs(
    program: Program,
    scores: Tensor,
    grid: WindowGrid | None,
    size: Size,
    kind: ScoreKind,
    outputs: Collection[Output],
) -> Outputs:
    """Make the outputs of one image, in host memory.

    Args:
        program: What gave the scores.
        scores: ``(windows, K, h, w)`` float32 on the program's device.
        grid: Where the windows lie; None where the one window is the whole image.
        size: ``(height, width)`` of the label map.
        kind: What the scores are.
        outputs: Which of them to make.
    """
    made: Outputs = {}
    if "labels" in outputs:
        made["labels"] = _label_map(program, scores, grid, size).cpu().numpy()
    if "scores" in outputs or "probabilities" in outputs:
        means = scores[0] if grid is None else window_means(scores, grid)  # (K, rows, columns)
        if "scores" in outputs:
            made["scores"] = _in_host_memory(means)
        if "probabilities" in outputs:
            made["probabilities"] = _in_host_memory(_probabilities(means, kind))
    return made


def _probabilities(scores: Tensor, kind: ScoreKind) -> Tensor:
    """Return the probability of each class ``(K, rows, columns)``, from scores of that shape."""
    if kind == "logits":
        return scores.softmax(dim=0)
    return scores / scores.sum(dim=0).clamp(min=torch.finfo(scores.dtype).tiny)


def _label_map(program: Program, scores: Tensor, grid: WindowGrid | None, size: Size) -> Tensor:
    if grid is None:
        return program.labels(scores, size)[0]
    return program.window_labels(scores, grid, size)


def _in_host_memory(values: Tensor) -> NDArray[np.float32]:
    """Copy a tensor, so that who keeps it does not keep the scores of a whole batch."""
    copied: NDArray[np.float32] = values.to("cpu", copy=True).contiguous().numpy()
    return copied
