"""Read recipe files: the built-in ones by name, and others by their path."""

import dataclasses
from pathlib import Path
from typing import Any

import mpm_deploy
from mpm_deploy.errors import RecipeError
from mpm_deploy.recipe.recipe import Recipe, placed
from mpm_deploy.support.documents import read_document, read_toml
from mpm_deploy.support.family import nearest
from mpm_deploy.support.quoting import shortened
from mpm_deploy.support.refusal import refusal

_NAMED_WEIGHTS = ("demo", "demo_cts", "random")  # other weights are files and folders, or timm's
_PACKAGE = Path(mpm_deploy.__file__).parent
# Beside the package in a checkout, inside it in a wheel.
_BUILTIN_FOLDERS = (_PACKAGE / "recipes", _PACKAGE.parent / "recipes")


def load_recipe(name_or_path: str | Path) -> Recipe:
    """Read a built-in recipe by its name, or a recipe file.

    Weights, and folders of photos and data sets, that a file names are looked for beside that file.

    Args:
        name_or_path: ``"cpu_fp32"``, or a path with a folder or ``.toml`` in it.

    Raises:
        RecipeError: No such recipe, or a wrong one: names the file, the key and what was allowed.
    """
    path = Path(name_or_path)
    is_name = path.suffix != ".toml" and len(path.parts) == 1
    return _read(_find_builtin(str(name_or_path)) if is_name else path)


def builtin_recipes() -> list[Recipe]:
    """Return the recipes that come with this package, in the order of their names."""
    return [_read(path) for _, path in sorted(_builtin_paths().items())]


def _builtin_paths() -> dict[str, Path]:
    return {path.stem: path for folder in _BUILTIN_FOLDERS for path in folder.glob("*.toml")}


def _find_builtin(name: str) -> Path:
    paths = _builtin_paths()
    if name not in paths:
        raise RecipeError(
            f"recipe {name!r}: expected one of {', '.join(sorted(paths))}, or a .toml file",
            nearest(name, paths) or "`mpm-deploy recipes` says what each is for",
        )
    return paths[name]


def _read(path: Path) -> Recipe:
    with placed(str(path)):
        recipe = Recipe.from_dict({"name": path.stem} | _read_toml(path))
    return _with_paths_from(path.parent, recipe)


def _with_paths_from(folder: Path, recipe: Recipe) -> Recipe:
    """Return the recipe with the files and folders that it names looked for in ``folder``."""
    model, backend, verify = recipe.model, recipe.backend, recipe.verify
    if model.weights not in _NAMED_WEIGHTS and not model.weights.startswith("timm:"):
        model = dataclasses.replace(model, weights=str(folder / model.weights))
    if backend.calibration is not None:
        backend = dataclasses.replace(backend, calibration=str(folder / backend.calibration))
    if verify.photos is not None:
        verify = dataclasses.replace(verify, photos=str(folder / verify.photos))
    if verify.dataset is not None:
        verify = dataclasses.replace(verify, dataset=str(folder / verify.dataset))
    return dataclasses.replace(recipe, model=model, backend=backend, verify=verify)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return read_toml(read_document(path).decode())
    except OSError as error:
        cure = "`mpm-deploy recipes` lists the built-in ones"
        raise refusal(RecipeError, "cannot be read", error, cure) from error
    except ValueError as error:
        raise RecipeError(f"expected TOML: {shortened(error)}") from error
