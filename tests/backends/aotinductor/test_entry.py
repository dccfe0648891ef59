"""A package whose library or list of operators is not what AOTInductor writes."""

import zipfile
from pathlib import Path

import pytest

from mpm_deploy.backends.aotinductor.entry import (
    _library_of,
    _load_library,
    _names_operators,
    _unpack,
)
from mpm_deploy.ops.label_map.native import find_library


def package(path: Path, name: str, content: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"root/data/aotinductor/scores/{name}", content)
    return path


def test_a_library_without_its_functions_is_told(tmp_path: Path) -> None:
    library = find_library()
    if library is None:
        pytest.skip("needs the native library, as any other one")
    path = package(tmp_path / "it.pt2", "it.so", library.read_bytes())
    with pytest.raises(RuntimeError, match="undefined symbol: AOTInductorModelContainer"):
        _load_library(_library_of(_unpack(path, "", tmp_path), "scores"))


@pytest.mark.parametrize("text", [b"[]", b"{", b"[" * 100_000])
def test_a_list_of_operators_that_is_none_is_told(text: bytes, tmp_path: Path) -> None:
    path = package(tmp_path / "it.pt2", "it.wrapper.json", text)
    with pytest.raises(RuntimeError, match="list of operators is damaged"):
        _names_operators(_unpack(path, "", tmp_path), "scores")
