"""Lists the variants that a sweep tries: ways of merging, each at some schedules.

mpm                 ×   [0] [1] ... [11]  [0, 1] [0, 2] ...  [0, 1, 2] ...  [0, 1, 2, 3] ...
tome:ratio=0.2      ×   the same
algm:threshold=0.9  ×   its pairs
cts:shared=103      ×   [0], and what begins with it: [0, 1] ... [0, 1, 2] ...
"""

import dataclasses
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, combinations
from typing import Any

from mpm_deploy.errors import InputError, MpmError, RecipeError
from mpm_deploy.families import REDUCTIONS
from mpm_deploy.models.encoders.config import checked_schedule
from mpm_deploy.recipe import MergeRecipe, Recipe

_FEW = (0, 1, 2, 3, 5, 8)  # of 12 blocks: the early ones, where a merge saves most
_MOST_MERGES = 4
_SETTING = re.compile(r"--set merge\.(\w+)=(\[[^\]]*\]|[\w.]+)")

Schedule = tuple[int, ...]


def parse_method(text: str) -> dict[str, str]:
    """Parse a method with its options, as in ``tome:ratio=0.2``.

    Returns:
        Keys of a recipe's ``[merge]`` and their values in TOML.

    Raises:
        InputError: Not of that form.
    """
    method, _, options = text.partition(":")
    pairs = [part.partition("=") for part in options.split(",")] if options else []
    if not method or any(not key or not value for key, _, value in pairs):
        raise InputError(
            f"method {text!r}: expected a name, and options behind it",
            "as in mpm, tome:ratio=0.2 or algm:threshold=0.9",
        )
    return {"method": method, **{key: value for key, _, value in pairs}}


def default_schedules(depth: int) -> list[Schedule]:
    """Return a schedule for each single block, and for every two, three and four of a few early
    ones.

    Args:
        depth: Blocks of the encoder.
    """
    few = sorted({depth * block // 12 for block in _FEW})
    several = (combinations(few, merges) for merges in range(2, _MOST_MERGES + 1))
    return [*((block,) for block in range(depth)), *chain.from_iterable(several)]


def all_variants(
    recipe: Recipe, depth: int, methods: Sequence[str], schedules: Sequence[Schedule] = ()
) -> list[MergeRecipe]:
    """Combine every method with every schedule, and check each before any of them is built.

    Args:
        recipe: Says how patches are reconstructed.
        depth: Blocks of its encoder.
        methods: Methods with their options, as `parse_method` reads them.
        schedules: None asks for `default_schedules`, of which each method takes what it can.

    Raises:
        InputError: A method that cannot be read, or comes twice; a schedule of anything but whole
            numbers.
        RecipeError: A method without its option, or a schedule that it cannot take.
        ModelError: A block that does not exist.
    """
    asked = [tuple(checked_schedule(schedule, depth, "schedule")) for schedule in schedules]
    wanted = asked or default_schedules(depth)
    variants = []
    for method in methods:
        options = parse_method(method)
        for schedule in wanted:
            if asked or _takes(options["method"], schedule):
                variants.append(_variant(recipe, options, schedule))
    twice = [variant for variant in variants if variants.count(variant) > 1]
    if twice:
        raise InputError(f"{name_of(twice[0])}: asked for twice", "name it once")
    return variants


def name_of(merge: MergeRecipe) -> str:
    """Name a way of merging, as in ``tome [2, 5] ratio=0.2``."""
    if not merge.blocks:
        return "full-token"
    options = [f"{name}={value}" for name, value in _options(merge).items()]
    return " ".join([merge.method, str(list(merge.blocks)), *options])


def recipe_lines(merge: MergeRecipe) -> str:
    """Return the ``[merge]`` section of a recipe, ready to paste."""
    own = {name: getattr(merge, name) for name in merge.own_fields()}
    lines = [f"{name} = {_toml(value)}" for name, value in {**own, **_options(merge)}.items()]
    return "\n".join(["[merge]", *lines])


def _options(merge: MergeRecipe) -> dict[str, Any]:
    """Return the options of the method that differ from what it takes by itself."""
    return {
        field.name: getattr(merge.member, field.name)
        for field in dataclasses.fields(merge.member)
        if getattr(merge.member, field.name) != field.default
    }


def _takes(method: str, schedule: Schedule) -> bool:
    """Tell whether a method takes a schedule; of one that is not known it is said later."""
    if method not in REDUCTIONS:
        return True
    member = REDUCTIONS[method]
    return member.merges in (None, len(schedule)) and member.first_block in (None, schedule[0])


def _variant(recipe: Recipe, options: dict[str, str], schedule: Schedule) -> MergeRecipe:
    plain = dataclasses.replace(recipe, merge=MergeRecipe(reconstruct=recipe.merge.reconstruct))
    values = {**options, "blocks": list(schedule)}
    with cures_of_a_sweep(options["method"]):
        try:
            return plain.override(*(f"merge.{key}={value}" for key, value in values.items())).merge
        except RecipeError as error:
            problem = error.problem.removeprefix("--set: ")
            name = f"{options['method']} {list(schedule)}"
            raise RecipeError(f"{name}: {problem}", error.hint) from error


@contextmanager
def cures_of_a_sweep(method: str) -> Iterator[None]:
    """Say the cures that the block's errors name as options of a sweep, which has no other.

    --set merge.ratio=0.1         ──▶ --method tome:ratio=0.1
    --set merge.blocks=[0, 4]     ──▶ --schedule 0,4
    """
    try:
        yield
    except MpmError as error:
        if error.hint is not None:
            error.hint = _SETTING.sub(lambda found: _option(method, *found.groups()), error.hint)
        raise


def _option(method: str, key: str, value: str) -> str:
    if key == "blocks":
        return f"--schedule {value.strip('[]').replace(' ', '')}"
    return f"--method {value}" if key == "method" else f"--method {method}:{key}={value}"


def _toml(value: object) -> str:
    if isinstance(value, bool | str):  # in these TOML is as JSON is
        return json.dumps(value)
    return str(list(value)) if isinstance(value, tuple) else str(value)
