"""Hold the members of a family by the names that recipes, manifests and commands call them.

    FAMILY["tome"] ──▶ its place, "mpm_deploy.models.reductions.tome:Tome", imported at first use
    FAMILY.find("tme") ──▶ InputError: expected one of ..., did you mean 'tome'?

A member says for itself which options it takes: it is a frozen dataclass, and its fields are them.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, distributions
from typing import Any, TypeVar

from mpm_deploy.errors import InputError

Value = TypeVar("Value")


class Words(str):
    """What came in place of a value, in words: a message says it as it is, without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class OptionError(InputError):
    """An option of a member has a value that it does not take.

    Args:
        key: The option's name.
        expected: What it takes, in words.
        value: What came; or `Words`, as where two options came and one is expected.
        hint: The cure.
    """

    def __init__(self, key: str, expected: str, value: object, hint: str | None = None) -> None:
        super().__init__(f"{key}: expected {expected}, got {value!r}", hint)
        self.key = key


class Family(Mapping[str, Any]):
    """The members of one family, in order: this package's, those of others, those added.

    Another package brings members with entry points in the group ``mpm_deploy.NAME``, a program
    with `add`.

    Args:
        name: The family's name in plural, as in ``"reductions"``.
        word: What a message calls one member, as in ``"merge method"``.
        places: The package's own members and where each is, ``"module:attribute"`` or
            ``"module"``.
    """

    def __init__(self, name: str, word: str, places: Mapping[str, str]) -> None:
        self.name = name
        self.word = word
        self.places = dict(places)
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = self._load(name)
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._loaded or name in self._every_place  # without loading any

    def __iter__(self) -> Iterator[str]:
        return iter({**self._every_place, **self._loaded})

    def __len__(self) -> int:
        return len(list(iter(self)))

    def find(self, name: str) -> Any:
        """Return the member of that name.

        Raises:
            InputError: There is none; names those there are.
        """
        if name not in self:
            raise InputError(
                f"{self.word} {name!r}: expected one of {', '.join(self)}", nearest(name, self)
            )
        return self[name]

    def add(self, name: str, member: Any) -> None:
        """Add a member, for as long as this program runs.

        Raises:
            InputError: There is one of that name.
        """
        if name in self:
            raise InputError(f"{self.word} {name!r}: there is one of that name")
        self._loaded[name] = member

    def remove(self, name: str) -> None:
        """Remove a member that `add` added."""
        del self._loaded[name]

    def _load(self, name: str) -> Any:
        place = self._every_place[name]
        module, _, attribute = place.partition(":")
        try:
            loaded = import_module(module)
            return getattr(loaded, attribute) if attribute else loaded
        except (ImportError, AttributeError) as error:
            if name in self.places:  # ours: a fault of this package, or an optional one is missing
                raise
            raise InputError(
                f"{self.word} {name!r}, which another package brings from {place}, cannot be "
                f"loaded: {error}",
                "repair or uninstall that package",
            ) from error

    @cached_property
    def _every_place(self) -> dict[str, str]:
        group = f"mpm_deploy.{self.name}"
        found = {point.name: point.value for point in _entry_points() if point.group == group}
        return {**found, **self.places}


@cache
def _entry_points() -> tuple[EntryPoint, ...]:
    """Read what every installed package brings, which takes time, once for all families."""
    return tuple(point for package in distributions() for point in package.entry_points)


def require(holds: bool, key: str, expected: str, value: object, hint: str | None = None) -> None:
    """Refuse an option's value unless ``holds``, as in ``ratio: expected above 0, got -1``.

    Raises:
        OptionError: It does not hold.
    """
    if not holds:
        raise OptionError(key, expected, value, hint)


def require_counts(member: Any) -> None:
    """Refuse a member, all of whose options are counts, if one of them is below one.

    Raises:
        OptionError: One is.
    """
    for option in fields(member):
        value = getattr(member, option.name)
        require(value > 0, option.name, "> 0", value)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the hint that names the known word nearest to one; None if none is near."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]!r}?" if near else None
