"""A package whose library or list of operators is not what AOTInductor writes."""

import zipfile
from pathlib import Path

import pytest

from mpm_deploy.backends.aotinductor.entry import (
    _extract_library,
    _load_library,
    _names_operators,
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
        _load_library(_extract_library(path, "scores", tmp_path))


@pytest.mark.parametrize("text", [b"[]", b"{", b"[" * 100_000])
def test_a_list_of_operators_that_is_none_is_told(text: bytes, tmp_path: Path) -> None:
    path = package(tmp_path / "it.pt2", "it.wrapper.json", text)
    with pytest.raises(RuntimeError, match="list of operators is damaged"):
        _names_operators(path, "scores")
