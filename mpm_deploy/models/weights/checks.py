"""Check what was read of a file of weights: the numbers it holds, and the names it gives them."""

from collections.abc import Collection, Mapping

import torch
from torch import Tensor

from mpm_deploy.errors import ModelError
from mpm_deploy.support.tensors import all_finite

_MOST_NAMES = 8  # in one list of a message


def as_float32(place: object, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors in float32, each of finite numbers.

    Args:
        place: Where they were read: the file, or the name it goes by.
        tensors: Tensors of any floating point type, by name.

    Raises:
        ModelError: One is of another type, or has values that are NaN, or infinite in float32;
            says which tensor and how many values.
    """
    return {name: _float32(f"{place}: {name}", tensor) for name, tensor in tensors.items()}


def _float32(where: str, tensor: Tensor) -> Tensor:
    kind = str(tensor.dtype).removeprefix("torch.")
    if not tensor.is_floating_point() or tensor.layout != torch.strided or tensor.is_meta:
        layout = str(tensor.layout).removeprefix("torch.")
        raise ModelError(
            f"{where}: expected dense floating point numbers, got {kind} ({layout}, "
            f"{tensor.device})",
            "save the weights as they were trained, not quantized, sparse or on meta",
        )
    numbers = tensor.detach().float()
    if all_finite(numbers):
        return numbers
    nan, infinite = int(numbers.isnan().sum()), int(numbers.isinf().sum())
    raise ModelError(
        f"{where}: expected values that are finite in float32, got {nan} NaN and {infinite} "
        f"infinite of {numbers.numel()} ({kind})",
        "the training diverged or the file is damaged: take an earlier checkpoint, or copy it anew",
    )


def unwrapped(tensors: Mapping[str, Tensor], known: str) -> dict[str, Tensor]:
    """Drop what wrappers put in front of every name, and the counter of an average.

    ``module.`` is DataParallel's, ``_orig_mod.`` that of `torch.compile`, ``model.`` or the like a
    Lightning module's, and ``n_averaged`` lies beside the weights of an `AveragedModel`.

    Args:
        tensors: Tensors by name.
        known: The name of one of them that every network has.
    """
    names = {name: name.replace("_orig_mod.", "") for name in tensors if name != "n_averaged"}
    prefixes = (name.removesuffix(known) for name in names.values() if name.endswith(f".{known}"))
    prefix = next(prefixes, "")
    if not all(name.startswith(prefix) for name in names.values()):
        prefix = ""
    return {new.removeprefix(prefix): tensors[name] for name, new in names.items()}


def of_reduction(name: str) -> bool:
    """Tell by its name in a model whether a tensor is the weight of a merge method's own."""
    return ".reduction." in name


def check_has_reductions(place: object, expected: Collection[str], got: Collection[str]) -> None:
    """Refuse weights without those of the merge method that a model merges by.

    Args:
        place: Where they were read: the file, or the name it goes by.
        expected: The names of the model's weights.
        got: The names of those that were read.

    Raises:
        ModelError: The method has weights of its own, and none of them is there.
    """
    wanted = sorted(filter(of_reduction, expected))
    if wanted and not any(map(of_reduction, got)):
        raise ModelError(
            f"{place}: expected weights of the merge method too, {wanted[0]!r} and "
            f"{len(wanted) - 1} more, got none",
            "take weights that were trained with this merge.method, as Segmenter's with CTS; or "
            "--weights random for speed only; or another method: --set merge.method=mpm",
        )


def differing_names(expected: Collection[str], got: Collection[str]) -> str:
    """Say which names are missing and which unexpected; empty where none is."""
    missing, unexpected = set(expected) - set(got), set(got) - set(expected)
    if not missing and not unexpected:
        return ""
    return f"missing {_listed(missing)}, unexpected {_listed(unexpected)}"


def _listed(names: Collection[str]) -> str:
    shown = sorted(names)[:_MOST_NAMES]
    more = len(names) - len(shown)
    return f"{shown or 'none'}" + (f" and {more} more" if more else "")
