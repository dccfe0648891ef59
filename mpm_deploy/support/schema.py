"""Read mappings (of JSON or TOML) strictly into frozen dataclasses, and turn them back.

The types of the fields are the schema: ``str``, ``int``, ``float``, ``bool``, ``Literal``,
``X | None``, ``tuple[X, ...]``, ``tuple[X, Y]``, ``dict[str, X]`` and dataclasses of these.
A field without a default is required; a key that is no field is an error. A table that names
members of families holds their options too (`OpenTable`).
"""

import numbers
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from mpm_deploy.support.family import Family, OptionError
from mpm_deploy.support.quoting import shortened, shown

T = TypeVar("T")


class StructureError(ValueError):
    """A mapping does not have the structure of a dataclass.

    Args:
        key: The key that is wrong, as ``section.key``; empty for the whole mapping.
        problem: What is wrong with it.
        allowed: The keys or values that would do, if they can be listed.
        hint: The cure, if there is more to say than what is allowed.
    """

    def __init__(
        self, key: str, problem: str, allowed: tuple[str, ...] = (), hint: str | None = None
    ) -> None:
        key = shortened(key)
        super().__init__(f"{key}: {problem}" if key else problem)
        self.key = key
        self.problem = problem
        self.allowed = allowed
        self.hint = hint


@dataclass(frozen=True, eq=False)
class Choice:
    """A key of an `OpenTable` that names a member, whose options stand in the table too.

    Args:
        key: The key.
        family: The family that the member is of.
        field: The field of the table that holds the member with its options.
    """

    key: str
    family: Family
    field: str = "member"

    @property
    def word(self) -> str:
        """What a message calls one member."""
        return self.family.word

    def find(self, name: str) -> Any:
        """Return the kind of member that a name means; None if there is none."""
        return self.family.get(name)

    def named_in(self, table: type["OpenTable"], values: Mapping[Any, Any]) -> Any:
        """Return the name that the values of a table hold, or else its default."""
        return values.get(self.key, getattr(table, self.key))

    def names(self) -> Mapping[str, Any]:
        """Return every name that may be listed, and the kind of member that it means."""
        return self.family


class OpenTable:
    """A table in which a key names a member of a family, and that member's options stand too.

        method = "tome"        names the member
        blocks = [2, 5]        a field of the table
        ratio = 0.2            an option of the member

    Subclasses are frozen dataclasses. For each of their choices a last field holds the member with
    its options; None takes the defaults of the one that is named.
    """

    CHOICES: ClassVar[tuple[Choice, ...]]

    def __post_init__(self) -> None:
        for choice in self.CHOICES:
            name, member = getattr(self, choice.key), getattr(self, choice.field, None)
            kind = None if name is None else choice.find(name)
            if member is None and kind is not None:
                object.__setattr__(self, choice.field, kind())
            elif member is not None and (kind is None or not isinstance(member, kind)):
                expected = f"one of {choice.word} {name!r}"
                cure = f"change both: {choice.key} too"
                raise OptionError(choice.field, expected, member, cure)
        self._check_names_differ()

    def _check_names_differ(self) -> None:
        """Refuse members that have an option of the same name, which would mean either."""
        taken: set[str] = set()
        for choice in self.CHOICES:
            options = _options_of(getattr(self, choice.field))
            if shared := sorted(taken & options):
                expected = f"one that has no option named {shared[0]!r}, as another member has one"
                raise OptionError(choice.key, expected, getattr(self, choice.key))
            taken |= options

    @classmethod
    def own_fields(cls) -> tuple[str, ...]:
        """Return the names of the table's own keys, without those of its members."""
        members = {choice.field for choice in cls.CHOICES}
        names = (field.name for field in fields(cls))  # type: ignore[arg-type]
        return tuple(name for name in names if name not in members)


def _options_of(member: Any) -> set[str]:
    """Return the names of a member's options, or of those of a kind of member; None has none."""
    return set() if member is None else {field.name for field in fields(member)}


def read_structure(kind: type[T], data: object, key: str = "", *, unknown_keys: bool = False) -> T:
    """Make an instance of the dataclass ``kind`` from a mapping.

    Args:
        kind: A dataclass.
        data: What a JSON or TOML parser gave.
        key: Where ``data`` stands in a larger whole.
        unknown_keys: Pass over keys that are no field, here and in all that is inside.

    Raises:
        StructureError: A key that is unknown, missing, or of another type.
    """
    if not isinstance(data, Mapping):
        raise StructureError(key, f"expected a table, got {shown(data)}")
    if issubclass(kind, OpenTable):
        return _read_open_table(kind, data, key, unknown_keys)
    return _read_fields(kind, data, key, unknown_keys)


def check_types(instance: Any, key: str = "") -> None:
    """Hold a frozen dataclass that was made by hand to what `read_structure` takes.

    Lists become tuples and the numbers of other libraries Python's, in place.

    Args:
        instance: It holds no dataclass but a member.
        key: Where it stands in a larger whole.

    Raises:
        StructureError: A value of another type than its field.
    """
    hints = get_type_hints(type(instance))
    own = instance.own_fields() if isinstance(instance, OpenTable) else None
    for name in own or [field.name for field in fields(instance)]:
        value = _read(hints[name], getattr(instance, name), _join(key, name), False)
        object.__setattr__(instance, name, value)


def _read_fields(kind: type[T], data: Mapping[Any, Any], key: str, unknown_keys: bool) -> T:
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    if unknown_keys:
        data = {name: value for name, value in data.items() if name in known}
    for name in data:
        if name not in known:
            raise StructureError(_join(key, name), "unknown key", tuple(known))
    for name, field in known.items():
        if name not in data and _is_required(field):
            raise StructureError(_join(key, name), "missing")
    values = {
        name: _read(hints[name], value, _join(key, name), unknown_keys)
        for name, value in data.items()
    }
    try:
        return kind(**values)
    except OptionError as error:
        problem = error.problem.removeprefix(f"{error.key}: ")
        raise StructureError(_join(key, error.key), problem, hint=error.hint) from error


def _read_open_table(kind: type[T], data: Mapping[Any, Any], key: str, unknown_keys: bool) -> T:
    table: type[OpenTable] = kind  # type: ignore[assignment]
    own = table.own_fields()
    values = {name: value for name, value in data.items() if name in own}
    options = {name: value for name, value in data.items() if name not in own}
    kinds = {choice: _named(choice, table, values, key) for choice in table.CHOICES}
    known = {name for member in kinds.values() for name in _options_of(member)}
    if not unknown_keys and (unknown := [name for name in options if name not in known]):
        raise _unknown_option(table, values, unknown[0], (*own, *sorted(known)), key)
    hints = get_type_hints(kind)
    read = {name: _read(hints[name], values[name], _join(key, name), False) for name in values}
    for choice, member in kinds.items():
        mine = {name: value for name, value in options.items() if name in _options_of(member)}
        if member is not None:
            read[choice.field] = _read_fields(member, mine, key, unknown_keys)
    return kind(**read)


def _named(choice: Choice, table: type[OpenTable], values: Mapping[Any, Any], key: str) -> Any:
    """Return the kind of member that a table names by a choice; None if it names none."""
    name = choice.named_in(table, values)
    if name is None:
        return None
    kind = choice.find(name) if isinstance(name, str) else None
    if kind is None:
        place, allowed = _join(key, choice.key), tuple(choice.names())
        raise StructureError(place, f"unknown value {shown(name)}", allowed)
    return kind


def _unknown_option(
    table: type[OpenTable],
    values: Mapping[Any, Any],
    option: object,
    allowed: tuple[str, ...],
    key: str,
) -> StructureError:
    named = [(choice, choice.named_in(table, values)) for choice in table.CHOICES]
    words = [f"{choice.word} {name!r}" for choice, name in named if name is not None]
    problem = f"unknown key with {' and '.join(words)}" if words else "unknown key"
    return StructureError(_join(key, option), problem, allowed, _whose(table, option))


def _whose(table: type[OpenTable], option: object) -> str | None:
    """Return the hint that names the members which have an option; None if none has."""
    for choice in table.CHOICES:
        members = choice.names().items()
        owners = [repr(name) for name, member in members if option in _options_of(member)]
        if owners:
            return f"leave it out, or set {choice.key} to {' or '.join(owners)}"
    return None


def to_mapping(instance: Any) -> Any:
    """Undo `read_structure`: turn dataclasses into dicts and tuples into lists, ready for JSON."""
    if isinstance(instance, OpenTable):
        mapping = {name: to_mapping(getattr(instance, name)) for name in instance.own_fields()}
        members = (getattr(instance, choice.field) for choice in instance.CHOICES)
        for member in members:
            mapping |= {} if member is None else to_mapping(member)
        return mapping
    if is_dataclass(instance):
        return {field.name: to_mapping(getattr(instance, field.name)) for field in fields(instance)}
    if isinstance(instance, list | tuple):
        return [to_mapping(item) for item in instance]
    if isinstance(instance, dict):
        return {name: to_mapping(item) for name, item in instance.items()}
    return instance


def _read(hint: Any, value: object, key: str, unknown_keys: bool) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return None if value is None else _read(arguments[0], value, key, unknown_keys)
    if origin is Literal:
        return _read_literal(arguments, value, key)
    if origin is tuple:
        return _read_tuple(arguments, value, key, unknown_keys)
    if origin is dict and arguments[1] is not Any:
        items = _read_plain(dict, value, key).items()
        return {n: _read(arguments[1], v, _join(key, n), unknown_keys) for n, v in items}
    if is_dataclass(hint):
        kind: type[Any] = hint  # type: ignore[assignment]
        return read_structure(kind, value, key, unknown_keys=unknown_keys)
    return _read_plain(origin or hint, value, key)


def _read_literal(allowed: tuple[Any, ...], value: object, key: str) -> Any:
    if value not in allowed:
        raise StructureError(key, f"unknown value {shown(value)}", tuple(map(str, allowed)))
    return value


def _read_tuple(
    arguments: tuple[Any, ...], value: object, key: str, unknown_keys: bool
) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise StructureError(key, f"expected a list, got {shown(value)}")
    if arguments[-1] is Ellipsis:
        arguments = (arguments[0],) * len(value)
    if len(arguments) != len(value):
        raise StructureError(key, f"expected {len(arguments)} values, got {shown(value)}")
    hinted = zip(arguments, value, strict=True)
    return tuple(
        _read(hint, item, f"{key}[{i}]", unknown_keys) for i, (hint, item) in enumerate(hinted)
    )


def _read_plain(kind: type[Any], value: object, key: str) -> Any:
    if not isinstance(value, bool) and isinstance(value, numbers.Integral):
        value = int(value)  # as NumPy's
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise StructureError(key, f"expected a number of 64 bits, got {shown(value)}")
    if kind is float and not isinstance(value, bool) and isinstance(value, numbers.Real):
        return float(value)
    # bool is an int to Python, and never one to a reader
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise StructureError(key, f"expected {_TYPE_NAMES.get(kind, kind)}, got {shown(value)}")
    return value


def _is_required(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _join(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)


_TYPE_NAMES: dict[type[Any], str] = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a table",
}
