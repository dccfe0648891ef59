"""Recipes whose options do not fit their method."""

import pytest

from mpm_deploy.errors import RecipeError
from mpm_deploy.recipe import Recipe


def assert_refused(method: str, merge: dict[str, object], problem: str, hint: str) -> None:
    """Check what a recipe says of its ``[merge]`` table; that may name another method itself."""
    with pytest.raises(RecipeError) as caught:
        Recipe.from_dict({"name": "mine", "merge": {"method": method} | merge})
    assert problem in caught.value.problem
    assert hint in (caught.value.hint or "")
