"""Mappings read strictly into dataclasses."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest

from mpm_deploy.support.schema import StructureError, check_types, read_structure, to_mapping


@dataclass(frozen=True)
class Inner:
    sizes: tuple[int, int]
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True)
class Outer:
    name: str
    share: float
    inner: Inner
    blocks: tuple[int, ...] = ()
    limit: int | None = None
    free: dict[str, Any] | None = None
    flag: bool = False


WHOLE = {
    "name": "x",
    "share": 0.5,
    "inner": {"sizes": [3, 4], "kind": "b"},
    "blocks": [1, 2],
    "limit": 7,
    "free": {"any": ["thing"]},
    "flag": True,
}


def test_a_mapping_becomes_a_dataclass_and_back():
    outer = read_structure(Outer, WHOLE)
    assert outer == Outer("x", 0.5, Inner((3, 4), "b"), (1, 2), 7, {"any": ["thing"]}, True)
    assert to_mapping(outer) == WHOLE


def test_defaults_fill_in_and_whole_numbers_are_numbers():
    outer = read_structure(Outer, {"name": "x", "share": 1, "inner": {"sizes": [3, 4]}})
    assert outer == Outer("x", 1.0, Inner((3, 4)))
    assert isinstance(outer.share, float)


@pytest.mark.parametrize(
    ("change", "key", "problem"),
    [
        ({"more": 1}, "more", "unknown key"),
        ({"name": 3}, "name", "expected text, got 3"),
        ({"share": "half"}, "share", "expected a number"),
        ({"share": True}, "share", "expected a number"),
        ({"flag": 1}, "flag", "expected true or false"),
        ({"limit": 1.5}, "limit", "expected a whole number"),
        ({"limit": True}, "limit", "expected a whole number"),
        ({"inner": 3}, "inner", "expected a table"),
        ({"inner": {"sizes": [1, 2], "kind": "c"}}, "inner.kind", "unknown value 'c'"),
        ({"inner": {"sizes": [1]}}, "inner.sizes", "expected 2 values"),
        ({"inner": {"sizes": 1}}, "inner.sizes", "expected a list"),
        ({"inner": {}}, "inner.sizes", "missing"),
        ({"blocks": [1, "2"]}, "blocks[1]", "expected a whole number"),
        ({"free": []}, "free", "expected a table"),
    ],
)
def test_what_does_not_fit_is_named(change, key, problem):
    with pytest.raises(StructureError) as caught:
        read_structure(Outer, {**WHOLE, **change})
    assert caught.value.key == key
    assert problem in caught.value.problem


def test_what_would_do_is_listed():
    with pytest.raises(StructureError) as caught:
        read_structure(Inner, {"sizes": [1, 2], "knd": "a"})
    assert caught.value.allowed == ("sizes", "kind")


def test_unknown_keys_can_be_passed_over_also_inside() -> None:
    @dataclass(frozen=True)
    class Inner:
        x: int

    @dataclass(frozen=True)
    class Outer:
        each: tuple[Inner, ...]

    data = {"each": [{"x": 1, "new": 2}], "new": 3}
    assert read_structure(Outer, data, unknown_keys=True) == Outer((Inner(1),))
    with pytest.raises(StructureError, match="new: unknown key"):
        read_structure(Outer, data)


def test_numbers_of_numpy_become_pythons() -> None:
    changed = {"blocks": [np.int64(1), np.uint8(2)], "limit": np.int32(7), "share": np.float32(0.5)}
    outer = read_structure(Outer, {**WHOLE, **changed})
    assert outer == read_structure(Outer, WHOLE)
    numbers = (*outer.blocks, outer.limit, outer.share)
    assert [type(number) for number in numbers] == [int, int, int, float]


@dataclass(frozen=True)
class Checked:
    blocks: tuple[int, ...]
    kind: Literal["a", "b"] = "a"

    def __post_init__(self) -> None:
        check_types(self, "table")


def test_what_is_made_by_hand_is_held_to_its_types() -> None:
    made: Any = Checked([1, np.int64(2)])  # type: ignore[arg-type]
    assert made == Checked((1, 2)) and type(made.blocks[1]) is int
    with pytest.raises(
        StructureError, match=r"table\.blocks\[0\]: expected a whole number, got 1\.5"
    ):
        Checked((1.5,))  # type: ignore[arg-type]
    with pytest.raises(StructureError, match=r"table\.kind: unknown value 'c'"):
        Checked((), "c")  # type: ignore[arg-type]
