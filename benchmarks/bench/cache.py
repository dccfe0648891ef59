"""Keeps what is built and converted, in one folder for each state of the sources and packages.

A commit's name would not do: a checkout with changes has none, and building takes minutes.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

from benchmarks.record import ROOT
from mpm_deploy.builder.build import build
from mpm_deploy.recipe import Recipe, load_recipe
from mpm_deploy.support.processor import cpu_name

FOLDER = ROOT / "build" / "benchmarks"
PACKAGES = ("torch", "onnx", "onnxruntime", "onnxscript", "openvino", "nncf")
_SOURCES = (
    *("mpm_deploy", "recipes"),
    *(f"benchmarks/peers/{name}" for name in ("engines", "models.py", "variants.py")),
)


def merged(recipe: str) -> Path:
    """Return the demo model of a recipe, merged."""
    return built(load_recipe(recipe))


def full_token(recipe: str) -> Path:
    """Return the same without merging."""
    return built(load_recipe(recipe).full_token())


def built(recipe: Recipe, name: str = "", progress: Callable[[str], None] | None = None) -> Path:
    """Return the artifact of a recipe, as the sources of this state build it; whoever asks for the
    same again gets the same file, which begins with the name of the first. ``progress`` is called
    with each step of a build as it begins.
    """
    digest = hashlib.sha256(json.dumps(recipe.to_dict()).encode()).hexdigest()[:12]
    suffix = f"-{digest}{recipe.backend.member.suffix}"
    folder = state_folder()
    folder.mkdir(parents=True, exist_ok=True)
    found = sorted(folder.glob(f"*{suffix}"))
    if found:
        return found[0]
    return build(recipe, folder / f"{name or recipe.name}{suffix}", progress=progress)


def state_folder() -> Path:
    """Return the folder of this state; files of another state are never taken for its own."""
    digest = hashlib.sha256(f"{cpu_name()} {sorted(versions().items())}".encode())
    for path in _source_files():
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return FOLDER / digest.hexdigest()[:12]


def versions() -> dict[str, str]:
    """Return the installed versions of the packages that the results depend on."""
    return {name: found for name in PACKAGES if (found := _version(name)) is not None}


def _source_files() -> Iterator[Path]:
    for source in (ROOT / name for name in _SOURCES):
        for path in [source, *sorted(source.rglob("*"))]:
            if path.suffix in (".py", ".cpp", ".h", ".toml", ".safetensors"):
                yield path


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
