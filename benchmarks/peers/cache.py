"""Finds the folder where conversions are kept, one for each state of the sources and packages.

A commit's name would not do: a checkout with changes has none, and converting takes minutes.
"""

import hashlib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from benchmarks.record import ROOT
from mpm_deploy.artifact.host import cpu_name

PACKAGES = ("torch", "onnx", "onnxruntime", "onnxscript", "openvino", "nncf")
_SOURCES = ("mpm_deploy", "recipes", "benchmarks/peers/engines", "benchmarks/peers/models.py")


def cache_folder() -> Path:
    """Return the folder of this state; files of another state are never taken for its own."""
    digest = hashlib.sha256(f"{cpu_name()} {sorted(versions().items())}".encode())
    for path in _source_files():
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return ROOT / "build" / "benchmarks" / "peers" / digest.hexdigest()[:12]


def versions() -> dict[str, str]:
    """Return the installed versions of the packages that the peers need."""
    return {name: found for name in PACKAGES if (found := _version(name)) is not None}


def _source_files() -> Iterator[Path]:
    for source in (ROOT / name for name in _SOURCES):
        for path in [source, *sorted(source.rglob("*"))]:
            if path.suffix in (".py", ".cpp", ".toml", ".safetensors"):
                yield path


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
