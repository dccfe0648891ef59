"""The classes of an artifact against a data set's."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mpm_deploy.datasets import DATASETS
from mpm_deploy.datasets.classes import check_classes, named_otherwise
from mpm_deploy.errors import InputError
from mpm_deploy.models.weights.classes import classes_of

ARTIFACT = Path("segmenter.pt")
NAMES = ("sky", "traffic light", "tree", "road")


def of(*classes: str) -> Any:
    return SimpleNamespace(name="folder", classes=classes)


def test_the_same_names() -> None:
    for classes in (NAMES, ("Sky", "traffic_light", "TREE ", "road")):
        check_classes(ARTIFACT, NAMES, of(*classes))
        assert named_otherwise(NAMES, of(*classes)) is None


@pytest.mark.parametrize(
    ("classes", "problem"),
    [
        (("road", "tree", "traffic light", "sky"), "'sky' as number 0, which is 3 there, .* for 4"),
        (("Sky", "TREE", "Traffic-Light", "Road"), "'traffic light' as number 1, .* 2 there"),
        (("sky", "tree", "plant", "road"), "'tree' as number 2, which is 1 there, and so for 1 of"),
    ],
)
def test_the_same_names_at_other_numbers(classes: tuple[str, ...], problem: str) -> None:
    with pytest.raises(InputError, match=f"segmenter.pt: .*{problem}") as caught:
        check_classes(ARTIFACT, NAMES, of(*classes))
    assert caught.value.hint is not None and "mpm-deploy inspect" in caught.value.hint


def test_other_names_are_told() -> None:
    check_classes(ARTIFACT, NAMES, of("sky", "lamp", "tree", "road"))
    told = named_otherwise(NAMES, of("sky", "lamp", "tree", "road"))
    assert told is not None and "1 of 4 classes" in told
    assert told.endswith("1 is 'traffic light' there and 'lamp' here")
    told = named_otherwise(NAMES, of("0", "1", "2", "3"))
    assert told is not None and "4 of 4 classes" in told and told.endswith(", and 1 more")


def test_numbers_are_no_names() -> None:
    numbered = classes_of(4)[0]
    check_classes(ARTIFACT, numbered, of("class 1", "class 2", "class 3", "class 4"))


def test_a_name_that_is_there_twice_may_stand_at_either() -> None:
    check_classes(ARTIFACT, ("sky", "tree", "screen", "screen"), of("sky", "tree", "pc", "screen"))


def test_checkpoints_name_the_classes_as_their_data_sets_do() -> None:
    for member in DATASETS.values():
        if member.classes:
            assert classes_of(len(member.classes))[0] == member.classes
