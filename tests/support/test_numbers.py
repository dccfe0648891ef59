"""Whole numbers of callers: what is one, and what the message says of what is not."""

from typing import Any

import numpy as np
import pytest
import torch

from mpm_deploy.errors import InputError
from mpm_deploy.support.numbers import (
    finite_number,
    integers,
    whole_number,
    whole_number_or_none,
    whole_numbers,
)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)])
def test_integers_of_any_library_are_pythons(value: Any) -> None:
    number = whole_number("batch_size", value)
    assert number == 3 and type(number) is int


@pytest.mark.parametrize(
    "value",
    [1.5, 1.0, np.float32(1), float("nan"), True, np.True_, "1", None, [1], np.array([1, 2])],
)
def test_what_is_no_whole_number_is_named(value: Any) -> None:
    with pytest.raises(InputError, match=r"^batch_size: expected a whole number, got "):
        whole_number("batch_size", value)


@pytest.mark.parametrize(
    ("value", "least", "problem"),
    [
        (0, 1, "threads: expected 1 or more, got 0"),
        (-3, 0, "threads: expected 0 or more, got -3"),
        (2**31, 1, "threads: expected 2147483647 at most, got 2147483648"),
        (10**30, 1, f"threads: expected 2147483647 at most, got {10**30}"),
    ],
)
def test_a_number_out_of_range_is_told_which_end(value: int, least: int, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        whole_number("threads", value, least)
    assert caught.value.problem == problem


def test_none_stays_none_where_it_may() -> None:
    assert whole_number_or_none("threads", None) is None
    assert whole_number_or_none("threads", np.int32(2)) == 2
    with pytest.raises(InputError, match=r"expected a whole number, got 2\.0"):
        whole_number_or_none("threads", 2.0)


@pytest.mark.parametrize("values", [(1, 2), [np.int64(1), 2], np.array([1, 2]), range(1, 3)])
def test_a_list_of_any_kind_becomes_a_tuple_of_ints(values: Any) -> None:
    for taken in (integers("blocks", values), whole_numbers("blocks", values)):
        assert taken == (1, 2) and {type(number) for number in taken} == {int}


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (3, "batch_sizes: expected a list, got 3"),
        (None, "batch_sizes: expected a list, got None"),
        ((1, 1.5), "batch_sizes[1]: expected a whole number, got 1.5"),
        ("12", "batch_sizes[0]: expected a whole number, got '1'"),
        ((), "batch_sizes: expected one or more, got none"),
        ((1, 0), "batch_sizes: expected 1 or more, got 0"),
    ],
)
def test_a_list_that_is_none_or_holds_others_is_named(values: Any, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        whole_numbers("batch_sizes", values)
    assert caught.value.problem == problem


def test_an_integer_may_be_below_zero() -> None:
    assert integers("blocks", [-1]) == (-1,)
    assert integers("blocks", []) == ()


@pytest.mark.parametrize("value", [1, 1.5, np.float32(1.5), np.int64(1)])
def test_a_finite_number_is_a_float(value: Any) -> None:
    number = finite_number("max_drop", value)
    assert number == value and type(number) is float


@pytest.mark.parametrize("value", [float("nan"), float("inf"), True, "1", None, 1j])
def test_what_is_no_finite_number_is_named(value: Any) -> None:
    with pytest.raises(InputError, match=r"^max_drop: expected a number, got "):
        finite_number("max_drop", value)
