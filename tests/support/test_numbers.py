"""Whole numbers of callers: what is one, and what the message says of what is not."""

from typing import Any

import numpy as np
import pytest
import torch

from mpm_deploy.errors import InputError
from mpm_deploy.support.numbers import whole_number, whole_number_or_none


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
