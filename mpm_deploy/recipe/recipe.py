"""Define a recipe, which is made of `tables`, and change single values in it."""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from mpm_deploy.errors import RecipeError
from mpm_deploy.recipe.tables import (
    BackendRecipe,
    InputRecipe,
    MergeRecipe,
    ModelRecipe,
    VerifyRecipe,
    structured,
)
from mpm_deploy.support.documents import read_toml
from mpm_deploy.support.quoting import shortened, shown
from mpm_deploy.support.schema import OpenTable, read_structure, to_mapping

_DEFAULT: Any = object()  # the value of a key that --set empties
_NO_PARTS: dict[str, Any] = dict.fromkeys(("backbone", "head", "member", "family"))


@dataclass(frozen=True)
class Recipe:
    """A recipe holds all that a build needs to know.

    Args:
        name: A built-in recipe's name, or the file's.
        description: One line that says what it is for.
    """

    name: str
    description: str = ""
    model: ModelRecipe = field(default_factory=ModelRecipe)
    merge: MergeRecipe = field(default_factory=MergeRecipe)
    backend: BackendRecipe = field(default_factory=BackendRecipe)
    input: InputRecipe = field(default_factory=InputRecipe)
    verify: VerifyRecipe = field(default_factory=VerifyRecipe)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make a recipe from nested tables.

        Raises:
            RecipeError: An unknown key, or a value that is not allowed; names both.
        """
        with structured():
            return read_structure(cls, values)

    def to_dict(self) -> dict[str, Any]:
        """Return the recipe as nested plain values, ready for JSON; `from_dict` reads them back."""
        values: dict[str, Any] = to_mapping(self)
        return values

    def override(self, *assignments: str) -> Self:
        """Return the same recipe with some values changed, checked together like those of a file.

        Args:
            assignments: Each ``section.key=value`` with the value in TOML; a bare word is a string,
                and no value at all brings back the default.

        Raises:
            RecipeError: Not of that form, an unknown key, or a value that is not allowed.
        """
        values = self.to_dict()
        with placed("--set"):
            parsed = [_parse_assignment(assignment) for assignment in assignments]
            for section, key, value in parsed:
                self._forget_options(values, section, key, value)
            for section, key, value in parsed:
                table = values.setdefault(section, {})
                if not isinstance(table, dict):
                    raise RecipeError(f"{section}: expected a section, got a key of the whole")
                table[key] = value
            # A key that is emptied must be known too, so it is checked before it is left out.
            self._check_known(values)
            return self.from_dict(_without_defaults(values))

    def _forget_options(
        self, values: dict[str, Any], section: str, key: str, value: object
    ) -> None:
        """Drop the options of a member where an assignment names another one."""
        table = getattr(self, section, None)
        for choice in table.CHOICES if isinstance(table, OpenTable) else ():
            if key == choice.key and value != getattr(table, key):
                options = to_mapping(getattr(table, choice.field)) or {}
                values[section] = {k: v for k, v in values[section].items() if k not in options}

    def _check_known(self, values: Mapping[str, Any]) -> None:
        """Refuse an emptied key that no table has, nor a member of its family."""
        defaults = self.from_dict(_without_defaults(values)).to_dict()
        for section, table in values.items():
            for key in table if isinstance(table, dict) else ():
                if table[key] is _DEFAULT and key not in defaults[section]:
                    raise RecipeError(f"{section}.{key}: unknown key")

    def with_model(self, name: str) -> Self:
        """Return the same recipe with another model, by a short name or ``BACKBONE+HEAD``."""
        model = dataclasses.replace(self.model, name=name, **_NO_PARTS)
        return dataclasses.replace(self, model=model)

    def with_weights(self, weights: str) -> Self:
        """Return the same recipe with other weights, and with the model that they are for."""
        model = dataclasses.replace(self.model, weights=weights)
        if weights != "random":
            model = dataclasses.replace(model, name=None, **_NO_PARTS)
        return dataclasses.replace(self, model=model)

    def full_token(self) -> Self:
        """Return the same recipe without merging, which is the full-token model."""
        merge = MergeRecipe(blocks=(), reconstruct=self.merge.reconstruct)
        return dataclasses.replace(self, merge=merge)


def _without_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what takes its default again."""
    return {
        section: {key: value for key, value in table.items() if value is not _DEFAULT}
        if isinstance(table, dict)
        else table
        for section, table in values.items()
    }


def _parse_assignment(assignment: str) -> tuple[str, str, Any]:
    """Split ``section.key=value`` and read the value."""
    left, equals, text = assignment.partition("=")
    section, dot, key = left.strip().partition(".")
    if not (equals and dot and section and key):
        raise RecipeError(
            f"expected section.key=value, got {shown(assignment)}", "as in merge.blocks=[1,3]"
        )
    return section, key, _parse_value(assignment, text.strip()) if text.strip() else _DEFAULT


def _parse_value(assignment: str, text: str) -> Any:
    try:
        return read_toml(f"value = {text}")["value"]
    except ValueError as error:
        if re.fullmatch(r"[A-Za-z_~./][\w~./:+ -]*", text):  # a string whose quotes the shell took
            return text
        raise RecipeError(f"{shortened(assignment)}: expected a value in TOML: {error}") from error


@contextmanager
def placed(place: str) -> Iterator[None]:
    """Put the place in front of the message of any `RecipeError` that the block raises."""
    try:
        yield
    except RecipeError as error:
        raise RecipeError(f"{place}: {error.problem}", error.hint) from error
