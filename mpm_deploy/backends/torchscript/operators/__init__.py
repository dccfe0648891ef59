"""Tell which operators a TorchScript file calls, and whether an older libtorch has them all.

A script names its operators, and libtorch looks each up when it loads the file: one that it lacks,
or knows with other arguments, makes the whole file unreadable. So the operators of a libtorch that
files are to run on lie beside this one, a schema a line::

    aten::add.Tensor(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor

``tools/list_operators.py`` writes such a list. Debian 13, and Raspberry Pi OS with it, has 2.6.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import torch

from mpm_deploy.errors import InputError

_FOLDER = Path(__file__).parent


def versions() -> tuple[str, ...]:
    """Return the versions of libtorch whose operators are known, as in ``2.6``."""
    lists = sorted(_FOLDER.glob("libtorch-*.txt"))
    return tuple(path.stem.removeprefix("libtorch-") for path in lists)


def missing_operators(module: torch.jit.ScriptModule, libtorch: str) -> tuple[str, ...]:
    """Return the operators of a script that this version of libtorch lacks, as schemas.

    Raises:
        InputError: The operators of that version are not known.
    """
    return tuple(sorted(called_operators(module) - _known_operators(libtorch)))


def called_operators(module: torch.jit.ScriptModule) -> frozenset[str]:
    """Return the schemas of all operators that any method of a script names, called or not."""
    schemas = (schema for graph in _graphs(module) for schema in _of_block(graph))
    return frozenset(map(_as_scripts_see_it, schemas))


def own_operators() -> tuple[str, ...]:
    """Return the schemas that this torch has, in order: PyTorch's own, and the language's."""
    schemas = map(str, torch._C._jit_get_all_schemas())
    return tuple(sorted({schema for schema in schemas if schema.startswith(("aten::", "prim::"))}))


@cache
def _known_operators(libtorch: str) -> frozenset[str]:
    path = _FOLDER / f"libtorch-{libtorch}.txt"
    if not path.exists():
        raise InputError(
            f"libtorch {libtorch!r}: its operators are not known, those of "
            f"{', '.join(versions())} are",
            "name one of these",
        )
    return frozenset(map(_as_scripts_see_it, path.read_text().splitlines()))


def _as_scripts_see_it(schema: str) -> str:
    """Write symbolic integers as integers, which they are to a script.

    Operators learn to take symbolic ones from version to version.
    """
    return schema.replace("SymInt", "int")


def _graphs(module: torch.jit.ScriptModule) -> Iterator[torch._C.Graph]:
    """Yield the graph of each method of each part, with what it calls written out in it."""
    for part in module.modules():
        compiled: Any = part._c
        for name in compiled._method_names():
            graph = compiled._get_method(name).graph.copy()
            torch._C._jit_pass_inline(graph)
            yield graph


def _of_block(block: torch._C.Graph | torch._C.Block) -> Iterator[str]:
    for node in block.nodes():
        # What the language itself is made of, as `if` and constants, has no schema.
        if node.schema() != "(no schema)":
            yield node.schema()
        for inner in node.blocks():
            yield from _of_block(inner)
