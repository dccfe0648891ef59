"""Read mappings (of JSON or TOML) strictly into frozen dataclasses, and turn them back.

The types of the fields are the schema: ``str``, ``int``, ``float``, ``bool``, ``Literal``,
``X | None``, ``tuple[X, ...]``, ``tuple[X, Y]``, ``dict[str, X]`` and dataclasses of these.
A field without a default is required; a key that is no field is an error. A table that names a
member of a family holds that member's options too (`OpenTable`).
"""

import numbers
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
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


class OpenTable:
    """A table in which one key names a member of a family, and that member's options stand too.

        method = "tome"        names the member
        blocks = [2, 5]        a field of the table
        ratio = 0.2            an option of the member

    Subclasses are frozen dataclasses with a last field ``member``, which holds the member with its
    options; None takes the defaults of the one that is named.
    """

    FAMILY: ClassVar[Family]
    MEMBER_KEY: ClassVar[str]

    def __post_init__(self) -> None:
        name, member = getattr(self, self.MEMBER_KEY), getattr(self, "member", None)
        kind = None if name is None else self.FAMILY.find(name)
        if member is None and kind is not None:
            object.__setattr__(self, "member", kind())
        elif member is not None and (kind is None or not isinstance(member, kind)):
            expected = f"one of {self.FAMILY.word} {name!r}"
            raise OptionError("member", expected, member, f"change both: {self.MEMBER_KEY} too")

    @classmethod
    def own_fields(cls) -> tuple[str, ...]:
        """Return the names of the table's own keys, without those of the member."""
        return tuple(f.name for f in fields(cls) if f.name != "member")  # type: ignore[arg-type]


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
    for name in (field.name for field in fields(instance) if field.name != "member"):
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
    options = {name: value for name, value in data.items() if name not in own}
    values = {name: value for name, value in data.items() if name in own}
    named = values.get(table.MEMBER_KEY, getattr(table, table.MEMBER_KEY))
    member = None
    if named is not None:
        place = _join(key, table.MEMBER_KEY)
        if not isinstance(named, str) or named not in table.FAMILY:
            raise StructureError(place, f"unknown value {shown(named)}", tuple(table.FAMILY))
        member = _read_options(table, named, options, key, unknown_keys)
    elif options and not unknown_keys:
        option = next(iter(options))
        raise StructureError(_join(key, option), "unknown key", own, _whose(table, option))
    hints = get_type_hints(kind)
    own_values = {
        name: _read(hints[name], values[name], _join(key, name), False) for name in values
    }
    return kind(**own_values, member=member)  # type: ignore[call-arg]


def _read_options(
    table: type[OpenTable], name: str, options: Mapping[Any, Any], key: str, unknown_keys: bool
) -> Any:
    try:
        return _read_fields(table.FAMILY.find(name), options, key, unknown_keys)
    except StructureError as error:
        if error.problem != "unknown key":
            raise
        allowed = (*table.own_fields(), *error.allowed)
        problem = f"unknown key with {table.FAMILY.word} {name!r}"
        hint = _whose(table, error.key.rpartition(".")[2])
        raise StructureError(error.key, problem, allowed, hint) from error


def _whose(table: type[OpenTable], option: str) -> str | None:
    """Return the hint that names the members which have an option; None if none has."""
    members = table.FAMILY.items()
    owners = [repr(name) for name, member in members if option in [f.name for f in fields(member)]]
    if not owners:
        return None
    return f"leave it out, or set {table.MEMBER_KEY} to {' or '.join(owners)}"


def to_mapping(instance: Any) -> Any:
    """Undo `read_structure`: turn dataclasses into dicts and tuples into lists, ready for JSON."""
    if isinstance(instance, OpenTable):
        own = {name: to_mapping(getattr(instance, name)) for name in instance.own_fields()}
        member = instance.member  # type: ignore[attr-defined]
        return own | ({} if member is None else to_mapping(member))
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
