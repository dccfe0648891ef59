"""One is one, and all else is many."""

import pytest

from mpm_deploy.support.counting import counted


@pytest.mark.parametrize(("count", "said"), [(0, "0 frames"), (1, "1 frame"), (2, "2 frames")])
def test_what_is_counted_is_in_plural_unless_it_is_one(count: int, said: str) -> None:
    assert counted(count, "frame") == said
