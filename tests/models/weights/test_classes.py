"""The names of classes, against what their data sets say: counts, orders and some numbers."""

import pytest

from mpm_deploy.models.weights.classes import classes_of, names_of

# By the numbers of the data sets' own lists.
OBJECT_INFO_150 = {1: "wall", 13: "person", 44: "signboard", 63: "bookcase", 95: "land"}
OBJECT_INFO_150 |= {110: "swimming pool", 127: "animal", 137: "traffic light", 150: "flag"}
TRAIN_IDS = {0: "road", 5: "pole", 8: "vegetation", 12: "rider", 16: "train", 18: "bicycle"}
VOC_IN_CONTEXT = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "table", "train"),
    "tvmonitor",
)


@pytest.mark.parametrize(
    ("data_set", "count"), [("ade20k", 150), ("cityscapes", 19), ("pascal_context", 60)]
)
def test_counts(data_set: str, count: int) -> None:
    names = names_of(data_set)
    assert len(names) == len(set(names)) == count
    assert classes_of(count)[0] == names


def test_ade20k_has_the_order_of_object_info_150() -> None:
    names = names_of("ade20k")
    assert {number: names[number - 1] for number in OBJECT_INFO_150} == OBJECT_INFO_150


def test_cityscapes_has_the_order_of_the_train_ids() -> None:
    names = names_of("cityscapes")
    assert {number: names[number] for number in TRAIN_IDS} == TRAIN_IDS


def test_pascal_context_has_the_order_of_the_alphabet() -> None:
    background, *names = names_of("pascal_context")
    assert (background, names) == ("background", sorted(names))
    assert {*VOC_IN_CONTEXT} < {*names}
    assert classes_of(59)[0] == tuple(names)
