"""Run segments one after the other, whatever computes them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor


class Step(Protocol):
    """One segment, in the hands of whatever computes it.

    Attributes:
        inputs: The names of what it takes: the images, or what segments before it gave.
    """

    @property
    def inputs(self) -> Sequence[str]: ...

    def run(self, inputs: Sequence[Tensor]) -> Mapping[str, Tensor]:
        """Compute what it gives, by name."""


def run_chain(steps: Sequence[Step], images: Tensor) -> dict[str, Tensor]:
    """Run the segments of a model on one image.

    The front of a buffer goes to the next segment where it lies: nothing is copied, and no more is
    read than how many rows that is.

    Args:
        steps: All of them, in order.
        images: ``(1, 3, H, W)`` uint8.

    Returns:
        What they took and gave, by the names that `segment` lists.

    Raises:
        RuntimeError: A segment lacks what a later one takes, or kept more rows than there are.
    """
    given = {"images": images}
    for merges, step in enumerate(steps, 1):
        given.update(step.run([_found(given, name) for name in step.inputs]))
        if merges < len(steps):
            tokens, kept = (_found(given, f"{name}_{merges}") for name in ("tokens", "kept"))
            given[f"tokens_{merges}"] = _front(tokens, int(kept))
    return given


def _found(given: Mapping[str, Tensor], name: str) -> Tensor:
    if name not in given:
        raise RuntimeError(f"no segment gives {name}")
    return given[name]


def _front(tokens: Tensor, kept: int) -> Tensor:
    """Return the first rows of a buffer ``(T, C)``, as many as a merge kept."""
    if not 0 <= kept <= tokens.shape[0]:
        raise RuntimeError(f"a segment kept {kept} of {tokens.shape[0]} rows")
    return tokens[:kept]


def outputs_of(given: Mapping[str, Tensor], merges: int, patches: int) -> tuple[Tensor, Tensor]:
    """Pick what a `Program` gives from what a chain gave.

    Args:
        given: By name, as `run_chain` returns it.
        merges: How many merges M the model has.
        patches: How many patches N an image has.

    Returns:
        ``scores (1, K, h, w)`` float32 and ``merge_maps (1, M, N)`` int32.

    Raises:
        RuntimeError: No segment gave one of them.
    """
    scores = _found(given, "scores")
    maps = [_found(given, f"merge_map_{merge}") for merge in range(1, merges + 1)]
    if not maps:
        return scores, torch.zeros(1, 0, patches, dtype=torch.int32, device=scores.device)
    return scores, torch.stack(maps, dim=1)
