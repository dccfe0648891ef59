"""Give a file's tensors the names that they have here, with an account of every one.

A translation asks for each tensor by its name in the file and the shape that it has to have, and
returns tensors by their names here. It runs twice: on shapes alone, which tells all that a file
must hold, and then on the file's numbers. So no list of names can differ from what is read.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.models.weights.checks import as_float32, differing_names


class Take(Protocol):
    """Returns a file's tensor of that name and shape."""

    def __call__(self, name: str, *shape: int) -> Tensor: ...


Translation = Callable[[Take], dict[str, Tensor]]


def translated(
    place: object, theirs: Mapping[str, Tensor], translation: Translation, network: str, cure: str
) -> dict[str, Tensor]:
    """Return a file's tensors as float32 under the names that they have here.

    Args:
        place: The file or folder.
        theirs: Its tensors by name, without those that nobody uses.
        translation: What they become.
        network: What says which network they are, as in ``"variant.yml"``.
        cure: What to do where they are another's.

    Raises:
        ModelError: Names are missing or too many, a tensor has another shape, or numbers are not
            finite.
    """
    _check(place, theirs, _expected(translation), network, cure)
    numbers = as_float32(place, theirs)
    return translation(lambda name, *_: numbers[name])


def affine(take: Take, ours: str, theirs: str, *shape: int) -> dict[str, Tensor]:
    """Take a weight of that shape and its bias, which has one number for each row."""
    weight, bias = take(f"{theirs}.weight", *shape), take(f"{theirs}.bias", shape[0])
    return {f"{ours}.weight": weight, f"{ours}.bias": bias}


def _expected(translation: Translation) -> dict[str, tuple[int, ...]]:
    expected: dict[str, tuple[int, ...]] = {}

    def outline(name: str, *shape: int) -> Tensor:
        expected[name] = shape
        return torch.empty(shape, device="meta")

    translation(outline)
    return expected


def _check(
    place: object,
    theirs: Mapping[str, Tensor],
    expected: Mapping[str, tuple[int, ...]],
    network: str,
    cure: str,
) -> None:
    differing = differing_names(expected, theirs)
    if differing:
        raise ModelError(
            f"{place}: weights are not those of the network in {network}: {differing}", cure
        )
    for name, shape in expected.items():
        if tuple(theirs[name].shape) != shape:
            raise ModelError(
                f"{place}: {name}: expected shape {shape}, as {network} says, got "
                f"{tuple(theirs[name].shape)}",
                cure,
            )
