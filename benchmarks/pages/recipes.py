"""Writes the table of built-in recipes, from what each says of itself."""

from pathlib import Path

from benchmarks.pages.common import between
from benchmarks.record import ROOT
from mpm_deploy.families import BACKENDS
from mpm_deploy.recipe import Recipe, builtin_recipes

GUIDE = ROOT / "docs" / "guides" / "recipes.md"
_KINDS = {
    "aotinductor": "AOTInductor",
    "torchscript": "TorchScript",
    "onnxruntime": "ONNX",
    "tensorrt": "TensorRT",
}
# Of a recipe, or of all with a backend.
_GUIDES = {
    "rpi5_fp32": "raspberry-pi.md",
    "onnxruntime": "onnxruntime.md",
    "tensorrt": "tensorrt.md",
}


def pages() -> dict[Path, str]:
    """Return the guide with its table."""
    return {GUIDE: between(GUIDE.read_text(), "recipes", _table(""))}


def readme() -> str:
    """Write the table into the README."""
    return _table("docs/guides/")


def _table(guides: str) -> str:
    """Write a row for each recipe; guides lie in the folder ``guides``."""
    head = ["| recipe | builds | for |", "|---|---|---|"]
    rows = (_row(recipe, guides) for recipe in builtin_recipes())
    return "".join(f"{line}\n" for line in (*head, *rows))


def _row(recipe: Recipe, guides: str) -> str:
    backend = recipe.backend.name
    builds = f"{_KINDS[backend]} `{BACKENDS[backend].suffix}`"
    guide = _GUIDES.get(recipe.name, _GUIDES.get(backend))
    more = f" ([guide]({guides}{guide}))" if guide else ""
    return f"| `{recipe.name}` | {builds} | {recipe.description}{more} |"
