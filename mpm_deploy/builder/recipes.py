"""Take a recipe from wherever it is: a value, a file, or an artifact that was built of it."""

from pathlib import Path

from mpm_deploy.artifact import read_recipe
from mpm_deploy.errors import RecipeError
from mpm_deploy.families import BACKENDS
from mpm_deploy.recipe import Recipe, load_recipe


def as_recipe(recipe: Recipe | str | Path) -> Recipe:
    """Return a recipe as it is, or read one.

    Args:
        recipe: A recipe; the name of a built-in one, as ``"cpu_fp32"``; a ``.toml`` file; or
            an artifact, which holds the recipe that it was built of, also one of format 1.

    Raises:
        RecipeError: No such recipe, or a wrong one.
        ArtifactError: An artifact that cannot be read.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if not isinstance(recipe, str | Path):
        raise RecipeError(
            f"recipe: expected a Recipe, a name or a file, got {type(recipe).__name__}",
            "Recipe.from_dict makes one of a dict",
        )
    if any(Path(recipe).name.endswith(backend.suffix) for backend in BACKENDS.values()):
        return Recipe.from_dict(read_recipe(recipe))
    return load_recipe(recipe)
