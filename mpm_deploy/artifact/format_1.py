"""Read what is still of use in a file of format ``mpm-artifact/1``: its recipe."""

from collections.abc import Mapping
from typing import Any


def recipe_of_format_1(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe of format 1 as recipes are written today.

    Then the schedule was ``before_blocks``, the full-token model was method ``"none"``, and every
    table listed the options of all its members, null where they were not used.
    """
    tables = {name: _used(value) for name, value in recipe.items()}
    merge = tables.get("merge")
    if isinstance(merge, dict):
        if "before_blocks" in merge:
            merge["blocks"] = merge.pop("before_blocks")
        if merge.get("method") == "none":
            del merge["method"]
    return tables


def _used(value: Any) -> Any:
    """Leave out what was not used: null, and the one switch that was off for most methods."""
    if not isinstance(value, Mapping):
        return value
    unused = {name for name, each in value.items() if each is None}
    if value.get("proportional_attention") is False and value.get("method") != "tome":
        unused.add("proportional_attention")
    return {name: each for name, each in value.items() if name not in unused}
