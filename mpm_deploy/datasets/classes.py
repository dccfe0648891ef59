"""Compares the classes of an artifact with a data set's: a class is its number, whatever its name.

The same name at another number is a mistake, in one list or in the other. Names that only one of
them knows may be other words for the same: they are told, and nothing more.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from mpm_deploy.datasets import DATASETS, Dataset
from mpm_deploy.errors import InputError
from mpm_deploy.models.weights.classes import numbered_classes

_LISTED = 3  # of the names that differ


def check_classes(artifact: Path, names: Sequence[str], dataset: Dataset) -> None:
    """Check that an artifact's classes can be those of a data set.

    Args:
        artifact: The artifact's file.
        names: The names of its classes.
        dataset: The data set.

    Raises:
        InputError: There are more or fewer, or the same names at other numbers.
    """
    if len(names) != len(dataset.classes):
        raise InputError(
            f"{artifact}: expected the {len(dataset.classes)} classes of {dataset.name}, "
            f"got {len(names)}",
            _cure_of_count(len(names), dataset),
        )
    moved = _moved(names, dataset.classes)
    if moved:
        name, ours, theirs = moved[0]
        raise InputError(
            f"{artifact}: expected the classes of {dataset.name} in their order, got class "
            f"{name!r} as number {ours}, which is {theirs} there, and so for {len(moved)} of "
            f"{len(names)} names",
            "number the classes, and the label maps, as the artifact does: mpm-deploy inspect "
            "ARTIFACT lists them; where its names are wrong, build it anew with the right ones",
        )


def named_otherwise(names: Sequence[str], dataset: Dataset) -> str | None:
    """Say which classes an artifact and a data set call by different names; None if none."""
    pairs = list(zip(names, dataset.classes, strict=True))
    differing = [
        f"{number} is {ours!r} there and {theirs!r} here"
        for number, (ours, theirs) in enumerate(pairs)
        if _plain(ours) != _plain(theirs)
    ]
    if not differing:
        return None
    return (
        f"the artifact names {len(differing)} of {len(names)} classes otherwise than the data set: "
        f"{_first(differing)}"
    )


def _moved(names: Sequence[str], others: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return each name that both lists have, and never at the same number, with its number in
    each.
    """
    if tuple(names) == numbered_classes(len(names))[0]:
        return []  # these are no names
    ours, theirs = _numbers(names), _numbers(others)
    return [
        (name, min(ours[name]), min(theirs[name]))
        for name in ours
        if name in theirs and not ours[name] & theirs[name]
    ]


def _numbers(names: Sequence[str]) -> dict[str, set[int]]:
    numbers: dict[str, set[int]] = defaultdict(set)
    for number, name in enumerate(names):
        numbers[_plain(name)].add(number)
    return numbers


def _plain(name: str) -> str:
    """Return a name without what writers differ in: case, and what stands between words."""
    return re.sub(r"[\W_]+", " ", name.casefold()).strip()


def _first(items: Sequence[str]) -> str:
    more = f", and {len(items) - _LISTED} more" if len(items) > _LISTED else ""
    return ", ".join(items[:_LISTED]) + more


def _cure_of_count(count: int, dataset: Dataset) -> str:
    fitting = [name for name, member in DATASETS.items() if len(member.classes) == count]
    if fitting:
        return f"{' or '.join(fitting)} has {count}: evaluate it on that"
    return f"name an artifact whose weights were trained on {dataset.name}"
